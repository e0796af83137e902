/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a runtime's kernels cost beyond their work: which subgraphs of real networks run element by
 * element, on one thread or on patches, where layouts change, and that only CPUs with a profile
 * that says so have any of it.
 */
#include <math.h>

#include "pipeline.h"
#include "wl_test.h"

static struct wl_registry registry;

struct analysed {
    struct wl_model model;
    struct wl_prepared prepared;
    struct wl_result result;
    const struct wl_runtime *runtime;
};

static void analyse(struct analysed *a, const char *name, const char *id, const char *runtime)
{
    char path[512];
    const struct wl_spec *spec = NULL;
    struct wl_device device;
    struct wl_error err = {0};
    struct wl_request req = {.model = path,
                             .model_name = name,
                             .threads = 1,
                             .precision = {WL_PREC_NATIVE, WL_PREC_NATIVE, WL_PREC_NATIVE}};
    (void)snprintf(path, sizeof(path), "%s/models/%s.onnx", WL_SOURCE_DIR, name);
    if (wl_registry_load(&registry, id, &spec, &err) != WL_OK ||
        wl_runtime_load(&registry, runtime, &a->runtime, &err) != WL_OK ||
        wl_spec_device(spec, NULL, &device, &err) != WL_OK) {
        fail_msg("%s: %s", err.where, err.message);
    }
    req.threads = device.class == WL_HW_CPU ? 1 : 0;
    if (wl_prepare(&req, a->runtime, wl_device_on_chip_bytes(&device), &a->model, &a->prepared,
                   &err) != WL_OK ||
        wl_analyze(&a->prepared, &device, a->runtime, &req, &a->result, &err) != WL_OK) {
        fail_msg("%s: %s", err.where, err.message);
    }
}

static void done(struct analysed *a)
{
    wl_result_done(&a->result);
    wl_model_done(&a->model);
}

static const struct wl_map_kernel *kernel_of(const struct analysed *a, int32_t i)
{
    return &a->result.mappings.options.kernels[i];
}

/* Local response normalisation: no vectors, so many cycles for each result. */
static void element_by_element(void **state)
{
    (void)state;
    struct analysed a;
    int32_t found = 0;
    analyse(&a, "alexnet_caffe", "intel_xeon_8490h", "onnxruntime");
    double each = wl_runtime_element_cycles(a.runtime, "lrn");
    assert_true(each > 1);
    for (int32_t i = 0; i < a.prepared.partition.count; i++) {
        const struct wl_subgraph *s = &a.prepared.partition.subgraphs[i];
        if (strcmp(s->pattern, "lrn") == 0) {
            double cycles = each * (double)s->outputs[0].elems;
            double clock = a.result.device.clock_hz;
            found++;
            assert_true(kernel_of(&a, i)->element_cycles > 0.999 * cycles);
            assert_true(a.result.roofline.timings[i].compute_s > 0.999 * cycles / clock);
        }
    }
    assert_int_equal(found, 2);
    done(&a);
}

/* Images of ResNet-18 are in blocks from the first convolution to the last; those of a network on
   videos never are. */
static void layouts(void **state)
{
    (void)state;
    struct analysed a;
    double around = 0, patched = 0;
    analyse(&a, "resnet18", "intel_xeon_8490h", "onnxruntime");
    for (int32_t i = 0; i < a.prepared.partition.count; i++) {
        around += kernel_of(&a, i)->around;
        patched += kernel_of(&a, i)->patch_cycles;
    }
    assert_true(around >= 1 && around <= 2 && !(patched > 0));
    done(&a);
    around = patched = 0;
    analyse(&a, "r3d_18", "intel_xeon_8490h", "onnxruntime");
    for (int32_t i = 0; i < a.prepared.partition.count; i++) {
        around += kernel_of(&a, i)->around;
        patched += kernel_of(&a, i)->patch_cycles;
    }
    assert_true(patched > 0 && !(around > 0));
    done(&a);
}

/* On 7 x 7 pixels 2 of 7 rows and columns lose a tap of 3 into the padding. */
static void taps(void **state)
{
    (void)state;
    struct analysed a;
    bool found = false;
    analyse(&a, "resnet18", "intel_xeon_8490h", "onnxruntime");
    for (int32_t i = 0; i < a.prepared.partition.count; i++) {
        const struct wl_subgraph *s = &a.prepared.partition.subgraphs[i];
        const struct wl_window *w = s->product_count > 0 ? s->products[0].window : NULL;
        if (w != NULL && w->kernel[0] == 3 && w->stride[0] == 1 && w->out[0].value == 7) {
            double share = (19.0 / 21) * (19.0 / 21);
            found = true;
            assert_true(fabs(kernel_of(&a, i)->depth_share - share) < 1e-9);
        }
    }
    assert_true(found);
    done(&a);
}

static void only_where_described(void **state)
{
    (void)state;
    struct analysed a;
    analyse(&a, "resnet18", "intel_xeon_8490h", "openvino");
    assert_null(a.result.mappings.options.kernels);
    done(&a);
    analyse(&a, "resnet18", "nvidia_h100_sxm", "onnxruntime");
    assert_null(a.result.mappings.options.kernels);
    done(&a);
}

static int setup(void **state)
{
    static const char *const roots[] = {WL_SOURCE_DIR "/registry"};
    (void)state;
    return wl_registry_open(&registry, roots, 1, NULL) == WL_OK ? 0 : 1;
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
        cmocka_unit_test(element_by_element),
        cmocka_unit_test(layouts),
        cmocka_unit_test(taps),
        cmocka_unit_test(only_where_described),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
