/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops/infer_move_index.c: shapes of operators that select elements by index or by value: the Gather
 * family, OneHot, Compress, NonZero, Unique, TopK. Where the size depends on data that is not
 * known, the dim is a symbol named after the node, with the upper bound that follows from the
 * input.
 */
#include <inttypes.h>
#include <stdio.h>

#include "move_priv.h"

/* ---- helpers of move_priv.h --------------------------------------------------------------- */

wl_status wl_op_set_unknown_dims(struct wl_op_ctx *c, int32_t o, int64_t rank)
{
    struct wl_dim dims[WL_RANK_MAX];
    if (rank < 0 || rank > WL_RANK_MAX) {
        return WL_OK;
    }
    for (int32_t i = 0; i < rank; i++) {
        dims[i] = wl_dim_unknown();
    }
    return wl_op_set_shape(c, o, (int32_t)rank, dims);
}

wl_status wl_op_set_rank_from(struct wl_op_ctx *c, int32_t o, int32_t i, int64_t extra)
{
    struct wl_dim n = wl_op_in_dim(c, i, 0);
    bool usable = wl_op_in_rank(c, i) == 1 && wl_dim_is_known(n) && n.value <= WL_RANK_MAX;
    return usable ? wl_op_set_unknown_dims(c, o, n.value + extra) : WL_OK;
}

bool wl_value_axis(const struct wl_value *v, int64_t i, int32_t rank, int32_t *axis)
{
    if (v == NULL || v->is_float || i >= v->count || !wl_dim_is_known(v->ints[i])) {
        return false;
    }
    return wl_op_axis(v->ints[i].value, rank, axis);
}

bool wl_op_out_count(const struct wl_op_ctx *c, int32_t o, int64_t *count)
{
    const struct wl_tensor *y = wl_op_out(c, o);
    int64_t n = 1;
    if (y == NULL || y->rank < 0 || y->type_kind != WL_TYPE_TENSOR) {
        return false;
    }
    for (int32_t i = 0; i < y->rank; i++) {
        bool fits = wl_dim_is_known(y->dims[i]) && wl_mul_i64(n, y->dims[i].value, &n);
        if (!fits || n > WL_VALUE_MAX) {
            return false;
        }
    }
    *count = n;
    return true;
}

enum wl_dtype wl_dtype_of_number(int64_t number)
{
    return number > 0 && number < WL_DT_COUNT ? (enum wl_dtype)number : WL_DT_UNDEFINED;
}

struct wl_dim wl_op_merge_dim(struct wl_dim a, struct wl_dim b)
{
    if (wl_dim_is_known(a)) {
        return a;
    }
    return wl_dim_is_known(b) || wl_dim_is_unknown(a) ? b : a;
}

struct wl_dim wl_op_data_dim(const struct wl_op_ctx *c, const char *what, struct wl_dim upper)
{
    char name[256];
    struct wl_str n = c->node->name;
    if (n.len == 0) {
        (void)snprintf(name, sizeof(name), "%.*s_%" PRId32 ".%s", WL_STR_ARG(c->node->op_type),
                       c->node_id, what);
    } else {
        int len = (int)wl_min_i64((int64_t)n.len, 200);
        (void)snprintf(name, sizeof(name), "%.*s.%s", len, n.data, what);
    }
    return wl_dim_data_symbol(&c->g->dims, name, upper);
}

int32_t wl_value_truth(const struct wl_value *v, int64_t i)
{
    if (v->is_float) {
        return v->floats[i] != v->floats[i] ? WL_NONE : v->floats[i] != 0.0;
    }
    if (wl_dim_is_known(v->ints[i])) {
        return v->ints[i].value != 0;
    }
    return WL_NONE;
}

int64_t wl_value_count_nonzero(const struct wl_value *v)
{
    int64_t count = 0;
    for (int64_t i = 0; i < v->count; i++) {
        int32_t truth = wl_value_truth(v, i);
        if (truth < 0) {
            return WL_NONE;
        }
        count += truth;
    }
    return count;
}

/* ---- Gather ------------------------------------------------------------------------------- */

wl_status wl_infer_gather(struct wl_op_ctx *c)
{
    wl_op_same_dtype(c, 0, 0);
    const struct wl_tensor *x = wl_op_in(c, 0);
    const struct wl_tensor *at = wl_op_in(c, 1);
    int32_t axis;
    if (x == NULL || at == NULL || x->rank < 0 || at->rank < 0 ||
        x->rank - 1 + at->rank > WL_RANK_MAX ||
        !wl_op_axis(wl_node_attr_int(c->node, "axis", 0), x->rank, &axis)) {
        return WL_OK;
    }
    struct wl_dim dims[2 * WL_RANK_MAX];
    int32_t rank = 0;
    for (int32_t i = 0; i < axis; i++) {
        dims[rank++] = x->dims[i];
    }
    for (int32_t i = 0; i < at->rank; i++) {
        dims[rank++] = at->dims[i];
    }
    for (int32_t i = axis + 1; i < x->rank; i++) {
        dims[rank++] = x->dims[i];
    }
    return wl_op_set_shape(c, 0, rank, dims);
}

wl_status wl_infer_gather_elements(struct wl_op_ctx *c)
{
    wl_op_same_dtype(c, 0, 0);
    wl_op_set_shape_of(c, 0, 1);
    return WL_OK;
}

wl_status wl_infer_gather_nd(struct wl_op_ctx *c)
{
    wl_op_same_dtype(c, 0, 0);
    const struct wl_tensor *x = wl_op_in(c, 0);
    const struct wl_tensor *at = wl_op_in(c, 1);
    int64_t batch = wl_node_attr_int(c->node, "batch_dims", 0);
    if (x == NULL || at == NULL || x->rank < 0 || at->rank < 1 || batch < 0 || batch >= at->rank) {
        return WL_OK;
    }
    struct wl_dim width = at->dims[at->rank - 1];
    if (!wl_dim_is_known(width) || width.value < 0 || width.value > x->rank - batch ||
        at->rank - 1 + x->rank > WL_RANK_MAX) {
        return WL_OK;
    }
    struct wl_dim dims[2 * WL_RANK_MAX];
    int32_t rank = 0;
    for (int32_t i = 0; i < at->rank - 1; i++) {
        dims[rank++] = i < batch ? wl_op_merge_dim(at->dims[i], x->dims[i]) : at->dims[i];
    }
    for (int32_t i = (int32_t)(batch + width.value); i < x->rank; i++) {
        dims[rank++] = x->dims[i];
    }
    return wl_op_set_shape(c, 0, rank, dims);
}

/* ---- OneHot ------------------------------------------------------------------------------- */

wl_status wl_infer_one_hot(struct wl_op_ctx *c)
{
    wl_op_same_dtype(c, 0, 2);
    const struct wl_tensor *x = wl_op_in(c, 0);
    int32_t axis;
    if (x == NULL || x->rank < 0 || x->rank >= WL_RANK_MAX ||
        !wl_op_axis(wl_node_attr_int(c->node, "axis", -1), x->rank + 1, &axis)) {
        return WL_OK;
    }
    struct wl_dim depth = wl_op_in_scalar(c, 1);
    double number;
    if (!wl_dim_is_symbolic(depth) && wl_op_in_number(c, 1, &number) && number >= 0.0 &&
        number < 9.0e15) {
        depth = wl_dim_known((int64_t)number);
    }
    struct wl_dim dims[WL_RANK_MAX];
    for (int32_t i = 0; i <= x->rank; i++) {
        dims[i] = i == axis ? depth : x->dims[i < axis ? i : i - 1];
    }
    return wl_op_set_shape(c, 0, x->rank + 1, dims);
}

/* ---- sizes that depend on data ------------------------------------------------------------ */

wl_status wl_infer_compress(struct wl_op_ctx *c)
{
    wl_op_same_dtype(c, 0, 0);
    const struct wl_tensor *x = wl_op_in(c, 0);
    const struct wl_attr *a = wl_node_attr(c->node, "axis");
    int32_t rank = x == NULL ? WL_NONE : x->rank;
    int32_t axis = 0;
    bool flat = a == NULL;
    if (!flat && (rank < 0 || !wl_op_axis(a->u.i, rank, &axis))) {
        return WL_OK;
    }
    struct wl_dim along = flat ? wl_op_in_elems(c, 0) : x->dims[axis];
    const struct wl_value *mask = wl_op_in_value(c, 1);
    struct wl_dim upper = wl_dim_min(&c->g->dims, along, wl_op_in_elems(c, 1));
    struct wl_dim count = wl_dim_unknown();
    if (mask != NULL && wl_value_count_nonzero(mask) >= 0) {
        count = wl_dim_known(wl_value_count_nonzero(mask));
    } else {
        count = wl_op_data_dim(c, "count", upper);
    }
    if (flat) {
        return wl_op_set_shape(c, 0, 1, &count);
    }
    struct wl_dim dims[WL_RANK_MAX];
    for (int32_t i = 0; i < rank; i++) {
        dims[i] = i == axis ? count : x->dims[i];
    }
    return wl_op_set_shape(c, 0, rank, dims);
}

wl_status wl_infer_non_zero(struct wl_op_ctx *c)
{
    wl_op_set_dtype(c, 0, WL_DT_INT64);
    int32_t rank = wl_op_in_rank(c, 0);
    const struct wl_value *v = wl_op_in_value(c, 0);
    struct wl_dim dims[2];
    dims[0] = rank > 0 ? wl_dim_known(rank) : wl_dim_unknown();
    int64_t count = v == NULL ? WL_NONE : wl_value_count_nonzero(v);
    dims[1] = count >= 0 ? wl_dim_known(count) : wl_op_data_dim(c, "count", wl_op_in_elems(c, 0));
    return wl_op_set_shape(c, 0, 2, dims);
}

/* Equal for certain: 1; different: 0; not known: WL_NONE. */
static int32_t elements_equal(const struct wl_value *v, int64_t a, int64_t b)
{
    if (v->is_float) {
        bool nan = v->floats[a] != v->floats[a] || v->floats[b] != v->floats[b];
        return nan ? WL_NONE : v->floats[a] == v->floats[b];
    }
    if (wl_dim_is_known(v->ints[a]) && wl_dim_is_known(v->ints[b])) {
        return v->ints[a].value == v->ints[b].value;
    }
    return wl_dim_eq(v->ints[a], v->ints[b]) ? 1 : WL_NONE;
}

/* Element k of slice s: rows of `inner` elements, `outer` blocks that are `along` slices long. */
static int64_t slice_element(int64_t s, int64_t k, int64_t along, int64_t inner)
{
    return (k / inner) * along * inner + s * inner + k % inner;
}

#define UNIQUE_WORK_MAX (1 << 16)

/* Distinct slices along an axis of a known value; WL_NONE when not known. */
static int64_t unique_count(const struct wl_value *v, int64_t along, int64_t inner)
{
    int64_t size = along > 0 ? v->count / along : 0;
    if (along <= 0 || size <= 0 || along * along > UNIQUE_WORK_MAX / size) {
        return v->count == 0 ? 0 : WL_NONE;
    }
    int64_t distinct = 0;
    for (int64_t s = 0; s < along; s++) {
        bool fresh = true;
        for (int64_t t = 0; t < s && fresh; t++) {
            int32_t same = 1;
            for (int64_t k = 0; k < size && same == 1; k++) {
                same = elements_equal(v, slice_element(s, k, along, inner),
                                      slice_element(t, k, along, inner));
            }
            if (same < 0) {
                return WL_NONE;
            }
            fresh = same == 0;
        }
        distinct += fresh;
    }
    return distinct;
}

wl_status wl_infer_unique(struct wl_op_ctx *c)
{
    const struct wl_tensor *x = wl_op_in(c, 0);
    wl_op_same_dtype(c, 0, 0);
    for (int32_t o = 1; o < 4; o++) {
        wl_op_set_dtype(c, o, WL_DT_INT64);
    }
    const struct wl_attr *a = wl_node_attr(c->node, "axis");
    bool flat = a == NULL;
    int32_t rank = x == NULL ? WL_NONE : x->rank;
    int32_t axis = 0;
    if (!flat && !wl_op_axis(a->u.i, rank, &axis)) {
        return WL_OK;
    }
    struct wl_dim along = flat ? wl_op_in_elems(c, 0) : x->dims[axis];
    struct wl_dim inner = flat ? wl_dim_known(1) : wl_op_product(c, x->dims, axis + 1, rank);
    const struct wl_value *v = wl_op_in_value(c, 0);
    int64_t n = WL_NONE;
    if (v != NULL && wl_dim_is_known(along) && wl_dim_is_known(inner)) {
        n = unique_count(v, along.value, inner.value);
    }
    struct wl_dim count = n >= 0 ? wl_dim_known(n) : wl_op_data_dim(c, "count", along);
    struct wl_dim dims[WL_RANK_MAX];
    for (int32_t i = 0; i < rank && !flat; i++) {
        dims[i] = i == axis ? count : x->dims[i];
    }
    WL_TRY(wl_op_set_shape(c, 0, flat ? 1 : rank, flat ? &count : dims));
    WL_TRY(wl_op_set_shape(c, 1, 1, &count));
    WL_TRY(wl_op_set_shape(c, 2, 1, &along));
    return wl_op_set_shape(c, 3, 1, &count);
}

/* com.microsoft.Unique: flat, three outputs, order of appearance. */
wl_status wl_infer_unique_flat(struct wl_op_ctx *c)
{
    wl_op_same_dtype(c, 0, 0);
    wl_op_set_dtype(c, 1, WL_DT_INT64);
    wl_op_set_dtype(c, 2, WL_DT_INT64);
    const struct wl_value *v = wl_op_in_value(c, 0);
    struct wl_dim along = wl_op_in_elems(c, 0);
    int64_t n = v == NULL ? WL_NONE : unique_count(v, v->count, 1);
    struct wl_dim count = n >= 0 ? wl_dim_known(n) : wl_op_data_dim(c, "count", along);
    WL_TRY(wl_op_set_shape(c, 0, 1, &count));
    WL_TRY(wl_op_set_shape(c, 1, 1, &along));
    return wl_op_set_shape(c, 2, 1, &count);
}

/* ---- TopK --------------------------------------------------------------------------------- */

wl_status wl_infer_topk(struct wl_op_ctx *c)
{
    const struct wl_tensor *x = wl_op_in(c, 0);
    wl_op_same_dtype(c, 0, 0);
    wl_op_set_dtype(c, 1, WL_DT_INT64);
    int32_t axis;
    if (x == NULL || !wl_op_axis(wl_node_attr_int(c->node, "axis", -1), x->rank, &axis)) {
        return WL_OK;
    }
    struct wl_dim dims[WL_RANK_MAX];
    for (int32_t i = 0; i < x->rank; i++) {
        dims[i] = x->dims[i];
    }
    dims[axis] = wl_op_in_scalar(c, 1);
    WL_TRY(wl_op_set_shape(c, 0, x->rank, dims));
    return wl_op_set_shape(c, 1, x->rank, dims);
}
