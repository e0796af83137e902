/* SPDX-License-Identifier: Apache-2.0 */
/*
 * partition/operands.c: transposes and scalar factors that a matrix product reads its operands
 * through. Libraries take a transposed operand and a factor as arguments (BLAS: transA, transB,
 * alpha), so neither is a kernel. A transpose qualifies when it swaps the last two axes, or moves
 * the first axis to the place before the last one (a batch whose stride is that of the rows).
 */
#include "partition_priv.h"

static bool is_axes(const struct wl_attr *perm, int32_t rank)
{
    return perm != NULL && perm->type == WL_ATTR_INTS && perm->count == rank;
}

static bool is_strided(const struct run *r, int32_t transpose)
{
    const struct wl_node *n = &r->g->nodes[transpose];
    const struct wl_attr *perm = wl_node_attr(n, "perm");
    int32_t rank = r->g->tensors[n->outputs[0]].rank;
    bool swaps = true;
    bool moves = true;
    if (perm == NULL && rank == 2) {
        return true; /* reverses the axes */
    }
    if (!is_axes(perm, rank) || rank < 2) {
        return false;
    }
    for (int32_t i = 0; i < rank; i++) {
        int64_t swapped = i < rank - 2 ? i : 2 * rank - 3 - i;
        int64_t moved = i < rank - 2 ? i + 1 : (i == rank - 2 ? 0 : i);
        swaps = swaps && perm->u.ints[i] == swapped;
        moves = moves && perm->u.ints[i] == moved;
    }
    return swaps || moves;
}

/* The activation that a scale by a scalar reads, or WL_NONE when `unit` is no such thing. */
static int32_t scaled_operand(struct run *r, int32_t unit)
{
    const struct wl_node *n = &r->g->nodes[unit];
    if (r->part[unit] != PART_SCALE || n->input_count != 2) {
        return WL_NONE;
    }
    bool first = wl_partition_is_constant(r, n->inputs[0]);
    int32_t factor = n->inputs[first ? 0 : 1];
    return wl_partition_elems(r, factor) == 1 ? n->inputs[first ? 1 : 0] : WL_NONE;
}

static bool belongs(const struct run *r, int32_t unit, int32_t product, int32_t root)
{
    const struct wl_node *a = &r->g->nodes[unit];
    const struct wl_node *b = &r->g->nodes[product];
    return r->sole[root] == product && r->escapes[root] == 0 && a->block == b->block &&
           wl_dim_eq(a->repeat, b->repeat) && r->label[unit] == NULL && a->output_count == 1;
}

static void absorb(struct run *r, int32_t product, int32_t tensor)
{
    for (int steps = 0; tensor != WL_NONE && steps < 4; steps++) {
        int32_t root = r->root[tensor];
        int32_t unit = wl_partition_producer(r, tensor);
        bool direct = root == tensor || (r->features & F(VIEWS)) != 0;
        if (unit == WL_NONE || !direct || !belongs(r, unit, product, root)) {
            return;
        }
        int32_t next = scaled_operand(r, unit);
        if (next == WL_NONE && r->prim[unit] == PRIM_TRANSPOSE && is_strided(r, unit)) {
            next = r->g->nodes[unit].inputs[0];
        }
        if (next == WL_NONE) {
            return;
        }
        r->unit[unit] = product;
        r->sole[root] = SOLE_NONE; /* inside now */
        if (r->sole[r->root[next]] == unit) {
            r->sole[r->root[next]] = product;
        }
        tensor = next;
    }
}

wl_status wl_partition_operands(struct run *r)
{
    const struct wl_graph *g = r->g;
    for (int32_t s = 0; (r->features & F(GEMM_OPERANDS)) != 0 && s < g->schedule_count; s++) {
        int32_t n = g->schedule[s];
        const struct wl_node *node = &g->nodes[n];
        bool product = r->exec[n] == EXEC_RUN && r->unit[n] == n && r->part[n] == PART_GEMM &&
                       (r->prim[n] == PRIM_MATMUL || r->prim[n] == PRIM_GEMM);
        for (int32_t i = 0; product && i < 2 && i < node->input_count; i++) {
            absorb(r, n, node->inputs[i]);
        }
    }
    return WL_OK;
}
