/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The laws that hold in every result, over models x devices x batches: sums, bounds, balance of the
 * ledger, order of schedule and edges.
 */
#include "wl_test.h"

#include <math.h>

#include "pipeline.h"

static struct wl_registry registry;
static const struct wl_runtime *generic;

#define REL 1e-9

static bool near_rel(double a, double b)
{
    double size = fmax(fabs(a), fabs(b));
    return fabs(a - b) <= REL * size;
}

static void check_subgraph_sums(const struct wl_result *r)
{
    double latency = 0;
    double energy = 0;
    int64_t macs = 0;
    struct wl_energy_parts sum = {0};
    for (int32_t i = 0; i < r->partition->count; i++) {
        const struct wl_energy_parts *p = &r->energy.parts[i];
        latency += r->roofline.timings[i].latency_s;
        energy += wl_energy_total_j(p);
        macs += r->partition->subgraphs[i].macs;
        for (int c = 0; c < WL_CAT_COUNT; c++) {
            assert_true(p->category_j[c] >= 0);
            sum.category_j[c] += p->category_j[c];
        }
        sum.static_j += p->static_j;
    }
    assert_true(near_rel(latency, r->totals.latency_s));
    assert_true(near_rel(energy, r->totals.energy_j));
    assert_true(macs == r->totals.macs);
    for (int c = 0; c < WL_CAT_COUNT; c++) {
        assert_true(near_rel(sum.category_j[c], r->energy.total.category_j[c]));
    }
    assert_true(near_rel(sum.static_j, r->energy.total.static_j));
    assert_true(near_rel(r->totals.latency_s * r->device.idle_w, r->energy.total.static_j));
}

static void check_ledger(const struct wl_result *r)
{
    double by_category[WL_CAT_COUNT] = {0};
    for (int32_t i = 0; i < r->energy.row_count; i++) {
        const struct wl_ledger_row *row = &r->energy.rows[i];
        assert_true(row->count >= 0 && row->unit_pj >= 0);
        assert_non_null(row->source);
        assert_true(near_rel(row->energy_j, row->count * row->unit_pj * 1e-12));
        by_category[wl_event_info(row->event)->category] += row->energy_j;
    }
    for (int c = 0; c < WL_CAT_COUNT; c++) {
        assert_true(near_rel(by_category[c], r->energy.total.category_j[c]));
    }
    double total = r->energy.total.static_j;
    for (int c = 0; c < WL_CAT_COUNT; c++) {
        total += by_category[c];
    }
    assert_true(near_rel(total, r->totals.energy_j));
    assert_true(r->energy.wasted_j >= 0 &&
                r->energy.wasted_j <= r->energy.total.static_j * (1 + REL));
}

static void check_bounds(const struct wl_result *r)
{
    const double slack = 1 + REL;
    assert_true(r->totals.utilization >= 0 && r->totals.utilization <= 1);
    assert_true(r->totals.efficiency >= 0 && r->totals.efficiency <= 1);
    assert_true(r->totals.average_power_w <= r->device.power_limit_w * slack);
    assert_true(r->concurrency.critical_path_s <= r->totals.latency_s * slack);
    assert_true(r->concurrency.critical_path_s > 0);
    assert_true(r->totals.peak_memory_bytes >= r->totals.weight_bytes);
    for (int32_t i = 0; i < r->partition->count; i++) {
        const struct wl_timing *t = &r->roofline.timings[i];
        const struct wl_roof_point *p = &r->roofline.points[i];
        double u = r->roofline.utilization[i];
        assert_true(u >= 0 && u <= 1);
        assert_true(p->achieved_ops_per_s <= p->attainable_ops_per_s * slack);
        int32_t pipe = r->mappings.items[i].pipe;
        if (pipe != WL_NONE) {
            double peak = wl_device_peak(&r->device, r->mappings.items[i].precision, NULL);
            assert_true(p->attainable_ops_per_s <= peak * slack || peak == 0);
        }
        assert_true(t->latency_s > 0);
        assert_true(t->latency_s * slack >= t->compute_s + t->overhead_s);
        assert_true(t->latency_s * slack >= t->memory_s + t->overhead_s);
        assert_non_null(wl_bound_name(&r->device, t->bound));
    }
}

static void check_memory(const struct wl_result *r)
{
    double most = 0;
    for (int32_t i = 0; i < r->memory.step_count; i++) {
        most = fmax(most, r->memory.timeline[i].live_bytes);
    }
    assert_true(near_rel(most, r->memory.peak_bytes));
    assert_true(near_rel(r->memory.weight_bytes + r->memory.kv_bytes + r->memory.activation_bytes +
                             r->memory.workspace_bytes,
                         r->memory.peak_bytes));
    assert_true(r->memory.planned_bytes * (1 + REL) >= r->memory.lower_bound_bytes);
}

static void check_structure(const struct wl_result *r)
{
    for (int32_t i = 0; i < r->partition->count; i++) {
        const struct wl_subgraph *s = &r->partition->subgraphs[i];
        assert_int_equal(s->id, i);
        for (int32_t k = 0; k < s->depends_count; k++) {
            assert_true(s->depends_on[k] >= 0 && s->depends_on[k] < i);
        }
    }
}

static int64_t analyze(const char *model, const struct wl_device *device, int64_t batch,
                       enum wl_precision precision)
{
    char path[512];
    struct wl_error err = {0};
    struct wl_model loaded;
    struct wl_prepared prepared;
    struct wl_result r;
    (void)snprintf(path, sizeof(path), "%s/models/%s.onnx", WL_SOURCE_DIR, model);
    struct wl_request req = {.model = path,
                             .model_name = model,
                             .batch = batch,
                             .precision = {precision, WL_PREC_NATIVE, WL_PREC_NATIVE}};
    wl_status status =
        wl_prepare(&req, generic, wl_device_on_chip_bytes(device), &loaded, &prepared, &err);
    if (status != WL_OK) {
        fail_msg("%s: %s: %s", model, err.where, err.message);
    }
    status = wl_analyze(&prepared, device, generic, &req, &r, &err);
    if (status != WL_OK) {
        fail_msg("%s: %s: %s", model, err.where, err.message);
    }
    check_subgraph_sums(&r);
    check_ledger(&r);
    check_bounds(&r);
    check_memory(&r);
    check_structure(&r);
    int64_t macs = r.totals.macs;
    wl_result_done(&r);
    wl_model_done(&loaded);
    return macs;
}

static void load_device(const char *id, struct wl_device *out)
{
    const struct wl_spec *spec = NULL;
    struct wl_error err = {0};
    if (wl_registry_load(&registry, id, &spec, &err) != WL_OK ||
        wl_spec_device(spec, NULL, out, &err) != WL_OK) {
        fail_msg("%s: %s: %s", id, err.where, err.message);
    }
}

/* MACs at batch 1: torchvision's published counts (FLOPs of its weights' metadata). */
static const struct {
    const char *model;
    int64_t macs;
} models[] = {{"resnet18", 1814073344},
              {"resnet50", 4089184256},
              {"mobilenet_v2", 300774272},
              {"vgg16", 15470264320}};

static const char *const devices[] = {"intel_xeon_8490h", "amd_epyc_9654", "jetson_orin_agx_cpu"};

static void laws_hold_for_models_devices_batches(void **state)
{
    (void)state;
    static const int64_t batches[] = {1, 8, 64};
    for (size_t d = 0; d < WL_ARRAY_LEN(devices); d++) {
        struct wl_device device;
        load_device(devices[d], &device);
        for (size_t m = 0; m < WL_ARRAY_LEN(models); m++) {
            for (size_t b = 0; b < WL_ARRAY_LEN(batches); b++) {
                assert_true(analyze(models[m].model, &device, batches[b], WL_PREC_NATIVE) ==
                            models[m].macs * batches[b]);
            }
        }
    }
}

static void laws_hold_for_every_precision(void **state)
{
    (void)state;
    for (size_t d = 0; d < WL_ARRAY_LEN(devices); d++) {
        struct wl_device device;
        load_device(devices[d], &device);
        for (int p = 0; p < WL_PREC_COUNT; p++) {
            if (wl_precision_is_float((enum wl_precision)p) &&
                wl_device_supports(&device, (enum wl_precision)p)) {
                (void)analyze("resnet18", &device, 1, (enum wl_precision)p);
            }
        }
    }
}

static int open_registry(void **state)
{
    (void)state;
    static const char *const roots[] = {WL_SOURCE_DIR "/registry"};
    struct wl_error err;
    if (wl_registry_open(&registry, roots, 1, &err) != WL_OK ||
        wl_runtime_load(&registry, "generic", &generic, &err) != WL_OK) {
        (void)fprintf(stderr, "%s: %s\n", err.where, err.message);
        return -1;
    }
    return 0;
}

static int close_registry(void **state)
{
    (void)state;
    wl_registry_close(&registry);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(laws_hold_for_models_devices_batches),
        cmocka_unit_test(laws_hold_for_every_precision),
    };
    return cmocka_run_group_tests(tests, open_registry, close_registry);
}
