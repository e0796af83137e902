/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory_priv.h: buffers between the files of memory/. A buffer is one or more tensors that follow
 * each other in the same bytes (in-place).
 */
#ifndef WL_MEMORY_PRIV_H
#define WL_MEMORY_PRIV_H

#include "memory.h"

struct buffer {
    int64_t size_bytes; /* aligned */
    int64_t live_bytes; /* exact */
    int64_t offset_bytes;
    int32_t first, last; /* steps (subgraphs), inclusive */
};

/* Lifetime of an activation tensor. */
struct lifetime {
    int32_t tensor;
    int32_t first, last;
    int32_t buffer;
    int32_t in_place_of; /* tensor or WL_NONE */
    bool taken;          /* a result took its bytes over */
    int64_t size_bytes;  /* exact */
};

struct lifetimes {
    struct lifetime *items;
    int32_t count;
    int32_t *of_tensor; /* index into items, or WL_NONE */
    struct buffer *buffers;
    int32_t buffer_count;
};

/* Alignment of every buffer: a cache line, as allocators of inference runtimes give. */
#define WL_MEMORY_ALIGN 64

/* lifetimes.c */
/* Elements of a tensor, data-dependent sizes at their upper bound; false when unknown. */
bool wl_memory_elems(const struct wl_graph *g, int32_t tensor, int64_t *out);
wl_status wl_memory_lifetimes(const struct wl_mappings *m, struct wl_arena *arena,
                              struct lifetimes *out, struct wl_error *err) WL_MUST_CHECK;
/* Most activation bytes live at once when every node stores its results and nothing is in place. */
wl_status wl_memory_unfused(const struct wl_mappings *m, struct wl_arena *scratch, double *bytes,
                            struct wl_error *err) WL_MUST_CHECK;

/* offsets.c: gives every buffer an offset; `extent` is the end of the highest. */
wl_status wl_memory_offsets(struct buffer *buffers, int32_t count, int32_t steps,
                            int64_t lower_bound, struct wl_arena *scratch, int64_t *extent,
                            struct wl_error *err) WL_MUST_CHECK;

#endif
