/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hardware/tables.c: the small shared files of a registry (process nodes, memory technologies,
 * device classes), each read once when first asked for and kept with the registry.
 */
#include <stdio.h>
#include <string.h>

#include "registry_priv.h"

const char *wl_registry_path(struct wl_registry *r, const char *relative)
{
    for (int32_t i = 0; i < r->root_count; i++) {
        const char *path = wl_arena_printf(&r->arena, "%s/%s", r->roots[i], relative);
        if (path != NULL && wl_path_exists(path)) {
            return path;
        }
    }
    return NULL;
}

bool wl_plain_name(const char *name)
{
    for (const char *c = name; *c != '\0'; c++) {
        bool ok = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                  (*c >= '0' && *c <= '9') || *c == '_' || *c == '-' || (*c == '.' && c != name);
        if (!ok) {
            return false;
        }
    }
    return name[0] != '\0' && strlen(name) <= 64;
}

/* "a, b, c": the .json files of a folder of the registry, for messages. */
static void list_names(struct wl_registry *r, const char *folder, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (int32_t i = 0; i < r->root_count; i++) {
        char **names = NULL;
        int32_t count = 0;
        const char *path = wl_arena_printf(&r->arena, "%s/%s", r->roots[i], folder);
        if (path == NULL || wl_dir_list(&r->arena, path, &names, &count, NULL) != WL_OK) {
            continue;
        }
        for (int32_t n = 0; n < count && used + 72 < size; n++) {
            size_t len = strlen(names[n]);
            if (len > 5 && strcmp(names[n] + len - 5, ".json") == 0) {
                int w = snprintf(out + used, size - used, "%s%.*s", used == 0 ? "" : ", ",
                                 (int)len - 5, names[n]);
                used += w > 0 ? (size_t)w : 0;
            }
        }
    }
}

/* Reads registry/<folder>/<key>.json into `out` by `table`. */
static wl_status load_table(struct wl_registry *r, const char *folder, const char *key,
                            const struct wl_field_table *table, void *out, struct wl_error *err)
{
    char relative[160];
    (void)snprintf(relative, sizeof(relative), "%s/%.64s.json", folder, key);
    const char *path = wl_plain_name(key) ? wl_registry_path(r, relative) : NULL;
    if (path == NULL) {
        char names[600];
        list_names(r, folder, names, sizeof(names));
        return wl_fail(err, WL_ERR_INVALID, relative, "\"%.64s\" is not in registry/%s; it has %s",
                       key, folder, names[0] != '\0' ? names : "no file at all");
    }
    cJSON *json = NULL;
    WL_TRY(wl_json_read(path, &json, err));
    struct wl_problems problems;
    wl_problems_init(&problems, &r->arena, path);
    wl_decode(&r->arena, &problems, json, table, (struct wl_provenance){WL_BASIS_DATASHEET, NULL},
              out);
    cJSON_Delete(json);
    return wl_problems_status(&problems, err);
}

wl_status wl_process_load(struct wl_registry *r, const char *key, const struct wl_process **out,
                          struct wl_error *err)
{
    for (const struct wl_process *p = r->cache->processes; p != NULL; p = p->next) {
        if (strcmp(p->key, key) == 0) {
            *out = p;
            return WL_OK;
        }
    }
    struct wl_process *p = WL_NEW(&r->arena, struct wl_process);
    WL_TRY_PTR(p, err);
    p->key = wl_arena_printf(&r->arena, "%s", key);
    WL_TRY_PTR(p->key, err);
    WL_TRY(load_table(r, "processes", key, &wl_process_table, p, err));
    p->next = r->cache->processes;
    r->cache->processes = p;
    *out = p;
    return WL_OK;
}

wl_status wl_memory_load(struct wl_registry *r, const char *key, const struct wl_memory_tech **out,
                         struct wl_error *err)
{
    for (const struct wl_memory_tech *m = r->cache->memories; m != NULL; m = m->next) {
        if (strcmp(m->key, key) == 0) {
            *out = m;
            return WL_OK;
        }
    }
    struct wl_memory_tech *m = WL_NEW(&r->arena, struct wl_memory_tech);
    WL_TRY_PTR(m, err);
    m->key = wl_arena_printf(&r->arena, "%s", key);
    WL_TRY_PTR(m->key, err);
    WL_TRY(load_table(r, "memory", key, &wl_memory_table, m, err));
    m->sram = strcmp(key, "sram") == 0;
    if (!m->sram && !m->read_pj_per_byte.given) {
        return wl_fail(err, WL_ERR_INVALID, key,
                       "/read_pj_per_byte is missing; every technology "
                       "but sram needs it");
    }
    if (!m->write_pj_per_byte.given) {
        m->write_pj_per_byte = m->read_pj_per_byte;
    }
    m->next = r->cache->memories;
    r->cache->memories = m;
    *out = m;
    return WL_OK;
}

wl_status wl_class_load(struct wl_registry *r, enum wl_hw_class class,
                        const struct wl_class_file **out, struct wl_error *err)
{
    if (r->cache->classes[class] != NULL) {
        *out = r->cache->classes[class];
        return WL_OK;
    }
    struct wl_class_file *c = WL_NEW(&r->arena, struct wl_class_file);
    WL_TRY_PTR(c, err);
    WL_TRY(load_table(r, "classes", wl_hw_class_name(class), &wl_class_table, c, err));
    const struct wl_class_event *events = c->events.items;
    for (int32_t i = 0; i < c->events.count; i++) {
        if (wl_event_find(events[i].event) == WL_EVENT_COUNT) {
            return wl_fail(err, WL_ERR_INVALID, wl_hw_class_name(class),
                           "/events/%d/event: \"%.64s\" is not an energy event", i,
                           events[i].event);
        }
    }
    r->cache->classes[class] = c;
    *out = c;
    return WL_OK;
}
