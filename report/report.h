/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report: results -> text, JSON, CSV, Markdown. A walk over the result (sections.c) speaks to a
 * small emitter vtable; formats know nothing of networks. Text for people is laid out by text_*.c.
 */
#ifndef WL_REPORT_H
#define WL_REPORT_H

#include "pipeline.h"

enum wl_format {
    WL_FORMAT_TEXT,
    WL_FORMAT_JSON,
    WL_FORMAT_CSV,
    WL_FORMAT_MD,
    WL_FORMAT_DOT,
    WL_FORMAT_TRACE, /* Chrome's trace events */
    WL_FORMAT_COUNT
};
/* WL_FORMAT_COUNT when the name is none. */
enum wl_format wl_format_find(const char *name);

#define WL_VIEW_SUMMARY 1u
#define WL_VIEW_LAYERS 2u
#define WL_VIEW_ENERGY 4u
#define WL_VIEW_ROOFLINE 8u
#define WL_VIEW_MEMORY 16u
#define WL_VIEW_CONCURRENCY 32u
#define WL_VIEW_ADVICE 64u
/* 0 when the name is none. */
uint32_t wl_view_find(const char *name);

struct wl_advice; /* pipeline/advice.h */

struct wl_report_options {
    enum wl_format format;
    uint32_t views;                 /* text and csv */
    const struct wl_advice *advice; /* computed when its view is asked for, else NULL */
    int width;                      /* columns of text, at most; 100 by default */
};

/* ---- emitter: how structured formats are written -------------------------------------------- */

/*
 * Nested objects and arrays with named fields, in call order. Numbers are printed so that they read
 * back exactly (17 significant digits); NaN and infinity as null.
 */
struct wl_emitter {
    struct wl_buf *out;
    int depth;
    bool compact;   /* one line: JSON lines */
    bool first[32]; /* nothing yet in the open container at this depth */
};

void wl_json_begin(struct wl_emitter *e, struct wl_buf *out);
void wl_json_end(struct wl_emitter *e);
void wl_json_object(struct wl_emitter *e, const char *key); /* key NULL inside arrays */
void wl_json_array(struct wl_emitter *e, const char *key);
void wl_json_close(struct wl_emitter *e, char bracket); /* '}' or ']' */
void wl_json_int(struct wl_emitter *e, const char *key, int64_t v);
void wl_json_num(struct wl_emitter *e, const char *key, double v);
void wl_json_str(struct wl_emitter *e, const char *key, const char *v); /* NULL: null */
void wl_json_strn(struct wl_emitter *e, const char *key, struct wl_str v);
void wl_json_bool(struct wl_emitter *e, const char *key, bool v);
void wl_json_null(struct wl_emitter *e, const char *key);
void wl_json_dim(struct wl_emitter *e, const char *key, const struct wl_dim_pool *p,
                 struct wl_dim d);

/* ---- numbers for people ------------------------------------------------------------------------
 */

/* "1.81 G", "3.2 ms", "14.6 mJ", "46.8 MB" with 3 significant digits; unit "" for plain counts. */
const char *wl_format_si(double value, const char *unit, char *out, size_t out_size);

/* ---- tables for people
 * --------------------------------------------------------------------------- */

/* Columns sized from the data; numbers right-aligned, text left; cut with an ellipsis to the width.
 */
struct wl_table {
    struct wl_arena arena;
    int32_t columns;
    const char **headings;
    const bool *right; /* by column */
    const char ***rows;
    int32_t row_count, row_capacity;
};
wl_status wl_table_init(struct wl_table *t, int32_t columns, const char *const *headings,
                        const char *alignment /* "lrr..." */) WL_MUST_CHECK;
/* `cells` has `columns` strings; copied. Exhaustion drops the row. */
void wl_table_row(struct wl_table *t, const char *const *cells);
/* With `shrink`, text columns are cut, widest first, until the table fits `width`. */
void wl_table_print(const struct wl_table *t, int width, bool shrink, const char *indent,
                    struct wl_buf *out);
/* Characters (not bytes) of UTF-8 text. */
int wl_text_width(const char *s);
void wl_table_done(struct wl_table *t);

/* ---- reports
 * ----------------------------------------------------------------------------------------- */

/* `analyze`. Appends to `out`. */
wl_status wl_report_analysis(const struct wl_result *r, const char *model_name,
                             const struct wl_report_options *opt, struct wl_buf *out,
                             struct wl_error *err) WL_MUST_CHECK;
/* `analyze --explain`: the arithmetic of one subgraph with its numbers filled in. */
wl_status wl_report_explain(const struct wl_result *r, int32_t subgraph, struct wl_buf *out,
                            struct wl_error *err) WL_MUST_CHECK;
/* `graph`: `partition` may be NULL. */
wl_status wl_report_graph(struct wl_model *m, const char *model_name,
                          const struct wl_partition *partition, const struct wl_report_options *opt,
                          struct wl_buf *out, struct wl_error *err) WL_MUST_CHECK;

#endif
