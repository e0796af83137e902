/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mappers/cpu_gemm.c: matrix products on cores. Register blocking as in Goto and van de Geijn,
 * "Anatomy of high-performance matrix multiplication" (2008), and in the direct convolutions of
 * oneDNN: an output tile of `rows` x `vecs` vectors stays in registers while K is walked.
 *
 * Per step of K a tile takes the longer of
 *     rows * vecs / (multiply instructions per cycle)   and   (rows + vecs) / (loads per cycle),
 * rows + vecs being the broadcasts and vectors that it loads. With R vector registers,
 * rows = (R - vecs - 1) / vecs. Types narrower than their accumulator multiply `depth` elements of
 * K per lane (VNNI, dot-product instructions). Both M and N may be the vectorised side. Tiles are
 * dealt to cores whole: the busiest core does ceil(tiles / cores) of them; on hybrid parts tiles go
 * to whoever is free.
 *
 * Matrix units (AMX and its like) work on tiles of rows x depth by depth x cols, two by two.
 */
#include <math.h>
#include <string.h>

#include "cpu_priv.h"

/* L1 loads per cycle, the same on all cores of the last decade that have two or more vector pipes.
 */
#define LOADS_PER_CYCLE 2.0
/* Cycles around a tile's K loop: addresses, zeroing, the first loads' latency. */
#define TILE_OVERHEAD_CYCLES 12.0
/* Bytes per cycle between L1 and matrix registers. */
#define MATRIX_LOAD_BYTES 128.0
/* Steps of K in an unrolled iteration. */
#define K_UNROLL 4.0
#define VECS_MAX 4

static int accumulator_bits(enum wl_precision p)
{
    switch (p) {
    case WL_PREC_FP64:
    case WL_PREC_INT64:
        return 64;
    case WL_PREC_FP16:
        return 16;
    case WL_PREC_FP32:
    case WL_PREC_TF32:
    case WL_PREC_BF16:
    case WL_PREC_FP8:
    case WL_PREC_FP4:
    case WL_PREC_INT32:
    case WL_PREC_INT16:
    case WL_PREC_INT8:
    case WL_PREC_INT4:
    case WL_PREC_COUNT:
        break;
    }
    return 32;
}

static int vector_registers(const struct wl_device *d, const struct wl_pipe *p)
{
    int64_t bytes = d->groups[p->group].register_bytes;
    if (bytes > 0 && p->simd_bits > 0) {
        int64_t n = bytes * 8 / p->simd_bits;
        return (int)(n < 8 ? 8 : (n > 32 ? 32 : n));
    }
    return p->simd_bits == 256 ? 16 : 32;
}

/* Geometry of a vector pipe at a precision. */
struct lanes {
    double lanes; /* accumulators per register */
    double depth; /* elements of K that one instruction multiplies per lane */
    double issue; /* multiply instructions per cycle */
    double register_bytes;
    double clock_hz;
    int registers;
};

static struct lanes lanes_of(const struct wl_device *d, const struct wl_pipe *p,
                             enum wl_precision prec)
{
    int acc = accumulator_bits(prec);
    int bits = wl_precision_bits(prec);
    struct lanes l = {.depth = acc > bits ? (double)acc / bits : 1, .clock_hz = p->clock_hz};
    l.lanes = p->simd_bits > acc ? (double)p->simd_bits / acc : 1;
    l.issue = p->ops_per_cycle[prec] / (2 * l.lanes * l.depth);
    /* More per cycle than instructions issue: the instruction multiplies small matrices (MMLA),
       which counts here as more of K per lane. */
    double fp32 = p->ops_per_cycle[WL_PREC_FP32] * 32 / (2.0 * wl_max_d(32, p->simd_bits));
    if (fp32 > 0 && l.issue > fp32 && bits < 32) {
        l.depth *= l.issue / fp32;
        l.issue = fp32;
    }
    l.registers = vector_registers(d, p);
    l.register_bytes = p->simd_bits > 0 ? p->simd_bits / 8.0 : acc / 8.0;
    return l;
}

/* The cores of a run: their number, their weight on a pipe, and what each further one costs. */
struct cores {
    double units, weight, loss;
};

/* Chunks of one size: all of a product have the tile's size but for those at its edges. */
struct chunks {
    double count, cycles;
};
#define CHUNK_SIZES 4

/*
 * Cycles of the busiest core for whole chunks, the largest handed out first: each round takes as
 * long as its first chunk. Each further core adds a share of work. Sets those of all cores.
 */
static double busiest(const struct chunks *sizes, const struct cores *c, double *all)
{
    bool hybrid = c->weight < c->units - 1e-9 || c->weight > c->units + 1e-9;
    double total = 0;
    double busy = 0;
    double idle = 0; /* cores in the last round */
    double largest = 0;
    for (int i = 0; i < CHUNK_SIZES; i++) {
        if (!(sizes[i].count > 0)) {
            continue;
        }
        total += sizes[i].count * sizes[i].cycles;
        largest = wl_max_d(largest, sizes[i].cycles);
        if (sizes[i].count > idle) {
            double rounds = ceil((sizes[i].count - idle) / c->units);
            busy += rounds * sizes[i].cycles;
            idle += rounds * c->units;
        }
        idle -= sizes[i].count;
    }
    if (hybrid) {
        busy = wl_max_d(total / c->weight, largest);
    }
    *all = total;
    return busy + c->loss * (total - busy);
}

/* Whole blocks of a dimension, and what is left at its edge. */
struct blocks {
    int64_t whole, rest;
};

static struct blocks blocks_of(int64_t size, int64_t block)
{
    return (struct blocks){size / block, size % block};
}

static double block_count(const struct blocks *b)
{
    return (double)(b->whole + (b->rest > 0 ? 1 : 0));
}

static struct cores cores_of(const struct wl_map_ctx *c, struct wl_pipe_choice choice,
                             int32_t units)
{
    struct cores cores = {.units = units,
                          .weight = cpu_units_weight(c, choice.pipe, choice.precision, units),
                          .loss = c->unit_loss};
    const struct wl_runtime *rt = c->options->runtime;
    const char *name = c->device->pipes[choice.pipe].name;
    if (rt != NULL && rt->equal_shares != NULL &&
        wl_words_have(rt->equal_shares, name, strlen(name))) {
        /* Equal parts end with the slowest core. */
        cores.weight = units * cpu_slowest_weight(c, choice.pipe, choice.precision, units);
    }
    return cores;
}

/* What the subgraph does beside a product, per execution: a plan takes
   max(product + pipes_s, bytes / rate). */
struct beside {
    double pipes_s;     /* on the cores' pipes */
    double bytes;       /* of level 0 that no register tile reads */
    double s_per_byte;  /* of level 0 */
    double s_per_cycle; /* of the pipe at the runtime's efficiency */
};

static double with_beside(const struct beside *b, const struct cpu_shape *sh, double busy_cycles,
                          double register_bytes)
{
    double again = wl_max_d(0, register_bytes - sh->left_bytes - sh->right_bytes);
    return wl_max_d(busy_cycles * b->s_per_cycle + b->pipes_s, (b->bytes + again) * b->s_per_byte);
}

/* One register tile of one orientation; `n` is the vectorised side. */
struct tile_try {
    int64_t m, n;
    int rows, vecs;
    struct cores cores;
    const struct beside *beside;
};

static bool sooner(const struct cpu_plan *best, double seconds, double busy, double loads)
{
    if (best->pipe == WL_NONE || seconds < best->seconds || seconds > best->seconds) {
        return best->pipe == WL_NONE || seconds < best->seconds;
    }
    return busy < best->busy_cycles || (busy <= best->busy_cycles && loads < best->loads);
}

static double tile_cycles(const struct lanes *l, double steps, int64_t rows, int64_t vecs)
{
    double area = (double)(rows * vecs);
    double per_step = wl_max_d(area / l->issue, (double)(rows + vecs) / LOADS_PER_CYCLE);
    return steps * per_step + 2 * area + TILE_OVERHEAD_CYCLES;
}

static void try_tile(const struct cpu_shape *sh, const struct tile_try *t, const struct lanes *l,
                     struct cpu_plan *best)
{
    int64_t nvec = wl_ceil_div_i64(t->n, (int64_t)l->lanes);
    double steps = (double)wl_ceil_div_i64(sh->k, (int64_t)l->depth);
    double g = (double)sh->g;
    struct blocks m = blocks_of(t->m, t->rows);
    struct blocks n = blocks_of(nvec, t->vecs);
    struct chunks sizes[CHUNK_SIZES] = {
        {g * (double)m.whole * (double)n.whole, tile_cycles(l, steps, t->rows, t->vecs)},
        {m.rest > 0 ? g * (double)n.whole : 0, tile_cycles(l, steps, m.rest, t->vecs)},
        {n.rest > 0 ? g * (double)m.whole : 0, tile_cycles(l, steps, t->rows, n.rest)},
        {m.rest > 0 && n.rest > 0 ? g : 0, tile_cycles(l, steps, m.rest, n.rest)}};
    if (sizes[1].cycles < sizes[2].cycles) {
        struct chunks first = sizes[2];
        sizes[2] = sizes[1];
        sizes[1] = first;
    }
    double total = 0;
    double busy = busiest(sizes, &t->cores, &total);
    double row_loads = g * steps * (double)t->m * block_count(&n);
    double vec_loads = g * steps * (double)nvec * block_count(&m);
    double bytes = (row_loads / l->lanes + vec_loads) * l->register_bytes;
    double seconds = with_beside(t->beside, sh, busy, bytes);
    if (!sooner(best, seconds, busy, row_loads + vec_loads)) {
        return;
    }
    best->pipe = 0;
    best->seconds = seconds;
    best->busy_cycles = busy;
    best->total_cycles = total;
    best->instructions = g * (double)t->m * (double)nvec * steps;
    best->padded_cycles = best->instructions / l->issue;
    best->loads = row_loads + vec_loads;
    best->tiles = g * block_count(&m) * block_count(&n);
    best->iterations = best->tiles * steps / K_UNROLL;
    best->register_bytes = bytes;
    best->tiling = (struct wl_tiling){.tile_m = t->rows < t->m ? t->rows : (int32_t)t->m,
                                      .tile_n = (int32_t)(t->vecs * l->lanes),
                                      .tile_k = (int32_t)l->depth,
                                      .cycles_per_tile = sizes[0].cycles};
}

/*
 * All register tiles of one orientation: as many rows as registers hold, and halves of it, which
 * leave more tiles to share out. The same for every product, so that a larger one has no tile that
 * a smaller one lacks.
 */
static void try_tiles(const struct cpu_shape *sh, struct tile_try t, const struct lanes *l,
                      struct cpu_plan *best)
{
    int64_t nvec = wl_ceil_div_i64(t.n, (int64_t)l->lanes);
    for (t.vecs = 1; t.vecs <= VECS_MAX; t.vecs++) {
        t.rows = (l->registers - t.vecs - 1) / t.vecs;
        while (t.rows / 2 >= t.m) {
            t.rows /= 2; /* does the same */
        }
        for (t.rows = t.rows < 1 ? 1 : t.rows; t.rows >= 1; t.rows /= 2) {
            try_tile(sh, &t, l, best);
            double tiles = (double)sh->g * wl_ceil_div_d(t.m, t.rows) * wl_ceil_div_d(nvec, t.vecs);
            if (tiles > 4 * t.cores.units) {
                break;
            }
        }
    }
}

/* One filter per channel: filters stay in registers, every multiply loads its input. */
static void plan_depthwise(const struct cpu_shape *sh, const struct lanes *l,
                           const struct cores *cores, const struct beside *beside,
                           struct cpu_plan *plan)
{
    double channels = wl_ceil_div_d(sh->g, (int64_t)l->lanes) * (double)sh->m;
    double positions = wl_ceil_div_d(sh->m, (int64_t)l->lanes) * (double)sh->g;
    double vectors = wl_min_d(channels, positions) * (double)sh->n;
    double steps = (double)sh->k;
    double issue = l->issue * l->depth;
    double cycles = wl_max_d(steps / issue, steps / LOADS_PER_CYCLE) + 1;
    plan->pipe = 0;
    plan->total_cycles = vectors * cycles;
    plan->busy_cycles = wl_max_d(vectors / cores->weight, 1) * cycles *
                        (1 + cores->loss * wl_max_d(0, wl_min_d(cores->weight, vectors) - 1));
    plan->instructions = vectors * steps;
    plan->padded_cycles = plan->instructions / issue;
    plan->loads = vectors * steps;
    plan->register_bytes = vectors * steps * l->register_bytes;
    plan->seconds = with_beside(beside, sh, plan->busy_cycles, plan->register_bytes);
    plan->tiles = vectors;
    plan->iterations = vectors;
    plan->tiling = (struct wl_tiling){
        .tile_m = 1, .tile_n = (int32_t)l->lanes, .tile_k = 1, .cycles_per_tile = cycles};
}

/* The runtime's share of the peak. Depthwise convolutions stream their inputs once: they fare like
   element-wise work. */
static double efficiency_of(const struct wl_map_ctx *c, const struct cpu_shape *sh,
                            struct wl_pipe_choice choice)
{
    bool matrix = c->device->pipes[choice.pipe].kind == WL_PIPE_MATRIX;
    if (sh->depthwise) {
        return c->depthwise_efficiency;
    }
    return matrix && c->matrix_efficiency > 0
               ? c->matrix_efficiency
               : wl_map_gemm_efficiency(c, choice.precision, sh->patches ? NULL : sh->window);
}

static struct beside beside_on(const struct wl_map_ctx *c, const struct cpu_shape *sh,
                               struct wl_pipe_choice choice, int32_t units, double transform_s)
{
    const struct wl_level *l = &c->device->levels[0];
    double clock = c->device->pipes[choice.pipe].clock_hz;
    return (struct beside){.pipes_s = sh->beside_s + transform_s,
                           .bytes = sh->beside_bytes + 2 * sh->transform_elems * sh->elem_bytes,
                           .s_per_byte =
                               1 / (wl_map_level_rate(l) * wl_map_level_share(c, 0, units)),
                           .s_per_cycle = sh->depth_share / (clock * efficiency_of(c, sh, choice))};
}

static void plan_vector(const struct wl_map_ctx *c, const struct cpu_shape *sh,
                        struct wl_pipe_choice choice, int32_t units, double transform_s,
                        struct cpu_plan *plan)
{
    *plan = (struct cpu_plan){.pipe = WL_NONE};
    if (choice.pipe == WL_NONE) {
        return;
    }
    const struct wl_pipe *pipe = &c->device->pipes[choice.pipe];
    struct lanes l = lanes_of(c->device, pipe, choice.precision);
    struct cores cores = cores_of(c, choice, units);
    struct beside beside = beside_on(c, sh, choice, units, transform_s);
    if (sh->depthwise) {
        plan_depthwise(sh, &l, &cores, &beside, plan);
    } else {
        struct tile_try t = {.m = sh->m, .n = sh->n, .cores = cores, .beside = &beside};
        try_tiles(sh, t, &l, plan);
        if (sh->n % (int64_t)l.lanes != 0) {
            t.m = sh->n;
            t.n = sh->m;
            try_tiles(sh, t, &l, plan);
        }
    }
    plan->pipe = choice.pipe;
    plan->precision = choice.precision;
    plan->ideal_cycles = 2 * sh->macs / pipe->ops_per_cycle[choice.precision];
}

/* Tiles of a matrix unit's instructions, one or two by one or two of them. */
struct matrix_tiles {
    double rows, tile_bytes, multiply; /* multiply: cycles of one instruction's tile */
    double steps;
};

static double matrix_cycles(const struct matrix_tiles *t, int64_t tm, int64_t tn)
{
    double area = (double)(tm * tn);
    double load = (double)(tm + tn) * t->tile_bytes / MATRIX_LOAD_BYTES;
    return t->steps * wl_max_d(area * t->multiply, load) + 2 * area * t->rows +
           TILE_OVERHEAD_CYCLES;
}

static void try_matrix(const struct cpu_shape *sh, const struct matrix_tiles *t,
                       const struct cores *cores, const struct beside *beside, int64_t size[2],
                       int64_t by[2], struct cpu_plan *best)
{
    double g = (double)sh->g;
    struct blocks m = blocks_of(size[0], by[0]);
    struct blocks n = blocks_of(size[1], by[1]);
    struct chunks sizes[CHUNK_SIZES] = {
        {g * (double)m.whole * (double)n.whole, matrix_cycles(t, by[0], by[1])},
        {m.rest > 0 ? g * (double)n.whole : 0, matrix_cycles(t, m.rest, by[1])},
        {n.rest > 0 ? g * (double)m.whole : 0, matrix_cycles(t, by[0], n.rest)},
        {m.rest > 0 && n.rest > 0 ? g : 0, matrix_cycles(t, m.rest, n.rest)}};
    double total = 0;
    double busy = busiest(sizes, cores, &total);
    double loads =
        g * t->steps * ((double)size[0] * block_count(&n) + (double)size[1] * block_count(&m));
    double seconds = with_beside(beside, sh, busy, loads * t->tile_bytes);
    if (!sooner(best, seconds, busy, loads)) {
        return;
    }
    best->pipe = 0;
    best->seconds = seconds;
    best->busy_cycles = busy;
    best->total_cycles = total;
    best->loads = loads;
    best->register_bytes = loads * t->tile_bytes;
    best->tiles = g * block_count(&m) * block_count(&n);
    best->iterations = best->tiles * t->steps / K_UNROLL;
    best->tiling.tile_m = (int32_t)by[0];
    best->tiling.tile_n = (int32_t)by[1];
    best->tiling.cycles_per_tile = sizes[0].cycles;
}

static void plan_matrix(const struct wl_map_ctx *c, const struct cpu_shape *sh,
                        struct wl_pipe_choice choice, int32_t units, double transform_s,
                        struct cpu_plan *plan)
{
    *plan = (struct cpu_plan){.pipe = WL_NONE};
    if (choice.pipe == WL_NONE || sh->depthwise) {
        return;
    }
    const struct wl_pipe *pipe = &c->device->pipes[choice.pipe];
    double elem = wl_precision_bits(choice.precision) / 8.0;
    int64_t rows = pipe->rows > 0 ? pipe->rows : 16;
    int64_t cols = pipe->cols > 0 ? pipe->cols : 16;
    int64_t depth = pipe->depth > 0 ? pipe->depth : (int64_t)wl_max_d(1, 64 / elem);
    double rate = pipe->ops_per_cycle[choice.precision] * (pipe->arrays > 0 ? pipe->arrays : 1);
    struct cores cores = cores_of(c, choice, units);
    struct beside beside = beside_on(c, sh, choice, units, transform_s);
    struct matrix_tiles t = {.rows = (double)rows,
                             .tile_bytes = (double)(rows * depth) * elem,
                             .multiply = 2 * (double)(rows * cols * depth) / rate,
                             .steps = wl_ceil_div_d(sh->k, depth)};
    int64_t size[2] = {wl_ceil_div_i64(sh->m, rows), wl_ceil_div_i64(sh->n, cols)};
    for (int tiles = 3; tiles >= 0; tiles--) {
        int64_t by[2] = {1 + tiles / 2, 1 + tiles % 2};
        try_matrix(sh, &t, &cores, &beside, size, by, plan);
    }
    plan->pipe = choice.pipe;
    plan->precision = choice.precision;
    plan->instructions = (double)sh->g * (double)size[0] * (double)size[1] * t.steps;
    plan->padded_cycles = plan->instructions * t.multiply;
    plan->ideal_cycles = 2 * sh->macs / rate;
    plan->tiling.tile_m *= (int32_t)rows;
    plan->tiling.tile_n *= (int32_t)cols;
    plan->tiling.tile_k = (int32_t)depth;
}

/* The faster of matrix and vector pipe for one shape. */
static void plan_shape(const struct wl_map_ctx *c, const struct cpu_shape *sh,
                       enum wl_precision precision, int32_t units, double transform_s,
                       struct cpu_plan *plan)
{
    struct cpu_plan matrix;
    plan_vector(c, sh, c->vector[precision], units, transform_s, plan);
    plan_matrix(c, sh, c->matrix[precision], units, transform_s, &matrix);
    if (matrix.pipe != WL_NONE && (plan->pipe == WL_NONE || matrix.seconds < plan->seconds)) {
        *plan = matrix;
    }
}

static double transform_seconds(const struct wl_map_ctx *c, const struct cpu_shape *sh,
                                enum wl_precision precision, int32_t units)
{
    struct wl_pipe_choice v = c->vector[precision];
    if (v.pipe == WL_NONE) {
        return 0;
    }
    const struct wl_pipe *p = &c->device->pipes[v.pipe];
    double rate = p->ops_per_cycle[v.precision] / 2 * p->clock_hz * c->vector_efficiency *
                  cpu_units_weight(c, v.pipe, v.precision, units);
    return sh->transform_ops / rate;
}

static struct cpu_shape direct_shape(const struct wl_map_ctx *c, const struct wl_subgraph *s,
                                     const struct wl_run *run)
{
    const struct wl_product *p = &run->product;
    struct cpu_shape sh = {.g = p->g,
                           .m = p->m,
                           .n = p->n,
                           .k = p->k,
                           .times = run->times,
                           .steps = run->steps,
                           .algorithm = "direct"};
    sh.macs = (double)p->g * (double)p->m * (double)p->n * (double)p->k;
    sh.left_bytes = wl_map_tensor_bytes(c, s, p->left);
    sh.right_bytes = wl_map_tensor_bytes(c, s, p->right);
    sh.window = p->window;
    const struct wl_map_kernel *kernel = wl_map_kernel_of(c, s);
    sh.patches = kernel->patch_cycles > 0;
    sh.depth_share = kernel->depth_share > 0 && p->window != NULL ? kernel->depth_share : 1;
    sh.depthwise = p->window != NULL && p->window->groups > 1 && p->n == 1;
    if (sh.depthwise) {
        sh.algorithm = "depthwise";
    } else if (p->window == NULL) {
        sh.algorithm = "gemm";
    }
    return sh;
}

/* Seconds that the filters of a product take from where all of them fit, at this growth. */
static double filter_seconds(const struct wl_map_ctx *c, const struct cpu_shape *sh, int32_t units)
{
    const struct wl_device *d = c->device;
    int32_t l = d->level_count - 1;
    double bytes = sh->right_bytes * (1 + sh->filter_growth);
    double held = (double)d->levels[l - 1].capacity_bytes * wl_map_instances(&d->levels[l - 1]);
    l -= l > 1 && c->weight_bytes * (1 + sh->filter_growth) <= held ? 1 : 0;
    const struct wl_level *level = &d->levels[l];
    double rate = level->bandwidth_bps * level->efficiency * wl_map_level_share(c, l, units);
    return rate > 0 ? bytes / rate : 0;
}

/* Tries Winograd with every tile that the runtime has; the fastest way stays in `shape`, `plan`. */
static void choose_winograd(const struct wl_map_ctx *c, const struct wl_product *p,
                            enum wl_precision precision, int32_t units, struct cpu_shape *shape,
                            struct cpu_plan *plan)
{
    const struct cpu_shape direct = *shape;
    double best = wl_max_d(plan->seconds, filter_seconds(c, shape, units));
    struct wl_winograd w;
    for (int32_t tile = 2; tile <= 6; tile += 2) {
        if (!wl_winograd_plan(c, p, tile, &w)) {
            continue;
        }
        struct cpu_shape other = direct;
        struct cpu_plan fast;
        other.g = w.g;
        other.m = w.m;
        other.n = w.n;
        other.k = w.k;
        other.macs = (double)w.g * (double)w.m * (double)w.n * (double)w.k;
        other.transform_ops = w.transform_ops;
        other.transform_elems = w.workspace_elems;
        other.filter_growth = w.filter_growth - 1;
        other.algorithm = w.name;
        double transform_s = transform_seconds(c, &other, precision, units);
        plan_shape(c, &other, precision, units, transform_s, &fast);
        double seconds = wl_max_d(fast.seconds, filter_seconds(c, &other, units));
        if (seconds < best) {
            best = seconds;
            *shape = other;
            *plan = fast;
        }
    }
}

static void plan_anew(const struct wl_map_ctx *c, const struct wl_product *p,
                      enum wl_precision precision, int32_t units, struct cpu_shape *shape,
                      struct cpu_plan *plan)
{
    *plan = (struct cpu_plan){.pipe = WL_NONE};
    if (!(shape->macs > 0)) {
        return;
    }
    plan_shape(c, shape, precision, units, 0, plan);
    if (plan->pipe != WL_NONE && wl_precision_is_float(precision)) {
        choose_winograd(c, p, precision, units, shape, plan);
    }
    if (plan->pipe == WL_NONE) {
        return;
    }
    double efficiency =
        efficiency_of(c, shape, (struct wl_pipe_choice){plan->pipe, plan->precision});
    plan->total_cycles *= shape->depth_share / efficiency;
    plan->busy_cycles *= shape->depth_share / efficiency;
    struct wl_tiling *t = &plan->tiling;
    t->algorithm = shape->algorithm;
    t->g = shape->g;
    t->m = shape->m;
    t->n = shape->n;
    t->k = shape->k;
    t->split_k = 1;
    t->waves = plan->tiles / units;
    t->efficiency = efficiency;
}

/* A product and its plan, as cached. */
struct cached {
    struct cpu_shape shape;
    struct cpu_plan plan;
};
_Static_assert(sizeof(struct cached) <= WL_PLAN_BYTES, "plans must fit into their slots");

void cpu_plan_product(const struct wl_map_ctx *c, const struct wl_subgraph *s,
                      const struct wl_run *run, enum wl_precision precision, int32_t units,
                      const struct cpu_beside *beside, struct cpu_shape *shape,
                      struct cpu_plan *plan)
{
    precision = run->product.integer ? WL_PREC_INT8 : precision;
    *shape = direct_shape(c, s, run);
    shape->elem_bytes = wl_precision_bits(precision) / 8.0;
    shape->beside_s = beside->pipes_s / run->times;
    shape->beside_bytes = beside->bytes / run->times;
    bool found = false;
    struct wl_plan_key key = {.bytes = {shape->left_bytes, shape->right_bytes},
                              .beside = {shape->beside_s, shape->beside_bytes, shape->depth_share,
                                         shape->patches ? 1 : 0},
                              .precision = (int32_t)precision,
                              .units = units};
    struct cached *cached = wl_map_plan_slot(c, &run->product, &key, &found);
    if (!found) {
        cached->shape = *shape;
        plan_anew(c, &run->product, precision, units, &cached->shape, &cached->plan);
    }
    *shape = cached->shape;
    *plan = cached->plan;
    shape->times = run->times;
    shape->steps = run->steps;
    plan->tiling.tiles = plan->tiles * run->times;
}

void cpu_product_events(const struct wl_map_ctx *c, const struct cpu_shape *shape,
                        const struct cpu_plan *plan, struct wl_event_sink *sink)
{
    const struct wl_pipe *pipe = &c->device->pipes[plan->pipe];
    bool matrix = pipe->kind == WL_PIPE_MATRIX;
    double stores = (double)shape->g * (double)shape->m * (double)shape->n * shape->elem_bytes;
    struct cpu_instructions n = {.arithmetic = plan->instructions * shape->times,
                                 .register_bytes = wl_max_d(8, pipe->simd_bits / 8.0),
                                 .reads = 3};
    if (matrix) {
        /* A tile operand of one instruction; its three operands are alike. */
        double per = wl_pipe_macs_per_instruction(c->device, pipe, plan->precision);
        double unit = (double)pipe->rows * pipe->cols * pipe->depth;
        double steps = unit > 0 ? per / unit : 1;
        n.arithmetic /= wl_max_d(1, steps);
        n.register_bytes =
            wl_max_d(64, pipe->rows * pipe->depth * shape->elem_bytes * wl_max_d(1, steps));
    }
    n.moves = (plan->register_bytes / n.register_bytes + stores / n.register_bytes) * shape->times;
    if (!matrix) {
        n.moves = (plan->loads + stores / n.register_bytes) * shape->times;
    }
    n.iterations = plan->iterations * shape->times;
    wl_sink_add(sink, matrix ? WL_EV_MATRIX_MAC : WL_EV_VECTOR_MAC, plan->precision,
                shape->macs * shape->times);
    cpu_instruction_events(sink, &n);
}

void cpu_winograd_extra(const struct wl_map_ctx *c, const struct cpu_shape *shape,
                        const struct cpu_plan *plan, int32_t units, struct wl_mapping *m,
                        struct wl_event_sink *sink)
{
    struct wl_pipe_choice v = c->vector[plan->precision];
    if (v.pipe == WL_NONE) {
        return;
    }
    const struct wl_pipe *p = &c->device->pipes[v.pipe];
    double seconds = transform_seconds(c, shape, plan->precision, units) * shape->times;
    double bytes = shape->transform_elems * shape->elem_bytes * shape->times;
    double lanes = wl_max_d(1, (double)p->simd_bits / wl_precision_bits(v.precision));
    double register_bytes = wl_max_d(8, p->simd_bits / 8.0);
    double ops = shape->transform_ops * shape->times;
    wl_map_use_pipe(m, v.pipe, seconds * p->clock_hz, ops);
    wl_sink_add(sink, WL_EV_VECTOR_OP, v.precision, ops);
    struct cpu_instructions n = {.arithmetic = ops / lanes,
                                 .moves = 2 * bytes / register_bytes,
                                 .iterations = ops / lanes / 16,
                                 .register_bytes = register_bytes,
                                 .reads = 2};
    cpu_instruction_events(sink, &n);
    int32_t levels = c->device->level_count > 2 ? 2 : 1;
    for (int32_t l = 0; l < levels; l++) {
        m->traffic[l].read_bytes += bytes;
        m->traffic[l].write_bytes += bytes;
    }
    m->workspace_bytes = wl_max_d(m->workspace_bytes, shape->transform_elems * shape->elem_bytes);
}
