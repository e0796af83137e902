/* SPDX-License-Identifier: Apache-2.0 */
/* measure_priv.h: the meter from inside; the vtable that each source fills. */
#ifndef WL_MEASURE_PRIV_H
#define WL_MEASURE_PRIV_H

#include <math.h>
#include <pthread.h>

#include "measure.h"

/* What a channel covers; decides who contains whom (meter.c). */
#define WL_METER_SCOPES(X)                                                                         \
    X(PACKAGE, "package")   /* a processor package */                                              \
    X(CORE, "core")         /* its cores: inside the package */                                    \
    X(UNCORE, "uncore")     /* its graphics: inside the package */                                 \
    X(DRAM, "dram")         /* memory beside the package */                                        \
    X(PLATFORM, "platform") /* packages and more */                                                \
    X(GPU, "gpu")           /* a graphics board */                                                 \
    X(APU, "apu")           /* graphics in the package: reports the package's power */             \
    X(MODULE, "module")     /* a whole system-on-module */                                         \
    X(RAIL, "rail")         /* one supply of a module */                                           \
    X(SUBRAIL, "subrail")   /* a supply fed by another rail that is metered too */                 \
    X(MACHINE, "machine")   /* everything */                                                       \
    X(OTHER, "other")

enum wl_meter_scope {
#define WL_X(id, name) WL_METER_##id,
    WL_METER_SCOPES(WL_X)
#undef WL_X
        WL_METER_SCOPE_COUNT
};

/* What one look at a channel asks for. */
enum wl_look { WL_LOOK_COUNTER, WL_LOOK_POWER, WL_LOOK_COUNT };

struct wl_reading {
    bool look[WL_LOOK_COUNT]; /* in: what is asked for */
    uint64_t counter_uj;
    double power_w;
};

struct wl_gauges {
    double utilization, clock_hz, temperature_c; /* NaN where there is none */
};

/* Sums over a region. */
struct wl_channel_run {
    bool started;         /* a first reading succeeded */
    bool failing;         /* the newest reading failed */
    bool late_start;      /* the first reading succeeded only after the start */
    int32_t resets, gaps; /* counter went back; readings that failed and came again */
    uint64_t last_uj, total_uj;
    int64_t changes;
    double first_t, last_t, first_change_t, last_change_t;
    double integral_j, last_power_w, last_power_t; /* trapezoid */
    double due_t[WL_LOOK_COUNT];                   /* not to be asked before */
    double window_t, window_j;                     /* where the present power window began */
    double power_w, peak_w;                        /* newest and highest */
    struct wl_gauges sum, newest;
    double temperature_max_c;
    int64_t utilization_count, clock_count;
};

struct wl_channel {
    const struct wl_source *source;
    char name[64], device[128], note[320];
    enum wl_meter_scope scope;
    int32_t group;                   /* the package it belongs to, or WL_NONE */
    bool has[WL_LOOK_COUNT];         /* a counter, a power reading */
    double spacing_s[WL_LOOK_COUNT]; /* least time between looks, from what a look costs */
    bool counted;
    uint64_t range_uj;          /* highest value of the counter; 0: does not wrap */
    const char *contained_note; /* why it is not counted */
    char full_note[640];        /* with what happened in the region: made when read out */
    void *state;                /* the source's own */
    double lifetime_j;          /* of finished regions */
    struct wl_channel_run run;
};

/* A source of readings: rapl.c, nvml.c ... each ends in one of these. */
struct wl_source {
    const char *name;
    /* Adds channels, or says by wl_meter_lacks why there are none. Fails only without memory. */
    wl_status (*probe)(struct wl_meter *m, struct wl_error *err);
    bool (*read)(struct wl_channel *c, struct wl_reading *out);
    void (*gauges)(struct wl_channel *c, struct wl_gauges *out); /* optional */
    void (*close)(struct wl_channel *c);                         /* optional */
    void (*done)(struct wl_meter *m);                            /* optional: after all channels */
};
extern const struct wl_source wl_source_rapl;
extern const struct wl_source wl_source_perf_event;
extern const struct wl_source wl_source_nvml;
extern const struct wl_source wl_source_amdgpu;
extern const struct wl_source wl_source_hwmon;
extern const struct wl_source wl_source_battery;

struct wl_meter {
    struct wl_arena arena;
    const char *root; /* "/sys" */
    const char *nvml_library;
    const char *only; /* NULL: all */
    struct wl_nvml *nvml;
    struct wl_channel **channels;
    int32_t count, capacity;
    struct wl_meter_absent *absent;
    int32_t absent_count, absent_capacity;
    /* sampling */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
    bool running, stopping, measured;
    double interval_s;
    double start_t, last_t, gauges_t; /* monotonic clock */
    double gauges_spacing_s;
    double peak_w;
    struct wl_sampling sampling;
    /* series */
    bool keep_series;
    double *series_time, *series_values;
    int32_t series_rows, series_capacity;
    int64_t series_every, series_seen; /* one sample in series_every is kept */
};

/* ---- for sources ----------------------------------------------------------------------------- */

/* A new channel with zeroed state of `state_bytes`; NULL when memory is exhausted. */
struct wl_channel *wl_meter_add(struct wl_meter *m, const struct wl_source *s,
                                enum wl_meter_scope scope, size_t state_bytes);
/* This machine lacks `source`: why, and what to type (NULL: nothing helps). */
wl_status wl_meter_lacks(struct wl_meter *m, const char *source, const char *fix,
                         struct wl_error *err, const char *fmt, ...) WL_PRINTF(5, 6);
/* Appends a sentence to a channel's note. */
void wl_channel_note(struct wl_channel *c, const char *fmt, ...) WL_PRINTF(2, 3);
bool wl_meter_has(const struct wl_meter *m, const char *source);

/* A sysfs file read again and again: kept open. */
struct wl_sysfs {
    const char *path;
    int fd; /* -1: not open */
};
/* 0, or the errno of the first reading. */
int wl_sysfs_open(struct wl_meter *m, struct wl_sysfs *f, const char *dir, const char *name);
void wl_sysfs_close(struct wl_sysfs *f);
bool wl_sysfs_u64(struct wl_sysfs *f, uint64_t *out);
bool wl_sysfs_i64(struct wl_sysfs *f, int64_t *out);
/* One reading of a small text, without its line end: 0 or an errno. */
int wl_sysfs_text(const char *dir, const char *name, char *out, size_t out_size);
int wl_sysfs_number(const char *dir, const char *name, int64_t *out);
/* "12" from "hwmon12"; -1 when `name` is not prefix and digits. */
int32_t wl_sysfs_index(const char *name, const char *prefix);

double wl_clock_s(void); /* monotonic */

/* sampler.c, with the lock held (or before anything runs). */
void wl_meter_price(struct wl_meter *m);
double wl_channel_energy_j(const struct wl_meter *m, const struct wl_channel *c);
bool wl_channel_complete(const struct wl_meter *m, const struct wl_channel *c);
bool wl_channel_stuck(const struct wl_meter *m, const struct wl_channel *c);
void wl_series_reset(struct wl_meter *m);
void wl_series_add(struct wl_meter *m, double t);
void wl_meter_halt(struct wl_meter *m);

#endif
