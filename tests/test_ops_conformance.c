/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ONNX's own operator tests, output shapes removed, small inputs made constant: every listed tensor
 * output must come out with its exact type and shape, or unknown; one wrong is a failure, and so is
 * less than 97 % exact. Reads ../shared/conformance; skips where that is absent.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cjson/cJSON.h>
#include <cmocka.h>

#include "frontend.h"

#define CORPUS WL_SHARED_DIR "/conformance"

struct score {
    int32_t outputs, exact, unknown, wrong;
};

static void print_shape(const struct wl_graph *g, const struct wl_tensor *t)
{
    struct wl_buf b;
    wl_buf_init(&b);
    for (int32_t i = 0; t->rank != WL_NONE && i < t->rank; i++) {
        wl_buf_puts(&b, i > 0 ? "," : "");
        wl_dim_print(&g->dims, t->dims[i], &b);
    }
    printf(" got %s[%s]%s", wl_dtype_name(t->dtype), b.data == NULL ? "" : b.data,
           t->rank == WL_NONE ? " (rank unknown)" : "");
    wl_buf_done(&b);
}

/* 1 exact, 0 unknown, -1 wrong. */
static int judge(const struct wl_tensor *t, int dtype, const cJSON *shape)
{
    bool unknown = t->dtype == WL_DT_UNDEFINED || t->rank == WL_NONE;
    if (t->dtype != WL_DT_UNDEFINED && (int)t->dtype != dtype) {
        return -1;
    }
    if (t->rank == WL_NONE) {
        return 0;
    }
    if (t->rank != cJSON_GetArraySize(shape)) {
        return -1;
    }
    for (int32_t i = 0; i < t->rank; i++) {
        int64_t want = (int64_t)cJSON_GetArrayItem(shape, i)->valuedouble;
        if (!wl_dim_is_known(t->dims[i])) {
            unknown = true;
        } else if (t->dims[i].value != want) {
            return -1;
        }
    }
    return unknown ? 0 : 1;
}

static const struct wl_tensor *find_tensor(const struct wl_graph *g, const char *name)
{
    int32_t id = wl_strmap_find(&g->names, wl_str(name));
    const struct wl_block *main_block = &g->blocks[0];
    for (int32_t i = 0; id != WL_NONE && i < main_block->output_count; i++) {
        const struct wl_tensor *t = &g->tensors[main_block->outputs[i]];
        if (t->name == id) {
            return t;
        }
    }
    return NULL;
}

static void check_output(struct score *s, const char *name, const struct wl_graph *g,
                         const cJSON *output, const char *reason)
{
    const char *tensor = cJSON_GetObjectItem(output, "name")->valuestring;
    const cJSON *shape = cJSON_GetObjectItem(output, "shape");
    const struct wl_tensor *t = g == NULL ? NULL : find_tensor(g, tensor);
    int verdict = t == NULL ? 0 : judge(t, cJSON_GetObjectItem(output, "dtype")->valueint, shape);
    s->outputs++;
    s->exact += verdict == 1 ? 1 : 0;
    s->unknown += verdict == 0 ? 1 : 0;
    s->wrong += verdict < 0 ? 1 : 0;
    if (verdict == 1) {
        return;
    }
    char *want = cJSON_PrintUnformatted(shape);
    printf("%s %s %s: want %s%s", verdict < 0 ? "WRONG" : "unknown", name, tensor,
           wl_dtype_name((enum wl_dtype)cJSON_GetObjectItem(output, "dtype")->valueint), want);
    cJSON_free(want);
    if (t != NULL) {
        print_shape(g, t);
    }
    printf("%s%s\n", reason[0] != '\0' ? "; " : "", reason);
}

static void run_case(struct score *s, const cJSON *one)
{
    char path[512];
    char reason[1600] = "";
    struct wl_model m;
    struct wl_error err = {0};
    struct wl_frontend_options opt = {.keep_symbolic = true};
    const char *name = cJSON_GetObjectItem(one, "case")->valuestring;
    (void)snprintf(path, sizeof(path), "%s/%s.onnx", CORPUS, name);
    bool loaded = wl_model_load(path, &opt, &m, &err) == WL_OK;
    if (!loaded) {
        (void)snprintf(reason, sizeof(reason), "%s: %s", err.where, err.message);
    } else if (m.diags.count > 0) {
        (void)snprintf(reason, sizeof(reason), "%s: %s", m.diags.items[0].code,
                       m.diags.items[0].message);
    }
    const cJSON *output;
    cJSON_ArrayForEach(output, cJSON_GetObjectItem(one, "outputs"))
    {
        if (strcmp(cJSON_GetObjectItem(output, "kind")->valuestring, "tensor") == 0) {
            check_output(s, name, loaded ? &m.graph : NULL, output, reason);
        }
    }
    if (loaded) {
        if (wl_ops_count(&m.graph, &err) != WL_OK) {
            printf("WRONG %s: counting fails: %s: %s\n", name, err.where, err.message);
            s->wrong++;
        }
        wl_model_done(&m);
    }
}

static void test_conformance(void **state)
{
    struct score s = {0};
    struct wl_file f;
    (void)state;
    assert_int_equal(wl_file_open(CORPUS "/expected.jsonl", &f, NULL), WL_OK);
    const char *at = (const char *)f.data;
    const char *end = at + f.bytes;
    while (at < end) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        line_end = line_end == NULL ? end : line_end;
        cJSON *one = cJSON_ParseWithLength(at, (size_t)(line_end - at));
        if (one != NULL) {
            run_case(&s, one);
        }
        cJSON_Delete(one);
        at = line_end + 1;
    }
    wl_file_close(&f);
    printf("conformance: %d tensor outputs, %d exact (%.1f %%), %d unknown, %d wrong\n", s.outputs,
           s.exact, 100.0 * s.exact / (s.outputs > 0 ? s.outputs : 1), s.unknown, s.wrong);
    assert_int_equal(s.wrong, 0);
    assert_true(s.outputs > 0);
    assert_true(s.exact * 100 >= s.outputs * 97);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_conformance)};
    if (!wl_path_exists(CORPUS "/expected.jsonl")) {
        printf("no %s: skipped\n", CORPUS);
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
