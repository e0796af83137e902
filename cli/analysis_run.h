/* SPDX-License-Identifier: Apache-2.0 */
/* analysis_run.h: registry, device, model and analysis in one step, for commands that need several.
 */
#ifndef WL_ANALYSIS_RUN_H
#define WL_ANALYSIS_RUN_H

#include "analysis_options.h"

/* The registry of the options and the environment. */
wl_status wl_cli_open_registry(struct wl_cli_analysis *a, struct wl_registry *out,
                               struct wl_error *err) WL_MUST_CHECK;

/* One analysis with all that it refers to. Must not be moved while it is open. */
struct wl_cli_run {
    struct wl_model model;
    struct wl_prepared prepared;
    struct wl_result result;
    bool model_open, result_open;
};

/* `request` has its model; the device is `hw`. On failure nothing stays open. */
wl_status wl_cli_run(struct wl_registry *registry, const char *hw, const struct wl_request *request,
                     struct wl_cli_run *out, struct wl_error *err) WL_MUST_CHECK;
void wl_cli_run_done(struct wl_cli_run *run);

#endif
