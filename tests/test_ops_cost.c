/* SPDX-License-Identifier: Apache-2.0 */
/* Work of operators against arithmetic done by hand; formulas: docs/operators.md. */
#include "wl_test_graph.h"

static void expect_ops(const struct wl_work *w, int64_t addmul, int64_t compare, int64_t divide,
                       int64_t special, int64_t integer)
{
    const int64_t want[WL_WORK_COUNT] = {addmul, compare, divide, special, integer};
    for (int k = 0; k < WL_WORK_COUNT; k++) {
        assert_true(wl_dim_is_known(w->ops[k]));
        if (w->ops[k].value != want[k]) {
            fail_msg("%s: %lld, not %lld", wl_work_kind_name((enum wl_work_kind)k),
                     (long long)w->ops[k].value, (long long)want[k]);
        }
    }
}

static void expect_gemm(const struct wl_gemm *v, int64_t g, int64_t m, int64_t n, int64_t k)
{
    assert_true(wl_dim_is(v->g, g) && wl_dim_is(v->m, m));
    assert_true(wl_dim_is(v->n, n) && wl_dim_is(v->k, k));
}

/* resnet18's first layer: 112 = (224 + 2*3 - 7) / 2 + 1; 64*112*112 * 3*7*7 = 118,013,952. */
static void test_conv(void **state)
{
    struct tg t;
    (void)state;
    tg_init(&t);
    int32_t x = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(1, 3, 224, 224));
    int32_t w = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(64, 3, 7, 7));
    int32_t b = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(64));
    int32_t n = tg_node(&t, "Conv", TG_IDS(x, w, b));
    tg_ints(&t, n, "strides", TG_DIMS(2, 2));
    tg_ints(&t, n, "pads", TG_DIMS(3, 3, 3, 3));
    struct wl_work work = tg_work(&t, n);
    tg_expect(&t, t.g.nodes[n].outputs[0], WL_DT_FLOAT, TG_DIMS(1, 64, 112, 112));
    assert_true(wl_dim_is(work.macs, 118013952));
    expect_ops(&work, 64 * 112 * 112, 0, 0, 0, 0);
    assert_int_equal(work.gemm_count, 1);
    expect_gemm(&work.gemms[0], 1, 112 * 112, 64, 147);
    assert_non_null(work.window);
    assert_int_equal(work.window->spatial_rank, 2);
    assert_int_equal(work.window->stride[1], 2);
    assert_true(wl_dim_is(wl_work_flops(&t.g, &work), 2 * INT64_C(118013952) + 802816));
    assert_int_equal(t.g.nodes[n].status, WL_NODE_MODELLED);
    tg_done(&t);
}

/* Depthwise, symbolic batch: N * 32*28*28 * 9 MACs; 28 = (28 + 2 - 3) / 1 + 1. */
static void test_conv_depthwise_symbolic(void **state)
{
    struct tg t;
    (void)state;
    tg_init(&t);
    int32_t x = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(-1, 32, 28, 28));
    int32_t w = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(32, 1, 3, 3));
    int32_t n = tg_node(&t, "Conv", TG_IDS(x, w));
    tg_ints(&t, n, "pads", TG_DIMS(1, 1, 1, 1));
    tg_int(&t, n, "group", 32);
    struct wl_work work = tg_work(&t, n);
    tg_expect_dim(&t, work.macs, "225792*N");
    assert_true(wl_dim_is(work.gemms[0].g, 32));
    tg_expect_dim(&t, work.gemms[0].m, "784*N");
    assert_int_equal(work.window->groups, 32);
    tg_done(&t);
}

/* 4x4 -> (4-1)*2 + 3 = 9; every one of 2*4*4 inputs meets 5*3*3 weights: 1440 MACs. */
static void test_conv_transpose(void **state)
{
    struct tg t;
    (void)state;
    tg_init(&t);
    int32_t x = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(1, 2, 4, 4));
    int32_t w = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(2, 5, 3, 3));
    int32_t n = tg_node(&t, "ConvTranspose", TG_IDS(x, w));
    tg_ints(&t, n, "strides", TG_DIMS(2, 2));
    struct wl_work work = tg_work(&t, n);
    tg_expect(&t, t.g.nodes[n].outputs[0], WL_DT_FLOAT, TG_DIMS(1, 5, 9, 9));
    assert_true(wl_dim_is(work.macs, 1440));
    expect_gemm(&work.gemms[0], 1, 16, 45, 2);
    assert_true(work.window->transposed);
    tg_done(&t);
}

static void test_qlinear_conv(void **state)
{
    struct tg t;
    (void)state;
    tg_init(&t);
    int32_t x = tg_tensor(&t, WL_DT_UINT8, TG_DIMS(1, 2, 3, 3));
    int32_t w = tg_tensor(&t, WL_DT_INT8, TG_DIMS(4, 2, 1, 1));
    int32_t s = tg_scalar_tensor(&t, WL_DT_FLOAT);
    int32_t z = tg_scalar_tensor(&t, WL_DT_UINT8);
    int32_t b = tg_tensor(&t, WL_DT_INT32, TG_DIMS(4));
    int32_t n = tg_node(&t, "QLinearConv", TG_IDS(x, s, z, w, s, z, s, z, b));
    struct wl_work work = tg_work(&t, n);
    tg_expect(&t, t.g.nodes[n].outputs[0], WL_DT_UINT8, TG_DIMS(1, 4, 3, 3));
    assert_true(work.integer_macs);
    assert_true(wl_dim_is(work.macs, 4 * 9 * 2));
    expect_ops(&work, 36, 72, 0, 0, 72); /* rescale; saturate; bias and zero point */
    tg_done(&t);
}

static void test_gemm_and_matmul(void **state)
{
    struct tg t;
    (void)state;
    tg_init(&t);
    int32_t a = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(2, 512));
    int32_t b = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(1000, 512));
    int32_t c = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(1000));
    int32_t n = tg_node(&t, "Gemm", TG_IDS(a, b, c));
    tg_int(&t, n, "transB", 1);
    struct wl_work work = tg_work(&t, n);
    tg_expect(&t, t.g.nodes[n].outputs[0], WL_DT_FLOAT, TG_DIMS(2, 1000));
    assert_true(wl_dim_is(work.macs, 2 * 512 * 1000));
    expect_ops(&work, 2000, 0, 0, 0, 0);
    /* A weight without batch axes: one product of 4*7 rows. */
    int32_t x = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(4, 7, 16));
    int32_t w = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(16, 5));
    int32_t m = tg_node(&t, "MatMul", TG_IDS(x, w));
    work = tg_work(&t, m);
    tg_expect(&t, t.g.nodes[m].outputs[0], WL_DT_FLOAT, TG_DIMS(4, 7, 5));
    expect_gemm(&work.gemms[0], 1, 28, 5, 16);
    /* Batched on both sides: 4 products. */
    int32_t y = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(4, 16, 7));
    m = tg_node(&t, "MatMul", TG_IDS(x, y));
    work = tg_work(&t, m);
    expect_gemm(&work.gemms[0], 4, 7, 7, 16);
    assert_true(wl_dim_is(work.macs, 4 * 7 * 7 * 16));
    /* Vector by matrix. */
    int32_t v = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(16));
    m = tg_node(&t, "MatMul", TG_IDS(v, w));
    work = tg_work(&t, m);
    tg_expect(&t, t.g.nodes[m].outputs[0], WL_DT_FLOAT, TG_DIMS(5));
    assert_true(wl_dim_is(work.macs, 80));
    tg_done(&t);
}

static struct wl_work einsum(struct tg *t, const char *equation, int32_t a, int32_t b)
{
    int32_t ids[2] = {a, b};
    int32_t n = tg_node(t, "Einsum", b == WL_NONE ? 1 : 2, ids);
    tg_str(t, n, "equation", equation);
    return tg_work(t, n);
}

static void test_einsum(void **state)
{
    struct tg t;
    struct wl_work w;
    (void)state;
    tg_init(&t);
    int32_t q = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(2, 5, 3, 8)); /* b q h d */
    int32_t k = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(2, 6, 3, 8)); /* b k h d */
    w = einsum(&t, "bqhd,bkhd->bhqk", q, k);
    tg_expect(&t, t.g.tensor_count - 1, WL_DT_FLOAT, TG_DIMS(2, 3, 5, 6));
    assert_true(wl_dim_is(w.macs, 2 * 3 * 5 * 6 * 8));
    expect_gemm(&w.gemms[0], 6, 5, 6, 8);
    int32_t m = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(4, 7));
    w = einsum(&t, "ij->j", m, WL_NONE); /* a sum: 28 adds */
    tg_expect(&t, t.g.tensor_count - 1, WL_DT_FLOAT, TG_DIMS(7));
    expect_ops(&w, 28, 0, 0, 0, 0);
    w = einsum(&t, "ij,ij->ij", m, m); /* element-wise: 28 multiplies, no MACs */
    assert_true(wl_dim_is(w.macs, 0));
    expect_ops(&w, 28, 0, 0, 0, 0);
    int32_t r = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(7, 9));
    w = einsum(&t, "ij , jk", m, r); /* implicit output ik */
    tg_expect(&t, t.g.tensor_count - 1, WL_DT_FLOAT, TG_DIMS(4, 9));
    assert_true(wl_dim_is(w.macs, 4 * 7 * 9));
    int32_t e = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(2, 3, 4, 7));
    w = einsum(&t, "...ij,jk->...ik", e, r);
    tg_expect(&t, t.g.tensor_count - 1, WL_DT_FLOAT, TG_DIMS(2, 3, 4, 9));
    assert_true(wl_dim_is(w.macs, 6 * 4 * 7 * 9));
    w = einsum(&t, "ij,j!k->ik", m, r); /* malformed: unknown, not a crash */
    assert_true(wl_dim_is_unknown(w.macs));
    tg_done(&t);
}

/* 1,64,112,112 -> 3x3/2 pad 1 -> 56: 64*56*56*9 comparisons. */
static void test_pools(void **state)
{
    struct tg t;
    (void)state;
    tg_init(&t);
    int32_t x = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(1, 64, 112, 112));
    int32_t n = tg_node(&t, "MaxPool", TG_IDS(x));
    tg_ints(&t, n, "kernel_shape", TG_DIMS(3, 3));
    tg_ints(&t, n, "strides", TG_DIMS(2, 2));
    tg_ints(&t, n, "pads", TG_DIMS(1, 1, 1, 1));
    struct wl_work w = tg_work(&t, n);
    tg_expect(&t, t.g.nodes[n].outputs[0], WL_DT_FLOAT, TG_DIMS(1, 64, 56, 56));
    expect_ops(&w, 0, 64 * 56 * 56 * 9, 0, 0, 0);
    assert_int_equal(w.access, WL_ACCESS_WINDOW);
    n = tg_node(&t, "GlobalAveragePool", TG_IDS(x));
    w = tg_work(&t, n);
    tg_expect(&t, t.g.nodes[n].outputs[0], WL_DT_FLOAT, TG_DIMS(1, 64, 1, 1));
    expect_ops(&w, 64 * 112 * 112, 0, 64, 0, 0);
    /* ceil_mode: (5-2)/2 rounded up + 1 = 3; a window starting in the padding is dropped. */
    int32_t y = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(1, 1, 5, 2));
    n = tg_node(&t, "MaxPool", TG_IDS(y));
    tg_ints(&t, n, "kernel_shape", TG_DIMS(2, 1));
    tg_ints(&t, n, "strides", TG_DIMS(2, 2));
    tg_int(&t, n, "ceil_mode", 1);
    (void)tg_run(&t, n);
    tg_expect(&t, t.g.nodes[n].outputs[0], WL_DT_FLOAT, TG_DIMS(1, 1, 3, 1));
    tg_done(&t);
}

static void test_maps(void **state)
{
    struct tg t;
    (void)state;
    tg_init(&t);
    int32_t x = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(2, 3, 4));
    int32_t s = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(3, 1));
    int32_t i = tg_tensor(&t, WL_DT_INT64, TG_DIMS(2, 3, 4));
    struct wl_work w = tg_work(&t, tg_node(&t, "Add", TG_IDS(x, s)));
    expect_ops(&w, 24, 0, 0, 0, 0);
    w = tg_work(&t, tg_node(&t, "Add", TG_IDS(i, i)));
    expect_ops(&w, 0, 0, 0, 0, 24);
    w = tg_work(&t, tg_node(&t, "Relu", TG_IDS(x)));
    expect_ops(&w, 0, 24, 0, 0, 0);
    w = tg_work(&t, tg_node(&t, "Sigmoid", TG_IDS(x))); /* 2a 1d 1s */
    expect_ops(&w, 48, 0, 24, 24, 0);
    w = tg_work(&t, tg_node(&t, "Gelu", TG_IDS(x))); /* 4a 1s */
    expect_ops(&w, 96, 0, 0, 24, 0);
    w = tg_work(&t, tg_node(&t, "Clip", TG_IDS(x, WL_NONE, s)));
    expect_ops(&w, 0, 24, 0, 0, 0);
    w = tg_work(&t, tg_node(&t, "Mean", TG_IDS(x, s, x))); /* 2 adds and a scaling */
    expect_ops(&w, 72, 0, 0, 0, 0);
    int32_t cast = tg_node(&t, "Cast", TG_IDS(x));
    tg_int(&t, cast, "to", WL_DT_FLOAT16);
    w = tg_work(&t, cast);
    tg_expect(&t, t.g.nodes[cast].outputs[0], WL_DT_FLOAT16, TG_DIMS(2, 3, 4));
    expect_ops(&w, 0, 0, 0, 0, 0);
    assert_int_equal(w.access, WL_ACCESS_STREAM);
    w = tg_work(&t, tg_node(&t, "Dropout", TG_IDS(x)));
    expect_ops(&w, 0, 0, 0, 0, 0);
    assert_int_equal(w.access, WL_ACCESS_NONE);
    assert_int_equal(t.g.nodes[t.g.node_count - 1].status, WL_NODE_FREE);
    tg_done(&t);
}

static void test_norms(void **state)
{
    struct tg t;
    (void)state;
    tg_init(&t);
    int32_t x = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(2, 8, 16));
    int32_t c = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(8));
    int32_t d = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(16));
    struct wl_work w = tg_work(&t, tg_node(&t, "BatchNormalization", TG_IDS(x, c, c, c, c)));
    expect_ops(&w, 512, 0, 0, 0, 0);
    /* 16 groups: 7 per element, and per group an add, 3 divides, a root. */
    w = tg_work(&t, tg_node(&t, "LayerNormalization", TG_IDS(x, d, d)));
    expect_ops(&w, 7 * 256 + 16, 0, 48, 16, 0);
    w = tg_work(&t, tg_node(&t, "RMSNormalization", TG_IDS(x, d)));
    expect_ops(&w, 4 * 256 + 16, 0, 32, 16, 0);
    w = tg_work(&t, tg_node(&t, "Softmax", TG_IDS(x)));
    expect_ops(&w, 512, 256, 256, 256, 0);
    w = tg_work(&t, tg_node(&t, "LogSoftmax", TG_IDS(x)));
    expect_ops(&w, 768, 256, 0, 256 + 16, 0);
    int32_t axes = tg_const(&t, TG_DIMS(-1));
    int32_t r = tg_node(&t, "ReduceMean", TG_IDS(x, axes));
    w = tg_work(&t, r);
    tg_expect(&t, t.g.nodes[r].outputs[0], WL_DT_FLOAT, TG_DIMS(2, 8, 1));
    expect_ops(&w, 256, 0, 16, 0, 0);
    tg_done(&t);
}

/* B 1, 4 heads over 2, 3 queries, 3 + 5 keys, sizes 16 and 10: 96 scores. */
static void test_attention(void **state)
{
    struct tg t;
    (void)state;
    tg_init(&t);
    int32_t q = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(1, 4, 3, 16));
    int32_t k = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(1, 2, 3, 16));
    int32_t v = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(1, 2, 3, 10));
    int32_t pk = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(1, 2, 5, 16));
    int32_t pv = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(1, 2, 5, 10));
    int32_t ids[6] = {q, k, v, WL_NONE, pk, pv};
    int32_t n = tg_node_in(&t, "", "Attention", 6, ids, 3);
    struct wl_work w = tg_work(&t, n);
    const int32_t *out = t.g.nodes[n].outputs;
    tg_expect(&t, out[0], WL_DT_FLOAT, TG_DIMS(1, 4, 3, 10));
    tg_expect(&t, out[1], WL_DT_FLOAT, TG_DIMS(1, 2, 8, 16));
    tg_expect(&t, out[2], WL_DT_FLOAT, TG_DIMS(1, 2, 8, 10));
    assert_true(wl_dim_is(w.macs, 96 * 16 + 96 * 10));
    assert_int_equal(w.gemm_count, 2);
    expect_gemm(&w.gemms[1], 4, 3, 10, 8);
    expect_ops(&w, 96 + 2 * 96, 96, 96, 96, 0); /* scale; softmax */
    tg_done(&t);
}

/* T 5, N 2, I 3, H 4, both directions: 5*2*2 * 4*4 * (3 + 4) = 2240 MACs; 5*2*2*4 = 80 cells. */
static void test_lstm(void **state)
{
    struct tg t;
    (void)state;
    tg_init(&t);
    int32_t x = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(5, 2, 3));
    int32_t wi = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(2, 16, 3));
    int32_t wr = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(2, 16, 4));
    int32_t b = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(2, 32));
    int32_t ids[4] = {x, wi, wr, b};
    int32_t n = tg_node_in(&t, "", "LSTM", 4, ids, 3);
    tg_int(&t, n, "hidden_size", 4);
    tg_str(&t, n, "direction", "bidirectional");
    struct wl_work w = tg_work(&t, n);
    tg_expect(&t, t.g.nodes[n].outputs[0], WL_DT_FLOAT, TG_DIMS(5, 2, 2, 4));
    tg_expect(&t, t.g.nodes[n].outputs[2], WL_DT_FLOAT, TG_DIMS(2, 2, 4));
    assert_true(wl_dim_is(w.macs, 2240));
    assert_true(wl_dim_is(w.steps, 5));
    expect_gemm(&w.gemms[0], 2, 10, 16, 3);
    expect_gemm(&w.gemms[1], 10, 2, 16, 4);
    /* 8 (joins, bias) + 6 (sigmoids) + 4 (cell); 3 divides; 3 + 2 special */
    expect_ops(&w, 18 * 80, 0, 3 * 80, 5 * 80, 0);
    tg_done(&t);
}

static void test_quantize(void **state)
{
    struct tg t;
    (void)state;
    tg_init(&t);
    int32_t x = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(10));
    int32_t s = tg_scalar_tensor(&t, WL_DT_FLOAT);
    int32_t z = tg_scalar_tensor(&t, WL_DT_INT8);
    int32_t q = tg_node(&t, "QuantizeLinear", TG_IDS(x, s, z));
    struct wl_work w = tg_work(&t, q);
    tg_expect(&t, t.g.nodes[q].outputs[0], WL_DT_INT8, TG_DIMS(10));
    expect_ops(&w, 20, 20, 10, 0, 0);
    int32_t d = tg_node(&t, "DequantizeLinear", TG_IDS(t.g.nodes[q].outputs[0], s, z));
    w = tg_work(&t, d);
    tg_expect(&t, t.g.nodes[d].outputs[0], WL_DT_FLOAT, TG_DIMS(10));
    expect_ops(&w, 20, 0, 0, 0, 0);
    tg_done(&t);
}

/* An operator nobody knows: no work, ignored, one diagnostic. Too much work: an error with a name.
 */
static void test_unknown_and_overflow(void **state)
{
    struct tg t;
    struct wl_error err = {0};
    (void)state;
    tg_init(&t);
    int32_t x = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(4));
    int32_t n = tg_node(&t, "Relu", TG_IDS(x));
    (void)tg_run(&t, n);
    t.g.nodes[n].op = NULL;
    t.g.nodes[n].op_type = wl_str("Frobnicate");
    assert_int_equal(wl_ops_count(&t.g, NULL), WL_OK);
    assert_int_equal(t.g.nodes[n].status, WL_NODE_IGNORED);
    assert_true(wl_dim_is(t.g.work[n].macs, 0));
    assert_int_equal(t.diags.count, 1);
    assert_string_equal(t.diags.items[0].code, "unknown-operator");
    int64_t big = INT64_C(1) << 31;
    int32_t a = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(big, big));
    int32_t m = tg_node(&t, "MatMul", TG_IDS(a, a));
    (void)tg_run(&t, m);
    assert_int_equal(wl_ops_count(&t.g, &err), WL_ERR_LIMIT);
    assert_non_null(strstr(err.where, "MatMul"));
    tg_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conv),
        cmocka_unit_test(test_conv_depthwise_symbolic),
        cmocka_unit_test(test_conv_transpose),
        cmocka_unit_test(test_qlinear_conv),
        cmocka_unit_test(test_gemm_and_matmul),
        cmocka_unit_test(test_einsum),
        cmocka_unit_test(test_pools),
        cmocka_unit_test(test_maps),
        cmocka_unit_test(test_norms),
        cmocka_unit_test(test_attention),
        cmocka_unit_test(test_lstm),
        cmocka_unit_test(test_quantize),
        cmocka_unit_test(test_unknown_and_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
