/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zoo: the model zoo's index (models/models.json): name -> file, default dims, what it is. And
 * files that runtimes can run, made from graph-only ones.
 */
#ifndef WL_ZOO_H
#define WL_ZOO_H

#include "frontend.h"

/* One network. Strings lie in the arena; "" where the index says nothing. */
struct wl_zoo_entry {
    const char *name;
    const char *path; /* of the graph-only file */
    const char *task;
    const char *description;
    const char *source;
    const char *input;                 /* what it is fed, for people */
    const struct wl_dim_binding *dims; /* defaults of symbolic dimensions */
    int32_t dim_count;
};

/* Sorted by name. */
struct wl_zoo {
    struct wl_zoo_entry *entries;
    int32_t count;
};

/*
 * Reads DIR/models.json; a folder without one is a zoo of its *.onnx files, without defaults. Files
 * are not opened. Errors: IO, PARSE (not JSON), INVALID (what and where in the index).
 */
wl_status wl_zoo_load(struct wl_arena *arena, const char *dir, struct wl_zoo *out,
                      struct wl_error *err) WL_MUST_CHECK;
/* NULL when there is none of this name. */
const struct wl_zoo_entry *wl_zoo_find(const struct wl_zoo *zoo, const char *name);
/* The names nearest to `name`, as wl_nearest_names gives them. */
void wl_zoo_nearest(const struct wl_zoo *zoo, const char *name, char *out, size_t out_size);

/* What wl_materialize wrote. */
struct wl_materialized {
    int64_t tensors;       /* initializers that got random values */
    int64_t payload_bytes; /* of those */
    bool external;         /* the values lie in a second file beside the model: "<output>.data" */
};

/*
 * Copies the ONNX file `path` to `output` with random values for every initializer of the main
 * graph whose data lies in another file. Same seed, same bytes. Values are written as they are
 * made: memory is that of the graph. Models past 2 GB, the limit of one protobuf message, get a
 * data file beside them. Errors: as wl_model_load's; UNSUPPORTED for element types without a rule;
 * IO when not writable.
 */
wl_status wl_materialize(const char *path, const char *output, uint64_t seed,
                         struct wl_materialized *out, struct wl_error *err) WL_MUST_CHECK;

#endif
