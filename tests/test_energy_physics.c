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

/* What a share is taken of: everything with idle watts, the events alone, or those events alone
   that a publication names. */
enum whole { OF_ALL, OF_EVENTS, OF_MACS_AND_REGISTERS };

struct shares {
    double dram_j, mac_j, register_j, events_j, all_j;
};

/* Of the subgraphs of one kind (WL_OPK_COUNT: of all). */
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
        if (kind != WL_OPK_COUNT && r.partition->subgraphs[i].kind != kind) {
            continue;
        }
        for (int32_t k = 0; k < m->event_count; k++) {
            enum wl_event e = (enum wl_event)m->events[k].event;
            double j_event =
                m->events[k].count * wl_energy_unit_pj(d, e, m->events[k].precision) * 1e-12;
            int level = ((int)e - (int)WL_EV_LEVEL_READ_0) / 2;
            s.events_j += j_event;
            s.dram_j += e >= WL_EV_LEVEL_READ_0 && level == main_level ? j_event : 0;
            s.mac_j += e == WL_EV_MATRIX_MAC || e == WL_EV_VECTOR_MAC ? j_event : 0;
            s.register_j += e == WL_EV_PE_STREAM ? j_event : 0;
        }
        s.all_j += r.energy.parts[i].static_j;
    }
    s.all_j += s.events_j;
    wl_result_done(&r);
    return s;
}

static double dram_share(const struct shares *s, enum whole of)
{
    double whole = of == OF_ALL      ? s->all_j
                   : of == OF_EVENTS ? s->events_j
                                     : s->dram_j + s->mac_j + s->register_j;
    return s->dram_j / whole;
}

/*
 * The array that Eyeriss' first paper simulates (ISCA 2016): 256 PEs, 128 KB, neither compression
 * nor gating of zeros, which the chip's prices hold (45 % less).
 */
static void simulated_array(struct wl_device *d)
{
    d->pipes[0].rows = d->pipes[0].cols = 16;
    d->pipes[0].ops_per_cycle[WL_PREC_INT16] = 512;
    d->pipes[1].ops_per_cycle[WL_PREC_INT16] = 256;
    d->levels[0].capacity_bytes = d->levels[1].capacity_bytes = 131072;
    d->levels[2].activation_compression = 1;
    for (int p = 0; p < WL_PREC_COUNT; p++) {
        d->event_pj[WL_EV_MATRIX_MAC][p] /= 0.55;
        d->event_pj[WL_EV_PE_STREAM][p] /= 0.55;
    }
}

/*
 * Published shares and where they are from; docs/energy.md, section 6, has the same list. "Agrees"
 * is within 10 percentage points and a factor of 1.5.
 */
struct published {
    const char *what;
    const char *model;
    int64_t batch;
    enum wl_op_kind kind;
    bool simulated; /* the array of ISCA 2016 instead of the chip */
    enum whole of;
    double share;
    double ours; /* held to 2 points */
    bool agrees;
};

/* clang-format off */
static const struct published published[] = {
    /* memory-bound. Han et al., ISCA 2016: 640 pJ of DRAM per weight, 4.6 of arithmetic, 5 of SRAM */
    {"fully connected, no reuse",    "alexnet_caffe",   1,  WL_OPK_GEMM, false, OF_EVENTS, 0.985, 0.91, true},
    /* Chen et al., ISCA 2016, figure 10, as stanford-mast/nn_dataflow reproduces it */
    {"ISCA 2016, fully connected",   "alexnet_caffe",   16, WL_OPK_GEMM, true,  OF_MACS_AND_REGISTERS, 0.719, 0.82, false},
    /* CNNergy (Manasi et al., TVLSI 2020), computed with its published code */
    {"CNNergy, fully connected",     "alexnet_caffe",   18, WL_OPK_GEMM, false, OF_EVENTS, 0.840, 0.80, true},
    {"CNNergy, with clock",          "alexnet_caffe",   18, WL_OPK_GEMM, false, OF_ALL,    0.694, 0.43, false},
    {"CNNergy, fully connected",     "vgg16",           18, WL_OPK_GEMM, false, OF_EVENTS, 0.837, 0.80, true},
    {"CNNergy, with clock",          "vgg16",           18, WL_OPK_GEMM, false, OF_ALL,    0.677, 0.43, false},
    /* compute-bound. Chen et al., JSSC 2017: watts and accesses, at 460 pJ (nn_dataflow) */
    {"the chip, convolutions",       "alexnet_caffe",   4,  WL_OPK_CONV, false, OF_ALL,    0.100, 0.14, true},
    {"the chip, convolutions",       "vgg16",           3,  WL_OPK_CONV, false, OF_ALL,    0.068, 0.15, false},
    {"ISCA 2016, convolutions",      "alexnet_caffe",   16, WL_OPK_CONV, true,  OF_MACS_AND_REGISTERS, 0.150, 0.20, true},
    {"CNNergy, convolutions",        "alexnet_caffe",   6,  WL_OPK_CONV, false, OF_EVENTS, 0.218, 0.22, true},
    {"CNNergy, with clock",          "alexnet_caffe",   6,  WL_OPK_CONV, false, OF_ALL,    0.113, 0.14, true},
    {"CNNergy, convolutions",        "vgg16",           6,  WL_OPK_CONV, false, OF_EVENTS, 0.285, 0.23, true},
    {"CNNergy, with clock",          "vgg16",           6,  WL_OPK_CONV, false, OF_ALL,    0.152, 0.15, true},
    {"CNNergy, convolutions",        "googlenet_caffe", 6,  WL_OPK_CONV, false, OF_EVENTS, 0.364, 0.35, true},
    {"CNNergy, with clock",          "googlenet_caffe", 6,  WL_OPK_CONV, false, OF_ALL,    0.207, 0.23, true},
    {"CNNergy, convolutions",        "squeezenet1_1",   6,  WL_OPK_CONV, false, OF_EVENTS, 0.454, 0.49, true},
    {"CNNergy, with clock",          "squeezenet1_1",   6,  WL_OPK_CONV, false, OF_ALL,    0.276, 0.31, true},
};
/* clang-format on */

static bool agree(double ours, double theirs)
{
    return fabs(ours - theirs) <= 0.10 && ours <= 1.5 * theirs && theirs <= 1.5 * ours;
}

static void published_shares(void **state)
{
    (void)state;
    int32_t wrong = 0;
    for (size_t i = 0; i < WL_ARRAY_LEN(published); i++) {
        const struct published *p = &published[i];
        struct job j;
        struct wl_device d = load("mit_eyeriss");
        if (p->simulated) {
            simulated_array(&d);
        }
        job_zoo(&j, p->model, p->batch);
        struct shares s = shares_of(&j, &d, WL_PREC_INT16, p->kind);
        double ours = dram_share(&s, p->of);
        bool as_listed = fabs(ours - p->ours) <= 0.02 && agree(ours, p->share) == p->agrees;
        wrong += as_listed ? 0 : 1;
        print_message("%s %-28s %-15s published %4.1f %%, here %4.1f %%%s\n",
                      as_listed ? "    " : "FAIL", p->what, p->model, 100 * p->share, 100 * ours,
                      agree(ours, p->share) ? "" : ", does not agree");
        job_done(&j);
    }
    assert_int_equal(wrong, 0);
}

/* What crosses DRAM for the convolutions, in MB: 0.0029 accesses of 16 bit per multiplication of
   AlexNet (batch 4) and 0.0035 of VGG-16 (batch 3), as Chen et al. count (JSSC 2017). */
static void eyeriss_dram_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *model;
        int64_t batch;
        double per_mac;
    } cases[] = {{"alexnet_caffe", 4, 0.0029}, {"vgg16", 3, 0.0035}};
    for (size_t i = 0; i < WL_ARRAY_LEN(cases); i++) {
        struct job j;
        struct wl_device d = load("mit_eyeriss");
        job_zoo(&j, cases[i].model, cases[i].batch);
        struct shares s = shares_of(&j, &d, WL_PREC_INT16, WL_OPK_CONV);
        double macs = s.mac_j / (d.event_pj[WL_EV_MATRIX_MAC][WL_PREC_INT16] * 1e-12);
        double words = s.dram_j / (d.levels[2].read_pj_per_byte * 1e-12) / 2;
        print_message("%s: %.4f DRAM accesses per MAC, published %.4f\n", cases[i].model,
                      words / macs, cases[i].per_mac);
        assert_true(fabs(words / macs / cases[i].per_mac - 1) < 0.2);
        job_done(&j);
    }
}

/* GoogLeNet on Eyeriss with DRAM: arithmetic takes 10 % (Yang et al., CVPR 2017). */
static void googlenet_moves_data(void **state)
{
    (void)state;
    struct job j;
    struct wl_device d = load("mit_eyeriss");
    job_zoo(&j, "googlenet_caffe", 1);
    struct shares s = shares_of(&j, &d, WL_PREC_INT16, WL_OPK_COUNT);
    print_message("googlenet: arithmetic %.1f %%, published 10 %%\n", 100 * s.mac_j / s.events_j);
    assert_true(agree(s.mac_j / s.events_j, 0.10));
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
                  100 * dram_share(&s, OF_ALL));
    assert_true(agree(dram_share(&s, OF_ALL), 0.15));
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
        cmocka_unit_test(saturating_product),   cmocka_unit_test(resnet18_on_a100),
        cmocka_unit_test(mobilenet_v2_on_a100), cmocka_unit_test(published_shares),
        cmocka_unit_test(eyeriss_dram_bytes),   cmocka_unit_test(googlenet_moves_data),
        cmocka_unit_test(decoding_on_h100),
    };
    return cmocka_run_group_tests(tests, open_world, close_world);
}
