/* SPDX-License-Identifier: Apache-2.0 */
/* onnxruntime: what calibrate and validate share about runs of ONNX Runtime. */
#ifndef WL_ONNXRUNTIME_H
#define WL_ONNXRUNTIME_H

#include "ort.h"
#include "partition.h"

/* WL_NONE where no node of the graph has that name, or it is NULL. */
int32_t wl_ort_find_node(const struct wl_graph *g, const char *name);
/* Says of each kernel of a run where it belongs. */
void wl_ort_assign(struct wl_ort_result *result, const struct wl_partition *p);

/* Median of the runs without profiling; 0 where there are none. Sorts them. */
double wl_ort_wall_s(struct wl_ort_result *result);

struct wl_ort_costs {
    double profile_s; /* what profiling adds to each kernel of a chain of trivial ones */
    double view_s;    /* what a view takes */
};

/* Chains of trivial kernels with and without profiling, with and without views; files in `folder`.
 */
wl_status wl_ort_measure_costs(struct wl_ort *o, const char *folder, int32_t threads,
                               struct wl_ort_costs *costs, struct wl_error *err) WL_MUST_CHECK;
/* What profiling added to each kernel of a run: by its views, where it has some. */
double wl_ort_profile_cost_in(const struct wl_ort_result *result, const struct wl_ort_costs *costs);
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
