/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels/sizes.c: the sizes of a kernel. Products by their matrix view; everything else by
 * results, elements per result, and the run of neighbours in memory that are treated alike:
 *
 *   softmax, normalisation    the row
 *   reduction                 what is reduced, where that is a run; else 1
 *   copies                    elements that stay together
 *   transposition             the same; `window` is the cache that a column of the source occupies
 *   element-wise              elements over which the smaller operand advances with the larger one,
 *                             or stays put (NumPy broadcasting)
 */
#include <math.h>

#include "kernels_priv.h"

const struct wl_product *wl_kernels_product(const struct wl_subgraph *s)
{
    const struct wl_product *best = NULL;
    double most = 0;
    for (int32_t i = 0; i < s->product_count; i++) {
        const struct wl_product *x = &s->products[i];
        double macs = (double)x->g * (double)x->m * (double)x->n * (double)x->k;
        if (macs > most) {
            most = macs;
            best = x;
        }
    }
    return best;
}

double wl_kernels_bytes(const struct wl_graph *g, const struct wl_precision_policy *policy,
                        const struct wl_operand *operands, int32_t count)
{
    double bytes = 0;
    for (int32_t i = 0; i < count; i++) {
        bytes +=
            (double)operands[i].elems * wl_policy_bits(policy, &g->tensors[operands[i].tensor]) / 8;
    }
    return bytes;
}

static double elems(const struct wl_operand *operands, int32_t count)
{
    double most = 0;
    for (int32_t i = 0; i < count; i++) {
        most = (double)operands[i].elems > most ? (double)operands[i].elems : most;
    }
    return most;
}

static double round_up(double v, int32_t block)
{
    return (double)(wl_ceil_div_i64((int64_t)v, block) * block);
}

static int64_t padding_of(int64_t in, int64_t out, int64_t extent, int64_t stride)
{
    bool known = in > 0 && out > 0;
    return known ? wl_max_i64((out - 1) * stride + extent - in, 0) : 0;
}

/* One axis of a window over an image; `padding` is that of both ends, 0 where it is not known. */
struct axis {
    int64_t in, out, extent, padding;
};

static struct axis axis_of(const struct wl_window *w, int32_t i)
{
    struct axis a = {.in = (int64_t)wl_kernels_dim(w->in[i], 0),
                     .out = (int64_t)wl_kernels_dim(w->out[i], 0),
                     .extent = w->dilation[i] * (w->kernel[i] - 1) + 1};
    a.padding = padding_of(a.in, a.out, a.extent, w->stride[i]);
    return a;
}

/*
 * Mean number of taps along axis `i` that meet the image: the others fall into the padding, and
 * libraries pass over them. Padding is taken to be the same at both ends.
 */
static double taps_inside(const struct wl_window *w, int32_t i)
{
    struct axis a = axis_of(w, i);
    int64_t in = a.in, out = a.out, padding = a.padding;
    if (padding == 0) {
        return (double)w->kernel[i];
    }
    double inside = 0;
    for (int64_t tap = 0; tap < w->kernel[i]; tap++) {
        /* results whose place `stride * o + shift` lies in [0, in) */
        int64_t shift = tap * w->dilation[i] - padding / 2;
        int64_t first = shift < 0 ? wl_ceil_div_i64(-shift, w->stride[i]) : 0;
        int64_t end = in > shift ? wl_ceil_div_i64(in - shift, w->stride[i]) : 0;
        end = end < out ? end : out;
        inside += end > first ? (double)(end - first) : 0;
    }
    return inside / (double)out;
}

static double share_inside(const struct wl_window *w)
{
    double share = 1;
    for (int32_t i = 0; i < w->spatial_rank && !w->transposed; i++) {
        share *= taps_inside(w, i) / (double)w->kernel[i];
    }
    return share;
}

double wl_kernels_edge(int64_t in, int64_t out, int64_t extent, int64_t stride)
{
    int64_t padding = padding_of(in, out, extent, stride);
    if (padding == 0) {
        return 0;
    }
    int64_t left = padding / 2;
    int64_t before = wl_ceil_div_i64(left, stride);
    int64_t after = out - 1 - (in + left - extent) / stride;
    return fmin((double)(before + after) / (double)out, 1);
}

static void window_sizes(const struct wl_window *w, struct wl_kernel_sizes *out)
{
    int32_t last = w->spatial_rank - 1;
    struct axis a = axis_of(w, last);
    out->edge = w->transposed ? 0 : wl_kernels_edge(a.in, a.out, a.extent, w->stride[last]);
    for (int32_t i = 0; i < w->spatial_rank; i++) {
        out->window *= (double)w->kernel[i];
        out->stride *= (double)w->stride[i];
    }
    out->width = wl_kernels_dim(w->out[last], 1);
}

static double per_result(const struct wl_subgraph *s, enum wl_work_kind kind)
{
    double results = (double)s->repeat * elems(s->outputs, s->output_count);
    return results > 0 ? (double)s->ops[kind] / results : 0;
}

/*
 * Operations on each result that a product does not do in passing: libraries add a bias and
 * operands and take a maximum (ReLU) while they store; a second bound (ReLU6) or a function is a
 * pass of its own.
 */
static double epilogue(const struct wl_subgraph *s, double operands)
{
    double sums = per_result(s, WL_WORK_ADDMUL) - 1 - operands;
    double bounds = per_result(s, WL_WORK_COMPARE) - 1;
    return (sums > 0 ? sums : 0) + (bounds > 0 ? bounds : 0) + per_result(s, WL_WORK_DIVIDE) +
           per_result(s, WL_WORK_SPECIAL);
}

void wl_kernels_fill_blocks(struct wl_kernel_sizes *s, double in_channels, int32_t block)
{
    if (s->n == 1 && s->groups > 1) { /* depthwise */
        s->groups = round_up(s->groups, block);
        return;
    }
    s->k *= in_channels >= block ? round_up(in_channels, block) / in_channels : 1;
    s->n = round_up(s->n, block);
}

/*
 * A convolution on blocks of channels. Registers hold some blocks of results: for
 * each such set the kernel walks over its inputs once.
 */
static void block_sizes(const struct wl_product *x, const struct layout *l,
                        struct wl_kernel_sizes *out)
{
    bool depthwise = x->n == 1 && x->g > 1;
    double in = x->window->transposed ? (double)x->k : (double)x->k / out->window;
    wl_kernels_fill_blocks(out, in, l->block);
    out->passes =
        l->blocks_per_pass > 0 && !depthwise ? ceil(out->n / (l->block * l->blocks_per_pass)) : 0;
}

/*
 * Bytes of the columns that a convolution on rows of pixels makes of its image before the product,
 * or of the product's before it adds them up (image to columns: Chellapilla et al., 2006);
 * depthwise and pointwise ones make none.
 */
static double column_bytes(const struct wl_product *x, double window, double element_bytes)
{
    double rows = (double)x->g * (double)x->m;
    bool depthwise = x->n == 1 && x->g > 1;
    return depthwise || window <= 1
               ? 0
               : rows * element_bytes * (double)(x->window->transposed ? x->n : x->k);
}

static void product_sizes(const struct wl_product *x, const struct wl_subgraph *s,
                          const struct layout *l, bool blocked, struct wl_kernel_sizes *out)
{
    out->groups = (double)x->g;
    out->m = (double)x->m;
    out->n = (double)x->n;
    out->k = (double)x->k;
    if (x->window != NULL) {
        window_sizes(x->window, out);
        out->k *= share_inside(x->window);
    }
    if (x->window != NULL && blocked) {
        block_sizes(x, l, out);
    } else if (x->window != NULL) {
        out->near_bytes = column_bytes(x, out->window, x->integer ? 1 : 4);
    }
    out->operands = s->input_count > 1 ? (double)s->input_count - 1 : 0;
    out->epilogue = epilogue(s, out->operands);
}

/* ---- runs in memory ---------------------------------------------------------------------------
 */

static const struct wl_tensor *tensor_at(const struct wl_graph *g, int32_t id)
{
    return id == WL_NONE ? NULL : &g->tensors[id];
}

/* Elements at the end of both tensors that have the same place in both. */
static double common_run(const struct wl_tensor *a, const struct wl_tensor *b)
{
    double run = 1;
    for (int32_t i = 1; i <= a->rank && i <= b->rank; i++) {
        double x = wl_kernels_dim(a->dims[a->rank - i], 1);
        double y = wl_kernels_dim(b->dims[b->rank - i], 1);
        run *= x < y ? x : y;
        if (x != y) {
            break;
        }
    }
    return run;
}

/* Elements at the end of `whole` over which `part` stays put. */
static double constant_run(const struct wl_tensor *whole, const struct wl_tensor *part)
{
    double run = 1;
    for (int32_t i = 1; i <= whole->rank; i++) {
        double y = i <= part->rank ? wl_kernels_dim(part->dims[part->rank - i], 1) : 1;
        if (y != 1) {
            break;
        }
        run *= wl_kernels_dim(whole->dims[whole->rank - i], 1);
    }
    return run;
}

static double map_run(const struct wl_graph *g, const struct wl_node *n, double results)
{
    const struct wl_tensor *whole = tensor_at(g, wl_node_output(n, 0));
    double run = results;
    for (int32_t i = 0; whole != NULL && i < n->input_count; i++) {
        const struct wl_tensor *part = tensor_at(g, n->inputs[i]);
        if (part == NULL || whole->rank < 0 || part->rank < 0) {
            continue;
        }
        double still = constant_run(whole, part);
        double along = common_run(whole, part);
        double own = still > along ? still : along;
        run = own < run ? own : run;
    }
    return run;
}

/*
 * How a transposition walks: its result consists of runs that were together in the source; the
 * runs of a row of the result come from a column of the source.
 */
struct walk {
    double run;    /* elements copied at a time */
    double stride; /* elements from one run of the column to the next */
    double column; /* runs in the column */
};

static struct walk transpose_walk(const struct wl_graph *g, const struct wl_node *n)
{
    struct walk w = {1, 1, 1};
    const struct wl_tensor *in = tensor_at(g, wl_node_input(n, 0));
    const struct wl_attr *perm = wl_node_attr(n, "perm");
    bool given = perm != NULL && perm->type == WL_ATTR_INTS;
    if (in == NULL || in->rank < 1 || (given && perm->count != in->rank)) {
        return w;
    }
    int64_t last = in->rank - 1;
    while (given && last >= 0 && perm->u.ints[last] == last) {
        w.run *= wl_kernels_dim(in->dims[last--], 1);
    }
    int64_t axis = given && last >= 0 ? perm->u.ints[last] : 0;
    if (axis < 0 || axis >= in->rank) {
        return w;
    }
    for (int64_t i = axis + 1; i < in->rank; i++) {
        w.stride *= wl_kernels_dim(in->dims[i], 1);
    }
    w.column = wl_kernels_dim(in->dims[axis], 1);
    return w;
}

/*
 * Elements of cache that a column of the source occupies: a line or a run each, and all that lies
 * between two that share a set where the stride has a large power of two in it (caches find their
 * set by the lowest bits of the address; Hennessy and Patterson, appendix B).
 */
static double transpose_footprint(const struct walk *w)
{
    static const double line = 16, span = 32768; /* fp32: 64 bytes, 2,048 sets of them */
    double between = 1;
    while (between < span && fmod(w->stride, 2 * between) == 0) {
        between *= 2;
    }
    return w->column * fmax(between, fmax(line, w->run));
}

/* Elements between neighbours of one reduction: 1 where rows are reduced. */
static double reduce_stride(const struct wl_graph *g, const struct wl_node *n)
{
    const struct wl_tensor *in = tensor_at(g, wl_node_input(n, 0));
    const struct wl_tensor *by = tensor_at(g, wl_node_input(n, 1));
    const struct wl_attr *axes = wl_node_attr(n, "axes");
    int64_t last = wl_node_attr_int(n, "axis", -1);
    double stride = 1;
    if (in == NULL || in->rank < 1) {
        return 1;
    }
    if (axes != NULL && axes->type == WL_ATTR_INTS && axes->count > 0) {
        last = axes->u.ints[axes->count - 1];
    } else if (by != NULL && by->value != NULL && by->value->ints != NULL && by->value->count > 0) {
        last = (int64_t)wl_kernels_dim(by->value->ints[by->value->count - 1], -1);
    }
    for (int64_t i = (last < 0 ? last + in->rank : last) + 1; i > 0 && i < in->rank; i++) {
        stride *= wl_kernels_dim(in->dims[i], 1);
    }
    return stride;
}

static double copy_run(const struct wl_graph *g, const struct wl_node *n)
{
    const struct wl_tensor *out = tensor_at(g, wl_node_output(n, 0));
    const struct wl_tensor *in = tensor_at(g, wl_node_input(n, 0));
    return out != NULL && in != NULL && out->rank >= 0 && in->rank >= 0 ? common_run(in, out) : 1;
}

static double last_dim(const struct wl_graph *g, const struct wl_node *n)
{
    const struct wl_tensor *in = tensor_at(g, wl_node_input(n, 0));
    return in != NULL && in->rank > 0 ? wl_kernels_dim(in->dims[in->rank - 1], 1) : 1;
}

static double run_of(const struct wl_graph *g, const struct wl_subgraph *s, double results)
{
    const struct wl_node *n = &g->nodes[s->anchor];
    switch (s->access) {
    case WL_ACCESS_GATHER:
        return copy_run(g, n);
    case WL_ACCESS_REDUCE:
        return last_dim(g, n);
    case WL_ACCESS_TRANSPOSE: /* transpose_sizes */
    case WL_ACCESS_WINDOW:
    case WL_ACCESS_NONE:
        return 1;
    case WL_ACCESS_STREAM:
        break;
    }
    return s->kind == WL_OPK_MOVE ? copy_run(g, n) : map_run(g, n, results);
}

static void transpose_sizes(const struct wl_graph *g, const struct wl_subgraph *s,
                            struct wl_kernel_sizes *out)
{
    struct walk walk = transpose_walk(g, &g->nodes[s->anchor]);
    out->width = walk.run;
    out->stride = walk.stride;
    out->window = transpose_footprint(&walk);
}

static void stream_sizes(const struct wl_graph *g, const struct wl_subgraph *s,
                         struct wl_kernel_sizes *out)
{
    const struct wl_work *w = g->work != NULL ? &g->work[s->anchor] : NULL;
    double results = elems(s->outputs, s->output_count);
    double read = elems(s->inputs, s->input_count);
    out->n = results > 1 ? results : 1;
    out->k = read > out->n ? read / out->n : 1;
    out->operands = s->input_count > 1 ? (double)s->input_count - 1 : 0;
    if (w != NULL && w->window != NULL) {
        window_sizes(w->window, out);
    } else if (s->access == WL_ACCESS_TRANSPOSE) {
        transpose_sizes(g, s, out);
    } else {
        out->width = run_of(g, s, results);
        out->stride = s->kind == WL_OPK_REDUCE ? reduce_stride(g, &g->nodes[s->anchor]) : 1;
    }
}

double wl_kernels_fed_bytes(const struct wl_graph *g, const struct wl_precision_policy *policy,
                            const struct wl_subgraph *s)
{
    double bytes = 0;
    for (int32_t i = 0; i < s->input_count; i++) {
        if (g->tensors[s->inputs[i].tensor].kind == WL_TENSOR_INPUT) {
            bytes += wl_kernels_bytes(g, policy, &s->inputs[i], 1);
        }
    }
    return bytes;
}

/*
 * A recurrence: `groups` steps of all directions, each a product of the batch with the weights of
 * all gates on what comes in and on the state. The product on the state is the one of fewest rows;
 * what comes in may be multiplied for all steps at once. Its weights are read again at every step:
 * `width` is how often they fill a cache near the core.
 */
static void recurrent_sizes(const struct wl_graph *g, const struct wl_precision_policy *policy,
                            const struct wl_subgraph *s, struct wl_kernel_sizes *out)
{
    const struct wl_product *state = &s->products[0];
    for (int32_t i = 1; i < s->product_count; i++) {
        state = s->products[i].m < state->m ? &s->products[i] : state;
    }
    out->groups = (double)state->g;
    out->m = (double)state->m;
    out->n = (double)state->n;
    out->k = (double)s->macs / (double)s->repeat / (out->groups * out->m * out->n);
    double bits = state->right != WL_NONE ? wl_policy_bits(policy, &g->tensors[state->right]) : 32;
    double again = (double)state->n * (double)state->k * bits / 8;
    out->near_bytes = again * (out->groups - 1);
    out->width = fmax(1, again / WL_WARM_BYTES);
}

struct wl_kernel_sizes wl_kernels_sizes(const struct layout *l, const struct wl_subgraph *s,
                                        bool blocked)
{
    const struct wl_graph *g = l->partition->graph;
    const struct wl_precision_policy *policy = l->policy;
    struct wl_kernel_sizes out = {
        .groups = 1, .m = 1, .n = 1, .k = 1, .window = 1, .stride = 1, .width = 1};
    const struct wl_product *x = wl_kernels_product(s);
    if (x != NULL && s->kind == WL_OPK_RECURRENT) {
        recurrent_sizes(g, policy, s, &out);
    } else if (x != NULL) {
        product_sizes(x, s, l, blocked, &out);
    } else {
        stream_sizes(g, s, &out);
    }
    double weight_bytes = wl_kernels_bytes(g, policy, s->weights, s->weight_count);
    out.bytes = wl_kernels_bytes(g, policy, s->inputs, s->input_count) +
                wl_kernels_bytes(g, policy, s->outputs, s->output_count) + weight_bytes;
    return out;
}
