/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_sweep REGISTRY MODEL DEVICE POINTS JOBS: points per second of the grid that sweep runs
 * (mapping, roofline, energy, memory; no output), and by how much the process grew over the second
 * half of them. A POINTS above what the batches give repeats the fusion profile's axis.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "grid.h"

#define PRECISIONS 4
#define BATCHES 250

static double now_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Processor seconds of all threads: what the figure is where other programs run beside. */
static double cpu_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static long peak_kb(void)
{
    struct rusage u;
    (void)getrusage(RUSAGE_SELF, &u);
    return u.ru_maxrss;
}

struct tally {
    int64_t points, half, failed;
    long kb_at_half;
    double joules; /* used, so that nothing can be left out */
};

static wl_status count_row(void *user, const struct wl_grid_row *row, struct wl_error *err)
{
    struct tally *t = user;
    (void)err;
    t->points++;
    t->failed += row->ok ? 0 : 1;
    t->joules += row->ok ? row->totals.energy_j : 0;
    if (t->points == t->half) {
        t->kb_at_half = peak_kb();
    }
    return WL_OK;
}

static int fail(const struct wl_error *err)
{
    (void)fprintf(stderr, "%s: %s\n", err->where, err->message);
    return 1;
}

/* Axes with POINTS points: 250 batches x 4 precisions, times as many repeats of the profile. */
static void fill_axes(struct wl_grid *grid, int64_t *batches, const char **fusions, int64_t points)
{
    static const enum wl_precision precisions[PRECISIONS] = {WL_PREC_FP32, WL_PREC_TF32,
                                                             WL_PREC_FP16, WL_PREC_INT8};
    for (int64_t i = 0; i < BATCHES; i++) {
        batches[i] = 1 + i % 64;
    }
    int32_t repeats = (int32_t)wl_max_i64(1, points / (PRECISIONS * BATCHES));
    for (int32_t i = 0; i < repeats; i++) {
        fusions[i] = "basic";
    }
    grid->batches = batches;
    grid->batch_count = BATCHES;
    grid->precisions = precisions;
    grid->precision_count = PRECISIONS;
    grid->fusions = fusions;
    grid->fusion_count = repeats;
}

int main(int argc, char **argv)
{
    wl_malloc_keep(); /* as the program does */
    struct wl_error err;
    struct wl_registry registry;
    struct wl_grid_plan plan;
    int64_t batches[BATCHES];
    static const char *fusions[4096];
    if (argc < 6) {
        (void)fprintf(stderr, "usage: bench_sweep REGISTRY MODEL DEVICE POINTS JOBS\n");
        return 2;
    }
    const char *roots[] = {argv[1]};
    int64_t points = wl_min_i64(strtoll(argv[4], NULL, 10), 4096L * PRECISIONS * BATCHES);
    int32_t jobs = atoi(argv[5]);
    const struct wl_request base = {.precision = {WL_PREC_NATIVE, WL_PREC_NATIVE, WL_PREC_NATIVE},
                                    .calibration = "none"};
    const struct wl_grid_model model = {.name = argv[2], .path = argv[2]};
    const char *const devices[] = {argv[3]};
    struct wl_grid grid = {
        .base = &base, .models = &model, .model_count = 1, .devices = devices, .device_count = 1};
    fill_axes(&grid, batches, fusions, points);
    if (wl_registry_open(&registry, roots, 1, &err) != WL_OK ||
        wl_grid_plan(&grid, &registry, &plan, &err) != WL_OK) {
        return fail(&err);
    }
    struct tally t = {.half = plan.point_count / 2};
    double start = now_s();
    double cpu_start = cpu_s();
    if (wl_grid_run(&plan, jobs, NULL, count_row, &t, &err) != WL_OK) {
        return fail(&err);
    }
    double seconds = now_s() - start;
    double cpu = cpu_s() - cpu_start;
    printf("%lld points on %s, %d thread%s: %.0f points/s, %.0f per processor second; peak %.1f "
           "MB, %+.1f MB in the second "
           "half; %lld could not run\n",
           (long long)t.points, argv[3], (int)jobs, jobs == 1 ? "" : "s",
           (double)t.points / seconds, (double)t.points / cpu, (double)peak_kb() / 1000,
           (double)(peak_kb() - t.kb_at_half) / 1000, (long long)t.failed);
    wl_grid_plan_done(&plan);
    wl_registry_close(&registry);
    return t.joules > 0 ? 0 : 1;
}
