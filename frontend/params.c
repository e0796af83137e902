/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frontend/params.c: parameters are the elements that the file stores as floating-point or
 * quantised tensors, each tensor once: initializers, and tensors of more than one element inside
 * Constant nodes (some exporters keep weights there; single elements are numbers of a formula).
 * Narrow integers count, 32-bit ones where a quantised operator reads them (its bias); shapes,
 * indices and bools do not. A sparse tensor counts its dense elements.
 */
#include "frontend_priv.h"

static bool feeds_arithmetic(const struct wl_graph *g, int32_t tensor)
{
    const struct wl_tensor *t = &g->tensors[tensor];
    for (int32_t i = 0; i < t->consumer_count; i++) {
        const struct wl_op *op = g->nodes[g->consumers[t->first_consumer + i]].op;
        if (op != NULL && (op->kind == WL_OPK_CONV || op->kind == WL_OPK_GEMM ||
                           op->kind == WL_OPK_QUANT || op->kind == WL_OPK_ATTENTION)) {
            return true;
        }
    }
    return false;
}

static bool is_parameter(const struct wl_graph *g, int32_t tensor)
{
    enum wl_dtype dtype = g->tensors[tensor].dtype;
    if (wl_dtype_is_float(dtype) || dtype == WL_DT_COMPLEX64 || dtype == WL_DT_COMPLEX128) {
        return true;
    }
    if (!wl_dtype_is_int(dtype) || wl_dtype_bits(dtype) > 32) {
        return false;
    }
    return wl_dtype_bits(dtype) <= 8 || feeds_arithmetic(g, tensor);
}

static void count(struct wl_model *m, int64_t elems, enum wl_dtype dtype)
{
    int64_t bits;
    int64_t parameters;
    int64_t bytes;
    if (!wl_mul_i64(elems, wl_dtype_bits(dtype), &bits) || !wl_add_i64(bits, 7, &bits) ||
        !wl_add_i64(m->parameters, elems, &parameters) ||
        !wl_add_i64(m->parameter_bytes, bits / 8, &bytes)) {
        m->parameters = INT64_MAX;
        m->parameter_bytes = INT64_MAX;
        return;
    }
    m->parameters = parameters;
    m->parameter_bytes = bytes;
}

void wl_fe_count_parameters(struct wl_fe *fe)
{
    const struct wl_graph *g = fe->g;
    for (int32_t t = 0; t < g->tensor_count; t++) {
        const struct wl_tensor *tensor = &g->tensors[t];
        if (tensor->kind == WL_TENSOR_INITIALIZER && is_parameter(g, t)) {
            count(fe->m, tensor->stored_elems, tensor->dtype);
        }
    }
    for (int32_t n = 0; n < g->node_count; n++) {
        const struct wl_node *node = &g->nodes[n];
        int32_t out = wl_node_output(node, 0);
        if (node->op == NULL || node->op->kind != WL_OPK_CONST || node->input_count > 0 ||
            out == WL_NONE) {
            continue;
        }
        for (int32_t i = 0; i < node->attr_count; i++) {
            const struct wl_attr *a = &node->attrs[i];
            if (a->type == WL_ATTR_TENSOR && a->u.tensor->stored_elems > 1 &&
                is_parameter(g, out)) {
                count(fe->m, a->u.tensor->stored_elems, a->u.tensor->dtype);
            }
        }
    }
}
