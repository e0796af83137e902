/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory/offsets.c: offsets for buffers with known lifetimes, so that buffers that live at the same
 * time do not overlap and the highest end is low. Offline dynamic storage allocation is NP-hard;
 * the heuristic is greedy by size with the best-fitting gap (Pisarchyk and Lee 2020, "Efficient
 * Memory Management for Deep Neural Net Inference"). Where it misses the lower bound (the most
 * bytes live at once), greedy by start and a best-fit walk in execution order are tried too, and
 * the best plan is kept.
 *
 * Buffers alive at a step are found with a segment tree, so that the cost follows the number of
 * pairs that live together. Past a budget of such pairs only the walk in order runs, which is near
 * linear.
 */
#include <stdlib.h>
#include <string.h>

#include "memory_priv.h"

/* Pairs of buffers that live together, looked at by one greedy pass. */
#define PAIRS_MAX (16 * 1000 * 1000)
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
    int64_t pairs;
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
            return WL_OK;
        }
        qsort(p->near, (size_t)near, sizeof(*p->near), compare_blocks);
        b->offset_bytes = best_gap(p->near, near, b->size_bytes);
        *extent = wl_max_i64(*extent, b->offset_bytes + b->size_bytes);
        WL_TRY(index_add(&x, p, order[i]));
    }
    return WL_OK;
}

/* ---- in execution order
 * --------------------------------------------------------------------------- */

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

/* ---- choice
 * ---------------------------------------------------------------------------------------- */

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

enum order { ORDER_SIZE, ORDER_START, ORDER_LENGTH, ORDER_COUNT };

static int32_t *sorted(const struct planner *p, enum order kind)
{
    struct keyed *keys = WL_ARRAY(p->scratch, struct keyed, p->count);
    int32_t *order = WL_ARRAY(p->scratch, int32_t, p->count);
    if (keys == NULL || order == NULL) {
        return NULL;
    }
    for (int32_t i = 0; i < p->count; i++) {
        const struct buffer *b = &p->buffers[i];
        int64_t length = b->last - b->first;
        keys[i] = (struct keyed){b->size_bytes, length, i};
        if (kind == ORDER_START) {
            keys[i].major = -b->first;
            keys[i].minor = b->size_bytes;
        } else if (kind == ORDER_LENGTH) {
            keys[i].major = length;
            keys[i].minor = b->size_bytes;
        }
    }
    qsort(keys, (size_t)p->count, sizeof(*keys), compare_keys);
    for (int32_t i = 0; i < p->count; i++) {
        order[i] = keys[i].buffer;
    }
    return order;
}

static void keep_better(const struct planner *p, int64_t extent, int64_t *best, int64_t *offsets)
{
    if (*best >= 0 && extent >= *best) {
        return;
    }
    *best = extent;
    for (int32_t i = 0; i < p->count; i++) {
        offsets[i] = p->buffers[i].offset_bytes;
    }
}

wl_status wl_memory_offsets(struct buffer *buffers, int32_t count, int32_t steps,
                            int64_t lower_bound, struct wl_arena *scratch, int64_t *extent,
                            struct wl_error *err)
{
    struct planner p = {
        .buffers = buffers, .count = count, .steps = steps, .scratch = scratch, .err = err};
    int64_t *offsets = WL_ARRAY(scratch, int64_t, count);
    int64_t best = -1;
    bool done = true;
    p.near = WL_ARRAY(scratch, struct block, count);
    WL_TRY_PTR(offsets, err);
    WL_TRY_PTR(p.near, err);
    static const enum order tried[] = {ORDER_SIZE, ORDER_LENGTH, ORDER_START};
    for (size_t i = 0; i < WL_ARRAY_LEN(tried) && done && best != lower_bound; i++) {
        int64_t reached;
        int32_t *order = sorted(&p, tried[i]);
        WL_TRY_PTR(order, err);
        WL_TRY(place_greedy(&p, order, &reached, &done));
        if (done) {
            keep_better(&p, reached, &best, offsets);
        }
    }
    if (best != lower_bound) {
        int64_t reached;
        int32_t *order = sorted(&p, ORDER_START);
        WL_TRY_PTR(order, err);
        place_in_order(&p, order, &reached);
        keep_better(&p, reached, &best, offsets);
    }
    for (int32_t i = 0; i < count; i++) {
        buffers[i].offset_bytes = offsets[i];
    }
    *extent = best < 0 ? 0 : best;
    return WL_OK;
}
