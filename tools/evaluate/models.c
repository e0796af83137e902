/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evaluate models: whole-model latencies against the chain. Records marked `core` whose model is in
 * the zoo, on one device, with a batch and a latency (or throughput of a fixed batch) are analysed
 * from specification with the runtime profile that the record's runtime names. Throughput-hint,
 * offline, server and multi-stream rows are throughput, not latency, and are left out.
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
    {"bert_base_cased", "bert_base"}, {"swin_tiny_patch4_window7_224", "swin_t"},
    {"vit_base_patch16_224", "vit_b_16"}, {"vit_base_patch32_224", "vit_b_32"},
    {"convnext_tiny", "convnext_tiny"}, {"resnext50_32x4d", "resnext50_32x4d"},
    {"mobilenetv2_100", "mobilenet_v2"}, {"mobilenetv3_large_100", "mobilenet_v3_large"},
    {"mobilenetv3_small_100", "mobilenet_v3_small"}, {"wide_resnet50_2", "wide_resnet50_2"},
    {"squeezenet", "squeezenet1_1"}, {"mnasnet", "mnasnet1_0"}, {"squeezenet_v1.1", "squeezenet1_1"},
    {"tf_efficientnetv2_s", "efficientnet_v2_s"},
};

/* First words of a record's runtime -> profile. */
static const struct alias runtime_names[] = {
    {"ncnn", "ncnn"}, {"MNN", "mnn"}, {"OpenVINO", "openvino"}, {"TFLite", "tflite"},
    {"ArmNN", "tflite"}, {"TensorRT", "tensorrt"}, {"Jetpack", "tensorrt"}, {"JetPack", "tensorrt"},
    {"23.02", "tensorrt"}, {"ONNX Runtime", "onnxruntime"}, {"Edge TPU", "tflite"},
    {"PyTorch 2.4.0 torch.compile", "pytorch-compile"}, {"PyTorch 2.9.1", "pytorch-compile"},
    {"PyTorch 2.1 torch.compile", "pytorch-compile"}, {"PyTorch (NGC) TorchScript", "pytorch-compile"},
    {"PyTorch", "pytorch-eager"}, {"TensorFlow 1.15 (NGC) + XLA", "xla"},
    {"TensorFlow 2 (NGC), XLA", "xla"}, {"TensorFlow", "xla"},
};
/* clang-format on */

struct record {
    const char *device, *model, *runtime, *precision, *scenario, *power_mode;
    double latency_s;
    int64_t batch;
    int32_t threads;
};

static const char *text(const cJSON *r, const char *key)
{
    return cJSON_GetStringValue(cJSON_GetObjectItem(r, key));
}

static const char *runtime_of(const char *name)
{
    for (size_t i = 0; i < WL_ARRAY_LEN(runtime_names); i++) {
        if (strncmp(name, runtime_names[i].record, strlen(runtime_names[i].record)) == 0) {
            return runtime_names[i].zoo;
        }
    }
    return NULL;
}

static const char *zoo_name(const char *name)
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

static bool read_record(const cJSON *r, struct record *out)
{
    const cJSON *core = cJSON_GetObjectItem(r, "core");
    const cJSON *latency = cJSON_GetObjectItem(r, "latency_ms");
    const cJSON *batch = cJSON_GetObjectItem(r, "batch");
    const cJSON *count = cJSON_GetObjectItem(r, "device_count");
    const cJSON *cores = cJSON_GetObjectItem(r, "cores_used");
    *out = (struct record){.device = text(r, "device"),
                           .model = text(r, "model"),
                           .runtime = text(r, "runtime"),
                           .precision = text(r, "precision"),
                           .scenario = text(r, "scenario"),
                           .power_mode = text(r, "power_mode")};
    if (!cJSON_IsTrue(core) || out->device == NULL || out->model == NULL || out->runtime == NULL ||
        out->precision == NULL || out->scenario == NULL ||
        (count != NULL && count->valuedouble > 1 && strcmp(out->scenario, "latency-hint") != 0) ||
        latency == NULL) {
        return false;
    }
    bool wanted = strcmp(out->scenario, "fixed-batch") == 0 ||
                  strcmp(out->scenario, "SingleStream") == 0 ||
                  strcmp(out->scenario, "latency-hint") == 0;
    out->batch = batch != NULL && batch->valuedouble >= 1 ? (int64_t)batch->valuedouble : 1;
    out->latency_s = latency->valuedouble * 1e-3;
    out->threads = cores != NULL ? (int32_t)cores->valuedouble : 0;
    return wanted && out->latency_s > 0;
}

static wl_status analyze(struct wl_registry *reg, const struct record *rec, const char *path,
                         const char *profile, double *latency_s, struct wl_error *err)
{
    const struct wl_spec *spec = NULL;
    const struct wl_runtime *rt = NULL;
    struct wl_device d;
    WL_TRY(wl_registry_load(reg, rec->device, &spec, err));
    WL_TRY(wl_spec_device(spec, NULL, &d, err));
    WL_TRY(wl_runtime_load(reg, profile, &rt, err));
    enum wl_precision p = precision_of(rec->precision);
    struct wl_request req = {.model = path,
                             .model_name = rec->model,
                             .batch = rec->batch,
                             .precision = {p, p, p},
                             .threads = rec->threads};
    struct wl_model model;
    struct wl_prepared prepared;
    struct wl_result result;
    WL_TRY(wl_prepare(&req, rt, wl_device_on_chip_bytes(&d), &model, &prepared, err));
    wl_status status = wl_analyze(&prepared, &d, rt, &req, &result, err);
    if (status == WL_OK) {
        *latency_s = result.totals.latency_s;
        wl_result_done(&result);
    }
    wl_model_done(&model);
    return status;
}

static void one_record(struct wl_registry *reg, const struct record *rec, const char *models,
                       struct tally *tally)
{
    const char *profile = runtime_of(rec->runtime);
    char path[1024];
    (void)snprintf(path, sizeof(path), "%s/%s.onnx", models, zoo_name(rec->model));
    if (profile == NULL || precision_of(rec->precision) == WL_PREC_COUNT || !wl_path_exists(path)) {
        return;
    }
    struct wl_error err = {.code = WL_OK};
    double predicted_s = 0;
    if (analyze(reg, rec, path, profile, &predicted_s, &err) != WL_OK) {
        (void)fprintf(stderr, "%s %s %s: %s: %s\n", rec->device, rec->model, rec->precision,
                      err.where, err.message);
        return;
    }
    double ratio = predicted_s / rec->latency_s;
    char key[128];
    const char *const parts[][2] = {{"device", rec->device},
                                    {"runtime", profile},
                                    {"precision", rec->precision},
                                    {"model", rec->model}};
    for (size_t i = 0; i < WL_ARRAY_LEN(parts); i++) {
        (void)snprintf(key, sizeof(key), "%s %s", parts[i][0], parts[i][1]);
        wl_tally_add(tally, key, ratio);
    }
    (void)snprintf(key, sizeof(key), "both %s %s %s", rec->device, profile, rec->precision);
    wl_tally_add(tally, key, ratio);
    wl_tally_add(tally, "all", ratio);
    if (getenv("WL_EVALUATE_VERBOSE") != NULL) {
        (void)printf("%-26s %-22s %-9s b %4lld t %2d %-16s measured %10.3f ms predicted %10.3f ms "
                     "ratio %.3f\n",
                     rec->device, rec->model, rec->precision, (long long)rec->batch, rec->threads,
                     profile, rec->latency_s * 1e3, predicted_s * 1e3, ratio);
    }
}

wl_status wl_evaluate_models(struct wl_registry *reg, const char *path, const char *models,
                             struct tally *tally, struct wl_error *err)
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
        if (read_record(item, &rec)) {
            one_record(reg, &rec, models, tally);
        }
    }
    cJSON_Delete(root);
    return WL_OK;
}
