/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frontend/infer.c: shapes, types and small values of every tensor, by the rows of the operator
 * table in execution order. Decides what is folded (all inputs constant), what is shape arithmetic
 * (all outputs are known values) and which body is looked at.
 *
 * What inference leaves unknown is filled from the file's declarations (types.c). A body is
 * inferred when its control node's row asks for it; one that is not asked for, and a branch whose
 * condition is known to be false, are inferred afterwards without complaints, since what is in them
 * never runs.
 *
 * Bodies may be inferred more than once (loops look for a fixed point), nested ones multiply: the
 * number of node visits is limited.
 */
#include <string.h>

#include "frontend_priv.h"

#define SYMBOLS_MAX 65536

static wl_status infer_node(struct wl_fe *fe, int32_t node);

static wl_status infer_nodes(struct wl_fe *fe, int32_t block)
{
    const struct wl_block *b = &fe->g->blocks[block];
    fe->inferred[block] = true;
    fe->inferences += b->node_count + 1;
    if (fe->inferences > fe->inference_limit) {
        return wl_fail(fe->err, WL_ERR_LIMIT, fe->path,
                       "the bodies of control flow are nested too deep to infer their shapes");
    }
    for (int32_t i = 0; i < b->node_count; i++) {
        WL_TRY(infer_node(fe, b->nodes[i]));
    }
    return WL_OK;
}

/* A branch that does not run may contradict itself (that is why it does not): it says nothing. */
static wl_status infer_silently(struct wl_fe *fe, int32_t block)
{
    struct wl_diag_list mute;
    struct wl_diag_list *diags = fe->g->diags;
    struct wl_error *err = fe->err;
    struct wl_error unheard;
    wl_diag_init(&mute, &fe->work);
    fe->g->diags = &mute;
    fe->err = &unheard;
    wl_status status = infer_nodes(fe, block);
    fe->g->diags = diags;
    fe->err = err;
    if (status == WL_ERR_NOMEM || status == WL_ERR_LIMIT) {
        if (err != NULL) {
            *err = unheard;
        }
        return status;
    }
    return WL_OK;
}

/* The hook of struct wl_op_ctx. */
static wl_status infer_block(void *user, int32_t block, struct wl_error *err)
{
    struct wl_fe *fe = user;
    (void)err; /* the same as fe->err */
    int32_t taken = wl_fe_if_taken(fe->g, fe->g->blocks[block].parent_node);
    if (taken != WL_NONE && taken != block) {
        return infer_silently(fe, block);
    }
    return infer_nodes(fe, block);
}

/* ---- one node ------------------------------------------------------------------------------- */

static void outputs_reset(struct wl_graph *g, const struct wl_node *n)
{
    for (int32_t i = 0; i < n->output_count; i++) {
        if (n->outputs[i] == WL_NONE) {
            continue;
        }
        struct wl_tensor *t = &g->tensors[n->outputs[i]];
        t->dtype = WL_DT_UNDEFINED;
        t->type_kind = WL_TYPE_TENSOR;
        t->rank = WL_NONE;
        t->dims = NULL;
        t->value = NULL;
        t->strings = NULL;
        t->length = wl_dim_unknown();
        t->kind = WL_TENSOR_ACTIVATION;
    }
}

static wl_status outputs_merge(struct wl_fe *fe, const struct wl_node *n)
{
    for (int32_t i = 0; i < n->output_count; i++) {
        int32_t t = n->outputs[i];
        if (t != WL_NONE && fe->type_of_tensor[t] != NULL) {
            WL_TRY(wl_fe_type_merge(fe, t, fe->type_of_tensor[t]));
        }
    }
    return WL_OK;
}

static bool is_folded(const struct wl_graph *g, const struct wl_node *n)
{
    if (n->op == NULL || (n->op->flags & (WL_OPF_NONDET | WL_OPF_BLOCKS)) != 0) {
        return false;
    }
    for (int32_t i = 0; i < n->input_count; i++) {
        if (n->inputs[i] != WL_NONE && !wl_tensor_is_constant(&g->tensors[n->inputs[i]])) {
            return false;
        }
    }
    return true;
}

/* Are all outputs values that inference knows? Then nothing is computed when the model runs. */
static bool is_shape_arithmetic(const struct wl_graph *g, const struct wl_node *n)
{
    bool any = false;
    for (int32_t i = 0; i < n->output_count; i++) {
        if (n->outputs[i] == WL_NONE) {
            continue;
        }
        if (g->tensors[n->outputs[i]].value == NULL) {
            return false;
        }
        any = true;
    }
    return any;
}

static void node_settle(struct wl_graph *g, struct wl_node *n)
{
    n->status = WL_NODE_MODELLED;
    if (is_folded(g, n)) {
        n->status = WL_NODE_FOLDED;
        for (int32_t i = 0; i < n->output_count; i++) {
            if (n->outputs[i] != WL_NONE) {
                g->tensors[n->outputs[i]].kind = WL_TENSOR_CONSTANT;
            }
        }
    } else if (is_shape_arithmetic(g, n)) {
        n->status = WL_NODE_FREE;
    }
}

static wl_status run_row(struct wl_fe *fe, int32_t node)
{
    struct wl_op_ctx c = {.g = fe->g,
                          .node_id = node,
                          .node = &fe->g->nodes[node],
                          .infer_block = infer_block,
                          .user = fe,
                          .err = fe->err};
    const struct wl_op *op = c.node->op;
    if (op == NULL || op->infer == NULL) {
        return WL_OK;
    }
    WL_TRY(op->infer(&c));
    if (op->value != NULL) {
        op->value(&c);
    }
    return WL_OK;
}

static wl_status infer_node(struct wl_fe *fe, int32_t node)
{
    struct wl_graph *g = fe->g;
    if (fe->align_count > 0) {
        WL_TRY(wl_raise_align(fe, node));
    }
    if (fe->new_batch > 0) {
        WL_TRY(wl_fe_rebatch_adapt(fe, node));
    }
    outputs_reset(g, &g->nodes[node]);
    for (int32_t b = fe->first_body[node]; b != WL_NONE; b = fe->body_next[b]) {
        fe->inferred[b] = false;
    }
    int32_t complaints = g->diags->count + g->diags->dropped;
    WL_TRY(run_row(fe, node));
    if (fe->old_batch > 0) {
        WL_TRY(wl_fe_rebatch_conflict(fe, node, g->diags->count + g->diags->dropped > complaints));
    }
    for (int32_t b = fe->first_body[node]; b != WL_NONE; b = fe->body_next[b]) {
        if (!fe->inferred[b]) {
            WL_TRY(infer_silently(fe, b));
        }
    }
    if (g->dims.nomem) {
        return wl_fail_nomem(fe->err);
    }
    if (g->dims.symbol_count > SYMBOLS_MAX) {
        return wl_fail(fe->err, WL_ERR_LIMIT, fe->path,
                       "more than %d symbolic dimensions; models have a few", SYMBOLS_MAX);
    }
    if (g->dims.overflow) {
        char where[192];
        return wl_fail(fe->err, WL_ERR_INVALID, wl_node_where(g, node, where, sizeof(where)),
                       "the dimensions of its tensors overflow 64 bits; smaller dimensions or "
                       "another --dim would work");
    }
    WL_TRY(outputs_merge(fe, &g->nodes[node]));
    node_settle(g, &g->nodes[node]);
    if (fe->old_batch > 0 && fe->new_batch == 0) {
        WL_TRY(wl_fe_rebatch_note(fe, node));
    }
    return WL_OK;
}

/* ---- the graph ------------------------------------------------------------------------------ */

static wl_status bodies_chain(struct wl_fe *fe)
{
    struct wl_graph *g = fe->g;
    fe->first_body = WL_ARRAY(&fe->work, int32_t, g->node_count);
    fe->body_next = WL_ARRAY(&fe->work, int32_t, g->block_count);
    fe->inferred = WL_ARRAY(&fe->work, bool, g->block_count);
    if (fe->first_body == NULL || fe->body_next == NULL || fe->inferred == NULL) {
        return wl_fail_nomem(fe->err);
    }
    for (int32_t n = 0; n < g->node_count; n++) {
        fe->first_body[n] = WL_NONE;
    }
    for (int32_t b = g->block_count - 1; b > 0; b--) {
        int32_t parent = g->blocks[b].parent_node;
        fe->body_next[b] = fe->first_body[parent];
        fe->first_body[parent] = b;
    }
    fe->inference_limit = 100000 + 64 * (int64_t)(g->node_count + g->block_count);
    return WL_OK;
}

wl_status wl_fe_infer(struct wl_fe *fe)
{
    WL_TRY(bodies_chain(fe));
    if (fe->old_batch == 0) {
        return infer_nodes(fe, 0);
    }
    /* First as exported, to see what each constant Reshape does; then with the batch asked for. */
    WL_TRY(infer_silently(fe, 0));
    WL_TRY(wl_fe_rebatch_inputs(fe));
    WL_TRY(infer_nodes(fe, 0));
    wl_fe_rebatch_check(fe);
    return WL_OK;
}
