/* SPDX-License-Identifier: Apache-2.0 */
/* advice_report.h: advice for people and as JSON. */
#ifndef WL_ADVICE_REPORT_H
#define WL_ADVICE_REPORT_H

#include "advice.h"
#include "report.h"

wl_status wl_text_advice(const struct wl_advice *a, int width, struct wl_buf *out,
                         struct wl_error *err) WL_MUST_CHECK;
/* advice[] */
void wl_json_advice(struct wl_emitter *e, const struct wl_advice *a);

#endif
