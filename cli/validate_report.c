/* SPDX-License-Identifier: Apache-2.0 */
/* cli/validate_report.c: errors of a validation, as text, as JSON, and into the calibration. */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "validate_cli.h"

#define WORST 12
#define NEAR 0.12   /* the share of points within it is reported */
#define COVERED 1.5 /* doublings: further away the sizes calibrated are to blame */

/* ---- errors -------------------------------------------------------------------------------------
 */

static double error_of(double predicted_s, double measured_s)
{
    return predicted_s / measured_s - 1;
}

/* What brings a time to the calibration's speed, where that is asked for and known. */
static double factor_of(double speed, bool level)
{
    return level && speed > 0 ? speed : 1;
}

static struct wl_validate_errors summary(double *errors, int32_t count)
{
    struct wl_validate_errors e = {.count = count};
    if (count == 0) {
        return e;
    }
    qsort(errors, (size_t)count, sizeof(*errors), wl_compare_doubles);
    for (int32_t i = 0; i < count; i++) {
        e.mean += errors[i] / count;
        e.within_12 += errors[i] <= NEAR ? 1.0 / count : 0;
    }
    e.median = (errors[(count - 1) / 2] + errors[count / 2]) / 2;
    e.p90 = errors[(int32_t)(0.9 * (count - 1) + 0.5)];
    return e;
}

static bool kernel_ran(const struct wl_validate_kernel *k)
{
    return k->measured_s > 0 && k->predicted_s > 0;
}

static bool counts(const struct wl_validate_point *p)
{
    return p->failure == NULL && p->excluded == NULL;
}

/* Calls `take` for each kernel of each point that was matched. */
static void each_kernel(const struct wl_validation *v,
                        void (*take)(void *user, const struct wl_validate_point *p,
                                     const struct wl_validate_kernel *k),
                        void *user)
{
    for (int32_t i = 0; i < v->point_count; i++) {
        for (int32_t k = 0; counts(&v->points[i]) && k < v->points[i].kernel_count; k++) {
            if (kernel_ran(&v->points[i].kernels[k])) {
                take(user, &v->points[i], &v->points[i].kernels[k]);
            }
        }
    }
}

struct collect {
    double *errors;
    int32_t count;
    const char *operation; /* NULL: all */
    bool level;
};

static void collect_kernel(void *user, const struct wl_validate_point *p,
                           const struct wl_validate_kernel *k)
{
    struct collect *c = user;
    if (c->operation == NULL || (k->operation != NULL && strcmp(k->operation, c->operation) == 0)) {
        if (c->errors != NULL) {
            c->errors[c->count] = fabs(
                error_of(k->predicted_s, k->measured_s * factor_of(p->kernels_speed, c->level)));
        }
        c->count++;
    }
}

static struct wl_validate_errors kernel_errors(struct wl_validation *v, const char *operation,
                                               bool level)
{
    struct collect c = {.operation = operation, .level = level};
    each_kernel(v, collect_kernel, &c);
    c.errors = WL_ARRAY(&v->arena, double, c.count);
    c.count = 0;
    if (c.errors != NULL) {
        each_kernel(v, collect_kernel, &c);
    }
    return summary(c.errors, c.count);
}

struct wl_validate_errors wl_validate_errors(struct wl_validation *v, bool kernels, bool level)
{
    if (kernels) {
        return kernel_errors(v, NULL, level);
    }
    double *errors = WL_ARRAY(&v->arena, double, v->point_count);
    int32_t count = 0;
    for (int32_t i = 0; errors != NULL && i < v->point_count; i++) {
        if (counts(&v->points[i])) {
            const struct wl_validate_point *p = &v->points[i];
            errors[count++] =
                fabs(error_of(p->predicted_s, p->measured_s * factor_of(p->speed, level)));
        }
    }
    return summary(errors, count);
}

/* ---- text ---------------------------------------------------------------------------------------
 */

#define CELL 40

static const char *percent(double share, char out[CELL])
{
    (void)snprintf(out, CELL, "%+.1f %%", 100 * share);
    return out;
}

static wl_status models_table(const struct wl_validation *v, struct wl_buf *out,
                              struct wl_error *err)
{
    static const char *const headings[] = {"model",    "batch",     "threads",
                                           "measured", "predicted", "error"};
    struct wl_table t;
    WL_TRY(wl_table_init(&t, 6, headings, "lrrrrr"));
    (void)err;
    for (int32_t i = 0; i < v->point_count; i++) {
        const struct wl_validate_point *p = &v->points[i];
        char batch[CELL], threads[CELL], a[CELL], b[CELL], e[CELL];
        (void)snprintf(batch, sizeof(batch), "%lld", (long long)p->batch);
        (void)snprintf(threads, sizeof(threads), "%d", (int)p->threads);
        bool ran = p->failure == NULL;
        const char *cells[] = {p->name,
                               batch,
                               threads,
                               ran ? wl_format_si(p->measured_s, "s", a, sizeof(a)) : "-",
                               wl_format_si(p->predicted_s, "s", b, sizeof(b)),
                               ran ? percent(error_of(p->predicted_s, p->measured_s), e) : "-"};
        wl_table_row(&t, cells);
    }
    wl_table_print(&t, 100, true, "  ", out);
    wl_table_done(&t);
    for (int32_t i = 0; i < v->point_count; i++) {
        const struct wl_validate_point *p = &v->points[i];
        if (p->failure != NULL) {
            wl_buf_printf(out, "  %s, batch %lld: %s\n", p->name, (long long)p->batch, p->failure);
        } else if (p->excluded != NULL) {
            wl_buf_printf(out, "  %s, batch %lld: its work depends on data (%s); not counted\n",
                          p->name, (long long)p->batch, p->excluded);
        }
    }
    return WL_OK;
}

static const char *reason(const struct wl_validate_kernel *k, char out[CELL])
{
    if (k->operation == NULL) {
        return "not calibrated";
    }
    if (k->distance > COVERED) {
        (void)snprintf(out, CELL, "%.1f doublings from any size", k->distance);
        return out;
    }
    return "interpolation";
}

struct worst {
    const struct wl_validate_point *point;
    const struct wl_validate_kernel *kernel;
};

struct worst_list {
    struct worst *items;
    int32_t count, limit; /* limit < 0: all, in order */
};

static double seconds_off(const struct wl_validate_kernel *k)
{
    return fabs(k->predicted_s - k->measured_s);
}

static void take_worst(void *user, const struct wl_validate_point *p,
                       const struct wl_validate_kernel *k)
{
    struct worst_list *w = user;
    int32_t at = w->count;
    if (w->limit >= 0) {
        double off = seconds_off(k) / p->measured_s;
        while (at > 0 &&
               seconds_off(w->items[at - 1].kernel) / w->items[at - 1].point->measured_s < off) {
            at--;
        }
        if (at >= w->limit) {
            return;
        }
        int32_t last = w->count < w->limit ? w->count++ : w->limit - 1;
        memmove(&w->items[at + 1], &w->items[at], (size_t)(last - at) * sizeof(*w->items));
    } else {
        w->count++;
    }
    w->items[at] = (struct worst){p, k};
}

static wl_status kernels_table(struct wl_validation *v, int32_t limit, struct wl_buf *out,
                               struct wl_error *err)
{
    static const char *const headings[] = {"kernel",    "pattern", "of",       "measured",
                                           "predicted", "error",   "of model", "because of"};
    int32_t capacity = limit >= 0 ? limit + 1 : wl_validate_errors(v, true, false).count;
    struct worst_list w = {.limit = limit};
    struct wl_table t;
    w.items = WL_ARRAY(&v->arena, struct worst, capacity);
    WL_TRY_PTR(w.items, err);
    each_kernel(v, take_worst, &w);
    WL_TRY(wl_table_init(&t, 8, headings, "lllrrrrl"));
    for (int32_t i = 0; i < w.count; i++) {
        const struct wl_validate_kernel *k = w.items[i].kernel;
        const struct wl_validate_point *p = w.items[i].point;
        char of[96], a[CELL], b[CELL], e[CELL], share[CELL], why[CELL];
        (void)snprintf(of, sizeof(of), "%s b%lld t%d", p->name, (long long)p->batch,
                       (int)p->threads);
        const char *cells[] = {k->name,
                               k->pattern,
                               of,
                               wl_format_si(k->measured_s, "s", a, sizeof(a)),
                               wl_format_si(k->predicted_s, "s", b, sizeof(b)),
                               percent(error_of(k->predicted_s, k->measured_s), e),
                               percent((k->predicted_s - k->measured_s) / p->measured_s, share),
                               reason(k, why)};
        wl_table_row(&t, cells);
    }
    wl_table_print(&t, 100, true, "  ", out);
    wl_table_done(&t);
    return WL_OK;
}

static void print_errors(struct wl_buf *out, const char *what, const struct wl_validate_errors *e)
{
    wl_buf_printf(out,
                  "  %-8s MAPE %.1f %%, median %.1f %%, 90th percentile %.1f %%, %.0f %% within "
                  "12 %% (%d)\n",
                  what, 100 * e->mean, 100 * e->median, 100 * e->p90, 100 * e->within_12,
                  (int)e->count);
}

/* Machines that share a processor change speed between calibration and validation. */
static void print_speed(struct wl_buf *out, struct wl_validation *v)
{
    double low = 0, high = 0;
    for (int32_t i = 0; i < v->point_count; i++) {
        double speed = v->points[i].speed;
        low = speed > 0 && (low == 0 || speed < low) ? speed : low;
        high = speed > high ? speed : high;
    }
    if (high > 0) {
        struct wl_validate_errors models = wl_validate_errors(v, false, true);
        struct wl_validate_errors kernels = wl_validate_errors(v, true, true);
        wl_buf_printf(
            out,
            "\nthe machine ran at %.2f to %.2f times the speed of the calibration; at that "
            "speed:\n",
            low, high);
        print_errors(out, "models", &models);
        print_errors(out, "kernels", &kernels);
    }
}

wl_status wl_validate_text(struct wl_validation *v, struct wl_buf *out, struct wl_error *err)
{
    wl_buf_printf(out, "predicted against measured on %s\n%s %s; calibration %s\n\n", v->host,
                  v->runtime, v->version,
                  v->calibration != NULL ? v->calibration : "none: specification alone");
    WL_TRY(models_table(v, out, err));
    struct wl_validate_errors models = wl_validate_errors(v, false, false);
    struct wl_validate_errors kernels = wl_validate_errors(v, true, false);
    wl_buf_puts(out, "\n");
    print_errors(out, "models", &models);
    if (kernels.count == 0) {
        return WL_OK; /* a runtime that tells whole networks only */
    }
    print_errors(out, "kernels", &kernels);
    print_speed(out, v);
    wl_buf_printf(out, "\n%s\n",
                  v->layers ? "kernels in order" : "what moves the models' errors most");
    return kernels_table(v, v->layers ? -1 : WORST, out, err);
}

/* ---- JSON ---------------------------------------------------------------------------------------
 */

static void kernel_json(void *user, const struct wl_validate_point *p,
                        const struct wl_validate_kernel *k)
{
    struct wl_emitter *e = user;
    wl_json_object(e, NULL);
    wl_json_str(e, "model", p->name);
    wl_json_int(e, "batch", p->batch);
    wl_json_int(e, "threads", p->threads);
    wl_json_str(e, "subgraph", k->name);
    wl_json_str(e, "pattern", k->pattern);
    wl_json_str(e, "operation", k->operation);
    wl_json_num(e, "distance_doublings", k->distance);
    wl_json_num(e, "measured_s", k->measured_s);
    wl_json_num(e, "predicted_s", k->predicted_s);
    wl_json_num(e, "error", error_of(k->predicted_s, k->measured_s));
    wl_json_close(e, '}');
}

static void json_speed(struct wl_emitter *e, const char *key, double speed)
{
    if (speed > 0) {
        wl_json_num(e, key, speed);
    } else {
        wl_json_null(e, key);
    }
}

static void point_json(struct wl_emitter *e, const struct wl_validate_point *p)
{
    wl_json_object(e, NULL);
    wl_json_str(e, "name", p->name);
    wl_json_int(e, "batch", p->batch);
    wl_json_int(e, "threads", p->threads);
    if (p->failure == NULL) {
        wl_json_num(e, "measured_s", p->measured_s);
    } else {
        wl_json_null(e, "measured_s");
    }
    wl_json_num(e, "predicted_s", p->predicted_s);
    if (p->failure == NULL) {
        wl_json_num(e, "error", error_of(p->predicted_s, p->measured_s));
    } else {
        wl_json_null(e, "error");
    }
    json_speed(e, "speed", p->speed);
    json_speed(e, "kernels_speed", p->kernels_speed);
    wl_json_str(e, "failure", p->failure);
    wl_json_str(e, "excluded", p->excluded);
    wl_json_num(e, "unmatched_s", p->unmatched_s);
    wl_json_close(e, '}');
}

void wl_validate_json(struct wl_validation *v, struct wl_buf *out)
{
    struct wl_emitter e;
    struct wl_validate_errors models = wl_validate_errors(v, false, false);
    struct wl_validate_errors kernels = wl_validate_errors(v, true, false);
    wl_json_begin(&e, out);
    wl_json_int(&e, "schema_version", 1);
    wl_json_str(&e, "host", v->host);
    wl_json_str(&e, "runtime", v->runtime);
    wl_json_str(&e, "runtime_version", v->version);
    wl_json_str(&e, "calibration", v->calibration);
    wl_json_array(&e, "models");
    for (int32_t i = 0; i < v->point_count; i++) {
        point_json(&e, &v->points[i]);
    }
    wl_json_close(&e, ']');
    wl_json_array(&e, "kernels");
    each_kernel(v, kernel_json, &e);
    wl_json_close(&e, ']');
    wl_json_num(&e, "mape", models.mean);
    wl_json_num(&e, "median_error", models.median);
    wl_json_num(&e, "p90_error", models.p90);
    wl_json_num(&e, "kernel_median_error", kernels.median);
    models = wl_validate_errors(v, false, true);
    kernels = wl_validate_errors(v, true, true);
    wl_json_object(&e, "at_calibrated_speed");
    wl_json_num(&e, "mape", models.mean);
    wl_json_num(&e, "median_error", models.median);
    wl_json_num(&e, "p90_error", models.p90);
    wl_json_num(&e, "kernel_median_error", kernels.median);
    wl_json_close(&e, '}');
    wl_json_end(&e);
}

/* ---- into the calibration
 * ------------------------------------------------------------------------ */

static bool add_band(cJSON *bands, struct wl_validation *v, const char *operation)
{
    struct wl_validate_errors e = kernel_errors(v, operation, true);
    cJSON *band = cJSON_CreateObject();
    return cJSON_AddStringToObject(band, "operation", operation) != NULL &&
           cJSON_AddNumberToObject(band, "error", e.median) != NULL &&
           cJSON_AddNumberToObject(band, "kernels", e.count) != NULL &&
           cJSON_AddItemToArray(bands, band);
}

static bool has_band(const cJSON *bands, const char *operation)
{
    const cJSON *band = NULL;
    cJSON_ArrayForEach(band, bands)
    {
        const char *name =
            cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(band, "operation"));
        if (name != NULL && strcmp(name, operation) == 0) {
            return true;
        }
    }
    return false;
}

/* Members in order, one a line; elements of arrays likewise. */
static void print_members(const cJSON *json, struct wl_buf *out)
{
    const cJSON *member = NULL;
    wl_buf_puts(out, "{\n");
    cJSON_ArrayForEach(member, json)
    {
        wl_buf_printf(out, "  \"%s\": ", member->string);
        const cJSON *item = NULL;
        bool list = cJSON_IsArray(member);
        wl_buf_puts(out, list ? "[" : "");
        const cJSON *elements = list ? member : NULL;
        cJSON_ArrayForEach(item, elements)
        {
            char *text = cJSON_PrintUnformatted(item);
            wl_buf_printf(out, "%s\n    %s", item == member->child ? "" : ",",
                          text == NULL ? "null" : text);
            cJSON_free(text);
        }
        char *text = list ? NULL : cJSON_PrintUnformatted(member);
        wl_buf_printf(out, "%s%s\n",
                      list           ? "\n  ]"
                      : text == NULL ? "null"
                                     : text,
                      member->next != NULL ? "," : "");
        cJSON_free(text);
    }
    wl_buf_puts(out, "}\n");
}

wl_status wl_validate_save(struct wl_validation *v, const char *path, struct wl_error *err)
{
    struct wl_file file;
    WL_TRY(wl_file_open(path, &file, err));
    cJSON *json = cJSON_ParseWithLength((const char *)file.data, file.bytes);
    wl_file_close(&file);
    if (json == NULL) {
        return wl_fail(err, WL_ERR_PARSE, path, "is no JSON any more");
    }
    cJSON_DeleteItemFromObjectCaseSensitive(json, "error_band");
    cJSON_DeleteItemFromObjectCaseSensitive(json, "bands");
    (void)cJSON_AddNumberToObject(json, "error_band", wl_validate_errors(v, false, true).median);
    cJSON *bands = cJSON_AddArrayToObject(json, "bands");
    for (int32_t i = 0; i < v->point_count; i++) {
        for (int32_t k = 0; k < v->points[i].kernel_count; k++) {
            const struct wl_validate_kernel *x = &v->points[i].kernels[k];
            if (x->operation != NULL && kernel_ran(x) && !has_band(bands, x->operation)) {
                (void)add_band(bands, v, x->operation);
            }
        }
    }
    struct wl_buf text;
    wl_buf_init(&text);
    print_members(json, &text);
    cJSON_Delete(json);
    wl_status status =
        text.failed ? wl_fail_nomem(err) : wl_file_write(path, text.data, text.len, err);
    wl_buf_done(&text);
    return status;
}
