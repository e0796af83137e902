/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report/explain.c: `analyze --explain`: the arithmetic of one subgraph with its numbers filled in,
 * so that a sceptic can follow it with a calculator: work, bytes, each bound in seconds, joules by
 * event.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "report_priv.h"

#define CELL 64

static void put_work(const struct wl_result *r, const struct wl_subgraph *s, struct wl_buf *out)
{
    wl_buf_printf(out, "work\n");
    for (int32_t i = 0; i < s->product_count; i++) {
        const struct wl_product *p = &s->products[i];
        wl_buf_printf(out,
                      "  product %d: G x M x N x K = %" PRId64 " x %" PRId64 " x %" PRId64
                      " x %" PRId64 " = %" PRId64 " MAC\n",
                      (int)i + 1, p->g, p->m, p->n, p->k, p->g * p->m * p->n * p->k);
    }
    wl_buf_printf(out, "  executions per inference %" PRId64 ", MACs in all %" PRId64 "\n",
                  s->repeat, s->macs);
    for (int k = 0; k < WL_WORK_COUNT; k++) {
        if (s->ops[k] > 0) {
            wl_buf_printf(out, "  %s operations %" PRId64 "\n",
                          wl_work_kind_name((enum wl_work_kind)k), s->ops[k]);
        }
    }
    wl_buf_printf(out, "  FLOPs = 2 x MACs + floating-point operations = %" PRId64 "\n", s->flops);
    wl_buf_printf(out, "  operations executed by the chosen algorithm: %.6g\n\n",
                  r->mappings.items[s->id].executed_ops);
}

static void put_operands(const struct wl_result *r, const char *label, const struct wl_operand *o,
                         int32_t count, struct wl_buf *out)
{
    for (int32_t i = 0; i < count; i++) {
        const struct wl_graph *g = &r->model->graph;
        const struct wl_tensor *t = &g->tensors[o[i].tensor];
        struct wl_str name = wl_tensor_name(g, o[i].tensor);
        wl_buf_printf(out, "  %-8s %.*s: %" PRId64 " elements x %d bits = %.6g bytes\n", label,
                      WL_STR_ARG(name), o[i].elems, wl_policy_bits(&r->config.precision, t),
                      wl_operand_bytes(g, &r->config.precision, &o[i]));
    }
}

static void put_compute(const struct wl_result *r, int32_t i, struct wl_buf *out)
{
    const struct wl_mapping *m = &r->mappings.items[i];
    wl_buf_printf(out, "compute (%s)\n", wl_precision_name(m->precision));
    for (int32_t k = 0; k < m->pipe_count; k++) {
        const struct wl_pipe *p = &r->device.pipes[m->pipes[k].pipe];
        wl_buf_printf(out, "  %s: %.6g cycles on the busiest unit / %.6g Hz = %.6g s\n", p->name,
                      m->pipes[k].cycles, p->clock_hz, m->pipes[k].cycles / p->clock_hz);
    }
    wl_buf_printf(out,
                  "  units used %.4g of %d; kept after padding %.3f, balance %.3f, pipeline %.3f\n",
                  m->units_used, (int)wl_device_units(&r->device), m->eff_padding, m->eff_balance,
                  m->eff_pipeline);
    char note[160];
    if (wl_report_note(r, i, note, sizeof(note)) != NULL) {
        wl_buf_printf(out, "  %s\n", note);
    }
    wl_buf_printf(out, "  compute time %.6g s\n\n", r->roofline.timings[i].compute_s);
}

static void put_levels(const struct wl_result *r, int32_t i, struct wl_buf *out)
{
    const struct wl_mapping *m = &r->mappings.items[i];
    wl_buf_puts(out, "memory\n");
    for (int32_t l = 0; l < r->device.level_count; l++) {
        const struct wl_level *level = &r->device.levels[l];
        double bytes = m->traffic[l].read_bytes + m->traffic[l].write_bytes;
        wl_buf_printf(out,
                      "  %s: %.6g read + %.6g written = %.6g bytes / (%.4g B/s x %.2f sustained x "
                      "%.2f drawn) = %.6g s\n",
                      level->name, m->traffic[l].read_bytes, m->traffic[l].write_bytes, bytes,
                      level->bandwidth_bps, level->efficiency, m->level_share[l],
                      r->roofline.timings[i].level_s[l]);
    }
    wl_buf_puts(out, "\n");
}

static void put_latency(const struct wl_result *r, int32_t i, struct wl_buf *out)
{
    const struct wl_timing *t = &r->roofline.timings[i];
    wl_buf_printf(out, "latency\n  max(compute %.6g, memory %.6g) + overhead %.6g = %.6g s\n",
                  t->compute_s, t->memory_s, t->overhead_s,
                  fmax(t->compute_s, t->memory_s) + t->overhead_s);
    if (t->bound == WL_BOUND_POWER) {
        wl_buf_printf(out, "  stretched by the power limit of %.4g W to %.6g s\n",
                      r->device.power_limit_w, t->latency_s);
    }
    wl_buf_printf(out, "  bound by %s; %.2f %% of the pipe's peak\n\n",
                  wl_bound_name(&r->device, t->bound), r->roofline.utilization[i] * 100);
}

static void put_energy(const struct wl_result *r, int32_t i, struct wl_buf *out)
{
    const struct wl_mapping *m = &r->mappings.items[i];
    wl_buf_puts(out, "energy\n");
    for (int32_t k = 0; k < m->event_count; k++) {
        const struct wl_event_count *ev = &m->events[k];
        enum wl_event event = (enum wl_event)ev->event;
        double unit_pj = wl_energy_unit_pj(&r->device, event, ev->precision);
        char name[CELL];
        wl_buf_printf(out, "  %s: %.6g x %.4g pJ = %.6g J\n",
                      wl_energy_event_name(&r->device, event, ev->precision, name, sizeof(name)),
                      ev->count, unit_pj, ev->count * unit_pj * 1e-12);
    }
    wl_buf_printf(out, "  static: %.4g W x %.6g s = %.6g J\n  total %.6g J\n", r->device.idle_w,
                  r->roofline.timings[i].latency_s, r->energy.parts[i].static_j,
                  wl_energy_total_j(&r->energy.parts[i]));
}

wl_status wl_report_explain(const struct wl_result *r, int32_t subgraph, struct wl_buf *out,
                            struct wl_error *err)
{
    const struct wl_subgraph *s = &r->partition->subgraphs[subgraph];
    const struct wl_precision_policy *policy = &r->config.precision;
    wl_buf_printf(out, "subgraph %d \"%s\" (%s) on %s\n\n", (int)subgraph, s->name, s->pattern,
                  r->device.name);
    put_work(r, s, out);
    wl_buf_printf(out, "operands (%s)\n",
                  policy->activations == WL_PREC_NATIVE ? "the model's own types"
                                                        : wl_precision_name(policy->activations));
    put_operands(r, "input", s->inputs, s->input_count, out);
    put_operands(r, "weight", s->weights, s->weight_count, out);
    put_operands(r, "output", s->outputs, s->output_count, out);
    wl_buf_puts(out, "\n");
    put_compute(r, subgraph, out);
    put_levels(r, subgraph, out);
    put_latency(r, subgraph, out);
    put_energy(r, subgraph, out);
    return out->failed ? wl_fail_nomem(err) : WL_OK;
}
