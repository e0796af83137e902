/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report/diff.c: reads two results and pairs them. Subgraphs are paired by name (the anchor node's,
 * unique in a result); what one side lacks is added or removed. Figures are compared as they are:
 * the same analysis gives the same bytes, so "same" means equal.
 */
#include "diff.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const total_keys[] = {"latency_s",
                                         "throughput_per_s",
                                         "energy_j",
                                         "energy_per_inference_j",
                                         "average_power_w",
                                         "unthrottled_power_w",
                                         "peak_power_w",
                                         "macs",
                                         "flops",
                                         "dram_bytes",
                                         "weight_bytes",
                                         "activation_bytes",
                                         "peak_memory_bytes",
                                         "utilization",
                                         "efficiency",
                                         "intensity_flops_per_byte",
                                         "subgraphs"};
/* Found in `energy` of a result. */
static const char *const energy_keys[] = {"compute_j", "memory_j", "control_j", "static_j",
                                          "wasted_j"};
/* Of a subgraph; "energy_j" is its energy.total_j. */
static const char *const subgraph_keys[WL_DIFF_SUBGRAPH_VALUES] = {
    "latency_s", "energy_j", "macs", "utilization", "executed_ops", "overhead_s"};

const char *wl_diff_status_name(enum wl_diff_status s)
{
    static const char *const names[] = {"same", "changed", "added", "removed"};
    return names[s];
}

/* ---- reading ---------------------------------------------------------------------------------
 */

static const cJSON *member(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

static double number(const cJSON *object, const char *key)
{
    const cJSON *v = member(object, key);
    return cJSON_IsNumber(v) ? v->valuedouble : (double)NAN;
}

static const char *text(struct wl_arena *arena, const cJSON *object, const char *key)
{
    const cJSON *v = member(object, key);
    return cJSON_IsString(v) ? wl_arena_strndup(arena, v->valuestring, strlen(v->valuestring))
                             : NULL;
}

static wl_status read_result(const char *name, struct wl_str bytes, cJSON **out,
                             struct wl_error *err)
{
    cJSON *root = cJSON_ParseWithLength(bytes.data, bytes.len);
    if (root == NULL) {
        return wl_fail(err, WL_ERR_PARSE, name,
                       "is not JSON; write it with wattline analyze ... --format json");
    }
    bool fits = cJSON_IsObject(member(root, "totals")) && cJSON_IsArray(member(root, "subgraphs"));
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, member(root, "subgraphs"))
    {
        fits = fits && cJSON_IsString(member(item, "name"));
    }
    if (!fits || number(root, "schema_version") != 1) {
        cJSON_Delete(root);
        return wl_fail(err, WL_ERR_INVALID, name,
                       "is not a result of analyze (schema_version 1); write it with wattline "
                       "analyze ... --format json");
    }
    *out = root;
    return WL_OK;
}

/* ---- pairing ---------------------------------------------------------------------------------
 */

static struct wl_diff_value value_of(const char *key, double a, double b)
{
    struct wl_diff_value v = {.key = key, .a = a, .b = b, .change = (double)NAN};
    if (a == b) {
        v.change = 0;
    } else if (!isnan(a) && !isnan(b)) {
        v.change = a != 0 ? (b - a) / fabs(a) : (double)INFINITY * (b > a ? 1 : -1);
    }
    return v;
}

static wl_status pair_totals(const cJSON *a, const cJSON *b, struct wl_diff *d,
                             struct wl_error *err)
{
    size_t count = WL_ARRAY_LEN(total_keys) + WL_ARRAY_LEN(energy_keys);
    d->totals = WL_ARRAY(&d->arena, struct wl_diff_value, count);
    WL_TRY_PTR(d->totals, err);
    for (size_t i = 0; i < WL_ARRAY_LEN(total_keys); i++) {
        const char *key = total_keys[i];
        d->totals[d->total_count++] =
            value_of(key, number(member(a, "totals"), key), number(member(b, "totals"), key));
    }
    for (size_t i = 0; i < WL_ARRAY_LEN(energy_keys); i++) {
        const char *key = energy_keys[i];
        d->totals[d->total_count++] =
            value_of(key, number(member(a, "energy"), key), number(member(b, "energy"), key));
    }
    d->bottleneck_a = text(&d->arena, member(a, "totals"), "bottleneck");
    d->bottleneck_b = text(&d->arena, member(b, "totals"), "bottleneck");
    return WL_OK;
}

static double subgraph_number(const cJSON *s, int k)
{
    if (s == NULL) {
        return (double)NAN;
    }
    return k == 1 ? number(member(s, "energy"), "total_j") : number(s, subgraph_keys[k]);
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* One side may be NULL. */
static void add_pair(const cJSON *a, const cJSON *b, struct wl_diff *d)
{
    struct wl_diff_subgraph *s = &d->subgraphs[d->subgraph_count++];
    bool same = true;
    s->name = text(&d->arena, a != NULL ? a : b, "name");
    for (int k = 0; k < WL_DIFF_SUBGRAPH_VALUES; k++) {
        s->values[k] = value_of(subgraph_keys[k], subgraph_number(a, k), subgraph_number(b, k));
        same = same && s->values[k].change == 0;
    }
    s->pattern_a = a == NULL ? NULL : text(&d->arena, a, "pattern");
    s->pattern_b = b == NULL ? NULL : text(&d->arena, b, "pattern");
    s->bound_a = a == NULL ? NULL : text(&d->arena, a, "bottleneck");
    s->bound_b = b == NULL ? NULL : text(&d->arena, b, "bottleneck");
    same = same && same_text(s->pattern_a, s->pattern_b) && same_text(s->bound_a, s->bound_b);
    s->status = a == NULL   ? WL_DIFF_ADDED
                : b == NULL ? WL_DIFF_REMOVED
                : same      ? WL_DIFF_SAME
                            : WL_DIFF_CHANGED;
    d->by_status[s->status]++;
}

/* Items of a side by name; of equal names the first counts. */
static wl_status index_names(const cJSON *list, struct wl_strmap *map, const cJSON **items)
{
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, list)
    {
        int32_t before = map->count;
        int32_t id = wl_strmap_add(map, wl_str(member(item, "name")->valuestring));
        if (id == WL_NONE) {
            return WL_ERR_NOMEM;
        }
        if (id == before) {
            items[id] = item;
        }
    }
    return WL_OK;
}

static wl_status pair_subgraphs(const cJSON *a, const cJSON *b, struct wl_diff *d,
                                struct wl_error *err)
{
    const cJSON *list_a = member(a, "subgraphs");
    const cJSON *list_b = member(b, "subgraphs");
    size_t count_a = (size_t)cJSON_GetArraySize(list_a);
    size_t count_b = (size_t)cJSON_GetArraySize(list_b);
    const cJSON **items_a = wl_arena_array(&d->arena, count_a, sizeof(*items_a));
    const cJSON **items_b = wl_arena_array(&d->arena, count_b, sizeof(*items_b));
    struct wl_strmap names_a;
    struct wl_strmap names_b;
    d->subgraphs = WL_ARRAY(&d->arena, struct wl_diff_subgraph, count_a + count_b);
    if (d->subgraphs == NULL || items_a == NULL || items_b == NULL ||
        wl_strmap_init(&names_a, &d->arena) != WL_OK ||
        wl_strmap_init(&names_b, &d->arena) != WL_OK ||
        index_names(list_a, &names_a, items_a) != WL_OK ||
        index_names(list_b, &names_b, items_b) != WL_OK) {
        return wl_fail_nomem(err);
    }
    for (int32_t i = 0; i < names_a.count; i++) {
        int32_t other = wl_strmap_find(&names_b, names_a.names[i]);
        add_pair(items_a[i], other == WL_NONE ? NULL : items_b[other], d);
    }
    for (int32_t i = 0; i < names_b.count; i++) {
        if (wl_strmap_find(&names_a, names_b.names[i]) == WL_NONE) {
            add_pair(NULL, items_b[i], d);
        }
    }
    return WL_OK;
}

static const char *or_unknown(const char *s)
{
    return s == NULL ? "?" : s;
}

static const char *label_of(struct wl_arena *arena, const cJSON *r)
{
    const cJSON *hardware = member(r, "hardware");
    const cJSON *config = member(r, "config");
    const char *mode = text(arena, hardware, "power_mode");
    bool plain = mode == NULL || strcmp(mode, "default") == 0;
    return wl_arena_printf(arena, "%s on %s%s%s, %s, batch %.0f, runtime %s, fusion %s",
                           or_unknown(text(arena, member(r, "model"), "name")),
                           or_unknown(text(arena, hardware, "id")), plain ? "" : " ",
                           plain ? "" : mode, or_unknown(text(arena, config, "precision")),
                           number(config, "batch"), or_unknown(text(arena, config, "runtime")),
                           or_unknown(text(arena, config, "fusion")));
}

static wl_status pair(const cJSON *a, const cJSON *b, struct wl_diff *d, struct wl_error *err)
{
    d->label_a = label_of(&d->arena, a);
    d->label_b = label_of(&d->arena, b);
    WL_TRY_PTR(d->label_a, err);
    WL_TRY_PTR(d->label_b, err);
    WL_TRY(pair_totals(a, b, d, err));
    return pair_subgraphs(a, b, d, err);
}

wl_status wl_diff_results(const char *name_a, struct wl_str a, const char *name_b, struct wl_str b,
                          struct wl_diff *out, struct wl_error *err)
{
    cJSON *root_a = NULL;
    cJSON *root_b = NULL;
    memset(out, 0, sizeof(*out));
    wl_arena_init(&out->arena, 0);
    wl_status status = read_result(name_a, a, &root_a, err);
    status = status == WL_OK ? read_result(name_b, b, &root_b, err) : status;
    status = status == WL_OK ? pair(root_a, root_b, out, err) : status;
    cJSON_Delete(root_a);
    cJSON_Delete(root_b);
    if (status != WL_OK) {
        wl_diff_done(out);
    }
    return status;
}

void wl_diff_done(struct wl_diff *d)
{
    wl_arena_done(&d->arena);
}

/* ---- conditions --------------------------------------------------------------------------------
 */

struct condition {
    const struct wl_diff_value *value;
    char op[3];
    double limit;
    bool relative, difference;
};

static wl_status fail_condition(const char *condition, struct wl_error *err)
{
    return wl_fail(err, WL_ERR_USAGE, "--fail-if",
                   "\"%.60s\" is not KEY OP VALUE; write 'latency_s>+5%%' (change), "
                   "'energy_j>0.1' (value of the second)",
                   condition);
}

static wl_status fail_key(const struct wl_diff *d, const char *key, struct wl_error *err)
{
    const char *names[WL_ARRAY_LEN(total_keys) + WL_ARRAY_LEN(energy_keys)];
    char near[160];
    for (int32_t i = 0; i < d->total_count; i++) {
        names[i] = d->totals[i].key;
    }
    wl_nearest_names(key, names, d->total_count, 3, near, sizeof(near));
    return wl_fail(err, WL_ERR_USAGE, "--fail-if", "\"%.40s\" is not a total; %s%s", key,
                   near[0] != '\0' ? "near: " : "latency_s, energy_j, peak_memory_bytes are", near);
}

static wl_status parse_key(const struct wl_diff *d, const char *condition, size_t len,
                           struct condition *c, struct wl_error *err)
{
    char key[64];
    while (len > 0 && condition[len - 1] == ' ') {
        len--;
    }
    if (len == 0 || len >= sizeof(key)) {
        return fail_condition(condition, err);
    }
    memcpy(key, condition, len);
    key[len] = '\0';
    for (int32_t i = 0; i < d->total_count; i++) {
        if (strcmp(d->totals[i].key, key) == 0) {
            c->value = &d->totals[i];
            return WL_OK;
        }
    }
    return fail_key(d, key, err);
}

static wl_status parse_condition(const struct wl_diff *d, const char *condition,
                                 struct condition *c, struct wl_error *err)
{
    const char *key = condition + strspn(condition, " ");
    size_t len = strcspn(key, "<>=!");
    size_t op = strspn(key + len, "<>=!");
    WL_TRY(parse_key(d, key, len, c, err));
    if (op == 0 || op > 2) {
        return fail_condition(condition, err);
    }
    memcpy(c->op, key + len, op);
    c->op[op] = '\0';
    const char *number_at = key + len + op + strspn(key + len + op, " ");
    char *end = NULL;
    c->limit = strtod(number_at, &end);
    c->relative = end != number_at && *end == '%';
    c->difference = !c->relative && (*number_at == '+' || *number_at == '-');
    end += c->relative ? 1 : 0;
    end += strspn(end, " ");
    if (end == number_at || *end != '\0' || !isfinite(c->limit)) {
        return fail_condition(condition, err);
    }
    return WL_OK;
}

static wl_status compare(const struct condition *c, double x, const char *condition, bool *holds,
                         struct wl_error *err)
{
    if (strcmp(c->op, ">") == 0) {
        *holds = x > c->limit;
    } else if (strcmp(c->op, ">=") == 0) {
        *holds = x >= c->limit;
    } else if (strcmp(c->op, "<") == 0) {
        *holds = x < c->limit;
    } else if (strcmp(c->op, "<=") == 0) {
        *holds = x <= c->limit;
    } else if (strcmp(c->op, "==") == 0) {
        *holds = x == c->limit;
    } else if (strcmp(c->op, "!=") == 0) {
        *holds = x != c->limit;
    } else {
        return fail_condition(condition, err);
    }
    return WL_OK;
}

wl_status wl_diff_check(const struct wl_diff *d, const char *condition, bool *holds,
                        struct wl_buf *why, struct wl_error *err)
{
    struct condition c = {0};
    WL_TRY(parse_condition(d, condition, &c, err));
    const struct wl_diff_value *v = c.value;
    if (isnan(v->b) || ((c.relative || c.difference) && isnan(v->a))) {
        return wl_fail(err, WL_ERR_INVALID, "--fail-if", "a result has no number for %s", v->key);
    }
    double x = c.relative ? v->change * 100 : c.difference ? v->b - v->a : v->b;
    WL_TRY(compare(&c, x, condition, holds, err));
    if (*holds) {
        wl_buf_printf(why, "%s%s: %.6g -> %.6g (%+.2f %%)", why->len > 0 ? "; " : "", condition,
                      v->a, v->b, v->change * 100);
    }
    return WL_OK;
}
