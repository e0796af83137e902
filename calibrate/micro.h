/* SPDX-License-Identifier: Apache-2.0 */
/*
 * micro: the designed grid of kernels that a runtime is calibrated with. A kind is a kernel with
 * its surroundings as networks have them; its design spreads sizes evenly over the logarithms of
 * what networks use (Halton sequence), leaving out what would take too long.
 */
#ifndef WL_MICRO_H
#define WL_MICRO_H

#include "onnx_build.h"

#define WL_MICRO_SIZES 10

struct wl_micro_kind {
    const char *name;
    int32_t quick, full; /* designs wanted */
    /* Fills the sizes of design `i`; false: too large, or not a kernel. */
    bool (*design)(int32_t i, int64_t p[WL_MICRO_SIZES]);
    /* `op` is the kind's, for kinds that differ in the operator alone. */
    void (*emit)(struct wl_onnx *b, const char *op, const int64_t p[WL_MICRO_SIZES]);
    /* In bytes moved or MACs / 10: about equal times, for packing kernels into files. */
    double (*work)(const int64_t p[WL_MICRO_SIZES]);
    const char *op;
    double pack; /* work of one file; 0: the usual. Large: weights come from main memory */
};

/* NULL past the end. */
const struct wl_micro_kind *wl_micro_kind_at(int32_t i);

/* Element `i` of the Halton sequence to `base`, in (0, 1). */
double wl_micro_halton(int32_t i, int32_t base);

/*
 * Designs of an unusual size: one of five costs little more than its launch, one of nine meets
 * main memory, as a batch of images or of sequences does.
 */
enum wl_micro_extent { WL_MICRO_USUAL, WL_MICRO_SMALL, WL_MICRO_LARGE };
enum wl_micro_extent wl_micro_extent(int32_t i);

/* Kinds whose work is products (micro_products.c) and all others (micro_streams.c). */
extern const struct wl_micro_kind wl_micro_products[];
extern const struct wl_micro_kind wl_micro_streams[];

/* Between `low` and `high` on a logarithmic scale by element `i` of the sequence, in whole steps.
 */
int64_t wl_micro_spread(int32_t i, int32_t base, double low, double high, int64_t step);
int64_t wl_micro_pick(int32_t i, int32_t base, const int64_t *values, int32_t count);
#define WL_MICRO_PICK(i, base, ...)                                                                \
    wl_micro_pick(i, base, (const int64_t[]){__VA_ARGS__},                                         \
                  (int32_t)(sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t)))

/* One node; the tensor it makes. */
const char *wl_micro_unary(struct wl_onnx *b, const char *op, const char *x);
const char *wl_micro_binary(struct wl_onnx *b, const char *op, const char *x, const char *y);
/* An image in blocks of channels, made by a pointwise convolution of `from` channels, which is no
   row: cheaply from four. */
const char *wl_micro_blocked_image(struct wl_onnx *b, int64_t from, const int64_t dims[4]);
/* A tensor that a kernel has just written. */
const char *wl_micro_fresh(struct wl_onnx *b, const int64_t *dims, int32_t rank);
void wl_micro_window_attrs(struct wl_onnx *b, struct wl_onnx_node *n, int64_t kh, int64_t kw,
                           int64_t stride, int64_t dilation);

/* A kernel of the grid: one design of a kind. */
struct wl_micro_cell {
    const struct wl_micro_kind *kind;
    int64_t p[WL_MICRO_SIZES];
    double work;
};

/* The designs of all kinds in files of about equal time (micro_grid.c). */
struct wl_micro_grid {
    struct wl_micro_cell *cells;
    int32_t *starts; /* of each file, and one more */
    int32_t files;
};

wl_status wl_micro_grid_make(struct wl_arena *arena, bool quick, struct wl_micro_grid *out,
                             struct wl_error *err) WL_MUST_CHECK;
/* File `file` of the grid as wattline reads it; `reversed`: its cells in the opposite order. */
wl_status wl_micro_grid_emit(const struct wl_micro_grid *g, int32_t file, bool reversed,
                             struct wl_arena *arena, struct wl_onnx **out,
                             struct wl_error *err) WL_MUST_CHECK;

#endif
