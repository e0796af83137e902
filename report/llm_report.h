/* SPDX-License-Identifier: Apache-2.0 */
/* llm_report.h: `analyze --prefill T --decode N`. */
#ifndef WL_LLM_REPORT_H
#define WL_LLM_REPORT_H

#include "generation.h"
#include "report.h"

/* Text, JSON, CSV (a row per analysed step) or Markdown. */
wl_status wl_report_llm(const struct wl_llm *m, const char *prefill_model, const char *decode_model,
                        const struct wl_report_options *opt, struct wl_buf *out,
                        struct wl_error *err) WL_MUST_CHECK;

#endif
