/* SPDX-License-Identifier: Apache-2.0 */
/*
 * roofline: counts -> seconds, for all architectures in one place. A subgraph takes the longest of
 * its compute time and of every memory level's time, plus overhead; over the whole inference, power
 * is one more bound: time >= dynamic energy / (power limit - idle power).
 */
#ifndef WL_ROOFLINE_H
#define WL_ROOFLINE_H

#include "energy.h"

struct wl_ceiling {
    enum wl_precision precision;
    const char *unit; /* pipe */
    double ops_per_s;
};

struct wl_roof_point {
    double intensity;            /* executed ops per byte of main memory */
    double achieved_ops_per_s;   /* executed */
    double attainable_ops_per_s; /* lowest ceiling at this intensity, over all levels */
};

struct wl_roofline {
    struct wl_timing *timings; /* by subgraph */
    struct wl_roof_point *points;
    double *utilization; /* by subgraph: executed ops / (latency x peak of the pipe used) */
    int32_t count;
    double latency_s;           /* sum of the subgraphs' */
    double unbounded_latency_s; /* before the power bound */
    double utilization_model;   /* weighted by latency */
    int32_t bound;              /* bound with the largest share of latency */
    struct wl_ceiling *ceilings;
    int32_t ceiling_count;
};

/* Name of a bound: "compute", "overhead", "power" or the level's name. */
const char *wl_bound_name(const struct wl_device *d, int32_t bound);

wl_status wl_roofline_place(const struct wl_mappings *m, const struct wl_energy *e,
                            struct wl_arena *arena, struct wl_roofline *out,
                            struct wl_error *err) WL_MUST_CHECK;

#endif
