/* SPDX-License-Identifier: Apache-2.0 */
/* mappers_priv: what the mappers share. Only files of mappers/ include this. */
#ifndef WL_MAPPERS_PRIV_H
#define WL_MAPPERS_PRIV_H

#include "mappers.h"

/* Events of one subgraph while they are counted; far more than a subgraph ever has. */
#define WL_SINK_MAX 64

struct wl_event_sink {
    struct wl_event_count items[WL_SINK_MAX];
    int32_t count;
    bool closed;                  /* takes nothing */
    uint8_t last[WL_EVENT_COUNT]; /* 1 + place of the newest entry of an event, 0: none */
};

/*
 * Products of the same shape repeat in most networks: their plans are kept for the run.
 * Direct-mapped by key; `value` is what the class's mapper plans with.
 */
struct wl_plan_key {
    int64_t g, m, n, k;
    int64_t window[6]; /* kernel, stride, groups, output rows; 0 without */
    double bytes[2];   /* left, right operand */
    double beside[8];  /* what the subgraph does beside the product, where the plan depends on it */
    int32_t precision, units;
};
#define WL_PLAN_SLOTS 32
#define WL_PLAN_BYTES 512
struct wl_plan_cache {
    struct wl_plan_slot {
        struct wl_plan_key key;
        bool used;
        _Alignas(16) unsigned char value[WL_PLAN_BYTES];
    } slots[WL_PLAN_SLOTS];
};

/* Which pipe serves a precision, and at which precision it then computes. */
struct wl_pipe_choice {
    int32_t pipe; /* WL_NONE: the device has none */
    enum wl_precision precision;
};

/* What stays the same for all subgraphs of a run. */
struct wl_map_ctx {
    const struct wl_partition *partition;
    const struct wl_graph *graph;
    const struct wl_device *device;
    const struct wl_mapper *mapper;
    const struct wl_map_options *options;
    const struct wl_residency *residency;
    double gemm_efficiency;        /* the runtime's, for this class (0..1] */
    double vector_efficiency;      /* the same */
    double convolution_efficiency; /* of convolutions in floats */
    double integer_efficiency;     /* of integer products */
    double depthwise_efficiency;
    double matrix_efficiency; /* of products on a CPU's matrix units; 0: as elsewhere */
    double unit_loss;         /* of the runtime */
    int32_t units;            /* that the analysis may use */
    int32_t one_in;           /* a plan takes all its workers, or one in so many (choose.c) */
    bool spread;              /* those left idle are some of each cluster, not whole clusters */
    double live_bytes;        /* that the activations around the largest subgraph take */
    double weight_bytes;      /* of all subgraphs, as stored in the policy's precision */
    struct wl_plan_cache *cache;
    struct wl_pipe_choice matrix[WL_PREC_COUNT]; /* best matrix pipe of exactly this precision */
    struct wl_pipe_choice any_matrix[WL_PREC_COUNT]; /* the same, or of one that serves it */
    struct wl_pipe_choice vector[WL_PREC_COUNT];     /* best vector pipe */
    struct wl_pipe_choice special[WL_PREC_COUNT];    /* special-function pipe, or WL_NONE */
};

/*
 * A class of devices: one file, ending in one of these. `map` fills counts of one subgraph; it is
 * called with `out` zeroed but for level_share and the eff_ fields (1), and traffic (the
 * residency's). It cannot fail.
 */
struct wl_mapper {
    enum wl_hw_class class;
    const char *name;
    /* Innermost level that keeps activations (or weights) from one subgraph to the next. */
    int32_t (*kept_level)(const struct wl_device *d, bool weights);
    /* What a plan may leave idle where that is faster: cores, arrays, tiles. NULL: nothing. */
    int32_t (*workers)(const struct wl_map_ctx *c);
    void (*map)(const struct wl_map_ctx *c, const struct wl_subgraph *s, struct wl_mapping *out,
                struct wl_event_sink *events);
};

extern const struct wl_mapper wl_mapper_cpu;
extern const struct wl_mapper wl_mapper_gpu;
extern const struct wl_mapper wl_mapper_tpu;
extern const struct wl_mapper wl_mapper_kpu;
/* The mapper of a class (mapper_table.c). */
const struct wl_mapper *wl_mapper_find(enum wl_hw_class class);

static inline double wl_max_d(double a, double b)
{
    return a > b ? a : b;
}

static inline double wl_min_d(double a, double b)
{
    return a < b ? a : b;
}

static inline double wl_ceil_div_d(int64_t a, int64_t b)
{
    return (double)wl_ceil_div_i64(a, b);
}

/* A kernel of one element reads its input as a matrix: such a convolution is a plain product. */
static inline bool wl_map_gathers(const struct wl_window *w)
{
    bool gathers = false;
    for (int32_t i = 0; w != NULL && i < w->spatial_rank; i++) {
        gathers = gathers || w->kernel[i] > 1;
    }
    return gathers;
}

/* The runtime's efficiency for products of a precision; `window`: of a convolution. */
static inline double wl_map_gemm_efficiency(const struct wl_map_ctx *c, enum wl_precision p,
                                            const struct wl_window *window)
{
    if (!wl_precision_is_float(p)) {
        return c->integer_efficiency;
    }
    return wl_map_gathers(window) ? c->convolution_efficiency : c->gemm_efficiency;
}

/* ---- choose.c, mapper_table.c, seconds.c -------------------------------------------------------
 */

/* Maps a subgraph with as many workers as are fastest. `m` as `map` asks. */
void wl_map_choose(struct wl_map_ctx *c, const struct wl_subgraph *s, struct wl_mapping *m,
                   struct wl_event_sink *sink);

/* What the runtime's kernel costs beyond the work. */
static inline const struct wl_map_kernel *wl_map_kernel_of(const struct wl_map_ctx *c,
                                                           const struct wl_subgraph *s)
{
    static const struct wl_map_kernel nothing = {0};
    return c->options->kernels != NULL ? &c->options->kernels[s->id] : &nothing;
}

/* Kernels that a CPU's runtime runs around a subgraph, one after the other with it (cpu.c). */
void cpu_around(const struct wl_map_ctx *c, const struct wl_subgraph *s, struct wl_mapping *m,
                struct wl_event_sink *sink);

/* What the runtime takes of main memory's bandwidth. */
double wl_map_memory_share(const struct wl_map_ctx *c, const struct wl_subgraph *s);

/* Maps a subgraph with one worker in c->one_in, as the runtime executes it. */
void wl_map_with(const struct wl_map_ctx *c, const struct wl_subgraph *s, struct wl_mapping *m,
                 struct wl_event_sink *sink);

/* What a level sustains when all draw from it. */
static inline double wl_map_level_rate(const struct wl_level *l)
{
    return l->bandwidth_bps * (l->efficiency > 0 ? l->efficiency : 1);
}

/* Workers of a plan, of `all`. */
static inline int32_t wl_map_workers(const struct wl_map_ctx *c, int32_t all)
{
    return all > c->one_in ? all / c->one_in : 1;
}

/* Seconds of a plan, but for launches. */
double wl_map_seconds(const struct wl_device *d, const struct wl_mapping *m);

/* ---- common.c -------------------------------------------------------------------------------- */

/* Adds to the event of this kind and precision; zero counts leave no entry. */
void wl_sink_add(struct wl_event_sink *sink, enum wl_event event, enum wl_precision precision,
                 double count);

/*
 * The events of all memory levels from the final traffic: a read of level l passes through every
 * inner level, so it is also a write (fill) of level l - 1; a write into level l was a read of
 * level l - 1.
 */
void wl_sink_levels(struct wl_event_sink *sink, const struct wl_device *d,
                    const struct wl_traffic *traffic);

/* Precision of the subgraph's main arithmetic under the policy (before the device is asked). */
enum wl_precision wl_map_precision(const struct wl_map_ctx *c, const struct wl_subgraph *s);

/* Fills units and the pipe choices of `c` (device and options are set). */
void wl_map_pipes(struct wl_map_ctx *c);

/* Bytes of one tensor of the subgraph per execution; 0 when it stays inside. */
double wl_map_tensor_bytes(const struct wl_map_ctx *c, const struct wl_subgraph *s, int32_t tensor);

/* Bytes of the operands of a list, one execution. */
double wl_map_list_bytes(const struct wl_map_ctx *c, const struct wl_operand *list, int32_t count);

/* MACs of the subgraph that no product describes, all executions. */
double wl_map_loose_macs(const struct wl_subgraph *s);

/*
 * Precision of the arithmetic beside products: integer networks compute softmax, normalisations,
 * activations and scaling in floating point, fp16 where the vector pipe has it, else fp32. CPUs
 * have bf16 in dot products only: the rest is fp32. Devices without floating point keep the
 * integers.
 */
enum wl_precision wl_map_stream_precision(const struct wl_map_ctx *c, enum wl_precision p);

/* Adds one use of a pipe; uses of the same pipe are merged. */
void wl_map_use_pipe(struct wl_mapping *m, int32_t pipe, double cycles, double executed_ops);

/* Main pipe of a mapping: the one with most cycles among those with operations. */
void wl_map_finish_pipes(struct wl_mapping *m);

/*
 * Product `i` of a subgraph as it is executed: of a recurrent subgraph those that depend on the
 * step before run once per step (ops/ lists them with the steps in G). `times` is executions times
 * steps; the operands are read `times` times, `steps` of them without anything else between.
 */
struct wl_run {
    struct wl_product product;
    double times, steps;
};
struct wl_run wl_map_run_of(const struct wl_subgraph *s, int32_t i);

/* Share of a tensor's bytes that compression keeps from crossing to and from a level. */
double wl_map_saved_share(const struct wl_level *l, const struct wl_graph *g, int32_t tensor);

/* A product as wl_map_blocking takes it, one execution. */
struct wl_block_shape {
    double g, m, n, k;
    int32_t left, right;            /* tensors, or WL_NONE */
    double left_bytes, right_bytes; /* operands that come from memory */
    double elem_bytes;
    double times, steps; /* as in wl_run */
};

/* What a blocked product reads again, by level from 1 on; all its executions. */
struct wl_blocking {
    int32_t levels; /* the device's */
    struct wl_reread {
        double bytes, saved_bytes; /* as in wl_traffic */
        double times;              /* that an operand is read, at most; 0: nothing is blocked */
    } again[WL_LEVELS_MAX];
};

/*
 * What blocking reads again at levels 1 and beyond: the instances of the inner level that `units`
 * reach divide the product (m/um x n/un each, copies fewest), and each reads its panels as often as
 * its capacity asks. `compulsory` is the residency's traffic: an operand that an inner level keeps
 * is not read again.
 */
struct wl_blocking wl_map_blocking(const struct wl_map_ctx *c, const struct wl_block_shape *sh,
                                   double units, const struct wl_traffic *compulsory);
void wl_map_add_blocking(struct wl_mapping *m, const struct wl_blocking *b);

/* The slot of a product's plan; `*found` tells whether its value is this product's. `key` holds
   what else the plan depends on. */
void *wl_map_plan_slot(const struct wl_map_ctx *c, const struct wl_product *p,
                       const struct wl_plan_key *key, bool *found);

/* Empties a sink. */
void wl_sink_clear(struct wl_event_sink *sink);

/* Instances of a level, at least one. */
static inline double wl_map_instances(const struct wl_level *l)
{
    return l->instances > 0 ? l->instances : 1;
}

/* Instances of a level that `units` units reach. */
double wl_map_instances_used(const struct wl_map_ctx *c, const struct wl_level *l, double units);

/* Share of a level's bandwidth that `units` units can draw. */
double wl_map_level_share(const struct wl_map_ctx *c, int32_t level, double units);

/* Element-wise work of a subgraph by kind, all executions. */
struct wl_stream_ops {
    double plain; /* additions, multiplications, comparisons */
    double divide, special, integer;
    double macs;  /* outside products */
    double total; /* executed operations: 1 each, MACs 2 */
};
struct wl_stream_ops wl_map_stream_ops(const struct wl_subgraph *s);

/* The events of stream operations at a precision. */
void wl_sink_stream(struct wl_event_sink *sink, const struct wl_stream_ops *o,
                    enum wl_precision precision);

/* Remembers the product with most work for notes. */
void wl_map_note_product(struct wl_mapping *m, const struct wl_tiling *t);

/* ---- rowstationary.c --------------------------------------------------------------------------
 */

struct wl_systolic_plan wl_row_stationary_plan(const struct wl_systolic *a,
                                               const struct wl_product *p);

/* ---- winograd.c --------------------------------------------------------------------------------
 */

/* A convolution as Winograd F(t x t, 3 x 3) executes it, per execution. */
struct wl_winograd {
    int64_t g, m, n, k;     /* (t+2)^2 products of tiles x channels */
    double transform_ops;   /* additions and multiplications of both transforms */
    double workspace_elems; /* transformed inputs and outputs */
    double filter_growth;   /* bytes of the transformed filters over the stored ones */
    const char *name;
};
/* Output tiles of `tile` x `tile`. False when the convolution is not 3x3, stride 1, undilated,
   ungrouped, or the runtime lacks it or goes to smaller tiles only. */
bool wl_winograd_plan(const struct wl_map_ctx *c, const struct wl_product *p, int32_t tile,
                      struct wl_winograd *out);

#endif
