/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report/table.c: tables and numbers for people. Widths come from the data, counted in characters
 * (UTF-8 code points); numbers stand right, text left; a cell that is cut ends in "~".
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report.h"

const char *wl_format_si(double value, const char *unit, char *out, size_t out_size)
{
    static const char *const prefixes[] = {"f", "p", "n", "µ", "m", "",
                                           "k", "M", "G", "T", "P", "E"};
    const int zero = 5;
    const int last = (int)WL_ARRAY_LEN(prefixes) - 1;
    double size = fabs(value);
    if (!isfinite(value)) {
        (void)snprintf(out, out_size, "-");
        return out;
    }
    int step = zero;
    if (size > 0) {
        step = zero + (int)floor(log10(size) / 3);
        step = step < 0 ? 0 : step > last ? last : step;
        /* 999.96 rounds to 1000: take the next prefix. */
        if (size / pow(1000, step - zero) >= 999.5 && step < last) {
            step++;
        }
    }
    double scaled = value / pow(1000, step - zero);
    int decimals = fabs(scaled) >= 99.95 || size == 0 ? 0 : fabs(scaled) >= 9.995 ? 1 : 2;
    bool whole = step == zero && scaled == floor(scaled);
    const char *gap = *unit != '\0' || *prefixes[step] != '\0' ? " " : "";
    (void)snprintf(out, out_size, "%.*f%s%s%s", whole ? 0 : decimals, scaled, gap, prefixes[step],
                   unit);
    return out;
}

int wl_text_width(const char *s)
{
    int width = 0;
    for (; *s != '\0'; s++) {
        width += ((unsigned char)*s & 0xC0) != 0x80;
    }
    return width;
}

wl_status wl_table_init(struct wl_table *t, int32_t columns, const char *const *headings,
                        const char *alignment)
{
    memset(t, 0, sizeof(*t));
    wl_arena_init(&t->arena, 0);
    t->columns = columns;
    t->headings = wl_arena_array(&t->arena, (size_t)columns, sizeof(*t->headings));
    bool *right = WL_ARRAY(&t->arena, bool, columns);
    if (t->headings == NULL || right == NULL) {
        wl_arena_done(&t->arena);
        return WL_ERR_NOMEM;
    }
    for (int32_t i = 0; i < columns; i++) {
        t->headings[i] = wl_arena_strndup(&t->arena, headings[i], strlen(headings[i]));
        right[i] = alignment[i] == 'r';
        if (t->headings[i] == NULL) {
            wl_arena_done(&t->arena);
            return WL_ERR_NOMEM;
        }
    }
    t->right = right;
    return WL_OK;
}

void wl_table_row(struct wl_table *t, const char *const *cells)
{
    const char **row = wl_arena_array(&t->arena, (size_t)t->columns, sizeof(*row));
    if (row == NULL || wl_arena_reserve(&t->arena, (void **)&t->rows, &t->row_capacity,
                                        t->row_count + 1, sizeof(*t->rows)) != WL_OK) {
        return;
    }
    for (int32_t i = 0; i < t->columns; i++) {
        row[i] = wl_arena_strndup(&t->arena, cells[i], strlen(cells[i]));
        if (row[i] == NULL) {
            return;
        }
    }
    t->rows[t->row_count++] = row;
}

void wl_table_done(struct wl_table *t)
{
    wl_arena_done(&t->arena);
}

/* Names with a path keep their end, which tells them apart; other text keeps its beginning. */
static void put_cut(const char *s, int have, int width, struct wl_buf *out)
{
    bool keep_end = strchr(s, '/') != NULL;
    int skip = keep_end ? have - width + 1 : 0;
    int take = width - 1;
    wl_buf_puts(out, keep_end ? "~" : "");
    for (; *s != '\0'; s++) {
        bool starts = ((unsigned char)*s & 0xC0) != 0x80;
        if (starts && skip > 0) {
            skip--;
            continue;
        }
        if (starts && take-- == 0) {
            break;
        }
        if (skip == 0) {
            wl_buf_add(out, s, 1);
        }
    }
    wl_buf_puts(out, keep_end ? "" : "~");
}

/* Prints `s` in `width` characters, cut or padded. */
static void put_cell(const char *s, int width, bool right, bool last, struct wl_buf *out)
{
    int have = wl_text_width(s);
    if (have > width) {
        put_cut(s, have, width, out);
        return;
    }
    if (right) {
        wl_buf_printf(out, "%*s%s", width - have, "", s);
    } else if (last) {
        wl_buf_puts(out, s);
    } else {
        wl_buf_printf(out, "%s%*s", s, width - have, "");
    }
}

static void put_row(const struct wl_table *t, const char *const *cells, const int *widths,
                    const char *indent, struct wl_buf *out)
{
    wl_buf_puts(out, indent);
    for (int32_t i = 0; i < t->columns; i++) {
        wl_buf_puts(out, i > 0 ? "  " : "");
        put_cell(cells[i], widths[i], t->right[i], i == t->columns - 1, out);
    }
    while (out->len > 0 && out->data[out->len - 1] == ' ') {
        out->data[--out->len] = '\0';
    }
    wl_buf_puts(out, "\n");
}

#define COLUMNS_MAX 32
#define SHRINK_LEAST 8

/* Takes `excess` characters from the widest text columns, one at a time. */
static void shrink_text(const struct wl_table *t, int *widths, int excess)
{
    for (; excess > 0; excess--) {
        int32_t widest = WL_NONE;
        for (int32_t i = 0; i < t->columns; i++) {
            if (!t->right[i] && widths[i] > SHRINK_LEAST &&
                (widest == WL_NONE || widths[i] > widths[widest])) {
                widest = i;
            }
        }
        if (widest == WL_NONE) {
            return;
        }
        widths[widest]--;
    }
}

void wl_table_print(const struct wl_table *t, int width, bool shrink, const char *indent,
                    struct wl_buf *out)
{
    int widths[COLUMNS_MAX];
    int total = wl_text_width(indent) + 2 * (t->columns - 1);
    if (t->columns > COLUMNS_MAX) {
        return;
    }
    for (int32_t i = 0; i < t->columns; i++) {
        widths[i] = wl_text_width(t->headings[i]);
        for (int32_t r = 0; r < t->row_count; r++) {
            int w = wl_text_width(t->rows[r][i]);
            widths[i] = w > widths[i] ? w : widths[i];
        }
        total += widths[i];
    }
    if (shrink) {
        shrink_text(t, widths, total - width);
    }
    put_row(t, t->headings, widths, indent, out);
    for (int32_t r = 0; r < t->row_count; r++) {
        put_row(t, t->rows[r], widths, indent, out);
    }
}
