/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hardware/calibration.c: measured overlays, one folder calibrations/ per device, files named
 * {power_mode}_{MHz}MHz_{framework}.json. Loads, checks and selects them: the newest by the date
 * inside the file, after a filter. A spec is never changed by one.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry_priv.h"

struct entry_file {
    const char *operation, *precision, *reason;
    struct wl_num threads, groups, m, n, k, window, stride, width, operands, edge, passes, epilogue, bytes;
    struct wl_num cold_bytes, reuse_bytes, near_bytes;
    struct wl_num time_s, min_s, max_s, std_s, ops_per_s, bytes_per_s, runs;
    bool unsupported;
};

struct calibration_file {
    struct wl_num schema_version, clock_hz, threads, power_w, warmup_runs, runs, host_cores,
        host_memory_bytes, error_band;
    const char *device, *power_mode, *framework, *framework_version, *date, *tool, *tool_version,
        *host, *notes;
    int statistic;
    bool clock_read_idle, bandwidth_includes_cache;
    struct wl_list entries, bands;
};

struct band_file {
    const char *operation;
    struct wl_num error, kernels;
};

static const char *const statistics[] = {"median", "mean", "min", NULL};
static const char *const precisions[] = {"fp64",  "fp32",  "tf32",  "fp16", "bf16", "fp8", "fp4",
                                         "int64", "int32", "int16", "int8", "int4", NULL};

/* clang-format off */
#define E(member) offsetof(struct entry_file, member)
static const struct wl_field entry_fields[] = {
    {"operation",   WL_F_STRING, true,  NULL,    1, 96,   E(operation), NULL, NULL, "what ran: gemm, gemv, axpy, dot, stream_triad, conv, softmax ... (docs/calibrate.md lists them)"},
    {"precision",   WL_F_STRING, true,  NULL,    1, 8,    E(precision), NULL, NULL, "fp64 fp32 tf32 fp16 bf16 fp8 fp4 int64 int32 int16 int8 int4"},
    {"threads",     WL_F_INT,    false, NULL,    1, 1e5,  E(threads), NULL, NULL, "that ran it; without it the file's"},
    {"groups",      WL_F_INT,    false, NULL,    1, 1e12, E(groups), NULL, NULL, "independent products: batch, or groups of a convolution"},
    {"m",           WL_F_INT,    false, NULL,    1, 1e12, E(m), NULL, NULL, "rows; output pixels of a convolution"},
    {"n",           WL_F_INT,    false, NULL,    1, 1e12, E(n), NULL, NULL, "columns, output channels of a group; or elements of one array, results"},
    {"k",           WL_F_NUM,    false, NULL,    1, 1e12, E(k), NULL, NULL, "depth of the product; elements per result"},
    {"window",      WL_F_INT,    false, NULL,    1, 1e9,  E(window), NULL, NULL, "taps of the window; of a transposition, elements of cache that a column occupies"},
    {"stride",      WL_F_INT,    false, NULL,    1, 1e9,  E(stride), NULL, NULL, "of the window, axes multiplied"},
    {"width",       WL_F_NUM,    false, NULL,    1, 1e12, E(width), NULL, NULL, "columns of the output image, or elements in a row that are treated alike; of a recurrence, weights read at each step over 1e6 bytes"},
    {"operands",    WL_F_INT,    false, NULL,    0, 100,  E(operands), NULL, NULL, "further activations read: a residual, the other side of an addition"},
    {"edge",        WL_F_NUM,    false, "share", 0, 1,    E(edge), NULL, NULL, "of the output columns: those whose window reaches into the padding"},
    {"passes",      WL_F_INT,    false, NULL,    0, 1e9,  E(passes), NULL, NULL, "walks over the inputs of a product, each making as many results as registers hold; without it not known"},
    {"epilogue",    WL_F_NUM,    false, NULL,    0, 1000, E(epilogue), NULL, NULL, "operations on each result of a product beyond a bias, further operands and a maximum"},
    {"bytes",       WL_F_INT,    false, "bytes", 1, 1e15, E(bytes), NULL, NULL, "moved, as the benchmark counts them"},
    {"cold_bytes",  WL_F_INT,    false, "bytes", 0, 1e15, E(cold_bytes), NULL, NULL, "of these: last used more than 1e6 bytes ago (weights, inputs of the model, large activations)"},
    {"reuse_bytes", WL_F_INT,    false, "bytes", 0, 1e15, E(reuse_bytes), NULL, NULL, "touched since those were last used, geometric mean"},
    {"near_bytes",  WL_F_INT,    false, "bytes", 0, 1e15, E(near_bytes), NULL, NULL, "moved beside bytes near the core: columns of an image, weights that a recurrence reads again at each step"},
    {"time_s",      WL_F_NUM,    false, "s",     1e-9, 1e5, E(time_s), NULL, NULL, "of one run, by the file's statistic"},
    {"min_s",       WL_F_NUM,    false, "s",     1e-9, 1e5, E(min_s), NULL, NULL, "fastest run"},
    {"max_s",       WL_F_NUM,    false, "s",     1e-9, 1e5, E(max_s), NULL, NULL, "slowest run"},
    {"std_s",       WL_F_NUM,    false, "s",     0, 1e5,  E(std_s), NULL, NULL, "standard deviation"},
    {"ops_per_s",   WL_F_NUM,    false, "ops/s", 0, 1e19, E(ops_per_s), NULL, NULL, "achieved; a MAC is 2"},
    {"bytes_per_s", WL_F_NUM,    false, "B/s",   0, 1e15, E(bytes_per_s), NULL, NULL, "achieved"},
    {"runs",        WL_F_INT,    false, NULL,    1, 1e9,  E(runs), NULL, NULL, "timed runs"},
    {"unsupported", WL_F_BOOL,   false, NULL,    0, 0,    E(unsupported), NULL, NULL, "true: it did not run; say why in reason"},
    {"reason",      WL_F_STRING, false, NULL,    1, 400,  E(reason), NULL, NULL, "why it did not run, or why measuring it ended early"},
};
static const struct wl_field_table entry_table = {"entries", entry_fields, (int32_t)WL_ARRAY_LEN(entry_fields), sizeof(struct entry_file), false, "one operation at one size and precision"};

#define B(member) offsetof(struct band_file, member)
static const struct wl_field band_fields[] = {
    {"operation", WL_F_STRING, true, NULL,    1, 96,  B(operation), NULL, NULL, "as entries name it"},
    {"error",     WL_F_NUM,    true, "share", 0, 100, B(error), NULL, NULL, "median absolute error of its kernels"},
    {"kernels",   WL_F_INT,    true, NULL,    1, 1e9, B(kernels), NULL, NULL, "that it rests on"},
};
static const struct wl_field_table band_table = {"bands", band_fields, (int32_t)WL_ARRAY_LEN(band_fields), sizeof(struct band_file), false, "what validation showed of one operation"};

#define C(member) offsetof(struct calibration_file, member)
static const struct wl_field calibration_fields[] = {
    {"schema_version",    WL_F_PLAIN,  true,  NULL,  1, 1,    C(schema_version), NULL, NULL, "1"},
    {"device",            WL_F_STRING, true,  NULL,  1, 64,   C(device), NULL, NULL, "id of the device"},
    {"power_mode",        WL_F_STRING, true,  NULL,  1, 64,   C(power_mode), NULL, NULL, "the device's mode; on a CPU without modes the governor or plan"},
    {"clock_hz",          WL_F_NUM,    true,  "Hz",  1e6, 1e10, C(clock_hz), NULL, NULL, "of the units under load"},
    {"clock_read_idle",   WL_F_BOOL,   false, NULL,  0, 0,    C(clock_read_idle), NULL, NULL, "true: the clock was read while the device was idle, so that peaks are not scaled by it"},
    {"bandwidth_includes_cache", WL_F_BOOL, false, NULL, 0, 0, C(bandwidth_includes_cache), NULL, NULL, "true: some stream figures come from a cache"},
    {"framework",         WL_F_STRING, true,  NULL,  1, 64,   C(framework), NULL, NULL, "numpy, pytorch, tensorrt, wattline ..."},
    {"framework_version", WL_F_STRING, false, NULL,  1, 64,   C(framework_version), NULL, NULL, "its version"},
    {"date",              WL_F_STRING, true,  NULL,  10, 32,  C(date), NULL, NULL, "2025-11-28T10:15:00, by which the newest is found"},
    {"tool",              WL_F_STRING, true,  NULL,  1, 64,   C(tool), NULL, NULL, "program that measured"},
    {"tool_version",      WL_F_STRING, false, NULL,  1, 32,   C(tool_version), NULL, NULL, "its version"},
    {"host",              WL_F_STRING, false, NULL,  1, 200,  C(host), NULL, NULL, "processor of the host"},
    {"host_cores",        WL_F_INT,    false, NULL,  1, 1e5,  C(host_cores), NULL, NULL, "cores on line"},
    {"host_memory_bytes", WL_F_INT,    false, "bytes", 1, 1e15, C(host_memory_bytes), NULL, NULL, "memory of the host"},
    {"threads",           WL_F_INT,    false, NULL,  1, 1e5,  C(threads), NULL, NULL, "threads that measured"},
    {"power_w",           WL_F_NUM,    false, "W",   0.001, 1e5, C(power_w), NULL, NULL, "measured under load"},
    {"statistic",         WL_F_ENUM,   true,  NULL,  0, 0,    C(statistic), NULL, statistics, "what time_s is of the runs"},
    {"warmup_runs",       WL_F_INT,    false, NULL,  0, 1e6,  C(warmup_runs), NULL, NULL, "runs before the timed ones"},
    {"runs",              WL_F_INT,    false, NULL,  1, 1e6,  C(runs), NULL, NULL, "timed runs"},
    {"error_band",        WL_F_NUM,    false, NULL,  0, 10,   C(error_band), NULL, NULL, "median absolute error of whole models in validation, as a share"},
    {"bands",             WL_F_LIST,   false, NULL,  1, 500,  C(bands), &band_table, NULL, "the same by operation"},
    {"notes",             WL_F_STRING, false, NULL,  1, 2000, C(notes), NULL, NULL, "what a reader should know"},
    {"entries",           WL_F_LIST,   true,  NULL,  1, 50000, C(entries), &entry_table, NULL, "the measurements"},
};
const struct wl_field_table wl_calibration_table = {"calibration", calibration_fields, (int32_t)WL_ARRAY_LEN(calibration_fields), sizeof(struct calibration_file), false, "a calibration: registry/<class>/<id>/calibrations/<mode>_<MHz>MHz_<framework>.json"};
/* clang-format on */

/* ---- checks -------------------------------------------------------------------------------------
 */

static bool one_of(const char *const *names, const char *text)
{
    for (; *names != NULL; names++) {
        if (strcmp(*names, text) == 0) {
            return true;
        }
    }
    return false;
}

static bool digits(const char *s, int count)
{
    for (int i = 0; i < count; i++) {
        if (s[i] < '0' || s[i] > '9') {
            return false;
        }
    }
    return true;
}

static bool is_date(const char *s)
{
    bool day = strlen(s) >= 10 && digits(s, 4) && s[4] == '-' && digits(s + 5, 2) && s[7] == '-' &&
               digits(s + 8, 2);
    return day && (s[10] == '\0' || s[10] == 'T');
}

/* Operations of one run as every benchmark counts them; 0 where sizes do not say. */
static double counted_ops(const struct entry_file *e)
{
    if (strcmp(e->operation, "gemm") == 0) {
        return 2 * e->m.value * e->n.value * e->k.value;
    }
    if (strcmp(e->operation, "gemv") == 0) {
        return 2 * e->m.value * e->n.value * (e->k.given ? e->k.value : 1);
    }
    bool two = strcmp(e->operation, "axpy") == 0 || strcmp(e->operation, "dot") == 0;
    return two ? 2 * e->n.value : 0;
}

static void check_entry(struct wl_problems *p, const struct entry_file *e, int32_t i)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/entries/%d", i);
    if (e->operation == NULL || e->precision == NULL) {
        return;
    }
    if (strspn(e->operation, "abcdefghijklmnopqrstuvwxyz0123456789_+") != strlen(e->operation)) {
        wl_problem_add(
            p, false, path,
            "operation \"%.32s\" is no name; lower-case letters, digits, _ and + would be",
            e->operation);
    }
    if (!one_of(precisions, e->precision)) {
        wl_problem_add(p, false, path,
                       "precision \"%.8s\" is unknown; fp64 fp32 tf32 fp16 bf16 fp8 "
                       "fp4 int64 int32 int16 int8 int4",
                       e->precision);
    }
    if (e->unsupported) {
        if (e->reason == NULL) {
            wl_problem_add(p, false, path, "is unsupported without a reason; say why");
        }
        if (e->ops_per_s.given || e->time_s.given) {
            wl_problem_add(p, false, path, "is unsupported but has figures; remove one of the two");
        }
        return;
    }
    if (!e->ops_per_s.given && !e->bytes_per_s.given && !e->time_s.given) {
        wl_problem_add(p, false, path, "has no figure; time_s, ops_per_s or bytes_per_s is needed");
    }
    double ops = counted_ops(e);
    if (ops > 0 && e->ops_per_s.given && e->time_s.given) {
        double rate = ops / e->time_s.value;
        if (fabs(rate / e->ops_per_s.value - 1) > 0.02) {
            wl_problem_add(p, false, path,
                           "ops_per_s %.5g is not its %g operations / %.5g s = %.5g; correct one",
                           e->ops_per_s.value, ops, e->time_s.value, rate);
        }
    }
}

static void check_file(struct wl_problems *p, const struct calibration_file *f)
{
    if (f->date != NULL && !is_date(f->date)) {
        wl_problem_add(p, false, "/date", "\"%.32s\" is no date; 2025-11-28 or 2025-11-28T10:15:00",
                       f->date);
    }
    const struct entry_file *entries = f->entries.items;
    for (int32_t i = 0; i < f->entries.count; i++) {
        check_entry(p, &entries[i], i);
    }
}

/* ---- loading ------------------------------------------------------------------------------------
 */

static wl_status decode(struct wl_registry *r, const char *path, struct wl_problems *p,
                        struct calibration_file *f, struct wl_error *err)
{
    cJSON *json = NULL;
    WL_TRY(wl_json_read(path, &json, err));
    wl_decode(&r->arena, p, json, &wl_calibration_table,
              (struct wl_provenance){WL_BASIS_MEASURED, "calibration"}, f);
    cJSON_Delete(json);
    check_file(p, f);
    return WL_OK;
}

static double or_one(struct wl_num n)
{
    return n.given ? n.value : 1;
}

static struct wl_kernel_sizes convert_sizes(const struct entry_file *e)
{
    return (struct wl_kernel_sizes){
        .groups = or_one(e->groups),
        .m = or_one(e->m),
        .n = or_one(e->n),
        .k = or_one(e->k),
        .window = or_one(e->window),
        .stride = or_one(e->stride),
        .width = or_one(e->width),
        .operands = e->operands.value,
        .edge = e->edge.value,
        .passes = e->passes.value,
        .epilogue = e->epilogue.value,
        .bytes = e->bytes.given ? e->bytes.value : e->bytes_per_s.value * e->time_s.value,
        .cold_bytes = e->cold_bytes.value,
        .reuse_bytes = e->reuse_bytes.value,
        .near_bytes = e->near_bytes.value};
}

/* Rates that the file leaves to its sizes: operations of products, bytes of everything. */
static void derive_rates(struct wl_calibration_entry *e)
{
    double ops = 2 * e->sizes.groups * e->sizes.m * e->sizes.n * e->sizes.k;
    bool product = e->sizes.m > 1 || e->sizes.k > 1;
    if (e->time_s > 0 && !(e->ops_per_s > 0) && !(e->bytes_per_s > 0)) {
        e->ops_per_s = product ? ops / e->time_s : 0;
        e->bytes_per_s = e->sizes.bytes / e->time_s;
    }
}

static void convert_entry(const struct entry_file *from, int32_t threads,
                          struct wl_calibration_entry *to)
{
    *to = (struct wl_calibration_entry){
        .operation = from->operation,
        .precision = wl_precision_find(from->precision),
        .threads = from->threads.given ? (int32_t)from->threads.value : threads,
        .sizes = convert_sizes(from),
        .time_s = from->time_s.value,
        .min_s = from->min_s.value,
        .max_s = from->max_s.value,
        .ops_per_s = from->ops_per_s.value,
        .bytes_per_s = from->bytes_per_s.value,
        .supported = !from->unsupported,
        .reason = from->reason};
    derive_rates(to);
}

static wl_status convert_bands(struct wl_registry *r, const struct wl_list *from,
                               struct wl_calibration *out, struct wl_error *err)
{
    struct wl_error_band *bands = WL_ARRAY(&r->arena, struct wl_error_band, from->count);
    const struct band_file *items = from->items;
    WL_TRY_PTR(bands, err);
    for (int32_t i = 0; i < from->count; i++) {
        bands[i] = (struct wl_error_band){items[i].operation, items[i].error.value,
                                          (int32_t)items[i].kernels.value};
    }
    out->bands = bands;
    out->band_count = from->count;
    return WL_OK;
}

static wl_status convert(struct wl_registry *r, const char *path, const struct calibration_file *f,
                         struct wl_calibration *out, struct wl_error *err)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash == NULL ? path : slash + 1;
    size_t len = strlen(base);
    *out = (struct wl_calibration){.path = path,
                                   .device = f->device,
                                   .power_mode = f->power_mode,
                                   .framework = f->framework,
                                   .framework_version = f->framework_version,
                                   .date = f->date,
                                   .tool = f->tool,
                                   .tool_version = f->tool_version,
                                   .host = f->host,
                                   .notes = f->notes,
                                   .clock_hz = f->clock_hz.value,
                                   .power_w = f->power_w.value,
                                   .error_band = f->error_band.value,
                                   .threads = (int32_t)f->threads.value,
                                   .statistic = (enum wl_statistic)f->statistic,
                                   .clock_read_idle = f->clock_read_idle,
                                   .bandwidth_includes_cache = f->bandwidth_includes_cache};
    out->name = wl_arena_strndup(&r->arena, base, len > 5 ? len - 5 : len);
    out->entries = WL_ARRAY(&r->arena, struct wl_calibration_entry, f->entries.count);
    WL_TRY_PTR(out->name, err);
    WL_TRY_PTR(out->entries, err);
    out->entry_count = f->entries.count;
    WL_TRY(convert_bands(r, &f->bands, out, err));
    const struct entry_file *entries = f->entries.items;
    for (int32_t i = 0; i < f->entries.count; i++) {
        convert_entry(&entries[i], out->threads, &out->entries[i]);
        bool *which = out->entries[i].supported ? out->supported : out->unsupported;
        which[out->entries[i].precision] = true;
    }
    for (int p = 0; p < WL_PREC_COUNT; p++) {
        out->unsupported[p] = out->unsupported[p] && !out->supported[p];
    }
    return wl_kernel_model_build(&r->arena, out, err);
}

wl_status wl_calibration_check(struct wl_registry *r, const char *path,
                               struct wl_hw_problem **problems, int32_t *count,
                               struct wl_error *err)
{
    struct wl_problems p;
    struct calibration_file f = {0};
    wl_problems_init(&p, &r->arena, path);
    WL_TRY(decode(r, path, &p, &f, err));
    if (p.nomem) {
        return wl_fail_nomem(err);
    }
    *problems = p.items;
    *count = p.count;
    return WL_OK;
}

static wl_status load_file(struct wl_registry *r, const char *path,
                           const struct wl_calibration **out, struct wl_error *err)
{
    for (const struct wl_calibration_node *n = r->cache->calibrations; n != NULL; n = n->next) {
        if (strcmp(n->calibration.path, path) == 0) {
            *out = &n->calibration;
            return WL_OK;
        }
    }
    struct wl_problems p;
    struct calibration_file f = {0};
    wl_problems_init(&p, &r->arena, path);
    WL_TRY(decode(r, path, &p, &f, err));
    WL_TRY(wl_problems_status(&p, err));
    struct wl_calibration_node *node = WL_NEW(&r->arena, struct wl_calibration_node);
    WL_TRY_PTR(node, err);
    WL_TRY(convert(r, path, &f, &node->calibration, err));
    node->next = r->cache->calibrations;
    r->cache->calibrations = node;
    *out = &node->calibration;
    return WL_OK;
}

static int newest_first(const void *a, const void *b)
{
    const struct wl_calibration *x = *(const struct wl_calibration *const *)a;
    const struct wl_calibration *y = *(const struct wl_calibration *const *)b;
    int order = strcmp(y->date, x->date);
    return order != 0 ? order : strcmp(x->name, y->name);
}

wl_status wl_calibration_list(struct wl_registry *r, const char *device,
                              const struct wl_calibration *const **out, int32_t *count,
                              struct wl_error *err)
{
    const struct wl_spec *spec = NULL;
    WL_TRY(wl_registry_load(r, device, &spec, err));
    const struct wl_calibration **items = NULL;
    int32_t used = 0, capacity = 0;
    for (int32_t i = 0; i < r->root_count; i++) {
        char **names = NULL;
        int32_t n = 0;
        const char *folder =
            wl_arena_printf(&r->arena, "%s/%s/%s/calibrations", r->roots[i],
                            wl_hw_class_name((enum wl_hw_class)spec->file.class), wl_spec_id(spec));
        WL_TRY_PTR(folder, err);
        if (wl_dir_list(&r->arena, folder, &names, &n, NULL) != WL_OK) {
            continue;
        }
        for (int32_t k = 0; k < n; k++) {
            size_t len = strlen(names[k]);
            if (len <= 5 || strcmp(names[k] + len - 5, ".json") != 0) {
                continue;
            }
            const char *path = wl_arena_printf(&r->arena, "%s/%s", folder, names[k]);
            WL_TRY_PTR(path, err);
            void *grown = (void *)items;
            WL_TRY(wl_arena_reserve(&r->arena, &grown, &capacity, used + 1, sizeof(*items)));
            items = grown;
            WL_TRY(load_file(r, path, &items[used], err));
            used++;
        }
    }
    if (used > 1) {
        qsort((void *)items, (size_t)used, sizeof(*items), newest_first);
    }
    *out = items;
    *count = used;
    return WL_OK;
}

/* ---- selection
 * ----------------------------------------------------------------------------------- */

static wl_status term_fits(const struct wl_calibration *c, struct wl_str key, struct wl_str value,
                           bool *fits, struct wl_error *err)
{
    char text[128];
    (void)snprintf(text, sizeof(text), "%.*s", (int)wl_min_i64((int64_t)value.len, 120),
                   value.data);
    if (wl_str_is(key, "power_mode")) {
        *fits = wl_mode_names_match(c->power_mode, text);
    } else if (wl_str_is(key, "framework")) {
        *fits = wl_str_eq_nocase(wl_str(c->framework), value);
    } else if (wl_str_is(key, "clock_mhz") || wl_str_is(key, "freq_mhz")) {
        *fits = fabs(c->clock_hz / 1e6 - strtod(text, NULL)) < 1;
    } else if (wl_str_is(key, "date")) {
        *fits = strncmp(c->date, text, strlen(text)) == 0;
    } else if (wl_str_is(key, "host")) {
        *fits = c->host != NULL && strstr(c->host, text) != NULL;
    } else {
        return wl_fail(err, WL_ERR_USAGE, "--calibration",
                       "\"%.*s\" is not a key; power_mode, framework, clock_mhz, date, host",
                       (int)wl_min_i64((int64_t)key.len, 64), key.data);
    }
    return WL_OK;
}

static wl_status filter_fits(const struct wl_calibration *c, const char *filter, bool *fits,
                             struct wl_error *err)
{
    *fits = true;
    for (const char *s = filter; *s != '\0';) {
        size_t len = strcspn(s, ",");
        const char *equals = memchr(s, '=', len);
        if (equals == NULL || equals == s) {
            return wl_fail(
                err, WL_ERR_USAGE, "--calibration",
                "\"%.*s\" is not key=value; for example power_mode=25W,framework=pytorch, "
                "or none",
                (int)wl_min_i64((int64_t)len, 64), s);
        }
        bool term = false;
        struct wl_str key = {s, (size_t)(equals - s)};
        struct wl_str value = {equals + 1, (size_t)(s + len - equals - 1)};
        WL_TRY(term_fits(c, key, value, &term, err));
        *fits = *fits && term;
        s += len + (s[len] == ',' ? 1 : 0);
    }
    return WL_OK;
}

static wl_status nothing_fits(const char *device, const char *filter,
                              const struct wl_calibration *const *items, int32_t count,
                              struct wl_error *err)
{
    if (count == 0) {
        return wl_fail(err, WL_ERR_USAGE, "--calibration", "%.64s has no calibration; leave it out",
                       device);
    }
    char list[700] = "";
    size_t used = 0;
    for (int32_t i = 0; i < count; i++) {
        int n = snprintf(list + used, sizeof(list) - used,
                         "%spower_mode=%s,framework=%s,clock_mhz=%.0f", i == 0 ? "" : "; ",
                         items[i]->power_mode, items[i]->framework, items[i]->clock_hz / 1e6);
        used = (size_t)wl_min_i64((int64_t)used + (n > 0 ? n : 0), (int64_t)sizeof(list) - 1);
    }
    return wl_fail(err, WL_ERR_USAGE, "--calibration",
                   "nothing of %.64s fits \"%.100s\"; it has %s", device, filter, list);
}

wl_status wl_calibration_select(struct wl_registry *r, const char *device, const char *filter,
                                const char *power_mode, const struct wl_calibration **out,
                                struct wl_error *err)
{
    const struct wl_calibration *const *items = NULL;
    int32_t count = 0;
    *out = NULL;
    if (filter != NULL && strcmp(filter, "none") == 0) {
        return WL_OK;
    }
    WL_TRY(wl_calibration_list(r, device, &items, &count, err));
    for (int32_t i = 0; i < count; i++) {
        bool fits = true;
        if (filter != NULL) {
            WL_TRY(filter_fits(items[i], filter, &fits, err));
        }
        if (fits && (power_mode == NULL || wl_mode_names_match(power_mode, items[i]->power_mode))) {
            *out = items[i];
            return WL_OK;
        }
    }
    return filter == NULL ? WL_OK : nothing_fits(device, filter, items, count, err);
}

const struct wl_calibration_entry *
wl_calibration_best(const struct wl_calibration *c, const char *operation, enum wl_precision prec)
{
    const struct wl_calibration_entry *best = NULL;
    for (int32_t i = 0; i < c->entry_count; i++) {
        const struct wl_calibration_entry *e = &c->entries[i];
        if (!e->supported || e->precision != prec || strcmp(e->operation, operation) != 0) {
            continue;
        }
        bool better = best == NULL || e->ops_per_s > best->ops_per_s ||
                      (e->ops_per_s == best->ops_per_s && e->bytes_per_s > best->bytes_per_s);
        best = better ? e : best;
    }
    return best;
}
