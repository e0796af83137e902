/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pipeline/target.c: what a request runs on: the device at a power mode, the runtime that executes,
 * and the calibration that measured it. A calibration that is named decides power mode and runtime;
 * one that is merely there (the newest of the mode) is used unless another runtime was asked for.
 */
#include <string.h>

#include "pipeline.h"

/* Runtime profile of a calibration's framework. */
static const char *runtime_of(const char *framework)
{
    static const struct {
        const char *framework, *runtime;
    } table[] = {{"pytorch", "pytorch-eager"}, {"onnxruntime", "onnxruntime"}};
    for (size_t i = 0; i < WL_ARRAY_LEN(table); i++) {
        if (strcmp(table[i].framework, framework) == 0) {
            return table[i].runtime;
        }
    }
    return "generic"; /* numpy, OpenBLAS, oneDNN: libraries, not runtimes of graphs */
}

/* `hw` is what the user wrote: an id, or the path of a specification outside the registry. */
static wl_status choose_calibration(struct wl_registry *registry, const char *hw,
                                    const struct wl_spec *spec, const struct wl_request *req,
                                    struct wl_target *out, struct wl_error *err)
{
    bool named = req->calibration != NULL;
    if (named && strcmp(req->calibration, "none") == 0) {
        return WL_OK;
    }
    const char *mode = named ? req->power_mode : out->device.power_mode;
    WL_TRY(wl_calibration_select(registry, hw, req->calibration, mode, &out->calibration, err));
    if (out->calibration == NULL) {
        return WL_OK;
    }
    if (named && req->power_mode == NULL) {
        return wl_spec_device(spec, out->calibration->power_mode, &out->device, err);
    }
    bool other =
        req->runtime != NULL && strcmp(runtime_of(out->calibration->framework), req->runtime) != 0;
    if (!named && other) {
        out->calibration = NULL;
    }
    return WL_OK;
}

wl_status wl_target_resolve(struct wl_registry *registry, const char *hw,
                            const struct wl_request *req, struct wl_target *out,
                            struct wl_error *err)
{
    const struct wl_spec *spec = NULL;
    memset(out, 0, sizeof(*out));
    WL_TRY(wl_registry_load(registry, hw, &spec, err));
    WL_TRY(wl_spec_device(spec, req->power_mode, &out->device, err));
    WL_TRY(choose_calibration(registry, hw, spec, req, out, err));
    const char *runtime = req->runtime != NULL       ? req->runtime
                          : out->calibration != NULL ? runtime_of(out->calibration->framework)
                                                     : "generic";
    return wl_runtime_load(registry, runtime, &out->runtime, err);
}
