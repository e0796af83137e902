/* SPDX-License-Identifier: Apache-2.0 */
/* Propagation of small values through arithmetic: the chains exporters write, symbols included. */
#include "wl_test_graph.h"

static struct wl_dim int_at(const struct tg *t, int32_t id, int64_t i)
{
    const struct wl_value *v = t->g.tensors[id].value;
    assert_non_null(v);
    assert_false(v->is_float);
    assert_true(i < v->count);
    return v->ints[i];
}

static double float_at(const struct tg *t, int32_t id, int64_t i)
{
    const struct wl_value *v = t->g.tensors[id].value;
    assert_non_null(v);
    assert_true(v->is_float && i < v->count);
    return v->floats[i];
}

/* A vector of the dims of a tensor, as Shape gives it. */
static int32_t shape_of(struct tg *t, int32_t id)
{
    return tg_run(t, tg_node(t, "Shape", TG_IDS(id)));
}

static int32_t binary(struct tg *t, const char *op, int32_t a, int32_t b)
{
    return tg_run(t, tg_node(t, op, TG_IDS(a, b)));
}

static int32_t cast(struct tg *t, int32_t a, enum wl_dtype to)
{
    int32_t n = tg_node(t, "Cast", TG_IDS(a));
    tg_int(t, n, "to", to);
    return tg_run(t, n);
}

/* Upsampling as exported: Shape -> Cast(FLOAT) -> Mul 2.0 -> Floor -> Cast(INT64). */
static void test_upsample_chain(void **state)
{
    struct tg t;
    const double twice[] = {2.0};
    (void)state;
    tg_init(&t);
    int32_t x = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(-1, 3, 20));
    int32_t f = cast(&t, shape_of(&t, x), WL_DT_FLOAT);
    int32_t m = binary(&t, "Mul", f, tg_const_floats(&t, 1, twice));
    int32_t r = cast(&t, tg_run(&t, tg_node(&t, "Floor", TG_IDS(m))), WL_DT_INT64);
    tg_expect_dim(&t, int_at(&t, r, 0), "2*N");
    assert_true(wl_dim_is(int_at(&t, r, 1), 6));
    assert_true(wl_dim_is(int_at(&t, r, 2), 40));
    tg_done(&t);
}

/* In single precision 20 * 2.1 is 42 (rounded up), in double of the same constant 41.999998. */
static void test_rounds_like_the_runtime(void **state)
{
    struct tg t;
    const double factor[] = {(double)2.1F};
    (void)state;
    tg_init(&t);
    int32_t n = tg_const(&t, TG_DIMS(20));
    int32_t m = binary(&t, "Mul", cast(&t, n, WL_DT_FLOAT), tg_const_floats(&t, 1, factor));
    assert_true(float_at(&t, m, 0) >= 42.0);
    int32_t r = cast(&t, tg_run(&t, tg_node(&t, "Floor", TG_IDS(m))), WL_DT_INT64);
    assert_true(wl_dim_is(int_at(&t, r, 0), 42));
    tg_done(&t);
}

/* Expand as exported: where(shape == -1, ones, shape). A symbol is at least 1, so never -1. */
static void test_where_equal(void **state)
{
    struct tg t;
    (void)state;
    tg_init(&t);
    int32_t x = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(-1, 4));
    int32_t shape = shape_of(&t, x);
    int32_t minus = tg_const(&t, TG_DIMS(-1, -1));
    int32_t ones = tg_const(&t, TG_DIMS(1, 1));
    int32_t eq = binary(&t, "Equal", shape, minus);
    assert_true(wl_dim_is(int_at(&t, eq, 0), 0));
    int32_t r = tg_run(&t, tg_node(&t, "Where", TG_IDS(eq, ones, shape)));
    tg_expect_dim(&t, int_at(&t, r, 0), "N");
    assert_true(wl_dim_is(int_at(&t, r, 1), 4));
    tg_done(&t);
}

static void test_integer_rules(void **state)
{
    struct tg t;
    (void)state;
    tg_init(&t);
    int32_t a = tg_const(&t, TG_DIMS(7, -7, 7, -7, INT64_MAX));
    int32_t b = tg_const(&t, TG_DIMS(2, 2, -2, 0, 1));
    int32_t d = binary(&t, "Div", a, b); /* truncates; by zero unknown */
    assert_true(wl_dim_is(int_at(&t, d, 0), 3));
    assert_true(wl_dim_is(int_at(&t, d, 1), -3));
    assert_true(wl_dim_is(int_at(&t, d, 2), -3));
    assert_true(wl_dim_is_unknown(int_at(&t, d, 3)));
    int32_t m = binary(&t, "Mod", a, b); /* the divisor's sign */
    assert_true(wl_dim_is(int_at(&t, m, 0), 1));
    assert_true(wl_dim_is(int_at(&t, m, 1), 1));
    assert_true(wl_dim_is(int_at(&t, m, 2), -1));
    int32_t s = binary(&t, "Add", a, b); /* past the end: unknown, and no sticky overflow */
    assert_true(wl_dim_is_unknown(int_at(&t, s, 4)));
    assert_false(t.g.dims.overflow);
    int32_t prod = tg_run(&t, tg_node(&t, "ReduceProd", TG_IDS(tg_const(&t, TG_DIMS(2, 3, 7)))));
    assert_true(wl_dim_is(int_at(&t, prod, 0), 42));
    int32_t axis = tg_const_scalar(&t, WL_DT_INT64, 0);
    int32_t sums = binary(&t, "CumSum", tg_const(&t, TG_DIMS(1, 2, 3)), axis);
    assert_true(wl_dim_is(int_at(&t, sums, 2), 6));
    int32_t narrow = cast(&t, tg_const(&t, TG_DIMS(5, 300)), WL_DT_UINT8);
    assert_true(wl_dim_is(int_at(&t, narrow, 0), 5));
    assert_true(wl_dim_is_unknown(int_at(&t, narrow, 1))); /* wraps: not modelled */
    tg_done(&t);
}

static void test_symbolic_rules(void **state)
{
    struct tg t;
    (void)state;
    tg_init(&t);
    int32_t s = shape_of(&t, tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(-1, -2)));
    int32_t two = tg_const(&t, TG_DIMS(2, 2));
    int32_t sum = binary(&t, "Add", s, two);
    tg_expect_dim(&t, int_at(&t, sum, 1), "M+2");
    int32_t back = binary(&t, "Sub", sum, s);
    assert_true(wl_dim_is(int_at(&t, back, 0), 2));
    int32_t even = binary(&t, "Div", binary(&t, "Mul", s, two), two);
    tg_expect_dim(&t, int_at(&t, even, 0), "N");
    int32_t greater = binary(&t, "Greater", s, tg_const(&t, TG_DIMS(0, 0)));
    assert_true(wl_dim_is(int_at(&t, greater, 0), 1));
    int32_t unsure = binary(&t, "Greater", s, two);
    assert_true(wl_dim_is_unknown(int_at(&t, unsure, 0)));
    tg_done(&t);
}

/* More than 4,096 elements, or an unknown shape: no value, no crash. */
static void test_limits(void **state)
{
    struct tg t;
    (void)state;
    tg_init(&t);
    int32_t row = tg_tensor(&t, WL_DT_INT64, TG_DIMS(1, 100));
    int32_t col = tg_tensor(&t, WL_DT_INT64, TG_DIMS(100, 1));
    struct wl_value *a = tg_value(&t, row, 100, false);
    struct wl_value *b = tg_value(&t, col, 100, false);
    for (int32_t i = 0; i < 100; i++) {
        a->ints[i] = wl_dim_known(i);
        b->ints[i] = wl_dim_known(i);
    }
    int32_t sum = binary(&t, "Add", row, col);
    tg_expect(&t, sum, WL_DT_INT64, TG_DIMS(100, 100));
    assert_null(t.g.tensors[sum].value);
    tg_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_upsample_chain), cmocka_unit_test(test_rounds_like_the_runtime),
        cmocka_unit_test(test_where_equal),    cmocka_unit_test(test_integer_rules),
        cmocka_unit_test(test_symbolic_rules), cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
