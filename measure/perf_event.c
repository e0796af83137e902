/* SPDX-License-Identifier: Apache-2.0 */
/*
 * measure/perf_event.c: the energy counters of the "power" performance monitoring unit
 * (perf_event_open(2); events energy-pkg, energy-cores, energy-gpu, energy-ram, energy-psys with a
 * scale to joules in sysfs). The same counters as RAPL, unwrapped by the kernel, readable without
 * root where perf_event_paranoid is below 1. Used only when powercap gave no package. A virtual
 * machine may show the unit without the meter behind it: a counter that stands still is not used.
 */
#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "measure_priv.h"

#define CPUS_MAX 256
#define MOVE_TRIES 8
#define MOVE_WAIT_NS 5000000L

struct event_row {
    const char *file;
    const char *name;
    enum wl_meter_scope scope;
};

static const struct event_row events[] = {
    {"energy-pkg", "package", WL_METER_PACKAGE}, {"energy-cores", "core", WL_METER_CORE},
    {"energy-gpu", "uncore", WL_METER_UNCORE},   {"energy-ram", "dram", WL_METER_DRAM},
    {"energy-psys", "psys", WL_METER_PLATFORM},
};

struct state {
    int fd;
    double scale_uj; /* microjoules per count */
};

static bool read_count(int fd, uint64_t *out)
{
    return read(fd, out, sizeof(*out)) == (ssize_t)sizeof(*out);
}

static bool read_perf(struct wl_channel *c, struct wl_reading *out)
{
    const struct state *s = c->state;
    uint64_t count;
    if (!read_count(s->fd, &count)) {
        return false;
    }
    out->counter_uj = (uint64_t)((double)count * s->scale_uj);
    return true;
}

static void close_perf(struct wl_channel *c)
{
    const struct state *s = c->state;
    (void)close(s->fd);
}

/* "0,64" and "0-3": the processors through which each package is asked. */
static int32_t parse_cpus(const char *text, int32_t cpus[CPUS_MAX])
{
    int32_t count = 0;
    const char *at = text;
    while (*at >= '0' && *at <= '9') {
        char *end = NULL;
        long first = strtol(at, &end, 10);
        long last = first;
        if (*end == '-') {
            last = strtol(end + 1, &end, 10);
        }
        for (long cpu = first; cpu <= last && cpu < 1 << 20 && count < CPUS_MAX; cpu++) {
            cpus[count++] = (int32_t)cpu;
        }
        at = *end == ',' ? end + 1 : end;
    }
    return count;
}

/* "event=0x02" (other terms are not used by this unit). */
static bool parse_config(const char *text, uint64_t *config)
{
    const char *value = strstr(text, "event=");
    char *end = NULL;
    if (value == NULL) {
        return false;
    }
    *config = strtoull(value + 6, &end, 0);
    return end != value + 6;
}

static int open_event(uint32_t type, uint64_t config, int32_t cpu)
{
    struct perf_event_attr attr;
    memset(&attr, 0, sizeof(attr));
    attr.size = sizeof(attr);
    attr.type = type;
    attr.config = config;
    return (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

/* Reads until the counter moves or patience ends. A meter is updated every millisecond or so. */
static bool moves(int fd)
{
    uint64_t first;
    uint64_t now;
    if (!read_count(fd, &first)) {
        return false;
    }
    for (int i = 0; i < MOVE_TRIES; i++) {
        struct timespec wait = {.tv_nsec = MOVE_WAIT_NS};
        (void)nanosleep(&wait, NULL);
        if (read_count(fd, &now) && now != first) {
            return true;
        }
    }
    return false;
}

struct unit {
    const char *dir;    /* .../devices/power */
    const char *events; /* .../devices/power/events */
    uint32_t type;
    int32_t cpus[CPUS_MAX];
    int32_t cpu_count;
    int32_t found, forbidden, still; /* counters: named, not permitted, not moving */
    int error;
};

static wl_status add_counter(struct wl_meter *m, struct unit *u, const struct event_row *row,
                             uint64_t config, double scale, int32_t package, struct wl_error *err)
{
    int fd = open_event(u->type, config, u->cpus[package]);
    u->found++;
    if (fd < 0) {
        u->forbidden += errno == EACCES || errno == EPERM ? 1 : 0;
        u->error = errno;
        return WL_OK;
    }
    if (!moves(fd)) {
        u->still++;
        (void)close(fd);
        return WL_OK;
    }
    struct wl_channel *c = wl_meter_add(m, &wl_source_perf_event, row->scope, sizeof(struct state));
    if (c == NULL) {
        (void)close(fd);
        return wl_fail_nomem(err);
    }
    struct state *s = c->state;
    *s = (struct state){.fd = fd, .scale_uj = scale * 1e6};
    c->group = package;
    c->has[WL_LOOK_COUNTER] = true;
    (void)snprintf(c->name, sizeof(c->name), "%s-%d", row->name, (int)package);
    (void)snprintf(c->device, sizeof(c->device), "%s on cpu %d", row->file, (int)u->cpus[package]);
    return WL_OK;
}

static wl_status add_event(struct wl_meter *m, struct unit *u, const struct event_row *row,
                           struct wl_error *err)
{
    char text[64];
    char name[64];
    uint64_t config;
    if (wl_sysfs_text(u->events, row->file, text, sizeof(text)) != 0 ||
        !parse_config(text, &config)) {
        return WL_OK;
    }
    (void)snprintf(name, sizeof(name), "%s.scale", row->file);
    if (wl_sysfs_text(u->events, name, text, sizeof(text)) != 0) {
        return WL_OK;
    }
    double scale = strtod(text, NULL);
    (void)snprintf(name, sizeof(name), "%s.unit", row->file);
    if (wl_sysfs_text(u->events, name, text, sizeof(text)) != 0 || strcmp(text, "Joules") != 0 ||
        !(scale > 0.0)) {
        return WL_OK;
    }
    int32_t packages = row->scope == WL_METER_PLATFORM ? 1 : u->cpu_count;
    for (int32_t i = 0; i < packages; i++) {
        WL_TRY(add_counter(m, u, row, config, scale, i, err));
    }
    return WL_OK;
}

static wl_status report_unit(struct wl_meter *m, const struct unit *u, struct wl_error *err)
{
    if (u->found == 0) {
        return wl_meter_lacks(m, "perf_event", NULL, err, "%s names no energy events", u->events);
    }
    if (u->forbidden > 0) {
        return wl_meter_lacks(m, "perf_event", "sudo sysctl kernel.perf_event_paranoid=0", err,
                              "%d energy counters need more permission", (int)u->forbidden);
    }
    if (u->still > 0) {
        return wl_meter_lacks(m, "perf_event", NULL, err,
                              "%d energy counters stand still: a virtual machine without the "
                              "meter behind them",
                              (int)u->still);
    }
    if (u->error != 0) {
        return wl_meter_lacks(m, "perf_event", NULL, err, "energy counters cannot be opened: %s",
                              strerror(u->error));
    }
    return WL_OK;
}

static bool rapl_has_package(const struct wl_meter *m)
{
    for (int32_t i = 0; i < m->count; i++) {
        if (m->channels[i]->scope == WL_METER_PACKAGE) {
            return true;
        }
    }
    return false;
}

static wl_status probe_perf(struct wl_meter *m, struct wl_error *err)
{
    struct unit u = {0};
    int64_t type;
    char cpus[1024];
    if (rapl_has_package(m)) {
        return wl_meter_lacks(m, "perf_event", NULL, err,
                              "not used: the same counters as rapl, which is readable");
    }
    u.dir = wl_arena_printf(&m->arena, "%s/bus/event_source/devices/power", m->root);
    WL_TRY_PTR(u.dir, err);
    u.events = wl_arena_printf(&m->arena, "%s/events", u.dir);
    WL_TRY_PTR(u.events, err);
    if (wl_sysfs_number(u.dir, "type", &type) != 0 || type < 0 || type > INT32_MAX) {
        return wl_meter_lacks(m, "perf_event", NULL, err,
                              "no power unit in %s/bus/event_source/devices", m->root);
    }
    u.type = (uint32_t)type;
    if (wl_sysfs_text(u.dir, "cpumask", cpus, sizeof(cpus)) == 0) {
        u.cpu_count = parse_cpus(cpus, u.cpus);
    }
    u.cpu_count = u.cpu_count > 0 ? u.cpu_count : 1; /* processor 0 */
    for (size_t i = 0; i < WL_ARRAY_LEN(events); i++) {
        WL_TRY(add_event(m, &u, &events[i], err));
    }
    return report_unit(m, &u, err);
}

const struct wl_source wl_source_perf_event = {
    .name = "perf_event", .probe = probe_perf, .read = read_perf, .close = close_perf};
