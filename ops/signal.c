/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops/signal.c: Fourier transforms, window functions, mel filter weights. Shapes after the ONNX
 * operator specification.
 *
 * Work of a transform of n points: 5 n log2 n add/mul, the usual count of a complex radix-2
 * transform (Frigo and Johnson, FFTW's "mflops"); half of it for real input or output. log2 is
 * rounded up; for a symbolic n it is taken as 10.
 */
#include "move_priv.h"

#define LOG2_SYMBOLIC 10

/* Adds `count` transforms of n points. */
static void add_transforms(const struct wl_op_ctx *c, struct wl_work *w, struct wl_dim n,
                           struct wl_dim count, bool real)
{
    struct wl_dim_pool *p = wl_op_pool(c);
    struct wl_dim ops =
        wl_dim_mul_k(p, wl_dim_mul(p, n, count), 5 * wl_log2_ceil(n, LOG2_SYMBOLIC));
    if (real) {
        ops = wl_dim_ceil_div(p, ops, wl_dim_known(2));
    }
    wl_work_add(c, w, WL_WORK_ADDMUL, ops);
}

/* n / 2 + 1, the bins of a one-sided spectrum. */
static struct wl_dim half_spectrum(struct wl_dim_pool *p, struct wl_dim n)
{
    return wl_dim_add_k(p, wl_dim_floor_div(p, n, wl_dim_known(2)), 1);
}

/* ---- DFT ---------------------------------------------------------------------------------- */

/*
 * The axis is input 2 since opset 20 (default -2) and was an attribute before (default 1). False
 * when unknown.
 */
static bool dft_axis(const struct wl_op_ctx *c, int32_t rank, int32_t *axis)
{
    const struct wl_attr *a = wl_node_attr(c->node, "axis");
    int64_t raw = c->node->version < 20 ? 1 : -2;
    if (wl_op_has_in(c, 2)) {
        struct wl_dim given = wl_op_in_scalar(c, 2);
        if (!wl_dim_is_known(given)) {
            return false;
        }
        raw = given.value;
    } else if (a != NULL && a->type == WL_ATTR_INT) {
        raw = a->u.i;
    }
    return wl_op_axis(raw, rank, axis);
}

/* Points of the transform: dft_length, else the extent of the axis (of an inverse real one, 2 (d -
 * 1)). */
static struct wl_dim dft_length(struct wl_op_ctx *c, int32_t axis)
{
    bool halved = wl_node_attr_int(c->node, "onesided", 0) != 0 &&
                  wl_node_attr_int(c->node, "inverse", 0) != 0;
    if (wl_op_has_in(c, 1)) {
        return wl_op_in_scalar(c, 1);
    }
    struct wl_dim d = wl_op_in_dim(c, 0, axis);
    struct wl_dim_pool *p = wl_op_pool(c);
    return halved ? wl_dim_mul_k(p, wl_dim_add_k(p, d, -1), 2) : d;
}

wl_status wl_infer_dft(struct wl_op_ctx *c)
{
    wl_op_same_dtype(c, 0, 0);
    const struct wl_tensor *x = wl_op_in(c, 0);
    if (x == NULL || x->rank < 2) {
        return WL_OK;
    }
    bool onesided = wl_node_attr_int(c->node, "onesided", 0) != 0;
    bool inverse = wl_node_attr_int(c->node, "inverse", 0) != 0;
    struct wl_dim dims[WL_RANK_MAX];
    for (int32_t i = 0; i < x->rank; i++) {
        dims[i] = x->dims[i];
    }
    dims[x->rank - 1] = wl_dim_known(onesided && inverse ? 1 : 2);
    int32_t axis;
    if (!dft_axis(c, x->rank, &axis)) {
        for (int32_t i = 0; i < x->rank - 1; i++) {
            dims[i] = wl_dim_unknown(); /* any of them may be the transformed one */
        }
    } else if (axis < x->rank - 1) {
        struct wl_dim n = dft_length(c, axis);
        dims[axis] = onesided && !inverse ? half_spectrum(wl_op_pool(c), n) : n;
    }
    return wl_op_set_shape(c, 0, x->rank, dims);
}

void wl_cost_dft(struct wl_op_ctx *c, struct wl_work *w)
{
    const struct wl_tensor *x = wl_op_in(c, 0);
    int32_t axis;
    w->access = WL_ACCESS_GATHER;
    if (x == NULL || x->rank < 2 || !dft_axis(c, x->rank, &axis)) {
        wl_work_add(c, w, WL_WORK_ADDMUL, wl_dim_unknown());
        return;
    }
    struct wl_dim_pool *p = wl_op_pool(c);
    struct wl_dim count = wl_dim_mul(p, wl_op_product(c, x->dims, 0, axis),
                                     wl_op_product(c, x->dims, axis + 1, x->rank - 1));
    bool real = wl_dim_is(x->dims[x->rank - 1], 1) || wl_node_attr_int(c->node, "onesided", 0) != 0;
    add_transforms(c, w, dft_length(c, axis), count, real);
}

/* ---- STFT --------------------------------------------------------------------------------- */

/* frame_length, else the length of the window. */
static struct wl_dim frame_length(const struct wl_op_ctx *c)
{
    return wl_op_has_in(c, 3) ? wl_op_in_scalar(c, 3) : wl_op_in_dim(c, 2, 0);
}

static struct wl_dim frame_count(struct wl_op_ctx *c)
{
    struct wl_dim_pool *p = wl_op_pool(c);
    struct wl_dim step = wl_op_in_scalar(c, 1);
    struct wl_dim rest = wl_dim_sub(p, wl_op_in_dim(c, 0, 1), frame_length(c));
    if (wl_dim_is_known(step) && step.value < 1) {
        return wl_dim_unknown();
    }
    return wl_dim_add_k(p, wl_dim_floor_div(p, rest, step), 1);
}

wl_status wl_infer_stft(struct wl_op_ctx *c)
{
    wl_op_same_dtype(c, 0, 0);
    struct wl_dim n = frame_length(c);
    bool onesided = wl_node_attr_int(c->node, "onesided", 1) != 0;
    struct wl_dim dims[4] = {wl_op_in_dim(c, 0, 0), frame_count(c),
                             onesided ? half_spectrum(wl_op_pool(c), n) : n, wl_dim_known(2)};
    if (wl_dim_is_known(dims[1]) && dims[1].value < 0) {
        dims[1] = wl_dim_unknown();
    }
    return wl_op_set_shape(c, 0, 4, dims);
}

/* A multiplication by the window and a transform for each frame. */
void wl_cost_stft(struct wl_op_ctx *c, struct wl_work *w)
{
    struct wl_dim_pool *p = wl_op_pool(c);
    struct wl_dim frames = wl_dim_mul(p, wl_op_in_dim(c, 0, 0), frame_count(c));
    struct wl_dim n = frame_length(c);
    bool real = !wl_dim_is(wl_op_in_dim(c, 0, 2), 2);
    w->access = WL_ACCESS_WINDOW;
    if (wl_op_has_in(c, 2)) {
        wl_work_add(c, w, WL_WORK_ADDMUL, wl_dim_mul(p, frames, n));
    }
    add_transforms(c, w, n, frames, real);
}

/* ---- windows, mel weights ----------------------------------------------------------------- */

wl_status wl_infer_window(struct wl_op_ctx *c)
{
    wl_op_set_dtype(c, 0,
                    wl_dtype_of_number(wl_node_attr_int(c->node, "output_datatype", WL_DT_FLOAT)));
    struct wl_dim n = wl_op_in_scalar(c, 0);
    if (wl_dim_is_known(n) && n.value < 0) {
        n = wl_dim_unknown();
    }
    return wl_op_set_shape(c, 0, 1, &n);
}

/* The row's number of cosines per element; argument and sum take 2 add/mul for each. */
void wl_cost_window(struct wl_op_ctx *c, struct wl_work *w)
{
    struct wl_dim n = wl_op_out_elems(c, 0);
    w->access = WL_ACCESS_STREAM;
    wl_work_add_k(c, w, WL_WORK_SPECIAL, c->node->op->ops_per_elem, n);
    wl_work_add_k(c, w, WL_WORK_ADDMUL, 2 * (int64_t)c->node->op->ops_per_elem, n);
}

wl_status wl_infer_mel_weights(struct wl_op_ctx *c)
{
    wl_op_set_dtype(c, 0,
                    wl_dtype_of_number(wl_node_attr_int(c->node, "output_datatype", WL_DT_FLOAT)));
    struct wl_dim dims[2] = {half_spectrum(wl_op_pool(c), wl_op_in_scalar(c, 1)),
                             wl_op_in_scalar(c, 0)};
    for (int32_t i = 0; i < 2; i++) {
        if (wl_dim_is_known(dims[i]) && dims[i].value < 0) {
            dims[i] = wl_dim_unknown();
        }
    }
    return wl_op_set_shape(c, 0, 2, dims);
}

/* ---- com.microsoft Rfft, Irfft ------------------------------------------------------------ */

wl_status wl_infer_rfft(struct wl_op_ctx *c)
{
    wl_op_same_dtype(c, 0, 0);
    const struct wl_tensor *x = wl_op_in(c, 0);
    int64_t ndim = wl_node_attr_int(c->node, "signal_ndim", 1);
    if (x == NULL || x->rank < 1 || x->rank >= WL_RANK_MAX || ndim < 1 || ndim > x->rank) {
        return WL_OK;
    }
    struct wl_dim dims[WL_RANK_MAX];
    for (int32_t i = 0; i < x->rank; i++) {
        dims[i] = x->dims[i];
    }
    dims[x->rank - 1] = half_spectrum(wl_op_pool(c), x->dims[x->rank - 1]);
    dims[x->rank] = wl_dim_known(2);
    return wl_op_set_shape(c, 0, x->rank + 1, dims);
}

wl_status wl_infer_irfft(struct wl_op_ctx *c)
{
    wl_op_same_dtype(c, 0, 0);
    const struct wl_tensor *x = wl_op_in(c, 0);
    if (x == NULL || x->rank < 2) {
        return WL_OK;
    }
    struct wl_dim dims[WL_RANK_MAX];
    for (int32_t i = 0; i < x->rank - 1; i++) {
        dims[i] = x->dims[i];
    }
    struct wl_dim_pool *p = wl_op_pool(c);
    dims[x->rank - 2] = wl_dim_mul_k(p, wl_dim_add_k(p, x->dims[x->rank - 2], -1), 2);
    return wl_op_set_shape(c, 0, x->rank - 1, dims);
}

/* Real transforms over the last signal_ndim axes of the real side. */
static void cost_real_transform(struct wl_op_ctx *c, struct wl_work *w,
                                const struct wl_tensor *real)
{
    struct wl_dim_pool *p = wl_op_pool(c);
    int64_t ndim = wl_node_attr_int(c->node, "signal_ndim", 1);
    w->access = WL_ACCESS_GATHER;
    for (int64_t i = 0; real != NULL && i < ndim && i < real->rank; i++) {
        int32_t axis = real->rank - 1 - (int32_t)i;
        struct wl_dim count = wl_dim_mul(p, wl_op_product(c, real->dims, 0, axis),
                                         wl_op_product(c, real->dims, axis + 1, real->rank));
        add_transforms(c, w, real->dims[axis], count, true);
    }
}

void wl_cost_rfft(struct wl_op_ctx *c, struct wl_work *w)
{
    cost_real_transform(c, w, wl_op_in(c, 0));
}

void wl_cost_irfft(struct wl_op_ctx *c, struct wl_work *w)
{
    cost_real_transform(c, w, wl_op_out(c, 0));
}
