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

static const struct generative *generative_of(const char *model)
{
    for (size_t i = 0; i < WL_ARRAY_LEN(generative_models); i++) {
        if (strcmp(generative_models[i].record, model) == 0) {
            return &generative_models[i];
        }
    }
    return NULL;
}

static const char *scope_of(const struct record *rec)
{
    const char *scope = rec->power_scope == NULL ? "" : rec->power_scope;
    for (size_t i = 0; i < WL_ARRAY_LEN(scopes); i++) {
        if (strncmp(scope, scopes[i].scope, strlen(scopes[i].scope)) == 0) {
            return scopes[i].class;
        }
    }
    return NULL;
}

static bool says(const struct record *rec, const char *words)
{
    return rec->conditions != NULL && strstr(rec->conditions, words) != NULL;
}

/* Batch where the record has none, and the graph that stands for its model. */
static void complete(struct record *rec)
{
    if (rec->batch < 1) {
        rec->batch = strcmp(rec->scenario, "SingleStream") == 0  ? 1
                     : strcmp(rec->scenario, "MultiStream") == 0 ? 8
                                                                 : FULL_BATCH;
    }
    const struct generative *g = generative_of(rec->model);
    if (g != NULL) {
        rec->zoo = g->zoo;
    }
    if (strcmp(rec->model, "bert_large") == 0) {
        rec->zoo = "bert_large_qa";
        rec->tokens = BERT_TOKENS;
    }
}

/* Seconds that the record measured for one run of our batch; 0: none. */
static double measured_s(const struct record *rec)
{
    if (rec->latency_s > 0) {
        return rec->latency_s;
    }
    return rec->rate > 0 ? (double)rec->batch / rec->rate : 0;
}

struct prediction {
    struct wl_device device;
    double seconds, energy_j; /* of the record's batch: images, or one token each */
};

/* Adds `times` runs of a graph. */
static wl_status run(struct wl_registry *reg, const struct record *rec, const char *models,
                     double times, struct prediction *out, struct wl_error *err)
{
    struct wl_totals t;
    WL_TRY(wl_record_run(reg, rec, models, NULL, &out->device, &t, err));
    out->seconds += times * t.latency_s;
    out->energy_j += times * t.energy_j;
    return WL_OK;
}

/* A token of every sequence, and its share of the prompts. */
static wl_status predict_tokens(struct wl_registry *reg, const struct record *rec,
                                const char *models, struct prediction *out, struct wl_error *err)
{
    static const char words[] = "mean output ";
    const char *input = rec->input == NULL ? "" : rec->input;
    bool known = strncmp(input, words, strlen(words)) == 0;
    double answer = known ? atof(input + strlen(words)) : 0;
    if (answer < 2) {
        return wl_fail(err, WL_ERR_INVALID, rec->model, "has no length of its answers");
    }
    struct record step = *rec, prompt = *rec;
    step.tokens = 1;
    step.cached = (int64_t)(answer * (PROMPT_SHARE + 0.5));
    prompt.batch = 1;
    prompt.tokens = (int64_t)(answer * PROMPT_SHARE);
    prompt.cached = 1;
    WL_TRY(run(reg, &step, models, 1, out, err));
    return run(reg, &prompt, models, (double)rec->batch / answer, out, err);
}

static wl_status predict(struct wl_registry *reg, const struct record *rec, const char *models,
                         struct prediction *out, struct wl_error *err)
{
    const struct generative *g = generative_of(rec->model);
    *out = (struct prediction){.seconds = 0};
    if (!wl_record_is_predictable(rec, models)) {
        return wl_fail(err, WL_ERR_INVALID, rec->model,
                       "is not in the zoo, or its runtime has no profile");
    }
    if (g != NULL && g->steps == 0) {
        return predict_tokens(reg, rec, models, out, err);
    }
    struct record batch = *rec;
    batch.batch *= g != NULL ? g->samples : 1;
    return run(reg, &batch, models, g != NULL ? g->steps : 1, out, err);
}

static void add(struct samples *out, const struct record *rec, const char *class, double predicted,
                double latency_ratio)
{
    const struct generative *g = generative_of(rec->model);
    struct sample s = wl_record_sample(rec, predicted);
    s.kind = strcmp(class, "wall") == 0 ? SAMPLE_WALL_ENERGY : SAMPLE_ENERGY;
    s.latency_ratio = latency_ratio;
    s.fitted = g != NULL && g->fitted;
    (void)snprintf(s.class, sizeof(s.class), "%s", class);
    wl_samples_add(out, &s);
}

static void one_record(struct wl_registry *reg, const struct record *recorded, const char *models,
                       struct samples *out)
{
    struct record rec = *recorded;
    struct prediction p;
    struct wl_error err = {.code = WL_OK};
    const char *class = scope_of(&rec);
    if (class == NULL) {
        return;
    }
    complete(&rec);
    if (predict(reg, &rec, models, &p, &err) != WL_OK) {
        (void)fprintf(stderr, "%s %s %s: %s\n", rec.device, rec.model, rec.precision, err.message);
        return;
    }
    double measured = measured_s(&rec);
    double ratio = measured > 0 ? p.seconds / measured : 0;
    double energy = p.energy_j;
    if (strcmp(class, "wall") == 0 && p.device.board_rest_w > 0) {
        class = "single board";
    }
    if (strcmp(class, "single board") == 0) {
        energy = wl_device_wall_j(&p.device, p.energy_j, p.seconds);
        class = says(&rec, "DLA") || says(&rec, "MaxQ") ? "other" : class;
    }
    add(out, &rec, class, energy / (double)rec.batch, ratio);
}

wl_status wl_evaluate_energy(struct wl_registry *reg, const char *path, const char *models,
                             struct samples *out, struct wl_error *err)
{
    struct records all;
    wl_status status = wl_records_load(path, NULL, RECORDS_ENERGY, &all, err);
    for (int32_t i = 0; i < all.count && status == WL_OK; i++) {
        one_record(reg, &all.items[i], models, out);
    }
    wl_records_done(&all);
    return status;
}
