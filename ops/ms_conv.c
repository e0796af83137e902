/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops/ms_conv.c: convolutions and pooling in other layouts: channels last (com.ms.internal.nhwc,
 * Nhwc* and the quantised forms of com.microsoft) and blocked channels (com.microsoft.nchwc), with
 * what ONNX Runtime fuses into them. Weights keep ONNX's layout (out, in / group, kernel).
 *
 * Work: as the plain operators (infer_conv.c, infer_pool.c); a fused addend 1 add per output, a
 * fused activation as ms_gemm.c. Reordering copies.
 *
 * Known simplification: ReorderInput pads channels up to the block size of the machine that
 * optimised the file (8 or 16), which the file does not say; a count that 16 does not divide stays
 * unknown.
 */
#include "move_priv.h"

/* Where things are: inputs, first spatial axis, channel axis. */
struct layout {
    int32_t x, w;
    int32_t rank, first, channel;
    int64_t groups;
    struct wl_conv_geometry geo;
};

static bool layout_get(const struct wl_op_ctx *c, int32_t weight, bool last, struct layout *l)
{
    const struct wl_tensor *w = weight >= 0 ? wl_op_in(c, weight) : NULL;
    l->x = 0;
    l->w = weight;
    l->rank = wl_op_in_rank(c, 0);
    if (l->rank < 3 || l->rank > WL_RANK_MAX || (weight >= 0 && w == NULL)) {
        return false;
    }
    if (weight >= 0 && w->rank != l->rank) {
        return false;
    }
    l->first = last ? 1 : 2;
    l->channel = last ? l->rank - 1 : 1;
    l->groups = wl_max_i64(1, wl_node_attr_int(c->node, "group", 1));
    return wl_conv_geometry_get(c, l->rank - 2, w == NULL ? NULL : w->dims + 2, &l->geo);
}

static bool channels_last(const struct wl_op_ctx *c)
{
    return wl_node_attr_int(c->node, "channels_last", 0) != 0;
}

/* ---- convolution -------------------------------------------------------------------------- */

static wl_status infer_conv(struct wl_op_ctx *c, int32_t weight, bool last)
{
    struct layout l;
    struct wl_dim dims[WL_RANK_MAX];
    if (!layout_get(c, weight, last, &l)) {
        return wl_op_set_unknown_dims(c, 0, wl_op_in_rank(c, 0));
    }
    dims[0] = wl_op_in_dim(c, 0, 0);
    dims[l.channel] = wl_op_in_dim(c, weight, 0);
    for (int32_t i = 0; i < l.geo.spatial; i++) {
        dims[l.first + i] =
            wl_conv_out_dim(wl_op_pool(c), &l.geo, i, wl_op_in_dim(c, 0, l.first + i));
    }
    return wl_op_set_shape(c, 0, l.rank, dims);
}

static void cost_conv(struct wl_op_ctx *c, struct wl_work *w, int32_t weight, bool last)
{
    struct layout l;
    w->access = WL_ACCESS_WINDOW;
    if (!layout_get(c, weight, last, &l) || wl_op_out_rank(c, 0) != l.rank) {
        w->macs = wl_dim_unknown();
        return;
    }
    struct wl_conv_shape s = {.batch = wl_op_in_dim(c, 0, 0),
                              .out_channels = wl_op_in_dim(c, weight, 0),
                              .groups = l.groups};
    s.in_channels = wl_dim_mul_k(wl_op_pool(c), wl_op_in_dim(c, weight, 1), l.groups);
    for (int32_t i = 0; i < l.geo.spatial; i++) {
        s.in[i] = wl_op_in_dim(c, 0, l.first + i);
        s.out[i] = wl_op_out_dim(c, 0, l.first + i);
    }
    wl_work_conv(c, w, &l.geo, &s);
}

/* Bias, addend and activation of the fused forms (inputs 2 and 3). */
static void cost_fused_tail(struct wl_op_ctx *c, struct wl_work *w)
{
    struct wl_dim n = wl_op_out_elems(c, 0);
    wl_work_add_k(c, w, WL_WORK_ADDMUL, (wl_op_has_in(c, 2) ? 1 : 0) + (wl_op_has_in(c, 3) ? 1 : 0),
                  n);
    wl_work_fused_activation(c, w, wl_node_attr_str(c->node, "activation"), n);
}

void wl_cost_fused_conv(struct wl_op_ctx *c, struct wl_work *w)
{
    cost_conv(c, w, 1, false);
    cost_fused_tail(c, w);
}

wl_status wl_infer_nhwc_conv(struct wl_op_ctx *c)
{
    wl_op_same_dtype(c, 0, 0);
    return infer_conv(c, 1, true);
}

void wl_cost_nhwc_conv(struct wl_op_ctx *c, struct wl_work *w)
{
    cost_conv(c, w, 1, true);
    cost_fused_tail(c, w);
}

static wl_status infer_qconv(struct wl_op_ctx *c, bool last)
{
    wl_op_same_dtype(c, 0, 7);
    return infer_conv(c, 3, last);
}

static void cost_qconv(struct wl_op_ctx *c, struct wl_work *w, bool last)
{
    struct wl_dim n = wl_op_out_elems(c, 0);
    w->integer_macs = true;
    cost_conv(c, w, 3, last);
    wl_work_add(c, w, WL_WORK_ADDMUL, n);
    wl_work_add_k(c, w, WL_WORK_COMPARE, 2, n);
    wl_work_add_k(c, w, WL_WORK_INTEGER, wl_op_has_in(c, 8) ? 2 : 1, n);
}

wl_status wl_infer_ms_qlinear_conv(struct wl_op_ctx *c)
{
    return infer_qconv(c, channels_last(c));
}

void wl_cost_ms_qlinear_conv(struct wl_op_ctx *c, struct wl_work *w)
{
    cost_qconv(c, w, channels_last(c));
}

wl_status wl_infer_nhwc_qlinear_conv(struct wl_op_ctx *c)
{
    return infer_qconv(c, true);
}

void wl_cost_nhwc_qlinear_conv(struct wl_op_ctx *c, struct wl_work *w)
{
    cost_qconv(c, w, true);
}

/* ---- transposed convolution --------------------------------------------------------------- */

/* (in - 1) * stride + output padding + reach - pads; pads of an input that is not known leave it
 * open. */
static wl_status infer_transposed(struct wl_op_ctx *c, bool last, int32_t pads_input)
{
    struct layout l;
    struct wl_dim dims[WL_RANK_MAX];
    struct wl_dim_pool *p = wl_op_pool(c);
    int64_t extra[WL_RANK_MAX] = {0};
    int64_t pads[2 * WL_RANK_MAX] = {0};
    wl_op_same_dtype(c, 0, 0);
    if (!layout_get(c, 1, last, &l)) {
        return wl_op_set_unknown_dims(c, 0, wl_op_in_rank(c, 0));
    }
    bool known = !wl_op_has_in(c, pads_input) ||
                 wl_op_in_ints(c, pads_input, pads, 2 * WL_RANK_MAX) == 2 * l.geo.spatial;
    (void)wl_op_attr_ints(c, "output_padding", extra, WL_RANK_MAX);
    dims[0] = wl_op_in_dim(c, 0, 0);
    dims[l.channel] = wl_dim_mul_k(p, wl_op_in_dim(c, 1, 1), l.groups);
    for (int32_t i = 0; i < l.geo.spatial; i++) {
        struct wl_dim in = wl_op_in_dim(c, 0, l.first + i);
        struct wl_dim d = wl_dim_mul_k(p, wl_dim_add_k(p, in, -1), l.geo.stride[i]);
        d = wl_dim_add_k(p, d, l.geo.dilation[i] * (l.geo.kernel[i] - 1) + 1);
        d = wl_dim_add_k(p, d, -l.geo.pad_begin[i] - l.geo.pad_end[i]);
        d = wl_dim_add_k(p, d, extra[i]);
        d = wl_dim_sub(p, d, wl_dim_known(pads[i]));
        d = wl_dim_sub(p, d, wl_dim_known(pads[l.geo.spatial + i]));
        bool same = l.geo.same_upper || l.geo.same_lower;
        d = same ? wl_dim_mul_k(p, in, l.geo.stride[i]) : d;
        bool valid = known && !(wl_dim_is_known(d) && d.value < 0);
        dims[l.first + i] = valid ? d : wl_dim_unknown();
    }
    return wl_op_set_shape(c, 0, l.rank, dims);
}

static void cost_transposed(struct wl_op_ctx *c, struct wl_work *w, bool last, int32_t bias)
{
    struct layout l;
    w->access = WL_ACCESS_WINDOW;
    if (!layout_get(c, 1, last, &l) || wl_op_out_rank(c, 0) != l.rank) {
        w->macs = wl_dim_unknown();
        return;
    }
    struct wl_conv_shape s = {.batch = wl_op_in_dim(c, 0, 0),
                              .in_channels = wl_op_in_dim(c, 1, 0),
                              .out_channels = wl_op_out_dim(c, 0, l.channel),
                              .groups = l.groups,
                              .transposed = true};
    for (int32_t i = 0; i < l.geo.spatial; i++) {
        s.in[i] = wl_op_in_dim(c, 0, l.first + i);
        s.out[i] = wl_op_out_dim(c, 0, l.first + i);
    }
    wl_work_conv(c, w, &l.geo, &s);
    wl_work_add_k(c, w, WL_WORK_ADDMUL, wl_op_has_in(c, bias) ? 1 : 0, wl_op_out_elems(c, 0));
}

wl_status wl_infer_conv_transpose_pads(struct wl_op_ctx *c)
{
    return infer_transposed(c, false, 2);
}

void wl_cost_conv_transpose_pads(struct wl_op_ctx *c, struct wl_work *w)
{
    cost_transposed(c, w, false, 3);
}

wl_status wl_infer_nhwc_conv_transpose(struct wl_op_ctx *c)
{
    return infer_transposed(c, true, WL_NONE);
}

void wl_cost_nhwc_conv_transpose(struct wl_op_ctx *c, struct wl_work *w)
{
    cost_transposed(c, w, true, 2);
}

/* ---- pooling ------------------------------------------------------------------------------ */

static wl_status infer_pool(struct wl_op_ctx *c, bool last)
{
    struct layout l;
    struct wl_dim dims[WL_RANK_MAX];
    wl_op_same_dtype(c, 0, 0);
    if (!layout_get(c, WL_NONE, last, &l)) {
        return wl_op_set_unknown_dims(c, 0, wl_op_in_rank(c, 0));
    }
    dims[0] = wl_op_in_dim(c, 0, 0);
    dims[l.channel] = wl_op_in_dim(c, 0, l.channel);
    for (int32_t i = 0; i < l.geo.spatial; i++) {
        dims[l.first + i] =
            wl_conv_out_dim(wl_op_pool(c), &l.geo, i, wl_op_in_dim(c, 0, l.first + i));
    }
    return wl_op_set_shape(c, 0, l.rank, dims);
}

/* Elements of all windows; fills the view. */
static struct wl_dim pool_reads(struct wl_op_ctx *c, struct wl_work *w, bool last)
{
    struct layout l;
    w->access = WL_ACCESS_WINDOW;
    if (!layout_get(c, WL_NONE, last, &l) || wl_op_out_rank(c, 0) != l.rank) {
        return wl_dim_unknown();
    }
    struct wl_dim n = wl_op_out_elems(c, 0);
    struct wl_window *view = l.geo.spatial > 3 ? NULL : WL_NEW(c->g->arena, struct wl_window);
    for (int32_t i = 0; i < l.geo.spatial; i++) {
        n = wl_dim_mul_k(wl_op_pool(c), n, l.geo.kernel[i]);
        if (view != NULL) {
            view->in[i] = wl_op_in_dim(c, 0, l.first + i);
            view->out[i] = wl_op_out_dim(c, 0, l.first + i);
            view->kernel[i] = l.geo.kernel[i];
            view->stride[i] = l.geo.stride[i];
            view->dilation[i] = l.geo.dilation[i];
        }
    }
    if (view != NULL) {
        struct wl_dim channels = wl_op_in_dim(c, 0, l.channel);
        view->spatial_rank = l.geo.spatial;
        view->in_channels = channels;
        view->out_channels = channels;
        view->groups = wl_dim_is_known(channels) ? wl_max_i64(channels.value, 1) : 1;
        w->window = view;
    }
    return n;
}

wl_status wl_infer_nhwc_pool(struct wl_op_ctx *c)
{
    return infer_pool(c, true);
}

void wl_cost_nhwc_max_pool(struct wl_op_ctx *c, struct wl_work *w)
{
    wl_work_add_typed(c, w, WL_WORK_COMPARE, 1, pool_reads(c, w, true));
}

void wl_cost_nhwc_average_pool(struct wl_op_ctx *c, struct wl_work *w)
{
    wl_work_add_typed(c, w, WL_WORK_ADDMUL, 1, pool_reads(c, w, true));
    wl_work_add_typed(c, w, WL_WORK_DIVIDE, 1, wl_op_out_elems(c, 0));
}

wl_status wl_infer_qlinear_pool(struct wl_op_ctx *c)
{
    return infer_pool(c, channels_last(c));
}

/* Integer sums, then a division, a rescaling and saturation for each output. */
static void cost_quantised_mean(struct wl_op_ctx *c, struct wl_work *w, struct wl_dim reads)
{
    struct wl_dim n = wl_op_out_elems(c, 0);
    wl_work_add(c, w, WL_WORK_INTEGER, reads);
    wl_work_add(c, w, WL_WORK_DIVIDE, n);
    wl_work_add(c, w, WL_WORK_ADDMUL, n);
    wl_work_add(c, w, WL_WORK_INTEGER, n);
    wl_work_add_k(c, w, WL_WORK_COMPARE, 2, n);
}

void wl_cost_qlinear_pool(struct wl_op_ctx *c, struct wl_work *w)
{
    cost_quantised_mean(c, w, pool_reads(c, w, channels_last(c)));
}

static wl_status infer_global(struct wl_op_ctx *c, bool last)
{
    struct wl_dim dims[WL_RANK_MAX];
    int32_t rank = wl_op_in_rank(c, 0);
    wl_op_same_dtype(c, 0, 0);
    if (rank < 3) {
        return WL_OK;
    }
    for (int32_t i = 0; i < rank; i++) {
        bool kept = i == 0 || i == (last ? rank - 1 : 1);
        dims[i] = kept ? wl_op_in_dim(c, 0, i) : wl_dim_known(1);
    }
    return wl_op_set_shape(c, 0, rank, dims);
}

wl_status wl_infer_nhwc_global_pool(struct wl_op_ctx *c)
{
    return infer_global(c, true);
}

void wl_cost_nhwc_global_average(struct wl_op_ctx *c, struct wl_work *w)
{
    w->access = WL_ACCESS_REDUCE;
    wl_work_add_typed(c, w, WL_WORK_ADDMUL, 1, wl_op_in_elems(c, 0));
    wl_work_add_typed(c, w, WL_WORK_DIVIDE, 1, wl_op_out_elems(c, 0));
}

void wl_cost_nhwc_global_max(struct wl_op_ctx *c, struct wl_work *w)
{
    w->access = WL_ACCESS_REDUCE;
    wl_work_add_typed(c, w, WL_WORK_COMPARE, 1, wl_op_in_elems(c, 0));
}

wl_status wl_infer_qlinear_global_pool(struct wl_op_ctx *c)
{
    return infer_global(c, channels_last(c));
}

void wl_cost_qlinear_global_pool(struct wl_op_ctx *c, struct wl_work *w)
{
    w->access = WL_ACCESS_REDUCE;
    cost_quantised_mean(c, w, wl_op_in_elems(c, 0));
}

/* ---- layouts ------------------------------------------------------------------------------ */

#define BLOCK_MAX 16

static struct wl_dim blocked(struct wl_dim channels)
{
    bool sure = wl_dim_is_known(channels) && channels.value % BLOCK_MAX == 0;
    return sure ? channels : wl_dim_unknown();
}

/* To (N, blocked channels, spatial) from channels second or (channels_last) last. */
wl_status wl_infer_reorder_input(struct wl_op_ctx *c)
{
    struct wl_dim dims[WL_RANK_MAX];
    int32_t rank = wl_op_in_rank(c, 0);
    bool last = channels_last(c);
    wl_op_same_dtype(c, 0, 0);
    if (rank < 3) {
        return WL_OK;
    }
    dims[0] = wl_op_in_dim(c, 0, 0);
    dims[1] = blocked(wl_op_in_dim(c, 0, last ? rank - 1 : 1));
    for (int32_t i = 2; i < rank; i++) {
        dims[i] = wl_op_in_dim(c, 0, last ? i - 1 : i);
    }
    return wl_op_set_shape(c, 0, rank, dims);
}

/* Back to `channels` channels, second or last. */
wl_status wl_infer_reorder_output(struct wl_op_ctx *c)
{
    struct wl_dim dims[WL_RANK_MAX];
    int32_t rank = wl_op_in_rank(c, 0);
    int64_t channels = wl_node_attr_int(c->node, "channels", 0);
    bool last = channels_last(c);
    wl_op_same_dtype(c, 0, 0);
    if (rank < 3) {
        return WL_OK;
    }
    dims[0] = wl_op_in_dim(c, 0, 0);
    for (int32_t i = 2; i < rank; i++) {
        dims[last ? i - 1 : i] = wl_op_in_dim(c, 0, i);
    }
    dims[last ? rank - 1 : 1] = channels > 0 ? wl_dim_known(channels) : wl_dim_unknown();
    return wl_op_set_shape(c, 0, rank, dims);
}

/* Whole factors by attribute `scales`. */
wl_status wl_infer_nchwc_upsample(struct wl_op_ctx *c)
{
    int64_t scales[WL_RANK_MAX];
    struct wl_dim dims[WL_RANK_MAX];
    int32_t rank = wl_op_in_rank(c, 0);
    bool known = wl_op_attr_ints(c, "scales", scales, WL_RANK_MAX) == rank;
    wl_op_same_dtype(c, 0, 0);
    for (int32_t i = 0; i < rank; i++) {
        bool usable = known && scales[i] > 0;
        dims[i] = usable ? wl_dim_mul_k(wl_op_pool(c), wl_op_in_dim(c, 0, i), scales[i])
                         : wl_dim_unknown();
    }
    return rank < 0 ? WL_OK : wl_op_set_shape(c, 0, rank, dims);
}

/* Channels last: (N, H, W, C). */
static wl_status infer_nhwc_blocks(struct wl_op_ctx *c, bool to_depth)
{
    int64_t block = wl_node_attr_int(c->node, "blocksize", 0);
    wl_op_same_dtype(c, 0, 0);
    if (wl_op_in_rank(c, 0) != 4 || block < 1 || block > INT32_MAX) {
        return WL_OK;
    }
    struct wl_dim_pool *p = wl_op_pool(c);
    struct wl_dim b = wl_dim_known(block);
    struct wl_dim square = wl_dim_known(block * block);
    struct wl_dim channels = wl_op_in_dim(c, 0, 3);
    struct wl_dim dims[4] = {wl_op_in_dim(c, 0, 0)};
    for (int32_t i = 1; i < 3; i++) {
        struct wl_dim d = wl_op_in_dim(c, 0, i);
        dims[i] = to_depth ? wl_dim_floor_div(p, d, b) : wl_dim_mul(p, d, b);
    }
    dims[3] = to_depth ? wl_dim_mul(p, channels, square) : wl_dim_floor_div(p, channels, square);
    return wl_op_set_shape(c, 0, 4, dims);
}

wl_status wl_infer_nhwc_depth_to_space(struct wl_op_ctx *c)
{
    return infer_nhwc_blocks(c, false);
}

wl_status wl_infer_nhwc_space_to_depth(struct wl_op_ctx *c)
{
    return infer_nhwc_blocks(c, true);
}

/* (N, H, W, C), grid (N, H', W', 2) -> (N, H', W', C). */
wl_status wl_infer_nhwc_grid_sample(struct wl_op_ctx *c)
{
    struct wl_dim dims[4] = {wl_op_in_dim(c, 0, 0), wl_op_in_dim(c, 1, 1), wl_op_in_dim(c, 1, 2),
                             wl_op_in_dim(c, 0, 3)};
    return wl_op_in_rank(c, 0) == 4 ? wl_op_set(c, 0, wl_op_in_dtype(c, 0), 4, dims) : WL_OK;
}
