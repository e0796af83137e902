/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mappers/systolic.c: cycles of matrix products on arrays of R rows x C columns.
 *
 * One operand stays in the cells for a fold, the others stream through:
 *
 *   weight-stationary   fold = R x C of the K x N weights, M rows of activations stream
 *   input-stationary    fold = R x C of the K x M activations, N columns of weights stream
 *   output-stationary   fold = R x C of the M x N results, K steps of both operands stream
 *
 * Single-buffered, a fold costs what SCALE-Sim v2 counts (Samajdar et al., "A systematic
 * methodology for characterizing scalability of DNN accelerators using SCALE-Sim", ISPASS 2020):
 * loading R rows, then T streamed vectors, skewed over R + C - 2 further cycles:
 *
 *   weight- and input-stationary   2 R + C + T - 2
 *   output-stationary              R + C + K - 2
 *
 * and partial folds are charged as full ones. Double-buffered (TPU: the next fold's weights load
 * behind the present one), folds follow each other without a gap: max(T, R) cycles each, and the
 * fill and the drain are paid once. Both agree for one fold with T >= R.
 *
 * Several arrays share the folds of all G products; where that leaves arrays idle, the streamed
 * side is divided as well (the fold's stationary operand is then loaded into several arrays).
 *
 * Row-stationary (Chen et al., "Eyeriss", ISCA 2016 and JSSC 2017) is in rowstationary.c.
 */
#include <math.h>

#include "mappers_priv.h"

static double fold_cycles(const struct wl_systolic *a, double streamed)
{
    double r = (double)a->rows;
    double c = (double)a->cols;
    if (a->double_buffered) {
        return wl_max_d(streamed, r);
    }
    return a->dataflow == WL_DATAFLOW_OS ? r + c + streamed - 2 : 2 * r + c + streamed - 2;
}

/* Paid once when folds overlap. */
static double fill_and_drain(const struct wl_systolic *a)
{
    double r = (double)a->rows;
    double c = (double)a->cols;
    if (!a->double_buffered) {
        return 0;
    }
    return a->dataflow == WL_DATAFLOW_OS ? r + c - 2 : 2 * r + c - 2;
}

struct wl_systolic_plan wl_systolic_plan(const struct wl_systolic *a, int64_t g, int64_t m,
                                         int64_t n, int64_t k)
{
    int64_t across = n; /* dimension over the columns */
    int64_t down = k;   /* over the rows */
    int64_t streamed = m;
    if (a->dataflow == WL_DATAFLOW_OS) {
        down = m;
        streamed = k;
    } else if (a->dataflow == WL_DATAFLOW_IS) {
        across = m;
        streamed = n;
    }
    double down_folds = wl_ceil_div_d(down, a->rows);
    double across_folds = wl_ceil_div_d(across, a->cols);
    double folds = (double)g * down_folds * across_folds;
    double arrays = a->arrays > 1 ? (double)a->arrays : 1;
    struct wl_systolic_plan best = {.cycles = 0};
    for (int64_t ways = 1; (double)ways <= arrays && ways / 2 < streamed; ways *= 2) {
        double parts = (double)ways;
        double part = wl_ceil_div_d(streamed, ways);
        double one = fold_cycles(a, part);
        double rounds = ceil(folds * parts / arrays);
        double cycles = rounds * one + fill_and_drain(a);
        if (parts == 1 || cycles < best.cycles) {
            best.cycles = cycles;
            best.cycles_of_fold = one;
            best.splits = parts;
        }
        if (folds * parts >= 64 * arrays) {
            break;
        }
    }
    best.folds = folds * best.splits;
    best.left_streams = across_folds;
    best.right_streams = best.splits;
    best.result_passes = down_folds;
    if (a->dataflow == WL_DATAFLOW_OS) {
        best.right_streams = down_folds;
        best.result_passes = 1;
    } else if (a->dataflow == WL_DATAFLOW_IS) {
        best.left_streams = best.splits;
        best.right_streams = across_folds;
    }
    return best;
}
