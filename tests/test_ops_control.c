/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control flow, sequences, optionals: types into bodies and out of them, trip counts, fixed points.
 * The graphs are made by hand; bodies are inferred by running their nodes in order.
 */
#include "wl_test_graph.h"

/* Gives a tensor a file's declaration would: element type only. */
static int32_t body_input(struct tg *t, int32_t block)
{
    int32_t id = tg_scalar_tensor(t, WL_DT_FLOAT);
    t->g.tensors[id].rank = WL_NONE;
    t->g.tensors[id].block = block;
    struct wl_block *b = &t->g.blocks[block];
    b->inputs[b->input_count++] = id;
    return id;
}

static int32_t body_new(struct tg *t)
{
    int32_t id = wl_graph_add_block(&t->g);
    struct wl_block *b = &t->g.blocks[id];
    b->inputs = WL_ARRAY(&t->arena, int32_t, 16);
    b->outputs = WL_ARRAY(&t->arena, int32_t, 16);
    b->nodes = WL_ARRAY(&t->arena, int32_t, 16);
    b->parent_node = 0;
    b->parent_block = 0;
    return id;
}

/* Puts a node into a body; returns its first output. */
static int32_t body_node(struct tg *t, int32_t block, int32_t node)
{
    struct wl_block *b = &t->g.blocks[block];
    b->nodes[b->node_count++] = node;
    t->g.nodes[node].block = block;
    return t->g.nodes[node].outputs[0];
}

static void body_output(struct tg *t, int32_t block, int32_t tensor)
{
    struct wl_block *b = &t->g.blocks[block];
    b->outputs[b->output_count++] = tensor;
}

static void body_attr(struct tg *t, int32_t node, const char *name, int32_t block)
{
    struct wl_attr *a = tg_attr(t, node, name);
    a->type = WL_ATTR_BLOCK;
    a->u.block = block;
}

static wl_status infer_block(void *user, int32_t block, struct wl_error *err)
{
    struct tg *t = user;
    (void)err;
    for (int32_t i = 0; i < t->g.blocks[block].node_count; i++) {
        int32_t node = t->g.blocks[block].nodes[i];
        struct wl_node *n = &t->g.nodes[node];
        for (int32_t o = 0; o < n->output_count; o++) {
            t->g.tensors[n->outputs[o]].rank = WL_NONE;
            t->g.tensors[n->outputs[o]].value = NULL;
        }
        struct wl_op_ctx c = tg_ctx(t, node);
        c.infer_block = infer_block;
        c.user = user;
        assert_int_equal(n->op->infer(&c), WL_OK);
        if (n->op->value != NULL) {
            n->op->value(&c);
        }
    }
    return WL_OK;
}

static void run(struct tg *t, int32_t node)
{
    struct wl_op_ctx c = tg_ctx(t, node);
    c.infer_block = infer_block;
    c.user = t;
    assert_int_equal(c.node->op->infer(&c), WL_OK);
}

static int32_t out(const struct tg *t, int32_t node, int32_t i)
{
    return t->g.nodes[node].outputs[i];
}

/* A Loop over `state` that runs `limit` times; the body is left to the caller. */
static int32_t loop_new(struct tg *t, int32_t limit, int32_t cond, int32_t state, int32_t *block,
                        int32_t outputs)
{
    *block = body_new(t);
    int32_t node = tg_node_in(t, "", "Loop", TG_IDS(limit, cond, state), outputs);
    body_attr(t, node, "body", *block);
    (void)body_input(t, *block); /* iteration */
    (void)body_input(t, *block); /* condition */
    (void)body_input(t, *block); /* carried */
    return node;
}

/* Keeps the condition; adds 1 to the carried value; scans it. */
static void test_loop_counted(void **state)
{
    (void)state;
    struct tg t;
    tg_init(&t);
    int32_t block;
    int32_t limit = tg_const_scalar(&t, WL_DT_INT64, 5);
    int32_t x = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(2, 3));
    int32_t node = loop_new(&t, limit, WL_NONE, x, &block, 2);
    const int32_t *in = t.g.blocks[block].inputs;
    int32_t keep = body_node(&t, block, tg_node(&t, "Identity", TG_IDS(in[1])));
    int32_t one = tg_const_floats(&t, 1, (const double[]){1.0});
    int32_t sum = body_node(&t, block, tg_node(&t, "Add", TG_IDS(in[2], one)));
    body_output(&t, block, keep);
    body_output(&t, block, sum);
    body_output(&t, block, sum);
    run(&t, node);
    tg_expect(&t, out(&t, node, 0), WL_DT_FLOAT, TG_DIMS(2, 3));
    tg_expect(&t, out(&t, node, 1), WL_DT_FLOAT, TG_DIMS(5, 2, 3));
    tg_done(&t);
}

/* The carried value grows by a row each time: its first dim is unknown, the second is not. */
static void test_loop_growing(void **state)
{
    (void)state;
    struct tg t;
    tg_init(&t);
    int32_t block;
    int32_t limit = tg_const_scalar(&t, WL_DT_INT64, 4);
    int32_t yes = tg_const_scalar(&t, WL_DT_BOOL, 1);
    int32_t x = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(1, 3));
    int32_t row = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(1, 3));
    int32_t node = loop_new(&t, limit, yes, x, &block, 1);
    const int32_t *in = t.g.blocks[block].inputs;
    int32_t keep = body_node(&t, block, tg_node(&t, "Identity", TG_IDS(in[1])));
    int32_t join = tg_node(&t, "Concat", TG_IDS(in[2], row));
    tg_int(&t, join, "axis", 0);
    body_output(&t, block, keep);
    body_output(&t, block, body_node(&t, block, join));
    run(&t, node);
    const struct wl_tensor *y = &t.g.tensors[out(&t, node, 0)];
    assert_int_equal(y->rank, 2);
    assert_true(wl_dim_is_unknown(y->dims[0]));
    assert_true(wl_dim_is(y->dims[1], 3));
    /* Once only, the result is exact. */
    tg_value(&t, limit, 1, false)->ints[0] = wl_dim_known(1);
    run(&t, node);
    tg_expect(&t, out(&t, node, 0), WL_DT_FLOAT, TG_DIMS(2, 3));
    /* Never: the initial value passes. */
    tg_value(&t, limit, 1, false)->ints[0] = wl_dim_known(0);
    run(&t, node);
    tg_expect(&t, out(&t, node, 0), WL_DT_FLOAT, TG_DIMS(1, 3));
    tg_done(&t);
}

/* A condition computed from data: scans are "loop:Loop" long, at most the limit; --dim binds it. */
static void test_loop_symbol(void **state)
{
    (void)state;
    for (int bound = 0; bound < 2; bound++) {
        struct tg t;
        tg_init(&t);
        if (bound) {
            wl_dim_bind(&t.g.dims, "loop:Loop", 7);
        }
        int32_t block;
        int32_t limit = tg_const_scalar(&t, WL_DT_INT64, 50);
        int32_t x = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(3));
        int32_t level = tg_scalar_tensor(&t, WL_DT_FLOAT);
        int32_t node = loop_new(&t, limit, WL_NONE, x, &block, 2);
        const int32_t *in = t.g.blocks[block].inputs;
        int32_t less = body_node(&t, block, tg_node(&t, "Less", TG_IDS(level, level)));
        int32_t same = body_node(&t, block, tg_node(&t, "Relu", TG_IDS(in[2])));
        body_output(&t, block, less);
        body_output(&t, block, same);
        body_output(&t, block, same);
        run(&t, node);
        tg_expect(&t, out(&t, node, 0), WL_DT_FLOAT, TG_DIMS(3));
        tg_expect_dim(&t, t.g.tensors[out(&t, node, 1)].dims[0], bound ? "7" : "loop:Loop");
        int32_t symbol = wl_dim_find_symbol(&t.g.dims, "loop:Loop");
        assert_int_equal(t.g.dims.symbols[symbol].upper, 50);
        tg_done(&t);
    }
}

/* Sum over rows: state (2), scanned (3, 2) row by row; axis 1 of the second case. */
static void test_scan(void **state)
{
    (void)state;
    for (int axis = 0; axis < 2; axis++) {
        struct tg t;
        tg_init(&t);
        int32_t block = body_new(&t);
        int32_t sum = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(2));
        int64_t dims[2] = {axis ? 2 : 3, axis ? 3 : 2};
        int32_t rows = tg_tensor(&t, WL_DT_FLOAT, 2, dims);
        int32_t node = tg_node_in(&t, "", "Scan", TG_IDS(sum, rows), 2);
        body_attr(&t, node, "body", block);
        tg_int(&t, node, "num_scan_inputs", 1);
        tg_ints(&t, node, "scan_input_axes", 1, (const int64_t[]){axis});
        tg_ints(&t, node, "scan_output_axes", 1, (const int64_t[]){-1});
        t.g.nodes[node].version = 16;
        int32_t a = body_input(&t, block);
        int32_t b = body_input(&t, block);
        int32_t next = body_node(&t, block, tg_node(&t, "Add", TG_IDS(a, b)));
        body_output(&t, block, next);
        body_output(&t, block, next);
        run(&t, node);
        tg_expect(&t, out(&t, node, 0), WL_DT_FLOAT, TG_DIMS(2));
        tg_expect(&t, out(&t, node, 1), WL_DT_FLOAT, TG_DIMS(2, 3)); /* stacked as last axis */
        tg_done(&t);
    }
}

/* then gives (2, 3), else (2, 4). */
static void test_if(void **state)
{
    (void)state;
    struct tg t;
    tg_init(&t);
    int32_t a = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(2, 3));
    int32_t b = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(2, 4));
    int32_t cond = tg_scalar_tensor(&t, WL_DT_BOOL);
    int32_t node = tg_node(&t, "If", TG_IDS(cond));
    int32_t yes = body_new(&t);
    int32_t no = body_new(&t);
    body_attr(&t, node, "then_branch", yes);
    body_attr(&t, node, "else_branch", no);
    body_output(&t, yes, body_node(&t, yes, tg_node(&t, "Relu", TG_IDS(a))));
    body_output(&t, no, body_node(&t, no, tg_node(&t, "Relu", TG_IDS(b))));
    run(&t, node);
    const struct wl_tensor *y = &t.g.tensors[out(&t, node, 0)];
    tg_expect_dim(&t, y->dims[0], "2");
    tg_expect_dim(&t, y->dims[1], "If.0.1");
    int32_t symbol = wl_dim_find_symbol(&t.g.dims, "If.0.1");
    assert_int_equal(t.g.dims.symbols[symbol].upper, 4);
    tg_value(&t, cond, 1, false)->ints[0] = wl_dim_known(0);
    run(&t, node);
    tg_expect(&t, out(&t, node, 0), WL_DT_FLOAT, TG_DIMS(2, 4));
    tg_value(&t, cond, 1, false)->ints[0] = wl_dim_known(1);
    run(&t, node);
    tg_expect(&t, out(&t, node, 0), WL_DT_FLOAT, TG_DIMS(2, 3));
    tg_done(&t);
}

static void test_sequences(void **state)
{
    (void)state;
    struct tg t;
    tg_init(&t);
    int32_t a = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(2, 3));
    int32_t b = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(5, 3));
    int32_t seq = tg_run(&t, tg_node(&t, "SequenceConstruct", TG_IDS(a, b, a)));
    assert_int_equal(t.g.tensors[seq].type_kind, WL_TYPE_SEQUENCE);
    assert_true(wl_dim_is(t.g.tensors[seq].length, 3));
    assert_true(wl_dim_is_unknown(t.g.tensors[seq].dims[0])); /* 2 or 5 */
    assert_true(wl_dim_is(t.g.tensors[seq].dims[1], 3));
    int32_t more = tg_run(&t, tg_node(&t, "SequenceInsert", TG_IDS(seq, b)));
    int32_t n = tg_run(&t, tg_node(&t, "SequenceLength", TG_IDS(more)));
    assert_true(wl_dim_is(t.g.tensors[n].value->ints[0], 4));
    /* (6, 4) in parts of 2 rows: 3 of (2, 4), which stack to (3, 2, 4) and join to (6, 4). */
    int32_t x = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(6, 4));
    int32_t two = tg_const_scalar(&t, WL_DT_INT64, 2);
    int32_t parts = tg_run(&t, tg_node(&t, "SplitToSequence", TG_IDS(x, two)));
    assert_true(wl_dim_is(t.g.tensors[parts].length, 3));
    int32_t stack = tg_node(&t, "ConcatFromSequence", TG_IDS(parts));
    tg_int(&t, stack, "axis", 0);
    tg_expect(&t, tg_run(&t, stack), WL_DT_FLOAT, TG_DIMS(6, 4));
    tg_int(&t, stack, "new_axis", 1);
    tg_expect(&t, tg_run(&t, stack), WL_DT_FLOAT, TG_DIMS(3, 2, 4));
    int32_t at = tg_run(&t, tg_node(&t, "SequenceAt", TG_IDS(parts, two)));
    tg_expect(&t, at, WL_DT_FLOAT, TG_DIMS(2, 4));
    tg_done(&t);
}

static void test_sequence_map(void **state)
{
    (void)state;
    struct tg t;
    tg_init(&t);
    int32_t a = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(2, 3));
    int32_t bias = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(4, 1, 1));
    int32_t seq = tg_run(&t, tg_node(&t, "SequenceConstruct", TG_IDS(a, a)));
    int32_t block = body_new(&t);
    int32_t node = tg_node(&t, "SequenceMap", TG_IDS(seq, bias));
    body_attr(&t, node, "body", block);
    int32_t x = body_input(&t, block);
    int32_t y = body_input(&t, block);
    body_output(&t, block, body_node(&t, block, tg_node(&t, "Add", TG_IDS(x, y))));
    run(&t, node);
    const struct wl_tensor *z = &t.g.tensors[out(&t, node, 0)];
    assert_int_equal(z->type_kind, WL_TYPE_SEQUENCE);
    assert_true(wl_dim_is(z->length, 2));
    tg_expect(&t, out(&t, node, 0), WL_DT_FLOAT, TG_DIMS(4, 2, 3));
    tg_done(&t);
}

static void test_optionals(void **state)
{
    (void)state;
    struct tg t;
    tg_init(&t);
    int32_t x = tg_tensor(&t, WL_DT_FLOAT, TG_DIMS(4));
    int32_t o = tg_run(&t, tg_node(&t, "Optional", TG_IDS(x)));
    assert_int_equal(t.g.tensors[o].type_kind, WL_TYPE_OPTIONAL);
    int32_t has = tg_run(&t, tg_node(&t, "OptionalHasElement", TG_IDS(o)));
    assert_true(wl_dim_is(t.g.tensors[has].value->ints[0], 1));
    int32_t y = tg_run(&t, tg_node(&t, "OptionalGetElement", TG_IDS(o)));
    assert_int_equal(t.g.tensors[y].type_kind, WL_TYPE_TENSOR);
    tg_expect(&t, y, WL_DT_FLOAT, TG_DIMS(4));
    int32_t none = tg_run(&t, tg_node(&t, "OptionalHasElement", TG_IDS(WL_NONE)));
    assert_true(wl_dim_is(t.g.tensors[none].value->ints[0], 0));
    tg_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loop_counted), cmocka_unit_test(test_loop_growing),
        cmocka_unit_test(test_loop_symbol),  cmocka_unit_test(test_scan),
        cmocka_unit_test(test_if),           cmocka_unit_test(test_sequences),
        cmocka_unit_test(test_sequence_map), cmocka_unit_test(test_optionals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
