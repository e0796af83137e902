/* SPDX-License-Identifier: Apache-2.0 */
/*
 * energy/energy.c: counts -> joules, for all architectures. Dynamic energy of a subgraph is the sum
 * of its events times their picojoules (the device's, at its operating point); the categories are
 * sums of those events; the model's ledger is the sum by event and precision. Static energy is idle
 * power times latency whatever the precision; the share of it that idle units burn is `wasted`.
 * With power gating, units that a subgraph does not use fall to their share of the gated power.
 *
 * Sums run in schedule order and event order, so the same input gives the same bits.
 */
#include <string.h>

#include "energy.h"

/* Sums of one run: a slot per event and precision (the last column: events without one). */
#define COLUMNS (WL_PREC_COUNT + 1)

struct slot {
    double count;
    double energy_j;
};

/* Memory level of a level event, WL_NONE for the others. */
static int32_t event_level(enum wl_event e)
{
    int32_t i = (int32_t)e - (int32_t)WL_EV_LEVEL_READ_0;
    return i >= 0 && i < 10 ? i / 2 : WL_NONE;
}

static bool level_is_write(enum wl_event e)
{
    return (((int32_t)e - (int32_t)WL_EV_LEVEL_READ_0) & 1) != 0;
}

double wl_energy_unit_pj(const struct wl_device *d, enum wl_event e, int precision)
{
    int32_t level = event_level(e);
    if (level != WL_NONE) {
        const struct wl_level *l = &d->levels[level < d->level_count ? level : d->level_count - 1];
        return level_is_write(e) ? l->write_pj_per_byte : l->read_pj_per_byte;
    }
    return d->event_pj[e][precision < WL_PREC_COUNT ? precision : 0];
}

/* "head_tail", cut to the size of `out`; without the line where `tail` is empty. By hand: the names
   of a ledger would otherwise be half of its cost. */
static void join_names(const char *head, const char *tail, char *out, size_t out_size)
{
    size_t at = 0;
    for (const char *c = head; *c != '\0' && at + 1 < out_size; c++) {
        out[at++] = *c;
    }
    if (*tail != '\0' && at + 1 < out_size) {
        out[at++] = '_';
    }
    for (const char *c = tail; *c != '\0' && at + 1 < out_size; c++) {
        out[at++] = *c;
    }
    out[at] = '\0';
}

const char *wl_energy_event_name(const struct wl_device *d, enum wl_event e, int precision,
                                 char *out, size_t out_size)
{
    const struct wl_event_info *info = wl_event_info(e);
    int32_t level = event_level(e);
    if (level != WL_NONE) {
        int32_t l = level < d->level_count ? level : d->level_count - 1;
        join_names(d->levels[l].name, level_is_write(e) ? "write" : "read", out, out_size);
    } else if (info->by_precision && precision < WL_PREC_COUNT) {
        join_names(info->name, wl_precision_name((enum wl_precision)precision), out, out_size);
    } else {
        join_names(info->name, "", out, out_size);
    }
    return out;
}

static wl_status make_rows(const struct wl_mappings *m, const struct slot *slots,
                           struct wl_arena *arena, struct wl_energy *out, struct wl_error *err)
{
    const struct wl_device *d = m->device;
    int32_t used = 0;
    for (int i = 0; i < WL_EVENT_COUNT * COLUMNS; i++) {
        used += slots[i].count > 0 ? 1 : 0;
    }
    out->rows = WL_ARRAY(arena, struct wl_ledger_row, used);
    WL_TRY_PTR(out->rows, err);
    for (int i = 0; i < WL_EVENT_COUNT * COLUMNS; i++) {
        if (!(slots[i].count > 0)) {
            continue;
        }
        enum wl_event e = (enum wl_event)(i / COLUMNS);
        int column = i % COLUMNS;
        struct wl_ledger_row *row = &out->rows[out->row_count++];
        *row = (struct wl_ledger_row){.event = e,
                                      .precision = (enum wl_precision)column,
                                      .count = slots[i].count,
                                      .unit_pj = wl_energy_unit_pj(d, e, column),
                                      .energy_j = slots[i].energy_j,
                                      .source = d->event_source[e],
                                      .basis = d->event_basis[e]};
        char name[64];
        (void)wl_energy_event_name(d, e, column, name, sizeof(name));
        row->name = wl_arena_strndup(arena, name, strlen(name));
        WL_TRY_PTR(row->name, err);
        out->basis = row->basis > out->basis ? row->basis : out->basis;
    }
    return WL_OK;
}

wl_status wl_energy_dynamic(const struct wl_mappings *m, struct wl_arena *arena,
                            struct wl_energy *out, struct wl_error *err)
{
    *out = (struct wl_energy){.count = m->count};
    out->parts = WL_ARRAY(arena, struct wl_energy_parts, m->count);
    WL_TRY_PTR(out->parts, err);
    struct slot slots[WL_EVENT_COUNT * COLUMNS];
    memset(slots, 0, sizeof(slots));
    for (int32_t i = 0; i < m->count; i++) {
        const struct wl_mapping *map = &m->items[i];
        for (int32_t k = 0; k < map->event_count; k++) {
            const struct wl_event_count *c = &map->events[k];
            enum wl_event e = (enum wl_event)c->event;
            const struct wl_event_info *info = wl_event_info(e);
            double joules = c->count * wl_energy_unit_pj(m->device, e, c->precision) * 1e-12;
            int column =
                info->by_precision && c->precision < WL_PREC_COUNT ? c->precision : WL_PREC_COUNT;
            struct slot *s = &slots[(int)e * COLUMNS + column];
            s->count += c->count;
            s->energy_j += joules;
            out->parts[i].category_j[info->category] += joules;
        }
        for (int k = 0; k < WL_CAT_COUNT; k++) {
            out->total.category_j[k] += out->parts[i].category_j[k];
        }
    }
    return make_rows(m, slots, arena, out, err);
}

void wl_energy_static(const struct wl_mappings *m, const struct wl_timing *timings, bool gating,
                      struct wl_energy *e)
{
    const struct wl_device *d = m->device;
    double all = wl_device_units(d);
    e->total.static_j = 0;
    e->wasted_j = 0;
    for (int32_t i = 0; i < e->count; i++) {
        double share = all > 0 ? m->items[i].units_used / all : 1;
        share = share < 0 ? 0 : (share > 1 ? 1 : share);
        double idle_w =
            gating ? d->gated_idle_w + (d->idle_w - d->gated_idle_w) * share : d->idle_w;
        double base_w = gating ? d->gated_idle_w : d->idle_w;
        e->parts[i].static_j = idle_w * timings[i].latency_s;
        e->total.static_j += e->parts[i].static_j;
        e->wasted_j += base_w * (1 - share) * timings[i].latency_s;
    }
}

double wl_energy_dynamic_j(const struct wl_energy_parts *p)
{
    double sum = 0;
    for (int i = 0; i < WL_CAT_COUNT; i++) {
        sum += p->category_j[i];
    }
    return sum;
}

double wl_energy_total_j(const struct wl_energy_parts *p)
{
    return wl_energy_dynamic_j(p) + p->static_j;
}
