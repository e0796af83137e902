/* SPDX-License-Identifier: Apache-2.0 */
/* gpu_priv: what gpu.c and gpu_gemm.c share. */
#ifndef WL_GPU_PRIV_H
#define WL_GPU_PRIV_H

#include "mappers_priv.h"

/* A product as it is executed, one execution. */
struct gpu_shape {
    int64_t g, m, n, k;
    double macs; /* executed, padding excluded */
    double left_bytes, right_bytes;
    double times, steps; /* as in wl_run */
    bool depthwise;
    double transform_ops, transform_elems; /* Winograd, else 0 */
    const char *algorithm;
};

/* How it is laid over the units; cycles in the pipe's clock, one execution. */
struct gpu_plan {
    int32_t pipe; /* WL_NONE: nothing can compute it */
    enum wl_precision precision;
    bool matrix;
    double seconds; /* estimate that the choice was made by */
    double cycles;  /* of the busiest unit */
    double tiles;   /* thread blocks, splits of K included */
    double units;   /* busy on average */
    double elem_bytes;
    double l2_bytes;     /* read through level 1 */
    double shared_bytes; /* read from level 0 */
    double split_bytes;  /* partial sums written and read again */
    double multiplies;   /* instructions of warps that multiply */
    double instructions; /* of warps */
    double barriers;     /* arrivals of warps */
    double eff_padding, eff_balance, eff_pipeline;
    struct wl_tiling tiling;
};

/* Bytes per cycle that one unit can draw from the memory beyond level 0. */
double gpu_unit_bytes_per_cycle(const struct wl_device *d);

void gpu_plan_product(const struct wl_map_ctx *c, const struct wl_subgraph *s,
                      const struct wl_run *run, enum wl_precision precision,
                      struct gpu_shape *shape, struct gpu_plan *plan);

#endif
