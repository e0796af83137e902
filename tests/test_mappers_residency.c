/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which level serves which read, by hand. Two element-wise subgraphs after each other, then a
 * product with weights, on a device with a cache of a given size before main memory; tensors of
 * 1,000 bytes (250 fp32 elements) unless said otherwise.
 */
#include "map_fixture.h"

static void device_with_cache(struct fixture *f, int64_t bytes)
{
    fixture_init(f);
    fixture_device(f, WL_HW_CPU, 1);
    fixture_pipe(&f->device, "simd", WL_PIPE_VECTOR, 8)->simd_bits = 128;
    fixture_level(&f->device, "cache", WL_SCOPE_DEVICE, bytes);
    fixture_level(&f->device, "dram", WL_SCOPE_DEVICE, 0);
}

static const struct wl_traffic *run(struct fixture *f, struct wl_residency *r)
{
    struct wl_error err;
    assert_int_equal(wl_residency_run(&f->partition, &f->device, &f->options, &f->arena, r, &err),
                     WL_OK);
    return r->traffic;
}

/* 0 -> a -> 1 -> b -> 2: the input comes from and the output goes to main memory; the tensor
   between stays in a cache that holds it. */
static void chain_in_cache(void **state)
{
    (void)state;
    struct fixture f;
    struct wl_residency r;
    device_with_cache(&f, 1000);
    fixture_input(&f, 0);
    fixture_output(&f, 2);
    fixture_map(&f, 0, 1, 250);
    fixture_map(&f, 1, 2, 250);
    const struct wl_traffic *t = run(&f, &r);
    expect_near(t[0].read_bytes, 1000, "first reads through the cache");
    expect_near(t[1].read_bytes, 1000, "first reads its input from main memory");
    expect_near(t[0].write_bytes, 1000, "first writes into the cache");
    expect_near(t[1].write_bytes, 0, "and no farther");
    expect_near(t[2].read_bytes, 1000, "second reads from the cache");
    expect_near(t[3].read_bytes, 0, "and not from main memory");
    expect_near(t[3].write_bytes, 1000, "the output goes to main memory");
    fixture_done(&f);
}

/* The distance is 1,000 bytes: a cache of 800 hits for 2 - 1,000/800 = 0.75; of 500 not at all. */
static void partial_hits(void **state)
{
    (void)state;
    static const struct {
        int64_t capacity;
        double missed;
    } cases[] = {{800, 0.25}, {500, 1}, {400, 1}};
    for (size_t i = 0; i < WL_ARRAY_LEN(cases); i++) {
        struct fixture f;
        struct wl_residency r;
        device_with_cache(&f, cases[i].capacity);
        fixture_input(&f, 0);
        fixture_output(&f, 2);
        fixture_map(&f, 0, 1, 250);
        fixture_map(&f, 1, 2, 250);
        const struct wl_traffic *t = run(&f, &r);
        expect_near(t[3].read_bytes, 1000 * cases[i].missed, "read from main memory");
        expect_near(t[1].write_bytes, 1000 * cases[i].missed, "written to main memory before");
        fixture_done(&f);
    }
}

/*
 * A product with 100 x 10 weights (4,000 B), input 10 x 100 (4,000 B), output 400 B. Between two
 * inferences the stack holds weights 4,000 and, once it is read, nothing else: the input and the
 * output are gone. At the read of the weights the input has been touched after them.
 */
static void weights_stay(void **state)
{
    (void)state;
    static const struct {
        int64_t capacity;
        bool cold;
        double from_dram;
    } cases[] = {{8000, false, 0}, {8000, true, 4000}, {1000, false, 4000}};
    for (size_t i = 0; i < WL_ARRAY_LEN(cases); i++) {
        struct fixture f;
        struct wl_residency r;
        device_with_cache(&f, cases[i].capacity);
        f.options.cold = cases[i].cold;
        fixture_input(&f, 0);
        fixture_output(&f, 2);
        fixture_product(&f, 0, 1000, 1, 1000, 2,
                        (struct wl_product){.g = 1, .m = 10, .n = 10, .k = 100});
        const struct wl_traffic *t = run(&f, &r);
        expect_near(t[1].read_bytes, 4000 + cases[i].from_dram, "input and weights");
        fixture_done(&f);
    }
}

/* An execution that reads one row of a table of ten finds another row next time. */
static void part_of_a_weight(void **state)
{
    (void)state;
    struct fixture f;
    struct wl_residency r;
    device_with_cache(&f, 1 << 20);
    fixture_input(&f, 0);
    fixture_output(&f, 2);
    fixture_product(&f, 0, 250, 1, 250, 2, (struct wl_product){.g = 1, .m = 1, .n = 1, .k = 250});
    f.tensors[1].stored_elems = 2500;
    const struct wl_traffic *t = run(&f, &r);
    expect_near(t[1].read_bytes, 2000, "input and row");
    fixture_done(&f);
}

/* Ten iterations: the weights of the loop fit into the cache after the first. */
static void loops(void **state)
{
    (void)state;
    struct fixture f;
    struct wl_residency r;
    device_with_cache(&f, 1 << 20);
    f.options.cold = true;
    fixture_input(&f, 0);
    fixture_output(&f, 2);
    struct wl_subgraph *s = fixture_product(
        &f, 0, 1000, 1, 1000, 2, (struct wl_product){.g = 1, .m = 10, .n = 10, .k = 100});
    s->repeat = 10;
    const struct wl_traffic *t = run(&f, &r);
    expect_near(t[0].read_bytes, 10 * 8000, "every iteration reads through the cache");
    expect_near(t[1].read_bytes, 8000, "only the first from main memory");
    fixture_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chain_in_cache), cmocka_unit_test(partial_hits),
        cmocka_unit_test(weights_stay),   cmocka_unit_test(part_of_a_weight),
        cmocka_unit_test(loops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
