/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops/cost_move.c: work of operators that move, select, sort or draw elements.
 *
 * Copies have no operations; their bytes follow from the tensors, but for Gather and Slice, which
 * read only what they write. Stated approximations: sorting n elements takes n * ceil(log2 n)
 * comparisons; TopK builds a heap (n) and takes k elements from it (ceil(log2 n) each); a random
 * number takes 12 integer operations (Philox 4x32 with 10 rounds makes four numbers with some 50),
 * a normal one 2 special functions more (Box-Muller). Where n is symbolic, log2 n is taken as 16.
 */
#include "move_priv.h"

#define LOG2_SYMBOLIC 16
#define RANDOM_INTEGER_OPS 12

void wl_cost_slice(struct wl_op_ctx *c, struct wl_work *w)
{
    w->access = WL_ACCESS_STREAM;
    wl_work_partial(w, 0, wl_op_out_elems(c, 0));
}

void wl_cost_gather(struct wl_op_ctx *c, struct wl_work *w)
{
    w->access = WL_ACCESS_GATHER;
    wl_work_partial(w, 0, wl_op_out_elems(c, 0));
}

/* With a reduction, one operation per update: add and mul, or a comparison for min and max. */
void wl_cost_scatter(struct wl_op_ctx *c, struct wl_work *w)
{
    struct wl_str how = wl_node_attr_str(c->node, "reduction");
    w->access = WL_ACCESS_GATHER;
    if (wl_str_is(how, "add") || wl_str_is(how, "mul")) {
        wl_work_add_typed(c, w, WL_WORK_ADDMUL, 1, wl_op_in_elems(c, 2));
    } else if (wl_str_is(how, "max") || wl_str_is(how, "min")) {
        wl_work_add_typed(c, w, WL_WORK_COMPARE, 1, wl_op_in_elems(c, 2));
    }
}

void wl_cost_fill(struct wl_op_ctx *c, struct wl_work *w)
{
    (void)c;
    w->access = WL_ACCESS_STREAM;
}

/* One test per element of the condition. */
void wl_cost_compress(struct wl_op_ctx *c, struct wl_work *w)
{
    w->access = WL_ACCESS_GATHER;
    wl_work_partial(w, 0, wl_op_out_elems(c, 0));
    wl_work_add(c, w, WL_WORK_INTEGER, wl_op_in_elems(c, 1));
}

void wl_cost_non_zero(struct wl_op_ctx *c, struct wl_work *w)
{
    w->access = WL_ACCESS_STREAM;
    wl_work_add_typed(c, w, WL_WORK_COMPARE, 1, wl_op_in_elems(c, 0));
}

/* Sorts the slices along the axis; with an axis, a comparison of slices compares their elements. */
void wl_cost_unique(struct wl_op_ctx *c, struct wl_work *w)
{
    struct wl_dim n = wl_op_in_elems(c, 0);
    const struct wl_attr *a = wl_node_attr(c->node, "axis");
    int32_t axis;
    struct wl_dim keys = n;
    if (a != NULL && wl_op_axis(a->u.i, wl_op_in_rank(c, 0), &axis)) {
        keys = wl_op_in_dim(c, 0, axis);
    }
    w->access = WL_ACCESS_GATHER;
    wl_work_add_typed(c, w, WL_WORK_COMPARE, wl_log2_ceil(keys, LOG2_SYMBOLIC), n);
}

void wl_cost_topk(struct wl_op_ctx *c, struct wl_work *w)
{
    int64_t axis = wl_node_attr_int(c->node, "axis", -1);
    bool inside = axis >= -WL_RANK_MAX && axis < WL_RANK_MAX;
    struct wl_dim n = inside ? wl_op_in_dim(c, 0, (int32_t)axis) : wl_dim_unknown();
    w->access = WL_ACCESS_GATHER;
    wl_work_add_typed(c, w, WL_WORK_COMPARE, 1, wl_op_in_elems(c, 0));
    wl_work_add_typed(c, w, WL_WORK_COMPARE, wl_log2_ceil(n, LOG2_SYMBOLIC), wl_op_out_elems(c, 0));
}

/* Generator, and scaling of a float to the wanted range; Bernoulli compares with the probability.
 */
void wl_cost_random(struct wl_op_ctx *c, struct wl_work *w)
{
    w->access = WL_ACCESS_STREAM;
    struct wl_dim n = wl_op_out_elems(c, 0);
    bool normal = wl_str_is(c->node->op_type, "RandomNormal") ||
                  wl_str_is(c->node->op_type, "RandomNormalLike");
    bool bernoulli = wl_str_is(c->node->op_type, "Bernoulli");
    wl_work_add_k(c, w, WL_WORK_INTEGER, RANDOM_INTEGER_OPS, n);
    wl_work_add_k(c, w, WL_WORK_SPECIAL, normal ? 2 : 0, n);
    wl_work_add_k(c, w, WL_WORK_ADDMUL, bernoulli ? 0 : 2, n);
    wl_work_add_k(c, w, WL_WORK_COMPARE, bernoulli ? 1 : 0, n);
}

/* exp and a running sum over the classes; per sample one number and a binary search. */
void wl_cost_multinomial(struct wl_op_ctx *c, struct wl_work *w)
{
    w->access = WL_ACCESS_STREAM;
    struct wl_dim classes = wl_op_in_elems(c, 0);
    struct wl_dim samples = wl_op_out_elems(c, 0);
    wl_work_add(c, w, WL_WORK_SPECIAL, classes);
    wl_work_add(c, w, WL_WORK_ADDMUL, classes);
    wl_work_add_k(c, w, WL_WORK_INTEGER, RANDOM_INTEGER_OPS, samples);
    wl_work_add_k(c, w, WL_WORK_COMPARE, wl_log2_ceil(wl_op_in_dim(c, 0, 1), LOG2_SYMBOLIC),
                  samples);
}
