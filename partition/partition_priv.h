/* SPDX-License-Identifier: Apache-2.0 */
/*
 * partition_priv.h: what the files of partition/ share. A run works on three coarser and coarser
 * views of the node table: units (one node, or an idiom such as GELU put together again), groups
 * (units that one kernel executes) and the descriptors of the result.
 */
#ifndef WL_PARTITION_PRIV_H
#define WL_PARTITION_PRIV_H

#include "partition.h"

/* ---- primitives: the operators that idioms are made of --------------------------------------- */

/* Codes 1 to PRIM_COUNT - 1 name operators; the ones after are wild cards of the idiom language. */
enum prim {
    PRIM_NONE,
    PRIM_ADD,
    PRIM_SUB,
    PRIM_MUL,
    PRIM_DIV,
    PRIM_POW,
    PRIM_NEG,
    PRIM_EXP,
    PRIM_LOG,
    PRIM_ERF,
    PRIM_TANH,
    PRIM_SQRT,
    PRIM_RECIPROCAL,
    PRIM_SIGMOID,
    PRIM_HARD_SIGMOID,
    PRIM_SOFTPLUS,
    PRIM_CLIP,
    PRIM_RELU,
    PRIM_LEAKY_RELU,
    PRIM_HARD_SWISH,
    PRIM_WHERE,
    PRIM_IS_NAN,
    PRIM_MIN,
    PRIM_MAX,
    PRIM_CAST,
    PRIM_MEAN,
    PRIM_SUM,
    PRIM_RMAX,
    PRIM_CONV,
    PRIM_CONV_TRANSPOSE,
    PRIM_MATMUL,
    PRIM_GEMM,
    PRIM_EINSUM,
    PRIM_SOFTMAX,
    PRIM_LAYER_NORM,
    PRIM_INSTANCE_NORM,
    PRIM_BATCH_NORM,
    PRIM_TRANSPOSE,
    PRIM_CONCAT,
    PRIM_SLICE,
    PRIM_SPLIT,
    PRIM_PAD,
    PRIM_GATHER,
    PRIM_EXPAND,
    PRIM_QUANTIZE,
    PRIM_DEQUANTIZE,
    PRIM_GELU,
    PRIM_AVERAGE_POOL,
    PRIM_GLOBAL_AVERAGE_POOL,
    PRIM_MAX_POOL,
    PRIM_COUNT,
    IDIOM_END,
    IDIOM_X,     /* the idiom's input: the same tensor wherever it occurs */
    IDIOM_ANY,   /* any tensor */
    IDIOM_CONST, /* a constant tensor */
    IDIOM_SCALE, /* + child: Mul or Div of it by a constant */
    IDIOM_OR     /* + two alternatives */
};

/* What role a unit plays for the fusion table. */
enum part {
    PART_OTHER,
    PART_CONV,
    PART_GEMM,
    PART_ATTENTION,
    PART_POOL,
    PART_NORM,
    PART_BATCH_NORM, /* an affine map per channel at inference */
    PART_SOFTMAX,
    PART_REDUCE,
    PART_MOVE,
    PART_PAD,
    PART_BIAS,  /* + a constant vector */
    PART_SCALE, /* x a constant */
    PART_ACT,   /* activation of one operator and one input */
    PART_ACTX,  /* activation that is several operators or rarely built into kernels */
    PART_GELU,  /* the exact one, by the error function */
    PART_ADD,   /* of two activations over one iteration space */
    PART_GATE,  /* product of two activations; squeeze-excite scale where one is broadcast */
    PART_CAST,
    PART_MAP, /* every other element-wise operator */
    PART_QUANTIZE,
    PART_COUNT
};

#define PART_BIT(p) (1u << (p))
#define PARTS_POINTWISE                                                                            \
    (PART_BIT(PART_BATCH_NORM) | PART_BIT(PART_BIAS) | PART_BIT(PART_SCALE) | PART_BIT(PART_ACT) | \
     PART_BIT(PART_ACTX) | PART_BIT(PART_GELU) | PART_BIT(PART_ADD) | PART_BIT(PART_GATE) |        \
     PART_BIT(PART_CAST) | PART_BIT(PART_MAP))

struct prim_row {
    const char *op; /* operator name, default domain */
    enum prim prim;
    enum part part;    /* PART_OTHER: by the operator's kind */
    const char *label; /* in pattern names; NULL: the operator's name in lower case */
};
extern const struct prim_row wl_prim_rows[];
extern const int32_t wl_prim_row_count;

/* ---- profiles -------------------------------------------------------------------------------- */

/* What a profile can do; each row of the fusion table and of the idiom table needs one. */
#define WL_FUSE_FEATURES(X)                                                                        \
    X(IDIOM_ACT, "puts decomposed activations (GELU, SiLU, hard-swish, Mish) together")            \
    X(IDIOM_NORM, "puts decomposed layer and RMS normalisation together")                          \
    X(IDIOM_SOFTMAX, "puts decomposed softmax together")                                           \
    X(IDIOM_ROPE, "puts rotary position embedding together")                                       \
    X(ATTENTION, "one kernel for scaled dot-product attention")                                    \
    X(ATTENTION_LAYOUT, "attention reads and writes transposed heads in place")                    \
    X(QDQ, "QuantizeLinear and DequantizeLinear vanish into their neighbours")                     \
    X(QDQ_UNITS, "some operators between dequantisers and quantisers run in integers (qdq.c)")     \
    X(VIEWS, "views between two operators do not keep them apart")                                 \
    X(FIRST_OPERAND, "the first operand that can take an operator does, not the longest chain")    \
    X(DECONV, "transposed convolutions take what convolutions take")                               \
    X(CONV_BN, "batch normalisation into the convolution")                                         \
    X(BN_ACT, "activation after a batch normalisation on its own")                                 \
    X(CONV_AFFINE, "constant bias and scale into the convolution")                                 \
    X(CONV_ACT, "simple activations into the convolution")                                         \
    X(CONV_ACTX, "composite activations into the convolution")                                     \
    X(CONV_ADD, "residual addition into the convolution")                                          \
    X(CONV_ADD_ACT, "activation after the residual addition")                                      \
    X(CONV_ACT_ADD, "residual addition after the activation")                                      \
    X(CONV_CHAIN, "any element-wise chain into the convolution")                                   \
    X(GEMM_BIAS, "constant bias into the matrix product")                                          \
    X(GEMM_MATRIX_BIAS, "constant bias into products of two matrices")                             \
    X(GEMM_SCALE, "constant factor into the matrix product")                                       \
    X(GEMM_ALPHA, "constant scalar factor into the matrix product")                                \
    X(GEMM_ACT, "simple activations into the matrix product")                                      \
    X(GEMM_MATRIX_ACT, "simple activations into products of two matrices")                         \
    X(GEMM_ACTX, "composite activations into the matrix product")                                  \
    X(GEMM_ADD, "residual addition into the matrix product")                                       \
    X(GEMM_OPERANDS, "transposed and scaled operands read as they are")                            \
    X(GEMM_CHAIN, "any element-wise chain into the matrix product")                                \
    X(GATE, "gate (product with another tensor) into the operator before")                         \
    X(MAP_CHAIN, "element-wise chains")                                                            \
    X(MAP_BRANCH, "element-wise operators that share an input or an intermediate result")          \
    X(BIAS_GELU, "constant bias before a GELU")                                                    \
    X(NORM_CHAIN, "element-wise chains after a normalisation or softmax")                          \
    X(POOL_CHAIN, "element-wise chains after pooling and reductions")                              \
    X(SKIP_NORM, "addition before a normalisation")                                                \
    X(MAP_NORM, "element-wise chains before a normalisation or softmax")                           \
    X(MAP_REDUCE, "element-wise chains before a reduction")                                        \
    X(MOVE_CHAIN, "copies fused with element-wise chains")                                         \
    X(PAD, "padding into the window that follows")                                                 \
    X(PROLOGUE, "gates and scales into the product that reads them")                               \
    X(MLP, "two matrix products whose intermediate result stays on chip")

enum fuse_feature_index {
#define WL_X(id, text) FEATURE_INDEX_##id,
    WL_FUSE_FEATURES(WL_X)
#undef WL_X
        FEATURE_COUNT
};

#define F(id) ((uint64_t)1 << FEATURE_INDEX_##id)

struct profile {
    const char *name;
    uint64_t features;
};
/* NULL when unknown. */
const struct profile *wl_partition_profile(const char *name);

/* ---- state of a run -------------------------------------------------------------------------- */

/* What becomes of a node. */
enum exec {
    EXEC_SKIP,    /* folded before inference, or never executed */
    EXEC_FREE,    /* view or shape arithmetic: transparent for data */
    EXEC_CONTROL, /* If, Loop, Scan: its bodies are executed, itself does nothing */
    EXEC_DEQUANT, /* absorbed DequantizeLinear: its reader takes the quantised tensor */
    EXEC_RUN
};

enum end_reason {
    END_NONE,
    END_GRAPH_OUTPUT,
    END_BODY_OUTPUT,
    END_SEVERAL_READERS,
    END_NO_READER,
    END_NO_RULE,
    END_SHAPE,
    END_OTHER_BRANCH,
    END_VIEW,
    END_LOOP,
    END_BUDGET,
    END_OUTPUTS
};

#define GROUP_LABELS_MAX 6

struct group {
    int32_t anchor;      /* unit that names it */
    int32_t tail;        /* unit that joined last */
    int32_t stopped_at;  /* unit that `reason` speaks of */
    uint32_t anchor_bit; /* PART_BIT of the anchor */
    uint8_t state;
    uint8_t reason;
    uint8_t label_count; /* GROUP_LABELS_MAX + 1: more than fit */
    bool open;           /* results other than the tail's are read outside */
    bool read_outside;   /* an outside unit has read one of its results */
    int32_t id;          /* in execution order: index of the subgraph */
    const char *labels[GROUP_LABELS_MAX];
};

/* Bodies of control flow, by the node and by the inputs they hang on. All NULL without any. */
struct bodies {
    int32_t *control; /* by tensor: control node whose body has it as input, or WL_NONE */
    int32_t *first;   /* by node: a body, or WL_NONE */
    int32_t *next;    /* by block: the next body of the same node */
    int32_t *taken;   /* by node: the branch of an If that is charged, or WL_NONE */
};

#define SOLE_NONE (-1)
#define SOLE_MANY (-2)

struct run {
    struct wl_graph *g;
    const struct wl_partition_options *options;
    struct wl_arena *arena;   /* of the result */
    struct wl_arena *scratch; /* of this run */
    struct wl_error *err;
    uint64_t features;
    uint8_t *op_prim;        /* by row of the operator table: index into wl_prim_rows, plus 1 */
    const struct wl_op *ops; /* the operator table */
    int32_t op_count;
    /* by node */
    uint8_t *exec;
    uint8_t *prim;
    uint8_t *part;     /* of a unit, at its root */
    bool *integer;     /* executed in integers, or absorbed by what is: qdq.c */
    int32_t *unit;     /* root of the unit that the node belongs to: its last node */
    int32_t *input;    /* of an idiom, at its root: the tensor it reads; WL_NONE for one node */
    int32_t *group;    /* by unit root, then by node: group index or WL_NONE */
    int32_t *position; /* in the schedule */
    int32_t *depth;
    const char **label; /* of an idiom, at its root; NULL for one node */
    /* by tensor */
    int32_t *root;    /* the tensor whose bytes it is */
    int32_t *sole;    /* of a root tensor: the only unit that reads it, SOLE_NONE, SOLE_MANY */
    uint8_t *escapes; /* of a root tensor: read from outside: ESCAPE_* */
    int64_t *elems;   /* cache: -2 not asked, -1 unknown */
    struct bodies bodies;
    bool nomem;         /* a label could not be stored */
    bool dynamic_views; /* a view's shape is computed by executed nodes */
    /* filled by wl_partition_order */
    int32_t *node_list;  /* nodes by group, in schedule order */
    int32_t *node_start; /* by group, group_count + 1 */
    struct group *groups;
    int32_t group_count;
};

#define ESCAPE_OUTPUT 1u
#define ESCAPE_BODY 2u

/* nodes.c */
wl_status wl_partition_classify(struct run *r) WL_MUST_CHECK;
wl_status wl_partition_readers(struct run *r) WL_MUST_CHECK;
void wl_partition_parts(struct run *r);
int64_t wl_partition_elems(struct run *r, int32_t tensor);
bool wl_partition_is_constant(const struct run *r, int32_t tensor);
/* Values known from shapes alone, in a tensor of at most WL_SHAPE_ELEMS_MAX elements. */
#define WL_SHAPE_ELEMS_MAX 64
bool wl_partition_is_shape(const struct wl_tensor *t);
/* All results of the node are such. */
bool wl_partition_is_shape_arithmetic(const struct wl_graph *g, const struct wl_node *n);
/* The unit that computes a tensor's bytes (through views); WL_NONE for inputs and constants. */
int32_t wl_partition_producer(const struct run *r, int32_t tensor);
const char *wl_partition_label(const struct run *r, int32_t unit);

/* qdq.c: after `prim` is known, before `exec` */
void wl_partition_integers(struct run *r);

/* idioms.c, attention.c */
wl_status wl_partition_idioms(struct run *r) WL_MUST_CHECK;
wl_status wl_partition_attention(struct run *r) WL_MUST_CHECK;

/* operands.c: after the readers are known; keeps them up to date */
wl_status wl_partition_operands(struct run *r) WL_MUST_CHECK;

/* fuse.c */
wl_status wl_partition_fuse(struct run *r) WL_MUST_CHECK;
const char *wl_partition_reason(struct run *r, const struct group *grp);

/* order.c: dependencies, execution order, levels. Renumbers the groups into execution order. */
wl_status wl_partition_order(struct run *r, struct wl_partition *out) WL_MUST_CHECK;

wl_status wl_partition_bodies(const struct wl_graph *g, struct wl_arena *arena, struct bodies *out,
                              struct wl_error *err) WL_MUST_CHECK;
/* The shape of a tensor of known shape, or arithmetic on such: waits for nothing. */
bool wl_partition_is_shape_only(const struct wl_graph *g, const struct wl_node *n);

/* describe.c */
wl_status wl_partition_describe(struct run *r, struct wl_partition *out) WL_MUST_CHECK;

#endif
