/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calibrate/detect_spec.c: what was found and measured -> spec.json, in the registry's form. Each
 * number says how it came about:
 *
 *   measured   clocks, operations per cycle, bandwidths, the usable part of the last cache
 *   derived    counts and capacities that the system tells
 *   assumed    process node, watts, energy scale: the registry's most similar processor, in
 *              proportion to the cores
 *
 * Operations per cycle: an issue width is a whole number, so a measurement within 6 % of 2^n or
 * 3 x 2^n stands for that; others are kept as measured.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "detect_priv.h"

#define WHOLE_TOLERANCE 0.06
/* Special functions: about 16 vector instructions for a result per lane, as in the registry. */
#define OPS_PER_SPECIAL 16.0
/* Below it the "cores" are threads that share arithmetic. */
#define SHARED_LIMIT 0.9

struct writer {
    struct wl_arena arena;
    const struct wl_host *host;
    const struct wl_host_measures *m;
    struct wl_host_memory memory;
    struct wl_relative relative;
    cJSON *root;
};

/* ---- numbers --------------------------------------------------------------------------------- */

/* Four significant digits: what a measurement is good for. */
static double rounded(double x)
{
    if (!(x > 0)) {
        return 0;
    }
    double unit = pow(10, floor(log10(x)) - 3);
    return unit >= 1 ? round(x / unit) * unit : round(x / unit) / round(1 / unit);
}

static double whole_rate(double per_cycle)
{
    double best = per_cycle, off = WHOLE_TOLERANCE;
    const double odd[] = {1, 3};
    for (int n = -1; n < 16; n++) {
        for (size_t i = 0; i < WL_ARRAY_LEN(odd); i++) {
            double candidate = odd[i] * pow(2, n);
            if (fabs(per_cycle / candidate - 1) <= off) {
                off = fabs(per_cycle / candidate - 1);
                best = candidate;
            }
        }
    }
    return best == per_cycle ? rounded(per_cycle) : best;
}

static cJSON *add_value(cJSON *object, const char *key, double value, const char *basis,
                        const char *source)
{
    cJSON *v = cJSON_AddObjectToObject(object, key);
    (void)cJSON_AddNumberToObject(v, "value", value);
    (void)cJSON_AddStringToObject(v, "basis", basis);
    (void)cJSON_AddStringToObject(v, strcmp(basis, "assumed") == 0 ? "reason" : "source", source);
    return v;
}

static void describe(cJSON *object, const char *basis, const char *source)
{
    (void)cJSON_AddStringToObject(object, "basis", basis);
    (void)cJSON_AddStringToObject(object, "source", source);
}

static cJSON *add_item(cJSON *array)
{
    cJSON *item = cJSON_CreateObject();
    if (!cJSON_AddItemToArray(array, item)) {
        cJSON_Delete(item);
        return NULL;
    }
    return item;
}

/* ---- units and pipes ------------------------------------------------------------------------- */

static double clock_of(const struct wl_host_kind_rates *k)
{
    return k->clock_hz > 0 ? k->clock_hz : k->boost_clock_hz;
}

static void add_units(struct writer *w)
{
    cJSON *units = cJSON_AddArrayToObject(w->root, "units");
    for (int32_t i = 0; i < w->host->kind_count; i++) {
        const struct wl_host_kind *kind = &w->host->kinds[i];
        const struct wl_host_kind_rates *k = &w->m->kinds[i];
        const struct wl_host_rate *vector = wl_detect_best_vector(k);
        int32_t threads = w->host->allowed / (int32_t)wl_max_i64(w->host->cores, 1);
        cJSON *u = add_item(units);
        (void)cJSON_AddStringToObject(u, "name", kind->name);
        (void)add_value(u, "count", kind->cores, "derived", "system");
        (void)cJSON_AddNumberToObject(u, "clock_hz", rounded(clock_of(k)));
        (void)cJSON_AddNumberToObject(u, "boost_clock_hz",
                                      rounded(fmax(k->boost_clock_hz, clock_of(k))));
        if (threads > 1 && w->host->kind_count == 1) {
            (void)add_value(u, "threads_per_unit", threads, "derived", "system");
        }
        if (vector != NULL) { /* 32 registers from 512 bits on and on Arm, else 16 */
            int registers = vector->simd_bits >= 512 || w->host->vendor[0] == '0' ? 32 : 16;
            (void)add_value(u, "register_bytes", registers * vector->simd_bits / 8.0, "assumed",
                            "architectural vector registers");
        }
        describe(u, "measured", "run");
    }
}

static void add_geometry(cJSON *p, const struct wl_host_rate *r)
{
    if (r->kind == WL_PIPE_VECTOR) {
        (void)add_value(p, "simd_bits", r->simd_bits, "derived", "system");
        return;
    }
    (void)add_value(p, "rows", r->rows, "derived", "system");
    (void)add_value(p, "cols", r->cols, "derived", "system");
    (void)add_value(p, "depth", r->depth, "derived", "system");
}

/* The pipe that `lead` belongs to, at every precision that ran on it. */
static void add_pipe(struct writer *w, cJSON *pipes, int32_t kind, const struct wl_host_rate *lead)
{
    const struct wl_host_kind_rates *k = &w->m->kinds[kind];
    cJSON *p = add_item(pipes);
    double share = k->shared > 0 && k->shared < SHARED_LIMIT ? k->shared : 1;
    (void)cJSON_AddStringToObject(p, "name", lead->pipe);
    (void)cJSON_AddStringToObject(p, "kind", wl_pipe_kind_name(lead->kind));
    (void)cJSON_AddStringToObject(p, "units", w->host->kinds[kind].name);
    cJSON *ops = cJSON_AddObjectToObject(p, "ops_per_cycle");
    for (int32_t i = 0; i < k->rate_count; i++) {
        const struct wl_host_rate *r = &k->rates[i];
        if (r->supported && strcmp(r->pipe, lead->pipe) == 0) {
            (void)cJSON_AddNumberToObject(ops, wl_precision_name(r->precision),
                                          whole_rate(r->ops_per_cycle * share));
        }
    }
    add_geometry(p, lead);
    if (lead->kind == WL_PIPE_MATRIX && k->matrix_clock_hz > 0) {
        (void)cJSON_AddNumberToObject(p, "clock_hz", rounded(k->matrix_clock_hz));
    }
    describe(p, "measured", "run");
}

static void add_special(struct writer *w, cJSON *pipes, int32_t kind,
                        const struct wl_host_rate *vector)
{
    cJSON *p = add_item(pipes);
    (void)cJSON_AddStringToObject(p, "name", "vector_math");
    (void)cJSON_AddStringToObject(p, "kind", "special");
    (void)cJSON_AddStringToObject(p, "units", w->host->kinds[kind].name);
    cJSON *ops = cJSON_AddObjectToObject(p, "ops_per_cycle");
    (void)cJSON_AddNumberToObject(ops, "fp32", whole_rate(vector->ops_per_cycle) / OPS_PER_SPECIAL);
    (void)cJSON_AddStringToObject(p, "basis", "assumed");
    (void)cJSON_AddStringToObject(
        p, "reason",
        "polynomial exp or tanh: about 16 vector instructions for one result per lane");
}

static void add_pipes(struct writer *w)
{
    cJSON *pipes = cJSON_AddArrayToObject(w->root, "pipes");
    for (int32_t i = 0; i < w->host->kind_count; i++) {
        const struct wl_host_kind_rates *k = &w->m->kinds[i];
        const struct wl_host_rate *vector = wl_detect_best_vector(k);
        if (vector == NULL) {
            continue;
        }
        add_pipe(w, pipes, i, vector);
        for (int32_t r = 0; r < k->rate_count; r++) {
            if (k->rates[r].kind == WL_PIPE_MATRIX && k->rates[r].supported) {
                add_pipe(w, pipes, i, &k->rates[r]);
                break;
            }
        }
        add_special(w, pipes, i, vector);
    }
}

/* ---- memory ---------------------------------------------------------------------------------- */

static cJSON *add_level(struct writer *w, const char *name, const struct wl_host_cache *c)
{
    cJSON *l = add_item(cJSON_GetObjectItemCaseSensitive(w->root, "memory"));
    (void)cJSON_AddStringToObject(l, "name", name);
    if (c->cores >= w->host->cores && w->host->cores > 1) {
        (void)cJSON_AddStringToObject(l, "scope", "device");
    } else if (c->cores > 1) {
        (void)cJSON_AddStringToObject(l, "scope", "cluster");
        (void)add_value(l, "units_per_instance", c->cores, "derived", "system");
    } else {
        (void)cJSON_AddStringToObject(l, "scope", "unit");
    }
    (void)cJSON_AddStringToObject(l, "technology", "sram");
    return l;
}

static void add_inner(struct writer *w, int32_t kind, int level)
{
    const struct wl_host_kind *h = &w->host->kinds[kind];
    const struct wl_host_cache *c = &h->caches[level];
    char name[16];
    if (c->bytes == 0) {
        return;
    }
    (void)snprintf(name, sizeof(name), "l%d", level + 1);
    cJSON *l = add_level(w, name, c);
    (void)add_value(l, "capacity_bytes", (double)c->bytes, "derived", "system");
    double per_cycle = w->m->kinds[kind].level_bps[level] / clock_of(&w->m->kinds[kind]);
    /* Alone it means: each unit at once. */
    (void)cJSON_AddNumberToObject(l, c->cores > 1 ? "unit_bytes_per_cycle" : "bytes_per_cycle",
                                  rounded(per_cycle));
    (void)cJSON_AddNumberToObject(l, "efficiency", 1); /* measured is sustained */
    if (w->host->kind_count > 1) {
        (void)cJSON_AddStringToObject(l, "units", h->name);
    }
    describe(l, "measured", "run");
}

static void add_outer(struct writer *w, int level)
{
    const struct wl_host_cache *c = &w->host->kinds[0].caches[level];
    int64_t shown = wl_detect_level_total(w->host, level);
    int64_t instances = wl_max_i64(1, shown / wl_max_i64(c->bytes, 1));
    char name[16];
    if (w->memory.usable_bytes == 0) {
        return; /* no faster than memory: of no use */
    }
    (void)snprintf(name, sizeof(name), "l%d", level + 1);
    cJSON *l = add_level(w, name, c);
    if (2 * w->memory.usable_bytes > shown) { /* the sweep goes by doublings */
        (void)add_value(l, "capacity_bytes", (double)c->bytes, "derived", "system");
    } else {
        (void)add_value(l, "capacity_bytes", (double)(w->memory.usable_bytes / instances),
                        "measured", "sweep");
    }
    (void)cJSON_AddNumberToObject(l, "bandwidth_bps", rounded(w->memory.cache_all_bps));
    (void)cJSON_AddNumberToObject(l, "unit_bandwidth_bps",
                                  rounded(fmin(w->memory.cache_one_bps, w->memory.cache_all_bps)));
    (void)cJSON_AddNumberToObject(l, "efficiency", 1);
    (void)cJSON_AddBoolToObject(l, "read_bandwidth", true);
    describe(l, "measured", "sweep");
}

static void add_memory(struct writer *w)
{
    int last = wl_detect_swept_level(w->host);
    cJSON *memory = cJSON_AddArrayToObject(w->root, "memory");
    for (int level = 0; level < WL_HOST_LEVELS_MAX; level++) {
        for (int32_t i = 0; i < w->host->kind_count && level != last; i++) {
            add_inner(w, i, level);
        }
        if (level == last) {
            add_outer(w, level);
        }
    }
    cJSON *l = add_item(memory);
    (void)cJSON_AddStringToObject(l, "name", "dram");
    (void)cJSON_AddStringToObject(l, "scope", "device");
    (void)add_value(l, "capacity_bytes", (double)w->host->memory_bytes, "derived", "system");
    (void)cJSON_AddNumberToObject(l, "bandwidth_bps", rounded(w->memory.dram_all_bps));
    (void)cJSON_AddNumberToObject(l, "unit_bandwidth_bps",
                                  rounded(fmin(w->memory.dram_one_bps, w->memory.dram_all_bps)));
    (void)cJSON_AddNumberToObject(l, "efficiency", 1);
    (void)cJSON_AddBoolToObject(l, "read_bandwidth", true);
    (void)cJSON_AddStringToObject(l, "technology", wl_device_dram(&w->relative.device)->technology);
    describe(l, "measured", "sweep");
}

/* ---- what cannot be measured ----------------------------------------------------------------- */

static void add_power(struct writer *w)
{
    const struct wl_device *d = &w->relative.device;
    double units = wl_device_units(d), share = w->host->cores / fmax(units, 1);
    cJSON *power = cJSON_AddObjectToObject(w->root, "power");
    const char *reason = wl_arena_printf(&w->arena, "%d of the %.0f cores' worth of %s",
                                         w->host->cores, units, d->id);
    (void)add_value(power, "tdp_w", rounded(d->tdp_w * share), "assumed", reason);
    (void)add_value(power, "power_limit_w", rounded(d->power_limit_w * fmax(1, share)), "assumed",
                    "the whole package's: the clock was measured under load, so that what power "
                    "takes from it is in the clock already");
    (void)add_value(power, "idle_w", rounded(d->idle_w * share), "assumed", reason);
    if (w->relative.core_scale > 0) {
        cJSON *energy = cJSON_AddObjectToObject(w->root, "energy");
        (void)add_value(energy, "core_scale", w->relative.core_scale, "assumed",
                        wl_arena_printf(&w->arena, "as %s", d->id));
    }
}

static const char *notes(struct writer *w)
{
    const struct wl_host *h = w->host;
    const struct wl_host_kind_rates *k = &w->m->kinds[0];
    char quota[80] = "";
    if (h->quota_cores > 0 && h->quota_cores < h->cores) {
        (void)snprintf(quota, sizeof(quota), " A container's quota allows %.3g of them at a time.",
                       h->quota_cores);
    }
    return wl_arena_printf(
        &w->arena,
        "Written by wattline hw detect. %d cores that this process may use, of %d processors "
        "online%s.%s Family %d, model 0x%x.%s Process node, kind of memory, watts and energy scale "
        "cannot be measured here; they are those of %s (%s).",
        h->cores, h->logical, h->virtual_machine ? ", in a virtual machine" : "", quota, h->family,
        (unsigned)h->model,
        k->shared > 0 && k->shared < SHARED_LIMIT
            ? " With all busy the cores slow each other down: they are threads that share "
              "arithmetic, and operations per cycle are as with all busy."
            : "",
        w->relative.device.id,
        w->relative.named ? "the host calls itself so" : "the most similar in the registry");
}

static void add_sources(struct writer *w, const char *date)
{
    cJSON *sources = cJSON_AddObjectToObject(w->root, "sources");
    int last = wl_detect_swept_level(w->host);
    int64_t shown = last < 0 ? 0 : wl_detect_level_total(w->host, last);
    (void)cJSON_AddStringToObject(
        sources, "system",
        wl_arena_printf(&w->arena, "%s, /proc and cpuid of this machine", w->host->source));
    (void)cJSON_AddStringToObject(
        sources, "run",
        wl_arena_printf(&w->arena,
                        "wattline hw detect, %s: best of several short runs; operations per cycle "
                        "to the next whole issue width within 6 %%; clock_hz with all cores on the "
                        "widest vectors",
                        date));
    (void)cJSON_AddStringToObject(
        sources, "sweep",
        wl_arena_printf(&w->arena,
                        "wattline hw detect, %s: reads of working sets up to %.0f MiB (%s); of "
                        "%.0f MiB of last cache that the system shows %.0f MiB are faster than "
                        "halfway to memory",
                        date, (double)w->m->sweep_limit_bytes / 1048576.0, w->m->sweep_reason,
                        (double)shown / 1048576.0, (double)w->memory.usable_bytes / 1048576.0));
}

/* ---- the file -------------------------------------------------------------------------------- */

static const char *vendor_name(const struct writer *w)
{
    const char *like = w->relative.device.vendor;
    return strstr(w->host->vendor, like) != NULL || w->relative.named ? like
           : w->host->vendor[0] != '\0'                               ? w->host->vendor
                                                                      : "unknown";
}

static void add_all(struct writer *w, const char *date)
{
    const char *model = w->host->model_name[0] != '\0' ? w->host->model_name : "this host";
    (void)cJSON_AddNumberToObject(w->root, "schema_version", 1);
    (void)cJSON_AddStringToObject(w->root, "id", WL_HOST_ID);
    (void)cJSON_AddStringToObject(w->root, "name",
                                  wl_arena_printf(&w->arena, "%.80s (this host, %d core%s)", model,
                                                  w->host->cores, w->host->cores == 1 ? "" : "s"));
    (void)cJSON_AddStringToObject(w->root, "vendor", vendor_name(w));
    (void)cJSON_AddStringToObject(w->root, "class", "cpu");
    (void)cJSON_AddStringToObject(w->root, "process", w->relative.process);
    (void)cJSON_AddStringToObject(w->root, "notes", notes(w));
    add_sources(w, date);
    add_units(w);
    add_pipes(w);
    add_memory(w);
    add_power(w);
}

wl_status wl_detect_spec(struct wl_registry *registry, const struct wl_host *host,
                         const struct wl_host_measures *measures, const char *date,
                         struct wl_buf *out, const char **relative, struct wl_error *err)
{
    struct writer w = {.host = host, .m = measures, .memory = wl_detect_memory(host, measures)};
    if (wl_detect_best_vector(&measures->kinds[0]) == NULL) {
        return wl_fail(err, WL_ERR_UNSUPPORTED, "hw detect",
                       "has no measuring kernels for this processor; x86-64 and aarch64 have them");
    }
    WL_TRY(wl_detect_relative(registry, host, measures, &w.relative, err));
    *relative = w.relative.device.id;
    wl_arena_init(&w.arena, 0);
    w.root = cJSON_CreateObject();
    add_all(&w, date);
    char *text = cJSON_Print(w.root);
    cJSON_Delete(w.root);
    wl_arena_done(&w.arena);
    WL_TRY_PTR(text, err);
    wl_buf_puts(out, text);
    wl_buf_puts(out, "\n");
    cJSON_free(text);
    return out->failed ? wl_fail_nomem(err) : WL_OK;
}
