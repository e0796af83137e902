/* SPDX-License-Identifier: Apache-2.0 */
/* report/sweep_summary.c: what a sweep found, per series of batches. */
#include <stdio.h>
#include <string.h>

#include "report_priv.h"
#include "sweep.h"

#define SERIES_MAX 2000
#define BATCHES_MAX 64
#define CELL 64

struct batch_point {
    int64_t batch;
    double latency_s, throughput, energy_j, edp;
    bool dram_bound, fits;
};

struct series {
    char label[192];
    struct batch_point points[BATCHES_MAX];
    int32_t count;
    int32_t failed;
    char reason[160];
};

struct wl_sweep_summary {
    struct wl_arena arena;
    struct wl_strmap labels;
    struct series *series[SERIES_MAX];
    int32_t count;
    int64_t points, failed;
    bool cut;
};

struct wl_sweep_summary *wl_sweep_summary_new(void)
{
    struct wl_sweep_summary *s = wl_malloc(sizeof(*s));
    if (s == NULL) {
        return NULL;
    }
    memset(s, 0, sizeof(*s));
    wl_arena_init(&s->arena, 0);
    if (wl_strmap_init(&s->labels, &s->arena) != WL_OK) {
        wl_sweep_summary_free(s);
        return NULL;
    }
    return s;
}

void wl_sweep_summary_free(struct wl_sweep_summary *s)
{
    if (s != NULL) {
        wl_arena_done(&s->arena);
        wl_free(s);
    }
}

static struct series *series_of(struct wl_sweep_summary *s, const struct wl_grid_row *row)
{
    char label[192];
    bool mode = row->power_mode[0] != '\0' && strcmp(row->power_mode, "default") != 0;
    (void)snprintf(label, sizeof(label), "%s %s%s%s %s %s%s%s", row->model, row->device,
                   mode ? ":" : "", mode ? row->power_mode : "", wl_precision_name(row->precision),
                   row->fusion, row->dims[0] != '\0' ? " " : "", row->dims);
    int32_t id = wl_strmap_find(&s->labels, wl_str(label));
    if (id != WL_NONE) {
        return s->series[id];
    }
    if (s->count >= SERIES_MAX) {
        s->cut = true;
        return NULL;
    }
    struct series *x = WL_NEW(&s->arena, struct series);
    if (x == NULL || wl_strmap_add(&s->labels, wl_str(label)) != s->count) {
        s->cut = true;
        return NULL;
    }
    memcpy(x->label, label, sizeof(label));
    s->series[s->count++] = x;
    return x;
}

void wl_sweep_summary_add(struct wl_sweep_summary *s, const struct wl_grid_row *row)
{
    s->points++;
    s->failed += row->ok ? 0 : 1;
    struct series *x = series_of(s, row);
    if (x == NULL) {
        return;
    }
    if (!row->ok) {
        (void)snprintf(x->reason, sizeof(x->reason), "%.150s", row->error);
        x->failed++;
        return;
    }
    if (x->count >= BATCHES_MAX) {
        s->cut = true;
        return;
    }
    x->points[x->count++] =
        (struct batch_point){.batch = row->batch,
                             .latency_s = row->totals.latency_s,
                             .throughput = row->totals.throughput_per_s,
                             .energy_j = row->totals.energy_per_inference_j,
                             .edp = row->totals.energy_per_inference_j * row->totals.latency_s,
                             .dram_bound = row->totals.bound >= WL_BOUND_LEVEL,
                             .fits = row->fits};
}

enum metric { BY_LATENCY, BY_THROUGHPUT, BY_ENERGY, BY_EDP };

static double value(const struct batch_point *p, enum metric m)
{
    switch (m) {
    case BY_LATENCY:
        return p->latency_s;
    case BY_THROUGHPUT:
        return -p->throughput;
    case BY_ENERGY:
        return p->energy_j;
    case BY_EDP:
        return p->edp;
    }
    return 0;
}

static const struct batch_point *best(const struct series *x, enum metric m)
{
    const struct batch_point *found = &x->points[0];
    for (int32_t i = 1; i < x->count; i++) {
        if (value(&x->points[i], m) < value(found, m)) {
            found = &x->points[i];
        }
    }
    return found;
}

/* Smallest batch within 10 % of the best throughput. */
static int64_t knee(const struct series *x)
{
    double most = best(x, BY_THROUGHPUT)->throughput;
    int64_t smallest = INT64_MAX;
    for (int32_t i = 0; i < x->count; i++) {
        if (x->points[i].throughput >= 0.9 * most && x->points[i].batch < smallest) {
            smallest = x->points[i].batch;
        }
    }
    return smallest;
}

static void free_of_memory(const struct series *x, char *out, size_t size)
{
    int64_t smallest = INT64_MAX;
    for (int32_t i = 0; i < x->count; i++) {
        if (!x->points[i].dram_bound && x->points[i].batch < smallest) {
            smallest = x->points[i].batch;
        }
    }
    (void)wl_text(out, size, smallest == INT64_MAX ? "never" : "%lld", (long long)smallest);
}

static void summary_row(const struct series *x, struct wl_table *t)
{
    char a[CELL], b[CELL], c[CELL], d[CELL], e[CELL], f[CELL], number[CELL];
    const struct batch_point *fast = best(x, BY_LATENCY);
    const struct batch_point *much = best(x, BY_THROUGHPUT);
    const struct batch_point *lean = best(x, BY_ENERGY);
    free_of_memory(x, f, sizeof(f));
    const char *cells[] = {x->label,
                           wl_text(a, sizeof(a), "%lld (%s)", (long long)fast->batch,
                                   wl_format_si(fast->latency_s, "s", number, sizeof(number))),
                           wl_text(b, sizeof(b), "%lld (%s/s)", (long long)much->batch,
                                   wl_format_si(much->throughput, "", number, sizeof(number))),
                           wl_text(c, sizeof(c), "%lld (%s)", (long long)lean->batch,
                                   wl_format_si(lean->energy_j, "J", number, sizeof(number))),
                           wl_text(d, sizeof(d), "%lld", (long long)best(x, BY_EDP)->batch),
                           wl_text(e, sizeof(e), "%lld", (long long)knee(x)),
                           f};
    wl_table_row(t, cells);
}

wl_status wl_sweep_summary_print(const struct wl_sweep_summary *s, int width, struct wl_buf *out,
                                 struct wl_error *err)
{
    static const char *const headings[] = {
        "best batch for", "latency", "throughput", "energy", "EDP", "knee", "off memory"};
    struct wl_table t;
    wl_buf_printf(out, "%lld points, %lld could not run\n", (long long)s->points,
                  (long long)s->failed);
    if (wl_table_init(&t, WL_ARRAY_LEN(headings), headings, "lrrrrrr") != WL_OK) {
        return wl_fail_nomem(err);
    }
    for (int32_t i = 0; i < s->count; i++) {
        if (s->series[i]->count > 0) {
            summary_row(s->series[i], &t);
        }
    }
    wl_table_print(&t, width, true, "  ", out);
    wl_table_done(&t);
    for (int32_t i = 0; i < s->count; i++) {
        if (s->series[i]->failed > 0) {
            wl_buf_printf(out, "  %s: %d failed: %s\n", s->series[i]->label,
                          (int)s->series[i]->failed, s->series[i]->reason);
        }
    }
    wl_buf_puts(out, "  knee: smallest batch within 10 % of the best throughput; off memory: first "
                     "batch not bound\n  by a memory level\n");
    if (s->cut) {
        wl_buf_puts(out,
                    "  more series or batches than the summary keeps; the file has them all\n");
    }
    return WL_OK;
}
