/* SPDX-License-Identifier: Apache-2.0 */
/*
 * own_kernels: what runtimes over oneDNN run beside it, as plain C loops and BLAS: fully connected
 * layers, pooling and joins of images that are no blocks of channels. Rows are named after the
 * pattern with
 * "_own" behind it (runtime profiles: own_kernels).
 */
#ifndef WL_OWN_KERNELS_H
#define WL_OWN_KERNELS_H

#include "onednn_grid.h"

/* From libopenblas.so.0; NULL where it is not there. Fortran's interface, 32-bit integers. */
typedef void wl_own_sgemm(const char *trans_a, const char *trans_b, const int *m, const int *n,
                          const int *k, const float *alpha, const float *a, const int *lda,
                          const float *b, const int *ldb, const float *beta, float *c,
                          const int *ldc);
wl_own_sgemm *wl_own_find_sgemm(void);

struct wl_own_kernel {
    const struct wl_onednn_case *c;
    wl_own_sgemm *sgemm;
    const float *pool; /* WL_ONEDNN_POOL_BYTES that weights are taken from */
    int64_t next;      /* place in it */
    int32_t threads;
    float *input, *output;
    int64_t *places; /* of maxima */
};

bool wl_own_is(enum wl_onednn_kind kind);
/* False where memory or the library is not there; close either way. */
bool wl_own_open(struct wl_own_kernel *k);
void wl_own_run(void *user);
void wl_own_close(struct wl_own_kernel *k);

#endif
