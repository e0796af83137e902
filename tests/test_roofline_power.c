/* SPDX-License-Identifier: Apache-2.0 */
/* Latency from counts, the power bound and static energy, by hand. */
#include <math.h>

#include "map_fixture.h"

/*
 * Two subgraphs on the hand-made TPU (one array of 4 x 4): a product of 108 cycles at 1 GHz and an
 * element-wise one. The dynamic joules are scaled through the price of a MAC.
 */
static void build(struct fixture *f, double mac_pj, double limit_w)
{
    fixture_init(f);
    fixture_device(f, WL_HW_TPU, 1);
    struct wl_pipe *p = fixture_pipe(&f->device, "mxu", WL_PIPE_MATRIX, 32);
    p->rows = 4;
    p->cols = 4;
    fixture_level(&f->device, "ub", WL_SCOPE_DEVICE, 1 << 20);
    fixture_level(&f->device, "dram", WL_SCOPE_DEVICE, 0);
    for (int l = 0; l < 2; l++) {
        f->device.levels[l].bandwidth_bps = 1000 * GHZ;
    }
    f->device.event_pj[WL_EV_MATRIX_MAC][WL_PREC_FP32] = mac_pj;
    f->device.power_limit_w = limit_w;
    f->device.idle_w = 2;
    f->device.gated_idle_w = 1;
    fixture_input(f, 0);
    fixture_output(f, 3);
    fixture_product(f, 0, 80, 1, 60, 2, (struct wl_product){.g = 1, .m = 8, .n = 6, .k = 10});
    fixture_map(f, 2, 3, 48);
    fixture_run(f);
}

static void unbound(void **state)
{
    (void)state;
    struct fixture f;
    build(&f, 1, 1e6);
    expect_near(f.roofline.timings[0].compute_s, 108e-9, "108 cycles");
    /* 48 additions on the activation unit, 4 wide */
    expect_near(f.roofline.timings[1].compute_s, 12e-9, "12 cycles");
    expect_near(f.roofline.latency_s, 120e-9, "sum");
    expect_near(f.roofline.latency_s, f.roofline.unbounded_latency_s, "no bound");
    /* 480 MACs in 108 cycles of 16 */
    expect_near(f.roofline.utilization[0], 480.0 / (108 * 16), "utilisation");
    expect_near(f.energy.total.static_j, 2 * 120e-9, "idle watts x seconds");
    assert_int_equal(f.roofline.bound, WL_BOUND_COMPUTE);
    fixture_done(&f);
}

/*
 * With 10,000 pJ per MAC the product takes 4.8 uJ and more; at 12 W with 2 W idle the inference
 * takes (dynamic joules) / 10 W, the product is stretched and the element-wise part is not.
 */
static void bound_by_power(void **state)
{
    (void)state;
    struct fixture f;
    build(&f, 10000, 12);
    double dynamic_j = wl_energy_dynamic_j(&f.energy.total);
    assert_true(dynamic_j > 4.8e-6);
    assert_true(fabs(f.roofline.latency_s / (dynamic_j / 10) - 1) < 1e-9);
    expect_near(f.roofline.unbounded_latency_s, 120e-9, "unbounded");
    assert_int_equal(f.roofline.timings[0].bound, WL_BOUND_POWER);
    expect_near(f.roofline.timings[1].latency_s, 12e-9, "not stretched");
    assert_int_equal(f.roofline.bound, WL_BOUND_POWER);
    double watts = wl_energy_total_j(&f.energy.total) / f.roofline.latency_s;
    assert_true(watts <= 12 && watts > 12 * (1 - 1e-9));
    assert_true(f.roofline.utilization[0] < 480.0 / (108 * 16));
    fixture_done(&f);
}

/* Idle units burn static energy in vain; gated they fall to the gated power. */
static void gating(void **state)
{
    (void)state;
    struct fixture f;
    build(&f, 1, 1e6);
    for (int i = 0; i < 2; i++) {
        f.mappings.items[i].units_used = 0.25;
    }
    wl_energy_static(&f.mappings, f.roofline.timings, false, &f.energy);
    expect_near(f.energy.total.static_j, 240e-9, "static");
    expect_near(f.energy.wasted_j, 0.75 * 240e-9, "wasted");
    wl_energy_static(&f.mappings, f.roofline.timings, true, &f.energy);
    expect_near(f.energy.total.static_j, 1.25 * 120e-9, "gated");
    assert_true(f.energy.wasted_j <= f.energy.total.static_j);
    fixture_done(&f);
}

/* Overhead: launches on a CPU add up; queued ahead they cost only what the device waits for. */
static void overhead(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    fixture_device(&f, WL_HW_GPU, 1);
    f.device.params.barrier_s = 1e-6;
    f.device.params.warp_size = 32;
    fixture_pipe(&f.device, "cuda", WL_PIPE_VECTOR, 64)->simd_bits = 1024;
    fixture_level(&f.device, "l1", WL_SCOPE_UNIT, 1 << 17);
    fixture_level(&f.device, "l2", WL_SCOPE_DEVICE, 1 << 20);
    fixture_level(&f.device, "dram", WL_SCOPE_DEVICE, 0);
    fixture_input(&f, 0);
    fixture_output(&f, 1);
    /* 25,000 elements: 100,000 B read and written at 1 B per ns: 200 us */
    fixture_map(&f, 0, 1, 25000);
    f.runtime.dispatch_s[WL_HW_GPU] = 5e-6;
    fixture_run(&f);
    expect_near(f.roofline.latency_s, 201e-6, "the launch hides behind the work");
    f.runtime.dispatch_s[WL_HW_GPU] = 500e-6;
    fixture_run(&f);
    expect_near(f.roofline.latency_s, 500e-6, "the device waits for the launch");
    assert_int_equal(f.roofline.timings[0].bound, WL_BOUND_OVERHEAD);
    fixture_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(unbound), cmocka_unit_test(bound_by_power),
                                       cmocka_unit_test(gating), cmocka_unit_test(overhead)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
