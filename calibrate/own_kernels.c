/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calibrate/own_kernels.c: kernels that runtimes over oneDNN bring themselves.
 *
 *   gemm_own      rows times stored weights (in x out) through sgemm, which packs the weights at
 *                 every call. PyTorch: aten::mm on its BLAS; freezing transposes the weights ahead
 *   maxpool_own   one result after the other: a walk over the window that keeps the largest and
 *                 where it was. PyTorch: cpu_max_pool in aten/src/ATen/native/cpu/MaxPoolKernel.cpp
 *   avgpool_own   the same walk, summing: AvgPoolKernel.cpp
 *   concat_own    each operand copied to its place, those of COPY_SHARED elements and more by all
 *                 threads. PyTorch: aten::cat; at::internal::GRAIN_SIZE
 *
 * The walks branch on their data, so images hold what an activation (ReLU) leaves: arbitrary
 * values, half of them zero. Results are dealt out in equal runs to all threads; products have one
 * (docs/calibrate.md).
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "native.h"
#include "own_kernels.h"

#ifdef _OPENMP
#define THREADS_MOST 1024
#else
#define THREADS_MOST 1
#endif

bool wl_own_is(enum wl_onednn_kind kind)
{
    return kind == WL_ONEDNN_OWN_PRODUCT || kind == WL_ONEDNN_OWN_POOL ||
           kind == WL_ONEDNN_OWN_CONCAT;
}

wl_own_sgemm *wl_own_find_sgemm(void)
{
    struct found {
        wl_own_sgemm *sgemm;
        void (*set_num_threads)(int);
    } f = {0};
    static const struct wl_native_symbol symbols[] = {
        {"sgemm_", offsetof(struct found, sgemm), false},
        {"openblas_set_num_threads", offsetof(struct found, set_num_threads), false},
    };
    char why[WL_NATIVE_REASON];
    if (wl_native_load(WL_OPENBLAS_LIBRARY, symbols, WL_ARRAY_LEN(symbols), &f, why) == NULL) {
        return NULL;
    }
    f.set_num_threads(1);
    return f.sgemm;
}

/* ---- pooling -----------------------------------------------------------------------------------
 */

struct window {
    int64_t channels, height, width, out_height, out_width, kernel[2], stride, padding[2];
};

static struct window window_of(const struct wl_onednn_case *c)
{
    return (struct window){.channels = c->batch * c->in,
                           .height = c->height,
                           .width = c->width,
                           .out_height = wl_ceil_div_i64(c->height, c->stride),
                           .out_width = wl_ceil_div_i64(c->width, c->stride),
                           .kernel = {c->kernel[0], c->kernel[1]},
                           .stride = c->stride,
                           .padding = {(c->kernel[0] - 1) / 2, (c->kernel[1] - 1) / 2}};
}

struct span {
    int64_t from, to;
};

static struct span taps(int64_t at, int64_t stride, int64_t padding, int64_t kernel, int64_t extent)
{
    int64_t from = at * stride - padding;
    return (struct span){wl_max_i64(from, 0), wl_min_i64(from + kernel, extent)};
}

static void max_at(const struct window *w, const float *plane, int64_t y, int64_t x, float *out,
                   int64_t *place)
{
    struct span rows = taps(y, w->stride, w->padding[0], w->kernel[0], w->height);
    struct span columns = taps(x, w->stride, w->padding[1], w->kernel[1], w->width);
    float most = -INFINITY;
    int64_t where = rows.from * w->width + columns.from;
    for (int64_t i = rows.from; i < rows.to; i++) {
        for (int64_t k = columns.from; k < columns.to; k++) {
            float v = plane[i * w->width + k];
            if (v > most || isnan(v)) {
                most = v;
                where = i * w->width + k;
            }
        }
    }
    *out = most;
    *place = where;
}

static void mean_at(const struct window *w, const float *plane, int64_t y, int64_t x, float *out)
{
    struct span rows = taps(y, w->stride, w->padding[0], w->kernel[0], w->height);
    struct span columns = taps(x, w->stride, w->padding[1], w->kernel[1], w->width);
    float sum = 0;
    for (int64_t i = rows.from; i < rows.to; i++) {
        for (int64_t k = columns.from; k < columns.to; k++) {
            sum += plane[i * w->width + k];
        }
    }
    *out = sum / (float)(w->kernel[0] * w->kernel[1]);
}

/* Places are counted on, not divided out: divisions would cost as much as small windows. */
static void pool_run(const struct wl_own_kernel *own, const struct window *w, struct span results)
{
    bool max = strncmp(own->c->operation, "maxpool", 7) == 0;
    int64_t each = w->out_height * w->out_width;
    const float *plane = own->input + results.from / each * w->height * w->width;
    int64_t y = results.from % each / w->out_width, x = results.from % w->out_width;
    for (int64_t i = results.from; i < results.to; i++) {
        if (max) {
            max_at(w, plane, y, x, &own->output[i], &own->places[i]);
        } else {
            mean_at(w, plane, y, x, &own->output[i]);
        }
        x++;
        y += x == w->out_width ? 1 : 0;
        x = x == w->out_width ? 0 : x;
        plane += y == w->out_height ? w->height * w->width : 0;
        y = y == w->out_height ? 0 : y;
    }
}

static void pool(const struct wl_own_kernel *own)
{
    struct window w = window_of(own->c);
    int64_t count = w.channels * w.out_height * w.out_width;
#ifdef _OPENMP
#pragma omp parallel for schedule(static, 1) num_threads(own->threads)
#endif
    for (int32_t t = 0; t < own->threads; t++) {
        struct span results = {count * t / own->threads, count * (t + 1) / own->threads};
        pool_run(own, &w, results);
    }
}

/* ---- products ----------------------------------------------------------------------------------
 */

/* Fortran sees rows of memory as columns: results' (out x rows) = weights' x rows'. */
static void product(struct wl_own_kernel *own)
{
    const struct wl_onednn_case *c = own->c;
    const int m = (int)c->out, n = (int)c->height, k = (int)c->in;
    const float one = 1, zero = 0;
    int64_t elems = c->in * c->out, room = WL_ONEDNN_POOL_BYTES / (int64_t)sizeof(float);
    const float *weights = own->pool + own->next;
    own->next = own->next + 2 * elems <= room ? own->next + elems : 0;
    own->sgemm("N", "N", &m, &n, &k, &one, weights, &m, own->input, &k, &zero, own->output, &m);
}

/* ---- joins -------------------------------------------------------------------------------------
 */

#define COPY_SHARED 32768

static void copy(float *to, const float *from, int64_t count, int32_t threads)
{
#ifdef _OPENMP
#pragma omp parallel for schedule(static, 1) num_threads(threads) if (threads > 1)
#endif
    for (int32_t t = 0; t < threads; t++) {
        int64_t first = count * t / threads, end = count * (t + 1) / threads;
        memcpy(to + first, from + first, (size_t)(end - first) * sizeof(*to));
    }
}

/* The operands lie one after the other, and so do they in the result of one sample. */
static void concat(const struct wl_own_kernel *own)
{
    const struct wl_onednn_case *c = own->c;
    int64_t each = c->batch * c->in * c->height * c->width / c->inputs;
    for (int64_t i = 0; i < c->inputs; i++) {
        copy(own->output + i * each, own->input + i * each, each,
             each >= COPY_SHARED ? own->threads : 1);
    }
}

/* ---- one kernel --------------------------------------------------------------------------------
 */

/* Zero or values in [0, 1), in no order that a predictor of branches would learn. */
static void fill(float *data, int64_t count)
{
    uint32_t state = 1;
    for (int64_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u; /* Knuth, vol. 2, 3.3.4 */
        data[i] = fmaxf(0, (float)(state >> 8) / 8388608.0f - 1);
    }
}

bool wl_own_open(struct wl_own_kernel *k)
{
    const struct wl_onednn_case *c = k->c;
    bool product = c->kind == WL_ONEDNN_OWN_PRODUCT;
    int64_t in = product ? c->height * c->in : c->batch * c->in * c->height * c->width;
    int64_t out = product ? c->height * c->out : in;
    k->input = wl_native_buffer((size_t)in * sizeof(float), WL_PREC_FP32);
    k->output = wl_native_buffer((size_t)out * sizeof(float), WL_PREC_FP32);
    k->places = product ? NULL : calloc((size_t)out, sizeof(int64_t));
    if (k->input == NULL || k->output == NULL || (!product && k->places == NULL)) {
        return false;
    }
    fill(k->input, in);
    return product ? k->sgemm != NULL : k->threads <= THREADS_MOST;
}

void wl_own_run(void *user)
{
    struct wl_own_kernel *k = user;
    if (k->c->kind == WL_ONEDNN_OWN_PRODUCT) {
        product(k);
    } else if (k->c->kind == WL_ONEDNN_OWN_CONCAT) {
        concat(k);
    } else {
        pool(k);
    }
}

void wl_own_close(struct wl_own_kernel *k)
{
    free(k->input);
    free(k->output);
    free(k->places);
}
