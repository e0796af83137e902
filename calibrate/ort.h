/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ort: ONNX Runtime at the other end of a pipe: tools/ort/bench.mjs in Node.js runs models and
 * tells wall times and the profile of each kernel. Another script with the same lines
 * (tools/pytorch) works in the same way.
 */
#ifndef WL_ORT_H
#define WL_ORT_H

#include <stdio.h>
#include <sys/types.h>

#include "core.h"

struct wl_ort {
    pid_t pid;
    FILE *to, *from;
    char script[512];
};

struct wl_ort_dim {
    const char *name;
    int64_t value;
};

struct wl_ort_job {
    const char *model; /* path of a runnable file */
    int32_t threads;
    const struct wl_ort_dim *dims;
    int32_t dim_count;
    double seconds;   /* of timed runs, at least */
    int32_t min_runs; /* at least */
    bool wall;        /* time runs without profiling */
    bool profile;     /* a second session with profiling */
};

/* One executed kernel. */
struct wl_ort_kernel {
    const char *name;
    const char *op;
    const char *node; /* of the file, whose result it computes; NULL where that is not known */
    double time_s, min_s, max_s;
    int32_t runs;
    double elements;  /* of its first input */
    double columns;   /* last dimension of that */
    int32_t subgraph; /* wl_ort_assign: that its node belongs to, or WL_NONE */
    bool around;      /* wl_ort_assign: a layout change, a view, a node outside all subgraphs */
};

struct wl_ort_result {
    const char *version;
    double *wall_s; /* in order */
    int32_t wall_count;
    struct wl_ort_kernel *kernels;
    int32_t kernel_count;
};

/*
 * Starts the script `tools`/ort/bench.mjs (or `script` below `tools`) with `interpreter` ("node",
 * "python3"). UNSUPPORTED, saying what to install, where it or what it needs is not there; else
 * `version` gets the runtime's.
 */
wl_status wl_ort_open(struct wl_ort *o, const char *interpreter, const char *tools,
                      const char *script, const char *node_modules, char *version,
                      size_t version_size, struct wl_error *err) WL_MUST_CHECK;
/* UNSUPPORTED where the runtime refuses the model (its message). The result lies in `arena`. */
wl_status wl_ort_run(struct wl_ort *o, const struct wl_ort_job *job, struct wl_arena *arena,
                     struct wl_ort_result *out, struct wl_error *err) WL_MUST_CHECK;
void wl_ort_close(struct wl_ort *o);

/*
 * A profile that ONNX Runtime wrote elsewhere. IO, PARSE, INVALID (no inference in it). Kernels
 * have no `node`.
 */
wl_status wl_ort_profile_read(const char *path, struct wl_arena *arena, struct wl_ort_result *out,
                              struct wl_error *err) WL_MUST_CHECK;
/* The longest name that is `known` among the kernel's own and it without the optimizer's endings.
 */
const char *wl_ort_trace_name(const char *kernel, bool (*known)(void *user, const char *name),
                              void *user, struct wl_arena *arena);

#endif
