/* SPDX-License-Identifier: Apache-2.0 */
/* frameworks: one per file; frameworks.c lists them. */
#ifndef WL_FRAMEWORKS_H
#define WL_FRAMEWORKS_H

#include "bench.h"

extern const struct wl_bench_framework wl_bench_onnxruntime; /* onnxruntime.c */
extern const struct wl_bench_framework wl_bench_stream;      /* stream.c */
extern const struct wl_bench_framework wl_bench_openblas;    /* openblas.c */
extern const struct wl_bench_framework wl_bench_onednn;      /* onednn.c */

#endif
