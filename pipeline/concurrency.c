/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pipeline/concurrency.c: the critical path by time. earliest[i] = longest chain of latencies that
 * ends with subgraph i; the tail is the same from the other end; slack is what is left of the
 * critical path when the longest chain through i is taken away. With unlimited identical devices an
 * inference cannot be faster than the critical path, so latency / critical path bounds the
 * speed-up.
 */
#include "pipeline_priv.h"

struct chains {
    double *earliest; /* longest chain ending with i, i included */
    double *tail;     /* longest chain starting after i */
    int32_t *previous;
};

static void walk_forward(const struct wl_partition *p, const struct wl_timing *t, struct chains *c)
{
    for (int32_t i = 0; i < p->count; i++) {
        const struct wl_subgraph *s = &p->subgraphs[i];
        double before = 0;
        c->previous[i] = WL_NONE;
        for (int32_t k = 0; k < s->depends_count; k++) {
            int32_t d = s->depends_on[k];
            if (c->earliest[d] > before) {
                before = c->earliest[d];
                c->previous[i] = d;
            }
        }
        c->earliest[i] = before + t[i].latency_s;
    }
}

static void walk_backward(const struct wl_partition *p, const struct wl_timing *t, struct chains *c)
{
    for (int32_t i = p->count - 1; i >= 0; i--) {
        const struct wl_subgraph *s = &p->subgraphs[i];
        double through = c->tail[i] + t[i].latency_s;
        for (int32_t k = 0; k < s->depends_count; k++) {
            int32_t d = s->depends_on[k];
            c->tail[d] = through > c->tail[d] ? through : c->tail[d];
        }
    }
}

/* The longest chain, first subgraph first. */
static void trace_path(int32_t count, const struct chains *c, struct wl_concurrency *out)
{
    int32_t last = WL_NONE;
    for (int32_t i = 0; i < count; i++) {
        if (last == WL_NONE || c->earliest[i] > c->earliest[last]) {
            last = i;
        }
    }
    out->critical_path_s = last == WL_NONE ? 0 : c->earliest[last];
    for (int32_t i = last; i != WL_NONE; i = c->previous[i]) {
        out->critical_count++;
    }
    int32_t at = out->critical_count;
    for (int32_t i = last; i != WL_NONE; i = c->previous[i]) {
        out->critical_path[--at] = i;
    }
}

wl_status wl_concurrency_run(const struct wl_partition *p, const struct wl_roofline *roofline,
                             struct wl_arena *arena, struct wl_concurrency *out,
                             struct wl_error *err)
{
    struct chains c = {.earliest = WL_ARRAY(arena, double, p->count),
                       .tail = WL_ARRAY(arena, double, p->count),
                       .previous = WL_ARRAY(arena, int32_t, p->count)};
    *out = (struct wl_concurrency){.levels = p->level_count, .max_width = p->max_width};
    out->critical_path = WL_ARRAY(arena, int32_t, p->count);
    out->slack_s = WL_ARRAY(arena, double, p->count);
    WL_TRY_PTR(c.earliest, err);
    WL_TRY_PTR(c.tail, err);
    WL_TRY_PTR(c.previous, err);
    WL_TRY_PTR(out->critical_path, err);
    WL_TRY_PTR(out->slack_s, err);
    walk_forward(p, roofline->timings, &c);
    walk_backward(p, roofline->timings, &c);
    trace_path(p->count, &c, out);
    for (int32_t i = 0; i < p->count; i++) {
        double slack = out->critical_path_s - c.earliest[i] - c.tail[i];
        out->slack_s[i] = slack > 0 ? slack : 0;
    }
    /* The sum of latencies and the longest chain add the same numbers in different orders. */
    if (out->critical_path_s > roofline->latency_s) {
        out->critical_path_s = roofline->latency_s;
    }
    out->speedup_bound = out->critical_path_s > 0 ? roofline->latency_s / out->critical_path_s : 1;
    return WL_OK;
}
