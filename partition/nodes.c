/* SPDX-License-Identifier: Apache-2.0 */
/*
 * partition/nodes.c: what becomes of each node (executed, free, folded), which tensors share bytes,
 * who reads them, and what part each unit can play.
 *
 * A view's output is the same bytes as its input: both have one root tensor. So have the output of
 * an absorbed DequantizeLinear and the quantised tensor it reads, and the output of an If and that
 * of the branch which is charged. All later questions are asked of root tensors.
 */
#include <string.h>

#include "partition_priv.h"

/* clang-format off */
const struct prim_row wl_prim_rows[] = {
    {"Add",                PRIM_ADD,            PART_OTHER, "add"},
    {"Sub",                PRIM_SUB,            PART_OTHER, NULL},
    {"Mul",                PRIM_MUL,            PART_OTHER, NULL},
    {"Div",                PRIM_DIV,            PART_OTHER, NULL},
    {"Pow",                PRIM_POW,            PART_OTHER, NULL},
    {"Neg",                PRIM_NEG,            PART_OTHER, NULL},
    {"Exp",                PRIM_EXP,            PART_OTHER, NULL},
    {"Log",                PRIM_LOG,            PART_OTHER, NULL},
    {"Erf",                PRIM_ERF,            PART_OTHER, NULL},
    {"Tanh",               PRIM_TANH,           PART_ACT,   NULL},
    {"Sqrt",               PRIM_SQRT,           PART_OTHER, NULL},
    {"Reciprocal",         PRIM_RECIPROCAL,     PART_OTHER, NULL},
    {"Sigmoid",            PRIM_SIGMOID,        PART_ACT,   NULL},
    {"HardSigmoid",        PRIM_HARD_SIGMOID,   PART_ACT,   "hard_sigmoid"},
    {"Softplus",           PRIM_SOFTPLUS,       PART_ACTX,  NULL},
    {"Clip",               PRIM_CLIP,           PART_ACT,   NULL},
    {"Relu",               PRIM_RELU,           PART_ACT,   NULL},
    {"LeakyRelu",          PRIM_LEAKY_RELU,     PART_ACT,   "leaky_relu"},
    {"PRelu",              PRIM_NONE,           PART_ACT,   NULL},
    {"HardSwish",          PRIM_HARD_SWISH,     PART_ACT,   "hard_swish"},
    {"Gelu",               PRIM_GELU,           PART_ACTX,  NULL},
    {"Where",              PRIM_WHERE,          PART_OTHER, NULL},
    {"IsNaN",              PRIM_IS_NAN,         PART_OTHER, NULL},
    {"Min",                PRIM_MIN,            PART_OTHER, NULL},
    {"Max",                PRIM_MAX,            PART_OTHER, NULL},
    {"Cast",               PRIM_CAST,           PART_CAST,  NULL},
    {"ReduceMean",         PRIM_MEAN,           PART_OTHER, "reduce_mean"},
    {"ReduceSum",          PRIM_SUM,            PART_OTHER, "reduce_sum"},
    {"ReduceMax",          PRIM_RMAX,           PART_OTHER, "reduce_max"},
    {"Conv",               PRIM_CONV,           PART_OTHER, NULL},
    {"ConvTranspose",      PRIM_CONV_TRANSPOSE, PART_OTHER, "conv_transpose"},
    {"MatMul",             PRIM_MATMUL,         PART_OTHER, "matmul"},
    {"Gemm",               PRIM_GEMM,           PART_OTHER, NULL},
    {"Einsum",             PRIM_EINSUM,         PART_OTHER, NULL},
    {"Softmax",            PRIM_SOFTMAX,        PART_OTHER, NULL},
    {"LayerNormalization", PRIM_LAYER_NORM,     PART_OTHER, "layernorm"},
    {"RMSNormalization",   PRIM_NONE,           PART_OTHER, "rmsnorm"},
    {"GroupNormalization", PRIM_NONE,           PART_OTHER, "groupnorm"},
    {"InstanceNormalization", PRIM_INSTANCE_NORM, PART_OTHER, "instancenorm"},
    {"BatchNormalization", PRIM_BATCH_NORM,     PART_OTHER, "bn"},
    {"Transpose",          PRIM_TRANSPOSE,      PART_OTHER, NULL},
    {"Concat",             PRIM_CONCAT,         PART_OTHER, NULL},
    {"Slice",              PRIM_SLICE,          PART_OTHER, NULL},
    {"Split",              PRIM_SPLIT,          PART_OTHER, NULL},
    {"Pad",                PRIM_PAD,            PART_PAD,   NULL},
    {"Gather",             PRIM_GATHER,         PART_OTHER, NULL},
    {"Expand",             PRIM_EXPAND,         PART_OTHER, NULL},
    {"QuantizeLinear",     PRIM_QUANTIZE,       PART_QUANTIZE, "quantize"},
    {"DequantizeLinear",   PRIM_DEQUANTIZE,     PART_OTHER, "dequantize"},
    {"AveragePool",        PRIM_AVERAGE_POOL,   PART_OTHER, "avgpool"},
    {"GlobalAveragePool",  PRIM_GLOBAL_AVERAGE_POOL, PART_OTHER, "global_avgpool"},
    {"MaxPool",            PRIM_MAX_POOL,       PART_OTHER, "maxpool"},
};
/* clang-format on */
const int32_t wl_prim_row_count = (int32_t)WL_ARRAY_LEN(wl_prim_rows);

/* Row of wl_prim_rows of a node's operator, or NULL. */
static const struct prim_row *prim_row_of(const struct run *r, int32_t node)
{
    const struct wl_op *op = r->g->nodes[node].op;
    if (op == NULL || op < r->ops || op >= r->ops + r->op_count) {
        return NULL;
    }
    uint8_t row = r->op_prim[op - r->ops];
    return row == 0 ? NULL : &wl_prim_rows[row - 1];
}

static wl_status index_operators(struct run *r)
{
    r->ops = wl_op_table(&r->op_count);
    r->op_prim = WL_ARRAY(r->scratch, uint8_t, r->op_count);
    WL_TRY_PTR(r->op_prim, r->err);
    for (int32_t i = 0; i < wl_prim_row_count; i++) {
        const struct wl_op *op = wl_op_find(WL_STR(""), wl_str(wl_prim_rows[i].op));
        if (op != NULL) {
            r->op_prim[op - r->ops] = (uint8_t)(i + 1);
        }
    }
    return WL_OK;
}

static wl_status allocate(struct run *r)
{
    const struct wl_graph *g = r->g;
    r->exec = WL_ARRAY(r->scratch, uint8_t, g->node_count);
    r->prim = WL_ARRAY(r->scratch, uint8_t, g->node_count);
    r->part = WL_ARRAY(r->scratch, uint8_t, g->node_count);
    r->integer = WL_ARRAY(r->scratch, bool, g->node_count);
    r->unit = WL_ARRAY(r->scratch, int32_t, g->node_count);
    r->input = WL_ARRAY(r->scratch, int32_t, g->node_count);
    r->group = WL_ARRAY(r->scratch, int32_t, g->node_count);
    r->position = WL_ARRAY(r->scratch, int32_t, g->node_count);
    r->depth = WL_ARRAY(r->scratch, int32_t, g->node_count);
    r->label = WL_ARRAY(r->scratch, const char *, g->node_count);
    r->root = WL_ARRAY(r->scratch, int32_t, g->tensor_count);
    r->sole = WL_ARRAY(r->scratch, int32_t, g->tensor_count);
    r->escapes = WL_ARRAY(r->scratch, uint8_t, g->tensor_count);
    r->elems = WL_ARRAY(r->scratch, int64_t, g->tensor_count);
    bool all = r->exec && r->prim && r->part && r->integer && r->unit && r->input && r->group &&
               r->position && r->depth && r->label && r->root && r->sole && r->escapes && r->elems;
    return all ? WL_OK : wl_fail_nomem(r->err);
}

bool wl_partition_is_constant(const struct run *r, int32_t tensor)
{
    const struct wl_tensor *root = &r->g->tensors[r->root[tensor]];
    return wl_tensor_is_constant(&r->g->tensors[tensor]) || wl_tensor_is_constant(root) ||
           wl_partition_is_shape(root);
}

/* Small tensors whose values follow from shapes: axes, sizes, indices. */
bool wl_partition_is_shape(const struct wl_tensor *t)
{
    return t->value != NULL && t->value->count <= WL_SHAPE_ELEMS_MAX;
}

bool wl_partition_is_shape_arithmetic(const struct wl_graph *g, const struct wl_node *n)
{
    int32_t outputs = 0;
    for (int32_t i = 0; i < n->output_count; i++) {
        if (n->outputs[i] == WL_NONE) {
            continue;
        }
        if (!wl_partition_is_shape(&g->tensors[n->outputs[i]])) {
            return false;
        }
        outputs++;
    }
    return outputs > 0;
}

/* Data-dependent sizes count at their upper bound. */
static int64_t count_elems(const struct wl_graph *g, const struct wl_tensor *t)
{
    int64_t elems = 1;
    if (t->rank == WL_NONE) {
        return -1;
    }
    for (int32_t i = 0; i < t->rank; i++) {
        int64_t dim = t->dims[i].value;
        if (!wl_dim_is_known(t->dims[i]) && !wl_dim_at_most(&g->dims, t->dims[i], &dim, NULL)) {
            return -1;
        }
        if (!wl_mul_i64(elems, dim, &elems)) {
            return -1;
        }
    }
    return elems;
}

int64_t wl_partition_elems(struct run *r, int32_t tensor)
{
    if (r->elems[tensor] == -2) {
        r->elems[tensor] = count_elems(r->g, &r->g->tensors[tensor]);
    }
    return r->elems[tensor];
}

int32_t wl_partition_producer(const struct run *r, int32_t tensor)
{
    int32_t node = r->g->tensors[r->root[tensor]].producer;
    return node != WL_NONE && r->exec[node] == EXEC_RUN ? r->unit[node] : WL_NONE;
}

/* ---- what becomes of each node --------------------------------------------------------------- */

static bool all_inputs_constant(const struct run *r, const struct wl_node *n)
{
    for (int32_t i = 0; i < n->input_count; i++) {
        if (n->inputs[i] != WL_NONE && !wl_partition_is_constant(r, n->inputs[i])) {
            return false;
        }
    }
    return n->input_count > 0;
}

static bool is_view(const struct wl_node *n)
{
    return n->op != NULL && n->op->kind == WL_OPK_VIEW && n->input_count > 0 &&
           n->output_count > 0 && n->inputs[0] != WL_NONE && n->outputs[0] != WL_NONE;
}

static bool reads_in_place(const struct run *r, const struct wl_node *n)
{
    int32_t out = n->outputs[0];
    const struct wl_tensor *t = &r->g->tensors[out];
    return (r->features & F(QDQ)) != 0 && (t->flags & WL_TENSOR_IS_OUTPUT) == 0 &&
           t->consumer_count > 0;
}

static enum exec exec_of(const struct run *r, int32_t node)
{
    const struct wl_node *n = &r->g->nodes[node];
    bool dequantize = r->prim[node] == PRIM_DEQUANTIZE && n->output_count == 1 &&
                      n->outputs[0] != WL_NONE && n->inputs[0] != WL_NONE;
    if (wl_dim_is(n->repeat, 0) || n->status == WL_NODE_FOLDED) {
        return EXEC_SKIP;
    }
    if (dequantize && all_inputs_constant(r, n)) {
        return EXEC_SKIP; /* stored weights: dequantised where they are read, or before */
    }
    if (n->op != NULL && n->op->kind == WL_OPK_CONTROL) {
        return EXEC_CONTROL;
    }
    if (n->status == WL_NODE_FREE || is_view(n) || wl_partition_is_shape_arithmetic(r->g, n)) {
        return EXEC_FREE;
    }
    bool absorbed = dequantize && (r->integer[node] || reads_in_place(r, n));
    return absorbed ? EXEC_DEQUANT : EXEC_RUN;
}

/* A constant stored in another order (a transposed weight): the same bytes as what it was made of.
 */
static bool is_reordered_constant(const struct wl_graph *g, const struct wl_node *n)
{
    int64_t before;
    int64_t after;
    return n->status == WL_NODE_FOLDED && n->op != NULL && n->op->kind == WL_OPK_MOVE &&
           n->input_count == 1 && n->output_count == 1 && n->inputs[0] != WL_NONE &&
           n->outputs[0] != WL_NONE &&
           g->tensors[n->inputs[0]].dtype == g->tensors[n->outputs[0]].dtype &&
           wl_tensor_elems_known(g, n->inputs[0], &before) &&
           wl_tensor_elems_known(g, n->outputs[0], &after) && before == after;
}

/* Outputs that are other names of bytes computed earlier. */
static void set_root(struct run *r, int32_t node)
{
    const struct wl_node *n = &r->g->nodes[node];
    enum exec e = (enum exec)r->exec[node];
    bool dequantize = r->prim[node] == PRIM_DEQUANTIZE && (e == EXEC_SKIP || e == EXEC_DEQUANT);
    bool alias = (is_view(n) && (e == EXEC_FREE || n->status == WL_NODE_FOLDED)) ||
                 is_reordered_constant(r->g, n) ||
                 (dequantize && n->input_count > 0 && n->inputs[0] != WL_NONE &&
                  n->output_count > 0 && n->outputs[0] != WL_NONE);
    if (alias) {
        r->root[n->outputs[0]] = r->root[n->inputs[0]];
    }
    for (int32_t i = 1; alias && e == EXEC_FREE && i < n->input_count; i++) {
        if (n->inputs[i] != WL_NONE && !wl_partition_is_constant(r, n->inputs[i])) {
            r->dynamic_views = true;
        }
    }
}

static bool is_charged(const struct wl_graph *g, const struct wl_block *b)
{
    return b->node_count > 0 && !wl_dim_is(g->nodes[b->nodes[0]].repeat, 0);
}

/* The branch of an If whose results are the If's: the charged one, else any. */
static void note_branch(const struct wl_graph *g, int32_t block, int32_t *taken)
{
    const struct wl_block *b = &g->blocks[block];
    bool branch = b->input_count == 0 && b->output_count == g->nodes[b->parent_node].output_count;
    if (branch && (*taken == WL_NONE || is_charged(g, b))) {
        *taken = block;
    }
}

wl_status wl_partition_bodies(const struct wl_graph *g, struct wl_arena *arena, struct bodies *out,
                              struct wl_error *err)
{
    *out = (struct bodies){.control = NULL};
    if (g->block_count <= 1) {
        return WL_OK;
    }
    out->control = WL_ARRAY(arena, int32_t, g->tensor_count);
    out->first = WL_ARRAY(arena, int32_t, g->node_count);
    out->next = WL_ARRAY(arena, int32_t, g->block_count);
    WL_TRY_PTR(out->control, err);
    WL_TRY_PTR(out->first, err);
    out->taken = WL_ARRAY(arena, int32_t, g->node_count);
    WL_TRY_PTR(out->next, err);
    WL_TRY_PTR(out->taken, err);
    for (int32_t t = 0; t < g->tensor_count; t++) {
        out->control[t] = WL_NONE;
    }
    for (int32_t n = 0; n < g->node_count; n++) {
        out->first[n] = WL_NONE;
        out->taken[n] = WL_NONE;
    }
    for (int32_t b = 1; b < g->block_count; b++) {
        const struct wl_block *block = &g->blocks[b];
        if (block->parent_node == WL_NONE) {
            continue;
        }
        out->next[b] = out->first[block->parent_node];
        out->first[block->parent_node] = b;
        note_branch(g, b, &out->taken[block->parent_node]);
        for (int32_t i = 0; i < block->input_count; i++) {
            if (block->inputs[i] != WL_NONE) {
                out->control[block->inputs[i]] = block->parent_node;
            }
        }
    }
    return WL_OK;
}

bool wl_partition_is_shape_only(const struct wl_graph *g, const struct wl_node *n)
{
    bool meta = n->op != NULL && n->op->kind == WL_OPK_META && n->input_count > 0 &&
                n->inputs[0] != WL_NONE;
    const struct wl_tensor *t = meta ? &g->tensors[n->inputs[0]] : NULL;
    for (int32_t i = 0; meta && i < t->rank; i++) {
        meta = wl_dim_is_known(t->dims[i]);
    }
    return (meta && t->rank != WL_NONE) || wl_partition_is_shape_arithmetic(g, n);
}

static void alias_branches(struct run *r)
{
    const struct wl_graph *g = r->g;
    for (int32_t n = 0; n < g->node_count; n++) {
        int32_t taken = r->exec[n] == EXEC_CONTROL ? r->bodies.taken[n] : WL_NONE;
        for (int32_t i = 0; taken != WL_NONE && i < g->nodes[n].output_count; i++) {
            int32_t out = g->nodes[n].outputs[i];
            if (out != WL_NONE && g->blocks[taken].outputs[i] != WL_NONE) {
                r->root[out] = g->blocks[taken].outputs[i];
            }
        }
    }
    for (int32_t t = 0; t < g->tensor_count; t++) {
        int32_t root = t;
        while (r->root[root] != root) {
            root = r->root[root];
        }
        for (int32_t at = t; r->root[at] != root;) {
            int32_t next = r->root[at];
            r->root[at] = root;
            at = next;
        }
    }
}

wl_status wl_partition_classify(struct run *r)
{
    const struct wl_graph *g = r->g;
    WL_TRY(index_operators(r));
    WL_TRY(allocate(r));
    WL_TRY(wl_partition_bodies(g, r->scratch, &r->bodies, r->err));
    for (int32_t t = 0; t < g->tensor_count; t++) {
        r->root[t] = t;
        r->elems[t] = -2;
    }
    for (int32_t n = 0; n < g->node_count; n++) {
        r->unit[n] = n;
        r->input[n] = WL_NONE;
        r->group[n] = WL_NONE;
        r->exec[n] = EXEC_SKIP;
    }
    for (int32_t s = 0; s < g->schedule_count; s++) {
        int32_t n = g->schedule[s];
        const struct prim_row *row = prim_row_of(r, n);
        r->position[n] = s;
        r->prim[n] = (uint8_t)(row == NULL ? PRIM_NONE : row->prim);
    }
    if ((r->features & F(QDQ_UNITS)) != 0) {
        wl_partition_integers(r);
    }
    for (int32_t s = 0; s < g->schedule_count; s++) {
        int32_t n = g->schedule[s];
        r->exec[n] = (uint8_t)exec_of(r, n);
        set_root(r, n);
    }
    if (g->block_count > 1) {
        alias_branches(r);
    }
    return WL_OK;
}

/* ---- readers --------------------------------------------------------------------------------- */

static void mark_escape(struct run *r, int32_t tensor, uint8_t how)
{
    if (tensor != WL_NONE) {
        r->escapes[r->root[tensor]] |= how;
    }
}

static void mark_escapes(struct run *r)
{
    const struct wl_graph *g = r->g;
    for (int32_t b = 0; b < g->block_count; b++) {
        const struct wl_block *block = &g->blocks[b];
        bool executed = b == 0 || (block->parent_node != WL_NONE &&
                                   r->exec[block->parent_node] == EXEC_CONTROL);
        for (int32_t i = 0; executed && i < block->output_count; i++) {
            mark_escape(r, block->outputs[i], b == 0 ? ESCAPE_OUTPUT : ESCAPE_BODY);
        }
    }
}

static void add_reader(struct run *r, int32_t tensor, int32_t unit)
{
    int32_t root = r->root[tensor];
    if (wl_partition_producer(r, root) == unit) {
        return; /* stays inside */
    }
    if (r->sole[root] == SOLE_NONE) {
        r->sole[root] = unit;
    } else if (r->sole[root] != unit) {
        r->sole[root] = SOLE_MANY;
    }
}

wl_status wl_partition_readers(struct run *r)
{
    const struct wl_graph *g = r->g;
    for (int32_t t = 0; t < g->tensor_count; t++) {
        r->sole[t] = SOLE_NONE;
        r->escapes[t] = 0;
    }
    mark_escapes(r);
    for (int32_t s = 0; s < g->schedule_count; s++) {
        int32_t n = g->schedule[s];
        const struct wl_node *node = &g->nodes[n];
        bool meta = node->op != NULL && node->op->kind == WL_OPK_META;
        bool hands_on =
            r->exec[n] == EXEC_CONTROL || (r->exec[n] == EXEC_FREE && !is_view(node) && !meta);
        for (int32_t i = 0; i < node->input_count; i++) {
            if (node->inputs[i] == WL_NONE) {
                continue;
            }
            if (r->exec[n] == EXEC_RUN) {
                add_reader(r, node->inputs[i], r->unit[n]);
            } else if (hands_on) {
                mark_escape(r, node->inputs[i], ESCAPE_BODY);
            }
        }
    }
    return WL_OK;
}

/* ---- parts ----------------------------------------------------------------------------------- */

static enum part map_part(const struct run *r, int32_t node, const struct prim_row *row)
{
    const struct wl_node *n = &r->g->nodes[node];
    int32_t activations = 0;
    for (int32_t i = 0; i < n->input_count; i++) {
        if (n->inputs[i] != WL_NONE && !wl_partition_is_constant(r, n->inputs[i])) {
            activations++;
        }
    }
    if (row != NULL && row->part != PART_OTHER) {
        return row->part;
    }
    if ((n->op->flags & WL_OPF_ACTIVATION) != 0) {
        return PART_ACTX;
    }
    enum prim p = row == NULL ? PRIM_NONE : row->prim;
    if (p == PRIM_ADD || (p == PRIM_SUB && activations == 1)) {
        return activations > 1 ? PART_ADD : PART_BIAS;
    }
    if (p == PRIM_MUL || (p == PRIM_DIV && activations == 1)) {
        return activations > 1 ? PART_GATE : PART_SCALE;
    }
    return PART_MAP;
}

static enum part part_of(const struct run *r, int32_t node)
{
    const struct wl_node *n = &r->g->nodes[node];
    const struct prim_row *row = prim_row_of(r, node);
    if (n->op == NULL) {
        return PART_OTHER;
    }
    if (n->op->kind == WL_OPK_MAP) {
        return map_part(r, node, row);
    }
    if (row != NULL && row->part != PART_OTHER) {
        return row->part;
    }
    static const enum part by_kind[WL_OPK_COUNT] = {
        [WL_OPK_CONV] = PART_CONV,           [WL_OPK_GEMM] = PART_GEMM,
        [WL_OPK_ATTENTION] = PART_ATTENTION, [WL_OPK_POOL] = PART_POOL,
        [WL_OPK_NORM] = PART_NORM,           [WL_OPK_SOFTMAX] = PART_SOFTMAX,
        [WL_OPK_REDUCE] = PART_REDUCE,       [WL_OPK_MOVE] = PART_MOVE,
    };
    if (r->prim[node] == PRIM_CONV_TRANSPOSE && (r->features & F(DECONV)) == 0) {
        return PART_OTHER;
    }
    bool affine = n->op->kind == WL_OPK_NORM && n->op->fuse == WL_FUSE_EPILOGUE;
    return affine ? PART_BATCH_NORM : by_kind[n->op->kind];
}

void wl_partition_parts(struct run *r)
{
    for (int32_t n = 0; n < r->g->node_count; n++) {
        if (r->exec[n] == EXEC_RUN) {
            r->part[n] = (uint8_t)part_of(r, n);
        }
    }
}

/* ---- labels ---------------------------------------------------------------------------------- */

/* "HardSwish" -> "hard_swish"; kept short. */
static const char *snake_case(const struct run *r, struct wl_str name)
{
    char out[48];
    size_t at = 0;
    for (size_t i = 0; i < name.len && at + 2 < sizeof(out); i++) {
        char c = name.data[i];
        bool upper = c >= 'A' && c <= 'Z';
        bool after_lower = i > 0 && name.data[i - 1] >= 'a' && name.data[i - 1] <= 'z';
        if (upper && after_lower) {
            out[at++] = '_';
        }
        out[at++] = upper ? (char)(c - 'A' + 'a') : c;
    }
    return wl_arena_strndup(r->arena, out, at);
}

const char *wl_partition_label(const struct run *r, int32_t unit)
{
    const struct prim_row *row = prim_row_of(r, unit);
    if (r->label[unit] != NULL) {
        return r->label[unit];
    }
    if (r->part[unit] == PART_BIAS) {
        return "bias";
    }
    if (r->part[unit] == PART_SCALE) {
        return "scale";
    }
    if (row != NULL && row->label != NULL) {
        return row->label;
    }
    return snake_case(r, r->g->nodes[unit].op_type);
}
