/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quantize: QuantizeLinear, DequantizeLinear, DynamicQuantizeLinear. Work per element:
 *
 *   QuantizeLinear         1 divide, 1a (round), 1a with a zero point, 2 comparisons (saturate)
 *   DequantizeLinear       1a (scale), 1a with a zero point
 *   DynamicQuantizeLinear  2 comparisons (range) and what QuantizeLinear with a zero point costs
 */
#include "ops_priv.h"

static enum wl_dtype asked_dtype(const struct wl_op_ctx *c)
{
    int64_t t = wl_node_attr_int(c->node, "output_dtype", 0);
    return t > 0 && t < WL_DT_COUNT ? (enum wl_dtype)t : WL_DT_UNDEFINED;
}

/* The zero point's type, else output_dtype, else UINT8. */
wl_status wl_infer_quantize(struct wl_op_ctx *c)
{
    enum wl_dtype asked = asked_dtype(c);
    enum wl_dtype t = asked != WL_DT_UNDEFINED ? asked : WL_DT_UINT8;
    wl_op_set_dtype(c, 0, wl_op_has_in(c, 2) ? wl_op_in_dtype(c, 2) : t);
    wl_op_set_shape_of(c, 0, 0);
    return WL_OK;
}

/* output_dtype, else the scale's type. */
wl_status wl_infer_dequantize(struct wl_op_ctx *c)
{
    enum wl_dtype asked = asked_dtype(c);
    wl_op_set_dtype(c, 0, asked != WL_DT_UNDEFINED ? asked : wl_op_in_dtype(c, 1));
    wl_op_set_shape_of(c, 0, 0);
    return WL_OK;
}

wl_status wl_infer_dynamic_quantize(struct wl_op_ctx *c)
{
    struct wl_dim none = wl_dim_known(0);
    wl_op_set_dtype(c, 0, WL_DT_UINT8);
    wl_op_set_shape_of(c, 0, 0);
    WL_TRY(wl_op_set(c, 1, WL_DT_FLOAT, 0, &none));
    return wl_op_set(c, 2, WL_DT_UINT8, 0, &none);
}

static void add_quantize(struct wl_op_ctx *c, struct wl_work *w, bool zero_point)
{
    struct wl_dim n = wl_op_in_elems(c, 0);
    w->access = WL_ACCESS_STREAM;
    wl_work_add(c, w, WL_WORK_DIVIDE, n);
    wl_work_add_k(c, w, WL_WORK_ADDMUL, zero_point ? 2 : 1, n);
    wl_work_add_k(c, w, WL_WORK_COMPARE, 2, n);
}

void wl_cost_quantize(struct wl_op_ctx *c, struct wl_work *w)
{
    add_quantize(c, w, wl_op_has_in(c, 2));
}

void wl_cost_dequantize(struct wl_op_ctx *c, struct wl_work *w)
{
    w->access = WL_ACCESS_STREAM;
    wl_work_add_k(c, w, WL_WORK_ADDMUL, wl_op_has_in(c, 2) ? 2 : 1, wl_op_in_elems(c, 0));
}

void wl_cost_dynamic_quantize(struct wl_op_ctx *c, struct wl_work *w)
{
    add_quantize(c, w, true);
    wl_work_add_k(c, w, WL_WORK_COMPARE, 2, wl_op_in_elems(c, 0));
}
