/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report/text_roofline.c: the roofline as a log-log picture of characters: operations per byte of
 * main memory to the right, operations per second upwards; ceilings as lines, subgraphs as dots
 * whose weight grows with their share of the time.
 */
#include <math.h>
#include <string.h>

#include "report_priv.h"

#define ROWS 18
#define CELL 64
#define LEFT 12

struct plot {
    int columns;
    double x0, x1, y0, y1; /* log10 */
    char *cells;           /* ROWS x columns: ASCII codes, translated when printed */
};

static void put_cell(struct plot *p, double x, double y, char c)
{
    int column = (int)lround((log10(x) - p->x0) / (p->x1 - p->x0) * (p->columns - 1));
    int row = (int)lround((log10(y) - p->y0) / (p->y1 - p->y0) * (ROWS - 1));
    column = column >= p->columns ? p->columns - 1 : column; /* no traffic at all: far right */
    if (column >= 0 && row >= 0 && row < ROWS) {
        p->cells[(ROWS - 1 - row) * p->columns + column] = c;
    }
}

/* A ceiling that some subgraph computes under. */
static bool ceiling_used(const struct wl_result *r, const struct wl_ceiling *c)
{
    for (int32_t i = 0; i < r->mappings.count; i++) {
        const struct wl_mapping *m = &r->mappings.items[i];
        if (m->pipe != WL_NONE && m->precision == c->precision &&
            strcmp(r->device.pipes[m->pipe].name, c->unit) == 0) {
            return true;
        }
    }
    return false;
}

static double highest_peak(const struct wl_result *r)
{
    double peak = 0;
    for (int32_t i = 0; i < r->roofline.ceiling_count; i++) {
        if (ceiling_used(r, &r->roofline.ceilings[i])) {
            peak = fmax(peak, r->roofline.ceilings[i].ops_per_s);
        }
    }
    return peak;
}

/* From two decades left of the ridge to one right of it, wider where subgraphs lie outside. */
static void find_extent(const struct wl_result *r, struct plot *p)
{
    double peak = highest_peak(r);
    double ridge = log10(peak / wl_device_dram(&r->device)->bandwidth_bps);
    double low = log10(peak) - 2;
    p->x0 = floor(ridge) - 2;
    p->x1 = ceil(ridge) + 1;
    for (int32_t i = 0; i < r->roofline.count; i++) {
        const struct wl_roof_point *x = &r->roofline.points[i];
        if (x->intensity > 0 && x->achieved_ops_per_s > 0) {
            p->x0 = fmin(p->x0, floor(log10(x->intensity)));
            p->x1 = fmax(p->x1, ceil(log10(x->intensity)));
        }
        if (x->achieved_ops_per_s > 0) {
            low = fmin(low, log10(x->achieved_ops_per_s));
        }
    }
    p->x0 = fmax(p->x0, ridge - 5);
    p->x1 = fmin(p->x1, ridge + 3);
    p->y0 = fmax(low, log10(peak) - 5);
    p->y1 = log10(peak) + 0.1;
}

static void draw_ceilings(const struct wl_result *r, struct plot *p)
{
    double peak = highest_peak(r);
    for (int c = 0; c < p->columns; c++) {
        double x = pow(10, p->x0 + (p->x1 - p->x0) * c / (p->columns - 1));
        double slope = x * wl_device_dram(&r->device)->bandwidth_bps;
        for (int32_t i = 0; i < r->roofline.ceiling_count; i++) {
            const struct wl_ceiling *roof = &r->roofline.ceilings[i];
            if (slope >= roof->ops_per_s && ceiling_used(r, roof)) {
                put_cell(p, x, roof->ops_per_s, '-');
            }
        }
        if (slope <= peak) {
            put_cell(p, x, slope, '/');
        }
    }
}

static void draw_points(const struct wl_result *r, struct plot *p)
{
    static const char marks[] = ".oO@";
    for (int pass = 0; pass < 4; pass++) { /* heavy dots last, on top */
        for (int32_t i = 0; i < r->roofline.count; i++) {
            const struct wl_roof_point *x = &r->roofline.points[i];
            double share = r->roofline.timings[i].latency_s / r->totals.latency_s;
            int weight = share > 0.1 ? 3 : share > 0.03 ? 2 : share > 0.01 ? 1 : 0;
            if (weight == pass && x->achieved_ops_per_s > 0) {
                put_cell(p, x->intensity > 0 ? x->intensity : pow(10, p->x1), x->achieved_ops_per_s,
                         marks[weight]);
            }
        }
    }
}

static void print_plot(const struct plot *p, struct wl_buf *out)
{
    char label[CELL];
    for (int row = 0; row < ROWS; row++) {
        double y = p->y0 + (p->y1 - p->y0) * (ROWS - 1 - row) / (ROWS - 1);
        bool labelled = row % 4 == 0 || row == ROWS - 1;
        wl_buf_printf(out, "%*s |", LEFT,
                      labelled ? wl_format_si(pow(10, y), "op/s", label, sizeof(label)) : "");
        int last = p->columns;
        while (last > 0 && p->cells[row * p->columns + last - 1] == ' ') {
            last--;
        }
        wl_buf_add(out, &p->cells[(size_t)row * (size_t)p->columns], (size_t)last);
        wl_buf_puts(out, "\n");
    }
    wl_buf_printf(out, "%*s +", LEFT, "");
    for (int c = 0; c < p->columns; c++) {
        wl_buf_puts(out, "-");
    }
    wl_buf_printf(out, "\n%*s  %-.3g", LEFT, "", pow(10, p->x0));
    wl_buf_printf(out, "%*s%.3g op/byte\n", p->columns - 18, "", pow(10, p->x1));
}

wl_status wl_text_roofline(const struct wl_result *r, int width, struct wl_buf *out,
                           struct wl_error *err)
{
    char a[CELL];
    struct plot p;
    if (r->roofline.count == 0 || highest_peak(r) <= 0) {
        wl_buf_puts(out, "  no roofline: nothing is executed\n");
        return WL_OK;
    }
    find_extent(r, &p);
    p.columns = width - LEFT - 4;
    p.columns = p.columns < 40 ? 40 : p.columns;
    p.cells = wl_malloc((size_t)(ROWS * p.columns));
    if (p.cells == NULL) {
        return wl_fail_nomem(err);
    }
    memset(p.cells, ' ', (size_t)(ROWS * p.columns));
    draw_ceilings(r, &p);
    draw_points(r, &p);
    print_plot(&p, out);
    wl_free(p.cells);
    wl_buf_printf(out,
                  "  subgraphs by share of time: . under 1 %%, o to 3 %%, O to 10 %%, @ above; "
                  "right edge: no %s traffic\n",
                  wl_device_dram(&r->device)->name);
    for (int32_t i = 0; i < r->roofline.ceiling_count; i++) {
        const struct wl_ceiling *c = &r->roofline.ceilings[i];
        if (!ceiling_used(r, c)) {
            continue;
        }
        wl_buf_printf(out, "  ceiling  %s on %s: %s\n", wl_precision_name(c->precision), c->unit,
                      wl_format_si(c->ops_per_s, "op/s", a, sizeof(a)));
    }
    for (int32_t i = 0; i < r->device.level_count; i++) {
        wl_buf_printf(out, "  level    %s: %s\n", r->device.levels[i].name,
                      wl_format_si(r->device.levels[i].bandwidth_bps, "B/s", a, sizeof(a)));
    }
    return WL_OK;
}
