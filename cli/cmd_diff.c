/* SPDX-License-Identifier: Apache-2.0 */
/* cli/cmd_diff.c: two results, or two analyses made on the spot, against each other. */
#include <stdio.h>
#include <string.h>

#include "analysis_run.h"
#include "diff.h"

#define CONDITIONS_MAX 32

/* An option with one value for both sides or one for each. */
struct pair {
    const char *side[2];
};

struct diff {
    struct wl_cli_analysis a; /* first: the shared setters take this address */
    struct pair hw, precision, batch, power_mode, runtime, fusion, threads;
    const char *conditions[CONDITIONS_MAX];
    int32_t condition_count;
    bool full;
    struct wl_registry registry;
    bool registry_open;
    struct wl_buf sides[2];
};

static struct diff *self(void *target)
{
    return target;
}

/* ---- options -----------------------------------------------------------------------------------
 */

/* "A" or "A,B" */
static wl_status set_pair(struct diff *d, const char *option, const char *value, struct pair *out,
                          struct wl_error *err)
{
    size_t len = strcspn(value, ",");
    const char *rest = value[len] == ',' ? value + len + 1 : value;
    if (len == 0 || *rest == '\0' || (rest != value && strchr(rest, ',') != NULL)) {
        return wl_fail(err, WL_ERR_USAGE, option, "\"%.60s\" is not one value or two; write %s A,B",
                       value, option);
    }
    out->side[0] = wl_arena_strndup(&d->a.arena, value, len);
    out->side[1] = rest == value ? out->side[0] : rest;
    WL_TRY_PTR(out->side[0], err);
    return WL_OK;
}

static wl_status set_hw(void *t, const char *value, struct wl_error *err)
{
    return set_pair(self(t), "--hw", value, &self(t)->hw, err);
}

static wl_status set_precision(void *t, const char *value, struct wl_error *err)
{
    return set_pair(self(t), "--precision", value, &self(t)->precision, err);
}

static wl_status set_batch(void *t, const char *value, struct wl_error *err)
{
    return set_pair(self(t), "--batch", value, &self(t)->batch, err);
}

static wl_status set_power_mode(void *t, const char *value, struct wl_error *err)
{
    return set_pair(self(t), "--power-mode", value, &self(t)->power_mode, err);
}

static wl_status set_runtime(void *t, const char *value, struct wl_error *err)
{
    return set_pair(self(t), "--runtime", value, &self(t)->runtime, err);
}

static wl_status set_fusion(void *t, const char *value, struct wl_error *err)
{
    return set_pair(self(t), "--fusion", value, &self(t)->fusion, err);
}

static wl_status set_threads(void *t, const char *value, struct wl_error *err)
{
    return set_pair(self(t), "--threads", value, &self(t)->threads, err);
}

/* Several may be given, with commas or by repeating the option. */
static wl_status set_fail_if(void *t, const char *value, struct wl_error *err)
{
    struct diff *d = self(t);
    for (const char *at = value;; at++) {
        size_t len = strcspn(at, ",");
        if (d->condition_count >= CONDITIONS_MAX) {
            return wl_fail(err, WL_ERR_USAGE, "--fail-if", "more than %d conditions are given",
                           CONDITIONS_MAX);
        }
        const char *condition = wl_arena_strndup(&d->a.arena, at, len);
        WL_TRY_PTR(condition, err);
        d->conditions[d->condition_count++] = condition;
        at += len;
        if (*at == '\0') {
            return WL_OK;
        }
    }
}

static wl_status set_full(void *t, const char *value, struct wl_error *err)
{
    (void)value;
    (void)err;
    self(t)->full = true;
    return WL_OK;
}

static const struct wl_option diff_options[] = {
    {"fail-if", "EXPR", "exit code 5 when it holds: 'latency_s>+5%', 'energy_j>0.1'; repeatable",
     set_fail_if},
    {"full", NULL, "text and md: every subgraph, not only the largest differences", set_full},
    {"hw", "A[,B]", "device of both analyses, or of each", set_hw},
    {"precision", "P[,Q]", "precision of both, or of each", set_precision},
    {"batch", "N[,M]", "batch size of both, or of each", set_batch},
    {"power-mode", "M[,N]", "power mode of both, or of each", set_power_mode},
    {"runtime", "R[,S]", "runtime profile of both, or of each", set_runtime},
    {"fusion", "F[,G]", "fusion profile of both, or of each", set_fusion},
    {"threads", "N[,M]", "cores used on a CPU by both, or by each", set_threads},
    {NULL, NULL, NULL, NULL}};

/* ---- sides -------------------------------------------------------------------------------------
 */

static bool is_result_file(const char *name)
{
    size_t len = strlen(name);
    return len > 5 && strcmp(name + len - 5, ".json") == 0;
}

static wl_status parse_precision(const char *text, enum wl_precision *out, struct wl_error *err)
{
    *out = strcmp(text, "native") == 0 ? WL_PREC_NATIVE : wl_precision_find(text);
    if (*out == WL_PREC_COUNT && strcmp(text, "native") != 0) {
        return wl_fail(err, WL_ERR_USAGE, "--precision", "\"%.40s\" is not a precision", text);
    }
    return WL_OK;
}

static wl_status side_request(const struct diff *d, int side, struct wl_request *r,
                              struct wl_error *err)
{
    *r = d->a.request;
    if (d->precision.side[side] != NULL) {
        WL_TRY(parse_precision(d->precision.side[side], &r->precision.activations, err));
    }
    if (d->batch.side[side] != NULL) {
        WL_TRY(wl_cli_parse_int("--batch", d->batch.side[side], 1, 1000000000, &r->batch, err));
    }
    if (d->threads.side[side] != NULL) {
        int64_t n;
        WL_TRY(wl_cli_parse_int("--threads", d->threads.side[side], 1, 1000000, &n, err));
        r->threads = (int32_t)n;
    }
    r->power_mode = d->power_mode.side[side];
    r->runtime = d->runtime.side[side];
    r->fusion = d->fusion.side[side];
    return WL_OK;
}

/* The result as JSON: the same text that analyze writes. */
static wl_status analyze_side(struct diff *d, const char *model, int side, struct wl_error *err)
{
    struct wl_request request;
    struct wl_cli_run run;
    const struct wl_report_options json = {.format = WL_FORMAT_JSON, .width = 100};
    if (d->hw.side[side] == NULL) {
        return wl_fail(err, WL_ERR_USAGE, "--hw",
                       "names the device and is missing; write diff MODEL --hw A,B, or give two "
                       "results: diff A.json B.json");
    }
    d->a.request.default_dims = NULL;
    d->a.request.default_dim_count = 0;
    WL_TRY(wl_cli_resolve_model(&d->a, model, err));
    WL_TRY(side_request(d, side, &request, err));
    if (!d->registry_open) {
        WL_TRY(wl_cli_open_registry(&d->a, &d->registry, err));
        d->registry_open = true;
    }
    WL_TRY(wl_cli_run(&d->registry, d->hw.side[side], &request, &run, err));
    wl_status status = wl_cli_check_strict(&d->a, &run.result.diags, err);
    if (status == WL_OK) {
        status = wl_report_analysis(&run.result, request.model_name, &json, &d->sides[side], err);
    }
    wl_cli_run_done(&run);
    return status;
}

static wl_status load_side(struct diff *d, const char *name, int side, struct wl_error *err)
{
    if (!is_result_file(name)) {
        return analyze_side(d, name, side, err);
    }
    struct wl_file file;
    WL_TRY(wl_file_open(name, &file, err));
    if (file.bytes > 0) {
        wl_buf_add(&d->sides[side], (const char *)file.data, file.bytes);
    }
    wl_file_close(&file);
    return d->sides[side].failed ? wl_fail_nomem(err) : WL_OK;
}

static bool differs(const struct pair *p)
{
    return p->side[0] != NULL && strcmp(p->side[0], p->side[1]) != 0;
}

/* One argument: a model, with at least one list of two different values. */
static wl_status check_arguments(const struct diff *d, const char *const names[2], bool one,
                                 struct wl_error *err)
{
    bool lists = differs(&d->hw) || differs(&d->precision) || differs(&d->batch) ||
                 differs(&d->power_mode) || differs(&d->runtime) || differs(&d->fusion) ||
                 differs(&d->threads);
    if (one && (is_result_file(names[0]) || !lists)) {
        return wl_fail(err, WL_ERR_USAGE, "diff",
                       "has nothing to compare; write diff A.json B.json, or diff MODEL with two "
                       "values of an option: --hw A,B or --precision fp32,fp16");
    }
    return WL_OK;
}

/* ---- running -----------------------------------------------------------------------------------
 */

static wl_status check_conditions(const struct diff *d, const struct wl_diff *result, bool *held,
                                  struct wl_error *err)
{
    struct wl_buf why;
    wl_status status = WL_OK;
    *held = false;
    wl_buf_init(&why);
    for (int32_t i = 0; status == WL_OK && i < d->condition_count; i++) {
        bool holds = false;
        status = wl_diff_check(result, d->conditions[i], &holds, &why, err);
        *held = *held || (status == WL_OK && holds);
    }
    if (status == WL_OK && *held) {
        (void)fprintf(stderr, "wattline: --fail-if: %s\n", why.failed ? "holds" : why.data);
    }
    wl_buf_done(&why);
    return status;
}

static wl_status report(const struct diff *d, const struct wl_diff *result, struct wl_error *err)
{
    struct wl_buf text;
    wl_buf_init(&text);
    wl_status status = wl_report_diff(result, &d->a.report, d->full, &text, err);
    if (status == WL_OK && (!d->a.quiet || d->a.output != NULL)) {
        status = wl_cli_output(d->a.output, &text, err);
    }
    wl_buf_done(&text);
    return status;
}

static wl_status diff(struct diff *d, const char *const names[2], bool one, bool *held,
                      struct wl_error *err)
{
    struct wl_diff result;
    WL_TRY(check_arguments(d, names, one, err));
    for (int side = 0; side < 2; side++) {
        WL_TRY(load_side(d, names[side], side, err));
    }
    struct wl_str a = {d->sides[0].data, d->sides[0].len};
    struct wl_str b = {d->sides[1].data, d->sides[1].len};
    WL_TRY(wl_diff_results(names[0], a, names[1], b, &result, err));
    wl_status status = report(d, &result, err);
    if (status == WL_OK) {
        status = check_conditions(d, &result, held, err);
    }
    wl_diff_done(&result);
    return status;
}

static void diff_done(struct diff *d)
{
    wl_buf_done(&d->sides[0]);
    wl_buf_done(&d->sides[1]);
    if (d->registry_open) {
        wl_registry_close(&d->registry);
    }
    wl_cli_analysis_done(&d->a);
}

int wl_cmd_diff(int argc, char **argv)
{
    static const struct wl_option *const tables[] = {diff_options, wl_model_options, NULL};
    struct diff d;
    struct wl_error err;
    int32_t count = 0;
    int code = WL_EXIT_OK;
    bool held = false;
    memset(&d, 0, sizeof(d));
    wl_cli_analysis_init(&d.a);
    wl_buf_init(&d.sides[0]);
    wl_buf_init(&d.sides[1]);
    struct wl_cli_parse parse = {
        .command = "diff",
        .synopsis = "A.json B.json | MODEL [MODEL] --hw A[,B] [options]",
        .summary = "Two results against each other: totals first, then subgraphs by name. Results "
                   "are files of\nanalyze --format json; a model is analysed on the spot, and each "
                   "option may have a value per side.\nFor example:\n"
                   "  wattline diff resnet50 --hw a100 --precision fp32,fp16\n"
                   "  wattline diff resnet50 --hw a100 --batch 1,8 --format md\n"
                   "  wattline diff before.json after.json --fail-if 'latency_s>+5%'",
        .tables = tables,
        .target = &d,
        .positional_min = 1,
        .positional_max = 2};
    if (wl_cli_parse_options(&parse, argc, argv, &count, &code) == WL_OK) {
        const char *const names[2] = {argv[1], count > 1 ? argv[2] : argv[1]};
        if (diff(&d, names, count < 2, &held, &err) != WL_OK) {
            code = wl_cli_error(&err);
        } else if (held) {
            code = WL_EXIT_FAIL_IF;
        }
    }
    diff_done(&d);
    return code;
}
