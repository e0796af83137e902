/* SPDX-License-Identifier: Apache-2.0 */
/* onnxruntime: what calibrate and validate share about runs of ONNX Runtime. */
#ifndef WL_ONNXRUNTIME_H
#define WL_ONNXRUNTIME_H

#include "ort.h"

/*
 * What profiling adds to each kernel at this thread count: a chain of trivial kernels with
 * profiling against one without. Files are made in `folder`.
 */
wl_status wl_ort_profile_cost(struct wl_ort *o, const char *folder, int32_t threads, double *cost_s,
                              struct wl_error *err) WL_MUST_CHECK;
/*
 * How fast the machine is right now: seconds of a fixed small network of convolutions and products,
 * fastest of some runs. Clocks of shared machines move by a tenth within minutes; calibrations are
 * brought to one speed by it, and keep it as the row WL_ORT_REFERENCE.
 */
#define WL_ORT_REFERENCE "reference"
wl_status wl_ort_reference(struct wl_ort *o, const char *folder, int32_t threads, double *seconds,
                           struct wl_error *err) WL_MUST_CHECK;
/* A step near the golden section of `count` that visits all of 0 .. count - 1 before it repeats. */
int32_t wl_ort_stride(int32_t count);
/* A kernel's time less that; an eighth of what the profile says is always left. */
double wl_ort_without_profile(double time_s, double cost_s);

#endif
