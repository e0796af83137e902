/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report/analysis_csv.c: one row per subgraph (RFC 4180); with the energy view one row per subgraph
 * and event. Also the Markdown form of an analysis, for pull requests and wikis.
 */
#include <string.h>

#include "report_priv.h"

static void subgraph_row(const struct wl_result *r, int32_t i, struct wl_buf *out)
{
    const struct wl_subgraph *s = &r->partition->subgraphs[i];
    const struct wl_mapping *m = &r->mappings.items[i];
    const struct wl_timing *t = &r->roofline.timings[i];
    const struct wl_energy_parts *e = &r->energy.parts[i];
    wl_csv_int(out, true, s->id);
    wl_csv_str(out, false, s->name);
    wl_csv_str(out, false, s->pattern);
    wl_csv_int(out, false, s->macs);
    wl_csv_int(out, false, s->flops);
    wl_csv_num(out, false, m->executed_ops);
    wl_csv_num(out, false, wl_report_bytes(r, s->inputs, s->input_count, s->repeat));
    wl_csv_num(out, false, wl_report_bytes(r, s->outputs, s->output_count, s->repeat));
    wl_csv_num(out, false, wl_report_bytes(r, s->weights, s->weight_count, s->repeat));
    wl_csv_num(out, false, wl_report_bytes(r, s->internal, s->internal_count, s->repeat));
    wl_csv_num(out, false, m->units_used);
    wl_csv_num(out, false, r->roofline.utilization[i]);
    wl_csv_num(out, false, t->latency_s);
    wl_csv_num(out, false, t->compute_s);
    wl_csv_num(out, false, t->memory_s);
    wl_csv_num(out, false, t->overhead_s);
    wl_csv_str(out, false, wl_bound_name(&r->device, t->bound));
    for (int c = 0; c < WL_CAT_COUNT; c++) {
        wl_csv_num(out, false, e->category_j[c]);
    }
    wl_csv_num(out, false, e->static_j);
    wl_csv_num(out, false, wl_energy_total_j(e));
    wl_csv_str(out, false, s->ended_because == NULL ? "" : s->ended_because);
    wl_buf_puts(out, "\r\n");
}

static void event_rows(const struct wl_result *r, int32_t i, struct wl_buf *out)
{
    const struct wl_mapping *m = &r->mappings.items[i];
    for (int32_t k = 0; k < m->event_count; k++) {
        const struct wl_event_count *ev = &m->events[k];
        const struct wl_event_info *info = wl_event_info((enum wl_event)ev->event);
        char name[64];
        double unit_pj = wl_energy_unit_pj(&r->device, (enum wl_event)ev->event, ev->precision);
        wl_csv_int(out, true, i);
        wl_csv_str(out, false, r->partition->subgraphs[i].name);
        wl_csv_str(out, false,
                   wl_energy_event_name(&r->device, (enum wl_event)ev->event, ev->precision, name,
                                        sizeof(name)));
        wl_csv_str(out, false, info->group);
        wl_csv_str(out, false, wl_category_name(info->category));
        wl_csv_num(out, false, ev->count);
        wl_csv_num(out, false, unit_pj);
        wl_csv_num(out, false, ev->count * unit_pj * 1e-12);
        wl_buf_puts(out, "\r\n");
    }
}

void wl_report_analysis_csv(const struct wl_result *r, const struct wl_report_options *opt,
                            struct wl_buf *out)
{
    bool events = (opt->views & WL_VIEW_ENERGY) != 0;
    wl_buf_puts(out, events
                         ? "id,name,event,group,category,count,unit_pj,energy_j\r\n"
                         : "id,name,pattern,macs,flops,executed_ops,input_bytes,output_bytes,"
                           "weight_bytes,internal_bytes,units_used,utilization,latency_s,compute_s,"
                           "memory_s,overhead_s,bottleneck,compute_j,memory_j,control_j,static_j,"
                           "total_j,ended_because\r\n");
    for (int32_t i = 0; i < r->partition->count; i++) {
        if (events) {
            event_rows(r, i, out);
        } else {
            subgraph_row(r, i, out);
        }
    }
}

/* ---- Markdown ---------------------------------------------------------------------------------
 */

static void md_cell(struct wl_buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        wl_buf_puts(out, *text == '|' ? "\\" : "");
        wl_buf_add(out, text, 1);
    }
    wl_buf_puts(out, " | ");
}

static void md_pair(struct wl_buf *out, const char *key, double value, const char *unit)
{
    char text[64];
    wl_buf_printf(out, "| %s | %s |\n", key, wl_format_si(value, unit, text, sizeof(text)));
}

wl_status wl_report_analysis_md(const struct wl_result *r, const char *model_name,
                                struct wl_buf *out, struct wl_error *err)
{
    const struct wl_totals *t = &r->totals;
    char a[64];
    char b[64];
    wl_buf_printf(out, "## %s on %s\n\n| quantity | value |\n|---|---:|\n", model_name,
                  r->device.name);
    md_pair(out, "latency", t->latency_s, "s");
    md_pair(out, "throughput", t->throughput_per_s, "/s");
    md_pair(out, "energy per inference", t->energy_per_inference_j, "J");
    md_pair(out, "average power", t->average_power_w, "W");
    md_pair(out, "peak memory", t->peak_memory_bytes, "B");
    md_pair(out, "MACs", (double)t->macs, "");
    wl_buf_printf(out, "| bottleneck | %s |\n\n", wl_bound_name(&r->device, t->bound));
    wl_buf_puts(out, "| id | subgraph | pattern | time | energy | bound by |\n"
                     "|---:|---|---|---:|---:|---|\n");
    for (int32_t i = 0; i < r->partition->count; i++) {
        const struct wl_subgraph *s = &r->partition->subgraphs[i];
        wl_buf_printf(out, "| %d | ", (int)i);
        md_cell(out, s->name);
        md_cell(out, s->pattern);
        md_cell(out, wl_format_si(r->roofline.timings[i].latency_s, "s", a, sizeof(a)));
        md_cell(out, wl_format_si(wl_energy_total_j(&r->energy.parts[i]), "J", b, sizeof(b)));
        wl_buf_printf(out, "%s |\n", wl_bound_name(&r->device, r->roofline.timings[i].bound));
    }
    return out->failed ? wl_fail_nomem(err) : WL_OK;
}

wl_status wl_report_analysis(const struct wl_result *r, const char *model_name,
                             const struct wl_report_options *opt, struct wl_buf *out,
                             struct wl_error *err)
{
    switch (opt->format) {
    case WL_FORMAT_TEXT:
        WL_TRY(wl_report_analysis_text(r, model_name, opt, out, err));
        break;
    case WL_FORMAT_JSON:
        wl_report_analysis_json(r, model_name, opt->advice, out);
        break;
    case WL_FORMAT_CSV:
        wl_report_analysis_csv(r, opt, out);
        break;
    case WL_FORMAT_MD:
        WL_TRY(wl_report_analysis_md(r, model_name, out, err));
        break;
    case WL_FORMAT_TRACE:
        wl_report_analysis_trace(r, model_name, out);
        break;
    case WL_FORMAT_DOT:
    case WL_FORMAT_COUNT:
        return wl_fail(err, WL_ERR_USAGE, "--format",
                       "analyze writes text, json, csv, md or trace; dot is a format of graph");
    }
    return out->failed ? wl_fail_nomem(err) : WL_OK;
}
