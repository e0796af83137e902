/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frontend/types.c: declared types. Those of inputs are facts; those of other tensors (value_info,
 * outputs) fill what inference does not know, and are diagnosed where they contradict it.
 */
#include <string.h>

#include "frontend_priv.h"

#define TYPE_CASE(x) ONNX__TYPE_PROTO__VALUE_##x
#define DIM_CASE(x) ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_##x

static enum wl_dtype dtype_of(int32_t number)
{
    return number > 0 && number < WL_DT_COUNT ? (enum wl_dtype)number : WL_DT_UNDEFINED;
}

/* Sequence of X and optional of X: kind from the outside, element from the inside. */
static struct wl_fe_type type_wrapped(const Onnx__TypeProto *elem, bool optional)
{
    struct wl_fe_type t = wl_fe_type_read(elem);
    if (optional) {
        t.kind = t.kind == WL_TYPE_SEQUENCE ? WL_TYPE_OPTIONAL_SEQUENCE : WL_TYPE_OPTIONAL;
    } else {
        t.kind = WL_TYPE_SEQUENCE;
    }
    return t;
}

struct wl_fe_type wl_fe_type_read(const Onnx__TypeProto *tp)
{
    struct wl_fe_type t = {WL_TYPE_UNKNOWN, WL_DT_UNDEFINED, NULL};
    if (tp == NULL) {
        return t;
    }
    switch (tp->value_case) {
    case TYPE_CASE(TENSOR_TYPE):
        return (struct wl_fe_type){WL_TYPE_TENSOR, dtype_of(tp->tensor_type->elem_type),
                                   tp->tensor_type->shape};
    case TYPE_CASE(SPARSE_TENSOR_TYPE):
        return (struct wl_fe_type){WL_TYPE_SPARSE, dtype_of(tp->sparse_tensor_type->elem_type),
                                   tp->sparse_tensor_type->shape};
    case TYPE_CASE(SEQUENCE_TYPE):
        return type_wrapped(tp->sequence_type->elem_type, false);
    case TYPE_CASE(OPTIONAL_TYPE):
        return type_wrapped(tp->optional_type->elem_type, true);
    case TYPE_CASE(MAP_TYPE):
        t.kind = WL_TYPE_MAP;
        return t;
    case TYPE_CASE(OPAQUE_TYPE):
        t.kind = WL_TYPE_OPAQUE;
        return t;
    default:
        return t;
    }
}

bool wl_fe_type_known(const Onnx__TypeProto *tp)
{
    return wl_fe_type_read(tp).kind != WL_TYPE_UNKNOWN;
}

/* ---- symbols --------------------------------------------------------------------------------- */

/* Models have a handful of dimension names. */
#define SYMBOLS_MAX 65536

/* The dim of a name of the file; `data` where its size follows from data. Each name is asked once.
 */
static wl_status symbol_dim(struct wl_fe *fe, const char *name, bool data, struct wl_dim *out)
{
    int32_t before = fe->symbols.count;
    int32_t id = wl_strmap_add(&fe->symbols, wl_str(name));
    if (id == WL_NONE ||
        wl_arena_reserve(&fe->work, (void **)&fe->symbol_dims, &fe->symbol_capacity, id + 1,
                         sizeof(*fe->symbol_dims)) != WL_OK) {
        return wl_fail_nomem(fe->err);
    }
    if (id >= SYMBOLS_MAX) {
        return wl_fail(fe->err, WL_ERR_LIMIT, fe->path,
                       "more than %d names of dimensions; models have a handful", SYMBOLS_MAX);
    }
    if (fe->symbols.count > before) {
        struct wl_dim_pool *pool = &fe->g->dims;
        bool known = !data || wl_dim_find_symbol(pool, name) != WL_NONE;
        fe->symbol_dims[id] =
            known ? wl_dim_symbol(pool, name) : wl_dim_data_symbol(pool, name, wl_dim_unknown());
    }
    *out = fe->symbol_dims[id];
    return WL_OK;
}

/* ---- inputs --------------------------------------------------------------------------------- */

static const char *param_of(const Onnx__TensorShapeProto__Dimension *d)
{
    bool named = d->value_case == DIM_CASE(DIM_PARAM) && d->dim_param != NULL &&
                 d->dim_param[0] != '\0' && strcmp(d->dim_param, "?") != 0;
    return named ? d->dim_param : NULL;
}

/* Dim `axis` of an input: a number, the file's symbol, or a symbol made for an unnamed dim. */
static wl_status input_dim(struct wl_fe *fe, int32_t tensor,
                           const Onnx__TensorShapeProto__Dimension *d, size_t axis,
                           struct wl_dim *out)
{
    struct wl_graph *g = fe->g;
    if (d->value_case == DIM_CASE(DIM_VALUE)) {
        if (d->dim_value < 0) {
            return wl_fail(fe->err, WL_ERR_INVALID, fe->path,
                           "input \"%s\" has dimension %lld; dimensions are zero or more, or a "
                           "name",
                           wl_fe_tensor_z(fe, tensor), (long long)d->dim_value);
        }
        *out = wl_dim_known(d->dim_value);
        return WL_OK;
    }
    const char *name = param_of(d);
    if (name == NULL && axis == 0 && g->batch_symbol != NULL &&
        strcmp(g->batch_symbol, "batch") == 0) {
        name = g->batch_symbol;
    }
    if (name == NULL) {
        name = wl_arena_printf(g->arena, "%s:%zu", wl_fe_tensor_z(fe, tensor), axis);
        WL_TRY_PTR(name, fe->err);
    }
    return symbol_dim(fe, name, false, out);
}

wl_status wl_fe_type_input(struct wl_fe *fe, int32_t tensor, const Onnx__TypeProto *tp,
                           bool is_first)
{
    struct wl_graph *g = fe->g;
    struct wl_fe_type t = wl_fe_type_read(tp);
    g->tensors[tensor].type_kind = t.kind == WL_TYPE_UNKNOWN ? WL_TYPE_TENSOR : t.kind;
    g->tensors[tensor].dtype = t.dtype;
    if (t.shape == NULL) {
        return WL_OK;
    }
    if (t.shape->n_dim > WL_RANK_MAX) {
        return wl_fail(fe->err, WL_ERR_INVALID, fe->path,
                       "input \"%s\" has more than %d dimensions; ONNX models have a few",
                       wl_fe_tensor_z(fe, tensor), WL_RANK_MAX);
    }
    struct wl_dim *dims = WL_ARRAY(g->arena, struct wl_dim, t.shape->n_dim);
    WL_TRY_PTR(dims, fe->err);
    int64_t elems = 1;
    for (size_t i = 0; i < t.shape->n_dim; i++) {
        WL_TRY(input_dim(fe, tensor, t.shape->dim[i], i, &dims[i]));
        int64_t size = wl_dim_is_known(dims[i]) ? wl_max_i64(dims[i].value, 1) : 1;
        if (!wl_mul_i64(elems, size, &elems) || elems > INT64_MAX / 256) {
            return wl_fail(fe->err, WL_ERR_INVALID, fe->path,
                           "the dimensions of input \"%s\" overflow; a tensor holds fewer than "
                           "2^55 elements",
                           wl_fe_tensor_z(fe, tensor));
        }
    }
    g->tensors[tensor].rank = (int32_t)t.shape->n_dim;
    g->tensors[tensor].dims = dims;
    if (is_first && t.shape->n_dim > 0) {
        g->batch_input = tensor;
    }
    return WL_OK;
}

void wl_fe_type_stored(struct wl_tensor *t, const Onnx__TypeProto *declared)
{
    struct wl_fe_type d = wl_fe_type_read(declared);
    if (d.kind == WL_TYPE_TENSOR && t->type_kind == WL_TYPE_TENSOR && d.dtype != t->dtype &&
        wl_dtype_is_int(t->dtype) && wl_dtype_bits(d.dtype) == wl_dtype_bits(t->dtype)) {
        t->dtype = d.dtype;
        t->value = NULL; /* it was read as integers */
    }
}

/* ---- declared against inferred -------------------------------------------------------------- */

static void mismatch(struct wl_fe *fe, int32_t tensor, const char *what)
{
    wl_diag_add(fe->g->diags, WL_SEV_WARNING, "shape-mismatch", wl_fe_tensor_z(fe, tensor),
                "the file declares another %s than its graph computes; the computed one is used",
                what);
}

/* A declared dim for one that inference left unknown. */
static wl_status declared_dim(struct wl_fe *fe, const Onnx__TensorShapeProto__Dimension *d,
                              struct wl_dim *out)
{
    const char *name = param_of(d);
    *out = wl_dim_unknown();
    if (d->value_case == DIM_CASE(DIM_VALUE) && fe->old_batch == 0 && d->dim_value >= 0) {
        *out = wl_dim_known(d->dim_value);
    }
    return name == NULL ? WL_OK : symbol_dim(fe, name, true, out);
}

/* Shapes are shared between tensors: one is copied before it is changed. */
static wl_status refine_dim(struct wl_fe *fe, int32_t tensor, int32_t axis, struct wl_dim dim,
                            bool *copied)
{
    struct wl_tensor *t = &fe->g->tensors[tensor];
    if (!*copied) {
        struct wl_dim *dims =
            wl_arena_copy(fe->g->arena, t->dims, (size_t)t->rank * sizeof(*t->dims));
        WL_TRY_PTR(dims, fe->err);
        t->dims = dims;
        *copied = true;
    }
    t->dims[axis] = dim;
    return WL_OK;
}

static wl_status take_shape(struct wl_fe *fe, int32_t tensor, const Onnx__TensorShapeProto *shape)
{
    if (shape->n_dim > WL_RANK_MAX) {
        return WL_OK;
    }
    struct wl_dim *dims = WL_ARRAY(fe->g->arena, struct wl_dim, shape->n_dim);
    WL_TRY_PTR(dims, fe->err);
    for (size_t i = 0; i < shape->n_dim; i++) {
        WL_TRY(declared_dim(fe, shape->dim[i], &dims[i]));
    }
    fe->g->tensors[tensor].rank = (int32_t)shape->n_dim;
    fe->g->tensors[tensor].dims = dims;
    return WL_OK;
}

static wl_status merge_shape(struct wl_fe *fe, int32_t tensor, const Onnx__TensorShapeProto *shape)
{
    const struct wl_tensor *t = &fe->g->tensors[tensor];
    if (t->rank == WL_NONE) {
        return take_shape(fe, tensor, shape);
    }
    if ((size_t)t->rank != shape->n_dim) {
        mismatch(fe, tensor, "rank");
        return WL_OK;
    }
    bool copied = false;
    for (int32_t i = 0; i < t->rank; i++) {
        const Onnx__TensorShapeProto__Dimension *d = shape->dim[i];
        if (wl_dim_is_unknown(t->dims[i])) {
            struct wl_dim dim;
            WL_TRY(declared_dim(fe, d, &dim));
            if (!wl_dim_is_unknown(dim)) {
                WL_TRY(refine_dim(fe, tensor, i, dim, &copied));
            }
        } else if (d->value_case == DIM_CASE(DIM_VALUE) && wl_dim_is_known(t->dims[i]) &&
                   t->dims[i].value != d->dim_value && fe->old_batch == 0) {
            mismatch(fe, tensor, "shape");
            break;
        }
    }
    return WL_OK;
}

wl_status wl_fe_type_merge(struct wl_fe *fe, int32_t tensor, const Onnx__TypeProto *tp)
{
    struct wl_tensor *t = &fe->g->tensors[tensor];
    struct wl_fe_type declared = wl_fe_type_read(tp);
    if (declared.kind == WL_TYPE_UNKNOWN) {
        return WL_OK;
    }
    bool inferred = t->dtype != WL_DT_UNDEFINED || t->rank != WL_NONE;
    if (!inferred && (t->type_kind == WL_TYPE_TENSOR || t->type_kind == WL_TYPE_UNKNOWN)) {
        t->type_kind = declared.kind;
    }
    if (t->dtype == WL_DT_UNDEFINED) {
        t->dtype = declared.dtype;
    } else if (declared.dtype != WL_DT_UNDEFINED && declared.dtype != t->dtype) {
        mismatch(fe, tensor, "element type");
    }
    if (declared.shape == NULL || t->type_kind != declared.kind) {
        return WL_OK;
    }
    return merge_shape(fe, tensor, declared.shape);
}
