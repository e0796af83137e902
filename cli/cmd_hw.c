/* SPDX-License-Identifier: Apache-2.0 */
/* cli/cmd_hw.c: `wattline hw ...`: options and dispatch; each action is a file of its own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw_priv.h"

static struct wl_cli_hw *self(void *target)
{
    return target;
}

/* ---- options
 * ------------------------------------------------------------------------------------- */

static wl_status set_class(void *target, const char *value, struct wl_error *err)
{
    for (int c = 0; c < WL_HW_CLASS_COUNT; c++) {
        if (strcmp(value, wl_hw_class_name((enum wl_hw_class)c)) == 0) {
            self(target)->class = c;
            return WL_OK;
        }
    }
    return wl_fail(err, WL_ERR_USAGE, "--class", "\"%.40s\" is not one; cpu, gpu, tpu, kpu are",
                   value);
}

static wl_status set_precision(void *target, const char *value, struct wl_error *err)
{
    self(target)->precision = wl_precision_find(value);
    if (self(target)->precision == WL_PREC_COUNT) {
        return wl_fail(err, WL_ERR_USAGE, "--precision",
                       "\"%.40s\" is not one; fp64 fp32 tf32 fp16 bf16 fp8 fp4 int64 int32 int16 "
                       "int8 int4 are",
                       value);
    }
    return WL_OK;
}

static wl_status watts(const char *option, const char *value, double *out, struct wl_error *err)
{
    char *end = NULL;
    double v = strtod(value, &end);
    if (*value == '\0' || *end != '\0' || !(v >= 0 && v <= 1e6)) {
        return wl_fail(err, WL_ERR_USAGE, option, "\"%.40s\" is not a number of watts; write %s 75",
                       value, option);
    }
    *out = v;
    return WL_OK;
}

static wl_status set_min_tdp(void *target, const char *value, struct wl_error *err)
{
    return watts("--min-tdp", value, &self(target)->min_tdp_w, err);
}

static wl_status set_max_tdp(void *target, const char *value, struct wl_error *err)
{
    return watts("--max-tdp", value, &self(target)->max_tdp_w, err);
}

static wl_status set_format(void *target, const char *value, struct wl_error *err)
{
    enum wl_format f = wl_format_find(value);
    if (f != WL_FORMAT_TEXT && f != WL_FORMAT_JSON && f != WL_FORMAT_CSV) {
        return wl_fail(err, WL_ERR_USAGE, "--format", "\"%.40s\" is not one; text, json, csv are",
                       value);
    }
    self(target)->format = f;
    return WL_OK;
}

#define SETTER(name, member)                                                                       \
    static wl_status set_##name(void *target, const char *value, struct wl_error *err)             \
    {                                                                                              \
        (void)err;                                                                                 \
        self(target)->member = value;                                                              \
        return WL_OK;                                                                              \
    }
#define FLAG(name, member)                                                                         \
    static wl_status set_##name(void *target, const char *value, struct wl_error *err)             \
    {                                                                                              \
        (void)err;                                                                                 \
        (void)value;                                                                               \
        self(target)->member = true;                                                               \
        return WL_OK;                                                                              \
    }
SETTER(vendor, vendor)
SETTER(registry, registry_dir)
SETTER(output, output)
SETTER(device, device)
SETTER(framework, framework)
SETTER(power_mode, power_mode)
FLAG(detail, detail)
FLAG(summary, summary)
FLAG(describe, describe)
FLAG(strict, strict)
FLAG(quick, quick)
SETTER(schema, schema)

static const struct wl_option common_options[] = {
    {"registry", "DIR", "device registry instead of the one beside the program", set_registry},
    {"output", "FILE", "instead of standard output (import-calibration: a file or a folder)",
     set_output},
    {NULL, NULL, NULL, NULL}};
static const struct wl_option list_options[] = {
    {"class", "CLASS", "cpu, gpu, tpu or kpu", set_class},
    {"vendor", "NAME", "vendors whose name contains it", set_vendor},
    {"precision", "P", "devices that have it", set_precision},
    {"min-tdp", "W", "at least so many watts", set_min_tdp},
    {"max-tdp", "W", "at most so many watts", set_max_tdp},
    {"format", "F", "text, json or csv", set_format},
    {NULL, NULL, NULL, NULL}};
static const struct wl_option show_options[] = {
    {"power-mode", "M", "derived figures at this mode", set_power_mode},
    {"format", "F", "text or json", set_format},
    {NULL, NULL, NULL, NULL}};
static const struct wl_option check_options[] = {
    {"describe", NULL, "print the keys of every registry file with type, unit and range",
     set_describe},
    {"schema", "KIND",
     "print the JSON Schema of spec, calibration, runtime, class, process or memory files",
     set_schema},
    {"strict", NULL, "warnings count as problems", set_strict},
    {NULL, NULL, NULL, NULL}};
static const struct wl_option calibrations_options[] = {
    {"framework", "F", "only of this framework", set_framework},
    {"power-mode", "M", "only of this power mode", set_power_mode},
    {"detail", NULL, "every operation, size and precision", set_detail},
    {"summary", NULL, "one line per device", set_summary},
    {"format", "F", "text, json or csv", set_format},
    {NULL, NULL, NULL, NULL}};
static const struct wl_option import_options[] = {
    {"device", "ID", "which device it is of (default: guessed from the path)", set_device},
    {NULL, NULL, NULL, NULL}};

static const struct wl_option detect_options[] = {
    {"output", "FILE", "the spec.json instead of the host directory's; - for standard output",
     set_output},
    {"quick", NULL, "under 5 seconds instead of under 15", set_quick},
    {NULL, NULL, NULL, NULL}};

static const struct action {
    const char *name, *synopsis, *summary;
    const struct wl_option *options;
    int32_t positional_min, positional_max;
    wl_cli_hw_run *run;
} actions[] = {
    {"list", "[options]", "all devices of the registry", list_options, 0, 0, wl_cli_hw_list},
    {"show", "ID [options]", "everything about a device, with sources and derived figures",
     show_options, 1, 1, wl_cli_hw_show},
    {"check", "FILE... | --describe", "what is wrong with specs, calibrations, runtime profiles",
     check_options, 0, -1, wl_cli_hw_check},
    {"calibrations", "[ID] [options]", "measured overlays and their best figures",
     calibrations_options, 0, 1, wl_cli_hw_calibrations},
    {"import-calibration", "OLD.json [options]",
     "a calibration of branes-ai/graphs in this registry's form", import_options, 1, 1,
     wl_cli_hw_import},
    {"detect", "[options]", "measures this machine and describes it as device \"host\"",
     detect_options, 0, 0, wl_cli_hw_detect},
};

/* ---- shared
 * --------------------------------------------------------------------------------------- */

void wl_cli_csv_cell(struct wl_buf *out, bool first, const char *text)
{
    if (!first) {
        wl_buf_puts(out, ",");
    }
    if (strpbrk(text, ",\"\r\n") == NULL) {
        wl_buf_puts(out, text);
        return;
    }
    wl_buf_puts(out, "\"");
    for (const char *s = text; *s != '\0'; s++) {
        wl_buf_puts(out, *s == '"' ? "\"" : "");
        wl_buf_add(out, s, 1);
    }
    wl_buf_puts(out, "\"");
}

const char *wl_cli_join(struct wl_arena *a, const char *const *items, int32_t count,
                        const char *separator)
{
    size_t bytes = 1;
    for (int32_t i = 0; i < count; i++) {
        bytes += strlen(items[i]) + strlen(separator);
    }
    char *text = wl_arena_zalloc(a, bytes);
    size_t at = 0;
    for (int32_t i = 0; i < count && text != NULL; i++) {
        at += (size_t)snprintf(text + at, bytes - at, "%s%s", i == 0 ? "" : separator, items[i]);
    }
    return text == NULL ? "" : text;
}

static wl_status open_and_run(const struct action *action, struct wl_cli_hw *h, int argc,
                              char **argv, struct wl_error *err)
{
    const char *roots[4];
    int32_t count = 0;
    struct wl_buf out;
    WL_TRY(wl_cli_registry_roots(&h->arena, h->registry_dir, roots, &count, err));
    WL_TRY(wl_registry_open(&h->registry, roots, count, err));
    wl_buf_init(&out);
    wl_status status = action->run(h, argc, argv, &out, err);
    bool own_output = action->run == wl_cli_hw_import || action->run == wl_cli_hw_detect;
    if (status == WL_OK && (!own_output || h->output == NULL)) {
        status = wl_cli_output(h->output, &out, err);
    }
    wl_buf_done(&out);
    wl_registry_close(&h->registry);
    return status;
}

static int run_action(const struct action *action, int argc, char **argv)
{
    struct wl_cli_hw h = {.class = -1, .precision = WL_PREC_COUNT, .max_tdp_w = 1e9};
    const struct wl_option *tables[] = {action->options, common_options, NULL};
    char name[40];
    (void)snprintf(name, sizeof(name), "hw %s", action->name);
    struct wl_cli_parse parse = {.command = name,
                                 .synopsis = action->synopsis,
                                 .summary = action->summary,
                                 .tables = tables,
                                 .target = &h,
                                 .positional_min = action->positional_min,
                                 .positional_max = action->positional_max};
    int32_t positional = 0;
    int code = WL_EXIT_OK;
    if (wl_cli_parse_options(&parse, argc, argv, &positional, &code) != WL_OK) {
        return code;
    }
    struct wl_error err;
    wl_arena_init(&h.arena, 0);
    wl_status status = open_and_run(action, &h, positional, argv + 1, &err);
    wl_arena_done(&h.arena);
    if (status != WL_OK) {
        return wl_cli_error(&err);
    }
    return h.problems ? WL_EXIT_INPUT : WL_EXIT_OK;
}

static void print_actions(FILE *to)
{
    (void)fprintf(to, "usage: wattline hw ACTION [arguments]\n\n");
    for (size_t i = 0; i < WL_ARRAY_LEN(actions); i++) {
        (void)fprintf(to, "  %-20s %s\n", actions[i].name, actions[i].summary);
    }
    (void)fprintf(to, "\nwattline hw ACTION --help tells the options of an action.\n");
}

int wl_cmd_hw(int argc, char **argv)
{
    if (argc < 2) {
        return wl_cli_usage("hw", "what to do is missing; list, show ID, check FILE, calibrations, "
                                  "import-calibration FILE, detect");
    }
    if (strcmp(argv[1], "--help") == 0) {
        print_actions(stdout);
        return WL_EXIT_OK;
    }
    const char *names[WL_ARRAY_LEN(actions)];
    for (size_t i = 0; i < WL_ARRAY_LEN(actions); i++) {
        names[i] = actions[i].name;
        if (strcmp(argv[1], names[i]) == 0) {
            return run_action(&actions[i], argc - 1, argv + 1);
        }
    }
    char near[120];
    wl_nearest_names(argv[1], names, (int32_t)WL_ARRAY_LEN(actions), 2, near, sizeof(near));
    return wl_cli_usage(
        "hw", "\"%.40s\" is not an action; %s", argv[1],
        near[0] != '\0' ? near : "list, show, check, calibrations, import-calibration, detect");
}
