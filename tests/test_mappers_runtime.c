/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a runtime adds: memory_efficiency divides main memory's bandwidth, call_s is paid once by
 * the first subgraph, worker_s by every fork and join per further thread, dispatch_slots at every
 * launch by the width and the clock of a core; equal shares end with the slowest core.
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

/* 8e6 slots on a core that decodes 4 instructions per cycle of 1 GHz: 2 ms per launch; on one that
   decodes 2: 4 ms. */
static void test_dispatch_slots(void **state)
{
    (void)state;
    for (int width = 2; width <= 4; width += 2) {
        struct wl_runtime rt = plain_runtime();
        double seconds[2];
        for (int i = 0; i < 2; i++) {
            struct fixture f;
            rt.dispatch_slots[WL_HW_CPU] = i * 8e6;
            fixture_init(&f);
            fixture_device(&f, WL_HW_CPU, 1);
            f.device.groups[0].decode_per_cycle = width;
            fixture_pipe(&f.device, "simd", WL_PIPE_VECTOR, 16)->simd_bits = 256;
            fixture_level(&f.device, "dram", WL_SCOPE_DEVICE, 0);
            f.options.runtime = &rt;
            fixture_input(&f, 0);
            (void)fixture_map(&f, 0, 1, 1024);
            (void)fixture_map(&f, 1, 2, 1024);
            fixture_output(&f, 2);
            fixture_run(&f);
            seconds[i] = f.roofline.latency_s;
            fixture_done(&f);
        }
        expect_near(seconds[1] - seconds[0], 2 * 8e-3 / width, "two launches");
    }
}

static double fetched(bool spins)
{
    struct fixture f;
    struct wl_runtime rt = plain_runtime();
    rt.spins = spins;
    rt.dispatch_slots[WL_HW_CPU] = 8e6;
    fixture_init(&f);
    fixture_device(&f, WL_HW_CPU, 4);
    f.device.groups[0].decode_per_cycle = 4;
    fixture_pipe(&f.device, "simd", WL_PIPE_VECTOR, 16)->simd_bits = 256;
    fixture_level(&f.device, "dram", WL_SCOPE_DEVICE, 0);
    f.options.runtime = &rt;
    fixture_input(&f, 0);
    (void)fixture_map(&f, 0, 1, 1024);
    fixture_output(&f, 1);
    fixture_run(&f);
    double count = 0;
    for (int32_t i = 0; i < f.mappings.items[0].event_count; i++) {
        const struct wl_event_count *e = &f.mappings.items[0].events[i];
        count += e->event == WL_EV_INSTRUCTION_FETCH ? e->count : 0;
    }
    fixture_done(&f);
    return count;
}

/* Three cores spin for the 2e6 cycles of a launch, an instruction per cycle. */
static void test_spins(void **state)
{
    (void)state;
    expect_near(fetched(true) - fetched(false), 3 * 2e6, "instructions");
}

/* A product on two cores and two of half their speed. */
static double hybrid_seconds(const char *equal_shares)
{
    struct fixture f;
    struct wl_runtime rt = plain_runtime();
    rt.equal_shares = equal_shares;
    fixture_init(&f);
    fixture_device(&f, WL_HW_CPU, 2);
    f.device.group_count = 2;
    f.device.groups[1] = (struct wl_unit_group){.name = "slow", .count = 2, .clock_hz = GHZ};
    fixture_pipe(&f.device, "simd", WL_PIPE_VECTOR, 16)->simd_bits = 256;
    struct wl_pipe *slow = fixture_pipe(&f.device, "simd", WL_PIPE_VECTOR, 8);
    slow->simd_bits = 256;
    slow->group = 1;
    fixture_level(&f.device, "l1", WL_SCOPE_UNIT, 1 << 15);
    fixture_level(&f.device, "dram", WL_SCOPE_DEVICE, 0);
    f.device.levels[0].bandwidth_bps = f.device.levels[1].bandwidth_bps = 1e13;
    f.options.runtime = &rt;
    fixture_input(&f, 0);
    int64_t elems = 512 * 512;
    struct wl_product p = {.g = 1, .m = 512, .n = 512, .k = 512};
    (void)fixture_product(&f, 0, elems, 1, elems, 2, p);
    fixture_output(&f, 2);
    fixture_run(&f);
    double seconds = f.roofline.timings[0].compute_s;
    fixture_done(&f);
    return seconds;
}

/* Handed out as cores get free, they do the work of 3 cores; in equal parts that of 4 halves. */
static void test_equal_shares(void **state)
{
    (void)state;
    double free_s = hybrid_seconds(NULL);
    expect_near(hybrid_seconds("neon sve"), free_s, "another pipe");
    expect_near(hybrid_seconds("neon simd"), free_s * 3 / 2, "equal parts");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_call_and_workers), cmocka_unit_test(test_memory),
        cmocka_unit_test(test_dispatch_slots), cmocka_unit_test(test_spins),
        cmocka_unit_test(test_equal_shares)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
