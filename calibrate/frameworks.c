/* SPDX-License-Identifier: Apache-2.0 */
/* calibrate/frameworks.c: what kernels can be measured with. */
#include <string.h>

#include "bench.h"

extern const struct wl_bench_framework wl_bench_onnxruntime;

static const struct wl_bench_framework *const frameworks[] = {&wl_bench_onnxruntime};

const struct wl_bench_framework *wl_bench_framework_at(int32_t i)
{
    return i >= 0 && i < (int32_t)WL_ARRAY_LEN(frameworks) ? frameworks[i] : NULL;
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
