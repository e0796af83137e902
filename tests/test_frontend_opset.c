/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Old forms of operators. Each case is one node on x[2,3,4,5] (float) at an old opset; the expected
 * shape is that operator's own definition at that version, worked out by hand.
 */
#include "frontend_check.h"

struct attr_case {
    const char *name;
    char kind; /* i int, l list, f float, s string, 0 end */
    int64_t ints[8];
    int count;
    double f;
    const char *s;
};

struct raise_case {
    const char *op;
    int64_t opset;
    const char *inputs;
    struct attr_case attrs[4];
    const char *expected; /* type of the first output, "y" */
    const char *outputs;  /* NULL: "y" */
};

static const struct raise_case cases[] = {
    {"Squeeze", 11, "u", {{"axes", 'l', {0, 3}, 2, 0, NULL}}, "FLOAT[2,3]", NULL},
    {"Unsqueeze", 11, "x", {{"axes", 'l', {0, 5}, 2, 0, NULL}}, "FLOAT[1,2,3,4,5,1]", NULL},
    {"ReduceSum", 11, "x", {{"axes", 'l', {1, -1}, 2, 0, NULL}}, "FLOAT[2,1,4,1]", NULL},
    {"ReduceMean",
     13,
     "x",
     {{"axes", 'l', {2}, 1, 0, NULL}, {"keepdims", 'i', {0}, 0, 0, NULL}},
     "FLOAT[2,3,5]",
     NULL},
    {"ReduceMax", 17, "x", {{"keepdims", 'i', {0}, 0, 0, NULL}}, "FLOAT[]", NULL},
    {"Slice",
     9,
     "x",
     {{"starts", 'l', {1, 0}, 2, 0, NULL},
      {"ends", 'l', {3, -1}, 2, 0, NULL},
      {"axes", 'l', {1, 3}, 2, 0, NULL}},
     "FLOAT[2,2,4,4]",
     NULL},
    {"Pad",
     2,
     "x",
     {{"pads", 'l', {0, 0, 1, 2, 0, 0, 3, 4}, 8, 0, NULL}},
     "FLOAT[2,3,8,11]", /* 4+1+3, 5+2+4 */
     NULL},
    {"Pad",
     1,
     "x",
     {{"paddings", 'l', {0, 0, 1, 1, 0, 0, 1, 1}, 8, 0, NULL}},
     "FLOAT[2,3,6,7]",
     NULL},
    {"Clip",
     6,
     "x",
     {{"min", 'f', {0}, 0, 0, NULL}, {"max", 'f', {0}, 0, 6, NULL}},
     "FLOAT[2,3,4,5]",
     NULL},
    {"Reshape", 1, "x", {{"shape", 'l', {6, -1}, 2, 0, NULL}}, "FLOAT[6,20]", NULL},
    {"TopK",
     9,
     "x",
     {{"k", 'i', {2}, 0, 0, NULL}, {"axis", 'i', {1}, 0, 0, NULL}},
     "FLOAT[2,2,4,5]",
     "y indices"},
    {"Dropout", 7, "x", {{"ratio", 'f', {0}, 0, 0.5, NULL}}, "FLOAT[2,3,4,5]", "y mask"},
    {"Split",
     11,
     "x",
     {{"axis", 'i', {3}, 0, 0, NULL}, {"split", 'l', {1, 4}, 2, 0, NULL}},
     "FLOAT[2,3,4,1]",
     "y z"},
    {"Split", 13, "x", {{"axis", 'i', {2}, 0, 0, NULL}}, "FLOAT[2,3,2,5]", "y z"},
    {"Upsample",
     7,
     "x",
     {{"mode", 's', {0}, 0, 0, "nearest"}},
     "FLOAT[2,3,4,5]", /* no scales given: 1 */
     NULL},
    {"Upsample", 9, "x scales", {{"mode", 's', {0}, 0, 0, "linear"}}, "FLOAT[2,3,8,15]", NULL},
    {"Upsample",
     1,
     "x",
     {{"height_scale", 'f', {0}, 0, 2, NULL}, {"width_scale", 'f', {0}, 0, 3, NULL}},
     "FLOAT[2,3,8,15]",
     NULL},
    {"Resize", 10, "x scales", {{"mode", 's', {0}, 0, 0, "nearest"}}, "FLOAT[2,3,8,15]", NULL},
    {"Cast", 1, "x", {{"to", 's', {0}, 0, 0, "INT32"}}, "INT32[2,3,4,5]", NULL},
    {"Softmax", 11, "x", {{NULL, 0, {0}, 0, 0, NULL}}, "FLOAT[2,3,4,5]", NULL},
    {"Concat", 1, "x x", {{NULL, 0, {0}, 0, 0, NULL}}, "FLOAT[2,6,4,5]", NULL},
    {"Scatter", 9, "x ix x", {{"axis", 'i', {0}, 0, 0, NULL}}, "FLOAT[2,3,4,5]", NULL},
    {"BatchNormalization", 7, "x c c c c", {{NULL, 0, {0}, 0, 0, NULL}}, "FLOAT[2,3,4,5]", NULL},
    {"PRelu", 6, "x c", {{NULL, 0, {0}, 0, 0, NULL}}, "FLOAT[2,3,4,5]", NULL},
    {"Add",
     6,
     "x c",
     {{"broadcast", 'i', {1}, 0, 0, NULL}, {"axis", 'i', {1}, 0, 0, NULL}},
     "FLOAT[2,3,4,5]",
     NULL},
    {"Mul",
     6,
     "x cd",
     {{"broadcast", 'i', {1}, 0, 0, NULL}, {"axis", 'i', {1}, 0, 0, NULL}},
     "FLOAT[2,3,4,5]",
     NULL},
    {"Sub", 6, "x last", {{"broadcast", 'i', {1}, 0, 0, NULL}}, "FLOAT[2,3,4,5]", NULL},
    {"DFT",
     17,
     "d",
     {{"axis", 'i', {1}, 0, 0, NULL}, {"onesided", 'i', {1}, 0, 0, NULL}},
     "FLOAT[1,6,2]", /* 10 samples: 10 / 2 + 1 */
     NULL},
    {"GridSample", 16, "x grid", {{"mode", 's', {0}, 0, 0, "bilinear"}}, "FLOAT[2,3,7,6]", NULL},
};

static void add_attr(struct wire *n, const struct attr_case *a)
{
    switch (a->kind) {
    case 'i':
        attr_int(n, a->name, a->ints[0]);
        break;
    case 'l':
        attr_ints(n, a->name, a->ints, a->count);
        break;
    case 'f':
        attr_float(n, a->name, (float)a->f);
        break;
    case 's':
        attr_str(n, a->name, a->s);
        break;
    default:
        break;
    }
}

static struct wire case_graph(const struct raise_case *c)
{
    struct wire g = {0};
    float scales[4] = {1, 1, 2, 3};
    wire_value(&g, 11, "x", 1, "2,3,4,5");
    wire_value(&g, 11, "u", 1, "1,2,3,1");
    wire_value(&g, 11, "ix", 7, "2,3,4,5");
    wire_value(&g, 11, "d", 1, "1,10,1");
    wire_value(&g, 11, "grid", 1, "2,7,6,2");
    wire_weight(&g, "c", (int64_t[]){3}, 1);
    wire_weight(&g, "cd", (int64_t[]){3, 4}, 2);
    wire_weight(&g, "last", (int64_t[]){5}, 1);
    struct wire t = wire_tensor("scales", 1, (int64_t[]){4}, 1, scales, sizeof(scales));
    wire_msg(&g, 5, &t);
    struct wire n = wire_node(c->op, c->inputs, c->outputs == NULL ? "y" : c->outputs);
    for (size_t i = 0; i < WL_ARRAY_LEN(c->attrs); i++) {
        add_attr(&n, &c->attrs[i]);
    }
    wire_msg(&g, 1, &n);
    wire_value(&g, 12, "y", 1, NULL);
    return g;
}

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < WL_ARRAY_LEN(cases); i++) {
        struct loaded l;
        struct wire g = case_graph(&cases[i]);
        load_graph(&l, &g, cases[i].opset, NULL);
        print_message("%s-%d\n", cases[i].op, (int)cases[i].opset);
        expect_ok(&l);
        expect_type(&l, "y", cases[i].expected);
        wl_model_done(&l.model);
    }
}

/* The same attributes at a version where they mean nothing are left alone. */
static void test_new_form_untouched(void **state)
{
    (void)state;
    struct loaded l;
    struct wire g = {0};
    wire_value(&g, 11, "x", 1, "2,3");
    wire_ints(&g, "ax", (int64_t[]){0}, 1);
    wire_simple(&g, "Unsqueeze", "x ax", "y");
    wire_value(&g, 12, "y", 1, NULL);
    load_graph(&l, &g, 13, NULL);
    expect_ok(&l);
    expect_type(&l, "y", "FLOAT[1,2,3]");
    assert_int_equal(l.model.graph.node_count, 1);
    assert_int_equal(l.model.graph.tensor_count, 3);
    wl_model_done(&l.model);
}

/* IR version 1 has no operator sets: opset 1. */
static void test_without_opset(void **state)
{
    (void)state;
    struct loaded l;
    struct wire m = {0};
    struct wire g = {0};
    wire_int(&m, 1, 1);
    wire_value(&g, 11, "x", 1, "2,3");
    struct wire n = wire_node("Reshape", "x", "y");
    attr_ints(&n, "shape", (int64_t[]){3, 2}, 2);
    wire_msg(&g, 1, &n);
    wire_value(&g, 12, "y", 1, NULL);
    wire_msg(&m, 7, &g);
    load_wire(&l, &m, NULL);
    expect_ok(&l);
    expect_type(&l, "y", "FLOAT[3,2]");
    wl_model_done(&l.model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_new_form_untouched),
        cmocka_unit_test(test_without_opset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
