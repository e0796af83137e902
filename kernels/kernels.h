/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels: what a runtime's kernel for a subgraph is, in the words of a calibration: the
 * operation's name, the sizes that decide how long it takes, the layout changes and views around
 * it. The same description serves both ends: a micro-model that is measured, and a network that is
 * predicted.
 */
#ifndef WL_KERNELS_H
#define WL_KERNELS_H

#include "hardware.h"
#include "partition.h"

#define WL_KERNEL_NAMES_MAX 4

/* Times of one execution; multiply by the subgraph's `repeat`. */
struct wl_kernel {
    /* What it may be measured as, best first: {"conv_pointwise", "conv", "gemm"}; NULL ends it. */
    const char *operations[WL_KERNEL_NAMES_MAX + 1];
    struct wl_kernel_sizes sizes;
    double reorder_in_bytes;  /* read and written to bring its images into blocks of channels */
    double reorder_out_bytes; /* the same, back again, for other kernels that read its result */
    double reorder_width;     /* columns of the images reordered */
    int32_t reorders;         /* both ways: an operator each, where the runtime launches them */
    int32_t views;            /* views and shape arithmetic that run just before it */
    double dequantized_elems; /* stored weights that it reads in floats and that were quantised */
    bool blocked;             /* works on blocks of channels */
    bool integer;             /* works on integers, channels last: reordered by transposing */
};

struct wl_kernels {
    struct wl_kernel *items; /* by subgraph */
    int32_t count;
};

/* Names of what surrounds kernels, as calibrations have them. */
#define WL_KERNEL_REORDER_IN "reorder_input"
#define WL_KERNEL_REORDER_OUT "reorder_output"
#define WL_KERNEL_REORDER_INTEGERS "reorder_integers" /* channels to the end, or back */
#define WL_KERNEL_VIEW "view"                         /* one view or piece of shape arithmetic */
#define WL_KERNEL_ELEMENTWISE                                                                      \
    "elementwise" /* the plainest kernel; what is not known goes by it                             \
                   */
#define WL_KERNEL_DEQUANTIZE "dequantize"
#define WL_KERNEL_CALL "call" /* what an inference costs beside its kernels */

/*
 * Share of the `out` results of an axis whose window (`extent` elements wide) reaches into the
 * padding, the same at both ends: libraries make those one at a time.
 */
double wl_kernels_edge(int64_t in, int64_t out, int64_t extent, int64_t stride);

/*
 * What a convolution on blocks of channels computes beside what is asked: channels that are missing
 * to whole blocks, those of its input only from a block up (fewer come as rows of pixels).
 */
void wl_kernels_fill_blocks(struct wl_kernel_sizes *s, double in_channels, int32_t block);

/*
 * Describes every subgraph as `rt` executes it; element sizes follow `policy`. Lies in `arena`.
 */
wl_status wl_kernels_describe(const struct wl_partition *p, const struct wl_runtime *rt,
                              const struct wl_precision_policy *policy, struct wl_arena *arena,
                              struct wl_kernels *out, struct wl_error *err) WL_MUST_CHECK;

#endif
