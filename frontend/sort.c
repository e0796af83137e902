/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frontend/sort.c: nodes in an order in which each follows what it reads, for files that are not
 * sorted (ONNX demands it; some tools do not care). Within a block, depth first in the file's
 * order, so that a sorted file keeps its order. What a body reads from outside, its control node
 * reads. Linear in nodes and inputs. A cycle is an error that names one of its nodes.
 */
#include <string.h>

#include "frontend_priv.h"

struct edges {
    int32_t *first; /* by node: index of its first dependency; one more entry than nodes */
    int32_t *deps;
    int32_t *fill;
};

/* The node of `block` that contains `node`, or WL_NONE. */
static int32_t enclosing(const struct wl_graph *g, int32_t node, int32_t block)
{
    while (node != WL_NONE && g->nodes[node].block != block) {
        node = g->blocks[g->nodes[node].block].parent_node;
    }
    return node;
}

/* Calls for every (reader, producer) pair within one block. */
static void edge_add(const struct wl_graph *g, int32_t reader, int32_t tensor, struct edges *e,
                     bool count_only)
{
    int32_t producer = tensor == WL_NONE ? WL_NONE : g->tensors[tensor].producer;
    if (producer == WL_NONE) {
        return;
    }
    int32_t at = enclosing(g, reader, g->nodes[producer].block);
    if (at == WL_NONE) {
        return;
    }
    if (count_only) {
        e->first[at + 1]++;
    } else {
        e->deps[e->fill[at]++] = producer;
    }
}

static void edges_walk(const struct wl_graph *g, struct edges *e, bool count_only)
{
    for (int32_t n = 0; n < g->node_count; n++) {
        const struct wl_node *node = &g->nodes[n];
        for (int32_t i = 0; i < node->input_count; i++) {
            edge_add(g, n, node->inputs[i], e, count_only);
        }
    }
    for (int32_t b = 1; b < g->block_count; b++) {
        const struct wl_block *block = &g->blocks[b];
        for (int32_t i = 0; i < block->output_count; i++) {
            int32_t t = block->outputs[i];
            bool own = t != WL_NONE && g->tensors[t].block == b;
            if (!own) {
                edge_add(g, block->parent_node, t, e, count_only);
            }
        }
    }
}

static wl_status edges_build(struct wl_fe *fe, struct edges *e)
{
    const struct wl_graph *g = fe->g;
    e->first = WL_ARRAY(&fe->work, int32_t, g->node_count + 1);
    WL_TRY_PTR(e->first, fe->err);
    edges_walk(g, e, true);
    for (int32_t n = 0; n < g->node_count; n++) {
        e->first[n + 1] += e->first[n];
    }
    e->deps = WL_ARRAY(&fe->work, int32_t, e->first[g->node_count]);
    e->fill = wl_arena_copy(&fe->work, e->first, (size_t)g->node_count * sizeof(*e->fill));
    WL_TRY_PTR(e->deps, fe->err);
    WL_TRY_PTR(e->fill, fe->err);
    edges_walk(g, e, false);
    return WL_OK;
}

enum { UNSEEN, OPEN, DONE };

struct visit {
    const struct edges *edges;
    uint8_t *state;
    int32_t *next; /* by node: dependency to look at next */
    int32_t *stack;
    int32_t *order;
    int32_t count;
};

static wl_status visit_node(struct wl_fe *fe, struct visit *v, int32_t root)
{
    int32_t depth = 0;
    v->stack[depth++] = root;
    v->state[root] = OPEN;
    v->next[root] = v->edges->first[root];
    while (depth > 0) {
        int32_t n = v->stack[depth - 1];
        if (v->next[n] == v->edges->first[n + 1]) {
            v->state[n] = DONE;
            v->order[v->count++] = n;
            depth--;
            continue;
        }
        int32_t dep = v->edges->deps[v->next[n]++];
        if (v->state[dep] == OPEN) {
            char where[192];
            return wl_fail(fe->err, WL_ERR_INVALID, wl_node_where(fe->g, dep, where, sizeof(where)),
                           "depends on its own output: the graph has a cycle; models are acyclic, "
                           "loops are Loop or Scan nodes");
        }
        if (v->state[dep] == UNSEEN) {
            v->state[dep] = OPEN;
            v->next[dep] = v->edges->first[dep];
            v->stack[depth++] = dep;
        }
    }
    return WL_OK;
}

wl_status wl_fe_sort(struct wl_fe *fe)
{
    struct wl_graph *g = fe->g;
    struct edges edges = {0};
    if (!fe->unsorted) {
        return WL_OK;
    }
    WL_TRY(edges_build(fe, &edges));
    struct visit v = {.edges = &edges,
                      .state = WL_ARRAY(&fe->work, uint8_t, g->node_count),
                      .next = WL_ARRAY(&fe->work, int32_t, g->node_count),
                      .stack = WL_ARRAY(&fe->work, int32_t, g->node_count),
                      .order = WL_ARRAY(&fe->work, int32_t, g->node_count)};
    if (v.state == NULL || v.next == NULL || v.stack == NULL || v.order == NULL) {
        return wl_fail_nomem(fe->err);
    }
    for (int32_t b = 0; b < g->block_count; b++) {
        struct wl_block *block = &g->blocks[b];
        v.count = 0;
        for (int32_t i = 0; i < block->node_count; i++) {
            if (v.state[block->nodes[i]] == UNSEEN) {
                WL_TRY(visit_node(fe, &v, block->nodes[i]));
            }
        }
        if (v.count > 0) {
            memcpy(block->nodes, v.order, (size_t)v.count * sizeof(*v.order));
        }
    }
    return WL_OK;
}
