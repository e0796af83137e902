/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mappers/gpu_gemm.c: matrix products on SIMT machines, as the libraries' kernels lay them out
 * (Kerr et al., "CUTLASS: fast linear algebra in CUDA C++", 2017; NVIDIA, "Matrix multiplication
 * background user's guide": tile and wave quantisation, alignment).
 *
 * - A thread block computes a bm x bn tile of the result, walking K in steps; the tile is chosen
 * from a catalogue, and K may be split over blocks when there are fewer tiles than units. Chosen is
 * what takes least time by the estimate below.
 * - Per element of K a tile takes the longer of bm bn / (multiplications per cycle of the unit) and
 *   the bytes that its warps (tiles of 64 x 64 at most) read from shared memory over what a unit
 *   delivers; few blocks on a unit wait for their loads, three steps of which each has in flight.
 *   Each round of blocks starts with the latency of its first loads; with room for two or more
 *   blocks per unit (registers, shared memory) only the first round does.
 * - Each step of K also costs what does not depend on the tile's size, so small tiles lose.
 * - The busiest unit computes ceil(tiles / units) tiles: waves and tail.
 * - Matrix units need K and N (channels of convolutions) in multiples of 16 bytes. Convolutions pad
 *   channels; other products run padded at half rate, or on the vector pipe where that is faster.
 * - Depthwise convolutions run on the vector pipe, bound by loads: three multiplications per load.
 */
#include <math.h>

#include "gpu_priv.h"

/* A block's tile, its warps, and the tile of a warp (four warps at least, 64 x 64 at most each);
   whether the catalogue holds the tile of half the rows, of half the columns. Smallest first: of
   few tiles these are soonest, and of many they are left out. */
struct tile {
    int32_t bm, bn, warps, wm, wn;
    bool half_m, half_n;
};

/* clang-format off */
static const struct tile catalogue[] = {
    {16, 64, 4, 16, 16, false, false}, {16, 128, 4, 16, 32, false, true}, {32, 32, 4, 16, 16, false, false},
    {32, 64, 4, 16, 32, true, true},   {64, 32, 4, 32, 16, true, false},  {32, 128, 4, 32, 32, true, true},
    {128, 32, 4, 32, 32, true, false}, {64, 64, 4, 32, 32, true, true},   {64, 128, 4, 32, 64, true, true},
    {128, 64, 4, 64, 32, true, true},  {64, 256, 4, 64, 64, false, true}, {256, 64, 4, 64, 64, true, false},
    {128, 128, 4, 64, 64, true, true}, {128, 256, 8, 64, 64, true, true}, {256, 128, 8, 64, 64, true, true},
};
/* clang-format on */

/* Cycles until the first loads of a block have arrived (main memory to registers), and for writing
   its results at the end. */
#define BLOCK_START_CYCLES 2500.0
/* Bytes of K of a stage of the software pipeline; as many stages as the device says are in flight.
 */
#define STEP_BYTES 64.0
/* Parts of a split K add their sums up one after the other, each through the L2. */
#define SPLIT_JOIN_CYCLES 250.0
/* Latency of those loads. */
#define LOAD_CYCLES 1000.0
/* Matrix units of at least this many bytes of operands per cycle (2,048 fp16 multiplications) take
   the right operand once for all warps of a group, and the left one from registers: 64 rows at that
   rate, more in proportion. */
#define GROUP_BYTES 4096.0
/* Results of a tile below which it is small (left_out). */
#define SMALL_TILE 4096
/* What a step of K costs beside its multiplications (fragment loads, addresses, the loop), as
   elements of the tile: a 128 x 128 tile loses 5 % of a vector pipe, 10 % of a matrix unit. */
#define VECTOR_FIXED_AREA 860.0
#define MATRIX_FIXED_AREA 1820.0
/* Bytes per multiplication that an unaligned product loses on matrix units: half rate. */
#define UNALIGNED_SHARE 0.5
/* Share of the vector pipe that a depthwise convolution reaches: a load issues every fourth cycle
   of a warp, and a row of inputs in registers serves about three multiplications. */
#define DEPTHWISE_SHARE 0.4
#define SPLIT_MAX 32
/* Warp instructions per multiplying one: fragments and addresses around a matrix instruction, loads
   and loop control around a vector one. */
#define MATRIX_OVERHEAD 2.0
#define VECTOR_OVERHEAD 1.4
#define SPLIT_MIN_K 128
/* Bytes per cycle that a unit draws from beyond level 0 where the device does not say. */
#define UNIT_BYTES 64.0

/* Bytes per second that one unit draws from the memory beyond level 0. */
static double unit_draw_bps(const struct wl_device *d)
{
    const struct wl_level *l = wl_device_dram(d);
    double clock = d->groups[0].clock_hz;
    return l->unit_bandwidth_bps > 0 && clock > 0 ? l->unit_bandwidth_bps : UNIT_BYTES * clock;
}

double gpu_unit_share(const struct wl_device *d, int32_t level)
{
    const struct wl_level *l = &d->levels[level];
    if (l->scope == WL_SCOPE_UNIT) {
        return 1.0 / wl_device_units(d);
    }
    return wl_max_d(unit_draw_bps(d), l->unit_bandwidth_bps) / l->bandwidth_bps;
}

/* A level as plans draw from it: seconds per byte at the whole bandwidth, and of one unit. */
struct level_draw {
    double s_per_byte, s_per_unit_byte;
};

/* `share`: of the bandwidth that the runtime takes. */
static struct level_draw draw_of(const struct wl_device *d, int32_t level, double share)
{
    double s_per_byte = 1 / wl_map_level_rate(&d->levels[level]) / share;
    return (struct level_draw){s_per_byte, s_per_byte / gpu_unit_share(d, level)};
}

/* What a kind of pipe offers to tiles. */
struct unit_rates {
    double macs_per_cycle;
    double shared_bytes_per_cycle;
    double clock_hz;
    double units;
    double elem_bytes;
    double efficiency;
    double fixed_area;
    double stages;     /* in flight per block */
    double group_rows; /* rows whose warps share the right operand, 0: none */
    bool matrix;
};

static struct unit_rates rates_of(const struct wl_map_ctx *c, struct wl_pipe_choice choice,
                                  const struct wl_window *window)
{
    const struct wl_device *d = c->device;
    const struct wl_pipe *p = &d->pipes[choice.pipe];
    const struct wl_level *shared = &d->levels[0];
    struct unit_rates r = {.clock_hz = p->clock_hz,
                           .units = d->groups[p->group].count,
                           .elem_bytes = wl_precision_bits(choice.precision) / 8.0,
                           .efficiency = wl_map_gemm_efficiency(c, choice.precision, window),
                           .stages = wl_max_d(1, d->params.load_stages),
                           .matrix = p->kind == WL_PIPE_MATRIX};
    r.fixed_area = r.matrix ? MATRIX_FIXED_AREA : VECTOR_FIXED_AREA;
    r.macs_per_cycle = p->ops_per_cycle[choice.precision] / 2 * (p->arrays > 0 ? p->arrays : 1);
    double fed = r.macs_per_cycle * r.elem_bytes;
    r.group_rows = r.matrix && fed >= GROUP_BYTES ? 64 * fed / GROUP_BYTES : 0;
    r.shared_bytes_per_cycle = 128;
    if (shared->scope == WL_SCOPE_UNIT && d->level_count > 1) {
        r.shared_bytes_per_cycle = shared->bandwidth_bps / r.units / r.clock_hz;
    }
    return r;
}

/* What a product is planned for. */
struct gpu_task {
    const struct wl_map_ctx *c;
    const struct gpu_shape *sh;
    const struct gpu_beside *beside;
    struct unit_rates r;
    struct level_draw levels[GPU_LEVELS];
    double s_per_cycle;
    double transform_s; /* Winograd's, on the vector pipe */
    double again_bytes; /* that blocking reads again from main memory, per execution */
};

/* `sh`: `shape` with the padding that the pipe asks. */
static struct gpu_task task_of(const struct wl_map_ctx *c, const struct gpu_shape *sh,
                               const struct gpu_shape *shape, const struct gpu_beside *beside,
                               const struct unit_rates *r)
{
    double rate = r->macs_per_cycle * r->units * r->clock_hz * c->vector_efficiency;
    struct gpu_task t = {.c = c,
                         .sh = sh,
                         .beside = beside,
                         .r = *r,
                         .s_per_cycle = 1 / r->clock_hz,
                         .transform_s = sh->transform_ops / rate};
    for (int i = 0; i < GPU_LEVELS; i++) {
        t.levels[i] = draw_of(c->device, gpu_level_index(c->device, i),
                              i == GPU_MAIN ? beside->main_share : 1);
    }
    const struct wl_blocking blocking = gpu_blocking(c, beside, shape, r->elem_bytes);
    t.again_bytes = blocking.again[c->device->level_count - 1].bytes / shape->times;
    return t;
}

/* Seconds of the pipes with a plan of so many cycles. */
static double pipes_s(const struct gpu_task *t, double cycles)
{
    double product_s = cycles * t->s_per_cycle + t->transform_s;
    double vector_s = t->beside->vector_s;
    return t->r.matrix ? wl_max_d(product_s, vector_s) : product_s + vector_s;
}

/* Seconds of the subgraph with a plan: the longest of its pipes and levels, as the roofline has
   it. */
static double seconds_of(const struct gpu_task *t, double cycles, const struct gpu_bytes *b,
                         const struct gpu_spread *spread)
{
    double operands = t->sh->left_bytes + t->sh->right_bytes;
    double transformed = 2 * t->sh->transform_elems * t->r.elem_bytes;
    double more[GPU_LEVELS] = {[GPU_SHARED] = wl_max_d(0, b->shared - operands) + transformed,
                               [GPU_L2] = wl_max_d(0, b->l2 - operands) + b->split + transformed,
                               [GPU_MAIN] = t->again_bytes};
    double seconds = pipes_s(t, cycles);
    for (int i = 0; i < GPU_LEVELS; i++) {
        const struct gpu_level *l = &t->beside->levels[i];
        double busiest = l->tiles + spread->tiles[i] + gpu_rest(l, spread);
        double level_s = wl_max_d((l->total + more[i]) * t->levels[i].s_per_byte,
                                  busiest * t->levels[i].s_per_unit_byte);
        bool has = i != GPU_L2 || t->c->device->level_count > 2;
        seconds = has ? wl_max_d(seconds, level_s) : seconds;
    }
    return seconds;
}

/* One unit's share of weights: a tile of them, but not less than an even share. */
static double share_of_weights(const struct gpu_task *t, double elems_of_tile)
{
    double weights = t->beside->weight_elems;
    return weights > elems_of_tile ? wl_max_d(elems_of_tile / weights, 1 / t->r.units) : 1;
}

/* Blocks of this tile that fit on a unit at once. */
static double occupancy(const struct wl_map_ctx *c, const struct tile *t, double stages)
{
    double stage = (double)(t->bm + t->bn) * stages * STEP_BYTES;
    double shared = (double)c->device->params.shared_bytes_per_unit;
    double registers = (double)c->device->groups[0].register_bytes;
    double by_shared = shared > 0 ? floor(shared / stage) : 2;
    /* Accumulators take about half of a block's registers. */
    double by_registers = registers > 0 ? floor(registers / (8.0 * t->bm * t->bn)) : 2;
    double blocks = c->device->params.max_blocks_per_unit;
    double o = wl_min_d(by_shared, by_registers);
    o = blocks > 0 ? wl_min_d(o, blocks) : o;
    return wl_max_d(1, o);
}

/* What a tile of the catalogue needs of a unit, whatever the product. */
struct tile_needs {
    double multiply;   /* cycles of a step of K */
    double shared;     /* bytes of shared memory that its warps read per element of K */
    double panels;     /* elements of operands per element of K that cross the L2 */
    double step, wait; /* cycles of a step without its loads' latency; that latency */
    double occupancy;
};

/* One tile of the catalogue with one split of K. */
struct attempt {
    const struct tile *tile; /* NULL: none yet */
    int64_t split;
    double seconds, cycles;
    double tiles, rounds, depth, step;
    struct gpu_bytes bytes;
    struct gpu_spread spread;
};

/* Sooner; where a level binds, by the least compute, then by the least traffic. */
static bool better(const struct attempt *a, const struct attempt *b)
{
    if (b->tile == NULL || a->seconds < b->seconds || a->seconds > b->seconds) {
        return a->seconds < b->seconds;
    }
    if (a->cycles < b->cycles || a->cycles > b->cycles) {
        return a->cycles < b->cycles;
    }
    return a->bytes.l2 < b->bytes.l2;
}

static struct tile_needs needs_of(const struct gpu_task *task, const struct tile *t)
{
    const struct unit_rates *r = &task->r;
    struct tile_needs n = {.shared = t->warps * (t->wm + t->wn) * r->elem_bytes,
                           .panels = t->bm + t->bn,
                           .wait = LOAD_CYCLES * r->elem_bytes / (r->stages * STEP_BYTES),
                           .occupancy = occupancy(task->c, t, r->stages)};
    if (r->group_rows > 0) {
        /* Units of that kind also pair blocks, which read the wider operand once for both. */
        n.shared = ceil(t->bm / r->group_rows) * t->bn * r->elem_bytes;
        n.panels -= 0.5 * wl_max_d(t->bm, t->bn);
    }
    n.multiply = ((double)t->bm * t->bn + r->fixed_area) / r->macs_per_cycle;
    n.step = wl_max_d(n.multiply, n.shared / r->shared_bytes_per_cycle);
    return n;
}

/* Cycles of a step of K, and of the busiest unit. */
static double step_cycles(const struct tile_needs *n, double rounds)
{
    return wl_max_d(n->step, n->wait / wl_min_d(n->occupancy, rounds));
}

static double attempt_cycles(const struct unit_rates *r, const struct tile_needs *n, double rounds,
                             double depth, int64_t split)
{
    double starts = wl_min_d(n->occupancy, rounds) >= 2 ? 1 : rounds;
    double work = depth * step_cycles(n, rounds) / r->efficiency;
    double joins = split > 1 ? BLOCK_START_CYCLES + SPLIT_JOIN_CYCLES * (double)split : 0;
    return rounds * work + starts * BLOCK_START_CYCLES + joins;
}

static void spread_attempt(const struct gpu_task *task, const struct tile_needs *n,
                           struct attempt *a)
{
    const struct gpu_shape *sh = task->sh;
    const struct unit_rates *r = &task->r;
    const struct tile *t = a->tile;
    double split = (double)a->split;
    double of_tile = a->depth * n->panels * wl_min_d(r->elem_bytes, sh->stored_bytes);
    double results = (double)sh->g * wl_max_d(1, (double)sh->m / t->bm) *
                     wl_max_d(1, (double)sh->n / t->bn) * split;
    results = wl_min_d(results, r->units);
    a->bytes.shared = a->tiles * a->depth * n->shared;
    a->bytes.l2 = a->tiles * of_tile;
    a->bytes.split = a->split > 1 ? 8.0 * split * (double)sh->g * (double)sh->m * (double)sh->n : 0;
    a->spread.of_results = 1 / results;
    a->spread.of_weights = share_of_weights(task, a->depth * t->bn);
    double transformed = 2 * sh->transform_elems * r->elem_bytes * a->spread.of_results;
    a->spread.tiles[GPU_SHARED] = a->rounds * a->depth * n->shared + transformed;
    a->spread.tiles[GPU_L2] =
        a->rounds * of_tile + a->bytes.split * a->spread.of_results + transformed;
}

/* `tiles`: splits of K included. */
static void try_split(const struct gpu_task *task, const struct tile *t, const struct tile_needs *n,
                      double tiles, int64_t split, struct attempt *best)
{
    double rounds = ceil(tiles / task->r.units);
    double depth = split > 1 ? ceil((double)task->sh->k / (double)split) : (double)task->sh->k;
    double cycles = attempt_cycles(&task->r, n, rounds, depth, split);
    if (pipes_s(task, cycles) > best->seconds) {
        return;
    }
    struct attempt a = {.tile = t,
                        .split = split,
                        .cycles = cycles,
                        .tiles = tiles,
                        .rounds = rounds,
                        .depth = depth,
                        .step = step_cycles(n, rounds)};
    spread_attempt(task, n, &a);
    a.seconds = seconds_of(task, a.cycles, &a.bytes, &a.spread);
    if (better(&a, best)) {
        *best = a;
    }
}

/* `tiles`: of the product before K is split. */
static void try_tile(const struct gpu_task *task, const struct tile *t, double tiles,
                     struct attempt *best)
{
    const struct unit_rates *r = &task->r;
    int64_t k = task->sh->k;
    /* Its multiplications alone, shared out evenly, whatever the split. */
    double macs = tiles * t->bm * t->bn * (double)k;
    double least = macs / (r->units * r->macs_per_cycle * r->efficiency) * (1 - 1e-9);
    if (pipes_s(task, least) > best->seconds) {
        return;
    }
    const struct tile_needs n = needs_of(task, t);
    for (int64_t split = 1; split <= SPLIT_MAX; split *= 2) {
        double parts = tiles * (double)split;
        if (split > 1 && (parts > 2 * task->r.units || k < SPLIT_MIN_K * split)) {
            break;
        }
        try_split(task, t, &n, parts, split, best);
    }
}

/*
 * Is left out: a tile of which half would do as well, of products with few rows or columns; small
 * tiles where `many` larger ones fill the units many times over; small ones of matrix units, but
 * for products that are smaller themselves. With more rows no tile comes in that another one in
 * place before would not match.
 */
static bool left_out(const struct gpu_task *task, const struct tile *t, bool many)
{
    int64_t m = task->sh->m;
    int64_t n = task->sh->n;
    int32_t area = t->bm * t->bn;
    if ((many || (task->r.matrix && t->bm < m && t->bn < n)) && area < SMALL_TILE) {
        return true;
    }
    bool half_is_left = !many || area / 2 >= SMALL_TILE;
    return half_is_left && ((t->half_m && t->bm >= 2 * m) || (t->half_n && t->bn >= 2 * n));
}

static void try_catalogue(const struct gpu_task *task, struct attempt *best)
{
    double m = (double)task->sh->m;
    double n = (double)task->sh->n;
    double g = (double)task->sh->g;
    bool many = g * ceil(m / 64) * ceil(n / 64) > 8 * task->r.units;
    for (size_t i = 0; i < WL_ARRAY_LEN(catalogue); i++) {
        const struct tile *t = &catalogue[i];
        if (!left_out(task, t, many)) {
            try_tile(task, t, g * ceil(m / t->bm) * ceil(n / t->bn), best);
        }
    }
}

/* Instructions of warps that multiply, and what surrounds them (loads, addresses, loop). */
static void count_instructions(const struct wl_map_ctx *c, const struct gpu_shape *sh,
                               struct gpu_plan *plan)
{
    double padded = sh->macs / wl_max_d(plan->eff_padding, 1e-9);
    const struct wl_pipe *p = &c->device->pipes[plan->pipe];
    double per = wl_pipe_macs_per_instruction(c->device, p, plan->precision);
    plan->multiplies = padded / per;
    plan->instructions = plan->multiplies * (plan->matrix ? MATRIX_OVERHEAD : VECTOR_OVERHEAD);
}

static int64_t round_up(int64_t v, int64_t to)
{
    int64_t r = v % to;
    return r == 0 || v > INT64_MAX - to ? v : v + to - r;
}

/* The tiles' plan that is sooner than plan->seconds, if there is one. */
static bool plan_tiles(const struct gpu_task *task, struct gpu_plan *plan)
{
    const struct unit_rates *r = &task->r;
    double macs = task->sh->macs;
    struct attempt a = {.seconds = plan->seconds};
    try_catalogue(task, &a);
    if (a.tile == NULL) {
        return false;
    }
    double padded = a.tiles * a.depth * a.tile->bm * a.tile->bn;
    double ideal = macs / r->macs_per_cycle / r->units;
    *plan = (struct gpu_plan){.seconds = a.seconds,
                              .cycles = a.cycles,
                              .tiles = a.tiles,
                              .units = wl_min_d(r->units, a.tiles / a.rounds),
                              .bytes = a.bytes,
                              .spread = a.spread,
                              .eff_padding = wl_min_d(1, macs / padded),
                              .eff_balance = a.tiles / (a.rounds * r->units)};
    double kept = plan->eff_padding * plan->eff_balance;
    plan->eff_pipeline = wl_min_d(1, ideal / a.cycles / kept);
    plan->barriers = a.tiles * a.tile->warps * ceil(a.depth * r->elem_bytes / STEP_BYTES);
    plan->tiling = (struct wl_tiling){.tile_m = a.tile->bm,
                                      .tile_n = a.tile->bn,
                                      .tile_k = (int32_t)(STEP_BYTES / r->elem_bytes),
                                      .split_k = (int32_t)a.split,
                                      .waves = a.tiles / r->units,
                                      .cycles_per_tile = a.depth * a.step};
    return true;
}

static bool plan_depthwise(const struct gpu_task *task, struct gpu_plan *plan)
{
    const struct gpu_shape *sh = task->sh;
    const struct unit_rates *r = &task->r;
    double blocks = wl_max_d(1, (double)sh->g * (double)sh->m / 256);
    double rounds = ceil(blocks / r->units);
    double efficiency = r->efficiency * DEPTHWISE_SHARE;
    double cycles = sh->macs / r->macs_per_cycle / r->units / efficiency + BLOCK_START_CYCLES / 2;
    struct gpu_plan p = {
        .cycles = wl_max_d(cycles, sh->macs / blocks * rounds / r->macs_per_cycle),
        .tiles = blocks,
        .units = wl_min_d(r->units, blocks / rounds),
        .bytes = {.shared = sh->macs / 3 * r->elem_bytes, .l2 = sh->left_bytes + sh->right_bytes},
        .eff_padding = 1,
        .eff_balance = blocks / (rounds * r->units),
        .eff_pipeline = efficiency,
        .spread = {.of_results = 1 / wl_min_d(r->units, blocks),
                   .of_weights = 1 / wl_min_d(r->units, (double)sh->g)}};
    p.spread.tiles[GPU_SHARED] = p.bytes.shared / blocks * rounds;
    p.spread.tiles[GPU_L2] =
        sh->left_bytes * p.spread.of_results + sh->right_bytes * p.spread.of_weights;
    p.seconds = seconds_of(task, p.cycles, &p.bytes, &p.spread);
    p.tiling = (struct wl_tiling){.tile_m = 256,
                                  .tile_n = 1,
                                  .tile_k = 1,
                                  .split_k = 1,
                                  .waves = blocks / r->units,
                                  .cycles_per_tile = p.cycles / rounds};
    bool sooner = p.seconds < plan->seconds;
    *plan = sooner ? p : *plan;
    return sooner;
}

/* Matrix units ask multiples of 16 bytes: convolutions pad channels, others lose half. */
static void align(const struct wl_product *p, struct gpu_shape *sh, struct unit_rates *r)
{
    int64_t align = (int64_t)wl_max_d(1, 16 / r->elem_bytes);
    bool aligned = sh->k % align == 0 && sh->n % align == 0;
    if (p->window != NULL && wl_dim_is_known(p->window->in_channels) && p->window->groups > 0 &&
        sh->transform_ops <= 0) {
        int64_t channels = wl_max_i64(1, p->window->in_channels.value / p->window->groups);
        int64_t padded = round_up(channels, wl_min_i64(align, 4));
        if (sh->k % channels == 0 && sh->k / channels < INT64_MAX / padded) {
            sh->k = sh->k / channels * padded;
        }
    } else if (!aligned) {
        r->efficiency *= UNALIGNED_SHARE;
    }
}

/* Plans a shape on a pipe. False, and `plan` stays, where that is no sooner than plan->seconds. */
static bool plan_on(const struct wl_map_ctx *c, const struct gpu_shape *shape,
                    const struct gpu_beside *beside, const struct wl_product *p,
                    struct wl_pipe_choice choice, struct gpu_plan *plan)
{
    if (choice.pipe == WL_NONE) {
        return false;
    }
    struct unit_rates r = rates_of(c, choice, p->window);
    struct gpu_shape sh = *shape;
    if (r.matrix) {
        align(p, &sh, &r);
    }
    struct gpu_task task = task_of(c, &sh, shape, beside, &r);
    if (!(sh.depthwise ? plan_depthwise(&task, plan) : plan_tiles(&task, plan))) {
        return false;
    }
    plan->pipe = choice.pipe;
    plan->precision = choice.precision;
    plan->matrix = r.matrix;
    plan->elem_bytes = r.elem_bytes;
    count_instructions(c, shape, plan);
    return true;
}

/* The faster of matrix and vector pipe. */
static void plan_shape(const struct wl_map_ctx *c, const struct gpu_shape *sh,
                       const struct gpu_beside *beside, const struct wl_product *p,
                       enum wl_precision precision, struct gpu_plan *plan)
{
    if (!sh->depthwise) {
        (void)plan_on(c, sh, beside, p, c->matrix[precision], plan);
    }
    (void)plan_on(c, sh, beside, p, c->vector[precision], plan);
}

static void try_winograd(const struct wl_map_ctx *c, const struct wl_product *p,
                         enum wl_precision precision, const struct gpu_beside *beside,
                         struct gpu_shape *shape, struct gpu_plan *plan)
{
    struct wl_winograd w;
    /* Fast algorithms lose too many bits, and gain too little, on matrix units. */
    if (c->options->runtime == NULL || plan->pipe == WL_NONE ||
        c->matrix[precision].pipe != WL_NONE || !wl_precision_is_float(precision) ||
        !wl_winograd_plan(c, p, c->options->runtime->winograd_tile, &w)) {
        return;
    }
    struct gpu_shape other = *shape;
    other.g = w.g;
    other.m = w.m;
    other.n = w.n;
    other.k = w.k;
    other.macs = (double)w.g * (double)w.m * (double)w.n * (double)w.k;
    other.transform_ops = w.transform_ops;
    other.transform_elems = w.workspace_elems;
    other.algorithm = w.name;
    if (plan_on(c, &other, beside, p, c->vector[precision], plan)) {
        *shape = other;
    }
}

static void plan_anew(const struct wl_map_ctx *c, const struct wl_product *p,
                      enum wl_precision precision, const struct gpu_beside *beside,
                      struct gpu_shape *shape, struct gpu_plan *plan)
{
    *plan = (struct gpu_plan){.pipe = WL_NONE, .seconds = HUGE_VAL};
    if (!(shape->macs > 0)) {
        return;
    }
    plan_shape(c, shape, beside, p, precision, plan);
    try_winograd(c, p, precision, beside, shape, plan);
    struct wl_tiling *t = &plan->tiling;
    t->algorithm = shape->algorithm;
    t->g = shape->g;
    t->m = shape->m;
    t->n = shape->n;
    t->k = shape->k;
    t->efficiency =
        plan->pipe == WL_NONE ? 1 : wl_map_gemm_efficiency(c, plan->precision, p->window);
}

/* A product and its plan, as cached. */
struct cached {
    struct gpu_shape shape;
    struct gpu_plan plan;
};
_Static_assert(sizeof(struct cached) <= WL_PLAN_BYTES, "plans must fit into their slots");

struct gpu_shape gpu_shape_of(const struct wl_map_ctx *c, const struct wl_subgraph *s,
                              const struct wl_run *run)
{
    const struct wl_product *p = &run->product;
    struct gpu_shape shape = {.g = p->g,
                              .m = p->m,
                              .n = p->n,
                              .k = p->k,
                              .macs = (double)p->g * (double)p->m * (double)p->n * (double)p->k,
                              .left_bytes = wl_map_tensor_bytes(c, s, p->left),
                              .right_bytes = wl_map_tensor_bytes(c, s, p->right),
                              .times = run->times,
                              .steps = run->steps,
                              .algorithm = p->window != NULL ? "implicit gemm" : "gemm"};
    shape.depthwise = p->window != NULL && p->window->groups > 1 && p->n == 1;
    if (shape.depthwise) {
        shape.algorithm = "depthwise";
    }
    return shape;
}

void gpu_plan_product(const struct wl_map_ctx *c, const struct wl_run *run,
                      enum wl_precision precision, const struct gpu_beside *beside,
                      struct gpu_shape *shape, struct gpu_plan *plan)
{
    bool found = false;
    shape->stored_bytes = wl_precision_bits(precision) / 8.0;
    const struct gpu_level *l = beside->levels;
    int32_t last = c->device->level_count - 1;
    struct wl_plan_key key = {.bytes = {shape->left_bytes, shape->right_bytes},
                              .beside = {beside->vector_s, l[GPU_SHARED].total, l[GPU_MAIN].total,
                                         beside->compulsory[last].read_bytes, l[GPU_L2].tiles,
                                         l[GPU_L2].activations, l[GPU_L2].weights,
                                         l[GPU_MAIN].weights},
                              .precision = (int32_t)precision};
    struct cached *cached = wl_map_plan_slot(c, &run->product, &key, &found);
    if (!found) {
        cached->shape = *shape;
        plan_anew(c, &run->product, precision, beside, &cached->shape, &cached->plan);
    }
    *shape = cached->shape;
    *plan = cached->plan;
    shape->times = run->times;
    shape->steps = run->steps;
    plan->tiling.tiles = plan->tiles * run->times;
}
