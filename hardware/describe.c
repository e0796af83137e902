/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hardware/describe.c: the documentation of every registry file, printed from the field tables that
 * the loader uses.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "registry_priv.h"

static const struct wl_field_table *const roots[] = {
    &wl_spec_table,  &wl_calibration_table, &wl_runtime_table,
    &wl_class_table, &wl_process_table,     &wl_memory_table,
};

/* Breaks `text` at spaces so that no line passes 100 columns. */
static void wrapped(struct wl_buf *out, int indent, const char *text)
{
    int column = 0;
    for (const char *s = text; *s != '\0';) {
        size_t len = strcspn(s, " ");
        if (column > 0 && indent + column + 1 + (int)len > 100) {
            wl_buf_puts(out, "\n");
            column = 0;
        }
        if (column == 0) {
            wl_buf_printf(out, "%*s", indent, "");
        } else {
            wl_buf_puts(out, " ");
            column++;
        }
        wl_buf_add(out, s, len);
        column += (int)len;
        s += len + (s[len] == ' ' ? 1 : 0);
    }
    wl_buf_puts(out, "\n");
}

static bool is_number(const struct wl_field *f)
{
    return f->type == WL_F_INT || f->type == WL_F_NUM || f->type == WL_F_PLAIN ||
           f->type == WL_F_PRECISIONS || f->type == WL_F_EVENTS || f->type == WL_F_NUMBERS;
}

static void put_type(struct wl_buf *out, const struct wl_field *f)
{
    wl_buf_puts(out, wl_field_type_text(f));
    for (int i = 0; f->names != NULL && f->names[i] != NULL; i++) {
        wl_buf_printf(out, "%s%s", i == 0 ? ": " : ", ", f->names[i]);
    }
    if (f->unit != NULL) {
        wl_buf_printf(out, ", %s", f->unit);
    }
    if (is_number(f)) {
        wl_buf_printf(out, ", %g to %g", f->min, f->max);
    }
    wl_buf_puts(out, f->required ? "; required" : "");
}

static void put_table(struct wl_buf *out, const struct wl_field_table *t, const char *at)
{
    for (int32_t i = 0; i < t->count; i++) {
        const struct wl_field *f = &t->fields[i];
        char path[128];
        (void)snprintf(path, sizeof(path), "%s/%s%s", at, f->key, f->type == WL_F_LIST ? "[]" : "");
        wl_buf_printf(out, "  %s: ", path);
        put_type(out, f);
        wl_buf_puts(out, "\n");
        wrapped(out, 6, f->doc);
        if (f->table != NULL) {
            put_table(out, f->table, path);
        }
    }
}

void wl_hw_describe(struct wl_buf *out)
{
    for (size_t i = 0; i < WL_ARRAY_LEN(roots); i++) {
        wl_buf_printf(out, "%s%s\n", i == 0 ? "" : "\n", roots[i]->doc);
        put_table(out, roots[i], "");
    }
    wl_buf_puts(out, "\nany number in a spec, class, process, memory or runtime file\n");
    wrapped(
        out, 2,
        "is plain, and then the enclosing object's \"source\" (a key of \"sources\") or \"basis\" "
        "and \"reason\" hold; or it is {\"value\": 105, \"basis\": \"assumed\", \"reason\": "
        "\"...\"}. basis: measured, datasheet, derived, assumed.");
    wl_buf_puts(out, "\nenergy events (events_pj, class events)\n");
    for (int e = 0; e < WL_EVENT_COUNT; e++) {
        const struct wl_event_info *info = wl_event_info((enum wl_event)e);
        char key[64];
        wl_event_key_lower((enum wl_event)e, key, sizeof(key));
        wl_buf_printf(out, "  %s%s: %s\n", key, info->by_precision ? " (by precision)" : "",
                      info->counted);
    }
}

void wl_event_key_lower(enum wl_event e, char *out, size_t size)
{
    size_t n = 0;
    for (const char *s = wl_event_key(e); *s != '\0' && n + 1 < size; s++) {
        out[n++] = (char)tolower((unsigned char)*s);
    }
    out[n] = '\0';
}
