/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mappers/kpu.c: domain-flow machines. A mesh of tiles, each an array of PEs that runs a system of
 * recurrence equations as a wavefront. For a product every PE owns one result: a block of rows x
 * cols results streams over K, one multiplication per PE and step (more for narrow types), with a
 * fill and a drain of rows + cols - 2 steps per block. Blocks are dealt to the tiles that serve the
 * precision (heterogeneous groups by their rates); a product whose blocks are fewer than the tiles
 * leaves tiles idle, so K may be split over tiles, whose partial results then meet on the mesh.
 *
 * Orientation: a block may lie either way; small dimensions (depthwise convolutions: N = 1) lay
 * independent products beside each other on the columns.
 *
 * Traffic: the levels are memories managed by the program. Streamers move L2 -> L1, block movers
 * L3 -> L2, DMA main memory -> L3; each is charged with what crosses its level. L3 is distributed
 * over the mesh: what leaves it travels (n n - 1) / (3 n) of each mesh dimension n on average
 * (uniformly random placement on a grid), and links bound it.
 *
 * A domain-flow program is loaded into the tiles when the subgraph's pattern differs from that of
 * the subgraph before (repetitions reuse it).
 *
 * Tokens: one per operand element injected and per result extracted; each is matched, routed and
 * dispatched once.
 */
#include <math.h>
#include <string.h>

#include "mappers_priv.h"

#define DIVIDE_SLOTS 4.0
#define SPECIAL_SLOTS 8.0
#define DMA_BLOCK_BYTES 4096.0
#define ACCUMULATOR_BYTES 4.0
#define SPLIT_MAX 64

struct kpu_block {
    double cycles;        /* of the busiest tile */
    double blocks, tiles; /* all blocks; tiles at work */
    double cycles_per_block;
    double injected_elems; /* both operands, all blocks */
    double split;
    double padding; /* useful share of PEs */
    int32_t rows, cols;
};

struct kpu_job {
    const struct wl_map_ctx *c;
    const struct wl_subgraph *s;
    struct wl_mapping *m;
    struct wl_event_sink *sink;
    struct wl_traffic compulsory[WL_LEVELS_MAX];
    double injected_bytes, extracted_bytes, tokens;
    double useful, offered;
    double tiles;   /* at work */
    double least_s; /* of products, were each laid out to compute soonest */
};

/* Tiles that serve a precision with pipes of this name, in units of the choice's tile. */
static double tiles_serving(const struct wl_map_ctx *c, struct wl_pipe_choice choice)
{
    const struct wl_device *d = c->device;
    const struct wl_pipe *main = &d->pipes[choice.pipe];
    double reference = main->ops_per_cycle[choice.precision] * main->clock_hz;
    double tiles = 0;
    for (int32_t i = 0; i < d->pipe_count; i++) {
        const struct wl_pipe *p = &d->pipes[i];
        if (p->kind == main->kind && (i == choice.pipe || strcmp(p->name, main->name) == 0)) {
            /* the choice's own pipe: exactly its tiles, so that rounds come out whole */
            double rate = p->ops_per_cycle[choice.precision] * p->clock_hz;
            tiles += d->groups[p->group].count * (rate / reference);
        }
    }
    return wl_max_d(1, tiles);
}

/* Those that the plan may use. */
static double tiles_at_work(const struct wl_map_ctx *c, struct wl_pipe_choice choice)
{
    return wl_max_d(1, tiles_serving(c, choice) / c->one_in);
}

/* A product on the tiles that the plan may use. */
struct kpu_task {
    struct kpu_job *j;
    const struct wl_run *run;
    struct wl_pipe_choice choice;
    int64_t rows, cols;
    double per_pe, arrays, tiles;
    double efficiency, clock_hz;
    struct wl_block_shape shape;
    struct wl_blocking blocking; /* with so many tiles at work */
    double blocking_tiles;
    double best_s, least_cycles;
    struct kpu_block best;
};

/* What the tiles of the plan draw; a memory of the device without a figure for one tile, all. */
static void set_shares(const struct wl_map_ctx *c, struct wl_mapping *m)
{
    const struct wl_device *d = c->device;
    for (int32_t l = 0; l < d->level_count; l++) {
        const struct wl_level *level = &d->levels[l];
        if (level->scope != WL_SCOPE_DEVICE || level->unit_bandwidth_bps > 0) {
            m->level_share[l] = wl_map_level_share(c, l, wl_map_workers(c, wl_device_units(d)));
        }
    }
}

/* Mean distance of two places on a line of `tiles`, drawn independently: close to a third of it. */
static double mean_hops(double tiles)
{
    return tiles > 1 ? (tiles * tiles - 1) / (3 * tiles) : 0;
}

/* Memory on the mesh: the level before main memory; bytes that leave it, times their hops. */
static int32_t mesh_level(const struct wl_device *d)
{
    return d->level_count > 1 ? d->level_count - 2 : 0;
}

static double travelled_bytes(const struct wl_device *d, const struct wl_mapping *m)
{
    const struct wl_traffic *t = &m->traffic[mesh_level(d)];
    double hops = mean_hops(d->params.mesh_rows) + mean_hops(d->params.mesh_cols);
    return (t->read_bytes + t->write_bytes) * hops;
}

/* Links of the mesh, both directions of every edge, bound what its memory delivers. */
static void bound_by_links(const struct wl_device *d, struct wl_mapping *m)
{
    const struct wl_class_params *p = &d->params;
    int32_t mesh = mesh_level(d);
    double links = 2.0 * (p->mesh_rows * (p->mesh_cols - 1) + p->mesh_cols * (p->mesh_rows - 1));
    double rate = links * p->noc_bytes_per_cycle * d->clock_hz;
    double bytes = m->traffic[mesh].read_bytes + m->traffic[mesh].write_bytes;
    if (!(rate > 0) || mesh >= d->level_count - 1 || !(bytes > 0)) {
        return;
    }
    double at_links = travelled_bytes(d, m) / rate;
    double at_level = bytes / wl_map_level_rate(&d->levels[mesh]);
    if (at_links > at_level) {
        double share = wl_min_d(m->level_share[mesh], at_level / at_links);
        m->level_share[mesh] = wl_max_d(1e-6, share);
    }
}

/* Adds cycles and traffic of a product laid out so. What is read again depends on the tiles at work
   alone. */
static void account(struct kpu_task *t, const struct kpu_block *b, struct wl_mapping *m)
{
    const struct wl_block_shape *sh = &t->shape;
    double macs = sh->g * sh->m * sh->n * sh->k;
    double again = b->injected_elems * sh->elem_bytes - sh->left_bytes - sh->right_bytes;
    if (b->tiles < t->blocking_tiles || b->tiles > t->blocking_tiles) {
        t->blocking = wl_map_blocking(t->j->c, sh, b->tiles / t->arrays, t->j->compulsory);
        t->blocking_tiles = b->tiles;
    }
    wl_map_use_pipe(m, t->choice.pipe, b->cycles / t->efficiency * sh->times, 2 * macs * sh->times);
    m->traffic[0].read_bytes += wl_max_d(0, again * sh->times);
    wl_map_add_blocking(m, &t->blocking);
}

/* Seconds of the subgraph with the product laid out so. */
static double seconds_with(struct kpu_task *t, const struct kpu_block *b)
{
    struct wl_mapping trial = *t->j->m;
    account(t, b, &trial);
    set_shares(t->j->c, &trial);
    bound_by_links(t->j->c->device, &trial);
    return wl_map_seconds(t->j->c->device, &trial);
}

/* Of blocks of one orientation, m over the rows, with every split of K, the fastest stays. */
static void try_blocks(struct kpu_task *t, int64_t m, int64_t n)
{
    const struct wl_product *p = &t->run->product;
    /* Independent products share the columns when N leaves them empty. */
    int64_t beside = wl_max_i64(1, wl_min_i64(p->g, t->cols / wl_max_i64(1, n)));
    double mb = wl_ceil_div_d(m, t->rows);
    double nb = beside > 1 ? 1 : wl_ceil_div_d(n, t->cols);
    double blocks = wl_ceil_div_d(p->g, beside) * mb * nb;
    double fill = (double)(t->rows + t->cols - 2);
    double useful_rows = (double)m / mb;
    double useful_cols = beside > 1 ? (double)(n * beside) : (double)n / nb;
    struct kpu_block b = {.padding = useful_rows * useful_cols / (double)(t->rows * t->cols),
                          .injected_elems =
                              blocks * (useful_rows * (double)beside + useful_cols) * (double)p->k,
                          .rows = (int32_t)t->rows,
                          .cols = (int32_t)t->cols};
    for (b.split = 1; b.split <= SPLIT_MAX; b.split *= 2) {
        if (b.split > 1 && (blocks * b.split > t->tiles || (double)p->k / b.split < fill)) {
            break;
        }
        double meet = b.split > 1 ? (double)t->rows * log2(b.split) : 0;
        b.blocks = blocks * b.split;
        b.tiles = wl_min_d(t->tiles, b.blocks);
        b.cycles_per_block = ceil((double)p->k / b.split / t->per_pe) + fill + meet;
        b.cycles = ceil(b.blocks / t->tiles) * b.cycles_per_block;
        t->least_cycles = wl_min_d(t->least_cycles, b.cycles);
        if (b.cycles / t->efficiency * t->run->times / t->clock_hz > t->best_s) {
            continue; /* its compute alone takes longer */
        }
        double seconds = seconds_with(t, &b);
        bool equal = seconds <= t->best_s && b.cycles < t->best.cycles;
        if (seconds < t->best_s || equal) {
            t->best_s = seconds;
            t->best = b;
        }
    }
}

static void product_events(struct kpu_job *j, const struct wl_product *p, const struct kpu_block *b,
                           enum wl_precision prec, double times)
{
    double macs = (double)p->g * (double)p->m * (double)p->n * (double)p->k * times;
    double elem = wl_precision_bits(prec) / 8.0;
    double results = (double)p->g * (double)p->m * (double)p->n * times;
    wl_sink_add(j->sink, WL_EV_MATRIX_MAC, prec, macs);
    wl_sink_add(j->sink, WL_EV_PE_STREAM, WL_PREC_COUNT, 2 * macs * elem);
    wl_sink_add(j->sink, WL_EV_ACCUMULATOR_WRITE, WL_PREC_COUNT,
                results * b->split * ACCUMULATOR_BYTES);
    wl_sink_add(j->sink, WL_EV_ACCUMULATOR_READ, WL_PREC_COUNT,
                results * b->split * ACCUMULATOR_BYTES);
    j->injected_bytes += b->injected_elems * elem * times;
    j->extracted_bytes += results * b->split * elem;
    j->tokens += b->injected_elems * times + results * b->split;
    wl_sink_add(j->sink, WL_EV_INSTRUCTION_DECODE, WL_PREC_COUNT, b->blocks * times);
}

static void map_product(struct kpu_job *j, const struct wl_run *run)
{
    const struct wl_product *p = &run->product;
    const struct wl_map_ctx *c = j->c;
    enum wl_precision want = p->integer ? WL_PREC_INT8 : j->m->precision;
    struct wl_pipe_choice choice =
        c->matrix[want].pipe != WL_NONE ? c->matrix[want] : c->any_matrix[want];
    choice = choice.pipe != WL_NONE ? choice : c->vector[want];
    double macs = (double)p->g * (double)p->m * (double)p->n * (double)p->k;
    if (choice.pipe == WL_NONE || !(macs > 0)) {
        return;
    }
    const struct wl_pipe *pipe = &c->device->pipes[choice.pipe];
    struct kpu_task task = {.j = j,
                            .run = run,
                            .choice = choice,
                            .rows = pipe->rows > 0 ? pipe->rows : 16,
                            .cols = pipe->cols > 0 ? pipe->cols : 16,
                            .arrays = pipe->arrays > 0 ? pipe->arrays : 1,
                            .shape = {.g = (double)p->g,
                                      .m = (double)p->m,
                                      .n = (double)p->n,
                                      .k = (double)p->k,
                                      .left = p->left,
                                      .right = p->right,
                                      .left_bytes = wl_map_tensor_bytes(c, j->s, p->left),
                                      .right_bytes = wl_map_tensor_bytes(c, j->s, p->right),
                                      .elem_bytes = wl_precision_bits(choice.precision) / 8.0,
                                      .times = run->times,
                                      .steps = run->steps},
                            .efficiency = wl_map_gemm_efficiency(c, choice.precision, p->window),
                            .clock_hz = pipe->clock_hz,
                            .best_s = HUGE_VAL,
                            .least_cycles = HUGE_VAL};
    double pes = (double)(task.rows * task.cols);
    task.per_pe = pipe->ops_per_cycle[choice.precision] / 2 / pes;
    task.tiles = tiles_at_work(c, choice) * task.arrays;
    try_blocks(&task, p->m, p->n);
    try_blocks(&task, p->n, p->m);
    const struct kpu_block b = task.best;
    double times = run->times;
    j->least_s += task.least_cycles / task.efficiency * times / pipe->clock_hz;
    j->useful += macs * times;
    j->offered += b.cycles * task.tiles * pes * task.per_pe * times;
    j->tiles = wl_max_d(j->tiles, b.tiles / task.arrays);
    j->m->eff_padding = wl_min_d(1, b.padding);
    struct wl_tiling t = {.algorithm = "wavefront",
                          .g = p->g,
                          .m = p->m,
                          .n = p->n,
                          .k = p->k,
                          .tile_m = b.rows,
                          .tile_n = b.cols,
                          .split_k = (int32_t)b.split,
                          .tiles = b.blocks * times,
                          .waves = b.blocks / task.tiles,
                          .cycles_per_tile = b.cycles_per_block,
                          .efficiency = task.efficiency};
    wl_map_note_product(j->m, &t);
    account(&task, &b, j->m);
    product_events(j, p, &b, choice.precision, times);
}

static void map_stream(struct kpu_job *j)
{
    const struct wl_map_ctx *c = j->c;
    struct wl_stream_ops o = wl_map_stream_ops(j->s);
    struct wl_pipe_choice v = c->vector[j->m->precision];
    bool on_array = v.pipe == WL_NONE;
    v = on_array ? c->any_matrix[j->m->precision] : v;
    if (v.pipe == WL_NONE) {
        return;
    }
    const struct wl_pipe *p = &c->device->pipes[v.pipe];
    double tiles = tiles_at_work(c, v);
    double slots =
        o.plain + o.integer + o.macs + o.divide * DIVIDE_SLOTS + o.special * SPECIAL_SLOTS;
    double rate = p->ops_per_cycle[v.precision] / 2 * tiles * (p->arrays > 0 ? p->arrays : 1);
    wl_map_use_pipe(j->m, v.pipe, slots / rate / c->vector_efficiency, o.total);
    wl_sink_stream(j->sink, &o, v.precision);
    if (j->s->product_count == 0) {
        const struct wl_traffic *t = &j->m->traffic[0];
        double elem = wl_precision_bits(v.precision) / 8.0;
        j->injected_bytes += t->read_bytes;
        j->extracted_bytes += t->write_bytes;
        j->tokens += (t->read_bytes + t->write_bytes) / wl_max_d(0.5, elem);
        j->tiles = wl_max_d(j->tiles, tiles);
        wl_sink_add(j->sink, WL_EV_INSTRUCTION_DECODE, WL_PREC_COUNT,
                    slots / wl_max_d(1, p->ops_per_cycle[v.precision] / 2));
    }
}

/* Movers by position: the last level is main memory, the one before it is on the mesh. */
static void movement_events(struct kpu_job *j)
{
    const struct wl_device *d = j->c->device;
    int32_t last = d->level_count - 1;
    for (int32_t l = 1; l <= last; l++) {
        const struct wl_traffic *t = &j->m->traffic[l];
        double bytes = t->read_bytes + t->write_bytes;
        if (l == last) {
            wl_sink_add(j->sink, WL_EV_DMA_BYTE, WL_PREC_COUNT, bytes);
            wl_sink_add(j->sink, WL_EV_DMA_SETUP, WL_PREC_COUNT, ceil(bytes / DMA_BLOCK_BYTES));
        } else {
            wl_sink_add(j->sink, l == 1 ? WL_EV_STREAMER : WL_EV_BLOCK_MOVER, WL_PREC_COUNT, bytes);
        }
    }
    wl_sink_add(j->sink, WL_EV_NOC_HOP, WL_PREC_COUNT, travelled_bytes(d, j->m));
    wl_sink_add(j->sink, WL_EV_INJECTION, WL_PREC_COUNT, j->injected_bytes);
    wl_sink_add(j->sink, WL_EV_EXTRACTION, WL_PREC_COUNT, j->extracted_bytes);
    wl_sink_add(j->sink, WL_EV_TOKEN_MATCH, WL_PREC_COUNT, j->tokens);
    wl_sink_add(j->sink, WL_EV_TOKEN_ROUTE, WL_PREC_COUNT, j->tokens);
    wl_sink_add(j->sink, WL_EV_TOKEN_DISPATCH, WL_PREC_COUNT, j->tokens);
}

/* The program stays when the subgraph before ran the same pattern at the same kind of work. */
static bool program_changes(const struct kpu_job *j)
{
    if (j->s->id == 0) {
        return true;
    }
    const struct wl_subgraph *before = &j->c->partition->subgraphs[j->s->id - 1];
    return before->kind != j->s->kind || before->pattern == NULL || j->s->pattern == NULL ||
           strcmp(before->pattern, j->s->pattern) != 0;
}

static void map_kpu(const struct wl_map_ctx *c, const struct wl_subgraph *s, struct wl_mapping *m,
                    struct wl_event_sink *sink)
{
    struct kpu_job j = {.c = c, .s = s, .m = m, .sink = sink};
    memcpy(j.compulsory, m->traffic, sizeof(j.compulsory));
    m->dispatches = (double)s->repeat;
    map_stream(&j);
    for (int32_t i = 0; i < s->product_count; i++) {
        struct wl_run run = wl_map_run_of(s, i);
        map_product(&j, &run);
    }
    m->least_compute_s = j.least_s;
    set_shares(c, m);
    bound_by_links(c->device, m);
    movement_events(&j);
    double units = wl_device_units(c->device);
    m->units_used = wl_min_d(units, wl_max_d(1, j.tiles));
    if (j.offered > 0) {
        double rest = j.useful / j.offered / m->eff_padding;
        m->eff_pipeline = wl_min_d(1, rest);
    }
    if (program_changes(&j)) {
        m->serial_s += c->device->params.program_load_s;
        wl_sink_add(sink, WL_EV_PROGRAM_LOAD, WL_PREC_COUNT,
                    (double)c->device->params.program_bytes * m->units_used);
    }
}

/* L1 and L2 are filled by the program of each subgraph; the memory on the mesh keeps data. */
static int32_t kept_level(const struct wl_device *d, bool weights)
{
    (void)weights;
    return d->level_count > 1 ? d->level_count - 2 : 0;
}

static int32_t tiles(const struct wl_map_ctx *c)
{
    return c->units;
}

const struct wl_mapper wl_mapper_kpu = {
    .class = WL_HW_KPU, .name = "kpu", .kept_level = kept_level, .workers = tiles, .map = map_kpu};
