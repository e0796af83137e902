/* SPDX-License-Identifier: Apache-2.0 */
/* cli/cli_util.c: errors and exit codes, data directories, output: what all commands share. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

int wl_cli_exit_code(wl_status code)
{
    switch (code) {
    case WL_OK:
        return WL_EXIT_OK;
    case WL_ERR_IO:
    case WL_ERR_PARSE:
    case WL_ERR_INVALID:
    case WL_ERR_LIMIT:
        return WL_EXIT_INPUT;
    case WL_ERR_USAGE:
        return WL_EXIT_USAGE;
    case WL_ERR_UNSUPPORTED:
        return WL_EXIT_UNSUPPORTED;
    case WL_ERR_NOMEM:
    case WL_ERR_BUG:
        return WL_EXIT_INTERNAL;
    }
    return WL_EXIT_INTERNAL;
}

int wl_cli_error(const struct wl_error *err)
{
    (void)fprintf(stderr, "wattline: %s: %s\n", err->where, err->message);
    return wl_cli_exit_code(err->code);
}

int wl_cli_usage(const char *where, const char *fmt, ...)
{
    va_list args;
    (void)fprintf(stderr, "wattline: %s: ", where);
    va_start(args, fmt);
    (void)vfprintf(stderr, fmt, args);
    va_end(args);
    (void)fputc('\n', stderr);
    return WL_EXIT_USAGE;
}

/* ---- data directories ------------------------------------------------------------------------ */

/* The folder that holds the running binary, or NULL. */
static char *binary_dir(struct wl_arena *arena)
{
    char path[4096];
    ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);
    if (len <= 0) {
        return NULL;
    }
    path[len] = '\0';
    char *slash = strrchr(path, '/');
    return slash == NULL ? NULL : wl_arena_strndup(arena, path, (size_t)(slash - path));
}

/*
 * `name` (registry, models) as installed (../share/wattline/<name>) or in a checkout: a folder of
 * that name above the binary, next to a CMakeLists.txt, at most five levels up (build/preset/...).
 */
static const char *data_dir(struct wl_arena *arena, const char *name)
{
    char *dir = binary_dir(arena);
    if (dir == NULL) {
        return NULL;
    }
    const char *installed = wl_arena_printf(arena, "%s/../share/wattline/%s", dir, name);
    if (installed != NULL && wl_path_is_dir(installed)) {
        return installed;
    }
    for (int up = 0; up < 5 && *dir != '\0'; up++) {
        const char *candidate = wl_arena_printf(arena, "%s/%s", dir, name);
        const char *beside = wl_arena_printf(arena, "%s/CMakeLists.txt", dir);
        if (candidate != NULL && beside != NULL && wl_path_is_dir(candidate) &&
            wl_path_exists(beside)) {
            return candidate;
        }
        char *slash = strrchr(dir, '/');
        if (slash == NULL) {
            break;
        }
        *slash = '\0';
    }
    return NULL;
}

const char *wl_cli_host_dir(struct wl_arena *arena)
{
    const char *own = getenv("WATTLINE_HOST_DIR");
    if (own != NULL && *own != '\0') {
        return own;
    }
    const char *xdg = getenv("XDG_DATA_HOME");
    if (xdg != NULL && *xdg != '\0') {
        return wl_arena_printf(arena, "%s/wattline", xdg);
    }
    const char *home = getenv("HOME");
    return home == NULL || *home == '\0' ? NULL
                                         : wl_arena_printf(arena, "%s/.local/share/wattline", home);
}

wl_status wl_cli_make_folders(struct wl_arena *arena, const char *path, struct wl_error *err)
{
    char *partial = wl_arena_strndup(arena, path, strlen(path));
    WL_TRY_PTR(partial, err);
    for (char *at = partial + 1; *at != '\0'; at++) {
        if (*at == '/') {
            *at = '\0';
            (void)mkdir(partial, 0777);
            *at = '/';
        }
    }
    if (mkdir(partial, 0777) != 0 && errno != EEXIST) {
        return wl_fail(err, WL_ERR_IO, path, "cannot be made: %s; WATTLINE_HOST_DIR names another",
                       strerror(errno));
    }
    return WL_OK;
}

wl_status wl_cli_registry_roots(struct wl_arena *arena, const char *option, const char *roots[4],
                                int32_t *count, struct wl_error *err)
{
    *count = 0;
    const char *from_env = getenv("WATTLINE_REGISTRY");
    const char *where = "--registry";
    const char *main_root = option;
    if (main_root == NULL && from_env != NULL && *from_env != '\0') {
        main_root = from_env;
        where = "WATTLINE_REGISTRY";
    }
    if (main_root != NULL && !wl_path_is_dir(main_root)) {
        return wl_fail(err, WL_ERR_USAGE, where, "%s is not a directory; name a registry folder",
                       main_root);
    }
    if (main_root == NULL) {
        main_root = data_dir(arena, "registry");
    }
    if (main_root != NULL) {
        roots[(*count)++] = main_root;
    }
    const char *host = wl_cli_host_dir(arena);
    if (host != NULL && wl_path_is_dir(host)) {
        roots[(*count)++] = host;
    }
    if (*count == 0) {
        return wl_fail(err, WL_ERR_USAGE, "registry",
                       "no device registry was found beside the program; name one with --registry "
                       "DIR or WATTLINE_REGISTRY");
    }
    return WL_OK;
}

const char *wl_cli_models_dir(struct wl_arena *arena, const char *option)
{
    if (option != NULL) {
        return option;
    }
    const char *from_env = getenv("WATTLINE_MODELS");
    return from_env != NULL && *from_env != '\0' ? from_env : data_dir(arena, "models");
}

const char *wl_cli_tools_dir(struct wl_arena *arena)
{
    const char *from_env = getenv("WATTLINE_TOOLS");
    return from_env != NULL && *from_env != '\0' ? from_env : data_dir(arena, "tools");
}

/* ---- output and numbers ------------------------------------------------------------------------
 */

wl_status wl_cli_output(const char *path, const struct wl_buf *text, struct wl_error *err)
{
    if (text->failed) {
        return wl_fail_nomem(err);
    }
    if (path != NULL && strcmp(path, "-") != 0) {
        return wl_file_write(path, text->data, text->len, err);
    }
    if (fwrite(text->data, 1, text->len, stdout) != text->len || fflush(stdout) != 0) {
        return wl_fail(err, WL_ERR_IO, "standard output", "cannot be written: %s", strerror(errno));
    }
    return WL_OK;
}

wl_status wl_cli_parse_int(const char *option, const char *text, int64_t min, int64_t max,
                           int64_t *out, struct wl_error *err)
{
    char *end = NULL;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    bool whole = *text != '\0' && *text != ' ' && *end == '\0';
    if (!whole || errno != 0 || v < min || v > max) {
        return wl_fail(err, WL_ERR_USAGE, option,
                       "\"%.60s\" is not a whole number from %" PRId64 " to %" PRId64
                       "; write %s %" PRId64,
                       text, min, max, option, min > 1 ? min : (int64_t)1);
    }
    *out = v;
    return WL_OK;
}

wl_status wl_cli_parse_ints(const char *option, const char *text, int64_t min, int64_t max,
                            int64_t *out, int32_t room, int32_t *count, struct wl_error *err)
{
    *count = 0;
    for (const char *s = text; *s != '\0';) {
        char one[24];
        size_t len = strcspn(s, ",");
        (void)snprintf(one, sizeof(one), "%.*s", (int)(len < 23 ? len : 23), s);
        if (*count == room) {
            return wl_fail(err, WL_ERR_USAGE, option, "has more than %d values; fewer would do",
                           (int)room);
        }
        WL_TRY(wl_cli_parse_int(option, one, min, max, &out[(*count)++], err));
        s += len + (s[len] == ',' ? 1 : 0);
    }
    return WL_OK;
}
