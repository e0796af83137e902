/* SPDX-License-Identifier: Apache-2.0 */
/* cpu_priv: what cpu.c and cpu_gemm.c share. */
#ifndef WL_CPU_PRIV_H
#define WL_CPU_PRIV_H

#include "mappers_priv.h"

/* A product as it is executed, one execution. */
struct cpu_shape {
    int64_t g, m, n, k;
    double macs;                    /* executed */
    double left_bytes, right_bytes; /* operands that come from memory */
    double elem_bytes;
    double times, steps;  /* as in wl_run */
    bool depthwise;       /* one filter per channel: vectorised over channels or positions */
    double transform_ops; /* Winograd: else 0 */
    double transform_elems;
    double filter_growth; /* bytes of the transformed filters beyond the stored ones, over those */
    double beside_s, beside_bytes; /* of the rest of the subgraph: pipes, bytes of level 0 */
    const char *algorithm;
    const struct wl_window *window;
    bool patches;       /* a convolution as a plain product of its patches */
    double depth_share; /* of the cycles: as in wl_map_kernel, 1 for all */
};

/* What the subgraph does beside a product, all executions. */
struct cpu_beside {
    double pipes_s; /* other work of the cores */
    double bytes;   /* of level 0, operands once included */
};

/* How it is blocked; cycles in the clock of `pipe`, one execution. */
struct cpu_plan {
    int32_t pipe; /* WL_NONE: nothing can compute it */
    enum wl_precision precision;
    double seconds;        /* of pipes and level 0 with this plan, one execution */
    double total_cycles;   /* of all cores together, in cycles of the first group's core */
    double busy_cycles;    /* on the busiest core */
    double padded_cycles;  /* total at the pipe's peak, padding included */
    double ideal_cycles;   /* total at the pipe's peak, useful work only */
    double instructions;   /* that multiply */
    double loads;          /* register loads */
    double register_bytes; /* read from level 0 into registers */
    double tiles;
    double iterations; /* of the unrolled loop over K */
    struct wl_tiling tiling;
};

/* Cores of the run in units of the first group's core, on a pipe (hybrid parts). */
double cpu_units_weight(const struct wl_map_ctx *c, int32_t pipe, enum wl_precision prec,
                        int32_t units);

/* The slowest of these cores in the same unit. */
double cpu_slowest_weight(const struct wl_map_ctx *c, int32_t pipe, enum wl_precision prec,
                          int32_t units);

/* Chooses the pipe, the algorithm and the blocking that take the least time on `units` cores. */
void cpu_plan_product(const struct wl_map_ctx *c, const struct wl_subgraph *s,
                      const struct wl_run *run, enum wl_precision precision, int32_t units,
                      const struct cpu_beside *beside, struct cpu_shape *shape,
                      struct cpu_plan *plan);

void cpu_product_events(const struct wl_map_ctx *c, const struct cpu_shape *shape,
                        const struct cpu_plan *plan, struct wl_event_sink *sink);

/* Transforms around a Winograd product: vector work and traffic of the transformed tiles. */
void cpu_winograd_extra(const struct wl_map_ctx *c, const struct cpu_shape *shape,
                        const struct cpu_plan *plan, int32_t units, struct wl_mapping *m,
                        struct wl_event_sink *sink);

/* Instructions of a loop nest. */
struct cpu_instructions {
    double arithmetic; /* vector or matrix */
    double moves;      /* loads and stores */
    double iterations; /* of the innermost loop: a branch each */
    double register_bytes;
    double reads; /* registers that an arithmetic instruction reads */
};
void cpu_instruction_events(struct wl_event_sink *sink, const struct cpu_instructions *n);

#endif
