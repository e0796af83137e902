/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calibrate/openblas.c: framework openblas, BLAS products in fp64 and fp32 through
 * libopenblas.so.0, found at run time. Only the few prototypes in use are declared here (CBLAS,
 * 32-bit integers).
 *
 *   gemm    C (m x n) = A (m x k) B (k x n): squares, few rows (the tokens of a decoder), and a
 * Halton sequence between gemv    y (n) = A (n x k) x; m is 1 axpy    y += a x of n elements dot of
 * n elements
 *
 * Variables that would make the library take another core's kernels are removed before it is
 * loaded; which core it took is part of the version.
 */
#include <stdlib.h>
#include <string.h>

#include "frameworks.h"
#include "native.h"

#define ROW_MAJOR 101
#define NO_TRANSPOSE 111

struct openblas {
    void *library;
    void (*set_num_threads)(int);
    char *(*get_config)(void);
    char *(*get_corename)(void);
    void (*sgemm)(int, int, int, int, int, int, float, const float *, int, const float *, int,
                  float, float *, int);
    void (*dgemm)(int, int, int, int, int, int, double, const double *, int, const double *, int,
                  double, double *, int);
    void (*sgemv)(int, int, int, int, float, const float *, int, const float *, int, float, float *,
                  int);
    void (*dgemv)(int, int, int, int, double, const double *, int, const double *, int, double,
                  double *, int);
    void (*saxpy)(int, float, const float *, int, float *, int);
    void (*daxpy)(int, double, const double *, int, double *, int);
    float (*sdot)(int, const float *, int, const float *, int);
    double (*ddot)(int, const double *, int, const double *, int);
    void (*sbgemm)(void); /* bf16 product: only looked for */
};

#define AT(member) offsetof(struct openblas, member)
static const struct wl_native_symbol symbols[] = {
    {"openblas_set_num_threads", AT(set_num_threads), false},
    {"openblas_get_config", AT(get_config), true},
    {"openblas_get_corename", AT(get_corename), true},
    {"cblas_sgemm", AT(sgemm), false},
    {"cblas_dgemm", AT(dgemm), false},
    {"cblas_sgemv", AT(sgemv), false},
    {"cblas_dgemv", AT(dgemv), false},
    {"cblas_saxpy", AT(saxpy), false},
    {"cblas_daxpy", AT(daxpy), false},
    {"cblas_sdot", AT(sdot), false},
    {"cblas_ddot", AT(ddot), false},
    {"cblas_sbgemm", AT(sbgemm), true},
};

static const char *const misleading[] = {"OPENBLAS_CORETYPE", "OPENBLAS_NUM_THREADS",
                                         "GOTO_NUM_THREADS", "OPENBLAS_MAIN_FREE"};

/* ---- one product -------------------------------------------------------------------------------
 */

struct product {
    const struct openblas *lib;
    bool wide; /* fp64 */
    int m, n, k;
    void *a, *b, *c;
    double sum; /* of dot products: keeps them */
    void (*run)(void *user);
};

static void run_gemm(void *user)
{
    const struct product *p = user;
    if (p->wide) {
        p->lib->dgemm(ROW_MAJOR, NO_TRANSPOSE, NO_TRANSPOSE, p->m, p->n, p->k, 1, p->a, p->k, p->b,
                      p->n, 0, p->c, p->n);
    } else {
        p->lib->sgemm(ROW_MAJOR, NO_TRANSPOSE, NO_TRANSPOSE, p->m, p->n, p->k, 1, p->a, p->k, p->b,
                      p->n, 0, p->c, p->n);
    }
}

static void run_gemv(void *user)
{
    const struct product *p = user;
    if (p->wide) {
        p->lib->dgemv(ROW_MAJOR, NO_TRANSPOSE, p->n, p->k, 1, p->b, p->k, p->a, 1, 0, p->c, 1);
    } else {
        p->lib->sgemv(ROW_MAJOR, NO_TRANSPOSE, p->n, p->k, 1, p->b, p->k, p->a, 1, 0, p->c, 1);
    }
}

static void run_axpy(void *user)
{
    const struct product *p = user;
    if (p->wide) {
        p->lib->daxpy(p->n, 1e-6, p->a, 1, p->c, 1);
    } else {
        p->lib->saxpy(p->n, 1e-6f, p->a, 1, p->c, 1);
    }
}

static void run_dot(void *user)
{
    struct product *p = user;
    if (p->wide) {
        p->sum += p->lib->ddot(p->n, p->a, 1, p->c, 1);
    } else {
        p->sum += (double)p->lib->sdot(p->n, p->a, 1, p->c, 1);
    }
}

/* ---- the grid ----------------------------------------------------------------------------------
 */

struct point {
    const char *operation;
    int m, n, k;
};

static const int squares[] = {16, 32, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048};
static const int vectors[] = {256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216};
static const int tokens[] = {2, 4, 8, 16, 32, 64, 128};
#define OPS_MAX 2e10 /* of one product */

struct grid {
    struct point *points;
    int32_t count;
};

static void add(struct grid *g, const char *operation, int64_t m, int64_t n, int64_t k)
{
    g->points[g->count++] = (struct point){operation, (int)m, (int)n, (int)k};
}

static void add_halton(struct grid *g, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        int64_t m = wl_native_log_point(wl_native_halton(i, 2), 4, 4096);
        int64_t n = wl_native_log_point(wl_native_halton(i, 3), 16, 4096);
        int64_t k = wl_native_log_point(wl_native_halton(i, 5), 16, 4096);
        if (2.0 * (double)m * (double)n * (double)k <= OPS_MAX) {
            add(g, "gemm", m, n, k);
        }
        add(g, "gemv", 1, n, k);
    }
}

static wl_status make_grid(struct wl_bench *b, struct grid *g, struct wl_error *err)
{
    bool quick = b->options.quick;
    int32_t halton = quick ? 12 : 40;
    size_t step = quick ? 2 : 1; /* quick: every second size */
    g->points = WL_ARRAY(&b->arena, struct point, 256);
    WL_TRY_PTR(g->points, err);
    for (size_t i = 0; i < WL_ARRAY_LEN(squares); i += step) {
        add(g, "gemm", squares[i], squares[i], squares[i]);
        add(g, "gemv", 1, squares[i], squares[i]);
    }
    for (size_t i = 0; i < WL_ARRAY_LEN(tokens); i += step) {
        add(g, "gemm", tokens[i], 1024, 1024);
        add(g, "gemm", tokens[i], 4096, 1024);
    }
    for (size_t i = 0; i < WL_ARRAY_LEN(vectors); i += step) {
        add(g, "axpy", 1, vectors[i], 1);
        add(g, "dot", 1, vectors[i], 1);
    }
    add_halton(g, halton);
    return WL_OK;
}

/* ---- rows --------------------------------------------------------------------------------------
 */

static bool is(const struct point *p, const char *operation)
{
    return strcmp(p->operation, operation) == 0;
}

static struct wl_kernel_sizes sizes_of(const struct point *p, double elem_bytes)
{
    double m = p->m, n = p->n, k = p->k;
    struct wl_kernel_sizes s = {
        .groups = 1, .m = m, .n = n, .k = k, .window = 1, .stride = 1, .width = 1};
    if (is(p, "axpy") || is(p, "dot")) {
        s.operands = 1;
        s.width = n;
        s.bytes = (is(p, "axpy") ? 3 : 2) * n * elem_bytes;
    } else {
        s.bytes = (m * k + k * n + m * n) * elem_bytes;
    }
    return s;
}

static wl_status measure(struct wl_bench *b, struct product *x, const struct point *p,
                         struct wl_bench_row *row, struct wl_error *err)
{
    char reason[WL_NATIVE_REASON];
    size_t elem = x->wide ? sizeof(double) : sizeof(float);
    size_t m = (size_t)p->m, n = (size_t)p->n, k = (size_t)p->k;
    bool vector = row->sizes.operands > 0;
    x->a = wl_native_buffer((vector ? n : m * k) * elem, row->precision);
    x->b = wl_native_buffer((vector ? 1 : k * n) * elem, row->precision);
    x->c = wl_native_buffer(m * n * elem, row->precision);
    wl_status status = x->a == NULL || x->b == NULL || x->c == NULL ? wl_fail_nomem(err) : WL_OK;
    if (status == WL_OK) {
        double size = (double)wl_max_i64(p->m, wl_max_i64(p->n, p->k));
        struct wl_native_work work = {x->run, x, size};
        wl_native_time(b, &work, reason, row);
        status = wl_bench_add(b, row, err);
    }
    free(x->a);
    free(x->b);
    free(x->c);
    return status;
}

static wl_status add_row(struct wl_bench *b, const struct openblas *lib, const struct point *p,
                         enum wl_precision precision, int32_t threads, struct wl_error *err)
{
    struct product x = {
        .lib = lib, .wide = precision == WL_PREC_FP64, .m = p->m, .n = p->n, .k = p->k};
    struct wl_bench_row row = {.operation = p->operation,
                               .precision = precision,
                               .threads = threads,
                               .sizes = sizes_of(p, x.wide ? sizeof(double) : sizeof(float))};
    x.run = is(p, "gemm")   ? run_gemm
            : is(p, "gemv") ? run_gemv
            : is(p, "axpy") ? run_axpy
                            : run_dot;
    if (wl_bench_has(b, row.operation, row.precision, row.threads, &row.sizes)) {
        return WL_OK;
    }
    return measure(b, &x, p, &row, err);
}

/* Precisions that the library has no product of, each once. */
static wl_status add_unsupported(struct wl_bench *b, const struct openblas *lib,
                                 struct wl_error *err)
{
    static const struct {
        enum wl_precision precision;
        const char *reason;
    } lacking[] = {
        {WL_PREC_FP16, "OpenBLAS has no half-precision product"},
        {WL_PREC_BF16, "this libopenblas was built without cblas_sbgemm"},
        {WL_PREC_INT8, "OpenBLAS has no integer product"},
    };
    for (size_t i = 0; i < WL_ARRAY_LEN(lacking); i++) {
        const char *reason = lacking[i].precision == WL_PREC_BF16 && lib->sbgemm != NULL
                                 ? "cblas_sbgemm is there but not measured: it takes bf16 and "
                                   "returns fp32"
                                 : lacking[i].reason;
        struct wl_bench_row row = {
            .operation = "gemm",
            .precision = lacking[i].precision,
            .threads = 1,
            .sizes =
                {.groups = 1, .m = 512, .n = 512, .k = 512, .window = 1, .stride = 1, .width = 1},
            .reason = reason};
        if (!wl_bench_has(b, row.operation, row.precision, row.threads, &row.sizes)) {
            WL_TRY(wl_bench_add(b, &row, err));
        }
    }
    return WL_OK;
}

static wl_status load(struct openblas *lib, const char *library, struct wl_error *err)
{
    char why[WL_NATIVE_REASON];
    for (size_t i = 0; i < WL_ARRAY_LEN(misleading); i++) {
        (void)unsetenv(misleading[i]);
    }
    *lib = (struct openblas){0};
    lib->library = wl_native_load(library, symbols, WL_ARRAY_LEN(symbols), lib, why);
    if (lib->library == NULL) {
        return wl_fail(err, WL_ERR_UNSUPPORTED, "framework openblas",
                       "%s; apt-get install libopenblas0-pthread (frameworks stream, onednn and "
                       "onnxruntime do without)",
                       why);
    }
    return WL_OK;
}

wl_status wl_openblas_probe(struct wl_bench *b, const char *library, struct wl_error *err)
{
    struct openblas lib;
    WL_TRY(load(&lib, library, err));
    const char *config = lib.get_config != NULL ? lib.get_config() : "OpenBLAS";
    const char *core = lib.get_corename != NULL ? lib.get_corename() : "";
    /* "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH NO_AFFINITY ..." */
    const char *number = strncmp(config, "OpenBLAS ", 9) == 0 ? config + 9 : config;
    (void)snprintf(b->version, sizeof(b->version), "%.*s %s", (int)strcspn(number, " "), number,
                   core);
    return WL_OK;
}

static wl_status probe(struct wl_bench *b, struct wl_error *err)
{
    return wl_openblas_probe(b, WL_OPENBLAS_LIBRARY, err);
}

static wl_status run(struct wl_bench *b, struct wl_error *err)
{
    static const enum wl_precision precisions[] = {WL_PREC_FP32, WL_PREC_FP64};
    struct openblas lib;
    struct grid g = {0};
    int32_t done = 0;
    WL_TRY(load(&lib, WL_OPENBLAS_LIBRARY, err));
    WL_TRY(make_grid(b, &g, err));
    WL_TRY(add_unsupported(b, &lib, err));
    double total = (double)g.count * WL_ARRAY_LEN(precisions) * b->options.thread_count;
    for (int32_t t = 0; t < b->options.thread_count; t++) {
        lib.set_num_threads(b->options.threads[t]);
        for (size_t p = 0; p < WL_ARRAY_LEN(precisions); p++) {
            for (int32_t i = 0; i < g.count; i++) {
                wl_bench_progress(b, done++ / total, g.points[i].operation);
                WL_TRY(add_row(b, &lib, &g.points[i], precisions[p], b->options.threads[t], err));
            }
        }
    }
    wl_bench_progress(b, 1, "done");
    return WL_OK;
}

const struct wl_bench_framework wl_bench_openblas = {
    .name = "openblas",
    .what = "AXPY, DOT, GEMV and GEMM of OpenBLAS in fp64 and fp32; needs libopenblas.so.0",
    .probe = probe,
    .run = run};
