/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Movement, resampling and signal operators beyond what the fixtures hold: symbolic bounds, chains
 * of values, sizes that depend on data, partial reads. Expected values are worked out by hand.
 */
#include "wl_test_graph.h"

static struct wl_dim dim_of(const struct tg *t, int32_t id, int32_t axis)
{
    assert_true(axis < t->g.tensors[id].rank);
    return t->g.tensors[id].dims[axis];
}

/* view(x.size(0), -1): Shape, Gather 0, Unsqueeze, Concat with -1, Reshape. */
static void test_flatten_chain(void **state)
{
    (void)state;
    struct tg t;
    tg_init(&t);
    int32_t x = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(-1, 8, 7, 7));
    int32_t shape = tg_run(&t, tg_node(&t, "Shape", TG_IDS(x)));
    int32_t zero = tg_const_scalar(&t, WL_DT_INT64, 0);
    int32_t batch = tg_run(&t, tg_node(&t, "Gather", TG_IDS(shape, zero)));
    int32_t axes = tg_const(&t, 1, (const int64_t[]){0});
    int32_t row = tg_run(&t, tg_node(&t, "Unsqueeze", TG_IDS(batch, axes)));
    int32_t rest = tg_const(&t, 1, (const int64_t[]){-1});
    int32_t join = tg_node(&t, "Concat", TG_IDS(row, rest));
    tg_int(&t, join, "axis", 0);
    int32_t y = tg_run(&t, tg_node(&t, "Reshape", TG_IDS(x, tg_run(&t, join))));
    assert_int_equal(t.g.tensors[y].rank, 2);
    tg_expect_dim(&t, dim_of(&t, y, 0), "N");
    tg_expect_dim(&t, dim_of(&t, y, 1), "392"); /* 8 * 7 * 7 */
    tg_done(&t);
}

/* Heads: (N, M, 768) -> (N, M, 12, -1); the symbols cancel. */
static void test_reshape_symbols(void **state)
{
    (void)state;
    struct tg t;
    tg_init(&t);
    int32_t x = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(-1, -2, 768));
    int32_t want = tg_const(&t, 4, (const int64_t[]){0, 0, 12, -1});
    int32_t y = tg_run(&t, tg_node(&t, "Reshape", TG_IDS(x, want)));
    tg_expect_dim(&t, dim_of(&t, y, 1), "M");
    tg_expect_dim(&t, dim_of(&t, y, 3), "64");
    /* (N, ?, 4) -> (-1, 4): the unknown dim stays unknown, the rank is known. */
    int32_t z = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(-1, -9, 4));
    int32_t flat = tg_const(&t, 2, (const int64_t[]){-1, 4});
    int32_t v = tg_run(&t, tg_node(&t, "Reshape", TG_IDS(z, flat)));
    assert_int_equal(t.g.tensors[v].rank, 2);
    assert_true(wl_dim_is_unknown(dim_of(&t, v, 0)));
    /* Not divisible: unknown, not rounded. */
    int32_t odd = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(3, 5));
    int32_t two = tg_const(&t, 2, (const int64_t[]){-1, 2});
    int32_t u = tg_run(&t, tg_node(&t, "Reshape", TG_IDS(odd, two)));
    assert_true(wl_dim_is_unknown(dim_of(&t, u, 0)));
    tg_done(&t);
}

static int32_t slice(struct tg *t, int32_t x, int64_t start, int64_t end, int64_t step)
{
    int32_t s = tg_const(t, 1, &start);
    int32_t e = tg_const(t, 1, &end);
    int32_t a = tg_const(t, 1, (const int64_t[]){0});
    int32_t k = tg_const(t, 1, &step);
    return tg_run(t, tg_node(t, "Slice", TG_IDS(x, s, e, a, k)));
}

static void test_slice(void **state)
{
    (void)state;
    struct tg t;
    tg_init(&t);
    int32_t x = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(10));
    tg_expect(&t, slice(&t, x, 2, 9, 3), WL_DT_FLOAT, TG_DIMS(3));            /* 2 5 8 */
    tg_expect(&t, slice(&t, x, -3, 100, 1), WL_DT_FLOAT, TG_DIMS(3));         /* 7 8 9 */
    tg_expect(&t, slice(&t, x, 8, 1, -3), WL_DT_FLOAT, TG_DIMS(3));           /* 8 5 2 */
    tg_expect(&t, slice(&t, x, -1, INT64_MIN, -1), WL_DT_FLOAT, TG_DIMS(10)); /* reversed */
    tg_expect(&t, slice(&t, x, 7, 3, 1), WL_DT_FLOAT, TG_DIMS(0));
    int32_t n = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(-1));
    tg_expect_dim(&t, dim_of(&t, slice(&t, n, 0, INT64_MAX, 1), 0), "N");
    tg_expect_dim(&t, dim_of(&t, slice(&t, n, 1, INT64_MAX, 1), 0), "N-1");
    tg_expect_dim(&t, dim_of(&t, slice(&t, n, 0, -1, 1), 0), "N-1");
    tg_expect_dim(&t, dim_of(&t, slice(&t, n, -1, INT64_MAX, 1), 0), "1");
    tg_expect_dim(&t, dim_of(&t, slice(&t, n, -1, INT64_MIN, -1), 0), "N");
    /* Values: [3 1 4 1 5][1::2] = [1 1]. */
    int32_t v = tg_const(&t, 5, (const int64_t[]){3, 1, 4, 1, 5});
    int32_t y = slice(&t, v, 1, INT64_MAX, 2);
    assert_non_null(t.g.tensors[y].value);
    assert_int_equal(t.g.tensors[y].value->ints[1].value, 1);
    tg_done(&t);
}

/* A slice and a gather read what they write, not their whole input. */
static void test_partial_reads(void **state)
{
    (void)state;
    struct tg t;
    tg_init(&t);
    int32_t table = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(30000, 768));
    int32_t ids = tg_tensor(&t, WL_DT_INT64, TG_DIMS(2, 16));
    int32_t node = tg_node(&t, "Gather", TG_IDS(table, ids));
    struct wl_work w = tg_work(&t, node);
    assert_int_equal(w.partial_input, 0);
    assert_int_equal(w.partial_elems.value, 2 * 16 * 768);
    assert_int_equal(w.access, WL_ACCESS_GATHER);
    assert_int_equal(w.macs.value, 0);
    tg_done(&t);
}

static void test_data_dependent(void **state)
{
    (void)state;
    struct tg t;
    tg_init(&t);
    int32_t x = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(4, 5));
    int32_t y = tg_run(&t, tg_node(&t, "NonZero", TG_IDS(x)));
    tg_expect_dim(&t, dim_of(&t, y, 0), "2");
    tg_expect_dim(&t, dim_of(&t, y, 1), "NonZero.count");
    int32_t symbol = wl_dim_find_symbol(&t.g.dims, "NonZero.count");
    assert_int_equal(t.g.dims.symbols[symbol].upper, 20);
    assert_true(t.g.dims.symbols[symbol].data_dependent);
    /* Known values are counted: [0 7 0 2] has non-zeros at 1 and 3. */
    int32_t v = tg_const(&t, 4, (const int64_t[]){0, 7, 0, 2});
    int32_t z = tg_run(&t, tg_node(&t, "NonZero", TG_IDS(v)));
    tg_expect(&t, z, WL_DT_INT64, TG_DIMS(1, 2));
    assert_int_equal(t.g.tensors[z].value->ints[1].value, 3);
    /* boxes (1, 1000, 4), scores (1, 80, 1000), at most 5 per class: 400 rows. */
    int32_t boxes = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(1, 1000, 4));
    int32_t scores = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(1, 80, 1000));
    int32_t most = tg_const_scalar(&t, WL_DT_INT64, 5);
    int32_t nms = tg_run(&t, tg_node(&t, "NonMaxSuppression", TG_IDS(boxes, scores, most)));
    tg_expect_dim(&t, dim_of(&t, nms, 1), "3");
    symbol = wl_dim_find_symbol(&t.g.dims, "NonMaxSuppression.count");
    assert_int_equal(t.g.dims.symbols[symbol].upper, 400);
    /* unique of [2 1 1 3]: 3. */
    int32_t u = tg_const(&t, 4, (const int64_t[]){2, 1, 1, 3});
    tg_expect(&t, tg_run(&t, tg_node(&t, "Unique", TG_IDS(u))), WL_DT_INT64, TG_DIMS(3));
    tg_done(&t);
}

static void test_range_expand(void **state)
{
    (void)state;
    struct tg t;
    tg_init(&t);
    int32_t x = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(-1, 3));
    int32_t shape = tg_run(&t, tg_node(&t, "Shape", TG_IDS(x)));
    int32_t zero = tg_const_scalar(&t, WL_DT_INT64, 0);
    int32_t two = tg_const_scalar(&t, WL_DT_INT64, 2);
    int32_t n = tg_run(&t, tg_node(&t, "Gather", TG_IDS(shape, zero)));
    int32_t one = tg_const_scalar(&t, WL_DT_INT64, 1);
    int32_t r = tg_run(&t, tg_node(&t, "Range", TG_IDS(zero, n, one)));
    tg_expect_dim(&t, dim_of(&t, r, 0), "N");
    int32_t ten = tg_const_scalar(&t, WL_DT_INT64, 10);
    int32_t down = tg_const_scalar(&t, WL_DT_INT64, -3);
    int32_t q = tg_run(&t, tg_node(&t, "Range", TG_IDS(ten, two, down))); /* 10 7 4 */
    tg_expect(&t, q, WL_DT_INT64, TG_DIMS(3));
    assert_int_equal(t.g.tensors[q].value->ints[2].value, 4);
    /* (1, 3) expanded to Shape(x) = (N, 3). */
    int32_t row = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(1, 3));
    int32_t e = tg_run(&t, tg_node(&t, "Expand", TG_IDS(row, shape)));
    tg_expect_dim(&t, dim_of(&t, e, 0), "N");
    tg_expect_dim(&t, dim_of(&t, e, 1), "3");
    tg_done(&t);
}

/* Values through every operator that can carry them, against results by hand. */
static void test_values(void **state)
{
    (void)state;
    struct tg t;
    tg_init(&t);
    int32_t v = tg_const(&t, 4, (const int64_t[]){1, 2, 3, 4});
    int32_t shape = tg_const(&t, 2, (const int64_t[]){2, 2});
    int32_t m = tg_run(&t, tg_node(&t, "Reshape", TG_IDS(v, shape))); /* 1 2 / 3 4 */
    int32_t tr = tg_run(&t, tg_node(&t, "Transpose", TG_IDS(m)));     /* 1 3 / 2 4 */
    assert_int_equal(t.g.tensors[tr].value->ints[1].value, 3);
    int32_t low = tg_node(&t, "Trilu", TG_IDS(m)); /* 1 0 / 3 4 */
    tg_int(&t, low, "upper", 0);
    assert_int_equal(t.g.tensors[tg_run(&t, low)].value->ints[1].value, 0);
    int32_t pads = tg_const(&t, 2, (const int64_t[]){1, 0});
    int32_t p = tg_run(&t, tg_node(&t, "Pad", TG_IDS(v, pads))); /* 0 1 2 3 4 */
    assert_int_equal(t.g.tensors[p].value->ints[4].value, 4);
    int32_t at = tg_const(&t, 1, (const int64_t[]){-1});
    int32_t to = tg_const(&t, 1, (const int64_t[]){9});
    int32_t s = tg_run(&t, tg_node(&t, "ScatterElements", TG_IDS(v, at, to))); /* 1 2 3 9 */
    assert_int_equal(t.g.tensors[s].value->ints[3].value, 9);
    int32_t twice = tg_const(&t, 1, (const int64_t[]){2});
    int32_t tile = tg_run(&t, tg_node(&t, "Tile", TG_IDS(v, twice)));
    assert_int_equal(t.g.tensors[tile].value->count, 8);
    assert_int_equal(t.g.tensors[tile].value->ints[5].value, 2);
    int32_t k = tg_const(&t, 1, (const int64_t[]){2});
    int32_t top = tg_node_in(&t, "", "TopK", TG_IDS(v, k), 2);
    int32_t best = tg_run(&t, top); /* 4 3 at 3 2 */
    assert_int_equal(t.g.tensors[best].value->ints[1].value, 3);
    assert_int_equal(t.g.tensors[t.g.nodes[top].outputs[1]].value->ints[0].value, 3);
    tg_done(&t);
}

/* floor(in * scale) in single precision: 10 * 0.7f is 7 there, 6.99999988 in double. */
static void test_resize(void **state)
{
    (void)state;
    struct tg t;
    tg_init(&t);
    int32_t x = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(1, 2, 10, 6));
    int32_t scales = tg_const_floats(&t, 4, (const double[]){1.0, 1.0, (double)0.7F, 2.0});
    int32_t node = tg_node(&t, "Resize", TG_IDS(x, WL_NONE, scales));
    tg_str(&t, node, "mode", "linear");
    struct wl_work w = tg_work(&t, node);
    tg_expect(&t, t.g.nodes[node].outputs[0], WL_DT_FLOAT, TG_DIMS(1, 2, 7, 12));
    /* two axes change: 3 interpolations of 3 operations for each of 168 outputs */
    assert_int_equal(w.ops[WL_WORK_ADDMUL].value, 9 * 2 * 7 * 12);
    tg_done(&t);
}

/* 1024 points real: 5 n log2 n / 2 = 25,600 for each of 3 rows; 513 bins. */
static void test_dft(void **state)
{
    (void)state;
    struct tg t;
    tg_init(&t);
    int32_t x = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(3, 1024, 1));
    int32_t node = tg_node(&t, "DFT", TG_IDS(x));
    tg_int(&t, node, "onesided", 1);
    tg_int(&t, node, "axis", 1);
    struct wl_work w = tg_work(&t, node);
    tg_expect(&t, t.g.nodes[node].outputs[0], WL_DT_FLOAT, TG_DIMS(3, 513, 2));
    assert_int_equal(w.ops[WL_WORK_ADDMUL].value, 3 * 25600);
    tg_done(&t);
}

/* An empty or contradictory description leaves the output unknown; nothing fails. */
static void test_contradictions(void **state)
{
    (void)state;
    struct tg t;
    tg_init(&t);
    int32_t x = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(2, 3));
    int32_t tr = tg_node(&t, "Transpose", TG_IDS(x));
    tg_ints(&t, tr, "perm", 2, (const int64_t[]){0, 0});
    assert_true(wl_dim_is_unknown(dim_of(&t, tg_run(&t, tr), 0)));
    int32_t axes = tg_const(&t, 1, (const int64_t[]){7});
    assert_int_equal(t.g.tensors[tg_run(&t, tg_node(&t, "Squeeze", TG_IDS(x, axes)))].rank,
                     WL_NONE);
    int32_t s = tg_node(&t, "Gather", TG_IDS(x, axes));
    tg_int(&t, s, "axis", 9);
    assert_int_equal(t.g.tensors[tg_run(&t, s)].rank, WL_NONE);
    int32_t y = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(4));
    int32_t c = tg_node(&t, "Concat", TG_IDS(x, y));
    tg_int(&t, c, "axis", 0);
    assert_int_equal(t.g.tensors[tg_run(&t, c)].rank, WL_NONE);
    tg_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flatten_chain),
        cmocka_unit_test(test_reshape_symbols),
        cmocka_unit_test(test_slice),
        cmocka_unit_test(test_partial_reads),
        cmocka_unit_test(test_data_dependent),
        cmocka_unit_test(test_range_expand),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_resize),
        cmocka_unit_test(test_dft),
        cmocka_unit_test(test_contradictions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
