/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/footprint.c: how far away the bytes of a kernel were when it last met them. Weights and
 * what the caller feeds are used once per inference. So is memory for activations that only this
 * kernel needs: where a result raises the most that lives at once, it is written to memory that the
 * inference before touched last. Everything else reuses what a kernel just before has left.
 */
#include "kernels_priv.h"

struct footprint {
    const struct layout *l;
    int32_t *last; /* by tensor: the subgraph that reads it last, or WL_NONE */
    double live_bytes, most_bytes;
};

/* Bytes that one inference touches: every weight, input and result once. */
static double touched_bytes(const struct layout *l, const struct wl_kernels *kernels)
{
    double total = 0;
    for (int32_t i = 0; i < kernels->count; i++) {
        const struct wl_subgraph *s = &l->partition->subgraphs[i];
        total += kernels->items[i].sizes.cold_bytes +
                 wl_kernels_bytes(l->partition->graph, l->policy, s->outputs, s->output_count);
    }
    return total;
}

static wl_status find_last_readers(struct footprint *f, struct wl_arena *arena,
                                   struct wl_error *err)
{
    const struct wl_partition *p = f->l->partition;
    f->last = WL_ARRAY(arena, int32_t, p->graph->tensor_count);
    WL_TRY_PTR(f->last, err);
    for (int32_t t = 0; t < p->graph->tensor_count; t++) {
        f->last[t] = WL_NONE;
    }
    for (int32_t i = 0; i < p->count; i++) {
        for (int32_t k = 0; k < p->subgraphs[i].input_count; k++) {
            f->last[p->subgraphs[i].inputs[k].tensor] = i;
        }
    }
    return WL_OK;
}

/* Results that stay inside: those of the network leave in memory of their own. */
static double kept_bytes(const struct footprint *f, const struct wl_subgraph *s)
{
    const struct wl_graph *g = f->l->partition->graph;
    double bytes = 0;
    for (int32_t k = 0; k < s->output_count; k++) {
        if ((g->tensors[s->outputs[k].tensor].flags & WL_TENSOR_IS_OUTPUT) == 0) {
            bytes += wl_kernels_bytes(g, f->l->policy, &s->outputs[k], 1);
        }
    }
    return bytes;
}

/* Activations of other kernels that nobody reads after subgraph `i`. */
static double ending_bytes(const struct footprint *f, int32_t i)
{
    const struct wl_graph *g = f->l->partition->graph;
    const struct wl_subgraph *s = &f->l->partition->subgraphs[i];
    double bytes = 0;
    for (int32_t k = 0; k < s->input_count; k++) {
        const struct wl_tensor *t = &g->tensors[s->inputs[k].tensor];
        bool own = t->kind != WL_TENSOR_INPUT && (t->flags & WL_TENSOR_IS_OUTPUT) == 0;
        if (own && f->last[s->inputs[k].tensor] == i) {
            bytes += wl_kernels_bytes(g, f->l->policy, &s->inputs[k], 1);
        }
    }
    return bytes;
}

/* Bytes by which the result of subgraph `i` raises the most that lives at once. */
static double growth_bytes(struct footprint *f, int32_t i)
{
    const struct wl_subgraph *s = &f->l->partition->subgraphs[i];
    double kept = kept_bytes(f, s), ending = ending_bytes(f, i);
    /* element by element: the result takes the place of what it is made of */
    double during = f->live_bytes + kept - (s->kind == WL_OPK_MAP ? ending : 0);
    double growth = during > f->most_bytes ? during - f->most_bytes : 0;
    f->most_bytes += growth;
    f->live_bytes += kept - ending;
    f->live_bytes = f->live_bytes > 0 ? f->live_bytes : 0;
    return growth < kept ? growth : kept;
}

wl_status wl_kernels_footprint(const struct layout *l, struct wl_kernels *kernels,
                               struct wl_arena *arena, struct wl_error *err)
{
    struct footprint f = {.l = l};
    double total = touched_bytes(l, kernels);
    WL_TRY(find_last_readers(&f, arena, err));
    for (int32_t i = 0; i < kernels->count; i++) {
        struct wl_kernel_sizes *sizes = &kernels->items[i].sizes;
        sizes->cold_bytes += growth_bytes(&f, i);
        sizes->reuse_bytes = sizes->cold_bytes > 0 ? total : 0;
    }
    return WL_OK;
}
