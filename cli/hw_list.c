/* SPDX-License-Identifier: Apache-2.0 */
/* cli/hw_list.c: `hw list`: all devices, filtered, as text, JSON or CSV. */
#include <stdio.h>
#include <string.h>

#include "hw_priv.h"

static bool contains_nocase(const char *text, const char *part)
{
    size_t len = strlen(part);
    for (const char *s = text; strlen(s) >= len; s++) {
        if (wl_str_eq_nocase((struct wl_str){s, len}, wl_str(part))) {
            return true;
        }
        if (*s == '\0') {
            break;
        }
    }
    return false;
}

static bool wanted(const struct wl_cli_hw *h, const struct wl_registry_entry *e)
{
    return (h->class < 0 || (int)e->class == h->class) &&
           (h->vendor == NULL || contains_nocase(e->vendor, h->vendor)) &&
           (h->precision == WL_PREC_COUNT || e->precisions[h->precision]) &&
           e->tdp_w >= h->min_tdp_w && e->tdp_w <= h->max_tdp_w;
}

static const char *precisions_text(struct wl_cli_hw *h, const struct wl_registry_entry *e,
                                   const char *separator)
{
    const char *names[WL_PREC_COUNT];
    int32_t n = 0;
    for (int p = 0; p < WL_PREC_COUNT; p++) {
        if (e->precisions[p]) {
            names[n++] = wl_precision_name((enum wl_precision)p);
        }
    }
    return wl_cli_join(&h->arena, names, n, separator);
}

static wl_status list_text(struct wl_cli_hw *h, const struct wl_registry_entry *entries,
                           int32_t count, struct wl_buf *out)
{
    static const char *const headings[] = {"id",    "class", "nm",        "TDP W",
                                           "modes", "cal",   "precisions"};
    struct wl_table t;
    int32_t shown = 0;
    WL_TRY(wl_table_init(&t, 7, headings, "llrrrrl"));
    for (int32_t i = 0; i < count; i++) {
        const struct wl_registry_entry *e = &entries[i];
        char nm[24], tdp[24], modes[16], calibrations[16];
        if (!wanted(h, e)) {
            continue;
        }
        (void)snprintf(nm, sizeof(nm), "%g", e->process_nm);
        (void)snprintf(tdp, sizeof(tdp), "%g", e->tdp_w);
        (void)snprintf(modes, sizeof(modes), "%d", e->power_mode_count);
        (void)snprintf(calibrations, sizeof(calibrations), "%d", e->calibration_count);
        const char *cells[] = {e->id,
                               wl_hw_class_name(e->class),
                               nm,
                               tdp,
                               e->power_mode_count > 0 ? modes : "",
                               e->calibration_count > 0 ? calibrations : "",
                               precisions_text(h, e, " ")};
        wl_table_row(&t, cells);
        shown++;
    }
    wl_table_print(&t, 100, 6, "", out);
    wl_table_done(&t);
    wl_buf_printf(out, "\n%d devices; `wattline hw show ID` tells everything about one\n", shown);
    return WL_OK;
}

static void list_json(struct wl_cli_hw *h, const struct wl_registry_entry *entries, int32_t count,
                      struct wl_buf *out)
{
    struct wl_emitter e;
    wl_json_begin(&e, out);
    wl_json_int(&e, "schema_version", 1);
    wl_json_array(&e, "devices");
    for (int32_t i = 0; i < count; i++) {
        const struct wl_registry_entry *d = &entries[i];
        if (!wanted(h, d)) {
            continue;
        }
        wl_json_object(&e, NULL);
        wl_json_str(&e, "id", d->id);
        wl_json_array(&e, "aliases");
        for (int32_t k = 0; k < d->alias_count; k++) {
            wl_json_str(&e, NULL, d->aliases[k]);
        }
        wl_json_close(&e, ']');
        wl_json_str(&e, "name", d->name);
        wl_json_str(&e, "vendor", d->vendor);
        wl_json_str(&e, "class", wl_hw_class_name(d->class));
        wl_json_num(&e, "process_nm", d->process_nm);
        wl_json_num(&e, "tdp_w", d->tdp_w);
        wl_json_array(&e, "precisions");
        for (int p = 0; p < WL_PREC_COUNT; p++) {
            if (d->precisions[p]) {
                wl_json_str(&e, NULL, wl_precision_name((enum wl_precision)p));
            }
        }
        wl_json_close(&e, ']');
        wl_json_array(&e, "power_modes");
        for (int32_t k = 0; k < d->power_mode_count; k++) {
            wl_json_str(&e, NULL, d->power_modes[k]);
        }
        wl_json_close(&e, ']');
        wl_json_int(&e, "calibrations", d->calibration_count);
        wl_json_close(&e, '}');
    }
    wl_json_close(&e, ']');
    wl_json_end(&e);
}

static void list_csv(struct wl_cli_hw *h, const struct wl_registry_entry *entries, int32_t count,
                     struct wl_buf *out)
{
    wl_buf_puts(out, "id,name,vendor,class,process_nm,tdp_w,precisions,power_modes,calibrations,"
                     "aliases\r\n");
    for (int32_t i = 0; i < count; i++) {
        const struct wl_registry_entry *e = &entries[i];
        char number[32];
        if (!wanted(h, e)) {
            continue;
        }
        wl_cli_csv_cell(out, true, e->id);
        wl_cli_csv_cell(out, false, e->name);
        wl_cli_csv_cell(out, false, e->vendor);
        wl_cli_csv_cell(out, false, wl_hw_class_name(e->class));
        (void)snprintf(number, sizeof(number), "%.17g", e->process_nm);
        wl_cli_csv_cell(out, false, number);
        (void)snprintf(number, sizeof(number), "%.17g", e->tdp_w);
        wl_cli_csv_cell(out, false, number);
        wl_cli_csv_cell(out, false, precisions_text(h, e, ";"));
        wl_cli_csv_cell(out, false,
                        wl_cli_join(&h->arena, e->power_modes, e->power_mode_count, ";"));
        (void)snprintf(number, sizeof(number), "%d", e->calibration_count);
        wl_cli_csv_cell(out, false, number);
        wl_cli_csv_cell(out, false, wl_cli_join(&h->arena, e->aliases, e->alias_count, ";"));
        wl_buf_puts(out, "\r\n");
    }
}

wl_status wl_cli_hw_list(struct wl_cli_hw *h, int argc, char **argv, struct wl_buf *out,
                         struct wl_error *err)
{
    struct wl_registry_entry *entries = NULL;
    struct wl_error *broken = NULL;
    int32_t count = 0, broken_count = 0;
    (void)argc;
    (void)argv;
    WL_TRY(wl_registry_list(&h->registry, &entries, &count, &broken, &broken_count, err));
    for (int32_t i = 0; i < broken_count; i++) {
        (void)wl_cli_error(&broken[i]);
        h->problems = true;
    }
    if (h->format == WL_FORMAT_JSON) {
        list_json(h, entries, count, out);
    } else if (h->format == WL_FORMAT_CSV) {
        list_csv(h, entries, count, out);
    } else if (list_text(h, entries, count, out) != WL_OK) {
        return wl_fail_nomem(err);
    }
    return WL_OK;
}
