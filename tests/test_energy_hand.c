/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hand-computed ledgers: for each architecture a small product and a convolution on made-up
 * hardware with 1 pJ per event. Every count is derived in the comment above its table.
 */
#include "map_fixture.h"

struct row {
    const char *name;
    double count;
};

static void expect_ledger(const struct fixture *f, const struct row *rows, int32_t count)
{
    double sum = 0;
    for (int32_t i = 0; i < count; i++) {
        const struct wl_ledger_row *found = NULL;
        for (int32_t k = 0; k < f->energy.row_count; k++) {
            if (strcmp(f->energy.rows[k].name, rows[i].name) == 0) {
                found = &f->energy.rows[k];
            }
        }
        if (found == NULL) {
            fail_msg("no row %s", rows[i].name);
        } else {
            expect_near(found->count, rows[i].count, rows[i].name);
            expect_near(found->energy_j, rows[i].count * 1e-12, rows[i].name);
        }
        sum += rows[i].count;
    }
    for (int32_t k = 0; k < f->energy.row_count; k++) {
        bool listed = false;
        for (int32_t i = 0; i < count; i++) {
            listed = listed || strcmp(f->energy.rows[k].name, rows[i].name) == 0;
        }
        if (!listed) {
            fail_msg("row %s (%g) is not in the table", f->energy.rows[k].name,
                     f->energy.rows[k].count);
        }
    }
    assert_int_equal(f->energy.row_count, count);
    double off = wl_energy_dynamic_j(&f->energy.total) / (sum * 1e-12) - 1;
    assert_true(off < 1e-12 && off > -1e-12);
}

static void product_of(struct fixture *f, int64_t m, int64_t n, int64_t k)
{
    fixture_input(f, 0);
    fixture_output(f, 2);
    fixture_product(f, 0, m * k, 1, k * n, 2, (struct wl_product){.g = 1, .m = m, .n = n, .k = k});
}

/* 3 x 3 convolution, 2 channels of 4 x 4 (padded) into 4: M = 16, N = 4, K = 18. */
static const struct wl_window conv_window = {.spatial_rank = 2,
                                             .in = {{4, WL_EXPR_KNOWN}, {4, WL_EXPR_KNOWN}},
                                             .out = {{4, WL_EXPR_KNOWN}, {4, WL_EXPR_KNOWN}},
                                             .kernel = {3, 3},
                                             .stride = {1, 1},
                                             .dilation = {1, 1},
                                             .groups = 1,
                                             .in_channels = {2, WL_EXPR_KNOWN},
                                             .out_channels = {4, WL_EXPR_KNOWN}};

static void conv_of(struct fixture *f)
{
    fixture_input(f, 0);
    fixture_output(f, 2);
    fixture_product(f, 0, 32, 1, 72, 2,
                    (struct wl_product){.g = 1, .m = 16, .n = 4, .k = 18, .window = &conv_window});
}

/* ---- CPU: one core, 4 lanes, 1 multiply instruction per cycle, 32 registers of 16 bytes
 * ---------- */

static void cpu_device(struct fixture *f)
{
    fixture_device(f, WL_HW_CPU, 1);
    f->device.groups[0].register_bytes = 512;
    fixture_pipe(&f->device, "simd", WL_PIPE_VECTOR, 8)->simd_bits = 128;
    fixture_level(&f->device, "l1", WL_SCOPE_UNIT, 1 << 20);
    fixture_level(&f->device, "dram", WL_SCOPE_DEVICE, 0);
}

/*
 * M = 4, N = 8 (2 vectors), K = 16. One tile of 4 rows x 2 vectors: per step 8 multiply
 * instructions (6 loads take 3 cycles), 16 x 8 + 2 x 8 + 12 = 156 cycles; smaller tiles take
 * longer. multiply instructions 4 x 2 x 16 = 128, loads (4 + 2) x 16 = 96, stores 128 B / 16 = 8
 *   iterations 16 / 4 = 4: 8 scalar instructions, 4 branches, 4 x 0.002 mispredictions
 *   instructions 128 + 104 + 8 + 4 = 244
 *   registers read (128 x 3 + 104 / 2) x 16 = 6,976 B, written (128 + 52) x 16 = 2,880 B
 *   loads bring (4 x 4 + 2 x 16) x 16 = 768 B = left 256 + right 512
 *   l1 read 768 + 128 written back; l1 written 128 + 256 filled; the weights stayed in l1
 */
static void test_cpu_gemm(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    cpu_device(&f);
    product_of(&f, 4, 8, 16);
    fixture_run(&f);
    expect_near(f.mappings.items[0].pipes[0].cycles, 156, "cycles");
    static const struct row rows[] = {
        {"vector_mac_fp32", 512},
        {"integer_op", 8},
        {"register_read", 6976},
        {"register_write", 2880},
        {"l1_read", 768 + 128},
        {"l1_write", 128 + 256},
        {"dram_read", 256},
        {"dram_write", 128},
        {"instruction_fetch", 244},
        {"instruction_decode", 244},
        {"instruction_dispatch", 244},
        {"branch", 4},
        {"branch_mispredict", 0.008},
        {"launch", 1},
    };
    expect_ledger(&f, rows, (int32_t)WL_ARRAY_LEN(rows));
    fixture_done(&f);
}

/*
 * M = 16, N = 4 (1 vector), K = 18. One tile of 16 x 1: 18 x 16 + 2 x 16 + 12 = 332 cycles.
 *   multiply instructions 288, loads 17 x 18 = 306, stores 256 / 16 = 16, iterations 4.5
 *   loads bring (16 x 4 + 16) x 18 = 1,440 B; input 128 B, weights 288 B
 *   instructions 288 + 322 + 9 + 4.5 = 623.5
 */
static void test_cpu_conv(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    cpu_device(&f);
    conv_of(&f);
    fixture_run(&f);
    expect_near(f.mappings.items[0].pipes[0].cycles, 332, "cycles");
    static const struct row rows[] = {
        {"vector_mac_fp32", 1152},
        {"integer_op", 9},
        {"register_read", (288 * 3 + 161) * 16},
        {"register_write", (288 + 161) * 16},
        {"l1_read", 1440 + 256},
        {"l1_write", 256 + 128},
        {"dram_read", 128},
        {"dram_write", 256},
        {"instruction_fetch", 623.5},
        {"instruction_decode", 623.5},
        {"instruction_dispatch", 623.5},
        {"branch", 4.5},
        {"branch_mispredict", 0.009},
        {"launch", 1},
    };
    expect_ledger(&f, rows, (int32_t)WL_ARRAY_LEN(rows));
    fixture_done(&f);
}

/* ---- GPU: one SM, 32 MACs per cycle, 128 B per cycle of shared memory
 * ------------------------------ */

static void gpu_device(struct fixture *f)
{
    fixture_device(f, WL_HW_GPU, 1);
    f->device.params.load_stages = 3;
    f->device.params.warp_size = 32;
    fixture_pipe(&f->device, "cuda", WL_PIPE_VECTOR, 64)->simd_bits = 1024;
    fixture_level(&f->device, "l1", WL_SCOPE_UNIT, 1 << 17);
    f->device.levels[0].bandwidth_bps = 128 * GHZ;
    fixture_level(&f->device, "l2", WL_SCOPE_DEVICE, 1 << 20);
    fixture_level(&f->device, "dram", WL_SCOPE_DEVICE, 0);
}

/*
 * M = N = 64, K = 32. One tile of 64 x 64: a step takes (4,096 + 860) / 32 = 154.875 cycles (shared
 * memory: 4 warps x (32 + 32) x 4 B = 1,024 B, 8 cycles): 4,956 cycles,
 * and 2,500 to start.  Two tiles of 64 x 32 take
 * 2 x 32 x 90.875.
 *   multiply instructions 131,072 / 32 = 4,096; all 1.4 x 4,096 = 5,734.4
 *   registers: three operands of 128 B read, one written
 *   shared memory read 32 x 1,024 = 32,768 B; l2 read 32 x 128 x 4 = 16,384 B (left 8,192, right
 *   8,192); the weights stayed in l2; the result, 16,384 B, goes out through all levels
 *   transactions (16,384 + 16,384) / 128; arrivals at barriers 4 warps x 32 x 4 B / 64 B
 */
static void test_gpu_gemm(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    gpu_device(&f);
    product_of(&f, 64, 64, 32);
    fixture_run(&f);
    expect_near(f.mappings.items[0].pipes[0].cycles, 7456, "cycles");
    static const struct row rows[] = {
        {"vector_mac_fp32", 131072},
        {"register_read", 4096.0 * 384},
        {"register_write", 4096.0 * 128},
        {"l1_read", 32768 + 16384},
        {"l1_write", 16384 + 16384},
        {"l2_read", 16384 + 16384},
        {"l2_write", 16384 + 8192},
        {"dram_read", 8192},
        {"dram_write", 16384},
        {"coalescing", 256},
        {"instruction_fetch", 5734.4},
        {"instruction_decode", 5734.4},
        {"instruction_dispatch", 5734.4},
        {"scheduling", 1},
        {"barrier", 8},
        {"launch", 1},
    };
    expect_ledger(&f, rows, (int32_t)WL_ARRAY_LEN(rows));
    fixture_done(&f);
}

/*
 * The convolution, M = 16, N = 4, K = 18: tiles of 32 x 32 and 16 x 64 take (1,024 + 860) / 32 =
 * 58.875 cycles per step, 1,059.75 in all, after 2,500 to start; the square one reads less. Padding
 * 1,152 / (18 x 1,024) = 1/16, so 18,432 padded MACs: 576 multiply instructions. Four warps of 16 x
 * 16 read 4 x 32 x 4 x 18 = 9,216 B of shared memory; l2 gives 18 x 64 x 4 = 4,608 B. Input 128 B,
 * weights 288 B, result 256 B.
 */
static void test_gpu_conv(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    gpu_device(&f);
    conv_of(&f);
    fixture_run(&f);
    expect_near(f.mappings.items[0].pipes[0].cycles, 3559.75, "cycles");
    static const struct row rows[] = {
        {"vector_mac_fp32", 1152},
        {"register_read", 576.0 * 384},
        {"register_write", 576.0 * 128},
        {"l1_read", 9216 + 256},
        {"l1_write", 256 + 4608},
        {"l2_read", 4608 + 256},
        {"l2_write", 256 + 128},
        {"dram_read", 128},
        {"dram_write", 256},
        {"coalescing", (4608 + 256) / 128.0},
        {"instruction_fetch", 576 * 1.4},
        {"instruction_decode", 576 * 1.4},
        {"instruction_dispatch", 576 * 1.4},
        {"scheduling", 1},
        {"barrier", 8},
        {"launch", 1},
    };
    expect_ledger(&f, rows, (int32_t)WL_ARRAY_LEN(rows));
    fixture_done(&f);
}

/* ---- TPU: one array of 4 x 4, single-buffered, weight-stationary
 * ---------------------------------- */

static void tpu_device(struct fixture *f)
{
    fixture_device(f, WL_HW_TPU, 1);
    struct wl_pipe *p = fixture_pipe(&f->device, "mxu", WL_PIPE_MATRIX, 32);
    p->rows = 4;
    p->cols = 4;
    p->depth = 1;
    fixture_level(&f->device, "ub", WL_SCOPE_DEVICE, 1 << 20);
    fixture_level(&f->device, "dram", WL_SCOPE_DEVICE, 0);
}

/*
 * M = 8, N = 6, K = 10: ceil(10/4) x ceil(6/4) = 6 folds of 2 x 4 + 4 + 8 - 2 = 18 cycles.
 *   forwarded 480 x (4 + 4) B; weights 60 x 4 = 240 B loaded, shifted (4 - 1) / 2 rows on average
 *   accumulators: 48 results x 3 passes x 4 B
 *   the array's edge reads the left operand twice (2 folds over N): 640 + 240 = 880 B
 *   main memory: left 320 and weights 240 read, result 192 written; 3 descriptors
 *   ub read 880 + 192 written back; ub written 192 + 560 filled
 */
static void test_tpu_gemm(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    tpu_device(&f);
    product_of(&f, 8, 6, 10);
    fixture_run(&f);
    expect_near(f.mappings.items[0].pipes[0].cycles, 108, "cycles");
    static const struct row rows[] = {
        {"matrix_mac_fp32", 480}, {"operand_forward", 3840}, {"weight_load", 240},
        {"weight_shift", 360},    {"accumulator_read", 576}, {"accumulator_write", 576},
        {"ub_read", 880 + 192},   {"ub_write", 192 + 560},   {"dram_read", 560},
        {"dram_write", 192},      {"dma_byte", 752},         {"instruction_decode", 12},
        {"dma_setup", 3},         {"tile_loop", 6},          {"launch", 1},
    };
    expect_ledger(&f, rows, (int32_t)WL_ARRAY_LEN(rows));
    fixture_done(&f);
}

/*
 * The convolution: ceil(18/4) x 1 = 5 folds of 2 x 4 + 4 + 16 - 2 = 26 cycles. 1,152 MACs; weights
 * 72 x 4 = 288 B; 64 results x 5 passes x 4 B; the edge reads the patches once, 16 x 18 x 4 = 1,152
 * B, and the weights. Input 128 B, result 256 B.
 */
static void test_tpu_conv(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    tpu_device(&f);
    conv_of(&f);
    fixture_run(&f);
    expect_near(f.mappings.items[0].pipes[0].cycles, 130, "cycles");
    static const struct row rows[] = {
        {"matrix_mac_fp32", 1152}, {"operand_forward", 9216},  {"weight_load", 288},
        {"weight_shift", 432},     {"accumulator_read", 1280}, {"accumulator_write", 1280},
        {"ub_read", 1440 + 256},   {"ub_write", 256 + 416},    {"dram_read", 416},
        {"dram_write", 256},       {"dma_byte", 672},          {"instruction_decode", 10},
        {"dma_setup", 3},          {"tile_loop", 5},           {"launch", 1},
    };
    expect_ledger(&f, rows, (int32_t)WL_ARRAY_LEN(rows));
    fixture_done(&f);
}

/* ---- KPU: one tile of 4 x 4 PEs, program of 100 bytes
 * ---------------------------------------------- */

static void kpu_device(struct fixture *f)
{
    fixture_device(f, WL_HW_KPU, 1);
    struct wl_pipe *p = fixture_pipe(&f->device, "pe", WL_PIPE_MATRIX, 32);
    p->rows = 4;
    p->cols = 4;
    p->depth = 1;
    f->device.params.mesh_rows = 1;
    f->device.params.mesh_cols = 2;
    f->device.params.program_bytes = 100;
    fixture_level(&f->device, "l1", WL_SCOPE_UNIT, 1 << 14);
    fixture_level(&f->device, "l2", WL_SCOPE_UNIT, 1 << 16);
    fixture_level(&f->device, "l3", WL_SCOPE_DEVICE, 1 << 20);
    fixture_level(&f->device, "dram", WL_SCOPE_DEVICE, 0);
}

/*
 * M = 8, N = 6, K = 10: 2 x 2 blocks of 10 + 4 + 4 - 2 = 16 cycles.
 *   injected 4 blocks x (4 rows + 3 columns in use) x 10 = 280 elements, 1,120 B; extracted 48, 192
 * B operands travel PE to PE 2 x 480 x 4 B; results pass the accumulators once, 192 B weights (240
 * B) stayed in l3; the input (320 B) comes from main memory; result 192 B crossing l1 | l2 and l2 |
 * l3: 560 + 192; l3 | dram: 320 + 192 mesh: what crosses l3 travels 0 + (4 - 1) / 6 = 0.5 hops
 */
static void test_kpu_gemm(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    kpu_device(&f);
    product_of(&f, 8, 6, 10);
    fixture_run(&f);
    expect_near(f.mappings.items[0].pipes[0].cycles, 64, "cycles");
    static const struct row rows[] = {
        {"matrix_mac_fp32", 480},
        {"accumulator_read", 192},
        {"accumulator_write", 192},
        {"pe_stream", 3840},
        {"l1_read", 1120 + 192},
        {"l1_write", 192 + 560},
        {"l2_read", 560 + 192},
        {"l2_write", 192 + 560},
        {"l3_read", 560 + 192},
        {"l3_write", 192 + 320},
        {"dram_read", 320},
        {"dram_write", 192},
        {"noc_hop", 376},
        {"streamer", 752},
        {"block_mover", 752},
        {"dma_byte", 512},
        {"injection", 1120},
        {"extraction", 192},
        {"instruction_decode", 4},
        {"dma_setup", 1},
        {"token_match", 328},
        {"token_route", 328},
        {"token_dispatch", 328},
        {"program_load", 100},
        {"launch", 1},
    };
    expect_ledger(&f, rows, (int32_t)WL_ARRAY_LEN(rows));
    fixture_done(&f);
}

/*
 * The convolution: 4 blocks of 18 + 6 = 24 cycles; injected 4 x (4 + 4) x 18 = 576 elements, 2,304
 * B; 64 results, 256 B. Input 128 B from main memory, weights 288 B from l3.
 */
static void test_kpu_conv(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    kpu_device(&f);
    conv_of(&f);
    fixture_run(&f);
    expect_near(f.mappings.items[0].pipes[0].cycles, 96, "cycles");
    static const struct row rows[] = {
        {"matrix_mac_fp32", 1152},
        {"accumulator_read", 256},
        {"accumulator_write", 256},
        {"pe_stream", 9216},
        {"l1_read", 2304 + 256},
        {"l1_write", 256 + 416},
        {"l2_read", 416 + 256},
        {"l2_write", 256 + 416},
        {"l3_read", 416 + 256},
        {"l3_write", 256 + 128},
        {"dram_read", 128},
        {"dram_write", 256},
        {"noc_hop", 336},
        {"streamer", 672},
        {"block_mover", 672},
        {"dma_byte", 384},
        {"injection", 2304},
        {"extraction", 256},
        {"instruction_decode", 4},
        {"dma_setup", 1},
        {"token_match", 640},
        {"token_route", 640},
        {"token_dispatch", 640},
        {"program_load", 100},
        {"launch", 1},
    };
    expect_ledger(&f, rows, (int32_t)WL_ARRAY_LEN(rows));
    fixture_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cpu_gemm), cmocka_unit_test(test_cpu_conv),
        cmocka_unit_test(test_gpu_gemm), cmocka_unit_test(test_gpu_conv),
        cmocka_unit_test(test_tpu_gemm), cmocka_unit_test(test_tpu_conv),
        cmocka_unit_test(test_kpu_gemm), cmocka_unit_test(test_kpu_conv),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
