/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TPU v1 on its six applications (Jouppi et al., "In-datacenter performance analysis of a tensor
 * processing unit", ISCA 2017, tables 1 and 3), each an ONNX file through the whole chain. The
 * networks are not public; what is: layers by kind, weights, batch, multiplications per weight byte
 * (the batch where a weight is used once per example; CNN0: 2,888 = 8 x 19 x 19 positions).
 *
 *          layers                      weights  batch  measured TOPS (2 per multiplication)
 *   MLP0    5 FC                       20 M     200    12.3
 *   MLP1    4 FC                        5 M     168     9.7
 *   LSTM0  24 FC, 34 vector            52 M      64     3.7
 *   LSTM1  37 FC, 19 vector            34 M      96     2.8
 *   CNN0   16 conv                      8 M       8    86
 *   CNN1    4 FC, 72 conv, 13 pool    100 M      32    14.1
 *
 * What these graphs assume beyond that: equal layers; an FC layer of an LSTM is one gate's matrix
 * over [input, state], so that 24 are six cells; LSTM1's matrices are 600 wide (the paper names
 * 600 x 600) and its 37th layer is the output over as many words as the weights leave; CNN0 has 256
 * channels on 19 x 19, 13 layers of 3 x 3 and 3 of 1 x 1; CNN1's convolutions hold 208 channels on
 * 14 x 14 and the fully connected layers the other weights, so that the multiplications are the
 * paper's. LSTM1 and CNN1 are printed, not held to a bound: their time is decided by shapes that
 * were not published.
 */
#include <math.h>

#include "onnx_wire.h"
#include "pipeline.h"

static struct wl_registry registry;
static char folder[] = "/tmp/wattline-tpu-v1-XXXXXX";

/* A graph being written: `now` is the name of the newest activation. */
struct net {
    struct wire graph;
    int layers;
    char now[32];
};

/* A float initializer whose values lie in a file that is not there. */
static void weight(struct net *n, const char *name, const int64_t *dims, int rank)
{
    struct wire t = {0};
    struct wire entry = {0};
    for (int i = 0; i < rank; i++) {
        wire_int(&t, 1, dims[i]);
    }
    wire_int(&t, 2, 1);
    wire_str(&t, 8, name);
    wire_str(&entry, 1, "location");
    wire_str(&entry, 2, "absent.bin");
    wire_msg(&t, 13, &entry);
    wire_int(&t, 14, 1);
    wire_msg(&n->graph, 5, &t);
}

/* One operator on the newest activation and `more` inputs; its result is the newest. */
static struct wire *begin(struct net *n, struct wire *node, const char *op, const char *more)
{
    char in[160];
    char out[32];
    (void)snprintf(in, sizeof(in), "%s%s%s", n->now, more[0] != '\0' ? " " : "", more);
    (void)snprintf(out, sizeof(out), "t%d", n->layers++);
    *node = wire_node(op, in, out);
    (void)snprintf(n->now, sizeof(n->now), "%s", out);
    return node;
}

static void simple(struct net *n, const char *op, const char *more)
{
    struct wire node;
    wire_msg(&n->graph, 1, begin(n, &node, op, more));
}

static void dense(struct net *n, int64_t in, int64_t out, const char *activation)
{
    char name[32];
    (void)snprintf(name, sizeof(name), "w%d", n->layers);
    weight(n, name, (int64_t[]){in, out}, 2);
    simple(n, "MatMul", name);
    if (activation != NULL) {
        simple(n, activation, "");
    }
}

static void window_attributes(struct wire *node, int64_t kernel)
{
    int64_t pad = kernel / 2;
    attr_ints(node, "kernel_shape", (int64_t[]){kernel, kernel}, 2);
    attr_ints(node, "pads", (int64_t[]){pad, pad, pad, pad}, 4);
}

static void convolution(struct net *n, int64_t in, int64_t out, int64_t kernel)
{
    char name[32];
    struct wire node;
    (void)snprintf(name, sizeof(name), "w%d", n->layers);
    weight(n, name, (int64_t[]){out, in, kernel, kernel}, 4);
    begin(n, &node, "Conv", name);
    window_attributes(&node, kernel);
    wire_msg(&n->graph, 1, &node);
    simple(n, "Relu", "");
}

/* One step of a cell: four gates over [x, h], then the vector layers. */
static void lstm_cell(struct net *n, int cell, int64_t hidden)
{
    char h[16];
    char c[16];
    char shape[32];
    char gates[4][32];
    struct wire node;
    static const char *const activations[] = {"Sigmoid", "Sigmoid", "Sigmoid", "Tanh"};
    (void)snprintf(h, sizeof(h), "h%d", cell);
    (void)snprintf(c, sizeof(c), "c%d", cell);
    (void)snprintf(shape, sizeof(shape), "N,%d", (int)hidden);
    wire_value(&n->graph, 11, h, 1, shape);
    wire_value(&n->graph, 11, c, 1, shape);
    begin(n, &node, "Concat", h);
    attr_int(&node, "axis", 1);
    wire_msg(&n->graph, 1, &node);
    char joined[32];
    (void)snprintf(joined, sizeof(joined), "%s", n->now);
    for (int g = 0; g < 4; g++) {
        (void)snprintf(n->now, sizeof(n->now), "%s", joined);
        dense(n, 2 * hidden, hidden, activations[g]);
        (void)snprintf(gates[g], sizeof(gates[g]), "%s", n->now);
    }
    (void)snprintf(n->now, sizeof(n->now), "%s", gates[0]);
    simple(n, "Mul", c); /* forget */
    char kept[32];
    (void)snprintf(kept, sizeof(kept), "%s", n->now);
    (void)snprintf(n->now, sizeof(n->now), "%s", gates[1]);
    simple(n, "Mul", gates[3]); /* input */
    simple(n, "Add", kept);
    simple(n, "Tanh", "");
    simple(n, "Mul", gates[2]); /* output */
}

static void mlp0(struct net *n)
{
    for (int i = 0; i < 5; i++) {
        dense(n, 2000, 2000, "Relu");
    }
}

static void mlp1(struct net *n)
{
    for (int i = 0; i < 4; i++) {
        dense(n, 1118, 1118, "Relu");
    }
}

static void lstm0(struct net *n)
{
    for (int i = 0; i < 6; i++) {
        lstm_cell(n, i, 1040);
    }
}

static void lstm1(struct net *n)
{
    for (int i = 0; i < 9; i++) {
        lstm_cell(n, i, 600);
    }
    dense(n, 600, 13466, NULL);
}

static void cnn0(struct net *n)
{
    for (int i = 0; i < 16; i++) {
        convolution(n, 256, 256, i % 5 == 4 ? 1 : 3);
    }
}

static void cnn1(struct net *n)
{
    struct wire node;
    for (int i = 0; i < 72; i++) {
        convolution(n, 208, 208, 3);
        if (i % 6 == 5) {
            begin(n, &node, "MaxPool", "");
            window_attributes(&node, 3);
            wire_msg(&n->graph, 1, &node);
        }
    }
    begin(n, &node, "MaxPool", "");
    attr_ints(&node, "kernel_shape", (int64_t[]){2, 2}, 2);
    attr_ints(&node, "strides", (int64_t[]){2, 2}, 2);
    wire_msg(&n->graph, 1, &node);
    simple(n, "Flatten", "");
    dense(n, 10192, 4096, "Relu");
    dense(n, 4096, 4096, "Relu");
    dense(n, 4096, 2800, "Relu");
    dense(n, 2800, 1000, NULL);
}

struct app {
    const char *name, *input;
    void (*build)(struct net *n);
    int64_t batch;
    double weights, macs_per_weight, measured_tops;
    bool reported_only;
};

/* clang-format off */
static const struct app apps[] = {
    {"mlp0",  "N,2000",      mlp0,  200, 20e6,  200,  12.3, false},
    {"mlp1",  "N,1118",      mlp1,  168, 5e6,   168,  9.7,  false},
    {"lstm0", "N,1040",      lstm0, 64,  52e6,  64,   3.7,  false},
    {"lstm1", "N,600",       lstm1, 96,  34e6,  96,   2.8,  true},
    {"cnn0",  "N,256,19,19", cnn0,  8,   8e6,   2888, 86,   false},
    {"cnn1",  "N,208,14,14", cnn1,  32,  100e6, 1750, 14.1, true},
};
/* clang-format on */

static void write_app(const struct app *a, char *path, size_t size)
{
    struct net n = {.now = "x"};
    (void)snprintf(path, size, "%s/%s.onnx", folder, a->name);
    wire_value(&n.graph, 11, "x", 1, a->input);
    a->build(&n);
    wire_value(&n.graph, 12, n.now, 1, NULL);
    struct wire model = wire_model(&n.graph, 13);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(model.data, 1, model.len, file), model.len);
    assert_int_equal(fclose(file), 0);
    wire_done(&model);
}

static void run_app(const struct app *a, const struct wl_device *d, const struct wl_runtime *rt)
{
    char path[128];
    struct wl_error err;
    struct wl_model model;
    struct wl_prepared prepared;
    struct wl_result result;
    write_app(a, path, sizeof(path));
    struct wl_request req = {.model = path,
                             .model_name = a->name,
                             .batch = a->batch,
                             .precision = {WL_PREC_INT8, WL_PREC_INT8, WL_PREC_INT8}};
    if (wl_prepare(&req, rt, wl_device_on_chip_bytes(d), &model, &prepared, &err) != WL_OK ||
        wl_analyze(&prepared, d, rt, &req, &result, &err) != WL_OK) {
        fail_msg("%s: %s: %s", a->name, err.where, err.message);
    }
    double macs = 0;
    for (int32_t i = 0; i < result.mappings.count; i++) {
        macs += (double)result.mappings.partition->subgraphs[i].macs;
    }
    /* The graph is the paper's: weights times multiplications per weight, within 6 %. */
    double published = a->weights * a->macs_per_weight;
    if (fabs(macs / published - 1) > 0.06) {
        fail_msg("%s: %.4g multiplications, published %.4g", a->name, macs, published);
    }
    double tops = 2 * macs / result.totals.latency_s / 1e12;
    print_message("%s: %.2f TOPS, measured %.2f, bound %s%s\n", a->name, tops, a->measured_tops,
                  wl_bound_name(d, result.roofline.bound),
                  a->reported_only ? " (shapes not published: reported only)" : "");
    if (!a->reported_only && fabs(tops / a->measured_tops - 1) > 0.2) {
        fail_msg("%s: %.2f TOPS, measured %.2f", a->name, tops, a->measured_tops);
    }
    wl_result_done(&result);
    wl_model_done(&model);
    (void)remove(path);
}

static void test_tops(void **state)
{
    (void)state;
    const struct wl_spec *spec = NULL;
    const struct wl_runtime *generic = NULL;
    struct wl_device d;
    struct wl_error err;
    assert_int_equal(wl_registry_load(&registry, "google_tpu_v1", &spec, &err), WL_OK);
    assert_int_equal(wl_spec_device(spec, NULL, &d, &err), WL_OK);
    assert_int_equal(wl_runtime_load(&registry, "generic", &generic, &err), WL_OK);
    for (size_t i = 0; i < WL_ARRAY_LEN(apps); i++) {
        run_app(&apps[i], &d, generic);
    }
}

static int set_up(void **state)
{
    (void)state;
    static const char *const roots[] = {WL_SOURCE_DIR "/registry"};
    struct wl_error err;
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    return wl_registry_open(&registry, roots, 1, &err) == WL_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    wl_registry_close(&registry);
    (void)remove(folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_tops)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
