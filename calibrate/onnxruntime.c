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

#define SPEED_MOST 1.25 /* a clock moves less: more is a disturbance */
#define CALL_ROUNDS 3   /* of what an inference costs: differences of times, so one may mislead */
#define PLAINEST "neg"  /* stands for kernels that have no rows of their own */
#define VIEWS_MIN 4     /* that say what profiling costs around them */
#define VIEWS_MAX 256

/* What is known of one thread count. */
struct pace {
    int32_t threads;
    double speed_factor; /* what brings times of now to the speed of the rows */
    double *reference_s; /* around each file */
    int32_t reference_count;
    struct wl_ort_costs costs;
    struct wl_ort_call calls[CALL_ROUNDS][WL_ORT_CALLS];
};

struct run {
    struct wl_bench *bench;
    struct wl_registry registry;
    const struct wl_runtime *runtime;
    struct wl_ort ort;
    struct wl_ort_bench files;
    struct pace *paces;      /* by thread count */
    const struct pace *last; /* whose reference was the last that ran, or NULL */
    double last_s;           /* that reference */
    double profile_cost_s;   /* per kernel of the file that runs */
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
    WL_TRY(wl_model_load(r->files.graph_path, &options, &a->model, err));
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

static void add_times(const struct run *r, const struct pace *p, struct wl_bench_row *row,
                      const struct wl_ort_kernel *k)
{
    row->time_s += p->speed_factor * wl_ort_without_profile(k->time_s, r->profile_cost_s);
    row->min_s += p->speed_factor * wl_ort_without_profile(k->min_s, r->profile_cost_s);
    row->max_s += p->speed_factor * wl_ort_without_profile(k->max_s, r->profile_cost_s);
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
static wl_status add_surroundings(struct run *r, const struct pace *p,
                                  const struct wl_ort_kernel *k, struct wl_error *err)
{
    int32_t i = surrounding(k);
    if (i == WL_NONE) {
        return WL_OK; /* a view */
    }
    struct wl_bench_row row = plain_row(surroundings[i].operation, p->threads);
    row.sizes.n = k->elements;
    row.sizes.width = i < 2 ? k->columns : k->elements;
    row.sizes.bytes = surroundings[i].bytes_each * k->elements;
    add_times(r, p, &row, k);
    return has_near(r->bench, &row) ? WL_OK : add_row(r, &row, err);
}

static enum wl_precision row_precision(const struct analysed *a, int32_t i)
{
    return a->partition.subgraphs[i].quantized ? WL_PREC_INT8 : WL_PREC_FP32;
}

/* Whether a row is made of subgraph `i`: not where it only prepares data. */
static bool is_row(const struct analysed *a, int32_t i)
{
    struct wl_str name = a->model.graph.nodes[a->partition.subgraphs[i].anchor].name;
    size_t length = strlen(WL_ONNX_AID);
    return name.len < length || memcmp(name.data, WL_ONNX_AID, length) != 0;
}

/*
 * Equal kernels of one file are one row, their mean: the first of a kind meets cold code, those
 * after it do not. Returns whether row `i` went into one before it.
 */
static bool joins_earlier(struct wl_bench_row *rows, int32_t *equals, int32_t i)
{
    for (int32_t j = 0; j < i; j++) {
        if (equals[j] > 0 && rows[j].precision == rows[i].precision &&
            strcmp(rows[j].operation, rows[i].operation) == 0 &&
            wl_bench_same_sizes(&rows[j].sizes, &rows[i].sizes)) {
            double n = ++equals[j];
            rows[j].time_s += (rows[i].time_s - rows[j].time_s) / n;
            rows[j].min_s += (rows[i].min_s - rows[j].min_s) / n;
            rows[j].max_s += (rows[i].max_s - rows[j].max_s) / n;
            return true;
        }
    }
    equals[i] = 1;
    return false;
}

/* Kernels of one subgraph are added up: a runtime may have split what the profile joins. */
static wl_status add_kernels(struct run *r, const struct pace *p, const struct analysed *a,
                             struct wl_ort_result *result, struct wl_error *err)
{
    int32_t count = a->partition.count;
    struct wl_bench_row *rows = WL_ARRAY(&r->files.scratch, struct wl_bench_row, count);
    int32_t *equals = WL_ARRAY(&r->files.scratch, int32_t, count);
    bool *is = WL_ARRAY(&r->files.scratch, bool, count);
    WL_TRY_PTR(rows, err);
    WL_TRY_PTR(equals, err);
    WL_TRY_PTR(is, err);
    for (int32_t i = 0; i < count; i++) {
        const struct wl_kernel *k = &a->kernels.items[i];
        rows[i] = plain_row(k->operations[0], p->threads);
        rows[i].sizes = k->sizes;
        rows[i].precision = row_precision(a, i);
    }
    wl_ort_assign(result, &a->partition);
    r->profile_cost_s = wl_ort_profile_cost_in(result, &p->costs);
    for (int32_t i = 0; i < result->kernel_count; i++) {
        const struct wl_ort_kernel *k = &result->kernels[i];
        if (k->around) {
            WL_TRY(add_surroundings(r, p, k, err));
        } else if (k->subgraph != WL_NONE) {
            add_times(r, p, &rows[k->subgraph], k);
        }
    }
    for (int32_t i = 0; i < count; i++) {
        is[i] = is_row(a, i) && rows[i].time_s > 0 && !joins_earlier(rows, equals, i);
    }
    for (int32_t i = 0; i < count; i++) {
        bool plainest = strcmp(rows[i].operation, PLAINEST) == 0;
        if (is[i] && (!plainest || !has_near(r->bench, &rows[i]))) {
            WL_TRY(add_row(r, &rows[i], err));
        }
    }
    return WL_OK;
}

static bool all_known(const struct run *r, const struct analysed *a, int32_t threads)
{
    for (int32_t i = 0; i < a->partition.count; i++) {
        const struct wl_kernel *k = &a->kernels.items[i];
        if (is_row(a, i) && strcmp(k->operations[0], PLAINEST) != 0 &&
            !wl_bench_has(r->bench, k->operations[0], row_precision(a, i), threads, &k->sizes)) {
            return false;
        }
    }
    return true;
}

/* ---- what surrounds kernels ------------------------------------------------------------------ */

/* A row of one figure: its spread is not known. */
static wl_status add_timed(struct run *r, struct wl_bench_row *row, double time_s,
                           struct wl_error *err)
{
    row->time_s = row->min_s = row->max_s = time_s;
    row->runs = 1;
    return add_row(r, row, err);
}

static wl_status add_costs(struct run *r, struct pace *p, struct wl_error *err)
{
    struct wl_bench_row view = plain_row(WL_KERNEL_VIEW, p->threads);
    WL_TRY(wl_ort_measure_costs(&r->files, p->threads, &p->costs, err));
    return add_timed(r, &view, p->costs.view_s, err);
}

/* At the beginning, in the middle, at the end: by then the machine has changed its mind. */
static int32_t call_rounds(const struct run *r)
{
    return r->bench->options.quick ? 1 : CALL_ROUNDS;
}

static wl_status measure_calls(struct run *r, int32_t round, struct wl_error *err)
{
    for (int32_t t = 0; t < r->bench->options.thread_count; t++) {
        struct pace *p = &r->paces[t];
        WL_TRY(wl_ort_measure_calls(&r->files, p->threads, &p->costs, p->calls[round], err));
    }
    r->last = NULL;
    return WL_OK;
}

/* Rows of the middle one of all rounds. */
static wl_status add_calls(struct run *r, const struct pace *p, struct wl_error *err)
{
    for (int32_t i = 0; i < WL_ORT_CALLS; i++) {
        double times[CALL_ROUNDS];
        struct wl_bench_row row = plain_row(WL_KERNEL_CALL, p->threads);
        for (int32_t k = 0; k < call_rounds(r); k++) {
            times[k] = p->calls[k][i].time_s;
        }
        row.sizes.n = p->calls[0][i].elements;
        row.sizes.bytes = 4 * row.sizes.n;
        wl_bench_times(times, call_rounds(r), &row);
        WL_TRY(add_row(r, &row, err));
    }
    return WL_OK;
}

/* The first reference of a thread count is a row itself. */
static wl_status take_reference(struct run *r, struct pace *p, double *now_s, struct wl_error *err)
{
    struct wl_bench_row row = plain_row(WL_ORT_REFERENCE, p->threads);
    WL_TRY(wl_ort_reference(&r->files, p->threads, now_s, err));
    return add_timed(r, &row, *now_s, err);
}

/* Rows are kept at the speed of that row; the factor brings times between two references to it. */
static void note_speed(struct run *r, struct pace *p, double before_s, double after_s)
{
    const struct wl_bench_row *first = wl_bench_find(r->bench, WL_ORT_REFERENCE, p->threads);
    double now_s = (before_s + after_s) / 2;
    double factor = first != NULL ? first->time_s / now_s : 1;
    p->speed_factor = fmin(fmax(factor, 1 / SPEED_MOST), SPEED_MOST);
    p->reference_s[p->reference_count++] = now_s;
}

/* In the end all rows of a thread count, the reference too, go to the median speed of the run. */
static void settle_speed(struct run *r, const struct pace *p)
{
    struct wl_bench_row median = {0};
    const struct wl_bench_row *first = wl_bench_find(r->bench, WL_ORT_REFERENCE, p->threads);
    if (p->reference_count > 0 && first != NULL) {
        wl_bench_times(p->reference_s, p->reference_count, &median);
        wl_bench_scale(r->bench, p->threads, median.time_s / first->time_s);
    }
}

/* ---- the grid -------------------------------------------------------------------------------- */

/*
 * ONNX Runtime executes chains that do not depend on each other in the reverse order of the file
 * (its profiles show it). So the file that it gets is the reverse of the one that wattline reads:
 * both then see the same order, and agree on which kernel meets memory first.
 */
static wl_status write_cells(struct run *r, const struct wl_micro_grid *g, int32_t file,
                             struct wl_error *err)
{
    struct wl_onnx *b;
    WL_TRY(wl_micro_grid_emit(g, file, true, &r->files.scratch, &b, err));
    WL_TRY(wl_ort_write(&r->files, b, err));
    WL_TRY(wl_micro_grid_emit(g, file, false, &r->files.scratch, &b, err));
    return wl_onnx_write(b, r->files.graph_path, err);
}

/* Rows of a file at one thread count, between two references: the second serves what comes next. */
static wl_status measure_file(struct run *r, struct pace *p, const struct analysed *a,
                              struct wl_error *err)
{
    struct wl_ort_result result;
    struct wl_arena_mark mark = wl_arena_mark(&r->files.scratch);
    double before_s = r->last_s;
    if (r->last != p) {
        WL_TRY(take_reference(r, p, &before_s, err));
    }
    WL_TRY(wl_ort_execute(&r->files, p->threads, false, &result, err));
    WL_TRY(take_reference(r, p, &r->last_s, err));
    r->last = p;
    note_speed(r, p, before_s, r->last_s);
    WL_TRY(add_kernels(r, p, a, &result, err));
    wl_arena_reset(&r->files.scratch, mark);
    return WL_OK;
}

/* At all thread counts that have no rows of it yet, to and fro: the last one is the next file's
   first. */
static wl_status measure_at_all(struct run *r, bool fro, const struct analysed *a,
                                struct wl_error *err)
{
    int32_t count = r->bench->options.thread_count;
    for (int32_t i = 0; i < count; i++) {
        struct pace *p = &r->paces[fro ? count - 1 - i : i];
        if (!all_known(r, a, p->threads)) {
            WL_TRY(measure_file(r, p, a, err));
        }
    }
    return WL_OK;
}

static wl_status run_file(struct run *r, const struct wl_micro_grid *g, int32_t file, bool fro,
                          struct wl_error *err)
{
    struct analysed a;
    wl_arena_reset(&r->files.scratch, (struct wl_arena_mark){0});
    WL_TRY(write_cells(r, g, file, err));
    WL_TRY(analyse(r, &a, err));
    wl_status status = measure_at_all(r, fro, &a, err);
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
 * does meanwhile must not look like an effect of size. Each at all thread counts at once: nor like
 * one of threads.
 */
static wl_status run_files(struct run *r, const struct wl_micro_grid *g, struct wl_error *err)
{
    int32_t step = wl_ort_stride(g->files), rounds = call_rounds(r), round = 0;
    for (int32_t i = 0; i < g->files; i++) {
        if (round < rounds - 1 && i >= round * g->files / (rounds - 1)) {
            WL_TRY(measure_calls(r, round++, err));
        }
        char what[64];
        (void)snprintf(what, sizeof(what), "file %d of %d", i + 1, g->files);
        wl_bench_progress(r->bench, (double)i / g->files, what);
        WL_TRY(run_file(r, g, (int32_t)(((int64_t)i * step) % g->files), i % 2 != 0, err));
    }
    return measure_calls(r, rounds - 1, err);
}

static wl_status start_paces(struct run *r, int32_t files, struct wl_error *err)
{
    const struct wl_bench_options *o = &r->bench->options;
    r->paces = WL_ARRAY(&r->bench->arena, struct pace, o->thread_count);
    WL_TRY_PTR(r->paces, err);
    for (int32_t t = 0; t < o->thread_count; t++) {
        r->paces[t] = (struct pace){.threads = o->threads[t], .speed_factor = 1};
        r->paces[t].reference_s = WL_ARRAY(&r->bench->arena, double, files);
        WL_TRY_PTR(r->paces[t].reference_s, err);
        WL_TRY(add_costs(r, &r->paces[t], err));
    }
    return WL_OK;
}

static wl_status run_all(struct run *r, struct wl_error *err)
{
    struct wl_micro_grid grid;
    WL_TRY(wl_micro_grid_make(&r->bench->arena, r->bench->options.quick, &grid, err));
    WL_TRY(start_paces(r, grid.files, err));
    WL_TRY(run_files(r, &grid, err));
    for (int32_t t = 0; t < r->bench->options.thread_count; t++) {
        WL_TRY(add_calls(r, &r->paces[t], err));
        settle_speed(r, &r->paces[t]);
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

static wl_status run_with_runtime(struct run *r, struct wl_error *err)
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

static wl_status run(struct wl_bench *b, struct wl_error *err)
{
    struct run r = {.bench = b};
    char folder[] = "/tmp/wattline-micro-XXXXXX";
    if (mkdtemp(folder) == NULL) {
        return wl_fail(err, WL_ERR_IO, folder, "cannot be made");
    }
    r.files.ort = &r.ort;
    wl_ort_bench_init(&r.files, folder);
    wl_status status = run_with_runtime(&r, err);
    wl_ort_bench_done(&r.files);
    (void)rmdir(folder);
    return status;
}

const struct wl_bench_framework wl_bench_onnxruntime = {
    .name = "onnxruntime",
    .what = "ONNX Runtime through onnxruntime-node (npm): the kernels that networks meet there",
    .probe = probe,
    .run = run,
};
