/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_analyze REGISTRY MODEL DEVICE [REPEATS]: analyses per second of a prepared model (mapping,
 * energy, roofline, memory, concurrency; no printing), mapping and roofline alone, and what the
 * energy ledger (events, dynamic and static energy, power bound) adds to an analysis without it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "pipeline.h"

static double now_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int fail(const struct wl_error *err)
{
    (void)fprintf(stderr, "%s: %s\n", err->where, err->message);
    return 1;
}

/* Mapping and roofline alone: what a mapper's author watches. */
static double stages_s(const struct wl_result *r, const struct wl_map_options *options, int repeats)
{
    struct wl_arena arena;
    struct wl_error err;
    wl_arena_init(&arena, 0);
    struct wl_arena_mark mark = wl_arena_mark(&arena);
    double t0 = now_s();
    for (int i = 0; i < repeats; i++) {
        struct wl_mappings m;
        struct wl_roofline roof;
        if (wl_mappers_run(r->partition, &r->device, options, &arena, &m, &err) != WL_OK ||
            wl_roofline_place(&m, &r->energy, &arena, &roof, &err) != WL_OK) {
            return -1;
        }
        wl_arena_reset(&arena, mark);
    }
    double seconds = (now_s() - t0) / repeats;
    wl_arena_done(&arena);
    return seconds;
}

/* The stages that the ledger is part of; without it, mappers emit no events. */
static wl_status chain(const struct wl_result *r, bool ledger, struct wl_arena *arena,
                       struct wl_error *err)
{
    struct wl_mappings m;
    struct wl_energy energy;
    struct wl_roofline roof;
    struct wl_map_options options = r->mappings.options;
    options.no_events = !ledger;
    WL_TRY(wl_mappers_run(r->partition, &r->device, &options, arena, &m, err));
    if (ledger) {
        WL_TRY(wl_energy_dynamic(&m, arena, &energy, err));
    } else {
        energy = (struct wl_energy){.count = m.count};
        energy.parts = WL_ARRAY(arena, struct wl_energy_parts, m.count);
        WL_TRY_PTR(energy.parts, err);
    }
    WL_TRY(wl_roofline_place(&m, &energy, arena, &roof, err));
    if (ledger) {
        wl_energy_static(&m, roof.timings, false, &energy);
    }
    return WL_OK;
}

#define BLOCKS 15

/* With and without the ledger in turns; medians of blocks. False: a stage failed. */
static bool ledger_s(const struct wl_result *r, int repeats, double *with, double *without)
{
    double seconds[2][BLOCKS];
    struct wl_arena arena;
    struct wl_error err;
    bool ok = true;
    wl_arena_init(&arena, 0);
    struct wl_arena_mark mark = wl_arena_mark(&arena);
    int each = repeats / BLOCKS + 1;
    for (int b = 0; b < 2 * BLOCKS && ok; b++) {
        double t0 = now_s();
        for (int i = 0; i < each && ok; i++) {
            ok = chain(r, b % 2 == 0, &arena, &err) == WL_OK;
            wl_arena_reset(&arena, mark);
        }
        seconds[b % 2][b / 2] = (now_s() - t0) / each;
    }
    wl_arena_done(&arena);
    qsort(seconds[0], BLOCKS, sizeof(double), wl_compare_doubles);
    qsort(seconds[1], BLOCKS, sizeof(double), wl_compare_doubles);
    *with = seconds[0][BLOCKS / 2];
    *without = seconds[1][BLOCKS / 2];
    return ok;
}

int main(int argc, char **argv)
{
    wl_malloc_keep(); /* as the program does */
    struct wl_error err;
    struct wl_registry registry;
    const struct wl_spec *spec = NULL;
    const struct wl_runtime *runtime = NULL;
    struct wl_device device;
    struct wl_model model;
    struct wl_prepared prepared;
    struct wl_result result;
    if (argc < 4) {
        (void)fprintf(stderr, "usage: bench_analyze REGISTRY MODEL DEVICE [REPEATS]\n");
        return 2;
    }
    int repeats = argc > 4 ? atoi(argv[4]) : 2000;
    const char *roots[] = {argv[1]};
    struct wl_request req = {.model = argv[2],
                             .model_name = argv[2],
                             .precision = {WL_PREC_NATIVE, WL_PREC_NATIVE, WL_PREC_NATIVE}};
    if (wl_registry_open(&registry, roots, 1, &err) != WL_OK ||
        wl_registry_load(&registry, argv[3], &spec, &err) != WL_OK ||
        wl_spec_device(spec, NULL, &device, &err) != WL_OK ||
        wl_runtime_load(&registry, "generic", &runtime, &err) != WL_OK ||
        wl_prepare(&req, runtime, wl_device_on_chip_bytes(&device), &model, &prepared, &err) !=
            WL_OK) {
        return fail(&err);
    }
    double t0 = now_s();
    for (int i = 0; i < repeats; i++) {
        if (wl_analyze(&prepared, &device, runtime, &req, &result, &err) != WL_OK) {
            return fail(&err);
        }
        if (i + 1 < repeats) {
            wl_result_done(&result);
        }
    }
    double each = (now_s() - t0) / repeats;
    struct wl_map_options options = result.mappings.options;
    double mapping = stages_s(&result, &options, repeats);
    double with = 0;
    double without = 0;
    bool ok = ledger_s(&result, repeats, &with, &without);
    double ledger = with - without;
    printf("%d subgraphs on %s: %.0f analyses/s (%.1f us each); mapping + roofline %.1f us; ledger "
           "%.1f us, %.1f %% of an analysis without\n",
           (int)prepared.partition.count, device.id, 1 / each, each * 1e6, mapping * 1e6,
           ledger * 1e6, 100 * ledger / (each - ledger));
    wl_result_done(&result);
    wl_model_done(&model);
    wl_registry_close(&registry);
    return ok ? 0 : 1;
}
