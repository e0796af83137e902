/* SPDX-License-Identifier: Apache-2.0 */
/* report/text_views.c: the views behind the summary: layers, energy, memory, concurrency. */
#include <math.h>
#include <string.h>

#include "report_priv.h"

#define CELL 64
#define BAR 18

static wl_status table_begin(struct wl_table *t, int32_t columns, const char *const *headings,
                             const char *alignment, struct wl_error *err)
{
    return wl_table_init(t, columns, headings, alignment) == WL_OK ? WL_OK : wl_fail_nomem(err);
}

/* A bar of eighths: U+2588 and its narrower forms. */
static const char *bar(double share, char *out, size_t size)
{
    static const char *const eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    int units = (int)lround((share < 0 ? 0 : share > 1 ? 1 : share) * BAR * 8);
    size_t at = 0;
    out[0] = '\0';
    for (int i = 0; i < units / 8 && at + 8 < size; i++) {
        memcpy(out + at, "█", sizeof("█"));
        at += sizeof("█") - 1;
    }
    if (at + 8 < size) {
        memcpy(out + at, eighths[units % 8], strlen(eighths[units % 8]) + 1);
    }
    return out;
}

/* ---- layers ---------------------------------------------------------------------------------- */

static void layer_row(const struct wl_result *r, int32_t i, struct wl_table *t)
{
    char id[CELL], time[CELL], compute[CELL], memory[CELL], over[CELL], used[CELL], energy[CELL];
    const struct wl_subgraph *s = &r->partition->subgraphs[i];
    const struct wl_timing *x = &r->roofline.timings[i];
    const char *cells[] = {
        wl_text(id, sizeof(id), "%d", (int)i),
        s->name,
        s->pattern,
        wl_format_si(x->latency_s, "s", time, sizeof(time)),
        wl_format_si(x->compute_s, "s", compute, sizeof(compute)),
        wl_format_si(x->memory_s, "s", memory, sizeof(memory)),
        wl_format_si(x->overhead_s, "s", over, sizeof(over)),
        wl_format_percent(r->roofline.utilization[i], used, sizeof(used)),
        wl_format_si(wl_energy_total_j(&r->energy.parts[i]), "J", energy, sizeof(energy)),
        wl_bound_name(&r->device, x->bound)};
    wl_table_row(t, cells);
}

/* A line below each row: how the mapper laid it out and what that costs. */
static void put_with_notes(const struct wl_result *r, const struct wl_buf *table, int width,
                           struct wl_buf *out)
{
    const char *at = table->data;
    for (int32_t i = -1; at != NULL && *at != '\0'; i++) {
        size_t len = strcspn(at, "\n") + 1;
        wl_buf_add(out, at, len);
        at += len;
        char note[160];
        if (i >= 0 && wl_report_note(r, i, note, sizeof(note)) != NULL) {
            wl_buf_printf(out, "      %.*s\n", width - 6, note);
        }
    }
}

wl_status wl_text_layers(const struct wl_result *r, int width, struct wl_buf *out,
                         struct wl_error *err)
{
    static const char *const headings[] = {"id",     "subgraph", "what", "time",   "compute",
                                           "memory", "over",     "peak", "energy", "bound by"};
    struct wl_table t;
    struct wl_buf table;
    WL_TRY(table_begin(&t, WL_ARRAY_LEN(headings), headings, "rllrrrrrrl", err));
    for (int32_t i = 0; i < r->roofline.count; i++) {
        layer_row(r, i, &t);
    }
    wl_buf_init(&table);
    wl_table_print(&t, width, true, "  ", &table);
    put_with_notes(r, &table, width, out);
    out->failed |= table.failed;
    wl_buf_done(&table);
    wl_table_done(&t);
    return WL_OK;
}

/* ---- energy ---------------------------------------------------------------------------------- */

static void ledger_row(const struct wl_result *r, const struct wl_ledger_row *row,
                       const char *group, struct wl_table *t)
{
    char count[CELL], unit[CELL], energy[CELL], share[CELL], picture[CELL * 2];
    double part = row->energy_j / r->totals.energy_j;
    const char *cells[] = {group,
                           row->name,
                           wl_category_name(wl_event_info(row->event)->category),
                           wl_format_si(row->count, "", count, sizeof(count)),
                           wl_text(unit, sizeof(unit), "%.3g", row->unit_pj),
                           wl_format_si(row->energy_j, "J", energy, sizeof(energy)),
                           wl_format_percent(part, share, sizeof(share)),
                           bar(part, picture, sizeof(picture))};
    wl_table_row(t, cells);
}

/* A line for the group above its events. */
static void group_row(const struct wl_result *r, int32_t first, struct wl_table *t)
{
    char energy[CELL], share[CELL], picture[CELL * 2];
    const struct wl_event_info *info = wl_event_info(r->energy.rows[first].event);
    double sum = 0;
    for (int32_t i = first; i < r->energy.row_count; i++) {
        bool same = strcmp(wl_event_info(r->energy.rows[i].event)->group, info->group) == 0;
        sum += same ? r->energy.rows[i].energy_j : 0;
    }
    double part = sum / r->totals.energy_j;
    const char *cells[] = {info->group,
                           "",
                           wl_category_name(info->category),
                           "",
                           "",
                           wl_format_si(sum, "J", energy, sizeof(energy)),
                           wl_format_percent(part, share, sizeof(share)),
                           bar(part, picture, sizeof(picture))};
    wl_table_row(t, cells);
}

/* Token ids that one run reads: elements of the input `input_ids`; 0 where there is none. */
static double tokens_of(const struct wl_result *r)
{
    const struct wl_graph *g = &r->model->graph;
    const struct wl_block *b = &g->blocks[0];
    for (int32_t i = 0; i < b->input_count; i++) {
        const struct wl_tensor *t = &g->tensors[b->inputs[i]];
        double count = 1;
        for (int32_t k = 0; k < t->rank; k++) {
            count *= wl_dim_is_known(t->dims[k]) ? (double)t->dims[k].value : 0;
        }
        if (wl_str_eq(wl_tensor_name(g, b->inputs[i]), wl_str("input_ids"))) {
            return count;
        }
    }
    return 0;
}

static void put_energy_totals(const struct wl_result *r, struct wl_buf *out)
{
    const struct wl_totals *t = &r->totals;
    const struct wl_energy_parts *e = &r->energy.total;
    char a[CELL], b[CELL], c[CELL];
    wl_buf_printf(out, "  compute %s (with control), memory %s, static %s\n",
                  wl_format_si(e->category_j[WL_CAT_COMPUTE] + e->category_j[WL_CAT_CONTROL], "J",
                               a, sizeof(a)),
                  wl_format_si(e->category_j[WL_CAT_MEMORY], "J", b, sizeof(b)),
                  wl_format_si(e->static_j, "J", c, sizeof(c)));
    double watts = t->average_power_w > 0 ? t->average_power_w : 1;
    double flops_per_s = t->latency_s > 0 ? (double)t->flops / t->latency_s : 0;
    wl_buf_printf(out, "  total %s, dynamic share %s, wasted by idle units %s\n",
                  wl_format_si(t->energy_j, "J", a, sizeof(a)),
                  wl_format_percent(t->efficiency, b, sizeof(b)),
                  wl_format_si(r->energy.wasted_j, "J", c, sizeof(c)));
    wl_buf_printf(out, "  %s inferences/J, %s, average %s",
                  wl_format_si(1 / t->energy_per_inference_j, "", a, sizeof(a)),
                  wl_format_si(flops_per_s / watts, "FLOPS/W", b, sizeof(b)),
                  wl_format_si(t->average_power_w, "W", c, sizeof(c)));
    wl_buf_printf(out, ", peak %s\n", wl_format_si(t->peak_power_w, "W", a, sizeof(a)));
    double tokens = tokens_of(r);
    if (tokens > 0) {
        wl_buf_printf(out, "  %s tokens/J over the %.0f token%s that one run reads\n",
                      wl_format_si(tokens / t->energy_j, "", a, sizeof(a)), tokens,
                      tokens > 1 ? "s" : "");
    }
}

/* Largest first: the consumers; ties in schedule order. */
static int32_t *by_energy(const struct wl_result *r, struct wl_arena *scratch)
{
    int32_t n = r->energy.count;
    int32_t *order = WL_ARRAY(scratch, int32_t, n);
    for (int32_t i = 0; order != NULL && i < n; i++) {
        int32_t at = i;
        double own = wl_energy_total_j(&r->energy.parts[i]);
        while (at > 0 && wl_energy_total_j(&r->energy.parts[order[at - 1]]) < own) {
            order[at] = order[at - 1];
            at--;
        }
        order[at] = i;
    }
    return order;
}

#define CONSUMERS 20

static wl_status put_subgraph_energies(const struct wl_result *r, int width, struct wl_buf *out,
                                       struct wl_error *err)
{
    static const char *const headings[] = {"id",      "top consumers", "energy", "share", "compute",
                                           "control", "memory",        "static", "power"};
    struct wl_table t;
    wl_buf_puts(out, "\n");
    WL_TRY(table_begin(&t, WL_ARRAY_LEN(headings), headings, "rlrrrrrrr", err));
    const int32_t *order = by_energy(r, &t.arena);
    int32_t shown = r->energy.count < CONSUMERS ? r->energy.count : CONSUMERS;
    for (int32_t k = 0; order != NULL && k < shown; k++) {
        int32_t i = order[k];
        const struct wl_energy_parts *p = &r->energy.parts[i];
        double total = wl_energy_total_j(p);
        double seconds = r->roofline.timings[i].latency_s;
        char id[CELL], energy[CELL], share[CELL], parts[WL_CAT_COUNT][CELL], idle[CELL], w[CELL];
        for (int c = 0; c < WL_CAT_COUNT; c++) {
            (void)wl_format_si(p->category_j[c], "J", parts[c], sizeof(parts[c]));
        }
        const char *cells[] = {wl_text(id, sizeof(id), "%d", (int)i),
                               r->partition->subgraphs[i].name,
                               wl_format_si(total, "J", energy, sizeof(energy)),
                               wl_format_percent(total / r->totals.energy_j, share, sizeof(share)),
                               parts[WL_CAT_COMPUTE],
                               parts[WL_CAT_CONTROL],
                               parts[WL_CAT_MEMORY],
                               wl_format_si(p->static_j, "J", idle, sizeof(idle)),
                               wl_format_si(seconds > 0 ? total / seconds : 0, "W", w, sizeof(w))};
        wl_table_row(&t, cells);
    }
    wl_table_print(&t, width, true, "  ", out);
    wl_table_done(&t);
    if (r->energy.count > shown) {
        wl_buf_printf(out, "  %d more subgraphs: --view energy --format csv, or json\n",
                      (int)(r->energy.count - shown));
    }
    return WL_OK;
}

wl_status wl_text_energy(const struct wl_result *r, int width, struct wl_buf *out,
                         struct wl_error *err)
{
    static const char *const headings[] = {"group",   "event",  "category", "count",
                                           "unit pJ", "energy", "share",    ""};
    struct wl_table t;
    const char *group = "";
    WL_TRY(table_begin(&t, WL_ARRAY_LEN(headings), headings, "lllrrrrl", err));
    for (int32_t i = 0; i < r->energy.row_count; i++) {
        const char *own = wl_event_info(r->energy.rows[i].event)->group;
        bool same = strcmp(group, own) == 0;
        if (!same) {
            group_row(r, i, &t);
        }
        ledger_row(r, &r->energy.rows[i], "", &t);
        group = own;
    }
    char idle[CELL], energy[CELL], share[CELL], picture[CELL * 2];
    double part = r->energy.total.static_j / r->totals.energy_j;
    const char *cells[] = {"static",
                           wl_text(idle, sizeof(idle), "idle %.4g W x latency", r->device.idle_w),
                           "static",
                           "",
                           "",
                           wl_format_si(r->energy.total.static_j, "J", energy, sizeof(energy)),
                           wl_format_percent(part, share, sizeof(share)),
                           bar(part, picture, sizeof(picture))};
    wl_table_row(&t, cells);
    wl_table_print(&t, width, false, "  ", out);
    wl_table_done(&t);
    put_energy_totals(r, out);
    return put_subgraph_energies(r, width, out, err);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static void put_fits(const struct wl_result *r, struct wl_buf *out)
{
    wl_buf_puts(out, "  fits into");
    bool any = false;
    for (int32_t i = 0; i < r->device.level_count; i++) {
        if (r->memory.fits[i]) {
            wl_buf_printf(out, "%s %s", any ? "," : "", r->device.levels[i].name);
            any = true;
        }
    }
    wl_buf_puts(out, any ? "\n" : " no level of the device\n");
}

wl_status wl_text_memory(const struct wl_result *r, int width, struct wl_buf *out,
                         struct wl_error *err)
{
    static const char *const headings[] = {"id", "subgraph", "live", "of peak", ""};
    const struct wl_memory *m = &r->memory;
    char a[CELL], b[CELL], c[CELL], picture[CELL * 2];
    wl_buf_printf(out, "  peak %s (kB = 1000 bytes): weights %s, activations %s",
                  wl_format_si(m->peak_bytes, "B", a, sizeof(a)),
                  wl_format_si(m->weight_bytes, "B", b, sizeof(b)),
                  wl_format_si(m->activation_bytes, "B", c, sizeof(c)));
    wl_buf_printf(out, ", workspace %s, KV cache %s\n",
                  wl_format_si(m->workspace_bytes, "B", a, sizeof(a)),
                  wl_format_si(m->kv_bytes, "B", b, sizeof(b)));
    wl_buf_printf(out, "  activations planned into %s; most alive at once %s; unfused %s\n",
                  wl_format_si(m->planned_bytes, "B", a, sizeof(a)),
                  wl_format_si(m->lower_bound_bytes, "B", b, sizeof(b)),
                  wl_format_si(m->unfused_bytes, "B", c, sizeof(c)));
    put_fits(r, out);
    struct wl_table t;
    WL_TRY(table_begin(&t, WL_ARRAY_LEN(headings), headings, "rlrrl", err));
    for (int32_t i = 0; i < m->step_count; i++) {
        const struct wl_memory_step *step = &m->timeline[i];
        double share = m->peak_bytes > 0 ? step->live_bytes / m->peak_bytes : 0;
        const char *cells[] = {wl_text(a, sizeof(a), "%d", (int)step->subgraph),
                               r->partition->subgraphs[step->subgraph].name,
                               wl_format_si(step->live_bytes, "B", b, sizeof(b)),
                               wl_format_percent(share, c, sizeof(c)),
                               bar(share, picture, sizeof(picture))};
        wl_table_row(&t, cells);
    }
    wl_table_print(&t, width, true, "  ", out);
    wl_table_done(&t);
    return WL_OK;
}

/* ---- concurrency ------------------------------------------------------------------------------
 */

/* How many subgraphs stand on each level: "1 x 12, 2 x 3" says 12 levels of one and 3 of two. */
static void put_widths(const struct wl_result *r, struct wl_buf *out)
{
    const struct wl_partition *p = r->partition;
    for (int32_t width = 1, shown = 0; width <= p->max_width; width++) {
        int32_t levels = 0;
        for (int32_t l = 0; l < p->level_count; l++) {
            int32_t here = 0;
            for (int32_t i = 0; i < p->count; i++) {
                here += p->subgraphs[i].level == l;
            }
            levels += here == width;
        }
        if (levels > 0) {
            wl_buf_printf(out, "%s%d on %d level%s",
                          shown++ > 0 ? ", " : "  subgraphs side by side: ", (int)width,
                          (int)levels, levels > 1 ? "s" : "");
        }
    }
    wl_buf_puts(out, "\n");
}

wl_status wl_text_concurrency(const struct wl_result *r, int width, struct wl_buf *out,
                              struct wl_error *err)
{
    static const char *const headings[] = {"id", "on the critical path", "time", "share"};
    const struct wl_concurrency *c = &r->concurrency;
    char a[CELL], b[CELL];
    wl_buf_printf(out, "  %d subgraphs on %d levels, at most %d side by side\n",
                  (int)r->partition->count, (int)c->levels, (int)c->max_width);
    wl_buf_printf(out, "  critical path %s of %s: side by side at most %.2fx faster\n",
                  wl_format_si(c->critical_path_s, "s", a, sizeof(a)),
                  wl_format_si(r->totals.latency_s, "s", b, sizeof(b)), c->speedup_bound);
    put_widths(r, out);
    struct wl_table t;
    WL_TRY(table_begin(&t, WL_ARRAY_LEN(headings), headings, "rlrr", err));
    for (int32_t i = 0; i < c->critical_count; i++) {
        int32_t s = c->critical_path[i];
        char id[CELL];
        double latency_s = r->roofline.timings[s].latency_s;
        const char *cells[] = {wl_text(id, sizeof(id), "%d", (int)s),
                               r->partition->subgraphs[s].name,
                               wl_format_si(latency_s, "s", a, sizeof(a)),
                               wl_format_percent(latency_s / r->totals.latency_s, b, sizeof(b))};
        wl_table_row(&t, cells);
    }
    wl_table_print(&t, width, true, "  ", out);
    wl_table_done(&t);
    return WL_OK;
}
