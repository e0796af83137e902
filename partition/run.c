/* SPDX-License-Identifier: Apache-2.0 */
/* partition/run.c: the passes of a partition, in order. */
#include "partition_priv.h"

static wl_status fail_profile(const char *name, struct wl_error *err)
{
    int32_t count;
    const char *const *names = wl_partition_profiles(&count);
    struct wl_buf list;
    wl_buf_init(&list);
    for (int32_t i = 0; i < count; i++) {
        wl_buf_puts(&list, i > 0 ? ", " : "");
        wl_buf_puts(&list, names[i]);
    }
    wl_status status = wl_fail(err, WL_ERR_USAGE, "--fusion",
                               "no fusion profile \"%.64s\"; one of %s would be right", name,
                               list.data == NULL ? "the known ones" : list.data);
    wl_buf_done(&list);
    return status;
}

/* Quantised data between a quantiser and its readers. */
static void flag_quantized(struct run *r)
{
    for (int32_t n = 0; n < r->g->node_count; n++) {
        const struct wl_node *node = &r->g->nodes[n];
        if (r->prim[n] == PRIM_QUANTIZE && r->exec[n] == EXEC_RUN && node->output_count > 0 &&
            node->outputs[0] != WL_NONE) {
            r->g->tensors[node->outputs[0]].flags |= WL_TENSOR_QUANTIZED;
        }
    }
}

static wl_status run_passes(struct run *r, struct wl_partition *out)
{
    WL_TRY(wl_partition_classify(r));
    wl_partition_parts(r);
    WL_TRY(wl_partition_readers(r));
    WL_TRY(wl_partition_idioms(r));
    WL_TRY(wl_partition_readers(r)); /* idioms are one reader now */
    WL_TRY(wl_partition_attention(r));
    WL_TRY(wl_partition_operands(r));
    WL_TRY(wl_partition_fuse(r));
    WL_TRY(wl_partition_order(r, out));
    WL_TRY(wl_partition_describe(r, out));
    flag_quantized(r);
    return WL_OK;
}

wl_status wl_partition_run(struct wl_graph *g, const struct wl_partition_options *opt,
                           struct wl_arena *arena, struct wl_partition *out, struct wl_error *err)
{
    const struct profile *profile = wl_partition_profile(opt->fusion);
    if (profile == NULL) {
        return fail_profile(opt->fusion, err);
    }
    if (g->work == NULL || g->schedule == NULL) {
        return wl_fail(err, WL_ERR_BUG, "partition", "the graph is not indexed and counted");
    }
    struct wl_arena scratch;
    wl_arena_init(&scratch, 0);
    struct run r = {.g = g,
                    .options = opt,
                    .arena = arena,
                    .scratch = &scratch,
                    .err = err,
                    .features = profile->features};
    struct wl_partition result = {.fusion = profile->name, .graph = g};
    wl_status status = run_passes(&r, &result);
    wl_arena_done(&scratch);
    if (status == WL_OK) {
        *out = result;
    }
    return status;
}
