/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/measure_predict.c: what the analysis says about the model that runs, before it runs: a wrong
 * name ends the command at once and not after an hour of measuring.
 */
#include <math.h>
#include <string.h>

#include "analysis_run.h"
#include "measure_cli.h"

struct session {
    struct wl_registry registry;
    bool registry_open;
    struct wl_model model;
    bool model_open;
    struct wl_prepared prepared;
    struct wl_result result;
    bool result_open;
};

static wl_status analyze(struct wl_measure_options *o, struct session *s, struct wl_error *err)
{
    struct wl_target target;
    struct wl_request *q = &o->a.request;
    WL_TRY(wl_cli_open_registry(&o->a, &s->registry, err));
    s->registry_open = true;
    WL_TRY(wl_target_resolve(&s->registry, o->a.hw, q, &target, err));
    q->measured = target.calibration;
    WL_TRY(wl_cli_resolve_model(&o->a, o->model, err));
    WL_TRY(wl_prepare(q, target.runtime, wl_device_on_chip_bytes(&target.device), &s->model,
                      &s->prepared, err));
    s->model_open = true;
    WL_TRY(wl_analyze(&s->prepared, &target.device, target.runtime, q, &s->result, err));
    s->result_open = true;
    return WL_OK;
}

/* How many inferences a run makes, from what --work says of it. */
static double inferences_of(const struct wl_measure_options *o, int64_t batch)
{
    double count = (double)NAN;
    for (int32_t i = 0; i < o->work_count; i++) {
        if (strcmp(o->works[i].unit, "inferences") == 0) {
            return o->works[i].amount;
        }
        if (strcmp(o->works[i].unit, "samples") == 0) {
            count = o->works[i].amount / (double)batch;
        }
    }
    return count;
}

wl_status wl_measure_predict(struct wl_measure_options *o, struct wl_measure_prediction *out,
                             struct wl_error *err)
{
    struct session s = {0};
    *out = (struct wl_measure_prediction){0};
    if (o->model == NULL && o->a.hw == NULL) {
        return WL_OK;
    }
    if (o->model == NULL || o->a.hw == NULL) {
        return wl_fail(err, WL_ERR_USAGE, "measure",
                       "a prediction needs --model and --hw; give both or neither");
    }
    wl_status status = analyze(o, &s, err);
    if (status == WL_OK) {
        const struct wl_totals *t = &s.result.totals;
        const char *name = wl_arena_printf(&o->a.arena, "%s", s.result.device.name);
        *out = (struct wl_measure_prediction){.present = true,
                                              .model = o->model,
                                              .hardware = name == NULL ? o->a.hw : name,
                                              .batch = s.result.config.batch,
                                              .inferences = inferences_of(o, s.result.config.batch),
                                              .latency_s = t->latency_s,
                                              .energy_j = t->energy_j,
                                              .average_power_w = t->average_power_w};
    }
    if (s.result_open) {
        wl_result_done(&s.result);
    }
    if (s.model_open) {
        wl_model_done(&s.model);
    }
    if (s.registry_open) {
        wl_registry_close(&s.registry);
    }
    return status;
}
