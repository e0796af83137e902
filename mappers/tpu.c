/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mappers/tpu.c: systolic machines. Products run on the matrix arrays (systolic.c), everything else
 * on the vector unit; both work side by side, as the compiler overlaps them and fused activations
 * leave through the vector unit. Where the part describes no vector unit, results pass an
 * activation unit as wide as the array (as in TPU v1).
 *
 * Depthwise and grouped convolutions: with double-buffered weights the compiler may pack groups as
 * diagonal blocks of one fold (floor(R/K) x floor(C/N), the smaller) or use the vector unit,
 * whichever is faster; single-buffered every group is a product of its own, as SCALE-Sim has it.
 *
 * Traffic: level 0 is the array's operand memory (VMEM, unified buffer). Activations may stay there
 * between subgraphs; weights come from farther out (CMEM or main memory) at every inference and
 * pass through. The array's edge reads each operand once per pass of folds.
 *
 * Winograd and other fast algorithms are not used: additions would starve the arrays.
 */
#include <string.h>

#include "mappers_priv.h"

/* Lane slots of a division and a special function on a vector unit without a unit for them. */
#define DIVIDE_SLOTS 4.0
#define SPECIAL_SLOTS 8.0
/* Bytes that one DMA descriptor moves (a weight tile of TPU v1). */
#define DMA_BLOCK_BYTES 65536.0
/* Bytes of an accumulator: fp32 or int32. */
#define ACCUMULATOR_BYTES 4.0

struct tpu_job {
    const struct wl_map_ctx *c;
    const struct wl_subgraph *s;
    struct wl_mapping *m;
    struct wl_event_sink *sink;
    struct wl_traffic compulsory[WL_LEVELS_MAX];
    double arrays;
    double useful_cells, offered_cells; /* cell-cycles of products */
    double loose_macs;                  /* of products that the vector unit takes */
    double array_s, vector_s;           /* that the arrays and the vector unit are busy so far */
};

static int32_t total_arrays(const struct wl_map_ctx *c, const struct wl_pipe *p)
{
    int32_t per_unit = p->arrays > 0 ? p->arrays : 1;
    return per_unit * c->device->groups[p->group].count;
}

static struct wl_pipe_choice product_pipe(const struct wl_map_ctx *c, enum wl_precision prec)
{
    if (c->matrix[prec].pipe != WL_NONE) {
        return c->matrix[prec];
    }
    return c->any_matrix[prec];
}

static double vector_rate(const struct wl_map_ctx *c, enum wl_precision prec)
{
    struct wl_pipe_choice v = c->vector[prec];
    if (v.pipe == WL_NONE) {
        return 0;
    }
    const struct wl_pipe *p = &c->device->pipes[v.pipe];
    return p->ops_per_cycle[v.precision] / 2 * (p->arrays > 0 ? p->arrays : 1) *
           c->device->groups[p->group].count * p->clock_hz;
}

static struct wl_systolic array_of(const struct wl_map_ctx *c, const struct wl_pipe *p)
{
    struct wl_systolic a = {.rows = p->rows > 0 ? p->rows : 128,
                            .cols = p->cols > 0 ? p->cols : 128,
                            .arrays = wl_map_workers(c, total_arrays(c, p)),
                            .double_buffered = c->device->params.double_buffered_weights,
                            .dataflow = c->options->dataflow};
    return a;
}

static const char *dataflow_name(enum wl_dataflow d)
{
    switch (d) {
    case WL_DATAFLOW_OS:
        return "output-stationary";
    case WL_DATAFLOW_IS:
        return "input-stationary";
    case WL_DATAFLOW_RS:
        return "row-stationary";
    case WL_DATAFLOW_DEFAULT:
    case WL_DATAFLOW_WS:
        break;
    }
    return "weight-stationary";
}

static void product_events(struct tpu_job *j, const struct wl_systolic_plan *plan,
                           const struct wl_product *p, enum wl_precision prec, double rows,
                           double times)
{
    double macs = (double)p->g * (double)p->m * (double)p->n * (double)p->k * times;
    double elem = wl_precision_bits(prec) / 8.0;
    double results = (double)p->g * (double)p->m * (double)p->n * times;
    bool outputs_stay = j->c->options->dataflow == WL_DATAFLOW_OS;
    bool inputs_stay = j->c->options->dataflow == WL_DATAFLOW_IS;
    double stationary = inputs_stay ? (double)p->g * (double)p->m * (double)p->k
                                    : (double)p->g * (double)p->k * (double)p->n;
    double loaded = stationary * plan->splits * elem * times;
    wl_sink_add(j->sink, WL_EV_MATRIX_MAC, prec, macs);
    if (outputs_stay) {
        /* Both operands travel from cell to cell; results shift out once. */
        wl_sink_add(j->sink, WL_EV_OPERAND_FORWARD, WL_PREC_COUNT, 2 * macs * elem);
        wl_sink_add(j->sink, WL_EV_ACCUMULATOR_WRITE, WL_PREC_COUNT, results * ACCUMULATOR_BYTES);
    } else {
        wl_sink_add(j->sink, WL_EV_OPERAND_FORWARD, WL_PREC_COUNT,
                    macs * (elem + ACCUMULATOR_BYTES));
        wl_sink_add(j->sink, WL_EV_WEIGHT_LOAD, WL_PREC_COUNT, loaded);
        double depth = wl_min_d(rows, (double)p->k);
        wl_sink_add(j->sink, WL_EV_WEIGHT_SHIFT, WL_PREC_COUNT, loaded * (depth - 1) / 2);
        wl_sink_add(j->sink, WL_EV_ACCUMULATOR_WRITE, WL_PREC_COUNT,
                    results * plan->result_passes * ACCUMULATOR_BYTES);
    }
    wl_sink_add(j->sink, WL_EV_ACCUMULATOR_READ, WL_PREC_COUNT,
                results * plan->result_passes * ACCUMULATOR_BYTES);
    wl_sink_add(j->sink, WL_EV_TILE_LOOP, WL_PREC_COUNT, plan->folds * times);
    /* A load and a multiply per fold. */
    wl_sink_add(j->sink, WL_EV_INSTRUCTION_DECODE, WL_PREC_COUNT, 2 * plan->folds * times);
}

/* Groups that one fold holds as diagonal blocks. */
static int64_t packed_groups(const struct wl_systolic *a, const struct wl_product *p)
{
    if (!a->double_buffered || p->g <= 1 || p->window == NULL) {
        return 1;
    }
    int64_t pack = wl_min_i64(a->rows / wl_max_i64(1, p->k), a->cols / wl_max_i64(1, p->n));
    return wl_max_i64(1, wl_min_i64(pack, p->window->groups));
}

static struct wl_systolic_plan plan_product(const struct wl_systolic *a, const struct wl_product *p)
{
    if (a->dataflow == WL_DATAFLOW_RS) {
        return wl_row_stationary_plan(a, p);
    }
    int64_t pack = packed_groups(a, p);
    return wl_systolic_plan(a, wl_ceil_div_i64(p->g, pack), p->m, p->n * pack, p->k * pack);
}

/* Gives a grouped convolution of so many seconds on the arrays to the vector unit, where both are
   done sooner then. */
static bool vector_takes(struct tpu_job *j, const struct wl_product *p, double array_s, double macs)
{
    double rate = vector_rate(j->c, j->m->precision) * j->c->vector_efficiency;
    bool grouped = p->window != NULL && p->window->groups > 1;
    if (!grouped || !j->c->device->params.double_buffered_weights || !(rate > 0)) {
        return false;
    }
    double vector_s = macs / rate;
    if (wl_max_d(j->array_s, j->vector_s + vector_s) >=
        wl_max_d(j->array_s + array_s, j->vector_s)) {
        return false;
    }
    j->vector_s += vector_s;
    j->loose_macs += macs;
    return true;
}

static void map_product(struct tpu_job *j, const struct wl_run *run)
{
    const struct wl_product *p = &run->product;
    const struct wl_map_ctx *c = j->c;
    enum wl_precision want = p->integer ? WL_PREC_INT8 : j->m->precision;
    struct wl_pipe_choice choice = product_pipe(c, want);
    double times = run->times;
    double macs = (double)p->g * (double)p->m * (double)p->n * (double)p->k;
    if (choice.pipe == WL_NONE || !(macs > 0)) {
        j->loose_macs += macs * times;
        return;
    }
    const struct wl_pipe *pipe = &c->device->pipes[choice.pipe];
    struct wl_systolic a = array_of(c, pipe);
    struct wl_systolic_plan plan = plan_product(&a, p);
    double efficiency =
        a.double_buffered ? wl_map_gemm_efficiency(c, choice.precision, p->window) : 1;
    /* Multiplications per cell and cycle: more than one for narrow types on some parts. */
    double per_cell = pipe->ops_per_cycle[choice.precision] / 2 / (double)(a.rows * a.cols);
    double cycles = plan.cycles / (per_cell > 0 ? per_cell : 1) / efficiency;
    double array_s = cycles * times / pipe->clock_hz;
    if (vector_takes(j, p, array_s, macs * times)) {
        return;
    }
    j->array_s += array_s;
    double elem = wl_precision_bits(choice.precision) / 8.0;
    double left = wl_map_tensor_bytes(c, j->s, p->left);
    double right = wl_map_tensor_bytes(c, j->s, p->right);
    double cells = (double)(a.rows * a.cols * a.arrays);
    wl_map_use_pipe(j->m, choice.pipe, cycles * times, 2 * macs * times);
    j->useful_cells += macs * times;
    j->offered_cells += plan.cycles * cells * times;
    j->arrays = wl_max_d(j->arrays, wl_min_d((double)a.arrays, plan.folds));
    struct wl_tiling t = {.algorithm = dataflow_name(c->options->dataflow),
                          .g = p->g,
                          .m = p->m,
                          .n = p->n,
                          .k = p->k,
                          .tile_m = (int32_t)a.rows,
                          .tile_n = (int32_t)a.cols,
                          .split_k = 1,
                          .tiles = plan.folds * times,
                          .waves = plan.folds / (double)a.arrays,
                          .cycles_per_tile = plan.cycles_of_fold,
                          .efficiency = efficiency};
    wl_map_note_product(j->m, &t);
    double streams = (double)p->g * (double)p->m * (double)p->k * elem * plan.left_streams +
                     (double)p->g * (double)p->k * (double)p->n * elem * plan.right_streams;
    j->m->traffic[0].read_bytes += wl_max_d(0, (streams - left - right) * times);
    struct wl_block_shape block = {.g = (double)p->g,
                                   .m = (double)p->m,
                                   .n = (double)p->n,
                                   .k = (double)p->k,
                                   .left = p->left,
                                   .right = p->right,
                                   .left_bytes = left,
                                   .right_bytes = right,
                                   .elem_bytes = elem,
                                   .times = times,
                                   .steps = run->steps};
    const struct wl_blocking blocking = wl_map_blocking(c, &block, 1, j->compulsory);
    wl_map_add_blocking(j->m, &blocking);
    product_events(j, &plan, p, choice.precision, (double)a.rows, times);
}

/* Lane slots of the vector unit; special functions have a unit of their own, or eight slots. */
static double vector_slots(const struct tpu_job *j, const struct wl_stream_ops *o)
{
    bool special = j->c->special[j->m->precision].pipe == WL_NONE;
    return o->plain + o->integer + o->macs + o->divide * DIVIDE_SLOTS +
           (special ? o->special * SPECIAL_SLOTS : 0);
}

static void map_stream(struct tpu_job *j, struct wl_stream_ops o)
{
    const struct wl_map_ctx *c = j->c;
    o.macs += j->loose_macs;
    o.total += 2 * j->loose_macs;
    struct wl_pipe_choice v = c->vector[j->m->precision];
    enum wl_precision prec = v.pipe != WL_NONE ? v.precision : j->m->precision;
    double slots = vector_slots(j, &o);
    struct wl_pipe_choice special = c->special[j->m->precision];
    if (special.pipe != WL_NONE && o.special > 0) {
        const struct wl_pipe *p = &c->device->pipes[special.pipe];
        double rate = p->ops_per_cycle[special.precision] * (p->arrays > 0 ? p->arrays : 1) *
                      c->device->groups[p->group].count;
        wl_map_use_pipe(j->m, special.pipe, o.special / rate, 0);
    }
    wl_sink_stream(j->sink, &o, prec);
    if (v.pipe != WL_NONE) {
        double clock = c->device->pipes[v.pipe].clock_hz;
        double rate = vector_rate(c, j->m->precision) / clock;
        wl_map_use_pipe(j->m, v.pipe, slots / rate / c->vector_efficiency, o.total);
        double lanes = c->device->pipes[v.pipe].ops_per_cycle[v.precision] / 2;
        wl_sink_add(j->sink, WL_EV_INSTRUCTION_DECODE, WL_PREC_COUNT, slots / wl_max_d(1, lanes));
        return;
    }
    struct wl_pipe_choice matrix = product_pipe(c, j->m->precision);
    if (matrix.pipe != WL_NONE && slots > 0) {
        const struct wl_pipe *p = &c->device->pipes[matrix.pipe];
        double lanes = (p->cols > 0 ? p->cols : 128) * total_arrays(c, p);
        /* Activations leave the array through this unit: their cycles hide behind the array's. */
        bool alone = j->m->pipe_count == 0;
        wl_map_use_pipe(j->m, matrix.pipe, alone ? slots / lanes : 0, alone ? o.total : 0);
        wl_sink_add(j->sink, WL_EV_INSTRUCTION_DECODE, WL_PREC_COUNT, slots / lanes);
    }
}

static void dma_events(struct tpu_job *j)
{
    int32_t last = j->c->device->level_count - 1;
    const struct wl_traffic *t = &j->m->traffic[last];
    double bytes = t->read_bytes + t->write_bytes;
    double operands = j->s->input_count + j->s->weight_count + j->s->output_count;
    if (last > 0 && bytes > 0) {
        wl_sink_add(j->sink, WL_EV_DMA_BYTE, WL_PREC_COUNT, bytes);
        wl_sink_add(j->sink, WL_EV_DMA_SETUP, WL_PREC_COUNT,
                    wl_max_d(operands * (double)j->s->repeat, bytes / DMA_BLOCK_BYTES));
    }
}

static void map_tpu(const struct wl_map_ctx *c, const struct wl_subgraph *s, struct wl_mapping *m,
                    struct wl_event_sink *sink)
{
    struct tpu_job j = {.c = c, .s = s, .m = m, .sink = sink};
    memcpy(j.compulsory, m->traffic, sizeof(j.compulsory));
    m->dispatches = (double)s->repeat;
    const struct wl_stream_ops stream = wl_map_stream_ops(s);
    double rate = vector_rate(c, m->precision) * c->vector_efficiency;
    j.vector_s = rate > 0 ? vector_slots(&j, &stream) / rate : 0;
    for (int32_t i = 0; i < s->product_count; i++) {
        struct wl_run run = wl_map_run_of(s, i);
        map_product(&j, &run);
    }
    map_stream(&j, stream);
    dma_events(&j);
    double units = wl_device_units(c->device);
    m->units_used = units;
    if (j.offered_cells > 0) {
        const struct wl_pipe *p = &c->device->pipes[m->pipes[0].pipe];
        double per_unit = p->arrays > 0 ? p->arrays : 1;
        m->units_used = wl_min_d(units, wl_max_d(1, j.arrays / per_unit));
        m->eff_padding = wl_min_d(1, j.useful_cells / j.offered_cells);
    }
}

/* VMEM and unified buffers are filled anew for every inference, but for activations on the way, and
   for weights where the device's compiler keeps them there. */
static int32_t kept_level(const struct wl_device *d, bool weights)
{
    return weights && !d->params.keeps_weights && d->level_count > 1 ? 1 : 0;
}

static int32_t arrays(const struct wl_map_ctx *c)
{
    int32_t most = 1;
    for (int32_t i = 0; i < c->device->pipe_count; i++) {
        const struct wl_pipe *p = &c->device->pipes[i];
        int32_t all = p->kind == WL_PIPE_MATRIX ? total_arrays(c, p) : 1;
        most = all > most ? all : most;
    }
    return most;
}

const struct wl_mapper wl_mapper_tpu = {
    .class = WL_HW_TPU, .name = "tpu", .kept_level = kept_level, .workers = arrays, .map = map_tpu};
