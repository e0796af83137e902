/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stand-in for libnvidia-ml.so.1, and for what libcuda.so.1 says of a GPU's place. WL_FAKE_NVML
 * tells what it shows, as "key=number,...":
 *   gpus=2           how many                         watts=200      power of each
 *   counter=0        no energy counter                power=0        no power reading
 *   instant=1        field 186 is there               arch=9         architecture number
 *   mig=1            MIG is on                        init=9         nvmlInit fails with this code
 *   lost_after=3     GPU 0 is lost after 3 readings   a100=1         the name says A100
 *   step=0.1         seconds between updates of the counter
 *   visible=1        the GPU that CUDA counts as its first
 * The counter is the true integral of the power since the library was loaded, in whole millijoules.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SUCCESS 0
#define NOT_SUPPORTED 3
#define GPU_IS_LOST 15
#define GPUS_MAX 16

int nvmlInit_v2(void);
int nvmlShutdown(void);
const char *nvmlErrorString(int code);
int nvmlDeviceGetCount_v2(unsigned int *count);
int nvmlDeviceGetHandleByIndex_v2(unsigned int index, void **device);
int nvmlDeviceGetHandleByPciBusId_v2(const char *bus, void **device);
int nvmlSystemGetDriverVersion(char *version, unsigned int size);
int nvmlDeviceGetEnforcedPowerLimit(void *device, unsigned int *mw);
int nvmlDeviceGetMaxClockInfo(void *device, int clock, unsigned int *mhz);
int nvmlDeviceGetCurrentClocksThrottleReasons(void *device, unsigned long long *reasons);
int cuInit(unsigned int flags);
int cuDeviceGet(int *device, int ordinal);
int cuDeviceGetPCIBusId(char *bus, int size, int device);
int nvmlDeviceGetName(void *device, char *name, unsigned int size);
int nvmlDeviceGetTotalEnergyConsumption(void *device, unsigned long long *mj);
int nvmlDeviceGetPowerUsage(void *device, unsigned int *mw);
int nvmlDeviceGetUtilizationRates(void *device, unsigned int *rates);
int nvmlDeviceGetClockInfo(void *device, int clock, unsigned int *mhz);
int nvmlDeviceGetTemperature(void *device, int sensor, unsigned int *celsius);
int nvmlDeviceGetMigMode(void *device, unsigned int *now, unsigned int *pending);
int nvmlDeviceGetArchitecture(void *device, unsigned int *arch);

struct field {
    unsigned int id, scope;
    long long timestamp_us, latency_us;
    unsigned int kind;
    int status;
    union {
        double d;
        unsigned int u;
        unsigned long long ull;
    } value;
};
int nvmlDeviceGetFieldValues(void *device, int count, struct field *values);

static struct {
    int readings;
    char gpu;
} gpus[GPUS_MAX];

static double setting(const char *key, double fallback)
{
    const char *all = getenv("WL_FAKE_NVML");
    size_t len = strlen(key);
    for (const char *at = all; at != NULL && *at != '\0';) {
        if (strncmp(at, key, len) == 0 && at[len] == '=') {
            return strtod(at + len + 1, NULL);
        }
        at = strchr(at, ',');
        at = at == NULL ? NULL : at + 1;
    }
    return fallback;
}

static double now_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int index_of(void *device)
{
    return (int)((char *)device - &gpus[0].gpu) / (int)sizeof(gpus[0]);
}

static int is_lost(void *device)
{
    int i = index_of(device);
    double after = setting("lost_after", 1e9);
    return i == 0 && (double)gpus[i].readings++ >= after;
}

int nvmlInit_v2(void)
{
    return (int)setting("init", SUCCESS);
}

int nvmlShutdown(void)
{
    return SUCCESS;
}

const char *nvmlErrorString(int code)
{
    return code == GPU_IS_LOST ? "GPU is lost" : code == 9 ? "Driver Not Loaded" : "error";
}

int nvmlDeviceGetCount_v2(unsigned int *count)
{
    *count = (unsigned int)setting("gpus", 1);
    return SUCCESS;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned int index, void **device)
{
    *device = &gpus[index % GPUS_MAX].gpu;
    return SUCCESS;
}

int nvmlDeviceGetName(void *device, char *name, unsigned int size)
{
    (void)device;
    (void)snprintf(name, size, "%s", setting("a100", 0) != 0 ? "NVIDIA A100" : "Made-up GPU");
    return SUCCESS;
}

int nvmlDeviceGetTotalEnergyConsumption(void *device, unsigned long long *mj)
{
    if (setting("counter", 1) == 0) {
        return NOT_SUPPORTED;
    }
    if (is_lost(device)) {
        return GPU_IS_LOST;
    }
    double step = setting("step", 0);
    double at = step > 0 ? floor(now_s() / step) * step : now_s();
    *mj = (unsigned long long)(at * setting("watts", 100) * 1e3);
    return SUCCESS;
}

int nvmlDeviceGetPowerUsage(void *device, unsigned int *mw)
{
    if (setting("power", 1) == 0) {
        return NOT_SUPPORTED;
    }
    if (setting("counter", 1) == 0 && is_lost(device)) {
        return GPU_IS_LOST;
    }
    *mw = (unsigned int)(setting("watts", 100) * 1e3);
    return SUCCESS;
}

int nvmlDeviceGetUtilizationRates(void *device, unsigned int *rates)
{
    (void)device;
    rates[0] = 75;
    rates[1] = 20;
    return SUCCESS;
}

int nvmlDeviceGetClockInfo(void *device, int clock, unsigned int *mhz)
{
    (void)device;
    *mhz = clock == 1 ? 1980 : 2619;
    return SUCCESS;
}

int nvmlDeviceGetTemperature(void *device, int sensor, unsigned int *celsius)
{
    (void)device;
    (void)sensor;
    *celsius = 62;
    return SUCCESS;
}

int nvmlDeviceGetMigMode(void *device, unsigned int *now, unsigned int *pending)
{
    (void)device;
    *now = *pending = (unsigned int)setting("mig", 0);
    return SUCCESS;
}

int nvmlDeviceGetArchitecture(void *device, unsigned int *arch)
{
    (void)device;
    *arch = (unsigned int)setting("arch", 9);
    return SUCCESS;
}

int nvmlDeviceGetFieldValues(void *device, int count, struct field *values)
{
    (void)device;
    for (int i = 0; i < count; i++) {
        values[i].status =
            values[i].id == 186 && setting("instant", 0) != 0 ? SUCCESS : NOT_SUPPORTED;
        values[i].kind = 1;
        values[i].value.u = (unsigned int)(setting("watts", 100) * 1e3);
    }
    return SUCCESS;
}

/* A GPU's bus number is its index. */
int nvmlDeviceGetHandleByPciBusId_v2(const char *bus, void **device)
{
    const char *colon = strchr(bus, ':');
    if (colon == NULL) {
        return NOT_SUPPORTED;
    }
    return nvmlDeviceGetHandleByIndex_v2((unsigned int)strtoul(colon + 1, NULL, 16), device);
}

int nvmlSystemGetDriverVersion(char *version, unsigned int size)
{
    (void)snprintf(version, size, "made up");
    return SUCCESS;
}

int nvmlDeviceGetEnforcedPowerLimit(void *device, unsigned int *mw)
{
    (void)device;
    *mw = 700000;
    return SUCCESS;
}

int nvmlDeviceGetMaxClockInfo(void *device, int clock, unsigned int *mhz)
{
    return nvmlDeviceGetClockInfo(device, clock, mhz);
}

int nvmlDeviceGetCurrentClocksThrottleReasons(void *device, unsigned long long *reasons)
{
    (void)device;
    *reasons = 0;
    return SUCCESS;
}

int cuInit(unsigned int flags)
{
    return (int)flags;
}

int cuDeviceGet(int *device, int ordinal)
{
    *device = ordinal + (int)setting("visible", 0);
    return SUCCESS;
}

int cuDeviceGetPCIBusId(char *bus, int size, int device)
{
    (void)snprintf(bus, (size_t)size, "0000:%02X:00.0", (unsigned int)device);
    return SUCCESS;
}
