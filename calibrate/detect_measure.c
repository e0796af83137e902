/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calibrate/detect_measure.c: the order of the measurements. Each kind of core alone: its clock,
 * every kernel, its private caches; several rounds apart in time, of which the best counts, because
 * disturbances only ever slow down. Then all cores together: the clock that they hold under the
 * widest vectors and on the matrix unit, and whether they get in each other's way (processors of a
 * virtual machine may be two threads of one core). Then memory.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "detect_priv.h"

/* ---- one kernel ------------------------------------------------------------------------------ */

#define PART_S 1e-3
/* The chain of additions is made this much longer than the kernel, so that it decides the time. */
#define CHAIN_MARGIN 1.08

static double timed(const struct wl_detect_kernel *k, int64_t steps, int32_t quads)
{
    double start = wl_detect_now_s();
    k->run(steps, quads);
    return wl_detect_now_s() - start;
}

/*
 * Wide vectors and tiles lower the clock while they run and microseconds longer, so it is taken
 * under their load: the kernel runs once more beside a chain of additions that takes a little
 * longer than it does.
 */
static double clock_under(const struct wl_detect_kernel *k, int64_t steps, double step_s,
                          double most_hz)
{
    double cycles = step_s * most_hz * CHAIN_MARGIN;
    int32_t quads = (int32_t)ceil(fmin(cycles, 1e6) / WL_DETECT_QUAD_CYCLES);
    double took = timed(k, steps, quads);
    return (double)steps * quads * WL_DETECT_QUAD_CYCLES / took;
}

struct wl_detect_sample wl_detect_run_kernel(const struct wl_detect_kernel *k, double most_hz,
                                             double seconds)
{
    struct wl_detect_sample best = {0};
    int64_t steps = 256;
    if (k->prepare != NULL && !k->prepare()) {
        return best;
    }
    double end = wl_detect_now_s() + seconds;
    do {
        double took = timed(k, steps, 0);
        if (took < PART_S / 2 && steps < (int64_t)1 << 40) {
            steps *= 2;
            continue;
        }
        double clock = clock_under(k, steps, took / (double)steps, most_hz);
        best.ops_per_s = fmax(best.ops_per_s, (double)steps * k->ops_per_step / took);
        best.clock_hz = fmax(best.clock_hz, clock);
    } while (wl_detect_now_s() < end || !(best.ops_per_s > 0));
    if (k->finish != NULL) {
        k->finish();
    }
    return best;
}

/* ---- one core alone -------------------------------------------------------------------------- */

struct alone {
    const struct wl_host *host;
    const struct wl_host_kind *kind;
    struct wl_host_kind_rates *out;
    double slice_s;
    uint32_t features;
    wl_status status;
    struct wl_error err;
};

/* The entry of a pipe and precision; a new one, not supported, where there is none. */
static struct wl_host_rate *rate_of(struct wl_host_kind_rates *k,
                                    const struct wl_detect_kernel *kernel)
{
    for (int32_t i = 0; i < k->rate_count; i++) {
        struct wl_host_rate *r = &k->rates[i];
        if (strcmp(r->pipe, kernel->pipe) == 0 && r->precision == kernel->precision) {
            return r;
        }
    }
    if (k->rate_count == WL_HOST_RATES_MAX) {
        return NULL;
    }
    struct wl_host_rate *r = &k->rates[k->rate_count++];
    *r = (struct wl_host_rate){.pipe = kernel->pipe,
                               .kind = kernel->kind,
                               .precision = kernel->precision,
                               .simd_bits = kernel->simd_bits,
                               .rows = kernel->rows,
                               .cols = kernel->cols,
                               .depth = kernel->depth};
    return r;
}

static void measure_kernel(struct alone *a, const struct wl_detect_kernel *k)
{
    struct wl_host_rate *r = rate_of(a->out, k);
    if (r == NULL || (k->needs & ~a->features) != 0) {
        return;
    }
    struct wl_detect_sample s = wl_detect_run_kernel(k, a->out->boost_clock_hz, a->slice_s);
    if (s.ops_per_s > r->ops_per_s) {
        r->supported = true;
        r->ops_per_s = s.ops_per_s;
        r->clock_hz = s.clock_hz;
        r->ops_per_cycle = s.ops_per_s / s.clock_hz;
    }
}

static void measure_alone(void *user, int32_t index)
{
    struct alone *a = user;
    int32_t count = 0;
    const struct wl_detect_kernel *kernels = wl_detect_kernels(&count);
    (void)index;
    a->out->boost_clock_hz = fmax(a->out->boost_clock_hz, wl_detect_clock_hz(a->slice_s));
    for (int32_t i = 0; i < count; i++) {
        measure_kernel(a, &kernels[i]);
    }
    int last = wl_detect_swept_level(a->host);
    for (int level = 0; level < WL_HOST_LEVELS_MAX && a->status == WL_OK; level++) {
        const struct wl_host_cache *c = &a->kind->caches[level];
        double rate = 0;
        if (c->bytes > 0 && level != last) {
            a->status = wl_detect_private_level(c->bytes / 2, a->slice_s, &rate, &a->err);
            a->out->level_bps[level] = fmax(a->out->level_bps[level], rate);
        }
    }
}

/* ---- all cores ------------------------------------------------------------------------------- */

struct together {
    const struct wl_detect_kernel **kernels; /* by thread; NULL: idle */
    double *most_hz;
    struct wl_detect_sample *samples;
    double seconds;
};

static void measure_together(void *user, int32_t index)
{
    const struct together *t = user;
    if (t->kernels[index] != NULL) {
        t->samples[index] = wl_detect_run_kernel(t->kernels[index], t->most_hz[index], t->seconds);
    }
}

static const struct wl_host_rate *best_of(const struct wl_host_kind_rates *k,
                                          enum wl_pipe_kind kind, enum wl_precision precision)
{
    const struct wl_host_rate *best = NULL;
    for (int32_t i = 0; i < k->rate_count; i++) {
        const struct wl_host_rate *r = &k->rates[i];
        bool fits = r->supported && r->kind == kind &&
                    (precision == WL_PREC_COUNT || r->precision == precision);
        if (fits && (best == NULL || r->ops_per_s > best->ops_per_s)) {
            best = r;
        }
    }
    return best;
}

const struct wl_host_rate *wl_detect_best_vector(const struct wl_host_kind_rates *k)
{
    return best_of(k, WL_PIPE_VECTOR, WL_PREC_FP32);
}

static const struct wl_detect_kernel *kernel_of(const struct wl_host_rate *r)
{
    int32_t count = 0;
    const struct wl_detect_kernel *kernels = wl_detect_kernels(&count);
    for (int32_t i = 0; r != NULL && i < count; i++) {
        if (strcmp(kernels[i].pipe, r->pipe) == 0 && kernels[i].precision == r->precision) {
            return &kernels[i];
        }
    }
    return NULL;
}

/* Means over the cores of each kind. */
static void take_together(const struct wl_host *host, const struct wl_detect_sample *samples,
                          bool matrix, struct wl_host_measures *out)
{
    const struct wl_detect_sample *s = samples;
    for (int32_t i = 0; i < host->kind_count; i++) {
        struct wl_host_kind_rates *k = &out->kinds[i];
        const struct wl_host_rate *alone =
            matrix ? best_of(k, WL_PIPE_MATRIX, WL_PREC_COUNT) : wl_detect_best_vector(k);
        double clock = 0, per_cycle = 0;
        for (int32_t c = 0; c < host->kinds[i].cores; c++, s++) {
            clock += s->clock_hz / host->kinds[i].cores;
            per_cycle += s->clock_hz > 0 ? s->ops_per_s / s->clock_hz / host->kinds[i].cores : 0;
        }
        if (alone == NULL || !(clock > 0)) {
            continue;
        }
        if (matrix) {
            k->matrix_clock_hz = fmax(k->matrix_clock_hz, clock);
        } else {
            k->clock_hz = fmax(k->clock_hz, clock);
            k->shared = fmax(k->shared, fmin(1, per_cycle / alone->ops_per_cycle));
        }
    }
}

static wl_status all_cores(const struct wl_host *host, double seconds, bool matrix,
                           struct wl_host_measures *out, struct wl_error *err)
{
    struct wl_arena a;
    wl_arena_init(&a, 0);
    int32_t *cpus = WL_ARRAY(&a, int32_t, host->cores);
    struct together t = {.seconds = seconds,
                         .kernels = WL_ARRAY(&a, const struct wl_detect_kernel *, host->cores),
                         .most_hz = WL_ARRAY(&a, double, host->cores),
                         .samples = WL_ARRAY(&a, struct wl_detect_sample, host->cores)};
    bool room = cpus != NULL && t.kernels != NULL && t.most_hz != NULL && t.samples != NULL;
    wl_status status = room ? WL_OK : wl_fail_nomem(err);
    int32_t n = 0;
    bool any = false;
    for (int32_t i = 0; i < host->kind_count && status == WL_OK; i++) {
        const struct wl_host_rate *r = matrix
                                           ? best_of(&out->kinds[i], WL_PIPE_MATRIX, WL_PREC_COUNT)
                                           : wl_detect_best_vector(&out->kinds[i]);
        for (int32_t c = 0; c < host->kinds[i].cores; c++, n++) {
            cpus[n] = host->kinds[i].cpus[c];
            t.kernels[n] = kernel_of(r);
            t.most_hz[n] = out->kinds[i].boost_clock_hz;
            any = any || r != NULL;
        }
    }
    if (status == WL_OK && any) {
        status = wl_detect_team(cpus, n, measure_together, &t, err);
    }
    if (status == WL_OK && any) {
        take_together(host, t.samples, matrix, out);
    }
    wl_arena_done(&a);
    return status;
}

/* ---- all of it ------------------------------------------------------------------------------- */

/* Seconds that all processors were busy so far, those that a hypervisor took away included. */
static double busy_s(void)
{
    char line[256];
    char *at = line;
    double ticks = 0;
    wl_detect_line("", "/proc/stat", line,
                   sizeof(line)); /* "cpu user nice system idle iowait ..." */
    at += strcspn(at, " ");
    for (int field = 0; field < 8; field++) {
        double value = strtod(at, &at);
        ticks += field == 3 || field == 4 ? 0 : value;
    }
    return ticks / (double)sysconf(_SC_CLK_TCK);
}

static double own_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void tell(const struct wl_detect_options *o, double share, const char *what)
{
    if (o->progress != NULL) {
        o->progress(o->user, share, what);
    }
}

static wl_status one_round(const struct wl_host *host, const struct wl_detect_options *options,
                           struct wl_host_measures *out, struct wl_error *err)
{
    double slice_s = options->quick ? 0.01 : 0.03;
    for (int32_t i = 0; i < host->kind_count; i++) {
        struct alone a = {.host = host,
                          .kind = &host->kinds[i],
                          .out = &out->kinds[i],
                          .slice_s = slice_s,
                          .features = wl_detect_features()};
        WL_TRY(wl_detect_team(host->kinds[i].cpus, 1, measure_alone, &a, err));
        if (a.status != WL_OK) {
            *err = a.err;
            return a.status;
        }
    }
    WL_TRY(all_cores(host, 5 * slice_s, false, out, err));
    return all_cores(host, 5 * slice_s, true, out, err);
}

wl_status wl_detect_measure(const struct wl_host *host, const struct wl_detect_options *options,
                            struct wl_host_measures *out, struct wl_error *err)
{
    double start = wl_detect_now_s(), others_s = busy_s() - own_s();
    int rounds = options->quick ? 2 : 4;
    *out = (struct wl_host_measures){0};
    for (int round = 0; round < rounds; round++) {
        tell(options, 0.5 * round / rounds, "arithmetic, clocks, caches");
        WL_TRY(one_round(host, options, out, err));
    }
    WL_TRY(wl_detect_sweep(host, options, out, err));
    tell(options, 1, "done");
    out->seconds = wl_detect_now_s() - start;
    out->others = fmax(0, (busy_s() - own_s() - others_s) / out->seconds);
    return WL_OK;
}
