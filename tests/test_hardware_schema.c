/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of registry/schema are what the loader's field tables say, to the byte.
 * WL_UPDATE_GOLDEN=1 rewrites them.
 */
#include <cjson/cJSON.h>

#include "hw_test.h"

static const char *const kinds[] = {"spec", "calibration", "runtime", "class", "process", "memory"};

static void test_schemas_are_the_tables(void **state)
{
    (void)state;
    for (size_t i = 0; i < WL_ARRAY_LEN(kinds); i++) {
        char path[256];
        struct wl_buf out;
        struct wl_error err;
        (void)snprintf(path, sizeof(path), WL_SOURCE_DIR "/registry/schema/%s.schema.json",
                       kinds[i]);
        wl_buf_init(&out);
        assert_int_equal(wl_hw_schema(kinds[i], &out, &err), WL_OK);
        if (getenv("WL_UPDATE_GOLDEN") != NULL) {
            hw_write(path, out.data);
        }
        char *text = hw_read(path);
        assert_non_null(text);
        if (strcmp(text, out.data) != 0) {
            fail_msg("%s differs from the field table; WL_UPDATE_GOLDEN=1 rewrites it", path);
        }
        cJSON *tree = cJSON_Parse(text);
        assert_non_null(cJSON_GetObjectItem(tree, "required"));
        cJSON_Delete(tree);
        free(text);
        wl_buf_done(&out);
    }
}

static const cJSON *at(const cJSON *o, const char *a, const char *b, const char *c)
{
    o = a == NULL ? o : cJSON_GetObjectItemCaseSensitive(o, a);
    o = b == NULL ? o : cJSON_GetObjectItemCaseSensitive(o, b);
    return c == NULL ? o : cJSON_GetObjectItemCaseSensitive(o, c);
}

/* Spot checks by hand: the schema says what a reader of docs/registry.md expects. */
static void test_schema_of_specs(void **state)
{
    struct wl_buf out;
    struct wl_error err;
    (void)state;
    wl_buf_init(&out);
    assert_int_equal(wl_hw_schema("spec", &out, &err), WL_OK);
    cJSON *s = cJSON_Parse(out.data);
    assert_non_null(s);
    assert_true(cJSON_IsFalse(at(s, "additionalProperties", NULL, NULL)));
    const cJSON *unit = at(at(s, "properties", "units", "items"), "properties", NULL, NULL);
    const cJSON *clock = cJSON_GetArrayItem(at(unit, "clock_hz", "anyOf", NULL), 0);
    hw_near(at(clock, "minimum", NULL, NULL)->valuedouble, 1e6, 1e-12);
    hw_near(at(clock, "maximum", NULL, NULL)->valuedouble, 1e10, 1e-12);
    assert_string_equal(cJSON_GetArrayItem(at(s, "properties", "class", "enum"), 1)->valuestring,
                        "gpu");
    cJSON_Delete(s);
    assert_int_equal(wl_hw_schema("nosuch", &out, &err), WL_ERR_USAGE);
    wl_buf_done(&out);
}

static void test_description_names_every_key(void **state)
{
    struct wl_buf out;
    (void)state;
    wl_buf_init(&out);
    wl_hw_describe(&out);
    assert_non_null(strstr(out.data, "/memory[]/bandwidth_bps"));
    assert_non_null(strstr(out.data, "level_read_0"));
    for (const char *line = out.data; *line != '\0';) {
        size_t len = strcspn(line, "\n");
        if (strncmp(line, "      ", 6) == 0) {
            assert_true(len <= 100);
        }
        line += len + (line[len] == '\n' ? 1 : 0);
    }
    wl_buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schemas_are_the_tables),
        cmocka_unit_test(test_schema_of_specs),
        cmocka_unit_test(test_description_names_every_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
