/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calibrate/micro_products.c: convolutions, matrix products, recurrences. Sizes p[] of each kind
 * stand at its design function. Bounds are what published networks use: images of 4 to 160 pixels a
 * side (larger ones with few channels), 8 to 2,048 channels, products of 1 to 4,096 rows.
 */
#include <math.h>

#include "micro.h"

#define MACS_MAX 1.2e9
#define LARGE_MACS_MAX 4e9 /* of the few designs that stand for batches of large images */
#define BYTES_MAX 6.4e7
#define IMAGE_BYTES_MAX 1.1e8

double wl_micro_halton(int32_t i, int32_t base)
{
    double f = 1, r = 0;
    for (int32_t k = i + 1; k > 0; k /= base) {
        f /= base;
        r += f * (k % base);
    }
    return r;
}

/* Between `low` and `high` on a logarithmic scale, rounded to `step` (at least one step). */
int64_t wl_micro_spread(int32_t i, int32_t base, double low, double high, int64_t step)
{
    double v = low * pow(high / low, wl_micro_halton(i, base));
    int64_t steps = (int64_t)(v / (double)step + 0.5);
    return step * (steps > 0 ? steps : 1);
}

int64_t wl_micro_pick(int32_t i, int32_t base, const int64_t *values, int32_t count)
{
    int32_t at = (int32_t)(wl_micro_halton(i, base) * count);
    return values[at < count ? at : count - 1];
}

enum wl_micro_extent wl_micro_extent(int32_t i)
{
    /* multiples of the golden section: as even as Halton's sequences, and related to none */
    double place = fmod(0.6180339887498949 * (i + 1), 1);
    return place < 1.0 / 5             ? WL_MICRO_SMALL
           : place < 1.0 / 5 + 1.0 / 9 ? WL_MICRO_LARGE
                                       : WL_MICRO_USUAL;
}

#define PICK WL_MICRO_PICK
#define spread wl_micro_spread

/* ---- shared pieces -----------------------------------------------------------------------------
 */

void wl_micro_window_attrs(struct wl_onnx *b, struct wl_onnx_node *n, int64_t kh, int64_t kw,
                           int64_t stride, int64_t dilation)
{
    int64_t ph = dilation * (kh - 1) / 2, pw = dilation * (kw - 1) / 2;
    const int64_t kernel[] = {kh, kw}, strides[] = {stride, stride}, pads[] = {ph, pw, ph, pw};
    const int64_t dilations[] = {dilation, dilation};
    wl_onnx_attr_ints(b, n, "kernel_shape", kernel, 2);
    wl_onnx_attr_ints(b, n, "strides", strides, 2);
    wl_onnx_attr_ints(b, n, "pads", pads, 4);
    if (dilation != 1) {
        wl_onnx_attr_ints(b, n, "dilations", dilations, 2);
    }
}

static const char *conv(struct wl_onnx *b, const char *x, int64_t cin, int64_t cout, int64_t groups,
                        int64_t kh, int64_t kw, int64_t stride, int64_t dilation)
{
    const int64_t w[] = {cout, cin / groups, kh, kw}, bias[] = {cout};
    struct wl_onnx_node *n = wl_onnx_add(
        b, "Conv", (const char *[8]){x, wl_onnx_weight(b, w, 4), wl_onnx_weight(b, bias, 1)});
    wl_onnx_attr_int(b, n, "group", groups);
    wl_micro_window_attrs(b, n, kh, kw, stride, dilation);
    return wl_onnx_result(n);
}

const char *wl_micro_blocked_image(struct wl_onnx *b, int64_t from, const int64_t dims[4])
{
    const int64_t in[] = {dims[0], from, dims[2], dims[3]};
    wl_onnx_aid(b, true);
    const char *x = wl_onnx_input(b, WL_ONNX_FLOAT, in, 4);
    const char *y = conv(b, x, from, dims[1], 1, 1, 1, 1, 1);
    wl_onnx_aid(b, false);
    return y;
}

const char *wl_micro_fresh(struct wl_onnx *b, const int64_t *dims, int32_t rank)
{
    const char *x = wl_onnx_input(b, WL_ONNX_FLOAT, dims, rank);
    return wl_onnx_result(wl_onnx_add(b, "Neg", (const char *[8]){x}));
}

const char *wl_micro_unary(struct wl_onnx *b, const char *op, const char *x)
{
    return wl_onnx_result(wl_onnx_add(b, op, (const char *[8]){x}));
}

const char *wl_micro_binary(struct wl_onnx *b, const char *op, const char *x, const char *y)
{
    return wl_onnx_result(wl_onnx_add(b, op, (const char *[8]){x, y}));
}

/* ---- convolutions ------------------------------------------------------------------------------
 * p: batch, height, width (of the input), channels in, out, groups, window h, w, stride, epilogue
 */
enum { BATCH, HEIGHT, WIDTH, CIN, COUT, GROUPS, KH, KW, STRIDE, EPILOGUE };
/* DILATED + d: taps d pixels apart, then ReLU */
enum { PLAIN, RELU, RESIDUAL, SIGMOID, HARD_SIGMOID, RELU6, HARD_SWISH, DILATED };

static double conv_macs(const int64_t *p)
{
    return (double)p[BATCH] * (double)(p[HEIGHT] / p[STRIDE]) * (double)(p[WIDTH] / p[STRIDE]) *
           (double)p[CIN] / (double)p[GROUPS] * (double)p[COUT] * (double)p[KH] * (double)p[KW];
}

static double conv_work(const int64_t *p)
{
    double bytes = 4.0 * (double)p[BATCH] * (double)p[HEIGHT] * (double)p[WIDTH] *
                   (double)(p[CIN] + p[COUT] / (p[STRIDE] * p[STRIDE]));
    return conv_macs(p) / 10 + bytes;
}

static double macs_max(int32_t i)
{
    return wl_micro_extent(i) == WL_MICRO_LARGE ? LARGE_MACS_MAX : MACS_MAX;
}

static bool conv_fits(int32_t i, const int64_t *p)
{
    double pixels = (double)p[BATCH] * (double)p[HEIGHT] * (double)p[WIDTH];
    return conv_macs(p) <= macs_max(i) && 4 * pixels * (double)p[CIN] <= IMAGE_BYTES_MAX &&
           4 * pixels * (double)p[COUT] / (double)(p[STRIDE] * p[STRIDE]) <= IMAGE_BYTES_MAX &&
           p[KH] <= p[HEIGHT] && p[KW] <= p[WIDTH];
}

static const char *activation(struct wl_onnx *b, int64_t epilogue, const char *x)
{
    if (epilogue == PLAIN) {
        return x;
    }
    if (epilogue == RELU6) {
        const char *const in[8] = {x, wl_onnx_scalar(b, 0), wl_onnx_scalar(b, 6)};
        return wl_onnx_result(wl_onnx_add(b, "Clip", in));
    }
    const char *op = epilogue == SIGMOID        ? "Sigmoid"
                     : epilogue == HARD_SIGMOID ? "HardSigmoid"
                     : epilogue == HARD_SWISH   ? "HardSwish"
                                                : "Relu";
    return wl_micro_unary(b, op, x);
}

static void emit_conv(struct wl_onnx *b, const char *op, const int64_t *p)
{
    (void)op;
    const int64_t dims[] = {p[BATCH], p[CIN], p[HEIGHT], p[WIDTH]};
    int64_t dilation = p[EPILOGUE] > DILATED ? p[EPILOGUE] - DILATED : 1;
    const char *y = conv(b, wl_onnx_input(b, WL_ONNX_FLOAT, dims, 4), p[CIN], p[COUT], p[GROUPS],
                         p[KH], p[KW], p[STRIDE], dilation);
    if (p[EPILOGUE] == RESIDUAL) {
        int64_t h = (p[HEIGHT] - 1) / p[STRIDE] + 1, w = (p[WIDTH] - 1) / p[STRIDE] + 1;
        const int64_t other[] = {p[BATCH], p[COUT], h, w};
        y = wl_micro_binary(b, "Add", y, wl_micro_blocked_image(b, 4, other));
    }
    wl_onnx_output(b, activation(b, p[EPILOGUE], y));
}

static void image(int32_t i, int64_t *p, double low, double high)
{
    p[BATCH] = PICK(i, 11, 1, 1, 1, 2, 4, 8);
    p[HEIGHT] = spread(i, 2, low, high, 1);
    if (wl_micro_extent(i) == WL_MICRO_LARGE && high > 100) { /* the first layers of a batch */
        p[BATCH] = 8;
        p[HEIGHT] = spread(i, 2, 40, 1.4 * high, 1);
    }
    p[WIDTH] = p[HEIGHT];
    p[GROUPS] = 1;
    p[KH] = p[KW] = 1;
    p[STRIDE] = 1;
}

/*
 * Channels by element `i` of the sequence: half of the designs have counts as most networks do,
 * multiples of 64 or of what is next to it below.
 */
static int64_t channels(int32_t i, int32_t base, double low, double high, int64_t step)
{
    int64_t c = spread(i, base, low, high, step);
    int64_t unit = c >= 128 ? 64 : c >= 48 ? 32 : 16;
    return wl_micro_halton(i, 29) < 0.5 ? (c + unit / 2) / unit * unit : c;
}

static bool design_window(int32_t i, int64_t *p)
{
    static const int64_t taps[][2] = {{3, 3}, {3, 3}, {3, 3}, {3, 3}, {3, 3}, {3, 3},
                                      {5, 5}, {1, 7}, {7, 1}, {7, 7}, {3, 1}, {1, 3}};
    int64_t at = (int64_t)(wl_micro_halton(i, 7) * 12);
    image(i, p, 5, 140);
    p[CIN] = channels(i, 3, 16, 640, 16);
    p[COUT] = channels(i, 5, 16, 640, 16);
    p[KH] = taps[at][0];
    p[KW] = taps[at][1];
    p[STRIDE] = p[KH] == p[KW] ? PICK(i, 13, 1, 1, 1, 2) : 1;
    p[EPILOGUE] = PICK(i, 17, PLAIN, RELU, RELU, RESIDUAL, RELU6);
    if (p[EPILOGUE] == RELU && p[KH] == 3 && p[STRIDE] == 1 && wl_micro_halton(i, 19) < 1.0 / 9) {
        p[EPILOGUE] = DILATED + 2;
    }
    return conv_fits(i, p);
}

static bool design_pointwise(int32_t i, int64_t *p)
{
    image(i, p, 4, 150);
    p[CIN] = channels(i, 3, 16, 2300, 8);
    p[COUT] = channels(i, 5, 8, 2300, 8);
    p[STRIDE] = PICK(i, 13, 1, 1, 1, 1, 1, 1, 2);
    p[EPILOGUE] = PICK(i, 17, PLAIN, PLAIN, RELU, RELU, RESIDUAL, SIGMOID, RELU6, HARD_SWISH);
    return conv_fits(i, p);
}

/* First layers, and those of batches: few channels of many pixels, which no cache holds. */
static bool design_early(int32_t i, int64_t *p)
{
    image(i, p, 40, 170);
    p[BATCH] = PICK(i, 11, 1, 8, 8, 8);
    p[HEIGHT] *= p[BATCH] == 1 ? 2 : 1;
    p[WIDTH] = p[HEIGHT];
    p[CIN] = channels(i, 3, 16, 128, 8);
    p[COUT] = channels(i, 5, 16, 256, 8);
    p[EPILOGUE] = PICK(i, 17, PLAIN, RELU, RELU6, RELU6, RESIDUAL, SIGMOID, HARD_SWISH);
    return conv_fits(i, p);
}

static bool design_early_depthwise(int32_t i, int64_t *p)
{
    bool fits = design_early(i, p);
    p[COUT] = p[GROUPS] = p[CIN];
    p[KH] = p[KW] = PICK(i, 7, 3, 3, 3, 5, 7);
    p[STRIDE] = PICK(i, 13, 1, 1, 2);
    p[EPILOGUE] = PICK(i, 17, PLAIN, RELU, RELU6, RELU6, HARD_SWISH);
    return fits && conv_fits(i, p);
}

static bool design_early_first(int32_t i, int64_t *p)
{
    image(i, p, 90, 420);
    p[BATCH] = PICK(i, 11, 4, 8, 8);
    p[CIN] = 3;
    p[COUT] = channels(i, 5, 16, 96, 16);
    p[KH] = p[KW] = PICK(i, 7, 3, 3, 3, 5, 7);
    p[STRIDE] = PICK(i, 13, 1, 2, 2, 2, 4);
    p[EPILOGUE] = PICK(i, 17, PLAIN, RELU, RELU6, HARD_SWISH);
    return conv_fits(i, p);
}

/* Last layers of small networks: their weights stay in the last cache from inference to inference.
 */
static bool design_late(int32_t i, int64_t *p)
{
    image(i, p, 1, 15);
    p[BATCH] = 1;
    p[CIN] = channels(i, 3, 32, 1600, 8);
    p[COUT] = channels(i, 5, 16, 1600, 8);
    p[EPILOGUE] = PICK(i, 17, PLAIN, PLAIN, RELU, RESIDUAL, SIGMOID, RELU6, HARD_SWISH);
    return conv_macs(p) <= 6e7 && p[CIN] * p[COUT] <= 1500000;
}

static double late_work(const int64_t *p)
{
    return conv_work(p) + 4.0 * (double)(p[CIN] * p[COUT]);
}

/* Segmentation: taps far apart, many of them beyond the edge. */
static bool design_dilated(int32_t i, int64_t *p)
{
    bool depthwise = wl_micro_halton(i, 19) < 1.0 / 3;
    image(i, p, 14, 70);
    p[CIN] = channels(i, 3, 64, 2048, 16);
    p[COUT] = depthwise ? p[CIN] : channels(i, 5, 64, 640, 16);
    p[GROUPS] = depthwise ? p[CIN] : 1;
    p[KH] = p[KW] = depthwise ? PICK(i, 7, 3, 5) : 3;
    p[EPILOGUE] = DILATED + PICK(i, 17, 2, 2, 4, 6, 12, 24);
    return conv_macs(p) <= LARGE_MACS_MAX / 2 && p[EPILOGUE] - DILATED < p[HEIGHT];
}

/* Squeeze and excite: one pixel. */
static bool design_pixel(int32_t i, int64_t *p)
{
    bool few = wl_micro_halton(i, 19) < 1.0 / 5; /* fewer than a block of channels */
    image(i, p, 1, 1.4);
    p[CIN] = few ? spread(i, 3, 4, 16, 2) : channels(i, 3, 16, 2300, 8);
    p[COUT] = channels(i, 5, 16, 2300, 8);
    p[EPILOGUE] = PICK(i, 17, PLAIN, RELU, SIGMOID, SIGMOID, HARD_SIGMOID);
    return conv_fits(i, p);
}

static bool design_first(int32_t i, int64_t *p)
{
    image(i, p, 24, 420);
    p[CIN] = PICK(i, 3, 3, 3, 3, 1, 4, 12);
    p[COUT] = channels(i, 5, 16, 128, 16);
    p[KH] = p[KW] = PICK(i, 7, 3, 3, 4, 5, 7, 7, 11);
    p[STRIDE] = PICK(i, 13, 1, 2, 2, 4);
    p[EPILOGUE] = PICK(i, 17, PLAIN, RELU, RELU, RELU6);
    return conv_fits(i, p);
}

/* Patches that tile the image: ViT, Swin, ConvNeXt. */
static bool design_patch(int32_t i, int64_t *p)
{
    image(i, p, 8, 60);
    p[KH] = p[KW] = p[STRIDE] = PICK(i, 3, 2, 4, 4, 8, 16, 32);
    p[HEIGHT] *= p[KH];
    p[WIDTH] = p[HEIGHT];
    p[CIN] = p[KH] > 2 ? 3 : spread(i, 7, 32, 512, 16);
    p[COUT] = spread(i, 5, 64, 1024, 32);
    p[EPILOGUE] = PLAIN;
    return conv_fits(i, p) && p[HEIGHT] <= 512;
}

static bool design_depthwise(int32_t i, int64_t *p)
{
    image(i, p, 5, 150);
    p[CIN] = channels(i, 3, 16, 2048, 8);
    p[COUT] = p[GROUPS] = p[CIN];
    p[KH] = p[KW] = PICK(i, 5, 3, 3, 3, 5, 5, 7);
    p[STRIDE] = PICK(i, 13, 1, 1, 2);
    p[EPILOGUE] = PICK(i, 17, PLAIN, RELU, RELU6, HARD_SWISH);
    return conv_fits(i, p);
}

/*
 * Layers of one image, in files that touch as little as a small network does from one inference to
 * the next.
 */
static bool one_image(int32_t i, int64_t *p)
{
    p[BATCH] = 1;
    p[EPILOGUE] = PICK(i, 23, PLAIN, RELU, RELU6, RELU6, HARD_SWISH);
    return conv_macs(p) <= 1.5e8 &&
           4 * p[HEIGHT] * p[WIDTH] * (p[CIN] + p[COUT] / (p[STRIDE] * p[STRIDE])) <= 12000000;
}

static bool design_one_first(int32_t i, int64_t *p)
{
    return design_first(i, p) && one_image(i, p);
}

static bool design_one_window(int32_t i, int64_t *p)
{
    return design_window(i, p) && one_image(i, p);
}

static bool design_one_depthwise(int32_t i, int64_t *p)
{
    return design_depthwise(i, p) && one_image(i, p);
}

static bool design_one_pointwise(int32_t i, int64_t *p)
{
    return design_pointwise(i, p) && one_image(i, p);
}

static bool design_grouped(int32_t i, int64_t *p)
{
    int64_t width = PICK(i, 3, 16, 16, 32, 32, 64, 4, 8, 24);
    image(i, p, 6, 80);
    p[GROUPS] = spread(i, 5, 2, 48, 1);
    p[CIN] = p[COUT] = p[GROUPS] * width;
    p[KH] = p[KW] = 3;
    p[STRIDE] = PICK(i, 13, 1, 1, 2);
    p[EPILOGUE] = RELU;
    return conv_fits(i, p);
}

/* Channels that are no whole quads keep rows of pixels: image to columns, then a product. */
static bool design_unblocked(int32_t i, int64_t *p)
{
    image(i, p, 6, 110);
    p[CIN] = spread(i, 3, 18, 500, 2) | 2;
    p[CIN] += p[CIN] % 4 == 0 ? 2 : 0;
    p[COUT] = spread(i, 5, 16, 512, 2);
    p[KH] = p[KW] = PICK(i, 7, 1, 1, 3, 3);
    p[STRIDE] = PICK(i, 13, 1, 1, 1, 2);
    p[EPILOGUE] = RELU;
    if (wl_micro_halton(i, 19) < 1.0 / 3) { /* not every third: those have channels alike */
        p[COUT] = p[GROUPS] = p[CIN];
        p[KH] = p[KW] = 3;
        p[EPILOGUE] = PLAIN;
    }
    return conv_fits(i, p);
}

/* Weights that a runtime dequantises before a convolution on rows of pixels. */
static bool design_quantised(int32_t i, int64_t *p)
{
    image(i, p, 6, 120);
    p[BATCH] = WL_MICRO_PICK(i, 11, 1, 1, 4, 8);
    p[CIN] = wl_micro_halton(i, 23) < 1.0 / 12 ? 3 : spread(i, 3, 16, 640, 8);
    p[COUT] = spread(i, 5, 16, 640, 8);
    p[KH] = p[KW] = PICK(i, 7, 1, 1, 1, 3, 3);
    p[STRIDE] = PICK(i, 13, 1, 1, 1, 2);
    p[EPILOGUE] = PICK(i, 17, PLAIN, RELU);
    if (wl_micro_halton(i, 19) < 1.0 / 3) { /* not every third: those have channels alike */
        p[COUT] = p[GROUPS] = p[CIN];
        p[KH] = p[KW] = 3;
    }
    return conv_fits(i, p);
}

/* A convolution of `x` with weights stored in integers. */
static const char *stored_conv(struct wl_onnx *b, const char *x, const int64_t *p)
{
    const int64_t w[] = {p[COUT], p[CIN] / p[GROUPS], p[KH], p[KW]};
    const char *const stored[8] = {wl_onnx_weight_of(b, WL_ONNX_INT8, w, 4),
                                   wl_onnx_scalar(b, 0.01F)};
    const char *weights = wl_onnx_result(wl_onnx_add(b, "DequantizeLinear", stored));
    struct wl_onnx_node *n = wl_onnx_add(b, "Conv", (const char *[8]){x, weights});
    wl_onnx_attr_int(b, n, "group", p[GROUPS]);
    wl_micro_window_attrs(b, n, p[KH], p[KW], p[STRIDE], 1);
    return wl_onnx_result(n);
}

static void emit_quantised(struct wl_onnx *b, const char *op, const int64_t *p)
{
    (void)op;
    const int64_t dims[] = {p[BATCH], p[CIN], p[HEIGHT], p[WIDTH]};
    const char *y = stored_conv(b, wl_micro_fresh(b, dims, 4), p);
    wl_onnx_output(b, p[EPILOGUE] == RELU ? wl_micro_unary(b, "Relu", y) : y);
}

/* Stored as unsigned integers, and read again. */
static const char *requantised(struct wl_onnx *b, const char *x)
{
    const char *const in[8] = {x, wl_onnx_scalar(b, 0.02F), wl_onnx_byte(b, 128)};
    const char *q = wl_onnx_result(wl_onnx_add(b, "QuantizeLinear", in));
    const char *const back[8] = {q, in[1], in[2]};
    return wl_onnx_result(wl_onnx_add(b, "DequantizeLinear", back));
}

/* Between quantised tensors a runtime computes in integers. */
static void emit_integer_conv(struct wl_onnx *b, const char *op, const int64_t *p)
{
    (void)op;
    const int64_t dims[] = {p[BATCH], p[CIN], p[HEIGHT], p[WIDTH]};
    const char *x = requantised(b, wl_onnx_input(b, WL_ONNX_FLOAT, dims, 4));
    wl_onnx_output(b, wl_micro_unary(b, "Neg", requantised(b, stored_conv(b, x, p))));
}

/* One row or plane more: 1-D (speech) and 3-D (video) convolutions, which are never blocked. */
static bool design_line(int32_t i, int64_t *p)
{
    image(i, p, 2, 2.1);
    p[HEIGHT] = 1;
    p[WIDTH] = spread(i, 2, 64, wl_micro_extent(i) == WL_MICRO_LARGE ? 40000 : 6000, 1);
    p[CIN] = spread(i, 3, 32, 768, 16);
    p[COUT] = spread(i, 5, 32, 1024, 16);
    p[KW] = PICK(i, 7, 1, 1, 2, 3, 3);
    p[STRIDE] = 1;
    p[EPILOGUE] = PICK(i, 13, PLAIN, RELU, RESIDUAL);
    return conv_fits(i, p);
}

/* Sound, sample by sample. */
static bool design_long_line(int32_t i, int64_t *p)
{
    (void)design_line(i, p);
    p[BATCH] = 1;
    p[WIDTH] = spread(i, 2, 2000, 40000, 1);
    p[CIN] = channels(i, 3, 16, 512, 16);
    p[COUT] = channels(i, 5, 16, 512, 16);
    return conv_fits(i, p);
}

static void emit_line(struct wl_onnx *b, const char *op, const int64_t *p)
{
    (void)op;
    const int64_t dims[] = {p[BATCH], p[CIN], p[WIDTH]}, w[] = {p[COUT], p[CIN], p[KW]};
    const int64_t bias[] = {p[COUT]}, kernel[] = {p[KW]};
    struct wl_onnx_node *n =
        wl_onnx_add(b, "Conv",
                    (const char *[8]){wl_micro_fresh(b, dims, 3), wl_onnx_weight(b, w, 3),
                                      wl_onnx_weight(b, bias, 1)});
    wl_onnx_attr_ints(b, n, "kernel_shape", kernel, 1);
    const char *y = wl_onnx_result(n);
    if (p[EPILOGUE] == RESIDUAL) {
        const int64_t out[] = {p[BATCH], p[COUT], p[WIDTH] - p[KW] + 1};
        y = wl_micro_binary(b, "Add", y, wl_micro_fresh(b, out, 3));
    }
    wl_onnx_output(b, p[EPILOGUE] == RELU ? wl_micro_unary(b, "Relu", y) : y);
}

static bool design_volume(int32_t i, int64_t *p)
{
    bool large = wl_micro_extent(i) == WL_MICRO_LARGE;
    image(i, p, large ? 28 : 7, large ? 112 : 60);
    p[BATCH] = 1;
    p[GROUPS] = large ? 8 : PICK(i, 11, 2, 4, 8); /* frames */
    p[CIN] = PICK(i, 3, 3, 16, 32, 64, 64, 128, 256, 512);
    p[COUT] = PICK(i, 5, 16, 32, 64, 64, 96, 128, 256, 512);
    p[KH] = p[KW] = PICK(i, 7, 1, 3, 3, 3);
    p[STRIDE] = PICK(i, 13, 1, 1, 2);   /* of the image alone */
    p[EPILOGUE] = PICK(i, 17, 1, 3, 3); /* taps in time */
    double macs = conv_macs(p) * (double)p[GROUPS] * (double)p[GROUPS] * (double)p[EPILOGUE];
    return macs <= LARGE_MACS_MAX;
}

static double volume_work(const int64_t *p)
{
    return conv_macs(p) * (double)(p[GROUPS] * p[GROUPS] * p[EPILOGUE]) / 5;
}

static void emit_volume(struct wl_onnx *b, const char *op, const int64_t *p)
{
    (void)op;
    int64_t t = p[EPILOGUE], ph = (p[KH] - 1) / 2, pt = (t - 1) / 2;
    const int64_t dims[] = {1, p[CIN], p[GROUPS], p[HEIGHT], p[WIDTH]};
    const int64_t w[] = {p[COUT], p[CIN], t, p[KH], p[KW]}, bias[] = {p[COUT]};
    const int64_t kernel[] = {t, p[KH], p[KW]}, strides[] = {1, p[STRIDE], p[STRIDE]};
    const int64_t pads[] = {pt, ph, ph, pt, ph, ph};
    struct wl_onnx_node *n =
        wl_onnx_add(b, "Conv",
                    (const char *[8]){wl_onnx_input(b, WL_ONNX_FLOAT, dims, 5),
                                      wl_onnx_weight(b, w, 5), wl_onnx_weight(b, bias, 1)});
    wl_onnx_attr_ints(b, n, "kernel_shape", kernel, 3);
    wl_onnx_attr_ints(b, n, "strides", strides, 3);
    wl_onnx_attr_ints(b, n, "pads", pads, 6);
    wl_onnx_output(b, wl_micro_unary(b, "Relu", wl_onnx_result(n)));
}

static bool design_transposed(int32_t i, int64_t *p)
{
    image(i, p, 1, 64);
    p[BATCH] = PICK(i, 11, 1, 1, 4);
    p[CIN] = spread(i, 3, 16, 1024, 4);
    p[COUT] = spread(i, 5, 3, 512, 1);
    p[KH] = p[KW] = PICK(i, 7, 2, 4, 4);
    p[STRIDE] = 2;
    double macs = conv_macs(p) * 4; /* every input pixel meets every tap */
    return macs <= MACS_MAX / 2;
}

/* The first layers of a generator: many channels of few pixels. */
static bool design_transposed_few(int32_t i, int64_t *p)
{
    (void)design_transposed(i, p);
    p[BATCH] = PICK(i, 11, 1, 1, 1, 8);
    p[HEIGHT] = p[WIDTH] = spread(i, 2, 1, 33, 1);
    p[CIN] = channels(i, 3, 64, 1024, 4);
    p[COUT] = wl_micro_halton(i, 19) < 0.2 ? 3 : channels(i, 5, 32, 512, 4);
    return conv_macs(p) * 4 <= MACS_MAX / 2;
}

static void emit_transposed(struct wl_onnx *b, const char *op, const int64_t *p)
{
    (void)op;
    const int64_t dims[] = {p[BATCH], p[CIN], p[HEIGHT], p[WIDTH]};
    const int64_t w[] = {p[CIN], p[COUT], p[KH], p[KW]}, bias[] = {p[COUT]};
    const int64_t kernel[] = {p[KH], p[KW]}, strides[] = {2, 2};
    int64_t pad = p[KH] == 4 ? 1 : 0;
    const int64_t pads[] = {pad, pad, pad, pad};
    struct wl_onnx_node *n =
        wl_onnx_add(b, "ConvTranspose",
                    (const char *[8]){wl_micro_fresh(b, dims, 4), wl_onnx_weight(b, w, 4),
                                      wl_onnx_weight(b, bias, 1)});
    wl_onnx_attr_ints(b, n, "kernel_shape", kernel, 2);
    wl_onnx_attr_ints(b, n, "strides", strides, 2);
    wl_onnx_attr_ints(b, n, "pads", pads, 4);
    wl_onnx_output(b, wl_onnx_result(n));
}

/* ---- matrix products ----------------------------------------------------------------------------
 * p: groups, m, n, k, form
 */
enum { GROUP, M, N, K, FORM };
enum { MATMUL, GEMM, TRANSPOSED_RIGHT };

static double product_macs(const int64_t *p)
{
    return (double)p[GROUP] * (double)p[M] * (double)p[N] * (double)p[K];
}

static double product_work(const int64_t *p)
{
    return product_macs(p) / 10 +
           4.0 * (double)p[GROUP] * (double)(p[M] * p[K] + p[K] * p[N] + p[M] * p[N]);
}

static bool product_fits(const int64_t *p, double weight_bytes_max)
{
    return product_macs(p) <= MACS_MAX &&
           4.0 * (double)p[GROUP] * (double)p[N] * (double)p[K] <= weight_bytes_max &&
           4.0 * (double)p[GROUP] * (double)p[M] * (double)(p[N] + p[K]) <= BYTES_MAX;
}

static bool design_gemm(int32_t i, int64_t *p)
{
    p[GROUP] = 1;
    p[M] = spread(i, 2, 1, 4200, 1);
    p[N] = channels(i, 3, 16, 5000, 8);
    p[K] = channels(i, 5, 16, 5000, 8);
    p[FORM] = PICK(i, 7, MATMUL, GEMM);
    return product_fits(p, 1.0e8);
}

/* Layers of a batch of sequences: results that no near cache holds. */
static bool design_batch(int32_t i, int64_t *p)
{
    p[GROUP] = 1;
    p[M] = spread(i, 2, 600, 13000, 8);
    p[N] = channels(i, 3, 64, 4096, 16);
    p[K] = channels(i, 5, 64, 4096, 16);
    p[FORM] = PICK(i, 7, MATMUL, GEMM);
    return product_macs(p) <= LARGE_MACS_MAX &&
           4.0 * (double)p[M] * (double)(p[N] + p[K]) <= 2 * BYTES_MAX;
}

/* Small networks: weights that stay in the nearest caches. */
static bool design_near(int32_t i, int64_t *p)
{
    p[GROUP] = 1;
    p[M] = PICK(i, 2, 1, 1, 2, 4, 8, 32);
    p[N] = spread(i, 3, 1, 512, 1);
    p[K] = spread(i, 5, 16, 512, 4);
    p[FORM] = PICK(i, 7, MATMUL, GEMM);
    return true;
}

/* Classifiers of small networks: weights that stay in the last cache. */
static bool design_classifier(int32_t i, int64_t *p)
{
    p[GROUP] = 1;
    p[M] = PICK(i, 2, 1, 1, 1, 2, 8);
    p[N] = channels(i, 3, 16, 2600, 2);
    p[K] = channels(i, 5, 64, 2600, 8);
    p[FORM] = PICK(i, 7, MATMUL, GEMM, GEMM);
    return p[N] * p[K] <= 1500000;
}

/* Classifiers and decoding: few rows, many weights. */
static bool design_gemv(int32_t i, int64_t *p)
{
    p[GROUP] = 1;
    p[M] = PICK(i, 2, 1, 1, 1, 1, 2, 4, 8, 8);
    p[N] = spread(i, 3, 10, 51200, 2);
    p[K] = spread(i, 5, 16, 9216, 8);
    p[FORM] = PICK(i, 7, MATMUL, GEMM, GEMM);
    return product_fits(p, 2.1e8);
}

static void emit_gemm(struct wl_onnx *b, const char *op, const int64_t *p)
{
    (void)op;
    const int64_t x[] = {p[M], p[K]}, w[] = {p[K], p[N]}, wt[] = {p[N], p[K]}, bias[] = {p[N]};
    const char *a = wl_micro_fresh(b, x, 2);
    if (p[FORM] == MATMUL) {
        wl_onnx_output(b, wl_micro_binary(b, "MatMul", a, wl_onnx_weight(b, w, 2)));
        return;
    }
    struct wl_onnx_node *n = wl_onnx_add(
        b, "Gemm", (const char *[8]){a, wl_onnx_weight(b, wt, 2), wl_onnx_weight(b, bias, 1)});
    wl_onnx_attr_int(b, n, "transB", 1);
    wl_onnx_output(b, wl_onnx_result(n));
}

static void emit_integer_product(struct wl_onnx *b, const char *op, const int64_t *p)
{
    (void)op;
    const int64_t x[] = {p[M], p[K]}, w[] = {p[K], p[N]};
    const char *const stored[8] = {wl_onnx_weight_of(b, WL_ONNX_INT8, w, 2),
                                   wl_onnx_scalar(b, 0.01F)};
    const char *weights = wl_onnx_result(wl_onnx_add(b, "DequantizeLinear", stored));
    const char *left = requantised(b, wl_onnx_input(b, WL_ONNX_FLOAT, x, 2));
    wl_onnx_output(b, wl_micro_binary(b, "MatMul", left, weights));
}

/* Attention: products of two activations, one per head. */
static bool design_heads(int32_t i, int64_t *p)
{
    int64_t head = PICK(i, 7, 32, 64, 64, 64, 128);
    int64_t length = spread(i, 3, 16, 1500, 1);
    bool scores = i % 2 == 0;
    p[GROUP] = spread(i, 5, 1, 800, 1);
    p[M] = length;
    p[N] = scores ? length : head;
    p[K] = scores ? head : length;
    p[FORM] = scores ? TRANSPOSED_RIGHT : MATMUL;
    return product_fits(p, BYTES_MAX);
}

/* Text generation: one row per head against all that was cached. */
static bool design_decode(int32_t i, int64_t *p)
{
    int64_t head = PICK(i, 7, 64, 64, 128);
    int64_t length = spread(i, 3, 32, 2000, 1);
    bool scores = i % 2 == 0;
    p[GROUP] = spread(i, 5, 6, 300, 1);
    p[M] = PICK(i, 11, 1, 1, 4, 8);
    p[N] = scores ? length : head;
    p[K] = scores ? head : length;
    p[FORM] = scores ? TRANSPOSED_RIGHT : MATMUL;
    return product_fits(p, 8e7);
}

static void emit_heads(struct wl_onnx *b, const char *op, const int64_t *p)
{
    (void)op;
    bool transposed = p[FORM] == TRANSPOSED_RIGHT;
    const int64_t x[] = {1, p[GROUP], p[M], p[K]}, perm[] = {0, 1, 3, 2};
    const int64_t y[] = {1, p[GROUP], transposed ? p[N] : p[K], transposed ? p[K] : p[N]};
    const char *left = wl_micro_fresh(b, x, 4), *right = wl_micro_fresh(b, y, 4);
    if (transposed) {
        struct wl_onnx_node *t = wl_onnx_add(b, "Transpose", (const char *[8]){right});
        wl_onnx_attr_ints(b, t, "perm", perm, 4);
        right = wl_onnx_result(t);
    }
    wl_onnx_output(b, wl_micro_binary(b, "MatMul", left, right));
}

/* The same as sums over letters: scores by the keys as they lie, then their mean of values. */
static void emit_einsum(struct wl_onnx *b, const char *op, const int64_t *p)
{
    bool scores = p[FORM] == TRANSPOSED_RIGHT;
    const int64_t x[] = {1, p[GROUP], p[M], p[K]};
    const int64_t y[] = {1, p[GROUP], scores ? p[N] : p[K], scores ? p[K] : p[N]};
    const char *left = wl_micro_fresh(b, x, 4), *right = wl_micro_fresh(b, y, 4);
    struct wl_onnx_node *n = wl_onnx_add(b, op, (const char *[8]){left, right});
    wl_onnx_attr_text(b, n, "equation", scores ? "bhid,bhjd->bhij" : "bhij,bhjd->bhid");
    wl_onnx_output(b, wl_onnx_result(n));
}

/* ---- recurrences
 * --------------------------------------------------------------------------------- p: steps,
 * batch, input size, hidden size, directions
 */
static bool design_recurrent(int32_t i, int64_t *p)
{
    p[0] = spread(i, 2, 8, 300, 1);
    p[1] = PICK(i, 7, 1, 1, 2, 8, 8);
    p[2] = spread(i, 3, 64, 1800, 32);
    p[3] = spread(i, 5, 64, 1300, 32);
    p[4] = PICK(i, 11, 1, 1, 2);
    return (double)p[4] * (double)p[0] * (double)p[1] * (double)p[3] * (double)(p[2] + p[3]) * 4 <=
           2 * MACS_MAX;
}

/* One sequence: every step reads all its weights for one row. */
static bool design_sequence(int32_t i, int64_t *p)
{
    p[0] = spread(i, 2, 8, 300, 1);
    p[1] = 1;
    p[2] = spread(i, 3, 128, 1300, 2);
    p[3] = spread(i, 5, 128, 1300, 2);
    p[4] = PICK(i, 11, 1, 1, 2);
    return (double)p[4] * (double)p[0] * (double)p[3] * (double)(p[2] + p[3]) * 4 <= MACS_MAX;
}

static double recurrent_work(const int64_t *p)
{
    return (double)p[4] * (double)p[0] * (double)p[1] * (double)p[3] * (double)(p[2] + p[3]) / 2;
}

static void emit_recurrent(struct wl_onnx *b, const char *op, const int64_t *p)
{
    int64_t gates = op[0] == 'L' ? 4 : 3;
    const int64_t x[] = {p[0], p[1], p[2]}, w[] = {p[4], gates * p[3], p[2]};
    const int64_t r[] = {p[4], gates * p[3], p[3]}, bias[] = {p[4], 2 * gates * p[3]};
    struct wl_onnx_node *n =
        wl_onnx_add(b, op,
                    (const char *[8]){wl_micro_fresh(b, x, 3), wl_onnx_weight(b, w, 3),
                                      wl_onnx_weight(b, r, 3), wl_onnx_weight(b, bias, 2)});
    wl_onnx_attr_int(b, n, "hidden_size", p[3]);
    if (gates == 3) {
        wl_onnx_attr_int(b, n, "linear_before_reset", 1);
    }
    if (p[4] == 2) {
        wl_onnx_attr_text(b, n, "direction", "bidirectional");
    }
    wl_onnx_output(b, wl_onnx_result(n));
}

/* clang-format off */
const struct wl_micro_kind wl_micro_products[] = {
    {"pointwise convolution",  50, 215, design_pointwise,  emit_conv,       conv_work,      NULL, 0},
    {"convolution",            40, 195, design_window,     emit_conv,       conv_work,      NULL, 0},
    {"depthwise convolution",  40, 155, design_depthwise,  emit_conv,       conv_work,      NULL, 0},
    {"convolution of one pixel", 12, 64, design_pixel,     emit_conv,       conv_work,      NULL, 0},
    {"first convolution",      12, 45, design_first,      emit_conv,       conv_work,      NULL, 0},
    {"pointwise, large images", 6, 36, design_early,      emit_conv,       conv_work,      NULL, 0},
    {"depthwise, large images", 6, 30, design_early_depthwise, emit_conv,  conv_work,      NULL, 0},
    {"first, large images",     4, 24, design_early_first, emit_conv,      conv_work,      NULL, 0},
    {"pointwise, small network", 6, 56, design_late,      emit_conv,       late_work,      NULL, 1.2e7},
    {"pointwise, usual network", 4, 36, design_late,      emit_conv,       late_work,      NULL, 4e7},
    {"dilated convolution",     4, 26, design_dilated,    emit_conv,       conv_work,      NULL, 0},
    {"first, one image",        3, 26, design_one_first,  emit_conv,       conv_work,      NULL, 2e7},
    {"window, one image",       3, 34, design_one_window, emit_conv,       conv_work,      NULL, 2e7},
    {"depthwise, one image",    4, 40, design_one_depthwise, emit_conv,    conv_work,      NULL, 2e7},
    {"pointwise, one image",    4, 40, design_one_pointwise, emit_conv,    conv_work,      NULL, 2e7},
    {"patch convolution",       8, 24, design_patch,      emit_conv,       conv_work,      NULL, 0},
    {"grouped convolution",    14, 60, design_grouped,    emit_conv,       conv_work,      NULL, 0},
    {"unblocked convolution",  12, 70, design_unblocked,  emit_conv,       conv_work,      NULL, 0},
    {"1-D convolution",         8, 60, design_line,       emit_line,       conv_work,      NULL, 0},
    {"1-D convolution, long",   3, 24, design_long_line,  emit_line,       conv_work,      NULL, 0},
    {"3-D convolution",         6, 40, design_volume,     emit_volume,     volume_work,    NULL, 0},
    {"transposed convolution",  8, 60, design_transposed, emit_transposed, conv_work,      NULL, 0},
    {"transposed, few pixels",  3, 24, design_transposed_few, emit_transposed, conv_work,  NULL, 0},
    {"product of a batch",      4, 18, design_batch,      emit_gemm,       product_work,   NULL, 0},
    {"matrix product",         36, 140, design_gemm,       emit_gemm,       product_work,   NULL, 0},
    {"few rows",               14, 70, design_gemv,       emit_gemm,       product_work,   NULL, 0},
    {"product per head",       20, 90, design_heads,      emit_heads,      product_work,   NULL, 0},
    {"product per head as sum", 4, 30, design_heads,      emit_einsum,     product_work,   "Einsum", 0},
    {"LSTM",                    4, 34, design_recurrent,  emit_recurrent,  recurrent_work, "LSTM", 0},
    {"GRU",                     4, 34, design_recurrent,  emit_recurrent,  recurrent_work, "GRU", 0},
    {"LSTM of one sequence",    2, 16, design_sequence,   emit_recurrent,  recurrent_work, "LSTM", 0},
    {"GRU of one sequence",     2, 12, design_sequence,   emit_recurrent,  recurrent_work, "GRU", 0},
    {"few rows, near weights", 6,  60, design_near,        emit_gemm,       product_work,   NULL, 1.2e6},
    {"few rows, small network", 4, 30, design_classifier, emit_gemm,       product_work,   NULL, 1.2e7},
    {"few rows, usual network", 3, 24, design_classifier, emit_gemm,       product_work,   NULL, 4e7},
    {"few rows, far weights",  6, 30, design_gemv,        emit_gemm,       product_work,   NULL, 3.5e8},
    {"rows, far weights",      4, 18, design_gemm,        emit_gemm,       product_work,   NULL, 3.5e8},
    {"decoding per head",     10, 50, design_decode,      emit_heads,      product_work,   NULL, 0},
    {"quantised weights",     10, 60, design_quantised,   emit_quantised,  conv_work,      NULL, 0},
    {"convolution in integers", 14, 66, design_quantised, emit_integer_conv, conv_work,   NULL, 0},
    {"product in integers",    6, 30, design_gemm,        emit_integer_product, product_work, NULL, 0},
    {NULL, 0, 0, NULL, NULL, NULL, NULL, 0},
};
/* clang-format on */
