/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops_priv: what the rows of the operator tables share. Access to a node's inputs and outputs,
 * shapes with symbolic dims, small values, cost by kind; and the functions that rows name.
 *
 * Conventions:
 * - Infer functions never fail on unknown or contradictory input: they leave the output unknown
 * (and say `shape-conflict` where the file contradicts itself). They fail for memory and limits
 * only.
 * - dims arrays and values are immutable once set: helpers share them between tensors.
 * - Every helper tolerates omitted inputs and outputs (WL_NONE).
 * - Dimension arithmetic goes through wl_dim_*, so that symbols carry through.
 */
#ifndef WL_OPS_PRIV_H
#define WL_OPS_PRIV_H

#include "ops.h"

/* ---- inputs and outputs ---------------------------------------------------------------------- */

static inline struct wl_dim_pool *wl_op_pool(const struct wl_op_ctx *c)
{
    return &c->g->dims;
}

/* NULL when omitted. Pointers hold while no tensor is added to the graph. */
struct wl_tensor *wl_op_in(const struct wl_op_ctx *c, int32_t i);
struct wl_tensor *wl_op_out(const struct wl_op_ctx *c, int32_t i);
bool wl_op_has_in(const struct wl_op_ctx *c, int32_t i);
bool wl_op_has_out(const struct wl_op_ctx *c, int32_t i);
/* WL_DT_UNDEFINED when omitted or unknown. */
enum wl_dtype wl_op_in_dtype(const struct wl_op_ctx *c, int32_t i);
/* WL_NONE when omitted or unknown. */
int32_t wl_op_in_rank(const struct wl_op_ctx *c, int32_t i);
int32_t wl_op_out_rank(const struct wl_op_ctx *c, int32_t i);
/* Negative axes count from the end. Unknown when the rank is, or the axis lies outside. */
struct wl_dim wl_op_in_dim(const struct wl_op_ctx *c, int32_t i, int32_t axis);
struct wl_dim wl_op_out_dim(const struct wl_op_ctx *c, int32_t i, int32_t axis);
/* Product of the dims; 1 for scalars, 0 for omitted, unknown where a dim is. */
struct wl_dim wl_op_in_elems(const struct wl_op_ctx *c, int32_t i);
struct wl_dim wl_op_out_elems(const struct wl_op_ctx *c, int32_t i);
/* Product of dims[from .. to). */
struct wl_dim wl_op_product(const struct wl_op_ctx *c, const struct wl_dim *dims, int32_t from,
                            int32_t to);
/* NULL when unknown or too large. Its elements may be symbolic or unknown dims. */
const struct wl_value *wl_op_in_value(const struct wl_op_ctx *c, int32_t i);

/* Omitted outputs are ignored. A tensor type; the type kind becomes TENSOR. */
void wl_op_set_dtype(struct wl_op_ctx *c, int32_t o, enum wl_dtype dtype);
/* Copies `dims`; a negative known dim, or a rank above WL_RANK_MAX, leaves the shape unknown. */
wl_status wl_op_set_shape(struct wl_op_ctx *c, int32_t o, int32_t rank, const struct wl_dim *dims);
wl_status wl_op_set(struct wl_op_ctx *c, int32_t o, enum wl_dtype dtype, int32_t rank,
                    const struct wl_dim *dims);
/* Shape of input i (shared, not copied); dtype stays. */
void wl_op_set_shape_of(struct wl_op_ctx *c, int32_t o, int32_t i);
/* dtype, type kind, shape of input i. */
void wl_op_set_same(struct wl_op_ctx *c, int32_t o, int32_t i);

/* Diagnostic `shape-conflict` at this node: the file contradicts itself. */
void wl_op_conflict(const struct wl_op_ctx *c, const char *fmt, ...) WL_PRINTF(2, 3);
/* Any other diagnostic at this node. */
void wl_op_diag(const struct wl_op_ctx *c, enum wl_severity severity, const char *code,
                const char *fmt, ...) WL_PRINTF(4, 5);

/* ---- attributes, axes, lists -------------------------------------------------------------------
 */

/* 0 <= *axis < rank afterwards; false when outside (or rank unknown). */
bool wl_op_axis(int64_t raw, int32_t rank, int32_t *axis);
/* An ints attribute into out[max]; returns the count, or WL_NONE when absent or longer than max. */
int32_t wl_op_attr_ints(const struct wl_op_ctx *c, const char *name, int64_t *out, int32_t max);
/* A constant integer input of known numbers into out[max]; count, or WL_NONE (unknown, omitted). */
int32_t wl_op_in_ints(const struct wl_op_ctx *c, int32_t i, int64_t *out, int32_t max);
/* As above, symbolic and unknown elements allowed: for shapes. Count, or WL_NONE. */
int32_t wl_op_in_dims(const struct wl_op_ctx *c, int32_t i, struct wl_dim *out, int32_t max);
/* The scalar of a constant integer input; unknown otherwise. */
struct wl_dim wl_op_in_scalar(const struct wl_op_ctx *c, int32_t i);
/* The number of a constant one-element input of any type; false when unknown. */
bool wl_op_in_number(const struct wl_op_ctx *c, int32_t i, double *out);
/* Marks axes of a list (negative allowed) in mask[rank]; false when one lies outside. */
bool wl_op_axes_mask(const int64_t *axes, int32_t count, int32_t rank, bool *mask);

/* ---- broadcasting
 * --------------------------------------------------------------------------------- */

/*
 * One pair of dims: 1 gives way; equal stay; a known size > 1 wins over a symbol (the symbol must
 * be it or 1); two different symbols are unknown. *conflict is set for two different sizes > 1.
 */
struct wl_dim wl_op_broadcast_dim(struct wl_dim a, struct wl_dim b, bool *conflict);
/* acc (of *rank, room for WL_RANK_MAX) becomes its broadcast with `dims`. False on conflict. */
bool wl_op_broadcast_into(struct wl_dim *acc, int32_t *rank, const struct wl_dim *dims,
                          int32_t dims_rank);
/* Output o gets the broadcast of inputs first .. first+count-1 (omitted ones skipped). */
wl_status wl_op_set_broadcast(struct wl_op_ctx *c, int32_t o, int32_t first, int32_t count);

/* ---- small values
 * ------------------------------------------------------------------------------------ */

/* NULL on exhaustion or count > WL_VALUE_MAX. Elements start at 0. */
struct wl_value *wl_value_new(const struct wl_op_ctx *c, int64_t count, bool is_float);
/* Attaches; ignored unless the output's shape is known and holds exactly v->count elements. */
void wl_op_set_value(struct wl_op_ctx *c, int32_t o, const struct wl_value *v);
struct wl_dim wl_value_int(const struct wl_value *v, int64_t i);
double wl_value_float(const struct wl_value *v, int64_t i); /* of either kind; NAN when unknown */
/* Known extents as numbers: false unless all known. `dims` of rank entries, out of WL_RANK_MAX. */
bool wl_op_known_dims(const struct wl_dim *dims, int32_t rank, int64_t *out);
bool wl_op_in_known_dims(const struct wl_op_ctx *c, int32_t i, int64_t *out);
bool wl_op_out_known_dims(const struct wl_op_ctx *c, int32_t o, int64_t *out);
/*
 * Output element -> flat index in a broadcast input: strides for `rank` output axes (0 where the
 * input has extent 1 or lacks the axis).
 */
void wl_op_broadcast_strides(const int64_t *in, int32_t in_rank, int32_t rank, int64_t *strides);
/* Steps a row-major counter; returns false after the last. */
bool wl_op_next_index(int64_t *index, const int64_t *dims, int32_t rank);

/* ---- cost
 * ---------------------------------------------------------------------------------------------- */

/* Adds `n` operations of `kind`. */
void wl_work_add(const struct wl_op_ctx *c, struct wl_work *w, enum wl_work_kind kind,
                 struct wl_dim n);
/* Adds k * n. */
void wl_work_add_k(const struct wl_op_ctx *c, struct wl_work *w, enum wl_work_kind kind, int64_t k,
                   struct wl_dim n);
/* As add_k, but INTEGER when input 0 holds integers or bools. */
void wl_work_add_typed(const struct wl_op_ctx *c, struct wl_work *w, enum wl_work_kind kind,
                       int64_t k, struct wl_dim n);
/* Appends a matrix view and adds its macs. With no room for the view only the macs are added. */
void wl_work_add_gemm(const struct wl_op_ctx *c, struct wl_work *w, struct wl_gemm view);
/* Only part of input i is read: `elems` of it. */
void wl_work_partial(struct wl_work *w, int32_t i, struct wl_dim elems);
/* True for integer and bool element types (4-bit and 8-bit floats are floats). */
bool wl_op_is_integer(enum wl_dtype t);

/* ---- functions of rows: general
 * ---------------------------------------------------------------------- */

wl_status wl_infer_same(struct wl_op_ctx *c);      /* every output: dtype and shape of input 0 */
wl_status wl_infer_broadcast(struct wl_op_ctx *c); /* dtype of input 0, broadcast of all inputs */
wl_status wl_infer_compare(struct wl_op_ctx *c);   /* BOOL, broadcast of all inputs */
wl_status wl_infer_bool_same(struct wl_op_ctx *c); /* BOOL, shape of input 0 */
void wl_value_copy(struct wl_op_ctx *c);           /* output 0 has input 0's value (views) */
void wl_cost_free(struct wl_op_ctx *c, struct wl_work *w);      /* views, shape arithmetic */
void wl_cost_move(struct wl_op_ctx *c, struct wl_work *w);      /* copies: bytes only, streamed */
void wl_cost_transpose(struct wl_op_ctx *c, struct wl_work *w); /* copies, transposing access */
void wl_cost_map(struct wl_op_ctx *c, struct wl_work *w);    /* ops_per_elem of `work` x output 0 */
void wl_cost_reduce(struct wl_op_ctx *c, struct wl_work *w); /* ops_per_elem of `work` x input 0 */

/* ---- functions of rows: arithmetic (infer_map.c, value_map.c)
 * ------------------------------------------ */

wl_status wl_infer_where(struct wl_op_ctx *c);
wl_status wl_infer_cast(struct wl_op_ctx *c);
wl_status wl_infer_cast_like(struct wl_op_ctx *c);
wl_status wl_infer_bit_cast(struct wl_op_ctx *c);
wl_status wl_infer_dropout(struct wl_op_ctx *c);
wl_status wl_infer_prelu(struct wl_op_ctx *c);
void wl_value_unary(struct wl_op_ctx *c);
void wl_value_binary(struct wl_op_ctx *c);
void wl_value_where(struct wl_op_ctx *c);
void wl_value_cast(struct wl_op_ctx *c);
void wl_value_variadic(struct wl_op_ctx *c);
void wl_value_clip(struct wl_op_ctx *c);
void wl_cost_variadic(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_activation(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_clip(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_cast(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_dropout(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_prelu(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_mod(struct wl_op_ctx *c, struct wl_work *w);

/* ---- functions of rows: convolution and pooling (infer_conv.c, infer_pool.c)
 * ----------------------------- */

wl_status wl_infer_conv(struct wl_op_ctx *c);
wl_status wl_infer_conv_integer(struct wl_op_ctx *c);
wl_status wl_infer_qlinear_conv(struct wl_op_ctx *c);
wl_status wl_infer_conv_transpose(struct wl_op_ctx *c);
wl_status wl_infer_deform_conv(struct wl_op_ctx *c);
wl_status wl_infer_causal_conv(struct wl_op_ctx *c);
void wl_cost_conv(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_conv_integer(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_qlinear_conv(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_conv_transpose(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_deform_conv(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_causal_conv(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_pool(struct wl_op_ctx *c);
wl_status wl_infer_max_unpool(struct wl_op_ctx *c);
wl_status wl_infer_global_pool(struct wl_op_ctx *c);
void wl_cost_average_pool(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_max_pool(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_lp_pool(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_global_average_pool(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_global_max_pool(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_global_lp_pool(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_max_unpool(struct wl_op_ctx *c, struct wl_work *w);

/*
 * Building blocks for the fused and NHWC forms of other domains. Spatial axes are
 * x[first .. first + spatial); kernel, strides, pads, dilations, auto_pad, ceil_mode are read from
 * the node's attributes. `kernel` gives extents where kernel_shape is absent (from the weight);
 * NULL for pooling.
 */
struct wl_conv_geometry {
    int32_t spatial;
    int64_t kernel[WL_RANK_MAX], stride[WL_RANK_MAX], dilation[WL_RANK_MAX];
    int64_t pad_begin[WL_RANK_MAX], pad_end[WL_RANK_MAX];
    bool same_upper, same_lower, valid, ceil_mode;
};
bool wl_conv_geometry_get(const struct wl_op_ctx *c, int32_t spatial, const struct wl_dim *kernel,
                          struct wl_conv_geometry *out);
struct wl_dim wl_conv_out_dim(struct wl_dim_pool *p, const struct wl_conv_geometry *geo,
                              int32_t axis, struct wl_dim in);
/*
 * Cost of a convolution of any layout: x dims (batch, in channels, spatial) and out dims given
 * apart. Sets macs, gemm, window, access.
 */
struct wl_conv_shape {
    struct wl_dim batch, in_channels, out_channels;
    struct wl_dim in[WL_RANK_MAX], out[WL_RANK_MAX];
    int64_t groups;
    bool transposed;
};
void wl_work_conv(const struct wl_op_ctx *c, struct wl_work *w, const struct wl_conv_geometry *geo,
                  const struct wl_conv_shape *s);

/* ---- functions of rows: matrix products (infer_gemm.c, einsum.c)
 * ---------------------------------------- */

wl_status wl_infer_gemm(struct wl_op_ctx *c);
wl_status wl_infer_matmul(struct wl_op_ctx *c);
wl_status wl_infer_matmul_integer(struct wl_op_ctx *c);
wl_status wl_infer_qlinear_matmul(struct wl_op_ctx *c);
wl_status wl_infer_einsum(struct wl_op_ctx *c);
wl_status wl_infer_det(struct wl_op_ctx *c);
void wl_cost_gemm(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_matmul(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_matmul_integer(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_qlinear_matmul(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_einsum(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_det(struct wl_op_ctx *c, struct wl_work *w);
/*
 * numpy's matmul of two shapes (with the last two axes swapped where asked for): output dims into
 * out[WL_RANK_MAX]. False when unknown or contradictory.
 */
struct wl_matmul_shape {
    struct wl_dim out[WL_RANK_MAX];
    int32_t rank;
    struct wl_gemm gemm;
};
bool wl_matmul_shape_get(const struct wl_op_ctx *c, int32_t a, int32_t b, bool swap_a, bool swap_b,
                         struct wl_matmul_shape *out);

/* ---- functions of rows: normalisation, softmax, reduction (infer_norm.c, infer_reduce.c)
 * ------------------ */

wl_status wl_infer_batch_norm(struct wl_op_ctx *c);
wl_status wl_infer_layer_norm(struct wl_op_ctx *c);
wl_status wl_infer_rms_norm(struct wl_op_ctx *c);
void wl_cost_batch_norm(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_layer_norm(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_instance_norm(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_group_norm(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_rms_norm(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_lrn(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_lp_norm(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_mean_variance_norm(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_softmax(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_log_softmax(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_hardmax(struct wl_op_ctx *c, struct wl_work *w);
/* Ops of a normalisation over `groups` groups of `elems` elements in all (formula: infer_norm.c).
 */
void wl_work_layer_norm(const struct wl_op_ctx *c, struct wl_work *w, struct wl_dim elems,
                        struct wl_dim groups, bool scale, bool bias);
void wl_work_rms_norm(const struct wl_op_ctx *c, struct wl_work *w, struct wl_dim elems,
                      struct wl_dim groups);
/* Softmax over `elems` elements: compare, subtract, exp, add, divide each. */
void wl_work_softmax(const struct wl_op_ctx *c, struct wl_work *w, struct wl_dim elems);
wl_status wl_infer_reduce(struct wl_op_ctx *c); /* axes: input 1; keepdims, noop_with_empty_axes */
wl_status wl_infer_arg(struct wl_op_ctx *c);
void wl_value_reduce(struct wl_op_ctx *c);
void wl_value_cumulative(struct wl_op_ctx *c);
void wl_cost_reduce_mean(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_reduce_l2(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_reduce_log_sum(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_reduce_log_sum_exp(struct wl_op_ctx *c, struct wl_work *w);

/* ---- functions of rows: attention, recurrence, losses, quantisation
 * ---------------------------------------- */

wl_status wl_infer_attention(struct wl_op_ctx *c);      /* ai.onnx Attention */
wl_status wl_infer_flex_attention(struct wl_op_ctx *c); /* ai.onnx.preview FlexAttention */
wl_status wl_infer_linear_attention(struct wl_op_ctx *c);
wl_status wl_infer_rotary(struct wl_op_ctx *c);
void wl_cost_attention(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_flex_attention(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_linear_attention(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_rotary(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_tensor_scatter(struct wl_op_ctx *c, struct wl_work *w);
/* Both products, scaling and softmax of scaled dot-product attention. */
struct wl_attention_shape {
    struct wl_dim batch, q_heads, kv_heads, q_len, kv_len, head_size, v_head_size;
    bool mask, softcap;
};
void wl_work_attention(const struct wl_op_ctx *c, struct wl_work *w,
                       const struct wl_attention_shape *s);
wl_status wl_infer_recurrent(struct wl_op_ctx *c); /* RNN, GRU, LSTM by op->ops_per_elem = gates */
void wl_cost_recurrent(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_nll_loss(struct wl_op_ctx *c);
wl_status wl_infer_cross_entropy(struct wl_op_ctx *c);
void wl_cost_nll_loss(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_cross_entropy(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_quantize(struct wl_op_ctx *c);
wl_status wl_infer_dequantize(struct wl_op_ctx *c);
wl_status wl_infer_dynamic_quantize(struct wl_op_ctx *c);
void wl_cost_quantize(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_dequantize(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_dynamic_quantize(struct wl_op_ctx *c, struct wl_work *w);

/* ---- functions of rows: movement (infer_move*.c)
 * ------------------------------------------------------------- */

wl_status wl_infer_reshape(struct wl_op_ctx *c);
wl_status wl_infer_flatten(struct wl_op_ctx *c);
wl_status wl_infer_squeeze(struct wl_op_ctx *c);
wl_status wl_infer_unsqueeze(struct wl_op_ctx *c);
wl_status wl_infer_identity(struct wl_op_ctx *c); /* tensors, sequences, optionals */
wl_status wl_infer_transpose(struct wl_op_ctx *c);
wl_status wl_infer_concat(struct wl_op_ctx *c);
wl_status wl_infer_split(struct wl_op_ctx *c);
wl_status wl_infer_slice(struct wl_op_ctx *c);
wl_status wl_infer_gather(struct wl_op_ctx *c);
wl_status wl_infer_gather_elements(struct wl_op_ctx *c);
wl_status wl_infer_gather_nd(struct wl_op_ctx *c);
wl_status wl_infer_pad(struct wl_op_ctx *c);
wl_status wl_infer_tile(struct wl_op_ctx *c);
wl_status wl_infer_expand(struct wl_op_ctx *c);
wl_status wl_infer_depth_to_space(struct wl_op_ctx *c);
wl_status wl_infer_space_to_depth(struct wl_op_ctx *c);
wl_status wl_infer_one_hot(struct wl_op_ctx *c);
wl_status wl_infer_compress(struct wl_op_ctx *c);
wl_status wl_infer_non_zero(struct wl_op_ctx *c);
wl_status wl_infer_unique(struct wl_op_ctx *c);
wl_status wl_infer_topk(struct wl_op_ctx *c);
wl_status wl_infer_shape(struct wl_op_ctx *c);
wl_status wl_infer_size(struct wl_op_ctx *c);
wl_status wl_infer_constant(struct wl_op_ctx *c);
wl_status wl_infer_constant_of_shape(struct wl_op_ctx *c);
wl_status wl_infer_range(struct wl_op_ctx *c);
wl_status wl_infer_eye_like(struct wl_op_ctx *c);
wl_status wl_infer_random(struct wl_op_ctx *c);      /* RandomNormal, RandomUniform */
wl_status wl_infer_random_like(struct wl_op_ctx *c); /* ...Like, Bernoulli */
wl_status wl_infer_multinomial(struct wl_op_ctx *c);
void wl_value_transpose(struct wl_op_ctx *c);
void wl_value_concat(struct wl_op_ctx *c);
void wl_value_split(struct wl_op_ctx *c);
void wl_value_slice(struct wl_op_ctx *c);
void wl_value_gather(struct wl_op_ctx *c);
void wl_value_gather_elements(struct wl_op_ctx *c);
void wl_value_gather_nd(struct wl_op_ctx *c);
void wl_value_scatter_elements(struct wl_op_ctx *c);
void wl_value_scatter_nd(struct wl_op_ctx *c);
void wl_value_pad(struct wl_op_ctx *c);
void wl_value_tile(struct wl_op_ctx *c);
void wl_value_expand(struct wl_op_ctx *c);
void wl_value_trilu(struct wl_op_ctx *c);
void wl_value_one_hot(struct wl_op_ctx *c);
void wl_value_non_zero(struct wl_op_ctx *c);
void wl_value_topk(struct wl_op_ctx *c);
void wl_value_shape(struct wl_op_ctx *c);
void wl_value_size(struct wl_op_ctx *c);
void wl_value_constant(struct wl_op_ctx *c);
void wl_value_constant_of_shape(struct wl_op_ctx *c);
void wl_value_range(struct wl_op_ctx *c);
void wl_value_eye_like(struct wl_op_ctx *c);
void wl_cost_slice(struct wl_op_ctx *c, struct wl_work *w);  /* reads part of input 0 */
void wl_cost_gather(struct wl_op_ctx *c, struct wl_work *w); /* reads part of input 0 */
void wl_cost_scatter(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_fill(struct wl_op_ctx *c, struct wl_work *w); /* writes only */
void wl_cost_compress(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_non_zero(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_unique(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_topk(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_random(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_multinomial(struct wl_op_ctx *c, struct wl_work *w);

/* ---- functions of rows: resampling, signal (resample.c, signal.c)
 * ---------------------------------------------- */

wl_status wl_infer_resize(struct wl_op_ctx *c); /* Upsample is raised to it, or read alike */
wl_status wl_infer_upsample(struct wl_op_ctx *c);
wl_status wl_infer_grid_sample(struct wl_op_ctx *c);
wl_status wl_infer_roi_align(struct wl_op_ctx *c);
wl_status wl_infer_max_roi_pool(struct wl_op_ctx *c);
wl_status wl_infer_affine_grid(struct wl_op_ctx *c);
wl_status wl_infer_col2im(struct wl_op_ctx *c);
wl_status wl_infer_center_crop_pad(struct wl_op_ctx *c);
wl_status wl_infer_image_decoder(struct wl_op_ctx *c);
wl_status wl_infer_nms(struct wl_op_ctx *c);
void wl_cost_resize(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_grid_sample(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_roi_align(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_max_roi_pool(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_affine_grid(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_col2im(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_image_decoder(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_nms(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_dft(struct wl_op_ctx *c);
wl_status wl_infer_stft(struct wl_op_ctx *c);
wl_status wl_infer_window(struct wl_op_ctx *c); /* Hann, Hamming, Blackman */
wl_status wl_infer_mel_weights(struct wl_op_ctx *c);
void wl_cost_dft(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_stft(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_window(struct wl_op_ctx *c, struct wl_work *w);

/* ---- functions of rows: control, sequences, text (control.c, sequence.c, text.c)
 * -------------------------------- */

wl_status wl_infer_if(struct wl_op_ctx *c);
wl_status wl_infer_loop(struct wl_op_ctx *c);
wl_status wl_infer_scan(struct wl_op_ctx *c);
wl_status wl_infer_sequence_map(struct wl_op_ctx *c);
void wl_value_if(struct wl_op_ctx *c);
wl_status wl_infer_sequence_at(struct wl_op_ctx *c);
wl_status wl_infer_sequence_construct(struct wl_op_ctx *c);
wl_status wl_infer_sequence_empty(struct wl_op_ctx *c);
wl_status wl_infer_sequence_erase(struct wl_op_ctx *c);
wl_status wl_infer_sequence_insert(struct wl_op_ctx *c);
wl_status wl_infer_sequence_length(struct wl_op_ctx *c);
wl_status wl_infer_split_to_sequence(struct wl_op_ctx *c);
wl_status wl_infer_concat_from_sequence(struct wl_op_ctx *c);
wl_status wl_infer_optional(struct wl_op_ctx *c);
wl_status wl_infer_optional_get(struct wl_op_ctx *c);
wl_status wl_infer_optional_has(struct wl_op_ctx *c);
void wl_value_sequence_length(struct wl_op_ctx *c);
void wl_value_optional_has(struct wl_op_ctx *c);
wl_status wl_infer_string_normalizer(struct wl_op_ctx *c);
wl_status wl_infer_string_concat(struct wl_op_ctx *c);
wl_status wl_infer_string_split(struct wl_op_ctx *c);
wl_status wl_infer_regex_full_match(struct wl_op_ctx *c);
wl_status wl_infer_tf_idf(struct wl_op_ctx *c);
void wl_cost_text(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_tf_idf(struct wl_op_ctx *c, struct wl_work *w);

/* ---- tables
 * ------------------------------------------------------------------------------------------------------
 */

/*
 * op_table.c is one array, in order of (domain, name), made of files of bare rows:
 *   rows_default.def (""), rows_ml.def (ai.onnx.ml), rows_preview.def (ai.onnx.preview),
 *   rows_training.def (ai.onnx.preview.training), rows_ms.def (com.microsoft),
 *   rows_nchwc.def (com.microsoft.nchwc), rows_nhwc.def (com.ms.internal.nhwc).
 * The functions that rows of the other domains name are declared in ops_priv_b.h.
 */

#endif
