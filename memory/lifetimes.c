/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory/lifetimes.c: which activation tensor lives from which subgraph to which, and which ones
 * follow each other in the same bytes.
 *
 * A tensor lives from the subgraph that writes it to the last one that reads it; inputs of the
 * model from the start, outputs to the end. What a loop body reads from outside lives until the
 * loop ends, because every iteration reads it; so does what the body carries or returns.
 *
 * In place: a subgraph may write an output over an input that nothing reads later, when every
 * operator that reads the input does so element by element (or its table row allows it) and both
 * have the same bytes. The model's own inputs are the caller's and are not overwritten.
 */
#include <math.h>

#include "memory_priv.h"

/* All buffers together stay below this, so that no sum of sizes overflows. */
#define BYTES_MAX 4e18

struct builder {
    const struct wl_mappings *m;
    const struct wl_graph *g;
    struct lifetimes *out;
    struct wl_error *err;
    int32_t *block_first; /* by block: first and last subgraph in it or in the bodies below */
    int32_t *block_last;
    int32_t *control_block; /* by node: one of its bodies, or WL_NONE; NULL without control flow */
};

bool wl_memory_elems(const struct wl_graph *g, int32_t tensor, int64_t *out)
{
    const struct wl_tensor *t = &g->tensors[tensor];
    int64_t elems = 1;
    for (int32_t i = 0; i < t->rank; i++) {
        int64_t dim;
        if (!wl_dim_at_most(&g->dims, t->dims[i], &dim, NULL) || !wl_mul_i64(elems, dim, &elems)) {
            return false;
        }
    }
    *out = elems;
    return t->rank != WL_NONE;
}

/* Saturates: check_sizes refuses what comes near. */
static int64_t operand_bytes(const struct builder *b, const struct wl_operand *o)
{
    double bytes = ceil(wl_operand_bytes(b->g, &b->m->options.policy, o));
    return bytes < BYTES_MAX ? (int64_t)bytes : (int64_t)BYTES_MAX;
}

static bool is_kv(const struct builder *b, int32_t tensor)
{
    return (b->g->tensors[tensor].flags & WL_TENSOR_IS_KV) != 0;
}

/* ---- bodies ---------------------------------------------------------------------------------- */

static wl_status index_blocks(struct builder *b, struct wl_arena *arena)
{
    const struct wl_graph *g = b->g;
    const struct wl_partition *p = b->m->partition;
    b->block_first = WL_ARRAY(arena, int32_t, g->block_count);
    b->block_last = WL_ARRAY(arena, int32_t, g->block_count);
    b->control_block = WL_ARRAY(arena, int32_t, g->node_count);
    WL_TRY_PTR(b->block_first, b->err);
    WL_TRY_PTR(b->block_last, b->err);
    WL_TRY_PTR(b->control_block, b->err);
    for (int32_t i = 0; i < g->block_count; i++) {
        b->block_first[i] = WL_NONE;
        b->block_last[i] = WL_NONE;
    }
    for (int32_t n = 0; n < g->node_count; n++) {
        b->control_block[n] = WL_NONE;
    }
    for (int32_t i = 1; i < g->block_count; i++) {
        if (g->blocks[i].parent_node != WL_NONE) {
            b->control_block[g->blocks[i].parent_node] = i;
        }
    }
    for (int32_t i = 0; i < p->count; i++) {
        int32_t block = g->nodes[p->subgraphs[i].anchor].block;
        while (block > 0) {
            b->block_first[block] = b->block_first[block] == WL_NONE ? i : b->block_first[block];
            b->block_last[block] = i;
            int32_t parent = g->blocks[block].parent_node;
            block = parent == WL_NONE ? 0 : g->nodes[parent].block;
        }
    }
    return WL_OK;
}

/* Step until which a tensor of block `home` lives when subgraph `s` of block `block` reads it. */
static int32_t end_of_read(const struct builder *b, int32_t home, int32_t block, int32_t s)
{
    while (block > 0 && block != home) {
        s = b->block_last[block] > s ? b->block_last[block] : s;
        int32_t parent = b->g->blocks[block].parent_node;
        block = parent == WL_NONE ? 0 : b->g->nodes[parent].block;
    }
    return s;
}

/* ---- lifetimes ------------------------------------------------------------------------------- */

static struct lifetime *life_of(struct builder *b, int32_t tensor, int32_t step, int64_t bytes)
{
    struct lifetimes *l = b->out;
    if (l->of_tensor[tensor] == WL_NONE) {
        l->of_tensor[tensor] = l->count;
        l->items[l->count++] = (struct lifetime){.tensor = tensor,
                                                 .first = step,
                                                 .last = step,
                                                 .buffer = WL_NONE,
                                                 .in_place_of = WL_NONE,
                                                 .size_bytes = bytes};
    }
    struct lifetime *life = &l->items[l->of_tensor[tensor]];
    life->size_bytes = wl_max_i64(life->size_bytes, bytes);
    return life;
}

/* Where a tensor that no subgraph writes begins: the model's input, or a loop's. */
static int32_t begin_of(const struct builder *b, int32_t tensor, int32_t reader)
{
    const struct wl_tensor *t = &b->g->tensors[tensor];
    int32_t block = WL_NONE;
    if (t->producer == WL_NONE) {
        block = t->block > 0 ? t->block : WL_NONE;
        if (block == WL_NONE) {
            return 0;
        }
    } else if (b->control_block != NULL) {
        block = b->control_block[t->producer];
    }
    if (block == WL_NONE || b->block_first[block] == WL_NONE) {
        return reader;
    }
    return b->block_first[block] < reader ? b->block_first[block] : reader;
}

static void add_read(struct builder *b, const struct wl_operand *o, int32_t step)
{
    int32_t block = b->g->nodes[b->m->partition->subgraphs[step].anchor].block;
    const struct wl_tensor *t = &b->g->tensors[o->tensor];
    if (is_kv(b, o->tensor)) {
        return;
    }
    bool known = b->out->of_tensor[o->tensor] != WL_NONE;
    struct wl_operand whole = *o;
    int64_t elems;
    if (wl_memory_elems(b->g, o->tensor, &elems)) {
        whole.elems = wl_max_i64(elems, o->elems); /* resident whole, though read in part */
    }
    struct lifetime *life = life_of(b, o->tensor, step, operand_bytes(b, &whole));
    if (!known) {
        life->first = begin_of(b, o->tensor, step);
    }
    int32_t end = b->block_last == NULL ? step : end_of_read(b, t->block, block, step);
    if (b->block_last != NULL && t->producer == WL_NONE && t->block > 0) {
        end = b->block_last[t->block] > end ? b->block_last[t->block] : end; /* carried */
    }
    life->last = end > life->last ? end : life->last;
}

static void collect(struct builder *b)
{
    const struct wl_partition *p = b->m->partition;
    for (int32_t i = 0; i < p->count; i++) {
        const struct wl_subgraph *s = &p->subgraphs[i];
        for (int32_t k = 0; k < s->input_count; k++) {
            add_read(b, &s->inputs[k], i);
        }
        for (int32_t k = 0; k < s->output_count; k++) {
            if (!is_kv(b, s->outputs[k].tensor)) {
                (void)life_of(b, s->outputs[k].tensor, i, operand_bytes(b, &s->outputs[k]));
            }
        }
    }
}

/* Follows views back to a tensor that has a lifetime; WL_NONE where there is none. */
static int32_t resident_root(const struct builder *b, int32_t tensor)
{
    for (int steps = 0; tensor != WL_NONE && steps < 4096; steps++) {
        if (b->out->of_tensor[tensor] != WL_NONE) {
            return tensor;
        }
        int32_t n = b->g->tensors[tensor].producer;
        bool view = n != WL_NONE && b->g->nodes[n].op != NULL &&
                    b->g->nodes[n].op->kind == WL_OPK_VIEW && b->g->nodes[n].input_count > 0;
        tensor = view ? b->g->nodes[n].inputs[0] : WL_NONE;
    }
    return WL_NONE;
}

/* What blocks return outlives its last reader. */
static void extend_results(struct builder *b)
{
    const struct wl_graph *g = b->g;
    for (int32_t i = 0; i < g->block_count; i++) {
        int32_t end = i == 0 ? b->m->partition->count - 1 : b->block_last[i];
        for (int32_t k = 0; k < g->blocks[i].output_count; k++) {
            int32_t root = resident_root(b, g->blocks[i].outputs[k]);
            if (root != WL_NONE && end != WL_NONE) {
                struct lifetime *life = &b->out->items[b->out->of_tensor[root]];
                life->last = end > life->last ? end : life->last;
            }
        }
    }
}

/* ---- in place -------------------------------------------------------------------------------- */

/* Is `tensor` the bytes of `root`, seen through views? */
static bool is_alias(const struct wl_graph *g, int32_t tensor, int32_t root)
{
    for (int steps = 0; tensor != root && steps < 16; steps++) {
        int32_t n = tensor == WL_NONE ? WL_NONE : g->tensors[tensor].producer;
        bool view = n != WL_NONE && g->nodes[n].op != NULL && g->nodes[n].op->kind == WL_OPK_VIEW &&
                    g->nodes[n].input_count > 0;
        if (!view) {
            return false;
        }
        tensor = g->nodes[n].inputs[0];
    }
    return tensor == root;
}

/* Node `n` reads `root` (if at all) element by element, with a result of `elems` elements. */
static bool reads_by_element(const struct wl_graph *g, int32_t node, int32_t root, int64_t elems)
{
    const struct wl_node *n = &g->nodes[node];
    for (int32_t i = 0; i < n->input_count; i++) {
        int64_t out;
        if (n->inputs[i] == WL_NONE || !is_alias(g, n->inputs[i], root)) {
            continue;
        }
        if (n->op == NULL) {
            return false;
        }
        bool map = n->op->kind == WL_OPK_MAP || n->op->kind == WL_OPK_VIEW;
        bool allowed = (n->op->flags & WL_OPF_INPLACE) != 0 && i == 0;
        if ((!map && !allowed) || n->output_count < 1 || n->outputs[0] == WL_NONE ||
            !wl_memory_elems(g, n->outputs[0], &out) || out != elems) {
            return false;
        }
    }
    return true;
}

static bool may_take_over(const struct builder *b, const struct wl_subgraph *s,
                          const struct lifetime *in, const struct lifetime *out)
{
    const struct wl_graph *g = b->g;
    const struct wl_tensor *t = &g->tensors[in->tensor];
    int64_t elems;
    if (in->last != s->id || in->size_bytes != out->size_bytes || in->first == s->id ||
        out->first != s->id || t->kind != WL_TENSOR_ACTIVATION || t->producer == WL_NONE ||
        t->block != g->nodes[s->anchor].block || !wl_memory_elems(g, in->tensor, &elems)) {
        return false;
    }
    for (int32_t k = 0; k < s->node_count; k++) {
        if (!reads_by_element(g, s->nodes[k], in->tensor, elems)) {
            return false;
        }
    }
    return true;
}

static void place_output(struct builder *b, const struct wl_subgraph *s, struct lifetime *out)
{
    struct lifetimes *l = b->out;
    for (int32_t k = 0; k < s->input_count; k++) {
        int32_t at = l->of_tensor[s->inputs[k].tensor];
        struct lifetime *in = at == WL_NONE ? NULL : &l->items[at];
        if (in == NULL || in->buffer == WL_NONE || in->taken ||
            l->buffers[in->buffer].last != s->id || !may_take_over(b, s, in, out)) {
            continue;
        }
        out->buffer = in->buffer;
        out->in_place_of = in->tensor;
        in->taken = true;
        l->buffers[in->buffer].last = out->last;
        return;
    }
}

/* One buffer per tensor, or the one of the input that it takes over. */
static void assign_buffers(struct builder *b)
{
    struct lifetimes *l = b->out;
    const struct wl_partition *p = b->m->partition;
    for (int32_t i = 0; i < l->count; i++) {
        /* Outputs come in execution order, so the inputs of a subgraph have their buffer by now. */
        struct lifetime *life = &l->items[i];
        int32_t producer = b->g->tensors[life->tensor].producer;
        int32_t s = producer == WL_NONE ? WL_NONE : p->subgraph_of[producer];
        if (s != WL_NONE) {
            place_output(b, &p->subgraphs[s], life);
        }
        if (life->buffer == WL_NONE) {
            int64_t aligned = wl_max_i64(life->size_bytes, 1);
            aligned = wl_ceil_div_i64(aligned, WL_MEMORY_ALIGN) * WL_MEMORY_ALIGN;
            life->buffer = l->buffer_count;
            l->buffers[l->buffer_count++] = (struct buffer){.size_bytes = aligned,
                                                            .live_bytes = life->size_bytes,
                                                            .first = life->first,
                                                            .last = life->last};
        }
    }
}

static wl_status check_sizes(const struct builder *b)
{
    double total = 0;
    for (int32_t i = 0; i < b->out->buffer_count; i++) {
        total += (double)b->out->buffers[i].size_bytes;
    }
    if (total >= BYTES_MAX) {
        return wl_fail(b->err, WL_ERR_LIMIT, "memory",
                       "the activations exceed 4e18 bytes; smaller dimensions would be right");
    }
    return WL_OK;
}

wl_status wl_memory_lifetimes(const struct wl_mappings *m, struct wl_arena *arena,
                              struct lifetimes *out, struct wl_error *err)
{
    const struct wl_graph *g = m->partition->graph;
    struct builder b = {.m = m, .g = g, .out = out, .err = err};
    int64_t most = 0;
    for (int32_t i = 0; i < m->partition->count; i++) {
        most += m->partition->subgraphs[i].input_count + m->partition->subgraphs[i].output_count;
    }
    *out = (struct lifetimes){.items = WL_ARRAY(arena, struct lifetime, most),
                              .buffers = WL_ARRAY(arena, struct buffer, most),
                              .of_tensor = WL_ARRAY(arena, int32_t, g->tensor_count)};
    WL_TRY_PTR(out->items, err);
    WL_TRY_PTR(out->buffers, err);
    WL_TRY_PTR(out->of_tensor, err);
    for (int32_t t = 0; t < g->tensor_count; t++) {
        out->of_tensor[t] = WL_NONE;
    }
    if (g->block_count > 1) {
        WL_TRY(index_blocks(&b, arena));
    }
    collect(&b);
    extend_results(&b);
    assign_buffers(&b);
    return check_sizes(&b);
}

/* ---- without fusion -------------------------------------------------------------------------- */

struct unfused {
    int32_t *root;         /* by tensor */
    int32_t *first, *last; /* by root tensor: positions in the schedule, or WL_NONE */
};

static void walk_schedule(const struct wl_graph *g, struct unfused *u)
{
    for (int32_t s = 0; s < g->schedule_count; s++) {
        const struct wl_node *n = &g->nodes[g->schedule[s]];
        if (n->status == WL_NODE_FOLDED || wl_dim_is(n->repeat, 0)) {
            continue;
        }
        bool view = n->op != NULL && n->op->kind == WL_OPK_VIEW && n->input_count > 0 &&
                    n->output_count > 0 && n->inputs[0] != WL_NONE && n->outputs[0] != WL_NONE;
        for (int32_t i = 0; i < n->input_count; i++) {
            if (n->inputs[i] != WL_NONE) {
                int32_t root = u->root[n->inputs[i]];
                u->first[root] = u->first[root] == WL_NONE ? 0 : u->first[root];
                u->last[root] = s;
            }
        }
        if (view) {
            u->root[n->outputs[0]] = u->root[n->inputs[0]];
            continue;
        }
        for (int32_t i = 0; i < n->output_count; i++) {
            if (n->outputs[i] != WL_NONE && n->status != WL_NODE_FREE) {
                u->first[n->outputs[i]] = s;
                u->last[n->outputs[i]] = s;
            }
        }
    }
}

static bool is_activation(const struct wl_graph *g, int32_t t)
{
    return !wl_tensor_is_constant(&g->tensors[t]) && (g->tensors[t].flags & WL_TENSOR_IS_KV) == 0;
}

wl_status wl_memory_unfused(const struct wl_mappings *m, struct wl_arena *scratch, double *bytes,
                            struct wl_error *err)
{
    const struct wl_graph *g = m->partition->graph;
    struct unfused u = {.root = WL_ARRAY(scratch, int32_t, g->tensor_count),
                        .first = WL_ARRAY(scratch, int32_t, g->tensor_count),
                        .last = WL_ARRAY(scratch, int32_t, g->tensor_count)};
    double *change = WL_ARRAY(scratch, double, g->schedule_count + 1);
    WL_TRY_PTR(u.root, err);
    WL_TRY_PTR(u.first, err);
    WL_TRY_PTR(u.last, err);
    WL_TRY_PTR(change, err);
    for (int32_t t = 0; t < g->tensor_count; t++) {
        u.root[t] = t;
        u.first[t] = WL_NONE;
    }
    walk_schedule(g, &u);
    for (int32_t i = 0; g->block_count > 0 && i < g->blocks[0].output_count; i++) {
        int32_t t = g->blocks[0].outputs[i];
        if (t != WL_NONE) {
            u.last[u.root[t]] = g->schedule_count - 1;
        }
    }
    for (int32_t t = 0; t < g->tensor_count; t++) {
        int64_t elems;
        if (u.first[t] != WL_NONE && is_activation(g, t) && wl_memory_elems(g, t, &elems)) {
            struct wl_operand o = {t, elems};
            double size = wl_operand_bytes(g, &m->options.policy, &o);
            change[u.first[t]] += size;
            change[u.last[t] + 1] -= size;
        }
    }
    double live = 0;
    *bytes = 0;
    for (int32_t s = 0; s < g->schedule_count; s++) {
        live += change[s];
        *bytes = live > *bytes ? live : *bytes;
    }
    return WL_OK;
}
