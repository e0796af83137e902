/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops/text.c: strings. Their lengths are not known to the analysis, so work is a stated
 * approximation: TEXT_OPS integer operations per element, as for a string of some 16 characters.
 * Counts of words or tokens depend on data and become symbols.
 */
#include "move_priv.h"

#define TEXT_OPS 32

void wl_cost_text(struct wl_op_ctx *c, struct wl_work *w)
{
    w->access = WL_ACCESS_STREAM;
    wl_work_add_k(c, w, WL_WORK_INTEGER, TEXT_OPS, wl_op_in_elems(c, 0));
}

wl_status wl_infer_string_concat(struct wl_op_ctx *c)
{
    wl_op_set_dtype(c, 0, WL_DT_STRING);
    return wl_op_set_broadcast(c, 0, 0, 2);
}

wl_status wl_infer_regex_full_match(struct wl_op_ctx *c)
{
    wl_op_set_dtype(c, 0, WL_DT_BOOL);
    wl_op_set_shape_of(c, 0, 0);
    return WL_OK;
}

/*
 * [C] or [1, C]. Without stop words every string stays; with them some go (an empty result is one
 * empty string).
 */
wl_status wl_infer_string_normalizer(struct wl_op_ctx *c)
{
    const struct wl_tensor *x = wl_op_in(c, 0);
    const struct wl_attr *stop = wl_node_attr(c->node, "stopwords");
    wl_op_set_dtype(c, 0, WL_DT_STRING);
    if (x == NULL || (x->rank != 1 && x->rank != 2)) {
        return WL_OK;
    }
    struct wl_dim last = x->dims[x->rank - 1];
    bool keeps = stop == NULL || stop->count == 0;
    struct wl_dim dims[2] = {wl_dim_known(1), wl_dim_known(1)};
    dims[x->rank - 1] = keeps ? last : wl_op_data_dim(c, "count", last);
    return wl_op_set_shape(c, 0, x->rank, dims);
}

/* Pieces (padded to the longest row) and their number in each string. */
wl_status wl_infer_string_split(struct wl_op_ctx *c)
{
    const struct wl_tensor *x = wl_op_in(c, 0);
    wl_op_set_dtype(c, 0, WL_DT_STRING);
    wl_op_set_dtype(c, 1, WL_DT_INT64);
    wl_op_set_shape_of(c, 1, 0);
    if (x == NULL || x->rank < 0 || x->rank >= WL_RANK_MAX) {
        return WL_OK;
    }
    struct wl_dim dims[WL_RANK_MAX];
    bool empty = false;
    for (int32_t i = 0; i < x->rank; i++) {
        dims[i] = x->dims[i];
        empty = empty || wl_dim_is(x->dims[i], 0);
    }
    dims[x->rank] = empty ? wl_dim_known(0) : wl_op_data_dim(c, "count", wl_dim_unknown());
    return wl_op_set_shape(c, 0, x->rank + 1, dims);
}

/* [C] -> [max index + 1]; [N, C] -> [N, max index + 1]. */
wl_status wl_infer_tf_idf(struct wl_op_ctx *c)
{
    const struct wl_attr *a = wl_node_attr(c->node, "ngram_indexes");
    int32_t rank = wl_op_in_rank(c, 0);
    struct wl_dim width = wl_dim_unknown();
    wl_op_set_dtype(c, 0, WL_DT_FLOAT);
    if (a != NULL && a->type == WL_ATTR_INTS && a->count > 0) {
        int64_t most = 0;
        for (int32_t i = 0; i < a->count; i++) {
            most = wl_max_i64(most, a->u.ints[i]);
        }
        width = wl_dim_add_k(wl_op_pool(c), wl_dim_known(most), 1);
    }
    if (rank != 1 && rank != 2) {
        return WL_OK;
    }
    struct wl_dim dims[2] = {rank == 2 ? wl_op_in_dim(c, 0, 0) : width, width};
    return wl_op_set_shape(c, 0, rank, dims);
}

static int64_t bounded_attr(const struct wl_op_ctx *c, const char *name)
{
    return wl_max_i64(0, wl_min_i64(wl_node_attr_int(c->node, name, 0), 1 << 16));
}

/* Every n-gram of every allowed length and skip at every place is looked up: about 4 operations. */
void wl_cost_tf_idf(struct wl_op_ctx *c, struct wl_work *w)
{
    int64_t lengths = bounded_attr(c, "max_gram_length") - bounded_attr(c, "min_gram_length") + 1;
    int64_t skips = bounded_attr(c, "max_skip_count") + 1;
    lengths = wl_max_i64(1, lengths);
    w->access = WL_ACCESS_GATHER;
    wl_work_add_k(c, w, WL_WORK_INTEGER, 4 * lengths * skips, wl_op_in_elems(c, 0));
}

/* com.microsoft.Tokenizer: one more axis, as long as the longest list of tokens. */
wl_status wl_infer_tokenizer(struct wl_op_ctx *c)
{
    const struct wl_tensor *x = wl_op_in(c, 0);
    wl_op_set_dtype(c, 0, WL_DT_STRING);
    if (x == NULL || x->rank < 1 || x->rank > 2) {
        return WL_OK;
    }
    struct wl_dim dims[3];
    for (int32_t i = 0; i < x->rank; i++) {
        dims[i] = x->dims[i];
    }
    dims[x->rank] = wl_op_data_dim(c, "count", wl_dim_unknown());
    return wl_op_set_shape(c, 0, x->rank + 1, dims);
}
