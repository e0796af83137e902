/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pipeline/measured.c: a calibration laid over the mappers' counts. What the calibration measured
 * replaces an assumption of efficiency, in one place for all architectures:
 *
 * * matrix products (and convolutions by their operation count) take the time that a GEMM of as
 * many operations took, interpolated log-log between the measured sizes: below the smallest size
 * its time (a fixed cost), above the largest its rate, never faster than the pipe's peak;
 * * everything else takes the time that AXPY took for as many bytes, in the same way.
 *
 * The measured times hold launch and memory, so the subgraph's own dispatch is not added again.
 * What the calibration did not measure at this precision keeps the analytic model.
 */
#include <math.h>
#include <string.h>

#include "pipeline_priv.h"

#define SIZES_MAX 64

/* Measured times by size, sizes ascending. */
struct curve {
    double size[SIZES_MAX], time_s[SIZES_MAX];
    int32_t count;
};

static void curve_add(struct curve *c, double size, double time_s)
{
    if (!(size > 0) || !(time_s > 0) || c->count >= SIZES_MAX) {
        return;
    }
    int32_t at = c->count++;
    for (; at > 0 && c->size[at - 1] > size; at--) {
        c->size[at] = c->size[at - 1];
        c->time_s[at] = c->time_s[at - 1];
    }
    c->size[at] = size;
    c->time_s[at] = time_s;
}

static void curve_read(const struct wl_calibration *cal, const char *operation,
                       enum wl_precision precision, bool by_bytes, struct curve *out)
{
    out->count = 0;
    for (int32_t i = 0; i < cal->entry_count; i++) {
        const struct wl_calibration_entry *e = &cal->entries[i];
        if (e->supported && e->precision == precision && strcmp(e->operation, operation) == 0) {
            double ops = 2.0 * (double)e->m * (double)e->n * (double)e->k;
            double bytes = e->bytes > 0 ? (double)e->bytes : e->bytes_per_s * e->time_s;
            curve_add(out, by_bytes ? bytes : ops, e->time_s);
        }
    }
}

static double curve_time(const struct curve *c, double size)
{
    if (size <= c->size[0]) {
        return c->time_s[0];
    }
    int32_t last = c->count - 1;
    if (size >= c->size[last]) {
        return c->time_s[last] * size / c->size[last];
    }
    int32_t i = 1;
    while (size > c->size[i]) {
        i++;
    }
    double t = log(size / c->size[i - 1]) / log(c->size[i] / c->size[i - 1]);
    return c->time_s[i - 1] * pow(c->time_s[i] / c->time_s[i - 1], t);
}

/* The curves of one calibration, read when a precision first needs them. */
struct overlay {
    const struct wl_calibration *cal;
    struct curve gemm[WL_PREC_COUNT], axpy[WL_PREC_COUNT];
    bool read[WL_PREC_COUNT];
};

static void overlay_read(struct overlay *o, enum wl_precision p)
{
    if (!o->read[p]) {
        curve_read(o->cal, "gemm", p, false, &o->gemm[p]);
        curve_read(o->cal, "axpy", p, true, &o->axpy[p]);
        o->read[p] = true;
    }
}

static double external_bytes(const struct wl_mappings *m, const struct wl_subgraph *s)
{
    const struct wl_graph *g = m->partition->graph;
    const struct wl_operand *lists[] = {s->inputs, s->outputs, s->weights};
    const int32_t counts[] = {s->input_count, s->output_count, s->weight_count};
    double bytes = 0;
    for (size_t l = 0; l < WL_ARRAY_LEN(lists); l++) {
        for (int32_t i = 0; i < counts[l]; i++) {
            bytes += wl_operand_bytes(g, &m->options.policy, &lists[l][i]);
        }
    }
    return bytes;
}

/* Seconds of all executions of a subgraph as measured; 0 where the calibration says nothing. */
static double measured_s(struct overlay *o, const struct wl_mappings *m, int32_t i)
{
    const struct wl_subgraph *s = &m->partition->subgraphs[i];
    const struct wl_mapping *x = &m->items[i];
    if (x->precision >= WL_PREC_COUNT) {
        return 0;
    }
    overlay_read(o, x->precision);
    double repeat = (double)s->repeat;
    if (s->product_count > 0 && x->pipe != WL_NONE) {
        if (o->gemm[x->precision].count == 0) {
            return 0;
        }
        double peak = wl_pipe_peak(m->device, &m->device->pipes[x->pipe], x->precision);
        double t = curve_time(&o->gemm[x->precision], x->executed_ops / repeat) * repeat;
        return fmax(t, peak > 0 ? x->executed_ops / peak : 0);
    }
    if (o->axpy[x->precision].count == 0) {
        return 0;
    }
    return curve_time(&o->axpy[x->precision], external_bytes(m, s)) * repeat;
}

/* The subgraph computes for `seconds` on its (or the first) pipe; its dispatch is inside. */
static void replace_time(const struct wl_mappings *m, struct wl_mapping *x, double seconds)
{
    int32_t pipe = x->pipe != WL_NONE ? x->pipe : x->pipe_count > 0 ? x->pipes[0].pipe : 0;
    x->pipes[0] = (struct wl_pipe_use){.pipe = pipe,
                                       .cycles = seconds * m->device->pipes[pipe].clock_hz,
                                       .executed_ops = x->executed_ops};
    x->pipe_count = 1;
    x->dispatches = 0;
    x->barriers = 0;
    x->serial_s = 0;
    x->note = "time as measured by the calibration";
}

wl_status wl_measured_apply(const struct wl_calibration *cal, struct wl_mappings *m,
                            struct wl_diag_list *diags, double *covered, struct wl_error *err)
{
    struct overlay *o = wl_malloc(sizeof(*o));
    WL_TRY_PTR(o, err);
    memset(o, 0, sizeof(*o));
    o->cal = cal;
    int32_t replaced = 0;
    for (int32_t i = 0; i < m->count; i++) {
        double seconds = measured_s(o, m, i);
        if (seconds > 0) {
            replace_time(m, &m->items[i], seconds);
            replaced++;
        }
    }
    wl_free(o);
    *covered = m->count > 0 ? (double)replaced / m->count : 0;
    if (replaced < m->count) {
        wl_diag_add(diags, WL_SEV_INFO, "calibration-partial", cal->name,
                    "covers %d of %d subgraphs; the others follow the specification", (int)replaced,
                    (int)m->count);
    }
    return WL_OK;
}
