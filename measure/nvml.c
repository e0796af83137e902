/* SPDX-License-Identifier: Apache-2.0 */
/*
 * measure/nvml.c: NVIDIA GPUs through libnvidia-ml.so.1, found at run time. Only the few prototypes
 * in use are declared here, after NVML's published reference manual (function names end in _v2
 * where the plain symbol is kept for old programs only).
 *
 * Energy comes from nvmlDeviceGetTotalEnergyConsumption (millijoules since the driver was loaded,
 * Volta and newer); without it the sampled power is integrated. What a power reading means differs:
 * on GA100 and before Ampere the moment's value, on all newer GPUs a mean over the last second
 * (manual, nvmlDeviceGetPowerUsage). Field 186, where the driver has it, gives the moment's value
 * on those too. With MIG the figures are those of the whole GPU.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "measure_priv.h"

#define NVML_SUCCESS 0
#define NVML_CLOCK_SM 1
#define NVML_TEMPERATURE_GPU 0
#define NVML_ARCH_AMPERE 7u
#define NVML_ARCH_UNKNOWN 0xffffffffu
#define NVML_FIELD_POWER_INSTANT 186u
#define GPUS_MAX 256u

struct nvml_utilization {
    unsigned int gpu, memory; /* percent */
};

/* nvmlFieldValue_t: the value's kind is 0 double, 1 uint, 2 ulong, 3 ulonglong, 4 slonglong, 5 int.
 */
struct nvml_field {
    unsigned int id, scope;
    long long timestamp_us, latency_us;
    unsigned int kind;
    int status;
    union {
        double d;
        unsigned int u;
        unsigned long ul;
        unsigned long long ull;
        long long sll;
        int i;
    } value;
};

typedef void *nvml_device;

struct wl_nvml {
    void *library;
    int (*init)(void);
    int (*shutdown)(void);
    const char *(*error_string)(int);
    int (*count)(unsigned int *);
    int (*handle)(unsigned int, nvml_device *);
    int (*name)(nvml_device, char *, unsigned int);
    int (*energy_mj)(nvml_device, unsigned long long *);
    int (*power_mw)(nvml_device, unsigned int *);
    int (*utilization)(nvml_device, struct nvml_utilization *);
    int (*clock_mhz)(nvml_device, int, unsigned int *);
    int (*temperature)(nvml_device, int, unsigned int *);
    int (*mig_mode)(nvml_device, unsigned int *, unsigned int *);
    int (*architecture)(nvml_device, unsigned int *);
    int (*fields)(nvml_device, int, struct nvml_field *);
};

struct state {
    const struct wl_nvml *nvml;
    nvml_device device;
    bool instant; /* power through field 186 */
};

/* ---- readings -----------------------------------------------------------------------------------
 */

static bool instant_power_w(const struct state *s, double *out)
{
    struct nvml_field f = {.id = NVML_FIELD_POWER_INSTANT};
    if (s->nvml->fields == NULL || s->nvml->fields(s->device, 1, &f) != NVML_SUCCESS ||
        f.status != NVML_SUCCESS) {
        return false;
    }
    double milliwatts = f.kind == 0   ? f.value.d
                        : f.kind == 1 ? (double)f.value.u
                        : f.kind == 2 ? (double)f.value.ul
                        : f.kind == 3 ? (double)f.value.ull
                        : f.kind == 4 ? (double)f.value.sll
                                      : (double)f.value.i;
    *out = milliwatts * 1e-3;
    return milliwatts >= 0.0;
}

static bool power_w(const struct state *s, double *out)
{
    unsigned int milliwatts = 0;
    if (s->instant) {
        return instant_power_w(s, out);
    }
    if (s->nvml->power_mw == NULL || s->nvml->power_mw(s->device, &milliwatts) != NVML_SUCCESS) {
        return false;
    }
    *out = (double)milliwatts * 1e-3;
    return true;
}

static bool energy_uj(const struct state *s, uint64_t *out)
{
    unsigned long long millijoules = 0;
    if (s->nvml->energy_mj == NULL || s->nvml->energy_mj(s->device, &millijoules) != NVML_SUCCESS) {
        return false;
    }
    *out = (uint64_t)millijoules * 1000u;
    return true;
}

static bool read_nvml(struct wl_channel *c, struct wl_reading *out)
{
    const struct state *s = c->state;
    return (!out->look[WL_LOOK_COUNTER] || energy_uj(s, &out->counter_uj)) &&
           (!out->look[WL_LOOK_POWER] || power_w(s, &out->power_w));
}

static void gauges_nvml(struct wl_channel *c, struct wl_gauges *out)
{
    const struct state *s = c->state;
    struct nvml_utilization use = {0};
    unsigned int value = 0;
    if (s->nvml->utilization != NULL && s->nvml->utilization(s->device, &use) == NVML_SUCCESS) {
        out->utilization = (double)use.gpu * 0.01;
    }
    if (s->nvml->clock_mhz != NULL &&
        s->nvml->clock_mhz(s->device, NVML_CLOCK_SM, &value) == NVML_SUCCESS) {
        out->clock_hz = (double)value * 1e6;
    }
    if (s->nvml->temperature != NULL &&
        s->nvml->temperature(s->device, NVML_TEMPERATURE_GPU, &value) == NVML_SUCCESS) {
        out->temperature_c = (double)value;
    }
}

/* ---- devices ------------------------------------------------------------------------------------
 */

/* The reading that the manual describes as a mean over one second. */
static bool power_is_averaged(const struct wl_nvml *n, nvml_device d, const char *name)
{
    unsigned int arch = 0;
    if (n->architecture == NULL || n->architecture(d, &arch) != NVML_SUCCESS ||
        arch == NVML_ARCH_UNKNOWN) {
        return true;
    }
    bool ga100 = strstr(name, "A100") != NULL || strstr(name, "A30") != NULL;
    return arch >= NVML_ARCH_AMPERE && !(arch == NVML_ARCH_AMPERE && ga100);
}

static void describe(struct wl_channel *c, const struct wl_nvml *n, nvml_device d)
{
    struct state *s = c->state;
    unsigned int mig = 0;
    unsigned int pending = 0;
    double w;
    s->instant = power_is_averaged(n, d, c->device) && instant_power_w(s, &w);
    c->has[WL_LOOK_POWER] = power_w(s, &w);
    if (c->has[WL_LOOK_COUNTER]) {
        wl_channel_note(c, "energy counter of the driver");
    } else {
        wl_channel_note(c, "no energy counter: sampled power, integrated");
    }
    if (c->has[WL_LOOK_POWER] && !s->instant && power_is_averaged(n, d, c->device)) {
        wl_channel_note(c, "power readings are means over 1 s");
    }
    if (n->mig_mode != NULL && n->mig_mode(d, &mig, &pending) == NVML_SUCCESS && mig != 0) {
        wl_channel_note(c, "MIG is on: figures of the whole GPU, all instances together");
    }
}

static const char *message(const struct wl_nvml *n, int code)
{
    const char *text = n->error_string == NULL ? NULL : n->error_string(code);
    return text == NULL ? "no message" : text;
}

static wl_status add_gpu(struct wl_meter *m, unsigned int index, struct wl_error *err)
{
    const struct wl_nvml *n = m->nvml;
    nvml_device d = NULL;
    uint64_t value;
    int code = n->handle(index, &d);
    if (code != NVML_SUCCESS) {
        return wl_meter_lacks(m, "nvml", NULL, err, "GPU %u does not answer: %s", index,
                              message(n, code));
    }
    struct wl_channel *c = wl_meter_add(m, &wl_source_nvml, WL_METER_GPU, sizeof(struct state));
    WL_TRY_PTR(c, err);
    struct state *s = c->state;
    *s = (struct state){.nvml = n, .device = d};
    (void)snprintf(c->name, sizeof(c->name), "gpu-%u", index);
    if (n->name == NULL || n->name(d, c->device, sizeof(c->device)) != NVML_SUCCESS) {
        (void)snprintf(c->device, sizeof(c->device), "NVIDIA GPU");
    }
    c->has[WL_LOOK_COUNTER] = energy_uj(s, &value);
    describe(c, n, d);
    if (!c->has[WL_LOOK_COUNTER] && !c->has[WL_LOOK_POWER]) {
        m->count--;
        return wl_meter_lacks(m, "nvml", NULL, err, "GPU %u (%s) reports neither energy nor power",
                              index, c->device);
    }
    return WL_OK;
}

/* ---- the library ----------------------------------------------------------------------------- */

/* POSIX lets dlsym's object pointer stand for a function; ISO C needs the detour. */
static void bind(void *library, void *function, const char *name, const char *older)
{
    void *symbol = dlsym(library, name);
    if (symbol == NULL && older != NULL) {
        symbol = dlsym(library, older);
    }
    memcpy(function, &symbol, sizeof(symbol));
}

static void bind_all(struct wl_nvml *n)
{
    bind(n->library, &n->init, "nvmlInit_v2", "nvmlInit");
    bind(n->library, &n->shutdown, "nvmlShutdown", NULL);
    bind(n->library, &n->error_string, "nvmlErrorString", NULL);
    bind(n->library, &n->count, "nvmlDeviceGetCount_v2", "nvmlDeviceGetCount");
    bind(n->library, &n->handle, "nvmlDeviceGetHandleByIndex_v2", "nvmlDeviceGetHandleByIndex");
    bind(n->library, &n->name, "nvmlDeviceGetName", NULL);
    bind(n->library, &n->energy_mj, "nvmlDeviceGetTotalEnergyConsumption", NULL);
    bind(n->library, &n->power_mw, "nvmlDeviceGetPowerUsage", NULL);
    bind(n->library, &n->utilization, "nvmlDeviceGetUtilizationRates", NULL);
    bind(n->library, &n->clock_mhz, "nvmlDeviceGetClockInfo", NULL);
    bind(n->library, &n->temperature, "nvmlDeviceGetTemperature", NULL);
    bind(n->library, &n->mig_mode, "nvmlDeviceGetMigMode", NULL);
    bind(n->library, &n->architecture, "nvmlDeviceGetArchitecture", NULL);
    bind(n->library, &n->fields, "nvmlDeviceGetFieldValues", NULL);
}

static void drop_library(struct wl_meter *m)
{
    (void)dlclose(m->nvml->library);
    m->nvml = NULL;
}

static wl_status open_library(struct wl_meter *m, struct wl_error *err)
{
    struct wl_nvml *n = WL_NEW(&m->arena, struct wl_nvml);
    WL_TRY_PTR(n, err);
    n->library = dlopen(m->nvml_library, RTLD_NOW | RTLD_LOCAL);
    if (n->library == NULL) {
        return wl_meter_lacks(m, "nvml", "install the NVIDIA driver, if there is an NVIDIA GPU",
                              err, "%s is not there or does not load", m->nvml_library);
    }
    m->nvml = n;
    bind_all(n);
    if (n->init == NULL || n->count == NULL || n->handle == NULL) {
        drop_library(m);
        return wl_meter_lacks(m, "nvml", NULL, err, "%s lacks NVML's functions", m->nvml_library);
    }
    int code = n->init();
    if (code != NVML_SUCCESS) {
        WL_TRY(wl_meter_lacks(m, "nvml", "nvidia-smi tells the state of the driver", err,
                              "the driver does not start: %s", message(n, code)));
        drop_library(m);
    }
    return WL_OK;
}

static wl_status probe_nvml(struct wl_meter *m, struct wl_error *err)
{
    unsigned int count = 0;
    WL_TRY(open_library(m, err));
    if (m->nvml == NULL) {
        return WL_OK;
    }
    int code = m->nvml->count(&count);
    if (code != NVML_SUCCESS || count == 0) {
        return wl_meter_lacks(m, "nvml", NULL, err, "no GPU: %s",
                              code == NVML_SUCCESS ? "the driver counts none"
                                                   : message(m->nvml, code));
    }
    for (unsigned int i = 0; i < count && i < GPUS_MAX; i++) {
        WL_TRY(add_gpu(m, i, err));
    }
    return WL_OK;
}

static void done_nvml(struct wl_meter *m)
{
    if (m->nvml == NULL) {
        return;
    }
    if (m->nvml->shutdown != NULL) {
        (void)m->nvml->shutdown();
    }
    drop_library(m);
}

const struct wl_source wl_source_nvml = {.name = "nvml",
                                         .probe = probe_nvml,
                                         .read = read_nvml,
                                         .gauges = gauges_nvml,
                                         .done = done_nvml};
