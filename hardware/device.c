/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hardware/device.c: a spec at one power mode -> the flat wl_device that mappers, roofline and
 * energy read. Everything that follows from other figures is computed here and stored nowhere:
 * bandwidths of caches (bytes per cycle x clock x instances), watts of a mode that has no number
 * (the nearest mode by clock, times the ratio of clocks), peaks.
 *
 * The device's basis is the weakest of what latency rests on: units, clocks, operations per cycle
 * and the bandwidth of main memory.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "registry_priv.h"

/* Instructions that a core decodes per cycle where the spec does not say: most of the last decade.
 */
#define DECODE_WIDTH 4.0

static enum wl_basis weaker(enum wl_basis a, enum wl_basis b)
{
    return a > b ? a : b;
}

static const struct wl_num *named(const struct wl_list *list, const char *name)
{
    const struct wl_named_num *items = list->items;
    for (int32_t i = 0; i < list->count; i++) {
        if (strcmp(items[i].name, name) == 0) {
            return &items[i].num;
        }
    }
    return NULL;
}

/* ---- modes
 * ------------------------------------------------------------------------------------------ */

static wl_status find_mode(const struct wl_spec *s, const char *name,
                           const struct wl_spec_mode **out, struct wl_error *err)
{
    const struct wl_spec_mode *modes = s->file.power_modes.items;
    int32_t count = s->file.power_modes.count;
    const char *wanted = name == NULL ? s->file.power.default_mode : name;
    *out = count > 0 ? &modes[0] : NULL;
    if (wanted == NULL || (name != NULL && wl_mode_names_match(name, "default"))) {
        if (s->file.power.default_mode == NULL || count == 0) {
            return WL_OK;
        }
        wanted = s->file.power.default_mode;
    }
    char list[600] = "";
    size_t used = 0;
    for (int32_t i = 0; i < count; i++) {
        if (wl_mode_names_match(modes[i].name, wanted)) {
            *out = &modes[i];
            return WL_OK;
        }
        int n =
            snprintf(list + used, sizeof(list) - used, "%s%s", i == 0 ? "" : ", ", modes[i].name);
        used = (size_t)wl_min_i64((int64_t)used + (n > 0 ? n : 0), (int64_t)sizeof(list) - 1);
    }
    return wl_fail(err, WL_ERR_USAGE, s->file.id, "no power mode \"%.64s\"; %s%s", wanted,
                   count > 0 ? "it has " : "it has one operating point only: leave the mode out",
                   list);
}

static double mode_clock(const struct wl_spec *s, const struct wl_spec_mode *m)
{
    const struct wl_spec_unit *units = s->file.units.items;
    const struct wl_num *clock = m == NULL ? NULL : named(&m->clock_hz, units[0].name);
    return clock != NULL ? clock->value : units[0].clock_hz.value;
}

/* Watts of a mode without a number: those of the nearest mode by clock, times the ratio of clocks.
 */
static double estimated_watts(const struct wl_spec *s, const struct wl_spec_mode *m)
{
    const struct wl_spec_mode *modes = s->file.power_modes.items;
    double clock = mode_clock(s, m), best = HUGE_VAL, watts = s->file.power.tdp_w.value;
    for (int32_t i = 0; i < s->file.power_modes.count; i++) {
        double other = mode_clock(s, &modes[i]);
        double distance = fabs(log(other / clock));
        if (modes[i].tdp_w.given && distance < best) {
            best = distance;
            watts = modes[i].tdp_w.value * clock / other;
        }
    }
    return watts;
}

static void resolve_power(const struct wl_spec *s, const struct wl_spec_mode *m,
                          struct wl_device *d)
{
    const struct wl_spec_power *p = &s->file.power;
    d->power_mode = m == NULL ? "default" : m->name;
    d->tdp_w = p->tdp_w.value;
    d->power_basis = p->tdp_w.basis;
    d->power_limit_w = p->power_limit_w.given ? p->power_limit_w.value : d->tdp_w;
    d->idle_w = p->idle_w.value;
    d->idle_basis = p->idle_w.basis;
    d->gated_idle_w = p->gated_idle_w.given ? p->gated_idle_w.value : d->idle_w;
    d->power_scope = (enum wl_power_scope)p->scope;
    d->board_rest_w = p->board_rest_w.given ? p->board_rest_w.value : 0;
    d->supply_efficiency = p->supply_efficiency.given ? p->supply_efficiency.value : 1;
    if (m == NULL) {
        return;
    }
    d->power_estimated = !m->tdp_w.given;
    d->tdp_w = m->tdp_w.given ? m->tdp_w.value : estimated_watts(s, m);
    d->power_basis = m->tdp_w.given ? m->tdp_w.basis : WL_BASIS_ASSUMED;
    d->power_limit_w = m->power_limit_w.given ? m->power_limit_w.value : d->tdp_w;
    if (m->idle_w.given) {
        d->idle_w = m->idle_w.value;
        d->idle_basis = m->idle_w.basis;
    }
    d->gated_idle_w =
        fmin(m->gated_idle_w.given ? m->gated_idle_w.value : d->gated_idle_w, d->idle_w);
}

/* ---- units and pipes
 * -------------------------------------------------------------------------------- */

static int32_t group_index(const struct wl_device *d, const char *name)
{
    for (int32_t i = 0; name != NULL && i < d->group_count; i++) {
        if (strcmp(d->groups[i].name, name) == 0) {
            return i;
        }
    }
    return 0;
}

static void resolve_units(const struct wl_spec *s, const struct wl_spec_mode *m,
                          struct wl_device *d)
{
    const struct wl_spec_unit *units = s->file.units.items;
    d->group_count = s->file.units.count;
    for (int32_t i = 0; i < d->group_count; i++) {
        const struct wl_num *active = m == NULL ? NULL : named(&m->active_units, units[i].name);
        const struct wl_num *clock = m == NULL ? NULL : named(&m->clock_hz, units[i].name);
        clock = clock == NULL ? &units[i].clock_hz : clock;
        active = active == NULL ? &units[i].count : active;
        d->groups[i] = (struct wl_unit_group){
            .name = units[i].name,
            .count = (int32_t)active->value,
            .clock_hz = clock->value,
            .threads_per_unit =
                units[i].threads_per_unit.given ? (int32_t)units[i].threads_per_unit.value : 1,
            .register_bytes = (int64_t)units[i].register_bytes.value,
            .decode_per_cycle =
                units[i].decode_per_cycle.given ? units[i].decode_per_cycle.value : DECODE_WIDTH,
        };
        d->basis = weaker(d->basis, weaker(active->basis, clock->basis));
    }
    d->clock_hz = d->groups[0].clock_hz;
}

static int32_t whole(const struct wl_num *n, int32_t otherwise)
{
    return n->given ? (int32_t)n->value : otherwise;
}

static void resolve_pipes(const struct wl_spec *s, struct wl_device *d)
{
    const struct wl_spec_pipe *pipes = s->file.pipes.items;
    const struct wl_spec_unit *units = s->file.units.items;
    d->pipe_count = s->file.pipes.count;
    int leading = WL_PIPE_VECTOR; /* the kind that products run on */
    for (int32_t i = 0; i < d->pipe_count; i++) {
        leading = pipes[i].kind == WL_PIPE_MATRIX ? WL_PIPE_MATRIX : leading;
    }
    for (int32_t i = 0; i < d->pipe_count; i++) {
        const struct wl_spec_pipe *from = &pipes[i];
        struct wl_pipe *p = &d->pipes[i];
        *p = (struct wl_pipe){.name = from->name,
                              .kind = (enum wl_pipe_kind)from->kind,
                              .group = group_index(d, from->units),
                              .rows = whole(&from->rows, 0),
                              .cols = whole(&from->cols, 0),
                              .depth = whole(&from->depth, 0),
                              .arrays = whole(&from->arrays, 1),
                              .simd_bits = whole(&from->simd_bits, 0)};
        p->clock_hz = d->groups[p->group].clock_hz;
        if (from->clock_hz.given) { /* keeps its ratio to the units' clock in every mode */
            p->clock_hz *= from->clock_hz.value / units[p->group].clock_hz.value;
        }
        for (int k = 0; k < WL_PREC_COUNT; k++) {
            p->ops_per_cycle[k] = from->ops_per_cycle[k].value;
            if (from->ops_per_cycle[k].given && from->kind == leading) {
                d->basis = weaker(d->basis, from->ops_per_cycle[k].basis);
            }
        }
    }
}

/* ---- memory
 * ------------------------------------------------------------------------------------------ */

static double given_or(const struct wl_num *n, double otherwise)
{
    return n->given ? n->value : otherwise;
}

/* One entry of /memory as a level of its own. */
static struct wl_level level_of(const struct wl_spec *s, const struct wl_spec_mode *m,
                                const struct wl_device *d, int32_t index)
{
    const struct wl_spec_level *from = &((const struct wl_spec_level *)s->file.memory.items)[index];
    const struct wl_memory_tech *tech = s->memory_tech[index];
    const struct wl_unit_group *g = &d->groups[group_index(d, from->units)];
    bool main_memory = index == s->file.memory.count - 1;
    struct wl_level l = {.name = from->name,
                         .scope = (enum wl_level_scope)from->scope,
                         .instances = 1,
                         .capacity_bytes = (int64_t)from->capacity_bytes.value,
                         .technology = tech->key,
                         .managed = from->managed,
                         .read_bandwidth = from->read_bandwidth,
                         .weight_bytes = (int64_t)from->weight_bytes.value,
                         .is_main = main_memory};
    if (l.scope == WL_SCOPE_UNIT) {
        l.instances = g->count * whole(&from->instances, 1);
    } else if (l.scope == WL_SCOPE_CLUSTER) {
        l.instances = (int32_t)wl_ceil_div_i64(g->count, (int64_t)from->units_per_instance.value);
    }
    double units = from->units != NULL ? g->count : wl_device_units(d);
    if (from->bandwidth_bps.given) {
        l.bandwidth_bps = from->bandwidth_bps.value;
        if (main_memory && m != NULL && m->memory_bandwidth_bps.given) {
            l.bandwidth_bps = m->memory_bandwidth_bps.value;
        }
    } else if (from->bytes_per_cycle.given) {
        l.bandwidth_bps = from->bytes_per_cycle.value * g->clock_hz * l.instances;
    } else {
        l.bandwidth_bps = from->unit_bytes_per_cycle.value * g->clock_hz * units;
    }
    if (from->unit_bandwidth_bps.given) {
        l.unit_bandwidth_bps = from->unit_bandwidth_bps.value;
    } else if (from->unit_bytes_per_cycle.given) {
        l.unit_bandwidth_bps = from->unit_bytes_per_cycle.value * g->clock_hz;
    } else if (l.scope == WL_SCOPE_UNIT) {
        l.unit_bandwidth_bps = l.bandwidth_bps / g->count;
    }
    l.unit_bandwidth_bps = fmin(l.unit_bandwidth_bps, l.bandwidth_bps);
    l.efficiency = given_or(&from->efficiency, tech->efficiency.value);
    l.latency_s = given_or(&from->latency_s, tech->latency_s.value);
    l.activation_compression = given_or(&from->activation_compression, 1);
    l.read_pj_per_byte = given_or(&from->read_pj_per_byte, tech->read_pj_per_byte.value);
    l.write_pj_per_byte = given_or(&from->write_pj_per_byte, tech->write_pj_per_byte.value);
    return l;
}

/* Neighbours of one name are one level: capacities averaged, bandwidths added. */
static void merge_level(struct wl_level *into, const struct wl_level *more)
{
    int64_t total = into->capacity_bytes * into->instances + more->capacity_bytes * more->instances;
    into->instances += more->instances;
    into->capacity_bytes = total / into->instances;
    into->bandwidth_bps += more->bandwidth_bps;
    into->unit_bandwidth_bps = fmax(into->unit_bandwidth_bps, more->unit_bandwidth_bps);
}

static wl_status resolve_levels(const struct wl_spec *s, const struct wl_spec_mode *m,
                                struct wl_device *d, struct wl_error *err)
{
    const struct wl_spec_level *levels = s->file.memory.items;
    for (int32_t i = 0; i < s->file.memory.count; i++) {
        struct wl_level l = level_of(s, m, d, i);
        struct wl_level *last = d->level_count > 0 ? &d->levels[d->level_count - 1] : NULL;
        if (s->memory_tech[i]->sram && !levels[i].read_pj_per_byte.given) {
            WL_TRY(wl_sram_pj_per_byte(s->registry, s->process->nm.value, (double)l.capacity_bytes,
                                       &l.read_pj_per_byte, err));
        }
        if (s->memory_tech[i]->sram && !levels[i].write_pj_per_byte.given) {
            l.write_pj_per_byte = l.read_pj_per_byte;
        }
        if (last != NULL && strcmp(last->name, l.name) == 0) {
            merge_level(last, &l);
        } else {
            d->levels[d->level_count++] = l;
        }
        if (l.is_main) {
            const struct wl_num *bandwidth = &levels[i].bandwidth_bps;
            if (m != NULL && m->memory_bandwidth_bps.given) {
                bandwidth = &m->memory_bandwidth_bps;
            }
            d->basis = weaker(d->basis, bandwidth->given ? bandwidth->basis : WL_BASIS_ASSUMED);
        }
    }
    return WL_OK;
}

static void resolve_params(const struct wl_spec *s, struct wl_device *d)
{
    const struct wl_spec_file *f = &s->file;
    double clock_hz = d->groups[0].clock_hz;
    double cycles_s = clock_hz > 0 ? s->class_file->barrier_cycles.value / clock_hz : 0;
    d->params = (struct wl_class_params){
        .dispatch_s = given_or(&f->dispatch.dispatch_s, s->class_file->dispatch_s.value),
        .barrier_s = given_or(&f->dispatch.barrier_s, s->class_file->barrier_s.value + cycles_s),
        .warp_size = whole(&f->gpu.warp_size, 0),
        .max_blocks_per_unit = whole(&f->gpu.max_blocks_per_unit, 0),
        .shared_bytes_per_unit = (int64_t)f->gpu.shared_bytes_per_unit.value,
        .load_stages = whole(&f->gpu.load_stages, 3),
        .double_buffered_weights = f->tpu.double_buffered_weights,
        .keeps_weights = f->tpu.keeps_weights,
        .mesh_rows = whole(&f->kpu.mesh_rows, 0),
        .mesh_cols = whole(&f->kpu.mesh_cols, 0),
        .program_bytes = (int64_t)f->kpu.program_bytes.value,
        .program_load_s = f->kpu.program_load_s.value,
        .noc_bytes_per_cycle = f->kpu.noc_bytes_per_cycle.value,
    };
}

wl_status wl_spec_device(const struct wl_spec *s, const char *mode, struct wl_device *out,
                         struct wl_error *err)
{
    const struct wl_spec_mode *m = NULL;
    WL_TRY(find_mode(s, mode, &m, err));
    struct wl_device d = {.id = s->file.id,
                          .name = s->file.name,
                          .vendor = s->file.vendor,
                          .class = (enum wl_hw_class)s->file.class,
                          .process_nm = s->process->nm.value,
                          .basis = WL_BASIS_MEASURED};
    resolve_power(s, m, &d);
    resolve_units(s, m, &d);
    resolve_pipes(s, &d);
    WL_TRY(resolve_levels(s, m, &d, err));
    resolve_params(s, &d);
    WL_TRY(wl_device_coefficients(s, &d, err));
    *out = d;
    return WL_OK;
}
