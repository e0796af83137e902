/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops/ms_attention.c: the fused attention operators that ONNX Runtime's optimizers and exporters
 * write (domain com.microsoft). Inputs, layouts and output shapes after ONNX Runtime's contrib
 * operator list.
 *
 * Work: the input projections where the operator has them (rows x in x out MACs and one add per
 * output for a bias), the two products and the softmax of scaled dot-product attention
 * (attention.c), 3 operations per rotated element for rotary embedding. Masks skip nothing: the
 * nominal work is that of the full score matrix. Packed forms count their padded batch; Longformer
 * 2 W + 1 keys per query.
 */
#include <string.h>

#include "move_priv.h"

/* Everything shape and cost need to know of a fused attention node. */
struct fused {
    struct wl_attention_shape s;
    struct wl_dim rows, inner, columns; /* projection, where `projected` */
    struct wl_dim rotated;              /* elements that rotary embedding turns */
    struct wl_dim biased;               /* elements that get a bias */
    bool projected, integer;
};

static struct wl_dim mul(const struct wl_op_ctx *c, struct wl_dim a, struct wl_dim b)
{
    return wl_dim_mul(wl_op_pool(c), a, b);
}

static struct wl_dim over(const struct wl_op_ctx *c, struct wl_dim a, struct wl_dim b)
{
    return wl_dim_exact_div(wl_op_pool(c), a, b);
}

static struct wl_dim heads_attr(const struct wl_op_ctx *c, const char *name)
{
    int64_t n = wl_node_attr_int(c->node, name, 0);
    return n > 0 ? wl_dim_known(n) : wl_dim_unknown();
}

static void fused_init(const struct wl_op_ctx *c, struct fused *f)
{
    memset(f, 0, sizeof(*f));
    f->rotated = wl_dim_known(0);
    f->biased = wl_dim_known(0);
    f->s.batch = wl_op_in_dim(c, 0, 0);
    f->s.q_len = wl_op_in_dim(c, 0, 1);
    f->s.q_heads = heads_attr(c, "num_heads");
    f->s.kv_heads = f->s.q_heads;
    f->s.kv_len = f->s.q_len;
    f->s.softcap = wl_node_attr_float(c->node, "softcap", 0.0) > 0.0;
}

static void fused_cost(const struct wl_op_ctx *c, struct wl_work *w, const struct fused *f)
{
    w->integer_macs = f->integer;
    if (f->projected) {
        wl_work_add_gemm(c, w, (struct wl_gemm){wl_dim_known(1), f->rows, f->columns, f->inner});
    }
    wl_work_add(c, w, WL_WORK_ADDMUL, f->biased);
    wl_work_add_k(c, w, WL_WORK_ADDMUL, 3, f->rotated);
    wl_work_attention(c, w, &f->s);
}

/* Output (batch, queries, value heads joined). */
static wl_status set_joined(struct wl_op_ctx *c, const struct fused *f)
{
    struct wl_dim dims[3] = {f->s.batch, f->s.q_len, mul(c, f->s.q_heads, f->s.v_head_size)};
    return wl_op_set_shape(c, 0, 3, dims);
}

/* ---- Attention, QAttention, PackedAttention: projections inside --------------------------- */

/* Columns of the merged weight and its parts: attribute qkv_hidden_sizes, else three equal ones. */
static void merged_weight(const struct wl_op_ctx *c, struct fused *f, int32_t weight)
{
    int64_t parts[3];
    f->projected = true;
    f->inner = wl_op_in_dim(c, weight, 0);
    f->columns = wl_op_in_dim(c, weight, 1);
    struct wl_dim third = over(c, f->columns, wl_dim_known(3));
    bool given = wl_op_attr_ints(c, "qkv_hidden_sizes", parts, 3) == 3;
    f->s.head_size = over(c, given ? wl_dim_known(parts[0]) : third, f->s.q_heads);
    f->s.v_head_size = over(c, given ? wl_dim_known(parts[2]) : third, f->s.q_heads);
}

/* Keys of the past at input `past`, a (2, batch, heads, length, head size) tensor. */
static void merged_past(const struct wl_op_ctx *c, struct fused *f, int32_t past)
{
    bool shared = wl_node_attr_int(c->node, "past_present_share_buffer", 0) != 0;
    if (!wl_op_has_in(c, past)) {
        return;
    }
    struct wl_dim before = wl_op_in_dim(c, past, 3);
    f->s.kv_len = shared ? before : wl_dim_add(wl_op_pool(c), f->s.kv_len, before);
}

static void attention_get(const struct wl_op_ctx *c, struct fused *f, int32_t mask, int32_t past,
                          int32_t bias)
{
    fused_init(c, f);
    merged_weight(c, f, 1);
    merged_past(c, f, past);
    f->rows = mul(c, f->s.batch, f->s.q_len);
    f->s.mask = wl_op_has_in(c, mask) || wl_op_has_in(c, bias) ||
                wl_node_attr_int(c->node, "unidirectional", 0) != 0;
    if (wl_op_has_in(c, 2)) {
        f->biased = mul(c, f->rows, f->columns);
    }
    if (wl_node_attr_int(c->node, "do_rotary", 0) != 0) {
        struct wl_dim hidden = mul(c, f->s.q_heads, f->s.head_size);
        f->rotated = wl_dim_mul_k(wl_op_pool(c), mul(c, f->rows, hidden), 2);
    }
}

static wl_status set_merged_present(struct wl_op_ctx *c, const struct fused *f)
{
    struct wl_dim dims[5] = {wl_dim_known(2), f->s.batch, f->s.q_heads, f->s.kv_len,
                             f->s.head_size};
    return wl_op_set_shape(c, 1, 5, dims);
}

wl_status wl_infer_ms_attention(struct wl_op_ctx *c)
{
    struct fused f;
    attention_get(c, &f, 3, 4, 5);
    wl_op_same_dtype(c, 0, 0);
    wl_op_same_dtype(c, 1, 0);
    WL_TRY(set_joined(c, &f));
    return set_merged_present(c, &f);
}

void wl_cost_ms_attention(struct wl_op_ctx *c, struct wl_work *w)
{
    struct fused f;
    attention_get(c, &f, 3, 4, 5);
    fused_cost(c, w, &f);
}

wl_status wl_infer_qattention(struct wl_op_ctx *c)
{
    struct fused f;
    attention_get(c, &f, 5, 8, 5);
    wl_op_same_dtype(c, 0, 3);
    wl_op_same_dtype(c, 1, 3);
    WL_TRY(set_joined(c, &f));
    return set_merged_present(c, &f);
}

/* The projection multiplies integers and scales its results once. */
void wl_cost_qattention(struct wl_op_ctx *c, struct wl_work *w)
{
    struct fused f;
    attention_get(c, &f, 5, 8, 5);
    f.integer = true;
    fused_cost(c, w, &f);
    wl_work_add(c, w, WL_WORK_ADDMUL, mul(c, f.rows, f.columns));
}

/* (tokens, in) with the padded batch in token_offset (batch, length). */
static void packed_get(const struct wl_op_ctx *c, struct fused *f)
{
    fused_init(c, f);
    merged_weight(c, f, 1);
    f->rows = wl_op_in_dim(c, 0, 0);
    f->s.batch = wl_op_in_dim(c, 3, 0);
    f->s.q_len = wl_op_in_dim(c, 3, 1);
    f->s.kv_len = f->s.q_len;
    f->s.mask = true;
    f->biased = mul(c, f->rows, f->columns);
}

wl_status wl_infer_packed_attention(struct wl_op_ctx *c)
{
    struct fused f;
    packed_get(c, &f);
    struct wl_dim dims[2] = {f.rows, mul(c, f.s.q_heads, f.s.v_head_size)};
    return wl_op_set(c, 0, wl_op_in_dtype(c, 0), 2, dims);
}

void wl_cost_packed_attention(struct wl_op_ctx *c, struct wl_work *w)
{
    struct fused f;
    packed_get(c, &f);
    fused_cost(c, w, &f);
}

/* Query (tokens, hidden) or (tokens, heads, 3, head size). */
static void packed_mha_get(const struct wl_op_ctx *c, struct fused *f)
{
    fused_init(c, f);
    bool together = wl_op_in_rank(c, 0) == 4;
    f->rows = wl_op_in_dim(c, 0, 0);
    f->s.batch = wl_op_in_dim(c, 4, 0);
    f->s.q_len = wl_op_in_dim(c, 4, 1);
    f->s.kv_len = f->s.q_len;
    f->s.mask = true;
    f->s.head_size =
        together ? wl_op_in_dim(c, 0, 3) : over(c, wl_op_in_dim(c, 0, 1), f->s.q_heads);
    f->s.v_head_size = together ? f->s.head_size : over(c, wl_op_in_dim(c, 2, 1), f->s.q_heads);
    if (wl_op_has_in(c, 3)) {
        f->biased = mul(c, f->rows, wl_op_in_dim(c, 3, 0));
    }
}

wl_status wl_infer_packed_mha(struct wl_op_ctx *c)
{
    struct fused f;
    packed_mha_get(c, &f);
    struct wl_dim dims[2] = {f.rows, mul(c, f.s.q_heads, f.s.v_head_size)};
    return wl_op_set(c, 0, wl_op_in_dtype(c, 0), 2, dims);
}

void wl_cost_packed_mha(struct wl_op_ctx *c, struct wl_work *w)
{
    struct fused f;
    packed_mha_get(c, &f);
    fused_cost(c, w, &f);
}

/* Three weights of their own (inputs 5 to 7), integer products. */
static void qordered_get(const struct wl_op_ctx *c, struct fused *f)
{
    struct wl_dim_pool *p = wl_op_pool(c);
    fused_init(c, f);
    f->projected = true;
    f->integer = true;
    f->rows = mul(c, f->s.batch, f->s.q_len);
    f->inner = wl_op_in_dim(c, 5, 0);
    f->columns = wl_dim_add(p, wl_dim_add(p, wl_op_in_dim(c, 5, 1), wl_op_in_dim(c, 6, 1)),
                            wl_op_in_dim(c, 7, 1));
    f->s.head_size = over(c, wl_op_in_dim(c, 5, 1), f->s.q_heads);
    f->s.v_head_size = over(c, wl_op_in_dim(c, 7, 1), f->s.q_heads);
    f->s.mask = wl_op_has_in(c, 17);
    f->biased = mul(c, f->rows, f->columns);
}

wl_status wl_infer_qordered_attention(struct wl_op_ctx *c)
{
    struct fused f;
    qordered_get(c, &f);
    wl_op_same_dtype(c, 0, 0);
    return set_joined(c, &f);
}

void wl_cost_qordered_attention(struct wl_op_ctx *c, struct wl_work *w)
{
    struct fused f;
    qordered_get(c, &f);
    fused_cost(c, w, &f);
}

/* ---- MultiHeadAttention: projections outside ---------------------------------------------- */

/* Present keys and values (batch, heads, keys, head size); `like` gives the shape of a shared
 * buffer. */
static wl_status set_presents(struct wl_op_ctx *c, const struct fused *f, int32_t past, bool shared)
{
    struct wl_dim key[4] = {f->s.batch, f->s.kv_heads, f->s.kv_len, f->s.head_size};
    struct wl_dim value[4] = {f->s.batch, f->s.kv_heads, f->s.kv_len, f->s.v_head_size};
    for (int32_t o = 1; o <= 2; o++) {
        bool cached = wl_op_in_dtype(c, past + o - 1) != WL_DT_UNDEFINED;
        wl_op_set_dtype(c, o, wl_op_in_dtype(c, cached ? past + o - 1 : 0));
        if (shared) {
            wl_op_set_shape_of(c, o, past + o - 1);
        } else {
            WL_TRY(wl_op_set_shape(c, o, 4, o == 1 ? key : value));
        }
    }
    return WL_OK;
}

/* Scores (batch, heads, queries, keys) as output 3. */
static wl_status set_scores(struct wl_op_ctx *c, const struct fused *f)
{
    struct wl_dim dims[4] = {f->s.batch, f->s.q_heads, f->s.q_len, f->s.kv_len};
    return wl_op_set(c, 3, wl_op_in_dtype(c, 0), 4, dims);
}

/* Keys and values at inputs 1 and 2 in any of the layouts that the operator allows. */
static void mha_keys(const struct wl_op_ctx *c, struct fused *f, int32_t past)
{
    struct wl_attention_shape *s = &f->s;
    int32_t rank = wl_op_in_rank(c, 1);
    if (rank == 5) { /* (batch, keys, heads, 2, head size) */
        s->kv_len = wl_op_in_dim(c, 1, 1);
        s->v_head_size = s->head_size;
    } else if (rank == 4) { /* (batch, heads, keys, head size): a finished cache */
        s->kv_len = wl_op_in_dim(c, 1, 2);
        s->v_head_size = wl_op_in_dim(c, 2, 3);
        return;
    } else if (rank == 3) {
        s->kv_len = wl_op_in_dim(c, 1, 1);
        s->v_head_size = over(c, wl_op_in_dim(c, 2, 2), s->q_heads);
    } else if (wl_op_has_in(c, 1)) {
        s->kv_len = wl_dim_unknown();
        s->v_head_size = wl_dim_unknown();
    }
    if (wl_op_has_in(c, past)) {
        s->kv_len = wl_dim_add(wl_op_pool(c), s->kv_len, wl_op_in_dim(c, past, 2));
    }
}

static void mha_get(const struct wl_op_ctx *c, struct fused *f)
{
    fused_init(c, f);
    struct wl_attention_shape *s = &f->s;
    bool together = wl_op_in_rank(c, 0) == 5; /* (batch, length, heads, 3, head size) */
    s->head_size = together ? wl_op_in_dim(c, 0, 4) : over(c, wl_op_in_dim(c, 0, 2), s->q_heads);
    s->v_head_size = s->head_size;
    mha_keys(c, f, 6);
    if (wl_op_has_in(c, 8) && wl_op_has_in(c, 6)) {
        s->kv_len = wl_op_in_dim(c, 6, 2); /* a shared buffer of the longest length */
    }
    s->mask = wl_op_has_in(c, 4) || wl_op_has_in(c, 5) ||
              wl_node_attr_int(c->node, "unidirectional", 0) != 0;
    if (wl_op_has_in(c, 3)) {
        f->biased = mul(c, mul(c, s->batch, s->q_len), wl_op_in_dim(c, 3, 0));
    }
}

wl_status wl_infer_mha(struct wl_op_ctx *c)
{
    struct fused f;
    mha_get(c, &f);
    wl_op_same_dtype(c, 0, 0);
    if (wl_op_in_rank(c, 0) < 3) {
        return WL_OK;
    }
    WL_TRY(set_joined(c, &f));
    WL_TRY(set_presents(c, &f, 6, wl_op_has_in(c, 8)));
    return set_scores(c, &f);
}

void wl_cost_mha(struct wl_op_ctx *c, struct wl_work *w)
{
    struct fused f;
    mha_get(c, &f);
    fused_cost(c, w, &f);
}

/* One query per sequence; the packed form has 3 hidden sizes in the query. */
static void decoder_mha_get(const struct wl_op_ctx *c, struct fused *f)
{
    fused_init(c, f);
    struct wl_attention_shape *s = &f->s;
    struct wl_dim hidden = wl_op_in_dim(c, 0, 2);
    hidden = wl_op_has_in(c, 1) ? hidden : over(c, hidden, wl_dim_known(3));
    s->head_size = over(c, hidden, s->q_heads);
    s->v_head_size = s->head_size;
    bool shared = wl_node_attr_int(c->node, "past_present_share_buffer", 0) != 0;
    mha_keys(c, f, 5);
    if (shared && wl_op_has_in(c, 5)) {
        s->kv_len = wl_op_in_dim(c, 5, 2);
    }
    s->mask = wl_op_has_in(c, 3) || wl_op_has_in(c, 4);
    if (wl_op_has_in(c, 10)) {
        f->biased = mul(c, mul(c, s->batch, s->q_len), wl_op_in_dim(c, 10, 0));
    }
}

wl_status wl_infer_decoder_mha(struct wl_op_ctx *c)
{
    struct fused f;
    decoder_mha_get(c, &f);
    wl_op_same_dtype(c, 0, 0);
    WL_TRY(set_joined(c, &f));
    WL_TRY(set_presents(c, &f, 5, false));
    return set_scores(c, &f);
}

void wl_cost_decoder_mha(struct wl_op_ctx *c, struct wl_work *w)
{
    struct fused f;
    decoder_mha_get(c, &f);
    fused_cost(c, w, &f);
}

/* ---- GroupQueryAttention, SparseAttention ------------------------------------------------- */

/*
 * Query (batch, length, heads * head size), or with the keys and values behind it when those are
 * omitted. The total length is input `total` where known, else past + new.
 */
static void gqa_get(const struct wl_op_ctx *c, struct fused *f, int32_t total)
{
    fused_init(c, f);
    struct wl_dim_pool *p = wl_op_pool(c);
    struct wl_attention_shape *s = &f->s;
    s->kv_heads = heads_attr(c, "kv_num_heads");
    struct wl_dim all = s->q_heads;
    if (!wl_op_has_in(c, 1)) {
        all = wl_dim_add(p, s->q_heads, wl_dim_mul_k(p, s->kv_heads, 2));
    }
    s->head_size = over(c, wl_op_in_dim(c, 0, 2), all);
    s->v_head_size = s->head_size;
    struct wl_dim fresh = wl_op_has_in(c, 1) ? wl_op_in_dim(c, 1, 1) : s->q_len;
    s->kv_len = wl_op_has_in(c, 3) ? wl_dim_add(p, fresh, wl_op_in_dim(c, 3, 2)) : fresh;
    struct wl_dim given = wl_op_in_scalar(c, total);
    if (!wl_dim_is_unknown(given)) {
        s->kv_len = given;
    }
    int64_t window = wl_node_attr_int(c->node, "local_window_size", -1);
    if (window > 0) {
        s->kv_len = wl_dim_min(p, s->kv_len, wl_dim_known(window));
    }
    s->mask = true;
    if (wl_node_attr_int(c->node, "do_rotary", 0) != 0) {
        struct wl_dim heads = wl_dim_add(p, s->q_heads, s->kv_heads);
        f->rotated = mul(c, mul(c, s->batch, s->q_len), mul(c, heads, s->head_size));
    }
}

/*
 * The presents are as long as past + new, or as the past where both share a buffer; the file does
 * not say which, so that length stays unknown unless the total length is.
 */
static wl_status set_gqa_presents(struct wl_op_ctx *c, const struct fused *f)
{
    struct wl_dim length = wl_op_has_in(c, 3) ? wl_dim_unknown() : wl_op_in_dim(c, 1, 1);
    if (!wl_op_has_in(c, 3) && !wl_op_has_in(c, 1)) {
        length = f->s.q_len;
    }
    struct wl_dim total = wl_op_in_scalar(c, 6);
    if (wl_op_has_in(c, 3) && !wl_dim_is_unknown(total)) {
        length = wl_dim_max(wl_op_pool(c), total, wl_op_in_dim(c, 3, 2));
    }
    struct wl_dim dims[4] = {f->s.batch, f->s.kv_heads, length, f->s.head_size};
    bool packed = wl_dim_ne(wl_op_in_dim(c, 3, 3), f->s.head_size);
    dims[3] = packed ? wl_op_in_dim(c, 3, 3) : dims[3]; /* two 4-bit values per byte */
    for (int32_t o = 1; o <= 2; o++) {
        bool cached = wl_op_in_dtype(c, 2 + o) != WL_DT_UNDEFINED;
        WL_TRY(wl_op_set(c, o, wl_op_in_dtype(c, cached ? 2 + o : 0), 4, dims));
    }
    return WL_OK;
}

wl_status wl_infer_gqa(struct wl_op_ctx *c)
{
    struct fused f;
    gqa_get(c, &f, 6);
    wl_op_same_dtype(c, 0, 0);
    WL_TRY(set_joined(c, &f));
    WL_TRY(set_gqa_presents(c, &f));
    struct wl_dim dims[4] = {f.s.batch, f.s.q_heads, f.s.q_len, wl_dim_unknown()};
    return wl_op_set(c, 3, wl_op_in_dtype(c, 0), 4, dims);
}

void wl_cost_gqa(struct wl_op_ctx *c, struct wl_work *w)
{
    struct fused f;
    gqa_get(c, &f, 6);
    fused_cost(c, w, &f);
}

wl_status wl_infer_sparse_attention(struct wl_op_ctx *c)
{
    struct fused f;
    gqa_get(c, &f, 7);
    wl_op_same_dtype(c, 0, 0);
    WL_TRY(set_joined(c, &f));
    wl_op_set_same(c, 1, 3);
    wl_op_set_same(c, 2, 4);
    return WL_OK;
}

/* All blocks count: which are skipped depends on the block mask. */
void wl_cost_sparse_attention(struct wl_op_ctx *c, struct wl_work *w)
{
    struct fused f;
    gqa_get(c, &f, 7);
    fused_cost(c, w, &f);
}

/* ---- PagedAttention, LongformerAttention, DecoderAttention -------------------------------- */

/* (tokens, hidden); every token may see all blocks of its sequence: max_blocks x block_size keys.
 */
static void paged_get(const struct wl_op_ctx *c, struct fused *f)
{
    fused_init(c, f);
    struct wl_dim_pool *p = wl_op_pool(c);
    struct wl_attention_shape *s = &f->s;
    s->kv_heads = heads_attr(c, "kv_num_heads");
    s->q_len = wl_op_in_dim(c, 0, 0);
    s->batch = wl_dim_known(1);
    struct wl_dim all = s->q_heads;
    if (!wl_op_has_in(c, 1)) {
        all = wl_dim_add(p, s->q_heads, wl_dim_mul_k(p, s->kv_heads, 2));
    }
    s->head_size = over(c, wl_op_in_dim(c, 0, 1), all);
    int64_t v_head = wl_node_attr_int(c->node, "v_head_size", 0);
    s->v_head_size = v_head > 0 ? wl_dim_known(v_head) : s->head_size;
    s->kv_len = mul(c, wl_op_in_dim(c, 7, 1), wl_op_in_dim(c, 3, 1));
    s->mask = true;
}

wl_status wl_infer_paged_attention(struct wl_op_ctx *c)
{
    struct fused f;
    paged_get(c, &f);
    struct wl_dim dims[2] = {f.s.q_len, mul(c, f.s.q_heads, f.s.v_head_size)};
    wl_op_set_same(c, 1, 3);
    wl_op_set_same(c, 2, 4);
    return wl_op_set(c, 0, wl_op_in_dtype(c, 0), 2, dims);
}

void wl_cost_paged_attention(struct wl_op_ctx *c, struct wl_work *w)
{
    struct fused f;
    paged_get(c, &f);
    fused_cost(c, w, &f);
}

/* Local and global projections of all tokens; a window of 2 W + 1 keys for each query. */
void wl_cost_longformer(struct wl_op_ctx *c, struct wl_work *w)
{
    struct fused f;
    struct wl_dim_pool *p = wl_op_pool(c);
    int64_t window = wl_max_i64(0, wl_min_i64(wl_node_attr_int(c->node, "window", 0), 1 << 30));
    fused_init(c, &f);
    f.projected = true;
    f.rows = mul(c, f.s.batch, f.s.q_len);
    f.inner = wl_op_in_dim(c, 0, 2);
    f.columns = wl_dim_mul_k(p, f.inner, 6);
    f.s.head_size = over(c, f.inner, f.s.q_heads);
    f.s.v_head_size = f.s.head_size;
    f.s.kv_len = wl_dim_min(p, f.s.q_len, wl_dim_known(2 * window + 1));
    f.s.mask = true;
    f.biased = mul(c, f.rows, f.columns);
    fused_cost(c, w, &f);
}

/* (length, batch, hidden); the caches' lengths depend on flags given at run time. */
wl_status wl_infer_decoder_attention(struct wl_op_ctx *c)
{
    wl_op_set_same(c, 0, 0);
    struct wl_dim heads = heads_attr(c, "num_heads");
    struct wl_dim dims[4] = {wl_op_in_dim(c, 0, 1), heads, wl_dim_unknown(),
                             over(c, wl_op_in_dim(c, 0, 2), heads)};
    WL_TRY(wl_op_set(c, 1, wl_op_in_dtype(c, 0), 4, dims));
    return wl_op_set(c, 2, wl_op_in_dtype(c, 0), 4, dims);
}

/* Taken as attention over the given keys, which are projected too. */
void wl_cost_decoder_attention(struct wl_op_ctx *c, struct wl_work *w)
{
    struct fused f;
    struct wl_dim_pool *p = wl_op_pool(c);
    struct wl_dim hidden = wl_op_in_dim(c, 0, 2);
    fused_init(c, &f);
    f.s.batch = wl_op_in_dim(c, 0, 1);
    f.s.q_len = wl_op_in_dim(c, 0, 0);
    f.s.kv_len = wl_op_in_dim(c, 1, 0);
    f.s.head_size = over(c, hidden, f.s.q_heads);
    f.s.v_head_size = f.s.head_size;
    f.projected = true;
    f.rows = mul(c, f.s.batch, f.s.q_len);
    f.inner = hidden;
    f.columns = hidden;
    fused_cost(c, w, &f);
    wl_work_add_gemm(c, w,
                     (struct wl_gemm){wl_dim_known(1), mul(c, f.s.batch, f.s.kv_len),
                                      wl_dim_mul_k(p, hidden, 2), hidden});
}

/* ---- rotary embedding and position biases ------------------------------------------------- */

/* Outputs like q and k (inputs 1 and 3). */
wl_status wl_infer_gemma_rotary(struct wl_op_ctx *c)
{
    wl_op_set_same(c, 0, 1);
    wl_op_set_same(c, 1, 3);
    return WL_OK;
}

/* sin and cos of the angles, then two multiplies and an add per element of q and k. */
void wl_cost_gemma_rotary(struct wl_op_ctx *c, struct wl_work *w)
{
    w->access = WL_ACCESS_STREAM;
    wl_work_add_k(c, w, WL_WORK_SPECIAL, 2, wl_op_in_elems(c, 0));
    wl_work_add_k(c, w, WL_WORK_ADDMUL, 3, wl_op_in_elems(c, 1));
    wl_work_add_k(c, w, WL_WORK_ADDMUL, 3, wl_op_in_elems(c, 3));
}

/* Table (buckets, heads), query and key length -> (1, heads, queries, keys). */
wl_status wl_infer_relative_bias(struct wl_op_ctx *c)
{
    struct wl_dim dims[4] = {wl_dim_known(1), wl_op_in_dim(c, 0, 1), wl_op_in_scalar(c, 1),
                             wl_op_in_scalar(c, 2)};
    return wl_op_set(c, 0, wl_op_in_dtype(c, 0), 4, dims);
}

/* A bucket for each pair of positions: about 8 integer operations and a logarithm. */
void wl_cost_relative_bias(struct wl_op_ctx *c, struct wl_work *w)
{
    struct wl_dim pairs = mul(c, wl_op_out_dim(c, 0, 2), wl_op_out_dim(c, 0, 3));
    w->access = WL_ACCESS_GATHER;
    wl_work_add_k(c, w, WL_WORK_INTEGER, 8, pairs);
    wl_work_add(c, w, WL_WORK_SPECIAL, pairs);
}

/* Query layer, ..., rel_pos (1, heads, length, length) -> (batch, heads, length, length). */
wl_status wl_infer_gated_relative_bias(struct wl_op_ctx *c)
{
    bool packed = wl_op_in_rank(c, 0) == 2;
    struct wl_dim batch = wl_op_in_dim(c, packed ? 6 : 0, 0);
    struct wl_dim length = wl_op_in_dim(c, 2, 2);
    struct wl_dim dims[4] = {batch, heads_attr(c, "num_heads"), length, length};
    return wl_op_set(c, 0, wl_op_in_dtype(c, 0), 4, dims);
}

/* Product of the queries with (head size, D), sums to two gates with a sigmoid each, 3 per output.
 */
void wl_cost_gated_relative_bias(struct wl_op_ctx *c, struct wl_work *w)
{
    struct wl_dim k = wl_op_in_dim(c, 3, 0);
    struct wl_dim n = wl_op_in_dim(c, 3, 1);
    struct wl_dim rows = over(c, wl_op_in_elems(c, 0), k);
    w->access = WL_ACCESS_STREAM;
    wl_work_add_gemm(c, w, (struct wl_gemm){wl_dim_known(1), rows, n, k});
    wl_work_add(c, w, WL_WORK_ADDMUL, wl_op_in_elems(c, 0));
    wl_work_add_k(c, w, WL_WORK_ADDMUL, 2, mul(c, rows, n));
    wl_work_add_k(c, w, WL_WORK_SPECIAL, 2, rows);
    wl_work_add_k(c, w, WL_WORK_DIVIDE, 2, rows);
    wl_work_add_k(c, w, WL_WORK_ADDMUL, 3, wl_op_out_elems(c, 0));
}

/* ---- padding ------------------------------------------------------------------------------ */

wl_status wl_infer_remove_padding(struct wl_op_ctx *c)
{
    struct wl_dim_pool *p = wl_op_pool(c);
    struct wl_dim batch = wl_op_in_dim(c, 0, 0);
    struct wl_dim length = wl_op_in_dim(c, 0, 1);
    struct wl_dim tokens[2] = {wl_op_data_dim(c, "count", mul(c, batch, length)),
                               wl_op_in_dim(c, 0, 2)};
    struct wl_dim offsets[2] = {batch, length};
    struct wl_dim sums = wl_dim_add_k(p, batch, 1);
    struct wl_dim one = wl_dim_known(1);
    WL_TRY(wl_op_set(c, 0, wl_op_in_dtype(c, 0), 2, tokens));
    WL_TRY(wl_op_set(c, 1, WL_DT_INT32, 2, offsets));
    WL_TRY(wl_op_set(c, 2, WL_DT_INT32, 1, &sums));
    return wl_op_set(c, 3, WL_DT_INT32, 1, &one);
}

wl_status wl_infer_restore_padding(struct wl_op_ctx *c)
{
    struct wl_dim dims[3] = {wl_op_in_dim(c, 1, 0), wl_op_in_dim(c, 1, 1), wl_op_in_dim(c, 0, 1)};
    return wl_op_set(c, 0, wl_op_in_dtype(c, 0), 3, dims);
}
