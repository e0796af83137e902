/* SPDX-License-Identifier: Apache-2.0 */
/* llm.h: `analyze --prefill T --decode N`: text generation in its two phases. */
#ifndef WL_CLI_LLM_H
#define WL_CLI_LLM_H

#include "analysis_options.h"

extern const struct wl_option wl_llm_options[]; /* prefill, decode, decode-model */

/* True when the options ask for the two phases. */
bool wl_cli_wants_llm(const struct wl_cli_analysis *a);
/* Runs both phases and appends the report. */
wl_status wl_cli_llm(struct wl_cli_analysis *a, const char *model, const struct wl_device *device,
                     const struct wl_runtime *runtime, struct wl_buf *out,
                     struct wl_error *err) WL_MUST_CHECK;

#endif
