/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Native calibration: sizes of rows by hand, the grid, absent libraries, noise. What needs a
 * library runs only where it is installed.
 */
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "bench.h"
#include "native.h"
#include "onednn_grid.h"
#include "own_kernels.h"
#include "wl_test.h"

#define assert_near(a, b) assert_true(fabs((a) - (b)) <= 1e-9 * fabs(b) + 1e-12)

/* 3 x 3, stride 2, 64 to 128 channels, 56 x 56 image: 28 x 28 results of 64 * 9 products. */
static void test_conv_sizes(void **state)
{
    (void)state;
    struct wl_onednn_case c = {.kind = WL_ONEDNN_CONV,
                               .precision = WL_PREC_FP32,
                               .batch = 2,
                               .groups = 1,
                               .in = 64,
                               .out = 128,
                               .height = 56,
                               .width = 56,
                               .kernel = {3, 3},
                               .stride = 2};
    struct wl_kernel_sizes s = wl_onednn_sizes(&c);
    assert_near(s.groups, 1.0);
    assert_near(s.m, 2.0 * 28 * 28);
    assert_near(s.n, 128.0);
    assert_near(s.k, 576.0);
    assert_near(s.window, 9.0);
    assert_near(s.stride, 4.0);
    assert_near(s.width, 28.0);
    /* images 2*64*56*56 and 2*128*28*28, weights 64*128*9, bias 128, four bytes each */
    assert_near(s.bytes, 4.0 * (401408 + 200704 + 73728 + 128));
}

/* Depthwise: a group for each channel, one result and nine products in each. */
static void test_depthwise_sizes(void **state)
{
    (void)state;
    struct wl_onednn_case c = {.kind = WL_ONEDNN_CONV,
                               .precision = WL_PREC_INT8,
                               .batch = 1,
                               .groups = 32,
                               .in = 32,
                               .out = 32,
                               .height = 10,
                               .width = 10,
                               .kernel = {3, 3},
                               .stride = 1};
    struct wl_kernel_sizes s = wl_onednn_sizes(&c);
    assert_near(s.groups, 32.0);
    assert_near(s.m, 100.0);
    assert_near(s.n, 1.0);
    assert_near(s.k, 9.0);
    assert_near(s.bytes, 3200.0 + 3200 + 288 + 32);
}

/* Transposed: m counts pixels of the input, n the taps of all channels that each of them writes. */
static void test_transposed_sizes(void **state)
{
    (void)state;
    struct wl_onednn_case c = {.kind = WL_ONEDNN_DECONV,
                               .precision = WL_PREC_FP32,
                               .batch = 1,
                               .groups = 1,
                               .in = 32,
                               .out = 16,
                               .height = 14,
                               .width = 14,
                               .kernel = {2, 2},
                               .stride = 2};
    struct wl_kernel_sizes s = wl_onednn_sizes(&c);
    assert_near(s.m, 196.0);
    assert_near(s.n, 64.0);
    assert_near(s.k, 32.0);
    assert_near(s.width, 28.0);
    assert_near(s.bytes, 4.0 * (32 * 196 + 16 * 784 + 32 * 16 * 4 + 16));
}

static void test_other_sizes(void **state)
{
    (void)state;
    struct wl_onednn_case c = {.kind = WL_ONEDNN_POOL,
                               .precision = WL_PREC_FP32,
                               .batch = 1,
                               .groups = 1,
                               .in = 64,
                               .out = 64,
                               .height = 8,
                               .width = 8,
                               .kernel = {3, 3},
                               .stride = 2};
    struct wl_kernel_sizes s = wl_onednn_sizes(&c);
    assert_near(s.n, 64.0 * 16);
    assert_near(s.k, 4.0);
    assert_near(s.window, 9.0);
    assert_near(s.bytes, 4.0 * (64 * 64 + 64 * 16));
    c.kernel[0] = c.kernel[1] = 8; /* over everything */
    s = wl_onednn_sizes(&c);
    assert_near(s.n, 64.0);
    assert_near(s.k, 64.0);
    assert_near(s.window, 1.0);
    assert_near(s.width, 8.0);
    c.kind = WL_ONEDNN_BINARY;
    s = wl_onednn_sizes(&c);
    assert_near(s.operands, 1.0);
    assert_near(s.bytes, 3.0 * 4 * 4096);
    c.per_channel = true; /* one value for 64 pixels */
    s = wl_onednn_sizes(&c);
    assert_near(s.width, 64.0);
    assert_near(s.bytes, 4.0 * (2 * 4096 + 64));
    c = (struct wl_onednn_case){.kind = WL_ONEDNN_MATMUL,
                                .precision = WL_PREC_BF16,
                                .batch = 12,
                                .height = 128,
                                .in = 64,
                                .out = 100};
    s = wl_onednn_sizes(&c);
    assert_near(s.groups, 12.0);
    assert_near(s.operands, 1.0);
    assert_near(s.bytes, 2.0 * 12 * (128 * 64 + 64 * 100 + 128 * 100));
}

/* Planes {1 4; 3 2} and {5 1; 0 7}: pooled whole, and with a border around each. */
static void test_own_pools(void **state)
{
    (void)state;
    struct wl_onednn_case c = {.operation = "maxpool_own",
                               .kind = WL_ONEDNN_OWN_POOL,
                               .batch = 1,
                               .in = 2,
                               .height = 2,
                               .width = 2,
                               .kernel = {2, 2},
                               .stride = 2};
    static const float image[] = {1, 4, 3, 2, 5, 1, 0, 7};
    struct wl_own_kernel k = {.c = &c, .threads = 1};
    assert_true(wl_own_open(&k));
    memcpy(k.input, image, sizeof(image));
    wl_own_run(&k);
    assert_true(k.output[0] == 4 && k.output[1] == 7 && k.places[0] == 1 && k.places[1] == 3);
    c.operation = "avgpool_own";
    wl_own_run(&k);
    assert_true(k.output[0] == 2.5F && k.output[1] == 3.25F);
    c.kernel[0] = c.kernel[1] = 3; /* each of four results sees the whole plane and five zeros */
    c.stride = 1;
    wl_own_run(&k);
    for (int i = 0; i < 8; i++) {
        assert_true(fabsf(k.output[i] - (i < 4 ? 10.0F : 13.0F) / 9) < 1e-6F);
    }
    c.operation = "maxpool_own";
    wl_own_run(&k);
    assert_true(k.output[3] == 4 && k.output[4] == 7 && k.places[3] == 1 && k.places[4] == 3);
    c = (struct wl_onednn_case){.operation = "concat_own",
                                .kind = WL_ONEDNN_OWN_CONCAT,
                                .batch = 1,
                                .in = 2,
                                .height = 2,
                                .width = 2,
                                .inputs = 2};
    wl_own_run(&k);
    assert_memory_equal(k.output, image, sizeof(image));
    wl_own_close(&k);
}

/* Column-major c = a b, as Fortran's interface has it without transposing. */
static void plain_sgemm(const char *trans_a, const char *trans_b, const int *m, const int *n,
                        const int *k, const float *alpha, const float *a, const int *lda,
                        const float *b, const int *ldb, const float *beta, float *c, const int *ldc)
{
    assert_true(trans_a[0] == 'N' && trans_b[0] == 'N' && *alpha == 1 && *beta == 0);
    for (int i = 0; i < *m; i++) {
        for (int j = 0; j < *n; j++) {
            float sum = 0;
            for (int l = 0; l < *k; l++) {
                sum += a[i + l * *lda] * b[l + j * *ldb];
            }
            c[i + j * *ldc] = sum;
        }
    }
}

/* Rows {10 100} and {1 0} times weights {1 2 3; 4 5 6}; the next run takes the weights behind. */
static void test_own_product(void **state)
{
    (void)state;
    struct wl_onednn_case c = {
        .operation = "gemm_own", .kind = WL_ONEDNN_OWN_PRODUCT, .height = 2, .in = 2, .out = 3};
    static const float weights[] = {1, 2, 3, 4, 5, 6, 0, 0, 7, 0, 0, 0};
    static const float rows[] = {10, 100, 1, 0}, expected[] = {410, 520, 630, 1, 2, 3};
    struct wl_own_kernel k = {.c = &c, .sgemm = plain_sgemm, .pool = weights, .threads = 1};
    assert_true(wl_own_open(&k));
    memcpy(k.input, rows, sizeof(rows));
    wl_own_run(&k);
    assert_memory_equal(k.output, expected, sizeof(expected));
    wl_own_run(&k);
    assert_true(k.output[2] == 70 && k.output[5] == 7);
    wl_own_close(&k);
    k.sgemm = NULL; /* no BLAS here */
    assert_false(wl_own_open(&k));
    wl_own_close(&k);
}

/* Every case is one that a convolution can have, and the same each time. */
static void test_grid(void **state)
{
    (void)state;
    struct wl_arena arena;
    struct wl_onednn_grid full, quick, again;
    wl_arena_init(&arena, 0);
    assert_int_equal(wl_onednn_grid(&arena, false, &full, NULL), WL_OK);
    assert_int_equal(wl_onednn_grid(&arena, true, &quick, NULL), WL_OK);
    assert_int_equal(wl_onednn_grid(&arena, true, &again, NULL), WL_OK);
    assert_true(quick.count > 100 && quick.count < full.count);
    assert_int_equal(quick.count, again.count);
    for (int32_t i = 0; i < full.count; i++) {
        const struct wl_onednn_case *c = &full.cases[i];
        struct wl_kernel_sizes s = wl_onednn_sizes(c);
        assert_true(s.groups >= 1 && s.m >= 1 && s.n >= 1 && s.k >= 1 && s.width >= 1);
        assert_true(s.bytes > 0 && s.cold_bytes < s.bytes);
        if (c->kind == WL_ONEDNN_CONV) {
            assert_true(c->in % c->groups == 0 && c->out % c->groups == 0);
        }
    }
    wl_arena_done(&arena);
}

/* First values in base 2 and 3: 1/2, 1/4, 3/4 and 1/3, 2/3, 1/9. */
static void test_halton(void **state)
{
    (void)state;
    assert_near(wl_native_halton(0, 2), 0.5);
    assert_near(wl_native_halton(1, 2), 0.25);
    assert_near(wl_native_halton(2, 2), 0.75);
    assert_near(wl_native_halton(0, 3), 1.0 / 3);
    assert_near(wl_native_halton(2, 3), 1.0 / 9);
    assert_int_equal(wl_native_log_point(0.5, 4, 64), 16);
    assert_int_equal(wl_native_log_point(0.0, 4, 64), 4);
}

static void test_absent_libraries(void **state)
{
    (void)state;
    struct wl_bench b = {0};
    struct wl_error err;
    assert_int_equal(wl_openblas_probe(&b, "libnone.so.0", &err), WL_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "libnone.so.0"));
    assert_non_null(strstr(err.message, "apt-get install"));
    assert_int_equal(wl_onednn_probe(&b, "libnone.so.0", &err), WL_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "apt-get install"));
    assert_int_equal(wl_openblas_probe(&b, "libm.so.6", &err), WL_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "lacks openblas_set_num_threads"));
}

static void test_frameworks(void **state)
{
    (void)state;
    assert_null(wl_bench_framework_find("none"));
    assert_null(wl_bench_framework_at(-1));
    assert_null(wl_bench_framework_at(100));
    for (int32_t i = 0; wl_bench_framework_at(i) != NULL; i++) {
        const struct wl_bench_framework *f = wl_bench_framework_at(i);
        assert_ptr_equal(wl_bench_framework_find(f->name), f);
        assert_true(strlen(f->what) > 0);
    }
}

static int runs;

static void count_run(void *user)
{
    (void)user;
    runs++;
    (void)usleep(1000);
}

/* At least three runs and a warm-up; slow ones end early, with the reason, only where they may. */
static void test_time(void **state)
{
    (void)state;
    struct wl_bench b = {.options = {.quick = true}};
    struct wl_native_work work = {count_run, NULL, 64};
    struct wl_bench_row row = {0};
    char reason[WL_NATIVE_REASON];
    wl_native_time(&b, &work, reason, &row);
    assert_true(row.runs >= 3 && runs > row.runs);
    assert_true(row.time_s >= 1e-3 && row.min_s <= row.time_s && row.time_s <= row.max_s);
    assert_null(row.reason);
}

static void slow_run(void *user)
{
    (void)user;
    (void)usleep(90000);
}

static void test_time_ends_early(void **state)
{
    (void)state;
    struct wl_bench b = {.options = {.quick = true}};
    struct wl_native_work work = {slow_run, NULL, 256};
    struct wl_bench_row row = {0};
    char reason[WL_NATIVE_REASON];
    wl_native_time(&b, &work, reason, &row);
    assert_int_equal(row.runs, 2);
    assert_non_null(row.reason);
    assert_non_null(strstr(row.reason, "ended after 2 of 3 runs"));
    work.size = 255; /* too small to end early */
    wl_native_time(&b, &work, reason, &row);
    assert_int_equal(row.runs, 3);
    assert_null(row.reason);
}

/* ---- noise -------------------------------------------------------------------------------------
 */

static void test_noise_thresholds(void **state)
{
    (void)state;
    assert_true(wl_noise_quiet(&(struct wl_noise){0, 0}));
    assert_true(wl_noise_quiet(&(struct wl_noise){0.03, 0.1}));
    assert_false(wl_noise_quiet(&(struct wl_noise){0.1, 0}));
    assert_false(wl_noise_quiet(&(struct wl_noise){0, 0.5}));
    struct wl_noise n;
    assert_int_equal(wl_noise_measure(0, 0.1, &n, NULL), WL_ERR_USAGE);
}

static atomic_int burning;

static void *burn(void *user)
{
    volatile unsigned x = 1;
    (void)user;
    while (atomic_load(&burning) != 0) {
        x = x * 3 + 1;
    }
    return NULL;
}

/* As many burners as processors take half of everything: that is seen whatever else runs. */
static void test_noise_is_seen(void **state)
{
    (void)state;
    pthread_t burners[64];
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    int n = processors < 1 ? 1 : processors > 64 ? 64 : (int)processors;
    struct wl_noise noise;
    if (processors > 64) {
        skip();
    }
    atomic_store(&burning, 1);
    for (int i = 0; i < n; i++) {
        assert_int_equal(pthread_create(&burners[i], NULL, burn, NULL), 0);
    }
    assert_int_equal(wl_noise_measure(n, 0.5, &noise, NULL), WL_OK);
    atomic_store(&burning, 0);
    for (int i = 0; i < n; i++) {
        (void)pthread_join(burners[i], NULL);
    }
    assert_true(noise.lost > 0.15);
    assert_false(wl_noise_quiet(&noise));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conv_sizes),
        cmocka_unit_test(test_depthwise_sizes),
        cmocka_unit_test(test_transposed_sizes),
        cmocka_unit_test(test_other_sizes),
        cmocka_unit_test(test_own_pools),
        cmocka_unit_test(test_own_product),
        cmocka_unit_test(test_grid),
        cmocka_unit_test(test_halton),
        cmocka_unit_test(test_absent_libraries),
        cmocka_unit_test(test_frameworks),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_time_ends_early),
        cmocka_unit_test(test_noise_thresholds),
        cmocka_unit_test(test_noise_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
