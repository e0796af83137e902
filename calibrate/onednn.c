/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calibrate/onednn.c: framework onednn, the cases of onednn_grid.c through libdnnl.so.2. Structures
 * come from its headers at build time (oneDNN 2.x), the library is found at run time. Layouts are
 * those it prefers (blocks of channels on x86): what it costs to come there and back is measured as
 * reorder_input and reorder_output.
 *
 * In a network a kernel finds its activations in the near cache, for the kernel before wrote them,
 * but not its weights: the rest of the network ran since. So each run takes its weights from the
 * next place in a pool as large as the weights of a usual network.
 */
#include "frameworks.h"
#include "native.h"

#ifndef WL_HAVE_DNNL

wl_status wl_onednn_probe(struct wl_bench *b, const char *library, struct wl_error *err)
{
    (void)b;
    (void)library;
    return wl_fail(err, WL_ERR_UNSUPPORTED, "framework onednn",
                   "built without oneDNN's headers; apt-get install libdnnl-dev, then build again "
                   "(frameworks stream, openblas and onnxruntime do without)");
}

static wl_status run(struct wl_bench *b, struct wl_error *err)
{
    return wl_onednn_probe(b, WL_DNNL_LIBRARY, err);
}

#else

#include <math.h>
#include <oneapi/dnnl/dnnl.h>
#include <stdlib.h>
#include <string.h>

#include "onednn_grid.h"
#include "own_kernels.h"

/* ---- the library -------------------------------------------------------------------------------
 */

#define FUNCTIONS(X)                                                                               \
    X(version)                                                                                     \
    X(engine_create)                                                                               \
    X(engine_destroy)                                                                              \
    X(stream_create)                                                                               \
    X(stream_wait)                                                                                 \
    X(stream_destroy)                                                                              \
    X(memory_create)                                                                               \
    X(memory_destroy)                                                                              \
    X(memory_desc_init_by_tag)                                                                     \
    X(memory_desc_get_size)                                                                        \
    X(primitive_desc_create)                                                                       \
    X(primitive_desc_destroy)                                                                      \
    X(primitive_desc_query_md)                                                                     \
    X(primitive_create)                                                                            \
    X(primitive_execute)                                                                           \
    X(primitive_destroy)                                                                           \
    X(convolution_forward_desc_init)                                                               \
    X(deconvolution_forward_desc_init)                                                             \
    X(inner_product_forward_desc_init)                                                             \
    X(matmul_desc_init)                                                                            \
    X(pooling_forward_desc_init)                                                                   \
    X(eltwise_forward_desc_init)                                                                   \
    X(binary_desc_init)                                                                            \
    X(softmax_forward_desc_init)                                                                   \
    X(layer_normalization_forward_desc_init)                                                       \
    X(batch_normalization_forward_desc_init)                                                       \
    X(resampling_forward_desc_init)                                                                \
    X(sum_primitive_desc_create)                                                                   \
    X(concat_primitive_desc_create)                                                                \
    X(reorder_primitive_desc_create)                                                               \
    X(get_effective_cpu_isa)

struct library {
    void *handle;
#define X(name) __typeof__(&dnnl_##name) name;
    FUNCTIONS(X)
#undef X
    void (*set_threads)(int); /* of the OpenMP runtime that the library was linked with */
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_format_tag_t image; /* blocks of channels as convolutions here prefer them */
    wl_own_sgemm *sgemm;     /* of the BLAS beside it; NULL where there is none */
    char *pool;              /* WL_ONEDNN_POOL_BYTES that weights are taken from */
    enum wl_precision pool_precision;
};

static const struct wl_native_symbol symbols[] = {
#define X(name) {"dnnl_" #name, offsetof(struct library, name), false},
    FUNCTIONS(X)
#undef X
        {"omp_set_num_threads", offsetof(struct library, set_threads), false},
};

/* They would make the library take other kernels, or print. */
static const char *const misleading[] = {"DNNL_MAX_CPU_ISA",
                                         "ONEDNN_MAX_CPU_ISA",
                                         "DNNL_CPU_ISA_HINTS",
                                         "ONEDNN_CPU_ISA_HINTS",
                                         "DNNL_DEFAULT_FPMATH_MODE",
                                         "DNNL_VERBOSE",
                                         "ONEDNN_DEFAULT_FPMATH_MODE",
                                         "ONEDNN_VERBOSE",
                                         "DNNL_PRIMITIVE_CACHE_CAPACITY",
                                         "ONEDNN_PRIMITIVE_CACHE_CAPACITY"};

static wl_status load(struct library *l, const char *library, struct wl_error *err)
{
    char why[WL_NATIVE_REASON];
    for (size_t i = 0; i < WL_ARRAY_LEN(misleading); i++) {
        (void)unsetenv(misleading[i]);
    }
    *l = (struct library){0};
    l->handle = wl_native_load(library, symbols, WL_ARRAY_LEN(symbols), l, why);
    if (l->handle == NULL) {
        return wl_fail(err, WL_ERR_UNSUPPORTED, "framework onednn",
                       "%s; apt-get install libdnnl2 (frameworks stream, openblas and onnxruntime "
                       "do without)",
                       why);
    }
    return WL_OK;
}

static const char *isa_name(dnnl_cpu_isa_t isa)
{
    return isa == dnnl_cpu_isa_avx512_core_amx    ? "AMX"
           : isa == dnnl_cpu_isa_avx512_core_bf16 ? "AVX-512 bf16"
           : isa >= dnnl_cpu_isa_avx512_core      ? "AVX-512"
           : isa >= dnnl_cpu_isa_avx2             ? "AVX2"
                                                  : "";
}

wl_status wl_onednn_probe(struct wl_bench *b, const char *library, struct wl_error *err)
{
    struct library l;
    WL_TRY(load(&l, library, err));
    const dnnl_version_t *v = l.version();
    (void)snprintf(b->version, sizeof(b->version), "%d.%d.%d %s", v->major, v->minor, v->patch,
                   isa_name(l.get_effective_cpu_isa()));
    return WL_OK;
}

/* ---- one kernel --------------------------------------------------------------------------------
 */

#define ARGS_MAX 12
#define COPIES_MAX 512
#define COPY_BYTES_MIN 4096 /* smaller weights come back from memory at no cost worth measuring */
/* What the weights of a usual convolutional network take, and those of networks that are mostly
 * fully connected. */

struct kernel {
    const struct library *l;
    const struct wl_onednn_case *c;
    dnnl_primitive_desc_t desc;
    dnnl_primitive_t primitive;
    dnnl_exec_arg_t args[ARGS_MAX];
    void *buffers[ARGS_MAX];
    int count;
    int weights;                      /* index of the argument that has copies; WL_NONE */
    dnnl_memory_t copies[COPIES_MAX]; /* in the pool */
    dnnl_memory_t original;           /* the weights outside the pool */
    int copy_count, next;
    bool failed;
};

static dnnl_data_type_t data_type(enum wl_precision p)
{
    switch ((int)p) {
    case WL_PREC_FP32:
        return dnnl_f32;
    case WL_PREC_BF16:
        return dnnl_bf16;
    case WL_PREC_FP16:
        return dnnl_f16;
    case WL_PREC_INT8:
        return dnnl_s8;
    default:
        return dnnl_data_type_undef;
    }
}

static enum wl_precision precision_of(dnnl_data_type_t t)
{
    return t == dnnl_f32    ? WL_PREC_FP32
           : t == dnnl_bf16 ? WL_PREC_BF16
           : t == dnnl_f16  ? WL_PREC_FP16
                            : WL_PREC_INT8;
}

static dnnl_status_t describe(const struct library *l, dnnl_memory_desc_t *md, int rank,
                              const dnnl_dim_t *dims, dnnl_data_type_t type, dnnl_format_tag_t tag)
{
    dnnl_dims_t whole = {0};
    memcpy(whole, dims, (size_t)rank * sizeof(*dims));
    return l->memory_desc_init_by_tag(md, rank, whole, type, tag);
}

#define TRY_DNNL(expr)                                                                             \
    do {                                                                                           \
        dnnl_status_t try_status = (expr);                                                         \
        if (try_status != dnnl_success) {                                                          \
            return try_status;                                                                     \
        }                                                                                          \
    } while (0)

static int64_t result_extent(int64_t extent, int64_t stride)
{
    return wl_ceil_div_i64(extent, stride);
}

/* Padding at the end, so that (in + left + right - kernel) / stride + 1 is the wanted result. */
static dnnl_dim_t right_padding(int64_t in, int64_t out, int64_t kernel, int64_t stride,
                                int64_t left)
{
    return wl_max_i64(0, (out - 1) * stride + kernel - in - left);
}

static dnnl_status_t conv_desc(struct kernel *k)
{
    const struct library *l = k->l;
    const struct wl_onednn_case *c = k->c;
    bool back = c->kind == WL_ONEDNN_DECONV;
    dnnl_data_type_t type = data_type(c->precision);
    dnnl_data_type_t activations = type == dnnl_s8 ? dnnl_u8 : type;
    int64_t oh = back ? c->height * c->stride : result_extent(c->height, c->stride);
    int64_t ow = back ? c->width * c->stride : result_extent(c->width, c->stride);
    int64_t whole[2] = {back ? oh : c->height, back ? ow : c->width};
    int64_t less[2] = {back ? c->height : oh, back ? c->width : ow};
    dnnl_dim_t src[] = {c->batch, c->in, c->height, c->width}, dst[] = {c->batch, c->out, oh, ow};
    dnnl_dim_t grouped[] = {c->groups, c->out / c->groups, c->in / c->groups, c->kernel[0],
                            c->kernel[1]};
    bool dense = c->groups == 1;
    dnnl_dims_t strides = {c->stride, c->stride}, left = {0}, right = {0};
    for (int i = 0; i < 2; i++) {
        left[i] = c->kernel[i] > c->stride || !back ? (c->kernel[i] - 1) / 2 : 0;
        right[i] = right_padding(whole[i], less[i], c->kernel[i], c->stride, left[i]);
    }
    dnnl_memory_desc_t s, w, b, d;
    TRY_DNNL(describe(l, &s, 4, src, activations, dnnl_format_tag_any));
    TRY_DNNL(
        describe(l, &w, dense ? 4 : 5, dense ? grouped + 1 : grouped, type, dnnl_format_tag_any));
    TRY_DNNL(describe(l, &b, 1, &c->out, type == dnnl_s8 ? dnnl_s32 : type, dnnl_a));
    TRY_DNNL(describe(l, &d, 4, dst, activations, dnnl_format_tag_any));
    dnnl_convolution_desc_t op;
    TRY_DNNL((back ? l->deconvolution_forward_desc_init : l->convolution_forward_desc_init)(
        &op, dnnl_forward_inference, back ? dnnl_deconvolution_direct : dnnl_convolution_direct, &s,
        &w, &b, &d, strides, left, right));
    return l->primitive_desc_create(&k->desc, &op, NULL, l->engine, NULL);
}

static dnnl_status_t inner_desc(struct kernel *k)
{
    const struct library *l = k->l;
    const struct wl_onednn_case *c = k->c;
    dnnl_data_type_t type = data_type(c->precision);
    dnnl_data_type_t activations = type == dnnl_s8 ? dnnl_u8 : type;
    dnnl_dim_t src[] = {c->height, c->in}, wei[] = {c->out, c->in}, dst[] = {c->height, c->out};
    dnnl_memory_desc_t s, w, b, d;
    TRY_DNNL(describe(l, &s, 2, src, activations, dnnl_ab));
    TRY_DNNL(describe(l, &w, 2, wei, type, dnnl_format_tag_any));
    TRY_DNNL(describe(l, &b, 1, &c->out, type == dnnl_s8 ? dnnl_s32 : type, dnnl_a));
    TRY_DNNL(describe(l, &d, 2, dst, activations, dnnl_ab));
    dnnl_inner_product_desc_t op;
    TRY_DNNL(l->inner_product_forward_desc_init(&op, dnnl_forward_inference, &s, &w, &b, &d));
    return l->primitive_desc_create(&k->desc, &op, NULL, l->engine, NULL);
}

static dnnl_status_t matmul_desc(struct kernel *k)
{
    const struct library *l = k->l;
    const struct wl_onednn_case *c = k->c;
    dnnl_data_type_t type = data_type(c->precision);
    dnnl_data_type_t activations = type == dnnl_s8 ? dnnl_u8 : type;
    dnnl_dim_t src[] = {c->batch, c->height, c->in}, wei[] = {c->batch, c->in, c->out};
    dnnl_dim_t dst[] = {c->batch, c->height, c->out};
    dnnl_memory_desc_t s, w, d;
    TRY_DNNL(describe(l, &s, 3, src, activations, dnnl_abc));
    TRY_DNNL(describe(l, &w, 3, wei, type, dnnl_abc));
    TRY_DNNL(describe(l, &d, 3, dst, activations, dnnl_abc));
    dnnl_matmul_desc_t op;
    TRY_DNNL(l->matmul_desc_init(&op, &s, &w, NULL, &d));
    return l->primitive_desc_create(&k->desc, &op, NULL, l->engine, NULL);
}

static dnnl_status_t image_md(const struct kernel *k, int64_t channels, int64_t height,
                              int64_t width, dnnl_memory_desc_t *out)
{
    dnnl_dim_t dims[] = {k->c->batch, channels, height, width};
    return describe(k->l, out, 4, dims, data_type(k->c->precision),
                    k->c->plain ? dnnl_abcd : k->l->image);
}

static dnnl_status_t pool_desc(struct kernel *k)
{
    const struct wl_onednn_case *c = k->c;
    bool whole = c->kernel[0] == c->height && c->kernel[1] == c->width;
    int64_t stride = whole ? c->height : c->stride;
    int64_t oh = result_extent(c->height, stride), ow = result_extent(c->width, stride);
    dnnl_dims_t kernel = {c->kernel[0], c->kernel[1]}, strides = {stride, stride};
    dnnl_dims_t left = {0}, right = {0};
    int64_t in[2] = {c->height, c->width}, out[2] = {oh, ow};
    for (int i = 0; i < 2; i++) {
        left[i] = whole ? 0 : (c->kernel[i] - 1) / 2;
        right[i] = right_padding(in[i], out[i], c->kernel[i], stride, left[i]);
    }
    dnnl_memory_desc_t s, d;
    TRY_DNNL(image_md(k, c->in, c->height, c->width, &s));
    TRY_DNNL(image_md(k, c->in, oh, ow, &d));
    dnnl_pooling_desc_t op;
    bool max = strncmp(c->operation, "maxpool", 7) == 0;
    TRY_DNNL(k->l->pooling_forward_desc_init(
        &op, dnnl_forward_inference, max ? dnnl_pooling_max : dnnl_pooling_avg_exclude_padding, &s,
        &d, strides, kernel, left, right));
    return k->l->primitive_desc_create(&k->desc, &op, NULL, k->l->engine, NULL);
}

static const struct {
    const char *operation;
    dnnl_alg_kind_t algorithm;
    float alpha, beta;
} functions[] = {
    {"relu", dnnl_eltwise_relu, 0, 0},
    {"clip", dnnl_eltwise_clip, 0, 6},
    {"sigmoid", dnnl_eltwise_logistic, 0, 0},
    {"tanh", dnnl_eltwise_tanh, 0, 0},
    {"gelu", dnnl_eltwise_gelu_erf, 0, 0},
    {"silu", dnnl_eltwise_swish, 1, 0},
    {"hard_swish", dnnl_eltwise_hardswish, 0, 0},
    {"exp", dnnl_eltwise_exp, 0, 0},
    {"log", dnnl_eltwise_log, 0, 0},
    {"sqrt", dnnl_eltwise_sqrt, 0, 0},
    {"elementwise", dnnl_eltwise_linear, 0.9f, 0.1f},
    {"add", dnnl_binary_add, 0, 0},
    {"mul", dnnl_binary_mul, 0, 0},
};

static size_t function_of(const char *operation)
{
    for (size_t i = 0; i < WL_ARRAY_LEN(functions); i++) {
        if (strcmp(functions[i].operation, operation) == 0) {
            return i;
        }
    }
    return 0;
}

static dnnl_status_t eltwise_desc(struct kernel *k)
{
    size_t f = function_of(k->c->operation);
    dnnl_memory_desc_t d;
    dnnl_eltwise_desc_t op;
    TRY_DNNL(image_md(k, k->c->in, k->c->height, k->c->width, &d));
    TRY_DNNL(k->l->eltwise_forward_desc_init(&op, dnnl_forward_inference, functions[f].algorithm,
                                             &d, functions[f].alpha, functions[f].beta));
    return k->l->primitive_desc_create(&k->desc, &op, NULL, k->l->engine, NULL);
}

static dnnl_status_t binary_desc(struct kernel *k)
{
    const struct wl_onednn_case *c = k->c;
    dnnl_memory_desc_t d, other;
    dnnl_binary_desc_t op;
    TRY_DNNL(image_md(k, c->in, c->height, c->width, &d));
    TRY_DNNL(
        image_md(k, c->in, c->per_channel ? 1 : c->height, c->per_channel ? 1 : c->width, &other));
    TRY_DNNL(k->l->binary_desc_init(&op, functions[function_of(c->operation)].algorithm, &d, &other,
                                    &d));
    return k->l->primitive_desc_create(&k->desc, &op, NULL, k->l->engine, NULL);
}

static dnnl_status_t sum_desc(struct kernel *k)
{
    dnnl_memory_desc_t d[2];
    const float scales[] = {1, 0.5f};
    TRY_DNNL(image_md(k, k->c->in, k->c->height, k->c->width, &d[0]));
    d[1] = d[0];
    return k->l->sum_primitive_desc_create(&k->desc, &d[0], 2, scales, d, NULL, k->l->engine);
}

static dnnl_status_t concat_desc(struct kernel *k)
{
    const struct wl_onednn_case *c = k->c;
    dnnl_memory_desc_t parts[8], whole;
    int n = (int)wl_min_i64(c->inputs, 8);
    TRY_DNNL(image_md(k, c->in, c->height, c->width, &whole));
    for (int i = 0; i < n; i++) {
        TRY_DNNL(image_md(k, c->in / n, c->height, c->width, &parts[i]));
    }
    return k->l->concat_primitive_desc_create(&k->desc, &whole, n, 1, parts, NULL, k->l->engine);
}

static dnnl_status_t rows_md(const struct kernel *k, dnnl_memory_desc_t *out)
{
    dnnl_dim_t dims[] = {k->c->height, k->c->width};
    return describe(k->l, out, 2, dims, data_type(k->c->precision), dnnl_ab);
}

static dnnl_status_t softmax_desc(struct kernel *k)
{
    dnnl_memory_desc_t d;
    dnnl_softmax_desc_t op;
    TRY_DNNL(rows_md(k, &d));
    TRY_DNNL(k->l->softmax_forward_desc_init(&op, dnnl_forward_inference, &d, 1));
    return k->l->primitive_desc_create(&k->desc, &op, NULL, k->l->engine, NULL);
}

static dnnl_status_t layernorm_desc(struct kernel *k)
{
    dnnl_memory_desc_t d;
    dnnl_layer_normalization_desc_t op;
    TRY_DNNL(rows_md(k, &d));
    TRY_DNNL(k->l->layer_normalization_forward_desc_init(&op, dnnl_forward_inference, &d, NULL,
                                                         1e-5f, dnnl_use_scaleshift));
    return k->l->primitive_desc_create(&k->desc, &op, NULL, k->l->engine, NULL);
}

static dnnl_status_t batchnorm_desc(struct kernel *k)
{
    dnnl_memory_desc_t d;
    dnnl_batch_normalization_desc_t op;
    TRY_DNNL(image_md(k, k->c->in, k->c->height, k->c->width, &d));
    TRY_DNNL(k->l->batch_normalization_forward_desc_init(
        &op, dnnl_forward_inference, &d, 1e-5f, dnnl_use_global_stats | dnnl_use_scaleshift));
    return k->l->primitive_desc_create(&k->desc, &op, NULL, k->l->engine, NULL);
}

static dnnl_status_t resample_desc(struct kernel *k)
{
    const struct wl_onednn_case *c = k->c;
    dnnl_memory_desc_t s, d;
    dnnl_resampling_desc_t op;
    TRY_DNNL(image_md(k, c->in, c->height, c->width, &s));
    TRY_DNNL(image_md(k, c->in, c->height * c->stride, c->width * c->stride, &d));
    TRY_DNNL(k->l->resampling_forward_desc_init(&op, dnnl_forward_inference, dnnl_resampling_linear,
                                                NULL, &s, &d));
    return k->l->primitive_desc_create(&k->desc, &op, NULL, k->l->engine, NULL);
}

static dnnl_status_t reorder_desc(struct kernel *k)
{
    const struct wl_onednn_case *c = k->c;
    dnnl_dim_t dims[] = {c->batch, c->in, c->height, c->width};
    dnnl_memory_desc_t blocked, plain;
    TRY_DNNL(image_md(k, c->in, c->height, c->width, &blocked));
    TRY_DNNL(describe(k->l, &plain, 4, dims, data_type(c->precision), dnnl_abcd));
    bool in = c->kind == WL_ONEDNN_REORDER_IN;
    return k->l->reorder_primitive_desc_create(&k->desc, in ? &plain : &blocked, k->l->engine,
                                               in ? &blocked : &plain, k->l->engine, NULL);
}

static dnnl_status_t (*const describers[WL_ONEDNN_KIND_COUNT])(struct kernel *) = {
    [WL_ONEDNN_CONV] = conv_desc,           [WL_ONEDNN_DECONV] = conv_desc,
    [WL_ONEDNN_INNER] = inner_desc,         [WL_ONEDNN_MATMUL] = matmul_desc,
    [WL_ONEDNN_POOL] = pool_desc,           [WL_ONEDNN_ELTWISE] = eltwise_desc,
    [WL_ONEDNN_BINARY] = binary_desc,       [WL_ONEDNN_SUM] = sum_desc,
    [WL_ONEDNN_SOFTMAX] = softmax_desc,     [WL_ONEDNN_LAYERNORM] = layernorm_desc,
    [WL_ONEDNN_BATCHNORM] = batchnorm_desc, [WL_ONEDNN_CONCAT] = concat_desc,
    [WL_ONEDNN_RESAMPLE] = resample_desc,   [WL_ONEDNN_REORDER_IN] = reorder_desc,
    [WL_ONEDNN_REORDER_OUT] = reorder_desc,
};

/* ---- arguments ---------------------------------------------------------------------------------
 */

static dnnl_memory_t new_memory(struct kernel *k, const dnnl_memory_desc_t *md, void **buffer)
{
    dnnl_memory_t memory = NULL;
    *buffer = wl_native_buffer(k->l->memory_desc_get_size(md), precision_of(md->data_type));
    if (*buffer == NULL ||
        k->l->memory_create(&memory, md, k->l->engine, *buffer) != dnnl_success) {
        k->failed = true;
    }
    return memory;
}

/* Adds the argument `id` that the primitive names by `query`, where it has one. */
static void add_arg(struct kernel *k, dnnl_query_t query, int index, int id)
{
    const dnnl_memory_desc_t *md = k->l->primitive_desc_query_md(k->desc, query, index);
    if (md == NULL || md->ndims == 0 || k->count == ARGS_MAX) {
        return;
    }
    k->args[k->count].arg = id;
    k->args[k->count].memory = new_memory(k, md, &k->buffers[k->count]);
    k->count++;
}

/* Memory objects for the same weights at many places of the pool. */
static void add_copies(struct kernel *k)
{
    const dnnl_memory_desc_t *md = k->l->primitive_desc_query_md(k->desc, dnnl_query_weights_md, 0);
    int64_t bytes = md != NULL ? (int64_t)k->l->memory_desc_get_size(md) : 0;
    k->weights = k->count;
    add_arg(k, dnnl_query_weights_md, 0, DNNL_ARG_WEIGHTS);
    k->original = k->weights < k->count ? k->args[k->weights].memory : NULL;
    if (bytes < COPY_BYTES_MIN || k->c->kind == WL_ONEDNN_MATMUL) {
        return;
    }
    int64_t step = (bytes + 63) / 64 * 64;
    int64_t room = k->c->kind == WL_ONEDNN_INNER ? WL_ONEDNN_POOL_BYTES : WL_ONEDNN_POOL_CONV_BYTES;
    int64_t n = wl_min_i64(COPIES_MAX, room / step);
    for (int64_t i = 0; i < n && !k->failed; i++) {
        k->failed = k->l->memory_create(&k->copies[k->copy_count], md, k->l->engine,
                                        k->l->pool + i * step) != dnnl_success;
        k->copy_count += k->failed ? 0 : 1;
    }
}

static void add_args(struct kernel *k)
{
    enum wl_onednn_kind kind = k->c->kind;
    if (kind == WL_ONEDNN_SUM || kind == WL_ONEDNN_CONCAT) {
        for (int i = 0; i < (kind == WL_ONEDNN_SUM ? 2 : (int)k->c->inputs); i++) {
            add_arg(k, dnnl_query_src_md, i, DNNL_ARG_MULTIPLE_SRC + i);
        }
    } else {
        add_arg(k, dnnl_query_src_md, 0, DNNL_ARG_SRC);
    }
    if (kind == WL_ONEDNN_BINARY) {
        add_arg(k, dnnl_query_src_md, 1, DNNL_ARG_SRC_1);
    }
    if (kind == WL_ONEDNN_BATCHNORM) {
        add_arg(k, dnnl_query_src_md, 1, DNNL_ARG_MEAN);
        add_arg(k, dnnl_query_src_md, 2, DNNL_ARG_VARIANCE);
    }
    add_copies(k);
    add_arg(k, dnnl_query_weights_md, 1, DNNL_ARG_BIAS);
    add_arg(k, dnnl_query_dst_md, 0, DNNL_ARG_DST);
}

static void forget_primitive(struct kernel *k)
{
    if (k->primitive != NULL) {
        (void)k->l->primitive_destroy(k->primitive);
    }
    if (k->desc != NULL) {
        (void)k->l->primitive_desc_destroy(k->desc);
    }
    k->primitive = NULL;
    k->desc = NULL;
}

static void kernel_close(struct kernel *k)
{
    if (k->weights != WL_NONE && k->copy_count > 0) {
        k->args[k->weights].memory = k->original;
    }
    for (int i = 0; i < k->copy_count; i++) {
        (void)k->l->memory_destroy(k->copies[i]);
    }
    for (int i = 0; i < k->count; i++) {
        if (k->args[i].memory != NULL) {
            (void)k->l->memory_destroy(k->args[i].memory);
        }
        free(k->buffers[i]);
    }
    forget_primitive(k);
}

static dnnl_status_t kernel_open(struct kernel *k, const struct library *l,
                                 const struct wl_onednn_case *c)
{
    *k = (struct kernel){.l = l, .c = c, .weights = WL_NONE};
    if (data_type(c->precision) == dnnl_data_type_undef) {
        return dnnl_unimplemented;
    }
    TRY_DNNL(describers[c->kind](k));
    TRY_DNNL(l->primitive_create(&k->primitive, k->desc));
    add_args(k);
    return k->failed ? dnnl_out_of_memory : dnnl_success;
}

/* ---- timing ------------------------------------------------------------------------------------
 */

/* Described anew, which finds it in the library's cache, then executed: as runtimes call it. */
static dnnl_status_t call(struct kernel *k)
{
    TRY_DNNL(describers[k->c->kind](k));
    TRY_DNNL(k->l->primitive_create(&k->primitive, k->desc));
    TRY_DNNL(k->l->primitive_execute(k->primitive, k->l->stream, k->count, k->args));
    return k->l->stream_wait(k->l->stream);
}

static void run_kernel(void *user)
{
    struct kernel *k = user;
    if (k->copy_count > 0) {
        k->args[k->weights].memory = k->copies[k->next];
        k->next = (k->next + 1) % k->copy_count;
    }
    forget_primitive(k);
    k->failed = call(k) != dnnl_success || k->failed;
}

static double largest(const struct wl_kernel_sizes *s)
{
    return fmax(s->groups, fmax(s->m, fmax(s->n, s->k)));
}

static bool known_unsupported(const struct wl_bench *b, const struct wl_bench_row *row)
{
    for (int32_t i = 0; i < b->row_count; i++) {
        const struct wl_bench_row *r = &b->rows[i];
        if (r->time_s == 0 && r->precision == row->precision && r->threads == row->threads &&
            strcmp(r->operation, row->operation) == 0) {
            return true;
        }
    }
    return false;
}

static wl_status add_unsupported(struct wl_bench *b, struct wl_bench_row *row, dnnl_status_t status,
                                 struct wl_error *err)
{
    char reason[WL_NATIVE_REASON];
    (void)snprintf(reason, sizeof(reason), "oneDNN %s: %s for %s", b->version,
                   row->precision == WL_PREC_FP64     ? "has no such type"
                   : status == dnnl_unimplemented     ? "has no kernel"
                   : status == dnnl_out_of_memory     ? "ran out of memory"
                   : status == dnnl_invalid_arguments ? "takes no such operands"
                                                      : "failed",
                   wl_precision_name(row->precision));
    row->reason = reason;
    return known_unsupported(b, row) ? WL_OK : wl_bench_add(b, row, err);
}

/* The pool holds ordinary values of the precision at work. */
static wl_status refill_pool(struct library *l, enum wl_precision precision, struct wl_error *err)
{
    if (l->pool == NULL || l->pool_precision != precision) {
        free(l->pool);
        l->pool = wl_native_buffer((size_t)WL_ONEDNN_POOL_BYTES, precision);
        l->pool_precision = precision;
    }
    return l->pool == NULL ? wl_fail_nomem(err) : WL_OK;
}

/* What runs beside the library. */
static wl_status add_own_row(struct wl_bench *b, const struct library *l,
                             const struct wl_onednn_case *c, struct wl_bench_row *row,
                             struct wl_error *err)
{
    char reason[WL_NATIVE_REASON];
    struct wl_own_kernel k = {.c = c,
                              .sgemm = l->sgemm,
                              .pool = (const float *)(const void *)l->pool,
                              .threads = row->threads};
    wl_status status = WL_OK;
    if (wl_own_open(&k)) {
        struct wl_native_work work = {wl_own_run, &k, largest(&row->sizes)};
        wl_native_time(b, &work, reason, row);
        status = wl_bench_add(b, row, err);
    }
    wl_own_close(&k);
    return status;
}

static wl_status add_row(struct wl_bench *b, struct library *l, const struct wl_onednn_case *c,
                         int32_t threads, struct wl_error *err)
{
    char reason[WL_NATIVE_REASON];
    struct kernel k;
    struct wl_bench_row row = {.operation = c->operation,
                               .precision = c->precision,
                               .threads = threads,
                               .sizes = wl_onednn_sizes(c)};
    if (wl_bench_has(b, row.operation, row.precision, row.threads, &row.sizes)) {
        return WL_OK;
    }
    WL_TRY(refill_pool(l, c->precision, err));
    if (wl_own_is(c->kind)) {
        return add_own_row(b, l, c, &row, err);
    }
    dnnl_status_t opened = kernel_open(&k, l, c);
    wl_status status = WL_OK;
    if (opened == dnnl_success) {
        struct wl_native_work work = {run_kernel, &k, largest(&row.sizes)};
        wl_native_time(b, &work, reason, &row);
    }
    if (opened == dnnl_success && !k.failed) {
        status = wl_bench_add(b, &row, err);
    } else {
        row.time_s = 0;
        status = add_unsupported(b, &row, opened, err);
    }
    kernel_close(&k);
    return status;
}

static wl_status measure_all(struct wl_bench *b, struct library *l, struct wl_error *err)
{
    struct wl_onednn_grid grid;
    int32_t done = 0;
    WL_TRY(wl_onednn_grid(&b->arena, b->options.quick, &grid, err));
    double total = (double)grid.count * b->options.thread_count;
    for (int32_t t = 0; t < b->options.thread_count; t++) {
        l->set_threads(b->options.threads[t]);
        for (int32_t i = 0; i < grid.count; i++) {
            wl_bench_progress(b, done++ / total, grid.cases[i].operation);
            WL_TRY(add_row(b, l, &grid.cases[i], b->options.threads[t], err));
        }
    }
    wl_bench_progress(b, 1, "done");
    return WL_OK;
}

static wl_status run(struct wl_bench *b, struct wl_error *err)
{
    struct library l;
    WL_TRY(load(&l, WL_DNNL_LIBRARY, err));
    bool wide = l.get_effective_cpu_isa() >= dnnl_cpu_isa_avx512_core;
    l.image = wide ? dnnl_aBcd16b : dnnl_aBcd8b;
    l.sgemm = wl_own_find_sgemm();
    if (l.engine_create(&l.engine, dnnl_cpu, 0) != dnnl_success) {
        return wl_fail(err, WL_ERR_UNSUPPORTED, "framework onednn", "it finds no CPU engine");
    }
    wl_status status = WL_OK;
    if (l.stream_create(&l.stream, l.engine, dnnl_stream_default_flags) == dnnl_success) {
        status = measure_all(b, &l, err);
        (void)l.stream_destroy(l.stream);
    } else {
        status = wl_fail(err, WL_ERR_UNSUPPORTED, "framework onednn", "it makes no stream");
    }
    (void)l.engine_destroy(l.engine);
    free(l.pool);
    return status;
}

#endif

static wl_status probe(struct wl_bench *b, struct wl_error *err)
{
    return wl_onednn_probe(b, WL_DNNL_LIBRARY, err);
}

const struct wl_bench_framework wl_bench_onednn = {
    .name = "onednn",
    .what =
        "convolutions, products, pooling, normalisation and functions of oneDNN in fp32, bf16 and "
        "int8; needs libdnnl.so.2 and, when built, libdnnl-dev",
    .probe = probe,
    .run = run};
