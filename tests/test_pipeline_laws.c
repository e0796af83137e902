/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The laws that hold in every result, over models x devices x batches: sums, bounds, balance of the
 * ledger, order of schedule and edges.
 */
#include "wl_laws.h"

static struct wl_registry registry;
static const struct wl_runtime *generic;

static int64_t analyze(const char *model, const struct wl_device *device, int64_t batch,
                       enum wl_precision precision)
{
    char path[512];
    struct wl_error err = {0};
    struct wl_model loaded;
    struct wl_prepared prepared;
    struct wl_result r;
    (void)snprintf(path, sizeof(path), "%s/models/%s.onnx", WL_SOURCE_DIR, model);
    struct wl_request req = {.model = path,
                             .model_name = model,
                             .batch = batch,
                             .precision = {precision, WL_PREC_NATIVE, WL_PREC_NATIVE}};
    wl_status status =
        wl_prepare(&req, generic, wl_device_on_chip_bytes(device), &loaded, &prepared, &err);
    if (status != WL_OK) {
        fail_msg("%s: %s: %s", model, err.where, err.message);
    }
    status = wl_analyze(&prepared, device, generic, &req, &r, &err);
    if (status != WL_OK) {
        fail_msg("%s: %s: %s", model, err.where, err.message);
    }
    check_laws(&r);
    int64_t macs = r.totals.macs;
    wl_result_done(&r);
    wl_model_done(&loaded);
    return macs;
}

static void load_device(const char *id, struct wl_device *out)
{
    const struct wl_spec *spec = NULL;
    struct wl_error err = {0};
    if (wl_registry_load(&registry, id, &spec, &err) != WL_OK ||
        wl_spec_device(spec, NULL, out, &err) != WL_OK) {
        fail_msg("%s: %s: %s", id, err.where, err.message);
    }
}

/* MACs at batch 1: torchvision's published counts (FLOPs of its weights' metadata). */
static const struct {
    const char *model;
    int64_t macs;
} models[] = {{"resnet18", 1814073344},
              {"resnet50", 4089184256},
              {"mobilenet_v2", 300774272},
              {"vgg16", 15470264320}};

static const char *const devices[] = {"intel_xeon_8490h", "amd_epyc_9654", "jetson_orin_agx_cpu"};

static void laws_hold_for_models_devices_batches(void **state)
{
    (void)state;
    static const int64_t batches[] = {1, 8, 64};
    for (size_t d = 0; d < WL_ARRAY_LEN(devices); d++) {
        struct wl_device device;
        load_device(devices[d], &device);
        for (size_t m = 0; m < WL_ARRAY_LEN(models); m++) {
            for (size_t b = 0; b < WL_ARRAY_LEN(batches); b++) {
                assert_true(analyze(models[m].model, &device, batches[b], WL_PREC_NATIVE) ==
                            models[m].macs * batches[b]);
            }
        }
    }
}

static void laws_hold_for_every_precision(void **state)
{
    (void)state;
    for (size_t d = 0; d < WL_ARRAY_LEN(devices); d++) {
        struct wl_device device;
        load_device(devices[d], &device);
        for (int p = 0; p < WL_PREC_COUNT; p++) {
            if (wl_precision_is_float((enum wl_precision)p) &&
                wl_device_supports(&device, (enum wl_precision)p)) {
                (void)analyze("resnet18", &device, 1, (enum wl_precision)p);
            }
        }
    }
}

static int open_registry(void **state)
{
    (void)state;
    static const char *const roots[] = {WL_SOURCE_DIR "/registry"};
    struct wl_error err;
    if (wl_registry_open(&registry, roots, 1, &err) != WL_OK ||
        wl_runtime_load(&registry, "generic", &generic, &err) != WL_OK) {
        (void)fprintf(stderr, "%s: %s\n", err.where, err.message);
        return -1;
    }
    return 0;
}

static int close_registry(void **state)
{
    (void)state;
    wl_registry_close(&registry);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(laws_hold_for_models_devices_batches),
        cmocka_unit_test(laws_hold_for_every_precision),
    };
    return cmocka_run_group_tests(tests, open_registry, close_registry);
}
