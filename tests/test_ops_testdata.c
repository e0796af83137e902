/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ONNX 1.12's test models (Debian's libonnx-testdata): the declared shapes of the outputs are
 * dropped, small inputs of test_data_set_0 become constants, and every tensor output that was
 * declared with a static shape must come out with its exact type and shape, or unknown: none wrong,
 * at least 97 % exact. Skips where the package is absent.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "frontend.h"
#include "onnx.pb-c.h"

#define CORPUS "/usr/include/onnx/backend/test/data"
#define CONSTANT_MAX 64 /* elements of an input that becomes a constant */
#define OUTPUTS_MAX 64

struct score {
    int32_t models, outputs, exact, unknown, wrong;
};

struct wanted {
    char name[128];
    int32_t dtype, rank;
    int64_t dims[WL_RANK_MAX];
};

/* Remembers the declared static shapes of tensor outputs, and drops all of them. */
static int32_t take_outputs(Onnx__GraphProto *g, struct wanted *out)
{
    int32_t count = 0;
    for (size_t i = 0; i < g->n_output; i++) {
        Onnx__TypeProto *type = g->output[i]->type;
        if (type == NULL || type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE) {
            continue;
        }
        Onnx__TensorShapeProto *shape = type->tensor_type->shape;
        bool known = shape != NULL && shape->n_dim <= WL_RANK_MAX && count < OUTPUTS_MAX;
        for (size_t k = 0; known && k < shape->n_dim; k++) {
            known =
                shape->dim[k]->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        }
        if (known) {
            struct wanted *w = &out[count++];
            (void)snprintf(w->name, sizeof(w->name), "%s", g->output[i]->name);
            w->dtype = type->tensor_type->elem_type;
            w->rank = (int32_t)shape->n_dim;
            for (size_t k = 0; k < shape->n_dim; k++) {
                w->dims[k] = shape->dim[k]->dim_value;
            }
        }
        if (shape != NULL) {
            onnx__tensor_shape_proto__free_unpacked(shape, NULL);
            type->tensor_type->shape = NULL;
        }
    }
    return count;
}

static bool is_initializer(const Onnx__GraphProto *g, const char *name)
{
    for (size_t i = 0; i < g->n_initializer; i++) {
        if (strcmp(g->initializer[i]->name, name) == 0) {
            return true;
        }
    }
    return false;
}

static Onnx__TensorProto *read_tensor(const char *path)
{
    struct wl_file f;
    if (wl_file_open(path, &f, NULL) != WL_OK) {
        return NULL;
    }
    Onnx__TensorProto *t = onnx__tensor_proto__unpack(NULL, f.bytes, f.data);
    wl_file_close(&f);
    return t;
}

static bool is_small(const Onnx__TensorProto *t)
{
    int64_t n = 1;
    for (size_t i = 0; i < t->n_dims; i++) {
        n *= t->dims[i];
    }
    return n >= 0 && n <= CONSTANT_MAX;
}

/* input_<i>.pb of test_data_set_0 belongs to the i-th input that is no initializer. */
static void add_constants(Onnx__GraphProto *g, const char *folder)
{
    int index = 0;
    size_t before = g->n_initializer;
    Onnx__TensorProto **all = calloc(before + g->n_input + 1, sizeof(*all));
    if (before > 0) {
        memcpy(all, g->initializer, before * sizeof(*all));
    }
    size_t count = before;
    for (size_t i = 0; i < g->n_input; i++) {
        char path[1024];
        Onnx__TypeProto *type = g->input[i]->type;
        if (is_initializer(g, g->input[i]->name)) {
            continue;
        }
        (void)snprintf(path, sizeof(path), "%.600s/test_data_set_0/input_%d.pb", folder, index++);
        bool tensor = type != NULL && type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
        Onnx__TensorProto *t = tensor ? read_tensor(path) : NULL;
        /* One fixture stores BFLOAT16 as UINT16: the declared type holds. */
        if (t != NULL && is_small(t)) {
            free(t->name);
            t->name = strdup(g->input[i]->name);
            all[count++] = t;
        } else if (t != NULL) {
            onnx__tensor_proto__free_unpacked(t, NULL);
        }
    }
    free(g->initializer);
    g->initializer = all;
    g->n_initializer = count;
}

/* The model of a folder, rewritten; NULL when it cannot be read. free() the bytes. */
static uint8_t *prepare(const char *folder, size_t *bytes, struct wanted *want, int32_t *count)
{
    char path[1024];
    struct wl_file f;
    (void)snprintf(path, sizeof(path), "%.600s/model.onnx", folder);
    if (wl_file_open(path, &f, NULL) != WL_OK) {
        return NULL;
    }
    Onnx__ModelProto *m = onnx__model_proto__unpack(NULL, f.bytes, f.data);
    wl_file_close(&f);
    if (m == NULL || m->graph == NULL) {
        return NULL;
    }
    *count = take_outputs(m->graph, want);
    add_constants(m->graph, folder);
    *bytes = onnx__model_proto__get_packed_size(m);
    uint8_t *packed = malloc(*bytes);
    (void)onnx__model_proto__pack(m, packed);
    onnx__model_proto__free_unpacked(m, NULL);
    return packed;
}

static const struct wl_tensor *find_output(const struct wl_graph *g, const char *name)
{
    int32_t id = wl_strmap_find(&g->names, wl_str(name));
    for (int32_t i = 0; id != WL_NONE && i < g->blocks[0].output_count; i++) {
        const struct wl_tensor *t = &g->tensors[g->blocks[0].outputs[i]];
        if (t->name == id) {
            return t;
        }
    }
    return NULL;
}

/* 1 exact, 0 unknown, -1 wrong. */
static int judge(const struct wl_tensor *t, const struct wanted *w)
{
    bool unknown = t->dtype == WL_DT_UNDEFINED;
    if (!unknown && (int32_t)t->dtype != w->dtype) {
        return -1;
    }
    if (t->rank == WL_NONE) {
        return 0;
    }
    if (t->rank != w->rank) {
        return -1;
    }
    for (int32_t i = 0; i < w->rank; i++) {
        if (wl_dim_ne(t->dims[i], wl_dim_known(w->dims[i]))) {
            return -1;
        }
        unknown = unknown || !wl_dim_is_known(t->dims[i]);
    }
    return unknown ? 0 : 1;
}

static void report(const char *verdict, const char *folder, const struct wl_graph *g,
                   const struct wl_tensor *t, const struct wanted *w)
{
    struct wl_buf b;
    wl_buf_init(&b);
    for (int32_t i = 0; t != NULL && i < t->rank; i++) {
        wl_buf_puts(&b, i > 0 ? "," : "");
        wl_dim_print(&g->dims, t->dims[i], &b);
    }
    printf("%s %s %s: want %s[", verdict, folder + strlen(CORPUS) + 1, w->name,
           wl_dtype_name((enum wl_dtype)w->dtype));
    for (int32_t i = 0; i < w->rank; i++) {
        printf("%s%" PRId64, i > 0 ? "," : "", w->dims[i]);
    }
    printf("] got %s[%s]%s\n", t == NULL ? "nothing" : wl_dtype_name(t->dtype),
           b.data == NULL ? "" : b.data, t != NULL && t->rank == WL_NONE ? " (rank unknown)" : "");
    wl_buf_done(&b);
}

static void run_model(struct score *s, const char *folder)
{
    static struct wanted want[OUTPUTS_MAX];
    int32_t count = 0;
    size_t bytes = 0;
    struct wl_model m;
    struct wl_error err = {0};
    struct wl_frontend_options opt = {.keep_symbolic = true};
    uint8_t *packed = prepare(folder, &bytes, want, &count);
    if (packed == NULL) {
        return;
    }
    s->models++;
    s->outputs += count;
    if (wl_model_load_bytes(packed, bytes, folder, &opt, &m, &err) != WL_OK) {
        printf("unknown %s: %s: %s\n", folder + strlen(CORPUS) + 1, err.where, err.message);
        s->unknown += count;
        free(packed);
        return;
    }
    for (int32_t i = 0; i < count; i++) {
        const struct wl_tensor *t = find_output(&m.graph, want[i].name);
        int verdict = t == NULL ? 0 : judge(t, &want[i]);
        s->exact += verdict == 1 ? 1 : 0;
        s->unknown += verdict == 0 ? 1 : 0;
        s->wrong += verdict < 0 ? 1 : 0;
        if (verdict != 1) {
            report(verdict < 0 ? "WRONG" : "unknown", folder, &m.graph, t, &want[i]);
        }
    }
    if (wl_ops_count(&m.graph, &err) != WL_OK) {
        printf("WRONG %s: counting fails: %s: %s\n", folder, err.where, err.message);
        s->wrong++;
    }
    wl_model_done(&m);
    free(packed);
}

static void run_group(struct score *s, const char *group)
{
    struct wl_arena arena;
    char **names;
    int32_t count;
    char path[512];
    wl_arena_init(&arena, 0);
    (void)snprintf(path, sizeof(path), "%s/%s", CORPUS, group);
    if (wl_dir_list(&arena, path, &names, &count, NULL) == WL_OK) {
        for (int32_t i = 0; i < count; i++) {
            char folder[640];
            (void)snprintf(folder, sizeof(folder), "%s/%s", path, names[i]);
            run_model(s, folder);
        }
    }
    wl_arena_done(&arena);
}

static void test_testdata(void **state)
{
    struct score s = {0};
    (void)state;
    run_group(&s, "node");
    run_group(&s, "simple");
    run_group(&s, "pytorch-converted");
    run_group(&s, "pytorch-operator");
    printf("testdata: %d models, %d tensor outputs, %d exact (%.1f %%), %d unknown, %d wrong\n",
           s.models, s.outputs, s.exact, 100.0 * s.exact / (s.outputs > 0 ? s.outputs : 1),
           s.unknown, s.wrong);
    assert_int_equal(s.wrong, 0);
    assert_true(s.models > 1000);
    assert_true(s.exact * 100 >= s.outputs * 97);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_testdata)};
    if (!wl_path_is_dir(CORPUS)) {
        printf("no %s: skipped\n", CORPUS);
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
