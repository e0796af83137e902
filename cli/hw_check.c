/* SPDX-License-Identifier: Apache-2.0 */
/* cli/hw_check.c: `hw check FILE...`: every problem of every file, one line each. */
#include <string.h>

#include "hw_priv.h"

/* A path stays; an id or alias of the registry becomes the path of its spec. */
static wl_status path_of(struct wl_cli_hw *h, const char *argument, const char **out,
                         struct wl_error *err)
{
    *out = argument;
    if (wl_path_exists(argument) || strchr(argument, '/') != NULL ||
        strstr(argument, ".json") != NULL) {
        return WL_OK;
    }
    struct wl_registry_entry *entries = NULL;
    int32_t count = 0;
    WL_TRY(wl_registry_list(&h->registry, &entries, &count, NULL, NULL, err));
    for (int32_t i = 0; i < count; i++) {
        bool named = strcmp(entries[i].id, argument) == 0;
        for (int32_t a = 0; a < entries[i].alias_count; a++) {
            named = named || wl_str_eq_nocase(wl_str(entries[i].aliases[a]), wl_str(argument));
        }
        *out = named ? entries[i].path : *out;
    }
    return WL_OK;
}

static wl_status check_one(struct wl_cli_hw *h, const char *argument, struct wl_buf *out,
                           struct wl_error *err)
{
    const char *path = NULL, *kind = NULL;
    struct wl_hw_problem *problems = NULL;
    int32_t count = 0, errors = 0;
    struct wl_error one = {0};
    WL_TRY(path_of(h, argument, &path, err));
    wl_status status = wl_hw_check(&h->registry, path, &kind, &problems, &count, &one);
    if (status == WL_ERR_NOMEM) {
        return wl_fail_nomem(err);
    }
    if (status != WL_OK) {
        wl_buf_printf(out, "%s: error: %s\n", one.where, one.message);
        h->problems = true;
        return WL_OK;
    }
    for (int32_t i = 0; i < count; i++) {
        bool warning = problems[i].warning;
        wl_buf_printf(out, "%s: %s: %s: %s\n", path, warning ? "warning" : "error",
                      problems[i].path, problems[i].message);
        errors += warning && !h->strict ? 0 : 1;
    }
    if (errors == 0) {
        wl_buf_printf(out, "%s: ok (%s%s)\n", path, kind, count > 0 ? ", with warnings" : "");
    }
    h->problems = h->problems || errors > 0;
    return WL_OK;
}

wl_status wl_cli_hw_check(struct wl_cli_hw *h, int argc, char **argv, struct wl_buf *out,
                          struct wl_error *err)
{
    if (h->describe) {
        wl_hw_describe(out);
        return WL_OK;
    }
    if (h->schema != NULL) {
        return wl_hw_schema(h->schema, out, err);
    }
    if (argc == 0) {
        return wl_fail(err, WL_ERR_USAGE, "hw check",
                       "no file is given; write wattline hw check FILE... or --describe");
    }
    for (int i = 0; i < argc; i++) {
        WL_TRY(check_one(h, argv[i], out, err));
    }
    return WL_OK;
}
