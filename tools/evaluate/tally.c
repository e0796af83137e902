/* SPDX-License-Identifier: Apache-2.0 */
/* evaluate/tally.c: samples, the split into fitted and other devices, errors by group, output. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "evaluate.h"

void wl_samples_add(struct samples *s, const struct sample *sample)
{
    if (s->count == s->capacity) {
        int32_t more = s->capacity > 0 ? s->capacity * 2 : 256;
        struct sample *p = wl_realloc(s->items, (size_t)more * sizeof(*p));
        if (p == NULL) {
            return;
        }
        s->items = p;
        s->capacity = more;
    }
    if (isfinite(sample->predicted) && sample->measured > 0) {
        s->items[s->count++] = *sample;
    }
}

void wl_samples_done(struct samples *s)
{
    wl_free(s->items);
    *s = (struct samples){0};
}

/*
 * Devices that efficiencies were fitted on. A list, because it is history: when the zoo or the
 * records grow, what was fitted on does not change, and devices that come in are held out. It was
 * every other one, beginning with the first, of the devices of the latency records sorted by id.
 */
static const char *const fitted_devices[] = {
    "amd_epyc_7742",
    "apple_m3_cpu",
    "intel_i7_12700h",
    "intel_xeon_8580",
    "jetson_orin_nano_cpu",
    "nvidia_a100_sxm_40gb",
    "nvidia_a2",
    "nvidia_a40",
    "nvidia_h100_pcie",
    "nvidia_jetson_agx_orin_64gb",
    "nvidia_l40",
    "nvidia_rtx_4090",
    "nvidia_t4",
    "raspberry_pi_4",
};
static const char *const fitted_on_kernels[] = {"nvidia_v100_pcie", "nvidia_a100_pcie_40gb"};

bool wl_is_fitted_device(const char *device)
{
    for (size_t i = 0; i < WL_ARRAY_LEN(fitted_devices); i++) {
        if (strcmp(device, fitted_devices[i]) == 0) {
            return true;
        }
    }
    return false;
}

void wl_samples_split(struct samples *s, bool kernels)
{
    for (int32_t i = 0; i < s->count; i++) {
        struct sample *e = &s->items[i];
        if (!kernels) {
            e->fitted = e->fitted || wl_is_fitted_device(e->device);
            continue;
        }
        for (size_t k = 0; k < WL_ARRAY_LEN(fitted_on_kernels); k++) {
            e->fitted = e->fitted || strcmp(e->device, fitted_on_kernels[k]) == 0;
        }
    }
}

static double percentile(double *values, int32_t count, double share)
{
    qsort(values, (size_t)count, sizeof(double), wl_compare_doubles);
    double place = share * (count - 1);
    int32_t below = (int32_t)place;
    int32_t above = below + 1 < count ? below + 1 : below;
    return values[below] + (place - below) * (values[above] - values[below]);
}

static const char *const kind_names[SAMPLE_KIND_COUNT] = {"latency", "throughput", "energy",
                                                          "wall energy", "power"};

enum group_by { BY_ALL, BY_CLASS, BY_RUNTIME, BY_DEVICE, BY_PRECISION, BY_MODEL, BY_COUNT };

static const char *key_of(const struct sample *s, enum group_by by)
{
    switch (by) {
    case BY_CLASS:
        return s->class;
    case BY_RUNTIME:
        return s->runtime;
    case BY_DEVICE:
        return s->device;
    case BY_PRECISION:
        return s->precision;
    case BY_MODEL:
        return s->model;
    case BY_ALL:
    case BY_COUNT:
        break;
    }
    return "all";
}

struct group {
    const char *key;
    enum group_by by;
    enum sample_kind kind;
    int fitted; /* 1, 0, or -1 for both */
};

static bool in_group(const struct sample *s, const struct group *g)
{
    return s->kind == g->kind && (g->fitted < 0 || s->fitted == (g->fitted == 1)) &&
           strcmp(key_of(s, g->by), g->key) == 0;
}

static void print_group(const struct samples *s, const struct group *g, FILE *out)
{
    double *errors = wl_malloc((size_t)s->count * 2 * sizeof(double));
    double *ratios = errors == NULL ? NULL : errors + s->count;
    int32_t n = 0;
    double mean = 0;
    for (int32_t i = 0; errors != NULL && i < s->count; i++) {
        if (in_group(&s->items[i], g)) {
            ratios[n] = s->items[i].predicted / s->items[i].measured;
            errors[n] = fabs(ratios[n] - 1);
            mean += errors[n++];
        }
    }
    if (n > 0) {
        static const char *const split[] = {"both", "held out", "fitted"};
        double median = percentile(errors, n, 0.5);
        double p90 = percentile(errors, n, 0.9);
        (void)fprintf(out,
                      "%-11s %-9s %-30s %5d  median %5.1f %%  mean %5.1f %%  p90 %6.1f %%  ratio "
                      "%.3f\n",
                      kind_names[g->kind], split[g->fitted + 1], g->key, n, median * 100,
                      mean / n * 100, p90 * 100, percentile(ratios, n, 0.5));
    }
    wl_free(errors);
}

static bool is_first(const struct samples *s, int32_t i, enum group_by by)
{
    for (int32_t k = 0; k < i; k++) {
        if (s->items[k].kind == s->items[i].kind &&
            strcmp(key_of(&s->items[k], by), key_of(&s->items[i], by)) == 0) {
            return false;
        }
    }
    return true;
}

void wl_samples_text(const struct samples *s, FILE *out)
{
    for (int by = BY_COUNT - 1; by >= 0; by--) {
        for (int32_t i = 0; i < s->count; i++) {
            if (!is_first(s, i, (enum group_by)by)) {
                continue;
            }
            struct group g = {key_of(&s->items[i], (enum group_by)by), (enum group_by)by,
                              s->items[i].kind, -1};
            if (by == BY_DEVICE) {
                g.fitted = s->items[i].fitted ? 1 : 0;
            } else {
                print_group(s, &g, out);
                g.fitted = 1;
                print_group(s, &g, out);
                g.fitted = 0;
            }
            print_group(s, &g, out);
        }
    }
}

void wl_samples_csv(const struct samples *s, FILE *out)
{
    (void)fprintf(out, "kind,device,split,model,precision,batch,threads,runtime,class,note,"
                       "measured,predicted,ratio,latency_ratio\n");
    for (int32_t i = 0; i < s->count; i++) {
        const struct sample *e = &s->items[i];
        (void)fprintf(out, "%s,%s,%s,%s,%s,%lld,%d,%s,%s,%s,%.9g,%.9g,%.4f,%.4f\n",
                      kind_names[e->kind], e->device, e->fitted ? "fitted" : "held out", e->model,
                      e->precision, (long long)e->batch, e->threads, e->runtime, e->class, e->note,
                      e->measured, e->predicted, e->predicted / e->measured, e->latency_ratio);
    }
}

void wl_samples_json(const struct samples *s, FILE *out)
{
    (void)fprintf(out, "[");
    for (int32_t i = 0; i < s->count; i++) {
        const struct sample *e = &s->items[i];
        (void)fprintf(out,
                      "%s\n  {\"kind\": \"%s\", \"device\": \"%s\", \"fitted\": %s, \"model\": "
                      "\"%s\", \"precision\": \"%s\", \"batch\": %lld, \"threads\": %d, "
                      "\"runtime\": \"%s\", \"class\": \"%s\", \"note\": \"%s\", \"measured\": "
                      "%.9g, \"predicted\": %.9g, \"latency_ratio\": %.4f}",
                      i > 0 ? "," : "", kind_names[e->kind], e->device,
                      e->fitted ? "true" : "false", e->model, e->precision, (long long)e->batch,
                      e->threads, e->runtime, e->class, e->note, e->measured, e->predicted,
                      e->latency_ratio);
    }
    (void)fprintf(out, "\n]\n");
}
