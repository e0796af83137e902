/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops/infer_move_view.c: operators that give the same elements a new shape (Reshape, Flatten,
 * Squeeze, Unsqueeze, Identity), that read shapes (Shape, Size), and that make constants from
 * shapes (Constant, ConstantOfShape, Range, EyeLike, random). Shapes after the ONNX operator
 * specification.
 *
 * Known simplification: an element of a target shape that is not known is taken as the one to be
 * inferred when it is the only one, since the number of elements fixes it.
 */
#include <math.h>
#include <string.h>

#include "move_priv.h"

/* ---- Reshape, Flatten --------------------------------------------------------------------- */

/* Element `i` of a Reshape target, with 0 copied from the input; `*open` is set for -1 or unknown.
 */
static struct wl_dim reshape_dim(struct wl_op_ctx *c, struct wl_dim want, int32_t i, bool *open)
{
    const struct wl_tensor *x = wl_op_in(c, 0);
    if (wl_dim_is(want, 0) && wl_node_attr_int(c->node, "allowzero", 0) == 0) {
        return i < x->rank ? x->dims[i] : wl_dim_unknown();
    }
    if (wl_dim_is(want, -1) || wl_dim_is_unknown(want)) {
        *open = true;
        return wl_dim_unknown();
    }
    if (wl_dim_is_known(want) && want.value < 0) {
        return wl_dim_unknown();
    }
    return want;
}

/* input elements / product of the other target dims, leaving out dims that both sides share. */
static struct wl_dim reshape_rest(struct wl_op_ctx *c, const struct wl_dim *dims, int32_t rank,
                                  int32_t open)
{
    struct wl_dim_pool *p = &c->g->dims;
    const struct wl_tensor *x = wl_op_in(c, 0);
    if (x->rank < 0) {
        return wl_dim_unknown();
    }
    bool used[WL_RANK_MAX] = {false};
    struct wl_dim divisor = wl_dim_known(1);
    for (int32_t i = 0; i < rank; i++) {
        int32_t match = WL_NONE;
        for (int32_t k = 0; k < x->rank && match < 0 && i != open; k++) {
            bool zero = wl_dim_is(dims[i], 0);
            match = !used[k] && !zero && wl_dim_eq(dims[i], x->dims[k]) ? k : WL_NONE;
        }
        if (match >= 0) {
            used[match] = true;
        } else if (i != open) {
            divisor = wl_dim_mul(p, divisor, dims[i]);
        }
    }
    struct wl_dim total = wl_dim_known(1);
    for (int32_t k = 0; k < x->rank; k++) {
        total = used[k] ? total : wl_dim_mul(p, total, x->dims[k]);
    }
    return wl_dim_exact_div(p, total, divisor);
}

/* Do the numbers of elements before and after contradict each other? */
static bool reshape_conflict(struct wl_op_ctx *c, const struct wl_dim *dims, int32_t rank,
                             int32_t open)
{
    struct wl_dim_pool *p = &c->g->dims;
    struct wl_dim before = wl_op_in_elems(c, 0);
    struct wl_dim after = wl_dim_known(1);
    for (int32_t i = 0; i < rank; i++) {
        after = i == open ? after : wl_dim_mul(p, after, dims[i]);
    }
    if (!wl_dim_is_known(before) || !wl_dim_is_known(after)) {
        return false;
    }
    bool fits = open < 0 ? before.value == after.value
                         : after.value == 0 || before.value % after.value == 0;
    if (!fits) {
        wl_op_conflict(c, "its input's elements do not fill the target shape");
    }
    return !fits;
}

wl_status wl_infer_reshape(struct wl_op_ctx *c)
{
    const struct wl_tensor *x = wl_op_in(c, 0);
    const struct wl_value *v = wl_op_in_value(c, 1);
    wl_op_same_dtype(c, 0, 0);
    if (x == NULL || v == NULL || v->is_float || v->count > WL_RANK_MAX) {
        return wl_op_set_rank_from(c, 0, 1, 0);
    }
    int32_t rank = (int32_t)v->count;
    struct wl_dim dims[WL_RANK_MAX];
    int32_t open = WL_NONE;
    int32_t open_count = 0;
    for (int32_t i = 0; i < rank; i++) {
        bool is_open = false;
        dims[i] = reshape_dim(c, v->ints[i], i, &is_open);
        if (is_open) {
            open = i;
            open_count++;
        }
    }
    bool conflict = open_count <= 1 && reshape_conflict(c, dims, rank, open);
    if (conflict && open_count == 0) {
        return wl_op_set_unknown_dims(c, 0, rank);
    }
    if (open_count == 1 && !conflict) {
        dims[open] = reshape_rest(c, dims, rank, open);
    }
    return wl_op_set_shape(c, 0, rank, dims);
}

wl_status wl_infer_flatten(struct wl_op_ctx *c)
{
    wl_op_same_dtype(c, 0, 0);
    const struct wl_tensor *x = wl_op_in(c, 0);
    if (x == NULL || x->rank < 0) {
        return wl_op_set_unknown_dims(c, 0, 2);
    }
    int64_t axis = wl_node_attr_int(c->node, "axis", 1);
    axis = axis < 0 ? axis + x->rank : axis;
    if (axis < 0 || axis > x->rank) {
        return wl_op_set_unknown_dims(c, 0, 2);
    }
    struct wl_dim dims[2] = {wl_dim_known(1), wl_dim_known(1)};
    for (int32_t i = 0; i < x->rank; i++) {
        int32_t side = i < axis ? 0 : 1;
        dims[side] = wl_dim_mul(&c->g->dims, dims[side], x->dims[i]);
    }
    return wl_op_set_shape(c, 0, 2, dims);
}

/* ---- Squeeze, Unsqueeze ------------------------------------------------------------------- */

/* Without axes, every dim of 1 goes; a symbolic dim may be 1, so then the rank is unknown. */
static wl_status squeeze_all(struct wl_op_ctx *c, const struct wl_tensor *x)
{
    struct wl_dim dims[WL_RANK_MAX];
    int32_t rank = 0;
    for (int32_t i = 0; i < x->rank; i++) {
        if (!wl_dim_is_known(x->dims[i])) {
            return WL_OK;
        }
        if (x->dims[i].value != 1) {
            dims[rank++] = x->dims[i];
        }
    }
    return wl_op_set_shape(c, 0, rank, dims);
}

wl_status wl_infer_squeeze(struct wl_op_ctx *c)
{
    wl_op_same_dtype(c, 0, 0);
    const struct wl_tensor *x = wl_op_in(c, 0);
    if (x == NULL || x->rank < 0 || x->rank > WL_RANK_MAX) {
        return WL_OK;
    }
    if (wl_op_in(c, 1) == NULL) {
        return squeeze_all(c, x);
    }
    const struct wl_value *axes = wl_op_in_value(c, 1);
    if (axes == NULL) {
        struct wl_dim n = wl_op_in_dim(c, 1, 0);
        bool usable = wl_op_in_rank(c, 1) == 1 && wl_dim_is_known(n);
        return usable ? wl_op_set_unknown_dims(c, 0, x->rank - n.value) : WL_OK;
    }
    bool gone[WL_RANK_MAX] = {false};
    for (int64_t i = 0; i < axes->count; i++) {
        int32_t axis;
        if (!wl_value_axis(axes, i, x->rank, &axis)) {
            return WL_OK;
        }
        if (wl_dim_ne(x->dims[axis], wl_dim_known(1))) {
            wl_op_conflict(c, "axis %d, to be squeezed, is not 1", (int)axis);
            return WL_OK;
        }
        gone[axis] = true;
    }
    struct wl_dim dims[WL_RANK_MAX];
    int32_t rank = 0;
    for (int32_t i = 0; i < x->rank; i++) {
        if (!gone[i]) {
            dims[rank++] = x->dims[i];
        }
    }
    return wl_op_set_shape(c, 0, rank, dims);
}

wl_status wl_infer_unsqueeze(struct wl_op_ctx *c)
{
    wl_op_same_dtype(c, 0, 0);
    const struct wl_tensor *x = wl_op_in(c, 0);
    const struct wl_value *axes = wl_op_in_value(c, 1);
    if (x == NULL || x->rank < 0) {
        return WL_OK;
    }
    if (axes == NULL) {
        return wl_op_set_rank_from(c, 0, 1, x->rank);
    }
    if (axes->count + x->rank > WL_RANK_MAX) {
        return WL_OK;
    }
    int32_t rank = x->rank + (int32_t)axes->count;
    bool fresh[WL_RANK_MAX] = {false};
    for (int64_t i = 0; i < axes->count; i++) {
        int32_t axis;
        if (!wl_value_axis(axes, i, rank, &axis) || fresh[axis]) {
            return WL_OK;
        }
        fresh[axis] = true;
    }
    struct wl_dim dims[WL_RANK_MAX];
    int32_t from = 0;
    for (int32_t i = 0; i < rank; i++) {
        dims[i] = fresh[i] ? wl_dim_known(1) : x->dims[from++];
    }
    return wl_op_set_shape(c, 0, rank, dims);
}

/* com.microsoft.ExpandDims: one axis, from a constant. */
wl_status wl_infer_expand_dims(struct wl_op_ctx *c)
{
    wl_op_same_dtype(c, 0, 0);
    const struct wl_tensor *x = wl_op_in(c, 0);
    const struct wl_value *v = wl_op_in_value(c, 1);
    if (x == NULL || x->rank < 0 || x->rank >= WL_RANK_MAX) {
        return WL_OK;
    }
    int32_t axis;
    if (v == NULL || v->count != 1 || !wl_value_axis(v, 0, x->rank + 1, &axis)) {
        return wl_op_set_unknown_dims(c, 0, x->rank + 1);
    }
    struct wl_dim dims[WL_RANK_MAX];
    for (int32_t i = 0; i <= x->rank; i++) {
        dims[i] = i == axis ? wl_dim_known(1) : x->dims[i < axis ? i : i - 1];
    }
    return wl_op_set_shape(c, 0, x->rank + 1, dims);
}

/* Tensors, sequences and optionals alike. */
wl_status wl_infer_identity(struct wl_op_ctx *c)
{
    struct wl_tensor *y = wl_op_out(c, 0);
    const struct wl_tensor *x = wl_op_in(c, 0);
    wl_op_set_same(c, 0, 0);
    if (x != NULL && y != NULL) {
        y->length = x->length;
    }
    return WL_OK;
}

/* ---- Shape, Size -------------------------------------------------------------------------- */

static void shape_range(const struct wl_op_ctx *c, int32_t rank, int32_t *first, int32_t *last)
{
    int64_t start = wl_node_attr_int(c->node, "start", 0);
    int64_t end = wl_node_attr_int(c->node, "end", rank);
    start = start < 0 ? start + rank : start;
    end = end < 0 ? end + rank : end;
    *first = (int32_t)wl_max_i64(0, wl_min_i64(start, rank));
    *last = (int32_t)wl_max_i64(*first, wl_min_i64(end, rank));
}

wl_status wl_infer_shape(struct wl_op_ctx *c)
{
    wl_op_set_dtype(c, 0, WL_DT_INT64);
    int32_t rank = wl_op_in_rank(c, 0);
    struct wl_dim n = wl_dim_unknown();
    if (rank >= 0) {
        int32_t first;
        int32_t last;
        shape_range(c, rank, &first, &last);
        n = wl_dim_known(last - first);
    }
    return wl_op_set_shape(c, 0, 1, &n);
}

void wl_value_shape(struct wl_op_ctx *c)
{
    const struct wl_tensor *x = wl_op_in(c, 0);
    if (x == NULL || x->rank < 0) {
        return;
    }
    int32_t first;
    int32_t last;
    shape_range(c, x->rank, &first, &last);
    struct wl_value *v = wl_value_new(c, last - first, false);
    for (int32_t i = first; v != NULL && i < last; i++) {
        v->ints[i - first] = x->dims[i];
    }
    wl_op_set_value(c, 0, v);
}

wl_status wl_infer_size(struct wl_op_ctx *c)
{
    wl_op_set_dtype(c, 0, WL_DT_INT64);
    return wl_op_set_shape(c, 0, 0, NULL);
}

void wl_value_size(struct wl_op_ctx *c)
{
    struct wl_value *v = wl_value_new(c, 1, false);
    if (wl_op_has_in(c, 0) && v != NULL) {
        v->ints[0] = wl_op_in_elems(c, 0);
        wl_op_set_value(c, 0, v);
    }
}

/* ---- Constant ----------------------------------------------------------------------------- */

static wl_status constant_list(struct wl_op_ctx *c, const struct wl_attr *a)
{
    bool list = a->type == WL_ATTR_INTS || a->type == WL_ATTR_FLOATS || a->type == WL_ATTR_STRINGS;
    enum wl_dtype dtype = WL_DT_STRING;
    if (a->type == WL_ATTR_INTS || a->type == WL_ATTR_INT) {
        dtype = WL_DT_INT64;
    } else if (a->type == WL_ATTR_FLOATS || a->type == WL_ATTR_FLOAT) {
        dtype = WL_DT_FLOAT;
    }
    wl_op_set_dtype(c, 0, dtype);
    struct wl_dim n = wl_dim_known(a->count);
    return wl_op_set_shape(c, 0, list ? 1 : 0, &n);
}

static wl_status constant_tensor(struct wl_op_ctx *c, const struct wl_attr_tensor *t)
{
    struct wl_tensor *out = wl_op_out(c, 0);
    wl_op_set_dtype(c, 0, t->dtype);
    if (t->rank < 0 || t->rank > WL_RANK_MAX) {
        return WL_OK;
    }
    if (out != NULL) {
        out->strings = t->strings;
    }
    struct wl_dim dims[WL_RANK_MAX];
    for (int32_t i = 0; i < t->rank; i++) {
        dims[i] = wl_dim_known(t->dims[i]);
    }
    return wl_op_set_shape(c, 0, t->rank, dims);
}

/* The one attribute that holds the value: its name starts with "value" or is "sparse_value". */
static const struct wl_attr *constant_attr(const struct wl_op_ctx *c)
{
    for (int32_t i = 0; i < c->node->attr_count; i++) {
        const struct wl_attr *a = &c->node->attrs[i];
        if ((a->name.len >= 5 && memcmp(a->name.data, "value", 5) == 0) ||
            wl_str_is(a->name, "sparse_value")) {
            return a;
        }
    }
    return NULL;
}

wl_status wl_infer_constant(struct wl_op_ctx *c)
{
    const struct wl_attr *a = constant_attr(c);
    if (a == NULL) {
        return WL_OK;
    }
    switch (a->type) {
    case WL_ATTR_TENSOR:
        return a->u.tensor != NULL ? constant_tensor(c, a->u.tensor) : WL_OK;
    case WL_ATTR_INT:
    case WL_ATTR_INTS:
    case WL_ATTR_FLOAT:
    case WL_ATTR_FLOATS:
    case WL_ATTR_STRING:
    case WL_ATTR_STRINGS:
        return constant_list(c, a);
    case WL_ATTR_BLOCK:
    case WL_ATTR_BLOCKS:
    case WL_ATTR_TENSORS:
    case WL_ATTR_TYPE:
        return WL_OK;
    }
    return WL_OK;
}

void wl_value_constant(struct wl_op_ctx *c)
{
    const struct wl_attr *a = constant_attr(c);
    if (a == NULL) {
        return;
    }
    if (a->type == WL_ATTR_TENSOR) {
        if (a->u.tensor != NULL && a->u.tensor->value != NULL) {
            wl_op_set_value(c, 0, a->u.tensor->value);
        }
        return;
    }
    bool is_float = a->type == WL_ATTR_FLOAT || a->type == WL_ATTR_FLOATS;
    bool is_int = a->type == WL_ATTR_INT || a->type == WL_ATTR_INTS;
    bool list = a->type == WL_ATTR_FLOATS || a->type == WL_ATTR_INTS;
    struct wl_value *v = is_float || is_int ? wl_value_new(c, list ? a->count : 1, is_float) : NULL;
    for (int64_t i = 0; v != NULL && i < v->count; i++) {
        if (is_float) {
            v->floats[i] = list ? a->u.floats[i] : a->u.f;
        } else {
            v->ints[i] = wl_dim_known(list ? a->u.ints[i] : a->u.i);
        }
    }
    wl_op_set_value(c, 0, v);
}

/* ---- ConstantOfShape, Range, EyeLike ------------------------------------------------------ */

/* The dims that the 1-D integer tensor at input `i` lists. */
static wl_status shape_from_input(struct wl_op_ctx *c, int32_t i)
{
    const struct wl_value *v = wl_op_in_value(c, i);
    if (v == NULL || v->is_float || v->count > WL_RANK_MAX) {
        return wl_op_set_rank_from(c, 0, i, 0);
    }
    struct wl_dim dims[WL_RANK_MAX];
    for (int64_t k = 0; k < v->count; k++) {
        bool negative = wl_dim_is_known(v->ints[k]) && v->ints[k].value < 0;
        dims[k] = negative ? wl_dim_unknown() : v->ints[k];
    }
    return wl_op_set_shape(c, 0, (int32_t)v->count, dims);
}

wl_status wl_infer_constant_of_shape(struct wl_op_ctx *c)
{
    const struct wl_attr *a = wl_node_attr(c->node, "value");
    bool given = a != NULL && a->type == WL_ATTR_TENSOR && a->u.tensor != NULL;
    wl_op_set_dtype(c, 0, given ? a->u.tensor->dtype : WL_DT_FLOAT);
    return shape_from_input(c, 0);
}

void wl_value_constant_of_shape(struct wl_op_ctx *c)
{
    const struct wl_attr *a = wl_node_attr(c->node, "value");
    const struct wl_value *fill = NULL;
    bool given = a != NULL && a->type == WL_ATTR_TENSOR && a->u.tensor != NULL;
    if (given) {
        fill = a->u.tensor->value;
    }
    int64_t count;
    if ((given && (fill == NULL || fill->count < 1)) || !wl_op_out_count(c, 0, &count)) {
        return;
    }
    bool is_float = fill == NULL || fill->is_float;
    struct wl_value *v = wl_value_new(c, count, is_float);
    for (int64_t i = 0; v != NULL && i < count; i++) {
        if (is_float) {
            v->floats[i] = fill == NULL ? 0.0 : fill->floats[0];
        } else {
            v->ints[i] = fill->ints[0];
        }
    }
    wl_op_set_value(c, 0, v);
}

/* ceil((limit - start) / delta), at least 0. delta may be omitted in com.microsoft: 1. */
static struct wl_dim range_count(struct wl_op_ctx *c)
{
    struct wl_dim_pool *p = &c->g->dims;
    struct wl_dim one_int = wl_dim_known(1);
    struct wl_value one = {.count = 1, .ints = &one_int};
    const struct wl_value *v[3];
    for (int32_t i = 0; i < 3; i++) {
        v[i] = i == 2 && !wl_op_has_in(c, 2) ? &one : wl_op_in_value(c, i);
        if (v[i] == NULL || v[i]->count != 1) {
            return wl_dim_unknown();
        }
    }
    if (v[0]->is_float || v[1]->is_float || v[2]->is_float) {
        double x[3];
        for (int32_t i = 0; i < 3; i++) {
            x[i] = wl_value_float(v[i], 0);
        }
        double n = ceil((x[1] - x[0]) / x[2]);
        return isfinite(n) && n < 9.0e15 ? wl_dim_known(n > 0 ? (int64_t)n : 0) : wl_dim_unknown();
    }
    struct wl_dim start = v[0]->ints[0];
    struct wl_dim limit = v[1]->ints[0];
    struct wl_dim delta = v[2]->ints[0];
    if (!wl_dim_is_known(delta) || delta.value == 0 || delta.value == INT64_MIN) {
        return wl_dim_unknown();
    }
    struct wl_dim span =
        delta.value > 0 ? wl_dim_sub(p, limit, start) : wl_dim_sub(p, start, limit);
    int64_t step = delta.value > 0 ? delta.value : -delta.value;
    struct wl_dim n = wl_dim_ceil_div(p, span, wl_dim_known(step));
    return wl_dim_max(p, n, wl_dim_known(0));
}

wl_status wl_infer_range(struct wl_op_ctx *c)
{
    wl_op_same_dtype(c, 0, 0);
    struct wl_dim n = range_count(c);
    return wl_op_set_shape(c, 0, 1, &n);
}

void wl_value_range(struct wl_op_ctx *c)
{
    int64_t count;
    const struct wl_value *start = wl_op_in_value(c, 0);
    const struct wl_value *delta = wl_op_in_value(c, 2);
    if (start == NULL || delta == NULL || start->count != 1 || delta->count != 1 ||
        start->is_float != delta->is_float || !wl_op_out_count(c, 0, &count)) {
        return;
    }
    struct wl_dim_pool *p = &c->g->dims;
    struct wl_value *v = wl_value_new(c, count, start->is_float);
    for (int64_t i = 0; v != NULL && i < count; i++) {
        if (v->is_float) {
            v->floats[i] = start->floats[0] + (double)i * delta->floats[0];
        } else {
            v->ints[i] = wl_dim_add(p, start->ints[0], wl_dim_mul_k(p, delta->ints[0], i));
        }
    }
    wl_op_set_value(c, 0, v);
}

/* Shape of input 0; type from the attribute `dtype` when given, else that of input 0. */
wl_status wl_infer_random_like(struct wl_op_ctx *c)
{
    int64_t dtype = wl_node_attr_int(c->node, "dtype", 0);
    wl_op_set_same(c, 0, 0);
    if (dtype > 0) {
        wl_op_set_dtype(c, 0, wl_dtype_of_number(dtype));
    }
    return WL_OK;
}

wl_status wl_infer_eye_like(struct wl_op_ctx *c)
{
    return wl_infer_random_like(c);
}

void wl_value_eye_like(struct wl_op_ctx *c)
{
    const struct wl_tensor *y = wl_op_out(c, 0);
    int64_t count;
    if (y == NULL || y->rank != 2 || !wl_op_out_count(c, 0, &count)) {
        return;
    }
    int64_t diagonal = wl_node_attr_int(c->node, "k", 0);
    bool is_float = wl_dtype_is_float(y->dtype);
    struct wl_value *v = wl_value_new(c, count, is_float);
    for (int64_t i = 0; v != NULL && i < count; i++) {
        int64_t column = i % y->dims[1].value;
        int64_t row = i / y->dims[1].value;
        int64_t one;
        bool on = !__builtin_sub_overflow(column, row, &one) && one == diagonal;
        if (is_float) {
            v->floats[i] = on ? 1.0 : 0.0;
        } else {
            v->ints[i] = wl_dim_known(on ? 1 : 0);
        }
    }
    wl_op_set_value(c, 0, v);
}

/* ---- random ------------------------------------------------------------------------------- */

/* RandomNormal, RandomUniform: shape and type from attributes. */
wl_status wl_infer_random(struct wl_op_ctx *c)
{
    wl_op_set_dtype(c, 0, wl_dtype_of_number(wl_node_attr_int(c->node, "dtype", WL_DT_FLOAT)));
    const struct wl_attr *a = wl_node_attr(c->node, "shape");
    if (a == NULL || a->type != WL_ATTR_INTS || a->count > WL_RANK_MAX) {
        return WL_OK;
    }
    struct wl_dim dims[WL_RANK_MAX];
    for (int32_t i = 0; i < a->count; i++) {
        dims[i] = a->u.ints[i] < 0 ? wl_dim_unknown() : wl_dim_known(a->u.ints[i]);
    }
    return wl_op_set_shape(c, 0, a->count, dims);
}

wl_status wl_infer_multinomial(struct wl_op_ctx *c)
{
    wl_op_set_dtype(c, 0, wl_dtype_of_number(wl_node_attr_int(c->node, "dtype", WL_DT_INT32)));
    struct wl_dim dims[2] = {wl_op_in_dim(c, 0, 0),
                             wl_dim_known(wl_node_attr_int(c->node, "sample_size", 1))};
    return wl_op_set_shape(c, 0, 2, dims);
}
