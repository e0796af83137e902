/* SPDX-License-Identifier: Apache-2.0 */
/* cli/llm.c: the options of text generation, and the models of its two phases. */
#include "llm.h"

#include "llm_report.h"

#define TOKENS_MAX (INT64_C(1) << 32)

static struct wl_cli_analysis *self(void *target)
{
    return target;
}

static wl_status set_prefill(void *target, const char *value, struct wl_error *err)
{
    return wl_cli_parse_int("--prefill", value, 1, TOKENS_MAX, &self(target)->prefill_tokens, err);
}

static wl_status set_decode(void *target, const char *value, struct wl_error *err)
{
    return wl_cli_parse_int("--decode", value, 1, TOKENS_MAX, &self(target)->decode_tokens, err);
}

static wl_status set_decode_model(void *target, const char *value, struct wl_error *err)
{
    (void)err;
    self(target)->decode_model = value;
    return WL_OK;
}

const struct wl_option wl_llm_options[] = {
    {"prefill", "T", "text generation: tokens of the prompt", set_prefill},
    {"decode", "N", "text generation: tokens made one by one after it", set_decode},
    {"decode-model", "MODEL", "the file with the KV cache, where MODEL has none", set_decode_model},
    {NULL, NULL, NULL, NULL}};

bool wl_cli_wants_llm(const struct wl_cli_analysis *a)
{
    return a->prefill_tokens > 0 || a->decode_tokens > 0 || a->decode_model != NULL;
}

wl_status wl_cli_llm(struct wl_cli_analysis *a, const char *model, const struct wl_device *device,
                     const struct wl_runtime *runtime, struct wl_buf *out, struct wl_error *err)
{
    struct wl_llm result;
    struct wl_llm_request q = {.prompt_tokens = a->prefill_tokens, .new_tokens = a->decode_tokens};
    if (a->prefill_tokens == 0 || a->decode_tokens == 0) {
        return wl_fail(err, WL_ERR_USAGE, a->prefill_tokens == 0 ? "--prefill" : "--decode",
                       "is missing; text generation needs both: --prefill 512 --decode 128");
    }
    WL_TRY(wl_cli_resolve_model(a, model, err));
    q.prefill = a->request;
    q.decode = a->request;
    if (a->decode_model != NULL) {
        a->request.default_dims = NULL;
        a->request.default_dim_count = 0;
        WL_TRY(wl_cli_resolve_model(a, a->decode_model, err));
        q.decode = a->request;
        q.two_files = true;
    }
    WL_TRY(wl_llm_run(&q, device, runtime, &result, err));
    return wl_report_llm(&result, q.prefill.model_name, q.decode.model_name, &a->report, out, err);
}
