/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hardware/schema.c: the field tables as JSON Schema (2020-12). registry/schema holds what this
 * prints, for editors and for other programs; a test keeps the two equal.
 */
#include <string.h>

#include "registry_priv.h"

static const struct {
    const char *name;
    const struct wl_field_table *table;
} kinds[] = {{"spec", &wl_spec_table},       {"calibration", &wl_calibration_table},
             {"runtime", &wl_runtime_table}, {"class", &wl_class_table},
             {"process", &wl_process_table}, {"memory", &wl_memory_table}};

/* cJSON's builders return NULL when memory is exhausted, and take NULL: one check at the end. */
static cJSON *object_of(const char *type)
{
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "type", type);
    return o;
}

static cJSON *text_schema(double longest)
{
    cJSON *s = object_of("string");
    cJSON_AddNumberToObject(s, "minLength", 1);
    if (longest > 0) {
        cJSON_AddNumberToObject(s, "maxLength", longest);
    }
    return s;
}

static void add_provenance(cJSON *properties)
{
    cJSON_AddItemToObject(properties, "source", text_schema(0));
    cJSON *basis = cJSON_AddObjectToObject(properties, "basis");
    cJSON *words = cJSON_AddArrayToObject(basis, "enum");
    for (int b = 0; b < WL_BASIS_COUNT; b++) {
        cJSON_AddItemToArray(words, cJSON_CreateString(wl_basis_name((enum wl_basis)b)));
    }
    cJSON_AddItemToObject(properties, "reason", text_schema(0));
    cJSON_AddItemToObject(properties, "note", text_schema(0));
}

static cJSON *plain_number(const struct wl_field *f)
{
    bool whole = f->type == WL_F_INT || f->type == WL_F_PLAIN;
    cJSON *n = object_of(whole ? "integer" : "number");
    cJSON_AddNumberToObject(n, "minimum", f->min);
    cJSON_AddNumberToObject(n, "maximum", f->max);
    return n;
}

/* Plain, or with its own provenance. */
static cJSON *number_schema(const struct wl_field *f)
{
    cJSON *s = cJSON_CreateObject();
    cJSON *any = cJSON_AddArrayToObject(s, "anyOf");
    cJSON_AddItemToArray(any, plain_number(f));
    cJSON *described = object_of("object");
    cJSON *properties = cJSON_AddObjectToObject(described, "properties");
    cJSON_AddItemToObject(properties, "value", plain_number(f));
    add_provenance(properties);
    cJSON *required = cJSON_AddArrayToObject(described, "required");
    cJSON_AddItemToArray(required, cJSON_CreateString("value"));
    cJSON_AddFalseToObject(described, "additionalProperties");
    cJSON_AddItemToArray(any, described);
    return s;
}

static cJSON *precisions_schema(const struct wl_field *f)
{
    cJSON *s = object_of("object");
    cJSON *words = cJSON_AddArrayToObject(cJSON_AddObjectToObject(s, "propertyNames"), "enum");
    for (int p = 0; p < WL_PREC_COUNT; p++) {
        cJSON_AddItemToArray(words, cJSON_CreateString(wl_precision_name((enum wl_precision)p)));
    }
    cJSON_AddItemToObject(s, "additionalProperties", number_schema(f));
    return s;
}

static cJSON *events_schema(const struct wl_field *f)
{
    cJSON *s = object_of("object");
    cJSON *words = cJSON_AddArrayToObject(cJSON_AddObjectToObject(s, "propertyNames"), "enum");
    for (int e = 0; e < WL_EVENT_COUNT; e++) {
        char key[64];
        wl_event_key_lower((enum wl_event)e, key, sizeof(key));
        cJSON_AddItemToArray(words, cJSON_CreateString(key));
    }
    cJSON *more = cJSON_AddObjectToObject(s, "additionalProperties");
    cJSON *any = cJSON_AddArrayToObject(more, "anyOf");
    cJSON_AddItemToArray(any, number_schema(f));
    cJSON_AddItemToArray(any, precisions_schema(f));
    return s;
}

static cJSON *table_schema(const struct wl_field_table *t);

static cJSON *array_schema(const struct wl_field *f, cJSON *items)
{
    cJSON *s = object_of("array");
    cJSON_AddItemToObject(s, "items", items);
    cJSON_AddNumberToObject(s, "minItems", f->min);
    cJSON_AddNumberToObject(s, "maxItems", f->max);
    return s;
}

static cJSON *enum_schema(const struct wl_field *f)
{
    cJSON *s = cJSON_CreateObject();
    cJSON *words = cJSON_AddArrayToObject(s, "enum");
    for (int i = 0; f->names[i] != NULL; i++) {
        cJSON_AddItemToArray(words, cJSON_CreateString(f->names[i]));
    }
    return s;
}

static cJSON *map_schema(cJSON *values, bool provenance)
{
    cJSON *s = object_of("object");
    if (provenance) {
        add_provenance(cJSON_AddObjectToObject(s, "properties"));
    }
    cJSON_AddItemToObject(s, "additionalProperties", values);
    return s;
}

static cJSON *field_schema(const struct wl_field *f)
{
    switch (f->type) {
    case WL_F_STRING:
        return text_schema(f->max);
    case WL_F_ENUM:
        return enum_schema(f);
    case WL_F_BOOL:
        return object_of("boolean");
    case WL_F_PLAIN:
        return plain_number(f);
    case WL_F_INT:
    case WL_F_NUM:
        return number_schema(f);
    case WL_F_STRINGS:
        return array_schema(f, text_schema(0));
    case WL_F_OBJECT:
        return table_schema(f->table);
    case WL_F_LIST:
        return array_schema(f, table_schema(f->table));
    case WL_F_PRECISIONS:
        return precisions_schema(f);
    case WL_F_EVENTS:
        return events_schema(f);
    case WL_F_NUMBERS:
        return map_schema(number_schema(f), true);
    case WL_F_SOURCES:
        return map_schema(text_schema(0), false);
    }
    return NULL;
}

static cJSON *table_schema(const struct wl_field_table *t)
{
    cJSON *s = object_of("object");
    cJSON *properties = cJSON_AddObjectToObject(s, "properties");
    cJSON *required = cJSON_CreateArray();
    if (t->described) {
        add_provenance(properties);
    }
    for (int32_t i = 0; i < t->count; i++) {
        cJSON *field = field_schema(&t->fields[i]);
        cJSON_AddStringToObject(field, "description", t->fields[i].doc);
        cJSON_AddItemToObject(properties, t->fields[i].key, field);
        if (t->fields[i].required) {
            cJSON_AddItemToArray(required, cJSON_CreateString(t->fields[i].key));
        }
    }
    cJSON_AddItemToObject(s, "required", required);
    cJSON_AddFalseToObject(s, "additionalProperties");
    return s;
}

wl_status wl_hw_schema(const char *kind, struct wl_buf *out, struct wl_error *err)
{
    for (size_t i = 0; i < WL_ARRAY_LEN(kinds); i++) {
        if (strcmp(kinds[i].name, kind) != 0) {
            continue;
        }
        cJSON *s = table_schema(kinds[i].table);
        cJSON_AddStringToObject(s, "$schema", "https://json-schema.org/draft/2020-12/schema");
        cJSON_AddStringToObject(s, "title", kinds[i].table->doc);
        char *text = cJSON_Print(s);
        cJSON_Delete(s);
        if (text == NULL) {
            return wl_fail_nomem(err);
        }
        wl_buf_puts(out, text);
        wl_buf_puts(out, "\n");
        cJSON_free(text);
        return WL_OK;
    }
    return wl_fail(
        err, WL_ERR_USAGE, "--schema",
        "\"%.40s\" is no kind of file; spec, calibration, runtime, class, process, memory", kind);
}
