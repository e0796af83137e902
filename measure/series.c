/* SPDX-License-Identifier: Apache-2.0 */
/*
 * measure/series.c: the samples of a region in bounded memory. When the store is full every second
 * row is dropped and from then on only every second sample kept: a run of any length is covered
 * evenly.
 */
#include <string.h>

#include "measure_priv.h"

void wl_series_reset(struct wl_meter *m)
{
    wl_free(m->series_time);
    wl_free(m->series_values);
    m->series_time = NULL;
    m->series_values = NULL;
    m->series_rows = m->series_capacity = 0;
    m->series_every = 1;
    m->series_seen = 0;
}

static size_t row_values(const struct wl_meter *m)
{
    return (size_t)m->count * WL_SERIES_FIELDS;
}

static int32_t most_rows(const struct wl_meter *m)
{
    size_t row_bytes = (row_values(m) + 1) * sizeof(double);
    size_t rows = WL_SERIES_BYTES_MAX / row_bytes;
    return rows < 16 ? 16 : (int32_t)rows;
}

static bool grow(struct wl_meter *m)
{
    int32_t most = most_rows(m);
    int32_t capacity = m->series_capacity == 0 ? 256 : m->series_capacity * 2;
    capacity = capacity < most ? capacity : most;
    if (capacity <= m->series_capacity) {
        return false;
    }
    double *time = wl_realloc(m->series_time, (size_t)capacity * sizeof(double));
    if (time == NULL) {
        return false;
    }
    m->series_time = time;
    size_t bytes = (size_t)capacity * row_values(m) * sizeof(double);
    double *values = wl_realloc(m->series_values, bytes > 0 ? bytes : sizeof(double));
    if (values == NULL) {
        return false;
    }
    m->series_values = values;
    m->series_capacity = capacity;
    return true;
}

static void thin_out(struct wl_meter *m)
{
    size_t width = row_values(m);
    int32_t kept = 0;
    for (int32_t row = 0; row < m->series_rows; row += 2) {
        m->series_time[kept] = m->series_time[row];
        memmove(m->series_values + (size_t)kept * width, m->series_values + (size_t)row * width,
                width * sizeof(double));
        kept++;
    }
    m->series_rows = kept;
    m->series_every *= 2;
}

void wl_series_add(struct wl_meter *m, double t)
{
    if (m->series_seen++ % m->series_every != 0) {
        return;
    }
    if (m->series_rows == m->series_capacity && !grow(m)) {
        if (m->series_rows < 2) {
            return;
        }
        thin_out(m);
    }
    double *row = m->series_values + (size_t)m->series_rows * row_values(m);
    for (int32_t i = 0; i < m->count; i++) {
        const struct wl_channel *c = m->channels[i];
        double *v = row + (size_t)i * WL_SERIES_FIELDS;
        v[WL_SERIES_ENERGY_J] = !c->run.started           ? (double)NAN
                                : c->has[WL_LOOK_COUNTER] ? (double)c->run.total_uj * 1e-6
                                                          : c->run.integral_j;
        v[WL_SERIES_POWER_W] = c->run.failing ? (double)NAN : c->run.power_w;
        v[WL_SERIES_UTILIZATION] = c->run.newest.utilization;
        v[WL_SERIES_CLOCK_HZ] = c->run.newest.clock_hz;
        v[WL_SERIES_TEMPERATURE_C] = c->run.newest.temperature_c;
    }
    m->series_time[m->series_rows++] = t - m->start_t;
}

void wl_meter_series(struct wl_meter *m, struct wl_series *out)
{
    (void)pthread_mutex_lock(&m->lock);
    *out = (struct wl_series){.time_s = m->series_time,
                              .values = m->series_values,
                              .rows = m->series_rows,
                              .channels = m->count};
    (void)pthread_mutex_unlock(&m->lock);
}
