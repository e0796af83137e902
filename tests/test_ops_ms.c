/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operators of com.microsoft and its layout domains, ai.onnx.ml and the training preview: shapes
 * and work against hand arithmetic.
 */
#include "wl_test_graph.h"

#define MS "com.microsoft"
#define ml_node(t, op, ...) tg_node_in(t, "ai.onnx.ml", op, __VA_ARGS__, 1)
#define ms_node(t, op, ...) tg_node_in(t, MS, op, __VA_ARGS__, 1)

static int32_t out(const struct tg *t, int32_t node, int32_t i)
{
    return t->g.nodes[node].outputs[i];
}

/*
 * BERT-base, 1 x 128 tokens: projection 128 x 768 x 2304 = 226,492,416 MACs; two products of 12
 * heads, each 12 * 128 * 128 * 64 = 12,582,912.
 */
static void test_attention(void **state)
{
    (void)state;
    struct tg t;
    tg_init(&t);
    int32_t x = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(1, 128, 768));
    int32_t w = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(768, 2304));
    int32_t b = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(2304));
    int32_t past = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(2, 1, 12, 32, 64));
    int32_t node = tg_node_in(&t, MS, "Attention", TG_IDS(x, w, b), 1);
    tg_int(&t, node, "num_heads", 12);
    struct wl_work work = tg_work(&t, node);
    tg_expect(&t, out(&t, node, 0), WL_DT_FLOAT, TG_DIMS(1, 128, 768));
    assert_int_equal(work.macs.value, 226492416 + 2 * 12582912);
    assert_int_equal(work.gemm_count, 3);
    /* softmax: one exponential for each of 12 * 128 * 128 scores */
    assert_int_equal(work.ops[WL_WORK_SPECIAL].value, 196608);
    int32_t cached = tg_node_in(&t, MS, "Attention", TG_IDS(x, w, b, WL_NONE, past), 2);
    tg_int(&t, cached, "num_heads", 12);
    (void)tg_run(&t, cached);
    tg_expect(&t, out(&t, cached, 1), WL_DT_FLOAT, TG_DIMS(2, 1, 12, 160, 64));
    tg_done(&t);
}

static void test_multi_head_attention(void **state)
{
    (void)state;
    struct tg t;
    tg_init(&t);
    int32_t q = tg_tensor(&t, WL_DT_FLOAT16, TG_DIMS(-1, 16, 512));
    int32_t k = tg_tensor(&t, WL_DT_FLOAT16, TG_DIMS(-1, 77, 512));
    int32_t node = tg_node_in(&t, MS, "MultiHeadAttention", TG_IDS(q, k, k), 3);
    tg_int(&t, node, "num_heads", 8);
    struct wl_work work = tg_work(&t, node);
    const struct wl_tensor *y = &t.g.tensors[out(&t, node, 0)];
    tg_expect_dim(&t, y->dims[0], "N");
    tg_expect_dim(&t, y->dims[2], "512");
    /* N * 8 * 16 * 77 * 64 twice = N * 1,261,568 */
    tg_expect_dim(&t, work.macs, "1261568*N");
    const struct wl_tensor *key = &t.g.tensors[out(&t, node, 1)];
    tg_expect_dim(&t, key->dims[2], "77");
    tg_expect_dim(&t, key->dims[3], "64");
    tg_done(&t);
}

/* 32 query heads of 128 over 8 key heads, one token after 1023: 1024 keys. */
static void test_group_query_attention(void **state)
{
    (void)state;
    struct tg t;
    tg_init(&t);
    int32_t q = tg_tensor(&t, WL_DT_FLOAT16, TG_DIMS(1, 1, 4096));
    int32_t k = tg_tensor(&t, WL_DT_FLOAT16, TG_DIMS(1, 1, 1024));
    int32_t past = tg_tensor(&t, WL_DT_FLOAT16, TG_DIMS(1, 8, 1023, 128));
    int32_t lens = tg_tensor(&t, WL_DT_INT32, TG_DIMS(1));
    int32_t total = tg_scalar_tensor(&t, WL_DT_INT32);
    int32_t node =
        tg_node_in(&t, MS, "GroupQueryAttention", TG_IDS(q, k, k, past, past, lens, total), 3);
    tg_int(&t, node, "num_heads", 32);
    tg_int(&t, node, "kv_num_heads", 8);
    tg_int(&t, node, "do_rotary", 1);
    struct wl_work work = tg_work(&t, node);
    tg_expect(&t, out(&t, node, 0), WL_DT_FLOAT16, TG_DIMS(1, 1, 4096));
    assert_int_equal(work.macs.value, 2 * 32 * 1024 * 128);
    /* whether past and present share a buffer is not in the file */
    assert_true(wl_dim_is_unknown(t.g.tensors[out(&t, node, 1)].dims[2]));
    assert_true(wl_dim_is(t.g.tensors[out(&t, node, 1)].dims[3], 128));
    tg_done(&t);
}

static void test_normalisations(void **state)
{
    (void)state;
    struct tg t;
    tg_init(&t);
    int32_t x = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(2, 10, 64));
    int32_t g = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(64));
    int32_t node = tg_node_in(&t, MS, "SkipLayerNormalization", TG_IDS(x, x, g, g), 4);
    struct wl_work work = tg_work(&t, node);
    tg_expect(&t, out(&t, node, 1), WL_DT_FLOAT, TG_DIMS(2, 10, 1));
    tg_expect(&t, out(&t, node, 3), WL_DT_FLOAT, TG_DIMS(2, 10, 64));
    /* 1 for the skip and 7 for the norm, per element; an epsilon for each of 20 rows */
    assert_int_equal(work.ops[WL_WORK_ADDMUL].value, 8 * 1280 + 20);
    assert_int_equal(work.ops[WL_WORK_SPECIAL].value, 20);
    int32_t ids = tg_tensor(&t, WL_DT_INT32, TG_DIMS(2, 10));
    int32_t words = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(1000, 64));
    int32_t places = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(512, 64));
    int32_t embed = tg_node_in(&t, MS, "EmbedLayerNormalization",
                               TG_IDS(ids, WL_NONE, words, places, WL_NONE, g, g), 2);
    work = tg_work(&t, embed);
    tg_expect(&t, out(&t, embed, 0), WL_DT_FLOAT, TG_DIMS(2, 10, 64));
    tg_expect(&t, out(&t, embed, 1), WL_DT_INT32, TG_DIMS(2));
    assert_int_equal(work.partial_input, 2);
    assert_int_equal(work.partial_elems.value, 1280);
    int32_t split = ms_node(&t, "BiasSplitGelu", TG_IDS(x, g));
    tg_expect(&t, tg_run(&t, split), WL_DT_FLOAT, TG_DIMS(2, 10, 32));
    tg_done(&t);
}

/* (2, 3, K=64) by a 4-bit (K=64, N=16): 6 * 16 * 64 MACs, 2 * 1024 to unpack. */
static void test_few_bits(void **state)
{
    (void)state;
    struct tg t;
    tg_init(&t);
    int32_t x = tg_tensor(&t, WL_DT_FLOAT16, TG_DIMS(2, 3, 64));
    int32_t b = tg_tensor(&t, WL_DT_UINT8, TG_DIMS(16, 2, 16));
    int32_t s = tg_tensor(&t, WL_DT_FLOAT16, TG_DIMS(32));
    int32_t node = ms_node(&t, "MatMulNBits", TG_IDS(x, b, s));
    tg_int(&t, node, "K", 64);
    tg_int(&t, node, "N", 16);
    tg_int(&t, node, "bits", 4);
    tg_int(&t, node, "block_size", 32);
    struct wl_work work = tg_work(&t, node);
    tg_expect(&t, out(&t, node, 0), WL_DT_FLOAT16, TG_DIMS(2, 3, 16));
    assert_int_equal(work.macs.value, 6144);
    assert_int_equal(work.ops[WL_WORK_ADDMUL].value, 2048);
    assert_false(work.integer_macs);
    /* packed embedding: (100, 32 bytes) is 64 columns */
    int32_t table = tg_tensor(&t, WL_DT_UINT8, TG_DIMS(100, 32));
    int32_t ids = tg_tensor(&t, WL_DT_INT64, TG_DIMS(1, 7));
    int32_t scale = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(100, 2));
    int32_t gather = ms_node(&t, "GatherBlockQuantized", TG_IDS(table, ids, scale));
    tg_int(&t, gather, "quantize_axis", 1);
    tg_expect(&t, tg_run(&t, gather), WL_DT_FLOAT, TG_DIMS(1, 7, 64));
    tg_done(&t);
}

static void test_fused_products(void **state)
{
    (void)state;
    struct tg t;
    tg_init(&t);
    int32_t a = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(2, 8, 5, 4));
    int32_t b = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(2, 8, 6, 4));
    int32_t node = ms_node(&t, "FusedMatMul", TG_IDS(a, b));
    tg_int(&t, node, "transB", 1);
    tg_float(&t, node, "alpha", 0.5);
    struct wl_work work = tg_work(&t, node);
    tg_expect(&t, out(&t, node, 0), WL_DT_FLOAT, TG_DIMS(2, 8, 5, 6));
    assert_int_equal(work.macs.value, 16 * 5 * 6 * 4);
    assert_int_equal(work.ops[WL_WORK_ADDMUL].value, 16 * 5 * 6); /* alpha */
    /* transBatchA: rows first, (5, 2, 8, 4) stored for (2, 8, 5, 4) */
    int32_t c = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(5, 2, 8, 4));
    int32_t moved = ms_node(&t, "FusedMatMul", TG_IDS(c, b));
    tg_int(&t, moved, "transBatchA", 1);
    tg_int(&t, moved, "transB", 1);
    tg_expect(&t, tg_run(&t, moved), WL_DT_FLOAT, TG_DIMS(2, 8, 5, 6));
    /* Gemm 3 x 4 by (5 x 4) transposed, Relu: 60 MACs, 15 comparisons */
    int32_t x = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(3, 4));
    int32_t w = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(5, 4));
    int32_t gemm = ms_node(&t, "FusedGemm", TG_IDS(x, w));
    tg_int(&t, gemm, "transB", 1);
    tg_str(&t, gemm, "activation", "Relu");
    work = tg_work(&t, gemm);
    assert_int_equal(work.macs.value, 60);
    assert_int_equal(work.ops[WL_WORK_COMPARE].value, 15);
    tg_done(&t);
}

static void test_quantised(void **state)
{
    (void)state;
    struct tg t;
    tg_init(&t);
    int32_t s = tg_scalar_tensor(&t, WL_DT_FLOAT);
    int32_t z = tg_scalar_tensor(&t, WL_DT_UINT8);
    int32_t a = tg_tensor(&t, WL_DT_UINT8, TG_DIMS(2, 1, 4));
    int32_t b = tg_tensor(&t, WL_DT_UINT8, TG_DIMS(3, 4));
    int32_t add = ms_node(&t, "QLinearAdd", TG_IDS(a, s, z, b, s, z, s, z));
    tg_expect(&t, tg_run(&t, add), WL_DT_UINT8, TG_DIMS(2, 3, 4));
    int32_t c = tg_tensor(&t, WL_DT_UINT8, TG_DIMS(2, 5, 4));
    int32_t d = tg_tensor(&t, WL_DT_UINT8, TG_DIMS(2, 2, 4));
    int32_t join = ms_node(&t, "QLinearConcat", TG_IDS(s, z, c, s, z, d, s, z));
    tg_int(&t, join, "axis", 1);
    tg_expect(&t, tg_run(&t, join), WL_DT_UINT8, TG_DIMS(2, 7, 4));
    /* quantised Gemm with float output: 2 x 4 x 3 */
    int32_t x = tg_tensor(&t, WL_DT_UINT8, TG_DIMS(2, 4));
    int32_t w = tg_tensor(&t, WL_DT_UINT8, TG_DIMS(4, 3));
    int32_t gemm = ms_node(&t, "QGemm", TG_IDS(x, s, z, w, s, z));
    struct wl_work work = tg_work(&t, gemm);
    tg_expect(&t, out(&t, gemm, 0), WL_DT_FLOAT, TG_DIMS(2, 3));
    assert_int_equal(work.macs.value, 24);
    assert_true(work.integer_macs);
    int32_t image = tg_tensor(&t, WL_DT_UINT8, TG_DIMS(1, 14, 14, 32));
    int32_t pool = ms_node(&t, "QLinearGlobalAveragePool", TG_IDS(image, s, z, s, z));
    tg_int(&t, pool, "channels_last", 1);
    tg_expect(&t, tg_run(&t, pool), WL_DT_UINT8, TG_DIMS(1, 1, 1, 32));
    tg_done(&t);
}

/* 3 x 3 over 14 x 14, 8 to 16 channels, channels last: 14 * 14 * 16 * 72 MACs. */
static void test_layouts(void **state)
{
    (void)state;
    struct tg t;
    tg_init(&t);
    int32_t x = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(1, 14, 14, 8));
    int32_t w = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(16, 8, 3, 3));
    int32_t node = ms_node(&t, "NhwcFusedConv", TG_IDS(x, w));
    tg_ints(&t, node, "pads", 4, (const int64_t[]){1, 1, 1, 1});
    tg_str(&t, node, "activation", "Relu");
    struct wl_work work = tg_work(&t, node);
    tg_expect(&t, out(&t, node, 0), WL_DT_FLOAT, TG_DIMS(1, 14, 14, 16));
    assert_int_equal(work.macs.value, 225792);
    assert_int_equal(work.ops[WL_WORK_COMPARE].value, 14 * 14 * 16);
    assert_non_null(work.window);
    int32_t pool = tg_node_in(&t, "com.ms.internal.nhwc", "MaxPool", TG_IDS(x), 1);
    tg_ints(&t, pool, "kernel_shape", 2, (const int64_t[]){2, 2});
    tg_ints(&t, pool, "strides", 2, (const int64_t[]){2, 2});
    work = tg_work(&t, pool);
    tg_expect(&t, out(&t, pool, 0), WL_DT_FLOAT, TG_DIMS(1, 7, 7, 8));
    assert_int_equal(work.ops[WL_WORK_COMPARE].value, 7 * 7 * 8 * 4);
    int32_t back = tg_node_in(&t, "com.microsoft.nchwc", "ReorderOutput", TG_IDS(x), 1);
    tg_int(&t, back, "channels", 10);
    tg_expect(&t, tg_run(&t, back), WL_DT_FLOAT, TG_DIMS(1, 10, 14, 8));
    tg_done(&t);
}

/* 2 of 8 experts, 10 tokens: 20 rows of 16 -> 64 and 64 -> 16. */
static void test_experts(void **state)
{
    (void)state;
    struct tg t;
    tg_init(&t);
    int32_t x = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(10, 16));
    int32_t router = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(10, 8));
    int32_t up = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(8, 64, 16));
    int32_t down = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(8, 16, 64));
    int32_t node = ms_node(&t, "MoE", TG_IDS(x, router, up, WL_NONE, down));
    tg_int(&t, node, "k", 2);
    struct wl_work work = tg_work(&t, node);
    tg_expect(&t, out(&t, node, 0), WL_DT_FLOAT, TG_DIMS(10, 16));
    assert_int_equal(work.macs.value, 2 * 20 * 64 * 16);
    tg_done(&t);
}

/* 3 classes over 4 features for 5 samples: 60 MACs, 15 intercepts. */
static void test_classical(void **state)
{
    (void)state;
    struct tg t;
    tg_init(&t);
    int32_t x = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(5, 4));
    int32_t node = tg_node_in(&t, "ai.onnx.ml", "LinearClassifier", TG_IDS(x), 2);
    tg_ints(&t, node, "classlabels_ints", 3, (const int64_t[]){0, 1, 2});
    struct wl_attr *a = tg_attr(&t, node, "coefficients");
    a->type = WL_ATTR_FLOATS;
    a->count = 12;
    a = tg_attr(&t, node, "intercepts");
    a->type = WL_ATTR_FLOATS;
    a->count = 3;
    struct wl_work work = tg_work(&t, node);
    tg_expect(&t, out(&t, node, 0), WL_DT_INT64, TG_DIMS(5));
    tg_expect(&t, out(&t, node, 1), WL_DT_FLOAT, TG_DIMS(5, 3));
    assert_int_equal(work.macs.value, 60);
    assert_int_equal(work.ops[WL_WORK_ADDMUL].value, 15);
    /* two trees of 7 nodes (ids 0 and 1): depth log2 7 -> 3, 5 samples: 30 comparisons */
    int32_t tree = ml_node(&t, "TreeEnsembleRegressor", TG_IDS(x));
    tg_int(&t, tree, "n_targets", 1);
    int64_t ids[14];
    for (int i = 0; i < 14; i++) {
        ids[i] = i / 7;
    }
    tg_ints(&t, tree, "nodes_treeids", 14, ids);
    tg_ints(&t, tree, "nodes_featureids", 14, ids);
    work = tg_work(&t, tree);
    tg_expect(&t, out(&t, tree, 0), WL_DT_FLOAT, TG_DIMS(5, 1));
    assert_int_equal(work.ops[WL_WORK_COMPARE].value, 30);
    tg_done(&t);
}

static void test_optimizer(void **state)
{
    (void)state;
    struct tg t;
    tg_init(&t);
    int32_t rate = tg_scalar_tensor(&t, WL_DT_FLOAT);
    int32_t step = tg_scalar_tensor(&t, WL_DT_INT64);
    int32_t x = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(3));
    int32_t y = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(4, 2));
    int32_t node = tg_node_in(&t, "ai.onnx.preview.training", "Adam",
                              TG_IDS(rate, step, x, y, x, y, x, y, x, y), 6);
    struct wl_work work = tg_work(&t, node);
    for (int32_t o = 0; o < 6; o += 2) {
        tg_expect(&t, out(&t, node, o), WL_DT_FLOAT, TG_DIMS(3));
        tg_expect(&t, out(&t, node, o + 1), WL_DT_FLOAT, TG_DIMS(4, 2));
    }
    assert_int_equal(work.ops[WL_WORK_SPECIAL].value, 11); /* a root per element */
    tg_done(&t);
}

/* Every row survives a node without known inputs and attributes: shapes unknown, nothing fails. */
static void test_nothing_known(void **state)
{
    (void)state;
    int32_t count;
    const struct wl_op *rows = wl_op_table(&count);
    for (int32_t i = 0; i < count; i++) {
        for (int32_t rank = -1; rank < 6; rank++) {
            struct tg t;
            tg_init(&t);
            int32_t inputs[24];
            int32_t n = rows[i].in.max < 0 ? 5 : rows[i].in.max;
            for (int32_t k = 0; k < n; k++) {
                inputs[k] = tg_tensor(&t, WL_DT_FLOAT, rank < 0 ? 0 : rank,
                                      (const int64_t[]){-1, 0, -9, -2, 1});
                t.g.tensors[inputs[k]].rank = rank;
            }
            int32_t outputs = rows[i].out.max < 0 ? 3 : rows[i].out.max;
            int32_t node = tg_node_in(&t, rows[i].domain, rows[i].name, n, inputs, outputs);
            (void)tg_work(&t, node);
            tg_done(&t);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attention),
        cmocka_unit_test(test_multi_head_attention),
        cmocka_unit_test(test_group_query_attention),
        cmocka_unit_test(test_normalisations),
        cmocka_unit_test(test_few_bits),
        cmocka_unit_test(test_fused_products),
        cmocka_unit_test(test_quantised),
        cmocka_unit_test(test_layouts),
        cmocka_unit_test(test_experts),
        cmocka_unit_test(test_classical),
        cmocka_unit_test(test_optimizer),
        cmocka_unit_test(test_nothing_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
