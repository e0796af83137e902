/* SPDX-License-Identifier: Apache-2.0 */
/*
 * map_fixture.h: hand-made devices and one-subgraph partitions for tests of mappers, roofline and
 * energy. Devices have round figures: 1 GHz, 1 byte per cycle and level where nothing else is said,
 * 1 pJ per event and per byte of a level.
 */
#ifndef WL_MAP_FIXTURE_H
#define WL_MAP_FIXTURE_H

#include "roofline.h"
#include "wl_test.h"

#define GHZ 1e9
#define FIXTURE_TENSORS 16

struct fixture {
    struct wl_arena arena;
    struct wl_graph graph;
    struct wl_tensor tensors[FIXTURE_TENSORS];
    struct wl_subgraph subgraphs[8];
    struct wl_operand inputs[8][2], weights[8][1], outputs[8][1];
    struct wl_product products[8];
    struct wl_partition partition;
    struct wl_device device;
    struct wl_runtime runtime;
    struct wl_map_options options;
    struct wl_mappings mappings;
    struct wl_energy energy;
    struct wl_roofline roofline;
};

static inline void fixture_level(struct wl_device *d, const char *name, enum wl_level_scope scope,
                                 int64_t capacity)
{
    struct wl_level *l = &d->levels[d->level_count++];
    *l = (struct wl_level){.name = name,
                           .scope = scope,
                           .instances = scope == WL_SCOPE_UNIT ? d->groups[0].count : 1,
                           .capacity_bytes = capacity,
                           .bandwidth_bps = GHZ,
                           .efficiency = 1,
                           .read_pj_per_byte = 1,
                           .write_pj_per_byte = 1};
}

static inline struct wl_pipe *fixture_pipe(struct wl_device *d, const char *name,
                                           enum wl_pipe_kind kind, double fp32_ops_per_cycle)
{
    struct wl_pipe *p = &d->pipes[d->pipe_count++];
    *p = (struct wl_pipe){.name = name, .kind = kind, .clock_hz = GHZ, .arrays = 1};
    p->ops_per_cycle[WL_PREC_FP32] = fp32_ops_per_cycle;
    return p;
}

static inline void fixture_device(struct fixture *f, enum wl_hw_class class, int32_t units)
{
    struct wl_device *d = &f->device;
    *d = (struct wl_device){.id = "unit",
                            .name = "unit",
                            .vendor = "test",
                            .class = class,
                            .power_mode = "default",
                            .clock_hz = GHZ,
                            .tdp_w = 1000,
                            .power_limit_w = 1000,
                            .idle_w = 1,
                            .gated_idle_w = 1};
    d->group_count = 1;
    d->groups[0] = (struct wl_unit_group){.name = "unit", .count = units, .clock_hz = GHZ};
    for (int e = 0; e < WL_EVENT_COUNT; e++) {
        for (int p = 0; p < WL_PREC_COUNT; p++) {
            d->event_pj[e][p] = 1;
        }
        d->event_source[e] = "test";
    }
    f->runtime = (struct wl_runtime){.name = "test",
                                     .fusion = "basic",
                                     .dispatch_s = {0, 0, 0, 0},
                                     .gemm_efficiency = {1, 1, 1, 1},
                                     .vector_efficiency = {1, 1, 1, 1}};
    f->options = (struct wl_map_options){.policy = {WL_PREC_FP32, WL_PREC_FP32, WL_PREC_FP32},
                                         .runtime = &f->runtime};
}

static inline void fixture_init(struct fixture *f)
{
    memset(f, 0, sizeof(*f));
    wl_arena_init(&f->arena, 0);
    for (int i = 0; i < FIXTURE_TENSORS; i++) {
        f->tensors[i] = (struct wl_tensor){
            .dtype = WL_DT_FLOAT, .kind = WL_TENSOR_ACTIVATION, .producer = WL_NONE};
    }
    f->graph.tensors = f->tensors;
    f->graph.tensor_count = FIXTURE_TENSORS;
    f->partition = (struct wl_partition){
        .fusion = "basic", .graph = &f->graph, .subgraphs = f->subgraphs, .level_count = 1};
}

/* Tensor 0 is the graph's input. */
static inline void fixture_input(struct fixture *f, int32_t tensor)
{
    f->tensors[tensor].kind = WL_TENSOR_INPUT;
}

static inline void fixture_output(struct fixture *f, int32_t tensor)
{
    f->tensors[tensor].flags |= WL_TENSOR_IS_OUTPUT;
}

/*
 * Appends a subgraph that multiplies `in` (m x k as it lies in memory: in_elems) by weight tensor
 * `weight` (weight_elems) into `out`.
 */
static inline struct wl_subgraph *fixture_product(struct fixture *f, int32_t in, int64_t in_elems,
                                                  int32_t weight, int64_t weight_elems, int32_t out,
                                                  struct wl_product product)
{
    int32_t id = f->partition.count++;
    struct wl_subgraph *s = &f->subgraphs[id];
    product.left = in;
    product.right = weight;
    f->products[id] = product;
    f->tensors[weight].kind = WL_TENSOR_INITIALIZER;
    f->tensors[weight].stored_elems = weight_elems;
    f->inputs[id][0] = (struct wl_operand){in, in_elems};
    f->weights[id][0] = (struct wl_operand){weight, weight_elems};
    f->outputs[id][0] = (struct wl_operand){out, product.g * product.m * product.n};
    *s = (struct wl_subgraph){.id = id,
                              .name = "s",
                              .pattern = "gemm",
                              .kind = WL_OPK_GEMM,
                              .repeat = 1,
                              .steps = 1,
                              .products = &f->products[id],
                              .product_count = 1,
                              .inputs = f->inputs[id],
                              .input_count = 1,
                              .weights = f->weights[id],
                              .weight_count = 1,
                              .outputs = f->outputs[id],
                              .output_count = 1};
    s->macs = product.g * product.m * product.n * product.k;
    s->flops = 2 * s->macs;
    return s;
}

/* Appends an element-wise subgraph: one addition per element. */
static inline struct wl_subgraph *fixture_map(struct fixture *f, int32_t in, int32_t out,
                                              int64_t elems)
{
    int32_t id = f->partition.count++;
    struct wl_subgraph *s = &f->subgraphs[id];
    f->inputs[id][0] = (struct wl_operand){in, elems};
    f->outputs[id][0] = (struct wl_operand){out, elems};
    *s = (struct wl_subgraph){.id = id,
                              .name = "s",
                              .pattern = "elementwise",
                              .kind = WL_OPK_MAP,
                              .repeat = 1,
                              .steps = 1,
                              .inputs = f->inputs[id],
                              .input_count = 1,
                              .outputs = f->outputs[id],
                              .output_count = 1};
    s->ops[WL_WORK_ADDMUL] = elems;
    s->flops = elems;
    return s;
}

static inline void fixture_run(struct fixture *f)
{
    struct wl_error err;
    assert_int_equal(
        wl_mappers_run(&f->partition, &f->device, &f->options, &f->arena, &f->mappings, &err),
        WL_OK);
    assert_int_equal(wl_energy_dynamic(&f->mappings, &f->arena, &f->energy, &err), WL_OK);
    assert_int_equal(wl_roofline_place(&f->mappings, &f->energy, &f->arena, &f->roofline, &err),
                     WL_OK);
    wl_energy_static(&f->mappings, f->roofline.timings, false, &f->energy);
}

static inline void fixture_done(struct fixture *f)
{
    wl_arena_done(&f->arena);
}

/* Relative 1e-12, or absolute where the expectation is 0. */
static inline void expect_near(double got, double want, const char *what)
{
    double scale = want < 0 ? -want : want;
    double off = got > want ? got - want : want - got;
    if (off > 1e-12 * (scale > 1e-300 ? scale : 1)) {
        fail_msg("%s is %.15g, not %.15g", what, got, want);
    }
}

#endif
