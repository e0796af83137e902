/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frontend_priv: what the files of frontend/ share. The order of work is that of model.c: scan the
 * bytes, unpack the shell, bind dimensions, import nodes (inlining functions, raising old forms),
 * sort, infer, multiply trip counts, count parameters.
 */
#ifndef WL_FRONTEND_PRIV_H
#define WL_FRONTEND_PRIV_H

#include "frontend.h"
#include "onnx.pb-c.h"

/* ---- scan.c --------------------------------------------------------------------------------- */

/* A node of the main graph, in the file where the scan left nothing out of it, else in `nodes`. */
struct wl_scan_span {
    size_t offset;
    size_t bytes;
    bool in_file;
};

/* A growing byte buffer on the heap. */
struct wl_scan_buf {
    uint8_t *data;
    size_t bytes;
    size_t capacity;
};

/*
 * What the walk leaves of a file: the model without the nodes of its main graph (`shell`), and
 * those nodes one by one. Payloads of large tensors, documentation and training are cut out. The
 * file's bytes must outlive it.
 */
struct wl_scan {
    const uint8_t *file;
    struct wl_scan_buf shell;
    struct wl_scan_buf nodes;
    struct wl_scan_span *spans; /* by node */
    int32_t node_count;
    int32_t node_capacity;
    int32_t absent_payloads; /* tensors without any data, in this file or another */
};

/* Tensors of up to this many elements keep their payload: integers and bools; strings; the rest. */
#define WL_SCAN_KEEP_INTS WL_VALUE_MAX
#define WL_SCAN_KEEP_OTHERS 1024
#define WL_SCAN_KEEP_STRINGS 256
#define WL_SCAN_KEEP_BYTES 65536
#define WL_SCAN_DEPTH_MAX 64

wl_status wl_scan_run(const uint8_t *bytes, size_t count, const char *path, struct wl_scan *out,
                      struct wl_error *err);
/* The same; pages of a mapped file are given back to the kernel as the walk passes them. */
wl_status wl_scan_file(const struct wl_file *file, const char *path, struct wl_scan *out,
                       struct wl_error *err);
const uint8_t *wl_scan_node(const struct wl_scan *s, int32_t i);
void wl_scan_done(struct wl_scan *s);

/* Private flag of a tensor: the output of a call, until a node inside the function produces it. */
#define FE_AWAITS 0x80000000u
/* Meaning of a name in a call that omits that input. */
#define FE_OMITTED (-2)

/* ---- import state --------------------------------------------------------------------------- */

/* An attribute with the scope in which the names inside it are to be read. */
struct wl_fe_arg {
    const Onnx__AttributeProto *proto;
    const struct wl_fe_env *env;
};

/* Scope of names and attributes: the model itself, or one call of a local function. */
struct wl_fe_env {
    const Onnx__FunctionProto *fn;  /* NULL: the model */
    const struct wl_fe_env *caller; /* NULL: the model */
    const char *prefix;             /* of every name in it, "" for the model */
    size_t prefix_len;
    const struct wl_fe_arg *args; /* attributes given or defaulted */
    const char *const *arg_names;
    int32_t arg_count;
    int32_t depth;
    Onnx__OperatorSetIdProto *const *opsets;
    size_t opset_count;
};

struct wl_raise_rule;

/* What an operator name means in one scope: looked up once, then cached. */
struct wl_fe_op {
    struct wl_str type;
    struct wl_str domain;
    const Onnx__FunctionProto *fn; /* local function, else NULL */
    const struct wl_op *op;
    const struct wl_raise_rule *rules;
    int32_t version;
};

/* An input that was not defined when its node was read. */
struct wl_fe_fixup {
    int32_t *slot;
    int32_t name;
    int32_t node;
};

/* What a name meant before an inner scope defined it anew. */
struct wl_fe_undo {
    int32_t name;
    int32_t tensor;
};

/* Operand B of an operator older than opset 7, to be aligned with axis `axis` of operand A. */
struct wl_fe_align {
    int32_t node; /* the Unsqueeze put in front of B */
    int32_t a;
    int32_t axis;
};

/* A Reshape with a constant target, as exported: shapes before and after, all dims known. */
struct wl_fe_reshape {
    int32_t in_rank, out_rank;
    const struct wl_dim *in, *out;
};

struct wl_fe {
    struct wl_model *m;
    struct wl_graph *g;
    const struct wl_frontend_options *opt;
    const char *path;
    struct wl_error *err;
    const Onnx__ModelProto *model;
    struct wl_scan scan;
    struct wl_arena shell; /* unpacked shell; also nodes that carry bodies */
    struct wl_arena work;  /* tables below */
    struct wl_arena key;   /* strings put together, for one look-up */

    int32_t *tensor_of_name;              /* by name id; WL_NONE */
    const Onnx__TypeProto **type_of_name; /* declared types by name id, or NULL */
    int32_t name_capacity;
    const Onnx__TypeProto **type_of_tensor; /* the same by tensor */
    int32_t type_capacity;
    struct wl_fe_undo *undo;
    int32_t undo_count, undo_capacity;
    struct wl_fe_fixup *fixups;
    int32_t fixup_count, fixup_capacity;
    struct wl_strmap op_names; /* keys of ops */
    struct wl_fe_op *ops;
    int32_t op_capacity;
    struct wl_strmap functions; /* "domain\1name\1overload" -> index of model->functions */
    struct wl_strmap symbols;   /* names of dims in the file */
    struct wl_dim *symbol_dims; /* by id in symbols */
    int32_t symbol_capacity;
    int32_t node_limit; /* nodes after inlining */
    int32_t calls;      /* of functions, so far */
    bool unsorted;      /* a node came before one that it depends on */

    struct wl_fe_align *aligns;
    int32_t align_count, align_capacity;

    /* Re-batching of a model exported with a fixed batch; old_batch is 0 otherwise. */
    int64_t old_batch, new_batch;
    struct wl_fe_reshape *reshapes;
    bool *conflicts;     /* by node: it contradicts itself as exported */
    int32_t *reshape_of; /* by node: index in reshapes plus 1; NULL when there is none */
    int32_t reshape_count, reshape_capacity;

    int32_t *first_body; /* by node: first of its blocks, chained by body_next; WL_NONE */
    int32_t *body_next;  /* by block */
    bool *inferred;      /* by block: reached in the current pass */
    int64_t inferences, inference_limit;
    int32_t depth;
};

/* ---- import.c ------------------------------------------------------------------------------- */

/* Graph, inputs, initializers, nodes and outputs of the model. */
wl_status wl_fe_import(struct wl_fe *fe);
/* Imports one node (or the function it calls) into `block`. */
wl_status wl_fe_import_node(struct wl_fe *fe, const Onnx__NodeProto *np,
                            const struct wl_fe_env *env, int32_t block);
/* Grows the tables by name so that `name` is inside. */
wl_status wl_fe_names_reserve(struct wl_fe *fe, int32_t name);
/* Id of a name of the file in a scope; WL_NONE on exhaustion. */
int32_t wl_fe_name(struct wl_fe *fe, const struct wl_fe_env *env, const char *z);
/* New tensor; its declared type is that of the name. WL_NONE on exhaustion. */
int32_t wl_fe_tensor_add(struct wl_fe *fe, int32_t name, enum wl_tensor_kind kind, int32_t block);
/* The tensor that an output name of a new node stands for: new, or waiting for this producer. */
wl_status wl_fe_output(struct wl_fe *fe, int32_t name, int32_t block, int32_t *out);
/* Makes `tensor` the meaning of `name` until the scope ends. */
wl_status wl_fe_define(struct wl_fe *fe, int32_t name, int32_t tensor);
wl_status wl_fe_declare(struct wl_fe *fe, const struct wl_fe_env *env, size_t count,
                        Onnx__ValueInfoProto *const *infos);
/* Adds a node without inputs and outputs to `block`. WL_NONE on exhaustion. */
int32_t wl_fe_add_node(struct wl_fe *fe, int32_t block, const char *name, const char *op_type);
wl_status wl_fe_block_append(struct wl_fe *fe, int32_t block, int32_t node);
/* Appends "name" of a tensor in a message; NUL-terminated for %s. */
const char *wl_fe_tensor_z(const struct wl_fe *fe, int32_t tensor);

/* ---- attr.c --------------------------------------------------------------------------------- */

/* Dims, element type and small value of a stored tensor. */
wl_status wl_fe_tensor_attr(struct wl_fe *fe, const Onnx__TensorProto *tp,
                            struct wl_attr_tensor *out);
wl_status wl_fe_sparse_attr(struct wl_fe *fe, const Onnx__SparseTensorProto *sp,
                            struct wl_attr_tensor *out);
/* Every kind but graphs, which import.c reads. */
wl_status wl_fe_attr(struct wl_fe *fe, const Onnx__AttributeProto *ap, struct wl_attr *out);
/* The type of an attribute, guessed from its content where the file (IR version 1) gives none. */
int wl_fe_attr_type(const Onnx__AttributeProto *ap);

/* ---- types.c -------------------------------------------------------------------------------- */

/* Element type and kind of a declared type; `shape` is NULL where none is declared. */
struct wl_fe_type {
    enum wl_type_kind kind;
    enum wl_dtype dtype;
    const Onnx__TensorShapeProto *shape;
};

struct wl_fe_type wl_fe_type_read(const Onnx__TypeProto *tp);
bool wl_fe_type_known(const Onnx__TypeProto *tp);
/* Type of an input of the main graph: unnamed dims become symbols, the batch is bound. */
wl_status wl_fe_type_input(struct wl_fe *fe, int32_t tensor, const Onnx__TypeProto *tp,
                           bool is_first);
/* A default value of an input: its bits may be stored as an integer type of the same width. */
void wl_fe_type_stored(struct wl_tensor *t, const Onnx__TypeProto *declared);
/* Fills what inference left unknown in `tensor`; diagnoses a contradiction. */
wl_status wl_fe_type_merge(struct wl_fe *fe, int32_t tensor, const Onnx__TypeProto *tp);

/* ---- functions.c ---------------------------------------------------------------------------- */

wl_status wl_fe_functions_index(struct wl_fe *fe);
const Onnx__FunctionProto *wl_fe_function_find(struct wl_fe *fe, const Onnx__NodeProto *np);
wl_status wl_fe_function_inline(struct wl_fe *fe, const Onnx__NodeProto *np,
                                const Onnx__FunctionProto *fn, const struct wl_fe_env *caller,
                                int32_t block);
/* Follows ref_attr_name through the calls; proto NULL when the caller gave nothing. */
struct wl_fe_arg wl_fe_arg_resolve(const Onnx__AttributeProto *ap, const struct wl_fe_env *env);

/* ---- sort.c --------------------------------------------------------------------------------- */

/* Orders the nodes of every block so that each follows what it depends on; names a cycle. */
wl_status wl_fe_sort(struct wl_fe *fe);

/* ---- opset.c -------------------------------------------------------------------------------- */

/* First rule for an operator of the default domain, or NULL. */
const struct wl_raise_rule *wl_raise_find(struct wl_str op_type);
/* Applies the rules that are newer than the node's version. */
wl_status wl_raise_node(struct wl_fe *fe, const struct wl_raise_rule *first, int32_t node);
/* Before inference of an Unsqueeze that aligns an old operand: sets its axes. */
wl_status wl_raise_align(struct wl_fe *fe, int32_t node);
/* New constant tensor with a value, named after a node. WL_NONE on exhaustion. */
int32_t wl_fe_const_ints(struct wl_fe *fe, int32_t node, const char *role, const int64_t *values,
                         int32_t count, bool scalar);

/* ---- infer.c -------------------------------------------------------------------------------- */

wl_status wl_fe_infer(struct wl_fe *fe);

/* ---- repeat.c ------------------------------------------------------------------------------- */

/* For an If whose condition is known: which of its blocks runs; WL_NONE otherwise. */
int32_t wl_fe_if_taken(const struct wl_graph *g, int32_t node);
bool wl_fe_is_if(const struct wl_node *n);
/* Executions of every node: trip counts, branches taken. */
wl_status wl_fe_repeat(struct wl_fe *fe);

/* ---- bind.c --------------------------------------------------------------------------------- */

/* Before import: finds the batch, binds --batch, --dim and defaults. */
wl_status wl_fe_bind(struct wl_fe *fe);
/* After inference: unknown --dim names, unbound symbols. */
wl_status wl_fe_bind_check(struct wl_fe *fe);
/* Re-batching: remembers constant Reshapes (first pass), adapts them (second pass). */
wl_status wl_fe_rebatch_note(struct wl_fe *fe, int32_t node);
wl_status wl_fe_rebatch_adapt(struct wl_fe *fe, int32_t node);
wl_status wl_fe_rebatch_inputs(struct wl_fe *fe);
/* Shapes that contradict each other with the new batch and did not with the old: an error. */
wl_status wl_fe_rebatch_conflict(struct wl_fe *fe, int32_t node, bool complained);
/* After the second pass: an output that kept the old batch is diagnosed. */
void wl_fe_rebatch_check(struct wl_fe *fe);

/* ---- params.c ------------------------------------------------------------------------------- */

void wl_fe_count_parameters(struct wl_fe *fe);

#endif
