/* SPDX-License-Identifier: Apache-2.0 */
/* pipeline/advice.c: one axis at a time through the grid, against the analysis as asked. */
#include "advice.h"

#include <math.h>
#include <string.h>

/* A variant has to save this share of energy per inference or of time per inference to be told. */
#define WORTH_TELLING 0.01

struct collector {
    struct wl_arena *arena;
    struct wl_advice *advice;
    int32_t capacity;
    struct wl_grid_row base;
    bool base_known;
    const char *axis; /* "--precision"; NULL: the base itself */
    const char *caveat;
};

static const char *option_text(struct collector *c, const struct wl_grid_row *row)
{
    if (strcmp(c->axis, "--precision") == 0) {
        return wl_arena_printf(c->arena, "--precision %s", wl_precision_name(row->precision));
    }
    if (strcmp(c->axis, "--batch") == 0) {
        return wl_arena_printf(c->arena, "--batch %lld", (long long)row->batch);
    }
    if (strcmp(c->axis, "--fusion") == 0) {
        return wl_arena_printf(c->arena, "--fusion %s", row->fusion);
    }
    return wl_arena_printf(c->arena, "--power-mode '%s'", row->power_mode);
}

static bool worth_telling(const struct wl_totals *base, const struct wl_totals *t)
{
    return t->energy_per_inference_j < base->energy_per_inference_j * (1 - WORTH_TELLING) ||
           t->throughput_per_s > base->throughput_per_s * (1 + WORTH_TELLING);
}

static wl_status take(void *user, const struct wl_grid_row *row, struct wl_error *err)
{
    struct collector *c = user;
    if (c->axis == NULL) {
        c->base = *row;
        c->base_known = row->ok;
        return row->ok
                   ? WL_OK
                   : wl_fail(err, row->status, row->model, "cannot be analysed: %s", row->error);
    }
    const struct wl_totals *t = &row->totals;
    const struct wl_totals *b = &c->base.totals;
    if (!row->ok || !row->fits || !worth_telling(b, t)) {
        return WL_OK;
    }
    if (wl_arena_reserve(c->arena, (void **)&c->advice->items, &c->capacity, c->advice->count + 1,
                         sizeof(*c->advice->items)) != WL_OK) {
        return wl_fail_nomem(err);
    }
    struct wl_advice_item *item = &c->advice->items[c->advice->count];
    *item =
        (struct wl_advice_item){.option = option_text(c, row),
                                .latency_s = t->latency_s,
                                .energy_per_inference_j = t->energy_per_inference_j,
                                .throughput_per_s = t->throughput_per_s,
                                .average_power_w = t->average_power_w,
                                .saved_j = b->energy_per_inference_j - t->energy_per_inference_j,
                                .saved_latency_s = b->latency_s - t->latency_s,
                                .saved_w = b->average_power_w - t->average_power_w,
                                .caveat = c->caveat};
    WL_TRY_PTR(item->option, err);
    c->advice->count++;
    return WL_OK;
}

static wl_status run_axis(struct collector *c, const struct wl_grid *grid,
                          struct wl_registry *registry, struct wl_error *err)
{
    struct wl_grid_plan plan;
    WL_TRY(wl_grid_plan(grid, registry, &plan, err));
    wl_status status = wl_grid_run(&plan, 1, NULL, take, c, err);
    wl_grid_plan_done(&plan);
    return status;
}

/* Precisions narrower than the present one that networks are run in. */
static int32_t narrower(enum wl_precision now, enum wl_precision out[WL_PREC_COUNT])
{
    static const enum wl_precision usual[] = {WL_PREC_TF32, WL_PREC_FP16, WL_PREC_BF16,
                                              WL_PREC_FP8,  WL_PREC_INT8, WL_PREC_FP4};
    int32_t count = 0;
    for (size_t i = 0; i < WL_ARRAY_LEN(usual); i++) {
        bool narrow = wl_precision_bits(usual[i]) < wl_precision_bits(now) ||
                      (usual[i] == WL_PREC_TF32 && now == WL_PREC_FP32);
        if (narrow) {
            out[count++] = usual[i];
        }
    }
    return count;
}

static enum wl_precision present_precision(const struct wl_grid_row *base)
{
    enum wl_precision p = base->policy.activations;
    return p == WL_PREC_NATIVE ? WL_PREC_FP32 : p;
}

static wl_status try_precisions(struct collector *c, const struct wl_grid *shape,
                                struct wl_registry *registry, struct wl_error *err)
{
    enum wl_precision list[WL_PREC_COUNT];
    struct wl_grid grid = *shape;
    grid.precisions = list;
    grid.precision_count = narrower(present_precision(&c->base), list);
    c->axis = "--precision";
    c->caveat = "accuracy has to be checked";
    return grid.precision_count == 0 ? WL_OK : run_axis(c, &grid, registry, err);
}

static wl_status try_batches(struct collector *c, const struct wl_grid *shape,
                             struct wl_registry *registry, struct wl_error *err)
{
    int64_t list[3];
    struct wl_grid grid = *shape;
    for (int i = 0; i < 3; i++) {
        list[i] = c->base.batch * (INT64_C(4) << (2 * i)); /* 4, 16, 64 times */
    }
    grid.batches = list;
    grid.batch_count = 3;
    c->axis = "--batch";
    c->caveat = "answers come a batch at a time";
    return run_axis(c, &grid, registry, err);
}

static wl_status try_fusions(struct collector *c, const struct wl_grid *shape,
                             struct wl_registry *registry, struct wl_error *err)
{
    const char *list[2];
    struct wl_grid grid = *shape;
    for (int i = 0; i < 2; i++) {
        const char *profile = i == 0 ? "basic" : "aggressive";
        if (strcmp(profile, c->base.fusion) != 0) {
            list[grid.fusion_count++] = profile;
        }
    }
    grid.fusions = list;
    c->axis = "--fusion";
    c->caveat = "needs a runtime that fuses so";
    return run_axis(c, &grid, registry, err);
}

static wl_status try_modes(struct collector *c, const struct wl_grid *shape,
                           struct wl_registry *registry, struct wl_error *err)
{
    struct wl_grid grid = *shape;
    grid.modes = NULL;
    grid.mode_count = 0;
    grid.all_modes = true;
    c->axis = "--power-mode";
    c->caveat = "";
    return run_axis(c, &grid, registry, err);
}

/* Most joules saved first; ties by time. Stable. */
static void rank(struct wl_advice *a)
{
    for (int32_t i = 1; i < a->count; i++) {
        struct wl_advice_item item = a->items[i];
        int32_t at = i;
        while (at > 0 && (item.saved_j > a->items[at - 1].saved_j)) {
            a->items[at] = a->items[at - 1];
            at--;
        }
        a->items[at] = item;
    }
}

wl_status wl_advice_run(const struct wl_request *request, struct wl_registry *registry,
                        const char *device_id, struct wl_arena *arena, struct wl_advice *out,
                        struct wl_error *err)
{
    struct wl_grid_model model = {request->model_name, request->model, request->default_dims,
                                  request->default_dim_count};
    struct wl_grid shape = {.base = request,
                            .models = &model,
                            .model_count = 1,
                            .devices = &device_id,
                            .device_count = 1};
    struct collector c = {.arena = arena, .advice = out};
    *out = (struct wl_advice){0};
    if (request->power_mode != NULL) {
        shape.modes = &request->power_mode;
        shape.mode_count = 1;
    }
    WL_TRY(run_axis(&c, &shape, registry, err));
    out->base_latency_s = c.base.totals.latency_s;
    out->base_energy_per_inference_j = c.base.totals.energy_per_inference_j;
    out->base_throughput_per_s = c.base.totals.throughput_per_s;
    out->base_power_w = c.base.totals.average_power_w;
    WL_TRY(try_precisions(&c, &shape, registry, err));
    WL_TRY(try_batches(&c, &shape, registry, err));
    WL_TRY(try_fusions(&c, &shape, registry, err));
    WL_TRY(try_modes(&c, &shape, registry, err));
    rank(out);
    return WL_OK;
}
