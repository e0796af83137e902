/* SPDX-License-Identifier: Apache-2.0 */
/* core/error.c: filling struct wl_error; diagnostics lists. Their texts are one line of valid
 * UTF-8. */
#include <stdio.h>
#include <string.h>

#include "core.h"

/* Bytes of the UTF-8 character at p; 0 where there is none. */
static size_t utf8_bytes(const char *p)
{
    for (size_t n = 1; n <= 4; n++) {
        if (wl_utf8_valid(p, n)) {
            return n;
        }
        if (p[n] == '\0') {
            break;
        }
    }
    return 0;
}

/* One line of valid UTF-8, whatever a file put into a name. */
static void clean(char *text)
{
    for (char *p = text; *p != '\0';) {
        size_t n = utf8_bytes(p);
        bool control = (unsigned char)*p < ' ' || *p == 0x7f;
        if (n == 0 || control) {
            *p = control ? ' ' : '?';
        }
        p += n == 0 ? 1 : n;
    }
}

wl_status wl_fail(struct wl_error *err, wl_status code, const char *where, const char *fmt, ...)
{
    if (err == NULL) {
        return code;
    }
    err->code = code;
    (void)snprintf(err->where, sizeof(err->where), "%s", where == NULL ? "" : where);
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(err->message, sizeof(err->message), fmt, args);
    va_end(args);
    clean(err->message);
    clean(err->where);
    return code;
}

wl_status wl_fail_nomem(struct wl_error *err)
{
    return wl_fail(
        err, WL_ERR_NOMEM, "memory",
        "the memory or the limit set for this work is exhausted; a smaller model or more "
        "memory would work");
}

const char *wl_status_name(wl_status code)
{
    switch (code) {
    case WL_OK:
        return "ok";
    case WL_ERR_NOMEM:
        return "out of memory";
    case WL_ERR_IO:
        return "input/output";
    case WL_ERR_PARSE:
        return "parse";
    case WL_ERR_INVALID:
        return "invalid";
    case WL_ERR_UNSUPPORTED:
        return "not supported";
    case WL_ERR_LIMIT:
        return "limit";
    case WL_ERR_BUG:
        return "internal";
    case WL_ERR_USAGE:
        return "usage";
    }
    return "unknown";
}

/* ---- diagnostics -------------------------------------------------------------------------- */

const char *wl_severity_name(enum wl_severity s)
{
    static const char *const names[WL_SEV_COUNT] = {"info", "warning", "error"};
    return names[s];
}

void wl_diag_init(struct wl_diag_list *l, struct wl_arena *arena)
{
    *l = (struct wl_diag_list){.arena = arena};
}

static bool diag_known(const struct wl_diag_list *l, const char *code, const char *where)
{
    for (int32_t i = 0; i < l->count; i++) {
        if (strcmp(l->items[i].code, code) == 0 && strcmp(l->items[i].where, where) == 0) {
            return true;
        }
    }
    return false;
}

void wl_diag_add(struct wl_diag_list *l, enum wl_severity severity, const char *code,
                 const char *where, const char *fmt, ...)
{
    if (l == NULL) {
        return;
    }
    if (l->count >= WL_DIAG_MAX) {
        l->dropped++;
        return;
    }
    char place[512];
    (void)snprintf(place, sizeof(place), "%s", where);
    clean(place);
    if (diag_known(l, code, place)) {
        return;
    }
    char text[1024];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    clean(text);
    char *where_copy = wl_arena_strndup(l->arena, place, strlen(place));
    char *text_copy = wl_arena_strndup(l->arena, text, strlen(text));
    if (where_copy == NULL || text_copy == NULL ||
        wl_arena_reserve(l->arena, (void **)&l->items, &l->capacity, l->count + 1,
                         sizeof(*l->items)) != WL_OK) {
        l->dropped++;
        return;
    }
    l->items[l->count++] = (struct wl_diag){severity, code, where_copy, text_copy};
}

bool wl_diag_has(const struct wl_diag_list *l, enum wl_severity at_least)
{
    if (l->dropped > 0) {
        return true;
    }
    for (int32_t i = 0; i < l->count; i++) {
        if (l->items[i].severity >= at_least) {
            return true;
        }
    }
    return false;
}
