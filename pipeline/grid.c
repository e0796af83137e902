/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pipeline/grid.c: planning and running a grid. Points of one group share a loaded model. Where a
 * group has many points they run side by side; where it has few, groups do, in blocks of a fixed
 * size, so that memory stays flat however large the grid is.
 */
#include "grid.h"

#include <stdio.h>
#include <string.h>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "pipeline_priv.h"

/* Groups per block when groups run side by side; points per block inside a group. */
#define BLOCK_GROUPS 64
#define BLOCK_POINTS 4096

static int32_t at_least_one(int32_t n)
{
    return n > 0 ? n : 1;
}

/* ---- groups by index --------------------------------------------------------------------------
 */

struct group_key {
    const struct wl_grid_model *model;
    int64_t batch;
    struct wl_dim_binding bindings[64];
    int32_t binding_count;
};

/* Mixed radix: model slowest, then dims in order, then batch. */
static void decode_group(const struct wl_grid_plan *p, int64_t index, struct group_key *k)
{
    const struct wl_grid *grid = p->grid;
    int32_t batches = at_least_one(grid->batch_count);
    int64_t rest = index / batches;
    k->batch = grid->batch_count > 0 ? grid->batches[index % batches] : grid->base->batch;
    k->binding_count = 0;
    for (int32_t i = 0; i < grid->base->dim_count && k->binding_count < 32; i++) {
        k->bindings[k->binding_count++] = grid->base->dims[i];
    }
    int32_t swept = grid->dim_count < 32 ? grid->dim_count : 32;
    for (int32_t i = swept - 1; i >= 0; i--) {
        const struct wl_grid_dim *d = &grid->dims[i];
        k->bindings[k->binding_count + i] =
            (struct wl_dim_binding){d->name, d->values[rest % at_least_one(d->count)]};
        rest /= at_least_one(d->count);
    }
    k->binding_count += swept;
    k->model = &grid->models[rest];
    if (k->batch == 0 && p->default_batches != NULL) {
        k->batch = p->default_batches[rest];
    }
}

/* `key` must outlive the request. */
static void key_request(const struct wl_grid_plan *p, const struct group_key *key,
                        struct wl_request *out)
{
    *out = *p->grid->base;
    out->batch = key->batch;
    out->dims = key->bindings;
    out->dim_count = key->binding_count;
    out->model = key->model->path;
    out->model_name = key->model->name;
    out->default_dims = key->model->default_dims;
    out->default_dim_count = key->model->default_dim_count;
}

/* ---- plan ------------------------------------------------------------------------------------ */

static wl_status add_target(struct wl_grid_plan *p, int32_t *capacity, const char *device,
                            const struct wl_spec *spec, const char *mode,
                            const struct wl_error *failed)
{
    if (wl_arena_reserve(&p->arena, (void **)&p->targets, capacity, p->target_count + 1,
                         sizeof(*p->targets)) != WL_OK) {
        return WL_ERR_NOMEM;
    }
    struct wl_grid_target *t = &p->targets[p->target_count++];
    *t = (struct wl_grid_target){.device = device, .mode = mode, .runtime = p->runtime};
    if (spec == NULL) {
        t->err = *failed;
        return WL_OK;
    }
    struct wl_request request = *p->grid->base;
    struct wl_target target;
    request.power_mode = mode;
    t->ok = wl_target_resolve(p->registry, wl_spec_id(spec), &request, &target, &t->err) == WL_OK;
    t->resolved = target.device;
    t->runtime = t->ok ? target.runtime : p->runtime;
    t->calibration = target.calibration;
    t->device = wl_spec_id(spec);
    t->mode = t->ok ? t->resolved.power_mode : mode;
    return WL_OK;
}

/* All modes that one device takes part with. A device that is unknown ends the plan: a usage error.
 */
static wl_status add_device(struct wl_grid_plan *p, int32_t *capacity, const char *device,
                            struct wl_error *err)
{
    const struct wl_grid *g = p->grid;
    const struct wl_spec *spec = NULL;
    WL_TRY(wl_registry_load(p->registry, device, &spec, err));
    int32_t modes = g->all_modes ? wl_spec_mode_count(spec) : g->mode_count;
    for (int32_t m = 0; m < at_least_one(modes); m++) {
        const char *mode = modes == 0     ? NULL
                           : g->all_modes ? wl_spec_mode_name(spec, m)
                                          : g->modes[m];
        if (add_target(p, capacity, device, spec, mode, err) != WL_OK) {
            return wl_fail_nomem(err);
        }
    }
    return WL_OK;
}

static wl_status plan_counts(struct wl_grid_plan *p, struct wl_error *err)
{
    const struct wl_grid *g = p->grid;
    int64_t groups = at_least_one(g->model_count);
    int64_t points = p->target_count;
    bool fits = wl_mul_i64(groups, at_least_one(g->batch_count), &groups);
    for (int32_t i = 0; i < g->dim_count; i++) {
        fits = fits && wl_mul_i64(groups, at_least_one(g->dims[i].count), &groups);
    }
    fits = fits && wl_mul_i64(points, at_least_one(g->fusion_count), &points) &&
           wl_mul_i64(points, at_least_one(g->precision_count), &points) &&
           wl_mul_i64(points, groups, &p->point_count);
    if (!fits) {
        return wl_fail(err, WL_ERR_USAGE, "grid", "has more points than can be counted");
    }
    p->group_count = groups;
    p->group_points = points;
    return WL_OK;
}

/* What the base request asks for beyond the axes, as a part of each point's parameters. */
static wl_status describe_options(struct wl_grid_plan *p, struct wl_error *err)
{
    const struct wl_request *r = p->grid->base;
    static const char *const dataflows[] = {"", "ws", "os", "is", "rs"};
    struct wl_buf text;
    wl_buf_init(&text);
    if (r->precision.weights != WL_PREC_NATIVE) {
        wl_buf_printf(&text, ";weight=%s", wl_precision_name(r->precision.weights));
    }
    if (r->precision.kv != WL_PREC_NATIVE) {
        wl_buf_printf(&text, ";kv=%s", wl_precision_name(r->precision.kv));
    }
    if (r->threads > 0) {
        wl_buf_printf(&text, ";threads=%d", (int)r->threads);
    }
    if (r->dataflow != WL_DATAFLOW_DEFAULT) {
        wl_buf_printf(&text, ";dataflow=%s", dataflows[r->dataflow]);
    }
    wl_buf_puts(&text, r->cold ? ";cold" : "");
    wl_buf_puts(&text, r->power_gating ? ";power-gating" : "");
    p->options = text.failed     ? NULL
                 : text.len == 0 ? ""
                                 : wl_arena_strndup(&p->arena, text.data + 1, text.len - 1);
    wl_buf_done(&text);
    return p->options == NULL ? wl_fail_nomem(err) : WL_OK;
}

/*
 * Loads each model once, at its first point: for the batch that it has where none is asked, so that
 * a point's parameters are known before it runs. A model that cannot be loaded gives rows with the
 * reason; where no model can, that reason ends the plan.
 */
static wl_status try_models(struct wl_grid_plan *p, struct wl_error *err)
{
    const struct wl_grid *g = p->grid;
    struct wl_error first = {.code = WL_OK};
    int64_t *batches = WL_ARRAY(&p->arena, int64_t, at_least_one(g->model_count));
    WL_TRY_PTR(batches, err);
    bool any = false;
    for (int32_t m = 0; m < g->model_count; m++) {
        struct group_key key;
        struct wl_model model;
        struct wl_error why;
        struct wl_request request;
        decode_group(p, m * (p->group_count / g->model_count), &key);
        key_request(p, &key, &request);
        if (wl_prepare_model(&request, &model, &why) == WL_OK) {
            batches[m] = wl_model_batch(&model);
            wl_model_done(&model);
            any = true;
        } else if (first.code == WL_OK) {
            first = why;
        }
    }
    p->default_batches = batches;
    return any ? WL_OK : wl_fail(err, first.code, first.where, "%s", first.message);
}

/* A mode that no device has is a mistake; one that some lack gives rows with the reason. */
static wl_status check_targets(const struct wl_grid_plan *p, struct wl_error *err)
{
    for (int32_t i = 0; i < p->target_count; i++) {
        if (p->targets[i].ok) {
            return WL_OK;
        }
    }
    const struct wl_error *first = p->target_count > 0 ? &p->targets[0].err : NULL;
    return first == NULL ? WL_OK : wl_fail(err, first->code, first->where, "%s", first->message);
}

static wl_status plan_into(struct wl_grid_plan *p, struct wl_error *err)
{
    const struct wl_grid *g = p->grid;
    int32_t capacity = 0;
    const char *runtime = g->base->runtime == NULL ? "generic" : g->base->runtime;
    WL_TRY(wl_runtime_load(p->registry, runtime, &p->runtime, err));
    for (int32_t d = 0; d < g->device_count; d++) {
        WL_TRY(add_device(p, &capacity, g->devices[d], err));
    }
    WL_TRY(check_targets(p, err));
    WL_TRY(plan_counts(p, err));
    WL_TRY(describe_options(p, err));
    return try_models(p, err);
}

wl_status wl_grid_plan(const struct wl_grid *grid, struct wl_registry *registry,
                       struct wl_grid_plan *out, struct wl_error *err)
{
    *out = (struct wl_grid_plan){.grid = grid, .registry = registry};
    wl_arena_init(&out->arena, 0);
    wl_status status = plan_into(out, err);
    if (status != WL_OK) {
        wl_grid_plan_done(out);
    }
    return status;
}

void wl_grid_plan_done(struct wl_grid_plan *p)
{
    wl_arena_done(&p->arena);
}

/* ---- one group ------------------------------------------------------------------------------- */

/* A model at one set of dims and batch, with the partitions that its points have asked for. */
struct group {
    struct wl_arena arena;
    struct wl_request request;
    struct group_key key;
    const char *dims;
    struct wl_prepared *prepared; /* by fusion x target; sharing one model */
    struct wl_model loaded;
    bool model_ok;
    struct wl_error *errors; /* by slot: why it has no partition */
    wl_status *prepared_status;
    struct wl_error err; /* of loading */
};

/* "P=0;T=128" */
static void dims_text(const struct wl_dim_binding *b, int32_t count, char *out, size_t size)
{
    size_t at = 0;
    out[0] = '\0';
    for (int32_t i = 0; i < count && at < size; i++) {
        int n = snprintf(out + at, size - at, "%s%s=%lld", i > 0 ? ";" : "", b[i].name,
                         (long long)b[i].value);
        at += n > 0 ? (size_t)n : 0;
    }
}

static wl_status group_request(const struct wl_grid_plan *p, struct group *g)
{
    char text[512];
    key_request(p, &g->key, &g->request);
    dims_text(g->key.bindings, g->key.binding_count, text, sizeof(text));
    g->dims = wl_arena_strndup(&g->arena, text, strlen(text));
    return g->dims == NULL ? WL_ERR_NOMEM : WL_OK;
}

/* Partitions are shared between targets with the same profile and budget. */
static int32_t find_partition(const struct wl_grid_plan *p, const struct group *g, int32_t slot,
                              const char *fusion, int64_t budget)
{
    for (int32_t i = 0; i < slot; i++) {
        const struct wl_grid_target *t = &p->targets[i % p->target_count];
        if (g->prepared_status[i] == WL_OK && t->ok &&
            wl_device_on_chip_bytes(&t->resolved) == budget &&
            strcmp(g->prepared[i].partition.fusion, fusion) == 0) {
            return i;
        }
    }
    return WL_NONE;
}

static void prepare_slot(const struct wl_grid_plan *p, struct group *g, int32_t slot)
{
    const struct wl_grid *grid = p->grid;
    const struct wl_grid_target *t = &p->targets[slot % p->target_count];
    struct wl_request request = g->request;
    if (grid->fusion_count > 0) {
        request.fusion = grid->fusions[slot / p->target_count];
    }
    const char *fusion = request.fusion != NULL ? request.fusion : t->runtime->fusion;
    g->prepared_status[slot] = WL_ERR_UNSUPPORTED;
    if (!t->ok) {
        return;
    }
    int64_t budget = wl_device_on_chip_bytes(&t->resolved);
    int32_t same = find_partition(p, g, slot, fusion, budget);
    if (same != WL_NONE) {
        g->prepared[slot] = g->prepared[same];
        g->prepared_status[slot] = WL_OK;
        return;
    }
    g->prepared_status[slot] = wl_prepare_partition(&g->loaded, &g->arena, &request, t->runtime,
                                                    budget, &g->prepared[slot], &g->errors[slot]);
}

static wl_status group_open(const struct wl_grid_plan *p, int64_t index, struct group *g,
                            struct wl_error *err)
{
    memset(g, 0, sizeof(*g));
    wl_arena_init(&g->arena, 0);
    decode_group(p, index, &g->key);
    int32_t slots = at_least_one(p->grid->fusion_count) * p->target_count;
    g->prepared = WL_ARRAY(&g->arena, struct wl_prepared, slots);
    g->prepared_status = WL_ARRAY(&g->arena, wl_status, slots);
    g->errors = WL_ARRAY(&g->arena, struct wl_error, slots);
    if (g->prepared == NULL || g->prepared_status == NULL || g->errors == NULL ||
        group_request(p, g) != WL_OK) {
        wl_arena_done(&g->arena);
        return wl_fail_nomem(err);
    }
    g->model_ok = wl_prepare_model(&g->request, &g->loaded, &g->err) == WL_OK;
    for (int32_t i = 0; g->model_ok && i < slots; i++) {
        prepare_slot(p, g, i);
    }
    return WL_OK;
}

static void group_close(struct group *g)
{
    if (g->model_ok) {
        wl_model_done(&g->loaded);
    }
    wl_arena_done(&g->arena);
}

/* ---- one point ------------------------------------------------------------------------------- */

static void fail_row(struct wl_grid_row *row, const struct wl_error *err)
{
    row->ok = false;
    row->status = err->code;
    (void)snprintf(row->error, sizeof(row->error), "%.80s: %.160s", err->where, err->message);
}

static void fill_row(const struct wl_result *r, struct wl_grid_row *row)
{
    row->ok = true;
    row->totals = r->totals;
    row->energy = r->energy.total;
    row->policy = r->config.precision;
    row->batch = r->config.batch;
    row->fits = r->memory.fits[r->device.level_count - 1];
    row->calibrated = r->measured != NULL;
    row->latency_basis = r->latency_basis;
    row->energy_basis = r->energy_basis;
    row->power_limit_w = r->device.power_limit_w;
    row->idle_w = r->device.idle_w;
    (void)snprintf(row->bottleneck, sizeof(row->bottleneck), "%s",
                   wl_bound_name(&r->device, r->totals.bound));
}

/* Fusion slowest, then target, then precision. */
static void describe_point(const struct wl_grid_plan *p, const struct group_key *k,
                           const char *dims, int64_t index, struct wl_grid_row *row)
{
    const struct wl_grid *grid = p->grid;
    int64_t inner = index % p->group_points;
    int32_t precisions = at_least_one(grid->precision_count);
    int32_t slot = (int32_t)(inner / precisions);
    const struct wl_grid_target *t = &p->targets[slot % p->target_count];
    *row = (struct wl_grid_row){
        .index = index,
        .model = k->model->name,
        .device = t->device,
        .device_name = t->ok ? t->resolved.name : t->device,
        .power_mode = t->mode == NULL ? "" : t->mode,
        .runtime = t->runtime->name,
        .dims = dims,
        .options = p->options,
        .calibration = t->calibration == NULL ? "" : t->calibration->name,
        .batch = k->batch,
        .precision = grid->precision_count > 0 ? grid->precisions[inner % precisions]
                                               : grid->base->precision.activations,
        .fusion = grid->fusion_count > 0       ? grid->fusions[slot / p->target_count]
                  : grid->base->fusion != NULL ? grid->base->fusion
                                               : t->runtime->fusion};
}

void wl_grid_describe(const struct wl_grid_plan *p, int64_t index, char *dims_out, size_t dims_size,
                      struct wl_grid_row *out)
{
    struct group_key key;
    decode_group(p, index / p->group_points, &key);
    dims_text(key.bindings, key.binding_count, dims_out, dims_size);
    describe_point(p, &key, dims_out, index, out);
}

static void run_point(const struct wl_grid_plan *p, const struct group *g, int64_t group_index,
                      int64_t inner, struct wl_grid_row *row)
{
    int32_t slot = (int32_t)(inner / at_least_one(p->grid->precision_count));
    const struct wl_grid_target *t = &p->targets[slot % p->target_count];
    struct wl_request request = g->request;
    struct wl_error err;
    describe_point(p, &g->key, g->dims, group_index * p->group_points + inner, row);
    request.precision.activations = row->precision;
    if (!g->model_ok || !t->ok || g->prepared_status[slot] != WL_OK) {
        fail_row(row, !g->model_ok ? &g->err : !t->ok ? &t->err : &g->errors[slot]);
        return;
    }
    struct wl_result r;
    request.measured = t->calibration;
    if (wl_analyze(&g->prepared[slot], &t->resolved, t->runtime, &request, &r, &err) != WL_OK) {
        fail_row(row, &err);
        return;
    }
    fill_row(&r, row);
    wl_result_done(&r);
}

/* ---- running -----------------------------------------------------------------------------------
 */

static int threads_of(int32_t jobs)
{
#ifdef _OPENMP
    return jobs > 0 ? jobs : omp_get_max_threads();
#else
    (void)jobs;
    return 1;
#endif
}

/* Runs points [first, last) of an open group into `rows`, side by side. */
static void run_points(const struct wl_grid_plan *p, const struct group *g, int64_t group_index,
                       int64_t first, int64_t last, struct wl_grid_row *rows, const bool *wanted,
                       int threads)
{
    (void)threads;
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads) if (threads > 1)
    for (int64_t i = first; i < last; i++) {
        if (wanted[i - first]) {
            run_point(p, g, group_index, i, &rows[i - first]);
        }
    }
}

struct run {
    const struct wl_grid_plan *plan;
    int threads;
    wl_grid_skip skip;
    wl_grid_sink sink;
    void *user;
    struct wl_grid_row *rows;
    bool *wanted;
    int64_t block_groups; /* groups side by side, at most BLOCK_GROUPS */
};

static wl_status emit(const struct run *r, int64_t count, struct wl_error *err)
{
    for (int64_t i = 0; i < count; i++) {
        if (r->wanted[i]) {
            WL_TRY(r->sink(r->user, &r->rows[i], err));
        }
    }
    return WL_OK;
}

static bool mark_wanted(const struct run *r, int64_t first_index, int64_t count)
{
    bool any = false;
    for (int64_t i = 0; i < count; i++) {
        r->wanted[i] = r->skip == NULL || !r->skip(r->user, first_index + i);
        any |= r->wanted[i];
    }
    return any;
}

/* Groups with many points: one group at a time, its points side by side. */
static wl_status run_wide(const struct run *r, struct wl_error *err)
{
    const struct wl_grid_plan *p = r->plan;
    for (int64_t index = 0; index < p->group_count; index++) {
        struct group g;
        bool open = false;
        wl_status status = WL_OK;
        for (int64_t first = 0; status == WL_OK && first < p->group_points; first += BLOCK_POINTS) {
            int64_t last = wl_min_i64(first + BLOCK_POINTS, p->group_points);
            if (!mark_wanted(r, index * p->group_points + first, last - first)) {
                continue;
            }
            if (!open) {
                WL_TRY(group_open(p, index, &g, err));
                open = true;
            }
            run_points(p, &g, index, first, last, r->rows, r->wanted, r->threads);
            status = emit(r, last - first, err);
        }
        if (open) {
            group_close(&g);
        }
        WL_TRY(status);
    }
    return WL_OK;
}

/* Groups with few points: a block of groups side by side, each with all its points. */
static wl_status run_deep(const struct run *r, struct wl_error *err)
{
    const struct wl_grid_plan *p = r->plan;
    struct group *groups = wl_malloc(BLOCK_GROUPS * sizeof(*groups));
    if (groups == NULL) {
        return wl_fail_nomem(err);
    }
    wl_status status = WL_OK;
    for (int64_t first = 0; status == WL_OK && first < p->group_count; first += r->block_groups) {
        int64_t count = wl_min_i64(r->block_groups, p->group_count - first);
        bool opened[BLOCK_GROUPS] = {false};
        if (!mark_wanted(r, first * p->group_points, count * p->group_points)) {
            continue;
        }
#pragma omp parallel for schedule(dynamic, 1) num_threads(r->threads) if (r->threads > 1)
        for (int64_t i = 0; i < count; i++) {
            opened[i] = group_open(p, first + i, &groups[i], NULL) == WL_OK;
            if (opened[i]) {
                int64_t at = i * p->group_points;
                run_points(p, &groups[i], first + i, 0, p->group_points, &r->rows[at],
                           &r->wanted[at], 1);
            }
        }
        for (int64_t i = 0; i < count && status == WL_OK; i++) {
            status = opened[i] ? WL_OK : wl_fail_nomem(err);
        }
        status = status == WL_OK ? emit(r, count * p->group_points, err) : status;
        for (int64_t i = 0; i < count; i++) {
            if (opened[i]) {
                group_close(&groups[i]);
            }
        }
    }
    wl_free(groups);
    return status;
}

wl_status wl_grid_run(const struct wl_grid_plan *p, int32_t jobs, wl_grid_skip skip,
                      wl_grid_sink sink, void *user, struct wl_error *err)
{
    struct run r = {
        .plan = p, .threads = threads_of(jobs), .skip = skip, .sink = sink, .user = user};
    /* Groups side by side keep threads busy for longer between joins than the points of one group;
       but where groups are few or have many points, those are. */
    r.block_groups = wl_min_i64(BLOCK_GROUPS, 8 * (int64_t)r.threads);
    bool wide = p->group_points > BLOCK_POINTS / 4 ||
                (p->group_points >= 4 * (int64_t)r.threads && p->group_count < r.block_groups);
    int64_t block =
        wide ? wl_min_i64(BLOCK_POINTS, p->group_points) : r.block_groups * p->group_points;
    r.rows = wl_malloc((size_t)wl_max_i64(block, 1) * sizeof(*r.rows));
    r.wanted = wl_malloc((size_t)wl_max_i64(block, 1) * sizeof(*r.wanted));
    wl_status status = r.rows == NULL || r.wanted == NULL ? wl_fail_nomem(err)
                       : wide                             ? run_wide(&r, err)
                                                          : run_deep(&r, err);
    wl_free(r.rows);
    wl_free(r.wanted);
    return status;
}

/* ---- Pareto front ------------------------------------------------------------------------------
 */

/* a is at least as good in all three and better in one. */
static bool dominates(const struct wl_grid_row *a, const struct wl_grid_row *b)
{
    const struct wl_totals *x = &a->totals;
    const struct wl_totals *y = &b->totals;
    bool not_worse = x->latency_s <= y->latency_s &&
                     x->energy_per_inference_j <= y->energy_per_inference_j &&
                     x->average_power_w <= y->average_power_w;
    bool better = x->latency_s < y->latency_s ||
                  x->energy_per_inference_j < y->energy_per_inference_j ||
                  x->average_power_w < y->average_power_w;
    return not_worse && better;
}

void wl_grid_pareto(const struct wl_grid_row *rows, int32_t count, bool *pareto)
{
    for (int32_t i = 0; i < count; i++) {
        pareto[i] = rows[i].ok;
        for (int32_t k = 0; pareto[i] && k < count; k++) {
            pareto[i] = !rows[k].ok || !dominates(&rows[k], &rows[i]);
        }
    }
}
