/* SPDX-License-Identifier: Apache-2.0 */
/* evaluate: published measurements against wattline's predictions. */
#ifndef WL_EVALUATE_H
#define WL_EVALUATE_H

#include <stdio.h>

#include "pipeline.h"

/* Ratios predicted / measured under a key. */
struct tally_group {
    char key[128];
    double *ratios;
    int32_t count, capacity;
};

struct tally {
    struct tally_group *groups;
    int32_t count, capacity;
};

void wl_tally_add(struct tally *t, const char *key, double ratio);
/* Groups in order of first appearance whose key begins with `prefix`: count, median error, 90th
   percentile, median ratio. */
void wl_tally_print(struct tally *t, const char *prefix, FILE *out);
void wl_tally_done(struct tally *t);

/* ground-truth-kernels.json. */
wl_status wl_evaluate_kernels(struct wl_registry *reg, const char *path,
                              const struct wl_runtime *runtime, struct tally *tally,
                              struct wl_error *err);

/* ground-truth.json: whole models of the zoo, records marked core. */
wl_status wl_evaluate_models(struct wl_registry *reg, const char *path, const char *models,
                             struct tally *tally, struct wl_error *err);

#endif
