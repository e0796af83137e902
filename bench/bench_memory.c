/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_memory [NODES...]: microseconds per node of partitioning and of memory planning on made-up
 * residual networks of growing depth (default 1250 to 20000 nodes): both should stay flat.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "memory.h"

static double now_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

struct made {
    struct wl_arena arena;
    struct wl_diag_list diags;
    struct wl_graph g;
};

static int32_t tensor(struct made *m, int64_t rows, int64_t cols, enum wl_tensor_kind kind)
{
    int32_t id = wl_graph_add_tensor(&m->g, WL_NONE);
    struct wl_tensor *t = &m->g.tensors[id];
    t->dtype = WL_DT_FLOAT;
    t->kind = kind;
    t->rank = 2;
    t->dims = WL_ARRAY(&m->arena, struct wl_dim, 2);
    t->dims[0] = wl_dim_known(rows);
    t->dims[1] = wl_dim_known(cols);
    return id;
}

static int32_t node(struct made *m, const char *op, int32_t a, int32_t b, int64_t cols)
{
    int32_t id = wl_graph_add_node(&m->g);
    int32_t out = tensor(m, 64, cols, WL_TENSOR_ACTIVATION);
    struct wl_node *n = &m->g.nodes[id];
    int32_t ids[3] = {a, b, out};
    int32_t *copy = wl_arena_copy(&m->arena, ids, sizeof(ids));
    n->op_type = wl_str(op);
    n->name = n->op_type;
    n->op = wl_op_find(WL_STR(""), n->op_type);
    n->inputs = copy;
    n->input_count = b == WL_NONE ? 1 : 2;
    n->outputs = copy + 2;
    n->output_count = 1;
    m->g.tensors[out].producer = id;
    return out;
}

/* x + f(x) with two products, an activation between them, widths that change now and then. */
static int build(struct made *m, int32_t nodes)
{
    wl_arena_init(&m->arena, 0);
    wl_diag_init(&m->diags, &m->arena);
    if (wl_graph_init(&m->g, &m->arena, &m->diags, NULL) != WL_OK) {
        return 1;
    }
    (void)wl_graph_add_block(&m->g);
    int32_t x = tensor(m, 64, 128, WL_TENSOR_INPUT);
    while (m->g.node_count < nodes) {
        int64_t hidden = 128 * (1 + m->g.node_count % 5);
        int32_t up = tensor(m, 128, hidden, WL_TENSOR_INITIALIZER);
        int32_t down = tensor(m, hidden, 128, WL_TENSOR_INITIALIZER);
        int32_t h = node(m, "MatMul", x, up, hidden);
        int32_t r = node(m, "Relu", h, WL_NONE, hidden);
        int32_t y = node(m, "MatMul", r, down, 128);
        int32_t s = node(m, "Softmax", y, WL_NONE, 128);
        x = node(m, "Add", s, x, 128);
    }
    struct wl_block *b = &m->g.blocks[0];
    b->parent_node = WL_NONE;
    b->node_count = m->g.node_count;
    b->nodes = WL_ARRAY(&m->arena, int32_t, b->node_count);
    for (int32_t i = 0; i < b->node_count; i++) {
        b->nodes[i] = i;
    }
    b->outputs = wl_arena_copy(&m->arena, &x, sizeof(x));
    b->output_count = 1;
    return wl_graph_index(&m->g, NULL) != WL_OK || wl_ops_count(&m->g, NULL) != WL_OK;
}

static int measure(int32_t nodes)
{
    struct made m = {.g = {.node_count = 0}};
    struct wl_partition p;
    struct wl_partition_options o = {.fusion = "basic"};
    double best[2] = {1e9, 1e9};
    if (build(&m, nodes) != 0) {
        return 1;
    }
    for (int i = 0; i < 5; i++) {
        struct wl_memory memory;
        double t0 = now_s();
        if (wl_partition_run(&m.g, &o, &m.arena, &p, NULL) != WL_OK) {
            return 1;
        }
        double t1 = now_s();
        struct wl_mappings mappings = {.partition = &p, .count = p.count};
        mappings.options.policy =
            (struct wl_precision_policy){WL_PREC_NATIVE, WL_PREC_NATIVE, WL_PREC_NATIVE};
        if (wl_memory_plan(&mappings, &m.arena, &memory, NULL) != WL_OK) {
            return 1;
        }
        double t2 = now_s();
        best[0] = t1 - t0 < best[0] ? t1 - t0 : best[0];
        best[1] = t2 - t1 < best[1] ? t2 - t1 : best[1];
        if (i == 4) {
            printf("%6d nodes, %6d subgraphs: partition %.3f us/node, memory plan %.3f us/node, "
                   "plan %.3f of the bound\n",
                   m.g.node_count, p.count, best[0] / m.g.node_count * 1e6,
                   best[1] / m.g.node_count * 1e6, memory.planned_bytes / memory.lower_bound_bytes);
        }
    }
    wl_arena_done(&m.arena);
    return 0;
}

int main(int argc, char **argv)
{
    wl_malloc_keep(); /* as the program does */
    int failed = 0;
    for (int i = 1; i < argc; i++) {
        failed |= measure((int32_t)strtol(argv[i], NULL, 10));
    }
    for (int32_t nodes = 1250; argc < 2 && nodes <= 20000; nodes *= 2) {
        failed |= measure(nodes);
    }
    return failed;
}
