/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report/graph.c: `graph`: the file itself, without a device: tensors, nodes, work, and the
 * partition when a fusion profile is named. Symbolic sizes stay symbolic: a total that depends on
 * one is null in the JSON, with its expression beside it.
 */
#include <inttypes.h>
#include <string.h>

#include "report_priv.h"

#define CELL 96

struct graph_totals {
    struct wl_dim macs, flops;
};

/* Sums of executed nodes, symbols kept. */
static struct graph_totals sum_work(struct wl_graph *g)
{
    struct graph_totals t = {wl_dim_known(0), wl_dim_known(0)};
    for (int32_t n = 0; n < g->node_count; n++) {
        const struct wl_node *node = &g->nodes[n];
        if (node->status == WL_NODE_FOLDED || wl_dim_is(node->repeat, 0)) {
            continue;
        }
        struct wl_dim macs = wl_dim_mul(&g->dims, g->work[n].macs, node->repeat);
        struct wl_dim flops = wl_dim_mul(&g->dims, wl_work_flops(g, &g->work[n]), node->repeat);
        t.macs = wl_dim_add(&g->dims, t.macs, macs);
        t.flops = wl_dim_add(&g->dims, t.flops, flops);
    }
    return t;
}

/* ---- JSON --------------------------------------------------------------------------------------
 */

/* null for what is not a number, with "<key>_expression" beside it where there is one. */
static void put_count(struct wl_emitter *e, const char *key, const char *expression_key,
                      const struct wl_dim_pool *p, struct wl_dim d)
{
    if (wl_dim_is_known(d)) {
        wl_json_int(e, key, d.value);
        return;
    }
    wl_json_null(e, key);
    if (wl_dim_is_symbolic(d)) {
        wl_json_dim(e, expression_key, p, d);
    }
}

static void put_tensor(struct wl_emitter *e, const struct wl_graph *g, int32_t i)
{
    const struct wl_tensor *t = &g->tensors[i];
    wl_json_object(e, NULL);
    wl_json_strn(e, "name", wl_tensor_name(g, i));
    wl_json_str(e, "dtype", wl_dtype_name(t->dtype));
    if (t->rank == WL_NONE) {
        wl_json_null(e, "shape");
    } else {
        wl_json_array(e, "shape");
        for (int32_t k = 0; k < t->rank; k++) {
            wl_json_dim(e, NULL, &g->dims, t->dims[k]);
        }
        wl_json_close(e, ']');
    }
    wl_json_str(e, "kind", wl_tensor_kind_name(t->kind));
    wl_json_close(e, '}');
}

static void put_tensor_names(struct wl_emitter *e, const char *key, const struct wl_graph *g,
                             const int32_t *ids, int32_t count)
{
    wl_json_array(e, key);
    for (int32_t i = 0; i < count; i++) {
        wl_json_strn(e, NULL, wl_tensor_name(g, ids[i]));
    }
    wl_json_close(e, ']');
}

/* Bytes at the file's own types; unknown where a size is. */
static struct wl_dim tensor_bytes(struct wl_graph *g, int32_t id)
{
    int bits = wl_dtype_bits(g->tensors[id].dtype);
    struct wl_dim total = wl_dim_mul_k(&g->dims, wl_tensor_elems(g, id), bits);
    return wl_dim_is_known(total) ? wl_dim_known((total.value + 7) / 8)
                                  : wl_dim_floor_div(&g->dims, total, wl_dim_known(8));
}

static struct wl_dim inputs_bytes(struct wl_graph *g, const struct wl_node *n, bool weights)
{
    struct wl_dim sum = wl_dim_known(0);
    for (int32_t i = 0; i < n->input_count; i++) {
        int32_t t = n->inputs[i];
        if (t != WL_NONE && wl_tensor_is_constant(&g->tensors[t]) == weights) {
            sum = wl_dim_add(&g->dims, sum, tensor_bytes(g, t));
        }
    }
    return sum;
}

static void put_node(struct wl_emitter *e, struct wl_graph *g, int32_t i)
{
    const struct wl_node *n = &g->nodes[i];
    struct wl_dim out = wl_dim_known(0);
    for (int32_t k = 0; k < n->output_count; k++) {
        if (n->outputs[k] != WL_NONE) {
            out = wl_dim_add(&g->dims, out, tensor_bytes(g, n->outputs[k]));
        }
    }
    wl_json_object(e, NULL);
    wl_json_strn(e, "name", n->name);
    wl_json_strn(e, "op", n->op_type);
    wl_json_strn(e, "domain", n->domain);
    put_tensor_names(e, "inputs", g, n->inputs, n->input_count);
    put_tensor_names(e, "outputs", g, n->outputs, n->output_count);
    put_count(e, "macs", "macs_expression", &g->dims, g->work[i].macs);
    put_count(e, "flops", "flops_expression", &g->dims, wl_work_flops(g, &g->work[i]));
    put_count(e, "input_bytes", "input_bytes_expression", &g->dims, inputs_bytes(g, n, false));
    put_count(e, "output_bytes", "output_bytes_expression", &g->dims, out);
    put_count(e, "weight_bytes", "weight_bytes_expression", &g->dims, inputs_bytes(g, n, true));
    if (!wl_dim_is(n->repeat, 1)) {
        put_count(e, "repeat", "repeat_expression", &g->dims, n->repeat);
    }
    wl_json_str(e, "status", wl_node_status_name(n->status));
    wl_json_close(e, '}');
}

static void put_subgraphs(struct wl_emitter *e, const struct wl_partition *p)
{
    wl_json_str(e, "fusion", p->fusion);
    wl_json_array(e, "subgraphs");
    for (int32_t i = 0; i < p->count; i++) {
        const struct wl_subgraph *s = &p->subgraphs[i];
        wl_json_object(e, NULL);
        wl_json_int(e, "id", s->id);
        wl_json_str(e, "name", s->name);
        wl_json_str(e, "pattern", s->pattern);
        wl_json_names(e, "nodes", p->graph, s->nodes, s->node_count);
        wl_json_array(e, "depends_on");
        for (int32_t k = 0; k < s->depends_count; k++) {
            wl_json_int(e, NULL, s->depends_on[k]);
        }
        wl_json_close(e, ']');
        wl_json_int(e, "level", s->level);
        wl_json_int(e, "macs", s->macs);
        wl_json_int(e, "flops", s->flops);
        wl_json_array(e, "gemms");
        for (int32_t k = 0; k < s->product_count; k++) {
            const struct wl_product *x = &s->products[k];
            wl_json_object(e, NULL);
            wl_json_int(e, "g", x->g);
            wl_json_int(e, "m", x->m);
            wl_json_int(e, "n", x->n);
            wl_json_int(e, "k", x->k);
            wl_json_close(e, '}');
        }
        wl_json_close(e, ']');
        wl_json_object(e, "parallelism");
        wl_json_int(e, "batch", s->parallelism.batch);
        wl_json_int(e, "channels", s->parallelism.channels);
        wl_json_int(e, "spatial", s->parallelism.spatial);
        wl_json_int(e, "reduction", s->parallelism.reduction);
        wl_json_close(e, '}');
        wl_json_str(e, "ended_because", s->ended_because);
        wl_json_close(e, '}');
    }
    wl_json_close(e, ']');
}

static void report_json(struct wl_model *m, const char *model_name,
                        const struct wl_partition *partition, struct wl_buf *out)
{
    struct wl_graph *g = &m->graph;
    struct wl_emitter e;
    struct graph_totals totals = sum_work(g);
    wl_json_begin(&e, out);
    wl_json_int(&e, "schema_version", 1);
    wl_json_model(&e, m, model_name);
    wl_json_array(&e, "tensors");
    for (int32_t i = 0; i < g->tensor_count; i++) {
        if (wl_tensor_name(g, i).len > 0) {
            put_tensor(&e, g, i);
        }
    }
    wl_json_close(&e, ']');
    wl_json_array(&e, "nodes");
    for (int32_t i = 0; i < g->schedule_count; i++) {
        put_node(&e, g, g->schedule[i]);
    }
    wl_json_close(&e, ']');
    wl_json_object(&e, "totals");
    put_count(&e, "macs", "macs_expression", &g->dims, totals.macs);
    put_count(&e, "flops", "flops_expression", &g->dims, totals.flops);
    wl_json_int(&e, "parameters", m->parameters);
    wl_json_int(&e, "parameter_bytes", m->parameter_bytes);
    wl_json_close(&e, '}');
    if (partition != NULL) {
        put_subgraphs(&e, partition);
    }
    wl_json_diagnostics(&e, &m->diags);
    wl_json_end(&e);
}

/* ---- text
 * ---------------------------------------------------------------------------------------- */

static void shape_text(const struct wl_graph *g, int32_t tensor, struct wl_buf *out)
{
    const struct wl_tensor *t = tensor == WL_NONE ? NULL : &g->tensors[tensor];
    if (t == NULL || t->rank == WL_NONE) {
        wl_buf_puts(out, t == NULL ? "-" : "?");
        return;
    }
    wl_buf_puts(out, "[");
    for (int32_t i = 0; i < t->rank; i++) {
        wl_buf_puts(out, i > 0 ? "," : "");
        wl_dim_print(&g->dims, t->dims[i], out);
    }
    wl_buf_puts(out, "]");
}

static void dim_text(const struct wl_graph *g, struct wl_dim d, const char *unit,
                     struct wl_buf *out)
{
    char text[CELL];
    if (wl_dim_is_known(d)) {
        wl_buf_puts(out, wl_format_si((double)d.value, unit, text, sizeof(text)));
    } else {
        wl_dim_print(&g->dims, d, out);
        wl_buf_printf(out, "%s%s", *unit != '\0' ? " " : "", unit);
    }
}

static void put_interface_text(const struct wl_graph *g, const char *label, const int32_t *ids,
                               int32_t count, struct wl_buf *out)
{
    for (int32_t i = 0; i < count; i++) {
        if (ids[i] == WL_NONE || g->tensors[ids[i]].kind == WL_TENSOR_INITIALIZER) {
            continue;
        }
        struct wl_str name = wl_tensor_name(g, ids[i]);
        wl_buf_printf(out, "  %-8s %.*s %s ", label, WL_STR_ARG(name),
                      wl_dtype_name(g->tensors[ids[i]].dtype));
        shape_text(g, ids[i], out);
        wl_buf_puts(out, "\n");
        label = "";
    }
}

static void node_row(struct wl_graph *g, int32_t n, struct wl_table *t)
{
    const struct wl_node *node = &g->nodes[n];
    struct wl_buf shape;
    struct wl_buf macs;
    char name[160];
    char op[CELL];
    wl_buf_init(&shape);
    wl_buf_init(&macs);
    shape_text(g, wl_node_output(node, 0), &shape);
    dim_text(g, g->work[n].macs, "", &macs);
    const char *cells[] = {wl_text(name, sizeof(name), "%.*s", WL_STR_ARG(node->name)),
                           wl_text(op, sizeof(op), "%.*s", WL_STR_ARG(node->op_type)),
                           shape.failed ? "" : shape.data, macs.failed ? "" : macs.data,
                           wl_node_status_name(node->status)};
    wl_table_row(t, cells);
    wl_buf_done(&shape);
    wl_buf_done(&macs);
}

static wl_status put_nodes_text(struct wl_graph *g, int width, struct wl_buf *out,
                                struct wl_error *err)
{
    static const char *const headings[] = {"node", "operator", "output shape", "MACs", "status"};
    struct wl_table t;
    if (wl_table_init(&t, WL_ARRAY_LEN(headings), headings, "lllrl") != WL_OK) {
        return wl_fail_nomem(err);
    }
    for (int32_t i = 0; i < g->schedule_count; i++) {
        node_row(g, g->schedule[i], &t);
    }
    wl_table_print(&t, width, true, "  ", out);
    wl_table_done(&t);
    return WL_OK;
}

/* Bytes at the file's own types, each operand once per execution. */
static double operand_bytes(const struct wl_graph *g, const struct wl_operand *o, int32_t count,
                            int64_t repeat)
{
    double bits = 0;
    for (int32_t i = 0; i < count; i++) {
        bits += (double)o[i].elems * wl_dtype_bits(g->tensors[o[i].tensor].dtype);
    }
    return bits / 8 * (double)repeat;
}

/* A tensor that stays inside a group is neither written nor read again: twice its bytes are saved.
 */
static void put_fusion_summary(const struct wl_partition *p, struct wl_buf *out)
{
    char a[CELL], b[CELL], c[CELL];
    double moved = 0;
    double inside = 0;
    for (int32_t i = 0; i < p->count; i++) {
        const struct wl_subgraph *s = &p->subgraphs[i];
        moved += operand_bytes(p->graph, s->inputs, s->input_count, s->repeat) +
                 operand_bytes(p->graph, s->outputs, s->output_count, s->repeat) +
                 operand_bytes(p->graph, s->weights, s->weight_count, s->repeat);
        inside += 2 * operand_bytes(p->graph, s->internal, s->internal_count, s->repeat);
    }
    double all = moved + inside;
    wl_buf_printf(out, "\n  fusion %s: %d nodes in %d subgraphs, %d levels, width %d\n", p->fusion,
                  (int)p->graph->node_count, (int)p->count, (int)p->level_count, (int)p->max_width);
    wl_buf_printf(out, "  traffic %s instead of %s: fusion keeps %s inside (kB = 1000 bytes)\n\n",
                  wl_format_si(moved, "B", a, sizeof(a)), wl_format_si(all, "B", b, sizeof(b)),
                  wl_format_percent(all > 0 ? inside / all : 0, c, sizeof(c)));
}

struct pattern_count {
    const char *pattern;
    int32_t count;
    double macs;
};

static int32_t count_patterns(const struct wl_partition *p, struct pattern_count *out)
{
    int32_t n = 0;
    for (int32_t i = 0; i < p->count; i++) {
        int32_t at = 0;
        while (at < n && strcmp(out[at].pattern, p->subgraphs[i].pattern) != 0) {
            at++;
        }
        n += at == n ? 1 : 0;
        out[at].pattern = p->subgraphs[i].pattern;
        out[at].count++;
        out[at].macs += (double)p->subgraphs[i].macs;
    }
    return n;
}

/* Patterns by how often they occur, most frequent first; ties in order of appearance. */
static wl_status put_histogram(const struct wl_partition *p, int width, struct wl_buf *out,
                               struct wl_error *err)
{
    static const char *const headings[] = {"pattern", "subgraphs", "MACs"};
    struct wl_table t;
    if (wl_table_init(&t, WL_ARRAY_LEN(headings), headings, "lrr") != WL_OK) {
        return wl_fail_nomem(err);
    }
    struct pattern_count *rows = WL_ARRAY(&t.arena, struct pattern_count, p->count);
    int32_t n = rows == NULL ? 0 : count_patterns(p, rows);
    for (int32_t done = 0; done < n; done++) {
        int32_t most = 0;
        for (int32_t i = 1; i < n; i++) {
            most = rows[i].count > rows[most].count ? i : most;
        }
        char count[CELL], macs[CELL];
        const char *cells[] = {rows[most].pattern,
                               wl_text(count, sizeof(count), "%d", (int)rows[most].count),
                               wl_format_si(rows[most].macs, "", macs, sizeof(macs))};
        wl_table_row(&t, cells);
        rows[most].count = -1;
    }
    wl_table_print(&t, width, true, "  ", out);
    wl_table_done(&t);
    wl_buf_puts(out, "\n");
    return WL_OK;
}

static wl_status put_partition_text(const struct wl_partition *p, int width, struct wl_buf *out,
                                    struct wl_error *err)
{
    static const char *const headings[] = {"id",   "subgraph", "pattern",      "nodes",
                                           "MACs", "level",    "ended because"};
    struct wl_table t;
    put_fusion_summary(p, out);
    WL_TRY(put_histogram(p, width, out, err));
    if (wl_table_init(&t, WL_ARRAY_LEN(headings), headings, "rllrrrl") != WL_OK) {
        return wl_fail_nomem(err);
    }
    for (int32_t i = 0; i < p->count; i++) {
        const struct wl_subgraph *s = &p->subgraphs[i];
        char id[CELL], nodes[CELL], macs[CELL], level[CELL];
        const char *cells[] = {wl_text(id, sizeof(id), "%d", (int)i),
                               s->name,
                               s->pattern,
                               wl_text(nodes, sizeof(nodes), "%d", (int)s->node_count),
                               wl_format_si((double)s->macs, "", macs, sizeof(macs)),
                               wl_text(level, sizeof(level), "%d", (int)s->level),
                               s->ended_because == NULL ? "" : s->ended_because};
        wl_table_row(&t, cells);
    }
    wl_table_print(&t, width, true, "  ", out);
    wl_table_done(&t);
    return WL_OK;
}

static wl_status report_text(struct wl_model *m, const char *model_name,
                             const struct wl_partition *partition, int width, struct wl_buf *out,
                             struct wl_error *err)
{
    struct wl_graph *g = &m->graph;
    const struct wl_block *main_block = &g->blocks[0];
    struct graph_totals totals = sum_work(g);
    char a[CELL], b[CELL];
    wl_buf_printf(out, "%s: %d nodes, %s parameters (%s), ", model_name, (int)g->node_count,
                  wl_format_si((double)m->parameters, "", a, sizeof(a)),
                  wl_format_si((double)m->parameter_bytes, "B", b, sizeof(b)));
    dim_text(g, totals.macs, "MAC", out);
    wl_buf_puts(out, ", ");
    dim_text(g, totals.flops, "FLOP", out);
    wl_buf_puts(out, "\n");
    put_interface_text(g, "input", main_block->inputs, main_block->input_count, out);
    put_interface_text(g, "output", main_block->outputs, main_block->output_count, out);
    wl_buf_puts(out, "\n");
    WL_TRY(put_nodes_text(g, width, out, err));
    if (partition != NULL) {
        WL_TRY(put_partition_text(partition, width, out, err));
    }
    for (int32_t i = 0; i < m->diags.count; i++) {
        const struct wl_diag *d = &m->diags.items[i];
        wl_buf_printf(out, "  %s: %s: %s\n", wl_severity_name(d->severity), d->where, d->message);
    }
    return WL_OK;
}

/* ---- dot
 * ------------------------------------------------------------------------------------------ */

static void put_dot_string(struct wl_buf *out, const char *s)
{
    for (; *s != '\0'; s++) {
        wl_buf_puts(out, *s == '"' || *s == '\\' ? "\\" : "");
        wl_buf_add(out, s, 1);
    }
}

static wl_status report_dot(const struct wl_partition *p, struct wl_buf *out, struct wl_error *err)
{
    char macs[CELL];
    if (p == NULL) {
        return wl_fail(err, WL_ERR_USAGE, "--format dot",
                       "draws subgraphs; name a profile with --fusion, such as --fusion basic");
    }
    wl_buf_puts(out, "digraph wattline {\n  node [shape=box, fontname=\"sans-serif\"];\n");
    for (int32_t i = 0; i < p->count; i++) {
        const struct wl_subgraph *s = &p->subgraphs[i];
        wl_buf_printf(out, "  s%d [label=\"", (int)i);
        put_dot_string(out, s->name);
        wl_buf_puts(out, "\\n");
        put_dot_string(out, s->pattern);
        wl_buf_printf(out, "\\n%s\"];\n", wl_format_si((double)s->macs, "MAC", macs, sizeof(macs)));
    }
    for (int32_t i = 0; i < p->count; i++) {
        for (int32_t k = 0; k < p->subgraphs[i].depends_count; k++) {
            wl_buf_printf(out, "  s%d -> s%d;\n", (int)p->subgraphs[i].depends_on[k], (int)i);
        }
    }
    wl_buf_puts(out, "}\n");
    return WL_OK;
}

/* ---- csv
 * ------------------------------------------------------------------------------------------ */

static void csv_dim(struct wl_buf *out, struct wl_dim d)
{
    if (wl_dim_is_known(d)) {
        wl_csv_int(out, false, d.value);
    } else {
        wl_csv_str(out, false, "");
    }
}

static void report_csv(struct wl_graph *g, struct wl_buf *out)
{
    wl_buf_puts(out, "name,op,domain,macs,flops,status\r\n");
    for (int32_t i = 0; i < g->schedule_count; i++) {
        const struct wl_node *n = &g->nodes[g->schedule[i]];
        char text[256];
        wl_csv_str(out, true, wl_text(text, sizeof(text), "%.*s", WL_STR_ARG(n->name)));
        wl_csv_str(out, false, wl_text(text, sizeof(text), "%.*s", WL_STR_ARG(n->op_type)));
        wl_csv_str(out, false, wl_text(text, sizeof(text), "%.*s", WL_STR_ARG(n->domain)));
        csv_dim(out, g->work[g->schedule[i]].macs);
        csv_dim(out, wl_work_flops(g, &g->work[g->schedule[i]]));
        wl_csv_str(out, false, wl_node_status_name(n->status));
        wl_buf_puts(out, "\r\n");
    }
}

wl_status wl_report_graph(struct wl_model *m, const char *model_name,
                          const struct wl_partition *partition, const struct wl_report_options *opt,
                          struct wl_buf *out, struct wl_error *err)
{
    switch (opt->format) {
    case WL_FORMAT_TEXT:
        WL_TRY(report_text(m, model_name, partition, opt->width, out, err));
        break;
    case WL_FORMAT_JSON:
        report_json(m, model_name, partition, out);
        break;
    case WL_FORMAT_CSV:
        report_csv(&m->graph, out);
        break;
    case WL_FORMAT_DOT:
        WL_TRY(report_dot(partition, out, err));
        break;
    case WL_FORMAT_MD:
    case WL_FORMAT_TRACE:
    case WL_FORMAT_COUNT:
        return wl_fail(err, WL_ERR_USAGE, "--format", "graph writes text, json, csv or dot");
    }
    return out->failed ? wl_fail_nomem(err) : WL_OK;
}
