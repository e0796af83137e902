/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every model of the zoo on every device of the registry, at every precision and power mode that
 * the device has: the laws of a result hold, the ledger balances, static energy is idle power x
 * latency; fp16 takes no more dynamic energy than fp32, nor any type more than a wider one of its
 * family that the same kind of pipe serves.
 */
#include "wl_laws.h"

#include "zoo.h"

struct world {
    struct wl_arena arena;
    struct wl_registry registry;
    struct wl_registry_entry *devices;
    int32_t device_count;
    struct wl_zoo zoo;
    const struct wl_runtime *runtime;
};

static struct world world;

/* Dynamic energy at one precision, the pipe with most operations, the share of multiplications
   that matrix pipes do, and the part of the units that MACs run on. */
struct outcome {
    const struct wl_pipe *pipe;
    double dynamic_j, matrix_share, units_share;
    enum wl_precision
        macs_in; /* type of most multiplications: a pipe may run a type as a wider one */
    bool known;
};

static struct outcome outcome_of(const struct wl_result *r, const struct wl_device *d)
{
    struct outcome o = {.known = true, .dynamic_j = wl_energy_dynamic_j(&r->energy.total)};
    double most = 0;
    double macs[2] = {0, 0};
    double most_macs = 0;
    double all_macs = 0;
    o.macs_in = WL_PREC_COUNT;
    for (int32_t i = 0; i < r->mappings.count; i++) {
        const struct wl_mapping *m = &r->mappings.items[i];
        double of_subgraph = (double)r->partition->subgraphs[i].macs;
        all_macs += of_subgraph;
        o.units_share += of_subgraph * m->units_used / wl_device_units(d);
        if (m->pipe != WL_NONE && m->executed_ops > most) {
            most = m->executed_ops;
            o.pipe = &d->pipes[m->pipe];
        }
    }
    for (int32_t i = 0; i < r->energy.row_count; i++) {
        enum wl_event e = r->energy.rows[i].event;
        macs[0] += e == WL_EV_MATRIX_MAC ? r->energy.rows[i].count : 0;
        macs[1] += e == WL_EV_VECTOR_MAC ? r->energy.rows[i].count : 0;
        if ((e == WL_EV_MATRIX_MAC || e == WL_EV_VECTOR_MAC) &&
            r->energy.rows[i].count > most_macs) {
            most_macs = r->energy.rows[i].count;
            o.macs_in = r->energy.rows[i].precision;
        }
    }
    o.matrix_share = macs[0] > 0 ? macs[0] / (macs[0] + macs[1]) : 0;
    o.units_share = all_macs > 0 ? o.units_share / all_macs : 1;
    return o;
}

/* Both on one kind of pipe of one geometry, as much of the work on matrix pipes, and on as many
   units: copies of a wider type may bind, so that it leaves units idle, which saves energy. */
static bool same_pipes(const struct outcome *a, const struct outcome *b)
{
    return a->pipe != NULL && b->pipe != NULL && a->pipe->kind == b->pipe->kind &&
           a->macs_in != b->macs_in && a->pipe->rows == b->pipe->rows &&
           a->pipe->cols == b->pipe->cols && fabs(a->matrix_share - b->matrix_share) < 0.01 &&
           fabs(a->units_share - b->units_share) < 0.05;
}

/* Wide to narrow within each family. */
static void check_narrower(const struct wl_request *req, const struct wl_device *d,
                           const struct outcome *by)
{
    static const enum wl_precision families[][5] = {
        {WL_PREC_FP64, WL_PREC_FP32, WL_PREC_FP16, WL_PREC_FP8, WL_PREC_FP4},
        {WL_PREC_FP64, WL_PREC_FP32, WL_PREC_BF16, WL_PREC_FP8, WL_PREC_FP4},
        {WL_PREC_FP64, WL_PREC_FP32, WL_PREC_BF16, WL_PREC_INT8, WL_PREC_INT4},
    };
    for (size_t f = 0; f < WL_ARRAY_LEN(families); f++) {
        const struct outcome *wide = NULL;
        enum wl_precision before = WL_PREC_COUNT;
        for (int i = 0; i < 5; i++) {
            enum wl_precision p = families[f][i];
            const struct outcome *narrow = &by[p];
            if (!narrow->known) {
                continue;
            }
            bool half = before == WL_PREC_FP32 && p == WL_PREC_FP16;
            bool same = wide != NULL && (half || same_pipes(wide, narrow));
            if (same && narrow->dynamic_j > wide->dynamic_j * (1 + REL)) {
                fail_msg("%s on %s %s: %s takes %g J, %s %g J", req->model_name, d->id,
                         d->power_mode, wl_precision_name(p), narrow->dynamic_j,
                         wl_precision_name(before), wide->dynamic_j);
            }
            wide = narrow;
            before = p;
        }
    }
}

static struct outcome analyze_once(const struct wl_prepared *prepared,
                                   const struct wl_device *device, struct wl_request *req,
                                   enum wl_precision precision)
{
    struct wl_error err = {0};
    struct wl_result r;
    req->precision.activations = precision;
    if (wl_analyze(prepared, device, world.runtime, req, &r, &err) != WL_OK) {
        fail_msg("%s on %s: %s: %s", req->model_name, device->id, err.where, err.message);
    }
    check_laws(&r);
    struct outcome o = outcome_of(&r, device);
    wl_result_done(&r);
    return o;
}

/* All power modes and precisions of one device. Returns how many points that were. */
static int32_t try_device(struct wl_model *model, struct wl_request *req, const char *id)
{
    struct wl_error err = {0};
    const struct wl_spec *spec = NULL;
    struct wl_prepared prepared;
    struct wl_device device;
    struct wl_arena arena;
    int32_t points = 0;
    assert_int_equal(wl_registry_load(&world.registry, id, &spec, &err), WL_OK);
    assert_int_equal(wl_spec_device(spec, NULL, &device, &err), WL_OK);
    wl_arena_init(&arena, 0);
    if (wl_prepare_partition(model, &arena, req, world.runtime, wl_device_on_chip_bytes(&device),
                             &prepared, &err) != WL_OK) {
        fail_msg("%s on %s: %s: %s", req->model_name, id, err.where, err.message);
    }
    int32_t modes = wl_spec_mode_count(spec);
    for (int32_t m = 0; m < (modes > 0 ? modes : 1); m++) {
        const char *mode = modes > 0 ? wl_spec_mode_name(spec, m) : NULL;
        assert_int_equal(wl_spec_device(spec, mode, &device, &err), WL_OK);
        struct outcome by[WL_PREC_COUNT] = {{0}};
        for (int p = 0; p < WL_PREC_COUNT; p++) {
            if (wl_device_supports(&device, (enum wl_precision)p)) {
                by[p] = analyze_once(&prepared, &device, req, (enum wl_precision)p);
                points++;
            }
        }
        check_narrower(req, &device, by);
    }
    wl_arena_done(&arena);
    return points;
}

static void laws_hold_everywhere(void **state)
{
    (void)state;
    int64_t points = 0;
    for (int32_t z = 0; z < world.zoo.count; z++) {
        const struct wl_zoo_entry *e = &world.zoo.entries[z];
        struct wl_error err = {0};
        struct wl_model model;
        struct wl_request req = {.model = e->path,
                                 .model_name = e->name,
                                 .default_dims = e->dims,
                                 .default_dim_count = e->dim_count,
                                 .precision = {WL_PREC_NATIVE, WL_PREC_NATIVE, WL_PREC_NATIVE}};
        if (wl_prepare_model(&req, &model, &err) != WL_OK) {
            fail_msg("%s: %s: %s", e->name, err.where, err.message);
        }
        for (int32_t d = 0; d < world.device_count; d++) {
            points += try_device(&model, &req, world.devices[d].id);
        }
        wl_model_done(&model);
    }
    (void)printf("%lld points\n", (long long)points);
    assert_true(points > 10000);
}

static int open_world(void **state)
{
    (void)state;
    static const char *const roots[] = {WL_SOURCE_DIR "/registry"};
    struct wl_error err = {0};
    struct wl_error *broken = NULL;
    int32_t broken_count = 0;
    wl_arena_init(&world.arena, 0);
    if (wl_registry_open(&world.registry, roots, 1, &err) != WL_OK ||
        wl_registry_list(&world.registry, &world.devices, &world.device_count, &broken,
                         &broken_count, &err) != WL_OK ||
        wl_runtime_load(&world.registry, "generic", &world.runtime, &err) != WL_OK ||
        wl_zoo_load(&world.arena, WL_SOURCE_DIR "/models", &world.zoo, &err) != WL_OK) {
        (void)fprintf(stderr, "%s: %s\n", err.where, err.message);
        return -1;
    }
    return broken_count;
}

static int close_world(void **state)
{
    (void)state;
    wl_registry_close(&world.registry);
    wl_arena_done(&world.arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(laws_hold_everywhere)};
    return cmocka_run_group_tests(tests, open_world, close_world);
}
