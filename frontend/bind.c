/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frontend/bind.c: --batch and --dim.
 *
 * The batch symbol is the symbolic first dimension of the first input that no initializer fills; it
 * is 1 unless bound. Where that dimension is a number, the model was exported with a fixed batch:
 * --batch then rewrites the first dimension of every input that has the old batch there, and shapes
 * are inferred again. A Reshape whose target is a constant of the file carries the old batch in it.
 * Its rows are row-major, so the batch axis of the input lands on the output axis with the same
 * product of extents before it; the target is rewritten when that axis exists and is a multiple of
 * the old batch, otherwise the node is named in an error.
 */
#include <stdio.h>
#include <string.h>

#include "frontend_priv.h"

#define DIM_CASE(x) ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_##x

/* ---- the batch ------------------------------------------------------------------------------ */

/* First input that no initializer fills; NULL when there is none. */
static wl_status first_input(struct wl_fe *fe, const Onnx__ValueInfoProto **out)
{
    const Onnx__GraphProto *gp = fe->model->graph;
    struct wl_strmap stored;
    *out = NULL;
    if (wl_strmap_init(&stored, &fe->work) != WL_OK) {
        return wl_fail_nomem(fe->err);
    }
    for (size_t i = 0; i < gp->n_initializer && gp->n_input > 0; i++) {
        const char *name = gp->initializer[i]->name;
        if (name != NULL && wl_strmap_add_static(&stored, wl_str(name)) == WL_NONE) {
            return wl_fail_nomem(fe->err);
        }
    }
    for (size_t i = 0; i < gp->n_input && *out == NULL; i++) {
        const char *name = gp->input[i]->name;
        if (name != NULL && wl_strmap_find(&stored, wl_str(name)) == WL_NONE) {
            *out = gp->input[i];
        }
    }
    return WL_OK;
}

static const struct wl_dim_binding *binding_of(const struct wl_dim_binding *list, int32_t count,
                                               const char *name)
{
    for (int32_t i = 0; i < count; i++) {
        if (strcmp(list[i].name, name) == 0) {
            return &list[i];
        }
    }
    return NULL;
}

static wl_status bind_symbol(struct wl_fe *fe, const char *symbol)
{
    const struct wl_frontend_options *opt = fe->opt;
    char *copy = wl_arena_strndup(fe->g->arena, symbol, strlen(symbol));
    WL_TRY_PTR(copy, fe->err);
    fe->g->batch_symbol = copy;
    const struct wl_dim_binding *given = binding_of(opt->dims, opt->dim_count, symbol);
    if (given != NULL && opt->batch > 0 && given->value != opt->batch) {
        return wl_fail(fe->err, WL_ERR_USAGE, fe->path,
                       "--batch %lld and --dim %s=%lld contradict each other, '%s' is the batch; "
                       "give one of them",
                       (long long)opt->batch, symbol, (long long)given->value, symbol);
    }
    if (opt->batch > 0) {
        wl_dim_bind(&fe->g->dims, copy, opt->batch);
        return WL_OK;
    }
    if (given == NULL && !opt->keep_symbolic) {
        const struct wl_dim_binding *fallback =
            binding_of(opt->default_dims, opt->default_dim_count, symbol);
        wl_dim_bind(&fe->g->dims, copy, fallback == NULL ? 1 : fallback->value);
    }
    return WL_OK;
}

static wl_status bind_batch(struct wl_fe *fe)
{
    const struct wl_frontend_options *opt = fe->opt;
    const Onnx__ValueInfoProto *vi;
    WL_TRY(first_input(fe, &vi));
    struct wl_fe_type type = wl_fe_type_read(vi == NULL ? NULL : vi->type);
    if (type.shape == NULL || type.shape->n_dim == 0) {
        if (opt->batch > 1) {
            return wl_fail(fe->err, WL_ERR_USAGE, fe->path,
                           "--batch %lld, but the model has no batch dimension; leave --batch out",
                           (long long)opt->batch);
        }
        return WL_OK;
    }
    const Onnx__TensorShapeProto__Dimension *d = type.shape->dim[0];
    if (d->value_case == DIM_CASE(DIM_VALUE)) {
        if (opt->batch > 0 && opt->batch != d->dim_value && d->dim_value > 0) {
            fe->old_batch = d->dim_value;
        }
        return WL_OK;
    }
    if (d->value_case == DIM_CASE(DIM_PARAM) && d->dim_param != NULL && d->dim_param[0] != '\0' &&
        strcmp(d->dim_param, "?") != 0) {
        return bind_symbol(fe, d->dim_param);
    }
    wl_diag_add(fe->g->diags, WL_SEV_INFO, "assumed-batch", vi->name == NULL ? "" : vi->name,
                "its unnamed first dimension is taken as the batch, 'batch'");
    return bind_symbol(fe, "batch");
}

wl_status wl_fe_bind(struct wl_fe *fe)
{
    const struct wl_frontend_options *opt = fe->opt;
    if (opt->batch < 0) {
        return wl_fail(fe->err, WL_ERR_USAGE, fe->path, "--batch %lld; it should be 1 or more",
                       (long long)opt->batch);
    }
    for (int32_t i = 0; i < opt->dim_count; i++) {
        const struct wl_dim_binding *d = &opt->dims[i];
        if (d->value < 0) {
            return wl_fail(fe->err, WL_ERR_USAGE, fe->path,
                           "--dim %s=%lld; a dimension should be 1 or more", d->name,
                           (long long)d->value);
        }
        wl_dim_bind(&fe->g->dims, d->name, d->value);
    }
    for (int32_t i = 0; i < opt->default_dim_count && !opt->keep_symbolic; i++) {
        const struct wl_dim_binding *d = &opt->default_dims[i];
        if (binding_of(opt->dims, opt->dim_count, d->name) == NULL) {
            wl_dim_bind(&fe->g->dims, d->name, d->value);
        }
    }
    return bind_batch(fe);
}

/* ---- what was bound against what there is ---------------------------------------------------- */

/* The model's own dimension names, for messages: "N, T". */
static void list_symbols(const struct wl_fe *fe, char *out, size_t size)
{
    size_t at = 0;
    out[0] = '\0';
    for (int32_t i = 0; i < fe->g->dims.symbol_count && at + 64 < size; i++) {
        const struct wl_symbol *s = &fe->g->dims.symbols[i];
        if (s->used) {
            int n = snprintf(out + at, size - at, "%s%.60s", at == 0 ? "" : ", ", s->name);
            at += n > 0 ? (size_t)n : 0;
            at = at < size ? at : size - 1;
        }
    }
}

static wl_status check_names(struct wl_fe *fe)
{
    char names[512];
    for (int32_t i = 0; i < fe->opt->dim_count; i++) {
        const char *name = fe->opt->dims[i].name;
        int32_t s = wl_dim_find_symbol(&fe->g->dims, name);
        if (s != WL_NONE && fe->g->dims.symbols[s].used) {
            continue;
        }
        list_symbols(fe, names, sizeof(names));
        return wl_fail(fe->err, WL_ERR_USAGE, fe->path,
                       "--dim %.60s: the model has no dimension of that name; %s%s", name,
                       names[0] == '\0' ? "all its dimensions are fixed" : "it has: ", names);
    }
    return WL_OK;
}

/* Adds the names of unbound dims of inputs, each once. Returns how many. */
static int list_unbound(struct wl_fe *fe, char *names, size_t names_size, char *options,
                        size_t options_size)
{
    struct wl_graph *g = fe->g;
    struct wl_buf text;
    int count = 0;
    size_t at = 0;
    size_t option_at = 0;
    int32_t *seen = WL_ARRAY(&fe->work, int32_t, g->dims.expr_count + 1);
    names[0] = options[0] = '\0';
    for (int32_t i = 0; i < g->blocks[0].input_count && seen != NULL; i++) {
        const struct wl_tensor *t = &g->tensors[g->blocks[0].inputs[i]];
        for (int32_t k = 0; k < (t->rank == WL_NONE ? 0 : t->rank); k++) {
            if (!wl_dim_is_symbolic(t->dims[k]) || seen[t->dims[k].expr]++ > 0 ||
                at + 80 > names_size || option_at + 96 > options_size) {
                continue;
            }
            wl_buf_init(&text);
            wl_dim_print(&g->dims, t->dims[k], &text);
            const char *z = text.data == NULL ? "?" : text.data;
            at += (size_t)snprintf(names + at, names_size - at, "%s'%.60s'", count == 0 ? "" : ", ",
                                   z);
            option_at += (size_t)snprintf(options + option_at, options_size - option_at,
                                          " --dim '%.60s=128'", z);
            wl_buf_done(&text);
            count++;
        }
    }
    return count;
}

/* What the user has bound already, to be repeated in the command that would work. */
static void list_given(const struct wl_fe *fe, char *out, size_t size)
{
    size_t at = 0;
    out[0] = '\0';
    if (fe->opt->batch > 0) {
        at = (size_t)snprintf(out, size, " --batch %lld", (long long)fe->opt->batch);
    }
    for (int32_t i = 0; i < fe->opt->dim_count && at + 96 < size; i++) {
        at += (size_t)snprintf(out + at, size - at, " --dim '%.60s=%lld'", fe->opt->dims[i].name,
                               (long long)fe->opt->dims[i].value);
    }
}

wl_status wl_fe_bind_check(struct wl_fe *fe)
{
    char names[256];
    char options[320];
    char given[200];
    WL_TRY(check_names(fe));
    if (fe->opt->keep_symbolic) {
        return WL_OK;
    }
    int count = list_unbound(fe, names, sizeof(names), options, sizeof(options));
    if (count == 0) {
        return WL_OK;
    }
    list_given(fe, given, sizeof(given));
    return wl_fail(
        fe->err, WL_ERR_USAGE, fe->path,
        "dimension%s %s of its inputs %s not bound; for example: wattline analyze %.160s "
        "--hw intel_xeon_8490h%s%s",
        count == 1 ? "" : "s", names, count == 1 ? "is" : "are", fe->path, given, options);
}

/* ---- re-batching ---------------------------------------------------------------------------- */

wl_status wl_fe_rebatch_inputs(struct wl_fe *fe)
{
    struct wl_graph *g = fe->g;
    fe->new_batch = fe->opt->batch;
    for (int32_t i = 0; i < g->blocks[0].input_count; i++) {
        struct wl_tensor *t = &g->tensors[g->blocks[0].inputs[i]];
        if (t->rank < 1 || !wl_dim_is(t->dims[0], fe->old_batch)) {
            continue;
        }
        struct wl_dim *dims = /* the old ones are shared with other tensors */
            wl_arena_copy(g->arena, t->dims, (size_t)t->rank * sizeof(*dims));
        WL_TRY_PTR(dims, fe->err);
        dims[0] = wl_dim_known(fe->new_batch);
        t->dims = dims;
    }
    return WL_OK;
}

/* The Reshape's data and target, when it is one with a constant target. */
static bool is_const_reshape(const struct wl_graph *g, int32_t node, int32_t *data, int32_t *target)
{
    const struct wl_node *n = &g->nodes[node];
    if (n->op == NULL || n->op->domain[0] != '\0' || strcmp(n->op->name, "Reshape") != 0) {
        return false;
    }
    *data = wl_node_input(n, 0);
    *target = wl_node_input(n, 1);
    return *data != WL_NONE && *target != WL_NONE && n->output_count > 0 &&
           n->outputs[0] != WL_NONE && wl_tensor_is_constant(&g->tensors[*target]) &&
           g->tensors[*target].value != NULL;
}

static bool all_known(const struct wl_tensor *t)
{
    for (int32_t i = 0; i < t->rank; i++) {
        if (!wl_dim_is_known(t->dims[i])) {
            return false;
        }
    }
    return t->rank != WL_NONE;
}

wl_status wl_fe_rebatch_note(struct wl_fe *fe, int32_t node)
{
    const struct wl_graph *g = fe->g;
    int32_t data;
    int32_t target;
    if (!is_const_reshape(g, node, &data, &target)) {
        return WL_OK;
    }
    const struct wl_tensor *out = &g->tensors[g->nodes[node].outputs[0]];
    const struct wl_tensor *in = &g->tensors[data];
    if (!all_known(out) || !all_known(in)) {
        return WL_OK;
    }
    if (fe->reshape_of == NULL) {
        fe->reshape_of = WL_ARRAY(&fe->work, int32_t, g->node_count);
        WL_TRY_PTR(fe->reshape_of, fe->err);
    }
    if (wl_arena_reserve(&fe->work, (void **)&fe->reshapes, &fe->reshape_capacity,
                         fe->reshape_count + 1, sizeof(*fe->reshapes)) != WL_OK) {
        return wl_fail_nomem(fe->err);
    }
    fe->reshapes[fe->reshape_count++] =
        (struct wl_fe_reshape){in->rank, out->rank, in->dims, out->dims};
    fe->reshape_of[node] = fe->reshape_count; /* plus one: 0 is none */
    return WL_OK;
}

static wl_status rebatch_fail(struct wl_fe *fe, int32_t node)
{
    char where[192];
    return wl_fail(fe->err, WL_ERR_USAGE, wl_node_where(fe->g, node, where, sizeof(where)),
                   "its constant target shape has batch %lld built in and cannot be rewritten for "
                   "--batch %lld; export the model with a dynamic batch",
                   (long long)fe->old_batch, (long long)fe->new_batch);
}

/* The axis of the input that carries the batch: WL_NONE when none changed, -2 when unclear. */
static int32_t batch_axis(const struct wl_fe *fe, const struct wl_fe_reshape *r,
                          const struct wl_tensor *in)
{
    int32_t axis = WL_NONE;
    for (int32_t i = 0; i < in->rank; i++) {
        int64_t before = r->in[i].value;
        int64_t now = in->dims[i].value;
        int64_t a;
        int64_t b;
        if (before == now) {
            continue;
        }
        if (axis != WL_NONE || !wl_mul_i64(before, fe->new_batch, &a) ||
            !wl_mul_i64(now, fe->old_batch, &b) || a != b) {
            return -2;
        }
        axis = i;
    }
    return axis;
}

/* What the output should be with the new batch; false when that cannot be shown. */
static bool rebatched_dims(const struct wl_fe *fe, const struct wl_fe_reshape *r, int32_t axis,
                           int64_t *dims)
{
    int64_t before = 1;
    for (int32_t i = 0; i < axis; i++) {
        if (!wl_mul_i64(before, r->in[i].value, &before)) {
            return false;
        }
    }
    int64_t product = 1;
    int32_t at = 0;
    while (at < r->out_rank && product != before) {
        if (!wl_mul_i64(product, r->out[at++].value, &product)) {
            return false;
        }
    }
    if (product != before || at == r->out_rank) {
        return false;
    }
    for (int32_t i = 0; i < r->out_rank; i++) {
        dims[i] = r->out[i].value;
    }
    return dims[at] % fe->old_batch == 0 &&
           wl_mul_i64(dims[at] / fe->old_batch, fe->new_batch, &dims[at]);
}

/* Does the target as it stands give these dims? 0 copies the input's, one -1 is what is left. */
static bool target_gives(const struct wl_value *target, const struct wl_tensor *in,
                         const int64_t *dims, int32_t rank)
{
    if (target->is_float || target->count != rank) {
        return false;
    }
    for (int32_t i = 0; i < rank; i++) {
        if (!wl_dim_is_known(target->ints[i])) {
            return false;
        }
        int64_t v = target->ints[i].value;
        bool copies = v == 0 && i < in->rank && in->dims[i].value == dims[i];
        if (v != dims[i] && v != -1 && !copies) {
            return false;
        }
    }
    return true;
}

wl_status wl_fe_rebatch_adapt(struct wl_fe *fe, int32_t node)
{
    struct wl_graph *g = fe->g;
    int32_t data;
    int32_t target;
    if (fe->reshape_of == NULL || fe->reshape_of[node] == 0 ||
        !is_const_reshape(g, node, &data, &target)) {
        return WL_OK;
    }
    const struct wl_fe_reshape *r = &fe->reshapes[fe->reshape_of[node] - 1];
    const struct wl_tensor *in = &g->tensors[data];
    int64_t dims[WL_RANK_MAX];
    if (in->rank != r->in_rank || !all_known(in)) {
        return WL_OK;
    }
    int32_t axis = batch_axis(fe, r, in);
    if (axis == WL_NONE) {
        return WL_OK;
    }
    if (axis < 0 || !rebatched_dims(fe, r, axis, dims)) {
        return rebatch_fail(fe, node);
    }
    if (target_gives(g->tensors[target].value, in, dims, r->out_rank)) {
        return WL_OK;
    }
    int32_t shape = wl_fe_const_ints(fe, node, "shape", dims, r->out_rank, false);
    const struct wl_node *n = &g->nodes[node];
    int32_t *inputs = wl_arena_copy(g->arena, n->inputs, (size_t)n->input_count * sizeof(*inputs));
    if (shape == WL_NONE || inputs == NULL) {
        return wl_fail_nomem(fe->err);
    }
    inputs[1] = shape;
    g->nodes[node].inputs = inputs;
    return WL_OK;
}

/* Do two inputs of a Concat differ in an axis along which they are not joined? */
static bool concat_conflict(const struct wl_graph *g, const struct wl_node *n)
{
    if (n->op == NULL || n->op->domain[0] != '\0' || strcmp(n->op->name, "Concat") != 0) {
        return false;
    }
    const struct wl_tensor *first = NULL;
    for (int32_t i = 0; i < n->input_count; i++) {
        const struct wl_tensor *t = n->inputs[i] == WL_NONE ? NULL : &g->tensors[n->inputs[i]];
        if (t == NULL || t->rank < 1 || (first != NULL && t->rank != first->rank)) {
            return false;
        }
        first = first == NULL ? t : first;
        int64_t axis = wl_node_attr_int(n, "axis", 0);
        axis += axis < 0 ? t->rank : 0;
        for (int32_t k = 0; k < t->rank; k++) {
            if (k != axis && wl_dim_ne(t->dims[k], first->dims[k])) {
                return true;
            }
        }
    }
    return false;
}

wl_status wl_fe_rebatch_conflict(struct wl_fe *fe, int32_t node, bool complained)
{
    struct wl_graph *g = fe->g;
    if (fe->conflicts == NULL) {
        fe->conflicts = WL_ARRAY(&fe->work, bool, g->node_count);
        WL_TRY_PTR(fe->conflicts, fe->err);
    }
    bool joined = concat_conflict(g, &g->nodes[node]);
    if (fe->new_batch == 0) {
        fe->conflicts[node] = complained || joined;
        return WL_OK;
    }
    bool said = complained && g->diags->count > 0 &&
                strcmp(g->diags->items[g->diags->count - 1].code, "shape-conflict") == 0;
    if (fe->conflicts[node] || (!said && !joined)) {
        return WL_OK;
    }
    char where[192];
    return wl_fail(fe->err, WL_ERR_USAGE, wl_node_where(g, node, where, sizeof(where)),
                   "its inputs do not fit together with --batch %lld: a constant of the file has "
                   "batch %lld built in; export the model with a dynamic batch",
                   (long long)fe->new_batch, (long long)fe->old_batch);
}

void wl_fe_rebatch_check(struct wl_fe *fe)
{
    const struct wl_graph *g = fe->g;
    for (int32_t i = 0; i < g->blocks[0].output_count; i++) {
        int32_t id = g->blocks[0].outputs[i];
        if (id == WL_NONE || wl_tensor_is_constant(&g->tensors[id])) {
            continue;
        }
        const struct wl_tensor *t = &g->tensors[id];
        if (t->rank > 0 && wl_dim_is(t->dims[0], fe->old_batch)) {
            wl_diag_add(g->diags, WL_SEV_WARNING, "batch-lost", wl_fe_tensor_z(fe, id),
                        "its first dimension stays %lld although the batch is %lld: a constant of "
                        "the file fixes it",
                        (long long)fe->old_batch, (long long)fe->new_batch);
        }
    }
}
