/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frontend/functions.c: local functions, inlined at import. Every name of a call carries the prefix
 * "<node>/", so bodies never meet; formal inputs stand for the caller's tensors, formal outputs are
 * the caller's tensors, produced by a node of the body. Attribute references take the caller's
 * value, else the function's default, else the attribute is absent.
 *
 * A function that calls itself, however indirectly, is an error; the number of nodes after inlining
 * is limited, since calls of calls multiply.
 */
#include <string.h>

#include "frontend_priv.h"

#define ARGS_MAX 256
#define KEY_SEPARATOR "\1"

static const char *text(const char *z)
{
    return z == NULL ? "" : z;
}

/* Id of "domain, name, overload" in fe->functions, or WL_NONE. */
static int32_t function_key(struct wl_fe *fe, const char *domain, const char *name,
                            const char *overload, bool add)
{
    struct wl_arena_mark mark = wl_arena_mark(&fe->work);
    const char *d = strcmp(text(domain), "ai.onnx") == 0 ? "" : text(domain);
    char *key = wl_arena_printf(&fe->work, "%s" KEY_SEPARATOR "%s" KEY_SEPARATOR "%s", d,
                                text(name), text(overload));
    if (key == NULL) {
        return WL_NONE;
    }
    int32_t id = add ? wl_strmap_add(&fe->functions, wl_str(key))
                     : wl_strmap_find(&fe->functions, wl_str(key));
    if (!add) {
        wl_arena_reset(&fe->work, mark);
    }
    return id;
}

wl_status wl_fe_functions_index(struct wl_fe *fe)
{
    const Onnx__ModelProto *m = fe->model;
    for (size_t i = 0; i < m->n_functions; i++) {
        const Onnx__FunctionProto *fn = m->functions[i];
        int32_t id = function_key(fe, fn->domain, fn->name, fn->overload, true);
        if (id == WL_NONE) {
            return wl_fail_nomem(fe->err);
        }
        if ((size_t)id != i) {
            return wl_fail(fe->err, WL_ERR_INVALID, fe->path,
                           "function \"%.100s\" is defined twice; its name must be its own",
                           text(fn->name));
        }
        if (fn->n_attribute + fn->n_attribute_proto > ARGS_MAX || fn->n_opset_import > ARGS_MAX) {
            return wl_fail(fe->err, WL_ERR_LIMIT, fe->path,
                           "function \"%.100s\" has more than %d attributes or operator sets",
                           text(fn->name), ARGS_MAX);
        }
    }
    return WL_OK;
}

const Onnx__FunctionProto *wl_fe_function_find(struct wl_fe *fe, const Onnx__NodeProto *np)
{
    if (fe->model->n_functions == 0) {
        return NULL;
    }
    int32_t id = function_key(fe, np->domain, np->op_type, np->overload, false);
    return id == WL_NONE ? NULL : fe->model->functions[id];
}

/* ---- attributes ----------------------------------------------------------------------------- */

struct wl_fe_arg wl_fe_arg_resolve(const Onnx__AttributeProto *ap, const struct wl_fe_env *env)
{
    const char *ref = ap->ref_attr_name;
    if (ref == NULL || ref[0] == '\0') {
        return (struct wl_fe_arg){ap, env};
    }
    for (int32_t i = 0; i < env->arg_count; i++) {
        if (strcmp(text(env->arg_names[i]), ref) == 0) {
            return env->args[i];
        }
    }
    return (struct wl_fe_arg){NULL, env};
}

static const Onnx__AttributeProto *attr_of(const Onnx__NodeProto *np, const char *name)
{
    for (size_t i = 0; i < np->n_attribute; i++) {
        if (np->attribute[i]->name != NULL && strcmp(np->attribute[i]->name, name) == 0) {
            return np->attribute[i];
        }
    }
    return NULL;
}

/* Given attributes of a call, then defaults. */
static wl_status args_bind(struct wl_fe *fe, const Onnx__NodeProto *np,
                           const struct wl_fe_env *caller, struct wl_fe_env *env)
{
    const Onnx__FunctionProto *fn = env->fn;
    size_t max = fn->n_attribute + fn->n_attribute_proto;
    struct wl_fe_arg *args = WL_ARRAY(&fe->work, struct wl_fe_arg, max);
    const char **names = WL_ARRAY(&fe->work, const char *, max);
    WL_TRY_PTR(args, fe->err);
    WL_TRY_PTR(names, fe->err);
    int32_t count = 0;
    for (size_t i = 0; i < max; i++) {
        const Onnx__AttributeProto *fallback =
            i < fn->n_attribute ? NULL : fn->attribute_proto[i - fn->n_attribute];
        const char *name = fallback == NULL ? fn->attribute[i] : text(fallback->name);
        const Onnx__AttributeProto *given = attr_of(np, name);
        struct wl_fe_arg arg = {NULL, caller};
        if (given != NULL) {
            arg = wl_fe_arg_resolve(given, caller);
        }
        if (arg.proto == NULL && fallback != NULL) {
            arg = (struct wl_fe_arg){fallback, env};
        }
        if (arg.proto != NULL) {
            names[count] = name;
            args[count++] = arg;
        }
    }
    env->args = args;
    env->arg_names = names;
    env->arg_count = count;
    return WL_OK;
}

/* ---- inputs and outputs --------------------------------------------------------------------- */

static wl_status call_fail(struct wl_fe *fe, const Onnx__NodeProto *np, const char *what,
                           const char *name)
{
    return wl_fail(fe->err, WL_ERR_INVALID, fe->path,
                   "the call \"%.100s\" of function \"%.100s\" %s \"%.100s\"", text(np->name),
                   np->op_type, what, name);
}

static wl_status inputs_bind(struct wl_fe *fe, const Onnx__NodeProto *np,
                             const struct wl_fe_env *caller, const struct wl_fe_env *env)
{
    const Onnx__FunctionProto *fn = env->fn;
    if (np->n_input > fn->n_input || np->n_output > fn->n_output) {
        return call_fail(fe, np, "gives more inputs or takes more outputs than there are in",
                         text(fn->name));
    }
    for (size_t i = 0; i < fn->n_input; i++) {
        int32_t actual = FE_OMITTED;
        if (i < np->n_input && np->input[i][0] != '\0') {
            int32_t outer = wl_fe_name(fe, caller, np->input[i]);
            if (outer == WL_NONE) {
                return wl_fail_nomem(fe->err);
            }
            actual = fe->tensor_of_name[outer];
            if (actual == WL_NONE) {
                return call_fail(fe, np,
                                 "reads a tensor that nothing before it defines:", np->input[i]);
            }
        }
        int32_t inner = wl_fe_name(fe, env, fn->input[i]);
        if (inner == WL_NONE) {
            return wl_fail_nomem(fe->err);
        }
        WL_TRY(wl_fe_define(fe, inner, actual));
    }
    return WL_OK;
}

/* outer[i]: the caller's tensor of output i, waiting for its producer; WL_NONE when omitted. */
static wl_status outputs_bind(struct wl_fe *fe, const Onnx__NodeProto *np,
                              const struct wl_fe_env *caller, const struct wl_fe_env *env,
                              int32_t block, int32_t *outer)
{
    for (size_t i = 0; i < np->n_output; i++) {
        outer[i] = WL_NONE;
        if (np->output[i][0] == '\0') {
            continue;
        }
        int32_t name = wl_fe_name(fe, caller, np->output[i]);
        if (name == WL_NONE) {
            return wl_fail_nomem(fe->err);
        }
        WL_TRY(wl_fe_output(fe, name, block, &outer[i]));
        fe->g->tensors[outer[i]].flags |= FE_AWAITS;
        int32_t inner = wl_fe_name(fe, env, env->fn->output[i]);
        if (inner == WL_NONE) {
            return wl_fail_nomem(fe->err);
        }
        if (fe->tensor_of_name[inner] == WL_NONE) {
            WL_TRY(wl_fe_define(fe, inner, outer[i]));
        }
    }
    return WL_OK;
}

/* An output that is an input, or another output: an Identity node produces it. */
static wl_status pass_through(struct wl_fe *fe, const struct wl_fe_env *env, int32_t block,
                              int32_t from, int32_t to)
{
    char *name = wl_arena_printf(fe->g->arena, "%sIdentity_%d", env->prefix, (int)to);
    int32_t *ids = WL_ARRAY(fe->g->arena, int32_t, 2);
    WL_TRY_PTR(name, fe->err);
    WL_TRY_PTR(ids, fe->err);
    int32_t node = wl_fe_add_node(fe, block, name, "Identity");
    if (node == WL_NONE) {
        return wl_fail_nomem(fe->err);
    }
    ids[0] = from;
    ids[1] = to;
    struct wl_node *n = &fe->g->nodes[node];
    n->inputs = &ids[0];
    n->outputs = &ids[1];
    n->input_count = n->output_count = 1;
    fe->g->tensors[to].producer = node;
    fe->g->tensors[to].flags &= ~FE_AWAITS;
    return WL_OK;
}

static wl_status outputs_settle(struct wl_fe *fe, const Onnx__NodeProto *np,
                                const struct wl_fe_env *env, int32_t block, const int32_t *outer)
{
    for (size_t i = 0; i < np->n_output; i++) {
        if (outer[i] == WL_NONE || (fe->g->tensors[outer[i]].flags & FE_AWAITS) == 0) {
            continue;
        }
        int32_t inner = wl_fe_name(fe, env, env->fn->output[i]);
        int32_t from = inner == WL_NONE ? WL_NONE : fe->tensor_of_name[inner];
        if (from < 0 || from == outer[i]) {
            return call_fail(fe, np, "never produces its output", env->fn->output[i]);
        }
        WL_TRY(pass_through(fe, env, block, from, outer[i]));
    }
    return WL_OK;
}

/* ---- calls ---------------------------------------------------------------------------------- */

/* "<caller's prefix><node>/", made unique where nodes share a name. */
static wl_status prefix_make(struct wl_fe *fe, const Onnx__NodeProto *np,
                             const struct wl_fe_env *caller, struct wl_fe_env *env)
{
    const char *name = text(np->name)[0] == '\0' ? np->op_type : np->name;
    char *prefix = wl_arena_printf(fe->g->arena, "%s%s/", caller->prefix, name);
    WL_TRY_PTR(prefix, fe->err);
    if (wl_strmap_find(&fe->g->names, wl_str(prefix)) != WL_NONE) {
        prefix = wl_arena_printf(fe->g->arena, "%s%s_%d/", caller->prefix, name, (int)fe->calls);
        WL_TRY_PTR(prefix, fe->err);
    }
    fe->calls++;
    env->prefix = prefix;
    env->prefix_len = strlen(prefix);
    if (env->prefix_len > 4096) {
        return wl_fail(fe->err, WL_ERR_LIMIT, fe->path,
                       "the names of nested function calls exceed 4096 bytes");
    }
    int32_t id = wl_strmap_add(&fe->g->names, wl_str(prefix));
    return id == WL_NONE ? wl_fail_nomem(fe->err) : WL_OK;
}

wl_status wl_fe_function_inline(struct wl_fe *fe, const Onnx__NodeProto *np,
                                const Onnx__FunctionProto *fn, const struct wl_fe_env *caller,
                                int32_t block)
{
    for (const struct wl_fe_env *e = caller; e != NULL; e = e->caller) {
        if (e->fn == fn) {
            return call_fail(fe, np, "makes a function call itself:", text(fn->name));
        }
    }
    if (fe->depth >= WL_SCAN_DEPTH_MAX || fe->calls >= fe->node_limit) {
        return wl_fail(fe->err, WL_ERR_LIMIT, fe->path,
                       "calls of functions are nested deeper than %d or too many",
                       WL_SCAN_DEPTH_MAX);
    }
    struct wl_fe_env env = {
        .fn = fn, .caller = caller, .opsets = fn->opset_import, .opset_count = fn->n_opset_import};
    WL_TRY(prefix_make(fe, np, caller, &env));
    WL_TRY(args_bind(fe, np, caller, &env));
    WL_TRY(inputs_bind(fe, np, caller, &env));
    int32_t *outer = WL_ARRAY(&fe->work, int32_t, np->n_output);
    WL_TRY_PTR(outer, fe->err);
    WL_TRY(outputs_bind(fe, np, caller, &env, block, outer));
    WL_TRY(wl_fe_declare(fe, &env, fn->n_value_info, fn->value_info));
    fe->depth++;
    for (size_t i = 0; i < fn->n_node; i++) {
        WL_TRY(wl_fe_import_node(fe, fn->node[i], &env, block));
    }
    fe->depth--;
    return outputs_settle(fe, np, &env, block, outer);
}
