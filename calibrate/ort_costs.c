/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calibrate/ort_costs.c: what surrounds kernels in ONNX Runtime. Chains of trivial kernels with and
 * without profiling, with and without views, say what profiling and views cost; the same kernel
 * with its result handed over and kept, what an inference costs beside its kernels; a fixed small
 * network, how fast the machine is at the moment.
 */
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench.h"
#include "micro.h"
#include "onnxruntime.h"
#include "zoo.h"

#define REFERENCE_SECONDS 0.02
#define CHAIN 200  /* steps of the trivial chain */
#define TRIVIAL 16 /* elements */
#define VIEW_LEAST_S 2e-8
#define RUN_SECONDS 0.05
#define RUNS_MIN 4

/* ---- one file ----------------------------------------------------------------------------------
 */

/* The graph, and a copy of it that can run. */
static wl_status write_both(struct wl_onnx *onnx, const char *graph, const char *model,
                            struct wl_error *err)
{
    struct wl_materialized made;
    WL_TRY(wl_onnx_write(onnx, graph, err));
    return wl_materialize(graph, model, 1, &made, err);
}

wl_status wl_ort_write(struct wl_ort_bench *b, struct wl_onnx *onnx, struct wl_error *err)
{
    return write_both(onnx, b->graph_path, b->model_path, err);
}

wl_status wl_ort_execute(struct wl_ort_bench *b, int32_t threads, bool wall,
                         struct wl_ort_result *out, struct wl_error *err)
{
    struct wl_ort_job job = {.model = b->model_path,
                             .threads = threads,
                             .seconds = RUN_SECONDS,
                             .min_runs = RUNS_MIN,
                             .wall = wall,
                             .profile = true};
    return wl_ort_run(b->ort, &job, &b->scratch, out, err);
}

void wl_ort_bench_init(struct wl_ort_bench *b, const char *folder)
{
    (void)snprintf(b->graph_path, sizeof(b->graph_path), "%s/graph.onnx", folder);
    (void)snprintf(b->model_path, sizeof(b->model_path), "%s/model.onnx", folder);
    (void)snprintf(b->reference_path, sizeof(b->reference_path), "%s/reference.onnx", folder);
    wl_arena_init(&b->scratch, 0);
}

void wl_ort_bench_done(struct wl_ort_bench *b)
{
    wl_arena_done(&b->scratch);
    (void)unlink(b->graph_path);
    (void)unlink(b->model_path);
    (void)unlink(b->reference_path);
}

double wl_ort_without_profile(double time_s, double cost_s)
{
    return fmax(time_s - cost_s, time_s / 8);
}

/* ---- chains of trivial kernels ------------------------------------------------------------------
 */

/* The same elements again, by kernel `i` of several kinds: networks do not repeat one either. */
static const char *trivial(struct wl_onnx *b, int32_t i, int64_t elements, const char *x)
{
    static const char *const unary[] = {"Neg", "Relu", "Abs", "Sigmoid"};
    static const char *const binary[] = {"Add", "Mul", "Sub"};
    if (i % 5 == 2) {
        return wl_micro_binary(b, binary[i % 3], x, x);
    }
    if (i % 5 != 4) {
        return wl_micro_unary(b, unary[i % 4], x);
    }
    struct wl_onnx_node *both = wl_onnx_add(b, "Concat", (const char *[8]){x, x});
    wl_onnx_attr_int(b, both, "axis", 0);
    const char *const cut[8] = {wl_onnx_result(both), wl_onnx_ints(b, &(int64_t){0}, 1),
                                wl_onnx_ints(b, &elements, 1)};
    return wl_onnx_result(wl_onnx_add(b, "Slice", cut));
}

/* The same seen as a column, or as a vector again. */
static const char *turned(struct wl_onnx *b, int32_t i, int64_t elements, const char *x)
{
    const int64_t shape[] = {elements, 1};
    const char *const in[8] = {x, wl_onnx_ints(b, shape, i % 2 == 0 ? 2 : 1)};
    return wl_onnx_result(wl_onnx_add(b, "Reshape", in));
}

struct chain {
    int32_t kernels;
    int32_t results; /* chains side by side; 0: one */
    int64_t elements;
    bool kept;   /* its result stays inside */
    bool viewed; /* a view after each kernel */
};

static wl_status run_chain(struct wl_ort_bench *b, struct chain chain, int32_t threads,
                           struct wl_ort_result *out, struct wl_error *err)
{
    wl_arena_reset(&b->scratch, (struct wl_arena_mark){0});
    struct wl_onnx *onnx = wl_onnx_new(&b->scratch);
    WL_TRY_PTR(onnx, err);
    if (chain.kept) {
        wl_onnx_peek(onnx);
    }
    for (int32_t k = 0; k < chain.results || k == 0; k++) {
        const char *x = wl_onnx_input(onnx, WL_ONNX_FLOAT, &chain.elements, 1);
        for (int32_t i = 0; i < chain.kernels; i++) {
            x = trivial(onnx, i, chain.elements, x);
            x = chain.viewed ? turned(onnx, i, chain.elements, x) : x;
        }
        wl_onnx_output(onnx, x);
    }
    WL_TRY(wl_ort_write(b, onnx, err));
    return wl_ort_execute(b, threads, true, out, err);
}

double wl_ort_wall_s(struct wl_ort_result *result)
{
    struct wl_bench_row row = {0};
    if (result->wall_count > 0) {
        wl_bench_times(result->wall_s, result->wall_count, &row);
    }
    return row.time_s;
}

static double kernels_of(const struct wl_ort_result *result)
{
    double s = 0;
    for (int32_t i = 0; i < result->kernel_count; i++) {
        s += result->kernels[i].time_s;
    }
    return s;
}

/*
 * Profiled seconds per trivial kernel less its share of a run without profiling; what views take,
 * between the same kernels, without profiling.
 */
wl_status wl_ort_measure_costs(struct wl_ort_bench *b, int32_t threads, struct wl_ort_costs *out,
                               struct wl_error *err)
{
    struct wl_ort_result one, many, viewed;
    struct chain chain = {.kernels = CHAIN, .elements = TRIVIAL};
    WL_TRY(run_chain(b, (struct chain){.kernels = 1, .elements = TRIVIAL}, threads, &one, err));
    double call_s = wl_ort_wall_s(&one);
    WL_TRY(run_chain(b, chain, threads, &many, err));
    double kernels = many.kernel_count, wall_s = wl_ort_wall_s(&many);
    double profiled_s = kernels_of(&many);
    chain.viewed = true;
    WL_TRY(run_chain(b, chain, threads, &viewed, err));
    out->profile_s = fmax((profiled_s - (wall_s - call_s)) / kernels, 0);
    out->view_s = fmax((wl_ort_wall_s(&viewed) - wall_s) / CHAIN, VIEW_LEAST_S);
    return WL_OK;
}

/* ---- what an inference costs beside its kernels ------------------------------------------------
 */

/* A class or two; an image; from 32 MB on, where the C library asks the system for memory every
   time (M_MMAP_THRESHOLD of mallopt(3)); the caches of a decoder. */
static const struct {
    int64_t elements;
    int32_t results;
} call_sizes[WL_ORT_CALLS - 1] = {{4096, 1},    {65536, 1},   {400000, 1}, {1500000, 1},
                                  {6000000, 1}, {8500000, 1}, {3000000, 8}};

/*
 * The call, and by bytes what it takes to hand results over (memory of their own, new pages, the
 * caller's copy): the same kernel with its result handed over and kept.
 */
wl_status wl_ort_measure_calls(struct wl_ort_bench *b, int32_t threads,
                               const struct wl_ort_costs *costs,
                               struct wl_ort_call calls[WL_ORT_CALLS], struct wl_error *err)
{
    struct wl_ort_result result;
    WL_TRY(run_chain(b, (struct chain){.kernels = 1, .elements = TRIVIAL}, threads, &result, err));
    double kernel_s = wl_ort_without_profile(kernels_of(&result), costs->profile_s);
    double wall_s = wl_ort_wall_s(&result);
    double call_s = fmax(wall_s - kernel_s, wall_s / 100);
    calls[0] = (struct wl_ort_call){TRIVIAL, call_s};
    for (int32_t i = 1; i < WL_ORT_CALLS; i++) {
        struct chain chain = {.kernels = 1,
                              .results = call_sizes[i - 1].results,
                              .elements = call_sizes[i - 1].elements};
        WL_TRY(run_chain(b, chain, threads, &result, err));
        double given_s = wl_ort_wall_s(&result);
        chain.kept = true;
        WL_TRY(run_chain(b, chain, threads, &result, err));
        double more_s = fmax(given_s - wl_ort_wall_s(&result), 0);
        calls[i] = (struct wl_ort_call){(double)(chain.elements * chain.results), call_s + more_s};
    }
    return WL_OK;
}

/* ---- the machine's speed --------------------------------------------------------------------- */

static void emit_reference(struct wl_onnx *b)
{
    const int64_t image[] = {1, 64, 28, 28}, rows[] = {128, 768};
    const int64_t w3[] = {64, 64, 3, 3}, w1[] = {256, 64, 1, 1}, w[] = {768, 768};
    const char *const in[8] = {wl_onnx_input(b, WL_ONNX_FLOAT, image, 4), wl_onnx_weight(b, w3, 4)};
    struct wl_onnx_node *a = wl_onnx_add(b, "Conv", in);
    wl_micro_window_attrs(b, a, 3, 3, 1, 1);
    const char *const next[8] = {wl_onnx_result(a), wl_onnx_weight(b, w1, 4)};
    wl_onnx_output(b, wl_onnx_result(wl_onnx_add(b, "Conv", next)));
    const char *x = wl_onnx_input(b, WL_ONNX_FLOAT, rows, 2);
    wl_onnx_output(b, wl_micro_binary(b, "MatMul", x, wl_onnx_weight(b, w, 2)));
}

static wl_status write_reference(struct wl_ort_bench *b, struct wl_error *err)
{
    char graph_path[sizeof(b->reference_path) + 8];
    struct wl_onnx *onnx = wl_onnx_new(&b->scratch);
    WL_TRY_PTR(onnx, err);
    emit_reference(onnx);
    (void)snprintf(graph_path, sizeof(graph_path), "%s.graph", b->reference_path);
    wl_status status = write_both(onnx, graph_path, b->reference_path, err);
    (void)unlink(graph_path);
    b->has_reference = status == WL_OK;
    return status;
}

static wl_status run_reference(struct wl_ort_bench *b, int32_t threads, double *seconds,
                               struct wl_error *err)
{
    struct wl_ort_result result;
    struct wl_ort_job job = {.model = b->reference_path,
                             .threads = threads,
                             .seconds = REFERENCE_SECONDS,
                             .min_runs = RUNS_MIN,
                             .wall = true};
    if (!b->has_reference) {
        WL_TRY(write_reference(b, err));
    }
    WL_TRY(wl_ort_run(b->ort, &job, &b->scratch, &result, err));
    qsort(result.wall_s, (size_t)result.wall_count, sizeof(*result.wall_s), wl_compare_doubles);
    *seconds = result.wall_count > 0 ? result.wall_s[result.wall_count / 4] : 0;
    return *seconds > 0 ? WL_OK : wl_fail(err, WL_ERR_IO, "reference", "took no time");
}

wl_status wl_ort_reference(struct wl_ort_bench *b, int32_t threads, double *seconds,
                           struct wl_error *err)
{
    struct wl_arena_mark mark = wl_arena_mark(&b->scratch);
    wl_status status = run_reference(b, threads, seconds, err);
    wl_arena_reset(&b->scratch, mark);
    return status;
}
