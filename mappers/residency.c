/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mappers/residency.c: which memory level serves each read. The schedule is walked once to fill the
 * memories (the previous inference) and once more to count; `cold` counts the first walk.
 *
 * For every read the stack distance is computed exactly: the bytes of all distinct tensors touched
 * since the tensor was last read or written, itself included (Mattson et al., "Evaluation
 * techniques for storage hierarchies", 1970), with a Fenwick tree over access times. A level whose
 * capacity is at least the distance serves the read; up to twice the capacity a linearly falling
 * share still hits: replacement in real caches is neither strict LRU nor is a tensor all or
 * nothing. In a scratchpad the compiler pins the weights that fit: C of D bytes are served.
 *
 * Rules:
 * - A tensor read for the last time gives its memory to the next one (memory/ plans that), so its
 *   bytes leave the stack. Weights stay; what the caller feeds comes from main memory.
 * - Weights are needed by every unit: they must fit into one instance of a level. Activations are
 *   divided among the units: all instances together hold them.
 * - A result is written as far out as its most distant reader needs it; graph outputs and results
 *   that nobody reads go to main memory.
 * - A weight of which an execution reads a part (an embedding row) comes from main memory: the next
 *   inference reads other rows.
 * - In a loop body every iteration after the first sees the distance of one iteration.
 *
 * Simplification: the memory between inferences is not disturbed by anything else.
 */
#include <math.h>
#include <string.h>

#include "mappers_priv.h"

/* State of one tensor during the walk. */
struct place {
    double bytes; /* most that one execution touches */
    int64_t elems;
    double missed[WL_LEVELS_MAX]; /* largest share that levels 0..l did not serve, over its reads */
    int32_t time;                 /* of the last access in the tree; WL_NONE: not in the stack */
    int32_t producer;             /* subgraph in this walk, or WL_NONE */
    int32_t reads_left;
    int32_t reads;
    bool output; /* of the graph */
    bool weight;
};

struct walk {
    const struct wl_partition *p;
    const struct wl_device *d;
    const struct wl_map_options *opt;
    struct wl_residency *out;
    struct place *places;
    int32_t *place_of; /* by tensor; WL_NONE: not touched */
    int32_t place_count;
    double *tree; /* Fenwick: bytes by access time, 1-based */
    int32_t tree_size;
    int32_t clock;
    int32_t kept[2];               /* innermost level that keeps activations, weights */
    double shared[WL_LEVELS_MAX];  /* capacity for weights */
    double divided[WL_LEVELS_MAX]; /* capacity for activations */
    bool counting;
};

static void tree_add(struct walk *w, int32_t time, double bytes)
{
    for (int32_t i = time; i <= w->tree_size; i += i & -i) {
        w->tree[i] += bytes;
    }
}

static double tree_sum(const struct walk *w, int32_t time)
{
    double sum = 0;
    for (int32_t i = time; i > 0; i -= i & -i) {
        sum += w->tree[i];
    }
    return sum;
}

static void forget(struct walk *w, struct place *pl)
{
    if (pl->time != WL_NONE) {
        tree_add(w, pl->time, -pl->bytes);
        pl->time = WL_NONE;
    }
}

static void touch(struct walk *w, struct place *pl)
{
    forget(w, pl);
    w->clock++;
    pl->time = w->clock;
    tree_add(w, pl->time, pl->bytes);
}

/* Bytes touched since the last access, the tensor included; infinite when it is nowhere. */
static double distance_of(const struct walk *w, const struct place *pl)
{
    if (pl->time == WL_NONE) {
        return HUGE_VAL;
    }
    return tree_sum(w, w->clock) - tree_sum(w, pl->time - 1);
}

/* `pinned`: software chose once what stays, so that a memory of half the bytes serves half of them;
   never less than a cache of the size. */
static double hit_share(double distance, double capacity, bool pinned)
{
    if (distance <= capacity) {
        return 1;
    }
    if (pinned) {
        return capacity / distance;
    }
    return wl_max_d(0, 2 - distance / capacity);
}

/* missed[l]: share of a read that no level up to l serves; the last level serves the rest. */
static void miss_shares(const struct walk *w, double distance, bool weight, double *missed)
{
    double hit = 0;
    int32_t last = w->d->level_count - 1;
    for (int32_t l = 0; l < last; l++) {
        double capacity = weight ? w->shared[l] : w->divided[l];
        if (l >= w->kept[weight] && capacity > 0 && isfinite(distance)) {
            bool pinned = weight && w->d->levels[l].managed;
            hit = wl_max_d(hit, hit_share(distance, capacity, pinned));
        }
        missed[l] = 1 - hit;
    }
    missed[last] = 0;
}

static void add_read(const struct walk *w, int32_t subgraph, int32_t tensor, double bytes,
                     const double *missed)
{
    int64_t at = (int64_t)subgraph * w->out->level_count;
    struct wl_traffic *t = &w->out->traffic[at];
    double weight = w->places[w->place_of[tensor]].weight ? 1 : 0;
    t[0].read_bytes += bytes;
    w->out->weight_reads[at] += bytes * weight;
    for (int32_t l = 1; l < w->out->level_count; l++) {
        double saved = wl_map_saved_share(&w->d->levels[l], w->p->graph, tensor);
        t[l].read_bytes += bytes * missed[l - 1] * (1 - saved);
        t[l].saved_read_bytes += bytes * missed[l - 1] * saved;
        w->out->weight_reads[at + l] += bytes * missed[l - 1] * weight;
    }
}

static double operand_bytes(const struct walk *w, const struct place *pl,
                            const struct wl_operand *o)
{
    return o->elems == pl->elems ? pl->bytes : wl_operand_bytes(w->p->graph, &w->opt->policy, o);
}

static void read_operand(struct walk *w, const struct wl_subgraph *s, const struct wl_operand *o,
                         double loop_bytes)
{
    struct place *pl = &w->places[w->place_of[o->tensor]];
    const struct wl_tensor *tensor = &w->p->graph->tensors[o->tensor];
    double missed[WL_LEVELS_MAX];
    bool fed = tensor->kind == WL_TENSOR_INPUT && pl->reads_left == pl->reads;
    bool partial = pl->weight && tensor->stored_elems > o->elems;
    double distance = fed || partial ? HUGE_VAL : distance_of(w, pl);
    double bytes = operand_bytes(w, pl, o);
    miss_shares(w, distance, pl->weight, missed);
    if (w->counting) {
        add_read(w, s->id, o->tensor, bytes, missed);
        for (int32_t l = 0; l < w->d->level_count; l++) {
            pl->missed[l] = wl_max_d(pl->missed[l], missed[l]);
        }
        if (s->repeat > 1) {
            double again[WL_LEVELS_MAX];
            miss_shares(w, partial ? HUGE_VAL : loop_bytes, pl->weight, again);
            add_read(w, s->id, o->tensor, bytes * (double)(s->repeat - 1), again);
        }
    }
    pl->reads_left--;
    if (!pl->weight && pl->reads_left <= 0 && !pl->output) {
        forget(w, pl);
    } else {
        touch(w, pl);
    }
}

static void write_operand(struct walk *w, const struct wl_subgraph *s, const struct wl_operand *o)
{
    struct place *pl = &w->places[w->place_of[o->tensor]];
    pl->producer = s->id;
    pl->reads_left = pl->reads;
    memset(pl->missed, 0, sizeof(pl->missed[0]) * (size_t)w->d->level_count);
    touch(w, pl);
}

static void walk_once(struct walk *w, const double *loop_bytes)
{
    for (int32_t i = 0; i < w->p->count; i++) {
        const struct wl_subgraph *s = &w->p->subgraphs[i];
        for (int32_t k = 0; k < s->input_count; k++) {
            read_operand(w, s, &s->inputs[k], loop_bytes[i]);
        }
        for (int32_t k = 0; k < s->weight_count; k++) {
            read_operand(w, s, &s->weights[k], loop_bytes[i]);
        }
        for (int32_t k = 0; k < s->output_count; k++) {
            write_operand(w, s, &s->outputs[k]);
        }
    }
}

/* Between two inferences only weights stay. */
static void end_inference(struct walk *w)
{
    for (int32_t i = 0; i < w->place_count; i++) {
        struct place *pl = &w->places[i];
        if (!pl->weight) {
            forget(w, pl);
        }
        pl->reads_left = pl->reads;
    }
}

/* A result is written at every level up to the one that its most distant reader reads from. */
static void count_writes(struct walk *w)
{
    for (int32_t i = 0; i < w->p->count; i++) {
        const struct wl_subgraph *s = &w->p->subgraphs[i];
        struct wl_traffic *t = &w->out->traffic[(int64_t)i * w->out->level_count];
        for (int32_t k = 0; k < s->output_count; k++) {
            const struct wl_operand *o = &s->outputs[k];
            const struct place *pl = &w->places[w->place_of[o->tensor]];
            double bytes = operand_bytes(w, pl, o) * (double)s->repeat;
            bool far = pl->output || pl->reads == 0 || pl->producer != s->id;
            t[0].write_bytes += bytes;
            for (int32_t l = 1; l < w->out->level_count; l++) {
                double crossing = bytes * (far ? 1 : pl->missed[l - 1]);
                double saved = wl_map_saved_share(&w->d->levels[l], w->p->graph, o->tensor);
                t[l].write_bytes += crossing * (1 - saved);
                t[l].saved_write_bytes += crossing * saved;
            }
        }
    }
}

/* ---- preparation ---------------------------------------------------------------------------- */

static void note_list(struct walk *w, const struct wl_operand *list, int32_t count, bool read,
                      bool weight)
{
    for (int32_t i = 0; i < count; i++) {
        int32_t t = list[i].tensor;
        const struct wl_tensor *tensor = &w->p->graph->tensors[t];
        if (w->place_of[t] == WL_NONE) {
            w->place_of[t] = w->place_count;
            w->places[w->place_count++] =
                (struct place){.time = WL_NONE,
                               .producer = WL_NONE,
                               .output = (tensor->flags & WL_TENSOR_IS_OUTPUT) != 0,
                               .weight = weight || wl_tensor_is_constant(tensor)};
        }
        struct place *pl = &w->places[w->place_of[t]];
        if (list[i].elems > pl->elems) {
            pl->elems = list[i].elems;
            pl->bytes = wl_operand_bytes(w->p->graph, &w->opt->policy, &list[i]);
        }
        pl->reads += read ? 1 : 0;
        pl->reads_left = pl->reads;
    }
}

static int64_t count_operands(const struct wl_partition *p)
{
    int64_t n = 0;
    for (int32_t i = 0; i < p->count; i++) {
        const struct wl_subgraph *s = &p->subgraphs[i];
        n += s->input_count + s->weight_count + s->output_count;
    }
    return n;
}

/* Capacities as the run sees them: private levels count for the units in use. */
static void set_capacities(struct walk *w)
{
    double units = wl_device_units(w->d);
    double used =
        w->opt->threads > 0 && w->d->class == WL_HW_CPU ? wl_min_d(units, w->opt->threads) : units;
    for (int32_t l = 0; l < w->d->level_count; l++) {
        const struct wl_level *level = &w->d->levels[l];
        double instances = level->instances > 0 ? level->instances : 1;
        double in_use = level->scope == WL_SCOPE_UNIT
                            ? wl_min_d(instances, used)
                            : (level->scope == WL_SCOPE_CLUSTER ? wl_min_d(instances, used) : 1);
        if (level->scope == WL_SCOPE_DEVICE) {
            in_use = instances;
        }
        double capacity = (double)level->capacity_bytes;
        w->shared[l] = level->scope == WL_SCOPE_DEVICE ? capacity * instances : capacity;
        w->divided[l] = capacity * in_use;
    }
}

/* Bytes that one iteration of the loop around each subgraph touches; a run of subgraphs with the
   same repeat is one loop. */
static void set_loop_bytes(const struct walk *w, double *loop_bytes)
{
    const struct wl_partition *p = w->p;
    for (int32_t i = 0; i < p->count;) {
        int32_t end = i;
        double bytes = 0;
        while (end < p->count && p->subgraphs[end].repeat == p->subgraphs[i].repeat) {
            const struct wl_subgraph *s = &p->subgraphs[end];
            if (s->repeat > 1) {
                const struct wl_operand *lists[3] = {s->inputs, s->weights, s->outputs};
                int32_t counts[3] = {s->input_count, s->weight_count, s->output_count};
                for (int k = 0; k < 3; k++) {
                    for (int32_t j = 0; j < counts[k]; j++) {
                        bytes += wl_operand_bytes(p->graph, &w->opt->policy, &lists[k][j]);
                    }
                }
            }
            end++;
        }
        for (; i < end; i++) {
            loop_bytes[i] = bytes;
        }
    }
}

static wl_status allocate(struct walk *w, struct wl_arena *arena, struct wl_error *err)
{
    int64_t operands = count_operands(w->p);
    if (operands > INT32_MAX / 4) {
        return wl_fail(err, WL_ERR_LIMIT, "residency", "%lld operands are too many",
                       (long long)operands);
    }
    int32_t tensors = w->p->graph->tensor_count;
    w->tree_size = (int32_t)(2 * operands);
    w->tree = WL_ARRAY(arena, double, w->tree_size + 1);
    w->places = WL_ARRAY(arena, struct place, operands < tensors ? operands : tensors);
    w->place_of = WL_ARRAY(arena, int32_t, tensors);
    WL_TRY_PTR(w->tree, err);
    WL_TRY_PTR(w->places, err);
    WL_TRY_PTR(w->place_of, err);
    memset(w->place_of, 0xff, (size_t)tensors * sizeof(int32_t));
    for (int32_t i = 0; i < w->p->count; i++) {
        const struct wl_subgraph *s = &w->p->subgraphs[i];
        note_list(w, s->inputs, s->input_count, true, false);
        note_list(w, s->weights, s->weight_count, true, true);
        note_list(w, s->outputs, s->output_count, false, false);
    }
    return WL_OK;
}

wl_status wl_residency_run(const struct wl_partition *p, const struct wl_device *d,
                           const struct wl_map_options *opt, struct wl_arena *arena,
                           struct wl_residency *out, struct wl_error *err)
{
    if (d->level_count < 1 || d->level_count > WL_LEVELS_MAX) {
        return wl_fail(err, WL_ERR_INVALID, d->id,
                       "the device has %d memory levels; 1 to %d are "
                       "possible",
                       d->level_count, WL_LEVELS_MAX);
    }
    const struct wl_mapper *mapper = wl_mapper_find(d->class);
    struct walk w = {.p = p,
                     .d = d,
                     .opt = opt,
                     .out = out,
                     .kept = {mapper != NULL ? mapper->kept_level(d, false) : 0,
                              mapper != NULL ? mapper->kept_level(d, true) : 0}};
    out->level_count = d->level_count;
    out->traffic = WL_ARRAY(arena, struct wl_traffic, (int64_t)p->count * d->level_count);
    out->weight_reads = WL_ARRAY(arena, double, (int64_t)p->count * d->level_count);
    WL_TRY_PTR(out->traffic, err);
    WL_TRY_PTR(out->weight_reads, err);
    struct wl_arena_mark mark = wl_arena_mark(arena);
    double *loop_bytes = WL_ARRAY(arena, double, p->count);
    WL_TRY_PTR(loop_bytes, err);
    WL_TRY(allocate(&w, arena, err));
    set_capacities(&w);
    set_loop_bytes(&w, loop_bytes);
    if (!opt->cold) {
        walk_once(&w, loop_bytes);
        end_inference(&w);
    }
    w.counting = true;
    walk_once(&w, loop_bytes);
    count_writes(&w);
    wl_arena_reset(arena, mark);
    return WL_OK;
}
