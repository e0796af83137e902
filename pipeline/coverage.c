/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pipeline/coverage.c: the ledger of what was modelled. One row per operator and status, sorted by
 * domain and name; shares are of the MACs of all executed nodes.
 */
#include <stdlib.h>
#include <string.h>

#include "pipeline_priv.h"

static double node_macs(const struct wl_graph *g, int32_t n)
{
    const struct wl_work *w = &g->work[n];
    const struct wl_node *node = &g->nodes[n];
    bool counted = (node->status == WL_NODE_MODELLED || node->status == WL_NODE_APPROXIMATED) &&
                   wl_dim_is_known(w->macs) && wl_dim_is_known(node->repeat);
    return counted ? (double)w->macs.value * (double)node->repeat.value : 0;
}

static int compare_rows(const void *a, const void *b)
{
    const struct wl_coverage_row *x = a;
    const struct wl_coverage_row *y = b;
    int order = strcmp(x->domain, y->domain);
    order = order != 0 ? order : strcmp(x->op, y->op);
    return order != 0 ? order : (int)x->status - (int)y->status;
}

/* One row per node, then equal neighbours are merged. */
static int32_t merge_rows(struct wl_coverage_row *rows, int32_t count)
{
    int32_t kept = 0;
    for (int32_t i = 0; i < count; i++) {
        if (kept > 0 && compare_rows(&rows[kept - 1], &rows[i]) == 0) {
            rows[kept - 1].count += rows[i].count;
            rows[kept - 1].macs_share += rows[i].macs_share;
        } else {
            rows[kept++] = rows[i];
        }
    }
    return kept;
}

/* Names by operator row where there is one: no copy is needed. */
static const char *name_of(struct wl_arena *arena, const struct wl_op *op, struct wl_str text,
                           const char *from_table)
{
    return op != NULL ? from_table : wl_arena_strndup(arena, text.data, text.len);
}

wl_status wl_coverage_run(const struct wl_graph *g, struct wl_arena *arena, struct wl_coverage *out,
                          struct wl_error *err)
{
    *out = (struct wl_coverage){0};
    struct wl_coverage_row *rows = WL_ARRAY(arena, struct wl_coverage_row, g->node_count);
    WL_TRY_PTR(rows, err);
    double total = 0;
    for (int32_t n = 0; n < g->node_count; n++) {
        const struct wl_node *node = &g->nodes[n];
        const struct wl_op *op = node->op;
        double macs = node_macs(g, n);
        rows[n] = (struct wl_coverage_row){
            .op = name_of(arena, op, node->op_type, op != NULL ? op->name : NULL),
            .domain = name_of(arena, op, node->domain, op != NULL ? op->domain : NULL),
            .count = 1,
            .status = node->status,
            .macs_share = macs};
        WL_TRY_PTR(rows[n].op, err);
        WL_TRY_PTR(rows[n].domain, err);
        out->by_status[node->status]++;
        total += macs;
    }
    if (g->node_count > 0) {
        qsort(rows, (size_t)g->node_count, sizeof(*rows), compare_rows);
    }
    out->rows = rows;
    out->row_count = merge_rows(rows, g->node_count);
    for (int32_t i = 0; i < out->row_count && total > 0; i++) {
        rows[i].macs_share /= total;
    }
    return WL_OK;
}
