/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pipeline/measured.c: a calibration laid over the mappers' counts. What it measured replaces
 * assumptions of efficiency, in one place for all architectures: each subgraph is described as the
 * kernel that the runtime executes (kernels/), its time interpolated between the sizes measured
 * (hardware/kernel_model.c), never faster than the peak of the pipe. What the runtime does around
 * kernels (layout changes, views, dispatch, the call) is added where the calibration has it.
 *
 * A kernel's own time holds its launch and its memory. What was not measured at this precision, or
 * lies far from all sizes measured, keeps the analytic model.
 */
#include <math.h>
#include <string.h>

#include "kernels.h"
#include "pipeline_priv.h"

/* What is further than so many doublings from every size measured is not covered. */
#define FAR_PRODUCT 8.0
#define FAR_STREAM 16.0

/* Calibration frameworks that are libraries below runtimes (calibrate/). */
static const char *const libraries[] = {"openblas", "onednn"};

struct overlay {
    const struct wl_calibration *cal;
    struct wl_mappings *m;
    double view_s;
    bool library; /* measured without the runtime: what it costs to launch a kernel comes on top */
};

static const struct wl_kernel_sizes no_sizes = {
    .groups = 1, .m = 1, .n = 1, .k = 1, .window = 1, .stride = 1, .width = 1};

/* What the calibration has of `operation` at a size; arithmetic other than products in fp32 too. */
static double look_up(const struct overlay *o, const char *operation, enum wl_precision precision,
                      const struct wl_kernel_sizes *sizes, double *distance)
{
    double s = wl_calibration_seconds(o->cal, operation, precision, o->m->options.threads, sizes,
                                      distance);
    if (s > 0 || sizes->m > 1) {
        return s;
    }
    return wl_calibration_seconds(o->cal, operation, WL_PREC_FP32, o->m->options.threads, sizes,
                                  distance);
}

static double kernel_s(const struct overlay *o, const struct wl_kernel *k, struct wl_mapping *x)
{
    for (int i = 0; k->operations[i] != NULL; i++) {
        double distance = 0;
        double s = look_up(o, k->operations[i], x->precision, &k->sizes, &distance);
        if (s > 0 && distance <= (k->sizes.m > 1 ? FAR_PRODUCT : FAR_STREAM)) {
            x->measured_as = k->operations[i];
            x->measured_distance = distance;
            return s;
        }
    }
    return 0;
}

/* One pass over so many elements of so many bytes, read and written. */
static double elements_s(const struct overlay *o, const char *operation, double elems,
                         double bytes_each)
{
    struct wl_kernel_sizes sizes = no_sizes;
    sizes.n = elems;
    sizes.width = elems;
    sizes.bytes = bytes_each * elems;
    return elems > 0 ? look_up(o, operation, WL_PREC_FP32, &sizes, NULL) : 0;
}

static double reorder_s(const struct overlay *o, const char *operation, double bytes, double width)
{
    if (!(bytes > 0)) {
        return 0;
    }
    struct wl_kernel_sizes sizes = no_sizes;
    sizes.n = bytes / 8; /* read and written, four bytes each */
    sizes.width = width;
    sizes.bytes = bytes;
    return look_up(o, operation, WL_PREC_FP32, &sizes, NULL);
}

static double reorders_s(const struct overlay *o, const struct wl_kernel *k)
{
    if (k->integer) {
        return elements_s(o, WL_KERNEL_REORDER_INTEGERS, k->reorder_in_bytes / 2, 2) +
               elements_s(o, WL_KERNEL_REORDER_INTEGERS, k->reorder_out_bytes / 2, 2);
    }
    return reorder_s(o, WL_KERNEL_REORDER_IN, k->reorder_in_bytes, k->reorder_width) +
           reorder_s(o, WL_KERNEL_REORDER_OUT, k->reorder_out_bytes, k->reorder_width);
}

static double around_s(const struct overlay *o, const struct wl_kernel *k)
{
    return k->views * o->view_s + elements_s(o, WL_KERNEL_DEQUANTIZE, k->dequantized_elems, 5) +
           reorders_s(o, k);
}

static bool is_library(const char *framework)
{
    bool found = false;
    for (size_t i = 0; i < WL_ARRAY_LEN(libraries); i++) {
        found = found || strcmp(framework, libraries[i]) == 0;
    }
    return found;
}

static bool apply_one(const struct overlay *o, int32_t i, const struct wl_kernel *k)
{
    struct wl_mapping *x = &o->m->items[i];
    double repeat = (double)o->m->partition->subgraphs[i].repeat;
    double seconds = x->precision < WL_PREC_COUNT ? kernel_s(o, k, x) * repeat : 0;
    if (!(seconds > 0)) {
        return false;
    }
    if (x->pipe != WL_NONE) {
        /* taps in the padding are passed over */
        double ops = 2 * k->sizes.groups * k->sizes.m * k->sizes.n * k->sizes.k * repeat;
        bool conv = o->m->partition->subgraphs[i].kind == WL_OPK_CONV;
        x->executed_ops = conv ? fmin(x->executed_ops, ops) : x->executed_ops;
        double peak = wl_pipe_peak(o->m->device, &o->m->device->pipes[x->pipe], x->precision);
        seconds = peak > 0 ? fmax(seconds, x->executed_ops / peak) : seconds;
    }
    x->measured_s = seconds;
    x->dispatches = o->library ? x->dispatches + k->reorders : 0;
    x->barriers = 0;
    x->serial_s = around_s(o, k) * repeat;
    x->note = "time as measured by the calibration";
    return true;
}

static double call_s(const struct overlay *o)
{
    struct wl_kernel_sizes sizes = no_sizes;
    sizes.bytes = wl_result_bytes(o->m->partition, &o->m->options.policy);
    sizes.n = fmax(sizes.bytes / 4, 1);
    return look_up(o, WL_KERNEL_CALL, WL_PREC_FP32, &sizes, NULL);
}

static double band_of(const struct wl_calibration *cal, const char *operation)
{
    for (int32_t i = 0; i < cal->band_count; i++) {
        if (strcmp(cal->bands[i].operation, operation) == 0) {
            return cal->bands[i].error;
        }
    }
    return cal->error_band;
}

double wl_measured_band(const struct wl_calibration *cal, const struct wl_mappings *m)
{
    double weighted = 0, sum = 0;
    for (int32_t i = 0; i < m->count; i++) {
        const struct wl_mapping *x = &m->items[i];
        if (x->measured_as != NULL) {
            weighted += band_of(cal, x->measured_as) * x->measured_s;
            sum += x->measured_s;
        }
    }
    return sum > 0 ? weighted / sum : 0;
}

wl_status wl_measured_apply(const struct wl_calibration *cal, struct wl_mappings *m,
                            struct wl_diag_list *diags, struct wl_arena *arena, double *covered,
                            struct wl_error *err)
{
    struct overlay o = {.cal = cal, .m = m};
    o.library = is_library(cal->framework);
    struct wl_kernels kernels;
    int32_t replaced = 0;
    WL_TRY(wl_kernels_describe(m->partition, m->options.runtime, &m->options.policy, arena,
                               &kernels, err));
    o.view_s = look_up(&o, WL_KERNEL_VIEW, WL_PREC_FP32, &no_sizes, NULL);
    for (int32_t i = 0; i < m->count; i++) {
        replaced += apply_one(&o, i, &kernels.items[i]) ? 1 : 0;
    }
    /* Where the first subgraph follows the specification, so does the call. */
    if (m->count > 0 && m->items[0].measured_s > 0) {
        m->items[0].serial_s += call_s(&o);
    }
    *covered = m->count > 0 ? (double)replaced / m->count : 0;
    if (replaced < m->count) {
        wl_diag_add(diags, WL_SEV_INFO, "calibration-partial", cal->name,
                    "covers %d of %d subgraphs; the others follow the specification", (int)replaced,
                    (int)m->count);
    }
    return WL_OK;
}
