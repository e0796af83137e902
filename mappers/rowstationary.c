/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mappers/rowstationary.c: the row-stationary dataflow of Eyeriss (Chen, Emer and Sze, "Eyeriss: a
 * spatial architecture for energy-efficient dataflow for convolutional neural networks", ISCA 2016;
 * Chen et al., JSSC 52(1), 2017).
 *
 * A PE computes one row of filter against one row of input; a set of (filter height) x (output
 * rows) PEs makes a plane of partial sums. Sets are folded onto the array: e output rows side by
 * side (e <= columns; strips where there are more rows), floor(rows / kernel height) sets above
 * each other and floor(columns / e) beside each other, which work on different filters and
 * channels. A kernel taller than the array takes several passes. What has no window is a
 * convolution with a 1 x 1 kernel.
 *
 * Time = MACs / active PEs / share of cycles that PEs multiply. That share is the one fitted
 * figure: 0.8, the median of AlexNet's five layers in JSSC 2017, Table V (loads of filters and rows
 * into the PEs, psum transfers). It does not describe layers with large maps, where the chip loses
 * more time on refilling its buffer (VGG-16's first blocks).
 */
#include "mappers_priv.h"

#define BUSY_SHARE 0.8

struct wl_systolic_plan wl_row_stationary_plan(const struct wl_systolic *a,
                                               const struct wl_product *p)
{
    int64_t kernel = 1;
    int64_t out_rows = wl_max_i64(1, p->m);
    if (p->window != NULL && p->window->spatial_rank > 0 && wl_dim_is_known(p->window->out[0])) {
        kernel = wl_max_i64(1, p->window->kernel[0]);
        out_rows = wl_max_i64(1, p->window->out[0].value);
    }
    double strips = wl_ceil_div_d(out_rows, a->cols);
    double e = (double)out_rows / strips;
    double passes = wl_ceil_div_d(kernel, a->rows);
    double tall = (double)kernel / passes;
    double above = (double)wl_max_i64(1, (int64_t)((double)a->rows / tall));
    double beside = (double)wl_max_i64(1, (int64_t)((double)a->cols / e));
    double channels = (double)p->k / (double)kernel;
    double parallel = wl_min_d(above * beside, wl_max_d(1, (double)p->n * channels * (double)p->g));
    double active = wl_min_d((double)(a->rows * a->cols), tall * e * parallel);
    double macs = (double)p->g * (double)p->m * (double)p->n * (double)p->k;
    struct wl_systolic_plan plan = {
        .folds = wl_max_d(1, strips * passes * (double)p->n * (double)p->g / parallel),
        .splits = 1,
        .left_streams = wl_max_d(1, (double)p->n / 16),
        .right_streams = strips,
        .result_passes = wl_max_d(1, channels / (above * 4))};
    plan.cycles = macs / active / BUSY_SHARE / (a->arrays > 1 ? (double)a->arrays : 1);
    plan.cycles_of_fold = plan.cycles / plan.folds;
    return plan;
}
