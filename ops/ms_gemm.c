/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops/ms_gemm.c: fused, quantised and block-quantised matrix products of com.microsoft, mixtures of
 * experts, and the linear algebra beside them. Attributes, inputs and shapes after ONNX Runtime's
 * contrib operator list.
 *
 * Work: the product's MACs; an add per output for a bias; a multiply per output for a scale other
 * than 1; a fused activation by wl_work_fused_activation(). Weights that are stored in few bits are
 * unpacked as (q - zero point) * scale, 2 add/mul for each weight, once per execution. Products of
 * two integer operands are integer MACs; weight-only quantisation multiplies floats.
 */
#include <string.h>

#include "move_priv.h"

static struct wl_dim mul(const struct wl_op_ctx *c, struct wl_dim a, struct wl_dim b)
{
    return wl_dim_mul(wl_op_pool(c), a, b);
}

static void add_gemm(const struct wl_op_ctx *c, struct wl_work *w, struct wl_dim m, struct wl_dim n,
                     struct wl_dim k)
{
    wl_work_add_gemm(c, w, (struct wl_gemm){wl_dim_known(1), m, n, k});
}

/* Rows of input i: the product of all dims but the last. */
static struct wl_dim rows_of(const struct wl_op_ctx *c, int32_t i)
{
    const struct wl_tensor *x = wl_op_in(c, i);
    return x == NULL || x->rank < 1 ? wl_dim_unknown() : wl_op_product(c, x->dims, 0, x->rank - 1);
}

/* Shape of input 0 with the last dim replaced. */
static wl_status set_last(struct wl_op_ctx *c, int32_t o, struct wl_dim last)
{
    const struct wl_tensor *x = wl_op_in(c, 0);
    struct wl_dim dims[WL_RANK_MAX];
    if (x == NULL || x->rank < 1) {
        return WL_OK;
    }
    for (int32_t i = 0; i < x->rank; i++) {
        dims[i] = x->dims[i];
    }
    dims[x->rank - 1] = last;
    return wl_op_set_shape(c, o, x->rank, dims);
}

/* Work of an activation named as ONNX Runtime does, on n elements. */
void wl_work_fused_activation(const struct wl_op_ctx *c, struct wl_work *w, struct wl_str name,
                              struct wl_dim n)
{
    static const struct {
        const char *name;
        int64_t addmul, compare, divide, special;
    } known[] = {
        {"Relu", 0, 1, 0, 0},
        {"relu", 0, 1, 0, 0},
        {"RELU", 0, 1, 0, 0},
        {"LeakyRelu", 1, 1, 0, 0},
        {"Clip", 0, 2, 0, 0},
        {"HardSigmoid", 2, 2, 0, 0},
        {"Tanh", 0, 0, 0, 1},
        {"Sigmoid", 2, 0, 1, 1},
        {"Gelu", 4, 0, 0, 1},
        {"GELU", 4, 0, 0, 1},
        {"gelu", 4, 0, 0, 1},
        {"silu", 3, 0, 1, 1},
        {"Silu", 3, 0, 1, 1},
        {"swish", 3, 0, 1, 1},
        {"QuickGelu", 4, 0, 1, 1},
        {"swiglu", 5, 2, 1, 1},
        {"ThresholdedRelu", 0, 1, 0, 0},
        {"Elu", 2, 1, 0, 1},
        {"Softplus", 1, 0, 0, 2},
        {"Softmax", 2, 1, 1, 1},
    };
    for (size_t i = 0; i < WL_ARRAY_LEN(known); i++) {
        if (wl_str_is(name, known[i].name)) {
            wl_work_add_k(c, w, WL_WORK_ADDMUL, known[i].addmul, n);
            wl_work_add_k(c, w, WL_WORK_COMPARE, known[i].compare, n);
            wl_work_add_k(c, w, WL_WORK_DIVIDE, known[i].divide, n);
            wl_work_add_k(c, w, WL_WORK_SPECIAL, known[i].special, n);
            return;
        }
    }
}

static void activation_attr(struct wl_op_ctx *c, struct wl_work *w)
{
    wl_work_fused_activation(c, w, wl_node_attr_str(c->node, "activation"), wl_op_out_elems(c, 0));
}

/* ---- FusedMatMul, TransposeMatMul, FusedMatMulActivation ---------------------------------- */

/*
 * With transBatch the rows come first: (B1 .. Bn, M, K) is stored as (M, B1 .. Bn, K). Fills dims
 * as the product sees them.
 */
static int32_t fused_operand(const struct wl_op_ctx *c, int32_t i, bool swap, bool batch,
                             struct wl_dim *dims)
{
    const struct wl_tensor *x = wl_op_in(c, i);
    if (x == NULL || x->rank < 1 || x->rank > WL_RANK_MAX) {
        return WL_NONE;
    }
    int32_t n = x->rank;
    for (int32_t k = 0; k < n; k++) {
        dims[k] = x->dims[k];
    }
    if (batch && n > 2) {
        struct wl_dim first = dims[0];
        for (int32_t k = 0; k < n - 2; k++) {
            dims[k] = dims[k + 1];
        }
        dims[n - 2] = first;
    }
    if (swap && n > 1) {
        struct wl_dim last = dims[n - 1];
        dims[n - 1] = dims[n - 2];
        dims[n - 2] = last;
    }
    return n;
}

static bool flag(const struct wl_op_ctx *c, const char *name)
{
    return wl_node_attr_int(c->node, name, 0) != 0;
}

struct product {
    struct wl_dim out[WL_RANK_MAX];
    int32_t rank;
    struct wl_gemm gemm;
};

static bool fused_product(const struct wl_op_ctx *c, struct product *s)
{
    struct wl_dim a[WL_RANK_MAX];
    struct wl_dim b[WL_RANK_MAX];
    int32_t na = fused_operand(c, 0, flag(c, "transA"), flag(c, "transBatchA"), a);
    int32_t nb = fused_operand(c, 1, flag(c, "transB"), flag(c, "transBatchB"), b);
    memset(s, 0, sizeof(*s));
    if (na < 2 || nb < 2) {
        struct wl_matmul_shape plain;
        if (na < 1 || nb < 1 ||
            !wl_matmul_shape_get(c, 0, 1, flag(c, "transA"), flag(c, "transB"), &plain)) {
            return false;
        }
        memcpy(s->out, plain.out, sizeof(s->out));
        s->rank = plain.rank;
        s->gemm = plain.gemm;
        return true;
    }
    if (wl_dim_ne(a[na - 1], b[nb - 2]) || !wl_op_broadcast_into(s->out, &s->rank, a, na - 2) ||
        !wl_op_broadcast_into(s->out, &s->rank, b, nb - 2) || s->rank > WL_RANK_MAX - 2) {
        return false;
    }
    s->gemm = (struct wl_gemm){.g = wl_op_product(c, s->out, 0, s->rank),
                               .m = a[na - 2],
                               .n = b[nb - 1],
                               .k = wl_op_merge_dim(a[na - 1], b[nb - 2])};
    if (wl_dim_is(wl_op_product(c, b, 0, nb - 2), 1)) {
        s->gemm.m = mul(c, s->gemm.g, s->gemm.m);
        s->gemm.g = wl_dim_known(1);
    }
    s->out[s->rank++] = a[na - 2];
    s->out[s->rank++] = b[nb - 1];
    return true;
}

wl_status wl_infer_fused_matmul(struct wl_op_ctx *c)
{
    struct product s;
    wl_op_same_dtype(c, 0, 0);
    return fused_product(c, &s) ? wl_op_set_shape(c, 0, s.rank, s.out) : WL_OK;
}

static bool scaled(const struct wl_op_ctx *c, const char *name)
{
    double f = wl_node_attr_float(c->node, name, 1.0);
    return f < 1.0 || f > 1.0;
}

void wl_cost_fused_matmul(struct wl_op_ctx *c, struct wl_work *w)
{
    struct product s;
    w->access = WL_ACCESS_STREAM;
    if (fused_product(c, &s)) {
        wl_work_add_gemm(c, w, s.gemm);
    } else {
        w->macs = wl_dim_unknown();
    }
    if (scaled(c, "alpha")) {
        wl_work_add(c, w, WL_WORK_ADDMUL, wl_op_out_elems(c, 0));
    }
    activation_attr(c, w);
}

/* ---- Gemm with an activation or other types ----------------------------------------------- */

void wl_cost_fused_gemm(struct wl_op_ctx *c, struct wl_work *w)
{
    wl_cost_gemm(c, w);
    activation_attr(c, w);
}

wl_status wl_infer_gemm_float8(struct wl_op_ctx *c)
{
    WL_TRY(wl_infer_gemm(c));
    int64_t dtype = wl_node_attr_int(c->node, "dtype", WL_DT_FLOAT);
    wl_op_set_dtype(c, 0, wl_dtype_of_number(dtype));
    return WL_OK;
}

/* MatMul, bias, tanh form of Gelu. */
void wl_cost_gemm_fast_gelu(struct wl_op_ctx *c, struct wl_work *w)
{
    struct wl_dim n = wl_op_out_elems(c, 0);
    wl_cost_matmul(c, w);
    wl_work_add_k(c, w, WL_WORK_ADDMUL, wl_op_has_in(c, 2) ? 9 : 8, n);
    wl_work_add(c, w, WL_WORK_SPECIAL, n);
}

/* A and B at inputs 0 and 3, with scales and zero points behind each; Y quantised when its zero
 * point is. */
static bool qgemm_dims(const struct wl_op_ctx *c, struct wl_dim *m, struct wl_dim *n,
                       struct wl_dim *k)
{
    bool swap_a = flag(c, "transA");
    bool swap_b = flag(c, "transB");
    *m = wl_op_in_dim(c, 0, swap_a ? 1 : 0);
    *n = wl_op_in_dim(c, 3, swap_b ? 0 : 1);
    *k = wl_op_merge_dim(wl_op_in_dim(c, 0, swap_a ? 0 : 1), wl_op_in_dim(c, 3, swap_b ? 1 : 0));
    return true;
}

wl_status wl_infer_qgemm(struct wl_op_ctx *c)
{
    struct wl_dim dims[2];
    struct wl_dim k;
    (void)qgemm_dims(c, &dims[0], &dims[1], &k);
    enum wl_dtype out = wl_op_has_in(c, 8) ? wl_op_in_dtype(c, 8) : WL_DT_FLOAT;
    return wl_op_set(c, 0, out, 2, dims);
}

/* Rescaling per output; a quantised output adds its zero point and saturates. */
static void requantise(struct wl_op_ctx *c, struct wl_work *w, bool quantised)
{
    struct wl_dim n = wl_op_out_elems(c, 0);
    wl_work_add(c, w, WL_WORK_ADDMUL, n);
    wl_work_add_k(c, w, WL_WORK_INTEGER, quantised ? 1 : 0, n);
    wl_work_add_k(c, w, WL_WORK_COMPARE, quantised ? 2 : 0, n);
}

void wl_cost_qgemm(struct wl_op_ctx *c, struct wl_work *w)
{
    struct wl_dim m;
    struct wl_dim n;
    struct wl_dim k;
    (void)qgemm_dims(c, &m, &n, &k);
    w->access = WL_ACCESS_STREAM;
    w->integer_macs = true;
    add_gemm(c, w, m, n, k);
    requantise(c, w, wl_op_has_in(c, 8));
    if (wl_op_has_in(c, 6)) {
        wl_work_add(c, w, WL_WORK_INTEGER, wl_op_out_elems(c, 0));
    }
}

/* ---- integer products with float results -------------------------------------------------- */

static wl_status infer_product(struct wl_op_ctx *c, int32_t b)
{
    struct wl_matmul_shape s;
    return wl_matmul_shape_get(c, 0, b, false, false, &s) ? wl_op_set_shape(c, 0, s.rank, s.out)
                                                          : WL_OK;
}

static void cost_product(struct wl_op_ctx *c, struct wl_work *w, int32_t b)
{
    struct wl_matmul_shape s;
    w->access = WL_ACCESS_STREAM;
    w->integer_macs = true;
    if (wl_matmul_shape_get(c, 0, b, false, false, &s)) {
        wl_work_add_gemm(c, w, s.gemm);
    } else {
        w->macs = wl_dim_unknown();
    }
}

wl_status wl_infer_matmul_integer_to_float(struct wl_op_ctx *c)
{
    wl_op_same_dtype(c, 0, 2);
    return infer_product(c, 1);
}

void wl_cost_matmul_integer_to_float(struct wl_op_ctx *c, struct wl_work *w)
{
    cost_product(c, w, 1);
    requantise(c, w, false);
    wl_work_add_k(c, w, WL_WORK_ADDMUL, wl_op_has_in(c, 6) ? 1 : 0, wl_op_out_elems(c, 0));
}

/* A is quantised first: range, division, rounding, saturation. */
wl_status wl_infer_dynamic_quantize_matmul(struct wl_op_ctx *c)
{
    wl_op_same_dtype(c, 0, 0);
    return infer_product(c, 1);
}

static void quantise_input(struct wl_op_ctx *c, struct wl_work *w)
{
    struct wl_dim n = wl_op_in_elems(c, 0);
    wl_work_add_k(c, w, WL_WORK_COMPARE, 4, n);
    wl_work_add(c, w, WL_WORK_DIVIDE, n);
    wl_work_add_k(c, w, WL_WORK_ADDMUL, 2, n);
}

void wl_cost_dynamic_quantize_matmul(struct wl_op_ctx *c, struct wl_work *w)
{
    cost_product(c, w, 1);
    quantise_input(c, w);
    requantise(c, w, false);
    wl_work_add_k(c, w, WL_WORK_ADDMUL, wl_op_has_in(c, 4) ? 1 : 0, wl_op_out_elems(c, 0));
}

/* UINT32 only when both operands are unsigned. */
wl_status wl_infer_matmul_integer16(struct wl_op_ctx *c)
{
    bool both = wl_op_in_dtype(c, 0) == WL_DT_UINT16 && wl_op_in_dtype(c, 1) == WL_DT_UINT16;
    wl_op_set_dtype(c, 0, both ? WL_DT_UINT32 : WL_DT_INT32);
    return infer_product(c, 1);
}

/* (A, scale A, B, scale B, scale Y, bias ...) -> int8. */
wl_status wl_infer_qordered_matmul(struct wl_op_ctx *c)
{
    wl_op_same_dtype(c, 0, 0);
    return infer_product(c, 2);
}

void wl_cost_qordered_matmul(struct wl_op_ctx *c, struct wl_work *w)
{
    cost_product(c, w, 2);
    requantise(c, w, true);
    wl_work_add_k(c, w, WL_WORK_ADDMUL, wl_op_has_in(c, 5) ? 1 : 0, wl_op_out_elems(c, 0));
}

/* Steps of an LSTM whose weights are 8 bit and transposed: (directions, in, 4 * hidden). */
wl_status wl_infer_dynamic_quantize_lstm(struct wl_op_ctx *c)
{
    bool both = wl_str_is(wl_node_attr_str(c->node, "direction"), "bidirectional");
    int64_t size = wl_node_attr_int(c->node, "hidden_size", 0);
    struct wl_dim hidden = size > 0 ? wl_dim_known(size) : wl_op_in_dim(c, 2, 1);
    struct wl_dim all[4] = {wl_op_in_dim(c, 0, 0), wl_dim_known(both ? 2 : 1),
                            wl_op_in_dim(c, 0, 1), hidden};
    WL_TRY(wl_op_set(c, 0, wl_op_in_dtype(c, 0), 4, all));
    WL_TRY(wl_op_set(c, 1, wl_op_in_dtype(c, 0), 3, all + 1));
    return wl_op_set(c, 2, wl_op_in_dtype(c, 0), 3, all + 1);
}

/* The LSTM of recurrent.c with integer products and a quantised input. */
void wl_cost_dynamic_quantize_lstm(struct wl_op_ctx *c, struct wl_work *w)
{
    wl_cost_recurrent(c, w);
    quantise_input(c, w);
    w->integer_macs = true;
}

/* ---- weights in few bits ------------------------------------------------------------------ */

static struct wl_dim attr_dim(const struct wl_op_ctx *c, const char *name)
{
    int64_t n = wl_node_attr_int(c->node, name, 0);
    return n > 0 ? wl_dim_known(n) : wl_dim_unknown();
}

static void unpack(const struct wl_op_ctx *c, struct wl_work *w, struct wl_dim weights)
{
    wl_work_add_k(c, w, WL_WORK_ADDMUL, 2, weights);
}

static void cost_packed(struct wl_op_ctx *c, struct wl_work *w, struct wl_dim n, struct wl_dim k,
                        bool bias)
{
    struct wl_dim rows = rows_of(c, 0);
    w->access = WL_ACCESS_STREAM;
    add_gemm(c, w, rows, n, k);
    unpack(c, w, mul(c, n, k));
    wl_work_add_k(c, w, WL_WORK_ADDMUL, bias ? 1 : 0, mul(c, rows, n));
}

wl_status wl_infer_matmul_nbits(struct wl_op_ctx *c)
{
    wl_op_same_dtype(c, 0, 0);
    return set_last(c, 0, attr_dim(c, "N"));
}

void wl_cost_matmul_nbits(struct wl_op_ctx *c, struct wl_work *w)
{
    cost_packed(c, w, attr_dim(c, "N"), attr_dim(c, "K"), wl_op_has_in(c, 5));
}

wl_status wl_infer_matmul_bnb4(struct wl_op_ctx *c)
{
    wl_op_same_dtype(c, 0, 0);
    bool forward = wl_node_attr_int(c->node, "transB", 1) != 0;
    return set_last(c, 0, attr_dim(c, forward ? "N" : "K"));
}

void wl_cost_matmul_bnb4(struct wl_op_ctx *c, struct wl_work *w)
{
    bool forward = wl_node_attr_int(c->node, "transB", 1) != 0;
    cost_packed(c, w, attr_dim(c, forward ? "N" : "K"), attr_dim(c, forward ? "K" : "N"), false);
}

/* B is a blob; its shape is input 2. */
wl_status wl_infer_matmul_fpq4(struct wl_op_ctx *c)
{
    struct wl_dim shape[2];
    wl_op_same_dtype(c, 0, 0);
    bool known = wl_op_in_dims(c, 2, shape, 2) == 2;
    return set_last(c, 0, known ? shape[1] : wl_dim_unknown());
}

void wl_cost_matmul_fpq4(struct wl_op_ctx *c, struct wl_work *w)
{
    struct wl_dim shape[2] = {wl_dim_unknown(), wl_dim_unknown()};
    (void)wl_op_in_dims(c, 2, shape, 2);
    cost_packed(c, w, shape[1], shape[0], false);
}

/* B (N, K) of 8-bit floats. */
wl_status wl_infer_matmul_fp8(struct wl_op_ctx *c)
{
    wl_op_same_dtype(c, 0, 0);
    return set_last(c, 0, wl_op_in_dim(c, 1, 0));
}

void wl_cost_matmul_fp8(struct wl_op_ctx *c, struct wl_work *w)
{
    cost_packed(c, w, wl_op_in_dim(c, 1, 0), wl_op_in_dim(c, 1, 1), wl_op_has_in(c, 4));
}

/* B (N, K / 2), two values per byte. */
void wl_cost_matmul_fp4(struct wl_op_ctx *c, struct wl_work *w)
{
    struct wl_dim k = wl_dim_mul_k(wl_op_pool(c), wl_op_in_dim(c, 1, 1), 2);
    cost_packed(c, w, wl_op_in_dim(c, 1, 0), k, wl_op_has_in(c, 5));
}

/* Optional skip and RMS norm of A (inputs 1, 2), then gate and up projections. */
static void cost_rms_before(struct wl_op_ctx *c, struct wl_work *w)
{
    wl_work_add_k(c, w, WL_WORK_ADDMUL, wl_op_has_in(c, 1) ? 1 : 0, wl_op_in_elems(c, 0));
    if (wl_op_has_in(c, 2)) {
        wl_work_rms_norm(c, w, wl_op_in_elems(c, 0), rows_of(c, 0));
    }
}

wl_status wl_infer_nbits_mlp(struct wl_op_ctx *c)
{
    wl_op_same_dtype(c, 0, 0);
    wl_op_set_same(c, 1, 0);
    return set_last(c, 0, attr_dim(c, "N"));
}

void wl_cost_nbits_mlp(struct wl_op_ctx *c, struct wl_work *w)
{
    struct wl_dim n = attr_dim(c, "N");
    struct wl_dim k = attr_dim(c, "K");
    cost_packed(c, w, n, k, wl_op_has_in(c, 5));
    cost_packed(c, w, n, k, wl_op_has_in(c, 8));
    cost_rms_before(c, w);
    activation_attr(c, w);
    wl_work_add(c, w, WL_WORK_ADDMUL, wl_op_out_elems(c, 0));
}

wl_status wl_infer_nbits_qkv(struct wl_op_ctx *c)
{
    for (int32_t o = 0; o < 3; o++) {
        wl_op_same_dtype(c, o, 0);
        WL_TRY(set_last(c, o, attr_dim(c, o == 0 ? "Nq" : "Nkv")));
    }
    wl_op_set_same(c, 3, 0);
    return WL_OK;
}

void wl_cost_nbits_qkv(struct wl_op_ctx *c, struct wl_work *w)
{
    struct wl_dim k = attr_dim(c, "K");
    cost_packed(c, w, attr_dim(c, "Nq"), k, wl_op_has_in(c, 5));
    cost_packed(c, w, attr_dim(c, "Nkv"), k, wl_op_has_in(c, 8));
    cost_packed(c, w, attr_dim(c, "Nkv"), k, wl_op_has_in(c, 11));
    cost_rms_before(c, w);
}

/* ---- mixtures of experts ------------------------------------------------------------------ */

/* Inputs of the expert weights, which differ between MoE and QMoE. */
struct experts {
    int32_t fc1, fc2, fc3;
    int64_t pack; /* values per stored element of the last axis */
};

/*
 * k experts per token: their first product (fused with the gate or with a third product beside it),
 * the activation, the second product; and the weighted sum of k results. Routing compares and
 * scales the probabilities.
 */
static void cost_experts(struct wl_op_ctx *c, struct wl_work *w, const struct experts *e)
{
    struct wl_dim_pool *p = wl_op_pool(c);
    int64_t k = wl_max_i64(1, wl_min_i64(wl_node_attr_int(c->node, "k", 1), 1 << 20));
    struct wl_dim tokens = rows_of(c, 0);
    struct wl_dim active = wl_dim_mul_k(p, tokens, k);
    struct wl_dim hidden = wl_op_in_dim(c, 0, -1);
    struct wl_dim wide = wl_op_in_dim(c, e->fc1, 1);
    struct wl_dim inner = wl_dim_mul_k(p, wl_op_in_dim(c, e->fc2, 2), e->pack);
    w->access = WL_ACCESS_GATHER;
    add_gemm(c, w, active, wide, hidden);
    add_gemm(c, w, active, hidden, inner);
    if (wl_op_has_in(c, e->fc3)) {
        add_gemm(c, w, active, inner, hidden);
        wl_work_add(c, w, WL_WORK_ADDMUL, mul(c, active, inner));
    }
    wl_work_fused_activation(c, w, wl_node_attr_str(c->node, "activation_type"),
                             mul(c, active, inner));
    wl_work_add_k(c, w, WL_WORK_ADDMUL, 2, mul(c, active, hidden));
    wl_work_add_k(c, w, WL_WORK_COMPARE, k, wl_op_in_elems(c, 1));
    wl_work_softmax(c, w, wl_op_in_elems(c, 1));
}

void wl_cost_moe(struct wl_op_ctx *c, struct wl_work *w)
{
    struct experts e = {.fc1 = 2, .fc2 = 4, .fc3 = 6, .pack = 1};
    cost_experts(c, w, &e);
}

/* Weights of the experts that are used are unpacked, at most all of them. */
void wl_cost_qmoe(struct wl_op_ctx *c, struct wl_work *w)
{
    int64_t bits = wl_node_attr_int(c->node, "expert_weight_bits", 4);
    struct experts e = {.fc1 = 2, .fc2 = 5, .fc3 = 8, .pack = bits == 4 ? 2 : bits == 2 ? 4 : 1};
    cost_experts(c, w, &e);
    struct wl_dim_pool *p = wl_op_pool(c);
    struct wl_dim weights = wl_dim_add(p, wl_op_in_elems(c, e.fc1), wl_op_in_elems(c, e.fc2));
    weights = wl_op_has_in(c, e.fc3) ? wl_dim_add(p, weights, wl_op_in_elems(c, e.fc3)) : weights;
    unpack(c, w, wl_dim_mul_k(p, weights, e.pack));
}

/* ---- others ------------------------------------------------------------------------------- */

/* The sparse operand counts as dense, an upper bound. */
wl_status wl_infer_sparse_matmul(struct wl_op_ctx *c)
{
    struct wl_matmul_shape s;
    wl_op_same_dtype(c, 0, 1);
    bool known = wl_matmul_shape_get(c, 0, 1, flag(c, "transA"), flag(c, "transB"), &s);
    return known ? wl_op_set_shape(c, 0, s.rank, s.out) : WL_OK;
}

void wl_cost_sparse_matmul(struct wl_op_ctx *c, struct wl_work *w)
{
    struct wl_matmul_shape s;
    w->access = WL_ACCESS_GATHER;
    if (wl_matmul_shape_get(c, 0, 1, flag(c, "transA"), flag(c, "transB"), &s)) {
        wl_work_add_gemm(c, w, s.gemm);
    } else {
        w->macs = wl_dim_unknown();
    }
}

/* Gauss-Jordan: n^3 MACs and n divisions per matrix. */
void wl_cost_inverse(struct wl_op_ctx *c, struct wl_work *w)
{
    struct wl_dim n = wl_op_in_dim(c, 0, -1);
    w->access = WL_ACCESS_STREAM;
    w->macs = mul(c, wl_op_in_elems(c, 0), n);
    wl_work_add(c, w, WL_WORK_DIVIDE, wl_dim_exact_div(wl_op_pool(c), wl_op_in_elems(c, 0), n));
}

/* (M, N) and (K, N) -> (M, K): difference, square, sum for each pair, a root for the euclidean
 * metric. */
wl_status wl_infer_cdist(struct wl_op_ctx *c)
{
    struct wl_dim dims[2] = {wl_op_in_dim(c, 0, 0), wl_op_in_dim(c, 1, 0)};
    return wl_op_set(c, 0, wl_op_in_dtype(c, 0), 2, dims);
}

void wl_cost_cdist(struct wl_op_ctx *c, struct wl_work *w)
{
    struct wl_dim n = wl_op_out_elems(c, 0);
    bool root = wl_str_is(wl_node_attr_str(c->node, "metric"), "euclidean");
    w->access = WL_ACCESS_STREAM;
    wl_work_add_k(c, w, WL_WORK_ADDMUL, 3, mul(c, n, wl_op_in_dim(c, 0, 1)));
    wl_work_add_k(c, w, WL_WORK_SPECIAL, root ? 1 : 0, n);
}
