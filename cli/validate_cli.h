/* SPDX-License-Identifier: Apache-2.0 */
/* validate_cli.h: predictions held against runs on this host: one point per model, batch, threads.
 */
#ifndef WL_VALIDATE_CLI_H
#define WL_VALIDATE_CLI_H

#include "analysis_run.h"
#include "ort.h"

/* One kernel: what a subgraph takes as predicted and as its runtime's profile has it. */
struct wl_validate_kernel {
    const char *name, *pattern;
    const char *operation; /* the calibration's, or NULL: not covered */
    double distance;       /* doublings from the nearest size that was calibrated */
    double measured_s, predicted_s;
};

struct wl_validate_point {
    const char *name;
    int64_t batch;
    int32_t threads;
    double measured_s, predicted_s;
    /* of the machine over that of the calibration while the point, and while its kernels were
       measured: the mean of before and after; 0: not known */
    double speed, kernels_speed;
    const char *failure; /* why it did not run; NULL when it did */
    const char
        *excluded; /* why it ran but does not count: its work depends on the data; else NULL */
    struct wl_validate_kernel *kernels;
    int32_t kernel_count;
    double unmatched_s; /* of the profile: kernels that no subgraph claims, reorders and views */
};

struct wl_validation {
    struct wl_arena arena;
    const char *host, *runtime, *version, *calibration;
    struct wl_validate_point *points;
    int32_t point_count, point_capacity;
    bool layers;
};

/*
 * Figures of |error|: of points (`kernels` false) or of all points' kernels. With `level` every
 * measurement is brought to the speed that the machine had during calibration.
 */
struct wl_validate_errors {
    int32_t count;
    double mean, median, p90, within_12;
};
struct wl_validate_errors wl_validate_errors(struct wl_validation *v, bool kernels, bool level);

wl_status wl_validate_text(struct wl_validation *v, struct wl_buf *out,
                           struct wl_error *err) WL_MUST_CHECK;
void wl_validate_json(struct wl_validation *v, struct wl_buf *out);
/* Median error by operation and of whole models into the calibration file at `path`. */
wl_status wl_validate_save(struct wl_validation *v, const char *path,
                           struct wl_error *err) WL_MUST_CHECK;

#endif
