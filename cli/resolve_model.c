/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/resolve_model.c: MODEL on the command line -> a file. What names an existing file is that
 * file; a bare word is a zoo name. A zoo model brings defaults for its symbolic dimensions.
 */
#include <string.h>

#include "analysis_options.h"
#include "zoo.h"

/* A bare word could be a zoo name: no folder, no ending. */
static bool looks_like_path(const char *name)
{
    return strchr(name, '/') != NULL || strstr(name, ".onnx") != NULL;
}

static wl_status fail_unknown(const struct wl_zoo *zoo, const char *name, struct wl_error *err)
{
    char near[160];
    wl_zoo_nearest(zoo, name, near, sizeof(near));
    return wl_fail(err, WL_ERR_IO, name, "is neither a file nor a zoo model; %s%s",
                   near[0] != '\0' ? "near: " : "wattline models list shows the zoo", near);
}

wl_status wl_cli_resolve_model(struct wl_cli_analysis *a, const char *name, struct wl_error *err)
{
    struct wl_zoo zoo;
    a->request.model = name;
    a->request.model_name = name;
    if (looks_like_path(name) || (wl_path_exists(name) && !wl_path_is_dir(name))) {
        return WL_OK;
    }
    const char *dir = wl_cli_models_dir(&a->arena, a->models);
    if (dir == NULL) {
        return wl_fail(err, WL_ERR_USAGE, name,
                       "is not a file, and no model zoo was found beside the program; name one "
                       "with --models DIR or WATTLINE_MODELS");
    }
    WL_TRY(wl_zoo_load(&a->arena, dir, &zoo, err));
    const struct wl_zoo_entry *entry = wl_zoo_find(&zoo, name);
    if (entry == NULL) {
        return fail_unknown(&zoo, name, err);
    }
    a->request.model = entry->path;
    a->request.default_dims = entry->dims;
    a->request.default_dim_count = entry->dim_count;
    return WL_OK;
}
