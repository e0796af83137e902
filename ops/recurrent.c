/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recurrent: RNN, GRU, LSTM after ONNX's operator list. Every time step counts: T steps, D
 * directions, N batch, I inputs, H hidden, g gates (1, 3, 4 - column ops_per_elem of the row):
 *
 *   MACs   T*N*D * g*H * (I + H): the projection of all inputs as one product of T*N rows per
 *          direction, the recurrence as T*D products of N rows
 *   per step, direction, sequence and hidden unit:
 *     all   g adds (input and recurrent parts meet), g more with a bias
 *     RNN   1 tanh
 *     GRU   2 sigmoids, 1 tanh, 1 multiply (reset), 4 for h = (1-z)*n + z*h
 *     LSTM  3 sigmoids, 2 tanh, 3 for c = f*c + i*n, 1 for h = o*c; peepholes 3 multiplies, 3 adds
 *   sigmoid 2 add/multiply, 1 divide, 1 exp; tanh 1 special. Activations other than the defaults
 *   count as these. Sequences shorter than T (sequence_lens) count in full.
 */
#include <string.h>

#include "ops_priv.h"

struct recurrent {
    struct wl_dim steps, batch, inputs, hidden, directions;
    bool batch_first;
};

static bool recurrent_get(const struct wl_op_ctx *c, struct recurrent *r)
{
    int64_t hidden = wl_node_attr_int(c->node, "hidden_size", 0);
    bool both = wl_str_is(wl_node_attr_str(c->node, "direction"), "bidirectional");
    r->batch_first = wl_node_attr_int(c->node, "layout", 0) != 0;
    r->steps = wl_op_in_dim(c, 0, r->batch_first ? 1 : 0);
    r->batch = wl_op_in_dim(c, 0, r->batch_first ? 0 : 1);
    r->inputs = wl_op_in_dim(c, 0, 2);
    r->hidden = hidden > 0 ? wl_dim_known(hidden) : wl_op_in_dim(c, 2, 2);
    r->directions = wl_dim_known(both ? 2 : 1);
    return wl_op_in_rank(c, 0) == 3;
}

wl_status wl_infer_recurrent(struct wl_op_ctx *c)
{
    struct recurrent r;
    for (int32_t o = 0; o < 3; o++) {
        wl_op_set_dtype(c, o, wl_op_in_dtype(c, 0));
    }
    if (!recurrent_get(c, &r)) {
        return WL_OK;
    }
    struct wl_dim all[4] = {r.steps, r.directions, r.batch, r.hidden};
    struct wl_dim last[3] = {r.directions, r.batch, r.hidden};
    if (r.batch_first) {
        struct wl_dim all_batch[4] = {r.batch, r.steps, r.directions, r.hidden};
        struct wl_dim last_batch[3] = {r.batch, r.directions, r.hidden};
        memcpy(all, all_batch, sizeof(all));
        memcpy(last, last_batch, sizeof(last));
    }
    WL_TRY(wl_op_set_shape(c, 0, 4, all));
    WL_TRY(wl_op_set_shape(c, 1, 3, last));
    return wl_op_set_shape(c, 2, 3, last);
}

static void add_sigmoids(const struct wl_op_ctx *c, struct wl_work *w, int64_t count,
                         struct wl_dim n)
{
    wl_work_add_k(c, w, WL_WORK_ADDMUL, 2 * count, n);
    wl_work_add_k(c, w, WL_WORK_DIVIDE, count, n);
    wl_work_add_k(c, w, WL_WORK_SPECIAL, count, n);
}

static void add_cell(const struct wl_op_ctx *c, struct wl_work *w, struct wl_dim n)
{
    int64_t gates = c->node->op->ops_per_elem;
    wl_work_add_k(c, w, WL_WORK_ADDMUL, wl_op_has_in(c, 3) ? 2 * gates : gates, n);
    if (gates == 1) {
        wl_work_add(c, w, WL_WORK_SPECIAL, n);
    } else if (gates == 3) {
        add_sigmoids(c, w, 2, n);
        wl_work_add(c, w, WL_WORK_SPECIAL, n);
        wl_work_add_k(c, w, WL_WORK_ADDMUL, 5, n);
    } else {
        add_sigmoids(c, w, 3, n);
        wl_work_add_k(c, w, WL_WORK_SPECIAL, 2, n);
        wl_work_add_k(c, w, WL_WORK_ADDMUL, wl_op_has_in(c, 7) ? 10 : 4, n);
    }
}

void wl_cost_recurrent(struct wl_op_ctx *c, struct wl_work *w)
{
    struct recurrent r;
    struct wl_dim_pool *p = wl_op_pool(c);
    w->access = WL_ACCESS_STREAM;
    if (!recurrent_get(c, &r)) {
        w->macs = wl_dim_unknown();
        return;
    }
    struct wl_dim columns = wl_dim_mul_k(p, r.hidden, c->node->op->ops_per_elem);
    struct wl_dim rows = wl_dim_mul(p, r.steps, r.batch);
    struct wl_dim sequential = wl_dim_mul(p, r.directions, r.steps);
    wl_work_add_gemm(c, w, (struct wl_gemm){r.directions, rows, columns, r.inputs});
    wl_work_add_gemm(c, w, (struct wl_gemm){sequential, r.batch, columns, r.hidden});
    w->steps = r.steps;
    add_cell(c, w, wl_dim_mul(p, wl_dim_mul(p, rows, r.directions), r.hidden));
}
