/* SPDX-License-Identifier: Apache-2.0 */
/*
 * infer_gemm: matrix products. Shapes after numpy.matmul and ONNX's Gemm; MACs = batch * M * N * K.
 * A right operand without batch axes of its own serves all rows of the left one, so the view is one
 * product of batch * M rows. Beside the MACs:
 *
 *   Gemm             C: 1 add per output element; alpha, beta: 1 multiply per element that they
 * scale where they are not 1 MatMulInteger    one integer subtraction per element of an operand
 * with a zero point QLinearMatMul    per output element 1 multiply (rescale), 1 integer add (zero
 * point), 2 comparisons Det              LU factorisation, n^3/3 MACs and n divisions per matrix
 * (approximation of lower-order terms)
 */
#include <string.h>

#include "ops_priv.h"

/* ---- matmul ------------------------------------------------------------------------------------
 */

/* Matrix operand: leading (batch) axes, rows, columns; vectors get the missing axis as 1. */
struct operand {
    const struct wl_dim *batch;
    int32_t batch_rank;
    struct wl_dim rows, cols;
    bool vector;
};

static bool operand_get(const struct wl_op_ctx *c, int32_t i, bool left, bool swap,
                        struct operand *o)
{
    const struct wl_tensor *t = wl_op_in(c, i);
    int32_t rank = wl_op_in_rank(c, i);
    if (rank < 1) {
        return false;
    }
    o->batch = t->dims;
    o->vector = rank == 1;
    o->batch_rank = o->vector ? 0 : rank - 2;
    if (o->vector) {
        o->rows = left ? wl_dim_known(1) : t->dims[0];
        o->cols = left ? t->dims[0] : wl_dim_known(1);
        return true;
    }
    o->rows = t->dims[rank - (swap ? 1 : 2)];
    o->cols = t->dims[rank - (swap ? 2 : 1)];
    return true;
}

static bool all_ones(const struct wl_dim *dims, int32_t rank)
{
    for (int32_t i = 0; i < rank; i++) {
        if (!wl_dim_is(dims[i], 1)) {
            return false;
        }
    }
    return true;
}

bool wl_matmul_shape_get(const struct wl_op_ctx *c, int32_t a, int32_t b, bool swap_a, bool swap_b,
                         struct wl_matmul_shape *s)
{
    struct operand x;
    struct operand y;
    struct wl_dim_pool *p = wl_op_pool(c);
    memset(s, 0, sizeof(*s));
    if (!operand_get(c, a, true, swap_a, &x) || !operand_get(c, b, false, swap_b, &y)) {
        return false;
    }
    if (wl_dim_ne(x.cols, y.rows)) {
        wl_op_conflict(c, "inner dimensions of the product differ");
        return false;
    }
    if (!wl_op_broadcast_into(s->out, &s->rank, x.batch, x.batch_rank) ||
        !wl_op_broadcast_into(s->out, &s->rank, y.batch, y.batch_rank) ||
        s->rank > WL_RANK_MAX - 2) {
        wl_op_conflict(c, "batch dimensions of the product do not broadcast");
        return false;
    }
    s->gemm.g = wl_op_product(c, s->out, 0, s->rank);
    s->gemm.m = x.rows;
    s->gemm.n = y.cols;
    s->gemm.k = wl_dim_is_known(x.cols) ? x.cols : y.rows;
    if (wl_dim_is_unknown(s->gemm.k)) {
        s->gemm.k = x.cols;
    }
    if (all_ones(y.batch, y.batch_rank)) {
        s->gemm.m = wl_dim_mul(p, s->gemm.g, x.rows);
        s->gemm.g = wl_dim_known(1);
    }
    if (!x.vector) {
        s->out[s->rank++] = x.rows;
    }
    if (!y.vector) {
        s->out[s->rank++] = y.cols;
    }
    return true;
}

static wl_status infer_product(struct wl_op_ctx *c, int32_t a, int32_t b)
{
    struct wl_matmul_shape s;
    return wl_matmul_shape_get(c, a, b, false, false, &s) ? wl_op_set_shape(c, 0, s.rank, s.out)
                                                          : WL_OK;
}

static void cost_product(struct wl_op_ctx *c, struct wl_work *w, int32_t a, int32_t b)
{
    struct wl_matmul_shape s;
    w->access = WL_ACCESS_STREAM;
    if (wl_matmul_shape_get(c, a, b, false, false, &s)) {
        wl_work_add_gemm(c, w, s.gemm);
    } else {
        w->macs = wl_dim_unknown();
    }
}

wl_status wl_infer_matmul(struct wl_op_ctx *c)
{
    wl_op_set_dtype(c, 0, wl_op_in_dtype(c, 0));
    return infer_product(c, 0, 1);
}

wl_status wl_infer_matmul_integer(struct wl_op_ctx *c)
{
    wl_op_set_dtype(c, 0, WL_DT_INT32);
    return infer_product(c, 0, 1);
}

wl_status wl_infer_qlinear_matmul(struct wl_op_ctx *c)
{
    wl_op_set_dtype(c, 0, wl_op_in_dtype(c, 7));
    return infer_product(c, 0, 3);
}

void wl_cost_matmul(struct wl_op_ctx *c, struct wl_work *w)
{
    w->integer_macs = wl_op_is_integer(wl_op_in_dtype(c, 0));
    cost_product(c, w, 0, 1);
}

void wl_cost_matmul_integer(struct wl_op_ctx *c, struct wl_work *w)
{
    w->integer_macs = true;
    cost_product(c, w, 0, 1);
    for (int32_t i = 0; i < 2; i++) {
        if (wl_op_has_in(c, i + 2)) {
            wl_work_add(c, w, WL_WORK_INTEGER, wl_op_in_elems(c, i));
        }
    }
}

void wl_cost_qlinear_matmul(struct wl_op_ctx *c, struct wl_work *w)
{
    struct wl_dim n = wl_op_out_elems(c, 0);
    w->integer_macs = true;
    cost_product(c, w, 0, 3);
    wl_work_add(c, w, WL_WORK_ADDMUL, n);
    wl_work_add(c, w, WL_WORK_INTEGER, n);
    wl_work_add_k(c, w, WL_WORK_COMPARE, 2, n);
}

/* ---- Gemm --------------------------------------------------------------------------------------
 */

static bool gemm_shape(const struct wl_op_ctx *c, struct wl_matmul_shape *s)
{
    bool swap_a = wl_node_attr_int(c->node, "transA", 0) != 0;
    bool swap_b = wl_node_attr_int(c->node, "transB", 0) != 0;
    return wl_op_in_rank(c, 0) == 2 && wl_op_in_rank(c, 1) == 2 &&
           wl_matmul_shape_get(c, 0, 1, swap_a, swap_b, s);
}

/* Half of a shape is often enough: rows from A, columns from B. */
wl_status wl_infer_gemm(struct wl_op_ctx *c)
{
    int32_t row_axis = wl_node_attr_int(c->node, "transA", 0) != 0 ? 1 : 0;
    int32_t col_axis = wl_node_attr_int(c->node, "transB", 0) != 0 ? 0 : 1;
    struct wl_matmul_shape s;
    wl_op_set_dtype(c, 0, wl_op_in_dtype(c, 0));
    int32_t a_rank = wl_op_in_rank(c, 0);
    int32_t b_rank = wl_op_in_rank(c, 1);
    bool contradiction = (a_rank != WL_NONE && a_rank != 2) || (b_rank != WL_NONE && b_rank != 2);
    if (contradiction) {
        wl_op_conflict(c, "it multiplies matrices, inputs of rank 2");
    }
    if (contradiction || (a_rank == 2 && b_rank == 2 && !gemm_shape(c, &s))) {
        return WL_OK;
    }
    struct wl_dim dims[2] = {wl_op_in_dim(c, 0, row_axis), wl_op_in_dim(c, 1, col_axis)};
    return wl_op_set_shape(c, 0, 2, dims);
}

static bool is_one(double x)
{
    return !(x < 1.0) && !(x > 1.0);
}

void wl_cost_gemm(struct wl_op_ctx *c, struct wl_work *w)
{
    struct wl_matmul_shape s;
    struct wl_dim n = wl_op_out_elems(c, 0);
    w->access = WL_ACCESS_STREAM;
    w->integer_macs = wl_op_is_integer(wl_op_in_dtype(c, 0));
    if (gemm_shape(c, &s)) {
        wl_work_add_gemm(c, w, s.gemm);
    } else {
        w->macs = wl_dim_unknown();
    }
    if (!is_one(wl_node_attr_float(c->node, "alpha", 1.0))) {
        wl_work_add_typed(c, w, WL_WORK_ADDMUL, 1, n);
    }
    if (wl_op_has_in(c, 2)) {
        wl_work_add_typed(c, w, WL_WORK_ADDMUL, 1, n);
        if (!is_one(wl_node_attr_float(c->node, "beta", 1.0))) {
            wl_work_add_typed(c, w, WL_WORK_ADDMUL, 1, wl_op_in_elems(c, 2));
        }
    }
}

/* ---- Det ---------------------------------------------------------------------------------------
 */

wl_status wl_infer_det(struct wl_op_ctx *c)
{
    int32_t rank = wl_op_in_rank(c, 0);
    wl_op_set_dtype(c, 0, wl_op_in_dtype(c, 0));
    return rank < 2 ? WL_OK : wl_op_set_shape(c, 0, rank - 2, wl_op_in(c, 0)->dims);
}

void wl_cost_det(struct wl_op_ctx *c, struct wl_work *w)
{
    struct wl_dim_pool *p = wl_op_pool(c);
    struct wl_dim n = wl_op_in_dim(c, 0, -1);
    struct wl_dim cube = wl_dim_mul(p, wl_op_in_elems(c, 0), n);
    w->access = WL_ACCESS_STREAM;
    w->macs = wl_dim_floor_div(p, cube, wl_dim_known(3));
    wl_work_add(c, w, WL_WORK_DIVIDE, wl_dim_mul(p, wl_op_out_elems(c, 0), n));
}
