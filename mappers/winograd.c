/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mappers/winograd.c: minimal filtering of 3 x 3 convolutions, F(t x t, 3 x 3) with output tiles of
 * t = 2, 4 or 6 (Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR 2016).
 * Each input tile of (t+2) x (t+2) is transformed, multiplied element by element with the
 * transformed filters (summed over input channels: (t+2)^2 independent matrix products of tiles x
 * input channels by input x output channels), and transformed back. Filters are transformed once,
 * before inference. Only in floating point: transformed integers need more bits than their type
 * has.
 *
 * The transformed filters are (t+2)^2 / 9 times the stored ones, and are what memory holds and
 * every inference reads: with large t, small maps are bound by them, which is why runtimes choose t
 * by the shape.
 *
 * Operations of the transforms: the paper gives 32 (input) and 24 (output) for t = 2, 144 (the
 * improved 4 x 4 form) and 100 for t = 4. Both are close to t operations per input-tile element and
 * 0.7 t per element on the way back; the same rule is taken for t = 6.
 */
#include "mappers_priv.h"

/* Fewer channels than this leave the transforms dominant: runtimes keep the direct algorithm. */
#define WINOGRAD_MIN_CHANNELS 16

static bool window_fits(const struct wl_window *w)
{
    if (w == NULL || w->spatial_rank != 2 || w->transposed || w->groups != 1) {
        return false;
    }
    for (int i = 0; i < 2; i++) {
        if (w->kernel[i] != 3 || w->stride[i] != 1 || w->dilation[i] != 1 ||
            !wl_dim_is_known(w->out[i]) || w->out[i].value < 1) {
            return false;
        }
    }
    return true;
}

bool wl_winograd_plan(const struct wl_map_ctx *c, const struct wl_product *p, int32_t tile,
                      struct wl_winograd *out)
{
    const struct wl_runtime *rt = c->options->runtime;
    if (rt == NULL || !rt->winograd || tile < 2 || tile > rt->winograd_tile ||
        !window_fits(p->window) || p->g != 1 || p->k % 9 != 0 || p->integer) {
        return false;
    }
    int64_t channels = p->k / 9;
    int64_t oh = p->window->out[0].value;
    int64_t ow = p->window->out[1].value;
    if (channels < WINOGRAD_MIN_CHANNELS || p->n < WINOGRAD_MIN_CHANNELS || p->m < oh ||
        p->m % oh != 0 || (p->m / oh) % ow != 0) {
        return false;
    }
    static const char *const names[] = {"winograd F(2x2,3x3)", "winograd F(4x4,3x3)",
                                        "winograd F(6x6,3x3)"};
    int64_t t = tile;
    int64_t images = p->m / oh / ow;
    int64_t tiles = images * wl_ceil_div_i64(oh, t) * wl_ceil_div_i64(ow, t);
    int64_t area = (t + 2) * (t + 2);
    double tile_elems = (double)area * (double)tiles;
    *out = (struct wl_winograd){.g = area, .m = tiles, .n = p->n, .k = channels};
    out->name = names[wl_min_i64(t / 2 - 1, 2)];
    out->filter_growth = (double)area / 9;
    out->transform_ops = tile_elems * (double)t * ((double)channels + 0.7 * (double)p->n);
    out->workspace_elems = tile_elems * ((double)channels + (double)p->n);
    return true;
}
