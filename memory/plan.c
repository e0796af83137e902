/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory/plan.c: the memory of an inference. Weights and the KV cache are resident throughout;
 * activations live as lifetimes.c says; workspace is what the mapped algorithm of a subgraph needs
 * while it runs. peak = the largest sum over the subgraphs, in execution order.
 *
 * A cache that a subgraph reads and writes (past -> present) is one buffer that grows in place, as
 * runtimes with a preallocated cache keep it.
 */
#include "memory_priv.h"

static double tensor_bytes(const struct wl_mappings *m, int32_t tensor, int64_t at_least)
{
    const struct wl_graph *g = m->partition->graph;
    int64_t elems;
    if (!wl_memory_elems(g, tensor, &elems)) {
        elems = at_least;
    }
    struct wl_operand o = {tensor, wl_max_i64(elems, at_least)};
    return wl_operand_bytes(g, &m->options.policy, &o);
}

/* Each weight once, whole, however often and however little of it is read. */
static wl_status sum_weights(const struct wl_mappings *m, struct wl_arena *scratch, double *bytes,
                             struct wl_error *err)
{
    const struct wl_partition *p = m->partition;
    bool *seen = WL_ARRAY(scratch, bool, p->graph->tensor_count);
    WL_TRY_PTR(seen, err);
    *bytes = 0;
    for (int32_t i = 0; i < p->count; i++) {
        const struct wl_subgraph *s = &p->subgraphs[i];
        for (int32_t k = 0; k < s->weight_count; k++) {
            int32_t t = s->weights[k].tensor;
            if (!seen[t]) {
                *bytes += tensor_bytes(m, t, s->weights[k].elems);
            }
            seen[t] = true;
        }
    }
    return WL_OK;
}

/* ---- KV cache -------------------------------------------------------------------------------- */

static bool is_kv(const struct wl_graph *g, int32_t tensor)
{
    return (g->tensors[tensor].flags & WL_TENSOR_IS_KV) != 0;
}

/* The cache that a subgraph appends to when it writes `present`, or WL_NONE. */
static int32_t appended_past(const struct wl_graph *g, const struct wl_subgraph *s,
                             const bool *seen)
{
    for (int32_t k = 0; k < s->input_count; k++) {
        int32_t t = s->inputs[k].tensor;
        if (is_kv(g, t) && !seen[t]) {
            return t;
        }
    }
    return WL_NONE;
}

static wl_status sum_kv(const struct wl_mappings *m, struct wl_arena *scratch, double *bytes,
                        struct wl_error *err)
{
    const struct wl_partition *p = m->partition;
    const struct wl_graph *g = p->graph;
    bool *seen = WL_ARRAY(scratch, bool, g->tensor_count);
    WL_TRY_PTR(seen, err);
    *bytes = 0;
    for (int32_t i = 0; i < p->count; i++) {
        const struct wl_subgraph *s = &p->subgraphs[i];
        for (int32_t k = 0; k < s->output_count; k++) {
            int32_t t = s->outputs[k].tensor;
            if (!is_kv(g, t) || seen[t]) {
                continue;
            }
            double present = tensor_bytes(m, t, s->outputs[k].elems);
            int32_t past = appended_past(g, s, seen);
            double old = past == WL_NONE ? 0 : tensor_bytes(m, past, 0);
            seen[t] = true;
            if (past != WL_NONE) {
                seen[past] = true;
            }
            *bytes += present > old ? present : old;
        }
    }
    for (int32_t i = 0; i < p->count; i++) {
        const struct wl_subgraph *s = &p->subgraphs[i];
        for (int32_t k = 0; k < s->input_count; k++) {
            int32_t t = s->inputs[k].tensor;
            if (is_kv(g, t) && !seen[t]) {
                seen[t] = true;
                *bytes += tensor_bytes(m, t, s->inputs[k].elems);
            }
        }
    }
    return WL_OK;
}

/* ---- timeline -------------------------------------------------------------------------------- */

/* Live bytes of the buffers per step: exact ones, and aligned ones for the bound of the plan. */
static wl_status live_bytes(const struct lifetimes *l, int32_t steps, struct wl_arena *scratch,
                            int64_t **exact, int64_t **aligned, struct wl_error *err)
{
    int64_t *a = WL_ARRAY(scratch, int64_t, steps + 1);
    int64_t *b = WL_ARRAY(scratch, int64_t, steps + 1);
    WL_TRY_PTR(a, err);
    WL_TRY_PTR(b, err);
    for (int32_t i = 0; i < l->buffer_count; i++) {
        const struct buffer *x = &l->buffers[i];
        a[x->first] += x->live_bytes;
        a[x->last + 1] -= x->live_bytes;
        b[x->first] += x->size_bytes;
        b[x->last + 1] -= x->size_bytes;
    }
    for (int32_t s = 1; s <= steps; s++) {
        a[s] += a[s - 1];
        b[s] += b[s - 1];
    }
    *exact = a;
    *aligned = b;
    return WL_OK;
}

static wl_status fill_timeline(const struct wl_mappings *m, const int64_t *live,
                               struct wl_arena *arena, struct wl_memory *out, struct wl_error *err)
{
    out->step_count = m->partition->count;
    out->timeline = WL_ARRAY(arena, struct wl_memory_step, out->step_count);
    WL_TRY_PTR(out->timeline, err);
    out->peak_at = WL_NONE;
    for (int32_t s = 0; s < out->step_count; s++) {
        double workspace = m->items == NULL ? 0 : m->items[s].workspace_bytes;
        double total = out->weight_bytes + out->kv_bytes + (double)live[s] + workspace;
        out->timeline[s] = (struct wl_memory_step){s, total};
        if (out->peak_at == WL_NONE || total > out->peak_bytes) {
            out->peak_bytes = total;
            out->peak_at = s;
            out->activation_bytes = (double)live[s];
            out->workspace_bytes = workspace;
        }
    }
    if (out->step_count == 0) {
        out->peak_bytes = out->weight_bytes + out->kv_bytes;
    }
    return WL_OK;
}

static wl_status fill_slots(const struct lifetimes *l, struct wl_arena *arena,
                            struct wl_memory *out, struct wl_error *err)
{
    out->slot_count = l->count;
    out->slots = WL_ARRAY(arena, struct wl_memory_slot, l->count);
    WL_TRY_PTR(out->slots, err);
    for (int32_t i = 0; i < l->count; i++) {
        const struct lifetime *life = &l->items[i];
        out->slots[i] =
            (struct wl_memory_slot){.tensor = life->tensor,
                                    .first = life->first,
                                    .last = life->last,
                                    .offset_bytes = l->buffers[life->buffer].offset_bytes,
                                    .size_bytes = life->size_bytes,
                                    .in_place_of = life->in_place_of};
    }
    return WL_OK;
}

static void fill_fits(const struct wl_device *d, struct wl_memory *out)
{
    for (int32_t i = 0; d != NULL && i < d->level_count; i++) {
        const struct wl_level *level = &d->levels[i];
        double capacity = (double)level->capacity_bytes * level->instances;
        out->fits[i] = level->capacity_bytes == 0 || out->peak_bytes <= capacity;
    }
}

static wl_status plan(const struct wl_mappings *m, struct wl_arena *arena, struct wl_arena *scratch,
                      struct wl_memory *out, struct wl_error *err)
{
    struct lifetimes l;
    int64_t *exact = NULL;
    int64_t *aligned = NULL;
    int64_t bound = 0;
    int64_t extent;
    int32_t steps = m->partition->count;
    WL_TRY(sum_weights(m, scratch, &out->weight_bytes, err));
    WL_TRY(sum_kv(m, scratch, &out->kv_bytes, err));
    WL_TRY(wl_memory_lifetimes(m, scratch, &l, err));
    WL_TRY(live_bytes(&l, steps, scratch, &exact, &aligned, err));
    for (int32_t s = 0; s < steps; s++) {
        bound = wl_max_i64(bound, aligned[s]);
    }
    WL_TRY(wl_memory_offsets(l.buffers, l.buffer_count, steps, bound, scratch, &extent, err));
    out->planned_bytes = (double)extent;
    out->lower_bound_bytes = (double)bound;
    WL_TRY(wl_memory_unfused(m, scratch, &out->unfused_bytes, err));
    WL_TRY(fill_timeline(m, exact, arena, out, err));
    WL_TRY(fill_slots(&l, arena, out, err));
    fill_fits(m->device, out);
    return WL_OK;
}

wl_status wl_memory_plan(const struct wl_mappings *m, struct wl_arena *arena, struct wl_memory *out,
                         struct wl_error *err)
{
    struct wl_arena scratch;
    struct wl_memory result = {.peak_at = WL_NONE};
    wl_arena_init(&scratch, 0);
    wl_status status = plan(m, arena, &scratch, &result, err);
    wl_arena_done(&scratch);
    if (status == WL_OK) {
        *out = result;
    }
    return status;
}
