/* SPDX-License-Identifier: Apache-2.0 */
/* analysis_options.h: the options that analyze, compare and graph share (OUTPUT, "Commands"). */
#ifndef WL_ANALYSIS_OPTIONS_H
#define WL_ANALYSIS_OPTIONS_H

#include "cli.h"
#include "report.h"

#define WL_CLI_DIMS_MAX 64

struct wl_cli_analysis {
    struct wl_arena arena; /* for strings that the options need */
    struct wl_request request;
    struct wl_report_options report;
    struct wl_dim_binding dims[WL_CLI_DIMS_MAX];
    const char *hw;
    const char *output;
    const char *registry;
    const char *models;
    const char *explain;
    int64_t prefill_tokens, decode_tokens; /* text generation; 0: not asked for */
    const char *decode_model;
    bool strict;
    bool quiet;
    int64_t jobs;
};

extern const struct wl_option wl_model_options[];  /* batch, dims, fusion, files, format */
extern const struct wl_option wl_device_options[]; /* hw, precision, power mode ... */

void wl_cli_analysis_init(struct wl_cli_analysis *a);
void wl_cli_analysis_done(struct wl_cli_analysis *a);
/* `name` as given: a path, or a zoo name (then the zoo's default dims are added to the request). */
wl_status wl_cli_resolve_model(struct wl_cli_analysis *a, const char *name,
                               struct wl_error *err) WL_MUST_CHECK;
/* With --strict: UNSUPPORTED when the list holds a warning or worse. */
wl_status wl_cli_check_strict(const struct wl_cli_analysis *a, const struct wl_diag_list *diags,
                              struct wl_error *err) WL_MUST_CHECK;

#endif
