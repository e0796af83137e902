/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ir: the graph every stage reads. Tensors, nodes and blocks are array indices (int32_t); WL_NONE
 * is "none". Everything lives in the graph's arena. Symbolic dimensions are expressions in one
 * pool.
 *
 * One tensor table and one node table serve the main graph and all bodies of control flow: a body
 * (If, Loop, Scan) is a `wl_block` that lists its nodes; captured values are simply the same
 * tensors.
 */
#ifndef WL_IR_H
#define WL_IR_H

#include "core.h"

struct wl_op; /* ops/ops.h */

/* ---- element types ------------------------------------------------------------------------ */

/* Numbers are ONNX's TensorProto.DataType. id, number, ONNX name, bits (0: not a fixed size). */
#define WL_DTYPES(X)                                                                               \
    X(UNDEFINED, 0, "UNDEFINED", 0)                                                                \
    X(FLOAT, 1, "FLOAT", 32)                                                                       \
    X(UINT8, 2, "UINT8", 8)                                                                        \
    X(INT8, 3, "INT8", 8)                                                                          \
    X(UINT16, 4, "UINT16", 16)                                                                     \
    X(INT16, 5, "INT16", 16)                                                                       \
    X(INT32, 6, "INT32", 32)                                                                       \
    X(INT64, 7, "INT64", 64)                                                                       \
    X(STRING, 8, "STRING", 0)                                                                      \
    X(BOOL, 9, "BOOL", 8)                                                                          \
    X(FLOAT16, 10, "FLOAT16", 16)                                                                  \
    X(DOUBLE, 11, "DOUBLE", 64)                                                                    \
    X(UINT32, 12, "UINT32", 32)                                                                    \
    X(UINT64, 13, "UINT64", 64)                                                                    \
    X(COMPLEX64, 14, "COMPLEX64", 64)                                                              \
    X(COMPLEX128, 15, "COMPLEX128", 128)                                                           \
    X(BFLOAT16, 16, "BFLOAT16", 16)                                                                \
    X(FLOAT8E4M3FN, 17, "FLOAT8E4M3FN", 8)                                                         \
    X(FLOAT8E4M3FNUZ, 18, "FLOAT8E4M3FNUZ", 8)                                                     \
    X(FLOAT8E5M2, 19, "FLOAT8E5M2", 8)                                                             \
    X(FLOAT8E5M2FNUZ, 20, "FLOAT8E5M2FNUZ", 8)                                                     \
    X(UINT4, 21, "UINT4", 4)                                                                       \
    X(INT4, 22, "INT4", 4)                                                                         \
    X(FLOAT4E2M1, 23, "FLOAT4E2M1", 4)                                                             \
    X(FLOAT8E8M0, 24, "FLOAT8E8M0", 8)                                                             \
    X(UINT2, 25, "UINT2", 2)                                                                       \
    X(INT2, 26, "INT2", 2)

enum wl_dtype {
#define WL_X(id, number, name, bits) WL_DT_##id = (number),
    WL_DTYPES(WL_X)
#undef WL_X
        WL_DT_COUNT
};

const char *wl_dtype_name(enum wl_dtype t);
int wl_dtype_bits(enum wl_dtype t);
bool wl_dtype_is_float(enum wl_dtype t); /* complex excluded */
bool wl_dtype_is_int(enum wl_dtype t);   /* signed or unsigned, bool excluded */
/* The precision that computes this type natively (FLOAT -> fp32, BOOL and UINT8 -> int8 ...). */
enum wl_precision wl_dtype_precision(enum wl_dtype t);

/* ---- dimensions --------------------------------------------------------------------------- */

/*
 * A dimension (or an element of a small integer tensor during value propagation): known, symbolic
 * (a polynomial over named symbols in the pool) or unknown. Values may be negative.
 */
struct wl_dim {
    int64_t value; /* when known */
    int32_t expr;  /* WL_EXPR_KNOWN, WL_EXPR_UNKNOWN, or an index into the pool */
};

#define WL_EXPR_KNOWN (-1)
#define WL_EXPR_UNKNOWN (-2)

static inline struct wl_dim wl_dim_known(int64_t v)
{
    return (struct wl_dim){v, WL_EXPR_KNOWN};
}

static inline struct wl_dim wl_dim_unknown(void)
{
    return (struct wl_dim){0, WL_EXPR_UNKNOWN};
}

static inline bool wl_dim_is_known(struct wl_dim d)
{
    return d.expr == WL_EXPR_KNOWN;
}

static inline bool wl_dim_is_symbolic(struct wl_dim d)
{
    return d.expr >= 0;
}

static inline bool wl_dim_is_unknown(struct wl_dim d)
{
    return d.expr == WL_EXPR_UNKNOWN;
}

static inline bool wl_dim_is(struct wl_dim d, int64_t v)
{
    return d.expr == WL_EXPR_KNOWN && d.value == v;
}

/* Equal for certain: both known and equal, or the same expression (expressions are hash-consed). */
static inline bool wl_dim_eq(struct wl_dim a, struct wl_dim b)
{
    return a.expr == b.expr && a.expr != WL_EXPR_UNKNOWN &&
           (a.expr != WL_EXPR_KNOWN || a.value == b.value);
}

/* Different for certain (both known and unequal). */
static inline bool wl_dim_ne(struct wl_dim a, struct wl_dim b)
{
    return wl_dim_is_known(a) && wl_dim_is_known(b) && a.value != b.value;
}

/*
 * Pool of symbols and expressions. Errors are sticky (`overflow`, `nomem`): arithmetic never fails,
 * it returns unknown and sets the flag; the inference loop looks at the flags after each node.
 */
struct wl_symbol {
    const char *name;
    struct wl_dim bound; /* known when --dim or --batch bound it */
    int64_t upper;       /* upper bound where one follows, else -1 */
    bool data_dependent; /* its size depends on data (NonZero ...) */
    bool used;           /* a binding that nothing used is an error */
};

struct wl_dim_pool {
    struct wl_arena *arena;
    struct wl_symbol *symbols;
    int32_t symbol_count;
    int32_t symbol_capacity;
    struct wl_strmap symbol_ids; /* names: the id is the index in symbols */
    struct wl_expr *exprs;       /* private to ir/dim.c */
    int32_t expr_count;
    int32_t expr_capacity;
    int32_t *hash;
    uint32_t hash_mask;
    bool overflow;
    bool nomem;
};

wl_status wl_dim_pool_init(struct wl_dim_pool *p, struct wl_arena *arena) WL_MUST_CHECK;
/* The dim of a symbol by name (created at need): its bound value when bound, else symbolic. */
struct wl_dim wl_dim_symbol(struct wl_dim_pool *p, const char *name);
/* As above for a data-dependent size: remembers the upper bound (a known dim; else none). */
struct wl_dim wl_dim_data_symbol(struct wl_dim_pool *p, const char *name, struct wl_dim upper);
int32_t wl_dim_find_symbol(const struct wl_dim_pool *p, const char *name); /* or WL_NONE */
/* Binds before import or inference; a symbol that does not exist yet is created. */
void wl_dim_bind(struct wl_dim_pool *p, const char *name, int64_t value);

struct wl_dim wl_dim_add(struct wl_dim_pool *p, struct wl_dim a, struct wl_dim b);
struct wl_dim wl_dim_sub(struct wl_dim_pool *p, struct wl_dim a, struct wl_dim b);
struct wl_dim wl_dim_mul(struct wl_dim_pool *p, struct wl_dim a, struct wl_dim b);
struct wl_dim wl_dim_floor_div(struct wl_dim_pool *p, struct wl_dim a, struct wl_dim b);
struct wl_dim wl_dim_ceil_div(struct wl_dim_pool *p, struct wl_dim a, struct wl_dim b);
struct wl_dim wl_dim_mod(struct wl_dim_pool *p, struct wl_dim a, struct wl_dim b);
struct wl_dim wl_dim_min(struct wl_dim_pool *p, struct wl_dim a, struct wl_dim b);
struct wl_dim wl_dim_max(struct wl_dim_pool *p, struct wl_dim a, struct wl_dim b);
/* floor(d * f) for Resize and the like: symbolic d stays symbolic as a named function of it. */
struct wl_dim wl_dim_scale(struct wl_dim_pool *p, struct wl_dim d, double f);
/* a / b where b divides a without remainder for every binding; unknown if that cannot be shown. */
struct wl_dim wl_dim_exact_div(struct wl_dim_pool *p, struct wl_dim a, struct wl_dim b);
/* Short forms with a constant. */
struct wl_dim wl_dim_add_k(struct wl_dim_pool *p, struct wl_dim a, int64_t k);
struct wl_dim wl_dim_mul_k(struct wl_dim_pool *p, struct wl_dim a, int64_t k);
/* Known to be > k (uses that symbols are at least 1). False when it cannot be shown. */
bool wl_dim_gt(const struct wl_dim_pool *p, struct wl_dim a, int64_t k);

/*
 * The value with every data-dependent symbol at its upper bound. False where the dim is unknown, a
 * symbol has no bound, or another symbol is unbound (then *unbound is true; may be NULL).
 */
bool wl_dim_at_most(const struct wl_dim_pool *p, struct wl_dim d, int64_t *out, bool *unbound);

/* "224", "N", "2*N", "T+P", "floor((H-1)/2)+1"; "?" when unknown. */
void wl_dim_print(const struct wl_dim_pool *p, struct wl_dim d, struct wl_buf *out);

/* ---- values, shapes, tensors -------------------------------------------------------------- */

/* A small constant tensor known during inference, row-major. Integers (and bools) as dims. */
struct wl_value {
    int64_t count;
    struct wl_dim *ints; /* one of the two is set (both NULL when count is 0) */
    double *floats;
    bool is_float;
};

/* Larger tensors are never propagated: shapes and indices are small. */
#define WL_VALUE_MAX 4096
#define WL_RANK_MAX 32

enum wl_type_kind {
    WL_TYPE_TENSOR,
    WL_TYPE_SPARSE,
    WL_TYPE_SEQUENCE, /* of tensors: dtype and dims are the element's, `length` the sequence's */
    WL_TYPE_OPTIONAL, /* of a tensor: dtype and dims are the element's */
    WL_TYPE_OPTIONAL_SEQUENCE,
    WL_TYPE_MAP,
    WL_TYPE_OPAQUE,
    WL_TYPE_UNKNOWN
};

enum wl_tensor_kind {
    WL_TENSOR_ACTIVATION,  /* produced by a node */
    WL_TENSOR_INPUT,       /* fed by the caller */
    WL_TENSOR_INITIALIZER, /* stored in the file: a weight or a constant */
    WL_TENSOR_CONSTANT,    /* produced by a node from constants alone: folded before inference */
    WL_TENSOR_KIND_COUNT
};
const char *wl_tensor_kind_name(enum wl_tensor_kind k);

#define WL_TENSOR_IS_OUTPUT 1u /* of the main graph */
#define WL_TENSOR_IS_KV 2u     /* KV cache (past or present), by the names exporters use */
#define WL_TENSOR_IN_BODY 4u   /* belongs to a body of control flow */
#define WL_TENSOR_QUANTIZED 8u /* carries quantised data between QDQ pairs (set by partition) */
#define WL_TENSOR_DECLARED 16u /* the file declares its type (value_info, input, output) */

struct wl_tensor {
    int32_t name; /* id in graph.names */
    enum wl_dtype dtype;
    enum wl_type_kind type_kind;
    enum wl_tensor_kind kind;
    int32_t rank; /* WL_NONE: unknown */
    struct wl_dim *dims;
    struct wl_dim length; /* of a sequence */
    const struct wl_value *value;
    const struct wl_str *strings; /* elements of a small stored STRING tensor, else NULL */
    int32_t producer;             /* node or WL_NONE */
    int32_t block;                /* where it was defined */
    uint32_t flags;
    int32_t first_consumer; /* into graph.consumers, after wl_graph_index */
    int32_t consumer_count; /* distinct nodes */
    int64_t stored_elems;   /* of an initializer: elements in the file (sparse: all of the dense) */
};

/* ---- attributes --------------------------------------------------------------------------- */

enum wl_attr_type {
    WL_ATTR_FLOAT,
    WL_ATTR_INT,
    WL_ATTR_STRING,
    WL_ATTR_TENSOR,
    WL_ATTR_BLOCK,
    WL_ATTR_FLOATS,
    WL_ATTR_INTS,
    WL_ATTR_STRINGS,
    WL_ATTR_BLOCKS,
    WL_ATTR_TENSORS,
    WL_ATTR_TYPE
};

/* A tensor given as an attribute (Constant.value ...): type, shape, and the value when small. */
struct wl_attr_tensor {
    enum wl_dtype dtype;
    int32_t rank;
    int64_t *dims;
    const struct wl_value *value;
    const struct wl_str *strings; /* of a small STRING tensor, else NULL */
    int64_t stored_elems;
};

struct wl_attr {
    struct wl_str name;
    enum wl_attr_type type;
    int32_t count; /* of the lists */
    union {
        int64_t i;
        double f;
        struct wl_str s;
        int32_t block;
        const struct wl_attr_tensor *tensor;
        const int64_t *ints;
        const double *floats;
        const struct wl_str *strings;
        const int32_t *blocks;
        struct {
            enum wl_type_kind type_kind;
            enum wl_dtype dtype;
            int32_t rank;
            struct wl_dim *dims;
        } type_proto;
    } u;
};

/* ---- nodes, blocks, graph ------------------------------------------------------------------ */

enum wl_node_status {
    WL_NODE_MODELLED,     /* shapes and cost follow the operator's definition */
    WL_NODE_APPROXIMATED, /* cost by a stated approximation */
    WL_NODE_IGNORED,      /* unknown operator or no cost: counted as zero work, with a diagnostic */
    WL_NODE_FREE,         /* view, shape arithmetic: no work by definition */
    WL_NODE_FOLDED,       /* from constants alone: done once, before inference */
    WL_NODE_STATUS_COUNT
};
const char *wl_node_status_name(enum wl_node_status s);

struct wl_node {
    struct wl_str name;     /* the file's, or "<op>_<index>" */
    struct wl_str op_type;  /* as in the file, before raising */
    struct wl_str domain;   /* "" is ai.onnx */
    const struct wl_op *op; /* NULL: unknown operator */
    const int32_t *inputs;  /* tensor ids; WL_NONE: omitted */
    const int32_t *outputs;
    const struct wl_attr *attrs;
    int32_t input_count;
    int32_t output_count;
    int32_t attr_count;
    int32_t block;   /* that it belongs to */
    int32_t version; /* opset version that the file imports for its domain */
    enum wl_node_status status;
    struct wl_dim repeat; /* executions per inference: trip counts of the enclosing loops */
};

/* The main graph (index 0) or a body. Lists are in execution order. */
struct wl_block {
    struct wl_str name;
    int32_t parent_node; /* WL_NONE for the main graph */
    int32_t parent_block;
    int32_t *inputs;
    int32_t *outputs;
    int32_t *nodes;
    int32_t input_count;
    int32_t output_count;
    int32_t node_count;
};

struct wl_opset {
    struct wl_str domain;
    int64_t version;
};

struct wl_graph {
    struct wl_arena *arena;
    struct wl_strmap names;
    struct wl_dim_pool dims;
    struct wl_diag_list *diags;
    struct wl_tensor *tensors;
    struct wl_node *nodes;
    struct wl_block *blocks;
    int32_t tensor_count, tensor_capacity;
    int32_t node_count, node_capacity;
    int32_t block_count, block_capacity;
    int32_t *consumers; /* node ids, after wl_graph_index */
    int32_t *schedule;  /* all nodes in execution order, bodies after their control node */
    int32_t schedule_count;
    struct wl_work *work; /* by node, after wl_ops_count (ops/ops.h) */
    struct wl_opset *opsets;
    int32_t opset_count;
    int64_t ir_version;
    struct wl_str producer;
    struct wl_str name;
    const char *batch_symbol; /* name of the symbolic batch dimension, or NULL */
    int32_t batch_input;      /* tensor whose first dimension is the batch, or WL_NONE */
};

wl_status wl_graph_init(struct wl_graph *g, struct wl_arena *arena, struct wl_diag_list *diags,
                        struct wl_error *err) WL_MUST_CHECK;
/* New, empty entries; WL_NONE on exhaustion. Pointers into the tables move. */
int32_t wl_graph_add_tensor(struct wl_graph *g, int32_t name);
int32_t wl_graph_add_node(struct wl_graph *g);
int32_t wl_graph_add_block(struct wl_graph *g);
/* Builds consumers, output flags and the flat schedule. After import, and after any rewrite. */
wl_status wl_graph_index(struct wl_graph *g, struct wl_error *err) WL_MUST_CHECK;
/* Invariants, for debug builds and tests: WL_ERR_BUG names the first that fails. */
wl_status wl_graph_verify(const struct wl_graph *g, struct wl_error *err) WL_MUST_CHECK;

struct wl_str wl_tensor_name(const struct wl_graph *g, int32_t tensor);
/* `node "conv1" (Conv)`: for messages. Writes into `out` and returns it. */
const char *wl_node_where(const struct wl_graph *g, int32_t node, char *out, size_t out_size);
/* Product of the dims; 1 for a scalar; unknown when rank or a dim is. */
struct wl_dim wl_tensor_elems(struct wl_graph *g, int32_t tensor);
/* The same as a number: false unless every dim is known (then `*out` is the count). */
bool wl_tensor_elems_known(const struct wl_graph *g, int32_t tensor, int64_t *out);
bool wl_tensor_is_constant(const struct wl_tensor *t); /* initializer or folded */

/* NULL when absent. */
const struct wl_attr *wl_node_attr(const struct wl_node *n, const char *name);
int64_t wl_node_attr_int(const struct wl_node *n, const char *name, int64_t otherwise);
double wl_node_attr_float(const struct wl_node *n, const char *name, double otherwise);
/* An empty view when absent. */
struct wl_str wl_node_attr_str(const struct wl_node *n, const char *name);
/* WL_NONE when the input is omitted or beyond the list. */
int32_t wl_node_input(const struct wl_node *n, int32_t i);
int32_t wl_node_output(const struct wl_node *n, int32_t i);

/* ---- precision of an analysis -------------------------------------------------------------- */

/* What --precision, --weight-precision, --kv-precision ask for; NATIVE keeps the file's types. */
struct wl_precision_policy {
    enum wl_precision
        activations; /* floating-point tensors that are neither weights nor KV cache */
    enum wl_precision weights;
    enum wl_precision kv;
};

/* The precision in which `t` is stored under the policy (integers keep their type). */
enum wl_precision wl_policy_precision(const struct wl_precision_policy *p,
                                      const struct wl_tensor *t);
/* Bits per element of `t` in memory under the policy. */
int wl_policy_bits(const struct wl_precision_policy *p, const struct wl_tensor *t);

#endif
