/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pipeline/generation.c: both phases of text generation from ordinary analyses. The number of new
 * tokens is the second dimension of the first input that is no cache; the number of cached tokens
 * is the symbol that inputs of the KV cache have besides it; a further symbol of another input
 * (attention mask) is the sum of both. Decode is analysed at a few cache lengths and summed with
 * linear interpolation between them: time and energy of a step grow linearly with the cache but for
 * steps of tiling. Peak memory grows with the batch, so the largest batch that fits is bracketed
 * and found by bisection over analyses.
 */
#include "generation.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define DIMS_MAX 64
#define BATCH_LIMIT (INT64_C(1) << 20)

/* ---- symbols of a model ------------------------------------------------------------------------
 */

struct symbols {
    char token[64], past[64]; /* "" where the model has none */
    char sums[8][64];         /* cached + new */
    int32_t sum_count;
};

/* The name of the symbol that a dimension is, or NULL. */
static const char *symbol_of(struct wl_dim_pool *pool, struct wl_dim d)
{
    if (!wl_dim_is_symbolic(d)) {
        return NULL;
    }
    for (int32_t i = 0; i < pool->symbol_count; i++) {
        if (wl_dim_eq(d, wl_dim_symbol(pool, pool->symbols[i].name))) {
            return pool->symbols[i].name;
        }
    }
    return NULL;
}

static void keep(char out[64], const char *name)
{
    (void)snprintf(out, 64, "%s", name);
}

static void note_past(struct wl_dim_pool *pool, const struct wl_tensor *t, const char *batch,
                      struct symbols *s)
{
    for (int32_t i = 1; i < t->rank && s->past[0] == '\0'; i++) {
        const char *name = symbol_of(pool, t->dims[i]);
        if (name != NULL && strcmp(name, s->token) != 0 &&
            (batch == NULL || strcmp(name, batch) != 0)) {
            keep(s->past, name);
        }
    }
}

static void note_sum(struct wl_dim_pool *pool, const struct wl_tensor *t, const char *batch,
                     struct symbols *s)
{
    for (int32_t i = 1; i < t->rank; i++) {
        const char *name = symbol_of(pool, t->dims[i]);
        bool known = name == NULL || strcmp(name, s->token) == 0 || strcmp(name, s->past) == 0 ||
                     (batch != NULL && strcmp(name, batch) == 0);
        for (int32_t k = 0; !known && k < s->sum_count; k++) {
            known = strcmp(name, s->sums[k]) == 0;
        }
        if (!known && s->sum_count < (int32_t)WL_ARRAY_LEN(s->sums)) {
            keep(s->sums[s->sum_count++], name);
        }
    }
}

static void find_in_inputs(struct wl_graph *g, struct symbols *s)
{
    const struct wl_block *main_block = &g->blocks[0];
    const char *batch = g->batch_symbol;
    for (int pass = 0; pass < 3; pass++) {
        for (int32_t i = 0; i < main_block->input_count; i++) {
            const struct wl_tensor *t = &g->tensors[main_block->inputs[i]];
            bool cache = (t->flags & WL_TENSOR_IS_KV) != 0;
            if (t->kind == WL_TENSOR_INITIALIZER || t->rank < 2) {
                continue;
            }
            const char *second = symbol_of(&g->dims, t->dims[1]);
            if (pass == 0 && !cache && s->token[0] == '\0' && second != NULL) {
                keep(s->token, second);
            } else if (pass == 1 && cache) {
                note_past(&g->dims, t, batch, s);
            } else if (pass == 2 && !cache) {
                note_sum(&g->dims, t, batch, s);
            }
        }
    }
}

static wl_status find_symbols(const struct wl_request *r, struct symbols *s, struct wl_error *err)
{
    struct wl_model model;
    struct wl_frontend_options front = {
        .dims = r->dims, .dim_count = r->dim_count, .keep_symbolic = true};
    memset(s, 0, sizeof(*s));
    WL_TRY(wl_model_load(r->model, &front, &model, err));
    find_in_inputs(&model.graph, s);
    wl_model_done(&model);
    return WL_OK;
}

static wl_status check_symbols(const struct wl_llm_request *q, const struct symbols *prefill,
                               const struct symbols *decode, struct wl_error *err)
{
    if (prefill->token[0] == '\0') {
        return wl_fail(err, WL_ERR_USAGE, q->prefill.model_name,
                       "has no symbolic number of tokens as the second dimension of its first "
                       "input; export it with dynamic axes");
    }
    if (decode->token[0] == '\0' || decode->past[0] == '\0') {
        return wl_fail(err, WL_ERR_USAGE, q->decode.model_name,
                       q->two_files ? "has no KV cache with a symbolic length among its inputs; "
                                      "export it with past key values"
                                    : "has no KV cache with a symbolic length among its inputs; "
                                      "name the file that has: --decode-model FILE");
    }
    return WL_OK;
}

/* ---- steps -------------------------------------------------------------------------------------
 */

struct phase {
    const struct wl_request *request;
    const struct symbols *symbols;
    const struct wl_device *device;
    const struct wl_runtime *runtime;
};

static void add_dim(struct wl_request *r, struct wl_dim_binding *dims, const char *name,
                    int64_t value)
{
    if (name[0] != '\0' && r->dim_count < DIMS_MAX) {
        dims[r->dim_count++] = (struct wl_dim_binding){name, value};
    }
}

static void fill_step(const struct wl_result *r, int64_t cached, int64_t tokens,
                      struct wl_llm_step *out)
{
    *out = (struct wl_llm_step){.cached = cached,
                                .tokens = tokens,
                                .totals = r->totals,
                                .kv_bytes = r->memory.kv_bytes,
                                .fits = r->memory.fits[r->device.level_count - 1]};
    (void)snprintf(out->bottleneck, sizeof(out->bottleneck), "%s",
                   wl_bound_name(&r->device, r->totals.bound));
}

/* `config` may be NULL. */
static wl_status run_step(const struct phase *p, int64_t batch, int64_t cached, int64_t tokens,
                          struct wl_llm_step *out, struct wl_config *config, struct wl_error *err)
{
    struct wl_dim_binding dims[DIMS_MAX];
    struct wl_request r = *p->request;
    struct wl_model model;
    struct wl_prepared prepared;
    struct wl_result result;
    r.dim_count = 0;
    for (int32_t i = 0; i < p->request->dim_count && i < DIMS_MAX - 16; i++) {
        dims[r.dim_count++] = p->request->dims[i];
    }
    add_dim(&r, dims, p->symbols->token, tokens);
    add_dim(&r, dims, p->symbols->past, cached);
    for (int32_t i = 0; i < p->symbols->sum_count; i++) {
        add_dim(&r, dims, p->symbols->sums[i], cached + tokens);
    }
    r.dims = dims;
    r.batch = batch;
    WL_TRY(wl_prepare(&r, p->runtime, wl_device_on_chip_bytes(p->device), &model, &prepared, err));
    wl_status status = wl_analyze(&prepared, p->device, p->runtime, &r, &result, err);
    if (status == WL_OK) {
        fill_step(&result, cached, tokens, out);
        if (config != NULL) {
            *config = result.config;
        }
        wl_result_done(&result);
    }
    wl_model_done(&model);
    return status;
}

/* Cache lengths T .. T+N-1 at even distance, both ends included. */
static wl_status run_decode(const struct phase *p, struct wl_llm *out, struct wl_error *err)
{
    int64_t last = out->new_tokens - 1;
    int32_t count = (int32_t)wl_min_i64(out->new_tokens, WL_LLM_SAMPLES);
    for (int32_t i = 0; i < count; i++) {
        int64_t at = count == 1 ? 0 : last * i / (count - 1);
        WL_TRY(run_step(p, out->batch, out->prompt_tokens + at, 1, &out->samples[i], NULL, err));
    }
    out->sample_count = count;
    return WL_OK;
}

/* Sum over n steps that begin at x and would reach y at step n. */
static double ramp(double x, double y, int64_t n)
{
    return (double)n * x + (y - x) * (double)(n - 1) / 2;
}

static void sum_decode(struct wl_llm *m)
{
    const struct wl_llm_step *last = &m->samples[m->sample_count - 1];
    m->decode_s = last->totals.latency_s;
    m->decode_j = last->totals.energy_j;
    for (int32_t i = 0; i + 1 < m->sample_count; i++) {
        const struct wl_llm_step *a = &m->samples[i];
        const struct wl_llm_step *b = &m->samples[i + 1];
        int64_t n = b->cached - a->cached;
        m->decode_s += ramp(a->totals.latency_s, b->totals.latency_s, n);
        m->decode_j += ramp(a->totals.energy_j, b->totals.energy_j, n);
    }
}

/* ---- largest batch -----------------------------------------------------------------------------
 */

/* Both phases at this batch, at the longest cache. */
static wl_status fits_at(const struct phase phases[2], const struct wl_llm *m, int64_t batch,
                         bool *fits, struct wl_error *err)
{
    struct wl_llm_step step;
    int64_t cached = m->prompt_tokens + m->new_tokens - 1;
    WL_TRY(run_step(&phases[1], batch, cached, 1, &step, NULL, err));
    *fits = step.fits;
    if (step.fits) {
        WL_TRY(run_step(&phases[0], batch, 0, m->prompt_tokens, &step, NULL, err));
        *fits = step.fits;
    }
    return WL_OK;
}

static wl_status find_largest_batch(const struct phase phases[2], struct wl_llm *m,
                                    struct wl_error *err)
{
    int64_t low = 0; /* fits */
    int64_t high = 1;
    for (bool fits = true; fits && high <= BATCH_LIMIT;) {
        WL_TRY(fits_at(phases, m, high, &fits, err));
        low = fits ? high : low;
        high = fits ? high * 2 : high;
    }
    while (low < BATCH_LIMIT && high - low > 1) {
        bool fits;
        int64_t middle = low + (high - low) / 2;
        WL_TRY(fits_at(phases, m, middle, &fits, err));
        low = fits ? middle : low;
        high = fits ? high : middle;
    }
    m->largest_batch = low;
    return WL_OK;
}

/* A model whose batch is fixed cannot be asked for others. */
static bool batch_is_free(const struct wl_request *r)
{
    struct wl_model model;
    struct wl_frontend_options front = {
        .dims = r->dims, .dim_count = r->dim_count, .keep_symbolic = true};
    if (wl_model_load(r->model, &front, &model, NULL) != WL_OK) {
        return false;
    }
    bool is_free = model.graph.batch_symbol != NULL;
    wl_model_done(&model);
    return is_free;
}

/* ---- all of it ---------------------------------------------------------------------------------
 */

static void fill_memory(const struct wl_device *device, struct wl_llm *m)
{
    const struct wl_llm_step *last = &m->samples[m->sample_count - 1];
    const struct wl_level *main_level = &device->levels[device->level_count - 1];
    m->kv_bytes = last->kv_bytes;
    m->kv_bytes_per_token =
        last->kv_bytes / (double)(m->prompt_tokens + m->new_tokens) / (double)m->batch;
    m->capacity_bytes = (double)main_level->capacity_bytes * (double)main_level->instances;
    m->peak_bytes = fmax(m->prefill.totals.peak_memory_bytes, last->totals.peak_memory_bytes);
}

wl_status wl_llm_run(const struct wl_llm_request *q, const struct wl_device *device,
                     const struct wl_runtime *runtime, struct wl_llm *out, struct wl_error *err)
{
    struct symbols symbols[2];
    struct wl_config config;
    WL_TRY(find_symbols(&q->prefill, &symbols[0], err));
    WL_TRY(find_symbols(&q->decode, &symbols[1], err));
    WL_TRY(check_symbols(q, &symbols[0], &symbols[1], err));
    const struct phase phases[2] = {{&q->prefill, &symbols[0], device, runtime},
                                    {&q->decode, &symbols[1], device, runtime}};
    *out = (struct wl_llm){.device = device->id,
                           .device_name = device->name,
                           .power_mode = device->power_mode,
                           .runtime = runtime->name,
                           .requested = q->prefill.precision.activations,
                           .prompt_tokens = q->prompt_tokens,
                           .new_tokens = q->new_tokens};
    keep(out->token_dim, symbols[1].token);
    keep(out->past_dim, symbols[1].past);
    WL_TRY(
        run_step(&phases[0], q->prefill.batch, 0, q->prompt_tokens, &out->prefill, &config, err));
    out->batch = config.batch;
    out->precision = config.precision;
    WL_TRY(run_decode(&phases[1], out, err));
    sum_decode(out);
    fill_memory(device, out);
    if (batch_is_free(&q->prefill) && batch_is_free(&q->decode)) {
        return find_largest_batch(phases, out, err);
    }
    out->largest_batch =
        out->prefill.fits && out->samples[out->sample_count - 1].fits ? out->batch : 0;
    return WL_OK;
}
