/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops: look-up in the operator table, names of its enums, and the one count of work that every
 * later stage reads (DESIGN, chain rule 1).
 */
#include <inttypes.h>
#include <string.h>

#include "ops_priv.h"

static const char *const kind_names[WL_OPK_COUNT] = {
    [WL_OPK_CONV] = "conv",
    [WL_OPK_GEMM] = "gemm",
    [WL_OPK_ATTENTION] = "attention",
    [WL_OPK_RECURRENT] = "recurrent",
    [WL_OPK_POOL] = "pool",
    [WL_OPK_NORM] = "norm",
    [WL_OPK_SOFTMAX] = "softmax",
    [WL_OPK_MAP] = "map",
    [WL_OPK_REDUCE] = "reduce",
    [WL_OPK_MOVE] = "move",
    [WL_OPK_SCATTER] = "scatter",
    [WL_OPK_RESAMPLE] = "resample",
    [WL_OPK_QUANT] = "quant",
    [WL_OPK_SORT] = "sort",
    [WL_OPK_FFT] = "fft",
    [WL_OPK_RANDOM] = "random",
    [WL_OPK_LOSS] = "loss",
    [WL_OPK_TRAIN] = "train",
    [WL_OPK_TREE] = "tree",
    [WL_OPK_TEXT] = "text",
    [WL_OPK_VIEW] = "view",
    [WL_OPK_META] = "meta",
    [WL_OPK_CONST] = "const",
    [WL_OPK_CONTROL] = "control",
    [WL_OPK_SEQUENCE] = "sequence",
    [WL_OPK_OPAQUE] = "opaque",
};

const char *wl_op_kind_name(enum wl_op_kind k)
{
    return (unsigned)k < WL_OPK_COUNT ? kind_names[k] : "?";
}

static const char *const work_kind_names[WL_WORK_COUNT] = {
    [WL_WORK_ADDMUL] = "addmul",   [WL_WORK_COMPARE] = "compare", [WL_WORK_DIVIDE] = "divide",
    [WL_WORK_SPECIAL] = "special", [WL_WORK_INTEGER] = "integer",
};

const char *wl_work_kind_name(enum wl_work_kind k)
{
    return (unsigned)k < WL_WORK_COUNT ? work_kind_names[k] : "?";
}

/* ---- look-up ----------------------------------------------------------------------------------
 */

static int compare_row(struct wl_str domain, struct wl_str name, const struct wl_op *row)
{
    int order = wl_str_cmp(domain, wl_str(row->domain));
    return order != 0 ? order : wl_str_cmp(name, wl_str(row->name));
}

static const struct wl_op *search(struct wl_str domain, struct wl_str name)
{
    int32_t count;
    const struct wl_op *rows = wl_op_table(&count);
    int32_t low = 0;
    int32_t high = count;
    while (low < high) {
        int32_t mid = low + (high - low) / 2;
        int order = compare_row(domain, name, &rows[mid]);
        if (order == 0) {
            return &rows[mid];
        }
        if (order < 0) {
            high = mid;
        } else {
            low = mid + 1;
        }
    }
    return NULL;
}

/*
 * Some of ONNX Runtime's operators (SimplifiedLayerNormalization) are written into the default
 * domain; what that lacks is looked for in com.microsoft.
 */
const struct wl_op *wl_op_find(struct wl_str domain, struct wl_str name)
{
    bool is_default = domain.len == 0 || wl_str_is(domain, "ai.onnx");
    const struct wl_op *row = search(is_default ? WL_STR("") : domain, name);
    return row == NULL && is_default ? search(WL_STR("com.microsoft"), name) : row;
}

/* ---- counting ---------------------------------------------------------------------------------
 */

static struct wl_work empty_work(void)
{
    struct wl_work w = {.access = WL_ACCESS_NONE, .partial_input = WL_NONE};
    w.macs = wl_dim_known(0);
    for (int32_t k = 0; k < WL_WORK_COUNT; k++) {
        w.ops[k] = wl_dim_known(0);
    }
    w.partial_elems = wl_dim_known(0);
    w.steps = wl_dim_known(1);
    return w;
}

static bool is_free_kind(const struct wl_op *op)
{
    return op->kind == WL_OPK_VIEW || op->kind == WL_OPK_META || op->kind == WL_OPK_CONTROL ||
           op->kind == WL_OPK_SEQUENCE;
}

static bool has_work(const struct wl_work *w)
{
    bool any = !wl_dim_is(w->macs, 0);
    for (int32_t k = 0; k < WL_WORK_COUNT; k++) {
        any = any || !wl_dim_is(w->ops[k], 0);
    }
    return any || w->access != WL_ACCESS_NONE;
}

static enum wl_node_status status_of(const struct wl_op *op, const struct wl_work *w)
{
    if (is_free_kind(op) && !has_work(w)) {
        return WL_NODE_FREE;
    }
    return (op->flags & WL_OPF_APPROX) != 0 ? WL_NODE_APPROXIMATED : WL_NODE_MODELLED;
}

/* g->work[id] starts as `blank`. */
static wl_status count_node(struct wl_graph *g, int32_t id, const struct wl_work *blank,
                            struct wl_error *err)
{
    char where[192];
    struct wl_node *n = &g->nodes[id];
    struct wl_work *w = &g->work[id];
    *w = *blank;
    if (n->status == WL_NODE_FOLDED) {
        return WL_OK;
    }
    if (n->op == NULL) {
        n->status = WL_NODE_IGNORED;
        if (wl_op_find(n->domain, n->op_type) == NULL) { /* else the front end said why */
            wl_diag_add(g->diags, WL_SEV_WARNING, "unknown-operator",
                        wl_node_where(g, id, where, sizeof(where)),
                        "no operator %.*s in domain \"%.*s\"; its work is not counted",
                        WL_STR_ARG(n->op_type), WL_STR_ARG(n->domain));
        }
        return WL_OK;
    }
    struct wl_op_ctx c = {.g = g, .node_id = id, .node = n, .err = err};
    n->op->cost(&c, w);
    n->status = status_of(n->op, w);
    if (g->dims.nomem) {
        return wl_fail_nomem(err);
    }
    if (g->dims.overflow) {
        return wl_fail(err, WL_ERR_LIMIT, wl_node_where(g, id, where, sizeof(where)),
                       "its work exceeds 2^63 operations; smaller dimensions would be right");
    }
    return WL_OK;
}

wl_status wl_ops_count(struct wl_graph *g, struct wl_error *err)
{
    const struct wl_work blank = empty_work();
    g->work = wl_arena_alloc(g->arena, (size_t)g->node_count * sizeof(*g->work));
    WL_TRY_PTR(g->work, err);
    for (int32_t id = 0; id < g->node_count; id++) {
        WL_TRY(count_node(g, id, &blank, err));
    }
    return WL_OK;
}

struct wl_dim wl_work_flops(struct wl_graph *g, const struct wl_work *w)
{
    struct wl_dim sum = wl_dim_mul_k(&g->dims, w->macs, 2);
    for (int32_t k = 0; k < WL_WORK_COUNT; k++) {
        if (k != WL_WORK_INTEGER) {
            sum = wl_dim_add(&g->dims, sum, w->ops[k]);
        }
    }
    return sum;
}
