/* SPDX-License-Identifier: Apache-2.0 */
/*
 * infer_reduce: reductions, ArgMax/ArgMin, cumulative sums and products. Axes come as input 1
 * (since opset 18; older forms are raised). Work, n = input elements, m = output elements:
 *
 *   ReduceSum, Prod    n adds or multiplies          ReduceMean       n adds, m divides
 *   ReduceMax, Min     n comparisons                 ArgMax, ArgMin   n comparisons
 *   ReduceL1           2n (absolute value, add)      ReduceSumSquare  2n
 *   ReduceL2           2n and m roots                ReduceLogSum     n adds and m logarithms
 *   ReduceLogSumExp    n comparisons, 2n adds, n exp; m logarithms and m adds (shifted by the
 * maximum) CumSum, CumProd    n
 *
 * (A tree of n-1 operations rounded up to n: the difference is one operation per output.)
 */
#include <math.h>
#include <string.h>

#include "ops_priv.h"

/* ---- shapes ------------------------------------------------------------------------------------
 */

/* Which axes a reduction removes. False when that is unknown. */
static bool reduced_axes(const struct wl_op_ctx *c, int32_t rank, bool *mask, int32_t *count)
{
    int64_t axes[WL_RANK_MAX];
    *count = WL_NONE;
    if (rank < 0 || rank > WL_RANK_MAX) {
        return false;
    }
    if (wl_op_has_in(c, 1)) {
        *count = wl_op_in_ints(c, 1, axes, WL_RANK_MAX);
    } else if (wl_node_attr(c->node, "axes") != NULL) {
        *count = wl_op_attr_ints(c, "axes", axes, WL_RANK_MAX);
    } else {
        *count = 0;
    }
    if (*count == 0) {
        bool all = wl_node_attr_int(c->node, "noop_with_empty_axes", 0) == 0;
        for (int32_t i = 0; i < rank; i++) {
            mask[i] = all;
        }
        *count = all ? rank : 0;
        return true;
    }
    return *count != WL_NONE && wl_op_axes_mask(axes, *count, rank, mask);
}

/* Axes unknown: with keepdims the rank is known; without, if the list's length is. */
static wl_status infer_unknown_axes(struct wl_op_ctx *c, int32_t rank, bool keep)
{
    struct wl_dim dims[WL_RANK_MAX];
    struct wl_dim listed = wl_op_in_dim(c, 1, 0);
    if (rank < 0 || rank > WL_RANK_MAX) {
        return WL_OK;
    }
    bool counted = wl_dim_is_known(listed) && listed.value > 0 && listed.value <= rank;
    if (!keep && !counted) {
        return WL_OK;
    }
    int32_t left = keep ? rank : rank - (int32_t)listed.value;
    for (int32_t i = 0; i < left; i++) {
        dims[i] = keep && wl_dim_is(wl_op_in_dim(c, 0, i), 1) ? wl_dim_known(1) : wl_dim_unknown();
    }
    return wl_op_set_shape(c, 0, left, dims);
}

static wl_status set_reduced(struct wl_op_ctx *c, int32_t rank, const bool *mask, bool keep)
{
    struct wl_dim dims[WL_RANK_MAX];
    int32_t left = 0;
    for (int32_t i = 0; i < rank; i++) {
        if (!mask[i]) {
            dims[left++] = wl_op_in_dim(c, 0, i);
        } else if (keep) {
            dims[left++] = wl_dim_known(1);
        }
    }
    return wl_op_set_shape(c, 0, left, dims);
}

wl_status wl_infer_reduce(struct wl_op_ctx *c)
{
    bool mask[WL_RANK_MAX];
    int32_t count;
    int32_t rank = wl_op_in_rank(c, 0);
    bool keep = wl_node_attr_int(c->node, "keepdims", 1) != 0;
    wl_op_set_dtype(c, 0, wl_op_in_dtype(c, 0));
    if (!reduced_axes(c, rank, mask, &count)) {
        return count == WL_NONE ? infer_unknown_axes(c, rank, keep) : WL_OK;
    }
    return set_reduced(c, rank, mask, keep);
}

wl_status wl_infer_arg(struct wl_op_ctx *c)
{
    bool mask[WL_RANK_MAX] = {false};
    int32_t axis;
    int32_t rank = wl_op_in_rank(c, 0);
    wl_op_set_dtype(c, 0, WL_DT_INT64);
    if (rank > WL_RANK_MAX || !wl_op_axis(wl_node_attr_int(c->node, "axis", 0), rank, &axis)) {
        return WL_OK;
    }
    mask[axis] = true;
    return set_reduced(c, rank, mask, wl_node_attr_int(c->node, "keepdims", 1) != 0);
}

/* ---- values ------------------------------------------------------------------------------------
 */

enum fold { FOLD_SUM, FOLD_PROD, FOLD_MAX, FOLD_MIN, FOLD_MEAN, FOLD_NONE };

static enum fold fold_of(const struct wl_op *op)
{
    static const struct {
        const char *name;
        enum fold fold;
    } names[] = {{"ReduceSum", FOLD_SUM}, {"ReduceProd", FOLD_PROD}, {"ReduceMax", FOLD_MAX},
                 {"ReduceMin", FOLD_MIN}, {"ReduceMean", FOLD_MEAN}, {"CumSum", FOLD_SUM},
                 {"CumProd", FOLD_PROD}};
    for (size_t i = 0; i < WL_ARRAY_LEN(names); i++) {
        if (strcmp(names[i].name, op->name) == 0) {
            return names[i].fold;
        }
    }
    return FOLD_NONE;
}

/* Numbers are checked here, so that an overflow is an unknown and not a failure of the file. */
static struct wl_dim fold_ints(struct wl_dim_pool *p, enum fold k, struct wl_dim a, struct wl_dim b)
{
    int64_t v = 0;
    bool known = wl_dim_is_known(a) && wl_dim_is_known(b);
    bool fits = true;
    switch (k) {
    case FOLD_SUM:
    case FOLD_MEAN:
        fits = !known || wl_add_i64(a.value, b.value, &v);
        return !known ? wl_dim_add(p, a, b) : fits ? wl_dim_known(v) : wl_dim_unknown();
    case FOLD_PROD:
        fits = !known || wl_mul_i64(a.value, b.value, &v);
        return !known ? wl_dim_mul(p, a, b) : fits ? wl_dim_known(v) : wl_dim_unknown();
    case FOLD_MAX:
        return wl_dim_max(p, a, b);
    case FOLD_MIN:
        return wl_dim_min(p, a, b);
    case FOLD_NONE:
        break;
    }
    return wl_dim_unknown();
}

static double fold_floats(enum wl_dtype type, enum fold k, double a, double b)
{
    double r = k == FOLD_PROD  ? a * b
               : k == FOLD_MAX ? (a > b ? a : b)
               : k == FOLD_MIN ? (a < b ? a : b)
                               : a + b;
    bool unknown = isnan(a) || isnan(b) || (type != WL_DT_FLOAT && type != WL_DT_DOUBLE);
    return unknown ? (double)NAN : type == WL_DT_FLOAT ? (double)(float)r : r;
}

/* Strides of the output seen from the input's axes: 0 along reduced ones. */
static void reduced_strides(const int64_t *dims, int32_t rank, const bool *mask, int64_t *strides)
{
    int64_t step = 1;
    for (int32_t i = rank - 1; i >= 0; i--) {
        strides[i] = mask[i] ? 0 : step;
        step *= mask[i] ? 1 : dims[i];
    }
}

static void fold_all(struct wl_op_ctx *c, enum fold k, const struct wl_value *v, struct wl_value *r,
                     const bool *mask)
{
    int64_t dims[WL_RANK_MAX];
    int64_t strides[WL_RANK_MAX];
    int64_t index[WL_RANK_MAX] = {0};
    int32_t rank = wl_op_in_rank(c, 0);
    bool seen[WL_VALUE_MAX] = {false};
    int64_t elems;
    if (!wl_op_in_known_dims(c, 0, dims) ||
        !wl_tensor_elems_known(c->g, wl_node_input(c->node, 0), &elems) || elems != v->count) {
        return;
    }
    reduced_strides(dims, rank, mask, strides);
    for (int64_t i = 0; i < v->count; i++) {
        int64_t at = 0;
        for (int32_t axis = 0; axis < rank; axis++) {
            at += index[axis] * strides[axis];
        }
        if (v->is_float) {
            r->floats[at] = seen[at]
                                ? fold_floats(wl_op_in_dtype(c, 0), k, r->floats[at], v->floats[i])
                                : v->floats[i];
        } else {
            r->ints[at] =
                seen[at] ? fold_ints(wl_op_pool(c), k, r->ints[at], v->ints[i]) : v->ints[i];
        }
        seen[at] = true;
        (void)wl_op_next_index(index, dims, rank);
    }
    if (k == FOLD_MEAN) {
        for (int64_t i = 0; i < r->count; i++) {
            r->floats[i] = r->floats[i] * (double)r->count / (double)v->count;
        }
    }
    wl_op_set_value(c, 0, r);
}

void wl_value_reduce(struct wl_op_ctx *c)
{
    bool mask[WL_RANK_MAX];
    int32_t axes;
    int64_t out;
    const struct wl_value *v = wl_op_in_value(c, 0);
    enum fold k = fold_of(c->node->op);
    bool known = v != NULL && k != FOLD_NONE && v->count > 0 &&
                 wl_tensor_elems_known(c->g, wl_node_output(c->node, 0), &out) && out <= v->count &&
                 out > 0;
    if (!known || !reduced_axes(c, wl_op_in_rank(c, 0), mask, &axes) ||
        (k == FOLD_MEAN && !v->is_float)) {
        return;
    }
    struct wl_value *r = wl_value_new(c, out, v->is_float);
    if (r != NULL) {
        fold_all(c, k, v, r, mask);
    }
}

/* Vectors only. */
void wl_value_cumulative(struct wl_op_ctx *c)
{
    const struct wl_value *v = wl_op_in_value(c, 0);
    enum fold k = fold_of(c->node->op);
    if (v == NULL || v->is_float || wl_op_in_rank(c, 0) != 1) {
        return;
    }
    bool exclusive = wl_node_attr_int(c->node, "exclusive", 0) != 0;
    bool reverse = wl_node_attr_int(c->node, "reverse", 0) != 0;
    struct wl_value *r = wl_value_new(c, v->count, false);
    struct wl_dim sum = wl_dim_known(k == FOLD_PROD ? 1 : 0);
    for (int64_t i = 0; r != NULL && i < v->count; i++) {
        int64_t at = reverse ? v->count - 1 - i : i;
        struct wl_dim next = fold_ints(wl_op_pool(c), k, sum, v->ints[at]);
        r->ints[at] = exclusive ? sum : next;
        sum = next;
    }
    wl_op_set_value(c, 0, r);
}

/* ---- work --------------------------------------------------------------------------------------
 */

void wl_cost_reduce_mean(struct wl_op_ctx *c, struct wl_work *w)
{
    wl_cost_reduce(c, w);
    wl_work_add_typed(c, w, WL_WORK_DIVIDE, 1, wl_op_out_elems(c, 0));
}

void wl_cost_reduce_l2(struct wl_op_ctx *c, struct wl_work *w)
{
    wl_cost_reduce(c, w);
    wl_work_add(c, w, WL_WORK_SPECIAL, wl_op_out_elems(c, 0));
}

void wl_cost_reduce_log_sum(struct wl_op_ctx *c, struct wl_work *w)
{
    wl_cost_reduce(c, w);
    wl_work_add(c, w, WL_WORK_SPECIAL, wl_op_out_elems(c, 0));
}

void wl_cost_reduce_log_sum_exp(struct wl_op_ctx *c, struct wl_work *w)
{
    struct wl_dim n = wl_op_in_elems(c, 0);
    struct wl_dim m = wl_op_out_elems(c, 0);
    w->access = WL_ACCESS_REDUCE;
    wl_work_add(c, w, WL_WORK_COMPARE, n);
    wl_work_add_k(c, w, WL_WORK_ADDMUL, 2, n);
    wl_work_add(c, w, WL_WORK_SPECIAL, n);
    wl_work_add(c, w, WL_WORK_SPECIAL, m);
    wl_work_add(c, w, WL_WORK_ADDMUL, m);
}
