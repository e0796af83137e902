/* SPDX-License-Identifier: Apache-2.0 */
/*
 * energy: counts -> joules. Dynamic energy is the sum of the ledger's events and nothing else;
 * static energy is idle watts x seconds, added once. Categories are sums of events.
 */
#ifndef WL_ENERGY_H
#define WL_ENERGY_H

#include "mappers.h"

/* One line of the ledger of the whole model. */
struct wl_ledger_row {
    enum wl_event event;
    enum wl_precision precision; /* WL_PREC_COUNT where the event has none */
    const char *name;            /* "vector_mac_fp32", "dram_read" */
    double count;
    double unit_pj;
    double energy_j;
    const char *source;
    enum wl_basis basis;
};

/* Joules of one subgraph, or of the model. */
struct wl_energy_parts {
    double category_j[WL_CAT_COUNT]; /* dynamic */
    double static_j;
};

struct wl_energy {
    struct wl_energy_parts *parts; /* by subgraph */
    int32_t count;
    struct wl_energy_parts total; /* sums over subgraphs in order */
    double wasted_j;              /* part of static_j: share of units that idle */
    struct wl_ledger_row *rows;
    int32_t row_count;
    enum wl_basis basis;
};

double wl_energy_dynamic_j(const struct wl_energy_parts *p);
double wl_energy_total_j(const struct wl_energy_parts *p);

/* Picojoules of one event: the device's, or the memory level's for reads and writes. */
double wl_energy_unit_pj(const struct wl_device *d, enum wl_event e, int precision);
/* "vector_mac_fp32", "dram_read": as the ledger prints it. Writes into `out` and returns it. */
const char *wl_energy_event_name(const struct wl_device *d, enum wl_event e, int precision,
                                 char *out, size_t out_size);

/* Fills category_j of every subgraph and the ledger. */
wl_status wl_energy_dynamic(const struct wl_mappings *m, struct wl_arena *arena,
                            struct wl_energy *out, struct wl_error *err) WL_MUST_CHECK;

/* Seconds of one subgraph, filled by roofline/; defined here because static energy needs them. */
struct wl_timing {
    double compute_s;
    double memory_s;   /* the slowest level's */
    double overhead_s; /* dispatch, barriers, serial parts */
    double latency_s;  /* max(compute, memory) + overhead, stretched where power binds */
    int32_t bound;     /* enum wl_bound; WL_BOUND_LEVEL + i for level i */
    double level_s[WL_LEVELS_MAX];
};
enum wl_bound { WL_BOUND_COMPUTE, WL_BOUND_OVERHEAD, WL_BOUND_POWER, WL_BOUND_LEVEL };

/* Fills static_j (idle watts x latency), wasted_j and the totals. */
void wl_energy_static(const struct wl_mappings *m, const struct wl_timing *timings, bool gating,
                      struct wl_energy *e);

#endif
