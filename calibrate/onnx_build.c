/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calibrate/onnx_build.c: protobuf-c messages of a small graph, all in one arena. Weights are
 * external data without a file, as in the zoo: wl_materialize fills them.
 */
#include "onnx_build.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "onnx.pb-c.h"

#define OPSET 17
#define IR_VERSION 8
#define OUTPUTS_MAX 4

struct list {
    void **items;
    int32_t count, capacity;
};

struct wl_onnx {
    struct wl_arena *arena;
    const char *prefix;
    struct list nodes, inputs, outputs, initializers;
    int32_t serial;
    bool aid;
    bool peeked;
    bool failed;
};

struct wl_onnx_node {
    Onnx__NodeProto proto; /* first: the list holds it as that */
    struct list attributes;
};

/* Where allocation failed: writes go here, and wl_onnx_write reports the failure. */
static struct wl_onnx_node *node_new(struct wl_onnx *b)
{
    struct wl_onnx_node *n = WL_ARRAY(b->arena, struct wl_onnx_node, 1);
    if (n != NULL) {
        onnx__node_proto__init(&n->proto);
    }
    b->failed = b->failed || n == NULL;
    return n;
}

static void push(struct wl_onnx *b, struct list *l, void *item)
{
    void *items = (void *)l->items;
    if (item == NULL || wl_arena_reserve(b->arena, &items, &l->capacity, l->count + 1,
                                         sizeof(*l->items)) != WL_OK) {
        b->failed = true;
        return;
    }
    l->items = items;
    l->items[l->count++] = item;
}

struct wl_onnx *wl_onnx_new(struct wl_arena *arena)
{
    struct wl_onnx *b = WL_ARRAY(arena, struct wl_onnx, 1);
    if (b != NULL) {
        *b = (struct wl_onnx){.arena = arena, .prefix = ""};
    }
    return b;
}

void wl_onnx_prefix(struct wl_onnx *b, const char *prefix)
{
    b->prefix = prefix;
    b->serial = 0;
}

void wl_onnx_aid(struct wl_onnx *b, bool on)
{
    b->aid = on;
}

static char *name_new(struct wl_onnx *b, const char *kind)
{
    char *name = wl_arena_printf(b->arena, "%s%s%s%d", b->aid ? WL_ONNX_AID : "", b->prefix, kind,
                                 b->serial++);
    b->failed = b->failed || name == NULL;
    return name;
}

static char *copy_text(struct wl_onnx *b, const char *text)
{
    char *copy = wl_arena_strndup(b->arena, text, strlen(text));
    b->failed = b->failed || copy == NULL;
    return copy;
}

/* ---- tensors ----------------------------------------------------------------------------------
 */

static Onnx__TypeProto *type_new(struct wl_onnx *b, enum wl_onnx_type type, const int64_t *dims,
                                 int32_t rank)
{
    struct wl_arena *a = b->arena;
    Onnx__TypeProto *t = WL_ARRAY(a, Onnx__TypeProto, 1);
    Onnx__TypeProto__Tensor *x = WL_ARRAY(a, Onnx__TypeProto__Tensor, 1);
    Onnx__TensorShapeProto *shape = WL_ARRAY(a, Onnx__TensorShapeProto, 1);
    Onnx__TensorShapeProto__Dimension *d = WL_ARRAY(a, Onnx__TensorShapeProto__Dimension, rank);
    Onnx__TensorShapeProto__Dimension **list =
        WL_ARRAY(a, Onnx__TensorShapeProto__Dimension *, rank);
    if (t == NULL || x == NULL || shape == NULL || d == NULL || list == NULL) {
        b->failed = true;
        return NULL;
    }
    onnx__type_proto__init(t);
    onnx__type_proto__tensor__init(x);
    onnx__tensor_shape_proto__init(shape);
    for (int32_t i = 0; i < rank; i++) {
        onnx__tensor_shape_proto__dimension__init(&d[i]);
        d[i].value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        d[i].dim_value = dims[i];
        list[i] = &d[i];
    }
    shape->n_dim = (size_t)rank;
    shape->dim = list;
    x->has_elem_type = true;
    x->elem_type = (int32_t)type;
    x->shape = shape;
    t->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    t->tensor_type = x;
    return t;
}

static Onnx__ValueInfoProto *value_new(struct wl_onnx *b, const char *name, Onnx__TypeProto *type)
{
    Onnx__ValueInfoProto *v = WL_ARRAY(b->arena, Onnx__ValueInfoProto, 1);
    if (v == NULL) {
        b->failed = true;
        return NULL;
    }
    onnx__value_info_proto__init(v);
    v->name = copy_text(b, name);
    v->type = type;
    return v;
}

const char *wl_onnx_input(struct wl_onnx *b, enum wl_onnx_type type, const int64_t *dims,
                          int32_t rank)
{
    const char *name = name_new(b, "x");
    if (name != NULL) {
        push(b, &b->inputs, value_new(b, name, type_new(b, type, dims, rank)));
    }
    return name;
}

static Onnx__TensorProto *tensor_new(struct wl_onnx *b, enum wl_onnx_type type, const int64_t *dims,
                                     int32_t rank)
{
    Onnx__TensorProto *t = WL_ARRAY(b->arena, Onnx__TensorProto, 1);
    if (t == NULL) {
        b->failed = true;
        return NULL;
    }
    onnx__tensor_proto__init(t);
    t->name = name_new(b, "w");
    t->has_data_type = true;
    t->data_type = (int32_t)type;
    t->n_dims = (size_t)rank;
    t->dims = wl_arena_copy(b->arena, dims, (size_t)rank * sizeof(*dims));
    push(b, &b->initializers, t);
    return t;
}

const char *wl_onnx_weight(struct wl_onnx *b, const int64_t *dims, int32_t rank)
{
    return wl_onnx_weight_of(b, WL_ONNX_FLOAT, dims, rank);
}

const char *wl_onnx_weight_of(struct wl_onnx *b, enum wl_onnx_type type, const int64_t *dims,
                              int32_t rank)
{
    Onnx__TensorProto *t = tensor_new(b, type, dims, rank);
    Onnx__StringStringEntryProto *e = WL_ARRAY(b->arena, Onnx__StringStringEntryProto, 1);
    Onnx__StringStringEntryProto **list = WL_ARRAY(b->arena, Onnx__StringStringEntryProto *, 1);
    if (t == NULL || e == NULL || list == NULL) {
        b->failed = true;
        return NULL;
    }
    onnx__string_string_entry_proto__init(e);
    e->key = copy_text(b, "location");
    e->value = copy_text(b, "weights");
    list[0] = e;
    t->has_data_location = true;
    t->data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
    t->n_external_data = 1;
    t->external_data = list;
    return t->name;
}

const char *wl_onnx_ints(struct wl_onnx *b, const int64_t *values, int32_t count)
{
    int64_t dims[1] = {count};
    Onnx__TensorProto *t = tensor_new(b, WL_ONNX_INT64, dims, 1);
    if (t == NULL) {
        return NULL;
    }
    t->n_int64_data = (size_t)count;
    t->int64_data = wl_arena_copy(b->arena, values, (size_t)count * sizeof(*values));
    return t->name;
}

const char *wl_onnx_scalar(struct wl_onnx *b, float value)
{
    Onnx__TensorProto *t = tensor_new(b, WL_ONNX_FLOAT, NULL, 0);
    if (t == NULL) {
        return NULL;
    }
    t->n_float_data = 1;
    t->float_data = wl_arena_copy(b->arena, &value, sizeof(value));
    return t->name;
}

const char *wl_onnx_byte(struct wl_onnx *b, uint8_t value)
{
    int32_t wide = value;
    Onnx__TensorProto *t = tensor_new(b, WL_ONNX_UINT8, NULL, 0);
    if (t == NULL) {
        return NULL;
    }
    t->n_int32_data = 1;
    t->int32_data = wl_arena_copy(b->arena, &wide, sizeof(wide));
    return t->name;
}

/* ---- nodes ------------------------------------------------------------------------------------
 */

struct wl_onnx_node *wl_onnx_add(struct wl_onnx *b, const char *op, const char *const inputs[8])
{
    struct wl_onnx_node *n = node_new(b);
    char **in = WL_ARRAY(b->arena, char *, 8);
    char **out = WL_ARRAY(b->arena, char *, OUTPUTS_MAX);
    if (n == NULL || in == NULL || out == NULL) {
        b->failed = true;
        return NULL;
    }
    for (size_t i = 0; i < 8 && inputs[i] != NULL; i++) {
        in[i] = copy_text(b, inputs[i]);
        n->proto.n_input = i + 1;
    }
    out[0] = name_new(b, "y");
    n->proto.input = in;
    n->proto.output = out;
    n->proto.n_output = 1;
    n->proto.op_type = copy_text(b, op);
    n->proto.name = name_new(b, op);
    push(b, &b->nodes, n);
    return n;
}

const char *wl_onnx_another(struct wl_onnx *b, struct wl_onnx_node *n)
{
    if (n == NULL || n->proto.n_output == OUTPUTS_MAX) {
        return NULL;
    }
    char *made = name_new(b, "y");
    n->proto.output[n->proto.n_output++] = made;
    return made;
}

const char *wl_onnx_result(const struct wl_onnx_node *n)
{
    return n == NULL ? NULL : n->proto.output[0];
}

static Onnx__AttributeProto *attribute_new(struct wl_onnx *b, struct wl_onnx_node *n,
                                           const char *name,
                                           Onnx__AttributeProto__AttributeType type)
{
    Onnx__AttributeProto *a = WL_ARRAY(b->arena, Onnx__AttributeProto, 1);
    if (a == NULL || n == NULL) {
        b->failed = true;
        return NULL;
    }
    onnx__attribute_proto__init(a);
    a->name = copy_text(b, name);
    a->has_type = true;
    a->type = type;
    push(b, &n->attributes, a);
    n->proto.attribute = (Onnx__AttributeProto **)(void *)n->attributes.items;
    n->proto.n_attribute = (size_t)n->attributes.count;
    return a;
}

void wl_onnx_attr_int(struct wl_onnx *b, struct wl_onnx_node *n, const char *name, int64_t value)
{
    Onnx__AttributeProto *a = attribute_new(b, n, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);
    if (a != NULL) {
        a->has_i = true;
        a->i = value;
    }
}

void wl_onnx_attr_ints(struct wl_onnx *b, struct wl_onnx_node *n, const char *name,
                       const int64_t *values, int32_t count)
{
    Onnx__AttributeProto *a =
        attribute_new(b, n, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);
    if (a != NULL) {
        a->n_ints = (size_t)count;
        a->ints = wl_arena_copy(b->arena, values, (size_t)count * sizeof(*values));
        b->failed = b->failed || a->ints == NULL;
    }
}

void wl_onnx_attr_text(struct wl_onnx *b, struct wl_onnx_node *n, const char *name,
                       const char *value)
{
    Onnx__AttributeProto *a =
        attribute_new(b, n, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING);
    if (a != NULL) {
        a->has_s = true;
        a->s.len = strlen(value);
        a->s.data = (uint8_t *)copy_text(b, value);
    }
}

void wl_onnx_peek(struct wl_onnx *b)
{
    b->peeked = true;
}

static const char *first_element(struct wl_onnx *b, const char *tensor)
{
    static const int64_t flat[] = {-1}, zero[] = {0}, one[] = {1};
    const char *const shape[8] = {tensor, wl_onnx_ints(b, flat, 1)};
    const char *row = wl_onnx_result(wl_onnx_add(b, "Reshape", shape));
    const char *const cut[8] = {row, wl_onnx_ints(b, zero, 1), wl_onnx_ints(b, one, 1)};
    return wl_onnx_result(wl_onnx_add(b, "Slice", cut));
}

void wl_onnx_output(struct wl_onnx *b, const char *tensor)
{
    tensor = tensor != NULL && b->peeked ? first_element(b, tensor) : tensor;
    Onnx__TypeProto *type = tensor == NULL ? NULL : type_new(b, WL_ONNX_FLOAT, NULL, 0);
    if (type != NULL) {
        type->tensor_type->shape = NULL; /* inferred */
        push(b, &b->outputs, value_new(b, tensor, type));
    }
}

/* ---- writing ----------------------------------------------------------------------------------
 */

static wl_status write_bytes(const char *path, const uint8_t *bytes, size_t count,
                             struct wl_error *err)
{
    FILE *f = fopen(path, "wb");
    bool wrong = f == NULL || fwrite(bytes, 1, count, f) != count;
    wrong = (f != NULL && fclose(f) != 0) || wrong;
    return wrong ? wl_fail(err, WL_ERR_IO, path, "cannot be written: %s", strerror(errno)) : WL_OK;
}

wl_status wl_onnx_write(struct wl_onnx *b, const char *path, struct wl_error *err)
{
    Onnx__ModelProto model = ONNX__MODEL_PROTO__INIT;
    Onnx__GraphProto graph = ONNX__GRAPH_PROTO__INIT;
    Onnx__OperatorSetIdProto opset = ONNX__OPERATOR_SET_ID_PROTO__INIT;
    Onnx__OperatorSetIdProto *opsets[] = {&opset};
    char graph_name[] = "micro", producer[] = "wattline", domain[] = "";
    opset.domain = domain;
    opset.has_version = true;
    opset.version = OPSET;
    graph.name = graph_name;
    graph.n_node = (size_t)b->nodes.count;
    graph.node = (Onnx__NodeProto **)(void *)b->nodes.items;
    graph.n_input = (size_t)b->inputs.count;
    graph.input = (Onnx__ValueInfoProto **)(void *)b->inputs.items;
    graph.n_output = (size_t)b->outputs.count;
    graph.output = (Onnx__ValueInfoProto **)(void *)b->outputs.items;
    graph.n_initializer = (size_t)b->initializers.count;
    graph.initializer = (Onnx__TensorProto **)(void *)b->initializers.items;
    model.has_ir_version = true;
    model.ir_version = IR_VERSION;
    model.producer_name = producer;
    model.n_opset_import = 1;
    model.opset_import = opsets;
    model.graph = &graph;
    size_t count = b->failed ? 0 : onnx__model_proto__get_packed_size(&model);
    uint8_t *bytes = b->failed ? NULL : wl_arena_alloc(b->arena, count);
    WL_TRY_PTR(bytes, err);
    (void)onnx__model_proto__pack(&model, bytes);
    return write_bytes(path, bytes, count, err);
}
