/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pipeline/kernel_costs.c: what a runtime's own kernels cost on a CPU beyond the work of the
 * subgraph, from its profile (registry/runtimes): kernels that run element by element or on one
 * thread, convolutions that write out their patches, changes of layout around those that keep
 * images in blocks of channels. kernels/ says which kernel a subgraph is and what surrounds it, in
 * the words that calibrations use too.
 */
#include <string.h>

#include "kernels.h"
#include "pipeline_priv.h"

/* Per element of the patches, by how the runtime writes them: rows of pixels in one and two axes,
   elements one by one in three; transposed convolutions add them up. */
#define PATCH "patch"
#define PATCH_3D "patch_3d"
#define PATCH_TRANSPOSED "patch_transposed"

/* Elements of the largest operand. */
static double elements_of(const struct wl_subgraph *s)
{
    int64_t most = 0;
    for (int32_t i = 0; i < s->input_count; i++) {
        most = s->inputs[i].elems > most ? s->inputs[i].elems : most;
    }
    for (int32_t i = 0; i < s->output_count; i++) {
        most = s->outputs[i].elems > most ? s->outputs[i].elems : most;
    }
    return (double)most;
}

static bool is_serial(const struct wl_runtime *rt, const struct wl_kernel *k)
{
    const char *name = k->operations[0];
    return rt->serial_kernels != NULL && name != NULL &&
           wl_words_have(rt->serial_kernels, name, strlen(name));
}

/* Changes of layout and weights turned into floats, by elements. */
static void add_around(const struct wl_runtime *rt, const struct wl_kernel *k,
                       struct wl_map_kernel *out)
{
    double elem_bytes = k->integer ? 2 : 8; /* read and written */
    const struct {
        const char *kernel;
        double elems, bytes_each;
    } kernels[] = {
        {k->integer ? WL_KERNEL_REORDER_INTEGERS : WL_KERNEL_REORDER_IN,
         k->reorder_in_bytes / elem_bytes, elem_bytes},
        {k->integer ? WL_KERNEL_REORDER_INTEGERS : WL_KERNEL_REORDER_OUT,
         k->reorder_out_bytes / elem_bytes, elem_bytes},
        {WL_KERNEL_DEQUANTIZE, k->dequantized_elems, 5},
    };
    for (size_t i = 0; i < WL_ARRAY_LEN(kernels); i++) {
        double cycles = wl_runtime_element_cycles(rt, kernels[i].kernel);
        if (cycles > 0 && kernels[i].elems > 0) {
            out->around_cycles += cycles * kernels[i].elems;
            out->around_bytes += kernels[i].bytes_each * kernels[i].elems;
            out->around += 1;
        }
    }
}

static double patch_cycles(const struct wl_runtime *rt, const struct wl_window *w)
{
    const char *kernel = w->transposed ? PATCH_TRANSPOSED : PATCH;
    return wl_runtime_element_cycles(rt, w->spatial_rank > 2 ? PATCH_3D : kernel);
}

static struct wl_map_kernel cost_of(const struct wl_runtime *rt, const struct wl_subgraph *s,
                                    const struct wl_kernel *k)
{
    struct wl_map_kernel out = {.serial = is_serial(rt, k)};
    if (k->operations[0] != NULL && s->product_count == 0) {
        out.element_cycles = wl_runtime_element_cycles(rt, k->operations[0]) * elements_of(s);
    }
    const struct wl_product *x = s->product_count > 0 ? &s->products[0] : NULL;
    if (x != NULL && x->window != NULL && !k->integer) {
        /* Kernels on blocks of channels pass over taps in the padding, and fill up channels. */
        out.depth_share = k->blocked && x->k > 0 ? k->sizes.k / (double)x->k : 0;
        out.patch_cycles = k->blocked ? 0 : patch_cycles(rt, x->window);
    }
    add_around(rt, k, &out);
    return out;
}

wl_status wl_kernel_costs(const struct wl_partition *p, const struct wl_device *d,
                          struct wl_map_options *options, struct wl_arena *arena,
                          struct wl_error *err)
{
    const struct wl_runtime *rt = options->runtime;
    bool described = rt->element_cycles_count > 0 || rt->serial_kernels != NULL;
    if (d->class != WL_HW_CPU || !described) {
        return WL_OK;
    }
    struct wl_kernels kernels;
    WL_TRY(wl_kernels_describe(p, rt, &options->policy, arena, &kernels, err));
    struct wl_map_kernel *items = WL_ARRAY(arena, struct wl_map_kernel, p->count);
    WL_TRY_PTR(items, err);
    for (int32_t i = 0; i < p->count; i++) {
        items[i] = cost_of(rt, &p->subgraphs[i], &kernels.items[i]);
    }
    options->kernels = items;
    return WL_OK;
}
