/* SPDX-License-Identifier: Apache-2.0 */
/* The wire scan: what it cuts, what it keeps, what it refuses. */
#include <time.h>

#include "frontend_check.h"
#include "frontend_priv.h"

/* x[N,3,8,8] -> Conv(w[4,3,3,3], b) -> y, with a Reshape by a small constant. */
static struct wire small_graph(bool external, bool absent)
{
    struct wire g = {0};
    int64_t dims[4] = {4, 3, 3, 3};
    int64_t target[2] = {0, -1};
    wire_value(&g, 11, "x", 1, "N,3,8,8");
    if (external) {
        struct wire t = {0};
        struct wire location = {0};
        struct wire length = {0};
        for (int i = 0; i < 4; i++) {
            wire_int(&t, 1, dims[i]);
        }
        wire_int(&t, 2, 1);
        wire_str(&t, 8, "w");
        wire_str(&location, 1, "location");
        wire_str(&location, 2, "weights.bin");
        wire_msg(&t, 13, &location);
        wire_str(&length, 1, "length");
        wire_str(&length, 2, "432"); /* 4 * 3 * 3 * 3 * 4 bytes */
        wire_msg(&t, 13, &length);
        wire_int(&t, 14, 1);
        wire_msg(&g, 5, &t);
    } else if (absent) {
        struct wire t = {0};
        for (int i = 0; i < 4; i++) {
            wire_int(&t, 1, dims[i]);
        }
        wire_int(&t, 2, 1);
        wire_str(&t, 8, "w");
        wire_msg(&g, 5, &t);
    } else {
        wire_weight(&g, "w", dims, 4);
    }
    wire_ints(&g, "target", target, 2);
    struct wire n = wire_node("Conv", "x w", "c");
    wire_str(&n, 6, "documentation that nobody reads");
    wire_msg(&g, 1, &n);
    wire_simple(&g, "Reshape", "c target", "y");
    wire_value(&g, 12, "y", 1, NULL);
    return g;
}

static void test_same_with_and_without_weights(void **state)
{
    (void)state;
    int64_t parameters[3];
    for (int i = 0; i < 3; i++) {
        struct wire g = small_graph(i == 1, i == 2);
        struct loaded l;
        load_graph(&l, &g, 13, NULL);
        expect_ok(&l);
        expect_type(&l, "c", "FLOAT[1,4,6,6]");
        expect_type(&l, "y", "FLOAT[1,144]"); /* 4 * 6 * 6 */
        parameters[i] = l.model.parameters;
        assert_int_equal(l.model.parameter_bytes, 432);
        assert_int_equal(has_diag(&l, "absent-weights"), i == 2);
        wl_model_done(&l.model);
    }
    assert_int_equal(parameters[0], 108);
    assert_int_equal(parameters[1], 108);
    assert_int_equal(parameters[2], 108);
}

/* A 64 MB initializer leaves a few hundred bytes; documentation is gone, small ints are kept. */
static void test_cuts_payloads(void **state)
{
    (void)state;
    struct wire g = {0};
    int64_t dims[2] = {4096, 4096};
    int64_t small[3] = {7, -2, 5};
    wire_value(&g, 11, "x", 1, "1,4096");
    wire_weight(&g, "w", dims, 2);
    wire_ints(&g, "s", small, 3);
    wire_str(&g, 10, "a doc string");
    wire_simple(&g, "MatMul", "x w", "y");
    wire_value(&g, 12, "y", 1, NULL);
    struct wire m = wire_model(&g, 13);
    assert_true(m.len > 64000000);
    struct wl_scan scan;
    struct wl_error err;
    assert_int_equal(wl_scan_run(m.data, m.len, "m", &scan, &err), WL_OK);
    assert_true(scan.shell.bytes < 300);
    assert_int_equal(scan.node_count, 1);
    Onnx__ModelProto *mp = onnx__model_proto__unpack(NULL, scan.shell.bytes, scan.shell.data);
    assert_non_null(mp);
    assert_int_equal(mp->graph->n_initializer, 2);
    assert_false(mp->graph->initializer[0]->has_raw_data);
    assert_int_equal(mp->graph->initializer[0]->n_dims, 2);
    assert_int_equal(mp->graph->initializer[1]->raw_data.len, 24);
    assert_null(mp->graph->doc_string);
    onnx__model_proto__free_unpacked(mp, NULL);
    wl_scan_done(&scan);
    struct loaded l;
    load_wire(&l, &m, NULL);
    expect_ok(&l);
    expect_type(&l, "y", "FLOAT[1,4096]");
    const struct wl_tensor *s = tensor_named(&l, "s");
    assert_int_equal(s->value->count, 3);
    assert_int_equal(s->value->ints[1].value, -2);
    assert_int_equal(l.model.parameters, 4096 * 4096);
    wl_model_done(&l.model);
}

/* Every prefix of a valid file fails, but for the few that end between the model's own fields. */
static void test_truncated_everywhere(void **state)
{
    (void)state;
    struct wire g = small_graph(false, false);
    struct wire m = wire_model(&g, 13);
    for (size_t n = 0; n < m.len; n++) {
        struct wire part = {0};
        struct loaded l;
        wire_raw(&part, m.data, n);
        load_wire(&l, &part, NULL);
        expect_fail(&l, WL_ERR_PARSE, "");
    }
    wire_done(&m);
}

static void test_not_onnx(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "hello",
                                        "{\"a\": 1}\n",
                                        "The quick brown fox jumps over the lazy dog.\n",
                                        "\x7f"
                                        "ELF\x02\x01\x01",
                                        "\x89PNG\r\n\x1a\n",
                                        "\n\n\n\n"};
    for (size_t i = 0; i < WL_ARRAY_LEN(texts); i++) {
        struct wire w = {0};
        struct loaded l;
        wire_raw(&w, texts[i], strlen(texts[i]));
        load_wire(&l, &w, NULL);
        expect_fail(&l, WL_ERR_PARSE, "ONNX model");
    }
}

static void test_files(void **state)
{
    (void)state;
    struct wl_model m;
    struct wl_error err;
    assert_int_equal(wl_model_load("/nonexistent/m.onnx", NULL, &m, &err), WL_ERR_IO);
    assert_int_equal(wl_model_load(WL_SOURCE_DIR, NULL, &m, &err), WL_ERR_IO);
    assert_int_equal(wl_model_load(WL_SOURCE_DIR "/README.md", NULL, &m, &err), WL_ERR_PARSE);
}

static void test_lengths_past_the_end(void **state)
{
    (void)state;
    static const uint8_t cases[][12] = {
        {0x3a, 0xff, 0xff, 0xff, 0xff, 0x0f},                         /* graph of 4 GB */
        {0x3a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, /* of 2^63 */
        {0x3a, 0x05, 0x0a, 0x7f, 0, 0, 0}, /* a node longer than its graph */
        {0x3a, 0x80},                      /* a length that does not end */
        {0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}, /* long varint */
    };
    static const size_t lengths[] = {6, 10, 7, 2, 12};
    for (size_t i = 0; i < WL_ARRAY_LEN(lengths); i++) {
        struct wire w = {0};
        struct loaded l;
        wire_raw(&w, cases[i], lengths[i]);
        load_wire(&l, &w, NULL);
        expect_fail(&l, WL_ERR_PARSE, "byte");
    }
}

/* Graphs inside If nodes, 3,000 deep: refused, quickly and without a deep stack. */
static void test_nested_deep(void **state)
{
    (void)state;
    struct wire inner = {0};
    for (int i = 0; i < 3000; i++) {
        struct wire n = wire_node("If", "c", "y");
        attr_graph(&n, "then_branch", &inner);
        wire_msg(&inner, 1, &n);
    }
    struct loaded l;
    load_graph(&l, &inner, 13, NULL);
    expect_fail(&l, WL_ERR_LIMIT, "nested deeper");
}

/* Sequence types nested in a value_info. */
static void test_nested_types(void **state)
{
    (void)state;
    struct wire type = {0};
    for (int i = 0; i < 3000; i++) {
        struct wire seq = {0};
        wire_msg(&seq, 1, &type);
        wire_msg(&type, 4, &seq);
    }
    struct wire info = {0};
    struct wire g = {0};
    wire_str(&info, 1, "x");
    wire_msg(&info, 2, &type);
    wire_msg(&g, 11, &info);
    struct loaded l;
    load_graph(&l, &g, 13, NULL);
    expect_fail(&l, WL_ERR_LIMIT, "nested deeper");
}

static void load_initializer(struct loaded *l, int dtype, const int64_t *dims, int rank,
                             size_t raw_bytes)
{
    static const uint8_t zeros[256];
    struct wire g = {0};
    struct wire t = wire_tensor("w", dtype, dims, rank, zeros, raw_bytes);
    wire_msg(&g, 5, &t);
    wire_simple(&g, "Identity", "w", "y");
    wire_value(&g, 12, "y", 1, NULL);
    load_graph(l, &g, 13, NULL);
}

static void test_bad_dims(void **state)
{
    (void)state;
    struct loaded l;
    load_initializer(&l, 1, (int64_t[]){-1, 4}, 2, 0);
    expect_fail(&l, WL_ERR_INVALID, "zero or more");
    load_initializer(&l, 1, (int64_t[]){INT64_MAX, 4}, 2, 16);
    expect_fail(&l, WL_ERR_INVALID, "overflow");
    load_initializer(&l, 1, (int64_t[]){INT64_MAX / 8}, 1, 16);
    expect_fail(&l, WL_ERR_INVALID, "tensor \"w\"");
    load_initializer(&l, 1, (int64_t[]){2, 2}, 2, 15);
    expect_fail(&l, WL_ERR_INVALID, "15 bytes of raw data; dims and type FLOAT need 16");
    load_initializer(&l, 99, (int64_t[]){2, 2}, 2, 16);
    expect_fail(&l, WL_ERR_INVALID, "element type 99");
    int64_t many[40] = {0};
    load_initializer(&l, 1, many, 40, 0);
    expect_fail(&l, WL_ERR_INVALID, "dimensions");
    /* No element at all is legal, whatever the other dims. */
    load_initializer(&l, 1, (int64_t[]){0, INT64_MAX, 4}, 3, 0);
    expect_ok(&l);
    wl_model_done(&l.model);
    load_initializer(&l, 22, (int64_t[]){3}, 1, 2); /* three INT4 in two bytes */
    expect_ok(&l);
    assert_int_equal(l.model.parameters, 3);
    assert_int_equal(l.model.parameter_bytes, 2);
    wl_model_done(&l.model);
}

static void test_bad_input_dims(void **state)
{
    (void)state;
    static const char *const shapes[] = {"-1,3", "9223372036854775807,9223372036854775807"};
    for (size_t i = 0; i < WL_ARRAY_LEN(shapes); i++) {
        struct wire g = {0};
        struct loaded l;
        wire_value(&g, 11, "x", 1, shapes[i]);
        wire_simple(&g, "Relu", "x", "y");
        wire_value(&g, 12, "y", 1, NULL);
        load_graph(&l, &g, 13, NULL);
        expect_fail(&l, WL_ERR_INVALID, "\"x\"");
    }
    struct wire g = {0};
    struct loaded l;
    wire_value(&g, 11, "x", 1, "1,0,4");
    wire_simple(&g, "Relu", "x", "y");
    wire_value(&g, 12, "y", 1, NULL);
    load_graph(&l, &g, 13, NULL);
    expect_ok(&l);
    expect_type(&l, "y", "FLOAT[1,0,4]");
    wl_model_done(&l.model);
}

static void test_external_length(void **state)
{
    (void)state;
    struct wire t = {0};
    struct wire e = {0};
    struct wire g = {0};
    wire_int(&t, 1, 10);
    wire_int(&t, 2, 1);
    wire_str(&t, 8, "w");
    wire_str(&e, 1, "length");
    wire_str(&e, 2, "39");
    wire_msg(&t, 13, &e);
    wire_int(&t, 14, 1);
    wire_msg(&g, 5, &t);
    struct loaded l;
    load_graph(&l, &g, 13, NULL);
    expect_fail(&l, WL_ERR_INVALID, "39 bytes; dims and type FLOAT need 40");
}

static double seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Two hundred thousand empty nodes, inputs, attributes: an error in bounded time. */
static void test_many_empty_messages(void **state)
{
    (void)state;
    static const unsigned fields[] = {1, 5, 11, 12, 13, 15};
    for (size_t f = 0; f < WL_ARRAY_LEN(fields); f++) {
        struct wire g = {0};
        for (int i = 0; i < 200000; i++) {
            wire_bytes(&g, fields[f], "", 0);
        }
        struct loaded l;
        double start = seconds();
        load_graph(&l, &g, 13, NULL);
        assert_true(seconds() - start < 5.0); /* under sanitizers, on a busy machine */
        if (l.status == WL_OK) {
            wl_model_done(&l.model);
        } else {
            assert_true(l.status == WL_ERR_INVALID || l.status == WL_ERR_LIMIT);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_with_and_without_weights),
        cmocka_unit_test(test_cuts_payloads),
        cmocka_unit_test(test_truncated_everywhere),
        cmocka_unit_test(test_not_onnx),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_lengths_past_the_end),
        cmocka_unit_test(test_nested_deep),
        cmocka_unit_test(test_nested_types),
        cmocka_unit_test(test_bad_dims),
        cmocka_unit_test(test_bad_input_dims),
        cmocka_unit_test(test_external_length),
        cmocka_unit_test(test_many_empty_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
