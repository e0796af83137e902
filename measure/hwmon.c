/* SPDX-License-Identifier: Apache-2.0 */
/*
 * measure/hwmon.c: power and energy sensors of /sys/class/hwmon
 * (Documentation/hwmon/sysfs-interface: energyN_input in microjoules, powerN_average and
 * powerN_input in microwatts, inN_input in millivolts, currN_input in milliamperes).
 *
 * Jetson modules carry one or two INA3221 with three supplies each, labelled by the device tree.
 * VDD_IN (POM_5V_IN, POM_5V0_IN, VDD_TOTAL ...) is the module's input and contains the rest; AGX
 * modules have no such sensor, so their rails are summed. There VDDQ_VDD2_1V8AO (memory) is fed
 * from VIN_SYS_5V0 and not added again. A carrier board is never included. Other drivers are
 * recognised by name; a driver that is not in the table is shown and not summed, for what it covers
 * is unknown.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "measure_priv.h"

#define SENSORS_MAX 32 /* per device and kind */

struct state {
    struct wl_sysfs first, second; /* second: the current, where power is a product */
    double unit_w;                 /* watts (microjoules for a counter) per count */
};

static bool read_hwmon(struct wl_channel *c, struct wl_reading *out)
{
    struct state *s = c->state;
    int64_t first;
    int64_t second = 1;
    if (out->look[WL_LOOK_COUNTER]) {
        return wl_sysfs_u64(&s->first, &out->counter_uj);
    }
    if (!wl_sysfs_i64(&s->first, &first) ||
        (s->second.path != NULL && !wl_sysfs_i64(&s->second, &second))) {
        return false;
    }
    out->power_w = (double)first * (double)second * s->unit_w;
    return true;
}

static void close_hwmon(struct wl_channel *c)
{
    struct state *s = c->state;
    wl_sysfs_close(&s->first);
    wl_sysfs_close(&s->second);
}

/* ---- which sensor covers what ---------------------------------------------------------------- */

enum driver_kind { DRIVER_RAILS, DRIVER_LABELLED };

struct driver_row {
    const char *name;
    enum driver_kind kind;
    const char *label; /* prefix of the sensor's label; NULL: any */
    enum wl_meter_scope scope;
};

/* First match wins. */
static const struct driver_row drivers[] = {
    {"ina3221", DRIVER_RAILS, "VDD_IN", WL_METER_MODULE},
    {"ina3221", DRIVER_RAILS, "POM_5V_IN", WL_METER_MODULE},
    {"ina3221", DRIVER_RAILS, "POM_5V0_IN", WL_METER_MODULE},
    {"ina3221", DRIVER_RAILS, "VDD_TOTAL", WL_METER_MODULE},
    {"ina3221", DRIVER_RAILS, "VDDQ_VDD2_1V8AO", WL_METER_SUBRAIL},
    {"ina3221", DRIVER_RAILS, NULL, WL_METER_RAIL},
    {"i915", DRIVER_LABELLED, NULL, WL_METER_GPU},
    {"xe", DRIVER_LABELLED, "card", WL_METER_GPU},
    {"xe", DRIVER_LABELLED, NULL, WL_METER_SUBRAIL},
    {"amd_energy", DRIVER_LABELLED, "Esocket", WL_METER_PACKAGE},
    {"amd_energy", DRIVER_LABELLED, "Ecore", WL_METER_CORE},
    {"fam15h_power", DRIVER_LABELLED, NULL, WL_METER_PACKAGE},
    {"power_meter", DRIVER_LABELLED, "CPU Power", WL_METER_CORE},
    {"power_meter", DRIVER_LABELLED, "SysIO Power", WL_METER_UNCORE},
    {"power_meter", DRIVER_LABELLED, "Grace Power", WL_METER_PACKAGE},
    {"power_meter", DRIVER_LABELLED, "Module Power", WL_METER_PLATFORM},
    {"power_meter", DRIVER_LABELLED, NULL, WL_METER_MACHINE},
};

/* amdgpu.c and battery.c read these. */
static bool belongs_elsewhere(const char *driver)
{
    return strcmp(driver, "amdgpu") == 0 || strncmp(driver, "BAT", 3) == 0 ||
           strncmp(driver, "AC", 2) == 0 || strncmp(driver, "i915_gt", 7) == 0;
}

static enum wl_meter_scope scope_of(const char *driver, const char *label)
{
    for (size_t i = 0; i < WL_ARRAY_LEN(drivers); i++) {
        const struct driver_row *row = &drivers[i];
        if (strcmp(row->name, driver) == 0 &&
            (row->label == NULL || strncmp(label, row->label, strlen(row->label)) == 0)) {
            return row->scope;
        }
    }
    return WL_METER_OTHER;
}

static bool is_rails(const char *driver)
{
    for (size_t i = 0; i < WL_ARRAY_LEN(drivers); i++) {
        if (strcmp(drivers[i].name, driver) == 0) {
            return drivers[i].kind == DRIVER_RAILS;
        }
    }
    return false;
}

/* The machine's packages are counted already by rapl or perf_event. */
static bool packages_known(const struct wl_meter *m)
{
    for (int32_t i = 0; i < m->count; i++) {
        const struct wl_channel *c = m->channels[i];
        if (c->scope == WL_METER_PACKAGE && c->source != &wl_source_hwmon) {
            return true;
        }
    }
    return false;
}

/* ---- devices --------------------------------------------------------------------------------- */

struct device {
    const char *dir, *entry; /* ".../hwmon3", "hwmon3" */
    char driver[48];
    int32_t failed;
    int error;
};

static wl_status add_sensor(struct wl_meter *m, struct device *d, const char *label,
                            const struct state *opened, bool counter, struct wl_error *err)
{
    enum wl_meter_scope scope = scope_of(d->driver, label);
    struct wl_channel *c = wl_meter_add(m, &wl_source_hwmon, scope, sizeof(*opened));
    if (c == NULL) {
        struct state s = *opened;
        wl_sysfs_close(&s.first);
        wl_sysfs_close(&s.second);
        return wl_fail_nomem(err);
    }
    memcpy(c->state, opened, sizeof(*opened));
    c->has[counter ? WL_LOOK_COUNTER : WL_LOOK_POWER] = true;
    (void)snprintf(c->name, sizeof(c->name), "%s", label);
    (void)snprintf(c->device, sizeof(c->device), "%s (%s)", d->driver, d->entry);
    c->group = WL_NONE;
    if ((scope == WL_METER_PACKAGE || scope == WL_METER_CORE) && packages_known(m)) {
        c->scope = WL_METER_OTHER;
        wl_channel_note(c, "the packages are counted by another source");
    }
    if (!counter) {
        wl_channel_note(c, "sampled power, integrated");
    }
    return WL_OK;
}

static void note_failure(struct device *d, int error)
{
    if (error != ENOENT && d->failed++ == 0) {
        d->error = error;
    }
}

/* Supply i: volts x amperes. */
static wl_status add_rail(struct wl_meter *m, struct device *d, int i, struct wl_error *err)
{
    char file[32];
    char label[48];
    int64_t enabled;
    struct state s = {.first = {.fd = -1}, .second = {.fd = -1}, .unit_w = 1e-6};
    (void)snprintf(file, sizeof(file), "in%d_label", i);
    if (wl_sysfs_text(d->dir, file, label, sizeof(label)) != 0 || label[0] == '\0' ||
        strcmp(label, "NC") == 0 || strcmp(label, "sum of shunt voltages") == 0) {
        return WL_OK;
    }
    (void)snprintf(file, sizeof(file), "in%d_enable", i);
    if (wl_sysfs_number(d->dir, file, &enabled) == 0 && enabled == 0) {
        return WL_OK;
    }
    (void)snprintf(file, sizeof(file), "in%d_input", i);
    int error = wl_sysfs_open(m, &s.first, d->dir, file);
    if (error == 0) {
        (void)snprintf(file, sizeof(file), "curr%d_input", i);
        error = wl_sysfs_open(m, &s.second, d->dir, file);
    }
    if (error != 0) {
        wl_sysfs_close(&s.first);
        note_failure(d, error);
        return WL_OK;
    }
    return add_sensor(m, d, label, &s, false, err);
}

/* "energy1_input", "power2_average": opened when it is there. */
static bool open_numbered(struct wl_meter *m, struct device *d, const char *what, int i,
                          const char *end, struct state *s)
{
    char file[32];
    (void)snprintf(file, sizeof(file), "%s%d_%s", what, i, end);
    int error = wl_sysfs_open(m, &s->first, d->dir, file);
    if (error != 0) {
        note_failure(d, error);
    }
    return error == 0;
}

static void read_label(const struct device *d, const char *what, int i, char *label, size_t size)
{
    static const char *const ends[] = {"label", "oem_info"};
    char file[32];
    for (size_t k = 0; k < WL_ARRAY_LEN(ends); k++) {
        (void)snprintf(file, sizeof(file), "%s%d_%s", what, i, ends[k]);
        if (wl_sysfs_text(d->dir, file, label, size) == 0 && label[0] != '\0') {
            return;
        }
    }
    (void)snprintf(label, size, "%.20s-%s%d", d->driver, what, i);
}

static wl_status add_numbered(struct wl_meter *m, struct device *d, int i, struct wl_error *err)
{
    char label[48];
    struct state s = {.first = {.fd = -1}, .second = {.fd = -1}, .unit_w = 1e-6};
    if (open_numbered(m, d, "energy", i, "input", &s)) {
        read_label(d, "energy", i, label, sizeof(label));
        return add_sensor(m, d, label, &s, true, err);
    }
    if (open_numbered(m, d, "power", i, "average", &s) ||
        open_numbered(m, d, "power", i, "input", &s)) {
        read_label(d, "power", i, label, sizeof(label));
        return add_sensor(m, d, label, &s, false, err);
    }
    return WL_OK;
}

static wl_status add_device(struct wl_meter *m, const char *tree, const char *entry,
                            struct wl_error *err)
{
    struct device d = {.entry = entry};
    d.dir = wl_arena_printf(&m->arena, "%s/%s", tree, entry);
    WL_TRY_PTR(d.dir, err);
    if (wl_sysfs_text(d.dir, "name", d.driver, sizeof(d.driver)) != 0 ||
        belongs_elsewhere(d.driver)) {
        return WL_OK;
    }
    bool rails = is_rails(d.driver);
    for (int i = rails ? 1 : 0; i <= (rails ? 3 : SENSORS_MAX); i++) {
        WL_TRY(rails ? add_rail(m, &d, i, err) : add_numbered(m, &d, i, err));
    }
    if (d.failed > 0) {
        return wl_meter_lacks(m, "hwmon", d.error == EACCES ? "run as root" : NULL, err,
                              "%d sensors of %s (%s) cannot be read: %s", (int)d.failed, d.driver,
                              entry, strerror(d.error));
    }
    return WL_OK;
}

static wl_status probe_hwmon(struct wl_meter *m, struct wl_error *err)
{
    char **names = NULL;
    int32_t count = 0;
    int32_t before = m->count;
    int32_t absent_before = m->absent_count;
    const char *tree = wl_arena_printf(&m->arena, "%s/class/hwmon", m->root);
    WL_TRY_PTR(tree, err);
    if (wl_dir_list(&m->arena, tree, &names, &count, NULL) != WL_OK) {
        return wl_meter_lacks(m, "hwmon", NULL, err, "no %s", tree);
    }
    for (int32_t i = 0; i < count; i++) {
        if (wl_sysfs_index(names[i], "hwmon") >= 0) {
            WL_TRY(add_device(m, tree, names[i], err));
        }
    }
    if (m->count == before && m->absent_count == absent_before) {
        return wl_meter_lacks(m, "hwmon", NULL, err, "no power or energy sensor in %s", tree);
    }
    return WL_OK;
}

const struct wl_source wl_source_hwmon = {
    .name = "hwmon", .probe = probe_hwmon, .read = read_hwmon, .close = close_hwmon};
