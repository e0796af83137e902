/* SPDX-License-Identifier: Apache-2.0 */
/* bench_frontend FILE [REPEATS]: nodes per second of the front end, and of partitioning. */
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

static double median(double *v, int n)
{
    qsort(v, (size_t)n, sizeof(*v), wl_compare_doubles);
    return v[n / 2];
}

int main(int argc, char **argv)
{
    wl_malloc_keep(); /* as the program does */
    enum { MOST = 1000 };
    static double load_s[MOST], count_s[MOST], split_s[MOST];
    int repeats = argc > 2 ? atoi(argv[2]) : 31;
    int nodes = 0;
    if (argc < 2 || repeats < 1 || repeats > MOST) {
        (void)fprintf(stderr, "usage: bench_frontend FILE [REPEATS]\n");
        return 2;
    }
    for (int i = 0; i < repeats; i++) {
        struct wl_frontend_options front = {0};
        struct wl_partition_options split = {.fusion = "basic"};
        struct wl_partition partition;
        struct wl_model m;
        struct wl_error err;
        double t0 = now_s();
        if (wl_model_load(argv[1], &front, &m, &err) != WL_OK) {
            (void)fprintf(stderr, "%s: %s\n", err.where, err.message);
            return 1;
        }
        double t1 = now_s();
        if (wl_ops_count(&m.graph, &err) != WL_OK) {
            return 1;
        }
        double t2 = now_s();
        if (wl_partition_run(&m.graph, &split, &m.arena, &partition, &err) != WL_OK) {
            (void)fprintf(stderr, "%s: %s\n", err.where, err.message);
            return 1;
        }
        double t3 = now_s();
        nodes = m.graph.node_count;
        load_s[i] = t1 - t0;
        count_s[i] = t2 - t1;
        split_s[i] = t3 - t2;
        wl_model_done(&m);
    }
    double load = median(load_s, repeats);
    double count = median(count_s, repeats);
    double split = median(split_s, repeats);
    printf("%d nodes, median of %d: load+infer %.3f ms (%.2f M nodes/s), work %.3f ms, "
           "partition %.3f ms (%.3f us/node)\n",
           nodes, repeats, load * 1e3, nodes / load * 1e-6, count * 1e3, split * 1e3,
           split / nodes * 1e6);
    return 0;
}
