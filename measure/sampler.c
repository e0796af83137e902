/* SPDX-License-Identifier: Apache-2.0 */
/*
 * measure/sampler.c: a region from start to stop. A thread reads all channels at absolute
 * deadlines, so the interval does not drift; start and stop read them too, so the region's joules
 * lie between exactly those two readings.
 *
 * Channels with a counter: the sum of its steps, unwrapped. Channels with only a power reading: the
 * trapezoid over the samples. Power of a counter is taken over windows of at least WINDOW_S that
 * end when the counter moves, because a counter that is updated more slowly than it is sampled
 * would show steps of zero and of twice the truth.
 *
 * Some readings cost milliseconds of processor time in the driver. What a look costs is timed when
 * the meter is opened, and dear ones are asked for less often than the interval says, so that all
 * of them together stay within BUDGET of one core. Utilisation, clock and temperature are asked for
 * at most every GAUGES_S.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "measure_priv.h"

#define WINDOW_S 0.1
#define GAUGES_S 0.25
#define BUDGET 0.003        /* share of one core for all looks together */
#define GAUGES_BUDGET 0.001 /* and for the gauges */
#define STUCK_S 1.0         /* a working counter of a device that is on moves within this */

uint64_t wl_counter_delta_uj(uint64_t last_uj, uint64_t now_uj, uint64_t range_uj, bool *reset)
{
    if (now_uj >= last_uj) {
        return now_uj - last_uj;
    }
    if (range_uj >= last_uj) {
        return range_uj - last_uj + now_uj;
    }
    *reset = true;
    return 0;
}

/* ---- one reading --------------------------------------------------------------------------------
 */

static void first_reading(struct wl_meter *m, struct wl_channel *c, const struct wl_reading *now,
                          double t)
{
    struct wl_channel_run *r = &c->run;
    r->started = true;
    r->late_start = t > m->start_t;
    r->last_uj = now->counter_uj;
    r->first_t = r->last_t = r->window_t = r->last_power_t = t;
    r->last_power_w = now->power_w;
    if (c->has[WL_LOOK_POWER]) {
        r->power_w = r->peak_w = now->power_w;
    }
}

static void add_counter(struct wl_channel *c, uint64_t now_uj, double t)
{
    struct wl_channel_run *r = &c->run;
    bool reset = false;
    uint64_t step = wl_counter_delta_uj(r->last_uj, now_uj, c->range_uj, &reset);
    r->resets += reset ? 1 : 0;
    if (now_uj != r->last_uj) {
        r->first_change_t = r->changes == 0 ? t : r->first_change_t;
        r->last_change_t = t;
        r->changes++;
    }
    r->total_uj += step;
    r->last_uj = now_uj;
    double window = t - r->window_t;
    if (!c->has[WL_LOOK_POWER] && step > 0 && window >= WINDOW_S) {
        double total_j = (double)r->total_uj * 1e-6;
        r->power_w = (total_j - r->window_j) / window;
        r->peak_w = fmax(r->peak_w, r->power_w);
        r->window_t = t;
        r->window_j = total_j;
    }
}

static void add_power(struct wl_channel *c, double power_w, double t)
{
    struct wl_channel_run *r = &c->run;
    r->integral_j += 0.5 * (r->last_power_w + power_w) * (t - r->last_power_t);
    r->last_power_t = t;
    r->last_power_w = r->power_w = power_w;
    r->peak_w = fmax(r->peak_w, power_w);
}

/* What is due at `t`; `all` at the ends of a region. False: nothing. */
static bool choose_looks(struct wl_channel *c, double t, bool all, bool look[WL_LOOK_COUNT])
{
    struct wl_channel_run *r = &c->run;
    bool any = false;
    for (int k = 0; k < WL_LOOK_COUNT; k++) {
        look[k] = c->has[k] && (all || !r->started || t >= r->due_t[k]);
        if (look[k]) {
            r->due_t[k] = t + c->spacing_s[k];
            any = true;
        }
    }
    return any;
}

static void read_channel(struct wl_meter *m, struct wl_channel *c, double t, bool all)
{
    struct wl_channel_run *r = &c->run;
    struct wl_reading now = {0};
    if (!choose_looks(c, t, all, now.look)) {
        return;
    }
    bool good = c->source->read(c, &now);
    if (!good) {
        r->gaps += r->started && !r->failing ? 1 : 0;
        r->failing = true;
        return;
    }
    r->failing = false;
    if (!r->started) {
        first_reading(m, c, &now, t);
        return;
    }
    if (now.look[WL_LOOK_COUNTER]) {
        add_counter(c, now.counter_uj, t);
    }
    if (now.look[WL_LOOK_POWER]) {
        add_power(c, now.power_w, t);
    }
    if (now.look[c->has[WL_LOOK_COUNTER] ? WL_LOOK_COUNTER : WL_LOOK_POWER]) {
        r->last_t = t;
    }
}

static void read_gauges(struct wl_channel *c)
{
    struct wl_channel_run *r = &c->run;
    struct wl_gauges g = {(double)NAN, (double)NAN, (double)NAN};
    if (c->source->gauges == NULL) {
        return;
    }
    c->source->gauges(c, &g);
    if (!isnan(g.utilization)) {
        r->sum.utilization += g.utilization;
        r->utilization_count++;
    }
    if (!isnan(g.clock_hz)) {
        r->sum.clock_hz += g.clock_hz;
        r->clock_count++;
    }
    r->temperature_max_c = fmax(r->temperature_max_c, g.temperature_c); /* NaN gives way */
    r->newest = g;
}

/* All channels; the lock is held. `all`: also those that are not due. */
static void take_sample(struct wl_meter *m, double t, bool all)
{
    bool gauges = t - m->gauges_t >= m->gauges_spacing_s;
    double power = 0.0;
    for (int32_t i = 0; i < m->count; i++) {
        struct wl_channel *c = m->channels[i];
        read_channel(m, c, t, all);
        if (gauges) {
            read_gauges(c);
        }
        if (c->counted && !isnan(c->run.power_w)) {
            power += c->run.power_w;
        }
    }
    m->gauges_t = gauges ? t : m->gauges_t;
    m->last_t = t;
    m->peak_w = fmax(m->peak_w, power);
    m->sampling.samples++;
    if (m->keep_series) {
        wl_series_add(m, t);
    }
}

/* ---- the thread ------------------------------------------------------------------------------ */

static struct timespec to_timespec(double t)
{
    double whole = floor(t);
    return (struct timespec){.tv_sec = (time_t)whole, .tv_nsec = (long)((t - whole) * 1e9)};
}

static double thread_cpu_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* The deadline after `deadline` that is still to come; missed ones are counted, not made up for. */
static double next_deadline(struct wl_meter *m, double deadline)
{
    double missed = floor((wl_clock_s() - deadline) / m->interval_s);
    if (missed > 0.0) {
        m->sampling.late += (int64_t)missed;
        deadline += missed * m->interval_s;
    }
    return deadline + m->interval_s;
}

static void *sampling_thread(void *argument)
{
    struct wl_meter *m = argument;
    (void)pthread_mutex_lock(&m->lock);
    double deadline = m->start_t + m->interval_s;
    while (!m->stopping) {
        struct timespec until = to_timespec(deadline);
        (void)pthread_cond_timedwait(&m->wake, &m->lock, &until);
        double now = wl_clock_s();
        if (!m->stopping && now >= deadline) {
            take_sample(m, now, false);
            deadline = next_deadline(m, deadline);
        }
    }
    m->sampling.cpu_s = thread_cpu_s();
    (void)pthread_mutex_unlock(&m->lock);
    return NULL;
}

/* With all signals blocked: they belong to the thread that measures. */
static int start_thread(struct wl_meter *m)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&m->thread, NULL, sampling_thread, m);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

/* Times the gauges of all channels (the second time: the first finds everything cold). */
static void price_gauges(struct wl_meter *m)
{
    double cost = 0.0;
    for (int32_t i = 0; i < m->count; i++) {
        struct wl_channel *c = m->channels[i];
        struct wl_gauges g;
        if (c->source->gauges != NULL) {
            c->source->gauges(c, &g);
            double before = thread_cpu_s();
            c->source->gauges(c, &g);
            cost += thread_cpu_s() - before;
        }
    }
    m->gauges_spacing_s = fmax(GAUGES_S, cost / GAUGES_BUDGET);
}

/* Times one look of each kind, likewise. */
void wl_meter_price(struct wl_meter *m)
{
    for (int32_t i = 0; i < m->count; i++) {
        struct wl_channel *c = m->channels[i];
        for (int k = 0; k < WL_LOOK_COUNT; k++) {
            struct wl_reading r = {0};
            r.look[k] = c->has[k];
            if (!c->has[k] || !c->source->read(c, &r)) {
                continue;
            }
            double before = thread_cpu_s();
            (void)c->source->read(c, &r);
            double cost = thread_cpu_s() - before;
            double spacing = cost * (double)m->count / BUDGET;
            c->spacing_s[k] = spacing > m->interval_s ? spacing : 0.0;
        }
    }
    price_gauges(m);
}

/* ---- start, stop, read ----------------------------------------------------------------------- */

static void reset_region(struct wl_meter *m)
{
    for (int32_t i = 0; i < m->count; i++) {
        m->channels[i]->run =
            (struct wl_channel_run){.power_w = (double)NAN,
                                    .temperature_max_c = (double)NAN,
                                    .newest = {(double)NAN, (double)NAN, (double)NAN}};
    }
    wl_series_reset(m);
    m->sampling = (struct wl_sampling){.interval_s = m->interval_s};
    m->peak_w = 0.0;
    m->gauges_t = -(double)INFINITY;
    m->stopping = false;
}

wl_status wl_meter_start(struct wl_meter *m, struct wl_error *err)
{
    (void)pthread_mutex_lock(&m->lock);
    if (m->running) {
        (void)pthread_mutex_unlock(&m->lock);
        return wl_fail(err, WL_ERR_USAGE, "meter",
                       "is running already; stop it before a new region");
    }
    reset_region(m);
    int error = start_thread(m); /* it waits for the lock: the region begins after its creation */
    if (error == 0) {
        m->running = m->measured = true;
        m->start_t = wl_clock_s();
        take_sample(m, m->start_t, true);
    }
    (void)pthread_mutex_unlock(&m->lock);
    if (error != 0) {
        return wl_fail(err, WL_ERR_LIMIT, "meter", "no thread for sampling: %s; fewer threads help",
                       strerror(error));
    }
    return WL_OK;
}

/* Ends the region if one runs. */
void wl_meter_halt(struct wl_meter *m)
{
    (void)pthread_mutex_lock(&m->lock);
    bool was_running = m->running && !m->stopping;
    if (was_running) {
        take_sample(m, wl_clock_s(), true);
        m->stopping = true;
        (void)pthread_cond_signal(&m->wake);
    }
    (void)pthread_mutex_unlock(&m->lock);
    if (!was_running) {
        return;
    }
    (void)pthread_join(m->thread, NULL);
    (void)pthread_mutex_lock(&m->lock);
    m->running = false;
    for (int32_t i = 0; i < m->count; i++) {
        double energy = wl_channel_energy_j(m, m->channels[i]);
        m->channels[i]->lifetime_j += isnan(energy) ? 0.0 : energy;
    }
    (void)pthread_mutex_unlock(&m->lock);
}

wl_status wl_meter_stop(struct wl_meter *m, struct wl_error *err)
{
    (void)pthread_mutex_lock(&m->lock);
    bool running = m->running;
    (void)pthread_mutex_unlock(&m->lock);
    if (!running) {
        return wl_fail(err, WL_ERR_USAGE, "meter", "is not running; start it first");
    }
    wl_meter_halt(m);
    return WL_OK;
}

bool wl_channel_stuck(const struct wl_meter *m, const struct wl_channel *c)
{
    const struct wl_channel_run *r = &c->run;
    return m->measured && c->has[WL_LOOK_COUNTER] && r->started && r->changes == 0 &&
           r->last_t - r->first_t >= STUCK_S;
}

double wl_channel_energy_j(const struct wl_meter *m, const struct wl_channel *c)
{
    const struct wl_channel_run *r = &c->run;
    if (!r->started || !(r->last_t > r->first_t) || wl_channel_stuck(m, c)) {
        return (double)NAN;
    }
    return c->has[WL_LOOK_COUNTER] ? (double)r->total_uj * 1e-6 : r->integral_j;
}

bool wl_channel_complete(const struct wl_meter *m, const struct wl_channel *c)
{
    const struct wl_channel_run *r = &c->run;
    return r->started && !r->failing && !r->late_start && r->resets == 0 && !wl_channel_stuck(m, c);
}

wl_status wl_meter_read(struct wl_meter *m, struct wl_meter_total *out, struct wl_error *err)
{
    (void)pthread_mutex_lock(&m->lock);
    if (!m->measured) {
        (void)pthread_mutex_unlock(&m->lock);
        return wl_fail(err, WL_ERR_USAGE, "meter", "has measured nothing yet; start it first");
    }
    if (m->running) {
        take_sample(m, wl_clock_s(), true);
    }
    struct wl_meter_total t = {.wall_s = m->last_t - m->start_t};
    double sum = 0.0;
    for (int32_t i = 0; i < m->count; i++) {
        const struct wl_channel *c = m->channels[i];
        double energy = wl_channel_energy_j(m, c);
        if (c->counted) {
            t.incomplete += wl_channel_complete(m, c) ? 0 : 1;
            t.counted += isnan(energy) ? 0 : 1;
            sum += isnan(energy) ? 0.0 : energy;
        }
    }
    t.energy_j = t.counted > 0 ? sum : (double)NAN;
    t.average_power_w = t.counted > 0 && t.wall_s > 0.0 ? sum / t.wall_s : (double)NAN;
    t.peak_power_w = t.counted > 0 ? fmax(m->peak_w, t.average_power_w) : (double)NAN;
    (void)pthread_mutex_unlock(&m->lock);
    *out = t;
    return WL_OK;
}

void wl_meter_sampling(struct wl_meter *m, struct wl_sampling *out)
{
    (void)pthread_mutex_lock(&m->lock);
    *out = m->sampling;
    (void)pthread_mutex_unlock(&m->lock);
}

double wl_meter_lifetime_j(struct wl_meter *m, int32_t channel)
{
    (void)pthread_mutex_lock(&m->lock);
    const struct wl_channel *c = m->channels[channel];
    double energy = m->running ? wl_channel_energy_j(m, c) : 0.0;
    double lifetime = c->lifetime_j + (isnan(energy) ? 0.0 : energy);
    bool known = lifetime > 0.0 || !isnan(wl_channel_energy_j(m, c));
    (void)pthread_mutex_unlock(&m->lock);
    return known ? lifetime : (double)NAN;
}

double wl_meter_power_w(struct wl_meter *m, int32_t channel)
{
    (void)pthread_mutex_lock(&m->lock);
    const struct wl_channel_run *r = &m->channels[channel]->run;
    double power = r->started && !r->failing ? r->power_w : (double)NAN;
    (void)pthread_mutex_unlock(&m->lock);
    return power;
}
