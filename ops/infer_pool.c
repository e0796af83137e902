/* SPDX-License-Identifier: Apache-2.0 */
/*
 * infer_pool: pooling over windows and over everything. Work per output element, k = elements of
 * the window (the full window, padding included, as for convolutions):
 *
 *   MaxPool      k comparisons
 *   AveragePool  k adds, 1 divide
 *   LpPool       k adds and 1 special function for the root; k multiplies (p = 2) or k absolute
 *                values (p = 1) counted as addmul, else k special functions (powers)
 *   Global*      the same with k = all spatial positions
 *   MaxUnpool    writes every element of its output, no arithmetic
 */
#include "ops_priv.h"

/* ---- shapes ------------------------------------------------------------------------------------
 */

wl_status wl_infer_pool(struct wl_op_ctx *c)
{
    struct wl_conv_geometry geo;
    struct wl_dim dims[WL_RANK_MAX];
    int32_t rank = wl_op_in_rank(c, 0);
    wl_op_set_dtype(c, 0, wl_op_in_dtype(c, 0));
    wl_op_set_dtype(c, 1, WL_DT_INT64);
    if (rank < 2 || rank > WL_RANK_MAX) {
        return WL_OK;
    }
    bool known = wl_conv_geometry_get(c, rank - 2, NULL, &geo);
    for (int32_t i = 0; i < rank; i++) {
        struct wl_dim in = wl_op_in_dim(c, 0, i);
        dims[i] = i < 2   ? in
                  : known ? wl_conv_out_dim(wl_op_pool(c), &geo, i - 2, in)
                          : wl_dim_unknown();
    }
    WL_TRY(wl_op_set_shape(c, 0, rank, dims));
    return wl_op_set_shape(c, 1, rank, dims);
}

wl_status wl_infer_global_pool(struct wl_op_ctx *c)
{
    struct wl_dim dims[WL_RANK_MAX];
    int32_t rank = wl_op_in_rank(c, 0);
    wl_op_set_dtype(c, 0, wl_op_in_dtype(c, 0));
    if (rank < 2 || rank > WL_RANK_MAX) {
        return WL_OK;
    }
    for (int32_t i = 0; i < rank; i++) {
        dims[i] = i < 2 ? wl_op_in_dim(c, 0, i) : wl_dim_known(1);
    }
    return wl_op_set_shape(c, 0, rank, dims);
}

/* The inverse of MaxPool: (in - 1) * stride - pads + kernel, or output_shape (input 2). */
wl_status wl_infer_max_unpool(struct wl_op_ctx *c)
{
    struct wl_conv_geometry geo;
    struct wl_dim dims[WL_RANK_MAX];
    struct wl_dim_pool *p = wl_op_pool(c);
    int32_t rank = wl_op_in_rank(c, 0);
    wl_op_set_dtype(c, 0, wl_op_in_dtype(c, 0));
    if (wl_op_has_in(c, 2)) {
        int32_t count = wl_op_in_dims(c, 2, dims, WL_RANK_MAX);
        return count == WL_NONE ? WL_OK : wl_op_set_shape(c, 0, count, dims);
    }
    if (rank < 2 || rank > WL_RANK_MAX) {
        return WL_OK;
    }
    bool known = wl_conv_geometry_get(c, rank - 2, NULL, &geo);
    for (int32_t i = 0; i < rank; i++) {
        dims[i] = i < 2 ? wl_op_in_dim(c, 0, i) : wl_dim_unknown();
        if (i >= 2 && known) {
            struct wl_dim last = wl_dim_add_k(p, wl_op_in_dim(c, 0, i), -1);
            int64_t grow = geo.kernel[i - 2] - geo.pad_begin[i - 2] - geo.pad_end[i - 2];
            dims[i] = wl_dim_add_k(p, wl_dim_mul_k(p, last, geo.stride[i - 2]), grow);
        }
    }
    return wl_op_set_shape(c, 0, rank, dims);
}

/* ---- work --------------------------------------------------------------------------------------
 */

/* Elements of the window; fills the window view. Unknown without kernel_shape. */
static struct wl_dim window_elems(struct wl_op_ctx *c, struct wl_work *w)
{
    struct wl_conv_geometry geo;
    int32_t rank = wl_op_in_rank(c, 0);
    struct wl_dim k = wl_dim_known(1);
    w->access = WL_ACCESS_WINDOW;
    if (rank < 2 || rank > WL_RANK_MAX || !wl_conv_geometry_get(c, rank - 2, NULL, &geo)) {
        return wl_dim_unknown();
    }
    for (int32_t i = 0; i < geo.spatial; i++) {
        k = wl_dim_mul_k(wl_op_pool(c), k, geo.kernel[i]);
    }
    struct wl_window *win =
        geo.spatial < 1 || geo.spatial > 3 ? NULL : WL_NEW(c->g->arena, struct wl_window);
    if (win == NULL) {
        return k;
    }
    win->spatial_rank = geo.spatial;
    for (int32_t i = 0; i < geo.spatial; i++) {
        win->in[i] = wl_op_in_dim(c, 0, i + 2);
        win->out[i] = wl_op_out_dim(c, 0, i + 2);
        win->kernel[i] = geo.kernel[i];
        win->stride[i] = geo.stride[i];
        win->dilation[i] = geo.dilation[i];
    }
    win->in_channels = wl_op_in_dim(c, 0, 1);
    win->out_channels = win->in_channels;
    win->groups = wl_dim_is_known(win->in_channels) ? wl_max_i64(win->in_channels.value, 1) : 1;
    w->window = win;
    return k;
}

static struct wl_dim all_positions(struct wl_op_ctx *c, struct wl_work *w)
{
    int32_t rank = wl_op_in_rank(c, 0);
    w->access = WL_ACCESS_REDUCE;
    return rank < 2 ? wl_dim_unknown() : wl_op_product(c, wl_op_in(c, 0)->dims, 2, rank);
}

static void add_max(struct wl_op_ctx *c, struct wl_work *w, struct wl_dim k)
{
    struct wl_dim n = wl_op_out_elems(c, 0);
    wl_work_add_typed(c, w, WL_WORK_COMPARE, 1, wl_dim_mul(wl_op_pool(c), n, k));
}

static void add_average(struct wl_op_ctx *c, struct wl_work *w, struct wl_dim k)
{
    struct wl_dim n = wl_op_out_elems(c, 0);
    wl_work_add_typed(c, w, WL_WORK_ADDMUL, 1, wl_dim_mul(wl_op_pool(c), n, k));
    wl_work_add_typed(c, w, WL_WORK_DIVIDE, 1, n);
}

static void add_lp(struct wl_op_ctx *c, struct wl_work *w, struct wl_dim k)
{
    struct wl_dim n = wl_op_out_elems(c, 0);
    struct wl_dim all = wl_dim_mul(wl_op_pool(c), n, k);
    int64_t norm = wl_node_attr_int(c->node, "p", 2);
    wl_work_add(c, w, WL_WORK_ADDMUL, all);
    wl_work_add(c, w, norm == 1 || norm == 2 ? WL_WORK_ADDMUL : WL_WORK_SPECIAL, all);
    if (norm != 1) {
        wl_work_add(c, w, WL_WORK_SPECIAL, n);
    }
}

void wl_cost_max_pool(struct wl_op_ctx *c, struct wl_work *w)
{
    add_max(c, w, window_elems(c, w));
}

void wl_cost_average_pool(struct wl_op_ctx *c, struct wl_work *w)
{
    add_average(c, w, window_elems(c, w));
}

void wl_cost_lp_pool(struct wl_op_ctx *c, struct wl_work *w)
{
    add_lp(c, w, window_elems(c, w));
}

void wl_cost_global_max_pool(struct wl_op_ctx *c, struct wl_work *w)
{
    add_max(c, w, all_positions(c, w));
}

void wl_cost_global_average_pool(struct wl_op_ctx *c, struct wl_work *w)
{
    add_average(c, w, all_positions(c, w));
}

void wl_cost_global_lp_pool(struct wl_op_ctx *c, struct wl_work *w)
{
    add_lp(c, w, all_positions(c, w));
}

void wl_cost_max_unpool(struct wl_op_ctx *c, struct wl_work *w)
{
    (void)c;
    w->access = WL_ACCESS_GATHER;
}
