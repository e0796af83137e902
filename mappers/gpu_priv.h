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
    double stored_bytes; /* of an element in memory; the pipe may compute in a wider type */
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
    double seconds; /* of the subgraph with this plan: what the choice was made by */
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

/* What the subgraph does beside the product, per execution of the product. */
struct gpu_beside {
    double shared_bytes,
        l2_bytes;      /* through levels 0 and 1, the product's operands once included */
    double main_bytes; /* of main memory, as bytes of its whole bandwidth */
    double vector_s;   /* element-wise work on the vector pipe */
};

/* Share of a level's bandwidth that one unit draws, and that many do. */
double gpu_unit_share(const struct wl_device *d, int32_t level);
static inline double gpu_level_share(double unit_share, double units)
{
    return wl_min_d(1, wl_max_d(unit_share * units, 1e-6));
}

struct gpu_shape gpu_shape_of(const struct wl_map_ctx *c, const struct wl_subgraph *s,
                              const struct wl_run *run);

/* The plan with which the subgraph takes the least time; `shape` becomes that of the algorithm. */
void gpu_plan_product(const struct wl_map_ctx *c, const struct wl_run *run,
                      enum wl_precision precision, const struct gpu_beside *beside,
                      struct gpu_shape *shape, struct gpu_plan *plan);

#endif
