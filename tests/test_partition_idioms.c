/* SPDX-License-Identifier: Apache-2.0 */
/* Operators that exporters took apart are put together again, and only when nothing looks inside.
 */
#include "wl_test_partition.h"

static struct pt t;

static int teardown(void **state)
{
    (void)state;
    pt_done(&t);
    return 0;
}

struct form {
    const char *label;
    const char *body; /* reads x [2,8], ends with y */
};

#define CONSTANTS "input x 2,8\nscalar a\nscalar b\nscalar c\nscalar d\nweight g 8\nweight h 8\n"

/* clang-format off */
static const struct form forms[] = {
    {"gelu", "p = Div(x,a)\nq = Erf(p)\nr = Add(q,b)\ns = Mul(x,r)\ny = Mul(s,c)\n"},
    {"gelu", "p = Mul(x,a)\nq = Erf(p)\nr = Add(b,q)\ns = Mul(x,c)\ny = Mul(s,r)\n"},
    {"gelu", "p = Div(x,a)\nq = Erf(p)\nr = Add(q,b)\ns = Mul(r,c)\ny = Mul(s,x)\n"},
    {"gelu_tanh", "p = Pow(x,a)\nq = Mul(p,b)\nr = Add(x,q)\ns = Mul(r,c)\nu = Tanh(s)\nv = Add(u,a)\n"
                  "w = Mul(x,v)\ny = Mul(w,d)\n"},
    {"gelu_tanh", "p = Mul(x,x)\np3 = Mul(x,p)\nq = Mul(b,p3)\nr = Add(x,q)\ns = Mul(c,r)\nu = Tanh(s)\n"
                  "v = Add(a,u)\nw = Mul(x,d)\ny = Mul(w,v)\n"},
    {"silu", "p = Sigmoid(x)\ny = Mul(x,p)\n"},
    {"silu", "p = Sigmoid(x)\ny = Mul(p,x)\n"},
    {"quick_gelu", "p = Mul(x,a)\nq = Sigmoid(p)\ny = Mul(x,q)\n"},
    {"hard_swish", "p = HardSigmoid(x)\ny = Mul(x,p)\n"},
    {"hard_swish", "p = Add(x,a)\nq = Clip(p,b,c)\nr = Mul(x,q)\ny = Div(r,d)\n"},
    {"hard_sigmoid", "p = Add(x,a)\nq = Clip(p,b,c)\ny = Div(q,d)\n"},
    {"mish", "p = Softplus(x)\nq = Tanh(p)\ny = Mul(x,q)\n"},
    {"layernorm", "m = ReduceMean(x)\nd1 = Sub(x,m)\nd2 = Pow(d1,a)\nv = ReduceMean(d2)\ne = Add(v,b)\n"
                  "s = Sqrt(e)\nn = Div(d1,s)\nw = Mul(n,g)\ny = Add(w,h)\n"},
    {"layernorm", "m = ReduceMean(x)\nd1 = Sub(x,m)\nd2 = Mul(d1,d1)\nv = ReduceMean(d2)\ne = Add(v,b)\n"
                  "s = Sqrt(e)\ny = Div(d1,s)\n"},
    {"layernorm", "m = ReduceMean(x)\nd1 = Sub(x,m)\nd2 = Pow(d1,a)\nv = ReduceMean(d2)\ne = Add(v,b)\n"
                  "s = Sqrt(e)\ni = Reciprocal(s)\nn = Mul(d1,i)\nw = Mul(n,g)\ny = Add(w,h)\n"},
    {"rmsnorm", "p = Pow(x,a)\nm = ReduceMean(p)\ne = Add(m,b)\ns = Sqrt(e)\nn = Div(x,s)\ny = Mul(g,n)\n"},
    {"rmsnorm", "p = Mul(x,x)\nm = ReduceMean(p)\ne = Add(m,b)\ns = Sqrt(e)\ni = Reciprocal(s)\n"
                "n = Mul(x,i)\ny = Mul(n,g)\n"},
    {"rmsnorm", "p = Pow(x,a)\nm = ReduceMean(p)\ne = Add(m,b)\ns = Sqrt(e)\ni = Div(c,s)\n"
                "n = Mul(x,i)\ny = Mul(n,g)\n"},
    {"softmax", "m = ReduceMax(x)\ns = Sub(x,m)\ne = Exp(s)\nz = ReduceSum(e)\ny = Div(e,z)\n"},
};
/* clang-format on */

static void every_form_becomes_one_unit(void **state)
{
    (void)state;
    for (size_t i = 0; i < WL_ARRAY_LEN(forms); i++) {
        char text[1024];
        (void)snprintf(text, sizeof(text), "%s%soutput y\n", CONSTANTS, forms[i].body);
        pt_graph(&t, text);
        pt_partition(&t, "pytorch-eager"); /* puts together, fuses nothing more */
        pt_expect(&t, forms[i].label);
        assert_int_equal(t.p.subgraphs[0].input_count, 1);
        assert_int_equal(t.p.subgraphs[0].output_count, 1);
        pt_done(&t);
        pt_graph(&t, text);
        pt_partition(&t, "none");
        assert_int_equal(t.p.count, t.tg.g.node_count);
        pt_done(&t);
    }
    pt_graph(&t, CONSTANTS);
}

static void a_read_inside_keeps_an_idiom_apart(void **state)
{
    (void)state;
    pt_graph(&t, "input x 2,8\np = Sigmoid(x)\ny = Mul(x,p)\nz = Relu(p)\noutput y\noutput z\n");
    pt_partition(&t, "pytorch-eager");
    pt_expect(&t, "sigmoid | mul | relu");
    pt_done(&t);
    pt_graph(&t, "input x 2,8\np = Sigmoid(x)\ny = Mul(x,p)\noutput y\noutput p\n");
    pt_partition(&t, "pytorch-eager");
    pt_expect(&t, "sigmoid | mul");
    pt_done(&t);
    /* another tensor in the place of x */
    pt_graph(&t, "input x 2,8\ninput z 2,8\np = Sigmoid(x)\ny = Mul(z,p)\noutput y\n");
    pt_partition(&t, "pytorch-eager");
    pt_expect(&t, "sigmoid | mul");
}

static void casts_and_views_do_not_hide_an_idiom(void **state)
{
    (void)state;
    pt_graph(&t, "input x 2,8\nscalar a\nscalar b\nweight g 8\np = Pow(x,a)\nm = ReduceMean(p)\n"
                 "e = Add(m,b)\ns = Sqrt(e)\nn = Div(x,s)\nf = Cast(n) to=1\ny = Mul(g,f)\n"
                 "output y\n");
    pt_partition(&t, "basic");
    pt_expect(&t, "rmsnorm");
    pt_done(&t);
    pt_graph(&t, "input x 1,8,4,4\nweight s 4\nweight c 4\nweight g 8,1,1\nweight h 8,1,1\n"
                 "shape to 1,4,32\nshape back 1,8,4,4\nv = Reshape(x,to)\n"
                 "n = InstanceNormalization(v,s,c)\nu = Reshape(n,back)\nw = Mul(u,g)\n"
                 "y = Add(w,h)\noutput y\n");
    pt_partition(&t, "basic");
    pt_expect(&t, "groupnorm");
}

static void an_activation_follows_its_product(void **state)
{
    (void)state;
    pt_graph(&t, "input x 2,8\nweight w 8,8\nweight k 8\nscalar a\nscalar b\nscalar c\n"
                 "m = MatMul(x,w)\nl = Add(m,k)\np = Div(l,a)\nq = Erf(p)\nr = Add(q,b)\n"
                 "s = Mul(l,r)\ny = Mul(s,c)\noutput y\n");
    pt_partition(&t, "basic");
    pt_expect(&t, "matmul+bias+gelu");
    pt_done(&t);
    /* rotary embedding: x * cos + turned(x) * sin */
    pt_graph(&t, "input x 2,8\ninput co 2,8\ninput si 2,8\nshape zero 0\nshape half 4\n"
                 "shape end 8\nshape ax 1\nl = Slice(x,zero,half,ax)\nh = Slice(x,half,end,ax)\n"
                 "n = Neg(h)\nz = Concat(n,l) axis=1\na = Mul(x,co)\nb = Mul(z,si)\n"
                 "y = Add(a,b)\noutput y\n");
    pt_partition(&t, "tensorrt");
    pt_expect(&t, "rope");
    assert_int_equal(t.p.subgraphs[0].input_count, 3);
}

/* ---- attention --------------------------------------------------------------------------------
 */

/* 2 x 4 heads of 8 positions and width 16; q, k, v as [batch, position, head, width] */
#define HEADS                                                                                      \
    "input q 2,8,4,16\ninput k 2,8,4,16\ninput v 2,8,4,16\ninput mask 2,1,1,8\nscalar c\n"         \
    "qt = Transpose(q) perm=[0,2,1,3]\nkt = Transpose(k) perm=[0,2,3,1]\n"                         \
    "vt = Transpose(v) perm=[0,2,1,3]\n"

static void attention_is_one_kernel_where_the_profile_has_one(void **state)
{
    (void)state;
    static const char graph[] =
        HEADS "s = MatMul(qt,kt)\nd = Div(s,c)\nm = Add(d,mask)\np = Softmax(m)\no = MatMul(p,vt)\n"
              "y = Transpose(o) perm=[0,2,1,3]\noutput y\n";
    pt_graph(&t, graph);
    pt_partition(&t, "basic");
    pt_expect(&t, "transpose | transpose | transpose | matmul+scale+add | softmax | matmul | "
                  "transpose");
    pt_done(&t);
    pt_graph(&t, graph);
    pt_partition(&t, "aggressive");
    pt_expect(&t, "attention");
    const struct wl_subgraph *s = &t.p.subgraphs[0];
    assert_int_equal(s->kind, WL_OPK_ATTENTION);
    assert_int_equal(s->input_count, 4);
    assert_int_equal(s->product_count, 2);
    /* 2 x 4 heads: 8 x 16 by 16 x 8, then 8 x 8 by 8 x 16 */
    assert_int_equal(s->macs, 2 * (2LL * 4 * 8 * 8 * 16));
    assert_int_equal(s->products[0].g, 8);
    assert_int_equal(s->products[1].left, WL_NONE); /* the probabilities stay inside */
    assert_true(pt_has(&t, s->internal, s->internal_count, "s", 2 * 4 * 8 * 8));
    assert_int_equal(t.p.subgraph_of[t.tg.g.tensors[pt_id(&t, "p")].producer], 0);
}

static void attention_needs_both_products(void **state)
{
    (void)state;
    /* the probabilities are a result too */
    pt_graph(&t, HEADS "s = MatMul(qt,kt)\np = Softmax(s)\no = MatMul(p,vt)\noutput o\noutput p\n");
    pt_partition(&t, "aggressive");
    assert_true(pt_of(&t, "s") != pt_of(&t, "o"));
    pt_done(&t);
    /* a classifier's softmax */
    pt_graph(&t, "input x 2,8\nweight w 8,8\ns = MatMul(x,w)\np = Softmax(s)\no = MatMul(p,w)\n"
                 "output o\n");
    pt_partition(&t, "aggressive");
    assert_int_not_equal(t.p.subgraphs[0].kind, WL_OPK_ATTENTION);
    pt_done(&t);
    /* probabilities on the right */
    pt_graph(&t, "input q 2,8,8\ninput k 2,8,8\ns = MatMul(q,k)\np = Softmax(s)\n"
                 "o = MatMul(q,p)\noutput o\n");
    pt_partition(&t, "aggressive");
    assert_true(pt_of(&t, "s") != pt_of(&t, "o"));
}

#define TEST(f) cmocka_unit_test_teardown(f, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_form_becomes_one_unit),
        TEST(a_read_inside_keeps_an_idiom_apart),
        TEST(casts_and_views_do_not_hide_an_idiom),
        TEST(an_activation_follows_its_product),
        TEST(attention_is_one_kernel_where_the_profile_has_one),
        TEST(attention_needs_both_products),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
