/* SPDX-License-Identifier: Apache-2.0 */
/*
 * partition/order.c: what depends on what. An edge between two subgraphs is the image of a path of
 * the node graph whose inner nodes are free (views, control nodes, sequence handling); it follows
 * the bytes: shape arithmetic on known shapes is no edge. Bodies of control flow read their inputs
 * from the operands of the control node, which hands on what the bodies return; the nodes of a
 * branch also wait for its condition. What a loop carries from one iteration to the next is inside
 * `repeat`, not an edge.
 */
#include <stdlib.h>

#include "partition_priv.h"

/* Steps through free nodes, all subgraphs together, before a graph counts as absurd. */
#define WALK_STEPS_PER_NODE 512
#define WALK_STEPS_BASE 65536

struct walker {
    struct run *r;
    int32_t *stamp;      /* by tensor: last subgraph that met it, plus 1 */
    int32_t *group_mark; /* by group */
    int32_t *stack;
    int32_t stack_count, stack_capacity;
    int64_t steps;
    int32_t *found; /* sources of the group at hand */
    int32_t found_count, found_capacity;
    int32_t now; /* group at hand */
};

/* Tensors stand for their roots, unless views take shapes from executed nodes. */
static wl_status push(struct walker *w, int32_t tensor)
{
    if (tensor == WL_NONE) {
        return WL_OK;
    }
    tensor = w->r->dynamic_views ? tensor : w->r->root[tensor];
    if (w->stamp[tensor] == w->now + 1) {
        return WL_OK;
    }
    w->stamp[tensor] = w->now + 1;
    if (wl_arena_reserve(w->r->scratch, (void **)&w->stack, &w->stack_capacity, w->stack_count + 1,
                         sizeof(*w->stack)) != WL_OK) {
        return wl_fail_nomem(w->r->err);
    }
    w->stack[w->stack_count++] = tensor;
    return WL_OK;
}

static wl_status push_all(struct walker *w, const struct wl_node *n)
{
    for (int32_t i = 0; i < n->input_count; i++) {
        WL_TRY(push(w, n->inputs[i]));
    }
    return WL_OK;
}

/* A control node's output comes from the same place in each body's outputs (a loop's condition
 * first, which has no counterpart). */
static wl_status push_bodies(struct walker *w, int32_t node, int32_t tensor)
{
    const struct wl_graph *g = w->r->g;
    const struct wl_node *n = &g->nodes[node];
    int32_t taken = w->r->bodies.taken[node];
    for (int32_t b = w->r->bodies.first[node]; b != WL_NONE; b = w->r->bodies.next[b]) {
        const struct wl_block *block = &g->blocks[b];
        int32_t shift = block->output_count - n->output_count;
        if (taken != WL_NONE && taken != b) {
            continue;
        }
        for (int32_t i = 0; i < n->output_count; i++) {
            bool same =
                n->outputs[i] == tensor && i + shift >= 0 && i + shift < block->output_count;
            if (same) {
                WL_TRY(push(w, block->outputs[i + shift]));
            }
        }
    }
    return taken == WL_NONE ? push_all(w, n) : WL_OK; /* a branch waits for the condition itself */
}

static wl_status add_source(struct walker *w, int32_t group)
{
    if (group == w->now || group == WL_NONE || w->group_mark[group] == w->now + 1) {
        return WL_OK;
    }
    w->group_mark[group] = w->now + 1;
    if (wl_arena_reserve(w->r->scratch, (void **)&w->found, &w->found_capacity, w->found_count + 1,
                         sizeof(*w->found)) != WL_OK) {
        return wl_fail_nomem(w->r->err);
    }
    w->found[w->found_count++] = group;
    return WL_OK;
}

static wl_status visit(struct walker *w, int32_t tensor)
{
    const struct wl_graph *g = w->r->g;
    int32_t node = g->tensors[tensor].producer;
    if (node == WL_NONE) {
        bool body = w->r->bodies.control != NULL && w->r->bodies.control[tensor] != WL_NONE;
        return body ? push_all(w, &g->nodes[w->r->bodies.control[tensor]]) : WL_OK;
    }
    const struct wl_node *n = &g->nodes[node];
    switch ((enum exec)w->r->exec[node]) {
    case EXEC_RUN:
        return add_source(w, w->r->group[node]);
    case EXEC_CONTROL:
        return push_bodies(w, node, tensor);
    case EXEC_FREE:
        return wl_partition_is_shape_only(g, n) ? WL_OK : push_all(w, n);
    case EXEC_DEQUANT:
        return push_all(w, n);
    case EXEC_SKIP:
        break;
    }
    return WL_OK;
}

static wl_status drain(struct walker *w)
{
    int64_t limit = WALK_STEPS_BASE + (int64_t)WALK_STEPS_PER_NODE * w->r->g->node_count;
    while (w->stack_count > 0) {
        if (++w->steps > limit) {
            return wl_fail(w->r->err, WL_ERR_LIMIT, "graph",
                           "chains of operators without work are too long; a graph with fewer "
                           "sequence or control-flow operators would be right");
        }
        WL_TRY(visit(w, w->stack[--w->stack_count]));
    }
    return WL_OK;
}

/* The conditions of the branches around a block. */
static wl_status push_conditions(struct walker *w, int32_t block)
{
    const struct wl_graph *g = w->r->g;
    while (block > 0 && g->blocks[block].parent_node != WL_NONE) {
        const struct wl_node *parent = &g->nodes[g->blocks[block].parent_node];
        if (g->blocks[block].input_count == 0 && parent->input_count > 0) {
            WL_TRY(push(w, parent->inputs[0]));
        }
        block = parent->block;
    }
    return WL_OK;
}

static wl_status sources_of_group(struct walker *w, int32_t group)
{
    struct run *r = w->r;
    const struct wl_graph *g = r->g;
    w->now = group;
    w->found_count = 0;
    for (int32_t k = r->node_start[group]; k < r->node_start[group + 1]; k++) {
        const struct wl_node *n = &g->nodes[r->node_list[k]];
        if (r->exec[r->node_list[k]] != EXEC_RUN) {
            continue;
        }
        for (int32_t i = 0; i < n->input_count; i++) {
            WL_TRY(push(w, n->inputs[i]));
        }
    }
    WL_TRY(push_conditions(w, g->nodes[r->groups[group].tail].block));
    return drain(w);
}

static wl_status walker_init(struct walker *w, struct run *r)
{
    const struct wl_graph *g = r->g;
    *w = (struct walker){.r = r};
    w->stamp = WL_ARRAY(r->scratch, int32_t, g->tensor_count);
    w->group_mark = WL_ARRAY(r->scratch, int32_t, r->group_count);
    WL_TRY_PTR(w->stamp, r->err);
    WL_TRY_PTR(w->group_mark, r->err);
    return WL_OK;
}

/* ---- lists of nodes -------------------------------------------------------------------------- */

static wl_status list_nodes(struct run *r)
{
    const struct wl_graph *g = r->g;
    int32_t total = 0;
    r->node_start = WL_ARRAY(r->scratch, int32_t, r->group_count + 2);
    WL_TRY_PTR(r->node_start, r->err);
    /* Counts go two places up, so that filling leaves the starts in place. */
    for (int32_t s = 0; s < g->schedule_count; s++) {
        int32_t group = r->group[g->schedule[s]];
        if (group != WL_NONE) {
            r->node_start[group + 2]++;
            total++;
        }
    }
    for (int32_t i = 2; i < r->group_count + 2; i++) {
        r->node_start[i] += r->node_start[i - 1];
    }
    r->node_list = WL_ARRAY(r->arena, int32_t, total);
    WL_TRY_PTR(r->node_list, r->err);
    for (int32_t s = 0; s < g->schedule_count; s++) {
        int32_t n = g->schedule[s];
        if (r->group[n] != WL_NONE) {
            r->node_list[r->node_start[r->group[n] + 1]++] = n;
        }
    }
    return WL_OK;
}

/* ---- execution order ------------------------------------------------------------------------- */

struct edges {
    int32_t *from; /* sources, group after group */
    int32_t *start;
    int32_t count, capacity;
};

static wl_status collect_edges(struct run *r, struct edges *e)
{
    struct walker w;
    WL_TRY(walker_init(&w, r));
    e->start = WL_ARRAY(r->scratch, int32_t, r->group_count + 1);
    WL_TRY_PTR(e->start, r->err);
    for (int32_t i = 0; i < r->group_count; i++) {
        WL_TRY(sources_of_group(&w, i));
        if (wl_arena_reserve(r->scratch, (void **)&e->from, &e->capacity, e->count + w.found_count,
                             sizeof(*e->from)) != WL_OK) {
            return wl_fail_nomem(r->err);
        }
        for (int32_t k = 0; k < w.found_count; k++) {
            e->from[e->count++] = w.found[k];
        }
        e->start[i + 1] = e->count;
    }
    return WL_OK;
}

/* By the last unit of each group; true when that is already a topological order. */
static bool number_by_tail(struct run *r, const struct edges *e)
{
    const struct wl_graph *g = r->g;
    int32_t next = 0;
    for (int32_t s = 0; s < g->schedule_count; s++) {
        int32_t n = g->schedule[s];
        if (r->exec[n] == EXEC_RUN && r->unit[n] == n && r->groups[r->group[n]].tail == n) {
            r->groups[r->group[n]].id = next++;
        }
    }
    for (int32_t i = 0; i < r->group_count; i++) {
        for (int32_t k = e->start[i]; k < e->start[i + 1]; k++) {
            if (r->groups[e->from[k]].id >= r->groups[i].id) {
                return false;
            }
        }
    }
    return true;
}

/* A binary heap of group indices, smallest id on top. */
static void heap_push(const struct run *r, int32_t *heap, int32_t *count, int32_t group)
{
    int32_t at = (*count)++;
    while (at > 0 && r->groups[heap[(at - 1) / 2]].id > r->groups[group].id) {
        heap[at] = heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap[at] = group;
}

static int32_t heap_pop(const struct run *r, int32_t *heap, int32_t *count)
{
    int32_t top = heap[0];
    int32_t last = heap[--(*count)];
    int32_t at = 0;
    for (;;) {
        int32_t child = 2 * at + 1;
        if (child >= *count) {
            break;
        }
        if (child + 1 < *count && r->groups[heap[child + 1]].id < r->groups[heap[child]].id) {
            child++;
        }
        if (r->groups[heap[child]].id >= r->groups[last].id) {
            break;
        }
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = last;
    return top;
}

/* Topological order that keeps to the numbers given so far wherever it can (Kahn 1962). */
static wl_status renumber(struct run *r, const struct edges *e)
{
    int32_t count = r->group_count;
    int32_t *waits = WL_ARRAY(r->scratch, int32_t, count);
    int32_t *start = WL_ARRAY(r->scratch, int32_t, count + 2);
    int32_t *readers = WL_ARRAY(r->scratch, int32_t, e->count);
    int32_t *heap = WL_ARRAY(r->scratch, int32_t, count);
    int32_t *order = WL_ARRAY(r->scratch, int32_t, count);
    bool all = waits && start && readers && heap && order;
    if (!all) {
        return wl_fail_nomem(r->err);
    }
    for (int32_t k = 0; k < e->count; k++) {
        start[e->from[k] + 2]++;
    }
    for (int32_t i = 2; i < count + 2; i++) {
        start[i] += start[i - 1];
    }
    int32_t ready = 0;
    int32_t done = 0;
    for (int32_t i = 0; i < count; i++) {
        waits[i] = e->start[i + 1] - e->start[i];
        for (int32_t k = e->start[i]; k < e->start[i + 1]; k++) {
            readers[start[e->from[k] + 1]++] = i;
        }
        if (waits[i] == 0) {
            heap_push(r, heap, &ready, i);
        }
    }
    while (ready > 0) {
        int32_t i = heap_pop(r, heap, &ready);
        order[done++] = i;
        for (int32_t k = start[i]; k < start[i + 1]; k++) {
            if (--waits[readers[k]] == 0) {
                heap_push(r, heap, &ready, readers[k]);
            }
        }
    }
    if (done != count) {
        return wl_fail(r->err, WL_ERR_BUG, "partition", "fusion made a cycle");
    }
    for (int32_t i = 0; i < count; i++) {
        r->groups[order[i]].id = i;
    }
    return WL_OK;
}

/* ---- result ---------------------------------------------------------------------------------- */

static int compare_ids(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a;
    int32_t y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

static wl_status store_edges(struct run *r, const struct edges *e, struct wl_partition *out)
{
    int32_t *ids = WL_ARRAY(r->arena, int32_t, e->count);
    WL_TRY_PTR(ids, r->err);
    for (int32_t i = 0; i < r->group_count; i++) {
        struct wl_subgraph *s = &out->subgraphs[r->groups[i].id];
        int32_t *list = ids + e->start[i];
        s->depends_count = e->start[i + 1] - e->start[i];
        for (int32_t k = 0; k < s->depends_count; k++) {
            list[k] = r->groups[e->from[e->start[i] + k]].id;
        }
        if (s->depends_count > 1) {
            qsort(list, (size_t)s->depends_count, sizeof(*list), compare_ids);
        }
        s->depends_on = list;
    }
    return WL_OK;
}

static wl_status set_levels(struct run *r, struct wl_partition *out)
{
    int32_t *width = WL_ARRAY(r->scratch, int32_t, out->count + 1);
    WL_TRY_PTR(width, r->err);
    for (int32_t i = 0; i < out->count; i++) {
        struct wl_subgraph *s = &out->subgraphs[i];
        for (int32_t k = 0; k < s->depends_count; k++) {
            int32_t behind = out->subgraphs[s->depends_on[k]].level + 1;
            s->level = behind > s->level ? behind : s->level;
        }
        width[s->level]++;
        out->max_width = width[s->level] > out->max_width ? width[s->level] : out->max_width;
        out->level_count = s->level + 1 > out->level_count ? s->level + 1 : out->level_count;
    }
    return WL_OK;
}

wl_status wl_partition_order(struct run *r, struct wl_partition *out)
{
    struct edges e = {.count = 0};
    const struct wl_graph *g = r->g;
    WL_TRY(list_nodes(r));
    WL_TRY(collect_edges(r, &e));
    if (!number_by_tail(r, &e)) {
        WL_TRY(renumber(r, &e));
    }
    out->count = r->group_count;
    out->subgraphs = WL_ARRAY(r->arena, struct wl_subgraph, out->count);
    out->subgraph_of = WL_ARRAY(r->arena, int32_t, g->node_count);
    WL_TRY_PTR(out->subgraphs, r->err);
    WL_TRY_PTR(out->subgraph_of, r->err);
    for (int32_t n = 0; n < g->node_count; n++) {
        out->subgraph_of[n] = r->group[n] == WL_NONE ? WL_NONE : r->groups[r->group[n]].id;
    }
    WL_TRY(store_edges(r, &e, out));
    return set_levels(r, out);
}
