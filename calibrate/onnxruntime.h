/* SPDX-License-Identifier: Apache-2.0 */
/* onnxruntime: what calibrate and validate share about runs of ONNX Runtime. */
#ifndef WL_ONNXRUNTIME_H
#define WL_ONNXRUNTIME_H

#include "onnx_build.h"
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

/* The two files that small models go through: wattline reads one, the runtime the other. */
struct wl_ort_bench {
    struct wl_ort *ort;      /* not owned */
    struct wl_arena scratch; /* of one file */
    char graph_path[512], model_path[512];
    char reference_path[512]; /* the reference network's runnable copy, once it was asked for */
    bool has_reference;
};

/* Files are in `folder`; done removes them. Set `ort` before anything runs. */
void wl_ort_bench_init(struct wl_ort_bench *b, const char *folder);
void wl_ort_bench_done(struct wl_ort_bench *b);
/* Writes the graph and a runnable copy of it. */
wl_status wl_ort_write(struct wl_ort_bench *b, struct wl_onnx *onnx,
                       struct wl_error *err) WL_MUST_CHECK;
/* Runs that copy with profiling, and before without if `wall`. */
wl_status wl_ort_execute(struct wl_ort_bench *b, int32_t threads, bool wall,
                         struct wl_ort_result *out, struct wl_error *err) WL_MUST_CHECK;

/*
 * Profiled seconds per trivial kernel less its share of a run without profiling; what views take,
 * between the same kernels, without profiling.
 */
wl_status wl_ort_measure_costs(struct wl_ort_bench *b, int32_t threads, struct wl_ort_costs *out,
                               struct wl_error *err) WL_MUST_CHECK;

/* What an inference costs beside its kernels, by the elements of its results. */
#define WL_ORT_CALLS 8
struct wl_ort_call {
    double elements, time_s;
};
wl_status wl_ort_measure_calls(struct wl_ort_bench *b, int32_t threads,
                               const struct wl_ort_costs *costs,
                               struct wl_ort_call calls[WL_ORT_CALLS],
                               struct wl_error *err) WL_MUST_CHECK;
/* What profiling added to each kernel of a run: by its views, where it has some. */
double wl_ort_profile_cost_in(const struct wl_ort_result *result, const struct wl_ort_costs *costs);
/*
 * How fast the machine is right now: seconds of a fixed small network of convolutions and products,
 * the fastest quarter of some runs. Clocks of shared machines move by a tenth within seconds: the
 * mean of one before and one after a measurement says its speed to 3 % where that moves by 4 to 5.
 * Calibrations are brought to one speed by it, and keep it as the row WL_ORT_REFERENCE. Leaves
 * `scratch` and the two files as they are.
 */
#define WL_ORT_REFERENCE "reference"
wl_status wl_ort_reference(struct wl_ort_bench *b, int32_t threads, double *seconds,
                           struct wl_error *err) WL_MUST_CHECK;
/* A step near the golden section of `count` that visits all of 0 .. count - 1 before it repeats. */
int32_t wl_ort_stride(int32_t count);
/* A kernel's time less that; an eighth of what the profile says is always left. */
double wl_ort_without_profile(double time_s, double cost_s);

#endif
