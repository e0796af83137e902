/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report/text_summary.c: the page a person sees first. The answer stands in the first ten lines:
 * what was analysed, latency, energy, what limits it, and where the time and the joules go.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "advice_report.h"
#include "report_priv.h"

#define TOP_ROWS 10
#define CELL 64

/* Share of latency that a bound has. */
static double bound_share(const struct wl_result *r, int32_t bound)
{
    double s = 0;
    for (int32_t i = 0; i < r->roofline.count; i++) {
        if (r->roofline.timings[i].bound == bound) {
            s += r->roofline.timings[i].latency_s;
        }
    }
    return r->totals.latency_s > 0 ? s / r->totals.latency_s : 0;
}

static const char *unit_word(enum wl_hw_class class)
{
    static const char *const words[WL_HW_CLASS_COUNT] = {"cores", "SMs", "cores", "tiles"};
    return words[class];
}

static void put_precision(const struct wl_result *r, char *out, size_t size)
{
    const struct wl_precision_policy *p = &r->config.precision;
    if (p->activations == WL_PREC_NATIVE) {
        enum wl_precision main_precision = WL_PREC_COUNT;
        double most = -1;
        for (int32_t i = 0; i < r->mappings.count; i++) {
            if (r->mappings.items[i].executed_ops > most) {
                most = r->mappings.items[i].executed_ops;
                main_precision = r->mappings.items[i].precision;
            }
        }
        (void)wl_text(out, size, "%s (the model's own)", wl_precision_name(main_precision));
    } else if (p->weights != p->activations) {
        (void)wl_text(out, size, "%s with %s weights", wl_precision_name(p->activations),
                      wl_precision_name(p->weights));
    } else {
        (void)wl_text(out, size, "%s", wl_precision_name(p->activations));
    }
}

static void put_wrapped(const char *text, int width, int indent, struct wl_buf *out);

static void put_header(const struct wl_result *r, const char *model_name, int width,
                       struct wl_buf *out)
{
    char clock[CELL], precision[CELL], line[320];
    const struct wl_device *d = &r->device;
    put_precision(r, precision, sizeof(precision));
    wl_buf_printf(out, "%s on %s\n", model_name, d->name);
    (void)wl_text(
        line, sizeof(line), "batch %lld, %s, %d of %d %s at %s, power mode %s, runtime %s",
        (long long)r->config.batch, precision, (int)r->config.threads, (int)wl_device_units(d),
        unit_word(d->class), wl_format_si(d->clock_hz, "Hz", clock, sizeof(clock)), d->power_mode,
        r->config.runtime);
    put_wrapped(line, width, 0, out);
}

/* "  latency  556 µs     ": label and value, padded by characters. */
static void put_lead(const char *label, const char *value, struct wl_buf *out)
{
    wl_buf_printf(out, "  %-8s %s%*s ", label, value, 10 - wl_text_width(value), "");
}

static void put_energy_line(const struct wl_result *r, struct wl_buf *out)
{
    const struct wl_totals *t = &r->totals;
    const struct wl_energy_parts *e = &r->energy.total;
    char a[CELL], b[CELL];
    double energy = t->energy_j > 0 ? t->energy_j : 1;
    put_lead("energy", wl_format_si(t->energy_per_inference_j, "J", a, sizeof(a)), out);
    wl_buf_printf(out, "per inference; compute %s, memory %s, ",
                  wl_format_percent(e->category_j[WL_CAT_COMPUTE] / energy, a, sizeof(a)),
                  wl_format_percent(e->category_j[WL_CAT_MEMORY] / energy, b, sizeof(b)));
    wl_buf_printf(out, "control %s, static %s\n",
                  wl_format_percent(e->category_j[WL_CAT_CONTROL] / energy, a, sizeof(a)),
                  wl_format_percent(e->static_j / energy, b, sizeof(b)));
}

static void put_answer(const struct wl_result *r, struct wl_buf *out)
{
    const struct wl_totals *t = &r->totals;
    char a[CELL], b[CELL], c[CELL], d[CELL];
    put_lead("latency", wl_format_si(t->latency_s, "s", a, sizeof(a)), out);
    wl_buf_printf(out, "%s inferences/s; bound by %s for %s of the time\n",
                  wl_format_si(t->throughput_per_s, "", b, sizeof(b)),
                  wl_bound_name(&r->device, t->bound),
                  wl_format_percent(bound_share(r, t->bound), c, sizeof(c)));
    put_energy_line(r, out);
    put_lead("power", wl_format_si(t->average_power_w, "W", a, sizeof(a)), out);
    wl_buf_printf(out, "on average; limit %s, idle %s%s",
                  wl_format_si(r->device.power_limit_w, "W", b, sizeof(b)),
                  wl_format_si(r->device.idle_w, "W", c, sizeof(c)),
                  r->device.idle_basis == WL_BASIS_MEASURED ? " (measured)" : "");
    if (t->unthrottled_power_w > r->device.power_limit_w) {
        wl_buf_printf(out, "; would be %s without the limit",
                      wl_format_si(t->unthrottled_power_w, "W", d, sizeof(d)));
    }
    wl_buf_puts(out, "\n");
    put_lead("memory", wl_format_si(t->peak_memory_bytes, "B", a, sizeof(a)), out);
    wl_buf_printf(out, "at the peak: weights %s, activations %s; traffic %s at %s\n\n",
                  wl_format_si(t->weight_bytes, "B", b, sizeof(b)),
                  wl_format_si(t->activation_bytes, "B", c, sizeof(c)),
                  wl_format_si(t->dram_bytes, "B", d, sizeof(d)), wl_device_dram(&r->device)->name);
}

static void put_work(const struct wl_result *r, struct wl_buf *out)
{
    char a[CELL], b[CELL];
    wl_buf_puts(out, "\n");
    put_lead("work", wl_format_si((double)r->totals.macs, "MAC", a, sizeof(a)), out);
    wl_buf_printf(out, "%s; %s of the peak is used\n",
                  wl_format_si((double)r->totals.flops, "FLOP", a, sizeof(a)),
                  wl_format_percent(r->totals.utilization, b, sizeof(b)));
}

/* Indices of subgraphs, longest latency first; ties in schedule order. */
static int32_t *by_latency(const struct wl_result *r, struct wl_arena *scratch)
{
    int32_t n = r->roofline.count;
    int32_t *order = WL_ARRAY(scratch, int32_t, n);
    for (int32_t i = 0; order != NULL && i < n; i++) {
        int32_t at = i < TOP_ROWS ? i : TOP_ROWS;
        double latency_s = r->roofline.timings[i].latency_s;
        if (at == TOP_ROWS && latency_s <= r->roofline.timings[order[TOP_ROWS - 1]].latency_s) {
            continue;
        }
        at = at == TOP_ROWS ? TOP_ROWS - 1 : at;
        while (at > 0 && r->roofline.timings[order[at - 1]].latency_s < latency_s) {
            order[at] = order[at - 1];
            at--;
        }
        order[at] = i;
    }
    return order;
}

static void top_row(const struct wl_result *r, int32_t i, struct wl_table *t)
{
    char time[CELL], share[CELL], energy[CELL], part[CELL], macs[CELL], used[CELL];
    const struct wl_subgraph *s = &r->partition->subgraphs[i];
    double latency_s = r->roofline.timings[i].latency_s;
    double energy_j = wl_energy_total_j(&r->energy.parts[i]);
    const char *cells[] = {s->name,
                           s->pattern,
                           wl_format_si(latency_s, "s", time, sizeof(time)),
                           wl_format_percent(latency_s / r->totals.latency_s, share, sizeof(share)),
                           wl_format_si(energy_j, "J", energy, sizeof(energy)),
                           wl_format_percent(energy_j / r->totals.energy_j, part, sizeof(part)),
                           wl_format_si((double)s->macs, "", macs, sizeof(macs)),
                           wl_format_percent(r->roofline.utilization[i], used, sizeof(used)),
                           wl_bound_name(&r->device, r->roofline.timings[i].bound)};
    wl_table_row(t, cells);
}

static wl_status put_top(const struct wl_result *r, int width, struct wl_buf *out,
                         struct wl_error *err)
{
    static const char *const headings[] = {"top subgraphs", "what", "time", "share",   "energy",
                                           "share",         "MACs", "peak", "bound by"};
    struct wl_table t;
    if (r->roofline.count == 0) {
        wl_buf_puts(out, "  nothing to execute: the model has no work\n");
        return WL_OK;
    }
    if (wl_table_init(&t, WL_ARRAY_LEN(headings), headings, "llrrrrrrl") != WL_OK) {
        return wl_fail_nomem(err);
    }
    const int32_t *order = by_latency(r, &t.arena);
    int32_t rows = r->roofline.count < TOP_ROWS ? r->roofline.count : TOP_ROWS;
    for (int32_t i = 0; order != NULL && i < rows; i++) {
        top_row(r, order[i], &t);
    }
    wl_table_print(&t, width, true, "  ", out);
    wl_table_done(&t);
    if (r->roofline.count > rows) {
        wl_buf_printf(out, "  %d more subgraphs: --view layers\n", (int)(r->roofline.count - rows));
    }
    return WL_OK;
}

static void put_coverage(const struct wl_result *r, struct wl_buf *out)
{
    const struct wl_coverage *c = &r->coverage;
    wl_buf_printf(out,
                  "  coverage  %d nodes: %d modelled, %d approximated, %d ignored, %d free, "
                  "%d folded\n",
                  (int)r->model->graph.node_count, (int)c->by_status[WL_NODE_MODELLED],
                  (int)c->by_status[WL_NODE_APPROXIMATED], (int)c->by_status[WL_NODE_IGNORED],
                  (int)c->by_status[WL_NODE_FREE], (int)c->by_status[WL_NODE_FOLDED]);
    bool assumed = r->latency_basis == WL_BASIS_ASSUMED || r->energy_basis == WL_BASIS_ASSUMED;
    char share[CELL];
    if (r->measured != NULL) {
        wl_buf_printf(out, "  basis    latency of %s calibrated: %s (%.10s)",
                      wl_format_percent(r->measured_share, share, sizeof(share)), r->measured->name,
                      r->measured->date);
        if (r->error_band > 0) {
            wl_buf_printf(out, ", within %s or so",
                          wl_format_percent(r->error_band, share, sizeof(share)));
        }
        wl_buf_puts(out, "\n");
    }
    wl_buf_printf(out, "  %-8s %sspecification%s%s\n", r->measured != NULL ? "" : "basis",
                  r->measured != NULL ? "the rest and energy: " : "",
                  r->measured != NULL ? "" : ", not calibrated",
                  assumed ? "; some figures are assumed (hw show lists them)" : "");
}

/* Words of `text` in lines of at most `width`, continuation lines indented. */
static void put_wrapped(const char *text, int width, int indent, struct wl_buf *out)
{
    int at = indent;
    while (*text != '\0') {
        size_t word = strcspn(text, " ");
        if (at > indent && at + 1 + (int)word > width) {
            wl_buf_printf(out, "\n%*s", indent, "");
            at = indent;
        } else if (at > indent) {
            wl_buf_puts(out, " ");
            at++;
        }
        wl_buf_add(out, text, word);
        at += (int)word;
        text += word;
        text += strspn(text, " ");
    }
    wl_buf_puts(out, "\n");
}

static void put_diagnostics(const struct wl_result *r, int width, struct wl_buf *out)
{
    const int32_t shown = r->diags.count < 8 ? r->diags.count : 8;
    for (int32_t i = 0; i < shown; i++) {
        const struct wl_diag *d = &r->diags.items[i];
        wl_buf_printf(out, "  %-8s ", wl_severity_name(d->severity));
        struct wl_buf line;
        wl_buf_init(&line);
        wl_buf_printf(&line, "%s: %s", d->where, d->message);
        put_wrapped(line.failed ? d->message : line.data, width, 11, out);
        wl_buf_done(&line);
    }
    int32_t more = r->diags.count - shown + r->diags.dropped;
    if (more > 0) {
        wl_buf_printf(out, "  %d more diagnostics: --format json lists them\n", (int)more);
    }
}

static wl_status put_summary(const struct wl_result *r, const char *model_name,
                             const struct wl_report_options *opt, struct wl_buf *out,
                             struct wl_error *err)
{
    put_header(r, model_name, opt->width, out);
    put_answer(r, out);
    WL_TRY(put_top(r, opt->width, out, err));
    put_work(r, out);
    put_coverage(r, out);
    put_diagnostics(r, opt->width, out);
    return WL_OK;
}

wl_status wl_report_analysis_text(const struct wl_result *r, const char *model_name,
                                  const struct wl_report_options *opt, struct wl_buf *out,
                                  struct wl_error *err)
{
    static const struct {
        uint32_t view;
        wl_status (*print)(const struct wl_result *r, int width, struct wl_buf *out,
                           struct wl_error *err);
    } views[] = {{WL_VIEW_LAYERS, wl_text_layers},
                 {WL_VIEW_ENERGY, wl_text_energy},
                 {WL_VIEW_ROOFLINE, wl_text_roofline},
                 {WL_VIEW_MEMORY, wl_text_memory},
                 {WL_VIEW_CONCURRENCY, wl_text_concurrency}};
    bool printed = false;
    if ((opt->views & WL_VIEW_SUMMARY) != 0) {
        WL_TRY(put_summary(r, model_name, opt, out, err));
        printed = true;
    }
    for (size_t i = 0; i < WL_ARRAY_LEN(views); i++) {
        if ((opt->views & views[i].view) != 0) {
            wl_buf_puts(out, printed ? "\n" : "");
            WL_TRY(views[i].print(r, opt->width, out, err));
            printed = true;
        }
    }
    if (opt->advice != NULL) {
        wl_buf_puts(out, printed ? "\n" : "");
        WL_TRY(wl_text_advice(opt->advice, opt->width, out, err));
    }
    return WL_OK;
}
