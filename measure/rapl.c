/* SPDX-License-Identifier: Apache-2.0 */
/*
 * measure/rapl.c: Running Average Power Limit counters through the kernel's powercap tree
 * (Documentation/power/powercap: zones intel-rapl:N and intel-rapl:N:M, also on AMD).
 * energy_uj counts microjoules and wraps at max_energy_range_uj, at 200 W after some 20 minutes:
 * every sampling interval is far shorter. Since 2020 the kernel lets only root read it
 * (CVE-2020-8694). intel-rapl-mmio zones show a package's counter a second time and are used only
 * where there is no other.
 */
#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "measure_priv.h"

#define ZONES_MAX 1024

/* A zone directory, "intel-rapl:1:0". */
struct zone {
    char id[48];
    char dir[4096 - 64];
    bool mmio;
    int32_t package, domain; /* domain WL_NONE: the package's own zone */
};

struct zones {
    struct zone *items;
    int32_t count, capacity;
};

/* intel-rapl:N, intel-rapl:N:M, intel-rapl-mmio:N ...; false for anything else. */
static bool parse_zone(const char *name, struct zone *z)
{
    const char *at = name;
    *z = (struct zone){.domain = WL_NONE};
    if (strncmp(at, "intel-rapl-mmio:", 16) == 0) {
        z->mmio = true;
        at += 16;
    } else if (strncmp(at, "intel-rapl:", 11) == 0) {
        at += 11;
    } else {
        return false;
    }
    char first[16];
    size_t len = strcspn(at, ":");
    if (len == 0 || len >= sizeof(first) || strlen(name) >= sizeof(z->id)) {
        return false;
    }
    memcpy(first, at, len);
    first[len] = '\0';
    z->package = wl_sysfs_index(first, "");
    if (at[len] == ':') {
        z->domain = wl_sysfs_index(at + len + 1, "");
    }
    (void)snprintf(z->id, sizeof(z->id), "%s", name);
    return z->package >= 0 && (at[len] == '\0' || z->domain >= 0);
}

static wl_status add_zone(struct wl_meter *m, struct zones *zs, const char *parent,
                          const char *name, struct wl_error *err)
{
    struct zone z;
    if (!parse_zone(name, &z) || zs->count >= ZONES_MAX) {
        return WL_OK;
    }
    for (int32_t i = 0; i < zs->count; i++) {
        if (strcmp(zs->items[i].id, z.id) == 0) {
            return WL_OK;
        }
    }
    int len = snprintf(z.dir, sizeof(z.dir), "%s/%s", parent, name);
    if (len < 0 || (size_t)len >= sizeof(z.dir)) {
        return WL_OK;
    }
    if (wl_arena_reserve(&m->arena, (void **)&zs->items, &zs->capacity, zs->count + 1,
                         sizeof(*zs->items)) != WL_OK) {
        return wl_fail_nomem(err);
    }
    zs->items[zs->count++] = z;
    return WL_OK;
}

/* Zones at the top of the tree, and those that lie only within their package's. */
static wl_status find_zones(struct wl_meter *m, const char *tree, struct zones *zs,
                            struct wl_error *err)
{
    char **names = NULL;
    int32_t count = 0;
    if (wl_dir_list(&m->arena, tree, &names, &count, NULL) != WL_OK) {
        return WL_OK;
    }
    for (int32_t i = 0; i < count; i++) {
        WL_TRY(add_zone(m, zs, tree, names[i], err));
    }
    int32_t top = zs->count;
    for (int32_t i = 0; i < top; i++) {
        const char *dir = wl_arena_printf(&m->arena, "%s", zs->items[i].dir);
        char **inner = NULL;
        int32_t inner_count = 0;
        WL_TRY_PTR(dir, err);
        if (wl_dir_list(&m->arena, dir, &inner, &inner_count, NULL) != WL_OK) {
            continue;
        }
        for (int32_t k = 0; k < inner_count; k++) {
            WL_TRY(add_zone(m, zs, dir, inner[k], err));
        }
    }
    return WL_OK;
}

static int compare_zones(const void *a, const void *b)
{
    const struct zone *x = a;
    const struct zone *y = b;
    if (x->mmio != y->mmio) {
        return x->mmio ? 1 : -1;
    }
    if (x->package != y->package) {
        return x->package < y->package ? -1 : 1;
    }
    return (x->domain > y->domain) - (x->domain < y->domain);
}

static enum wl_meter_scope scope_of(const char *name)
{
    static const struct {
        const char *name;
        enum wl_meter_scope scope;
    } table[] = {{"package", WL_METER_PACKAGE},
                 {"core", WL_METER_CORE},
                 {"uncore", WL_METER_UNCORE},
                 {"dram", WL_METER_DRAM},
                 {"psys", WL_METER_PLATFORM}};
    for (size_t i = 0; i < WL_ARRAY_LEN(table); i++) {
        size_t len = strlen(table[i].name);
        if (strncmp(name, table[i].name, len) == 0 && (name[len] == '\0' || name[len] == '-')) {
            return table[i].scope;
        }
    }
    return WL_METER_OTHER;
}

static bool read_rapl(struct wl_channel *c, struct wl_reading *out)
{
    struct wl_sysfs *f = c->state;
    return wl_sysfs_u64(f, &out->counter_uj);
}

static void close_rapl(struct wl_channel *c)
{
    wl_sysfs_close(c->state);
}

/* Why zones could not be used: one line for all of one kind. */
struct failures {
    int32_t forbidden, broken;
    int error; /* of the first broken one */
    char id[48];
};

static void note_failure(struct failures *f, const struct zone *z, int error)
{
    if (error == EACCES || error == EPERM) {
        f->forbidden++;
        return;
    }
    if (f->broken++ == 0) {
        f->error = error;
        (void)snprintf(f->id, sizeof(f->id), "%s", z->id);
    }
}

static bool name_taken(const struct wl_meter *m, const char *name)
{
    for (int32_t i = 0; i < m->count; i++) {
        if (m->channels[i]->source == &wl_source_rapl && strcmp(m->channels[i]->name, name) == 0) {
            return true;
        }
    }
    return false;
}

static wl_status add_channel(struct wl_meter *m, const struct zone *z, const char *package_name,
                             struct failures *failed, struct wl_error *err)
{
    char name[32];
    char full[64];
    int64_t range = 0;
    struct wl_sysfs probe;
    int error = wl_sysfs_text(z->dir, "name", name, sizeof(name));
    if (error == 0) {
        error = wl_sysfs_open(m, &probe, z->dir, "energy_uj");
        uint64_t value;
        if (error == 0 && !wl_sysfs_u64(&probe, &value)) {
            wl_sysfs_close(&probe);
            error = EINVAL;
        }
    }
    if (error != 0) {
        note_failure(failed, z, error);
        return WL_OK;
    }
    (void)snprintf(full, sizeof(full), "%s%s%s", z->domain == WL_NONE ? "" : package_name,
                   z->domain == WL_NONE ? "" : "/", name);
    if (z->mmio && name_taken(m, full)) {
        wl_sysfs_close(&probe);
        return WL_OK;
    }
    struct wl_channel *c = wl_meter_add(m, &wl_source_rapl, scope_of(name), sizeof(probe));
    if (c == NULL) {
        wl_sysfs_close(&probe);
        return wl_fail_nomem(err);
    }
    memcpy(c->state, &probe, sizeof(probe));
    (void)snprintf(c->name, sizeof(c->name), "%s", full);
    (void)snprintf(c->device, sizeof(c->device), "%s", z->id);
    c->group = z->package;
    c->has[WL_LOOK_COUNTER] = true;
    if (wl_sysfs_number(z->dir, "max_energy_range_uj", &range) == 0 && range > 0) {
        c->range_uj = (uint64_t)range;
    } else {
        wl_channel_note(c, "its range is not told: a wrap would be lost");
    }
    return WL_OK;
}

static wl_status report_failures(struct wl_meter *m, const char *tree, const struct failures *f,
                                 struct wl_error *err)
{
    if (f->forbidden > 0) {
        const char *fix =
            wl_arena_printf(&m->arena, "sudo chmod a+r %s/intel-rapl*/energy_uj", tree);
        WL_TRY_PTR(fix, err);
        WL_TRY(wl_meter_lacks(m, "rapl", fix, err, "energy_uj of %d zones may be read by root only",
                              (int)f->forbidden));
    }
    if (f->broken > 0) {
        WL_TRY(wl_meter_lacks(m, "rapl", NULL, err, "%d zones cannot be read (%s: %s)",
                              (int)f->broken, f->id, strerror(f->error)));
    }
    return WL_OK;
}

/* The processor says so (CPUID leaf 1, ECX bit 31); of a recorded tree it says nothing. */
static bool in_virtual_machine(const struct wl_meter *m)
{
#if defined(__x86_64__) || defined(__i386__)
    unsigned int a;
    unsigned int b;
    unsigned int c = 0;
    unsigned int d;
    return strcmp(m->root, "/sys") == 0 && __get_cpuid(1, &a, &b, &c, &d) != 0 &&
           (c & (1u << 31)) != 0;
#else
    (void)m;
    return false;
#endif
}

static wl_status probe_rapl(struct wl_meter *m, struct wl_error *err)
{
    struct zones zs = {0};
    struct failures failed = {0};
    char package_name[32] = "";
    const char *tree = wl_arena_printf(&m->arena, "%s/class/powercap", m->root);
    WL_TRY_PTR(tree, err);
    WL_TRY(find_zones(m, tree, &zs, err));
    if (zs.count == 0 && in_virtual_machine(m)) {
        return wl_meter_lacks(m, "rapl", "measure on the host, a virtual machine has none", err,
                              "no zones in %s: this is a virtual machine", tree);
    }
    if (zs.count == 0) {
        return wl_meter_lacks(
            m, "rapl", "sudo modprobe intel_rapl_msr", err,
            "no zones in %s: not an Intel or AMD processor, or the driver is not loaded", tree);
    }
    qsort(zs.items, (size_t)zs.count, sizeof(*zs.items), compare_zones);
    for (int32_t i = 0; i < zs.count; i++) {
        const struct zone *z = &zs.items[i];
        bool is_package = z->domain == WL_NONE;
        if (is_package && wl_sysfs_text(z->dir, "name", package_name, sizeof(package_name)) != 0) {
            (void)snprintf(package_name, sizeof(package_name), "zone-%d", (int)z->package);
        }
        WL_TRY(add_channel(m, z, package_name, &failed, err));
    }
    return report_failures(m, tree, &failed, err);
}

const struct wl_source wl_source_rapl = {
    .name = "rapl", .probe = probe_rapl, .read = read_rapl, .close = close_rapl};
