/* SPDX-License-Identifier: Apache-2.0 */
/* --batch and --dim: defaults, errors, re-batching of fixed exports. */
#include "frontend_check.h"

/* ids[N,T] -> Gather from w[10,8] -> y[N,T,8]. */
static struct wire text_graph(void)
{
    struct wire g = {0};
    wire_value(&g, 11, "ids", 7, "N,T");
    wire_weight(&g, "w", (int64_t[]){10, 8}, 2);
    wire_simple(&g, "Gather", "w ids", "y");
    wire_value(&g, 12, "y", 1, NULL);
    return g;
}

static void test_unbound(void **state)
{
    (void)state;
    struct loaded l;
    struct wire g = text_graph();
    load_graph(&l, &g, 13, NULL);
    expect_fail(&l, WL_ERR_USAGE, "--dim 'T=128'");
    assert_null(strstr(l.err.message, "'N'"));
}

static void test_bound(void **state)
{
    (void)state;
    struct loaded l;
    struct wl_dim_binding t = {"T", 6};
    struct wire g = text_graph();
    load_graph(&l, &g, 13, &(struct wl_frontend_options){.batch = 4, .dims = &t, .dim_count = 1});
    expect_ok(&l);
    expect_type(&l, "y", "FLOAT[4,6,8]");
    wl_model_done(&l.model);
    g = text_graph();
    load_graph(&l, &g, 13,
               &(struct wl_frontend_options){.default_dims = &t, .default_dim_count = 1});
    expect_ok(&l);
    expect_type(&l, "y", "FLOAT[1,6,8]");
    wl_model_done(&l.model);
    struct wl_dim_binding both[] = {{"T", 2}, {"N", 3}};
    g = text_graph();
    load_graph(&l, &g, 13,
               &(struct wl_frontend_options){
                   .dims = both, .dim_count = 2, .default_dims = &t, .default_dim_count = 1});
    expect_ok(&l);
    expect_type(&l, "y", "FLOAT[3,2,8]");
    wl_model_done(&l.model);
}

static void test_symbolic(void **state)
{
    (void)state;
    struct loaded l;
    struct wire g = text_graph();
    load_graph(&l, &g, 13, &(struct wl_frontend_options){.keep_symbolic = true});
    expect_ok(&l);
    expect_type(&l, "y", "FLOAT[N,T,8]");
    assert_string_equal(l.model.graph.batch_symbol, "N");
    wl_model_done(&l.model);
    g = text_graph();
    load_graph(&l, &g, 13, &(struct wl_frontend_options){.keep_symbolic = true, .batch = 2});
    expect_ok(&l);
    expect_type(&l, "y", "FLOAT[2,T,8]");
    wl_model_done(&l.model);
}

static void test_unknown_name(void **state)
{
    (void)state;
    struct loaded l;
    struct wl_dim_binding d = {"nosuch", 3};
    struct wire g = text_graph();
    load_graph(&l, &g, 13, &(struct wl_frontend_options){.dims = &d, .dim_count = 1});
    expect_fail(&l, WL_ERR_USAGE, "N, T");
    assert_non_null(strstr(l.err.message, "nosuch"));
    /* Defaults of a zoo model are not checked. */
    struct wl_dim_binding defaults[] = {{"nosuch", 3}, {"T", 4}};
    g = text_graph();
    load_graph(&l, &g, 13,
               &(struct wl_frontend_options){.default_dims = defaults, .default_dim_count = 2});
    expect_ok(&l);
    wl_model_done(&l.model);
}

static void test_contradiction(void **state)
{
    (void)state;
    struct loaded l;
    struct wl_dim_binding d[] = {{"N", 3}, {"T", 4}};
    struct wire g = text_graph();
    load_graph(&l, &g, 13, &(struct wl_frontend_options){.batch = 2, .dims = d, .dim_count = 2});
    expect_fail(&l, WL_ERR_USAGE, "contradict");
}

static void test_unnamed_batch(void **state)
{
    (void)state;
    struct loaded l;
    struct wire g = {0};
    wire_value(&g, 11, "x", 1, "?,3");
    wire_simple(&g, "Relu", "x", "y");
    wire_value(&g, 12, "y", 1, NULL);
    load_graph(&l, &g, 13, &(struct wl_frontend_options){.batch = 7});
    expect_ok(&l);
    expect_type(&l, "y", "FLOAT[7,3]");
    assert_true(has_diag(&l, "assumed-batch"));
    wl_model_done(&l.model);
}

static void test_no_batch(void **state)
{
    (void)state;
    struct loaded l;
    for (int64_t batch = 1; batch < 3; batch++) {
        struct wire g = {0};
        wire_value(&g, 11, "x", 1, "");
        wire_simple(&g, "Relu", "x", "y");
        wire_value(&g, 12, "y", 1, NULL);
        load_graph(&l, &g, 13, &(struct wl_frontend_options){.batch = batch});
        if (batch == 1) {
            expect_ok(&l);
            wl_model_done(&l.model);
        } else {
            expect_fail(&l, WL_ERR_USAGE, "no batch dimension");
        }
    }
}

/* x[batch,4,6] -> Reshape by a constant -> y. */
static void load_reshape(struct loaded *l, const char *in, const int64_t *target, int count,
                         int64_t batch)
{
    struct wire g = {0};
    wire_value(&g, 11, "x", 1, in);
    wire_ints(&g, "target", target, count);
    struct wire n = wire_node("Reshape", "x target", "y");
    wire_str(&n, 3, "flat");
    wire_msg(&g, 1, &n);
    wire_value(&g, 12, "y", 1, NULL);
    load_graph(l, &g, 13, &(struct wl_frontend_options){.batch = batch});
}

static void test_rebatch(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        int64_t target[4];
        int count;
        int64_t batch;
        const char *expected;
    } cases[] = {
        {"1,4,6", {1, 24}, 2, 5, "FLOAT[5,24]"},         /* the batch itself */
        {"1,4,6", {1, -1}, 2, 5, "FLOAT[5,24]"},         /* -1 must not swallow it */
        {"2,4,6", {2, -1}, 2, 6, "FLOAT[6,24]"},         /* from 2 to 6 */
        {"2,4,6", {8, 6}, 2, 6, "FLOAT[24,6]"},          /* merged with the next axis */
        {"1,4,6", {-1, 6}, 2, 5, "FLOAT[20,6]"},         /* nothing to rewrite */
        {"1,4,6", {0, 0, 2, 3}, 4, 5, "FLOAT[5,4,2,3]"}, /* zeros copy */
        {"1,4,6", {1, 2, 2, 6}, 4, 3, "FLOAT[3,2,2,6]"},
        {"3,4,6", {3, 24}, 2, 3, "FLOAT[3,24]"}, /* the present batch: no change */
    };
    for (size_t i = 0; i < WL_ARRAY_LEN(cases); i++) {
        struct loaded l;
        load_reshape(&l, cases[i].in, cases[i].target, cases[i].count, cases[i].batch);
        expect_ok(&l);
        expect_type(&l, "y", cases[i].expected);
        wl_model_done(&l.model);
    }
}

/* 2*4*6 = 48 as [3,16]: with batch 3 there would be 72 elements and no axis that is the batch. */
static void test_rebatch_impossible(void **state)
{
    (void)state;
    struct loaded l;
    load_reshape(&l, "2,4,6", (int64_t[]){3, 16}, 2, 3);
    expect_fail(&l, WL_ERR_USAGE, "\"flat\"");
    assert_non_null(strstr(l.err.message, "--batch 3"));
}

/* The batch is the second axis after a Transpose: [4,1,6] -> [4,2,3] becomes [4,2*5,3]. */
static void test_rebatch_inner_axis(void **state)
{
    (void)state;
    struct loaded l;
    struct wire g = {0};
    wire_value(&g, 11, "x", 1, "1,4,6");
    struct wire t = wire_node("Transpose", "x", "t");
    attr_ints(&t, "perm", (int64_t[]){1, 0, 2}, 3);
    wire_msg(&g, 1, &t);
    wire_ints(&g, "target", (int64_t[]){4, 2, 3}, 3);
    wire_simple(&g, "Reshape", "t target", "y");
    wire_value(&g, 12, "y", 1, NULL);
    load_graph(&l, &g, 13, &(struct wl_frontend_options){.batch = 5});
    expect_ok(&l);
    expect_type(&l, "y", "FLOAT[4,10,3]");
    wl_model_done(&l.model);
}

/* A constant with the old batch in a Concat: the node is named. */
static void test_rebatch_conflict(void **state)
{
    (void)state;
    struct loaded l;
    struct wire g = {0};
    wire_value(&g, 11, "x", 1, "1,4,6");
    wire_weight(&g, "token", (int64_t[]){1, 1, 6}, 3);
    struct wire n = wire_node("Concat", "token x", "y");
    attr_int(&n, "axis", 1);
    wire_str(&n, 3, "prepend");
    wire_msg(&g, 1, &n);
    wire_value(&g, 12, "y", 1, NULL);
    load_graph(&l, &g, 13, &(struct wl_frontend_options){.batch = 5});
    expect_fail(&l, WL_ERR_USAGE, "\"prepend\"");
}

static void test_rebatch_lost(void **state)
{
    (void)state;
    struct loaded l;
    struct wire g = {0};
    wire_value(&g, 11, "x", 1, "1,4,6");
    wire_ints(&g, "axes", (int64_t[]){0}, 1);
    wire_simple(&g, "ReduceSum", "x axes", "y");
    wire_value(&g, 12, "y", 1, NULL);
    load_graph(&l, &g, 13, &(struct wl_frontend_options){.batch = 5});
    expect_ok(&l);
    expect_type(&l, "y", "FLOAT[1,4,6]");
    assert_true(has_diag(&l, "batch-lost"));
    wl_model_done(&l.model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unbound),
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_symbolic),
        cmocka_unit_test(test_unknown_name),
        cmocka_unit_test(test_contradiction),
        cmocka_unit_test(test_unnamed_batch),
        cmocka_unit_test(test_no_batch),
        cmocka_unit_test(test_rebatch),
        cmocka_unit_test(test_rebatch_impossible),
        cmocka_unit_test(test_rebatch_inner_axis),
        cmocka_unit_test(test_rebatch_conflict),
        cmocka_unit_test(test_rebatch_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
