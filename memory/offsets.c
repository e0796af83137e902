/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory/offsets.c: offsets for buffers with known lifetimes, so that buffers that live at the same
 * time do not overlap and the highest end is low. Offline dynamic storage allocation is NP-hard;
 * the heuristic is greedy by size with the best-fitting gap (Pisarchyk and Lee 2020, "Efficient
 * Memory Management for Deep Neural Net Inference"). Where it misses the lower bound (the most
 * bytes live at once), other orders are tried, then a search: buffers that end at the top of the
 * plan move forward in the order, and what is not worse is kept. The search is seeded, so plans
 * repeat.
 *
 * Buffers alive at a step are found with a segment tree, so that the cost follows the number of
 * pairs that live together. Past a budget of such pairs only a best-fit walk in execution order
 * runs, which is near linear.
 */
#include <stdlib.h>
#include <string.h>

#include "memory_priv.h"

/* Pairs of buffers that live together, looked at by one greedy pass, and by the search. */
#define PAIRS_MAX 4000000
#define SEARCH_PAIRS_MAX 1000000
#define SEARCH_TRIES_MAX 256
/* Tries before the search starts again from another order. */
#define SEARCH_PATIENCE 32
/* Live blocks among which the walk in order looks for a gap; past that it appends. */
#define GAPS_MAX 4096

struct block {
    int64_t offset, end;
    int32_t buffer;
};

/* Intervals by segment-tree node (stabbing queries) and by first step (starts in a range). */
struct index {
    int32_t *head; /* by tree node: entry or WL_NONE */
    int32_t leaves;
    int32_t *entry_buffer, *entry_next;
    int32_t entry_count, capacity_buffer, capacity_next;
    int32_t *start_head; /* by step */
    int32_t *start_next; /* by buffer */
};

struct planner {
    struct buffer *buffers;
    int32_t count, steps;
    struct wl_arena *scratch;
    struct wl_error *err;
    struct block *near; /* placed buffers that live together with the one at hand */
    int64_t *crowd;     /* by buffer: most bytes that live at once during its life */
    int64_t pairs;      /* looked at by the last greedy pass */
    int64_t lower_bound;
    int64_t best;     /* extent of the best plan so far, -1: none */
    int64_t *offsets; /* that plan */
    uint32_t random;
};

static wl_status index_init(struct index *x, const struct planner *p)
{
    *x = (struct index){.leaves = 1};
    while (x->leaves < p->steps) {
        x->leaves *= 2;
    }
    x->head = WL_ARRAY(p->scratch, int32_t, 2 * (int64_t)x->leaves);
    x->start_head = WL_ARRAY(p->scratch, int32_t, p->steps);
    x->start_next = WL_ARRAY(p->scratch, int32_t, p->count);
    WL_TRY_PTR(x->head, p->err);
    WL_TRY_PTR(x->start_head, p->err);
    WL_TRY_PTR(x->start_next, p->err);
    for (int32_t i = 0; i < 2 * x->leaves; i++) {
        x->head[i] = WL_NONE;
    }
    for (int32_t i = 0; i < p->steps; i++) {
        x->start_head[i] = WL_NONE;
    }
    return WL_OK;
}

static wl_status index_entry(struct index *x, const struct planner *p, int32_t node, int32_t buffer)
{
    bool grown = wl_arena_reserve(p->scratch, (void **)&x->entry_buffer, &x->capacity_buffer,
                                  x->entry_count + 1, sizeof(*x->entry_buffer)) == WL_OK &&
                 wl_arena_reserve(p->scratch, (void **)&x->entry_next, &x->capacity_next,
                                  x->entry_count + 1, sizeof(*x->entry_next)) == WL_OK;
    if (!grown) {
        return wl_fail_nomem(p->err);
    }
    x->entry_buffer[x->entry_count] = buffer;
    x->entry_next[x->entry_count] = x->head[node];
    x->head[node] = x->entry_count++;
    return WL_OK;
}

static wl_status index_add(struct index *x, const struct planner *p, int32_t buffer)
{
    const struct buffer *b = &p->buffers[buffer];
    int32_t low = b->first + x->leaves;
    int32_t high = b->last + 1 + x->leaves;
    while (low < high) {
        if ((low & 1) != 0) {
            WL_TRY(index_entry(x, p, low++, buffer));
        }
        if ((high & 1) != 0) {
            WL_TRY(index_entry(x, p, --high, buffer));
        }
        low /= 2;
        high /= 2;
    }
    x->start_next[buffer] = x->start_head[b->first];
    x->start_head[b->first] = buffer;
    return WL_OK;
}

static int32_t add_near(struct planner *p, int32_t count, int32_t buffer)
{
    const struct buffer *b = &p->buffers[buffer];
    p->near[count] = (struct block){b->offset_bytes, b->offset_bytes + b->size_bytes, buffer};
    return count + 1;
}

/* Placed buffers whose lifetime meets the one of `b`, into p->near: alive at its first step, or
 * starting later in it. */
static int32_t collect_near(struct planner *p, const struct index *x, const struct buffer *b)
{
    int32_t count = 0;
    for (int32_t node = b->first + x->leaves; node > 0; node /= 2) {
        for (int32_t e = x->head[node]; e != WL_NONE; e = x->entry_next[e]) {
            count = add_near(p, count, x->entry_buffer[e]);
        }
    }
    for (int32_t s = b->first + 1; s <= b->last; s++) {
        for (int32_t i = x->start_head[s]; i != WL_NONE; i = x->start_next[i]) {
            count = add_near(p, count, i);
        }
    }
    return count;
}

static int compare_blocks(const void *a, const void *b)
{
    const struct block *x = a;
    const struct block *y = b;
    if (x->offset != y->offset) {
        return x->offset < y->offset ? -1 : 1;
    }
    return (x->buffer > y->buffer) - (x->buffer < y->buffer);
}

/* Lowest offset of the smallest gap between sorted blocks that takes `size`, else behind them. */
static int64_t best_gap(const struct block *blocks, int32_t count, int64_t size)
{
    int64_t best = -1;
    int64_t best_gap_bytes = 0;
    int64_t end = 0;
    for (int32_t i = 0; i < count; i++) {
        int64_t gap = blocks[i].offset - end;
        if (gap >= size && (best < 0 || gap < best_gap_bytes)) {
            best = end;
            best_gap_bytes = gap;
        }
        end = wl_max_i64(end, blocks[i].end);
    }
    return best >= 0 ? best : end;
}

/* Places buffers in the given order; false in *done when the budget of pairs is used up. */
static wl_status place_greedy(struct planner *p, const int32_t *order, int64_t *extent, bool *done)
{
    struct index x;
    struct wl_arena_mark mark = wl_arena_mark(p->scratch);
    WL_TRY(index_init(&x, p));
    *extent = 0;
    *done = true;
    p->pairs = 0;
    for (int32_t i = 0; i < p->count; i++) {
        struct buffer *b = &p->buffers[order[i]];
        int32_t near = collect_near(p, &x, b);
        p->pairs += near + (b->last - b->first);
        if (p->pairs > PAIRS_MAX) {
            *done = false;
            break;
        }
        qsort(p->near, (size_t)near, sizeof(*p->near), compare_blocks);
        b->offset_bytes = best_gap(p->near, near, b->size_bytes);
        *extent = wl_max_i64(*extent, b->offset_bytes + b->size_bytes);
        WL_TRY(index_add(&x, p, order[i]));
    }
    wl_arena_reset(p->scratch, mark);
    return WL_OK;
}

/* ---- in execution order ---------------------------------------------------------------------- */

static void insert_block(struct block *live, int32_t *count, struct block b)
{
    int32_t at = (*count)++;
    while (at > 0 && live[at - 1].offset > b.offset) {
        live[at] = live[at - 1];
        at--;
    }
    live[at] = b;
}

static int32_t drop_dead(const struct planner *p, struct block *live, int32_t count, int32_t step)
{
    int32_t kept = 0;
    for (int32_t i = 0; i < count; i++) {
        if (p->buffers[live[i].buffer].last >= step) {
            live[kept++] = live[i];
        }
    }
    return kept;
}

/* `order`: by first step. */
static void place_in_order(struct planner *p, const int32_t *order, int64_t *extent)
{
    struct block *live = p->near;
    int32_t count = 0;
    int32_t swept = WL_NONE;
    *extent = 0;
    for (int32_t i = 0; i < p->count; i++) {
        struct buffer *b = &p->buffers[order[i]];
        if (b->first != swept && (count < GAPS_MAX || b->first % 64 == 0)) {
            count = drop_dead(p, live, count, b->first);
            swept = b->first;
        }
        b->offset_bytes = count < GAPS_MAX ? best_gap(live, count, b->size_bytes) : *extent;
        struct block placed = {b->offset_bytes, b->offset_bytes + b->size_bytes, order[i]};
        *extent = wl_max_i64(*extent, placed.end);
        insert_block(live, &count, placed);
    }
}

/* ---- orders -----------------------------------------------------------------------------------
 */

enum order { ORDER_SIZE, ORDER_CROWD, ORDER_LENGTH, ORDER_AREA, ORDER_START, ORDER_COUNT };

struct keyed {
    int64_t major, minor;
    int32_t buffer;
};

/* Larger keys first; ties by number, so that plans do not depend on the sort. */
static int compare_keys(const void *a, const void *b)
{
    const struct keyed *x = a;
    const struct keyed *y = b;
    if (x->major != y->major) {
        return x->major > y->major ? -1 : 1;
    }
    if (x->minor != y->minor) {
        return x->minor > y->minor ? -1 : 1;
    }
    return (x->buffer > y->buffer) - (x->buffer < y->buffer);
}

static struct keyed key_of(const struct planner *p, int32_t buffer, enum order kind)
{
    const struct buffer *b = &p->buffers[buffer];
    int64_t length = b->last - b->first;
    switch (kind) {
    case ORDER_SIZE:
    case ORDER_COUNT:
        break;
    case ORDER_CROWD:
        return (struct keyed){p->crowd[buffer], b->size_bytes, buffer};
    case ORDER_LENGTH:
        return (struct keyed){length, b->size_bytes, buffer};
    case ORDER_AREA: {
        double area = (double)b->size_bytes * (double)(length + 1) / WL_MEMORY_ALIGN;
        return (struct keyed){area < 9e18 ? (int64_t)area : INT64_MAX, length, buffer};
    }
    case ORDER_START:
        return (struct keyed){-b->first, b->size_bytes, buffer};
    }
    return (struct keyed){b->size_bytes, length, buffer};
}

static wl_status sort_buffers(const struct planner *p, enum order kind, int32_t *order)
{
    struct wl_arena_mark mark = wl_arena_mark(p->scratch);
    struct keyed *keys = WL_ARRAY(p->scratch, struct keyed, p->count);
    WL_TRY_PTR(keys, p->err);
    for (int32_t i = 0; i < p->count; i++) {
        keys[i] = key_of(p, i, kind);
    }
    qsort(keys, (size_t)p->count, sizeof(*keys), compare_keys);
    for (int32_t i = 0; i < p->count; i++) {
        order[i] = keys[i].buffer;
    }
    wl_arena_reset(p->scratch, mark);
    return WL_OK;
}

/* Most bytes alive during each buffer's life: maxima over windows whose width doubles. */
static wl_status measure_crowds(struct planner *p)
{
    int64_t *live = WL_ARRAY(p->scratch, int64_t, p->steps + 1);
    p->crowd = WL_ARRAY(p->scratch, int64_t, p->count);
    WL_TRY_PTR(live, p->err);
    WL_TRY_PTR(p->crowd, p->err);
    for (int32_t i = 0; i < p->count; i++) {
        live[p->buffers[i].first] += p->buffers[i].size_bytes;
        live[p->buffers[i].last + 1] -= p->buffers[i].size_bytes;
    }
    for (int32_t s = 1; s <= p->steps; s++) {
        live[s] += live[s - 1];
    }
    /* Here live[s] is the maximum over [s, s + width). */
    for (int32_t width = 1; width <= p->steps; width *= 2) {
        for (int32_t i = 0; i < p->count; i++) {
            const struct buffer *b = &p->buffers[i];
            int32_t length = b->last - b->first + 1;
            if (length >= width && length / 2 < width) {
                p->crowd[i] = wl_max_i64(live[b->first], live[b->last + 1 - width]);
            }
        }
        for (int32_t s = 0; s + width < p->steps; s++) {
            live[s] = wl_max_i64(live[s], live[s + width]);
        }
    }
    return WL_OK;
}

/* ---- choice -----------------------------------------------------------------------------------
 */

static void copy_offsets(const struct planner *p, int64_t *offsets)
{
    for (int32_t i = 0; i < p->count; i++) {
        offsets[i] = p->buffers[i].offset_bytes;
    }
}

static void keep_better(struct planner *p, int64_t extent)
{
    if (p->best < 0 || extent < p->best) {
        p->best = extent;
        copy_offsets(p, p->offsets);
    }
}

static bool is_good(const struct planner *p)
{
    return p->best >= 0 && p->best - p->lower_bound <= p->lower_bound / 128;
}

static int32_t random_below(struct planner *p, int32_t limit)
{
    p->random = p->random * 1664525u + 1013904223u; /* a linear congruential generator */
    return (int32_t)((p->random >> 8) % (uint32_t)limit);
}

static bool meet(const struct buffer *a, const struct buffer *b)
{
    return a->first <= b->last && b->first <= a->last;
}

/*
 * Where in the order the buffer at `at` moves to: before the one that is the `rank`-th, going
 * forward, of those that live together with it. -1 when there is none.
 */
static int32_t earlier_place(const struct planner *p, const int32_t *order, int32_t at,
                             int32_t rank)
{
    int32_t place = -1;
    for (int32_t k = at - 1; k >= 0 && rank >= 0; k--) {
        if (meet(&p->buffers[order[k]], &p->buffers[order[at]])) {
            place = k;
            rank--;
        }
    }
    return place;
}

/*
 * Moves buffers that end at the top of the present plan forward: all of them, or one. They go
 * before a neighbour, to the front, or anywhere. False when nothing moved.
 */
static bool shuffle(struct planner *p, int32_t *order, int64_t extent)
{
    int32_t how = random_below(p, 6); /* 0: one, neighbour; 1: one, anywhere; 3: all, front */
    int32_t rank = random_below(p, 8);
    int32_t start = random_below(p, p->count);
    int32_t moved = 0;
    bool one = how < 2;
    for (int32_t i = 0; i < p->count && !(one && moved > 0); i++) {
        int32_t at = one ? (start + i) % p->count : i;
        int32_t id = order[at];
        int32_t place;
        if (at == 0 || p->buffers[id].offset_bytes + p->buffers[id].size_bytes != extent) {
            continue;
        }
        if (how == 1) {
            place = random_below(p, at);
        } else {
            place = how == 3 ? moved : earlier_place(p, order, at, rank);
        }
        if (place >= 0 && place < at) {
            memmove(order + place + 1, order + place, sizeof(*order) * (size_t)(at - place));
            order[place] = id;
            moved++;
        }
    }
    return moved > 0;
}

static wl_status search(struct planner *p)
{
    int32_t *order = WL_ARRAY(p->scratch, int32_t, p->count);
    int32_t *next = WL_ARRAY(p->scratch, int32_t, p->count);
    int64_t *offsets = WL_ARRAY(p->scratch, int64_t, p->count); /* of `order` */
    int64_t extent = 0;
    int64_t spent = 0;
    bool done = true;
    WL_TRY_PTR(order, p->err);
    WL_TRY_PTR(next, p->err);
    WL_TRY_PTR(offsets, p->err);
    for (int32_t t = 0; t < SEARCH_TRIES_MAX && spent < SEARCH_PAIRS_MAX && !is_good(p); t++) {
        int64_t reached;
        if (t % SEARCH_PATIENCE == 0) {
            enum order kind = (enum order)(t / SEARCH_PATIENCE % ORDER_COUNT);
            WL_TRY(sort_buffers(p, kind, order));
            WL_TRY(place_greedy(p, order, &extent, &done));
            copy_offsets(p, offsets);
        }
        memcpy(next, order, sizeof(*order) * (size_t)p->count);
        if (!shuffle(p, next, extent)) {
            continue;
        }
        WL_TRY(place_greedy(p, next, &reached, &done));
        spent += p->pairs;
        if (done && reached <= extent) {
            extent = reached;
            keep_better(p, reached);
            memcpy(order, next, sizeof(*order) * (size_t)p->count);
            copy_offsets(p, offsets);
        }
        for (int32_t i = 0; i < p->count; i++) {
            p->buffers[i].offset_bytes = offsets[i];
        }
    }
    return WL_OK;
}

static wl_status place_all(struct planner *p)
{
    int32_t *order = WL_ARRAY(p->scratch, int32_t, p->count);
    int64_t reached;
    bool done = true;
    WL_TRY_PTR(order, p->err);
    WL_TRY(measure_crowds(p));
    for (int kind = 0; kind < ORDER_COUNT && done && !is_good(p); kind++) {
        WL_TRY(sort_buffers(p, (enum order)kind, order));
        WL_TRY(place_greedy(p, order, &reached, &done));
        if (done) {
            keep_better(p, reached);
        }
    }
    if (!is_good(p)) {
        WL_TRY(sort_buffers(p, ORDER_START, order));
        place_in_order(p, order, &reached);
        keep_better(p, reached);
    }
    return done && !is_good(p) ? search(p) : WL_OK;
}

wl_status wl_memory_offsets(struct buffer *buffers, int32_t count, int32_t steps,
                            int64_t lower_bound, struct wl_arena *scratch, int64_t *extent,
                            struct wl_error *err)
{
    struct planner p = {.buffers = buffers,
                        .count = count,
                        .steps = steps,
                        .scratch = scratch,
                        .err = err,
                        .lower_bound = lower_bound,
                        .best = -1};
    *extent = 0;
    if (count == 0) {
        return WL_OK;
    }
    p.offsets = WL_ARRAY(scratch, int64_t, count);
    p.near = WL_ARRAY(scratch, struct block, count);
    WL_TRY_PTR(p.offsets, err);
    WL_TRY_PTR(p.near, err);
    WL_TRY(place_all(&p));
    for (int32_t i = 0; i < count; i++) {
        buffers[i].offset_bytes = p.offsets[i];
    }
    *extent = p.best;
    return WL_OK;
}
