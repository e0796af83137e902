/* SPDX-License-Identifier: Apache-2.0 */
/* measure_cli.h: what the files of the measure command share: options, a finished measurement. */
#ifndef WL_MEASURE_CLI_H
#define WL_MEASURE_CLI_H

#include "analysis_options.h"
#include "measure.h"

#define WL_MEASURE_WORKS_MAX 8

/* --work samples=1000 */
struct wl_measure_work {
    const char *unit; /* "samples", "tokens", "flops", "inferences" */
    double amount;
};

struct wl_measure_options {
    struct wl_cli_analysis a; /* first: the shared setters take this address */
    struct wl_meter_options meter;
    int64_t warmup, repeat, pid;
    double seconds, idle_s;
    bool save, list_sources, plot;
    const char *model;
    const char *prometheus;
    struct wl_measure_work works[WL_MEASURE_WORKS_MAX];
    int32_t work_count;
};

extern const struct wl_option wl_measure_options[];

/* ---- a finished measurement ------------------------------------------------------------------ */

/* A channel over all counted runs; strings are the meter's. NaN: not known. */
struct wl_measure_source {
    struct wl_meter_channel channel; /* figures: medians; peak and temperature: the highest */
    double idle_power_w;
    double *energy_j; /* by run */
};

/* What wattline itself says about the model that ran. */
struct wl_measure_prediction {
    bool present;
    const char *model, *hardware;
    int64_t batch;
    double inferences;                           /* NaN: not told */
    double latency_s, energy_j, average_power_w; /* of one inference */
};

struct wl_measurement {
    struct wl_arena arena;
    char *const *command; /* NULL: none */
    int32_t command_count;
    int64_t warmup;
    int32_t runs, runs_capacity;
    struct wl_run_result *results; /* by run */
    struct wl_meter_total *totals; /* by run */
    struct wl_measure_source *sources;
    int32_t source_count;
    int32_t exit_code;
    double wall_s, wall_spread;
    double energy_j, energy_spread, average_power_w, peak_power_w;
    double idle_power_w, above_idle_j;
    const char *idle_basis;      /* "measured before the run", "saved 2026-...", NULL */
    struct wl_sampling sampling; /* of all runs together */
    double sampled_s;
    struct wl_measure_prediction prediction;
    struct wl_diag_list diags;
    struct wl_buf series; /* CSV rows, run by run */
};

void wl_measurement_init(struct wl_measurement *r, struct wl_meter *m);
void wl_measurement_done(struct wl_measurement *r);
/* Takes over the region that has just ended. */
wl_status wl_measurement_add(struct wl_measurement *r, struct wl_meter *m,
                             const struct wl_run_result *run, bool keep_series,
                             struct wl_error *err) WL_MUST_CHECK;
/* Medians, totals, what has to be said. */
wl_status wl_measurement_finish(struct wl_measurement *r, struct wl_meter *m,
                                struct wl_error *err) WL_MUST_CHECK;

/* ---- reports --------------------------------------------------------------------------------- */

void wl_measure_json(const struct wl_measurement *r, const struct wl_measure_options *o,
                     struct wl_buf *out);
wl_status wl_measure_text(const struct wl_measurement *r, const struct wl_measure_options *o,
                          struct wl_buf *out, struct wl_error *err) WL_MUST_CHECK;
/* Appends one row per sample and source of the last region. */
void wl_measure_csv_rows(struct wl_meter *m, int32_t run, struct wl_buf *out);
extern const char wl_measure_csv_header[];
/* Power over time of the last region, as a picture of characters. */
void wl_measure_plot(struct wl_meter *m, struct wl_buf *out);
/* --sources */
wl_status wl_measure_sources_text(struct wl_meter *m, struct wl_buf *out,
                                  struct wl_error *err) WL_MUST_CHECK;
wl_status wl_measure_sources_json(struct wl_meter *m, struct wl_buf *out,
                                  struct wl_error *err) WL_MUST_CHECK;

/* ---- idle baseline (idle.json of the host directory) ----------------------------------------- */

wl_status wl_measure_idle_save(struct wl_arena *arena, const struct wl_measurement *r,
                               const char **path, struct wl_error *err) WL_MUST_CHECK;
/* Fills idle_power_w of the sources that the file knows, and r->idle_basis. No file: nothing. */
wl_status wl_measure_idle_load(struct wl_arena *arena, struct wl_measurement *r,
                               struct wl_error *err) WL_MUST_CHECK;

/* ---- prediction ------------------------------------------------------------------------------ */

wl_status wl_measure_predict(struct wl_measure_options *o, struct wl_measure_prediction *out,
                             struct wl_error *err) WL_MUST_CHECK;

#endif
