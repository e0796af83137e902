/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a runtime adds: memory_efficiency divides main memory's bandwidth, call_s is paid once by
 * the first subgraph, worker_s by every fork and join per further thread, dispatch_slots at every
 * launch by the width and the clock of a core; equal shares end with the slowest core; kernels run
 * element by element, on one thread, with others around them; what is written is read first where a
 * bandwidth is that of reads.
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

struct streamed {
    double compute_s, serial_s, barriers, dispatches, l2_reads;
};

#define STREAM_ELEMS 4000000

/* A stream of 4 M elements on four cores, as the kernel says. */
static struct streamed stream(const struct wl_map_kernel *kernel, bool read_bandwidth)
{
    struct fixture f;
    struct wl_runtime rt = plain_runtime();
    fixture_init(&f);
    fixture_device(&f, WL_HW_CPU, 4);
    fixture_pipe(&f.device, "simd", WL_PIPE_VECTOR, 16)->simd_bits = 256;
    fixture_level(&f.device, "l1", WL_SCOPE_UNIT, 1 << 15);
    fixture_level(&f.device, "l2", WL_SCOPE_DEVICE, 1 << 26);
    fixture_level(&f.device, "dram", WL_SCOPE_DEVICE, 0);
    for (int32_t l = 0; l < 3; l++) {
        f.device.levels[l].bandwidth_bps = 1e15;
        f.device.levels[l].read_bandwidth = read_bandwidth;
    }
    f.options.runtime = &rt;
    f.options.kernels = kernel;
    fixture_input(&f, 0);
    (void)fixture_map(&f, 0, 1, STREAM_ELEMS);
    fixture_output(&f, 1);
    fixture_run(&f);
    const struct wl_mapping *m = &f.mappings.items[0];
    struct streamed s = {.compute_s = f.roofline.timings[0].compute_s,
                         .serial_s = m->serial_s,
                         .barriers = m->barriers,
                         .dispatches = m->dispatches,
                         .l2_reads = m->traffic[1].read_bytes};
    fixture_done(&f);
    return s;
}

/* Ten cycles of 1 GHz for each of 4 M elements: 40 ms of one core, 10 of four. */
static void test_element_by_element(void **state)
{
    (void)state;
    struct wl_map_kernel k = {.element_cycles = 10.0 * STREAM_ELEMS};
    struct streamed s = stream(&k, false);
    expect_near(s.compute_s, 0.01, "four cores");
    assert_true(s.barriers == 1);
    k.serial = true;
    s = stream(&k, false);
    expect_near(s.compute_s, 0.04, "one core");
    assert_true(s.barriers == 0);
}

/* Two kernels around it of 8 M cycles together: 2 ms on four cores. */
static void test_around(void **state)
{
    (void)state;
    struct wl_map_kernel nothing = {0};
    struct wl_map_kernel k = {.around = 2, .around_cycles = 8e6, .around_bytes = 1e6};
    struct streamed before = stream(&nothing, false);
    struct streamed after = stream(&k, false);
    expect_near(after.serial_s - before.serial_s, 2e-3, "seconds");
    expect_near(after.dispatches, before.dispatches + 2, "launches");
}

/* Results of 16 MB: their lines are read first. */
static void test_write_allocate(void **state)
{
    (void)state;
    struct wl_map_kernel nothing = {0};
    double without = stream(&nothing, false).l2_reads;
    expect_near(stream(&nothing, true).l2_reads, without + 4.0 * STREAM_ELEMS, "bytes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_call_and_workers), cmocka_unit_test(test_memory),
        cmocka_unit_test(test_dispatch_slots),   cmocka_unit_test(test_spins),
        cmocka_unit_test(test_equal_shares),     cmocka_unit_test(test_element_by_element),
        cmocka_unit_test(test_around),           cmocka_unit_test(test_write_allocate)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
