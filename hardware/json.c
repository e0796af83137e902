/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hardware/json.c: JSON files to checked trees. What cJSON leaves open is decided here: size, text
 * that is not UTF-8, rubbish after the document, duplicate keys, members per object.
 */
#include <string.h>

#include "hardware_priv.h"

struct place {
    int line, column;
};

static struct place place_of(const char *text, const char *at)
{
    struct place p = {1, 1};
    for (const char *c = text; c < at; c++) {
        if (*c == '\n') {
            p.line++;
            p.column = 1;
        } else {
            p.column++;
        }
    }
    return p;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Every object of the tree: no key twice, not too many. Depth is bounded by cJSON (1000). */
static wl_status check_keys(const char *name, const cJSON *node, int depth, struct wl_error *err)
{
    if (depth > 32) {
        return wl_fail(err, WL_ERR_LIMIT, name,
                       "nested more than 32 deep; no known key needs that");
    }
    int32_t count = 0;
    for (const cJSON *a = node->child; a != NULL; a = a->next) {
        count++;
        if (cJSON_IsObject(node)) {
            if (count > WL_JSON_MEMBERS_MAX) {
                return wl_fail(err, WL_ERR_LIMIT, name, "an object has more than %d keys",
                               WL_JSON_MEMBERS_MAX);
            }
            for (const cJSON *b = node->child; b != a; b = b->next) {
                if (strcmp(a->string, b->string) == 0) {
                    return wl_fail(err, WL_ERR_INVALID, name,
                                   "key \"%.64s\" appears twice in one object; keep one of them",
                                   a->string);
                }
            }
        }
        if (a->child != NULL) {
            WL_TRY(check_keys(name, a, depth + 1, err));
        }
    }
    return WL_OK;
}

static wl_status parse(const char *name, const char *text, size_t bytes, cJSON **out,
                       struct wl_error *err)
{
    const char *end = NULL;
    cJSON *tree = cJSON_ParseWithLengthOpts(text, bytes, &end, 0);
    if (tree == NULL) {
        if (end == NULL || end < text || end > text + bytes) {
            end = text;
        }
        struct place p = place_of(text, end);
        return wl_fail(err, WL_ERR_PARSE, name, "line %d, column %d: not JSON; near \"%.*s\"",
                       p.line, p.column, (int)wl_min_i64(24, text + bytes - end), end);
    }
    while (end < text + bytes && is_space(*end)) {
        end++;
    }
    wl_status status = WL_OK;
    if (end < text + bytes) {
        struct place p = place_of(text, end);
        status = wl_fail(err, WL_ERR_PARSE, name,
                         "line %d, column %d: more text after the JSON document; remove it", p.line,
                         p.column);
    } else if (!cJSON_IsObject(tree)) {
        status = wl_fail(err, WL_ERR_INVALID, name, "is not a JSON object; { ... } is needed");
    } else {
        status = check_keys(name, tree, 0, err);
    }
    if (status != WL_OK) {
        cJSON_Delete(tree);
        return status;
    }
    *out = tree;
    return WL_OK;
}

wl_status wl_json_parse(const char *name, const char *text, size_t bytes, cJSON **out,
                        struct wl_error *err)
{
    if (bytes == 0) {
        return wl_fail(err, WL_ERR_PARSE, name, "is empty; a JSON object is needed");
    }
    if (bytes > WL_JSON_BYTES_MAX) {
        return wl_fail(err, WL_ERR_LIMIT, name, "has %zu bytes; at most %d are read", bytes,
                       WL_JSON_BYTES_MAX);
    }
    if (!wl_utf8_valid(text, bytes)) {
        return wl_fail(err, WL_ERR_PARSE, name, "is not UTF-8 text; JSON is UTF-8");
    }
    return parse(name, text, bytes, out, err);
}

wl_status wl_json_read(const char *path, cJSON **out, struct wl_error *err)
{
    struct wl_file file;
    WL_TRY(wl_file_open(path, &file, err));
    wl_status status = wl_json_parse(path, (const char *)file.data, file.bytes, out, err);
    wl_file_close(&file);
    return status;
}
