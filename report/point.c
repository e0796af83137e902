/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report/point.c: one point of a grid as a row of columns: the same list for CSV, JSON lines and
 * SQLite. The first columns are the point's parameters (its key); a point that could not run has
 * its reason in `error` and no figures.
 */
#include <string.h>

#include "compare.h"
#include "report_priv.h"

enum column {
    C_MODEL,
    C_DIMS,
    C_BATCH,
    C_FUSION,
    C_HARDWARE,
    C_POWER_MODE,
    C_PRECISION,
    C_RUNTIME,
    C_CALIBRATION,
    C_OPTIONS,
    C_ERROR,
    C_MACS,
    C_FLOPS,
    C_LATENCY,
    C_THROUGHPUT,
    C_ENERGY,
    C_ENERGY_EACH,
    C_AVERAGE_POWER,
    C_UNTHROTTLED,
    C_PEAK_POWER,
    C_POWER_LIMIT,
    C_COMPUTE,
    C_MEMORY,
    C_CONTROL,
    C_STATIC,
    C_DRAM,
    C_WEIGHTS,
    C_ACTIVATIONS,
    C_PEAK_MEMORY,
    C_FITS,
    C_UTILIZATION,
    C_EFFICIENCY,
    C_INTENSITY,
    C_EDP,
    C_BOTTLENECK,
    C_BASIS,
    C_COUNT
};

static const struct wl_point_column columns[C_COUNT] = {
    [C_MODEL] = {"model", 's', true},
    [C_DIMS] = {"dims", 's', true},
    [C_BATCH] = {"batch", 'i', true},
    [C_FUSION] = {"fusion", 's', true},
    [C_HARDWARE] = {"hardware", 's', true},
    [C_POWER_MODE] = {"power_mode", 's', true},
    [C_PRECISION] = {"precision", 's', true},
    [C_RUNTIME] = {"runtime", 's', true},
    [C_CALIBRATION] = {"calibration", 's', true},
    [C_OPTIONS] = {"options", 's', true},
    [C_ERROR] = {"error", 's', false},
    [C_MACS] = {"macs", 'i', false},
    [C_FLOPS] = {"flops", 'i', false},
    [C_LATENCY] = {"latency_s", 'n', false},
    [C_THROUGHPUT] = {"throughput_per_s", 'n', false},
    [C_ENERGY] = {"energy_j", 'n', false},
    [C_ENERGY_EACH] = {"energy_per_inference_j", 'n', false},
    [C_AVERAGE_POWER] = {"average_power_w", 'n', false},
    [C_UNTHROTTLED] = {"unthrottled_power_w", 'n', false},
    [C_PEAK_POWER] = {"peak_power_w", 'n', false},
    [C_POWER_LIMIT] = {"power_limit_w", 'n', false},
    [C_COMPUTE] = {"compute_j", 'n', false},
    [C_MEMORY] = {"memory_j", 'n', false},
    [C_CONTROL] = {"control_j", 'n', false},
    [C_STATIC] = {"static_j", 'n', false},
    [C_DRAM] = {"dram_bytes", 'n', false},
    [C_WEIGHTS] = {"weight_bytes", 'n', false},
    [C_ACTIVATIONS] = {"activation_bytes", 'n', false},
    [C_PEAK_MEMORY] = {"peak_memory_bytes", 'n', false},
    [C_FITS] = {"fits_memory", 'i', false},
    [C_UTILIZATION] = {"utilization", 'n', false},
    [C_EFFICIENCY] = {"efficiency", 'n', false},
    [C_INTENSITY] = {"intensity_flops_per_byte", 'n', false},
    [C_EDP] = {"energy_delay_product_js", 'n', false},
    [C_BOTTLENECK] = {"bottleneck", 's', false},
    [C_BASIS] = {"basis", 's', false},
};

const struct wl_point_column *wl_point_columns(int32_t *count)
{
    *count = C_COUNT;
    return columns;
}

static const char *text_of(const struct wl_grid_row *row, int32_t column)
{
    switch (column) {
    case C_MODEL:
        return row->model;
    case C_DIMS:
        return row->dims;
    case C_FUSION:
        return row->fusion;
    case C_HARDWARE:
        return row->device;
    case C_POWER_MODE:
        return row->power_mode;
    case C_PRECISION:
        return wl_precision_name(row->precision);
    case C_RUNTIME:
        return row->runtime;
    case C_CALIBRATION:
        return row->calibration;
    case C_OPTIONS:
        return row->options;
    case C_ERROR:
        return row->ok ? NULL : row->error;
    case C_BOTTLENECK:
        return row->ok ? row->bottleneck : NULL;
    case C_BASIS:
        return !row->ok                                 ? NULL
               : row->calibrated                        ? "calibrated"
               : row->latency_basis == WL_BASIS_ASSUMED ? "assumed"
                                                        : "specification";
    default:
        return NULL;
    }
}

static double number_of(const struct wl_grid_row *row, int32_t column)
{
    const struct wl_totals *t = &row->totals;
    const double values[C_COUNT] = {
        [C_LATENCY] = t->latency_s,
        [C_THROUGHPUT] = t->throughput_per_s,
        [C_ENERGY] = t->energy_j,
        [C_ENERGY_EACH] = t->energy_per_inference_j,
        [C_AVERAGE_POWER] = t->average_power_w,
        [C_UNTHROTTLED] = t->unthrottled_power_w,
        [C_PEAK_POWER] = t->peak_power_w,
        [C_POWER_LIMIT] = row->power_limit_w,
        [C_COMPUTE] = row->energy.category_j[WL_CAT_COMPUTE],
        [C_MEMORY] = row->energy.category_j[WL_CAT_MEMORY],
        [C_CONTROL] = row->energy.category_j[WL_CAT_CONTROL],
        [C_STATIC] = row->energy.static_j,
        [C_DRAM] = t->dram_bytes,
        [C_WEIGHTS] = t->weight_bytes,
        [C_ACTIVATIONS] = t->activation_bytes,
        [C_PEAK_MEMORY] = t->peak_memory_bytes,
        [C_UTILIZATION] = t->utilization,
        [C_EFFICIENCY] = t->efficiency,
        [C_INTENSITY] = t->intensity_flops_per_byte,
        [C_EDP] = t->energy_per_inference_j * t->latency_s,
    };
    return values[column];
}

struct wl_point_value wl_point_value(const struct wl_grid_row *row, int32_t column)
{
    struct wl_point_value v = {0};
    switch (columns[column].kind) {
    case 's':
        v.s = text_of(row, column);
        v.null = v.s == NULL;
        break;
    case 'i':
        v.i = column == C_BATCH  ? row->batch
              : column == C_MACS ? row->totals.macs
              : column == C_FITS ? row->fits
                                 : row->totals.flops;
        v.null = !row->ok && !columns[column].key;
        break;
    default:
        v.n = number_of(row, column);
        v.null = !row->ok;
        break;
    }
    return v;
}

void wl_point_csv_header(struct wl_buf *out)
{
    for (int32_t c = 0; c < C_COUNT; c++) {
        wl_csv_str(out, c == 0, columns[c].name);
    }
    wl_buf_puts(out, "\r\n");
}

void wl_point_csv(const struct wl_grid_row *row, struct wl_buf *out)
{
    for (int32_t c = 0; c < C_COUNT; c++) {
        struct wl_point_value v = wl_point_value(row, c);
        if (v.null) {
            wl_csv_str(out, c == 0, "");
        } else if (columns[c].kind == 's') {
            wl_csv_str(out, c == 0, v.s);
        } else if (columns[c].kind == 'i') {
            wl_csv_int(out, c == 0, v.i);
        } else {
            wl_csv_num(out, c == 0, v.n);
        }
    }
    wl_buf_puts(out, "\r\n");
}

void wl_point_json(const struct wl_grid_row *row, struct wl_buf *out)
{
    struct wl_emitter e = {.out = out, .compact = true};
    e.first[0] = true;
    wl_json_object(&e, NULL);
    for (int32_t c = 0; c < C_COUNT; c++) {
        struct wl_point_value v = wl_point_value(row, c);
        if (v.null) {
            wl_json_null(&e, columns[c].name);
        } else if (columns[c].kind == 's') {
            wl_json_str(&e, columns[c].name, v.s);
        } else if (columns[c].kind == 'i') {
            wl_json_int(&e, columns[c].name, v.i);
        } else {
            wl_json_num(&e, columns[c].name, v.n);
        }
    }
    wl_json_close(&e, '}');
    wl_buf_puts(out, "\n");
}
