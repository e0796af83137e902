/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/measure_plot.c: power over time as characters: mean of the counted sources' power in each
 * column's share of time, with eighths of a character as resolution.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "measure_cli.h"

#define COLUMNS 80
#define ROWS 10
#define LABEL 10

/* Mean power by column, NaN where nothing was sampled (then the value before it is held). */
static void fill_columns(struct wl_meter *m, const struct wl_series *s, double columns[COLUMNS])
{
    double sums[COLUMNS] = {0};
    int32_t counts[COLUMNS] = {0};
    double last_t = s->time_s[s->rows - 1];
    for (int32_t row = 0; row < s->rows; row++) {
        double power = 0.0;
        bool known = false;
        for (int32_t i = 0; i < s->channels; i++) {
            struct wl_meter_channel c;
            double v = wl_series_at(s, row, i, WL_SERIES_POWER_W);
            if (wl_meter_channel_read(m, i, &c, NULL) == WL_OK && c.counted != 0 && isfinite(v)) {
                power += v;
                known = true;
            }
        }
        int at = last_t > 0.0 ? (int)(s->time_s[row] / last_t * (COLUMNS - 1)) : 0;
        if (known) {
            sums[at] += power;
            counts[at]++;
        }
    }
    double held = (double)NAN;
    for (int i = 0; i < COLUMNS; i++) {
        held = counts[i] > 0 ? sums[i] / counts[i] : held;
        columns[i] = held;
    }
}

/* 1, 2 or 5 times a power of ten, at least `v`. */
static double round_up(double v)
{
    double step = pow(10.0, floor(log10(v)));
    static const double steps[] = {1.0, 2.0, 5.0, 10.0};
    for (size_t i = 0; i < WL_ARRAY_LEN(steps); i++) {
        if (step * steps[i] >= v) {
            return step * steps[i];
        }
    }
    return v;
}

static void put_line(const double columns[COLUMNS], int row, double top, struct wl_buf *out)
{
    static const char *const blocks[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    char label[32] = "";
    if (row == ROWS - 1 || row == ROWS / 2 - 1) {
        (void)wl_format_si(top * (row + 1) / ROWS, "W", label, sizeof(label));
    }
    wl_buf_printf(out, "  %*s%s ┤", LABEL - wl_text_width(label), "", label);
    for (int i = 0; i < COLUMNS; i++) {
        double eighths = isfinite(columns[i]) ? (columns[i] / top * ROWS - row) * 8.0 : 0.0;
        int full = eighths >= 8.0 ? 8 : eighths > 0.0 ? (int)lround(eighths) : 0;
        wl_buf_puts(out, blocks[full]);
    }
    wl_buf_puts(out, "\n");
}

void wl_measure_plot(struct wl_meter *m, struct wl_buf *out)
{
    struct wl_series s;
    double columns[COLUMNS];
    double highest = 0.0;
    char end[32];
    wl_meter_series(m, &s);
    if (s.rows > 0) {
        fill_columns(m, &s, columns);
        for (int i = 0; i < COLUMNS; i++) {
            highest = isfinite(columns[i]) ? fmax(highest, columns[i]) : highest;
        }
    }
    if (!(highest > 0.0)) {
        wl_buf_puts(out, "\n  nothing to draw: no power was measured\n");
        return;
    }
    double top = round_up(highest);
    wl_buf_puts(out, "\n  power of the last run\n");
    for (int row = ROWS - 1; row >= 0; row--) {
        put_line(columns, row, top, out);
    }
    (void)wl_format_si(s.time_s[s.rows - 1], "s", end, sizeof(end));
    wl_buf_printf(out, "  %*s0 └", LABEL - 1, "");
    for (int i = 0; i < COLUMNS; i++) {
        wl_buf_puts(out, "─");
    }
    wl_buf_printf(out, "\n  %*s0%*s%s\n", LABEL + 2, "", COLUMNS - 1 - wl_text_width(end), "", end);
}
