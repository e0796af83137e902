/* SPDX-License-Identifier: Apache-2.0 */
/*
 * generation: text generation in its two phases. Prefill reads a prompt of T tokens at once; decode
 * makes N tokens one by one while the KV cache grows from T. Either one model whose number of new
 * tokens and of cached tokens are symbols, or one file for each phase.
 */
#ifndef WL_GENERATION_H
#define WL_GENERATION_H

#include "pipeline.h"

struct wl_llm_request {
    struct wl_request prefill; /* with its model; dims without those of tokens and cache */
    struct wl_request decode;  /* the same model, or the decode file */
    bool two_files;
    int64_t prompt_tokens;
    int64_t new_tokens;
};

/* One analysed step of decode, or prefill. */
struct wl_llm_step {
    int64_t cached; /* tokens in the cache before the step */
    int64_t tokens; /* read by the step, per sequence */
    struct wl_totals totals;
    double kv_bytes;
    char bottleneck[24];
    bool fits; /* main memory */
};

/* Decode is sampled at so many cache lengths; between them it is interpolated. */
#define WL_LLM_SAMPLES 9

struct wl_llm {
    const char *device, *device_name, *power_mode, *runtime; /* of the registry */
    struct wl_precision_policy precision;
    enum wl_precision requested;
    int64_t batch, prompt_tokens, new_tokens;
    struct wl_llm_step prefill;
    struct wl_llm_step samples[WL_LLM_SAMPLES];
    int32_t sample_count;
    double decode_s, decode_j; /* of all new tokens and all sequences */
    double kv_bytes_per_token; /* of one sequence */
    double kv_bytes;           /* of all sequences at the end */
    double capacity_bytes;     /* of main memory */
    double peak_bytes;         /* the larger of both phases' peaks */
    int64_t largest_batch;     /* that fits; 0: none */
    char token_dim[64], past_dim[64];
};

/* USAGE where the models lack what the two phases need; says which file or option would help. */
wl_status wl_llm_run(const struct wl_llm_request *q, const struct wl_device *device,
                     const struct wl_runtime *runtime, struct wl_llm *out,
                     struct wl_error *err) WL_MUST_CHECK;

#endif
