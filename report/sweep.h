/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sweep.h: where the points of a sweep go: a CSV file, JSON lines, or an SQLite database, chosen by
 * the file's ending; and the summary at the end.
 */
#ifndef WL_SWEEP_H
#define WL_SWEEP_H

#include "compare.h"

struct wl_sweep_sink; /* one file being written */

/*
 * Opens FILE.csv, FILE.jsonl or FILE.sqlite. CSV and JSON lines are written beside the file and put
 * in place when complete; a database is continued: points that it holds already are kept. USAGE for
 * another ending; IO when it cannot be created, or is a database of something else.
 */
wl_status wl_sweep_open(const char *path, struct wl_sweep_sink **out,
                        struct wl_error *err) WL_MUST_CHECK;
/* True when the point (its parameters filled) is in the database already. */
bool wl_sweep_has(struct wl_sweep_sink *s, const struct wl_grid_row *row);
wl_status wl_sweep_add(struct wl_sweep_sink *s, const struct wl_grid_row *row,
                       struct wl_error *err) WL_MUST_CHECK;
/* Makes everything added durable and complete. Always closes. */
wl_status wl_sweep_finish(struct wl_sweep_sink *s, struct wl_error *err) WL_MUST_CHECK;
/* Closes after a failure: a database keeps what was committed, other files are removed. */
void wl_sweep_abandon(struct wl_sweep_sink *s);
/* Adds all points of the files `from` (databases) to the database `path`. */
wl_status wl_sweep_merge(const char *path, const char *const *from, int32_t count,
                         struct wl_error *err) WL_MUST_CHECK;

/* ---- summary --------------------------------------------------------------------------------- */

/*
 * Per series (model, device, mode, precision, fusion, dims): the best batch for latency,
 * throughput, energy and energy-delay product, the knee (smallest batch within 10 % of the best
 * throughput), and the first batch that is not bound by main memory. Bounded memory: past a limit
 * only counted.
 */
struct wl_sweep_summary;
struct wl_sweep_summary *wl_sweep_summary_new(void); /* NULL when memory is exhausted */
void wl_sweep_summary_add(struct wl_sweep_summary *s, const struct wl_grid_row *row);
/* A wanted point that the file held already. */
void wl_sweep_summary_present(struct wl_sweep_summary *s);
wl_status wl_sweep_summary_print(const struct wl_sweep_summary *s, int width, struct wl_buf *out,
                                 struct wl_error *err) WL_MUST_CHECK;
void wl_sweep_summary_free(struct wl_sweep_summary *s);

#endif
