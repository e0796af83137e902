/* SPDX-License-Identifier: Apache-2.0 */
/* NVML against a stand-in library (fake/nvml.c): counter, power only, errors, a lost GPU, MIG. */
#include "wl_test_sysfs.h"

static struct wl_meter *open_fake(const char *settings)
{
    struct wl_meter_options o = {.only = "nvml", .nvml_library = WL_FAKE_NVML, .interval_s = 0.01};
    struct wl_meter *m = NULL;
    assert_int_equal(setenv("WL_FAKE_NVML", settings, 1), 0);
    assert_int_equal(wl_meter_open(&o, &m, NULL), WL_OK);
    return m;
}

/* Two GPUs of 200 W each: 400 W in total, counted in whole millijoules. */
static void test_counter(void **state)
{
    (void)state;
    struct wl_meter *m = open_fake("gpus=2,watts=200");
    assert_int_equal(wl_meter_channel_count(m), 2);
    start(m);
    wait_ms(300);
    struct wl_meter_total total = stop(m);
    assert_near(total.average_power_w, 400.0, 4.0);
    assert_near(total.energy_j, 400.0 * total.wall_s, 1.2);
    assert_near(total.peak_power_w, 400.0, 4.0);
    struct wl_meter_channel c = channel_named(m, "gpu-1");
    assert_string_equal(c.device, "Made-up GPU");
    assert_string_equal(c.scope, "gpu");
    assert_near(c.utilization, 0.75, 1e-9);
    assert_near(c.clock_hz, 1.98e9, 1.0);
    assert_near(c.temperature_c, 62.0, 1e-9);
    assert_non_null(strstr(c.note, "energy counter"));
    assert_non_null(strstr(c.note, "means over 1 s")); /* Hopper without the instant field */
    wl_meter_close(m);
}

/* No counter: the sampled power is integrated, and the note says what the samples are. */
static void test_power_only(void **state)
{
    (void)state;
    struct wl_meter *m = open_fake("counter=0,watts=150");
    start(m);
    wait_ms(100);
    struct wl_meter_total total = stop(m);
    assert_near(total.energy_j, 150.0 * total.wall_s, 1e-3);
    assert_non_null(strstr(channel_named(m, "gpu-0").note, "integrated"));
    wl_meter_close(m);
}

static void test_averaging(void **state)
{
    static const struct {
        const char *settings;
        int averaged;
    } cases[] = {{"arch=7", 1}, {"arch=7,a100=1", 0},    {"arch=6", 0},
                 {"arch=9", 1}, {"arch=9,instant=1", 0}, {"arch=4294967295", 1}};
    (void)state;
    for (size_t i = 0; i < WL_ARRAY_LEN(cases); i++) {
        struct wl_meter *m = open_fake(cases[i].settings);
        const char *note = channel_named(m, "gpu-0").note;
        assert_int_equal(strstr(note, "means over 1 s") != NULL, cases[i].averaged);
        wl_meter_close(m);
    }
}

static void test_mig(void **state)
{
    (void)state;
    struct wl_meter *m = open_fake("mig=1");
    assert_non_null(strstr(channel_named(m, "gpu-0").note, "MIG"));
    wl_meter_close(m);
}

/* GPU 0 is lost in the middle; GPU 1 goes on. */
static void test_lost(void **state)
{
    (void)state;
    struct wl_meter *m = open_fake("gpus=2,watts=100,lost_after=8");
    start(m);
    wait_ms(200);
    struct wl_meter_total total = stop(m);
    assert_int_equal(total.incomplete, 1);
    struct wl_meter_channel lost = channel_named(m, "gpu-0");
    struct wl_meter_channel kept = channel_named(m, "gpu-1");
    assert_non_null(strstr(lost.note, "stopped answering"));
    assert_near(kept.energy_j, 100.0 * total.wall_s, 1.0);
    assert_true(lost.energy_j < kept.energy_j);
    wl_meter_close(m);
}

static void test_errors(void **state)
{
    (void)state;
    struct wl_meter *m = open_fake("init=9");
    assert_int_equal(wl_meter_channel_count(m), 0);
    assert_true(absent_says(m, "nvml", "Driver Not Loaded"));
    wl_meter_close(m);
    m = open_fake("gpus=0");
    assert_true(absent_says(m, "nvml", "no GPU"));
    wl_meter_close(m);
    m = open_fake("counter=0,power=0");
    assert_int_equal(wl_meter_channel_count(m), 0);
    assert_true(absent_says(m, "nvml", "neither energy nor power"));
    wl_meter_close(m);
    struct wl_meter_options o = {.only = "nvml", .nvml_library = "libm.so.6"};
    assert_int_equal(wl_meter_open(&o, &m, NULL), WL_OK);
    assert_true(absent_says(m, "nvml", "lacks NVML's functions"));
    wl_meter_close(m);
    o.nvml_library = "/nonexistent/libnvidia-ml.so.1";
    assert_int_equal(wl_meter_open(&o, &m, NULL), WL_OK);
    assert_true(absent_says(m, "nvml", "not there"));
    assert_true(absent_says(m, "nvml", "NVIDIA driver"));
    wl_meter_close(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counter),   cmocka_unit_test(test_power_only),
        cmocka_unit_test(test_averaging), cmocka_unit_test(test_mig),
        cmocka_unit_test(test_lost),      cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
