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

/*
 * Cycles of the busiest core for whole chunks. Cores that would shorten no round are left out, so
 * that they cost nothing either.
 */
static double busiest(double chunks, double chunk_cycles, const struct cores *c)
{
    bool hybrid = c->weight < c->units - 1e-9 || c->weight > c->units + 1e-9;
    double rounds = hybrid ? wl_max_d(chunks / c->weight, 1) : ceil(chunks / c->units);
    double used = wl_min_d(c->weight, hybrid ? chunks : ceil(chunks / rounds));
    return rounds * chunk_cycles * (1 + c->loss * wl_max_d(0, used - 1));
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

/* One register tile of one orientation; `n` is the vectorised side. */
struct tile_try {
    int64_t m, n;
    int rows_max, vecs_max;
    struct cores cores;
};

static void try_tile(const struct cpu_shape *sh, const struct tile_try *t, const struct lanes *l,
                     struct cpu_plan *best)
{
    int64_t nvec = wl_ceil_div_i64(t->n, (int64_t)l->lanes);
    double steps = (double)wl_ceil_div_i64(sh->k, (int64_t)l->depth);
    double g = (double)sh->g;
    double mblocks = wl_ceil_div_d(t->m, t->rows_max);
    double nblocks = wl_ceil_div_d(nvec, t->vecs_max);
    double rows = (double)t->m / mblocks;
    double vecs = (double)nvec / nblocks;
    double per_step = wl_max_d(rows * vecs / l->issue, (rows + vecs) / LOADS_PER_CYCLE);
    double tile = steps * per_step + 2 * rows * vecs + TILE_OVERHEAD_CYCLES;
    double chunks = g * mblocks * nblocks;
    double busy = busiest(chunks, tile, &t->cores);
    double loads = chunks * steps * (rows + vecs);
    if (best->pipe != WL_NONE &&
        (busy > best->busy_cycles || (busy >= best->busy_cycles && loads >= best->loads))) {
        return;
    }
    best->pipe = 0;
    best->busy_cycles = busy;
    best->total_cycles = chunks * tile;
    best->instructions = g * (double)t->m * (double)nvec * steps;
    best->padded_cycles = best->instructions / l->issue;
    best->loads = loads;
    best->tiles = chunks;
    best->iterations = chunks * steps / K_UNROLL;
    best->register_bytes =
        chunks * steps * (rows * l->register_bytes / l->lanes + vecs * l->register_bytes);
    best->tiling = (struct wl_tiling){.tile_m = t->rows_max < t->m ? t->rows_max : (int32_t)t->m,
                                      .tile_n = (int32_t)(t->vecs_max * l->lanes),
                                      .tile_k = (int32_t)l->depth,
                                      .cycles_per_tile = tile};
}

/* All register tiles of one orientation: as many rows as registers hold, and halves of it, which
   leave more tiles to share out. */
static void try_tiles(const struct cpu_shape *sh, struct tile_try t, const struct lanes *l,
                      struct cpu_plan *best)
{
    int64_t nvec = wl_ceil_div_i64(t.n, (int64_t)l->lanes);
    for (t.vecs_max = 1; t.vecs_max <= VECS_MAX && (t.vecs_max == 1 || t.vecs_max <= nvec);
         t.vecs_max++) {
        int rows = (l->registers - t.vecs_max - 1) / t.vecs_max;
        rows = rows < 1 ? 1 : rows;
        rows = t.m < rows ? (int)t.m : rows;
        for (t.rows_max = rows; t.rows_max >= 1; t.rows_max /= 2) {
            try_tile(sh, &t, l, best);
            double tiles =
                (double)sh->g * wl_ceil_div_d(t.m, t.rows_max) * wl_ceil_div_d(nvec, t.vecs_max);
            if (tiles > 4 * t.cores.units) {
                break;
            }
        }
    }
}

/* One filter per channel: filters stay in registers, every multiply loads its input. */
static void plan_depthwise(const struct cpu_shape *sh, const struct lanes *l,
                           const struct cores *cores, struct cpu_plan *plan)
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
    plan->tiles = vectors;
    plan->iterations = vectors;
    plan->tiling = (struct wl_tiling){
        .tile_m = 1, .tile_n = (int32_t)l->lanes, .tile_k = 1, .cycles_per_tile = cycles};
}

static void plan_vector(const struct wl_map_ctx *c, const struct cpu_shape *sh,
                        struct wl_pipe_choice choice, int32_t units, struct cpu_plan *plan)
{
    *plan = (struct cpu_plan){.pipe = WL_NONE};
    if (choice.pipe == WL_NONE) {
        return;
    }
    const struct wl_pipe *pipe = &c->device->pipes[choice.pipe];
    struct lanes l = lanes_of(c->device, pipe, choice.precision);
    struct cores cores = cores_of(c, choice, units);
    if (sh->depthwise) {
        plan_depthwise(sh, &l, &cores, plan);
    } else {
        struct tile_try t = {.m = sh->m, .n = sh->n, .cores = cores};
        try_tiles(sh, t, &l, plan);
        if (sh->n % (int64_t)l.lanes != 0 && sh->m > 1) {
            t.m = sh->n;
            t.n = sh->m;
            try_tiles(sh, t, &l, plan);
        }
    }
    plan->pipe = choice.pipe;
    plan->precision = choice.precision;
    plan->ideal_cycles = 2 * sh->macs / pipe->ops_per_cycle[choice.precision];
}

static void plan_matrix(const struct wl_map_ctx *c, const struct cpu_shape *sh,
                        struct wl_pipe_choice choice, int32_t units, struct cpu_plan *plan)
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
    struct cores cores = cores_of(c, choice, units);
    double mt = wl_ceil_div_d(sh->m, rows);
    double nt = wl_ceil_div_d(sh->n, cols);
    double steps = wl_ceil_div_d(sh->k, depth);
    double g = (double)sh->g;
    double mb = (double)wl_ceil_div_i64((int64_t)mt, 2);
    double nb = (double)wl_ceil_div_i64((int64_t)nt, 2);
    double tm = mt / mb;
    double tn = nt / nb;
    double tile_bytes = (double)(rows * depth) * elem;
    double multiply =
        tm * tn * 2 * (double)(rows * cols * depth) /
        (pipe->ops_per_cycle[choice.precision] * (pipe->arrays > 0 ? pipe->arrays : 1));
    double load = (tm + tn) * tile_bytes / MATRIX_LOAD_BYTES;
    double chunk =
        steps * wl_max_d(multiply, load) + 2 * tm * tn * (double)rows + TILE_OVERHEAD_CYCLES;
    double chunks = g * mb * nb;
    plan->pipe = choice.pipe;
    plan->precision = choice.precision;
    plan->total_cycles = chunks * chunk;
    plan->busy_cycles = busiest(chunks, chunk, &cores);
    plan->instructions = g * mt * nt * steps;
    plan->padded_cycles = chunks * steps * multiply;
    plan->ideal_cycles =
        2 * sh->macs /
        (pipe->ops_per_cycle[choice.precision] * (pipe->arrays > 0 ? pipe->arrays : 1));
    plan->loads = chunks * steps * (tm + tn);
    plan->register_bytes = plan->loads * tile_bytes;
    plan->tiles = chunks;
    plan->iterations = chunks * steps / K_UNROLL;
    plan->tiling = (struct wl_tiling){.tile_m = (int32_t)(2 * rows),
                                      .tile_n = (int32_t)(2 * cols),
                                      .tile_k = (int32_t)depth,
                                      .cycles_per_tile = chunk};
}

/* The runtime's share of the peak. Depthwise convolutions stream their inputs once: they fare like
   element-wise work. */
static double efficiency_of(const struct wl_map_ctx *c, const struct cpu_shape *sh,
                            const struct cpu_plan *plan)
{
    bool matrix = c->device->pipes[plan->pipe].kind == WL_PIPE_MATRIX;
    if (sh->depthwise) {
        return c->depthwise_efficiency;
    }
    return matrix && c->matrix_efficiency > 0
               ? c->matrix_efficiency
               : wl_map_gemm_efficiency(c, plan->precision, sh->window);
}

static double plan_seconds(const struct wl_map_ctx *c, const struct cpu_shape *sh,
                           const struct cpu_plan *plan)
{
    return plan->busy_cycles / c->device->pipes[plan->pipe].clock_hz / efficiency_of(c, sh, plan);
}

/* The faster of matrix and vector pipe for one shape. */
static void plan_shape(const struct wl_map_ctx *c, const struct cpu_shape *sh,
                       enum wl_precision precision, int32_t units, struct cpu_plan *plan)
{
    struct cpu_plan matrix;
    plan_vector(c, sh, c->vector[precision], units, plan);
    plan_matrix(c, sh, c->matrix[precision], units, &matrix);
    if (matrix.pipe != WL_NONE &&
        (plan->pipe == WL_NONE || plan_seconds(c, sh, &matrix) < plan_seconds(c, sh, plan))) {
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
    double best = wl_max_d(plan_seconds(c, shape, plan), filter_seconds(c, shape, units));
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
        plan_shape(c, &other, precision, units, &fast);
        double seconds = wl_max_d(plan_seconds(c, &other, &fast) +
                                      transform_seconds(c, &other, precision, units),
                                  filter_seconds(c, &other, units));
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
    plan_shape(c, shape, precision, units, plan);
    if (plan->pipe != WL_NONE && wl_precision_is_float(precision)) {
        choose_winograd(c, p, precision, units, shape, plan);
    }
    if (plan->pipe == WL_NONE) {
        return;
    }
    double efficiency = efficiency_of(c, shape, plan);
    plan->total_cycles /= efficiency;
    plan->busy_cycles /= efficiency;
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
                      struct cpu_shape *shape, struct cpu_plan *plan)
{
    precision = run->product.integer ? WL_PREC_INT8 : precision;
    *shape = direct_shape(c, s, run);
    shape->elem_bytes = wl_precision_bits(precision) / 8.0;
    bool found = false;
    struct wl_plan_key key = {.bytes = {shape->left_bytes, shape->right_bytes},
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
