/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops/sequence.c: sequences and optionals. A sequence tensor holds the type that all its elements
 * share (dims unknown where they differ) and its length; handling a sequence moves references, so
 * only the operators that build or cut tensors cost bytes.
 */
#include "move_priv.h"

static void set_sequence(struct wl_op_ctx *c, const struct wl_tensor *element, struct wl_dim length)
{
    struct wl_tensor *y = wl_op_out(c, 0);
    if (y == NULL) {
        return;
    }
    y->type_kind = WL_TYPE_SEQUENCE;
    y->length = length;
    y->value = NULL;
    if (element != NULL) {
        y->dtype = element->dtype;
        y->rank = element->rank;
        y->dims = element->dims;
    }
}

/* Output 0's element dims become what they share with those of `b`. */
static wl_status join_element(struct wl_op_ctx *c, const struct wl_tensor *b)
{
    struct wl_tensor *y = wl_op_out(c, 0);
    if (y == NULL || y->rank < 0) {
        return WL_OK;
    }
    if (b == NULL || b->rank != y->rank) {
        y->rank = WL_NONE;
        return WL_OK;
    }
    struct wl_dim *dims = WL_ARRAY(c->g->arena, struct wl_dim, y->rank);
    WL_TRY_PTR(dims, c->err);
    for (int32_t i = 0; i < y->rank; i++) {
        dims[i] = wl_dim_eq(y->dims[i], b->dims[i]) ? y->dims[i] : wl_dim_unknown();
    }
    y->dims = dims;
    return WL_OK;
}

wl_status wl_infer_sequence_construct(struct wl_op_ctx *c)
{
    set_sequence(c, wl_op_in(c, 0), wl_dim_known(c->node->input_count));
    for (int32_t i = 1; i < c->node->input_count; i++) {
        WL_TRY(join_element(c, wl_op_in(c, i)));
    }
    return WL_OK;
}

wl_status wl_infer_sequence_empty(struct wl_op_ctx *c)
{
    struct wl_tensor *y = wl_op_out(c, 0);
    set_sequence(c, NULL, wl_dim_known(0));
    if (y != NULL) {
        y->dtype = wl_dtype_of_number(wl_node_attr_int(c->node, "dtype", WL_DT_FLOAT));
        y->rank = WL_NONE;
    }
    return WL_OK;
}

wl_status wl_infer_sequence_at(struct wl_op_ctx *c)
{
    const struct wl_tensor *x = wl_op_in(c, 0);
    if (x == NULL) {
        return WL_OK;
    }
    wl_op_set_dtype(c, 0, x->dtype);
    return x->rank >= 0 ? wl_op_set_shape(c, 0, x->rank, x->dims) : WL_OK;
}

/* length + delta, not below 0. */
static struct wl_dim grown(struct wl_op_ctx *c, const struct wl_tensor *x, int64_t delta)
{
    struct wl_dim n = x->type_kind == WL_TYPE_SEQUENCE ? x->length : wl_dim_unknown();
    n = wl_dim_add_k(wl_op_pool(c), n, delta);
    return wl_dim_is_known(n) && n.value < 0 ? wl_dim_unknown() : n;
}

wl_status wl_infer_sequence_insert(struct wl_op_ctx *c)
{
    const struct wl_tensor *x = wl_op_in(c, 0);
    const struct wl_tensor *item = wl_op_in(c, 1);
    if (x == NULL || item == NULL) {
        return WL_OK;
    }
    if (x->type_kind == WL_TYPE_SEQUENCE && wl_dim_is(x->length, 0)) {
        set_sequence(c, item, wl_dim_known(1));
        return WL_OK;
    }
    set_sequence(c, x, grown(c, x, 1));
    return join_element(c, item);
}

wl_status wl_infer_sequence_erase(struct wl_op_ctx *c)
{
    const struct wl_tensor *x = wl_op_in(c, 0);
    if (x != NULL) {
        set_sequence(c, x, grown(c, x, -1));
    }
    return WL_OK;
}

wl_status wl_infer_sequence_length(struct wl_op_ctx *c)
{
    wl_op_set_dtype(c, 0, WL_DT_INT64);
    return wl_op_set_shape(c, 0, 0, NULL);
}

void wl_value_sequence_length(struct wl_op_ctx *c)
{
    const struct wl_tensor *x = wl_op_in(c, 0);
    struct wl_value *v = wl_value_new(c, 1, false);
    if (x != NULL && v != NULL && x->type_kind == WL_TYPE_SEQUENCE &&
        !wl_dim_is_unknown(x->length)) {
        v->ints[0] = x->length;
        wl_op_set_value(c, 0, v);
    }
}

/* ---- SplitToSequence, ConcatFromSequence -------------------------------------------------- */

/* Extent of each part and number of parts, from `split` (absent: 1 each; scalar; list). */
static void parts_of(struct wl_op_ctx *c, struct wl_dim along, struct wl_dim *extent,
                     struct wl_dim *count)
{
    struct wl_dim_pool *p = wl_op_pool(c);
    const struct wl_value *split = wl_op_in_value(c, 1);
    *extent = wl_dim_known(1);
    *count = along;
    if (!wl_op_has_in(c, 1)) {
        return;
    }
    *extent = wl_dim_unknown();
    *count = wl_op_in_rank(c, 1) == 1 ? wl_op_in_dim(c, 1, 0) : wl_dim_unknown();
    if (split == NULL || split->is_float || split->count < 1) {
        return;
    }
    if (wl_op_in_rank(c, 1) == 0) {
        struct wl_dim part = split->ints[0];
        bool even = wl_dim_is(wl_dim_mod(p, along, part), 0);
        bool positive = !wl_dim_is_known(part) || part.value > 0;
        *extent = even ? part : wl_dim_unknown(); /* the last part is smaller */
        *count = positive ? wl_dim_ceil_div(p, along, part) : wl_dim_unknown();
        return;
    }
    *extent = split->ints[0];
    for (int64_t i = 1; i < split->count; i++) {
        *extent = wl_dim_eq(*extent, split->ints[i]) ? *extent : wl_dim_unknown();
    }
}

wl_status wl_infer_split_to_sequence(struct wl_op_ctx *c)
{
    const struct wl_tensor *x = wl_op_in(c, 0);
    struct wl_dim extent = wl_dim_unknown();
    struct wl_dim count = wl_dim_unknown();
    int32_t axis;
    bool known = x != NULL && wl_op_axis(wl_node_attr_int(c->node, "axis", 0), x->rank, &axis);
    set_sequence(c, x, count);
    struct wl_tensor *y = wl_op_out(c, 0);
    if (y == NULL || !known) {
        if (y != NULL) {
            y->rank = WL_NONE;
        }
        return WL_OK;
    }
    parts_of(c, x->dims[axis], &extent, &count);
    extent = wl_dim_is_known(extent) && extent.value < 0 ? wl_dim_unknown() : extent;
    y->length = count;
    bool drop = !wl_op_has_in(c, 1) && wl_node_attr_int(c->node, "keepdims", 1) == 0;
    struct wl_dim *dims = WL_ARRAY(c->g->arena, struct wl_dim, x->rank);
    WL_TRY_PTR(dims, c->err);
    int32_t rank = 0;
    for (int32_t i = 0; i < x->rank; i++) {
        if (i != axis || !drop) {
            dims[rank++] = i == axis ? extent : x->dims[i];
        }
    }
    y->rank = rank;
    y->dims = dims;
    return WL_OK;
}

/* Elements that differ have unknown dims; along the axis only equal extents can be summed. */
wl_status wl_infer_concat_from_sequence(struct wl_op_ctx *c)
{
    const struct wl_tensor *x = wl_op_in(c, 0);
    if (x == NULL) {
        return WL_OK;
    }
    wl_op_set_dtype(c, 0, x->dtype);
    bool fresh = wl_node_attr_int(c->node, "new_axis", 0) != 0;
    int32_t rank = x->rank + (fresh ? 1 : 0);
    int32_t axis;
    if (x->rank < 0 || rank > WL_RANK_MAX ||
        !wl_op_axis(wl_node_attr_int(c->node, "axis", 0), rank, &axis)) {
        return WL_OK;
    }
    struct wl_dim n = x->type_kind == WL_TYPE_SEQUENCE ? x->length : wl_dim_unknown();
    struct wl_dim dims[WL_RANK_MAX];
    for (int32_t i = 0; i < rank; i++) {
        if (fresh) {
            dims[i] = i == axis ? n : x->dims[i < axis ? i : i - 1];
        } else {
            dims[i] = i == axis ? wl_dim_mul(wl_op_pool(c), n, x->dims[i]) : x->dims[i];
        }
    }
    return wl_op_set_shape(c, 0, rank, dims);
}

/* ---- optionals ---------------------------------------------------------------------------- */

wl_status wl_infer_optional(struct wl_op_ctx *c)
{
    struct wl_tensor *y = wl_op_out(c, 0);
    const struct wl_tensor *x = wl_op_in(c, 0);
    const struct wl_attr *a = wl_node_attr(c->node, "type");
    if (y == NULL) {
        return WL_OK;
    }
    if (x != NULL) {
        wl_op_set_same(c, 0, 0);
        y->type_kind =
            x->type_kind == WL_TYPE_SEQUENCE ? WL_TYPE_OPTIONAL_SEQUENCE : WL_TYPE_OPTIONAL;
        y->value = NULL;
        return WL_OK;
    }
    y->type_kind = WL_TYPE_OPTIONAL;
    if (a != NULL && a->type == WL_ATTR_TYPE) {
        bool sequence = a->u.type_proto.type_kind == WL_TYPE_SEQUENCE;
        y->type_kind = sequence ? WL_TYPE_OPTIONAL_SEQUENCE : WL_TYPE_OPTIONAL;
        y->dtype = a->u.type_proto.dtype;
        y->rank = a->u.type_proto.rank;
        y->dims = a->u.type_proto.dims;
    }
    return WL_OK;
}

/* A tensor or a sequence passes through. */
wl_status wl_infer_optional_get(struct wl_op_ctx *c)
{
    struct wl_tensor *y = wl_op_out(c, 0);
    const struct wl_tensor *x = wl_op_in(c, 0);
    if (x == NULL || y == NULL) {
        return WL_OK;
    }
    wl_op_set_same(c, 0, 0);
    if (x->type_kind == WL_TYPE_OPTIONAL) {
        y->type_kind = WL_TYPE_TENSOR;
    } else if (x->type_kind == WL_TYPE_OPTIONAL_SEQUENCE) {
        y->type_kind = WL_TYPE_SEQUENCE;
    }
    return WL_OK;
}

wl_status wl_infer_optional_has(struct wl_op_ctx *c)
{
    wl_op_set_dtype(c, 0, WL_DT_BOOL);
    return wl_op_set_shape(c, 0, 0, NULL);
}

/* Known without an input (false) and for what is no optional or was just made one (true). */
void wl_value_optional_has(struct wl_op_ctx *c)
{
    const struct wl_tensor *x = wl_op_in(c, 0);
    int64_t has = 0;
    if (x != NULL && (x->type_kind == WL_TYPE_TENSOR || x->type_kind == WL_TYPE_SEQUENCE)) {
        has = 1;
    } else if (x != NULL) {
        const struct wl_node *maker = x->producer < 0 ? NULL : &c->g->nodes[x->producer];
        if (maker == NULL || maker->op == NULL || maker->op->infer != wl_infer_optional) {
            return;
        }
        has = wl_node_input(maker, 0) >= 0 ? 1 : 0;
    }
    struct wl_value *v = wl_value_new(c, 1, false);
    if (v != NULL) {
        v->ints[0] = wl_dim_known(has);
        wl_op_set_value(c, 0, v);
    }
}
