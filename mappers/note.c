/* SPDX-License-Identifier: Apache-2.0 */
/* mappers/note.c: one line on how a subgraph lies on the device, for people. */
#include <stdio.h>

#include "mappers_priv.h"

static int add_tiling(const struct wl_mapping *m, enum wl_hw_class class, char *out, size_t size)
{
    const struct wl_tiling *t = &m->tiling;
    switch (class) {
    case WL_HW_CPU:
        return snprintf(out, size, "%s, register tile %d x %d, %.4g tiles a core", t->algorithm,
                        t->tile_m, t->tile_n, t->waves);
    case WL_HW_GPU:
        return snprintf(out, size, "%s, tile %d x %d, %.3g waves%s", t->algorithm, t->tile_m,
                        t->tile_n, t->waves, t->split_k > 1 ? ", K split" : "");
    case WL_HW_TPU:
        return snprintf(out, size, "%s, %.6g folds of %d x %d", t->algorithm, t->tiles, t->tile_m,
                        t->tile_n);
    case WL_HW_KPU:
        return snprintf(out, size, "%s, %.6g blocks of %d x %d%s", t->algorithm, t->tiles,
                        t->tile_m, t->tile_n, t->split_k > 1 ? ", K split" : "");
    case WL_HW_CLASS_COUNT:
        break;
    }
    return 0;
}

/* Workers that stay idle because more would only copy operands or wait for each other. */
static int add_idle(const struct wl_mapping *m, enum wl_hw_class class, bool first, char *out,
                    size_t size)
{
    static const char *const workers[WL_HW_CLASS_COUNT] = {
        [WL_HW_CPU] = "cores", [WL_HW_TPU] = "arrays", [WL_HW_KPU] = "tiles"};
    if (m->workers_idle < 1 || workers[class] == NULL) {
        return 0;
    }
    return snprintf(out, size, "%s%d %s idle, faster so", first ? "" : ", ", (int)m->workers_idle,
                    workers[class]);
}

/*
 * Capacity: what share of the operands crosses the levels beyond the innermost one that keeps any,
 * because those inside do not hold it, and how often blocking reads an operand from a level.
 */
static int add_capacity(const struct wl_mappings *all, const struct wl_mapping *m, bool first,
                        char *out, size_t size)
{
    const struct wl_device *d = all->device;
    int at = 0;
    for (int32_t l = wl_mapper_find(d->class)->kept_level(d, false) + 1; l < d->level_count; l++) {
        if (at >= 0 && (size_t)at < size && m->crossing[l] >= 0.005) {
            at += snprintf(out + at, size - (size_t)at, "%s%s %.3g %%",
                           first && at == 0 ? "" : ", ", d->levels[l].name, 100 * m->crossing[l]);
        }
    }
    bool reads = false;
    for (int32_t l = 1; l < d->level_count; l++) {
        if (at >= 0 && (size_t)at < size && m->reload[l] > 1.005) {
            const char *lead = first && at == 0 ? "" : ", ";
            at += snprintf(out + at, size - (size_t)at, "%s%s%s %.3g times", lead,
                           reads ? "" : "operands read from ", d->levels[l].name, m->reload[l]);
            reads = true;
        }
    }
    return at;
}

const char *wl_mapping_note(const struct wl_mappings *all, int32_t subgraph, char *out,
                            size_t out_size)
{
    if (out_size == 0) {
        return out;
    }
    out[0] = '\0';
    const struct wl_mapping *m = &all->items[subgraph];
    int at = m->tiling.algorithm != NULL ? add_tiling(m, all->device->class, out, out_size) : 0;
    if (at >= 0 && (size_t)at < out_size) {
        at += add_idle(m, all->device->class, at == 0, out + at, out_size - (size_t)at);
    }
    const struct {
        const char *name;
        double share;
    } effects[] = {
        {"padding", m->eff_padding}, {"balance", m->eff_balance}, {"pipeline", m->eff_pipeline}};
    for (size_t i = 0; i < WL_ARRAY_LEN(effects); i++) {
        if (at >= 0 && (size_t)at < out_size && effects[i].share < 0.995) {
            at += snprintf(out + at, out_size - (size_t)at, "%s%s %.2f", at > 0 ? ", " : "",
                           effects[i].name, effects[i].share);
        }
    }
    if (at >= 0 && (size_t)at < out_size) {
        (void)add_capacity(all, m, at == 0, out + at, out_size - (size_t)at);
    }
    return out;
}
