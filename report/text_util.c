/* SPDX-License-Identifier: Apache-2.0 */
/* report/text_util.c: small text and CSV pieces that several reports share. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report_priv.h"

const char *wl_text(char *out, size_t size, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(out, size, fmt, args);
    va_end(args);
    return out;
}

const char *wl_format_percent(double share, char *out, size_t size)
{
    double percent = share * 100;
    int decimals = fabs(percent) >= 9.95 || percent == 0 ? 0 : fabs(percent) >= 0.095 ? 1 : 2;
    return wl_text(out, size, "%.*f %%", decimals, percent);
}

double wl_report_bytes(const struct wl_result *r, const struct wl_operand *o, int32_t count,
                       int64_t repeat)
{
    double bytes = 0;
    for (int32_t i = 0; i < count; i++) {
        bytes += wl_operand_bytes(&r->model->graph, &r->config.precision, &o[i]);
    }
    return bytes * (double)repeat;
}

const char *wl_report_note(const struct wl_result *r, int32_t i, char *out, size_t size)
{
    const char *own = r->mappings.items[i].note;
    const char *text =
        own != NULL ? wl_text(out, size, "%s", own) : wl_mapping_note(&r->mappings, i, out, size);
    return text[0] == '\0' ? NULL : text;
}

void wl_csv_str(struct wl_buf *out, bool first, const char *v)
{
    wl_buf_puts(out, first ? "" : ",");
    if (strpbrk(v, ",\"\r\n") == NULL) {
        wl_buf_puts(out, v);
        return;
    }
    wl_buf_puts(out, "\"");
    for (; *v != '\0'; v++) {
        wl_buf_puts(out, *v == '"' ? "\"" : "");
        wl_buf_add(out, v, 1);
    }
    wl_buf_puts(out, "\"");
}

void wl_csv_num(struct wl_buf *out, bool first, double v)
{
    wl_buf_puts(out, first ? "" : ",");
    if (isfinite(v)) {
        wl_buf_printf(out, "%.17g", v);
    }
}

void wl_csv_int(struct wl_buf *out, bool first, int64_t v)
{
    wl_buf_printf(out, "%s%" PRId64, first ? "" : ",", v);
}

enum wl_format wl_format_find(const char *name)
{
    static const char *const names[WL_FORMAT_COUNT] = {"text", "json", "csv", "md", "dot", "trace"};
    for (int i = 0; i < WL_FORMAT_COUNT; i++) {
        if (strcmp(names[i], name) == 0) {
            return (enum wl_format)i;
        }
    }
    return WL_FORMAT_COUNT;
}

uint32_t wl_view_find(const char *name)
{
    static const char *const names[] = {"summary", "layers",      "energy", "roofline",
                                        "memory",  "concurrency", "advice"};
    for (uint32_t i = 0; i < WL_ARRAY_LEN(names); i++) {
        if (strcmp(names[i], name) == 0) {
            return 1u << i;
        }
    }
    return 0;
}
