/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics, runs of commands, the time series, overhead and drift of sampling, OpenMetrics text.
 */
#include <signal.h>
#include <sys/resource.h>

#include "measure_priv.h"
#include "wl_test_sysfs.h"

static void test_statistics(void **state)
{
    const double odd[] = {5.0, 1.0, 3.0};
    const double even[] = {4.0, 1.0, 3.0, 2.0};
    const double holes[] = {(double)NAN, 2.0, (double)NAN, 4.0};
    (void)state;
    assert_near(wl_median(odd, 3), 3.0, 0.0);
    assert_near(wl_median(even, 4), 2.5, 0.0);
    assert_near(wl_median(holes, 4), 3.0, 0.0);
    assert_near(wl_spread(even, 4), 3.0 / 2.5, 1e-15);
    assert_true(isnan(wl_median(odd, 0)));
    assert_true(isnan(wl_spread(odd, 1)));
}

static void test_counter_delta(void **state)
{
    bool reset = false;
    (void)state;
    assert_int_equal(wl_counter_delta_uj(100, 250, 1000, &reset), 150);
    assert_int_equal(wl_counter_delta_uj(990, 5, 1000, &reset), 15);
    assert_int_equal(wl_counter_delta_uj(1000, 0, 1000, &reset), 0);
    assert_int_equal(wl_counter_delta_uj(7, 7, 0, &reset), 0);
    assert_false(reset);
    assert_int_equal(wl_counter_delta_uj(7, 6, 0, &reset), 0);
    assert_true(reset);
    reset = false;
    assert_int_equal(wl_counter_delta_uj(2000, 6, 1000, &reset), 0); /* above its own range */
    assert_true(reset);
}

/* ---- commands -------------------------------------------------------------------------------- */

static struct wl_run_result run_command(const char *script, wl_status expected)
{
    struct tree t;
    struct wl_run_result r;
    char *argv[4];
    char sh[] = "/bin/sh";
    char c[] = "-c";
    char text[256];
    (void)snprintf(text, sizeof(text), "%s", script);
    argv[0] = sh;
    argv[1] = c;
    argv[2] = text;
    argv[3] = NULL;
    tree_make(&t);
    struct wl_meter *m = open_only(&t, "rapl");
    struct wl_run_request req = {.argv = argv};
    assert_int_equal(wl_run(m, &req, &r, NULL), expected);
    wl_meter_close(m);
    tree_remove(&t);
    return r;
}

static void test_exit_codes(void **state)
{
    (void)state;
    assert_int_equal(run_command("exit 0", WL_OK).exit_code, 0);
    assert_int_equal(run_command("exit 42", WL_OK).exit_code, 42);
    struct wl_run_result killed = run_command("kill -TERM $$", WL_OK);
    assert_int_equal(killed.exit_code, 128 + SIGTERM);
    assert_int_equal(killed.signal, SIGTERM);
    struct wl_run_result slept = run_command("sleep 0.1", WL_OK);
    assert_near(slept.wall_s, 0.12, 0.05);
    assert_true(slept.cpu_user_s + slept.cpu_system_s < 0.1);
    assert_true(slept.max_rss_bytes > 0);
}

static void test_not_runnable(void **state)
{
    struct tree t;
    struct wl_run_result r;
    struct wl_error err;
    char none[] = "/nonexistent/program";
    char no_program[] = "/etc/passwd";
    char *argv[] = {none, NULL};
    (void)state;
    tree_make(&t);
    struct wl_meter *m = open_only(&t, "rapl");
    struct wl_run_request req = {.argv = argv};
    assert_int_equal(wl_run(m, &req, &r, &err), WL_ERR_IO);
    assert_int_equal(r.exit_code, 127);
    assert_string_equal(err.where, "/nonexistent/program");
    argv[0] = no_program;
    assert_int_equal(wl_run(m, &req, &r, &err), WL_ERR_IO);
    assert_int_equal(r.exit_code, 126);
    req = (struct wl_run_request){.pid = 0x3ffffff0};
    assert_int_equal(wl_run(m, &req, &r, &err), WL_ERR_IO);
    start(m); /* none of them left the meter running */
    (void)stop(m);
    wl_meter_close(m);
    tree_remove(&t);
}

/* A signal to the measuring process reaches the command, which decides what to do with it. */
static void test_forwarding(void **state)
{
    char script[128];
    (void)state;
    (void)snprintf(script, sizeof(script),
                   "trap 'exit 7' TERM; kill -TERM %d; while :; do sleep 0.01; done",
                   (int)getpid());
    struct wl_run_result r = run_command(script, WL_OK);
    assert_int_equal(r.exit_code, 7);
    assert_int_equal(r.interrupted_by, SIGTERM);
}

/* SIGCHLD ignored by who started us: the exit code is still found. */
static void test_sigchld_ignored(void **state)
{
    (void)state;
    assert_true(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
    assert_int_equal(run_command("exit 9", WL_OK).exit_code, 9);
    assert_true(signal(SIGCHLD, SIG_DFL) != SIG_ERR);
}

static void count_tick(void *context)
{
    int *ticks = context;
    (*ticks)++;
}

static void test_seconds(void **state)
{
    struct tree t;
    struct wl_run_result r;
    int ticks = 0;
    (void)state;
    tree_make(&t);
    struct wl_meter *m = open_only(&t, "rapl");
    struct wl_run_request req = {
        .seconds = 0.25, .tick = count_tick, .context = &ticks, .tick_s = 0.05};
    assert_int_equal(wl_run(m, &req, &r, NULL), WL_OK);
    assert_near(r.wall_s, 0.255, 0.03);
    assert_in_range(ticks, 3, 5);
    assert_int_equal(r.exit_code, 0);
    wl_meter_close(m);
    tree_remove(&t);
}

/* ---- sampling -------------------------------------------------------------------------------- */

static void put_package(const struct tree *t, int i)
{
    char path[96];
    char name[32];
    (void)snprintf(path, sizeof(path), "class/powercap/intel-rapl:%d/name", i);
    (void)snprintf(name, sizeof(name), "package-%d", i);
    tree_put(t, path, name);
    (void)snprintf(path, sizeof(path), "class/powercap/intel-rapl:%d/energy_uj", i);
    tree_number(t, path, 1);
}

/* Absolute deadlines: 100 samples of 5 ms lie on a grid, whatever one of them cost. */
static void test_no_drift(void **state)
{
    struct tree t;
    struct wl_meter *m = NULL;
    struct wl_sampling s;
    (void)state;
    tree_make(&t);
    put_package(&t, 0);
    struct wl_meter_options o = {.sysfs_root = t.root, .only = "rapl", .interval_s = 0.005};
    assert_int_equal(wl_meter_open(&o, &m, NULL), WL_OK);
    start(m);
    wait_ms(500);
    struct wl_meter_total total = stop(m);
    wl_meter_sampling(m, &s);
    int64_t expected = (int64_t)(total.wall_s / 0.005) + 1; /* + start; the stop may fall on one */
    assert_in_range(s.samples + s.late, expected - 1, expected + 1);
    wl_meter_close(m);
    tree_remove(&t);
}

/* Under 0.5 % of one core at 50 ms: two sockets with four domains. (Sanitizers cost a multiple.) */
static void test_overhead(void **state)
{
    struct tree t;
    struct wl_meter *m = NULL;
    struct wl_sampling s;
    (void)state;
    tree_make(&t);
    for (int i = 0; i < 8; i++) {
        put_package(&t, i);
    }
    struct wl_meter_options o = {.sysfs_root = t.root, .only = "rapl"};
    assert_int_equal(wl_meter_open(&o, &m, NULL), WL_OK);
    start(m);
    wait_ms(1500);
    struct wl_meter_total total = stop(m);
    wl_meter_sampling(m, &s);
    print_message("sampling 8 counters every 50 ms took %.4f %% of one core\n",
                  s.cpu_s / total.wall_s * 100.0);
    assert_true(s.cpu_s / total.wall_s < 0.005);
    wl_meter_close(m);
    tree_remove(&t);
}

/* ---- series ---------------------------------------------------------------------------------- */

static void test_series(void **state)
{
    struct tree t;
    struct wl_meter *m = NULL;
    struct wl_series s;
    (void)state;
    tree_make(&t);
    put_package(&t, 0);
    struct wl_meter_options o = {
        .sysfs_root = t.root, .only = "rapl", .interval_s = 0.01, .keep_series = 1};
    assert_int_equal(wl_meter_open(&o, &m, NULL), WL_OK);
    start(m);
    tree_number(&t, "class/powercap/intel-rapl:0/energy_uj", 2000001);
    wait_ms(60);
    (void)stop(m);
    wl_meter_series(m, &s);
    assert_true(s.rows >= 4);
    assert_near(s.time_s[0], 0.0, 0.0);
    assert_near(wl_series_at(&s, 0, 0, WL_SERIES_ENERGY_J), 0.0, 0.0);
    assert_near(wl_series_at(&s, s.rows - 1, 0, WL_SERIES_ENERGY_J), 2.0, 1e-9);
    for (int32_t i = 1; i < s.rows; i++) {
        assert_true(s.time_s[i] > s.time_s[i - 1]);
    }
    wl_meter_close(m);
    tree_remove(&t);
}

/* A full store is thinned out: rows stay evenly spaced, memory stays below the bound. */
static void test_series_bounded(void **state)
{
    struct tree t;
    struct wl_meter *m = NULL;
    struct wl_series s;
    (void)state;
    tree_make(&t);
    for (int i = 0; i < 64; i++) {
        put_package(&t, i);
    }
    struct wl_meter_options o = {.sysfs_root = t.root, .only = "rapl", .keep_series = 1};
    assert_int_equal(wl_meter_open(&o, &m, NULL), WL_OK);
    wl_series_reset(m);
    for (int i = 0; i < 100000; i++) {
        wl_series_add(m, m->start_t + i);
    }
    wl_meter_series(m, &s);
    size_t bytes = (size_t)s.rows * ((size_t)s.channels * WL_SERIES_FIELDS + 1) * sizeof(double);
    assert_true(bytes <= WL_SERIES_BYTES_MAX);
    assert_true(s.rows > 10000);
    double step = s.time_s[1] - s.time_s[0];
    assert_true(step >= 2.0);
    for (int32_t i = 1; i < s.rows; i++) {
        assert_near(s.time_s[i] - s.time_s[i - 1], step, 1e-9);
    }
    wl_meter_close(m);
    tree_remove(&t);
}

/* ---- OpenMetrics ----------------------------------------------------------------------------- */

static void test_openmetrics(void **state)
{
    struct tree t;
    struct wl_buf out;
    (void)state;
    tree_make(&t);
    put_package(&t, 0);
    tree_put(&t, "class/powercap/intel-rapl:1/name", "odd\"na\\me");
    tree_number(&t, "class/powercap/intel-rapl:1/energy_uj", 1);
    struct wl_meter *m = open_only(&t, "rapl");
    wl_buf_init(&out);
    wl_openmetrics(m, &out);
    assert_null(strstr(out.data, "_total{")); /* nothing measured: no sample, not a zero */
    wl_buf_done(&out);
    for (int i = 1; i <= 2; i++) { /* two regions: the counter goes on */
        start(m);
        tree_number(&t, "class/powercap/intel-rapl:0/energy_uj", 1 + 1500000LL * i);
        wait_ms(5);
        (void)stop(m);
    }
    wl_buf_init(&out);
    wl_openmetrics(m, &out);
    assert_non_null(strstr(out.data, "# TYPE wattline_energy_joules counter\n"));
    assert_non_null(strstr(out.data, "wattline_energy_joules_total{source=\"rapl\",device="
                                     "\"package-0\",in_total=\"true\"} 3\n"));
    assert_non_null(strstr(out.data, "device=\"odd\\\"na\\\\me\",in_total=\"false\""));
    assert_string_equal(out.data + out.len - 6, "# EOF\n");
    wl_buf_done(&out);
    wl_meter_close(m);
    tree_remove(&t);
}

static void test_addresses(void **state)
{
    (void)state;
    assert_true(wl_exporter_is_address("9101"));
    assert_true(wl_exporter_is_address("0.0.0.0:9101"));
    assert_true(wl_exporter_is_address("[::1]:9101"));
    assert_false(wl_exporter_is_address("metrics.prom"));
    assert_false(wl_exporter_is_address("./9101"));
    assert_false(wl_exporter_is_address("dir:x/9"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statistics),     cmocka_unit_test(test_counter_delta),
        cmocka_unit_test(test_exit_codes),     cmocka_unit_test(test_not_runnable),
        cmocka_unit_test(test_forwarding),     cmocka_unit_test(test_sigchld_ignored),
        cmocka_unit_test(test_seconds),        cmocka_unit_test(test_no_drift),
        cmocka_unit_test(test_overhead),       cmocka_unit_test(test_series),
        cmocka_unit_test(test_series_bounded), cmocka_unit_test(test_openmetrics),
        cmocka_unit_test(test_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
