/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hardware/host_idle.c: the idle watts that `measure --idle --save` kept (idle.json of the host
 * directory, docs/measure.md) take the place of those in the host's own spec. Counted is what a sum
 * may count, less graphics boards: their idle watts are not the processor's. What reaches beyond
 * the processor (a module, the whole machine) is said by the scope of the watts.
 */
#include <stdio.h>
#include <string.h>

#include "registry_priv.h"

static const char spec_of_host[] = "/cpu/" WL_HOST_ID "/spec.json";

/* The directory above the host's spec; NULL when `path` is another device's. */
static const char *host_dir_of(struct wl_arena *a, const char *path)
{
    size_t len = strlen(path), tail = strlen(spec_of_host);
    if (len <= tail || strcmp(path + len - tail, spec_of_host) != 0) {
        return NULL;
    }
    return wl_arena_strndup(a, path, len - tail);
}

static const char *text_of(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsString(item) ? item->valuestring : "";
}

struct idle {
    double watts;
    bool any;          /* a meter of the processor */
    const char *scope; /* of struct wl_spec_power */
    char meters[200];
};

static void add_source(const cJSON *source, struct idle *sum)
{
    static const char *const wider[][2] = {
        {"module", "module"}, {"rail", "module"}, {"platform", "board"}, {"machine", "board"}};
    const cJSON *watts = cJSON_GetObjectItemCaseSensitive(source, "idle_power_w");
    const char *scope = text_of(source, "scope");
    bool counted = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(source, "counted"));
    if (!counted || !cJSON_IsNumber(watts) || !(watts->valuedouble >= 0) ||
        strcmp(scope, "gpu") == 0) {
        return;
    }
    size_t used = strlen(sum->meters);
    (void)snprintf(sum->meters + used, sizeof(sum->meters) - used, "%s%.20s %.40s",
                   used == 0 ? "" : ", ", text_of(source, "kind"), text_of(source, "name"));
    sum->watts += watts->valuedouble;
    sum->any = true;
    for (size_t i = 0; i < WL_ARRAY_LEN(wider); i++) {
        sum->scope = strcmp(scope, wider[i][0]) == 0 ? wider[i][1] : sum->scope;
    }
}

/* "idle_w": {"value", "basis": "measured", "source": "idle"}, and what "idle" is. */
static wl_status put_idle(struct wl_arena *a, cJSON *spec, const struct idle *sum, const char *path,
                          const char *date, struct wl_error *err)
{
    cJSON *power = cJSON_GetObjectItemCaseSensitive(spec, "power");
    cJSON *sources = cJSON_GetObjectItemCaseSensitive(spec, "sources");
    if (!cJSON_IsObject(power) || !cJSON_IsObject(sources)) {
        return WL_OK; /* the decoder tells */
    }
    const char *text = wl_arena_printf(a, "wattline measure --idle --save, %.10s: %s (%s)", date,
                                       sum->meters, path);
    WL_TRY_PTR(text, err);
    cJSON_DeleteItemFromObjectCaseSensitive(power, "idle_w");
    cJSON_DeleteItemFromObjectCaseSensitive(power, "gated_idle_w");
    cJSON_DeleteItemFromObjectCaseSensitive(power, "scope");
    cJSON_DeleteItemFromObjectCaseSensitive(sources, "idle");
    cJSON *idle = cJSON_AddObjectToObject(power, "idle_w");
    bool done = cJSON_AddNumberToObject(idle, "value", sum->watts) != NULL &&
                cJSON_AddStringToObject(idle, "basis", "measured") != NULL &&
                cJSON_AddStringToObject(idle, "source", "idle") != NULL &&
                cJSON_AddStringToObject(power, "scope", sum->scope) != NULL &&
                cJSON_AddStringToObject(sources, "idle", text) != NULL;
    return done ? WL_OK : wl_fail_nomem(err);
}

wl_status wl_host_idle_apply(struct wl_arena *a, const char *spec_path, cJSON *spec,
                             struct wl_error *err)
{
    const char *dir = host_dir_of(a, spec_path);
    const char *path = dir == NULL ? NULL : wl_arena_printf(a, "%s/idle.json", dir);
    if (path == NULL || !wl_path_exists(path)) {
        return WL_OK;
    }
    cJSON *saved = NULL;
    WL_TRY(wl_json_read(path, &saved, err));
    struct idle sum = {.scope = "device"};
    const cJSON *sources = cJSON_GetObjectItemCaseSensitive(saved, "sources"), *source;
    wl_status status = WL_OK;
    if (!cJSON_IsArray(sources) || strcmp(text_of(saved, "kind"), "idle") != 0) {
        status = wl_fail(err, WL_ERR_PARSE, path,
                         "is not what measure --idle --save writes; save it again or remove it");
    }
    cJSON_ArrayForEach(source, sources)
    {
        add_source(source, &sum);
    }
    if (status == WL_OK && sum.any) {
        status = put_idle(a, spec, &sum, path, text_of(saved, "date"), err);
    }
    cJSON_Delete(saved);
    return status;
}
