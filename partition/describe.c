/* SPDX-License-Identifier: Apache-2.0 */
/*
 * partition/describe.c: groups -> subgraph descriptors. Operands are root tensors, each once per
 * subgraph; an operand's elements are what one execution reads or writes. Work is that of all
 * executions together.
 *
 * Constants count as weights, but for the small integer and boolean ones that only carry shapes,
 * axes and indices. A weight stored quantised is itself the operand, with its scale and zero point.
 */
#include <string.h>

#include "partition_priv.h"

struct pool {
    struct wl_operand *items;
    int32_t count;
};

struct describer {
    struct run *r;
    struct pool inputs, outputs, weights, internal;
    struct wl_product *products;
    int32_t product_count;
    int32_t *mark; /* by root tensor: last group that has it, plus 1 */
    int32_t *slot; /* by root tensor: its place in the pool of that group */
    bool *outside; /* by root tensor: another group reads it */
    struct wl_strmap names, patterns;
};

/* ---- sizes ----------------------------------------------------------------------------------- */

static wl_status fail_unbound(struct run *r, int32_t node, struct wl_dim d)
{
    char where[192];
    struct wl_buf text;
    wl_buf_init(&text);
    wl_dim_print(&r->g->dims, d, &text);
    wl_status status =
        wl_fail(r->err, WL_ERR_USAGE, wl_node_where(r->g, node, where, sizeof(where)),
                "its work depends on %.200s, which is not bound; --dim NAME=N for "
                "each of its symbols would be right",
                text.data == NULL ? "a dimension" : text.data);
    wl_buf_done(&text);
    return status;
}

/* Sizes that depend on data count at their upper bound, and as 0 where they have none. */
static void note_bound(struct run *r, int32_t node, bool bounded)
{
    char where[192];
    if (r->g->diags == NULL) {
        return;
    }
    (void)wl_node_where(r->g, node, where, sizeof(where));
    if (bounded) {
        wl_diag_add(r->g->diags, WL_SEV_INFO, "data-dependent-size", where,
                    "its size depends on data; it is counted at its upper bound");
    } else {
        wl_diag_add(r->g->diags, WL_SEV_WARNING, "unknown-size", where,
                    "its size is not known; its work and traffic are not counted in full");
    }
}

static wl_status value_of(struct run *r, int32_t node, struct wl_dim d, int64_t *out)
{
    bool unbound;
    if (wl_dim_is_known(d)) {
        *out = d.value;
        return WL_OK;
    }
    bool bounded = wl_dim_at_most(&r->g->dims, d, out, &unbound);
    if (unbound) {
        return fail_unbound(r, node, d);
    }
    *out = bounded ? wl_max_i64(*out, 0) : 0;
    note_bound(r, node, bounded);
    return WL_OK;
}

static wl_status fail_size(struct run *r, int32_t node)
{
    char where[192];
    return wl_fail(r->err, WL_ERR_LIMIT, wl_node_where(r->g, node, where, sizeof(where)),
                   "its size or work exceeds 2^63; smaller dimensions would be right");
}

/* Why the element count of a tensor is not known. */
static wl_status unknown_elems(struct run *r, int32_t node, const struct wl_tensor *t)
{
    bool all_known = t->rank > 0;
    for (int32_t i = 0; i < t->rank; i++) {
        int64_t value;
        bool unbound;
        bool known = wl_dim_at_most(&r->g->dims, t->dims[i], &value, &unbound);
        if (unbound) {
            return fail_unbound(r, node, t->dims[i]);
        }
        all_known = all_known && known;
    }
    if (all_known) {
        return fail_size(r, node); /* the product is too large */
    }
    if (t->type_kind != WL_TYPE_OPAQUE && t->type_kind != WL_TYPE_MAP) {
        note_bound(r, node, false);
    }
    return WL_OK;
}

static wl_status elems_of(struct run *r, int32_t node, int32_t tensor, int64_t *out)
{
    const struct wl_tensor *t = &r->g->tensors[tensor];
    int64_t elems = wl_partition_elems(r, tensor);
    bool sequence = t->type_kind == WL_TYPE_SEQUENCE || t->type_kind == WL_TYPE_OPTIONAL_SEQUENCE;
    if (elems < 0) {
        elems = 0;
        WL_TRY(unknown_elems(r, node, t));
    }
    if (sequence && wl_dim_is_known(t->length) && !wl_mul_i64(elems, t->length.value, &elems)) {
        return fail_size(r, node);
    }
    *out = elems;
    return WL_OK;
}

/* ---- operands -------------------------------------------------------------------------------- */

static bool is_weight(const struct wl_tensor *t, int64_t elems)
{
    bool shape = (t->dtype == WL_DT_INT64 || t->dtype == WL_DT_BOOL || t->dtype == WL_DT_STRING) &&
                 elems <= WL_SHAPE_ELEMS_MAX;
    return elems > 0 && !shape;
}

static void add_operand(struct describer *d, struct pool *pool, int32_t group, int32_t root,
                        int64_t elems)
{
    if (d->mark[root] != group + 1) {
        d->mark[root] = group + 1;
        d->slot[root] = pool->count;
        pool->items[pool->count++] = (struct wl_operand){root, elems};
        return;
    }
    struct wl_operand *o = &pool->items[d->slot[root]];
    o->elems = wl_max_i64(o->elems, elems);
}

static wl_status add_input(struct describer *d, int32_t group, int32_t node, int32_t tensor,
                           int64_t partial)
{
    struct run *r = d->r;
    int32_t root = r->root[tensor];
    int32_t p = wl_partition_producer(r, root);
    int64_t elems;
    if (p != WL_NONE && r->group[p] == group) {
        return WL_OK;
    }
    WL_TRY(elems_of(r, node, r->elems[root] < 0 ? tensor : root, &elems));
    if (partial >= 0) {
        elems = wl_min_i64(partial, elems);
    }
    const struct wl_tensor *t = &r->g->tensors[root];
    bool stored = wl_tensor_is_constant(t) || wl_tensor_is_constant(&r->g->tensors[tensor]);
    if (stored && is_weight(t, elems)) {
        add_operand(d, &d->weights, group, root, elems);
    } else if (!stored && !wl_partition_is_shape(t)) {
        add_operand(d, &d->inputs, group, root, elems);
    }
    return WL_OK;
}

/* The DequantizeLinear behind a tensor, through views: WL_NONE where it stands for itself. */
static int32_t dequantizer(const struct run *r, int32_t tensor)
{
    for (int steps = 0; r->root[tensor] != tensor && steps < 64; steps++) {
        int32_t n = r->g->tensors[tensor].producer;
        if (n == WL_NONE || r->exec[n] == EXEC_RUN || r->exec[n] == EXEC_CONTROL) {
            return WL_NONE;
        }
        if (r->prim[n] == PRIM_DEQUANTIZE) {
            return n;
        }
        tensor = r->g->nodes[n].inputs[0];
    }
    return WL_NONE;
}

static wl_status add_inputs(struct describer *d, int32_t group, int32_t node)
{
    struct run *r = d->r;
    const struct wl_node *n = &r->g->nodes[node];
    const struct wl_work *w = &r->g->work[node];
    for (int32_t i = 0; i < n->input_count; i++) {
        int32_t t = n->inputs[i];
        int64_t partial = -1;
        if (t == WL_NONE) {
            continue;
        }
        if (i == w->partial_input) {
            WL_TRY(value_of(r, node, w->partial_elems, &partial));
        }
        WL_TRY(add_input(d, group, node, t, partial));
        int32_t dq = dequantizer(r, t);
        for (int32_t k = 1; dq != WL_NONE && k < r->g->nodes[dq].input_count; k++) {
            int32_t scale = r->g->nodes[dq].inputs[k];
            if (scale != WL_NONE) {
                WL_TRY(add_input(d, group, dq, scale, -1));
            }
        }
    }
    return WL_OK;
}

static wl_status add_outputs(struct describer *d, int32_t group, int32_t node)
{
    struct run *r = d->r;
    const struct wl_node *n = &r->g->nodes[node];
    for (int32_t i = 0; i < n->output_count; i++) {
        int32_t t = n->outputs[i];
        int64_t elems;
        if (t == WL_NONE) {
            continue;
        }
        int32_t root = r->root[t];
        bool leaves = d->outside[root] || r->escapes[root] != 0;
        bool unread = !leaves && r->g->tensors[t].consumer_count == 0;
        if (unread && i > 0) {
            continue; /* an optional result that nobody asked for */
        }
        WL_TRY(elems_of(r, node, t, &elems));
        add_operand(d, leaves || unread ? &d->outputs : &d->internal, group, root, elems);
    }
    return WL_OK;
}

/* ---- products -------------------------------------------------------------------------------- */

/* The n-th input that is a matrix or more; WL_NONE where there are fewer. */
static int32_t matrix_input(const struct run *r, const struct wl_node *n, int32_t nth)
{
    for (int32_t i = 0; i < n->input_count; i++) {
        int32_t t = n->inputs[i];
        if (t == WL_NONE || (n->input_count > 2 && r->g->tensors[t].rank < 2)) {
            continue;
        }
        if (nth-- == 0) {
            return t;
        }
    }
    return WL_NONE;
}

/* Operands of product `k` of a node. Later products of one node read what the first ones made. */
static void product_operands(const struct run *r, int32_t node, int32_t k, struct wl_product *p)
{
    const struct wl_node *n = &r->g->nodes[node];
    int32_t first = matrix_input(r, n, 0);
    int32_t second = matrix_input(r, n, 1);
    bool projects = second != WL_NONE && wl_partition_is_constant(r, second);
    p->left = WL_NONE;
    p->right = WL_NONE;
    if (k == 0) {
        p->left = first;
        p->right = second;
    } else if (n->op != NULL && n->op->kind == WL_OPK_RECURRENT) {
        p->right = matrix_input(r, n, k + 1);
    } else if (k == 1 && !projects) {
        p->right = matrix_input(r, n, 2);
    }
}

static int32_t outside_root(const struct run *r, int32_t tensor, int32_t group)
{
    if (tensor == WL_NONE) {
        return WL_NONE;
    }
    int32_t p = wl_partition_producer(r, tensor);
    return p != WL_NONE && r->group[p] == group ? WL_NONE : r->root[tensor];
}

static wl_status add_products(struct describer *d, int32_t group, int32_t node)
{
    struct run *r = d->r;
    const struct wl_work *w = &r->g->work[node];
    const struct wl_op *op = r->g->nodes[node].op;
    for (int32_t k = 0; k < w->gemm_count; k++) {
        struct wl_product *p = &d->products[d->product_count++];
        *p = (struct wl_product){.node = node, .integer = w->integer_macs};
        WL_TRY(value_of(r, node, w->gemms[k].g, &p->g));
        WL_TRY(value_of(r, node, w->gemms[k].m, &p->m));
        WL_TRY(value_of(r, node, w->gemms[k].n, &p->n));
        WL_TRY(value_of(r, node, w->gemms[k].k, &p->k));
        product_operands(r, node, k, p);
        p->left = outside_root(r, p->left, group);
        p->right = outside_root(r, p->right, group);
        p->window = op != NULL && op->kind == WL_OPK_CONV ? w->window : NULL;
    }
    return WL_OK;
}

/* ---- work ------------------------------------------------------------------------------------ */

static wl_status add_scaled(struct run *r, int32_t node, struct wl_dim amount, int64_t repeat,
                            int64_t *sum)
{
    int64_t value;
    WL_TRY(value_of(r, node, amount, &value));
    if (!wl_mul_i64(value, repeat, &value) || !wl_add_i64(*sum, value, sum)) {
        return fail_size(r, node);
    }
    return WL_OK;
}

static wl_status add_work(struct run *r, int32_t node, struct wl_subgraph *s)
{
    const struct wl_work *w = &r->g->work[node];
    int64_t steps;
    WL_TRY(add_scaled(r, node, w->macs, s->repeat, &s->macs));
    for (int32_t k = 0; k < WL_WORK_COUNT; k++) {
        WL_TRY(add_scaled(r, node, w->ops[k], s->repeat, &s->ops[k]));
    }
    WL_TRY(value_of(r, node, w->steps, &steps));
    s->steps = wl_max_i64(s->steps, steps);
    return WL_OK;
}

static wl_status sum_flops(struct run *r, struct wl_subgraph *s)
{
    int64_t flops;
    bool fits = wl_mul_i64(s->macs, 2, &flops);
    for (int32_t k = 0; k < WL_WORK_COUNT; k++) {
        fits = fits && (k == WL_WORK_INTEGER || wl_add_i64(flops, s->ops[k], &flops));
    }
    s->flops = flops;
    return fits ? WL_OK : fail_size(r, s->anchor);
}

/* ---- what it is ------------------------------------------------------------------------------ */

static enum wl_op_kind kind_of(const struct run *r, int32_t unit)
{
    const struct wl_op *op = r->g->nodes[unit].op;
    if (r->label[unit] == NULL) {
        return op == NULL ? WL_OPK_OPAQUE : op->kind;
    }
    switch ((enum part)r->part[unit]) {
    case PART_NORM:
        return WL_OPK_NORM;
    case PART_SOFTMAX:
        return WL_OPK_SOFTMAX;
    case PART_ATTENTION:
        return WL_OPK_ATTENTION;
    case PART_OTHER:
    case PART_CONV:
    case PART_GEMM:
    case PART_POOL:
    case PART_BATCH_NORM:
    case PART_REDUCE:
    case PART_MOVE:
    case PART_PAD:
    case PART_BIAS:
    case PART_SCALE:
    case PART_ACT:
    case PART_ACTX:
    case PART_GELU:
    case PART_ADD:
    case PART_GATE:
    case PART_CAST:
    case PART_MAP:
    case PART_QUANTIZE:
    case PART_COUNT:
        break;
    }
    return WL_OPK_MAP;
}

/* "conv+add+relu"; what does not fit is three dots. */
static const char *pattern_of(struct describer *d, const struct group *grp)
{
    char text[160];
    size_t at = 0;
    bool more = grp->label_count > GROUP_LABELS_MAX;
    int32_t shown = more ? GROUP_LABELS_MAX : grp->label_count;
    if ((grp->anchor_bit & PARTS_POINTWISE) != 0 && grp->label_count > 1) {
        return "elementwise";
    }
    for (int32_t i = 0; i < shown + (more ? 1 : 0); i++) {
        const char *label = i < shown ? grp->labels[i] : "...";
        size_t len = strlen(label);
        if (at + len + 1 > sizeof(text)) {
            break;
        }
        if (i > 0) {
            text[at++] = '+';
        }
        memcpy(text + at, label, len);
        at += len;
    }
    int32_t id = wl_strmap_add(&d->patterns, (struct wl_str){text, at});
    return id == WL_NONE ? NULL : d->patterns.names[id].data;
}

/* Names in a file need not be unique: later ones get their subgraph's number. */
static const char *name_of(struct describer *d, int32_t unit, int32_t id)
{
    struct wl_str name = d->r->g->nodes[unit].name;
    char *text = wl_arena_strndup(d->r->arena, name.data, name.len);
    int32_t before = d->names.count;
    while (text != NULL) {
        int32_t at = wl_strmap_add_static(&d->names, wl_str(text));
        if (at == WL_NONE) {
            return NULL;
        }
        if (d->names.count > before) {
            return text;
        }
        text = wl_arena_printf(d->r->arena, "%s#%d", text, (int)id);
    }
    return NULL;
}

static bool is_quantized(const struct describer *d, int32_t group)
{
    const struct run *r = d->r;
    bool any = false;
    for (int32_t k = r->node_start[group]; k < r->node_start[group + 1]; k++) {
        int32_t n = r->node_list[k];
        const struct wl_node *node = &r->g->nodes[n];
        if (r->exec[n] != EXEC_RUN || r->g->work[n].gemm_count == 0) {
            continue;
        }
        for (int32_t i = 0; i < 2; i++) {
            int32_t t = matrix_input(r, node, i);
            bool integers = r->integer[n] || (t != WL_NONE && dequantizer(r, t) != WL_NONE);
            if (!integers) {
                return false;
            }
        }
        any = true;
    }
    return any;
}

static int64_t dim_or_one(const struct wl_tensor *t, int32_t i)
{
    bool known = i >= 0 && i < t->rank && wl_dim_is_known(t->dims[i]) && t->dims[i].value > 0;
    return known ? t->dims[i].value : 1;
}

/* Independent iterations of the anchor: its output's elements; and those that are summed. */
static void set_parallelism(const struct describer *d, struct wl_subgraph *s)
{
    struct run *r = d->r;
    struct wl_parallelism *p = &s->parallelism;
    int32_t out = wl_node_output(&r->g->nodes[s->anchor], 0);
    *p = (struct wl_parallelism){1, 1, 1, 1};
    if (out == WL_NONE) {
        return;
    }
    const struct wl_tensor *t = &r->g->tensors[out];
    int64_t elems = wl_max_i64(wl_partition_elems(r, out), 1);
    bool image = s->kind != WL_OPK_GEMM && s->kind != WL_OPK_ATTENTION && t->rank >= 3;
    int32_t channel = image ? 1 : t->rank - 1;
    p->batch = dim_or_one(t, 0);
    p->channels = channel > 0 ? dim_or_one(t, channel) : 1;
    p->spatial = wl_max_i64(elems / p->batch / p->channels, 1);
    for (int32_t i = 0; i < s->product_count; i++) {
        p->reduction = wl_max_i64(p->reduction, s->products[i].k);
    }
    int32_t in = wl_node_input(&r->g->nodes[s->anchor], 0);
    if (s->product_count == 0 && s->access == WL_ACCESS_REDUCE && in != WL_NONE) {
        p->reduction = wl_max_i64(wl_partition_elems(r, in) / elems, 1);
    }
}

/* ---- assembly -------------------------------------------------------------------------------- */

static wl_status describe_group(struct describer *d, int32_t group, struct wl_subgraph *s)
{
    struct run *r = d->r;
    const struct group *grp = &r->groups[group];
    struct describer before = *d;
    s->id = grp->id;
    s->anchor = grp->anchor;
    s->kind = kind_of(r, grp->anchor);
    s->nodes = r->node_list + r->node_start[group];
    s->node_count = r->node_start[group + 1] - r->node_start[group];
    s->steps = 1;
    WL_TRY(value_of(r, grp->tail, r->g->nodes[grp->tail].repeat, &s->repeat));
    s->repeat = wl_max_i64(s->repeat, 1);
    for (int32_t i = 0; i < s->node_count; i++) {
        int32_t n = s->nodes[i];
        if (r->exec[n] == EXEC_RUN) {
            WL_TRY(add_outputs(d, group, n));
            WL_TRY(add_inputs(d, group, n));
            WL_TRY(add_products(d, group, n));
        }
        if (r->exec[n] != EXEC_FREE) {
            WL_TRY(add_work(r, n, s));
        }
    }
    WL_TRY(sum_flops(r, s));
    s->inputs = d->inputs.items + before.inputs.count;
    s->input_count = d->inputs.count - before.inputs.count;
    s->outputs = d->outputs.items + before.outputs.count;
    s->output_count = d->outputs.count - before.outputs.count;
    s->weights = d->weights.items + before.weights.count;
    s->weight_count = d->weights.count - before.weights.count;
    s->internal = d->internal.items + before.internal.count;
    s->internal_count = d->internal.count - before.internal.count;
    s->products = d->products + before.product_count;
    s->product_count = d->product_count - before.product_count;
    s->access = r->label[grp->anchor] != NULL && s->kind != WL_OPK_MAP
                    ? WL_ACCESS_REDUCE
                    : r->g->work[grp->anchor].access;
    s->quantized = is_quantized(d, group);
    for (int32_t i = before.product_count; i < d->product_count; i++) {
        d->products[i].integer = d->products[i].integer || s->quantized;
    }
    set_parallelism(d, s);
    s->ended_because = wl_partition_reason(r, grp);
    s->pattern = pattern_of(d, grp);
    s->name = name_of(d, grp->anchor, s->id);
    WL_TRY_PTR(s->ended_because, r->err);
    WL_TRY_PTR(s->pattern, r->err);
    WL_TRY_PTR(s->name, r->err);
    return WL_OK;
}

/* Upper bounds of the lists, and who reads across groups. */
static wl_status prepare(struct describer *d, struct run *r)
{
    const struct wl_graph *g = r->g;
    int64_t inputs = 0;
    int64_t outputs = 0;
    int64_t products = 0;
    *d = (struct describer){.r = r};
    d->mark = WL_ARRAY(r->scratch, int32_t, g->tensor_count);
    d->slot = WL_ARRAY(r->scratch, int32_t, g->tensor_count);
    d->outside = WL_ARRAY(r->scratch, bool, g->tensor_count);
    WL_TRY_PTR(d->mark, r->err);
    WL_TRY_PTR(d->slot, r->err);
    WL_TRY_PTR(d->outside, r->err);
    for (int32_t n = 0; n < g->node_count; n++) {
        const struct wl_node *node = &g->nodes[n];
        for (int32_t i = 0; r->exec[n] == EXEC_RUN && i < node->input_count; i++) {
            int32_t t = node->inputs[i];
            int32_t p = t == WL_NONE ? WL_NONE : wl_partition_producer(r, t);
            if (p != WL_NONE && r->group[p] != r->group[n]) {
                d->outside[r->root[t]] = true;
            }
        }
        if (r->exec[n] == EXEC_RUN) {
            inputs += node->input_count;
            outputs += node->output_count;
            products += g->work[n].gemm_count;
        }
    }
    d->inputs.items = WL_ARRAY(r->arena, struct wl_operand, inputs);
    d->weights.items = WL_ARRAY(r->arena, struct wl_operand, inputs * 3);
    d->outputs.items = WL_ARRAY(r->arena, struct wl_operand, outputs);
    d->internal.items = WL_ARRAY(r->arena, struct wl_operand, outputs);
    d->products = WL_ARRAY(r->arena, struct wl_product, products);
    bool all =
        d->inputs.items && d->weights.items && d->outputs.items && d->internal.items && d->products;
    if (!all || wl_strmap_init(&d->names, r->scratch) != WL_OK ||
        wl_strmap_init(&d->patterns, r->arena) != WL_OK) {
        return wl_fail_nomem(r->err);
    }
    return WL_OK;
}

wl_status wl_partition_describe(struct run *r, struct wl_partition *out)
{
    struct describer d;
    WL_TRY(prepare(&d, r));
    for (int32_t i = 0; i < r->group_count; i++) {
        WL_TRY(describe_group(&d, i, &out->subgraphs[r->groups[i].id]));
    }
    for (int32_t i = 0; i < out->count; i++) {
        const struct wl_subgraph *s = &out->subgraphs[i];
        if (!wl_add_i64(out->macs, s->macs, &out->macs) ||
            !wl_add_i64(out->flops, s->flops, &out->flops)) {
            return fail_size(r, s->anchor);
        }
    }
    return WL_OK;
}
