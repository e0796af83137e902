/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pipeline/prepare.c: what all points of a sweep share: the model, its work, its partition; and how
 * a request becomes precise (precision, threads) on a given device.
 */
#include <string.h>

#include "pipeline_priv.h"

/* The batch as inferred: first dimension of the batch input; 1 where the model has none. */
int64_t wl_model_batch(const struct wl_model *model)
{
    const struct wl_graph *g = &model->graph;
    if (g->batch_input == WL_NONE) {
        return 1;
    }
    const struct wl_tensor *t = &g->tensors[g->batch_input];
    bool known = t->rank > 0 && wl_dim_is_known(t->dims[0]);
    return known && t->dims[0].value > 0 ? t->dims[0].value : 1;
}

wl_status wl_prepare_model(const struct wl_request *req, struct wl_model *out, struct wl_error *err)
{
    struct wl_frontend_options front = {.batch = req->batch,
                                        .dims = req->dims,
                                        .dim_count = req->dim_count,
                                        .default_dims = req->default_dims,
                                        .default_dim_count = req->default_dim_count};
    WL_TRY(wl_model_load(req->model, &front, out, err));
    wl_status status = wl_ops_count(&out->graph, err);
#ifndef NDEBUG
    if (status == WL_OK) {
        status = wl_graph_verify(&out->graph, err);
    }
#endif
    if (status != WL_OK) {
        wl_model_done(out);
    }
    return status;
}

wl_status wl_prepare_partition(struct wl_model *model, struct wl_arena *arena,
                               const struct wl_request *req, const struct wl_runtime *runtime,
                               int64_t on_chip_bytes, struct wl_prepared *out, struct wl_error *err)
{
    struct wl_partition_options options = {.fusion =
                                               req->fusion != NULL ? req->fusion : runtime->fusion,
                                           .on_chip_bytes = on_chip_bytes};
    *out = (struct wl_prepared){
        .model = model, .model_name = req->model_name, .batch = wl_model_batch(model)};
    WL_TRY(wl_partition_run(&model->graph, &options, arena, &out->partition, err));
#ifndef NDEBUG
    WL_TRY(wl_partition_verify(&out->partition, err));
#endif
    wl_denormals_find(model, &out->masked);
    return wl_coverage_run(&model->graph, arena, &out->coverage, err);
}

wl_status wl_prepare(const struct wl_request *req, const struct wl_runtime *runtime,
                     int64_t on_chip_bytes, struct wl_model *model, struct wl_prepared *out,
                     struct wl_error *err)
{
    WL_TRY(wl_prepare_model(req, model, err));
    wl_status status =
        wl_prepare_partition(model, &model->arena, req, runtime, on_chip_bytes, out, err);
    if (status != WL_OK) {
        wl_model_done(model);
    }
    return status;
}

int64_t wl_device_on_chip_bytes(const struct wl_device *d)
{
    int64_t largest = 0;
    for (int32_t i = 0; i < d->level_count; i++) {
        const struct wl_level *l = &d->levels[i];
        int64_t bytes;
        if (!l->is_main && wl_mul_i64(l->capacity_bytes, l->instances, &bytes) && bytes > largest) {
            largest = bytes;
        }
    }
    return largest;
}

/* ---- precision ------------------------------------------------------------------------------- */

/* The floating-point type that most of the model's MACs are in; WL_PREC_COUNT where it has none. */
static enum wl_precision model_precision(const struct wl_prepared *prepared)
{
    const struct wl_graph *g = &prepared->model->graph;
    int64_t weight[WL_PREC_COUNT] = {0};
    for (int32_t i = 0; i < prepared->partition.count; i++) {
        const struct wl_subgraph *s = &prepared->partition.subgraphs[i];
        for (int32_t k = 0; k < s->output_count; k++) {
            const struct wl_tensor *t = &g->tensors[s->outputs[k].tensor];
            if (wl_dtype_is_float(t->dtype)) {
                weight[wl_dtype_precision(t->dtype)] += 1 + s->macs / 1024;
            }
        }
    }
    enum wl_precision best = WL_PREC_COUNT;
    for (int p = 0; p < WL_PREC_COUNT; p++) {
        if (weight[p] > 0 && (best == WL_PREC_COUNT || weight[p] > weight[best])) {
            best = (enum wl_precision)p;
        }
    }
    return best;
}

/* Same family first; where the device computes only integers, the widest integer not wider. */
static enum wl_precision substitute(const struct wl_device *d, enum wl_precision own)
{
    enum wl_precision nearest = wl_device_nearest(d, own);
    for (int p = WL_PREC_INT64; nearest == WL_PREC_COUNT && p < WL_PREC_COUNT; p++) {
        bool fits = wl_precision_bits((enum wl_precision)p) <= wl_precision_bits(own);
        if (fits && wl_device_supports(d, (enum wl_precision)p)) {
            nearest = (enum wl_precision)p;
        }
    }
    return nearest;
}

static wl_status fail_unsupported(const struct wl_device *d, enum wl_precision asked,
                                  struct wl_error *err)
{
    char list[160] = "";
    size_t at = 0;
    for (int p = 0; p < WL_PREC_COUNT; p++) {
        if (wl_device_supports(d, (enum wl_precision)p) && at + 8 < sizeof(list)) {
            const char *name = wl_precision_name((enum wl_precision)p);
            memcpy(list + at, at > 0 ? ", " : "", at > 0 ? 2 : 0);
            at += at > 0 ? 2 : 0;
            memcpy(list + at, name, strlen(name) + 1);
            at += strlen(name);
        }
    }
    return wl_fail(err, WL_ERR_UNSUPPORTED, d->id, "does not compute in %s; it has %s",
                   wl_precision_name(asked), list);
}

wl_status wl_resolve_precision(const struct wl_prepared *prepared, const struct wl_device *d,
                               const struct wl_precision_policy *asked, struct wl_diag_list *diags,
                               struct wl_precision_policy *out, struct wl_error *err)
{
    *out = *asked;
    if (asked->activations != WL_PREC_NATIVE) {
        if (!wl_device_supports(d, asked->activations)) {
            return fail_unsupported(d, asked->activations, err);
        }
    } else {
        enum wl_precision own = model_precision(prepared);
        if (own != WL_PREC_COUNT && !wl_device_supports(d, own)) {
            out->activations = substitute(d, own);
            if (out->activations == WL_PREC_COUNT) {
                return fail_unsupported(d, own, err);
            }
            wl_diag_add(diags, WL_SEV_INFO, "precision-substituted", d->id,
                        "the model is %s, which the device lacks; analysed as %s",
                        wl_precision_name(own), wl_precision_name(out->activations));
        }
    }
    if (out->weights == WL_PREC_NATIVE) {
        out->weights = out->activations;
    }
    if (out->kv == WL_PREC_NATIVE) {
        out->kv = out->activations;
    }
    return WL_OK;
}

wl_status wl_resolve_threads(const struct wl_device *d, int32_t asked, int32_t *out,
                             struct wl_error *err)
{
    int32_t units = wl_device_units(d);
    if (asked < 0 || asked > units) {
        return wl_fail(err, WL_ERR_USAGE, "--threads", "%d is not possible on %s; it has %d units",
                       (int)asked, d->id, (int)units);
    }
    *out = asked == 0 ? units : asked;
    return WL_OK;
}
