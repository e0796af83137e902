/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TPU v1 on four of its six applications (Jouppi et al., "In-datacenter performance analysis of a
 * tensor processing unit", ISCA 2017, tables 1 and 3). The networks are not public; what is:
 * weights, and multiplications per weight byte, which is the batch where every weight is used once
 * per example (MLP, LSTM) and batch times positions in a convolution. CNN0 has 2,888 = 8 x 19 x 19.
 *
 *          weights  batch  measured TOPS (2 per multiplication)
 *   MLP0   20 M     200    12.3
 *   MLP1    5 M     168     9.7
 *   LSTM0  52 M      64     3.7
 *   CNN0    8 M       8    86
 */
#include "map_fixture.h"

static struct wl_registry registry;

struct app {
    const char *name;
    int layers;
    int64_t m, n, k;
    double measured_tops;
    bool reported_only;
};

static const struct app apps[] = {
    {"MLP0", 5, 200, 2000, 2000, 12.3, false}, /* 20 M weights */
    {"MLP1", 5, 168, 1000, 1000, 9.7, false},  /* 5 M */
    {"LSTM0", 6, 64, 5888, 1472, 3.7, false},  /* 52 M: four gates each, one step */
    {"CNN0", 8, 2888, 256, 2304, 86,
     false}, /* 3 x 3, 256 channels, 19 x 19 positions: 0.59 M a layer */
    {"LSTM1", 8, 96, 600, 600, 2.8, true}, /* 600 x 600 matrices, of which 94 hold the 34 M */
};

static void test_tops(void **state)
{
    (void)state;
    const struct wl_spec *spec = NULL;
    const struct wl_runtime *generic = NULL;
    struct wl_error err;
    assert_int_equal(wl_registry_load(&registry, "google_tpu_v1", &spec, &err), WL_OK);
    assert_int_equal(wl_runtime_load(&registry, "generic", &generic, &err), WL_OK);
    for (size_t i = 0; i < WL_ARRAY_LEN(apps); i++) {
        const struct app *a = &apps[i];
        struct fixture f;
        fixture_init(&f);
        fixture_device(&f, WL_HW_TPU, 1);
        assert_int_equal(wl_spec_device(spec, NULL, &f.device, &err), WL_OK);
        f.options.policy = (struct wl_precision_policy){WL_PREC_INT8, WL_PREC_INT8, WL_PREC_INT8};
        f.options.runtime = generic;
        fixture_input(&f, 0);
        double macs = 0;
        for (int32_t l = 0; l < a->layers; l++) {
            struct wl_product p = {.g = 1, .m = a->m, .n = a->n, .k = a->k, .integer = true};
            bool conv = a->k != a->n && a->m > 1000;
            int64_t in = conv ? a->m * a->k / 9 : a->m * a->k;
            struct wl_subgraph *s = fixture_product(&f, l == 0 ? 0 : 3 + l % 2, in, 5 + l,
                                                    a->n * a->k, 3 + (l + 1) % 2, p);
            s->quantized = true;
            macs += (double)s->macs;
        }
        fixture_run(&f);
        double tops = 2 * macs / f.roofline.latency_s / 1e12;
        bool off = tops > 1.2 * a->measured_tops || tops < 0.8 * a->measured_tops;
        if (off && !a->reported_only) {
            fail_msg("%s: %.2f TOPS, measured %.2f", a->name, tops, a->measured_tops);
        }
        print_message("%s: %.2f TOPS, measured %.2f, bound %s\n", a->name, tops, a->measured_tops,
                      wl_bound_name(&f.device, f.roofline.bound));
        fixture_done(&f);
    }
}

static int open_registry(void **state)
{
    (void)state;
    static const char *const roots[] = {WL_SOURCE_DIR "/registry"};
    struct wl_error err;
    return wl_registry_open(&registry, roots, 1, &err) == WL_OK ? 0 : -1;
}

static int close_registry(void **state)
{
    (void)state;
    wl_registry_close(&registry);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_tops)};
    return cmocka_run_group_tests(tests, open_registry, close_registry);
}
