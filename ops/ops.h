/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops: what an operator is. One table row each: shapes and types, propagation of small values,
 * work. No other folder switches on an operator's name; they read `kind`, `fuse`, `flags` and
 * `wl_work`.
 */
#ifndef WL_OPS_H
#define WL_OPS_H

#include "ir.h"

/* What the operator does, as mappers and partition see it. */
enum wl_op_kind {
    WL_OPK_CONV,      /* Conv, ConvTranspose, ConvInteger, QLinearConv, DeformConv */
    WL_OPK_GEMM,      /* Gemm, MatMul and their quantised and fused forms, Einsum contractions */
    WL_OPK_ATTENTION, /* fused attention operators */
    WL_OPK_RECURRENT, /* LSTM, GRU, RNN */
    WL_OPK_POOL,
    WL_OPK_NORM, /* batch, layer, instance, group, RMS, LRN */
    WL_OPK_SOFTMAX,
    WL_OPK_MAP, /* one output element from the same element of each input (broadcasting) */
    WL_OPK_REDUCE,
    WL_OPK_MOVE, /* copies elements without arithmetic: Transpose, Concat, Slice, Gather, Pad */
    WL_OPK_SCATTER,
    WL_OPK_RESAMPLE, /* Resize, GridSample, RoiAlign, AffineGrid */
    WL_OPK_QUANT,    /* QuantizeLinear, DequantizeLinear, DynamicQuantizeLinear */
    WL_OPK_SORT,     /* TopK, Unique, NonMaxSuppression */
    WL_OPK_FFT,
    WL_OPK_RANDOM,
    WL_OPK_LOSS,
    WL_OPK_TRAIN, /* optimizer steps */
    WL_OPK_TREE,  /* tree ensembles and the other classical models of ai.onnx.ml */
    WL_OPK_TEXT,  /* strings */
    WL_OPK_VIEW,  /* no copy, no work: Reshape, Flatten, Squeeze, Identity, Dropout at inference */
    WL_OPK_META,  /* shape arithmetic: Shape, Size */
    WL_OPK_CONST, /* Constant, ConstantOfShape, Range, EyeLike */
    WL_OPK_CONTROL, /* If, Loop, Scan, SequenceMap */
    WL_OPK_SEQUENCE,
    WL_OPK_OPAQUE,
    WL_OPK_COUNT
};
const char *wl_op_kind_name(enum wl_op_kind k);

/* Part an operator can play in a fused group (partition/ reads it). */
enum wl_fuse_role {
    WL_FUSE_NONE,
    WL_FUSE_ANCHOR,   /* starts a group: conv, gemm, pool, norm, softmax, reduce */
    WL_FUSE_EPILOGUE, /* may follow an anchor on the same iteration space: maps, batch norm */
    WL_FUSE_PASS      /* transparent: views */
};

/* Kinds of arithmetic other than MACs. INTEGER does not count as FLOP; the others do, 1 each. */
enum wl_work_kind {
    WL_WORK_ADDMUL,
    WL_WORK_COMPARE,
    WL_WORK_DIVIDE,
    WL_WORK_SPECIAL, /* exp, log, tanh, erf, sqrt, sin ... */
    WL_WORK_INTEGER,
    WL_WORK_COUNT
};
const char *wl_work_kind_name(enum wl_work_kind k);

enum wl_access {
    WL_ACCESS_STREAM,
    WL_ACCESS_WINDOW,
    WL_ACCESS_REDUCE,
    WL_ACCESS_GATHER,
    WL_ACCESS_TRANSPOSE,
    WL_ACCESS_NONE
};

/* Matrix view: G independent products M x K by K x N. */
struct wl_gemm {
    struct wl_dim g, m, n, k;
};

/* Sliding window of a convolution or pooling, spatial axes only (1 to 3). */
struct wl_window {
    int32_t spatial_rank;
    struct wl_dim in[3], out[3];
    int64_t kernel[3], stride[3], dilation[3];
    int64_t groups;
    struct wl_dim in_channels, out_channels; /* of all groups */
    bool transposed;
};

#define WL_WORK_GEMMS_MAX 4

/*
 * Work of one execution of a node (multiply by node.repeat). Nominal: the direct algorithm,
 * whatever the device does. Bytes follow from the tensors, but for one input that is read only in
 * part.
 */
struct wl_work {
    struct wl_dim macs;
    struct wl_dim ops[WL_WORK_COUNT];
    struct wl_gemm
        gemms[WL_WORK_GEMMS_MAX]; /* their products add up to macs, where gemm_count > 0 */
    int32_t gemm_count;
    enum wl_access access;
    const struct wl_window *window; /* conv and pool, else NULL */
    int32_t partial_input;          /* index of an input of which only part is read, or WL_NONE */
    struct wl_dim partial_elems;    /* elements of it that are read */
    struct wl_dim steps;            /* sequential steps inside (recurrent): 1 otherwise */
    bool integer_macs;              /* multiplies integers (ConvInteger, QLinear*) */
};

#define WL_OPF_VIEW 1u        /* output aliases input 0 */
#define WL_OPF_META 2u        /* reads only the shape of its input */
#define WL_OPF_APPROX 4u      /* cost by a stated approximation */
#define WL_OPF_NONDET 8u      /* never folded: random */
#define WL_OPF_INPLACE 16u    /* may write its output over input 0 */
#define WL_OPF_BLOCKS 32u     /* has bodies */
#define WL_OPF_ACTIVATION 64u /* a map of one input that networks use as activation (Relu ...) */
#define WL_OPF_COMMUTATIVE 128u

struct wl_op_ctx;
typedef wl_status (*wl_infer_fn)(struct wl_op_ctx *c);
typedef void (*wl_value_fn)(struct wl_op_ctx *c);
typedef void (*wl_cost_fn)(struct wl_op_ctx *c, struct wl_work *w);

struct wl_arity {
    int16_t min, max; /* max -1: any number */
};

/*
 * One row. `since` is the newest opset version that this row describes; older forms are raised to
 * it in frontend/opset.c. `ops_per_elem` x elements (output; input for reductions) of `work` is the
 * default cost. `value` may be NULL.
 */
struct wl_op {
    const char *name;
    const char *domain; /* "" is ai.onnx */
    int16_t since;
    struct wl_arity in, out;
    enum wl_op_kind kind;
    enum wl_fuse_role fuse;
    int32_t ops_per_elem;
    enum wl_work_kind work;
    wl_infer_fn infer;
    wl_value_fn value;
    wl_cost_fn cost;
    uint32_t flags;
};

/*
 * What a row's functions see. Inference fills the output tensors through the helpers of ops_priv.h;
 * they never fail on unknown input, they leave the output unknown.
 */
struct wl_op_ctx {
    struct wl_graph *g;
    int32_t node_id;
    const struct wl_node *node;
    /* Infers a body whose input tensors have been typed; given by the frontend. */
    wl_status (*infer_block)(void *user, int32_t block, struct wl_error *err);
    void *user;
    struct wl_error *err;
};

/* NULL when no row has this name; domain "" and "ai.onnx" are the same. */
const struct wl_op *wl_op_find(struct wl_str domain, struct wl_str name);
/* All rows, for tests, fusion tables and `--help`: sorted by (domain, name). */
const struct wl_op *wl_op_table(int32_t *count);
/* Counts the work of every node of an inferred graph into g->work; sets node.status. */
wl_status wl_ops_count(struct wl_graph *g, struct wl_error *err) WL_MUST_CHECK;
/* Sum over ops[] that counts as FLOP, plus 2 per MAC; unknown when a part is. */
struct wl_dim wl_work_flops(struct wl_graph *g, const struct wl_work *w);

#endif
