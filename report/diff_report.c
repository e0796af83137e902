/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report/diff_report.c: a difference as text (one screen), JSON, CSV and Markdown. Text and
 * Markdown list the subgraphs whose time differs most, in the order of the model; JSON and CSV list
 * all.
 */
#include <math.h>
#include <string.h>

#include "diff.h"
#include "report_priv.h"

#define CELL 64
#define LISTED 16

/* ---- numbers -----------------------------------------------------------------------------------
 */

static bool ends_with(const char *key, const char *tail)
{
    size_t len = strlen(key);
    size_t n = strlen(tail);
    return len >= n && strcmp(key + len - n, tail) == 0;
}

/* A figure in the unit that its key names. */
static const char *figure(const char *key, double v, char *out, size_t size)
{
    if (isnan(v)) {
        return "-";
    }
    if (strcmp(key, "utilization") == 0 || strcmp(key, "efficiency") == 0) {
        return wl_format_percent(v, out, size);
    }
    const char *unit = ends_with(key, "_per_s")      ? "/s"
                       : ends_with(key, "_per_byte") ? ""
                       : ends_with(key, "_s")        ? "s"
                       : ends_with(key, "_j")        ? "J"
                       : ends_with(key, "_w")        ? "W"
                       : ends_with(key, "_bytes")    ? "B"
                                                     : "";
    return wl_format_si(v, unit, out, size);
}

static const char *change_text(const struct wl_diff_value *v, char *out, size_t size)
{
    if (isnan(v->change)) {
        return "";
    }
    if (v->change == 0) {
        return "=";
    }
    if (isinf(v->change)) {
        return "from 0";
    }
    if (v->change >= 9) {
        return wl_text(out, size, "x %.3g", v->b / v->a);
    }
    return wl_text(out, size, "%+.1f %%", v->change * 100);
}

/* ---- what text and Markdown list ---------------------------------------------------------------
 */

static double weight(const struct wl_diff_subgraph *s)
{
    double a = isnan(s->values[0].a) ? 0 : s->values[0].a;
    double b = isnan(s->values[0].b) ? 0 : s->values[0].b;
    return s->status == WL_DIFF_SAME ? -1 : fabs(b - a);
}

/* What is listed: all that weigh more than `least`, and the first `ties` of those that weigh that.
 */
struct listing {
    bool all;
    double least;
    int32_t ties;
};

static struct listing listing_of(const struct wl_diff *d, bool all)
{
    double top[LISTED];
    int32_t count = 0;
    struct listing l = {.all = all, .least = -1};
    for (int32_t i = 0; i < d->subgraph_count; i++) {
        double w = weight(&d->subgraphs[i]);
        if (count == LISTED && w <= top[LISTED - 1]) {
            continue;
        }
        int32_t at = count < LISTED ? count++ : LISTED - 1;
        for (; at > 0 && top[at - 1] < w; at--) {
            top[at] = top[at - 1];
        }
        top[at] = w;
    }
    if (count == LISTED) {
        l.least = top[LISTED - 1];
        for (int32_t i = LISTED - 1; i >= 0 && top[i] <= l.least; i--) {
            l.ties++;
        }
    }
    return l;
}

static bool listed(struct listing *l, const struct wl_diff_subgraph *s)
{
    double w = weight(s);
    if (l->all) {
        return true;
    }
    if (s->status == WL_DIFF_SAME || w < l->least) {
        return false;
    }
    return w > l->least || l->ties-- > 0;
}

static const char *transition(const char *a, const char *b, char *out, size_t size)
{
    if (a == NULL || b == NULL || strcmp(a, b) == 0) {
        return a != NULL ? a : b != NULL ? b : "";
    }
    return wl_text(out, size, "%.28s -> %.28s", a, b);
}

static void put_counts(const struct wl_diff *d, struct wl_buf *out)
{
    wl_buf_printf(out, "%d subgraphs: %d changed, %d same, %d added, %d removed",
                  (int)d->subgraph_count, (int)d->by_status[WL_DIFF_CHANGED],
                  (int)d->by_status[WL_DIFF_SAME], (int)d->by_status[WL_DIFF_ADDED],
                  (int)d->by_status[WL_DIFF_REMOVED]);
}

/* ---- text ------------------------------------------------------------------------------------ */

static wl_status text_totals(const struct wl_diff *d, int width, struct wl_buf *out,
                             struct wl_error *err)
{
    static const char *const headings[] = {"total", "A", "B", "change"};
    struct wl_table t;
    char a[CELL], b[CELL], c[CELL];
    if (wl_table_init(&t, WL_ARRAY_LEN(headings), headings, "lrrr") != WL_OK) {
        return wl_fail_nomem(err);
    }
    for (int32_t i = 0; i < d->total_count; i++) {
        const struct wl_diff_value *v = &d->totals[i];
        const char *cells[] = {v->key, figure(v->key, v->a, a, sizeof(a)),
                               figure(v->key, v->b, b, sizeof(b)), change_text(v, c, sizeof(c))};
        wl_table_row(&t, cells);
    }
    const char *bottleneck[] = {
        "bottleneck", d->bottleneck_a == NULL ? "-" : d->bottleneck_a,
        d->bottleneck_b == NULL ? "-" : d->bottleneck_b,
        transition(d->bottleneck_a, d->bottleneck_b, c, sizeof(c)) == d->bottleneck_a ? "=" : ""};
    wl_table_row(&t, bottleneck);
    wl_table_print(&t, width, true, "  ", out);
    wl_table_done(&t);
    return WL_OK;
}

static void text_subgraph(const struct wl_diff_subgraph *s, struct wl_table *t)
{
    char a[CELL], b[CELL], c[CELL], d[CELL], e[CELL];
    const struct wl_diff_value *time = &s->values[0];
    const char *cells[] = {s->name,
                           wl_diff_status_name(s->status),
                           figure(time->key, time->a, a, sizeof(a)),
                           figure(time->key, time->b, b, sizeof(b)),
                           change_text(time, c, sizeof(c)),
                           change_text(&s->values[1], d, sizeof(d)),
                           transition(s->bound_a, s->bound_b, e, sizeof(e))};
    wl_table_row(t, cells);
}

static wl_status text_subgraphs(const struct wl_diff *d, const struct wl_report_options *opt,
                                bool all, struct wl_buf *out, struct wl_error *err)
{
    static const char *const headings[] = {"subgraph", "status", "time A",  "time B",
                                           "change",   "energy", "bound by"};
    struct wl_table t;
    struct listing l = listing_of(d, all);
    int32_t shown = 0;
    if (wl_table_init(&t, WL_ARRAY_LEN(headings), headings, "llrrrrl") != WL_OK) {
        return wl_fail_nomem(err);
    }
    for (int32_t i = 0; i < d->subgraph_count; i++) {
        if (listed(&l, &d->subgraphs[i])) {
            text_subgraph(&d->subgraphs[i], &t);
            shown++;
        }
    }
    wl_buf_puts(out, "\n  ");
    put_counts(d, out);
    wl_buf_puts(out, "\n");
    if (shown > 0) {
        wl_table_print(&t, opt->width, true, "  ", out);
    }
    wl_table_done(&t);
    int32_t left = d->subgraph_count - d->by_status[WL_DIFF_SAME] - shown;
    if (left > 0) {
        wl_buf_printf(out, "  %d more with smaller differences; --full lists them all\n",
                      (int)left);
    }
    return WL_OK;
}

static wl_status diff_text(const struct wl_diff *d, const struct wl_report_options *opt, bool all,
                           struct wl_buf *out, struct wl_error *err)
{
    wl_buf_printf(out, "A  %s\nB  %s\n\n", d->label_a, d->label_b);
    WL_TRY(text_totals(d, opt->width, out, err));
    return text_subgraphs(d, opt, all, out, err);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void json_pair(struct wl_emitter *e, const struct wl_diff_value *v)
{
    wl_json_num(e, "a", v->a);
    wl_json_num(e, "b", v->b);
    wl_json_num(e, "change", v->change);
}

static void json_texts(struct wl_emitter *e, const char *key, const char *a, const char *b)
{
    wl_json_object(e, key);
    wl_json_str(e, "a", a);
    wl_json_str(e, "b", b);
    wl_json_close(e, '}');
}

static void json_subgraph(struct wl_emitter *e, const struct wl_diff_subgraph *s)
{
    wl_json_object(e, NULL);
    wl_json_str(e, "name", s->name);
    wl_json_str(e, "status", wl_diff_status_name(s->status));
    for (int k = 0; k < WL_DIFF_SUBGRAPH_VALUES; k++) {
        wl_json_object(e, s->values[k].key);
        json_pair(e, &s->values[k]);
        wl_json_close(e, '}');
    }
    json_texts(e, "pattern", s->pattern_a, s->pattern_b);
    json_texts(e, "bottleneck", s->bound_a, s->bound_b);
    wl_json_close(e, '}');
}

static void diff_json(const struct wl_diff *d, struct wl_buf *out)
{
    struct wl_emitter e;
    wl_json_begin(&e, out);
    wl_json_int(&e, "schema_version", 1);
    wl_json_str(&e, "a", d->label_a);
    wl_json_str(&e, "b", d->label_b);
    wl_json_array(&e, "totals");
    for (int32_t i = 0; i < d->total_count; i++) {
        wl_json_object(&e, NULL);
        wl_json_str(&e, "key", d->totals[i].key);
        json_pair(&e, &d->totals[i]);
        wl_json_close(&e, '}');
    }
    wl_json_object(&e, NULL);
    wl_json_str(&e, "key", "bottleneck");
    wl_json_str(&e, "a", d->bottleneck_a);
    wl_json_str(&e, "b", d->bottleneck_b);
    wl_json_null(&e, "change");
    wl_json_close(&e, '}');
    wl_json_close(&e, ']');
    wl_json_array(&e, "subgraphs");
    for (int32_t i = 0; i < d->subgraph_count; i++) {
        json_subgraph(&e, &d->subgraphs[i]);
    }
    wl_json_close(&e, ']');
    wl_json_object(&e, "counts");
    for (int s = 0; s <= WL_DIFF_REMOVED; s++) {
        wl_json_int(&e, wl_diff_status_name((enum wl_diff_status)s), d->by_status[s]);
    }
    wl_json_close(&e, '}');
    wl_json_end(&e);
}

/* ---- CSV and Markdown ------------------------------------------------------------------------
 */

static void csv_value(const char *kind, const char *name, const char *status,
                      const struct wl_diff_value *v, struct wl_buf *out)
{
    wl_csv_str(out, true, kind);
    wl_csv_str(out, false, name);
    wl_csv_str(out, false, status);
    wl_csv_str(out, false, v->key);
    wl_csv_num(out, false, v->a);
    wl_csv_num(out, false, v->b);
    wl_csv_num(out, false, v->change);
    wl_buf_puts(out, "\r\n");
}

static void diff_csv(const struct wl_diff *d, struct wl_buf *out)
{
    wl_buf_puts(out, "kind,name,status,key,a,b,change\r\n");
    for (int32_t i = 0; i < d->total_count; i++) {
        const struct wl_diff_value *v = &d->totals[i];
        csv_value("total", "", v->change == 0 ? "same" : "changed", v, out);
    }
    for (int32_t i = 0; i < d->subgraph_count; i++) {
        const struct wl_diff_subgraph *s = &d->subgraphs[i];
        for (int k = 0; k < WL_DIFF_SUBGRAPH_VALUES; k++) {
            csv_value("subgraph", s->name, wl_diff_status_name(s->status), &s->values[k], out);
        }
    }
}

/* Markdown has its own meaning for pipes. */
static void md_text(struct wl_buf *out, const char *text)
{
    for (; text != NULL && *text != '\0'; text++) {
        wl_buf_puts(out, *text == '|' ? "\\" : "");
        wl_buf_add(out, text, 1);
    }
}

static void md_subgraph(const struct wl_diff_subgraph *s, struct wl_buf *out)
{
    char a[CELL], b[CELL], c[CELL], e[CELL];
    wl_buf_puts(out, "| ");
    md_text(out, s->name);
    wl_buf_printf(out, " | %s | %s | ", wl_diff_status_name(s->status),
                  figure("latency_s", s->values[0].a, a, sizeof(a)));
    wl_buf_printf(out, "%s | %s | ", figure("latency_s", s->values[0].b, b, sizeof(b)),
                  change_text(&s->values[0], c, sizeof(c)));
    wl_buf_printf(out, "%s | ", change_text(&s->values[1], c, sizeof(c)));
    md_text(out, transition(s->bound_a, s->bound_b, e, sizeof(e)));
    wl_buf_puts(out, " |\n");
}

static void diff_md(const struct wl_diff *d, bool all, struct wl_buf *out)
{
    char a[CELL], b[CELL], c[CELL];
    struct listing l = listing_of(d, all);
    wl_buf_puts(out, "**A** ");
    md_text(out, d->label_a);
    wl_buf_puts(out, "<br>\n**B** ");
    md_text(out, d->label_b);
    wl_buf_puts(out, "\n\n| total | A | B | change |\n|---|---:|---:|---:|\n");
    for (int32_t i = 0; i < d->total_count; i++) {
        const struct wl_diff_value *v = &d->totals[i];
        wl_buf_printf(out, "| %s | %s | %s | %s |\n", v->key, figure(v->key, v->a, a, sizeof(a)),
                      figure(v->key, v->b, b, sizeof(b)), change_text(v, c, sizeof(c)));
    }
    wl_buf_printf(out, "| bottleneck | %s | %s | |\n\n<details><summary>",
                  d->bottleneck_a == NULL ? "-" : d->bottleneck_a,
                  d->bottleneck_b == NULL ? "-" : d->bottleneck_b);
    put_counts(d, out);
    wl_buf_puts(out, "</summary>\n\n| subgraph | status | time A | time B | change | energy | "
                     "bound by |\n|---|---|---:|---:|---:|---:|---|\n");
    for (int32_t i = 0; i < d->subgraph_count; i++) {
        if (listed(&l, &d->subgraphs[i])) {
            md_subgraph(&d->subgraphs[i], out);
        }
    }
    wl_buf_puts(out, "\n</details>\n");
}

wl_status wl_report_diff(const struct wl_diff *d, const struct wl_report_options *opt, bool all,
                         struct wl_buf *out, struct wl_error *err)
{
    if (opt->format == WL_FORMAT_TEXT) {
        WL_TRY(diff_text(d, opt, all, out, err));
    } else if (opt->format == WL_FORMAT_JSON) {
        diff_json(d, out);
    } else if (opt->format == WL_FORMAT_CSV) {
        diff_csv(d, out);
    } else if (opt->format == WL_FORMAT_MD) {
        diff_md(d, all, out);
    } else {
        return wl_fail(err, WL_ERR_USAGE, "--format", "diff writes text, json, csv or md");
    }
    return out->failed ? wl_fail_nomem(err) : WL_OK;
}
