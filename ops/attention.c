/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attention: the attention operators of ONNX (Attention since opset 23, FlexAttention of the
 * preview domain, LinearAttention), RotaryEmbedding and TensorScatter. Work, B batch, H query
 * heads, L queries, S keys (past included), D and Dv head sizes, n = B*H*L*S scores:
 *
 *   Attention        n*D + n*Dv MACs; per score 1 multiply (scale), 1 add with a mask, 1 multiply,
 * 1 divide and 1 tanh with softcap, and the softmax. A causal mask skips nothing: nominal work is
 * that of the full score matrix. FlexAttention    the same; score_mod and prob_mod are bodies,
 * whose nodes count for themselves LinearAttention  per token and key/value head Dk*Dv MACs for the
 * update and as many for the delta rule's retrieval, per query head Dk*Dv for the read-out; gated
 * rules Dk*Dv multiplies and an exponential per gate element; delta rules 2*Dv for the error; Dv
 * multiplies per query head for the scale. Sequential over tokens. RotaryEmbedding  per rotated
 * element 2 multiplies and 1 add TensorScatter    bytes only
 */
#include <string.h>

#include "ops_priv.h"

/* ---- scaled dot-product attention -------------------------------------------------------------
 */

void wl_work_attention(const struct wl_op_ctx *c, struct wl_work *w,
                       const struct wl_attention_shape *s)
{
    struct wl_dim_pool *p = wl_op_pool(c);
    struct wl_dim heads = wl_dim_mul(p, s->batch, s->q_heads);
    struct wl_dim scores = wl_dim_mul(p, wl_dim_mul(p, heads, s->q_len), s->kv_len);
    struct wl_gemm qk = {.g = heads, .m = s->q_len, .n = s->kv_len, .k = s->head_size};
    struct wl_gemm pv = {.g = heads, .m = s->q_len, .n = s->v_head_size, .k = s->kv_len};
    w->access = WL_ACCESS_REDUCE;
    wl_work_add_gemm(c, w, qk);
    wl_work_add_gemm(c, w, pv);
    wl_work_add_k(c, w, WL_WORK_ADDMUL, s->mask ? 2 : 1, scores);
    if (s->softcap) {
        wl_work_add(c, w, WL_WORK_ADDMUL, scores);
        wl_work_add(c, w, WL_WORK_DIVIDE, scores);
        wl_work_add(c, w, WL_WORK_SPECIAL, scores);
    }
    wl_work_softmax(c, w, scores);
}

static struct wl_dim divided(const struct wl_op_ctx *c, struct wl_dim d, struct wl_dim by)
{
    return wl_dim_exact_div(wl_op_pool(c), d, by);
}

static struct wl_dim head_count(const struct wl_op_ctx *c, const char *attr)
{
    int64_t n = wl_node_attr_int(c->node, attr, 0);
    return n > 0 ? wl_dim_known(n) : wl_dim_unknown();
}

/*
 * Both layouts: (B, H, L, D), and (B, L, H*D) with the head counts as attributes. False when the
 * ranks are unknown. kv_len includes the past.
 */
static bool attention_shape(const struct wl_op_ctx *c, struct wl_attention_shape *s)
{
    int32_t rank = wl_op_in_rank(c, 0);
    memset(s, 0, sizeof(*s));
    s->batch = wl_op_in_dim(c, 0, 0);
    s->mask = wl_op_has_in(c, 3) || wl_node_attr_int(c->node, "is_causal", 0) != 0;
    s->softcap = wl_node_attr_float(c->node, "softcap", 0.0) > 0.0;
    if (rank == 4) {
        s->q_heads = wl_op_in_dim(c, 0, 1);
        s->q_len = wl_op_in_dim(c, 0, 2);
        s->head_size = wl_op_in_dim(c, 0, 3);
        s->kv_heads = wl_op_in_dim(c, 1, 1);
        s->kv_len = wl_op_in_dim(c, 1, 2);
        s->v_head_size = wl_op_in_dim(c, 2, 3);
    } else if (rank == 3) {
        s->q_heads = head_count(c, "q_num_heads");
        s->kv_heads = head_count(c, "kv_num_heads");
        s->q_len = wl_op_in_dim(c, 0, 1);
        s->kv_len = wl_op_in_dim(c, 1, 1);
        s->head_size = divided(c, wl_op_in_dim(c, 0, 2), s->q_heads);
        s->v_head_size = divided(c, wl_op_in_dim(c, 2, 2), s->kv_heads);
    } else {
        return false;
    }
    if (wl_op_has_in(c, 4)) {
        s->kv_len = wl_dim_add(wl_op_pool(c), s->kv_len, wl_op_in_dim(c, 4, 2));
    }
    return true;
}

static wl_status set_attention_out(struct wl_op_ctx *c, const struct wl_attention_shape *s)
{
    if (wl_op_in_rank(c, 0) == 4) {
        struct wl_dim dims[4] = {s->batch, s->q_heads, s->q_len, s->v_head_size};
        return wl_op_set_shape(c, 0, 4, dims);
    }
    struct wl_dim hidden = wl_dim_mul(wl_op_pool(c), s->q_heads, s->v_head_size);
    struct wl_dim dims[3] = {s->batch, s->q_len, hidden};
    return wl_op_set_shape(c, 0, 3, dims);
}

wl_status wl_infer_attention(struct wl_op_ctx *c)
{
    struct wl_attention_shape s;
    wl_op_set_dtype(c, 0, wl_op_in_dtype(c, 0));
    wl_op_set_dtype(c, 1, wl_op_in_dtype(c, 1));
    wl_op_set_dtype(c, 2, wl_op_in_dtype(c, 2));
    wl_op_set_dtype(c, 3, wl_op_in_dtype(c, 0));
    if (!attention_shape(c, &s)) {
        return WL_OK;
    }
    WL_TRY(set_attention_out(c, &s));
    /* The keys' head size: the query's, by definition of the product. */
    struct wl_dim key[4] = {s.batch, s.kv_heads, s.kv_len, s.head_size};
    struct wl_dim value[4] = {s.batch, s.kv_heads, s.kv_len, s.v_head_size};
    struct wl_dim scores[4] = {s.batch, s.q_heads, s.q_len, s.kv_len};
    WL_TRY(wl_op_set_shape(c, 1, 4, key));
    WL_TRY(wl_op_set_shape(c, 2, 4, value));
    return wl_op_set_shape(c, 3, 4, scores);
}

void wl_cost_attention(struct wl_op_ctx *c, struct wl_work *w)
{
    struct wl_attention_shape s;
    if (!attention_shape(c, &s)) {
        w->macs = wl_dim_unknown();
        return;
    }
    wl_work_attention(c, w, &s);
}

/* ---- FlexAttention ----------------------------------------------------------------------------
 */

/* Types the body's input as the score matrix and infers it; its nodes run as often as this one. */
static wl_status infer_mod(struct wl_op_ctx *c, const char *attr, const struct wl_dim *scores)
{
    const struct wl_attr *a = wl_node_attr(c->node, attr);
    if (a == NULL || a->type != WL_ATTR_BLOCK || c->infer_block == NULL) {
        return WL_OK;
    }
    const struct wl_block *b = &c->g->blocks[a->u.block];
    for (int32_t i = 0; i < b->node_count; i++) {
        c->g->nodes[b->nodes[i]].repeat = c->node->repeat;
    }
    if (b->input_count == 1 && scores != NULL) {
        struct wl_tensor *t = &c->g->tensors[b->inputs[0]];
        struct wl_dim *dims = wl_arena_copy(c->g->arena, scores, 4 * sizeof(*dims));
        WL_TRY_PTR(dims, c->err);
        t->type_kind = WL_TYPE_TENSOR;
        t->dtype = wl_op_in_dtype(c, 0);
        t->rank = 4;
        t->dims = dims;
    }
    return c->infer_block(c->user, a->u.block, c->err);
}

wl_status wl_infer_flex_attention(struct wl_op_ctx *c)
{
    struct wl_attention_shape s;
    wl_op_set_dtype(c, 0, wl_op_in_dtype(c, 0));
    bool known = wl_op_in_rank(c, 0) == 4 && attention_shape(c, &s);
    struct wl_dim scores[4];
    if (known) {
        WL_TRY(set_attention_out(c, &s));
        scores[0] = s.batch;
        scores[1] = s.q_heads;
        scores[2] = s.q_len;
        scores[3] = s.kv_len;
    }
    WL_TRY(infer_mod(c, "score_mod", known ? scores : NULL));
    return infer_mod(c, "prob_mod", known ? scores : NULL);
}

void wl_cost_flex_attention(struct wl_op_ctx *c, struct wl_work *w)
{
    wl_cost_attention(c, w);
}

/* ---- LinearAttention --------------------------------------------------------------------------
 */

struct linear_shape {
    struct wl_dim batch, tokens, q_heads, kv_heads, key_size, value_size;
};

static bool linear_shape_get(const struct wl_op_ctx *c, struct linear_shape *s)
{
    s->batch = wl_op_in_dim(c, 0, 0);
    s->tokens = wl_op_in_dim(c, 0, 1);
    s->q_heads = head_count(c, "q_num_heads");
    s->kv_heads = head_count(c, "kv_num_heads");
    s->key_size = divided(c, wl_op_in_dim(c, 0, 2), s->q_heads);
    s->value_size = divided(c, wl_op_in_dim(c, 2, 2), s->kv_heads);
    return wl_op_in_rank(c, 0) == 3;
}

wl_status wl_infer_linear_attention(struct wl_op_ctx *c)
{
    struct linear_shape s;
    enum wl_dtype state_type = wl_op_in_dtype(c, 3);
    wl_op_set_dtype(c, 0, wl_op_in_dtype(c, 0));
    wl_op_set_dtype(c, 1, state_type == WL_DT_UNDEFINED ? wl_op_in_dtype(c, 0) : state_type);
    if (!linear_shape_get(c, &s)) {
        return WL_OK;
    }
    struct wl_dim out[3] = {s.batch, s.tokens, wl_dim_mul(wl_op_pool(c), s.q_heads, s.value_size)};
    struct wl_dim state[4] = {s.batch, s.kv_heads, s.key_size, s.value_size};
    WL_TRY(wl_op_set_shape(c, 0, 3, out));
    return wl_op_set_shape(c, 1, 4, state);
}

void wl_cost_linear_attention(struct wl_op_ctx *c, struct wl_work *w)
{
    struct linear_shape s;
    struct wl_dim_pool *p = wl_op_pool(c);
    struct wl_dim one = wl_dim_known(1);
    struct wl_str rule = wl_node_attr_str(c->node, "update_rule");
    bool delta = rule.len == 0 || wl_str_is(rule, "delta") || wl_str_is(rule, "gated_delta");
    bool gated = rule.len == 0 || wl_str_is(rule, "gated") || wl_str_is(rule, "gated_delta");
    (void)linear_shape_get(c, &s);
    struct wl_dim rows = wl_dim_mul(p, s.batch, s.tokens);
    struct wl_dim kv = wl_dim_mul(p, rows, s.kv_heads);
    struct wl_dim q = wl_dim_mul(p, rows, s.q_heads);
    struct wl_dim states = wl_dim_mul(p, kv, wl_dim_mul(p, s.key_size, s.value_size));
    struct wl_dim errors = wl_dim_mul(p, kv, s.value_size);
    w->access = WL_ACCESS_REDUCE;
    w->steps = s.tokens;
    wl_work_add_gemm(c, w, (struct wl_gemm){kv, s.key_size, s.value_size, one});
    wl_work_add_gemm(c, w, (struct wl_gemm){q, one, s.value_size, s.key_size});
    if (delta) {
        wl_work_add_gemm(c, w, (struct wl_gemm){kv, one, s.value_size, s.key_size});
        wl_work_add_k(c, w, WL_WORK_ADDMUL, 2, errors);
    }
    if (gated) {
        wl_work_add(c, w, WL_WORK_ADDMUL, states);
        wl_work_add(c, w, WL_WORK_SPECIAL, wl_op_in_elems(c, 4));
    }
    wl_work_add(c, w, WL_WORK_ADDMUL, wl_op_out_elems(c, 0));
}

/* ---- rotary embedding, cache update -------------------------------------------------------------
 */

wl_status wl_infer_rotary(struct wl_op_ctx *c)
{
    wl_op_set_same(c, 0, 0);
    return WL_OK;
}

void wl_cost_rotary(struct wl_op_ctx *c, struct wl_work *w)
{
    struct wl_dim_pool *p = wl_op_pool(c);
    struct wl_dim n = wl_op_in_elems(c, 0);
    int64_t part = wl_node_attr_int(c->node, "rotary_embedding_dim", 0);
    w->access = WL_ACCESS_STREAM;
    if (part > 0) {
        struct wl_dim head = wl_op_in_dim(c, 0, 3);
        if (wl_op_in_rank(c, 0) == 3) {
            head = divided(c, wl_op_in_dim(c, 0, 2), head_count(c, "num_heads"));
        }
        n = wl_dim_mul_k(p, divided(c, n, head), part);
    }
    wl_work_add_k(c, w, WL_WORK_ADDMUL, 3, n);
}

void wl_cost_tensor_scatter(struct wl_op_ctx *c, struct wl_work *w)
{
    (void)c;
    w->access = WL_ACCESS_GATHER;
}
