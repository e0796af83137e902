/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calibrate/noise.c: is the machine quiet enough to measure on? All processors are kept busy with
 * equal pieces of work for a moment. Two figures come of it:
 *
 *   lost     what the threads asked for and did not get: 1 - processor time / wall time, summed
 * over the threads, plus what the hypervisor took (steal in /proc/stat). Another process that burns
 * one of two cores takes a third of it. spread   how unequal the pieces are: neighbours on the
 * host, clocks that move, interrupts.
 *
 * Run it on as many threads as there are processors: fewer leave room for the other process.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "native.h"

/* A quiet virtual machine of two cores shows up to 3 % lost and 4 % spread; with a second process
 * that burns a core 37 to 43 % are lost, and the spread is 4. */
#define LOST_MAX 0.05
#define SPREAD_MAX 0.25

#define PIECE_S 1e-3
#define PIECES_MAX 4096
#define THREADS_MAX 1024

struct worker {
    pthread_t thread;
    uint64_t rounds; /* of one piece */
    double seconds;
    double cpu_s, wall_s;
    double *pieces;
    int32_t count;
    uint64_t result; /* keeps the work */
};

static double cpu_now_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Work without memory: a chain of multiplications (Knuth's MMIX generator). */
static uint64_t piece(uint64_t seed, uint64_t rounds)
{
    for (uint64_t i = 0; i < rounds; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
    }
    return seed;
}

static void *work(void *user)
{
    struct worker *w = user;
    double start = wl_native_now_s(), cpu = cpu_now_s(), before = start;
    while (before - start < w->seconds && w->count < PIECES_MAX) {
        w->result = piece(w->result, w->rounds);
        double now = wl_native_now_s();
        w->pieces[w->count++] = now - before;
        before = now;
    }
    w->wall_s = before - start;
    w->cpu_s = cpu_now_s() - cpu;
    return NULL;
}

/* Rounds that take about PIECE_S when nothing disturbs: by the fastest of a few. */
static uint64_t rounds_of_piece(void)
{
    volatile uint64_t kept = 1;
    double best = 1;
    const uint64_t rounds = 100000;
    for (int i = 0; i < 10; i++) {
        double start = wl_native_now_s();
        kept = piece(kept, rounds);
        double s = wl_native_now_s() - start;
        best = s < best ? s : best;
    }
    return (uint64_t)((double)rounds * PIECE_S / (best > 1e-9 ? best : 1e-9)) + 1;
}

/* Seconds that the hypervisor gave to others while a processor here wanted to run; all processors.
 */
static double steal_s(void)
{
    FILE *f = fopen("/proc/stat", "r");
    unsigned long long v[8] = {0};
    long ticks = sysconf(_SC_CLK_TCK);
    if (f == NULL) {
        return 0;
    }
    /* cpu user nice system idle iowait irq softirq steal */
    int got = fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &v[0], &v[1], &v[2], &v[3],
                     &v[4], &v[5], &v[6], &v[7]);
    (void)fclose(f);
    return got == 8 && ticks > 0 ? (double)v[7] / (double)ticks : 0;
}

static void summarise(struct worker *workers, int32_t threads, double steal, double *all,
                      struct wl_noise *out)
{
    double cpu = 0, wall = 0;
    size_t count = 0;
    for (int32_t i = 0; i < threads; i++) {
        const struct worker *w = &workers[i];
        memcpy(all + count, w->pieces, (size_t)w->count * sizeof(*all));
        count += (size_t)w->count;
        cpu += w->cpu_s;
        wall += w->wall_s;
    }
    qsort(all, count, sizeof(*all), wl_compare_doubles);
    double lost = wall > 0 ? 1 - (cpu - steal) / wall : 0;
    out->lost = lost < 0 ? 0 : lost > 1 ? 1 : lost;
    out->spread = count > 0 ? all[count * 9 / 10] / all[count / 2] - 1 : 0;
}

static wl_status run_workers(struct worker *workers, int32_t threads, struct wl_error *err)
{
    int32_t started = 0;
    while (started < threads &&
           pthread_create(&workers[started].thread, NULL, work, &workers[started]) == 0) {
        started++;
    }
    for (int32_t i = 0; i < started; i++) {
        (void)pthread_join(workers[i].thread, NULL);
    }
    return started == threads ? WL_OK
                              : wl_fail(err, WL_ERR_IO, "noise check",
                                        "%d threads cannot be started", (int)threads);
}

wl_status wl_noise_measure(int32_t threads, double seconds, struct wl_noise *out,
                           struct wl_error *err)
{
    struct wl_arena arena;
    *out = (struct wl_noise){0};
    if (threads < 1 || threads > THREADS_MAX) {
        return wl_fail(err, WL_ERR_USAGE, "noise check", "%d threads; 1 to %d", (int)threads,
                       THREADS_MAX);
    }
    wl_arena_init(&arena, 0);
    struct worker *workers = WL_ARRAY(&arena, struct worker, threads);
    double *pieces = WL_ARRAY(&arena, double, (int64_t)2 * threads * PIECES_MAX);
    wl_status status = workers == NULL || pieces == NULL ? wl_fail_nomem(err) : WL_OK;
    if (status == WL_OK) {
        uint64_t rounds = rounds_of_piece();
        for (int32_t i = 0; i < threads; i++) {
            workers[i] = (struct worker){.rounds = rounds,
                                         .seconds = seconds,
                                         .pieces = pieces + (size_t)i * PIECES_MAX,
                                         .result = (uint64_t)i + 1};
        }
        double stolen = steal_s();
        status = run_workers(workers, threads, err);
        summarise(workers, threads, steal_s() - stolen, pieces + (size_t)threads * PIECES_MAX, out);
    }
    wl_arena_done(&arena);
    return status;
}

bool wl_noise_quiet(const struct wl_noise *n)
{
    return n->lost <= LOST_MAX && n->spread <= SPREAD_MAX;
}
