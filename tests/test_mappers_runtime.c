/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a runtime adds: memory_efficiency divides main memory's bandwidth, call_s is paid once by
 * the first subgraph, worker_s by every fork and join per further thread.
 */
#include "map_fixture.h"

/* Two products of 512 x 512 x 512 on four cores. */
static double run(const struct wl_runtime *rt, double latency_s[2], double *dram_share)
{
    struct fixture f;
    fixture_init(&f);
    fixture_device(&f, WL_HW_CPU, 4);
    fixture_pipe(&f.device, "simd", WL_PIPE_VECTOR, 16)->simd_bits = 256;
    fixture_level(&f.device, "l1", WL_SCOPE_UNIT, 1 << 15);
    fixture_level(&f.device, "l2", WL_SCOPE_DEVICE, 1 << 23);
    fixture_level(&f.device, "dram", WL_SCOPE_DEVICE, 0);
    f.options.runtime = rt;
    fixture_input(&f, 0);
    int64_t elems = 512 * 512;
    struct wl_product p = {.g = 1, .m = 512, .n = 512, .k = 512};
    (void)fixture_product(&f, 0, elems, 1, elems, 2, p);
    (void)fixture_product(&f, 2, elems, 3, elems, 4, p);
    fixture_output(&f, 4);
    fixture_run(&f);
    assert_true(f.mappings.items[0].barriers == 1 && f.mappings.items[1].barriers == 1);
    latency_s[0] = f.roofline.timings[0].latency_s;
    latency_s[1] = f.roofline.timings[1].latency_s;
    *dram_share = f.mappings.items[0].level_share[2];
    double total = f.roofline.latency_s;
    fixture_done(&f);
    return total;
}

static struct wl_runtime plain_runtime(void)
{
    struct wl_runtime rt = {.name = "unit", .fusion = "none"};
    for (int c = 0; c < WL_HW_CLASS_COUNT; c++) {
        rt.gemm_efficiency[c] = rt.vector_efficiency[c] = rt.memory_efficiency[c] = 1;
    }
    return rt;
}

static void test_call_and_workers(void **state)
{
    (void)state;
    struct wl_runtime plain = plain_runtime();
    struct wl_runtime slow = plain;
    double before[2], after[2], share = 0;
    slow.call_s[WL_HW_CPU] = 1e-3;
    slow.worker_s[WL_HW_CPU] = 1e-5;
    double total = run(&plain, before, &share);
    double more = run(&slow, after, &share);
    /* Three further threads, 10 us each, per product; the call once. */
    expect_near(after[0] - before[0], 1e-3 + 3e-5, "first subgraph");
    expect_near(after[1] - before[1], 3e-5, "second subgraph");
    expect_near(more - total, 1e-3 + 6e-5, "model");
}

static void test_memory(void **state)
{
    (void)state;
    struct wl_runtime plain = plain_runtime();
    struct wl_runtime half = plain;
    double latency[2], all = 0, share = 0;
    half.memory_efficiency[WL_HW_CPU] = 0.5;
    (void)run(&plain, latency, &all);
    (void)run(&half, latency, &share);
    expect_near(share, all / 2, "share of main memory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_call_and_workers),
                                       cmocka_unit_test(test_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
