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

/* Levels that a plan draws from: what an SM has of its own, what all share, main memory. */
enum { GPU_SHARED, GPU_L2, GPU_MAIN, GPU_LEVELS };

/*
 * How a kernel's bytes are spread over the units: what the busiest reads with its tiles, and how
 * many units share the rest. Activations grow with the batch as the results do, weights stay, so
 * that these are shared by no more units than their own tiles occupy: with a larger batch no unit
 * draws less.
 */
struct gpu_spread {
    double tiles[GPU_LEVELS];
    double of_results; /* share of activations of a unit: one in as many as there are tiles */
    double of_weights;
};

/* What it reads, all units together. */
struct gpu_bytes {
    double shared; /* from level 0 */
    double l2;     /* through level 1 */
    double split;  /* partial sums written and read again */
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
    struct gpu_bytes bytes;
    struct gpu_spread spread;
    double multiplies;   /* instructions of warps that multiply */
    double instructions; /* of warps */
    double barriers;     /* arrivals of warps */
    double eff_padding, eff_balance, eff_pipeline;
    struct wl_tiling tiling;
};

/* Bytes of a level without the plan of the product, per execution of the product. */
struct gpu_level {
    double total;       /* operands once included */
    double tiles;       /* what the busiest unit reads with the tiles of products before */
    double activations; /* that no tile reads */
    double weights;     /* the same */
};

/* What the subgraph does beside the product, per execution of the product. */
struct gpu_beside {
    struct gpu_level levels[GPU_LEVELS]; /* main memory's without what blocking reads again */
    double main_share;                   /* of main memory's bandwidth that the runtime takes */
    double vector_s;                     /* element-wise work on the vector pipe */
    double weight_elems;
    const struct wl_run *run;
    const struct wl_traffic *compulsory; /* the residency's, by level, all executions */
};

/* Level of the device; without an L2 it is main memory. */
static inline int32_t gpu_level_index(const struct wl_device *d, int level)
{
    int32_t last = d->level_count - 1;
    return level == GPU_MAIN || level > last ? last : level;
}

/* What the busiest unit draws of a level beside the tiles that it multiplies. */
static inline double gpu_rest(const struct gpu_level *l, const struct gpu_spread *s)
{
    return l->activations * s->of_results + l->weights * s->of_weights;
}

/* Share of a level's bandwidth that one unit draws. */
double gpu_unit_share(const struct wl_device *d, int32_t level);

/* That is drawn of it until `total` bytes have crossed, `busiest` of them to one unit. */
static inline double gpu_level_share(double unit_share, double total, double busiest)
{
    return unit_share * total < busiest ? wl_max_d(unit_share * total / busiest, 1e-6) : 1;
}

/* What blocking in the caches reads again. */
struct wl_blocking gpu_blocking(const struct wl_map_ctx *c, const struct gpu_beside *b,
                                const struct gpu_shape *sh, double elem_bytes);

struct gpu_shape gpu_shape_of(const struct wl_map_ctx *c, const struct wl_subgraph *s,
                              const struct wl_run *run);

/* The plan with which the subgraph takes the least time; `shape` becomes that of the algorithm. */
void gpu_plan_product(const struct wl_map_ctx *c, const struct wl_run *run,
                      enum wl_precision precision, const struct gpu_beside *beside,
                      struct gpu_shape *shape, struct gpu_plan *plan);

#endif
