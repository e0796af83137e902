/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hardware/power.c: the power modes of a device side by side, from its calibrations. Speed of light
 * is derived for each mode's own active units, memory clock and the clock that the calibration saw
 * (the mode's clock where that was read idle). Watts are measured, else the mode's; a mode without
 * a number is estimated from the nearest one by clock (device.c) and marked with '~'.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry_priv.h"

struct source {
    const struct wl_calibration *calibration;
    struct wl_device device;
    double clock_hz, clock_ratio, power_w;
    bool estimated;
};

static bool has_mode(const struct wl_spec *s, const char *name)
{
    for (int32_t i = 0; i < s->file.power_modes.count; i++) {
        if (wl_mode_names_match(name, wl_spec_mode_name(s, i))) {
            return true;
        }
    }
    return false;
}

static wl_status resolve(const struct wl_spec *spec, const struct wl_calibration *c,
                         struct source *out, struct wl_error *err)
{
    bool known = has_mode(spec, c->power_mode);
    *out = (struct source){.calibration = c};
    WL_TRY(wl_spec_device(spec, known ? c->power_mode : NULL, &out->device, err));
    out->clock_hz = c->clock_read_idle ? out->device.clock_hz : c->clock_hz;
    out->clock_ratio = out->clock_hz / out->device.clock_hz;
    out->power_w = c->power_w > 0 ? c->power_w : out->device.tdp_w;
    out->estimated = c->power_w <= 0 && (!known || out->device.power_estimated);
    return WL_OK;
}

static int by_watts(const void *a, const void *b)
{
    const struct source *x = a, *y = b;
    if (x->power_w < y->power_w || x->power_w > y->power_w) {
        return x->power_w < y->power_w ? -1 : 1;
    }
    return strcmp(x->calibration->power_mode, y->calibration->power_mode);
}

/* The newest calibration of each mode; the list is newest first. */
static wl_status collect(struct wl_registry *r, const struct wl_spec *spec, const char *framework,
                         struct source **out, int32_t *count, struct wl_error *err)
{
    const struct wl_calibration *const *all = NULL;
    int32_t n = 0, used = 0;
    WL_TRY(wl_calibration_list(r, wl_spec_path(spec), &all, &n, err));
    struct source *sources = WL_ARRAY(&r->arena, struct source, n);
    WL_TRY_PTR(sources, err);
    for (int32_t i = 0; i < n; i++) {
        bool wanted =
            framework == NULL || wl_str_eq_nocase(wl_str(framework), wl_str(all[i]->framework));
        for (int32_t k = 0; k < used; k++) {
            wanted = wanted &&
                     !wl_mode_names_match(sources[k].calibration->power_mode, all[i]->power_mode);
        }
        if (wanted) {
            WL_TRY(resolve(spec, all[i], &sources[used], err));
            used++;
        }
    }
    if (n > 0 && used == 0) {
        return wl_fail(err, WL_ERR_USAGE, "--framework",
                       "\"%.64s\" has no calibration of %s; %s has", framework, wl_spec_id(spec),
                       all[0]->framework);
    }
    if (used > 1) {
        qsort(sources, (size_t)used, sizeof(sources[0]), by_watts);
    }
    *out = sources;
    *count = used;
    return WL_OK;
}

static struct wl_power_measure measure(const struct wl_calibration *c, const char *operation,
                                       enum wl_precision prec)
{
    const struct wl_calibration_entry *e = wl_calibration_best(c, operation, prec);
    return e == NULL ? (struct wl_power_measure){0}
                     : (struct wl_power_measure){e->ops_per_s, e->bytes_per_s};
}

static struct wl_power_row row_of(const struct source *s, enum wl_precision prec)
{
    const struct wl_calibration *c = s->calibration;
    struct wl_power_row row = {.power_mode = c->power_mode,
                               .framework = c->framework,
                               .clock_hz = s->clock_hz,
                               .peak_ops_per_s =
                                   wl_device_peak(&s->device, prec, NULL) * s->clock_ratio,
                               .bandwidth_bytes_per_s = wl_device_dram(&s->device)->bandwidth_bps,
                               .axpy = measure(c, "axpy", prec),
                               .gemv = measure(c, "gemv", prec),
                               .gemm = measure(c, "gemm", prec),
                               .power_w = s->power_w,
                               .power_estimated = s->estimated};
    row.gemm_ops_per_j = row.power_w > 0 ? row.gemm.ops_per_s / row.power_w : 0;
    return row;
}

static bool measured(const struct wl_power_row *row)
{
    return row->axpy.ops_per_s > 0 || row->gemv.ops_per_s > 0 || row->gemm.ops_per_s > 0;
}

static wl_status build_tables(struct wl_registry *r, const struct source *sources, int32_t count,
                              struct wl_power_profile *out, struct wl_error *err)
{
    out->tables = WL_ARRAY(&r->arena, struct wl_power_table, WL_PREC_COUNT);
    WL_TRY_PTR(out->tables, err);
    for (int p = 0; p < WL_PREC_COUNT; p++) {
        struct wl_power_table *t = &out->tables[out->table_count];
        *t = (struct wl_power_table){.precision = (enum wl_precision)p};
        t->rows = WL_ARRAY(&r->arena, struct wl_power_row, count);
        WL_TRY_PTR(t->rows, err);
        bool any = false;
        for (int32_t i = 0; i < count; i++) {
            t->rows[t->row_count++] = row_of(&sources[i], t->precision);
            any = any || measured(&t->rows[i]);
        }
        out->table_count += any ? 1 : 0;
    }
    return WL_OK;
}

static double best_gemm(const struct wl_calibration *c)
{
    double best = 0;
    for (int p = 0; p < WL_PREC_COUNT; p++) {
        best = fmax(best, measure(c, "gemm", (enum wl_precision)p).ops_per_s);
    }
    return best;
}

static wl_status build_scaling(struct wl_registry *r, const struct source *sources, int32_t count,
                               struct wl_power_profile *out, struct wl_error *err)
{
    out->scaling = WL_ARRAY(&r->arena, struct wl_power_scaling, count);
    WL_TRY_PTR(out->scaling, err);
    double base = count > 0 ? best_gemm(sources[0].calibration) : 0;
    for (int32_t i = 1; i < count && base > 0; i++) {
        double power = sources[i].power_w / sources[0].power_w;
        double performance = best_gemm(sources[i].calibration) / base;
        out->scaling[out->scaling_count++] =
            (struct wl_power_scaling){.from = sources[0].calibration->power_mode,
                                      .to = sources[i].calibration->power_mode,
                                      .power_ratio = power,
                                      .performance_ratio = performance,
                                      .efficiency_change = performance / power - 1};
    }
    return WL_OK;
}

wl_status wl_power_profile(struct wl_registry *r, const char *device, const char *framework,
                           struct wl_power_profile *out, struct wl_error *err)
{
    const struct wl_spec *spec = NULL;
    struct source *sources = NULL;
    int32_t count = 0;
    WL_TRY(wl_registry_load(r, device, &spec, err));
    WL_TRY(collect(r, spec, framework, &sources, &count, err));
    struct wl_power_profile p = {.device = wl_spec_id(spec)};
    p.calibrations = WL_ARRAY(&r->arena, const struct wl_calibration *, count);
    WL_TRY_PTR(p.calibrations, err);
    for (int32_t i = 0; i < count; i++) {
        p.calibrations[i] = sources[i].calibration;
    }
    p.calibration_count = count;
    WL_TRY(build_tables(r, sources, count, &p, err));
    WL_TRY(build_scaling(r, sources, count, &p, err));
    *out = p;
    return WL_OK;
}

/* ---- text
 * ------------------------------------------------------------------------------------------ */

#define COLUMNS 12
#define CELL_MAX 48

/* Columns of the three segments; the first column stands alone. */
static const struct {
    const char *heading;
    int first, last;
} segments[] = {
    {"Speed of light", 1, 3}, {"Measured (Gops/s, GB/s)", 4, 9}, {"Efficiency", 10, 11}};

static const char *const headings[COLUMNS] = {"mode", "MHz",  "peak", "GB/s", "AXPY",  "GB/s",
                                              "GEMV", "GB/s", "GEMM", "GB/s", "watts", "GFLOPS/W"};

static void cell(char out[CELL_MAX], double value, double scale)
{
    if (value > 0) {
        (void)snprintf(out, CELL_MAX, "%.1f", value / scale);
    } else {
        (void)snprintf(out, CELL_MAX, "-");
    }
}

static void cells_of(const struct wl_power_row *row, char out[COLUMNS][CELL_MAX])
{
    (void)snprintf(out[0], CELL_MAX, "%.40s", row->power_mode);
    (void)snprintf(out[1], CELL_MAX, "%.0f", row->clock_hz / 1e6);
    cell(out[2], row->peak_ops_per_s, 1e9);
    cell(out[3], row->bandwidth_bytes_per_s, 1e9);
    cell(out[4], row->axpy.ops_per_s, 1e9);
    cell(out[5], row->axpy.bytes_per_s, 1e9);
    cell(out[6], row->gemv.ops_per_s, 1e9);
    cell(out[7], row->gemv.bytes_per_s, 1e9);
    cell(out[8], row->gemm.ops_per_s, 1e9);
    cell(out[9], row->gemm.bytes_per_s, 1e9);
    (void)snprintf(out[10], CELL_MAX, "%s%.1f", row->power_estimated ? "~" : "", row->power_w);
    cell(out[11], row->gemm_ops_per_j, 1e9);
}

static void pad(struct wl_buf *out, int count)
{
    for (int i = 0; i < count; i++) {
        wl_buf_puts(out, " ");
    }
}

/* Columns of a segment are one space apart; segments are set off by " | ". */
static int segment_width(const int *widths, int first, int last)
{
    int width = last - first;
    for (int i = first; i <= last; i++) {
        width += widths[i];
    }
    return width;
}

/* A segment is at least as wide as its heading: its first column takes the rest. */
static void widen(int *widths)
{
    for (size_t s = 0; s < WL_ARRAY_LEN(segments); s++) {
        int need = (int)strlen(segments[s].heading);
        int have = segment_width(widths, segments[s].first, segments[s].last);
        widths[segments[s].first] += need > have ? need - have : 0;
    }
}

static void put_segment_headings(const int *widths, struct wl_buf *out)
{
    pad(out, widths[0]);
    for (size_t s = 0; s < WL_ARRAY_LEN(segments); s++) {
        int width = segment_width(widths, segments[s].first, segments[s].last);
        int rest = width - (int)strlen(segments[s].heading);
        wl_buf_puts(out, " | ");
        pad(out, rest / 2);
        wl_buf_puts(out, segments[s].heading);
        if (s + 1 < WL_ARRAY_LEN(segments)) {
            pad(out, rest - rest / 2);
        }
    }
    wl_buf_puts(out, "\n");
}

static void put_cells(const int *widths, const char *const *cells, struct wl_buf *out)
{
    wl_buf_puts(out, cells[0]);
    pad(out, widths[0] - (int)strlen(cells[0]));
    for (size_t s = 0; s < WL_ARRAY_LEN(segments); s++) {
        for (int i = segments[s].first; i <= segments[s].last; i++) {
            wl_buf_puts(out, i == segments[s].first ? " | " : " ");
            pad(out, widths[i] - (int)strlen(cells[i]));
            wl_buf_puts(out, cells[i]);
        }
    }
    wl_buf_puts(out, "\n");
}

static void put_table(const struct wl_power_table *t, struct wl_buf *out)
{
    char text[COLUMNS][CELL_MAX];
    const char *cells[COLUMNS];
    int widths[COLUMNS];
    for (int i = 0; i < COLUMNS; i++) {
        widths[i] = (int)strlen(headings[i]);
        cells[i] = text[i];
    }
    for (int32_t r = 0; r < t->row_count; r++) {
        cells_of(&t->rows[r], text);
        for (int i = 0; i < COLUMNS; i++) {
            widths[i] = widths[i] > (int)strlen(text[i]) ? widths[i] : (int)strlen(text[i]);
        }
    }
    widen(widths);
    wl_buf_puts(out, "\n[");
    for (const char *c = wl_precision_name(t->precision); *c != '\0'; c++) {
        wl_buf_printf(out, "%c", *c >= 'a' && *c <= 'z' ? *c - 32 : *c);
    }
    wl_buf_puts(out, "]\n");
    put_segment_headings(widths, out);
    put_cells(widths, headings, out);
    for (int32_t r = 0; r < t->row_count; r++) {
        cells_of(&t->rows[r], text);
        put_cells(widths, cells, out);
    }
}

void wl_power_text(const struct wl_power_profile *p, struct wl_buf *out)
{
    wl_buf_printf(out, "%s: power modes side by side\n", p->device);
    for (int32_t i = 0; i < p->table_count; i++) {
        put_table(&p->tables[i], out);
    }
    if (p->scaling_count > 0) {
        wl_buf_puts(out, "\nscaling, best GEMM of any precision\n");
    }
    for (int32_t i = 0; i < p->scaling_count; i++) {
        const struct wl_power_scaling *s = &p->scaling[i];
        wl_buf_printf(out, "  %s -> %s: %.1fx power, %.1fx performance, efficiency %+.1f %%\n",
                      s->from, s->to, s->power_ratio, s->performance_ratio,
                      100 * s->efficiency_change);
    }
    bool estimated = false;
    for (int32_t i = 0; i < p->table_count && p->tables[i].row_count > 0; i++) {
        for (int32_t r = 0; r < p->tables[i].row_count; r++) {
            estimated = estimated || p->tables[i].rows[r].power_estimated;
        }
    }
    if (p->table_count > 0) {
        wl_buf_printf(out, "\npeak and measured in Gops/s%s\n",
                      estimated ? "; ~ no watts measured or stated: the nearest mode's, by clock"
                                : "");
    }
}
