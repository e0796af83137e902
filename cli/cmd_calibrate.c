/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/cmd_calibrate.c: wattline calibrate. Measures kernels of a framework on this host and writes
 * a calibration beside the host's spec.json, where analyses with --hw host find it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "cli.h"

#define THREADS_MAX 16
#define NOISE_SECONDS 1.5

struct calibrate {
    struct wl_arena arena;
    struct wl_bench_options bench;
    int32_t threads[THREADS_MAX];
    const char *framework, *output, *registry;
    const char *notes; /* what the file says of how it was measured, or NULL */
    bool list, quiet;
};

/* ---- options -----------------------------------------------------------------------------------
 */

static wl_status set_framework(void *target, const char *value, struct wl_error *err)
{
    struct calibrate *c = target;
    c->framework = value;
    if (wl_bench_framework_find(value) != NULL) {
        return WL_OK;
    }
    return wl_fail(err, WL_ERR_USAGE, "--framework",
                   "\"%.40s\" is not one; wattline calibrate --list shows them", value);
}

static wl_status set_threads(void *target, const char *value, struct wl_error *err)
{
    struct calibrate *c = target;
    int64_t counts[THREADS_MAX];
    WL_TRY(wl_cli_parse_ints("--threads", value, 1, 1024, counts, THREADS_MAX,
                             &c->bench.thread_count, err));
    for (int32_t i = 0; i < c->bench.thread_count; i++) {
        if (i > 0 && counts[i] <= counts[i - 1]) {
            return wl_fail(err, WL_ERR_USAGE, "--threads",
                           "\"%.40s\" is no ascending list; for example 1,2,4", value);
        }
        c->threads[i] = (int32_t)counts[i];
    }
    return WL_OK;
}

static wl_status set_quick(void *target, const char *value, struct wl_error *err)
{
    (void)value;
    (void)err;
    ((struct calibrate *)target)->bench.quick = true;
    return WL_OK;
}

static wl_status set_force(void *target, const char *value, struct wl_error *err)
{
    (void)value;
    (void)err;
    ((struct calibrate *)target)->bench.force = true;
    return WL_OK;
}

static wl_status set_restart(void *target, const char *value, struct wl_error *err)
{
    (void)value;
    (void)err;
    ((struct calibrate *)target)->bench.restart = true;
    return WL_OK;
}

static wl_status set_list(void *target, const char *value, struct wl_error *err)
{
    (void)value;
    (void)err;
    ((struct calibrate *)target)->list = true;
    return WL_OK;
}

static wl_status set_quiet(void *target, const char *value, struct wl_error *err)
{
    (void)value;
    (void)err;
    ((struct calibrate *)target)->quiet = true;
    return WL_OK;
}

static wl_status set_modules(void *target, const char *value, struct wl_error *err)
{
    (void)err;
    ((struct calibrate *)target)->bench.node_modules = value;
    return WL_OK;
}

static wl_status set_output(void *target, const char *value, struct wl_error *err)
{
    (void)err;
    ((struct calibrate *)target)->output = value;
    return WL_OK;
}

static wl_status set_registry(void *target, const char *value, struct wl_error *err)
{
    (void)err;
    ((struct calibrate *)target)->registry = value;
    return WL_OK;
}

static const struct wl_option options[] = {
    {"framework", "NAME", "what runs the kernels (default onnxruntime); --list shows all",
     set_framework},
    {"threads", "N,N,...", "thread counts, ascending (default 1 and all cores)", set_threads},
    {"quick", NULL, "fewer sizes: under a minute, wider errors", set_quick},
    {"restart", NULL, "forget what an interrupted run measured", set_restart},
    {"force", NULL, "measure although the machine is busy", set_force},
    {"node-modules", "DIR", "folder that holds onnxruntime-node (also WATTLINE_NODE_MODULES)",
     set_modules},
    {"output", "FILE", "write the calibration there instead of the host directory; - is stdout",
     set_output},
    {"registry", "DIR", "registry instead of the one beside the program", set_registry},
    {"list", NULL, "the frameworks, and what each lacks on this machine", set_list},
    {"quiet", NULL, "no progress", set_quiet},
    {NULL, NULL, NULL, NULL},
};

/* ---- progress ----------------------------------------------------------------------------------
 */

static void show_progress(void *user, double share, const char *what)
{
    enum { WIDTH = 30 };
    char bar[WIDTH + 1];
    (void)user;
    for (int i = 0; i < WIDTH; i++) {
        bar[i] = i < (int)(share * WIDTH) ? '#' : '.';
    }
    bar[WIDTH] = '\0';
    (void)fprintf(stderr, "\r[%s] %3.0f %%  %-40.40s", bar, 100 * share, what);
    (void)fflush(stderr);
}

static void end_progress(const struct calibrate *c)
{
    if (c->bench.progress != NULL) {
        (void)fprintf(stderr, "\r%78s\r", "");
    }
}

/* ---- the run -----------------------------------------------------------------------------------
 */

/* Of this host's own: where it lies, its name as people know it, its clock under load. */
struct host {
    const char *folder; /* of calibrations */
    struct wl_device device;
};

static wl_status load_host(struct calibrate *c, struct host *h, struct wl_error *err)
{
    struct wl_registry registry;
    const struct wl_spec *spec = NULL;
    const char *roots[4];
    int32_t root_count = 0;
    const char *base = wl_cli_host_dir(&c->arena);
    if (base == NULL) {
        return wl_fail(err, WL_ERR_USAGE, "WATTLINE_HOST_DIR",
                       "is not set and there is no HOME; name a folder for what belongs to this "
                       "host");
    }
    WL_TRY(wl_cli_registry_roots(&c->arena, c->registry, roots, &root_count, err));
    c->bench.registry = roots[0];
    WL_TRY(wl_registry_open(&registry, roots, root_count, err));
    wl_status status = wl_registry_load(&registry, "host", &spec, err);
    if (status == WL_OK) {
        status = wl_spec_device(spec, NULL, &h->device, err);
    }
    h->folder = wl_arena_printf(&c->arena, "%s/cpu/host/calibrations", base);
    h->device.power_mode = status == WL_OK ? wl_arena_strndup(&c->arena, h->device.power_mode,
                                                              strlen(h->device.power_mode))
                                           : NULL;
    h->device.name = status == WL_OK
                         ? wl_arena_strndup(&c->arena, h->device.name, strlen(h->device.name))
                         : NULL;
    wl_registry_close(&registry);
    if (status != WL_OK) {
        return wl_fail(err, WL_ERR_USAGE, "host",
                       "is not described yet; run wattline hw detect first");
    }
    WL_TRY_PTR(h->folder, err);
    return WL_OK;
}

/* Refuses a busy machine; with --force measures and says so, in the file as well. */
static wl_status check_noise(struct calibrate *c, struct wl_error *err)
{
    struct wl_noise noise;
    int32_t threads = c->bench.threads[c->bench.thread_count - 1];
    WL_TRY(wl_noise_measure(threads, NOISE_SECONDS, &noise, err));
    if (wl_noise_quiet(&noise)) {
        return WL_OK;
    }
    if (c->bench.force) {
        c->notes = wl_arena_printf(&c->arena,
                                   "measured on a busy machine (--force): %.0f %% of the processor "
                                   "time asked for was not given, equal work varied by %.0f %%",
                                   100 * noise.lost, 100 * noise.spread);
        WL_TRY_PTR(c->notes, err);
        (void)fprintf(stderr, "wattline: warning: %s\n", c->notes);
        return WL_OK;
    }
    return wl_fail(err, WL_ERR_USAGE, "host",
                   "is too busy to measure: %.0f %% of the processor time asked for was not given, "
                   "equal work varies by %.0f %%; stop what else runs, or --force",
                   100 * noise.lost, 100 * noise.spread);
}

static wl_status write_file(struct calibrate *c, struct wl_bench *b, const struct host *h,
                            const struct wl_bench_identity *id, const struct wl_buf *text,
                            struct wl_error *err)
{
    if (c->output != NULL) {
        return wl_cli_output(c->output, text, err);
    }
    const char *path = wl_arena_printf(&c->arena, "%s/%s", h->folder, wl_bench_file_name(b, id));
    WL_TRY_PTR(path, err);
    WL_TRY(wl_cli_output(path, text, err));
    printf("%d kernels measured; written to %s\nuse it:  wattline analyze MODEL --hw host "
           "--calibration framework=%s\n",
           b->row_count, path, c->framework);
    return WL_OK;
}

static wl_status run_bench(struct calibrate *c, struct wl_bench *b, const struct host *h,
                           struct wl_error *err)
{
    const struct wl_bench_framework *framework = wl_bench_framework_find(c->framework);
    char date[32];
    time_t now = time(NULL);
    struct tm local;
    struct wl_buf text;
    if (b->resumed > 0) {
        (void)fprintf(stderr, "wattline: %d kernels of an interrupted run are taken over\n",
                      b->resumed);
    }
    WL_TRY(framework->probe(b, err));
    WL_TRY(check_noise(c, err));
    WL_TRY(framework->run(b, err));
    end_progress(c);
    WL_TRY(check_noise(c, err));
    (void)strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", localtime_r(&now, &local));
    struct wl_bench_identity id = {.device = "host",
                                   .power_mode = h->device.power_mode,
                                   .host = h->device.name,
                                   .clock_hz = h->device.clock_hz,
                                   .host_cores = wl_device_units(&h->device),
                                   .host_memory_bytes = (int64_t)sysconf(_SC_PHYS_PAGES) *
                                                        (int64_t)sysconf(_SC_PAGESIZE),
                                   .date = date,
                                   .notes = c->notes};
    wl_buf_init(&text);
    wl_status status = wl_bench_write(b, &id, &text, err);
    if (status == WL_OK) {
        status = write_file(c, b, h, &id, &text, err);
    }
    wl_buf_done(&text);
    return status;
}

static wl_status run(struct calibrate *c, struct wl_error *err)
{
    struct host h;
    struct wl_bench b;
    WL_TRY(load_host(c, &h, err));
    if (c->bench.thread_count == 0) {
        int32_t all = wl_device_units(&h.device);
        c->threads[c->bench.thread_count++] = 1;
        if (all > 1) {
            c->threads[c->bench.thread_count++] = all;
        }
    }
    c->bench.threads = c->threads;
    if (!c->quiet && isatty(STDERR_FILENO) != 0) {
        c->bench.progress = show_progress;
    }
    WL_TRY(wl_cli_make_folders(&c->arena, h.folder, err));
    const char *partial = wl_arena_printf(&c->arena, "%s/%s%s.partial", h.folder, c->framework,
                                          c->bench.quick ? "-quick" : "");
    WL_TRY_PTR(partial, err);
    WL_TRY(wl_bench_open(&b, &c->bench, c->framework, partial, err));
    wl_status status = run_bench(c, &b, &h, err);
    wl_bench_close(&b);
    if (status == WL_OK) {
        (void)unlink(partial);
    } else {
        end_progress(c);
    }
    return status;
}

static wl_status list(struct calibrate *c, struct wl_error *err)
{
    const struct wl_bench_framework *f = NULL;
    for (int32_t i = 0; (f = wl_bench_framework_at(i)) != NULL; i++) {
        struct wl_bench b;
        struct wl_error why = {0};
        WL_TRY(wl_bench_open(&b, &c->bench, f->name, NULL, err));
        wl_status status = f->probe(&b, &why);
        printf(
            "%-12s %s\n%-12s %s%s\n", f->name, f->what, "",
            status == WL_OK ? "here: " : "not here: ", status == WL_OK ? b.version : why.message);
        wl_bench_close(&b);
    }
    return WL_OK;
}

int wl_cmd_calibrate(int argc, char **argv)
{
    static const struct wl_option *const tables[] = {options, NULL};
    struct calibrate c = {.framework = "onnxruntime"};
    struct wl_error err = {0};
    int32_t positional = 0;
    int exit_code = 0;
    const struct wl_cli_parse parse = {
        .command = "calibrate",
        .synopsis = "[--framework NAME] [options]",
        .summary =
            "Measures kernels on this host and writes a calibration, which analyses with --hw "
            "host use.\nRun wattline hw detect first. An interrupted run continues where it "
            "stopped. For example:\n"
            "  wattline calibrate                          ONNX Runtime, some five minutes\n"
            "  wattline calibrate --framework onednn --quick",
        .tables = tables,
        .target = &c,
        .positional_min = 0,
        .positional_max = 0};
    if (wl_cli_parse_options(&parse, argc, argv, &positional, &exit_code) != WL_OK) {
        return exit_code;
    }
    wl_arena_init(&c.arena, 0);
    c.bench.tools = wl_cli_tools_dir(&c.arena);
    wl_status status = c.list ? list(&c, &err) : run(&c, &err);
    exit_code = status == WL_OK ? WL_EXIT_OK : wl_cli_error(&err);
    wl_arena_done(&c.arena);
    return exit_code;
}
