/* SPDX-License-Identifier: Apache-2.0 */
/* compare.h: rows of a grid as tables and files: `compare` and the files of `sweep`. */
#ifndef WL_COMPARE_H
#define WL_COMPARE_H

#include "grid.h"
#include "report.h"

/* A quantity that rows are sorted, filtered and related by. `smaller` is better or not. */
struct wl_row_key {
    const char *name; /* as in totals: "latency_s" */
    const char *word; /* as on the command line: "latency" */
    bool smaller_is_better;
    double (*get)(const struct wl_grid_row *row);
};
/* By word or name; NULL when there is none. */
const struct wl_row_key *wl_row_key_find(const char *name);
/* "latency, throughput, energy, power ..." for messages. */
void wl_row_key_words(char *out, size_t size);

struct wl_comparison {
    const struct wl_model *model; /* of the first model; NULL when none could be loaded */
    const char *model_name;
    const struct wl_grid_row *rows; /* in the order to print */
    const bool *pareto;             /* by row */
    int32_t count;
    int32_t baseline; /* row that ratios refer to; WL_NONE: the best of each quantity */
    const char *why;  /* a paragraph, or NULL */
    bool many_models;
    /* by row; needed for the views layers and energy, else NULL; NULL where a row has none */
    const struct wl_result *const *results;
};

wl_status wl_report_comparison(const struct wl_comparison *c, const struct wl_report_options *opt,
                               struct wl_buf *out, struct wl_error *err) WL_MUST_CHECK;

/* What names a row: the device, or the model, or both where both differ. Returns `out`. */
const char *wl_compare_label(const struct wl_comparison *c, int32_t row, char *out, size_t size);
/* What --view layers and --view energy add: results side by side (compare_views.c). */
wl_status wl_compare_views_text(const struct wl_comparison *c, const struct wl_report_options *opt,
                                struct wl_buf *out, struct wl_error *err) WL_MUST_CHECK;
void wl_compare_views_json(const struct wl_comparison *c, const struct wl_report_options *opt,
                           struct wl_emitter *e);
void wl_compare_layers_csv(const struct wl_comparison *c, struct wl_buf *out);
void wl_compare_energy_csv(const struct wl_comparison *c, struct wl_buf *out);

/* Appends a paragraph: which of two results is faster, what binds each, where the time goes. */
void wl_report_why(const struct wl_result *a, const struct wl_result *b, struct wl_buf *out);

/* Columns of a point in CSV, JSON lines and SQLite: one list for all three. */
struct wl_point_column {
    const char *name;
    char kind; /* 's' text, 'i' integer, 'n' number */
    bool key;  /* part of the point's parameters */
};
const struct wl_point_column *wl_point_columns(int32_t *count);
/* The value of a column: exactly one of the three, or `*null`. Text is written into `text`. */
struct wl_point_value {
    bool null;
    const char *s;
    int64_t i;
    double n;
};
struct wl_point_value wl_point_value(const struct wl_grid_row *row, int32_t column);
void wl_point_csv_header(struct wl_buf *out);
void wl_point_csv(const struct wl_grid_row *row, struct wl_buf *out);
void wl_point_json(const struct wl_grid_row *row, struct wl_buf *out);

#endif
