/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hardware/spec.c: one spec.json from its bytes to a checked wl_spec. Inheritance (`extends`, one
 * level), decoding by the field table, and what a single row cannot know: names that must exist
 * elsewhere in the file, keys that belong to a class, quantities that contradict each other.
 * Whether the derived peaks agree with the datasheet is decided in check.c.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "registry_priv.h"

/* Keys that a device never takes from its base. */
static const char *const own_keys[] = {"id",      "name",  "aliases",
                                       "extends", "notes", "schema_version"};

static bool is_own_key(const char *key)
{
    for (size_t i = 0; i < WL_ARRAY_LEN(own_keys); i++) {
        if (strcmp(key, own_keys[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Adds to `child` what it lacks; objects are merged key by key, arrays are taken whole. */
static wl_status merge_base(cJSON *child, const cJSON *base, struct wl_error *err)
{
    for (const cJSON *m = base->child; m != NULL; m = m->next) {
        cJSON *mine = cJSON_GetObjectItemCaseSensitive(child, m->string);
        if (is_own_key(m->string)) {
            continue;
        }
        if (mine == NULL) {
            cJSON *copy = cJSON_Duplicate(m, 1);
            if (copy == NULL || !cJSON_AddItemToObject(child, m->string, copy)) {
                cJSON_Delete(copy);
                return wl_fail_nomem(err);
            }
        } else if (cJSON_IsObject(mine) && cJSON_IsObject(m)) {
            for (const cJSON *k = m->child; k != NULL; k = k->next) {
                if (cJSON_GetObjectItemCaseSensitive(mine, k->string) != NULL) {
                    continue;
                }
                cJSON *copy = cJSON_Duplicate(k, 1);
                if (copy == NULL || !cJSON_AddItemToObject(mine, k->string, copy)) {
                    cJSON_Delete(copy);
                    return wl_fail_nomem(err);
                }
            }
        }
    }
    return WL_OK;
}

static wl_status inherit(struct wl_registry *r, cJSON *json, const char *path, struct wl_error *err)
{
    const cJSON *extends = cJSON_GetObjectItemCaseSensitive(json, "extends");
    if (!cJSON_IsString(extends)) {
        return WL_OK;
    }
    char where[192];
    (void)snprintf(where, sizeof(where), "%.150s /extends", path);
    const char *base_path = NULL;
    if (wl_plain_name(extends->valuestring)) {
        base_path = wl_registry_spec_path(r, extends->valuestring);
    }
    if (base_path == NULL) {
        return wl_fail(err, WL_ERR_INVALID, where,
                       "\"%.64s\" is no device of the registry; give the id of one",
                       extends->valuestring);
    }
    cJSON *base = NULL;
    WL_TRY(wl_json_read(base_path, &base, err));
    wl_status status = WL_OK;
    if (cJSON_GetObjectItemCaseSensitive(base, "extends") != NULL) {
        status = wl_fail(err, WL_ERR_INVALID, where,
                         "\"%.64s\" itself extends another device; inheritance has one level",
                         extends->valuestring);
    } else {
        status = merge_base(json, base, err);
    }
    cJSON_Delete(base);
    return status;
}

/* ---- references and contradictions
 * ----------------------------------------------------------------- */

struct checker {
    const struct wl_spec_file *f;
    struct wl_problems *p;
};

#define CHECK_PATH(buffer, ...)                                                                    \
    char buffer[128];                                                                              \
    (void)snprintf(buffer, sizeof(buffer), __VA_ARGS__)

static int32_t find_group(const struct wl_spec_file *f, const char *name)
{
    const struct wl_spec_unit *units = f->units.items;
    for (int32_t i = 0; i < f->units.count; i++) {
        if (units[i].name != NULL && name != NULL && strcmp(units[i].name, name) == 0) {
            return i;
        }
    }
    return WL_NONE;
}

static void unknown_group(const struct checker *c, const char *path, const char *name)
{
    const struct wl_spec_unit *units = c->f->units.items;
    char list[200] = "";
    size_t used = 0;
    for (int32_t i = 0; i < c->f->units.count; i++) {
        int n = snprintf(list + used, sizeof(list) - used, "%s%s", i == 0 ? "" : ", ",
                         units[i].name == NULL ? "?" : units[i].name);
        used = (size_t)wl_min_i64((int64_t)used + (n > 0 ? n : 0), (int64_t)sizeof(list) - 1);
    }
    wl_problem_add(c->p, false, path, "\"%.32s\" is not a name in /units; one of %s", name, list);
}

static void check_identity(const struct checker *c, const char *path)
{
    const char *id = c->f->id;
    for (const char *s = id; s != NULL && *s != '\0'; s++) {
        bool ok = (*s >= 'a' && *s <= 'z') || (*s >= '0' && *s <= '9') || *s == '_';
        if (!ok) {
            wl_problem_add(c->p, false, "/id",
                           "\"%.64s\" has '%c'; lower-case letters, digits and '_'", id, *s);
            break;
        }
    }
    char folder[3][80] = {"", "", ""}; /* file, its folder, the folder of that */
    const char *end = path + strlen(path);
    for (int i = 0; i < 3 && end > path; i++) {
        const char *start = end;
        while (start > path && start[-1] != '/') {
            start--;
        }
        (void)snprintf(folder[i], sizeof(folder[i]), "%.*s", (int)(end - start), start);
        end = start > path ? start - 1 : start;
    }
    int class = -1;
    for (int i = 0; i < WL_HW_CLASS_COUNT; i++) {
        class = strcmp(folder[2], wl_hw_class_name((enum wl_hw_class)i)) == 0 ? i : class;
    }
    if (strcmp(folder[0], "spec.json") != 0 || class < 0 || id == NULL) {
        return;
    }
    if (strcmp(folder[1], id) != 0) {
        wl_problem_add(c->p, false, "/id",
                       "\"%.64s\" differs from its folder \"%s\"; make them equal", id, folder[1]);
    }
    if (class != c->f->class) {
        wl_problem_add(c->p, false, "/class",
                       "\"%s\" differs from its folder \"%s\"; make them equal",
                       wl_hw_class_name((enum wl_hw_class)c->f->class), folder[2]);
    }
}

static void check_units(const struct checker *c)
{
    const struct wl_spec_unit *units = c->f->units.items;
    for (int32_t i = 0; i < c->f->units.count; i++) {
        CHECK_PATH(path, "/units/%d/name", i);
        if (units[i].name != NULL && find_group(c->f, units[i].name) != i) {
            wl_problem_add(c->p, false, path, "\"%s\" is used twice; give each group its own name",
                           units[i].name);
        }
        CHECK_PATH(boost, "/units/%d/boost_clock_hz", i);
        if (units[i].boost_clock_hz.given && units[i].clock_hz.given &&
            units[i].boost_clock_hz.value < units[i].clock_hz.value * 0.999) {
            wl_problem_add(c->p, false, boost,
                           "%g Hz is below clock_hz %g Hz; boost is the highest",
                           units[i].boost_clock_hz.value, units[i].clock_hz.value);
        }
    }
}

static void check_pipes(const struct checker *c)
{
    const struct wl_spec_pipe *pipes = c->f->pipes.items;
    for (int32_t i = 0; i < c->f->pipes.count; i++) {
        const struct wl_spec_pipe *p = &pipes[i];
        CHECK_PATH(path, "/pipes/%d/units", i);
        if (p->units != NULL && find_group(c->f, p->units) == WL_NONE) {
            unknown_group(c, path, p->units);
        }
        double most = 0;
        for (int k = 0; k < WL_PREC_COUNT; k++) {
            most = fmax(most, p->ops_per_cycle[k].value);
        }
        CHECK_PATH(ops, "/pipes/%d/ops_per_cycle", i);
        if (most <= 0) {
            wl_problem_add(c->p, false, ops,
                           "names no precision; a pipe without operations is none");
        }
        bool array_class = c->f->class == WL_HW_TPU || c->f->class == WL_HW_KPU;
        CHECK_PATH(rows, "/pipes/%d/rows", i);
        if (array_class && p->kind == WL_PIPE_MATRIX && !(p->rows.given && p->cols.given)) {
            wl_problem_add(c->p, false, rows,
                           "a matrix pipe of class %s needs rows and cols; give the array's size",
                           wl_hw_class_name((enum wl_hw_class)c->f->class));
        }
    }
}

static void check_level(const struct checker *c, const struct wl_spec_level *l, int32_t i)
{
    CHECK_PATH(at, "/memory/%d", i);
    CHECK_PATH(units, "/memory/%d/units", i);
    if (l->units != NULL && find_group(c->f, l->units) == WL_NONE) {
        unknown_group(c, units, l->units);
    }
    if (!l->bandwidth_bps.given && !l->bytes_per_cycle.given && !l->unit_bytes_per_cycle.given) {
        wl_problem_add(c->p, false, at,
                       "has no bandwidth; give bandwidth_bps, bytes_per_cycle or "
                       "unit_bytes_per_cycle");
    }
    if (l->bandwidth_bps.given && l->bytes_per_cycle.given) {
        wl_problem_add(c->p, false, at, "has bandwidth_bps and bytes_per_cycle; keep one of them");
    }
    if (l->scope == WL_SCOPE_CLUSTER && !l->units_per_instance.given) {
        wl_problem_add(c->p, false, at,
                       "scope cluster needs units_per_instance: how many units share one");
    }
    bool holds = l->managed && l->weight_bytes.value < l->capacity_bytes.value;
    if (l->weight_bytes.given && !holds) {
        CHECK_PATH(weights, "/memory/%d/weight_bytes", i);
        wl_problem_add(c->p, false, weights,
                       "is set aside in a managed memory, of less than its %.0f bytes",
                       l->capacity_bytes.value);
    }
    if (l->bus_bits.given && l->data_rate_bps.given && l->bandwidth_bps.given) {
        double pins = l->bus_bits.value / 8 * l->data_rate_bps.value;
        if (fabs(pins / l->bandwidth_bps.value - 1) > 0.03) {
            CHECK_PATH(bandwidth, "/memory/%d/bandwidth_bps", i);
            wl_problem_add(
                c->p, false, bandwidth,
                "%g B/s is not %g bits x %g bit/s / 8 = %g B/s; correct one of the three",
                l->bandwidth_bps.value, l->bus_bits.value, l->data_rate_bps.value, pins);
        }
    }
}

static void check_memory(const struct checker *c)
{
    const struct wl_spec_level *levels = c->f->memory.items;
    int32_t count = c->f->memory.count, distinct = 0;
    for (int32_t i = 0; i < count; i++) {
        check_level(c, &levels[i], i);
        bool same = i > 0 && levels[i].name != NULL && levels[i - 1].name != NULL &&
                    strcmp(levels[i].name, levels[i - 1].name) == 0;
        distinct += same ? 0 : 1;
        for (int32_t j = 0; j + 1 < i && levels[i].name != NULL; j++) {
            if (levels[j].name != NULL && !same && strcmp(levels[i].name, levels[j].name) == 0) {
                CHECK_PATH(path, "/memory/%d/name", i);
                wl_problem_add(c->p, false, path,
                               "\"%s\" is used before another level; entries of one level are "
                               "neighbours",
                               levels[i].name);
            }
        }
    }
    if (distinct > WL_SPEC_LEVELS_MAX) {
        wl_problem_add(c->p, false, "/memory", "has %d levels; at most %d are modelled", distinct,
                       WL_SPEC_LEVELS_MAX);
    }
    if (count > 0 && levels[count - 1].scope != WL_SCOPE_DEVICE) {
        CHECK_PATH(path, "/memory/%d/scope", count - 1);
        wl_problem_add(c->p, false, path, "the last level is main memory; its scope is \"device\"");
    }
}

static void check_mode(const struct checker *c, int32_t index)
{
    const struct wl_spec_mode *modes = c->f->power_modes.items;
    const struct wl_spec_mode *m = &modes[index];
    const struct wl_spec_unit *units = c->f->units.items;
    for (int32_t j = 0; j < index; j++) {
        CHECK_PATH(path, "/power_modes/%d/name", index);
        if (m->name != NULL && modes[j].name != NULL &&
            wl_mode_names_match(m->name, modes[j].name)) {
            wl_problem_add(c->p, false, path, "\"%s\" cannot be told from \"%s\"", m->name,
                           modes[j].name);
        }
    }
    const struct wl_named_num *clocks = m->clock_hz.items;
    for (int32_t k = 0; k < m->clock_hz.count; k++) {
        CHECK_PATH(path, "/power_modes/%d/clock_hz/%.32s", index, clocks[k].name);
        if (find_group(c->f, clocks[k].name) == WL_NONE) {
            unknown_group(c, path, clocks[k].name);
        }
    }
    const struct wl_named_num *active = m->active_units.items;
    for (int32_t k = 0; k < m->active_units.count; k++) {
        CHECK_PATH(path, "/power_modes/%d/active_units/%.32s", index, active[k].name);
        int32_t group = find_group(c->f, active[k].name);
        if (group == WL_NONE) {
            unknown_group(c, path, active[k].name);
        } else if (active[k].num.value > units[group].count.value ||
                   active[k].num.value != floor(active[k].num.value)) {
            wl_problem_add(c->p, false, path, "%g of %g units; a whole number up to the count",
                           active[k].num.value, units[group].count.value);
        }
    }
    double limit = m->power_limit_w.given ? m->power_limit_w.value : m->tdp_w.value;
    double idle = m->idle_w.given ? m->idle_w.value : c->f->power.idle_w.value;
    if (limit > 0 && idle >= limit) {
        CHECK_PATH(path, "/power_modes/%d/idle_w", index);
        wl_problem_add(c->p, false, path,
                       "idle %g W is not below the limit %g W; give the mode its own idle_w", idle,
                       limit);
    }
}

static void check_power(const struct checker *c)
{
    const struct wl_spec_power *p = &c->f->power;
    double limit = p->power_limit_w.given ? p->power_limit_w.value : p->tdp_w.value;
    if (p->tdp_w.given && p->idle_w.given && p->idle_w.value >= limit) {
        wl_problem_add(c->p, false, "/power/idle_w",
                       "idle %g W (%.160s) is not below the limit %g W; correct one of them",
                       p->idle_w.value, p->idle_w.source == NULL ? "" : p->idle_w.source, limit);
    }
    bool found = p->default_mode == NULL, tdp = true;
    const struct wl_spec_mode *modes = c->f->power_modes.items;
    for (int32_t i = 0; i < c->f->power_modes.count; i++) {
        check_mode(c, i);
        found =
            found || (modes[i].name != NULL && wl_mode_names_match(modes[i].name, p->default_mode));
        tdp = (i > 0 && tdp) || modes[i].tdp_w.given;
    }
    if (!found) {
        wl_problem_add(c->p, false, "/power/default_mode", "\"%s\" is not a name in /power_modes",
                       p->default_mode);
    }
    if (!tdp && c->f->power_modes.count > 0) {
        wl_problem_add(c->p, false, "/power_modes", "no mode has tdp_w; at least one needs it");
    }
}

static void check_class_keys(const struct checker *c, const cJSON *json)
{
    for (int i = 0; i < WL_HW_CLASS_COUNT; i++) {
        const char *key = wl_hw_class_name((enum wl_hw_class)i);
        bool present = cJSON_GetObjectItemCaseSensitive(json, key) != NULL;
        CHECK_PATH(path, "/%s", key);
        if (i == WL_HW_CPU) {
            continue; /* nothing that only CPUs have */
        }
        if (i == c->f->class && !present) {
            wl_problem_add(c->p, false, path, "is missing; a device of class %s needs it", key);
        } else if (i != c->f->class && present) {
            wl_problem_add(c->p, false, path, "belongs to class %s; this device is a %s", key,
                           wl_hw_class_name((enum wl_hw_class)c->f->class));
        }
    }
}

/* ---- tables
 * ------------------------------------------------------------------------------------------ */

/* A missing or broken table is a problem of the spec at `path`. */
static void table_problem(struct wl_problems *p, const char *path, const struct wl_error *e)
{
    wl_problem_add(p, false, path, "%s", e->message);
}

static wl_status resolve_tables(struct wl_registry *r, struct wl_spec *s, struct wl_problems *p,
                                struct wl_error *err)
{
    struct wl_error inner = {0};
    const struct wl_spec_level *levels = s->file.memory.items;
    s->memory_tech = WL_ARRAY(&r->arena, const struct wl_memory_tech *, s->file.memory.count);
    WL_TRY_PTR(s->memory_tech, err);
    if (s->file.process != NULL &&
        wl_process_load(r, s->file.process, &s->process, &inner) != WL_OK) {
        table_problem(p, "/process", &inner);
    }
    if (wl_coefficients_prepare(r, &inner) != WL_OK) {
        table_problem(p, "/process", &inner);
    }
    if (wl_class_load(r, (enum wl_hw_class)s->file.class, &s->class_file, &inner) != WL_OK) {
        table_problem(p, "/class", &inner);
    }
    for (int32_t i = 0; i < s->file.memory.count; i++) {
        CHECK_PATH(path, "/memory/%d/technology", i);
        if (levels[i].technology == NULL) {
            continue;
        }
        if (wl_memory_load(r, levels[i].technology, &s->memory_tech[i], &inner) != WL_OK) {
            table_problem(p, path, &inner);
            continue;
        }
        const struct wl_memory_tech *tech = s->memory_tech[i];
        if (levels[i].data_rate_bps.given && tech->max_rate_bps_per_pin.given &&
            levels[i].data_rate_bps.value > tech->max_rate_bps_per_pin.value * 1.001) {
            CHECK_PATH(rate, "/memory/%d/data_rate_bps", i);
            wl_problem_add(p, false, rate, "%g bit/s is faster than %s goes (%g bit/s)",
                           levels[i].data_rate_bps.value, tech->name,
                           tech->max_rate_bps_per_pin.value);
        }
    }
    return WL_OK;
}

static wl_status build(struct wl_registry *r, struct wl_spec *s, struct wl_problems *problems,
                       struct wl_error *err)
{
    WL_TRY(inherit(r, s->json, s->path, err));
    WL_TRY(wl_host_idle_apply(&r->arena, s->path, s->json, err));
    s->file.class = -1;
    wl_decode(&r->arena, problems, s->json, &wl_spec_table,
              (struct wl_provenance){WL_BASIS_DATASHEET, NULL}, &s->file);
    if (s->file.class < 0) {
        s->file.class = WL_HW_CPU; /* already a problem */
        return WL_OK;
    }
    struct checker c = {&s->file, problems};
    check_identity(&c, s->path);
    check_units(&c);
    check_pipes(&c);
    check_memory(&c);
    check_power(&c);
    check_class_keys(&c, s->json);
    WL_TRY(resolve_tables(r, s, problems, err));
    if (s->process != NULL) {
        s->energy_source = wl_arena_printf(
            &r->arena, "class %s at %g nm%s", wl_hw_class_name((enum wl_hw_class)s->file.class),
            s->process->nm.value, s->file.energy.core_scale.given ? " x core_scale" : "");
        WL_TRY_PTR(s->energy_source, err);
    }
    return WL_OK;
}

wl_status wl_spec_read(struct wl_registry *r, const char *path, struct wl_problems *problems,
                       struct wl_spec **out, struct wl_error *err)
{
    struct wl_spec *s = WL_NEW(&r->arena, struct wl_spec);
    WL_TRY_PTR(s, err);
    s->path = wl_arena_printf(&r->arena, "%s", path);
    WL_TRY_PTR(s->path, err);
    s->registry = r;
    WL_TRY(wl_json_read(path, &s->json, err));
    wl_status status = build(r, s, problems, err);
    if (status != WL_OK) {
        cJSON_Delete(s->json);
        return status;
    }
    s->next = r->cache->specs; /* from here on the registry deletes the tree */
    r->cache->specs = s;
    *out = s;
    return WL_OK;
}

int32_t wl_spec_mode_count(const struct wl_spec *s)
{
    return s->file.power_modes.count > 0 ? s->file.power_modes.count : 1;
}

const char *wl_spec_mode_name(const struct wl_spec *s, int32_t i)
{
    const struct wl_spec_mode *modes = s->file.power_modes.items;
    return s->file.power_modes.count > 0 ? modes[i].name : "default";
}

const char *wl_spec_id(const struct wl_spec *s)
{
    return s->file.id;
}

const char *wl_spec_path(const struct wl_spec *s)
{
    return s->path;
}

const struct cJSON *wl_spec_json(const struct wl_spec *s)
{
    return s->json;
}
