/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops/resample.c: Resize and other operators that read an image at computed places. Output sizes
 * after the ONNX operator specification (sizes from scales are computed in single precision, as
 * runtimes do).
 *
 * Work, per output element: a linear interpolation a + w * (b - a) is 3 add/mul, so 2^r - 1 of them
 * over r axes; a cubic one is 4 multiplications and 3 additions, (4^r - 1) / 3 of them; nearest
 * copies. Only axes whose size changes count for Resize.
 */
#include <math.h>

#include "move_priv.h"

#define LERP_OPS 3
#define CUBIC_OPS 7

/* Operations of one interpolation over `axes` axes. */
static int64_t interpolation_ops(bool cubic, int64_t axes)
{
    int64_t lines = 0;
    for (int64_t i = 0; i < axes && i < 8; i++) {
        lines = cubic ? 4 * lines + 1 : 2 * lines + 1;
    }
    return lines * (cubic ? CUBIC_OPS : LERP_OPS);
}

/* ---- Resize ------------------------------------------------------------------------------- */

/* Axes that scales, sizes and roi speak of: attribute `axes`, else all. Count or WL_NONE. */
static int32_t resize_axes(const struct wl_op_ctx *c, int32_t rank, int32_t *axes)
{
    const struct wl_attr *a = wl_node_attr(c->node, "axes");
    if (a == NULL) {
        for (int32_t i = 0; i < rank; i++) {
            axes[i] = i;
        }
        return rank;
    }
    if (a->type != WL_ATTR_INTS || a->count > rank) {
        return WL_NONE;
    }
    for (int32_t i = 0; i < a->count; i++) {
        if (!wl_op_axis(a->u.ints[i], rank, &axes[i])) {
            return WL_NONE;
        }
    }
    return a->count;
}

/* floor(d * f) with the product rounded to single precision, as runtimes compute it. */
static struct wl_dim scaled(struct wl_dim_pool *p, struct wl_dim d, double f)
{
    if (!wl_dim_is_known(d) || d.value > (INT64_C(1) << 24)) {
        return wl_dim_scale(p, d, f);
    }
    float product = (float)d.value * (float)f;
    return product >= 0.0F && product < 9.0e15F ? wl_dim_known((int64_t)floorf(product))
                                                : wl_dim_unknown();
}

static void resize_by_scales(struct wl_op_ctx *c, int32_t input, const int32_t *axes, int32_t n,
                             struct wl_dim *dims)
{
    const struct wl_value *scales = wl_op_in_value(c, input);
    bool crop = wl_str_is(wl_node_attr_str(c->node, "coordinate_transformation_mode"),
                          "tf_crop_and_resize");
    const struct wl_value *roi = crop ? wl_op_in_value(c, 1) : NULL;
    for (int32_t i = 0; i < n; i++) {
        struct wl_dim d = dims[axes[i]];
        dims[axes[i]] = wl_dim_unknown();
        if (scales == NULL || scales->count != n ||
            (crop && (roi == NULL || roi->count != 2 * (int64_t)n))) {
            continue;
        }
        double f = wl_value_float(scales, i);
        f = crop ? f * (wl_value_float(roi, n + i) - wl_value_float(roi, i)) : f;
        dims[axes[i]] = isfinite(f) ? scaled(wl_op_pool(c), d, f) : wl_dim_unknown();
    }
}

/* One scale for all axes, the smallest or the largest that the sizes ask for; halves round up. */
static void keep_aspect(const struct wl_op_ctx *c, const struct wl_value *sizes,
                        const int32_t *axes, int32_t n, struct wl_dim *dims)
{
    bool smallest = wl_str_is(wl_node_attr_str(c->node, "keep_aspect_ratio_policy"), "not_larger");
    double scale = smallest ? HUGE_VAL : 0.0;
    bool known = true;
    for (int32_t i = 0; i < n; i++) {
        double want = wl_value_float(sizes, i);
        known =
            known && wl_dim_is_known(dims[axes[i]]) && dims[axes[i]].value > 0 && isfinite(want);
        double ratio = known ? want / (double)dims[axes[i]].value : 0.0;
        scale = smallest ? fmin(scale, ratio) : fmax(scale, ratio);
    }
    for (int32_t i = 0; i < n; i++) {
        double size = known ? floor((double)dims[axes[i]].value * scale + 0.5) : -1.0;
        bool fits = size >= 0.0 && size < 9.0e15;
        dims[axes[i]] = fits ? wl_dim_known((int64_t)size) : wl_dim_unknown();
    }
}

static void resize_by_sizes(struct wl_op_ctx *c, const int32_t *axes, int32_t n,
                            struct wl_dim *dims)
{
    const struct wl_value *sizes = wl_op_in_value(c, 3);
    struct wl_str policy = wl_node_attr_str(c->node, "keep_aspect_ratio_policy");
    bool usable = sizes != NULL && sizes->count == n;
    if (usable && policy.len > 0 && !wl_str_is(policy, "stretch")) {
        keep_aspect(c, sizes, axes, n, dims);
        return;
    }
    for (int32_t i = 0; i < n; i++) {
        dims[axes[i]] = usable ? wl_value_int(sizes, i) : wl_dim_unknown();
    }
}

wl_status wl_infer_resize(struct wl_op_ctx *c)
{
    wl_op_same_dtype(c, 0, 0);
    const struct wl_tensor *x = wl_op_in(c, 0);
    if (x == NULL || x->rank < 0) {
        return WL_OK;
    }
    int32_t axes[WL_RANK_MAX];
    struct wl_dim dims[WL_RANK_MAX];
    int32_t n = resize_axes(c, x->rank, axes);
    if (n < 0) {
        return wl_op_set_unknown_dims(c, 0, x->rank);
    }
    for (int32_t i = 0; i < x->rank; i++) {
        dims[i] = x->dims[i];
    }
    /* An omitted input may be given as an empty tensor. */
    bool by_sizes = wl_op_has_in(c, 3) && !wl_dim_is(wl_op_in_dim(c, 3, 0), 0);
    bool by_scales = wl_op_has_in(c, 2) && !wl_dim_is(wl_op_in_dim(c, 2, 0), 0);
    if (by_sizes) {
        resize_by_sizes(c, axes, n, dims);
    } else if (by_scales) {
        resize_by_scales(c, 2, axes, n, dims);
    } else {
        return wl_op_set_unknown_dims(c, 0, x->rank);
    }
    return wl_op_set_shape(c, 0, x->rank, dims);
}

/* Upsample: (X, scales), no crop. */
wl_status wl_infer_upsample(struct wl_op_ctx *c)
{
    wl_op_same_dtype(c, 0, 0);
    const struct wl_tensor *x = wl_op_in(c, 0);
    if (x == NULL || x->rank < 0) {
        return WL_OK;
    }
    int32_t axes[WL_RANK_MAX];
    struct wl_dim dims[WL_RANK_MAX];
    for (int32_t i = 0; i < x->rank; i++) {
        dims[i] = x->dims[i];
        axes[i] = i;
    }
    resize_by_scales(c, 1, axes, x->rank, dims);
    return wl_op_set_shape(c, 0, x->rank, dims);
}

void wl_cost_resize(struct wl_op_ctx *c, struct wl_work *w)
{
    struct wl_str mode = wl_node_attr_str(c->node, "mode");
    bool cubic = wl_str_is(mode, "cubic");
    w->access = WL_ACCESS_GATHER;
    if (!cubic && !wl_str_is(mode, "linear") && !wl_str_is(mode, "bilinear")) {
        return;
    }
    int64_t axes = 0;
    for (int32_t i = 0; i < wl_op_out_rank(c, 0); i++) {
        axes += !wl_dim_eq(wl_op_out_dim(c, 0, i), wl_op_in_dim(c, 0, i));
    }
    wl_work_add_typed(c, w, WL_WORK_ADDMUL, interpolation_ops(cubic, axes), wl_op_out_elems(c, 0));
}

/* ---- GridSample, AffineGrid --------------------------------------------------------------- */

/* X (N, C, D1 .. Dr), grid (N, O1 .. Or, r) -> (N, C, O1 .. Or). */
wl_status wl_infer_grid_sample(struct wl_op_ctx *c)
{
    wl_op_same_dtype(c, 0, 0);
    const struct wl_tensor *x = wl_op_in(c, 0);
    const struct wl_tensor *grid = wl_op_in(c, 1);
    int32_t rank = x != NULL && x->rank >= 0 ? x->rank : wl_op_in_rank(c, 1);
    if (rank < 3) {
        return WL_OK;
    }
    struct wl_dim dims[WL_RANK_MAX];
    bool have_x = x != NULL && x->rank == rank;
    bool have_grid = grid != NULL && grid->rank == rank;
    dims[0] = have_x ? x->dims[0] : wl_dim_unknown();
    dims[0] = have_grid ? wl_op_merge_dim(dims[0], grid->dims[0]) : dims[0];
    dims[1] = have_x ? x->dims[1] : wl_dim_unknown();
    for (int32_t i = 2; i < rank; i++) {
        dims[i] = have_grid ? grid->dims[i - 1] : wl_dim_unknown();
    }
    return wl_op_set_shape(c, 0, rank, dims);
}

/* Per grid point and axis, 4 add/mul to unnormalise the coordinate and its weight. */
void wl_cost_grid_sample(struct wl_op_ctx *c, struct wl_work *w)
{
    struct wl_str mode = wl_node_attr_str(c->node, "mode");
    bool cubic = wl_str_is(mode, "cubic") || wl_str_is(mode, "bicubic");
    bool nearest = wl_str_is(mode, "nearest");
    int64_t axes = wl_max_i64(0, wl_op_in_rank(c, 0) - 2);
    w->access = WL_ACCESS_GATHER;
    wl_work_add_k(c, w, WL_WORK_ADDMUL, 4, wl_op_in_elems(c, 1));
    if (!nearest) {
        wl_work_add_k(c, w, WL_WORK_ADDMUL, interpolation_ops(cubic, axes), wl_op_out_elems(c, 0));
    }
}

/* theta (N, r, r + 1), size [N, C, D1 .. Dr] -> (N, D1 .. Dr, r). */
wl_status wl_infer_affine_grid(struct wl_op_ctx *c)
{
    wl_op_same_dtype(c, 0, 0);
    struct wl_dim size[WL_RANK_MAX];
    int32_t n = wl_op_in_dims(c, 1, size, WL_RANK_MAX);
    if (n < 3) {
        struct wl_dim count = wl_op_in_dim(c, 1, 0);
        return wl_dim_is_known(count) ? wl_op_set_unknown_dims(c, 0, count.value) : WL_OK;
    }
    struct wl_dim dims[WL_RANK_MAX];
    dims[0] = wl_op_merge_dim(size[0], wl_op_in_dim(c, 0, 0));
    for (int32_t i = 2; i < n; i++) {
        dims[i - 1] = size[i];
    }
    dims[n - 1] = wl_dim_known(n - 2);
    return wl_op_set_shape(c, 0, n, dims);
}

/* A product of the grid's points (r + 1 homogeneous coordinates) with theta. */
void wl_cost_affine_grid(struct wl_op_ctx *c, struct wl_work *w)
{
    int32_t rank = wl_op_out_rank(c, 0);
    const struct wl_tensor *y = wl_op_out(c, 0);
    if (rank < 3) {
        return;
    }
    struct wl_gemm view = {.g = y->dims[0],
                           .m = wl_op_product(c, y->dims, 1, rank - 1),
                           .n = wl_dim_known(rank - 2),
                           .k = wl_dim_known(rank - 1)};
    w->access = WL_ACCESS_STREAM;
    wl_work_add_gemm(c, w, view);
}

/* ---- regions of interest ------------------------------------------------------------------ */

wl_status wl_infer_roi_align(struct wl_op_ctx *c)
{
    wl_op_same_dtype(c, 0, 0);
    struct wl_dim dims[4] = {wl_op_merge_dim(wl_op_in_dim(c, 1, 0), wl_op_in_dim(c, 2, 0)),
                             wl_op_in_dim(c, 0, 1),
                             wl_dim_known(wl_node_attr_int(c->node, "output_height", 1)),
                             wl_dim_known(wl_node_attr_int(c->node, "output_width", 1))};
    return wl_op_set_shape(c, 0, 4, dims);
}

#define ROI_ADAPTIVE_SAMPLES 2

/*
 * Per output, samples x samples bilinear reads and their sum (or maximum). sampling_ratio 0 adapts
 * to the size of the region; taken as 2, the usual setting.
 */
void wl_cost_roi_align(struct wl_op_ctx *c, struct wl_work *w)
{
    int64_t ratio = wl_node_attr_int(c->node, "sampling_ratio", 0);
    ratio = ratio < 1 || ratio > 1024 ? ROI_ADAPTIVE_SAMPLES : ratio;
    struct wl_dim n = wl_dim_mul_k(wl_op_pool(c), wl_op_out_elems(c, 0), ratio * ratio);
    bool max = wl_str_is(wl_node_attr_str(c->node, "mode"), "max");
    w->access = WL_ACCESS_GATHER;
    wl_work_add_k(c, w, WL_WORK_ADDMUL, interpolation_ops(false, 2), n);
    wl_work_add(c, w, max ? WL_WORK_COMPARE : WL_WORK_ADDMUL, n);
}

wl_status wl_infer_max_roi_pool(struct wl_op_ctx *c)
{
    wl_op_same_dtype(c, 0, 0);
    int64_t pooled[WL_RANK_MAX];
    int32_t n = wl_op_attr_ints(c, "pooled_shape", pooled, WL_RANK_MAX - 2);
    if (n < 1) {
        return WL_OK;
    }
    struct wl_dim dims[WL_RANK_MAX] = {wl_op_in_dim(c, 1, 0), wl_op_in_dim(c, 0, 1)};
    for (int32_t i = 0; i < n; i++) {
        dims[2 + i] = wl_dim_known(pooled[i]);
    }
    return wl_op_set_shape(c, 0, 2 + n, dims);
}

/* Upper bound: every region covers the whole image. */
void wl_cost_max_roi_pool(struct wl_op_ctx *c, struct wl_work *w)
{
    struct wl_dim_pool *p = wl_op_pool(c);
    const struct wl_tensor *x = wl_op_in(c, 0);
    struct wl_dim image =
        x == NULL || x->rank < 2 ? wl_dim_unknown() : wl_op_product(c, x->dims, 1, x->rank);
    w->access = WL_ACCESS_WINDOW;
    wl_work_add(c, w, WL_WORK_COMPARE, wl_dim_mul(p, wl_op_in_dim(c, 1, 0), image));
}

/* com.microsoft.CropAndResize: crops to crop_size, bilinear. */
wl_status wl_infer_crop_and_resize(struct wl_op_ctx *c)
{
    wl_op_same_dtype(c, 0, 0);
    struct wl_dim size[2];
    bool known = wl_op_in_dims(c, 3, size, 2) == 2;
    struct wl_dim dims[4] = {wl_op_in_dim(c, 1, 0), wl_op_in_dim(c, 0, 1),
                             known ? size[0] : wl_dim_unknown(),
                             known ? size[1] : wl_dim_unknown()};
    return wl_op_set_shape(c, 0, 4, dims);
}

void wl_cost_crop_and_resize(struct wl_op_ctx *c, struct wl_work *w)
{
    bool nearest = wl_str_is(wl_node_attr_str(c->node, "mode"), "nearest");
    w->access = WL_ACCESS_GATHER;
    wl_work_add_k(c, w, WL_WORK_ADDMUL, nearest ? 0 : interpolation_ops(false, 2),
                  wl_op_out_elems(c, 0));
}

/* ---- Col2Im, CenterCropPad ---------------------------------------------------------------- */

/* (N, C * prod(block), L) -> (N, C, image). */
wl_status wl_infer_col2im(struct wl_op_ctx *c)
{
    wl_op_same_dtype(c, 0, 0);
    struct wl_dim image[WL_RANK_MAX];
    struct wl_dim block[WL_RANK_MAX];
    int32_t n = wl_op_in_dims(c, 1, image, WL_RANK_MAX - 2);
    int32_t blocks = wl_op_in_dims(c, 2, block, WL_RANK_MAX - 2);
    if (n < 0) {
        struct wl_dim count = wl_op_in_dim(c, 1, 0);
        return wl_dim_is_known(count) ? wl_op_set_unknown_dims(c, 0, count.value + 2) : WL_OK;
    }
    struct wl_dim dims[WL_RANK_MAX] = {wl_op_in_dim(c, 0, 0), wl_dim_unknown()};
    if (blocks == n) {
        dims[1] =
            wl_dim_exact_div(wl_op_pool(c), wl_op_in_dim(c, 0, 1), wl_op_product(c, block, 0, n));
    }
    for (int32_t i = 0; i < n; i++) {
        dims[2 + i] = image[i];
    }
    return wl_op_set_shape(c, 0, n + 2, dims);
}

/* Every element of the columns is added into the image. */
void wl_cost_col2im(struct wl_op_ctx *c, struct wl_work *w)
{
    w->access = WL_ACCESS_WINDOW;
    wl_work_add_typed(c, w, WL_WORK_ADDMUL, 1, wl_op_in_elems(c, 0));
}

wl_status wl_infer_center_crop_pad(struct wl_op_ctx *c)
{
    wl_op_same_dtype(c, 0, 0);
    const struct wl_tensor *x = wl_op_in(c, 0);
    if (x == NULL || x->rank < 0) {
        return WL_OK;
    }
    int32_t axes[WL_RANK_MAX];
    struct wl_dim size[WL_RANK_MAX];
    struct wl_dim dims[WL_RANK_MAX];
    int32_t n = resize_axes(c, x->rank, axes);
    int32_t given = wl_op_in_dims(c, 1, size, WL_RANK_MAX);
    if (n < 0) {
        return wl_op_set_unknown_dims(c, 0, x->rank);
    }
    for (int32_t i = 0; i < x->rank; i++) {
        dims[i] = x->dims[i];
    }
    for (int32_t i = 0; i < n; i++) {
        dims[axes[i]] = given == n ? size[i] : wl_dim_unknown();
    }
    return wl_op_set_shape(c, 0, x->rank, dims);
}

/* ---- decoding ----------------------------------------------------------------------------- */

/* Height and width lie in the encoded bytes; the number of channels follows from pixel_format. */
wl_status wl_infer_image_decoder(struct wl_op_ctx *c)
{
    bool grey = wl_str_is(wl_node_attr_str(c->node, "pixel_format"), "Grayscale");
    wl_op_set_dtype(c, 0, WL_DT_UINT8);
    struct wl_dim dims[3] = {wl_op_data_dim(c, "height", wl_dim_unknown()),
                             wl_op_data_dim(c, "width", wl_dim_unknown()),
                             wl_dim_known(grey ? 1 : 3)};
    return wl_op_set_shape(c, 0, 3, dims);
}

#define DECODE_OPS_PER_SAMPLE 40

/*
 * Order of magnitude of a baseline JPEG: entropy decoding, an inverse transform of 8 x 8 blocks
 * (about 16 operations a sample), colour conversion.
 */
void wl_cost_image_decoder(struct wl_op_ctx *c, struct wl_work *w)
{
    w->access = WL_ACCESS_GATHER;
    wl_work_add_k(c, w, WL_WORK_INTEGER, DECODE_OPS_PER_SAMPLE, wl_op_out_elems(c, 0));
}
