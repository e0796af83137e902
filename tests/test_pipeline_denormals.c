/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The note on masks whose exponential is a denormal number: which values make them, whether the
 * graph carries them or the file alone does, and on which processors it is said.
 */
#include <unistd.h>

#include "onnx_wire.h"
#include "pipeline.h"

static struct wl_registry registry;
static const struct wl_runtime *generic;

#define WINDOWS 4
#define PAIRS 49

/* softmax(x + mask) y, where `count` elements of the mask are `value` and the others 0. */
static void write_masked(const char *path, float value, int64_t windows, int count)
{
    struct wire graph = {0};
    const int64_t dims[] = {windows, PAIRS, PAIRS};
    size_t elements = (size_t)windows * PAIRS * PAIRS;
    float *mask = calloc(elements, sizeof(*mask));
    assert_non_null(mask);
    for (int i = 0; i < count; i++) {
        mask[elements - 1 - (size_t)i] = value;
    }
    struct wire tensor = wire_tensor("mask", 1, dims, 3, mask, elements * sizeof(*mask));
    free(mask);
    wire_msg(&graph, 5, &tensor);
    wire_simple(&graph, "Add", "x mask", "a");
    wire_simple(&graph, "Softmax", "a", "s");
    wire_simple(&graph, "MatMul", "s y", "z");
    wire_value(&graph, 11, "x", 1, "4,49,49");
    wire_value(&graph, 11, "y", 1, "4,49,32");
    wire_value(&graph, 12, "z", 1, "4,49,32");
    struct wire model = wire_model(&graph, 17);
    assert_int_equal(wl_file_write(path, model.data, model.len, NULL), WL_OK);
    wire_done(&model);
}

static bool is_noted(const char *model, const char *id, enum wl_precision precision)
{
    const struct wl_spec *spec = NULL;
    struct wl_device device;
    struct wl_error err = {0};
    struct wl_model loaded;
    struct wl_prepared prepared;
    struct wl_result r;
    struct wl_request req = {.model = model,
                             .model_name = "masked",
                             .precision = {precision, WL_PREC_NATIVE, WL_PREC_NATIVE}};
    if (wl_registry_load(&registry, id, &spec, &err) != WL_OK ||
        wl_spec_device(spec, NULL, &device, &err) != WL_OK ||
        wl_prepare(&req, generic, wl_device_on_chip_bytes(&device), &loaded, &prepared, &err) !=
            WL_OK ||
        wl_analyze(&prepared, &device, generic, &req, &r, &err) != WL_OK) {
        fail_msg("%s: %s", err.where, err.message);
    }
    bool found = false;
    for (int32_t i = 0; i < r.diags.count; i++) {
        const struct wl_diag *d = &r.diags.items[i];
        bool own = strcmp(d->code, "denormal-mask") == 0;
        assert_true(!own || (d->severity == WL_SEV_INFO && strstr(d->where, "Softmax") != NULL));
        found = found || own;
    }
    wl_result_done(&r);
    wl_model_done(&loaded);
    return found;
}

static void which_values(void **state)
{
    static const struct {
        float value;
        bool denormal;
    } cases[] = {{-100, true},  {-88, true},    {-103, true}, {-87, false},
                 {-105, false}, {-1e4F, false}, {100, false}, {0, false}};
    (void)state;
    char path[] = "/tmp/wattline-mask-XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    (void)close(file);
    for (size_t i = 0; i < WL_ARRAY_LEN(cases); i++) {
        write_masked(path, cases[i].value, WINDOWS, 20);
        assert_int_equal(is_noted(path, "intel_xeon_8490h", WL_PREC_NATIVE), cases[i].denormal);
    }
    write_masked(path, -100, WINDOWS, 1); /* the last of many */
    assert_true(is_noted(path, "intel_xeon_8490h", WL_PREC_FP32));
    assert_true(is_noted(path, "amd_epyc_9654", WL_PREC_NATIVE));
    assert_false(is_noted(path, "intel_xeon_8490h", WL_PREC_BF16));
    assert_false(is_noted(path, "jetson_orin_agx_cpu", WL_PREC_NATIVE));
    assert_false(is_noted(path, "nvidia_h100_sxm", WL_PREC_NATIVE));
    write_masked(path, -100, 1, 0);
    assert_false(is_noted(path, "intel_xeon_8490h", WL_PREC_NATIVE));
    (void)unlink(path);
}

/* Swin's mask is made by the graph: of a constant -100, where windows meet. */
static void masks_of_the_graph(void **state)
{
    (void)state;
    assert_true(is_noted(WL_SOURCE_DIR "/models/swin_t.onnx", "intel_xeon_8490h", WL_PREC_NATIVE));
    assert_false(
        is_noted(WL_SOURCE_DIR "/models/vit_b_32.onnx", "intel_xeon_8490h", WL_PREC_NATIVE));
}

static int setup(void **state)
{
    static const char *const roots[] = {WL_SOURCE_DIR "/registry"};
    (void)state;
    return wl_registry_open(&registry, roots, 1, NULL) == WL_OK &&
                   wl_runtime_load(&registry, "generic", &generic, NULL) == WL_OK
               ? 0
               : 1;
}

static int teardown(void **state)
{
    (void)state;
    wl_registry_close(&registry);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(which_values),
        cmocka_unit_test(masks_of_the_graph),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
