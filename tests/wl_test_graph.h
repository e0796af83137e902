/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wl_test_graph: graphs made by hand, one node at a time, for tests of operators. tg_run infers a
 * node (shapes, then values), tg_work counts it.
 */
#ifndef WL_TEST_GRAPH_H
#define WL_TEST_GRAPH_H

#include "ops.h"
#include "wl_test.h"

struct tg {
    struct wl_arena arena;
    struct wl_diag_list diags;
    struct wl_graph g;
};

static inline void tg_init(struct tg *t)
{
    memset(t, 0, sizeof(*t));
    wl_arena_init(&t->arena, 0);
    wl_diag_init(&t->diags, &t->arena);
    assert_int_equal(wl_graph_init(&t->g, &t->arena, &t->diags, NULL), WL_OK);
    assert_int_equal(wl_graph_add_block(&t->g), 0);
}

static inline void tg_done(struct tg *t)
{
    wl_arena_done(&t->arena);
}

/* A tensor of known shape; a dim of -1 is the symbol "N", -2 "M", other negatives are unknown. */
static inline int32_t tg_tensor(struct tg *t, enum wl_dtype dtype, int32_t rank,
                                const int64_t *dims)
{
    char name[32];
    (void)snprintf(name, sizeof(name), "t%d", (int)t->g.tensor_count);
    int32_t id = wl_graph_add_tensor(&t->g, wl_strmap_add(&t->g.names, wl_str(name)));
    struct wl_dim *d = WL_ARRAY(&t->arena, struct wl_dim, rank > 0 ? rank : 1);
    for (int32_t i = 0; i < rank; i++) {
        d[i] = dims[i] == -1   ? wl_dim_symbol(&t->g.dims, "N")
               : dims[i] == -2 ? wl_dim_symbol(&t->g.dims, "M")
               : dims[i] < 0   ? wl_dim_unknown()
                               : wl_dim_known(dims[i]);
    }
    t->g.tensors[id].dtype = dtype;
    t->g.tensors[id].kind = WL_TENSOR_INPUT;
    t->g.tensors[id].rank = rank;
    t->g.tensors[id].dims = d;
    return id;
}

#define TG_DIMS(...)                                                                               \
    (int32_t)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (const int64_t[])               \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }
static inline int32_t tg_scalar_tensor(struct tg *t, enum wl_dtype dtype)
{
    int64_t none = 0;
    return tg_tensor(t, dtype, 0, &none);
}

static inline struct wl_value *tg_value(struct tg *t, int32_t id, int64_t count, bool is_float)
{
    struct wl_value *v = WL_NEW(&t->arena, struct wl_value);
    v->count = count;
    v->is_float = is_float;
    v->ints = is_float ? NULL : WL_ARRAY(&t->arena, struct wl_dim, count);
    v->floats = is_float ? WL_ARRAY(&t->arena, double, count) : NULL;
    t->g.tensors[id].value = v;
    t->g.tensors[id].kind = WL_TENSOR_INITIALIZER;
    return v;
}

/* A constant vector of integers; -1 and -2 are themselves here. */
static inline int32_t tg_const(struct tg *t, int32_t count, const int64_t *values)
{
    int64_t n = count;
    int32_t id = tg_tensor(t, WL_DT_INT64, 1, &n);
    struct wl_value *v = tg_value(t, id, count, false);
    for (int32_t i = 0; i < count; i++) {
        v->ints[i] = wl_dim_known(values[i]);
    }
    return id;
}

static inline int32_t tg_const_floats(struct tg *t, int32_t count, const double *values)
{
    int64_t n = count;
    int32_t id = tg_tensor(t, WL_DT_FLOAT, 1, &n);
    struct wl_value *v = tg_value(t, id, count, true);
    for (int32_t i = 0; i < count; i++) {
        v->floats[i] = values[i];
    }
    return id;
}

static inline int32_t tg_const_scalar(struct tg *t, enum wl_dtype dtype, int64_t value)
{
    int32_t id = tg_scalar_tensor(t, dtype);
    tg_value(t, id, 1, false)->ints[0] = wl_dim_known(value);
    return id;
}

/* A node with fresh outputs; inputs of WL_NONE are omitted. */
static inline int32_t tg_node_in(struct tg *t, const char *domain, const char *op,
                                 int32_t input_count, const int32_t *inputs, int32_t output_count)
{
    int32_t id = wl_graph_add_node(&t->g);
    struct wl_node *n = &t->g.nodes[id];
    n->op_type = wl_str(op);
    n->domain = wl_str(domain);
    n->name = wl_str(op);
    n->op = wl_op_find(n->domain, n->op_type);
    n->inputs = wl_arena_copy(&t->arena, inputs, (size_t)input_count * sizeof(*inputs));
    n->input_count = input_count;
    int32_t *outputs = WL_ARRAY(&t->arena, int32_t, output_count);
    for (int32_t i = 0; i < output_count; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "t%d", (int)t->g.tensor_count);
        outputs[i] = wl_graph_add_tensor(&t->g, wl_strmap_add(&t->g.names, wl_str(name)));
        t->g.tensors[outputs[i]].producer = id;
    }
    n->outputs = outputs;
    n->output_count = output_count;
    assert_non_null(n->op);
    return id;
}

#define TG_IDS(...)                                                                                \
    (int32_t)(sizeof((int32_t[]){__VA_ARGS__}) / sizeof(int32_t)), (const int32_t[])               \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }
/* tg_node(&t, "Add", TG_IDS(a, b)): a node of the default domain with one output */
#define tg_node(t, op, ...) tg_node_in(t, "", op, __VA_ARGS__, 1)

static inline struct wl_attr *tg_attr(struct tg *t, int32_t node, const char *name)
{
    struct wl_node *n = &t->g.nodes[node];
    struct wl_attr *all = WL_ARRAY(&t->arena, struct wl_attr, n->attr_count + 1);
    if (n->attr_count > 0) {
        memcpy(all, n->attrs, (size_t)n->attr_count * sizeof(*all));
    }
    n->attrs = all;
    all[n->attr_count].name = wl_str(name);
    return &all[n->attr_count++];
}

static inline void tg_int(struct tg *t, int32_t node, const char *name, int64_t value)
{
    struct wl_attr *a = tg_attr(t, node, name);
    a->type = WL_ATTR_INT;
    a->u.i = value;
}

static inline void tg_float(struct tg *t, int32_t node, const char *name, double value)
{
    struct wl_attr *a = tg_attr(t, node, name);
    a->type = WL_ATTR_FLOAT;
    a->u.f = value;
}

static inline void tg_str(struct tg *t, int32_t node, const char *name, const char *value)
{
    struct wl_attr *a = tg_attr(t, node, name);
    a->type = WL_ATTR_STRING;
    a->u.s = wl_str(value);
}

static inline void tg_ints(struct tg *t, int32_t node, const char *name, int32_t count,
                           const int64_t *values)
{
    struct wl_attr *a = tg_attr(t, node, name);
    a->type = WL_ATTR_INTS;
    a->count = count;
    a->u.ints = wl_arena_copy(&t->arena, values, (size_t)count * sizeof(*values));
}

static inline struct wl_op_ctx tg_ctx(struct tg *t, int32_t node)
{
    return (struct wl_op_ctx){.g = &t->g, .node_id = node, .node = &t->g.nodes[node]};
}

/* Infers shapes and values; returns output 0. */
static inline int32_t tg_run(struct tg *t, int32_t node)
{
    struct wl_op_ctx c = tg_ctx(t, node);
    assert_int_equal(c.node->op->infer(&c), WL_OK);
    if (c.node->op->value != NULL) {
        c.node->op->value(&c);
    }
    return c.node->output_count > 0 ? c.node->outputs[0] : WL_NONE;
}

/* Infers everything again in order and counts; the work of `node`. */
static inline struct wl_work tg_work(struct tg *t, int32_t node)
{
    (void)tg_run(t, node);
    assert_int_equal(wl_ops_count(&t->g, NULL), WL_OK);
    return t->g.work[node];
}

/* Asserts dtype and known shape of a tensor. */
static inline void tg_expect(const struct tg *t, int32_t id, enum wl_dtype dtype, int32_t rank,
                             const int64_t *dims)
{
    const struct wl_tensor *x = &t->g.tensors[id];
    assert_int_equal(x->dtype, dtype);
    assert_int_equal(x->rank, rank);
    for (int32_t i = 0; i < rank; i++) {
        assert_true(wl_dim_is_known(x->dims[i]));
        assert_int_equal(x->dims[i].value, dims[i]);
    }
}

/* Asserts the printed form of a dim: "?", "N", "2*N" ... */
static inline void tg_expect_dim(const struct tg *t, struct wl_dim d, const char *text)
{
    struct wl_buf b;
    wl_buf_init(&b);
    wl_dim_print(&t->g.dims, d, &b);
    assert_string_equal(b.data, text);
    wl_buf_done(&b);
}

#endif
