/* SPDX-License-Identifier: Apache-2.0 */
/* RAPL on made-up powercap trees: wraps, missing domains, unreadable and vanishing files, 64
 * sockets. */
#include "wl_test_sysfs.h"

#define RANGE 262143328850LL

static void put_zone(const struct tree *t, const char *zone, const char *name, long long uj)
{
    char path[160];
    (void)snprintf(path, sizeof(path), "class/powercap/%s/name", zone);
    tree_put(t, path, name);
    (void)snprintf(path, sizeof(path), "class/powercap/%s/max_energy_range_uj", zone);
    tree_number(t, path, RANGE);
    (void)snprintf(path, sizeof(path), "class/powercap/%s/energy_uj", zone);
    tree_number(t, path, uj);
}

static void set_zone(const struct tree *t, const char *zone, long long uj)
{
    char path[160];
    (void)snprintf(path, sizeof(path), "class/powercap/%s/energy_uj", zone);
    tree_number(t, path, uj);
}

/* Package with cores, graphics, memory; psys around all. Counted: package + dram. */
static void test_one_socket(void **state)
{
    struct tree t;
    (void)state;
    tree_make(&t);
    put_zone(&t, "intel-rapl:0", "package-0", 1000000);
    put_zone(&t, "intel-rapl:0:0", "core", 500000);
    put_zone(&t, "intel-rapl:0:1", "uncore", 0);
    put_zone(&t, "intel-rapl:0:2", "dram", 200000);
    put_zone(&t, "intel-rapl:1", "psys", 7000000);
    struct wl_meter *m = open_only(&t, "rapl");
    assert_int_equal(wl_meter_channel_count(m), 5);
    start(m);
    set_zone(&t, "intel-rapl:0", 1000000 + 4000000);
    set_zone(&t, "intel-rapl:0:0", 500000 + 2500000);
    set_zone(&t, "intel-rapl:0:2", 200000 + 750000);
    set_zone(&t, "intel-rapl:1", 7000000 + 9000000);
    wait_ms(30);
    struct wl_meter_total total = stop(m);
    assert_near(channel_named(m, "package-0").energy_j, 4.0, 1e-9);
    assert_near(channel_named(m, "package-0/core").energy_j, 2.5, 1e-9);
    assert_near(channel_named(m, "package-0/uncore").energy_j, 0.0, 1e-9);
    assert_near(channel_named(m, "package-0/dram").energy_j, 0.75, 1e-9);
    assert_near(channel_named(m, "psys").energy_j, 9.0, 1e-9);
    assert_int_equal(channel_named(m, "package-0/core").counted, 0);
    assert_int_equal(channel_named(m, "psys").counted, 0);
    assert_near(total.energy_j, 4.75, 1e-9);
    assert_int_equal(total.counted, 2);
    assert_int_equal(total.incomplete, 0);
    assert_true(total.wall_s >= 0.03);
    assert_near(total.average_power_w, 4.75 / total.wall_s, 1e-6);
    wl_meter_close(m);
    tree_remove(&t);
}

/* 850 uJ up to the highest value, then 1000 uJ: 1850 uJ; twice within a region. */
static void test_wrap(void **state)
{
    struct tree t;
    (void)state;
    tree_make(&t);
    put_zone(&t, "intel-rapl:0", "package-0", RANGE - 850);
    struct wl_meter *m = open_only(&t, "rapl");
    struct wl_meter_total total;
    start(m);
    set_zone(&t, "intel-rapl:0", 1000);
    assert_int_equal(wl_meter_read(m, &total, NULL), WL_OK);
    assert_near(total.energy_j, 1850e-6, 1e-12);
    set_zone(&t, "intel-rapl:0", RANGE);
    assert_int_equal(wl_meter_read(m, &total, NULL), WL_OK);
    set_zone(&t, "intel-rapl:0", 40);
    total = stop(m);
    assert_near(total.energy_j, (1850.0 + (double)(RANGE - 1000) + 40.0) * 1e-6, 1e-6);
    wl_meter_close(m);
    tree_remove(&t);
}

/* Without a known range a counter that goes back was reset: said, and nothing invented. */
static void test_reset_without_range(void **state)
{
    struct tree t;
    (void)state;
    tree_make(&t);
    put_zone(&t, "intel-rapl:0", "package-0", 5000000);
    tree_delete(&t, "class/powercap/intel-rapl:0/max_energy_range_uj");
    struct wl_meter *m = open_only(&t, "rapl");
    struct wl_meter_total total;
    start(m);
    set_zone(&t, "intel-rapl:0", 6000000);
    assert_int_equal(wl_meter_read(m, &total, NULL), WL_OK);
    set_zone(&t, "intel-rapl:0", 100);
    total = stop(m);
    assert_near(total.energy_j, 1.0, 1e-9);
    assert_int_equal(total.incomplete, 1);
    assert_non_null(strstr(channel_named(m, "package-0").note, "reset"));
    wl_meter_close(m);
    tree_remove(&t);
}

/* Domains that lie only within their package's folder, as in a recorded tree without the links. */
static void test_nested_zones_and_mmio(void **state)
{
    struct tree t;
    (void)state;
    tree_make(&t);
    put_zone(&t, "intel-rapl:0", "package-0", 10);
    put_zone(&t, "intel-rapl:0/intel-rapl:0:0", "dram", 20);
    put_zone(&t, "intel-rapl-mmio:0", "package-0", 10);
    tree_put(&t, "class/powercap/intel-rapl/enabled", "1");
    struct wl_meter *m = open_only(&t, "rapl");
    assert_int_equal(wl_meter_channel_count(m), 2);
    assert_int_equal(channel_named(m, "package-0/dram").counted, 1);
    wl_meter_close(m);
    tree_remove(&t);
}

/* Each socket takes 2 J for its package and 1 J for its memory: 64 x 3 J. */
static void test_64_sockets(void **state)
{
    struct tree t;
    char zone[48];
    char name[32];
    (void)state;
    tree_make(&t);
    for (int i = 0; i < 64; i++) {
        (void)snprintf(zone, sizeof(zone), "intel-rapl:%d", i);
        (void)snprintf(name, sizeof(name), "package-%d", i);
        put_zone(&t, zone, name, 1000LL * i);
        (void)snprintf(zone, sizeof(zone), "intel-rapl:%d:0", i);
        put_zone(&t, zone, "dram", 7);
    }
    struct wl_meter *m = open_only(&t, "rapl");
    assert_int_equal(wl_meter_channel_count(m), 128);
    start(m);
    for (int i = 0; i < 64; i++) {
        (void)snprintf(zone, sizeof(zone), "intel-rapl:%d", i);
        set_zone(&t, zone, 1000LL * i + 2000000);
        (void)snprintf(zone, sizeof(zone), "intel-rapl:%d:0", i);
        set_zone(&t, zone, 7 + 1000000);
    }
    struct wl_meter_total total = stop(m);
    assert_near(total.energy_j, 64.0 * 3.0, 1e-6);
    assert_int_equal(total.counted, 128);
    struct wl_meter_channel c;
    assert_int_equal(wl_meter_channel_read(m, 20, &c, NULL), WL_OK);
    assert_string_equal(c.name, "package-10"); /* by number, not by spelling */
    wl_meter_close(m);
    tree_remove(&t);
}

static void test_unreadable(void **state)
{
    struct tree t;
    char path[256];
    (void)state;
    if (geteuid() != 0) {
        skip(); /* only root can make a file that it then may not read */
    }
    tree_make(&t);
    put_zone(&t, "intel-rapl:0", "package-0", 1);
    put_zone(&t, "intel-rapl:0:0", "core", 1);
    tree_path(&t, "class/powercap/intel-rapl:0/energy_uj", path, sizeof(path));
    assert_int_equal(chmod(path, 0400), 0);
    tree_path(&t, "class/powercap/intel-rapl:0:0/energy_uj", path, sizeof(path));
    assert_int_equal(chmod(path, 0400), 0);
    assert_int_equal(seteuid(65534), 0);
    struct wl_meter *m = open_only(&t, "rapl");
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(wl_meter_channel_count(m), 0);
    assert_true(absent_says(m, "rapl", "2 zones"));
    assert_true(absent_says(m, "rapl", "sudo chmod a+r "));
    assert_true(absent_says(m, "rapl", "/class/powercap/intel-rapl*/energy_uj"));
    wl_meter_close(m);
    tree_remove(&t);
}

static void test_garbage(void **state)
{
    static const char *const texts[] = {"",    "abc", "-5", "12 34", "99999999999999999999999",
                                        "0x10"};
    (void)state;
    for (size_t i = 0; i < WL_ARRAY_LEN(texts); i++) {
        struct tree t;
        tree_make(&t);
        put_zone(&t, "intel-rapl:0", "package-0", 1);
        tree_put(&t, "class/powercap/intel-rapl:0/energy_uj", texts[i]);
        struct wl_meter *m = open_only(&t, "rapl");
        assert_int_equal(wl_meter_channel_count(m), 0);
        assert_true(absent_says(m, "rapl", "cannot be read"));
        wl_meter_close(m);
        tree_remove(&t);
    }
}

/* One of two packages goes away: what it gave until then is kept, and the total says it is
 * incomplete. */
static void test_vanishing(void **state)
{
    struct tree t;
    (void)state;
    tree_make(&t);
    put_zone(&t, "intel-rapl:0", "package-0", 0);
    put_zone(&t, "intel-rapl:1", "package-1", 0);
    struct wl_meter *m = open_only(&t, "rapl");
    struct wl_meter_total total;
    start(m);
    set_zone(&t, "intel-rapl:0", 3000000);
    set_zone(&t, "intel-rapl:1", 2000000);
    assert_int_equal(wl_meter_read(m, &total, NULL), WL_OK);
    assert_int_equal(total.incomplete, 0);
    tree_delete(&t, "class/powercap/intel-rapl:1/energy_uj");
    total = stop(m);
    assert_near(total.energy_j, 5.0, 1e-9);
    assert_int_equal(total.incomplete, 1);
    assert_int_equal(channel_named(m, "package-1").incomplete, 1);
    assert_non_null(strstr(channel_named(m, "package-1").note, "stopped answering"));
    /* It comes back: the next region is whole again. */
    put_zone(&t, "intel-rapl:1", "package-1", 10);
    start(m);
    set_zone(&t, "intel-rapl:0", 3500000);
    set_zone(&t, "intel-rapl:1", 1000010);
    total = stop(m);
    assert_int_equal(total.incomplete, 0);
    assert_near(total.energy_j, 1.5, 1e-9);
    wl_meter_close(m);
    tree_remove(&t);
}

/* A counter that stands still for a second is no meter: null, not zero. */
static void test_stuck(void **state)
{
    struct tree t;
    (void)state;
    tree_make(&t);
    put_zone(&t, "intel-rapl:0", "package-0", 123);
    struct wl_meter *m = open_only(&t, "rapl");
    start(m);
    wait_ms(1050);
    struct wl_meter_total total = stop(m);
    assert_true(isnan(total.energy_j));
    assert_int_equal(total.counted, 0);
    assert_int_equal(total.incomplete, 1);
    assert_non_null(strstr(channel_named(m, "package-0").note, "did not move"));
    wl_meter_close(m);
    tree_remove(&t);
}

/* 0.2 s at 10 W, then 0.2 s at 50 W in steps of 20 ms: the peak is near 50, the mean near 30. */
static void test_peak(void **state)
{
    struct tree t;
    long long uj = 0;
    (void)state;
    tree_make(&t);
    put_zone(&t, "intel-rapl:0", "package-0", 0);
    struct wl_meter *m = open_only(&t, "rapl");
    struct timespec from;
    struct timespec now;
    start(m);
    (void)clock_gettime(CLOCK_MONOTONIC, &from);
    double at = 0.0;
    while (at < 0.4) {
        wait_ms(5);
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        double t_s =
            (double)(now.tv_sec - from.tv_sec) + (double)(now.tv_nsec - from.tv_nsec) * 1e-9;
        uj += (long long)((t_s - at) * (at < 0.2 ? 10e6 : 50e6));
        at = t_s;
        set_zone(&t, "intel-rapl:0", uj);
    }
    struct wl_meter_total total = stop(m);
    assert_true(total.peak_power_w > 35.0 && total.peak_power_w < 75.0);
    assert_true(total.average_power_w > 20.0 && total.average_power_w < 40.0);
    wl_meter_close(m);
    tree_remove(&t);
}

static void test_misuse(void **state)
{
    struct tree t;
    struct wl_error err;
    struct wl_meter_total total;
    struct wl_meter_channel c;
    struct wl_meter *m = NULL;
    (void)state;
    tree_make(&t);
    m = open_only(&t, "rapl");
    assert_true(absent_says(m, "rapl", "no zones"));
    assert_int_equal(wl_meter_read(m, &total, &err), WL_ERR_USAGE);
    assert_int_equal(wl_meter_stop(m, &err), WL_ERR_USAGE);
    assert_int_equal(wl_meter_channel_read(m, 0, &c, &err), WL_ERR_USAGE);
    start(m);
    assert_int_equal(wl_meter_start(m, &err), WL_ERR_USAGE);
    total = stop(m);
    assert_true(isnan(total.energy_j)); /* no meter: time only */
    assert_true(total.wall_s > 0.0);
    wl_meter_close(m);
    wl_meter_close(NULL);
    struct wl_meter_options o = {.only = "rapl,tapl"};
    assert_int_equal(wl_meter_open(&o, &m, &err), WL_ERR_USAGE);
    assert_non_null(strstr(err.message, "tapl"));
    o = (struct wl_meter_options){.sysfs_root = "/nonexistent"};
    assert_int_equal(wl_meter_open(&o, &m, &err), WL_ERR_IO);
    o = (struct wl_meter_options){.interval_s = -1.0};
    assert_int_equal(wl_meter_open(&o, &m, &err), WL_ERR_USAGE);
    tree_remove(&t);
}

/* A region that is not stopped ends with the meter. */
static void test_close_while_running(void **state)
{
    struct tree t;
    (void)state;
    tree_make(&t);
    put_zone(&t, "intel-rapl:0", "package-0", 0);
    struct wl_meter *m = open_only(&t, "rapl");
    start(m);
    wl_meter_close(m);
    tree_remove(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_socket),
        cmocka_unit_test(test_wrap),
        cmocka_unit_test(test_reset_without_range),
        cmocka_unit_test(test_nested_zones_and_mmio),
        cmocka_unit_test(test_64_sockets),
        cmocka_unit_test(test_unreadable),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_vanishing),
        cmocka_unit_test(test_stuck),
        cmocka_unit_test(test_peak),
        cmocka_unit_test(test_misuse),
        cmocka_unit_test(test_close_while_running),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
