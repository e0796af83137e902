/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mappers/gpu.c: data-parallel SIMT machines. Products by tiles over the SMs (gpu_gemm.c);
 * element-wise work by lanes, special functions on their own pipe, all side by side: warps
 * interleave.
 *
 * Traffic: level 0 is what an SM has of its own (shared memory and L1) and keeps nothing between
 * kernels; tiles read through the L2; the residency pass decides what the L2 serves, and blocking
 * in the L2 what main memory reads again.
 *
 * Bandwidth needs bytes in flight (Little's law): a kernel with few blocks draws what its SMs can,
 * not the whole. Launches are queued ahead of execution: the runtime's launch costs only where the
 * device would wait for it (roofline/); the device's gap between kernels is always paid.
 */
#include <math.h>
#include <string.h>

#include "gpu_priv.h"

/* Issue slots of a division (reciprocal, two Newton steps, fix-up) on the vector pipe, and of a
   special function where no pipe for them is described. */
#define DIVIDE_SLOTS 8.0
#define SPECIAL_SLOTS 6.0
/* Elements that one block of an element-wise kernel handles: 256 threads, 4 each. */
#define STREAM_BLOCK_ELEMS 1024.0
/* Bytes of a memory transaction of a warp. */
#define TRANSACTION_BYTES 128.0
/* Share of warp instructions issued twice where indices are data. */
#define DIVERGENT_SHARE 0.1

/* Softmax and normalisations: between its passes over a row a block has no loads in flight. Median
   of both kinds of kernel on V100 and A100 (tools/evaluate). */
#define REDUCE_SHARE 0.67

struct gpu_job {
    const struct wl_map_ctx *c;
    const struct wl_subgraph *s;
    struct wl_mapping *m;
    struct wl_event_sink *sink;
    struct wl_traffic compulsory[WL_LEVELS_MAX];
    double blocks;       /* of all kernels */
    double instructions; /* of warps */
    double units_work, units_weight;
    double weight_elems;
    struct gpu_level levels[GPU_LEVELS]; /* before any plan; `tiles` of all plans so far */
    double rest[GPU_LEVELS];             /* what the busiest unit draws beside tiles */
};

static double warp_size(const struct wl_device *d)
{
    return d->params.warp_size > 0 ? d->params.warp_size : 32;
}

/* Bytes read from and written to registers by the instructions that multiply. */
static void register_events(struct gpu_job *j, const struct gpu_plan *plan, double times)
{
    const struct wl_pipe *p = &j->c->device->pipes[plan->pipe];
    double n = plan->multiplies * times;
    double lanes = warp_size(j->c->device) * 4;
    double read = 3 * lanes;
    double written = lanes;
    if (plan->matrix) {
        /* Fragments of rows x k and k x cols elements, rows x cols sums of 4 bytes. */
        double rows = p->rows > 0 ? p->rows : 16;
        double cols = p->cols > 0 ? p->cols : 8;
        double per = wl_pipe_macs_per_instruction(j->c->device, p, plan->precision);
        written = rows * cols * 4;
        read = per / (rows * cols) * (rows + cols) * plan->elem_bytes + written;
    }
    wl_sink_add(j->sink, WL_EV_REGISTER_READ, WL_PREC_COUNT, n * read);
    wl_sink_add(j->sink, WL_EV_REGISTER_WRITE, WL_PREC_COUNT, n * written);
}

struct wl_blocking gpu_blocking(const struct wl_map_ctx *c, const struct gpu_beside *b,
                                const struct gpu_shape *sh, double elem_bytes)
{
    struct wl_block_shape block = {.g = (double)sh->g,
                                   .m = (double)sh->m,
                                   .n = (double)sh->n,
                                   .k = (double)sh->k,
                                   .left = b->run->product.left,
                                   .right = b->run->product.right,
                                   .left_bytes = sh->left_bytes,
                                   .right_bytes = sh->right_bytes,
                                   .elem_bytes = elem_bytes,
                                   .times = sh->times,
                                   .steps = sh->steps};
    return wl_map_blocking(c, &block, 1, b->compulsory);
}

static double bytes_of(const struct wl_traffic *t)
{
    return t->read_bytes + t->write_bytes;
}

/* Seconds of the vector pipe so far. */
static double vector_s(const struct gpu_job *j)
{
    const struct wl_device *d = j->c->device;
    double seconds = 0;
    for (int32_t i = 0; i < j->m->pipe_count; i++) {
        const struct wl_pipe *p = &d->pipes[j->m->pipes[i].pipe];
        seconds += p->kind == WL_PIPE_VECTOR ? j->m->pipes[i].cycles / p->clock_hz : 0;
    }
    return seconds;
}

static struct gpu_beside beside_of(const struct gpu_job *j, const struct wl_run *run)
{
    double times = run->times;
    struct gpu_beside b = {.main_share = wl_map_memory_share(j->c, j->s),
                           .vector_s = vector_s(j) / times,
                           .weight_elems = j->weight_elems,
                           .run = run,
                           .compulsory = j->compulsory};
    for (int i = 0; i < GPU_LEVELS; i++) {
        const struct wl_traffic *t = &j->m->traffic[gpu_level_index(j->c->device, i)];
        const struct gpu_level *l = &j->levels[i];
        b.levels[i] = (struct gpu_level){.total = bytes_of(t) / times,
                                         .tiles = l->tiles / times,
                                         .activations = l->activations / times,
                                         .weights = l->weights / times};
    }
    return b;
}

static void add_spread(struct gpu_job *j, const struct gpu_spread *s, double times)
{
    for (int i = 0; i < GPU_LEVELS; i++) {
        j->levels[i].tiles += s->tiles[i] * times;
        j->rest[i] = wl_max_d(j->rest[i], gpu_rest(&j->levels[i], s));
    }
}

static void map_product(struct gpu_job *j, const struct wl_run *run)
{
    const struct wl_map_ctx *c = j->c;
    struct wl_mapping *m = j->m;
    enum wl_precision precision = run->product.integer ? WL_PREC_INT8 : m->precision;
    struct gpu_shape sh = gpu_shape_of(c, j->s, run);
    struct gpu_plan plan;
    const struct gpu_beside beside = beside_of(j, run);
    gpu_plan_product(c, run, precision, &beside, &sh, &plan);
    if (plan.pipe == WL_NONE) {
        return;
    }
    double before_l2 = m->traffic[1].read_bytes;
    double reload_l2 = m->reload[1];
    double times = sh.times;
    wl_map_use_pipe(m, plan.pipe, plan.cycles * times, 2 * sh.macs * times);
    wl_map_note_product(m, &plan.tiling);
    m->eff_padding = plan.eff_padding;
    m->eff_balance = plan.eff_balance;
    m->eff_pipeline = plan.eff_pipeline;
    const struct wl_blocking blocking = gpu_blocking(c, &beside, &sh, plan.elem_bytes);
    wl_map_add_blocking(m, &blocking);
    m->traffic[0].read_bytes +=
        wl_max_d(0, plan.bytes.shared - sh.left_bytes - sh.right_bytes) * times;
    if (c->device->level_count > 2) {
        double operands = sh.left_bytes + sh.right_bytes;
        m->traffic[1].read_bytes = before_l2 + wl_max_d(0, plan.bytes.l2 - operands) * times;
        m->reload[1] = wl_max_d(reload_l2, operands > 0 ? plan.bytes.l2 / operands : 0);
        m->traffic[1].read_bytes += plan.bytes.split / 2 * times;
        m->traffic[1].write_bytes += plan.bytes.split / 2 * times;
    }
    wl_sink_add(j->sink, plan.matrix ? WL_EV_MATRIX_MAC : WL_EV_VECTOR_MAC, plan.precision,
                sh.macs * times);
    register_events(j, &plan, times);
    wl_sink_add(j->sink, WL_EV_BARRIER, WL_PREC_COUNT, plan.barriers * times);
    j->instructions += plan.instructions * times;
    j->blocks += plan.tiles * times;
    j->units_work += plan.units * plan.seconds * times;
    j->units_weight += plan.seconds * times;
    add_spread(j, &plan.spread, times);
    if (sh.transform_ops > 0) {
        const struct wl_pipe *pipe = &c->device->pipes[plan.pipe];
        double rate = pipe->ops_per_cycle[plan.precision] / 2 *
                      c->device->groups[pipe->group].count * c->vector_efficiency;
        double ops = sh.transform_ops * times;
        double bytes = sh.transform_elems * plan.elem_bytes * times;
        wl_map_use_pipe(m, plan.pipe, ops / rate, ops);
        wl_sink_add(j->sink, WL_EV_VECTOR_OP, plan.precision, ops);
        j->instructions += ops / warp_size(c->device);
        int32_t levels = c->device->level_count > 2 ? 2 : 1;
        for (int32_t l = 0; l < levels; l++) {
            m->traffic[l].read_bytes += bytes;
            m->traffic[l].write_bytes += bytes;
        }
        m->workspace_bytes = wl_max_d(m->workspace_bytes, sh.transform_elems * plan.elem_bytes);
    }
}

/* Elements that the subgraph writes or reads, whichever is more: its parallelism. */
static double stream_elems(const struct wl_subgraph *s)
{
    double in = 0;
    double out = 0;
    for (int32_t i = 0; i < s->input_count; i++) {
        in = wl_max_d(in, (double)s->inputs[i].elems);
    }
    for (int32_t i = 0; i < s->output_count; i++) {
        out += (double)s->outputs[i].elems;
    }
    return s->access == WL_ACCESS_WINDOW ? out : wl_max_d(in, out);
}

/* A kernel without a product: a unit draws what its blocks need. */
static void stream_spread(struct gpu_job *j, double units, double all)
{
    double weights = wl_min_d(all, wl_max_d(1, j->weight_elems / STREAM_BLOCK_ELEMS));
    struct gpu_spread spread = {.of_results = 1 / units, .of_weights = 1 / weights};
    for (int i = 0; i < GPU_LEVELS; i++) {
        j->rest[i] = gpu_rest(&j->levels[i], &spread);
    }
}

static void map_stream(struct gpu_job *j)
{
    const struct wl_map_ctx *c = j->c;
    const struct wl_device *d = c->device;
    const struct wl_subgraph *s = j->s;
    struct wl_stream_ops o = wl_map_stream_ops(s);
    enum wl_precision precision = wl_map_stream_precision(c, j->m->precision);
    struct wl_pipe_choice v = c->vector[precision];
    if (v.pipe == WL_NONE) {
        return;
    }
    double elems = stream_elems(s);
    double times = (double)s->repeat;
    double all = d->groups[d->pipes[v.pipe].group].count;
    double blocks = wl_max_d(1, ceil(elems / STREAM_BLOCK_ELEMS));
    /* In fractions of a block: the last one of several has less to do. */
    double units =
        s->product_count > 0 ? all : wl_min_d(all, wl_max_d(1, elems / STREAM_BLOCK_ELEMS));
    const struct wl_pipe *p = &d->pipes[v.pipe];
    double slots = o.plain + o.integer + o.macs + o.divide * DIVIDE_SLOTS;
    struct wl_pipe_choice special = c->special[precision];
    if (special.pipe != WL_NONE) {
        double rate = d->pipes[special.pipe].ops_per_cycle[special.precision] * units;
        wl_map_use_pipe(j->m, special.pipe, o.special / rate / c->vector_efficiency, 0);
        slots += o.special * 2;
    } else {
        slots += o.special * SPECIAL_SLOTS;
    }
    double rate = p->ops_per_cycle[v.precision] / 2 * units * c->vector_efficiency;
    wl_map_use_pipe(j->m, v.pipe, slots / rate, o.total);
    wl_sink_stream(j->sink, &o, v.precision);
    double lanes = warp_size(d);
    double elem = wl_precision_bits(v.precision) / 8.0;
    double moved = 0;
    if (s->product_count == 0) {
        /* Four elements per load or store. */
        const struct wl_traffic *t = &j->m->traffic[0];
        moved = (t->read_bytes + t->write_bytes) / (16 * lanes);
        j->blocks += blocks * times;
        j->units_work += units;
        j->units_weight += 1;
        stream_spread(j, units, all);
        wl_sink_add(j->sink, WL_EV_BARRIER, WL_PREC_COUNT,
                    s->access == WL_ACCESS_REDUCE ? blocks * times * 8 : 0);
    }
    double instructions = slots / lanes;
    wl_sink_add(j->sink, WL_EV_REGISTER_READ, WL_PREC_COUNT,
                instructions * 2 * lanes * elem + moved * lanes * 8);
    wl_sink_add(j->sink, WL_EV_REGISTER_WRITE, WL_PREC_COUNT,
                instructions * lanes * elem + moved * lanes * 8);
    j->instructions += (instructions + moved) * 1.25;
    wl_sink_add(j->sink, WL_EV_INTEGER_OP, WL_PREC_COUNT, (instructions + moved) * 0.25 * lanes);
}

static void control_events(struct gpu_job *j)
{
    bool divergent = j->s->access == WL_ACCESS_GATHER || j->s->kind == WL_OPK_SORT ||
                     j->s->kind == WL_OPK_SCATTER;
    const struct wl_traffic *t = &j->m->traffic[j->c->device->level_count > 2 ? 1 : 0];
    wl_sink_add(j->sink, WL_EV_INSTRUCTION_FETCH, WL_PREC_COUNT, j->instructions);
    wl_sink_add(j->sink, WL_EV_INSTRUCTION_DECODE, WL_PREC_COUNT, j->instructions);
    wl_sink_add(j->sink, WL_EV_INSTRUCTION_DISPATCH, WL_PREC_COUNT, j->instructions);
    wl_sink_add(j->sink, WL_EV_COALESCING, WL_PREC_COUNT,
                (t->read_bytes + t->write_bytes) / TRANSACTION_BYTES);
    wl_sink_add(j->sink, WL_EV_SCHEDULING, WL_PREC_COUNT, j->blocks);
    wl_sink_add(j->sink, WL_EV_DIVERGENCE, WL_PREC_COUNT,
                divergent ? j->instructions * DIVERGENT_SHARE : 0);
}

static void set_shares(struct gpu_job *j)
{
    const struct wl_device *d = j->c->device;
    bool reduces = j->s->access == WL_ACCESS_REDUCE && j->s->product_count == 0;
    for (int i = 0; i < GPU_LEVELS; i++) {
        int32_t l = gpu_level_index(d, i);
        double busiest = j->levels[i].tiles + j->rest[i];
        double share = gpu_level_share(gpu_unit_share(d, l), bytes_of(&j->m->traffic[l]), busiest);
        j->m->level_share[l] = share * (l > 0 && reduces ? REDUCE_SHARE : 1);
    }
}

/* What the residency counts, parted into what tiles of products read and what they do not. */
static void set_levels(struct gpu_job *j)
{
    const struct wl_subgraph *s = j->s;
    const struct wl_graph *g = j->c->graph;
    const double *weights =
        &j->c->residency->weight_reads[(int64_t)s->id * j->c->residency->level_count];
    double operands[2] = {0};
    for (int32_t i = 0; i < s->product_count; i++) {
        struct wl_run run = wl_map_run_of(s, i);
        int32_t sides[2] = {run.product.left, run.product.right};
        for (int k = 0; k < 2; k++) {
            bool constant = sides[k] != WL_NONE && wl_tensor_is_constant(&g->tensors[sides[k]]);
            operands[constant] += wl_map_tensor_bytes(j->c, s, sides[k]) * (double)s->repeat;
        }
    }
    for (int i = 0; i < GPU_LEVELS; i++) {
        int32_t l = gpu_level_index(j->c->device, i);
        double of_tiles = i == GPU_MAIN ? 0 : 1;
        j->levels[i] =
            (struct gpu_level){.activations = wl_max_d(0, bytes_of(&j->compulsory[l]) - weights[l] -
                                                              operands[0] * of_tiles),
                               .weights = wl_max_d(0, weights[l] - operands[1] * of_tiles)};
    }
    for (int32_t i = 0; i < s->weight_count; i++) {
        j->weight_elems += (double)s->weights[i].elems;
    }
}

static void map_gpu(const struct wl_map_ctx *c, const struct wl_subgraph *s, struct wl_mapping *m,
                    struct wl_event_sink *sink)
{
    struct gpu_job j = {.c = c, .s = s, .m = m, .sink = sink};
    memcpy(j.compulsory, m->traffic, sizeof(j.compulsory));
    m->async_dispatch = true;
    m->dispatches = (double)s->repeat;
    set_levels(&j);
    map_stream(&j);
    for (int32_t i = 0; i < s->product_count; i++) {
        struct wl_run run = wl_map_run_of(s, i);
        map_product(&j, &run);
    }
    control_events(&j);
    /* The device's gap: once per kernel, and per step of a recurrence. */
    m->barriers = (double)s->repeat * (double)(s->steps > 1 ? s->steps : 1);
    double all = wl_device_units(c->device);
    m->units_used =
        j.units_weight > 0 ? wl_min_d(all, wl_max_d(1, j.units_work / j.units_weight)) : 1;
    set_shares(&j);
}

/* Kernels leave nothing in an SM's own memory: the L2 is the first level that keeps data. */
static int32_t kept_level(const struct wl_device *d, bool weights)
{
    (void)weights;
    return d->level_count > 2 ? 1 : d->level_count - 1;
}

const struct wl_mapper wl_mapper_gpu = {
    .class = WL_HW_GPU, .name = "gpu", .kept_level = kept_level, .map = map_gpu};
