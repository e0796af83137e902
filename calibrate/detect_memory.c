/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calibrate/detect_memory.c: read bandwidth. Private caches: one core reads half a cache over and
 * over. Beyond them a sweep over working sets, all cores together and one alone, tells what of the
 * last cache is really there: a virtual machine is shown a cache that it shares with strangers.
 * Pages are as the allocator gives them (no huge pages are asked for), because a runtime's are too.
 */
#include <math.h>
#include <string.h>
#include <sys/mman.h>

#include "detect_priv.h"

#define PAGE 4096
#define QUICK_LIMIT_BYTES ((int64_t)1 << 30)
#define SMALLEST_LIMIT_BYTES ((int64_t)64 << 20)
/* Share of free memory that a sweep may take. */
#define FREE_SHARE 3
/* A cache that is not this much faster than memory is not worth a level. */
#define VISIBLE_RATIO 1.25

static uint8_t *map_bytes(int64_t bytes)
{
    void *p = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

/* Best rate of whole reads within `seconds` (two at least). */
static double best_read_bps(const uint8_t *data, int64_t bytes, double seconds)
{
    uint32_t features = wl_detect_features();
    int64_t times = wl_max_i64(1, (1 << 18) / bytes); /* small sets: many reads per look at time */
    double best = 0, end = wl_detect_now_s() + seconds;
    for (int i = 0;; i++) {
        double start = wl_detect_now_s();
        for (int64_t t = 0; t < times; t++) {
            wl_detect_read(data, bytes, features);
        }
        double now = wl_detect_now_s();
        if (i > 0) { /* the first brings it in */
            best = fmax(best, (double)(bytes * times) / (now - start));
        }
        if (i >= 2 && now >= end) {
            return best;
        }
    }
}

wl_status wl_detect_private_level(int64_t bytes, double seconds, double *bps, struct wl_error *err)
{
    int64_t set = wl_max_i64(PAGE, bytes / PAGE * PAGE);
    uint8_t *data = map_bytes(set);
    WL_TRY_PTR(data, err);
    memset(data, 1, (size_t)set);
    *bps = best_read_bps(data, set, seconds);
    (void)munmap(data, (size_t)set);
    return WL_OK;
}

/* ---- sweep ----------------------------------------------------------------------------------- */

struct sweep {
    uint8_t *data;
    int64_t bytes; /* of the mapping */
    int64_t set;   /* of this point, all threads together */
    int32_t threads;
    double seconds;
    double *bps; /* by thread */
};

static int64_t piece_of(const struct sweep *s, int64_t set)
{
    return wl_max_i64(PAGE, set / s->threads / PAGE * PAGE);
}

static void touch(void *user, int32_t index)
{
    const struct sweep *s = user;
    int64_t piece = piece_of(s, s->bytes);
    memset(s->data + piece * index, 1, (size_t)piece);
}

static void read_piece(void *user, int32_t index)
{
    const struct sweep *s = user;
    /* Each thread stays in what it touched first: on its own memory node. */
    s->bps[index] =
        best_read_bps(s->data + piece_of(s, s->bytes) * index, piece_of(s, s->set), s->seconds);
}

/* The whole of a level, of all cores. */
int64_t wl_detect_level_total(const struct wl_host *host, int level)
{
    int64_t total = 0;
    for (int32_t i = 0; i < host->kind_count; i++) {
        const struct wl_host_kind *k = &host->kinds[i];
        const struct wl_host_cache *c = &k->caches[level];
        if (c->bytes > 0) { /* a cache shared by kinds counts in proportion */
            total += c->bytes * k->cores / wl_max_i64(c->cores, 1);
        }
    }
    return total;
}

static int64_t private_total(const struct wl_host *host)
{
    int last = wl_detect_swept_level(host);
    int64_t total = 0;
    for (int level = 0; level < WL_HOST_LEVELS_MAX; level++) {
        if (last < 0 || level < last) {
            total = wl_max_i64(total, wl_detect_level_total(host, level));
        }
    }
    return total;
}

int wl_detect_swept_level(const struct wl_host *host)
{
    const struct wl_host_kind *k = &host->kinds[0];
    for (int level = WL_HOST_LEVELS_MAX - 1; level > 0; level--) {
        if (k->caches[level].bytes > 0) {
            return level >= 2 || k->caches[level].cores > 1 ? level : -1;
        }
    }
    return -1;
}

static void choose_limit(const struct wl_host *host, bool quick, struct wl_host_measures *out)
{
    int last = wl_detect_swept_level(host);
    int64_t cache =
        wl_max_i64(private_total(host), last < 0 ? 0 : wl_detect_level_total(host, last));
    int64_t limit = wl_max_i64(4 * cache, SMALLEST_LIMIT_BYTES);
    out->sweep_reason = "four times the last cache";
    if (limit > host->memory_available_bytes / FREE_SHARE) {
        limit = host->memory_available_bytes / FREE_SHARE;
        out->sweep_reason = "a third of the memory that is free";
    }
    if (quick && limit > QUICK_LIMIT_BYTES) {
        limit = QUICK_LIMIT_BYTES;
        out->sweep_reason = "what a quick run allows";
    }
    out->sweep_limit_bytes = wl_max_i64(limit, SMALLEST_LIMIT_BYTES) / PAGE * PAGE;
}

static wl_status sweep_point(const struct wl_host *host, const int32_t *cpus, struct sweep *s,
                             struct wl_host_point *point, struct wl_error *err)
{
    point->bytes = s->set;
    WL_TRY(wl_detect_team(cpus, s->threads, read_piece, s, err));
    for (int32_t i = 0; i < s->threads; i++) {
        point->all_bps += s->bps[i];
    }
    if (host->cores == 1) {
        point->one_bps = point->all_bps;
        return WL_OK;
    }
    double one = 0;
    struct sweep alone = *s;
    alone.threads = 1;
    alone.bps = &one;
    WL_TRY(wl_detect_team(cpus, 1, read_piece, &alone, err));
    point->one_bps = one;
    return WL_OK;
}

static wl_status sweep_over(const struct wl_host *host, const struct wl_detect_options *options,
                            const int32_t *cpus, struct sweep *s, struct wl_host_measures *out,
                            struct wl_error *err)
{
    WL_TRY(wl_detect_team(cpus, s->threads, touch, s, err));
    int64_t first = wl_max_i64(4 * private_total(host), (int64_t)1 << 20);
    int32_t points = 1;
    while (points < WL_HOST_SWEEP_MAX && s->bytes >> points >= first) {
        points++;
    }
    for (int32_t i = 0; i < points; i++) {
        s->set = s->bytes >> (points - 1 - i);
        if (options->progress != NULL) {
            options->progress(options->user, 0.5 + 0.5 * i / points, "memory");
        }
        WL_TRY(sweep_point(host, cpus, s, &out->sweep[i], err));
        out->sweep_count = i + 1;
    }
    return WL_OK;
}

wl_status wl_detect_sweep(const struct wl_host *host, const struct wl_detect_options *options,
                          struct wl_host_measures *out, struct wl_error *err)
{
    struct wl_arena a;
    wl_arena_init(&a, 0);
    int32_t *cpus = WL_ARRAY(&a, int32_t, host->cores);
    double *bps = WL_ARRAY(&a, double, host->cores);
    choose_limit(host, options->quick, out);
    struct sweep s = {.bytes = out->sweep_limit_bytes,
                      .threads = host->cores,
                      .seconds = options->quick ? 0.01 : 0.06,
                      .bps = bps};
    s.data = map_bytes(s.bytes);
    wl_status status = WL_OK;
    if (cpus == NULL || bps == NULL || s.data == NULL) {
        status = wl_fail_nomem(err);
    } else {
        int32_t n = 0;
        for (int32_t i = 0; i < host->kind_count; i++) {
            memcpy(cpus + n, host->kinds[i].cpus, (size_t)host->kinds[i].cores * sizeof(*cpus));
            n += host->kinds[i].cores;
        }
        status = sweep_over(host, options, cpus, &s, out, err);
    }
    if (s.data != NULL) {
        (void)munmap(s.data, (size_t)s.bytes);
    }
    wl_arena_done(&a);
    return status;
}

/* ---- reading it off -------------------------------------------------------------------------- */

struct wl_host_memory wl_detect_memory(const struct wl_host *host, const struct wl_host_measures *m)
{
    struct wl_host_memory out = {0};
    if (m->sweep_count == 0) {
        return out;
    }
    const struct wl_host_point *last = &m->sweep[m->sweep_count - 1];
    out.dram_all_bps = last->all_bps;
    out.dram_one_bps = last->one_bps;
    int level = wl_detect_swept_level(host);
    int64_t shown = level < 0 ? 0 : wl_detect_level_total(host, level);
    for (int32_t i = 0; i < m->sweep_count && m->sweep[i].bytes <= shown; i++) {
        out.cache_all_bps = fmax(out.cache_all_bps, m->sweep[i].all_bps);
        out.cache_one_bps = fmax(out.cache_one_bps, m->sweep[i].one_bps);
    }
    if (out.cache_all_bps < VISIBLE_RATIO * out.dram_all_bps) {
        out.cache_all_bps = out.cache_one_bps = 0;
        return out;
    }
    double between = sqrt(out.cache_all_bps * out.dram_all_bps);
    for (int32_t i = 0; i < m->sweep_count && m->sweep[i].bytes <= shown; i++) {
        out.usable_bytes = m->sweep[i].all_bps >= between ? m->sweep[i].bytes : out.usable_bytes;
    }
    return out;
}
