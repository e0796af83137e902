/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registry's data: every file passes its check, every device resolves in every power mode,
 * dense peaks agree with the datasheet, watts of a saturating GEMM are plausible.
 */
#include <cjson/cJSON.h>
#include <math.h>

#include "hw_test.h"

static void for_each_device(void (*visit)(struct wl_registry *, const struct wl_registry_entry *))
{
    struct wl_registry r;
    struct wl_registry_entry *entries = NULL;
    struct wl_error *broken = NULL, err;
    int32_t count = 0, broken_count = 0;
    hw_open(&r);
    assert_int_equal(wl_registry_list(&r, &entries, &count, &broken, &broken_count, &err), WL_OK);
    assert_int_equal(broken_count, 0);
    assert_in_range(count, 92, 10000);
    for (int32_t i = 0; i < count; i++) {
        visit(&r, &entries[i]);
    }
    wl_registry_close(&r);
}

static void check_spec(struct wl_registry *r, const struct wl_registry_entry *e)
{
    struct wl_hw_problem *problems = NULL;
    struct wl_error err;
    int32_t count = 0;
    if (wl_spec_check(r, e->path, &problems, &count, &err) != WL_OK) {
        fail_msg("%s: %s", err.where, err.message);
    }
    for (int32_t i = 0; i < count; i++) {
        if (!problems[i].warning) {
            fail_msg("%s %s: %s", e->path, problems[i].path, problems[i].message);
        }
    }
}

static void test_every_spec_passes(void **state)
{
    (void)state;
    for_each_device(check_spec);
}

static void check_modes(struct wl_registry *r, const struct wl_registry_entry *e)
{
    const struct wl_spec *s = hw_load(r, e->id);
    for (int32_t i = 0; i < wl_spec_mode_count(s); i++) {
        struct wl_device d = hw_device(r, e->id, wl_spec_mode_name(s, i));
        bool fine = d.tdp_w > 0 && d.power_limit_w > 0 && d.idle_w >= 0 &&
                    d.idle_w < d.power_limit_w && d.gated_idle_w <= d.idle_w &&
                    d.level_count >= 2 && d.process_nm > 0 && wl_device_units(&d) > 0 &&
                    wl_device_dram(&d)->is_main;
        for (int32_t l = 0; l < d.level_count; l++) {
            const struct wl_level *level = &d.levels[l];
            fine = fine && level->bandwidth_bps > 0 && level->instances > 0 &&
                   level->efficiency > 0 && level->efficiency <= 1 && level->read_pj_per_byte > 0 &&
                   level->unit_bandwidth_bps <= level->bandwidth_bps;
        }
        for (int k = 0; k < WL_EVENT_COUNT; k++) {
            for (int p = 0; p < WL_PREC_COUNT; p++) {
                fine = fine && isfinite(d.event_pj[k][p]) && d.event_pj[k][p] >= 0;
            }
        }
        bool any = false;
        for (int p = 0; p < WL_PREC_COUNT; p++) {
            any = any || wl_device_supports(&d, (enum wl_precision)p);
        }
        if (!fine || !any) {
            fail_msg("%s in mode %s resolves to nonsense", e->id, d.power_mode);
        }
    }
}

static void test_every_mode_resolves(void **state)
{
    (void)state;
    for_each_device(check_modes);
}

/* Narrower types of one family never cost more per MAC (issue: physics). */
static void check_narrow(struct wl_registry *r, const struct wl_registry_entry *e)
{
    static const enum wl_precision order[] = {WL_PREC_FP64, WL_PREC_FP32, WL_PREC_TF32,
                                              WL_PREC_FP16, WL_PREC_FP8,  WL_PREC_FP4};
    struct wl_device d = hw_device(r, e->id, NULL);
    for (size_t i = 1; i < WL_ARRAY_LEN(order); i++) {
        for (int k = 0; k < 2; k++) {
            enum wl_event event = k == 0 ? WL_EV_MATRIX_MAC : WL_EV_VECTOR_MAC;
            if (d.event_pj[event][order[i]] > d.event_pj[event][order[i - 1]]) {
                fail_msg("%s: %s costs more than %s", e->id, wl_precision_name(order[i]),
                         wl_precision_name(order[i - 1]));
            }
        }
    }
    assert_true(d.event_pj[WL_EV_MATRIX_MAC][WL_PREC_INT8] <=
                d.event_pj[WL_EV_MATRIX_MAC][WL_PREC_INT16]);
    assert_true(d.event_pj[WL_EV_MATRIX_MAC][WL_PREC_BF16] <=
                d.event_pj[WL_EV_MATRIX_MAC][WL_PREC_FP16]);
}

static void test_narrow_types_cost_less(void **state)
{
    (void)state;
    for_each_device(check_narrow);
}

static int32_t held;

static void check_gemm(struct wl_registry *r, const struct wl_registry_entry *e)
{
    struct wl_device d = hw_device(r, e->id, NULL);
    for (int p = 0; p < WL_PREC_COUNT && wl_device_power_checkable(&d); p++) {
        if (!wl_device_main_precision(&d, (enum wl_precision)p)) {
            continue;
        }
        double share = wl_device_gemm_power_w(&d, (enum wl_precision)p) / d.power_limit_w;
        held++;
        if (share < 0.35 || share > 1.30) {
            fail_msg("%s: a %s GEMM draws %.0f %% of the limit", e->id,
                     wl_precision_name((enum wl_precision)p), 100 * share);
        }
    }
}

static void test_gemm_power_is_plausible(void **state)
{
    (void)state;
    held = 0;
    for_each_device(check_gemm);
    assert_in_range(held, 80, 1000);
}

/* ---- against the reference sheet
 * ------------------------------------------------------------------- */

static double kind_peak(const struct wl_device *d, const char *kind, enum wl_precision prec)
{
    double most = 0;
    for (int32_t i = 0; i < d->pipe_count; i++) {
        double sum = 0;
        for (int32_t j = 0; j < d->pipe_count; j++) {
            bool same = strcmp(wl_pipe_kind_name(d->pipes[j].kind), kind) == 0 &&
                        strcmp(d->pipes[i].name, d->pipes[j].name) == 0;
            sum += same ? wl_pipe_peak(d, &d->pipes[j], prec) : 0;
        }
        most = fmax(most, sum);
    }
    return most;
}

static bool explained(const struct wl_spec *s)
{
    const cJSON *sheet = cJSON_GetObjectItemCaseSensitive(wl_spec_json(s), "datasheet");
    return cJSON_GetObjectItemCaseSensitive(sheet, "explanation") != NULL;
}

static int32_t compare_peaks(struct wl_registry *r, const cJSON *device, const char *kind)
{
    const char *id = cJSON_GetObjectItem(device, "id")->valuestring;
    const cJSON *peaks = cJSON_GetObjectItem(cJSON_GetObjectItem(device, "peak_tflops"), kind);
    const struct wl_spec *s = hw_load(r, id);
    struct wl_device d = hw_device(r, id, NULL);
    int32_t n = 0;
    for (const cJSON *p = peaks->child; p != NULL; p = p->next) {
        enum wl_precision prec = wl_precision_find(p->string);
        if (prec == WL_PREC_COUNT) {
            continue; /* fp16 with fp16 accumulation: not a type of ours */
        }
        double stated = p->valuedouble * 1e12, derived = kind_peak(&d, kind, prec);
        n++;
        if (fabs(derived / stated - 1) > 0.01 && !explained(s)) {
            fail_msg("%s %s %s: derived %.5g, stated %.5g", id, kind, p->string, derived, stated);
        }
    }
    return n;
}

static void test_peaks_against_reference(void **state)
{
    (void)state;
    char *text = hw_read(WL_SHARED_DIR "/reference/hardware-specs.json");
    if (text == NULL) {
        print_message("no reference sheet; skipped\n");
        skip();
    }
    cJSON *json = cJSON_Parse(text);
    assert_non_null(json);
    struct wl_registry r;
    hw_open(&r);
    int32_t devices = 0, figures = 0;
    const cJSON *device;
    cJSON_ArrayForEach(device, cJSON_GetObjectItem(json, "devices"))
    {
        figures += compare_peaks(&r, device, "vector") + compare_peaks(&r, device, "matrix");
        devices++;
    }
    print_message("%d devices, %d peaks\n", devices, figures);
    assert_int_equal(devices, 87);
    wl_registry_close(&r);
    cJSON_Delete(json);
    free(text);
}

/* ---- names
 * ----------------------------------------------------------------------------------------- */

static void test_names_people_use(void **state)
{
    static const char *const names[][2] = {
        {"epyc_genoa", "amd_epyc_9654"},
        {"epyc_turin", "amd_epyc_9965"},
        {"h100", "nvidia_h100_sxm"},
        {"a100", "nvidia_a100_sxm_80gb"},
        {"v100", "nvidia_v100_sxm2"},
        {"t4", "nvidia_t4"},
        {"orin_agx", "nvidia_jetson_agx_orin_64gb"},
        {"jetson_orin_agx_gpu", "nvidia_jetson_agx_orin_64gb"},
        {"jetson_orin_nano_gpu", "nvidia_jetson_orin_nano_super_8gb"},
        {"JETSON_ORIN_NANO_GPU", "nvidia_jetson_orin_nano_super_8gb"},
        {"intel_xeon_platinum_8490h", "intel_xeon_8490h"},
        {"8490h", "intel_xeon_8490h"},
        {"tpu_v4", "google_tpu_v4"},
        {"edge_tpu", "google_coral_edge_tpu"},
        {"eyeriss", "mit_eyeriss"},
        {"kpu_t64", "kpu_t64"},
        {"kpu_t128", "kpu_t128"},
        {"kpu_t256", "kpu_t256"},
        {"kpu_t768", "kpu_t768"},
    };
    struct wl_registry r;
    (void)state;
    hw_open(&r);
    for (size_t i = 0; i < WL_ARRAY_LEN(names); i++) {
        assert_string_equal(wl_spec_id(hw_load(&r, names[i][0])), names[i][1]);
    }
    wl_registry_close(&r);
}

static void test_aliases_are_unique(void **state)
{
    struct wl_registry r;
    struct wl_registry_entry *entries = NULL;
    struct wl_error err;
    int32_t count = 0;
    (void)state;
    hw_open(&r);
    assert_int_equal(wl_registry_list(&r, &entries, &count, NULL, NULL, &err), WL_OK);
    for (int32_t i = 0; i < count; i++) {
        for (int32_t a = 0; a < entries[i].alias_count; a++) {
            const char *alias = entries[i].aliases[a];
            assert_ptr_equal(
                strcmp(wl_spec_id(hw_load(&r, alias)), entries[i].id) == 0 ? "" : alias, "");
        }
    }
    wl_registry_close(&r);
}

/* ---- calibrations and runtimes
 * ----------------------------------------------------------------------- */

static void check_calibrations(struct wl_registry *r, const struct wl_registry_entry *e)
{
    const struct wl_calibration *const *items = NULL;
    struct wl_error err;
    int32_t count = 0;
    if (wl_calibration_list(r, e->id, &items, &count, &err) != WL_OK) {
        fail_msg("%s: %s", err.where, err.message);
    }
    assert_int_equal(count, e->calibration_count);
    for (int32_t i = 0; i < count; i++) {
        char name[160];
        const char *mode = items[i]->power_mode;
        size_t bare = strcspn(mode, "(");
        bare -= mode[bare] != '\0' && bare > 0 && mode[bare - 1] == ' ' ? 1 : 0;
        (void)snprintf(name, sizeof(name), "%.*s_%.0fMHz_%s", (int)bare, mode,
                       floor(items[i]->clock_hz / 1e6), items[i]->framework);
        assert_string_equal(items[i]->name, name);
        assert_string_equal(items[i]->device, e->id);
        for (int p = 0; p < WL_PREC_COUNT; p++) {
            assert_false(items[i]->supported[p] && items[i]->unsupported[p]);
        }
        assert_true(i == 0 || strcmp(items[i - 1]->date, items[i]->date) >= 0);
    }
}

static void test_calibrations(void **state)
{
    (void)state;
    for_each_device(check_calibrations);
    assert_true(WL_PREC_TF32 == WL_PREC_FP32 + 1 && WL_PREC_FP16 == WL_PREC_TF32 + 1);
}

static void test_runtimes(void **state)
{
    static const char *const names[] = {"generic",
                                        "onnxruntime",
                                        "tensorrt",
                                        "pytorch-eager",
                                        "pytorch-frozen",
                                        "pytorch-compile",
                                        "pytorch-cudagraph",
                                        "openvino",
                                        "ncnn",
                                        "tflite",
                                        "armnn",
                                        "xla",
                                        "mnn",
                                        "fastertransformer"};
    struct wl_registry r;
    struct wl_error err;
    const char *const *list = NULL;
    int32_t count = 0;
    (void)state;
    hw_open(&r);
    for (size_t i = 0; i < WL_ARRAY_LEN(names); i++) {
        const struct wl_runtime *rt = NULL;
        if (wl_runtime_load(&r, names[i], &rt, &err) != WL_OK) {
            fail_msg("%s: %s", err.where, err.message);
        }
        assert_string_equal(rt->name, names[i]);
        for (int c = 0; c < WL_HW_CLASS_COUNT; c++) {
            assert_true(rt->gemm_efficiency[c] < 1 && rt->vector_efficiency[c] < 1);
        }
    }
    assert_int_equal(wl_runtime_list(&r, &list, &count, &err), WL_OK);
    assert_int_equal(count, WL_ARRAY_LEN(names));
    const struct wl_runtime *none = NULL;
    assert_int_equal(wl_runtime_load(&r, "onnxrt", &none, &err), WL_ERR_USAGE);
    assert_non_null(strstr(err.message, "onnxruntime"));
    wl_registry_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_spec_passes),
        cmocka_unit_test(test_every_mode_resolves),
        cmocka_unit_test(test_narrow_types_cost_less),
        cmocka_unit_test(test_gemm_power_is_plausible),
        cmocka_unit_test(test_peaks_against_reference),
        cmocka_unit_test(test_names_people_use),
        cmocka_unit_test(test_aliases_are_unique),
        cmocka_unit_test(test_calibrations),
        cmocka_unit_test(test_runtimes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
