/* SPDX-License-Identifier: Apache-2.0 */
/*
 * infer_conv: convolutions in all their forms. Shapes after ONNX's operator list (Conv,
 * ConvTranspose, pads, auto_pad, dilations), work nominal, i.e. of the direct algorithm:
 *
 *   Conv           N * Cout * prod(out) * Cin/g * prod(kernel)
 *   ConvTranspose  N * Cin * prod(in) * Cout/g * prod(kernel)   (every input element meets the
 * kernel) bias           one add per output element ConvInteger    the same MACs on integers; a
 * zero point of x costs one subtraction per input element QLinearConv    the same; per output
 * element one multiply (rescale), one add (zero point, integer) and two comparisons (saturation);
 * the bias add is an integer one DeformConv     the MACs of Conv; sampling is bilinear, per sample
 * (N * Cin * prod(out) * prod(kernel)) 4 multiplies and 3 adds, 1 more multiply with a mask; per
 * position and offset group 2 adds and 6 operations for the four corner weights
 *
 * MACs in padding count: nominal means the full window. Matrix view by im2col: G = groups,
 * M = N * prod(out), N = Cout/g, K = Cin/g * prod(kernel); for ConvTranspose G = groups,
 * M = N * prod(in), N = Cout/g * prod(kernel), K = Cin/g (its products are added up afterwards).
 */
#include <string.h>

#include "ops_priv.h"

#define EXTENT_MAX (INT64_C(1) << 31)

/* ---- geometry ----------------------------------------------------------------------------------
 */

/* An ints attribute of exactly n entries in [low, EXTENT_MAX]; `otherwise` where absent. */
static bool read_extents(const struct wl_op_ctx *c, const char *name, int32_t n, int64_t low,
                         int64_t otherwise, int64_t *out)
{
    if (wl_node_attr(c->node, name) == NULL) {
        for (int32_t i = 0; i < n; i++) {
            out[i] = otherwise;
        }
        return true;
    }
    int32_t count = wl_op_attr_ints(c, name, out, n);
    if (count == 0 && n > 0) {
        for (int32_t i = 0; i < n; i++) {
            out[i] = otherwise;
        }
        return true;
    }
    for (int32_t i = 0; i < count; i++) {
        if (out[i] < low || out[i] > EXTENT_MAX) {
            return false;
        }
    }
    return count == n;
}

static bool read_kernel(const struct wl_op_ctx *c, int32_t n, const struct wl_dim *kernel,
                        int64_t *out)
{
    if (wl_node_attr(c->node, "kernel_shape") != NULL) {
        return read_extents(c, "kernel_shape", n, 1, 1, out);
    }
    if (kernel == NULL || !wl_op_known_dims(kernel, n, out)) {
        return false;
    }
    for (int32_t i = 0; i < n; i++) {
        if (out[i] < 1 || out[i] > EXTENT_MAX) {
            return false;
        }
    }
    return true;
}

bool wl_conv_geometry_get(const struct wl_op_ctx *c, int32_t spatial, const struct wl_dim *kernel,
                          struct wl_conv_geometry *out)
{
    int64_t pads[2 * WL_RANK_MAX];
    struct wl_str auto_pad = wl_node_attr_str(c->node, "auto_pad");
    memset(out, 0, sizeof(*out));
    if (spatial < 0 || spatial > WL_RANK_MAX) {
        return false;
    }
    out->spatial = spatial;
    out->same_upper = wl_str_is(auto_pad, "SAME_UPPER");
    out->same_lower = wl_str_is(auto_pad, "SAME_LOWER");
    out->valid = wl_str_is(auto_pad, "VALID");
    out->ceil_mode = wl_node_attr_int(c->node, "ceil_mode", 0) != 0;
    bool automatic = out->same_upper || out->same_lower || out->valid;
    if (!read_kernel(c, spatial, kernel, out->kernel) ||
        !read_extents(c, "strides", spatial, 1, 1, out->stride) ||
        !read_extents(c, "dilations", spatial, 1, 1, out->dilation)) {
        return false;
    }
    if (automatic) {
        return true;
    }
    if (!read_extents(c, "pads", 2 * spatial, -EXTENT_MAX, 0, pads)) {
        return false;
    }
    memcpy(out->pad_begin, pads, (size_t)spatial * sizeof(*pads));
    memcpy(out->pad_end, pads + spatial, (size_t)spatial * sizeof(*pads));
    return true;
}

/* Reach of the dilated kernel: extents are at most 2^31, so this cannot overflow. */
static int64_t reach(const struct wl_conv_geometry *geo, int32_t axis)
{
    return geo->dilation[axis] * (geo->kernel[axis] - 1) + 1;
}

struct wl_dim wl_conv_out_dim(struct wl_dim_pool *p, const struct wl_conv_geometry *geo,
                              int32_t axis, struct wl_dim in)
{
    struct wl_dim stride = wl_dim_known(geo->stride[axis]);
    if (geo->same_upper || geo->same_lower) {
        return wl_dim_ceil_div(p, in, stride);
    }
    int64_t grow = geo->pad_begin[axis] + geo->pad_end[axis] - reach(geo, axis);
    struct wl_dim free_steps = wl_dim_add_k(p, in, grow);
    if (wl_dim_is_known(free_steps) && free_steps.value < 0) {
        return wl_dim_unknown(); /* the kernel is larger than its padded input */
    }
    if (!geo->ceil_mode) {
        return wl_dim_add_k(p, wl_dim_floor_div(p, free_steps, stride), 1);
    }
    struct wl_dim out = wl_dim_add_k(p, wl_dim_ceil_div(p, free_steps, stride), 1);
    /* A window that would start in the padding at the end is left out. */
    if (wl_dim_is_known(out) && wl_dim_is_known(in) &&
        (out.value - 1) * geo->stride[axis] >= in.value + geo->pad_begin[axis]) {
        out.value--;
    }
    return out;
}

/* ---- work --------------------------------------------------------------------------------------
 */

static const struct wl_window *make_window(const struct wl_op_ctx *c,
                                           const struct wl_conv_geometry *geo,
                                           const struct wl_conv_shape *s)
{
    if (geo->spatial < 1 || geo->spatial > 3) {
        return NULL;
    }
    struct wl_window *win = WL_NEW(c->g->arena, struct wl_window);
    if (win == NULL) {
        return NULL;
    }
    win->spatial_rank = geo->spatial;
    for (int32_t i = 0; i < geo->spatial; i++) {
        win->in[i] = s->in[i];
        win->out[i] = s->out[i];
        win->kernel[i] = geo->kernel[i];
        win->stride[i] = geo->stride[i];
        win->dilation[i] = geo->dilation[i];
    }
    win->groups = s->groups;
    win->in_channels = s->in_channels;
    win->out_channels = s->out_channels;
    win->transposed = s->transposed;
    return win;
}

static struct wl_dim kernel_elems(struct wl_dim_pool *p, const struct wl_conv_geometry *geo)
{
    struct wl_dim n = wl_dim_known(1);
    for (int32_t i = 0; i < geo->spatial; i++) {
        n = wl_dim_mul_k(p, n, geo->kernel[i]);
    }
    return n;
}

void wl_work_conv(const struct wl_op_ctx *c, struct wl_work *w, const struct wl_conv_geometry *geo,
                  const struct wl_conv_shape *s)
{
    struct wl_dim_pool *p = wl_op_pool(c);
    struct wl_dim groups = wl_dim_known(s->groups);
    struct wl_dim kernel = kernel_elems(p, geo);
    struct wl_dim cin = wl_dim_floor_div(p, s->in_channels, groups);
    struct wl_dim cout = wl_dim_floor_div(p, s->out_channels, groups);
    struct wl_dim positions = wl_op_product(c, s->transposed ? s->in : s->out, 0, geo->spatial);
    struct wl_gemm view = {.g = groups, .m = wl_dim_mul(p, s->batch, positions), .n = cout};
    view.k = wl_dim_mul(p, cin, kernel);
    if (s->transposed) {
        view.n = wl_dim_mul(p, cout, kernel);
        view.k = cin;
    }
    wl_work_add_gemm(c, w, view);
    w->access = WL_ACCESS_WINDOW;
    w->window = make_window(c, geo, s);
}

/* ---- forward forms
 * ------------------------------------------------------------------------------- */

static int64_t groups_of(const struct wl_op_ctx *c)
{
    int64_t g = wl_node_attr_int(c->node, "group", 1);
    return g < 1 ? 1 : g;
}

/* (N, Cout, spatial...) from X at input 0 and W at input `weight`. */
static wl_status infer_forward(struct wl_op_ctx *c, int32_t weight)
{
    struct wl_conv_geometry geo;
    struct wl_dim dims[WL_RANK_MAX];
    int32_t x_rank = wl_op_in_rank(c, 0);
    int32_t w_rank = wl_op_in_rank(c, weight);
    int32_t rank = x_rank != WL_NONE ? x_rank : w_rank;
    if (rank < 2 || rank > WL_RANK_MAX) {
        return WL_OK;
    }
    if (w_rank != WL_NONE && w_rank != rank) {
        wl_op_conflict(c, "input of rank %d, weight of rank %d", (int)rank, (int)w_rank);
        return WL_OK;
    }
    struct wl_dim channels = wl_dim_mul_k(wl_op_pool(c), wl_op_in_dim(c, weight, 1), groups_of(c));
    if (wl_dim_ne(channels, wl_op_in_dim(c, 0, 1))) {
        wl_op_conflict(c, "input channels do not match the weight's times groups");
        return WL_OK;
    }
    const struct wl_tensor *wt = wl_op_in(c, weight);
    bool known = wl_conv_geometry_get(c, rank - 2, w_rank == rank ? wt->dims + 2 : NULL, &geo);
    dims[0] = wl_op_in_dim(c, 0, 0);
    dims[1] = wl_op_in_dim(c, weight, 0);
    for (int32_t i = 2; i < rank; i++) {
        dims[i] = known ? wl_conv_out_dim(wl_op_pool(c), &geo, i - 2, wl_op_in_dim(c, 0, i))
                        : wl_dim_unknown();
    }
    return wl_op_set_shape(c, 0, rank, dims);
}

/* False when extents are unknown: then the work is too. */
static bool cost_forward(struct wl_op_ctx *c, struct wl_work *w, int32_t weight)
{
    struct wl_conv_geometry geo;
    struct wl_conv_shape s = {.groups = groups_of(c)};
    int32_t rank = wl_op_out_rank(c, 0);
    const struct wl_tensor *wt = wl_op_in(c, weight);
    w->access = WL_ACCESS_WINDOW;
    if (rank < 2 || wl_op_in_rank(c, weight) != rank ||
        !wl_conv_geometry_get(c, rank - 2, wt->dims + 2, &geo)) {
        w->macs = wl_dim_unknown();
        return false;
    }
    s.batch = wl_op_out_dim(c, 0, 0);
    s.out_channels = wl_op_out_dim(c, 0, 1);
    s.in_channels = wl_dim_mul_k(wl_op_pool(c), wl_op_in_dim(c, weight, 1), s.groups);
    for (int32_t i = 0; i < geo.spatial; i++) {
        s.in[i] = wl_op_in_dim(c, 0, i + 2);
        s.out[i] = wl_op_out_dim(c, 0, i + 2);
    }
    wl_work_conv(c, w, &geo, &s);
    return true;
}

wl_status wl_infer_conv(struct wl_op_ctx *c)
{
    wl_op_set_dtype(c, 0, wl_op_in_dtype(c, 0));
    return infer_forward(c, 1);
}

wl_status wl_infer_deform_conv(struct wl_op_ctx *c)
{
    return wl_infer_conv(c);
}

wl_status wl_infer_conv_integer(struct wl_op_ctx *c)
{
    wl_op_set_dtype(c, 0, WL_DT_INT32);
    return infer_forward(c, 1);
}

wl_status wl_infer_qlinear_conv(struct wl_op_ctx *c)
{
    wl_op_set_dtype(c, 0, wl_op_in_dtype(c, 7));
    return infer_forward(c, 3);
}

void wl_cost_conv(struct wl_op_ctx *c, struct wl_work *w)
{
    (void)cost_forward(c, w, 1);
    if (wl_op_has_in(c, 2)) {
        wl_work_add(c, w, WL_WORK_ADDMUL, wl_op_out_elems(c, 0));
    }
}

void wl_cost_conv_integer(struct wl_op_ctx *c, struct wl_work *w)
{
    w->integer_macs = true;
    (void)cost_forward(c, w, 1);
    if (wl_op_has_in(c, 2)) {
        wl_work_add(c, w, WL_WORK_INTEGER, wl_op_in_elems(c, 0));
    }
}

void wl_cost_qlinear_conv(struct wl_op_ctx *c, struct wl_work *w)
{
    struct wl_dim n = wl_op_out_elems(c, 0);
    w->integer_macs = true;
    (void)cost_forward(c, w, 3);
    wl_work_add(c, w, WL_WORK_ADDMUL, n);
    wl_work_add_k(c, w, WL_WORK_COMPARE, 2, n);
    wl_work_add_k(c, w, WL_WORK_INTEGER, wl_op_has_in(c, 8) ? 2 : 1, n);
}

void wl_cost_deform_conv(struct wl_op_ctx *c, struct wl_work *w)
{
    struct wl_dim_pool *p = wl_op_pool(c);
    bool known = cost_forward(c, w, 1);
    if (wl_op_has_in(c, 3)) {
        wl_work_add(c, w, WL_WORK_ADDMUL, wl_op_out_elems(c, 0));
    }
    if (!known) {
        return;
    }
    int64_t offset_groups = wl_max_i64(wl_node_attr_int(c->node, "offset_group", 1), 1);
    struct wl_dim channels = wl_op_in_dim(c, 0, 1);
    struct wl_dim window = wl_dim_mul(p, w->gemms[0].m, w->gemms[0].k);
    struct wl_dim samples = wl_dim_mul_k(p, window, groups_of(c));
    struct wl_dim positions = wl_dim_exact_div(p, samples, channels);
    wl_work_add_k(c, w, WL_WORK_ADDMUL, wl_op_has_in(c, 4) ? 8 : 7, samples);
    wl_work_add_k(c, w, WL_WORK_ADDMUL, 8, wl_dim_mul_k(p, positions, offset_groups));
    w->access = WL_ACCESS_GATHER;
}

/* ---- ConvTranspose
 * -------------------------------------------------------------------------------- */

/* Output extent of one axis; `wanted` from output_shape, or unknown where that is absent. */
static struct wl_dim transpose_out_dim(struct wl_dim_pool *p, const struct wl_conv_geometry *geo,
                                       int32_t axis, struct wl_dim in, int64_t output_padding)
{
    if (geo->same_upper || geo->same_lower) { /* pads take away, they never add */
        int64_t less = wl_min_i64(output_padding + reach(geo, axis) - geo->stride[axis], 0);
        return wl_dim_add_k(p, wl_dim_mul_k(p, in, geo->stride[axis]), less);
    }
    struct wl_dim last = wl_dim_mul_k(p, wl_dim_add_k(p, in, -1), geo->stride[axis]);
    return wl_dim_add_k(
        p, last, output_padding + reach(geo, axis) - geo->pad_begin[axis] - geo->pad_end[axis]);
}

static bool transpose_geometry(const struct wl_op_ctx *c, int32_t rank,
                               struct wl_conv_geometry *geo)
{
    const struct wl_tensor *wt = wl_op_in(c, 1);
    bool has_kernel = wl_op_in_rank(c, 1) == rank;
    return wl_conv_geometry_get(c, rank - 2, has_kernel ? wt->dims + 2 : NULL, geo);
}

wl_status wl_infer_conv_transpose(struct wl_op_ctx *c)
{
    struct wl_conv_geometry geo;
    struct wl_dim dims[WL_RANK_MAX];
    int64_t padding[WL_RANK_MAX];
    int64_t wanted[WL_RANK_MAX];
    struct wl_dim_pool *p = wl_op_pool(c);
    int32_t rank = wl_op_in_rank(c, 0);
    wl_op_set_dtype(c, 0, wl_op_in_dtype(c, 0));
    if (rank < 2 || rank > WL_RANK_MAX) {
        return WL_OK;
    }
    if (wl_dim_ne(wl_op_in_dim(c, 0, 1), wl_op_in_dim(c, 1, 0))) {
        wl_op_conflict(c, "input channels do not match the weight's");
        return WL_OK;
    }
    bool known = transpose_geometry(c, rank, &geo) &&
                 read_extents(c, "output_padding", rank - 2, 0, 0, padding);
    int32_t given = wl_op_attr_ints(c, "output_shape", wanted, WL_RANK_MAX);
    dims[0] = wl_op_in_dim(c, 0, 0);
    dims[1] = wl_dim_mul_k(p, wl_op_in_dim(c, 1, 1), groups_of(c));
    for (int32_t i = 2; i < rank; i++) {
        if (given >= rank - 2) { /* spatial extents, or (of old exporters) all of them */
            dims[i] = wl_dim_known(wanted[given - rank + i]);
        } else {
            dims[i] = known
                          ? transpose_out_dim(p, &geo, i - 2, wl_op_in_dim(c, 0, i), padding[i - 2])
                          : wl_dim_unknown();
        }
    }
    return wl_op_set_shape(c, 0, rank, dims);
}

void wl_cost_conv_transpose(struct wl_op_ctx *c, struct wl_work *w)
{
    struct wl_conv_geometry geo;
    struct wl_conv_shape s = {.groups = groups_of(c), .transposed = true};
    int32_t rank = wl_op_in_rank(c, 0);
    w->access = WL_ACCESS_WINDOW;
    if (wl_op_has_in(c, 2)) {
        wl_work_add(c, w, WL_WORK_ADDMUL, wl_op_out_elems(c, 0));
    }
    if (rank < 2 || rank > WL_RANK_MAX || !transpose_geometry(c, rank, &geo)) {
        w->macs = wl_dim_unknown();
        return;
    }
    s.batch = wl_op_in_dim(c, 0, 0);
    s.in_channels = wl_op_in_dim(c, 0, 1);
    s.out_channels = wl_op_out_dim(c, 0, 1);
    for (int32_t i = 0; i < geo.spatial; i++) {
        s.in[i] = wl_op_in_dim(c, 0, i + 2);
        s.out[i] = wl_op_out_dim(c, 0, i + 2);
    }
    wl_work_conv(c, w, &geo, &s);
}

/* ---- CausalConvWithState
 * ---------------------------------------------------------------------------- */

/*
 * Depthwise 1-D convolution over (state, input): output as the input (B, C, L); the present state
 * is the last K-1 columns, (B, C, K-1). Optionally followed by SiLU (attribute activation).
 */
wl_status wl_infer_causal_conv(struct wl_op_ctx *c)
{
    int32_t rank = wl_op_in_rank(c, 0);
    wl_op_set_same(c, 0, 0);
    wl_op_set_dtype(c, 1, wl_op_in_dtype(c, 0));
    if (rank != 3) {
        return WL_OK;
    }
    struct wl_dim state = wl_dim_add_k(wl_op_pool(c), wl_op_in_dim(c, 1, 2), -1);
    struct wl_dim dims[3] = {wl_op_in_dim(c, 0, 0), wl_op_in_dim(c, 0, 1), state};
    return wl_op_set_shape(c, 1, 3, dims);
}

void wl_cost_causal_conv(struct wl_op_ctx *c, struct wl_work *w)
{
    struct wl_conv_geometry geo;
    struct wl_dim channels = wl_op_in_dim(c, 0, 1);
    struct wl_dim n = wl_op_out_elems(c, 0);
    w->access = WL_ACCESS_WINDOW;
    if (wl_op_has_in(c, 2)) {
        wl_work_add(c, w, WL_WORK_ADDMUL, n);
    }
    struct wl_str activation = wl_node_attr_str(c->node, "activation");
    if (wl_str_is(activation, "silu") || wl_str_is(activation, "swish")) {
        wl_work_add_k(c, w, WL_WORK_ADDMUL, 3, n);
        wl_work_add(c, w, WL_WORK_DIVIDE, n);
        wl_work_add(c, w, WL_WORK_SPECIAL, n);
    }
    const struct wl_tensor *wt = wl_op_in(c, 1);
    if (wl_op_in_rank(c, 0) != 3 || wl_op_in_rank(c, 1) != 3 || !wl_dim_is_known(channels) ||
        channels.value < 1 || !wl_conv_geometry_get(c, 1, wt->dims + 2, &geo)) {
        w->macs = wl_dim_mul(wl_op_pool(c), n, wl_op_in_dim(c, 1, 2));
        return;
    }
    struct wl_conv_shape s = {.batch = wl_op_in_dim(c, 0, 0),
                              .in_channels = channels,
                              .out_channels = channels,
                              .groups = channels.value};
    s.in[0] = wl_op_in_dim(c, 0, 2);
    s.out[0] = wl_op_out_dim(c, 0, 2);
    wl_work_conv(c, w, &geo, &s);
}
