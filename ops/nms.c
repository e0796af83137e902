/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops/nms.c: NonMaxSuppression. The number of boxes that stay depends on data: a symbol with an
 * upper bound, or the number itself where boxes and scores are small constants. It is counted by
 * the operator's definition: per batch and class, by descending score, a box stays unless it
 * overlaps one that stays by more than the threshold.
 *
 * The count is given only where it is beyond doubt: not where single precision could fall on the
 * other side of a threshold, nor where the order of equal scores matters.
 */
#include <math.h>

#include "move_priv.h"

#define BOXES_MAX 64
#define WORK_MAX (1 << 14) /* pairs compared */
#define DOUBT 1e-5

struct nms {
    const struct wl_value *boxes;
    const struct wl_value *scores;
    int64_t batch, classes, count;
    int64_t per_class;
    double iou_threshold;
    double score_threshold; /* -INFINITY: none */
    bool center;            /* (x, y, width, height) of the center, else two corners (y, x) */
    bool later_first;       /* of equal scores */
};

struct box {
    double low[2], high[2];
};

static struct box box_get(const struct nms *m, int64_t b, int64_t i)
{
    const double *v = &m->boxes->floats[(b * m->count + i) * 4];
    struct box r;
    for (int k = 0; k < 2; k++) {
        r.low[k] = m->center ? v[k] - v[2 + k] / 2 : fmin(v[k], v[2 + k]);
        r.high[k] = m->center ? v[k] + v[2 + k] / 2 : fmax(v[k], v[2 + k]);
    }
    return r;
}

static double area(const struct box *a)
{
    return (a->high[0] - a->low[0]) * (a->high[1] - a->low[1]);
}

/* 1: they overlap by more than the threshold; 0: not; WL_NONE: too close to tell. */
static int32_t suppresses(const struct nms *m, const struct box *a, const struct box *b)
{
    double common = 1;
    for (int k = 0; k < 2; k++) {
        double side = fmin(a->high[k], b->high[k]) - fmax(a->low[k], b->low[k]);
        if (isnan(side)) {
            return WL_NONE;
        }
        common *= fmax(side, 0);
    }
    double joined = area(a) + area(b) - common;
    if (!(common > 0) || !(joined > 0)) {
        return 0;
    }
    double margin = common / joined - m->iou_threshold;
    return fabs(margin) < DOUBT ? WL_NONE : margin > 0;
}

/* The best of the boxes that are not done; WL_NONE when there is none. */
static int64_t best_left(const struct nms *m, const double *scores, const bool *done)
{
    int64_t best = WL_NONE;
    for (int64_t i = 0; i < m->count; i++) {
        bool better =
            best < 0 || scores[i] > scores[best] || (m->later_first && !(scores[i] < scores[best]));
        best = !done[i] && better ? i : best;
    }
    return best;
}

/* Boxes that stay in one batch and class; WL_NONE when not known. */
static int64_t class_count(const struct nms *m, int64_t b, const double *scores)
{
    struct box kept[BOXES_MAX];
    bool done[BOXES_MAX] = {false};
    int64_t n = 0;
    int64_t at;
    while (n < m->per_class && (at = best_left(m, scores, done)) >= 0) {
        struct box candidate = box_get(m, b, at);
        double above = scores[at] - m->score_threshold;
        int32_t out = 0;
        done[at] = true;
        if (isnan(above) || fabs(above) < DOUBT) {
            return WL_NONE;
        }
        if (above < 0) {
            break;
        }
        for (int64_t k = 0; k < n && out == 0; k++) {
            out = suppresses(m, &candidate, &kept[k]);
        }
        if (out < 0) {
            return WL_NONE;
        }
        if (out == 0) {
            kept[n++] = candidate;
        }
    }
    return n;
}

static int64_t total_count(const struct nms *m)
{
    int64_t total = 0;
    for (int64_t i = 0; i < m->batch * m->classes; i++) {
        int64_t n = class_count(m, i / m->classes, &m->scores->floats[i * m->count]);
        if (n < 0) {
            return WL_NONE;
        }
        total += n;
    }
    return total;
}

/* An optional number; false when it is given and not known. */
static bool number_or(const struct wl_op_ctx *c, int32_t i, double otherwise, double *out)
{
    *out = otherwise;
    return !wl_op_has_in(c, i) || (wl_op_in_number(c, i, out) && isfinite(*out));
}

static bool count_known(const struct wl_op_ctx *c, int64_t *out)
{
    struct nms m = {.boxes = wl_op_in_value(c, 0), .scores = wl_op_in_value(c, 1)};
    int64_t box_dims[WL_RANK_MAX];
    int64_t dims[WL_RANK_MAX];
    struct wl_dim most = wl_op_in_scalar(c, 2);
    if (m.boxes == NULL || m.scores == NULL || !m.boxes->is_float || !m.scores->is_float ||
        wl_op_in_rank(c, 0) != 3 || wl_op_in_rank(c, 1) != 3 ||
        !wl_op_in_known_dims(c, 0, box_dims) || !wl_op_in_known_dims(c, 1, dims) ||
        !wl_dim_is_known(most) || most.value < 0 || !number_or(c, 3, 0, &m.iou_threshold) ||
        !number_or(c, 4, -(double)INFINITY, &m.score_threshold)) {
        return false;
    }
    bool fits = box_dims[0] == dims[0] && box_dims[1] == dims[2] && box_dims[2] == 4;
    if (!fits || dims[2] < 1 || dims[2] > BOXES_MAX || m.scores->count > WORK_MAX / dims[2]) {
        return false;
    }
    m.batch = dims[0];
    m.classes = dims[1];
    m.count = dims[2];
    m.per_class = most.value;
    m.center = wl_node_attr_int(c->node, "center_point_box", 0) != 0;
    int64_t one = total_count(&m);
    m.later_first = true;
    *out = one;
    return one >= 0 && one == total_count(&m);
}

/* boxes (B, N, 4), scores (B, C, N): at most min(max_output_boxes_per_class, N) rows per (B, C). */
wl_status wl_infer_nms(struct wl_op_ctx *c)
{
    struct wl_dim_pool *p = wl_op_pool(c);
    struct wl_dim boxes = wl_op_merge_dim(wl_op_in_dim(c, 0, 1), wl_op_in_dim(c, 1, 2));
    struct wl_dim batch = wl_op_merge_dim(wl_op_in_dim(c, 0, 0), wl_op_in_dim(c, 1, 0));
    struct wl_dim per_class = wl_op_has_in(c, 2) ? wl_op_in_scalar(c, 2) : wl_dim_known(0);
    if (wl_dim_is_known(per_class) && per_class.value < 0) {
        per_class = wl_dim_unknown();
    }
    struct wl_dim most = wl_dim_is_unknown(per_class) ? boxes : wl_dim_min(p, per_class, boxes);
    struct wl_dim upper = wl_dim_mul(p, wl_dim_mul(p, batch, wl_op_in_dim(c, 1, 1)), most);
    wl_op_set_dtype(c, 0, WL_DT_INT64);
    int64_t selected;
    struct wl_dim dims[2] = {upper, wl_dim_known(3)};
    if (count_known(c, &selected)) {
        dims[0] = wl_dim_known(selected);
    } else if (!wl_dim_is(upper, 0)) {
        dims[0] = wl_op_data_dim(c, "count", upper);
    }
    return wl_op_set_shape(c, 0, 2, dims);
}

#define IOU_ADDMUL 12
#define IOU_COMPARE 5

/*
 * Per batch and class: scores are compared with the threshold and sorted (taken as 16 comparisons
 * each), then every box is compared with the boxes selected so far, half of the limit on average.
 * One intersection over union: 4 minima and maxima, 12 add/mul, a division, a comparison.
 */
void wl_cost_nms(struct wl_op_ctx *c, struct wl_work *w)
{
    struct wl_dim_pool *p = wl_op_pool(c);
    struct wl_dim scores = wl_op_in_elems(c, 1);
    struct wl_dim limit = wl_op_has_in(c, 2) ? wl_op_in_scalar(c, 2) : wl_dim_known(0);
    limit = wl_dim_is_unknown(limit) ? wl_op_in_dim(c, 1, 2)
                                     : wl_dim_min(p, limit, wl_op_in_dim(c, 1, 2));
    struct wl_dim half = wl_dim_ceil_div(p, limit, wl_dim_known(2));
    struct wl_dim pairs = wl_dim_mul(p, scores, half);
    w->access = WL_ACCESS_GATHER;
    wl_work_add_k(c, w, WL_WORK_COMPARE, 17, scores);
    wl_work_add_k(c, w, WL_WORK_ADDMUL, IOU_ADDMUL, pairs);
    wl_work_add_k(c, w, WL_WORK_COMPARE, IOU_COMPARE, pairs);
    wl_work_add(c, w, WL_WORK_DIVIDE, pairs);
}
