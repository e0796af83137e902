/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A spec resolved into a device: hand arithmetic on made-up devices. Hybrid parts, clusters, power
 * modes, inheritance, stand-in precisions, energy between the anchors.
 */
#include <math.h>

#include "hardware_priv.h"
#include "hw_test.h"

#define HEAD                                                                                       \
    "{\"schema_version\": 1, \"id\": \"%s\", \"name\": \"N\", \"vendor\": \"V\", \"class\": "      \
    "\"cpu\","                                                                                     \
    " \"process\": \"generic_7nm\", \"sources\": {\"a\": \"sheet\"},"

/* Two kinds of cores: 4 at 2 GHz with an L2 each, 6 at 1 GHz that share an L2 by threes. */
static const char hybrid[] = HEAD
    "\"units\": [{\"name\": \"p\", \"count\": 4, \"clock_hz\": 2e9, \"source\": \"a\"},"
    " {\"name\": \"e\", \"count\": 6, \"clock_hz\": 1e9, \"source\": \"a\"}],"
    "\"pipes\": [{\"name\": \"simd\", \"kind\": \"vector\", \"units\": \"p\", \"simd_bits\": 256,"
    " \"ops_per_cycle\": {\"fp32\": 32}, \"source\": \"a\"},"
    " {\"name\": \"simd\", \"kind\": \"vector\", \"units\": \"e\", \"simd_bits\": 128,"
    " \"ops_per_cycle\": {\"fp32\": 16}, \"source\": \"a\"},"
    " {\"name\": \"amx\", \"kind\": \"matrix\", \"units\": \"p\", \"ops_per_cycle\": {\"int8\": "
    "100},"
    " \"clock_hz\": 1e9, \"source\": \"a\"}],"
    "\"memory\": [{\"name\": \"l1\", \"scope\": \"unit\", \"units\": \"p\", \"capacity_bytes\": "
    "49152,"
    " \"bytes_per_cycle\": 64, \"technology\": \"sram\", \"source\": \"a\"},"
    " {\"name\": \"l1\", \"scope\": \"unit\", \"units\": \"e\", \"capacity_bytes\": 32768,"
    " \"bytes_per_cycle\": 32, \"technology\": \"sram\", \"source\": \"a\"},"
    " {\"name\": \"l2\", \"scope\": \"unit\", \"units\": \"p\", \"capacity_bytes\": 1000000,"
    " \"bytes_per_cycle\": 32, \"technology\": \"sram\", \"source\": \"a\"},"
    " {\"name\": \"l2\", \"scope\": \"cluster\", \"units\": \"e\", \"units_per_instance\": 3,"
    " \"capacity_bytes\": 4000000, \"bytes_per_cycle\": 64, \"technology\": \"sram\", \"source\": "
    "\"a\"},"
    " {\"name\": \"dram\", \"scope\": \"device\", \"bandwidth_bps\": 50e9, \"unit_bandwidth_bps\": "
    "10e9,"
    " \"technology\": \"ddr4\", \"source\": \"a\"}],"
    "\"power\": {\"tdp_w\": 40, \"power_limit_w\": 60, \"idle_w\": {\"value\": 4, \"basis\": "
    "\"assumed\","
    " \"reason\": \"r\"}, \"source\": \"a\"},"
    "\"power_modes\": [{\"name\": \"FULL\", \"source\": \"a\"},"
    " {\"name\": \"Half (eco)\", \"tdp_w\": 20, \"clock_hz\": {\"p\": 1e9}, \"active_units\": "
    "{\"p\": 2, \"e\": 4},"
    " \"memory_bandwidth_bps\": 25e9, \"source\": \"a\"}]}";

static void put(const char *folder, const char *class, const char *id, const char *format)
{
    char path[512], text[8192];
    (void)snprintf(path, sizeof(path), "%s/%s/%s/spec.json", folder, class, id);
    const char *slot = strstr(format, "%s");
    if (slot == NULL) {
        (void)snprintf(text, sizeof(text), "%s", format);
    } else {
        (void)snprintf(text, sizeof(text), "%.*s%s%s", (int)(slot - format), format, id, slot + 2);
    }
    hw_write(path, text);
}

static void test_hybrid(void **state)
{
    struct wl_registry r;
    char folder[256];
    (void)state;
    hw_temp(folder, sizeof(folder));
    put(folder, "cpu", "hybrid", hybrid);
    hw_open_two(&r, folder);
    struct wl_device d = hw_device(&r, "hybrid", NULL);
    assert_int_equal(wl_device_units(&d), 10);
    const struct wl_pipe *best = NULL;
    hw_near(wl_device_peak(&d, WL_PREC_FP32, &best), 4 * 32 * 2e9 + 6 * 16 * 1e9, 1e-12);
    assert_int_equal(best->group, 0);
    /* the matrix pipe at half its units' clock */
    hw_near(wl_device_peak(&d, WL_PREC_INT8, NULL), 4 * 100 * 1e9, 1e-12);
    assert_int_equal(d.level_count, 3);
    assert_int_equal(d.levels[0].instances, 10);
    assert_int_equal(d.levels[0].capacity_bytes, (4 * 49152 + 6 * 32768) / 10);
    hw_near(d.levels[0].bandwidth_bps, 4 * 64 * 2e9 + 6 * 32 * 1e9, 1e-12);
    hw_near(d.levels[0].unit_bandwidth_bps, 64 * 2e9, 1e-12);
    assert_int_equal(d.levels[1].instances, 4 + 2);
    assert_int_equal(d.levels[1].capacity_bytes, (4 * 1000000 + 2 * 4000000) / 6);
    hw_near(d.levels[1].bandwidth_bps, 4 * 32 * 2e9 + 2 * 64 * 1e9, 1e-12);
    hw_near(d.levels[2].bandwidth_bps, 50e9, 1e-12);
    hw_near(d.levels[2].unit_bandwidth_bps, 10e9, 1e-12);
    assert_true(d.levels[2].is_main && !d.levels[1].is_main);
    assert_int_equal(d.basis, WL_BASIS_DATASHEET);
    assert_int_equal(d.idle_basis, WL_BASIS_ASSUMED);

    /* FULL has no watts: 20 W at 1 GHz is the nearest with a number, so 40 W at 2 GHz, estimated */
    hw_near(d.tdp_w, 40, 1e-12);
    assert_true(d.power_estimated);
    struct wl_device half = hw_device(&r, "hybrid", "hAlF");
    assert_false(half.power_estimated);
    hw_near(half.power_limit_w, 20, 1e-12);
    hw_near(wl_device_peak(&half, WL_PREC_FP32, NULL), 2 * 32 * 1e9 + 4 * 16 * 1e9, 1e-12);
    hw_near(wl_device_peak(&half, WL_PREC_INT8, NULL), 2 * 100 * 0.5e9, 1e-12);
    hw_near(wl_device_dram(&half)->bandwidth_bps, 25e9, 1e-12);
    assert_int_equal(half.levels[1].instances, 2 + 2); /* 4 e cores, three to a cluster */
    struct wl_error err;
    struct wl_device none;
    assert_int_equal(wl_spec_device(hw_load(&r, "hybrid"), "turbo", &none, &err), WL_ERR_USAGE);
    assert_non_null(strstr(err.message, "FULL, Half (eco)"));
    wl_registry_close(&r);
    hw_remove(folder);
}

static void test_inheritance(void **state)
{
    static const char child[] =
        "{\"schema_version\": 1, \"id\": \"%s\", \"name\": \"C\", \"extends\": \"hybrid\","
        " \"power\": {\"tdp_w\": 10, \"source\": \"b\"}, \"sources\": {\"b\": \"other\"}}";
    static const char grandchild[] =
        "{\"schema_version\": 1, \"id\": \"%s\", \"name\": \"G\", \"extends\": \"child\","
        " \"sources\": {}}";
    struct wl_registry r;
    const struct wl_spec *s = NULL;
    struct wl_error err;
    char folder[256];
    (void)state;
    hw_temp(folder, sizeof(folder));
    put(folder, "cpu", "hybrid", hybrid);
    put(folder, "cpu", "child", child);
    put(folder, "cpu", "grandchild", grandchild);
    hw_open_two(&r, folder);
    struct wl_device d = hw_device(&r, "child", "Half");
    assert_string_equal(d.name, "C");
    hw_near(d.idle_w, 4, 1e-12); /* power is merged key by key: idle from the base */
    assert_int_equal(wl_device_units(&d), 6);
    assert_int_equal(wl_registry_load(&r, "grandchild", &s, &err), WL_ERR_INVALID);
    assert_non_null(strstr(err.where, "/extends"));
    assert_non_null(strstr(err.message, "one level"));
    struct wl_registry_entry *entries = NULL;
    int32_t count = 0;
    assert_int_equal(wl_registry_list(&r, &entries, &count, NULL, NULL, &err), WL_OK);
    for (int32_t i = 0; i < count; i++) {
        if (strcmp(entries[i].id, "child") == 0) {
            hw_near(entries[i].tdp_w, 10, 1e-12);
            hw_near(entries[i].process_nm, 7, 1e-12);
            assert_true(entries[i].precisions[WL_PREC_FP32]);
            assert_int_equal(entries[i].power_mode_count, 2);
        }
    }
    wl_registry_close(&r);
    hw_remove(folder);
}

static void test_unit_devices(void **state)
{
    static const char *const classes[] = {"cpu", "gpu", "tpu", "kpu"};
    struct wl_registry r;
    (void)state;
    hw_open(&r);
    for (size_t i = 0; i < WL_ARRAY_LEN(classes); i++) {
        char path[256];
        (void)snprintf(path, sizeof(path), WL_SOURCE_DIR "/tests/data/hw/unit_%s.json", classes[i]);
        struct wl_device d = hw_device(&r, path, NULL);
        hw_near(d.clock_hz, 1e9, 1e-12);
        for (int e = 0; e < WL_EVENT_COUNT; e++) {
            for (int p = 0; p < WL_PREC_COUNT; p++) {
                hw_near(d.event_pj[e][p], 1, 1e-12);
            }
        }
        hw_near(wl_device_dram(&d)->bandwidth_bps, 1e9, 1e-12);
        hw_near(wl_device_dram(&d)->efficiency, 1, 1e-12);
    }
    wl_registry_close(&r);
}

static void test_nearest(void **state)
{
    struct wl_registry r;
    (void)state;
    hw_open(&r);
    struct wl_device v100 = hw_device(&r, "v100", NULL), tpu1 = hw_device(&r, "tpu_v1", NULL);
    struct wl_device tpu4 = hw_device(&r, "tpu_v4", NULL),
                     epyc = hw_device(&r, "amd_epyc_7763", NULL);
    assert_int_equal(wl_device_nearest(&v100, WL_PREC_FP16), WL_PREC_FP16);
    assert_int_equal(wl_device_nearest(&v100, WL_PREC_BF16), WL_PREC_FP16); /* as wide */
    assert_int_equal(wl_device_nearest(&v100, WL_PREC_TF32), WL_PREC_FP16); /* narrower first */
    assert_int_equal(wl_device_nearest(&v100, WL_PREC_FP8), WL_PREC_FP16);  /* then wider */
    assert_int_equal(wl_device_nearest(&tpu4, WL_PREC_FP32), WL_PREC_BF16);
    assert_int_equal(wl_device_nearest(&tpu1, WL_PREC_FP32),
                     WL_PREC_INT8); /* it has nothing else */
    assert_int_equal(wl_device_nearest(&epyc, WL_PREC_INT8),
                     WL_PREC_FP32); /* no integers: no loss */
    wl_registry_close(&r);
}

/* Between the anchors 7 and 45 nm, beyond them, and by capacity. */
static void test_energy_tables(void **state)
{
    struct wl_registry r;
    struct wl_error err;
    double pj = 0;
    (void)state;
    hw_open(&r);
    assert_int_equal(wl_coefficients_prepare(&r, &err), WL_OK);
    assert_int_equal(wl_process_op_pj(&r, "fp32_mul", 45, &pj, &err), WL_OK);
    hw_near(pj, 3.7, 1e-12);
    assert_int_equal(wl_process_op_pj(&r, "fp32_mul", 7, &pj, &err), WL_OK);
    hw_near(pj, 1.31, 1e-12);
    /* half way on a log scale: the geometric mean of both */
    assert_int_equal(wl_process_op_pj(&r, "fp32_mul", sqrt(7.0 * 45), &pj, &err), WL_OK);
    hw_near(pj, sqrt(3.7 * 1.31), 1e-9);
    /* above 45 nm the same exponent, below 7 nm half of it */
    double exponent = log(3.7 / 1.31) / log(45.0 / 7);
    assert_int_equal(wl_process_op_pj(&r, "fp32_mul", 90, &pj, &err), WL_OK);
    hw_near(pj, 3.7 * pow(2, exponent), 1e-9);
    assert_int_equal(wl_process_op_pj(&r, "fp32_mul", 3.5, &pj, &err), WL_OK);
    hw_near(pj, 1.31 * pow(0.5, exponent / 2), 1e-9);
    /* bf16 has the 7 nm anchor alone: it follows fp16_mul */
    assert_int_equal(wl_process_op_pj(&r, "bf16_mul", 45, &pj, &err), WL_OK);
    hw_near(pj, 0.21 * 1.1 / 0.34, 1e-9);
    assert_int_equal(wl_process_op_pj(&r, "nosuch", 7, &pj, &err), WL_ERR_INVALID);
    /* 64-bit accesses: 7.5, 8.5, 14 pJ at 8 KB, 32 KB, 1 MB and 7 nm */
    assert_int_equal(wl_sram_pj_per_byte(&r, 7, 8192, &pj, &err), WL_OK);
    hw_near(pj, 7.5 / 8, 1e-12);
    assert_int_equal(wl_sram_pj_per_byte(&r, 7, 32768, &pj, &err), WL_OK);
    hw_near(pj, 8.5 / 8, 1e-12);
    assert_int_equal(wl_sram_pj_per_byte(&r, 7, 1048576, &pj, &err), WL_OK);
    hw_near(pj, 14.0 / 8, 1e-12);
    assert_int_equal(wl_sram_pj_per_byte(&r, 7, 33554432, &pj, &err), WL_OK);
    hw_near(pj, 14.0 / 8 * (14 / 8.5), 1e-9); /* 32 times 1 MB: the step from 32 KB once more */
    wl_registry_close(&r);
}

/* pJ of a MAC: factor x (multiply + add) + bytes x operand energy, from registry/classes/gpu.json.
 */
static void test_mac_energy(void **state)
{
    struct wl_registry r;
    struct wl_error err;
    const struct wl_class_file *c = NULL;
    (void)state;
    hw_open(&r);
    assert_int_equal(wl_class_load(&r, WL_HW_GPU, &c, &err), WL_OK);
    struct wl_device d = hw_device(&r, "a100", NULL); /* 7 nm, no core_scale */
    hw_near(d.event_pj[WL_EV_MATRIX_MAC][WL_PREC_FP16],
            c->matrix_arithmetic_factor.value * (0.34 + 0.16) +
                2 * c->matrix_operand_pj_per_byte.value,
            1e-9);
    hw_near(d.event_pj[WL_EV_MATRIX_MAC][WL_PREC_INT8],
            c->matrix_arithmetic_factor.value * (0.07 + 0.03) +
                1 * c->matrix_operand_pj_per_byte.value,
            1e-9);
    hw_near(d.event_pj[WL_EV_VECTOR_MAC][WL_PREC_FP32],
            c->vector_arithmetic_factor.value * (1.31 + 0.38) +
                4 * c->vector_operand_pj_per_byte.value,
            1e-9);
    wl_registry_close(&r);
}

static void test_mode_names(void **state)
{
    (void)state;
    assert_true(wl_mode_names_match("MAXN_SUPER", "maxn super"));
    assert_true(wl_mode_names_match("40W (Super)", "40w"));
    assert_true(wl_mode_names_match("7W_AI", "7w-ai"));
    assert_false(wl_mode_names_match("7W_AI", "7W"));
    assert_false(wl_mode_names_match("15W", "15"));
    assert_false(wl_mode_names_match("", "15W"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hybrid),        cmocka_unit_test(test_inheritance),
        cmocka_unit_test(test_unit_devices),  cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_energy_tables), cmocka_unit_test(test_mac_energy),
        cmocka_unit_test(test_mode_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
