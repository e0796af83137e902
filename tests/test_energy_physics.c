/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Energy against what a device can draw: a saturating product, before the power bound, at the main
 * precisions of every device whose TDP is a datasheet figure of the device alone; the cases of
 * ResNet-18 and MobileNetV2 on the A100; energy per FLOP at full load by process generation; the
 * share of main memory in networks bound by memory and by arithmetic.
 */
#include <math.h>

#include "frontend_check.h"
#include "pipeline.h"

static struct wl_registry registry;
static const struct wl_runtime *generic;

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

/* ---- one prepared model ---------------------------------------------------------------------- */

struct job {
    struct wl_model model;
    struct wl_prepared prepared;
    struct wl_arena arena;
};

static void job_done(struct job *j)
{
    wl_model_done(&j->model);
    wl_arena_done(&j->arena);
}

static void partition(struct job *j)
{
    struct wl_error err;
    struct wl_request req = {.precision = {WL_PREC_NATIVE, WL_PREC_NATIVE, WL_PREC_NATIVE}};
    wl_arena_init(&j->arena, 0);
    if (wl_prepare_partition(&j->model, &j->arena, &req, generic, 1 << 20, &j->prepared, &err) !=
        WL_OK) {
        fail_msg("%s: %s", err.where, err.message);
    }
}

/* A product of size x size matrices, all of them inputs. */
static void job_product(struct job *j, int size)
{
    char shape[32];
    struct wire g = {0};
    struct wl_error err;
    (void)snprintf(shape, sizeof(shape), "%d,%d", size, size);
    wire_value(&g, 11, "a", 1, shape);
    wire_value(&g, 11, "b", 1, shape);
    wire_simple(&g, "MatMul", "a b", "c");
    wire_value(&g, 12, "c", 1, NULL);
    struct wire m = wire_model(&g, 13);
    struct wl_frontend_options opt = {.batch = 0};
    if (wl_model_load_bytes(m.data, m.len, "product", &opt, &j->model, &err) != WL_OK ||
        wl_ops_count(&j->model.graph, &err) != WL_OK) {
        fail_msg("%s: %s", err.where, err.message);
    }
    wire_done(&m);
    partition(j);
}

static void job_zoo(struct job *j, const char *name, int64_t batch)
{
    static char path[512];
    struct wl_error err;
    (void)snprintf(path, sizeof(path), "%s/models/%s.onnx", WL_SOURCE_DIR, name);
    struct wl_request req = {.model = path, .model_name = name, .batch = batch};
    if (wl_prepare_model(&req, &j->model, &err) != WL_OK) {
        fail_msg("%s: %s", err.where, err.message);
    }
    partition(j);
}

struct outcome {
    struct wl_totals totals;
    struct wl_energy_parts energy;
    double dynamic_j, dram_j;
};

static struct outcome analyze(const struct job *j, const struct wl_device *d, enum wl_precision p)
{
    struct wl_request req = {.model_name = "m", .precision = {p, p, p}};
    struct wl_result r;
    struct wl_error err;
    if (wl_analyze(&j->prepared, d, generic, &req, &r, &err) != WL_OK) {
        fail_msg("%s %s: %s: %s", d->id, wl_precision_name(p), err.where, err.message);
    }
    struct outcome o = {.totals = r.totals,
                        .energy = r.energy.total,
                        .dynamic_j = wl_energy_dynamic_j(&r.energy.total)};
    for (int32_t i = 0; i < r.energy.row_count; i++) {
        bool dram = strncmp(r.energy.rows[i].name, wl_device_dram(d)->name,
                            strlen(wl_device_dram(d)->name)) == 0;
        o.dram_j += dram ? r.energy.rows[i].energy_j : 0;
    }
    wl_result_done(&r);
    return o;
}

/* ---- a saturating product -------------------------------------------------------------------- */

/* Share of the peak below which something else than arithmetic bounds a product (the Coral's link).
 */
#define SATURATED 0.3

static int32_t held, others, failed;
static struct job product;

/*
 * Published energy per FLOP of a part at full load, by feature size: design power over the dense
 * 16-bit peak that its datasheet states (low), and over 60 % of it, what products sustain (high).
 * docs/energy.md, section 5, has the parts and the sources.
 */
struct generation {
    double above_nm, up_to_nm, low_pj, high_pj;
};

static const struct generation generations[] = {
    {0, 5, 0.44, 2.7 / 0.6},  /* B200, H100 PCIe .. RTX 4090 */
    {5, 8, 0.70, 4.9 / 0.6},  /* TPU v4, A100 PCIe .. RTX 3090 */
    {8, 16, 1.08, 6.1 / 0.6}, /* T4 .. TPU v2 */
};

static int32_t in_range;

/* All-in: dynamic and static energy under the power limit over 2 per MAC. */
static void check_flop(const struct wl_device *d, enum wl_precision prec, const struct outcome *o)
{
    double pj = o->totals.energy_j / (2.0 * (double)o->totals.macs) * 1e12;
    for (size_t i = 0; i < WL_ARRAY_LEN(generations); i++) {
        const struct generation *g = &generations[i];
        if (d->process_nm <= g->above_nm || d->process_nm > g->up_to_nm) {
            continue;
        }
        bool inside = pj >= g->low_pj && pj <= g->high_pj;
        in_range += inside ? 1 : 0;
        if (!inside) {
            print_message("FAIL %-28s %-5s %.2f pJ per FLOP, published %.2f to %.2f at %g nm\n",
                          d->id, wl_precision_name(prec), pj, g->low_pj, g->high_pj, d->process_nm);
            failed++;
        }
    }
}

/* Main precisions in 35 to 130 % of the limit; what lies outside among the others is printed. */
static void one_device(const struct wl_registry_entry *e)
{
    struct wl_device d = load(e->id);
    for (int p = 0; p < WL_PREC_COUNT; p++) {
        enum wl_precision prec = (enum wl_precision)p;
        if (wl_device_peak(&d, prec, NULL) <= 0) {
            continue;
        }
        struct outcome o = analyze(&product, &d, prec);
        double share = o.totals.unthrottled_power_w / d.power_limit_w;
        bool inside = share >= 0.35 && share <= 1.30;
        bool main = wl_device_power_checkable(&d) && wl_device_main_precision(&d, prec);
        assert_true(o.totals.average_power_w <= d.power_limit_w * (1 + 1e-9));
        const struct wl_pipe *pipe = NULL;
        (void)wl_device_peak(&d, prec, &pipe);
        if (wl_device_power_checkable(&d) && pipe->kind == WL_PIPE_MATRIX &&
            (prec == WL_PREC_FP16 || prec == WL_PREC_BF16)) {
            check_flop(&d, prec, &o);
        }
        main = main && o.totals.utilization >= SATURATED;
        held += main ? 1 : 0;
        others += main || inside ? 0 : 1;
        if (!inside) {
            print_message("%s %-28s %-5s %3.0f %% of %g W%s\n", main ? "FAIL" : "    ", d.id,
                          wl_precision_name(prec), 100 * share, d.power_limit_w,
                          wl_device_power_checkable(&d) ? ""
                                                        : ", not a datasheet TDP of the device");
        }
        failed += main && !inside ? 1 : 0;
    }
}

static void saturating_product(void **state)
{
    (void)state;
    job_product(&product, 4096);
    struct wl_registry_entry *entries = NULL;
    struct wl_error *broken = NULL, err;
    int32_t count = 0, broken_count = 0;
    assert_int_equal(wl_registry_list(&registry, &entries, &count, &broken, &broken_count, &err),
                     WL_OK);
    for (int32_t i = 0; i < count; i++) {
        one_device(&entries[i]);
    }
    job_done(&product);
    print_message("%d main precisions inside, %d others outside; %d energies per FLOP in range\n",
                  held, others, in_range);
    assert_in_range(in_range, 40, 1000);
    assert_int_equal(failed, 0);
    assert_in_range(held, 80, 1000);
}

/* ---- the cases of the A100 ------------------------------------------------------------------- */

static void a100_case(const char *model)
{
    struct job j;
    struct wl_device d = load("nvidia_a100_sxm_80gb");
    job_zoo(&j, model, 1);
    struct outcome wide = analyze(&j, &d, WL_PREC_FP32);
    struct outcome narrow = analyze(&j, &d, WL_PREC_FP16);
    struct outcome *both[] = {&wide, &narrow};
    for (int i = 0; i < 2; i++) {
        double static_j = d.idle_w * both[i]->totals.latency_s;
        assert_true(fabs(both[i]->energy.static_j / static_j - 1) < 1e-9);
        assert_true(both[i]->totals.average_power_w > d.idle_w);
        assert_true(both[i]->totals.average_power_w <= d.power_limit_w);
        assert_true(both[i]->totals.unthrottled_power_w <= 1.3 * d.power_limit_w);
    }
    assert_true(narrow.dynamic_j < wide.dynamic_j);
    assert_true(narrow.energy.static_j <= wide.energy.static_j);
    assert_true(narrow.totals.energy_j < wide.totals.energy_j);
    print_message("%s: fp32 %.3g mJ at %.0f W, fp16 %.3g mJ at %.0f W\n", model,
                  wide.totals.energy_j * 1e3, wide.totals.average_power_w,
                  narrow.totals.energy_j * 1e3, narrow.totals.average_power_w);
    job_done(&j);
}

static void resnet18_on_a100(void **state)
{
    (void)state;
    a100_case("resnet18");
}

static void mobilenet_v2_on_a100(void **state)
{
    (void)state;
    a100_case("mobilenet_v2");
}

/* ---- share of main memory -------------------------------------------------------------------- */

/* Shares of dynamic energy of the subgraphs whose nodes' operator is (not) a convolution. */
struct shares {
    double dram, arithmetic, all_j, total_j; /* total_j: of the whole model, with static */
};

static struct shares shares_of(const struct job *j, const struct wl_device *d, enum wl_precision p,
                               enum wl_op_kind kind)
{
    struct wl_request req = {.model_name = "m", .precision = {p, p, p}};
    struct wl_result r;
    struct wl_error err;
    struct shares s = {0};
    if (wl_analyze(&j->prepared, d, generic, &req, &r, &err) != WL_OK) {
        fail_msg("%s: %s", err.where, err.message);
    }
    int32_t main_level = d->level_count - 1;
    for (int32_t i = 0; i < r.mappings.count; i++) {
        const struct wl_mapping *m = &r.mappings.items[i];
        bool wanted = kind == WL_OPK_COUNT || r.partition->subgraphs[i].kind == kind;
        for (int32_t k = 0; k < m->event_count && wanted; k++) {
            enum wl_event e = (enum wl_event)m->events[k].event;
            double j_event =
                m->events[k].count * wl_energy_unit_pj(d, e, m->events[k].precision) * 1e-12;
            int level = ((int)e - (int)WL_EV_LEVEL_READ_0) / 2;
            bool dram = e >= WL_EV_LEVEL_READ_0 && level == main_level;
            s.all_j += j_event;
            s.dram += dram ? j_event : 0;
            s.arithmetic += e == WL_EV_MATRIX_MAC || e == WL_EV_VECTOR_MAC ? j_event : 0;
        }
    }
    s.total_j = r.totals.energy_j;
    wl_result_done(&r);
    return s;
}

/* A fully connected layer without reuse: 640 pJ of DRAM per 32-bit weight against 4.6 pJ of
   arithmetic and 5 pJ of SRAM (Horowitz, ISSCC 2014; Han et al., EIE, ISCA 2016): 98.5 %. */
static void fully_connected_layers_are_dram(void **state)
{
    (void)state;
    struct job j;
    struct wl_device d = load("mit_eyeriss");
    job_zoo(&j, "alexnet", 1);
    struct shares s = shares_of(&j, &d, WL_PREC_INT16, WL_OPK_GEMM);
    print_message("fully connected: DRAM %.1f %%, published 98.5 %%\n", 100 * s.dram / s.all_j);
    assert_true(s.dram / s.all_j > 0.85);
    job_done(&j);
}

/* GoogLeNet on Eyeriss with DRAM: arithmetic takes 10 % (Yang et al., CVPR 2017). */
static void googlenet_moves_data(void **state)
{
    (void)state;
    struct job j;
    struct wl_device d = load("mit_eyeriss");
    job_zoo(&j, "googlenet", 1);
    struct shares s = shares_of(&j, &d, WL_PREC_INT16, WL_OPK_COUNT);
    print_message("googlenet: arithmetic %.1f %%, published 10 %%\n", 100 * s.arithmetic / s.all_j);
    assert_true(s.arithmetic / s.all_j > 0.05 && s.arithmetic / s.all_j < 0.15);
    job_done(&j);
}

/* Decoding on the H100 SXM: 17.2 GB a step at 3.92 pJ/bit (O'Connor et al., MICRO 2017) are 0.54 of
   the 3.55 J that ML.ENERGY v3 measured for eight tokens of Qwen 3 8B: 15 %. */
static void decoding_on_h100(void **state)
{
    (void)state;
    struct job j;
    struct wl_device d = load("nvidia_h100_sxm");
    struct wl_dim_binding dims[] = {{"T", 1}, {"P", 647}};
    struct wl_error err;
    struct wl_request req = {.model = WL_SOURCE_DIR "/models/qwen3_8b_decode.onnx",
                             .model_name = "qwen3_8b_decode",
                             .batch = 8,
                             .dims = dims,
                             .dim_count = 2};
    if (wl_prepare_model(&req, &j.model, &err) != WL_OK) {
        fail_msg("%s: %s", err.where, err.message);
    }
    partition(&j);
    struct shares s = shares_of(&j, &d, WL_PREC_BF16, WL_OPK_COUNT);
    print_message("decoding: DRAM %.1f %% of all energy, published 15 %%\n",
                  100 * s.dram / s.total_j);
    assert_true(s.dram / s.total_j > 0.10 && s.dram / s.total_j < 0.25);
    job_done(&j);
}

/* Convolutions of AlexNet on Eyeriss: 0.0029 accesses of 16 bit per MAC (Chen et al., JSSC 2017) at
   the 488 pJ of our DDR3, beside 11.9 pJ of the chip: 11 %. The chip compresses what it stores. */
static void alexnet_is_arithmetic(void **state)
{
    (void)state;
    struct job j;
    struct wl_device d = load("mit_eyeriss");
    job_zoo(&j, "alexnet", 4);
    struct shares s = shares_of(&j, &d, WL_PREC_INT16, WL_OPK_CONV);
    double chip_j = s.all_j - s.dram + d.idle_w * 0.1153; /* measured time of the four images */
    print_message("alexnet, convolutions: DRAM %.1f %%, published 11 %%\n",
                  100 * s.dram / (s.dram + chip_j));
    assert_true(s.dram / (s.dram + chip_j) < 0.33);
    job_done(&j);
}

static int open_world(void **state)
{
    static const char *const roots[] = {WL_SOURCE_DIR "/registry"};
    struct wl_error err;
    (void)state;
    return wl_registry_open(&registry, roots, 1, &err) == WL_OK &&
                   wl_runtime_load(&registry, "generic", &generic, &err) == WL_OK
               ? 0
               : -1;
}

static int close_world(void **state)
{
    (void)state;
    wl_registry_close(&registry);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(saturating_product),    cmocka_unit_test(resnet18_on_a100),
        cmocka_unit_test(mobilenet_v2_on_a100),  cmocka_unit_test(fully_connected_layers_are_dram),
        cmocka_unit_test(googlenet_moves_data),  cmocka_unit_test(decoding_on_h100),
        cmocka_unit_test(alexnet_is_arithmetic),
    };
    return cmocka_run_group_tests(tests, open_world, close_world);
}
