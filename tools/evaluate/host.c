/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evaluate host: the specification of this host against its own calibration by ONNX Runtime, kernel
 * by kernel. The designed kernels of calibrate/ (no network is among them) are analysed from the
 * specification alone, and what a calibration measured of the same kernel is the measurement. So
 * shares of the peak and fixed costs of ONNX Runtime on CPUs can be set without looking at any
 * network.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "evaluate.h"
#include "kernels.h"
#include "micro.h"

#define RUNTIME "onnxruntime"
#define NEAR 1e-3 /* sizes in files are rounded */

struct host {
    struct wl_registry *reg;
    struct wl_request request; /* of one file */
    struct wl_target target;
    const struct wl_calibration *measured;
    const char *path; /* of the file */
    struct samples *out;
};

static bool same(double a, double b)
{
    return fabs(a - b) <= NEAR * fmax(fabs(a), fabs(b));
}

static bool same_sizes(const struct wl_kernel_sizes *a, const struct wl_kernel_sizes *b)
{
    return same(a->groups, b->groups) && same(a->m, b->m) && same(a->n, b->n) && same(a->k, b->k) &&
           same(a->window, b->window) && same(a->stride, b->stride) && same(a->width, b->width) &&
           same(a->operands, b->operands) && same(a->epilogue, b->epilogue) &&
           same(a->bytes, b->bytes) && same(a->cold_bytes, b->cold_bytes) &&
           same(a->reuse_bytes, b->reuse_bytes);
}

static double measured_s(const struct host *h, const struct wl_kernel *k, int32_t threads,
                         enum wl_precision precision)
{
    for (int32_t i = 0; i < h->measured->entry_count; i++) {
        const struct wl_calibration_entry *e = &h->measured->entries[i];
        if (e->threads == threads && e->precision == precision && e->supported &&
            strcmp(e->operation, k->operations[0]) == 0 && same_sizes(&e->sizes, &k->sizes)) {
            return e->time_s;
        }
    }
    return 0;
}

/* Of the kernel itself, its launch included: what surrounds it has rows of its own. */
static double predicted_s(const struct wl_result *r, int32_t i)
{
    const struct wl_mapping *m = &r->mappings.items[i];
    const struct wl_timing *t = &r->roofline.timings[i];
    const struct wl_map_kernel *kernels = r->mappings.options.kernels;
    double around = kernels != NULL ? kernels[i].around : 0;
    double launches = t->overhead_s - wl_mapping_fixed_s(&r->device, m);
    return t->latency_s - m->serial_s - launches * around / fmax(m->dispatches, 1);
}

static void add(const struct host *h, const struct wl_result *r, int32_t i,
                const struct wl_kernel *k)
{
    enum wl_precision precision =
        r->partition->subgraphs[i].quantized ? WL_PREC_INT8 : WL_PREC_FP32;
    const struct wl_kernel_sizes *z = &k->sizes;
    struct sample s = {.kind = SAMPLE_LATENCY,
                       .batch = 1,
                       .threads = r->config.threads,
                       .measured = measured_s(h, k, r->config.threads, precision),
                       .predicted = predicted_s(r, i)};
    (void)snprintf(s.device, sizeof(s.device), "%s", "host");
    (void)snprintf(s.model, sizeof(s.model), "%s", k->operations[0]);
    (void)snprintf(s.precision, sizeof(s.precision), "%s", wl_precision_name(precision));
    (void)snprintf(s.runtime, sizeof(s.runtime), "%s", RUNTIME);
    (void)snprintf(s.class, sizeof(s.class), "%d threads", (int)s.threads);
    (void)snprintf(s.note, sizeof(s.note), "%.9g x %.9g x %.9g x %.9g w %.9g", z->groups, z->m,
                   z->n, z->k, z->width);
    wl_samples_add(h->out, &s);
}

static const struct wl_precision_policy native = {WL_PREC_NATIVE, WL_PREC_NATIVE, WL_PREC_NATIVE};

static wl_status compare(const struct host *h, const struct wl_prepared *prepared, int32_t threads,
                         struct wl_error *err)
{
    struct wl_result r;
    struct wl_kernels kernels;
    struct wl_request request = h->request;
    request.threads = threads;
    WL_TRY(wl_analyze(prepared, &h->target.device, h->target.runtime, &request, &r, err));
    wl_status status =
        wl_kernels_describe(r.partition, h->target.runtime, &native, &r.arena, &kernels, err);
    for (int32_t i = 0; i < r.partition->count && status == WL_OK; i++) {
        add(h, &r, i, &kernels.items[i]);
    }
    wl_result_done(&r);
    return status;
}

static wl_status analyse(struct host *h, struct wl_error *err)
{
    struct wl_model model;
    struct wl_prepared prepared;
    h->request = (struct wl_request){
        .model = h->path, .model_name = "grid", .precision = native, .runtime = RUNTIME};
    WL_TRY(wl_prepare(&h->request, h->target.runtime, wl_device_on_chip_bytes(&h->target.device),
                      &model, &prepared, err));
    wl_status status = compare(h, &prepared, 1, err);
    if (status == WL_OK && h->target.device.groups[0].count > 1) {
        status = compare(h, &prepared, 0, err);
    }
    wl_model_done(&model);
    return status;
}

static wl_status run_files(struct host *h, struct wl_arena *arena, struct wl_error *err)
{
    struct wl_micro_grid grid;
    WL_TRY(wl_micro_grid_make(arena, false, &grid, err));
    struct wl_arena_mark mark = wl_arena_mark(arena);
    for (int32_t i = 0; i < grid.files; i++) {
        struct wl_onnx *b = NULL;
        wl_arena_reset(arena, mark);
        WL_TRY(wl_micro_grid_emit(&grid, i, false, arena, &b, err));
        WL_TRY(wl_onnx_write(b, h->path, err));
        WL_TRY(analyse(h, err));
    }
    return WL_OK;
}

wl_status wl_evaluate_host(struct wl_registry *reg, struct samples *out, struct wl_error *err)
{
    struct host h = {.reg = reg, .out = out};
    struct wl_request request = {.runtime = RUNTIME, .calibration = "framework=" RUNTIME};
    WL_TRY(wl_target_resolve(reg, "host", &request, &h.target, err));
    h.measured = h.target.calibration;
    char path[] = "/tmp/wattline-grid-XXXXXX";
    int file = mkstemp(path);
    if (file < 0) {
        return wl_fail(err, WL_ERR_IO, path, "cannot be made");
    }
    (void)close(file);
    h.path = path;
    struct wl_arena arena;
    wl_arena_init(&arena, 0);
    wl_status status = run_files(&h, &arena, err);
    wl_arena_done(&arena);
    (void)unlink(path);
    return status;
}
