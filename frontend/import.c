/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frontend/import.c: protobuf messages to the ir. Names are interned; a table gives each name's
 * tensor in the scope being read. A body (If, Loop, Scan) opens a scope that sees the outer one;
 * what it defines is undone at its end. A local function is a scope of its own: its names carry the
 * call's prefix, so that they never meet the caller's (functions.c).
 *
 * A node may come before the node that produces its input: such inputs are remembered and resolved
 * at the end of the block that must know them (sort.c then orders the nodes). A name that nothing
 * defines is an error that names the node.
 *
 * Nodes of the main graph are unpacked one at a time into an arena that is emptied after each, so
 * that memory follows the ir, not the file.
 */
#include <stdio.h>
#include <string.h>

#include "frontend_priv.h"

#define OPSETS_MAX 256

#define KIND(x) ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__##x

/* ---- names ---------------------------------------------------------------------------------- */

const char *wl_fe_tensor_z(const struct wl_fe *fe, int32_t tensor)
{
    return fe->g->names.names[fe->g->tensors[tensor].name].data;
}

wl_status wl_fe_names_reserve(struct wl_fe *fe, int32_t name)
{
    if (name < fe->name_capacity) {
        return WL_OK;
    }
    int32_t capacity = fe->name_capacity;
    int32_t types_capacity = fe->name_capacity;
    if (wl_arena_reserve(&fe->work, (void **)&fe->tensor_of_name, &capacity, name + 1,
                         sizeof(*fe->tensor_of_name)) != WL_OK ||
        wl_arena_reserve(&fe->work, (void **)&fe->type_of_name, &types_capacity, name + 1,
                         sizeof(const Onnx__TypeProto *)) != WL_OK) {
        return wl_fail_nomem(fe->err);
    }
    for (int32_t i = fe->name_capacity; i < capacity; i++) {
        fe->tensor_of_name[i] = WL_NONE;
    }
    fe->name_capacity = capacity;
    return WL_OK;
}

int32_t wl_fe_name(struct wl_fe *fe, const struct wl_fe_env *env, const char *z)
{
    struct wl_str s = wl_str(z);
    int32_t id;
    if (env->prefix_len == 0) {
        id = wl_strmap_add(&fe->g->names, s);
    } else {
        struct wl_arena_mark mark = wl_arena_mark(&fe->work);
        char *full = wl_arena_alloc(&fe->work, env->prefix_len + s.len + 1);
        if (full == NULL) {
            return WL_NONE;
        }
        memcpy(full, env->prefix, env->prefix_len);
        memcpy(full + env->prefix_len, s.data, s.len);
        id = wl_strmap_add(&fe->g->names, (struct wl_str){full, env->prefix_len + s.len});
        wl_arena_reset(&fe->work, mark);
    }
    if (id == WL_NONE || wl_fe_names_reserve(fe, id) != WL_OK) {
        return WL_NONE;
    }
    return id;
}

wl_status wl_fe_define(struct wl_fe *fe, int32_t name, int32_t tensor)
{
    if (fe->depth == 0) {
        fe->tensor_of_name[name] = tensor; /* the main graph's scope never ends */
        return WL_OK;
    }
    if (wl_arena_reserve(&fe->work, (void **)&fe->undo, &fe->undo_capacity, fe->undo_count + 1,
                         sizeof(*fe->undo)) != WL_OK) {
        return wl_fail_nomem(fe->err);
    }
    fe->undo[fe->undo_count++] = (struct wl_fe_undo){name, fe->tensor_of_name[name]};
    fe->tensor_of_name[name] = tensor;
    return WL_OK;
}

static void scope_close(struct wl_fe *fe, int32_t mark)
{
    while (fe->undo_count > mark) {
        struct wl_fe_undo u = fe->undo[--fe->undo_count];
        fe->tensor_of_name[u.name] = u.tensor;
        fe->type_of_name[u.name] =
            NULL; /* declared inside the scope; an outer one is used already */
    }
}

wl_status wl_fe_declare(struct wl_fe *fe, const struct wl_fe_env *env, size_t count,
                        Onnx__ValueInfoProto *const *infos)
{
    for (size_t i = 0; i < count; i++) {
        if (infos[i]->name == NULL || infos[i]->name[0] == '\0' || infos[i]->type == NULL) {
            continue;
        }
        int32_t name = wl_fe_name(fe, env, infos[i]->name);
        if (name == WL_NONE) {
            return wl_fail_nomem(fe->err);
        }
        fe->type_of_name[name] = infos[i]->type;
    }
    return WL_OK;
}

/* ---- tensors -------------------------------------------------------------------------------- */

/*
 * The name of a KV cache, as exporters write them: past_key_values.0.key, past_key_0,
 * present.3.value, cache_k, k_cache ...
 */
static bool contains(struct wl_str s, const char *part)
{
    size_t len = strlen(part);
    for (size_t i = 0; i + len <= s.len; i++) {
        if (memcmp(s.data + i, part, len) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_kv_name(struct wl_str s)
{
    static const char *const starts[] = {"past", "present"};
    static const char *const not_cache[] = {"position", "branch", "len", "cos", "sin", "seq"};
    bool found = contains(s, "cache");
    for (size_t i = 0; i < WL_ARRAY_LEN(starts) && !found; i++) {
        size_t len = strlen(starts[i]);
        found = s.len > len && memcmp(s.data, starts[i], len) == 0 &&
                strchr("._0123456789", s.data[len]) != NULL;
    }
    for (size_t i = 0; i < WL_ARRAY_LEN(not_cache) && found; i++) {
        found = !contains(s, not_cache[i]);
    }
    return found;
}

int32_t wl_fe_tensor_add(struct wl_fe *fe, int32_t name, enum wl_tensor_kind kind, int32_t block)
{
    struct wl_graph *g = fe->g;
    int32_t t = wl_graph_add_tensor(g, name);
    if (t == WL_NONE ||
        wl_arena_reserve(&fe->work, (void **)&fe->type_of_tensor, &fe->type_capacity, t + 1,
                         sizeof(const Onnx__TypeProto *)) != WL_OK) {
        return WL_NONE;
    }
    g->tensors[t].kind = kind;
    g->tensors[t].block = block;
    g->tensors[t].flags = block > 0 ? WL_TENSOR_IN_BODY : 0;
    fe->type_of_tensor[t] = fe->type_of_name[name];
    if (fe->type_of_tensor[t] != NULL && wl_fe_type_known(fe->type_of_tensor[t])) {
        g->tensors[t].flags |= WL_TENSOR_DECLARED;
    }
    return t;
}

static wl_status duplicate(struct wl_fe *fe, int32_t name, const char *what)
{
    return wl_fail(fe->err, WL_ERR_INVALID, fe->path,
                   "tensor \"%s\" is %s although it is defined already; every tensor has one "
                   "definition",
                   fe->g->names.names[name].data, what);
}

/* Is `name` defined by `block` itself (an outer definition may be hidden, a second one not)? */
static bool defined_here(const struct wl_fe *fe, int32_t name, int32_t block)
{
    int32_t t = fe->tensor_of_name[name];
    return t >= 0 && fe->g->tensors[t].block == block;
}

static wl_status initializer_add(struct wl_fe *fe, const struct wl_fe_env *env, int32_t block,
                                 const char *z, const struct wl_attr_tensor *a, bool sparse)
{
    if (z == NULL || z[0] == '\0') {
        return wl_fail(fe->err, WL_ERR_INVALID, fe->path,
                       "an initializer has no name; each needs one");
    }
    int32_t name = wl_fe_name(fe, env, z);
    if (name == WL_NONE) {
        return wl_fail_nomem(fe->err);
    }
    if (defined_here(fe, name, block)) {
        return duplicate(fe, name, "an initializer");
    }
    int32_t t = wl_fe_tensor_add(fe, name, WL_TENSOR_INITIALIZER, block);
    if (t == WL_NONE) {
        return wl_fail_nomem(fe->err);
    }
    struct wl_tensor *tensor = &fe->g->tensors[t];
    tensor->dtype = a->dtype;
    tensor->type_kind = sparse ? WL_TYPE_SPARSE : WL_TYPE_TENSOR;
    tensor->rank = a->rank;
    tensor->value = a->value;
    tensor->strings = a->strings;
    tensor->stored_elems = a->stored_elems;
    tensor->dims = wl_arena_alloc(fe->g->arena, (size_t)a->rank * sizeof(*tensor->dims));
    WL_TRY_PTR(tensor->dims, fe->err);
    for (int32_t i = 0; i < a->rank; i++) {
        tensor->dims[i] = wl_dim_known(a->dims[i]);
    }
    return wl_fe_define(fe, name, t);
}

static wl_status initializers_import(struct wl_fe *fe, const Onnx__GraphProto *gp,
                                     const struct wl_fe_env *env, int32_t block)
{
    struct wl_attr_tensor a;
    for (size_t i = 0; i < gp->n_initializer; i++) {
        const Onnx__TensorProto *tp = gp->initializer[i];
        WL_TRY(wl_fe_tensor_attr(fe, tp, &a));
        WL_TRY(initializer_add(fe, env, block, tp->name, &a, false));
    }
    for (size_t i = 0; i < gp->n_sparse_initializer; i++) {
        const Onnx__SparseTensorProto *sp = gp->sparse_initializer[i];
        WL_TRY(wl_fe_sparse_attr(fe, sp, &a));
        WL_TRY(initializer_add(fe, env, block, sp->values == NULL ? NULL : sp->values->name, &a,
                               true));
    }
    return WL_OK;
}

/* Inputs that no initializer fills. The first of the main graph carries the batch. */
static wl_status inputs_import(struct wl_fe *fe, const Onnx__GraphProto *gp,
                               const struct wl_fe_env *env, int32_t block)
{
    struct wl_graph *g = fe->g;
    int32_t *ids = WL_ARRAY(g->arena, int32_t, gp->n_input);
    WL_TRY_PTR(ids, fe->err);
    int32_t count = 0;
    for (size_t i = 0; i < gp->n_input; i++) {
        const Onnx__ValueInfoProto *vi = gp->input[i];
        if (vi->name == NULL || vi->name[0] == '\0') {
            return wl_fail(fe->err, WL_ERR_INVALID, fe->path,
                           "an input of graph \"%.100s\" has no name; each needs one",
                           gp->name == NULL ? "" : gp->name);
        }
        int32_t name = wl_fe_name(fe, env, vi->name);
        if (name == WL_NONE) {
            return wl_fail_nomem(fe->err);
        }
        if (defined_here(fe, name, block)) {
            if (g->tensors[fe->tensor_of_name[name]].kind == WL_TENSOR_INITIALIZER) {
                wl_fe_type_stored(&g->tensors[fe->tensor_of_name[name]], vi->type);
                continue;
            }
            return duplicate(fe, name, "an input");
        }
        fe->type_of_name[name] = vi->type;
        int32_t t =
            wl_fe_tensor_add(fe, name, block == 0 ? WL_TENSOR_INPUT : WL_TENSOR_ACTIVATION, block);
        if (t == WL_NONE) {
            return wl_fail_nomem(fe->err);
        }
        if (block == 0) {
            WL_TRY(wl_fe_type_input(fe, t, vi->type, count == 0));
            if (is_kv_name(g->names.names[name])) {
                g->tensors[t].flags |= WL_TENSOR_IS_KV;
            }
        }
        WL_TRY(wl_fe_define(fe, name, t));
        ids[count++] = t;
    }
    g->blocks[block].inputs = ids;
    g->blocks[block].input_count = count;
    return WL_OK;
}

/* ---- operators ------------------------------------------------------------------------------ */

static bool same_domain(const char *a, const char *b)
{
    bool a_onnx = a == NULL || a[0] == '\0' || strcmp(a, "ai.onnx") == 0;
    bool b_onnx = b == NULL || b[0] == '\0' || strcmp(b, "ai.onnx") == 0;
    return (a_onnx && b_onnx) || (!a_onnx && !b_onnx && strcmp(a, b) == 0);
}

/* Version that a scope imports of a domain; 0 where it imports none. */
static int32_t version_of(const struct wl_fe_env *env, const char *domain)
{
    for (size_t i = 0; i < env->opset_count; i++) {
        if (same_domain(env->opsets[i]->domain, domain)) {
            return (int32_t)wl_min_i64(wl_max_i64(env->opsets[i]->version, 0), 100000);
        }
    }
    return env->fn == NULL ? 0 : version_of(env->caller, domain);
}

static int32_t version_here(const struct wl_fe *fe, const struct wl_fe_env *env, const char *domain)
{
    int32_t version = version_of(env, domain);
    /* IR versions 1 and 2 know no operator sets. */
    return version == 0 && domain[0] == '\0' && fe->model->n_opset_import == 0 ? 1 : version;
}

/* Fills the entry of a name that is met for the first time. */
static bool op_fill(struct wl_fe *fe, const Onnx__NodeProto *np, const char *domain,
                    int32_t version, struct wl_fe_op *op)
{
    char *type_copy = wl_arena_strndup(fe->g->arena, np->op_type, strlen(np->op_type));
    char *domain_copy = wl_arena_strndup(fe->g->arena, domain, strlen(domain));
    if (type_copy == NULL || domain_copy == NULL) {
        return false;
    }
    op->type = wl_str(type_copy);
    op->domain = wl_str(domain_copy);
    op->version = version;
    op->fn = wl_fe_function_find(fe, np);
    op->op = wl_op_find(op->domain, op->type);
    op->rules = op->domain.len == 0 && version > 0 ? wl_raise_find(op->type) : NULL;
    return true;
}

/*
 * One entry for each (type, domain, overload, version). The key is the type alone for what nearly
 * every node is: an operator of the default domain in the model's own scope. NULL on exhaustion;
 * the entry lives until the next call.
 */
static const struct wl_fe_op *op_find(struct wl_fe *fe, const Onnx__NodeProto *np,
                                      const struct wl_fe_env *env)
{
    const char *domain = same_domain(np->domain, "") ? "" : np->domain;
    bool plain =
        env->fn == NULL && domain[0] == '\0' && (np->overload == NULL || np->overload[0] == '\0');
    struct wl_arena_mark mark = wl_arena_mark(&fe->key);
    int32_t before = fe->op_names.count;
    int32_t version = 0;
    int32_t id;
    if (plain) {
        id = wl_strmap_add(&fe->op_names, wl_str(np->op_type));
    } else {
        version = version_here(fe, env, domain);
        char *key = wl_arena_printf(&fe->key, "%s\1%s\1%s\1%d", np->op_type, domain,
                                    np->overload == NULL ? "" : np->overload, (int)version);
        id = key == NULL ? WL_NONE : wl_strmap_add(&fe->op_names, wl_str(key));
        wl_arena_reset(&fe->key, mark);
    }
    if (id == WL_NONE || wl_arena_reserve(&fe->work, (void **)&fe->ops, &fe->op_capacity, id + 1,
                                          sizeof(*fe->ops)) != WL_OK) {
        return NULL;
    }
    if (fe->op_names.count > before) {
        version = plain ? version_here(fe, env, domain) : version;
        if (!op_fill(fe, np, domain, version, &fe->ops[id])) {
            return NULL;
        }
    }
    return &fe->ops[id];
}

/* ---- nodes ---------------------------------------------------------------------------------- */

wl_status wl_fe_block_append(struct wl_fe *fe, int32_t block, int32_t node)
{
    struct wl_block *b = &fe->g->blocks[block];
    /* Capacity follows from the count: doubled at each power of two from 8 on. */
    int32_t n = b->node_count;
    if (n == 0 || (n >= 8 && (n & (n - 1)) == 0)) {
        int32_t capacity = n == 0 ? 8 : 2 * n;
        int32_t *nodes = wl_arena_alloc(fe->g->arena, (size_t)capacity * sizeof(*nodes));
        WL_TRY_PTR(nodes, fe->err);
        if (n > 0) {
            memcpy(nodes, b->nodes, (size_t)n * sizeof(*nodes));
        }
        b->nodes = nodes;
    }
    b->nodes[b->node_count++] = node;
    return WL_OK;
}

int32_t wl_fe_add_node(struct wl_fe *fe, int32_t block, const char *name, const char *op_type)
{
    struct wl_graph *g = fe->g;
    int32_t id = wl_graph_add_node(g);
    if (id == WL_NONE) {
        return WL_NONE;
    }
    struct wl_node *n = &g->nodes[id];
    n->name = wl_str(name);
    n->op_type = wl_str(op_type);
    n->domain = WL_STR("");
    n->op = wl_op_find(n->domain, n->op_type);
    n->block = block;
    return wl_fe_block_append(fe, block, id) == WL_OK ? id : WL_NONE;
}

static wl_status node_inputs(struct wl_fe *fe, const Onnx__NodeProto *np,
                             const struct wl_fe_env *env, int32_t id)
{
    int32_t *ids = wl_arena_alloc(fe->g->arena, np->n_input * sizeof(*ids));
    WL_TRY_PTR(ids, fe->err);
    for (size_t i = 0; i < np->n_input; i++) {
        ids[i] = WL_NONE;
        if (np->input[i][0] == '\0') {
            continue;
        }
        int32_t name = wl_fe_name(fe, env, np->input[i]);
        if (name == WL_NONE) {
            return wl_fail_nomem(fe->err);
        }
        ids[i] = fe->tensor_of_name[name];
        if (ids[i] == FE_OMITTED) {
            ids[i] = WL_NONE;
            continue;
        }
        if (ids[i] != WL_NONE) {
            fe->unsorted = fe->unsorted || (fe->g->tensors[ids[i]].flags & FE_AWAITS) != 0;
            continue;
        }
        if (wl_arena_reserve(&fe->work, (void **)&fe->fixups, &fe->fixup_capacity,
                             fe->fixup_count + 1, sizeof(*fe->fixups)) != WL_OK) {
            return wl_fail_nomem(fe->err);
        }
        fe->fixups[fe->fixup_count++] = (struct wl_fe_fixup){&ids[i], name, id};
    }
    fe->g->nodes[id].inputs = ids;
    fe->g->nodes[id].input_count = (int32_t)np->n_input;
    return WL_OK;
}

wl_status wl_fe_output(struct wl_fe *fe, int32_t name, int32_t block, int32_t *out)
{
    struct wl_graph *g = fe->g;
    int32_t t = fe->tensor_of_name[name];
    if (t >= 0 && (g->tensors[t].flags & FE_AWAITS) != 0 && g->tensors[t].block == block) {
        g->tensors[t].flags &= ~FE_AWAITS;
        *out = t;
        return WL_OK;
    }
    if (defined_here(fe, name, block)) {
        return duplicate(fe, name, "an output of a node");
    }
    *out = wl_fe_tensor_add(fe, name, WL_TENSOR_ACTIVATION, block);
    if (*out == WL_NONE) {
        return wl_fail_nomem(fe->err);
    }
    return wl_fe_define(fe, name, *out);
}

static wl_status node_outputs(struct wl_fe *fe, const Onnx__NodeProto *np,
                              const struct wl_fe_env *env, int32_t id, int32_t block)
{
    int32_t *ids = wl_arena_alloc(fe->g->arena, np->n_output * sizeof(*ids));
    WL_TRY_PTR(ids, fe->err);
    for (size_t i = 0; i < np->n_output; i++) {
        ids[i] = WL_NONE;
        if (np->output[i][0] == '\0') {
            continue;
        }
        int32_t name = wl_fe_name(fe, env, np->output[i]);
        if (name == WL_NONE) {
            return wl_fail_nomem(fe->err);
        }
        int32_t t;
        WL_TRY(wl_fe_output(fe, name, block, &t));
        fe->g->tensors[t].producer = id;
        ids[i] = t;
    }
    fe->g->nodes[id].outputs = ids;
    fe->g->nodes[id].output_count = (int32_t)np->n_output;
    return WL_OK;
}

static wl_status body_import(struct wl_fe *fe, const Onnx__GraphProto *gp,
                             const struct wl_fe_env *env, int32_t node, int32_t *out);

static wl_status attr_blocks(struct wl_fe *fe, struct wl_fe_arg arg, int32_t node, int type,
                             struct wl_attr *out)
{
    const Onnx__AttributeProto *ap = arg.proto;
    if (type == KIND(GRAPH)) {
        out->type = WL_ATTR_BLOCK;
        if (ap->g == NULL) {
            char where[192];
            return wl_fail(fe->err, WL_ERR_INVALID,
                           wl_node_where(fe->g, node, where, sizeof(where)),
                           "its attribute \"%.60s\" should hold a graph and holds none", ap->name);
        }
        return body_import(fe, ap->g, arg.env, node, &out->u.block);
    }
    int32_t *blocks = WL_ARRAY(fe->g->arena, int32_t, ap->n_graphs);
    WL_TRY_PTR(blocks, fe->err);
    out->type = WL_ATTR_BLOCKS;
    out->count = (int32_t)ap->n_graphs;
    out->u.blocks = blocks;
    for (size_t i = 0; i < ap->n_graphs; i++) {
        WL_TRY(body_import(fe, ap->graphs[i], arg.env, node, &blocks[i]));
    }
    return WL_OK;
}

static wl_status node_attrs(struct wl_fe *fe, const Onnx__NodeProto *np,
                            const struct wl_fe_env *env, int32_t id)
{
    struct wl_attr *attrs = WL_ARRAY(fe->g->arena, struct wl_attr, np->n_attribute);
    WL_TRY_PTR(attrs, fe->err);
    int32_t count = 0;
    for (size_t i = 0; i < np->n_attribute; i++) {
        const char *name = np->attribute[i]->name;
        struct wl_fe_arg arg = wl_fe_arg_resolve(np->attribute[i], env);
        if (arg.proto == NULL || name == NULL) {
            continue;
        }
        struct wl_attr *a = &attrs[count++];
        char *copy = wl_arena_strndup(fe->g->arena, name, strlen(name));
        WL_TRY_PTR(copy, fe->err);
        a->name = wl_str(copy);
        int type = wl_fe_attr_type(arg.proto);
        if (type == KIND(GRAPH) || type == KIND(GRAPHS)) {
            WL_TRY(attr_blocks(fe, arg, id, type, a));
        } else {
            WL_TRY(wl_fe_attr(fe, arg.proto, a));
        }
    }
    fe->g->nodes[id].attrs = attrs;
    fe->g->nodes[id].attr_count = count;
    return WL_OK;
}

static wl_status node_name(struct wl_fe *fe, const Onnx__NodeProto *np, const struct wl_fe_env *env,
                           int32_t id)
{
    struct wl_node *n = &fe->g->nodes[id];
    if (np->name == NULL || np->name[0] == '\0') {
        char number[16];
        int digits = snprintf(number, sizeof(number), "_%d", (int)id);
        size_t len = n->op_type.len + (size_t)digits;
        char *name = wl_arena_alloc(fe->g->arena, len + 1);
        WL_TRY_PTR(name, fe->err);
        memcpy(name, n->op_type.data, n->op_type.len);
        memcpy(name + n->op_type.len, number, (size_t)digits + 1);
        n->name = (struct wl_str){name, len};
        return WL_OK;
    }
    size_t len = strlen(np->name);
    char *name = wl_arena_alloc(fe->g->arena, env->prefix_len + len + 1);
    WL_TRY_PTR(name, fe->err);
    memcpy(name, env->prefix, env->prefix_len);
    memcpy(name + env->prefix_len, np->name, len + 1);
    n->name = (struct wl_str){name, env->prefix_len + len};
    return WL_OK;
}

/* Operators whose newest form has fewer inputs or outputs than an old one had. */
static bool had_more(const struct wl_node *n)
{
    return (n->version < 14 && strcmp(n->op->name, "BatchNormalization") == 0) ||
           (n->version < 6 && strcmp(n->op->name, "Tile") == 0);
}

/* Inputs or outputs in use, trailing omitted ones left out. */
static int32_t count_used(const int32_t *ids, int32_t count, const struct wl_fe *fe, int32_t node)
{
    while (count > 0 && ids[count - 1] == WL_NONE) {
        for (int32_t f = fe->fixup_count - 1; f >= 0 && fe->fixups[f].node == node; f--) {
            if (fe->fixups[f].slot == &ids[count - 1]) {
                return count; /* defined later in the file */
            }
        }
        count--;
    }
    return count;
}

static bool within(int32_t used, int32_t given, struct wl_arity a)
{
    return given >= a.min && (a.max < 0 || used <= a.max);
}

/* Index of an input that the operator needs and the node leaves out; WL_NONE when there is none. */
static int32_t omitted_input(const struct wl_op *op, const Onnx__NodeProto *np)
{
    for (size_t i = 0; i < np->n_input && i < (size_t)op->in.min; i++) {
        if (np->input[i][0] == '\0' && (op->flags & WL_OPF_BLOCKS) == 0) {
            return (int32_t)i;
        }
    }
    return WL_NONE;
}

static void complain_arity(struct wl_fe *fe, int32_t node, const char *what, int32_t given,
                           struct wl_arity a)
{
    char where[192];
    char range[40];
    if (a.max < 0) {
        (void)snprintf(range, sizeof(range), "%d or more", a.min);
    } else if (a.min == a.max) {
        (void)snprintf(range, sizeof(range), "%d", a.min);
    } else {
        (void)snprintf(range, sizeof(range), "%d to %d", a.min, a.max);
    }
    wl_diag_add(fe->g->diags, WL_SEV_ERROR, "arity",
                wl_node_where(fe->g, node, where, sizeof(where)),
                "%d %s given; the operator has %s; the node is ignored", (int)given, what, range);
}

/*
 * A node with inputs or outputs that its operator does not have, or without those that it needs, is
 * no such node: it counts as ignored. Rows of other makers' domains are not held to it: their
 * definitions change with the version of the runtime.
 */
static void check_arity(struct wl_fe *fe, const Onnx__NodeProto *np, int32_t id)
{
    struct wl_node *n = &fe->g->nodes[id];
    const struct wl_op *op = n->op;
    if (op == NULL || strncmp(op->domain, "com.", 4) == 0 || had_more(n)) {
        return;
    }
    int32_t in = count_used(n->inputs, n->input_count, fe, id);
    int32_t out = count_used(n->outputs, n->output_count, fe, id);
    int32_t omitted = omitted_input(op, np);
    char where[192];
    if (!within(in, n->input_count, op->in)) {
        complain_arity(fe, id, "inputs", in, op->in);
    } else if (!within(out, n->output_count, op->out)) {
        complain_arity(fe, id, "outputs", out, op->out);
    } else if (omitted != WL_NONE) {
        wl_diag_add(
            fe->g->diags, WL_SEV_ERROR, "arity", wl_node_where(fe->g, id, where, sizeof(where)),
            "input %d is omitted and the operator needs it; the node is ignored", (int)omitted);
    } else {
        return;
    }
    n->op = NULL;
}

wl_status wl_fe_import_node(struct wl_fe *fe, const Onnx__NodeProto *np,
                            const struct wl_fe_env *env, int32_t block)
{
    if (np->op_type == NULL || np->op_type[0] == '\0') {
        return wl_fail(fe->err, WL_ERR_INVALID, fe->path,
                       "node \"%.100s\" names no operator; each node needs an op_type",
                       np->name == NULL ? "" : np->name);
    }
    if (fe->g->node_count >= fe->node_limit) {
        return wl_fail(fe->err, WL_ERR_LIMIT, fe->path,
                       "inlining the local functions gives more than %d nodes", fe->node_limit);
    }
    const struct wl_fe_op *found = op_find(fe, np, env);
    WL_TRY_PTR(found, fe->err);
    struct wl_fe_op op = *found;
    if (op.fn != NULL) {
        return wl_fe_function_inline(fe, np, op.fn, env, block);
    }
    int32_t id = wl_graph_add_node(fe->g);
    if (id == WL_NONE) {
        return wl_fail_nomem(fe->err);
    }
    struct wl_node *n = &fe->g->nodes[id];
    n->op_type = op.type;
    n->domain = op.domain;
    n->op = op.op;
    n->version = op.version;
    n->block = block;
    WL_TRY(node_name(fe, np, env, id));
    WL_TRY(node_inputs(fe, np, env, id));
    if (np->n_attribute > 0) {
        WL_TRY(node_attrs(fe, np, env, id));
    }
    WL_TRY(node_outputs(fe, np, env, id, block));
    if (op.rules != NULL) {
        WL_TRY(wl_raise_node(fe, op.rules, id));
    }
    check_arity(fe, np, id);
    return wl_fe_block_append(fe, block, id);
}

/* ---- blocks --------------------------------------------------------------------------------- */

/* Resolves what the block, now complete, knows; the rest is left to the outer block. */
static wl_status fixups_resolve(struct wl_fe *fe, int32_t mark, bool last)
{
    int32_t kept = mark;
    for (int32_t i = mark; i < fe->fixup_count; i++) {
        struct wl_fe_fixup f = fe->fixups[i];
        *f.slot = fe->tensor_of_name[f.name];
        if (*f.slot != WL_NONE) {
            fe->unsorted = true;
            continue;
        }
        if (last) {
            char where[192];
            return wl_fail(fe->err, WL_ERR_INVALID,
                           wl_node_where(fe->g, f.node, where, sizeof(where)),
                           "reads tensor \"%.200s\", which nothing defines; it should be an input, "
                           "an initializer or the output of a node",
                           fe->g->names.names[f.name].data);
        }
        fe->fixups[kept++] = f;
    }
    fe->fixup_count = kept;
    return WL_OK;
}

static wl_status outputs_import(struct wl_fe *fe, const Onnx__GraphProto *gp,
                                const struct wl_fe_env *env, int32_t block)
{
    struct wl_graph *g = fe->g;
    int32_t *ids = WL_ARRAY(g->arena, int32_t, gp->n_output);
    WL_TRY_PTR(ids, fe->err);
    for (size_t i = 0; i < gp->n_output; i++) {
        ids[i] = WL_NONE;
        const char *z = gp->output[i]->name;
        if (z == NULL || z[0] == '\0') {
            continue;
        }
        int32_t name = wl_fe_name(fe, env, z);
        if (name == WL_NONE) {
            return wl_fail_nomem(fe->err);
        }
        ids[i] = fe->tensor_of_name[name];
        if (ids[i] == WL_NONE) {
            return wl_fail(fe->err, WL_ERR_INVALID, fe->path,
                           "output \"%.200s\" of graph \"%.100s\" is a tensor that nothing "
                           "defines; it should be the output of a node",
                           z, gp->name == NULL ? "" : gp->name);
        }
        if (block == 0 && is_kv_name(wl_tensor_name(g, ids[i]))) {
            g->tensors[ids[i]].flags |= WL_TENSOR_IS_KV;
        }
    }
    g->blocks[block].outputs = ids;
    g->blocks[block].output_count = (int32_t)gp->n_output;
    return WL_OK;
}

static wl_status block_begin(struct wl_fe *fe, const Onnx__GraphProto *gp,
                             const struct wl_fe_env *env, int32_t node, int32_t *out)
{
    struct wl_graph *g = fe->g;
    int32_t block = wl_graph_add_block(g);
    if (block == WL_NONE) {
        return wl_fail_nomem(fe->err);
    }
    const char *name = gp->name == NULL ? "" : gp->name;
    char *copy = wl_arena_strndup(g->arena, name, strlen(name));
    WL_TRY_PTR(copy, fe->err);
    g->blocks[block].name = wl_str(copy);
    g->blocks[block].parent_node = node;
    g->blocks[block].parent_block = node == WL_NONE ? WL_NONE : g->nodes[node].block;
    WL_TRY(wl_fe_declare(fe, env, gp->n_value_info, gp->value_info));
    WL_TRY(wl_fe_declare(fe, env, gp->n_output, gp->output));
    WL_TRY(initializers_import(fe, gp, env, block));
    WL_TRY(inputs_import(fe, gp, env, block));
    *out = block;
    return WL_OK;
}

static wl_status body_import(struct wl_fe *fe, const Onnx__GraphProto *gp,
                             const struct wl_fe_env *env, int32_t node, int32_t *out)
{
    if (fe->depth >= WL_SCAN_DEPTH_MAX) {
        return wl_fail(fe->err, WL_ERR_LIMIT, fe->path,
                       "graphs and functions are nested deeper than %d", WL_SCAN_DEPTH_MAX);
    }
    fe->depth++;
    int32_t undo_mark = fe->undo_count;
    int32_t fixup_mark = fe->fixup_count;
    WL_TRY(block_begin(fe, gp, env, node, out));
    for (size_t i = 0; i < gp->n_node; i++) {
        WL_TRY(wl_fe_import_node(fe, gp->node[i], env, *out));
    }
    WL_TRY(fixups_resolve(fe, fixup_mark, false));
    WL_TRY(outputs_import(fe, gp, env, *out));
    scope_close(fe, undo_mark);
    fe->depth--;
    return WL_OK;
}

/* ---- the main graph ------------------------------------------------------------------------- */

static void *unpack_alloc(void *data, size_t size)
{
    return wl_arena_alloc(data, size);
}

static void unpack_free(void *data, void *pointer)
{
    (void)data;
    (void)pointer;
}

static wl_status main_nodes(struct wl_fe *fe, const struct wl_fe_env *env)
{
    ProtobufCAllocator allocator = {unpack_alloc, unpack_free, &fe->shell};
    for (int32_t i = 0; i < fe->scan.node_count; i++) {
        struct wl_arena_mark mark = wl_arena_mark(&fe->shell);
        Onnx__NodeProto *np = onnx__node_proto__unpack(&allocator, fe->scan.spans[i].bytes,
                                                       wl_scan_node(&fe->scan, i));
        if (np == NULL) {
            return wl_fail(fe->err, WL_ERR_PARSE, fe->path,
                           "node %d of the graph is damaged, or needs too much memory", (int)i);
        }
        int32_t blocks = fe->g->block_count;
        WL_TRY(wl_fe_import_node(fe, np, env, 0));
        if (fe->g->block_count == blocks) {
            wl_arena_reset(&fe->shell, mark); /* declared types of bodies point into it */
        }
    }
    return WL_OK;
}

static wl_status opsets_import(struct wl_fe *fe)
{
    const Onnx__ModelProto *m = fe->model;
    struct wl_graph *g = fe->g;
    if (m->n_opset_import == 0 && m->has_ir_version && m->ir_version >= 3) {
        return wl_fail(fe->err, WL_ERR_PARSE, fe->path,
                       "the model imports no operator set; expected opset_import (truncated?)");
    }
    if (m->n_opset_import > OPSETS_MAX) {
        return wl_fail(fe->err, WL_ERR_LIMIT, fe->path,
                       "the model imports more than %d operator sets; models import a few",
                       OPSETS_MAX);
    }
    g->opsets = WL_ARRAY(g->arena, struct wl_opset, m->n_opset_import);
    WL_TRY_PTR(g->opsets, fe->err);
    for (size_t i = 0; i < m->n_opset_import; i++) {
        const char *domain = m->opset_import[i]->domain == NULL ? "" : m->opset_import[i]->domain;
        char *copy = wl_arena_strndup(g->arena, domain, strlen(domain));
        WL_TRY_PTR(copy, fe->err);
        g->opsets[i] = (struct wl_opset){wl_str(copy), m->opset_import[i]->version};
    }
    g->opset_count = (int32_t)m->n_opset_import;
    g->ir_version = m->ir_version;
    const char *producer = m->producer_name == NULL ? "" : m->producer_name;
    const char *version = m->producer_version == NULL ? "" : m->producer_version;
    char *full =
        wl_arena_printf(g->arena, "%s%s%s", producer, version[0] == '\0' ? "" : " ", version);
    WL_TRY_PTR(full, fe->err);
    g->producer = wl_str(full);
    return WL_OK;
}

wl_status wl_fe_import(struct wl_fe *fe)
{
    const Onnx__ModelProto *m = fe->model;
    WL_TRY(opsets_import(fe));
    WL_TRY(wl_fe_functions_index(fe));
    struct wl_fe_env env = {
        .prefix = "", .opsets = m->opset_import, .opset_count = m->n_opset_import};
    int32_t block;
    WL_TRY(block_begin(fe, m->graph, &env, WL_NONE, &block));
    fe->g->name = fe->g->blocks[0].name;
    WL_TRY(main_nodes(fe, &env));
    WL_TRY(fixups_resolve(fe, 0, true));
    return outputs_import(fe, m->graph, &env, 0);
}
