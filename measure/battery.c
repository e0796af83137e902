/* SPDX-License-Identifier: Apache-2.0 */
/*
 * measure/battery.c: a discharging battery as the meter of last resort (Documentation/ABI
 * sysfs-class-power: power_now in microwatts, or current_now in microamperes x voltage_now in
 * microvolts). It sees the whole machine, screen included, and moves about once in several seconds.
 * A battery on mains shows what charges it, not what the machine takes, and is not used.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "measure_priv.h"

struct state {
    struct wl_sysfs power, current, voltage;
};

static bool read_battery(struct wl_channel *c, struct wl_reading *out)
{
    struct state *s = c->state;
    int64_t power;
    int64_t volts;
    if (s->power.path != NULL) {
        if (!wl_sysfs_i64(&s->power, &power)) {
            return false;
        }
        out->power_w = fabs((double)power) * 1e-6; /* some drivers give discharging a sign */
        return true;
    }
    if (!wl_sysfs_i64(&s->current, &power) || !wl_sysfs_i64(&s->voltage, &volts)) {
        return false;
    }
    out->power_w = fabs((double)power) * 1e-6 * (double)volts * 1e-6;
    return true;
}

static void close_battery(struct wl_channel *c)
{
    struct state *s = c->state;
    wl_sysfs_close(&s->power);
    wl_sysfs_close(&s->current);
    wl_sysfs_close(&s->voltage);
}

/* A supply of the machine itself: not a mouse's battery, not a mains adapter. */
static bool is_system_battery(const char *dir)
{
    char text[32];
    if (wl_sysfs_text(dir, "type", text, sizeof(text)) != 0 || strcmp(text, "Battery") != 0) {
        return false;
    }
    return wl_sysfs_text(dir, "scope", text, sizeof(text)) != 0 || strcmp(text, "Device") != 0;
}

static int open_files(struct wl_meter *m, struct state *s, const char *dir)
{
    *s = (struct state){.power = {.fd = -1}, .current = {.fd = -1}, .voltage = {.fd = -1}};
    if (wl_sysfs_open(m, &s->power, dir, "power_now") == 0) {
        return 0;
    }
    s->power.path = NULL;
    int error = wl_sysfs_open(m, &s->current, dir, "current_now");
    if (error == 0) {
        error = wl_sysfs_open(m, &s->voltage, dir, "voltage_now");
    }
    if (error != 0) {
        wl_sysfs_close(&s->current);
    }
    return error;
}

static wl_status add_battery(struct wl_meter *m, const char *dir, const char *name,
                             struct wl_error *err)
{
    char status[32] = "";
    struct state s;
    (void)wl_sysfs_text(dir, "status", status, sizeof(status));
    if (strcmp(status, "Discharging") != 0) {
        return wl_meter_lacks(m, "battery", "unplug the mains adapter", err,
                              "%s is not discharging (%s): it does not see what the machine takes",
                              name, status[0] == '\0' ? "state unknown" : status);
    }
    int error = open_files(m, &s, dir);
    if (error != 0) {
        return wl_meter_lacks(m, "battery", NULL, err, "%s tells no power: %s", name,
                              strerror(error));
    }
    struct wl_channel *c = wl_meter_add(m, &wl_source_battery, WL_METER_MACHINE, sizeof(s));
    if (c == NULL) {
        wl_sysfs_close(&s.power);
        wl_sysfs_close(&s.current);
        wl_sysfs_close(&s.voltage);
        return wl_fail_nomem(err);
    }
    memcpy(c->state, &s, sizeof(s));
    c->has[WL_LOOK_POWER] = true;
    (void)snprintf(c->name, sizeof(c->name), "%s", name);
    (void)snprintf(c->device, sizeof(c->device), "battery");
    wl_channel_note(c, "the whole machine, updated every few seconds: for long runs only");
    return WL_OK;
}

static wl_status probe_battery(struct wl_meter *m, struct wl_error *err)
{
    char **names = NULL;
    int32_t count = 0;
    int32_t found = 0;
    const char *tree = wl_arena_printf(&m->arena, "%s/class/power_supply", m->root);
    WL_TRY_PTR(tree, err);
    (void)wl_dir_list(&m->arena, tree, &names, &count, NULL);
    for (int32_t i = 0; i < count; i++) {
        const char *dir = wl_arena_printf(&m->arena, "%s/%s", tree, names[i]);
        WL_TRY_PTR(dir, err);
        if (is_system_battery(dir)) {
            found++;
            WL_TRY(add_battery(m, dir, names[i], err));
        }
    }
    return found > 0 ? WL_OK : wl_meter_lacks(m, "battery", NULL, err, "no battery in %s", tree);
}

const struct wl_source wl_source_battery = {
    .name = "battery", .probe = probe_battery, .read = read_battery, .close = close_battery};
