/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wl_laws.h: the laws that hold in every result: sums over subgraphs, balance of the ledger,
 * bounds, memory, order of edges. Each function fails the running test where one is broken.
 */
#ifndef WL_LAWS_H
#define WL_LAWS_H

#include "wl_test.h"

#include <math.h>

#include "pipeline.h"

#define REL 1e-9

static inline bool near_rel(double a, double b)
{
    double size = fmax(fabs(a), fabs(b));
    return fabs(a - b) <= REL * size;
}

static inline void check_subgraph_sums(const struct wl_result *r)
{
    double latency = 0;
    double energy = 0;
    int64_t macs = 0;
    struct wl_energy_parts sum = {0};
    for (int32_t i = 0; i < r->partition->count; i++) {
        const struct wl_energy_parts *p = &r->energy.parts[i];
        latency += r->roofline.timings[i].latency_s;
        energy += wl_energy_total_j(p);
        macs += r->partition->subgraphs[i].macs;
        for (int c = 0; c < WL_CAT_COUNT; c++) {
            assert_true(p->category_j[c] >= 0);
            sum.category_j[c] += p->category_j[c];
        }
        sum.static_j += p->static_j;
    }
    assert_true(near_rel(latency, r->totals.latency_s));
    assert_true(near_rel(energy, r->totals.energy_j));
    assert_true(macs == r->totals.macs);
    for (int c = 0; c < WL_CAT_COUNT; c++) {
        assert_true(near_rel(sum.category_j[c], r->energy.total.category_j[c]));
    }
    assert_true(near_rel(sum.static_j, r->energy.total.static_j));
    assert_true(near_rel(r->totals.latency_s * r->device.idle_w, r->energy.total.static_j));
}

static inline void check_ledger(const struct wl_result *r)
{
    double by_category[WL_CAT_COUNT] = {0};
    for (int32_t i = 0; i < r->energy.row_count; i++) {
        const struct wl_ledger_row *row = &r->energy.rows[i];
        assert_true(row->count >= 0 && row->unit_pj >= 0);
        assert_non_null(row->source);
        assert_true(near_rel(row->energy_j, row->count * row->unit_pj * 1e-12));
        by_category[wl_event_info(row->event)->category] += row->energy_j;
    }
    for (int c = 0; c < WL_CAT_COUNT; c++) {
        assert_true(near_rel(by_category[c], r->energy.total.category_j[c]));
    }
    double total = r->energy.total.static_j;
    for (int c = 0; c < WL_CAT_COUNT; c++) {
        total += by_category[c];
    }
    assert_true(near_rel(total, r->totals.energy_j));
    assert_true(r->energy.wasted_j >= 0 &&
                r->energy.wasted_j <= r->energy.total.static_j * (1 + REL));
}

/* Events of every subgraph, priced one by one, against its parts. */
static inline void check_subgraph_ledgers(const struct wl_result *r)
{
    for (int32_t i = 0; i < r->mappings.count; i++) {
        const struct wl_mapping *m = &r->mappings.items[i];
        double sum = 0;
        for (int32_t k = 0; k < m->event_count; k++) {
            const struct wl_event_count *c = &m->events[k];
            sum += c->count * 1e-12 *
                   wl_energy_unit_pj(&r->device, (enum wl_event)c->event, c->precision);
        }
        assert_true(
            near_rel(sum + r->energy.parts[i].static_j, wl_energy_total_j(&r->energy.parts[i])));
    }
}

static inline void check_bounds(const struct wl_result *r)
{
    const double slack = 1 + REL;
    assert_true(r->totals.utilization >= 0 && r->totals.utilization <= 1);
    assert_true(r->totals.efficiency >= 0 && r->totals.efficiency <= 1);
    assert_true(r->totals.average_power_w <= r->device.power_limit_w * slack);
    assert_true(r->concurrency.critical_path_s <= r->totals.latency_s * slack);
    assert_true(r->concurrency.critical_path_s > 0);
    assert_true(r->totals.peak_memory_bytes >= r->totals.weight_bytes);
    for (int32_t i = 0; i < r->partition->count; i++) {
        const struct wl_timing *t = &r->roofline.timings[i];
        const struct wl_roof_point *p = &r->roofline.points[i];
        double u = r->roofline.utilization[i];
        assert_true(u >= 0 && u <= 1);
        assert_true(p->achieved_ops_per_s <= p->attainable_ops_per_s * slack);
        int32_t pipe = r->mappings.items[i].pipe;
        if (pipe != WL_NONE) {
            double peak = wl_device_peak(&r->device, r->mappings.items[i].precision, NULL);
            assert_true(p->attainable_ops_per_s <= peak * slack || peak == 0);
        }
        assert_true(t->latency_s > 0);
        assert_true(t->latency_s * slack >= t->compute_s + t->overhead_s);
        assert_true(t->latency_s * slack >= t->memory_s + t->overhead_s);
        assert_non_null(wl_bound_name(&r->device, t->bound));
    }
}

static inline void check_memory(const struct wl_result *r)
{
    double most = 0;
    for (int32_t i = 0; i < r->memory.step_count; i++) {
        most = fmax(most, r->memory.timeline[i].live_bytes);
    }
    assert_true(near_rel(most, r->memory.peak_bytes));
    assert_true(near_rel(r->memory.weight_bytes + r->memory.kv_bytes + r->memory.activation_bytes +
                             r->memory.workspace_bytes,
                         r->memory.peak_bytes));
    assert_true(r->memory.planned_bytes * (1 + REL) >= r->memory.lower_bound_bytes);
}

static inline void check_structure(const struct wl_result *r)
{
    for (int32_t i = 0; i < r->partition->count; i++) {
        const struct wl_subgraph *s = &r->partition->subgraphs[i];
        assert_int_equal(s->id, i);
        for (int32_t k = 0; k < s->depends_count; k++) {
            assert_true(s->depends_on[k] >= 0 && s->depends_on[k] < i);
        }
    }
}

static inline void check_laws(const struct wl_result *r)
{
    check_subgraph_sums(r);
    check_ledger(r);
    check_subgraph_ledgers(r);
    check_bounds(r);
    check_memory(r);
    check_structure(r);
}

#endif
