/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops/text.c: strings. Their lengths are not known to the analysis, so work is a stated
 * approximation: TEXT_OPS integer operations per element, as for a string of some 16 characters.
 * Counts of words or tokens depend on data and become symbols, unless the strings are small
 * constants of the file and ASCII where it matters.
 */
#include <string.h>

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
static bool is_ascii(struct wl_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char)s.data[i] >= 0x80) {
            return false;
        }
    }
    return true;
}

/* Is `s` one of the stop words? 1, 0, or WL_NONE where letters beyond ASCII may match. */
static int32_t is_stopword(struct wl_str s, const struct wl_attr *stop, bool exact)
{
    bool doubt = false;
    for (int32_t i = 0; i < stop->count; i++) {
        struct wl_str word = stop->u.strings[i];
        if (wl_str_eq(s, word) || (!exact && wl_str_eq_nocase(s, word))) {
            return 1;
        }
        doubt = doubt || (!exact && !(is_ascii(s) && is_ascii(word)));
    }
    return doubt ? WL_NONE : 0;
}

#define STOPWORDS_MAX 256

/* How many strings stay; unknown where the strings are. */
static struct wl_dim strings_left(const struct wl_op_ctx *c, const struct wl_attr *stop)
{
    const struct wl_tensor *x = wl_op_in(c, 0);
    struct wl_dim n = wl_op_in_elems(c, 0);
    bool exact = wl_node_attr_int(c->node, "is_case_sensitive", 0) != 0;
    int64_t left = 0;
    if (x->strings == NULL || !wl_dim_is_known(n) || stop->type != WL_ATTR_STRINGS ||
        stop->count > STOPWORDS_MAX) {
        return wl_dim_unknown();
    }
    for (int64_t i = 0; i < n.value; i++) {
        int32_t out = is_stopword(x->strings[i], stop, exact);
        if (out < 0) {
            return wl_dim_unknown();
        }
        left += 1 - out;
    }
    return wl_dim_known(wl_max_i64(left, 1));
}

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
    struct wl_dim left = keeps ? last : strings_left(c, stop);
    dims[x->rank - 1] = wl_dim_is_unknown(left) ? wl_op_data_dim(c, "count", last) : left;
    return wl_op_set_shape(c, 0, x->rank, dims);
}

static bool is_space(char ch)
{
    return ch == ' ' || (ch >= '\t' && ch <= '\r');
}

/* Pieces between runs of white space; WL_NONE beyond ASCII, which has white space of its own. */
static int64_t count_words(struct wl_str s)
{
    int64_t words = 0;
    for (size_t i = 0; i < s.len; i++) {
        words += !is_space(s.data[i]) && (i == 0 || is_space(s.data[i - 1])) ? 1 : 0;
    }
    return is_ascii(s) ? words : WL_NONE;
}

/* Pieces between delimiters; of an empty string, which has none to speak of, WL_NONE. */
static int64_t count_pieces(struct wl_str s, struct wl_str delimiter)
{
    int64_t pieces = 1;
    for (size_t i = 0; i + delimiter.len <= s.len;) {
        bool found = memcmp(s.data + i, delimiter.data, delimiter.len) == 0;
        pieces += found ? 1 : 0;
        i += found ? delimiter.len : 1;
    }
    return s.len == 0 ? WL_NONE : pieces;
}

/* Pieces of the string that has most; unknown where the strings are. */
static struct wl_dim most_pieces(const struct wl_op_ctx *c)
{
    const struct wl_tensor *x = wl_op_in(c, 0);
    struct wl_str delimiter = wl_node_attr_str(c->node, "delimiter");
    const struct wl_attr *limit = wl_node_attr(c->node, "maxsplit");
    struct wl_dim n = wl_op_in_elems(c, 0);
    int64_t most = 0;
    if (x->strings == NULL || !wl_dim_is_known(n)) {
        return wl_dim_unknown();
    }
    for (int64_t i = 0; i < n.value; i++) {
        int64_t pieces = delimiter.len == 0 ? count_words(x->strings[i])
                                            : count_pieces(x->strings[i], delimiter);
        if (pieces < 0) {
            return wl_dim_unknown();
        }
        most = wl_max_i64(most, pieces);
    }
    if (limit != NULL && limit->type == WL_ATTR_INT && limit->u.i >= 0 && limit->u.i < most) {
        most = limit->u.i + 1;
    }
    return most > 0 ? wl_dim_known(most) : wl_dim_unknown();
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
    struct wl_dim most = empty ? wl_dim_known(0) : most_pieces(c);
    dims[x->rank] = wl_dim_is_unknown(most) ? wl_op_data_dim(c, "count", wl_dim_unknown()) : most;
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
