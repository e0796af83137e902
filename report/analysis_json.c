/* SPDX-License-Identifier: Apache-2.0 */
/* report/analysis_json.c: `analyze --format json`, key by key as OUTPUT lists them. */
#include <string.h>

#include "advice_report.h"
#include "report_priv.h"

static void put_shape(struct wl_emitter *e, const struct wl_graph *g, const struct wl_tensor *t)
{
    if (t->rank == WL_NONE) {
        wl_json_null(e, "shape");
        return;
    }
    wl_json_array(e, "shape");
    for (int32_t i = 0; i < t->rank; i++) {
        wl_json_dim(e, NULL, &g->dims, t->dims[i]);
    }
    wl_json_close(e, ']');
}

/* Inputs that the caller feeds (initializers that are listed as inputs are constants), outputs. */
static void put_interface(struct wl_emitter *e, const char *key, const struct wl_graph *g,
                          const int32_t *ids, int32_t count)
{
    wl_json_array(e, key);
    for (int32_t i = 0; i < count; i++) {
        const struct wl_tensor *t = ids[i] == WL_NONE ? NULL : &g->tensors[ids[i]];
        if (t == NULL || t->kind == WL_TENSOR_INITIALIZER) {
            continue;
        }
        wl_json_object(e, NULL);
        wl_json_strn(e, "name", wl_tensor_name(g, ids[i]));
        wl_json_str(e, "dtype", wl_dtype_name(t->dtype));
        put_shape(e, g, t);
        wl_json_close(e, '}');
    }
    wl_json_close(e, ']');
}

static int64_t opset_of(const struct wl_graph *g)
{
    for (int32_t i = 0; i < g->opset_count; i++) {
        if (g->opsets[i].domain.len == 0 || wl_str_is(g->opsets[i].domain, "ai.onnx")) {
            return g->opsets[i].version;
        }
    }
    return 0;
}

/* A file's name without folder and ending, so that copies of a model elsewhere have one name. */
static struct wl_str stem_of(const char *model_name)
{
    const char *slash = strrchr(model_name, '/');
    struct wl_str s = wl_str(slash == NULL ? model_name : slash + 1);
    const struct wl_str ending = WL_STR(".onnx");
    if (s.len > ending.len && memcmp(s.data + s.len - ending.len, ending.data, ending.len) == 0) {
        s.len -= ending.len;
    }
    return s;
}

void wl_json_model(struct wl_emitter *e, const struct wl_model *m, const char *model_name)
{
    const struct wl_graph *g = &m->graph;
    wl_json_object(e, "model");
    wl_json_strn(e, "name", stem_of(model_name));
    wl_json_str(e, "path", m->path);
    wl_json_int(e, "ir_version", g->ir_version);
    wl_json_int(e, "opset", opset_of(g));
    wl_json_strn(e, "producer", g->producer);
    wl_json_int(e, "nodes", g->node_count);
    wl_json_int(e, "parameters", m->parameters);
    wl_json_int(e, "parameter_bytes", m->parameter_bytes);
    const struct wl_block *main_block = &g->blocks[0];
    put_interface(e, "inputs", g, main_block->inputs, main_block->input_count);
    put_interface(e, "outputs", g, main_block->outputs, main_block->output_count);
    wl_json_close(e, '}');
}

void wl_json_diagnostics(struct wl_emitter *e, const struct wl_diag_list *l)
{
    wl_json_array(e, "diagnostics");
    for (int32_t i = 0; i < l->count; i++) {
        wl_json_object(e, NULL);
        wl_json_str(e, "severity", wl_severity_name(l->items[i].severity));
        wl_json_str(e, "code", l->items[i].code);
        wl_json_str(e, "where", l->items[i].where);
        wl_json_str(e, "message", l->items[i].message);
        wl_json_close(e, '}');
    }
    if (l->dropped > 0) {
        wl_json_object(e, NULL);
        wl_json_str(e, "severity", wl_severity_name(WL_SEV_WARNING));
        wl_json_str(e, "code", "diagnostics-dropped");
        wl_json_str(e, "where", "");
        char text[64];
        wl_json_str(e, "message", wl_text(text, sizeof(text), "%d more", (int)l->dropped));
        wl_json_close(e, '}');
    }
    wl_json_close(e, ']');
}

static void put_hardware(struct wl_emitter *e, const struct wl_result *r)
{
    const struct wl_device *d = &r->device;
    wl_json_object(e, "hardware");
    wl_json_str(e, "id", d->id);
    wl_json_str(e, "name", d->name);
    wl_json_str(e, "class", wl_hw_class_name(d->class));
    wl_json_str(e, "power_mode", d->power_mode);
    wl_json_num(e, "clock_hz", d->clock_hz);
    wl_json_num(e, "tdp_w", d->tdp_w);
    wl_json_num(e, "power_limit_w", d->power_limit_w);
    wl_json_num(e, "idle_w", d->idle_w);
    wl_json_str(e, "idle_basis", wl_basis_name(d->idle_basis));
    wl_json_object(e, "peak_ops_per_s");
    for (int p = 0; p < WL_PREC_COUNT; p++) {
        double peak = wl_device_peak(d, (enum wl_precision)p, NULL);
        if (peak > 0) {
            wl_json_num(e, wl_precision_name((enum wl_precision)p), peak);
        }
    }
    wl_json_close(e, '}');
    wl_json_num(e, "memory_bandwidth_bytes_per_s", wl_device_dram(d)->bandwidth_bps);
    wl_json_close(e, '}');
}

static void put_config(struct wl_emitter *e, const struct wl_result *r)
{
    const struct wl_config *c = &r->config;
    const struct wl_dim_pool *pool = &r->model->graph.dims;
    wl_json_object(e, "config");
    wl_json_int(e, "batch", c->batch);
    wl_json_str(e, "precision", wl_precision_name(c->precision.activations));
    wl_json_str(e, "weight_precision", wl_precision_name(c->precision.weights));
    wl_json_str(e, "kv_precision", wl_precision_name(c->precision.kv));
    wl_json_str(e, "runtime", c->runtime);
    wl_json_str(e, "fusion", c->fusion);
    wl_json_int(e, "threads", c->threads);
    wl_json_bool(e, "cold", c->cold);
    wl_json_object(e, "dims");
    for (int32_t i = 0; i < pool->symbol_count; i++) {
        if (wl_dim_is_known(pool->symbols[i].bound)) {
            wl_json_int(e, pool->symbols[i].name, pool->symbols[i].bound.value);
        }
    }
    wl_json_close(e, '}');
    wl_json_str(e, "calibration", c->calibration);
    wl_json_close(e, '}');
}

static void put_one_basis(struct wl_emitter *e, const char *key, enum wl_basis weakest,
                          const struct wl_calibration *measured, double error_band)
{
    bool assumed = weakest == WL_BASIS_ASSUMED;
    char text[256];
    wl_json_object(e, key);
    if (measured != NULL) {
        wl_json_str(e, "kind", "calibrated");
        wl_json_str(e, "source",
                    wl_text(text, sizeof(text), "%s on %s, %s", measured->framework,
                            measured->power_mode, measured->date));
    } else {
        wl_json_str(e, "kind", assumed ? "assumed" : "specification");
        wl_json_str(e, "source",
                    assumed ? "device specification; some of its figures are assumed"
                            : "device specification");
    }
    if (error_band > 0) {
        wl_json_num(e, "error_band", error_band);
    } else {
        wl_json_null(e, "error_band");
    }
    wl_json_close(e, '}');
}

static void put_totals(struct wl_emitter *e, const struct wl_result *r)
{
    const struct wl_totals *t = &r->totals;
    wl_json_object(e, "totals");
    wl_json_int(e, "macs", t->macs);
    wl_json_int(e, "flops", t->flops);
    wl_json_num(e, "latency_s", t->latency_s);
    wl_json_num(e, "throughput_per_s", t->throughput_per_s);
    wl_json_num(e, "energy_j", t->energy_j);
    wl_json_num(e, "energy_per_inference_j", t->energy_per_inference_j);
    wl_json_num(e, "average_power_w", t->average_power_w);
    wl_json_num(e, "unthrottled_power_w", t->unthrottled_power_w);
    wl_json_num(e, "peak_power_w", t->peak_power_w);
    wl_json_num(e, "dram_bytes", t->dram_bytes);
    wl_json_num(e, "weight_bytes", t->weight_bytes);
    wl_json_num(e, "activation_bytes", t->activation_bytes);
    wl_json_num(e, "peak_memory_bytes", t->peak_memory_bytes);
    wl_json_num(e, "utilization", t->utilization);
    wl_json_num(e, "efficiency", t->efficiency);
    wl_json_num(e, "intensity_flops_per_byte", t->intensity_flops_per_byte);
    wl_json_str(e, "bottleneck", wl_bound_name(&r->device, t->bound));
    wl_json_int(e, "subgraphs", t->subgraphs);
    wl_json_close(e, '}');
}

static void put_parts(struct wl_emitter *e, const struct wl_energy_parts *p)
{
    wl_json_num(e, "compute_j", p->category_j[WL_CAT_COMPUTE]);
    wl_json_num(e, "memory_j", p->category_j[WL_CAT_MEMORY]);
    wl_json_num(e, "control_j", p->category_j[WL_CAT_CONTROL]);
    wl_json_num(e, "static_j", p->static_j);
}

/* What the model's ledger sums up; unit energies stand there. */
static void put_subgraph_events(struct wl_emitter *e, const struct wl_result *r, int32_t i)
{
    const struct wl_mapping *m = &r->mappings.items[i];
    wl_json_array(e, "events");
    for (int32_t k = 0; k < m->event_count; k++) {
        const struct wl_event_count *c = &m->events[k];
        enum wl_event event = (enum wl_event)c->event;
        char name[64];
        wl_json_object(e, NULL);
        wl_json_str(e, "name",
                    wl_energy_event_name(&r->device, event, c->precision, name, sizeof(name)));
        wl_json_num(e, "count", c->count);
        wl_json_num(e, "energy_j",
                    c->count * wl_energy_unit_pj(&r->device, event, c->precision) * 1e-12);
        wl_json_close(e, '}');
    }
    wl_json_close(e, ']');
}

static void put_energy(struct wl_emitter *e, const struct wl_result *r)
{
    wl_json_object(e, "energy");
    put_parts(e, &r->energy.total);
    wl_json_num(e, "wasted_j", r->energy.wasted_j);
    wl_json_array(e, "events");
    for (int32_t i = 0; i < r->energy.row_count; i++) {
        const struct wl_ledger_row *row = &r->energy.rows[i];
        const struct wl_event_info *info = wl_event_info(row->event);
        wl_json_object(e, NULL);
        wl_json_str(e, "name", row->name);
        wl_json_str(e, "group", info->group);
        wl_json_str(e, "category", wl_category_name(info->category));
        wl_json_num(e, "count", row->count);
        wl_json_num(e, "unit_pj", row->unit_pj);
        wl_json_num(e, "energy_j", row->energy_j);
        wl_json_str(e, "source", row->source);
        wl_json_close(e, '}');
    }
    wl_json_close(e, ']');
    wl_json_close(e, '}');
}

void wl_json_names(struct wl_emitter *e, const char *key, const struct wl_graph *g,
                   const int32_t *nodes, int32_t count)
{
    wl_json_array(e, key);
    for (int32_t i = 0; i < count; i++) {
        wl_json_strn(e, NULL, g->nodes[nodes[i]].name);
    }
    wl_json_close(e, ']');
}

static void put_ops(struct wl_emitter *e, const struct wl_graph *g, const struct wl_subgraph *s)
{
    wl_json_array(e, "ops");
    for (int32_t i = 0; i < s->node_count; i++) {
        wl_json_strn(e, NULL, g->nodes[s->nodes[i]].op_type);
    }
    wl_json_close(e, ']');
}

static void put_subgraph_work(struct wl_emitter *e, const struct wl_result *r,
                              const struct wl_subgraph *s)
{
    double in = wl_report_bytes(r, s->inputs, s->input_count, s->repeat);
    double out = wl_report_bytes(r, s->outputs, s->output_count, s->repeat);
    double weights = wl_report_bytes(r, s->weights, s->weight_count, s->repeat);
    double external = in + out + weights;
    wl_json_int(e, "macs", s->macs);
    wl_json_int(e, "flops", s->flops);
    wl_json_num(e, "executed_ops", r->mappings.items[s->id].executed_ops);
    wl_json_num(e, "input_bytes", in);
    wl_json_num(e, "output_bytes", out);
    wl_json_num(e, "weight_bytes", weights);
    wl_json_num(e, "internal_bytes", wl_report_bytes(r, s->internal, s->internal_count, s->repeat));
    wl_json_num(e, "intensity_flops_per_byte", external > 0 ? (double)s->flops / external : 0);
}

static void put_subgraph_mapping(struct wl_emitter *e, const struct wl_result *r, int32_t i)
{
    const struct wl_mapping *m = &r->mappings.items[i];
    const struct wl_timing *t = &r->roofline.timings[i];
    wl_json_num(e, "units_used", m->units_used);
    wl_json_str(e, "precision", wl_precision_name(m->precision));
    wl_json_str(e, "unit", m->pipe == WL_NONE ? NULL : r->device.pipes[m->pipe].name);
    wl_json_num(e, "utilization", r->roofline.utilization[i]);
    wl_json_num(e, "latency_s", t->latency_s);
    wl_json_num(e, "compute_s", t->compute_s);
    wl_json_num(e, "memory_s", t->memory_s);
    wl_json_num(e, "overhead_s", t->overhead_s);
    wl_json_str(e, "bottleneck", wl_bound_name(&r->device, t->bound));
    wl_json_object(e, "bytes_by_level");
    for (int32_t l = 0; l < r->device.level_count; l++) {
        wl_json_num(e, r->device.levels[l].name,
                    m->traffic[l].read_bytes + m->traffic[l].write_bytes);
    }
    wl_json_close(e, '}');
}

static void put_subgraph(struct wl_emitter *e, const struct wl_result *r, int32_t i)
{
    char note[160];
    const struct wl_subgraph *s = &r->partition->subgraphs[i];
    const struct wl_graph *g = &r->model->graph;
    wl_json_object(e, NULL);
    wl_json_int(e, "id", s->id);
    wl_json_str(e, "name", s->name);
    wl_json_str(e, "pattern", s->pattern);
    wl_json_names(e, "nodes", g, s->nodes, s->node_count);
    put_ops(e, g, s);
    wl_json_array(e, "depends_on");
    for (int32_t k = 0; k < s->depends_count; k++) {
        wl_json_int(e, NULL, s->depends_on[k]);
    }
    wl_json_close(e, ']');
    wl_json_int(e, "level", s->level);
    wl_json_object(e, "parallelism");
    wl_json_int(e, "batch", s->parallelism.batch);
    wl_json_int(e, "channels", s->parallelism.channels);
    wl_json_int(e, "spatial", s->parallelism.spatial);
    wl_json_int(e, "reduction", s->parallelism.reduction);
    wl_json_close(e, '}');
    put_subgraph_work(e, r, s);
    put_subgraph_mapping(e, r, i);
    wl_json_object(e, "energy");
    put_parts(e, &r->energy.parts[i]);
    wl_json_num(e, "total_j", wl_energy_total_j(&r->energy.parts[i]));
    put_subgraph_events(e, r, i);
    wl_json_close(e, '}');
    wl_json_num(e, "slack_s", r->concurrency.slack_s[i]);
    wl_json_str(e, "note", wl_report_note(r, i, note, sizeof(note)));
    wl_json_str(e, "calibrated_as", r->mappings.items[i].measured_as);
    wl_json_str(e, "ended_because", s->ended_because);
    wl_json_close(e, '}');
}

static void put_roofline(struct wl_emitter *e, const struct wl_result *r)
{
    wl_json_object(e, "roofline");
    wl_json_array(e, "peaks");
    for (int32_t i = 0; i < r->roofline.ceiling_count; i++) {
        const struct wl_ceiling *c = &r->roofline.ceilings[i];
        wl_json_object(e, NULL);
        wl_json_str(e, "precision", wl_precision_name(c->precision));
        wl_json_str(e, "unit", c->unit);
        wl_json_num(e, "ops_per_s", c->ops_per_s);
        wl_json_close(e, '}');
    }
    wl_json_close(e, ']');
    wl_json_array(e, "levels");
    for (int32_t i = 0; i < r->device.level_count; i++) {
        wl_json_object(e, NULL);
        wl_json_str(e, "name", r->device.levels[i].name);
        wl_json_num(e, "bytes_per_s", r->device.levels[i].bandwidth_bps);
        wl_json_close(e, '}');
    }
    wl_json_close(e, ']');
    wl_json_array(e, "points");
    for (int32_t i = 0; i < r->roofline.count; i++) {
        const struct wl_roof_point *p = &r->roofline.points[i];
        wl_json_object(e, NULL);
        wl_json_int(e, "subgraph", i);
        wl_json_num(e, "intensity", p->intensity);
        wl_json_num(e, "achieved_ops_per_s", p->achieved_ops_per_s);
        wl_json_num(e, "attainable_ops_per_s", p->attainable_ops_per_s);
        wl_json_close(e, '}');
    }
    wl_json_close(e, ']');
    wl_json_close(e, '}');
}

static void put_memory(struct wl_emitter *e, const struct wl_result *r)
{
    const struct wl_memory *m = &r->memory;
    wl_json_object(e, "memory");
    wl_json_num(e, "weight_bytes", m->weight_bytes);
    wl_json_num(e, "kv_bytes", m->kv_bytes);
    wl_json_num(e, "workspace_bytes", m->workspace_bytes);
    wl_json_num(e, "peak_bytes", m->peak_bytes);
    wl_json_int(e, "peak_at", m->peak_at);
    wl_json_num(e, "planned_bytes", m->planned_bytes);
    wl_json_num(e, "lower_bound_bytes", m->lower_bound_bytes);
    wl_json_num(e, "unfused_bytes", m->unfused_bytes);
    wl_json_array(e, "timeline");
    for (int32_t i = 0; i < m->step_count; i++) {
        wl_json_object(e, NULL);
        wl_json_int(e, "subgraph", m->timeline[i].subgraph);
        wl_json_num(e, "live_bytes", m->timeline[i].live_bytes);
        wl_json_close(e, '}');
    }
    wl_json_close(e, ']');
    wl_json_object(e, "fits");
    for (int32_t i = 0; i < r->device.level_count; i++) {
        wl_json_bool(e, r->device.levels[i].name, m->fits[i]);
    }
    wl_json_close(e, '}');
    wl_json_close(e, '}');
}

static void put_concurrency(struct wl_emitter *e, const struct wl_result *r)
{
    const struct wl_concurrency *c = &r->concurrency;
    wl_json_object(e, "concurrency");
    wl_json_int(e, "levels", c->levels);
    wl_json_int(e, "max_width", c->max_width);
    wl_json_num(e, "critical_path_s", c->critical_path_s);
    wl_json_array(e, "critical_path");
    for (int32_t i = 0; i < c->critical_count; i++) {
        wl_json_int(e, NULL, c->critical_path[i]);
    }
    wl_json_close(e, ']');
    wl_json_num(e, "speedup_bound", c->speedup_bound);
    wl_json_close(e, '}');
}

static void put_coverage(struct wl_emitter *e, const struct wl_coverage *c)
{
    wl_json_object(e, "coverage");
    for (int s = 0; s < WL_NODE_STATUS_COUNT; s++) {
        wl_json_int(e, wl_node_status_name((enum wl_node_status)s), c->by_status[s]);
    }
    wl_json_array(e, "operators");
    for (int32_t i = 0; i < c->row_count; i++) {
        wl_json_object(e, NULL);
        wl_json_str(e, "op", c->rows[i].op);
        wl_json_str(e, "domain", c->rows[i].domain);
        wl_json_int(e, "count", c->rows[i].count);
        wl_json_str(e, "status", wl_node_status_name(c->rows[i].status));
        wl_json_num(e, "macs_share", c->rows[i].macs_share);
        wl_json_close(e, '}');
    }
    wl_json_close(e, ']');
    wl_json_close(e, '}');
}

void wl_report_analysis_json(const struct wl_result *r, const char *model_name,
                             const struct wl_advice *advice, struct wl_buf *out)
{
    struct wl_emitter e;
    wl_json_begin(&e, out);
    wl_json_int(&e, "schema_version", 1);
    wl_json_object(&e, "tool");
    wl_json_str(&e, "name", "wattline");
    wl_json_str(&e, "version", WATTLINE_VERSION);
    wl_json_close(&e, '}');
    wl_json_model(&e, r->model, model_name);
    put_hardware(&e, r);
    put_config(&e, r);
    wl_json_object(&e, "basis");
    put_one_basis(&e, "latency", r->latency_basis, r->measured, r->error_band);
    put_one_basis(&e, "energy", r->energy_basis, NULL, 0);
    wl_json_close(&e, '}');
    put_totals(&e, r);
    put_energy(&e, r);
    wl_json_array(&e, "subgraphs");
    for (int32_t i = 0; i < r->partition->count; i++) {
        put_subgraph(&e, r, i);
    }
    wl_json_close(&e, ']');
    put_roofline(&e, r);
    put_memory(&e, r);
    put_concurrency(&e, r);
    put_coverage(&e, &r->coverage);
    if (advice != NULL) {
        wl_json_advice(&e, advice);
    }
    wl_json_diagnostics(&e, &r->diags);
    wl_json_end(&e);
}
