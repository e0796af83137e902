/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mappers: how a subgraph lies on a device. A mapper counts: units used, cycles per pipe, bytes
 * that cross each memory level, energy events. It neither times nor prices: roofline/ makes seconds
 * and energy/ makes joules, each in one place for all architectures.
 */
#ifndef WL_MAPPERS_H
#define WL_MAPPERS_H

#include "hardware.h"
#include "partition.h"

enum wl_dataflow {
    WL_DATAFLOW_DEFAULT,
    WL_DATAFLOW_WS,
    WL_DATAFLOW_OS,
    WL_DATAFLOW_IS,
    WL_DATAFLOW_RS
};

/*
 * What the runtime's own way of executing a subgraph costs on CPUs, beyond its work: cycles are of
 * one core, of one execution.
 */
struct wl_map_kernel {
    bool serial;           /* runs on one thread */
    double element_cycles; /* runs element by element: cycles of all its elements; 0: it does not */
    double depth_share;    /* of a convolution's depth that it multiplies: taps in the padding are
                              passed over, channels filled up to whole blocks; 0: all */
    double patch_cycles;   /* a convolution writes its patches first: per element of the patches */
    double around_cycles;  /* kernels around it: changes of layout, weights turned into floats */
    double around_bytes;   /* that these read and write */
    double around;         /* how many */
};

/* What an analysis asks of the mappers, resolved: nothing here is "default" any more. */
struct wl_map_options {
    struct wl_precision_policy policy;
    int32_t threads;           /* units used on a CPU; 0: all */
    bool cold;                 /* first inference: nothing is resident yet */
    enum wl_dataflow dataflow; /* systolic arrays */
    const struct wl_runtime *runtime;
    const struct wl_map_kernel *kernels; /* by subgraph, on CPUs; NULL: nothing beyond the work */
    bool no_events; /* leave the energy ledger out: what it costs is a difference (bench/) */
};

/* Traffic at one memory level: bytes that leave it towards the units, and bytes written into it, as
   they cross. Where activations are compressed, their other side has `saved` bytes more. */
struct wl_traffic {
    double read_bytes;
    double write_bytes;
    double saved_read_bytes;
    double saved_write_bytes;
};

/* `count` events of a kind, at a precision (any value where the event is not by precision). */
struct wl_event_count {
    uint16_t event;     /* enum wl_event */
    uint16_t precision; /* enum wl_precision */
    double count;
};

/* One pipe's share of a subgraph. */
struct wl_pipe_use {
    int32_t pipe;        /* index into device.pipes */
    double cycles;       /* on the busiest unit, in that pipe's clock */
    double executed_ops; /* all units; a MAC is 2 */
};
#define WL_PIPE_USES_MAX 4

/* How the largest product of a subgraph was laid out: for notes and --explain. */
struct wl_tiling {
    const char *algorithm; /* "direct", "depthwise", "winograd F(4x4,3x3)", "ws folds" ...; NULL: no
                              product */
    int64_t g, m, n, k;    /* the product as executed */
    int32_t tile_m, tile_n, tile_k;
    int32_t split_k;        /* parts that K is divided into, else 1 */
    double tiles;           /* blocks or folds of all executions of the product */
    double waves;           /* rounds of tiles over the units */
    double cycles_per_tile; /* before the runtime's efficiency */
    double efficiency;      /* the runtime's share of the pipe's peak that was applied */
};

/* Counts of one subgraph, all its executions together. */
struct wl_mapping {
    enum wl_precision precision; /* of the main arithmetic */
    int32_t pipe;                /* the pipe whose peak utilisation refers to, or WL_NONE */
    double units_used;           /* average over the subgraph's compute, in device units */
    int32_t workers_idle;        /* cores, arrays or tiles left idle because that is faster */
    double executed_ops;         /* on `pipe`: what the algorithm really executes there */
    struct wl_pipe_use pipes[WL_PIPE_USES_MAX]; /* their cycles run one after the other when
                                                   `serial_pipes`, else side by side */
    int32_t pipe_count;
    bool serial_pipes;
    struct wl_traffic traffic[WL_LEVELS_MAX]; /* by device level */
    double crossing[WL_LEVELS_MAX];    /* share of the operands' bytes that crosses a level once:
                                          what those inside it do not hold */
    double reload[WL_LEVELS_MAX];      /* times that blocking reads an operand through a level, at
                                          most; 0: nothing is blocked there */
    double level_share[WL_LEVELS_MAX]; /* (0..1] share of the level's bandwidth that it can draw */
    double dispatches;                 /* launches by the runtime */
    double barriers;                   /* parallel regions joined */
    double
        measured_s; /* as a calibration has it, in place of compute and memory; 0: not measured */
    double least_compute_s;   /* of the plan that computes soonest, where another is faster on the
                                 whole; 0: this one */
    const char *measured_as;  /* the calibration's operation that it was taken from, else NULL */
    double measured_distance; /* doublings from the nearest size measured */
    double serial_s; /* latency that nothing overlaps: program loads, DMA start, chains of steps */
    struct wl_event_count *events;
    int32_t event_count;
    bool async_dispatch;    /* launches are queued ahead: they cost time only where the device would
                               otherwise wait for them */
    double workspace_bytes; /* scratch memory that the algorithm needs in main memory */
    struct wl_tiling tiling;
    /* Shares of the pipe's peak that remain after each effect (0..1]; their product bounds
       utilisation; for `--view layers` and --explain. */
    double eff_padding;  /* useful elements over padded ones (tiles, SIMD, array edges) */
    double eff_balance;  /* waves and tails over units */
    double eff_pipeline; /* fill, drain, issue limits */
    const char *note;    /* "tile 128x128x32, 1.3 waves": one line, may be NULL */
};

struct wl_mappings {
    const struct wl_device *device;
    const struct wl_partition *partition;
    struct wl_map_options options;
    struct wl_mapping *items; /* by subgraph */
    int32_t count;
};

/* Bytes of an operand under the policy. */
double wl_operand_bytes(const struct wl_graph *g, const struct wl_precision_policy *policy,
                        const struct wl_operand *o);
/* Of all results of the network, which go back to the caller. */
double wl_result_bytes(const struct wl_partition *p, const struct wl_precision_policy *policy);

/*
 * Which level serves each read (residency.c). By subgraph and operand: bytes that cross each level
 * boundary. Steady state unless `cold`.
 */
struct wl_residency {
    int32_t level_count;
    /* traffic[subgraph * level_count + level]: compulsory traffic between a level and the next
       inner one, before blocking repeats any of it */
    struct wl_traffic *traffic;
    double *weight_reads; /* the same indices: bytes of traffic's reads that are weights */
};
wl_status wl_residency_run(const struct wl_partition *p, const struct wl_device *d,
                           const struct wl_map_options *opt, struct wl_arena *arena,
                           struct wl_residency *out, struct wl_error *err) WL_MUST_CHECK;

/* ---- systolic arrays (systolic.c) ------------------------------------------------------------ */

struct wl_systolic {
    int64_t rows, cols;
    int64_t arrays; /* that share the folds */
    bool double_buffered;
    enum wl_dataflow dataflow; /* DEFAULT is weight-stationary */
};

/* G independent M x N x K products on the arrays. */
struct wl_systolic_plan {
    double cycles;         /* of the busiest array */
    double folds;          /* of all arrays */
    double cycles_of_fold; /* steady state */
    double splits;         /* parts that the streamed side is divided into over arrays */
    double left_streams;   /* times that the left operand crosses the array's edge */
    double right_streams;
    double result_passes; /* times that each result passes the accumulators */
};
struct wl_systolic_plan wl_systolic_plan(const struct wl_systolic *a, int64_t g, int64_t m,
                                         int64_t n, int64_t k);

/* Maps all subgraphs with the device's mapper. Everything lives in `arena`. */
wl_status wl_mappers_run(const struct wl_partition *p, const struct wl_device *d,
                         const struct wl_map_options *opt, struct wl_arena *arena,
                         struct wl_mappings *out, struct wl_error *err) WL_MUST_CHECK;

/* Seconds of a mapping's pipes; of the bytes that cross a level; of barriers and serial parts. */
double wl_mapping_compute_s(const struct wl_device *d, const struct wl_mapping *m);
double wl_mapping_level_s(const struct wl_device *d, const struct wl_mapping *m, int32_t level);
double wl_mapping_fixed_s(const struct wl_device *d, const struct wl_mapping *m);

/*
 * One line on how a subgraph lies on the device: "gemm 128x128x32, 1.3 waves, split K by 2"; empty
 * where there is nothing to say. Returns `out`.
 */
const char *wl_mapping_note(const struct wl_mappings *all, int32_t subgraph, char *out,
                            size_t out_size);

#endif
