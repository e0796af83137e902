/* SPDX-License-Identifier: Apache-2.0 */
/* ir/graph.c: tables of tensors, nodes, blocks; consumers and schedule; attributes; invariants. */
#include <stdio.h>
#include <string.h>

#include "ir.h"

wl_status wl_graph_init(struct wl_graph *g, struct wl_arena *arena, struct wl_diag_list *diags,
                        struct wl_error *err)
{
    *g = (struct wl_graph){.arena = arena, .diags = diags, .batch_input = WL_NONE};
    if (wl_strmap_init(&g->names, arena) != WL_OK || wl_dim_pool_init(&g->dims, arena) != WL_OK) {
        return wl_fail_nomem(err);
    }
    return WL_OK;
}

int32_t wl_graph_add_tensor(struct wl_graph *g, int32_t name)
{
    if (wl_arena_reserve(g->arena, (void **)&g->tensors, &g->tensor_capacity, g->tensor_count + 1,
                         sizeof(*g->tensors)) != WL_OK) {
        return WL_NONE;
    }
    g->tensors[g->tensor_count] = (struct wl_tensor){
        .name = name, .rank = WL_NONE, .producer = WL_NONE, .length = wl_dim_unknown()};
    return g->tensor_count++;
}

int32_t wl_graph_add_node(struct wl_graph *g)
{
    if (wl_arena_reserve(g->arena, (void **)&g->nodes, &g->node_capacity, g->node_count + 1,
                         sizeof(*g->nodes)) != WL_OK) {
        return WL_NONE;
    }
    g->nodes[g->node_count] = (struct wl_node){.repeat = wl_dim_known(1)};
    return g->node_count++;
}

int32_t wl_graph_add_block(struct wl_graph *g)
{
    if (wl_arena_reserve(g->arena, (void **)&g->blocks, &g->block_capacity, g->block_count + 1,
                         sizeof(*g->blocks)) != WL_OK) {
        return WL_NONE;
    }
    g->blocks[g->block_count] = (struct wl_block){.parent_node = WL_NONE, .parent_block = WL_NONE};
    return g->block_count++;
}

/* ---- index ---------------------------------------------------------------------------------- */

/* Blocks of each control node, chained in order, so that no attribute is searched. */
struct block_tree {
    int32_t *first_child; /* by node */
    int32_t *sibling;     /* by block */
};

static wl_status build_tree(struct wl_graph *g, struct block_tree *t, struct wl_error *err)
{
    t->first_child = WL_ARRAY(g->arena, int32_t, g->node_count);
    t->sibling = WL_ARRAY(g->arena, int32_t, g->block_count + 1);
    WL_TRY_PTR(t->first_child, err);
    WL_TRY_PTR(t->sibling, err);
    for (int32_t i = 0; i < g->node_count; i++) {
        t->first_child[i] = WL_NONE;
    }
    for (int32_t b = g->block_count - 1; b > 0; b--) {
        int32_t parent = g->blocks[b].parent_node;
        if (parent != WL_NONE) {
            t->sibling[b] = t->first_child[parent];
            t->first_child[parent] = b;
        }
    }
    return WL_OK;
}

/* Bodies follow their control node. An explicit stack: bodies nest as deep as the file says. */
static wl_status build_schedule(struct wl_graph *g, struct wl_error *err)
{
    struct frame {
        int32_t block;
        int32_t next;
    };
    struct block_tree tree = {0};
    g->schedule = WL_ARRAY(g->arena, int32_t, g->node_count);
    struct frame *stack = WL_ARRAY(g->arena, struct frame, g->block_count + 1);
    WL_TRY_PTR(g->schedule, err);
    WL_TRY_PTR(stack, err);
    WL_TRY(build_tree(g, &tree, err));
    int32_t depth = g->block_count > 0 ? 1 : 0; /* the main graph, block 0, from its first node */
    g->schedule_count = 0;
    while (depth > 0) {
        struct frame *top = &stack[depth - 1];
        const struct wl_block *block = &g->blocks[top->block];
        int32_t pushed = WL_NONE;
        if (top->next >= block->node_count) {
            pushed = top->block == 0 ? WL_NONE : tree.sibling[top->block];
            depth--;
        } else {
            int32_t node = block->nodes[top->next++];
            if (g->schedule_count >= g->node_count) {
                return wl_fail(err, WL_ERR_BUG, "graph", "a node is scheduled twice");
            }
            g->schedule[g->schedule_count++] = node;
            pushed = tree.first_child[node];
        }
        if (pushed != WL_NONE) {
            stack[depth++] = (struct frame){pushed, 0};
        }
    }
    return WL_OK;
}

/* Each distinct reader of a tensor once, in schedule order. */
static wl_status build_consumers(struct wl_graph *g, struct wl_error *err)
{
    int64_t total = 0;
    for (int32_t t = 0; t < g->tensor_count; t++) {
        g->tensors[t].consumer_count = 0;
    }
    /* A node may read a tensor twice: the mark remembers the last reader, plus one. */
    int32_t *mark = WL_ARRAY(g->arena, int32_t, g->tensor_count);
    WL_TRY_PTR(mark, err);
    for (int32_t n = 0; n < g->node_count; n++) {
        const struct wl_node *node = &g->nodes[n];
        for (int32_t i = 0; i < node->input_count; i++) {
            int32_t t = node->inputs[i];
            if (t != WL_NONE && mark[t] != n + 1) {
                mark[t] = n + 1;
                g->tensors[t].consumer_count++;
                total++;
            }
        }
    }
    g->consumers = WL_ARRAY(g->arena, int32_t, total);
    WL_TRY_PTR(g->consumers, err);
    int32_t at = 0;
    for (int32_t t = 0; t < g->tensor_count; t++) {
        g->tensors[t].first_consumer = at;
        at += g->tensors[t].consumer_count;
        g->tensors[t].consumer_count = 0;
        mark[t] = 0;
    }
    for (int32_t s = 0; s < g->schedule_count; s++) {
        int32_t n = g->schedule[s];
        const struct wl_node *node = &g->nodes[n];
        for (int32_t i = 0; i < node->input_count; i++) {
            int32_t t = node->inputs[i];
            if (t != WL_NONE && mark[t] != n + 1) {
                mark[t] = n + 1;
                struct wl_tensor *tensor = &g->tensors[t];
                g->consumers[tensor->first_consumer + tensor->consumer_count++] = n;
            }
        }
    }
    return WL_OK;
}

wl_status wl_graph_index(struct wl_graph *g, struct wl_error *err)
{
    WL_TRY(build_schedule(g, err));
    WL_TRY(build_consumers(g, err));
    for (int32_t t = 0; t < g->tensor_count; t++) {
        g->tensors[t].flags &= ~WL_TENSOR_IS_OUTPUT;
    }
    if (g->block_count > 0) {
        for (int32_t i = 0; i < g->blocks[0].output_count; i++) {
            int32_t t = g->blocks[0].outputs[i];
            if (t != WL_NONE) {
                g->tensors[t].flags |= WL_TENSOR_IS_OUTPUT;
            }
        }
    }
    return WL_OK;
}

/* ---- invariants ------------------------------------------------------------------------------ */

static bool ids_valid(const int32_t *ids, int32_t count, int32_t limit)
{
    for (int32_t i = 0; i < count; i++) {
        if (ids[i] != WL_NONE && (ids[i] < 0 || ids[i] >= limit)) {
            return false;
        }
    }
    return true;
}

static wl_status verify_node(const struct wl_graph *g, int32_t n, struct wl_error *err)
{
    char where[160];
    const struct wl_node *node = &g->nodes[n];
    if (!ids_valid(node->inputs, node->input_count, g->tensor_count) ||
        !ids_valid(node->outputs, node->output_count, g->tensor_count)) {
        return wl_fail(err, WL_ERR_BUG, wl_node_where(g, n, where, sizeof(where)),
                       "refers to a tensor that does not exist");
    }
    for (int32_t i = 0; i < node->output_count; i++) {
        if (node->outputs[i] != WL_NONE && g->tensors[node->outputs[i]].producer != n) {
            return wl_fail(err, WL_ERR_BUG, wl_node_where(g, n, where, sizeof(where)),
                           "output %d names another producer", (int)i);
        }
    }
    return WL_OK;
}

/* Every input of a node is produced before it, in schedule order. */
static wl_status verify_order(const struct wl_graph *g, struct wl_error *err)
{
    struct wl_arena scratch;
    wl_arena_init(&scratch, 0);
    int32_t *position = WL_ARRAY(&scratch, int32_t, g->node_count);
    wl_status status = position == NULL ? wl_fail_nomem(err) : WL_OK;
    for (int32_t s = 0; status == WL_OK && s < g->schedule_count; s++) {
        position[g->schedule[s]] = s + 1;
    }
    for (int32_t n = 0; status == WL_OK && n < g->node_count; n++) {
        const struct wl_node *node = &g->nodes[n];
        for (int32_t i = 0; i < node->input_count; i++) {
            int32_t t = node->inputs[i];
            int32_t producer = t == WL_NONE ? WL_NONE : g->tensors[t].producer;
            if (position[n] > 0 && producer != WL_NONE && position[producer] >= position[n]) {
                char where[160];
                status = wl_fail(err, WL_ERR_BUG, wl_node_where(g, n, where, sizeof(where)),
                                 "runs before its input %d is produced", (int)i);
                break;
            }
        }
    }
    wl_arena_done(&scratch);
    return status;
}

wl_status wl_graph_verify(const struct wl_graph *g, struct wl_error *err)
{
    for (int32_t n = 0; n < g->node_count; n++) {
        WL_TRY(verify_node(g, n, err));
    }
    for (int32_t t = 0; t < g->tensor_count; t++) {
        const struct wl_tensor *tensor = &g->tensors[t];
        if (tensor->rank < WL_NONE || tensor->rank > WL_RANK_MAX ||
            (tensor->rank > 0 && tensor->dims == NULL)) {
            return wl_fail(err, WL_ERR_BUG, "graph", "tensor %d has a broken shape", (int)t);
        }
    }
    return g->schedule == NULL ? WL_OK : verify_order(g, err);
}

/* ---- small questions ------------------------------------------------------------------------- */

struct wl_str wl_tensor_name(const struct wl_graph *g, int32_t tensor)
{
    int32_t name = tensor == WL_NONE ? WL_NONE : g->tensors[tensor].name;
    return name == WL_NONE ? WL_STR("") : g->names.names[name];
}

const char *wl_node_where(const struct wl_graph *g, int32_t node, char *out, size_t out_size)
{
    const struct wl_node *n = &g->nodes[node];
    (void)snprintf(out, out_size, "node \"%.*s\" (%.*s)", WL_STR_ARG(n->name),
                   WL_STR_ARG(n->op_type));
    return out;
}

struct wl_dim wl_tensor_elems(struct wl_graph *g, int32_t tensor)
{
    const struct wl_tensor *t = &g->tensors[tensor];
    if (t->rank == WL_NONE) {
        return wl_dim_unknown();
    }
    struct wl_dim elems = wl_dim_known(1);
    for (int32_t i = 0; i < t->rank; i++) {
        elems = wl_dim_mul(&g->dims, elems, t->dims[i]);
    }
    return elems;
}

bool wl_tensor_elems_known(const struct wl_graph *g, int32_t tensor, int64_t *out)
{
    const struct wl_tensor *t = &g->tensors[tensor];
    int64_t elems = 1;
    if (t->rank == WL_NONE) {
        return false;
    }
    for (int32_t i = 0; i < t->rank; i++) {
        if (!wl_dim_is_known(t->dims[i]) || !wl_mul_i64(elems, t->dims[i].value, &elems)) {
            return false;
        }
    }
    *out = elems;
    return true;
}

bool wl_tensor_is_constant(const struct wl_tensor *t)
{
    return t->kind == WL_TENSOR_INITIALIZER || t->kind == WL_TENSOR_CONSTANT;
}

const char *wl_tensor_kind_name(enum wl_tensor_kind k)
{
    static const char *const names[WL_TENSOR_KIND_COUNT] = {"activation", "input", "initializer",
                                                            "constant"};
    return names[k];
}

const char *wl_node_status_name(enum wl_node_status s)
{
    static const char *const names[WL_NODE_STATUS_COUNT] = {"modelled", "approximated", "ignored",
                                                            "free", "folded"};
    return names[s];
}

const struct wl_attr *wl_node_attr(const struct wl_node *n, const char *name)
{
    size_t len = strlen(name);
    for (int32_t i = 0; i < n->attr_count; i++) {
        if (n->attrs[i].name.len == len && memcmp(n->attrs[i].name.data, name, len) == 0) {
            return &n->attrs[i];
        }
    }
    return NULL;
}

int64_t wl_node_attr_int(const struct wl_node *n, const char *name, int64_t otherwise)
{
    const struct wl_attr *a = wl_node_attr(n, name);
    return a != NULL && a->type == WL_ATTR_INT ? a->u.i : otherwise;
}

double wl_node_attr_float(const struct wl_node *n, const char *name, double otherwise)
{
    const struct wl_attr *a = wl_node_attr(n, name);
    if (a != NULL && a->type == WL_ATTR_INT) {
        return (double)a->u.i;
    }
    return a != NULL && a->type == WL_ATTR_FLOAT ? a->u.f : otherwise;
}

struct wl_str wl_node_attr_str(const struct wl_node *n, const char *name)
{
    const struct wl_attr *a = wl_node_attr(n, name);
    return a != NULL && a->type == WL_ATTR_STRING ? a->u.s : (struct wl_str){"", 0};
}

int32_t wl_node_input(const struct wl_node *n, int32_t i)
{
    return i < n->input_count ? n->inputs[i] : WL_NONE;
}

int32_t wl_node_output(const struct wl_node *n, int32_t i)
{
    return i < n->output_count ? n->outputs[i] : WL_NONE;
}

/* ---- precision ------------------------------------------------------------------------------- */

enum wl_precision wl_policy_precision(const struct wl_precision_policy *p,
                                      const struct wl_tensor *t)
{
    enum wl_precision asked = p->activations;
    if ((t->flags & WL_TENSOR_IS_KV) != 0) {
        asked = p->kv;
    } else if (wl_tensor_is_constant(t)) {
        asked = p->weights;
    }
    bool retype = asked != WL_PREC_NATIVE && wl_dtype_is_float(t->dtype);
    return retype ? asked : wl_dtype_precision(t->dtype);
}

int wl_policy_bits(const struct wl_precision_policy *p, const struct wl_tensor *t)
{
    enum wl_precision now = wl_policy_precision(p, t);
    int own = wl_dtype_bits(t->dtype);
    return now == wl_dtype_precision(t->dtype) && own > 0 ? own : wl_precision_bits(now);
}
