/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frontend/attr.c: attributes and stored tensors, from protobuf to the ir. A tensor's elements
 * become a value only when scan.c kept its payload and the number of elements agrees with the dims;
 * element types that no shape depends on (strings, complex, 8-bit floats and narrower) have none.
 */
#include <math.h>
#include <string.h>

#include "frontend_priv.h"

#define KIND(x) ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__##x

/* ---- elements ------------------------------------------------------------------------------- */

static uint64_t load_le(const uint8_t *p, size_t bytes)
{
    uint64_t v = 0;
    for (size_t i = 0; i < bytes; i++) {
        v |= (uint64_t)p[i] << (8 * i);
    }
    return v;
}

static double float_of_bits(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof(f));
    return (double)f;
}

/* IEEE 754 half precision: 1 sign, 5 exponent, 10 mantissa bits. */
static double half_of_bits(uint32_t bits)
{
    uint32_t exponent = (bits >> 10) & 0x1f;
    double mantissa = (double)(bits & 0x3ff);
    double magnitude;
    if (exponent == 0x1f) {
        magnitude = mantissa > 0 ? (double)NAN : (double)INFINITY;
    } else if (exponent == 0) {
        magnitude = ldexp(mantissa, -24);
    } else {
        magnitude = ldexp(mantissa + 1024, (int)exponent - 25);
    }
    return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

static double float_element(enum wl_dtype dtype, uint64_t bits)
{
    if (dtype == WL_DT_FLOAT) {
        return float_of_bits((uint32_t)bits);
    }
    if (dtype == WL_DT_BFLOAT16) {
        return float_of_bits((uint32_t)bits << 16);
    }
    if (dtype == WL_DT_FLOAT16) {
        return half_of_bits((uint32_t)bits & 0xffff);
    }
    double d;
    memcpy(&d, &bits, sizeof(d));
    return d;
}

/* Two's complement of the type's width; a UINT64 above INT64_MAX saturates. */
static int64_t int_element(enum wl_dtype dtype, uint64_t bits)
{
    switch (dtype) {
    case WL_DT_INT8:
        return (int8_t)(uint8_t)bits;
    case WL_DT_INT16:
        return (int16_t)(uint16_t)bits;
    case WL_DT_INT32:
        return (int32_t)(uint32_t)bits;
    case WL_DT_BOOL:
        return bits != 0;
    case WL_DT_UINT64:
        return bits > INT64_MAX ? INT64_MAX : (int64_t)bits;
    default:
        return (int64_t)bits;
    }
}

/* Bits of element i from the *_data field of its type. */
static uint64_t data_element(const Onnx__TensorProto *tp, enum wl_dtype dtype, size_t i)
{
    switch (dtype) {
    case WL_DT_FLOAT: {
        uint32_t bits;
        memcpy(&bits, &tp->float_data[i], sizeof(bits));
        return bits;
    }
    case WL_DT_DOUBLE: {
        uint64_t bits;
        memcpy(&bits, &tp->double_data[i], sizeof(bits));
        return bits;
    }
    case WL_DT_INT64:
        return (uint64_t)tp->int64_data[i];
    case WL_DT_UINT32:
    case WL_DT_UINT64:
        return tp->uint64_data[i];
    default:
        return (uint64_t)(uint32_t)tp->int32_data[i];
    }
}

static size_t data_count(const Onnx__TensorProto *tp, enum wl_dtype dtype)
{
    switch (dtype) {
    case WL_DT_FLOAT:
        return tp->n_float_data;
    case WL_DT_DOUBLE:
        return tp->n_double_data;
    case WL_DT_INT64:
        return tp->n_int64_data;
    case WL_DT_UINT32:
    case WL_DT_UINT64:
        return tp->n_uint64_data;
    default:
        return tp->n_int32_data;
    }
}

static bool has_value_type(enum wl_dtype dtype, bool *is_float)
{
    *is_float = dtype == WL_DT_FLOAT || dtype == WL_DT_DOUBLE || dtype == WL_DT_FLOAT16 ||
                dtype == WL_DT_BFLOAT16;
    return *is_float || dtype == WL_DT_BOOL ||
           (wl_dtype_is_int(dtype) && wl_dtype_bits(dtype) >= 8);
}

/* NULL in *out when the elements are not known. */
static wl_status value_read(struct wl_fe *fe, const Onnx__TensorProto *tp, enum wl_dtype dtype,
                            int64_t elems, const struct wl_value **out)
{
    *out = NULL;
    bool is_float;
    if (elems > WL_VALUE_MAX || !has_value_type(dtype, &is_float)) {
        return WL_OK;
    }
    size_t width = (size_t)wl_dtype_bits(dtype) / 8;
    size_t n = (size_t)elems;
    bool raw = tp->has_raw_data && tp->raw_data.len == n * width;
    if (!raw && (data_count(tp, dtype) != n || (tp->has_raw_data && tp->raw_data.len > 0))) {
        return WL_OK;
    }
    struct wl_arena *arena = fe->g->arena;
    struct wl_value *v = WL_NEW(arena, struct wl_value);
    WL_TRY_PTR(v, fe->err);
    v->count = elems;
    v->is_float = is_float;
    if (n > 0 && is_float) {
        v->floats = wl_arena_alloc(arena, n * sizeof(*v->floats));
        WL_TRY_PTR(v->floats, fe->err);
    } else if (n > 0) {
        v->ints = wl_arena_alloc(arena, n * sizeof(*v->ints));
        WL_TRY_PTR(v->ints, fe->err);
    }
    for (size_t i = 0; i < n; i++) {
        uint64_t bits =
            raw ? load_le(tp->raw_data.data + i * width, width) : data_element(tp, dtype, i);
        if (is_float) {
            v->floats[i] = float_element(dtype, bits);
        } else {
            v->ints[i] = wl_dim_known(int_element(dtype, bits));
        }
    }
    *out = v;
    return WL_OK;
}

/* The elements of a small tensor of strings; NULL in *out when they are not known. */
static wl_status strings_of(struct wl_fe *fe, const Onnx__TensorProto *tp, int64_t elems,
                            const struct wl_str **out)
{
    *out = NULL;
    if (elems < 1 || elems > WL_SCAN_KEEP_STRINGS || tp->n_string_data != (size_t)elems) {
        return WL_OK;
    }
    struct wl_str *list = WL_ARRAY(fe->g->arena, struct wl_str, elems);
    WL_TRY_PTR(list, fe->err);
    for (int64_t i = 0; i < elems; i++) {
        ProtobufCBinaryData s = tp->string_data[i];
        list[i] =
            (struct wl_str){wl_arena_strndup(fe->g->arena, (const char *)s.data, s.len), s.len};
        WL_TRY_PTR(list[i].data, fe->err);
    }
    *out = list;
    return WL_OK;
}

/* ---- tensors -------------------------------------------------------------------------------- */

static wl_status dims_copy(struct wl_fe *fe, const char *name, size_t rank, const int64_t *dims,
                           struct wl_attr_tensor *out)
{
    if (rank > WL_RANK_MAX) {
        return wl_fail(fe->err, WL_ERR_INVALID, fe->path,
                       "tensor \"%.120s\" has more than %d dimensions; ONNX models have a few",
                       name, WL_RANK_MAX);
    }
    out->rank = (int32_t)rank;
    out->dims = wl_arena_copy(fe->g->arena, dims, rank * sizeof(*dims));
    WL_TRY_PTR(out->dims, fe->err);
    out->stored_elems = 1;
    for (size_t i = 0; i < rank; i++) {
        if (dims[i] < 0 || !wl_mul_i64(out->stored_elems, dims[i], &out->stored_elems)) {
            bool zero = false;
            for (size_t k = 0; k < rank; k++) {
                zero = zero || dims[k] == 0;
            }
            if (dims[i] >= 0 && zero) {
                out->stored_elems = 0;
                return WL_OK;
            }
            return wl_fail(fe->err, WL_ERR_INVALID, fe->path,
                           "tensor \"%.120s\" has dimensions that are negative or overflow", name);
        }
    }
    return WL_OK;
}

wl_status wl_fe_tensor_attr(struct wl_fe *fe, const Onnx__TensorProto *tp,
                            struct wl_attr_tensor *out)
{
    *out = (struct wl_attr_tensor){.dtype = WL_DT_UNDEFINED};
    if (tp->data_type > 0 && tp->data_type < WL_DT_COUNT) {
        out->dtype = (enum wl_dtype)tp->data_type;
    }
    WL_TRY(dims_copy(fe, tp->name == NULL ? "" : tp->name, tp->n_dims, tp->dims, out));
    if (out->dtype == WL_DT_STRING) {
        return strings_of(fe, tp, out->stored_elems, &out->strings);
    }
    return value_read(fe, tp, out->dtype, out->stored_elems, &out->value);
}

wl_status wl_fe_sparse_attr(struct wl_fe *fe, const Onnx__SparseTensorProto *sp,
                            struct wl_attr_tensor *out)
{
    *out = (struct wl_attr_tensor){.dtype = WL_DT_UNDEFINED};
    const char *name = "";
    if (sp->values != NULL) {
        name = sp->values->name == NULL ? "" : sp->values->name;
        if (sp->values->data_type > 0 && sp->values->data_type < WL_DT_COUNT) {
            out->dtype = (enum wl_dtype)sp->values->data_type;
        }
    }
    return dims_copy(fe, name, sp->n_dims, sp->dims, out);
}

/* ---- attributes ----------------------------------------------------------------------------- */

int wl_fe_attr_type(const Onnx__AttributeProto *ap)
{
    if (ap->has_type && ap->type != KIND(UNDEFINED)) {
        return (int)ap->type;
    }
    if (ap->has_f) {
        return KIND(FLOAT);
    }
    if (ap->has_i) {
        return KIND(INT);
    }
    if (ap->has_s) {
        return KIND(STRING);
    }
    if (ap->t != NULL) {
        return KIND(TENSOR);
    }
    if (ap->g != NULL) {
        return KIND(GRAPH);
    }
    if (ap->n_floats > 0) {
        return KIND(FLOATS);
    }
    if (ap->n_strings > 0) {
        return KIND(STRINGS);
    }
    return ap->n_graphs > 0 ? KIND(GRAPHS) : KIND(INTS);
}

static wl_status string_read(struct wl_fe *fe, ProtobufCBinaryData s, struct wl_str *out)
{
    char *copy = wl_arena_strndup(fe->g->arena, (const char *)s.data, s.len);
    WL_TRY_PTR(copy, fe->err);
    *out = (struct wl_str){copy, s.len};
    return WL_OK;
}

static wl_status strings_read(struct wl_fe *fe, const Onnx__AttributeProto *ap, struct wl_attr *out)
{
    struct wl_str *list = WL_ARRAY(fe->g->arena, struct wl_str, ap->n_strings);
    WL_TRY_PTR(list, fe->err);
    for (size_t i = 0; i < ap->n_strings; i++) {
        WL_TRY(string_read(fe, ap->strings[i], &list[i]));
    }
    out->type = WL_ATTR_STRINGS;
    out->count = (int32_t)ap->n_strings;
    out->u.strings = list;
    return WL_OK;
}

static wl_status floats_read(struct wl_fe *fe, const Onnx__AttributeProto *ap, struct wl_attr *out)
{
    double *list = wl_arena_alloc(fe->g->arena, ap->n_floats * sizeof(*list));
    WL_TRY_PTR(list, fe->err);
    for (size_t i = 0; i < ap->n_floats; i++) {
        list[i] = (double)ap->floats[i];
    }
    out->type = WL_ATTR_FLOATS;
    out->count = (int32_t)ap->n_floats;
    out->u.floats = list;
    return WL_OK;
}

static wl_status tensor_read(struct wl_fe *fe, const Onnx__AttributeProto *ap, struct wl_attr *out)
{
    struct wl_attr_tensor *t = WL_NEW(fe->g->arena, struct wl_attr_tensor);
    WL_TRY_PTR(t, fe->err);
    out->type = WL_ATTR_TENSOR;
    out->u.tensor = t;
    if (ap->t != NULL) {
        return wl_fe_tensor_attr(fe, ap->t, t);
    }
    if (ap->sparse_tensor != NULL) {
        return wl_fe_sparse_attr(fe, ap->sparse_tensor, t);
    }
    return WL_OK;
}

/* A type as an attribute: its dims may be symbols. */
static wl_status type_read(struct wl_fe *fe, const Onnx__TypeProto *tp, struct wl_attr *out)
{
    struct wl_fe_type t = wl_fe_type_read(tp);
    out->type = WL_ATTR_TYPE;
    out->u.type_proto.type_kind = t.kind;
    out->u.type_proto.dtype = t.dtype;
    out->u.type_proto.rank = WL_NONE;
    if (t.shape == NULL || t.shape->n_dim > WL_RANK_MAX) {
        return WL_OK;
    }
    struct wl_dim *dims = WL_ARRAY(fe->g->arena, struct wl_dim, t.shape->n_dim);
    WL_TRY_PTR(dims, fe->err);
    for (size_t i = 0; i < t.shape->n_dim; i++) {
        const Onnx__TensorShapeProto__Dimension *d = t.shape->dim[i];
        bool given = d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        dims[i] = given && d->dim_value >= 0 ? wl_dim_known(d->dim_value) : wl_dim_unknown();
    }
    out->u.type_proto.rank = (int32_t)t.shape->n_dim;
    out->u.type_proto.dims = dims;
    return WL_OK;
}

wl_status wl_fe_attr(struct wl_fe *fe, const Onnx__AttributeProto *ap, struct wl_attr *out)
{
    switch (wl_fe_attr_type(ap)) {
    case KIND(FLOAT):
        out->type = WL_ATTR_FLOAT;
        out->u.f = (double)ap->f;
        return WL_OK;
    case KIND(INT):
        out->type = WL_ATTR_INT;
        out->u.i = ap->i;
        return WL_OK;
    case KIND(STRING):
        out->type = WL_ATTR_STRING;
        return string_read(fe, ap->s, &out->u.s);
    case KIND(TENSOR):
    case KIND(SPARSE_TENSOR):
        return tensor_read(fe, ap, out);
    case KIND(FLOATS):
        return floats_read(fe, ap, out);
    case KIND(STRINGS):
        return strings_read(fe, ap, out);
    case KIND(TYPE_PROTO):
        return type_read(fe, ap->tp, out);
    case KIND(TENSORS):
        out->type = WL_ATTR_TENSORS;
        out->count = (int32_t)ap->n_tensors;
        return WL_OK;
    default: /* INTS; lists of types and sparse tensors, which no operator of ONNX uses, read empty
              */
        out->type = WL_ATTR_INTS;
        out->count = (int32_t)ap->n_ints;
        out->u.ints = wl_arena_copy(fe->g->arena, ap->ints, ap->n_ints * sizeof(*ap->ints));
        WL_TRY_PTR(out->u.ints, fe->err);
        return WL_OK;
    }
}
