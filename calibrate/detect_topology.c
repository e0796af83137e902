/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calibrate/detect_topology.c: what the host is made of: cores and caches (hwloc, else /sys),
 * identity and memory (/proc), limits that a container sets (cgroup 2). Counted is what this
 * process may use, because that is what a run will use.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "detect_priv.h"

/* ---- kinds and caches ------------------------------------------------------------------------ */

static bool same_kind(const struct wl_host_core *a, const struct wl_host_core *b)
{
    return a->strength == b->strength && a->cache[0].bytes == b->cache[0].bytes;
}

static bool faster(const struct wl_host_core *a, const struct wl_host_core *b)
{
    return a->strength != b->strength ? a->strength > b->strength
                                      : a->cache[0].bytes > b->cache[0].bytes;
}

static struct wl_host_cache cache_of(const struct wl_host_cores *cores,
                                     const struct wl_host_core *core, int level)
{
    struct wl_host_cache c = {.bytes = core->cache[level].bytes};
    for (int32_t i = 0; i < cores->count; i++) {
        const struct wl_host_core *other = &cores->items[i];
        c.cores +=
            other->cache[level].id == core->cache[level].id && other->cache[level].bytes == c.bytes
                ? 1
                : 0;
    }
    return c;
}

static void add_kind(const struct wl_host_cores *cores, const struct wl_host_core *lead,
                     struct wl_host *out)
{
    struct wl_host_kind *k = &out->kinds[out->kind_count++];
    *k = (struct wl_host_kind){.name = "core"};
    for (int32_t i = 0; i < cores->count; i++) {
        if (same_kind(&cores->items[i], lead) && k->cores < WL_HOST_CPUS_MAX) {
            k->cpus[k->cores++] = cores->items[i].cpu;
        }
    }
    for (int level = 0; level < WL_HOST_LEVELS_MAX; level++) {
        k->caches[level] = cache_of(cores, lead, level);
    }
}

static int32_t packages_of(const struct wl_host_cores *cores)
{
    int32_t count = 0;
    for (int32_t i = 0; i < cores->count; i++) {
        bool seen = false;
        for (int32_t k = 0; k < i; k++) {
            seen = seen || cores->items[k].package == cores->items[i].package;
        }
        count += seen ? 0 : 1;
    }
    return count;
}

void wl_detect_summarise(const struct wl_host_cores *cores, struct wl_host *out)
{
    static const char *const names[WL_HOST_KINDS_MAX][WL_HOST_KINDS_MAX] = {
        {"core"}, {"p_core", "e_core"}, {"p_core", "m_core", "e_core"}};
    const struct wl_host_core *last = NULL;
    out->kind_count = 0;
    out->cores = cores->count;
    out->packages = packages_of(cores);
    while (out->kind_count < WL_HOST_KINDS_MAX) {
        const struct wl_host_core *lead = NULL; /* the fastest behind the last one */
        for (int32_t i = 0; i < cores->count; i++) {
            const struct wl_host_core *c = &cores->items[i];
            if ((last == NULL || faster(last, c)) && (lead == NULL || faster(c, lead))) {
                lead = c;
            }
        }
        if (lead == NULL) {
            break;
        }
        add_kind(cores, lead, out);
        last = lead;
    }
    for (int32_t i = 0; i < out->kind_count; i++) {
        (void)snprintf(out->kinds[i].name, sizeof(out->kinds[i].name), "%s",
                       names[out->kind_count - 1][i]);
    }
}

/* ---- identity and memory --------------------------------------------------------------------- */

/* The value of the first line "key : value". */
static void value_of(const char *text, const char *key, char *out, size_t size)
{
    out[0] = '\0';
    size_t len = strlen(key);
    for (const char *line = text; *line != '\0';) {
        size_t bytes = strcspn(line, "\n");
        size_t colon = len + strspn(line + wl_min_i64((int64_t)len, (int64_t)bytes), " \t");
        if (bytes > colon && strncmp(line, key, len) == 0 && line[colon] == ':') {
            colon += 1 + strspn(line + colon + 1, " \t");
            (void)snprintf(out, size, "%.*s", colon < bytes ? (int)(bytes - colon) : 0,
                           line + colon);
            return;
        }
        line += bytes + (line[bytes] == '\n' ? 1 : 0);
    }
}

static int32_t number_of(const char *text, const char *key)
{
    char value[64];
    value_of(text, key, value, sizeof(value));
    return (int32_t)strtol(value, NULL, 0);
}

/* What goes into JSON and onto terminals: printable ASCII. */
static void printable(char *text)
{
    for (char *c = text; *c != '\0'; c++) {
        *c = *c >= ' ' && *c <= '~' ? *c : '?';
    }
}

static void read_identity(const char *root, const char *cpuinfo, struct wl_host *out)
{
    char flags[4096];
    value_of(cpuinfo, "vendor_id", out->vendor, sizeof(out->vendor));
    value_of(cpuinfo, "model name", out->model_name, sizeof(out->model_name));
    out->family = number_of(cpuinfo, "cpu family");
    out->model = number_of(cpuinfo, "model");
    if (out->vendor[0] == '\0') {
        value_of(cpuinfo, "CPU implementer", out->vendor, sizeof(out->vendor));
        out->model = number_of(cpuinfo, "CPU part");
    }
    if (out->model_name[0] == '\0') { /* Arm boards are named by their device tree */
        wl_detect_line(root, "/proc/device-tree/model", out->model_name, sizeof(out->model_name));
    }
    value_of(cpuinfo, "flags", flags, sizeof(flags));
    out->virtual_machine = strstr(flags, "hypervisor") != NULL;
    printable(out->vendor);
    printable(out->model_name);
}

static void read_memory(const char *root, const char *meminfo, struct wl_host *out)
{
    char value[64];
    value_of(meminfo, "MemTotal", value, sizeof(value));
    out->memory_bytes = strtoll(value, NULL, 10) * 1024;
    value_of(meminfo, "MemAvailable", value, sizeof(value));
    out->memory_available_bytes = strtoll(value, NULL, 10) * 1024;
    int64_t limit = wl_detect_int(root, "/sys/fs/cgroup/memory.max", 0); /* "max" is no number */
    if (limit > 0 && limit < out->memory_bytes) {
        int64_t used = wl_detect_int(root, "/sys/fs/cgroup/memory.current", 0);
        out->memory_bytes = limit;
        out->memory_available_bytes =
            wl_min_i64(out->memory_available_bytes, wl_max_i64(limit - used, 0));
    }
}

/* "200000 100000": two processors' worth of time; "max 100000": all. */
static double quota_of(const char *root)
{
    char line[64];
    char *end = NULL;
    wl_detect_line(root, "/sys/fs/cgroup/cpu.max", line, sizeof(line));
    double quota = strtod(line, &end);
    double period = end == line ? 0 : strtod(end, NULL);
    return quota > 0 && period > 0 ? quota / period : 0;
}

/* ---- processors ------------------------------------------------------------------------------ */

/* The processors that this process may use, as a list. */
static void allowed_list(char *out, size_t size)
{
    cpu_set_t set;
    size_t used = 0;
    out[0] = '\0';
    if (sched_getaffinity(0, sizeof(set), &set) != 0) {
        return;
    }
    for (size_t cpu = 0; cpu < CPU_SETSIZE && used + 8 < size; cpu++) {
        if (CPU_ISSET(cpu, &set)) {
            int n = snprintf(out + used, size - used, "%s%zu", used == 0 ? "" : ",", cpu);
            used += (size_t)n;
        }
    }
}

static int32_t count_nodes(const char *root)
{
    char list[1024];
    wl_detect_line(root, "/sys/devices/system/node/online", list, sizeof(list));
    return (int32_t)wl_max_i64(1, wl_detect_list_count(list));
}

static wl_status read_cores(struct wl_arena *a, const char *root, struct wl_host *out,
                            struct wl_error *err)
{
    char online[4096], allowed[8192];
    struct wl_host_cores cores = {0};
    wl_detect_line(root, "/sys/devices/system/cpu/online", online, sizeof(online));
    out->logical = wl_detect_list_count(online);
    if (root[0] == '\0') {
        allowed_list(allowed, sizeof(allowed));
        wl_status status = wl_detect_cores_hwloc(a, &cores, out->source, sizeof(out->source), err);
        if (status == WL_ERR_NOMEM) {
            return status;
        }
        if (status != WL_OK) {
            cores = (struct wl_host_cores){0};
        }
    } else {
        (void)snprintf(allowed, sizeof(allowed), "%s", online);
    }
    if (cores.count == 0) {
        (void)snprintf(out->source, sizeof(out->source), "/sys");
        WL_TRY(wl_detect_cores_sysfs(a, root, allowed[0] != '\0' ? allowed : online, &cores, err));
    }
    out->allowed = (int32_t)wl_max_i64(wl_detect_list_count(allowed), cores.count);
    out->logical = (int32_t)wl_max_i64(out->logical, out->allowed);
    wl_detect_summarise(&cores, out);
    return WL_OK;
}

wl_status wl_detect_topology(const char *root, struct wl_host *out, struct wl_error *err)
{
    struct wl_arena a;
    *out = (struct wl_host){0};
    wl_arena_init(&a, 0);
    const char *cpuinfo = wl_detect_text(&a, root, "/proc/cpuinfo");
    const char *meminfo = wl_detect_text(&a, root, "/proc/meminfo");
    wl_status status = WL_OK;
    if (cpuinfo == NULL || meminfo == NULL) {
        status = wl_fail(err, WL_ERR_IO, cpuinfo == NULL ? "/proc/cpuinfo" : "/proc/meminfo",
                         "cannot be read; mount /proc");
    } else {
        read_identity(root, cpuinfo, out);
        read_memory(root, meminfo, out);
        out->quota_cores = quota_of(root);
        out->numa_nodes = count_nodes(root);
        status = read_cores(&a, root, out, err);
    }
    wl_arena_done(&a);
    return status;
}
