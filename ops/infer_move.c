/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops/infer_move.c: shapes of operators that copy elements: Transpose, Concat, Split, Slice, Pad,
 * Tile, Expand, DepthToSpace, SpaceToDepth and operators shaped like their input. Shapes after the
 * ONNX operator specification; bounds may be symbolic, in which case clamping stays in the
 * expression.
 */
#include <math.h>

#include "move_priv.h"

/* ---- Transpose ---------------------------------------------------------------------------- */

bool wl_op_perm(const struct wl_op_ctx *c, int32_t rank, int32_t *perm)
{
    const struct wl_attr *a = wl_node_attr(c->node, "perm");
    if (a == NULL) {
        for (int32_t i = 0; i < rank; i++) {
            perm[i] = rank - 1 - i;
        }
        return true;
    }
    if (a->type != WL_ATTR_INTS || a->count != rank) {
        return false;
    }
    bool seen[WL_RANK_MAX] = {false};
    for (int32_t i = 0; i < rank; i++) {
        if (!wl_op_axis(a->u.ints[i], rank, &perm[i]) || seen[perm[i]]) {
            return false;
        }
        seen[perm[i]] = true;
    }
    return true;
}

wl_status wl_infer_transpose(struct wl_op_ctx *c)
{
    wl_op_same_dtype(c, 0, 0);
    const struct wl_tensor *x = wl_op_in(c, 0);
    if (x == NULL || x->rank < 0) {
        const struct wl_attr *a = wl_node_attr(c->node, "perm");
        bool usable = a != NULL && a->type == WL_ATTR_INTS && a->count <= WL_RANK_MAX;
        return usable ? wl_op_set_unknown_dims(c, 0, a->count) : WL_OK;
    }
    int32_t perm[WL_RANK_MAX];
    struct wl_dim dims[WL_RANK_MAX];
    if (!wl_op_perm(c, x->rank, perm)) {
        return wl_op_set_unknown_dims(c, 0, x->rank);
    }
    for (int32_t i = 0; i < x->rank; i++) {
        dims[i] = x->dims[perm[i]];
    }
    return wl_op_set_shape(c, 0, x->rank, dims);
}

/* ---- Concat ------------------------------------------------------------------------------- */

/*
 * Concatenation along `axis` of inputs first, first + step, ... of node c. Also QLinearConcat,
 * where scales and zero points lie between.
 */
wl_status wl_op_concat(struct wl_op_ctx *c, int32_t first, int32_t step)
{
    struct wl_dim dims[WL_RANK_MAX];
    struct wl_dim sum = wl_dim_known(0);
    int32_t rank = WL_NONE;
    int32_t axis = 0;
    bool any_unranked = false;
    bool any_open = false;
    for (int32_t i = first; i < c->node->input_count; i += step) {
        const struct wl_tensor *x = wl_op_in(c, i);
        if (x == NULL || x->rank < 0) {
            any_unranked = true;
            continue;
        }
        if (rank < 0) {
            rank = x->rank;
            if (!wl_op_axis(wl_node_attr_int(c->node, "axis", 0), rank, &axis)) {
                return WL_OK;
            }
            for (int32_t k = 0; k < rank; k++) {
                dims[k] = wl_dim_unknown();
            }
        }
        if (x->rank != rank) {
            wl_op_conflict(c, "input %d has rank %d, those before it rank %d", (int)i, (int)x->rank,
                           (int)rank);
            return WL_OK;
        }
        any_open = any_open || wl_dim_is_unknown(x->dims[axis]);
        sum = wl_dim_add(wl_op_pool(c), sum, x->dims[axis]);
        for (int32_t k = 0; k < rank; k++) {
            if (k != axis && wl_dim_ne(dims[k], x->dims[k])) {
                wl_op_conflict(c, "input %d differs from those before it in axis %d, not joined",
                               (int)i, (int)k);
                return WL_OK;
            }
            dims[k] = wl_op_merge_dim(dims[k], x->dims[k]);
        }
    }
    if (rank < 0) {
        return WL_OK;
    }
    if (wl_dim_is_unknown(sum) && !any_open && !any_unranked) {
        sum = wl_op_data_dim(c, "size", wl_dim_unknown()); /* an expression too long to keep */
    }
    dims[axis] = any_unranked ? wl_dim_unknown() : sum;
    return wl_op_set_shape(c, 0, rank, dims);
}

wl_status wl_infer_concat(struct wl_op_ctx *c)
{
    for (int32_t i = 0; i < c->node->input_count; i++) {
        if (wl_op_in_dtype(c, i) != WL_DT_UNDEFINED) {
            wl_op_same_dtype(c, 0, i);
            break;
        }
    }
    return wl_op_concat(c, 0, 1);
}

/* ---- Split -------------------------------------------------------------------------------- */

/*
 * Size of part `i` of `n`. With num_outputs, parts are ceil(d / n) and the last takes the rest;
 * without it (and without sizes) the definition requires that n divides d.
 */
static struct wl_dim split_part(struct wl_op_ctx *c, struct wl_dim d, int32_t i, int32_t n)
{
    struct wl_dim_pool *p = &c->g->dims;
    struct wl_dim exact = wl_dim_exact_div(p, d, wl_dim_known(n));
    if (!wl_dim_is_unknown(exact) || wl_dim_is_unknown(d)) {
        return exact;
    }
    if (wl_node_attr(c->node, "num_outputs") == NULL) {
        return wl_dim_is_known(d) ? wl_dim_unknown() : wl_dim_floor_div(p, d, wl_dim_known(n));
    }
    struct wl_dim part = wl_dim_ceil_div(p, d, wl_dim_known(n));
    if (i < n - 1) {
        return part;
    }
    struct wl_dim rest = wl_dim_sub(p, d, wl_dim_mul_k(p, part, n - 1));
    return wl_dim_is_known(rest) && rest.value < 0 ? wl_dim_unknown() : rest;
}

wl_status wl_infer_split(struct wl_op_ctx *c)
{
    const struct wl_tensor *x = wl_op_in(c, 0);
    const struct wl_value *sizes = wl_op_in_value(c, 1);
    int32_t axis = 0;
    bool known = x != NULL && x->rank > 0 &&
                 wl_op_axis(wl_node_attr_int(c->node, "axis", 0), x->rank, &axis);
    int32_t n = c->node->output_count;
    for (int32_t o = 0; o < n; o++) {
        wl_op_same_dtype(c, o, 0);
        if (!known) {
            continue;
        }
        struct wl_dim dims[WL_RANK_MAX];
        for (int32_t k = 0; k < x->rank; k++) {
            dims[k] = x->dims[k];
        }
        dims[axis] = wl_dim_unknown();
        if (sizes != NULL && !sizes->is_float && o < sizes->count) {
            dims[axis] = sizes->ints[o];
        } else if (wl_op_in(c, 1) == NULL) {
            int64_t parts = wl_node_attr_int(c->node, "num_outputs", n);
            dims[axis] = parts == n ? split_part(c, x->dims[axis], o, n) : wl_dim_unknown();
        }
        if (wl_dim_is_known(dims[axis]) && dims[axis].value < 0) {
            dims[axis] = wl_dim_unknown();
        }
        WL_TRY(wl_op_set_shape(c, o, x->rank, dims));
    }
    return WL_OK;
}

/* ---- Slice -------------------------------------------------------------------------------- */

#define SLICE_FAR (INT64_C(1) << 30) /* exporters write "to the end" as INT32_MAX or INT64_MAX */

/* A bound counted from the end becomes one from the start. Symbolic bounds are taken as not
 * negative. */
static struct wl_dim from_start(struct wl_dim_pool *p, struct wl_dim bound, struct wl_dim d)
{
    return wl_dim_is_known(bound) && bound.value < 0 ? wl_dim_add(p, bound, d) : bound;
}

static struct wl_dim slice_forward(struct wl_dim_pool *p, struct wl_dim d, struct wl_dim start,
                                   struct wl_dim end, int64_t step)
{
    struct wl_dim zero = wl_dim_known(0);
    bool to_end = (wl_dim_is_known(end) && end.value >= SLICE_FAR) || wl_dim_eq(end, d);
    if (to_end && step == 1 && wl_dim_is_known(start) && start.value < 0 &&
        start.value > -SLICE_FAR) {
        return wl_dim_min(p, d, wl_dim_known(-start.value));
    }
    bool from_zero = wl_dim_is_known(start) && start.value <= -SLICE_FAR;
    struct wl_dim first = from_zero ? zero : wl_dim_max(p, from_start(p, start, d), zero);
    struct wl_dim last = to_end ? d : wl_dim_min(p, from_start(p, end, d), d);
    struct wl_dim span = wl_dim_max(p, wl_dim_sub(p, last, first), zero);
    return wl_dim_ceil_div(p, span, wl_dim_known(step));
}

/*
 * The definition clamps start to [0, d - 1] here, as ONNX Runtime does; numpy gives nothing where
 * it lies before the first element.
 */
static struct wl_dim slice_backward(struct wl_dim_pool *p, struct wl_dim d, struct wl_dim start,
                                    struct wl_dim end, int64_t step)
{
    struct wl_dim back = wl_dim_add_k(p, d, -1);
    bool from_end = wl_dim_is_known(start) && (start.value >= SLICE_FAR || start.value == -1);
    bool to_start = wl_dim_is_known(end) && end.value <= -SLICE_FAR;
    struct wl_dim first = from_end ? back : wl_dim_min(p, from_start(p, start, d), back);
    struct wl_dim last =
        to_start ? wl_dim_known(-1) : wl_dim_max(p, from_start(p, end, d), wl_dim_known(-1));
    if (wl_dim_is(d, 0)) {
        return d;
    }
    first = wl_dim_max(p, first, wl_dim_known(0));
    last = wl_dim_min(p, last, back);
    struct wl_dim span = wl_dim_max(p, wl_dim_sub(p, first, last), wl_dim_known(0));
    return step == INT64_MIN ? wl_dim_unknown() : wl_dim_ceil_div(p, span, wl_dim_known(-step));
}

/* Elements that [start : end : step] takes of an axis of size d, with clamping as in numpy. */
struct wl_dim wl_op_slice_dim(struct wl_dim_pool *p, struct wl_dim d, struct wl_dim start,
                              struct wl_dim end, struct wl_dim step)
{
    if (!wl_dim_is_known(step) || step.value == 0 || wl_dim_is_unknown(d) ||
        wl_dim_is_unknown(start) || wl_dim_is_unknown(end)) {
        return wl_dim_unknown();
    }
    return step.value > 0 ? slice_forward(p, d, start, end, step.value)
                          : slice_backward(p, d, start, end, step.value);
}

/* Element `i` of an integer input; `otherwise` where the input is omitted, unknown where not known.
 */
static struct wl_dim list_item(const struct wl_op_ctx *c, int32_t input, int64_t i,
                               struct wl_dim otherwise)
{
    if (wl_op_in(c, input) == NULL) {
        return otherwise;
    }
    const struct wl_value *v = wl_op_in_value(c, input);
    return v != NULL && !v->is_float && i < v->count ? v->ints[i] : wl_dim_unknown();
}

/* Number of sliced axes, from whichever of starts, ends, axes has a known length; WL_NONE if none.
 */
static int64_t slice_axis_count(const struct wl_op_ctx *c)
{
    for (int32_t i = 1; i <= 4; i++) {
        struct wl_dim n = wl_op_in_dim(c, i, 0);
        if (wl_op_in_rank(c, i) == 1 && wl_dim_is_known(n)) {
            return n.value;
        }
    }
    return WL_NONE;
}

/*
 * start, end, step of each axis of input 0, defaults where an axis is not sliced. False when the
 * axes themselves are not known.
 */
bool wl_op_slice_bounds(struct wl_op_ctx *c, struct wl_slice_axis *bounds)
{
    const struct wl_tensor *x = wl_op_in(c, 0);
    int64_t count = slice_axis_count(c);
    if (x == NULL || x->rank < 0 || count < 0) {
        return false;
    }
    for (int32_t k = 0; k < x->rank; k++) {
        bounds[k] = (struct wl_slice_axis){false, wl_dim_known(0), wl_dim_known(INT64_MAX),
                                           wl_dim_known(1)};
    }
    for (int64_t i = 0; i < count; i++) {
        struct wl_dim which = list_item(c, 3, i, wl_dim_known(i));
        int32_t axis;
        if (!wl_dim_is_known(which) || !wl_op_axis(which.value, x->rank, &axis)) {
            return false;
        }
        bounds[axis] = (struct wl_slice_axis){true, list_item(c, 1, i, wl_dim_unknown()),
                                              list_item(c, 2, i, wl_dim_unknown()),
                                              list_item(c, 4, i, wl_dim_known(1))};
    }
    return true;
}

wl_status wl_infer_slice(struct wl_op_ctx *c)
{
    wl_op_same_dtype(c, 0, 0);
    const struct wl_tensor *x = wl_op_in(c, 0);
    if (x == NULL || x->rank < 0) {
        return WL_OK;
    }
    struct wl_slice_axis bounds[WL_RANK_MAX];
    struct wl_dim dims[WL_RANK_MAX];
    if (!wl_op_slice_bounds(c, bounds)) {
        return wl_op_set_unknown_dims(c, 0, x->rank);
    }
    for (int32_t k = 0; k < x->rank; k++) {
        dims[k] = !bounds[k].sliced ? x->dims[k]
                                    : wl_op_slice_dim(&c->g->dims, x->dims[k], bounds[k].start,
                                                      bounds[k].end, bounds[k].step);
    }
    return wl_op_set_shape(c, 0, x->rank, dims);
}

/* ---- Pad ---------------------------------------------------------------------------------- */

/* Elements added before and after each axis. False when the pads are not known by axis. */
bool wl_op_pads(struct wl_op_ctx *c, struct wl_dim *before, struct wl_dim *after)
{
    const struct wl_tensor *x = wl_op_in(c, 0);
    const struct wl_value *pads = wl_op_in_value(c, 1);
    const struct wl_value *axes = wl_op_in_value(c, 3);
    if (x == NULL || x->rank < 0 || pads == NULL || pads->is_float ||
        (axes == NULL && wl_op_in(c, 3) != NULL)) {
        return false;
    }
    for (int32_t k = 0; k < x->rank; k++) {
        before[k] = wl_dim_known(0);
        after[k] = wl_dim_known(0);
    }
    int64_t n = axes != NULL ? axes->count : x->rank;
    if (pads->count != 2 * n) {
        return false;
    }
    for (int64_t i = 0; i < n; i++) {
        int32_t axis = (int32_t)i;
        if (axes != NULL && !wl_value_axis(axes, i, x->rank, &axis)) {
            return false;
        }
        before[axis] = pads->ints[i];
        after[axis] = pads->ints[n + i];
    }
    return true;
}

wl_status wl_infer_pad(struct wl_op_ctx *c)
{
    wl_op_same_dtype(c, 0, 0);
    const struct wl_tensor *x = wl_op_in(c, 0);
    if (x == NULL || x->rank < 0) {
        return WL_OK;
    }
    struct wl_dim before[WL_RANK_MAX];
    struct wl_dim after[WL_RANK_MAX];
    struct wl_dim dims[WL_RANK_MAX];
    if (!wl_op_pads(c, before, after)) {
        return wl_op_set_unknown_dims(c, 0, x->rank);
    }
    struct wl_dim_pool *p = &c->g->dims;
    for (int32_t k = 0; k < x->rank; k++) {
        dims[k] = wl_dim_add(p, wl_dim_add(p, x->dims[k], before[k]), after[k]);
        if (wl_dim_is_known(dims[k]) && dims[k].value < 0) {
            dims[k] = wl_dim_unknown();
        }
    }
    return wl_op_set_shape(c, 0, x->rank, dims);
}

/* ---- Tile, Expand ------------------------------------------------------------------------- */

/* Before opset 6: inputs 1 and 2 are a count and the axis that it applies to. */
static wl_status tile_one_axis(struct wl_op_ctx *c)
{
    const struct wl_tensor *x = wl_op_in(c, 0);
    double times;
    double where;
    int32_t axis;
    if (x == NULL || x->rank < 0) {
        return WL_OK;
    }
    bool known = wl_op_in_number(c, 1, &times) && wl_op_in_number(c, 2, &where) &&
                 fabs(times) < 9.0e15 && fabs(where) < 9.0e15 &&
                 wl_op_axis((int64_t)where, x->rank, &axis);
    if (!known) {
        return wl_op_set_unknown_dims(c, 0, x->rank);
    }
    struct wl_dim dims[WL_RANK_MAX];
    for (int32_t k = 0; k < x->rank; k++) {
        dims[k] = k == axis ? wl_dim_mul_k(&c->g->dims, x->dims[k], (int64_t)times) : x->dims[k];
    }
    return wl_op_set_shape(c, 0, x->rank, dims);
}

wl_status wl_infer_tile(struct wl_op_ctx *c)
{
    wl_op_same_dtype(c, 0, 0);
    if (c->node->version > 0 && c->node->version < 6) {
        return tile_one_axis(c);
    }
    const struct wl_tensor *x = wl_op_in(c, 0);
    const struct wl_value *repeats = wl_op_in_value(c, 1);
    if (x == NULL || x->rank < 0) {
        return wl_op_set_rank_from(c, 0, 1, 0);
    }
    if (repeats == NULL || repeats->is_float || repeats->count != x->rank) {
        return wl_op_set_unknown_dims(c, 0, x->rank);
    }
    struct wl_dim dims[WL_RANK_MAX];
    for (int32_t k = 0; k < x->rank; k++) {
        dims[k] = wl_dim_mul(&c->g->dims, x->dims[k], repeats->ints[k]);
        if (wl_dim_is_known(dims[k]) && dims[k].value < 0) {
            dims[k] = wl_dim_unknown();
        }
    }
    return wl_op_set_shape(c, 0, x->rank, dims);
}

/* One dim of a broadcast of `d` (of the data) with `want` (of the target shape). */
static struct wl_dim expand_dim(struct wl_dim d, struct wl_dim want)
{
    if (wl_dim_is(want, 1) || wl_dim_eq(d, want)) {
        return d;
    }
    if (wl_dim_is(d, 1)) {
        return wl_dim_is_known(want) && want.value < 0 ? wl_dim_unknown() : want;
    }
    if (wl_dim_is_known(d)) {
        return d; /* the target must be 1 or the same */
    }
    return wl_dim_is_known(want) && want.value != 1 && want.value >= 0 ? want : wl_dim_unknown();
}

wl_status wl_infer_expand(struct wl_op_ctx *c)
{
    wl_op_same_dtype(c, 0, 0);
    const struct wl_tensor *x = wl_op_in(c, 0);
    const struct wl_value *shape = wl_op_in_value(c, 1);
    struct wl_dim n = wl_op_in_dim(c, 1, 0);
    if (x == NULL || x->rank < 0 || !wl_dim_is_known(n) || n.value > WL_RANK_MAX) {
        return WL_OK;
    }
    int32_t rank = (int32_t)wl_max_i64(n.value, x->rank);
    struct wl_dim dims[WL_RANK_MAX];
    for (int32_t k = 0; k < rank; k++) {
        int64_t from = k - (rank - x->rank);
        int64_t to = k - (rank - n.value);
        struct wl_dim d = from < 0 ? wl_dim_known(1) : x->dims[from];
        struct wl_dim want = wl_dim_known(1);
        if (to >= 0) {
            bool given = shape != NULL && !shape->is_float && to < shape->count;
            want = given ? shape->ints[to] : wl_dim_unknown();
        }
        if (wl_dim_ne(d, want) && d.value != 1 && want.value != 1) {
            wl_op_conflict(c, "axis %d cannot be expanded to the target shape", (int)k);
            return WL_OK;
        }
        dims[k] = expand_dim(d, want);
    }
    return wl_op_set_shape(c, 0, rank, dims);
}

/* ---- space and depth ---------------------------------------------------------------------- */

static wl_status infer_blocks(struct wl_op_ctx *c, bool to_depth)
{
    wl_op_same_dtype(c, 0, 0);
    const struct wl_tensor *x = wl_op_in(c, 0);
    int64_t block = wl_node_attr_int(c->node, "blocksize", 0);
    if (x == NULL || x->rank != 4 || block < 1 || block > INT32_MAX) {
        return wl_op_set_unknown_dims(c, 0, 4);
    }
    struct wl_dim_pool *p = &c->g->dims;
    struct wl_dim b = wl_dim_known(block);
    struct wl_dim b2 = wl_dim_known(block * block);
    struct wl_dim dims[4] = {x->dims[0]};
    if (to_depth) {
        dims[1] = wl_dim_mul(p, x->dims[1], b2);
        dims[2] = wl_dim_floor_div(p, x->dims[2], b);
        dims[3] = wl_dim_floor_div(p, x->dims[3], b);
    } else {
        dims[1] = wl_dim_floor_div(p, x->dims[1], b2);
        dims[2] = wl_dim_mul(p, x->dims[2], b);
        dims[3] = wl_dim_mul(p, x->dims[3], b);
    }
    return wl_op_set_shape(c, 0, 4, dims);
}

wl_status wl_infer_space_to_depth(struct wl_op_ctx *c)
{
    return infer_blocks(c, true);
}

wl_status wl_infer_depth_to_space(struct wl_op_ctx *c)
{
    return infer_blocks(c, false);
}
