/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mappers/seconds.c: how long a mapping's counts take, the one formula that roofline/ reports and
 * mappers compare their plans by. What does not depend on the plan (launches) is roofline's.
 */
#include "mappers_priv.h"

double wl_mapping_compute_s(const struct wl_device *d, const struct wl_mapping *m)
{
    double sum = 0;
    double longest = 0;
    for (int32_t i = 0; i < m->pipe_count; i++) {
        double clock = d->pipes[m->pipes[i].pipe].clock_hz;
        double s = clock > 0 ? m->pipes[i].cycles / clock : 0;
        sum += s;
        longest = wl_max_d(longest, s);
    }
    return m->serial_pipes ? sum : longest;
}

double wl_mapping_level_s(const struct wl_device *d, const struct wl_mapping *m, int32_t level)
{
    const struct wl_level *l = &d->levels[level];
    double rate = wl_map_level_rate(l) * m->level_share[level];
    double bytes = m->traffic[level].read_bytes + m->traffic[level].write_bytes;
    return rate > 0 ? bytes / rate : 0;
}

double wl_mapping_fixed_s(const struct wl_device *d, const struct wl_mapping *m)
{
    return m->barriers * d->params.barrier_s + m->serial_s;
}

double wl_map_seconds(const struct wl_device *d, const struct wl_mapping *m)
{
    double busy = wl_mapping_compute_s(d, m);
    for (int32_t l = 0; l < d->level_count; l++) {
        busy = wl_max_d(busy, wl_mapping_level_s(d, m, l));
    }
    return busy + wl_mapping_fixed_s(d, m);
}
