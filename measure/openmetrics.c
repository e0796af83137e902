/* SPDX-License-Identifier: Apache-2.0 */
/*
 * measure/openmetrics.c: all channels as OpenMetrics text (OpenMetrics 1.0.0: families in one block
 * each, TYPE, UNIT and HELP before the samples, counters end in _total, # EOF closes). Channels
 * without a figure are left out: absence is how the format says "not known".
 */
#include "measure_priv.h"

static void put_label(struct wl_buf *out, const char *key, const char *value)
{
    wl_buf_printf(out, "%s=\"", key);
    for (const char *p = value; *p != '\0'; p++) {
        if (*p == '\\' || *p == '"') {
            wl_buf_printf(out, "\\%c", *p);
        } else if (*p == '\n') {
            wl_buf_puts(out, "\\n");
        } else {
            wl_buf_add(out, p, 1);
        }
    }
    wl_buf_puts(out, "\"");
}

static void put_sample(struct wl_buf *out, const char *name, const struct wl_channel *c,
                       double value)
{
    if (!isfinite(value)) {
        return;
    }
    wl_buf_printf(out, "%s{", name);
    put_label(out, "source", c->source->name);
    wl_buf_puts(out, ",");
    put_label(out, "device", c->name);
    wl_buf_puts(out, ",");
    put_label(out, "in_total", c->counted ? "true" : "false");
    wl_buf_printf(out, "} %.17g\n", value);
}

enum family { FAMILY_ENERGY, FAMILY_POWER, FAMILY_UTILIZATION, FAMILY_CLOCK, FAMILY_TEMPERATURE };

static const struct {
    const char *name, *type, *unit, *help, *sample;
} families[] = {
    [FAMILY_ENERGY] = {"wattline_energy_joules", "counter", "joules",
                       "Energy since the exporter was started. Sum only where in_total is true.",
                       "wattline_energy_joules_total"},
    [FAMILY_POWER] = {"wattline_power_watts", "gauge", "watts", "Newest power.",
                      "wattline_power_watts"},
    [FAMILY_UTILIZATION] = {"wattline_utilization_ratio", "gauge", "ratio",
                            "Share of the time a GPU was busy.", "wattline_utilization_ratio"},
    [FAMILY_CLOCK] = {"wattline_clock_hertz", "gauge", "hertz", "Clock of a GPU's compute units.",
                      "wattline_clock_hertz"},
    [FAMILY_TEMPERATURE] = {"wattline_temperature_celsius", "gauge", "celsius",
                            "Temperature of a GPU.", "wattline_temperature_celsius"},
};

static double value_of(struct wl_meter *m, int32_t channel, enum family family)
{
    struct wl_gauges g;
    (void)pthread_mutex_lock(&m->lock);
    g = m->channels[channel]->run.newest;
    (void)pthread_mutex_unlock(&m->lock);
    switch (family) {
    case FAMILY_ENERGY:
        return wl_meter_lifetime_j(m, channel);
    case FAMILY_POWER:
        return wl_meter_power_w(m, channel);
    case FAMILY_UTILIZATION:
        return g.utilization;
    case FAMILY_CLOCK:
        return g.clock_hz;
    case FAMILY_TEMPERATURE:
        return g.temperature_c;
    }
    return (double)NAN;
}

void wl_openmetrics(struct wl_meter *m, struct wl_buf *out)
{
    for (size_t f = 0; f < WL_ARRAY_LEN(families); f++) {
        wl_buf_printf(out, "# TYPE %s %s\n# UNIT %s %s\n# HELP %s %s\n", families[f].name,
                      families[f].type, families[f].name, families[f].unit, families[f].name,
                      families[f].help);
        for (int32_t i = 0; i < m->count; i++) {
            put_sample(out, families[f].sample, m->channels[i], value_of(m, i, (enum family)f));
        }
    }
    wl_buf_puts(out, "# EOF\n");
}
