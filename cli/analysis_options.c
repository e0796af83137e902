/* SPDX-License-Identifier: Apache-2.0 */
/* cli/analysis_options.c: tables and setters of the options that commands on models share. */
#include "analysis_options.h"

#include <string.h>
#include <unistd.h>

#define BATCH_MAX 1000000000

static struct wl_cli_analysis *self(void *target)
{
    return target;
}

/* ---- model options -----------------------------------------------------------------------------
 */

static wl_status set_batch(void *target, const char *value, struct wl_error *err)
{
    return wl_cli_parse_int("--batch", value, 1, BATCH_MAX, &self(target)->request.batch, err);
}

static wl_status set_dim(void *target, const char *value, struct wl_error *err)
{
    struct wl_cli_analysis *a = self(target);
    const char *equals = strrchr(value, '=');
    if (equals == NULL || equals == value) {
        return wl_fail(err, WL_ERR_USAGE, "--dim", "\"%.60s\" is not NAME=N; write --dim T=128",
                       value);
    }
    if (a->request.dim_count >= WL_CLI_DIMS_MAX) {
        return wl_fail(err, WL_ERR_USAGE, "--dim", "is given more than %d times; fewer would do",
                       WL_CLI_DIMS_MAX);
    }
    int64_t n;
    WL_TRY(wl_cli_parse_int("--dim", equals + 1, 0, INT64_C(1) << 40, &n, err));
    const char *name = wl_arena_strndup(&a->arena, value, (size_t)(equals - value));
    WL_TRY_PTR(name, err);
    a->dims[a->request.dim_count++] = (struct wl_dim_binding){name, n};
    a->request.dims = a->dims;
    return WL_OK;
}

static wl_status set_fusion(void *target, const char *value, struct wl_error *err)
{
    if (!wl_partition_profile_known(value)) {
        int32_t count;
        char near[160];
        const char *const *names = wl_partition_profiles(&count);
        wl_nearest_names(value, names, count, 4, near, sizeof(near));
        return wl_fail(err, WL_ERR_USAGE, "--fusion", "\"%.60s\" is not a profile; %s%s", value,
                       near[0] != '\0' ? "near: " : "basic is one", near);
    }
    self(target)->request.fusion = value;
    return WL_OK;
}

static wl_status set_format(void *target, const char *value, struct wl_error *err)
{
    enum wl_format f = wl_format_find(value);
    if (f == WL_FORMAT_COUNT) {
        return wl_fail(
            err, WL_ERR_USAGE, "--format",
            "\"%.60s\" is not a format; text, json, csv, md (analyze: trace; graph: dot) are",
            value);
    }
    self(target)->report.format = f;
    return WL_OK;
}

static wl_status set_output(void *target, const char *value, struct wl_error *err)
{
    (void)err;
    self(target)->output = value;
    return WL_OK;
}

static wl_status set_strict(void *target, const char *value, struct wl_error *err)
{
    (void)value;
    (void)err;
    self(target)->strict = true;
    return WL_OK;
}

static wl_status set_quiet(void *target, const char *value, struct wl_error *err)
{
    (void)value;
    (void)err;
    self(target)->quiet = true;
    return WL_OK;
}

static wl_status set_jobs(void *target, const char *value, struct wl_error *err)
{
    return wl_cli_parse_int("--jobs", value, 1, 4096, &self(target)->jobs, err);
}

static wl_status set_registry(void *target, const char *value, struct wl_error *err)
{
    (void)err;
    self(target)->registry = value;
    return WL_OK;
}

static wl_status set_models(void *target, const char *value, struct wl_error *err)
{
    if (!wl_path_is_dir(value)) {
        return wl_fail(err, WL_ERR_USAGE, "--models",
                       "%.200s is not a directory; name a folder of models", value);
    }
    self(target)->models = value;
    return WL_OK;
}

const struct wl_option wl_model_options[] = {
    {"batch", "N", "batch size (default 1, or the file's own)", set_batch},
    {"dim", "NAME=N", "bind another symbolic dimension; may be repeated", set_dim},
    {"fusion", "PROFILE", "fusion profile instead of the runtime's: none, basic ...", set_fusion},
    {"format", "F", "text, json, csv or md; analyze: trace (Perfetto)", set_format},
    {"output", "FILE", "write there instead of standard output", set_output},
    {"strict", NULL, "any warning ends with exit code 3", set_strict},
    {"quiet", NULL, "no report on success: only the exit code (with --output: the file)",
     set_quiet},
    {"jobs", "N", "threads of wattline itself", set_jobs},
    {"registry", "DIR", "device registry instead of the one beside the program", set_registry},
    {"models", "DIR", "model zoo instead of the one beside the program", set_models},
    {NULL, NULL, NULL, NULL}};

/* ---- device options ----------------------------------------------------------------------------
 */

static wl_status set_hw(void *target, const char *value, struct wl_error *err)
{
    (void)err;
    self(target)->hw = value;
    return WL_OK;
}

static wl_status parse_precision(const char *option, const char *value, enum wl_precision *out,
                                 struct wl_error *err)
{
    if (strcmp(value, "native") == 0) {
        *out = WL_PREC_NATIVE;
        return WL_OK;
    }
    enum wl_precision p = wl_precision_find(value);
    if (p == WL_PREC_COUNT) {
        return wl_fail(err, WL_ERR_USAGE, option,
                       "\"%.60s\" is not a precision; native, fp64, fp32, tf32, fp16, bf16, fp8, "
                       "fp4, int64, int32, int16, int8, int4 are",
                       value);
    }
    *out = p;
    return WL_OK;
}

static wl_status set_precision(void *target, const char *value, struct wl_error *err)
{
    return parse_precision("--precision", value, &self(target)->request.precision.activations, err);
}

static wl_status set_weight_precision(void *target, const char *value, struct wl_error *err)
{
    return parse_precision("--weight-precision", value, &self(target)->request.precision.weights,
                           err);
}

static wl_status set_kv_precision(void *target, const char *value, struct wl_error *err)
{
    return parse_precision("--kv-precision", value, &self(target)->request.precision.kv, err);
}

static wl_status set_power_mode(void *target, const char *value, struct wl_error *err)
{
    (void)err;
    self(target)->request.power_mode = value;
    return WL_OK;
}

static wl_status set_threads(void *target, const char *value, struct wl_error *err)
{
    int64_t n;
    WL_TRY(wl_cli_parse_int("--threads", value, 1, 1000000, &n, err));
    self(target)->request.threads = (int32_t)n;
    return WL_OK;
}

static wl_status set_runtime(void *target, const char *value, struct wl_error *err)
{
    (void)err;
    self(target)->request.runtime = value;
    return WL_OK;
}

static wl_status set_calibration(void *target, const char *value, struct wl_error *err)
{
    (void)err;
    self(target)->request.calibration = value;
    return WL_OK;
}

static wl_status set_cold(void *target, const char *value, struct wl_error *err)
{
    (void)value;
    (void)err;
    self(target)->request.cold = true;
    return WL_OK;
}

static wl_status set_gating(void *target, const char *value, struct wl_error *err)
{
    (void)value;
    (void)err;
    self(target)->request.power_gating = true;
    return WL_OK;
}

static wl_status set_dataflow(void *target, const char *value, struct wl_error *err)
{
    static const struct {
        const char *name;
        enum wl_dataflow dataflow;
    } table[] = {{"weight-stationary", WL_DATAFLOW_WS},
                 {"output-stationary", WL_DATAFLOW_OS},
                 {"input-stationary", WL_DATAFLOW_IS},
                 {"row-stationary", WL_DATAFLOW_RS}};
    for (size_t i = 0; i < WL_ARRAY_LEN(table); i++) {
        if (strcmp(value, table[i].name) == 0) {
            self(target)->request.dataflow = table[i].dataflow;
            return WL_OK;
        }
    }
    return wl_fail(err, WL_ERR_USAGE, "--dataflow",
                   "\"%.60s\" is none; weight-stationary, output-stationary, input-stationary, "
                   "row-stationary are",
                   value);
}

static wl_status set_view(void *target, const char *value, struct wl_error *err)
{
    uint32_t views = 0;
    for (const char *at = value; *at != '\0';) {
        char name[32];
        size_t len = strcspn(at, ",");
        uint32_t view = 0;
        if (len > 0 && len < sizeof(name)) {
            memcpy(name, at, len);
            name[len] = '\0';
            view = wl_view_find(name);
        }
        if (view == 0) {
            return wl_fail(err, WL_ERR_USAGE, "--view",
                           "\"%.*s\" is not a view; summary, layers, energy, roofline, memory, "
                           "concurrency, advice are",
                           (int)(len < 40 ? len : 40), at);
        }
        views |= view;
        at += len + (at[len] == ',' ? 1 : 0);
    }
    self(target)->report.views = views;
    return WL_OK;
}

static wl_status set_explain(void *target, const char *value, struct wl_error *err)
{
    (void)err;
    self(target)->explain = value;
    return WL_OK;
}

const struct wl_option wl_device_options[] = {
    {"hw", "ID", "device: a registry id, an alias, or the path of a spec.json", set_hw},
    {"precision", "P", "compute and store floating-point tensors in P (default native)",
     set_precision},
    {"weight-precision", "P", "store weights in P", set_weight_precision},
    {"kv-precision", "P", "store the KV cache in P", set_kv_precision},
    {"power-mode", "M", "power mode of the device (hw show ID lists them)", set_power_mode},
    {"threads", "N", "cores used on a CPU (default all)", set_threads},
    {"runtime", "NAME", "runtime profile: generic, onnxruntime, tensorrt ...", set_runtime},
    {"calibration", "K=V,..", "such as power_mode=25W,framework=pytorch (default: newest); or none",
     set_calibration},
    {"cold", NULL, "the first inference, nothing resident, instead of the steady state", set_cold},
    {"power-gating", NULL, "switch idle units off where the device can", set_gating},
    {"dataflow", "D", "of a systolic array: weight-, output-, input- or row-stationary",
     set_dataflow},
    {"view", "V,..", "summary, layers, energy, roofline, memory, concurrency, advice", set_view},
    {"explain", "SUBGRAPH", "print the arithmetic of one subgraph (id or name)", set_explain},
    {NULL, NULL, NULL, NULL}};

/* ---- shared steps
 * -------------------------------------------------------------------------------- */

void wl_cli_analysis_init(struct wl_cli_analysis *a)
{
    memset(a, 0, sizeof(*a));
    wl_arena_init(&a->arena, 0);
    a->request.precision =
        (struct wl_precision_policy){WL_PREC_NATIVE, WL_PREC_NATIVE, WL_PREC_NATIVE};
    a->report = (struct wl_report_options){
        .format = WL_FORMAT_TEXT, .views = WL_VIEW_SUMMARY, .width = 100};
}

void wl_cli_analysis_done(struct wl_cli_analysis *a)
{
    wl_arena_done(&a->arena);
}

wl_status wl_cli_check_strict(const struct wl_cli_analysis *a, const struct wl_diag_list *diags,
                              struct wl_error *err)
{
    if (!a->strict || !wl_diag_has(diags, WL_SEV_WARNING)) {
        return WL_OK;
    }
    for (int32_t i = 0; i < diags->count; i++) {
        if (diags->items[i].severity >= WL_SEV_WARNING) {
            return wl_fail(err, WL_ERR_UNSUPPORTED, diags->items[i].where,
                           "%s (%s); without --strict it is reported and left out",
                           diags->items[i].message, diags->items[i].code);
        }
    }
    return wl_fail(err, WL_ERR_UNSUPPORTED, "diagnostics", "too many to list");
}
