/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/footprint.c: how far away the bytes of a kernel are when it meets them: what was touched
 * since they were used last (the reuse distance: Mattson et al., 1970), which decides what cache
 * still holds them.
 *
 *   weights, what the caller feeds    all that one inference touches
 *   activations that it reads         what was written and loaded from their kernel on
 *   results                           where they raise the most that lives at once, memory that
 *                                     the inference before used last; else memory that goes round
 *                                     within what lives at once
 *
 * A kernel has one figure: the mean of the logarithms over the bytes that are further than a cache
 * near the core (WL_WARM_BYTES) holds.
 */
#include <math.h>

#include "kernels_priv.h"

struct footprint {
    const struct layout *l;
    int32_t *first, *last; /* by tensor: subgraph that writes it, that reads it last; or WL_NONE */
    double *before;        /* by subgraph: bytes written and loaded before it */
    double total_bytes;    /* that one inference touches */
    double live_bytes, most_bytes;
};

struct distance {
    double bytes, doublings; /* those that are far; their doublings beyond WL_WARM_BYTES, summed */
};

static void add(struct distance *d, double bytes, double reuse_bytes)
{
    if (reuse_bytes > WL_WARM_BYTES) {
        d->bytes += bytes;
        d->doublings += bytes * log2(reuse_bytes / WL_WARM_BYTES);
    }
}

static double operand_bytes(const struct footprint *f, const struct wl_operand *o)
{
    return wl_kernels_bytes(f->l->partition->graph, f->l->policy, o, 1);
}

static bool is_fed(const struct footprint *f, const struct wl_operand *o)
{
    return f->l->partition->graph->tensors[o->tensor].kind == WL_TENSOR_INPUT;
}

/* Results of the network leave in memory of their own. */
static bool leaves(const struct footprint *f, const struct wl_operand *o)
{
    return (f->l->partition->graph->tensors[o->tensor].flags & WL_TENSOR_IS_OUTPUT) != 0;
}

static wl_status footprint_init(struct footprint *f, struct wl_arena *arena, struct wl_error *err)
{
    const struct wl_partition *p = f->l->partition;
    f->first = WL_ARRAY(arena, int32_t, p->graph->tensor_count);
    f->last = WL_ARRAY(arena, int32_t, p->graph->tensor_count);
    f->before = WL_ARRAY(arena, double, p->count + 1);
    WL_TRY_PTR(f->first, err);
    WL_TRY_PTR(f->last, err);
    WL_TRY_PTR(f->before, err);
    for (int32_t t = 0; t < p->graph->tensor_count; t++) {
        f->first[t] = WL_NONE;
        f->last[t] = WL_NONE;
    }
    for (int32_t i = 0; i < p->count; i++) {
        const struct wl_subgraph *s = &p->subgraphs[i];
        double own = wl_kernels_bytes(p->graph, f->l->policy, s->outputs, s->output_count) +
                     wl_kernels_bytes(p->graph, f->l->policy, s->weights, s->weight_count);
        f->before[i + 1] = f->before[i] + own;
        f->total_bytes += own + wl_kernels_fed_bytes(p->graph, f->l->policy, s);
        for (int32_t k = 0; k < s->output_count; k++) {
            f->first[s->outputs[k].tensor] = i;
        }
        for (int32_t k = 0; k < s->input_count; k++) {
            f->last[s->inputs[k].tensor] = i;
        }
    }
    return WL_OK;
}

/* `copied`: the layout changed just before, and the kernel reads the copy. */
static void add_inputs(const struct footprint *f, int32_t i, bool copied, struct distance *d)
{
    const struct wl_subgraph *s = &f->l->partition->subgraphs[i];
    for (int32_t k = 0; k < s->input_count; k++) {
        const struct wl_operand *o = &s->inputs[k];
        double bytes = operand_bytes(f, o);
        int32_t from = f->first[o->tensor];
        double since = from == WL_NONE ? 0 : f->before[i] - f->before[from];
        bool fed = is_fed(f, o) && !copied;
        add(d, bytes, fed ? f->total_bytes : fmax(since, bytes));
    }
}

/* Activations of other kernels that nobody reads after subgraph `i`. */
static double ending_bytes(const struct footprint *f, int32_t i)
{
    const struct wl_subgraph *s = &f->l->partition->subgraphs[i];
    double bytes = 0;
    for (int32_t k = 0; k < s->input_count; k++) {
        const struct wl_operand *o = &s->inputs[k];
        if (!is_fed(f, o) && !leaves(f, o) && f->last[o->tensor] == i) {
            bytes += operand_bytes(f, o);
        }
    }
    return bytes;
}

static void add_results(struct footprint *f, int32_t i, struct distance *d)
{
    const struct wl_subgraph *s = &f->l->partition->subgraphs[i];
    double kept = 0, ending = ending_bytes(f, i);
    for (int32_t k = 0; k < s->output_count; k++) {
        kept += leaves(f, &s->outputs[k]) ? 0 : operand_bytes(f, &s->outputs[k]);
    }
    /* element by element: the result takes the place of what it is made of */
    double during = f->live_bytes + kept - (s->kind == WL_OPK_MAP ? ending : 0);
    double growth = fmin(fmax(during - f->most_bytes, 0), kept);
    f->most_bytes = fmax(f->most_bytes, during);
    f->live_bytes = fmax(f->live_bytes + kept - ending, 0);
    add(d, growth, f->total_bytes);
    add(d, kept - growth, fmin(f->most_bytes, f->total_bytes));
}

wl_status wl_kernels_footprint(const struct layout *l, struct wl_kernels *kernels,
                               struct wl_arena *arena, struct wl_error *err)
{
    struct footprint f = {.l = l};
    WL_TRY(footprint_init(&f, arena, err));
    for (int32_t i = 0; i < kernels->count; i++) {
        const struct wl_subgraph *s = &l->partition->subgraphs[i];
        struct wl_kernel *own = &kernels->items[i];
        struct distance d = {0};
        add(&d, wl_kernels_bytes(l->partition->graph, l->policy, s->weights, s->weight_count),
            f.total_bytes);
        add_inputs(&f, i, !wl_kernels_reads_plain(l, own, s), &d);
        add_results(&f, i, &d);
        own->sizes.cold_bytes = d.bytes;
        own->sizes.reuse_bytes =
            d.bytes > 0 ? round(WL_WARM_BYTES * exp2(d.doublings / d.bytes)) : 0;
    }
    return WL_OK;
}
