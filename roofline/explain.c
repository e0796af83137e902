/* SPDX-License-Identifier: Apache-2.0 */
/*
 * roofline/explain.c: the arithmetic of one subgraph with its numbers filled in. Every line can be
 * checked with a pocket calculator from the figures that it shows; docs/models.md derives them.
 */
#include "roofline_priv.h"

static void explain_product(const struct wl_mappings *all, const struct wl_mapping *m,
                            struct wl_buf *out)
{
    const struct wl_tiling *t = &m->tiling;
    if (t->algorithm == NULL) {
        return;
    }
    char note[160];
    wl_buf_printf(out, "largest product: %lld x (%lld x %lld x %lld) G x (M x N x K), %s\n",
                  (long long)t->g, (long long)t->m, (long long)t->n, (long long)t->k,
                  wl_mapping_note(all, (int32_t)(m - all->items), note, sizeof(note)));
    if (t->split_k > 1) {
        wl_buf_printf(out, "  K in %d parts\n", t->split_k);
    }
    wl_buf_printf(out, "  %.6g tiles of %.6g cycles, %.4g rounds over the units", t->tiles,
                  t->cycles_per_tile, t->waves);
    if (t->efficiency > 0 && t->efficiency < 1) {
        wl_buf_printf(out, "; the runtime reaches %.3g of that rate", t->efficiency);
    }
    wl_buf_puts(out, "\n");
    if (t->reload_left > 0) {
        wl_buf_printf(out,
                      "  blocking reads the left operand %.3g times and the right %.3g times "
                      "from main memory where no cache keeps them\n",
                      t->reload_left, t->reload_right);
    }
}

static void explain_compute(const struct wl_mappings *all, const struct wl_mapping *m,
                            const struct wl_timing *t, struct wl_buf *out)
{
    const struct wl_device *d = all->device;
    for (int32_t i = 0; i < m->pipe_count; i++) {
        const struct wl_pipe *p = &d->pipes[m->pipes[i].pipe];
        double seconds = m->pipes[i].cycles / p->clock_hz;
        wl_buf_printf(out,
                      "  %s: %.6g cycles on the busiest unit / %.6g Hz = %.6g s (%.6g "
                      "operations)\n",
                      p->name, m->pipes[i].cycles, p->clock_hz, seconds, m->pipes[i].executed_ops);
    }
    wl_buf_printf(out, "compute = %.6g s (pipes %s)\n", t->compute_s,
                  m->serial_pipes ? "one after the other" : "side by side");
}

static void explain_levels(const struct wl_mappings *all, const struct wl_mapping *m,
                           const struct wl_timing *t, struct wl_buf *out)
{
    const struct wl_device *d = all->device;
    for (int32_t l = 0; l < d->level_count; l++) {
        const struct wl_level *v = &d->levels[l];
        wl_buf_printf(out,
                      "  %s: (%.6g B read + %.6g B written) / (%.6g B/s x %.3g sustained x %.3g "
                      "drawn) = %.6g s\n",
                      v->name, m->traffic[l].read_bytes, m->traffic[l].write_bytes,
                      v->bandwidth_bps, v->efficiency > 0 ? v->efficiency : 1, m->level_share[l],
                      t->level_s[l]);
    }
    wl_buf_printf(out, "memory = %.6g s (the slowest level)\n", t->memory_s);
}

static void explain_overhead(const struct wl_mappings *all, const struct wl_mapping *m,
                             const struct wl_timing *t, struct wl_buf *out)
{
    const struct wl_device *d = all->device;
    const struct wl_runtime *rt = all->options.runtime;
    double launch_s = rt != NULL && rt->dispatch_s[d->class] >= 0 ? rt->dispatch_s[d->class]
                                                                  : d->params.dispatch_s;
    wl_buf_printf(out,
                  "overhead = %.6g launches x %.6g s%s + %.6g barriers x %.6g s + %.6g s "
                  "serial = %.6g s\n",
                  m->dispatches, launch_s,
                  m->async_dispatch ? " (as far as the device waits for them)" : "", m->barriers,
                  d->params.barrier_s, m->serial_s, t->overhead_s);
}

static void explain_energy(const struct wl_mappings *all, const struct wl_mapping *m,
                           const struct wl_energy_parts *parts, const struct wl_timing *t,
                           struct wl_buf *out)
{
    wl_buf_puts(out, "energy by event:\n");
    for (int32_t i = 0; i < m->event_count; i++) {
        const struct wl_event_count *c = &m->events[i];
        char name[64];
        enum wl_event event = (enum wl_event)c->event;
        double pj = wl_energy_unit_pj(all->device, event, c->precision);
        (void)wl_energy_event_name(all->device, event, c->precision, name, sizeof(name));
        wl_buf_printf(out, "  %-26s %14.6g x %10.4g pJ = %.6g J\n", name, c->count, pj,
                      c->count * pj * 1e-12);
    }
    wl_buf_printf(out, "dynamic = compute %.6g + memory %.6g + control %.6g = %.6g J\n",
                  parts->category_j[WL_CAT_COMPUTE], parts->category_j[WL_CAT_MEMORY],
                  parts->category_j[WL_CAT_CONTROL], wl_energy_dynamic_j(parts));
    wl_buf_printf(out, "static = %.6g W idle x %.6g s = %.6g J\n", all->device->idle_w,
                  t->latency_s, parts->static_j);
}

wl_status wl_explain_subgraph(const struct wl_mappings *m, const struct wl_energy *e,
                              const struct wl_roofline *r, int32_t subgraph, struct wl_buf *out,
                              struct wl_error *err)
{
    if (subgraph < 0 || subgraph >= m->count) {
        return wl_fail(err, WL_ERR_USAGE, "--explain",
                       "there is no subgraph %d; 0 to %d would be "
                       "right",
                       subgraph, m->count - 1);
    }
    const struct wl_subgraph *s = &m->partition->subgraphs[subgraph];
    const struct wl_mapping *map = &m->items[subgraph];
    const struct wl_timing *t = &r->timings[subgraph];
    wl_buf_printf(out, "subgraph %d \"%s\" (%s) on %s\n", subgraph, s->name, s->pattern,
                  m->device->name);
    wl_buf_printf(out, "work: %lld MACs, %lld FLOPs, %lld executions, arithmetic in %s\n",
                  (long long)s->macs, (long long)s->flops, (long long)s->repeat,
                  wl_precision_name(map->precision));
    explain_product(m, map, out);
    explain_compute(m, map, t, out);
    explain_levels(m, map, t, out);
    explain_overhead(m, map, t, out);
    double busy = t->compute_s > t->memory_s ? t->compute_s : t->memory_s;
    wl_buf_printf(out, "latency = max(%.6g, %.6g) + %.6g = %.6g s", t->compute_s, t->memory_s,
                  t->overhead_s, busy + t->overhead_s);
    if (t->bound == WL_BOUND_POWER) {
        wl_buf_printf(out, ", stretched to %.6g s by the power limit", t->latency_s);
    }
    wl_buf_printf(out, "; bound: %s\n", wl_bound_name(m->device, t->bound));
    wl_buf_printf(out, "utilization = %.6g operations / (%.6g s x peak of %s) = %.4g\n",
                  map->executed_ops, t->latency_s,
                  map->pipe == WL_NONE ? "no pipe" : m->device->pipes[map->pipe].name,
                  r->utilization[subgraph]);
    explain_energy(m, map, &e->parts[subgraph], t, out);
    return out->failed ? wl_fail_nomem(err) : WL_OK;
}
