/* SPDX-License-Identifier: Apache-2.0 */
/* cli/measure_options.c: the options of measure that it does not share with analyze. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "measure_cli.h"

static struct wl_measure_options *self(void *target)
{
    return target;
}

/* "50ms", "2.5s", "3m", "1h"; a plain number is seconds. */
static wl_status parse_duration(const char *option, const char *text, double *out,
                                struct wl_error *err)
{
    static const struct {
        const char *unit;
        double seconds;
    } units[] = {{"", 1.0}, {"us", 1e-6}, {"ms", 1e-3}, {"s", 1.0}, {"m", 60.0}, {"h", 3600.0}};
    char *end = NULL;
    double value = strtod(text, &end);
    for (size_t i = 0; end != text && i < WL_ARRAY_LEN(units); i++) {
        if (strcmp(end, units[i].unit) == 0 && isfinite(value) && value > 0.0 &&
            value * units[i].seconds <= 1e9) {
            *out = value * units[i].seconds;
            return WL_OK;
        }
    }
    return wl_fail(err, WL_ERR_USAGE, option,
                   "\"%.40s\" is not a duration; write a number with us, ms, s, m or h: 50ms, 30s",
                   text);
}

/* Whoever writes 50 here means milliseconds, and would not see that it became seconds. */
#define BARE_INTERVAL_MAX_S 10.0

static wl_status set_interval(void *target, const char *value, struct wl_error *err)
{
    double *interval_s = &self(target)->meter.interval_s;
    WL_TRY(parse_duration("--interval", value, interval_s, err));
    bool bare = value[strspn(value, "0123456789.")] == '\0';
    if (bare && *interval_s >= BARE_INTERVAL_MAX_S) {
        return wl_fail(err, WL_ERR_USAGE, "--interval",
                       "\"%.20s\" without a unit is seconds; write %.20sms or %.20ss", value, value,
                       value);
    }
    return WL_OK;
}

static wl_status set_warmup(void *target, const char *value, struct wl_error *err)
{
    return wl_cli_parse_int("--warmup", value, 0, 1000000, &self(target)->warmup, err);
}

static wl_status set_repeat(void *target, const char *value, struct wl_error *err)
{
    return wl_cli_parse_int("--repeat", value, 1, 1000000, &self(target)->repeat, err);
}

static wl_status set_pid(void *target, const char *value, struct wl_error *err)
{
    return wl_cli_parse_int("--pid", value, 1, INT32_MAX, &self(target)->pid, err);
}

static wl_status set_seconds(void *target, const char *value, struct wl_error *err)
{
    return parse_duration("--seconds", value, &self(target)->seconds, err);
}

static wl_status set_idle(void *target, const char *value, struct wl_error *err)
{
    return parse_duration("--idle", value, &self(target)->idle_s, err);
}

static wl_status set_save(void *target, const char *value, struct wl_error *err)
{
    (void)value;
    (void)err;
    self(target)->save = true;
    return WL_OK;
}

static wl_status set_sources(void *target, const char *value, struct wl_error *err)
{
    (void)value;
    (void)err;
    self(target)->list_sources = true;
    return WL_OK;
}

static wl_status set_plot(void *target, const char *value, struct wl_error *err)
{
    (void)value;
    (void)err;
    self(target)->plot = true;
    return WL_OK;
}

static wl_status set_model(void *target, const char *value, struct wl_error *err)
{
    (void)err;
    self(target)->model = value;
    return WL_OK;
}

static wl_status set_prometheus(void *target, const char *value, struct wl_error *err)
{
    if (*value == '\0') {
        return wl_fail(err, WL_ERR_USAGE, "--prometheus",
                       "\"\" is neither a port nor a file; for example 9101");
    }
    self(target)->prometheus = value;
    return WL_OK;
}

static wl_status set_only(void *target, const char *value, struct wl_error *err)
{
    (void)err;
    self(target)->meter.only = value;
    return WL_OK;
}

static wl_status set_sysfs_root(void *target, const char *value, struct wl_error *err)
{
    (void)err;
    self(target)->meter.sysfs_root = value;
    return WL_OK;
}

static wl_status set_nvml_library(void *target, const char *value, struct wl_error *err)
{
    (void)err;
    self(target)->meter.nvml_library = value;
    return WL_OK;
}

static wl_status add_work(struct wl_measure_options *o, const char *unit, double amount,
                          struct wl_error *err)
{
    for (int32_t i = 0; i < o->work_count; i++) {
        if (strcmp(o->works[i].unit, unit) == 0) {
            return wl_fail(err, WL_ERR_USAGE, "--work", "%s is given twice; once is enough", unit);
        }
    }
    o->works[o->work_count++] = (struct wl_measure_work){unit, amount};
    return WL_OK;
}

static wl_status set_work(void *target, const char *value, struct wl_error *err)
{
    static const char *const units[] = {"samples", "tokens", "flops", "inferences"};
    const char *equals = strchr(value, '=');
    char *end = NULL;
    double amount = equals == NULL ? 0.0 : strtod(equals + 1, &end);
    bool number = end != NULL && end != equals + 1 && *end == '\0' && isfinite(amount);
    for (size_t i = 0; number && amount > 0.0 && i < WL_ARRAY_LEN(units); i++) {
        if (strlen(units[i]) == (size_t)(equals - value) &&
            strncmp(units[i], value, strlen(units[i])) == 0) {
            return add_work(self(target), units[i], amount, err);
        }
    }
    return wl_fail(err, WL_ERR_USAGE, "--work",
                   "\"%.60s\" is not UNIT=AMOUNT; samples=1000, tokens=5000, flops=3.6e12, "
                   "inferences=100 are",
                   value);
}

const struct wl_option wl_measure_options[] = {
    {"interval", "T", "time between samples (default 50ms; with --prometheus alone 1s)",
     set_interval},
    {"warmup", "N", "runs of the command before those that count", set_warmup},
    {"repeat", "N", "runs that count; the medians are reported", set_repeat},
    {"pid", "P", "while this process runs, instead of a command", set_pid},
    {"seconds", "S", "for this long, instead of a command (with --pid: at most)", set_seconds},
    {"idle", "T", "measure the idle machine first; alone: only that", set_idle},
    {"save", NULL, "keep the idle watts for later runs on this host", set_save},
    {"work", "UNIT=N", "what a run does: samples, tokens, flops or inferences; may be repeated",
     set_work},
    {"model", "M", "put the prediction for this model beside it (needs --hw)", set_model},
    {"plot", NULL, "draw power over time", set_plot},
    {"sources", NULL, "list the meters of this machine and what it lacks", set_sources},
    {"only", "S,..", "use these sources only: rapl, perf_event, nvml, amdgpu, hwmon, battery",
     set_only},
    {"prometheus", "WHERE", "serve OpenMetrics on a PORT or ADDRESS:PORT, or write a FILE",
     set_prometheus},
    {"sysfs-root", "DIR", "read a recorded tree instead of /sys", set_sysfs_root},
    {"nvml-library", "FILE", "instead of libnvidia-ml.so.1", set_nvml_library},
    {NULL, NULL, NULL, NULL}};
