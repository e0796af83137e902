/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frontend/materialize_values.c: random values that let a network run without overflow. Uniform,
 * with standard deviation 1 / sqrt(fan in) for what multiplies an activation, so that activations
 * keep their size from layer to layer; close to 1 for scales of normalisations and for factors;
 * positive for variances and quantisation scales, which fit each other; small for the rest. The
 * consumer decides.
 *
 * Known simplification: a large int64 tensor (an index, in practice) gets zeros.
 */
#include <math.h>
#include <string.h>

#include "materialize_priv.h"

#define SQRT_3 1.7320508075688772
/* Standard deviations of uniform integers: 8 bits (-127 ... 127), 4 bits. */
#define DEVIATION_8_BIT 73.6
#define DEVIATION_4_BIT 4.6

/* What an operator's input is for. */
enum role {
    ROLE_OUT_IN, /* weight [out, in, ...] */
    ROLE_IN_OUT, /* weight [..., in, out] */
    ROLE_IN_FIRST,
    ROLE_IN_LAST,
    ROLE_FACTOR,
    ROLE_VARIANCE,
    ROLE_SCALE
};

static const struct {
    const char *op;
    size_t input;
    enum role role;
} roles[] = {
    {"BatchNormalization", 1, ROLE_FACTOR},
    {"BatchNormalization", 4, ROLE_VARIANCE},
    {"Conv", 1, ROLE_OUT_IN},
    {"ConvTranspose", 1, ROLE_IN_FIRST},
    {"DequantizeLinear", 1, ROLE_SCALE},
    {"Div", 1, ROLE_FACTOR},
    {"GRU", 1, ROLE_IN_LAST},
    {"GRU", 2, ROLE_IN_LAST},
    {"Gather", 0, ROLE_IN_LAST},
    {"Gemm", 1, ROLE_IN_OUT},
    {"GroupNormalization", 1, ROLE_FACTOR},
    {"InstanceNormalization", 1, ROLE_FACTOR},
    {"LSTM", 1, ROLE_IN_LAST},
    {"LSTM", 2, ROLE_IN_LAST},
    {"LayerNormalization", 1, ROLE_FACTOR},
    {"MatMul", 0, ROLE_IN_LAST},
    {"MatMul", 1, ROLE_IN_OUT},
    {"MatMulNBits", 2, ROLE_SCALE},
    {"Mul", 0, ROLE_FACTOR},
    {"Mul", 1, ROLE_FACTOR},
    {"QuantizeLinear", 1, ROLE_SCALE},
    {"RNN", 1, ROLE_IN_LAST},
    {"RNN", 2, ROLE_IN_LAST},
};

int64_t wl_mat_value_bytes(int32_t type)
{
    switch (type) {
    case ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE:
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT64:
        return 8;
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT:
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT32:
        return 4;
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16:
    case ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16:
        return 2;
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT8:
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT8:
        return 1;
    default:
        return 0;
    }
}

/* ---- which values ---------------------------------------------------------------------------- */

/* Dim `i` counted from the front, or from the back when negative; 1 where there is none. */
static double dim_or_1(const Onnx__TensorProto *t, int i)
{
    int rank = (int)t->n_dims;
    int at = i < 0 ? rank + i : i;
    return at >= 0 && at < rank && t->dims[at] > 0 ? (double)t->dims[at] : 1.0;
}

static double all_but_first(const Onnx__TensorProto *t)
{
    double product = 1.0;
    for (int i = 1; i < (int)t->n_dims; i++) {
        product *= dim_or_1(t, i);
    }
    return product;
}

static int64_t int_attribute(const Onnx__NodeProto *n, const char *name)
{
    for (size_t i = 0; i < n->n_attribute; i++) {
        if (n->attribute[i]->name != NULL && strcmp(n->attribute[i]->name, name) == 0) {
            return n->attribute[i]->i;
        }
    }
    return 0;
}

static struct wl_mat_draw around(double center, double deviation)
{
    return (struct wl_mat_draw){center, deviation * SQRT_3};
}

static struct wl_mat_draw by_fan_in(double fan_in)
{
    return around(0.0, 1.0 / sqrt(fmax(1.0, fan_in)));
}

static const Onnx__TensorProto *find_initializer(const Onnx__GraphProto *g, const char *name)
{
    for (size_t i = 0; i < g->n_initializer; i++) {
        if (g->initializer[i]->name != NULL && strcmp(g->initializer[i]->name, name) == 0) {
            return g->initializer[i];
        }
    }
    return NULL;
}

static const Onnx__NodeProto *find_producer(const Onnx__GraphProto *g, const char *name)
{
    for (size_t i = 0; i < g->n_node; i++) {
        for (size_t k = 0; k < g->node[i]->n_output; k++) {
            if (strcmp(g->node[i]->output[k], name) == 0) {
                return g->node[i];
            }
        }
    }
    return NULL;
}

/* The node that adds `name` as the bias of a product; NULL where there is none. */
static const Onnx__NodeProto *find_biased(const Onnx__GraphProto *g, const char *name)
{
    for (size_t i = 0; i < g->n_node; i++) {
        const Onnx__NodeProto *n = g->node[i];
        if (n->n_input == 3 && strcmp(n->input[2], name) == 0) {
            return n;
        }
    }
    return NULL;
}

/* Scale that gives what it scales, where that is stored, the deviation 1 / sqrt(fan in). */
static double scale_of(const Onnx__GraphProto *g, const Onnx__NodeProto *n)
{
    double fan_in = 1.0;
    double deviation = DEVIATION_8_BIT;
    if (strcmp(n->op_type, "MatMulNBits") == 0) {
        fan_in = (double)int_attribute(n, "K");
        deviation = DEVIATION_4_BIT;
    }
    const Onnx__TensorProto *scaled = find_initializer(g, n->input[0]);
    fan_in = scaled == NULL ? fan_in : fmax(fan_in, all_but_first(scaled));
    return 1.0 / (deviation * sqrt(fmax(1.0, fan_in)));
}

/* Scale of what the dequantiser of `name` reads, as the file will have it; 1 without one. */
static double scale_behind(const Onnx__GraphProto *g, const char *name)
{
    const Onnx__NodeProto *n = find_producer(g, name);
    if (n == NULL || n->op_type == NULL || strcmp(n->op_type, "DequantizeLinear") != 0 ||
        n->n_input < 2) {
        return 1.0;
    }
    const Onnx__TensorProto *scale = find_initializer(g, n->input[1]);
    float stored;
    if (scale != NULL && scale->n_float_data > 0) {
        return (double)scale->float_data[0];
    }
    if (scale != NULL && scale->has_raw_data && scale->raw_data.len >= sizeof(stored) &&
        scale->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT) {
        memcpy(&stored, scale->raw_data.data, sizeof(stored));
        return (double)stored;
    }
    return scale_of(g, n);
}

/*
 * A bias in integers has the scale of the products that it is added to, by which runtimes know that
 * they may compute in integers; so no scale is spread.
 */
static struct wl_mat_draw by_scaled(const Onnx__GraphProto *g, const Onnx__NodeProto *n)
{
    const Onnx__TensorProto *scaled = find_initializer(g, n->input[0]);
    bool sum = scaled != NULL && scaled->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__INT32 &&
               n->n_output > 0;
    const Onnx__NodeProto *biased = sum ? find_biased(g, n->output[0]) : NULL;
    if (biased != NULL) {
        return around(scale_behind(g, biased->input[0]) * scale_behind(g, biased->input[1]), 0.0);
    }
    return around(scale_of(g, n), 0.0);
}

static struct wl_mat_draw by_role(enum role role, const Onnx__GraphProto *g,
                                  const Onnx__NodeProto *n, const Onnx__TensorProto *t)
{
    bool transposed = strcmp(n->op_type, "Gemm") == 0 && int_attribute(n, "transB") != 0;
    switch (role) {
    case ROLE_OUT_IN:
        return by_fan_in(all_but_first(t));
    case ROLE_IN_OUT:
        return by_fan_in(dim_or_1(t, transposed ? -1 : -2));
    case ROLE_IN_FIRST:
        return by_fan_in(dim_or_1(t, 0));
    case ROLE_IN_LAST:
        return by_fan_in(dim_or_1(t, -1));
    case ROLE_FACTOR:
        return around(1.0, 0.05);
    case ROLE_VARIANCE:
        return around(1.0, 0.2);
    case ROLE_SCALE:
        return by_scaled(g, n);
    }
    return around(0.0, 0.02);
}

struct wl_mat_draw wl_mat_draw_for(const Onnx__GraphProto *g, const Onnx__NodeProto *n,
                                   size_t input, const Onnx__TensorProto *t)
{
    switch (t->data_type) {
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT8:
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT32:
        return (struct wl_mat_draw){0.0, 127.0};
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT8:
        return (struct wl_mat_draw){127.5, 127.5};
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT64:
        return (struct wl_mat_draw){0.0, 0.0};
    default:
        break;
    }
    for (size_t i = 0; n != NULL && i < WL_ARRAY_LEN(roles); i++) {
        if (roles[i].input == input && strcmp(roles[i].op, n->op_type) == 0) {
            return by_role(roles[i].role, g, n, t);
        }
    }
    return t->n_dims > 1 ? by_fan_in(all_but_first(t)) : around(0.0, 0.02);
}

/* ---- bytes ----------------------------------------------------------------------------------- */

/* SplitMix64 (Steele, Lea, Flood 2014), as a number in [-1, 1). */
static double next_unit(uint64_t *state)
{
    *state += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    z ^= z >> 31;
    return (double)(z >> 11) * 0x1p-52 - 1.0;
}

/* IEEE half of a float; small values become 0, large ones the largest; rounded towards zero. */
static uint16_t half_bits(float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof(bits));
    uint32_t sign = (bits >> 16) & 0x8000u;
    uint32_t exponent = (bits >> 23) & 0xFFu;
    if (exponent < 113) { /* below 2^-14 */
        return (uint16_t)sign;
    }
    if (exponent > 142) { /* above 2^15 */
        return (uint16_t)(sign | 0x7BFFu);
    }
    return (uint16_t)(sign | ((exponent - 112) << 10) | ((bits >> 13) & 0x3FFu));
}

/* Files are little-endian, and so are the machines this builds for. */
static void put_value(int32_t type, double v, uint8_t *to)
{
    float single = (float)v;
    int32_t whole = (int32_t)lrint(v);
    uint32_t bits;
    uint16_t half;
    switch (type) {
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT:
        memcpy(to, &single, sizeof(single));
        break;
    case ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE:
        memcpy(to, &v, sizeof(v));
        break;
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16:
        half = half_bits(single);
        memcpy(to, &half, sizeof(half));
        break;
    case ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16:
        memcpy(&bits, &single, sizeof(bits));
        half = (uint16_t)(bits >> 16);
        memcpy(to, &half, sizeof(half));
        break;
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT32:
        memcpy(to, &whole, sizeof(whole));
        break;
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT64:
        memset(to, 0, sizeof(int64_t));
        break;
    default:
        *to = (uint8_t)(whole & 0xFF);
        break;
    }
}

void wl_mat_fill(int32_t type, struct wl_mat_draw draw, uint64_t *state, uint8_t *out, size_t count)
{
    size_t step = (size_t)wl_mat_value_bytes(type);
    for (size_t i = 0; i < count; i++) {
        put_value(type, draw.center + draw.spread * next_unit(state), out + i * step);
    }
}
