/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evaluate/fit.c: the efficiencies of runtime profiles from measurements. For every profile and
 * class of device that has records of fitted devices, each parameter that the profile's file gives
 * for the class is moved, one at a time, over a ladder of factors around its value, and kept where
 * the score falls by at least MIN_GAIN; rounds repeat until none moves. The score is the mean over
 * devices, weighted by the square root of their records, of the mean |ln(predicted / measured)|:
 * no device with many records decides alone, and a factor of two either way counts the same.
 *
 * Latencies alone are fitted; throughputs are not, of the devices that the evaluation counts as
 * fitted on (tally.c). Nothing is written: the lines printed go into registry/runtimes by hand.
 *
 * "leave-out" repeats each fit without one device at a time and prints that device's median error
 * with the parameters of the file, with those fitted to all, and with those fitted to the others: a
 * parameter that helps only the device that it was fitted to shows here.
 */
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "evaluate.h"

#define MIN_GAIN 0.001
#define MAX_ROUNDS 8

struct parameter {
    const char *name;
    size_t offset;      /* of the array by class in struct wl_runtime */
    double least, most; /* of what the fit may choose */
};

#define AT(member) offsetof(struct wl_runtime, member)
static const struct parameter parameters[] = {
    {"gemm_efficiency", AT(gemm_efficiency), 0.3, 0.98},
    {"convolution_efficiency", AT(convolution_efficiency), 0.2, 0.98},
    {"integer_efficiency", AT(integer_efficiency), 0.2, 0.98},
    {"matrix_efficiency", AT(matrix_efficiency), 0.1, 0.98},
    {"vector_efficiency", AT(vector_efficiency), 0.25, 0.9},
    {"depthwise_efficiency", AT(depthwise_efficiency), 0.05, 0.9},
    {"memory_efficiency", AT(memory_efficiency), 0.2, 1},
    {"row_efficiency", AT(row_efficiency), 0.02, 1},
    {"unit_loss", AT(unit_loss), 0.002, 0.5},
    {"worker_s", AT(worker_s), 2e-8, 1e-5},
    {"dispatch_s", AT(dispatch_s), 5e-7, 2e-4},
    {"dispatch_slots", AT(dispatch_slots), 1e4, 2e6},
    {"call_s", AT(call_s), 2e-6, 1e-2},
};

struct fit {
    struct wl_registry *reg;
    const char *models;
    const struct record *records[1024]; /* of one profile and class, fitted devices only */
    int32_t count;
    enum wl_hw_class class;
    const char *without; /* device left out, or NULL */
};

static double *value_of(struct wl_runtime *rt, const struct parameter *p, enum wl_hw_class class)
{
    return (double *)(void *)((char *)rt + p->offset) + class;
}

static int32_t records_of(const struct fit *f, const char *device)
{
    int32_t n = 0;
    for (int32_t i = 0; i < f->count; i++) {
        n += strcmp(f->records[i]->device, device) == 0 ? 1 : 0;
    }
    return n;
}

/* Mean |ln ratio|; every record counts by its device's weight. */
static double score_of(const struct fit *f, const struct wl_runtime *rt)
{
    double sum = 0;
    double weights = 0;
    for (int32_t i = 0; i < f->count; i++) {
        const struct record *r = f->records[i];
        double predicted = 0;
        if ((f->without != NULL && strcmp(r->device, f->without) == 0) ||
            !wl_record_predict(f->reg, r, f->models, rt, &predicted) || !(predicted > 0)) {
            continue;
        }
        double weight = 1 / sqrt(records_of(f, r->device));
        sum += weight * fabs(log(predicted / r->measured));
        weights += weight;
    }
    return weights > 0 ? sum / weights : 0;
}

static double round_figures(double v)
{
    char text[32];
    (void)snprintf(text, sizeof(text), "%.2g", v);
    return strtod(text, NULL);
}

/* Moves one parameter to the best step of the ladder; true when it moved. */
static bool move(const struct fit *f, const struct parameter *p, struct wl_runtime *rt,
                 double *score)
{
    static const double ladder[] = {0.5, 0.67, 0.8, 0.91, 0.97, 1.03, 1.1, 1.25, 1.5, 2};
    double *value = value_of(rt, p, f->class);
    double start = *value;
    double best = start;
    for (size_t i = 0; i < WL_ARRAY_LEN(ladder); i++) {
        double wanted = start * ladder[i];
        wanted = wanted < p->least ? p->least : (wanted > p->most ? p->most : wanted);
        *value = round_figures(wanted);
        double s = score_of(f, rt);
        if (s < *score - MIN_GAIN) {
            *score = s;
            best = *value;
        }
    }
    *value = best;
    return best < start || best > start;
}

static double fit_runtime(const struct fit *f, struct wl_runtime *rt)
{
    double score = score_of(f, rt);
    bool moved = true;
    for (int round = 0; round < MAX_ROUNDS && moved; round++) {
        moved = false;
        for (size_t i = 0; i < WL_ARRAY_LEN(parameters); i++) {
            /* What the file does not give is not the fit's to invent. */
            if (*value_of(rt, &parameters[i], f->class) > 0) {
                moved = move(f, &parameters[i], rt, &score) || moved;
            }
        }
    }
    return score;
}

static double median_error(const struct fit *f, const struct wl_runtime *rt, const char *device)
{
    double errors[1024];
    int32_t n = 0;
    for (int32_t i = 0; i < f->count; i++) {
        double predicted = 0;
        if ((device == NULL || strcmp(f->records[i]->device, device) == 0) &&
            wl_record_predict(f->reg, f->records[i], f->models, rt, &predicted)) {
            errors[n++] = fabs(predicted / f->records[i]->measured - 1);
        }
    }
    qsort(errors, (size_t)n, sizeof(double), wl_compare_doubles);
    return n > 0 ? errors[n / 2] : 0;
}

static void leave_out(struct fit *f, const struct wl_runtime *file, const struct wl_runtime *fitted)
{
    for (int32_t i = 0; i < f->count; i++) {
        const char *device = f->records[i]->device;
        bool seen = false;
        for (int32_t k = 0; k < i; k++) {
            seen = seen || strcmp(f->records[k]->device, device) == 0;
        }
        if (seen || records_of(f, device) == f->count) {
            continue;
        }
        struct wl_runtime rt = *file;
        f->without = device;
        (void)fit_runtime(f, &rt);
        f->without = NULL;
        (void)printf("%-16s %-4s without %-28s file %5.1f %%  fitted to all %5.1f %%  to the "
                     "others %5.1f %%\n",
                     file->name, wl_hw_class_name(f->class), device,
                     median_error(f, file, device) * 100, median_error(f, fitted, device) * 100,
                     median_error(f, &rt, device) * 100);
    }
}

static void fit_class(struct fit *f, const struct wl_runtime *file, bool with_leave_out)
{
    struct wl_runtime rt = *file;
    double before = score_of(f, &rt);
    double after = fit_runtime(f, &rt);
    const char *class = wl_hw_class_name(f->class);
    (void)printf("%-16s %-4s %3d records  score %.4f -> %.4f  median error %.1f %% -> %.1f %%\n",
                 rt.name, class, f->count, before, after, median_error(f, file, NULL) * 100,
                 median_error(f, &rt, NULL) * 100);
    struct wl_runtime old = *file;
    for (size_t i = 0; i < WL_ARRAY_LEN(parameters); i++) {
        double from = *value_of(&old, &parameters[i], f->class);
        double to = *value_of(&rt, &parameters[i], f->class);
        if (from > 0) {
            (void)printf("  %s %s %s %g -> %g\n", rt.name, class, parameters[i].name, from, to);
        }
    }
    if (with_leave_out) {
        leave_out(f, file, &rt);
    }
}

static bool belongs(struct wl_registry *reg, const struct record *r, const char *profile,
                    enum wl_hw_class class)
{
    const struct wl_spec *spec = NULL;
    struct wl_device d;
    struct wl_error err = {.code = WL_OK};
    return wl_is_fitted_device(r->device) && r->kind == SAMPLE_LATENCY &&
           strcmp(r->profile, profile) == 0 &&
           wl_registry_load(reg, r->device, &spec, &err) == WL_OK &&
           wl_spec_device(spec, NULL, &d, &err) == WL_OK && d.class == class;
}

wl_status wl_evaluate_fit(struct wl_registry *reg, const char *path, const char *models,
                          const char *only, bool leave_out_too, struct wl_error *err)
{
    struct records all;
    const char *const *names = NULL;
    int32_t count = 0;
    wl_status status = wl_records_load(path, models, RECORDS_CORE, &all, err);
    status = status == WL_OK ? wl_runtime_list(reg, &names, &count, err) : status;
    for (int32_t n = 0; n < count && status == WL_OK; n++) {
        const struct wl_runtime *file = NULL;
        status = wl_runtime_load(reg, names[n], &file, err);
        for (int c = 0; c < WL_HW_CLASS_COUNT && status == WL_OK; c++) {
            struct fit f = {.reg = reg, .models = models, .class = (enum wl_hw_class)c};
            for (int32_t i = 0; i < all.count && f.count < 1024; i++) {
                if (belongs(reg, &all.items[i], names[n], f.class)) {
                    f.records[f.count++] = &all.items[i];
                }
            }
            if (f.count > 0 && (only == NULL || strcmp(only, names[n]) == 0)) {
                fit_class(&f, file, leave_out_too);
            }
        }
    }
    wl_records_done(&all);
    return status;
}
