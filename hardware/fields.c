/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hardware/fields.c: JSON objects into structs, driven by field tables. One table row knows a key's
 * type, unit, range and place, so that an unknown key, a wrong type, a value out of range, a
 * missing key or a missing source is found here for every kind of file, each with its JSON path and
 * with what would be right.
 *
 * A number is written plain (then the enclosing object's "source" and "basis" hold) or as
 * {"value": 105, "basis": "assumed", "reason": "..."}. "source" is a key of the file's "sources";
 * what is derived or assumed gives a "reason" instead.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "hardware_priv.h"

static const char *const provenance_keys[] = {"source", "basis", "reason", "note"};

static bool is_provenance_key(const char *key)
{
    for (size_t i = 0; i < WL_ARRAY_LEN(provenance_keys); i++) {
        if (strcmp(key, provenance_keys[i]) == 0) {
            return true;
        }
    }
    return false;
}

void wl_problems_init(struct wl_problems *p, struct wl_arena *arena, const char *file)
{
    *p = (struct wl_problems){.arena = arena, .file = file};
}

void wl_problem_add(struct wl_problems *p, bool warning, const char *path, const char *fmt, ...)
{
    if (p->count >= WL_PROBLEMS_MAX) {
        p->dropped++;
        return;
    }
    char message[768];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    void *items = p->items;
    if (wl_arena_reserve(p->arena, &items, &p->capacity, p->count + 1, sizeof(p->items[0])) !=
        WL_OK) {
        p->nomem = true;
        return;
    }
    p->items = items;
    struct wl_hw_problem *item = &p->items[p->count];
    item->warning = warning;
    item->path = wl_arena_printf(p->arena, "%s", path);
    item->message = wl_arena_printf(p->arena, "%s", message);
    if (item->path == NULL || item->message == NULL) {
        p->nomem = true;
        return;
    }
    p->count++;
}

wl_status wl_problems_status(const struct wl_problems *p, struct wl_error *err)
{
    if (p->nomem) {
        return wl_fail_nomem(err);
    }
    int32_t errors = p->dropped;
    const struct wl_hw_problem *first = NULL;
    for (int32_t i = 0; i < p->count; i++) {
        if (!p->items[i].warning) {
            first = first == NULL ? &p->items[i] : first;
            errors++;
        }
    }
    if (first == NULL) {
        return WL_OK;
    }
    char where[192];
    size_t file_len = strlen(p->file);
    size_t path_len = strlen(first->path);
    size_t room = sizeof(where) - 2;
    const char *file = p->file;
    if (file_len + path_len > room && file_len > room / 2) {
        file += file_len - room / 2; /* the end of a path says more than its beginning */
    }
    (void)snprintf(where, sizeof(where), "%s %.*s", file, (int)(room / 2), first->path);
    if (errors > 1) {
        return wl_fail(err, WL_ERR_INVALID, where, "%s (and %d more; `hw check` lists them)",
                       first->message, errors - 1);
    }
    return wl_fail(err, WL_ERR_INVALID, where, "%s", first->message);
}

/* ---- the decoder's place
 * ------------------------------------------------------------------------- */

static size_t push_key(struct wl_decoder *d, const char *key)
{
    size_t mark = d->path_len;
    int n = snprintf(d->path + mark, sizeof(d->path) - mark, "/%.64s", key);
    if (n > 0) {
        d->path_len = (size_t)wl_min_i64((int64_t)mark + n, (int64_t)sizeof(d->path) - 1);
    }
    return mark;
}

static size_t push_index(struct wl_decoder *d, int32_t index)
{
    char text[16];
    (void)snprintf(text, sizeof(text), "%d", index);
    return push_key(d, text);
}

static void pop(struct wl_decoder *d, size_t mark)
{
    d->path_len = mark;
    d->path[mark] = '\0';
}

static const char *here(const struct wl_decoder *d)
{
    return d->path_len == 0 ? "/" : d->path;
}

#define PROBLEM(d, ...) wl_problem_add((d)->problems, false, here(d), __VA_ARGS__)

static const char *json_type(const cJSON *v)
{
    if (cJSON_IsString(v)) {
        return "a string";
    }
    if (cJSON_IsNumber(v)) {
        return "a number";
    }
    if (cJSON_IsBool(v)) {
        return "a boolean";
    }
    if (cJSON_IsArray(v)) {
        return "an array";
    }
    return cJSON_IsObject(v) ? "an object" : "null";
}

const char *wl_field_type_text(const struct wl_field *f)
{
    switch (f->type) {
    case WL_F_STRING:
        return "a string";
    case WL_F_ENUM:
        return "one of these words";
    case WL_F_BOOL:
        return "true or false";
    case WL_F_INT:
    case WL_F_PLAIN:
        return "a whole number";
    case WL_F_NUM:
        return "a number";
    case WL_F_STRINGS:
        return "an array of strings";
    case WL_F_OBJECT:
        return "an object";
    case WL_F_LIST:
        return "an array of objects";
    case WL_F_PRECISIONS:
        return "an object of precision: number";
    case WL_F_EVENTS:
        return "an object of event: number";
    case WL_F_NUMBERS:
        return "an object of name: number";
    case WL_F_SOURCES:
        return "an object of short name: where the figures come from";
    }
    return "?";
}

/* ---- provenance
 * ------------------------------------------------------------------------------------ */

static char *copy_text(struct wl_decoder *d, const char *text)
{
    char *copy = wl_arena_printf(d->arena, "%s", text);
    if (copy == NULL) {
        d->problems->nomem = true;
        return NULL;
    }
    return copy;
}

/* The string member `key`, checked to be a non-empty string; NULL when absent or wrong. */
static const char *text_member(struct wl_decoder *d, const cJSON *object, const char *key)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(object, key);
    if (v == NULL) {
        return NULL;
    }
    if (!cJSON_IsString(v) || v->valuestring[0] == '\0') {
        size_t mark = push_key(d, key);
        PROBLEM(d, "is %s; a non-empty string is needed",
                cJSON_IsString(v) ? "empty" : json_type(v));
        pop(d, mark);
        return NULL;
    }
    return v->valuestring;
}

/* Reads source, basis, reason of `object` over what holds outside it. */
static struct wl_provenance read_provenance(struct wl_decoder *d, const cJSON *object,
                                            struct wl_provenance outer)
{
    struct wl_provenance p = outer;
    const char *basis = text_member(d, object, "basis");
    const char *source = text_member(d, object, "source");
    const char *reason = text_member(d, object, "reason");
    if (source != NULL) {
        const cJSON *known = cJSON_GetObjectItemCaseSensitive(d->sources, source);
        if (known == NULL || !cJSON_IsString(known)) {
            size_t mark = push_key(d, "source");
            PROBLEM(d, "\"%.64s\" is not a key of \"sources\"; add it there or name one of them",
                    source);
            pop(d, mark);
        }
        p.source =
            copy_text(d, known != NULL && cJSON_IsString(known) ? known->valuestring : source);
        p.basis = WL_BASIS_DATASHEET;
    }
    if (reason != NULL) {
        p.source = copy_text(d, reason);
        p.basis = WL_BASIS_ASSUMED;
    }
    if (basis != NULL) {
        int found = -1;
        for (int i = 0; i < WL_BASIS_COUNT; i++) {
            found = strcmp(basis, wl_basis_name((enum wl_basis)i)) == 0 ? i : found;
        }
        if (found < 0) {
            size_t mark = push_key(d, "basis");
            PROBLEM(d, "\"%.64s\" is unknown; measured, datasheet, derived or assumed", basis);
            pop(d, mark);
        } else {
            p.basis = (enum wl_basis)found;
            bool reasoned = found == WL_BASIS_DERIVED || found == WL_BASIS_ASSUMED;
            if (reasoned && reason == NULL && source == NULL) {
                PROBLEM(d, "basis \"%s\" without \"reason\"; say why this value", basis);
            }
        }
    }
    return p;
}

/* ---- numbers
 * --------------------------------------------------------------------------------------- */

static void check_range(struct wl_decoder *d, const struct wl_field *f, double v)
{
    const char *unit = f->unit == NULL ? "" : f->unit;
    if (!isfinite(v) || v < f->min || v > f->max) {
        PROBLEM(d, "%.17g is out of range; %g to %g%s%s", v, f->min, f->max, unit[0] ? " " : "",
                unit);
    } else if (f->type != WL_F_NUM && f->type != WL_F_PRECISIONS && f->type != WL_F_EVENTS &&
               f->type != WL_F_NUMBERS && v != floor(v)) {
        PROBLEM(d, "%.17g is not whole; a whole number is needed", v);
    }
}

static struct wl_num read_number(struct wl_decoder *d, const struct wl_field *f, const cJSON *v,
                                 struct wl_provenance outer)
{
    struct wl_num n = {0};
    struct wl_provenance p = outer;
    const cJSON *number = v;
    if (cJSON_IsObject(v)) {
        p = read_provenance(d, v, outer);
        number = cJSON_GetObjectItemCaseSensitive(v, "value");
        for (const cJSON *m = v->child; m != NULL; m = m->next) {
            if (strcmp(m->string, "value") != 0 && !is_provenance_key(m->string)) {
                PROBLEM(d,
                        "unknown key \"%.64s\"; a number's object has value, basis, source, "
                        "reason, note",
                        m->string);
            }
        }
        if (number == NULL) {
            PROBLEM(d, "lacks \"value\"; write a number or {\"value\": number, \"basis\": ...}");
            return n;
        }
    }
    if (!cJSON_IsNumber(number)) {
        PROBLEM(d, "is %s; %s%s%s is needed", json_type(number), wl_field_type_text(f),
                f->unit == NULL ? "" : " in ", f->unit == NULL ? "" : f->unit);
        return n;
    }
    check_range(d, f, number->valuedouble);
    if (p.source == NULL) {
        PROBLEM(d, "has no source; give its object \"source\": a key of \"sources\", or write "
                   "{\"value\": ..., \"basis\": \"assumed\", \"reason\": \"...\"}");
    }
    return (struct wl_num){number->valuedouble, p.basis, p.source, true};
}

/* ---- containers
 * -------------------------------------------------------------------------------------- */

static void decode_object(struct wl_decoder *d, const cJSON *object,
                          const struct wl_field_table *table, void *out,
                          struct wl_provenance outer);

static int32_t member_count(const cJSON *v)
{
    int32_t n = 0;
    for (const cJSON *m = v->child; m != NULL; m = m->next) {
        n++;
    }
    return n;
}

static bool check_count(struct wl_decoder *d, const struct wl_field *f, int32_t count)
{
    if (count < f->min || (f->max > 0 && count > f->max)) {
        PROBLEM(d, "has %d items; %g to %g are allowed", count, f->min, f->max);
        return false;
    }
    return true;
}

static void decode_strings(struct wl_decoder *d, const struct wl_field *f, const cJSON *v,
                           struct wl_list *out)
{
    int32_t count = member_count(v);
    if (!check_count(d, f, count)) {
        return;
    }
    const char **items = WL_ARRAY(d->arena, const char *, count);
    if (items == NULL) {
        d->problems->nomem = true;
        return;
    }
    int32_t i = 0;
    for (const cJSON *m = v->child; m != NULL; m = m->next, i++) {
        if (!cJSON_IsString(m) || m->valuestring[0] == '\0') {
            size_t mark = push_index(d, i);
            PROBLEM(d, "is %s; a non-empty string is needed", json_type(m));
            pop(d, mark);
            items[i] = "";
            continue;
        }
        items[i] = copy_text(d, m->valuestring);
    }
    *out = (struct wl_list){items, count};
}

static void decode_list(struct wl_decoder *d, const struct wl_field *f, const cJSON *v,
                        struct wl_list *out, struct wl_provenance outer)
{
    int32_t count = member_count(v);
    if (!check_count(d, f, count)) {
        return;
    }
    char *items = wl_arena_array(d->arena, (size_t)count, f->table->bytes);
    if (items == NULL) {
        d->problems->nomem = true;
        return;
    }
    int32_t i = 0;
    for (const cJSON *m = v->child; m != NULL; m = m->next, i++) {
        size_t mark = push_index(d, i);
        if (cJSON_IsObject(m)) {
            decode_object(d, m, f->table, items + (size_t)i * f->table->bytes, outer);
        } else {
            PROBLEM(d, "is %s; an object is needed", json_type(m));
        }
        pop(d, mark);
    }
    *out = (struct wl_list){items, count};
}

static void decode_precisions(struct wl_decoder *d, const struct wl_field *f, const cJSON *v,
                              struct wl_num *out, struct wl_provenance outer)
{
    for (const cJSON *m = v->child; m != NULL; m = m->next) {
        size_t mark = push_key(d, m->string);
        enum wl_precision p = wl_precision_find(m->string);
        if (p == WL_PREC_COUNT) {
            PROBLEM(d, "is not a precision; fp64 fp32 tf32 fp16 bf16 fp8 fp4 int64 int32 int16 "
                       "int8 int4");
        } else {
            out[p] = read_number(d, f, m, outer);
        }
        pop(d, mark);
    }
}

static void decode_events(struct wl_decoder *d, const struct wl_field *f, const cJSON *v,
                          struct wl_list *out, struct wl_provenance outer)
{
    int32_t count = member_count(v);
    struct wl_event_nums *items = WL_ARRAY(d->arena, struct wl_event_nums, count);
    if (items == NULL) {
        d->problems->nomem = true;
        return;
    }
    int32_t used = 0;
    for (const cJSON *m = v->child; m != NULL; m = m->next) {
        size_t mark = push_key(d, m->string);
        enum wl_event e = wl_event_find(m->string);
        if (e == WL_EVENT_COUNT) {
            PROBLEM(d, "is not an energy event; `hw check --describe` lists them");
        } else {
            struct wl_event_nums *item = &items[used++];
            item->event = e;
            bool whole = cJSON_IsNumber(m) || cJSON_GetObjectItemCaseSensitive(m, "value") != NULL;
            if (whole) {
                struct wl_num n = read_number(d, f, m, outer);
                for (int p = 0; p < WL_PREC_COUNT; p++) {
                    item->by_precision[p] = n;
                }
            } else if (cJSON_IsObject(m) && wl_event_info(e)->by_precision) {
                decode_precisions(d, f, m, item->by_precision, outer);
            } else {
                PROBLEM(d, "is %s; a number in pJ is needed%s", json_type(m),
                        wl_event_info(e)->by_precision ? " (or an object of precision: pJ)" : "");
            }
        }
        pop(d, mark);
    }
    *out = (struct wl_list){items, used};
}

static void decode_numbers(struct wl_decoder *d, const struct wl_field *f, const cJSON *v,
                           struct wl_list *out, struct wl_provenance outer)
{
    int32_t count = member_count(v);
    struct wl_named_num *items = WL_ARRAY(d->arena, struct wl_named_num, count);
    if (items == NULL) {
        d->problems->nomem = true;
        return;
    }
    int32_t used = 0;
    outer = read_provenance(d, v, outer);
    for (const cJSON *m = v->child; m != NULL; m = m->next) {
        size_t mark = push_key(d, m->string);
        if (!is_provenance_key(m->string)) {
            items[used].name = copy_text(d, m->string);
            items[used++].num = read_number(d, f, m, outer);
        }
        pop(d, mark);
    }
    *out = (struct wl_list){items, used};
}

static void decode_enum(struct wl_decoder *d, const struct wl_field *f, const char *text, int *out)
{
    char list[256] = "";
    size_t used = 0;
    for (int i = 0; f->names[i] != NULL; i++) {
        if (strcmp(f->names[i], text) == 0) {
            *out = i;
            return;
        }
        int n = snprintf(list + used, sizeof(list) - used, "%s%s", i == 0 ? "" : ", ", f->names[i]);
        used = (size_t)wl_min_i64((int64_t)used + (n > 0 ? n : 0), (int64_t)sizeof(list) - 1);
    }
    PROBLEM(d, "\"%.64s\" is unknown; one of %s", text, list);
}

static void decode_string(struct wl_decoder *d, const struct wl_field *f, const cJSON *v,
                          const char **out)
{
    size_t len = strlen(v->valuestring);
    if (len == 0 || (f->max > 0 && (double)len > f->max)) {
        PROBLEM(d, "has %zu characters; 1 to %g are allowed", len, f->max > 0 ? f->max : 1e6);
        return;
    }
    *out = copy_text(d, v->valuestring);
}

static void decode_sources(struct wl_decoder *d, const cJSON *v)
{
    for (const cJSON *m = v->child; m != NULL; m = m->next) {
        if (!cJSON_IsString(m) || m->valuestring[0] == '\0') {
            size_t mark = push_key(d, m->string);
            PROBLEM(d, "is %s; a non-empty string that says where to find it is needed",
                    json_type(m));
            pop(d, mark);
        }
    }
}

static bool type_fits(const struct wl_field *f, const cJSON *v)
{
    switch (f->type) {
    case WL_F_STRING:
    case WL_F_ENUM:
        return cJSON_IsString(v);
    case WL_F_BOOL:
        return cJSON_IsBool(v);
    case WL_F_INT:
    case WL_F_NUM:
    case WL_F_PLAIN:
        return true; /* read_number says more */
    case WL_F_STRINGS:
    case WL_F_LIST:
        return cJSON_IsArray(v);
    case WL_F_OBJECT:
    case WL_F_PRECISIONS:
    case WL_F_EVENTS:
    case WL_F_NUMBERS:
    case WL_F_SOURCES:
        return cJSON_IsObject(v);
    }
    return false;
}

static void decode_field(struct wl_decoder *d, const struct wl_field *f, const cJSON *v, void *at,
                         struct wl_provenance outer)
{
    if (!type_fits(f, v)) {
        PROBLEM(d, "is %s; %s is needed", json_type(v), wl_field_type_text(f));
        return;
    }
    switch (f->type) {
    case WL_F_STRING:
        decode_string(d, f, v, at);
        break;
    case WL_F_ENUM:
        decode_enum(d, f, v->valuestring, at);
        break;
    case WL_F_BOOL:
        *(bool *)at = cJSON_IsTrue(v);
        break;
    case WL_F_INT:
    case WL_F_NUM:
        *(struct wl_num *)at = read_number(d, f, v, outer);
        break;
    case WL_F_PLAIN:
        outer.source = "";
        *(struct wl_num *)at = read_number(d, f, v, outer);
        break;
    case WL_F_STRINGS:
        decode_strings(d, f, v, at);
        break;
    case WL_F_OBJECT:
        decode_object(d, v, f->table, at, outer);
        break;
    case WL_F_LIST:
        decode_list(d, f, v, at, outer);
        break;
    case WL_F_PRECISIONS:
        decode_precisions(d, f, v, at, outer);
        break;
    case WL_F_EVENTS:
        decode_events(d, f, v, at, outer);
        break;
    case WL_F_NUMBERS:
        decode_numbers(d, f, v, at, outer);
        break;
    case WL_F_SOURCES:
        decode_sources(d, v);
        break;
    }
}

static const struct wl_field *find_field(const struct wl_field_table *t, const char *key)
{
    for (int32_t i = 0; i < t->count; i++) {
        if (strcmp(t->fields[i].key, key) == 0) {
            return &t->fields[i];
        }
    }
    return NULL;
}

static void unknown_key(struct wl_decoder *d, const struct wl_field_table *t, const char *key)
{
    const char *names[64];
    int32_t count = 0;
    for (int32_t i = 0; i < t->count && count < 64; i++) {
        names[count++] = t->fields[i].key;
    }
    char near[160];
    wl_nearest_names(key, names, count, 3, near, sizeof(near));
    PROBLEM(d, "unknown key in %s; %s%s", t->name, near[0] != '\0' ? "nearest: " : "remove it",
            near);
}

static void decode_object(struct wl_decoder *d, const cJSON *object,
                          const struct wl_field_table *table, void *out, struct wl_provenance outer)
{
    struct wl_provenance p = outer;
    if (table->described) {
        p = read_provenance(d, object, outer);
        *(struct wl_provenance *)out = p;
    }
    for (const cJSON *m = object->child; m != NULL; m = m->next) {
        if (table->described && is_provenance_key(m->string)) {
            continue;
        }
        size_t mark = push_key(d, m->string);
        const struct wl_field *f = find_field(table, m->string);
        if (f == NULL) {
            unknown_key(d, table, m->string);
        } else {
            decode_field(d, f, m, (char *)out + f->offset, p);
        }
        pop(d, mark);
    }
    for (int32_t i = 0; i < table->count; i++) {
        const struct wl_field *f = &table->fields[i];
        if (f->required && cJSON_GetObjectItemCaseSensitive(object, f->key) == NULL) {
            size_t mark = push_key(d, f->key);
            PROBLEM(d, "is missing; %s is needed: %s", wl_field_type_text(f), f->doc);
            pop(d, mark);
        }
    }
}

void wl_decode(struct wl_arena *arena, struct wl_problems *problems, const cJSON *root,
               const struct wl_field_table *table, struct wl_provenance outer, void *out)
{
    struct wl_decoder d = {.arena = arena, .problems = problems};
    d.sources = cJSON_GetObjectItemCaseSensitive(root, "sources");
    decode_object(&d, root, table, out, outer);
}
