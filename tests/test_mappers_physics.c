/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Monotonic physics over the registry's devices and models of the zoo, and over random graphs on
 * random devices: laws of every result, more bandwidth, clock or units never slower, a larger batch
 * never faster, and slower per sample only by what notes name, a narrower type never more dynamic
 * energy where the same kind of pipe serves both.
 * WL_PHYSICS_CASES=20000 in the environment takes more random graphs than the suite does,
 * WL_PHYSICS_FIRST=10001 with it only those from there on.
 */
#include <math.h>
#include <stdlib.h>
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

#define SUBGRAPHS_MAX 128

/* What a subgraph loses its throughput by, and what the note on it says. */
struct effects {
    double latency_s;
    double kept; /* share of the pipe's peak after padding, balance and pipeline */
    int32_t pipe;
    double crossing[WL_LEVELS_MAX], reload[WL_LEVELS_MAX];
    char note[256];
};

struct outcome {
    double latency_s, dynamic_j;
    enum wl_pipe_kind kind;        /* of the pipe with most MACs */
    uint64_t pipes[SUBGRAPHS_MAX]; /* of the first subgraphs: a bit each */
    int32_t count;
    struct effects *effects; /* of them, where asked for */
};

/* Peak of the mapping's pipes of that name: at its precision, or at the fastest that may serve it.
 */
static double peak_of(const struct wl_roofline *roof, const struct wl_device *d,
                      const struct wl_mapping *m)
{
    double exact = 0;
    double most = 0;
    for (int32_t i = 0; i < roof->ceiling_count; i++) {
        const struct wl_ceiling *c = &roof->ceilings[i];
        if (strcmp(c->unit, d->pipes[m->pipe].name) == 0) {
            most = fmax(most, c->ops_per_s);
            exact = c->precision == m->precision ? c->ops_per_s : exact;
        }
    }
    return exact > 0 ? exact : most;
}

static void note_effects(const struct wl_mappings *all, int32_t i, double latency_s,
                         struct effects *e)
{
    const struct wl_mapping *m = &all->items[i];
    *e = (struct effects){.latency_s = latency_s,
                          .kept = m->eff_padding * m->eff_balance * m->eff_pipeline,
                          .pipe = m->pipe};
    memcpy(e->crossing, m->crossing, sizeof(e->crossing));
    memcpy(e->reload, m->reload, sizeof(e->reload));
    (void)wl_mapping_note(all, i, e->note, sizeof(e->note));
}

static struct outcome analyze_into(const struct run *r, const struct wl_device *d,
                                   enum wl_precision p, struct effects *effects)
{
    struct wl_request req = {.model_name = "m", .batch = r->prepared.batch, .precision = {p, p, p}};
    struct wl_result result;
    struct wl_error err;
    if (wl_analyze(&r->prepared, d, generic, &req, &result, &err) != WL_OK) {
        fail_msg("%s %s: %s: %s", d->id, wl_precision_name(p), err.where, err.message);
    }
    struct outcome o = {.latency_s = result.totals.latency_s,
                        .dynamic_j = wl_energy_dynamic_j(&result.energy.total),
                        .count = result.mappings.count < SUBGRAPHS_MAX ? result.mappings.count
                                                                       : SUBGRAPHS_MAX,
                        .effects = effects};
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
        if (m->pipe != WL_NONE) {
            assert_true(m->executed_ops <=
                        peak_of(&result.roofline, d, m) * t->latency_s * (1 + 1e-9));
        }
        if (m->pipe != WL_NONE && m->executed_ops > most) {
            most = m->executed_ops;
            o.kind = d->pipes[m->pipe].kind;
        }
        for (int32_t k = 0; k < m->pipe_count && i < SUBGRAPHS_MAX; k++) {
            bool special = d->pipes[m->pipes[k].pipe].kind == WL_PIPE_SPECIAL;
            o.pipes[i] |= special ? 0 : UINT64_C(1) << m->pipes[k].pipe;
        }
        if (effects != NULL && i < SUBGRAPHS_MAX) {
            note_effects(&result.mappings, i, t->latency_s, &effects[i]);
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

static struct outcome analyze(const struct run *r, const struct wl_device *d, enum wl_precision p)
{
    return analyze_into(r, d, p, NULL);
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
   over them; what is shared stays. Clusters grow larger, or more. */
static void scale_units(struct wl_device *d, int32_t by, bool clusters)
{
    double units = wl_device_units(d);
    d->params.mesh_cols *= by;
    for (int32_t i = 0; i < d->group_count; i++) {
        d->groups[i].count *= by;
    }
    for (int32_t l = 0; l < d->level_count; l++) {
        struct wl_level *level = &d->levels[l];
        bool own = level->scope == WL_SCOPE_UNIT || (clusters && level->scope == WL_SCOPE_CLUSTER);
        if (own) {
            level->instances *= by;
            level->bandwidth_bps *= by;
        } else if (level->unit_bandwidth_bps * units <= level->bandwidth_bps &&
                   level->unit_bandwidth_bps > 0) {
            level->bandwidth_bps *= by;
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

/* Devices that have more of one thing than `d` takes `before_s` for. */
static void expect_more_not_slower(const char *model, const struct run *r,
                                   const struct wl_device *d, enum wl_precision p, double before_s)
{
    for (int32_t l = 0; l < d->level_count; l++) {
        struct wl_device more = *d;
        more.levels[l].bandwidth_bps *= 2;
        more.levels[l].unit_bandwidth_bps *= 2;
        expect_not_slower("twice the bandwidth", model, d, before_s,
                          analyze(r, &more, p).latency_s);
    }
    struct wl_device faster = *d;
    scale_clock(&faster, 2);
    expect_not_slower("twice the clock", model, d, before_s, analyze(r, &faster, p).latency_s);
    for (int32_t by = 2; by <= 3; by++) {
        struct wl_device larger = *d;
        struct wl_device wider = *d;
        scale_units(&larger, by, false);
        scale_units(&wider, by, true);
        expect_not_slower("more units", model, d, before_s, analyze(r, &larger, p).latency_s);
        expect_not_slower("more units and clusters", model, d, before_s,
                          analyze(r, &wider, p).latency_s);
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
            expect_more_not_slower(models[m], &r, &d, p, analyze(&r, &d, p).latency_s);
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

#define RANDOM_CASES 1200

/* Beyond these, cases that found a fault: tiles of a KPU that were no whole number; cores of a
   cluster that could not be left idle. */
static const uint64_t once_failed[] = {41975, 49056};

/* Beside `devices`: one array, one tile, tiles of several kinds. */
static const char *const more_devices[] = {"google_coral_edge_tpu", "google_tpu_v6e", "mit_eyeriss",
                                           "kpu_t256"};

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
    size_t which = next_random(state) % (WL_ARRAY_LEN(devices) + WL_ARRAY_LEN(more_devices));
    struct wl_device d =
        load(which < WL_ARRAY_LEN(devices) ? devices[which]
                                           : more_devices[which - WL_ARRAY_LEN(devices)]);
    d.power_limit_w = 1e9;
    scale_clock(&d, factor(state));
    if (next_random(state) % 2 == 0) {
        scale_units(&d, 2, true);
    }
    for (int32_t l = 0; l < d.level_count; l++) {
        double by = factor(state);
        d.levels[l].bandwidth_bps *= by;
        d.levels[l].unit_bandwidth_bps *= by;
        d.levels[l].capacity_bytes = (int64_t)((double)d.levels[l].capacity_bytes * factor(state));
    }
    return d;
}

static enum wl_precision random_precision(uint64_t *state, const struct wl_device *d)
{
    enum wl_precision has[WL_PREC_COUNT];
    uint64_t count = 0;
    for (int i = 0; i < WL_PREC_COUNT; i++) {
        enum wl_precision p = (enum wl_precision)i;
        bool computes = wl_precision_is_float(p) || p == WL_PREC_INT8 || p == WL_PREC_INT16;
        if (computes && wl_device_supports(d, p)) {
            has[count++] = p;
        }
    }
    return count > 0 ? has[next_random(state) % count] : WL_PREC_FP32;
}

/* The tensor that the next node reads: its name and sizes beside the batch. */
struct flow {
    char name[16];
    int64_t channels, height, width;
    bool aligned; /* channels in multiples of 32 */
};

static int64_t random_channels(uint64_t *state, const struct flow *f)
{
    int64_t channels = pick(state, 1, next_random(state) % 3 == 0 ? 512 : 160);
    return f->aligned ? (channels + 31) / 32 * 32 : channels;
}

/* A convolution, depthwise or grouped for one in four. */
static struct wire random_conv(struct wire *graph, uint64_t *state, const char *inputs,
                               const char *weight, const char *out, struct flow *f)
{
    bool grouped = next_random(state) % 4 == 0;
    int64_t per_group = grouped && f->channels % 2 == 0 && next_random(state) % 2 == 0 ? 2 : 1;
    int64_t groups = grouped ? f->channels / per_group : 1;
    int64_t outputs = grouped ? f->channels : random_channels(state, f);
    int64_t kernel = pick(state, 0, 1) * 2 + 1;
    int64_t stride = pick(state, 1, 4) == 1 ? 2 : 1;
    int64_t pad = kernel / 2;
    struct wire node = wire_node("Conv", inputs, out);
    wire_weight(graph, weight, (int64_t[]){outputs, f->channels / groups, kernel, kernel}, 4);
    attr_int(&node, "group", groups);
    attr_ints(&node, "kernel_shape", (int64_t[]){kernel, kernel}, 2);
    attr_ints(&node, "strides", (int64_t[]){stride, stride}, 2);
    attr_ints(&node, "pads", (int64_t[]){pad, pad, pad, pad}, 4);
    f->channels = outputs;
    f->height = (f->height - 1) / stride + 1;
    f->width = (f->width - 1) / stride + 1;
    return node;
}

/* A convolution or a product with its weights, or an operator without, on `f`. */
static void random_node(struct wire *graph, uint64_t *state, int i, struct flow *f)
{
    static const char *const plain[] = {"Relu", "Sigmoid", "Tanh", "Softmax"};
    char with_weight[48];
    char weight[16];
    char out[16];
    (void)snprintf(out, sizeof(out), "t%d", i);
    (void)snprintf(weight, sizeof(weight), "w%d", i);
    (void)snprintf(with_weight, sizeof(with_weight), "%s %s", f->name, weight);
    uint64_t kind = next_random(state) % 8;
    struct wire node = {0};
    if (kind < 3) {
        node = wire_node(plain[next_random(state) % WL_ARRAY_LEN(plain)], f->name, out);
    } else if (kind == 3) {
        int64_t columns = random_channels(state, f);
        node = wire_node("MatMul", with_weight, out);
        wire_weight(graph, weight, (int64_t[]){f->width, columns}, 2);
        f->width = columns;
    } else {
        node = random_conv(graph, state, with_weight, weight, out, f);
    }
    wire_msg(graph, 1, &node);
    (void)snprintf(f->name, sizeof(f->name), "%s", out);
}

static void write_random(const char *path, uint64_t *state)
{
    struct wire graph = {0};
    struct flow f = {.name = "x", .aligned = next_random(state) % 2 == 0};
    char shape[96];
    f.channels = f.aligned ? 32 * pick(state, 1, 3) : pick(state, 1, 64);
    f.height = pick(state, 1, 40);
    f.width = f.aligned ? 16 * pick(state, 1, 3) : pick(state, 1, 40);
    (void)snprintf(shape, sizeof(shape), "N,%d,%d,%d", (int)f.channels, (int)f.height,
                   (int)f.width);
    wire_value(&graph, 11, "x", 1, shape);
    int nodes = (int)pick(state, 1, 6);
    for (int i = 0; i < nodes; i++) {
        random_node(&graph, state, i, &f);
    }
    wire_value(&graph, 12, f.name, 1, NULL);
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

/* Narrower types of a family where the same pipes serve every subgraph: others may have other
   geometry, and ask other multiples of channels. */
static void expect_narrower_not_slower(const char *name, const struct run *r,
                                       const struct wl_device *d)
{
    enum wl_precision p[2][8];
    int counts[2];
    (void)families(d, p, counts);
    for (int f = 0; f < 2; f++) {
        for (int k = 1; k < counts[f]; k++) {
            struct outcome wide = analyze(r, d, p[f][k - 1]);
            struct outcome narrow = analyze(r, d, p[f][k]);
            if (memcmp(wide.pipes, narrow.pipes, sizeof(wide.pipes)) == 0) {
                expect_not_slower(wl_precision_name(p[f][k]), name, d, wide.latency_s,
                                  narrow.latency_s);
            }
        }
    }
}

/* Throughput may fall by this much without a reason. */
#define FALL 1.02

/*
 * Whether the note on a subgraph of a larger batch names what it loses against the smaller one: a
 * tail (padding, balance, pipeline: less of the pipe's peak, or another pipe's) or capacity (a
 * level that more of the operands cross, or that an operand is read from more often).
 */
static bool names_loss(const struct wl_device *d, const struct effects *less,
                       const struct effects *more)
{
    bool worse = more->pipe != less->pipe || more->kept < less->kept * (1 - 1e-6);
    bool named = worse && (strstr(more->note, "padding ") != NULL ||
                           strstr(more->note, "balance ") != NULL ||
                           strstr(more->note, "pipeline ") != NULL);
    const char *read = strstr(more->note, "read from ");
    for (int32_t l = 1; l < d->level_count; l++) {
        const char *level = d->levels[l].name;
        bool crosses = more->crossing[l] > less->crossing[l] * (1 + 1e-6);
        bool again = more->reload[l] > less->reload[l] * (1 + 1e-6);
        named = named || (crosses && strstr(more->note, level) != NULL) ||
                (again && read != NULL && strstr(read, level) != NULL);
    }
    return named;
}

/* A larger batch takes no less time, and loses throughput only by effects that notes name. */
static void expect_larger_batch_lawful(const char *name, const struct wl_device *d,
                                       const struct outcome *less, const struct outcome *more,
                                       double ratio)
{
    expect_not_slower("a smaller batch", name, d, more->latency_s, less->latency_s);
    if (more->latency_s <= less->latency_s * ratio * FALL) {
        return;
    }
    bool named = false;
    for (int32_t i = 0; i < less->count; i++) {
        bool lost = more->effects[i].latency_s > less->effects[i].latency_s * ratio * FALL;
        named = named || (lost && names_loss(d, &less->effects[i], &more->effects[i]));
    }
    if (!named) {
        fail_msg("%s on %s: %g s for %g times the batch of %g s, and no note says why", name, d->id,
                 more->latency_s, ratio, less->latency_s);
    }
}

/* One more sample, and several times the batch. */
static double try_batches(const char *path, const char *name, const struct run *one, int64_t batch,
                          int64_t times, const struct wl_device *d, enum wl_precision p)
{
    static struct effects effects[3][SUBGRAPHS_MAX];
    const int64_t larger[2] = {batch + 1, batch * times};
    struct outcome less = analyze_into(one, d, p, effects[0]);
    for (int i = 0; i < 2; i++) {
        struct run r;
        prepare_file(&r, path, larger[i]);
        struct outcome more = analyze_into(&r, d, p, effects[1 + i]);
        expect_larger_batch_lawful(name, d, &less, &more, (double)larger[i] / (double)batch);
        wl_model_done(&r.model);
    }
    return less.latency_s;
}

static void try_random(const char *path, uint64_t seed)
{
    char name[48];
    uint64_t state = seed * 0x9e3779b97f4a7c15u + 20261127;
    (void)snprintf(name, sizeof(name), "random graph %llu", (unsigned long long)seed);
    struct run one;
    int64_t batch = pick(&state, 1, 16);
    write_random(path, &state);
    struct wl_device d = random_device(&state);
    enum wl_precision p = random_precision(&state, &d);
    prepare_file(&one, path, batch);
    double before = try_batches(path, name, &one, batch, pick(&state, 2, 8), &d, p);
    expect_more_not_slower(name, &one, &d, p, before);
    expect_narrower_not_slower(name, &one, &d);
    wl_model_done(&one.model);
}

static void random_graphs_on_random_devices(void **unused)
{
    (void)unused;
    char path[] = "/tmp/wattline-physics-XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    (void)close(file);
    const char *asked = getenv("WL_PHYSICS_CASES");
    uint64_t cases = asked != NULL ? strtoull(asked, NULL, 10) : RANDOM_CASES;
    const char *from = getenv("WL_PHYSICS_FIRST");
    for (uint64_t seed = from != NULL ? strtoull(from, NULL, 10) : 1; seed <= cases; seed++) {
        try_random(path, seed);
    }
    for (size_t i = 0; i < WL_ARRAY_LEN(once_failed); i++) {
        try_random(path, once_failed[i]);
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
