/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listing: a registry of 2,000 devices, files that are broken, two roots, and that the quick look
 * of the list agrees with a full load.
 */
#include <math.h>
#include <time.h>

#include "hw_test.h"

/* Processor time: a busy machine must not fail the test. */
static double now_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* The text of a spec with another id and without its aliases' text. */
static void copy_as(const char *text, const char *old_id, const char *id, const char *path)
{
    char key[128], replacement[128];
    (void)snprintf(key, sizeof(key), "\"id\": \"%s\"", old_id);
    (void)snprintf(replacement, sizeof(replacement), "\"id\": \"%s\"", id);
    const char *at = strstr(text, key);
    assert_non_null(at);
    size_t size = strlen(text) + 256;
    char *out = malloc(size);
    assert_non_null(out);
    (void)snprintf(out, size, "%.*s%s%s", (int)(at - text), text, replacement, at + strlen(key));
    hw_write(path, out);
    free(out);
}

static void test_two_thousand(void **state)
{
    struct wl_registry r;
    struct wl_registry_entry *entries = NULL;
    struct wl_error *broken = NULL, err;
    int32_t count = 0, broken_count = 0;
    char folder[256], path[400];
    char *text = hw_read(WL_SOURCE_DIR "/registry/cpu/intel_xeon_8490h/spec.json");
    (void)state;
    assert_non_null(text);
    hw_temp(folder, sizeof(folder));
    for (int i = 0; i < 2000; i++) {
        char id[32];
        (void)snprintf(id, sizeof(id), "device_%04d", i);
        (void)snprintf(path, sizeof(path), "%s/cpu/%s/spec.json", folder, id);
        copy_as(text, "intel_xeon_8490h", id, path);
    }
    free(text);
    hw_open_two(&r, folder);
    double begin = now_s();
    assert_int_equal(wl_registry_list(&r, &entries, &count, &broken, &broken_count, &err), WL_OK);
    double seconds = now_s() - begin;
    print_message("%d devices in %.1f ms of processor time\n", count, 1e3 * seconds);
    assert_int_equal(broken_count, 0);
    assert_true(count >= 2092);
    assert_true(seconds <
                1.0); /* an unoptimised build with sanitizers; the bench has the real bar */
    for (int32_t i = 1; i < count; i++) {
        bool sorted = entries[i - 1].class < entries[i].class ||
                      (entries[i - 1].class == entries[i].class &&
                       strcmp(entries[i - 1].id, entries[i].id) < 0);
        assert_true(sorted);
    }
    wl_registry_close(&r);
    hw_remove(folder);
}

static void test_broken_and_shadowed(void **state)
{
    struct wl_registry r;
    struct wl_registry_entry *entries = NULL;
    struct wl_error *broken = NULL, err;
    int32_t count = 0, broken_count = 0, h100 = 0;
    char folder[256], path[400];
    (void)state;
    hw_temp(folder, sizeof(folder));
    (void)snprintf(path, sizeof(path), "%s/cpu/torn/spec.json", folder);
    hw_write(path, "{\"id\": \"torn\", \"name\": \"unterminated");
    (void)snprintf(path, sizeof(path), "%s/cpu/void/spec.json", folder);
    hw_write(path, "");
    (void)snprintf(path, sizeof(path), "%s/cpu/nameless/spec.json", folder);
    hw_write(path, "{\"id\": \"nameless\"}");
    (void)snprintf(path, sizeof(path), "%s/gpu/nvidia_h100_sxm/spec.json", folder);
    hw_write(path, "{\"id\": \"nvidia_h100_sxm\", \"name\": \"mine\", \"class\": \"gpu\"}");
    (void)snprintf(path, sizeof(path), "%s/gpu/only_calibrations/calibrations/x.json", folder);
    hw_write(path, "{}");
    hw_open_two(&r, folder);
    assert_int_equal(wl_registry_list(&r, &entries, &count, &broken, &broken_count, &err), WL_OK);
    assert_int_equal(broken_count, 3);
    for (int32_t i = 0; i < broken_count; i++) {
        assert_true(strstr(broken[i].where, "torn") != NULL ||
                    strstr(broken[i].where, "void") != NULL ||
                    strstr(broken[i].where, "nameless") != NULL);
    }
    for (int32_t i = 0; i < count; i++) {
        h100 += strcmp(entries[i].id, "nvidia_h100_sxm") == 0 ? 1 : 0;
        assert_string_not_equal(entries[i].name, "mine"); /* the first root wins */
    }
    assert_int_equal(h100, 1);
    wl_registry_close(&r);
    hw_remove(folder);
}

/* What the list skims is what a full load decodes. */
static void test_agrees_with_load(void **state)
{
    struct wl_registry r;
    struct wl_registry_entry *entries = NULL;
    struct wl_error err;
    int32_t count = 0;
    (void)state;
    hw_open(&r);
    assert_int_equal(wl_registry_list(&r, &entries, &count, NULL, NULL, &err), WL_OK);
    for (int32_t i = 0; i < count; i++) {
        const struct wl_registry_entry *e = &entries[i];
        const struct wl_spec *s = hw_load(&r, e->id);
        struct wl_device d = hw_device(&r, e->id, NULL);
        assert_string_equal(e->name, d.name);
        assert_string_equal(e->vendor, d.vendor);
        assert_int_equal(e->class, d.class);
        hw_near(e->process_nm, d.process_nm, 1e-12);
        int32_t modes = e->power_mode_count == 0 ? 1 : e->power_mode_count;
        assert_int_equal(modes, wl_spec_mode_count(s));
        for (int32_t k = 0; k < e->power_mode_count; k++) {
            assert_string_equal(e->power_modes[k], wl_spec_mode_name(s, k));
        }
        for (int p = 0; p < WL_PREC_COUNT; p++) {
            assert_int_equal(wl_device_supports(&d, (enum wl_precision)p), e->precisions[p]);
        }
    }
    wl_registry_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_thousand),
        cmocka_unit_test(test_broken_and_shadowed),
        cmocka_unit_test(test_agrees_with_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
