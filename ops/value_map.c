/* SPDX-License-Identifier: Apache-2.0 */
/*
 * value_map: element-wise arithmetic on small known tensors (the Shape -> Mul -> Floor -> Cast
 * chains that exporters write around Reshape and Resize). Integers are dims and may be symbolic;
 * floats are doubles rounded to the tensor's type after every operation, so that a floor falls
 * where the runtime's falls. A float tensor that was cast from symbolic integers keeps them as dims
 * as long as the arithmetic stays integral. What cannot be known is an unknown dim, or NaN among
 * floats.
 */
#include <math.h>
#include <string.h>

#include "ops_priv.h"

enum calc {
    CALC_ADD,
    CALC_SUB,
    CALC_MUL,
    CALC_DIV,
    CALC_MOD,
    CALC_POW,
    CALC_SHIFT,
    CALC_BIT_AND,
    CALC_BIT_OR,
    CALC_BIT_XOR,
    CALC_AND,
    CALC_OR,
    CALC_XOR,
    CALC_EQUAL,
    CALC_GREATER,
    CALC_GREATER_EQUAL,
    CALC_LESS,
    CALC_LESS_EQUAL,
    CALC_MAX,
    CALC_MIN,
    CALC_NONE
};

static const struct {
    const char *name;
    enum calc calc;
} calc_names[] = {
    {"Add", CALC_ADD},          {"Sub", CALC_SUB},
    {"Mul", CALC_MUL},          {"Div", CALC_DIV},
    {"Mod", CALC_MOD},          {"Pow", CALC_POW},
    {"BitShift", CALC_SHIFT},   {"BitwiseAnd", CALC_BIT_AND},
    {"BitwiseOr", CALC_BIT_OR}, {"BitwiseXor", CALC_BIT_XOR},
    {"And", CALC_AND},          {"Or", CALC_OR},
    {"Xor", CALC_XOR},          {"Equal", CALC_EQUAL},
    {"Greater", CALC_GREATER},  {"GreaterOrEqual", CALC_GREATER_EQUAL},
    {"Less", CALC_LESS},        {"LessOrEqual", CALC_LESS_EQUAL},
    {"Max", CALC_MAX},          {"Min", CALC_MIN},
    {"Sum", CALC_ADD},          {"Mean", CALC_ADD},
};

static enum calc calc_of(const struct wl_op *op)
{
    for (size_t i = 0; i < WL_ARRAY_LEN(calc_names); i++) {
        if (strcmp(calc_names[i].name, op->name) == 0) {
            return calc_names[i].calc;
        }
    }
    return CALC_NONE;
}

static bool is_compare(enum calc k)
{
    return k >= CALC_EQUAL && k <= CALC_LESS_EQUAL;
}

/* An element: an integer (maybe symbolic) or a float. */
struct num {
    bool integral;
    struct wl_dim d;
    double f;
};

static struct num num_int(struct wl_dim d)
{
    return (struct num){.integral = true, .d = d};
}

static struct num num_float(double f)
{
    return (struct num){.integral = false, .f = f};
}

static struct num num_at(const struct wl_value *v, int64_t i)
{
    return v->is_float ? num_float(v->floats[i]) : num_int(v->ints[i]);
}

static double num_double(struct num n)
{
    if (!n.integral) {
        return n.f;
    }
    return wl_dim_is_known(n.d) ? (double)n.d.value : (double)NAN;
}

/* To `bits` of significand, ties to even. */
static double round_bits(double x, int bits, double largest)
{
    int exponent;
    if (!isfinite(x)) {
        return x;
    }
    double m = frexp(x, &exponent);
    double r = ldexp(nearbyint(ldexp(m, bits)), exponent - bits);
    return fabs(r) > largest ? (double)NAN : r;
}

/* As stored in a tensor of `type`; NaN (unknown) for types whose rounding is not modelled. */
static double round_to(enum wl_dtype type, double x)
{
    if (type == WL_DT_DOUBLE) {
        return x;
    }
    if (type == WL_DT_FLOAT) {
        return (double)(float)x;
    }
    if (type == WL_DT_FLOAT16) {
        return round_bits(x, 11, 65504.0);
    }
    return type == WL_DT_BFLOAT16 ? round_bits(x, 8, 3.3e38) : (double)NAN;
}

/* ---- integers ---------------------------------------------------------------------------------
 */

static struct wl_dim truth(bool v)
{
    return wl_dim_known(v ? 1 : 0);
}

/* Sign of a - b where it can be shown: 1, 0, -1; 2 when not. */
static int order_of(struct wl_dim_pool *p, struct wl_dim a, struct wl_dim b)
{
    if (wl_dim_is_known(a) && wl_dim_is_known(b)) {
        return a.value > b.value ? 1 : a.value < b.value ? -1 : 0;
    }
    if (wl_dim_eq(a, b)) {
        return 0;
    }
    if (wl_dim_is_known(b) && b.value < INT64_MAX && wl_dim_gt(p, a, b.value)) {
        return 1;
    }
    if (wl_dim_is_known(a) && a.value < INT64_MAX && wl_dim_gt(p, b, a.value)) {
        return -1;
    }
    struct wl_dim diff =
        wl_dim_is_symbolic(a) && wl_dim_is_symbolic(b) ? wl_dim_sub(p, a, b) : wl_dim_unknown();
    if (wl_dim_gt(p, diff, 0)) {
        return 1;
    }
    return !wl_dim_is_unknown(diff) && wl_dim_gt(p, wl_dim_mul_k(p, diff, -1), 0) ? -1 : 2;
}

static struct wl_dim compare_ints(struct wl_dim_pool *p, enum calc k, struct wl_dim a,
                                  struct wl_dim b)
{
    int order = order_of(p, a, b);
    if (order == 2) {
        return wl_dim_unknown();
    }
    switch (k) {
    case CALC_EQUAL:
        return truth(order == 0);
    case CALC_GREATER:
        return truth(order > 0);
    case CALC_GREATER_EQUAL:
        return truth(order >= 0);
    case CALC_LESS:
        return truth(order < 0);
    default:
        return truth(order <= 0);
    }
}

static struct wl_dim int_power(int64_t base, int64_t exponent)
{
    int64_t r = 1;
    if (exponent < 0 || exponent > 64) {
        return wl_dim_unknown();
    }
    for (int64_t i = 0; i < exponent; i++) {
        if (!wl_mul_i64(r, base, &r)) {
            return wl_dim_unknown();
        }
    }
    return wl_dim_known(r);
}

/* ONNX's Mod: the divisor's sign, or the dividend's with fmod. */
static int64_t int_mod(int64_t a, int64_t b, bool fmod_rule)
{
    int64_t r = a % b;
    return !fmod_rule && r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

static struct wl_dim shift(const struct wl_op_ctx *c, int64_t a, int64_t b)
{
    if (a < 0 || b < 0 || b > 62) {
        return wl_dim_unknown();
    }
    if (wl_str_is(wl_node_attr_str(c->node, "direction"), "RIGHT")) {
        return wl_dim_known(a >> b);
    }
    return a > (INT64_MAX >> b) ? wl_dim_unknown() : wl_dim_known((int64_t)((uint64_t)a << b));
}

static struct wl_dim known_ints(const struct wl_op_ctx *c, enum calc k, int64_t a, int64_t b)
{
    int64_t r;
    bool fmod_rule;
    switch (k) {
    case CALC_ADD:
        return wl_add_i64(a, b, &r) ? wl_dim_known(r) : wl_dim_unknown();
    case CALC_SUB:
        return !__builtin_sub_overflow(a, b, &r) ? wl_dim_known(r) : wl_dim_unknown();
    case CALC_MUL:
        return wl_mul_i64(a, b, &r) ? wl_dim_known(r) : wl_dim_unknown();
    case CALC_DIV:
        return b == 0 || (a == INT64_MIN && b == -1) ? wl_dim_unknown() : wl_dim_known(a / b);
    case CALC_MOD:
        fmod_rule = wl_node_attr_int(c->node, "fmod", 0) != 0;
        return b == 0 || b == -1 ? (b == 0 ? wl_dim_unknown() : wl_dim_known(0))
                                 : wl_dim_known(int_mod(a, b, fmod_rule));
    case CALC_POW:
        return int_power(a, b);
    case CALC_SHIFT:
        return shift(c, a, b);
    case CALC_BIT_AND:
        return wl_dim_known((int64_t)((uint64_t)a & (uint64_t)b));
    case CALC_BIT_OR:
        return wl_dim_known((int64_t)((uint64_t)a | (uint64_t)b));
    case CALC_BIT_XOR:
        return wl_dim_known((int64_t)((uint64_t)a ^ (uint64_t)b));
    case CALC_AND:
        return truth(a != 0 && b != 0);
    case CALC_OR:
        return truth(a != 0 || b != 0);
    case CALC_XOR:
        return truth((a != 0) != (b != 0));
    case CALC_MAX:
        return wl_dim_known(wl_max_i64(a, b));
    case CALC_MIN:
        return wl_dim_known(wl_min_i64(a, b));
    default:
        return wl_dim_unknown();
    }
}

static struct wl_dim symbolic_ints(struct wl_dim_pool *p, enum calc k, struct wl_dim a,
                                   struct wl_dim b)
{
    bool may_floor = wl_dim_gt(p, a, -1) && wl_dim_gt(p, b, 0); /* truncation is then the floor */
    switch (k) {
    case CALC_ADD:
        return wl_dim_add(p, a, b);
    case CALC_SUB:
        return wl_dim_sub(p, a, b);
    case CALC_MUL:
        return wl_dim_mul(p, a, b);
    case CALC_DIV:
        return may_floor ? wl_dim_floor_div(p, a, b) : wl_dim_exact_div(p, a, b);
    case CALC_MOD:
        return may_floor ? wl_dim_mod(p, a, b) : wl_dim_unknown();
    case CALC_MAX:
        return wl_dim_max(p, a, b);
    case CALC_MIN:
        return wl_dim_min(p, a, b);
    case CALC_AND:
        return wl_dim_is(a, 0) || wl_dim_is(b, 0) ? truth(false) : wl_dim_unknown();
    case CALC_OR:
        return wl_dim_is(a, 1) || wl_dim_is(b, 1) ? truth(true) : wl_dim_unknown();
    default:
        return wl_dim_unknown();
    }
}

static struct wl_dim calc_ints(const struct wl_op_ctx *c, enum calc k, struct wl_dim a,
                               struct wl_dim b)
{
    if (is_compare(k)) {
        return compare_ints(wl_op_pool(c), k, a, b);
    }
    if (wl_dim_is_known(a) && wl_dim_is_known(b)) {
        return known_ints(c, k, a.value, b.value);
    }
    return symbolic_ints(wl_op_pool(c), k, a, b);
}

/* ---- floats -------------------------------------------------------------------------------------
 */

static double calc_floats(enum calc k, double a, double b)
{
    switch (k) {
    case CALC_ADD:
        return a + b;
    case CALC_SUB:
        return a - b;
    case CALC_MUL:
        return a * b;
    case CALC_DIV:
        return b == 0.0 ? (double)NAN : a / b;
    case CALC_MOD:
        return b == 0.0 ? (double)NAN : fmod(a, b);
    case CALC_POW:
        return pow(a, b);
    case CALC_MAX:
        return isnan(a) || isnan(b) ? (double)NAN : fmax(a, b);
    case CALC_MIN:
        return isnan(a) || isnan(b) ? (double)NAN : fmin(a, b);
    default:
        return (double)NAN;
    }
}

static struct wl_dim compare_floats(enum calc k, double a, double b)
{
    if (isnan(a) || isnan(b)) {
        return wl_dim_unknown();
    }
    switch (k) {
    case CALC_EQUAL:
        return truth(!(a < b) && !(a > b));
    case CALC_GREATER:
        return truth(a > b);
    case CALC_GREATER_EQUAL:
        return truth(a >= b);
    case CALC_LESS:
        return truth(a < b);
    default:
        return truth(a <= b);
    }
}

/* A whole float as a dim, for arithmetic with symbols. */
static struct wl_dim num_dim(struct num n)
{
    if (n.integral) {
        return n.d;
    }
    return floor(n.f) == n.f && fabs(n.f) < 9.0e15 ? wl_dim_known((int64_t)n.f) : wl_dim_unknown();
}

/* Symbolic integers in a float tensor: exact operations only. */
static struct wl_dim calc_mixed(const struct wl_op_ctx *c, enum calc k, struct num a, struct num b)
{
    struct wl_dim x = num_dim(a);
    struct wl_dim y = num_dim(b);
    if (is_compare(k)) {
        return compare_ints(wl_op_pool(c), k, x, y);
    }
    if (k == CALC_DIV) {
        return wl_dim_exact_div(wl_op_pool(c), x, y);
    }
    return k == CALC_ADD || k == CALC_SUB || k == CALC_MUL || k == CALC_MAX || k == CALC_MIN
               ? calc_ints(c, k, x, y)
               : wl_dim_unknown();
}

static struct num calc_nums(const struct wl_op_ctx *c, enum calc k, enum wl_dtype type,
                            struct num a, struct num b)
{
    if (wl_op_is_integer(type)) {
        a = num_int(num_dim(a)); /* a file may mix types: Pow of an integer by a float is legal */
        b = num_int(num_dim(b));
        return num_int(calc_ints(c, k, a.d, b.d));
    }
    if (a.integral || b.integral) {
        return num_int(calc_mixed(c, k, a, b));
    }
    if (is_compare(k)) {
        return num_int(compare_floats(k, a.f, b.f));
    }
    return num_float(round_to(type, calc_floats(k, a.f, b.f)));
}

/* ---- whole tensors
 * -------------------------------------------------------------------------------- */

/*
 * Elements of one kind become one value. A float tensor with a symbolic element is kept as integers
 * as long as all others are whole.
 */
static const struct wl_value *value_of(const struct wl_op_ctx *c, const struct num *nums,
                                       int64_t count)
{
    bool all_int = true;
    bool any_symbol = false;
    bool all_whole = true;
    for (int64_t i = 0; i < count; i++) {
        all_int = all_int && nums[i].integral;
        any_symbol = any_symbol || (nums[i].integral && wl_dim_is_symbolic(nums[i].d));
        all_whole = all_whole && !wl_dim_is_unknown(num_dim(nums[i]));
    }
    bool as_ints = all_int || (any_symbol && all_whole);
    struct wl_value *v = wl_value_new(c, count, !as_ints);
    for (int64_t i = 0; v != NULL && i < count; i++) {
        if (as_ints) {
            v->ints[i] = num_dim(nums[i]);
        } else {
            v->floats[i] = num_double(nums[i]);
        }
    }
    return v;
}

/*
 * `arrays` arrays (on the heap: they are scratch) of the elements of output 0 when these are known,
 * few and not none; NULL otherwise.
 */
static struct num *out_nums(const struct wl_op_ctx *c, size_t arrays, int64_t *dims, int32_t *rank,
                            int64_t *count)
{
    *rank = wl_op_out_rank(c, 0);
    *count = 1;
    if (!wl_op_out_known_dims(c, 0, dims)) {
        return NULL;
    }
    for (int32_t i = 0; i < *rank; i++) {
        if (!wl_mul_i64(*count, dims[i], count) || *count > WL_VALUE_MAX) {
            return NULL;
        }
    }
    return *count == 0 ? NULL : wl_malloc(arrays * (size_t)*count * sizeof(struct num));
}

/* Input i's element for every output element, broadcast, into nums. False when it has no value. */
static bool load_broadcast(const struct wl_op_ctx *c, int32_t i, const int64_t *dims, int32_t rank,
                           struct num *nums)
{
    const struct wl_value *v = wl_op_in_value(c, i);
    int64_t in_dims[WL_RANK_MAX];
    int64_t strides[WL_RANK_MAX];
    int64_t index[WL_RANK_MAX] = {0};
    int32_t in_rank = wl_op_in_rank(c, i);
    if (v == NULL || !wl_op_in_known_dims(c, i, in_dims) || in_rank > rank) {
        return false;
    }
    wl_op_broadcast_strides(in_dims, in_rank, rank, strides);
    int64_t at = 0;
    do {
        int64_t from = 0;
        for (int32_t k = 0; k < rank; k++) {
            from += index[k] * strides[k];
        }
        if (from >= v->count) {
            return false;
        }
        nums[at++] = num_at(v, from);
    } while (wl_op_next_index(index, dims, rank));
    return true;
}

static bool all_values(const struct wl_op_ctx *c)
{
    for (int32_t i = 0; i < c->node->input_count; i++) {
        if (wl_op_in_value(c, i) == NULL) {
            return false;
        }
    }
    return c->node->input_count > 0;
}

/* acc: output elements; next: as many beside them. */
static void fold_into(struct wl_op_ctx *c, bool mean, struct num *acc, struct num *next,
                      int64_t count, const int64_t *dims, int32_t rank)
{
    enum calc k = calc_of(c->node->op);
    enum wl_dtype type = wl_op_in_dtype(c, 0);
    if (!load_broadcast(c, 0, dims, rank, acc)) {
        return;
    }
    for (int32_t i = 1; i < c->node->input_count; i++) {
        if (!load_broadcast(c, i, dims, rank, next)) {
            return;
        }
        for (int64_t e = 0; e < count; e++) {
            acc[e] = calc_nums(c, k, type, acc[e], next[e]);
        }
    }
    for (int64_t e = 0; mean && e < count; e++) {
        acc[e] = num_float(round_to(type, num_double(acc[e]) / c->node->input_count));
    }
    wl_op_set_value(c, 0, value_of(c, acc, count));
}

static void fold_inputs(struct wl_op_ctx *c, bool mean)
{
    int64_t dims[WL_RANK_MAX];
    int32_t rank;
    int64_t count;
    if (calc_of(c->node->op) == CALC_NONE || !all_values(c)) {
        return;
    }
    struct num *nums = out_nums(c, 2, dims, &rank, &count);
    if (nums != NULL) {
        fold_into(c, mean, nums, nums + count, count, dims, rank);
    }
    wl_free(nums);
}

void wl_value_binary(struct wl_op_ctx *c)
{
    if (c->node->input_count == 2) {
        fold_inputs(c, false);
    }
}

void wl_value_variadic(struct wl_op_ctx *c)
{
    fold_inputs(c, strcmp(c->node->op->name, "Mean") == 0);
}

/* ---- one input
 * -------------------------------------------------------------------------------------- */

static double reciprocal(double x)
{
    return x == 0.0 ? (double)NAN : 1.0 / x;
}

static double sigmoid(double x)
{
    return 1.0 / (1.0 + exp(-x));
}

static double relu(double x)
{
    return x > 0.0 ? x : 0.0;
}

static double sign_of(double x)
{
    return x > 0.0 ? 1.0 : x < 0.0 ? -1.0 : 0.0;
}

static double negate(double x)
{
    return -x;
}

static const struct {
    const char *name;
    double (*fn)(double);
    bool keeps_integers; /* the identity on whole numbers */
} float_fns[] = {
    {"Abs", fabs, false},        {"Neg", negate, false},
    {"Sign", sign_of, false},    {"Ceil", ceil, true},
    {"Floor", floor, true},      {"Round", nearbyint, true},
    {"Sqrt", sqrt, false},       {"Reciprocal", reciprocal, false},
    {"Exp", exp, false},         {"Log", log, false},
    {"Erf", erf, false},         {"Sin", sin, false},
    {"Cos", cos, false},         {"Tan", tan, false},
    {"Asin", asin, false},       {"Acos", acos, false},
    {"Atan", atan, false},       {"Sinh", sinh, false},
    {"Cosh", cosh, false},       {"Tanh", tanh, false},
    {"Asinh", asinh, false},     {"Acosh", acosh, false},
    {"Atanh", atanh, false},     {"Relu", relu, false},
    {"Sigmoid", sigmoid, false},
};

static struct wl_dim int_not(struct wl_dim_pool *p, struct wl_dim d)
{
    return wl_dim_gt(p, d, 0) ? truth(false) : wl_dim_is(d, 0) ? truth(true) : wl_dim_unknown();
}

static struct wl_dim int_neg(struct wl_dim_pool *p, struct wl_dim d)
{
    return wl_dim_mul_k(p, d, -1);
}

static struct wl_dim int_abs(struct wl_dim_pool *p, struct wl_dim d)
{
    return wl_dim_gt(p, d, -1) ? d : wl_dim_is_known(d) ? wl_dim_known(-d.value) : wl_dim_unknown();
}

static struct wl_dim int_relu(struct wl_dim_pool *p, struct wl_dim d)
{
    return wl_dim_gt(p, d, -1) ? d : wl_dim_is_known(d) ? wl_dim_known(0) : wl_dim_unknown();
}

static struct wl_dim int_sign(struct wl_dim_pool *p, struct wl_dim d)
{
    return wl_dim_gt(p, d, 0)   ? wl_dim_known(1)
           : wl_dim_is_known(d) ? wl_dim_known(d.value < 0 ? -1 : 0)
                                : wl_dim_unknown();
}

static struct wl_dim unary_int(const struct wl_op_ctx *c, const char *name, struct wl_dim d)
{
    static const struct {
        const char *name;
        struct wl_dim (*fn)(struct wl_dim_pool *p, struct wl_dim d);
    } table[] = {{"Not", int_not},
                 {"Neg", int_neg},
                 {"Abs", int_abs},
                 {"Relu", int_relu},
                 {"Sign", int_sign}};
    for (size_t i = 0; i < WL_ARRAY_LEN(table); i++) {
        /* The least integer has no opposite. */
        if (strcmp(table[i].name, name) == 0 && !wl_dim_is(d, INT64_MIN)) {
            return table[i].fn(wl_op_pool(c), d);
        }
    }
    return wl_dim_unknown();
}

static struct num unary_num(const struct wl_op_ctx *c, enum wl_dtype type, struct num x)
{
    const char *name = c->node->op->name;
    for (size_t i = 0; i < WL_ARRAY_LEN(float_fns) && !wl_op_is_integer(type); i++) {
        if (strcmp(float_fns[i].name, name) == 0) {
            if (!x.integral) {
                return num_float(round_to(type, float_fns[i].fn(x.f)));
            }
            return num_int(float_fns[i].keeps_integers ? x.d : unary_int(c, name, x.d));
        }
    }
    return x.integral ? num_int(unary_int(c, name, x.d)) : num_float((double)NAN);
}

/* Applies fn to every element of input 0. */
static void map_value(struct wl_op_ctx *c, enum wl_dtype type,
                      struct num (*fn)(const struct wl_op_ctx *, enum wl_dtype, struct num))
{
    const struct wl_value *v = wl_op_in_value(c, 0);
    if (v == NULL) {
        return;
    }
    struct num *nums = wl_malloc((size_t)(v->count + 1) * sizeof(*nums));
    if (nums == NULL) {
        return;
    }
    for (int64_t i = 0; i < v->count; i++) {
        nums[i] = fn(c, type, num_at(v, i));
    }
    wl_op_set_value(c, 0, value_of(c, nums, v->count));
    wl_free(nums);
}

void wl_value_unary(struct wl_op_ctx *c)
{
    map_value(c, wl_op_in_dtype(c, 0), unary_num);
}

/* Range of an integer type; false for none, and for what int64 cannot hold. */
static bool int_range(enum wl_dtype t, int64_t *low, int64_t *high)
{
    int bits = wl_dtype_bits(t);
    bool is_unsigned = t == WL_DT_UINT8 || t == WL_DT_UINT16 || t == WL_DT_UINT32 ||
                       t == WL_DT_UINT64 || t == WL_DT_UINT4 || t == WL_DT_UINT2;
    if (!wl_dtype_is_int(t) || bits <= 0) {
        return false;
    }
    if (bits >= 64) {
        *low = is_unsigned ? 0 : INT64_MIN;
        *high = INT64_MAX;
        return true;
    }
    *low = is_unsigned ? 0 : -(INT64_C(1) << (bits - 1));
    *high = is_unsigned ? (INT64_C(1) << bits) - 1 : (INT64_C(1) << (bits - 1)) - 1;
    return true;
}

static struct wl_dim cast_to_int(const struct wl_op_ctx *c, enum wl_dtype to, struct num x)
{
    int64_t low;
    int64_t high;
    struct wl_dim d = x.integral ? x.d : wl_dim_unknown();
    if (to == WL_DT_BOOL) {
        if (!x.integral) {
            return isnan(x.f) ? wl_dim_unknown() : truth(x.f < 0.0 || x.f > 0.0);
        }
        return wl_dim_is_known(d)               ? truth(d.value != 0)
               : wl_dim_gt(wl_op_pool(c), d, 0) ? truth(true)
                                                : wl_dim_unknown();
    }
    if (!int_range(to, &low, &high)) {
        return wl_dim_unknown();
    }
    if (!x.integral) {
        double whole = trunc(x.f);
        if (!(fabs(whole) < 9.0e15)) {
            return wl_dim_unknown();
        }
        d = wl_dim_known((int64_t)whole);
    }
    return wl_dim_is_known(d) && (d.value < low || d.value > high) ? wl_dim_unknown() : d;
}

static struct num cast_num(const struct wl_op_ctx *c, enum wl_dtype to, struct num x)
{
    if (wl_op_is_integer(to)) {
        return num_int(cast_to_int(c, to, x));
    }
    if (x.integral && !wl_dim_is_known(x.d)) {
        return x; /* stays an exact integer in a float tensor */
    }
    return num_float(round_to(to, num_double(x)));
}

void wl_value_cast(struct wl_op_ctx *c)
{
    const struct wl_tensor *out = wl_op_out(c, 0);
    enum wl_dtype to = out == NULL ? WL_DT_UNDEFINED : out->dtype;
    if (wl_op_is_integer(to) || wl_dtype_is_float(to)) {
        map_value(c, to, cast_num);
    }
}

static struct num clip_num(const struct wl_op_ctx *c, enum wl_dtype type, struct num x)
{
    for (int32_t i = 1; i <= 2; i++) {
        const struct wl_value *bound = wl_op_in_value(c, i);
        enum calc k = i == 1 ? CALC_MAX : CALC_MIN;
        if (wl_op_has_in(c, i) && (bound == NULL || bound->count != 1)) {
            return x.integral ? num_int(wl_dim_unknown()) : num_float((double)NAN);
        }
        if (bound != NULL) {
            x = calc_nums(c, k, type, x, num_at(bound, 0));
        }
    }
    return x;
}

void wl_value_clip(struct wl_op_ctx *c)
{
    map_value(c, wl_op_in_dtype(c, 0), clip_num);
}

/* ---- Where
 * --------------------------------------------------------------------------------------------- */

static struct num choose(struct num condition, struct num x, struct num y)
{
    if (wl_dim_is_known(condition.d)) {
        return condition.d.value != 0 ? x : y;
    }
    bool same = x.integral && y.integral && wl_dim_eq(x.d, y.d);
    return same ? x : x.integral ? num_int(wl_dim_unknown()) : num_float((double)NAN);
}

void wl_value_where(struct wl_op_ctx *c)
{
    int64_t dims[WL_RANK_MAX];
    int32_t rank;
    int64_t count;
    if (!all_values(c) || c->node->input_count != 3 || wl_op_in_value(c, 0)->is_float) {
        return;
    }
    struct num *condition = out_nums(c, 3, dims, &rank, &count);
    if (condition == NULL) {
        return;
    }
    struct num *x = condition + count;
    struct num *y = x + count;
    if (load_broadcast(c, 0, dims, rank, condition) && load_broadcast(c, 1, dims, rank, x) &&
        load_broadcast(c, 2, dims, rank, y)) {
        for (int64_t i = 0; i < count; i++) {
            condition[i] = choose(condition[i], x[i], y[i]);
        }
        wl_op_set_value(c, 0, value_of(c, condition, count));
    }
    wl_free(condition);
}
