/* SPDX-License-Identifier: Apache-2.0 */
/* calibrate/native.c: timing, grid points, buffers and caches for the frameworks inside this
 * process. */
#include <dlfcn.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "native.h"

#define WARMUPS_MAX 10
#define STEADY 0.98 /* a run that is not this much faster than the best before ends the warm-up */
#define SAMPLE_S                                                                                   \
    2e-5 /* shorter work is repeated within a sample, so that the clock does not count */
#define SAMPLES_MAX 400
#define LIMIT_S 0.8 /* of one row, where it may end early */
#define LIMIT_QUICK_S 0.15

double wl_native_now_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double sample_s(const struct wl_native_work *work, int32_t repeats)
{
    double start = wl_native_now_s();
    for (int32_t i = 0; i < repeats; i++) {
        work->run(work->user);
    }
    return (wl_native_now_s() - start) / repeats;
}

/* The fastest of the runs until they are steady. */
static double warm_up(const struct wl_native_work *work, double limit_s)
{
    double best = sample_s(work, 1), spent = best;
    for (int32_t i = 1; i < WARMUPS_MAX && spent < limit_s; i++) {
        double s = sample_s(work, 1);
        spent += s;
        if (s > STEADY * best) {
            return fmin(s, best);
        }
        best = s;
    }
    return best;
}

void wl_native_time(const struct wl_bench *b, const struct wl_native_work *work, char *reason,
                    struct wl_bench_row *row)
{
    double samples[SAMPLES_MAX];
    bool quick = b->options.quick, early = work->size >= WL_NATIVE_EARLY;
    double limit = !early ? HUGE_VAL : quick ? LIMIT_QUICK_S : LIMIT_S;
    double enough = quick ? 0.005 : 0.02, spent = 0;
    int32_t least = quick ? 3 : 5, count = 0;
    double guess = warm_up(work, limit);
    int32_t repeats = guess < SAMPLE_S ? (int32_t)(SAMPLE_S / fmax(guess, 1e-8)) + 1 : 1;
    reason[0] = '\0';
    row->reason = NULL;
    while (count < SAMPLES_MAX && (count < least || spent < enough)) {
        if (count >= 2 && spent > limit) {
            (void)snprintf(reason, WL_NATIVE_REASON, "ended after %d of %d runs: %.2f s spent",
                           (int)count, (int)least, spent);
            row->reason = reason;
            break;
        }
        samples[count] = sample_s(work, repeats);
        spent += samples[count++] * repeats;
    }
    wl_bench_times(samples, count, row);
}

/* ---- points ------------------------------------------------------------------------------------
 */

double wl_native_halton(int32_t index, int32_t base)
{
    double share = 0, digit = 1;
    for (int32_t i = index + 1; i > 0; i /= base) {
        digit /= base;
        share += digit * (i % base);
    }
    return share;
}

int64_t wl_native_log_point(double share, int64_t low, int64_t high)
{
    double x = log2((double)low) + share * log2((double)high / (double)low);
    return wl_max_i64(low, wl_min_i64(high, llround(exp2(x))));
}

/* ---- memory ------------------------------------------------------------------------------------
 */

/* 0.5 in the types that are written as bit patterns; floating-point sums stay small. */
static void fill(void *data, size_t bytes, enum wl_precision precision)
{
    switch ((int)precision) {
    case WL_PREC_FP64:
        for (size_t i = 0; i < bytes / sizeof(double); i++) {
            ((double *)data)[i] = (double)(i % 13) / 16;
        }
        break;
    case WL_PREC_FP32:
        for (size_t i = 0; i < bytes / sizeof(float); i++) {
            ((float *)data)[i] = (float)(i % 13) / 16;
        }
        break;
    case WL_PREC_BF16:
    case WL_PREC_FP16:
        for (size_t i = 0; i < bytes / sizeof(uint16_t); i++) {
            ((uint16_t *)data)[i] = precision == WL_PREC_BF16 ? 0x3f00 : 0x3800;
        }
        break;
    default:
        memset(data, 1, bytes);
    }
}

void *wl_native_buffer(size_t bytes, enum wl_precision precision)
{
    void *data = NULL;
    size_t whole = (bytes + 63) / 64 * 64;
    if (posix_memalign(&data, 64, whole > 0 ? whole : 64) != 0) {
        return NULL;
    }
    memset(data, 0, whole);
    fill(data, whole, precision);
    return data;
}

static bool read_line(const char *path, char *out, size_t size)
{
    FILE *f = fopen(path, "r");
    bool ok = f != NULL && fgets(out, (int)size, f) != NULL;
    if (f != NULL) {
        (void)fclose(f);
    }
    return ok;
}

/* "48K", "2048K", "480M" */
static int64_t parse_size(const char *text)
{
    char *end = NULL;
    int64_t n = strtoll(text, &end, 10);
    return *end == 'K' ? n << 10 : *end == 'M' ? n << 20 : *end == 'G' ? n << 30 : n;
}

int64_t wl_native_cache_bytes(int32_t level)
{
    for (int i = 0; i < 8; i++) {
        char path[96], text[32];
        (void)snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu0/cache/index%d/level", i);
        if (!read_line(path, text, sizeof(text)) || strtol(text, NULL, 10) != level) {
            continue;
        }
        (void)snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu0/cache/index%d/type", i);
        if (!read_line(path, text, sizeof(text)) || text[0] == 'I') {
            continue;
        }
        (void)snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu0/cache/index%d/size", i);
        return read_line(path, text, sizeof(text)) ? parse_size(text) : 0;
    }
    return 0;
}

int64_t wl_native_last_cache_bytes(void)
{
    int64_t most = 0;
    for (int32_t level = 1; level <= 4; level++) {
        most = wl_max_i64(most, wl_native_cache_bytes(level));
    }
    return most;
}

int64_t wl_native_memory_free(void)
{
    FILE *f = fopen("/proc/meminfo", "r");
    char line[128];
    long long kib = 0;
    while (f != NULL && kib == 0 && fgets(line, sizeof(line), f) != NULL) {
        if (strncmp(line, "MemAvailable:", 13) == 0) {
            kib = strtoll(line + 13, NULL, 10);
        }
    }
    if (f != NULL) {
        (void)fclose(f);
    }
    return kib * 1024;
}

/* ---- libraries ---------------------------------------------------------------------------------
 */

void *wl_native_load(const char *library, const struct wl_native_symbol *symbols, size_t count,
                     void *table, char *why)
{
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (handle == NULL) {
        (void)snprintf(why, WL_NATIVE_REASON, "%s is not there or does not load", library);
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        void *symbol = dlsym(handle, symbols[i].name);
        if (symbol == NULL && !symbols[i].optional) {
            (void)snprintf(why, WL_NATIVE_REASON, "%s lacks %s", library, symbols[i].name);
            (void)dlclose(handle);
            return NULL;
        }
        /* POSIX lets dlsym's object pointer stand for a function; ISO C needs the detour. */
        memcpy((char *)table + symbols[i].offset, &symbol, sizeof(symbol));
    }
    return handle;
}
