/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops/value_move.c: small values through operators that copy elements, so that chains from Shape to
 * Reshape fold. Elements may be symbolic. A value is given up (left unknown) whenever an index or
 * an extent that it depends on is not a number.
 */
#include "move_priv.h"

/* Where an output element comes from: base + sum of at[k] * stride[k]. */
struct affine {
    int32_t rank;
    int64_t base;
    int64_t stride[WL_RANK_MAX];
};

static void strides_of(const int64_t *dims, int32_t rank, int64_t *strides)
{
    int64_t step = 1;
    for (int32_t k = rank - 1; k >= 0; k--) {
        strides[k] = step;
        step *= dims[k]; /* within WL_VALUE_MAX: the tensor has a value */
    }
}

static void copy_element(struct wl_value *to, int64_t i, const struct wl_value *from, int64_t j)
{
    if (to->is_float) {
        to->floats[i] = from->floats[j];
    } else {
        to->ints[i] = from->ints[j];
    }
}

/* A copy of `from` that may be changed. NULL on exhaustion. */
static struct wl_value *value_clone(const struct wl_op_ctx *c, const struct wl_value *from)
{
    struct wl_value *v = wl_value_new(c, from->count, from->is_float);
    for (int64_t i = 0; v != NULL && i < from->count; i++) {
        copy_element(v, i, from, i);
    }
    return v;
}

/* Extents and value of input i; false unless both are known and agree. */
static bool source_get(const struct wl_op_ctx *c, int32_t i, const struct wl_value **v,
                       int64_t *dims)
{
    *v = wl_op_in_value(c, i);
    if (*v == NULL || !wl_op_in_known_dims(c, i, dims)) {
        return false;
    }
    int64_t count = 1;
    for (int32_t k = 0; k < wl_op_in_rank(c, i); k++) {
        if (!wl_mul_i64(count, dims[k], &count) || count > WL_VALUE_MAX) {
            return false;
        }
    }
    return count == (*v)->count;
}

static void set_affine(struct wl_op_ctx *c, int32_t o, const struct wl_value *from,
                       const struct affine *map)
{
    int64_t dims[WL_RANK_MAX];
    int64_t at[WL_RANK_MAX] = {0};
    int64_t count;
    if (!wl_op_out_count(c, o, &count) || !wl_op_out_known_dims(c, o, dims) ||
        wl_op_out_rank(c, o) != map->rank) {
        return;
    }
    struct wl_value *v = wl_value_new(c, count, from->is_float);
    for (int64_t i = 0; v != NULL && i < count; i++) {
        int64_t j = map->base;
        for (int32_t k = 0; k < map->rank; k++) {
            j += at[k] * map->stride[k];
        }
        if (j < 0 || j >= from->count) {
            return;
        }
        copy_element(v, i, from, j);
        (void)wl_op_next_index(at, dims, map->rank);
    }
    wl_op_set_value(c, o, v);
}

void wl_value_transpose(struct wl_op_ctx *c)
{
    const struct wl_value *from;
    int64_t dims[WL_RANK_MAX];
    int64_t strides[WL_RANK_MAX];
    int32_t perm[WL_RANK_MAX];
    struct affine map = {.rank = wl_op_in_rank(c, 0)};
    if (!source_get(c, 0, &from, dims) || !wl_op_perm(c, map.rank, perm)) {
        return;
    }
    strides_of(dims, map.rank, strides);
    for (int32_t k = 0; k < map.rank; k++) {
        map.stride[k] = strides[perm[k]];
    }
    set_affine(c, 0, from, &map);
}

void wl_value_slice(struct wl_op_ctx *c)
{
    const struct wl_value *from;
    int64_t dims[WL_RANK_MAX];
    int64_t strides[WL_RANK_MAX];
    struct wl_slice_axis bounds[WL_RANK_MAX];
    struct affine map = {.rank = wl_op_in_rank(c, 0)};
    if (!source_get(c, 0, &from, dims) || !wl_op_slice_bounds(c, bounds)) {
        return;
    }
    strides_of(dims, map.rank, strides);
    for (int32_t k = 0; k < map.rank; k++) {
        if (!wl_dim_is_known(bounds[k].start) || !wl_dim_is_known(bounds[k].step)) {
            return;
        }
        int64_t start = bounds[k].start.value;
        int64_t step = bounds[k].step.value;
        start = start < 0 ? wl_max_i64(start, -dims[k]) + dims[k] : start;
        start = wl_min_i64(start, step < 0 ? dims[k] - 1 : dims[k]);
        if (step > WL_VALUE_MAX || step < -WL_VALUE_MAX) {
            step = 0; /* one element at most: the output has extent 0 or 1 */
        }
        map.base += start * strides[k];
        map.stride[k] = step * strides[k];
    }
    set_affine(c, 0, from, &map);
}

void wl_value_split(struct wl_op_ctx *c)
{
    const struct wl_value *from;
    int64_t dims[WL_RANK_MAX];
    struct affine map = {.rank = wl_op_in_rank(c, 0)};
    int32_t axis;
    if (!source_get(c, 0, &from, dims) ||
        !wl_op_axis(wl_node_attr_int(c->node, "axis", 0), map.rank, &axis)) {
        return;
    }
    strides_of(dims, map.rank, map.stride);
    for (int32_t o = 0; o < c->node->output_count; o++) {
        struct wl_dim part = wl_op_out_dim(c, o, axis);
        if (!wl_dim_is_known(part) || part.value > WL_VALUE_MAX) {
            return;
        }
        set_affine(c, o, from, &map);
        map.base += part.value * map.stride[axis];
    }
}

void wl_value_expand(struct wl_op_ctx *c)
{
    const struct wl_value *from;
    int64_t dims[WL_RANK_MAX];
    int64_t strides[WL_RANK_MAX];
    struct affine map = {.rank = wl_op_out_rank(c, 0)};
    int32_t rank = wl_op_in_rank(c, 0);
    if (!source_get(c, 0, &from, dims) || map.rank < rank) {
        return;
    }
    strides_of(dims, rank, strides);
    for (int32_t k = 0; k < rank; k++) {
        map.stride[k + map.rank - rank] = dims[k] == 1 ? 0 : strides[k];
    }
    set_affine(c, 0, from, &map);
}

void wl_value_tile(struct wl_op_ctx *c)
{
    const struct wl_value *from;
    int64_t dims[WL_RANK_MAX];
    int64_t out[WL_RANK_MAX];
    int64_t strides[WL_RANK_MAX];
    int64_t at[WL_RANK_MAX] = {0};
    int64_t count;
    int32_t rank = wl_op_in_rank(c, 0);
    if (!source_get(c, 0, &from, dims) || !wl_op_out_count(c, 0, &count) ||
        !wl_op_out_known_dims(c, 0, out) || wl_op_out_rank(c, 0) != rank) {
        return;
    }
    strides_of(dims, rank, strides);
    struct wl_value *v = wl_value_new(c, count, from->is_float);
    for (int64_t i = 0; v != NULL && i < count; i++) {
        int64_t j = 0;
        for (int32_t k = 0; k < rank; k++) {
            j += at[k] % dims[k] * strides[k];
        }
        copy_element(v, i, from, j);
        (void)wl_op_next_index(at, out, rank);
    }
    wl_op_set_value(c, 0, v);
}

/* ---- Concat ------------------------------------------------------------------------------- */

/* Element i of an input of extent `along`, in the output whose extent is `total`. */
static int64_t concat_place(int64_t i, int64_t along, int64_t inner, int64_t total, int64_t offset)
{
    int64_t block = along * inner;
    return i / block * total * inner + offset * inner + i % block;
}

void wl_value_concat(struct wl_op_ctx *c)
{
    int64_t dims[WL_RANK_MAX];
    int64_t count;
    int32_t axis;
    int32_t rank = wl_op_out_rank(c, 0);
    if (!wl_op_out_count(c, 0, &count) || !wl_op_out_known_dims(c, 0, dims) ||
        !wl_op_axis(wl_node_attr_int(c->node, "axis", 0), rank, &axis)) {
        return;
    }
    int64_t inner = 1;
    for (int32_t k = axis + 1; k < rank; k++) {
        inner *= dims[k];
    }
    const struct wl_value *first = wl_op_in_value(c, 0);
    struct wl_value *v = first == NULL ? NULL : wl_value_new(c, count, first->is_float);
    int64_t offset = 0;
    for (int32_t i = 0; v != NULL && i < c->node->input_count; i++) {
        const struct wl_value *from = wl_op_in_value(c, i);
        struct wl_dim along = wl_op_in_dim(c, i, axis);
        if (from == NULL || from->is_float != v->is_float || !wl_dim_is_known(along)) {
            return;
        }
        for (int64_t k = 0; k < from->count; k++) {
            int64_t to = concat_place(k, along.value, inner, dims[axis], offset);
            if (to < 0 || to >= count) {
                return;
            }
            copy_element(v, to, from, k);
        }
        offset += along.value;
    }
    wl_op_set_value(c, 0, v);
}

/* ---- Gather ------------------------------------------------------------------------------- */

/* Index `i` of an index tensor, wrapped into [0, extent); false when unknown or outside. */
static bool index_at(const struct wl_value *at, int64_t i, int64_t extent, int64_t *out)
{
    if (at == NULL || at->is_float || i >= at->count || !wl_dim_is_known(at->ints[i])) {
        return false;
    }
    int64_t raw = at->ints[i].value;
    *out = raw < 0 ? raw + extent : raw;
    return raw >= -extent && *out < extent;
}

void wl_value_gather(struct wl_op_ctx *c)
{
    const struct wl_value *from;
    const struct wl_value *at = wl_op_in_value(c, 1);
    int64_t dims[WL_RANK_MAX];
    int64_t count;
    int32_t axis;
    int32_t rank = wl_op_in_rank(c, 0);
    if (at == NULL || !source_get(c, 0, &from, dims) || !wl_op_out_count(c, 0, &count) ||
        !wl_op_axis(wl_node_attr_int(c->node, "axis", 0), rank, &axis)) {
        return;
    }
    int64_t inner = 1;
    for (int32_t k = axis + 1; k < rank; k++) {
        inner *= dims[k];
    }
    struct wl_value *v = wl_value_new(c, count, from->is_float);
    for (int64_t i = 0; v != NULL && i < count; i++) {
        int64_t which;
        if (!index_at(at, i / inner % at->count, dims[axis], &which)) {
            return;
        }
        int64_t block = i / (inner * at->count);
        copy_element(v, i, from, (block * dims[axis] + which) * inner + i % inner);
    }
    wl_op_set_value(c, 0, v);
}

/* Flat place of element `at` with the coordinate of `axis` replaced. */
static int64_t place_with(const int64_t *at, const int64_t *strides, int32_t rank, int32_t axis,
                          int64_t instead)
{
    int64_t j = 0;
    for (int32_t k = 0; k < rank; k++) {
        j += (k == axis ? instead : at[k]) * strides[k];
    }
    return j;
}

void wl_value_gather_elements(struct wl_op_ctx *c)
{
    const struct wl_value *from;
    const struct wl_value *index;
    int64_t dims[WL_RANK_MAX];
    int64_t index_dims[WL_RANK_MAX];
    int64_t strides[WL_RANK_MAX];
    int64_t at[WL_RANK_MAX] = {0};
    int32_t axis;
    int32_t rank = wl_op_in_rank(c, 0);
    if (!source_get(c, 0, &from, dims) || !source_get(c, 1, &index, index_dims) ||
        wl_op_in_rank(c, 1) != rank ||
        !wl_op_axis(wl_node_attr_int(c->node, "axis", 0), rank, &axis)) {
        return;
    }
    strides_of(dims, rank, strides);
    struct wl_value *v = wl_value_new(c, index->count, from->is_float);
    for (int64_t i = 0; v != NULL && i < index->count; i++) {
        int64_t which;
        bool found = index_at(index, i, dims[axis], &which);
        int64_t j = found ? place_with(at, strides, rank, axis, which) : WL_NONE;
        if (j < 0 || j >= from->count) {
            return;
        }
        copy_element(v, i, from, j);
        (void)wl_op_next_index(at, index_dims, rank);
    }
    wl_op_set_value(c, 0, v);
}

/*
 * Flat start of the slice that row `row` of an index tensor (of `width` columns) names in a tensor
 * of `dims`, from axis `skip` on; false when unknown.
 */
static bool nd_start(const struct wl_value *index, int64_t row, int64_t width, int32_t skip,
                     const int64_t *dims, const int64_t *strides, int64_t *start)
{
    *start = 0;
    for (int64_t k = 0; k < width; k++) {
        int64_t which;
        if (!index_at(index, row * width + k, dims[skip + k], &which)) {
            return false;
        }
        *start += which * strides[skip + k];
    }
    return true;
}

void wl_value_gather_nd(struct wl_op_ctx *c)
{
    const struct wl_value *from;
    const struct wl_value *index;
    int64_t dims[WL_RANK_MAX];
    int64_t index_dims[WL_RANK_MAX];
    int64_t strides[WL_RANK_MAX];
    int64_t count;
    int32_t rank = wl_op_in_rank(c, 0);
    int32_t index_rank = wl_op_in_rank(c, 1);
    if (!source_get(c, 0, &from, dims) || !source_get(c, 1, &index, index_dims) ||
        !wl_op_out_count(c, 0, &count) || wl_node_attr_int(c->node, "batch_dims", 0) != 0) {
        return;
    }
    int64_t width = index_rank > 0 ? index_dims[index_rank - 1] : 0;
    if (width < 1 || width > rank) {
        return;
    }
    strides_of(dims, rank, strides);
    int64_t inner = wl_max_i64(strides[width - 1], 1); /* 0 where there are no elements */
    struct wl_value *v = wl_value_new(c, count, from->is_float);
    for (int64_t i = 0; v != NULL && i < count; i++) {
        int64_t start;
        if (!nd_start(index, i / inner, width, 0, dims, strides, &start)) {
            return;
        }
        copy_element(v, i, from, start + i % inner);
    }
    wl_op_set_value(c, 0, v);
}

/* ---- Scatter ------------------------------------------------------------------------------ */

/* Puts updates[j] into v[i] under the node's `reduction` (none or add). False when not supported.
 */
static bool scatter_one(struct wl_op_ctx *c, struct wl_value *v, int64_t i,
                        const struct wl_value *updates, int64_t j)
{
    struct wl_str how = wl_node_attr_str(c->node, "reduction");
    if (how.len == 0 || wl_str_is(how, "none")) {
        copy_element(v, i, updates, j);
        return true;
    }
    if (!wl_str_is(how, "add")) {
        return false;
    }
    if (v->is_float) {
        v->floats[i] += updates->floats[j];
    } else {
        v->ints[i] = wl_dim_add(wl_op_pool(c), v->ints[i], updates->ints[j]);
    }
    return true;
}

void wl_value_scatter_elements(struct wl_op_ctx *c)
{
    const struct wl_value *from;
    const struct wl_value *index;
    const struct wl_value *updates = wl_op_in_value(c, 2);
    int64_t dims[WL_RANK_MAX];
    int64_t index_dims[WL_RANK_MAX];
    int64_t strides[WL_RANK_MAX];
    int64_t at[WL_RANK_MAX] = {0};
    int32_t axis;
    int32_t rank = wl_op_in_rank(c, 0);
    if (!source_get(c, 0, &from, dims) || !source_get(c, 1, &index, index_dims) ||
        updates == NULL || updates->count != index->count || updates->is_float != from->is_float ||
        wl_op_in_rank(c, 1) != rank ||
        !wl_op_axis(wl_node_attr_int(c->node, "axis", 0), rank, &axis)) {
        return;
    }
    strides_of(dims, rank, strides);
    struct wl_value *v = value_clone(c, from);
    for (int64_t i = 0; v != NULL && i < index->count; i++) {
        int64_t which;
        bool found = index_at(index, i, dims[axis], &which);
        int64_t j = found ? place_with(at, strides, rank, axis, which) : WL_NONE;
        if (j < 0 || j >= v->count || !scatter_one(c, v, j, updates, i)) {
            return;
        }
        (void)wl_op_next_index(at, index_dims, rank);
    }
    wl_op_set_value(c, 0, v);
}

void wl_value_scatter_nd(struct wl_op_ctx *c)
{
    const struct wl_value *from;
    const struct wl_value *index;
    const struct wl_value *updates = wl_op_in_value(c, 2);
    int64_t dims[WL_RANK_MAX];
    int64_t index_dims[WL_RANK_MAX];
    int64_t strides[WL_RANK_MAX];
    int32_t rank = wl_op_in_rank(c, 0);
    int32_t index_rank = wl_op_in_rank(c, 1);
    if (!source_get(c, 0, &from, dims) || !source_get(c, 1, &index, index_dims) ||
        updates == NULL || updates->is_float != from->is_float || index_rank < 1) {
        return;
    }
    int64_t width = index_dims[index_rank - 1];
    if (width < 1 || width > rank) {
        return;
    }
    strides_of(dims, rank, strides);
    int64_t inner = wl_max_i64(strides[width - 1], 1); /* 0 where there are no elements */
    struct wl_value *v = value_clone(c, from);
    for (int64_t i = 0; v != NULL && i < updates->count; i++) {
        int64_t start;
        if (!nd_start(index, i / inner, width, 0, dims, strides, &start) ||
            !scatter_one(c, v, start + i % inner, updates, i)) {
            return;
        }
    }
    wl_op_set_value(c, 0, v);
}

/* ---- Pad, Trilu --------------------------------------------------------------------------- */

/* Element of a constant fill: input i when given and known, else 0. False when given but unknown.
 */
static bool fill_get(const struct wl_op_ctx *c, int32_t i, bool is_float, struct wl_value *v,
                     int64_t at)
{
    const struct wl_value *given = wl_op_in_value(c, i);
    if (wl_op_has_in(c, i)) {
        if (given == NULL || given->count != 1 || given->is_float != is_float) {
            return false;
        }
        copy_element(v, at, given, 0);
    } else if (is_float) {
        v->floats[at] = 0.0;
    } else {
        v->ints[at] = wl_dim_known(0);
    }
    return true;
}

void wl_value_pad(struct wl_op_ctx *c)
{
    const struct wl_value *from;
    struct wl_dim before[WL_RANK_MAX];
    struct wl_dim after[WL_RANK_MAX];
    int64_t dims[WL_RANK_MAX];
    int64_t out[WL_RANK_MAX];
    int64_t strides[WL_RANK_MAX];
    int64_t at[WL_RANK_MAX] = {0};
    int64_t count;
    int32_t rank = wl_op_in_rank(c, 0);
    struct wl_str mode = wl_node_attr_str(c->node, "mode");
    if ((mode.len > 0 && !wl_str_is(mode, "constant")) || !source_get(c, 0, &from, dims) ||
        !wl_op_pads(c, before, after) || !wl_op_out_count(c, 0, &count) ||
        !wl_op_out_known_dims(c, 0, out)) {
        return;
    }
    strides_of(dims, rank, strides);
    struct wl_value *v = wl_value_new(c, count, from->is_float);
    for (int64_t i = 0; v != NULL && i < count; i++) {
        int64_t j = 0;
        for (int32_t k = 0; k < rank; k++) {
            int64_t x = at[k] - before[k].value; /* known: the output's extents are */
            j = j < 0 || x < 0 || x >= dims[k] ? -1 : j + x * strides[k];
        }
        if (j >= 0) {
            copy_element(v, i, from, j);
        } else if (!fill_get(c, 2, v->is_float, v, i)) {
            return;
        }
        (void)wl_op_next_index(at, out, rank);
    }
    wl_op_set_value(c, 0, v);
}

void wl_value_trilu(struct wl_op_ctx *c)
{
    const struct wl_value *from;
    int64_t dims[WL_RANK_MAX];
    int32_t rank = wl_op_in_rank(c, 0);
    struct wl_dim k = wl_op_has_in(c, 1) ? wl_op_in_scalar(c, 1) : wl_dim_known(0);
    if (!source_get(c, 0, &from, dims) || rank < 2 || !wl_dim_is_known(k)) {
        return;
    }
    bool upper = wl_node_attr_int(c->node, "upper", 1) != 0;
    int64_t columns = dims[rank - 1];
    int64_t rows = dims[rank - 2];
    int64_t shift = wl_max_i64(-WL_VALUE_MAX, wl_min_i64(k.value, WL_VALUE_MAX));
    struct wl_value *v = value_clone(c, from);
    for (int64_t i = 0; v != NULL && i < v->count; i++) {
        int64_t above = i % columns - i / columns % rows - shift;
        bool keep = upper ? above >= 0 : above <= 0;
        if (!keep && v->is_float) {
            v->floats[i] = 0.0;
        } else if (!keep) {
            v->ints[i] = wl_dim_known(0);
        }
    }
    wl_op_set_value(c, 0, v);
}

/* ---- OneHot, NonZero, TopK ---------------------------------------------------------------- */

void wl_value_one_hot(struct wl_op_ctx *c)
{
    const struct wl_value *index = wl_op_in_value(c, 0);
    const struct wl_value *levels = wl_op_in_value(c, 2);
    int64_t out[WL_RANK_MAX];
    int64_t count;
    int32_t axis;
    int32_t rank = wl_op_out_rank(c, 0);
    if (index == NULL || levels == NULL || levels->count != 2 || !wl_op_out_count(c, 0, &count) ||
        !wl_op_out_known_dims(c, 0, out) ||
        !wl_op_axis(wl_node_attr_int(c->node, "axis", -1), rank, &axis)) {
        return;
    }
    int64_t inner = 1;
    for (int32_t k = axis + 1; k < rank; k++) {
        inner *= out[k];
    }
    struct wl_value *v = wl_value_new(c, count, levels->is_float);
    for (int64_t i = 0; v != NULL && i < count; i++) {
        int64_t at = i / (inner * out[axis]) * inner + i % inner;
        double want = at < index->count ? wl_value_float(index, at) : 0.0;
        if (want != want || at >= index->count) {
            return;
        }
        want = want < 0 ? want + (double)out[axis] : want;
        bool on = (double)(i / inner % out[axis]) == want;
        copy_element(v, i, levels, on ? 1 : 0);
    }
    wl_op_set_value(c, 0, v);
}

void wl_value_non_zero(struct wl_op_ctx *c)
{
    const struct wl_value *from;
    int64_t dims[WL_RANK_MAX];
    int64_t at[WL_RANK_MAX] = {0};
    int32_t rank = wl_op_in_rank(c, 0);
    struct wl_dim found = wl_op_out_dim(c, 0, 1);
    if (!source_get(c, 0, &from, dims) || rank < 1 || !wl_dim_is_known(found)) {
        return;
    }
    struct wl_value *v = wl_value_new(c, rank * found.value, false);
    int64_t next = 0;
    for (int64_t i = 0; v != NULL && i < from->count; i++) {
        int32_t truth = wl_value_truth(from, i);
        if (truth < 0 || next > found.value) {
            return;
        }
        for (int32_t k = 0; k < rank && truth > 0; k++) {
            v->ints[k * found.value + next] = wl_dim_known(at[k]);
        }
        next += truth;
        (void)wl_op_next_index(at, dims, rank);
    }
    wl_op_set_value(c, 0, v);
}

#define TOPK_MAX 64

/* True when element a comes before element b; ties go to the lower index. */
static bool comes_first(const struct wl_value *v, int64_t a, int64_t b, bool largest)
{
    double x = wl_value_float(v, a);
    double y = wl_value_float(v, b);
    return largest ? x > y : x < y;
}

/* Vectors of up to TOPK_MAX elements: all that shape arithmetic needs. */
void wl_value_topk(struct wl_op_ctx *c)
{
    const struct wl_value *from = wl_op_in_value(c, 0);
    struct wl_dim k = wl_op_in_scalar(c, 1);
    if (from == NULL || wl_op_in_rank(c, 0) != 1 || from->count > TOPK_MAX || !wl_dim_is_known(k) ||
        k.value > from->count || k.value < 0) {
        return;
    }
    bool largest = wl_node_attr_int(c->node, "largest", 1) != 0;
    bool taken[TOPK_MAX] = {false};
    struct wl_value *values = wl_value_new(c, k.value, from->is_float);
    struct wl_value *places = wl_value_new(c, k.value, false);
    for (int64_t i = 0; values != NULL && places != NULL && i < k.value; i++) {
        int64_t best = WL_NONE;
        for (int64_t j = 0; j < from->count; j++) {
            double x = wl_value_float(from, j);
            if (x != x) {
                return;
            }
            if (!taken[j] && (best < 0 || comes_first(from, j, best, largest))) {
                best = j;
            }
        }
        taken[best] = true;
        copy_element(values, i, from, best);
        places->ints[i] = wl_dim_known(best);
    }
    wl_op_set_value(c, 0, values);
    wl_op_set_value(c, 1, places);
}
