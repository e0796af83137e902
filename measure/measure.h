/* SPDX-License-Identifier: Apache-2.0 */
/*
 * measure: joules and seconds of what really runs. Meters (one file per source behind one vtable),
 * a sampling thread, runs of a command, time series, the text that metric collectors read. The
 * public calls (wl_meter_open ...) are in wattline.h; here is what the command line needs besides.
 */
#ifndef WL_MEASURE_H
#define WL_MEASURE_H

#include "core.h"

/* ---- runs ---------------------------------------------------------------------------------------
 */

/* Exit codes of a run that did not come about, as timeout(1) gives them. */
#define WL_RUN_FAILED 125 /* measuring itself failed */
#define WL_RUN_NOT_RUNNABLE 126
#define WL_RUN_NOT_FOUND 127
#define WL_RUN_SIGNAL_BASE 128 /* + the signal's number */

/*
 * What to measure: a command (argv), or a process that runs already (pid), or the machine for some
 * seconds; with none of them, until a signal asks to end.
 */
struct wl_run_request {
    char *const *argv;           /* NULL: no command */
    int32_t pid;                 /* 0: none */
    double seconds;              /* 0: no limit. Not for commands. */
    void (*tick)(void *context); /* called every tick_s while waiting; may be NULL */
    void *context;
    double tick_s;
};

struct wl_run_result {
    double wall_s;
    double cpu_user_s, cpu_system_s; /* NaN where unknown */
    int64_t max_rss_bytes;           /* 0 where unknown */
    int32_t exit_code;               /* the command's; 128 + signal; 0 for pid and seconds */
    int32_t signal;                  /* that killed the command, or 0 */
    int32_t interrupted_by;          /* signal that asked wattline itself to end, or 0 */
};

/*
 * Starts the meter, runs, waits, stops the meter. Signals that ask to end are passed on to the
 * command (those from the terminal it has got itself). IO with exit_code 126 or 127 when the
 * command cannot be started.
 */
wl_status wl_run(struct wl_meter *m, const struct wl_run_request *req, struct wl_run_result *out,
                 struct wl_error *err) WL_MUST_CHECK;

/* ---- sampling -------------------------------------------------------------------------------- */

/* What the sampling thread did during the last region. */
struct wl_sampling {
    int64_t samples;
    int64_t late; /* deadlines missed by more than an interval */
    double interval_s;
    double cpu_s; /* processor time of the sampling thread */
};
void wl_meter_sampling(struct wl_meter *m, struct wl_sampling *out);

/* Joules of a channel since the meter was opened, over all regions; NaN where it gave none. */
double wl_meter_lifetime_j(struct wl_meter *m, int32_t channel);
/* The newest power of a channel, NaN before there is one. */
double wl_meter_power_w(struct wl_meter *m, int32_t channel);

/*
 * The samples of the last region, when kept. values[row * stride + channel * WL_SERIES_FIELDS +
 * field]; long regions are thinned out evenly to stay within WL_SERIES_BYTES_MAX.
 */
enum wl_series_field {
    WL_SERIES_ENERGY_J,
    WL_SERIES_POWER_W,
    WL_SERIES_UTILIZATION,
    WL_SERIES_CLOCK_HZ,
    WL_SERIES_TEMPERATURE_C,
    WL_SERIES_FIELDS
};
#define WL_SERIES_BYTES_MAX (64u << 20)
struct wl_series {
    const double *time_s; /* since the start of the region */
    const double *values;
    int32_t rows;
    int32_t channels;
};
/* Valid until the next start or close. */
void wl_meter_series(struct wl_meter *m, struct wl_series *out);
static inline double wl_series_at(const struct wl_series *s, int32_t row, int32_t channel,
                                  enum wl_series_field field)
{
    size_t stride = (size_t)s->channels * WL_SERIES_FIELDS;
    return s->values[(size_t)row * stride + (size_t)channel * WL_SERIES_FIELDS + (size_t)field];
}

/* ---- statistics ------------------------------------------------------------------------------ */

/* Median (mean of the middle two for an even count); NaN values are left out; NaN when none is
 * left. */
double wl_median(const double *values, int32_t count);
/* (highest - lowest) / median; NaN with fewer than two values. */
double wl_spread(const double *values, int32_t count);

/*
 * Microjoules from one reading of a counter to the next. A counter that went back has wrapped when
 * its highest value `range_uj` is known, else it was reset: then *reset is set and nothing is
 * added.
 */
uint64_t wl_counter_delta_uj(uint64_t last_uj, uint64_t now_uj, uint64_t range_uj, bool *reset);

/* ---- export ---------------------------------------------------------------------------------- */

/* OpenMetrics text of all channels, with the closing # EOF. */
#define WL_OPENMETRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"
void wl_openmetrics(struct wl_meter *m, struct wl_buf *out);

/*
 * Serves wl_openmetrics at /metrics on "PORT" (loopback), "ADDRESS:PORT" or "[IPV6]:PORT" until
 * done. UNSUPPORTED when built without libmicrohttpd. Port 0: any free one, told by
 * wl_exporter_port.
 */
struct wl_exporter;
bool wl_exporter_is_address(const char *text); /* else it is the name of a file */
wl_status wl_exporter_new(struct wl_meter *m, const char *address, struct wl_exporter **out,
                          struct wl_error *err) WL_MUST_CHECK;
int32_t wl_exporter_port(const struct wl_exporter *e);
void wl_exporter_free(struct wl_exporter *e);

#endif
