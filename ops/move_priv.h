/* SPDX-License-Identifier: Apache-2.0 */
/*
 * move_priv: helpers shared by the movement, control, sequence and fused families, on top of
 * ops_priv.h.
 */
#ifndef WL_MOVE_PRIV_H
#define WL_MOVE_PRIV_H

#include "ops_priv_b.h"

static inline void wl_op_same_dtype(struct wl_op_ctx *c, int32_t o, int32_t i)
{
    wl_op_set_dtype(c, o, wl_op_in_dtype(c, i));
}

/* Known rank, no dim known; a negative or too large rank leaves the shape as it is. */
wl_status wl_op_set_unknown_dims(struct wl_op_ctx *c, int32_t o, int64_t rank);
/* Output o gets rank = length of the 1-D input i, dims unknown, when that length is known. */
wl_status wl_op_set_rank_from(struct wl_op_ctx *c, int32_t o, int32_t i, int64_t extra);
/* Element i of a list of axes; false when unknown or outside. */
bool wl_value_axis(const struct wl_value *v, int64_t i, int32_t rank, int32_t *axis);
/* Elements of output o as a number, at most WL_VALUE_MAX; false otherwise. */
bool wl_op_out_count(const struct wl_op_ctx *c, int32_t o, int64_t *count);
/* UNDEFINED for numbers that are no element type. */
enum wl_dtype wl_dtype_of_number(int64_t number);
/* The more precise of two dims that must be equal. */
struct wl_dim wl_op_merge_dim(struct wl_dim a, struct wl_dim b);
/* The symbol "<node>.<what>" for a size that depends on data, with its upper bound. */
struct wl_dim wl_op_data_dim(const struct wl_op_ctx *c, const char *what, struct wl_dim upper);
/* 0, 1 or WL_NONE: element i is zero, not zero, not known. */
int32_t wl_value_truth(const struct wl_value *v, int64_t i);

/* ceil(log2 n), at least 1; `symbolic` where n is not a number. */
static inline int64_t wl_log2_ceil(struct wl_dim n, int64_t symbolic)
{
    int64_t bits = 1;
    while (wl_dim_is_known(n) && bits < 62 && (INT64_C(1) << bits) < n.value) {
        bits++;
    }
    return wl_dim_is_known(n) ? bits : symbolic;
}

/* ---- movement ----------------------------------------------------------------------------- */

/* perm of Transpose, reversed axes by default; false when it is no permutation of `rank` axes. */
bool wl_op_perm(const struct wl_op_ctx *c, int32_t rank, int32_t *perm);
/* Concatenates inputs first, first + step, ... along `axis`. Shape only. */
wl_status wl_op_concat(struct wl_op_ctx *c, int32_t first, int32_t step);

struct wl_slice_axis {
    bool sliced;
    struct wl_dim start, end, step;
};
/* Bounds of each axis of input 0; false when the axes are not known. */
bool wl_op_slice_bounds(struct wl_op_ctx *c, struct wl_slice_axis *bounds);
/* Elements that [start : end : step] takes of an axis of size d, clamped as in numpy. */
struct wl_dim wl_op_slice_dim(struct wl_dim_pool *p, struct wl_dim d, struct wl_dim start,
                              struct wl_dim end, struct wl_dim step);
/* Elements added before and after each axis of input 0 (Pad); false when not known by axis. */
bool wl_op_pads(struct wl_op_ctx *c, struct wl_dim *before, struct wl_dim *after);

/* Non-zero elements of a value; WL_NONE when one is not known. */
int64_t wl_value_count_nonzero(const struct wl_value *v);

#endif
