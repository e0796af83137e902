/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that contradict themselves: shapes that do not fit together, nodes with too few or too many
 * inputs, default values stored as integers, names that are no text. Each says so and leaves
 * unknown what would be wrong.
 */
#include "frontend_check.h"

/* One node from x and y to z; the file declares nothing of z. */
static void load_pair(struct loaded *l, struct wire *node, const char *x, const char *y)
{
    struct wire g = {0};
    wire_value(&g, 11, "x", 1, x);
    wire_value(&g, 11, "y", 1, y);
    wire_msg(&g, 1, node);
    wire_value(&g, 12, "z", 1, NULL);
    load_graph(l, &g, 18, NULL);
    expect_ok(l);
}

static const struct wl_diag *diag_of(const struct loaded *l, const char *code)
{
    for (int32_t i = 0; i < l->model.diags.count; i++) {
        if (strcmp(l->model.diags.items[i].code, code) == 0) {
            return &l->model.diags.items[i];
        }
    }
    return NULL;
}

static void test_shapes_that_do_not_fit(void **state)
{
    static const struct {
        const char *op, *x, *y;
    } cases[] = {
        {"Concat", "2,3", "3,2"},     {"Concat", "2,3", "2,3,4"},
        {"Add", "2,3", "3,2"},        {"MatMul", "2,3", "2,3"},
        {"MatMul", "2,4,5", "3,5,6"}, {"Gemm", "2,3", "2,3"},
        {"Gemm", "2,3,4", "4,5"},     {"Conv", "1,3,8,8", "4,2,3,3"},
        {"Conv", "1,3,8,8", "4,3,3"}, {"ConvTranspose", "1,3,8,8", "4,2,3,3"},
    };
    (void)state;
    for (size_t i = 0; i < WL_ARRAY_LEN(cases); i++) {
        struct loaded l;
        struct wire n = wire_node(cases[i].op, "x y", "z");
        attr_int(&n, "axis", 0);
        load_pair(&l, &n, cases[i].x, cases[i].y);
        const struct wl_diag *d = diag_of(&l, "shape-conflict");
        if (d == NULL || d->severity != WL_SEV_WARNING) {
            fail_msg("%s of %s and %s: no warning", cases[i].op, cases[i].x, cases[i].y);
        }
        expect_type(&l, "z", "FLOAT[*]");
        wl_model_done(&l.model);
    }
}

/* x[2,3] with a constant second input. */
static void expect_const_conflict(const char *op, const int64_t *values, int count,
                                  const char *expected)
{
    struct loaded l;
    struct wire g = {0};
    wire_value(&g, 11, "x", 1, "2,3");
    wire_ints(&g, "c", values, count);
    wire_simple(&g, op, "x c", "z");
    wire_value(&g, 12, "z", 1, NULL);
    load_graph(&l, &g, 18, NULL);
    expect_ok(&l);
    assert_non_null(diag_of(&l, "shape-conflict"));
    expect_type(&l, "z", expected);
    wl_model_done(&l.model);
}

static void test_constants_that_do_not_fit(void **state)
{
    (void)state;
    expect_const_conflict("Reshape", (int64_t[]){4, 2}, 2, "FLOAT[?,?]"); /* 6 into 8 */
    expect_const_conflict("Reshape", (int64_t[]){4, -1}, 2, "FLOAT[4,?]");
    expect_const_conflict("Expand", (int64_t[]){4, 3}, 2, "FLOAT[*]"); /* 2 is not 1 */
    expect_const_conflict("Squeeze", (int64_t[]){1}, 1, "FLOAT[*]");
}

static void test_arity(void **state)
{
    static const struct {
        const char *op, *in, *out;
    } wrong[] = {
        {"Conv", "x", "z"},       {"Relu", "x y", "z"},
        {"Relu", "x", "z w"},     {"Conv", "- x", "z"},
        {"Add", "x", "z"},        {"Concat", "", "z"},
        {"Gemm", "x y x y", "z"}, {"Where", "x y", "z"},
        {"LSTM", "x y", "z"},     {"BatchNormalization", "x y", "z"},
    };
    (void)state;
    for (size_t i = 0; i < WL_ARRAY_LEN(wrong); i++) {
        struct loaded l;
        struct wire n = wire_node(wrong[i].op, wrong[i].in, wrong[i].out);
        load_pair(&l, &n, "2,3", "2,3");
        const struct wl_diag *d = diag_of(&l, "arity");
        if (d == NULL || d->severity != WL_SEV_ERROR) {
            fail_msg("%s of (%s): no error", wrong[i].op, wrong[i].in);
        }
        assert_int_equal(wl_ops_count(&l.model.graph, NULL), WL_OK);
        assert_int_equal(l.model.graph.nodes[0].status, WL_NODE_IGNORED);
        assert_null(diag_of(&l, "unknown-operator")); /* it is known */
        wl_model_done(&l.model);
    }
}

/* Trailing omitted inputs are no inputs; old forms had more, or put them into attributes. */
static void test_arity_of_right_nodes(void **state)
{
    static const struct {
        const char *op, *in, *out;
        int64_t opset;
    } right[] = {
        {"Relu", "x -", "z -", 18},    {"Clip", "x - -", "z", 18},  {"Gemm", "x y -", "z", 18},
        {"Slice", "x", "z", 9},        {"Unsqueeze", "x", "z", 11}, {"Pad", "x", "z", 10},
        {"Sum", "x y x y x", "z", 18},
    };
    (void)state;
    for (size_t i = 0; i < WL_ARRAY_LEN(right); i++) {
        struct loaded l;
        struct wire g = {0};
        struct wire n = wire_node(right[i].op, right[i].in, right[i].out);
        attr_ints(&n, "axes", (int64_t[]){0}, 1);
        attr_ints(&n, "starts", (int64_t[]){0}, 1);
        attr_ints(&n, "ends", (int64_t[]){1}, 1);
        attr_ints(&n, "pads", (int64_t[]){0, 0, 0, 0}, 4);
        wire_value(&g, 11, "x", 1, "2,2");
        wire_value(&g, 11, "y", 1, "2,2");
        wire_msg(&g, 1, &n);
        wire_value(&g, 12, "z", 1, NULL);
        load_graph(&l, &g, right[i].opset, NULL);
        expect_ok(&l);
        if (diag_of(&l, "arity") != NULL) {
            fail_msg("%s: %s", right[i].op, diag_of(&l, "arity")->message);
        }
        wl_model_done(&l.model);
    }
}

/* BFLOAT16 has no type in many languages: the default value of an input is stored as UINT16. */
static void test_stored_as_integers(void **state)
{
    (void)state;
    struct loaded l;
    struct wire g = {0};
    uint16_t bits[2] = {0x3f80, 0x4000};
    struct wire t = wire_tensor("x", 4, (int64_t[]){2}, 1, bits, sizeof(bits));
    wire_value(&g, 11, "x", 16, "2");
    wire_msg(&g, 5, &t);
    wire_simple(&g, "Neg", "x", "z");
    wire_value(&g, 12, "z", 16, NULL);
    load_graph(&l, &g, 18, NULL);
    expect_ok(&l);
    expect_type(&l, "x", "BFLOAT16[2]");
    expect_type(&l, "z", "BFLOAT16[2]");
    assert_null(tensor_named(&l, "z")->value); /* not 16256 and 16384 */
    wl_model_done(&l.model);
}

static void test_names_that_are_no_text(void **state)
{
    (void)state;
    struct loaded l;
    struct wire n = wire_node("Add", "x y", "z");
    wire_str(&n, 3,
             "a\xc3\xa9\xff\x01"
             "b\xe2\x82");
    load_pair(&l, &n, "2,3", "3,2");
    const struct wl_diag *d = diag_of(&l, "shape-conflict");
    assert_non_null(d);
    assert_string_equal(d->where, "node \"a\xc3\xa9? b??\" (Add)");
    wl_model_done(&l.model);

    struct wire g = {0};
    wire_simple(&g, "Relu", "no\xff\nthing", "z");
    load_graph(&l, &g, 18, NULL);
    assert_int_equal(l.status, WL_ERR_INVALID);
    assert_non_null(strstr(l.err.message, "\"no? thing\""));
    assert_true(wl_utf8_valid(l.err.message, strlen(l.err.message)));
}

/* ---- sizes that follow from small constants ------------------------------------------------- */

static void wire_strings(struct wire *graph, const char *name, const char *const *list, int count)
{
    struct wire t = {0};
    wire_int(&t, 1, count);
    wire_int(&t, 2, 8);
    for (int i = 0; i < count; i++) {
        wire_str(&t, 6, list[i]);
    }
    wire_str(&t, 8, name);
    wire_msg(graph, 5, &t);
}

static const char *const days[] = {"Monday", "tue sday", " wed  nes day ", "monday"};

static void expect_strings(struct wire *node, int count, const char *expected)
{
    struct loaded l;
    struct wire g = {0};
    wire_strings(&g, "s", days, count);
    wire_msg(&g, 1, node);
    wire_value(&g, 12, "z", 8, NULL);
    load_graph(&l, &g, 20, NULL);
    expect_ok(&l);
    expect_type(&l, "z", expected);
    wl_model_done(&l.model);
}

static void attr_word(struct wire *node, const char *name, const char *word)
{
    struct wire a = {0};
    wire_str(&a, 1, name);
    wire_str(&a, 9, word);
    wire_int(&a, 20, 8);
    wire_msg(node, 5, &a);
}

static void test_strings(void **state)
{
    (void)state;
    struct wire n = wire_node("StringNormalizer", "s", "z");
    attr_word(&n, "stopwords", "monday");
    attr_int(&n, "is_case_sensitive", 1);
    expect_strings(&n, 4, "STRING[3]");
    n = wire_node("StringNormalizer", "s", "z");
    attr_word(&n, "stopwords", "MONDAY");
    expect_strings(&n, 4, "STRING[2]");
    n = wire_node("StringNormalizer", "s", "z");
    attr_word(&n, "stopwords", "monday");
    expect_strings(&n, 1, "STRING[1]"); /* none left: one empty string */
    n = wire_node("StringSplit", "s", "z n");
    expect_strings(&n, 4, "STRING[4,3]"); /* wed, nes, day */
    n = wire_node("StringSplit", "s", "z n");
    attr_str(&n, "delimiter", " ");
    expect_strings(&n, 4, "STRING[4,6]"); /* "", wed, "", nes, day, "" */
    n = wire_node("StringSplit", "s", "z n");
    attr_int(&n, "maxsplit", 1);
    expect_strings(&n, 4, "STRING[4,2]");
}

/* Opset 8: batch axis first, then the sequence; state [N,2], scanned [N,T,2]; the body adds. */
static void test_scan_with_batch(void **state)
{
    (void)state;
    struct loaded l;
    struct wire body = {0};
    struct wire g = {0};
    wire_value(&body, 11, "s", 1, "2");
    wire_value(&body, 11, "e", 1, "2");
    wire_simple(&body, "Add", "s e", "t");
    wire_simple(&body, "Identity", "t", "u");
    wire_value(&body, 12, "t", 1, NULL);
    wire_value(&body, 12, "u", 1, NULL);
    wire_value(&g, 11, "init", 1, "3,2");
    wire_value(&g, 11, "x", 1, "3,5,2");
    struct wire n = wire_node("Scan", "- init x", "y z");
    attr_int(&n, "num_scan_inputs", 1);
    attr_graph(&n, "body", &body);
    wire_msg(&g, 1, &n);
    wire_value(&g, 12, "y", 1, NULL);
    wire_value(&g, 12, "z", 1, NULL);
    load_graph(&l, &g, 8, NULL);
    expect_ok(&l);
    expect_type(&l, "y", "FLOAT[3,2]");
    expect_type(&l, "z", "FLOAT[3,5,2]");
    const struct wl_graph *graph = &l.model.graph;
    int adds = 0;
    for (int32_t i = 0; i < graph->node_count; i++) {
        if (wl_str_is(graph->nodes[i].op_type, "Add")) {
            assert_int_equal(graph->nodes[i].repeat.value, 15); /* 3 sequences of 5 */
            adds++;
        }
    }
    assert_int_equal(adds, 1);
    wl_model_done(&l.model);
}

/* Opset 1: one count, one axis, in the type of the data. */
static void test_tile_of_one_axis(void **state)
{
    (void)state;
    struct loaded l;
    struct wire g = {0};
    float three = 3, one = 1;
    struct wire times = wire_tensor("times", 1, NULL, 0, &three, sizeof(three));
    struct wire axis = wire_tensor("axis", 1, NULL, 0, &one, sizeof(one));
    wire_value(&g, 11, "x", 1, "2,5");
    wire_msg(&g, 5, &times);
    wire_msg(&g, 5, &axis);
    wire_simple(&g, "Tile", "x times axis", "z");
    wire_value(&g, 12, "z", 1, NULL);
    load_graph(&l, &g, 1, NULL);
    expect_ok(&l);
    expect_type(&l, "z", "FLOAT[2,15]");
    wl_model_done(&l.model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes_that_do_not_fit),
        cmocka_unit_test(test_constants_that_do_not_fit),
        cmocka_unit_test(test_arity),
        cmocka_unit_test(test_arity_of_right_nodes),
        cmocka_unit_test(test_stored_as_integers),
        cmocka_unit_test(test_names_that_are_no_text),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_scan_with_batch),
        cmocka_unit_test(test_tile_of_one_axis),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
