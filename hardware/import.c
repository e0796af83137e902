/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hardware/import.c: calibration files of branes-ai/graphs (operation_profiles, each with
 * precision_results) into ours, digit for digit: Gops/s and GB/s become ops/s and B/s, milliseconds
 * become seconds. Its times are means of 10 runs, and are called so. A processor's clock in it is
 * an idle reading; a GPU's is one when it differs from the mode's maximum. Stream figures that the
 * device's memory cannot deliver are marked as coming from a cache.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry_priv.h"

struct importer {
    struct wl_registry *r;
    const char *path;
    const cJSON *root, *metadata;
    const struct wl_spec *spec;
    struct wl_device device;
    struct wl_buf *out;
    int32_t entries;
    double best_stream_bps;
};

/* Shortest text that reads back as the same double. */
static void put_number(struct wl_buf *b, double v)
{
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(text, sizeof(text), "%.*g", digits, v);
        double back = strtod(text, NULL);
        if (!(back < v) && !(back > v)) {
            break;
        }
    }
    wl_buf_puts(b, text);
}

static void put_key_number(struct wl_buf *b, const char *key, double v)
{
    if (isfinite(v) && v > 0) {
        wl_buf_printf(b, ", \"%s\": ", key);
        put_number(b, v);
    }
}

static void put_string(struct wl_buf *b, const char *s)
{
    wl_buf_puts(b, "\"");
    for (; *s != '\0'; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\') {
            wl_buf_printf(b, "\\%c", c);
        } else if (c < 0x20) {
            wl_buf_printf(b, "\\u%04x", c);
        } else {
            wl_buf_add(b, s, 1);
        }
    }
    wl_buf_puts(b, "\"");
}

static double number_of(const cJSON *object, const char *key)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsNumber(v) ? v->valuedouble : 0;
}

static const char *string_of(const cJSON *object, const char *key)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsString(v) && v->valuestring[0] != '\0' ? v->valuestring : NULL;
}

/* ---- entries
 * -------------------------------------------------------------------------------------- */

struct names {
    const char *theirs, *ours;
};

static const struct names operation_names[] = {
    {"blas1_axpy", "axpy"},
    {"blas1_dot", "dot"},
    {"blas2_gemv", "gemv"},
    {"blas3_gemm", "gemm"},
    {"stream_copy", "stream_copy"},
    {"stream_scale", "stream_scale"},
    {"stream_add", "stream_add"},
    {"stream_triad", "stream_triad"},
    {"stream_multicore", "stream_multicore"},
};

static const char *our_operation(const char *theirs)
{
    for (size_t i = 0; theirs != NULL && i < WL_ARRAY_LEN(operation_names); i++) {
        if (strcmp(operation_names[i].theirs, theirs) == 0) {
            return operation_names[i].ours;
        }
    }
    return NULL;
}

static void begin_entry(struct importer *m, const char *operation, const char *precision,
                        double size)
{
    struct wl_buf *b = m->out;
    wl_buf_printf(b, "%s    {\"operation\": \"%s\", \"precision\": \"%s\"",
                  m->entries++ == 0 ? "" : ",\n", operation, precision);
    bool product = strcmp(operation, "gemm") == 0;
    if (product || strcmp(operation, "gemv") == 0) {
        put_key_number(b, "m", size);
    }
    put_key_number(b, "n", size);
    if (product) {
        put_key_number(b, "k", size);
    }
}

static void end_entry(struct importer *m, const cJSON *result, const char *gops_key)
{
    struct wl_buf *b = m->out;
    put_key_number(b, "time_s", number_of(result, "mean_latency_ms") / 1e3);
    put_key_number(b, "min_s", number_of(result, "min_latency_ms") / 1e3);
    put_key_number(b, "max_s", number_of(result, "max_latency_ms") / 1e3);
    put_key_number(b, "std_s", number_of(result, "std_latency_ms") / 1e3);
    put_key_number(b, "ops_per_s", number_of(result, gops_key) * 1e9);
    put_key_number(b, "bytes_per_s", number_of(result, "achieved_bandwidth_gbps") * 1e9);
    wl_buf_puts(b, "}");
}

static void stream_entry(struct importer *m, const cJSON *profile, const char *operation)
{
    const cJSON *extra = cJSON_GetObjectItemCaseSensitive(profile, "extra_params");
    const cJSON *shape = cJSON_GetObjectItemCaseSensitive(profile, "input_shape");
    double bandwidth = number_of(profile, "achieved_bandwidth_gbps") * 1e9;
    bool cores = strcmp(operation, "stream_multicore") == 0;
    const cJSON *first = cJSON_GetArrayItem(shape, 0);
    if (bandwidth <= 0) {
        return;
    }
    begin_entry(m, operation, "fp32", 0);
    if (cores) {
        put_key_number(m->out, "m", number_of(extra, "num_cores"));
        put_key_number(m->out, "bytes", number_of(extra, "size_mb") * 1048576);
    } else if (cJSON_IsNumber(first)) {
        put_key_number(m->out, "n", first->valuedouble);
        put_key_number(m->out, "bytes",
                       first->valuedouble * 4 * number_of(extra, "num_memory_ops"));
    }
    end_entry(m, profile, "measured_gflops");
    m->best_stream_bps = fmax(m->best_stream_bps, bandwidth);
}

static void result_entry(struct importer *m, const cJSON *result, const char *operation,
                         const char *precision, double size)
{
    const cJSON *supported = cJSON_GetObjectItemCaseSensitive(result, "supported");
    if (cJSON_IsTrue(supported) && number_of(result, "measured_gops") > 0) {
        begin_entry(m, operation, precision, size);
        end_entry(m, result, "measured_gops");
        return;
    }
    const char *reason = string_of(result, "failure_reason");
    char text[401];
    (void)snprintf(text, sizeof(text), "%.400s", reason == NULL ? "not measured" : reason);
    while (!wl_utf8_valid(text, strlen(text))) {
        text[strlen(text) - 1] = '\0';
    }
    begin_entry(m, operation, precision, size);
    wl_buf_puts(m->out, ", \"unsupported\": true, \"reason\": ");
    put_string(m->out, text);
    wl_buf_puts(m->out, "}");
}

static void profile_entries(struct importer *m, const cJSON *profile)
{
    const char *operation = our_operation(string_of(profile, "operation_type"));
    const cJSON *results = cJSON_GetObjectItemCaseSensitive(profile, "precision_results");
    const cJSON *extra = cJSON_GetObjectItemCaseSensitive(profile, "extra_params");
    if (operation == NULL) {
        return;
    }
    if (strncmp(operation, "stream", 6) == 0) {
        stream_entry(m, profile, operation);
        return;
    }
    for (int p = 0; p < WL_PREC_COUNT; p++) { /* in the canonical order */
        const char *precision = wl_precision_name((enum wl_precision)p);
        const cJSON *result = cJSON_GetObjectItemCaseSensitive(results, precision);
        if (cJSON_IsObject(result)) {
            result_entry(m, result, operation, precision, number_of(extra, "size"));
        }
    }
}

/* ---- the file
 * ------------------------------------------------------------------------------------- */

static const char *without_prefix(const char *name)
{
    if (strncmp(name, "MODE", 4) == 0 && strlen(name) > 4) {
        return name + (name[4] == '_' ? 5 : 4);
    }
    return name;
}

/*
 * "MODE_15W", "MODE15W" and "15W" are one mode; the device's own spelling where it has it. Else
 * what the file says: the GPU's mode, the first part of a name like "Balanced_3801MHz_numpy.json",
 * the CPU's governor.
 */
static const char *mode_name(const struct importer *m)
{
    const cJSON *gpu = cJSON_GetObjectItemCaseSensitive(m->metadata, "gpu_clock");
    const cJSON *cpu = cJSON_GetObjectItemCaseSensitive(m->metadata, "cpu_clock");
    const char *base = strrchr(m->path, '/');
    base = base == NULL ? m->path : base + 1;
    const char *stem = NULL;
    if (strstr(base, "MHz_") != NULL && base[0] != '_') {
        stem = wl_arena_strndup(&m->r->arena, base, strcspn(base, "_"));
    }
    const char *candidates[] = {string_of(gpu, "power_mode_name"), stem,
                                string_of(cpu, "governor")};
    const char *first = NULL;
    for (size_t i = 0; i < WL_ARRAY_LEN(candidates); i++) {
        if (candidates[i] == NULL) {
            continue;
        }
        const char *name = without_prefix(candidates[i]);
        first = first == NULL ? name : first;
        for (int32_t k = 0; k < wl_spec_mode_count(m->spec); k++) {
            if (wl_mode_names_match(name, wl_spec_mode_name(m->spec, k))) {
                return wl_spec_mode_name(m->spec, k);
            }
        }
    }
    return first == NULL ? "default" : first;
}

struct clock {
    double hz;
    bool idle;
};

static struct clock clock_of(const struct importer *m)
{
    const cJSON *gpu = cJSON_GetObjectItemCaseSensitive(m->metadata, "gpu_clock");
    const cJSON *cpu = cJSON_GetObjectItemCaseSensitive(m->metadata, "cpu_clock");
    double sm = number_of(gpu, "sm_clock_mhz");
    if (m->device.class == WL_HW_GPU && sm > 0) {
        double most = number_of(gpu, "max_sm_clock_mhz");
        return (struct clock){sm * 1e6, most > 0 && sm <= 0.5 * most};
    }
    return (struct clock){number_of(cpu, "current_freq_mhz") * 1e6, true};
}

static void put_text(struct wl_buf *b, const char *key, const char *value)
{
    if (value != NULL) {
        wl_buf_printf(b, "  \"%s\": ", key);
        put_string(b, value);
        wl_buf_puts(b, ",\n");
    }
}

static void put_whole(struct wl_buf *b, const char *key, double value)
{
    if (value > 0) {
        wl_buf_printf(b, "  \"%s\": %.0f,\n", key, value);
    }
}

static void put_head(const struct importer *m, const char *mode, struct clock clock)
{
    struct wl_buf *b = m->out;
    const cJSON *meta = m->metadata;
    const char *framework = string_of(meta, "framework");
    const char *date = string_of(meta, "calibration_date");
    char version_key[64], day[20];
    (void)snprintf(version_key, sizeof(version_key), "%.32s_version",
                   framework == NULL ? "" : framework);
    (void)snprintf(day, sizeof(day), "%.19s", date == NULL ? "" : date);
    wl_buf_puts(b, "{\n  \"schema_version\": 1,\n");
    put_text(b, "device", wl_spec_id(m->spec));
    put_text(b, "power_mode", mode);
    wl_buf_puts(b, "  \"clock_hz\": ");
    put_number(b, round(clock.hz));
    wl_buf_puts(b, clock.idle ? ",\n  \"clock_read_idle\": true,\n" : ",\n");
    put_text(b, "framework", framework);
    put_text(b, "framework_version", string_of(meta, version_key));
    put_text(b, "date", day);
    put_text(b, "tool", "branes-ai/graphs calibrator");
    put_text(b, "tool_version", string_of(meta, "calibration_tool_version"));
    put_text(b, "host", string_of(meta, "cpu_model"));
    put_whole(b, "host_cores", number_of(meta, "cpu_count"));
    put_whole(b, "host_memory_bytes", round(number_of(meta, "total_memory_gb") * 1073741824));
    put_text(b, "statistic", "mean");
    put_whole(b, "warmup_runs", number_of(meta, "num_warmup_runs"));
    put_whole(b, "runs", number_of(meta, "num_measurement_runs"));
}

static wl_status check_metadata(const struct importer *m, struct clock clock, struct wl_error *err)
{
    if (!cJSON_IsObject(cJSON_GetObjectItemCaseSensitive(m->root, "operation_profiles"))) {
        return wl_fail(err, WL_ERR_INVALID, m->path,
                       "/operation_profiles is missing; a calibration file of branes-ai/graphs is "
                       "needed");
    }
    const char *needed[] = {"framework", "calibration_date"};
    for (size_t i = 0; i < WL_ARRAY_LEN(needed); i++) {
        if (string_of(m->metadata, needed[i]) == NULL) {
            return wl_fail(err, WL_ERR_INVALID, m->path,
                           "/metadata/%s is missing; a string is needed", needed[i]);
        }
    }
    if (!(clock.hz >= 1e6 && clock.hz <= 1e10)) {
        return wl_fail(err, WL_ERR_INVALID, m->path,
                       "no clock in /metadata/gpu_clock/sm_clock_mhz or "
                       "/metadata/cpu_clock/current_freq_mhz; one of them is needed");
    }
    return WL_OK;
}

/* The folder above "calibrations/" names the device in the older registry. */
static const char *guess_device(struct importer *m)
{
    char *copy = wl_arena_printf(&m->r->arena, "%s", m->path);
    const char *found = NULL;
    char *previous = NULL;
    for (char *part = copy; part != NULL;) {
        char *slash = strchr(part, '/');
        if (slash != NULL) {
            *slash = '\0';
        }
        if (strcmp(part, "calibrations") == 0) {
            found = previous;
        }
        previous = part;
        part = slash == NULL ? NULL : slash + 1;
    }
    return found;
}

static wl_status convert(struct importer *m, const char **name, struct wl_error *err)
{
    struct clock clock = clock_of(m);
    WL_TRY(check_metadata(m, clock, err));
    const char *mode = mode_name(m);
    struct wl_buf *whole = m->out, entries;
    wl_buf_init(&entries);
    m->out = &entries;
    const cJSON *profiles = cJSON_GetObjectItemCaseSensitive(m->root, "operation_profiles");
    for (const cJSON *p = profiles->child; p != NULL; p = p->next) {
        profile_entries(m, p);
    }
    m->out = whole;
    put_head(m, mode, clock);
    if (m->best_stream_bps > wl_device_dram(&m->device)->bandwidth_bps) {
        wl_buf_puts(whole, "  \"bandwidth_includes_cache\": true,\n");
    }
    wl_buf_puts(whole, "  \"notes\": \"Converted from a calibration of branes-ai/graphs; times are "
                       "means.\",\n  \"entries\": [\n");
    wl_buf_add(whole, entries.data, entries.len);
    wl_buf_puts(whole, "\n  ]\n}\n");
    bool failed = entries.failed || whole->failed;
    wl_buf_done(&entries);
    if (failed) {
        return wl_fail_nomem(err);
    }
    if (m->entries == 0) {
        return wl_fail(err, WL_ERR_INVALID, m->path,
                       "/operation_profiles has no operation that is known here");
    }
    size_t bare = strcspn(mode, "("); /* "25W (Super)" is 25W in a file name */
    while (bare > 1 && mode[bare - 1] == ' ') {
        bare--;
    }
    *name = wl_arena_printf(&m->r->arena, "%.*s_%.0fMHz_%s.json", (int)bare, mode,
                            floor(clock.hz / 1e6), string_of(m->metadata, "framework"));
    WL_TRY_PTR(*name, err);
    return WL_OK;
}

wl_status wl_calibration_import(struct wl_registry *r, const char *path, const char *device,
                                struct wl_buf *out, const char **name, struct wl_error *err)
{
    struct importer m = {.r = r, .path = path, .out = out};
    const char *id = device == NULL ? guess_device(&m) : device;
    if (id == NULL) {
        return wl_fail(err, WL_ERR_USAGE, path,
                       "does not say which device it is of; give --device ID");
    }
    WL_TRY(wl_registry_load(r, id, &m.spec, err));
    cJSON *json = NULL;
    WL_TRY(wl_json_read(path, &json, err));
    m.root = json;
    m.metadata = cJSON_GetObjectItemCaseSensitive(json, "metadata");
    wl_status status = wl_spec_device(m.spec, NULL, &m.device, err);
    if (status == WL_OK) {
        status = convert(&m, name, err);
    }
    cJSON_Delete(json);
    return status;
}
