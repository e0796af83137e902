/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calibrate/micro_streams.c: everything but products: element-wise arithmetic with and without
 * broadcasting, activations as exporters write them out, normalisations, pooling, copies. Also what
 * surrounds kernels: layout changes and views come with the images.
 */
#include <math.h>
#include <string.h>

#include "micro.h"

#define PRODUCT_MACS_MAX 2e8 /* of what makes the data of a design */
#define BYTES_MAX 6.4e7
#define PICK WL_MICRO_PICK
#define spread wl_micro_spread
#define unary wl_micro_unary
#define binary wl_micro_binary

/* p of all kinds: a tensor's dims p[0..3] (unused ones 1), then what the kind adds. */
enum { D0, D1, D2, D3, FORM, TAPS, STRIDE };

static double elements(const int64_t *p)
{
    return (double)p[D0] * (double)p[D1] * (double)p[D2] * (double)p[D3];
}

static double stream_work(const int64_t *p)
{
    return 12 * elements(p);
}

static bool fits(const int64_t *p)
{
    return 4 * elements(p) <= BYTES_MAX;
}

static bool is_small(int32_t i)
{
    return wl_micro_extent(i) == WL_MICRO_SMALL;
}

static bool is_large(int32_t i)
{
    return wl_micro_extent(i) == WL_MICRO_LARGE;
}

static int64_t large_elements(int32_t i)
{
    return spread(i, 2, 2e6, BYTES_MAX / 4, 1);
}

/* A matrix of tokens: rows x features. */
static bool design_rows(int32_t i, int64_t *p)
{
    p[D0] = 1;
    p[D1] = is_small(i) ? PICK(i, 2, 1, 1, 2, 8) : spread(i, 2, 1, 20000, 1);
    p[D2] = is_small(i) ? spread(i, 3, 1, 700, 1) : spread(i, 3, 32, 4096, 8);
    p[D3] = 1;
    if (is_large(i)) {
        p[D1] = large_elements(i) / p[D2];
    }
    return fits(p);
}

static bool design_image(int32_t i, int64_t *p)
{
    p[D0] = PICK(i, 7, 1, 1, 1, 4, 8);
    p[D1] = spread(i, 3, 16, 1024, 16);
    p[D2] = p[D3] = is_small(i) ? PICK(i, 2, 1, 1, 2, 4) : spread(i, 2, 4, 130, 1);
    if (is_large(i)) {
        p[D0] = 8;
        p[D2] = p[D3] = (int64_t)sqrt((double)large_elements(i) / (double)(8 * p[D1]));
    }
    return fits(p) && p[D2] > 0;
}

/* Heads x rows x columns of attention. */
static bool design_scores(int32_t i, int64_t *p)
{
    p[D0] = 1;
    p[D1] = is_small(i) ? PICK(i, 2, 1, 6, 12) : spread(i, 2, 1, 800, 1);
    p[D2] = is_small(i) ? PICK(i, 3, 1, 1, 8) : spread(i, 3, 8, 1500, 1);
    p[D3] = spread(i, 5, 16, 1500, 1);
    if (is_large(i)) {
        p[D2] = p[D3];
        p[D1] = large_elements(i) / (p[D2] * p[D3]);
    }
    return fits(p) && p[D1] > 0;
}

static const char *tensor(struct wl_onnx *b, const int64_t *p)
{
    return wl_micro_fresh(b, p, 4);
}

/* Something of the sizes that picks evenly among designs. */
static int64_t mixed(const int64_t *p)
{
    return 7 * p[D0] + 5 * p[D1] + 3 * p[D2] + p[D3];
}

/*
 * What a product has just made: its weights have pushed half of it out of the near caches by then.
 * Its depth; 0: none where it would take long.
 */
static int64_t depth_of_product(const int64_t *p, double rows, int64_t columns)
{
    static const int64_t depths[] = {256, 768, 1536};
    int64_t depth = depths[mixed(p) / 3 % 3];
    bool fits = rows * (double)(columns * depth) <= PRODUCT_MACS_MAX && columns >= 16;
    return fits ? depth : 0;
}

/* A third of the designs, where both occur. */
static bool is_third(const int64_t *p)
{
    return mixed(p) % 3 == 0;
}

static const char *product(struct wl_onnx *b, const int64_t *p)
{
    int64_t depth = depth_of_product(p, (double)(p[D0] * p[D1]), p[D2]);
    if (depth == 0) {
        return wl_micro_fresh(b, p, 3);
    }
    const int64_t left[] = {p[D0], p[D1], depth}, right[] = {depth, p[D2]};
    wl_onnx_aid(b, true);
    const char *x = wl_onnx_input(b, WL_ONNX_FLOAT, left, 3);
    const char *y = binary(b, "MatMul", x, wl_onnx_weight(b, right, 2));
    wl_onnx_aid(b, false);
    return y;
}

static const char *tokens(struct wl_onnx *b, const int64_t *p)
{
    return is_third(p) ? product(b, p) : wl_micro_fresh(b, p, 3);
}

/* ---- element-wise -------------------------------------------------------------------------------
 */

static void emit_unary(struct wl_onnx *b, const char *op, const int64_t *p)
{
    wl_onnx_output(b, unary(b, op, tokens(b, p)));
}

/* Residuals: what has just passed an element-wise kernel, a bias mostly. */
static void emit_binary(struct wl_onnx *b, const char *op, const int64_t *p)
{
    const char *x = wl_micro_fresh(b, p, 3);
    wl_onnx_output(b, binary(b, op, x, wl_micro_fresh(b, p, 3)));
}

/* The second operand has one row: the bias of a product. */
static void emit_bias(struct wl_onnx *b, const char *op, const int64_t *p)
{
    wl_onnx_output(b, binary(b, op, product(b, p), wl_onnx_weight(b, &p[D2], 1)));
}

static void emit_scalar(struct wl_onnx *b, const char *op, const int64_t *p)
{
    wl_onnx_output(b, binary(b, op, tokens(b, p), wl_onnx_scalar(b, 0.7F)));
}

/* One factor per channel of an image of rows of pixels: squeeze and excite. */
static void emit_channel(struct wl_onnx *b, const char *op, const int64_t *p)
{
    const int64_t one[] = {p[D0], p[D1], 1, 1};
    const char *x = tensor(b, p);
    wl_onnx_output(b, binary(b, op, x, wl_onnx_input(b, WL_ONNX_FLOAT, one, 4)));
}

/* Four dims against the last two: a mask or a positional bias. */
static void emit_mask(struct wl_onnx *b, const char *op, const int64_t *p)
{
    wl_onnx_output(b, binary(b, op, tensor(b, p), wl_onnx_weight(b, &p[D2], 2)));
}

static void emit_clip(struct wl_onnx *b, const char *op, const int64_t *p)
{
    const char *const in[8] = {tokens(b, p), wl_onnx_scalar(b, 0.1F), wl_onnx_scalar(b, 0.6F)};
    wl_onnx_output(b, wl_onnx_result(wl_onnx_add(b, op, in)));
}

/* A slope per channel. */
static void emit_slope(struct wl_onnx *b, const char *op, const int64_t *p)
{
    const int64_t channels[] = {p[D1], 1, 1};
    wl_onnx_output(b, binary(b, op, tensor(b, p), wl_onnx_weight(b, channels, 3)));
}

static void emit_gelu(struct wl_onnx *b, const char *op, const int64_t *p)
{
    (void)op;
    const char *x = tokens(b, p);
    const char *e = unary(b, "Erf", binary(b, "Div", x, wl_onnx_scalar(b, 1.41421354F)));
    const char *y = binary(b, "Mul", x, binary(b, "Add", e, wl_onnx_scalar(b, 1)));
    wl_onnx_output(b, binary(b, "Mul", y, wl_onnx_scalar(b, 0.5F)));
}

/* x sigmoid(x), on rows of pixels. */
static void emit_silu(struct wl_onnx *b, const char *op, const int64_t *p)
{
    (void)op;
    const char *x = tensor(b, p);
    wl_onnx_output(b, binary(b, "Mul", x, unary(b, "Sigmoid", x)));
}

static void emit_bias_gelu(struct wl_onnx *b, const char *op, const int64_t *p)
{
    (void)op;
    const char *x = binary(b, "Add", wl_onnx_weight(b, &p[D2], 1), product(b, p));
    const char *e = unary(b, "Erf", binary(b, "Div", x, wl_onnx_scalar(b, 1.41421354F)));
    const char *y = binary(b, "Mul", x, binary(b, "Add", e, wl_onnx_scalar(b, 1)));
    wl_onnx_output(b, binary(b, "Mul", y, wl_onnx_scalar(b, 0.5F)));
}

static void emit_quick_gelu(struct wl_onnx *b, const char *op, const int64_t *p)
{
    (void)op;
    const char *x = tokens(b, p);
    const char *s = unary(b, "Sigmoid", binary(b, "Mul", x, wl_onnx_scalar(b, 1.702F)));
    wl_onnx_output(b, binary(b, "Mul", x, s));
}

static void emit_gelu_tanh(struct wl_onnx *b, const char *op, const int64_t *p)
{
    (void)op;
    const char *x = tokens(b, p);
    const char *cube = binary(b, "Pow", x, wl_onnx_scalar(b, 3));
    const char *in = binary(b, "Add", x, binary(b, "Mul", cube, wl_onnx_scalar(b, 0.044715F)));
    const char *t = unary(b, "Tanh", binary(b, "Mul", in, wl_onnx_scalar(b, 0.797884583F)));
    const char *half = binary(b, "Mul", x, wl_onnx_scalar(b, 0.5F));
    wl_onnx_output(b, binary(b, "Mul", half, binary(b, "Add", t, wl_onnx_scalar(b, 1))));
}

/* ---- on blocks of channels ----------------------------------------------------------------------
 */

static const char *blocked(struct wl_onnx *b, const int64_t *p)
{
    int64_t depth = depth_of_product(p, (double)(p[D0] * p[D2] * p[D3]), p[D1]);
    return wl_micro_blocked_image(b, is_third(p) && depth > 0 ? depth / 2 : 4, p);
}

static void emit_blocked_unary(struct wl_onnx *b, const char *op, const int64_t *p)
{
    wl_onnx_output(b, unary(b, op, blocked(b, p)));
}

/* Both sides are read again, so that nothing joins the convolutions that made them. */
static void emit_blocked_binary(struct wl_onnx *b, const char *op, const int64_t *p)
{
    const char *x = blocked(b, p), *y = blocked(b, p);
    wl_onnx_output(b, binary(b, op, x, y));
    wl_onnx_output(b, unary(b, "GlobalAveragePool", x));
    wl_onnx_output(b, unary(b, "GlobalAveragePool", y));
}

static void emit_blocked_silu(struct wl_onnx *b, const char *op, const int64_t *p)
{
    (void)op;
    const char *x = blocked(b, p);
    wl_onnx_output(b, binary(b, "Mul", x, unary(b, "Sigmoid", x)));
}

static void emit_blocked_channel(struct wl_onnx *b, const char *op, const int64_t *p)
{
    const int64_t one[] = {p[D0], p[D1], 1, 1};
    const char *x = blocked(b, p);
    wl_onnx_output(b, binary(b, op, x, wl_onnx_input(b, WL_ONNX_FLOAT, one, 4)));
}

static void emit_blocked_concat(struct wl_onnx *b, const char *op, const int64_t *p)
{
    const char *x = blocked(b, p), *y = blocked(b, p);
    struct wl_onnx_node *n = wl_onnx_add(b, op, (const char *[8]){x, y});
    wl_onnx_attr_int(b, n, "axis", 1);
    wl_onnx_output(b, wl_onnx_result(n));
}

static bool design_pool(int32_t i, int64_t *p)
{
    (void)design_image(i, p);
    p[D2] = p[D3] = spread(i, 2, 7, 130, 1);
    p[TAPS] = PICK(i, 5, 2, 3, 3, 5);
    p[STRIDE] = p[TAPS] == 5 ? 1 : PICK(i, 11, 2, 2, 1);
    return fits(p);
}

static void pool(struct wl_onnx *b, const char *op, const char *x, const int64_t *p)
{
    struct wl_onnx_node *n = wl_onnx_add(b, op, (const char *[8]){x});
    wl_micro_window_attrs(b, n, p[TAPS], p[TAPS], p[STRIDE], 1);
    wl_onnx_output(b, wl_onnx_result(n));
}

static void emit_blocked_pool(struct wl_onnx *b, const char *op, const int64_t *p)
{
    pool(b, op, blocked(b, p), p);
}

static void emit_pool(struct wl_onnx *b, const char *op, const int64_t *p)
{
    const int64_t odd[] = {p[D0], p[D1] + 2, p[D2], p[D3]};
    pool(b, op, wl_micro_fresh(b, odd, 4), p);
}

static void emit_image(struct wl_onnx *b, const char *op, const int64_t *p)
{
    wl_onnx_output(b, unary(b, op, tensor(b, p)));
}

/* ---- rows ---------------------------------------------------------------------------------------
 */

static void emit_softmax(struct wl_onnx *b, const char *op, const int64_t *p)
{
    struct wl_onnx_node *n = wl_onnx_add(b, op, (const char *[8]){tensor(b, p)});
    wl_onnx_attr_int(b, n, "axis", -1);
    wl_onnx_output(b, wl_onnx_result(n));
}

/* Attention over long sequences: scores that no cache holds. D1: heads, D2: length */
static bool design_long_scores(int32_t i, int64_t *p)
{
    p[D0] = 1;
    p[D1] = PICK(i, 3, 4, 8);
    p[D2] = p[D3] = spread(i, 2, 1800, 4200, 1);
    return true;
}

static double long_scores_work(const int64_t *p)
{
    return 40 * elements(p);
}

static void emit_long_scores(struct wl_onnx *b, const char *op, const int64_t *p)
{
    const int64_t left[] = {1, p[D1], p[D2], 40}, right[] = {1, p[D1], 40, p[D2]};
    const char *q = wl_micro_fresh(b, left, 4), *k = wl_micro_fresh(b, right, 4);
    struct wl_onnx_node *n = wl_onnx_add(b, op, (const char *[8]){binary(b, "MatMul", q, k)});
    wl_onnx_attr_int(b, n, "axis", -1);
    wl_onnx_output(b, binary(b, "MatMul", wl_onnx_result(n), wl_micro_fresh(b, left, 4)));
}

static void emit_layernorm(struct wl_onnx *b, const char *op, const int64_t *p)
{
    struct wl_onnx_node *n =
        wl_onnx_add(b, op,
                    (const char *[8]){tokens(b, p), wl_onnx_weight(b, &p[D2], 1),
                                      wl_onnx_weight(b, &p[D2], 1)});
    wl_onnx_attr_int(b, n, "axis", -1);
    wl_onnx_output(b, wl_onnx_result(n));
}

static const char *mean_of_last(struct wl_onnx *b, const char *x)
{
    const int64_t last[] = {-1};
    struct wl_onnx_node *n = wl_onnx_add(b, "ReduceMean", (const char *[8]){x});
    wl_onnx_attr_ints(b, n, "axes", last, 1);
    return wl_onnx_result(n);
}

static void emit_rmsnorm(struct wl_onnx *b, const char *op, const int64_t *p)
{
    (void)op;
    const char *x = tokens(b, p);
    const char *square = binary(b, "Pow", x, wl_onnx_scalar(b, 2));
    const char *v = binary(b, "Add", mean_of_last(b, square), wl_onnx_scalar(b, 1e-6F));
    const char *y = binary(b, "Div", x, unary(b, "Sqrt", v));
    wl_onnx_output(b, binary(b, "Mul", y, wl_onnx_weight(b, &p[D2], 1)));
}

static void emit_mean(struct wl_onnx *b, const char *op, const int64_t *p)
{
    (void)op;
    wl_onnx_output(b, mean_of_last(b, tokens(b, p)));
}

static void emit_image_norm(struct wl_onnx *b, const char *op, const int64_t *p)
{
    const char *c = wl_onnx_weight(b, &p[D1], 1), *d = wl_onnx_weight(b, &p[D1], 1);
    const char *x = tensor(b, p);
    if (op[0] == 'I') {
        wl_onnx_output(b, wl_onnx_result(wl_onnx_add(b, op, (const char *[8]){x, c, d})));
        return;
    }
    const char *mean = wl_onnx_weight(b, &p[D1], 1), *var = wl_onnx_weight(b, &p[D1], 1);
    const char *const in[8] = {x, c, d, mean, var};
    wl_onnx_output(b, wl_onnx_result(wl_onnx_add(b, op, in)));
}

/* Over groups of 32 channels at most, as exporters write it: normalised as an image of few
 * channels. */
static void emit_group_norm(struct wl_onnx *b, const char *op, const int64_t *p)
{
    (void)op;
    const int64_t groups[] = {p[D1] % 32 == 0 ? 32 : 16}, grouped[] = {p[D0], groups[0], -1};
    const int64_t channels[] = {p[D1], 1, 1};
    const char *const in[8] = {tensor(b, p), wl_onnx_ints(b, grouped, 3)};
    const char *x = wl_onnx_result(wl_onnx_add(b, "Reshape", in));
    const char *const norm[8] = {x, wl_onnx_weight(b, groups, 1), wl_onnx_weight(b, groups, 1)};
    x = wl_onnx_result(wl_onnx_add(b, "InstanceNormalization", norm));
    const char *const back[8] = {x, wl_onnx_ints(b, p, 4)};
    x = wl_onnx_result(wl_onnx_add(b, "Reshape", back));
    x = binary(b, "Mul", x, wl_onnx_weight(b, channels, 3));
    wl_onnx_output(b, binary(b, "Add", x, wl_onnx_weight(b, channels, 3)));
}

/* Batch normalisation that no convolution takes in, with its activation. */
static void emit_norm_relu(struct wl_onnx *b, const char *op, const int64_t *p)
{
    const char *in[8] = {tensor(b, p)};
    for (int i = 1; i < 5; i++) {
        in[i] = wl_onnx_weight(b, &p[D1], 1);
    }
    wl_onnx_output(b, unary(b, "Relu", wl_onnx_result(wl_onnx_add(b, op, in))));
}

/* Over five neighbouring channels, as the first networks had it. */
static void emit_lrn(struct wl_onnx *b, const char *op, const int64_t *p)
{
    struct wl_onnx_node *n = wl_onnx_add(b, op, (const char *[8]){tensor(b, p)});
    wl_onnx_attr_int(b, n, "size", 5);
    wl_onnx_output(b, wl_onnx_result(n));
}

/* The same where convolutions left blocks that were joined. */
static void emit_blocked_norm(struct wl_onnx *b, const char *op, const int64_t *p)
{
    const int64_t both[] = {2 * p[D1]};
    struct wl_onnx_node *n =
        wl_onnx_add(b, "Concat", (const char *[8]){blocked(b, p), blocked(b, p)});
    wl_onnx_attr_int(b, n, "axis", 1);
    const char *in[8] = {wl_onnx_result(n)};
    for (int i = 1; i < 5; i++) {
        in[i] = wl_onnx_weight(b, both, 1);
    }
    wl_onnx_output(b, unary(b, "Relu", wl_onnx_result(wl_onnx_add(b, op, in))));
}

/* Rows of a tensor of tokens or points: FORM is the axis. */
static bool design_reduce(int32_t i, int64_t *p)
{
    p[D0] = PICK(i, 7, 1, 1, 4, 8);
    p[D1] = spread(i, 3, 16, 1024, 16);
    p[D2] = spread(i, 2, 7, 1100, 1);
    p[D3] = PICK(i, 5, 1, 1, 7, 14);
    p[FORM] = PICK(i, 11, 1, 2, 2, 2);
    return fits(p);
}

/* FORM: the axis */
static void emit_reduce(struct wl_onnx *b, const char *op, const int64_t *p)
{
    bool sum = strcmp(op, "ReduceSum") == 0; /* takes its axes as an input */
    const char *const in[8] = {tensor(b, p), sum ? wl_onnx_ints(b, &p[FORM], 1) : NULL};
    struct wl_onnx_node *n = wl_onnx_add(b, op, in);
    if (op[0] == 'A') {
        wl_onnx_attr_int(b, n, "axis", p[FORM]);
        struct wl_onnx_node *c = wl_onnx_add(b, "Cast", (const char *[8]){wl_onnx_result(n)});
        wl_onnx_attr_int(b, c, "to", WL_ONNX_FLOAT);
        n = c;
    } else if (!sum) {
        wl_onnx_attr_ints(b, n, "axes", &p[FORM], 1);
    }
    wl_onnx_output(b, wl_onnx_result(n));
}

static void emit_compare(struct wl_onnx *b, const char *op, const int64_t *p)
{
    const char *x = tokens(b, p), *y = wl_onnx_input(b, WL_ONNX_FLOAT, p, 3);
    const char *const in[8] = {binary(b, op, x, y), x, y};
    wl_onnx_output(b, wl_onnx_result(wl_onnx_add(b, "Where", in)));
}

static void emit_quantize(struct wl_onnx *b, const char *op, const int64_t *p)
{
    const char *const in[8] = {tensor(b, p), wl_onnx_scalar(b, 0.02F), wl_onnx_byte(b, 128)};
    const char *q = wl_onnx_result(wl_onnx_add(b, op, in));
    const char *const back[8] = {q, in[1], in[2]};
    const char *y = wl_onnx_result(wl_onnx_add(b, "DequantizeLinear", back));
    wl_onnx_output(b, unary(b, "Neg", y));
}

/* Twice as large, by copying or by interpolation (FORM odd). */
static void emit_resize(struct wl_onnx *b, const char *op, const int64_t *p)
{
    const int64_t sizes[] = {p[D0], p[D1], 2 * p[D2], 2 * p[D3]};
    const char *const in[8] = {tensor(b, p), "", "", wl_onnx_ints(b, sizes, 4)};
    struct wl_onnx_node *n = wl_onnx_add(b, op, in);
    wl_onnx_attr_text(b, n, "mode", p[FORM] % 2 != 0 ? "linear" : "nearest");
    wl_onnx_attr_text(b, n, "coordinate_transformation_mode",
                      p[FORM] % 2 != 0 ? "half_pixel" : "asymmetric");
    if (p[FORM] % 2 == 0) {
        wl_onnx_attr_text(b, n, "nearest_mode", "floor");
    }
    wl_onnx_output(b, wl_onnx_result(n));
}

/* ---- copies -------------------------------------------------------------------------------------
 */

/* FORM: heads, heads for a product of keys, image to tokens, channels first, last two axes */
static bool design_transpose(int32_t i, int64_t *p)
{
    p[FORM] = PICK(i, 13, 0, 1, 2, 3, 4);
    p[D0] = PICK(i, 7, 1, 1, 4, 8);
    p[D1] = p[FORM] < 2 ? spread(i, 3, 1, 1600, 1) : spread(i, 3, 4, 1024, 4);
    p[D2] = p[FORM] < 2 ? PICK(i, 11, 3, 4, 8, 12, 16, 24) : spread(i, 2, 2, 120, 1);
    p[D3] = p[FORM] < 2 ? PICK(i, 5, 32, 64, 64, 64, 128) : p[D2];
    return fits(p);
}

static void emit_transpose(struct wl_onnx *b, const char *op, const int64_t *p)
{
    static const int64_t perms[5][4] = {
        {0, 2, 1, 3}, {0, 2, 3, 1}, {0, 2, 3, 1}, {0, 3, 1, 2}, {0, 1, 3, 2}};
    struct wl_onnx_node *n = wl_onnx_add(b, op, (const char *[8]){tensor(b, p)});
    wl_onnx_attr_ints(b, n, "perm", perms[p[FORM]], 4);
    wl_onnx_output(b, unary(b, "Neg", wl_onnx_result(n)));
}

/*
 * Several axes at once. FORM: boxes of a detector, queries, keys and values of all heads, an image
 * to windows and back, pixels out of channels. p: batch, small, side, last
 */
static bool design_axes(int32_t i, int64_t *p)
{
    static const int64_t small[][3] = {{3, 6, 9}, {6, 12, 24}, {4, 7, 8}, {4, 7, 8}, {2, 3, 4}};
    p[FORM] = PICK(i, 11, 0, 1, 2, 3, 4);
    p[D0] = PICK(i, 7, 1, 1, 4, 8);
    p[D1] = small[p[FORM]][PICK(i, 13, 0, 1, 2)];
    p[D2] = p[FORM] == 1 ? spread(i, 2, 16, 1600, 1) : spread(i, 2, 2, 100, 1);
    p[D3] = p[FORM] == 0   ? PICK(i, 3, 4, 20, 91)
            : p[FORM] == 1 ? PICK(i, 3, 32, 64, 64)
                           : spread(i, 3, 8, 512, 8);
    return fits(p) &&
           (p[FORM] == 1 || fits((const int64_t[]){p[D0], p[D1] * p[D1], p[D2] * p[D2], p[D3]}));
}

static void emit_axes(struct wl_onnx *b, const char *op, const int64_t *p)
{
    static const int64_t perms[5][6] = {{0, 3, 4, 1, 2},
                                        {2, 0, 3, 1, 4},
                                        {0, 2, 4, 3, 5, 1},
                                        {0, 5, 1, 3, 2, 4},
                                        {0, 1, 4, 2, 5, 3}};
    int64_t n = p[D0], small = p[D1], side = p[D2], last = p[D3];
    const int64_t dims[5][6] = {{n, small, last, side, side},
                                {n, side, 3, small, last},
                                {n, last, side, small, side, small},
                                {n, side, side, small, small, last},
                                {n, last, small, small, side, side}};
    int32_t rank = p[FORM] < 2 ? 5 : 6;
    struct wl_onnx_node *t =
        wl_onnx_add(b, op, (const char *[8]){wl_micro_fresh(b, dims[p[FORM]], rank)});
    wl_onnx_attr_ints(b, t, "perm", perms[p[FORM]], rank);
    wl_onnx_output(b, unary(b, "Neg", wl_onnx_result(t)));
}

/* A cache that the caller feeds, and one row more. */
static void emit_append(struct wl_onnx *b, const char *op, const int64_t *p)
{
    const int64_t row[] = {p[D0], p[D1], 1, p[D3]};
    const char *const in[8] = {wl_onnx_input(b, WL_ONNX_FLOAT, p, 4), wl_micro_fresh(b, row, 4)};
    struct wl_onnx_node *n = wl_onnx_add(b, op, in);
    wl_onnx_attr_int(b, n, "axis", 2);
    wl_onnx_output(b, wl_onnx_result(n));
}

static bool design_cache(int32_t i, int64_t *p)
{
    p[D0] = PICK(i, 7, 1, 1, 4, 8);
    p[D1] = PICK(i, 11, 8, 12, 16, 32);
    p[D2] = spread(i, 2, 30, 2000, 1);
    p[D3] = PICK(i, 5, 64, 64, 128);
    return fits(p);
}

/* Six axes: windows of an image (Swin, MaxViT). p: batch, windows a side, window, channels */
static bool design_windows(int32_t i, int64_t *p)
{
    p[D0] = PICK(i, 7, 1, 1, 4, 8);
    p[D1] = spread(i, 2, 1, 16, 1);
    p[D2] = PICK(i, 5, 7, 7, 8);
    p[D3] = spread(i, 3, 64, 512, 32);
    return 4 * elements(p) * (double)(p[D1] * p[D2]) <= BYTES_MAX;
}

static void emit_windows(struct wl_onnx *b, const char *op, const int64_t *p)
{
    const int64_t dims[] = {p[D0], p[D1], p[D2], p[D1], p[D2], p[D3]}, perm[] = {0, 1, 3, 2, 4, 5};
    struct wl_onnx_node *n = wl_onnx_add(b, op, (const char *[8]){wl_micro_fresh(b, dims, 6)});
    wl_onnx_attr_ints(b, n, "perm", perm, 6);
    wl_onnx_output(b, unary(b, "Neg", wl_onnx_result(n)));
}

/* FORM: the axis */
static bool design_copy(int32_t i, int64_t *p)
{
    (void)design_image(i, p);
    p[FORM] = PICK(i, 11, 1, 1, 2, 3);
    return fits(p);
}

static void emit_concat(struct wl_onnx *b, const char *op, const int64_t *p)
{
    const char *in[8] = {tensor(b, p), tensor(b, p)};
    for (int i = 2; i < 6 && p[D1] % 3 == 0; i++) {
        in[i] = tensor(b, p);
    }
    struct wl_onnx_node *n = wl_onnx_add(b, op, in);
    wl_onnx_attr_int(b, n, "axis", p[FORM]);
    wl_onnx_output(b, wl_onnx_result(n));
}

static void emit_slice(struct wl_onnx *b, const char *op, const int64_t *p)
{
    int64_t half = p[p[FORM]] / 2 > 0 ? p[p[FORM]] / 2 : 1;
    const int64_t zero[] = {0}, end[] = {half}, axis[] = {p[FORM]};
    const char *const in[8] = {tensor(b, p), wl_onnx_ints(b, zero, 1), wl_onnx_ints(b, end, 1),
                               wl_onnx_ints(b, axis, 1)};
    wl_onnx_output(b, wl_onnx_result(wl_onnx_add(b, op, in)));
}

/* In halves. FORM: the axis */
static void emit_split(struct wl_onnx *b, const char *op, const int64_t *p)
{
    int64_t half = p[p[FORM]] / 2;
    const int64_t sizes[] = {half, p[p[FORM]] - half};
    const char *const in[8] = {tensor(b, p), wl_onnx_ints(b, sizes, 2)};
    struct wl_onnx_node *n = wl_onnx_add(b, op, in);
    wl_onnx_attr_int(b, n, "axis", p[FORM]);
    const char *second = wl_onnx_another(b, n);
    wl_onnx_output(b, wl_onnx_result(n));
    wl_onnx_output(b, second);
}

static bool design_split(int32_t i, int64_t *p)
{
    return design_copy(i, p) && p[p[FORM]] > 1;
}

/* Rows of a table by index: an embedding. */
static void emit_gather(struct wl_onnx *b, const char *op, const int64_t *p)
{
    const int64_t table[] = {4000, p[D2]}, index[] = {p[D0], p[D1]};
    const char *const in[8] = {wl_onnx_weight(b, table, 2),
                               wl_onnx_input(b, WL_ONNX_INT64, index, 2)};
    wl_onnx_output(b, wl_onnx_result(wl_onnx_add(b, op, in)));
}

/* Indices out of a list, and short rows of a table: FORM is the axis. D0: rows, D1: columns, D2:
   indices */
static bool design_short_rows(int32_t i, int64_t *p)
{
    p[FORM] = PICK(i, 2, 0, 1);
    p[D0] = p[FORM] == 1 ? PICK(i, 7, 1, 1, 8, 32) : spread(i, 3, 30, 2000, 1);
    p[D1] = p[FORM] == 1 ? spread(i, 3, 8, 64, 1) : spread(i, 5, 2, 32, 1);
    p[D2] = p[FORM] == 1 ? 1 : spread(i, 7, 1, 4000, 1);
    p[D3] = 1;
    return true;
}

static void emit_short_rows(struct wl_onnx *b, const char *op, const int64_t *p)
{
    const char *const in[8] = {wl_micro_fresh(b, p, 2), wl_onnx_input(b, WL_ONNX_INT64, &p[D2], 1)};
    struct wl_onnx_node *n = wl_onnx_add(b, op, in);
    wl_onnx_attr_int(b, n, "axis", p[FORM]);
    wl_onnx_output(b, wl_onnx_result(n));
}

/* Recommenders: a row each of many tables, joined. D0: batch, D1: tables, D2: elements of a row */
static bool design_tables(int32_t i, int64_t *p)
{
    p[D0] = PICK(i, 7, 1, 1, 8, 32, 128);
    p[D1] = PICK(i, 3, 4, 8, 8); /* as many inputs as a node here takes */
    p[D2] = PICK(i, 5, 16, 32, 64, 128);
    p[D3] = 1;
    return true;
}

static void emit_tables(struct wl_onnx *b, const char *op, const int64_t *p)
{
    const char *rows[8] = {NULL};
    for (int64_t k = 0; k < p[D1]; k++) {
        const int64_t table[] = {4000, p[D2]};
        const char *const in[8] = {wl_onnx_weight(b, table, 2),
                                   wl_onnx_input(b, WL_ONNX_INT64, p, 1)};
        rows[k] = wl_onnx_result(wl_onnx_add(b, op, in));
    }
    struct wl_onnx_node *n = wl_onnx_add(b, "Concat", rows);
    wl_onnx_attr_int(b, n, "axis", 1);
    wl_onnx_output(b, wl_onnx_result(n));
}

/* One of three along an axis: the queries of queries, keys and values. FORM: the axis */
static bool design_part(int32_t i, int64_t *p)
{
    p[FORM] = PICK(i, 11, 0, 1, 2);
    p[D0] = PICK(i, 7, 1, 1, 4, 8);
    p[D1] = spread(i, 3, 16, 800, 1);
    p[D2] = spread(i, 2, 16, 400, 1);
    p[D3] = PICK(i, 5, 32, 64, 64, 384, 768);
    p[p[FORM]] = 3;
    return fits(p);
}

static void emit_part(struct wl_onnx *b, const char *op, const int64_t *p)
{
    const int64_t first[] = {0};
    struct wl_onnx_node *n =
        wl_onnx_add(b, op, (const char *[8]){tensor(b, p), wl_onnx_ints(b, first, 1)});
    wl_onnx_attr_int(b, n, "axis", p[FORM]);
    wl_onnx_output(b, wl_onnx_result(n));
}

static void emit_pad(struct wl_onnx *b, const char *op, const int64_t *p)
{
    const int64_t pads[] = {0, 0, 1, 1, 0, 0, 1, 1};
    const char *const in[8] = {tensor(b, p), wl_onnx_ints(b, pads, 8)};
    wl_onnx_output(b, unary(b, "Neg", wl_onnx_result(wl_onnx_add(b, op, in))));
}

static void emit_expand(struct wl_onnx *b, const char *op, const int64_t *p)
{
    const int64_t one[] = {p[D0], p[D1], 1, p[D3]}, all[] = {p[D0], p[D1], p[D2], p[D3]};
    const char *const in[8] = {wl_micro_fresh(b, one, 4), wl_onnx_ints(b, all, 4)};
    wl_onnx_output(b, wl_onnx_result(wl_onnx_add(b, op, in)));
}

static bool design_depth(int32_t i, int64_t *p)
{
    (void)design_image(i, p);
    p[D1] = 4 * PICK(i, 3, 1, 3, 12, 16, 64);
    return fits(p);
}

static void emit_depth(struct wl_onnx *b, const char *op, const int64_t *p)
{
    struct wl_onnx_node *n = wl_onnx_add(b, op, (const char *[8]){tensor(b, p)});
    wl_onnx_attr_int(b, n, "blocksize", 2);
    wl_onnx_output(b, wl_onnx_result(n));
}

/* A view between two kernels. */
static void emit_view(struct wl_onnx *b, const char *op, const int64_t *p)
{
    const int64_t flat[] = {-1};
    const char *const in[8] = {tokens(b, p), wl_onnx_ints(b, flat, 1)};
    wl_onnx_output(b, unary(b, "Neg", wl_onnx_result(wl_onnx_add(b, op, in))));
}

/* clang-format off */
#define ROWS(op, quick, full, emit) {op, quick, full, design_rows, emit, stream_work, op, 0}
#define IMAGE(op, quick, full, emit) {op, quick, full, design_image, emit, stream_work, op, 0}
const struct wl_micro_kind wl_micro_streams[] = {
    ROWS("Relu", 5, 21, emit_unary),       ROWS("Sigmoid", 5, 21, emit_unary),
    ROWS("Tanh", 5, 21, emit_unary),       ROWS("Erf", 4, 18, emit_unary),
    ROWS("Exp", 4, 18, emit_unary),        ROWS("Sqrt", 4, 18, emit_unary),
    ROWS("Log", 3, 12, emit_unary),         ROWS("HardSwish", 4, 18, emit_unary),
    ROWS("HardSigmoid", 4, 18, emit_unary),ROWS("LeakyRelu", 4, 18, emit_unary),
    ROWS("Softplus", 3, 12, emit_unary),    ROWS("Sin", 3, 12, emit_unary),
    ROWS("Elu", 2, 12, emit_unary),         ROWS("Clip", 2, 15, emit_clip),
    IMAGE("PRelu", 2, 15, emit_slope),
    ROWS("Cos", 3, 12, emit_unary),         ROWS("Abs", 3, 12, emit_unary),
    ROWS("Add", 6, 30, emit_binary),       ROWS("Mul", 6, 30, emit_binary),
    ROWS("Sub", 4, 18, emit_binary),       ROWS("Div", 4, 18, emit_binary),
    ROWS("Max", 3, 12, emit_binary),        ROWS("Pow", 3, 12, emit_binary),
    ROWS("Add", 6, 36, emit_bias),         ROWS("Mul", 4, 24, emit_bias),
    ROWS("Sub", 3, 12, emit_bias),          ROWS("Div", 3, 12, emit_bias),
    ROWS("Add", 4, 21, emit_scalar),       ROWS("Mul", 4, 21, emit_scalar),
    ROWS("Div", 3, 12, emit_scalar),        ROWS("Pow", 3, 15, emit_scalar),
    IMAGE("Mul", 6, 36, emit_channel),     IMAGE("Add", 3, 18, emit_channel),
    IMAGE("Sub", 2, 12, emit_channel),      IMAGE("Div", 2, 12, emit_channel),
    {"Add of a mask", 4, 30, design_scores, emit_mask, stream_work, "Add", 0},
    {"GELU",        5, 20, design_rows,  emit_gelu,       stream_work, NULL, 0},
    {"GELU by tanh",4, 14, design_rows,  emit_gelu_tanh,  stream_work, NULL, 0},
    {"quick GELU",  4, 14, design_rows,  emit_quick_gelu, stream_work, NULL, 0},
    {"SiLU",        5, 18, design_image, emit_silu,       stream_work, NULL, 0},
    IMAGE("Relu", 4, 24, emit_blocked_unary),    IMAGE("Sigmoid", 4, 21, emit_blocked_unary),
    IMAGE("HardSwish", 4, 21, emit_blocked_unary), IMAGE("Tanh", 2, 12, emit_blocked_unary),
    IMAGE("Add", 5, 30, emit_blocked_binary),    IMAGE("Mul", 4, 21, emit_blocked_binary),
    {"SiLU, blocked", 5, 20, design_image, emit_blocked_silu, stream_work, NULL, 0},
    IMAGE("Mul", 5, 30, emit_blocked_channel),   IMAGE("Concat", 5, 36, emit_blocked_concat),
    {"MaxPool",     6, 28, design_pool,  emit_blocked_pool, stream_work, "MaxPool", 0},
    {"AveragePool", 5, 20, design_pool,  emit_blocked_pool, stream_work, "AveragePool", 0},
    {"MaxPool",     3, 12, design_pool,  emit_pool,         stream_work, "MaxPool", 0},
    {"AveragePool", 3, 12, design_pool,  emit_pool,         stream_work, "AveragePool", 0},
    IMAGE("GlobalAveragePool", 5, 30, emit_blocked_unary),
    IMAGE("GlobalAveragePool", 3, 21, emit_image),
    {"Softmax",     6, 50, design_scores, emit_softmax, stream_work, "Softmax", 0},
    {"long attention", 0, 4, design_long_scores, emit_long_scores, long_scores_work, "Softmax", 0},
    {"LogSoftmax",  3, 8,  design_scores, emit_softmax, stream_work, "LogSoftmax", 0},
    ROWS("LayerNormalization", 6, 39, emit_layernorm),
    {"RMS norm",    4, 18, design_rows,  emit_rmsnorm, stream_work, NULL, 0},
    {"mean of rows", 4, 14, design_rows, emit_mean,    stream_work, NULL, 0},
    IMAGE("InstanceNormalization", 4, 24, emit_image_norm),
    {"group normalisation", 4, 24, design_image, emit_group_norm, stream_work, NULL, 0},
    IMAGE("BatchNormalization", 4, 24, emit_image_norm),
    {"Transpose of windows", 4, 20, design_windows, emit_windows, stream_work, "Transpose", 0},
    {"Transpose",  15, 100, design_transpose, emit_transpose, stream_work, "Transpose", 0},
    {"Transpose of axes", 10, 50, design_axes, emit_axes, stream_work, "Transpose", 0},
    {"Gather of a part", 3, 21, design_part, emit_part, stream_work, "Gather", 0},
    {"Concat",      8, 34, design_copy, emit_concat, stream_work, "Concat", 0},
    {"Split",       4, 24, design_split, emit_split, stream_work, "Split", 0},
    {"Slice",       8, 34, design_copy, emit_slice,  stream_work, "Slice", 0},
    ROWS("Gather", 4, 24, emit_gather),
    {"Gather of short rows", 3, 24, design_short_rows, emit_short_rows, stream_work, "Gather", 0},
    {"Gather from tables", 3, 16, design_tables, emit_tables, stream_work, "Gather", 0},
    IMAGE("Pad", 4, 21, emit_pad),
    IMAGE("Expand", 3, 15, emit_expand),
    {"DepthToSpace", 3, 8, design_depth, emit_depth, stream_work, "DepthToSpace", 0},
    ROWS("Reshape", 3, 9, emit_view),
    {"bias and GELU", 5, 24, design_rows, emit_bias_gelu, stream_work, NULL, 0},
    IMAGE("BatchNormalization", 5, 36, emit_norm_relu),
    IMAGE("BatchNormalization", 5, 24, emit_blocked_norm),
    IMAGE("LRN", 3, 10, emit_lrn),
    {"ReduceMax", 3, 14, design_copy, emit_reduce, stream_work, "ReduceMax", 0},
    {"ReduceMax of rows", 3, 14, design_reduce, emit_reduce, stream_work, "ReduceMax", 0},
    {"ReduceSum of rows", 2, 12, design_reduce, emit_reduce, stream_work, "ReduceSum", 0},
    {"ReduceMean of rows", 3, 14, design_reduce, emit_reduce, stream_work, "ReduceMean", 0},
    {"ReduceMean", 3, 14, design_copy, emit_reduce, stream_work, "ReduceMean", 0},
    {"ArgMax", 3, 10, design_copy, emit_reduce, stream_work, "ArgMax", 0},
    ROWS("Greater", 3, 15, emit_compare),
    IMAGE("QuantizeLinear", 5, 36, emit_quantize),
    {"Resize", 5, 30, design_copy, emit_resize, stream_work, "Resize", 0},
    {"append to a cache", 4, 20, design_cache, emit_append, stream_work, "Concat", 0},
    {"append to a far cache", 3, 14, design_cache, emit_append, stream_work, "Concat", 6e8},
    {NULL, 0, 0, NULL, NULL, NULL, NULL, 0},
};
/* clang-format on */

const struct wl_micro_kind *wl_micro_kind_at(int32_t i)
{
    int32_t products = 0;
    while (wl_micro_products[products].name != NULL) {
        products++;
    }
    const struct wl_micro_kind *k =
        i < products ? &wl_micro_products[i] : &wl_micro_streams[i - products];
    return k->name != NULL ? k : NULL;
}
