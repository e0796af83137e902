/* SPDX-License-Identifier: Apache-2.0 */
/*
 * partition/attention.c: scaled dot-product attention from its operators. From each softmax it
 * walks back over scale, mask and casts to a product of two activations, and forward to the second
 * product; with ATTENTION_LAYOUT the transposes and head expansions around it join too. All of it
 * becomes one unit, as fused attention kernels execute it (Dao et al. 2022, FlashAttention).
 */
#include "partition_priv.h"

#define ATTENTION_UNITS_MAX 24
#define ATTENTION_STEPS_MAX 12

struct site {
    struct run *r;
    int32_t block_of; /* node whose block and repeat all units share */
    int32_t count;
    int32_t units[ATTENTION_UNITS_MAX];
};

static bool add_unit(struct site *s, int32_t unit)
{
    const struct wl_node *a = &s->r->g->nodes[unit];
    const struct wl_node *b = &s->r->g->nodes[s->block_of];
    bool fits =
        s->count < ATTENTION_UNITS_MAX && a->block == b->block && wl_dim_eq(a->repeat, b->repeat);
    if (fits) {
        s->units[s->count++] = unit;
    }
    return fits;
}

static bool only_reader(const struct run *r, int32_t tensor, int32_t unit)
{
    int32_t root = r->root[tensor];
    return r->sole[root] == unit && r->escapes[root] == 0;
}

static bool is_softening(const struct run *r, int32_t unit)
{
    const uint32_t parts = PART_BIT(PART_SCALE) | PART_BIT(PART_BIAS) | PART_BIT(PART_ADD) |
                           PART_BIT(PART_CAST) | PART_BIT(PART_MAP) | PART_BIT(PART_ACT);
    return (PART_BIT(r->part[unit]) & parts) != 0 && r->input[unit] == WL_NONE &&
           r->g->nodes[unit].output_count == 1;
}

/* A matrix product of two activations. */
static bool is_product(const struct run *r, int32_t unit)
{
    const struct wl_node *n = &r->g->nodes[unit];
    return r->part[unit] == PART_GEMM && n->input_count >= 2 && n->inputs[0] != WL_NONE &&
           n->inputs[1] != WL_NONE && !wl_partition_is_constant(r, n->inputs[0]) &&
           !wl_partition_is_constant(r, n->inputs[1]);
}

/* The operand of `unit` that runs over the whole iteration space and that nothing else reads. */
static int32_t main_operand(struct run *r, int32_t unit)
{
    const struct wl_node *n = &r->g->nodes[unit];
    int64_t elems = wl_partition_elems(r, n->outputs[0]);
    int32_t best = WL_NONE;
    for (int32_t i = 0; i < n->input_count; i++) {
        int32_t t = n->inputs[i];
        if (t == WL_NONE || wl_partition_elems(r, t) != elems || !only_reader(r, t, unit)) {
            continue;
        }
        int32_t p = wl_partition_producer(r, t);
        if (p == WL_NONE || (r->part[p] != PART_GEMM && !is_softening(r, p))) {
            continue;
        }
        if (best == WL_NONE || r->part[p] == PART_GEMM) {
            best = t;
        }
    }
    return best;
}

/* From the softmax back to the first product; WL_NONE where there is none. */
static int32_t walk_back(struct site *s, int32_t softmax)
{
    struct run *r = s->r;
    int32_t t =
        r->input[softmax] != WL_NONE ? r->input[softmax] : wl_node_input(&r->g->nodes[softmax], 0);
    int32_t reader = softmax;
    for (int steps = 0; t != WL_NONE && steps < ATTENTION_STEPS_MAX; steps++) {
        int32_t p = wl_partition_producer(r, t);
        if (p == WL_NONE || !only_reader(r, t, reader) || !add_unit(s, p)) {
            return WL_NONE;
        }
        if (is_product(r, p)) {
            return p;
        }
        if (!is_softening(r, p)) {
            return WL_NONE;
        }
        t = main_operand(r, p);
        reader = p;
    }
    return WL_NONE;
}

static int32_t next_unit(const struct run *r, int32_t unit)
{
    const struct wl_node *n = &r->g->nodes[unit];
    if (n->output_count < 1 || n->outputs[0] == WL_NONE) {
        return WL_NONE;
    }
    int32_t root = r->root[n->outputs[0]];
    return r->escapes[root] == 0 && r->sole[root] >= 0 ? r->sole[root] : WL_NONE;
}

/* From the softmax on to the product with the values. */
static int32_t walk_on(struct site *s, int32_t softmax)
{
    struct run *r = s->r;
    int32_t at = softmax;
    for (int steps = 0; steps < 4; steps++) {
        int32_t before = at;
        at = next_unit(r, at);
        if (at == WL_NONE || !add_unit(s, at)) {
            return WL_NONE;
        }
        if (is_product(r, at)) {
            /* The probabilities are the left operand. */
            int32_t left = r->g->nodes[at].inputs[0];
            return wl_partition_producer(r, left) == before ? at : WL_NONE;
        }
        if (!is_softening(r, at)) {
            return WL_NONE;
        }
    }
    return WL_NONE;
}

/* Scales, transposes, repeated heads and slices of a packed operand (kernels take strides) between
   an operand and what computes it. */
static void absorb_operand(struct site *s, int32_t reader, int32_t tensor)
{
    struct run *r = s->r;
    for (int steps = 0; tensor != WL_NONE && steps < 4; steps++) {
        int32_t p = wl_partition_producer(r, tensor);
        if (p == WL_NONE || !only_reader(r, tensor, reader) || r->input[p] != WL_NONE) {
            return;
        }
        uint8_t prim = r->prim[p];
        bool layout = (r->features & F(ATTENTION_LAYOUT)) != 0 &&
                      (prim == PRIM_TRANSPOSE || prim == PRIM_EXPAND || prim == PRIM_SLICE);
        bool scale = r->part[p] == PART_SCALE;
        if ((!layout && !scale) || !add_unit(s, p)) {
            return;
        }
        const struct wl_node *n = &r->g->nodes[p];
        int32_t first = wl_node_input(n, 0);
        bool second = scale && first != WL_NONE && wl_partition_is_constant(r, first);
        tensor = wl_node_input(n, second ? 1 : 0);
        reader = p;
    }
}

/* The unit that ends the fused kernel: the product, or the transpose of its heads. */
static int32_t absorb_result(struct site *s, int32_t product)
{
    struct run *r = s->r;
    int32_t next = next_unit(r, product);
    bool layout = (r->features & F(ATTENTION_LAYOUT)) != 0 && next != WL_NONE &&
                  r->prim[next] == PRIM_TRANSPOSE && add_unit(s, next);
    return layout ? next : product;
}

static void merge(struct site *s, int32_t root)
{
    struct run *r = s->r;
    for (int32_t i = 0; i < s->count; i++) {
        r->unit[s->units[i]] = root;
    }
    r->unit[root] = root;
    r->part[root] = PART_ATTENTION;
    r->label[root] = "attention";
    r->input[root] = WL_NONE;
}

static bool try_attention(struct run *r, int32_t softmax)
{
    struct site s = {.r = r, .block_of = softmax};
    if (!add_unit(&s, softmax)) {
        return false;
    }
    int32_t scores = walk_back(&s, softmax);
    int32_t mixed = scores == WL_NONE ? WL_NONE : walk_on(&s, softmax);
    if (mixed == WL_NONE) {
        return false;
    }
    const struct wl_node *first = &r->g->nodes[scores];
    absorb_operand(&s, scores, first->inputs[0]);
    absorb_operand(&s, scores, first->inputs[1]);
    absorb_operand(&s, mixed, r->g->nodes[mixed].inputs[1]);
    merge(&s, absorb_result(&s, mixed));
    return true;
}

wl_status wl_partition_attention(struct run *r)
{
    const struct wl_graph *g = r->g;
    bool found = false;
    for (int32_t i = 0; (r->features & F(ATTENTION)) != 0 && i < g->schedule_count; i++) {
        int32_t n = g->schedule[i];
        if (r->exec[n] == EXEC_RUN && r->unit[n] == n && r->part[n] == PART_SOFTMAX) {
            found = try_attention(r, n) || found;
        }
    }
    if (!found) {
        return WL_OK;
    }
    /* Nodes of an idiom that was merged follow its root. */
    for (int32_t n = 0; n < g->node_count; n++) {
        while (r->unit[r->unit[n]] != r->unit[n]) {
            r->unit[n] = r->unit[r->unit[n]];
        }
    }
    return wl_partition_readers(r);
}
