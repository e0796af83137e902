/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evaluate/records.c: published measurements of whole models: which records are read, what their
 * models and runtimes are called here, and the analysis of one record from specification, in its
 * power mode and with its threads, with the profile that its runtime names.
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

/* Names that mean another network with a runtime: the benchmarks of mobile runtimes carry the
   networks of the Caffe model zoo. */
struct runtime_alias {
    const char *profile, *record, *zoo;
};

static const struct runtime_alias runtime_models[] = {
    {"ncnn", "alexnet", "alexnet_caffe"},
    {"ncnn", "googlenet", "googlenet_caffe"},
    {"ncnn", "resnet50", "resnet50_v1"},
    {"mnn", "googlenet", "googlenet_caffe"},
    {"mnn", "resnet50", "resnet50_v1"},
};

/* First words of a record's runtime -> profile. */
static const struct alias runtime_names[] = {
    {"ncnn", "ncnn"}, {"MNN", "mnn"}, {"OpenVINO", "openvino"}, {"TFLite", "tflite"},
    {"ArmNN", "armnn"}, {"FasterTransformer", "fastertransformer"}, {"TensorRT", "tensorrt"}, {"Jetpack", "tensorrt"}, {"JetPack", "tensorrt"},
    {"23.02", "tensorrt"}, {"ONNX Runtime", "onnxruntime"}, {"Edge TPU", "tflite"},
    {"PyTorch 2.4.0 torch.compile", "pytorch-compile"}, {"PyTorch 2.9.1", "pytorch-compile"},
    {"PyTorch 2.1 torch.compile", "pytorch-compile"}, {"PyTorch (NGC) TorchScript", "pytorch-compile"},
    {"PyTorch CUDA graph", "pytorch-cudagraph"}, {"PyTorch", "pytorch-eager"}, {"TensorFlow 1.15 (NGC) + XLA", "xla"},
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

static const char *runtime_of(const char *name)
{
    for (size_t i = 0; i < WL_ARRAY_LEN(runtime_names); i++) {
        if (strncmp(name, runtime_names[i].record, strlen(runtime_names[i].record)) == 0) {
            return runtime_names[i].zoo;
        }
    }
    return NULL;
}

static const char *zoo_name(const char *name, const char *profile)
{
    for (size_t i = 0; i < WL_ARRAY_LEN(runtime_models) && profile != NULL; i++) {
        const struct runtime_alias *a = &runtime_models[i];
        if (strcmp(profile, a->profile) == 0 && strcmp(name, a->record) == 0) {
            return a->zoo;
        }
    }
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
static const char *class_of(const struct record *rec)
{
    bool framework = strcmp(rec->profile, "pytorch-eager") == 0 || strcmp(rec->profile, "xla") == 0;
    if (!framework) {
        return "compiled";
    }
    return rec->batch <= 16 ? "framework small-batch" : "framework";
}

/*
 * Latencies are those of fixed batches, single streams and latency hints, of one device; a fixed
 * batch with only a throughput counts as batch / throughput. Offline rows and throughput hints are
 * throughputs. False: neither.
 */
static bool read_speed(const cJSON *r, struct record *out)
{
    bool fixed = strcmp(out->scenario, "fixed-batch") == 0;
    bool hint = strcmp(out->scenario, "latency-hint") == 0;
    bool one = number(r, "device_count") <= 1 || hint;
    bool latency_row = fixed || hint || strcmp(out->scenario, "SingleStream") == 0;
    out->kind = SAMPLE_LATENCY;
    if (latency_row && out->latency_s > 0) {
        out->measured = out->latency_s;
        return one;
    }
    if (fixed && out->rate > 0 && out->batch > 0) {
        out->measured = (double)out->batch / out->rate;
        return one;
    }
    out->kind = SAMPLE_THROUGHPUT;
    out->measured = out->rate > 0 ? out->rate : number(r, "throughput_per_s");
    if (out->batch <= 1 || out->batch > 4096) {
        out->batch = THROUGHPUT_BATCH;
    }
    bool wanted =
        strcmp(out->scenario, "Offline") == 0 || strcmp(out->scenario, "throughput-hint") == 0;
    return wanted && out->measured > 0;
}

/* "dims": {"T": 1, "P": 1024}; names stay in the JSON. */
static void read_dims(const cJSON *dims, struct record *out)
{
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, dims)
    {
        if (cJSON_IsNumber(item) && out->dim_count < RECORD_DIMS - 2) {
            out->dims[out->dim_count++] =
                (struct wl_dim_binding){item->string, (int64_t)item->valuedouble};
        }
    }
}

/* False where something is missing that all evaluations need. */
static bool read_record(const cJSON *r, struct record *out)
{
    *out = (struct record){.device = text(r, "device"),
                           .model = text(r, "model"),
                           .runtime = text(r, "runtime"),
                           .precision = text(r, "precision"),
                           .scenario = text(r, "scenario"),
                           .power_mode = text(r, "power_mode"),
                           .input = text(r, "input"),
                           .conditions = text(r, "conditions"),
                           .power_scope = text(r, "power_scope"),
                           .latency_s = number(r, "latency_ms") * 1e-3,
                           .rate = number(r, "throughput_per_device"),
                           .batch = (int64_t)number(r, "batch"),
                           .threads = (int32_t)number(r, "cores_used")};
    if (out->device == NULL || out->model == NULL || out->runtime == NULL ||
        out->precision == NULL || out->scenario == NULL) {
        return false;
    }
    if (out->input != NULL && strncmp(out->input, "seq ", 4) == 0) {
        out->tokens = strtoll(out->input + 4, NULL, 10);
    }
    read_dims(cJSON_GetObjectItem(r, "dims"), out);
    out->profile = runtime_of(out->runtime);
    out->zoo = zoo_name(out->model, out->profile);
    return true;
}

static bool is_chosen(const cJSON *r, enum record_choice choice, struct record *out)
{
    if (!read_record(r, out)) {
        return false;
    }
    if (choice == RECORDS_ENERGY) {
        out->kind = SAMPLE_ENERGY;
        out->measured = number(r, "energy_mj_per_inference") * 1e-3;
        return out->measured > 0;
    }
    bool wanted = choice == RECORDS_ALL || cJSON_IsTrue(cJSON_GetObjectItem(r, "core"));
    if (!wanted || !read_speed(r, out)) {
        return false;
    }
    out->batch = out->batch < 1 ? 1 : out->batch;
    return true;
}

static void model_path(const struct record *rec, const char *models, char *path, size_t size)
{
    (void)snprintf(path, size, "%s/%s.onnx", models, rec->zoo);
}

bool wl_record_is_predictable(const struct record *rec, const char *models)
{
    char path[1024];
    model_path(rec, models, path, sizeof(path));
    return rec->profile != NULL && precision_of(rec->precision) != WL_PREC_COUNT &&
           wl_path_exists(path);
}

/* Tokens and cached tokens come from the record's text or an evaluation's own rules. */
static int32_t bind_dims(const struct record *rec, struct wl_dim_binding out[RECORD_DIMS])
{
    int32_t n = rec->dim_count;
    memcpy(out, rec->dims, sizeof(rec->dims));
    if (rec->tokens > 0 || rec->cached > 0) {
        out[n++] = (struct wl_dim_binding){"T", rec->tokens};
    }
    if (rec->cached > 0) {
        out[n++] = (struct wl_dim_binding){"P", rec->cached};
    }
    return n;
}

wl_status wl_record_run(struct wl_registry *reg, const struct record *rec, const char *models,
                        const struct wl_runtime *runtime, struct wl_device *device,
                        struct wl_totals *totals, struct wl_error *err)
{
    const struct wl_spec *spec = NULL;
    const struct wl_runtime *rt = runtime;
    struct wl_device own;
    struct wl_device *d = device == NULL ? &own : device;
    WL_TRY(wl_registry_load(reg, rec->device, &spec, err));
    if (rec->power_mode == NULL || wl_spec_device(spec, rec->power_mode, d, err) != WL_OK) {
        WL_TRY(wl_spec_device(spec, NULL, d, err));
    }
    if (rt == NULL) {
        WL_TRY(wl_runtime_load(reg, rec->profile, &rt, err));
    }
    char path[1024];
    model_path(rec, models, path, sizeof(path));
    enum wl_precision p = precision_of(rec->precision);
    struct wl_dim_binding dims[RECORD_DIMS];
    int32_t dim_count = bind_dims(rec, dims);
    struct wl_request req = {.model = path,
                             .model_name = rec->model,
                             .batch = rec->batch,
                             .dims = dims,
                             .dim_count = dim_count,
                             .precision = {p, p, p},
                             .threads = rec->threads};
    struct wl_model model;
    struct wl_prepared prepared;
    struct wl_result result;
    WL_TRY(wl_prepare(&req, rt, wl_device_on_chip_bytes(d), &model, &prepared, err));
    wl_status status = wl_analyze(&prepared, d, rt, &req, &result, err);
    if (status == WL_OK) {
        *totals = result.totals;
        wl_result_done(&result);
    }
    wl_model_done(&model);
    return status;
}

/* Cores of one stream of a throughput hint. */
#define STREAM_CORES 4

/* All cores in units of those of the first group, by fp32. */
static double cores_weight(const struct wl_device *d)
{
    double weights[WL_GROUPS_MAX] = {0};
    double sum = 0;
    for (int32_t i = 0; i < d->pipe_count; i++) {
        const struct wl_pipe *p = &d->pipes[i];
        double rate = p->ops_per_cycle[WL_PREC_FP32] * p->clock_hz;
        weights[p->group] =
            p->kind == WL_PIPE_VECTOR && rate > weights[p->group] ? rate : weights[p->group];
    }
    for (int32_t g = 0; g < d->group_count; g++) {
        sum += d->groups[g].count * weights[g] / weights[0];
    }
    return sum;
}

/*
 * A throughput hint runs many streams side by side, each one sample after the other on a few cores
 * (ground-truth.md, section 6; OpenVINO: a stream per four cores by default). They share main
 * memory: no more samples per second than it can feed.
 */
static wl_status predict_streams(struct wl_registry *reg, const struct record *rec,
                                 const char *models, const struct wl_runtime *runtime, double *rate,
                                 struct wl_error *err)
{
    struct record one = *rec;
    struct wl_device d;
    struct wl_totals t;
    one.batch = 1;
    one.threads = STREAM_CORES;
    WL_TRY(wl_record_run(reg, &one, models, runtime, &d, &t, err));
    const struct wl_level *main = &d.levels[d.level_count - 1];
    double streams = cores_weight(&d) / STREAM_CORES;
    double fed = t.dram_bytes > 0 ? main->bandwidth_bps * main->efficiency / t.dram_bytes : 1e30;
    *rate = streams / t.latency_s;
    *rate = *rate < fed ? *rate : fed;
    return WL_OK;
}

bool wl_record_predict(struct wl_registry *reg, const struct record *rec, const char *models,
                       const struct wl_runtime *runtime, double *predicted)
{
    struct wl_error err = {.code = WL_OK};
    struct wl_totals t = {.latency_s = 0};
    wl_status status;
    if (strcmp(rec->scenario, "throughput-hint") == 0) {
        status = predict_streams(reg, rec, models, runtime, predicted, &err);
    } else {
        status = wl_record_run(reg, rec, models, runtime, NULL, &t, &err);
        bool rate = rec->kind == SAMPLE_THROUGHPUT;
        *predicted = rate ? (double)rec->batch / t.latency_s : t.latency_s;
    }
    if (status != WL_OK) {
        (void)fprintf(stderr, "%s %s %s: %s: %s\n", rec->device, rec->model, rec->precision,
                      err.where, err.message);
        return false;
    }
    return true;
}

struct sample wl_record_sample(const struct record *rec, double predicted)
{
    struct sample s = {.kind = rec->kind,
                       .batch = rec->batch,
                       .threads = rec->threads,
                       .measured = rec->measured,
                       .predicted = predicted};
    (void)snprintf(s.device, sizeof(s.device), "%s", rec->device);
    (void)snprintf(s.model, sizeof(s.model), "%s", rec->model);
    (void)snprintf(s.precision, sizeof(s.precision), "%s", rec->precision);
    (void)snprintf(s.runtime, sizeof(s.runtime), "%s", rec->profile);
    (void)snprintf(s.class, sizeof(s.class), "%s", class_of(rec));
    return s;
}

static wl_status add_record(struct records *set, const struct record *rec, struct wl_error *err)
{
    if (set->count == set->capacity) {
        int32_t more = set->capacity > 0 ? set->capacity * 2 : 512;
        struct record *p = wl_realloc(set->items, (size_t)more * sizeof(*p));
        WL_TRY_PTR(p, err);
        set->items = p;
        set->capacity = more;
    }
    set->items[set->count++] = *rec;
    return WL_OK;
}

wl_status wl_records_load(const char *path, const char *models, enum record_choice choice,
                          struct records *out, struct wl_error *err)
{
    struct wl_file file;
    *out = (struct records){0};
    WL_TRY(wl_file_open(path, &file, err));
    out->root = cJSON_ParseWithLength((const char *)file.data, file.bytes);
    wl_file_close(&file);
    if (out->root == NULL) {
        return wl_fail(err, WL_ERR_PARSE, path, "is not JSON; measured records would be right");
    }
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, cJSON_GetObjectItem(out->root, "records"))
    {
        struct record rec;
        if (is_chosen(item, choice, &rec) &&
            (models == NULL || wl_record_is_predictable(&rec, models))) {
            WL_TRY(add_record(out, &rec, err));
        }
    }
    return WL_OK;
}

void wl_records_done(struct records *r)
{
    cJSON_Delete(r->root);
    wl_free(r->items);
    *r = (struct records){0};
}
