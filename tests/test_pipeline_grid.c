/* SPDX-License-Identifier: Apache-2.0 */
/* The grid: order, description without running, skipping, equality with single analyses, Pareto. */
#include "wl_test.h"

#include <string.h>

#include "grid.h"

#define POINTS 48 /* 2 dims x 3 batches x 2 profiles x 2 devices x 2 precisions */

struct fixture {
    struct wl_registry registry;
    struct wl_grid grid;
    struct wl_grid_plan plan;
};

static const struct wl_request base = {
    .precision = {WL_PREC_NATIVE, WL_PREC_NATIVE, WL_PREC_NATIVE}, .calibration = "none"};
static const struct wl_grid_model model = {.name = "gpt2",
                                           .path = WL_SOURCE_DIR "/models/gpt2.onnx"};
static const int64_t tokens[] = {4, 16};
static const struct wl_grid_dim dim = {"T", tokens, 2};
static const int64_t batches[] = {1, 2, 8};
static const char *const fusions[] = {"none", "basic"};
static const char *const devices[] = {"google_tpu_v4", "intel_xeon_8490h"};
static const enum wl_precision precisions[] = {WL_PREC_FP32, WL_PREC_BF16};

static void fixture_open(struct fixture *f)
{
    const char *roots[] = {WL_SOURCE_DIR "/registry"};
    struct wl_error err;
    assert_int_equal(wl_registry_open(&f->registry, roots, 1, &err), WL_OK);
    f->grid = (struct wl_grid){.base = &base,
                               .models = &model,
                               .model_count = 1,
                               .dims = &dim,
                               .dim_count = 1,
                               .batches = batches,
                               .batch_count = 3,
                               .fusions = fusions,
                               .fusion_count = 2,
                               .devices = devices,
                               .device_count = 2,
                               .precisions = precisions,
                               .precision_count = 2};
    assert_int_equal(wl_grid_plan(&f->grid, &f->registry, &f->plan, &err), WL_OK);
    assert_int_equal(f->plan.point_count, POINTS);
}

static void fixture_close(struct fixture *f)
{
    wl_grid_plan_done(&f->plan);
    wl_registry_close(&f->registry);
}

struct seen {
    const struct wl_grid_plan *plan;
    int64_t count, last;
    double latency_s[POINTS], energy_j[POINTS];
    bool ok[POINTS];
};

/* Axes in the order that grid.h states: dims, batches, profiles, devices, precisions. */
static void check_parameters(const struct wl_grid_row *row)
{
    int64_t i = row->index;
    assert_int_equal(row->precision, precisions[i % 2]);
    assert_string_equal(row->device, devices[i / 2 % 2]);
    assert_string_equal(row->fusion, fusions[i / 4 % 2]);
    assert_int_equal(row->batch, batches[i / 8 % 3]);
    assert_string_equal(row->dims, i / 24 == 0 ? "T=4" : "T=16");
    assert_string_equal(row->model, "gpt2");
    assert_string_equal(row->calibration, "");
    assert_string_equal(row->options, "");
}

static wl_status see(void *user, const struct wl_grid_row *row, struct wl_error *err)
{
    struct seen *s = user;
    struct wl_grid_row described;
    char dims[64];
    (void)err;
    assert_true(row->index > s->last);
    s->last = row->index;
    s->count++;
    check_parameters(row);
    wl_grid_describe(s->plan, row->index, dims, sizeof(dims), &described);
    check_parameters(&described);
    assert_string_equal(described.power_mode, row->power_mode);
    assert_string_equal(described.runtime, row->runtime);
    s->ok[row->index] = row->ok;
    s->latency_s[row->index] = row->totals.latency_s;
    s->energy_j[row->index] = row->totals.energy_j;
    /* The TPU has no fp32: a row with its reason. */
    assert_true(row->ok == (row->index % 4 != 0));
    assert_true(row->ok || (row->status == WL_ERR_UNSUPPORTED && strstr(row->error, "fp32")));
    return WL_OK;
}

static void test_order_and_threads(void **state)
{
    struct fixture f;
    struct wl_error err;
    struct seen one;
    struct seen many;
    (void)state;
    fixture_open(&f);
    memset(&one, 0, sizeof(one));
    memset(&many, 0, sizeof(many));
    one.plan = many.plan = &f.plan;
    one.last = many.last = -1;
    assert_int_equal(wl_grid_run(&f.plan, 1, NULL, see, &one, &err), WL_OK);
    assert_int_equal(wl_grid_run(&f.plan, 3, NULL, see, &many, &err), WL_OK);
    assert_int_equal(one.count, POINTS);
    assert_int_equal(many.count, POINTS);
    assert_memory_equal(one.latency_s, many.latency_s, sizeof(one.latency_s));
    assert_memory_equal(one.energy_j, many.energy_j, sizeof(one.energy_j));
    fixture_close(&f);
}

static bool skip_two_of_three(void *user, int64_t index)
{
    (void)user;
    return index % 3 != 1;
}

static void test_skip(void **state)
{
    struct fixture f;
    struct wl_error err;
    struct seen all;
    struct seen some;
    (void)state;
    fixture_open(&f);
    memset(&all, 0, sizeof(all));
    memset(&some, 0, sizeof(some));
    all.plan = some.plan = &f.plan;
    all.last = some.last = -1;
    assert_int_equal(wl_grid_run(&f.plan, 2, NULL, see, &all, &err), WL_OK);
    assert_int_equal(wl_grid_run(&f.plan, 2, skip_two_of_three, see, &some, &err), WL_OK);
    assert_int_equal(some.count, POINTS / 3);
    for (int i = 1; i < POINTS; i += 3) {
        assert_true(some.latency_s[i] == all.latency_s[i]);
    }
    fixture_close(&f);
}

static wl_status refuse(void *user, const struct wl_grid_row *row, struct wl_error *err)
{
    (void)row;
    ++*(int *)user;
    return wl_fail(err, WL_ERR_IO, "sink", "is full");
}

static void test_sink_ends_the_run(void **state)
{
    struct fixture f;
    struct wl_error err;
    int calls = 0;
    (void)state;
    fixture_open(&f);
    assert_int_equal(wl_grid_run(&f.plan, 2, NULL, refuse, &calls, &err), WL_ERR_IO);
    assert_int_equal(calls, 1);
    fixture_close(&f);
}

static void test_pareto(void **state)
{
    /* latency, energy, power: the last two are equal, and both stay. */
    static const double points[][3] = {{1, 9, 5}, {2, 8, 5}, {3, 9, 5},
                                       {2, 8, 4}, {9, 1, 1}, {9, 1, 1}};
    static const bool expected[] = {true, false, false, true, true, true};
    struct wl_grid_row rows[7];
    bool pareto[7];
    (void)state;
    memset(rows, 0, sizeof(rows));
    for (int i = 0; i < 6; i++) {
        rows[i].ok = true;
        rows[i].totals.latency_s = points[i][0];
        rows[i].totals.energy_per_inference_j = points[i][1];
        rows[i].totals.average_power_w = points[i][2];
    }
    wl_grid_pareto(rows, 7, pareto);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(pareto[i], expected[i]);
    }
    assert_false(pareto[6]); /* could not run */
}

static void test_unknown(void **state)
{
    struct fixture f;
    struct wl_error err;
    struct wl_grid_plan plan;
    const char *absent[] = {"intel_xeon_8490x"};
    struct wl_grid_model missing = {.name = "absent", .path = WL_SOURCE_DIR "/absent.onnx"};
    (void)state;
    fixture_open(&f);
    struct wl_grid grid = f.grid;
    grid.devices = absent;
    grid.device_count = 1;
    assert_int_equal(wl_grid_plan(&grid, &f.registry, &plan, &err), WL_ERR_USAGE);
    grid = f.grid;
    grid.models = &missing;
    assert_int_equal(wl_grid_plan(&grid, &f.registry, &plan, &err), WL_ERR_IO);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_threads), cmocka_unit_test(test_skip),
        cmocka_unit_test(test_sink_ends_the_run), cmocka_unit_test(test_pareto),
        cmocka_unit_test(test_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
