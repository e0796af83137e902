/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hardware/kernel_model.c: how long a kernel takes, from a calibration's entries. One table per
 * operation, precision and thread count. In each:
 *
 *   base      t0 = c + ops / R + edge ops / E + passes G M K / L + G M N / A + bytes / B +
 *             near bytes / N, ops = 2 G M N K. The figures (fixed cost, rate, what results at the
 *             edges of images cost beyond, loads of inputs into registers, a pass of its own over
 * results, bandwidths) are those with the least sum of squared relative errors over the table's
 *             entries, none below zero: a least-squares roofline that adds up instead of taking the
 *             maximum (Hockney's t = t0 + n / r, with several kinds of n). A pass makes as many
 * results as registers hold; one that makes fewer loads its inputs for less, which is why multiples
 * of it run best. residual  ln(time / t0) of a size is a weighted linear regression over the
 * nearest entries, sizes as log2 (locally weighted regression: Cleveland, 1979), slopes held small
 * by a ridge, so that it falls back to a weighted mean where entries are few.
 *
 * Coldness is the share of bytes that come from far x log2 of the bytes touched since they were
 * last used: whether a cache still holds them.
 *
 * So a size that was measured comes back nearly as measured, one between is interpolated log-log,
 * and one far outside keeps the rate of the edge. Thread counts are interpolated in the same
 * logarithms.
 */
#include <math.h>
#include <string.h>

#include "registry_priv.h"

#define SIZES 10       /* groups, m, n, k, window, stride, width, operands, epilogue, coldness */
#define TERMS 7        /* of the base */
#define NEAREST 12     /* entries that take part in one regression */
#define RIDGE 0.35     /* weight of the prior that slopes are zero */
#define SOFTENING 0.02 /* squared distance below which entries count alike */
#define MARGIN 0.15    /* how far a regression may leave the range of the entries it rests on */

struct point {
    double x[SIZES]; /* log2 of the sizes */
    double residual;
    double time_s;
};

struct table {
    const char *operation;
    enum wl_precision precision;
    int32_t threads;
    double cost[TERMS]; /* seconds of one unit of each term */
    struct point *points;
    int32_t count;
};

struct wl_kernel_model {
    struct table *tables;
    int32_t count;
};

static double log2_of(double v)
{
    return log2(v > 1 ? v : 1);
}

static void features(const struct wl_kernel_sizes *s, double x[SIZES])
{
    const double raw[SIZES - 3] = {s->groups, s->m, s->n, s->k, s->window, s->stride, s->width};
    for (int i = 0; i < SIZES - 3; i++) {
        x[i] = log2_of(raw[i]);
    }
    x[SIZES - 3] = 2 * log2_of(1 + s->operands);
    x[SIZES - 2] = 2 * log2_of(1 + s->epilogue);
    x[SIZES - 1] =
        s->bytes > 0 ? s->cold_bytes / s->bytes * log2_of(s->reuse_bytes / WL_WARM_BYTES) : 0;
}

static double ops_of(const struct wl_kernel_sizes *s)
{
    return 2 * s->groups * s->m * s->n * s->k;
}

/* What a kernel's time is made of, in units that cost alike. */
struct terms {
    double of[TERMS];
};

static struct terms terms_of(const struct wl_kernel_sizes *s)
{
    double ops = ops_of(s);
    return (struct terms){{1, ops, s->edge * ops, s->passes * s->groups * s->m * s->k,
                           fmin(s->epilogue, 1) * s->groups * s->m * s->n, s->bytes,
                           s->near_bytes}};
}

/* ---- base ------------------------------------------------------------------------------------ */

/* Solves the n x n system a x = b by Gaussian elimination with pivoting; false where singular. */
static bool solve(int n, double a[SIZES + 1][SIZES + 1], double b[SIZES + 1])
{
    for (int c = 0; c < n; c++) {
        int pivot = c;
        for (int r = c + 1; r < n; r++) {
            pivot = fabs(a[r][c]) > fabs(a[pivot][c]) ? r : pivot;
        }
        if (!(fabs(a[pivot][c]) > 1e-12)) {
            return false;
        }
        for (int k = 0; k < n; k++) {
            double t = a[c][k];
            a[c][k] = a[pivot][k];
            a[pivot][k] = t;
        }
        double t = b[c];
        b[c] = b[pivot];
        b[pivot] = t;
        for (int r = 0; r < n; r++) {
            double f = r == c ? 0 : a[r][c] / a[c][c];
            for (int k = c; k < n && f != 0; k++) {
                a[r][k] -= f * a[c][k];
            }
            b[r] -= f * b[c];
        }
    }
    for (int c = 0; c < n; c++) {
        b[c] /= a[c][c];
    }
    return true;
}

/* The best coefficients among the terms of `mask`, none negative; false when there are none. */
static bool fit_subset(const struct terms *rows, int32_t count, unsigned mask, double out[TERMS],
                       double *error)
{
    int used[TERMS], n = 0;
    for (int i = 0; i < TERMS; i++) {
        if ((mask >> i & 1u) != 0) {
            used[n++] = i;
        }
    }
    double a[SIZES + 1][SIZES + 1] = {{0}}, b[SIZES + 1] = {0};
    for (int32_t r = 0; r < count; r++) {
        for (int i = 0; i < n; i++) {
            b[i] += rows[r].of[used[i]];
            for (int k = 0; k < n; k++) {
                a[i][k] += rows[r].of[used[i]] * rows[r].of[used[k]];
            }
        }
    }
    if (!solve(n, a, b)) {
        return false;
    }
    memset(out, 0, TERMS * sizeof(*out));
    for (int i = 0; i < n; i++) {
        if (!(b[i] > 0)) {
            return false;
        }
        out[used[i]] = b[i];
    }
    *error = 0;
    for (int32_t r = 0; r < count; r++) {
        double t = -1;
        for (int i = 0; i < TERMS; i++) {
            t += out[i] * rows[r].of[i];
        }
        *error += t * t;
    }
    return true;
}

static void fit_base(struct table *t, const struct wl_calibration_entry *const *entries,
                     struct terms *rows)
{
    double scale[TERMS] = {0}, best = HUGE_VAL;
    unsigned absent = 0;
    for (int32_t i = 0; i < t->count; i++) {
        rows[i] = terms_of(&entries[i]->sizes);
        for (int k = 0; k < TERMS; k++) {
            rows[i].of[k] /= entries[i]->time_s;
            scale[k] = fmax(scale[k], rows[i].of[k]);
        }
    }
    for (int k = 0; k < TERMS; k++) {
        absent |= scale[k] > 0 ? 0 : 1u << k;
        for (int32_t i = 0; i < t->count && scale[k] > 0; i++) {
            rows[i].of[k] /= scale[k];
        }
    }
    for (unsigned mask = 1; mask < 1u << TERMS; mask++) {
        double c[TERMS], error;
        if ((mask & absent) == 0 && fit_subset(rows, t->count, mask, c, &error) && error < best) {
            best = error;
            for (int k = 0; k < TERMS; k++) {
                t->cost[k] = c[k] > 0 ? c[k] / scale[k] : 0;
            }
        }
    }
    if (best == HUGE_VAL) {
        t->cost[0] = entries[0]->time_s;
    }
}

static double base_s(const struct table *t, const struct wl_kernel_sizes *s)
{
    struct terms terms = terms_of(s);
    double seconds = 0;
    for (int k = 0; k < TERMS; k++) {
        seconds += t->cost[k] * terms.of[k];
    }
    return seconds;
}

/* ---- building ---------------------------------------------------------------------------------
 */

static bool belongs(const struct table *t, const struct wl_calibration_entry *e)
{
    return t->precision == e->precision && t->threads == e->threads &&
           strcmp(t->operation, e->operation) == 0;
}

static bool usable(const struct wl_calibration_entry *e)
{
    return e->supported && e->time_s > 0 && e->precision < WL_PREC_COUNT;
}

static wl_status build_table(struct wl_arena *arena, const struct wl_calibration *c,
                             struct table *t, const struct wl_calibration_entry **mine,
                             struct terms *rows, struct wl_error *err)
{
    t->points = WL_ARRAY(arena, struct point, t->count);
    WL_TRY_PTR(t->points, err);
    int32_t n = 0;
    for (int32_t i = 0; i < c->entry_count; i++) {
        if (usable(&c->entries[i]) && belongs(t, &c->entries[i])) {
            mine[n++] = &c->entries[i];
        }
    }
    fit_base(t, mine, rows);
    for (int32_t i = 0; i < n; i++) {
        features(&mine[i]->sizes, t->points[i].x);
        t->points[i].time_s = mine[i]->time_s;
        t->points[i].residual = log(mine[i]->time_s / base_s(t, &mine[i]->sizes));
    }
    return WL_OK;
}

static struct table *table_of(struct wl_kernel_model *m, const struct wl_calibration_entry *e)
{
    for (int32_t i = 0; i < m->count; i++) {
        if (belongs(&m->tables[i], e)) {
            return &m->tables[i];
        }
    }
    m->tables[m->count] =
        (struct table){.operation = e->operation, .precision = e->precision, .threads = e->threads};
    return &m->tables[m->count++];
}

wl_status wl_kernel_model_build(struct wl_arena *arena, struct wl_calibration *c,
                                struct wl_error *err)
{
    struct wl_kernel_model *m = WL_ARRAY(arena, struct wl_kernel_model, 1);
    WL_TRY_PTR(m, err);
    m->tables = WL_ARRAY(arena, struct table, c->entry_count);
    const struct wl_calibration_entry **mine =
        WL_ARRAY(arena, const struct wl_calibration_entry *, c->entry_count);
    struct terms *rows = WL_ARRAY(arena, struct terms, c->entry_count);
    WL_TRY_PTR(m->tables, err);
    WL_TRY_PTR((void *)mine, err);
    WL_TRY_PTR(rows, err);
    for (int32_t i = 0; i < c->entry_count; i++) {
        if (usable(&c->entries[i])) {
            table_of(m, &c->entries[i])->count++;
        }
    }
    for (int32_t i = 0; i < m->count; i++) {
        WL_TRY(build_table(arena, c, &m->tables[i], mine, rows, err));
    }
    c->model = m;
    return WL_OK;
}

/* ---- look-up ----------------------------------------------------------------------------------
 */

struct near {
    const struct point *point;
    double d2; /* squared distance */
};

static int32_t nearest(const struct table *t, const double x[SIZES], struct near out[NEAREST])
{
    int32_t n = 0;
    for (int32_t i = 0; i < t->count; i++) {
        double d2 = 0;
        for (int k = 0; k < SIZES; k++) {
            double d = t->points[i].x[k] - x[k];
            d2 += d * d;
        }
        if (n == NEAREST && d2 >= out[n - 1].d2) {
            continue;
        }
        int32_t at = n < NEAREST ? n++ : n - 1;
        for (; at > 0 && out[at - 1].d2 > d2; at--) {
            out[at] = out[at - 1];
        }
        out[at] = (struct near){&t->points[i], d2};
    }
    return n;
}

static double regress(const struct near *near, int32_t n, const double x[SIZES])
{
    double a[SIZES + 1][SIZES + 1] = {{0}}, b[SIZES + 1] = {0};
    double low = HUGE_VAL, high = -HUGE_VAL, sum = 0;
    for (int32_t i = 0; i < n; i++) {
        double w = 1 / (near[i].d2 + SOFTENING);
        double row[SIZES + 1] = {1};
        for (int k = 0; k < SIZES; k++) {
            row[k + 1] = near[i].point->x[k] - x[k];
        }
        for (int r = 0; r <= SIZES; r++) {
            b[r] += w * row[r] * near[i].point->residual;
            for (int k = 0; k <= SIZES; k++) {
                a[r][k] += w * row[r] * row[k];
            }
        }
        sum += w;
        low = fmin(low, near[i].point->residual);
        high = fmax(high, near[i].point->residual);
    }
    double mean = b[0] / sum;
    for (int k = 1; k <= SIZES; k++) {
        a[k][k] += RIDGE * sum * (near[n - 1].d2 + SOFTENING) / SIZES;
    }
    bool solved = solve(SIZES + 1, a, b);
    return fmin(fmax(solved ? b[0] : mean, low - MARGIN), high + MARGIN);
}

static double table_s(const struct table *t, const struct wl_kernel_sizes *sizes, double *distance)
{
    double x[SIZES];
    struct near near[NEAREST];
    features(sizes, x);
    int32_t n = nearest(t, x, near);
    *distance = sqrt(near[0].d2);
    return base_s(t, sizes) * exp(regress(near, n, x));
}

double wl_calibration_seconds(const struct wl_calibration *c, const char *operation,
                              enum wl_precision precision, int32_t threads,
                              const struct wl_kernel_sizes *sizes, double *distance)
{
    const struct table *below = NULL, *above = NULL;
    for (int32_t i = 0; i < c->model->count; i++) {
        const struct table *t = &c->model->tables[i];
        if (t->precision != precision || strcmp(t->operation, operation) != 0) {
            continue;
        }
        if (t->threads <= threads && (below == NULL || t->threads > below->threads)) {
            below = t;
        }
        if (t->threads >= threads && (above == NULL || t->threads < above->threads)) {
            above = t;
        }
    }
    if (below == NULL && above == NULL) {
        return 0;
    }
    double d1 = 0, d2 = 0;
    double low = below != NULL ? table_s(below, sizes, &d1) : 0;
    double high = above != NULL && above != below ? table_s(above, sizes, &d2) : low;
    if (distance != NULL) {
        *distance = fmax(d1, d2);
    }
    if (below == NULL || above == NULL || below == above || below->threads < 1) {
        return low > 0 ? low : high;
    }
    double share =
        log2((double)threads / below->threads) / log2((double)above->threads / below->threads);
    return low * pow(high / low, share);
}
