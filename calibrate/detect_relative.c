/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calibrate/detect_relative.c: the processor of the registry that is most like the host, for what
 * no program can measure: process node, design power, idle watts, kind of memory. Its name decides
 * where the host tells one (virtual machines often hide it); else the sizes of caches, instruction
 * sets and clocks, each difference as a number of doublings.
 */
#include <ctype.h>
#include <math.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "detect_priv.h"

/* Differences in doublings that a mismatch counts as. */
#define OTHER_VENDOR 4.0
#define OTHER_MATRIX 3.0
#define OTHER_PRECISION 1.0
#define OTHER_KINDS 1.0
#define NAMED (-1e3)
#define SHORTEST_NAME 4

/* Whether `name` stands in `text` as a word, '_' and '-' for any separator, without case. */
static bool names_it(const char *text, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = text; *at != '\0' && len >= SHORTEST_NAME; at++) {
        size_t i = 0;
        while (i < len && at[i] != '\0' &&
               (tolower((unsigned char)at[i]) == tolower((unsigned char)name[i]) ||
                (name[i] == '_' && at[i] == ' '))) {
            i++;
        }
        bool begins = at == text || !isalnum((unsigned char)at[-1]);
        if (i == len && begins && !isalnum((unsigned char)at[len])) {
            return true;
        }
    }
    return false;
}

static bool is_named(const struct wl_registry_entry *e, const char *model_name)
{
    bool named = names_it(model_name, e->id);
    for (int32_t i = 0; i < e->alias_count; i++) {
        named = named || names_it(model_name, e->aliases[i]);
    }
    return named;
}

static double doublings(double a, double b)
{
    return a > 0 && b > 0 ? fabs(log2(a / b)) : a > 0 || b > 0 ? 1 : 0;
}

static int64_t total_of(const struct wl_device *d, const char *level)
{
    for (int32_t i = 0; i < d->level_count; i++) {
        if (strcmp(d->levels[i].name, level) == 0) {
            return d->levels[i].capacity_bytes * d->levels[i].instances;
        }
    }
    return 0;
}

static bool host_has(const struct wl_host_kind_rates *k, enum wl_pipe_kind kind,
                     enum wl_precision precision)
{
    bool has = false;
    for (int32_t i = 0; i < k->rate_count; i++) {
        has = has || (k->rates[i].supported && k->rates[i].kind == kind &&
                      (precision == WL_PREC_COUNT || k->rates[i].precision == precision));
    }
    return has;
}

static double pipes_differ(const struct wl_device *d, const struct wl_host_kind_rates *k)
{
    const struct wl_host_rate *vector = wl_detect_best_vector(k);
    double distance = 0;
    bool matrix = false;
    int32_t bits = 0;
    for (int32_t i = 0; i < d->pipe_count; i++) {
        matrix = matrix || d->pipes[i].kind == WL_PIPE_MATRIX;
        bits = d->pipes[i].simd_bits > bits ? d->pipes[i].simd_bits : bits;
    }
    distance += matrix != host_has(k, WL_PIPE_MATRIX, WL_PREC_COUNT) ? OTHER_MATRIX : 0;
    distance += vector == NULL ? 0 : doublings(bits, vector->simd_bits);
    distance += wl_device_supports(d, WL_PREC_FP16) != host_has(k, WL_PIPE_VECTOR, WL_PREC_FP16)
                    ? OTHER_PRECISION
                    : 0;
    return distance;
}

static double distance_to(const struct wl_device *d, const struct wl_host *host,
                          const struct wl_host_measures *m)
{
    const struct wl_host_kind *k = &host->kinds[0];
    double units = d->group_count > 0 ? d->groups[0].count : 1;
    double distance = strstr(host->vendor, d->vendor) == NULL ? OTHER_VENDOR : 0;
    distance += pipes_differ(d, &m->kinds[0]);
    distance += doublings((double)k->caches[0].bytes / fmax(k->caches[0].cores, 1),
                          (double)total_of(d, "l1") / units);
    distance += doublings((double)k->caches[1].bytes / fmax(k->caches[1].cores, 1),
                          (double)total_of(d, "l2") / units);
    distance += doublings((double)wl_detect_level_total(host, 2), (double)total_of(d, "l3"));
    distance += doublings(m->kinds[0].clock_hz, d->clock_hz);
    return distance + (host->kind_count != d->group_count ? OTHER_KINDS : 0);
}

static void take_details(struct wl_relative *r)
{
    const cJSON *json = wl_spec_json(r->spec);
    const cJSON *energy = cJSON_GetObjectItemCaseSensitive(json, "energy");
    const cJSON *scale = cJSON_GetObjectItemCaseSensitive(energy, "core_scale");
    const cJSON *value =
        cJSON_IsObject(scale) ? cJSON_GetObjectItemCaseSensitive(scale, "value") : scale;
    const cJSON *process = cJSON_GetObjectItemCaseSensitive(json, "process");
    r->core_scale = cJSON_IsNumber(value) ? value->valuedouble : 0;
    r->process = cJSON_IsString(process) ? process->valuestring : "";
}

wl_status wl_detect_relative(struct wl_registry *registry, const struct wl_host *host,
                             const struct wl_host_measures *m, struct wl_relative *out,
                             struct wl_error *err)
{
    struct wl_registry_entry *entries = NULL;
    int32_t count = 0;
    double best = HUGE_VAL;
    WL_TRY(wl_registry_list(registry, &entries, &count, NULL, NULL, err));
    *out = (struct wl_relative){0};
    for (int32_t i = 0; i < count; i++) {
        const struct wl_spec *spec = NULL;
        struct wl_device d;
        struct wl_error skipped;
        if (entries[i].class != WL_HW_CPU || strcmp(entries[i].id, WL_HOST_ID) == 0) {
            continue;
        }
        if (wl_registry_load(registry, entries[i].id, &spec, &skipped) != WL_OK ||
            wl_spec_device(spec, NULL, &d, &skipped) != WL_OK) {
            continue; /* `hw check` tells what is wrong with it */
        }
        bool named = is_named(&entries[i], host->model_name);
        double distance = distance_to(&d, host, m) + (named ? NAMED : 0);
        if (distance < best) {
            best = distance;
            *out = (struct wl_relative){.spec = spec, .device = d, .named = named};
        }
    }
    if (out->spec == NULL) {
        return wl_fail(err, WL_ERR_UNSUPPORTED, "registry",
                       "has no processor to take process and watts from; name one that has with "
                       "--registry DIR");
    }
    take_details(out);
    return WL_OK;
}
