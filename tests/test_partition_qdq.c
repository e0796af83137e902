/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which operators between dequantisers and quantisers profile onnxruntime runs in integers. Each
 * case was run in ONNX Runtime 1.30 (x86-64), whose optimised graph has the kernels expected here:
 * QLinearConv where "conv+quantize" stands, and so on.
 */
#include "wl_test_partition.h"

static struct pt t;

static int teardown(void **state)
{
    (void)state;
    pt_done(&t);
    return 0;
}

#define SIGNED "number:i8 z 0\n"
#define SIGNED_LOW "number:i8 z -128\n"
#define UNSIGNED "number:u8 z 128\n"
#define UNSIGNED_LOW "number:u8 z 0\n"
#define HEAD                                                                                       \
    "input x 1,8,4,4\nnumber s 0.02\nnumber s2 0.03\nweight:i8 w 8,8,1,1\nweight ws 8\n"           \
    "dw = DequantizeLinear(w,ws) axis=0\n"                                                         \
    "q = QuantizeLinear(x,s,z)\nd = DequantizeLinear(q,s,z)\n"
#define CONV HEAD "c = Conv(d,dw)\n"
#define TAIL(of)                                                                                   \
    "p = QuantizeLinear(" of ",s,z)\ne = DequantizeLinear(p,s,z)\ny = Neg(e)\noutput y\n"

static void convolutions(void **state)
{
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {SIGNED CONV TAIL("c"), "quantize | conv+quantize | dequantize | neg"},
        {UNSIGNED CONV TAIL("c"), "quantize | conv+quantize | dequantize | neg"},
        /* a bound that the quantiser has anyway */
        {SIGNED_LOW CONV "r = Relu(c)\n" TAIL("r"),
         "quantize | conv+relu+quantize | dequantize | neg"},
        {UNSIGNED_LOW CONV "number l 0\nnumber h 6\nr = Clip(c,l,h)\n" TAIL("r"),
         "quantize | conv+clip+quantize | dequantize | neg"},
        /* and one that it has not */
        {SIGNED CONV "r = Relu(c)\n" TAIL("r"),
         "quantize | dequantize | conv+relu | quantize | dequantize | neg"},
        {UNSIGNED_LOW CONV "number l 0\nnumber h 4\nr = Clip(c,l,h)\n" TAIL("r"),
         "quantize | dequantize | conv+clip | quantize | dequantize | neg"},
        /* two readers of the result */
        {UNSIGNED CONV "n = Neg(c)\noutput n\n" TAIL("c"),
         "quantize | dequantize | conv | neg | quantize | dequantize | neg"},
        /* a signed image that is read twice stays signed, which the kernel does not take */
        {SIGNED CONV "a = Abs(d)\noutput a\n" TAIL("c"),
         "quantize | dequantize | conv | abs | quantize | dequantize | neg"},
        {UNSIGNED CONV "a = Abs(d)\noutput a\n" TAIL("c"),
         "quantize | dequantize | abs | conv+quantize | dequantize | neg"},
        /* filters in floats; a result nobody quantises */
        {UNSIGNED HEAD "weight f 8,8,1,1\nc = Conv(d,f)\n" TAIL("c"),
         "quantize | dequantize | conv | quantize | dequantize | neg"},
        {UNSIGNED CONV "y = Neg(c)\noutput y\n", "quantize | dequantize | conv | neg"},
    };
    (void)state;
    for (size_t i = 0; i < WL_ARRAY_LEN(cases); i++) {
        pt_graph(&t, cases[i].text);
        pt_partition(&t, "onnxruntime");
        pt_expect(&t, cases[i].expected);
        const struct wl_subgraph *s = pt_of(&t, "c");
        bool integer = strstr(s->pattern, "quantize") != NULL;
        assert_int_equal(s->quantized, integer);
        assert_int_equal(s->products[0].integer, integer);
        assert_int_equal(s->macs, 8 * 8 * 16);
        pt_done(&t);
    }
}

static void operands_are_the_integers(void **state)
{
    (void)state;
    pt_graph(&t, SIGNED CONV TAIL("c"));
    pt_partition(&t, "onnxruntime");
    const struct wl_subgraph *s = pt_of(&t, "c");
    assert_true(pt_has(&t, s->inputs, s->input_count, "q", 128));
    assert_true(pt_has(&t, s->weights, s->weight_count, "w", 64));
    assert_true(pt_has(&t, s->outputs, s->output_count, "p", 128));
}

static void products_and_sums(void **state)
{
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {UNSIGNED HEAD "p2 = QuantizeLinear(x,s2,z)\nd2 = DequantizeLinear(p2,s2,z)\n"
                       "c = Add(d,d2)\n" TAIL("c"),
         "quantize | quantize | elementwise | dequantize | neg"},
        {UNSIGNED_LOW HEAD "p2 = QuantizeLinear(x,s2,z)\nd2 = DequantizeLinear(p2,s2,z)\n"
                           "c = Mul(d,d2)\nr = Relu(c)\n" TAIL("r"),
         "quantize | quantize | elementwise | dequantize | neg"},
        /* one term stays signed */
        {SIGNED HEAD "p2 = QuantizeLinear(x,s2,z)\nd2 = DequantizeLinear(p2,s2,z)\n"
                     "a = Abs(d)\noutput a\nc = Add(d,d2)\n" TAIL("c"),
         "quantize | dequantize | quantize | dequantize | abs | add | quantize | dequantize | neg"},
        {SIGNED HEAD "c = Sub(d,d)\n" TAIL("c"),
         "quantize | dequantize | sub | quantize | dequantize | neg"},
        /* values that stay need the same scale */
        {UNSIGNED HEAD "c = MaxPool(d) kernel_shape=[2,2]\n" TAIL("c"),
         "quantize | maxpool+quantize | dequantize | neg"},
        {UNSIGNED HEAD "c = MaxPool(d) kernel_shape=[2,2]\np = QuantizeLinear(c,s2,z)\n"
                       "e = DequantizeLinear(p,s2,z)\ny = Neg(e)\noutput y\n",
         "quantize | dequantize | maxpool | quantize | dequantize | neg"},
        {SIGNED HEAD "c = GlobalAveragePool(d)\n" TAIL("c"),
         "quantize | global_avgpool+quantize | dequantize | neg"},
    };
    (void)state;
    for (size_t i = 0; i < WL_ARRAY_LEN(cases); i++) {
        pt_graph(&t, cases[i].text);
        pt_partition(&t, "onnxruntime");
        pt_expect(&t, cases[i].expected);
        pt_done(&t);
    }
}

#define MATRICES                                                                                   \
    "input x 4,8\nnumber s 0.02\nnumber:i8 z 0\nweight:i8 w 8,8\nq = QuantizeLinear(x,s,z)\n"      \
    "d = DequantizeLinear(q,s,z)\n"

static void matrix_products_need_no_quantizer(void **state)
{
    (void)state;
    pt_graph(&t, MATRICES "dw = DequantizeLinear(w,s)\nc = MatMul(d,dw)\noutput c\n");
    pt_partition(&t, "onnxruntime");
    pt_expect(&t, "quantize | matmul");
    assert_true(t.p.subgraphs[1].quantized);
    pt_done(&t);
    /* Gemm: where the zero point of the weights is stated */
    pt_graph(&t, MATRICES "dw = DequantizeLinear(w,s)\nc = Gemm(d,dw)\noutput c\n");
    pt_partition(&t, "onnxruntime");
    pt_expect(&t, "quantize | dequantize | gemm");
    pt_done(&t);
    pt_graph(&t, MATRICES "dw = DequantizeLinear(w,s,z)\nc = Gemm(d,dw)\noutput c\n");
    pt_partition(&t, "onnxruntime");
    pt_expect(&t, "quantize | gemm");
    assert_true(t.p.subgraphs[1].quantized);
}

#define TEST(f) cmocka_unit_test_teardown(f, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(convolutions),
        TEST(operands_are_the_integers),
        TEST(products_and_sums),
        TEST(matrix_products_need_no_quantizer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
