/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calibrate/detect_timing.c: time, clock, threads.
 */
#include <pthread.h>
#include <sched.h>
#include <time.h>

#include "detect_priv.h"

double wl_detect_now_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- clock ----------------------------------------------------------------------------------- */

#define ROUND_QUADS 16

static void rounds_of_additions(int64_t rounds)
{
    WL_DETECT_QUADS_BEGIN
    for (int64_t i = 0; i < rounds; i++) {
        WL_DETECT_QUADS(ROUND_QUADS)
    }
}

double wl_detect_clock_hz(double seconds)
{
    int64_t rounds = 64;
    double best = 0, end = wl_detect_now_s() + seconds;
    for (;;) {
        double start = wl_detect_now_s();
        rounds_of_additions(rounds);
        double now = wl_detect_now_s(), took = now - start;
        if (took < 5e-6 && rounds < 1 << 20) {
            rounds *= 2;
            continue;
        }
        double hz = (double)(rounds * ROUND_QUADS * WL_DETECT_QUAD_CYCLES) / took;
        best = hz > best ? hz : best;
        if (now >= end) {
            return best;
        }
    }
}

/* ---- threads --------------------------------------------------------------------------------- */

struct member {
    pthread_t thread;
    struct team *team;
    int32_t cpu, index;
};

struct team {
    pthread_barrier_t start;
    void (*run)(void *user, int32_t index);
    void *user;
};

static void pin(int32_t cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    (void)pthread_setaffinity_np(pthread_self(), sizeof(set), &set); /* else where it is put */
}

static void *member_main(void *argument)
{
    const struct member *m = argument;
    pin(m->cpu);
    (void)pthread_barrier_wait(&m->team->start);
    m->team->run(m->team->user, m->index);
    return NULL;
}

wl_status wl_detect_team(const int32_t *cpus, int32_t count, void (*run)(void *user, int32_t index),
                         void *user, struct wl_error *err)
{
    struct team team = {.run = run, .user = user};
    struct wl_arena a;
    wl_arena_init(&a, 0);
    struct member *members = WL_ARRAY(&a, struct member, count);
    if (members == NULL || pthread_barrier_init(&team.start, NULL, (unsigned)count) != 0) {
        wl_arena_done(&a);
        return wl_fail_nomem(err);
    }
    int32_t started = 0;
    for (; started < count; started++) {
        struct member *m = &members[started];
        *m = (struct member){.team = &team, .cpu = cpus[started], .index = started};
        if (pthread_create(&m->thread, NULL, member_main, m) != 0) {
            break;
        }
    }
    bool complete = started == count;
    for (int32_t i = 0; i < started; i++) {
        if (!complete) { /* those that wait for the missing ones would wait forever */
            (void)pthread_cancel(members[i].thread);
        }
        (void)pthread_join(members[i].thread, NULL);
    }
    (void)pthread_barrier_destroy(&team.start);
    wl_arena_done(&a);
    return complete ? WL_OK
                    : wl_fail(err, WL_ERR_LIMIT, "threads",
                              "only %d of %d could be started; raise the limit (ulimit -u)",
                              started, count);
}
