/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a runtime's kernels are named and sized, and what layout changes they cause: small graphs,
 * all figures worked by hand. Blocks are of 16 channels.
 */
#include <math.h>
#include <unistd.h>

#include "frontend.h"
#include "kernels.h"
#include "micro.h"
#include "wl_test.h"

struct fixture {
    struct wl_arena arena;
    struct wl_onnx *b;
    struct wl_model model;
    struct wl_partition partition;
    struct wl_kernels kernels;
};

static void begin(struct fixture *f)
{
    memset(f, 0, sizeof(*f));
    wl_arena_init(&f->arena, 0);
    f->b = wl_onnx_new(&f->arena);
    assert_non_null(f->b);
}

/* Writes, loads and describes the graph as `rt` executes it. */
static void describe_as(struct fixture *f, const struct wl_runtime *rt)
{
    static const struct wl_precision_policy native = {WL_PREC_NATIVE, WL_PREC_NATIVE,
                                                      WL_PREC_NATIVE};
    struct wl_partition_options how = {.fusion = rt->fusion};
    struct wl_frontend_options options = {0};
    struct wl_error err = {0};
    char path[] = "/tmp/wattline-kernels-XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    (void)close(file);
    if (wl_onnx_write(f->b, path, &err) != WL_OK ||
        wl_model_load(path, &options, &f->model, &err) != WL_OK ||
        wl_ops_count(&f->model.graph, &err) != WL_OK ||
        wl_partition_run(&f->model.graph, &how, &f->model.arena, &f->partition, &err) != WL_OK ||
        wl_kernels_describe(&f->partition, rt, &native, &f->arena, &f->kernels, &err) != WL_OK) {
        fail_msg("%s: %s", err.where, err.message);
    }
    (void)unlink(path);
}

/* As ONNX Runtime executes it. */
static void describe(struct fixture *f)
{
    const struct wl_runtime rt = {
        .name = "unit", .fusion = "onnxruntime", .channel_block = 16, .blocks_per_pass = 2};
    describe_as(f, &rt);
}

static void end(struct fixture *f)
{
    wl_model_done(&f->model);
    wl_arena_done(&f->arena);
}

static const struct wl_kernel *named(const struct fixture *f, const char *operation)
{
    for (int32_t i = 0; i < f->kernels.count; i++) {
        if (strcmp(f->kernels.items[i].operations[0], operation) == 0) {
            return &f->kernels.items[i];
        }
    }
    fail_msg("no kernel %s", operation);
    return NULL;
}

static const char *conv(struct fixture *f, const char *x, int64_t out, int64_t in, int64_t side,
                        int64_t groups)
{
    const int64_t w[] = {out, in / groups, side, side};
    struct wl_onnx_node *n =
        wl_onnx_add(f->b, "Conv", (const char *[8]){x, wl_onnx_weight(f->b, w, 4)});
    wl_onnx_attr_int(f->b, n, "group", groups);
    wl_micro_window_attrs(f->b, n, side, side, 1, 1);
    return wl_onnx_result(n);
}

/*
 * An image of 3 channels, 8 x 8, through 3 x 3 to 24 channels, 1 x 1 to 40, depthwise 3 x 3, then a
 * softmax on rows of pixels. The first reads the image as it is; only the softmax reorders.
 */
static void test_chain(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    const int64_t image[] = {1, 3, 8, 8};
    const char *y = conv(&f, wl_onnx_input(f.b, WL_ONNX_FLOAT, image, 4), 24, 3, 3, 1);
    y = conv(&f, conv(&f, y, 40, 24, 1, 1), 40, 40, 3, 40);
    wl_onnx_output(f.b, wl_micro_unary(f.b, "Softmax", y));
    describe(&f);
    const struct wl_kernel *first = named(&f, "conv_image_blocked");
    /* of three taps along an axis of 8, 22 / 8 meet the image */
    assert_true(first->sizes.m == 64 && first->sizes.n == 32);
    assert_true(fabs(first->sizes.k - 3 * (22.0 / 8) * (22.0 / 8)) < 1e-9);
    assert_true(first->sizes.window == 9 && first->sizes.width == 8 && first->sizes.stride == 1);
    assert_true(first->reorder_in_bytes == 0 && first->reorder_out_bytes == 0);
    const struct wl_kernel *second = named(&f, "conv_pointwise_blocked");
    /* 24 channels are computed as 32 and 40 as 48: two blocks in the first walk, one in the second
     */
    assert_true(second->sizes.n == 48 && second->sizes.k == 32 && second->sizes.window == 1);
    assert_true(second->sizes.passes == 2 && second->sizes.edge == 0);
    assert_true(first->sizes.passes == 1 && first->sizes.near_bytes == 0);
    /* the first and the last of 8 columns reach into the padding */
    assert_true(first->sizes.edge == 0.25);
    assert_string_equal(second->operations[1], "conv");
    assert_string_equal(second->operations[2], "gemm");
    const struct wl_kernel *third = named(&f, "conv_depthwise_blocked");
    assert_true(third->sizes.groups == 48 && third->sizes.n == 1);
    assert_true(fabs(third->sizes.k - (22.0 / 8) * (22.0 / 8)) < 1e-9);
    /* 40 x 64 floats, read and written once */
    assert_true(third->reorder_out_bytes == 2.0 * 4 * 40 * 64);
    const struct wl_kernel *rows = named(&f, "softmax");
    assert_true(rows->sizes.n == 40 * 64 && rows->sizes.width == 8);
    assert_false(rows->blocked);
    end(&f);
}

/* A residual that both sides have in blocks joins the convolution; an image input is reordered. */
static void test_residual(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    const int64_t image[] = {2, 16, 4, 4};
    const char *x = wl_onnx_input(f.b, WL_ONNX_FLOAT, image, 4);
    const char *a = conv(&f, x, 16, 16, 3, 1), *c = conv(&f, x, 16, 16, 1, 1);
    wl_onnx_output(f.b, wl_micro_binary(f.b, "Add", a, c));
    describe(&f);
    assert_int_equal(f.kernels.count, 2);
    double in = 0, out = 0, operands = 0;
    for (int32_t i = 0; i < 2; i++) {
        in += f.kernels.items[i].reorder_in_bytes;
        out += f.kernels.items[i].reorder_out_bytes;
        operands += f.kernels.items[i].sizes.operands;
    }
    /* the input once, whoever reads it; the sum, which the caller gets */
    assert_true(in == 2.0 * 4 * 2 * 16 * 16 && out == 2.0 * 4 * 2 * 16 * 16);
    assert_true(operands == 1);
    end(&f);
}

/* Channels that are no whole quads, and weights made of integers, keep rows of pixels. */
static void test_rows_of_pixels(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    const int64_t image[] = {1, 18, 4, 4}, w[] = {32, 18, 1, 1};
    const char *x = wl_onnx_input(f.b, WL_ONNX_FLOAT, image, 4);
    wl_onnx_output(f.b, conv(&f, x, 32, 18, 1, 1));
    const char *const stored[8] = {wl_onnx_weight_of(f.b, WL_ONNX_INT8, w, 4),
                                   wl_onnx_scalar(f.b, 0.5F)};
    const char *made = wl_onnx_result(wl_onnx_add(f.b, "DequantizeLinear", stored));
    wl_onnx_output(f.b, wl_onnx_result(wl_onnx_add(f.b, "Conv", (const char *[8]){x, made})));
    describe(&f);
    assert_int_equal(f.kernels.count, 2);
    double dequantized = 0;
    for (int32_t i = 0; i < 2; i++) {
        const struct wl_kernel *k = &f.kernels.items[i];
        assert_string_equal(k->operations[0], "conv");
        assert_true(!k->blocked && k->reorder_in_bytes == 0 && k->reorder_out_bytes == 0);
        dequantized += k->dequantized_elems;
    }
    assert_true(dequantized == 32 * 18);
    end(&f);
}

/* Stored as unsigned integers, and read again. */
static const char *requantised(struct fixture *f, const char *x)
{
    const char *const in[8] = {x, wl_onnx_scalar(f->b, 0.02F), wl_onnx_byte(f->b, 128)};
    const char *q = wl_onnx_result(wl_onnx_add(f->b, "QuantizeLinear", in));
    const char *const back[8] = {q, in[1], in[2]};
    return wl_onnx_result(wl_onnx_add(f->b, "DequantizeLinear", back));
}

/* Two convolutions in integers: channels go to the end before the first, and back behind the last.
 */
static void test_integers(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    const int64_t image[] = {1, 32, 4, 4}, w[] = {32, 32, 1, 1};
    const char *x = requantised(&f, wl_onnx_input(f.b, WL_ONNX_FLOAT, image, 4));
    for (int i = 0; i < 2; i++) {
        const char *const stored[8] = {wl_onnx_weight_of(f.b, WL_ONNX_INT8, w, 4),
                                       wl_onnx_scalar(f.b, 0.5F)};
        const char *made = wl_onnx_result(wl_onnx_add(f.b, "DequantizeLinear", stored));
        const char *const in[8] = {x, made};
        x = requantised(&f, wl_onnx_result(wl_onnx_add(f.b, "Conv", in)));
    }
    wl_onnx_output(f.b, x);
    describe(&f);
    assert_int_equal(f.kernels.count, 4); /* quantize, two convolutions, dequantize */
    for (int32_t i = 1; i < 3; i++) {
        const struct wl_kernel *k = &f.kernels.items[i];
        assert_string_equal(k->operations[0], "conv");
        assert_true(f.partition.subgraphs[i].quantized && k->integer && !k->blocked);
        assert_true(k->dequantized_elems == 0);
        assert_true(k->reorder_in_bytes == (i == 1 ? 2.0 * 32 * 16 : 0));
        assert_true(k->reorder_out_bytes == (i == 2 ? 2.0 * 32 * 16 : 0));
        /* integers in and out, weights and the four numbers of scales and zero points */
        assert_true(k->sizes.bytes >= 2.0 * 32 * 16 + 32 * 32 && k->sizes.bytes < 2100);
    }
    end(&f);
}

/*
 * A runtime over a library of blocked kernels that joins, pools and multiplies by itself: two
 * convolutions, 32 channels of 8 x 8, are brought out, joined, pooled to 4 x 4 and brought in
 * again, in two passes; a fully connected layer ends it.
 */
static void test_own_kernels(void **state)
{
    (void)state;
    static const struct wl_runtime rt = {.name = "unit",
                                         .fusion = "pytorch-eager",
                                         .channel_block = 16,
                                         .blocked_kernels = "relu maxpool",
                                         .own_kernels = "gemm maxpool concat",
                                         .entry_copy = true};
    struct fixture f;
    begin(&f);
    const int64_t image[] = {1, 3, 8, 8}, two[] = {2, 2}, w[] = {256, 10};
    const char *x = wl_onnx_input(f.b, WL_ONNX_FLOAT, image, 4);
    const char *const parts[8] = {conv(&f, x, 32, 3, 3, 1), conv(&f, x, 32, 3, 1, 1)};
    struct wl_onnx_node *join = wl_onnx_add(f.b, "Concat", parts);
    wl_onnx_attr_int(f.b, join, "axis", 1);
    struct wl_onnx_node *pool =
        wl_onnx_add(f.b, "MaxPool", (const char *[8]){wl_onnx_result(join)});
    wl_onnx_attr_ints(f.b, pool, "kernel_shape", two, 2);
    wl_onnx_attr_ints(f.b, pool, "strides", two, 2);
    const char *y = conv(&f, wl_onnx_result(pool), 16, 64, 1, 1);
    y = wl_micro_unary(f.b, "Flatten", y);
    wl_onnx_output(f.b, wl_micro_binary(f.b, "MatMul", y, wl_onnx_weight(f.b, w, 2)));
    describe_as(&f, &rt);
    assert_int_equal(f.kernels.count, 6);
    const struct wl_kernel *first = &f.kernels.items[0];
    assert_true(first->reorders == 1 && first->reorder_out_bytes == 2.0 * 4 * 32 * 64);
    const struct wl_kernel *joined = named(&f, "concat_own");
    assert_string_equal(joined->operations[1], "concat");
    assert_true(!joined->blocked && joined->sizes.n == 64 * 64);
    assert_true(named(&f, "maxpool_own")->sizes.window == 4);
    const struct wl_kernel *last = named(&f, "conv_pointwise_blocked");
    /* in: 64 channels of 16 floats, read and written twice; out: 16 of 16, once */
    assert_true(last->reorder_in_bytes == 2 * 2.0 * 4 * 64 * 16);
    assert_true(last->reorder_out_bytes == 2.0 * 4 * 16 * 16);
    assert_int_equal(last->reorders, 3);
    const struct wl_kernel *product = named(&f, "gemm_own");
    assert_string_equal(product->operations[1], "gemv");
    assert_true(product->sizes.m == 1 && product->sizes.n == 10 && product->sizes.k == 256);
    end(&f);
}

/* Products of matrices, heads, rows; runs of copies and of broadcasting. */
static void test_streams(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    const int64_t x_dims[] = {6, 64}, w_dims[] = {64, 48}, bias[] = {48}, perm[] = {1, 0};
    const char *x = wl_onnx_input(f.b, WL_ONNX_FLOAT, x_dims, 2);
    const char *y = wl_micro_binary(f.b, "MatMul", x, wl_onnx_weight(f.b, w_dims, 2));
    y = wl_micro_unary(f.b, "Softmax", y);
    const char *z = wl_micro_binary(f.b, "Add", y, wl_onnx_weight(f.b, bias, 1));
    struct wl_onnx_node *t = wl_onnx_add(f.b, "Transpose", (const char *[8]){z});
    wl_onnx_attr_ints(f.b, t, "perm", perm, 2);
    wl_onnx_output(f.b, wl_onnx_result(t));
    describe(&f);
    const struct wl_kernel *product = named(&f, "gemm");
    assert_true(product->sizes.m == 6 && product->sizes.n == 48 && product->sizes.k == 64);
    /* all that it touches stays near */
    assert_true(product->sizes.cold_bytes == 0 && product->sizes.reuse_bytes == 0);
    const struct wl_kernel *sum = named(&f, "bias");
    assert_true(sum->sizes.n == 6 * 48 && sum->sizes.width == 48);
    const struct wl_kernel *turned = named(&f, "transpose");
    assert_true(turned->sizes.width == 1);
    end(&f);
}

/*
 * How far bytes are, on tensors of 4 MB each (x). What an inference touches: x, four results of its
 * size, one of half, weights of half: 24 MB. Two results raise the most that lives at once; what
 * is read was written just before.
 */
static void test_reuse(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    const int64_t dims[] = {1024, 1024}, half[] = {1024, 512}, perm[] = {1, 0};
    const double x_bytes = 4.0 * 1024 * 1024, total = 6.0 * x_bytes;
    wl_onnx_peek(f.b);
    const char *x = wl_onnx_input(f.b, WL_ONNX_FLOAT, dims, 2);
    const char *y = wl_micro_unary(f.b, "Softmax", x);
    struct wl_onnx_node *t = wl_onnx_add(f.b, "Transpose", (const char *[8]){y});
    wl_onnx_attr_ints(f.b, t, "perm", perm, 2);
    const char *z = wl_micro_unary(f.b, "Neg", wl_onnx_result(t));
    const char *w = wl_onnx_weight(f.b, half, 2);
    wl_onnx_output(f.b, wl_micro_binary(f.b, "MatMul", wl_micro_unary(f.b, "Abs", z), w));
    describe(&f);
    /* its input and its result both are an inference away; 4 more bytes are the first element */
    const struct wl_kernel_sizes *first = &named(&f, "softmax")->sizes;
    assert_true(first->cold_bytes == 2 * x_bytes);
    assert_in_range(fabs(first->reuse_bytes / total - 1) * 1000, 0, 1);
    /* reads what was just written (its own 4 MB ago), writes beside it for the first time */
    const struct wl_kernel_sizes *second = &named(&f, "transpose")->sizes;
    assert_in_range(fabs(second->reuse_bytes / sqrt(x_bytes * total) - 1) * 1000, 0, 1);
    /* in place of what it is made of: within the 8 MB that live at most */
    const struct wl_kernel_sizes *third = &named(&f, "neg")->sizes;
    assert_in_range(fabs(third->reuse_bytes / sqrt(x_bytes * 2 * x_bytes) - 1) * 1000, 0, 1);
    end(&f);
}

/*
 * Transpositions by hand. Keys of attention, 750 rows of 8 heads of 64: neighbours of the result
 * are 512 elements apart in the source, a power of two, so that a column of 750 occupies the sets
 * of 750 x 512 elements. Seven heads of 72: 504 = 8 x 63, a line of 16 elements each is more. Runs
 * of 64 that stay together lie 512 apart too.
 */
static void test_transpositions(void **state)
{
    (void)state;
    static const struct {
        int64_t dims[5], perm[5];
        double width, stride, window;
        const char *name;
        int32_t rank;
    } cases[] = {
        {{1, 750, 8, 64}, {0, 2, 3, 1}, 1, 512, 750 * 512, "transpose", 4},
        {{1, 750, 7, 72}, {0, 2, 3, 1}, 1, 504, 750 * 16, "transpose", 4},
        {{1, 750, 8, 64}, {0, 2, 1, 3}, 64, 512, 750 * 512, "transpose", 4},
        {{1, 3, 5, 9, 9}, {0, 3, 4, 1, 2}, 1, 81, 5 * 16, "transpose_axes", 5},
        {{2, 10, 3, 4, 32}, {2, 0, 3, 1, 4}, 32, 384, 10 * 128, "transpose_axes", 5},
    };
    for (size_t i = 0; i < WL_ARRAY_LEN(cases); i++) {
        struct fixture f;
        begin(&f);
        const char *x = wl_onnx_input(f.b, WL_ONNX_FLOAT, cases[i].dims, cases[i].rank);
        struct wl_onnx_node *t = wl_onnx_add(f.b, "Transpose", (const char *[8]){x});
        wl_onnx_attr_ints(f.b, t, "perm", cases[i].perm, cases[i].rank);
        wl_onnx_output(f.b, wl_onnx_result(t));
        describe(&f);
        const struct wl_kernel_sizes *s = &named(&f, cases[i].name)->sizes;
        assert_true(s->width == cases[i].width);
        assert_true(s->stride == cases[i].stride);
        assert_true(s->window == cases[i].window);
        end(&f);
    }
}

/* What a product does with each result: a bias and a maximum in passing, a second bound not. */
static void test_epilogue(void **state)
{
    (void)state;
    static const struct {
        const char *op;
        double least, most;
    } cases[] = {{"Relu", 0, 0}, {"Clip", 1, 1}, {"Sigmoid", 1, 10}};
    for (size_t i = 0; i < WL_ARRAY_LEN(cases); i++) {
        struct fixture f;
        begin(&f);
        const int64_t image[] = {1, 3, 8, 8};
        const char *y = conv(&f, wl_onnx_input(f.b, WL_ONNX_FLOAT, image, 4), 32, 3, 3, 1);
        const char *const in[8] = {y, i == 1 ? wl_onnx_scalar(f.b, 0) : NULL,
                                   i == 1 ? wl_onnx_scalar(f.b, 6) : NULL};
        wl_onnx_output(f.b, wl_onnx_result(wl_onnx_add(f.b, cases[i].op, in)));
        describe(&f);
        assert_int_equal(f.kernels.count, 1);
        double e = f.kernels.items[0].sizes.epilogue;
        assert_true(e >= cases[i].least && e <= cases[i].most);
        end(&f);
    }
}

/* Two activations, one scaled afterwards: no weights of a product, whatever else is constant. */
static void test_product_of_activations(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    const int64_t q[] = {1, 4, 1, 16}, k[] = {1, 4, 16, 9};
    const char *y = wl_micro_binary(f.b, "MatMul", wl_onnx_input(f.b, WL_ONNX_FLOAT, q, 4),
                                    wl_onnx_input(f.b, WL_ONNX_FLOAT, k, 4));
    wl_onnx_output(f.b, wl_micro_binary(f.b, "Mul", y, wl_onnx_scalar(f.b, 0.25F)));
    describe(&f);
    const struct wl_kernel *product = named(&f, "matmul");
    assert_true(product->sizes.groups == 4 && product->sizes.m == 1 && product->sizes.n == 9);
    end(&f);
}

/* Atrous: of taps 6 apart on 8 pixels, two of 8 results meet one beside the middle. */
static void test_dilated(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    const int64_t image[] = {1, 16, 8, 8}, w[] = {16, 16, 3, 3}, pads[] = {6, 6, 6, 6};
    const int64_t six[] = {6, 6};
    struct wl_onnx_node *n = wl_onnx_add(
        f.b, "Conv",
        (const char *[8]){wl_onnx_input(f.b, WL_ONNX_FLOAT, image, 4), wl_onnx_weight(f.b, w, 4)});
    wl_onnx_attr_ints(f.b, n, "pads", pads, 4);
    wl_onnx_attr_ints(f.b, n, "dilations", six, 2);
    wl_onnx_output(f.b, wl_onnx_result(n));
    describe(&f);
    const struct wl_kernel *k = named(&f, "conv_blocked");
    assert_true(fabs(k->sizes.k - 16 * (12.0 / 8) * (12.0 / 8)) < 1e-9);
    assert_true(k->sizes.window == 9);
    end(&f);
}

/* Columns of which the window leaves the image, by hand: in, out, extent, stride. */
static void test_edge(void **state)
{
    (void)state;
    assert_true(wl_kernels_edge(8, 8, 3, 1) == 2.0 / 8);
    assert_true(wl_kernels_edge(8, 6, 3, 1) == 0);       /* no padding */
    assert_true(wl_kernels_edge(8, 8, 7, 1) == 6.0 / 8); /* three at either end */
    assert_true(wl_kernels_edge(9, 5, 3, 2) == 2.0 / 5); /* taps -1 0 1 ... 7 8 9 */
    assert_true(wl_kernels_edge(8, 4, 3, 2) == 1.0 / 4); /* one row of padding, at the end */
    assert_true(wl_kernels_edge(4, 4, 9, 1) == 1);       /* all of them */
    assert_true(wl_kernels_edge(0, 0, 3, 1) == 0);       /* not known */
}

/* On rows of pixels a 3 x 3 convolution makes columns: 64 pixels of 18 channels x 9 taps, floats.
 */
static void test_columns(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    const int64_t image[] = {1, 18, 8, 8};
    const char *x = wl_onnx_input(f.b, WL_ONNX_FLOAT, image, 4);
    wl_onnx_output(f.b, conv(&f, conv(&f, x, 18, 18, 3, 1), 18, 18, 1, 1));
    describe(&f);
    assert_true(f.kernels.items[0].sizes.near_bytes == 64.0 * 18 * 9 * 4);
    assert_true(f.kernels.items[1].sizes.near_bytes == 0); /* pointwise: the image is the matrix */
    end(&f);
}

/* A recurrence: steps, batch, gates, what comes in and the state. */
static void test_recurrence(void **state)
{
    (void)state;
    const int64_t w[] = {1, 64, 32}, r[] = {1, 64, 16}, bias[] = {1, 128};
    for (int64_t batch = 1; batch <= 2; batch++) {
        struct fixture f;
        begin(&f);
        const int64_t x[] = {5, batch, 32};
        struct wl_onnx_node *n = wl_onnx_add(
            f.b, "LSTM",
            (const char *[8]){wl_onnx_input(f.b, WL_ONNX_FLOAT, x, 3), wl_onnx_weight(f.b, w, 3),
                              wl_onnx_weight(f.b, r, 3), wl_onnx_weight(f.b, bias, 2)});
        wl_onnx_attr_int(f.b, n, "hidden_size", 16);
        wl_onnx_output(f.b, wl_onnx_result(n));
        describe(&f);
        const struct wl_kernel *k = named(&f, "lstm");
        assert_true(k->sizes.groups == 5 && k->sizes.m == (double)batch && k->sizes.n == 64);
        assert_true(k->sizes.k == 32 + 16);
        /* the weights on the state, 16 x 64 floats, at the four steps after the first */
        assert_true(k->sizes.near_bytes == 4.0 * 16 * 64 * 4 && k->sizes.width == 1);
        end(&f);
    }
}

/* Every kind of the designed grid makes graphs that load, and kernels with sizes. */
static void test_grid(void **state)
{
    (void)state;
    const struct wl_micro_kind *kind = NULL;
    for (int32_t i = 0; (kind = wl_micro_kind_at(i)) != NULL; i++) {
        struct fixture f;
        int64_t p[WL_MICRO_SIZES] = {0};
        int32_t d = 0;
        while (d < kind->full && !kind->design(d, p)) {
            memset(p, 0, sizeof(p));
            d++;
        }
        assert_true(d < kind->full);
        assert_true(kind->quick < kind->full && kind->work(p) > 0);
        begin(&f);
        kind->emit(f.b, kind->op, p);
        describe(&f);
        assert_true(f.kernels.count > 0);
        for (int32_t k = 0; k < f.kernels.count; k++) {
            const struct wl_kernel_sizes *s = &f.kernels.items[k].sizes;
            assert_true(s->groups >= 1 && s->m >= 1 && s->n >= 1 && s->k >= 1 && s->width >= 1);
            assert_true(s->bytes > 0 && s->cold_bytes <= s->bytes);
            assert_non_null(f.kernels.items[k].operations[0]);
        }
        end(&f);
    }
}

/* The sequence is the one of Halton (1960): to base 2 a half, a quarter, three quarters ... */
static void test_halton(void **state)
{
    (void)state;
    assert_true(wl_micro_halton(0, 2) == 0.5 && wl_micro_halton(1, 2) == 0.25 &&
                wl_micro_halton(2, 2) == 0.75 && wl_micro_halton(3, 2) == 0.125);
    assert_int_equal(wl_micro_spread(0, 2, 4, 64, 1), 16);  /* halfway between the logarithms */
    assert_int_equal(wl_micro_spread(1, 2, 4, 64, 16), 16); /* 8, at least one step */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chain),          cmocka_unit_test(test_residual),
        cmocka_unit_test(test_rows_of_pixels), cmocka_unit_test(test_integers),
        cmocka_unit_test(test_streams),        cmocka_unit_test(test_reuse),
        cmocka_unit_test(test_transpositions), cmocka_unit_test(test_epilogue),
        cmocka_unit_test(test_recurrence),     cmocka_unit_test(test_product_of_activations),
        cmocka_unit_test(test_edge),           cmocka_unit_test(test_columns),
        cmocka_unit_test(test_dilated),        cmocka_unit_test(test_grid),
        cmocka_unit_test(test_halton),         cmocka_unit_test(test_own_kernels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
