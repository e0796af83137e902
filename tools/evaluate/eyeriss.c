/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evaluate eyeriss: latency and chip power of the convolutions of AlexNet and VGG-16 against the
 * chip's paper (Chen et al., JSSC 52(1), 2017, tables V and VI). Latency is that of row-stationary
 * folds on the array of the registered device. Power is of the chip: dynamic events but those of
 * DRAM, over the predicted latency, and idle power; counts are the registered device's mapper's.
 */
#include <cjson/cJSON.h>
#include <string.h>

#include "evaluate.h"

struct layer {
    const char *name;
    int64_t groups, out, kernel, channels, filters; /* channels and filters per group */
};

/* clang-format off */
static const struct layer layers[] = {
    {"alexnet/CONV1", 1, 55, 11, 3, 96},  {"alexnet/CONV2", 2, 27, 5, 48, 128},
    {"alexnet/CONV3", 1, 13, 3, 256, 384}, {"alexnet/CONV4", 2, 13, 3, 192, 192},
    {"alexnet/CONV5", 2, 13, 3, 192, 128},
    {"vgg16/CONV1-1", 1, 224, 3, 3, 64},   {"vgg16/CONV1-2", 1, 224, 3, 64, 64},
    {"vgg16/CONV2-1", 1, 112, 3, 64, 128}, {"vgg16/CONV2-2", 1, 112, 3, 128, 128},
    {"vgg16/CONV3-1", 1, 56, 3, 128, 256}, {"vgg16/CONV3-2", 1, 56, 3, 256, 256},
    {"vgg16/CONV3-3", 1, 56, 3, 256, 256}, {"vgg16/CONV4-1", 1, 28, 3, 256, 512},
    {"vgg16/CONV4-2", 1, 28, 3, 512, 512}, {"vgg16/CONV4-3", 1, 28, 3, 512, 512},
    {"vgg16/CONV5-1", 1, 14, 3, 512, 512}, {"vgg16/CONV5-2", 1, 14, 3, 512, 512},
    {"vgg16/CONV5-3", 1, 14, 3, 512, 512},
};
/* clang-format on */

/* A convolution as a graph of three tensors. */
struct conv {
    struct wl_window window;
    struct wl_product product;
    struct wl_operand input, weight, output;
    struct wl_tensor tensors[3];
    struct wl_subgraph subgraph;
    struct wl_graph graph;
    struct wl_partition partition;
};

static void make_conv(struct conv *c, const struct layer *l, int64_t batch)
{
    memset(c, 0, sizeof(*c));
    c->window = (struct wl_window){.spatial_rank = 2,
                                   .out = {wl_dim_known(l->out), wl_dim_known(l->out)},
                                   .kernel = {l->kernel, l->kernel},
                                   .stride = {1, 1},
                                   .dilation = {1, 1},
                                   .groups = l->groups,
                                   .in_channels = wl_dim_known(l->channels * l->groups),
                                   .out_channels = wl_dim_known(l->filters * l->groups)};
    c->product = (struct wl_product){.g = l->groups,
                                     .m = batch * l->out * l->out,
                                     .n = l->filters,
                                     .k = l->channels * l->kernel * l->kernel,
                                     .left = 0,
                                     .right = 1,
                                     .window = &c->window};
    const struct wl_product *p = &c->product;
    c->input = (struct wl_operand){0, p->g * p->m * l->channels};
    c->weight = (struct wl_operand){1, p->g * p->n * p->k};
    c->output = (struct wl_operand){2, p->g * p->m * p->n};
    for (int i = 0; i < 3; i++) {
        c->tensors[i] =
            (struct wl_tensor){.dtype = WL_DT_FLOAT, .kind = WL_TENSOR_INPUT, .producer = WL_NONE};
    }
    c->tensors[1].kind = WL_TENSOR_INITIALIZER;
    c->tensors[1].stored_elems = c->weight.elems;
    c->tensors[2].kind = WL_TENSOR_ACTIVATION;
    c->tensors[2].flags = WL_TENSOR_IS_OUTPUT;
    c->subgraph = (struct wl_subgraph){.name = l->name,
                                       .pattern = "conv",
                                       .kind = WL_OPK_CONV,
                                       .repeat = 1,
                                       .steps = 1,
                                       .inputs = &c->input,
                                       .input_count = 1,
                                       .weights = &c->weight,
                                       .weight_count = 1,
                                       .outputs = &c->output,
                                       .output_count = 1,
                                       .products = p,
                                       .product_count = 1,
                                       .macs = p->g * p->m * p->n * p->k};
    c->graph = (struct wl_graph){.tensors = c->tensors, .tensor_count = 3};
    c->partition = (struct wl_partition){
        .fusion = "none", .graph = &c->graph, .subgraphs = &c->subgraph, .count = 1};
}

/* Cycles of the busiest pipe (row-stationary) and joules of the chip without DRAM. */
static wl_status predict(const struct conv *c, const struct wl_device *d,
                         const struct wl_runtime *rt, double *seconds, double *chip_j,
                         struct wl_error *err)
{
    struct wl_arena arena;
    struct wl_mappings m;
    struct wl_energy e = {0};
    struct wl_map_options opt = {.policy = {WL_PREC_INT16, WL_PREC_INT16, WL_PREC_INT16},
                                 .runtime = rt};
    wl_arena_init(&arena, 0);
    wl_status status = wl_mappers_run(&c->partition, d, &opt, &arena, &m, err);
    status = status == WL_OK ? wl_energy_dynamic(&m, &arena, &e, err) : status;
    *chip_j = 0;
    for (int32_t i = 0; i < e.row_count; i++) {
        *chip_j += strncmp(e.rows[i].name, "dram", 4) == 0 ? 0 : e.rows[i].energy_j;
    }
    struct wl_device array = *d;
    array.class = WL_HW_TPU;
    opt.dataflow = WL_DATAFLOW_RS;
    opt.runtime = NULL;
    status =
        status == WL_OK ? wl_mappers_run(&c->partition, &array, &opt, &arena, &m, err) : status;
    if (status == WL_OK) {
        *seconds = m.items[0].pipes[0].cycles / d->pipes[m.items[0].pipes[0].pipe].clock_hz;
    }
    wl_arena_done(&arena);
    return status;
}

static wl_status one_record(const cJSON *record, const struct wl_device *d,
                            const struct wl_runtime *rt, struct samples *out, struct wl_error *err)
{
    const char *name = cJSON_GetStringValue(cJSON_GetObjectItem(record, "model"));
    const cJSON *latency = cJSON_GetObjectItem(record, "latency_ms");
    const cJSON *power = cJSON_GetObjectItem(record, "power_w");
    const cJSON *batch = cJSON_GetObjectItem(record, "batch");
    for (size_t i = 0; i < WL_ARRAY_LEN(layers) && name != NULL; i++) {
        if (strcmp(layers[i].name, name) != 0 || latency == NULL || batch == NULL) {
            continue;
        }
        struct conv c;
        struct sample s = {.kind = SAMPLE_LATENCY,
                           .batch = (int64_t)batch->valuedouble,
                           .fitted = true, /* a share of cycles and prices were set on the paper */
                           .measured = latency->valuedouble * 1e-3};
        double chip_j = 0;
        make_conv(&c, &layers[i], s.batch);
        WL_TRY(predict(&c, d, rt, &s.predicted, &chip_j, err));
        (void)snprintf(s.device, sizeof(s.device), "mit_eyeriss");
        (void)snprintf(s.model, sizeof(s.model), "%s", name);
        (void)snprintf(s.precision, sizeof(s.precision), "int16");
        (void)snprintf(s.runtime, sizeof(s.runtime), "row-stationary");
        (void)snprintf(s.class, sizeof(s.class), "%.*s", (int)strcspn(name, "/"), name);
        wl_samples_add(out, &s);
        if (power != NULL && s.predicted > 0) {
            s.kind = SAMPLE_POWER;
            s.predicted = chip_j / s.predicted + d->idle_w;
            s.measured = power->valuedouble;
            wl_samples_add(out, &s);
        }
    }
    return WL_OK;
}

wl_status wl_evaluate_eyeriss(struct wl_registry *reg, const char *path, struct samples *out,
                              struct wl_error *err)
{
    const struct wl_spec *spec = NULL;
    const struct wl_runtime *rt = NULL;
    struct wl_device d;
    struct wl_file file;
    WL_TRY(wl_registry_load(reg, "mit_eyeriss", &spec, err));
    WL_TRY(wl_spec_device(spec, NULL, &d, err));
    WL_TRY(wl_runtime_load(reg, "generic", &rt, err));
    WL_TRY(wl_file_open(path, &file, err));
    cJSON *root = cJSON_ParseWithLength((const char *)file.data, file.bytes);
    wl_file_close(&file);
    wl_status status = WL_OK;
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, cJSON_GetObjectItem(root, "records"))
    {
        status = status == WL_OK ? one_record(item, &d, rt, out, err) : status;
    }
    cJSON_Delete(root);
    return status;
}
