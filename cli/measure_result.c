/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/measure_result.c: from regions to one measurement. Energy of a source is the median over the
 * runs, the total is the sum of the sources' medians (so that the rows add up to it), average power
 * is that energy over the median time.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "measure_cli.h"

#define SHORT_RUN_S 0.1

void wl_measurement_init(struct wl_measurement *r, struct wl_meter *m)
{
    memset(r, 0, sizeof(*r));
    wl_arena_init(&r->arena, 0);
    wl_diag_init(&r->diags, &r->arena);
    wl_buf_init(&r->series);
    r->source_count = wl_meter_channel_count(m);
    r->idle_power_w = r->above_idle_j = (double)NAN;
}

void wl_measurement_done(struct wl_measurement *r)
{
    wl_buf_done(&r->series);
    wl_arena_done(&r->arena);
}

/* ---- collecting ------------------------------------------------------------------------------ */

static wl_status reserve(struct wl_measurement *r, struct wl_error *err)
{
    int32_t capacity = r->runs_capacity;
    int32_t before = capacity;
    WL_TRY(wl_arena_reserve(&r->arena, (void **)&r->results, &capacity, r->runs + 1,
                            sizeof(*r->results)));
    int32_t grown = before;
    WL_TRY(wl_arena_reserve(&r->arena, (void **)&r->totals, &grown, capacity, sizeof(*r->totals)));
    if (r->sources == NULL) {
        r->sources = WL_ARRAY(&r->arena, struct wl_measure_source, r->source_count);
        WL_TRY_PTR(r->sources, err);
    }
    for (int32_t i = 0; i < r->source_count; i++) {
        int32_t own = before;
        WL_TRY(wl_arena_reserve(&r->arena, (void **)&r->sources[i].energy_j, &own, capacity,
                                sizeof(double)));
    }
    r->runs_capacity = capacity;
    return WL_OK;
}

/* Keeps the figures that are medians later in the channel itself as running extremes or sums. */
static void merge_channel(struct wl_measure_source *s, const struct wl_meter_channel *c,
                          int32_t run)
{
    struct wl_meter_channel before = s->channel;
    s->energy_j[run] = c->energy_j;
    s->channel = *c;
    if (run == 0) {
        s->idle_power_w = (double)NAN;
        return;
    }
    double n = (double)run;
    s->channel.peak_power_w = fmax(before.peak_power_w, c->peak_power_w);
    s->channel.temperature_c = fmax(before.temperature_c, c->temperature_c);
    s->channel.utilization = (before.utilization * n + c->utilization) / (n + 1.0);
    s->channel.clock_hz = (before.clock_hz * n + c->clock_hz) / (n + 1.0);
}

static void note_incomplete(struct wl_measurement *r, const struct wl_meter_channel *c, int32_t run)
{
    char where[160];
    (void)snprintf(where, sizeof(where), "%s/%s in run %d", c->source, c->name, (int)run + 1);
    wl_diag_add(&r->diags, WL_SEV_WARNING, "meter-failed", where, "%s", c->note);
}

wl_status wl_measurement_add(struct wl_measurement *r, struct wl_meter *m,
                             const struct wl_run_result *run, bool keep_series,
                             struct wl_error *err)
{
    struct wl_sampling sampling;
    if (reserve(r, err) != WL_OK) {
        return wl_fail_nomem(err);
    }
    int32_t at = r->runs;
    r->results[at] = *run;
    WL_TRY(wl_meter_read(m, &r->totals[at], err));
    for (int32_t i = 0; i < r->source_count; i++) {
        struct wl_meter_channel c;
        WL_TRY(wl_meter_channel_read(m, i, &c, err));
        merge_channel(&r->sources[i], &c, at);
        if (r->totals[at].incomplete > 0 && c.counted != 0 && c.incomplete != 0) {
            note_incomplete(r, &c, at);
        }
    }
    wl_meter_sampling(m, &sampling);
    r->sampling.interval_s = sampling.interval_s;
    r->sampling.samples += sampling.samples;
    r->sampling.late += sampling.late;
    r->sampling.cpu_s += sampling.cpu_s;
    r->sampled_s += r->totals[at].wall_s;
    r->exit_code = run->exit_code;
    r->runs++;
    if (keep_series) {
        wl_measure_csv_rows(m, r->runs, &r->series);
    }
    return WL_OK;
}

/* ---- what has to be said --------------------------------------------------------------------- */

/* The most promising hint: what only lacks a permission comes before what is not there. */
static const struct wl_meter_absent *best_hint(struct wl_meter *m, struct wl_meter_absent *hint)
{
    bool found = false;
    for (int32_t i = 0; i < wl_meter_absent_count(m); i++) {
        struct wl_meter_absent a;
        if (wl_meter_absent_get(m, i, &a, NULL) != WL_OK || a.fix[0] == '\0') {
            continue;
        }
        bool permission =
            strncmp(a.fix, "sudo chmod", 10) == 0 || strncmp(a.fix, "sudo sysctl", 11) == 0;
        if (!found || permission) {
            *hint = a;
            found = true;
        }
        if (permission) {
            break;
        }
    }
    return found ? hint : NULL;
}

static void note_missing_meter(struct wl_measurement *r, struct wl_meter *m)
{
    struct wl_meter_absent hint;
    if (best_hint(m, &hint) == NULL) {
        wl_diag_add(&r->diags, WL_SEV_WARNING, "no-meter", "energy",
                    "no meter (--sources tells why)");
        return;
    }
    wl_diag_add(&r->diags, WL_SEV_WARNING, "no-meter", "energy",
                "no meter: %s (--sources tells more)", hint.fix);
}

static void note_limits(struct wl_measurement *r, struct wl_meter *m)
{
    int32_t counted = 0;
    for (int32_t i = 0; i < r->source_count; i++) {
        counted += r->sources[i].channel.counted;
    }
    if (counted == 0) {
        note_missing_meter(r, m);
    } else if (r->wall_s < SHORT_RUN_S) {
        wl_diag_add(&r->diags, WL_SEV_WARNING, "short-run", "energy",
                    "a run this short spans few updates of a meter; let the command do its work "
                    "more often, for a second at least");
    }
    if (r->sampling.late > r->sampling.samples / 20) {
        wl_diag_add(&r->diags, WL_SEV_WARNING, "late-samples", "sampling",
                    "%lld samples were missed: the machine was too busy; peaks may be too low",
                    (long long)r->sampling.late);
    }
    for (int32_t i = 0; i < r->runs; i++) {
        if (r->results[i].signal != 0) {
            wl_diag_add(&r->diags, WL_SEV_WARNING, "killed", "command",
                        "was killed by signal %d in run %d", (int)r->results[i].signal, (int)i + 1);
        }
    }
}

static void sum_sources(struct wl_measurement *r)
{
    double energy = 0.0;
    double idle = 0.0;
    int32_t known = 0;
    bool idle_known = true;
    for (int32_t i = 0; i < r->source_count; i++) {
        struct wl_measure_source *s = &r->sources[i];
        s->channel.energy_j = wl_median(s->energy_j, r->runs);
        s->channel.average_power_w = s->channel.energy_j / r->wall_s;
        if (s->channel.counted != 0 && !isnan(s->channel.energy_j)) {
            energy += s->channel.energy_j;
            idle += s->idle_power_w;
            idle_known = idle_known && !isnan(s->idle_power_w);
            known++;
        }
    }
    r->energy_j = known > 0 ? energy : (double)NAN;
    r->average_power_w = known > 0 ? energy / r->wall_s : (double)NAN;
    r->idle_power_w = known > 0 && idle_known ? idle : (double)NAN;
    r->above_idle_j = r->energy_j - r->idle_power_w * r->wall_s;
}

wl_status wl_measurement_finish(struct wl_measurement *r, struct wl_meter *m, struct wl_error *err)
{
    double *wall = WL_ARRAY(&r->arena, double, r->runs);
    double *energy = WL_ARRAY(&r->arena, double, r->runs);
    WL_TRY_PTR(wall, err);
    WL_TRY_PTR(energy, err);
    r->peak_power_w = (double)NAN;
    for (int32_t i = 0; i < r->runs; i++) {
        wall[i] = r->results[i].wall_s;
        energy[i] = r->totals[i].energy_j;
        r->peak_power_w = fmax(r->peak_power_w, r->totals[i].peak_power_w);
    }
    r->wall_s = wl_median(wall, r->runs);
    r->wall_spread = wl_spread(wall, r->runs);
    r->energy_spread = wl_spread(energy, r->runs);
    sum_sources(r);
    r->peak_power_w = fmax(r->peak_power_w, r->average_power_w);
    note_limits(r, m);
    return WL_OK;
}
