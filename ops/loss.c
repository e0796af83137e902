/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loss: NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss. Work, t = elements of the target, n
 * = of the scores: the negative log-likelihood reads one score per target and costs 1a (sign), 1a
 * with weights, 1a for the sum when reduced, and 1 divide for the mean; the cross entropy adds the
 * log-softmax (1 compare, 3a, 1 exp per score; 1 logarithm per target).
 */
#include "ops_priv.h"

static wl_status infer_loss(struct wl_op_ctx *c)
{
    wl_op_set_dtype(c, 0, wl_op_in_dtype(c, 0));
    if (!wl_str_is(wl_node_attr_str(c->node, "reduction"), "none")) {
        return wl_op_set_shape(c, 0, 0, &(struct wl_dim){0, WL_EXPR_KNOWN});
    }
    wl_op_set_shape_of(c, 0, 1);
    return WL_OK;
}

wl_status wl_infer_nll_loss(struct wl_op_ctx *c)
{
    return infer_loss(c);
}

wl_status wl_infer_cross_entropy(struct wl_op_ctx *c)
{
    wl_op_set_same(c, 1, 0);
    return infer_loss(c);
}

static void add_likelihood(struct wl_op_ctx *c, struct wl_work *w)
{
    struct wl_str reduction = wl_node_attr_str(c->node, "reduction");
    struct wl_dim targets = wl_op_in_elems(c, 1);
    bool reduced = !wl_str_is(reduction, "none");
    wl_work_add_k(c, w, WL_WORK_ADDMUL, 1 + (wl_op_has_in(c, 2) ? 1 : 0) + (reduced ? 1 : 0),
                  targets);
    if (reduced && !wl_str_is(reduction, "sum")) {
        wl_work_add(c, w, WL_WORK_DIVIDE, wl_dim_known(1));
    }
}

void wl_cost_nll_loss(struct wl_op_ctx *c, struct wl_work *w)
{
    w->access = WL_ACCESS_GATHER;
    wl_work_partial(w, 0, wl_op_in_elems(c, 1));
    add_likelihood(c, w);
}

void wl_cost_cross_entropy(struct wl_op_ctx *c, struct wl_work *w)
{
    struct wl_dim n = wl_op_in_elems(c, 0);
    w->access = WL_ACCESS_REDUCE;
    wl_work_add(c, w, WL_WORK_COMPARE, n);
    wl_work_add_k(c, w, WL_WORK_ADDMUL, 3, n);
    wl_work_add(c, w, WL_WORK_SPECIAL, n);
    wl_work_add(c, w, WL_WORK_SPECIAL, wl_op_in_elems(c, 1));
    add_likelihood(c, w);
}
