/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calibrate/micro_grid.c: the designs of all kinds of kernels, packed into files of about equal
 * time. What is measured (onnxruntime.c) and what tools compare with it are the same files.
 */
#include <stdlib.h>

#include "micro.h"

#define PACK_WORK 2.5e8 /* of one file, in the unit of wl_micro_kind.work: tens of milliseconds */
#define PACK_CELLS 40
#define BALLAST_MOST 16000000 /* elements, read and written once per inference: 128 MB */
#define BALLAST_BELOW 4e6     /* of work: kernels that would all stay in a cache together */
#define BALLAST_TURN 4        /* files that hold such kernels: three with, one without */
#define TRIES 8               /* of each design wanted: those too large are passed over */

/* Those of one size of file together, small first. */
static int by_work(const void *a, const void *b)
{
    const struct wl_micro_cell *p = a, *q = b;
    double x = p->kind->pack != q->kind->pack ? p->kind->pack : p->work;
    double y = p->kind->pack != q->kind->pack ? q->kind->pack : q->work;
    return (x > y) - (x < y);
}

static wl_status design(struct wl_arena *arena, bool quick, struct wl_micro_cell **out,
                        int32_t *count, struct wl_error *err)
{
    int32_t capacity = 0;
    const struct wl_micro_kind *k = NULL;
    for (int32_t i = 0; (k = wl_micro_kind_at(i)) != NULL; i++) {
        capacity += quick ? k->quick : k->full;
    }
    *out = WL_ARRAY(arena, struct wl_micro_cell, capacity);
    WL_TRY_PTR(*out, err);
    *count = 0;
    for (int32_t i = 0; (k = wl_micro_kind_at(i)) != NULL; i++) {
        int32_t wanted = quick ? k->quick : k->full;
        int32_t end = *count + wanted;
        for (int32_t d = 0; d < TRIES * wanted && *count < end; d++) {
            struct wl_micro_cell *c = &(*out)[*count];
            *c = (struct wl_micro_cell){.kind = k};
            if (k->design(d, c->p)) {
                c->work = k->work(c->p);
                (*count)++;
            }
        }
    }
    qsort(*out, (size_t)*count, sizeof(**out), by_work);
    return WL_OK;
}

/* Cells from `first` on that fit into one file. */
static int32_t pack(const struct wl_micro_cell *cells, int32_t first, int32_t count)
{
    double work = 0, most = cells[first].kind->pack > 0 ? cells[first].kind->pack : PACK_WORK;
    int32_t n = 0;
    while (first + n < count && n < PACK_CELLS &&
           cells[first + n].kind->pack == cells[first].kind->pack &&
           (n == 0 || work + cells[first + n].work < most)) {
        work += cells[first + n].work;
        n++;
    }
    return n;
}

wl_status wl_micro_grid_make(struct wl_arena *arena, bool quick, struct wl_micro_grid *out,
                             struct wl_error *err)
{
    int32_t count = 0;
    *out = (struct wl_micro_grid){0};
    WL_TRY(design(arena, quick, &out->cells, &count, err));
    out->starts = WL_ARRAY(arena, int32_t, count + 1);
    WL_TRY_PTR(out->starts, err);
    for (int32_t first = 0; first < count; first += pack(out->cells, first, count)) {
        out->starts[out->files++] = first;
    }
    out->starts[out->files] = count;
    return WL_OK;
}

/*
 * What a network of some size does to the weights of its small kernels, such as those that weigh
 * channels: between two inferences they leave the caches. Cells are in order of work: the last is
 * the largest. Ballast of three sizes in turn: small networks, usual ones, those larger than a last
 * cache; then none: a network of nothing but small kernels.
 */
static int64_t ballast_of(const struct wl_micro_grid *g, int32_t file)
{
    const struct wl_micro_cell *last = &g->cells[g->starts[file + 1] - 1];
    bool small = last->kind->pack == 0 && last->work < BALLAST_BELOW;
    int64_t elements = BALLAST_MOST >> (2 * (file % BALLAST_TURN));
    return small && file % BALLAST_TURN < 3 ? elements : 0;
}

static void emit_ballast(struct wl_onnx *b, int64_t elements)
{
    if (elements > 0) {
        wl_onnx_prefix(b, "ballast_");
        wl_onnx_output(b, wl_micro_fresh(b, &elements, 1));
    }
}

wl_status wl_micro_grid_emit(const struct wl_micro_grid *g, int32_t file, bool reversed,
                             struct wl_arena *arena, struct wl_onnx **out, struct wl_error *err)
{
    struct wl_onnx *b = wl_onnx_new(arena);
    WL_TRY_PTR(b, err);
    wl_onnx_peek(b);
    int32_t first = g->starts[file], end = g->starts[file + 1];
    /* Every other file begins with its largest cell. */
    bool backwards = (file % 2 != 0) != reversed;
    int64_t ballast = ballast_of(g, file);
    emit_ballast(b, backwards ? ballast : 0);
    for (int32_t i = 0; i < end - first; i++) {
        int32_t at = backwards ? end - 1 - i : first + i;
        const char *prefix = wl_arena_printf(arena, "c%d_", at);
        WL_TRY_PTR(prefix, err);
        wl_onnx_prefix(b, prefix);
        g->cells[at].kind->emit(b, g->cells[at].kind->op, g->cells[at].p);
    }
    emit_ballast(b, backwards ? 0 : ballast);
    *out = b;
    return WL_OK;
}
