/* SPDX-License-Identifier: Apache-2.0 */
/* frontend_check.h: loading a hand-made model and looking at what came out. */
#ifndef FRONTEND_CHECK_H
#define FRONTEND_CHECK_H

#include "frontend.h"
#include "onnx_wire.h"

struct loaded {
    struct wl_model model;
    struct wl_error err;
    wl_status status;
};

/* Loads and empties `file`. */
__attribute__((unused)) static void load_wire(struct loaded *l, struct wire *file,
                                              const struct wl_frontend_options *opt)
{
    /* An exact copy, so that AddressSanitizer sees a read past the end. */
    uint8_t *exact = malloc(file->len + (file->len == 0));
    assert_non_null(exact);
    if (file->len > 0) {
        memcpy(exact, file->data, file->len);
    }
    l->err = (struct wl_error){.code = WL_OK};
    l->status = wl_model_load_bytes(exact, file->len, "m.onnx", opt, &l->model, &l->err);
    free(exact);
    wire_done(file);
}

/* A model around `graph` (emptied). */
__attribute__((unused)) static void load_graph(struct loaded *l, struct wire *graph, int64_t opset,
                                               const struct wl_frontend_options *opt)
{
    struct wire m = wire_model(graph, opset);
    load_wire(l, &m, opt);
}

__attribute__((unused)) static void expect_ok(struct loaded *l)
{
    if (l->status != WL_OK) {
        fail_msg("%s: %s", l->err.where, l->err.message);
    }
    struct wl_error err;
    if (wl_graph_verify(&l->model.graph, &err) != WL_OK) {
        fail_msg("%s: %s", err.where, err.message);
    }
}

/* Failed with this status and a one-line message that has `part` in it (or in where). */
__attribute__((unused)) static void expect_fail(struct loaded *l, wl_status status,
                                                const char *part)
{
    if (l->status == WL_OK) {
        wl_model_done(&l->model);
        fail_msg("loaded although it should fail for: %s", part);
    }
    if (l->status != status ||
        (strstr(l->err.message, part) == NULL && strstr(l->err.where, part) == NULL)) {
        fail_msg("status %d, %s: %s; expected %d with '%s'", (int)l->status, l->err.where,
                 l->err.message, (int)status, part);
    }
    assert_int_equal(l->err.code, status);
    assert_null(strchr(l->err.message, '\n'));
}

__attribute__((unused)) static const struct wl_tensor *tensor_named(const struct loaded *l,
                                                                    const char *name)
{
    const struct wl_graph *g = &l->model.graph;
    for (int32_t t = 0; t < g->tensor_count; t++) {
        if (wl_str_is(wl_tensor_name(g, t), name)) {
            return &g->tensors[t];
        }
    }
    fail_msg("no tensor '%s'", name);
    return NULL;
}

__attribute__((unused)) static const struct wl_node *node_named(const struct loaded *l,
                                                                const char *name)
{
    const struct wl_graph *g = &l->model.graph;
    for (int32_t n = 0; n < g->node_count; n++) {
        if (wl_str_is(g->nodes[n].name, name)) {
            return &g->nodes[n];
        }
    }
    fail_msg("no node '%s'", name);
    return NULL;
}

/* "FLOAT[2,N,?]" or "FLOAT[*]" for an unknown rank. */
__attribute__((unused)) static void expect_type(struct loaded *l, const char *name,
                                                const char *expected)
{
    const struct wl_tensor *t = tensor_named(l, name);
    struct wl_buf b;
    wl_buf_init(&b);
    wl_buf_printf(&b, "%s[%s", wl_dtype_name(t->dtype), t->rank == WL_NONE ? "*" : "");
    for (int32_t i = 0; i < t->rank; i++) {
        wl_buf_puts(&b, i > 0 ? "," : "");
        wl_dim_print(&l->model.graph.dims, t->dims[i], &b);
    }
    wl_buf_puts(&b, "]");
    char text[256];
    (void)snprintf(text, sizeof(text), "%s", b.data);
    wl_buf_done(&b);
    if (strcmp(text, expected) != 0) {
        fail_msg("tensor %s is %s, expected %s", name, text, expected);
    }
}

__attribute__((unused)) static bool has_diag(const struct loaded *l, const char *code)
{
    for (int32_t i = 0; i < l->model.diags.count; i++) {
        if (strcmp(l->model.diags.items[i].code, code) == 0) {
            return true;
        }
    }
    return false;
}

#endif
