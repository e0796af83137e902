/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mappers/mapper_table.c: runs the mapper of the device's class over all subgraphs. The list below
 * is the only place that names the classes.
 */
#include <string.h>

#include "mappers_priv.h"

static const struct wl_mapper *const mappers[] = {&wl_mapper_cpu, &wl_mapper_gpu, &wl_mapper_tpu,
                                                  &wl_mapper_kpu};

const struct wl_mapper *wl_mapper_find(enum wl_hw_class class)
{
    for (size_t i = 0; i < WL_ARRAY_LEN(mappers); i++) {
        if (mappers[i]->class == class) {
            return mappers[i];
        }
    }
    return NULL;
}

static double share_or(const double *by_class, enum wl_hw_class class, double otherwise)
{
    double share = by_class[class];
    return share > 0 && share <= 1 ? share : otherwise;
}

static double runtime_share(const double *by_class, enum wl_hw_class class)
{
    return share_or(by_class, class, 1);
}

/*
 * A fully connected layer of one row per sample. Whether it runs as dot products, at a share of its
 * own, depends on that alone, not on the batch: so a larger batch is never faster.
 */
static bool is_row_layer(const struct wl_map_ctx *c, const struct wl_subgraph *s)
{
    const struct wl_product *p = s->products;
    if (s->product_count != 1 || p->window != NULL || s->weight_count == 0 ||
        c->graph->batch_input == WL_NONE) {
        return false;
    }
    const struct wl_tensor *batched = &c->graph->tensors[c->graph->batch_input];
    int64_t batch = batched->rank > 0 ? batched->dims[0].value : 1;
    return p->g * p->m <= batch;
}

double wl_map_memory_share(const struct wl_map_ctx *c, const struct wl_subgraph *s)
{
    const struct wl_runtime *rt = c->options->runtime;
    enum wl_hw_class class = c->device->class;
    if (rt == NULL) {
        return 1;
    }
    double share = runtime_share(rt->memory_efficiency, class);
    return is_row_layer(c, s) ? share_or(rt->row_efficiency, class, share) : share;
}

void wl_map_with(const struct wl_map_ctx *c, const struct wl_subgraph *s, struct wl_mapping *m,
                 struct wl_event_sink *sink)
{
    const struct wl_device *d = c->device;
    const struct wl_runtime *rt = c->options->runtime;
    /* The steps of a recurrence read the same weights again and again. */
    bool once = s->product_count > 0 && s->steps <= 1;
    double cache_share = rt != NULL && once ? runtime_share(rt->cache_efficiency, d->class) : 1;
    c->mapper->map(c, s, m, sink);
    m->level_share[d->level_count - 1] *= wl_map_memory_share(c, s);
    for (int32_t l = 0; l < d->level_count - 1; l++) {
        m->level_share[l] *= d->levels[l].scope == WL_SCOPE_DEVICE ? cache_share : 1;
    }
}

/* Once per inference: the call, and results that go back to the caller. */
static double call_seconds(const struct wl_map_ctx *c)
{
    const struct wl_runtime *rt = c->options->runtime;
    enum wl_hw_class class = c->device->class;
    if (rt == NULL) {
        return 0;
    }
    double per_s = rt->result_bps[class];
    double results_s = per_s > 0 ? wl_result_bytes(c->partition, &c->options->policy) / per_s : 0;
    return rt->call_s[class] + results_s;
}

static void map_one(struct wl_map_ctx *c, const struct wl_subgraph *s, struct wl_mapping *m,
                    struct wl_event_sink *sink)
{
    const struct wl_residency *r = c->residency;
    m->precision = wl_map_precision(c, s);
    m->pipe = WL_NONE;
    m->eff_padding = m->eff_balance = m->eff_pipeline = 1;
    for (int32_t l = 0; l < r->level_count; l++) {
        m->level_share[l] = 1;
        m->traffic[l] = r->traffic[(int64_t)s->id * r->level_count + l];
    }
    for (int32_t l = 0; l < r->level_count; l++) {
        double all = m->traffic[0].read_bytes + m->traffic[0].write_bytes;
        double here = m->traffic[l].read_bytes + m->traffic[l].write_bytes;
        m->crossing[l] = all > 0 ? here / all : 0;
    }
    wl_sink_clear(sink);
    if (s->repeat < 1) {
        return;
    }
    wl_map_choose(c, s, m, sink);
    if (c->device->class == WL_HW_CPU && c->options->runtime != NULL) {
        /* Forks and joins of the runtime's threads; it does not choose by what they cost. */
        m->serial_s += m->barriers * c->options->runtime->worker_s[WL_HW_CPU] * (c->units - 1);
        cpu_around(c, s, m, sink);
    }
    wl_map_finish_pipes(m);
    wl_sink_levels(sink, c->device, m->traffic);
    wl_sink_add(sink, WL_EV_LAUNCH, WL_PREC_COUNT, m->dispatches);
}

wl_status wl_mappers_run(const struct wl_partition *p, const struct wl_device *d,
                         const struct wl_map_options *opt, struct wl_arena *arena,
                         struct wl_mappings *out, struct wl_error *err)
{
    const struct wl_mapper *mapper = wl_mapper_find(d->class);
    if (mapper == NULL) {
        return wl_fail(err, WL_ERR_UNSUPPORTED, d->id, "devices of class %s cannot be mapped",
                       wl_hw_class_name(d->class));
    }
    struct wl_residency residency = {0};
    WL_TRY(wl_residency_run(p, d, opt, arena, &residency, err));
    struct wl_map_ctx c = {.partition = p,
                           .graph = p->graph,
                           .device = d,
                           .mapper = mapper,
                           .options = opt,
                           .residency = &residency,
                           .gemm_efficiency = 1,
                           .vector_efficiency = 1,
                           .convolution_efficiency = 1,
                           .integer_efficiency = 1,
                           .depthwise_efficiency = 1};
    if (opt->runtime != NULL) {
        c.gemm_efficiency = runtime_share(opt->runtime->gemm_efficiency, d->class);
        c.vector_efficiency = runtime_share(opt->runtime->vector_efficiency, d->class);
        const struct wl_runtime *rt = opt->runtime;
        c.convolution_efficiency =
            share_or(rt->convolution_efficiency, d->class, c.gemm_efficiency);
        c.integer_efficiency = share_or(rt->integer_efficiency, d->class, c.gemm_efficiency);
        c.depthwise_efficiency = share_or(rt->depthwise_efficiency, d->class, c.vector_efficiency);
        c.matrix_efficiency = share_or(rt->matrix_efficiency, d->class, 0);
        c.unit_loss = rt->unit_loss[d->class];
    }
    wl_map_pipes(&c);
    for (int32_t i = 0; i < p->count; i++) {
        c.weight_bytes +=
            wl_map_list_bytes(&c, p->subgraphs[i].weights, p->subgraphs[i].weight_count);
        double live = wl_map_list_bytes(&c, p->subgraphs[i].inputs, p->subgraphs[i].input_count) +
                      wl_map_list_bytes(&c, p->subgraphs[i].outputs, p->subgraphs[i].output_count);
        c.live_bytes = wl_max_d(c.live_bytes, live);
    }
    c.cache = WL_NEW(arena, struct wl_plan_cache);
    WL_TRY_PTR(c.cache, err);
    struct wl_mapping *items = WL_ARRAY(arena, struct wl_mapping, p->count);
    WL_TRY_PTR(items, err);
    struct wl_event_sink sink = {.closed = opt->no_events};
    for (int32_t i = 0; i < p->count; i++) {
        map_one(&c, &p->subgraphs[i], &items[i], &sink);
        items[i].serial_s += i == 0 ? call_seconds(&c) : 0;
        items[i].events = WL_ARRAY(arena, struct wl_event_count, sink.count);
        WL_TRY_PTR(items[i].events, err);
        memcpy(items[i].events, sink.items, (size_t)sink.count * sizeof(sink.items[0]));
        items[i].event_count = sink.count;
    }
    *out = (struct wl_mappings){
        .device = d, .partition = p, .options = *opt, .items = items, .count = p->count};
    return WL_OK;
}
