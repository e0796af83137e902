/* SPDX-License-Identifier: Apache-2.0 */
/*
 * infer_common: the helpers of ops_priv.h. How a row reads inputs and attributes, how shapes are
 * set and broadcast, how small values are built, how work is added up; and the row functions that
 * many operators share. Broadcasting follows ONNX's "multidirectional" rule (Broadcasting.md),
 * which is numpy's.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ops_priv.h"

/* ---- inputs and outputs ---------------------------------------------------------------------- */

struct wl_tensor *wl_op_in(const struct wl_op_ctx *c, int32_t i)
{
    int32_t id = wl_node_input(c->node, i);
    return id == WL_NONE ? NULL : &c->g->tensors[id];
}

struct wl_tensor *wl_op_out(const struct wl_op_ctx *c, int32_t i)
{
    int32_t id = wl_node_output(c->node, i);
    return id == WL_NONE ? NULL : &c->g->tensors[id];
}

bool wl_op_has_in(const struct wl_op_ctx *c, int32_t i)
{
    return wl_node_input(c->node, i) != WL_NONE;
}

bool wl_op_has_out(const struct wl_op_ctx *c, int32_t i)
{
    return wl_node_output(c->node, i) != WL_NONE;
}

enum wl_dtype wl_op_in_dtype(const struct wl_op_ctx *c, int32_t i)
{
    const struct wl_tensor *t = wl_op_in(c, i);
    return t == NULL ? WL_DT_UNDEFINED : t->dtype;
}

static int32_t rank_of(const struct wl_tensor *t)
{
    return t == NULL || (t->type_kind != WL_TYPE_TENSOR && t->type_kind != WL_TYPE_SPARSE)
               ? WL_NONE
               : t->rank;
}

int32_t wl_op_in_rank(const struct wl_op_ctx *c, int32_t i)
{
    return rank_of(wl_op_in(c, i));
}

int32_t wl_op_out_rank(const struct wl_op_ctx *c, int32_t i)
{
    return rank_of(wl_op_out(c, i));
}

static struct wl_dim dim_of(const struct wl_tensor *t, int32_t axis)
{
    int32_t rank = rank_of(t);
    if (axis < 0) {
        axis += rank;
    }
    return rank == WL_NONE || axis < 0 || axis >= rank ? wl_dim_unknown() : t->dims[axis];
}

struct wl_dim wl_op_in_dim(const struct wl_op_ctx *c, int32_t i, int32_t axis)
{
    return dim_of(wl_op_in(c, i), axis);
}

struct wl_dim wl_op_out_dim(const struct wl_op_ctx *c, int32_t i, int32_t axis)
{
    return dim_of(wl_op_out(c, i), axis);
}

struct wl_dim wl_op_product(const struct wl_op_ctx *c, const struct wl_dim *dims, int32_t from,
                            int32_t to)
{
    struct wl_dim n = wl_dim_known(1);
    for (int32_t i = from; i < to; i++) {
        n = wl_dim_mul(wl_op_pool(c), n, dims[i]);
    }
    return n;
}

static struct wl_dim elems_of(const struct wl_op_ctx *c, const struct wl_tensor *t)
{
    if (t == NULL) {
        return wl_dim_known(0);
    }
    int32_t rank = rank_of(t);
    return rank == WL_NONE ? wl_dim_unknown() : wl_op_product(c, t->dims, 0, rank);
}

struct wl_dim wl_op_in_elems(const struct wl_op_ctx *c, int32_t i)
{
    return elems_of(c, wl_op_in(c, i));
}

struct wl_dim wl_op_out_elems(const struct wl_op_ctx *c, int32_t i)
{
    return elems_of(c, wl_op_out(c, i));
}

const struct wl_value *wl_op_in_value(const struct wl_op_ctx *c, int32_t i)
{
    const struct wl_tensor *t = wl_op_in(c, i);
    return t == NULL ? NULL : t->value;
}

void wl_op_set_dtype(struct wl_op_ctx *c, int32_t o, enum wl_dtype dtype)
{
    struct wl_tensor *t = wl_op_out(c, o);
    if (t != NULL) {
        t->type_kind = WL_TYPE_TENSOR;
        t->dtype = dtype;
    }
}

wl_status wl_op_set_shape(struct wl_op_ctx *c, int32_t o, int32_t rank, const struct wl_dim *dims)
{
    struct wl_tensor *t = wl_op_out(c, o);
    if (t == NULL || rank < 0 || rank > WL_RANK_MAX) {
        return WL_OK;
    }
    for (int32_t i = 0; i < rank; i++) {
        if (wl_dim_is_known(dims[i]) && dims[i].value < 0) {
            wl_op_conflict(c, "output %d would have a negative dimension %d", (int)o, (int)i);
            return WL_OK;
        }
    }
    struct wl_dim *copy = wl_arena_copy(c->g->arena, dims, (size_t)rank * sizeof(*dims));
    WL_TRY_PTR(copy, c->err);
    t->type_kind = WL_TYPE_TENSOR;
    t->rank = rank;
    t->dims = copy;
    return WL_OK;
}

wl_status wl_op_set(struct wl_op_ctx *c, int32_t o, enum wl_dtype dtype, int32_t rank,
                    const struct wl_dim *dims)
{
    wl_op_set_dtype(c, o, dtype);
    return wl_op_set_shape(c, o, rank, dims);
}

void wl_op_set_shape_of(struct wl_op_ctx *c, int32_t o, int32_t i)
{
    const struct wl_tensor *in = wl_op_in(c, i);
    struct wl_tensor *out = wl_op_out(c, o);
    if (in == NULL || out == NULL || rank_of(in) == WL_NONE) {
        return;
    }
    out->type_kind = WL_TYPE_TENSOR;
    out->rank = in->rank;
    out->dims = in->dims;
}

void wl_op_set_same(struct wl_op_ctx *c, int32_t o, int32_t i)
{
    const struct wl_tensor *in = wl_op_in(c, i);
    struct wl_tensor *out = wl_op_out(c, o);
    if (in == NULL || out == NULL) {
        return;
    }
    out->dtype = in->dtype;
    out->type_kind = in->type_kind;
    out->rank = in->rank;
    out->dims = in->dims;
    out->length = in->length;
}

void wl_op_conflict(const struct wl_op_ctx *c, const char *fmt, ...)
{
    char where[192];
    char text[320];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    wl_diag_add(c->g->diags, WL_SEV_WARNING, "shape-conflict",
                wl_node_where(c->g, c->node_id, where, sizeof(where)), "%s", text);
}

void wl_op_diag(const struct wl_op_ctx *c, enum wl_severity severity, const char *code,
                const char *fmt, ...)
{
    char where[192];
    char text[320];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    wl_diag_add(c->g->diags, severity, code, wl_node_where(c->g, c->node_id, where, sizeof(where)),
                "%s", text);
}

/* ---- attributes, axes, lists -------------------------------------------------------------------
 */

bool wl_op_axis(int64_t raw, int32_t rank, int32_t *axis)
{
    if (rank < 0 || raw < -(int64_t)rank || raw >= rank) {
        return false;
    }
    *axis = (int32_t)(raw < 0 ? raw + rank : raw);
    return true;
}

int32_t wl_op_attr_ints(const struct wl_op_ctx *c, const char *name, int64_t *out, int32_t max)
{
    const struct wl_attr *a = wl_node_attr(c->node, name);
    if (a == NULL || a->type != WL_ATTR_INTS || a->count > max) {
        return WL_NONE;
    }
    if (a->count > 0) {
        memcpy(out, a->u.ints, (size_t)a->count * sizeof(*out));
    }
    return a->count;
}

/* An empty vector needs no value to be known. */
static bool is_empty_vector(const struct wl_op_ctx *c, int32_t i)
{
    return wl_op_in_rank(c, i) == 1 && wl_dim_is(wl_op_in_dim(c, i, 0), 0);
}

int32_t wl_op_in_dims(const struct wl_op_ctx *c, int32_t i, struct wl_dim *out, int32_t max)
{
    const struct wl_value *v = wl_op_in_value(c, i);
    if (is_empty_vector(c, i)) {
        return 0;
    }
    if (v == NULL || v->is_float || v->count > max) {
        return WL_NONE;
    }
    for (int64_t k = 0; k < v->count; k++) {
        out[k] = v->ints[k];
    }
    return (int32_t)v->count;
}

int32_t wl_op_in_ints(const struct wl_op_ctx *c, int32_t i, int64_t *out, int32_t max)
{
    const struct wl_value *v = wl_op_in_value(c, i);
    if (is_empty_vector(c, i)) {
        return 0;
    }
    if (v == NULL || v->is_float || v->count > max) {
        return WL_NONE;
    }
    for (int64_t k = 0; k < v->count; k++) {
        if (!wl_dim_is_known(v->ints[k])) {
            return WL_NONE;
        }
        out[k] = v->ints[k].value;
    }
    return (int32_t)v->count;
}

struct wl_dim wl_op_in_scalar(const struct wl_op_ctx *c, int32_t i)
{
    const struct wl_value *v = wl_op_in_value(c, i);
    return v == NULL || v->is_float || v->count != 1 ? wl_dim_unknown() : v->ints[0];
}

bool wl_op_in_number(const struct wl_op_ctx *c, int32_t i, double *out)
{
    const struct wl_value *v = wl_op_in_value(c, i);
    if (v == NULL || v->count != 1) {
        return false;
    }
    *out = wl_value_float(v, 0);
    return !isnan(*out);
}

bool wl_op_axes_mask(const int64_t *axes, int32_t count, int32_t rank, bool *mask)
{
    memset(mask, 0, (size_t)(rank < 0 ? 0 : rank) * sizeof(*mask));
    for (int32_t i = 0; i < count; i++) {
        int32_t axis;
        if (!wl_op_axis(axes[i], rank, &axis)) {
            return false;
        }
        mask[axis] = true;
    }
    return true;
}

/* ---- broadcasting
 * -------------------------------------------------------------------------------- */

struct wl_dim wl_op_broadcast_dim(struct wl_dim a, struct wl_dim b, bool *conflict)
{
    if (wl_dim_eq(a, b) || wl_dim_is(b, 1)) {
        return a;
    }
    if (wl_dim_is(a, 1)) {
        return b;
    }
    if (wl_dim_is_known(a) && wl_dim_is_known(b)) {
        *conflict = true;
        return wl_dim_unknown();
    }
    if (wl_dim_is_known(a)) {
        return a;
    }
    return wl_dim_is_known(b) ? b : wl_dim_unknown();
}

bool wl_op_broadcast_into(struct wl_dim *acc, int32_t *rank, const struct wl_dim *dims,
                          int32_t dims_rank)
{
    bool conflict = false;
    if (dims_rank > *rank) {
        int32_t shift = dims_rank - *rank;
        memmove(acc + shift, acc, (size_t)*rank * sizeof(*acc));
        for (int32_t i = 0; i < shift; i++) {
            acc[i] = wl_dim_known(1);
        }
        *rank = dims_rank;
    }
    for (int32_t i = 0; i < dims_rank; i++) {
        struct wl_dim *d = &acc[*rank - dims_rank + i];
        *d = wl_op_broadcast_dim(*d, dims[i], &conflict);
    }
    return !conflict;
}

wl_status wl_op_set_broadcast(struct wl_op_ctx *c, int32_t o, int32_t first, int32_t count)
{
    struct wl_dim acc[WL_RANK_MAX];
    int32_t rank = 0;
    const struct wl_tensor *same = NULL;
    bool shared = true;
    for (int32_t i = first; i < first + count; i++) {
        const struct wl_tensor *t = wl_op_in(c, i);
        if (t == NULL) {
            continue;
        }
        int32_t r = rank_of(t);
        if (r == WL_NONE || r > WL_RANK_MAX) {
            return WL_OK;
        }
        shared = shared && (same == NULL || (same->rank == r && same->dims == t->dims));
        same = t;
        if (!wl_op_broadcast_into(acc, &rank, t->dims, r)) {
            wl_op_conflict(c, "input %d does not broadcast with the inputs before it", (int)i);
            return WL_OK;
        }
    }
    struct wl_tensor *out = wl_op_out(c, o);
    if (shared && same != NULL && out != NULL) {
        out->type_kind = WL_TYPE_TENSOR;
        out->rank = same->rank;
        out->dims = same->dims;
        return WL_OK;
    }
    return wl_op_set_shape(c, o, rank, acc);
}

/* ---- small values
 * ----------------------------------------------------------------------------------- */

struct wl_value *wl_value_new(const struct wl_op_ctx *c, int64_t count, bool is_float)
{
    if (count < 0 || count > WL_VALUE_MAX) {
        return NULL;
    }
    struct wl_value *v = WL_NEW(c->g->arena, struct wl_value);
    if (v == NULL) {
        return NULL;
    }
    v->count = count;
    v->is_float = is_float;
    if (count > 0 && is_float) {
        v->floats = WL_ARRAY(c->g->arena, double, count);
    } else if (count > 0) {
        v->ints = WL_ARRAY(c->g->arena, struct wl_dim, count);
        for (int64_t i = 0; v->ints != NULL && i < count; i++) {
            v->ints[i] = wl_dim_known(0);
        }
    }
    return count > 0 && v->ints == NULL && v->floats == NULL ? NULL : v;
}

void wl_op_set_value(struct wl_op_ctx *c, int32_t o, const struct wl_value *v)
{
    struct wl_tensor *t = wl_op_out(c, o);
    int64_t dims[WL_RANK_MAX];
    if (t == NULL || v == NULL || !wl_op_known_dims(t->dims, rank_of(t), dims)) {
        return;
    }
    int64_t n = 1;
    for (int32_t i = 0; i < t->rank; i++) {
        if (!wl_mul_i64(n, dims[i], &n)) {
            return;
        }
    }
    if (n == v->count) {
        t->value = v;
    }
}

struct wl_dim wl_value_int(const struct wl_value *v, int64_t i)
{
    return v->is_float ? wl_dim_unknown() : v->ints[i];
}

double wl_value_float(const struct wl_value *v, int64_t i)
{
    if (v->is_float) {
        return v->floats[i];
    }
    return wl_dim_is_known(v->ints[i]) ? (double)v->ints[i].value : (double)NAN;
}

bool wl_op_known_dims(const struct wl_dim *dims, int32_t rank, int64_t *out)
{
    if (rank < 0 || rank > WL_RANK_MAX) {
        return false;
    }
    for (int32_t i = 0; i < rank; i++) {
        if (!wl_dim_is_known(dims[i])) {
            return false;
        }
        out[i] = dims[i].value;
    }
    return true;
}

bool wl_op_in_known_dims(const struct wl_op_ctx *c, int32_t i, int64_t *out)
{
    const struct wl_tensor *t = wl_op_in(c, i);
    return t != NULL && wl_op_known_dims(t->dims, rank_of(t), out);
}

bool wl_op_out_known_dims(const struct wl_op_ctx *c, int32_t o, int64_t *out)
{
    const struct wl_tensor *t = wl_op_out(c, o);
    return t != NULL && wl_op_known_dims(t->dims, rank_of(t), out);
}

void wl_op_broadcast_strides(const int64_t *in, int32_t in_rank, int32_t rank, int64_t *strides)
{
    int64_t step = 1;
    for (int32_t i = rank - 1; i >= 0; i--) {
        int32_t k = i - (rank - in_rank);
        strides[i] = k < 0 || in[k] == 1 ? 0 : step;
        if (k >= 0) {
            step *= in[k];
        }
    }
}

bool wl_op_next_index(int64_t *index, const int64_t *dims, int32_t rank)
{
    for (int32_t i = rank - 1; i >= 0; i--) {
        if (++index[i] < dims[i]) {
            return true;
        }
        index[i] = 0;
    }
    return false;
}

/* ---- cost
 * ------------------------------------------------------------------------------------------- */

void wl_work_add(const struct wl_op_ctx *c, struct wl_work *w, enum wl_work_kind kind,
                 struct wl_dim n)
{
    w->ops[kind] = wl_dim_add(wl_op_pool(c), w->ops[kind], n);
}

void wl_work_add_k(const struct wl_op_ctx *c, struct wl_work *w, enum wl_work_kind kind, int64_t k,
                   struct wl_dim n)
{
    wl_work_add(c, w, kind, wl_dim_mul_k(wl_op_pool(c), n, k));
}

bool wl_op_is_integer(enum wl_dtype t)
{
    return t == WL_DT_BOOL || wl_dtype_is_int(t);
}

void wl_work_add_typed(const struct wl_op_ctx *c, struct wl_work *w, enum wl_work_kind kind,
                       int64_t k, struct wl_dim n)
{
    bool integer = wl_op_is_integer(wl_op_in_dtype(c, 0));
    wl_work_add_k(c, w, integer ? WL_WORK_INTEGER : kind, k, n);
}

void wl_work_add_gemm(const struct wl_op_ctx *c, struct wl_work *w, struct wl_gemm view)
{
    struct wl_dim_pool *p = wl_op_pool(c);
    struct wl_dim macs =
        wl_dim_mul(p, wl_dim_mul(p, view.g, view.m), wl_dim_mul(p, view.n, view.k));
    w->macs = wl_dim_add(p, w->macs, macs);
    if (w->gemm_count < WL_WORK_GEMMS_MAX) {
        w->gemms[w->gemm_count++] = view;
    }
}

void wl_work_partial(struct wl_work *w, int32_t i, struct wl_dim elems)
{
    w->partial_input = i;
    w->partial_elems = elems;
}

/* ---- row functions that many operators share
 * ----------------------------------------------------------- */

wl_status wl_infer_same(struct wl_op_ctx *c)
{
    for (int32_t o = 0; o < c->node->output_count; o++) {
        wl_op_set_same(c, o, 0);
    }
    return WL_OK;
}

wl_status wl_infer_broadcast(struct wl_op_ctx *c)
{
    wl_op_set_dtype(c, 0, wl_op_in_dtype(c, 0));
    return wl_op_set_broadcast(c, 0, 0, c->node->input_count);
}

wl_status wl_infer_compare(struct wl_op_ctx *c)
{
    wl_op_set_dtype(c, 0, WL_DT_BOOL);
    return wl_op_set_broadcast(c, 0, 0, c->node->input_count);
}

wl_status wl_infer_bool_same(struct wl_op_ctx *c)
{
    wl_op_set_dtype(c, 0, WL_DT_BOOL);
    wl_op_set_shape_of(c, 0, 0);
    return WL_OK;
}

void wl_value_copy(struct wl_op_ctx *c)
{
    wl_op_set_value(c, 0, wl_op_in_value(c, 0));
}

void wl_cost_free(struct wl_op_ctx *c, struct wl_work *w)
{
    (void)c;
    w->access = WL_ACCESS_NONE;
}

void wl_cost_move(struct wl_op_ctx *c, struct wl_work *w)
{
    (void)c;
    w->access = WL_ACCESS_STREAM;
}

void wl_cost_transpose(struct wl_op_ctx *c, struct wl_work *w)
{
    (void)c;
    w->access = WL_ACCESS_TRANSPOSE;
}

void wl_cost_map(struct wl_op_ctx *c, struct wl_work *w)
{
    const struct wl_op *op = c->node->op;
    w->access = WL_ACCESS_STREAM;
    wl_work_add_typed(c, w, op->work, op->ops_per_elem, wl_op_out_elems(c, 0));
}

void wl_cost_reduce(struct wl_op_ctx *c, struct wl_work *w)
{
    const struct wl_op *op = c->node->op;
    w->access = WL_ACCESS_REDUCE;
    wl_work_add_typed(c, w, op->work, op->ops_per_elem, wl_op_in_elems(c, 0));
}
