/* SPDX-License-Identifier: Apache-2.0 */
/*
 * infer_norm: normalisations and the softmax family. Work by the two-pass formula (mean, centre,
 * square, mean, scale), n = elements, g = groups that share statistics:
 *
 *   BatchNormalization  inference: 2a per element (scale and shift precomputed per channel)
 *                       training: 1a mean, 3a variance, 2a scale and shift per element; per channel
 *                       2 divides, 1a (epsilon), 1 root, and 4a for the running statistics
 *   Layer, Instance, Group  per element 1a mean, 3a centre, square, sum, 1a scale by 1/deviation,
 * 1a scale, 1a bias; per group 3 divides (two means, one reciprocal), 1a (epsilon), 1 root RMS per
 * element 2a square, sum, 1a, 1a scale; per group 2 divides, 1a, 1 root MeanVariance        per
 * element 4a, 1 divide; per group 2 divides, 1a, 1 root LpNormalization     per element 2a (or 1a
 * and absolute value), 1 divide; p = 2: per group 1 root LRN                 per element (size +
 * 3)a: square, window sum, alpha, bias; 1 power, 1 divide Softmax             per element 1 compare
 * (maximum), 2a (subtract, sum), 1 exp, 1 divide LogSoftmax          per element 1 compare, 3a
 * (subtract, sum, subtract the logarithm), 1 exp; per group 1 logarithm Hardmax             per
 * element 1 compare
 */
#include "ops_priv.h"

/* ---- shapes ------------------------------------------------------------------------------------
 */

wl_status wl_infer_batch_norm(struct wl_op_ctx *c)
{
    wl_op_set_same(c, 0, 0);
    for (int32_t o = 1; o < c->node->output_count; o++) {
        wl_op_set_dtype(c, o, wl_op_in_dtype(c, 3));
        wl_op_set_shape_of(c, o, 3);
        if (wl_op_in_rank(c, 3) == WL_NONE && wl_op_in_rank(c, 0) >= 2) {
            struct wl_dim channels = wl_op_in_dim(c, 0, 1);
            WL_TRY(wl_op_set_shape(c, o, 1, &channels));
        }
    }
    return WL_OK;
}

/* Mean and inverse deviation keep the rank: normalised axes become 1; stash_type is their type. */
wl_status wl_infer_layer_norm(struct wl_op_ctx *c)
{
    struct wl_dim dims[WL_RANK_MAX];
    int32_t axis;
    int32_t rank = wl_op_in_rank(c, 0);
    int64_t stash = wl_node_attr_int(c->node, "stash_type", WL_DT_FLOAT);
    wl_op_set_same(c, 0, 0);
    for (int32_t o = 1; o < c->node->output_count; o++) {
        bool valid = stash > 0 && stash < WL_DT_COUNT;
        wl_op_set_dtype(c, o, valid ? (enum wl_dtype)stash : WL_DT_UNDEFINED);
        if (rank > WL_RANK_MAX || !wl_op_axis(wl_node_attr_int(c->node, "axis", -1), rank, &axis)) {
            continue;
        }
        for (int32_t i = 0; i < rank; i++) {
            dims[i] = i < axis ? wl_op_in_dim(c, 0, i) : wl_dim_known(1);
        }
        WL_TRY(wl_op_set_shape(c, o, rank, dims));
    }
    return WL_OK;
}

/* The scale's type is the output's. */
wl_status wl_infer_rms_norm(struct wl_op_ctx *c)
{
    enum wl_dtype scale = wl_op_in_dtype(c, 1);
    wl_op_set_same(c, 0, 0);
    if (scale != WL_DT_UNDEFINED) {
        wl_op_set_dtype(c, 0, scale);
    }
    return WL_OK;
}

/* ---- work --------------------------------------------------------------------------------------
 */

void wl_work_layer_norm(const struct wl_op_ctx *c, struct wl_work *w, struct wl_dim elems,
                        struct wl_dim groups, bool scale, bool bias)
{
    w->access = WL_ACCESS_REDUCE;
    wl_work_add_k(c, w, WL_WORK_ADDMUL, 5 + (scale ? 1 : 0) + (bias ? 1 : 0), elems);
    wl_work_add(c, w, WL_WORK_ADDMUL, groups);
    wl_work_add_k(c, w, WL_WORK_DIVIDE, 3, groups);
    wl_work_add(c, w, WL_WORK_SPECIAL, groups);
}

void wl_work_rms_norm(const struct wl_op_ctx *c, struct wl_work *w, struct wl_dim elems,
                      struct wl_dim groups)
{
    w->access = WL_ACCESS_REDUCE;
    wl_work_add_k(c, w, WL_WORK_ADDMUL, 4, elems);
    wl_work_add(c, w, WL_WORK_ADDMUL, groups);
    wl_work_add_k(c, w, WL_WORK_DIVIDE, 2, groups);
    wl_work_add(c, w, WL_WORK_SPECIAL, groups);
}

void wl_work_softmax(const struct wl_op_ctx *c, struct wl_work *w, struct wl_dim elems)
{
    wl_work_add(c, w, WL_WORK_COMPARE, elems);
    wl_work_add_k(c, w, WL_WORK_ADDMUL, 2, elems);
    wl_work_add(c, w, WL_WORK_SPECIAL, elems);
    wl_work_add(c, w, WL_WORK_DIVIDE, elems);
}

/* Product of the dims before attribute `axis`: groups of layer and RMS normalisation. */
static struct wl_dim groups_before_axis(struct wl_op_ctx *c)
{
    int32_t axis;
    int32_t rank = wl_op_in_rank(c, 0);
    if (!wl_op_axis(wl_node_attr_int(c->node, "axis", -1), rank, &axis)) {
        return wl_dim_unknown();
    }
    return wl_op_product(c, wl_op_in(c, 0)->dims, 0, axis);
}

/* Product of all dims but `axis`: groups of softmax and LpNormalization. */
static struct wl_dim groups_beside_axis(struct wl_op_ctx *c)
{
    int32_t axis;
    int32_t rank = wl_op_in_rank(c, 0);
    if (!wl_op_axis(wl_node_attr_int(c->node, "axis", -1), rank, &axis)) {
        return wl_dim_unknown();
    }
    const struct wl_dim *dims = wl_op_in(c, 0)->dims;
    return wl_dim_mul(wl_op_pool(c), wl_op_product(c, dims, 0, axis),
                      wl_op_product(c, dims, axis + 1, rank));
}

void wl_cost_batch_norm(struct wl_op_ctx *c, struct wl_work *w)
{
    struct wl_dim n = wl_op_in_elems(c, 0);
    struct wl_dim channels = wl_op_in_elems(c, 1);
    w->access = WL_ACCESS_STREAM;
    if (wl_node_attr_int(c->node, "training_mode", 0) == 0) {
        wl_work_add_k(c, w, WL_WORK_ADDMUL, 2, n);
        return;
    }
    w->access = WL_ACCESS_REDUCE;
    wl_work_add_k(c, w, WL_WORK_ADDMUL, 6, n);
    wl_work_add_k(c, w, WL_WORK_ADDMUL, 5, channels);
    wl_work_add_k(c, w, WL_WORK_DIVIDE, 2, channels);
    wl_work_add(c, w, WL_WORK_SPECIAL, channels);
}

void wl_cost_layer_norm(struct wl_op_ctx *c, struct wl_work *w)
{
    wl_work_layer_norm(c, w, wl_op_in_elems(c, 0), groups_before_axis(c), wl_op_has_in(c, 1),
                       wl_op_has_in(c, 2));
}

void wl_cost_rms_norm(struct wl_op_ctx *c, struct wl_work *w)
{
    wl_work_rms_norm(c, w, wl_op_in_elems(c, 0), groups_before_axis(c));
}

void wl_cost_instance_norm(struct wl_op_ctx *c, struct wl_work *w)
{
    struct wl_dim groups = wl_dim_mul(wl_op_pool(c), wl_op_in_dim(c, 0, 0), wl_op_in_dim(c, 0, 1));
    wl_work_layer_norm(c, w, wl_op_in_elems(c, 0), groups, true, true);
}

void wl_cost_group_norm(struct wl_op_ctx *c, struct wl_work *w)
{
    int64_t groups = wl_node_attr_int(c->node, "num_groups", 1);
    wl_work_layer_norm(c, w, wl_op_in_elems(c, 0),
                       wl_dim_mul_k(wl_op_pool(c), wl_op_in_dim(c, 0, 0), wl_max_i64(groups, 1)),
                       true, true);
}

void wl_cost_lrn(struct wl_op_ctx *c, struct wl_work *w)
{
    struct wl_dim n = wl_op_in_elems(c, 0);
    int64_t size = wl_max_i64(wl_node_attr_int(c->node, "size", 1), 1);
    w->access = WL_ACCESS_WINDOW;
    wl_work_add_k(c, w, WL_WORK_ADDMUL, wl_min_i64(size, INT32_MAX) + 3, n);
    wl_work_add(c, w, WL_WORK_SPECIAL, n);
    wl_work_add(c, w, WL_WORK_DIVIDE, n);
}

void wl_cost_lp_norm(struct wl_op_ctx *c, struct wl_work *w)
{
    struct wl_dim n = wl_op_in_elems(c, 0);
    w->access = WL_ACCESS_REDUCE;
    wl_work_add_k(c, w, WL_WORK_ADDMUL, 2, n);
    wl_work_add(c, w, WL_WORK_DIVIDE, n);
    if (wl_node_attr_int(c->node, "p", 2) != 1) {
        wl_work_add(c, w, WL_WORK_SPECIAL, groups_beside_axis(c));
    }
}

void wl_cost_mean_variance_norm(struct wl_op_ctx *c, struct wl_work *w)
{
    int64_t axes[WL_RANK_MAX] = {0, 2, 3};
    bool mask[WL_RANK_MAX];
    int32_t rank = wl_op_in_rank(c, 0);
    bool given = wl_node_attr(c->node, "axes") != NULL;
    int32_t count = given ? wl_op_attr_ints(c, "axes", axes, WL_RANK_MAX) : 3;
    struct wl_dim n = wl_op_in_elems(c, 0);
    struct wl_dim groups = wl_dim_unknown();
    if (rank >= 0 && rank <= WL_RANK_MAX && count >= 0 &&
        wl_op_axes_mask(axes, count, rank, mask)) {
        groups = wl_dim_known(1);
        for (int32_t i = 0; i < rank; i++) {
            groups = mask[i] ? groups : wl_dim_mul(wl_op_pool(c), groups, wl_op_in_dim(c, 0, i));
        }
    }
    w->access = WL_ACCESS_REDUCE;
    wl_work_add_k(c, w, WL_WORK_ADDMUL, 4, n);
    wl_work_add(c, w, WL_WORK_DIVIDE, n);
    wl_work_add(c, w, WL_WORK_ADDMUL, groups);
    wl_work_add_k(c, w, WL_WORK_DIVIDE, 2, groups);
    wl_work_add(c, w, WL_WORK_SPECIAL, groups);
}

void wl_cost_softmax(struct wl_op_ctx *c, struct wl_work *w)
{
    w->access = WL_ACCESS_REDUCE;
    wl_work_softmax(c, w, wl_op_in_elems(c, 0));
}

void wl_cost_log_softmax(struct wl_op_ctx *c, struct wl_work *w)
{
    struct wl_dim n = wl_op_in_elems(c, 0);
    w->access = WL_ACCESS_REDUCE;
    wl_work_add(c, w, WL_WORK_COMPARE, n);
    wl_work_add_k(c, w, WL_WORK_ADDMUL, 3, n);
    wl_work_add(c, w, WL_WORK_SPECIAL, n);
    wl_work_add(c, w, WL_WORK_SPECIAL, groups_beside_axis(c));
}

void wl_cost_hardmax(struct wl_op_ctx *c, struct wl_work *w)
{
    w->access = WL_ACCESS_REDUCE;
    wl_work_add(c, w, WL_WORK_COMPARE, wl_op_in_elems(c, 0));
}
