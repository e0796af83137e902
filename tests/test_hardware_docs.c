/* SPDX-License-Identifier: Apache-2.0 */
/* docs/add-a-device.md, done: the file of the page is put into a registry, checked, listed,
 * resolved. */
#include "hw_test.h"

/* The first ```json block of the page; the caller frees it. */
static char *block(void)
{
    char *page = hw_read(WL_SOURCE_DIR "/docs/add-a-device.md");
    assert_non_null(page);
    char *begin = strstr(page, "```json\n");
    assert_non_null(begin);
    begin += 8;
    char *end = strstr(begin, "```");
    assert_non_null(end);
    *end = '\0';
    char *text = strdup(begin);
    assert_non_null(text);
    free(page);
    return text;
}

static void test_page(void **state)
{
    struct wl_registry r;
    struct wl_hw_problem *problems = NULL;
    struct wl_registry_entry *entries = NULL;
    struct wl_error err;
    char folder[256], path[400];
    int32_t count = 0, listed = 0;
    char *text = block();
    (void)state;
    hw_temp(folder, sizeof(folder));
    (void)snprintf(path, sizeof(path), "%s/cpu/example_octo/spec.json", folder);
    hw_write(path, text);
    free(text);
    hw_open_two(&r, folder);
    assert_int_equal(wl_spec_check(&r, path, &problems, &count, &err), WL_OK);
    if (count != 0) {
        fail_msg("%s: %s", problems[0].path, problems[0].message);
    }
    struct wl_device d = hw_device(&r, "octo", NULL);
    hw_near(wl_device_peak(&d, WL_PREC_FP32, NULL), 8 * 16 * 2.4e9, 1e-12);
    struct wl_device low = hw_device(&r, "Octo", "7w");
    hw_near(wl_device_peak(&low, WL_PREC_FP32, NULL), 6 * 16 * 1.4e9, 1e-12);
    assert_int_equal(wl_registry_list(&r, &entries, &count, NULL, NULL, &err), WL_OK);
    for (int32_t i = 0; i < count; i++) {
        listed += strcmp(entries[i].id, "example_octo") == 0 ? 1 : 0;
    }
    assert_int_equal(listed, 1);
    wl_registry_close(&r);
    hw_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_page)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
