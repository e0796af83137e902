/* SPDX-License-Identifier: Apache-2.0 */
/* registry_priv.h: what a registry has read so far, and the walk over its files. */
#ifndef WL_REGISTRY_PRIV_H
#define WL_REGISTRY_PRIV_H

#include "hardware_priv.h"

struct wl_runtime_node {
    struct wl_runtime runtime;
    struct wl_runtime_node *next;
};

struct wl_calibration_node {
    struct wl_calibration calibration;
    struct wl_calibration_node *next;
};

#define WL_ANCHORS_MAX 8

struct wl_registry_cache {
    struct wl_spec *specs;
    struct wl_process *processes;
    const struct wl_process *anchors[WL_ANCHORS_MAX]; /* by feature size, small first */
    int32_t anchor_count;
    struct wl_memory_tech *memories;
    struct wl_class_file *classes[WL_HW_CLASS_COUNT];
    struct wl_runtime_node *runtimes;
    struct wl_calibration_node *calibrations;
};

/* A name that may stand in a path: letters, digits, '_', '-', and '.' not in front. */
bool wl_plain_name(const char *name);

/* ---- spec.c
 * ---------------------------------------------------------------------------------------- */

/* Reads, merges with its base, decodes and checks `path`. `problems` gets everything wrong. */
wl_status wl_spec_read(struct wl_registry *r, const char *path, struct wl_problems *problems,
                       struct wl_spec **out, struct wl_error *err) WL_MUST_CHECK;
/* Path of the spec of an id (not an alias) in the first root that has it; NULL when none. */
const char *wl_registry_spec_path(struct wl_registry *r, const char *id);

/* ---- kernel_model.c */

/* Prepares `c->model` from the entries. */
wl_status wl_kernel_model_build(struct wl_arena *arena, struct wl_calibration *c,
                                struct wl_error *err) WL_MUST_CHECK;

/* ---- list.c
 * ---------------------------------------------------------------------------------------- */

/* As wl_registry_list without counting calibrations; broken files are left out. */
wl_status wl_registry_names(struct wl_registry *r, struct wl_registry_entry **entries,
                            int32_t *count, struct wl_error *err) WL_MUST_CHECK;

/* ---- skim.c: a quick look into a spec.json without building a tree
 * ------------------------------------ */

struct wl_skim {
    const char *id, *name, *vendor, *process, *extends;
    int class; /* enum wl_hw_class; -1: none */
    double tdp_w;
    const char **aliases, **modes;
    int32_t alias_count, mode_count;
    bool precisions[WL_PREC_COUNT];
};

/* Strings lie in `arena`. PARSE with the line when the text is not JSON. */
wl_status wl_skim_spec(struct wl_arena *arena, const char *path, const char *bytes, size_t count,
                       struct wl_skim *out, struct wl_error *err) WL_MUST_CHECK;

/* ---- host_idle.c
 * ---------------------------------------------------------------------------------------- */

/* Puts saved idle watts into the spec of the host, when `spec_path` is that. */
wl_status wl_host_idle_apply(struct wl_arena *a, const char *spec_path, cJSON *spec,
                             struct wl_error *err) WL_MUST_CHECK;

#endif
