/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Broken registry files: each ends in a message with the JSON path and with what would be right,
 * and in nothing else. A case replaces one piece of a correct file by something wrong.
 */
#include "hw_test.h"

struct broken {
    const char *what;
    const char *from, *to;      /* replaced once; from NULL: `to` is the whole file */
    const char *path, *message; /* parts that the error must have */
};

static const char good_spec[] =
    "{\"schema_version\": 1, \"id\": \"x\", \"name\": \"X\", \"vendor\": \"V\", \"class\": "
    "\"cpu\",\n"
    " \"process\": \"generic_7nm\", \"sources\": {\"a\": \"sheet\"},\n"
    " \"units\": [{\"name\": \"core\", \"count\": 4, \"clock_hz\": 2e9, \"source\": \"a\"}],\n"
    " \"pipes\": [{\"name\": \"simd\", \"kind\": \"vector\", \"units\": \"core\",\n"
    "   \"ops_per_cycle\": {\"fp32\": 16}, \"simd_bits\": 256, \"source\": \"a\"}],\n"
    " \"memory\": [{\"name\": \"l1\", \"scope\": \"unit\", \"capacity_bytes\": 32768,\n"
    "   \"bytes_per_cycle\": 64, \"technology\": \"sram\", \"source\": \"a\"},\n"
    "  {\"name\": \"dram\", \"scope\": \"device\", \"capacity_bytes\": 8589934592,\n"
    "   \"bandwidth_bps\": 25.6e9, \"bus_bits\": 64, \"data_rate_bps\": 3.2e9,\n"
    "   \"technology\": \"ddr4\", \"source\": \"a\"}],\n"
    " \"power\": {\"tdp_w\": 50, \"idle_w\": 5, \"scope\": \"module\", \"source\": \"a\"},\n"
    " \"power_modes\": [{\"name\": \"50W\", \"tdp_w\": 50, \"source\": \"a\"},\n"
    "   {\"name\": \"20W\", \"tdp_w\": 20, \"clock_hz\": {\"core\": 1e9}, \"source\": \"a\"}],\n"
    " \"datasheet\": {\"vector_ops_per_s\": {\"fp32\": 128e9}, \"source\": \"a\"}}\n";

static const struct broken specs[] = {
    {"not JSON", "\"id\": \"x\",", "\"id\": x,", NULL, "line 1, column"},
    {"truncated", NULL, "{\"schema_version\": 1, \"id\": \"x", NULL, "not JSON"},
    {"empty", NULL, "", NULL, "is empty"},
    {"text after", NULL, "{} {}", NULL, "more text after"},
    {"array", NULL, "[]", NULL, "JSON object"},
    {"not UTF-8", "\"X\"", "\"\xff\"", NULL, "UTF-8"},
    {"duplicate key", "\"vendor\": \"V\",", "\"vendor\": \"V\", \"vendor\": \"W\",", NULL, "twice"},
    {"unknown key", "\"vendor\"", "\"vendro\"", "/vendro", "nearest: vendor"},
    {"unknown key inside", "\"simd_bits\"", "\"simd_bit\"", "/pipes/0/simd_bit", "simd_bits"},
    {"missing key", "\"process\": \"generic_7nm\",", "", "/process", "missing"},
    {"wrong type", "\"count\": 4", "\"count\": \"4\"", "/units/0/count", "a whole number"},
    {"not whole", "\"count\": 4", "\"count\": 4.5", "/units/0/count", "not whole"},
    {"out of range", "\"clock_hz\": 2e9", "\"clock_hz\": 2000", "/units/0/clock_hz", "Hz"},
    {"infinite", "\"clock_hz\": 2e9", "\"clock_hz\": 1e999", "/units/0/clock_hz", "out of range"},
    {"no source", "\"clock_hz\": 2e9, \"source\": \"a\"", "\"clock_hz\": 2e9", "/units/0",
     "no source"},
    {"unknown source", "\"bytes_per_cycle\": 64, \"technology\": \"sram\", \"source\": \"a\"",
     "\"bytes_per_cycle\": 64, \"technology\": \"sram\", \"source\": \"b\"", "/memory/0/source",
     "not a key of \"sources\""},
    {"assumed without reason", "\"tdp_w\": 50, \"idle_w\": 5",
     "\"tdp_w\": 50, \"idle_w\": {\"value\": 5, \"basis\": \"assumed\"}", "/power/idle_w",
     "reason"},
    {"unknown basis", "\"idle_w\": 5", "\"idle_w\": {\"value\": 5, \"basis\": \"guess\"}",
     "/power/idle_w/basis", "measured, datasheet"},
    {"object without value", "\"idle_w\": 5",
     "\"idle_w\": {\"basis\": \"assumed\", \"reason\": \"r\"}", "/power/idle_w", "\"value\""},
    {"unknown word", "\"kind\": \"vector\"", "\"kind\": \"simd\"", "/pipes/0/kind",
     "one of vector"},
    {"unknown precision", "\"fp32\": 16}", "\"float\": 16}", "/pipes/0/ops_per_cycle/float",
     "fp64 fp32"},
    {"no precision", "{\"fp32\": 16}", "{}", "/pipes/0/ops_per_cycle", "names no precision"},
    {"unknown group", "\"units\": \"core\"", "\"units\": \"cores\"", "/pipes/0/units",
     "one of core"},
    {"unknown process", "generic_7nm", "generic_9nm", "/process", "generic_7nm"},
    {"unknown memory", "\"ddr4\"", "\"ddr14\"", "/memory/1/technology", "ddr4"},
    {"no bandwidth", "\"bytes_per_cycle\": 64,", "", "/memory/0", "bandwidth_bps"},
    {"GB against GiB", "\"bandwidth_bps\": 25.6e9", "\"bandwidth_bps\": 23.8e9",
     "/memory/1/bandwidth_bps", "correct one of the three"},
    {"faster than its kind", "\"data_rate_bps\": 3.2e9", "\"data_rate_bps\": 4.8e9", "/memory/1",
     "DDR4"},
    {"weights fill the memory", "\"capacity_bytes\": 32768",
     "\"capacity_bytes\": 32768, \"managed\": true, \"weight_bytes\": 32768",
     "/memory/0/weight_bytes", "less than its 32768 bytes"},
    {"main memory not last", "\"scope\": \"device\"", "\"scope\": \"unit\"", "/memory/1/scope",
     "main memory"},
    {"idle above the limit", "\"idle_w\": 5", "\"idle_w\": 60", "/power/idle_w", "below the limit"},
    {"mode's group", "\"clock_hz\": {\"core\": 1e9}", "\"clock_hz\": {\"sm\": 1e9}",
     "/power_modes/1/clock_hz/sm", "one of core"},
    {"too many units active", "\"clock_hz\": {\"core\": 1e9}", "\"active_units\": {\"core\": 5}",
     "/power_modes/1/active_units/core", "5 of 4"},
    {"two modes alike", "\"name\": \"20W\"", "\"name\": \"50w (b)\"", "/power_modes/1/name",
     "cannot be told"},
    {"class key missing", "\"class\": \"cpu\"", "\"class\": \"gpu\"", "/gpu", "missing"},
    {"extends nothing", "\"vendor\": \"V\",", "\"vendor\": \"V\", \"extends\": \"nosuch\",",
     "/extends", "no device"},
    {"sparse peak", "128e9", "256e9", "/datasheet/vector_ops_per_s/fp32", "dense"},
    {"bad id", "\"id\": \"x\"", "\"id\": \"X y\"", "/id", "lower-case"},
};

static const char good_calibration[] =
    "{\"schema_version\": 1, \"device\": \"x\", \"power_mode\": \"50W\", \"clock_hz\": 1e9,\n"
    " \"framework\": \"numpy\", \"date\": \"2025-11-28\", \"tool\": \"t\", \"statistic\": "
    "\"median\",\n"
    " \"entries\": [{\"operation\": \"gemm\", \"precision\": \"fp32\", \"m\": 10, \"n\": 10, "
    "\"k\": 10,\n"
    "   \"time_s\": 1e-6, \"ops_per_s\": 2e9},\n"
    "  {\"operation\": \"gemm\", \"precision\": \"fp8\", \"unsupported\": true, \"reason\": "
    "\"none\"}]}\n";

static const struct broken calibrations[] = {
    {"date", "2025-11-28", "28.11.2025 ", "/date", "no date"},
    {"operation", "\"operation\": \"gemm\", \"precision\": \"fp32\"",
     "\"operation\": \"Mat Mul\", \"precision\": \"fp32\"", "/entries/0", "is no name"},
    {"precision", "\"precision\": \"fp32\"", "\"precision\": \"float\"", "/entries/0", "fp64 fp32"},
    {"rate against time", "\"ops_per_s\": 2e9", "\"ops_per_s\": 1e9", "/entries/0", "correct one"},
    {"no figure", "\"time_s\": 1e-6, \"ops_per_s\": 2e9", "\"min_s\": 1e-6", "/entries/0",
     "no figure"},
    {"no reason", ", \"reason\": \"none\"", "", "/entries/1", "say why"},
    {"statistic", "\"median\"", "\"average\"", "/statistic", "median"},
    {"no entries", "\"clock_hz\": 1e9", "\"clock_hz\": 9e99", "/clock_hz", "out of range"},
    {"framework missing", "\"framework\": \"numpy\",", "", "/framework", "missing"},
};

static void replaced(const char *text, const struct broken *b, char *out, size_t size)
{
    if (b->from == NULL) {
        (void)snprintf(out, size, "%s", b->to);
        return;
    }
    const char *at = strstr(text, b->from);
    if (at == NULL) {
        fail_msg("%s: the piece to replace is not there", b->what);
        return;
    }
    (void)snprintf(out, size, "%.*s%s%s", (int)(at - text), text, b->to, at + strlen(b->from));
}

/* The problem that a case expects is among those found, or is the error itself. */
static void expect(struct wl_registry *r, const char *path, const struct broken *b)
{
    const char *kind = NULL;
    struct wl_hw_problem *problems = NULL;
    struct wl_error err = {0};
    int32_t count = 0;
    bool found = false;
    if (wl_hw_check(r, path, &kind, &problems, &count, &err) != WL_OK) {
        found = strstr(err.message, b->message) != NULL &&
                (b->path == NULL || strstr(err.where, b->path) != NULL);
        problems = NULL;
        count = 0;
    }
    for (int32_t i = 0; i < count; i++) {
        found = found || (b->path != NULL && strstr(problems[i].path, b->path) != NULL &&
                          strstr(problems[i].message, b->message) != NULL && !problems[i].warning);
    }
    if (!found) {
        fail_msg("%s: expected %s ... %s; got %d problems, first %s %s; %s %s", b->what,
                 b->path == NULL ? "" : b->path, b->message, count,
                 count > 0 ? problems[0].path : "", count > 0 ? problems[0].message : "", err.where,
                 err.message);
    }
}

static void run_cases(const char *text, const struct broken *cases, size_t count)
{
    struct wl_registry r;
    char folder[256], path[320], file[8192];
    struct wl_hw_problem *problems = NULL;
    struct wl_error err;
    const char *kind = NULL;
    int32_t found = 0;
    hw_open(&r);
    hw_temp(folder, sizeof(folder));
    (void)snprintf(path, sizeof(path), "%s/file.json", folder);
    hw_write(path, text);
    if (wl_hw_check(&r, path, &kind, &problems, &found, &err) != WL_OK || found != 0) {
        fail_msg("the correct file has %d problems: %s", found,
                 found > 0 ? problems[0].message : err.message);
    }
    for (size_t i = 0; i < count; i++) {
        replaced(text, &cases[i], file, sizeof(file));
        hw_write(path, file);
        expect(&r, path, &cases[i]);
    }
    hw_remove(folder);
    wl_registry_close(&r);
}

static void test_specs(void **state)
{
    (void)state;
    run_cases(good_spec, specs, WL_ARRAY_LEN(specs));
}

static void test_calibrations(void **state)
{
    (void)state;
    run_cases(good_calibration, calibrations, WL_ARRAY_LEN(calibrations));
}

static void test_load_says_the_first(void **state)
{
    struct wl_registry r;
    const struct wl_spec *s = NULL;
    struct wl_error err;
    char folder[256], path[320];
    (void)state;
    hw_open(&r);
    hw_temp(folder, sizeof(folder));
    (void)snprintf(path, sizeof(path), "%s/bad.json", folder);
    hw_write(path, "{\"schema_version\": 2, \"id\": \"x\"}");
    assert_int_equal(wl_registry_load(&r, path, &s, &err), WL_ERR_INVALID);
    assert_non_null(strstr(err.where, "/schema_version"));
    assert_non_null(strstr(err.message, "more; `hw check`"));
    assert_int_equal(wl_registry_load(&r, folder, &s, &err), WL_ERR_IO);
    assert_int_equal(wl_registry_load(&r, "nosuch/spec.json", &s, &err), WL_ERR_IO);
    assert_int_equal(wl_registry_load(&r, "intel_xeon_8490", &s, &err), WL_ERR_USAGE);
    assert_non_null(strstr(err.message, "intel_xeon_8490h"));
    hw_remove(folder);
    wl_registry_close(&r);
}

/* Nested too deep, too many keys, a huge file: an error, quickly. */
static void test_hostile(void **state)
{
    struct wl_registry r;
    const struct wl_spec *s = NULL;
    struct wl_error err;
    char folder[256], path[320];
    (void)state;
    hw_open(&r);
    hw_temp(folder, sizeof(folder));
    (void)snprintf(path, sizeof(path), "%s/bad.json", folder);
    size_t size = 4 << 20;
    char *text = calloc(1, size);
    assert_non_null(text);
    for (int i = 0; i < 100000; i++) {
        memcpy(text + i * 5, "{\"a\":", 5);
    }
    hw_write(path, text);
    assert_int_not_equal(wl_registry_load(&r, path, &s, &err), WL_OK);
    size_t n = 0;
    n += (size_t)snprintf(text, size, "{\"k\": 0");
    for (int i = 0; i < 100000; i++) {
        n += (size_t)snprintf(text + n, size - n, ",\"k%d\": 0", i);
    }
    (void)snprintf(text + n, size - n, "}");
    hw_write(path, text);
    assert_int_equal(wl_registry_load(&r, path, &s, &err), WL_ERR_LIMIT);
    free(text);
    hw_remove(folder);
    wl_registry_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_specs),
        cmocka_unit_test(test_calibrations),
        cmocka_unit_test(test_load_says_the_first),
        cmocka_unit_test(test_hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
