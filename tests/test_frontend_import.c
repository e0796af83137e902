/* SPDX-License-Identifier: Apache-2.0 */
/* Names, scopes, order, bodies, local functions, declared types, parameters. */
#include "frontend_check.h"

/* ---- names and order ------------------------------------------------------------------------ */

static void test_duplicates(void **state)
{
    (void)state;
    struct loaded l;
    struct wire g = {0};
    wire_value(&g, 11, "x", 1, "1,2");
    wire_simple(&g, "Relu", "x", "y");
    wire_simple(&g, "Relu", "x", "y");
    load_graph(&l, &g, 13, NULL);
    expect_fail(&l, WL_ERR_INVALID, "\"y\"");

    wire_value(&g, 11, "x", 1, "1,2");
    wire_simple(&g, "Relu", "x", "x");
    load_graph(&l, &g, 13, NULL);
    expect_fail(&l, WL_ERR_INVALID, "\"x\"");

    wire_value(&g, 11, "x", 1, "1,2");
    wire_value(&g, 11, "x", 1, "1,2");
    load_graph(&l, &g, 13, NULL);
    expect_fail(&l, WL_ERR_INVALID, "\"x\"");

    wire_ints(&g, "s", (int64_t[]){1}, 1);
    wire_ints(&g, "s", (int64_t[]){1}, 1);
    load_graph(&l, &g, 13, NULL);
    expect_fail(&l, WL_ERR_INVALID, "\"s\"");
}

static void test_undefined(void **state)
{
    (void)state;
    struct loaded l;
    struct wire g = {0};
    wire_value(&g, 11, "x", 1, "1,2");
    wire_simple(&g, "Add", "x ghost", "y");
    wire_value(&g, 12, "y", 1, NULL);
    load_graph(&l, &g, 13, NULL);
    expect_fail(&l, WL_ERR_INVALID, "\"ghost\"");
    assert_non_null(strstr(l.err.where, "Add"));

    wire_value(&g, 11, "x", 1, "1,2");
    wire_simple(&g, "Relu", "x", "y");
    wire_value(&g, 12, "z", 1, NULL);
    load_graph(&l, &g, 13, NULL);
    expect_fail(&l, WL_ERR_INVALID, "\"z\"");
}

/* b depends on a which comes later: sorted, not refused. */
static void test_unsorted(void **state)
{
    (void)state;
    struct loaded l;
    struct wire g = {0};
    wire_value(&g, 11, "x", 1, "2,3");
    struct wire n = wire_node("Relu", "a", "b");
    wire_str(&n, 3, "second");
    wire_msg(&g, 1, &n);
    n = wire_node("Neg", "x", "a");
    wire_str(&n, 3, "first");
    wire_msg(&g, 1, &n);
    wire_value(&g, 12, "b", 1, NULL);
    load_graph(&l, &g, 13, NULL);
    expect_ok(&l);
    expect_type(&l, "b", "FLOAT[2,3]");
    const struct wl_graph *graph = &l.model.graph;
    assert_true(wl_str_is(graph->nodes[graph->schedule[0]].name, "first"));
    assert_true(wl_str_is(graph->nodes[graph->schedule[1]].name, "second"));
    wl_model_done(&l.model);
}

static void test_cycle(void **state)
{
    (void)state;
    struct loaded l;
    struct wire g = {0};
    wire_value(&g, 11, "x", 1, "2,3");
    wire_simple(&g, "Add", "x c", "a");
    wire_simple(&g, "Relu", "a", "b");
    wire_simple(&g, "Neg", "b", "c");
    wire_value(&g, 12, "c", 1, NULL);
    load_graph(&l, &g, 13, NULL);
    expect_fail(&l, WL_ERR_INVALID, "cycle");
    assert_non_null(strstr(l.err.where, "node"));

    wire_simple(&g, "Relu", "a", "a");
    load_graph(&l, &g, 13, NULL);
    expect_fail(&l, WL_ERR_INVALID, "cycle");
}

static void test_unknown_operator(void **state)
{
    (void)state;
    struct loaded l;
    struct wire g = {0};
    wire_value(&g, 11, "x", 1, "2,3");
    wire_simple(&g, "Frobnicate", "x", "a");
    wire_simple(&g, "Relu", "a", "b");
    wire_value(&g, 13, "a", 1, "2,5");
    wire_value(&g, 12, "b", 1, NULL);
    load_graph(&l, &g, 13, NULL);
    expect_ok(&l);
    assert_null(l.model.graph.nodes[0].op);
    expect_type(&l, "a", "FLOAT[2,5]"); /* what the file declares */
    expect_type(&l, "b", "FLOAT[2,5]");
    wl_model_done(&l.model);
}

/* ---- constants ------------------------------------------------------------------------------ */

static void test_initializer_as_input(void **state)
{
    (void)state;
    struct loaded l;
    struct wire g = {0};
    wire_value(&g, 11, "w", 1, "3,4");
    wire_value(&g, 11, "x", 1, "M,3");
    wire_weight(&g, "w", (int64_t[]){3, 4}, 2);
    wire_simple(&g, "Identity", "w", "v");
    wire_simple(&g, "MatMul", "x v", "y");
    wire_value(&g, 12, "y", 1, NULL);
    load_graph(&l, &g, 13, &(struct wl_frontend_options){.batch = 5});
    expect_ok(&l);
    expect_type(&l, "y", "FLOAT[5,4]");
    const struct wl_graph *graph = &l.model.graph;
    assert_int_equal(graph->blocks[0].input_count, 1);
    assert_string_equal(graph->batch_symbol, "M");
    assert_int_equal(tensor_named(&l, "w")->kind, WL_TENSOR_INITIALIZER);
    assert_int_equal(tensor_named(&l, "v")->kind, WL_TENSOR_CONSTANT);
    assert_int_equal(graph->nodes[0].status, WL_NODE_FOLDED);
    assert_int_equal(tensor_named(&l, "y")->kind, WL_TENSOR_ACTIVATION);
    assert_int_equal(l.model.parameters, 12);
    assert_int_equal(l.model.parameter_bytes, 48);
    wl_model_done(&l.model);
}

/* x[2,6] -> Shape -> Gather 0 -> Unsqueeze -> Concat with 3 -> Reshape [2, 3, ...]. */
static void test_value_propagation(void **state)
{
    (void)state;
    struct loaded l;
    struct wire g = {0};
    wire_value(&g, 11, "x", 1, "2,T");
    wire_ints(&g, "zero", (int64_t[]){0}, 1);
    wire_ints(&g, "tail", (int64_t[]){3, -1}, 2);
    wire_simple(&g, "Shape", "x", "s");
    wire_simple(&g, "Gather", "s zero", "n");
    struct wire c = wire_node("Concat", "n tail", "target");
    attr_int(&c, "axis", 0);
    wire_msg(&g, 1, &c);
    wire_simple(&g, "Reshape", "x target", "y");
    wire_value(&g, 12, "y", 1, NULL);
    struct wl_dim_binding t = {"T", 6};
    load_graph(&l, &g, 13, &(struct wl_frontend_options){.dims = &t, .dim_count = 1});
    expect_ok(&l);
    expect_type(&l, "y", "FLOAT[2,3,2]");
    assert_int_equal(l.model.graph.nodes[0].status, WL_NODE_FREE);
    assert_int_equal(l.model.graph.nodes[2].status, WL_NODE_FREE);
    assert_int_equal(l.model.graph.nodes[3].status, WL_NODE_MODELLED);
    wl_model_done(&l.model);
}

static void test_kv_names(void **state)
{
    (void)state;
    struct loaded l;
    struct wire g = {0};
    wire_value(&g, 11, "past_key_values.0.key", 1, "1,8,P,64");
    wire_value(&g, 11, "past_seq_len", 7, "1");
    wire_simple(&g, "Identity", "past_key_values.0.key", "present.0.key");
    wire_simple(&g, "Identity", "past_seq_len", "z");
    wire_value(&g, 12, "present.0.key", 1, NULL);
    wire_value(&g, 12, "z", 7, NULL);
    load_graph(&l, &g, 13, &(struct wl_frontend_options){.keep_symbolic = true});
    expect_ok(&l);
    assert_true(tensor_named(&l, "past_key_values.0.key")->flags & WL_TENSOR_IS_KV);
    assert_true(tensor_named(&l, "present.0.key")->flags & WL_TENSOR_IS_KV);
    assert_false(tensor_named(&l, "past_seq_len")->flags & WL_TENSOR_IS_KV);
    wl_model_done(&l.model);
}

static void test_declared_contradicts(void **state)
{
    (void)state;
    struct loaded l;
    struct wire g = {0};
    wire_value(&g, 11, "x", 1, "2,3");
    wire_simple(&g, "Relu", "x", "y");
    wire_value(&g, 12, "y", 1, "2,4");
    load_graph(&l, &g, 13, NULL);
    expect_ok(&l);
    expect_type(&l, "y", "FLOAT[2,3]");
    assert_true(has_diag(&l, "shape-mismatch"));
    wl_model_done(&l.model);
}

/* ---- bodies --------------------------------------------------------------------------------- */

/* If with a constant condition: only that branch runs. Both capture x. */
static void test_if_constant(void **state)
{
    (void)state;
    for (int condition = 0; condition < 2; condition++) {
        struct loaded l;
        struct wire g = {0};
        struct wire yes = {0};
        struct wire no = {0};
        uint8_t value = (uint8_t)condition;
        struct wire c = wire_tensor("c", 9, NULL, 0, &value, 1);
        wire_value(&g, 11, "x", 1, "2,3");
        wire_msg(&g, 5, &c);
        wire_simple(&yes, "Relu", "x", "r");
        wire_value(&yes, 12, "r", 1, NULL);
        wire_simple(&no, "Transpose", "x", "r"); /* the same name in a sibling */
        wire_value(&no, 12, "r", 1, NULL);
        struct wire n = wire_node("If", "c", "y");
        wire_str(&n, 3, "choice");
        attr_graph(&n, "then_branch", &yes);
        attr_graph(&n, "else_branch", &no);
        wire_msg(&g, 1, &n);
        wire_value(&g, 12, "y", 1, NULL);
        load_graph(&l, &g, 13, NULL);
        expect_ok(&l);
        expect_type(&l, "y", condition ? "FLOAT[2,3]" : "FLOAT[3,2]");
        const struct wl_graph *graph = &l.model.graph;
        assert_int_equal(graph->block_count, 3);
        assert_int_equal(graph->nodes[1].repeat.value, condition);
        assert_int_equal(graph->nodes[2].repeat.value, 1 - condition);
        assert_false(has_diag(&l, "unknown-branch"));
        wl_model_done(&l.model);
    }
}

/* A condition that depends on data: the branch with more work counts. */
static void test_if_unknown(void **state)
{
    (void)state;
    struct loaded l;
    struct wire g = {0};
    struct wire yes = {0};
    struct wire no = {0};
    wire_value(&g, 11, "x", 1, "4,4");
    wire_value(&g, 11, "c", 9, "");
    wire_simple(&yes, "Identity", "x", "r");
    wire_value(&yes, 12, "r", 1, NULL);
    wire_simple(&no, "MatMul", "x x", "q");
    wire_value(&no, 12, "q", 1, NULL);
    struct wire n = wire_node("If", "c", "y");
    attr_graph(&n, "then_branch", &yes);
    attr_graph(&n, "else_branch", &no);
    wire_msg(&g, 1, &n);
    wire_value(&g, 12, "y", 1, NULL);
    load_graph(&l, &g, 13, NULL);
    expect_ok(&l);
    expect_type(&l, "y", "FLOAT[4,4]");
    assert_int_equal(l.model.graph.nodes[1].repeat.value, 0);
    assert_int_equal(l.model.graph.nodes[2].repeat.value, 1);
    assert_true(has_diag(&l, "unknown-branch"));
    wl_model_done(&l.model);
}

/* Loop of M trips over v = v + x; trips in M's value, or NULL for an input. */
static struct wire loop_graph(const int64_t *trips, const char *inner_loops)
{
    struct wire g = {0};
    struct wire body = {0};
    uint8_t yes = 1;
    wire_value(&g, 11, "x", 1, "2,3");
    if (trips == NULL) {
        wire_value(&g, 11, "M", 7, "");
    } else {
        struct wire m = wire_tensor("M", 7, NULL, 0, trips, 8);
        wire_msg(&g, 5, &m);
    }
    struct wire c = wire_tensor("c", 9, NULL, 0, &yes, 1);
    wire_msg(&g, 5, &c);
    wire_value(&body, 11, "i", 7, "");
    wire_value(&body, 11, "cond_in", 9, "");
    wire_value(&body, 11, "v", 1, NULL);
    wire_simple(&body, "Identity", "cond_in", "cond_out");
    wire_simple(&body, "Add", "v x", "w");
    if (inner_loops != NULL) {
        struct wire inner = {0};
        wire_value(&inner, 11, "i2", 7, "");
        wire_value(&inner, 11, "c2", 9, "");
        wire_simple(&inner, "Relu", "w", "inner_out");
        wire_value(&inner, 12, "c2", 9, NULL);
        wire_value(&inner, 12, "inner_out", 1, NULL);
        struct wire n = wire_node("Loop", "M c", "stack");
        wire_str(&n, 3, inner_loops);
        attr_graph(&n, "body", &inner);
        wire_msg(&body, 1, &n);
    }
    wire_value(&body, 12, "cond_out", 9, NULL);
    wire_value(&body, 12, "w", 1, NULL);
    struct wire n = wire_node("Loop", "M c x", "y");
    wire_str(&n, 3, "rnn");
    attr_graph(&n, "body", &body);
    wire_msg(&g, 1, &n);
    wire_value(&g, 12, "y", 1, NULL);
    return g;
}

static void test_loop_trips(void **state)
{
    (void)state;
    struct loaded l;
    int64_t trips = 7;
    struct wire g = loop_graph(&trips, "inner");
    load_graph(&l, &g, 13, NULL);
    expect_ok(&l);
    expect_type(&l, "y", "FLOAT[2,3]");
    const struct wl_graph *graph = &l.model.graph;
    assert_int_equal(graph->nodes[0].repeat.value, 1);
    for (int32_t n = 0; n < graph->node_count; n++) {
        if (wl_str_is(graph->nodes[n].op_type, "Add")) {
            assert_int_equal(graph->nodes[n].repeat.value, 7);
        }
        if (wl_str_is(graph->nodes[n].op_type, "Relu")) {
            assert_int_equal(graph->nodes[n].repeat.value, 49);
        }
    }
    wl_model_done(&l.model);
}

static void test_loop_unknown_trips(void **state)
{
    (void)state;
    struct loaded l;
    struct wire g = loop_graph(NULL, NULL);
    load_graph(&l, &g, 13, NULL);
    expect_ok(&l);
    assert_int_equal(l.model.graph.nodes[2].repeat.value, 1);
    assert_true(has_diag(&l, "unknown-trip-count"));
    wl_model_done(&l.model);

    struct wl_dim_binding d = {"loop:rnn", 11};
    g = loop_graph(NULL, NULL);
    load_graph(&l, &g, 13, &(struct wl_frontend_options){.dims = &d, .dim_count = 1});
    expect_ok(&l);
    assert_int_equal(l.model.graph.nodes[2].repeat.value, 11);
    assert_false(has_diag(&l, "unknown-trip-count"));
    wl_model_done(&l.model);
}

/* ---- local functions ------------------------------------------------------------------------ */

/* f(a, b) {alpha = 2} = LeakyRelu(a + b, alpha), and its call g(x) = f(f(x, x), x). */
static struct wire function_model(bool recursive)
{
    struct wire m = {0};
    struct wire g = {0};
    struct wire f = {0};
    struct wire h = {0};
    struct wire fallback = {0};
    struct wire ref = {0};
    wire_int(&m, 1, 9);
    wire_opset(&m, 8, "", 17);
    wire_opset(&m, 8, "local", 1);
    wire_str(&f, 1, "f");
    wire_str(&f, 10, "local");
    wire_str(&f, 4, "a");
    wire_str(&f, 4, "b");
    wire_str(&f, 5, "out");
    wire_str(&fallback, 1, "alpha");
    wire_float(&fallback, 2, 2);
    wire_int(&fallback, 20, 1);
    wire_msg(&f, 11, &fallback);
    struct wire n = wire_node("Add", "a b", "sum");
    wire_msg(&f, 7, &n);
    n = wire_node("LeakyRelu", "sum", "out");
    wire_str(&n, 3, "act");
    wire_str(&ref, 1, "alpha");
    wire_str(&ref, 21, "alpha");
    wire_int(&ref, 20, 1);
    wire_msg(&n, 5, &ref);
    wire_msg(&f, 7, &n);
    wire_opset(&f, 9, "", 17);
    wire_str(&h, 1, "h");
    wire_str(&h, 10, "local");
    wire_str(&h, 4, "x");
    wire_str(&h, 5, "y");
    n = wire_node("f", "x x", "t");
    wire_str(&n, 7, "local");
    wire_str(&n, 3, "one");
    attr_float(&n, "alpha", 5);
    wire_msg(&h, 7, &n);
    n = wire_node(recursive ? "h" : "f", recursive ? "t" : "t x", "y");
    wire_str(&n, 7, "local");
    wire_str(&n, 3, "two");
    wire_msg(&h, 7, &n);
    wire_opset(&h, 9, "", 17);
    wire_opset(&h, 9, "local", 1);
    wire_value(&g, 11, "x", 1, "2,3");
    n = wire_node("h", "x", "y");
    wire_str(&n, 7, "local");
    wire_str(&n, 3, "call");
    wire_msg(&g, 1, &n);
    wire_value(&g, 12, "y", 1, NULL);
    wire_msg(&m, 7, &g);
    wire_msg(&m, 25, &f);
    wire_msg(&m, 25, &h);
    return m;
}

static void test_functions(void **state)
{
    (void)state;
    struct loaded l;
    struct wire m = function_model(false);
    load_wire(&l, &m, NULL);
    expect_ok(&l);
    expect_type(&l, "y", "FLOAT[2,3]");
    assert_int_equal(l.model.graph.node_count, 4);
    assert_true(wl_node_attr_float(node_named(&l, "call/one/act"), "alpha", 0) == 5);
    assert_true(wl_node_attr_float(node_named(&l, "call/two/act"), "alpha", 0) == 2);
    wl_model_done(&l.model);
}

static void test_functions_recursive(void **state)
{
    (void)state;
    struct loaded l;
    struct wire m = function_model(true);
    load_wire(&l, &m, NULL);
    expect_fail(&l, WL_ERR_INVALID, "itself");
}

/* k functions, each calling the next twice: 2^k nodes are refused before memory is. */
static void test_functions_explode(void **state)
{
    (void)state;
    struct wire m = {0};
    struct wire g = {0};
    wire_int(&m, 1, 9);
    wire_opset(&m, 8, "", 17);
    wire_opset(&m, 8, "l", 1);
    for (int i = 0; i < 40; i++) {
        char name[16];
        char next[16];
        struct wire f = {0};
        (void)snprintf(name, sizeof(name), "f%d", i);
        (void)snprintf(next, sizeof(next), "f%d", i + 1);
        wire_str(&f, 1, name);
        wire_str(&f, 10, "l");
        wire_str(&f, 4, "a");
        wire_str(&f, 5, "c");
        struct wire n = wire_node(i < 39 ? next : "Relu", "a", "b");
        wire_str(&n, 7, i < 39 ? "l" : "");
        wire_msg(&f, 7, &n);
        n = wire_node(i < 39 ? next : "Relu", "b", "c");
        wire_str(&n, 7, i < 39 ? "l" : "");
        wire_msg(&f, 7, &n);
        wire_msg(&m, 25, &f);
    }
    wire_value(&g, 11, "x", 1, "2");
    struct wire n = wire_node("f0", "x", "y");
    wire_str(&n, 7, "l");
    wire_msg(&g, 1, &n);
    wire_value(&g, 12, "y", 1, NULL);
    wire_msg(&m, 7, &g);
    struct loaded l;
    load_wire(&l, &m, NULL);
    expect_fail(&l, WL_ERR_LIMIT, "m.onnx");
}

/* A function that hands an input on, and one whose second input is omitted. */
static void test_function_pass_through(void **state)
{
    (void)state;
    struct wire m = {0};
    struct wire g = {0};
    struct wire f = {0};
    wire_int(&m, 1, 9);
    wire_opset(&m, 8, "", 17);
    wire_opset(&m, 8, "l", 1);
    wire_str(&f, 1, "f");
    wire_str(&f, 10, "l");
    wire_str(&f, 4, "a");
    wire_str(&f, 4, "min");
    wire_str(&f, 5, "a");
    wire_str(&f, 5, "b");
    struct wire n = wire_node("Clip", "a min", "b");
    wire_msg(&f, 7, &n);
    wire_msg(&m, 25, &f);
    wire_value(&g, 11, "x", 1, "2");
    n = wire_node("f", "x", "same clipped");
    wire_str(&n, 7, "l");
    wire_msg(&g, 1, &n);
    wire_value(&g, 12, "same", 1, NULL);
    wire_value(&g, 12, "clipped", 1, NULL);
    wire_msg(&m, 7, &g);
    struct loaded l;
    load_wire(&l, &m, NULL);
    expect_ok(&l);
    expect_type(&l, "same", "FLOAT[2]");
    expect_type(&l, "clipped", "FLOAT[2]");
    assert_int_equal(l.model.graph.node_count, 2);
    wl_model_done(&l.model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_duplicates),
        cmocka_unit_test(test_undefined),
        cmocka_unit_test(test_unsorted),
        cmocka_unit_test(test_cycle),
        cmocka_unit_test(test_unknown_operator),
        cmocka_unit_test(test_initializer_as_input),
        cmocka_unit_test(test_value_propagation),
        cmocka_unit_test(test_kv_names),
        cmocka_unit_test(test_declared_contradicts),
        cmocka_unit_test(test_if_constant),
        cmocka_unit_test(test_if_unknown),
        cmocka_unit_test(test_loop_trips),
        cmocka_unit_test(test_loop_unknown_trips),
        cmocka_unit_test(test_functions),
        cmocka_unit_test(test_functions_recursive),
        cmocka_unit_test(test_functions_explode),
        cmocka_unit_test(test_function_pass_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
