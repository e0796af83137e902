/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pipeline/denormals.c: masks that make probabilities too small for normal numbers. exp(x) in fp32
 * is denormal where it lies below 2^-126 and does not round to zero: for x from ln 2^-150 = -103.97
 * to ln 2^-126 = -87.34. A mask of -100 (Swin's shifted windows) does that to every masked pair,
 * and x86 cores take an assist of microcode for each operation on such a number: measured with ONNX
 * Runtime 1.30 on a Xeon with AVX-512, softmax takes 7 ns more per such result, and the product
 * that reads them twelve times as long. No model of time has that; it is said.
 *
 * Looked for: a float constant of that range from which the logits of a softmax are made by
 * element-wise operators, views and copies alone. Initializers of more than a thousand floats,
 * which the graph does not carry, are read from the file up to 4 MB; data in other files is not
 * seen.
 */
#include <string.h>

#include "pipeline_priv.h"

#define EXPONENT_OF_ZERO (-103.97)
#define EXPONENT_OF_NORMAL (-87.34)
#define WALK_MAX 64          /* tensors behind one softmax: masks are made by a dozen nodes */
#define STORED_MAX (1 << 20) /* elements of an initializer that is read from the file */
#define READS_MAX 256        /* initializers of a model that are */

struct search {
    const struct wl_model *model;
    int32_t reads;
};

static bool has_denormal(const struct wl_value *v)
{
    bool found = false;
    for (int64_t i = 0; v->floats != NULL && i < v->count && !found; i++) {
        found = v->floats[i] > EXPONENT_OF_ZERO && v->floats[i] < EXPONENT_OF_NORMAL;
    }
    return found;
}

static bool makes_denormals(struct search *s, int32_t tensor)
{
    const struct wl_tensor *t = &s->model->graph.tensors[tensor];
    if (t->dtype != WL_DT_FLOAT) {
        return false;
    }
    if (t->value != NULL) {
        return has_denormal(t->value);
    }
    bool stored = t->kind == WL_TENSOR_INITIALIZER && t->stored_elems > 0 &&
                  t->stored_elems <= STORED_MAX && s->reads < READS_MAX;
    s->reads += stored ? 1 : 0;
    return stored &&
           wl_model_has_floats_between(s->model, tensor, EXPONENT_OF_ZERO, EXPONENT_OF_NORMAL);
}

static bool keeps_values(const struct wl_node *n)
{
    return n->op != NULL && (n->op->kind == WL_OPK_MAP || n->op->kind == WL_OPK_VIEW ||
                             n->op->kind == WL_OPK_MOVE || n->op->kind == WL_OPK_CONST);
}

static bool is_listed(const int32_t *list, int32_t count, int32_t tensor)
{
    for (int32_t i = 0; i < count; i++) {
        if (list[i] == tensor) {
            return true;
        }
    }
    return false;
}

/* Breadth first from the logits back, by tensors. */
static bool is_masked(struct search *s, int32_t logits)
{
    const struct wl_graph *g = &s->model->graph;
    int32_t seen[WALK_MAX] = {logits};
    int32_t count = 1;
    for (int32_t at = 0; at < count; at++) {
        if (makes_denormals(s, seen[at])) {
            return true;
        }
        int32_t producer = g->tensors[seen[at]].producer;
        const struct wl_node *n = producer == WL_NONE ? NULL : &g->nodes[producer];
        for (int32_t i = 0; n != NULL && keeps_values(n) && i < n->input_count; i++) {
            int32_t in = n->inputs[i];
            if (in != WL_NONE && count < WALK_MAX && !is_listed(seen, count, in)) {
                seen[count++] = in;
            }
        }
    }
    return false;
}

/* Arm cores and GPUs multiply denormal numbers at full speed. */
static bool is_x86(const struct wl_device *d)
{
    bool found = false;
    for (int32_t i = 0; i < d->pipe_count; i++) {
        const char *name = d->pipes[i].name;
        found = found || strncmp(name, "avx", 3) == 0 || strncmp(name, "sse", 3) == 0;
    }
    return d->class == WL_HW_CPU && found;
}

void wl_denormals_find(const struct wl_model *model, struct wl_masked *out)
{
    const struct wl_graph *g = &model->graph;
    struct search s = {.model = model};
    *out = (struct wl_masked){.count = 0};
    for (int32_t i = 0; i < g->schedule_count; i++) {
        const struct wl_node *n = &g->nodes[g->schedule[i]];
        bool softmax = n->op != NULL && n->op->kind == WL_OPK_SOFTMAX && n->input_count > 0 &&
                       n->inputs[0] != WL_NONE;
        if (softmax && is_masked(&s, n->inputs[0])) {
            if (out->count < WL_MASKED_SHOWN) {
                out->nodes[out->count] = g->schedule[i];
            }
            out->count++;
        }
    }
}

/* "/a/Softmax, /b/Softmax and 3 more" */
static void list_masked(const struct wl_prepared *p, struct wl_buf *out)
{
    int32_t shown = p->masked.count < WL_MASKED_SHOWN ? p->masked.count : WL_MASKED_SHOWN;
    for (int32_t i = 0; i < shown; i++) {
        struct wl_str name = p->model->graph.nodes[p->masked.nodes[i]].name;
        wl_buf_printf(out, "%s%.*s", i > 0 ? ", " : "", (int)(name.len < 64 ? name.len : 64),
                      name.data);
    }
    if (p->masked.count > shown) {
        wl_buf_printf(out, " and %d more", (int)(p->masked.count - shown));
    }
}

void wl_denormals_note(const struct wl_prepared *prepared, const struct wl_device *d,
                       const struct wl_precision_policy *policy, struct wl_diag_list *diags)
{
    bool floats = policy->activations == WL_PREC_NATIVE || policy->activations == WL_PREC_FP32;
    if (prepared->masked.count == 0 || !floats || !is_x86(d)) {
        return;
    }
    struct wl_buf names;
    wl_buf_init(&names);
    list_masked(prepared, &names);
    wl_diag_add(
        diags, WL_SEV_INFO, "denormal-mask", names.data == NULL ? "softmax" : names.data,
        "the mask's exponential is a denormal number in fp32, as of -100; unless the runtime "
        "flushes such to zero, x86 takes some ten times as long as predicted for products "
        "of them (ONNX Runtime: session.set_denormal_as_zero; a mask of -1e4 leaves the product "
        "none)");
    wl_buf_done(&names);
}
