/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report/compare_views.c: the insides of several results side by side. Subgraphs are paired by name
 * (devices may fuse differently, so a name may be missing on some); energy is grouped by what it
 * was spent on and related to the model's nominal MACs, so that devices of any size compare.
 */
#include <string.h>

#include "compare.h"
#include "report_priv.h"

#define CELL 64
#define TEXT_COLUMNS 4 /* results that fit beside each other */
#define LABEL_WIDTH 20 /* of a column's heading */
#define GROUPS_MAX 64

/* ---- which rows have results ------------------------------------------------------------------
 */

/* Rows with a result, in order; returns how many. */
static int32_t with_results(const struct wl_comparison *c, int32_t *out, int32_t most)
{
    int32_t count = 0;
    for (int32_t i = 0; c->results != NULL && i < c->count && count < most; i++) {
        if (c->results[i] != NULL) {
            out[count++] = i;
        }
    }
    return count;
}

/* ---- subgraphs by name ------------------------------------------------------------------------
 */

struct names {
    struct wl_strmap map;
    int32_t *ids; /* by name x shown row: subgraph id or WL_NONE */
    int32_t rows;
};

static wl_status collect_names(const struct wl_comparison *c, const int32_t *rows, int32_t count,
                               struct wl_arena *arena, struct names *n)
{
    int64_t most = 0;
    WL_TRY(wl_strmap_init(&n->map, arena));
    for (int32_t k = 0; k < count; k++) {
        const struct wl_partition *p = c->results[rows[k]]->partition;
        most += p->count;
        for (int32_t i = 0; i < p->count; i++) {
            if (wl_strmap_add(&n->map, wl_str(p->subgraphs[i].name)) == WL_NONE) {
                return WL_ERR_NOMEM;
            }
        }
    }
    n->rows = count;
    n->ids = wl_arena_array(arena, (size_t)(most + 1) * (size_t)count, sizeof(*n->ids));
    if (n->ids == NULL) {
        return WL_ERR_NOMEM;
    }
    for (int32_t i = 0; i < n->map.count * count; i++) {
        n->ids[i] = WL_NONE;
    }
    for (int32_t k = 0; k < count; k++) {
        const struct wl_partition *p = c->results[rows[k]]->partition;
        for (int32_t i = 0; i < p->count; i++) {
            n->ids[wl_strmap_find(&n->map, wl_str(p->subgraphs[i].name)) * count + k] = i;
        }
    }
    return WL_OK;
}

static const char *layer_cell(const struct wl_result *r, int32_t id, char *out, size_t size)
{
    char number[CELL];
    if (id == WL_NONE) {
        return "-";
    }
    const struct wl_timing *t = &r->roofline.timings[id];
    return wl_text(out, size, "%s %.8s", wl_format_si(t->latency_s, "s", number, sizeof(number)),
                   wl_bound_name(&r->device, t->bound));
}

/* "subgraph", then a column for each shown row. */
static wl_status begin_table(const struct wl_comparison *c, const char *first, const int32_t *rows,
                             int32_t count, struct wl_table *t)
{
    const char *headings[TEXT_COLUMNS + 1] = {first};
    char labels[TEXT_COLUMNS][CELL * 2];
    static const char alignment[] = "lrrrr";
    char alignment_here[TEXT_COLUMNS + 2];
    memcpy(alignment_here, alignment, sizeof(alignment_here));
    alignment_here[count + 1] = '\0';
    for (int32_t k = 0; k < count; k++) {
        (void)wl_compare_label(c, rows[k], labels[k], LABEL_WIDTH + 1);
        headings[k + 1] = labels[k];
    }
    return wl_table_init(t, count + 1, headings, alignment_here);
}

static void put_left_out(const struct wl_comparison *c, int32_t shown, struct wl_buf *out)
{
    int32_t have = 0;
    for (int32_t i = 0; i < c->count; i++) {
        have += c->results[i] != NULL ? 1 : 0;
    }
    if (have > shown) {
        wl_buf_printf(out, "  %d more rows; --format json and csv have them all\n",
                      (int)(have - shown));
    }
}

static wl_status layers_text_in(const struct wl_comparison *c, int width, struct wl_arena *arena,
                                struct wl_buf *out)
{
    int32_t rows[TEXT_COLUMNS];
    char cells_text[TEXT_COLUMNS][CELL];
    struct names n;
    struct wl_table t;
    int32_t count = with_results(c, rows, TEXT_COLUMNS);
    WL_TRY(collect_names(c, rows, count, arena, &n));
    WL_TRY(begin_table(c, "subgraph", rows, count, &t));
    for (int32_t i = 0; i < n.map.count; i++) {
        const char *cells[TEXT_COLUMNS + 1] = {n.map.names[i].data};
        for (int32_t k = 0; k < count; k++) {
            cells[k + 1] = layer_cell(c->results[rows[k]], n.ids[i * count + k], cells_text[k],
                                      sizeof(cells_text[k]));
        }
        wl_table_row(&t, cells);
    }
    wl_buf_puts(out, "\n");
    wl_table_print(&t, width, true, "  ", out);
    wl_table_done(&t);
    put_left_out(c, count, out);
    return WL_OK;
}

static void json_layer(struct wl_emitter *e, const struct wl_comparison *c, int32_t row, int32_t id)
{
    const struct wl_result *r = c->results[row];
    if (id == WL_NONE) {
        wl_json_null(e, NULL);
        return;
    }
    wl_json_object(e, NULL);
    wl_json_str(e, "hardware", c->rows[row].device);
    wl_json_str(e, "model", c->rows[row].model);
    wl_json_num(e, "latency_s", r->roofline.timings[id].latency_s);
    wl_json_num(e, "energy_j", wl_energy_total_j(&r->energy.parts[id]));
    wl_json_num(e, "utilization", r->roofline.utilization[id]);
    wl_json_str(e, "bottleneck", wl_bound_name(&r->device, r->roofline.timings[id].bound));
    wl_json_close(e, '}');
}

static wl_status layers_json_in(const struct wl_comparison *c, struct wl_arena *arena,
                                struct wl_emitter *e)
{
    int32_t *rows = WL_ARRAY(arena, int32_t, c->count + 1);
    struct names n;
    if (rows == NULL) {
        return WL_ERR_NOMEM;
    }
    int32_t count = with_results(c, rows, c->count);
    WL_TRY(collect_names(c, rows, count, arena, &n));
    wl_json_array(e, "layers");
    for (int32_t i = 0; i < n.map.count; i++) {
        wl_json_object(e, NULL);
        wl_json_strn(e, "name", n.map.names[i]);
        wl_json_array(e, "rows");
        for (int32_t k = 0; k < count; k++) {
            json_layer(e, c, rows[k], n.ids[i * count + k]);
        }
        wl_json_close(e, ']');
        wl_json_close(e, '}');
    }
    wl_json_close(e, ']');
    return WL_OK;
}

void wl_compare_layers_csv(const struct wl_comparison *c, struct wl_buf *out)
{
    wl_buf_puts(out, "model,hardware,id,name,pattern,macs,latency_s,energy_j,utilization,"
                     "bottleneck\r\n");
    for (int32_t row = 0; row < c->count; row++) {
        const struct wl_result *r = c->results[row];
        for (int32_t i = 0; r != NULL && i < r->partition->count; i++) {
            const struct wl_subgraph *s = &r->partition->subgraphs[i];
            wl_csv_str(out, true, c->rows[row].model);
            wl_csv_str(out, false, c->rows[row].device);
            wl_csv_int(out, false, i);
            wl_csv_str(out, false, s->name);
            wl_csv_str(out, false, s->pattern);
            wl_csv_int(out, false, s->macs);
            wl_csv_num(out, false, r->roofline.timings[i].latency_s);
            wl_csv_num(out, false, wl_energy_total_j(&r->energy.parts[i]));
            wl_csv_num(out, false, r->roofline.utilization[i]);
            wl_csv_str(out, false, wl_bound_name(&r->device, r->roofline.timings[i].bound));
            wl_buf_puts(out, "\r\n");
        }
    }
}

/* ---- energy by group --------------------------------------------------------------------------
 */

struct group {
    enum wl_category category;
    const char *name;
};

static int32_t find_groups(const struct wl_comparison *c, const int32_t *rows, int32_t count,
                           struct group groups[GROUPS_MAX])
{
    int32_t found = 0;
    for (int cat = 0; cat < WL_CAT_COUNT; cat++) {
        for (int32_t k = 0; k < count; k++) {
            const struct wl_energy *energy = &c->results[rows[k]]->energy;
            for (int32_t i = 0; i < energy->row_count; i++) {
                const struct wl_event_info *info = wl_event_info(energy->rows[i].event);
                bool known = (int)info->category != cat || found == GROUPS_MAX;
                for (int32_t g = 0; !known && g < found; g++) {
                    known =
                        (int)groups[g].category == cat && strcmp(groups[g].name, info->group) == 0;
                }
                if (!known) {
                    groups[found++] = (struct group){(enum wl_category)cat, info->group};
                }
            }
        }
    }
    return found;
}

static double group_j(const struct wl_result *r, const struct group *g)
{
    double sum = 0;
    for (int32_t i = 0; i < r->energy.row_count; i++) {
        const struct wl_event_info *info = wl_event_info(r->energy.rows[i].event);
        if (info->category == g->category && strcmp(info->group, g->name) == 0) {
            sum += r->energy.rows[i].energy_j;
        }
    }
    return sum;
}

static double per_mac_pj(const struct wl_result *r, double joules)
{
    return r->totals.macs > 0 ? joules * 1e12 / (double)r->totals.macs : 0;
}

static const char *energy_cell(const struct wl_result *r, double joules, char *out, size_t size)
{
    char share[CELL];
    if (joules == 0) {
        return "-";
    }
    return wl_text(out, size, "%.3g %6s", per_mac_pj(r, joules),
                   wl_format_percent(joules / r->totals.energy_j, share, sizeof(share)));
}

static void energy_row(const struct wl_comparison *c, const int32_t *rows, int32_t count,
                       const char *label, const double *joules, struct wl_table *t)
{
    char cells_text[TEXT_COLUMNS][CELL];
    const char *cells[TEXT_COLUMNS + 1] = {label};
    for (int32_t k = 0; k < count; k++) {
        cells[k + 1] =
            energy_cell(c->results[rows[k]], joules[k], cells_text[k], sizeof(cells_text[k]));
    }
    wl_table_row(t, cells);
}

/* A category with its groups indented below it. */
static void energy_category(const struct wl_comparison *c, const int32_t *rows, int32_t count,
                            int cat, const struct group *groups, int32_t group_count,
                            struct wl_table *t)
{
    double joules[TEXT_COLUMNS];
    char label[CELL];
    for (int32_t k = 0; k < count; k++) {
        joules[k] = c->results[rows[k]]->energy.total.category_j[cat];
    }
    energy_row(c, rows, count, wl_category_name((enum wl_category)cat), joules, t);
    for (int32_t g = 0; g < group_count; g++) {
        if ((int)groups[g].category == cat) {
            for (int32_t k = 0; k < count; k++) {
                joules[k] = group_j(c->results[rows[k]], &groups[g]);
            }
            energy_row(c, rows, count, wl_text(label, sizeof(label), "  %s", groups[g].name),
                       joules, t);
        }
    }
}

static wl_status energy_text(const struct wl_comparison *c, int width, struct wl_buf *out)
{
    int32_t rows[TEXT_COLUMNS];
    double fixed[TEXT_COLUMNS];
    double total[TEXT_COLUMNS];
    struct group groups[GROUPS_MAX];
    struct wl_table t;
    int32_t count = with_results(c, rows, TEXT_COLUMNS);
    int32_t group_count = find_groups(c, rows, count, groups);
    WL_TRY(begin_table(c, "pJ per MAC, share", rows, count, &t));
    for (int cat = 0; cat < WL_CAT_COUNT; cat++) {
        energy_category(c, rows, count, cat, groups, group_count, &t);
    }
    for (int32_t k = 0; k < count; k++) {
        fixed[k] = c->results[rows[k]]->energy.total.static_j;
        total[k] = c->results[rows[k]]->totals.energy_j;
    }
    energy_row(c, rows, count, "static", fixed, &t);
    energy_row(c, rows, count, "all", total, &t);
    wl_buf_puts(out, "\n");
    wl_table_print(&t, width, true, "  ", out);
    wl_table_done(&t);
    put_left_out(c, count, out);
    return WL_OK;
}

static void json_energy_line(struct wl_emitter *e, const struct wl_result *r, const char *category,
                             const char *group, double joules)
{
    wl_json_object(e, NULL);
    wl_json_str(e, "category", category);
    wl_json_str(e, "group", group);
    wl_json_num(e, "energy_j", joules);
    wl_json_num(e, "pj_per_mac", per_mac_pj(r, joules));
    wl_json_close(e, '}');
}

static void energy_json(const struct wl_comparison *c, struct wl_emitter *e)
{
    wl_json_array(e, "energy");
    for (int32_t row = 0; row < c->count; row++) {
        struct group groups[GROUPS_MAX];
        const struct wl_result *r = c->results[row];
        if (r == NULL) {
            wl_json_null(e, NULL);
            continue;
        }
        int32_t count = find_groups(c, &row, 1, groups);
        wl_json_object(e, NULL);
        wl_json_str(e, "hardware", c->rows[row].device);
        wl_json_str(e, "model", c->rows[row].model);
        wl_json_array(e, "groups");
        for (int32_t g = 0; g < count; g++) {
            json_energy_line(e, r, wl_category_name(groups[g].category), groups[g].name,
                             group_j(r, &groups[g]));
        }
        json_energy_line(e, r, "static", "static", r->energy.total.static_j);
        wl_json_close(e, ']');
        wl_json_close(e, '}');
    }
    wl_json_close(e, ']');
}

void wl_compare_energy_csv(const struct wl_comparison *c, struct wl_buf *out)
{
    wl_buf_puts(out, "model,hardware,category,group,energy_j,pj_per_mac\r\n");
    for (int32_t row = 0; row < c->count; row++) {
        struct group groups[GROUPS_MAX];
        const struct wl_result *r = c->results[row];
        int32_t count = r == NULL ? -1 : find_groups(c, &row, 1, groups);
        for (int32_t g = 0; g <= count; g++) {
            double joules = g == count ? r->energy.total.static_j : group_j(r, &groups[g]);
            wl_csv_str(out, true, c->rows[row].model);
            wl_csv_str(out, false, c->rows[row].device);
            wl_csv_str(out, false, g == count ? "static" : wl_category_name(groups[g].category));
            wl_csv_str(out, false, g == count ? "static" : groups[g].name);
            wl_csv_num(out, false, joules);
            wl_csv_num(out, false, per_mac_pj(r, joules));
            wl_buf_puts(out, "\r\n");
        }
    }
}

/* ---- views -------------------------------------------------------------------------------------
 */

wl_status wl_compare_views_text(const struct wl_comparison *c, const struct wl_report_options *opt,
                                struct wl_buf *out, struct wl_error *err)
{
    struct wl_arena arena;
    wl_arena_init(&arena, 0);
    wl_status status = WL_OK;
    if ((opt->views & WL_VIEW_LAYERS) != 0) {
        status = layers_text_in(c, opt->width, &arena, out);
    }
    if (status == WL_OK && (opt->views & WL_VIEW_ENERGY) != 0) {
        status = energy_text(c, opt->width, out);
    }
    wl_arena_done(&arena);
    return status == WL_OK ? WL_OK : wl_fail_nomem(err);
}

void wl_compare_views_json(const struct wl_comparison *c, const struct wl_report_options *opt,
                           struct wl_emitter *e)
{
    struct wl_arena arena;
    wl_arena_init(&arena, 0);
    if ((opt->views & WL_VIEW_LAYERS) != 0 && layers_json_in(c, &arena, e) != WL_OK) {
        e->out->failed = true;
    }
    if ((opt->views & WL_VIEW_ENERGY) != 0) {
        energy_json(c, e);
    }
    wl_arena_done(&arena);
}
