/* SPDX-License-Identifier: Apache-2.0 */
/* kernels_priv: shared by the files of this folder. */
#ifndef WL_KERNELS_PRIV_H
#define WL_KERNELS_PRIV_H

#include "kernels.h"

/* Which layout each tensor's values exist in, while subgraphs are walked in execution order. */
struct layout {
    const struct wl_partition *partition;
    const struct wl_precision_policy *policy;
    int32_t block, blocks_per_pass; /* as in struct wl_runtime */
    const char *blocked_kernels, *own_kernels;
    bool entry_copy;
    bool *blocked;     /* by tensor: its producer wrote blocks of channels, or them last */
    bool *plain;       /* by tensor: rows of pixels exist too */
    bool *input;       /* by tensor: such a copy of a plain tensor exists */
    int32_t *producer; /* by tensor: subgraph that wrote it, or WL_NONE */
};

/* Decides whether subgraph `i` works on blocks of channels, and charges the reorders it causes. */
void wl_kernels_place(struct layout *l, struct wl_kernel *items, int32_t i);

/* Whether subgraph `i` reads rows of pixels, rather than the copy in blocks that a reorder made. */
bool wl_kernels_reads_plain(const struct layout *l, const struct wl_kernel *own,
                            const struct wl_subgraph *s);

/* Sizes of a subgraph's kernel (sizes.c) without how far its bytes are. */
struct wl_kernel_sizes wl_kernels_sizes(const struct layout *l, const struct wl_subgraph *s,
                                        bool blocked);
/* Fills the cold bytes of every kernel, and how far those are (footprint.c). */
wl_status wl_kernels_footprint(const struct layout *l, struct wl_kernels *kernels,
                               struct wl_arena *arena, struct wl_error *err);
/* What the caller feeds: nobody wrote it a moment ago. */
double wl_kernels_fed_bytes(const struct wl_graph *g, const struct wl_precision_policy *policy,
                            const struct wl_subgraph *s);
/* The product that is most of the work, or NULL. */
const struct wl_product *wl_kernels_product(const struct wl_subgraph *s);
double wl_kernels_bytes(const struct wl_graph *g, const struct wl_precision_policy *policy,
                        const struct wl_operand *operands, int32_t count);

/* Known value of a dim, else `otherwise`. */
static inline double wl_kernels_dim(struct wl_dim d, double otherwise)
{
    return wl_dim_is_known(d) ? (double)d.value : otherwise;
}

#endif
