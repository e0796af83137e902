/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calibrate/onednn_grid.c: which shapes framework onednn measures. Each family of kernels (a
 * window, a stride, a range of channels) gets points of a Halton sequence in the logarithms of
 * output columns, channels in and channels out; products of more than OPS_MAX operations are left
 * out. Channels are multiples of 16, each third one of 8 only: networks have both, and libraries
 * pad the latter.
 */
#include <math.h>

#include "kernels.h"
#include "native.h"
#include "onednn_grid.h"

#define OPS_MAX 5e9
#define OPS_QUICK_MAX 1.5e9
#define BLOCK 16           /* channels */
#define BATCH_PIXELS 12544 /* more output pixels than 112 x 112 come from a batch */

static double element_bytes(enum wl_precision p)
{
    return wl_precision_bits(p) / 8.0;
}

/* ---- sizes -------------------------------------------------------------------------------------
 */

static int64_t shrunk(int64_t v, int64_t stride)
{
    return wl_ceil_div_i64(v, stride > 0 ? stride : 1);
}

static void conv_sizes(const struct wl_onednn_case *c, struct wl_kernel_sizes *s)
{
    double g = (double)c->groups, taps = (double)(c->kernel[0] * c->kernel[1]);
    double pixels = (double)(c->batch * c->height * c->width);
    double out_pixels =
        (double)(c->batch * shrunk(c->height, c->stride) * shrunk(c->width, c->stride));
    double weights = (double)(c->in * c->out) / g * taps;
    s->groups = g;
    s->m = out_pixels;
    s->n = (double)c->out / g;
    s->k = (double)c->in / g * taps;
    s->window = taps;
    s->stride = (double)(c->stride * c->stride);
    s->width = (double)shrunk(c->width, c->stride);
    s->edge = wl_kernels_edge(c->width, shrunk(c->width, c->stride), c->kernel[1], c->stride);
    if (c->kind == WL_ONEDNN_DECONV) { /* the other way round: each input pixel makes a window */
        out_pixels = pixels * s->stride;
        s->m = pixels;
        s->n = (double)c->out / g * taps;
        s->k = (double)c->in / g;
        s->width = (double)(c->width * c->stride);
        s->edge = 0;
    } else {
        wl_kernels_fill_blocks(s, (double)c->in / g, BLOCK);
    }
    s->cold_bytes = (weights + (double)c->out) * element_bytes(c->precision);
    s->reuse_bytes = WL_ONEDNN_POOL_CONV_BYTES;
    s->bytes =
        (pixels * (double)c->in + out_pixels * (double)c->out) * element_bytes(c->precision) +
        s->cold_bytes;
}

static void product_sizes(const struct wl_onednn_case *c, struct wl_kernel_sizes *s)
{
    double m = (double)c->height, n = (double)c->out, k = (double)c->in, g = (double)c->batch;
    s->groups = g;
    s->m = m;
    s->n = n;
    s->k = k;
    s->operands = c->kind == WL_ONEDNN_MATMUL ? 1 : 0;
    bool inner = c->kind != WL_ONEDNN_MATMUL;
    s->bytes = (g * (m * k + k * n + m * n) + (inner ? n : 0)) * element_bytes(c->precision);
    s->cold_bytes = inner ? (g * k * n + n) * element_bytes(c->precision) : 0;
    s->reuse_bytes = inner ? WL_ONEDNN_POOL_BYTES : 0;
}

static void pool_sizes(const struct wl_onednn_case *c, struct wl_kernel_sizes *s)
{
    bool whole = c->kernel[0] == c->height && c->kernel[1] == c->width;
    double read = (double)(c->batch * c->in * c->height * c->width);
    int64_t h = whole ? 1 : shrunk(c->height, c->stride),
            w = whole ? 1 : shrunk(c->width, c->stride);
    s->n = (double)(c->batch * c->in * h * w);
    s->k = fmax(1, read / s->n);
    s->window = whole ? 1 : (double)(c->kernel[0] * c->kernel[1]);
    s->stride = whole ? 1 : (double)(c->stride * c->stride);
    s->width = (double)(whole ? c->width : w);
    s->bytes = (read + s->n) * element_bytes(c->precision);
}

/* Everything that makes as many results as it reads of its largest operand. */
static void stream_sizes(const struct wl_onednn_case *c, struct wl_kernel_sizes *s)
{
    double n = (double)(c->batch * c->in * c->height * c->width);
    double row = (double)(c->height * c->width);
    double others = 0; /* elements of further operands */
    s->n = n;
    s->width = n;
    switch (c->kind) {
    case WL_ONEDNN_BINARY:
    case WL_ONEDNN_SUM:
        s->operands = 1;
        others = c->per_channel ? n / row : n;
        s->width = c->per_channel ? row : n;
        break;
    case WL_ONEDNN_SOFTMAX:
    case WL_ONEDNN_LAYERNORM:
        s->width = (double)c->width;
        others = c->kind == WL_ONEDNN_LAYERNORM ? 2 * (double)c->width : 0;
        break;
    case WL_ONEDNN_BATCHNORM:
        s->width = fmin((double)c->width, (double)c->in);
        others = 4 * (double)c->in;
        break;
    case WL_ONEDNN_CONCAT:
    case WL_ONEDNN_OWN_CONCAT:
        s->operands = (double)c->inputs - 1;
        s->width = n / (double)(c->batch * c->inputs);
        break;
    case WL_ONEDNN_REORDER_IN:
    case WL_ONEDNN_REORDER_OUT:
        s->width = (double)c->width;
        break;
    default:
        break;
    }
    s->bytes = (2 * n + others) * element_bytes(c->precision);
}

struct wl_kernel_sizes wl_onednn_sizes(const struct wl_onednn_case *c)
{
    struct wl_kernel_sizes s = {
        .groups = 1, .m = 1, .n = 1, .k = 1, .window = 1, .stride = 1, .width = 1};
    switch (c->kind) {
    case WL_ONEDNN_CONV:
    case WL_ONEDNN_DECONV:
        conv_sizes(c, &s);
        break;
    case WL_ONEDNN_INNER:
    case WL_ONEDNN_MATMUL:
    case WL_ONEDNN_OWN_PRODUCT:
        product_sizes(c, &s);
        break;
    case WL_ONEDNN_POOL:
    case WL_ONEDNN_OWN_POOL:
        pool_sizes(c, &s);
        break;
    case WL_ONEDNN_RESAMPLE:
        stream_sizes(c, &s);
        s.n *= (double)(c->stride * c->stride);
        s.width = 1;
        s.bytes = s.bytes / 2 * (1 + (double)(c->stride * c->stride));
        break;
    default:
        stream_sizes(c, &s);
    }
    return s;
}

/* ---- families ----------------------------------------------------------------------------------
 */

static void add(struct wl_onednn_grid *g, struct wl_onednn_case c)
{
    void *items = g->cases;
    if (g->failed || wl_arena_reserve(g->arena, &items, &g->capacity, g->count + 1,
                                      sizeof(g->cases[0])) != WL_OK) {
        g->failed = true;
        return;
    }
    g->cases = items;
    g->cases[g->count++] = c;
}

struct family {
    const char *operation;
    enum wl_onednn_kind kind;
    int32_t points, quick_points;
    int64_t kernel[2], stride;
    int64_t columns[2]; /* of the result; rows are as many */
    int64_t in[2], out[2];
    int64_t groups[2]; /* {0, 0}: depthwise; {1, 1}: dense; else channels of each group */
};

#define CONV WL_ONEDNN_CONV
#define DECONV WL_ONEDNN_DECONV
static const struct family families[] = {
    /* operation, kind, points, window, stride, columns, channels in, channels out, groups */
    {"conv", CONV, 64, 18, {1, 1}, 1, {5, 112}, {16, 2048}, {16, 2048}, {1, 1}},
    {"conv", CONV, 10, 3, {1, 1}, 2, {5, 56}, {64, 1024}, {64, 2048}, {1, 1}},
    {"conv", CONV, 64, 18, {3, 3}, 1, {5, 112}, {16, 512}, {16, 512}, {1, 1}},
    {"conv", CONV, 16, 4, {3, 3}, 2, {5, 112}, {16, 512}, {16, 512}, {1, 1}},
    {"conv", CONV, 6, 2, {5, 5}, 1, {7, 56}, {16, 192}, {32, 192}, {1, 1}},
    {"conv", CONV, 4, 1, {1, 7}, 1, {8, 24}, {64, 256}, {64, 256}, {1, 1}},
    {"conv", CONV, 4, 1, {7, 1}, 1, {8, 24}, {64, 256}, {64, 256}, {1, 1}},
    {"conv", CONV, 5, 2, {3, 3}, 1, {56, 224}, {3, 3}, {16, 64}, {1, 1}},
    {"conv", CONV, 6, 2, {3, 3}, 2, {56, 150}, {3, 3}, {16, 64}, {1, 1}},
    {"conv", CONV, 5, 2, {7, 7}, 2, {56, 150}, {3, 3}, {32, 96}, {1, 1}},
    {"conv", CONV, 2, 1, {11, 11}, 4, {28, 64}, {3, 3}, {48, 96}, {1, 1}},
    {"conv_depthwise", CONV, 30, 9, {3, 3}, 1, {5, 112}, {16, 1024}, {0, 0}, {0, 0}},
    {"conv_depthwise", CONV, 16, 5, {3, 3}, 2, {5, 112}, {16, 1024}, {0, 0}, {0, 0}},
    {"conv_depthwise", CONV, 14, 4, {5, 5}, 1, {5, 56}, {32, 1536}, {0, 0}, {0, 0}},
    {"conv_depthwise", CONV, 8, 3, {5, 5}, 2, {5, 56}, {32, 1536}, {0, 0}, {0, 0}},
    {"conv_depthwise", CONV, 8, 3, {7, 7}, 1, {5, 56}, {64, 1024}, {0, 0}, {0, 0}},
    {"conv_grouped", CONV, 24, 6, {3, 3}, 1, {5, 56}, {32, 1024}, {0, 0}, {4, 64}},
    {"conv_grouped", CONV, 10, 3, {3, 3}, 2, {5, 56}, {32, 1024}, {0, 0}, {4, 64}},
    {"conv_transpose", DECONV, 8, 3, {2, 2}, 2, {14, 112}, {16, 512}, {16, 256}, {1, 1}},
    {"conv_transpose", DECONV, 8, 3, {4, 4}, 2, {8, 64}, {16, 512}, {16, 256}, {1, 1}},
};

static int64_t channels(double share, const int64_t range[2], int32_t index)
{
    int64_t v = wl_native_log_point(share, range[0], range[1]);
    int64_t step = range[1] < 16 ? 1 : index % 3 == 2 ? 8 : 16;
    return wl_max_i64(step, (v + step / 2) / step * step);
}

static struct wl_onednn_case family_point(const struct family *f, int32_t i)
{
    int64_t columns = wl_native_log_point(wl_native_halton(i, 2), f->columns[0], f->columns[1] + 1);
    struct wl_onednn_case c = {.operation = f->operation,
                               .kind = f->kind,
                               .batch = 1,
                               .groups = 1,
                               .kernel = {f->kernel[0], f->kernel[1]},
                               .stride = f->stride};
    c.in = channels(wl_native_halton(i, 3), f->in, i);
    c.out = f->out[0] > 0 ? channels(wl_native_halton(i, 5), f->out, i) : c.in;
    c.height = c.width = f->kind == DECONV ? columns / f->stride : columns * f->stride;
    if (f->groups[0] == 0) {
        c.groups = c.in;
    } else if (f->groups[1] > 1) {
        int64_t width = wl_native_log_point(wl_native_halton(i, 7), f->groups[0], f->groups[1]);
        width = i % 2 == 0 ? (int64_t)1 << lround(log2((double)width)) : width / 4 * 4;
        c.groups = wl_max_i64(2, (c.in + width / 2) / width);
        c.in = c.out = c.groups * width;
    }
    return c;
}

static double operations(const struct wl_onednn_case *c)
{
    struct wl_kernel_sizes s = wl_onednn_sizes(c);
    return 2 * s.groups * s.m * s.n * s.k;
}

/* Points are drawn until there are enough that are not too large; each fifth in a batch of 8. */
static void add_family(struct wl_onednn_grid *g, const struct family *f,
                       enum wl_precision precision, bool quick, int32_t divisor)
{
    int32_t wanted = (quick ? f->quick_points : f->points) / divisor, found = 0;
    double most = quick ? OPS_QUICK_MAX : OPS_MAX;
    for (int32_t i = 0; i < 40 * (wanted + 1) && found < wanted; i++) {
        struct wl_onednn_case c = family_point(f, i);
        c.precision = precision;
        c.batch = i % 5 == 4 ? 8 : 1;
        bool small = c.batch == 1 || c.batch * c.height * c.width < 8 * BATCH_PIXELS;
        if (small && operations(&c) <= most) {
            add(g, c);
            found++;
        }
    }
}

static void add_convolutions(struct wl_onednn_grid *g, enum wl_precision precision, bool quick,
                             int32_t divisor)
{
    for (size_t i = 0; i < WL_ARRAY_LEN(families); i++) {
        add_family(g, &families[i], precision, quick, divisor);
    }
}

static void add_products(struct wl_onednn_grid *g, enum wl_precision precision, int32_t count,
                         bool quick)
{
    for (int32_t i = 0; i < count; i++) {
        struct wl_onednn_case c = {.operation = i % 3 == 0 ? "gemv" : "gemm",
                                   .kind = WL_ONEDNN_INNER,
                                   .precision = precision,
                                   .batch = 1,
                                   .groups = 1};
        c.height = i % 3 == 0 ? 1 : wl_native_log_point(wl_native_halton(i, 2), 2, 1024);
        c.in = wl_native_log_point(wl_native_halton(i, 3), 64, 4096);
        c.out = wl_native_log_point(wl_native_halton(i, 5), 64, 4096);
        if (operations(&c) <= (quick ? OPS_QUICK_MAX : OPS_MAX)) {
            add(g, c);
        }
        c.operation = "matmul";
        c.kind = WL_ONEDNN_MATMUL;
        c.batch = wl_native_log_point(wl_native_halton(i, 7), 1, 16);
        c.height = wl_native_log_point(wl_native_halton(i, 2), 8, 512);
        c.in = wl_native_log_point(wl_native_halton(i, 3), 32, 512);
        c.out = wl_native_log_point(wl_native_halton(i, 5), 32, 512);
        if (operations(&c) <= (quick ? OPS_QUICK_MAX : OPS_MAX)) {
            add(g, c);
        }
    }
}

/* ---- everything that is no product -------------------------------------------------------------
 */

static const struct {
    const char *operation;
    enum wl_onednn_kind kind;
    bool per_channel;
} streams[] = {
    {"relu", WL_ONEDNN_ELTWISE, false},
    {"clip", WL_ONEDNN_ELTWISE, false},
    {"sigmoid", WL_ONEDNN_ELTWISE, false},
    {"tanh", WL_ONEDNN_ELTWISE, false},
    {"gelu", WL_ONEDNN_ELTWISE, false},
    {"silu", WL_ONEDNN_ELTWISE, false},
    {"hard_swish", WL_ONEDNN_ELTWISE, false},
    {"exp", WL_ONEDNN_ELTWISE, false},
    {"log", WL_ONEDNN_ELTWISE, false},
    {"sqrt", WL_ONEDNN_ELTWISE, false},
    {"elementwise", WL_ONEDNN_ELTWISE, false},
    {"add", WL_ONEDNN_BINARY, false},
    {"mul", WL_ONEDNN_BINARY, false},
    {"mul", WL_ONEDNN_BINARY, true},
    {"axpy", WL_ONEDNN_SUM, false},
    {"bn", WL_ONEDNN_BATCHNORM, false},
    {"resize", WL_ONEDNN_RESAMPLE, false},
};

/* Images from 7 x 7 x 16 to 112 x 112 x 128 elements. */
static struct wl_onednn_case image(const char *operation, enum wl_onednn_kind kind,
                                   enum wl_precision precision, int32_t i, int32_t count)
{
    int64_t columns = wl_native_log_point(wl_native_halton(i, 2), 5, 113);
    double share = count > 1 ? (double)i / (count - 1) : 0.5;
    int64_t elems = wl_native_log_point(share, 4096, 2000000);
    int64_t in = wl_max_i64(16, (elems / (columns * columns) + 8) / 16 * 16);
    return (struct wl_onednn_case){.operation = operation,
                                   .kind = kind,
                                   .precision = precision,
                                   .batch = 1,
                                   .groups = 1,
                                   .in = in,
                                   .out = in,
                                   .height = columns,
                                   .width = columns,
                                   .kernel = {1, 1},
                                   .stride = 1};
}

static void add_streams(struct wl_onednn_grid *g, enum wl_precision precision, bool quick)
{
    int32_t count = quick ? 3 : 8;
    for (size_t s = 0; s < WL_ARRAY_LEN(streams); s++) {
        for (int32_t i = 0; i < count; i++) {
            struct wl_onednn_case c =
                image(streams[s].operation, streams[s].kind, precision, i, count);
            c.per_channel = streams[s].per_channel;
            c.stride = streams[s].kind == WL_ONEDNN_RESAMPLE ? 2 : 1;
            add(g, c);
        }
    }
}

static const struct {
    int64_t kernel, stride;
} windows[] = {{2, 2}, {3, 2}, {3, 1}};

/* Pooling and joins take quite different times with and without blocks of channels. */
static void add_both_layouts(struct wl_onednn_grid *g, struct wl_onednn_case c, const char *plain,
                             const char *blocked)
{
    c.operation = blocked;
    add(g, c);
    c.operation = plain;
    c.plain = true;
    add(g, c);
}

/* Point `i` of 2 x `count`: two and four images by turns. */
static struct wl_onednn_case join(enum wl_precision precision, int32_t i, int32_t count)
{
    struct wl_onednn_case c = image("concat", WL_ONEDNN_CONCAT, precision, i / 2, count);
    c.inputs = i % 2 == 0 ? 2 : 4;
    c.in = wl_ceil_div_i64(c.in, 16 * c.inputs) * 16 * c.inputs;
    return c;
}

static void add_joins(struct wl_onednn_grid *g, enum wl_precision precision, bool quick)
{
    int32_t count = quick ? 3 : 8;
    for (int32_t i = 0; i < 2 * count; i++) {
        add_both_layouts(g, join(precision, i, count), "concat", "concat_blocked");
    }
}

static void add_pools(struct wl_onednn_grid *g, enum wl_precision precision, bool quick)
{
    int32_t count = quick ? 2 : 5;
    for (int32_t i = 0; i < 3 * count; i++) {
        struct wl_onednn_case c = image("maxpool", WL_ONEDNN_POOL, precision, i, 3 * count);
        c.kernel[0] = c.kernel[1] = windows[i % 3].kernel;
        c.stride = windows[i % 3].stride;
        c.height = c.width = c.height / c.stride * c.stride;
        add_both_layouts(g, c, "maxpool", "maxpool_blocked");
        add_both_layouts(g, c, "avgpool", "avgpool_blocked");
    }
    for (int32_t i = 0; i < 2 * count; i++) {
        struct wl_onednn_case c = image("global_avgpool", WL_ONEDNN_POOL, precision, i, 2 * count);
        c.kernel[0] = c.height;
        c.kernel[1] = c.width;
        add_both_layouts(g, c, "global_avgpool", "global_avgpool_blocked");
    }
}

static void add_rows(struct wl_onednn_grid *g, enum wl_precision precision, bool quick)
{
    int32_t count = quick ? 4 : 12;
    for (int32_t i = 0; i < count; i++) {
        struct wl_onednn_case c = {.operation = "softmax",
                                   .kind = WL_ONEDNN_SOFTMAX,
                                   .precision = precision,
                                   .batch = 1,
                                   .groups = 1,
                                   .in = 1,
                                   .out = 1,
                                   .stride = 1};
        c.width = wl_native_log_point(wl_native_halton(i, 2), 16, 4096);
        c.height = wl_native_log_point(wl_native_halton(i, 3), 1, 2048);
        add(g, c);
        c.operation = "layernorm";
        c.kind = WL_ONEDNN_LAYERNORM;
        add(g, c);
    }
}

static void add_layout(struct wl_onednn_grid *g, bool quick)
{
    int32_t count = quick ? 4 : 10;
    for (int32_t i = 0; i < count; i++) {
        add(g, image("reorder_input", WL_ONEDNN_REORDER_IN, WL_PREC_FP32, i, count));
        add(g, image("reorder_output", WL_ONEDNN_REORDER_OUT, WL_PREC_FP32, i, count));
    }
}

#define OWN_WEIGHTS_MAX (WL_ONEDNN_POOL_BYTES / 4 / 2) /* the pool holds them twice */

static int64_t power_of_two(int64_t v)
{
    return (int64_t)1 << lround(log2((double)v));
}

/* Each fourth is a power of two wide: rows of weights so far apart share places of caches. */
static void add_own_products(struct wl_onednn_grid *g, bool quick)
{
    for (int32_t i = 0; i < (quick ? 12 : 48); i++) {
        struct wl_onednn_case c = {.operation = "gemm_own",
                                   .kind = WL_ONEDNN_OWN_PRODUCT,
                                   .precision = WL_PREC_FP32,
                                   .batch = 1,
                                   .groups = 1};
        c.height = i % 2 == 0 ? 1 : wl_native_log_point(wl_native_halton(i, 7), 2, 4096);
        c.in = wl_native_log_point(wl_native_halton(i, 3), 128, 16384);
        c.out = wl_native_log_point(wl_native_halton(i, 5), 64, 4097);
        c.out = i % 4 == 2 ? wl_max_i64(1024, power_of_two(c.out)) : c.out;
        if (c.in * c.out <= OWN_WEIGHTS_MAX && operations(&c) <= OPS_QUICK_MAX) {
            add(g, c);
        }
    }
}

static void add_own_pools(struct wl_onednn_grid *g, bool quick)
{
    int32_t count = quick ? 6 : 15;
    for (int32_t i = 0; i < count; i++) {
        struct wl_onednn_case c = image("maxpool_own", WL_ONEDNN_OWN_POOL, WL_PREC_FP32, i, count);
        c.kernel[0] = c.kernel[1] = windows[i % 3].kernel;
        c.stride = windows[i % 3].stride;
        c.height = c.width = c.height / c.stride * c.stride;
        add(g, c);
        c.operation = "avgpool_own";
        add(g, c);
    }
}

static void add_own_joins(struct wl_onednn_grid *g, bool quick)
{
    int32_t count = quick ? 3 : 8;
    for (int32_t i = 0; i < 2 * count; i++) {
        struct wl_onednn_case c = join(WL_PREC_FP32, i, count);
        c.operation = "concat_own";
        c.kind = WL_ONEDNN_OWN_CONCAT;
        add(g, c);
    }
}

/* One case of each operation is enough to learn that a precision is not there. */
static void add_probes(struct wl_onednn_grid *g, enum wl_precision precision)
{
    add_family(g, &families[0], precision, true, families[0].quick_points);
    add_products(g, precision, 1, true);
    add(g, image("relu", WL_ONEDNN_ELTWISE, precision, 0, 1));
}

wl_status wl_onednn_grid(struct wl_arena *arena, bool quick, struct wl_onednn_grid *out,
                         struct wl_error *err)
{
    static const struct {
        enum wl_precision precision;
        int32_t divisor; /* of the number of convolutions */
    } precisions[] = {{WL_PREC_FP32, 1}, {WL_PREC_BF16, 3}, {WL_PREC_INT8, 3}};
    *out = (struct wl_onednn_grid){.arena = arena};
    for (size_t i = 0; i < WL_ARRAY_LEN(precisions); i++) {
        enum wl_precision p = precisions[i].precision;
        add_convolutions(out, p, quick, precisions[i].divisor);
        add_products(out, p, (quick ? 12 : 45) / precisions[i].divisor, quick);
        add_streams(out, p, quick || i > 0);
        add_joins(out, p, quick || i > 0);
        add_pools(out, p, quick || i > 0);
        add_rows(out, p, quick || i > 0);
    }
    add_layout(out, quick);
    add_own_products(out, quick);
    add_own_pools(out, quick);
    add_own_joins(out, quick);
    add_probes(out, WL_PREC_FP64);
    add_probes(out, WL_PREC_FP16);
    return out->failed ? wl_fail_nomem(err) : WL_OK;
}
