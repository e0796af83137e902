/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cycles of systolic arrays against counts of SCALE-Sim v2 (single-buffered), worked by hand:
 *   output-stationary ceil(M/R) ceil(N/C) (K + R + C - 2)
 *   weight-stationary ceil(K/R) ceil(N/C) (2R + C + M - 2)
 *   input-stationary  ceil(K/R) ceil(M/C) (2R + C + N - 2)
 */
#include "map_fixture.h"

struct gemm_case {
    const char *what;
    int64_t rows, cols;
    int64_t g, m, n, k;
    double os, ws, is; /* cycles */
};

/* clang-format off */
static const struct gemm_case cases[] = {
    /* 4 x 2 folds of 256 + 62 = 318; 8 x 2 of 96 - 2 + 128 = 222; 8 x 4 of 94 + 64 = 158 */
    {"gemm 128x64x256 on 32x32",        32, 32, 1, 128, 64, 256, 2544, 3552, 5056},
    /* resnet18 conv1: M 12,544, N 64, K 147. 392 x 2 of 147 + 62; 5 x 2 of 94 + 12,544; 5 x 392 of
       94 + 64 */
    {"resnet18 conv1 on 32x32",         32, 32, 1, 12544, 64, 147, 163856, 126380, 309680},
    /* resnet50 layer4 3x3: M 49, N 512, K 4,608 on 128 x 128. 1 x 4 of 4,608 + 254; 36 x 4 of
       382 + 49; 36 x 1 of 382 + 512 */
    {"resnet50 layer4 3x3 on 128x128",  128, 128, 1, 49, 512, 4608, 19448, 62064, 32184},
    /* vgg16 conv1_2: M 50,176, N 64, K 576 on 8 x 256 (R != C). 6,272 x 1 of 576 + 262; 72 x 1 of
       16 + 256 - 2 + 50,176; 72 x 196 of 270 + 64 */
    {"vgg16 conv1_2 on 8x256",          8, 256, 1, 50176, 64, 576, 5255936, 3632112, 4713408},
    /* mobilenet depthwise: 32 groups of M 12,544, N 1, K 9 on 16 x 16. 32 x 784 of 9 + 30;
       32 x 1 of 46 + 12,544; 32 x 784 of 46 + 1 */
    {"depthwise 3x3 on 16x16",          16, 16, 32, 12544, 1, 9, 978432, 402880, 1179136},
    /* BERT feed-forward: M 384, N 3,072, K 768 on 256 x 64. 2 x 48 of 768 + 318; 3 x 48 of
       512 + 64 - 2 + 384; 3 x 6 of 574 + 3,072 */
    {"bert ffn on 256x64",              256, 64, 1, 384, 3072, 768, 104256, 137952, 65628},
    /* vector by matrix: M 1, N 1,000, K 512 on 64 x 64. 1 x 16 of 512 + 126; 8 x 16 of 190 + 1;
       8 x 1 of 190 + 1,000 */
    {"fc on 64x64",                     64, 64, 1, 1, 1000, 512, 10208, 24448, 9520},
    /* one element: 1 + R + C - 2; 2R + C + 1 - 2 */
    {"1x1x1 on 8x16",                   8, 16, 1, 1, 1, 1, 23, 31, 31},
};
/* clang-format on */

static double cycles_of(const struct gemm_case *c, enum wl_dataflow dataflow)
{
    struct wl_systolic a = {.rows = c->rows, .cols = c->cols, .arrays = 1, .dataflow = dataflow};
    return wl_systolic_plan(&a, c->g, c->m, c->n, c->k).cycles;
}

static void test_single_buffered(void **state)
{
    (void)state;
    for (size_t i = 0; i < WL_ARRAY_LEN(cases); i++) {
        const struct gemm_case *c = &cases[i];
        expect_near(cycles_of(c, WL_DATAFLOW_OS), c->os, c->what);
        expect_near(cycles_of(c, WL_DATAFLOW_WS), c->ws, c->what);
        expect_near(cycles_of(c, WL_DATAFLOW_IS), c->is, c->what);
        expect_near(cycles_of(c, WL_DATAFLOW_DEFAULT), c->ws, c->what);
    }
}

/* The mapper reports the same cycles for a subgraph, whatever efficiency a runtime claims. */
static void test_mapper_agrees(void **state)
{
    (void)state;
    static const enum wl_dataflow flows[] = {WL_DATAFLOW_OS, WL_DATAFLOW_WS, WL_DATAFLOW_IS};
    for (size_t i = 0; i < WL_ARRAY_LEN(cases); i++) {
        const struct gemm_case *c = &cases[i];
        for (size_t k = 0; k < WL_ARRAY_LEN(flows); k++) {
            struct fixture f;
            fixture_init(&f);
            fixture_device(&f, WL_HW_TPU, 1);
            struct wl_pipe *p =
                fixture_pipe(&f.device, "mxu", WL_PIPE_MATRIX, 2.0 * (double)(c->rows * c->cols));
            p->rows = (int32_t)c->rows;
            p->cols = (int32_t)c->cols;
            fixture_level(&f.device, "ub", WL_SCOPE_DEVICE, 1 << 20);
            fixture_level(&f.device, "dram", WL_SCOPE_DEVICE, 0);
            f.runtime.gemm_efficiency[WL_HW_TPU] = 0.5;
            f.options.dataflow = flows[k];
            fixture_input(&f, 0);
            fixture_product(&f, 0, c->g * c->m * c->k, 1, c->g * c->k * c->n, 2,
                            (struct wl_product){.g = c->g, .m = c->m, .n = c->n, .k = c->k});
            fixture_run(&f);
            double want = flows[k] == WL_DATAFLOW_OS   ? c->os
                          : flows[k] == WL_DATAFLOW_WS ? c->ws
                                                       : c->is;
            expect_near(f.mappings.items[0].pipes[0].cycles, want, c->what);
            assert_true(f.roofline.utilization[0] >= 0 && f.roofline.utilization[0] <= 1);
            fixture_done(&f);
        }
    }
}

/* Double-buffered, one fold with M >= R costs the same; n folds hide n - 1 loads and drains. */
static void test_double_buffered(void **state)
{
    (void)state;
    struct wl_systolic a = {.rows = 32, .cols = 32, .arrays = 1, .double_buffered = true};
    /* one fold: 2 x 32 + 32 + 100 - 2 */
    expect_near(wl_systolic_plan(&a, 1, 100, 32, 32).cycles, 194, "one fold");
    /* six folds of 100, fill and drain 94 once */
    expect_near(wl_systolic_plan(&a, 1, 100, 64, 96).cycles, 694, "six folds");
    /* M below R: the load of the next weights takes 32 cycles */
    expect_near(wl_systolic_plan(&a, 1, 10, 64, 96).cycles, 6 * 32 + 94, "loads bind");
    /* two arrays share six folds: three each */
    a.arrays = 2;
    expect_near(wl_systolic_plan(&a, 1, 100, 64, 96).cycles, 394, "two arrays");
    /* one fold on two arrays: the 100 rows are divided */
    expect_near(wl_systolic_plan(&a, 1, 100, 32, 32).cycles, 144, "rows divided");
}

/* More arrays, and single- against double-buffered, are never slower. */
static void test_monotonic(void **state)
{
    (void)state;
    for (int64_t m = 1; m <= 4096; m *= 4) {
        for (int64_t n = 3; n <= 2048; n *= 5) {
            for (int64_t k = 9; k <= 4608; k *= 8) {
                struct wl_systolic a = {.rows = 32, .cols = 16, .arrays = 1};
                double before = wl_systolic_plan(&a, 3, m, n, k).cycles;
                a.double_buffered = true;
                double doubled = wl_systolic_plan(&a, 3, m, n, k).cycles;
                assert_true(doubled <= before);
                for (a.arrays = 2; a.arrays <= 16; a.arrays *= 2) {
                    double now = wl_systolic_plan(&a, 3, m, n, k).cycles;
                    assert_true(now <= doubled);
                    doubled = now;
                }
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_single_buffered),
        cmocka_unit_test(test_mapper_agrees),
        cmocka_unit_test(test_double_buffered),
        cmocka_unit_test(test_monotonic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
