/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files with random weights: complete, the same network as the graph-only file, the same bytes for
 * the same seed, values that fit their use; refusals leave no file behind.
 */
#include <math.h>
#include <unistd.h>

#include "onnx.pb-c.h"
#include "wl_test.h"
#include "zoo.h"

#define MODELS WL_SOURCE_DIR "/models/"

static char folder[] = "/tmp/wattline-materialize-XXXXXX";
static char first[64], second[64];

static int setup(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL) {
        return 1;
    }
    (void)snprintf(first, sizeof(first), "%s/first.onnx", folder);
    (void)snprintf(second, sizeof(second), "%s/second.onnx", folder);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    (void)unlink(first);
    (void)unlink(second);
    return rmdir(folder); /* fails when a refusal left something behind */
}

static void make(const char *model, const char *output, uint64_t seed, struct wl_materialized *out)
{
    struct wl_error err = {0};
    if (wl_materialize(model, output, seed, out, &err) != WL_OK) {
        fail_msg("%s: %s: %s", model, err.where, err.message);
    }
}

static bool same_bytes(const char *a, const char *b)
{
    struct wl_file x;
    struct wl_file y;
    assert_int_equal(wl_file_open(a, &x, NULL), WL_OK);
    assert_int_equal(wl_file_open(b, &y, NULL), WL_OK);
    bool same = x.bytes == y.bytes && memcmp(x.data, y.data, x.bytes) == 0;
    wl_file_close(&x);
    wl_file_close(&y);
    return same;
}

static void test_seed_decides(void **state)
{
    struct wl_materialized made;
    (void)state;
    make(MODELS "espcn_x3.onnx", first, 7, &made);
    make(MODELS "espcn_x3.onnx", second, 7, &made);
    assert_true(same_bytes(first, second));
    make(MODELS "espcn_x3.onnx", second, 8, &made);
    assert_false(same_bytes(first, second));
    /* three kernels: 64 x 1 x 5 x 5, 32 x 64 x 3 x 3, 9 x 32 x 3 x 3; biases are stored inline */
    assert_int_equal(made.tensors, 3);
    assert_int_equal(made.payload_bytes, 4 * (64 * 25 + 32 * 64 * 9 + 9 * 32 * 9));
    assert_false(made.external);
}

/* Numbers of an analysis that must not depend on whether weights are there. */
static void facts(const char *path, int64_t out[4])
{
    struct wl_model m;
    const struct wl_frontend_options opt = {.batch = 2};
    assert_int_equal(wl_model_load(path, &opt, &m, NULL), WL_OK);
    assert_int_equal(wl_ops_count(&m.graph, NULL), WL_OK);
    struct wl_dim macs = wl_dim_known(0);
    for (int32_t i = 0; i < m.graph.node_count; i++) {
        macs = wl_dim_add(&m.graph.dims, macs, m.graph.work[i].macs);
    }
    out[0] = m.parameters;
    out[1] = m.parameter_bytes;
    out[2] = m.graph.node_count;
    out[3] = macs.value;
    assert_true(wl_dim_is_known(macs));
    wl_model_done(&m);
}

static void test_same_network(void **state)
{
    static const char *const models[] = {MODELS "squeezenet1_1.onnx",
                                         MODELS "mobilenet_v2_int8.onnx"};
    (void)state;
    for (size_t i = 0; i < WL_ARRAY_LEN(models); i++) {
        struct wl_materialized made;
        int64_t before[4];
        int64_t after[4];
        make(models[i], first, 1, &made);
        facts(models[i], before);
        facts(first, after);
        assert_memory_equal(before, after, sizeof(before));
        assert_true(before[3] > 0);
    }
}

/* Unpacks `path`; every tensor must have its data in the file, as many bytes as its dims say. */
static Onnx__ModelProto *unpack_complete(const char *path)
{
    struct wl_file f;
    assert_int_equal(wl_file_open(path, &f, NULL), WL_OK);
    Onnx__ModelProto *m = onnx__model_proto__unpack(NULL, f.bytes, f.data);
    wl_file_close(&f);
    assert_non_null(m);
    for (size_t i = 0; i < m->graph->n_initializer; i++) {
        const Onnx__TensorProto *t = m->graph->initializer[i];
        int64_t elems = 1;
        assert_int_equal(t->n_external_data, 0);
        assert_false(t->has_data_location);
        assert_true(t->has_raw_data);
        for (size_t d = 0; d < t->n_dims; d++) {
            elems *= t->dims[d];
        }
        assert_true(elems == 0 || t->raw_data.len % (size_t)elems == 0);
        assert_int_equal(t->raw_data.len > 0, elems > 0);
    }
    return m;
}

static const Onnx__TensorProto *find_tensor(const Onnx__ModelProto *m, const char *name)
{
    for (size_t i = 0; i < m->graph->n_initializer; i++) {
        if (strcmp(m->graph->initializer[i]->name, name) == 0) {
            return m->graph->initializer[i];
        }
    }
    fail_msg("no initializer %s", name);
    return NULL;
}

static void statistics(const Onnx__TensorProto *t, double *mean, double *deviation, double *least)
{
    size_t count = t->raw_data.len / sizeof(float);
    double sum = 0;
    double squares = 0;
    *least = INFINITY;
    for (size_t i = 0; i < count; i++) {
        float v;
        memcpy(&v, t->raw_data.data + i * sizeof(v), sizeof(v));
        assert_true(isfinite(v));
        sum += (double)v;
        squares += (double)v * (double)v;
        *least = fmin(*least, (double)v);
    }
    *mean = sum / (double)count;
    *deviation = sqrt(squares / (double)count - *mean * *mean);
}

static void test_values_of_floats(void **state)
{
    struct wl_materialized made;
    double mean;
    double deviation;
    double least;
    (void)state;
    make(MODELS "mobilenet_v2_bn.onnx", first, 3, &made);
    Onnx__ModelProto *m = unpack_complete(first);
    /* 1280 outputs of a 1 x 1 convolution over 320 channels: 1 / sqrt(320), 409,600 values */
    statistics(find_tensor(m, "features.18.0.weight"), &mean, &deviation, &least);
    assert_true(fabs(deviation - 1.0 / sqrt(320.0)) < 0.01 / sqrt(320.0));
    assert_true(fabs(mean) < 0.001);
    /* depthwise 3 x 3: fan in 9 */
    statistics(find_tensor(m, "features.17.conv.1.0.weight"), &mean, &deviation, &least);
    assert_true(fabs(deviation - 1.0 / 3.0) < 0.01);
    statistics(find_tensor(m, "features.18.1.running_var"), &mean, &deviation, &least);
    assert_true(least > 0.5 && fabs(mean - 1.0) < 0.05);
    statistics(find_tensor(m, "features.18.1.weight"), &mean, &deviation, &least);
    assert_true(least > 0.8 && fabs(mean - 1.0) < 0.05);
    onnx__model_proto__free_unpacked(m, NULL);
}

static void test_values_of_integers(void **state)
{
    struct wl_materialized made;
    double bias;
    double mean;
    double deviation;
    double least;
    int seen_low = 0;
    int seen_high = 0;
    (void)state;
    make(MODELS "resnet18_int8.onnx", first, 3, &made);
    Onnx__ModelProto *m = unpack_complete(first);
    const Onnx__TensorProto *w = find_tensor(m, "fc.weight_quantized");
    assert_int_equal(w->data_type, ONNX__TENSOR_PROTO__DATA_TYPE__INT8);
    assert_int_equal(w->raw_data.len, 1000 * 512);
    for (size_t i = 0; i < w->raw_data.len; i++) {
        int8_t v = (int8_t)w->raw_data.data[i];
        assert_true(v >= -127);
        seen_low += v < -100 ? 1 : 0;
        seen_high += v > 100 ? 1 : 0;
    }
    assert_true(seen_low > 1000 && seen_high > 1000);
    /* what the scale makes of uniform 8-bit values has the deviation 1 / sqrt(512) */
    statistics(find_tensor(m, "fc.weight_scale"), &mean, &deviation, &least);
    assert_true(least > 0);
    assert_true(fabs(mean * 73.6 * sqrt(512.0) - 1.0) < 0.02);
    /* biases are in units of input times weight: 0.02, as the file says, times the weights' */
    statistics(find_tensor(m, "fc.bias_scale"), &bias, &deviation, &least);
    assert_true(fabs(bias / (0.02 * mean) - 1.0) < 1e-5);
    assert_true(fabs(least / bias - 1.0) < 1e-5);
    onnx__model_proto__free_unpacked(m, NULL);
}

static void test_refusals(void **state)
{
    static const char text[] = "no model at all";
    struct wl_materialized made;
    struct wl_error err = {0};
    char nowhere[96];
    (void)state;
    assert_int_equal(wl_materialize(MODELS "absent.onnx", second, 0, &made, &err), WL_ERR_IO);
    (void)unlink(second);
    assert_int_equal(wl_file_write(first, text, sizeof(text), NULL), WL_OK);
    assert_int_not_equal(wl_materialize(first, second, 0, &made, &err), WL_OK);
    assert_false(wl_path_exists(second));
    (void)snprintf(nowhere, sizeof(nowhere), "%s/absent/file.onnx", folder);
    assert_int_equal(wl_materialize(MODELS "espcn_x3.onnx", nowhere, 0, &made, &err), WL_ERR_IO);
    assert_non_null(strstr(err.where, "file.onnx"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seed_decides),     cmocka_unit_test(test_same_network),
        cmocka_unit_test(test_values_of_floats), cmocka_unit_test(test_values_of_integers),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
