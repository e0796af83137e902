/* SPDX-License-Identifier: Apache-2.0 */
/*
 * partition: graph -> subgraphs, the units that a machine launches. Fusion is a table of patterns
 * and one legality function; dependencies are the images of the graph's own edges; levels and width
 * come from them. Independent of device speed and of precision: a partition is shared by a whole
 * sweep.
 */
#ifndef WL_PARTITION_H
#define WL_PARTITION_H

#include "ops.h"

/* A tensor as one subgraph uses it: how many of its elements one execution reads or writes. */
struct wl_operand {
    int32_t tensor;
    int64_t elems;
};

/* One matrix product inside a subgraph, per execution: G independent M x K by K x N. */
struct wl_product {
    int64_t g, m, n, k;
    int32_t node;
    int32_t left, right; /* operand tensors: left M x K (activations), right K x N (weights or
                            activations); WL_NONE when it stays inside the subgraph */
    const struct wl_window *window; /* a convolution's, else NULL */
    bool integer;                   /* multiplies integers, or sits between Q/DQ pairs */
};

/* Iterations that may run side by side; 1 where there is none. */
struct wl_parallelism {
    int64_t batch, channels, spatial, reduction;
};

struct wl_subgraph {
    int32_t id;
    const char *name;     /* of the anchor node, unique */
    const char *pattern;  /* "conv+relu", "conv+add+relu", "attention", "elementwise" ... */
    enum wl_op_kind kind; /* of the anchor */
    int32_t anchor;       /* node */
    const int32_t *nodes; /* in schedule order, views absorbed for free included */
    int32_t node_count;
    int64_t repeat; /* executions per inference (loop bodies), >= 1 */
    int64_t steps;  /* sequential steps inside one execution (recurrent), else 1 */
    /* Work of all executions together. */
    int64_t macs;
    int64_t ops[WL_WORK_COUNT];
    int64_t flops;
    const struct wl_product *products;
    int32_t product_count;
    enum wl_access access;
    /* Each tensor once. Outputs are those that others or the caller read. */
    const struct wl_operand *inputs, *outputs, *weights, *internal;
    int32_t input_count, output_count, weight_count, internal_count;
    struct wl_parallelism parallelism;
    bool quantized;            /* QDQ absorbed: computes in int8 */
    const int32_t *depends_on; /* subgraph ids, ascending */
    int32_t depends_count;
    int32_t level;             /* longest chain of dependencies behind it */
    const char *ended_because; /* why the group stopped growing */
};

struct wl_partition_options {
    const char *fusion;    /* profile: none, basic, aggressive, onnxruntime, tensorrt ... */
    int64_t on_chip_bytes; /* budget of the working set that a fused group may keep; 0: no limit */
};

struct wl_partition {
    const char *fusion;
    const struct wl_graph *graph;
    struct wl_subgraph *subgraphs; /* in execution order */
    int32_t count;
    int32_t *subgraph_of; /* by node; WL_NONE: free, folded or not executed */
    int32_t level_count;
    int32_t max_width; /* most subgraphs on one level */
    int64_t macs, flops;
};

/*
 * USAGE for an unknown profile (lists them). USAGE where a size that the work needs is not bound.
 * Everything lives in `arena`.
 */
wl_status wl_partition_run(struct wl_graph *g, const struct wl_partition_options *opt,
                           struct wl_arena *arena, struct wl_partition *out,
                           struct wl_error *err) WL_MUST_CHECK;
/* Names of the fusion profiles, sorted. */
const char *const *wl_partition_profiles(int32_t *count);
bool wl_partition_profile_known(const char *name);
/* Invariants: each node once or free; acyclic; edges are images of graph edges. WL_ERR_BUG. */
wl_status wl_partition_verify(const struct wl_partition *p, struct wl_error *err) WL_MUST_CHECK;

#endif
