/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report/trace.c: the predicted timeline in the JSON form of Chrome's trace events, which Perfetto
 * and chrome://tracing open. Subgraphs run one after the other, so their spans tile the inference;
 * below them lie what the arithmetic and the slowest memory level would take alone. Counter tracks:
 * power and live memory, a step per subgraph. Times are microseconds, as the format wants.
 */
#include "report_priv.h"

#define PROCESS 1
enum track { TRACK_SUBGRAPHS = 1, TRACK_COMPUTE, TRACK_MEMORY };

static void begin_event(struct wl_emitter *e, const char *phase, const char *name, int track)
{
    wl_json_object(e, NULL);
    wl_json_str(e, "ph", phase);
    wl_json_str(e, "name", name);
    wl_json_int(e, "pid", PROCESS);
    wl_json_int(e, "tid", track);
}

static void put_name(struct wl_emitter *e, const char *kind, int track, const char *name)
{
    begin_event(e, "M", kind, track);
    wl_json_object(e, "args");
    wl_json_str(e, "name", name);
    wl_json_close(e, '}');
    wl_json_close(e, '}');
}

static void put_counter(struct wl_emitter *e, double at_us, const char *name, const char *unit,
                        double value)
{
    begin_event(e, "C", name, 0);
    wl_json_num(e, "ts", at_us);
    wl_json_object(e, "args");
    wl_json_num(e, unit, value);
    wl_json_close(e, '}');
    wl_json_close(e, '}');
}

static void begin_span(struct wl_emitter *e, const char *name, int track, double at_us,
                       double length_us)
{
    begin_event(e, "X", name, track);
    wl_json_num(e, "ts", at_us);
    wl_json_num(e, "dur", length_us);
}

static void put_span(struct wl_emitter *e, const char *name, int track, double at_us,
                     double length_us)
{
    if (length_us > 0) {
        begin_span(e, name, track, at_us, length_us);
        wl_json_close(e, '}');
    }
}

/* The span of a subgraph: what a person wants to see when clicking on it. */
static void put_subgraph(struct wl_emitter *e, const struct wl_result *r, int32_t i, double at_us)
{
    char note[160];
    const struct wl_subgraph *s = &r->partition->subgraphs[i];
    const struct wl_timing *t = &r->roofline.timings[i];
    begin_span(e, s->name, TRACK_SUBGRAPHS, at_us, t->latency_s * 1e6);
    wl_json_str(e, "cat", s->pattern);
    wl_json_object(e, "args");
    wl_json_int(e, "id", s->id);
    wl_json_int(e, "macs", s->macs);
    wl_json_str(e, "bottleneck", wl_bound_name(&r->device, t->bound));
    wl_json_num(e, "utilization", r->roofline.utilization[i]);
    wl_json_num(e, "compute_s", t->compute_s);
    wl_json_num(e, "memory_s", t->memory_s);
    wl_json_num(e, "overhead_s", t->overhead_s);
    wl_json_num(e, "energy_j", wl_energy_total_j(&r->energy.parts[i]));
    wl_json_str(e, "note", wl_report_note(r, i, note, sizeof(note)));
    wl_json_close(e, '}');
    wl_json_close(e, '}');
}

static double shorter(double a, double b)
{
    return a < b ? a : b;
}

static void put_step(struct wl_emitter *e, const struct wl_result *r, int32_t i, double at_us)
{
    const struct wl_timing *t = &r->roofline.timings[i];
    double energy_j = wl_energy_total_j(&r->energy.parts[i]);
    put_subgraph(e, r, i, at_us);
    put_span(e, "compute", TRACK_COMPUTE, at_us, shorter(t->compute_s, t->latency_s) * 1e6);
    put_span(e, "memory", TRACK_MEMORY, at_us, shorter(t->memory_s, t->latency_s) * 1e6);
    if (t->latency_s > 0) {
        put_counter(e, at_us, "power", "watts", energy_j / t->latency_s);
    }
    for (int32_t k = 0; k < r->memory.step_count; k++) {
        /* Steps are in execution order, as subgraphs are. */
        int32_t step = (i + k) % r->memory.step_count;
        if (r->memory.timeline[step].subgraph == i) {
            put_counter(e, at_us, "live memory", "bytes", r->memory.timeline[step].live_bytes);
            break;
        }
    }
}

void wl_report_analysis_trace(const struct wl_result *r, const char *model_name, struct wl_buf *out)
{
    struct wl_emitter e;
    char title[256];
    double at_s = 0;
    wl_json_begin(&e, out);
    wl_json_str(&e, "displayTimeUnit", "ns");
    wl_json_object(&e, "otherData");
    wl_json_str(&e, "model", model_name);
    wl_json_str(&e, "hardware", r->device.id);
    wl_json_str(&e, "power_mode", r->device.power_mode);
    wl_json_int(&e, "batch", r->config.batch);
    wl_json_str(&e, "precision", wl_precision_name(r->config.precision.activations));
    wl_json_str(&e, "what", "predicted by wattline, not measured");
    wl_json_close(&e, '}');
    wl_json_array(&e, "traceEvents");
    put_name(&e, "process_name", 0,
             wl_text(title, sizeof(title), "%s on %s", model_name, r->device.id));
    put_name(&e, "thread_name", TRACK_SUBGRAPHS, "subgraphs");
    put_name(&e, "thread_name", TRACK_COMPUTE, "arithmetic alone");
    put_name(&e, "thread_name", TRACK_MEMORY, "slowest memory level alone");
    for (int32_t i = 0; i < r->partition->count; i++) {
        put_step(&e, r, i, at_s * 1e6);
        at_s += r->roofline.timings[i].latency_s;
    }
    put_counter(&e, at_s * 1e6, "power", "watts", r->device.idle_w);
    put_counter(&e, at_s * 1e6, "live memory", "bytes", r->memory.weight_bytes);
    wl_json_close(&e, ']');
    wl_json_end(&e);
}
