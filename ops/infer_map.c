/* SPDX-License-Identifier: Apache-2.0 */
/*
 * infer_map: shapes, types and work of element-wise operators.
 *
 * Work per output element, by kind, from the definitions in ONNX's operator list (a = add or
 * multiply, c = compare, d = divide, s = special function):
 *
 *   Sigmoid      1/(1+exp(-x))                    2a 1d 1s       (the minus is one of the adds)
 *   LeakyRelu    x < 0 ? alpha*x : x              1c 1a
 *   PRelu        x < 0 ? slope*x : x              1c 1a
 *   ThresholdedRelu x > alpha ? x : 0             1c
 *   Elu          x < 0 ? alpha*(exp(x)-1) : x     1c 2a 1s
 *   Celu         max(0,x)+min(0,alpha*(exp(x/alpha)-1))  2c 3a 1d 1s
 *   Selu         gamma*(x > 0 ? x : alpha*(exp(x)-1))    1c 3a 1s
 *   HardSigmoid  max(0,min(1,alpha*x+beta))       2c 2a
 *   HardSwish    x*HardSigmoid(x)                 2c 3a
 *   Softplus     log(exp(x)+1)                    1a 2s
 *   Softsign     x/(1+|x|)                        2a 1d
 *   Gelu (erf)   0.5*x*(1+erf(x/sqrt(2)))         4a 1s
 *   Gelu (tanh)  0.5*x*(1+tanh(k*(x+m*x^3)))      8a 1s
 *   Mish         x*tanh(softplus(x))              2a 3s
 *   Swish        x*sigmoid(alpha*x)               3a 1d 1s, and 1a where alpha is not 1
 *   SwiGLU       swish(a)*b                       as Swish, and 1a
 *   Shrink       two comparisons and a shift      2c 1a
 *   Clip         one comparison per bound given   1c or 2c
 *   Sum, Mean    n-1 adds, and 1a (times 1/n) for Mean; Max, Min: n-1 comparisons
 *
 * Sqrt, Exp, Log, trigonometric functions: 1s. Ceil, Floor, Round, Abs, Neg: 1a. Conversions (Cast)
 * count bytes only. Integer and bool tensors count everything as integer operations. A Dropout in
 * training mode draws one random number per element (1s), compares and scales it (1c 1a); at
 * inference it is a view.
 */
#include <string.h>

#include "ops_priv.h"

/* ---- shapes ------------------------------------------------------------------------------------
 */

wl_status wl_infer_where(struct wl_op_ctx *c)
{
    enum wl_dtype t = wl_op_in_dtype(c, 1);
    wl_op_set_dtype(c, 0, t != WL_DT_UNDEFINED ? t : wl_op_in_dtype(c, 2));
    return wl_op_set_broadcast(c, 0, 0, 3);
}

/* A number of TensorProto.DataType that a tensor may have; UNDEFINED otherwise. */
static enum wl_dtype dtype_of_attr(const struct wl_op_ctx *c, const char *name)
{
    int64_t to = wl_node_attr_int(c->node, name, 0);
    return to > 0 && to < WL_DT_COUNT ? (enum wl_dtype)to : WL_DT_UNDEFINED;
}

wl_status wl_infer_cast(struct wl_op_ctx *c)
{
    wl_op_set_dtype(c, 0, dtype_of_attr(c, "to"));
    wl_op_set_shape_of(c, 0, 0);
    return WL_OK;
}

wl_status wl_infer_cast_like(struct wl_op_ctx *c)
{
    wl_op_set_dtype(c, 0, wl_op_in_dtype(c, 1));
    wl_op_set_shape_of(c, 0, 0);
    return WL_OK;
}

/* Same bits, so the same width: the shape stays. */
wl_status wl_infer_bit_cast(struct wl_op_ctx *c)
{
    enum wl_dtype to = dtype_of_attr(c, "to");
    wl_op_set_dtype(c, 0, to);
    if (wl_dtype_bits(to) == wl_dtype_bits(wl_op_in_dtype(c, 0))) {
        wl_op_set_shape_of(c, 0, 0);
    }
    return WL_OK;
}

wl_status wl_infer_dropout(struct wl_op_ctx *c)
{
    wl_op_set_same(c, 0, 0);
    wl_op_set_dtype(c, 1, WL_DT_BOOL);
    wl_op_set_shape_of(c, 1, 0);
    return WL_OK;
}

/* The slope broadcasts to X, never the other way. */
wl_status wl_infer_prelu(struct wl_op_ctx *c)
{
    wl_op_set_same(c, 0, 0);
    return WL_OK;
}

/* ---- work --------------------------------------------------------------------------------------
 */

struct recipe {
    const char *name;
    int8_t addmul, compare, divide, special;
};

/* clang-format off */
static const struct recipe recipes[] = {
    {"Sigmoid",         2, 0, 1, 1},
    {"LeakyRelu",       1, 1, 0, 0},
    {"ThresholdedRelu", 0, 1, 0, 0},
    {"Elu",             2, 1, 0, 1},
    {"Celu",            3, 2, 1, 1},
    {"Selu",            3, 1, 0, 1},
    {"HardSigmoid",     2, 2, 0, 0},
    {"HardSwish",       3, 2, 0, 0},
    {"Softplus",        1, 0, 0, 2},
    {"Softsign",        2, 0, 1, 0},
    {"Gelu",            4, 0, 0, 1},
    {"Mish",            2, 0, 0, 3},
    {"Swish",           3, 0, 1, 1},
    {"SwiGLU",          4, 0, 1, 1},
    {"Shrink",          1, 2, 0, 0},
};
/* clang-format on */

static struct recipe recipe_of(const struct wl_node *n)
{
    struct recipe r = {.special = 1};
    for (size_t i = 0; i < WL_ARRAY_LEN(recipes); i++) {
        if (strcmp(recipes[i].name, n->op->name) == 0) {
            r = recipes[i];
        }
    }
    if (strcmp(n->op->name, "Gelu") == 0 && wl_str_is(wl_node_attr_str(n, "approximate"), "tanh")) {
        r.addmul = 8;
    }
    double alpha = wl_node_attr_float(n, "alpha", 1.0);
    bool swish = strcmp(n->op->name, "Swish") == 0 || strcmp(n->op->name, "SwiGLU") == 0;
    if (swish && (alpha < 1.0 || alpha > 1.0)) {
        r.addmul++;
    }
    return r;
}

void wl_cost_activation(struct wl_op_ctx *c, struct wl_work *w)
{
    struct recipe r = recipe_of(c->node);
    struct wl_dim n = wl_op_out_elems(c, 0);
    w->access = WL_ACCESS_STREAM;
    wl_work_add_k(c, w, WL_WORK_ADDMUL, r.addmul, n);
    wl_work_add_k(c, w, WL_WORK_COMPARE, r.compare, n);
    wl_work_add_k(c, w, WL_WORK_DIVIDE, r.divide, n);
    wl_work_add_k(c, w, WL_WORK_SPECIAL, r.special, n);
}

void wl_cost_variadic(struct wl_op_ctx *c, struct wl_work *w)
{
    struct wl_dim n = wl_op_out_elems(c, 0);
    int32_t inputs = c->node->input_count;
    w->access = WL_ACCESS_STREAM;
    wl_work_add_typed(c, w, c->node->op->work, wl_max_i64(inputs - 1, 0), n);
    if (strcmp(c->node->op->name, "Mean") == 0) {
        wl_work_add_typed(c, w, WL_WORK_ADDMUL, 1, n);
    }
}

void wl_cost_clip(struct wl_op_ctx *c, struct wl_work *w)
{
    int64_t bounds = (wl_op_has_in(c, 1) ? 1 : 0) + (wl_op_has_in(c, 2) ? 1 : 0);
    w->access = WL_ACCESS_STREAM;
    wl_work_add_typed(c, w, WL_WORK_COMPARE, bounds, wl_op_out_elems(c, 0));
}

void wl_cost_cast(struct wl_op_ctx *c, struct wl_work *w)
{
    (void)c;
    w->access = WL_ACCESS_STREAM;
}

void wl_cost_prelu(struct wl_op_ctx *c, struct wl_work *w)
{
    w->access = WL_ACCESS_STREAM;
    wl_work_add_typed(c, w, WL_WORK_COMPARE, 1, wl_op_out_elems(c, 0));
    wl_work_add_typed(c, w, WL_WORK_ADDMUL, 1, wl_op_out_elems(c, 0));
}

/* Float remainder: a division, a truncation, a multiply-subtract. */
void wl_cost_mod(struct wl_op_ctx *c, struct wl_work *w)
{
    struct wl_dim n = wl_op_out_elems(c, 0);
    w->access = WL_ACCESS_STREAM;
    wl_work_add_typed(c, w, WL_WORK_DIVIDE, 1, n);
    if (!wl_op_is_integer(wl_op_in_dtype(c, 0))) {
        wl_work_add_k(c, w, WL_WORK_ADDMUL, 3, n);
    }
}

void wl_cost_dropout(struct wl_op_ctx *c, struct wl_work *w)
{
    double ratio = 0.5;
    struct wl_dim training = wl_op_in_scalar(c, 2);
    bool known_ratio = !wl_op_has_in(c, 1) || wl_op_in_number(c, 1, &ratio);
    if (!wl_op_has_in(c, 2) || wl_dim_is(training, 0) || (known_ratio && ratio <= 0.0)) {
        wl_cost_free(c, w);
        return;
    }
    struct wl_dim n = wl_op_out_elems(c, 0);
    w->access = WL_ACCESS_STREAM;
    wl_work_add(c, w, WL_WORK_SPECIAL, n);
    wl_work_add(c, w, WL_WORK_COMPARE, n);
    wl_work_add(c, w, WL_WORK_ADDMUL, n);
}
