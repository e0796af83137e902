/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pipeline/analyze.c: the chain of one analysis, and nothing else. Read this page first: each line
 * is a stage with a folder of its own. Everything that the stages produce lives in the result's
 * arena.
 */
#include <string.h>

#include "pipeline_priv.h"

static wl_status run_stages(const struct wl_prepared *prepared,
                            const struct wl_map_options *options, bool power_gating,
                            struct wl_result *r, struct wl_error *err)
{
    struct wl_arena *arena = &r->arena;
    WL_TRY(wl_mappers_run(&prepared->partition, &r->device, options, arena, &r->mappings, err));
    if (r->measured != NULL) {
        WL_TRY(wl_measured_apply(r->measured, &r->mappings, &r->diags, arena, &r->measured_share,
                                 err));
        r->error_band = wl_measured_band(r->measured, &r->mappings);
    }
    WL_TRY(wl_energy_dynamic(&r->mappings, arena, &r->energy, err));
    WL_TRY(wl_roofline_place(&r->mappings, &r->energy, arena, &r->roofline, err));
    wl_energy_static(&r->mappings, r->roofline.timings, power_gating, &r->energy);
    WL_TRY(wl_memory_plan(&r->mappings, arena, &r->memory, err));
    WL_TRY(wl_concurrency_run(&prepared->partition, &r->roofline, arena, &r->concurrency, err));
    return WL_OK;
}

static wl_status copy_diagnostics(const struct wl_diag_list *from, struct wl_diag_list *to)
{
    for (int32_t i = 0; i < from->count; i++) {
        const struct wl_diag *d = &from->items[i];
        wl_diag_add(to, d->severity, d->code, d->where, "%s", d->message);
    }
    to->dropped += from->dropped;
    return WL_OK;
}

/* Traffic of main memory, all subgraphs. */
static double dram_bytes(const struct wl_result *r)
{
    int32_t main_level = r->device.level_count - 1;
    double bytes = 0;
    for (int32_t i = 0; i < r->mappings.count; i++) {
        const struct wl_traffic *t = &r->mappings.items[i].traffic[main_level];
        bytes += t->read_bytes + t->write_bytes;
    }
    return bytes;
}

static double peak_power_w(const struct wl_result *r)
{
    double peak = r->device.idle_w;
    for (int32_t i = 0; i < r->roofline.count; i++) {
        double latency_s = r->roofline.timings[i].latency_s;
        double power_w = latency_s > 0 ? wl_energy_total_j(&r->energy.parts[i]) / latency_s : 0;
        peak = power_w > peak ? power_w : peak;
    }
    return peak;
}

static double ratio(double a, double b)
{
    return b > 0 ? a / b : 0;
}

static void fill_totals(const struct wl_prepared *prepared, struct wl_result *r)
{
    struct wl_totals *t = &r->totals;
    double dynamic_j = wl_energy_dynamic_j(&r->energy.total);
    t->macs = prepared->partition.macs;
    t->flops = prepared->partition.flops;
    t->latency_s = r->roofline.latency_s;
    t->throughput_per_s = ratio((double)r->config.batch, t->latency_s);
    t->energy_j = wl_energy_total_j(&r->energy.total);
    t->energy_per_inference_j = ratio(t->energy_j, (double)r->config.batch);
    t->average_power_w = ratio(t->energy_j, t->latency_s);
    t->unthrottled_power_w = ratio(dynamic_j, r->roofline.unbounded_latency_s) +
                             ratio(r->energy.total.static_j, t->latency_s);
    t->peak_power_w = peak_power_w(r);
    t->dram_bytes = dram_bytes(r);
    t->weight_bytes = r->memory.weight_bytes;
    t->activation_bytes = r->memory.activation_bytes;
    t->peak_memory_bytes = r->memory.peak_bytes;
    t->utilization = r->roofline.utilization_model;
    t->efficiency = ratio(dynamic_j, t->energy_j);
    t->intensity_flops_per_byte = ratio((double)t->flops, t->dram_bytes);
    t->bound = r->roofline.bound;
    t->subgraphs = prepared->partition.count;
}

static wl_status analyze_into(const struct wl_prepared *prepared, const struct wl_runtime *runtime,
                              const struct wl_request *req, struct wl_result *r,
                              struct wl_error *err)
{
    struct wl_map_options options = {
        .runtime = runtime, .threads = req->threads, .cold = req->cold, .dataflow = req->dataflow};
    WL_TRY(copy_diagnostics(&prepared->model->diags, &r->diags));
    WL_TRY(wl_resolve_precision(prepared, &r->device, &req->precision, &r->diags, &options.policy,
                                err));
    WL_TRY(wl_resolve_threads(&r->device, req->threads, &options.threads, err));
    wl_denormals_note(prepared, &r->device, &options.policy, &r->diags);
    if (req->power_gating && !(r->device.gated_idle_w < r->device.idle_w)) {
        wl_diag_add(&r->diags, WL_SEV_WARNING, "power_gating", r->device.id,
                    "states no idle power with units switched off; --power-gating changes nothing");
    }
    WL_TRY(wl_kernel_costs(&prepared->partition, &r->device, &options, &r->arena, err));
    WL_TRY(run_stages(prepared, &options, req->power_gating, r, err));
    r->coverage = prepared->coverage;
    r->config =
        (struct wl_config){.batch = prepared->batch,
                           .precision = options.policy,
                           .requested = req->precision.activations,
                           .runtime = runtime->name,
                           .fusion = prepared->partition.fusion,
                           .threads = options.threads,
                           .calibration = req->measured == NULL ? NULL : req->measured->name,
                           .cold = req->cold};
    r->latency_basis = r->device.basis;
    r->energy_basis = r->energy.basis;
    fill_totals(prepared, r);
    return WL_OK;
}

wl_status wl_analyze(const struct wl_prepared *prepared, const struct wl_device *device,
                     const struct wl_runtime *runtime, const struct wl_request *req,
                     struct wl_result *out, struct wl_error *err)
{
    memset(out, 0, sizeof(*out));
    wl_arena_init(&out->arena, 0);
    wl_diag_init(&out->diags, &out->arena);
    out->model = prepared->model;
    out->partition = &prepared->partition;
    out->device = *device;
    out->measured = req->measured;
    wl_status status = analyze_into(prepared, runtime, req, out, err);
    if (status != WL_OK) {
        wl_result_done(out);
    }
    return status;
}

void wl_result_done(struct wl_result *r)
{
    wl_arena_done(&r->arena);
}
