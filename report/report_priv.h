/* SPDX-License-Identifier: Apache-2.0 */
/* report_priv.h: pieces that several reports share. */
#ifndef WL_REPORT_PRIV_H
#define WL_REPORT_PRIV_H

#include "report.h"

/* model{...} of OUTPUT, for analyze and graph. `parameters` as the front end counted them. */
void wl_json_model(struct wl_emitter *e, const struct wl_model *m, const char *model_name);
void wl_json_diagnostics(struct wl_emitter *e, const struct wl_diag_list *l);
void wl_json_names(struct wl_emitter *e, const char *key, const struct wl_graph *g,
                   const int32_t *nodes, int32_t count);

void wl_report_analysis_json(const struct wl_result *r, const char *model_name,
                             const struct wl_advice *advice, struct wl_buf *out);
void wl_report_analysis_trace(const struct wl_result *r, const char *model_name,
                              struct wl_buf *out);
void wl_report_analysis_csv(const struct wl_result *r, const struct wl_report_options *opt,
                            struct wl_buf *out);
wl_status wl_report_analysis_text(const struct wl_result *r, const char *model_name,
                                  const struct wl_report_options *opt, struct wl_buf *out,
                                  struct wl_error *err) WL_MUST_CHECK;
wl_status wl_report_analysis_md(const struct wl_result *r, const char *model_name,
                                struct wl_buf *out, struct wl_error *err) WL_MUST_CHECK;

/* Views of the text report, one file each (text_*.c). */
wl_status wl_text_layers(const struct wl_result *r, int width, struct wl_buf *out,
                         struct wl_error *err) WL_MUST_CHECK;
wl_status wl_text_energy(const struct wl_result *r, int width, struct wl_buf *out,
                         struct wl_error *err) WL_MUST_CHECK;
wl_status wl_text_roofline(const struct wl_result *r, int width, struct wl_buf *out,
                           struct wl_error *err) WL_MUST_CHECK;
wl_status wl_text_memory(const struct wl_result *r, int width, struct wl_buf *out,
                         struct wl_error *err) WL_MUST_CHECK;
wl_status wl_text_concurrency(const struct wl_result *r, int width, struct wl_buf *out,
                              struct wl_error *err) WL_MUST_CHECK;

/* Bytes of operands as analysed, all executions together. */
double wl_report_bytes(const struct wl_result *r, const struct wl_operand *o, int32_t count,
                       int64_t repeat);

/* One line on how subgraph `i` lies on the device, in `out`; NULL where there is nothing to say. */
const char *wl_report_note(const struct wl_result *r, int32_t i, char *out, size_t size);

/* CSV: a field with quotes where it needs them. */
void wl_csv_str(struct wl_buf *out, bool first, const char *v);
void wl_csv_num(struct wl_buf *out, bool first, double v);
void wl_csv_int(struct wl_buf *out, bool first, int64_t v);

/* Printf into a small buffer that the caller owns; returns it. */
const char *wl_text(char *out, size_t size, const char *fmt, ...) WL_PRINTF(3, 4);
/* Percent with sensible digits: "61 %", "0.4 %". */
const char *wl_format_percent(double share, char *out, size_t size);

#endif
