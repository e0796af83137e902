/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frontend: file -> graph with known shapes. Walks the wire format once (limits, payloads of large
 * tensors cut out), unpacks the rest with protobuf-c into a throw-away arena, inlines local
 * functions, raises old operator forms to the newest, resolves operators, infers shapes and small
 * values, multiplies trip counts. External data is never opened.
 */
#ifndef WL_FRONTEND_H
#define WL_FRONTEND_H

#include "ops.h"

struct wl_dim_binding {
    const char *name;
    int64_t value;
};

struct wl_frontend_options {
    int64_t batch; /* 0: not asked for */
    const struct wl_dim_binding *dims;
    int32_t dim_count;
    const struct wl_dim_binding *default_dims; /* of a zoo model: bind where `dims` does not;
                                                  unknown names are ignored here */
    int32_t default_dim_count;
    bool keep_symbolic; /* `graph`: leave unbound symbols; the batch symbol too when batch is 0 */
};

/* A loaded model owns its arena; everything in `graph` lies there. */
struct wl_model {
    struct wl_arena arena;
    struct wl_diag_list diags;
    struct wl_graph graph;
    char *path;
    int64_t file_bytes;
    int64_t parameters; /* elements stored as floating-point or quantised initializers, each once */
    int64_t parameter_bytes; /* at their stored type */
};

/*
 * The whole front end. On failure nothing is left to free. Errors: IO (absent, unreadable), PARSE
 * (not ONNX, truncated), INVALID (cycles, duplicate or undefined names, bad dims), LIMIT (depth,
 * counts), USAGE (unknown --dim name, --batch on a model without batch; without keep_symbolic also
 * unbound symbols that are not data-dependent).
 */
wl_status wl_model_load(const char *path, const struct wl_frontend_options *opt,
                        struct wl_model *out, struct wl_error *err) WL_MUST_CHECK;
/* The same from memory (fuzzing, generated models); `path` is for messages. */
wl_status wl_model_load_bytes(const uint8_t *bytes, size_t count, const char *path,
                              const struct wl_frontend_options *opt, struct wl_model *out,
                              struct wl_error *err) WL_MUST_CHECK;
/*
 * Whether a float initializer whose values the graph does not carry has one in (low, high): read
 * from the model's file (payload.c). False where the file does not have them.
 */
bool wl_model_has_floats_between(const struct wl_model *m, int32_t tensor, double low, double high);
void wl_model_done(struct wl_model *m);

#endif
