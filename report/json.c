/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report/json.c: JSON by call order. Keys are our own literals; string values are escaped, and
 * bytes that are not UTF-8 become U+FFFD. Numbers carry 17 significant digits, integers all of
 * theirs (cJSON's printer would round both).
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "report.h"

#define DEPTH_MAX 31

static void indent(struct wl_emitter *e)
{
    if (e->compact) {
        return;
    }
    wl_buf_puts(e->out, "\n");
    for (int i = 0; i < e->depth; i++) {
        wl_buf_puts(e->out, "  ");
    }
}

static void put_string(struct wl_buf *out, struct wl_str s);

/* Comma, line and key of the next value. */
static void next_value(struct wl_emitter *e, const char *key)
{
    if (!e->first[e->depth]) {
        wl_buf_puts(e->out, ",");
    }
    e->first[e->depth] = false;
    if (e->depth > 0) {
        indent(e);
    }
    if (key != NULL) {
        put_string(e->out, wl_str(key));
        wl_buf_puts(e->out, e->compact ? ":" : ": ");
    }
}

static void open_container(struct wl_emitter *e, const char *key, const char *bracket)
{
    next_value(e, key);
    wl_buf_puts(e->out, bracket);
    if (e->depth < DEPTH_MAX) {
        e->depth++;
    }
    e->first[e->depth] = true;
}

void wl_json_begin(struct wl_emitter *e, struct wl_buf *out)
{
    *e = (struct wl_emitter){.out = out};
    e->first[0] = true;
    open_container(e, NULL, "{");
}

void wl_json_end(struct wl_emitter *e)
{
    wl_json_close(e, '}');
    wl_buf_puts(e->out, "\n");
}

void wl_json_object(struct wl_emitter *e, const char *key)
{
    open_container(e, key, "{");
}

void wl_json_array(struct wl_emitter *e, const char *key)
{
    open_container(e, key, "[");
}

void wl_json_close(struct wl_emitter *e, char bracket)
{
    bool empty = e->first[e->depth];
    e->depth--;
    if (!empty) {
        indent(e);
    }
    wl_buf_add(e->out, &bracket, 1);
}

void wl_json_int(struct wl_emitter *e, const char *key, int64_t v)
{
    next_value(e, key);
    wl_buf_printf(e->out, "%" PRId64, v);
}

void wl_json_num(struct wl_emitter *e, const char *key, double v)
{
    next_value(e, key);
    if (isfinite(v)) {
        wl_buf_printf(e->out, "%.17g", v);
    } else {
        wl_buf_puts(e->out, "null");
    }
}

/* Length of the valid UTF-8 sequence at s, or 0. */
static size_t utf8_length(const char *s, size_t left)
{
    for (size_t len = 1; len <= 4 && len <= left; len++) {
        if (wl_utf8_valid(s, len)) {
            return len;
        }
    }
    return 0;
}

static void put_string(struct wl_buf *out, struct wl_str s)
{
    wl_buf_puts(out, "\"");
    for (size_t i = 0; i < s.len;) {
        unsigned char c = (unsigned char)s.data[i];
        if (c == '"' || c == '\\') {
            wl_buf_printf(out, "\\%c", c);
            i++;
        } else if (c < 0x20 || c == 0x7f) {
            wl_buf_printf(out, "\\u%04x", c);
            i++;
        } else if (c < 0x80) {
            size_t run = i;
            while (run < s.len && (unsigned char)s.data[run] >= 0x20 &&
                   (unsigned char)s.data[run] < 0x7f && s.data[run] != '"' && s.data[run] != '\\') {
                run++;
            }
            wl_buf_add(out, s.data + i, run - i);
            i = run;
        } else {
            size_t len = utf8_length(s.data + i, s.len - i);
            if (len == 0) {
                wl_buf_puts(out, "\xEF\xBF\xBD");
                i++;
            } else {
                wl_buf_add(out, s.data + i, len);
                i += len;
            }
        }
    }
    wl_buf_puts(out, "\"");
}

void wl_json_strn(struct wl_emitter *e, const char *key, struct wl_str v)
{
    next_value(e, key);
    put_string(e->out, v);
}

void wl_json_str(struct wl_emitter *e, const char *key, const char *v)
{
    if (v == NULL) {
        wl_json_null(e, key);
    } else {
        wl_json_strn(e, key, wl_str(v));
    }
}

void wl_json_bool(struct wl_emitter *e, const char *key, bool v)
{
    next_value(e, key);
    wl_buf_puts(e->out, v ? "true" : "false");
}

void wl_json_null(struct wl_emitter *e, const char *key)
{
    next_value(e, key);
    wl_buf_puts(e->out, "null");
}

void wl_json_dim(struct wl_emitter *e, const char *key, const struct wl_dim_pool *p,
                 struct wl_dim d)
{
    if (wl_dim_is_known(d)) {
        wl_json_int(e, key, d.value);
        return;
    }
    if (wl_dim_is_unknown(d)) {
        wl_json_null(e, key);
        return;
    }
    struct wl_buf text;
    wl_buf_init(&text);
    wl_dim_print(p, d, &text);
    wl_json_str(e, key, text.failed ? NULL : text.data);
    wl_buf_done(&text);
}
