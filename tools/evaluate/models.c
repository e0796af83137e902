/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evaluate models: published latencies and throughputs against the chain. Records marked
 * `core` whose model is in the zoo, on one device, with a batch and a latency (or a throughput of a
 * fixed batch) are analysed from specification, in the record's power mode and with its threads,
 * with the runtime profile that the record's runtime names. Throughput-hint, offline and
 * multi-stream rows are throughput: predicted as that of one batch, and kept apart.
 */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "evaluate.h"

/* Names of the measurements -> names of the zoo. */
struct alias {
    const char *record, *zoo;
};

/* clang-format off */
static const struct alias model_names[] = {
    {"resnet50_v1.5", "resnet50"}, {"resnet_50", "resnet50"}, {"resnet50", "resnet50"},
    {"bert_base_cased", "bert_base"}, {"mnasnet_100", "mnasnet1_0"}, {"mixer_b16_224", "mixer_b16"},
    {"regnety_400m", "regnet_y_400mf"}, {"regnety_160", "regnet_y_16gf"},
    {"vit_large_patch16_224", "vit_l_16"}, {"densenet201", "densenet201"}, {"swin_tiny_patch4_window7_224", "swin_t"},
    {"vit_base_patch16_224", "vit_b_16"}, {"vit_base_patch32_224", "vit_b_32"},
    {"convnext_tiny", "convnext_tiny"}, {"resnext50_32x4d", "resnext50_32x4d"},
    {"mobilenetv2_100", "mobilenet_v2"}, {"mobilenetv3_large_100", "mobilenet_v3_large"},
    {"mobilenetv3_small_100", "mobilenet_v3_small"}, {"wide_resnet50_2", "wide_resnet50_2"},
    {"squeezenet", "squeezenet1_1"}, {"mnasnet", "mnasnet1_0"}, {"squeezenet_v1.1", "squeezenet1_1"},
    {"tf_efficientnetv2_s", "efficientnet_v2_s"}, {"mobilenet_v1_0.5", "mobilenet_v1_0_5"},
    {"mobilenet_v1_1.0", "mobilenet_v1_1_0"},
};

/* First words of a record's runtime -> profile. */
static const struct alias runtime_names[] = {
    {"ncnn", "ncnn"}, {"MNN", "mnn"}, {"OpenVINO", "openvino"}, {"TFLite", "tflite"},
    {"ArmNN", "tflite"}, {"FasterTransformer", "tensorrt"}, {"TensorRT", "tensorrt"}, {"Jetpack", "tensorrt"}, {"JetPack", "tensorrt"},
    {"23.02", "tensorrt"}, {"ONNX Runtime", "onnxruntime"}, {"Edge TPU", "tflite"},
    {"PyTorch 2.4.0 torch.compile", "pytorch-compile"}, {"PyTorch 2.9.1", "pytorch-compile"},
    {"PyTorch 2.1 torch.compile", "pytorch-compile"}, {"PyTorch (NGC) TorchScript", "pytorch-compile"},
    {"PyTorch", "pytorch-eager"}, {"TensorFlow 1.15 (NGC) + XLA", "xla"},
    {"TensorFlow 2 (NGC), XLA", "xla"}, {"TensorFlow", "xla"}, {"vLLM", "pytorch-compile"},
    {"diffusers", "pytorch-eager"}, {"Nvidia inference implementation", "tensorrt"},
    {"MLCommons reference implementation with CM API, Onnx", "onnxruntime"},
};
/* clang-format on */

/* Samples at a time of throughput rows whose batch is not stated. */
#define THROUGHPUT_BATCH 32

static const char *text(const cJSON *r, const char *key)
{
    return cJSON_GetStringValue(cJSON_GetObjectItem(r, key));
}

static double number(const cJSON *r, const char *key)
{
    const cJSON *n = cJSON_GetObjectItem(r, key);
    return cJSON_IsNumber(n) ? n->valuedouble : 0;
}

const char *wl_record_profile(const char *name)
{
    for (size_t i = 0; i < WL_ARRAY_LEN(runtime_names); i++) {
        if (strncmp(name, runtime_names[i].record, strlen(runtime_names[i].record)) == 0) {
            return runtime_names[i].zoo;
        }
    }
    return NULL;
}

const char *wl_record_zoo(const char *name)
{
    for (size_t i = 0; i < WL_ARRAY_LEN(model_names); i++) {
        if (strcmp(name, model_names[i].record) == 0) {
            return model_names[i].zoo;
        }
    }
    return name;
}

/* "amp-fp16" computes in fp16; "fp32/tf32" and OpenVINO's fp32 as they say first. */
static enum wl_precision precision_of(const char *name)
{
    if (strcmp(name, "amp-fp16") == 0) {
        return WL_PREC_FP16;
    }
    if (strcmp(name, "fp32/tf32") == 0) {
        return WL_PREC_TF32;
    }
    return wl_precision_find(name);
}

/* Frameworks interpret the graph on the host; at small batches the device waits for them. */
static const char *class_of(const struct record *rec, const char *profile)
{
    bool framework = strcmp(profile, "pytorch-eager") == 0 || strcmp(profile, "xla") == 0;
    if (!framework) {
        return "compiled";
    }
    return rec->batch <= 16 ? "framework small-batch" : "framework";
}

static bool kind_of(const cJSON *r, const char *scenario, struct record *out)
{
    double latency = number(r, "latency_ms");
    double rate = number(r, "throughput_per_device");
    bool fixed = strcmp(scenario, "fixed-batch") == 0;
    bool one = number(r, "device_count") <= 1 || strcmp(scenario, "latency-hint") == 0;
    out->kind = SAMPLE_LATENCY;
    bool latency_row =
        fixed || strcmp(scenario, "SingleStream") == 0 || strcmp(scenario, "latency-hint") == 0;
    if (latency_row && latency > 0) {
        out->measured = latency * 1e-3;
        return one;
    }
    if (fixed && rate > 0 && out->batch > 0) {
        out->measured = (double)out->batch / rate;
        return one;
    }
    out->kind = SAMPLE_THROUGHPUT;
    out->measured = rate > 0 ? rate : number(r, "throughput_per_s");
    bool wanted = strcmp(scenario, "Offline") == 0 || strcmp(scenario, "throughput-hint") == 0;
    return wanted && out->measured > 0;
}

bool wl_record_read(const cJSON *r, struct record *out)
{
    const char *input = text(r, "input");
    *out = (struct record){.device = text(r, "device"),
                           .model = text(r, "model"),
                           .runtime = text(r, "runtime"),
                           .precision = text(r, "precision"),
                           .power_mode = text(r, "power_mode"),
                           .batch = (int64_t)number(r, "batch"),
                           .threads = (int32_t)number(r, "cores_used")};
    if (input != NULL && strncmp(input, "seq ", 4) == 0) {
        out->tokens = strtoll(input + 4, NULL, 10);
    }
    return out->device != NULL && out->model != NULL && out->runtime != NULL &&
           out->precision != NULL && text(r, "scenario") != NULL;
}

static bool read_core(const cJSON *r, struct record *out)
{
    if (!wl_record_read(r, out) || !cJSON_IsTrue(cJSON_GetObjectItem(r, "core")) ||
        !kind_of(r, text(r, "scenario"), out)) {
        return false;
    }
    if (out->kind == SAMPLE_THROUGHPUT && (out->batch <= 1 || out->batch > 4096)) {
        out->batch = THROUGHPUT_BATCH;
    }
    out->batch = out->batch < 1 ? 1 : out->batch;
    return true;
}

wl_status wl_record_run(struct wl_registry *reg, const struct record *rec, const char *path,
                        const char *profile, struct wl_device *device, struct wl_totals *totals,
                        struct wl_error *err)
{
    const struct wl_spec *spec = NULL;
    const struct wl_runtime *rt = NULL;
    struct wl_device d;
    WL_TRY(wl_registry_load(reg, rec->device, &spec, err));
    if (rec->power_mode == NULL || wl_spec_device(spec, rec->power_mode, &d, err) != WL_OK) {
        WL_TRY(wl_spec_device(spec, NULL, &d, err));
    }
    *device = d;
    WL_TRY(wl_runtime_load(reg, profile, &rt, err));
    enum wl_precision p = precision_of(rec->precision);
    struct wl_dim_binding dims[] = {{"T", rec->tokens}, {"P", rec->cached}};
    struct wl_request req = {.model = path,
                             .model_name = rec->model,
                             .batch = rec->batch,
                             .dims = dims,
                             .dim_count = rec->cached > 0 ? 2 : (rec->tokens > 0 ? 1 : 0),
                             .precision = {p, p, p},
                             .threads = rec->threads};
    struct wl_model model;
    struct wl_prepared prepared;
    struct wl_result result;
    WL_TRY(wl_prepare(&req, rt, wl_device_on_chip_bytes(&d), &model, &prepared, err));
    wl_status status = wl_analyze(&prepared, &d, rt, &req, &result, err);
    if (status == WL_OK) {
        *totals = result.totals;
        wl_result_done(&result);
    }
    wl_model_done(&model);
    return status;
}

/* The record's names are those of the sample. */
void wl_record_label(const struct record *rec, const char *profile, struct sample *s)
{
    (void)snprintf(s->device, sizeof(s->device), "%s", rec->device);
    (void)snprintf(s->model, sizeof(s->model), "%s", rec->model);
    (void)snprintf(s->precision, sizeof(s->precision), "%s", rec->precision);
    (void)snprintf(s->runtime, sizeof(s->runtime), "%s", profile);
    (void)snprintf(s->class, sizeof(s->class), "%s", class_of(rec, profile));
}

static void one_record(struct wl_registry *reg, const struct record *rec, const char *models,
                       struct samples *out)
{
    const char *profile = wl_record_profile(rec->runtime);
    char path[1024];
    (void)snprintf(path, sizeof(path), "%s/%s.onnx", models, wl_record_zoo(rec->model));
    if (profile == NULL || precision_of(rec->precision) == WL_PREC_COUNT || !wl_path_exists(path)) {
        return;
    }
    struct wl_error err = {.code = WL_OK};
    struct wl_device device;
    struct wl_totals t;
    if (wl_record_run(reg, rec, path, profile, &device, &t, &err) != WL_OK) {
        (void)fprintf(stderr, "%s %s %s: %s: %s\n", rec->device, rec->model, rec->precision,
                      err.where, err.message);
        return;
    }
    struct sample s = {.kind = rec->kind,
                       .batch = rec->batch,
                       .threads = rec->threads,
                       .measured = rec->measured,
                       .predicted = rec->kind == SAMPLE_THROUGHPUT
                                        ? (double)rec->batch / t.latency_s
                                        : t.latency_s};
    wl_record_label(rec, profile, &s);
    wl_samples_add(out, &s);
}

wl_status wl_evaluate_models(struct wl_registry *reg, const char *path, const char *models,
                             struct samples *out, struct wl_error *err)
{
    struct wl_file file;
    WL_TRY(wl_file_open(path, &file, err));
    cJSON *root = cJSON_ParseWithLength((const char *)file.data, file.bytes);
    wl_file_close(&file);
    if (root == NULL) {
        return wl_fail(err, WL_ERR_PARSE, path, "is not JSON; measured records would be right");
    }
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, cJSON_GetObjectItem(root, "records"))
    {
        struct record rec;
        if (read_core(item, &rec)) {
            one_record(reg, &rec, models, out);
        }
    }
    cJSON_Delete(root);
    return WL_OK;
}
