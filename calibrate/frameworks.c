/* SPDX-License-Identifier: Apache-2.0 */
/* calibrate/frameworks.c: the libraries and runtimes that kernels are measured with. */
#include <string.h>

#include "frameworks.h"

static const struct wl_bench_framework *const frameworks[] = {
    &wl_bench_onnxruntime,
    &wl_bench_onednn,
    &wl_bench_openblas,
    &wl_bench_stream,
};

const struct wl_bench_framework *wl_bench_framework_at(int32_t i)
{
    return i >= 0 && (size_t)i < WL_ARRAY_LEN(frameworks) ? frameworks[i] : NULL;
}

const struct wl_bench_framework *wl_bench_framework_find(const char *name)
{
    for (size_t i = 0; i < WL_ARRAY_LEN(frameworks); i++) {
        if (strcmp(frameworks[i]->name, name) == 0) {
            return frameworks[i];
        }
    }
    return NULL;
}
