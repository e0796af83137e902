/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/cmd_validate.c: wattline validate. Predicts, runs the real thing on this host, and sets the
 * two side by side, per model and per kernel.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "onnxruntime.h"
#include "validate_cli.h"
#include "zoo.h"

#define NUMBER_MAX 1000000
#define LIST_MAX 8
#define DISTURBED 1.25 /* a clock moves less between two references: the slower one met others */

/* What can be run from here, and what predicts it. */
struct runner {
    const char *name, *profile, *calibration, *interpreter, *script;
    bool files; /* runs the model's file; else a network of its own by the same name */
};
static const struct runner runners[] = {
    {"onnxruntime", "onnxruntime", "framework=onnxruntime", "node", "ort/bench.mjs", true},
    {"pytorch", "pytorch-frozen", "framework=onednn", "python3", "pytorch/bench.py", false},
};

struct validate {
    struct wl_cli_analysis a; /* first: the shared setters take this address */
    int64_t batches[LIST_MAX], threads[LIST_MAX];
    int32_t batch_count, thread_count;
    const struct runner *runner;
    const char *node_modules, *import;
    double seconds;
    bool save;
    struct wl_registry registry;
    struct wl_target target;
    struct wl_ort ort;
    struct wl_ort_bench files;
    char folder[64];
    char version[64];
    struct wl_ort_costs costs;
    struct wl_validation v;
};

static struct validate *self(void *target)
{
    return target;
}

/* ---- options -----------------------------------------------------------------------------------
 */

static wl_status set_batch(void *t, const char *value, struct wl_error *err)
{
    return wl_cli_parse_ints("--batch", value, 1, NUMBER_MAX, self(t)->batches, LIST_MAX,
                             &self(t)->batch_count, err);
}

static wl_status set_threads(void *t, const char *value, struct wl_error *err)
{
    return wl_cli_parse_ints("--threads", value, 1, NUMBER_MAX, self(t)->threads, LIST_MAX,
                             &self(t)->thread_count, err);
}

static wl_status set_hw(void *t, const char *value, struct wl_error *err)
{
    (void)err;
    self(t)->a.hw = value;
    return WL_OK;
}

static wl_status set_runtime(void *t, const char *value, struct wl_error *err)
{
    for (size_t i = 0; i < WL_ARRAY_LEN(runners); i++) {
        if (strcmp(runners[i].name, value) == 0) {
            self(t)->runner = &runners[i];
            return WL_OK;
        }
    }
    return wl_fail(err, WL_ERR_USAGE, "--runtime",
                   "\"%.40s\" cannot be run from here; onnxruntime and pytorch can", value);
}

static wl_status set_calibration(void *t, const char *value, struct wl_error *err)
{
    (void)err;
    self(t)->a.request.calibration = value;
    return WL_OK;
}

static wl_status set_view(void *t, const char *value, struct wl_error *err)
{
    self(t)->v.layers = strcmp(value, "layers") == 0;
    bool known = self(t)->v.layers || strcmp(value, "summary") == 0;
    return known ? WL_OK
                 : wl_fail(err, WL_ERR_USAGE, "--view", "\"%.40s\" is not one; summary, layers",
                           value);
}

static wl_status set_import(void *t, const char *value, struct wl_error *err)
{
    (void)err;
    self(t)->import = value;
    return WL_OK;
}

static wl_status set_modules(void *t, const char *value, struct wl_error *err)
{
    (void)err;
    self(t)->node_modules = value;
    return WL_OK;
}

static wl_status set_seconds(void *t, const char *value, struct wl_error *err)
{
    char *end = NULL;
    self(t)->seconds = strtod(value, &end);
    bool good = end != value && *end == '\0' && self(t)->seconds > 0 && self(t)->seconds <= 600;
    return good ? WL_OK
                : wl_fail(err, WL_ERR_USAGE, "--seconds",
                          "\"%.40s\" is no number of seconds up to "
                          "600",
                          value);
}

static wl_status set_save(void *t, const char *value, struct wl_error *err)
{
    (void)value;
    (void)err;
    self(t)->save = true;
    return WL_OK;
}

static const struct wl_option options[] = {
    {"hw", "ID", "device that predicts (default host)", set_hw},
    {"runtime", "NAME", "what runs the models: onnxruntime, or pytorch (torchvision networks)",
     set_runtime},
    {"batch", "N,..", "batch sizes (default the model's own)", set_batch},
    {"threads", "N,..", "thread counts (default all cores)", set_threads},
    {"calibration", "K=V,..", "as for analyze; none: specification alone", set_calibration},
    {"view", "V", "summary, layers (every kernel, predicted and measured)", set_view},
    {"seconds", "S", "of timed runs per point, at least (default 0.5)", set_seconds},
    {"import", "PROFILE", "take times from an ONNX Runtime profile instead of running", set_import},
    {"save", NULL, "keep the errors in the calibration: results then carry them", set_save},
    {"node-modules", "DIR", "folder that holds onnxruntime-node (also WATTLINE_NODE_MODULES)",
     set_modules},
    {NULL, NULL, NULL, NULL},
};

/* ---- kernels ------------------------------------------------------------------------------------
 */

static const char *keep(struct validate *s, const char *text)
{
    return text == NULL ? NULL : wl_arena_strndup(&s->v.arena, text, strlen(text));
}

/* The profile's kernels laid over the subgraphs. */
static wl_status match_kernels(struct validate *s, const struct wl_result *r,
                               struct wl_ort_result *run, struct wl_validate_point *p,
                               struct wl_error *err)
{
    const struct wl_partition *part = r->partition;
    wl_ort_assign(run, part);
    double cost_s = wl_ort_profile_cost_in(run, &s->costs);
    p->kernels = WL_ARRAY(&s->v.arena, struct wl_validate_kernel, part->count);
    WL_TRY_PTR(p->kernels, err);
    for (int32_t i = 0; i < run->kernel_count; i++) {
        const struct wl_ort_kernel *k = &run->kernels[i];
        double own_s = wl_ort_without_profile(k->time_s, cost_s);
        if (k->subgraph == WL_NONE) {
            p->unmatched_s += own_s;
        } else {
            p->kernels[k->subgraph].measured_s += own_s;
        }
    }
    for (int32_t i = 0; i < part->count; i++) {
        const struct wl_mapping *m = &r->mappings.items[i];
        const struct wl_timing *t = &r->roofline.timings[i];
        struct wl_validate_kernel *k = &p->kernels[i];
        k->name = keep(s, part->subgraphs[i].name);
        k->pattern = keep(s, part->subgraphs[i].pattern);
        k->operation = keep(s, m->measured_as);
        k->distance = m->measured_distance;
        k->predicted_s = m->measured_as != NULL ? m->measured_s : t->latency_s;
    }
    p->kernel_count = part->count;
    return WL_OK;
}

/* ---- one point
 * ----------------------------------------------------------------------------------- */

/* Values of the model's symbols, as the runtime has to be fed. */
static wl_status bound_dims(struct validate *s, const struct wl_graph *g, struct wl_ort_dim **out,
                            int32_t *count, struct wl_error *err)
{
    *out = WL_ARRAY(&s->v.arena, struct wl_ort_dim, g->dims.symbol_count);
    WL_TRY_PTR(*out, err);
    *count = 0;
    for (int32_t i = 0; i < g->dims.symbol_count; i++) {
        const struct wl_symbol *x = &g->dims.symbols[i];
        if (wl_dim_is_known(x->bound)) {
            (*out)[(*count)++] = (struct wl_ort_dim){keep(s, x->name), x->bound.value};
        }
    }
    return WL_OK;
}

static bool is_node(void *user, const char *name)
{
    return wl_ort_find_node(user, name) != WL_NONE;
}

/* Times of a profile from elsewhere in place of a run. */
static wl_status import(struct validate *s, struct wl_cli_run *run, struct wl_validate_point *p,
                        struct wl_error *err)
{
    struct wl_ort_result result;
    WL_TRY(wl_ort_profile_read(s->import, &s->v.arena, &result, err));
    for (int32_t i = 0; i < result.kernel_count; i++) {
        result.kernels[i].node =
            wl_ort_trace_name(result.kernels[i].name, is_node, &run->model.graph, &s->v.arena);
    }
    p->measured_s = wl_ort_wall_s(&result);
    return match_kernels(s, &run->result, &result, p, err);
}

/* How fast the machine is now against what it was during calibration; 0 where that is not known. */
static wl_status speed_now(struct validate *s, int32_t threads, double *speed, struct wl_error *err)
{
    static const struct wl_kernel_sizes one = {
        .groups = 1, .m = 1, .n = 1, .k = 1, .window = 1, .stride = 1, .width = 1};
    const struct wl_calibration *c = s->runner->files ? s->target.calibration : NULL;
    double then_s =
        c == NULL ? 0
                  : wl_calibration_seconds(c, WL_ORT_REFERENCE, WL_PREC_FP32, threads, &one, NULL);
    double now_s = 0;
    *speed = 0;
    if (then_s > 0) {
        WL_TRY(wl_ort_reference(&s->files, threads, &now_s, err));
        *speed = then_s / now_s;
    }
    return WL_OK;
}

/* Runs with a look at the machine's speed before (`*before`, which becomes that after). */
static wl_status run_between(struct validate *s, const struct wl_ort_job *job, double *before,
                             double *speed, struct wl_ort_result *result, struct wl_error *err)
{
    double after;
    WL_TRY(wl_ort_run(&s->ort, job, &s->v.arena, result, err));
    WL_TRY(speed_now(s, job->threads, &after, err));
    bool apart = fmax(*before, after) > DISTURBED * fmin(*before, after);
    *speed = apart ? fmax(*before, after) : (*before + after) / 2;
    *before = after;
    return WL_OK;
}

/* Times without profiling, then, where the runner reads model files, those of kernels. */
static wl_status run_point(struct validate *s, struct wl_ort_job *job, const struct wl_cli_run *run,
                           struct wl_validate_point *p, struct wl_error *err)
{
    struct wl_ort_result result;
    double speed;
    WL_TRY(speed_now(s, p->threads, &speed, err));
    job->wall = true;
    WL_TRY(run_between(s, job, &speed, &p->speed, &result, err));
    p->measured_s = wl_ort_wall_s(&result);
    if (!s->runner->files) {
        return WL_OK;
    }
    job->wall = false;
    job->profile = true;
    WL_TRY(run_between(s, job, &speed, &p->kernels_speed, &result, err));
    return match_kernels(s, &run->result, &result, p, err);
}

static wl_status measure(struct validate *s, const char *file, const struct wl_cli_run *run,
                         struct wl_validate_point *p, struct wl_error *err)
{
    struct wl_ort_job job = {
        .model = file, .threads = p->threads, .seconds = s->seconds, .min_runs = 5};
    struct wl_ort_dim *dims = NULL;
    WL_TRY(bound_dims(s, &run->model.graph, &dims, &job.dim_count, err));
    job.dims = dims;
    struct wl_error why = {0};
    wl_status status = run_point(s, &job, run, p, &why);
    if (status == WL_ERR_UNSUPPORTED) {
        p->failure = keep(s, why.message);
        return WL_OK;
    }
    return status == WL_OK ? WL_OK : wl_fail(err, status, why.where, "%s", why.message);
}

static struct wl_validate_point *point_new(struct validate *s, struct wl_error *err)
{
    void *items = s->v.points;
    if (wl_arena_reserve(&s->v.arena, &items, &s->v.point_capacity, s->v.point_count + 1,
                         sizeof(s->v.points[0])) != WL_OK) {
        (void)wl_fail_nomem(err);
        return NULL;
    }
    s->v.points = items;
    struct wl_validate_point *p = &s->v.points[s->v.point_count++];
    *p = (struct wl_validate_point){0};
    return p;
}

/*
 * Sizes, branches and trip counts that depend on data: the bound that is predicted is not what
 * random data lead to, so that the point says nothing of the prediction.
 */
static const char *depends_on_data(const struct wl_diag_list *diags)
{
    static const char *const codes[] = {"data-dependent-size", "unknown-size", "unknown-branch",
                                        "unknown-trip-count"};
    for (int32_t i = 0; i < diags->count; i++) {
        for (size_t k = 0; k < WL_ARRAY_LEN(codes); k++) {
            if (strcmp(diags->items[i].code, codes[k]) == 0) {
                return codes[k];
            }
        }
    }
    return NULL;
}

static wl_status one_point(struct validate *s, const char *file, int64_t batch, int32_t threads,
                           struct wl_error *err)
{
    struct wl_cli_run run;
    struct wl_request request = s->a.request;
    struct wl_validate_point *p = point_new(s, err);
    WL_TRY_PTR(p, err);
    request.batch = batch;
    request.threads = threads;
    *p = (struct wl_validate_point){.name = s->a.request.model_name, .threads = threads};
    WL_TRY(wl_cli_run(&s->registry, s->a.hw, &request, &run, err));
    p->batch = run.prepared.batch;
    p->predicted_s = run.result.totals.latency_s;
    p->excluded = depends_on_data(&run.result.diags);
    wl_status status = WL_OK;
    if (s->import != NULL) {
        status = import(s, &run, p, err);
    } else if (batch > 1 && run.model.graph.batch_symbol == NULL) {
        p->failure = "its batch is fixed in the file, so that the runtime cannot take another";
    } else {
        status = measure(s, file, &run, p, err);
    }
    wl_cli_run_done(&run);
    return status;
}

static void show(const struct validate *s, const struct wl_validate_point *p)
{
    if (s->a.quiet || isatty(STDERR_FILENO) == 0) {
        return;
    }
    (void)fprintf(stderr, "\r%-60.60s", "");
    if (p->failure == NULL) {
        (void)fprintf(stderr, "\r%s, batch %lld, %d threads: %+.1f %%", p->name,
                      (long long)p->batch, (int)p->threads,
                      100 * (p->predicted_s / p->measured_s - 1));
    }
    (void)fflush(stderr);
}

static wl_status one_import(struct validate *s, const char *name, struct wl_error *err)
{
    WL_TRY(wl_cli_resolve_model(&s->a, name, err));
    return one_point(s, NULL, s->batches[0], (int32_t)s->threads[0], err);
}

static wl_status one_model(struct validate *s, const char *name, struct wl_error *err)
{
    struct wl_materialized made;
    char file[96];
    s->a.request.default_dims = NULL;
    s->a.request.default_dim_count = 0;
    WL_TRY(wl_cli_resolve_model(&s->a, name, err));
    (void)snprintf(file, sizeof(file), "%s/network.onnx", s->folder);
    wl_status status = WL_OK;
    if (s->runner->files) {
        WL_TRY(wl_materialize(s->a.request.model, file, 0, &made, err));
    } else {
        (void)snprintf(file, sizeof(file), "%s", name);
    }
    for (int32_t b = 0; b < s->batch_count && status == WL_OK; b++) {
        for (int32_t t = 0; t < s->thread_count && status == WL_OK; t++) {
            status = one_point(s, file, s->batches[b], (int32_t)s->threads[t], err);
            if (status == WL_OK) {
                show(s, &s->v.points[s->v.point_count - 1]);
            }
        }
    }
    if (s->runner->files) {
        (void)unlink(file);
        (void)strncat(file, ".data", sizeof(file) - strlen(file) - 1);
        (void)unlink(file);
    }
    return status;
}

/* ---- the run
 * -------------------------------------------------------------------------------------- */

static wl_status all_models(struct validate *s, char **models, int32_t count, struct wl_error *err)
{
    if (s->runner->files) {
        WL_TRY(wl_ort_measure_costs(&s->files, (int32_t)s->threads[s->thread_count - 1], &s->costs,
                                    err));
    }
    for (int32_t i = 0; i < count; i++) {
        WL_TRY(one_model(s, models[i], err));
    }
    return WL_OK;
}

static wl_status run_models(struct validate *s, char **models, int32_t count, struct wl_error *err)
{
    (void)snprintf(s->folder, sizeof(s->folder), "/tmp/wattline-validate-XXXXXX");
    const char *tools = wl_cli_tools_dir(&s->a.arena);
    const char *python = getenv("WATTLINE_PYTHON");
    const char *interpreter = python != NULL && strcmp(s->runner->interpreter, "python3") == 0
                                  ? python
                                  : s->runner->interpreter;
    WL_TRY(wl_ort_open(&s->ort, interpreter, tools == NULL ? "tools" : tools, s->runner->script,
                       s->node_modules, s->version, sizeof(s->version), err));
    wl_status status = WL_OK;
    if (mkdtemp(s->folder) == NULL) {
        status = wl_fail(err, WL_ERR_IO, s->folder, "cannot be made");
    } else {
        s->files.ort = &s->ort;
        wl_ort_bench_init(&s->files, s->folder);
        status = all_models(s, models, count, err);
        wl_ort_bench_done(&s->files);
    }
    wl_ort_close(&s->ort);
    (void)rmdir(s->folder);
    return status;
}

static wl_status prepare(struct validate *s, struct wl_error *err)
{
    const struct wl_calibration *own = NULL;
    WL_TRY(wl_cli_open_registry(&s->a, &s->registry, err));
    s->a.request.runtime = s->runner->profile;
    if (s->a.request.calibration == NULL &&
        wl_calibration_select(&s->registry, s->a.hw, s->runner->calibration, NULL, &own, NULL) ==
            WL_OK) {
        s->a.request.calibration = s->runner->calibration;
    }
    WL_TRY(wl_target_resolve(&s->registry, s->a.hw, &s->a.request, &s->target, err));
    if (s->batch_count == 0) {
        s->batches[s->batch_count++] = 0;
    }
    if (s->thread_count == 0) {
        s->threads[s->thread_count++] = wl_device_units(&s->target.device);
    }
    s->v.host = s->target.device.name;
    s->v.runtime = s->runner->name;
    s->v.calibration = s->target.calibration != NULL ? s->target.calibration->name : NULL;
    return WL_OK;
}

static wl_status report(struct validate *s, struct wl_error *err)
{
    struct wl_buf text;
    wl_buf_init(&text);
    s->v.version = s->version;
    wl_status status = WL_OK;
    if (s->a.report.format == WL_FORMAT_JSON) {
        wl_validate_json(&s->v, &text);
    } else {
        status = wl_validate_text(&s->v, &text, err);
    }
    if (status == WL_OK) {
        status = wl_cli_output(s->a.output, &text, err);
    }
    wl_buf_done(&text);
    if (status == WL_OK && s->save && s->target.calibration != NULL) {
        status = wl_validate_save(&s->v, s->target.calibration->path, err);
    }
    return status;
}

static wl_status validate(struct validate *s, char **models, int32_t count, struct wl_error *err)
{
    WL_TRY(prepare(s, err));
    if (s->import != NULL && (count != 1 || s->batch_count != 1 || s->thread_count != 1)) {
        return wl_fail(err, WL_ERR_USAGE, "--import",
                       "is of one model at one batch and thread count; give one of each");
    }
    WL_TRY(s->import != NULL ? one_import(s, models[0], err) : run_models(s, models, count, err));
    if (!s->a.quiet && isatty(STDERR_FILENO) != 0) {
        (void)fprintf(stderr, "\r%78s\r", "");
    }
    return report(s, err);
}

int wl_cmd_validate(int argc, char **argv)
{
    static const struct wl_option *const tables[] = {options, wl_model_options, NULL};
    struct validate s = {0};
    struct wl_error err = {0};
    int32_t count = 0;
    int code = WL_EXIT_OK;
    wl_cli_analysis_init(&s.a);
    wl_arena_init(&s.v.arena, 0);
    s.a.hw = "host";
    s.runner = &runners[0];
    s.seconds = 0.5;
    struct wl_cli_parse parse = {
        .command = "validate",
        .synopsis = "MODEL... [options]",
        .summary =
            "Predicts, runs the models on this host, and sets the two side by side. MODEL is an "
            "ONNX file\nwith its weights, or a zoo name (random weights are made). For example:\n"
            "  wattline validate resnet18 mobilenet_v2 --threads 1,2 --batch 1,8\n"
            "  wattline validate model.onnx --view layers",
        .tables = tables,
        .target = &s,
        .positional_min = 1,
        .positional_max = -1};
    if (wl_cli_parse_options(&parse, argc, argv, &count, &code) == WL_OK) {
        wl_status status = validate(&s, argv + 1, count, &err);
        code = status == WL_OK ? WL_EXIT_OK : wl_cli_error(&err);
        if (s.registry.cache != NULL) {
            wl_registry_close(&s.registry);
        }
    }
    wl_arena_done(&s.v.arena);
    wl_cli_analysis_done(&s.a);
    return code;
}
