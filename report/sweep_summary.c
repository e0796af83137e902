/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report/sweep_summary.c: what a sweep found: per series of batches the best ones and the knee, per
 * model the points that no other beats in latency, energy and power together. A series is named by
 * what differs between the series; what all share is said once.
 */
#include <stdio.h>
#include <string.h>

#include "report_priv.h"
#include "sweep.h"

#define SERIES_MAX 2000
#define BATCHES_MAX 64
#define FRONT_MAX 64
#define FRONT_SHOWN 8
#define FRONTS_MAX 64
#define CELL 64

/* What names a series; the device last, so that a narrow column cuts nothing else. */
enum part {
    PART_MODEL,
    PART_PRECISION,
    PART_FUSION,
    PART_DIMS,
    PART_MODE,
    PART_DEVICE,
    PART_COUNT
};

struct batch_point {
    int64_t batch;
    double latency_s, throughput, energy_j, edp;
    double dram_each, utilization;
    bool dram_bound, fits;
};

struct series {
    const char *parts[PART_COUNT];
    struct batch_point points[BATCHES_MAX];
    int32_t count;
    int32_t failed;
    char reason[160];
};

struct front_point {
    const struct series *series;
    int64_t batch;
    double latency_s, energy_j, power_w;
};

/* The Pareto front of one model at one set of dims. */
struct front {
    const char *model, *dims;
    struct front_point points[FRONT_MAX];
    int32_t count;
    bool cut;
};

struct wl_sweep_summary {
    struct wl_arena arena;
    struct wl_strmap labels;
    struct series *series[SERIES_MAX];
    int32_t count;
    struct front *fronts[FRONTS_MAX];
    int32_t front_count;
    int64_t points, failed, present;
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

static const char *keep(struct wl_sweep_summary *s, const char *text)
{
    const char *kept = wl_arena_strndup(&s->arena, text, strlen(text));
    return kept == NULL ? "" : kept;
}

static struct series *new_series(struct wl_sweep_summary *s, const struct wl_grid_row *row)
{
    struct series *x = WL_NEW(&s->arena, struct series);
    if (x != NULL) {
        x->parts[PART_MODEL] = keep(s, row->model);
        x->parts[PART_DEVICE] = keep(s, row->device);
        x->parts[PART_MODE] = keep(s, row->power_mode);
        x->parts[PART_PRECISION] = wl_precision_name(row->precision);
        x->parts[PART_FUSION] = keep(s, row->fusion);
        x->parts[PART_DIMS] = keep(s, row->dims);
    }
    return x;
}

static struct series *series_of(struct wl_sweep_summary *s, const struct wl_grid_row *row)
{
    char label[1024];
    (void)snprintf(label, sizeof(label), "%s|%s|%s|%s|%s|%s", row->model, row->device,
                   row->power_mode, wl_precision_name(row->precision), row->fusion, row->dims);
    int32_t id = wl_strmap_find(&s->labels, wl_str(label));
    if (id != WL_NONE) {
        return s->series[id];
    }
    if (s->count >= SERIES_MAX) {
        s->cut = true;
        return NULL;
    }
    struct series *x = new_series(s, row);
    if (x == NULL || wl_strmap_add(&s->labels, wl_str(label)) != s->count) {
        s->cut = true;
        return NULL;
    }
    s->series[s->count++] = x;
    return x;
}

/* ---- Pareto front ------------------------------------------------------------------------------
 */

static struct front *front_of(struct wl_sweep_summary *s, const struct series *x)
{
    for (int32_t i = 0; i < s->front_count; i++) {
        if (strcmp(s->fronts[i]->model, x->parts[PART_MODEL]) == 0 &&
            strcmp(s->fronts[i]->dims, x->parts[PART_DIMS]) == 0) {
            return s->fronts[i];
        }
    }
    struct front *f = s->front_count < FRONTS_MAX ? WL_NEW(&s->arena, struct front) : NULL;
    if (f == NULL) {
        s->cut = true;
        return NULL;
    }
    f->model = x->parts[PART_MODEL];
    f->dims = x->parts[PART_DIMS];
    s->fronts[s->front_count++] = f;
    return f;
}

/* a is nowhere worse than b; of two equal points the first stays. */
static bool covers(const struct front_point *a, const struct front_point *b)
{
    return a->latency_s <= b->latency_s && a->energy_j <= b->energy_j && a->power_w <= b->power_w;
}

static void front_add(struct front *f, struct front_point p)
{
    int32_t kept = 0;
    for (int32_t i = 0; i < f->count; i++) {
        if (covers(&f->points[i], &p)) {
            return;
        }
    }
    for (int32_t i = 0; i < f->count; i++) {
        if (!covers(&p, &f->points[i])) {
            f->points[kept++] = f->points[i];
        }
    }
    f->count = kept;
    if (f->count == FRONT_MAX) {
        f->cut = true;
        return;
    }
    int32_t at = f->count++;
    for (; at > 0 && f->points[at - 1].latency_s > p.latency_s; at--) {
        f->points[at] = f->points[at - 1];
    }
    f->points[at] = p;
}

void wl_sweep_summary_present(struct wl_sweep_summary *s)
{
    s->present++;
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
    struct front *f = front_of(s, x);
    if (f != NULL) {
        front_add(f, (struct front_point){x, row->batch, row->totals.latency_s,
                                          row->totals.energy_per_inference_j,
                                          row->totals.average_power_w});
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
                             .dram_each = row->totals.dram_bytes / (double)row->batch,
                             .utilization = row->totals.utilization,
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

/* ---- printing --------------------------------------------------------------------------------
 */

/* Which parts differ between series; the device is always named. */
static void differing(const struct wl_sweep_summary *s, bool shown[PART_COUNT])
{
    for (int p = 0; p < PART_COUNT; p++) {
        shown[p] = p == PART_DEVICE;
        for (int32_t i = 1; i < s->count; i++) {
            shown[p] |= strcmp(s->series[i]->parts[p], s->series[0]->parts[p]) != 0;
        }
    }
}

static const char *label_of(const struct series *x, const bool shown[PART_COUNT], char *out,
                            size_t size)
{
    size_t at = 0;
    out[0] = '\0';
    for (int p = 0; p < PART_COUNT; p++) {
        if (shown[p] && x->parts[p][0] != '\0' && at < size) {
            int n = snprintf(out + at, size - at, "%s%s", at > 0 ? " " : "", x->parts[p]);
            at += n > 0 ? (size_t)n : 0;
        }
    }
    return out;
}

static void summary_row(const struct series *x, const bool shown[PART_COUNT], struct wl_table *t)
{
    char label[256];
    char a[CELL], b[CELL], c[CELL], d[CELL], e[CELL], f[CELL], number[CELL];
    const struct batch_point *fast = best(x, BY_LATENCY);
    const struct batch_point *much = best(x, BY_THROUGHPUT);
    const struct batch_point *lean = best(x, BY_ENERGY);
    free_of_memory(x, f, sizeof(f));
    const char *cells[] = {label_of(x, shown, label, sizeof(label)),
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

/* The point of the next larger batch, or NULL. */
static const struct batch_point *next_batch(const struct series *x, const struct batch_point *p)
{
    const struct batch_point *next = NULL;
    for (int32_t i = 0; i < x->count; i++) {
        bool larger = x->points[i].batch > p->batch;
        if (larger && (next == NULL || x->points[i].batch < next->batch)) {
            next = &x->points[i];
        }
    }
    return next;
}

/*
 * Where the throughput falls most from one batch to the next, by 2 % at least, and why: a level
 * that no longer holds the activations (capacity: more main-memory traffic for each inference), or
 * tiles that come out worse (tail: less of the peak used). Also the first batch that main memory
 * cannot hold.
 */
static void put_falls(const struct series *x, const char *label, struct wl_buf *out)
{
    const struct batch_point *from = NULL;
    const struct batch_point *too_large = NULL;
    double worst = 0.98;
    char a[CELL], b[CELL];
    for (int32_t i = 0; i < x->count; i++) {
        const struct batch_point *p = &x->points[i];
        const struct batch_point *next = next_batch(x, p);
        if (next != NULL && next->throughput < worst * p->throughput) {
            worst = next->throughput / p->throughput;
            from = p;
        }
        too_large = !p->fits && (too_large == NULL || p->batch < too_large->batch) ? p : too_large;
    }
    if (from != NULL) {
        const struct batch_point *next = next_batch(x, from);
        bool capacity = next->dram_each > 1.05 * from->dram_each;
        wl_buf_printf(out, "  %s: throughput falls %.0f %% from batch %lld to %lld, ", label,
                      (1 - worst) * 100, (long long)from->batch, (long long)next->batch);
        if (capacity) {
            wl_buf_printf(out, "capacity:\n    %s instead of %s of main-memory traffic each\n",
                          wl_format_si(next->dram_each, "B", a, sizeof(a)),
                          wl_format_si(from->dram_each, "B", b, sizeof(b)));
        } else {
            wl_buf_printf(out, "tail:\n    %s instead of %s of the peak used\n",
                          wl_format_percent(next->utilization, a, sizeof(a)),
                          wl_format_percent(from->utilization, b, sizeof(b)));
        }
    }
    if (too_large != NULL) {
        wl_buf_printf(out, "  %s: from batch %lld main memory cannot hold it\n", label,
                      (long long)too_large->batch);
    }
}

static wl_status put_series(const struct wl_sweep_summary *s, const bool shown[PART_COUNT],
                            int width, struct wl_buf *out, struct wl_error *err)
{
    static const char *const headings[] = {
        "best batch for", "latency", "throughput", "energy", "EDP", "knee", "off memory"};
    struct wl_table t;
    bool any = false;
    if (wl_table_init(&t, WL_ARRAY_LEN(headings), headings, "lrrrrrr") != WL_OK) {
        return wl_fail_nomem(err);
    }
    for (int32_t i = 0; i < s->count; i++) {
        if (s->series[i]->count > 0) {
            summary_row(s->series[i], shown, &t);
            any = true;
        }
    }
    if (any) {
        wl_table_print(&t, width, true, "  ", out);
        wl_buf_puts(out, "  knee: smallest batch within 10 % of the best throughput; off memory: "
                         "first batch not bound\n  by a memory level\n");
    }
    wl_table_done(&t);
    return WL_OK;
}

static void put_front_heading(const struct wl_sweep_summary *s, const struct front *f,
                              struct wl_buf *out)
{
    wl_buf_puts(out, "  Pareto front of latency, energy each, power");
    if (s->front_count > 1) {
        wl_buf_printf(out, ": %s%s%s", f->model, f->dims[0] != '\0' ? " " : "", f->dims);
    }
    if (f->count > FRONT_SHOWN) {
        wl_buf_printf(out, " (%d of its %s%d points)", FRONT_SHOWN, f->cut ? "first " : "",
                      (int)f->count);
    }
    wl_buf_puts(out, "\n");
}

/* Of a long front some points at even distance, ends included. */
static void put_front(const struct wl_sweep_summary *s, const struct front *f,
                      const bool shown[PART_COUNT], struct wl_buf *out)
{
    char label[256], a[CELL], b[CELL], c[CELL];
    int32_t count = f->count < FRONT_SHOWN ? f->count : FRONT_SHOWN;
    put_front_heading(s, f, out);
    for (int32_t i = 0; i < count; i++) {
        int32_t at = count == f->count ? i : i * (f->count - 1) / (count - 1);
        const struct front_point *p = &f->points[at];
        wl_buf_printf(out, "    %s batch %lld: %s, %s, %s\n",
                      label_of(p->series, shown, label, sizeof(label)), (long long)p->batch,
                      wl_format_si(p->latency_s, "s", a, sizeof(a)),
                      wl_format_si(p->energy_j, "J", b, sizeof(b)),
                      wl_format_si(p->power_w, "W", c, sizeof(c)));
    }
}

wl_status wl_sweep_summary_print(const struct wl_sweep_summary *s, int width, struct wl_buf *out,
                                 struct wl_error *err)
{
    bool shown[PART_COUNT];
    char label[256];
    wl_buf_printf(out, "%lld points, %lld could not run\n", (long long)s->points,
                  (long long)s->failed);
    if (s->present > 0) {
        wl_buf_printf(out, "%lld more were in the file already; what follows leaves them out\n",
                      (long long)s->present);
    }
    differing(s, shown);
    WL_TRY(put_series(s, shown, width, out, err));
    for (int32_t i = 0; i < s->count; i++) {
        if (s->series[i]->count > 0) {
            put_falls(s->series[i], label_of(s->series[i], shown, label, sizeof(label)), out);
        }
    }
    for (int32_t i = 0; i < s->front_count; i++) {
        put_front(s, s->fronts[i], shown, out);
    }
    for (int32_t i = 0; i < s->count; i++) {
        if (s->series[i]->failed > 0) {
            wl_buf_printf(out, "  %s: %d could not run: %s\n",
                          label_of(s->series[i], shown, label, sizeof(label)),
                          (int)s->series[i]->failed, s->series[i]->reason);
        }
    }
    if (s->cut) {
        wl_buf_puts(out,
                    "  more series or batches than the summary keeps; the file has them all\n");
    }
    return WL_OK;
}
