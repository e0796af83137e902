/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The zoo's index and files: every row has a file and every file a row, files are small and tell
 * nothing of where they were exported; parameters and MACs at the default dims equal figures from
 * elsewhere (sources at each table); bad indexes are refused with their reason.
 */
#include <inttypes.h>

#include "wl_test.h"
#include "zoo.h"

#define MODELS WL_SOURCE_DIR "/models"
#define FILES_BYTES_MAX 15000000

struct figure {
    const char *name;
    int64_t value;
};

/*
 * MACs of one image or clip. Source: multiply-accumulates counted by forward hooks on torchvision
 * 0.14's modules (convolution, linear, matrix products of attention), inputs as in models.json.
 */
static const struct figure macs_torchvision[] = {
    {"alexnet", 714188480},
    {"convnext_tiny", 4455531264},
    {"deeplabv3_resnet50", 31310548992},
    {"densenet121", 2834161664},
    {"efficientnet_b0", 385814752},
    {"efficientnet_b4", 1503710432},
    {"efficientnet_v2_s", 2849895872},
    {"fcn_resnet50", 26484498432},
    {"googlenet", 1498376192},
    {"inception_v3", 5713216096},
    {"lraspp_mobilenet_v3_large", 379281312},
    {"mnasnet1_0", 314415872},
    {"mobilenet_v2", 300774272},
    {"mobilenet_v3_large", 216589760},
    {"mobilenet_v3_small", 56510400},
    {"r3d_18", 40696553472},
    {"regnet_x_400mf", 413812608},
    {"regnet_y_8gf", 8473070592},
    {"resnet101", 7801405440},
    {"resnet152", 11513626624},
    {"resnet18", 1814073344},
    {"resnet34", 3663761408},
    {"resnet50", 4089184256},
    {"resnext50_32x4d", 4230479872},
    {"shufflenet_v2_x1_0", 144907992},
    {"squeezenet1_0", 818924576},
    {"squeezenet1_1", 349151936},
    {"swin_t", 4490566656},
    {"vgg11", 7609090048},
    {"vgg16", 15470264320},
    {"vgg19", 19632062464},
    {"vit_b_16", 17563828224},
    {"vit_b_32", 4409186304},
    {"vit_l_16", 61554712576},
    {"wide_resnet50_2", 11398021120},
};

/*
 * MACs by hand, at the default dims. W width, L layers, T positions, P cached, V vocabulary.
 * BERT and GPT-2: L (12 W^2 T + 2 T (P + T) W), plus pooler W^2 or output T W V.
 * Llama: L ((2 W^2 + 2 W W kv / heads + 3 W H) T + 2 T (P + T) W) + T W V.
 */
static const struct figure macs_by_hand[] = {
    {"bert_base", 12 * (12 * INT64_C(768) * 768 * 128 + 2 * 128 * 128 * 768) + 768 * 768},
    {"distilbert", 6 * (12 * INT64_C(768) * 768 * 128 + 2 * 128 * 128 * 768)},
    {"gpt2",
     12 * (12 * INT64_C(768) * 768 * 128 + 2 * 128 * 128 * 768) + INT64_C(128) * 768 * 50257},
    {"gpt2_decode", 12 * (12 * INT64_C(768) * 768 + 2 * 1001 * 768) + 768 * 50257},
    {"llama_1b_decode",
     16 * (INT64_C(2048) * (2 * 2048 + 2 * 512 + 3 * 8192) + 2 * 1025 * 2048) + 2048 * 128256},
    {"llama_8b_decode", 32 * (INT64_C(4096) * (2 * 4096 + 2 * 1024 + 3 * 14336) + 2 * 1025 * 4096) +
                            INT64_C(4096) * 128256},
    /* two layers of 4 gates x 650 x (650 + 650), and the output, 35 times */
    {"lstm_lm", 35 * (2 * 4 * 650 * 1300 + 650 * INT64_C(10000))},
    /* Howard et al. 2017, table 8: 569 and 149 million */
    {"mobilenet_v1_1_0", 568740352},
    {"mobilenet_v1_0_5", 149497088},
    /* q, k, v, o; gate, up, down; scores over 1,025 positions, twice; output */
    {"qwen3_8b_decode", 36 * (INT64_C(4096) * (2 * 4096 + 2 * 1024 + 3 * 12288) + 2 * 1025 * 4096) +
                            INT64_C(4096) * 151936},
    /* cell 512 x 256 and output 256 x 1000, 32 times */
    {"greedy_decoder", 32 * (512 * 256 + 256 * INT64_C(1000))},
};

/* Published numbers of parameters, of the checkpoints' own descriptions; see each remark. */
static const struct figure parameters[] = {
    {"bert_base", 109482240},       /* bert-base-uncased without the language-model head */
    {"distilbert", 66362880},       /* distilbert-base-uncased */
    {"gpt2", 124439808},            /* gpt2 */
    {"clip_vit_b_32", 151277312},   /* clip-vit-base-patch32, less its temperature */
    {"t5_small_encoder", 35330816}, /* t5-small, encoder and embedding */
    {"qwen3_8b_decode", INT64_C(8190735360) + 2 * 40960 * 64},   /* and tables of the rotary */
    {"qwen3_14b_decode", INT64_C(14768307200) + 2 * 40960 * 64}, /* embedding */
    {"llama_1b", 1235814400 + 32},                 /* Llama 3.2 1B; 32 rotary frequencies */
    {"llama_8b_decode", INT64_C(8030261248) + 64}, /* Llama 3 8B; 64 rotary frequencies */
    {"vgg16", 138357544},                          /* torchvision; no normalisation that folds */
    {"vit_b_16", 86567656},
    {"convnext_tiny", 28589128},
    {"alexnet", 61100840},
};

static struct wl_arena arena;
static struct wl_zoo zoo;

static int setup(void **state)
{
    (void)state;
    wl_arena_init(&arena, 0);
    return wl_zoo_load(&arena, MODELS, &zoo, NULL) == WL_OK ? 0 : 1;
}

static int teardown(void **state)
{
    (void)state;
    wl_arena_done(&arena);
    return 0;
}

/* ---- the committed files --------------------------------------------------------------------- */

static void test_rows_and_files(void **state)
{
    char **names;
    int32_t count;
    int32_t files = 0;
    int64_t bytes = 0;
    (void)state;
    assert_true(zoo.count >= 45);
    assert_int_equal(wl_dir_list(&arena, MODELS, &names, &count, NULL), WL_OK);
    for (int32_t i = 0; i < count; i++) {
        size_t len = strlen(names[i]);
        if (len < 5 || strcmp(names[i] + len - 5, ".onnx") != 0) {
            continue;
        }
        files++;
        char *name = wl_arena_strndup(&arena, names[i], len - 5);
        const struct wl_zoo_entry *e = wl_zoo_find(&zoo, name);
        struct wl_file f;
        assert_non_null(e);
        assert_int_equal(wl_file_open(e->path, &f, NULL), WL_OK);
        bytes += (int64_t)f.bytes;
        assert_null(memmem(f.data, f.bytes, ".py", 3)); /* a stack trace of the exporter */
        wl_file_close(&f);
    }
    assert_int_equal(files, zoo.count);
    assert_true(bytes < FILES_BYTES_MAX);
}

static void test_rows_are_complete(void **state)
{
    (void)state;
    for (int32_t i = 0; i < zoo.count; i++) {
        const struct wl_zoo_entry *e = &zoo.entries[i];
        assert_true(e->task[0] != '\0' && e->description[0] != '\0' && e->source[0] != '\0');
        assert_true(e->input[0] != '\0');
        assert_true(i == 0 || strcmp(zoo.entries[i - 1].name, e->name) < 0);
    }
}

/* Parameters, and MACs at the default dims; `batch` 0: the default. */
static void count(const char *name, int64_t batch, int64_t *out_parameters, int64_t *out_macs)
{
    struct wl_model m;
    struct wl_error err = {0};
    const struct wl_zoo_entry *e = wl_zoo_find(&zoo, name);
    assert_non_null(e);
    struct wl_frontend_options opt = {
        .batch = batch, .default_dims = e->dims, .default_dim_count = e->dim_count};
    if (wl_model_load(e->path, &opt, &m, &err) != WL_OK) {
        fail_msg("%s: %s: %s", name, err.where, err.message);
    }
    assert_int_equal(wl_ops_count(&m.graph, &err), WL_OK);
    struct wl_graph *g = &m.graph;
    struct wl_dim macs = wl_dim_known(0);
    for (int32_t i = 0; i < g->node_count; i++) {
        macs =
            wl_dim_add(&g->dims, macs, wl_dim_mul(&g->dims, g->work[i].macs, g->nodes[i].repeat));
    }
    *out_parameters = m.parameters;
    *out_macs = wl_dim_is_known(macs) ? macs.value : -1;
    wl_model_done(&m);
}

/* All of these networks do the same for every element of the batch. */
static void check_macs(const struct figure *figures, size_t figure_count, int64_t batch)
{
    for (size_t i = 0; i < figure_count; i++) {
        int64_t stored;
        int64_t macs;
        count(figures[i].name, batch, &stored, &macs);
        if (macs != batch * figures[i].value) {
            fail_msg("%s batch %" PRId64 ": %" PRId64 " MACs, not %" PRId64, figures[i].name, batch,
                     macs, batch * figures[i].value);
        }
    }
}

static void test_macs_torchvision(void **state)
{
    (void)state;
    check_macs(macs_torchvision, WL_ARRAY_LEN(macs_torchvision), 1);
    check_macs(macs_torchvision, WL_ARRAY_LEN(macs_torchvision), 8);
}

static void test_macs_by_hand(void **state)
{
    (void)state;
    check_macs(macs_by_hand, WL_ARRAY_LEN(macs_by_hand), 1);
    check_macs(macs_by_hand, WL_ARRAY_LEN(macs_by_hand), 8);
}

static void test_parameters(void **state)
{
    (void)state;
    for (size_t i = 0; i < WL_ARRAY_LEN(parameters); i++) {
        int64_t stored;
        int64_t macs;
        count(parameters[i].name, 0, &stored, &macs);
        if (stored != parameters[i].value) {
            fail_msg("%s: %" PRId64 " parameters, not %" PRId64, parameters[i].name, stored,
                     parameters[i].value);
        }
    }
}

/* Forms of one network agree in what does not depend on the form. */
static void test_forms_agree(void **state)
{
    static const char *const pairs[][2] = {
        {"resnet18", "resnet18_bn"},           {"resnet18", "resnet18_int8"},
        {"resnet50", "resnet50_int8"},         {"mobilenet_v2", "mobilenet_v2_bn"},
        {"mobilenet_v2", "mobilenet_v2_int8"}, {"llama_1b_decode", "llama_1b_decode_w4"}};
    (void)state;
    for (size_t i = 0; i < WL_ARRAY_LEN(pairs); i++) {
        int64_t stored;
        int64_t a;
        int64_t b;
        count(pairs[i][0], 0, &stored, &a);
        count(pairs[i][1], 0, &stored, &b);
        assert_true(a > 0);
        assert_int_equal(a, b);
    }
}

/* ---- other indexes --------------------------------------------------------------------------- */

/* Loads a folder whose models.json is `text` (NULL: none). */
static wl_status load_text(const char *text, struct wl_zoo *out, struct wl_error *err)
{
    char dir[] = "/tmp/wattline-zoo-XXXXXX";
    char path[64];
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/%s", dir, text == NULL ? "a.onnx" : "models.json");
    const char *bytes = text == NULL ? "" : text;
    assert_int_equal(wl_file_write(path, bytes, strlen(bytes), NULL), WL_OK);
    wl_status status = wl_zoo_load(&arena, dir, out, err);
    (void)remove(path);
    (void)remove(dir);
    return status;
}

static void test_small_index(void **state)
{
    struct wl_zoo z;
    (void)state;
    assert_int_equal(load_text("{\"models\": [{\"name\": \"b\", \"file\": \"b.onnx\"}, {\"name\": "
                               "\"a\", \"file\": \"x.onnx\", \"dims\": {\"N\": 3, \"T\": 0}}]}",
                               &z, NULL),
                     WL_OK);
    assert_int_equal(z.count, 2);
    assert_string_equal(z.entries[0].name, "a");
    assert_int_equal(z.entries[0].dim_count, 2);
    assert_string_equal(z.entries[0].dims[0].name, "N");
    assert_int_equal(z.entries[0].dims[0].value, 3);
    assert_string_equal(z.entries[1].task, "");
    assert_null(wl_zoo_find(&z, "c"));
    assert_non_null(strstr(wl_zoo_find(&z, "a")->path, "/x.onnx"));
}

static void test_folder_without_index(void **state)
{
    struct wl_zoo z;
    (void)state;
    assert_int_equal(load_text(NULL, &z, NULL), WL_OK);
    assert_int_equal(z.count, 1);
    assert_string_equal(z.entries[0].name, "a");
    assert_int_equal(z.entries[0].dim_count, 0);
}

static void test_bad_indexes(void **state)
{
    static const struct {
        const char *text;
        wl_status status;
        const char *says;
    } cases[] = {
        {"", WL_ERR_PARSE, "JSON"},
        {"not json", WL_ERR_PARSE, "JSON"},
        {"{\"models\": [", WL_ERR_PARSE, "JSON"},
        {"[]", WL_ERR_INVALID, "models"},
        {"{\"models\": 3}", WL_ERR_INVALID, "models"},
        {"{\"models\": [7]}", WL_ERR_INVALID, "name"},
        {"{\"models\": [{\"name\": \"a\"}]}", WL_ERR_INVALID, "file"},
        {"{\"models\": [{\"name\": 1, \"file\": \"a.onnx\"}]}", WL_ERR_INVALID, "name"},
        {"{\"models\": [{\"name\": \"a\", \"file\": \"../a.onnx\"}]}", WL_ERR_INVALID, "file"},
        {"{\"models\": [{\"name\": \"a\", \"file\": \"/a.onnx\"}]}", WL_ERR_INVALID, "file"},
        {"{\"models\": [{\"name\": \"a\", \"file\": \"a\", \"dims\": []}]}", WL_ERR_INVALID,
         "dims"},
        {"{\"models\": [{\"name\": \"a\", \"file\": \"a\", \"dims\": {\"N\": -1}}]}",
         WL_ERR_INVALID, "dims"},
        {"{\"models\": [{\"name\": \"a\", \"file\": \"a\", \"dims\": {\"N\": 1.5}}]}",
         WL_ERR_INVALID, "dims"},
        {"{\"models\": [{\"name\": \"a\", \"file\": \"a\"}, {\"name\": \"a\", \"file\": \"b\"}]}",
         WL_ERR_INVALID, "two models"},
    };
    (void)state;
    for (size_t i = 0; i < WL_ARRAY_LEN(cases); i++) {
        struct wl_zoo z;
        struct wl_error err = {0};
        assert_int_equal(load_text(cases[i].text, &z, &err), cases[i].status);
        assert_non_null(strstr(err.message, cases[i].says));
        assert_non_null(strstr(err.where, "models.json"));
    }
}

static void test_absent_folder(void **state)
{
    struct wl_zoo z;
    struct wl_error err = {0};
    (void)state;
    assert_int_equal(wl_zoo_load(&arena, "/nonexistent/zoo", &z, &err), WL_ERR_IO);
    assert_true(err.message[0] != '\0');
}

static void test_nearest(void **state)
{
    char near[160];
    (void)state;
    wl_zoo_nearest(&zoo, "resnet19", near, sizeof(near));
    assert_non_null(strstr(near, "resnet18"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_and_files),   cmocka_unit_test(test_rows_are_complete),
        cmocka_unit_test(test_macs_torchvision), cmocka_unit_test(test_macs_by_hand),
        cmocka_unit_test(test_parameters),       cmocka_unit_test(test_forms_agree),
        cmocka_unit_test(test_small_index),      cmocka_unit_test(test_folder_without_index),
        cmocka_unit_test(test_bad_indexes),      cmocka_unit_test(test_absent_folder),
        cmocka_unit_test(test_nearest),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
