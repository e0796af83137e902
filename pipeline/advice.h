/* SPDX-License-Identifier: Apache-2.0 */
/*
 * advice: what would help, computed. The analysis is run again with one thing changed at a time (a
 * narrower precision, a larger batch, another fusion profile, another power mode), only changes
 * that the device supports; what saves joules or time is kept, ranked by joules per inference.
 */
#ifndef WL_ADVICE_H
#define WL_ADVICE_H

#include "grid.h"

struct wl_advice_item {
    const char *option; /* as typed: "--precision bf16" */
    double latency_s, energy_per_inference_j, throughput_per_s, average_power_w;
    double saved_j;         /* per inference, against the analysis as asked; may be negative */
    double saved_latency_s; /* of one batch; negative for larger batches */
    double saved_w;
    const char *caveat; /* what the change asks of the user; "" for none */
};

struct wl_advice {
    struct wl_advice_item *items;
    int32_t count;
    double base_latency_s, base_energy_per_inference_j, base_throughput_per_s, base_power_w;
};

/*
 * `request` names the model; `device_id` the registry's id. Everything lives in `arena`. Variants
 * that cannot run are left out.
 */
wl_status wl_advice_run(const struct wl_request *request, struct wl_registry *registry,
                        const char *device_id, struct wl_arena *arena, struct wl_advice *out,
                        struct wl_error *err) WL_MUST_CHECK;

#endif
