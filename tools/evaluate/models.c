/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evaluate models: published latencies and throughputs against the chain, of records whose model is
 * in the zoo. Throughput-hint and offline rows are throughput: predicted as that of one batch, and
 * kept apart.
 */
#include "evaluate.h"

wl_status wl_evaluate_models(struct wl_registry *reg, const char *path, const char *models,
                             enum record_choice choice, struct samples *out, struct wl_error *err)
{
    struct records all;
    wl_status status = wl_records_load(path, models, choice, &all, err);
    for (int32_t i = 0; i < all.count && status == WL_OK; i++) {
        const struct record *rec = &all.items[i];
        double predicted = 0;
        if (wl_record_predict(reg, rec, models, NULL, &predicted)) {
            struct sample s = wl_record_sample(rec, predicted);
            wl_samples_add(out, &s);
        }
    }
    wl_records_done(&all);
    return status;
}
