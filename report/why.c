/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report/why.c: one paragraph on why one result is faster than another: where the difference in
 * time lies (the subgraphs that carry most of it) and what binds them on either side.
 */
#include <math.h>
#include <string.h>

#include "compare.h"
#include "report_priv.h"

#define TOP 3
#define CELL 64

static int32_t find_by_name(const struct wl_result *r, const char *name, int32_t hint)
{
    if (hint < r->partition->count && strcmp(r->partition->subgraphs[hint].name, name) == 0) {
        return hint;
    }
    for (int32_t i = 0; i < r->partition->count; i++) {
        if (strcmp(r->partition->subgraphs[i].name, name) == 0) {
            return i;
        }
    }
    return WL_NONE;
}

struct difference {
    int32_t fast, slow; /* subgraph ids */
    double seconds;
};

/* The TOP largest gains of `fast` over `slow`, largest first; returns the sum of all gains. */
static double largest(const struct wl_result *fast, const struct wl_result *slow,
                      struct difference top[TOP])
{
    double sum = 0;
    for (int32_t i = 0; i < slow->partition->count; i++) {
        int32_t other = find_by_name(fast, slow->partition->subgraphs[i].name, i);
        if (other == WL_NONE) {
            continue;
        }
        double gain = slow->roofline.timings[i].latency_s - fast->roofline.timings[other].latency_s;
        sum += gain > 0 ? gain : 0;
        struct difference d = {other, i, gain};
        for (int k = 0; k < TOP; k++) {
            if (d.seconds > top[k].seconds) {
                struct difference pushed = top[k];
                top[k] = d;
                d = pushed;
            }
        }
    }
    return sum;
}

/* The bound that holds most of the time, and its share. */
static const char *main_bound(const struct wl_result *r, double *share)
{
    double most = 0;
    int32_t best = WL_BOUND_COMPUTE;
    for (int32_t b = 0; b < WL_BOUND_LEVEL + r->device.level_count; b++) {
        double s = 0;
        for (int32_t i = 0; i < r->roofline.count; i++) {
            s += r->roofline.timings[i].bound == b ? r->roofline.timings[i].latency_s : 0;
        }
        if (s > most) {
            most = s;
            best = b;
        }
    }
    *share = r->totals.latency_s > 0 ? most / r->totals.latency_s : 0;
    return wl_bound_name(&r->device, best);
}

void wl_report_why(const struct wl_result *a, const struct wl_result *b, struct wl_buf *out)
{
    const struct wl_result *fast = a->totals.latency_s <= b->totals.latency_s ? a : b;
    const struct wl_result *slow = fast == a ? b : a;
    struct difference top[TOP] = {
        {WL_NONE, WL_NONE, 0}, {WL_NONE, WL_NONE, 0}, {WL_NONE, WL_NONE, 0}};
    double fast_share;
    double slow_share;
    char x[CELL], y[CELL], z[CELL];
    double sum = largest(fast, slow, top);
    const char *fast_bound = main_bound(fast, &fast_share);
    const char *slow_bound = main_bound(slow, &slow_share);
    double energy = slow->totals.energy_per_inference_j / fast->totals.energy_per_inference_j;
    wl_buf_printf(out, "  why: %s is %.2fx faster than %s and takes %.2fx %s energy.\n",
                  fast->device.id, slow->totals.latency_s / fast->totals.latency_s, slow->device.id,
                  energy >= 1 ? energy : 1 / energy, energy >= 1 ? "less" : "more");
    wl_buf_printf(out, "  %s is bound by %s for %s of its time, ", fast->device.id, fast_bound,
                  wl_format_percent(fast_share, x, sizeof(x)));
    wl_buf_printf(out, "%s\n  by %s for %s.\n", slow->device.id, slow_bound,
                  wl_format_percent(slow_share, x, sizeof(x)));
    for (int k = 0; k < TOP && top[k].slow != WL_NONE; k++) {
        wl_buf_printf(
            out, "  %s of the gain in %s: %s (%s) against ",
            wl_format_percent(top[k].seconds / sum, z, sizeof(z)),
            slow->partition->subgraphs[top[k].slow].name,
            wl_format_si(fast->roofline.timings[top[k].fast].latency_s, "s", x, sizeof(x)),
            wl_bound_name(&fast->device, fast->roofline.timings[top[k].fast].bound));
        wl_buf_printf(
            out, "%s (%s)\n",
            wl_format_si(slow->roofline.timings[top[k].slow].latency_s, "s", y, sizeof(y)),
            wl_bound_name(&slow->device, slow->roofline.timings[top[k].slow].bound));
    }
}
