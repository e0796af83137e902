/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of a bench: what an interrupted run leaves, and the file in the end. */
#include "bench.h"
#include "hw_test.h"

static const struct wl_bench_row rows[] = {
    {.operation = "conv",
     .precision = WL_PREC_FP32,
     .threads = 2,
     .sizes = {1, 784, 128, 576, 9, 4, 28, 0, 0, 2.7e6, 0, 0},
     .time_s = 2e-3,
     .min_s = 1.9e-3,
     .max_s = 2.5e-3,
     .runs = 11},
    {.operation = "gemv",
     .precision = WL_PREC_FP32,
     .threads = 1,
     .sizes = {1, 1, 1000, 512, 1, 1, 1, 0, 0, 2.05e6, 0, 0},
     .time_s = 1e-4,
     .min_s = 1e-4,
     .max_s = 1e-4,
     .runs = 5,
     .reason = "ended after 5 of 5 runs"},
    {.operation = "dot",
     .precision = WL_PREC_FP64,
     .threads = 1,
     .sizes = {1, 1, 4096, 1, 1, 1, 4096, 1, 0, 65536, 0, 0},
     .time_s = 1e-6,
     .min_s = 1e-6,
     .max_s = 1e-6,
     .runs = 9},
    {.operation = "gemm",
     .precision = WL_PREC_FP16,
     .threads = 1,
     .sizes = {1, 512, 512, 512, 1, 1, 1, 0, 0, 0, 0, 0},
     .reason = "no \"half\" products"},
};

static const struct wl_bench_options options;

static void open_bench(struct wl_bench *b, const struct wl_bench_options *o, const char *path)
{
    struct wl_error err = {0};
    if (wl_bench_open(b, o, "made_up", path, &err) != WL_OK) {
        fail_msg("%s: %s", err.where, err.message);
    }
}

static void add_all(struct wl_bench *b)
{
    for (size_t i = 0; i < WL_ARRAY_LEN(rows); i++) {
        assert_int_equal(wl_bench_add(b, &rows[i], NULL), WL_OK);
    }
}

static bool has(const struct wl_bench *b, size_t i)
{
    return wl_bench_has(b, rows[i].operation, rows[i].precision, rows[i].threads, &rows[i].sizes);
}

static void temporary(char *path)
{
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    (void)close(fd);
}

/* All rows but the last are taken over when its line was cut in the middle. */
static void test_resume(void **state)
{
    (void)state;
    char path[] = "/tmp/wattline-bench-XXXXXX";
    struct wl_bench b;
    temporary(path);
    open_bench(&b, &options, path);
    add_all(&b);
    long end = ftell(b.partial);
    wl_bench_close(&b);
    assert_int_equal(truncate(path, end - 20), 0);
    open_bench(&b, &options, path);
    assert_int_equal(b.resumed, 3);
    assert_true(has(&b, 0) && has(&b, 1) && has(&b, 2));
    assert_false(has(&b, 3));
    assert_int_equal(b.rows[0].runs, 11);
    assert_string_equal(b.rows[1].reason, rows[1].reason);
    /* What is added after a cut line is found again. */
    assert_int_equal(wl_bench_add(&b, &rows[3], NULL), WL_OK);
    wl_bench_close(&b);
    open_bench(&b, &options, path);
    assert_true(has(&b, 3));
    wl_bench_close(&b);
    const struct wl_bench_options again = {.restart = true};
    open_bench(&b, &again, path);
    assert_int_equal(b.row_count, 0);
    wl_bench_close(&b);
    (void)unlink(path);
}

/* The same but for one size, thread or precision is another row. */
static void test_has(void **state)
{
    (void)state;
    struct wl_bench b;
    open_bench(&b, &options, NULL);
    add_all(&b);
    struct wl_kernel_sizes s = rows[0].sizes;
    assert_true(wl_bench_has(&b, "conv", WL_PREC_FP32, 2, &s));
    assert_false(wl_bench_has(&b, "conv", WL_PREC_FP32, 1, &s));
    assert_false(wl_bench_has(&b, "conv", WL_PREC_BF16, 2, &s));
    assert_false(wl_bench_has(&b, "conv_grouped", WL_PREC_FP32, 2, &s));
    s.k = 577;
    assert_false(wl_bench_has(&b, "conv", WL_PREC_FP32, 2, &s));
    wl_bench_close(&b);
}

/* The file passes the check of registry files, and holds what was put in. */
static void test_write(void **state)
{
    (void)state;
    const struct wl_bench_identity id = {.device = "host",
                                         .power_mode = "default",
                                         .host = "Made-up CPU",
                                         .clock_hz = 2.6e9,
                                         .host_cores = 2,
                                         .host_memory_bytes = (int64_t)8 << 30,
                                         .date = "2026-01-02T03:04:05",
                                         .notes = "measured on a \"busy\" machine"};
    char path[] = "/tmp/wattline-calibration-XXXXXX";
    struct wl_bench b;
    struct wl_buf out;
    struct wl_registry r;
    struct wl_hw_problem *problems = NULL;
    int32_t count = 0;
    const char *roots[] = {WL_SOURCE_DIR "/registry"};
    temporary(path);
    open_bench(&b, &options, NULL);
    add_all(&b);
    assert_string_equal(wl_bench_file_name(&b, &id), "default_2600MHz_made_up.json");
    wl_buf_init(&out);
    assert_int_equal(wl_bench_write(&b, &id, &out, NULL), WL_OK);
    assert_int_equal(wl_file_write(path, out.data, out.len, NULL), WL_OK);
    assert_int_equal(wl_registry_open(&r, roots, 1, NULL), WL_OK);
    assert_int_equal(wl_calibration_check(&r, path, &problems, &count, NULL), WL_OK);
    for (int32_t i = 0; i < count; i++) {
        print_error("%s: %s\n", problems[i].path, problems[i].message);
    }
    assert_int_equal(count, 0);
    wl_registry_close(&r);
    wl_buf_done(&out);
    wl_bench_close(&b);
    (void)unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resume),
        cmocka_unit_test(test_has),
        cmocka_unit_test(test_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
