/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops/ms_map.c: element-wise, normalising and indexing operators of com.microsoft. Inputs and
 * shapes after ONNX Runtime's contrib operator list.
 *
 * Work per element, by definition (a = add or multiply, c = compare, d = divide, s = special
 * function):
 *
 *   Gelu 4a 1s; FastGelu 8a 1s; QuickGelu x * sigmoid(alpha x) 4a 1d 1s; a bias 1a more
 *   BiasSplitGelu, per output: 2a for the biases, 4a 1s, 1a for the product
 *   BiasAdd 2a; GatedAdd 2a; ComplexMul 3a (6 for a pair of elements)
 *   SkipLayerNormalization: 1a for each addend, then layer or RMS normalisation (infer_norm.c)
 *   EmbedLayerNormalization: 1a for each table beyond the first, then layer normalisation
 *   quantised forms: an integer subtraction and a multiply to leave integers, a multiply, an
 * integer addition and 2c to return to them, around the operation itself
 */
#include "move_priv.h"

static struct wl_dim mul(const struct wl_op_ctx *c, struct wl_dim a, struct wl_dim b)
{
    return wl_dim_mul(wl_op_pool(c), a, b);
}

/* ---- activations -------------------------------------------------------------------------- */

static void add_gelu(const struct wl_op_ctx *c, struct wl_work *w, int64_t addmul, struct wl_dim n)
{
    w->access = WL_ACCESS_STREAM;
    wl_work_add_k(c, w, WL_WORK_ADDMUL, addmul, n);
    wl_work_add(c, w, WL_WORK_SPECIAL, n);
}

void wl_cost_bias_gelu(struct wl_op_ctx *c, struct wl_work *w)
{
    add_gelu(c, w, wl_op_has_in(c, 1) ? 5 : 4, wl_op_out_elems(c, 0));
}

void wl_cost_fast_gelu(struct wl_op_ctx *c, struct wl_work *w)
{
    add_gelu(c, w, wl_op_has_in(c, 1) ? 9 : 8, wl_op_out_elems(c, 0));
}

void wl_cost_quick_gelu(struct wl_op_ctx *c, struct wl_work *w)
{
    add_gelu(c, w, 4, wl_op_out_elems(c, 0));
    wl_work_add(c, w, WL_WORK_DIVIDE, wl_op_out_elems(c, 0));
}

/* (N, S, D) -> (N, S, D / 2). */
wl_status wl_infer_bias_split_gelu(struct wl_op_ctx *c)
{
    const struct wl_tensor *x = wl_op_in(c, 0);
    wl_op_same_dtype(c, 0, 0);
    if (x == NULL || x->rank < 1) {
        return WL_OK;
    }
    struct wl_dim dims[WL_RANK_MAX];
    for (int32_t i = 0; i < x->rank; i++) {
        dims[i] = x->dims[i];
    }
    dims[x->rank - 1] = wl_dim_exact_div(wl_op_pool(c), x->dims[x->rank - 1], wl_dim_known(2));
    return wl_op_set_shape(c, 0, x->rank, dims);
}

void wl_cost_bias_split_gelu(struct wl_op_ctx *c, struct wl_work *w)
{
    add_gelu(c, w, 7, wl_op_out_elems(c, 0));
}

void wl_cost_two_adds(struct wl_op_ctx *c, struct wl_work *w)
{
    w->access = WL_ACCESS_STREAM;
    wl_work_add_k(c, w, WL_WORK_ADDMUL, 2, wl_op_out_elems(c, 0));
}

void wl_cost_complex_mul(struct wl_op_ctx *c, struct wl_work *w)
{
    w->access = WL_ACCESS_STREAM;
    wl_work_add_k(c, w, WL_WORK_ADDMUL, 3, wl_op_out_elems(c, 0));
}

/* Decay like input 0, beta like input 3: softplus (1a 2s) with 2a, sigmoid (2a 1d 1s). */
wl_status wl_infer_attention_gate(struct wl_op_ctx *c)
{
    wl_op_set_same(c, 0, 0);
    wl_op_set_same(c, 1, 3);
    return WL_OK;
}

void wl_cost_attention_gate(struct wl_op_ctx *c, struct wl_work *w)
{
    struct wl_dim n = wl_op_out_elems(c, 0);
    struct wl_dim m = wl_op_in_elems(c, 3);
    w->access = WL_ACCESS_STREAM;
    wl_work_add_k(c, w, WL_WORK_ADDMUL, 3, n);
    wl_work_add_k(c, w, WL_WORK_SPECIAL, 2, n);
    wl_work_add_k(c, w, WL_WORK_ADDMUL, 2, m);
    wl_work_add(c, w, WL_WORK_DIVIDE, m);
    wl_work_add(c, w, WL_WORK_SPECIAL, m);
}

/* ---- dropouts ----------------------------------------------------------------------------- */

/* Output like input 0; the mask BOOL of its shape. */
wl_status wl_infer_bias_dropout(struct wl_op_ctx *c)
{
    wl_op_set_same(c, 0, 0);
    wl_op_set_dtype(c, 1, WL_DT_BOOL);
    wl_op_set_shape_of(c, 1, 0);
    return WL_OK;
}

/* The mask has a bit for each element, 32 to a number. */
wl_status wl_infer_bitmask_dropout(struct wl_op_ctx *c)
{
    struct wl_dim words = wl_dim_ceil_div(wl_op_pool(c), wl_op_in_elems(c, 0), wl_dim_known(32));
    wl_op_set_same(c, 0, 0);
    return wl_op_set(c, 1, WL_DT_UINT32, 1, &words);
}

/* At inference nothing is dropped: bias and residual are added. */
void wl_cost_bias_dropout(struct wl_op_ctx *c, struct wl_work *w)
{
    w->access = WL_ACCESS_STREAM;
    wl_work_add_k(c, w, WL_WORK_ADDMUL, wl_op_has_in(c, 2) ? 2 : 1, wl_op_out_elems(c, 0));
}

void wl_cost_bias_softmax(struct wl_op_ctx *c, struct wl_work *w)
{
    struct wl_dim n = wl_op_out_elems(c, 0);
    w->access = WL_ACCESS_REDUCE;
    wl_work_add(c, w, WL_WORK_ADDMUL, n);
    wl_work_softmax(c, w, n);
}

/* ---- normalisation ------------------------------------------------------------------------ */

/* Product of all dims but the last of input 0. */
static struct wl_dim rows_of(const struct wl_op_ctx *c)
{
    const struct wl_tensor *x = wl_op_in(c, 0);
    return x == NULL || x->rank < 1 ? wl_dim_unknown() : wl_op_product(c, x->dims, 0, x->rank - 1);
}

/* Output, mean, inverse deviation (last dim 1, FLOAT), sum of the inputs. */
wl_status wl_infer_skip_norm(struct wl_op_ctx *c)
{
    const struct wl_tensor *x = wl_op_in(c, 0);
    wl_op_set_same(c, 0, 0);
    wl_op_set_same(c, 3, 0);
    wl_op_set_dtype(c, 1, WL_DT_FLOAT);
    wl_op_set_dtype(c, 2, WL_DT_FLOAT);
    if (x == NULL || x->rank < 1) {
        return WL_OK;
    }
    struct wl_dim dims[WL_RANK_MAX];
    for (int32_t i = 0; i < x->rank; i++) {
        dims[i] = i < x->rank - 1 ? x->dims[i] : wl_dim_known(1);
    }
    WL_TRY(wl_op_set_shape(c, 1, x->rank, dims));
    return wl_op_set_shape(c, 2, x->rank, dims);
}

void wl_cost_skip_layer_norm(struct wl_op_ctx *c, struct wl_work *w)
{
    struct wl_dim n = wl_op_in_elems(c, 0);
    wl_work_add_k(c, w, WL_WORK_ADDMUL, wl_op_has_in(c, 4) ? 2 : 1, n);
    wl_work_layer_norm(c, w, n, rows_of(c), true, wl_op_has_in(c, 3));
}

void wl_cost_skip_rms_norm(struct wl_op_ctx *c, struct wl_work *w)
{
    struct wl_dim n = wl_op_in_elems(c, 0);
    wl_work_add_k(c, w, WL_WORK_ADDMUL, wl_op_has_in(c, 3) ? 2 : 1, n);
    wl_work_rms_norm(c, w, n, rows_of(c));
}

/* Ids (batch, length), tables at 2, 3, 4; the quantised form has its scales after them. */
wl_status wl_infer_embed_layer_norm(struct wl_op_ctx *c)
{
    struct wl_dim batch = wl_op_in_dim(c, 0, 0);
    struct wl_dim dims[3] = {batch, wl_op_in_dim(c, 0, 1), wl_op_in_dim(c, 2, 1)};
    enum wl_dtype table = wl_op_in_dtype(c, 2);
    bool quantised = wl_op_is_integer(table);
    WL_TRY(wl_op_set(c, 0, quantised ? WL_DT_FLOAT : table, 3, dims));
    WL_TRY(wl_op_set(c, 1, WL_DT_INT32, 1, &batch));
    return wl_op_set(c, 2, quantised ? WL_DT_FLOAT : table, 3, dims);
}

void wl_cost_embed_layer_norm(struct wl_op_ctx *c, struct wl_work *w)
{
    struct wl_dim n = wl_op_out_elems(c, 0);
    bool quantised = wl_op_is_integer(wl_op_in_dtype(c, 2));
    wl_work_add_k(c, w, WL_WORK_ADDMUL, wl_op_has_in(c, 4) ? 2 : 1, n);
    wl_work_add_k(c, w, WL_WORK_ADDMUL, quantised ? 2 : 0, n);
    wl_work_layer_norm(c, w, n, wl_op_in_elems(c, 0), true, true);
    w->access = WL_ACCESS_GATHER;
    wl_work_partial(w, 2, n);
}

/* An activation of 1 is SiLU. */
static void cost_groups(struct wl_op_ctx *c, struct wl_work *w)
{
    struct wl_dim n = wl_op_in_elems(c, 0);
    int64_t groups = wl_max_i64(1, wl_node_attr_int(c->node, "groups", 1));
    wl_work_layer_norm(c, w, n, wl_dim_mul_k(wl_op_pool(c), wl_op_in_dim(c, 0, 0), groups), true,
                       true);
    if (wl_node_attr_int(c->node, "activation", 0) == 1) {
        wl_work_fused_activation(c, w, WL_STR("silu"), n);
    }
}

void wl_cost_ms_group_norm(struct wl_op_ctx *c, struct wl_work *w)
{
    cost_groups(c, w);
}

wl_status wl_infer_skip_group_norm(struct wl_op_ctx *c)
{
    wl_op_set_same(c, 0, 0);
    wl_op_set_same(c, 1, 0);
    return WL_OK;
}

void wl_cost_skip_group_norm(struct wl_op_ctx *c, struct wl_work *w)
{
    wl_work_add_k(c, w, WL_WORK_ADDMUL, wl_op_has_in(c, 4) ? 2 : 1, wl_op_in_elems(c, 0));
    cost_groups(c, w);
}

/* RMS over groups as long as the scale, then the product with SiLU of the gate. */
void wl_cost_gated_rms_norm(struct wl_op_ctx *c, struct wl_work *w)
{
    struct wl_dim n = wl_op_in_elems(c, 0);
    wl_work_rms_norm(c, w, n, wl_dim_exact_div(wl_op_pool(c), n, wl_op_in_dim(c, 1, 0)));
    wl_work_fused_activation(c, w, WL_STR("silu"), n);
    wl_work_add(c, w, WL_WORK_ADDMUL, n);
}

/* ---- quantised element-wise operators ----------------------------------------------------- */

/* Leaving integers `in` times and returning once, per element. */
static void add_requantise(const struct wl_op_ctx *c, struct wl_work *w, int64_t in,
                           struct wl_dim n)
{
    w->access = WL_ACCESS_STREAM;
    wl_work_add_k(c, w, WL_WORK_INTEGER, in + 1, n);
    wl_work_add_k(c, w, WL_WORK_ADDMUL, in + 1, n);
    wl_work_add_k(c, w, WL_WORK_COMPARE, 2, n);
}

/* Output 0 gets the broadcast of the inputs listed. */
static wl_status set_broadcast_of(struct wl_op_ctx *c, const int32_t *which, int32_t count)
{
    struct wl_dim dims[WL_RANK_MAX];
    int32_t rank = 0;
    for (int32_t i = 0; i < count; i++) {
        const struct wl_tensor *x = wl_op_in(c, which[i]);
        if (x == NULL || x->rank < 0 || !wl_op_broadcast_into(dims, &rank, x->dims, x->rank)) {
            return WL_OK;
        }
    }
    return wl_op_set_shape(c, 0, rank, dims);
}

wl_status wl_infer_qlinear_binary(struct wl_op_ctx *c)
{
    static const int32_t which[] = {0, 3};
    wl_op_same_dtype(c, 0, 0);
    return set_broadcast_of(c, which, 2);
}

void wl_cost_qlinear_binary(struct wl_op_ctx *c, struct wl_work *w)
{
    add_requantise(c, w, 2, wl_op_out_elems(c, 0));
    wl_work_add(c, w, WL_WORK_ADDMUL, wl_op_out_elems(c, 0));
}

wl_status wl_infer_qlinear_where(struct wl_op_ctx *c)
{
    static const int32_t which[] = {0, 1, 4};
    wl_op_same_dtype(c, 0, 1);
    return set_broadcast_of(c, which, 3);
}

void wl_cost_qlinear_where(struct wl_op_ctx *c, struct wl_work *w)
{
    add_requantise(c, w, 1, wl_op_out_elems(c, 0));
    wl_work_add(c, w, WL_WORK_COMPARE, wl_op_out_elems(c, 0));
}

/* INT32; operands at 0 and 2, zero points behind them. */
wl_status wl_infer_mul_integer(struct wl_op_ctx *c)
{
    static const int32_t which[] = {0, 2};
    wl_op_set_dtype(c, 0, WL_DT_INT32);
    return set_broadcast_of(c, which, 2);
}

void wl_cost_mul_integer(struct wl_op_ctx *c, struct wl_work *w)
{
    w->access = WL_ACCESS_STREAM;
    wl_work_add_k(c, w, WL_WORK_INTEGER, 3, wl_op_out_elems(c, 0));
}

void wl_cost_qlinear_sigmoid(struct wl_op_ctx *c, struct wl_work *w)
{
    add_requantise(c, w, 1, wl_op_out_elems(c, 0));
    wl_work_fused_activation(c, w, WL_STR("Sigmoid"), wl_op_out_elems(c, 0));
}

void wl_cost_qlinear_leaky_relu(struct wl_op_ctx *c, struct wl_work *w)
{
    add_requantise(c, w, 1, wl_op_out_elems(c, 0));
    wl_work_fused_activation(c, w, WL_STR("LeakyRelu"), wl_op_out_elems(c, 0));
}

void wl_cost_qordered_gelu(struct wl_op_ctx *c, struct wl_work *w)
{
    add_requantise(c, w, 1, wl_op_out_elems(c, 0));
    wl_work_fused_activation(c, w, WL_STR("Gelu"), wl_op_out_elems(c, 0));
}

void wl_cost_qlinear_softmax(struct wl_op_ctx *c, struct wl_work *w)
{
    add_requantise(c, w, 1, wl_op_out_elems(c, 0));
    wl_work_softmax(c, w, wl_op_out_elems(c, 0));
    w->access = WL_ACCESS_REDUCE;
}

void wl_cost_qordered_layer_norm(struct wl_op_ctx *c, struct wl_work *w)
{
    add_requantise(c, w, 1, wl_op_out_elems(c, 0));
    wl_work_layer_norm(c, w, wl_op_in_elems(c, 0), rows_of(c), true, wl_op_has_in(c, 3));
}

/* Scale and zero point of Y first, then triples of tensor, scale and zero point. */
wl_status wl_infer_qlinear_concat(struct wl_op_ctx *c)
{
    wl_op_same_dtype(c, 0, 1);
    return wl_op_concat(c, 2, 3);
}

void wl_cost_qlinear_concat(struct wl_op_ctx *c, struct wl_work *w)
{
    add_requantise(c, w, 1, wl_op_out_elems(c, 0));
}

/* Axes from an attribute (all when absent). */
static wl_status set_reduced(struct wl_op_ctx *c)
{
    int64_t axes[WL_RANK_MAX];
    bool gone[WL_RANK_MAX] = {false};
    struct wl_dim dims[WL_RANK_MAX];
    int32_t n = wl_op_attr_ints(c, "axes", axes, WL_RANK_MAX);
    int32_t rank = wl_op_in_rank(c, 0);
    bool keep = wl_node_attr_int(c->node, "keepdims", 1) != 0;
    int32_t out = 0;
    if (rank < 0 || (n >= 0 && !wl_op_axes_mask(axes, n, rank, gone))) {
        return WL_OK;
    }
    for (int32_t i = 0; i < rank; i++) {
        bool reduced = n <= 0 || gone[i];
        if (!reduced || keep) {
            dims[out++] = reduced ? wl_dim_known(1) : wl_op_in_dim(c, 0, i);
        }
    }
    return wl_op_set_shape(c, 0, out, dims);
}

wl_status wl_infer_qlinear_reduce_mean(struct wl_op_ctx *c)
{
    wl_op_same_dtype(c, 0, 0);
    return set_reduced(c);
}

void wl_cost_qlinear_reduce_mean(struct wl_op_ctx *c, struct wl_work *w)
{
    add_requantise(c, w, 1, wl_op_out_elems(c, 0));
    wl_work_add(c, w, WL_WORK_INTEGER, wl_op_in_elems(c, 0));
    wl_work_add(c, w, WL_WORK_DIVIDE, wl_op_out_elems(c, 0));
    w->access = WL_ACCESS_REDUCE;
}

wl_status wl_infer_reduce_sum_integer(struct wl_op_ctx *c)
{
    bool is_signed = wl_op_in_dtype(c, 0) == WL_DT_INT8;
    wl_op_set_dtype(c, 0, is_signed ? WL_DT_INT32 : WL_DT_UINT32);
    return set_reduced(c);
}

wl_status wl_infer_quantize_with_order(struct wl_op_ctx *c)
{
    wl_op_set_dtype(c, 0, WL_DT_INT8);
    wl_op_set_shape_of(c, 0, 0);
    return WL_OK;
}

wl_status wl_infer_dequantize_with_order(struct wl_op_ctx *c)
{
    wl_op_set_dtype(c, 0, wl_dtype_of_number(wl_node_attr_int(c->node, "to", WL_DT_FLOAT)));
    wl_op_set_shape_of(c, 0, 0);
    return WL_OK;
}

/* ---- indexing ----------------------------------------------------------------------------- */

/* data, indices, scales: as Gather; below 8 bits the last axis is packed into bytes. */
wl_status wl_infer_gather_block_quantized(struct wl_op_ctx *c)
{
    const struct wl_tensor *x = wl_op_in(c, 0);
    const struct wl_tensor *at = wl_op_in(c, 1);
    int32_t axis;
    wl_op_same_dtype(c, 0, 2);
    if (x == NULL || at == NULL || x->rank < 1 || at->rank < 0 ||
        x->rank - 1 + at->rank > WL_RANK_MAX ||
        !wl_op_axis(wl_node_attr_int(c->node, "gather_axis", 0), x->rank, &axis)) {
        return WL_OK;
    }
    int64_t bits = wl_node_attr_int(c->node, "bits", 4);
    bool packed = x->dtype == WL_DT_UINT8 && (bits == 2 || bits == 4);
    struct wl_dim dims[2 * WL_RANK_MAX];
    int32_t rank = 0;
    for (int32_t i = 0; i < x->rank; i++) {
        for (int32_t k = 0; i == axis && k < at->rank; k++) {
            dims[rank++] = at->dims[k];
        }
        if (i != axis) {
            bool last = packed && i == x->rank - 1;
            dims[rank++] = last ? wl_dim_mul_k(wl_op_pool(c), x->dims[i], 8 / bits) : x->dims[i];
        }
    }
    return wl_op_set_shape(c, 0, rank, dims);
}

void wl_cost_gather_block_quantized(struct wl_op_ctx *c, struct wl_work *w)
{
    wl_cost_gather(c, w);
    wl_work_add_k(c, w, WL_WORK_ADDMUL, 2, wl_op_out_elems(c, 0));
}

/* weight (N, M), indices -> indices' shape, M. */
wl_status wl_infer_torch_embedding(struct wl_op_ctx *c)
{
    const struct wl_tensor *at = wl_op_in(c, 1);
    wl_op_same_dtype(c, 0, 0);
    if (at == NULL || at->rank < 0 || at->rank >= WL_RANK_MAX) {
        return WL_OK;
    }
    struct wl_dim dims[WL_RANK_MAX];
    for (int32_t i = 0; i < at->rank; i++) {
        dims[i] = at->dims[i];
    }
    dims[at->rank] = wl_op_in_dim(c, 0, 1);
    return wl_op_set_shape(c, 0, at->rank + 1, dims);
}

/* Slices of `size` along `dim`, `step` apart, as a new last axis. */
wl_status wl_infer_unfold(struct wl_op_ctx *c)
{
    const struct wl_tensor *x = wl_op_in(c, 0);
    int64_t size = wl_node_attr_int(c->node, "size", 0);
    int64_t step = wl_node_attr_int(c->node, "step", 1);
    int32_t axis;
    wl_op_same_dtype(c, 0, 0);
    if (x == NULL || x->rank < 1 || x->rank >= WL_RANK_MAX || size < 1 || step < 1 ||
        size > INT32_MAX || !wl_op_axis(wl_node_attr_int(c->node, "dim", -1), x->rank, &axis)) {
        return WL_OK;
    }
    struct wl_dim_pool *p = wl_op_pool(c);
    struct wl_dim dims[WL_RANK_MAX];
    for (int32_t i = 0; i < x->rank; i++) {
        dims[i] = x->dims[i];
    }
    struct wl_dim room = wl_dim_add_k(p, x->dims[axis], -size);
    dims[axis] = wl_dim_add_k(p, wl_dim_floor_div(p, room, wl_dim_known(step)), 1);
    dims[x->rank] = wl_dim_known(size);
    return wl_op_set_shape(c, 0, x->rank + 1, dims);
}

/* UINT32, or INT32 where `positive` is 0. */
wl_status wl_infer_murmur(struct wl_op_ctx *c)
{
    bool positive = wl_node_attr_int(c->node, "positive", 1) != 0;
    wl_op_set_dtype(c, 0, positive ? WL_DT_UINT32 : WL_DT_INT32);
    wl_op_set_shape_of(c, 0, 0);
    return WL_OK;
}

/* Scores (input 1) pass, with -inf for tokens that would repeat an n-gram. */
wl_status wl_infer_ngram_repeat(struct wl_op_ctx *c)
{
    wl_op_set_same(c, 0, 1);
    return WL_OK;
}

/* Every n-gram of the ids is compared with the last one. */
void wl_cost_ngram_repeat(struct wl_op_ctx *c, struct wl_work *w)
{
    int64_t n = wl_max_i64(1, wl_min_i64(wl_node_attr_int(c->node, "ngram_size", 1), 1 << 20));
    w->access = WL_ACCESS_STREAM;
    wl_work_add_k(c, w, WL_WORK_INTEGER, n, wl_op_in_elems(c, 0));
}

/* A BOOL scalar from any number of tensors. */
wl_status wl_infer_all_finite(struct wl_op_ctx *c)
{
    return wl_op_set(c, 0, WL_DT_BOOL, 0, NULL);
}

void wl_cost_all_finite(struct wl_op_ctx *c, struct wl_work *w)
{
    w->access = WL_ACCESS_REDUCE;
    for (int32_t i = 0; i < c->node->input_count; i++) {
        wl_work_add(c, w, WL_WORK_COMPARE, wl_op_in_elems(c, i));
    }
}

/* A path through an M x N cost matrix: (2, length), length below M + N. */
wl_status wl_infer_time_warping(struct wl_op_ctx *c)
{
    struct wl_dim upper = wl_dim_add(wl_op_pool(c), wl_op_in_dim(c, 0, -1), wl_op_in_dim(c, 0, -2));
    struct wl_dim dims[2] = {wl_dim_known(2), wl_op_data_dim(c, "count", upper)};
    return wl_op_set(c, 0, WL_DT_INT32, 2, dims);
}

void wl_cost_time_warping(struct wl_op_ctx *c, struct wl_work *w)
{
    struct wl_dim n = wl_op_in_elems(c, 0);
    w->access = WL_ACCESS_STREAM;
    wl_work_add(c, w, WL_WORK_ADDMUL, n);
    wl_work_add_k(c, w, WL_WORK_COMPARE, 2, n);
}

/* The default domain's form, unless one of the attributes that only this domain has is used. */
wl_status wl_infer_ms_causal_conv(struct wl_op_ctx *c)
{
    bool plain = wl_node_attr_int(c->node, "ndim", 1) == 1 &&
                 wl_node_attr_int(c->node, "channels_last", 0) == 0 &&
                 wl_node_attr_int(c->node, "dilation", 1) == 1 &&
                 wl_node_attr_int(c->node, "state_window", 0) == 0;
    if (plain) {
        return wl_infer_causal_conv(c);
    }
    wl_op_set_same(c, 0, 0);
    wl_op_set_same(c, 1, 3);
    return WL_OK;
}

/* One MAC per kernel tap and output element. */
void wl_cost_ms_causal_conv(struct wl_op_ctx *c, struct wl_work *w)
{
    const struct wl_tensor *k = wl_op_in(c, 1);
    struct wl_dim n = wl_op_out_elems(c, 0);
    struct wl_dim taps =
        k == NULL || k->rank < 3 ? wl_dim_unknown() : wl_op_product(c, k->dims, 2, k->rank);
    w->access = WL_ACCESS_WINDOW;
    w->macs = mul(c, n, taps);
    wl_work_add_k(c, w, WL_WORK_ADDMUL, wl_op_has_in(c, 2) ? 1 : 0, n);
    wl_work_fused_activation(c, w, wl_node_attr_str(c->node, "activation"), n);
}
