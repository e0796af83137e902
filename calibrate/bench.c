/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calibrate/bench.c: rows as they come in, the partial file that an interrupted run leaves, and the
 * calibration file in the end. One line of the partial file is one entry of the calibration file.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "json_read.h"

/* Reuse distances that are taken for the same. */
#define SAME_REUSE 0.5

/* ---- rows -------------------------------------------------------------------------------------
 */

/* Sizes by their key in a calibration file; the default is what a kernel without the size has. */
static const struct {
    const char *key;
    size_t offset;
    double otherwise;
} size_keys[] = {
    {"groups", offsetof(struct wl_kernel_sizes, groups), 1},
    {"m", offsetof(struct wl_kernel_sizes, m), 1},
    {"n", offsetof(struct wl_kernel_sizes, n), 1},
    {"k", offsetof(struct wl_kernel_sizes, k), 1},
    {"window", offsetof(struct wl_kernel_sizes, window), 1},
    {"stride", offsetof(struct wl_kernel_sizes, stride), 1},
    {"width", offsetof(struct wl_kernel_sizes, width), 1},
    {"operands", offsetof(struct wl_kernel_sizes, operands), 0},
    {"edge", offsetof(struct wl_kernel_sizes, edge), 0},
    {"passes", offsetof(struct wl_kernel_sizes, passes), 0},
    {"epilogue", offsetof(struct wl_kernel_sizes, epilogue), 0},
    {"bytes", offsetof(struct wl_kernel_sizes, bytes), 0},
    {"near_bytes", offsetof(struct wl_kernel_sizes, near_bytes), 0},
    {"cold_bytes", offsetof(struct wl_kernel_sizes, cold_bytes), 0},
    {"reuse_bytes", offsetof(struct wl_kernel_sizes, reuse_bytes), 0},
};

static double *size_at(struct wl_kernel_sizes *s, size_t i)
{
    return (double *)(void *)((char *)s + size_keys[i].offset);
}

static double size_get(const struct wl_kernel_sizes *s, size_t i)
{
    return *(const double *)(const void *)((const char *)s + size_keys[i].offset);
}

bool wl_bench_same_sizes(const struct wl_kernel_sizes *a, const struct wl_kernel_sizes *b)
{
    for (size_t i = 0; i < WL_ARRAY_LEN(size_keys); i++) {
        double x = size_get(a, i), y = size_get(b, i);
        bool near = size_keys[i].offset == offsetof(struct wl_kernel_sizes, reuse_bytes);
        if (fabs(x - y) > (near ? SAME_REUSE : 1e-9) * x) {
            return false;
        }
    }
    return true;
}

bool wl_bench_has(const struct wl_bench *b, const char *operation, enum wl_precision precision,
                  int32_t threads, const struct wl_kernel_sizes *sizes)
{
    for (int32_t i = 0; i < b->row_count; i++) {
        const struct wl_bench_row *r = &b->rows[i];
        if (r->threads == threads && r->precision == precision &&
            strcmp(r->operation, operation) == 0 && wl_bench_same_sizes(&r->sizes, sizes)) {
            return true;
        }
    }
    return false;
}

const struct wl_bench_row *wl_bench_find(const struct wl_bench *b, const char *operation,
                                         int32_t threads)
{
    for (int32_t i = 0; i < b->row_count; i++) {
        if (b->rows[i].threads == threads && strcmp(b->rows[i].operation, operation) == 0) {
            return &b->rows[i];
        }
    }
    return NULL;
}

void wl_bench_scale(struct wl_bench *b, int32_t threads, double factor)
{
    for (int32_t i = 0; i < b->row_count; i++) {
        struct wl_bench_row *r = &b->rows[i];
        if (r->threads == threads) {
            r->time_s *= factor;
            r->min_s *= factor;
            r->max_s *= factor;
        }
    }
}

static wl_status keep(struct wl_bench *b, const struct wl_bench_row *row, struct wl_error *err)
{
    void *items = b->rows;
    WL_TRY(wl_arena_reserve(&b->arena, &items, &b->row_capacity, b->row_count + 1,
                            sizeof(b->rows[0])));
    b->rows = items;
    struct wl_bench_row *own = &b->rows[b->row_count];
    *own = *row;
    own->operation = wl_arena_strndup(&b->arena, row->operation, strlen(row->operation));
    WL_TRY_PTR(own->operation, err);
    if (row->reason != NULL) {
        own->reason = wl_arena_strndup(&b->arena, row->reason, strlen(row->reason));
        WL_TRY_PTR(own->reason, err);
    }
    b->row_count++;
    return WL_OK;
}

static void print_text(struct wl_buf *out, const char *text)
{
    cJSON *item = cJSON_CreateString(text);
    char *quoted = item == NULL ? NULL : cJSON_PrintUnformatted(item);
    wl_buf_puts(out, quoted == NULL ? "\"\"" : quoted);
    cJSON_free(quoted);
    cJSON_Delete(item);
}

static void print_row(struct wl_buf *out, const struct wl_bench_row *r)
{
    wl_buf_puts(out, "{\"operation\": ");
    print_text(out, r->operation);
    wl_buf_printf(out, ", \"precision\": \"%s\", \"threads\": %d", wl_precision_name(r->precision),
                  r->threads);
    for (size_t i = 0; i < WL_ARRAY_LEN(size_keys); i++) {
        double v = size_get(&r->sizes, i);
        if (v != size_keys[i].otherwise) {
            wl_buf_printf(out, ", \"%s\": %.10g", size_keys[i].key, v);
        }
    }
    if (r->time_s > 0) {
        wl_buf_printf(out, ", \"time_s\": %.6g, \"min_s\": %.6g, \"max_s\": %.6g, \"runs\": %d",
                      r->time_s, r->min_s, r->max_s, r->runs);
    } else {
        wl_buf_puts(out, ", \"unsupported\": true");
    }
    if (r->reason != NULL) {
        wl_buf_puts(out, ", \"reason\": ");
        print_text(out, r->reason);
    }
    wl_buf_puts(out, "}");
}

wl_status wl_bench_add(struct wl_bench *b, const struct wl_bench_row *row, struct wl_error *err)
{
    WL_TRY(keep(b, row, err));
    if (b->partial == NULL) {
        return WL_OK;
    }
    struct wl_buf line;
    wl_buf_init(&line);
    print_row(&line, row);
    bool failed =
        line.data == NULL || fprintf(b->partial, "%s\n", line.data) < 0 || fflush(b->partial) != 0;
    wl_buf_done(&line);
    return failed
               ? wl_fail(err, WL_ERR_IO, b->partial_path, "cannot be written: %s", strerror(errno))
               : WL_OK;
}

void wl_bench_progress(const struct wl_bench *b, double share, const char *what)
{
    if (b->options.progress != NULL) {
        b->options.progress(b->options.user, share, what);
    }
}

void wl_bench_times(double *times_s, int32_t count, struct wl_bench_row *row)
{
    qsort(times_s, (size_t)count, sizeof(*times_s), wl_compare_doubles);
    row->min_s = times_s[0];
    row->max_s = times_s[count - 1];
    row->time_s =
        count % 2 == 1 ? times_s[count / 2] : (times_s[count / 2 - 1] + times_s[count / 2]) / 2;
    row->runs = count;
}

/* ---- the partial file --------------------------------------------------------------------------
 */

/* A line that was cut off when the run ended is left out. */
static wl_status read_row(struct wl_bench *b, const char *line, struct wl_error *err)
{
    cJSON *o = cJSON_Parse(line);
    const char *operation = wl_json_read_text(o, "operation"),
               *precision = wl_json_read_text(o, "precision");
    wl_status status = WL_OK;
    if (operation != NULL && precision != NULL) {
        struct wl_bench_row r = {.operation = operation,
                                 .precision = wl_precision_find(precision),
                                 .threads = (int32_t)wl_json_read_number(o, "threads", 1),
                                 .time_s = wl_json_read_number(o, "time_s", 0),
                                 .min_s = wl_json_read_number(o, "min_s", 0),
                                 .max_s = wl_json_read_number(o, "max_s", 0),
                                 .runs = (int32_t)wl_json_read_number(o, "runs", 0),
                                 .reason = wl_json_read_text(o, "reason")};
        for (size_t i = 0; i < WL_ARRAY_LEN(size_keys); i++) {
            *size_at(&r.sizes, i) =
                wl_json_read_number(o, size_keys[i].key, size_keys[i].otherwise);
        }
        status = keep(b, &r, err);
    }
    cJSON_Delete(o);
    return status;
}

static wl_status resume(struct wl_bench *b, struct wl_error *err)
{
    FILE *f = fopen(b->partial_path, "r");
    char *line = NULL;
    size_t capacity = 0;
    wl_status status = WL_OK;
    if (f == NULL) {
        return WL_OK;
    }
    while (status == WL_OK && getline(&line, &capacity, f) > 0) {
        status = read_row(b, line, err);
    }
    free(line);
    (void)fclose(f);
    b->resumed = b->row_count;
    return status;
}

/* The next line starts on its own, whatever a cut one left. */
static bool end_line(FILE *f)
{
    return fseek(f, 0, SEEK_END) == 0 && (ftell(f) == 0 || fputc('\n', f) != EOF);
}

wl_status wl_bench_open(struct wl_bench *b, const struct wl_bench_options *options,
                        const char *framework, const char *partial_path, struct wl_error *err)
{
    *b = (struct wl_bench){.options = *options, .framework = framework};
    wl_arena_init(&b->arena, 0);
    if (partial_path == NULL) {
        return WL_OK;
    }
    b->partial_path = wl_arena_strndup(&b->arena, partial_path, strlen(partial_path));
    WL_TRY_PTR(b->partial_path, err);
    if (!options->restart) {
        WL_TRY(resume(b, err));
    }
    b->partial = fopen(partial_path, options->restart ? "w" : "a");
    if (b->partial == NULL || !end_line(b->partial)) {
        return wl_fail(err, WL_ERR_IO, partial_path, "cannot be written: %s", strerror(errno));
    }
    return WL_OK;
}

void wl_bench_close(struct wl_bench *b)
{
    if (b->partial != NULL) {
        (void)fclose(b->partial);
    }
    wl_arena_done(&b->arena);
    *b = (struct wl_bench){0};
}

/* ---- the calibration file ----------------------------------------------------------------------
 */

const char *wl_bench_file_name(struct wl_bench *b, const struct wl_bench_identity *id)
{
    return wl_arena_printf(&b->arena, "%s_%.0fMHz_%s.json", id->power_mode, id->clock_hz / 1e6,
                           b->framework);
}

static void print_member(struct wl_buf *out, const char *key, const char *value)
{
    if (value != NULL && value[0] != '\0') {
        wl_buf_printf(out, "  \"%s\": ", key);
        print_text(out, value);
        wl_buf_puts(out, ",\n");
    }
}

wl_status wl_bench_write(const struct wl_bench *b, const struct wl_bench_identity *id,
                         struct wl_buf *out, struct wl_error *err)
{
    wl_buf_puts(out, "{\n  \"schema_version\": 1,\n");
    print_member(out, "device", id->device);
    print_member(out, "power_mode", id->power_mode);
    wl_buf_printf(out, "  \"clock_hz\": %.6g,\n", id->clock_hz);
    print_member(out, "framework", b->framework);
    print_member(out, "framework_version", b->version);
    print_member(out, "date", id->date);
    print_member(out, "tool", "wattline calibrate");
    print_member(out, "tool_version", WATTLINE_VERSION);
    print_member(out, "host", id->host);
    wl_buf_printf(out, "  \"host_cores\": %d,\n", id->host_cores);
    if (id->host_memory_bytes > 0) {
        wl_buf_printf(out, "  \"host_memory_bytes\": %lld,\n", (long long)id->host_memory_bytes);
    }
    print_member(out, "notes", id->notes);
    wl_buf_puts(out, "  \"statistic\": \"median\",\n  \"entries\": [");
    for (int32_t i = 0; i < b->row_count; i++) {
        wl_buf_puts(out, i == 0 ? "\n    " : ",\n    ");
        print_row(out, &b->rows[i]);
    }
    wl_buf_puts(out, "\n  ]\n}\n");
    return out->failed ? wl_fail_nomem(err) : WL_OK;
}
