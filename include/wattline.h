/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wattline.h: the public interface of libwattline.
 *
 * Status codes, errors, and (below) the calls that analyse a model on a device. All functions are
 * re-entrant; no function prints or exits. Strings are UTF-8.
 */
#ifndef WATTLINE_H
#define WATTLINE_H

#include <stddef.h>
#include <stdint.h>

#define WATTLINE_VERSION "0.1.0"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define WL_MUST_CHECK __attribute__((warn_unused_result))
#else
#define WL_MUST_CHECK
#endif

/* INVALID: the input is wrong. UNSUPPORTED: valid, but the device or wattline cannot. BUG: ours. */
typedef enum {
    WL_OK = 0,
    WL_ERR_NOMEM = -1,
    WL_ERR_IO = -2,
    WL_ERR_PARSE = -3,
    WL_ERR_INVALID = -4,
    WL_ERR_UNSUPPORTED = -5,
    WL_ERR_LIMIT = -6,
    WL_ERR_BUG = -7,
    WL_ERR_USAGE = -8 /* the request is wrong: an option, a name, an unbound dimension */
} wl_status;

struct wl_error {
    wl_status code;
    char where[192];    /* in the user's terms: a path, a node, a JSON path */
    char message[1024]; /* what is wrong; what would be right */
};

/* ---- measuring: energy of what really runs --------------------------------------------------- */

/*
 * A meter reads every energy source the machine has (RAPL, perf events, NVML, hwmon rails, AMD
 * GPUs, a battery) while a region runs. One meter may be used from several threads. NaN stands for
 * a figure that no source gives: a machine without any meter still measures time.
 *
 *     struct wl_meter *m;
 *     if (wl_meter_open(NULL, &m, &err) == WL_OK && wl_meter_start(m, &err) == WL_OK) {
 *         work();
 *         wl_meter_stop(m, &err);
 *         wl_meter_read(m, &total, &err);
 *     }
 *     wl_meter_close(m);
 */
struct wl_meter;

/* Zero or NULL: the default. */
struct wl_meter_options {
    double interval_s;        /* between samples; 0: 0.05 */
    const char *only;         /* "rapl,nvml": look at these sources only */
    const char *sysfs_root;   /* instead of /sys: a recorded tree */
    const char *nvml_library; /* instead of libnvidia-ml.so.1 */
    int32_t keep_series;      /* not 0: keep every sample (in bounded memory) */
};

struct wl_meter_total {
    double wall_s;
    double energy_j;        /* sum over the sources that count; NaN: none */
    double average_power_w; /* energy_j / wall_s */
    double peak_power_w;    /* highest power over windows of at least 0.1 s */
    int32_t counted;        /* sources in the sum */
    int32_t incomplete;     /* sources that should be in the sum but failed during the run */
};

/* One channel of one source. Strings live as long as the meter. */
struct wl_meter_channel {
    const char *source; /* "rapl", "perf_event", "nvml", "hwmon", "amdgpu", "battery" */
    const char *name;   /* "package-0", "gpu-1", "VDD_IN" */
    const char *device; /* in words; may be "" */
    const char *scope;  /* "package", "core", "dram", "gpu", "rail", "machine" ... */
    const char *note;   /* the meter's limits, what happened to it; may be "" */
    int32_t counted;    /* 1: part of the total; 0: contained in another one, or unknown */
    int32_t incomplete; /* 1: it failed during the region; the note says how */
    double energy_j, average_power_w, peak_power_w;
    double update_s;                             /* mean time between changes of the counter */
    double utilization, clock_hz, temperature_c; /* means; temperature: the highest */
};

/* A source that this machine lacks: why, and what to type to get it ("" where nothing helps). */
struct wl_meter_absent {
    const char *source;
    const char *reason;
    const char *fix;
};

wl_status wl_meter_open(const struct wl_meter_options *options, struct wl_meter **out,
                        struct wl_error *err) WL_MUST_CHECK;
void wl_meter_close(struct wl_meter *m); /* NULL allowed; stops a running region */
/* A region begins: earlier figures are forgotten. USAGE when one is running. */
wl_status wl_meter_start(struct wl_meter *m, struct wl_error *err) WL_MUST_CHECK;
wl_status wl_meter_stop(struct wl_meter *m, struct wl_error *err) WL_MUST_CHECK;
/* Of the last region, or of the running one until now. */
wl_status wl_meter_read(struct wl_meter *m, struct wl_meter_total *out,
                        struct wl_error *err) WL_MUST_CHECK;
int32_t wl_meter_channel_count(const struct wl_meter *m);
wl_status wl_meter_channel_read(struct wl_meter *m, int32_t index, struct wl_meter_channel *out,
                                struct wl_error *err) WL_MUST_CHECK;
int32_t wl_meter_absent_count(const struct wl_meter *m);
wl_status wl_meter_absent_get(const struct wl_meter *m, int32_t index, struct wl_meter_absent *out,
                              struct wl_error *err) WL_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
