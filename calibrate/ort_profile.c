/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calibrate/ort_profile.c: a profile that ONNX Runtime wrote (enable_profiling), as the script's
 * results are: per kernel the mean of the middle half of its runs, per inference the whole. Kernels
 * are traced to nodes of the file by name alone: the optimizer's endings are taken off.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "json_read.h"
#include "ort.h"

#define KERNEL_END "_kernel_time"

static double seconds(const cJSON *event)
{
    return 1e-6 * wl_json_read_number(event, "dur", 0);
}

static size_t kernel_name_len(const cJSON *event)
{
    const char *category = wl_json_read_text(event, "cat"),
               *name = wl_json_read_text(event, "name");
    size_t end = strlen(KERNEL_END), len = name == NULL ? 0 : strlen(name);
    bool kernel = category != NULL && strcmp(category, "Node") == 0 && len > end &&
                  strcmp(name + len - end, KERNEL_END) == 0;
    return kernel ? len - end : 0;
}

/* "conv1_token_4" -> "conv1", "relu_nchwc" -> "relu"; false when there is nothing to take off. */
static bool take_ending_off(char *name)
{
    static const char *const endings[] = {"_nchwc", "_bn", "/duplicated"};
    size_t len = strlen(name);
    for (size_t i = 0; i < WL_ARRAY_LEN(endings); i++) {
        size_t end = strlen(endings[i]);
        if (len > end && strcmp(name + len - end, endings[i]) == 0) {
            name[len - end] = '\0';
            return true;
        }
    }
    size_t digits = len;
    while (digits > 0 && isdigit((unsigned char)name[digits - 1]) != 0) {
        digits--;
    }
    if (digits < len && digits > 7 && strncmp(name + digits - 7, "_token_", 7) == 0) {
        name[digits - 7] = '\0';
        return true;
    }
    return false;
}

const char *wl_ort_trace_name(const char *kernel, bool (*known)(void *user, const char *name),
                              void *user, struct wl_arena *arena)
{
    char *name = wl_arena_strndup(arena, kernel, strlen(kernel));
    while (name != NULL && !known(user, name)) {
        if (!take_ending_off(name)) {
            return NULL;
        }
    }
    return name;
}

static double middle(double *values, int32_t count)
{
    qsort(values, (size_t)count, sizeof(*values), wl_compare_doubles);
    int32_t cut = count / 4;
    double sum = 0;
    for (int32_t i = cut; i < count - cut; i++) {
        sum += values[i];
    }
    return sum / (count - 2 * cut);
}

/* All runs of the kernel that `first` is the first run of. */
static wl_status read_kernel(const cJSON *first, struct wl_arena *arena, double *times,
                             struct wl_ort_kernel *out, struct wl_error *err)
{
    size_t len = kernel_name_len(first);
    const char *name = wl_json_read_text(first, "name");
    int32_t count = 0;
    for (const cJSON *e = first; e != NULL; e = e->next) {
        if (kernel_name_len(e) == len && strncmp(wl_json_read_text(e, "name"), name, len) == 0) {
            times[count++] = seconds(e);
        }
    }
    const char *op = wl_json_read_text(cJSON_GetObjectItemCaseSensitive(first, "args"), "op_name");
    *out = (struct wl_ort_kernel){
        .name = wl_arena_strndup(arena, name, len),
        .op = wl_arena_strndup(arena, op == NULL ? "" : op, op == NULL ? 0 : strlen(op)),
        .runs = count};
    WL_TRY_PTR(out->name, err);
    WL_TRY_PTR(out->op, err);
    out->time_s = middle(times, count);
    out->min_s = times[0];
    out->max_s = times[count - 1];
    return WL_OK;
}

static bool seen(const struct wl_ort_result *r, const cJSON *event, size_t len)
{
    for (int32_t i = 0; i < r->kernel_count; i++) {
        const char *name = r->kernels[i].name;
        if (strlen(name) == len && strncmp(name, wl_json_read_text(event, "name"), len) == 0) {
            return true;
        }
    }
    return false;
}

static wl_status read_events(const cJSON *events, struct wl_arena *arena, struct wl_ort_result *out,
                             struct wl_error *err)
{
    int32_t count = cJSON_GetArraySize(events);
    double *times = WL_ARRAY(arena, double, count + 1);
    out->kernels = WL_ARRAY(arena, struct wl_ort_kernel, count + 1);
    out->wall_s = WL_ARRAY(arena, double, count + 1);
    WL_TRY_PTR(times, err);
    WL_TRY_PTR(out->kernels, err);
    WL_TRY_PTR(out->wall_s, err);
    for (const cJSON *e = events->child; e != NULL; e = e->next) {
        size_t len = kernel_name_len(e);
        const char *name = wl_json_read_text(e, "name");
        if (name != NULL && strcmp(name, "model_run") == 0) {
            out->wall_s[out->wall_count++] = seconds(e);
        } else if (len > 0 && !seen(out, e, len)) {
            WL_TRY(read_kernel(e, arena, times, &out->kernels[out->kernel_count], err));
            out->kernel_count++;
        }
    }
    return WL_OK;
}

wl_status wl_ort_profile_read(const char *path, struct wl_arena *arena, struct wl_ort_result *out,
                              struct wl_error *err)
{
    struct wl_file file;
    *out = (struct wl_ort_result){.version = "profile"};
    WL_TRY(wl_file_open(path, &file, err));
    cJSON *events = cJSON_ParseWithLength((const char *)file.data, file.bytes);
    wl_file_close(&file);
    if (!cJSON_IsArray(events)) {
        cJSON_Delete(events);
        return wl_fail(err, WL_ERR_PARSE, path,
                       "is no profile of ONNX Runtime; a JSON list of events would be");
    }
    wl_status status = read_events(events, arena, out, err);
    cJSON_Delete(events);
    if (status == WL_OK && (out->kernel_count == 0 || out->wall_count == 0)) {
        status = wl_fail(err, WL_ERR_INVALID, path,
                         "has no kernels or no model_run; profile at least one inference");
    }
    return status;
}
