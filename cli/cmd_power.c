/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/cmd_power.c: `wattline power ID`: the power modes of a device side by side, from
 * calibrations; where there are none, by prediction for a --model. `--list` names devices with
 * several.
 */
#include <stdio.h>
#include <string.h>

#include "analysis_options.h"
#include "hardware.h"
#include "report.h"

struct power {
    struct wl_cli_analysis analysis; /* --model runs through the same request as analyze */
    struct wl_registry registry;
    const char *model, *framework, *csv, *registry_dir, *output;
    enum wl_format format;
    bool list, detailed;
};

static struct power *self(void *target)
{
    return target;
}

#define SETTER(name, member)                                                                       \
    static wl_status set_##name(void *target, const char *value, struct wl_error *err)             \
    {                                                                                              \
        (void)err;                                                                                 \
        self(target)->member = value;                                                              \
        return WL_OK;                                                                              \
    }
SETTER(model, model)
SETTER(framework, framework)
SETTER(csv, csv)
SETTER(registry, registry_dir)
SETTER(output, output)
SETTER(models, analysis.models)

static wl_status set_list(void *target, const char *value, struct wl_error *err)
{
    (void)value;
    (void)err;
    self(target)->list = true;
    return WL_OK;
}

static wl_status set_detailed(void *target, const char *value, struct wl_error *err)
{
    (void)value;
    (void)err;
    self(target)->detailed = true;
    return WL_OK;
}

static wl_status set_format(void *target, const char *value, struct wl_error *err)
{
    enum wl_format f = wl_format_find(value);
    if (f != WL_FORMAT_TEXT && f != WL_FORMAT_JSON) {
        return wl_fail(err, WL_ERR_USAGE, "--format", "\"%.40s\" is not one; text, json are",
                       value);
    }
    self(target)->format = f;
    return WL_OK;
}

static wl_status set_batch(void *target, const char *value, struct wl_error *err)
{
    return wl_cli_parse_int("--batch", value, 1, 1000000000, &self(target)->analysis.request.batch,
                            err);
}

static wl_status set_precision(void *target, const char *value, struct wl_error *err)
{
    enum wl_precision p = wl_precision_find(value);
    if (p == WL_PREC_COUNT) {
        return wl_fail(err, WL_ERR_USAGE, "--precision",
                       "\"%.40s\" is not one; fp64 fp32 tf32 fp16 bf16 fp8 fp4 int8 int4 are",
                       value);
    }
    self(target)->analysis.request.precision.activations = p;
    return WL_OK;
}

static const struct wl_option options[] = {
    {"list", NULL, "devices with several calibrations", set_list},
    {"framework", "F", "only calibrations of this framework", set_framework},
    {"detailed", NULL, "every operation and size beside the best ones", set_detailed},
    {"model", "MODEL", "compare the modes by prediction for this model", set_model},
    {"batch", "N", "with --model: batch size", set_batch},
    {"precision", "P", "with --model: precision", set_precision},
    {"models", "DIR", "model zoo instead of the one beside the program", set_models},
    {"csv", "F", "write the rows to this file as well", set_csv},
    {"format", "F", "text or json", set_format},
    {"output", "FILE", "instead of standard output", set_output},
    {"registry", "DIR", "device registry instead of the one beside the program", set_registry},
    {NULL, NULL, NULL, NULL}};

/* ---- from calibrations
 * ---------------------------------------------------------------------------- */

static void emit_measure(struct wl_emitter *e, const char *key, struct wl_power_measure m)
{
    wl_json_object(e, key);
    wl_json_num(e, "ops_per_s", m.ops_per_s);
    wl_json_num(e, "bytes_per_s", m.bytes_per_s);
    wl_json_close(e, '}');
}

static void emit_entries(struct wl_emitter *e, const struct wl_power_profile *p)
{
    wl_json_array(e, "calibrations");
    for (int32_t i = 0; i < p->calibration_count; i++) {
        const struct wl_calibration *c = p->calibrations[i];
        wl_json_object(e, NULL);
        wl_json_str(e, "power_mode", c->power_mode);
        wl_json_str(e, "name", c->name);
        wl_json_array(e, "entries");
        for (int32_t k = 0; k < c->entry_count; k++) {
            const struct wl_calibration_entry *x = &c->entries[k];
            wl_json_object(e, NULL);
            wl_json_str(e, "operation", x->operation);
            wl_json_str(e, "precision", wl_precision_name(x->precision));
            wl_json_num(e, "m", x->sizes.m);
            wl_json_num(e, "n", x->sizes.n);
            wl_json_num(e, "k", x->sizes.k);
            wl_json_bool(e, "supported", x->supported);
            wl_json_num(e, "time_s", x->time_s);
            wl_json_num(e, "ops_per_s", x->ops_per_s);
            wl_json_num(e, "bytes_per_s", x->bytes_per_s);
            wl_json_close(e, '}');
        }
        wl_json_close(e, ']');
        wl_json_close(e, '}');
    }
    wl_json_close(e, ']');
}

static void profile_json(const struct power *o, const struct wl_power_profile *p,
                         struct wl_buf *out)
{
    struct wl_emitter e;
    wl_json_begin(&e, out);
    wl_json_int(&e, "schema_version", 1);
    wl_json_str(&e, "device", p->device);
    wl_json_array(&e, "precisions");
    for (int32_t i = 0; i < p->table_count; i++) {
        const struct wl_power_table *t = &p->tables[i];
        wl_json_object(&e, NULL);
        wl_json_str(&e, "precision", wl_precision_name(t->precision));
        wl_json_array(&e, "rows");
        for (int32_t r = 0; r < t->row_count; r++) {
            const struct wl_power_row *row = &t->rows[r];
            wl_json_object(&e, NULL);
            wl_json_str(&e, "power_mode", row->power_mode);
            wl_json_num(&e, "clock_hz", row->clock_hz);
            wl_json_num(&e, "peak_ops_per_s", row->peak_ops_per_s);
            wl_json_num(&e, "bandwidth_bytes_per_s", row->bandwidth_bytes_per_s);
            emit_measure(&e, "axpy", row->axpy);
            emit_measure(&e, "gemv", row->gemv);
            emit_measure(&e, "gemm", row->gemm);
            wl_json_num(&e, "power_w", row->power_w);
            wl_json_bool(&e, "power_estimated", row->power_estimated);
            wl_json_num(&e, "gemm_ops_per_j", row->gemm_ops_per_j);
            wl_json_close(&e, '}');
        }
        wl_json_close(&e, ']');
        wl_json_close(&e, '}');
    }
    wl_json_close(&e, ']');
    wl_json_array(&e, "scaling");
    for (int32_t i = 0; i < p->scaling_count; i++) {
        const struct wl_power_scaling *s = &p->scaling[i];
        wl_json_object(&e, NULL);
        wl_json_str(&e, "from", s->from);
        wl_json_str(&e, "to", s->to);
        wl_json_num(&e, "power_ratio", s->power_ratio);
        wl_json_num(&e, "performance_ratio", s->performance_ratio);
        wl_json_num(&e, "efficiency_change", s->efficiency_change);
        wl_json_close(&e, '}');
    }
    wl_json_close(&e, ']');
    if (o->detailed) {
        emit_entries(&e, p);
    }
    wl_json_end(&e);
}

static void profile_csv(const struct wl_power_profile *p, struct wl_buf *out)
{
    wl_buf_puts(out,
                "device,precision,power_mode,clock_hz,peak_ops_per_s,bandwidth_bytes_per_s,"
                "axpy_ops_per_s,axpy_bytes_per_s,gemv_ops_per_s,gemv_bytes_per_s,gemm_ops_per_s,"
                "gemm_bytes_per_s,power_w,power_estimated,gemm_ops_per_j\r\n");
    for (int32_t i = 0; i < p->table_count; i++) {
        const struct wl_power_table *t = &p->tables[i];
        for (int32_t r = 0; r < t->row_count; r++) {
            const struct wl_power_row *row = &t->rows[r];
            wl_buf_printf(
                out,
                "%s,%s,\"%s\",%.17g,%.17g,%.17g,%.17g,%.17g,%.17g,%.17g,%.17g,%.17g,%.17g,"
                "%s,%.17g\r\n",
                p->device, wl_precision_name(t->precision), row->power_mode, row->clock_hz,
                row->peak_ops_per_s, row->bandwidth_bytes_per_s, row->axpy.ops_per_s,
                row->axpy.bytes_per_s, row->gemv.ops_per_s, row->gemv.bytes_per_s,
                row->gemm.ops_per_s, row->gemm.bytes_per_s, row->power_w,
                row->power_estimated ? "true" : "false", row->gemm_ops_per_j);
        }
    }
}

static wl_status detailed_text(const struct wl_power_profile *p, struct wl_buf *out)
{
    static const char *const headings[] = {"mode", "operation", "precision", "size",
                                           "time", "op/s",      "B/s"};
    struct wl_table t;
    WL_TRY(wl_table_init(&t, 7, headings, "lllrrrr"));
    for (int32_t i = 0; i < p->calibration_count; i++) {
        const struct wl_calibration *c = p->calibrations[i];
        for (int32_t k = 0; k < c->entry_count; k++) {
            const struct wl_calibration_entry *e = &c->entries[k];
            char size[32], time[32], ops[32], bytes[32];
            if (!e->supported) {
                continue;
            }
            (void)snprintf(size, sizeof(size), "%lld", (long long)e->sizes.n);
            (void)wl_format_si(e->time_s, "s", time, sizeof(time));
            (void)wl_format_si(e->ops_per_s, "", ops, sizeof(ops));
            (void)wl_format_si(e->bytes_per_s, "", bytes, sizeof(bytes));
            const char *cells[] = {c->power_mode, e->operation, wl_precision_name(e->precision),
                                   size,          time,         ops,
                                   bytes};
            wl_table_row(&t, cells);
        }
    }
    wl_buf_puts(out, "\n");
    wl_table_print(&t, 100, WL_NONE, "", out);
    wl_table_done(&t);
    return WL_OK;
}

static wl_status show_profile(struct power *o, const struct wl_power_profile *p, struct wl_buf *out,
                              struct wl_error *err)
{
    if (o->csv != NULL) {
        struct wl_buf csv;
        wl_buf_init(&csv);
        profile_csv(p, &csv);
        wl_status status = csv.failed ? wl_fail_nomem(err) : wl_cli_output(o->csv, &csv, err);
        wl_buf_done(&csv);
        WL_TRY(status);
    }
    if (o->format == WL_FORMAT_JSON) {
        profile_json(o, p, out);
        return WL_OK;
    }
    wl_power_text(p, out);
    return o->detailed ? detailed_text(p, out) : WL_OK;
}

/* ---- by prediction
 * ----------------------------------------------------------------------------------- */

struct predicted {
    const char *mode;
    bool estimated;
    double tdp_w, latency_s, energy_j, power_w;
    int64_t flops;
};

static wl_status predict_mode(struct power *o, const struct wl_spec *spec, int32_t index,
                              struct predicted *out, struct wl_error *err)
{
    struct wl_device device;
    const struct wl_runtime *runtime = NULL;
    struct wl_model model;
    struct wl_prepared prepared;
    struct wl_result result;
    const struct wl_request *request = &o->analysis.request;
    WL_TRY(wl_spec_device(spec, wl_spec_mode_name(spec, index), &device, err));
    WL_TRY(wl_runtime_load(&o->registry, "generic", &runtime, err));
    WL_TRY(wl_prepare(request, runtime, wl_device_on_chip_bytes(&device), &model, &prepared, err));
    wl_status status = wl_analyze(&prepared, &device, runtime, request, &result, err);
    if (status == WL_OK) {
        *out = (struct predicted){.mode = wl_spec_mode_name(spec, index),
                                  .estimated = device.power_estimated,
                                  .tdp_w = device.tdp_w,
                                  .latency_s = result.totals.latency_s,
                                  .energy_j = result.totals.energy_j,
                                  .power_w = result.totals.average_power_w,
                                  .flops = result.totals.flops};
        wl_result_done(&result);
    }
    wl_model_done(&model);
    return status;
}

static void predicted_text(const struct power *o, const struct wl_spec *spec,
                           const struct predicted *rows, int32_t count, struct wl_table *t,
                           struct wl_buf *out)
{
    for (int32_t i = 0; i < count; i++) {
        char tdp[24], latency[32], energy[32], watts[24], rate[32], efficiency[32];
        const struct predicted *r = &rows[i];
        (void)snprintf(tdp, sizeof(tdp), "%s%.1f", r->estimated ? "~" : "", r->tdp_w);
        (void)wl_format_si(r->latency_s, "s", latency, sizeof(latency));
        (void)wl_format_si(r->energy_j, "J", energy, sizeof(energy));
        (void)snprintf(watts, sizeof(watts), "%.1f", r->power_w);
        (void)snprintf(rate, sizeof(rate), "%.1f", 1 / r->latency_s);
        (void)snprintf(efficiency, sizeof(efficiency), "%.1f",
                       (double)r->flops / r->energy_j / 1e9);
        const char *cells[] = {r->mode, tdp, latency, rate, energy, watts, efficiency};
        wl_table_row(t, cells);
    }
    wl_buf_printf(out, "%s: power modes by prediction for %s\n\n", wl_spec_id(spec), o->model);
    wl_table_print(t, 100, WL_NONE, "", out);
    bool estimated = false;
    for (int32_t i = 0; i < count; i++) {
        estimated = estimated || rows[i].estimated;
    }
    wl_buf_puts(out,
                estimated ? "\n~ estimated from the nearest mode's watts and the clocks\n" : "");
}

static void predicted_json(const struct power *o, const struct wl_spec *spec,
                           const struct predicted *rows, int32_t count, struct wl_buf *out)
{
    struct wl_emitter e;
    wl_json_begin(&e, out);
    wl_json_int(&e, "schema_version", 1);
    wl_json_str(&e, "device", wl_spec_id(spec));
    wl_json_str(&e, "model", o->model);
    wl_json_array(&e, "precisions");
    wl_json_close(&e, ']');
    wl_json_array(&e, "predicted");
    for (int32_t i = 0; i < count; i++) {
        wl_json_object(&e, NULL);
        wl_json_str(&e, "power_mode", rows[i].mode);
        wl_json_num(&e, "tdp_w", rows[i].tdp_w);
        wl_json_bool(&e, "power_estimated", rows[i].estimated);
        wl_json_num(&e, "latency_s", rows[i].latency_s);
        wl_json_num(&e, "energy_j", rows[i].energy_j);
        wl_json_num(&e, "average_power_w", rows[i].power_w);
        wl_json_num(&e, "flops_per_j", (double)rows[i].flops / rows[i].energy_j);
        wl_json_close(&e, '}');
    }
    wl_json_close(&e, ']');
    wl_json_array(&e, "scaling");
    for (int32_t i = 1; i < count; i++) {
        double power = rows[i].power_w / rows[0].power_w;
        double performance = rows[0].latency_s / rows[i].latency_s;
        wl_json_object(&e, NULL);
        wl_json_str(&e, "from", rows[0].mode);
        wl_json_str(&e, "to", rows[i].mode);
        wl_json_num(&e, "power_ratio", power);
        wl_json_num(&e, "performance_ratio", performance);
        wl_json_num(&e, "efficiency_change", performance / power - 1);
        wl_json_close(&e, '}');
    }
    wl_json_close(&e, ']');
    wl_json_end(&e);
}

static wl_status show_predicted(struct power *o, const char *device, struct wl_buf *out,
                                struct wl_error *err)
{
    static const char *const headings[] = {"mode",   "TDP W",     "latency", "inferences/s",
                                           "energy", "average W", "GFLOPS/W"};
    const struct wl_spec *spec = NULL;
    WL_TRY(wl_registry_load(&o->registry, device, &spec, err));
    WL_TRY(wl_cli_resolve_model(&o->analysis, o->model, err));
    int32_t count = wl_spec_mode_count(spec);
    struct predicted *rows = WL_ARRAY(&o->analysis.arena, struct predicted, count);
    WL_TRY_PTR(rows, err);
    for (int32_t i = 0; i < count; i++) {
        struct predicted next;
        WL_TRY(predict_mode(o, spec, i, &next, err));
        int32_t at = i;
        for (; at > 0 && rows[at - 1].tdp_w > next.tdp_w; at--) {
            rows[at] = rows[at - 1];
        }
        rows[at] = next;
    }
    if (o->format == WL_FORMAT_JSON) {
        predicted_json(o, spec, rows, count, out);
        return WL_OK;
    }
    struct wl_table t;
    WL_TRY(wl_table_init(&t, 7, headings, "lrrrrrr"));
    predicted_text(o, spec, rows, count, &t, out);
    wl_table_done(&t);
    return WL_OK;
}

/* ---- the command
 * --------------------------------------------------------------------------------------- */

static wl_status list_devices(struct power *o, struct wl_buf *out, struct wl_error *err)
{
    static const char *const headings[] = {"device", "calibrations", "power modes"};
    struct wl_registry_entry *entries = NULL;
    int32_t count = 0;
    struct wl_table t;
    struct wl_emitter e;
    bool json = o->format == WL_FORMAT_JSON;
    WL_TRY(wl_registry_list(&o->registry, &entries, &count, NULL, NULL, err));
    WL_TRY(wl_table_init(&t, 3, headings, "lrr"));
    if (json) {
        wl_json_begin(&e, out);
        wl_json_int(&e, "schema_version", 1);
        wl_json_array(&e, "devices");
    }
    for (int32_t i = 0; i < count; i++) {
        char calibrations[16], modes[16];
        if (entries[i].calibration_count < 2) {
            continue;
        }
        if (json) {
            wl_json_object(&e, NULL);
            wl_json_str(&e, "id", entries[i].id);
            wl_json_int(&e, "calibrations", entries[i].calibration_count);
            wl_json_int(&e, "power_modes", entries[i].power_mode_count);
            wl_json_close(&e, '}');
        }
        (void)snprintf(calibrations, sizeof(calibrations), "%d", entries[i].calibration_count);
        (void)snprintf(modes, sizeof(modes), "%d", entries[i].power_mode_count);
        const char *cells[] = {entries[i].id, calibrations, modes};
        wl_table_row(&t, cells);
    }
    if (json) {
        wl_json_close(&e, ']');
        wl_json_end(&e);
    } else {
        wl_table_print(&t, 100, 0, "", out);
    }
    wl_table_done(&t);
    return WL_OK;
}

static wl_status run_power(struct power *o, const char *device, struct wl_buf *out,
                           struct wl_error *err)
{
    struct wl_power_profile profile;
    if (o->list) {
        return list_devices(o, out, err);
    }
    if (o->model != NULL) {
        return show_predicted(o, device, out, err);
    }
    WL_TRY(wl_power_profile(&o->registry, device, o->framework, &profile, err));
    if (profile.calibration_count == 0) {
        return wl_fail(err, WL_ERR_USAGE, profile.device,
                       "has no calibrations; compare its modes by prediction: wattline power %s "
                       "--model resnet18",
                       profile.device);
    }
    return show_profile(o, &profile, out, err);
}

static wl_status open_and_run(struct power *o, const char *device, struct wl_error *err)
{
    const char *roots[4];
    int32_t count = 0;
    struct wl_buf out;
    WL_TRY(wl_cli_registry_roots(&o->analysis.arena, o->registry_dir, roots, &count, err));
    WL_TRY(wl_registry_open(&o->registry, roots, count, err));
    wl_buf_init(&out);
    wl_status status = run_power(o, device, &out, err);
    if (status == WL_OK) {
        status = wl_cli_output(o->output, &out, err);
    }
    wl_buf_done(&out);
    wl_registry_close(&o->registry);
    return status;
}

int wl_cmd_power(int argc, char **argv)
{
    static const struct wl_option *const tables[] = {options, NULL};
    struct power o = {0};
    struct wl_error err;
    int32_t positional = 0;
    int code = WL_EXIT_OK;
    struct wl_cli_parse parse = {.command = "power",
                                 .synopsis = "ID | --list",
                                 .summary = "Power modes of a device side by side: speed of light, "
                                            "measured, efficiency.",
                                 .tables = tables,
                                 .target = &o,
                                 .positional_min = 0,
                                 .positional_max = 1};
    wl_cli_analysis_init(&o.analysis);
    if (wl_cli_parse_options(&parse, argc, argv, &positional, &code) != WL_OK) {
        wl_cli_analysis_done(&o.analysis);
        return code;
    }
    if (!o.list && positional == 0) {
        wl_cli_analysis_done(&o.analysis);
        return wl_cli_usage("power", "the device is missing; write wattline power ID or --list");
    }
    wl_status status = open_and_run(&o, positional > 0 ? argv[1] : NULL, &err);
    wl_cli_analysis_done(&o.analysis);
    return status == WL_OK ? WL_EXIT_OK : wl_cli_error(&err);
}
