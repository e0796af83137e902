/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mappers/cpu.c: stored-program machines. Decides how matrix products are blocked for registers and
 * caches, how work is divided over cores, and how many instructions and bytes that takes.
 *
 * Products (convolutions by their M x N x K view, see cpu_gemm.c) and element-wise work share the
 * cores one after the other: their cycles add up. Element-wise work runs at one operation per lane
 * and instruction; divisions and special functions take several instructions (constants below).
 *
 * Traffic: the residency pass says which level serves each operand once; blocking adds what is read
 * again, and what every core (or cluster) reads for itself because its private cache needs a copy
 * (split of the product over cores that minimises copies). Registers are filled from level 0.
 *
 * Threads: all that the analysis may use, unless fewer are done sooner (choose.c): one core before
 * the barrier that joins many, some where copies of operands bind. Each further core adds a share
 * of work to all (the runtime's unit_loss: waiting, shared caches and buses). Hybrid parts add up
 * cores by their rates (work is handed out dynamically).
 *
 * Simplifications: write-allocate traffic only where a level's bandwidth was measured by reads;
 * stores and loads share a level's bandwidth; TLB misses and NUMA are part of its efficiency.
 */
#include <math.h>
#include <string.h>

#include "cpu_priv.h"

/* Vector instructions per special function where no rate is described: range reduction and a
   polynomial of degree 5 to 7 in Cephes form, as the vector mathematics libraries of all CPU
   vendors use. */
#define SPECIAL_INSTRUCTIONS 16.0
/* Issue slots of a vector division relative to an addition (Fog's tables: 8 to 16 on 256 bits). */
#define DIVIDE_INSTRUCTIONS 8.0
/* Scalar instructions of an unrolled iteration beside its branch: address updates, comparison. */
#define SCALAR_PER_ITERATION 2.0
/* Vector instructions of an unrolled iteration of a stream. */
#define STREAM_UNROLL 4.0
/* Share of loop branches that a modern predictor misses, beside the exit of each tile. */
#define MISPREDICT_SHARE 0.002

/* Rate of a core of group `g` relative to the pipe's own, on the pipe of that name; 0: none. */
static double core_weight(const struct wl_map_ctx *c, int32_t pipe, enum wl_precision prec,
                          int32_t g)
{
    const struct wl_device *d = c->device;
    const struct wl_pipe *main = &d->pipes[pipe];
    for (int32_t i = 0; i < d->pipe_count; i++) {
        const struct wl_pipe *p = &d->pipes[i];
        if (p->group == g && (i == pipe || strcmp(p->name, main->name) == 0)) {
            return p->ops_per_cycle[prec] * p->clock_hz /
                   (main->ops_per_cycle[prec] * main->clock_hz);
        }
    }
    return 0;
}

double cpu_units_weight(const struct wl_map_ctx *c, int32_t pipe, enum wl_precision prec,
                        int32_t units)
{
    const struct wl_device *d = c->device;
    double weight = 0;
    int32_t left = units;
    for (int32_t g = 0; g < d->group_count && left > 0; g++) {
        int32_t used = left < d->groups[g].count ? left : d->groups[g].count;
        weight += used * core_weight(c, pipe, prec, g);
        left -= used;
    }
    return weight > 0 ? weight : 1;
}

double cpu_slowest_weight(const struct wl_map_ctx *c, int32_t pipe, enum wl_precision prec,
                          int32_t units)
{
    const struct wl_device *d = c->device;
    double slowest = 1;
    int32_t left = units;
    for (int32_t g = 0; g < d->group_count && left > 0; g++) {
        double weight = core_weight(c, pipe, prec, g);
        slowest = weight > 0 ? wl_min_d(slowest, weight) : slowest;
        left -= d->groups[g].count;
    }
    return slowest;
}

/* ---- element-wise work ------------------------------------------------------------------------
 */

struct stream_work {
    struct wl_pipe_choice pipe;
    struct wl_stream_ops ops;
    double slots;  /* lane slots: operations weighted by their instructions */
    double lanes;  /* per instruction */
    double cycles; /* of all units together */
};

static void count_stream(const struct wl_map_ctx *c, const struct wl_subgraph *s,
                         enum wl_precision of_subgraph, struct stream_work *w)
{
    enum wl_precision precision = wl_map_stream_precision(c, of_subgraph);
    *w =
        (struct stream_work){.pipe = c->vector[precision], .ops = wl_map_stream_ops(s), .lanes = 1};
    if (w->pipe.pipe == WL_NONE) {
        return;
    }
    const struct wl_pipe *p = &c->device->pipes[w->pipe.pipe];
    int bits = wl_precision_bits(w->pipe.precision);
    w->lanes = p->simd_bits > bits ? (double)p->simd_bits / bits : 1;
    double rate = p->ops_per_cycle[w->pipe.precision] / 2;
    double special = SPECIAL_INSTRUCTIONS;
    struct wl_pipe_choice functions = c->special[precision];
    if (functions.pipe != WL_NONE) {
        special = rate / c->device->pipes[functions.pipe].ops_per_cycle[functions.precision];
    }
    w->slots = w->ops.plain + w->ops.integer + w->ops.divide * DIVIDE_INSTRUCTIONS +
               w->ops.special * special + w->ops.macs;
    if (s->access == WL_ACCESS_TRANSPOSE) {
        /* Shuffles move about four elements per instruction. */
        double elems = 0;
        for (int32_t i = 0; i < s->output_count; i++) {
            elems += (double)s->outputs[i].elems * (double)s->repeat;
        }
        w->slots += elems * wl_max_d(1, w->lanes / 4);
    }
    w->cycles = w->slots / rate / c->vector_efficiency;
    const struct wl_map_kernel *k = wl_map_kernel_of(c, s);
    w->cycles = wl_max_d(w->cycles, k->element_cycles * (double)s->repeat);
}

static void stream_events(const struct wl_map_ctx *c, const struct stream_work *w,
                          double moved_bytes, struct wl_event_sink *sink)
{
    if (w->pipe.pipe == WL_NONE) {
        return;
    }
    wl_sink_stream(sink, &w->ops, w->pipe.precision);
    double register_bytes = wl_max_d(8, c->device->pipes[w->pipe.pipe].simd_bits / 8.0);
    struct cpu_instructions n = {.arithmetic = w->slots / w->lanes,
                                 .moves = moved_bytes / register_bytes,
                                 .register_bytes = register_bytes,
                                 .reads = 2};
    n.iterations = (n.arithmetic + n.moves) / STREAM_UNROLL;
    cpu_instruction_events(sink, &n);
}

void cpu_instruction_events(struct wl_event_sink *sink, const struct cpu_instructions *n)
{
    double scalar = n->iterations * SCALAR_PER_ITERATION;
    double branches = n->iterations;
    double all = n->arithmetic + n->moves + scalar + branches;
    wl_sink_add(sink, WL_EV_INTEGER_OP, WL_PREC_COUNT, scalar);
    wl_sink_add(sink, WL_EV_REGISTER_READ, WL_PREC_COUNT,
                (n->arithmetic * n->reads + n->moves / 2) * n->register_bytes);
    wl_sink_add(sink, WL_EV_REGISTER_WRITE, WL_PREC_COUNT,
                (n->arithmetic + n->moves / 2) * n->register_bytes);
    wl_sink_add(sink, WL_EV_INSTRUCTION_FETCH, WL_PREC_COUNT, all);
    wl_sink_add(sink, WL_EV_INSTRUCTION_DECODE, WL_PREC_COUNT, all);
    wl_sink_add(sink, WL_EV_INSTRUCTION_DISPATCH, WL_PREC_COUNT, all);
    wl_sink_add(sink, WL_EV_BRANCH, WL_PREC_COUNT, branches);
    wl_sink_add(sink, WL_EV_BRANCH_MISPREDICT, WL_PREC_COUNT, branches * MISPREDICT_SHARE);
}

/* ---- one subgraph -----------------------------------------------------------------------------
 */

struct cpu_job {
    const struct wl_map_ctx *c;
    const struct wl_subgraph *s;
    struct wl_mapping *m;
    struct wl_event_sink *sink;
    struct wl_traffic compulsory[WL_LEVELS_MAX];
    double product_total, product_busy; /* seconds of one core's work; on the busiest core */
    double ideal_s;                     /* the same at the pipe's peak */
    double padded_s;                    /* with padding to tiles, otherwise at the peak */
};

/* What transformed filters are larger than stored ones: from the levels that serve the subgraph. */
static void add_filters(struct cpu_job *j, double bytes)
{
    double inner = j->compulsory[0].read_bytes;
    for (int32_t l = 0; l < j->c->device->level_count && inner > 0; l++) {
        j->m->traffic[l].read_bytes += bytes * wl_min_d(1, j->compulsory[l].read_bytes / inner);
    }
}

/*
 * A convolution on rows of pixels copies what its windows see into a matrix first, or adds up such
 * a matrix afterwards (transposed), element by element.
 */
static void add_patches(struct cpu_job *j, const struct cpu_shape *shape,
                        const struct cpu_plan *plan, double weight)
{
    double each = wl_map_kernel_of(j->c, j->s)->patch_cycles;
    if (!(each > 0) || !wl_map_gathers(shape->window)) {
        return;
    }
    double elems = (double)shape->g * (double)shape->m *
                   (double)(shape->window->transposed ? shape->n : shape->k) * shape->times;
    double cycles = each * elems;
    struct cpu_instructions n = {
        .moves = 2 * elems, .iterations = elems, .register_bytes = shape->elem_bytes};
    wl_map_use_pipe(j->m, plan->pipe, cycles / weight, 0);
    cpu_instruction_events(j->sink, &n);
}

/* `stream_s`: what else the cores do. */
static void map_products(struct cpu_job *j, int32_t units, double stream_s)
{
    const struct wl_subgraph *s = j->s;
    for (int32_t i = 0; i < s->product_count; i++) {
        struct cpu_shape shape;
        struct cpu_plan plan;
        struct wl_run run = wl_map_run_of(s, i);
        const struct wl_traffic *nearest = &j->m->traffic[0];
        struct cpu_beside beside = {.pipes_s = stream_s + j->product_busy,
                                    .bytes = nearest->read_bytes + nearest->write_bytes};
        cpu_plan_product(j->c, s, &run, j->m->precision, units, &beside, &shape, &plan);
        if (plan.pipe == WL_NONE) {
            continue;
        }
        double clock = j->c->device->pipes[plan.pipe].clock_hz;
        double times = shape.times;
        j->product_total += plan.total_cycles / clock * times;
        j->product_busy += plan.busy_cycles / clock * times;
        j->ideal_s += plan.ideal_cycles / clock * times;
        j->padded_s += plan.padded_cycles / clock * times;
        wl_map_use_pipe(j->m, plan.pipe, plan.busy_cycles * times, 2 * shape.macs * times);
        wl_map_note_product(j->m, &plan.tiling);
        add_patches(j, &shape, &plan, cpu_units_weight(j->c, plan.pipe, plan.precision, units));
        j->m->traffic[0].read_bytes +=
            wl_max_d(0, (plan.register_bytes - shape.left_bytes - shape.right_bytes) * times);
        struct wl_block_shape block = {.g = (double)shape.g,
                                       .m = (double)shape.m,
                                       .n = (double)shape.n,
                                       .k = (double)shape.k,
                                       .left = run.product.left,
                                       .right = run.product.right,
                                       .left_bytes = shape.left_bytes,
                                       .right_bytes = shape.right_bytes,
                                       .elem_bytes = shape.elem_bytes,
                                       .times = times,
                                       .steps = shape.steps};
        const struct wl_blocking blocking = wl_map_blocking(j->c, &block, units, j->compulsory);
        wl_map_add_blocking(j->m, &blocking);
        cpu_product_events(j->c, &shape, &plan, j->sink);
        if (shape.transform_ops > 0) {
            add_filters(j, shape.right_bytes * shape.filter_growth * times);
            cpu_winograd_extra(j->c, &shape, &plan, units, j->m, j->sink);
        }
    }
}

static void set_shares(struct cpu_job *j, double units)
{
    for (int32_t l = 0; l < j->c->device->level_count; l++) {
        j->m->level_share[l] = wl_map_level_share(j->c, l, units);
    }
}

static void set_efficiencies(struct cpu_job *j, double weight)
{
    struct wl_mapping *m = j->m;
    if (j->product_total > 0) {
        double work = j->product_total;
        m->eff_padding = wl_min_d(1, j->ideal_s / j->padded_s);
        m->eff_pipeline = wl_min_d(1, j->padded_s / work);
        m->eff_balance = wl_min_d(1, work / (j->product_busy * weight));
    }
}

static bool has_work(const struct wl_subgraph *s, const struct wl_mapping *m)
{
    return s->macs > 0 || s->flops > 0 || m->traffic[0].read_bytes > 0 ||
           m->traffic[0].write_bytes > 0 || s->ops[WL_WORK_INTEGER] > 0;
}

/* Cores that spin while one of them launches: an instruction per cycle each. */
static void spin_events(const struct wl_map_ctx *c, const struct wl_mapping *m,
                        struct wl_event_sink *sink)
{
    const struct wl_runtime *rt = c->options->runtime;
    if (rt == NULL || !rt->spins || !(rt->dispatch_slots[WL_HW_CPU] > 0)) {
        return;
    }
    double cycles = rt->dispatch_slots[WL_HW_CPU] / c->device->groups[0].decode_per_cycle;
    double instructions = m->dispatches * cycles * (c->units - 1);
    struct cpu_instructions n = {.iterations = instructions / (SCALAR_PER_ITERATION + 1)};
    cpu_instruction_events(sink, &n);
}

/* The innermost level beyond the first that holds so many bytes. */
static int32_t level_holding(const struct wl_device *d, double bytes)
{
    int32_t l = 1;
    while (l < d->level_count - 1 &&
           (double)d->levels[l].capacity_bytes * wl_map_instances(&d->levels[l]) < bytes) {
        l++;
    }
    return l < d->level_count ? l : d->level_count - 1;
}

/*
 * A cache reads a line before it writes there. The memory of a result was last used by an earlier
 * one: activations go round within what lives at once, and that level holds the line. Where a
 * level's bandwidth is a sustained share of STREAM's kind, it has that inside.
 */
static void allocate_writes(const struct wl_map_ctx *c, struct wl_mapping *m)
{
    int32_t home = level_holding(c->device, c->live_bytes);
    for (int32_t l = 1; l < c->device->level_count; l++) {
        if (c->device->levels[l].read_bandwidth) {
            m->traffic[l].read_bytes +=
                l <= home ? m->traffic[0].write_bytes : m->traffic[l].write_bytes;
        }
    }
}

static void map_cpu(const struct wl_map_ctx *c, const struct wl_subgraph *s, struct wl_mapping *m,
                    struct wl_event_sink *sink)
{
    struct cpu_job j = {.c = c, .s = s, .m = m, .sink = sink};
    memcpy(j.compulsory, m->traffic, sizeof(j.compulsory));
    m->serial_pipes = true;
    m->dispatches = (double)s->repeat;
    spin_events(c, m, sink);
    if (!has_work(s, m)) {
        return;
    }
    if (s->access == WL_ACCESS_WINDOW && s->product_count == 0) {
        double elem = wl_precision_bits(m->precision) / 8.0;
        double window_reads =
            ((double)s->ops[WL_WORK_ADDMUL] + (double)s->ops[WL_WORK_COMPARE]) * elem;
        m->traffic[0].read_bytes = wl_max_d(m->traffic[0].read_bytes, window_reads);
    }
    allocate_writes(c, m);
    struct stream_work stream;
    count_stream(c, s, m->precision, &stream);
    double stream_clock =
        stream.pipe.pipe != WL_NONE ? c->device->pipes[stream.pipe.pipe].clock_hz : 1;
    int32_t units = wl_map_kernel_of(c, s)->serial ? 1 : wl_map_workers(c, c->units);
    double weight = stream.pipe.pipe != WL_NONE && units > 1
                        ? cpu_units_weight(c, stream.pipe.pipe, stream.pipe.precision, units)
                        : units;
    weight /= 1 + c->unit_loss * wl_max_d(0, weight - 1);
    double stream_s = stream.cycles / stream_clock;
    double regions = (double)s->repeat * (double)(s->steps > 1 ? s->steps : 1);
    double moved = m->traffic[0].read_bytes + m->traffic[0].write_bytes;
    map_products(&j, units, stream_s / weight);
    wl_map_use_pipe(m, stream.pipe.pipe, stream.cycles / weight, stream.ops.total);
    stream_events(c, &stream, s->product_count > 0 ? 0 : moved, sink);
    m->barriers = units > 1 ? regions : 0;
    wl_sink_add(sink, WL_EV_BARRIER, WL_PREC_COUNT, m->barriers * units);
    double busy_s = j.product_busy + stream_s / weight;
    double share = busy_s > 0 ? (j.product_total + stream_s) / (busy_s * weight) : 1;
    m->units_used = units == 1 ? 1 : wl_max_d(1, wl_min_d(1, share) * units);
    set_shares(&j, units);
    set_efficiencies(&j, weight);
}

/* Seconds of the kernels around a subgraph, one execution, on so many cores. */
static double around_s(const struct wl_map_ctx *c, const struct wl_map_kernel *k, int32_t units)
{
    int32_t l = level_holding(c->device, k->around_bytes);
    double rate = wl_map_level_rate(&c->device->levels[l]) * wl_map_level_share(c, l, units);
    double barriers = units > 1 ? k->around * c->device->params.barrier_s : 0;
    double bytes = k->around_bytes * (c->device->levels[l].read_bandwidth ? 1.5 : 1);
    return wl_max_d(k->around_cycles / c->device->clock_hz / units, bytes / rate) + barriers;
}

void cpu_around(const struct wl_map_ctx *c, const struct wl_subgraph *s, struct wl_mapping *m,
                struct wl_event_sink *sink)
{
    const struct wl_map_kernel *k = wl_map_kernel_of(c, s);
    if (!(k->around > 0)) {
        return;
    }
    double repeat = (double)s->repeat;
    m->serial_s += repeat * wl_min_d(around_s(c, k, 1), around_s(c, k, c->units));
    m->dispatches += repeat * k->around;
    struct cpu_instructions n = {.moves = repeat * k->around_cycles,
                                 .iterations = repeat * k->around_cycles / 4,
                                 .register_bytes = 16};
    cpu_instruction_events(sink, &n);
    struct wl_traffic traffic[WL_LEVELS_MAX] = {{0}};
    for (int32_t l = 0; l <= level_holding(c->device, k->around_bytes); l++) {
        traffic[l].read_bytes = traffic[l].write_bytes = repeat * k->around_bytes / 2;
    }
    wl_sink_levels(sink, c->device, traffic);
}

/* Results of one subgraph may still lie in the private second level; level 0 is too small to be
   worth more than what the kernel itself brings there. */
static int32_t kept_level(const struct wl_device *d, bool weights)
{
    (void)weights;
    return d->level_count > 2 ? 1 : 0;
}

static int32_t cores(const struct wl_map_ctx *c)
{
    return c->units;
}

const struct wl_mapper wl_mapper_cpu = {
    .class = WL_HW_CPU, .name = "cpu", .kept_level = kept_level, .workers = cores, .map = map_cpu};
