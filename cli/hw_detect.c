/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/hw_detect.c: `hw detect`: measures this machine, tells what it found, and writes
 * cpu/host/spec.json below the host directory, which is searched as a second registry. Run again it
 * describes the machine anew.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "calibrate.h"
#include "hw_priv.h"

/* Processors busy with something else that are worth a word. */
#define BUSY_CORES 0.2

static void show_progress(void *user, double share, const char *what)
{
    enum { WIDTH = 30 };
    char bar[WIDTH + 1];
    (void)user;
    for (int i = 0; i < WIDTH; i++) {
        bar[i] = i < share * WIDTH ? '#' : '.';
    }
    bar[WIDTH] = '\0';
    (void)fprintf(stderr, "\r[%s] %3.0f %%  %-28s", bar, 100 * share, what);
    if (share >= 1) {
        (void)fprintf(stderr, "\r%*s\r", WIDTH + 40, "");
    }
    (void)fflush(stderr);
}

/* ---- what was found
 * ------------------------------------------------------------------------------ */

static const enum wl_precision shown[] = {WL_PREC_FP64, WL_PREC_FP32, WL_PREC_FP16, WL_PREC_BF16,
                                          WL_PREC_INT8};

static const struct wl_host_rate *find_rate(const struct wl_host_kind_rates *k, const char *pipe,
                                            enum wl_precision precision)
{
    for (int32_t i = 0; i < k->rate_count; i++) {
        const struct wl_host_rate *r = &k->rates[i];
        if (r->supported && strcmp(r->pipe, pipe) == 0 && r->precision == precision) {
            return r;
        }
    }
    return NULL;
}

static void put_rates(const struct wl_host_kind_rates *k, struct wl_table *t)
{
    const char *last = "";
    for (int32_t i = 0; i < k->rate_count; i++) {
        const char *pipe = k->rates[i].pipe;
        char text[WL_ARRAY_LEN(shown) + 1][32];
        const char *cells[WL_ARRAY_LEN(shown) + 2] = {pipe};
        double clock = 0;
        if (strcmp(pipe, last) == 0) {
            continue;
        }
        last = pipe;
        for (size_t p = 0; p < WL_ARRAY_LEN(shown); p++) {
            const struct wl_host_rate *r = find_rate(k, pipe, shown[p]);
            (void)snprintf(text[p], sizeof(text[p]), r == NULL ? "-" : "%.4g",
                           r == NULL ? 0 : r->ops_per_cycle);
            clock = r != NULL && r->clock_hz > clock ? r->clock_hz : clock;
            cells[p + 1] = text[p];
        }
        cells[WL_ARRAY_LEN(shown) + 1] =
            wl_format_si(clock, "Hz", text[WL_ARRAY_LEN(shown)], sizeof(text[0]));
        if (clock > 0) {
            wl_table_row(t, cells);
        }
    }
}

static wl_status put_arithmetic(const struct wl_host *host, const struct wl_host_measures *m,
                                struct wl_buf *out, struct wl_error *err)
{
    static const char *const headings[] = {"ops/cycle", "fp64", "fp32",           "fp16",
                                           "bf16",      "int8", "clock, one core"};
    for (int32_t i = 0; i < host->kind_count; i++) {
        const struct wl_host_kind_rates *k = &m->kinds[i];
        const struct wl_host_rate *best = wl_detect_best_vector(k);
        struct wl_table t;
        char one[32], all[32], matrix[32] = "";
        wl_buf_printf(out, "  %-9s %d x %s: %s alone, %s with all on %s", i == 0 ? "cores" : "",
                      host->kinds[i].cores, host->kinds[i].name,
                      wl_format_si(k->boost_clock_hz, "Hz", one, sizeof(one)),
                      wl_format_si(k->clock_hz, "Hz", all, sizeof(all)),
                      best == NULL ? "-" : best->pipe);
        if (k->matrix_clock_hz > 0) {
            wl_buf_printf(out, ", %s with all on the matrix unit",
                          wl_format_si(k->matrix_clock_hz, "Hz", matrix, sizeof(matrix)));
        }
        wl_buf_puts(out, "\n\n");
        if (wl_table_init(&t, (int32_t)WL_ARRAY_LEN(headings), headings, "lrrrrrr") != WL_OK) {
            return wl_fail_nomem(err);
        }
        put_rates(k, &t);
        wl_table_print(&t, 100, false, "  ", out);
        wl_table_done(&t);
        wl_buf_puts(out, "\n");
    }
    return WL_OK;
}

static void memory_row(struct wl_table *t, const char *name, int64_t bytes, double one_bps,
                       double all_bps)
{
    char size[32], one[32], all[32];
    (void)snprintf(size, sizeof(size), bytes >= 10 << 20 ? "%.0f MiB" : "%.0f KiB",
                   (double)bytes / (bytes >= 10 << 20 ? 1048576.0 : 1024.0));
    const char *cells[] = {name, size, wl_format_si(one_bps, "B/s", one, sizeof(one)),
                           all_bps > 0 ? wl_format_si(all_bps, "B/s", all, sizeof(all)) : "-"};
    wl_table_row(t, cells);
}

static wl_status put_memory(const struct wl_host *host, const struct wl_host_measures *m,
                            struct wl_buf *out, struct wl_error *err)
{
    static const char *const headings[] = {"read from", "size", "one core", "all cores"};
    struct wl_table t;
    if (wl_table_init(&t, (int32_t)WL_ARRAY_LEN(headings), headings, "lrrr") != WL_OK) {
        return wl_fail_nomem(err);
    }
    for (int32_t i = 0; i < host->kind_count; i++) {
        for (int level = 0; level < WL_HOST_LEVELS_MAX; level++) {
            char name[32];
            (void)snprintf(name, sizeof(name), "l%d of %s", level + 1, host->kinds[i].name);
            if (m->kinds[i].level_bps[level] > 0) {
                memory_row(&t, name, host->kinds[i].caches[level].bytes,
                           m->kinds[i].level_bps[level], 0);
            }
        }
    }
    for (int32_t i = 0; i < m->sweep_count; i++) {
        memory_row(&t, "a set of", m->sweep[i].bytes, m->sweep[i].one_bps, m->sweep[i].all_bps);
    }
    wl_table_print(&t, 100, false, "  ", out);
    wl_table_done(&t);
    return WL_OK;
}

static wl_status put_report(const struct wl_host *host, const struct wl_host_measures *m,
                            const char *relative, struct wl_buf *out, struct wl_error *err)
{
    struct wl_host_memory memory = wl_detect_memory(host, m);
    wl_buf_printf(out, "%s, %d core%s%s (topology from %s; %.1f s)\n",
                  host->model_name[0] != '\0' ? host->model_name : host->vendor, host->cores,
                  host->cores == 1 ? "" : "s", host->virtual_machine ? " of a virtual machine" : "",
                  host->source, m->seconds);
    if (strcmp(host->source, "/sys") == 0) {
        wl_buf_puts(out, "  hwloc is not used; it knows more about odd topologies: install "
                         "libhwloc-dev, build again\n");
    }
    if (m->others > BUSY_CORES) {
        wl_buf_printf(
            out,
            "  others kept %.1f processors busy meanwhile: rates may be too low; run again "
            "when the machine is quiet\n",
            m->others);
    }
    WL_TRY(put_arithmetic(host, m, out, err));
    WL_TRY(put_memory(host, m, out, err));
    if (memory.usable_bytes > 0) {
        wl_buf_printf(out, "\n  of the last cache %.0f MiB are usable\n",
                      (double)memory.usable_bytes / 1048576.0);
    } else if (m->sweep_count > 0) {
        wl_buf_puts(out, "\n  no shared cache that is faster than memory\n");
    }
    wl_buf_printf(
        out, "  assumed, as they cannot be measured: process, watts, kind of memory, like %s\n",
        relative);
    return WL_OK;
}

/* ---- the command
 * --------------------------------------------------------------------------------- */

static wl_status spec_path(struct wl_cli_hw *h, const char **path, struct wl_error *err)
{
    const char *dir = wl_cli_host_dir(&h->arena);
    *path = h->output;
    if (h->output != NULL) {
        return WL_OK;
    }
    if (dir == NULL) {
        return wl_fail(
            err, WL_ERR_USAGE, "hw detect",
            "no host directory: HOME is not set; set WATTLINE_HOST_DIR or give --output");
    }
    const char *folder = wl_arena_printf(&h->arena, "%s/cpu/" WL_HOST_ID, dir);
    WL_TRY_PTR(folder, err);
    WL_TRY(wl_cli_make_folders(&h->arena, folder, err));
    *path = wl_arena_printf(&h->arena, "%s/spec.json", folder);
    WL_TRY_PTR(*path, err);
    return WL_OK;
}

static const char *today(struct wl_arena *a)
{
    char date[32] = "";
    time_t now = time(NULL);
    struct tm utc;
    if (gmtime_r(&now, &utc) != NULL) {
        (void)strftime(date, sizeof(date), "%Y-%m-%d", &utc);
    }
    return wl_arena_strndup(a, date, strlen(date));
}

static wl_status detect(struct wl_cli_hw *h, struct wl_buf *spec, struct wl_buf *out,
                        struct wl_error *err)
{
    const char *path = NULL, *relative = NULL, *date = today(&h->arena);
    struct wl_host *host = WL_NEW(&h->arena, struct wl_host);
    struct wl_host_measures *m = WL_NEW(&h->arena, struct wl_host_measures);
    if (host == NULL || m == NULL || date == NULL) {
        return wl_fail_nomem(err);
    }
    struct wl_detect_options options = {
        .quick = h->quick, .progress = isatty(STDERR_FILENO) == 1 ? show_progress : NULL};
    WL_TRY(spec_path(h, &path, err));
    WL_TRY(wl_detect_topology("", host, err));
    WL_TRY(wl_detect_measure(host, &options, m, err));
    WL_TRY(wl_detect_spec(&h->registry, host, m, date, spec, &relative, err));
    bool replaced = h->output == NULL && wl_path_exists(path);
    WL_TRY(wl_cli_output(path, spec, err));
    if (h->output == NULL) {
        WL_TRY(put_report(host, m, relative, out, err));
        wl_buf_printf(out, "\n%s %s; use it as --hw " WL_HOST_ID "\n",
                      replaced ? "replaced" : "wrote", path);
    }
    return WL_OK;
}

wl_status wl_cli_hw_detect(struct wl_cli_hw *h, int argc, char **argv, struct wl_buf *out,
                           struct wl_error *err)
{
    struct wl_buf spec;
    (void)argc;
    (void)argv;
    wl_buf_init(&spec);
    wl_status status = detect(h, &spec, out, err);
    wl_buf_done(&spec);
    return status;
}
