/* SPDX-License-Identifier: Apache-2.0 */
/*
 * partition/verify.c: the invariants of a partition, checked from the result and the graph alone:
 * every executed node is in exactly one subgraph, operands occur once, work adds up, dependencies
 * point backwards and are exactly the images of the graph's edges.
 */
#include "partition_priv.h"

struct check {
    const struct wl_partition *p;
    const struct wl_graph *g;
    struct wl_arena *scratch;
    struct wl_error *err;
    int32_t *seen;  /* by node: subgraph that lists it, plus 1 */
    int32_t *made;  /* by tensor: subgraph that has it as output, plus 1 */
    int32_t *stamp; /* by tensor: last subgraph that walked over it, plus 1 */
    int32_t *hit;   /* by subgraph: last subgraph that depends on it, plus 1; negative once met */
    int32_t *stack;
    int32_t depth;
    int32_t found; /* dependencies met by the walk at hand */
    struct bodies bodies;
};

static wl_status fail(const struct check *c, int32_t subgraph, const char *what)
{
    const struct wl_subgraph *s = &c->p->subgraphs[subgraph];
    return wl_fail(c->err, WL_ERR_BUG, "partition", "subgraph %d (%.64s): %s", (int)subgraph,
                   s->name == NULL ? "" : s->name, what);
}

static bool executed(const struct wl_graph *g, int32_t node)
{
    const struct wl_node *n = &g->nodes[node];
    bool constants = n->input_count > 0;
    for (int32_t i = 0; i < n->input_count; i++) {
        constants = constants &&
                    (n->inputs[i] == WL_NONE || wl_tensor_is_constant(&g->tensors[n->inputs[i]]));
    }
    bool stored = n->op != NULL && n->op->kind == WL_OPK_QUANT && constants;
    bool passive = n->op != NULL && (n->op->kind == WL_OPK_CONTROL || n->op->kind == WL_OPK_VIEW);
    return !wl_dim_is(n->repeat, 0) && n->status != WL_NODE_FOLDED && n->status != WL_NODE_FREE &&
           !passive && !stored && !wl_partition_is_shape_arithmetic(g, n);
}

static wl_status check_members(struct check *c)
{
    for (int32_t i = 0; i < c->p->count; i++) {
        const struct wl_subgraph *s = &c->p->subgraphs[i];
        if (s->id != i || s->node_count < 1) {
            return fail(c, i, "is empty or misnumbered");
        }
        for (int32_t k = 0; k < s->node_count; k++) {
            int32_t n = s->nodes[k];
            if (c->seen[n] != 0 || c->p->subgraph_of[n] != i) {
                return fail(c, i, "shares a node with another one");
            }
            c->seen[n] = i + 1;
        }
    }
    for (int32_t k = 0; k < c->g->schedule_count; k++) {
        int32_t n = c->g->schedule[k];
        if (c->p->subgraph_of[n] != WL_NONE && c->seen[n] == 0) {
            return fail(c, c->p->subgraph_of[n], "does not list one of its nodes");
        }
        if (c->p->subgraph_of[n] == WL_NONE && executed(c->g, n)) {
            char where[192];
            return wl_fail(c->err, WL_ERR_BUG, wl_node_where(c->g, n, where, sizeof(where)),
                           "is in no subgraph");
        }
    }
    return WL_OK;
}

static bool once(struct check *c, const struct wl_operand *list, int32_t count, int32_t id)
{
    for (int32_t i = 0; i < count; i++) {
        if (c->stamp[list[i].tensor] == id + 1 || list[i].elems < 0) {
            return false;
        }
        c->stamp[list[i].tensor] = id + 1;
    }
    return true;
}

static wl_status check_operands(struct check *c)
{
    for (int32_t i = 0; i < c->p->count; i++) {
        const struct wl_subgraph *s = &c->p->subgraphs[i];
        if (!once(c, s->inputs, s->input_count, i) || !once(c, s->outputs, s->output_count, i) ||
            !once(c, s->weights, s->weight_count, i) ||
            !once(c, s->internal, s->internal_count, i)) {
            return fail(c, i, "has an operand twice");
        }
        for (int32_t k = 0; k < s->output_count; k++) {
            if (c->made[s->outputs[k].tensor] != 0) {
                return fail(c, i, "writes what another one writes");
            }
            c->made[s->outputs[k].tensor] = i + 1;
        }
    }
    return WL_OK;
}

static wl_status check_work(struct check *c)
{
    int64_t macs = 0;
    int64_t listed = 0;
    for (int32_t n = 0; n < c->g->node_count; n++) {
        int64_t work;
        int64_t times;
        if (executed(c->g, n) && wl_dim_at_most(&c->g->dims, c->g->work[n].macs, &work, NULL) &&
            wl_dim_at_most(&c->g->dims, c->g->nodes[n].repeat, &times, NULL) &&
            wl_mul_i64(wl_max_i64(work, 0), wl_max_i64(times, 1), &work)) {
            macs += work;
        }
    }
    for (int32_t i = 0; i < c->p->count; i++) {
        listed += c->p->subgraphs[i].macs;
    }
    if (macs != listed || macs != c->p->macs) {
        return wl_fail(c->err, WL_ERR_BUG, "partition", "MACs do not add up");
    }
    return WL_OK;
}

/* ---- edges ----------------------------------------------------------------------------------- */

static void push(struct check *c, int32_t tensor, int32_t id)
{
    if (tensor != WL_NONE && c->stamp[tensor] != id + 1) {
        c->stamp[tensor] = id + 1;
        c->stack[c->depth++] = tensor;
    }
}

static void push_inputs(struct check *c, const struct wl_node *n, int32_t id)
{
    for (int32_t i = 0; i < n->input_count; i++) {
        push(c, n->inputs[i], id);
    }
}

static void push_results(struct check *c, int32_t node, int32_t tensor, int32_t id)
{
    const struct wl_node *n = &c->g->nodes[node];
    for (int32_t b = c->bodies.first[node]; b != WL_NONE; b = c->bodies.next[b]) {
        const struct wl_block *block = &c->g->blocks[b];
        int32_t shift = block->output_count - n->output_count;
        if (c->bodies.taken[node] != WL_NONE && c->bodies.taken[node] != b) {
            continue;
        }
        for (int32_t i = 0; i < n->output_count; i++) {
            if (n->outputs[i] == tensor && i + shift >= 0 && i + shift < block->output_count) {
                push(c, block->outputs[i + shift], id);
            }
        }
    }
}

/* One step back from `tensor`: a subgraph found, or further tensors pushed. */
static bool step(struct check *c, int32_t tensor, int32_t id)
{
    int32_t node = c->g->tensors[tensor].producer;
    int32_t made = c->made[tensor];
    if (made == id + 1) {
        return true;
    }
    if (made != 0) {
        bool listed = c->hit[made - 1] == id + 1;
        c->found += listed;
        c->hit[made - 1] = listed ? -(id + 1) : c->hit[made - 1];
        return c->hit[made - 1] == -(id + 1);
    }
    if (node == WL_NONE) {
        if (c->bodies.control != NULL && c->bodies.control[tensor] != WL_NONE) {
            push_inputs(c, &c->g->nodes[c->bodies.control[tensor]], id);
        }
        return true;
    }
    const struct wl_node *n = &c->g->nodes[node];
    bool folded = n->status == WL_NODE_FOLDED || wl_dim_is(n->repeat, 0);
    bool inside = c->p->subgraph_of[node] == id && executed(c->g, node);
    if (folded || inside || wl_partition_is_shape_only(c->g, n)) {
        return true;
    }
    if (executed(c->g, node) && n->op != NULL && n->op->kind != WL_OPK_QUANT) {
        return false; /* nobody writes it */
    }
    if (c->bodies.first != NULL && c->bodies.first[node] != WL_NONE) {
        push_results(c, node, tensor, id);
        if (c->bodies.taken[node] != WL_NONE) {
            return true; /* the condition is an edge of the branch */
        }
    }
    push_inputs(c, n, id);
    return true;
}

/* Walks back from every operand of a subgraph; counts how many dependencies are met. */
static wl_status check_edges(struct check *c, int32_t id)
{
    const struct wl_subgraph *s = &c->p->subgraphs[id];
    for (int32_t k = 0; k < s->depends_count; k++) {
        int32_t d = s->depends_on[k];
        bool ascending = k == 0 || s->depends_on[k - 1] < d;
        if (d < 0 || d >= id || !ascending || c->p->subgraphs[d].level >= s->level) {
            return fail(c, id, "depends on something later");
        }
        c->hit[d] = id + 1;
    }
    c->depth = 0;
    for (int32_t k = 0; k < s->node_count; k++) {
        push_inputs(c, &c->g->nodes[s->nodes[k]], id);
    }
    int32_t block = c->g->nodes[s->anchor].block;
    while (block > 0 && c->g->blocks[block].parent_node != WL_NONE) {
        const struct wl_node *parent = &c->g->nodes[c->g->blocks[block].parent_node];
        if (c->g->blocks[block].input_count == 0 && parent->input_count > 0) {
            push(c, parent->inputs[0], id);
        }
        block = parent->block;
    }
    c->found = 0;
    while (c->depth > 0) {
        if (!step(c, c->stack[--c->depth], id)) {
            return fail(c, id, "lacks a dependency");
        }
    }
    return c->found == s->depends_count ? WL_OK : fail(c, id, "depends on what it does not read");
}

static wl_status run_checks(struct check *c)
{
    const struct wl_graph *g = c->g;
    c->seen = WL_ARRAY(c->scratch, int32_t, g->node_count);
    c->made = WL_ARRAY(c->scratch, int32_t, g->tensor_count);
    c->stamp = WL_ARRAY(c->scratch, int32_t, g->tensor_count);
    c->hit = WL_ARRAY(c->scratch, int32_t, c->p->count);
    c->stack = WL_ARRAY(c->scratch, int32_t, g->tensor_count);
    bool all = c->seen && c->made && c->stamp && c->hit && c->stack;
    if (!all) {
        return wl_fail_nomem(c->err);
    }
    WL_TRY(wl_partition_bodies(g, c->scratch, &c->bodies, c->err));
    WL_TRY(check_members(c));
    WL_TRY(check_operands(c));
    WL_TRY(check_work(c));
    for (int32_t t = 0; t < g->tensor_count; t++) {
        c->stamp[t] = 0;
    }
    for (int32_t i = 0; i < c->p->count; i++) {
        WL_TRY(check_edges(c, i));
    }
    return WL_OK;
}

wl_status wl_partition_verify(const struct wl_partition *p, struct wl_error *err)
{
    struct wl_arena scratch;
    wl_arena_init(&scratch, 0);
    struct check c = {.p = p, .g = p->graph, .scratch = &scratch, .err = err};
    wl_status status = run_checks(&c);
    wl_arena_done(&scratch);
    return status;
}
