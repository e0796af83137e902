/* SPDX-License-Identifier: Apache-2.0 */
/* cli/measure_text.c: a measurement and the list of meters for people, at most 100 columns. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "measure_cli.h"

#define WIDTH 100
#define CELL 64

static const char *si(double v, const char *unit, char cell[CELL])
{
    return wl_format_si(v, unit, cell, CELL);
}

/* "0.34 %" */
static const char *percent(double share, char cell[CELL])
{
    if (!isfinite(share)) {
        (void)snprintf(cell, CELL, "-");
    } else {
        (void)snprintf(cell, CELL, "%.*f %%",
                       share < 0.001 ? 3
                       : share < 0.1 ? 2
                                     : 1,
                       share * 100.0);
    }
    return cell;
}

/* Words in lines of at most WIDTH; continuation lines are indented. */
static void put_wrapped(const char *text, int at, int indent, struct wl_buf *out)
{
    bool fresh = true;
    while (*text != '\0') {
        size_t word = strcspn(text, " ");
        if (!fresh && at + 1 + (int)word > WIDTH) {
            wl_buf_printf(out, "\n%*s", indent, "");
            at = indent;
        } else if (!fresh) {
            wl_buf_puts(out, " ");
            at++;
        }
        wl_buf_add(out, text, word);
        at += (int)word;
        fresh = false;
        text += word;
        text += strspn(text, " ");
    }
    wl_buf_puts(out, "\n");
}

static void put_lead(const char *label, const char *value, struct wl_buf *out)
{
    wl_buf_printf(out, "  %-8s %s%*s ", label, value, 10 - wl_text_width(value), "");
}

/* ---- the answer ------------------------------------------------------------------------------ */

static void put_title(const struct wl_measurement *r, const struct wl_measure_options *o,
                      struct wl_buf *out)
{
    if (r->command == NULL) {
        if (o->pid > 0) {
            wl_buf_printf(out, "process %lld, and all else on this machine\n", (long long)o->pid);
        } else {
            wl_buf_puts(out, "this machine\n");
        }
        return;
    }
    struct wl_buf line;
    wl_buf_init(&line);
    for (int32_t i = 0; i < r->command_count; i++) {
        wl_buf_printf(&line, "%s%s", i > 0 ? " " : "", r->command[i]);
    }
    int shown = line.failed ? 0 : (int)line.len;
    const char *cut = "";
    if (shown > WIDTH - 24) {
        shown = WIDTH - 24;
        while (shown > 0 && ((unsigned char)line.data[shown] & 0xC0) == 0x80) {
            shown--; /* not inside a character */
        }
        cut = " ...";
    }
    wl_buf_printf(out, "%.*s%s: exit code %d\n", shown, line.failed ? "" : line.data, cut,
                  (int)r->exit_code);
    wl_buf_done(&line);
}

static void put_time(const struct wl_measurement *r, struct wl_buf *out)
{
    char a[CELL];
    char b[CELL];
    put_lead("time", si(r->wall_s, "s", a), out);
    if (r->runs > 1) {
        wl_buf_printf(out, "median of %d runs, spread %s", (int)r->runs,
                      percent(r->wall_spread, a));
        wl_buf_puts(out, r->warmup > 0 ? " after warming up; " : "; ");
    }
    const struct wl_run_result *last = &r->results[r->runs - 1];
    double cpu_s = last->cpu_user_s + last->cpu_system_s;
    if (isfinite(cpu_s)) {
        wl_buf_printf(out, "processor time %s", si(cpu_s, "s", a));
        if (last->max_rss_bytes > 0) {
            wl_buf_printf(out, ", memory %s", si((double)last->max_rss_bytes, "B", b));
        }
    }
    wl_buf_puts(out, "\n");
}

static void put_energy(const struct wl_measurement *r, struct wl_buf *out)
{
    char a[CELL];
    if (isnan(r->energy_j)) {
        put_lead("energy", "-", out);
        wl_buf_puts(out, "not measured\n");
        return;
    }
    put_lead("energy", si(r->energy_j, "J", a), out);
    if (isfinite(r->above_idle_j)) {
        wl_buf_printf(out, "%s above idle%s", si(r->above_idle_j, "J", a), r->runs > 1 ? "; " : "");
    }
    if (r->runs > 1) {
        wl_buf_printf(out, "spread %s", percent(r->energy_spread, a));
    }
    wl_buf_puts(out, "\n");
    put_lead("power", si(r->average_power_w, "W", a), out);
    wl_buf_printf(out, "on average; peak %s", si(r->peak_power_w, "W", a));
    if (isfinite(r->idle_power_w)) {
        wl_buf_printf(out, "; idle %s (%s)", si(r->idle_power_w, "W", a), r->idle_basis);
    }
    wl_buf_puts(out, "\n");
}

static void put_work(const struct wl_measurement *r, const struct wl_measure_options *o,
                     struct wl_buf *out)
{
    for (int32_t i = 0; i < o->work_count; i++) {
        const struct wl_measure_work *w = &o->works[i];
        char a[CELL];
        bool flops = strcmp(w->unit, "flops") == 0;
        put_lead("work", si(w->amount, flops ? "FLOP" : "", a), out);
        wl_buf_printf(out, "%s: %s", flops ? "in all" : w->unit,
                      si(w->amount / r->wall_s, flops ? "FLOP/s" : "/s", a));
        if (isfinite(r->energy_j)) {
            wl_buf_printf(out, "; %s", si(w->amount / r->energy_j, flops ? "FLOP/s/W" : "/J", a));
            if (!flops) {
                wl_buf_printf(out, ", %s each", si(r->energy_j / w->amount, "J", a));
            }
        }
        wl_buf_puts(out, "\n");
    }
}

/* ---- tables ---------------------------------------------------------------------------------- */

static wl_status put_sources(const struct wl_measurement *r, struct wl_buf *out,
                             struct wl_error *err)
{
    static const char *const headings[] = {"source", "meter", "energy", "average",
                                           "peak",   "idle",  "note"};
    struct wl_table t;
    if (r->source_count == 0) {
        return WL_OK;
    }
    if (wl_table_init(&t, WL_ARRAY_LEN(headings), headings, "llrrrrl") != WL_OK) {
        return wl_fail_nomem(err);
    }
    for (int32_t i = 0; i < r->source_count; i++) {
        const struct wl_measure_source *s = &r->sources[i];
        const struct wl_meter_channel *c = &s->channel;
        char energy[CELL];
        char average[CELL];
        char peak[CELL];
        char idle[CELL];
        const char *cells[] = {c->source,
                               c->name,
                               si(c->energy_j, "J", energy),
                               si(c->average_power_w, "W", average),
                               si(c->peak_power_w, "W", peak),
                               si(s->idle_power_w, "W", idle),
                               c->note};
        wl_table_row(&t, cells);
    }
    wl_buf_puts(out, "\n");
    wl_table_print(&t, WIDTH, true, "  ", out);
    wl_table_done(&t);
    return WL_OK;
}

static void put_gauges(const struct wl_measurement *r, struct wl_buf *out)
{
    for (int32_t i = 0; i < r->source_count; i++) {
        const struct wl_meter_channel *c = &r->sources[i].channel;
        char a[CELL];
        const char *between = "";
        if (isnan(c->utilization) && isnan(c->clock_hz) && isnan(c->temperature_c)) {
            continue;
        }
        wl_buf_printf(out, "  %s (%s): ", c->name, c->device);
        if (!isnan(c->utilization)) {
            wl_buf_printf(out, "busy %s of the time", percent(c->utilization, a));
            between = ", ";
        }
        if (!isnan(c->clock_hz)) {
            wl_buf_printf(out, "%sclock %s", between, si(c->clock_hz, "Hz", a));
            between = ", ";
        }
        if (!isnan(c->temperature_c)) {
            wl_buf_printf(out, "%sup to %.0f °C", between, c->temperature_c);
        }
        wl_buf_puts(out, "\n");
    }
}

static void prediction_row(struct wl_table *t, const char *what, double measured, double predicted,
                           const char *unit)
{
    char a[CELL];
    char b[CELL];
    char c[CELL] = "-";
    double ratio = measured / predicted;
    if (isfinite(ratio)) {
        (void)snprintf(c, sizeof(c), "%.3g", ratio);
    }
    const char *cells[] = {what, si(measured, unit, a), si(predicted, unit, b), c};
    wl_table_row(t, cells);
}

static wl_status put_prediction(const struct wl_measurement *r, struct wl_buf *out,
                                struct wl_error *err)
{
    static const char *const headings[] = {"", "measured", "predicted", "ratio"};
    const struct wl_measure_prediction *p = &r->prediction;
    struct wl_table t;
    if (!p->present) {
        return WL_OK;
    }
    if (wl_table_init(&t, WL_ARRAY_LEN(headings), headings, "lrrr") != WL_OK) {
        return wl_fail_nomem(err);
    }
    wl_buf_printf(out, "\n  %s on %s, batch %lld", p->model, p->hardware, (long long)p->batch);
    if (isnan(p->inferences)) {
        wl_buf_puts(out, "; --work samples=N compares time and energy too\n");
    } else {
        wl_buf_printf(out, ", %.10g inferences\n", p->inferences);
        prediction_row(&t, "time", r->wall_s, p->latency_s * p->inferences, "s");
        prediction_row(&t, "energy", r->energy_j, p->energy_j * p->inferences, "J");
    }
    prediction_row(&t, "power", r->average_power_w, p->average_power_w, "W");
    wl_table_print(&t, WIDTH, false, "  ", out);
    wl_table_done(&t);
    return WL_OK;
}

static void put_end(const struct wl_measurement *r, struct wl_buf *out)
{
    char a[CELL];
    char b[CELL];
    if (r->source_count > 0) {
        wl_buf_printf(out, "\n  %lld samples, one every %s; sampling took %s of one core\n",
                      (long long)r->sampling.samples, si(r->sampling.interval_s, "s", a),
                      percent(r->sampling.cpu_s / r->sampled_s, b));
    }
    for (int32_t i = 0; i < r->diags.count; i++) {
        const struct wl_diag *d = &r->diags.items[i];
        struct wl_buf line;
        wl_buf_init(&line);
        wl_buf_printf(&line, "%s: %s", d->where, d->message);
        wl_buf_printf(out, "  %-8s ", wl_severity_name(d->severity));
        put_wrapped(line.failed ? d->message : line.data, 11, 11, out);
        wl_buf_done(&line);
    }
}

wl_status wl_measure_text(const struct wl_measurement *r, const struct wl_measure_options *o,
                          struct wl_buf *out, struct wl_error *err)
{
    put_title(r, o, out);
    put_time(r, out);
    put_energy(r, out);
    put_work(r, o, out);
    WL_TRY(put_sources(r, out, err));
    put_gauges(r, out);
    WL_TRY(put_prediction(r, out, err));
    put_end(r, out);
    return WL_OK;
}

/* ---- meters ---------------------------------------------------------------------------------- */

static wl_status put_present(struct wl_meter *m, struct wl_buf *out, struct wl_error *err)
{
    static const char *const headings[] = {"source",   "meter",  "covers",
                                           "in total", "device", "note"};
    struct wl_table t;
    wl_status status = WL_OK;
    if (wl_meter_channel_count(m) == 0) {
        wl_buf_puts(out, "this machine has no meter that can be read\n");
        return WL_OK;
    }
    if (wl_table_init(&t, WL_ARRAY_LEN(headings), headings, "llllll") != WL_OK) {
        return wl_fail_nomem(err);
    }
    for (int32_t i = 0; status == WL_OK && i < wl_meter_channel_count(m); i++) {
        struct wl_meter_channel c;
        status = wl_meter_channel_read(m, i, &c, err);
        if (status == WL_OK) {
            const char *cells[] = {c.source, c.name, c.scope, c.counted != 0 ? "yes" : "no",
                                   c.device, c.note};
            wl_table_row(&t, cells);
        }
    }
    wl_buf_puts(out, "meters of this machine\n");
    wl_table_print(&t, WIDTH, true, "  ", out);
    wl_table_done(&t);
    return status;
}

wl_status wl_measure_sources_text(struct wl_meter *m, struct wl_buf *out, struct wl_error *err)
{
    WL_TRY(put_present(m, out, err));
    wl_buf_puts(out, wl_meter_absent_count(m) > 0 ? "\nwhat it lacks\n" : "");
    for (int32_t i = 0; i < wl_meter_absent_count(m); i++) {
        struct wl_meter_absent a;
        WL_TRY(wl_meter_absent_get(m, i, &a, err));
        wl_buf_printf(out, "  %-11s ", a.source);
        put_wrapped(a.reason, 14, 14, out);
        if (a.fix[0] != '\0') {
            wl_buf_printf(out, "  %-11s ", "");
            wl_buf_printf(out, "to get it: %s\n", a.fix);
        }
    }
    return WL_OK;
}
