/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evaluate energy: joules per sample (image, token) against the ledger, with what the meter saw:
 *   GPU board     NVML of one card                      the device's energy
 *   module        a Jetson module's rails                the device's energy
 *   single board  at the wall                            + rest of the board, / supply (the spec)
 *   wall          a server at the wall: the device's energy has to stay below it
 * A device is on a single board where its description tells of one. Rows of such a board that used
 * accelerators which the description lacks (DLA), or were tuned by hand (MaxQ) and so ran in a
 * power mode that it lacks, are class "other".
 *
 * Diffusion models: `steps` denoising steps per image, of two samples each where the sampler is
 * guided; text encoder and decoder of the latents are left out (1 to 3 % of the work). Language
 * models: one token per sequence and step, over a cache of a prompt and half a mean answer, and for
 * every answer the prompt is read once (prefill); its length is not recorded and taken as half of
 * the mean answer's.
 */
#include <stdlib.h>
#include <string.h>

#include "evaluate.h"

/* Batch of rows at full load that state none. */
#define FULL_BATCH 256
/* MLPerf removes the padding of its 384 positions; mean over the data set. */
#define BERT_TOKENS 180
/* Prompt of the language models over the length of the mean answer; the records do not tell. */
#define PROMPT_SHARE 0.5

struct generative {
    const char *record, *zoo;
    int32_t steps;   /* 0: a decoder */
    int32_t samples; /* per image and step */
    bool fitted;     /* idle watts and energy scale of the H100 SXM were set on these rows */
};

/* clang-format off */
static const struct generative generative_models[] = {
    {"flux.1_dev", "flux_dit", 50, 1, false},          {"hunyuan-dit_1.2", "hunyuan_dit", 50, 2, false},
    {"pixart-σ", "pixart_sigma_dit", 20, 2, true},    {"stable_diffusion_3.5_large", "sd35_large_dit", 28, 2, false},
    {"gemma_3_12b", "gemma3_12b_decode", 0, 1, false}, {"qwen_3_8b", "qwen3_8b_decode", 0, 1, true},
    {"qwen_3_14b", "qwen3_14b_decode", 0, 1, false},
};

/* First words of power_scope. */
static const struct { const char *scope, *class; } scopes[] = {
    {"GPU board", "gpu board"}, {"module rails", "module"}, {"whole board", "single board"},
    {"whole system", "wall"},
};
/* clang-format on */

static const char *text(const cJSON *r, const char *key)
{
    const char *s = cJSON_GetStringValue(cJSON_GetObjectItem(r, key));
    return s == NULL ? "" : s;
}

static double number(const cJSON *r, const char *key)
{
    const cJSON *n = cJSON_GetObjectItem(r, key);
    return cJSON_IsNumber(n) ? n->valuedouble : 0;
}

static const struct generative *generative_of(const char *model)
{
    for (size_t i = 0; i < WL_ARRAY_LEN(generative_models); i++) {
        if (strcmp(generative_models[i].record, model) == 0) {
            return &generative_models[i];
        }
    }
    return NULL;
}

static const char *scope_of(const cJSON *r)
{
    const char *scope = text(r, "power_scope");
    for (size_t i = 0; i < WL_ARRAY_LEN(scopes); i++) {
        if (strncmp(scope, scopes[i].scope, strlen(scopes[i].scope)) == 0) {
            return scopes[i].class;
        }
    }
    return NULL;
}

static bool says(const cJSON *r, const char *words)
{
    return strstr(text(r, "conditions"), words) != NULL;
}

static void set_batch(const cJSON *r, struct record *rec)
{
    const char *scenario = text(r, "scenario");
    if (rec->batch < 1) {
        rec->batch = strcmp(scenario, "SingleStream") == 0  ? 1
                     : strcmp(scenario, "MultiStream") == 0 ? 8
                                                            : FULL_BATCH;
    }
    if (strcmp(rec->model, "bert_large") == 0) {
        rec->model = "bert_large_qa";
        rec->tokens = BERT_TOKENS;
    }
}

/* Seconds that the record measured for one run of our batch; 0: none. */
static double measured_s(const cJSON *r, const struct record *rec)
{
    double rate = number(r, "throughput_per_device");
    if (number(r, "latency_ms") > 0) {
        return number(r, "latency_ms") * 1e-3;
    }
    return rate > 0 ? (double)rec->batch / rate : 0;
}

struct prediction {
    struct wl_device device;
    double seconds, energy_j; /* of the record's batch: images, or one token each */
};

/* Adds `times` runs of a graph. */
static wl_status run(struct wl_registry *reg, const struct record *rec, const char *path,
                     const char *profile, double times, struct prediction *out,
                     struct wl_error *err)
{
    struct wl_totals t;
    WL_TRY(wl_record_run(reg, rec, path, profile, &out->device, &t, err));
    out->seconds += times * t.latency_s;
    out->energy_j += times * t.energy_j;
    return WL_OK;
}

/* A token of every sequence, and its share of the prompts. */
static wl_status predict_tokens(struct wl_registry *reg, const cJSON *r, const struct record *rec,
                                const char *path, const char *profile, struct prediction *out,
                                struct wl_error *err)
{
    static const char words[] = "mean output ";
    double answer = atof(text(r, "input") + strlen(words));
    if (strncmp(text(r, "input"), words, strlen(words)) != 0 || answer < 2) {
        return wl_fail(err, WL_ERR_INVALID, rec->model, "has no length of its answers");
    }
    struct record step = *rec, prompt = *rec;
    step.tokens = 1;
    step.cached = (int64_t)(answer * (PROMPT_SHARE + 0.5));
    prompt.batch = 1;
    prompt.tokens = (int64_t)(answer * PROMPT_SHARE);
    prompt.cached = 1;
    WL_TRY(run(reg, &step, path, profile, 1, out, err));
    return run(reg, &prompt, path, profile, (double)rec->batch / answer, out, err);
}

static wl_status predict(struct wl_registry *reg, const cJSON *r, const struct record *rec,
                         const char *models, const char *profile, struct prediction *out,
                         struct wl_error *err)
{
    const struct generative *g = generative_of(rec->model);
    const char *zoo = g == NULL ? wl_record_zoo(rec->model) : g->zoo;
    char path[1024];
    (void)snprintf(path, sizeof(path), "%s/%s.onnx", models, zoo);
    *out = (struct prediction){.seconds = 0};
    if (!wl_path_exists(path)) {
        return wl_fail(err, WL_ERR_INVALID, zoo, "is not in the zoo");
    }
    if (g != NULL && g->steps == 0) {
        return predict_tokens(reg, r, rec, path, profile, out, err);
    }
    struct record batch = *rec;
    batch.batch *= g != NULL ? g->samples : 1;
    return run(reg, &batch, path, profile, g != NULL ? g->steps : 1, out, err);
}

static void add(struct samples *out, const struct record *rec, const char *profile,
                const char *class, double predicted, double latency_ratio)
{
    struct sample s = {.kind = strcmp(class, "wall") == 0 ? SAMPLE_WALL_ENERGY : SAMPLE_ENERGY,
                       .batch = rec->batch,
                       .threads = rec->threads,
                       .measured = rec->measured,
                       .predicted = predicted,
                       .latency_ratio = latency_ratio};
    wl_record_label(rec, profile, &s);
    (void)snprintf(s.class, sizeof(s.class), "%s", class);
    const struct generative *g = generative_of(rec->model);
    s.fitted = g != NULL && g->fitted;
    wl_samples_add(out, &s);
}

static void one_record(struct wl_registry *reg, const cJSON *r, const char *models,
                       struct samples *out)
{
    struct record rec;
    struct prediction p;
    struct wl_error err = {.code = WL_OK};
    const char *class = scope_of(r);
    double joules = number(r, "energy_mj_per_inference") * 1e-3;
    if (!wl_record_read(r, &rec) || class == NULL || joules <= 0) {
        return;
    }
    const char *profile = wl_record_profile(rec.runtime);
    rec.measured = joules;
    set_batch(r, &rec);
    if (profile == NULL || predict(reg, r, &rec, models, profile, &p, &err) != WL_OK) {
        (void)fprintf(stderr, "%s %s %s: %s\n", rec.device, rec.model, rec.precision,
                      profile == NULL ? "no profile of its runtime" : err.message);
        return;
    }
    double measured = measured_s(r, &rec);
    double ratio = measured > 0 ? p.seconds / measured : 0;
    double energy = p.energy_j;
    if (strcmp(class, "wall") == 0 && p.device.board_rest_w > 0) {
        class = "single board";
    }
    if (strcmp(class, "single board") == 0) {
        energy = wl_device_wall_j(&p.device, p.energy_j, p.seconds);
        class = says(r, "DLA") || says(r, "MaxQ") ? "other" : class;
    }
    add(out, &rec, profile, class, energy / (double)rec.batch, ratio);
}

wl_status wl_evaluate_energy(struct wl_registry *reg, const char *path, const char *models,
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
        one_record(reg, item, models, out);
    }
    cJSON_Delete(root);
    return WL_OK;
}
