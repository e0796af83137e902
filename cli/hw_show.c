/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/hw_show.c: `hw show ID`: the whole spec with its sources, and what follows from it at one
 * power mode: peaks, balance points, bandwidths, energy coefficients. What is assumed is listed
 * with why.
 */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "hw_priv.h"

#define TEXT_WIDTH 100

/* ---- JSON
 * ------------------------------------------------------------------------------------------ */

static void emit_tree(struct wl_emitter *e, const char *key, const cJSON *v)
{
    if (cJSON_IsObject(v) || cJSON_IsArray(v)) {
        bool object = cJSON_IsObject(v);
        if (object) {
            wl_json_object(e, key);
        } else {
            wl_json_array(e, key);
        }
        for (const cJSON *m = v->child; m != NULL; m = m->next) {
            emit_tree(e, object ? m->string : NULL, m);
        }
        wl_json_close(e, object ? '}' : ']');
    } else if (cJSON_IsNumber(v)) {
        double d = v->valuedouble;
        if (d == floor(d) && fabs(d) < 9e15) {
            wl_json_int(e, key, (int64_t)d);
        } else {
            wl_json_num(e, key, d);
        }
    } else if (cJSON_IsString(v)) {
        wl_json_str(e, key, v->valuestring);
    } else if (cJSON_IsBool(v)) {
        wl_json_bool(e, key, cJSON_IsTrue(v));
    } else {
        wl_json_null(e, key);
    }
}

static void emit_peaks(struct wl_emitter *e, const struct wl_device *d)
{
    wl_json_array(e, "peaks");
    for (int p = 0; p < WL_PREC_COUNT; p++) {
        const struct wl_pipe *pipe = NULL;
        double peak = wl_device_peak(d, (enum wl_precision)p, &pipe);
        if (peak > 0) {
            wl_json_object(e, NULL);
            wl_json_str(e, "precision", wl_precision_name((enum wl_precision)p));
            wl_json_str(e, "unit", pipe->name);
            wl_json_num(e, "ops_per_s", peak);
            wl_json_num(e, "gemm_power_w", wl_device_gemm_power_w(d, (enum wl_precision)p));
            wl_json_close(e, '}');
        }
    }
    wl_json_close(e, ']');
    wl_json_array(e, "balance");
    for (int p = 0; p < WL_PREC_COUNT; p++) {
        double peak = wl_device_peak(d, (enum wl_precision)p, NULL);
        if (peak > 0) {
            wl_json_object(e, NULL);
            wl_json_str(e, "precision", wl_precision_name((enum wl_precision)p));
            wl_json_num(e, "ops_per_byte", peak / wl_device_dram(d)->bandwidth_bps);
            wl_json_close(e, '}');
        }
    }
    wl_json_close(e, ']');
}

static void emit_levels(struct wl_emitter *e, const struct wl_device *d)
{
    wl_json_array(e, "levels");
    for (int32_t i = 0; i < d->level_count; i++) {
        const struct wl_level *l = &d->levels[i];
        wl_json_object(e, NULL);
        wl_json_str(e, "name", l->name);
        wl_json_int(e, "instances", l->instances);
        wl_json_int(e, "capacity_bytes", l->capacity_bytes);
        wl_json_num(e, "bandwidth_bytes_per_s", l->bandwidth_bps);
        wl_json_num(e, "unit_bandwidth_bytes_per_s", l->unit_bandwidth_bps);
        wl_json_num(e, "efficiency", l->efficiency);
        wl_json_num(e, "read_pj_per_byte", l->read_pj_per_byte);
        wl_json_num(e, "write_pj_per_byte", l->write_pj_per_byte);
        wl_json_close(e, '}');
    }
    wl_json_close(e, ']');
}

static bool applies(const struct wl_device *d, enum wl_event event)
{
    return (wl_event_info(event)->classes & (1u << d->class)) != 0;
}

static void emit_events(struct wl_emitter *e, const struct wl_device *d)
{
    wl_json_array(e, "energy");
    for (int i = 0; i < WL_EVENT_COUNT; i++) {
        const struct wl_event_info *info = wl_event_info((enum wl_event)i);
        char key[64];
        if (!applies(d, (enum wl_event)i)) {
            continue;
        }
        wl_event_key_lower((enum wl_event)i, key, sizeof(key));
        wl_json_object(e, NULL);
        wl_json_str(e, "event", key);
        wl_json_str(e, "group", info->group);
        wl_json_str(e, "category", wl_category_name(info->category));
        if (info->by_precision) {
            wl_json_object(e, "pj");
            for (int p = 0; p < WL_PREC_COUNT; p++) {
                if (wl_device_supports(d, (enum wl_precision)p)) {
                    wl_json_num(e, wl_precision_name((enum wl_precision)p), d->event_pj[i][p]);
                }
            }
            wl_json_close(e, '}');
        } else {
            wl_json_num(e, "pj", d->event_pj[i][0]);
        }
        wl_json_str(e, "basis", wl_basis_name(d->event_basis[i]));
        wl_json_str(e, "source", d->event_source[i]);
        wl_json_close(e, '}');
    }
    wl_json_close(e, ']');
}

static void show_json(const struct wl_spec *s, const struct wl_device *d, struct wl_buf *out)
{
    struct wl_emitter e;
    wl_json_begin(&e, out);
    wl_json_int(&e, "schema_version", 1);
    wl_json_object(&e, "device");
    for (const cJSON *m = wl_spec_json(s)->child; m != NULL; m = m->next) {
        emit_tree(&e, m->string, m);
    }
    wl_json_object(&e, "derived");
    wl_json_str(&e, "power_mode", d->power_mode);
    wl_json_str(&e, "basis", wl_basis_name(d->basis));
    wl_json_num(&e, "process_nm", d->process_nm);
    wl_json_num(&e, "clock_hz", d->clock_hz);
    wl_json_int(&e, "units", wl_device_units(d));
    wl_json_num(&e, "tdp_w", d->tdp_w);
    wl_json_num(&e, "power_limit_w", d->power_limit_w);
    wl_json_num(&e, "idle_w", d->idle_w);
    wl_json_str(&e, "idle_basis", wl_basis_name(d->idle_basis));
    wl_json_num(&e, "memory_bandwidth_bytes_per_s", wl_device_dram(d)->bandwidth_bps);
    emit_peaks(&e, d);
    emit_levels(&e, d);
    emit_events(&e, d);
    wl_json_close(&e, '}');
    wl_json_close(&e, '}');
    wl_json_end(&e);
}

/* ---- text
 * ------------------------------------------------------------------------------------------- */

/* `text` after `label`, broken at spaces, later lines indented to the text. */
static void paragraph(struct wl_buf *out, const char *label, int indent, const char *text)
{
    int column = indent;
    wl_buf_printf(out, "%-*s", indent, label);
    for (const char *s = text; *s != '\0';) {
        size_t len = strcspn(s, " ");
        if (column > indent && column + 1 + (int)len > TEXT_WIDTH) {
            wl_buf_printf(out, "\n%*s", indent, "");
            column = indent;
        } else if (column > indent) {
            wl_buf_puts(out, " ");
            column++;
        }
        wl_buf_add(out, s, len);
        column += (int)len;
        s += len + (s[len] == ' ' ? 1 : 0);
    }
    wl_buf_puts(out, "\n");
}

static const char *text_of(const cJSON *object, const char *key)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsString(v) ? v->valuestring : NULL;
}

static void show_head(const struct wl_spec *s, const struct wl_device *d, struct wl_buf *out)
{
    const cJSON *json = wl_spec_json(s);
    const cJSON *aliases = cJSON_GetObjectItemCaseSensitive(json, "aliases");
    const char *process = text_of(json, "process"), *notes = text_of(json, "notes");
    wl_buf_printf(out, "%s: %s\n", d->id, d->name);
    wl_buf_printf(out, "  %s, class %s, %s (%g nm), %s\n", d->vendor, wl_hw_class_name(d->class),
                  process == NULL ? "" : process, d->process_nm, wl_spec_path(s));
    if (cJSON_GetArraySize(aliases) > 0) {
        struct wl_buf line;
        wl_buf_init(&line);
        for (const cJSON *a = aliases->child; a != NULL; a = a->next) {
            wl_buf_printf(&line, "%s%s", a == aliases->child ? "" : ", ", a->valuestring);
        }
        paragraph(out, "  also known as", 16, line.failed ? "" : line.data);
        wl_buf_done(&line);
    }
    if (notes != NULL) {
        paragraph(out, "  note", 16, notes);
    }
    wl_buf_printf(out,
                  "\npower mode %s: TDP %s%g W, limit %g W, idle %g W%s; units %d at %.0f MHz; "
                  "basis %s\n",
                  d->power_mode, d->power_estimated ? "~" : "", d->tdp_w, d->power_limit_w,
                  d->idle_w, d->idle_basis == WL_BASIS_MEASURED ? " (measured)" : "",
                  wl_device_units(d), d->clock_hz / 1e6, wl_basis_name(d->basis));
}

static wl_status show_units(const struct wl_device *d, struct wl_buf *out)
{
    static const char *const headings[] = {"units", "count", "MHz", "threads", "registers"};
    struct wl_table t;
    WL_TRY(wl_table_init(&t, 5, headings, "lrrrr"));
    for (int32_t i = 0; i < d->group_count; i++) {
        const struct wl_unit_group *g = &d->groups[i];
        char count[16], clock[24], threads[16], registers[32];
        (void)snprintf(count, sizeof(count), "%d", g->count);
        (void)snprintf(clock, sizeof(clock), "%.0f", g->clock_hz / 1e6);
        (void)snprintf(threads, sizeof(threads), "%d", g->threads_per_unit);
        (void)wl_format_si((double)g->register_bytes, "B", registers, sizeof(registers));
        const char *cells[] = {g->name, count, clock, threads,
                               g->register_bytes > 0 ? registers : "-"};
        wl_table_row(&t, cells);
    }
    wl_buf_puts(out, "\n");
    wl_table_print(&t, TEXT_WIDTH, WL_NONE, "  ", out);
    wl_table_done(&t);
    return WL_OK;
}

static wl_status show_peaks(const struct wl_device *d, struct wl_buf *out)
{
    static const char *const headings[] = {"precision",  "pipe",   "peak",
                                           "ops / byte", "GEMM W", "pJ / MAC"};
    struct wl_table t;
    WL_TRY(wl_table_init(&t, 6, headings, "llrrrr"));
    for (int p = 0; p < WL_PREC_COUNT; p++) {
        const struct wl_pipe *pipe = NULL;
        double peak = wl_device_peak(d, (enum wl_precision)p, &pipe);
        char text[32], balance[24], watts[24], energy[24];
        if (peak <= 0) {
            continue;
        }
        enum wl_event mac = pipe->kind == WL_PIPE_MATRIX ? WL_EV_MATRIX_MAC : WL_EV_VECTOR_MAC;
        (void)wl_format_si(peak, "op/s", text, sizeof(text));
        (void)snprintf(balance, sizeof(balance), "%.1f", peak / wl_device_dram(d)->bandwidth_bps);
        (void)snprintf(watts, sizeof(watts), "%.1f",
                       wl_device_gemm_power_w(d, (enum wl_precision)p));
        (void)snprintf(energy, sizeof(energy), "%.3g", d->event_pj[mac][p]);
        const char *cells[] = {
            wl_precision_name((enum wl_precision)p), pipe->name, text, balance, watts, energy};
        wl_table_row(&t, cells);
    }
    wl_buf_puts(out, "\nderived: peak = units x arrays x operations per cycle x clock; balance "
                     "against main memory\n");
    wl_table_print(&t, TEXT_WIDTH, WL_NONE, "  ", out);
    wl_table_done(&t);
    return WL_OK;
}

static wl_status show_levels(const struct wl_device *d, struct wl_buf *out)
{
    static const char *const headings[] = {"memory", "instances", "each",       "bandwidth",
                                           "share",  "one unit",  "pJ/B rd wr", "technology"};
    struct wl_table t;
    WL_TRY(wl_table_init(&t, 8, headings, "lrrrrrrl"));
    for (int32_t i = 0; i < d->level_count; i++) {
        const struct wl_level *l = &d->levels[i];
        char instances[16], each[32], bandwidth[32], share[16], unit[32], energy[48];
        (void)snprintf(instances, sizeof(instances), "%d", l->instances);
        (void)wl_format_si((double)l->capacity_bytes, "B", each, sizeof(each));
        (void)wl_format_si(l->bandwidth_bps, "B/s", bandwidth, sizeof(bandwidth));
        (void)snprintf(share, sizeof(share), "%.0f %%", 100 * l->efficiency);
        (void)wl_format_si(l->unit_bandwidth_bps, "B/s", unit, sizeof(unit));
        (void)snprintf(energy, sizeof(energy), "%.3g %.3g", l->read_pj_per_byte,
                       l->write_pj_per_byte);
        const char *cells[] = {l->name,   instances,    l->capacity_bytes > 0 ? each : "-",
                               bandwidth, share,        l->unit_bandwidth_bps > 0 ? unit : "-",
                               energy,    l->technology};
        wl_table_row(&t, cells);
    }
    wl_buf_puts(out, "\n");
    wl_table_print(&t, TEXT_WIDTH, WL_NONE, "  ", out);
    wl_table_done(&t);
    return WL_OK;
}

static wl_status show_modes(const struct wl_spec *s, struct wl_buf *out, struct wl_error *err)
{
    static const char *const headings[] = {"power mode", "TDP W", "limit W", "idle W",
                                           "units",      "MHz",   "memory"};
    struct wl_table t;
    if (wl_spec_mode_count(s) < 2) {
        return WL_OK;
    }
    WL_TRY(wl_table_init(&t, 7, headings, "lrrrrrr"));
    wl_status status = WL_OK;
    for (int32_t i = 0; i < wl_spec_mode_count(s) && status == WL_OK; i++) {
        struct wl_device d;
        char tdp[24], limit[24], idle[24], units[16], clock[24], memory[32];
        status = wl_spec_device(s, wl_spec_mode_name(s, i), &d, err);
        if (status != WL_OK) {
            break;
        }
        (void)snprintf(tdp, sizeof(tdp), "%s%.4g", d.power_estimated ? "~" : "", d.tdp_w);
        (void)snprintf(limit, sizeof(limit), "%.4g", d.power_limit_w);
        (void)snprintf(idle, sizeof(idle), "%.4g", d.idle_w);
        (void)snprintf(units, sizeof(units), "%d", wl_device_units(&d));
        (void)snprintf(clock, sizeof(clock), "%.0f", d.clock_hz / 1e6);
        (void)wl_format_si(wl_device_dram(&d)->bandwidth_bps, "B/s", memory, sizeof(memory));
        const char *cells[] = {d.power_mode, tdp, limit, idle, units, clock, memory};
        wl_table_row(&t, cells);
    }
    wl_buf_puts(out, "\n");
    wl_table_print(&t, TEXT_WIDTH, WL_NONE, "  ", out);
    wl_table_done(&t);
    return status;
}

static wl_status show_energy(const struct wl_device *d, struct wl_buf *out)
{
    static const char *const headings[] = {"energy event", "pJ", "basis", "source"};
    struct wl_table t;
    WL_TRY(wl_table_init(&t, 4, headings, "lrll"));
    for (int i = 0; i < WL_EVENT_COUNT; i++) {
        char key[64], pj[32];
        if (!applies(d, (enum wl_event)i) || wl_event_info((enum wl_event)i)->by_precision ||
            d->event_pj[i][0] <= 0) {
            continue;
        }
        wl_event_key_lower((enum wl_event)i, key, sizeof(key));
        (void)snprintf(pj, sizeof(pj), "%.4g", d->event_pj[i][0]);
        const char *cells[] = {key, pj, wl_basis_name(d->event_basis[i]), d->event_source[i]};
        wl_table_row(&t, cells);
    }
    wl_buf_puts(out, "\n");
    wl_table_print(&t, TEXT_WIDTH, 3, "  ", out);
    wl_table_done(&t);
    return WL_OK;
}

/* "count 60, clock_hz 2.9e+09": the plain figures of an object. */
static void plain_figures(const cJSON *object, const char *prefix, struct wl_buf *line)
{
    for (const cJSON *m = object->child; m != NULL; m = m->next) {
        if (cJSON_IsNumber(m)) {
            wl_buf_printf(line, "%s%s%s %.10g", line->len > 0 ? ", " : "", prefix, m->string,
                          m->valuedouble);
        } else if (cJSON_IsObject(m) && text_of(m, "reason") == NULL &&
                   text_of(m, "source") == NULL) {
            char inner[96];
            (void)snprintf(inner, sizeof(inner), "%s%.40s ", prefix, m->string);
            plain_figures(m, inner, line);
        }
    }
}

/* Every object that names a source or a reason, with the figures it holds for. */
static void show_figures(const cJSON *v, const char *path, struct wl_buf *out)
{
    const char *reason = cJSON_IsObject(v) ? text_of(v, "reason") : NULL;
    const char *source = cJSON_IsObject(v) ? text_of(v, "source") : NULL;
    if (reason != NULL || source != NULL) {
        const char *basis = text_of(v, "basis");
        struct wl_buf line;
        wl_buf_init(&line);
        plain_figures(v, "", &line);
        if (reason != NULL) {
            wl_buf_printf(&line, "%s%s", line.len > 0 ? ": " : "", reason);
        }
        if (line.len > 0) {
            wl_buf_printf(out, "  %s [%s]\n", path,
                          reason == NULL  ? source
                          : basis == NULL ? "assumed"
                                          : basis);
            paragraph(out, "", 6, line.failed ? "" : line.data);
        }
        wl_buf_done(&line);
    }
    int32_t index = 0;
    for (const cJSON *m = v->child; m != NULL; m = m->next, index++) {
        char next[192];
        if (cJSON_IsObject(v)) {
            (void)snprintf(next, sizeof(next), "%s/%.60s", path, m->string);
        } else {
            (void)snprintf(next, sizeof(next), "%s/%d", path, index);
        }
        show_figures(m, next, out);
    }
}

static wl_status show_text(const struct wl_spec *s, const struct wl_device *d, struct wl_buf *out,
                           struct wl_error *err)
{
    const cJSON *sources = cJSON_GetObjectItemCaseSensitive(wl_spec_json(s), "sources");
    show_head(s, d, out);
    WL_TRY(show_units(d, out));
    WL_TRY(show_peaks(d, out));
    WL_TRY(show_levels(d, out));
    WL_TRY(show_modes(s, out, err));
    WL_TRY(show_energy(d, out));
    wl_buf_puts(out, "\nsources\n");
    for (const cJSON *m = sources == NULL ? NULL : sources->child; m != NULL; m = m->next) {
        char label[64];
        (void)snprintf(label, sizeof(label), "  %.40s ", m->string);
        paragraph(out, label, strlen(label) > 14 ? (int)strlen(label) : 14,
                  cJSON_IsString(m) ? m->valuestring : "");
    }
    wl_buf_puts(out, "\nfigures of the spec, and where each comes from\n");
    show_figures(wl_spec_json(s), "", out);
    return WL_OK;
}

wl_status wl_cli_hw_show(struct wl_cli_hw *h, int argc, char **argv, struct wl_buf *out,
                         struct wl_error *err)
{
    const struct wl_spec *spec = NULL;
    struct wl_device device;
    (void)argc;
    WL_TRY(wl_registry_load(&h->registry, argv[0], &spec, err));
    WL_TRY(wl_spec_device(spec, h->power_mode, &device, err));
    if (h->format == WL_FORMAT_CSV) {
        return wl_fail(err, WL_ERR_USAGE, "--format", "csv is for lists; text, json");
    }
    if (h->format == WL_FORMAT_JSON) {
        show_json(spec, &device, out);
        return WL_OK;
    }
    return show_text(spec, &device, out, err);
}
