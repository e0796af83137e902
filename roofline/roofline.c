/* SPDX-License-Identifier: Apache-2.0 */
/*
 * roofline/roofline.c: counts -> seconds, once for all architectures (compute and levels in
 * mappers/seconds.c, by which mappers choose their plans).
 *
 *   compute    cycles of the busiest unit over the pipe's clock; pipes one after the other add up,
 *              else the longest counts
 *   level l    (bytes read + bytes written) / (bandwidth x sustained share x share that the units
 * in use can draw) overhead   launches, barriers, serial parts. Where launches are queued ahead
 * (GPU), the runtime's launch costs only what the device would wait for it; the device's own
 * start-up gap is always paid latency    max(compute, levels) + overhead
 *
 * What a calibration measured takes the place of compute and levels; the bound is then named after
 * the longest of these all the same.
 *
 * after Williams, Waterman and Patterson, "Roofline" (2009), with one roof per memory level (Ilic
 * et al., "Cache-aware roofline model", 2014). The bound is the part that is largest.
 *
 * Power (power.c) is one more bound over the inference: seconds >= dynamic joules / (limit - idle).
 */
#include <string.h>

#include "roofline_priv.h"

const char *wl_bound_name(const struct wl_device *d, int32_t bound)
{
    switch (bound) {
    case WL_BOUND_COMPUTE:
        return "compute";
    case WL_BOUND_OVERHEAD:
        return "overhead";
    case WL_BOUND_POWER:
        return "power";
    default:
        break;
    }
    int32_t level = bound - WL_BOUND_LEVEL;
    return level >= 0 && level < d->level_count ? d->levels[level].name : "unknown";
}

/* ---- one subgraph -----------------------------------------------------------------------------
 */

/* Seconds that launches and barriers add to `busy_s` seconds of work. */
static double overhead_seconds(const struct wl_mappings *all, const struct wl_mapping *m,
                               double busy_s)
{
    const struct wl_device *d = all->device;
    const struct wl_runtime *rt = all->options.runtime;
    double device_s = d->params.dispatch_s;
    double runtime_s = rt != NULL ? rt->dispatch_s[d->class] : -1;
    double fixed = wl_mapping_fixed_s(d, m);
    double slots = rt != NULL ? rt->dispatch_slots[d->class] : 0;
    double slots_s = slots > 0 ? slots / (d->groups[0].decode_per_cycle * d->clock_hz) : 0;
    double launch = m->dispatches * ((runtime_s >= 0 ? runtime_s : device_s) + slots_s);
    if (!m->async_dispatch) {
        return fixed + launch;
    }
    double waiting = launch - (busy_s + fixed);
    return fixed + (waiting > 0 ? waiting : 0);
}

static void time_one(const struct wl_mappings *all, const struct wl_mapping *m, struct wl_timing *t)
{
    const struct wl_device *d = all->device;
    *t = (struct wl_timing){.bound = WL_BOUND_COMPUTE};
    t->compute_s = wl_mapping_compute_s(d, m);
    double busy = t->compute_s;
    for (int32_t l = 0; l < d->level_count; l++) {
        t->level_s[l] = wl_mapping_level_s(d, m, l);
        t->memory_s = t->level_s[l] > t->memory_s ? t->level_s[l] : t->memory_s;
        if (t->level_s[l] > busy) {
            busy = t->level_s[l];
            t->bound = WL_BOUND_LEVEL + l;
        }
    }
    busy = m->measured_s > 0 ? m->measured_s : busy;
    t->overhead_s = overhead_seconds(all, m, busy);
    t->latency_s = busy + t->overhead_s;
    if (t->overhead_s > busy || busy <= 0) {
        t->bound = WL_BOUND_OVERHEAD;
    }
}

/* ---- the model --------------------------------------------------------------------------------
 */

/* Peak of all pipes that share the name of `pipe` (hybrid parts have one per group). */
static double named_peak(const struct wl_device *d, int32_t pipe, enum wl_precision prec)
{
    double peak = 0;
    for (int32_t i = 0; i < d->pipe_count; i++) {
        if (i == pipe || strcmp(d->pipes[i].name, d->pipes[pipe].name) == 0) {
            peak += wl_pipe_peak(d, &d->pipes[i], prec);
        }
    }
    return peak;
}

/* Highest peak of a pipe over the precisions that the subgraph may have run at on it. */
static double pipe_peak(const struct wl_device *d, const struct wl_mapping *m)
{
    double peak = named_peak(d, m->pipe, m->precision);
    for (int p = 0; p < WL_PREC_COUNT && !(peak > 0); p++) {
        double other = named_peak(d, m->pipe, (enum wl_precision)p);
        peak = other > peak ? other : peak;
    }
    return peak;
}

static void place_one(const struct wl_mappings *all, const struct wl_mapping *m,
                      const struct wl_timing *t, struct wl_roof_point *point, double *utilization)
{
    const struct wl_device *d = all->device;
    *point = (struct wl_roof_point){0};
    *utilization = 0;
    if (m->pipe == WL_NONE || !(t->latency_s > 0)) {
        return;
    }
    double peak = pipe_peak(d, m);
    point->attainable_ops_per_s = peak;
    for (int32_t l = 0; l < d->level_count; l++) {
        double bytes = m->traffic[l].read_bytes + m->traffic[l].write_bytes;
        double roof = bytes > 0 ? m->executed_ops / bytes * d->levels[l].bandwidth_bps : peak;
        if (l == d->level_count - 1) {
            point->intensity = bytes > 0 ? m->executed_ops / bytes : 0;
        }
        if (roof < point->attainable_ops_per_s) {
            point->attainable_ops_per_s = roof;
        }
    }
    point->achieved_ops_per_s = m->executed_ops / t->latency_s;
    if (point->achieved_ops_per_s > point->attainable_ops_per_s) {
        point->achieved_ops_per_s = point->attainable_ops_per_s;
    }
    *utilization = peak > 0 ? point->achieved_ops_per_s / peak : 0;
}

static void sum_up(struct wl_roofline *out, int32_t level_count)
{
    double by_bound[WL_BOUND_LEVEL + WL_LEVELS_MAX] = {0};
    double weighted = 0;
    out->latency_s = 0;
    for (int32_t i = 0; i < out->count; i++) {
        out->latency_s += out->timings[i].latency_s;
        by_bound[out->timings[i].bound] += out->timings[i].latency_s;
        weighted += out->utilization[i] * out->timings[i].latency_s;
    }
    out->utilization_model = out->latency_s > 0 ? weighted / out->latency_s : 0;
    out->bound = WL_BOUND_COMPUTE;
    for (int32_t b = 0; b < WL_BOUND_LEVEL + level_count; b++) {
        if (by_bound[b] > by_bound[out->bound]) {
            out->bound = b;
        }
    }
}

static wl_status list_ceilings(const struct wl_device *d, struct wl_arena *arena,
                               struct wl_roofline *out, struct wl_error *err)
{
    out->ceilings = WL_ARRAY(arena, struct wl_ceiling, d->pipe_count * WL_PREC_COUNT);
    WL_TRY_PTR(out->ceilings, err);
    for (int p = 0; p < WL_PREC_COUNT; p++) {
        for (int32_t i = 0; i < d->pipe_count; i++) {
            bool seen = false;
            for (int32_t k = 0; k < i; k++) {
                seen = seen || strcmp(d->pipes[k].name, d->pipes[i].name) == 0;
            }
            double peak = named_peak(d, i, (enum wl_precision)p);
            if (!seen && peak > 0 && d->pipes[i].kind != WL_PIPE_SPECIAL) {
                out->ceilings[out->ceiling_count++] = (struct wl_ceiling){
                    .precision = (enum wl_precision)p, .unit = d->pipes[i].name, .ops_per_s = peak};
            }
        }
    }
    return WL_OK;
}

wl_status wl_roofline_place(const struct wl_mappings *m, const struct wl_energy *e,
                            struct wl_arena *arena, struct wl_roofline *out, struct wl_error *err)
{
    *out = (struct wl_roofline){.count = m->count};
    out->timings = WL_ARRAY(arena, struct wl_timing, m->count);
    out->points = WL_ARRAY(arena, struct wl_roof_point, m->count);
    out->utilization = WL_ARRAY(arena, double, m->count);
    WL_TRY_PTR(out->timings, err);
    WL_TRY_PTR(out->points, err);
    WL_TRY_PTR(out->utilization, err);
    for (int32_t i = 0; i < m->count; i++) {
        time_one(m, &m->items[i], &out->timings[i]);
        out->unbounded_latency_s += out->timings[i].latency_s;
    }
    wl_roofline_bound_power(m, e, out);
    for (int32_t i = 0; i < m->count; i++) {
        place_one(m, &m->items[i], &out->timings[i], &out->points[i], &out->utilization[i]);
    }
    sum_up(out, m->device->level_count);
    return list_ceilings(m->device, arena, out, err);
}
