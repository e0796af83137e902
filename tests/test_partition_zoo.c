/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every network of the zoo under every fusion profile: the invariants hold, MACs do not change, a
 * fused group moves no more bytes than its nodes did; and the facts that people know of well-known
 * networks. Then every operator model of the conformance corpus.
 */
#include "partition.h"
#include "wl_test.h"
#include "zoo.h"

#define MODELS WL_SOURCE_DIR "/models"
#define CORPUS WL_SHARED_DIR "/conformance"

static struct wl_arena arena;
static struct wl_zoo zoo;

static int setup(void **state)
{
    (void)state;
    wl_arena_init(&arena, 0);
    return wl_zoo_load(&arena, MODELS, &zoo, NULL) == WL_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    wl_arena_done(&arena);
    return 0;
}

static void load(const struct wl_zoo_entry *e, struct wl_model *m)
{
    struct wl_error err;
    struct wl_frontend_options o = {.default_dims = e->dims, .default_dim_count = e->dim_count};
    if (wl_model_load(e->path, &o, m, &err) != WL_OK || wl_ops_count(&m->graph, &err) != WL_OK) {
        fail_msg("%s: %s: %s", e->name, err.where, err.message);
    }
}

static struct wl_partition partition(struct wl_model *m, const char *name, const char *fusion)
{
    struct wl_error err;
    struct wl_partition p;
    struct wl_partition_options o = {.fusion = fusion};
    if (wl_partition_run(&m->graph, &o, &m->arena, &p, &err) != WL_OK ||
        wl_partition_verify(&p, &err) != WL_OK) {
        fail_msg("%s, %s: %s: %s", name, fusion, err.where, err.message);
    }
    return p;
}

static double bytes(const struct wl_graph *g, const struct wl_operand *list, int32_t count)
{
    double sum = 0;
    for (int32_t i = 0; i < count; i++) {
        sum += (double)list[i].elems * wl_dtype_bits(g->tensors[list[i].tensor].dtype) / 8;
    }
    return sum;
}

static double traffic(const struct wl_graph *g, const struct wl_subgraph *s)
{
    return bytes(g, s->inputs, s->input_count) + bytes(g, s->outputs, s->output_count) +
           bytes(g, s->weights, s->weight_count);
}

/* `single` has one subgraph per executed node. */
static void compare_with_single(const struct wl_partition *p, const struct wl_partition *single,
                                const char *name)
{
    assert_true(p->macs == single->macs);
    assert_true(p->count <= single->count);
    for (int32_t i = 0; i < p->count; i++) {
        const struct wl_subgraph *s = &p->subgraphs[i];
        double apart = 0;
        for (int32_t k = 0; k < s->node_count; k++) {
            int32_t alone = single->subgraph_of[s->nodes[k]];
            apart += alone == WL_NONE ? 0 : traffic(p->graph, &single->subgraphs[alone]);
        }
        if (traffic(p->graph, s) > apart) {
            fail_msg("%s, %s: %s moves more bytes than its nodes", name, p->fusion, s->name);
        }
    }
}

static void every_network_under_every_profile(void **state)
{
    (void)state;
    int32_t profiles;
    const char *const *names = wl_partition_profiles(&profiles);
    assert_true(zoo.count > 40);
    for (int32_t i = 0; i < zoo.count; i++) {
        struct wl_model m;
        load(&zoo.entries[i], &m);
        struct wl_partition single = partition(&m, zoo.entries[i].name, "none");
        for (int32_t k = 0; k < profiles; k++) {
            struct wl_partition p = partition(&m, zoo.entries[i].name, names[k]);
            compare_with_single(&p, &single, zoo.entries[i].name);
        }
        wl_model_done(&m);
    }
}

/* ---- what people know -------------------------------------------------------------------------
 */

static struct wl_model model;

static struct wl_partition split(const char *name, const char *fusion)
{
    const struct wl_zoo_entry *e = wl_zoo_find(&zoo, name);
    assert_non_null(e);
    load(e, &model);
    return partition(&model, name, fusion);
}

static int32_t count_prefix(const struct wl_partition *p, const char *prefix)
{
    int32_t count = 0;
    for (int32_t i = 0; i < p->count; i++) {
        count += strncmp(p->subgraphs[i].pattern, prefix, strlen(prefix)) == 0;
    }
    return count;
}

static int32_t count_pattern(const struct wl_partition *p, const char *pattern)
{
    int32_t count = 0;
    for (int32_t i = 0; i < p->count; i++) {
        count += strcmp(p->subgraphs[i].pattern, pattern) == 0;
    }
    return count;
}

static void resnet18_has_20_fused_convolutions(void **state)
{
    (void)state;
    struct wl_partition p = split("resnet18", "basic");
    assert_int_equal(count_prefix(&p, "conv"), 20);
    assert_int_equal(count_pattern(&p, "conv+add+relu"), 8); /* second of each block */
    assert_int_equal(count_pattern(&p, "conv"), 3);          /* the downsamples */
    assert_int_equal(p.count, 20 + 3);                       /* two poolings and the classifier */
    assert_int_equal(p.max_width, 2);
    assert_true(p.macs == 1814073344);
    int32_t downsamples = 0;
    for (int32_t i = 0; i < p.count; i++) {
        const struct wl_subgraph *s = &p.subgraphs[i];
        const struct wl_window *w = s->product_count > 0 ? s->products[0].window : NULL;
        if (w != NULL && w->kernel[0] == 1) {
            downsamples++;
            assert_int_equal(w->kernel[1], 1);
            assert_int_equal(w->stride[0], 2);
            assert_string_equal(s->pattern, "conv");
        } else if (strcmp(s->pattern, "conv+add+relu") == 0) {
            assert_non_null(strstr(s->name, "conv2"));
        }
    }
    assert_int_equal(downsamples, 3);
    wl_model_done(&model);
    p = split("resnet18_bn", "basic"); /* the same with its normalisations in the file */
    assert_int_equal(count_prefix(&p, "conv+bn"), 20);
    assert_int_equal(p.count, 23);
    wl_model_done(&model);
    p = split("resnet18_bn", "pytorch-eager"); /* where each is a kernel */
    assert_int_equal(count_pattern(&p, "bn"), 20);
    wl_model_done(&model);
}

static void branches_show_as_width(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int32_t at_least, at_most;
    } rows[] = {{"googlenet", 4, 8}, {"inception_v3", 4, 8}, {"resnet50", 2, 2}, {"vgg16", 1, 1}};
    for (size_t i = 0; i < WL_ARRAY_LEN(rows); i++) {
        struct wl_partition p = split(rows[i].name, "basic");
        assert_in_range(p.max_width, rows[i].at_least, rows[i].at_most);
        wl_model_done(&model);
    }
}

static void transformers_have_one_attention_per_layer(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int32_t layers;
    } rows[] = {{"bert_base", 12},
                {"gpt2_decode", 12},
                {"vit_b_16", 12},
                {"swin_t", 12},
                {"llama_1b_decode", 16}};
    for (size_t i = 0; i < WL_ARRAY_LEN(rows); i++) {
        struct wl_partition p = split(rows[i].name, "aggressive");
        assert_int_equal(count_pattern(&p, "attention"), rows[i].layers);
        wl_model_done(&model);
    }
    struct wl_partition p = split("llama_1b_decode", "basic");
    assert_int_equal(count_pattern(&p, "rmsnorm"), 2 * 16 + 1);
    assert_int_equal(count_pattern(&p, "matmul+silu+mul"), 16);
    wl_model_done(&model);
}

static void quantised_networks_compute_in_int8(void **state)
{
    (void)state;
    struct wl_partition p = split("resnet18_int8", "basic");
    int32_t quantized = 0;
    for (int32_t i = 0; i < p.count; i++) {
        quantized += p.subgraphs[i].quantized;
    }
    assert_int_equal(quantized, 21); /* 20 convolutions and the classifier */
    int64_t macs = p.macs;
    wl_model_done(&model);
    p = split("resnet18_int8", "onnxruntime");
    for (int32_t i = quantized = 0; i < p.count; i++) {
        quantized += p.subgraphs[i].quantized;
    }
    assert_int_equal(quantized, 8); /* the second of each block: others have an activation behind */
    assert_int_equal(p.macs, macs);
    wl_model_done(&model);
}

/* ---- conformance corpus ------------------------------------------------------------------------
 */

static void every_operator_model(void **state)
{
    (void)state;
    char **names;
    int32_t count;
    int32_t done = 0;
    static const char *const fusions[] = {"none", "basic", "aggressive", "onnxruntime"};
    if (wl_dir_list(&arena, CORPUS, &names, &count, NULL) != WL_OK) {
        skip();
    }
    for (int32_t i = 0; i < count; i++) {
        struct wl_model m;
        struct wl_frontend_options o = {0};
        const char *path = wl_arena_printf(&arena, "%s/%s", CORPUS, names[i]);
        if (strstr(names[i], ".onnx") == NULL || wl_model_load(path, &o, &m, NULL) != WL_OK) {
            continue;
        }
        assert_int_equal(wl_ops_count(&m.graph, NULL), WL_OK);
        for (size_t k = 0; k < WL_ARRAY_LEN(fusions); k++) {
            (void)partition(&m, names[i], fusions[k]);
        }
        done++;
        wl_model_done(&m);
    }
    assert_true(done > 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_network_under_every_profile),
        cmocka_unit_test(resnet18_has_20_fused_convolutions),
        cmocka_unit_test(branches_show_as_width),
        cmocka_unit_test(transformers_have_one_attention_per_layer),
        cmocka_unit_test(quantised_networks_compute_in_int8),
        cmocka_unit_test(every_operator_model),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
