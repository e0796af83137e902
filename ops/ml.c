/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops/ml.c: the classical models of ai.onnx.ml and the optimizer steps of ai.onnx.preview.training.
 * Shapes after ONNX's operator specification of these domains.
 *
 * Work. Linear models: N * E * C MACs and an add for an intercept. Support vectors: one product of
 * C elements for each vector (RBF: squared distance, 2a per element, and an exponential), then a
 * weighted sum. Trees: a sample walks every tree from root to leaf; depth is taken as log2 of the
 * average number of nodes in a tree (a balanced tree), one comparison and two integer operations
 * per level, one add per leaf. Maps of values by table: log2 of the table's length comparisons per
 * element. Optimizers, per element: regularisation 2a; Momentum 5a (Nesterov 2 more); Adagrad 5a 1d
 * 1s; Adam 10a 1d 1s.
 */
#include <string.h>

#include "move_priv.h"

/* Rows and columns of X: (N, C), or (C) as one row. */
static struct wl_dim samples(const struct wl_op_ctx *c)
{
    return wl_op_in_rank(c, 0) == 1 ? wl_dim_known(1) : wl_op_in_dim(c, 0, 0);
}

static int64_t list_count(const struct wl_op_ctx *c, const char *name)
{
    const struct wl_attr *a = wl_node_attr(c->node, name);
    if (a == NULL) {
        return 0;
    }
    if (a->type == WL_ATTR_TENSOR) {
        int64_t n = 1;
        for (int32_t i = 0; a->u.tensor != NULL && i < a->u.tensor->rank; i++) {
            n = wl_mul_i64(n, a->u.tensor->dims[i], &n) ? n : INT32_MAX;
        }
        return a->u.tensor == NULL ? 0 : n;
    }
    return a->count;
}

/* The first of two lists that is not empty. */
static int64_t either_count(const struct wl_op_ctx *c, const char *a, const char *b)
{
    int64_t n = list_count(c, a);
    return n > 0 ? n : list_count(c, b);
}

/* ---- element-wise ------------------------------------------------------------------------- */

wl_status wl_infer_ml_float_same(struct wl_op_ctx *c)
{
    wl_op_set_dtype(c, 0, WL_DT_FLOAT);
    wl_op_set_shape_of(c, 0, 0);
    return WL_OK;
}

/* Strings become integers and the other way. */
wl_status wl_infer_category_mapper(struct wl_op_ctx *c)
{
    enum wl_dtype in = wl_op_in_dtype(c, 0);
    enum wl_dtype out = in == WL_DT_STRING ? WL_DT_INT64 : WL_DT_STRING;
    wl_op_set_dtype(c, 0, in == WL_DT_UNDEFINED ? in : out);
    wl_op_set_shape_of(c, 0, 0);
    return WL_OK;
}

/* The type of the values; version 1 (classes_strings) maps strings to integers and back. */
wl_status wl_infer_label_encoder(struct wl_op_ctx *c)
{
    const struct wl_attr *t = wl_node_attr(c->node, "values_tensor");
    if (wl_node_attr(c->node, "classes_strings") != NULL) {
        return wl_infer_category_mapper(c);
    }
    if (t != NULL && t->type == WL_ATTR_TENSOR && t->u.tensor != NULL) {
        wl_op_set_dtype(c, 0, t->u.tensor->dtype);
    } else if (list_count(c, "values_strings") > 0) {
        wl_op_set_dtype(c, 0, WL_DT_STRING);
    } else if (list_count(c, "values_int64s") > 0) {
        wl_op_set_dtype(c, 0, WL_DT_INT64);
    } else if (list_count(c, "values_floats") > 0) {
        wl_op_set_dtype(c, 0, WL_DT_FLOAT);
    }
    wl_op_set_shape_of(c, 0, 0);
    return WL_OK;
}

void wl_cost_ml_table(struct wl_op_ctx *c, struct wl_work *w)
{
    int64_t n = wl_max_i64(either_count(c, "keys_strings", "keys_int64s"),
                           either_count(c, "keys_floats", "cats_strings"));
    n = wl_max_i64(n, list_count(c, "keys_tensor"));
    w->access = WL_ACCESS_GATHER;
    wl_work_add_k(c, w, WL_WORK_INTEGER, wl_log2_ceil(wl_dim_known(n), 1), wl_op_in_elems(c, 0));
}

/* (x - offset) * scale. */
void wl_cost_scaler(struct wl_op_ctx *c, struct wl_work *w)
{
    w->access = WL_ACCESS_STREAM;
    wl_work_add_k(c, w, WL_WORK_ADDMUL, 2, wl_op_in_elems(c, 0));
}

/* By MAX, L1 or L2 of each row. */
void wl_cost_normalizer(struct wl_op_ctx *c, struct wl_work *w)
{
    struct wl_str norm = wl_node_attr_str(c->node, "norm");
    struct wl_dim n = wl_op_in_elems(c, 0);
    w->access = WL_ACCESS_REDUCE;
    if (wl_str_is(norm, "L1") || wl_str_is(norm, "L2")) {
        wl_work_add_k(c, w, WL_WORK_ADDMUL, 2, n);
    } else {
        wl_work_add(c, w, WL_WORK_COMPARE, n);
    }
    wl_work_add(c, w, WL_WORK_DIVIDE, n);
    wl_work_add(c, w, WL_WORK_SPECIAL, wl_str_is(norm, "L2") ? samples(c) : wl_dim_known(0));
}

/* ---- features ----------------------------------------------------------------------------- */

/* Columns that Y lists: (..., n) -> (..., k); a vector becomes one row. */
wl_status wl_infer_array_feature(struct wl_op_ctx *c)
{
    const struct wl_tensor *x = wl_op_in(c, 0);
    struct wl_dim dims[WL_RANK_MAX];
    wl_op_same_dtype(c, 0, 0);
    if (x == NULL || x->rank < 1) {
        return WL_OK;
    }
    int32_t rank = x->rank == 1 ? 2 : x->rank;
    dims[0] = wl_dim_known(1);
    for (int32_t i = 0; i < x->rank - 1; i++) {
        dims[i] = x->dims[i];
    }
    dims[rank - 1] = wl_op_in_elems(c, 1);
    return wl_op_set_shape(c, 0, rank, dims);
}

/* One more axis of as many columns as categories. */
wl_status wl_infer_ml_one_hot(struct wl_op_ctx *c)
{
    const struct wl_tensor *x = wl_op_in(c, 0);
    struct wl_dim dims[WL_RANK_MAX];
    wl_op_set_dtype(c, 0, WL_DT_FLOAT);
    if (x == NULL || x->rank < 0 || x->rank >= WL_RANK_MAX) {
        return WL_OK;
    }
    for (int32_t i = 0; i < x->rank; i++) {
        dims[i] = x->dims[i];
    }
    dims[x->rank] = wl_dim_known(either_count(c, "cats_int64s", "cats_strings"));
    return wl_op_set_shape(c, 0, x->rank + 1, dims);
}

void wl_cost_ml_one_hot(struct wl_op_ctx *c, struct wl_work *w)
{
    w->access = WL_ACCESS_STREAM;
    wl_work_add(c, w, WL_WORK_INTEGER, wl_op_out_elems(c, 0));
}

/* (N, C1), (N, C2) ... -> (N, sum of inputdimensions). */
wl_status wl_infer_feature_vectorizer(struct wl_op_ctx *c)
{
    int64_t widths[64];
    int32_t n = wl_op_attr_ints(c, "inputdimensions", widths, 64);
    struct wl_dim sum = wl_dim_known(0);
    for (int32_t i = 0; i < n; i++) {
        sum = wl_dim_add_k(wl_op_pool(c), sum, widths[i]);
    }
    struct wl_dim dims[2] = {samples(c), n < 0 ? wl_dim_unknown() : sum};
    return wl_op_set(c, 0, WL_DT_FLOAT, 2, dims);
}

/* A map becomes a row: dense rows are as long as the map, sparse ones max_map. */
wl_status wl_infer_cast_map(struct wl_op_ctx *c)
{
    struct wl_str to = wl_node_attr_str(c->node, "cast_to");
    bool sparse = wl_str_is(wl_node_attr_str(c->node, "map_form"), "SPARSE");
    enum wl_dtype t = wl_str_is(to, "TO_STRING")  ? WL_DT_STRING
                      : wl_str_is(to, "TO_INT64") ? WL_DT_INT64
                                                  : WL_DT_FLOAT;
    int64_t n = wl_node_attr_int(c->node, "max_map", 1);
    struct wl_dim dims[2] = {wl_dim_known(1), sparse && n > 0 ? wl_dim_known(n) : wl_dim_unknown()};
    return wl_op_set(c, 0, t, 2, dims);
}

wl_status wl_infer_dict_vectorizer(struct wl_op_ctx *c)
{
    int64_t n = either_count(c, "int64_vocabulary", "string_vocabulary");
    struct wl_dim dims[2] = {wl_dim_known(1), wl_dim_known(n)};
    return wl_op_set_shape(c, 0, 2, dims); /* the type is that of the map's values */
}

wl_status wl_infer_zip_map(struct wl_op_ctx *c)
{
    struct wl_tensor *y = wl_op_out(c, 0);
    if (y != NULL) {
        y->type_kind = WL_TYPE_MAP;
    }
    return WL_OK;
}

/* ---- linear models and support vectors ---------------------------------------------------- */

/* Labels (N) and scores (N, classes). */
static wl_status set_classes(struct wl_op_ctx *c, struct wl_dim columns)
{
    bool strings = list_count(c, "classlabels_strings") > 0;
    struct wl_dim n = samples(c);
    struct wl_dim dims[2] = {n, columns};
    WL_TRY(wl_op_set(c, 0, strings ? WL_DT_STRING : WL_DT_INT64, 1, &n));
    return wl_op_set(c, 1, WL_DT_FLOAT, 2, dims);
}

static struct wl_dim class_count(const struct wl_op_ctx *c, const char *ints)
{
    int64_t n = either_count(c, ints, "classlabels_strings");
    return n > 0 ? wl_dim_known(n) : wl_dim_unknown();
}

wl_status wl_infer_linear_classifier(struct wl_op_ctx *c)
{
    return set_classes(c, class_count(c, "classlabels_ints"));
}

wl_status wl_infer_linear_regressor(struct wl_op_ctx *c)
{
    int64_t targets = wl_node_attr_int(c->node, "targets", 1);
    struct wl_dim dims[2] = {samples(c), targets > 0 ? wl_dim_known(targets) : wl_dim_unknown()};
    return wl_op_set(c, 0, WL_DT_FLOAT, 2, dims);
}

/* exp, sum and division, or a logistic function, of the scores. */
static void post_transform(struct wl_op_ctx *c, struct wl_work *w, struct wl_dim n)
{
    struct wl_str how = wl_node_attr_str(c->node, "post_transform");
    if (wl_str_is(how, "SOFTMAX") || wl_str_is(how, "SOFTMAX_ZERO")) {
        wl_work_softmax(c, w, n);
    } else if (wl_str_is(how, "LOGISTIC")) {
        wl_work_add_k(c, w, WL_WORK_ADDMUL, 2, n);
        wl_work_add(c, w, WL_WORK_DIVIDE, n);
        wl_work_add(c, w, WL_WORK_SPECIAL, n);
    } else if (wl_str_is(how, "PROBIT")) {
        wl_work_add(c, w, WL_WORK_SPECIAL, n);
    }
}

/* One MAC per coefficient and sample. */
void wl_cost_linear_model(struct wl_op_ctx *c, struct wl_work *w)
{
    struct wl_dim_pool *p = wl_op_pool(c);
    struct wl_dim columns = wl_op_in_dim(c, 0, -1);
    struct wl_dim coefficients = wl_dim_known(list_count(c, "coefficients"));
    struct wl_dim rows = wl_dim_exact_div(p, coefficients, columns);
    int32_t scores = c->node->output_count > 1 ? 1 : 0;
    w->access = WL_ACCESS_STREAM;
    wl_work_add_gemm(c, w, (struct wl_gemm){wl_dim_known(1), samples(c), rows, columns});
    if (list_count(c, "intercepts") > 0) {
        wl_work_add(c, w, WL_WORK_ADDMUL, wl_dim_mul(p, samples(c), rows));
    }
    post_transform(c, w, wl_op_out_elems(c, scores));
}

/* With probabilities one column per class; without, the layout depends on the runtime. */
wl_status wl_infer_svm_classifier(struct wl_op_ctx *c)
{
    bool proba = list_count(c, "prob_a") > 0;
    struct wl_dim classes = class_count(c, "classlabels_ints");
    return set_classes(c, proba ? classes : wl_dim_unknown());
}

wl_status wl_infer_svm_regressor(struct wl_op_ctx *c)
{
    struct wl_dim dims[2] = {samples(c), wl_dim_known(1)};
    return wl_op_set(c, 0, WL_DT_FLOAT, 2, dims);
}

void wl_cost_svm(struct wl_op_ctx *c, struct wl_work *w)
{
    struct wl_dim_pool *p = wl_op_pool(c);
    struct wl_dim columns = wl_op_in_dim(c, 0, -1);
    struct wl_dim stored = wl_dim_known(list_count(c, "support_vectors"));
    struct wl_dim vectors = wl_dim_exact_div(p, stored, columns);
    struct wl_str kernel = wl_node_attr_str(c->node, "kernel_type");
    struct wl_dim pairs = wl_dim_mul(p, samples(c), vectors);
    w->access = WL_ACCESS_STREAM;
    if (wl_str_is(kernel, "RBF")) {
        wl_work_add_k(c, w, WL_WORK_ADDMUL, 3, wl_dim_mul(p, pairs, columns));
    } else {
        wl_work_add_gemm(c, w, (struct wl_gemm){wl_dim_known(1), samples(c), vectors, columns});
    }
    bool special =
        wl_str_is(kernel, "RBF") || wl_str_is(kernel, "SIGMOID") || wl_str_is(kernel, "POLY");
    wl_work_add_k(c, w, WL_WORK_SPECIAL, special ? 1 : 0, pairs);
    wl_work_add(c, w, WL_WORK_ADDMUL, wl_dim_mul_k(p, samples(c), list_count(c, "coefficients")));
}

/* ---- trees -------------------------------------------------------------------------------- */

wl_status wl_infer_tree_classifier(struct wl_op_ctx *c)
{
    return set_classes(c, class_count(c, "classlabels_int64s"));
}

static wl_status set_targets(struct wl_op_ctx *c, enum wl_dtype dtype)
{
    int64_t n = wl_node_attr_int(c->node, "n_targets", 0);
    struct wl_dim dims[2] = {samples(c), n > 0 ? wl_dim_known(n) : wl_dim_unknown()};
    return wl_op_set(c, 0, dtype, 2, dims);
}

wl_status wl_infer_tree_regressor(struct wl_op_ctx *c)
{
    return set_targets(c, WL_DT_FLOAT);
}

/* TreeEnsemble: the type of X. */
wl_status wl_infer_tree_ensemble(struct wl_op_ctx *c)
{
    return set_targets(c, wl_op_in_dtype(c, 0));
}

/* Number of trees: roots, or the runs of equal ids (nodes of a tree lie together). */
static int64_t tree_count(const struct wl_op_ctx *c)
{
    const struct wl_attr *a = wl_node_attr(c->node, "nodes_treeids");
    int64_t trees = list_count(c, "tree_roots");
    if (a == NULL || a->type != WL_ATTR_INTS) {
        return wl_max_i64(trees, 1);
    }
    for (int32_t i = 0; i < a->count; i++) {
        trees += i == 0 || a->u.ints[i] != a->u.ints[i - 1];
    }
    return wl_max_i64(trees, 1);
}

void wl_cost_trees(struct wl_op_ctx *c, struct wl_work *w)
{
    int64_t trees = tree_count(c);
    int64_t nodes = wl_max_i64(list_count(c, "nodes_featureids"), 1);
    int64_t depth = wl_log2_ceil(wl_dim_known(nodes / trees), 1);
    struct wl_dim walks = wl_dim_mul_k(wl_op_pool(c), samples(c), trees);
    int32_t scores = c->node->output_count > 1 ? 1 : 0;
    w->access = WL_ACCESS_GATHER;
    wl_work_add_k(c, w, WL_WORK_COMPARE, depth, walks);
    wl_work_add_k(c, w, WL_WORK_INTEGER, 2 * depth, walks);
    wl_work_add(c, w, WL_WORK_ADDMUL, walks);
    post_transform(c, w, wl_op_out_elems(c, scores));
}

/* ---- optimizers --------------------------------------------------------------------------- */

/*
 * Inputs: rate, step, then `groups` lists of equal length: values, gradients, one or two states.
 * Outputs: new values, then the new states.
 */
static wl_status infer_optimizer(struct wl_op_ctx *c, int32_t groups)
{
    int32_t n = (c->node->input_count - 2) / groups;
    for (int32_t o = 0; n > 0 && o < c->node->output_count; o++) {
        int32_t group = o / n == 0 ? 0 : o / n + 1;
        wl_op_set_same(c, o, 2 + group * n + o % n);
    }
    return WL_OK;
}

wl_status wl_infer_momentum(struct wl_op_ctx *c)
{
    return infer_optimizer(c, 3);
}

wl_status wl_infer_adam(struct wl_op_ctx *c)
{
    return infer_optimizer(c, 4);
}

static struct wl_dim optimized_elems(const struct wl_op_ctx *c, int32_t groups)
{
    struct wl_dim sum = wl_dim_known(0);
    for (int32_t i = 0; i < (c->node->input_count - 2) / groups; i++) {
        sum = wl_dim_add(wl_op_pool(c), sum, wl_op_in_elems(c, 2 + i));
    }
    return sum;
}

void wl_cost_momentum(struct wl_op_ctx *c, struct wl_work *w)
{
    bool nesterov = wl_str_is(wl_node_attr_str(c->node, "mode"), "nesterov");
    w->access = WL_ACCESS_STREAM;
    wl_work_add_k(c, w, WL_WORK_ADDMUL, nesterov ? 9 : 7, optimized_elems(c, 3));
}

void wl_cost_adagrad(struct wl_op_ctx *c, struct wl_work *w)
{
    struct wl_dim n = optimized_elems(c, 3);
    w->access = WL_ACCESS_STREAM;
    wl_work_add_k(c, w, WL_WORK_ADDMUL, 7, n);
    wl_work_add(c, w, WL_WORK_DIVIDE, n);
    wl_work_add(c, w, WL_WORK_SPECIAL, n);
}

void wl_cost_adam(struct wl_op_ctx *c, struct wl_work *w)
{
    struct wl_dim n = optimized_elems(c, 4);
    w->access = WL_ACCESS_STREAM;
    wl_work_add_k(c, w, WL_WORK_ADDMUL, 12, n);
    wl_work_add(c, w, WL_WORK_DIVIDE, n);
    wl_work_add(c, w, WL_WORK_SPECIAL, n);
}

/* A derivative with respect to each of the first inputs (attribute xs), shaped like it. */
wl_status wl_infer_gradient(struct wl_op_ctx *c)
{
    for (int32_t o = 0; o < c->node->output_count; o++) {
        wl_op_set_same(c, o, o);
    }
    wl_op_diag(c, WL_SEV_WARNING, "not-modelled",
               "the backward pass that Gradient stands for is not counted");
    return WL_OK;
}
