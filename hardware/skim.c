/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hardware/skim.c: the few figures of `hw list` straight from the text of a spec.json. One pass, no
 * tree, values of no interest are stepped over: a registry of thousands of devices lists in
 * milliseconds. It trusts the file to be checked elsewhere and only refuses what is not JSON.
 */
#include <stdlib.h>
#include <string.h>

#include "registry_priv.h"

struct cursor {
    const char *p, *end, *begin;
    struct wl_arena *arena;
    const char *path;
    bool bad;
};

static void space(struct cursor *c)
{
    while (c->p < c->end && (*c->p == ' ' || *c->p == '\n' || *c->p == '\t' || *c->p == '\r')) {
        c->p++;
    }
}

static bool take(struct cursor *c, char wanted)
{
    space(c);
    if (c->p < c->end && *c->p == wanted) {
        c->p++;
        return true;
    }
    return false;
}

/* The bytes between the quotes, escapes left as they are. */
static struct wl_str string(struct cursor *c)
{
    if (!take(c, '"')) {
        c->bad = true;
        return WL_STR("");
    }
    const char *start = c->p;
    for (;;) {
        const char *quote = memchr(c->p, '"', (size_t)(c->end - c->p));
        if (quote == NULL) {
            c->bad = true;
            c->p = c->end;
            return WL_STR("");
        }
        const char *slash = quote;
        while (slash > start && slash[-1] == '\\') {
            slash--;
        }
        c->p = quote + 1;
        if ((quote - slash) % 2 == 0) {
            return (struct wl_str){start, (size_t)(quote - start)};
        }
    }
}

/* What matters when stepping over a value: quotes, brackets, and the comma that ends a plain one.
 */
static const bool stops[256] = {
    ['"'] = true, [','] = true, ['{'] = true, ['}'] = true, ['['] = true, [']'] = true};

/* Steps over one value of any kind, nested to any depth. */
static void skip(struct cursor *c)
{
    space(c);
    int64_t depth = 0;
    if (c->p < c->end && (*c->p == ',' || *c->p == '}' || *c->p == ']')) {
        c->bad = true; /* no value: not stepping on would never end */
        return;
    }
    while (c->p < c->end) {
        char ch = *c->p;
        if (!stops[(unsigned char)ch]) {
            c->p++;
            continue;
        }
        if (ch == '"') {
            (void)string(c);
            if (depth == 0) {
                return;
            }
            continue;
        }
        if (depth == 0 && (ch == ',' || ch == '}' || ch == ']')) {
            return;
        }
        c->p++;
        depth += ch == '{' || ch == '[' ? 1 : 0;
        depth -= ch == '}' || ch == ']' ? 1 : 0;
        if (depth == 0 && ch != ',') {
            return;
        }
    }
    c->bad = true;
}

/* Goes to the next key of an object whose '{' is taken; false at its end. */
static bool next_key(struct cursor *c, struct wl_str *key)
{
    (void)take(c, ',');
    if (c->bad || take(c, '}')) {
        return false;
    }
    *key = string(c);
    if (!take(c, ':')) {
        c->bad = true;
    }
    return !c->bad;
}

/* Goes to the next item of an array whose '[' is taken; false at its end. */
static bool next_item(struct cursor *c)
{
    (void)take(c, ',');
    if (c->bad || take(c, ']')) {
        return false;
    }
    space(c);
    c->bad = c->p >= c->end;
    return !c->bad;
}

/* Writes the character of \\uXXXX as UTF-8 (surrogates as '?'); returns the bytes written. */
static size_t put_unicode(const char *hex, size_t left, char *out)
{
    char digits[5] = "";
    memcpy(digits, hex, left < 4 ? left : 4);
    unsigned long v = strtoul(digits, NULL, 16);
    if (v < 0x80) {
        out[0] = (char)v;
        return 1;
    }
    if (v < 0x800) {
        out[0] = (char)(0xC0 | (v >> 6));
        out[1] = (char)(0x80 | (v & 0x3F));
        return 2;
    }
    if (v >= 0xD800 && v < 0xE000) {
        out[0] = '?';
        return 1;
    }
    out[0] = (char)(0xE0 | (v >> 12));
    out[1] = (char)(0x80 | ((v >> 6) & 0x3F));
    out[2] = (char)(0x80 | (v & 0x3F));
    return 3;
}

/* Resolves escapes in place: what they stand for is never longer. */
static void unescape(char *s)
{
    size_t n = 0, len = strlen(s);
    for (size_t i = 0; i < len; i++) {
        if (s[i] != '\\' || i + 1 >= len) {
            s[n++] = s[i];
            continue;
        }
        char c = s[++i];
        if (c == 'u') {
            n += put_unicode(s + i + 1, len - i - 1, s + n);
            i += len - i - 1 < 4 ? len - i - 1 : 4;
        } else {
            s[n++] = c == 'n' || c == 't' || c == 'r' || c == 'b' || c == 'f' ? ' ' : c;
        }
    }
    s[n] = '\0';
}

static const char *text(struct cursor *c)
{
    space(c);
    if (c->p >= c->end || *c->p != '"') {
        skip(c);
        return NULL;
    }
    struct wl_str s = string(c);
    char *copy = wl_arena_strndup(c->arena, s.data, s.len);
    if (copy != NULL && strchr(copy, '\\') != NULL) {
        unescape(copy);
    }
    return copy;
}

/* The number at the cursor; 0 where something else stands. */
static double plain_number(struct cursor *c)
{
    char digits[40];
    size_t n = 0;
    space(c);
    const char *start = c->p;
    skip(c);
    while (start + n < c->p && n < sizeof(digits) - 1) {
        digits[n] = start[n];
        n++;
    }
    digits[n] = '\0';
    return strtod(digits, NULL);
}

/* A number, plain or as {"value": ...}. */
static double number(struct cursor *c)
{
    struct wl_str key;
    double out = 0;
    if (!take(c, '{')) {
        return plain_number(c);
    }
    while (next_key(c, &key)) {
        if (wl_str_is(key, "value")) {
            out = plain_number(c);
        } else {
            skip(c);
        }
    }
    return out;
}

#define NAMES_MAX 32

static int32_t strings(struct cursor *c, const char ***out)
{
    const char *found[NAMES_MAX];
    int32_t count = 0;
    if (!take(c, '[')) {
        skip(c);
        return 0;
    }
    while (next_item(c)) {
        const char *s = text(c);
        if (s != NULL && count < NAMES_MAX) {
            found[count++] = s;
        }
    }
    *out = wl_arena_copy(c->arena, found, (size_t)count * sizeof(found[0]));
    return *out == NULL ? 0 : count;
}

/* "power": {"tdp_w": ...} */
static double tdp(struct cursor *c)
{
    struct wl_str key;
    double out = 0;
    if (!take(c, '{')) {
        skip(c);
        return 0;
    }
    while (next_key(c, &key)) {
        if (wl_str_is(key, "tdp_w")) {
            out = number(c);
        } else {
            skip(c);
        }
    }
    return out;
}

/* "power_modes": [{"name": ...}] */
static int32_t mode_names(struct cursor *c, const char ***out)
{
    const char *found[NAMES_MAX];
    int32_t count = 0;
    if (!take(c, '[')) {
        skip(c);
        return 0;
    }
    while (next_item(c)) {
        struct wl_str key;
        if (!take(c, '{')) {
            skip(c);
            continue;
        }
        while (next_key(c, &key)) {
            const char *name = NULL;
            if (wl_str_is(key, "name")) {
                name = text(c);
            } else {
                skip(c);
            }
            if (name != NULL && count < NAMES_MAX) {
                found[count++] = name;
            }
        }
    }
    *out = wl_arena_copy(c->arena, found, (size_t)count * sizeof(found[0]));
    return *out == NULL ? 0 : count;
}

static void pipe_precisions(struct cursor *c, bool *precisions)
{
    struct wl_str key;
    if (!take(c, '{')) {
        skip(c);
        return;
    }
    while (next_key(c, &key)) {
        for (int p = 0; p < WL_PREC_COUNT; p++) {
            precisions[p] =
                precisions[p] || wl_str_is(key, wl_precision_name((enum wl_precision)p));
        }
        skip(c);
    }
}

/* "pipes": [{"kind": ..., "ops_per_cycle": {"fp32": ...}}]; special units compute no products. */
static void pipes(struct cursor *c, bool *precisions)
{
    if (!take(c, '[')) {
        skip(c);
        return;
    }
    while (next_item(c)) {
        struct wl_str key;
        bool found[WL_PREC_COUNT] = {false}, special = false;
        if (!take(c, '{')) {
            skip(c);
            continue;
        }
        while (next_key(c, &key)) {
            if (wl_str_is(key, "ops_per_cycle")) {
                pipe_precisions(c, found);
            } else if (wl_str_is(key, "kind")) {
                const char *kind = text(c);
                special = kind != NULL && strcmp(kind, "special") == 0;
            } else {
                skip(c);
            }
        }
        for (int p = 0; p < WL_PREC_COUNT; p++) {
            precisions[p] = precisions[p] || (found[p] && !special);
        }
    }
}

static int class_of(const char *name)
{
    for (int i = 0; name != NULL && i < WL_HW_CLASS_COUNT; i++) {
        if (strcmp(name, wl_hw_class_name((enum wl_hw_class)i)) == 0) {
            return i;
        }
    }
    return -1;
}

static void member(struct cursor *c, struct wl_str key, struct wl_skim *out)
{
    if (wl_str_is(key, "id")) {
        out->id = text(c);
    } else if (wl_str_is(key, "name")) {
        out->name = text(c);
    } else if (wl_str_is(key, "vendor")) {
        out->vendor = text(c);
    } else if (wl_str_is(key, "process")) {
        out->process = text(c);
    } else if (wl_str_is(key, "extends")) {
        out->extends = text(c);
    } else if (wl_str_is(key, "class")) {
        out->class = class_of(text(c));
    } else if (wl_str_is(key, "aliases")) {
        out->alias_count = strings(c, &out->aliases);
    } else if (wl_str_is(key, "power")) {
        out->tdp_w = tdp(c);
    } else if (wl_str_is(key, "power_modes")) {
        out->mode_count = mode_names(c, &out->modes);
    } else if (wl_str_is(key, "pipes")) {
        pipes(c, out->precisions);
    } else {
        skip(c);
    }
}

wl_status wl_skim_spec(struct wl_arena *arena, const char *path, const char *bytes, size_t count,
                       struct wl_skim *out, struct wl_error *err)
{
    *out = (struct wl_skim){.class = -1};
    if (count == 0) {
        return wl_fail(err, WL_ERR_PARSE, path, "is empty; a JSON object is needed");
    }
    struct cursor c = {bytes, bytes + count, bytes, arena, path, false};
    struct wl_str key;
    if (!take(&c, '{')) {
        return wl_fail(err, WL_ERR_PARSE, path, "is not a JSON object; { ... } is needed");
    }
    while (next_key(&c, &key)) {
        member(&c, key, out);
    }
    if (c.bad) {
        int line = 1;
        for (const char *s = c.begin; s < c.p; s++) {
            line += *s == '\n' ? 1 : 0;
        }
        return wl_fail(err, WL_ERR_PARSE, path, "line %d: not JSON", line);
    }
    return WL_OK;
}
