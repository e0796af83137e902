/* SPDX-License-Identifier: Apache-2.0 */
/*
 * partition/idioms.c: operators that an exporter took apart, put together again. Each row holds the
 * expression in prefix order over primitive operators; the matcher tries both orders of commutative
 * operators and looks through casts and views. An idiom becomes one unit when nothing outside reads
 * what is computed inside.
 *
 * Sources of the expressions: the decompositions that torch.onnx's symbolic functions and ONNX's
 * own function bodies use (GELU: Hendrycks and Gimpel 2016; SiLU: Elfwing et al. 2017; hard-swish:
 * Howard et al. 2019; Mish: Misra 2019; RMSNorm: Zhang and Sennrich 2019; rotary embedding: Su et
 * al. 2021). Simplification: the constants' values and reduction axes are not looked at.
 */
#include "partition_priv.h"

#define IDIOM_CODES_MAX 96
#define IDIOM_NODES_MAX 32

struct idiom {
    const char *label;
    enum part part;
    uint64_t feature;
    uint8_t code[IDIOM_CODES_MAX];
};

#define ADD PRIM_ADD
#define MUL PRIM_MUL
#define DIV PRIM_DIV
#define SUB PRIM_SUB
#define POW PRIM_POW
#define X IDIOM_X
#define K IDIOM_CONST
#define OR IDIOM_OR
#define SCALE IDIOM_SCALE
#define SQUARE OR, POW, X, K, MUL, X, X
#define CUBE OR, POW, X, K, MUL, X, MUL, X, X
#define ERF_X PRIM_ERF, SCALE, X
#define TANH_X PRIM_TANH, OR, SCALE, ADD, X, SCALE, CUBE, MUL, SCALE, X, ADD, K, SCALE, SQUARE
/* x - mean(x), and its mean square */
#define CENTRED SUB, X, PRIM_MEAN, X
#define VARIANCE PRIM_MEAN, OR, POW, CENTRED, K, MUL, CENTRED, CENTRED
#define NORMED                                                                                     \
    OR, DIV, CENTRED, PRIM_SQRT, ADD, VARIANCE, K, MUL, CENTRED, INVERSE_ROOT, VARIANCE, K
#define INVERSE_ROOT PRIM_RECIPROCAL, PRIM_SQRT, ADD
#define RMS_NORMED                                                                                 \
    OR, DIV, X, PRIM_SQRT, ADD, PRIM_MEAN, SQUARE, K, MUL, X, OR, PRIM_RECIPROCAL, PRIM_SQRT, ADD, \
        PRIM_MEAN, SQUARE, K, DIV, K, PRIM_SQRT, ADD, PRIM_MEAN, SQUARE, K
#define EXP_SHIFTED PRIM_EXP, SUB, X, PRIM_RMAX, X
#define TURNED PRIM_CONCAT, PRIM_NEG, PRIM_SLICE, X, PRIM_SLICE, X

/* Larger idioms before those that they contain. */
/* clang-format off */
static const struct idiom idioms[] = {
    {"gelu", PART_GELU, F(IDIOM_ACT), {SCALE, MUL, X, ADD, ERF_X, K, IDIOM_END}},
    {"gelu", PART_GELU, F(IDIOM_ACT), {MUL, SCALE, X, ADD, ERF_X, K, IDIOM_END}},
    {"gelu", PART_GELU, F(IDIOM_ACT), {MUL, X, SCALE, ADD, ERF_X, K, IDIOM_END}},
    {"gelu_tanh", PART_ACTX, F(IDIOM_ACT), {SCALE, MUL, X, ADD, TANH_X, K, IDIOM_END}},
    {"gelu_tanh", PART_ACTX, F(IDIOM_ACT), {MUL, SCALE, X, ADD, TANH_X, K, IDIOM_END}},
    {"gelu_tanh", PART_ACTX, F(IDIOM_ACT), {MUL, X, SCALE, ADD, TANH_X, K, IDIOM_END}},
    {"silu", PART_ACTX, F(IDIOM_ACT), {MUL, X, PRIM_SIGMOID, X, IDIOM_END}},
    {"quick_gelu", PART_ACTX, F(IDIOM_ACT), {MUL, X, PRIM_SIGMOID, SCALE, X, IDIOM_END}},
    {"hard_swish", PART_ACT, F(IDIOM_ACT), {MUL, X, PRIM_HARD_SIGMOID, X, IDIOM_END}},
    {"hard_swish", PART_ACT, F(IDIOM_ACT), {SCALE, MUL, X, PRIM_CLIP, ADD, X, K, IDIOM_END}},
    {"hard_swish", PART_ACT, F(IDIOM_ACT), {MUL, X, SCALE, PRIM_CLIP, ADD, X, K, IDIOM_END}},
    {"hard_sigmoid", PART_ACT, F(IDIOM_ACT), {SCALE, PRIM_CLIP, ADD, X, K, IDIOM_END}},
    {"mish", PART_ACTX, F(IDIOM_ACT), {MUL, X, PRIM_TANH, PRIM_SOFTPLUS, X, IDIOM_END}},
    {"layernorm", PART_NORM, F(IDIOM_NORM), {ADD, MUL, NORMED, K, K, IDIOM_END}},
    {"layernorm", PART_NORM, F(IDIOM_NORM), {MUL, NORMED, K, IDIOM_END}},
    {"layernorm", PART_NORM, F(IDIOM_NORM), {DIV, CENTRED, PRIM_SQRT, ADD, VARIANCE, K, IDIOM_END}},
    {"groupnorm", PART_NORM, F(IDIOM_NORM), {ADD, MUL, PRIM_INSTANCE_NORM, X, K, K, IDIOM_END}},
    {"rmsnorm", PART_NORM, F(IDIOM_NORM), {MUL, RMS_NORMED, K, IDIOM_END}},
    {"rmsnorm", PART_NORM, F(IDIOM_NORM), {DIV, X, PRIM_SQRT, ADD, PRIM_MEAN, SQUARE, K, IDIOM_END}},
    {"rmsnorm", PART_NORM, F(IDIOM_NORM), {MUL, X, PRIM_RECIPROCAL, PRIM_SQRT, ADD, PRIM_MEAN, SQUARE, K, IDIOM_END}},
    {"softmax", PART_SOFTMAX, F(IDIOM_SOFTMAX), {DIV, EXP_SHIFTED, PRIM_SUM, EXP_SHIFTED, IDIOM_END}},
    {"softmax", PART_SOFTMAX, F(IDIOM_SOFTMAX), {PRIM_WHERE, PRIM_IS_NAN, PRIM_SOFTMAX, X, K, PRIM_SOFTMAX, X, IDIOM_END}},
    {"rope", PART_OTHER, F(IDIOM_ROPE), {ADD, MUL, X, IDIOM_ANY, MUL, TURNED, IDIOM_ANY, IDIOM_END}},
};
/* clang-format on */

#undef ADD
#undef MUL
#undef DIV
#undef SUB
#undef POW
#undef X
#undef K
#undef OR

struct matcher {
    struct run *r;
    const uint8_t *code;
    int32_t root;  /* node of the idiom's output */
    int32_t input; /* root tensor bound to X */
    int32_t count;
    int32_t nodes[IDIOM_NODES_MAX];
};

static int arity(uint8_t code)
{
    switch (code) {
    case PRIM_ADD:
    case PRIM_SUB:
    case PRIM_MUL:
    case PRIM_DIV:
    case PRIM_POW:
    case PRIM_CONCAT:
    case IDIOM_OR:
        return 2;
    case PRIM_WHERE:
        return 3;
    case IDIOM_X:
    case IDIOM_ANY:
    case IDIOM_CONST:
        return 0;
    default:
        return 1;
    }
}

/* First code after the expression that starts at `at`. */
static int after(const uint8_t *code, int at)
{
    for (int open = 1; open > 0; at++) {
        open += arity(code[at]) - 1;
    }
    return at;
}

static bool add_node(struct matcher *m, int32_t node)
{
    for (int32_t i = 0; i < m->count; i++) {
        if (m->nodes[i] == node) {
            return true;
        }
    }
    if (m->count == IDIOM_NODES_MAX) {
        return false;
    }
    m->nodes[m->count++] = node;
    return true;
}

/* The node that computes `tensor`, through views and casts; casts join the idiom. */
static int32_t computing_node(struct matcher *m, int32_t tensor)
{
    const struct wl_graph *g = m->r->g;
    for (int steps = 0; steps < 8; steps++) {
        int32_t n = g->tensors[m->r->root[tensor]].producer;
        if (n == WL_NONE || m->r->exec[n] != EXEC_RUN || m->r->label[m->r->unit[n]] != NULL) {
            return WL_NONE;
        }
        if (m->r->prim[n] != PRIM_CAST) {
            return n;
        }
        if (!add_node(m, n)) {
            return WL_NONE;
        }
        tensor = g->nodes[n].inputs[0];
    }
    return WL_NONE;
}

static bool match(struct matcher *m, int at, int32_t tensor);

/* Tries `first` and `second` as the node's operands; undoes its bindings when it fails. */
static bool match_pair(struct matcher *m, int at, int32_t first, int32_t second)
{
    int32_t input = m->input;
    int32_t count = m->count;
    if (match(m, at, first) && match(m, after(m->code, at), second)) {
        return true;
    }
    m->input = input;
    m->count = count;
    return false;
}

static bool match_scale(struct matcher *m, int at, const struct wl_node *n, enum prim p)
{
    const struct run *r = m->r;
    if ((p != PRIM_MUL && p != PRIM_DIV) || n->input_count != 2) {
        return false;
    }
    if (wl_partition_is_constant(r, n->inputs[1])) {
        return match(m, at, n->inputs[0]);
    }
    return p == PRIM_MUL && wl_partition_is_constant(r, n->inputs[0]) && match(m, at, n->inputs[1]);
}

static bool inputs_present(const struct wl_node *n, int count)
{
    for (int i = 0; i < count; i++) {
        if (wl_node_input(n, i) == WL_NONE) {
            return false;
        }
    }
    return true;
}

/* Matches node `n` and its operands against the expression at `at`. */
static bool match_node(struct matcher *m, int at, int32_t node)
{
    const struct wl_node *n = &m->r->g->nodes[node];
    enum prim p = (enum prim)m->r->prim[node];
    uint8_t code = m->code[at];
    int operands = arity(code);
    if (!inputs_present(n, operands) || !add_node(m, node)) {
        return false;
    }
    if (code == IDIOM_SCALE) {
        return match_scale(m, at + 1, n, p);
    }
    if (code != p || (code == PRIM_CONCAT && n->input_count != 2)) {
        return false;
    }
    if (operands == 1) {
        return match(m, at + 1, n->inputs[0]);
    }
    if (operands == 3) {
        int second = after(m->code, at + 1);
        return match(m, at + 1, n->inputs[0]) && match_pair(m, second, n->inputs[1], n->inputs[2]);
    }
    bool commutative = code == PRIM_ADD || code == PRIM_MUL;
    return match_pair(m, at + 1, n->inputs[0], n->inputs[1]) ||
           (commutative && match_pair(m, at + 1, n->inputs[1], n->inputs[0]));
}

static bool match_input(struct matcher *m, int32_t tensor)
{
    int32_t root = m->r->root[tensor];
    if (m->input == WL_NONE && !wl_partition_is_constant(m->r, tensor)) {
        m->input = root;
    }
    return m->input == root;
}

static bool match_either(struct matcher *m, int at, int32_t tensor)
{
    int32_t input = m->input;
    int32_t count = m->count;
    if (match(m, at, tensor)) {
        return true;
    }
    m->input = input;
    m->count = count;
    return match(m, after(m->code, at), tensor);
}

/* Does the tensor compute the expression at `at`? */
static bool match(struct matcher *m, int at, int32_t tensor)
{
    switch (m->code[at]) {
    case IDIOM_X:
        return match_input(m, tensor);
    case IDIOM_ANY:
        return true;
    case IDIOM_CONST:
        return wl_partition_is_constant(m->r, tensor);
    case IDIOM_OR:
        return match_either(m, at + 1, tensor);
    default:
        break;
    }
    int32_t node = computing_node(m, tensor);
    return node != WL_NONE && match_node(m, at, node);
}

/* ---- legality -------------------------------------------------------------------------------- */

static bool contains(const struct matcher *m, int32_t node)
{
    for (int32_t i = 0; i < m->count; i++) {
        if (m->nodes[i] == node) {
            return true;
        }
    }
    return false;
}

/* Everything that reads the tensor, through views, is inside. */
static bool read_inside(const struct matcher *m, int32_t tensor, int depth)
{
    const struct wl_graph *g = m->r->g;
    const struct wl_tensor *t = &g->tensors[tensor];
    if ((t->flags & WL_TENSOR_IS_OUTPUT) != 0 || m->r->escapes[m->r->root[tensor]] != 0 ||
        depth > 8 || t->consumer_count > IDIOM_NODES_MAX) {
        return false;
    }
    for (int32_t i = 0; i < t->consumer_count; i++) {
        int32_t n = g->consumers[t->first_consumer + i];
        const struct wl_node *node = &g->nodes[n];
        bool meta = node->op != NULL && node->op->kind == WL_OPK_META;
        if (m->r->exec[n] == EXEC_SKIP || contains(m, n) || (m->r->exec[n] == EXEC_FREE && meta)) {
            continue;
        }
        if (m->r->exec[n] != EXEC_FREE || node->output_count < 1 ||
            m->r->root[node->outputs[0]] != m->r->root[tensor] ||
            !read_inside(m, node->outputs[0], depth + 1)) {
            return false;
        }
    }
    return true;
}

static bool is_closed(const struct matcher *m)
{
    const struct wl_graph *g = m->r->g;
    const struct wl_node *root = &g->nodes[m->root];
    for (int32_t i = 0; i < m->count; i++) {
        const struct wl_node *n = &g->nodes[m->nodes[i]];
        if (n->block != root->block || !wl_dim_eq(n->repeat, root->repeat)) {
            return false;
        }
        for (int32_t o = 0; m->nodes[i] != m->root && o < n->output_count; o++) {
            if (n->outputs[o] != WL_NONE && !read_inside(m, n->outputs[o], 0)) {
                return false;
            }
        }
    }
    return m->count > 1;
}

static bool root_fits(const struct idiom *row, uint8_t prim)
{
    if (row->code[0] == IDIOM_SCALE) {
        return prim == PRIM_MUL || prim == PRIM_DIV;
    }
    return row->code[0] == prim;
}

static void try_idioms(struct run *r, int32_t node)
{
    for (size_t i = 0; i < WL_ARRAY_LEN(idioms); i++) {
        const struct idiom *row = &idioms[i];
        struct matcher m = {.r = r, .code = row->code, .root = node, .input = WL_NONE};
        if (!root_fits(row, r->prim[node]) || (r->features & row->feature) == 0 ||
            !match_node(&m, 0, node) || !is_closed(&m)) {
            continue;
        }
        for (int32_t k = 0; k < m.count; k++) {
            r->unit[m.nodes[k]] = node;
        }
        r->label[node] = row->label;
        r->part[node] = (uint8_t)row->part;
        r->input[node] = m.input;
        return;
    }
}

/* From the last node to the first, so that a larger idiom is found before one inside it. */
wl_status wl_partition_idioms(struct run *r)
{
    const struct wl_graph *g = r->g;
    if ((r->features & (F(IDIOM_ACT) | F(IDIOM_NORM) | F(IDIOM_SOFTMAX) | F(IDIOM_ROPE))) == 0) {
        return WL_OK;
    }
    for (int32_t s = g->schedule_count - 1; s >= 0; s--) {
        int32_t n = g->schedule[s];
        uint8_t p = r->prim[n];
        bool root = p == PRIM_ADD || p == PRIM_MUL || p == PRIM_DIV || p == PRIM_WHERE;
        if (root && r->exec[n] == EXEC_RUN && r->unit[n] == n && r->label[n] == NULL) {
            try_idioms(r, n);
        }
    }
    return WL_OK;
}
