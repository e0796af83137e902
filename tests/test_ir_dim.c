/* SPDX-License-Identifier: Apache-2.0 */
/* ir: arithmetic on known, symbolic and unknown dimensions. */
#include "wl_test.h"

#include "ir.h"

static struct wl_arena arena;
static struct wl_dim_pool pool;

static int setup(void **state)
{
    (void)state;
    wl_arena_init(&arena, 0);
    return wl_dim_pool_init(&pool, &arena) == WL_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    wl_arena_done(&arena);
    return 0;
}

static struct wl_dim sym(const char *name)
{
    return wl_dim_symbol(&pool, name);
}

static struct wl_dim k(int64_t v)
{
    return wl_dim_known(v);
}

static void assert_prints(struct wl_dim d, const char *expected)
{
    struct wl_buf b;
    wl_buf_init(&b);
    wl_dim_print(&pool, d, &b);
    assert_string_equal(b.data, expected);
    wl_buf_done(&b);
}

static void known_numbers_compute(void **state)
{
    (void)state;
    assert_true(wl_dim_is(wl_dim_add(&pool, k(2), k(3)), 5));
    assert_true(wl_dim_is(wl_dim_mul(&pool, k(7), k(-3)), -21));
    assert_true(wl_dim_is(wl_dim_floor_div(&pool, k(-7), k(2)), -4));
    assert_true(wl_dim_is(wl_dim_ceil_div(&pool, k(7), k(2)), 4));
    assert_true(wl_dim_is(wl_dim_mod(&pool, k(-7), k(3)), 2));
    assert_true(wl_dim_is(wl_dim_scale(&pool, k(7), 2.5), 17));
    assert_true(wl_dim_is_unknown(wl_dim_exact_div(&pool, k(7), k(2))));
    assert_true(wl_dim_is_unknown(wl_dim_floor_div(&pool, k(7), k(0))));
    assert_false(pool.overflow);
    assert_true(wl_dim_is_unknown(wl_dim_mul(&pool, k(INT64_MAX), k(2))));
    assert_true(pool.overflow);
}

static void polynomials_are_canonical(void **state)
{
    (void)state;
    struct wl_dim n = sym("N");
    struct wl_dim t = sym("T");
    struct wl_dim a = wl_dim_add(&pool, wl_dim_mul_k(&pool, n, 2), t);
    struct wl_dim b = wl_dim_add(&pool, t, wl_dim_add(&pool, n, n));
    assert_true(wl_dim_eq(a, b));
    assert_prints(a, "2*N+T");
    assert_true(wl_dim_is(wl_dim_sub(&pool, a, b), 0));
    struct wl_dim square = wl_dim_mul(&pool, wl_dim_add(&pool, n, t), wl_dim_sub(&pool, n, t));
    assert_prints(square, "N*N-T*T");
    assert_true(wl_dim_is(wl_dim_mul(&pool, n, k(0)), 0));
    assert_true(wl_dim_is_unknown(wl_dim_add(&pool, n, wl_dim_unknown())));
    assert_true(wl_dim_is(wl_dim_mul(&pool, wl_dim_unknown(), k(0)), 0));
}

static void division_is_exact_or_a_function(void **state)
{
    (void)state;
    struct wl_dim n = sym("N");
    struct wl_dim h = sym("H");
    struct wl_dim twelve = wl_dim_mul_k(&pool, wl_dim_mul(&pool, n, h), 12);
    assert_true(wl_dim_eq(wl_dim_exact_div(&pool, twelve, wl_dim_mul_k(&pool, h, 4)),
                          wl_dim_mul_k(&pool, n, 3)));
    struct wl_dim sum = wl_dim_mul(&pool, wl_dim_add_k(&pool, n, 1), wl_dim_add(&pool, n, h));
    assert_true(wl_dim_eq(wl_dim_exact_div(&pool, sum, wl_dim_add_k(&pool, n, 1)),
                          wl_dim_add(&pool, n, h)));
    assert_true(wl_dim_is_unknown(wl_dim_exact_div(&pool, n, k(2))));
    struct wl_dim half = wl_dim_floor_div(&pool, wl_dim_add_k(&pool, h, -1), k(2));
    assert_prints(wl_dim_add_k(&pool, half, 1), "floor((H-1)/2)+1");
    assert_true(wl_dim_eq(half, wl_dim_floor_div(&pool, wl_dim_add_k(&pool, h, -1), k(2))));
    assert_true(wl_dim_is(wl_dim_floor_div(&pool, h, h), 1));
    assert_true(wl_dim_is(wl_dim_mod(&pool, wl_dim_mul_k(&pool, h, 6), k(3)), 0));
}

static void symbols_bind_to_numbers(void **state)
{
    (void)state;
    wl_dim_bind(&pool, "N", 8);
    assert_true(wl_dim_is(sym("N"), 8));
    assert_true(wl_dim_is_symbolic(sym("M")));
    struct wl_dim d = wl_dim_data_symbol(&pool, "nonzero", k(100));
    assert_true(wl_dim_is_symbolic(d));
    assert_int_equal(pool.symbols[wl_dim_find_symbol(&pool, "nonzero")].upper, 100);
}

static void data_dependent_sizes_have_an_upper_end(void **state)
{
    (void)state;
    int64_t value;
    bool unbound = true;
    struct wl_dim d = wl_dim_data_symbol(&pool, "found", k(100));
    struct wl_dim twice = wl_dim_add_k(&pool, wl_dim_mul_k(&pool, d, 2), 7);
    assert_true(wl_dim_at_most(&pool, twice, &value, &unbound));
    assert_int_equal(value, 207);
    assert_false(unbound);
    assert_true(wl_dim_at_most(&pool, wl_dim_min(&pool, twice, k(30)), &value, NULL));
    assert_int_equal(value, 30);
    assert_true(wl_dim_at_most(&pool, wl_dim_floor_div(&pool, d, k(3)), &value, NULL));
    assert_int_equal(value, 33);
    assert_true(wl_dim_at_most(&pool, k(5), &value, NULL));
    assert_int_equal(value, 5);
    assert_false(wl_dim_at_most(&pool, wl_dim_mul(&pool, d, sym("Free")), &value, &unbound));
    assert_true(unbound);
    struct wl_dim endless = wl_dim_data_symbol(&pool, "endless", wl_dim_unknown());
    assert_false(wl_dim_at_most(&pool, endless, &value, &unbound));
    assert_false(unbound);
    assert_false(wl_dim_at_most(&pool, wl_dim_unknown(), &value, &unbound));
    assert_true(wl_dim_at_most(&pool, wl_dim_min(&pool, endless, k(150)), &value, NULL));
    assert_int_equal(value, 150);
    assert_true(wl_dim_at_most(&pool, wl_dim_sub(&pool, k(100), d), &value, NULL));
    assert_int_equal(value, 100);
    assert_true(wl_dim_eq(wl_dim_min(&pool, endless, k(INT64_MAX)), endless));
}

static void signs_are_only_claimed_when_certain(void **state)
{
    (void)state;
    struct wl_dim n = sym("N");
    assert_true(wl_dim_gt(&pool, n, 0));
    assert_false(wl_dim_gt(&pool, n, 1));
    assert_true(wl_dim_gt(&pool, wl_dim_add_k(&pool, n, 4), 4));
    assert_false(wl_dim_gt(&pool, wl_dim_sub(&pool, n, sym("T")), -1));
    assert_false(wl_dim_gt(&pool, wl_dim_data_symbol(&pool, "count", wl_dim_unknown()), 0));
    assert_true(
        wl_dim_eq(wl_dim_max(&pool, n, wl_dim_add_k(&pool, n, 2)), wl_dim_add_k(&pool, n, 2)));
    assert_true(wl_dim_eq(wl_dim_min(&pool, n, wl_dim_mul_k(&pool, n, 2)), n));
    assert_prints(wl_dim_min(&pool, n, k(5)), "min(N, 5)");
}

static void growth_ends_in_unknown(void **state)
{
    (void)state;
    struct wl_dim d = sym("N");
    for (int i = 0; i < 40; i++) {
        d = wl_dim_floor_div(&pool, wl_dim_add_k(&pool, d, i), k(2));
    }
    assert_true(wl_dim_is_unknown(d));
    struct wl_dim power = sym("N");
    for (int i = 0; i < 10; i++) {
        power = wl_dim_mul(&pool, power, sym("N"));
    }
    assert_true(wl_dim_is_unknown(power));
    struct wl_dim sum = k(0);
    for (int i = 0; i < 40; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "s%d", i);
        sum = wl_dim_add(&pool, sum, sym(name));
    }
    assert_true(wl_dim_is_unknown(sum));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(known_numbers_compute, setup, teardown),
        cmocka_unit_test_setup_teardown(polynomials_are_canonical, setup, teardown),
        cmocka_unit_test_setup_teardown(division_is_exact_or_a_function, setup, teardown),
        cmocka_unit_test_setup_teardown(symbols_bind_to_numbers, setup, teardown),
        cmocka_unit_test_setup_teardown(data_dependent_sizes_have_an_upper_end, setup, teardown),
        cmocka_unit_test_setup_teardown(signs_are_only_claimed_when_certain, setup, teardown),
        cmocka_unit_test_setup_teardown(growth_ends_in_unknown, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
