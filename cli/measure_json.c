/* SPDX-License-Identifier: Apache-2.0 */
/* cli/measure_json.c: a measurement and the list of meters as JSON; the time series as CSV. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "measure_cli.h"

#define KEY 64

static void put_source(struct wl_emitter *e, const struct wl_measurement *r, int32_t index)
{
    const struct wl_measure_source *s = &r->sources[index];
    const struct wl_meter_channel *c = &s->channel;
    wl_json_object(e, NULL);
    wl_json_str(e, "name", c->name);
    wl_json_str(e, "kind", c->source);
    wl_json_str(e, "device", c->device);
    wl_json_str(e, "scope", c->scope);
    wl_json_bool(e, "counted", c->counted != 0);
    wl_json_num(e, "energy_j", c->energy_j);
    wl_json_num(e, "average_power_w", c->average_power_w);
    wl_json_num(e, "peak_power_w", c->peak_power_w);
    wl_json_num(e, "idle_power_w", s->idle_power_w);
    wl_json_num(e, "above_idle_j", c->energy_j - s->idle_power_w * r->wall_s);
    wl_json_num(e, "spread", wl_spread(s->energy_j, r->runs));
    wl_json_num(e, "update_s", c->update_s);
    wl_json_num(e, "utilization", c->utilization);
    wl_json_num(e, "clock_hz", c->clock_hz);
    wl_json_num(e, "temperature_c", c->temperature_c);
    wl_json_str(e, "note", c->note);
    wl_json_close(e, '}');
}

static void put_totals(struct wl_emitter *e, const struct wl_measurement *r)
{
    wl_json_object(e, "totals");
    wl_json_num(e, "energy_j", r->energy_j);
    wl_json_num(e, "average_power_w", r->average_power_w);
    wl_json_num(e, "peak_power_w", r->peak_power_w);
    wl_json_num(e, "idle_power_w", r->idle_power_w);
    wl_json_num(e, "above_idle_j", r->above_idle_j);
    wl_json_num(e, "wall_spread", r->wall_spread);
    wl_json_num(e, "energy_spread", r->energy_spread);
    wl_json_str(e, "idle_basis", r->idle_basis);
    wl_json_close(e, '}');
}

/* samples, samples_per_s, samples_per_j; for flops also tflops_per_w, which is the same per joule.
 */
static void put_work(struct wl_emitter *e, const struct wl_measurement *r,
                     const struct wl_measure_options *o)
{
    wl_json_object(e, "work");
    for (int32_t i = 0; i < o->work_count; i++) {
        const struct wl_measure_work *w = &o->works[i];
        char key[KEY];
        wl_json_num(e, w->unit, w->amount);
        (void)snprintf(key, sizeof(key), "%s_per_s", w->unit);
        wl_json_num(e, key, w->amount / r->wall_s);
        (void)snprintf(key, sizeof(key), "%s_per_j", w->unit);
        wl_json_num(e, key, w->amount / r->energy_j);
        if (strcmp(w->unit, "flops") == 0) {
            wl_json_num(e, "tflops_per_w", w->amount / r->energy_j * 1e-12);
        }
    }
    wl_json_close(e, '}');
}

static void put_runs(struct wl_emitter *e, const struct wl_measurement *r)
{
    wl_json_array(e, "runs");
    for (int32_t i = 0; i < r->runs; i++) {
        const struct wl_run_result *run = &r->results[i];
        wl_json_object(e, NULL);
        wl_json_num(e, "wall_s", run->wall_s);
        wl_json_num(e, "cpu_user_s", run->cpu_user_s);
        wl_json_num(e, "cpu_system_s", run->cpu_system_s);
        wl_json_int(e, "max_rss_bytes", run->max_rss_bytes);
        wl_json_num(e, "energy_j", r->totals[i].energy_j);
        wl_json_num(e, "peak_power_w", r->totals[i].peak_power_w);
        wl_json_int(e, "exit_code", run->exit_code);
        wl_json_int(e, "signal", run->signal);
        wl_json_close(e, '}');
    }
    wl_json_close(e, ']');
}

static void put_prediction(struct wl_emitter *e, const struct wl_measurement *r)
{
    const struct wl_measure_prediction *p = &r->prediction;
    if (!p->present) {
        wl_json_null(e, "prediction");
        return;
    }
    wl_json_object(e, "prediction");
    wl_json_str(e, "model", p->model);
    wl_json_str(e, "hardware", p->hardware);
    wl_json_int(e, "batch", p->batch);
    wl_json_num(e, "inferences", p->inferences);
    wl_json_num(e, "latency_s", p->latency_s);
    wl_json_num(e, "wall_s", p->latency_s * p->inferences);
    wl_json_num(e, "energy_j", p->energy_j * p->inferences);
    wl_json_num(e, "average_power_w", p->average_power_w);
    wl_json_num(e, "wall_ratio", r->wall_s / (p->latency_s * p->inferences));
    wl_json_num(e, "energy_ratio", r->energy_j / (p->energy_j * p->inferences));
    wl_json_num(e, "power_ratio", r->average_power_w / p->average_power_w);
    wl_json_close(e, '}');
}

static void put_sampling(struct wl_emitter *e, const struct wl_measurement *r)
{
    wl_json_object(e, "sampling");
    wl_json_num(e, "interval_s", r->sampling.interval_s);
    wl_json_int(e, "samples", r->sampling.samples);
    wl_json_int(e, "late", r->sampling.late);
    wl_json_num(e, "cpu_s", r->sampling.cpu_s);
    wl_json_num(e, "cpu_share", r->sampling.cpu_s / r->sampled_s);
    wl_json_close(e, '}');
}

static void put_diagnostics(struct wl_emitter *e, const struct wl_diag_list *l)
{
    wl_json_array(e, "diagnostics");
    for (int32_t i = 0; i < l->count; i++) {
        wl_json_object(e, NULL);
        wl_json_str(e, "severity", wl_severity_name(l->items[i].severity));
        wl_json_str(e, "code", l->items[i].code);
        wl_json_str(e, "where", l->items[i].where);
        wl_json_str(e, "message", l->items[i].message);
        wl_json_close(e, '}');
    }
    wl_json_close(e, ']');
}

void wl_measure_json(const struct wl_measurement *r, const struct wl_measure_options *o,
                     struct wl_buf *out)
{
    struct wl_emitter e;
    wl_json_begin(&e, out);
    wl_json_int(&e, "schema_version", 1);
    wl_json_array(&e, "command");
    for (int32_t i = 0; i < r->command_count; i++) {
        wl_json_str(&e, NULL, r->command[i]);
    }
    wl_json_close(&e, ']');
    wl_json_int(&e, "exit_code", r->exit_code);
    wl_json_num(&e, "wall_s", r->wall_s);
    wl_json_int(&e, "repeats", r->runs);
    wl_json_int(&e, "warmup", r->warmup);
    wl_json_array(&e, "sources");
    for (int32_t i = 0; i < r->source_count; i++) {
        put_source(&e, r, i);
    }
    wl_json_close(&e, ']');
    put_totals(&e, r);
    put_work(&e, r, o);
    put_runs(&e, r);
    put_prediction(&e, r);
    put_sampling(&e, r);
    put_diagnostics(&e, &r->diags);
    wl_json_end(&e);
}

/* ---- meters ---------------------------------------------------------------------------------- */

wl_status wl_measure_sources_json(struct wl_meter *m, struct wl_buf *out, struct wl_error *err)
{
    struct wl_emitter e;
    wl_json_begin(&e, out);
    wl_json_int(&e, "schema_version", 1);
    wl_json_array(&e, "sources");
    for (int32_t i = 0; i < wl_meter_channel_count(m); i++) {
        struct wl_meter_channel c;
        WL_TRY(wl_meter_channel_read(m, i, &c, err));
        wl_json_object(&e, NULL);
        wl_json_str(&e, "name", c.name);
        wl_json_str(&e, "kind", c.source);
        wl_json_str(&e, "device", c.device);
        wl_json_str(&e, "scope", c.scope);
        wl_json_bool(&e, "counted", c.counted != 0);
        wl_json_str(&e, "note", c.note);
        wl_json_close(&e, '}');
    }
    wl_json_close(&e, ']');
    wl_json_array(&e, "absent");
    for (int32_t i = 0; i < wl_meter_absent_count(m); i++) {
        struct wl_meter_absent a;
        WL_TRY(wl_meter_absent_get(m, i, &a, err));
        wl_json_object(&e, NULL);
        wl_json_str(&e, "kind", a.source);
        wl_json_str(&e, "reason", a.reason);
        wl_json_str(&e, "fix", a.fix[0] == '\0' ? NULL : a.fix);
        wl_json_close(&e, '}');
    }
    wl_json_close(&e, ']');
    wl_json_end(&e);
    return WL_OK;
}

/* ---- time series ----------------------------------------------------------------------------- */

const char wl_measure_csv_header[] =
    "run,time_s,kind,name,energy_j,power_w,utilization,clock_hz,temperature_c\r\n";

static void put_number(struct wl_buf *out, double v)
{
    if (isfinite(v)) {
        wl_buf_printf(out, ",%.17g", v);
    } else {
        wl_buf_puts(out, ",");
    }
}

/* RFC 4180: quotes where a name needs them. */
static void put_name(struct wl_buf *out, const char *name)
{
    bool plain = strpbrk(name, ",\"\r\n") == NULL;
    wl_buf_puts(out, plain ? "," : ",\"");
    for (const char *p = name; *p != '\0'; p++) {
        wl_buf_add(out, *p == '"' ? "\"\"" : p, *p == '"' ? 2 : 1);
    }
    wl_buf_puts(out, plain ? "" : "\"");
}

static double sum_counted(const struct wl_series *s, const bool *counted, int32_t row,
                          enum wl_series_field field)
{
    double sum = 0.0;
    bool known = false;
    for (int32_t i = 0; i < s->channels; i++) {
        double v = wl_series_at(s, row, i, field);
        if (counted[i] && isfinite(v)) {
            sum += v;
            known = true;
        }
    }
    return known ? sum : (double)NAN;
}

static void put_row(struct wl_buf *out, const struct wl_series *s, int32_t run, int32_t row,
                    const struct wl_meter_channel *channels, const bool *counted)
{
    for (int32_t i = 0; i < s->channels; i++) {
        wl_buf_printf(out, "%d,%.17g", (int)run, s->time_s[row]);
        put_name(out, channels[i].source);
        put_name(out, channels[i].name);
        for (int f = 0; f < WL_SERIES_FIELDS; f++) {
            put_number(out, wl_series_at(s, row, i, (enum wl_series_field)f));
        }
        wl_buf_puts(out, "\r\n");
    }
    wl_buf_printf(out, "%d,%.17g,total,total", (int)run, s->time_s[row]);
    put_number(out, sum_counted(s, counted, row, WL_SERIES_ENERGY_J));
    put_number(out, sum_counted(s, counted, row, WL_SERIES_POWER_W));
    wl_buf_puts(out, ",,,\r\n");
}

void wl_measure_csv_rows(struct wl_meter *m, int32_t run, struct wl_buf *out)
{
    struct wl_series s;
    struct wl_arena scratch;
    wl_meter_series(m, &s);
    wl_arena_init(&scratch, 0);
    struct wl_meter_channel *channels = WL_ARRAY(&scratch, struct wl_meter_channel, s.channels);
    bool *counted = WL_ARRAY(&scratch, bool, s.channels);
    out->failed = out->failed || channels == NULL || counted == NULL;
    for (int32_t i = 0; !out->failed && i < s.channels; i++) {
        out->failed = wl_meter_channel_read(m, i, &channels[i], NULL) != WL_OK;
        counted[i] = channels[i].counted != 0;
    }
    for (int32_t row = 0; !out->failed && row < s.rows; row++) {
        put_row(out, &s, run, row, channels, counted);
    }
    wl_arena_done(&scratch);
}
