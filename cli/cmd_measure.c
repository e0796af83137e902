/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/cmd_measure.c: energy of a run. Exit codes as timeout(1): the command's own, 128 + signal
 * when it was killed, 125 when measuring failed, 126 and 127 when the command could not be started.
 * The report goes to stderr, so that the command's output stays its own.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "measure_cli.h"

#define EXPORT_INTERVAL_S 1.0

/* What has to be closed again. */
struct session {
    struct wl_measure_options o;
    struct wl_meter *meter;
    struct wl_exporter *exporter;
    struct wl_measurement result;
    bool result_open;
    bool to_file;       /* --prometheus FILE */
    bool file_reported; /* its first failed write was told */
};

static bool wants_series(const struct wl_measure_options *o)
{
    return o->a.report.format == WL_FORMAT_CSV;
}

static wl_status check_options(const struct wl_measure_options *o, bool command,
                               struct wl_error *err)
{
    bool other = o->pid > 0 || o->seconds > 0.0;
    if (command && other) {
        return wl_fail(err, WL_ERR_USAGE, "measure",
                       "a command is measured until it ends; leave out --pid and --seconds");
    }
    if (!command && !other && !(o->idle_s > 0.0) && o->prometheus == NULL && !o->list_sources) {
        return wl_fail(err, WL_ERR_USAGE, "measure",
                       "nothing to measure; write: wattline measure -- COMMAND, or --seconds 10");
    }
    if (!command && (o->warmup > 0 || o->repeat > 1)) {
        return wl_fail(err, WL_ERR_USAGE, "measure",
                       "--warmup and --repeat are for a command; write: wattline measure --repeat "
                       "5 -- COMMAND");
    }
    if (o->save && !(o->idle_s > 0.0)) {
        return wl_fail(err, WL_ERR_USAGE, "--save", "keeps what --idle measures; add --idle 30s");
    }
    if (o->a.report.format != WL_FORMAT_TEXT && o->a.report.format != WL_FORMAT_JSON &&
        o->a.report.format != WL_FORMAT_CSV) {
        return wl_fail(err, WL_ERR_USAGE, "--format",
                       "measure knows text, json and csv (the time series)");
    }
    return WL_OK;
}

/* ---- output ---------------------------------------------------------------------------------- */

/* To --output, else to stderr. */
static wl_status write_out(const struct wl_measure_options *o, const struct wl_buf *text,
                           struct wl_error *err)
{
    if (text->failed) {
        return wl_fail_nomem(err);
    }
    if (o->a.output != NULL) {
        return wl_cli_output(o->a.output, text, err);
    }
    if (o->a.quiet) {
        return WL_OK;
    }
    if (fwrite(text->data, 1, text->len, stderr) != text->len || fflush(stderr) != 0) {
        return wl_fail(err, WL_ERR_IO, "standard error", "cannot be written: %s", strerror(errno));
    }
    return WL_OK;
}

static wl_status report(struct session *s, struct wl_error *err)
{
    struct wl_buf text;
    wl_status status = WL_OK;
    wl_buf_init(&text);
    if (s->o.a.report.format == WL_FORMAT_JSON) {
        wl_measure_json(&s->result, &s->o, &text);
    } else if (s->o.a.report.format == WL_FORMAT_CSV) {
        wl_buf_puts(&text, wl_measure_csv_header);
        text.failed = text.failed || s->result.series.failed;
        wl_buf_add(&text, s->result.series.data == NULL ? "" : s->result.series.data,
                   s->result.series.len);
    } else {
        status = wl_measure_text(&s->result, &s->o, &text, err);
    }
    if (status == WL_OK && s->o.plot && s->o.a.report.format == WL_FORMAT_TEXT) {
        wl_measure_plot(s->meter, &text);
    }
    if (status == WL_OK) {
        status = write_out(&s->o, &text, err);
    }
    wl_buf_done(&text);
    return status;
}

static wl_status list_sources(struct session *s, struct wl_error *err)
{
    struct wl_buf text;
    wl_buf_init(&text);
    wl_status status = s->o.a.report.format == WL_FORMAT_JSON
                           ? wl_measure_sources_json(s->meter, &text, err)
                           : wl_measure_sources_text(s->meter, &text, err);
    if (status == WL_OK) {
        status = wl_cli_output(s->o.a.output, &text, err); /* a listing: to standard output */
    }
    wl_buf_done(&text);
    return status;
}

/* ---- export ---------------------------------------------------------------------------------- */

/* Whole file each time, put in place at once: a collector never reads half of it. */
static wl_status write_metrics(struct session *s, struct wl_error *err)
{
    struct wl_buf text;
    wl_buf_init(&text);
    wl_openmetrics(s->meter, &text);
    wl_status status =
        text.failed ? wl_fail_nomem(err) : wl_file_write(s->o.prometheus, text.data, text.len, err);
    wl_buf_done(&text);
    return status;
}

static void tick(void *context)
{
    struct session *s = context;
    struct wl_error err;
    if (write_metrics(s, &err) != WL_OK && !s->file_reported) {
        (void)wl_cli_error(&err);
        s->file_reported = true;
    }
}

static wl_status start_export(struct session *s, struct wl_error *err)
{
    if (s->o.prometheus == NULL) {
        return WL_OK;
    }
    if (!wl_exporter_is_address(s->o.prometheus)) {
        s->to_file = true;
        return write_metrics(s, err); /* a path that cannot be written is told at once */
    }
    WL_TRY(wl_exporter_new(s->meter, s->o.prometheus, &s->exporter, err));
    if (!s->o.a.quiet) {
        (void)fprintf(stderr, "wattline: serving /metrics on port %d\n",
                      (int)wl_exporter_port(s->exporter));
    }
    return WL_OK;
}

/* ---- measuring ------------------------------------------------------------------------------- */

static struct wl_run_request request_for(struct session *s, char *const *argv, double seconds)
{
    const struct wl_measure_options *o = &s->o;
    return (struct wl_run_request){.argv = argv,
                                   .pid = argv == NULL ? (int32_t)o->pid : 0,
                                   .seconds = seconds,
                                   .tick = s->to_file ? tick : NULL,
                                   .context = s,
                                   .tick_s = fmax(EXPORT_INTERVAL_S, o->meter.interval_s)};
}

/* Idle watts by source into `idle_w`. */
static wl_status measure_idle(struct session *s, double *idle_w, bool *interrupted,
                              struct wl_error *err)
{
    struct wl_run_request req = request_for(s, NULL, s->o.idle_s);
    struct wl_run_result run;
    req.pid = 0;
    struct wl_meter_total total;
    WL_TRY(wl_run(s->meter, &req, &run, err));
    WL_TRY(wl_meter_read(s->meter, &total, err));
    run.wall_s = total.wall_s;
    *interrupted = run.interrupted_by != 0;
    for (int32_t i = 0; i < wl_meter_channel_count(s->meter); i++) {
        struct wl_meter_channel c;
        WL_TRY(wl_meter_channel_read(s->meter, i, &c, err));
        idle_w[i] = c.average_power_w;
    }
    if (s->o.save) {
        struct wl_measurement r;
        const char *path = NULL;
        wl_measurement_init(&r, s->meter);
        wl_status status = wl_measurement_add(&r, s->meter, &run, false, err);
        if (status == WL_OK) {
            status = wl_measurement_finish(&r, s->meter, err);
        }
        if (status == WL_OK) {
            status = wl_measure_idle_save(&s->o.a.arena, &r, &path, err);
        }
        wl_measurement_done(&r);
        WL_TRY(status);
        if (!s->o.a.quiet) {
            (void)fprintf(stderr, "wattline: idle watts kept in %s\n", path);
        }
    }
    return WL_OK;
}

static wl_status take_idle(struct session *s, const double *idle_w, struct wl_error *err)
{
    if (idle_w == NULL) {
        return wl_measure_idle_load(&s->o.a.arena, &s->result, err);
    }
    for (int32_t i = 0; i < s->result.source_count; i++) {
        s->result.sources[i].idle_power_w = idle_w[i];
    }
    s->result.idle_basis = "measured before the run";
    return WL_OK;
}

/* Warm-up and counted runs; ends early when a run fails or is interrupted. */
static wl_status measure_runs(struct session *s, char *const *argv, struct wl_error *err)
{
    int64_t runs = argv == NULL ? 1 : s->o.warmup + s->o.repeat;
    for (int64_t i = 0; i < runs; i++) {
        struct wl_run_request req = request_for(s, argv, s->o.seconds);
        struct wl_run_result run;
        wl_status status = wl_run(s->meter, &req, &run, err);
        s->result.exit_code = run.exit_code;
        WL_TRY(status);
        bool ended = run.exit_code != 0 || run.interrupted_by != 0;
        if (i >= s->o.warmup || ended) {
            WL_TRY(wl_measurement_add(&s->result, s->meter, &run, wants_series(&s->o), err));
        }
        if (ended) {
            if (i + 1 < runs) {
                wl_diag_add(&s->result.diags, WL_SEV_WARNING, "ended-early", "command",
                            "run %lld of %lld failed or was interrupted: no more were made",
                            (long long)i + 1, (long long)runs);
            }
            break;
        }
    }
    return WL_OK;
}

static wl_status measure(struct session *s, char *const *argv, int32_t argc, struct wl_error *err)
{
    double *idle_w = NULL;
    bool interrupted = false;
    s->result.command = argv;
    s->result.command_count = argv == NULL ? 0 : argc;
    s->result.warmup = s->o.warmup;
    WL_TRY(start_export(s, err));
    if (s->o.idle_s > 0.0) {
        idle_w = WL_ARRAY(&s->o.a.arena, double, wl_meter_channel_count(s->meter));
        WL_TRY_PTR(idle_w, err);
        WL_TRY(measure_idle(s, idle_w, &interrupted, err));
    }
    bool idle_only =
        argv == NULL && s->o.pid == 0 && !(s->o.seconds > 0.0) && s->o.prometheus == NULL;
    if (idle_only || interrupted) {
        struct wl_run_result run = {.cpu_user_s = (double)NAN, .cpu_system_s = (double)NAN};
        struct wl_meter_total total;
        WL_TRY(wl_meter_read(s->meter, &total, err));
        run.wall_s = total.wall_s;
        WL_TRY(wl_measurement_add(&s->result, s->meter, &run, wants_series(&s->o), err));
    } else {
        WL_TRY(measure_runs(s, argv, err));
    }
    WL_TRY(take_idle(s, idle_w, err));
    if (s->to_file) {
        WL_TRY(write_metrics(s, err));
    }
    WL_TRY(wl_measurement_finish(&s->result, s->meter, err));
    WL_TRY(report(s, err));
    return wl_cli_check_strict(&s->o.a, &s->result.diags, err);
}

/* The code that the command left, or 125 (126, 127) with the reason on stderr. */
static int run_session(struct session *s, char **argv, int32_t count)
{
    struct wl_error err;
    char *const *command = count > 0 ? argv : NULL;
    struct wl_measure_prediction prediction;
    bool exporting_only = count == 0 && s->o.prometheus != NULL && s->o.meter.interval_s == 0.0;
    s->o.meter.keep_series = wants_series(&s->o) || s->o.plot;
    if (exporting_only) {
        s->o.meter.interval_s = EXPORT_INTERVAL_S;
    }
    if (check_options(&s->o, count > 0, &err) != WL_OK ||
        wl_measure_predict(&s->o, &prediction, &err) != WL_OK ||
        wl_meter_open(&s->o.meter, &s->meter, &err) != WL_OK) {
        (void)wl_cli_error(&err);
        return WL_RUN_FAILED;
    }
    if (s->o.list_sources) {
        return list_sources(s, &err) == WL_OK ? WL_EXIT_OK : (wl_cli_error(&err), WL_RUN_FAILED);
    }
    wl_measurement_init(&s->result, s->meter);
    s->result_open = true;
    s->result.prediction = prediction;
    if (measure(s, command, count, &err) != WL_OK) {
        (void)wl_cli_error(&err);
        int code = s->result.exit_code;
        return code == WL_RUN_NOT_FOUND || code == WL_RUN_NOT_RUNNABLE ? code : WL_RUN_FAILED;
    }
    return s->result.exit_code;
}

static void session_done(struct session *s)
{
    wl_exporter_free(s->exporter);
    if (s->result_open) {
        wl_measurement_done(&s->result);
    }
    wl_meter_close(s->meter);
    wl_cli_analysis_done(&s->o.a);
}

int wl_cmd_measure(int argc, char **argv)
{
    static const struct wl_option *const tables[] = {wl_measure_options, wl_device_options,
                                                     wl_model_options, NULL};
    struct session s = {.o = {.repeat = 1}};
    int32_t count = 0;
    int code = WL_EXIT_OK;
    wl_cli_analysis_init(&s.o.a);
    struct wl_cli_parse parse = {
        .command = "measure",
        .synopsis = "[options] -- COMMAND...",
        .summary = "Time and energy of what runs, from every meter this machine has. The exit code "
                   "is the command's.\nThe report goes to stderr or to --output. For example:\n"
                   "  wattline measure --sources\n"
                   "  wattline measure --repeat 5 --work samples=1000 -- ./infer model.onnx\n"
                   "  wattline measure --idle 30s --save\n"
                   "  wattline measure --prometheus 9101",
        .tables = tables,
        .target = &s.o,
        .positional_min = 0,
        .positional_max = -1,
        .stop_at_positional = true};
    if (wl_cli_parse_options(&parse, argc, argv, &count, &code) == WL_OK) {
        argv[1 + count] = NULL;
        code = run_session(&s, argv + 1, count);
    } else if (code != WL_EXIT_OK) {
        code = WL_RUN_FAILED;
    }
    session_done(&s);
    return code;
}
