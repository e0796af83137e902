/* SPDX-License-Identifier: Apache-2.0 */
/* cli/cmd_sweep.c: a full grid of points into a file; shards and merging for job arrays. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "analysis_options.h"
#include "analysis_run.h"
#include "sweep.h"

#define LIST_MAX 4096
#define DIMS_MAX 16

struct sweep {
    struct wl_cli_analysis a; /* first: shared setters take this address */
    struct wl_grid grid;
    int64_t *batches;
    enum wl_precision *precisions;
    const char **devices, **modes, **fusions;
    struct wl_grid_dim dims[DIMS_MAX];
    int64_t shard, shards; /* 1-based; 0: no shards */
    struct wl_registry registry;
    bool registry_open;
    struct wl_grid_plan plan;
    struct wl_sweep_sink *sink;
    struct wl_sweep_summary *summary;
    bool progress;
    int64_t done, wanted;
    struct timespec started;
    double last_shown_s;
};

static struct sweep *self(void *target)
{
    return target;
}

/* ---- lists -------------------------------------------------------------------------------------
 */

typedef wl_status (*item_fn)(struct sweep *s, const char *item, int32_t at, struct wl_error *err);

static wl_status each_item(struct sweep *s, const char *option, const char *text, item_fn take,
                           int32_t *count, struct wl_error *err)
{
    *count = 0;
    for (const char *at = text;; at++) {
        size_t len = strcspn(at, ",");
        if (len == 0 || *count >= LIST_MAX) {
            return wl_fail(err, WL_ERR_USAGE, option,
                           "\"%.60s\" is not a list; write values with commas between them", text);
        }
        const char *item = wl_arena_strndup(&s->a.arena, at, len);
        WL_TRY_PTR(item, err);
        WL_TRY(take(s, item, *count, err));
        (*count)++;
        at += len;
        if (*at == '\0') {
            return WL_OK;
        }
    }
}

static wl_status take_batch(struct sweep *s, const char *item, int32_t at, struct wl_error *err)
{
    return wl_cli_parse_int("--batch", item, 1, 1000000000, &s->batches[at], err);
}

/* Sizes of a dimension: 0 as well (an empty KV cache). Kept in `batches` while it is parsed. */
static wl_status take_size(struct sweep *s, const char *item, int32_t at, struct wl_error *err)
{
    return wl_cli_parse_int("--dim", item, 0, INT64_C(1) << 40, &s->batches[at], err);
}

/* A list, or A..B for all of a range. */
static wl_status set_batches(void *target, const char *value, struct wl_error *err)
{
    struct sweep *s = self(target);
    const char *dots = strstr(value, "..");
    s->batches = WL_ARRAY(&s->a.arena, int64_t, LIST_MAX);
    WL_TRY_PTR(s->batches, err);
    if (dots == NULL) {
        return each_item(s, "--batch", value, take_batch, &s->grid.batch_count, err);
    }
    int64_t first;
    int64_t last;
    const char *head = wl_arena_strndup(&s->a.arena, value, (size_t)(dots - value));
    WL_TRY_PTR(head, err);
    WL_TRY(wl_cli_parse_int("--batch", head, 1, 1000000000, &first, err));
    WL_TRY(wl_cli_parse_int("--batch", dots + 2, first, first + LIST_MAX - 1, &last, err));
    for (int64_t b = first; b <= last; b++) {
        s->batches[s->grid.batch_count++] = b;
    }
    return WL_OK;
}

static wl_status take_precision(struct sweep *s, const char *item, int32_t at, struct wl_error *err)
{
    enum wl_precision p = strcmp(item, "native") == 0 ? WL_PREC_NATIVE : wl_precision_find(item);
    if (p == WL_PREC_COUNT && strcmp(item, "native") != 0) {
        return wl_fail(err, WL_ERR_USAGE, "--precision", "\"%.40s\" is not a precision", item);
    }
    s->precisions[at] = p;
    return WL_OK;
}

static wl_status set_precisions(void *target, const char *value, struct wl_error *err)
{
    struct sweep *s = self(target);
    s->precisions = wl_arena_array(&s->a.arena, LIST_MAX, sizeof(*s->precisions));
    WL_TRY_PTR(s->precisions, err);
    return each_item(s, "--precision", value, take_precision, &s->grid.precision_count, err);
}

static wl_status take_device(struct sweep *s, const char *item, int32_t at, struct wl_error *err)
{
    (void)err;
    s->devices[at] = item;
    return WL_OK;
}

static wl_status set_devices(void *target, const char *value, struct wl_error *err)
{
    struct sweep *s = self(target);
    s->devices = WL_ARRAY(&s->a.arena, const char *, LIST_MAX);
    WL_TRY_PTR(s->devices, err);
    return each_item(s, "--hw", value, take_device, &s->grid.device_count, err);
}

static wl_status take_mode(struct sweep *s, const char *item, int32_t at, struct wl_error *err)
{
    (void)err;
    s->modes[at] = item;
    return WL_OK;
}

static wl_status set_modes(void *target, const char *value, struct wl_error *err)
{
    struct sweep *s = self(target);
    if (strcmp(value, "all") == 0) {
        s->grid.all_modes = true;
        return WL_OK;
    }
    s->modes = WL_ARRAY(&s->a.arena, const char *, LIST_MAX);
    WL_TRY_PTR(s->modes, err);
    return each_item(s, "--power-mode", value, take_mode, &s->grid.mode_count, err);
}

static wl_status take_fusion(struct sweep *s, const char *item, int32_t at, struct wl_error *err)
{
    if (!wl_partition_profile_known(item)) {
        return wl_fail(err, WL_ERR_USAGE, "--fusion", "\"%.40s\" is not a profile", item);
    }
    s->fusions[at] = item;
    return WL_OK;
}

static wl_status set_fusions(void *target, const char *value, struct wl_error *err)
{
    struct sweep *s = self(target);
    s->fusions = WL_ARRAY(&s->a.arena, const char *, LIST_MAX);
    WL_TRY_PTR(s->fusions, err);
    return each_item(s, "--fusion", value, take_fusion, &s->grid.fusion_count, err);
}

/* NAME=a,b,c */
static wl_status set_dim_list(void *target, const char *value, struct wl_error *err)
{
    struct sweep *s = self(target);
    const char *equals = strrchr(value, '=');
    if (equals == NULL || equals == value || s->grid.dim_count >= DIMS_MAX) {
        return wl_fail(err, WL_ERR_USAGE, "--dim",
                       "\"%.60s\" is not NAME=N,N,...; write --dim T=128,512", value);
    }
    struct wl_grid_dim *d = &s->dims[s->grid.dim_count];
    int64_t *values = WL_ARRAY(&s->a.arena, int64_t, LIST_MAX);
    d->name = wl_arena_strndup(&s->a.arena, value, (size_t)(equals - value));
    WL_TRY_PTR(values, err);
    WL_TRY_PTR(d->name, err);
    int64_t *saved = s->batches;
    s->batches = values; /* the same parser of whole numbers */
    wl_status status = each_item(s, "--dim", equals + 1, take_size, &d->count, err);
    s->batches = saved;
    d->values = values;
    s->grid.dim_count += status == WL_OK ? 1 : 0;
    return status;
}

static wl_status set_shard(void *target, const char *value, struct wl_error *err)
{
    struct sweep *s = self(target);
    const char *slash = strchr(value, '/');
    const char *head =
        slash == NULL ? NULL : wl_arena_strndup(&s->a.arena, value, (size_t)(slash - value));
    if (head == NULL) {
        return wl_fail(err, WL_ERR_USAGE, "--shard", "\"%.40s\" is not I/N; write --shard 3/16",
                       value);
    }
    WL_TRY(wl_cli_parse_int("--shard", slash + 1, 1, 1000000, &s->shards, err));
    return wl_cli_parse_int("--shard", head, 1, s->shards, &s->shard, err);
}

static const struct wl_option sweep_options[] = {
    {"hw", "ID,..", "devices", set_devices},
    {"batch", "N,..", "batch sizes: 1,2,4,8 or 1..256", set_batches},
    {"precision", "P,..", "precisions", set_precisions},
    {"power-mode", "M,..", "power modes, or all", set_modes},
    {"fusion", "P,..", "fusion profiles", set_fusions},
    {"dim", "NAME=N,..", "values of a symbolic dimension; may be repeated", set_dim_list},
    {"shard", "I/N", "only the I-th of N parts of the grid", set_shard},
    {NULL, NULL, NULL, NULL}};

/* ---- progress
 * ------------------------------------------------------------------------------------- */

static double elapsed_s(const struct sweep *s)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - s->started.tv_sec) +
           (double)(now.tv_nsec - s->started.tv_nsec) * 1e-9;
}

static void show_progress(struct sweep *s, bool last)
{
    double t = elapsed_s(s);
    if (!s->progress || (!last && t - s->last_shown_s < 0.2)) {
        return;
    }
    s->last_shown_s = t;
    double rate = t > 0 ? (double)s->done / t : 0;
    double left = rate > 0 ? (double)(s->wanted - s->done) / rate : 0;
    (void)fprintf(stderr, "\r%lld of %lld points, %.0f per second, %.0f s left   %s",
                  (long long)s->done, (long long)s->wanted, rate, left, last ? "\n" : "");
}

/* ---- running
 * ----------------------------------------------------------------------------------------- */

/* Points are dealt to shards in turn, so that each gets a like share of cheap and dear ones. */
static bool skip_point(void *user, int64_t index)
{
    struct sweep *s = user;
    struct wl_grid_row row;
    char dims[512];
    if (s->shards > 0 && index % s->shards != s->shard - 1) {
        return true;
    }
    wl_grid_describe(&s->plan, index, dims, sizeof(dims), &row);
    if (!wl_sweep_has(s->sink, &row)) {
        return false;
    }
    s->wanted--;
    wl_sweep_summary_present(s->summary);
    return true;
}

/* Points of this shard. */
static int64_t shard_points(const struct sweep *s)
{
    int64_t all = s->plan.point_count;
    return s->shards == 0 ? all : all / s->shards + (s->shard - 1 < all % s->shards ? 1 : 0);
}

static wl_status take_row(void *user, const struct wl_grid_row *row, struct wl_error *err)
{
    struct sweep *s = user;
    s->done++;
    wl_sweep_summary_add(s->summary, row);
    show_progress(s, false);
    return wl_sweep_add(s->sink, row, err);
}

static wl_status run_points(struct sweep *s, struct wl_error *err)
{
    struct wl_buf text;
    (void)clock_gettime(CLOCK_MONOTONIC, &s->started);
    s->wanted = shard_points(s);
    s->progress = !s->a.quiet && isatty(STDERR_FILENO) == 1;
    wl_status status = wl_grid_run(&s->plan, (int32_t)s->a.jobs, skip_point, take_row, s, err);
    show_progress(s, true);
    if (status != WL_OK) {
        wl_sweep_abandon(s->sink);
        return status;
    }
    WL_TRY(wl_sweep_finish(s->sink, err));
    if (s->a.quiet) {
        return WL_OK;
    }
    wl_buf_init(&text);
    status = wl_sweep_summary_print(s->summary, s->a.report.width, &text, err);
    if (status == WL_OK) {
        status = wl_cli_output(NULL, &text, err);
    }
    wl_buf_done(&text);
    return status;
}

static wl_status find_models(struct sweep *s, char **names, int32_t count, struct wl_error *err)
{
    struct wl_grid_model *models = WL_ARRAY(&s->a.arena, struct wl_grid_model, count);
    WL_TRY_PTR(models, err);
    for (int32_t i = 0; i < count; i++) {
        struct wl_request *r = &s->a.request;
        WL_TRY(wl_cli_resolve_model(&s->a, names[i], err));
        models[i] =
            (struct wl_grid_model){r->model_name, r->model, r->default_dims, r->default_dim_count};
        r->default_dims = NULL;
        r->default_dim_count = 0;
    }
    s->grid.models = models;
    s->grid.model_count = count;
    return WL_OK;
}

static wl_status sweep(struct sweep *s, char **names, int32_t count, struct wl_error *err)
{
    if (s->grid.device_count == 0 || s->a.output == NULL) {
        return wl_fail(err, WL_ERR_USAGE, "sweep",
                       "needs devices and a file; write --hw ID,... --output F.csv");
    }
    WL_TRY(wl_cli_open_registry(&s->a, &s->registry, err));
    s->registry_open = true;
    WL_TRY(find_models(s, names, count, err));
    s->grid.base = &s->a.request;
    s->grid.batches = s->batches;
    s->grid.precisions = s->precisions;
    s->grid.devices = s->devices;
    s->grid.modes = s->modes;
    s->grid.fusions = s->fusions;
    s->grid.dims = s->dims;
    WL_TRY(wl_grid_plan(&s->grid, &s->registry, &s->plan, err));
    wl_status status = wl_sweep_open(s->a.output, &s->sink, err);
    if (status == WL_OK) {
        status = run_points(s, err);
    }
    wl_grid_plan_done(&s->plan);
    return status;
}

static wl_status run(struct sweep *s, char **names, int32_t count, struct wl_error *err)
{
    if (strcmp(names[0], "merge") == 0) {
        if (count < 2 || s->a.output == NULL) {
            return wl_fail(err, WL_ERR_USAGE, "sweep merge",
                           "needs databases and a result; write sweep merge A.sqlite B.sqlite "
                           "--output ALL.sqlite");
        }
        return wl_sweep_merge(s->a.output, (const char *const *)(names + 1), count - 1, err);
    }
    s->summary = wl_sweep_summary_new();
    WL_TRY_PTR(s->summary, err);
    return sweep(s, names, count, err);
}

int wl_cmd_sweep(int argc, char **argv)
{
    static const struct wl_option *const tables[] = {sweep_options, wl_device_options,
                                                     wl_model_options, NULL};
    struct sweep s;
    struct wl_error err;
    int32_t count = 0;
    int code = WL_EXIT_OK;
    memset(&s, 0, sizeof(s));
    wl_cli_analysis_init(&s.a);
    struct wl_cli_parse parse = {
        .command = "sweep",
        .synopsis = "MODEL... --hw ID,... --output F.csv|.jsonl|.sqlite [options] | merge F... "
                    "--output F",
        .summary = "Every combination of models, devices, batches, precisions, power modes, dims "
                   "and fusion profiles.\nA database continues where it stopped. For example:\n"
                   "  wattline sweep resnet50 --hw h100,a100 --batch 1,8,64 --precision fp16 "
                   "--output r50.csv\n"
                   "  wattline sweep bert_base --hw orin_agx --power-mode all --dim T=128,512 "
                   "--output b.sqlite",
        .tables = tables,
        .target = &s,
        .positional_min = 1,
        .positional_max = -1};
    if (wl_cli_parse_options(&parse, argc, argv, &count, &code) == WL_OK &&
        run(&s, argv + 1, count, &err) != WL_OK) {
        code = wl_cli_error(&err);
    }
    wl_sweep_summary_free(s.summary);
    if (s.registry_open) {
        wl_registry_close(&s.registry);
    }
    wl_cli_analysis_done(&s.a);
    return code;
}
