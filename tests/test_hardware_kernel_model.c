/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interpolation between the sizes of a calibration: what was measured comes back, what lies between
 * lies between, far outside the rate of the edge holds, thread counts are interpolated.
 */
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "hardware.h"
#include "wl_test.h"

struct fixture {
    char folder[64], path[128];
    struct wl_registry registry;
    const struct wl_calibration *c;
};

static const char head[] =
    "{\"schema_version\": 1, \"device\": \"jetson_orin_nano_cpu\", \"power_mode\": \"7W\", "
    "\"clock_hz\": 1e9, \"framework\": \"unit\", \"date\": \"2099-01-01\", \"tool\": \"test\", "
    "\"statistic\": \"median\", \"entries\": [";

/* A registry of the shipped one and a folder with one calibration of an existing device. */
static void begin(struct fixture *f, const char *entries)
{
    static char own[64];
    struct wl_error err = {0};
    (void)snprintf(f->folder, sizeof(f->folder), "/tmp/wattline-model-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    (void)snprintf(f->path, sizeof(f->path), "mkdir -p %s/cpu/jetson_orin_nano_cpu/calibrations",
                   f->folder);
    assert_int_equal(system(f->path), 0);
    (void)snprintf(f->path, sizeof(f->path),
                   "%s/cpu/jetson_orin_nano_cpu/calibrations/7W_1000MHz_unit.json", f->folder);
    FILE *file = fopen(f->path, "w");
    assert_non_null(file);
    (void)fprintf(file, "%s%s]}", head, entries);
    (void)fclose(file);
    (void)snprintf(own, sizeof(own), "%s", f->folder);
    const char *roots[] = {WL_SOURCE_DIR "/registry", own};
    if (wl_registry_open(&f->registry, roots, 2, &err) != WL_OK ||
        wl_calibration_select(&f->registry, "jetson_orin_nano_cpu", "framework=unit", NULL, &f->c,
                              &err) != WL_OK) {
        fail_msg("%s: %s", err.where, err.message);
    }
}

static void end(struct fixture *f)
{
    char command[128];
    wl_registry_close(&f->registry);
    (void)snprintf(command, sizeof(command), "rm -r %s", f->folder);
    assert_int_equal(system(command), 0);
}

static double gemm_s(const struct fixture *f, int32_t threads, double side)
{
    struct wl_kernel_sizes s = {
        .groups = 1, .m = side, .n = side, .k = side, .window = 1, .stride = 1, .width = 1};
    return wl_calibration_seconds(f->c, "gemm", WL_PREC_FP32, threads, &s, NULL);
}

#define GEMM(threads, side, time)                                                                  \
    "{\"operation\": \"gemm\", \"precision\": \"fp32\", \"threads\": " #threads ", \"m\": " #side  \
    ", \"n\": " #side ", \"k\": " #side ", \"time_s\": " #time "}"

static void near(double got, double want, double share)
{
    if (!(fabs(got / want - 1) <= share)) {
        fail_msg("%g, not %g within %g", got, want, share);
    }
}

/* 1 GFLOP/s exactly: 2 n^3 / 1e9 s, at every size also between and beyond those measured. */
static void test_constant_rate(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, GEMM(1, 100, 2e-3) "," GEMM(1, 200, 16e-3) "," GEMM(1, 400, 128e-3) "," GEMM(1, 800,
                                                                                           1.024));
    near(gemm_s(&f, 1, 200), 16e-3, 1e-6);
    near(gemm_s(&f, 1, 283), 2 * 283.0 * 283 * 283 / 1e9, 1e-6);
    near(gemm_s(&f, 1, 3200), 65.536, 1e-6);
    near(gemm_s(&f, 1, 50), 2.5e-4, 1e-6);
    end(&f);
}

/* A kernel that falls to half its rate: measured sizes come back, a size between lies between. */
static void test_between(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, GEMM(1, 100, 2e-3) "," GEMM(1, 200, 16e-3) "," GEMM(1, 400, 256e-3) "," GEMM(1, 800,
                                                                                           2.048));
    near(gemm_s(&f, 1, 200), 16e-3, 0.15);
    near(gemm_s(&f, 1, 400), 256e-3, 0.15);
    double rate = 2 * 283.0 * 283 * 283 / gemm_s(&f, 1, 283);
    assert_true(rate < 1e9 && rate > 0.5e9);
    end(&f);
}

/* One thread 16 ms, four threads 4 ms: two threads the geometric mean; eight as four. */
static void test_threads(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, GEMM(1, 200, 16e-3) "," GEMM(4, 200, 4e-3));
    near(gemm_s(&f, 2, 200), 8e-3, 1e-6);
    near(gemm_s(&f, 8, 200), 4e-3, 1e-6);
    end(&f);
}

/*
 * Terms of the base, each at 1 GFLOP/s, 1 load/ns, 1 byte/ns of their own: rows of one to four
 * passes, with and without edges, with and without bytes that move again. A size between is the
 * sum.
 */
static void test_terms(void **state)
{
    (void)state;
    struct fixture f;
    char rows[4096];
    size_t used = 0;
    for (int i = 0; i < 24; i++) {
        double n = 64 << (i % 4), passes = i % 4 + 1, edge = i % 3 * 0.25, again = i % 2 * 1e6;
        double ops = 2.0 * 100 * n * 100;
        double s = 1e-9 * (ops + edge * ops + passes * 100 * 100 + again);
        used +=
            (size_t)snprintf(rows + used, sizeof(rows) - used,
                             "%s{\"operation\": \"conv\", \"precision\": \"fp32\", \"threads\": 1, "
                             "\"m\": 100, \"n\": %g, \"k\": 100, \"edge\": %g, \"passes\": %g, "
                             "\"near_bytes\": %g, \"time_s\": %.12g}",
                             i > 0 ? "," : "", n, edge, passes, again, s);
    }
    begin(&f, rows);
    struct wl_kernel_sizes size = {.groups = 1,
                                   .m = 100,
                                   .n = 200,
                                   .k = 100,
                                   .window = 1,
                                   .stride = 1,
                                   .width = 1,
                                   .edge = 0.125,
                                   .passes = 3,
                                   .near_bytes = 3e5};
    near(wl_calibration_seconds(f.c, "conv", WL_PREC_FP32, 1, &size, NULL),
         1e-9 * (1.125 * 2 * 100 * 200 * 100 + 3 * 1e4 + 3e5), 1e-6);
    end(&f);
}

/* What was not measured is not made up; the distance says how far the nearest size is. */
static void test_absent(void **state)
{
    (void)state;
    struct fixture f;
    double distance = 0;
    struct wl_kernel_sizes s = {
        .groups = 4, .m = 100, .n = 100, .k = 200, .window = 1, .stride = 1, .width = 1};
    begin(&f, GEMM(1, 100, 2e-3));
    assert_true(wl_calibration_seconds(f.c, "softmax", WL_PREC_FP32, 1, &s, NULL) == 0);
    assert_true(wl_calibration_seconds(f.c, "gemm", WL_PREC_FP16, 1, &s, NULL) == 0);
    /* twice the depth and four times the groups: 1 and 2 doublings */
    assert_true(wl_calibration_seconds(f.c, "gemm", WL_PREC_FP32, 1, &s, &distance) > 0);
    near(distance, sqrt(5), 1e-9);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_constant_rate), cmocka_unit_test(test_between),
        cmocka_unit_test(test_threads),       cmocka_unit_test(test_terms),
        cmocka_unit_test(test_absent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
