/* SPDX-License-Identifier: Apache-2.0 */
/* onednn_grid: the kernels that framework onednn measures, and their sizes. Knows nothing of
 * oneDNN. */
#ifndef WL_ONEDNN_GRID_H
#define WL_ONEDNN_GRID_H

#include "bench.h"

/* Weights come from the next place in a pool of so many bytes at each run; those of fully connected
 * layers from the larger one. */
#define WL_ONEDNN_POOL_CONV_BYTES ((int64_t)64 << 20)
#define WL_ONEDNN_POOL_BYTES ((int64_t)256 << 20)

enum wl_onednn_kind {
    WL_ONEDNN_CONV,
    WL_ONEDNN_DECONV,
    WL_ONEDNN_INNER,  /* product with constant weights, and a bias */
    WL_ONEDNN_MATMUL, /* batch of products of two activations */
    WL_ONEDNN_POOL,
    WL_ONEDNN_ELTWISE,
    WL_ONEDNN_BINARY,
    WL_ONEDNN_SUM, /* y = a x + y */
    WL_ONEDNN_SOFTMAX,
    WL_ONEDNN_LAYERNORM,
    WL_ONEDNN_BATCHNORM,
    WL_ONEDNN_CONCAT,
    WL_ONEDNN_RESAMPLE,
    WL_ONEDNN_REORDER_IN,
    WL_ONEDNN_REORDER_OUT,
    WL_ONEDNN_OWN_PRODUCT, /* like INNER, outside the library (own_kernels.h) */
    WL_ONEDNN_OWN_POOL,
    WL_ONEDNN_OWN_CONCAT,
    WL_ONEDNN_KIND_COUNT
};

/*
 * Images: batch x in x height x width, window kernel[0] x kernel[1], "same" padding, results of
 * (height / stride) x (width / stride). Products: m = height, k = in, n = out, `batch` of them.
 * Rows (softmax, layer normalisation): height rows of width elements.
 */
struct wl_onednn_case {
    const char *operation;
    enum wl_onednn_kind kind;
    enum wl_precision precision;
    int64_t batch, groups, in, out, height, width;
    int64_t kernel[2], stride;
    int64_t inputs;   /* of a join */
    bool per_channel; /* the second operand is one value for each channel */
    bool plain;       /* rows of pixels instead of blocks of channels */
};

struct wl_onednn_grid {
    struct wl_arena *arena;
    struct wl_onednn_case *cases;
    int32_t count, capacity;
    bool failed; /* out of memory */
};

/* All cases of all precisions; `quick`: about a quarter of them. */
wl_status wl_onednn_grid(struct wl_arena *arena, bool quick, struct wl_onednn_grid *out,
                         struct wl_error *err) WL_MUST_CHECK;
struct wl_kernel_sizes wl_onednn_sizes(const struct wl_onednn_case *c);

#endif
