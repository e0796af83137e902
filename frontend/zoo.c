/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frontend/zoo.c: the index of the model zoo. models.json is data of this project, but --models
 * names any folder, so every field is checked: its kind, its length, and that a file stays in the
 * folder.
 */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "zoo.h"

#define INDEX_BYTES_MAX (8 << 20)
#define ENTRIES_MAX 100000
#define DIMS_MAX 64

struct reader {
    struct wl_arena *arena;
    const char *dir;
    const char *path; /* of the index */
    struct wl_error *err;
};

static wl_status fail_entry(const struct reader *r, int32_t index, const char *what)
{
    char where[192];
    const char *in = wl_arena_printf(r->arena, "%s /models/%d", r->path, (int)index);
    const char *tail = in == NULL || strlen(in) < sizeof(where) ? in : in + strlen(in) - 180;
    return wl_fail(r->err, WL_ERR_INVALID, tail == NULL ? r->path : tail, "%s", what);
}

/* A plain file name: nothing that leaves the folder. */
static bool name_ok(const char *s)
{
    return *s != '\0' && *s != '.' && strchr(s, '/') == NULL && strlen(s) < 200;
}

static wl_status read_text(const struct reader *r, const cJSON *row, const char *key,
                           const char **out)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(row, key);
    *out = cJSON_IsString(item)
               ? wl_arena_strndup(r->arena, item->valuestring, strlen(item->valuestring))
               : "";
    WL_TRY_PTR(*out, r->err);
    return WL_OK;
}

static wl_status read_dims(const struct reader *r, const cJSON *row, int32_t index,
                           struct wl_zoo_entry *e)
{
    const cJSON *dims = cJSON_GetObjectItemCaseSensitive(row, "dims");
    int count = cJSON_GetArraySize(dims);
    const cJSON *item = NULL;
    if (dims != NULL && (!cJSON_IsObject(dims) || count > DIMS_MAX)) {
        return fail_entry(r, index,
                          "\"dims\" is not an object of at most 64 symbols; write "
                          "{\"N\": 1}");
    }
    struct wl_dim_binding *list = WL_ARRAY(r->arena, struct wl_dim_binding, count);
    WL_TRY_PTR(list, r->err);
    cJSON_ArrayForEach(item, dims)
    {
        double v = item->valuedouble;
        if (!cJSON_IsNumber(item) || !(v >= 0 && v <= 1e15) || floor(v) != v) {
            return fail_entry(r, index,
                              "\"dims\" holds something else than whole numbers; a "
                              "default is a number from 0");
        }
        struct wl_dim_binding *b = &list[e->dim_count++];
        b->value = (int64_t)v;
        b->name = wl_arena_strndup(r->arena, item->string, strlen(item->string));
        WL_TRY_PTR(b->name, r->err);
    }
    e->dims = list;
    return WL_OK;
}

static wl_status read_entry(const struct reader *r, const cJSON *row, int32_t index,
                            struct wl_zoo_entry *e)
{
    const char *file = NULL;
    WL_TRY(read_text(r, row, "name", &e->name));
    WL_TRY(read_text(r, row, "file", &file));
    WL_TRY(read_text(r, row, "task", &e->task));
    WL_TRY(read_text(r, row, "description", &e->description));
    WL_TRY(read_text(r, row, "source", &e->source));
    WL_TRY(read_text(r, row, "input", &e->input));
    if (!name_ok(e->name) || !name_ok(file)) {
        return fail_entry(r, index,
                          "\"name\" or \"file\" is absent or not a plain name; both are "
                          "needed, without a folder");
    }
    e->path = wl_arena_printf(r->arena, "%s/%s", r->dir, file);
    WL_TRY_PTR(e->path, r->err);
    return read_dims(r, row, index, e);
}

static int by_name(const void *a, const void *b)
{
    const struct wl_zoo_entry *x = a;
    const struct wl_zoo_entry *y = b;
    return strcmp(x->name, y->name);
}

static wl_status sort_entries(const struct reader *r, struct wl_zoo *zoo)
{
    if (zoo->count > 1) {
        qsort(zoo->entries, (size_t)zoo->count, sizeof(*zoo->entries), by_name);
    }
    for (int32_t i = 1; i < zoo->count; i++) {
        if (strcmp(zoo->entries[i - 1].name, zoo->entries[i].name) == 0) {
            return wl_fail(r->err, WL_ERR_INVALID, r->path,
                           "has two models named \"%s\"; names are unique", zoo->entries[i].name);
        }
    }
    return WL_OK;
}

static wl_status read_index(const struct reader *r, const cJSON *root, struct wl_zoo *out)
{
    const cJSON *models = cJSON_GetObjectItemCaseSensitive(root, "models");
    int count = cJSON_GetArraySize(models);
    const cJSON *row = NULL;
    if (!cJSON_IsArray(models) || count > ENTRIES_MAX) {
        return wl_fail(r->err, WL_ERR_INVALID, r->path,
                       "has no list \"models\"; an index is {\"models\": [{\"name\": ..., "
                       "\"file\": ...}]}");
    }
    struct wl_zoo zoo = {.entries = WL_ARRAY(r->arena, struct wl_zoo_entry, count)};
    WL_TRY_PTR(zoo.entries, r->err);
    cJSON_ArrayForEach(row, models)
    {
        WL_TRY(read_entry(r, row, zoo.count, &zoo.entries[zoo.count]));
        zoo.count++;
    }
    WL_TRY(sort_entries(r, &zoo));
    *out = zoo;
    return WL_OK;
}

static wl_status load_index(const struct reader *r, struct wl_zoo *out)
{
    struct wl_file file;
    WL_TRY(wl_file_open(r->path, &file, r->err));
    if (file.bytes > INDEX_BYTES_MAX) {
        wl_file_close(&file);
        return wl_fail(r->err, WL_ERR_LIMIT, r->path, "is larger than 8 MiB; an index is small");
    }
    cJSON *root = cJSON_ParseWithLength((const char *)file.data, file.bytes);
    wl_file_close(&file);
    if (root == NULL) {
        return wl_fail(r->err, WL_ERR_PARSE, r->path, "is not JSON; an index of models is needed");
    }
    wl_status status = read_index(r, root, out);
    cJSON_Delete(root);
    return status;
}

/* A folder without an index: each NAME.onnx is a model. */
static wl_status list_folder(const struct reader *r, struct wl_zoo *out)
{
    char **names = NULL;
    int32_t count = 0;
    WL_TRY(wl_dir_list(r->arena, r->dir, &names, &count, r->err));
    struct wl_zoo zoo = {.entries = WL_ARRAY(r->arena, struct wl_zoo_entry, count)};
    WL_TRY_PTR(zoo.entries, r->err);
    for (int32_t i = 0; i < count; i++) {
        size_t len = strlen(names[i]);
        if (len <= 5 || strcmp(names[i] + len - 5, ".onnx") != 0) {
            continue;
        }
        struct wl_zoo_entry *e = &zoo.entries[zoo.count++];
        *e = (struct wl_zoo_entry){.task = "", .description = "", .source = "", .input = ""};
        e->name = wl_arena_strndup(r->arena, names[i], len - 5);
        e->path = wl_arena_printf(r->arena, "%s/%s", r->dir, names[i]);
        WL_TRY_PTR(e->name, r->err);
        WL_TRY_PTR(e->path, r->err);
    }
    WL_TRY(sort_entries(r, &zoo));
    *out = zoo;
    return WL_OK;
}

wl_status wl_zoo_load(struct wl_arena *arena, const char *dir, struct wl_zoo *out,
                      struct wl_error *err)
{
    struct reader r = {.arena = arena, .dir = dir, .err = err};
    r.path = wl_arena_printf(arena, "%s/models.json", dir);
    WL_TRY_PTR(r.path, err);
    return wl_path_exists(r.path) ? load_index(&r, out) : list_folder(&r, out);
}

const struct wl_zoo_entry *wl_zoo_find(const struct wl_zoo *zoo, const char *name)
{
    struct wl_zoo_entry key = {.name = name};
    return zoo->count == 0
               ? NULL
               : bsearch(&key, zoo->entries, (size_t)zoo->count, sizeof(*zoo->entries), by_name);
}

void wl_zoo_nearest(const struct wl_zoo *zoo, const char *name, char *out, size_t out_size)
{
    const char **names = wl_malloc(sizeof(*names) * (size_t)(zoo->count + 1));
    out[0] = '\0';
    if (names == NULL) {
        return;
    }
    for (int32_t i = 0; i < zoo->count; i++) {
        names[i] = zoo->entries[i].name;
    }
    wl_nearest_names(name, names, zoo->count, 3, out, out_size);
    wl_free(names);
}
