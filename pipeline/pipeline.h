/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pipeline: the chain from model and device to a result, and what needs several stages at once.
 * Preparation (load, partition) and the analysis of one point are apart, so that a sweep shares
 * work.
 */
#ifndef WL_PIPELINE_H
#define WL_PIPELINE_H

#include "energy.h"
#include "frontend.h"
#include "hardware.h"
#include "mappers.h"
#include "memory.h"
#include "partition.h"
#include "roofline.h"

/* What the user asked for. Zero or NULL: the default. Strings are borrowed. */
struct wl_request {
    const char *model;      /* path */
    const char *model_name; /* as the user wrote it (zoo name or path) */
    int64_t batch;
    const struct wl_dim_binding *dims;
    int32_t dim_count;
    const struct wl_dim_binding *default_dims; /* of a zoo model */
    int32_t default_dim_count;
    struct wl_precision_policy precision; /* WL_PREC_NATIVE where not asked */
    const char *power_mode;
    int32_t threads;
    const char *runtime;                   /* NULL: of the calibration, else "generic" */
    const char *fusion;                    /* NULL: the runtime's */
    const char *calibration;               /* "KEY=VALUE,...", "none" or NULL */
    const struct wl_calibration *measured; /* of the resolved target; NULL: specification alone */
    bool cold;
    bool power_gating;
    enum wl_dataflow dataflow;
};

/* What a request runs on. Strings and tables belong to the registry. */
struct wl_target {
    struct wl_device device;
    const struct wl_runtime *runtime;
    const struct wl_calibration *calibration; /* NULL: none */
};

/*
 * Resolves device, power mode, calibration and runtime (OUTPUT, "Runtime"). USAGE when one of them
 * is unknown; the message lists what there is. Put `calibration` into the request that is analysed.
 */
wl_status wl_target_resolve(struct wl_registry *registry, const char *hw,
                            const struct wl_request *req, struct wl_target *out,
                            struct wl_error *err) WL_MUST_CHECK;

struct wl_config {
    int64_t batch;
    struct wl_precision_policy precision; /* resolved: what is computed and stored */
    enum wl_precision requested;          /* WL_PREC_NATIVE or what was asked */
    const char *runtime;
    const char *fusion;
    int32_t threads;
    const char *calibration; /* NULL: none */
    bool cold;
};

struct wl_totals {
    int64_t macs, flops;
    double latency_s, throughput_per_s;
    double energy_j, energy_per_inference_j;
    double average_power_w, unthrottled_power_w, peak_power_w;
    double dram_bytes, weight_bytes, activation_bytes, peak_memory_bytes;
    double utilization, efficiency, intensity_flops_per_byte;
    int32_t bound;
    int32_t subgraphs;
};

struct wl_concurrency {
    int32_t levels, max_width;
    double critical_path_s;
    int32_t *critical_path; /* subgraph ids */
    int32_t critical_count;
    double *slack_s;      /* by subgraph */
    double speedup_bound; /* latency / critical path */
};

struct wl_coverage_row {
    const char *op, *domain;
    int32_t count;
    enum wl_node_status status;
    double macs_share; /* of the model's MACs */
};

struct wl_coverage {
    int32_t by_status[WL_NODE_STATUS_COUNT]; /* nodes */
    struct wl_coverage_row *rows;
    int32_t row_count;
};

/* Owns its arena. Refers to the prepared model and the device it was computed from. */
struct wl_result {
    struct wl_arena arena;
    const struct wl_model *model;
    const struct wl_partition *partition;
    struct wl_device device;
    struct wl_config config;
    struct wl_diag_list diags;
    struct wl_mappings mappings;
    struct wl_energy energy;
    struct wl_roofline roofline;
    struct wl_memory memory;
    struct wl_concurrency concurrency;
    struct wl_coverage coverage; /* of the prepared model */
    struct wl_totals totals;
    enum wl_basis latency_basis, energy_basis;
    const struct wl_calibration *measured; /* NULL: latency follows the specification */
    double measured_share;                 /* of subgraphs whose time it gives */
    double error_band; /* share of latency by which it is likely off; 0: not validated */
};

/* A model and a partition of it: what all points with the same dims and fusion share. */
/* Softmax nodes whose masks make denormal numbers in fp32 (denormals.c). */
#define WL_MASKED_SHOWN 4
struct wl_masked {
    int32_t count;
    int32_t nodes[WL_MASKED_SHOWN]; /* the first of them */
};

struct wl_prepared {
    const struct wl_model *model;
    struct wl_partition partition;
    struct wl_coverage coverage;
    struct wl_masked masked;
    const char *model_name;
    int64_t batch;
};

/* Loads a model and counts its work. On success wl_model_done gives it back. */
wl_status wl_prepare_model(const struct wl_request *req, struct wl_model *out,
                           struct wl_error *err) WL_MUST_CHECK;
/*
 * Partitions a loaded model into `arena`. `runtime` gives the fusion profile unless the request
 * names one; `on_chip_bytes` is the device's budget (wl_device_on_chip_bytes).
 */
wl_status wl_prepare_partition(struct wl_model *model, struct wl_arena *arena,
                               const struct wl_request *req, const struct wl_runtime *runtime,
                               int64_t on_chip_bytes, struct wl_prepared *out,
                               struct wl_error *err) WL_MUST_CHECK;
/* Both, with the partition in the model's arena. */
wl_status wl_prepare(const struct wl_request *req, const struct wl_runtime *runtime,
                     int64_t on_chip_bytes, struct wl_model *model, struct wl_prepared *out,
                     struct wl_error *err) WL_MUST_CHECK;
/* The batch of a loaded model: first dimension of its batch input; 1 where it has none. */
int64_t wl_model_batch(const struct wl_model *model);
int64_t wl_device_on_chip_bytes(const struct wl_device *d);

/* The chain. UNSUPPORTED when the device lacks an explicitly asked precision. */
wl_status wl_analyze(const struct wl_prepared *prepared, const struct wl_device *device,
                     const struct wl_runtime *runtime, const struct wl_request *req,
                     struct wl_result *out, struct wl_error *err) WL_MUST_CHECK;
void wl_result_done(struct wl_result *r);

#endif
