/* SPDX-License-Identifier: Apache-2.0 */
/* Fusion on small graphs: what joins, what does not and why, in which order, with which operands.
 */
#include "wl_test_partition.h"

static struct pt t;

static int teardown(void **state)
{
    (void)state;
    pt_done(&t);
    return 0;
}

#define RESIDUAL_HEAD                                                                              \
    "input x 1,64,56,56\n"                                                                         \
    "weight w1 128,64,3,3\n"                                                                       \
    "weight w2 128,128,3,3\n"                                                                      \
    "weight wd 128,64,1,1\n"
#define RESIDUAL_BRANCH                                                                            \
    "c1 = Conv(x,w1) pads=[1,1,1,1] strides=[2,2]\n"                                               \
    "r1 = Relu(c1)\n"                                                                              \
    "c2 = Conv(r1,w2) pads=[1,1,1,1]\n"
#define RESIDUAL_SHORT "d = Conv(x,wd) strides=[2,2]\n"

static void residual_add_joins_the_longer_branch(void **state)
{
    (void)state;
    static const char *const orders[] = {
        RESIDUAL_HEAD RESIDUAL_BRANCH RESIDUAL_SHORT "a = Add(c2,d)\ny = Relu(a)\noutput y\n",
        RESIDUAL_HEAD RESIDUAL_SHORT RESIDUAL_BRANCH "a = Add(d,c2)\ny = Relu(a)\noutput y\n"};
    for (int i = 0; i < 2; i++) {
        pt_graph(&t, orders[i]);
        pt_partition(&t, "basic");
        assert_int_equal(t.p.count, 3);
        assert_string_equal(pt_of(&t, "c2")->pattern, "conv+add+relu");
        assert_string_equal(pt_of(&t, "d")->pattern, "conv");
        assert_string_equal(pt_of(&t, "d")->ended_because,
                            "Add: the next operator joined its other operand");
        assert_int_equal(pt_of(&t, "c2")->depends_count, 2);
        assert_int_equal(pt_of(&t, "y")->level, 1);
        assert_int_equal(t.p.max_width, 2);
        pt_done(&t);
    }
    pt_graph(&t, orders[1]);
    pt_partition(&t, "onnxruntime"); /* takes the first operand instead */
    assert_string_equal(pt_of(&t, "d")->pattern, "conv+add+relu");
}

static void descriptor_of_a_fused_convolution(void **state)
{
    (void)state;
    pt_graph(&t, RESIDUAL_HEAD "weight b 128\n"
                               "c1 = Conv(x,w1,b) pads=[1,1,1,1] strides=[2,2]\n"
                               "r1 = Relu(c1)\noutput r1\n");
    pt_partition(&t, "basic");
    const struct wl_subgraph *s = pt_of(&t, "c1");
    /* 128 x 28 x 28 results, 64 x 9 products each */
    assert_int_equal(s->macs, 128LL * 28 * 28 * 64 * 9);
    assert_int_equal(s->product_count, 1);
    assert_int_equal(s->products[0].m, 28 * 28);
    assert_int_equal(s->products[0].n, 128);
    assert_int_equal(s->products[0].k, 64 * 9);
    assert_int_equal(s->products[0].left, pt_id(&t, "x"));
    assert_int_equal(s->products[0].right, pt_id(&t, "w1"));
    assert_non_null(s->products[0].window);
    assert_true(pt_has(&t, s->inputs, s->input_count, "x", 64 * 56 * 56));
    assert_true(pt_has(&t, s->weights, s->weight_count, "w1", 128 * 64 * 9));
    assert_true(pt_has(&t, s->weights, s->weight_count, "b", 128));
    assert_true(pt_has(&t, s->internal, s->internal_count, "c1", 128 * 28 * 28));
    assert_true(pt_has(&t, s->outputs, s->output_count, "r1", 128 * 28 * 28));
    assert_int_equal(s->parallelism.batch, 1);
    assert_int_equal(s->parallelism.channels, 128);
    assert_int_equal(s->parallelism.spatial, 28 * 28);
    assert_int_equal(s->parallelism.reduction, 64 * 9);
    assert_string_equal(s->name, "c1");
    assert_string_equal(s->ended_because, "its result is an output of the model");
}

static void legality(void **state)
{
    (void)state;
    /* read twice */
    pt_graph(&t, "input x 1,8,4,4\nweight w 8,8,1,1\nc = Conv(x,w)\nr = Relu(c)\n"
                 "m = MaxPool(c) kernel_shape=[2,2]\noutput r\noutput m\n");
    pt_partition(&t, "basic");
    pt_expect(&t, "conv | relu | maxpool");
    assert_string_equal(pt_of(&t, "c")->ended_because, "its result is read by several subgraphs");
    pt_done(&t);
    /* an output of the model */
    pt_graph(&t, "input x 1,8,4,4\nweight w 8,8,1,1\nc = Conv(x,w)\nr = Relu(c)\n"
                 "output r\noutput c\n");
    pt_partition(&t, "basic");
    pt_expect(&t, "conv | relu");
    assert_string_equal(pt_of(&t, "c")->ended_because, "its result is an output of the model");
    pt_done(&t);
    /* another iteration space: the bias grows the result */
    pt_graph(&t, "input x 1,8,1,1\ninput y 1,8,4,4\nweight w 8,8,1,1\nc = Conv(x,w)\n"
                 "a = Add(c,y)\noutput a\n");
    pt_partition(&t, "basic");
    pt_expect(&t, "conv | add");
    assert_string_equal(pt_of(&t, "c")->ended_because,
                        "Add: the next operator runs over other elements");
    pt_done(&t);
    /* nothing of that kind */
    pt_graph(&t, "input x 1,8,4,4\nweight w 8,8,1,1\nc = Conv(x,w)\n"
                 "m = MaxPool(c) kernel_shape=[2,2]\noutput m\n");
    pt_partition(&t, "basic");
    pt_expect(&t, "conv | maxpool");
    assert_string_equal(pt_of(&t, "c")->ended_because,
                        "MaxPool: the profile fuses nothing of that kind behind it");
}

static void views_are_free(void **state)
{
    (void)state;
    static const char graph[] = "input x 1,16\nweight w 16,32\nshape s 2,16\ng = MatMul(x,w)\n"
                                "v = Reshape(g,s)\nr = Relu(v)\noutput r\n";
    pt_graph(&t, graph);
    pt_partition(&t, "basic");
    pt_expect(&t, "matmul+relu");
    assert_int_equal(t.p.subgraphs[0].node_count, 3); /* the view lies inside */
    assert_true(pt_has(&t, t.p.subgraphs[0].internal, 1, "g", 32));
    pt_done(&t);
    pt_graph(&t, graph);
    pt_partition(&t, "none");
    pt_expect(&t, "matmul | relu");
    assert_null(pt_of(&t, "v"));
    /* the view's reader reads the bytes of the product */
    assert_true(pt_has(&t, t.p.subgraphs[1].inputs, 1, "g", 32));
    assert_int_equal(t.p.subgraphs[1].depends_count, 1);
    assert_int_equal(t.p.subgraphs[1].depends_on[0], 0);
}

static void shape_arithmetic_is_free(void **state)
{
    (void)state;
    pt_graph(&t, "input x 2,3,4\nshape zero 0\nshape one 1\nshape axis 0\nshape rest -1\n"
                 "n = Shape(x)\nb = Gather(n,zero)\nb2 = Mul(b,one)\n"
                 "s = Concat(b2,rest) axis=0\ny = Reshape(x,s)\nr = Relu(y)\noutput r\n");
    pt_partition(&t, "none");
    pt_expect(&t, "relu");
    assert_int_equal(t.p.subgraphs[0].input_count, 1);
    assert_true(pt_has(&t, t.p.subgraphs[0].inputs, 1, "x", 24));
}

static void an_operand_read_twice_is_read_once(void **state)
{
    (void)state;
    pt_graph(&t, "input x 4,8\nshape s 8,4\nv = Reshape(x,s)\nw = Reshape(v,s)\n"
                 "y = Mul(v,w)\noutput y\n");
    pt_partition(&t, "none");
    assert_int_equal(t.p.count, 1);
    assert_int_equal(t.p.subgraphs[0].input_count, 1);
    assert_true(pt_has(&t, t.p.subgraphs[0].inputs, 1, "x", 32));
}

static void a_gathered_weight_is_read_in_part(void **state)
{
    (void)state;
    pt_graph(&t, "input:i64 ids 2,5\nweight table 1000,16\ny = Gather(table,ids)\noutput y\n");
    pt_partition(&t, "basic");
    assert_true(pt_has(&t, t.p.subgraphs[0].weights, 1, "table", 2 * 5 * 16));
}

static void a_shared_weight_is_traffic_of_both(void **state)
{
    (void)state;
    pt_graph(&t, "input x 4,8\nweight w 8,8\na = MatMul(x,w)\nb = MatMul(a,w)\noutput b\n");
    pt_partition(&t, "basic");
    for (int i = 0; i < 2; i++) {
        assert_true(pt_has(&t, t.p.subgraphs[i].weights, 1, "w", 64));
    }
}

static void transposed_and_scaled_operands(void **state)
{
    (void)state;
    pt_graph(&t, "input q 2,4,8,16\ninput k 2,4,8,16\nscalar c\nkt = Transpose(k) perm=[0,1,3,2]\n"
                 "qs = Mul(q,c)\ns = MatMul(qs,kt)\noutput s\n");
    pt_partition(&t, "onnxruntime");
    assert_int_equal(t.p.count, 1);
    assert_int_equal(t.p.subgraphs[0].products[0].left, WL_NONE); /* scaled inside */
    pt_done(&t);
    /* heads to the front is no stride of a product's rows or batch */
    pt_graph(&t, "input q 2,8,4,16\nweight w 16,16\nqt = Transpose(q) perm=[0,2,1,3]\n"
                 "s = MatMul(qt,w)\noutput s\n");
    pt_partition(&t, "onnxruntime");
    assert_int_equal(t.p.count, 2);
}

static void gates(void **state)
{
    (void)state;
    /* SwiGLU: the gate with its SiLU takes the product with the other half */
    pt_graph(&t, "input x 4,8\nweight wg 8,16\nweight wu 8,16\ng = MatMul(x,wg)\n"
                 "e = Sigmoid(g)\nh = Mul(g,e)\nu = MatMul(x,wu)\ny = Mul(h,u)\noutput y\n");
    pt_partition(&t, "basic");
    pt_expect(&t, "matmul | matmul+silu+mul");
    pt_done(&t);
    /* squeeze and excite: the scale reads two groups and starts its own; aggressive hands it to
       the product behind */
    static const char squeeze[] =
        "input x 1,8,4,4\nweight w 8,8,1,1\nweight v 8,8,1,1\nc = Conv(x,w)\n"
        "p = GlobalAveragePool(c)\nf = Conv(p,v)\ne = Sigmoid(f)\ny = Mul(c,e)\n"
        "o = Conv(y,w)\noutput o\n";
    pt_graph(&t, squeeze);
    pt_partition(&t, "basic");
    pt_expect(&t, "conv | global_avgpool | conv+sigmoid | mul | conv");
    pt_done(&t);
    pt_graph(&t, squeeze);
    pt_partition(&t, "aggressive");
    pt_expect(&t, "conv | global_avgpool | conv+sigmoid | mul+conv");
}

static void budget_limits_held_results(void **state)
{
    (void)state;
    static const char mlp[] = "input x 128,64\nweight a 64,256\nweight b 256,64\n"
                              "h = MatMul(x,a)\nr = Relu(h)\ny = MatMul(r,b)\noutput y\n";
    /* 64 rows of 256 floats are 65,536 bytes */
    pt_graph(&t, mlp);
    pt_partition_budget(&t, "aggressive", 65536);
    assert_int_equal(t.p.count, 1);
    pt_done(&t);
    pt_graph(&t, mlp);
    pt_partition_budget(&t, "aggressive", 65535);
    assert_int_equal(t.p.count, 2);
    assert_string_equal(pt_of(&t, "h")->ended_because,
                        "MatMul: the intermediate result does not fit on chip");
}

static void quantised_neighbours(void **state)
{
    (void)state;
    pt_graph(&t, "input:i8 q 1,8,4,4\nscalar s\nweight:i8 z 1\nweight:i8 w 8,8,1,1\n"
                 "weight sw 8\ndx = DequantizeLinear(q,s)\ndw = DequantizeLinear(w,sw)\n"
                 "c = Conv(dx,dw)\nr = Relu(c)\nqr = QuantizeLinear(r,s,z)\n"
                 "d2 = DequantizeLinear(qr,s)\nc2 = Conv(d2,dw)\noutput c2\n");
    pt_partition(&t, "basic");
    pt_expect(&t, "conv+relu+quantize | conv");
    const struct wl_subgraph *s = &t.p.subgraphs[0];
    assert_true(s->quantized);
    assert_true(s->products[0].integer);
    assert_true(pt_has(&t, s->inputs, s->input_count, "q", 128));
    assert_true(pt_has(&t, s->weights, s->weight_count, "w", 64));
    assert_true(pt_has(&t, s->weights, s->weight_count, "sw", 8));
    assert_true(pt_has(&t, s->outputs, s->output_count, "qr", 128));
    assert_int_equal(s->products[0].right, pt_id(&t, "w"));
    assert_true(t.p.subgraphs[1].quantized);
    pt_done(&t);
    /* without the feature each quantiser is a kernel, and weights are still stored in int8 */
    pt_graph(&t, "input:i8 q 1,8,4,4\nscalar s\nweight:i8 w 8,8,1,1\nweight sw 8\n"
                 "dx = DequantizeLinear(q,s)\ndw = DequantizeLinear(w,sw)\nc = Conv(dx,dw)\n"
                 "output c\n");
    pt_partition(&t, "none");
    pt_expect(&t, "dequantize | conv");
    assert_false(t.p.subgraphs[1].quantized);
    assert_true(pt_has(&t, t.p.subgraphs[1].weights, t.p.subgraphs[1].weight_count, "w", 64));
}

static void element_wise_regions(void **state)
{
    (void)state;
    static const char diamond[] = "input x 4,8\na = Exp(x)\nb = Sqrt(a)\nc = Neg(a)\n"
                                  "d = Add(b,c)\noutput d\n";
    pt_graph(&t, diamond);
    pt_partition(&t, "basic"); /* chains only */
    pt_expect(&t, "exp | neg | elementwise");
    pt_done(&t);
    pt_graph(&t, diamond);
    pt_partition(&t, "pytorch-compile"); /* one loop */
    pt_expect(&t, "elementwise");
    assert_int_equal(t.p.subgraphs[0].internal_count, 3);
    pt_done(&t);
    /* a product between the ends of the diamond would be needed before and after the loop */
    pt_graph(&t, "input x 8,8\nweight w 8,8\na = Exp(x)\nm = MatMul(a,w)\nb = Sqrt(a)\n"
                 "d = Add(b,m)\noutput d\n");
    pt_partition(&t, "pytorch-compile");
    assert_true(pt_of(&t, "a") != pt_of(&t, "d"));
}

static void unknown_profile(void **state)
{
    (void)state;
    struct wl_error err;
    struct wl_partition_options o = {.fusion = "nosuch"};
    pt_graph(&t, "input x 4\ny = Relu(x)\noutput y\n");
    assert_int_equal(wl_partition_run(&t.tg.g, &o, &t.tg.arena, &t.p, &err), WL_ERR_USAGE);
    assert_non_null(strstr(err.message, "onnxruntime"));
}

static void unbound_size(void **state)
{
    (void)state;
    struct wl_error err;
    struct wl_partition_options o = {.fusion = "basic"};
    pt_graph(&t, "input x -1,4\ny = Relu(x)\noutput y\n"); /* -1 is the symbol N */
    assert_int_equal(wl_partition_run(&t.tg.g, &o, &t.tg.arena, &t.p, &err), WL_ERR_USAGE);
    assert_non_null(strstr(err.message, "N"));
    assert_non_null(strstr(err.where, "Relu"));
}

static void out_of_memory_is_an_error(void **state)
{
    (void)state;
    pt_graph(&t,
             RESIDUAL_HEAD RESIDUAL_BRANCH RESIDUAL_SHORT "a = Add(c2,d)\ny = Relu(a)\noutput y\n");
    for (int n = 1; n < 64; n++) {
        struct wl_error err;
        struct wl_partition_options o = {.fusion = "aggressive"};
        struct wl_arena arena;
        wl_arena_init(&arena, 0);
        wl_arena_fail_after(n);
        wl_status status = wl_partition_run(&t.tg.g, &o, &arena, &t.p, &err);
        wl_arena_fail_after(0);
        wl_arena_done(&arena);
        assert_true(status == WL_OK || status == WL_ERR_NOMEM);
        if (status == WL_OK) {
            assert_true(n > 1);
            return;
        }
    }
    fail_msg("never succeeds");
}

#define TEST(f) cmocka_unit_test_teardown(f, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(residual_add_joins_the_longer_branch),
        TEST(descriptor_of_a_fused_convolution),
        TEST(legality),
        TEST(views_are_free),
        TEST(shape_arithmetic_is_free),
        TEST(an_operand_read_twice_is_read_once),
        TEST(a_gathered_weight_is_read_in_part),
        TEST(a_shared_weight_is_traffic_of_both),
        TEST(transposed_and_scaled_operands),
        TEST(gates),
        TEST(budget_limits_held_results),
        TEST(quantised_neighbours),
        TEST(element_wise_regions),
        TEST(unknown_profile),
        TEST(unbound_size),
        TEST(out_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
