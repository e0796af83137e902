/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/measure_idle.c: the idle watts of this host, by source, kept as idle.json in the host
 * directory (OUTPUT, "Commands"): {schema_version, kind, date, tool, host, seconds, idle_w,
 * sources[{kind, name, scope, counted, idle_power_w}]}. idle_w is the sum of what counts.
 */
#include <math.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include <cjson/cJSON.h>

#include "measure_cli.h"

static const char file_name[] = "idle.json";

static void put_file(const struct wl_measurement *r, struct wl_buf *out)
{
    struct wl_emitter e;
    struct utsname host;
    char date[32] = "";
    time_t now = time(NULL);
    struct tm utc;
    if (gmtime_r(&now, &utc) != NULL) {
        (void)strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", &utc);
    }
    wl_json_begin(&e, out);
    wl_json_int(&e, "schema_version", 1);
    wl_json_str(&e, "kind", "idle");
    wl_json_str(&e, "date", date);
    wl_json_str(&e, "tool", "wattline " WATTLINE_VERSION);
    wl_json_str(&e, "host", uname(&host) == 0 ? host.nodename : "");
    wl_json_num(&e, "seconds", r->wall_s);
    wl_json_num(&e, "idle_w", r->average_power_w);
    wl_json_array(&e, "sources");
    for (int32_t i = 0; i < r->source_count; i++) {
        const struct wl_meter_channel *c = &r->sources[i].channel;
        wl_json_object(&e, NULL);
        wl_json_str(&e, "kind", c->source);
        wl_json_str(&e, "name", c->name);
        wl_json_str(&e, "scope", c->scope);
        wl_json_bool(&e, "counted", c->counted != 0);
        wl_json_num(&e, "idle_power_w", c->average_power_w);
        wl_json_close(&e, '}');
    }
    wl_json_close(&e, ']');
    wl_json_end(&e);
}

wl_status wl_measure_idle_save(struct wl_arena *arena, const struct wl_measurement *r,
                               const char **path, struct wl_error *err)
{
    const char *dir = wl_cli_host_dir(arena);
    if (dir == NULL) {
        return wl_fail(err, WL_ERR_USAGE, "--save",
                       "no host directory: HOME is not set; set WATTLINE_HOST_DIR");
    }
    if (isnan(r->average_power_w)) {
        return wl_fail(err, WL_ERR_UNSUPPORTED, "--save",
                       "no meter gave idle watts; wattline measure --sources tells why");
    }
    WL_TRY(wl_cli_make_folders(arena, dir, err));
    *path = wl_arena_printf(arena, "%s/%s", dir, file_name);
    WL_TRY_PTR(*path, err);
    struct wl_buf text;
    wl_buf_init(&text);
    put_file(r, &text);
    wl_status status =
        text.failed ? wl_fail_nomem(err) : wl_file_write(*path, text.data, text.len, err);
    wl_buf_done(&text);
    return status;
}

/* ---- reading --------------------------------------------------------------------------------- */

static const char *string_of(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsString(item) ? item->valuestring : "";
}

static void take_over(const cJSON *source, struct wl_measurement *r)
{
    const cJSON *watts = cJSON_GetObjectItemCaseSensitive(source, "idle_power_w");
    if (!cJSON_IsNumber(watts) || !(watts->valuedouble >= 0.0)) {
        return;
    }
    for (int32_t i = 0; i < r->source_count; i++) {
        const struct wl_meter_channel *c = &r->sources[i].channel;
        if (strcmp(c->source, string_of(source, "kind")) == 0 &&
            strcmp(c->name, string_of(source, "name")) == 0) {
            r->sources[i].idle_power_w = watts->valuedouble;
        }
    }
}

wl_status wl_measure_idle_load(struct wl_arena *arena, struct wl_measurement *r,
                               struct wl_error *err)
{
    struct wl_file file;
    const char *dir = wl_cli_host_dir(arena);
    if (dir == NULL) {
        return WL_OK;
    }
    const char *path = wl_arena_printf(arena, "%s/%s", dir, file_name);
    WL_TRY_PTR(path, err);
    if (!wl_path_exists(path)) {
        return WL_OK;
    }
    WL_TRY(wl_file_open(path, &file, err));
    cJSON *root = cJSON_ParseWithLength((const char *)file.data, file.bytes);
    wl_file_close(&file);
    const cJSON *sources = cJSON_GetObjectItemCaseSensitive(root, "sources");
    if (!cJSON_IsArray(sources)) {
        cJSON_Delete(root);
        return wl_fail(err, WL_ERR_PARSE, path,
                       "is not what measure --idle --save writes; save it again or remove it");
    }
    const cJSON *source;
    cJSON_ArrayForEach(source, sources)
    {
        take_over(source, r);
    }
    r->idle_basis = wl_arena_printf(&r->arena, "saved %.10s", string_of(root, "date"));
    cJSON_Delete(root);
    WL_TRY_PTR(r->idle_basis, err);
    return WL_OK;
}
