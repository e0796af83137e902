/* SPDX-License-Identifier: Apache-2.0 */
/*
 * measure/meter.c: opening a meter: asks every source in turn, then decides what is summed.
 *
 * What counts. The same joules are often visible through several windows: RAPL by powercap and by
 * perf events, cores inside their package, psys around it, a module's input around its rails.
 * Summed are, in this order: processor packages and the memory beside them, graphics boards, and of
 * a system-on-module its input or, where that is not metered, its rails. What contains others
 * (platform, machine) counts only when nothing inside it was found. perf events are used only where
 * powercap gives no package. A channel of unknown extent is shown and never summed.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "measure_priv.h"

#define INTERVAL_DEFAULT_S 0.05
#define INTERVAL_MIN_S 0.001
#define INTERVAL_MAX_S 3600.0

/* Order matters: perf_event looks whether rapl found something. */
static const struct wl_source *const sources[] = {
    &wl_source_rapl,   &wl_source_perf_event, &wl_source_nvml,
    &wl_source_amdgpu, &wl_source_hwmon,      &wl_source_battery,
};

static const char *const scope_names[WL_METER_SCOPE_COUNT] = {
#define WL_X(id, name) name,
    WL_METER_SCOPES(WL_X)
#undef WL_X
};

double wl_clock_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- for sources --------------------------------------------------------------------------------
 */

struct wl_channel *wl_meter_add(struct wl_meter *m, const struct wl_source *s,
                                enum wl_meter_scope scope, size_t state_bytes)
{
    struct wl_channel *c = WL_NEW(&m->arena, struct wl_channel);
    if (c == NULL || wl_arena_reserve(&m->arena, (void **)&m->channels, &m->capacity, m->count + 1,
                                      sizeof(struct wl_channel *)) != WL_OK) {
        return NULL;
    }
    c->state = wl_arena_zalloc(&m->arena, state_bytes);
    if (c->state == NULL) {
        return NULL;
    }
    c->source = s;
    c->scope = scope;
    c->group = WL_NONE;
    m->channels[m->count++] = c;
    return c;
}

wl_status wl_meter_lacks(struct wl_meter *m, const char *source, const char *fix,
                         struct wl_error *err, const char *fmt, ...)
{
    char reason[512];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(reason, sizeof(reason), fmt, args);
    va_end(args);
    if (wl_arena_reserve(&m->arena, (void **)&m->absent, &m->absent_capacity, m->absent_count + 1,
                         sizeof(*m->absent)) != WL_OK) {
        return wl_fail_nomem(err);
    }
    struct wl_meter_absent *a = &m->absent[m->absent_count];
    *a = (struct wl_meter_absent){.source = source,
                                  .reason = wl_arena_printf(&m->arena, "%s", reason),
                                  .fix = wl_arena_printf(&m->arena, "%s", fix == NULL ? "" : fix)};
    WL_TRY_PTR(a->reason, err);
    WL_TRY_PTR(a->fix, err);
    m->absent_count++;
    return WL_OK;
}

void wl_channel_note(struct wl_channel *c, const char *fmt, ...)
{
    size_t len = strlen(c->note);
    va_list args;
    if (len > 0 && len + 2 < sizeof(c->note)) {
        memcpy(c->note + len, "; ", 3);
        len += 2;
    }
    va_start(args, fmt);
    (void)vsnprintf(c->note + len, sizeof(c->note) - len, fmt, args);
    va_end(args);
}

bool wl_meter_has(const struct wl_meter *m, const char *source)
{
    for (int32_t i = 0; i < m->count; i++) {
        if (strcmp(m->channels[i]->source->name, source) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- what counts --------------------------------------------------------------------------------
 */

static bool has_scope(const struct wl_meter *m, enum wl_meter_scope scope, int32_t group)
{
    for (int32_t i = 0; i < m->count; i++) {
        if (m->channels[i]->scope == scope &&
            (group == WL_NONE || m->channels[i]->group == group)) {
            return true;
        }
    }
    return false;
}

static bool any_counted(const struct wl_meter *m)
{
    for (int32_t i = 0; i < m->count; i++) {
        if (m->channels[i]->counted) {
            return true;
        }
    }
    return false;
}

/* NULL: it counts. Else the reason why not. */
static const char *contained_in(const struct wl_meter *m, const struct wl_channel *c)
{
    switch (c->scope) {
    case WL_METER_PACKAGE:
    case WL_METER_DRAM:
    case WL_METER_GPU:
    case WL_METER_MODULE:
        return NULL;
    case WL_METER_CORE:
    case WL_METER_UNCORE:
        return has_scope(m, WL_METER_PACKAGE, c->group) ? "inside the package" : NULL;
    case WL_METER_APU:
        return has_scope(m, WL_METER_PACKAGE, WL_NONE) ? "the package's power seen by its graphics"
                                                       : NULL;
    case WL_METER_RAIL:
        return has_scope(m, WL_METER_MODULE, c->group) ? "inside the module's input" : NULL;
    case WL_METER_SUBRAIL:
        return "fed by another rail that is metered";
    case WL_METER_PLATFORM:
    case WL_METER_MACHINE:
        return any_counted(m) ? "contains what is counted already" : NULL;
    case WL_METER_OTHER:
        return "what it covers is not known";
    case WL_METER_SCOPE_COUNT:
        break;
    }
    return "what it covers is not known";
}

static bool is_container(const struct wl_channel *c)
{
    return c->scope == WL_METER_PLATFORM || c->scope == WL_METER_MACHINE;
}

static void decide_counted(struct wl_meter *m)
{
    for (int32_t i = 0; i < m->count; i++) {
        struct wl_channel *c = m->channels[i];
        if (!is_container(c)) {
            c->contained_note = contained_in(m, c);
            c->counted = c->contained_note == NULL;
        }
    }
    /* Platform before machine; several batteries of one machine count together. */
    static const enum wl_meter_scope containers[] = {WL_METER_PLATFORM, WL_METER_MACHINE};
    for (size_t k = 0; k < WL_ARRAY_LEN(containers); k++) {
        bool counted = !any_counted(m);
        for (int32_t i = 0; i < m->count; i++) {
            struct wl_channel *c = m->channels[i];
            if (c->scope == containers[k]) {
                c->counted = counted;
                c->contained_note = counted ? NULL : "contains what is counted already";
            }
        }
    }
}

/* ---- open, close --------------------------------------------------------------------------------
 */

static bool list_has(const char *list, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = list; *at != '\0';) {
        size_t item = strcspn(at, ",");
        if (item == len && memcmp(at, name, len) == 0) {
            return true;
        }
        at += item + (at[item] == ',' ? 1 : 0);
    }
    return false;
}

/* Every name in `only` is one of a source. */
static wl_status check_only(const char *only, struct wl_error *err)
{
    for (const char *at = only; *at != '\0';) {
        size_t len = strcspn(at, ",");
        bool known = false;
        for (size_t i = 0; i < WL_ARRAY_LEN(sources); i++) {
            known = known ||
                    (strlen(sources[i]->name) == len && memcmp(sources[i]->name, at, len) == 0);
        }
        if (!known) {
            return wl_fail(err, WL_ERR_USAGE, "--only",
                           "\"%.*s\" is not a source; rapl, perf_event, nvml, amdgpu, hwmon, "
                           "battery are",
                           (int)(len < 40 ? len : 40), at);
        }
        at += len + (at[len] == ',' ? 1 : 0);
    }
    return WL_OK;
}

static wl_status probe_all(struct wl_meter *m, struct wl_error *err)
{
    for (size_t i = 0; i < WL_ARRAY_LEN(sources); i++) {
        if (m->only == NULL || list_has(m->only, sources[i]->name)) {
            WL_TRY(sources[i]->probe(m, err));
        }
    }
    decide_counted(m);
    wl_meter_price(m);
    return WL_OK;
}

static wl_status set_options(struct wl_meter *m, const struct wl_meter_options *o,
                             struct wl_error *err)
{
    const struct wl_meter_options none = {0};
    o = o == NULL ? &none : o;
    /* The negated form also refuses NaN. */
    if (o->interval_s != 0.0 &&
        !(o->interval_s >= INTERVAL_MIN_S && o->interval_s <= INTERVAL_MAX_S)) {
        return wl_fail(err, WL_ERR_USAGE, "--interval",
                       "%g s is out of range; 1ms to 3600s is possible, 50ms is usual",
                       o->interval_s);
    }
    m->interval_s = o->interval_s > 0.0 ? o->interval_s : INTERVAL_DEFAULT_S;
    m->keep_series = o->keep_series != 0;
    m->root = wl_arena_printf(&m->arena, "%s", o->sysfs_root == NULL ? "/sys" : o->sysfs_root);
    m->nvml_library = wl_arena_printf(
        &m->arena, "%s", o->nvml_library == NULL ? "libnvidia-ml.so.1" : o->nvml_library);
    WL_TRY_PTR(m->root, err);
    WL_TRY_PTR(m->nvml_library, err);
    if (o->only != NULL) {
        WL_TRY(check_only(o->only, err));
        m->only = wl_arena_printf(&m->arena, "%s", o->only);
        WL_TRY_PTR(m->only, err);
    }
    if (!wl_path_is_dir(m->root)) {
        return wl_fail(err, WL_ERR_IO, m->root, "is not a directory; a sysfs tree is needed");
    }
    return WL_OK;
}

wl_status wl_meter_open(const struct wl_meter_options *options, struct wl_meter **out,
                        struct wl_error *err)
{
    struct wl_meter *m = wl_malloc(sizeof(*m));
    WL_TRY_PTR(m, err);
    memset(m, 0, sizeof(*m));
    wl_arena_init(&m->arena, 0);
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&m->wake, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    (void)pthread_mutex_init(&m->lock, NULL);
    wl_status status = set_options(m, options, err);
    if (status == WL_OK) {
        status = probe_all(m, err);
    }
    if (status != WL_OK) {
        wl_meter_close(m);
        return status;
    }
    *out = m;
    return WL_OK;
}

void wl_meter_close(struct wl_meter *m)
{
    if (m == NULL) {
        return;
    }
    wl_meter_halt(m);
    for (int32_t i = 0; i < m->count; i++) {
        if (m->channels[i]->source->close != NULL) {
            m->channels[i]->source->close(m->channels[i]);
        }
    }
    for (size_t i = 0; i < WL_ARRAY_LEN(sources); i++) {
        if (sources[i]->done != NULL) {
            sources[i]->done(m);
        }
    }
    wl_series_reset(m);
    (void)pthread_cond_destroy(&m->wake);
    (void)pthread_mutex_destroy(&m->lock);
    wl_arena_done(&m->arena);
    wl_free(m);
}

/* ---- reading out --------------------------------------------------------------------------------
 */

int32_t wl_meter_channel_count(const struct wl_meter *m)
{
    return m->count;
}

int32_t wl_meter_absent_count(const struct wl_meter *m)
{
    return m->absent_count;
}

wl_status wl_meter_absent_get(const struct wl_meter *m, int32_t index, struct wl_meter_absent *out,
                              struct wl_error *err)
{
    if (index < 0 || index >= m->absent_count) {
        return wl_fail(err, WL_ERR_USAGE, "meter", "has no absent source %d; 0 to %d are", index,
                       m->absent_count - 1);
    }
    *out = m->absent[index];
    return WL_OK;
}

/* What happened to a channel during the region, appended to its standing note. */
static const char *note_of(struct wl_meter *m, struct wl_channel *c)
{
    const struct wl_channel_run *r = &c->run;
    const char *happened = "";
    char text[160] = "";
    if (m->measured && !r->started) {
        happened = "could not be read";
    } else if (r->failing) {
        (void)snprintf(text, sizeof(text), "stopped answering %.3g s after the start",
                       r->last_t - m->start_t);
        happened = text;
    } else if (r->late_start) {
        happened = "could not be read at first: its beginning is missing";
    } else if (r->resets > 0) {
        happened = "the counter was reset during the run: part of it is missing";
    } else if (wl_channel_stuck(m, c)) {
        happened = "the counter did not move: not a working meter";
    } else if (r->gaps > 0) {
        (void)snprintf(text, sizeof(text), "%d gaps in its readings", (int)r->gaps);
        happened = text;
    }
    const char *parts[] = {c->contained_note == NULL ? "" : c->contained_note, happened, c->note};
    c->full_note[0] = '\0';
    for (size_t i = 0; i < WL_ARRAY_LEN(parts); i++) {
        size_t len = strlen(c->full_note);
        if (parts[i][0] != '\0') {
            (void)snprintf(c->full_note + len, sizeof(c->full_note) - len, "%s%s",
                           len > 0 ? "; " : "", parts[i]);
        }
    }
    return c->full_note;
}

static double mean(double sum, int64_t count)
{
    return count > 0 ? sum / (double)count : (double)NAN;
}

wl_status wl_meter_channel_read(struct wl_meter *m, int32_t index, struct wl_meter_channel *out,
                                struct wl_error *err)
{
    if (index < 0 || index >= m->count) {
        return wl_fail(err, WL_ERR_USAGE, "meter", "has no channel %d; 0 to %d are", index,
                       m->count - 1);
    }
    (void)pthread_mutex_lock(&m->lock);
    struct wl_channel *c = m->channels[index];
    const struct wl_channel_run *r = &c->run;
    double elapsed = r->last_t - r->first_t;
    double energy = wl_channel_energy_j(m, c);
    double average = elapsed > 0.0 ? energy / elapsed : (double)NAN;
    *out = (struct wl_meter_channel){
        .source = c->source->name,
        .name = c->name,
        .device = c->device,
        .scope = scope_names[c->scope],
        .note = note_of(m, c),
        .counted = c->counted ? 1 : 0,
        .incomplete = m->measured && !wl_channel_complete(m, c) ? 1 : 0,
        .energy_j = energy,
        .average_power_w = average,
        .peak_power_w = isnan(energy) ? (double)NAN : fmax(r->peak_w, average),
        .update_s = r->changes > 1
                        ? (r->last_change_t - r->first_change_t) / (double)(r->changes - 1)
                        : (double)NAN,
        .utilization = mean(r->sum.utilization, r->utilization_count),
        .clock_hz = mean(r->sum.clock_hz, r->clock_count),
        .temperature_c = r->temperature_max_c};
    (void)pthread_mutex_unlock(&m->lock);
    return WL_OK;
}
