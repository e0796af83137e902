/* SPDX-License-Identifier: Apache-2.0 */
/* cli/hw_calibrations.c: `hw calibrations` and `hw import-calibration`. */
#include <stdio.h>
#include <string.h>

#include "hw_priv.h"

static bool wanted(const struct wl_cli_hw *h, const struct wl_calibration *c)
{
    return (h->framework == NULL || wl_str_eq_nocase(wl_str(h->framework), wl_str(c->framework))) &&
           (h->power_mode == NULL || wl_mode_names_match(h->power_mode, c->power_mode));
}

/* Best figure over sizes of an operation at any precision, in ops/s, or in B/s for streams. */
static const struct wl_calibration_entry *best(const struct wl_calibration *c,
                                               const char *operation)
{
    const struct wl_calibration_entry *found = NULL;
    for (int p = 0; p < WL_PREC_COUNT; p++) {
        const struct wl_calibration_entry *e =
            wl_calibration_best(c, operation, (enum wl_precision)p);
        bool better = e != NULL &&
                      (found == NULL || e->ops_per_s > found->ops_per_s ||
                       (e->ops_per_s == found->ops_per_s && e->bytes_per_s > found->bytes_per_s));
        found = better ? e : found;
    }
    return found;
}

static double best_stream(const struct wl_calibration *c)
{
    static const char *const kernels[] = {"stream_copy", "stream_scale", "stream_add",
                                          "stream_triad"};
    double most = 0;
    for (size_t i = 0; i < WL_ARRAY_LEN(kernels); i++) {
        for (int32_t k = 0; k < c->entry_count; k++) {
            const struct wl_calibration_entry *e = &c->entries[k];
            if (strcmp(e->operation, kernels[i]) == 0 && e->bytes_per_s > most) {
                most = e->bytes_per_s;
            }
        }
    }
    return most;
}

static void precision_names(const bool *set, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (int p = 0; p < WL_PREC_COUNT; p++) {
        if (set[p]) {
            int n = snprintf(out + used, size - used, "%s%s", used == 0 ? "" : " ",
                             wl_precision_name((enum wl_precision)p));
            used += n > 0 ? (size_t)n : 0;
        }
    }
}

/* ---- one calibration per row
 * ----------------------------------------------------------------------- */

struct collected {
    const struct wl_calibration **items;
    int32_t count, capacity;
};

static wl_status collect_device(struct wl_cli_hw *h, const char *device, struct collected *all,
                                struct wl_error *err)
{
    const struct wl_calibration *const *items = NULL;
    int32_t count = 0;
    WL_TRY(wl_calibration_list(&h->registry, device, &items, &count, err));
    for (int32_t i = 0; i < count; i++) {
        if (!wanted(h, items[i])) {
            continue;
        }
        void *grown = (void *)all->items;
        WL_TRY(wl_arena_reserve(&h->arena, &grown, &all->capacity, all->count + 1,
                                sizeof(*all->items)));
        all->items = grown;
        all->items[all->count++] = items[i];
    }
    return WL_OK;
}

static wl_status collect(struct wl_cli_hw *h, const char *device, struct collected *all,
                         struct wl_error *err)
{
    struct wl_registry_entry *entries = NULL;
    int32_t count = 0;
    if (device != NULL) {
        return collect_device(h, device, all, err);
    }
    WL_TRY(wl_registry_list(&h->registry, &entries, &count, NULL, NULL, err));
    for (int32_t i = 0; i < count; i++) {
        if (entries[i].calibration_count > 0) {
            WL_TRY(collect_device(h, entries[i].id, all, err));
        }
    }
    return WL_OK;
}

static wl_status list_text(const struct collected *all, struct wl_buf *out)
{
    static const char *const headings[] = {"device", "power mode", "MHz",   "framework",
                                           "date",   "GEMM",       "STREAM"};
    struct wl_table t;
    WL_TRY(wl_table_init(&t, 7, headings, "llrllrr"));
    for (int32_t i = 0; i < all->count; i++) {
        const struct wl_calibration *c = all->items[i];
        const struct wl_calibration_entry *gemm = best(c, "gemm");
        char clock[24], day[12], product[48] = "-", stream[40] = "-", si[32];
        (void)snprintf(clock, sizeof(clock), "%s%.0f", c->clock_read_idle ? "idle " : "",
                       c->clock_hz / 1e6);
        (void)snprintf(day, sizeof(day), "%.10s", c->date);
        if (gemm != NULL) {
            (void)wl_format_si(gemm->ops_per_s, "op/s", si, sizeof(si));
            (void)snprintf(product, sizeof(product), "%s %s", si,
                           wl_precision_name(gemm->precision));
        }
        if (best_stream(c) > 0) {
            (void)wl_format_si(best_stream(c), "B/s", si, sizeof(si));
            (void)snprintf(stream, sizeof(stream), "%s%s", si,
                           c->bandwidth_includes_cache ? " (cache)" : "");
        }
        const char *cells[] = {c->device, c->power_mode, clock, c->framework, day, product, stream};
        wl_table_row(&t, cells);
    }
    wl_table_print(&t, 100, 0, "", out);
    wl_table_done(&t);
    wl_buf_puts(out, "\nbest over sizes; \"idle\": the clock was read while idle; \"cache\": more "
                     "than main memory delivers\n");
    return WL_OK;
}

static wl_status detail_text(const struct wl_calibration *c, struct wl_buf *out)
{
    static const char *const headings[] = {"operation", "precision", "m",    "n",
                                           "k",         "time",      "op/s", "B/s"};
    char supported[128], unsupported[128];
    struct wl_table t;
    precision_names(c->supported, supported, sizeof(supported));
    precision_names(c->unsupported, unsupported, sizeof(unsupported));
    wl_buf_printf(out, "\n%s (%s, %s)\n  supported: %s\n  unsupported: %s\n", c->name, c->device,
                  c->date, supported, unsupported[0] != '\0' ? unsupported : "-");
    WL_TRY(wl_table_init(&t, 8, headings, "llrrrrrr"));
    for (int32_t i = 0; i < c->entry_count; i++) {
        const struct wl_calibration_entry *e = &c->entries[i];
        char size[3][24], time[32] = "-", ops[32] = "-", bytes[32] = "-";
        const double sizes[3] = {e->sizes.m, e->sizes.n, e->sizes.k};
        for (int k = 0; k < 3; k++) {
            (void)snprintf(size[k], sizeof(size[k]), sizes[k] > 1 ? "%.0f" : "-", sizes[k]);
        }
        if (e->supported) {
            (void)wl_format_si(e->time_s, "s", time, sizeof(time));
            (void)wl_format_si(e->ops_per_s, "", ops, sizeof(ops));
            (void)wl_format_si(e->bytes_per_s, "", bytes, sizeof(bytes));
        }
        const char *cells[] = {e->operation, wl_precision_name(e->precision), size[0], size[1],
                               size[2],      e->supported ? time : "not run", ops,     bytes};
        wl_table_row(&t, cells);
    }
    wl_table_print(&t, 100, WL_NONE, "  ", out);
    wl_table_done(&t);
    return WL_OK;
}

static wl_status summary_text(const struct collected *all, struct wl_buf *out)
{
    static const char *const headings[] = {"device", "calibrations", "newest", "best GEMM"};
    struct wl_table t;
    WL_TRY(wl_table_init(&t, 4, headings, "lrlr"));
    for (int32_t i = 0; i < all->count;) {
        const struct wl_calibration *c = all->items[i];
        int32_t n = 0;
        double most = 0;
        for (; i < all->count && strcmp(all->items[i]->device, c->device) == 0; i++, n++) {
            const struct wl_calibration_entry *gemm = best(all->items[i], "gemm");
            most = gemm != NULL && gemm->ops_per_s > most ? gemm->ops_per_s : most;
        }
        char count[16], day[12], product[32];
        (void)snprintf(count, sizeof(count), "%d", n);
        (void)snprintf(day, sizeof(day), "%.10s", c->date);
        (void)wl_format_si(most, "op/s", product, sizeof(product));
        const char *cells[] = {c->device, count, day, product};
        wl_table_row(&t, cells);
    }
    wl_table_print(&t, 100, 0, "", out);
    wl_table_done(&t);
    return WL_OK;
}

/* ---- machine-readable
 * -------------------------------------------------------------------------------- */

static void precision_array(struct wl_emitter *e, const char *key, const bool *set)
{
    wl_json_array(e, key);
    for (int p = 0; p < WL_PREC_COUNT; p++) {
        if (set[p]) {
            wl_json_str(e, NULL, wl_precision_name((enum wl_precision)p));
        }
    }
    wl_json_close(e, ']');
}

static void entry_json(struct wl_emitter *e, const struct wl_calibration_entry *entry)
{
    wl_json_object(e, NULL);
    wl_json_str(e, "operation", entry->operation);
    wl_json_str(e, "precision", wl_precision_name(entry->precision));
    wl_json_int(e, "threads", entry->threads);
    wl_json_num(e, "groups", entry->sizes.groups);
    wl_json_num(e, "m", entry->sizes.m);
    wl_json_num(e, "n", entry->sizes.n);
    wl_json_num(e, "k", entry->sizes.k);
    wl_json_num(e, "window", entry->sizes.window);
    wl_json_num(e, "stride", entry->sizes.stride);
    wl_json_num(e, "width", entry->sizes.width);
    wl_json_num(e, "operands", entry->sizes.operands);
    wl_json_num(e, "bytes", entry->sizes.bytes);
    wl_json_bool(e, "supported", entry->supported);
    wl_json_num(e, "time_s", entry->time_s);
    wl_json_num(e, "ops_per_s", entry->ops_per_s);
    wl_json_num(e, "bytes_per_s", entry->bytes_per_s);
    wl_json_str(e, "reason", entry->reason);
    wl_json_close(e, '}');
}

static void list_json(const struct wl_cli_hw *h, const struct collected *all, struct wl_buf *out)
{
    struct wl_emitter e;
    wl_json_begin(&e, out);
    wl_json_int(&e, "schema_version", 1);
    wl_json_array(&e, "calibrations");
    for (int32_t i = 0; i < all->count; i++) {
        const struct wl_calibration *c = all->items[i];
        wl_json_object(&e, NULL);
        wl_json_str(&e, "name", c->name);
        wl_json_str(&e, "device", c->device);
        wl_json_str(&e, "power_mode", c->power_mode);
        wl_json_num(&e, "clock_hz", c->clock_hz);
        wl_json_bool(&e, "clock_read_idle", c->clock_read_idle);
        wl_json_bool(&e, "bandwidth_includes_cache", c->bandwidth_includes_cache);
        wl_json_str(&e, "framework", c->framework);
        wl_json_str(&e, "date", c->date);
        precision_array(&e, "supported", c->supported);
        precision_array(&e, "unsupported", c->unsupported);
        if (h->detail) {
            wl_json_array(&e, "entries");
            for (int32_t k = 0; k < c->entry_count; k++) {
                entry_json(&e, &c->entries[k]);
            }
            wl_json_close(&e, ']');
        }
        wl_json_close(&e, '}');
    }
    wl_json_close(&e, ']');
    wl_json_end(&e);
}

static void list_csv(const struct collected *all, struct wl_buf *out)
{
    wl_buf_puts(out,
                "device,power_mode,clock_hz,framework,date,operation,precision,m,n,k,supported,"
                "time_s,ops_per_s,bytes_per_s,reason\r\n");
    for (int32_t i = 0; i < all->count; i++) {
        const struct wl_calibration *c = all->items[i];
        for (int32_t k = 0; k < c->entry_count; k++) {
            const struct wl_calibration_entry *e = &c->entries[k];
            wl_cli_csv_cell(out, true, c->device);
            wl_cli_csv_cell(out, false, c->power_mode);
            wl_buf_printf(out, ",%.17g", c->clock_hz);
            wl_cli_csv_cell(out, false, c->framework);
            wl_cli_csv_cell(out, false, c->date);
            wl_cli_csv_cell(out, false, e->operation);
            wl_buf_printf(out, ",%s,%.0f,%.0f,%.17g,%s,%.17g,%.17g,%.17g",
                          wl_precision_name(e->precision), e->sizes.m, e->sizes.n, e->sizes.k,
                          e->supported ? "true" : "false", e->time_s, e->ops_per_s, e->bytes_per_s);
            wl_cli_csv_cell(out, false, e->reason == NULL ? "" : e->reason);
            wl_buf_puts(out, "\r\n");
        }
    }
}

wl_status wl_cli_hw_calibrations(struct wl_cli_hw *h, int argc, char **argv, struct wl_buf *out,
                                 struct wl_error *err)
{
    struct collected all = {0};
    WL_TRY(collect(h, argc > 0 ? argv[0] : NULL, &all, err));
    if (h->format == WL_FORMAT_JSON) {
        list_json(h, &all, out);
        return WL_OK;
    }
    if (h->format == WL_FORMAT_CSV) {
        list_csv(&all, out);
        return WL_OK;
    }
    if (all.count == 0) {
        wl_buf_puts(out, "no calibrations\n");
        return WL_OK;
    }
    if (h->summary) {
        return summary_text(&all, out);
    }
    WL_TRY(list_text(&all, out));
    for (int32_t i = 0; i < all.count && h->detail; i++) {
        WL_TRY(detail_text(all.items[i], out));
    }
    return WL_OK;
}

/* ---- import
 * ------------------------------------------------------------------------------------------- */

wl_status wl_cli_hw_import(struct wl_cli_hw *h, int argc, char **argv, struct wl_buf *out,
                           struct wl_error *err)
{
    const char *name = NULL;
    (void)argc;
    WL_TRY(wl_calibration_import(&h->registry, argv[0], h->device, out, &name, err));
    if (h->output == NULL || strcmp(h->output, "-") == 0) {
        h->output = NULL;
        return WL_OK;
    }
    const char *path = h->output;
    if (wl_path_is_dir(path)) {
        path = wl_arena_printf(&h->arena, "%s/%s", h->output, name);
        WL_TRY_PTR(path, err);
    }
    WL_TRY(wl_file_write(path, out->data, out->len, err));
    printf("%s\n", path);
    return WL_OK;
}
