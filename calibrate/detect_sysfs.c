/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calibrate/detect_sysfs.c: cores and caches from /sys/devices/system/cpu, for machines without
 * hwloc. Kinds of cores: Intel's hybrid parts list theirs under /sys/devices/cpu_core and cpu_atom;
 * Arm's systems give each processor a capacity.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "detect_priv.h"

#define LIST_BYTES 1024

/* "48K", "2048K", "480M". */
static int64_t parse_size(const char *text)
{
    char *end = NULL;
    int64_t value = strtoll(text, &end, 10);
    int shift = *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;
    return value > 0 && value < ((int64_t)1 << 32) ? value << shift : 0;
}

/* The first processor of a list names whatever the list shares. */
static int32_t first_of(const char *list)
{
    return (int32_t)strtol(list, NULL, 10);
}

static void read_caches(const char *root, int32_t cpu, struct wl_host_core *core)
{
    for (int index = 0; index < 8; index++) {
        char base[128], path[192], type[32], text[LIST_BYTES];
        (void)snprintf(base, sizeof(base), "/sys/devices/system/cpu/cpu%d/cache/index%d", cpu,
                       index);
        (void)snprintf(path, sizeof(path), "%s/level", base);
        int64_t level = wl_detect_int(root, path, 0);
        if (level < 1 || level > WL_HOST_LEVELS_MAX) {
            continue;
        }
        (void)snprintf(path, sizeof(path), "%s/type", base);
        wl_detect_line(root, path, type, sizeof(type));
        if (strcmp(type, "Instruction") == 0) {
            continue;
        }
        (void)snprintf(path, sizeof(path), "%s/size", base);
        wl_detect_line(root, path, text, sizeof(text));
        core->cache[level - 1].bytes = parse_size(text);
        (void)snprintf(path, sizeof(path), "%s/shared_cpu_list", base);
        wl_detect_line(root, path, text, sizeof(text));
        core->cache[level - 1].id = text[0] == '\0' ? cpu : first_of(text);
    }
}

static int32_t strength_of(const char *root, int32_t cpu)
{
    char list[LIST_BYTES], path[96];
    wl_detect_line(root, "/sys/devices/cpu_atom/cpus", list, sizeof(list));
    if (list[0] != '\0') {
        return wl_detect_list_has(list, cpu) ? 0 : 1;
    }
    (void)snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/cpu_capacity", cpu);
    return (int32_t)wl_detect_int(root, path, 0);
}

wl_status wl_detect_cores_sysfs(struct wl_arena *a, const char *root, const char *cpus,
                                struct wl_host_cores *out, struct wl_error *err)
{
    for (int32_t cpu = 0; cpu < WL_HOST_CPUS_MAX; cpu++) {
        char path[96], siblings[LIST_BYTES];
        if (!wl_detect_list_has(cpus, cpu)) {
            continue;
        }
        (void)snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/topology/core_cpus_list",
                       cpu);
        wl_detect_line(root, path, siblings, sizeof(siblings));
        bool seen = false; /* another allowed thread of the same core came before */
        for (int32_t i = 0; i < out->count; i++) {
            seen = seen || wl_detect_list_has(siblings, out->items[i].cpu);
        }
        if (seen) {
            continue;
        }
        void *items = out->items;
        WL_TRY(wl_arena_reserve(a, &items, &out->capacity, out->count + 1, sizeof(*out->items)));
        out->items = items;
        struct wl_host_core *core = &out->items[out->count++];
        *core = (struct wl_host_core){.cpu = cpu, .strength = strength_of(root, cpu)};
        (void)snprintf(path, sizeof(path),
                       "/sys/devices/system/cpu/cpu%d/topology/physical_package_id", cpu);
        core->package = (int32_t)wl_detect_int(root, path, 0);
        read_caches(root, cpu, core);
    }
    return out->count > 0 ? WL_OK
                          : wl_fail(err, WL_ERR_IO, "/sys/devices/system/cpu",
                                    "names no processor of \"%.40s\"; mount /sys", cpus);
}
