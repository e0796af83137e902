/* SPDX-License-Identifier: Apache-2.0 */
/*
 * diff.h: two results of `analyze --format json` against each other: totals, then subgraphs by
 * name; and conditions on the totals for continuous integration.
 */
#ifndef WL_DIFF_H
#define WL_DIFF_H

#include "report.h"

/* A number of both sides; NaN where a side has none. `change` is b / a - 1. */
struct wl_diff_value {
    const char *key;
    double a, b;
    double
        change; /* 0 where both are equal; infinite where only a is 0; NaN where one is missing */
};

enum wl_diff_status { WL_DIFF_SAME, WL_DIFF_CHANGED, WL_DIFF_ADDED, WL_DIFF_REMOVED };
const char *wl_diff_status_name(enum wl_diff_status s);

#define WL_DIFF_SUBGRAPH_VALUES 6 /* latency_s and energy_j first */
struct wl_diff_subgraph {
    const char *name;
    enum wl_diff_status status;
    struct wl_diff_value values[WL_DIFF_SUBGRAPH_VALUES];
    const char *pattern_a, *pattern_b; /* NULL on the side that lacks it */
    const char *bound_a, *bound_b;
};

/* Owns its arena. Subgraphs: those of a in its order, then those that only b has in b's order. */
struct wl_diff {
    struct wl_arena arena;
    const char *label_a, *label_b; /* "resnet50 on nvidia_a100_sxm_80gb, fp16, batch 8" */
    struct wl_diff_value *totals;
    int32_t total_count;
    const char *bottleneck_a, *bottleneck_b;
    struct wl_diff_subgraph *subgraphs;
    int32_t subgraph_count;
    int32_t by_status[WL_DIFF_REMOVED + 1];
};

/*
 * From the texts of two results. `name_a` and `name_b` are for messages. INVALID where a text is
 * not a result of analyze.
 */
wl_status wl_diff_results(const char *name_a, struct wl_str a, const char *name_b, struct wl_str b,
                          struct wl_diff *out, struct wl_error *err) WL_MUST_CHECK;
void wl_diff_done(struct wl_diff *d);

/* Text, JSON, CSV or Markdown. With `all`, text and Markdown list every subgraph. */
wl_status wl_report_diff(const struct wl_diff *d, const struct wl_report_options *opt, bool all,
                         struct wl_buf *out, struct wl_error *err) WL_MUST_CHECK;

/*
 * A condition KEY OP VALUE on a total: "latency_s>+5%" (relative change), "energy_j>+0.1"
 * (difference), "energy_j>0.1" (value of b). OP is one of > >= < <= == !=. Appends to `why` what
 * held. USAGE for a key that is none or a text that is no condition.
 */
wl_status wl_diff_check(const struct wl_diff *d, const char *condition, bool *holds,
                        struct wl_buf *why, struct wl_error *err) WL_MUST_CHECK;

#endif
