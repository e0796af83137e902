/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frontend/opset.c: old forms of operators raised to the newest, so that ops/ knows one form of
 * each. A rule applies to nodes of the default domain whose file imports a version below `below`.
 * Rules of one operator are listed from old to new and all that apply run in that order. What each
 * does is said beside it; where the newer version only adds types or optional arguments with the
 * old behaviour as default, no rule is needed. Source: the version history of each operator in
 * ONNX's Operators and Changelog documents.
 *
 * Constants made here carry a value and no stored bytes: they weigh nothing.
 */
#include <stdio.h>
#include <string.h>

#include "frontend_priv.h"

#define ANY INT16_MAX /* operators that are gone: whatever version the file imports */

typedef wl_status (*raise_fn)(struct wl_fe *fe, int32_t node);

struct wl_raise_rule {
    const char *op;
    int16_t below;
    raise_fn raise;
};

/* ---- editing a node ------------------------------------------------------------------------- */

static struct wl_node *node_of(struct wl_fe *fe, int32_t node)
{
    return &fe->g->nodes[node];
}

static wl_status set_input(struct wl_fe *fe, int32_t node, int32_t index, int32_t tensor)
{
    struct wl_node *n = node_of(fe, node);
    int32_t count = n->input_count > index + 1 ? n->input_count : index + 1;
    int32_t *ids = wl_arena_alloc(fe->g->arena, (size_t)count * sizeof(*ids));
    WL_TRY_PTR(ids, fe->err);
    for (int32_t i = 0; i < count; i++) {
        ids[i] = i < n->input_count ? n->inputs[i] : WL_NONE;
    }
    /* An input not yet resolved moves with its node. */
    for (int32_t f = fe->fixup_count - 1; f >= 0 && fe->fixups[f].node == node; f--) {
        int32_t *slot = fe->fixups[f].slot;
        if (slot >= n->inputs && slot < n->inputs + n->input_count) {
            fe->fixups[f].slot = ids + (slot - n->inputs);
        }
    }
    ids[index] = tensor;
    n->inputs = ids;
    n->input_count = count;
    return WL_OK;
}

/* The attribute's slot, new when absent; NULL on exhaustion. */
static struct wl_attr *attr_slot(struct wl_fe *fe, int32_t node, const char *name)
{
    struct wl_node *n = node_of(fe, node);
    struct wl_attr *attrs = WL_ARRAY(fe->g->arena, struct wl_attr, n->attr_count + 1);
    if (attrs == NULL) {
        return NULL;
    }
    int32_t at = n->attr_count;
    for (int32_t i = 0; i < n->attr_count; i++) {
        attrs[i] = n->attrs[i];
        at = wl_str_is(attrs[i].name, name) ? i : at;
    }
    attrs[at].name = wl_str(name);
    n->attrs = attrs;
    n->attr_count += at == n->attr_count ? 1 : 0;
    return &attrs[at];
}

static wl_status set_int(struct wl_fe *fe, int32_t node, const char *name, int64_t value)
{
    struct wl_attr *a = attr_slot(fe, node, name);
    WL_TRY_PTR(a, fe->err);
    a->type = WL_ATTR_INT;
    a->u.i = value;
    return WL_OK;
}

static wl_status set_str(struct wl_fe *fe, int32_t node, const char *name, const char *value)
{
    struct wl_attr *a = attr_slot(fe, node, name);
    WL_TRY_PTR(a, fe->err);
    a->type = WL_ATTR_STRING;
    a->u.s = wl_str(value);
    return WL_OK;
}

static wl_status default_int(struct wl_fe *fe, int32_t node, const char *name, int64_t value)
{
    return wl_node_attr(node_of(fe, node), name) != NULL ? WL_OK : set_int(fe, node, name, value);
}

static int32_t const_tensor(struct wl_fe *fe, int32_t node, const char *role, enum wl_dtype dtype,
                            const struct wl_value *value, bool scalar)
{
    struct wl_graph *g = fe->g;
    char *z = wl_arena_printf(&fe->work, "%.*s/%s#%d", WL_STR_ARG(g->nodes[node].name), role,
                              (int)g->tensor_count);
    int32_t name = z == NULL ? WL_NONE : wl_strmap_add(&g->names, wl_str(z));
    int32_t t = name == WL_NONE ? WL_NONE : wl_graph_add_tensor(g, name);
    if (t == WL_NONE ||
        wl_arena_reserve(&fe->work, (void **)&fe->type_of_tensor, &fe->type_capacity, t + 1,
                         sizeof(const Onnx__TypeProto *)) != WL_OK) {
        return WL_NONE;
    }
    struct wl_tensor *tensor = &g->tensors[t];
    tensor->kind = WL_TENSOR_CONSTANT;
    tensor->dtype = dtype;
    tensor->block = g->nodes[node].block;
    tensor->flags = tensor->block > 0 ? WL_TENSOR_IN_BODY : 0;
    tensor->value = value;
    tensor->rank = scalar ? 0 : 1;
    tensor->dims = WL_ARRAY(g->arena, struct wl_dim, 1);
    if (tensor->dims == NULL) {
        return WL_NONE;
    }
    tensor->dims[0] = wl_dim_known(value == NULL ? 0 : value->count);
    return t;
}

int32_t wl_fe_const_ints(struct wl_fe *fe, int32_t node, const char *role, const int64_t *values,
                         int32_t count, bool scalar)
{
    struct wl_value *v = WL_NEW(fe->g->arena, struct wl_value);
    struct wl_dim *ints = WL_ARRAY(fe->g->arena, struct wl_dim, count);
    if (v == NULL || ints == NULL || count > WL_VALUE_MAX) {
        return WL_NONE;
    }
    for (int32_t i = 0; i < count; i++) {
        ints[i] = wl_dim_known(values[i]);
    }
    v->count = count;
    v->ints = ints;
    return const_tensor(fe, node, role, WL_DT_INT64, v, scalar);
}

static int32_t const_floats(struct wl_fe *fe, int32_t node, const char *role, const double *values,
                            int32_t count, bool scalar)
{
    struct wl_value *v = WL_NEW(fe->g->arena, struct wl_value);
    double *floats = wl_arena_copy(fe->g->arena, values, (size_t)count * sizeof(*values));
    if (v == NULL || floats == NULL || count > WL_VALUE_MAX) {
        return WL_NONE;
    }
    v->count = count;
    v->floats = floats;
    v->is_float = true;
    return const_tensor(fe, node, role, WL_DT_FLOAT, v, scalar);
}

/* The ints attribute `name`, where given, becomes input `index`. */
static wl_status ints_to_input(struct wl_fe *fe, int32_t node, const char *name, int32_t index)
{
    const struct wl_attr *a = wl_node_attr(node_of(fe, node), name);
    if (a == NULL || a->type != WL_ATTR_INTS || a->count > WL_VALUE_MAX) {
        return WL_OK;
    }
    int32_t t = wl_fe_const_ints(fe, node, name, a->u.ints, a->count, false);
    return t == WL_NONE ? wl_fail_nomem(fe->err) : set_input(fe, node, index, t);
}

static wl_status float_to_input(struct wl_fe *fe, int32_t node, const char *name, int32_t index)
{
    const struct wl_attr *a = wl_node_attr(node_of(fe, node), name);
    if (a == NULL || a->type != WL_ATTR_FLOAT) {
        return WL_OK;
    }
    double value = a->u.f;
    int32_t t = const_floats(fe, node, name, &value, 1, true);
    return t == WL_NONE ? wl_fail_nomem(fe->err) : set_input(fe, node, index, t);
}

/* ---- attribute became input ------------------------------------------------------------------ */

static wl_status raise_axes(struct wl_fe *fe, int32_t node)
{
    return ints_to_input(fe, node, "axes", 1);
}

static wl_status raise_reshape(struct wl_fe *fe, int32_t node)
{
    return ints_to_input(fe, node, "shape", 1);
}

static wl_status raise_slice(struct wl_fe *fe, int32_t node)
{
    WL_TRY(ints_to_input(fe, node, "starts", 1));
    WL_TRY(ints_to_input(fe, node, "ends", 2));
    return ints_to_input(fe, node, "axes", 3);
}

static wl_status raise_pad(struct wl_fe *fe, int32_t node)
{
    WL_TRY(ints_to_input(fe, node, "paddings", 1)); /* its name in version 1 */
    WL_TRY(ints_to_input(fe, node, "pads", 1));
    return float_to_input(fe, node, "value", 2);
}

static wl_status raise_clip(struct wl_fe *fe, int32_t node)
{
    WL_TRY(float_to_input(fe, node, "min", 1));
    return float_to_input(fe, node, "max", 2);
}

static wl_status raise_topk(struct wl_fe *fe, int32_t node)
{
    const struct wl_attr *a = wl_node_attr(node_of(fe, node), "k");
    if (a == NULL || a->type != WL_ATTR_INT) {
        return WL_OK;
    }
    int64_t k = a->u.i;
    int32_t t = wl_fe_const_ints(fe, node, "k", &k, 1, false);
    return t == WL_NONE ? wl_fail_nomem(fe->err) : set_input(fe, node, 1, t);
}

static wl_status raise_dropout(struct wl_fe *fe, int32_t node)
{
    return float_to_input(fe, node, "ratio", 1);
}

static wl_status raise_split(struct wl_fe *fe, int32_t node)
{
    return ints_to_input(fe, node, "split", 1);
}

/* Before 18 an even split followed from the number of outputs. */
static wl_status raise_split_even(struct wl_fe *fe, int32_t node)
{
    const struct wl_node *n = node_of(fe, node);
    if (wl_node_input(n, 1) != WL_NONE) {
        return WL_OK;
    }
    return default_int(fe, node, "num_outputs", n->output_count);
}

/* DFT had the axis as attribute, counted without the real/imaginary axis; default 1. */
static wl_status raise_dft(struct wl_fe *fe, int32_t node)
{
    int64_t axis = wl_node_attr_int(node_of(fe, node), "axis", 1);
    int32_t t = wl_fe_const_ints(fe, node, "axis", &axis, 1, true);
    return t == WL_NONE ? wl_fail_nomem(fe->err) : set_input(fe, node, 2, t);
}

/* ---- defaults that changed ------------------------------------------------------------------ */

/* Softmax and kin flattened to two dimensions at `axis` (default 1): same shape, same work. */
static wl_status raise_softmax(struct wl_fe *fe, int32_t node)
{
    return default_int(fe, node, "axis", 1);
}

static wl_status raise_concat(struct wl_fe *fe, int32_t node)
{
    return default_int(fe, node, "axis", 1);
}

static wl_status raise_roi_align(struct wl_fe *fe, int32_t node)
{
    if (wl_node_attr(node_of(fe, node), "coordinate_transformation_mode") != NULL) {
        return WL_OK;
    }
    return set_str(fe, node, "coordinate_transformation_mode", "output_half_pixel");
}

/* "bilinear" and "bicubic" were renamed. */
static wl_status raise_grid_sample(struct wl_fe *fe, int32_t node)
{
    struct wl_str mode = wl_node_attr_str(node_of(fe, node), "mode");
    if (wl_str_is(mode, "bicubic")) {
        return set_str(fe, node, "mode", "cubic");
    }
    return wl_str_is(mode, "nearest") ? WL_OK : set_str(fe, node, "mode", "linear");
}

/* Extra outputs (mean, variance, saved ones) meant training. */
static wl_status raise_batch_norm(struct wl_fe *fe, int32_t node)
{
    struct wl_node *n = node_of(fe, node);
    bool training = false;
    for (int32_t i = 1; i < n->output_count; i++) {
        training = training || n->outputs[i] != WL_NONE;
    }
    return training ? set_int(fe, node, "training_mode", 1) : WL_OK;
}

/* The target type was a name. */
static wl_status raise_cast(struct wl_fe *fe, int32_t node)
{
    struct wl_str to = wl_node_attr_str(node_of(fe, node), "to");
    for (int t = 1; t < WL_DT_COUNT; t++) {
        if (to.len > 0 && wl_str_eq_nocase(to, wl_str(wl_dtype_name((enum wl_dtype)t)))) {
            return set_int(fe, node, "to", t);
        }
    }
    return WL_OK;
}

/* ---- renamed operators ---------------------------------------------------------------------- */

static void rename_op(struct wl_fe *fe, int32_t node, const char *name)
{
    node_of(fe, node)->op = wl_op_find(WL_STR(""), wl_str(name));
}

static wl_status raise_scatter(struct wl_fe *fe, int32_t node)
{
    rename_op(fe, node, "ScatterElements");
    return WL_OK;
}

/* How Upsample and Resize-10 sampled. */
static wl_status asymmetric(struct wl_fe *fe, int32_t node)
{
    struct wl_str mode = wl_node_attr_str(node_of(fe, node), "mode");
    if (wl_str_is(mode, "bilinear")) {
        WL_TRY(set_str(fe, node, "mode", "linear"));
    }
    WL_TRY(set_str(fe, node, "coordinate_transformation_mode", "asymmetric"));
    return set_str(fe, node, "nearest_mode", "floor");
}

/* Resize-10 (X, scales) -> (X, roi, scales). */
static wl_status raise_resize(struct wl_fe *fe, int32_t node)
{
    int32_t scales = wl_node_input(node_of(fe, node), 1);
    WL_TRY(set_input(fe, node, 2, scales));
    /* A scales tensor that is defined later is still to be resolved, into its new place. */
    for (int32_t f = fe->fixup_count - 1; f >= 0 && fe->fixups[f].node == node; f--) {
        ptrdiff_t at = fe->fixups[f].slot - node_of(fe, node)->inputs;
        fe->fixups[f].slot += at == 1 ? 1 : 0;
    }
    if (scales != WL_NONE) {
        WL_TRY(set_input(fe, node, 1, WL_NONE));
    }
    return asymmetric(fe, node);
}

/* Upsample-9 has Resize-10's inputs; 7 has scales, 1 has width_scale and height_scale (NCHW). */
static wl_status raise_upsample(struct wl_fe *fe, int32_t node)
{
    rename_op(fe, node, "Resize");
    struct wl_node *n = node_of(fe, node);
    const struct wl_attr *a = wl_node_attr(n, "scales");
    if (n->version >= 9) {
        return raise_resize(fe, node);
    }
    double nchw[4] = {1, 1, wl_node_attr_float(n, "height_scale", 1),
                      wl_node_attr_float(n, "width_scale", 1)};
    const double *scales = nchw;
    int32_t count = 4;
    if (a != NULL && a->type == WL_ATTR_FLOATS && a->count <= WL_RANK_MAX) {
        scales = a->u.floats;
        count = a->count;
    }
    int32_t t = const_floats(fe, node, "scales", scales, count, false);
    if (t == WL_NONE) {
        return wl_fail_nomem(fe->err);
    }
    WL_TRY(set_input(fe, node, 2, t));
    return asymmetric(fe, node);
}

/* ---- broadcasting before opset 7 ------------------------------------------------------------- */

/*
 * B was aligned with axis `axis` of A instead of with A's last axis: an Unsqueeze in front of B
 * adds the missing axes at B's end. How many is known once the ranks are: wl_raise_align.
 */
static wl_status align_operand(struct wl_fe *fe, int32_t node, int64_t axis)
{
    int32_t a = wl_node_input(node_of(fe, node), 0);
    int32_t b = wl_node_input(node_of(fe, node), 1);
    if (a == WL_NONE || b == WL_NONE || axis < -WL_RANK_MAX || axis > WL_RANK_MAX) {
        return WL_OK;
    }
    char *name = wl_arena_printf(fe->g->arena, "%.*s/align", WL_STR_ARG(node_of(fe, node)->name));
    char *out_name = wl_arena_printf(&fe->work, "%.*s/align#%d",
                                     WL_STR_ARG(node_of(fe, node)->name), (int)fe->g->tensor_count);
    int32_t *ids = WL_ARRAY(fe->g->arena, int32_t, 3);
    if (name == NULL || out_name == NULL || ids == NULL) {
        return wl_fail_nomem(fe->err);
    }
    int32_t block = node_of(fe, node)->block;
    int32_t id = wl_fe_add_node(fe, block, name, "Unsqueeze");
    int32_t axes = id == WL_NONE ? WL_NONE : const_tensor(fe, id, "axes", WL_DT_INT64, NULL, false);
    int32_t label = axes == WL_NONE ? WL_NONE : wl_strmap_add(&fe->g->names, wl_str(out_name));
    int32_t out = label == WL_NONE ? WL_NONE : wl_graph_add_tensor(fe->g, label);
    if (out == WL_NONE ||
        wl_arena_reserve(&fe->work, (void **)&fe->type_of_tensor, &fe->type_capacity, out + 1,
                         sizeof(const Onnx__TypeProto *)) != WL_OK ||
        wl_arena_reserve(&fe->work, (void **)&fe->aligns, &fe->align_capacity, fe->align_count + 1,
                         sizeof(*fe->aligns)) != WL_OK) {
        return wl_fail_nomem(fe->err);
    }
    fe->g->tensors[out].producer = id;
    fe->g->tensors[out].block = block;
    fe->g->tensors[out].flags = block > 0 ? WL_TENSOR_IN_BODY : 0;
    ids[0] = b;
    ids[1] = axes;
    ids[2] = out;
    struct wl_node *n = node_of(fe, id);
    n->inputs = ids;
    n->input_count = 2;
    n->outputs = &ids[2];
    n->output_count = 1;
    n->version = 13;
    fe->aligns[fe->align_count++] = (struct wl_fe_align){id, a, (int32_t)axis};
    return set_input(fe, node, 1, out);
}

static wl_status raise_broadcast(struct wl_fe *fe, int32_t node)
{
    const struct wl_node *n = node_of(fe, node);
    const struct wl_attr *axis = wl_node_attr(n, "axis");
    if (wl_node_attr_int(n, "broadcast", 0) == 0 || axis == NULL || axis->type != WL_ATTR_INT) {
        return WL_OK;
    }
    return align_operand(fe, node, axis->u.i);
}

/* The slope had one element per channel, axis 1. */
static wl_status raise_prelu(struct wl_fe *fe, int32_t node)
{
    return align_operand(fe, node, 1);
}

wl_status wl_raise_align(struct wl_fe *fe, int32_t node)
{
    int32_t low = 0;
    int32_t high = fe->align_count - 1;
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        if (fe->aligns[middle].node < node) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (high < 0 || fe->aligns[low].node != node) {
        return WL_OK;
    }
    struct wl_graph *g = fe->g;
    const struct wl_node *n = &g->nodes[node];
    const struct wl_tensor *a = &g->tensors[fe->aligns[low].a];
    const struct wl_tensor *b = &g->tensors[n->inputs[0]];
    struct wl_tensor *axes = &g->tensors[n->inputs[1]];
    if (a->rank == WL_NONE || b->rank == WL_NONE) {
        return WL_OK;
    }
    int32_t axis = fe->aligns[low].axis + (fe->aligns[low].axis < 0 ? a->rank : 0);
    int32_t missing = a->rank - axis - b->rank;
    int64_t values[WL_RANK_MAX];
    missing = missing < 0 ? 0 : missing > WL_RANK_MAX ? WL_RANK_MAX : missing;
    for (int32_t i = 0; i < missing; i++) {
        values[i] = b->rank + i;
    }
    struct wl_value *v = WL_NEW(g->arena, struct wl_value);
    struct wl_dim *ints = WL_ARRAY(g->arena, struct wl_dim, missing);
    struct wl_dim *dims = WL_ARRAY(g->arena, struct wl_dim, 1);
    if (v == NULL || ints == NULL || dims == NULL) {
        return wl_fail_nomem(fe->err);
    }
    for (int32_t i = 0; i < missing; i++) {
        ints[i] = wl_dim_known(values[i]);
    }
    v->count = missing;
    v->ints = ints;
    dims[0] = wl_dim_known(missing);
    axes->value = v;
    axes->dims = dims;
    return WL_OK;
}

/* ---- the table ------------------------------------------------------------------------------ */

/* Sorted by name, then by version. */
static const struct wl_raise_rule rules[] = {
    {"Add", 7, raise_broadcast}, /* broadcast, axis -> numpy broadcasting */
    {"And", 7, raise_broadcast},
    {"BatchNormalization", 14, raise_batch_norm}, /* outputs 1 to 4 -> training_mode */
    {"Cast", 6, raise_cast},                      /* to: string -> number */
    {"Clip", 11, raise_clip},                     /* min, max -> inputs 1, 2 */
    {"Concat", 4, raise_concat},                  /* axis: default 1 made explicit */
    {"DFT", 20, raise_dft},                       /* axis -> input 2 */
    {"Div", 7, raise_broadcast},
    {"Dropout", 12, raise_dropout}, /* ratio -> input 1; is_test ignored */
    {"Equal", 7, raise_broadcast},
    {"Greater", 7, raise_broadcast},
    {"GridSample", 20, raise_grid_sample}, /* names of modes */
    {"Hardmax", 13, raise_softmax},        /* axis: default 1 made explicit */
    {"Less", 7, raise_broadcast},
    {"LogSoftmax", 13, raise_softmax},
    {"Mul", 7, raise_broadcast},
    {"Or", 7, raise_broadcast},
    {"PRelu", 7, raise_prelu}, /* slope by channel */
    {"Pad", 11, raise_pad},    /* pads (paddings), value -> inputs 1, 2 */
    {"Pow", 7, raise_broadcast},
    {"ReduceL1", 18, raise_axes}, /* axes -> input 1 */
    {"ReduceL2", 18, raise_axes},
    {"ReduceLogSum", 18, raise_axes},
    {"ReduceLogSumExp", 18, raise_axes},
    {"ReduceMax", 18, raise_axes},
    {"ReduceMean", 18, raise_axes},
    {"ReduceMin", 18, raise_axes},
    {"ReduceProd", 18, raise_axes},
    {"ReduceSum", 13, raise_axes},
    {"ReduceSumSquare", 18, raise_axes},
    {"Reshape", 5, raise_reshape},     /* shape -> input 1 */
    {"Resize", 11, raise_resize},      /* (X, scales) -> (X, roi, scales) */
    {"RoiAlign", 16, raise_roi_align}, /* coordinate mode: default made explicit */
    {"Scatter", ANY, raise_scatter},   /* renamed ScatterElements */
    {"Slice", 10, raise_slice},        /* starts, ends, axes -> inputs 1 to 3 */
    {"Softmax", 13, raise_softmax},
    {"Split", 13, raise_split},      /* split -> input 1 */
    {"Split", 18, raise_split_even}, /* num_outputs made explicit */
    {"Squeeze", 13, raise_axes},     /* axes -> input 1 */
    {"Sub", 7, raise_broadcast},
    {"TopK", 10, raise_topk},          /* k -> input 1 */
    {"Unsqueeze", 13, raise_axes},     /* axes -> input 1 */
    {"Upsample", ANY, raise_upsample}, /* renamed Resize; scales -> input 2 */
    {"Xor", 7, raise_broadcast},
};

const struct wl_raise_rule *wl_raise_find(struct wl_str op_type)
{
    for (size_t i = 0; i < WL_ARRAY_LEN(rules); i++) {
        if (wl_str_is(op_type, rules[i].op)) {
            return &rules[i];
        }
    }
    return NULL;
}

wl_status wl_raise_node(struct wl_fe *fe, const struct wl_raise_rule *first, int32_t node)
{
    const struct wl_raise_rule *end = rules + WL_ARRAY_LEN(rules);
    for (const struct wl_raise_rule *r = first; r < end && strcmp(r->op, first->op) == 0; r++) {
        if (node_of(fe, node)->version < r->below) {
            WL_TRY(r->raise(fe, node));
        }
    }
    return WL_OK;
}
