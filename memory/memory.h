/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory: what has to be where, when. Liveness over the schedule, in-place reuse where legal,
 * offsets by best fit, the timeline and its peak, and what fits into which level of the device.
 */
#ifndef WL_MEMORY_H
#define WL_MEMORY_H

#include "mappers.h"

struct wl_memory_step {
    int32_t subgraph;
    double live_bytes; /* weights + activations + KV cache + workspace while it runs */
};

/* A planned activation buffer. */
struct wl_memory_slot {
    int32_t tensor;
    int32_t first, last; /* subgraphs between which it lives, inclusive */
    int64_t offset_bytes;
    int64_t size_bytes;
    int32_t in_place_of; /* tensor whose bytes it takes over, or WL_NONE */
};

struct wl_memory {
    double weight_bytes;
    double kv_bytes;
    double activation_bytes;  /* live activations at the peak */
    double workspace_bytes;   /* at the peak */
    double peak_bytes;        /* weights + live activations + workspace at the worst moment */
    int32_t peak_at;          /* subgraph */
    double planned_bytes;     /* extent of the activation plan */
    double lower_bound_bytes; /* most activations live at once */
    double unfused_bytes;     /* what the activations would take without fusion and in-place */
    struct wl_memory_step *timeline;
    int32_t step_count;
    struct wl_memory_slot *slots;
    int32_t slot_count;
    bool fits[WL_LEVELS_MAX]; /* the peak fits into that level of the device */
};

wl_status wl_memory_plan(const struct wl_mappings *m, struct wl_arena *arena, struct wl_memory *out,
                         struct wl_error *err) WL_MUST_CHECK;

#endif
