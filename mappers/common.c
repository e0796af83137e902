/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mappers/common.c: what all mappers share. The precision of a subgraph's arithmetic, the pipes
 * that serve it, bytes of operands, the events of memory levels, and the blocking of matrix
 * products.
 *
 * Blocking (wl_map_blocking): a product C = A B with A M x K, B K x N through a memory of S
 * elements. If A, B or C fits, everything is read once (the fitting one stays, the others stream).
 * Else C is computed in tm x tn blocks, streaming panels of A and B: A is read N/tn times, B M/tm
 * times. Caches: tm = tn = sqrt(S), within a constant of the lower bound of Hong and Kung, "I/O
 * complexity: the red-blue pebble game" (1981), 2 M N K / sqrt(S). Scratchpads: the blocks that
 * read the fewest bytes, tm / tn = M bytes(B) / (N bytes(A)); the same for matrices, not for
 * convolutions, whose input is read by many results. Half of a capacity is taken as usable, the
 * other half holds the panels that stream in meanwhile, unless the description divides the memory.
 */
#include <math.h>
#include <string.h>

#include "mappers_priv.h"

void wl_sink_add(struct wl_event_sink *sink, enum wl_event event, enum wl_precision precision,
                 double count)
{
    if (!(count > 0) || sink->closed) {
        return;
    }
    if (sink->last[event] > 0) {
        struct wl_event_count *e = &sink->items[sink->last[event] - 1];
        if (e->precision == (uint16_t)precision) {
            e->count += count;
            return;
        }
    }
    if (sink->count < WL_SINK_MAX) {
        sink->items[sink->count++] = (struct wl_event_count){
            .event = (uint16_t)event, .precision = (uint16_t)precision, .count = count};
        sink->last[event] = (uint8_t)sink->count;
    }
}

void wl_sink_clear(struct wl_event_sink *sink)
{
    for (int32_t i = 0; i < sink->count; i++) {
        sink->last[sink->items[i].event] = 0;
    }
    sink->count = 0;
}

/* There are events for five levels; deeper ones share the last. */
static enum wl_event level_event(int32_t level, bool write)
{
    int32_t l = level < 4 ? level : 4;
    int32_t event = (int32_t)WL_EV_LEVEL_READ_0 + 2 * l + (write ? 1 : 0);
    return (enum wl_event)event;
}

void wl_sink_levels(struct wl_event_sink *sink, const struct wl_device *d,
                    const struct wl_traffic *traffic)
{
    for (int32_t l = 0; l < d->level_count; l++) {
        double read = traffic[l].read_bytes;
        double write = traffic[l].write_bytes;
        if (l + 1 < d->level_count) {
            read += traffic[l + 1].write_bytes + traffic[l + 1].saved_write_bytes;
            write += traffic[l + 1].read_bytes + traffic[l + 1].saved_read_bytes;
        }
        wl_sink_add(sink, level_event(l, false), WL_PREC_COUNT, read);
        wl_sink_add(sink, level_event(l, true), WL_PREC_COUNT, write);
    }
}

/* ---- precisions and pipes ------------------------------------------------------------------- */

/* First floating-point activation of a list, else WL_PREC_COUNT. */
static enum wl_precision float_precision(const struct wl_map_ctx *c, const struct wl_operand *list,
                                         int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        const struct wl_tensor *t = &c->graph->tensors[list[i].tensor];
        if (wl_dtype_is_float(t->dtype) && !wl_tensor_is_constant(t)) {
            return wl_policy_precision(&c->options->policy, t);
        }
    }
    return WL_PREC_COUNT;
}

static enum wl_precision product_precision(const struct wl_map_ctx *c, const struct wl_product *p)
{
    const struct wl_tensor *tensors = c->graph->tensors;
    int32_t sides[2] = {p->left, p->right};
    for (int32_t i = 0; i < 2; i++) {
        if (sides[i] != WL_NONE && !wl_tensor_is_constant(&tensors[sides[i]])) {
            return wl_policy_precision(&c->options->policy, &tensors[sides[i]]);
        }
    }
    return WL_PREC_COUNT;
}

enum wl_precision wl_map_precision(const struct wl_map_ctx *c, const struct wl_subgraph *s)
{
    if (s->quantized) {
        return WL_PREC_INT8;
    }
    if (s->product_count > 0) {
        if (s->products[0].integer) {
            return WL_PREC_INT8;
        }
        enum wl_precision p = product_precision(c, &s->products[0]);
        if (p < WL_PREC_COUNT && wl_precision_is_float(p)) {
            return p;
        }
    }
    enum wl_precision p = float_precision(c, s->inputs, s->input_count);
    p = p < WL_PREC_COUNT ? p : float_precision(c, s->outputs, s->output_count);
    if (p < WL_PREC_COUNT) {
        return p;
    }
    const struct wl_operand *any = s->input_count > 0    ? &s->inputs[0]
                                   : s->output_count > 0 ? &s->outputs[0]
                                                         : NULL;
    p = any != NULL ? wl_policy_precision(&c->options->policy, &c->graph->tensors[any->tensor])
                    : WL_PREC_FP32;
    return p < WL_PREC_COUNT ? p : WL_PREC_FP32;
}

/* The precision that serves `p` on a pipe when it lacks it: wider types of the family, then fp32.
 */
static enum wl_precision serving_precision(const struct wl_pipe *pipe, enum wl_precision p)
{
    static const enum wl_precision floats[] = {WL_PREC_FP4,  WL_PREC_FP8,  WL_PREC_BF16,
                                               WL_PREC_FP16, WL_PREC_TF32, WL_PREC_FP32,
                                               WL_PREC_FP64};
    static const enum wl_precision ints[] = {WL_PREC_INT4, WL_PREC_INT8, WL_PREC_INT16,
                                             WL_PREC_INT32, WL_PREC_INT64};
    if (pipe->ops_per_cycle[p] > 0) {
        return p;
    }
    int bits = wl_precision_bits(p);
    if (!wl_precision_is_float(p)) {
        for (size_t i = 0; i < WL_ARRAY_LEN(ints); i++) {
            if (wl_precision_bits(ints[i]) > bits && pipe->ops_per_cycle[ints[i]] > 0) {
                return ints[i];
            }
        }
        bits = 0;
    }
    for (size_t i = 0; i < WL_ARRAY_LEN(floats); i++) {
        /* tf32 lies in memory as fp32 does. */
        bool wider =
            wl_precision_bits(floats[i]) > bits || (p == WL_PREC_TF32 && floats[i] == WL_PREC_FP32);
        if (wider && pipe->ops_per_cycle[floats[i]] > 0) {
            return floats[i];
        }
    }
    for (size_t i = WL_ARRAY_LEN(floats); i-- > 0;) {
        if (pipe->ops_per_cycle[floats[i]] > 0) {
            return floats[i];
        }
    }
    for (size_t i = WL_ARRAY_LEN(ints); i-- > 0;) {
        if (pipe->ops_per_cycle[ints[i]] > 0) {
            return ints[i];
        }
    }
    return WL_PREC_COUNT;
}

/* Rate of a pipe of one unit of its group, and of all groups that have a pipe of that name. */
static double unit_rate(const struct wl_pipe *p, enum wl_precision prec)
{
    return p->ops_per_cycle[prec] * p->clock_hz * (p->arrays > 0 ? p->arrays : 1);
}

static double group_rate(const struct wl_device *d, const struct wl_pipe *p, enum wl_precision prec)
{
    return unit_rate(p, prec) * d->groups[p->group].count;
}

static struct wl_pipe_choice choose_pipe(const struct wl_device *d, enum wl_pipe_kind kind,
                                         enum wl_precision prec, bool exact)
{
    struct wl_pipe_choice best = {WL_NONE, WL_PREC_COUNT};
    double best_rate = 0;
    for (int32_t i = 0; i < d->pipe_count; i++) {
        const struct wl_pipe *p = &d->pipes[i];
        if (p->kind != kind) {
            continue;
        }
        enum wl_precision q = serving_precision(p, prec);
        if (q == WL_PREC_COUNT || (exact && q != prec)) {
            continue;
        }
        double rate = group_rate(d, p, q);
        bool closer = best.pipe != WL_NONE && best.precision != prec && q == prec;
        bool farther = best.pipe != WL_NONE && best.precision == prec && q != prec;
        if (!farther && (closer || rate > best_rate)) {
            best = (struct wl_pipe_choice){i, q};
            best_rate = rate;
        }
    }
    return best;
}

void wl_map_pipes(struct wl_map_ctx *c)
{
    const struct wl_device *d = c->device;
    int32_t all = wl_device_units(d);
    c->units = c->options->threads > 0 && c->options->threads < all && d->class == WL_HW_CPU
                   ? c->options->threads
                   : all;
    for (int i = 0; i < WL_PREC_COUNT; i++) {
        enum wl_precision p = (enum wl_precision)i;
        c->matrix[i] = choose_pipe(d, WL_PIPE_MATRIX, p, true);
        c->any_matrix[i] = choose_pipe(d, WL_PIPE_MATRIX, p, false);
        c->vector[i] = choose_pipe(d, WL_PIPE_VECTOR, p, false);
        c->special[i] = choose_pipe(d, WL_PIPE_SPECIAL, p, false);
    }
}

enum wl_precision wl_map_stream_precision(const struct wl_map_ctx *c, enum wl_precision p)
{
    static const enum wl_precision floats[] = {WL_PREC_FP16, WL_PREC_FP32};
    if (p == WL_PREC_BF16 && c->device->class == WL_HW_CPU) {
        return WL_PREC_FP32;
    }
    for (size_t i = 0; i < WL_ARRAY_LEN(floats) && !wl_precision_is_float(p); i++) {
        if (c->vector[floats[i]].pipe != WL_NONE && c->vector[floats[i]].precision == floats[i]) {
            return floats[i];
        }
    }
    return p;
}

void wl_map_use_pipe(struct wl_mapping *m, int32_t pipe, double cycles, double executed_ops)
{
    if (pipe == WL_NONE || !(cycles > 0 || executed_ops > 0)) {
        return;
    }
    for (int32_t i = 0; i < m->pipe_count; i++) {
        if (m->pipes[i].pipe == pipe) {
            m->pipes[i].cycles += cycles;
            m->pipes[i].executed_ops += executed_ops;
            return;
        }
    }
    if (m->pipe_count < WL_PIPE_USES_MAX) {
        m->pipes[m->pipe_count++] = (struct wl_pipe_use){pipe, cycles, executed_ops};
    }
}

void wl_map_finish_pipes(struct wl_mapping *m)
{
    m->pipe = WL_NONE;
    double most = 0;
    for (int32_t i = 0; i < m->pipe_count; i++) {
        if (m->pipes[i].executed_ops > most) {
            most = m->pipes[i].executed_ops;
            m->pipe = m->pipes[i].pipe;
            m->executed_ops = m->pipes[i].executed_ops;
        }
    }
}

/* ---- operands ------------------------------------------------------------------------------- */

double wl_operand_bytes(const struct wl_graph *g, const struct wl_precision_policy *policy,
                        const struct wl_operand *o)
{
    return (double)o->elems * wl_policy_bits(policy, &g->tensors[o->tensor]) / 8.0;
}

double wl_result_bytes(const struct wl_partition *p, const struct wl_precision_policy *policy)
{
    double bytes = 0;
    for (int32_t i = 0; i < p->count; i++) {
        const struct wl_subgraph *s = &p->subgraphs[i];
        for (int32_t k = 0; k < s->output_count; k++) {
            if ((p->graph->tensors[s->outputs[k].tensor].flags & WL_TENSOR_IS_OUTPUT) != 0) {
                bytes += wl_operand_bytes(p->graph, policy, &s->outputs[k]);
            }
        }
    }
    return bytes;
}

double wl_map_list_bytes(const struct wl_map_ctx *c, const struct wl_operand *list, int32_t count)
{
    double bytes = 0;
    for (int32_t i = 0; i < count; i++) {
        bytes += wl_operand_bytes(c->graph, &c->options->policy, &list[i]);
    }
    return bytes;
}

static bool list_tensor_bytes(const struct wl_map_ctx *c, const struct wl_operand *list,
                              int32_t count, int32_t tensor, double *bytes)
{
    for (int32_t i = 0; i < count; i++) {
        if (list[i].tensor == tensor) {
            *bytes = wl_operand_bytes(c->graph, &c->options->policy, &list[i]);
            return true;
        }
    }
    return false;
}

double wl_map_tensor_bytes(const struct wl_map_ctx *c, const struct wl_subgraph *s, int32_t tensor)
{
    double bytes = 0;
    if (tensor == WL_NONE || list_tensor_bytes(c, s->inputs, s->input_count, tensor, &bytes) ||
        list_tensor_bytes(c, s->weights, s->weight_count, tensor, &bytes)) {
        return bytes;
    }
    return 0;
}

struct wl_run wl_map_run_of(const struct wl_subgraph *s, int32_t i)
{
    struct wl_run r = {.product = s->products[i], .times = (double)s->repeat, .steps = 1};
    if (s->steps > 1 && i > 0 && r.product.g % s->steps == 0) {
        r.product.g /= s->steps;
        r.steps = (double)s->steps;
        r.times *= r.steps;
    }
    return r;
}

double wl_map_loose_macs(const struct wl_subgraph *s)
{
    double in_products = 0;
    for (int32_t i = 0; i < s->product_count; i++) {
        const struct wl_product *p = &s->products[i];
        in_products += (double)p->g * (double)p->m * (double)p->n * (double)p->k;
    }
    double loose = (double)s->macs - in_products * (double)s->repeat;
    return loose > 0.5 ? loose : 0;
}

/* A memory as a blocked product sees it, in elements. */
struct block_room {
    double elems;        /* for what stays: a block of results, or the left operand */
    double weight_elems; /* for the right operand, should it stay */
    double aspect;       /* rows over columns of a block */
};

/* Times that the operands of M x N x K are read through a memory. */
static void reload(const struct block_room *room, double m, double n, double k, double *left,
                   double *right)
{
    double elems = room->elems;
    *left = 1;
    *right = 1;
    if (m * k <= elems || k * n <= room->weight_elems || m * n <= elems || !(elems > 0)) {
        return;
    }
    double tm = wl_min_d(wl_min_d(m, elems), wl_max_d(1, sqrt(elems * room->aspect)));
    double tn = wl_min_d(n, elems / tm);
    tm = wl_min_d(m, elems / tn);
    *left = wl_max_d(1, n / tn);
    *right = wl_max_d(1, m / tm);
}

void wl_map_note_product(struct wl_mapping *m, const struct wl_tiling *t)
{
    double old =
        (double)m->tiling.g * (double)m->tiling.m * (double)m->tiling.n * (double)m->tiling.k;
    double now = (double)t->g * (double)t->m * (double)t->n * (double)t->k;
    if (m->tiling.algorithm == NULL || now > old) {
        m->tiling = *t;
    }
}

/* ---- levels and blocking -------------------------------------------------------------------- */

double wl_map_instances_used(const struct wl_map_ctx *c, const struct wl_level *l, double units)
{
    double instances = wl_map_instances(l);
    if (l->scope == WL_SCOPE_CLUSTER && !c->spread) {
        /* Units spread over the clusters; those left idle leave whole clusters idle. */
        instances = wl_max_d(1, floor(wl_min_d(instances, c->units) / c->one_in));
    }
    return l->scope == WL_SCOPE_DEVICE ? 1 : wl_min_d(instances, units);
}

double wl_map_level_share(const struct wl_map_ctx *c, int32_t level, double units)
{
    const struct wl_level *l = &c->device->levels[level];
    double share = units / wl_device_units(c->device);
    if (l->unit_bandwidth_bps > 0) {
        /* What one unit draws is a sustained figure already. */
        share = units * l->unit_bandwidth_bps / wl_map_level_rate(l);
    }
    if (l->scope != WL_SCOPE_DEVICE) {
        share = wl_min_d(share, wl_map_instances_used(c, l, units) / wl_map_instances(l));
    }
    return wl_min_d(1, wl_max_d(share, 1e-6));
}

double wl_map_saved_share(const struct wl_level *l, const struct wl_graph *g, int32_t tensor)
{
    if (!(l->activation_compression > 1) || tensor == WL_NONE) {
        return 0;
    }
    const struct wl_tensor *t = &g->tensors[tensor];
    bool between = t->kind == WL_TENSOR_ACTIVATION && (t->flags & WL_TENSOR_IS_OUTPUT) == 0;
    return between ? 1 - 1 / l->activation_compression : 0;
}

/*
 * Half of a memory holds what stays, the other half what streams in, unless it is divided
 * otherwise. Where software fills it, blocks have the shape that moves the fewest bytes.
 */
static struct block_room room_of(const struct wl_level *inner, const struct wl_block_shape *sh,
                                 double capacity, double left_bytes)
{
    double weights = (double)inner->weight_bytes;
    struct block_room room = {.elems = (capacity - weights) / sh->elem_bytes,
                              .weight_elems = weights / sh->elem_bytes,
                              .aspect = 1};
    if (!(weights > 0)) {
        room.elems = room.weight_elems = capacity / 2 / sh->elem_bytes;
    }
    if (inner->managed && left_bytes > 0 && sh->right_bytes > 0) {
        room.aspect = sh->right_bytes * sh->m / (left_bytes * sh->n);
    }
    return room;
}

struct wl_blocking wl_map_blocking(const struct wl_map_ctx *c, const struct wl_block_shape *sh,
                                   double units, const struct wl_traffic *compulsory)
{
    struct wl_blocking out = {.levels = c->device->level_count};
    for (int32_t l = 1; l < out.levels; l++) {
        const struct wl_level *inner = &c->device->levels[l - 1];
        const struct wl_traffic *first = &compulsory[l];
        struct wl_reread *again = &out.again[l];
        double missing =
            compulsory[0].read_bytes > 0
                ? (first->read_bytes + first->saved_read_bytes) / compulsory[0].read_bytes
                : 0;
        if (!(missing > 0) && sh->steps <= 1) {
            continue;
        }
        double left_saved = wl_map_saved_share(&c->device->levels[l], c->graph, sh->left);
        double right_saved = wl_map_saved_share(&c->device->levels[l], c->graph, sh->right);
        double splits = wl_max_d(1, wl_map_instances_used(c, inner, units) / sh->g);
        double max_um = wl_min_d(splits, sh->m);
        double max_un = wl_min_d(splits, sh->n);
        double un = splits;
        if (splits > 1 && sh->left_bytes > 0) {
            un = sqrt(splits * sh->right_bytes / sh->left_bytes);
        }
        un = wl_min_d(wl_max_d(un, wl_max_d(1, splits / max_um)), max_un);
        double um = wl_min_d(wl_max_d(1, splits / un), max_um);
        double left = 1;
        double right = 1;
        bool many = inner->scope == WL_SCOPE_DEVICE && inner->instances > 1;
        double capacity = (double)inner->capacity_bytes * (many ? inner->instances : 1);
        struct block_room room = room_of(inner, sh, capacity, sh->left_bytes * (1 - left_saved));
        reload(&room, sh->m / um, sh->n / un, sh->k, &left, &right);
        double left_again = sh->left_bytes * wl_max_d(0, un * left - 1);
        double right_again = sh->right_bytes * wl_max_d(0, um * right - 1);
        again->bytes =
            missing * sh->times * (left_again * (1 - left_saved) + right_again * (1 - right_saved));
        again->saved_bytes =
            missing * sh->times * (left_again * left_saved + right_again * right_saved);
        /* Every step after the first finds the operands where they fit. */
        double operands = (sh->left_bytes + sh->right_bytes) / wl_max_d(1, um * un);
        if (sh->steps > 1 && operands > capacity) {
            again->bytes +=
                (sh->left_bytes * un + sh->right_bytes * um) * sh->times * (1 - 1 / sh->steps);
        }
        again->times = missing > 0 ? wl_max_d(un * left, um * right) : 0;
    }
    return out;
}

void wl_map_add_blocking(struct wl_mapping *m, const struct wl_blocking *b)
{
    for (int32_t l = 1; l < b->levels; l++) {
        m->traffic[l].read_bytes += b->again[l].bytes;
        m->traffic[l].saved_read_bytes += b->again[l].saved_bytes;
        m->reload[l] = wl_max_d(m->reload[l], b->again[l].times);
    }
}

struct wl_stream_ops wl_map_stream_ops(const struct wl_subgraph *s)
{
    struct wl_stream_ops o = {.plain =
                                  (double)s->ops[WL_WORK_ADDMUL] + (double)s->ops[WL_WORK_COMPARE],
                              .divide = (double)s->ops[WL_WORK_DIVIDE],
                              .special = (double)s->ops[WL_WORK_SPECIAL],
                              .integer = (double)s->ops[WL_WORK_INTEGER],
                              .macs = wl_map_loose_macs(s)};
    o.total = o.plain + o.divide + o.special + o.integer + 2 * o.macs;
    return o;
}

void wl_sink_stream(struct wl_event_sink *sink, const struct wl_stream_ops *o,
                    enum wl_precision precision)
{
    wl_sink_add(sink, WL_EV_VECTOR_MAC, precision, o->macs);
    wl_sink_add(sink, WL_EV_VECTOR_OP, precision, o->plain + o->divide);
    wl_sink_add(sink, WL_EV_SPECIAL_OP, precision, o->special);
    wl_sink_add(sink, WL_EV_INTEGER_OP, WL_PREC_COUNT, o->integer);
}

/* ---- plans that repeat ------------------------------------------------------------------------
 */

static bool same_key(const struct wl_plan_key *a, const struct wl_plan_key *b)
{
    for (int i = 0; i < 6; i++) {
        if (a->window[i] != b->window[i]) {
            return false;
        }
    }
    for (size_t i = 0; i < WL_ARRAY_LEN(a->bytes); i++) {
        if (a->bytes[i] < b->bytes[i] || a->bytes[i] > b->bytes[i]) {
            return false;
        }
    }
    for (size_t i = 0; i < WL_ARRAY_LEN(a->beside); i++) {
        if (a->beside[i] < b->beside[i] || a->beside[i] > b->beside[i]) {
            return false;
        }
    }
    return a->g == b->g && a->m == b->m && a->n == b->n && a->k == b->k &&
           a->precision == b->precision && a->units == b->units;
}

static uint64_t bits_of(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof(bits));
    return bits;
}

static uint64_t mixed(uint64_t hash, uint64_t more)
{
    return (hash ^ more) * 0x9e3779b97f4a7c15u;
}

void *wl_map_plan_slot(const struct wl_map_ctx *c, const struct wl_product *p,
                       const struct wl_plan_key *rest, bool *found)
{
    struct wl_plan_key key = *rest;
    key.g = p->g;
    key.m = p->m;
    key.n = p->n;
    key.k = p->k;
    if (p->window != NULL) {
        const struct wl_window *w = p->window;
        key.window[0] = w->kernel[0] * 4 + w->spatial_rank;
        key.window[1] = w->kernel[1] * 4 + (w->transposed ? 1 : 0) + 2;
        key.window[2] = w->stride[0] * 65536 + w->stride[1];
        key.window[3] = w->groups;
        key.window[4] = w->out[0].value;
        key.window[5] = w->dilation[0] * 65536 + w->dilation[1];
    }
    /* The same product with and without a sum after it alternate in many networks. */
    uint64_t hash = mixed((uint64_t)p->m, bits_of(key.beside[0]));
    hash = mixed(hash ^ (uint64_t)p->n, bits_of(key.beside[1]));
    hash = mixed(hash ^ (uint64_t)p->k, (uint64_t)p->g << 32 ^ (uint64_t)key.units);
    struct wl_plan_slot *slot = &c->cache->slots[(hash >> 40) % WL_PLAN_SLOTS];
    *found = slot->used && same_key(&slot->key, &key);
    slot->key = key;
    slot->used = true;
    return slot->value;
}
