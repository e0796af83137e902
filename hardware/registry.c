/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hardware/registry.c: directories of device descriptions. Finds a spec by id (one look per class
 * folder), by alias (a skim over all), or by path. What has been read stays with the registry.
 * Loading changes the registry and is for one thread; a loaded spec may be read by many.
 */
#include <stdio.h>
#include <string.h>

#include "registry_priv.h"

wl_status wl_registry_open(struct wl_registry *r, const char *const *roots, int32_t root_count,
                           struct wl_error *err)
{
    *r = (struct wl_registry){0};
    wl_arena_init(&r->arena, 0);
    r->roots = WL_ARRAY(&r->arena, const char *, root_count);
    r->cache = WL_NEW(&r->arena, struct wl_registry_cache);
    wl_status status = r->roots == NULL || r->cache == NULL ? wl_fail_nomem(err) : WL_OK;
    for (int32_t i = 0; i < root_count && status == WL_OK; i++) {
        r->roots[i] = wl_arena_printf(&r->arena, "%s", roots[i]);
        status = r->roots[i] == NULL ? wl_fail_nomem(err) : WL_OK;
        if (status == WL_OK && !wl_path_is_dir(roots[i])) {
            status = wl_fail(err, WL_ERR_IO, roots[i],
                             "is not a directory; a registry is a directory with cpu/, gpu/, tpu/, "
                             "kpu/");
        }
    }
    r->root_count = root_count;
    if (status != WL_OK) {
        wl_registry_close(r);
    }
    return status;
}

void wl_registry_close(struct wl_registry *r)
{
    if (r->cache != NULL) {
        for (struct wl_spec *s = r->cache->specs; s != NULL; s = s->next) {
            cJSON_Delete(s->json);
        }
    }
    wl_arena_done(&r->arena);
    *r = (struct wl_registry){0};
}

const char *wl_registry_spec_path(struct wl_registry *r, const char *id)
{
    char relative[128];
    for (int c = 0; c < WL_HW_CLASS_COUNT; c++) {
        (void)snprintf(relative, sizeof(relative), "%s/%.64s/spec.json",
                       wl_hw_class_name((enum wl_hw_class)c), id);
        const char *path = wl_registry_path(r, relative);
        if (path != NULL) {
            return path;
        }
    }
    return NULL;
}

static wl_status load_path(struct wl_registry *r, const char *path, const struct wl_spec **out,
                           struct wl_error *err)
{
    for (const struct wl_spec *s = r->cache->specs; s != NULL; s = s->next) {
        if (strcmp(s->path, path) == 0 && s->checked) {
            *out = s;
            return WL_OK;
        }
    }
    struct wl_problems problems;
    wl_problems_init(&problems, &r->arena, path);
    struct wl_spec *spec = NULL;
    WL_TRY(wl_spec_read(r, path, &problems, &spec, err));
    WL_TRY(wl_problems_status(&problems, err));
    spec->checked = true;
    *out = spec;
    return WL_OK;
}

static bool looks_like_path(const char *id)
{
    size_t len = strlen(id);
    return strchr(id, '/') != NULL || (len > 5 && strcmp(id + len - 5, ".json") == 0);
}

static bool entry_has_name(const struct wl_registry_entry *e, const char *name)
{
    bool found = wl_str_eq_nocase(wl_str(e->id), wl_str(name));
    for (int32_t i = 0; i < e->alias_count; i++) {
        found = found || wl_str_eq_nocase(wl_str(e->aliases[i]), wl_str(name));
    }
    return found;
}

static wl_status unknown_device(struct wl_registry *r, const char *id,
                                const struct wl_registry_entry *entries, int32_t count,
                                struct wl_error *err)
{
    int32_t names = 0;
    if (strcmp(id, WL_HOST_ID) == 0) {
        return wl_fail(err, WL_ERR_USAGE, id,
                       "this machine has not been described yet; run: wattline hw detect");
    }
    for (int32_t i = 0; i < count; i++) {
        names += 1 + entries[i].alias_count;
    }
    const char **all = WL_ARRAY(&r->arena, const char *, names);
    WL_TRY_PTR(all, err);
    int32_t n = 0;
    for (int32_t i = 0; i < count; i++) {
        all[n++] = entries[i].id;
        for (int32_t k = 0; k < entries[i].alias_count; k++) {
            all[n++] = entries[i].aliases[k];
        }
    }
    char near[300];
    wl_nearest_names(id, all, names, 4, near, sizeof(near));
    char where[192];
    (void)snprintf(where, sizeof(where), "%.100s", id);
    if (near[0] == '\0') {
        return wl_fail(err, WL_ERR_USAGE, where,
                       "unknown device; `wattline hw list` names the %d known ones", count);
    }
    return wl_fail(err, WL_ERR_USAGE, where, "unknown device; nearest: %s", near);
}

wl_status wl_registry_load(struct wl_registry *r, const char *id, const struct wl_spec **out,
                           struct wl_error *err)
{
    if (looks_like_path(id)) {
        return load_path(r, id, out, err);
    }
    if (wl_plain_name(id)) {
        const char *path = wl_registry_spec_path(r, id);
        if (path != NULL) {
            return load_path(r, path, out, err);
        }
    }
    struct wl_registry_entry *entries = NULL;
    int32_t count = 0;
    WL_TRY(wl_registry_names(r, &entries, &count, err));
    for (int32_t i = 0; i < count; i++) {
        if (entry_has_name(&entries[i], id)) {
            return load_path(r, entries[i].path, out, err);
        }
    }
    return unknown_device(r, id, entries, count, err);
}
