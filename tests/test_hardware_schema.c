/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON Schemas in registry/schema and the loader's field tables say the same: every key with
 * its type, range, words and whether it is required, and no key more.
 */
#include <cjson/cJSON.h>

#include "hw_test.h"

static const struct {
    const char *file, *schema;
} schemas[] = {{"spec.json", "spec"},  {"calibration", "calibration"},
               {"runtime", "runtime"}, {"class", "class"},
               {"process", "process"}, {"memory technology", "memory"}};

#define SCHEMAS WL_ARRAY_LEN(schemas)

struct run {
    cJSON *trees[SCHEMAS];
    int32_t rows[SCHEMAS];
};

static const cJSON *get(const cJSON *o, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(o, key);
}

/* The schema of the object that holds the last part of `path`; *last is that part. */
static const cJSON *holder(const cJSON *schema, const char *path, const char **last)
{
    for (;;) {
        const char *slash = strchr(path + 1, '/');
        if (slash == NULL) {
            *last = path + 1;
            return schema;
        }
        char part[64];
        (void)snprintf(part, sizeof(part), "%.*s", (int)(slash - path - 1), path + 1);
        schema = get(get(schema, "properties"), part);
        schema = get(schema, "items") != NULL ? get(schema, "items") : schema;
        path = slash;
    }
}

static bool is_required(const cJSON *object, const char *key)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, get(object, "required"))
    {
        if (strcmp(item->valuestring, key) == 0) {
            return true;
        }
    }
    return false;
}

/* Where the range of a number stands: {anyOf: [number, object]} itself or below. */
static const cJSON *number_schema(const cJSON *s)
{
    const cJSON *any = get(s, "anyOf");
    if (any != NULL) {
        return cJSON_GetArrayItem(any, 0);
    }
    const cJSON *more = get(s, "additionalProperties");
    if (cJSON_IsObject(more)) {
        return number_schema(more);
    }
    const cJSON *first = get(s, "properties");
    return first != NULL && first->child != NULL ? number_schema(first->child) : NULL;
}

static void check_words(const struct wl_hw_field *f, const cJSON *s)
{
    const cJSON *words = get(s, "enum");
    int n = 0;
    for (; f->names[n] != NULL; n++) {
        const cJSON *word = cJSON_GetArrayItem(words, n);
        if (word == NULL || strcmp(word->valuestring, f->names[n]) != 0) {
            fail_msg("%s %s: the schema lacks \"%s\"", f->file, f->path, f->names[n]);
        }
    }
    assert_int_equal(cJSON_GetArraySize(words), n);
}

static void check_type(const struct wl_hw_field *f, const cJSON *s)
{
    static const char *const pairs[][2] = {{"a string", "string"},
                                           {"true or false", "boolean"},
                                           {"an array of strings", "array"},
                                           {"an array of objects", "array"},
                                           {"an object", "object"}};
    for (size_t i = 0; i < WL_ARRAY_LEN(pairs); i++) {
        if (strcmp(f->type, pairs[i][0]) == 0 &&
            strcmp(get(s, "type")->valuestring, pairs[i][1]) != 0) {
            fail_msg("%s %s: is %s, the schema says %s", f->file, f->path, f->type,
                     get(s, "type")->valuestring);
        }
    }
    const cJSON *objects = get(s, "items") != NULL ? get(s, "items") : s;
    if (strcmp(f->type, "an object") == 0 || strcmp(f->type, "an array of objects") == 0) {
        assert_true((get(get(objects, "properties"), "reason") != NULL) == f->described);
    }
}

static void check_row(void *user, const struct wl_hw_field *f)
{
    struct run *run = user;
    size_t which = 0;
    while (which < SCHEMAS && strcmp(schemas[which].file, f->file) != 0) {
        which++;
    }
    assert_true(which < SCHEMAS);
    run->rows[which]++;
    const char *key = NULL;
    const cJSON *object = holder(run->trees[which], f->path, &key);
    const cJSON *s = get(get(object, "properties"), key);
    if (s == NULL) {
        fail_msg("%s: the schema lacks %s", f->file, f->path);
    }
    if (is_required(object, key) != f->required) {
        fail_msg("%s %s: required differs", f->file, f->path);
    }
    check_type(f, s);
    if (f->names != NULL) {
        check_words(f, s);
    }
    if (f->ranged) {
        const cJSON *n = number_schema(s);
        assert_non_null(n);
        hw_near(get(n, "minimum")->valuedouble, f->min, 1e-12);
        hw_near(get(n, "maximum")->valuedouble, f->max, 1e-12);
        bool whole = strcmp(f->type, "a whole number") == 0;
        assert_string_equal(get(n, "type")->valuestring, whole ? "integer" : "number");
    }
}

/* Keys of a schema's objects, without those of provenance and of precision maps. */
static int32_t count_keys(const cJSON *schema)
{
    static const char *const provenance[] = {"source", "basis", "reason", "note"};
    int32_t n = 0;
    const cJSON *p;
    cJSON_ArrayForEach(p, get(schema, "properties"))
    {
        bool own = wl_precision_find(p->string) == WL_PREC_COUNT;
        for (size_t i = 0; i < WL_ARRAY_LEN(provenance); i++) {
            own = own && strcmp(p->string, provenance[i]) != 0;
        }
        n += own ? 1 : 0;
        n += count_keys(get(p, "items") != NULL ? get(p, "items") : p);
    }
    return n;
}

static void test_schemas_agree(void **state)
{
    struct run run = {0};
    (void)state;
    for (size_t i = 0; i < SCHEMAS; i++) {
        char path[256];
        (void)snprintf(path, sizeof(path), WL_SOURCE_DIR "/registry/schema/%s.schema.json",
                       schemas[i].schema);
        char *text = hw_read(path);
        assert_non_null(text);
        run.trees[i] = cJSON_Parse(text);
        assert_non_null(run.trees[i]);
        free(text);
    }
    wl_hw_fields(check_row, &run);
    for (size_t i = 0; i < SCHEMAS; i++) {
        assert_int_equal(count_keys(run.trees[i]), run.rows[i]);
        cJSON_Delete(run.trees[i]);
    }
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
        if (line[0] == ' ' && strncmp(line, "      ", 6) == 0) {
            assert_true(len <= 100);
        }
        line += len + (line[len] == '\n' ? 1 : 0);
    }
    wl_buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schemas_agree),
        cmocka_unit_test(test_description_names_every_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
