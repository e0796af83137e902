/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/layout.c: which kernels work on blocks of channels (NCHWc), and what reordering that
 * costs. Convolutions of constant weights choose the layout; pooling, joins and activations keep it
 * where all they read is blocked; everything else reads rows of pixels. A tensor is reordered at
 * most once each way, whoever reads it.
 *
 * A runtime with a list of blocked kernels (PyTorch's frozen modules over oneDNN) blocks every
 * convolution, and the kernels of the list wherever what they read is blocked; it brings operands
 * that are broadcast to full size first. Otherwise as in ONNX Runtime's CPU provider, whose
 * optimised graphs show every reorder as a node (tools/ort/bench.mjs prints them); block sizes are
 * 16 with AVX-512 and on Arm, 8 with AVX2.
 *
 * Convolutions in integers work on channels last, and other kernels in integers do where all they
 * read lies so; a transpose brings images there and back.
 */
#include <string.h>

#include "kernels_priv.h"

/* Reordering needs whole quads of channels. */
#define CHANNEL_ALIGNMENT 4

static const struct wl_tensor *image(const struct layout *l, int32_t tensor)
{
    const struct wl_tensor *t = &l->partition->graph->tensors[tensor];
    return t->rank == 4 && t->dtype == WL_DT_FLOAT ? t : NULL;
}

static const struct wl_tensor *integer_image(const struct layout *l, int32_t tensor)
{
    const struct wl_tensor *t = &l->partition->graph->tensors[tensor];
    return t->rank == 4 && (t->dtype == WL_DT_INT8 || t->dtype == WL_DT_UINT8) ? t : NULL;
}

static int64_t channels(const struct wl_tensor *t)
{
    return wl_dim_is_known(t->dims[1]) ? t->dims[1].value : 0;
}

static bool all_blocked(const struct layout *l, const struct wl_subgraph *s)
{
    bool all = s->input_count > 0;
    for (int32_t i = 0; i < s->input_count; i++) {
        all = all && l->blocked[s->inputs[i].tensor];
    }
    return all;
}

/* Each operand has the shape of the first result: nothing is broadcast. */
static bool same_shapes(const struct wl_subgraph *s)
{
    bool same = s->output_count > 0;
    for (int32_t i = 0; i < s->input_count; i++) {
        same = same && s->inputs[i].elems == s->outputs[0].elems;
    }
    return same;
}

/* Only weights that lie in the file as they are read can be reordered ahead. */
static bool stored_in_floats(const struct layout *l, const struct wl_product *x)
{
    const struct wl_tensor *t =
        x->right == WL_NONE ? NULL : &l->partition->graph->tensors[x->right];
    return t != NULL && t->dtype == WL_DT_FLOAT && wl_tensor_is_constant(t);
}

static bool conv_blocked(const struct layout *l, const struct wl_subgraph *s)
{
    const struct wl_product *x = wl_kernels_product(s);
    if (x == NULL || x->window == NULL || x->integer || x->window->spatial_rank != 2 ||
        x->window->transposed || !stored_in_floats(l, x) ||
        image(l, s->outputs[0].tensor) == NULL) {
        return false;
    }
    int64_t groups = x->window->groups;
    int64_t in = (int64_t)wl_kernels_dim(x->window->in_channels, 0);
    int64_t out = (int64_t)wl_kernels_dim(x->window->out_channels, 0);
    int64_t own_in = groups > 0 ? in / groups : 0;
    if (groups > 1 && own_in == 1 && out == groups) {
        return out % CHANNEL_ALIGNMENT == 0;
    }
    if (groups > 1) {
        return own_in % l->block == 0 && out / groups % l->block == 0;
    }
    return in < l->block || in % CHANNEL_ALIGNMENT == 0;
}

/* A convolution of few channels reads rows of pixels and writes blocks. */
bool wl_kernels_reads_plain(const struct layout *l, const struct wl_kernel *own,
                            const struct wl_subgraph *s)
{
    const struct wl_product *x = wl_kernels_product(s);
    if (!own->blocked) {
        return true;
    }
    return x != NULL && x->window != NULL && x->window->groups == 1 &&
           wl_kernels_dim(x->window->in_channels, 0) < l->block;
}

static bool joins_blocked(const struct layout *l, const struct wl_subgraph *s)
{
    const struct wl_node *n = &l->partition->graph->nodes[s->anchor];
    bool aligned = true;
    for (int32_t i = 0; i < s->input_count; i++) {
        const struct wl_tensor *t = image(l, s->inputs[i].tensor);
        aligned = aligned && t != NULL && channels(t) % l->block == 0;
    }
    return aligned && wl_node_attr_int(n, "axis", 0) == 1;
}

/* Whether a word of the list is the first part of the subgraph's pattern. */
static bool is_listed(const char *list, const char *pattern)
{
    return wl_words_have(list, pattern, strcspn(pattern, "+"));
}

static bool is_blocked_by_list(const struct layout *l, const struct wl_subgraph *s)
{
    const struct wl_product *x = wl_kernels_product(s);
    if (s->kind == WL_OPK_CONV) {
        return x != NULL && x->window != NULL && !x->window->transposed && s->weight_count > 0;
    }
    return all_blocked(l, s) && is_listed(l->blocked_kernels, s->pattern);
}

static bool is_blocked(const struct layout *l, const struct wl_subgraph *s)
{
    if (l->blocked_kernels != NULL) {
        return s->output_count > 0 && image(l, s->outputs[0].tensor) != NULL &&
               is_blocked_by_list(l, s);
    }
    if (s->output_count == 0 || image(l, s->outputs[0].tensor) == NULL) {
        return false;
    }
    if (s->kind == WL_OPK_CONV) {
        return conv_blocked(l, s);
    }
    if (!all_blocked(l, s)) {
        return false;
    }
    const struct wl_tensor *t = image(l, s->inputs[0].tensor);
    switch ((int)s->kind) {
    case WL_OPK_POOL:
        return t != NULL && channels(t) % l->block == 0;
    case WL_OPK_MAP:
        return same_shapes(s);
    case WL_OPK_NORM: /* batch normalisation: a factor and an offset per channel */
        return s->access == WL_ACCESS_STREAM;
    case WL_OPK_MOVE:
        return joins_blocked(l, s);
    case WL_OPK_RESAMPLE:
        return s->access == WL_ACCESS_STREAM;
    default:
        return false;
    }
}

/* Only where a runtime blocks floats by its own rules: one with a list has no such kernels. */
static bool is_integer(const struct layout *l, const struct wl_subgraph *s)
{
    bool images = l->blocked_kernels == NULL && s->input_count > 0 && s->output_count > 0 &&
                  integer_image(l, s->outputs[0].tensor) != NULL;
    for (int32_t i = 0; i < s->input_count; i++) {
        images = images && integer_image(l, s->inputs[i].tensor) != NULL;
    }
    return images && (s->kind == WL_OPK_CONV ? s->quantized : all_blocked(l, s));
}

/* Read once, written once. */
static double moved_bytes(const struct layout *l, const struct wl_operand *o)
{
    return 2 * wl_kernels_bytes(l->partition->graph, l->policy, o, 1);
}

static double columns(const struct layout *l, int32_t tensor)
{
    const struct wl_tensor *t = &l->partition->graph->tensors[tensor];
    return t->rank == 4 ? wl_kernels_dim(t->dims[3], 1) : 1;
}

static void read_blocked(struct layout *l, struct wl_kernel *own, const struct wl_operand *o)
{
    bool is_image = image(l, o->tensor) != NULL || integer_image(l, o->tensor) != NULL;
    if (!l->blocked[o->tensor] && !l->input[o->tensor] && is_image) {
        int32_t passes = l->entry_copy ? 2 : 1;
        own->reorder_in_bytes += passes * moved_bytes(l, o);
        own->reorders += passes;
        own->reorder_width = columns(l, o->tensor);
        l->input[o->tensor] = true;
    }
}

static void read_plain(struct layout *l, struct wl_kernel *items, const struct wl_operand *o)
{
    if (l->blocked[o->tensor] && !l->plain[o->tensor]) {
        struct wl_kernel *from = &items[l->producer[o->tensor]];
        from->reorder_out_bytes += moved_bytes(l, o);
        from->reorders++;
        from->reorder_width = columns(l, o->tensor);
        l->plain[o->tensor] = true;
    }
}

/* The smaller operand is written out in full, in blocks. */
static void expand_operands(const struct layout *l, struct wl_kernel *own,
                            const struct wl_subgraph *s)
{
    if (own->blocked && l->blocked_kernels != NULL && s->kind == WL_OPK_MAP && !same_shapes(s)) {
        own->reorder_in_bytes += moved_bytes(l, &s->outputs[0]);
        own->reorders++;
        own->reorder_width = columns(l, s->outputs[0].tensor);
    }
}

void wl_kernels_place(struct layout *l, struct wl_kernel *items, int32_t i)
{
    const struct wl_subgraph *s = &l->partition->subgraphs[i];
    struct wl_kernel *own = &items[i];
    own->blocked = is_blocked(l, s);
    own->integer = is_integer(l, s);
    bool ordered = own->blocked || own->integer;
    expand_operands(l, own, s);
    bool plain_operand = !own->integer && wl_kernels_reads_plain(l, own, s);
    for (int32_t k = 0; k < s->input_count; k++) {
        if (plain_operand) {
            read_plain(l, items, &s->inputs[k]);
        } else {
            read_blocked(l, own, &s->inputs[k]);
        }
    }
    for (int32_t k = 0; k < s->output_count; k++) {
        int32_t tensor = s->outputs[k].tensor;
        l->blocked[tensor] = ordered;
        l->producer[tensor] = i;
        if (ordered && (l->partition->graph->tensors[tensor].flags & WL_TENSOR_IS_OUTPUT) != 0) {
            read_plain(l, items, &s->outputs[k]);
        }
    }
}
