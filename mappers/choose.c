/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mappers/choose.c: how many of its workers (cores, arrays, tiles) a subgraph takes. All compute
 * soonest, but each further one may need a copy of operands, or a barrier; where that binds, fewer
 * are faster. Tried are all, and one in j of them for j = 2, 3, 4, 6, 8, 9 ... (no prime factor
 * above 3); the plan with the least time stays, the whole subgraph's as roofline/ counts it. Where
 * cores share caches in clusters, those left idle are whole clusters (fewer copies) or some of each
 * (more bandwidth).
 *
 * So a device of twice or three times the workers has every plan of the smaller one among its own,
 * and is never slower. For this the plans that a mapper tries for a given number of workers must
 * not depend on clocks and bandwidths, and it must take the one that is fastest on the whole.
 */
#include "mappers_priv.h"

/* One worker takes at least this part of the worker-seconds that many take: many waste some. */
#define LEAST_OF_WORK (1.0 / 64)

/* The next number without a prime factor above 3. */
static int32_t next_part(int32_t part)
{
    int32_t rest = 0;
    do {
        part++;
        rest = part;
        while (rest % 2 == 0) {
            rest /= 2;
        }
        while (rest % 3 == 0) {
            rest /= 3;
        }
    } while (rest > 1);
    return part;
}

struct choice {
    struct wl_map_ctx *c;
    const struct wl_subgraph *s;
    const struct wl_mapping *start; /* before any plan: what the residency counts */
    struct wl_event_sink *sink;
    bool clusters; /* of several workers each */
    int32_t best;  /* one worker in so many */
    bool best_spread;
    double best_s;
};

/* What a plan takes at least were nothing copied, and no plan with fewer workers takes less:
   compute takes longer with fewer, and they draw no more bandwidth. */
static double least_s(const struct choice *ch, const struct wl_mapping *m)
{
    const struct wl_device *d = ch->c->device;
    double busy = m->least_compute_s > 0 ? m->least_compute_s : wl_mapping_compute_s(d, m);
    for (int32_t l = 0; l < d->level_count; l++) {
        /* Some of each cluster may draw more than all of a few. */
        bool drawn = d->levels[l].scope != WL_SCOPE_CLUSTER || !ch->clusters;
        double rate = wl_map_level_rate(&d->levels[l]) * m->level_share[l];
        const struct wl_traffic *t = &ch->start->traffic[l];
        double level_s = drawn && rate > 0 ? (t->read_bytes + t->write_bytes) / rate : 0;
        busy = wl_max_d(busy, level_s);
    }
    return busy + wl_mapping_fixed_s(d, m);
}

static void try_plan(struct choice *ch, int32_t part, bool spread, struct wl_mapping *trial)
{
    *trial = *ch->start;
    ch->c->one_in = part;
    ch->c->spread = spread;
    wl_map_with(ch->c, ch->s, trial, ch->sink);
    double seconds = wl_map_seconds(ch->c->device, trial);
    if (seconds < ch->best_s) {
        ch->best_s = seconds;
        ch->best = part;
        ch->best_spread = spread;
    }
}

/* Whether the plan waits for a cache of clusters: only then more of them help. */
static bool waits_for_clusters(const struct choice *ch, const struct wl_mapping *m)
{
    const struct wl_device *d = ch->c->device;
    double seconds = wl_map_seconds(d, m) - wl_mapping_fixed_s(d, m);
    bool waits = false;
    for (int32_t l = 0; l < d->level_count; l++) {
        waits = waits || (d->levels[l].scope == WL_SCOPE_CLUSTER &&
                          wl_mapping_level_s(d, m, l) >= seconds * (1 - 1e-9));
    }
    return waits;
}

/* Tries one worker in `part`; false when fewer still cannot be faster. */
static bool try_part(struct choice *ch, int32_t part)
{
    struct wl_mapping trial;
    try_plan(ch, part, false, &trial);
    if (ch->clusters && waits_for_clusters(ch, &trial)) {
        try_plan(ch, part, true, &trial);
    }
    return least_s(ch, &trial) < ch->best_s;
}

static void try_fewer(struct choice *ch, int32_t workers)
{
    int32_t part = 1;
    do {
        part = next_part(part);
        part = part < workers ? part : workers;
    } while (try_part(ch, part) && part < workers);
}

static bool has_clusters(const struct wl_device *d, int32_t workers)
{
    bool found = false;
    for (int32_t l = 0; l < d->level_count; l++) {
        double instances = wl_map_instances(&d->levels[l]);
        found = found ||
                (d->levels[l].scope == WL_SCOPE_CLUSTER && instances > 1 && instances < workers);
    }
    return found;
}

void wl_map_choose(struct wl_map_ctx *c, const struct wl_subgraph *s, struct wl_mapping *m,
                   struct wl_event_sink *sink)
{
    const struct wl_mapping start = *m;
    const struct wl_device *d = c->device;
    c->one_in = 1;
    c->spread = false;
    wl_map_with(c, s, m, sink);
    int32_t workers = c->mapper->workers != NULL ? c->mapper->workers(c) : 1;
    if (workers <= 1) {
        return;
    }
    struct choice ch = {.c = c,
                        .s = s,
                        .start = &start,
                        .sink = sink,
                        .clusters = has_clusters(d, workers),
                        .best = 1,
                        .best_s = wl_map_seconds(d, m)};
    bool closed = sink->closed;
    sink->closed = true;
    if (least_s(&ch, m) < ch.best_s) {
        try_fewer(&ch, workers);
    }
    double work_s = wl_mapping_compute_s(d, m) * m->units_used;
    /* One worker alone needs no barrier. */
    if (m->barriers > 0 && ch.best < workers && work_s * LEAST_OF_WORK < ch.best_s) {
        (void)try_part(&ch, workers);
    }
    sink->closed = closed;
    if (ch.best > 1) {
        *m = start;
        c->one_in = ch.best;
        c->spread = ch.best_spread;
        wl_sink_clear(sink);
        wl_map_with(c, s, m, sink);
        m->workers_idle = workers - workers / ch.best;
    }
}
