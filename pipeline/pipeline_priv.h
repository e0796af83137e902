/* SPDX-License-Identifier: Apache-2.0 */
/* pipeline_priv.h: steps of the chain that live inside pipeline/. */
#ifndef WL_PIPELINE_PRIV_H
#define WL_PIPELINE_PRIV_H

#include "pipeline.h"

/*
 * Turns what was asked into what is computed. An explicit precision that the device lacks is
 * UNSUPPORTED; "native" where it lacks the model's own type becomes the nearest narrower type that
 * it has, with a diagnostic (OUTPUT, "Precision").
 */
wl_status wl_resolve_precision(const struct wl_prepared *prepared, const struct wl_device *d,
                               const struct wl_precision_policy *asked, struct wl_diag_list *diags,
                               struct wl_precision_policy *out, struct wl_error *err) WL_MUST_CHECK;
/* 0 (all) or a number of units that the device has; USAGE otherwise. */
wl_status wl_resolve_threads(const struct wl_device *d, int32_t asked, int32_t *out,
                             struct wl_error *err) WL_MUST_CHECK;
/*
 * What to expect of the sum of the measured times: the median error that validation showed of each
 * operation, weighted by time; 0 where the calibration was not validated.
 */
double wl_measured_band(const struct wl_calibration *cal, const struct wl_mappings *m);
/* Lays measured times over the mappings; `*covered` is the share of subgraphs that it reaches. */
wl_status wl_measured_apply(const struct wl_calibration *cal, struct wl_mappings *m,
                            struct wl_diag_list *diags, struct wl_arena *arena, double *covered,
                            struct wl_error *err) WL_MUST_CHECK;
/* Fills options->kernels where the runtime's profile says what its kernels cost on CPUs. */
wl_status wl_kernel_costs(const struct wl_partition *p, const struct wl_device *d,
                          struct wl_map_options *options, struct wl_arena *arena,
                          struct wl_error *err) WL_MUST_CHECK;
/* Softmax nodes whose masks make denormal numbers; notes them where those are slow. */
void wl_denormals_find(const struct wl_model *model, struct wl_masked *out);
void wl_denormals_note(const struct wl_prepared *prepared, const struct wl_device *d,
                       const struct wl_precision_policy *policy, struct wl_diag_list *diags);
/* Critical path weighted by time, slack, bound on speed-up: from the partition's real edges. */
wl_status wl_concurrency_run(const struct wl_partition *p, const struct wl_roofline *roofline,
                             struct wl_arena *arena, struct wl_concurrency *out,
                             struct wl_error *err) WL_MUST_CHECK;
/* What share of the file is modelled, approximated, ignored. */
wl_status wl_coverage_run(const struct wl_graph *g, struct wl_arena *arena, struct wl_coverage *out,
                          struct wl_error *err) WL_MUST_CHECK;

#endif
