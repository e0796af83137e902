/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench: measuring kernels on this host. A framework (openblas, onednn, onnxruntime) offers rows,
 * one per operation, precision, thread count and size; the bench keeps them, resumes what an
 * earlier run left, shows progress, and writes the calibration file. SI units.
 */
#ifndef WL_BENCH_H
#define WL_BENCH_H

#include <stdio.h>

#include "hardware.h"

struct wl_bench_row {
    const char *operation; /* as kernels/ names it; borrowed until added */
    enum wl_precision precision;
    int32_t threads;
    struct wl_kernel_sizes sizes;
    double time_s, min_s, max_s; /* median, fastest and slowest run; 0: it did not run */
    int32_t runs;
    const char *reason; /* why it did not run, or why measuring ended early; NULL otherwise */
};

struct wl_bench_options {
    bool quick;             /* fewer sizes: under a minute instead of under five */
    bool force;             /* measure although the machine is busy */
    bool restart;           /* forget rows of an interrupted run */
    const int32_t *threads; /* thread counts, ascending */
    int32_t thread_count;
    const char *node_modules; /* folder that holds onnxruntime-node; NULL: Node's own resolution */
    const char *tools;        /* folder of the scripts (tools/) */
    const char *registry;     /* root with runtimes/ */
    /* Called with the share done in [0, 1]; NULL: no progress. */
    void (*progress)(void *user, double share, const char *what);
    void *user;
};

struct wl_bench {
    struct wl_arena arena;
    struct wl_bench_options options;
    const char *framework;
    char version[64]; /* of the framework */
    const char *partial_path;
    FILE *partial; /* rows so far, one JSON line each */
    struct wl_bench_row *rows;
    int32_t row_count, row_capacity;
    int32_t resumed; /* rows of an earlier run */
};

/* A library or runtime that kernels are measured with. */
struct wl_bench_framework {
    const char *name;
    const char *what; /* one line for --help */
    /* UNSUPPORTED, saying what to install, where it is not there; else fills b->version. */
    wl_status (*probe)(struct wl_bench *b, struct wl_error *err);
    /* Adds all rows; skips those that wl_bench_has. */
    wl_status (*run)(struct wl_bench *b, struct wl_error *err);
};
/* NULL where there is none of that name; by index for listings (NULL past the end). */
const struct wl_bench_framework *wl_bench_framework_find(const char *name);
const struct wl_bench_framework *wl_bench_framework_at(int32_t i);

/* Rows of an interrupted run at `partial_path` are taken over unless options.restart. */
wl_status wl_bench_open(struct wl_bench *b, const struct wl_bench_options *options,
                        const char *framework, const char *partial_path,
                        struct wl_error *err) WL_MUST_CHECK;
void wl_bench_close(struct wl_bench *b);
/* Whether two kernels are one to a calibration. */
bool wl_bench_same_sizes(const struct wl_kernel_sizes *a, const struct wl_kernel_sizes *b);
bool wl_bench_has(const struct wl_bench *b, const char *operation, enum wl_precision precision,
                  int32_t threads, const struct wl_kernel_sizes *sizes);
/* The first row of an operation at a thread count, or NULL. */
const struct wl_bench_row *wl_bench_find(const struct wl_bench *b, const char *operation,
                                         int32_t threads);
/* Multiplies all times at a thread count. */
void wl_bench_scale(struct wl_bench *b, int32_t threads, double factor);
/* Copies the row and appends it to the partial file. */
wl_status wl_bench_add(struct wl_bench *b, const struct wl_bench_row *row,
                       struct wl_error *err) WL_MUST_CHECK;
void wl_bench_progress(const struct wl_bench *b, double share, const char *what);

/* Median, fastest and slowest of `count` times (sorted in place) into the row. */
void wl_bench_times(double *times_s, int32_t count, struct wl_bench_row *row);

/* How a calibration file begins. */
struct wl_bench_identity {
    const char *device, *power_mode, *host;
    double clock_hz; /* under load */
    int32_t host_cores;
    int64_t host_memory_bytes;
    const char *date; /* ISO 8601, to the second */
    const char *notes;
};
/* {power_mode}_{MHz}MHz_{framework}.json, in the bench's arena. */
const char *wl_bench_file_name(struct wl_bench *b, const struct wl_bench_identity *id);
/* The calibration file as text. */
wl_status wl_bench_write(const struct wl_bench *b, const struct wl_bench_identity *id,
                         struct wl_buf *out, struct wl_error *err) WL_MUST_CHECK;

/* ---- is the machine quiet enough? (noise.c) ---------------------------------------------------
 */

struct wl_noise {
    double lost;   /* share of processor time that the threads asked for and did not get */
    double spread; /* 90th percentile over median of equal pieces of work, less 1 */
};
/* Equal pieces of work on `threads` threads for about `seconds`. */
wl_status wl_noise_measure(int32_t threads, double seconds, struct wl_noise *out,
                           struct wl_error *err) WL_MUST_CHECK;
/* Whether measuring makes sense; the thresholds stand in noise.c. */
bool wl_noise_quiet(const struct wl_noise *n);

#endif
