/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frontend/repeat.c: how often each node runs in one inference. A body runs as often as its control
 * node says, times the runs of the control node:
 * - Loop: its trip count where constant; else the symbol `loop:NAME` where bound; else once, with a
 *   diagnostic. A constant trip count is exact unless the body computes its own condition; then it
 * is an upper bound, with a diagnostic.
 * - Scan: the extent of its first scan input along the scan axis (before opset 9 times the batch).
 * SequenceMap: the length of its sequence. Unknown ones as for Loop.
 * - If: the branch that its condition selects; where the condition depends on data, the branch with
 *   more work, with a diagnostic.
 */
#include <stdio.h>
#include <string.h>

#include "frontend_priv.h"

#define TRIPS_MAX ((int64_t)1 << 40) /* exporters write INT64_MAX for "until the condition" */

static bool op_is(const struct wl_node *n, const char *name)
{
    return n->op != NULL && n->op->domain[0] == '\0' && strcmp(n->op->name, name) == 0;
}

bool wl_fe_is_if(const struct wl_node *n)
{
    return op_is(n, "If");
}

static int32_t branch_of(const struct wl_node *n, const char *name)
{
    const struct wl_attr *a = wl_node_attr(n, name);
    return a != NULL && a->type == WL_ATTR_BLOCK ? a->u.block : WL_NONE;
}

/* The one known integer of a tensor. */
static bool scalar_known(const struct wl_graph *g, int32_t tensor, int64_t *out)
{
    const struct wl_value *v = tensor == WL_NONE ? NULL : g->tensors[tensor].value;
    if (v == NULL || v->is_float || v->count != 1 || !wl_dim_is_known(v->ints[0])) {
        return false;
    }
    *out = v->ints[0].value;
    return true;
}

int32_t wl_fe_if_taken(const struct wl_graph *g, int32_t node)
{
    if (node == WL_NONE || !wl_fe_is_if(&g->nodes[node])) {
        return WL_NONE;
    }
    int64_t condition;
    if (!scalar_known(g, wl_node_input(&g->nodes[node], 0), &condition)) {
        return WL_NONE;
    }
    return branch_of(&g->nodes[node], condition != 0 ? "then_branch" : "else_branch");
}

/* ---- trip counts ---------------------------------------------------------------------------- */

/* `loop:NAME`, bound by --dim, else one run. */
static wl_status trips_unknown(struct wl_fe *fe, int32_t node, struct wl_dim *out)
{
    struct wl_graph *g = fe->g;
    char where[192];
    char *name = wl_arena_printf(g->arena, "loop:%.*s", WL_STR_ARG(g->nodes[node].name));
    WL_TRY_PTR(name, fe->err);
    *out = wl_dim_data_symbol(&g->dims, name, wl_dim_unknown());
    if (wl_dim_is_known(*out)) {
        return WL_OK;
    }
    *out = wl_dim_known(1);
    wl_diag_add(
        g->diags, WL_SEV_WARNING, "unknown-trip-count",
        wl_node_where(g, node, where, sizeof(where)),
        "how often it runs depends on data; its body is counted once; --dim '%s=N' counts N", name);
    return WL_OK;
}

/* Does the body hand its condition on unchanged, or set it to true? */
static bool condition_constant(const struct wl_graph *g, const struct wl_block *body)
{
    int32_t out = body->output_count > 0 ? body->outputs[0] : WL_NONE;
    int32_t in = body->input_count > 1 ? body->inputs[1] : WL_NONE;
    for (int hops = 0; out != WL_NONE && hops < 16; hops++) {
        int64_t value;
        if (out == in || (scalar_known(g, out, &value) && value != 0)) {
            return true;
        }
        int32_t producer = g->tensors[out].producer;
        if (producer == WL_NONE || !op_is(&g->nodes[producer], "Identity")) {
            return false;
        }
        out = wl_node_input(&g->nodes[producer], 0);
    }
    return false;
}

static wl_status trips_loop(struct wl_fe *fe, int32_t node, int32_t block, struct wl_dim *out)
{
    struct wl_graph *g = fe->g;
    const struct wl_node *n = &g->nodes[node];
    int32_t m = wl_node_input(n, 0);
    const struct wl_value *v = m == WL_NONE ? NULL : g->tensors[m].value;
    bool usable = v != NULL && !v->is_float && v->count == 1 && !wl_dim_is_unknown(v->ints[0]) &&
                  (!wl_dim_is_known(v->ints[0]) || v->ints[0].value < TRIPS_MAX);
    if (!usable) {
        return trips_unknown(fe, node, out);
    }
    *out = v->ints[0];
    if (wl_dim_is_known(*out) && out->value < 0) {
        *out = wl_dim_known(0);
    }
    if (!condition_constant(g, &g->blocks[block])) {
        char where[192];
        wl_diag_add(g->diags, WL_SEV_INFO, "trip-count-bound",
                    wl_node_where(g, node, where, sizeof(where)),
                    "it may stop early by a condition computed in its body; its trip count is "
                    "counted in full");
    }
    return WL_OK;
}

static struct wl_dim axis_extent(const struct wl_graph *g, int32_t t, int64_t axis)
{
    if (t == WL_NONE || g->tensors[t].rank == WL_NONE) {
        return wl_dim_unknown();
    }
    const struct wl_tensor *tensor = &g->tensors[t];
    axis += axis < 0 ? tensor->rank : 0;
    return axis >= 0 && axis < tensor->rank ? tensor->dims[axis] : wl_dim_unknown();
}

static struct wl_dim scan_extent(struct wl_graph *g, const struct wl_node *n)
{
    int64_t scans = wl_node_attr_int(n, "num_scan_inputs", 0);
    if (scans < 1 || scans > n->input_count) {
        return wl_dim_unknown();
    }
    int32_t t = n->inputs[n->input_count - scans];
    if (n->version > 0 && n->version < 9) { /* every sequence of the batch on its own */
        return wl_dim_mul(&g->dims, axis_extent(g, t, 0), axis_extent(g, t, 1));
    }
    const struct wl_attr *axes = wl_node_attr(n, "scan_input_axes");
    bool given = axes != NULL && axes->type == WL_ATTR_INTS && axes->count > 0;
    return axis_extent(g, t, given ? axes->u.ints[0] : 0);
}

static wl_status trips_of(struct wl_fe *fe, int32_t node, int32_t block, struct wl_dim *out)
{
    struct wl_graph *g = fe->g;
    const struct wl_node *n = &g->nodes[node];
    *out = wl_dim_known(1);
    if (op_is(n, "Loop")) {
        return trips_loop(fe, node, block, out);
    }
    if (op_is(n, "Scan")) {
        *out = scan_extent(g, n);
    } else if (op_is(n, "SequenceMap")) {
        int32_t t = wl_node_input(n, 0);
        *out = t == WL_NONE ? wl_dim_unknown() : g->tensors[t].length;
    }
    return wl_dim_is_unknown(*out) ? trips_unknown(fe, node, out) : WL_OK;
}

/* ---- branches ------------------------------------------------------------------------------- */

/* Operations of a block and what is in it, where known: only compared with another branch. */
static double block_ops(const struct wl_graph *g, int32_t block, const struct wl_fe *fe,
                        const int32_t *taken)
{
    double total = 0;
    const struct wl_block *b = &g->blocks[block];
    for (int32_t i = 0; i < b->node_count; i++) {
        int32_t n = b->nodes[i];
        const struct wl_work *w = &g->work[n];
        total += wl_dim_is_known(w->macs) ? 2 * (double)w->macs.value : 0;
        for (int k = 0; k < WL_WORK_COUNT; k++) {
            total += wl_dim_is_known(w->ops[k]) ? (double)w->ops[k].value : 0;
        }
        for (int32_t body = fe->first_body[n]; body != WL_NONE; body = fe->body_next[body]) {
            bool runs = taken[n] == WL_NONE || taken[n] == body;
            total += runs ? block_ops(g, body, fe, taken) : 0;
        }
    }
    return total;
}

/* taken[node]: the one block of an If that counts; WL_NONE for other nodes. Inner ones first. */
static wl_status branches_choose(struct wl_fe *fe, int32_t *taken)
{
    struct wl_graph *g = fe->g;
    bool counted = false;
    for (int32_t n = g->node_count - 1; n >= 0; n--) {
        taken[n] = WL_NONE;
        if (!wl_fe_is_if(&g->nodes[n])) {
            continue;
        }
        int32_t a = branch_of(&g->nodes[n], "then_branch");
        int32_t b = branch_of(&g->nodes[n], "else_branch");
        taken[n] = wl_fe_if_taken(g, n);
        if (taken[n] != WL_NONE || a == WL_NONE || b == WL_NONE) {
            continue;
        }
        if (!counted) {
            WL_TRY(wl_ops_count(g, fe->err));
            counted = true;
        }
        taken[n] = block_ops(g, b, fe, taken) > block_ops(g, a, fe, taken) ? b : a;
        char where[192];
        wl_diag_add(g->diags, WL_SEV_WARNING, "unknown-branch",
                    wl_node_where(g, n, where, sizeof(where)),
                    "its condition depends on data; the branch with more work is counted (%s)",
                    taken[n] == a ? "then" : "else");
    }
    return WL_OK;
}

wl_status wl_fe_repeat(struct wl_fe *fe)
{
    struct wl_graph *g = fe->g;
    if (g->block_count <= 1) {
        return WL_OK; /* every node runs once */
    }
    int32_t *taken = WL_ARRAY(&fe->work, int32_t, g->node_count);
    WL_TRY_PTR(taken, fe->err);
    WL_TRY(branches_choose(fe, taken));
    /* Blocks come after the block of their control node. */
    for (int32_t b = 1; b < g->block_count; b++) {
        int32_t parent = g->blocks[b].parent_node;
        struct wl_dim trips = wl_dim_known(1);
        if (wl_fe_is_if(&g->nodes[parent])) {
            trips = wl_dim_known(taken[parent] == WL_NONE || taken[parent] == b ? 1 : 0);
        } else {
            WL_TRY(trips_of(fe, parent, b, &trips));
        }
        struct wl_dim runs = wl_dim_mul(&g->dims, g->nodes[parent].repeat, trips);
        for (int32_t i = 0; i < g->blocks[b].node_count; i++) {
            g->nodes[g->blocks[b].nodes[i]].repeat = runs;
        }
    }
    return g->dims.overflow
               ? wl_fail(fe->err, WL_ERR_INVALID, fe->path, "the trip counts of its loops overflow")
               : WL_OK;
}
