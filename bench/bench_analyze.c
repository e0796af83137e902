/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_analyze REGISTRY MODEL DEVICE [REPEATS]: analyses per second of a prepared model (mapping,
 * energy, roofline, memory, concurrency; no printing), and the share of each stage.
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
    printf("%d subgraphs on %s: %.0f analyses/s (%.1f us each); mapping + roofline %.1f us\n",
           (int)prepared.partition.count, device.id, 1 / each, each * 1e6, mapping * 1e6);
    wl_result_done(&result);
    wl_model_done(&model);
    wl_registry_close(&registry);
    return 0;
}
