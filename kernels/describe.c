/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/describe.c: names of kernels, and the walk over the subgraphs in execution order.
 *
 * A product is named by how libraries execute it (the path through their code), anything else by
 * the subgraph's pattern. Each name is followed by wider ones, for calibrations that measured less.
 */
#include <ctype.h>
#include <string.h>

#include "kernels_priv.h"

#define NAME_MAX_CHARS 90

struct namer {
    const char **names;
    int32_t count;
};

/* NULL is no name. */
static void name_add(struct namer *n, const char *name)
{
    if (name != NULL && n->count < WL_KERNEL_NAMES_MAX) {
        n->names[n->count++] = name;
    }
}

static void name_conv(struct namer *n, const struct wl_product *x, bool blocked, int32_t block)
{
    const struct wl_window *w = x->window;
    double in = wl_kernels_dim(w->in_channels, 0);
    bool depthwise = x->g > 1 && w->groups > 1 && x->n == 1;
    if (w->transposed) {
        name_add(n, "conv_transpose");
    } else if (depthwise) {
        name_add(n, blocked ? "conv_depthwise_blocked" : "conv_depthwise");
        name_add(n, "conv_depthwise");
    } else if (blocked && w->groups > 1) {
        name_add(n, "conv_grouped_blocked");
        name_add(n, "conv_grouped");
    } else if (blocked) {
        bool pointwise = w->kernel[0] == 1 && w->kernel[1] == 1;
        name_add(n, in < block  ? "conv_image_blocked"
                    : pointwise ? "conv_pointwise_blocked"
                                : "conv_blocked");
    } else if (w->groups > 1) {
        name_add(n, "conv_grouped");
    } else if (w->spatial_rank != 2) {
        name_add(n, w->spatial_rank == 1 ? "conv_1d" : "conv_3d");
    }
    name_add(n, "conv");
    name_add(n, "gemm");
}

/* The right-hand matrix is computed too: one product per head, nothing packed ahead. */
static bool of_activations(const struct wl_graph *g, const struct wl_product *x)
{
    return x->right == WL_NONE || !wl_tensor_is_constant(&g->tensors[x->right]);
}

/* Whether the runtime runs it outside the library below it. */
static bool is_own(const struct layout *l, const char *name)
{
    return l->own_kernels != NULL && wl_words_have(l->own_kernels, name, strlen(name));
}

static void name_product(struct namer *n, const struct layout *l, const struct wl_subgraph *s,
                         const struct wl_product *x, bool blocked)
{
    int32_t block = l->block;
    if (x->window != NULL) {
        name_conv(n, x, blocked, block);
        return;
    }
    if (s->kind != WL_OPK_GEMM) {
        name_add(n, s->pattern); /* lstm, gru, attention */
    } else if (of_activations(l->partition->graph, x)) {
        bool letters = wl_str_is(l->partition->graph->nodes[s->anchor].op_type, "Einsum");
        name_add(n, letters ? "einsum" : NULL);
        name_add(n, "matmul");
    } else {
        name_add(n, is_own(l, "gemm") ? "gemm_own" : NULL);
        name_add(n, x->m == 1 ? "gemv" : NULL);
    }
    name_add(n, "gemm");
}

/* "Add+Div+Erf+Add+Mul+Mul" -> "add+div+erf+add+mul+mul", as far as it fits. */
static const char *name_of_chain(const struct wl_graph *g, const struct wl_subgraph *s,
                                 struct wl_arena *arena)
{
    char text[NAME_MAX_CHARS + 1];
    size_t used = 0;
    for (int32_t i = 0; i < s->node_count; i++) {
        struct wl_str op = g->nodes[s->nodes[i]].op_type;
        if (used + op.len + 1 > NAME_MAX_CHARS) {
            break;
        }
        text[used] = '+';
        used += used > 0 ? 1 : 0;
        for (size_t k = 0; k < op.len; k++) {
            text[used++] = (char)tolower((unsigned char)op.data[k]);
        }
    }
    return wl_arena_strndup(arena, text, used);
}

/* A pattern of several parts goes by the first; a chain without a name of its own by its operators.
 */
static const char *stream_name(const struct wl_graph *g, const struct wl_subgraph *s,
                               struct wl_arena *arena)
{
    if (strcmp(s->pattern, WL_KERNEL_ELEMENTWISE) == 0) {
        return name_of_chain(g, s, arena);
    }
    struct wl_str mode = wl_node_attr_str(&g->nodes[s->anchor], "mode");
    size_t first = strcspn(s->pattern, "+");
    if (s->kind == WL_OPK_RESAMPLE && mode.len > 0) {
        return wl_arena_printf(arena, "%.*s_%.*s", (int)first, s->pattern, (int)mode.len,
                               mode.data);
    }
    return wl_arena_strndup(arena, s->pattern, first);
}

/* One axis goes elsewhere and the others keep their order: libraries have code of its own for that.
 */
static bool moves_one_axis(const struct wl_node *n)
{
    const struct wl_attr *perm = wl_node_attr(n, "perm");
    if (perm == NULL || perm->type != WL_ATTR_INTS) {
        return true; /* a matrix, in nearly all networks */
    }
    int64_t first = 0, last = perm->count - 1;
    while (first < last && perm->u.ints[first] == first) {
        first++;
    }
    while (last > first && perm->u.ints[last] == last) {
        last--;
    }
    bool outwards = perm->u.ints[first] == last, inwards = perm->u.ints[last] == first;
    for (int64_t i = first; i < last; i++) {
        inwards = inwards && perm->u.ints[i] == i + 1;
        outwards = outwards && perm->u.ints[i + 1] == i;
    }
    return inwards || outwards;
}

static wl_status name_stream(struct namer *n, const struct layout *l, const struct wl_subgraph *s,
                             bool blocked, struct wl_arena *arena, struct wl_error *err)
{
    const char *name = stream_name(l->partition->graph, s, arena);
    WL_TRY_PTR(name, err);
    if (blocked || is_own(l, name)) {
        const char *own = wl_arena_printf(arena, "%s_%s", name, blocked ? "blocked" : "own");
        WL_TRY_PTR(own, err);
        name_add(n, own);
    }
    if (s->access == WL_ACCESS_TRANSPOSE &&
        !moves_one_axis(&l->partition->graph->nodes[s->anchor])) {
        name_add(n, "transpose_axes");
    }
    name_add(n, name);
    name_add(n, WL_KERNEL_ELEMENTWISE);
    name_add(n, "axpy");
    return WL_OK;
}

/* Weights stored in integers below a product in floats: the runtime converts them every time. */
static double dequantized_elems(const struct wl_partition *p, const struct wl_subgraph *s,
                                const struct wl_product *x)
{
    double elems = 0;
    for (int32_t i = 0; x != NULL && !x->integer && i < s->weight_count; i++) {
        if (wl_dtype_is_int(p->graph->tensors[s->weights[i].tensor].dtype)) {
            elems += (double)s->weights[i].elems;
        }
    }
    return elems;
}

static wl_status describe_one(struct layout *l, struct wl_kernel *items, int32_t i,
                              struct wl_arena *arena, struct wl_error *err)
{
    const struct wl_subgraph *s = &l->partition->subgraphs[i];
    const struct wl_product *x = wl_kernels_product(s);
    struct wl_kernel *own = &items[i];
    struct namer n = {.names = own->operations};
    if (l->block > 0) {
        wl_kernels_place(l, items, i);
    }
    own->sizes = wl_kernels_sizes(l, s, own->blocked);
    own->dequantized_elems = dequantized_elems(l->partition, s, x);
    if (x != NULL) {
        name_product(&n, l, s, x, own->blocked);
        return WL_OK;
    }
    return name_stream(&n, l, s, own->blocked, arena, err);
}

static wl_status layout_init(struct layout *l, struct wl_arena *arena, struct wl_error *err)
{
    int32_t count = l->partition->graph->tensor_count;
    l->blocked = WL_ARRAY(arena, bool, count);
    l->plain = WL_ARRAY(arena, bool, count);
    l->input = WL_ARRAY(arena, bool, count);
    l->producer = WL_ARRAY(arena, int32_t, count);
    WL_TRY_PTR(l->blocked, err);
    WL_TRY_PTR(l->plain, err);
    WL_TRY_PTR(l->input, err);
    WL_TRY_PTR(l->producer, err);
    return WL_OK;
}

/* Views and shape arithmetic belong to the subgraph that runs next. */
static void count_views(const struct wl_partition *p, struct wl_kernel *items)
{
    const struct wl_graph *g = p->graph;
    int32_t waiting = 0;
    for (int32_t k = 0; k < g->schedule_count; k++) {
        int32_t node = g->schedule[k];
        int32_t own = p->subgraph_of[node];
        if (own == WL_NONE) {
            waiting += g->nodes[node].status == WL_NODE_FREE ? 1 : 0;
        } else {
            items[own].views += waiting;
            waiting = 0;
        }
    }
}

wl_status wl_kernels_describe(const struct wl_partition *p, const struct wl_runtime *rt,
                              const struct wl_precision_policy *policy, struct wl_arena *arena,
                              struct wl_kernels *out, struct wl_error *err)
{
    struct layout l = {.partition = p, .policy = policy, .block = rt->channel_block};
    l.blocks_per_pass = rt->blocks_per_pass;
    l.blocked_kernels = rt->blocked_kernels;
    l.own_kernels = rt->own_kernels;
    l.entry_copy = rt->entry_copy;
    out->items = WL_ARRAY(arena, struct wl_kernel, p->count);
    out->count = p->count;
    WL_TRY_PTR(out->items, err);
    WL_TRY(layout_init(&l, arena, err));
    for (int32_t i = 0; i < p->count; i++) {
        WL_TRY(describe_one(&l, out->items, i, arena, err));
    }
    WL_TRY(wl_kernels_footprint(&l, out, arena, err));
    count_views(p, out->items);
    return WL_OK;
}
