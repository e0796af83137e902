/* SPDX-License-Identifier: Apache-2.0 */
/* report/text_advice.c: what would help, as computed by advice: for people and as JSON. */
#include <math.h>

#include "advice_report.h"
#include "report_priv.h"

#define CELL 64
#define ROWS_MAX 12

static const char *change(double now, double base, char *out, size_t size)
{
    double share = base > 0 ? now / base - 1 : 0;
    return wl_text(out, size, "%+.0f %%", share * 100);
}

static void advice_row(const struct wl_advice *a, const struct wl_advice_item *x,
                       struct wl_table *t)
{
    char e[CELL], de[CELL], l[CELL], th[CELL], dth[CELL], w[CELL];
    const char *cells[] = {
        x->option,
        wl_format_si(x->energy_per_inference_j, "J", e, sizeof(e)),
        change(x->energy_per_inference_j, a->base_energy_per_inference_j, de, sizeof(de)),
        wl_format_si(x->latency_s, "s", l, sizeof(l)),
        wl_format_si(x->throughput_per_s, "", th, sizeof(th)),
        change(x->throughput_per_s, a->base_throughput_per_s, dth, sizeof(dth)),
        wl_format_si(x->average_power_w, "W", w, sizeof(w)),
        x->caveat};
    wl_table_row(t, cells);
}

wl_status wl_text_advice(const struct wl_advice *a, int width, struct wl_buf *out,
                         struct wl_error *err)
{
    static const char *const headings[] = {
        "one change at a time", "J each", "", "latency", "per s", "", "power", ""};
    struct wl_table t;
    char x[CELL], y[CELL], z[CELL], p[CELL];
    if (a->count == 0) {
        wl_buf_puts(out,
                    "  no single change of precision, batch, fusion or power mode saves 1 %\n");
        return WL_OK;
    }
    if (wl_table_init(&t, WL_ARRAY_LEN(headings), headings, "lrrrrrrl") != WL_OK) {
        return wl_fail_nomem(err);
    }
    const char *now[] = {"as asked",
                         wl_format_si(a->base_energy_per_inference_j, "J", x, sizeof(x)),
                         "",
                         wl_format_si(a->base_latency_s, "s", y, sizeof(y)),
                         wl_format_si(a->base_throughput_per_s, "", z, sizeof(z)),
                         "",
                         wl_format_si(a->base_power_w, "W", p, sizeof(p)),
                         ""};
    wl_table_row(&t, now);
    for (int32_t i = 0; i < a->count && i < ROWS_MAX; i++) {
        advice_row(a, &a->items[i], &t);
    }
    wl_table_print(&t, width, true, "  ", out);
    wl_table_done(&t);
    return WL_OK;
}

void wl_json_advice(struct wl_emitter *e, const struct wl_advice *a)
{
    wl_json_array(e, "advice");
    for (int32_t i = 0; i < a->count; i++) {
        const struct wl_advice_item *x = &a->items[i];
        wl_json_object(e, NULL);
        wl_json_str(e, "option", x->option);
        wl_json_num(e, "latency_s", x->latency_s);
        wl_json_num(e, "energy_per_inference_j", x->energy_per_inference_j);
        wl_json_num(e, "throughput_per_s", x->throughput_per_s);
        wl_json_num(e, "average_power_w", x->average_power_w);
        wl_json_num(e, "saved_j", x->saved_j);
        wl_json_num(e, "saved_latency_s", x->saved_latency_s);
        wl_json_num(e, "saved_w", x->saved_w);
        wl_json_str(e, "caveat", x->caveat);
        wl_json_close(e, '}');
    }
    wl_json_close(e, ']');
}
