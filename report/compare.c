/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report/compare.c: rows of a grid side by side. Ratios relate each row to the baseline, or to the
 * best row of that quantity; a ratio above 1 is worse. Rows on the Pareto front of latency, energy
 * and power carry a star.
 */
#include "compare.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report_priv.h"

#define CELL 64

/* ---- quantities --------------------------------------------------------------------------------
 */

static double get_latency(const struct wl_grid_row *r)
{
    return r->totals.latency_s;
}

static double get_throughput(const struct wl_grid_row *r)
{
    return r->totals.throughput_per_s;
}

static double get_energy(const struct wl_grid_row *r)
{
    return r->totals.energy_per_inference_j;
}

static double get_power(const struct wl_grid_row *r)
{
    return r->totals.average_power_w;
}

static double get_utilization(const struct wl_grid_row *r)
{
    return r->totals.utilization;
}

static double get_memory(const struct wl_grid_row *r)
{
    return r->totals.peak_memory_bytes;
}

static double get_edp(const struct wl_grid_row *r)
{
    return r->totals.energy_per_inference_j * r->totals.latency_s;
}

static const struct wl_row_key keys[] = {
    {"latency_s", "latency", true, get_latency},
    {"throughput_per_s", "throughput", false, get_throughput},
    {"energy_per_inference_j", "energy", true, get_energy},
    {"average_power_w", "power", true, get_power},
    {"utilization", "utilization", false, get_utilization},
    {"peak_memory_bytes", "memory", true, get_memory},
    {"energy_delay_product_js", "edp", true, get_edp},
};

const struct wl_row_key *wl_row_key_find(const char *name)
{
    for (size_t i = 0; i < WL_ARRAY_LEN(keys); i++) {
        if (strcmp(keys[i].name, name) == 0 || strcmp(keys[i].word, name) == 0) {
            return &keys[i];
        }
    }
    return NULL;
}

void wl_row_key_words(char *out, size_t size)
{
    size_t at = 0;
    out[0] = '\0';
    for (size_t i = 0; i < WL_ARRAY_LEN(keys) && at < size; i++) {
        int n = snprintf(out + at, size - at, "%s%s", i > 0 ? ", " : "", keys[i].word);
        at += n > 0 ? (size_t)n : 0;
    }
}

/* What ratios of this quantity refer to; NaN when no row has it. */
static double reference_of(const struct wl_comparison *c, const struct wl_row_key *key)
{
    if (c->baseline != WL_NONE) {
        const struct wl_grid_row *row = &c->rows[c->baseline];
        return row->ok ? key->get(row) : (double)NAN;
    }
    double best = (double)NAN;
    for (int32_t i = 0; i < c->count; i++) {
        if (!c->rows[i].ok) {
            continue;
        }
        double v = key->get(&c->rows[i]);
        bool better = isnan(best) || (key->smaller_is_better ? v < best : v > best);
        best = better ? v : best;
    }
    return best;
}

/* Above 1 is worse, whichever way the quantity points. */
static double ratio_of(const struct wl_row_key *key, const struct wl_grid_row *row,
                       double reference)
{
    double v = key->get(row);
    return key->smaller_is_better ? v / reference : reference / v;
}

/* ---- JSON
 * ----------------------------------------------------------------------------------------- */

static void put_totals(struct wl_emitter *e, const struct wl_grid_row *row)
{
    const struct wl_totals *t = &row->totals;
    wl_json_object(e, "totals");
    wl_json_int(e, "macs", t->macs);
    wl_json_int(e, "flops", t->flops);
    wl_json_num(e, "latency_s", t->latency_s);
    wl_json_num(e, "throughput_per_s", t->throughput_per_s);
    wl_json_num(e, "energy_j", t->energy_j);
    wl_json_num(e, "energy_per_inference_j", t->energy_per_inference_j);
    wl_json_num(e, "compute_j", row->energy.category_j[WL_CAT_COMPUTE]);
    wl_json_num(e, "memory_j", row->energy.category_j[WL_CAT_MEMORY]);
    wl_json_num(e, "control_j", row->energy.category_j[WL_CAT_CONTROL]);
    wl_json_num(e, "static_j", row->energy.static_j);
    wl_json_num(e, "average_power_w", t->average_power_w);
    wl_json_num(e, "unthrottled_power_w", t->unthrottled_power_w);
    wl_json_num(e, "peak_power_w", t->peak_power_w);
    wl_json_num(e, "dram_bytes", t->dram_bytes);
    wl_json_num(e, "weight_bytes", t->weight_bytes);
    wl_json_num(e, "activation_bytes", t->activation_bytes);
    wl_json_num(e, "peak_memory_bytes", t->peak_memory_bytes);
    wl_json_bool(e, "fits_memory", row->fits);
    wl_json_num(e, "utilization", t->utilization);
    wl_json_num(e, "efficiency", t->efficiency);
    wl_json_num(e, "intensity_flops_per_byte", t->intensity_flops_per_byte);
    wl_json_str(e, "bottleneck", row->bottleneck);
    wl_json_int(e, "subgraphs", t->subgraphs);
    wl_json_close(e, '}');
}

static void put_basis(struct wl_emitter *e, const struct wl_grid_row *row)
{
    wl_json_object(e, "basis");
    wl_json_str(e, "latency",
                row->calibrated                          ? "calibrated"
                : row->latency_basis == WL_BASIS_ASSUMED ? "assumed"
                                                         : "specification");
    wl_json_str(e, "energy", row->energy_basis == WL_BASIS_ASSUMED ? "assumed" : "specification");
    wl_json_close(e, '}');
}

static void put_row(struct wl_emitter *e, const struct wl_comparison *c, int32_t i)
{
    const struct wl_grid_row *row = &c->rows[i];
    wl_json_object(e, NULL);
    wl_json_str(e, "model", row->model);
    wl_json_object(e, "hardware");
    wl_json_str(e, "id", row->device);
    wl_json_str(e, "name", row->device_name);
    wl_json_str(e, "power_mode", row->power_mode);
    if (row->ok) {
        wl_json_num(e, "power_limit_w", row->power_limit_w);
        wl_json_num(e, "idle_w", row->idle_w);
    }
    wl_json_close(e, '}');
    wl_json_object(e, "config");
    wl_json_int(e, "batch", row->batch);
    wl_json_str(e, "precision",
                wl_precision_name(row->ok ? row->policy.activations : row->precision));
    wl_json_str(e, "runtime", row->runtime);
    wl_json_str(e, "fusion", row->fusion);
    wl_json_str(e, "dims", row->dims);
    wl_json_str(e, "calibration", row->calibration[0] == '\0' ? NULL : row->calibration);
    wl_json_str(e, "options", row->options);
    wl_json_close(e, '}');
    if (row->ok) {
        put_totals(e, row);
        put_basis(e, row);
    } else {
        wl_json_null(e, "totals");
        wl_json_null(e, "basis");
    }
    wl_json_bool(e, "pareto", c->pareto[i]);
    wl_json_object(e, "ratio");
    for (size_t k = 0; row->ok && k < WL_ARRAY_LEN(keys); k++) {
        wl_json_num(e, keys[k].name, ratio_of(&keys[k], row, reference_of(c, &keys[k])));
    }
    wl_json_close(e, '}');
    wl_json_str(e, "error", row->ok ? NULL : row->error);
    wl_json_close(e, '}');
}

static void comparison_json(const struct wl_comparison *c, const struct wl_report_options *opt,
                            struct wl_buf *out)
{
    struct wl_emitter e;
    wl_json_begin(&e, out);
    wl_json_int(&e, "schema_version", 1);
    if (c->model != NULL) {
        wl_json_model(&e, c->model, c->model_name);
    } else {
        wl_json_null(&e, "model");
    }
    wl_json_array(&e, "rows");
    for (int32_t i = 0; i < c->count; i++) {
        put_row(&e, c, i);
    }
    wl_json_close(&e, ']');
    wl_json_str(&e, "why", c->why);
    if (c->results != NULL) {
        wl_compare_views_json(c, opt, &e);
    }
    wl_json_end(&e);
}

/* ---- text
 * ------------------------------------------------------------------------------------------- */

const char *wl_compare_label(const struct wl_comparison *c, int32_t row, char *out, size_t size)
{
    bool devices = false;
    for (int32_t i = 1; i < c->count; i++) {
        devices |= strcmp(c->rows[i].device, c->rows[0].device) != 0;
    }
    const struct wl_grid_row *r = &c->rows[row];
    return !c->many_models ? wl_text(out, size, "%s", r->device)
           : devices       ? wl_text(out, size, "%s %s", r->model, r->device)
                           : wl_text(out, size, "%s", r->model);
}

static const char *times(double v, char *out, size_t size)
{
    return wl_text(out, size, v >= 99.5 ? "%.0fx" : v >= 9.95 ? "%.1fx" : "%.2fx", v);
}

static void text_row(const struct wl_comparison *c, int32_t i, struct wl_table *t)
{
    const struct wl_grid_row *r = &c->rows[i];
    char first[CELL * 2], mode[CELL * 3], a[CELL], b[CELL], d[CELL], e[CELL], f[CELL], g[CELL],
        h[CELL], k[CELL];
    (void)wl_compare_label(c, i, first, sizeof(first));
    (void)wl_text(mode, sizeof(mode), "%s%s%s", first,
                  strcmp(r->power_mode, "default") == 0 || r->power_mode[0] == '\0' ? "" : " ",
                  strcmp(r->power_mode, "default") == 0 ? "" : r->power_mode);
    const char *cells[] = {c->pareto[i] ? "*" : "",
                           mode,
                           wl_precision_name(r->policy.activations == WL_PREC_NATIVE
                                                 ? r->precision
                                                 : r->policy.activations),
                           wl_format_si(r->totals.latency_s, "s", a, sizeof(a)),
                           times(ratio_of(&keys[0], r, reference_of(c, &keys[0])), b, sizeof(b)),
                           wl_format_si(r->totals.throughput_per_s, "", d, sizeof(d)),
                           wl_format_si(r->totals.energy_per_inference_j, "J", e, sizeof(e)),
                           times(ratio_of(&keys[2], r, reference_of(c, &keys[2])), f, sizeof(f)),
                           wl_format_si(r->totals.average_power_w, "W", g, sizeof(g)),
                           wl_format_percent(r->totals.utilization, h, sizeof(h)),
                           r->fits ? "yes" : wl_text(k, sizeof(k), "no"),
                           r->bottleneck};
    wl_table_row(t, cells);
}

/* The reason without the device's name before it. */
static const char *reason(const struct wl_grid_row *row)
{
    size_t len = strlen(row->device);
    bool named =
        strncmp(row->error, row->device, len) == 0 && strncmp(row->error + len, ": ", 2) == 0;
    return named ? row->error + len + 2 : row->error;
}

static void put_failures(const struct wl_comparison *c, struct wl_buf *out)
{
    for (int32_t i = 0; i < c->count; i++) {
        if (!c->rows[i].ok) {
            const struct wl_grid_row *r = &c->rows[i];
            wl_buf_printf(out, "  %s%s%s cannot run: %s\n", c->many_models ? r->model : "",
                          c->many_models ? " on " : "", r->device, reason(r));
        }
    }
}

/* The runtime of all rows, or "by device" where calibrations brought their own. */
static const char *common_runtime(const struct wl_comparison *c)
{
    for (int32_t i = 1; i < c->count; i++) {
        if (strcmp(c->rows[i].runtime, c->rows[0].runtime) != 0) {
            return "by device";
        }
    }
    return c->count > 0 ? c->rows[0].runtime : "-";
}

/* Rows that rest on measurements, when others do not: not the same basis. */
static void put_bases(const struct wl_comparison *c, struct wl_buf *out)
{
    int32_t calibrated = 0;
    int32_t ran = 0;
    for (int32_t i = 0; i < c->count; i++) {
        ran += c->rows[i].ok;
        calibrated += c->rows[i].ok && c->rows[i].calibrated;
    }
    if (calibrated == 0 || calibrated == ran) {
        return;
    }
    wl_buf_puts(out, "  different bases: calibrated on measurements are");
    for (int32_t i = 0; i < c->count; i++) {
        if (c->rows[i].ok && c->rows[i].calibrated) {
            wl_buf_printf(out, "\n    %s (%s, %s)", c->rows[i].device, c->rows[i].runtime,
                          c->rows[i].calibration);
        }
    }
    wl_buf_puts(
        out,
        "\n  the others follow their specification; --calibration none puts all on one basis\n");
}

static wl_status comparison_text(const struct wl_comparison *c, int width, struct wl_buf *out,
                                 struct wl_error *err)
{
    static const char *const headings[] = {"",      "device", "prec",   "latency",
                                           "ratio", "per s",  "J each", "ratio",
                                           "power", "peak",   "fits",   "bound by"};
    const char *named[WL_ARRAY_LEN(headings)];
    struct wl_table t;
    memcpy(named, headings, sizeof(named));
    named[1] = c->many_models ? "model" : "device";
    wl_buf_printf(out, "%s, batch %lld, runtime %s\n\n", c->model_name,
                  c->count > 0 ? (long long)c->rows[0].batch : 1LL, common_runtime(c));
    if (wl_table_init(&t, WL_ARRAY_LEN(headings), named, "lllrrrrrrrll") != WL_OK) {
        return wl_fail_nomem(err);
    }
    for (int32_t i = 0; i < c->count; i++) {
        if (c->rows[i].ok) {
            text_row(c, i, &t);
        }
    }
    wl_table_print(&t, width, true, "  ", out);
    wl_table_done(&t);
    put_failures(c, out);
    wl_buf_printf(
        out, "\n  * no other row is better in all of latency, energy and power; ratios to %s\n",
        c->baseline == WL_NONE ? "the best" : c->rows[c->baseline].device);
    put_bases(c, out);
    if (c->why != NULL) {
        wl_buf_printf(out, "\n%s", c->why);
    }
    return WL_OK;
}

/* ---- Markdown and CSV
 * -------------------------------------------------------------------------------- */

static void comparison_md(const struct wl_comparison *c, struct wl_buf *out)
{
    char first[CELL * 2], a[CELL], b[CELL], d[CELL], e[CELL];
    wl_buf_printf(out,
                  "## %s\n\n| device | latency | throughput | energy each | power | bound by |\n"
                  "|---|---:|---:|---:|---:|---|\n",
                  c->model_name);
    for (int32_t i = 0; i < c->count; i++) {
        const struct wl_grid_row *r = &c->rows[i];
        (void)wl_compare_label(c, i, first, sizeof(first));
        if (!r->ok) {
            wl_buf_printf(out, "| %s | | | | | %s |\n", first, r->error);
            continue;
        }
        wl_buf_printf(out, "| %s%s | %s | %s/s | ", first, c->pareto[i] ? " *" : "",
                      wl_format_si(r->totals.latency_s, "s", a, sizeof(a)),
                      wl_format_si(r->totals.throughput_per_s, "", b, sizeof(b)));
        wl_buf_printf(out, "%s | %s | %s |\n",
                      wl_format_si(r->totals.energy_per_inference_j, "J", d, sizeof(d)),
                      wl_format_si(r->totals.average_power_w, "W", e, sizeof(e)), r->bottleneck);
    }
}

static void comparison_csv(const struct wl_comparison *c, const struct wl_report_options *opt,
                           struct wl_buf *out)
{
    if (c->results != NULL && (opt->views & WL_VIEW_ENERGY) != 0) {
        wl_compare_energy_csv(c, out);
        return;
    }
    if (c->results != NULL && (opt->views & WL_VIEW_LAYERS) != 0) {
        wl_compare_layers_csv(c, out);
        return;
    }
    wl_point_csv_header(out);
    for (int32_t i = 0; i < c->count; i++) {
        wl_point_csv(&c->rows[i], out);
    }
}

wl_status wl_report_comparison(const struct wl_comparison *c, const struct wl_report_options *opt,
                               struct wl_buf *out, struct wl_error *err)
{
    switch (opt->format) {
    case WL_FORMAT_TEXT:
        WL_TRY(comparison_text(c, opt->width, out, err));
        if (c->results != NULL) {
            WL_TRY(wl_compare_views_text(c, opt, out, err));
        }
        break;
    case WL_FORMAT_JSON:
        comparison_json(c, opt, out);
        break;
    case WL_FORMAT_CSV:
        comparison_csv(c, opt, out);
        break;
    case WL_FORMAT_MD:
        comparison_md(c, out);
        break;
    case WL_FORMAT_DOT:
    case WL_FORMAT_TRACE:
    case WL_FORMAT_COUNT:
        return wl_fail(err, WL_ERR_USAGE, "--format", "compare writes text, json, csv or md");
    }
    return out->failed ? wl_fail_nomem(err) : WL_OK;
}
