/* SPDX-License-Identifier: Apache-2.0 */
/*
 * roofline/power.c: the power bound. Dynamic joules E are known before seconds, so an inference
 * cannot take less than T = E / (limit - idle). Power management acts over milliseconds, so the
 * bound holds over the inference, not over each subgraph. Where it binds, a cap p on dynamic power
 * is sought such that the subgraphs that draw more than p, stretched to e_i / p, make the total
 * exactly T: sum of max(t_i, e_i / p) = T The left side falls with p, is >= T at p = limit - idle
 * and below T without a cap, so p exists and is at least limit - idle: only subgraphs above the
 * limit are stretched. p follows from the set S that it stretches, p = E(S) / (T - t(not S));
 * starting from all subgraphs above limit - idle, S only shrinks, so the iteration ends.
 */
#include "roofline_priv.h"

/* One step: the cap that the present set S gives, or false when it stretches nothing. */
static bool next_cap(const struct wl_energy *e, const struct wl_roofline *r, double target_s,
                     double *cap_w)
{
    double energy_j = 0;
    double rest_s = 0;
    for (int32_t i = 0; i < r->count; i++) {
        double joules = wl_energy_dynamic_j(&e->parts[i]);
        if (joules > *cap_w * r->timings[i].latency_s) {
            energy_j += joules;
        } else {
            rest_s += r->timings[i].latency_s;
        }
    }
    if (!(energy_j > 0) || !(target_s > rest_s)) {
        return false;
    }
    *cap_w = energy_j / (target_s - rest_s);
    return true;
}

void wl_roofline_bound_power(const struct wl_mappings *m, const struct wl_energy *e,
                             struct wl_roofline *r)
{
    const struct wl_device *d = m->device;
    double budget_w = d->power_limit_w - d->idle_w;
    double total_j = 0;
    for (int32_t i = 0; i < r->count; i++) {
        total_j += wl_energy_dynamic_j(&e->parts[i]);
    }
    if (!(budget_w > 0) || !(total_j > budget_w * r->unbounded_latency_s)) {
        return;
    }
    /* A hair above the exact time, so that rounding never shows a power above the limit. */
    double target_s = total_j / budget_w * (1 + 1e-12);
    double cap_w = budget_w;
    for (int32_t round = 0; round <= r->count; round++) {
        double before = cap_w;
        if (!next_cap(e, r, target_s, &cap_w) || !(cap_w > before)) {
            cap_w = cap_w > before ? cap_w : before;
            break;
        }
    }
    for (int32_t i = 0; i < r->count; i++) {
        double joules = wl_energy_dynamic_j(&e->parts[i]);
        struct wl_timing *t = &r->timings[i];
        if (joules > cap_w * t->latency_s) {
            t->latency_s = joules / cap_w;
            t->bound = WL_BOUND_POWER;
        }
    }
}
