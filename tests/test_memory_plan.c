/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory plans: liveness, in-place, timeline and offsets on small graphs by hand arithmetic, then
 * the invariants of a plan on random graphs and over the zoo.
 */
#include "memory.h"
#include "wl_test_partition.h"
#include "zoo.h"

#define MODELS WL_SOURCE_DIR "/models"

static struct pt t;
static struct wl_memory mem;
static struct wl_device device;

static int teardown(void **state)
{
    (void)state;
    pt_done(&t);
    return 0;
}

static void plan_with(struct wl_partition *p, struct wl_mapping *items, struct wl_arena *arena)
{
    struct wl_error err;
    struct wl_mappings m = {.device = &device, .partition = p, .items = items, .count = p->count};
    m.options.policy = (struct wl_precision_policy){WL_PREC_NATIVE, WL_PREC_NATIVE, WL_PREC_NATIVE};
    if (wl_memory_plan(&m, arena, &mem, &err) != WL_OK) {
        fail_msg("%s: %s", err.where, err.message);
    }
}

static void plan(const char *graph, const char *fusion)
{
    pt_graph(&t, graph);
    pt_partition(&t, fusion);
    plan_with(&t.p, NULL, &t.tg.arena);
}

static const struct wl_memory_slot *slot(const char *tensor)
{
    int32_t id = pt_id(&t, tensor);
    for (int32_t i = 0; i < mem.slot_count; i++) {
        if (mem.slots[i].tensor == id) {
            return &mem.slots[i];
        }
    }
    fail_msg("no slot for %s", tensor);
    return NULL;
}

/* ---- by hand ----------------------------------------------------------------------------------
 */

static void a_chain_keeps_two_tensors(void **state)
{
    (void)state;
    /* floats: x 256 B, a 512 B, b 1024 B, c 256 B; weights 64 x 128, 128 x 256, 256 x 64 */
    plan("input x 1,64\nweight w1 64,128\nweight w2 128,256\nweight w3 256,64\n"
         "a = MatMul(x,w1)\nb = MatMul(a,w2)\nc = MatMul(b,w3)\noutput c\n",
         "basic");
    double weights = 4.0 * (64 * 128 + 128 * 256 + 256 * 64);
    assert_true(mem.weight_bytes == weights);
    assert_int_equal(mem.step_count, 3);
    assert_true(mem.timeline[0].live_bytes == weights + 256 + 512);
    assert_true(mem.timeline[1].live_bytes == weights + 512 + 1024);
    assert_true(mem.timeline[2].live_bytes == weights + 1024 + 256);
    assert_true(mem.peak_bytes == weights + 1536);
    assert_int_equal(mem.peak_at, 1);
    assert_true(mem.activation_bytes == 1536);
    assert_true(mem.lower_bound_bytes == 1536);
    assert_true(mem.planned_bytes == 1536);
}

static void a_shared_weight_lies_in_memory_once(void **state)
{
    (void)state;
    plan("input:i64 ids 1,3\nweight e 100,16\nweight w 16,16\nx = Gather(e,ids)\n"
         "a = MatMul(x,w)\nb = MatMul(a,w)\noutput b\n",
         "basic");
    /* the table is there whole, though three rows are read */
    assert_true(mem.weight_bytes == 4.0 * (100 * 16 + 16 * 16));
}

static void element_wise_results_take_their_input_over(void **state)
{
    (void)state;
    plan("input x 4,16\nweight w 16,16\na = MatMul(x,w)\nb = Relu(a)\nc = MatMul(b,w)\noutput c\n",
         "none");
    assert_int_equal(slot("b")->in_place_of, pt_id(&t, "a"));
    assert_int_equal(slot("b")->offset_bytes, slot("a")->offset_bytes);
    assert_int_equal(slot("c")->in_place_of, WL_NONE); /* a product reads its input many times */
    /* two of 256 bytes at every step: x and a, then a which becomes b, then b and c */
    assert_true(mem.activation_bytes == 512);
    assert_true(mem.planned_bytes == 512);
    assert_true(mem.unfused_bytes == 512);
    pt_done(&t);
    /* the model's input is the caller's */
    plan("input x 4,16\nb = Relu(x)\noutput b\n", "none");
    assert_int_equal(slot("b")->in_place_of, WL_NONE);
    pt_done(&t);
    /* read later */
    plan("input x 4,16\nweight w 16,16\na = MatMul(x,w)\nb = Relu(a)\nc = Add(a,b)\noutput c\n",
         "none");
    assert_int_equal(slot("b")->in_place_of, WL_NONE);
    assert_true(slot("c")->in_place_of == pt_id(&t, "a") ||
                slot("c")->in_place_of == pt_id(&t, "b"));
    pt_done(&t);
    /* broadcast: one element of the input makes many of the result */
    plan("input x 1,16\ninput y 4,16\nweight w 16,16\na = MatMul(x,w)\nb = Add(a,y)\noutput b\n",
         "none");
    assert_int_equal(slot("b")->in_place_of, WL_NONE);
}

static void a_residual_is_summed_in_place(void **state)
{
    (void)state;
    plan("input i 1,8,4,4\nweight w 8,8,1,1\nx = Conv(i,w)\nr = Relu(x)\nc = Conv(r,w)\n"
         "y = Add(c,r)\noutput y\n",
         "basic");
    /* conv+relu, then conv+add: r is read by the product as well as by the sum */
    assert_int_equal(t.p.count, 2);
    assert_int_equal(slot("y")->in_place_of, WL_NONE);
    pt_done(&t);
    plan(
        "input i 1,8,4,4\nweight w 8,8,1,1\nr = Conv(i,w)\np = MaxPool(r) kernel_shape=[1,1]\n"
        "q = Conv(p,w)\nc = MaxPool(q) kernel_shape=[1,1]\nd = Conv(c,w)\ny = Add(d,r)\noutput y\n",
        "basic");
    assert_string_equal(pt_of(&t, "y")->pattern, "conv+add");
    assert_int_equal(slot("y")->in_place_of, pt_id(&t, "r"));
}

static void outputs_live_to_the_end(void **state)
{
    (void)state;
    plan("input x 4,16\nweight w 16,16\na = MatMul(x,w)\nb = MatMul(a,w)\nc = MatMul(b,w)\n"
         "output a\noutput c\n",
         "basic");
    assert_int_equal(slot("a")->last, 2);
    assert_int_equal(slot("x")->first, 0);
    assert_int_equal(slot("x")->last, 0);
    assert_true(mem.activation_bytes == 3 * 256);
}

static void workspace_counts_at_its_step(void **state)
{
    (void)state;
    pt_graph(&t, "input x 4,16\nweight w 16,16\na = MatMul(x,w)\nb = MatMul(a,w)\noutput b\n");
    pt_partition(&t, "basic");
    struct wl_mapping items[2] = {{.workspace_bytes = 10}, {.workspace_bytes = 5000}};
    device.level_count = 3;
    device.levels[0] = (struct wl_level){.capacity_bytes = 6655, .instances = 1};
    device.levels[1] = (struct wl_level){.capacity_bytes = 3328, .instances = 2};
    device.levels[2] = (struct wl_level){.capacity_bytes = 0, .instances = 1};
    plan_with(&t.p, items, &t.tg.arena);
    /* 1024 of weights, two tensors of 256 */
    assert_true(mem.timeline[0].live_bytes == 1024 + 512 + 10);
    assert_true(mem.peak_bytes == 1024 + 512 + 5000);
    assert_int_equal(mem.peak_at, 1);
    assert_true(mem.workspace_bytes == 5000);
    assert_true(mem.fits[0]); /* 6536 */
    assert_true(mem.fits[1]);
    assert_true(mem.fits[2]);
    device.levels[0].capacity_bytes = 6535;
    plan_with(&t.p, items, &t.tg.arena);
    assert_false(mem.fits[0]);
    device.level_count = 0;
}

static void a_cache_grows_in_place(void **state)
{
    (void)state;
    pt_graph(&t, "input past 1,4,7,16\ninput new 1,4,1,16\npresent = Concat(past,new) axis=2\n"
                 "y = Relu(present)\noutput present\noutput y\n");
    t.tg.g.tensors[pt_id(&t, "past")].flags |= WL_TENSOR_IS_KV;
    t.tg.g.tensors[pt_id(&t, "present")].flags |= WL_TENSOR_IS_KV;
    pt_partition(&t, "none");
    plan_with(&t.p, NULL, &t.tg.arena);
    assert_true(mem.kv_bytes == 4.0 * 4 * 8 * 16); /* eight positions, once */
    for (int32_t i = 0; i < mem.slot_count; i++) {
        assert_true(mem.slots[i].tensor != pt_id(&t, "past"));
    }
    assert_true(mem.peak_bytes == mem.kv_bytes + mem.activation_bytes);
}

static void fusion_saves_memory(void **state)
{
    (void)state;
    /* conv writes 8 x its input; unfused both its result and the pooled one's input exist */
    static const char graph[] = "input x 1,2,8,8\nweight w 16,2,1,1\nweight v 2,16,1,1\n"
                                "c = Conv(x,w)\nm = MaxPool(c) kernel_shape=[1,1]\ns = Sigmoid(m)\n"
                                "g = Mul(m,s)\ny = Conv(g,v)\noutput y\n";
    plan(graph, "basic");
    /* m and s and g of 4096 bytes at the product, where nothing is fused or in place */
    assert_true(mem.unfused_bytes == 3 * 4096);
    assert_true(mem.activation_bytes == 2 * 4096);
    pt_done(&t);
    plan(graph, "none");
    assert_true(mem.activation_bytes == 2 * 4096); /* m, s; the product takes one of them over */
}

/* ---- invariants --------------------------------------------------------------------------------
 */

static const struct wl_memory_slot *find_slot(int32_t tensor)
{
    for (int32_t i = 0; i < mem.slot_count; i++) {
        if (mem.slots[i].tensor == tensor) {
            return &mem.slots[i];
        }
    }
    return NULL;
}

static int by_first(const void *a, const void *b)
{
    const struct wl_memory_slot *x = a;
    const struct wl_memory_slot *y = b;
    return x->first != y->first ? x->first - y->first : x->tensor - y->tensor;
}

static void check_plan(const char *name)
{
    struct wl_memory_slot *sorted =
        malloc(sizeof(*sorted) * (size_t)(mem.slot_count > 0 ? mem.slot_count : 1));
    assert_non_null(sorted);
    memcpy(sorted, mem.slots, sizeof(*sorted) * (size_t)mem.slot_count);
    qsort(sorted, (size_t)mem.slot_count, sizeof(*sorted), by_first);
    for (int32_t i = 0; i < mem.slot_count; i++) {
        const struct wl_memory_slot *a = &sorted[i];
        assert_true(a->offset_bytes >= 0 && a->first <= a->last);
        assert_true((double)(a->offset_bytes + a->size_bytes) <= mem.planned_bytes);
        for (int32_t k = i + 1; k < mem.slot_count && sorted[k].first <= a->last; k++) {
            const struct wl_memory_slot *b = &sorted[k];
            bool apart = a->offset_bytes + a->size_bytes <= b->offset_bytes ||
                         b->offset_bytes + b->size_bytes <= a->offset_bytes;
            bool handed = b->in_place_of == a->tensor && b->first == a->last;
            if (!apart && !handed && a->size_bytes > 0 && b->size_bytes > 0) {
                fail_msg("%s: tensors %d and %d overlap", name, a->tensor, b->tensor);
            }
        }
        if (a->in_place_of != WL_NONE) {
            const struct wl_memory_slot *from = find_slot(a->in_place_of);
            assert_true(from->offset_bytes == a->offset_bytes && from->last == a->first);
        }
    }
    free(sorted);
    double peak = mem.weight_bytes + mem.kv_bytes;
    for (int32_t i = 0; i < mem.step_count; i++) {
        peak = mem.timeline[i].live_bytes > peak ? mem.timeline[i].live_bytes : peak;
    }
    assert_true(mem.peak_bytes == peak);
    assert_true(mem.peak_bytes ==
                mem.weight_bytes + mem.kv_bytes + mem.activation_bytes + mem.workspace_bytes);
    assert_true(mem.planned_bytes >= mem.lower_bound_bytes);
}

/* Random element-wise, product and copying nodes over a handful of recent tensors. */
static void random_graphs(void **state)
{
    (void)state;
    uint32_t seed = 7;
    for (int round = 0; round < 40; round++) {
        char text[8192] = "input t0 4,16\nweight w 16,16\nweight u 16,64\nweight d 64,16\n";
        char line[128];
        for (int i = 1; i < 60; i++) {
            seed = seed * 1664525u + 1013904223u;
            int near = (int)(seed >> 16) % 6 + 1;
            int from = i > near ? i - near : 0;
            int what = (int)(seed >> 8) % 4;
            if (what == 0) {
                (void)snprintf(line, sizeof(line), "t%d = Relu(t%d)\n", i, from);
            } else if (what == 1) {
                (void)snprintf(line, sizeof(line), "t%d = MatMul(t%d,w)\n", i, from);
            } else if (what == 2) {
                (void)snprintf(line, sizeof(line), "t%d = Add(t%d,t%d)\n", i, from, i - 1);
            } else {
                (void)snprintf(line, sizeof(line), "h%d = MatMul(t%d,u)\nt%d = MatMul(h%d,d)\n", i,
                               from, i, i);
            }
            strncat(text, line, sizeof(text) - strlen(text) - 1);
        }
        strncat(text, "output t59\noutput t30\n", sizeof(text) - strlen(text) - 1);
        static const char *const fusions[] = {"none", "basic", "aggressive"};
        plan(text, fusions[round % 3]);
        check_plan("random");
        pt_done(&t);
    }
    pt_graph(&t, "input x 1\n");
}

static void every_network(void **state)
{
    (void)state;
    static const char *const fusions[] = {"none", "basic", "onnxruntime", "aggressive"};
    struct wl_arena arena;
    struct wl_zoo zoo;
    wl_arena_init(&arena, 0);
    assert_int_equal(wl_zoo_load(&arena, MODELS, &zoo, NULL), WL_OK);
    for (int32_t i = 0; i < zoo.count; i++) {
        const struct wl_zoo_entry *e = &zoo.entries[i];
        struct wl_frontend_options o = {.default_dims = e->dims, .default_dim_count = e->dim_count};
        struct wl_model m;
        double weights = -1;
        assert_int_equal(wl_model_load(e->path, &o, &m, NULL), WL_OK);
        assert_int_equal(wl_ops_count(&m.graph, NULL), WL_OK);
        for (size_t k = 0; k < WL_ARRAY_LEN(fusions); k++) {
            struct wl_partition p;
            struct wl_partition_options po = {.fusion = fusions[k]};
            assert_int_equal(wl_partition_run(&m.graph, &po, &m.arena, &p, NULL), WL_OK);
            plan_with(&p, NULL, &m.arena);
            check_plan(e->name);
            if (mem.planned_bytes > 1.05 * mem.lower_bound_bytes) {
                fail_msg("%s, %s: plan is %.3f of the bound", e->name, fusions[k],
                         mem.planned_bytes / mem.lower_bound_bytes);
            }
            assert_true(weights < 0 || mem.weight_bytes == weights); /* whatever is fused */
            weights = mem.weight_bytes;
        }
        wl_model_done(&m);
    }
    wl_arena_done(&arena);
    pt_graph(&t, "input x 1\n");
}

static void resnet18_by_hand(void **state)
{
    (void)state;
    struct wl_model m;
    struct wl_partition p;
    struct wl_frontend_options o = {.batch = 1};
    struct wl_partition_options po = {.fusion = "basic"};
    assert_int_equal(wl_model_load(MODELS "/resnet18.onnx", &o, &m, NULL), WL_OK);
    assert_int_equal(wl_ops_count(&m.graph, NULL), WL_OK);
    assert_int_equal(wl_partition_run(&m.graph, &po, &m.arena, &p, NULL), WL_OK);
    plan_with(&p, NULL, &m.arena);
    /* every parameter once; the first convolution's result is 64 x 112 x 112, pooled to a quarter
     */
    assert_true(mem.weight_bytes == (double)m.parameter_bytes);
    assert_true(mem.activation_bytes == 4.0 * 64 * (112 * 112 + 56 * 56));
    assert_int_equal(mem.peak_at, 1);
    wl_model_done(&m);
    pt_graph(&t, "input x 1\n");
}

#define TEST(f) cmocka_unit_test_teardown(f, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_chain_keeps_two_tensors),
        TEST(a_shared_weight_lies_in_memory_once),
        TEST(element_wise_results_take_their_input_over),
        TEST(a_residual_is_summed_in_place),
        TEST(outputs_live_to_the_end),
        TEST(workspace_counts_at_its_step),
        TEST(a_cache_grows_in_place),
        TEST(fusion_saves_memory),
        TEST(random_graphs),
        TEST(every_network),
        TEST(resnet18_by_hand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
