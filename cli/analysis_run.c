/* SPDX-License-Identifier: Apache-2.0 */
/* cli/analysis_run.c: one analysis from a request and the name of a device. */
#include "analysis_run.h"

#include <string.h>

wl_status wl_cli_open_registry(struct wl_cli_analysis *a, struct wl_registry *out,
                               struct wl_error *err)
{
    const char *roots[4];
    int32_t root_count = 0;
    WL_TRY(wl_cli_registry_roots(&a->arena, a->registry, roots, &root_count, err));
    return wl_registry_open(out, roots, root_count, err);
}

static wl_status run_into(struct wl_registry *registry, const char *hw,
                          const struct wl_request *request, struct wl_cli_run *run,
                          struct wl_error *err)
{
    struct wl_target target;
    struct wl_request own = *request;
    WL_TRY(wl_target_resolve(registry, hw, request, &target, err));
    own.measured = target.calibration;
    WL_TRY(wl_prepare(&own, target.runtime, wl_device_on_chip_bytes(&target.device), &run->model,
                      &run->prepared, err));
    run->model_open = true;
    WL_TRY(wl_analyze(&run->prepared, &target.device, target.runtime, &own, &run->result, err));
    run->result_open = true;
    return WL_OK;
}

wl_status wl_cli_run(struct wl_registry *registry, const char *hw, const struct wl_request *request,
                     struct wl_cli_run *out, struct wl_error *err)
{
    memset(out, 0, sizeof(*out));
    wl_status status = run_into(registry, hw, request, out, err);
    if (status != WL_OK) {
        wl_cli_run_done(out);
    }
    return status;
}

void wl_cli_run_done(struct wl_cli_run *run)
{
    if (run->result_open) {
        wl_result_done(&run->result);
    }
    if (run->model_open) {
        wl_model_done(&run->model);
    }
    run->result_open = false;
    run->model_open = false;
}
