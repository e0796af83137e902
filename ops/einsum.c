/* SPDX-License-Identifier: Apache-2.0 */
/*
 * einsum: shape and work of Einsum from its equation (numpy.einsum: letters, ellipsis, implicit
 * output). Work: operands are contracted in pairs from the left. In each step the labels fall into
 * G (in both operands, needed later), M and N (in one, needed later), K (in both, not needed
 * later); labels of one operand that nobody needs later are summed away first (one add per
 * element). With K the step is G products of M x K by K x N, without K it multiplies once per
 * element of its result.
 */
#include <string.h>

#include "ops_priv.h"

#define LETTERS 52
#define LABELS 64 /* letters, then the axes of the ellipsis, leftmost first */
#define ELLIPSIS_MAX (LABELS - LETTERS)
#define OPERANDS_MAX 16

struct einsum {
    uint64_t in[OPERANDS_MAX]; /* sets of labels */
    int32_t in_count;
    int32_t ellipsis_rank;
    struct wl_dim dims[LABELS];
    uint64_t out;
    int32_t out_labels[WL_RANK_MAX];
    int32_t out_rank;
};

static int32_t letter_of(char ch)
{
    if (ch >= 'a' && ch <= 'z') {
        return 26 + (ch - 'a');
    }
    return ch >= 'A' && ch <= 'Z' ? ch - 'A' : WL_NONE;
}

/* The next label of a term, or the ellipsis (LABELS); WL_NONE at its end, -2 for a stray character.
 */
static int32_t next_label(struct wl_str s, size_t *at)
{
    while (*at < s.len && s.data[*at] == ' ') {
        (*at)++;
    }
    if (*at >= s.len || s.data[*at] == ',' || s.data[*at] == '-') {
        return WL_NONE;
    }
    if (s.len - *at >= 3 && memcmp(s.data + *at, "...", 3) == 0) {
        *at += 3;
        return LABELS;
    }
    int32_t letter = letter_of(s.data[(*at)++]);
    return letter == WL_NONE ? -2 : letter;
}

/* Labels of the term at *at into labels[WL_RANK_MAX]; count, or WL_NONE when malformed. */
static int32_t read_term(struct wl_str s, size_t *at, int32_t *labels)
{
    int32_t count = 0;
    for (int32_t label; (label = next_label(s, at)) != WL_NONE;) {
        if (label < 0 || count >= WL_RANK_MAX) {
            return WL_NONE;
        }
        labels[count++] = label;
    }
    return count;
}

static bool set_dim(struct einsum *e, int32_t label, struct wl_dim d)
{
    bool conflict = false;
    e->dims[label] = wl_op_broadcast_dim(e->dims[label], d, &conflict);
    return !conflict;
}

/* Binds the labels of one operand to its axes; the ellipsis takes the axes left over, from the
 * right. */
static bool bind_operand(const struct wl_op_ctx *c, struct einsum *e, int32_t i,
                         const int32_t *labels, int32_t count)
{
    int32_t rank = wl_op_in_rank(c, i);
    int32_t dots = 0;
    for (int32_t k = 0; k < count; k++) {
        dots += labels[k] == LABELS ? 1 : 0;
    }
    int32_t spare = rank - (count - dots);
    if (rank == WL_NONE || dots > 1 || spare < 0 || (dots == 0 && spare > 0) ||
        spare > ELLIPSIS_MAX) {
        return false;
    }
    int32_t axis = 0;
    for (int32_t k = 0; k < count; k++) {
        int32_t first = labels[k] == LABELS ? LABELS - spare : labels[k];
        int32_t last = labels[k] == LABELS ? LABELS : labels[k] + 1;
        for (int32_t label = first; label < last; label++) {
            e->in[i] |= UINT64_C(1) << label;
            if (!set_dim(e, label, wl_op_in_dim(c, i, axis++))) {
                return false;
            }
        }
    }
    e->ellipsis_rank = spare > e->ellipsis_rank && dots == 1 ? spare : e->ellipsis_rank;
    return true;
}

static bool add_output(struct einsum *e, int32_t label)
{
    if (e->out_rank >= WL_RANK_MAX) {
        return false;
    }
    e->out |= UINT64_C(1) << label;
    e->out_labels[e->out_rank++] = label;
    return true;
}

static bool add_ellipsis(struct einsum *e)
{
    for (int32_t label = LABELS - e->ellipsis_rank; label < LABELS; label++) {
        if (!add_output(e, label)) {
            return false;
        }
    }
    return true;
}

/* Without "->": the ellipsis, then letters that occur once, in alphabetical order. */
static bool implicit_output(struct einsum *e, const int32_t *uses)
{
    if (!add_ellipsis(e)) {
        return false;
    }
    for (int32_t label = 0; label < LETTERS; label++) {
        if (uses[label] == 1 && !add_output(e, label)) {
            return false;
        }
    }
    return true;
}

static bool explicit_output(struct einsum *e, struct wl_str s, size_t at)
{
    int32_t labels[WL_RANK_MAX];
    int32_t count = read_term(s, &at, labels);
    for (int32_t k = 0; k < count; k++) {
        if (labels[k] == LABELS ? !add_ellipsis(e) : !add_output(e, labels[k])) {
            return false;
        }
    }
    return count != WL_NONE;
}

static bool parse(const struct wl_op_ctx *c, struct einsum *e)
{
    struct wl_str s = wl_node_attr_str(c->node, "equation");
    int32_t uses[LETTERS] = {0};
    int32_t labels[WL_RANK_MAX];
    size_t at = 0;
    memset(e, 0, sizeof(*e));
    for (int32_t i = 0; i < LABELS; i++) {
        e->dims[i] = wl_dim_known(1);
    }
    if (c->node->input_count > OPERANDS_MAX) {
        return false;
    }
    for (int32_t i = 0; i < c->node->input_count; i++) {
        int32_t count = read_term(s, &at, labels);
        if (count == WL_NONE || !bind_operand(c, e, i, labels, count)) {
            return false;
        }
        for (int32_t k = 0; k < count; k++) {
            uses[labels[k] % LETTERS] += labels[k] < LETTERS ? 1 : 0;
        }
        e->in_count++;
        if (at < s.len && s.data[at] == ',') {
            at++;
        }
    }
    if (at >= s.len) {
        return implicit_output(e, uses);
    }
    return s.len - at >= 2 && s.data[at] == '-' && s.data[at + 1] == '>' &&
           explicit_output(e, s, at + 2);
}

wl_status wl_infer_einsum(struct wl_op_ctx *c)
{
    struct einsum e;
    struct wl_dim dims[WL_RANK_MAX];
    wl_op_set_dtype(c, 0, wl_op_in_dtype(c, 0));
    if (!parse(c, &e)) {
        return WL_OK;
    }
    for (int32_t i = 0; i < e.out_rank; i++) {
        dims[i] = e.dims[e.out_labels[i]];
    }
    return wl_op_set_shape(c, 0, e.out_rank, dims);
}

/* ---- work --------------------------------------------------------------------------------------
 */

static struct wl_dim product_of(const struct wl_op_ctx *c, const struct einsum *e, uint64_t set)
{
    struct wl_dim n = wl_dim_known(1);
    for (int32_t i = 0; i < LABELS; i++) {
        if ((set >> i & 1) != 0) {
            n = wl_dim_mul(wl_op_pool(c), n, e->dims[i]);
        }
    }
    return n;
}

/* Sums away what nobody needs; returns the labels left. */
static uint64_t sum_away(const struct wl_op_ctx *c, struct wl_work *w, const struct einsum *e,
                         uint64_t set, uint64_t needed)
{
    if ((set & ~needed) != 0) {
        wl_work_add_typed(c, w, WL_WORK_ADDMUL, 1, product_of(c, e, set));
    }
    return set & needed;
}

static uint64_t contract(const struct wl_op_ctx *c, struct wl_work *w, const struct einsum *e,
                         uint64_t a, uint64_t b, uint64_t later)
{
    a = sum_away(c, w, e, a, b | later);
    b = sum_away(c, w, e, b, a | later);
    uint64_t summed = a & b & ~later;
    if (summed == 0) {
        wl_work_add_typed(c, w, WL_WORK_ADDMUL, 1, product_of(c, e, a | b));
        return a | b;
    }
    struct wl_gemm view = {.g = product_of(c, e, a & b & later),
                           .m = product_of(c, e, a & ~b),
                           .n = product_of(c, e, b & ~a),
                           .k = product_of(c, e, summed)};
    wl_work_add_gemm(c, w, view);
    return (a | b) & later;
}

void wl_cost_einsum(struct wl_op_ctx *c, struct wl_work *w)
{
    struct einsum e;
    w->access = WL_ACCESS_STREAM;
    w->integer_macs = wl_op_is_integer(wl_op_in_dtype(c, 0));
    if (!parse(c, &e) || e.in_count < 1) {
        w->macs = wl_dim_unknown();
        return;
    }
    uint64_t left = e.in[0];
    for (int32_t i = 1; i < e.in_count; i++) {
        uint64_t later = e.out;
        for (int32_t k = i + 1; k < e.in_count; k++) {
            later |= e.in[k];
        }
        left = contract(c, w, &e, left, e.in[i], later);
    }
    (void)sum_away(c, w, &e, left, e.out);
}
