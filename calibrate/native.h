/* SPDX-License-Identifier: Apache-2.0 */
/* native: what the frameworks that run inside this process share: timing, points of a grid,
 * buffers. */
#ifndef WL_NATIVE_H
#define WL_NATIVE_H

#include "bench.h"

/* Something to time. */
struct wl_native_work {
    void (*run)(void *user);
    void *user;
    double size; /* the largest extent: from WL_NATIVE_EARLY up, measuring may end early */
};

/* A product or vector of at least this extent may be ended early; the row then says so. */
#define WL_NATIVE_EARLY 256

/*
 * Warms up until a run is no longer faster than those before, then runs at least five times and for
 * at least 20 ms (quick: three times, 5 ms); median, fastest and slowest go into the row. `reason`
 * (of at least WL_NATIVE_REASON bytes) receives why it ended early.
 */
#define WL_NATIVE_REASON 160
void wl_native_time(const struct wl_bench *b, const struct wl_native_work *work, char *reason,
                    struct wl_bench_row *row);

double wl_native_now_s(void); /* monotonic */

/*
 * Element `index` (from 0) of the Halton sequence in `base`, in [0, 1): points that fill a space
 * evenly whatever their number (Halton, 1960). Each dimension takes another prime.
 */
double wl_native_halton(int32_t index, int32_t base);
/* A whole number between low and high, evenly in the logarithm; `share` in [0, 1). */
int64_t wl_native_log_point(double share, int64_t low, int64_t high);

/* 64-byte aligned, filled with ordinary values (no denormals, no NaN); free with free(). */
void *wl_native_buffer(size_t bytes, enum wl_precision precision);

/* Bytes of cache level 1 to 4 of the first processor (data or unified); 0: there is none. */
int64_t wl_native_cache_bytes(int32_t level);
/* Bytes of the cache farthest from the core; 0: not known. */
int64_t wl_native_last_cache_bytes(void);
/* Bytes of memory that are free or can be freed; 0: not known. */
int64_t wl_native_memory_free(void);

/* A library found at run time, kept loaded (its threads live on). */
struct wl_native_symbol {
    const char *name;
    size_t offset; /* of the function pointer */
    bool optional;
};
/* NULL where it is not there or lacks a symbol that is not optional; `why` (160 bytes) says which.
 */
void *wl_native_load(const char *library, const struct wl_native_symbol *symbols, size_t count,
                     void *table, char *why);

/* The libraries' frameworks under another file name: for tests. */
#define WL_OPENBLAS_LIBRARY "libopenblas.so.0"
#define WL_DNNL_LIBRARY "libdnnl.so.2"
wl_status wl_openblas_probe(struct wl_bench *b, const char *library, struct wl_error *err);
wl_status wl_onednn_probe(struct wl_bench *b, const char *library, struct wl_error *err);

#endif
