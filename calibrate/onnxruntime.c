/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calibrate/onnxruntime.c: framework onnxruntime. The designed kernels (micro*.c) are packed into
 * ONNX files of about equal time; ONNX Runtime executes and profiles each; what wattline's own
 * partition says of the same file names and sizes the rows. So a row is what a prediction looks
 * for.
 *
 * What profiling itself costs per kernel is taken off every time: rows are as in a run without
 * profiling, dispatch included. After small kernels it is 1.5 us, after kernels that leave the
 * caches to their own data 6 us, as views show, which take 0.2 us wherever they are (measured
 * without profiling). So the views of a file say what profiling cost in it; a chain of trivial
 * kernels with and without profiling says it where there are none.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frameworks.h"
#include "frontend.h"
#include "kernels.h"
#include "micro.h"
#include "onnxruntime.h"
#include "zoo.h"

#define REFERENCE_SECONDS 0.02
#define SPEED_MOST 1.25 /* a clock moves less: more is a disturbance */
#define CHAIN 200       /* steps of the trivial chain */
#define TRIVIAL 16      /* elements */
#define PLAINEST "neg"  /* stands for kernels that have no rows of their own */
#define VIEWS_MIN 4     /* that say what profiling costs around them */
#define VIEWS_MAX 256
#define VIEW_LEAST_S 2e-8
#define RUN_SECONDS 0.07
#define RUNS_MIN 4

struct run {
    struct wl_bench *bench;
    struct wl_registry registry;
    const struct wl_runtime *runtime;
    struct wl_ort ort;
    struct wl_arena scratch; /* of one file */
    const char *graph_path, *model_path;
    double speed_factor; /* what brings times of this file to the speed of the rows */
    double *reference_s; /* of each file at the thread count that runs */
    int32_t reference_count;
    struct wl_ort_costs costs; /* at the thread count that runs */
    double profile_cost_s;     /* per kernel of the file that runs */
};

/* ---- one file -------------------------------------------------------------------------------- */

/* What wattline makes of a file: the kernels that its rows are named after. */
struct analysed {
    struct wl_model model;
    struct wl_partition partition;
    struct wl_kernels kernels;
};

static wl_status analyse(struct run *r, struct analysed *a, struct wl_error *err)
{
    static const struct wl_precision_policy native = {WL_PREC_NATIVE, WL_PREC_NATIVE,
                                                      WL_PREC_NATIVE};
    struct wl_frontend_options options = {0};
    struct wl_partition_options how = {.fusion = r->runtime->fusion};
    WL_TRY(wl_model_load(r->graph_path, &options, &a->model, err));
    wl_status status = wl_ops_count(&a->model.graph, err);
    if (status == WL_OK) {
        status = wl_partition_run(&a->model.graph, &how, &a->model.arena, &a->partition, err);
    }
    if (status == WL_OK) {
        status = wl_kernels_describe(&a->partition, r->runtime, &native, &a->model.arena,
                                     &a->kernels, err);
    }
    if (status != WL_OK) {
        wl_model_done(&a->model);
    }
    return status;
}

/* Writes the graph and a runnable copy of it. */
static wl_status write_files(struct run *r, struct wl_onnx *b, struct wl_error *err)
{
    struct wl_materialized made;
    WL_TRY(wl_onnx_write(b, r->graph_path, err));
    return wl_materialize(r->graph_path, r->model_path, 1, &made, err);
}

static wl_status execute(struct run *r, int32_t threads, bool wall, struct wl_ort_result *out,
                         struct wl_error *err)
{
    struct wl_ort_job job = {.model = r->model_path,
                             .threads = threads,
                             .seconds = RUN_SECONDS,
                             .min_runs = RUNS_MIN,
                             .wall = wall,
                             .profile = true};
    return wl_ort_run(&r->ort, &job, &r->scratch, out, err);
}

/* ---- rows ------------------------------------------------------------------------------------ */

static struct wl_bench_row plain_row(const char *operation, int32_t threads)
{
    return (struct wl_bench_row){
        .operation = operation,
        .precision = WL_PREC_FP32,
        .threads = threads,
        .sizes = {.groups = 1, .m = 1, .n = 1, .k = 1, .window = 1, .stride = 1, .width = 1}};
}

int32_t wl_ort_find_node(const struct wl_graph *g, const char *name)
{
    for (int32_t i = 0; name != NULL && i < g->node_count; i++) {
        if (wl_str_is(g->nodes[i].name, name)) {
            return i;
        }
    }
    return WL_NONE;
}

void wl_ort_assign(struct wl_ort_result *result, const struct wl_partition *p)
{
    for (int32_t i = 0; i < result->kernel_count; i++) {
        struct wl_ort_kernel *k = &result->kernels[i];
        int32_t node = wl_ort_find_node(p->graph, k->node);
        bool reorder = strncmp(k->op, "Reorder", 7) == 0;
        k->subgraph = node == WL_NONE || reorder ? WL_NONE : p->subgraph_of[node];
        k->around = reorder || (node != WL_NONE && k->subgraph == WL_NONE);
    }
}

/* Kernels around those of subgraphs, by the runtime's operator. */
static const struct {
    const char *op, *operation;
    double bytes_each; /* of an element, read and written */
} surroundings[] = {
    {"ReorderInput", WL_KERNEL_REORDER_IN, 8},
    {"ReorderOutput", WL_KERNEL_REORDER_OUT, 8},
    {"DequantizeLinear", WL_KERNEL_DEQUANTIZE, 5},
    {"ReorderIntegers", WL_KERNEL_REORDER_INTEGERS, 2},
};

static int32_t surrounding(const struct wl_ort_kernel *k)
{
    int32_t i = 0, count = (int32_t)WL_ARRAY_LEN(surroundings);
    while (i < count && strcmp(surroundings[i].op, k->op) != 0) {
        i++;
    }
    return i < count ? i : WL_NONE;
}

double wl_ort_without_profile(double time_s, double cost_s)
{
    return fmax(time_s - cost_s, time_s / 8);
}

double wl_ort_profile_cost_in(const struct wl_ort_result *result, const struct wl_ort_costs *costs)
{
    double views[VIEWS_MAX];
    int32_t count = 0;
    for (int32_t i = 0; i < result->kernel_count && count < VIEWS_MAX; i++) {
        if (result->kernels[i].around && surrounding(&result->kernels[i]) == WL_NONE) {
            views[count++] = result->kernels[i].time_s;
        }
    }
    if (count < VIEWS_MIN) {
        return costs->profile_s;
    }
    qsort(views, (size_t)count, sizeof(*views), wl_compare_doubles);
    return fmax(views[count / 2] - costs->view_s, 0);
}

static void add_times(const struct run *r, struct wl_bench_row *row, const struct wl_ort_kernel *k)
{
    row->time_s += r->speed_factor * wl_ort_without_profile(k->time_s, r->profile_cost_s);
    row->min_s += r->speed_factor * wl_ort_without_profile(k->min_s, r->profile_cost_s);
    row->max_s += r->speed_factor * wl_ort_without_profile(k->max_s, r->profile_cost_s);
    row->runs = k->runs;
}

static wl_status add_row(struct run *r, const struct wl_bench_row *row, struct wl_error *err)
{
    struct wl_bench_row plain = *row;
    bool known = wl_bench_has(r->bench, row->operation, row->precision, row->threads, &row->sizes);
    if (known || !(row->time_s > 0)) {
        return WL_OK;
    }
    WL_TRY(wl_bench_add(r->bench, row, err));
    if (strcmp(row->operation, PLAINEST) != 0) {
        return WL_OK;
    }
    plain.operation = WL_KERNEL_ELEMENTWISE;
    return wl_bench_add(r->bench, &plain, err);
}

/* A row of about the same size: layout changes come with every image, and few sizes are enough. */
static bool has_near(const struct wl_bench *b, const struct wl_bench_row *row)
{
    for (int32_t i = 0; i < b->row_count; i++) {
        const struct wl_bench_row *x = &b->rows[i];
        if (x->threads == row->threads && strcmp(x->operation, row->operation) == 0 &&
            fabs(log(x->sizes.n / row->sizes.n)) < 0.1 &&
            fabs(log(x->sizes.width / row->sizes.width)) < 0.3) {
            return true;
        }
    }
    return false;
}

/* Layout changes, weights made floats: rows of their own, by elements. */
static wl_status add_surroundings(struct run *r, const struct wl_ort_kernel *k, int32_t threads,
                                  struct wl_error *err)
{
    int32_t i = surrounding(k);
    if (i == WL_NONE) {
        return WL_OK; /* a view */
    }
    struct wl_bench_row row = plain_row(surroundings[i].operation, threads);
    row.sizes.n = k->elements;
    row.sizes.width = i < 2 ? k->columns : k->elements;
    row.sizes.bytes = surroundings[i].bytes_each * k->elements;
    add_times(r, &row, k);
    return has_near(r->bench, &row) ? WL_OK : add_row(r, &row, err);
}

static enum wl_precision row_precision(const struct analysed *a, int32_t i)
{
    return a->partition.subgraphs[i].quantized ? WL_PREC_INT8 : WL_PREC_FP32;
}

/* Kernels of one subgraph are added up: a runtime may have split what the profile joins. */
static wl_status add_kernels(struct run *r, const struct analysed *a, struct wl_ort_result *result,
                             int32_t threads, struct wl_error *err)
{
    int32_t count = a->partition.count;
    struct wl_bench_row *rows = WL_ARRAY(&r->scratch, struct wl_bench_row, count);
    WL_TRY_PTR(rows, err);
    for (int32_t i = 0; i < count; i++) {
        const struct wl_kernel *k = &a->kernels.items[i];
        rows[i] = plain_row(k->operations[0], threads);
        rows[i].sizes = k->sizes;
        rows[i].precision = row_precision(a, i);
    }
    wl_ort_assign(result, &a->partition);
    r->profile_cost_s = wl_ort_profile_cost_in(result, &r->costs);
    for (int32_t i = 0; i < result->kernel_count; i++) {
        const struct wl_ort_kernel *k = &result->kernels[i];
        if (k->around) {
            WL_TRY(add_surroundings(r, k, threads, err));
        } else if (k->subgraph != WL_NONE) {
            add_times(r, &rows[k->subgraph], k);
        }
    }
    for (int32_t i = 0; i < count; i++) {
        bool plainest = strcmp(rows[i].operation, PLAINEST) == 0;
        if (!plainest || !has_near(r->bench, &rows[i])) {
            WL_TRY(add_row(r, &rows[i], err));
        }
    }
    return WL_OK;
}

static bool all_known(const struct run *r, const struct analysed *a, int32_t threads)
{
    for (int32_t i = 0; i < a->partition.count; i++) {
        const struct wl_kernel *k = &a->kernels.items[i];
        if (strcmp(k->operations[0], PLAINEST) != 0 &&
            !wl_bench_has(r->bench, k->operations[0], row_precision(a, i), threads, &k->sizes)) {
            return false;
        }
    }
    return true;
}

/* ---- what surrounds kernels ------------------------------------------------------------------ */

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

static wl_status run_chain(struct run *r, struct chain chain, int32_t threads,
                           struct wl_ort_result *out, struct wl_error *err)
{
    wl_arena_reset(&r->scratch, (struct wl_arena_mark){0});
    struct wl_onnx *b = wl_onnx_new(&r->scratch);
    WL_TRY_PTR(b, err);
    if (chain.kept) {
        wl_onnx_peek(b);
    }
    for (int32_t k = 0; k < chain.results || k == 0; k++) {
        const char *x = wl_onnx_input(b, WL_ONNX_FLOAT, &chain.elements, 1);
        for (int32_t i = 0; i < chain.kernels; i++) {
            x = trivial(b, i, chain.elements, x);
            x = chain.viewed ? turned(b, i, chain.elements, x) : x;
        }
        wl_onnx_output(b, x);
    }
    WL_TRY(write_files(r, b, err));
    return execute(r, threads, true, out, err);
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

/* A row of one figure: its spread is not known. */
static wl_status add_timed(struct run *r, struct wl_bench_row *row, double time_s, int32_t runs,
                           struct wl_error *err)
{
    row->time_s = row->min_s = row->max_s = time_s;
    row->runs = runs;
    return add_row(r, row, err);
}

static wl_status add_call(struct run *r, int64_t elements, int32_t threads, double time_s,
                          struct wl_error *err)
{
    struct wl_bench_row row = plain_row(WL_KERNEL_CALL, threads);
    row.sizes.n = (double)elements;
    row.sizes.bytes = 4 * row.sizes.n;
    return add_timed(r, &row, time_s, RUNS_MIN, err);
}

/*
 * What an inference costs beside its kernels: the call, and by bytes what it takes to hand results
 * over (memory of their own, new pages, the caller's copy): the same kernel with its result handed
 * over and kept.
 */
static wl_status measure_call(struct run *r, int32_t threads, struct wl_error *err)
{
    /* A class or two; an image; from 32 MB on, where the C library asks the system for memory every
       time (M_MMAP_THRESHOLD of mallopt(3)); the caches of a decoder. */
    static const struct {
        int64_t elements;
        int32_t results;
    } sizes[] = {{4096, 1},    {65536, 1},   {400000, 1}, {1500000, 1},
                 {6000000, 1}, {8500000, 1}, {3000000, 8}};
    struct wl_ort_result result;
    WL_TRY(run_chain(r, (struct chain){.kernels = 1, .elements = TRIVIAL}, threads, &result, err));
    double kernel_s = wl_ort_without_profile(kernels_of(&result), r->costs.profile_s);
    double wall_s = wl_ort_wall_s(&result);
    double call_s = fmax(wall_s - kernel_s, wall_s / 100);
    WL_TRY(add_call(r, TRIVIAL, threads, call_s, err));
    for (size_t i = 0; i < WL_ARRAY_LEN(sizes); i++) {
        int64_t all = sizes[i].elements * sizes[i].results;
        struct chain chain = {
            .kernels = 1, .results = sizes[i].results, .elements = sizes[i].elements};
        WL_TRY(run_chain(r, chain, threads, &result, err));
        double given_s = wl_ort_wall_s(&result);
        chain.kept = true;
        WL_TRY(run_chain(r, chain, threads, &result, err));
        double more_s = fmax(given_s - wl_ort_wall_s(&result), 0);
        WL_TRY(add_call(r, all, threads, call_s + more_s, err));
    }
    return WL_OK;
}

/*
 * Profiled seconds per trivial kernel less its share of a run without profiling; what views take,
 * between the same kernels, without profiling.
 */
static wl_status measure_costs(struct run *r, int32_t threads, struct wl_ort_costs *out,
                               struct wl_error *err)
{
    struct wl_ort_result one, many, viewed;
    struct chain chain = {.kernels = CHAIN, .elements = TRIVIAL};
    WL_TRY(run_chain(r, (struct chain){.kernels = 1, .elements = TRIVIAL}, threads, &one, err));
    double call_s = wl_ort_wall_s(&one);
    WL_TRY(run_chain(r, chain, threads, &many, err));
    double kernels = many.kernel_count, wall_s = wl_ort_wall_s(&many);
    double profiled_s = kernels_of(&many);
    chain.viewed = true;
    WL_TRY(run_chain(r, chain, threads, &viewed, err));
    out->profile_s = fmax((profiled_s - (wall_s - call_s)) / kernels, 0);
    out->view_s = fmax((wl_ort_wall_s(&viewed) - wall_s) / CHAIN, VIEW_LEAST_S);
    return WL_OK;
}

static wl_status add_view(struct run *r, int32_t threads, struct wl_error *err)
{
    struct wl_bench_row row = plain_row(WL_KERNEL_VIEW, threads);
    return add_timed(r, &row, r->costs.view_s, RUNS_MIN, err);
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

static wl_status run_reference(struct run *r, int32_t threads, double *seconds,
                               struct wl_error *err)
{
    struct wl_ort_result result;
    struct wl_ort_job job = {.model = r->model_path,
                             .threads = threads,
                             .seconds = REFERENCE_SECONDS,
                             .min_runs = RUNS_MIN,
                             .wall = true};
    wl_arena_reset(&r->scratch, (struct wl_arena_mark){0});
    struct wl_onnx *b = wl_onnx_new(&r->scratch);
    WL_TRY_PTR(b, err);
    emit_reference(b);
    WL_TRY(write_files(r, b, err));
    WL_TRY(wl_ort_run(&r->ort, &job, &r->scratch, &result, err));
    struct wl_bench_row row = {0};
    wl_bench_times(result.wall_s, result.wall_count, &row);
    *seconds = row.min_s; /* what disturbs some runs is not the machine's speed */
    return WL_OK;
}

/*
 * Rows are kept at the speed of the first reference of their thread count, which is a row itself;
 * the factor brings times of now to it.
 */
static wl_status note_speed(struct run *r, int32_t threads, struct wl_error *err)
{
    struct wl_bench_row row = plain_row(WL_ORT_REFERENCE, threads);
    double now_s;
    WL_TRY(run_reference(r, threads, &now_s, err));
    WL_TRY(add_timed(r, &row, now_s, 1, err));
    const struct wl_bench_row *first = wl_bench_find(r->bench, WL_ORT_REFERENCE, threads);
    double factor = first != NULL ? first->time_s / now_s : 1;
    r->speed_factor = fmin(fmax(factor, 1 / SPEED_MOST), SPEED_MOST);
    r->reference_s[r->reference_count++] = now_s;
    return WL_OK;
}

/* In the end all rows of a thread count, the reference too, go to the median speed of the run. */
static void settle_speed(struct run *r, int32_t threads)
{
    struct wl_bench_row median = {0};
    const struct wl_bench_row *first = wl_bench_find(r->bench, WL_ORT_REFERENCE, threads);
    if (r->reference_count > 0 && first != NULL) {
        wl_bench_times(r->reference_s, r->reference_count, &median);
        wl_bench_scale(r->bench, threads, median.time_s / first->time_s);
    }
}

/* ---- the files of the grid -------------------------------------------------------------------- */

/*
 * ONNX Runtime executes chains that do not depend on each other in the reverse order of the file
 * (its profiles show it). So the file that it gets is the reverse of the one that wattline reads:
 * both then see the same order, and agree on which kernel meets memory first.
 */
static wl_status write_cells(struct run *r, const struct wl_micro_grid *grid, int32_t file,
                             struct wl_error *err)
{
    struct wl_onnx *b;
    WL_TRY(wl_micro_grid_emit(grid, file, true, &r->scratch, &b, err));
    WL_TRY(write_files(r, b, err));
    WL_TRY(wl_micro_grid_emit(grid, file, false, &r->scratch, &b, err));
    return wl_onnx_write(b, r->graph_path, err);
}

static wl_status run_file(struct run *r, const struct wl_micro_grid *grid, int32_t file,
                          int32_t threads, struct wl_error *err)
{
    struct analysed a;
    struct wl_ort_result result;
    wl_arena_reset(&r->scratch, (struct wl_arena_mark){0});
    WL_TRY(write_cells(r, grid, file, err));
    WL_TRY(analyse(r, &a, err));
    wl_status status = WL_OK;
    if (!all_known(r, &a, threads)) {
        status = execute(r, threads, false, &result, err);
        if (status == WL_OK) {
            status = add_kernels(r, &a, &result, threads, err);
        }
    }
    wl_model_done(&a.model);
    return status;
}

static int32_t common_divisor(int32_t a, int32_t b)
{
    while (b != 0) {
        int32_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* A step near the golden section of `count` that visits all of 0 .. count - 1 before it repeats. */
int32_t wl_ort_stride(int32_t count)
{
    int32_t step = (int32_t)(0.618 * count) | 1;
    while (common_divisor(count, step) != 1) {
        step -= 2;
    }
    return step;
}

/*
 * The files one after the other, in an order that has nothing to do with size: what the machine
 * does meanwhile must not look like an effect of size.
 */
static wl_status run_files(struct run *r, const struct wl_micro_grid *grid, int32_t t,
                           struct wl_error *err)
{
    const struct wl_bench_options *o = &r->bench->options;
    int32_t threads = o->threads[t], files = grid->files, step = wl_ort_stride(files);
    char what[64];
    (void)snprintf(what, sizeof(what), "%d %s", threads, threads == 1 ? "thread" : "threads");
    for (int32_t i = 0; i < files; i++) {
        int32_t f = (int32_t)(((int64_t)i * step) % files);
        wl_bench_progress(r->bench, (t + (double)i / files) / o->thread_count, what);
        WL_TRY(note_speed(r, threads, err));
        WL_TRY(run_file(r, grid, f, threads, err));
    }
    return WL_OK;
}

static wl_status run_threads(struct run *r, const struct wl_micro_grid *grid, int32_t t,
                             struct wl_error *err)
{
    int32_t threads = r->bench->options.threads[t];
    r->reference_count = 0;
    r->speed_factor = 1;
    WL_TRY(measure_costs(r, threads, &r->costs, err));
    WL_TRY(add_view(r, threads, err));
    WL_TRY(measure_call(r, threads, err));
    WL_TRY(run_files(r, grid, t, err));
    settle_speed(r, threads);
    return WL_OK;
}

static wl_status run_all(struct run *r, struct wl_error *err)
{
    struct wl_micro_grid grid;
    struct wl_arena *arena = &r->bench->arena;
    WL_TRY(wl_micro_grid_make(arena, r->bench->options.quick, &grid, err));
    r->reference_s = WL_ARRAY(arena, double, grid.files + 1);
    WL_TRY_PTR(r->reference_s, err);
    for (int32_t t = 0; t < r->bench->options.thread_count; t++) {
        WL_TRY(run_threads(r, &grid, t, err));
    }
    return WL_OK;
}

/* ---- the framework --------------------------------------------------------------------------- */

static wl_status start(struct wl_bench *b, struct wl_ort *ort, struct wl_error *err)
{
    return wl_ort_open(ort, "node", b->options.tools, "ort/bench.mjs", b->options.node_modules,
                       b->version, sizeof(b->version), err);
}

static wl_status probe(struct wl_bench *b, struct wl_error *err)
{
    struct wl_ort ort;
    WL_TRY(start(b, &ort, err));
    wl_ort_close(&ort);
    return WL_OK;
}

static wl_status run_in_folder(struct run *r, struct wl_error *err)
{
    WL_TRY(wl_registry_open(&r->registry, &r->bench->options.registry, 1, err));
    wl_status status = wl_runtime_load(&r->registry, "onnxruntime", &r->runtime, err);
    if (status == WL_OK) {
        status = start(r->bench, &r->ort, err);
    }
    if (status == WL_OK) {
        status = run_all(r, err);
        wl_ort_close(&r->ort);
    }
    wl_registry_close(&r->registry);
    return status;
}

static wl_status run_from(struct run *r, const char *folder, struct wl_error *err,
                          wl_status (*what)(struct run *r, struct wl_error *err))
{
    char graph[512], model[512];
    (void)snprintf(graph, sizeof(graph), "%s/graph.onnx", folder);
    (void)snprintf(model, sizeof(model), "%s/model.onnx", folder);
    r->graph_path = graph;
    r->model_path = model;
    wl_arena_init(&r->scratch, 0);
    wl_status status = what(r, err);
    wl_arena_done(&r->scratch);
    (void)unlink(graph);
    (void)unlink(model);
    return status;
}

static wl_status run(struct wl_bench *b, struct wl_error *err)
{
    struct run r = {.bench = b};
    char folder[] = "/tmp/wattline-micro-XXXXXX";
    if (mkdtemp(folder) == NULL) {
        return wl_fail(err, WL_ERR_IO, folder, "cannot be made");
    }
    wl_status status = run_from(&r, folder, err, run_in_folder);
    (void)rmdir(folder);
    return status;
}

/* What validate asks of a run. */
struct cost_run {
    struct run run; /* first: its address is this one's */
    int32_t threads;
    double seconds;
};

static wl_status run_cost(struct run *r, struct wl_error *err)
{
    return measure_costs(r, ((struct cost_run *)(void *)r)->threads, &r->costs, err);
}

wl_status wl_ort_measure_costs(struct wl_ort *o, const char *folder, int32_t threads,
                               struct wl_ort_costs *costs, struct wl_error *err)
{
    struct cost_run c = {.run = {.ort = *o}, .threads = threads};
    WL_TRY(run_from(&c.run, folder, err, run_cost));
    *costs = c.run.costs;
    return WL_OK;
}

static wl_status run_speed(struct run *r, struct wl_error *err)
{
    struct cost_run *c = (void *)r;
    return run_reference(r, c->threads, &c->seconds, err);
}

wl_status wl_ort_reference(struct wl_ort *o, const char *folder, int32_t threads, double *seconds,
                           struct wl_error *err)
{
    struct cost_run c = {.run = {.ort = *o}, .threads = threads};
    WL_TRY(run_from(&c.run, folder, err, run_speed));
    *seconds = c.seconds;
    return WL_OK;
}

const struct wl_bench_framework wl_bench_onnxruntime = {
    .name = "onnxruntime",
    .what = "ONNX Runtime through onnxruntime-node (npm): the kernels that networks meet there",
    .probe = probe,
    .run = run,
};
