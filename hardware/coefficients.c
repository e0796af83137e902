/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hardware/coefficients.c: picojoules of every energy event of a device.
 *
 * Feature size. registry/processes/anchor_*.json hold published energies of single operations
 * (Horowitz, ISSCC 2014: 45 nm; Jouppi et al., ISCA 2021, table 2: 7 nm). Between two anchors, and
 * above the largest, energy is a power of the feature size: log-log through the two nearest
 * anchors. Below the smallest anchor the exponent is halved, since voltage has almost stopped
 * scaling. An operation that one anchor alone has follows the multiply of its family (fp16_mul,
 * int8_mul).
 *
 * On-chip memory. The anchors give 8 KB, 32 KB and 1 MB; log-log in capacity between and below
 * them. Larger memories are banks of 1 MB with wires between: the slope of the 7 nm anchor from 32
 * KB to 1 MB at every node.
 *
 * Arithmetic. A MAC costs arithmetic_factor x (multiply + add) + operand_pj_per_byte x bytes of the
 * type, by kind of pipe (registry/classes/<class>.json): the second term is what brings operands to
 * the unit, which dominates for narrow types. The add is at the accumulator's width: 32 bit for
 * integers and tf32, fp16 for fp8 and fp4, else the type's own. Other events are given at 7 nm and
 * scale with an fp16 MAC, or not at all. `energy.core_scale` of a spec multiplies all of them but
 * the memory levels.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "registry_priv.h"

struct anchors {
    const struct wl_process *items[WL_ANCHORS_MAX]; /* by feature size, small first */
    int32_t count;
};

static wl_status load_anchors(struct wl_registry *r, struct anchors *out, struct wl_error *err)
{
    *out = (struct anchors){0};
    if (r->cache->anchor_count > 0) {
        memcpy(out->items, r->cache->anchors, sizeof(r->cache->anchors));
        out->count = r->cache->anchor_count;
        return WL_OK;
    }
    const char *folder = wl_registry_path(r, "processes");
    char **names = NULL;
    int32_t count = 0;
    if (folder != NULL) {
        WL_TRY(wl_dir_list(&r->arena, folder, &names, &count, err));
    }
    for (int32_t i = 0; i < count && out->count < WL_ANCHORS_MAX; i++) {
        size_t len = strlen(names[i]);
        if (strncmp(names[i], "anchor_", 7) != 0 || len < 12 ||
            strcmp(names[i] + len - 5, ".json") != 0) {
            continue;
        }
        char key[80];
        (void)snprintf(key, sizeof(key), "%.*s", (int)wl_min_i64((int64_t)len - 5, 70), names[i]);
        const struct wl_process *p = NULL;
        WL_TRY(wl_process_load(r, key, &p, err));
        int32_t at = out->count++;
        for (; at > 0 && out->items[at - 1]->nm.value > p->nm.value; at--) {
            out->items[at] = out->items[at - 1];
        }
        out->items[at] = p;
    }
    if (out->count < 2) {
        return wl_fail(err, WL_ERR_INVALID, "registry/processes",
                       "has %d files anchor_*.json; two feature sizes at least are needed",
                       out->count);
    }
    memcpy(r->cache->anchors, out->items, sizeof(out->items));
    r->cache->anchor_count = out->count;
    return WL_OK;
}

wl_status wl_coefficients_prepare(struct wl_registry *r, struct wl_error *err)
{
    struct anchors a;
    return load_anchors(r, &a, err);
}

static const struct wl_num *operation(const struct wl_process *p, const char *name)
{
    const struct wl_named_num *items = p->operations_pj.items;
    for (int32_t i = 0; i < p->operations_pj.count; i++) {
        if (strcmp(items[i].name, name) == 0) {
            return &items[i].num;
        }
    }
    return NULL;
}

/* Through (x0, y0) and (x1, y1), x0 < x1, as a power of x; the exponent halved below x0. */
static double power_law(double x, double x0, double y0, double x1, double y1)
{
    double exponent = log(y1 / y0) / log(x1 / x0);
    if (x < x0) {
        exponent /= 2;
    }
    return y0 * pow(x / x0, exponent);
}

/* Value of an operation at `nm`; false when fewer than two anchors have it. */
static bool interpolate(const struct anchors *a, const char *name, double nm, double *out)
{
    double x[WL_ANCHORS_MAX], y[WL_ANCHORS_MAX];
    int32_t n = 0;
    for (int32_t i = 0; i < a->count; i++) {
        const struct wl_num *op = operation(a->items[i], name);
        if (op != NULL) {
            x[n] = a->items[i]->nm.value;
            y[n++] = op->value;
        }
    }
    if (n < 2) {
        return false;
    }
    int32_t at = 0;
    while (at < n - 2 && nm > x[at + 1]) {
        at++;
    }
    *out = power_law(nm, x[at], y[at], x[at + 1], y[at + 1]);
    return true;
}

wl_status wl_process_op_pj(struct wl_registry *r, const char *name, double nm, double *out,
                           struct wl_error *err)
{
    struct anchors a;
    WL_TRY(load_anchors(r, &a, err));
    if (interpolate(&a, name, nm, out)) {
        return WL_OK;
    }
    const char *like = strncmp(name, "int", 3) == 0 ? "int8_mul" : "fp16_mul";
    for (int32_t i = 0; i < a.count; i++) {
        const struct wl_num *op = operation(a.items[i], name);
        double here = 0, there = 0;
        if (op != NULL && interpolate(&a, like, a.items[i]->nm.value, &here) &&
            interpolate(&a, like, nm, &there)) {
            *out = op->value * there / here;
            return WL_OK;
        }
    }
    return wl_fail(err, WL_ERR_INVALID, "registry/processes", "no anchor has operation \"%s\"",
                   name);
}

wl_status wl_sram_pj_per_byte(struct wl_registry *r, double nm, double capacity_bytes, double *out,
                              struct wl_error *err)
{
    double small = 0, middle = 0, large = 0, middle7 = 0, large7 = 0;
    WL_TRY(wl_process_op_pj(r, "sram_8KB_64b", nm, &small, err));
    WL_TRY(wl_process_op_pj(r, "sram_32KB_64b", nm, &middle, err));
    WL_TRY(wl_process_op_pj(r, "sram_1MB_64b", nm, &large, err));
    WL_TRY(wl_process_op_pj(r, "sram_32KB_64b", 7, &middle7, err));
    WL_TRY(wl_process_op_pj(r, "sram_1MB_64b", 7, &large7, err));
    const double kib = 1024, mib = 1048576;
    double bytes = capacity_bytes <= 0 ? mib : fmax(capacity_bytes, 256);
    double access = 0;
    if (bytes <= 32 * kib) {
        double exponent = log(middle / small) / log(4);
        access = small * pow(bytes / (8 * kib), exponent);
    } else if (bytes <= mib) {
        access = power_law(bytes, 32 * kib, middle, mib, large);
    } else {
        double wires = log(large7 / middle7) / log(32);
        access = large * pow(bytes / mib, wires);
    }
    *out = access / 8; /* an access is 64 bits */
    return WL_OK;
}

/* ---- arithmetic
 * --------------------------------------------------------------------------------------- */

static enum wl_precision accumulator(enum wl_precision p)
{
    switch (p) {
    case WL_PREC_TF32:
        return WL_PREC_FP32;
    case WL_PREC_FP8:
    case WL_PREC_FP4:
        return WL_PREC_FP16;
    case WL_PREC_INT16:
    case WL_PREC_INT8:
    case WL_PREC_INT4:
        return WL_PREC_INT32;
    case WL_PREC_FP64:
    case WL_PREC_FP32:
    case WL_PREC_FP16:
    case WL_PREC_BF16:
    case WL_PREC_INT64:
    case WL_PREC_INT32:
    case WL_PREC_COUNT:
        break;
    }
    return p;
}

struct arithmetic {
    double mul[WL_PREC_COUNT], add[WL_PREC_COUNT];
    double logic; /* an fp16 MAC here over one at 7 nm */
};

static wl_status read_arithmetic(struct wl_registry *r, double nm, struct arithmetic *out,
                                 struct wl_error *err)
{
    char name[32];
    for (int p = 0; p < WL_PREC_COUNT; p++) {
        enum wl_precision prec = (enum wl_precision)p;
        (void)snprintf(name, sizeof(name), "%s_mul", wl_precision_name(prec));
        WL_TRY(wl_process_op_pj(r, name, nm, &out->mul[p], err));
        (void)snprintf(name, sizeof(name), "%s_add", wl_precision_name(accumulator(prec)));
        WL_TRY(wl_process_op_pj(r, name, nm, &out->add[p], err));
    }
    double mul7 = 0, add7 = 0;
    WL_TRY(wl_process_op_pj(r, "fp16_mul", 7, &mul7, err));
    WL_TRY(wl_process_op_pj(r, "fp16_add", 7, &add7, err));
    out->logic = (out->mul[WL_PREC_FP16] + out->add[WL_PREC_FP16]) / (mul7 + add7);
    return WL_OK;
}

static void set_event(struct wl_device *d, enum wl_event e, double pj, const char *source,
                      enum wl_basis basis)
{
    for (int p = 0; p < WL_PREC_COUNT; p++) {
        d->event_pj[e][p] = pj;
    }
    d->event_source[e] = source;
    d->event_basis[e] = basis;
}

static void set_arithmetic(struct wl_device *d, const struct wl_class_file *c,
                           const struct arithmetic *a, double scale, const char *source)
{
    for (int p = 0; p < WL_PREC_COUNT; p++) {
        double bytes = wl_precision_bits((enum wl_precision)p) / 8.0;
        double wires = bytes * a->logic;
        double mac = a->mul[p] + a->add[p];
        double op = a->add[p] * c->vector_arithmetic_factor.value +
                    wires * c->vector_operand_pj_per_byte.value;
        d->event_pj[WL_EV_MATRIX_MAC][p] = scale * (mac * c->matrix_arithmetic_factor.value +
                                                    wires * c->matrix_operand_pj_per_byte.value);
        d->event_pj[WL_EV_VECTOR_MAC][p] = scale * (mac * c->vector_arithmetic_factor.value +
                                                    wires * c->vector_operand_pj_per_byte.value);
        d->event_pj[WL_EV_VECTOR_OP][p] = scale * op;
        d->event_pj[WL_EV_SPECIAL_OP][p] = scale * op * c->special_op_factor.value;
    }
    const enum wl_event events[] = {WL_EV_MATRIX_MAC, WL_EV_VECTOR_MAC, WL_EV_VECTOR_OP,
                                    WL_EV_SPECIAL_OP};
    for (size_t i = 0; i < WL_ARRAY_LEN(events); i++) {
        d->event_source[events[i]] = source;
        d->event_basis[events[i]] = WL_BASIS_ASSUMED;
    }
}

static void set_levels(const struct wl_spec *s, struct wl_device *d)
{
    for (int32_t i = 0; i < d->level_count && i < WL_SPEC_LEVELS_MAX; i++) {
        const struct wl_level *l = &d->levels[i];
        enum wl_event read = (enum wl_event)(WL_EV_LEVEL_READ_0 + 2 * i);
        enum wl_event write = (enum wl_event)(WL_EV_LEVEL_WRITE_0 + 2 * i);
        const char *source = "on-chip memory by capacity and process";
        enum wl_basis basis = WL_BASIS_DERIVED;
        for (int32_t k = 0; k < s->file.memory.count; k++) {
            const struct wl_spec_level *from =
                &((const struct wl_spec_level *)s->file.memory.items)[k];
            if (strcmp(from->name, l->name) != 0) {
                continue;
            }
            if (from->read_pj_per_byte.given) {
                source = from->read_pj_per_byte.source;
                basis = from->read_pj_per_byte.basis;
            } else if (!s->memory_tech[k]->sram) {
                source = s->memory_tech[k]->read_pj_per_byte.source;
                basis = s->memory_tech[k]->read_pj_per_byte.basis;
            }
        }
        set_event(d, read, l->read_pj_per_byte, source, basis);
        set_event(d, write, l->write_pj_per_byte, source, basis);
    }
}

static void set_overrides(const struct wl_spec *s, struct wl_device *d)
{
    const struct wl_event_nums *items = s->file.energy.events_pj.items;
    for (int32_t i = 0; i < s->file.energy.events_pj.count; i++) {
        for (int p = 0; p < WL_PREC_COUNT; p++) {
            const struct wl_num *n = &items[i].by_precision[p];
            if (n->given) {
                d->event_pj[items[i].event][p] = n->value;
                d->event_source[items[i].event] = n->source;
                d->event_basis[items[i].event] = n->basis;
            }
        }
    }
}

wl_status wl_device_coefficients(const struct wl_spec *s, struct wl_device *d, struct wl_error *err)
{
    const struct wl_class_file *c = s->class_file;
    struct arithmetic a;
    WL_TRY(read_arithmetic(s->registry, d->process_nm, &a, err));
    double scale = s->file.energy.core_scale.given ? s->file.energy.core_scale.value : 1;
    for (int e = 0; e < WL_EVENT_COUNT; e++) {
        set_event(d, (enum wl_event)e, 0, "does not occur", WL_BASIS_DERIVED);
    }
    const struct wl_class_event *events = c->events.items;
    for (int32_t i = 0; i < c->events.count; i++) {
        enum wl_event e = wl_event_find(events[i].event);
        double factor = scale * (events[i].scales == 0 ? a.logic : 1);
        set_event(d, e, events[i].pj.value * factor, events[i].pj.source, events[i].pj.basis);
    }
    set_arithmetic(d, c, &a, scale, s->energy_source);
    set_levels(s, d);
    set_overrides(s, d);
    return WL_OK;
}
