/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evaluate kernels: single-kernel measurements against the mappers. Reads records {device, op,
 * dims, precision, latency_ms} (linear, bmm, matmul, softmax, ln, element-wise), maps each as a
 * subgraph of its own on the device from specification, and prints the median and the 90th
 * percentile of the absolute relative error by device and by operation. Profilers time the kernel
 * alone, so launches cost nothing here.
 */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "evaluate.h"

struct kernel {
    struct wl_tensor tensors[3];
    struct wl_operand inputs[2], weights[1], outputs[1];
    struct wl_product product;
    struct wl_subgraph subgraph;
    struct wl_graph graph;
    struct wl_partition partition;
};

static int64_t dim(const cJSON *dims, const char *name)
{
    const cJSON *d = cJSON_GetObjectItem(dims, name);
    return d != NULL ? (int64_t)d->valuedouble : 1;
}

static void add_product(struct kernel *k, const char *op, const cJSON *dims)
{
    int64_t b = dim(dims, "B"), m = dim(dims, "M"), n = dim(dims, "N"), kk = dim(dims, "K");
    bool shared = strcmp(op, "bmm") != 0;
    k->product = (struct wl_product){
        .g = shared ? 1 : b, .m = shared ? b * m : m, .n = n, .k = kk, .left = 0, .right = 1};
    k->inputs[0] = (struct wl_operand){0, b * m * kk};
    k->outputs[0] = (struct wl_operand){2, b * m * n};
    struct wl_operand right = {1, (shared ? 1 : b) * kk * n};
    k->subgraph.input_count = 1;
    if (shared) {
        k->tensors[1].kind = WL_TENSOR_INITIALIZER;
        k->tensors[1].stored_elems = right.elems;
        k->weights[0] = right;
        k->subgraph.weight_count = 1;
    } else {
        k->inputs[1] = right;
        k->subgraph.input_count = 2;
    }
    k->subgraph.kind = WL_OPK_GEMM;
    k->subgraph.products = &k->product;
    k->subgraph.product_count = 1;
    k->subgraph.macs = b * m * n * kk;
}

static void add_stream(struct kernel *k, const char *op, const cJSON *dims)
{
    int64_t elems = dim(dims, "B") * dim(dims, "H");
    bool binary = strcmp(op, "add") == 0 || strcmp(op, "mul") == 0 || strcmp(op, "div") == 0 ||
                  strcmp(op, "pow") == 0;
    k->inputs[0] = (struct wl_operand){0, elems};
    k->inputs[1] = (struct wl_operand){1, elems};
    k->outputs[0] = (struct wl_operand){2, elems};
    k->subgraph.input_count = binary ? 2 : 1;
    k->subgraph.kind = WL_OPK_MAP;
    int64_t *ops = k->subgraph.ops;
    if (strcmp(op, "softmax") == 0 || strcmp(op, "ln") == 0) {
        k->subgraph.access = WL_ACCESS_REDUCE;
        bool softmax = op[0] == 's';
        k->subgraph.kind = softmax ? WL_OPK_SOFTMAX : WL_OPK_NORM;
        ops[WL_WORK_ADDMUL] = softmax ? 2 * elems : 7 * elems;
        ops[WL_WORK_COMPARE] = softmax ? elems : 0;
        ops[WL_WORK_SPECIAL] = softmax ? elems : 0;
        ops[WL_WORK_DIVIDE] = softmax ? elems : 0;
    } else if (strncmp(op, "pow", 3) == 0 || strcmp(op, "gelu") == 0 || strcmp(op, "tanh") == 0) {
        ops[WL_WORK_SPECIAL] = elems;
    } else if (strncmp(op, "div", 3) == 0) {
        ops[WL_WORK_DIVIDE] = elems;
    } else {
        ops[WL_WORK_ADDMUL] = elems;
    }
}

static void make_kernel(struct kernel *k, const char *op, const cJSON *dims)
{
    memset(k, 0, sizeof(*k));
    for (int i = 0; i < 3; i++) {
        k->tensors[i] =
            (struct wl_tensor){.dtype = WL_DT_FLOAT, .kind = WL_TENSOR_INPUT, .producer = WL_NONE};
    }
    k->tensors[2].kind = WL_TENSOR_ACTIVATION;
    k->tensors[2].flags = WL_TENSOR_IS_OUTPUT;
    k->subgraph = (struct wl_subgraph){.name = op,
                                       .pattern = op,
                                       .repeat = 1,
                                       .steps = 1,
                                       .inputs = k->inputs,
                                       .weights = k->weights,
                                       .outputs = k->outputs,
                                       .output_count = 1};
    if (cJSON_GetObjectItem(dims, "K") != NULL) {
        add_product(k, op, dims);
    } else {
        add_stream(k, op, dims);
    }
    k->graph = (struct wl_graph){.tensors = k->tensors, .tensor_count = 3};
    k->partition = (struct wl_partition){
        .fusion = "none", .graph = &k->graph, .subgraphs = &k->subgraph, .count = 1};
}

static wl_status predict(struct kernel *k, const struct wl_device *d, enum wl_precision prec,
                         const struct wl_runtime *rt, double *latency_s, struct wl_error *err)
{
    struct wl_arena arena;
    struct wl_mappings m;
    struct wl_energy e;
    struct wl_roofline r;
    struct wl_map_options opt = {.policy = {prec, prec, prec}, .runtime = rt};
    wl_arena_init(&arena, 0);
    wl_status status = wl_mappers_run(&k->partition, d, &opt, &arena, &m, err);
    status = status == WL_OK ? wl_energy_dynamic(&m, &arena, &e, err) : status;
    status = status == WL_OK ? wl_roofline_place(&m, &e, &arena, &r, err) : status;
    *latency_s = status == WL_OK ? r.latency_s : 0;
    wl_arena_done(&arena);
    return status;
}

static wl_status one_record(struct wl_registry *reg, const cJSON *record,
                            const struct wl_runtime *rt, struct samples *out, struct wl_error *err)
{
    const char *device = cJSON_GetStringValue(cJSON_GetObjectItem(record, "device"));
    const char *op = cJSON_GetStringValue(cJSON_GetObjectItem(record, "op"));
    const char *prec = cJSON_GetStringValue(cJSON_GetObjectItem(record, "precision"));
    const cJSON *dims = cJSON_GetObjectItem(record, "dims");
    const cJSON *latency = cJSON_GetObjectItem(record, "latency_ms");
    if (device == NULL || op == NULL || prec == NULL || dims == NULL || latency == NULL) {
        return WL_OK;
    }
    const struct wl_spec *spec = NULL;
    struct wl_device d;
    WL_TRY(wl_registry_load(reg, device, &spec, err));
    WL_TRY(wl_spec_device(spec, NULL, &d, err));
    struct kernel k;
    double predicted_s = 0;
    make_kernel(&k, op, dims);
    WL_TRY(predict(&k, &d, wl_precision_find(prec), rt, &predicted_s, err));
    struct sample s = {.kind = SAMPLE_LATENCY,
                       .batch = dim(dims, "B"),
                       .measured = latency->valuedouble * 1e-3,
                       .predicted = predicted_s};
    (void)snprintf(s.device, sizeof(s.device), "%s", device);
    (void)snprintf(s.model, sizeof(s.model), "%s", op);
    (void)snprintf(s.precision, sizeof(s.precision), "%s", prec);
    (void)snprintf(s.runtime, sizeof(s.runtime), "generic");
    (void)snprintf(s.class, sizeof(s.class), "kernel");
    (void)snprintf(s.note, sizeof(s.note), "B%lld M%lld N%lld K%lld H%lld",
                   (long long)dim(dims, "B"), (long long)dim(dims, "M"), (long long)dim(dims, "N"),
                   (long long)dim(dims, "K"), (long long)dim(dims, "H"));
    wl_samples_add(out, &s);
    return WL_OK;
}

wl_status wl_evaluate_kernels(struct wl_registry *reg, const char *path,
                              const struct wl_runtime *runtime, struct samples *out,
                              struct wl_error *err)
{
    struct wl_file file;
    struct wl_runtime rt = *runtime;
    for (int c = 0; c < WL_HW_CLASS_COUNT; c++) {
        rt.dispatch_s[c] = 0;
    }
    WL_TRY(wl_file_open(path, &file, err));
    cJSON *root = cJSON_ParseWithLength((const char *)file.data, file.bytes);
    wl_file_close(&file);
    if (root == NULL) {
        return wl_fail(err, WL_ERR_PARSE, path, "is not JSON; records of kernels would be right");
    }
    wl_status status = WL_OK;
    const cJSON *record = NULL;
    cJSON_ArrayForEach(record, cJSON_GetObjectItem(root, "records"))
    {
        status = status == WL_OK ? one_record(reg, record, &rt, out, err) : status;
    }
    cJSON_Delete(root);
    return status;
}
