/* SPDX-License-Identifier: Apache-2.0 */
/* cli/cmd_compare.c: one model on many devices, or several models on one. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis_run.h"
#include "compare.h"

#define LIST_MAX 512

struct compare {
    struct wl_cli_analysis a; /* first: the shared setters take this address */
    const char *class_name;
    bool all;
    const char *baseline;
    const struct wl_row_key *sort;
    double max_power_w;
    double min_throughput;
    double max_latency_s;
    struct wl_registry registry;
    bool registry_open;
    struct wl_grid_row *rows;
    int32_t count, capacity;
};

static struct compare *self(void *target)
{
    return target;
}

static wl_status set_class(void *target, const char *value, struct wl_error *err)
{
    for (int c = 0; c < WL_HW_CLASS_COUNT; c++) {
        if (strcmp(value, wl_hw_class_name((enum wl_hw_class)c)) == 0) {
            self(target)->class_name = value;
            return WL_OK;
        }
    }
    return wl_fail(err, WL_ERR_USAGE, "--class", "\"%.40s\" is none; cpu, gpu, tpu, kpu are",
                   value);
}

static wl_status set_all(void *target, const char *value, struct wl_error *err)
{
    (void)value;
    (void)err;
    self(target)->all = true;
    return WL_OK;
}

static wl_status set_baseline(void *target, const char *value, struct wl_error *err)
{
    (void)err;
    self(target)->baseline = value;
    return WL_OK;
}

static wl_status set_sort(void *target, const char *value, struct wl_error *err)
{
    self(target)->sort = wl_row_key_find(value);
    if (self(target)->sort == NULL) {
        char words[160];
        wl_row_key_words(words, sizeof(words));
        return wl_fail(err, WL_ERR_USAGE, "--sort", "\"%.40s\" is none; %s are", value, words);
    }
    return WL_OK;
}

static wl_status parse_positive(const char *option, const char *value, double *out,
                                struct wl_error *err)
{
    char *end = NULL;
    double v = strtod(value, &end);
    if (*value == '\0' || *end != '\0' || !isfinite(v) || v <= 0) {
        return wl_fail(err, WL_ERR_USAGE, option, "\"%.40s\" is not a positive number; write %s 15",
                       value, option);
    }
    *out = v;
    return WL_OK;
}

static wl_status set_max_power(void *target, const char *value, struct wl_error *err)
{
    return parse_positive("--max-power", value, &self(target)->max_power_w, err);
}

static wl_status set_min_throughput(void *target, const char *value, struct wl_error *err)
{
    return parse_positive("--min-throughput", value, &self(target)->min_throughput, err);
}

static wl_status set_max_latency(void *target, const char *value, struct wl_error *err)
{
    double ms;
    WL_TRY(parse_positive("--max-latency", value, &ms, err));
    self(target)->max_latency_s = ms * 1e-3;
    return WL_OK;
}

static const struct wl_option compare_options[] = {
    {"class", "C", "all devices of a class: cpu, gpu, tpu, kpu", set_class},
    {"all", NULL, "all devices of the registry", set_all},
    {"baseline", "ID", "ratios refer to this device instead of the best", set_baseline},
    {"sort", "KEY", "latency, throughput, energy, power, utilization, memory, edp", set_sort},
    {"max-power", "W", "only rows that draw at most W watts on average", set_max_power},
    {"min-throughput", "N", "only rows with at least N inferences per second", set_min_throughput},
    {"max-latency", "MS", "only rows that answer within MS milliseconds", set_max_latency},
    {NULL, NULL, NULL, NULL}};

/* ---- lists -------------------------------------------------------------------------------------
 */

/* Splits at commas; empty parts are an error. */
static wl_status split(struct wl_arena *arena, const char *option, const char *text,
                       const char **out, int32_t *count, struct wl_error *err)
{
    *count = 0;
    for (const char *at = text;;) {
        size_t len = strcspn(at, ",");
        if (len == 0 || *count >= LIST_MAX) {
            return wl_fail(err, WL_ERR_USAGE, option,
                           "\"%.80s\" is not a list; write names with commas between them", text);
        }
        out[*count] = wl_arena_strndup(arena, at, len);
        WL_TRY_PTR(out[*count], err);
        (*count)++;
        if (at[len] == '\0') {
            return WL_OK;
        }
        at += len + 1;
    }
}

static wl_status devices_of_registry(struct compare *c, const char **out, int32_t *count,
                                     struct wl_error *err)
{
    struct wl_registry_entry *entries = NULL;
    struct wl_error *broken = NULL;
    int32_t n = 0;
    int32_t broken_count = 0;
    WL_TRY(wl_registry_list(&c->registry, &entries, &n, &broken, &broken_count, err));
    *count = 0;
    for (int32_t i = 0; i < n && *count < LIST_MAX; i++) {
        if (c->all || strcmp(c->class_name, wl_hw_class_name(entries[i].class)) == 0) {
            out[(*count)++] = entries[i].id;
        }
    }
    return WL_OK;
}

static wl_status find_devices(struct compare *c, const char **out, int32_t *count,
                              struct wl_error *err)
{
    if (c->a.hw != NULL) {
        return split(&c->a.arena, "--hw", c->a.hw, out, count, err);
    }
    if (c->all || c->class_name != NULL) {
        return devices_of_registry(c, out, count, err);
    }
    return wl_fail(err, WL_ERR_USAGE, "compare",
                   "no device is named; write --hw a,b,c or --class gpu or --all");
}

static wl_status find_models(struct compare *c, const char *names, struct wl_grid_model *out,
                             int32_t *count, struct wl_error *err)
{
    const char **parts = WL_ARRAY(&c->a.arena, const char *, LIST_MAX);
    WL_TRY_PTR(parts, err);
    WL_TRY(split(&c->a.arena, "model", names, parts, count, err));
    for (int32_t i = 0; i < *count; i++) {
        WL_TRY(wl_cli_resolve_model(&c->a, parts[i], err));
        out[i] = (struct wl_grid_model){c->a.request.model_name, c->a.request.model,
                                        c->a.request.default_dims, c->a.request.default_dim_count};
        c->a.request.default_dims = NULL;
        c->a.request.default_dim_count = 0;
    }
    return WL_OK;
}

/* ---- rows ---------------------------------------------------------------------------------------
 */

static bool passes(const struct compare *c, const struct wl_grid_row *row)
{
    if (!row->ok) {
        return c->max_power_w == 0 && c->min_throughput == 0 && c->max_latency_s == 0;
    }
    return (c->max_power_w == 0 || row->totals.average_power_w <= c->max_power_w) &&
           (c->min_throughput == 0 || row->totals.throughput_per_s >= c->min_throughput) &&
           (c->max_latency_s == 0 || row->totals.latency_s <= c->max_latency_s);
}

static wl_status keep_row(void *user, const struct wl_grid_row *row, struct wl_error *err)
{
    struct compare *c = user;
    if (!passes(c, row)) {
        return WL_OK;
    }
    if (wl_arena_reserve(&c->a.arena, (void **)&c->rows, &c->capacity, c->count + 1,
                         sizeof(*c->rows)) != WL_OK) {
        return wl_fail_nomem(err);
    }
    c->rows[c->count] = *row;
    /* The group's own strings end with it. */
    c->rows[c->count].dims = wl_arena_strndup(&c->a.arena, row->dims, strlen(row->dims));
    WL_TRY_PTR(c->rows[c->count].dims, err);
    c->count++;
    return WL_OK;
}

/* Stable insertion by key; rows without figures go last. */
static void sort_rows(struct compare *c)
{
    for (int32_t i = 1; c->sort != NULL && i < c->count; i++) {
        struct wl_grid_row row = c->rows[i];
        int32_t at = i;
        while (at > 0) {
            const struct wl_grid_row *before = &c->rows[at - 1];
            double x = before->ok ? c->sort->get(before) : (double)INFINITY;
            double y = row.ok ? c->sort->get(&row) : (double)INFINITY;
            bool swap = row.ok && (!before->ok || (c->sort->smaller_is_better ? y < x : y > x));
            if (!swap) {
                break;
            }
            c->rows[at] = *before;
            at--;
        }
        c->rows[at] = row;
    }
}

static wl_status find_baseline(const struct compare *c, int32_t *out, struct wl_error *err)
{
    *out = WL_NONE;
    for (int32_t i = 0; c->baseline != NULL && i < c->count; i++) {
        if (strcmp(c->rows[i].device, c->baseline) == 0) {
            *out = i;
            return WL_OK;
        }
    }
    return c->baseline == NULL
               ? WL_OK
               : wl_fail(err, WL_ERR_USAGE, "--baseline",
                         "\"%.60s\" is not among the rows; name one of the devices by its id",
                         c->baseline);
}

/* ---- why ---------------------------------------------------------------------------------------
 */

struct pair_side {
    struct wl_prepared prepared;
    struct wl_result result;
    struct wl_device device;
    bool done;
};

static wl_status analyze_side(struct compare *c, const struct wl_grid_row *row,
                              struct wl_model *model, struct pair_side *side, struct wl_error *err)
{
    struct wl_target target;
    struct wl_request request = c->a.request;
    WL_TRY(wl_target_resolve(&c->registry, row->device, &request, &target, err));
    side->device = target.device;
    request.measured = target.calibration;
    WL_TRY(wl_prepare_partition(model, &model->arena, &request, target.runtime,
                                wl_device_on_chip_bytes(&side->device), &side->prepared, err));
    WL_TRY(
        wl_analyze(&side->prepared, &side->device, target.runtime, &request, &side->result, err));
    side->done = true;
    return WL_OK;
}

/* The first two rows that ran, of the same model. */
static void explain_first_two(struct compare *c, struct wl_model *model, struct wl_buf *out)
{
    const struct wl_grid_row *pair[2] = {NULL, NULL};
    int found = 0;
    for (int32_t i = 0; i < c->count && found < 2; i++) {
        if (c->rows[i].ok) {
            pair[found++] = &c->rows[i];
        }
    }
    struct pair_side *sides = WL_ARRAY(&c->a.arena, struct pair_side, 2);
    struct wl_error err;
    if (found == 2 && sides != NULL && analyze_side(c, pair[0], model, &sides[0], &err) == WL_OK &&
        analyze_side(c, pair[1], model, &sides[1], &err) == WL_OK) {
        wl_report_why(&sides[0].result, &sides[1].result, out);
    }
    for (int i = 0; sides != NULL && i < 2; i++) {
        if (sides[i].done) {
            wl_result_done(&sides[i].result);
        }
    }
}

/* ---- views that need whole results --------------------------------------------------------------
 */

/* The rows' results, analysed again with all their parts; `runs` has room for every row. */
static wl_status run_rows(struct compare *c, const struct wl_grid_model *models,
                          int32_t model_count, struct wl_cli_run *runs,
                          const struct wl_result **results, struct wl_error *err)
{
    for (int32_t i = 0; i < c->count; i++) {
        struct wl_request request = c->a.request;
        const struct wl_grid_model *m = &models[0];
        for (int32_t k = 0; k < model_count; k++) {
            m = strcmp(models[k].name, c->rows[i].model) == 0 ? &models[k] : m;
        }
        request.model = m->path;
        request.model_name = m->name;
        request.default_dims = m->default_dims;
        request.default_dim_count = m->default_dim_count;
        if (c->rows[i].ok) {
            WL_TRY(wl_cli_run(&c->registry, c->rows[i].device, &request, &runs[i], err));
            results[i] = &runs[i].result;
        }
    }
    return WL_OK;
}

static wl_status write_report(struct compare *c, const struct wl_comparison *view,
                              struct wl_error *err)
{
    struct wl_buf text;
    wl_buf_init(&text);
    wl_status status = wl_report_comparison(view, &c->a.report, &text, err);
    if (status == WL_OK && (!c->a.quiet || c->a.output != NULL)) {
        status = wl_cli_output(c->a.output, &text, err);
    }
    wl_buf_done(&text);
    return status;
}

static wl_status print_with_views(struct compare *c, const struct wl_grid_model *models,
                                  int32_t model_count, struct wl_comparison *view,
                                  struct wl_error *err)
{
    if ((c->a.report.views & (WL_VIEW_LAYERS | WL_VIEW_ENERGY)) == 0) {
        return write_report(c, view, err);
    }
    struct wl_cli_run *runs = WL_ARRAY(&c->a.arena, struct wl_cli_run, c->count);
    const struct wl_result **results =
        wl_arena_array(&c->a.arena, (size_t)c->count, sizeof(*results));
    WL_TRY_PTR(runs, err);
    WL_TRY_PTR(results, err);
    wl_status status = run_rows(c, models, model_count, runs, results, err);
    if (status == WL_OK) {
        view->results = results;
        status = write_report(c, view, err);
    }
    for (int32_t i = 0; i < c->count; i++) {
        wl_cli_run_done(&runs[i]);
    }
    return status;
}

static wl_status print(struct compare *c, const struct wl_grid_model *models, int32_t model_count,
                       struct wl_error *err)
{
    struct wl_buf why;
    struct wl_model model;
    struct wl_comparison view = {.rows = c->rows, .count = c->count};
    bool *pareto = WL_ARRAY(&c->a.arena, bool, c->count);
    WL_TRY_PTR(pareto, err);
    wl_grid_pareto(c->rows, c->count, pareto);
    WL_TRY(find_baseline(c, &view.baseline, err));
    view.pareto = pareto;
    view.many_models = model_count > 1;
    view.model_name = model_count > 1 ? "several models" : models[0].name;
    if (model_count > 1) {
        return print_with_views(c, models, model_count, &view, err);
    }
    c->a.request.model = models[0].path;
    c->a.request.model_name = models[0].name;
    c->a.request.default_dims = models[0].default_dims;
    c->a.request.default_dim_count = models[0].default_dim_count;
    WL_TRY(wl_prepare_model(&c->a.request, &model, err));
    wl_buf_init(&why);
    view.model = &model;
    explain_first_two(c, &model, &why);
    view.why = why.len > 0 && !why.failed ? why.data : NULL;
    wl_status status = print_with_views(c, models, model_count, &view, err);
    wl_buf_done(&why);
    wl_model_done(&model);
    return status;
}

static wl_status compare(struct compare *c, const char *names, struct wl_error *err)
{
    struct wl_grid grid = {.base = &c->a.request};
    struct wl_grid_plan plan;
    const char **devices = WL_ARRAY(&c->a.arena, const char *, LIST_MAX);
    struct wl_grid_model *models = WL_ARRAY(&c->a.arena, struct wl_grid_model, LIST_MAX);
    WL_TRY_PTR(devices, err);
    WL_TRY_PTR(models, err);
    WL_TRY(wl_cli_open_registry(&c->a, &c->registry, err));
    c->registry_open = true;
    WL_TRY(find_devices(c, devices, &grid.device_count, err));
    WL_TRY(find_models(c, names, models, &grid.model_count, err));
    grid.devices = devices;
    grid.models = models;
    if (c->a.request.power_mode != NULL) {
        grid.modes = &c->a.request.power_mode;
        grid.mode_count = 1;
    }
    WL_TRY(wl_grid_plan(&grid, &c->registry, &plan, err));
    wl_status status = wl_grid_run(&plan, (int32_t)c->a.jobs, NULL, keep_row, c, err);
    if (status == WL_OK) {
        sort_rows(c);
        status = print(c, models, grid.model_count, err);
    }
    wl_grid_plan_done(&plan);
    return status;
}

int wl_cmd_compare(int argc, char **argv)
{
    static const struct wl_option *const tables[] = {compare_options, wl_device_options,
                                                     wl_model_options, NULL};
    struct compare c = {0};
    struct wl_error err;
    int32_t count = 0;
    int code = WL_EXIT_OK;
    wl_cli_analysis_init(&c.a);
    struct wl_cli_parse parse = {
        .command = "compare",
        .synopsis = "MODEL[,MODEL...] --hw ID,ID,... | --class C | --all [options]",
        .summary = "One model on many devices (or several on one), side by side. For example:\n"
                   "  wattline compare resnet50 --hw h100,a100,orin_agx --precision fp16\n"
                   "  wattline compare mobilenet_v2 --all --max-power 15 --sort energy\n"
                   "  wattline compare resnet18 --hw a100,tpu_v4,kpu_t256 --view layers,energy",
        .tables = tables,
        .target = &c,
        .positional_min = 1,
        .positional_max = 1};
    if (wl_cli_parse_options(&parse, argc, argv, &count, &code) == WL_OK &&
        compare(&c, argv[1], &err) != WL_OK) {
        code = wl_cli_error(&err);
    }
    if (c.registry_open) {
        wl_registry_close(&c.registry);
    }
    wl_cli_analysis_done(&c.a);
    return code;
}
