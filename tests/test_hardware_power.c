/* SPDX-License-Identifier: Apache-2.0 */
/* Power profiles: the published figures of the Jetson Orin Nano, estimated watts, centred headings.
 */
#include <math.h>

#include "hw_test.h"

static const struct wl_power_table *table_of(const struct wl_power_profile *p,
                                             enum wl_precision prec)
{
    for (int32_t i = 0; i < p->table_count; i++) {
        if (p->tables[i].precision == prec) {
            return &p->tables[i];
        }
    }
    fail_msg("no table of %s", wl_precision_name(prec));
    return NULL;
}

static void test_orin_nano(void **state)
{
    /* mode, MHz, peak: 4 or 8 SMs x 2048 x MHz, GB/s, then as published */
    static const struct {
        const char *mode;
        double mhz, peak, memory, axpy, axpy_bytes, gemv, gemv_bytes, gemm, gemm_bytes, watts,
            per_w;
    } rows[] = {
        {"7W", 306, 2506.8, 68.3, 4.9, 14.7, 18.0, 18.0, 1911.2, 2.8, 7.0, 273.0},
        {"15W", 612, 10027.0, 68.3, 8.1, 24.4, 15.3, 15.3, 3128.4, 4.6, 15.0, 208.6},
        {"25W", 918, 15040.5, 102.4, 11.9, 35.6, 21.6, 21.6, 3749.3, 5.5, 25.0, 150.0},
        {"MAXN_SUPER", 1020, 16711.7, 102.4, 12.0, 36.0, 27.8, 27.9, 2772.9, 4.1, 27.8, 99.8},
    };
    struct wl_registry r;
    struct wl_power_profile p;
    struct wl_error err;
    (void)state;
    hw_open(&r);
    assert_int_equal(wl_power_profile(&r, "jetson_orin_nano_gpu", NULL, &p, &err), WL_OK);
    const struct wl_power_table *t = table_of(&p, WL_PREC_BF16);
    assert_int_equal(t->row_count, 4);
    for (int32_t i = 0; i < 4; i++) {
        const struct wl_power_row *row = &t->rows[i];
        const double found[] = {row->clock_hz / 1e6,
                                row->peak_ops_per_s / 1e9,
                                row->bandwidth_bytes_per_s / 1e9,
                                row->axpy.ops_per_s / 1e9,
                                row->axpy.bytes_per_s / 1e9,
                                row->gemv.ops_per_s / 1e9,
                                row->gemv.bytes_per_s / 1e9,
                                row->gemm.ops_per_s / 1e9,
                                row->gemm.bytes_per_s / 1e9,
                                row->power_w,
                                row->gemm_ops_per_j / 1e9};
        const double expected[] = {rows[i].mhz,        rows[i].peak,       rows[i].memory,
                                   rows[i].axpy,       rows[i].axpy_bytes, rows[i].gemv,
                                   rows[i].gemv_bytes, rows[i].gemm,       rows[i].gemm_bytes,
                                   rows[i].watts,      rows[i].per_w};
        assert_string_equal(row->power_mode, rows[i].mode);
        assert_true(row->power_estimated == (i == 3));
        for (size_t k = 0; k < WL_ARRAY_LEN(found); k++) {
            if (fabs(found[k] - expected[k]) > 0.051) {
                fail_msg("%s column %zu: %.3f, expected %.1f", row->power_mode, k, found[k],
                         expected[k]);
            }
        }
    }
    wl_registry_close(&r);
}

static void test_scaling(void **state)
{
    static const struct {
        const char *to;
        double power, performance, change;
    } rows[] = {
        {"15W", 2.1, 1.5, -27.8}, {"25W", 3.6, 1.9, -48.1}, {"MAXN_SUPER", 4.0, 1.5, -61.3}};
    struct wl_registry r;
    struct wl_power_profile p;
    struct wl_error err;
    (void)state;
    hw_open(&r);
    assert_int_equal(wl_power_profile(&r, "jetson_orin_nano_gpu", "pytorch", &p, &err), WL_OK);
    assert_int_equal(p.scaling_count, 3);
    for (int32_t i = 0; i < 3; i++) {
        assert_string_equal(p.scaling[i].from, "7W");
        assert_string_equal(p.scaling[i].to, rows[i].to);
        assert_true(fabs(p.scaling[i].power_ratio - rows[i].power) < 0.051);
        assert_true(fabs(p.scaling[i].performance_ratio - rows[i].performance) < 0.051);
        assert_true(fabs(100 * p.scaling[i].efficiency_change - rows[i].change) < 0.051);
    }
    assert_int_equal(wl_power_profile(&r, "jetson_orin_nano_gpu", "numpy", &p, &err), WL_ERR_USAGE);
    assert_int_equal(wl_power_profile(&r, "h100", NULL, &p, &err), WL_OK);
    assert_int_equal(p.calibration_count, 0);
    wl_registry_close(&r);
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* Columns [begin, end) of the text between the bars of a line. */
static void segment(const char *line, int index, int *begin, int *end)
{
    const char *s = line;
    for (int i = 0; i <= index; i++) {
        s = strstr(s, " | ");
        assert_non_null(s);
        s += 3;
    }
    const char *stop = strstr(s, " | ");
    int line_end = (int)strcspn(line, "\n");
    *begin = (int)(s - line);
    *end = stop != NULL && stop - line < line_end ? (int)(stop - line) : line_end;
}

/* A heading's margins inside its segment differ by at most one. */
static void check_centred(const char *headings, const char *below, int index)
{
    int begin, end, first, last;
    segment(below, index, &first, &last);
    segment(headings, index, &begin, &end);
    assert_int_equal(begin, first);
    int left = 0, right = last - begin;
    while (headings[begin + left] == ' ') {
        left++;
    }
    int text_end = begin + left;
    for (int i = begin + left; i < end && headings[i] != '\n' && headings[i] != '\0'; i++) {
        text_end = headings[i] != ' ' ? i + 1 : text_end;
    }
    right = last - text_end;
    if (left - right > 1 || right - left > 1) {
        fail_msg("segment %d: %d left, %d right of the heading\n%.400s", index, left, right,
                 headings);
    }
}

static void random_rows(struct wl_power_row *rows, int count, uint32_t *seed)
{
    static char names[4][40];
    for (int i = 0; i < count; i++) {
        double figures[11];
        for (int k = 0; k < 11; k++) {
            figures[k] = pow(10, (double)(next_random(seed) % 18)) * (1 + next_random(seed) % 9);
        }
        int length = 1 + (int)(next_random(seed) % 30);
        memset(names[i], 'a' + i, (size_t)length);
        names[i][length] = '\0';
        rows[i] = (struct wl_power_row){.power_mode = names[i],
                                        .framework = "f",
                                        .clock_hz = figures[0],
                                        .peak_ops_per_s = figures[1],
                                        .bandwidth_bytes_per_s = figures[2],
                                        .axpy = {figures[3], figures[4]},
                                        .gemv = {figures[5], figures[6]},
                                        .gemm = {figures[7], figures[8]},
                                        .power_w = figures[9] / 1e12,
                                        .power_estimated = next_random(seed) % 2 == 0,
                                        .gemm_ops_per_j = figures[10]};
    }
}

static void test_headings_are_centred(void **state)
{
    uint32_t seed = 12345;
    (void)state;
    for (int round = 0; round < 500; round++) {
        struct wl_power_row rows[4];
        random_rows(rows, 4, &seed);
        struct wl_power_table t = {WL_PREC_BF16, rows, 1 + (int32_t)(next_random(&seed) % 4)};
        struct wl_power_profile p = {.device = "d", .tables = &t, .table_count = 1};
        struct wl_buf out;
        wl_buf_init(&out);
        wl_power_text(&p, &out);
        char *line = strstr(out.data, "[BF16]\n");
        assert_non_null(line);
        line += 7;
        char *columns = strchr(line, '\n') + 1;
        for (int i = 0; i < 3; i++) {
            check_centred(line, columns, i);
        }
        /* every row is as wide as the column headings */
        size_t width = strcspn(columns, "\n");
        char *row = columns;
        for (int32_t i = 0; i < t.row_count; i++) {
            row = strchr(row, '\n') + 1;
            assert_int_equal(strcspn(row, "\n"), width);
        }
        wl_buf_done(&out);
    }
}

static void test_selection(void **state)
{
    struct wl_registry r;
    const struct wl_calibration *c = NULL;
    struct wl_error err;
    (void)state;
    hw_open(&r);
    assert_int_equal(wl_calibration_select(&r, "jetson_orin_nano_gpu", NULL, NULL, &c, &err),
                     WL_OK);
    assert_non_null(c); /* the newest by the date inside */
    assert_true(strncmp(c->date, "2025-11-28", 10) == 0);
    assert_int_equal(wl_calibration_select(&r, "jetson_orin_nano_gpu",
                                           "power_mode=7w,framework=PyTorch", NULL, &c, &err),
                     WL_OK);
    assert_string_equal(c->name, "7W_306MHz_pytorch");
    assert_false(c->supported[WL_PREC_FP8]);
    assert_true(c->unsupported[WL_PREC_FP8]);
    assert_true(c->supported[WL_PREC_TF32]);
    assert_int_equal(
        wl_calibration_select(&r, "jetson_orin_nano_gpu", NULL, "MAXN SUPER", &c, &err), WL_OK);
    assert_string_equal(c->power_mode, "MAXN_SUPER");
    assert_int_equal(
        wl_calibration_select(&r, "jetson_orin_nano_gpu", "framework=numpy", NULL, &c, &err),
        WL_ERR_USAGE);
    assert_non_null(strstr(err.message, "power_mode=25W,framework=pytorch"));
    assert_int_equal(wl_calibration_select(&r, "h100", "framework=x", NULL, &c, &err),
                     WL_ERR_USAGE);
    assert_int_equal(wl_calibration_select(&r, "h100", NULL, NULL, &c, &err), WL_OK);
    assert_null(c);
    assert_int_equal(wl_calibration_select(&r, "jetson_orin_nano_gpu", "none", NULL, &c, &err),
                     WL_OK);
    assert_null(c);
    assert_int_equal(
        wl_calibration_select(&r, "jetson_orin_nano_gpu", "colour=red", NULL, &c, &err),
        WL_ERR_USAGE);
    assert_int_equal(wl_calibration_select(&r, "jetson_orin_nano_gpu", "25W", NULL, &c, &err),
                     WL_ERR_USAGE);
    wl_registry_close(&r);
}

/* The converter keeps every digit, and what it writes loads and passes. */
static void test_import(void **state)
{
    static const char old[] =
        "{\"metadata\": {\"calibration_date\": \"2025-11-27T14:11:26.719146\", \"framework\": "
        "\"pytorch\","
        " \"pytorch_version\": \"2.5\", \"calibration_tool_version\": \"1.0.0\", \"cpu_count\": 4,"
        " \"gpu_clock\": {\"sm_clock_mhz\": 918, \"max_sm_clock_mhz\": 918, \"power_mode_name\": "
        "\"25W\"}},"
        " \"operation_profiles\": {\"g\": {\"operation_type\": \"blas3_gemm\", \"extra_params\": "
        "{\"size\": 32},"
        " \"precision_results\": {\"fp32\": {\"supported\": true, \"measured_gops\": "
        "0.14362978169161156,"
        " \"mean_latency_ms\": 0.456284199754009}, \"fp8\": {\"supported\": false,"
        " \"failure_reason\": \"no \\\"fp8\\\"\"}}},"
        " \"s\": {\"operation_type\": \"stream_copy\", \"achieved_bandwidth_gbps\": 500.5,"
        " \"mean_latency_ms\": 0.1, \"input_shape\": [1000], \"extra_params\": "
        "{\"num_memory_ops\": 2}},"
        " \"u\": {\"operation_type\": \"something_new\"}}}";
    struct wl_registry r;
    struct wl_buf out;
    struct wl_error err;
    struct wl_hw_problem *problems = NULL;
    const char *name = NULL;
    char folder[256], path[320];
    int32_t count = 0;
    (void)state;
    hw_open(&r);
    hw_temp(folder, sizeof(folder));
    (void)snprintf(path, sizeof(path), "%s/old.json", folder);
    hw_write(path, old);
    wl_buf_init(&out);
    assert_int_equal(wl_calibration_import(&r, path, NULL, &out, &name, &err), WL_ERR_USAGE);
    if (wl_calibration_import(&r, path, "jetson_orin_nano_gpu", &out, &name, &err) != WL_OK) {
        fail_msg("%s: %s", err.where, err.message);
    }
    assert_string_equal(name, "25W_918MHz_pytorch.json");
    assert_non_null(strstr(out.data, "\"ops_per_s\": 143629781.69161156"));
    assert_non_null(strstr(out.data, "\"time_s\": 0.000456284199754009"));
    assert_non_null(strstr(out.data, "\"bandwidth_includes_cache\": true"));
    assert_null(strstr(out.data, "clock_read_idle"));
    hw_write(path, out.data);
    if (wl_calibration_check(&r, path, &problems, &count, &err) != WL_OK || count != 0) {
        fail_msg("%s", count > 0 ? problems[0].message : err.message);
    }
    hw_write(path, "{\"metadata\": {}}");
    assert_int_equal(wl_calibration_import(&r, path, "h100", &out, &name, &err), WL_ERR_INVALID);
    wl_buf_done(&out);
    hw_remove(folder);
    wl_registry_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orin_nano),
        cmocka_unit_test(test_scaling),
        cmocka_unit_test(test_headings_are_centred),
        cmocka_unit_test(test_selection),
        cmocka_unit_test(test_import),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
