/* SPDX-License-Identifier: Apache-2.0 */
/* hwmon rails, AMD GPUs, batteries and perf events on made-up trees; who is summed when several
 * meet. */
#include "wl_test_sysfs.h"

static void put_ina(const struct tree *t, int hwmon, int channel, const char *label, int mv, int ma)
{
    char path[160];
    (void)snprintf(path, sizeof(path), "class/hwmon/hwmon%d/name", hwmon);
    tree_put(t, path, "ina3221");
    (void)snprintf(path, sizeof(path), "class/hwmon/hwmon%d/in%d_label", hwmon, channel);
    tree_put(t, path, label);
    (void)snprintf(path, sizeof(path), "class/hwmon/hwmon%d/in%d_input", hwmon, channel);
    tree_number(t, path, mv);
    (void)snprintf(path, sizeof(path), "class/hwmon/hwmon%d/curr%d_input", hwmon, channel);
    tree_number(t, path, ma);
}

/* Orin Nano and NX: VDD_IN 5 V x 2 A = 10 W holds the rails inside it. */
static void test_module_input(void **state)
{
    struct tree t;
    (void)state;
    tree_make(&t);
    put_ina(&t, 1, 1, "VDD_IN", 5000, 2000);
    put_ina(&t, 1, 2, "VDD_CPU_GPU_CV", 5000, 800);
    put_ina(&t, 1, 3, "VDD_SOC", 5000, 400);
    struct wl_meter *m = open_only(&t, "hwmon");
    assert_int_equal(wl_meter_channel_count(m), 3);
    start(m);
    wait_ms(50);
    struct wl_meter_total total = stop(m);
    assert_near(total.average_power_w, 10.0, 1e-6);
    assert_near(total.energy_j, 10.0 * total.wall_s, 1e-6);
    assert_near(total.peak_power_w, 10.0, 1e-6);
    assert_near(channel_named(m, "VDD_SOC").average_power_w, 2.0, 1e-6);
    assert_int_equal(channel_named(m, "VDD_SOC").counted, 0);
    wl_meter_close(m);
    tree_remove(&t);
}

/* AGX Orin: no input sensor. 8 + 4 + 5 W; the memory rail is fed from VIN_SYS_5V0; NC is no rail.
 */
static void test_rails_summed(void **state)
{
    struct tree t;
    (void)state;
    tree_make(&t);
    put_ina(&t, 3, 1, "VDD_GPU_SOC", 800, 10000);
    put_ina(&t, 3, 2, "VDD_CPU_CV", 800, 5000);
    put_ina(&t, 3, 3, "VIN_SYS_5V0", 5000, 1000);
    put_ina(&t, 4, 1, "NC", 0, 0);
    put_ina(&t, 4, 2, "VDDQ_VDD2_1V8AO", 1000, 900);
    struct wl_meter *m = open_only(&t, "hwmon");
    assert_int_equal(wl_meter_channel_count(m), 4);
    start(m);
    wait_ms(30);
    struct wl_meter_total total = stop(m);
    assert_near(total.average_power_w, 17.0, 1e-6);
    assert_int_equal(total.counted, 3);
    wl_meter_close(m);
    tree_remove(&t);
}

/* The trapezoid between two looks: from 10 W to 30 W is 20 W on average over the step. */
static void test_trapezoid(void **state)
{
    struct tree t;
    struct wl_meter_options o = {.sysfs_root = t.root, .only = "hwmon", .interval_s = 10.0};
    struct wl_meter *m = NULL;
    (void)state;
    tree_make(&t);
    put_ina(&t, 1, 1, "VDD_IN", 1000, 10000);
    assert_int_equal(wl_meter_open(&o, &m, NULL), WL_OK);
    start(m);
    put_ina(&t, 1, 1, "VDD_IN", 1000, 30000);
    wait_ms(20);
    struct wl_meter_total total = stop(m);
    assert_near(total.average_power_w, 20.0, 1e-6);
    assert_near(total.peak_power_w, 30.0, 1e-6);
    wl_meter_close(m);
    tree_remove(&t);
}

/* Discrete Intel graphics count energy; a driver that nobody knows is shown and not summed. */
static void test_other_drivers(void **state)
{
    struct tree t;
    (void)state;
    tree_make(&t);
    tree_put(&t, "class/hwmon/hwmon0/name", "i915");
    tree_number(&t, "class/hwmon/hwmon0/energy1_input", 1000000);
    tree_put(&t, "class/hwmon/hwmon1/name", "i915_gt0");
    tree_number(&t, "class/hwmon/hwmon1/energy1_input", 1000000);
    tree_put(&t, "class/hwmon/hwmon2/name", "mystery");
    tree_number(&t, "class/hwmon/hwmon2/power1_input", 4000000);
    tree_put(&t, "class/hwmon/hwmon3/name", "coretemp");
    tree_number(&t, "class/hwmon/hwmon3/temp1_input", 40000);
    struct wl_meter *m = open_only(&t, "hwmon");
    assert_int_equal(wl_meter_channel_count(m), 2);
    start(m);
    tree_number(&t, "class/hwmon/hwmon0/energy1_input", 3500000);
    wait_ms(20);
    struct wl_meter_total total = stop(m);
    assert_near(total.energy_j, 2.5, 1e-9);
    assert_near(channel_named(m, "mystery-power1").average_power_w, 4.0, 1e-6);
    assert_int_equal(channel_named(m, "mystery-power1").counted, 0);
    wl_meter_close(m);
    tree_remove(&t);
}

/* A rail that stops answering during the run. */
static void test_rail_vanishes(void **state)
{
    struct tree t;
    (void)state;
    tree_make(&t);
    put_ina(&t, 1, 1, "VDD_IN", 5000, 1000);
    struct wl_meter *m = open_only(&t, "hwmon");
    start(m);
    wait_ms(40);
    tree_delete(&t, "class/hwmon/hwmon1/curr1_input");
    wait_ms(20);
    struct wl_meter_total total = stop(m);
    assert_int_equal(total.incomplete, 1);
    assert_true(total.energy_j > 5.0 * 0.02 && total.energy_j < 5.0 * total.wall_s);
    wl_meter_close(m);
    tree_remove(&t);
}

/* ---- AMD graphics ---------------------------------------------------------------------------- */

static void put_card(const struct tree *t, int card, const char *power_file, long long uw)
{
    char path[160];
    (void)snprintf(path, sizeof(path), "class/drm/card%d/device/hwmon/hwmon5/name", card);
    tree_put(t, path, "amdgpu");
    (void)snprintf(path, sizeof(path), "class/drm/card%d/device/hwmon/hwmon5/%s", card, power_file);
    tree_number(t, path, uw);
}

static void put_metrics(const struct tree *t, int card, unsigned char format, unsigned char content,
                        size_t at, unsigned long long accumulator)
{
    unsigned char bytes[264] = {8, 1, format, content};
    char path[160];
    for (size_t i = 0; i < 8; i++) {
        bytes[at + i] = (unsigned char)(accumulator >> (8 * i));
    }
    (void)snprintf(path, sizeof(path), "class/drm/card%d/device/gpu_metrics", card);
    tree_bytes(t, path, bytes, sizeof(bytes));
}

/* Sampled power, average preferred; gauges beside it. Two cards add up: 100 + 40 W. */
static void test_amdgpu_power(void **state)
{
    struct tree t;
    (void)state;
    tree_make(&t);
    put_card(&t, 0, "power1_average", 100000000);
    put_card(&t, 0, "power1_input", 1);
    tree_number(&t, "class/drm/card0/device/gpu_busy_percent", 80);
    tree_number(&t, "class/drm/card0/device/hwmon/hwmon5/freq1_input", 1700000000);
    tree_number(&t, "class/drm/card0/device/hwmon/hwmon5/temp1_input", 55000);
    put_card(&t, 1, "power1_input", 40000000);
    tree_put(&t, "class/drm/card0-DP-1/status", "connected");
    struct wl_meter *m = open_only(&t, "amdgpu");
    assert_int_equal(wl_meter_channel_count(m), 2);
    start(m);
    wait_ms(30);
    struct wl_meter_total total = stop(m);
    assert_near(total.average_power_w, 140.0, 1e-6);
    struct wl_meter_channel c = channel_named(m, "card0");
    assert_near(c.utilization, 0.8, 1e-9);
    assert_near(c.clock_hz, 1.7e9, 1.0);
    assert_near(c.temperature_c, 55.0, 1e-9);
    wl_meter_close(m);
    tree_remove(&t);
}

/* MI300: 65536 counts are one joule; the accumulator goes before the power reading. */
static void test_amdgpu_accumulator(void **state)
{
    static const struct {
        unsigned char content;
        size_t at;
    } revisions[] = {{4, 24}, {5, 88}};
    (void)state;
    for (size_t i = 0; i < WL_ARRAY_LEN(revisions); i++) {
        struct tree t;
        tree_make(&t);
        put_card(&t, 2, "power1_input", 700000000);
        put_metrics(&t, 2, 1, revisions[i].content, revisions[i].at, 1000);
        struct wl_meter *m = open_only(&t, "amdgpu");
        start(m);
        put_metrics(&t, 2, 1, revisions[i].content, revisions[i].at, 1000 + 65536 * 12 + 32768);
        wait_ms(20);
        struct wl_meter_total total = stop(m);
        assert_near(total.energy_j, 12.5, 1e-5);
        assert_near(channel_named(m, "card2").peak_power_w, 700.0, 700.0);
        wl_meter_close(m);
        tree_remove(&t);
    }
}

/* All ones: the board has no accumulator. Short files and APUs. */
static void test_amdgpu_odd_metrics(void **state)
{
    struct tree t;
    (void)state;
    tree_make(&t);
    put_card(&t, 0, "power1_input", 50000000);
    put_metrics(&t, 0, 1, 4, 24, ~0ULL);
    put_card(&t, 1, "power1_input", 60000000);
    tree_bytes(&t, "class/drm/card1/device/gpu_metrics", "\x08\x01\x01\x04", 4);
    put_card(&t, 2, "power1_average", 15000000);
    put_metrics(&t, 2, 2, 2, 24, 5);
    struct wl_meter *m = open_only(&t, "amdgpu");
    start(m);
    wait_ms(20);
    struct wl_meter_total total = stop(m);
    assert_near(total.average_power_w, 125.0, 1e-6);
    assert_string_equal(channel_named(m, "card2").scope, "apu");
    wl_meter_close(m);
    tree_remove(&t);
}

/* ---- battery --------------------------------------------------------------------------------- */

static void test_battery(void **state)
{
    struct tree t;
    (void)state;
    tree_make(&t);
    tree_put(&t, "class/power_supply/BAT0/type", "Battery");
    tree_put(&t, "class/power_supply/BAT0/status", "Discharging");
    tree_number(&t, "class/power_supply/BAT0/power_now", 12000000);
    tree_put(&t, "class/power_supply/BAT1/type", "Battery");
    tree_put(&t, "class/power_supply/BAT1/status", "Discharging");
    tree_number(&t, "class/power_supply/BAT1/current_now", -500000); /* 0.5 A x 8 V */
    tree_number(&t, "class/power_supply/BAT1/voltage_now", 8000000);
    tree_put(&t, "class/power_supply/mouse/type", "Battery");
    tree_put(&t, "class/power_supply/mouse/scope", "Device");
    tree_put(&t, "class/power_supply/mouse/status", "Discharging");
    tree_put(&t, "class/power_supply/AC/type", "Mains");
    struct wl_meter *m = open_only(&t, "battery");
    assert_int_equal(wl_meter_channel_count(m), 2);
    start(m);
    wait_ms(20);
    struct wl_meter_total total = stop(m);
    assert_near(total.average_power_w, 16.0, 1e-6);
    wl_meter_close(m);
    tree_put(&t, "class/power_supply/BAT0/status", "Charging");
    tree_put(&t, "class/power_supply/BAT1/status", "Full");
    m = open_only(&t, "battery");
    assert_int_equal(wl_meter_channel_count(m), 0);
    assert_true(absent_says(m, "battery", "not discharging (Charging)"));
    assert_true(absent_says(m, "battery", "unplug"));
    wl_meter_close(m);
    tree_remove(&t);
}

/* ---- several sources together ---------------------------------------------------------------- */

/* A laptop on battery: package + graphics board are summed, the battery only when it stands alone.
 */
static void test_last_resort(void **state)
{
    struct tree t;
    (void)state;
    tree_make(&t);
    tree_put(&t, "class/power_supply/BAT0/type", "Battery");
    tree_put(&t, "class/power_supply/BAT0/status", "Discharging");
    tree_number(&t, "class/power_supply/BAT0/power_now", 30000000);
    put_card(&t, 0, "power1_average", 10000000);
    put_metrics(&t, 0, 2, 2, 24, 5); /* an APU */
    tree_put(&t, "class/powercap/intel-rapl:0/name", "package-0");
    tree_number(&t, "class/powercap/intel-rapl:0/energy_uj", 5);
    tree_number(&t, "class/powercap/intel-rapl:0/max_energy_range_uj", 1000000);
    struct wl_meter *m = open_only(&t, "rapl,amdgpu,battery");
    assert_int_equal(channel_named(m, "package-0").counted, 1);
    assert_int_equal(channel_named(m, "card0").counted, 0);
    assert_int_equal(channel_named(m, "BAT0").counted, 0);
    wl_meter_close(m);
    m = open_only(&t, "battery");
    assert_int_equal(channel_named(m, "BAT0").counted, 1);
    wl_meter_close(m);
    tree_remove(&t);
}

/* ---- perf events ----------------------------------------------------------------------------- */

static void put_unit(const struct tree *t, const char *type, const char *scale)
{
    tree_put(t, "bus/event_source/devices/power/type", type);
    tree_put(t, "bus/event_source/devices/power/cpumask", "0");
    tree_put(t, "bus/event_source/devices/power/events/energy-pkg", "event=0x00");
    tree_put(t, "bus/event_source/devices/power/events/energy-pkg.scale", scale);
    tree_put(t, "bus/event_source/devices/power/events/energy-pkg.unit", "Joules");
}

/*
 * The kernel's cpu-clock (type 1, event 0) counts nanoseconds of a processor: with a scale of 1e-8
 * it is a meter that shows 10 W.
 */
static void test_perf_event(void **state)
{
    struct tree t;
    (void)state;
    tree_make(&t);
    put_unit(&t, "1", "1.0e-8");
    struct wl_meter *m = open_only(&t, "perf_event");
    if (wl_meter_channel_count(m) == 0) {
        assert_true(absent_says(m, "perf_event", "perf_event_paranoid") ||
                    absent_says(m, "perf_event", "cannot be opened"));
        wl_meter_close(m);
        tree_remove(&t);
        skip();
    }
    start(m);
    wait_ms(200);
    struct wl_meter_total total = stop(m);
    assert_near(total.average_power_w, 10.0, 0.5);
    assert_string_equal(channel_named(m, "package-0").scope, "package");
    wl_meter_close(m);
    tree_remove(&t);
}

/* A counter that stands still (dummy event, type 1 event 9), and units that make no sense. */
static void test_perf_event_refused(void **state)
{
    struct tree t;
    (void)state;
    tree_make(&t);
    put_unit(&t, "1", "1.0");
    tree_put(&t, "bus/event_source/devices/power/events/energy-pkg", "event=0x09");
    struct wl_meter *m = open_only(&t, "perf_event");
    assert_int_equal(wl_meter_channel_count(m), 0);
    assert_true(absent_says(m, "perf_event", "stand still") ||
                absent_says(m, "perf_event", "permission"));
    wl_meter_close(m);
    tree_put(&t, "bus/event_source/devices/power/events/energy-pkg.unit", "Bananas");
    m = open_only(&t, "perf_event");
    assert_true(absent_says(m, "perf_event", "no energy events"));
    wl_meter_close(m);
    tree_put(&t, "bus/event_source/devices/power/type", "x");
    m = open_only(&t, "perf_event");
    assert_true(absent_says(m, "perf_event", "no power unit"));
    wl_meter_close(m);
    tree_remove(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_module_input),
        cmocka_unit_test(test_rails_summed),
        cmocka_unit_test(test_trapezoid),
        cmocka_unit_test(test_other_drivers),
        cmocka_unit_test(test_rail_vanishes),
        cmocka_unit_test(test_amdgpu_power),
        cmocka_unit_test(test_amdgpu_accumulator),
        cmocka_unit_test(test_amdgpu_odd_metrics),
        cmocka_unit_test(test_battery),
        cmocka_unit_test(test_last_resort),
        cmocka_unit_test(test_perf_event),
        cmocka_unit_test(test_perf_event_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
