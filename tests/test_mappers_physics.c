/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Monotonic physics over the registry's devices and models of the zoo, and over random graphs on
 * random devices: laws of every result, more bandwidth, clock or units never slower, a larger batch
 * never faster, a narrower type never more dynamic energy where the same kind of pipe serves both.
 */
#include <math.h>
#include <unistd.h>

#include "onnx_wire.h"
#include "pipeline.h"

static const char *const devices[] = {
    "intel_xeon_8490h",
    "amd_epyc_9654",
    "jetson_orin_agx_cpu",
    "raspberry_pi_4",
    "intel_i7_12700k",
    "nvidia_a100_sxm_80gb",
    "nvidia_t4",
    "nvidia_jetson_agx_orin_64gb",
    "nvidia_h100_sxm",
    "google_tpu_v4",
    "google_tpu_v1",
    "kpu_t128",
    "kpu_t768",
};
static const char *const models[] = {"resnet18", "mobilenet_v2", "vit_b_32"};

static struct wl_registry registry;
static const struct wl_runtime *generic;

struct run {
    struct wl_model model;
    struct wl_prepared prepared;
};

static void prepare(struct run *r, const char *model, int64_t batch)
{
    static char path[512];
    (void)snprintf(path, sizeof(path), "%s/models/%s.onnx", WL_SOURCE_DIR, model);
    struct wl_request req = {.model = path,
                             .model_name = model,
                             .batch = batch,
                             .precision = {WL_PREC_NATIVE, WL_PREC_NATIVE, WL_PREC_NATIVE}};
    struct wl_error err;
    if (wl_prepare(&req, generic, 0, &r->model, &r->prepared, &err) != WL_OK) {
        fail_msg("%s: %s", err.where, err.message);
    }
}

struct outcome {
    double latency_s, dynamic_j;
    enum wl_pipe_kind kind; /* of the pipe with most MACs */
    const char *pipe;
    struct wl_totals totals;
};

static struct outcome analyze(const struct run *r, const struct wl_device *d, enum wl_precision p)
{
    struct wl_request req = {.model_name = "m", .batch = r->prepared.batch, .precision = {p, p, p}};
    struct wl_result result;
    struct wl_error err;
    if (wl_analyze(&r->prepared, d, generic, &req, &result, &err) != WL_OK) {
        fail_msg("%s %s: %s: %s", d->id, wl_precision_name(p), err.where, err.message);
    }
    struct outcome o = {.latency_s = result.totals.latency_s,
                        .dynamic_j = wl_energy_dynamic_j(&result.energy.total),
                        .totals = result.totals};
    double most = 0;
    double sum_s = 0;
    double sum_j = 0;
    for (int32_t i = 0; i < result.mappings.count; i++) {
        const struct wl_mapping *m = &result.mappings.items[i];
        const struct wl_roof_point *point = &result.roofline.points[i];
        const struct wl_timing *t = &result.roofline.timings[i];
        double u = result.roofline.utilization[i];
        if (!(u >= 0 && u <= 1)) {
            fail_msg("%s: utilisation %g of subgraph %d", d->id, u, (int)i);
        }
        assert_true(point->achieved_ops_per_s <= point->attainable_ops_per_s);
        assert_true(t->latency_s >= t->compute_s && t->latency_s >= t->memory_s);
        assert_true(m->units_used <= wl_device_units(d) && m->units_used >= 0);
        sum_s += t->latency_s;
        sum_j += wl_energy_total_j(&result.energy.parts[i]);
        if (m->pipe != WL_NONE && m->executed_ops > most) {
            most = m->executed_ops;
            o.kind = d->pipes[m->pipe].kind;
            o.pipe = d->pipes[m->pipe].name;
        }
    }
    double rows_j = 0;
    for (int32_t i = 0; i < result.energy.row_count; i++) {
        rows_j += result.energy.rows[i].energy_j;
    }
    assert_true(fabs(sum_s / o.latency_s - 1) < 1e-12);
    assert_true(fabs(rows_j / o.dynamic_j - 1) < 1e-9);
    assert_true(fabs(sum_j / result.totals.energy_j - 1) < 1e-9);
    assert_true(fabs(result.energy.total.static_j / (d->idle_w * o.latency_s) - 1) < 1e-9);
    assert_true(result.energy.wasted_j <= result.energy.total.static_j * (1 + 1e-12));
    if (result.totals.average_power_w > d->power_limit_w * (1 + 1e-12)) {
        fail_msg("%s draws %g W of %g W", d->id, result.totals.average_power_w, d->power_limit_w);
    }
    wl_result_done(&result);
    return o;
}

static struct wl_device load(const char *id)
{
    const struct wl_spec *spec = NULL;
    struct wl_device d;
    struct wl_error err;
    if (wl_registry_load(&registry, id, &spec, &err) != WL_OK ||
        wl_spec_device(spec, NULL, &d, &err) != WL_OK) {
        fail_msg("%s: %s", err.where, err.message);
    }
    return d;
}

/* The device's precisions for products, wide to narrow within each family. */
static int families(const struct wl_device *d, enum wl_precision out[2][8], int counts[2])
{
    static const enum wl_precision floats[] = {WL_PREC_FP64, WL_PREC_FP32, WL_PREC_FP16,
                                               WL_PREC_FP8, WL_PREC_FP4};
    static const enum wl_precision others[] = {WL_PREC_FP32, WL_PREC_TF32, WL_PREC_BF16,
                                               WL_PREC_FP8, WL_PREC_INT8};
    counts[0] = counts[1] = 0;
    for (int i = 0; i < 5; i++) {
        if (wl_device_supports(d, floats[i])) {
            out[0][counts[0]++] = floats[i];
        }
        if (wl_device_supports(d, others[i])) {
            out[1][counts[1]++] = others[i];
        }
    }
    return counts[0] + counts[1];
}

static void narrower_takes_no_more_energy(void **state)
{
    (void)state;
    for (size_t m = 0; m < WL_ARRAY_LEN(models); m++) {
        struct run r;
        prepare(&r, models[m], 1);
        for (size_t i = 0; i < WL_ARRAY_LEN(devices); i++) {
            struct wl_device d = load(devices[i]);
            enum wl_precision p[2][8];
            int counts[2];
            (void)families(&d, p, counts);
            for (int f = 0; f < 2; f++) {
                for (int k = 1; k < counts[f]; k++) {
                    struct outcome wide = analyze(&r, &d, p[f][k - 1]);
                    struct outcome narrow = analyze(&r, &d, p[f][k]);
                    /* tf32 is no narrower in memory than fp32. */
                    bool same = wl_precision_bits(p[f][k]) < wl_precision_bits(p[f][k - 1]) &&
                                (wide.kind == narrow.kind || wide.kind == WL_PIPE_VECTOR);
                    if (same && narrow.dynamic_j > wide.dynamic_j) {
                        fail_msg("%s on %s: %s takes %g J, %s %g J", models[m], d.id,
                                 wl_precision_name(p[f][k]), narrow.dynamic_j,
                                 wl_precision_name(p[f][k - 1]), wide.dynamic_j);
                    }
                    if (wide.kind == narrow.kind && narrow.latency_s > wide.latency_s) {
                        fail_msg("%s on %s: %s takes %g s, %s %g s", models[m], d.id,
                                 wl_precision_name(p[f][k]), narrow.latency_s,
                                 wl_precision_name(p[f][k - 1]), wide.latency_s);
                    }
                }
            }
        }
        wl_model_done(&r.model);
    }
}

static enum wl_precision first_precision(const struct wl_device *d)
{
    static const enum wl_precision order[] = {WL_PREC_FP32, WL_PREC_BF16, WL_PREC_INT8};
    for (size_t i = 0; i < WL_ARRAY_LEN(order); i++) {
        if (wl_device_supports(d, order[i])) {
            return order[i];
        }
    }
    return WL_PREC_FP32;
}

static void scale_clock(struct wl_device *d, double by)
{
    d->clock_hz *= by;
    for (int32_t i = 0; i < d->group_count; i++) {
        d->groups[i].clock_hz *= by;
    }
    for (int32_t i = 0; i < d->pipe_count; i++) {
        d->pipes[i].clock_hz *= by;
    }
}

/* More units of the same geometry, with memory of their own and their share of what is distributed
   over them; what is shared stays. */
static void double_units(struct wl_device *d)
{
    double units = wl_device_units(d);
    d->params.mesh_cols *= 2;
    for (int32_t i = 0; i < d->group_count; i++) {
        d->groups[i].count *= 2;
    }
    for (int32_t l = 0; l < d->level_count; l++) {
        if (d->levels[l].scope == WL_SCOPE_UNIT) {
            d->levels[l].instances *= 2;
            d->levels[l].bandwidth_bps *= 2;
        } else if (d->levels[l].unit_bandwidth_bps * units <= d->levels[l].bandwidth_bps &&
                   d->levels[l].unit_bandwidth_bps > 0) {
            d->levels[l].bandwidth_bps *= 2;
        }
    }
}

static void expect_not_slower(const char *what, const char *model, const struct wl_device *d,
                              double before_s, double after_s)
{
    if (after_s > before_s * (1 + 1e-9)) {
        fail_msg("%s on %s: %s makes %g s of %g s", model, d->id, what, after_s, before_s);
    }
}

static void more_is_not_slower(void **state)
{
    (void)state;
    for (size_t m = 0; m < WL_ARRAY_LEN(models); m++) {
        struct run r;
        prepare(&r, models[m], 1);
        for (size_t i = 0; i < WL_ARRAY_LEN(devices); i++) {
            struct wl_device d = load(devices[i]);
            enum wl_precision p = first_precision(&d);
            d.power_limit_w = 1e9;
            double before = analyze(&r, &d, p).latency_s;
            for (int32_t l = 0; l < d.level_count; l++) {
                struct wl_device more = d;
                more.levels[l].bandwidth_bps *= 2;
                more.levels[l].unit_bandwidth_bps *= 2;
                expect_not_slower("twice the bandwidth", models[m], &d, before,
                                  analyze(&r, &more, p).latency_s);
            }
            struct wl_device faster = d;
            scale_clock(&faster, 2);
            expect_not_slower("twice the clock", models[m], &d, before,
                              analyze(&r, &faster, p).latency_s);
            struct wl_device wider = d;
            double_units(&wider);
            expect_not_slower("twice the units", models[m], &d, before,
                              analyze(&r, &wider, p).latency_s);
        }
        wl_model_done(&r.model);
    }
}

static void larger_batch_is_not_faster(void **state)
{
    (void)state;
    static const int64_t batches[] = {1, 2, 7, 32};
    for (size_t m = 0; m < WL_ARRAY_LEN(models); m++) {
        double before[WL_ARRAY_LEN(devices)] = {0};
        double joules[WL_ARRAY_LEN(devices)] = {0};
        for (size_t b = 0; b < WL_ARRAY_LEN(batches); b++) {
            struct run r;
            prepare(&r, models[m], batches[b]);
            for (size_t i = 0; i < WL_ARRAY_LEN(devices); i++) {
                struct wl_device d = load(devices[i]);
                struct outcome o = analyze(&r, &d, first_precision(&d));
                expect_not_slower("a smaller batch", models[m], &d, o.latency_s, before[i]);
                expect_not_slower("a smaller batch's energy", models[m], &d, o.dynamic_j,
                                  joules[i]);
                before[i] = o.latency_s;
                joules[i] = o.dynamic_j;
            }
            wl_model_done(&r.model);
        }
    }
}

/* ---- random graphs on random devices ----------------------------------------------------------
 */

#define RANDOM_CASES 400

static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

static int64_t pick(uint64_t *state, int64_t least, int64_t most)
{
    return least + (int64_t)(next_random(state) % (uint64_t)(most - least + 1));
}

/* Between half and twice. */
static double factor(uint64_t *state)
{
    return exp2((double)pick(state, -100, 100) / 100);
}

/* A device of the registry with other bandwidths, capacities, clocks and numbers of units. */
static struct wl_device random_device(uint64_t *state)
{
    struct wl_device d = load(devices[next_random(state) % WL_ARRAY_LEN(devices)]);
    d.power_limit_w = 1e9;
    scale_clock(&d, factor(state));
    if (next_random(state) % 2 == 0) {
        double_units(&d);
    }
    for (int32_t l = 0; l < d.level_count; l++) {
        double by = factor(state);
        d.levels[l].bandwidth_bps *= by;
        d.levels[l].unit_bandwidth_bps *= by;
        d.levels[l].capacity_bytes = (int64_t)((double)d.levels[l].capacity_bytes * factor(state));
    }
    return d;
}

/* A convolution or a product with its weights, or an element-wise operator, on `now`. */
static void random_node(struct wire *graph, uint64_t *state, int i, int64_t *channels, char *now)
{
    char in[64];
    char out[16];
    (void)snprintf(out, sizeof(out), "t%d", i);
    bool conv = next_random(state) % 3 != 0;
    (void)snprintf(in, sizeof(in), conv ? "%s w%d" : "%s", now, i);
    static const char *const maps[] = {"Relu", "Sigmoid", "Tanh"};
    struct wire node = wire_node(conv ? "Conv" : maps[next_random(state) % 3], in, out);
    if (conv) {
        int64_t outputs = pick(state, 1, 160);
        int64_t kernel = pick(state, 0, 1) * 2 + 1;
        char name[16];
        (void)snprintf(name, sizeof(name), "w%d", i);
        wire_weight(graph, name, (int64_t[]){outputs, *channels, kernel, kernel}, 4);
        attr_ints(&node, "kernel_shape", (int64_t[]){kernel, kernel}, 2);
        attr_ints(&node, "pads", (int64_t[]){kernel / 2, kernel / 2, kernel / 2, kernel / 2}, 4);
        *channels = outputs;
    }
    wire_msg(graph, 1, &node);
    (void)snprintf(now, 16, "%s", out);
}

static void write_random(const char *path, uint64_t *state)
{
    struct wire graph = {0};
    char now[16] = "x";
    char shape[64];
    int64_t channels = pick(state, 1, 64);
    (void)snprintf(shape, sizeof(shape), "N,%d,%d,%d", (int)channels, (int)pick(state, 1, 40),
                   (int)pick(state, 1, 40));
    wire_value(&graph, 11, "x", 1, shape);
    int nodes = (int)pick(state, 1, 10);
    for (int i = 0; i < nodes; i++) {
        random_node(&graph, state, i, &channels, now);
    }
    wire_value(&graph, 12, now, 1, NULL);
    struct wire model = wire_model(&graph, 13);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(model.data, 1, model.len, file), model.len);
    assert_int_equal(fclose(file), 0);
    wire_done(&model);
}

static void prepare_file(struct run *r, const char *path, int64_t batch)
{
    struct wl_request req = {.model = path,
                             .model_name = "random",
                             .batch = batch,
                             .precision = {WL_PREC_NATIVE, WL_PREC_NATIVE, WL_PREC_NATIVE}};
    struct wl_error err;
    if (wl_prepare(&req, generic, 0, &r->model, &r->prepared, &err) != WL_OK) {
        fail_msg("%s: %s", err.where, err.message);
    }
}

/* Narrower types of a family where the same kind of pipe serves them. A GPU's matrix units ask
   other multiples of other types, which random channels do not keep: left out. */
static void expect_narrower_not_slower(const struct run *r, const struct wl_device *d)
{
    enum wl_precision p[2][8];
    int counts[2];
    (void)families(d, p, counts);
    for (int f = 0; f < 2 && d->class != WL_HW_GPU && d->class != WL_HW_KPU; f++) {
        for (int k = 1; k < counts[f]; k++) {
            struct outcome wide = analyze(r, d, p[f][k - 1]);
            struct outcome narrow = analyze(r, d, p[f][k]);
            if (wide.pipe != NULL && narrow.pipe != NULL && strcmp(wide.pipe, narrow.pipe) == 0) {
                expect_not_slower(wl_precision_name(p[f][k]), "random", d, wide.latency_s,
                                  narrow.latency_s);
            }
        }
    }
}

static void random_graphs_on_random_devices(void **unused)
{
    (void)unused;
    char path[] = "/tmp/wattline-physics-XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    (void)close(file);
    uint64_t state = 20261127;
    for (int i = 0; i < RANDOM_CASES; i++) {
        struct run one;
        struct run more;
        int64_t batch = pick(&state, 1, 16);
        write_random(path, &state);
        struct wl_device d = random_device(&state);
        enum wl_precision p = first_precision(&d);
        prepare_file(&one, path, batch);
        prepare_file(&more, path, batch * pick(&state, 2, 8));
        double before = analyze(&one, &d, p).latency_s;
        expect_not_slower("a smaller batch", "random", &d, analyze(&more, &d, p).latency_s, before);
        for (int32_t l = 0; l < d.level_count; l++) {
            struct wl_device faster = d;
            faster.levels[l].bandwidth_bps *= 1.7;
            faster.levels[l].unit_bandwidth_bps *= 1.7;
            expect_not_slower("more bandwidth", "random", &d, before,
                              analyze(&one, &faster, p).latency_s);
        }
        expect_narrower_not_slower(&one, &d);
        struct wl_device clocked = d;
        scale_clock(&clocked, 1.3);
        expect_not_slower("more clock", "random", &d, before, analyze(&one, &clocked, p).latency_s);
        /* More arrays divide the streamed side, and load the weights of a fold once more each:
           where memory binds that may lose (docs/models.md, section 6). */
        struct wl_device wider = d;
        if (d.class != WL_HW_TPU && d.class != WL_HW_KPU) {
            double_units(&wider);
        }
        expect_not_slower("more units", "random", &d, before, analyze(&one, &wider, p).latency_s);
        wl_model_done(&one.model);
        wl_model_done(&more.model);
    }
    (void)remove(path);
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
        cmocka_unit_test(narrower_takes_no_more_energy),
        cmocka_unit_test(more_is_not_slower),
        cmocka_unit_test(larger_batch_is_not_faster),
        cmocka_unit_test(random_graphs_on_random_devices),
    };
    return cmocka_run_group_tests(tests, open_registry, close_registry);
}
