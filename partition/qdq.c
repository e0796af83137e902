/* SPDX-License-Identifier: Apache-2.0 */
/*
 * partition/qdq.c: operators between dequantisers and quantisers that ONNX Runtime executes in
 * integers. Most runtimes of the profiles absorb every such pair (feature QDQ); ONNX Runtime's CPU
 * provider replaces some operators by a kernel of its own (QLinearConv, QLinearAdd ...) and leaves
 * the rest in floats, with quantisers and dequantisers as kernels (feature QDQ_UNITS). Its rules,
 * as the optimised graphs of small models showed (1.30, x86-64; docs/fusion.md):
 *
 *   - what the operator reads is dequantised: a convolution's image and filters, both terms of a
 * sum;
 *   - its one result has one reader, a quantiser; a ReLU or clip between them goes, if the
 * quantiser cannot store anything it takes away. Matrix products need no quantiser;
 *   - what it reads and what the quantiser writes have one type. Signed tensors are made unsigned
 *     where one dequantiser with one reader is all that reads them, and stay signed elsewhere;
 *     products of signed tensors stay in floats;
 *   - pooling by maximum and copies keep the values, so scale and zero point must be the same.
 *
 * Simplifications: a dequantiser that an operator in floats reads too is a kernel whose floats all
 * readers take (the runtime gives each reader its own); scales of biases, which decide as well, are
 * taken to be right, as quantisers write them; filters in floats, which the runtime quantises
 * itself, stay floats. On Arm, whose kernels multiply signed numbers, more runs in integers.
 */
#include <math.h>

#include "partition_priv.h"

#define RULE_WEIGHTS 1u  /* an unsigned tensor may meet signed weights */
#define RULE_UNSIGNED 2u /* no signed tensors */
#define RULE_OPEN 4u     /* without a quantiser too: the result is floats */
#define RULE_SAME 8u     /* scale and zero point stay */
#define RULE_POINTS 16u  /* zero points must be stated, be they 0 */

static const struct rule {
    enum prim prim;
    int32_t operands; /* that must be dequantised; 0: all */
    uint32_t flags;
} rules[] = {
    {PRIM_CONV, 2, RULE_WEIGHTS | RULE_UNSIGNED},
    {PRIM_MATMUL, 2, RULE_WEIGHTS | RULE_UNSIGNED | RULE_OPEN},
    {PRIM_GEMM, 2, RULE_WEIGHTS | RULE_OPEN | RULE_POINTS},
    {PRIM_ADD, 2, 0},
    {PRIM_MUL, 2, 0},
    {PRIM_CONCAT, 0, 0},
    {PRIM_AVERAGE_POOL, 1, 0},
    {PRIM_GLOBAL_AVERAGE_POOL, 1, 0},
    {PRIM_LEAKY_RELU, 1, 0},
    {PRIM_SIGMOID, 1, 0},
    {PRIM_SOFTMAX, 1, 0},
    {PRIM_MAX_POOL, 1, RULE_SAME},
    {PRIM_TRANSPOSE, 1, RULE_SAME},
    {PRIM_SLICE, 1, RULE_SAME},
};

/* How a quantised tensor is stored once the runtime has made what it can unsigned. */
enum stored { STORED_OTHERWISE, STORED_UNSIGNED, STORED_SIGNED };

static const struct rule *rule_of(const struct run *r, int32_t node)
{
    for (size_t i = 0; i < WL_ARRAY_LEN(rules); i++) {
        if (rules[i].prim == (enum prim)r->prim[node]) {
            return &rules[i];
        }
    }
    return NULL;
}

static bool is_output(const struct run *r, int32_t tensor)
{
    return (r->g->tensors[tensor].flags & WL_TENSOR_IS_OUTPUT) != 0;
}

/* The node that alone reads `tensor`; WL_NONE where there are others, or the caller does. */
static int32_t sole_reader(const struct run *r, int32_t tensor)
{
    const struct wl_tensor *t = &r->g->tensors[tensor];
    bool one = t->consumer_count == 1 && !is_output(r, tensor);
    return one ? r->g->consumers[t->first_consumer] : WL_NONE;
}

/* The node of kind `prim` that makes `tensor`, or WL_NONE. */
static int32_t made_by(const struct run *r, int32_t tensor, enum prim prim)
{
    int32_t n = tensor == WL_NONE ? WL_NONE : r->g->tensors[tensor].producer;
    return n != WL_NONE && r->prim[n] == prim ? n : WL_NONE;
}

static enum stored stored_as(const struct run *r, int32_t tensor)
{
    enum wl_dtype dtype = r->g->tensors[tensor].dtype;
    if (dtype != WL_DT_INT8) {
        return dtype == WL_DT_UINT8 ? STORED_UNSIGNED : STORED_OTHERWISE;
    }
    int32_t reader = sole_reader(r, tensor);
    bool pair = made_by(r, tensor, PRIM_QUANTIZE) != WL_NONE && reader != WL_NONE &&
                r->prim[reader] == PRIM_DEQUANTIZE &&
                sole_reader(r, wl_node_output(&r->g->nodes[reader], 0)) != WL_NONE;
    return pair ? STORED_UNSIGNED : STORED_SIGNED;
}

/* ---- values ---------------------------------------------------------------------------------- */

/* The number in a tensor of one element; false where the file does not carry it. */
static bool number_in(const struct run *r, int32_t tensor, double *out)
{
    const struct wl_value *v = tensor == WL_NONE ? NULL : r->g->tensors[tensor].value;
    if (v == NULL || v->count != 1) {
        return false;
    }
    if (v->floats != NULL) {
        *out = v->floats[0];
    } else if (v->ints != NULL && wl_dim_is_known(v->ints[0])) {
        *out = (double)v->ints[0].value;
    } else {
        return false;
    }
    return true;
}

/* Scale and zero point of a quantiser or dequantiser, where each is one number. */
static bool grid_of(const struct run *r, int32_t node, double *scale, double *zero)
{
    const struct wl_node *n = &r->g->nodes[node];
    int32_t point = wl_node_input(n, 2);
    *zero = 0;
    return number_in(r, wl_node_input(n, 1), scale) &&
           (point == WL_NONE || number_in(r, point, zero));
}

static bool same_grid(const struct run *r, int32_t dequantizer, int32_t quantizer)
{
    double scale, zero, other_scale, other_zero;
    return grid_of(r, dequantizer, &scale, &zero) &&
           grid_of(r, quantizer, &other_scale, &other_zero) && scale == other_scale &&
           zero == other_zero;
}

/* Whether a ReLU or clip takes nothing away that the quantiser behind it could store. */
static bool is_redundant(const struct run *r, int32_t node, int32_t quantizer)
{
    const struct wl_node *n = &r->g->nodes[node];
    bool is_signed = r->g->tensors[wl_node_output(&r->g->nodes[quantizer], 0)].dtype == WL_DT_INT8;
    double scale, zero, low = -HUGE_VAL, high = HUGE_VAL;
    if (!grid_of(r, quantizer, &scale, &zero)) {
        return false;
    }
    if (r->prim[node] == PRIM_RELU) {
        low = 0;
    } else {
        int32_t least = wl_node_input(n, 1), most = wl_node_input(n, 2);
        bool known = (least == WL_NONE || number_in(r, least, &low)) &&
                     (most == WL_NONE || number_in(r, most, &high));
        if (!known) {
            return false;
        }
    }
    double first = is_signed ? -128 : 0;
    return low <= scale * (first - zero) && high >= scale * (first + 255 - zero);
}

/* ---- the rules ------------------------------------------------------------------------------- */

/* What stands between an operator and the integers behind it; WL_NONE where there is nothing. */
struct tail {
    int32_t activation;
    int32_t quantizer;
};

static struct tail tail_of(const struct run *r, int32_t node)
{
    struct tail out = {WL_NONE, WL_NONE};
    int32_t reader = sole_reader(r, wl_node_output(&r->g->nodes[node], 0));
    bool bounds =
        reader != WL_NONE && (r->prim[reader] == PRIM_RELU || r->prim[reader] == PRIM_CLIP);
    if (bounds) {
        out.activation = reader;
        reader = sole_reader(r, wl_node_output(&r->g->nodes[reader], 0));
    }
    if (reader != WL_NONE && r->prim[reader] == PRIM_QUANTIZE) {
        out.quantizer = reader;
    }
    return out;
}

static bool operands_fit(const struct run *r, int32_t node, const struct rule *rule)
{
    const struct wl_node *n = &r->g->nodes[node];
    int32_t count = rule->operands == 0 ? n->input_count : rule->operands;
    enum stored first = STORED_OTHERWISE;
    for (int32_t i = 0; i < count; i++) {
        int32_t dq = made_by(r, wl_node_input(n, i), PRIM_DEQUANTIZE);
        int32_t from = dq == WL_NONE ? WL_NONE : wl_node_input(&r->g->nodes[dq], 0);
        bool stated = dq != WL_NONE && wl_node_input(&r->g->nodes[dq], 2) != WL_NONE;
        if (from == WL_NONE || ((rule->flags & RULE_POINTS) != 0 && !stated)) {
            return false;
        }
        enum stored as = stored_as(r, from);
        first = i == 0 ? as : first;
        bool alike = as == first || ((rule->flags & RULE_WEIGHTS) != 0 && first != STORED_SIGNED);
        if (as == STORED_OTHERWISE || !alike) {
            return false;
        }
    }
    return count > 0 && (first != STORED_SIGNED || (rule->flags & RULE_UNSIGNED) == 0);
}

static bool is_integer(const struct run *r, int32_t node, const struct rule *rule,
                       const struct tail *tail)
{
    const struct wl_node *n = &r->g->nodes[node];
    if (n->output_count != 1 || !operands_fit(r, node, rule)) {
        return false;
    }
    if (tail->quantizer == WL_NONE) {
        return (rule->flags & RULE_OPEN) != 0;
    }
    int32_t dq = made_by(r, wl_node_input(n, 0), PRIM_DEQUANTIZE);
    enum stored in = stored_as(r, wl_node_input(&r->g->nodes[dq], 0));
    enum stored out = stored_as(r, wl_node_output(&r->g->nodes[tail->quantizer], 0));
    bool same = (rule->flags & RULE_SAME) == 0 || same_grid(r, dq, tail->quantizer);
    bool through =
        tail->activation == WL_NONE || is_redundant(r, tail->activation, tail->quantizer);
    return in == out && same && through;
}

/* Dequantisers whose readers all take the integers. */
static void absorb_dequantizers(struct run *r)
{
    const struct wl_graph *g = r->g;
    for (int32_t n = 0; n < g->node_count; n++) {
        int32_t out = wl_node_output(&g->nodes[n], 0);
        if (r->prim[n] != PRIM_DEQUANTIZE || out == WL_NONE || is_output(r, out)) {
            continue;
        }
        const struct wl_tensor *t = &g->tensors[out];
        bool all = t->consumer_count > 0;
        for (int32_t i = 0; all && i < t->consumer_count; i++) {
            int32_t reader = g->consumers[t->first_consumer + i];
            all = r->integer[reader] && r->prim[reader] != PRIM_QUANTIZE;
        }
        r->integer[n] = all;
    }
}

void wl_partition_integers(struct run *r)
{
    for (int32_t n = 0; n < r->g->node_count; n++) {
        const struct rule *rule = rule_of(r, n);
        if (rule == NULL || wl_node_output(&r->g->nodes[n], 0) == WL_NONE) {
            continue;
        }
        struct tail tail = tail_of(r, n);
        if (!is_integer(r, n, rule, &tail)) {
            continue;
        }
        r->integer[n] = true;
        if (tail.quantizer != WL_NONE) {
            r->integer[tail.quantizer] = true;
            if (tail.activation != WL_NONE) {
                r->integer[tail.activation] = true;
            }
        }
    }
    absorb_dequantizers(r);
}
