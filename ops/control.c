/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops/control.c: If, Loop, Scan, SequenceMap: types go into the bodies, bodies are inferred through
 * the context, types come out. How often a body runs, and which branch of an If is charged, is
 * decided after inference (frontend/repeat.c).
 *
 * Loops. A carried value may change its shape from one iteration to the next: the body is inferred
 * with the initial types, then with what initial and resulting types have in common, then with
 * nothing known of what still differs, at last with nothing known of any, so that the answer holds
 * for every iteration. In bodies nested deeper than DEPTH_EXACT only the last is done, which bounds
 * the time.
 *
 * Trip counts. Known when the limit M is and the condition stays true as far as values are known;
 * else the symbol "loop:<node>", which --dim can bind. An If with an unknown condition has the
 * common type of its branches.
 */
#include <stdio.h>

#include "move_priv.h"

#define DEPTH_EXACT 3
#define PASSES_MAX 4
#define TRIP_MAX (INT64_C(1) << 31) /* exporters write "no limit" as INT64_MAX */

/* What inference knows of a tensor. */
struct type_state {
    enum wl_dtype dtype;
    enum wl_type_kind kind;
    int32_t rank;
    struct wl_dim *dims;
    struct wl_dim length;
    const struct wl_value *value;
};

static struct type_state type_get(const struct wl_graph *g, int32_t tensor)
{
    if (tensor < 0) {
        return (struct type_state){.kind = WL_TYPE_UNKNOWN, .rank = WL_NONE};
    }
    const struct wl_tensor *t = &g->tensors[tensor];
    return (struct type_state){t->dtype, t->type_kind, t->rank, t->dims, t->length, t->value};
}

static void type_set(struct wl_graph *g, int32_t tensor, const struct type_state *s)
{
    if (tensor < 0) {
        return;
    }
    struct wl_tensor *t = &g->tensors[tensor];
    t->dtype = s->dtype;
    t->type_kind = s->kind;
    t->rank = s->rank;
    t->dims = s->dims;
    t->length = s->length;
    t->value = s->value;
}

static bool value_same(const struct wl_value *a, const struct wl_value *b)
{
    if (a == b) {
        return true;
    }
    if (a == NULL || b == NULL || a->count != b->count || a->is_float != b->is_float) {
        return false;
    }
    for (int64_t i = 0; i < a->count; i++) {
        bool same = a->is_float ? a->floats[i] == b->floats[i] : wl_dim_eq(a->ints[i], b->ints[i]);
        if (!same) {
            return false;
        }
    }
    return true;
}

static bool dim_same(struct wl_dim a, struct wl_dim b)
{
    return wl_dim_eq(a, b) || (wl_dim_is_unknown(a) && wl_dim_is_unknown(b));
}

static bool type_same(const struct type_state *a, const struct type_state *b)
{
    if (a->dtype != b->dtype || a->kind != b->kind || a->rank != b->rank ||
        !value_same(a->value, b->value)) {
        return false;
    }
    for (int32_t i = 0; i < a->rank; i++) {
        if (!dim_same(a->dims[i], b->dims[i])) {
            return false;
        }
    }
    return a->kind != WL_TYPE_SEQUENCE || dim_same(a->length, b->length);
}

/* What holds for both. NULL dims of the result only where memory is exhausted. */
static wl_status type_join(struct wl_op_ctx *c, const struct type_state *a,
                           const struct type_state *b, struct type_state *out)
{
    struct type_state s = *a;
    s.dtype = a->dtype == b->dtype ? a->dtype : WL_DT_UNDEFINED;
    s.kind = a->kind == b->kind ? a->kind : WL_TYPE_UNKNOWN;
    s.length = wl_dim_eq(a->length, b->length) ? a->length : wl_dim_unknown();
    s.value = value_same(a->value, b->value) ? a->value : NULL;
    s.rank = a->rank == b->rank ? a->rank : WL_NONE;
    s.dims = NULL;
    if (s.rank >= 0) {
        s.dims = WL_ARRAY(c->g->arena, struct wl_dim, s.rank);
        WL_TRY_PTR(s.dims, c->err);
    }
    for (int32_t i = 0; i < s.rank; i++) {
        s.dims[i] = wl_dim_eq(a->dims[i], b->dims[i]) ? a->dims[i] : wl_dim_unknown();
    }
    *out = s;
    return WL_OK;
}

/* Only the element type is kept. */
static struct type_state type_widen(struct type_state s)
{
    s.rank = WL_NONE;
    s.dims = NULL;
    s.value = NULL;
    s.length = wl_dim_unknown();
    return s;
}

/* `s` with an axis of extent `extent` put in at `axis` (counted in the result; may be negative). */
static wl_status type_insert_axis(struct wl_op_ctx *c, struct type_state *s, int64_t axis,
                                  struct wl_dim extent)
{
    int32_t at;
    s->value = NULL;
    if (s->rank < 0 || s->rank >= WL_RANK_MAX || !wl_op_axis(axis, s->rank + 1, &at)) {
        s->rank = WL_NONE;
        return WL_OK;
    }
    struct wl_dim *dims = WL_ARRAY(c->g->arena, struct wl_dim, s->rank + 1);
    WL_TRY_PTR(dims, c->err);
    for (int32_t i = 0; i <= s->rank; i++) {
        dims[i] = i == at ? extent : s->dims[i < at ? i : i - 1];
    }
    s->dims = dims;
    s->rank++;
    return WL_OK;
}

/* `s` without the axis; *extent gets what it had. */
static wl_status type_remove_axis(struct wl_op_ctx *c, struct type_state *s, int64_t axis,
                                  struct wl_dim *extent)
{
    int32_t at;
    *extent = wl_dim_unknown();
    s->value = NULL;
    if (!wl_op_axis(axis, s->rank, &at)) {
        s->rank = WL_NONE;
        return WL_OK;
    }
    struct wl_dim *dims = WL_ARRAY(c->g->arena, struct wl_dim, s->rank);
    WL_TRY_PTR(dims, c->err);
    *extent = s->dims[at];
    for (int32_t i = 0; i < s->rank - 1; i++) {
        dims[i] = s->dims[i < at ? i : i + 1];
    }
    s->dims = dims;
    s->rank--;
    return WL_OK;
}

/* ---- bodies ------------------------------------------------------------------------------- */

/* The body that attribute `name` holds, or WL_NONE. */
static int32_t body_get(const struct wl_op_ctx *c, const char *name)
{
    const struct wl_attr *a = wl_node_attr(c->node, name);
    bool given =
        a != NULL && a->type == WL_ATTR_BLOCK && a->u.block >= 0 && a->u.block < c->g->block_count;
    return given ? a->u.block : WL_NONE;
}

static int32_t block_depth(const struct wl_graph *g, int32_t block)
{
    int32_t depth = 0;
    while (block > 0 && depth < 64) {
        block = g->blocks[block].parent_block;
        depth++;
    }
    return depth;
}

static wl_status infer_body(struct wl_op_ctx *c, int32_t block)
{
    return c->infer_block == NULL ? WL_OK : c->infer_block(c->user, block, c->err);
}

/* ---- trip counts -------------------------------------------------------------------------- */

/* The symbol "loop:<node>": its bound value, or symbolic. */
static struct wl_dim trip_symbol(struct wl_op_ctx *c, struct wl_dim upper)
{
    char name[256];
    int len = (int)wl_min_i64((int64_t)c->node->name.len, 200);
    (void)snprintf(name, sizeof(name), "loop:%.*s", len, c->node->name.data);
    return wl_dim_data_symbol(wl_op_pool(c), name, upper);
}

/*
 * Dims of output `o` that are unknown get a name, "<node>.<o>.<axis>", so that --dim can say them;
 * the larger of the two sizes that a branch may give is an upper bound.
 */
static void name_dims(struct wl_op_ctx *c, int32_t o, const struct type_state *a,
                      const struct type_state *b, struct type_state *s)
{
    for (int32_t i = 0; i < s->rank; i++) {
        if (!wl_dim_is_unknown(s->dims[i])) {
            continue;
        }
        char what[32];
        bool bounded = wl_dim_is_known(a->dims[i]) && wl_dim_is_known(b->dims[i]);
        struct wl_dim upper =
            bounded ? wl_dim_max(wl_op_pool(c), a->dims[i], b->dims[i]) : wl_dim_unknown();
        (void)snprintf(what, sizeof(what), "%d.%d", (int)o, (int)i);
        s->dims[i] = wl_op_data_dim(c, what, upper);
    }
}

/* ---- If ----------------------------------------------------------------------------------- */

static wl_status if_outputs(struct wl_op_ctx *c, int32_t then_block, int32_t else_block)
{
    struct wl_graph *g = c->g;
    for (int32_t o = 0; o < c->node->output_count; o++) {
        struct type_state s = {.kind = WL_TYPE_UNKNOWN, .rank = WL_NONE};
        struct type_state t = s;
        bool in_then = then_block >= 0 && o < g->blocks[then_block].output_count;
        bool in_else = else_block >= 0 && o < g->blocks[else_block].output_count;
        s = in_then ? type_get(g, g->blocks[then_block].outputs[o]) : s;
        t = in_else ? type_get(g, g->blocks[else_block].outputs[o]) : t;
        if (then_block < 0) {
            s = t;
        } else if (else_block >= 0) {
            struct type_state joined;
            WL_TRY(type_join(c, &s, &t, &joined));
            name_dims(c, o, &s, &t, &joined);
            s = joined;
        }
        type_set(g, wl_node_output(c->node, o), &s);
    }
    return WL_OK;
}

wl_status wl_infer_if(struct wl_op_ctx *c)
{
    int32_t then_block = body_get(c, "then_branch");
    int32_t else_block = body_get(c, "else_branch");
    const struct wl_value *cond = wl_op_in_value(c, 0);
    int32_t truth = cond != NULL && cond->count == 1 ? wl_value_truth(cond, 0) : WL_NONE;
    if (then_block < 0 || else_block < 0) {
        return WL_OK;
    }
    if (truth != 0) {
        WL_TRY(infer_body(c, then_block));
    }
    if (truth <= 0) {
        WL_TRY(infer_body(c, else_block));
    }
    return if_outputs(c, truth == 0 ? WL_NONE : then_block, truth > 0 ? WL_NONE : else_block);
}

/* Values came out with the types. */
void wl_value_if(struct wl_op_ctx *c)
{
    (void)c;
}

/* ---- carried values, for Loop and Scan ---------------------------------------------------- */

struct carried {
    int32_t block;
    int32_t count;            /* carried values */
    int32_t first_in;         /* of them among the body's inputs */
    int32_t first_out;        /* and outputs */
    struct type_state *state; /* what holds before every iteration */
    bool single;              /* exactly one iteration: no need to join */
};

/* One pass: types in, inference, join of state and result; *stable when nothing changed. */
static wl_status carried_pass(struct wl_op_ctx *c, struct carried *k, bool widen, bool *stable)
{
    const struct wl_block *b = &c->g->blocks[k->block];
    for (int32_t i = 0; i < k->count; i++) {
        if (k->state[i].kind != WL_TYPE_UNKNOWN) { /* else what the file declares stands */
            type_set(c->g, b->inputs[k->first_in + i], &k->state[i]);
        }
    }
    WL_TRY(infer_body(c, k->block));
    b = &c->g->blocks[k->block];
    *stable = true;
    for (int32_t i = 0; i < k->count && !k->single; i++) {
        struct type_state out = type_get(c->g, b->outputs[k->first_out + i]);
        struct type_state next;
        WL_TRY(type_join(c, &k->state[i], &out, &next));
        if (!type_same(&next, &k->state[i])) {
            *stable = false;
            k->state[i] = widen ? type_widen(next) : next;
        }
    }
    return WL_OK;
}

static void carried_widen(struct carried *k)
{
    for (int32_t i = 0; i < k->count && !k->single; i++) {
        k->state[i] = type_widen(k->state[i]);
    }
}

static wl_status carried_fix(struct wl_op_ctx *c, struct carried *k)
{
    bool stable = false;
    bool deep = block_depth(c->g, k->block) > DEPTH_EXACT;
    if (deep) {
        carried_widen(k);
    }
    for (int32_t pass = deep ? PASSES_MAX : 1; pass <= PASSES_MAX && !stable; pass++) {
        WL_TRY(carried_pass(c, k, pass >= 2, &stable));
        if (!stable && pass == PASSES_MAX - 1) {
            carried_widen(k);
        }
    }
    return WL_OK;
}

/* Types of the carried values after the last iteration; `maybe_none`: there may be no iteration. */
static void carried_out(struct wl_op_ctx *c, const struct carried *k, bool maybe_none)
{
    const struct wl_block *b = &c->g->blocks[k->block];
    for (int32_t i = 0; i < k->count; i++) {
        struct type_state s =
            maybe_none ? k->state[i] : type_get(c->g, b->outputs[k->first_out + i]);
        type_set(c->g, wl_node_output(c->node, i), &s);
    }
}

/* ---- Loop --------------------------------------------------------------------------------- */

/* The limit M: known, symbolic, or unknown (omitted or "no limit" too). */
static struct wl_dim loop_limit(const struct wl_op_ctx *c)
{
    struct wl_dim m = wl_op_in_scalar(c, 0);
    if (!wl_op_has_in(c, 0) || (wl_dim_is_known(m) && m.value >= TRIP_MAX)) {
        return wl_dim_unknown();
    }
    return wl_dim_is_known(m) && m.value < 0 ? wl_dim_known(0) : m;
}

/* Trip count for what is known of the condition before (`first`) and after (`next`) an iteration.
 */
static struct wl_dim loop_trip(struct wl_op_ctx *c, struct wl_dim m, int32_t first, int32_t next,
                               bool *own_symbol)
{
    *own_symbol = false;
    if (first == 0 || wl_dim_is(m, 0)) {
        return wl_dim_known(0);
    }
    if (first > 0 && (next == 0 || wl_dim_is(m, 1)) && !wl_dim_is_symbolic(m)) {
        return wl_dim_known(1);
    }
    if (first > 0 && next > 0 && !wl_dim_is_unknown(m)) {
        return m;
    }
    *own_symbol = true;
    return trip_symbol(c, m);
}

/* Gives a body input its element type and, where the file does not say, the shape of a scalar. */
static struct wl_tensor *body_scalar(struct wl_op_ctx *c, int32_t tensor, enum wl_dtype dtype)
{
    if (tensor < 0) {
        return NULL;
    }
    struct wl_tensor *t = &c->g->tensors[tensor];
    t->dtype = dtype;
    t->type_kind = WL_TYPE_TENSOR;
    t->rank = t->rank < 0 ? 0 : t->rank;
    return t;
}

static int32_t truth_of(const struct wl_graph *g, int32_t tensor)
{
    const struct wl_value *v = tensor < 0 ? NULL : g->tensors[tensor].value;
    return v != NULL && v->count == 1 ? wl_value_truth(v, 0) : WL_NONE;
}

/* Iteration number and condition; within the body the condition is true. */
static void loop_scalars(struct wl_op_ctx *c, const struct wl_block *b, bool single)
{
    struct wl_tensor *number = body_scalar(c, b->inputs[0], WL_DT_INT64);
    struct wl_tensor *cond = body_scalar(c, b->inputs[1], WL_DT_BOOL);
    struct wl_value *yes = wl_value_new(c, 1, false);
    struct wl_value *zero = wl_value_new(c, 1, false);
    if (number != NULL) {
        number->value = single ? zero : NULL;
    }
    if (cond != NULL && yes != NULL) {
        yes->ints[0] = wl_dim_known(1);
        cond->value = yes;
    }
}

static wl_status loop_scans(struct wl_op_ctx *c, const struct carried *k, struct wl_dim trip)
{
    const struct wl_block *b = &c->g->blocks[k->block];
    for (int32_t o = k->count; o < c->node->output_count; o++) {
        int32_t from = k->first_out + o;
        struct type_state s = type_get(c->g, from < b->output_count ? b->outputs[from] : WL_NONE);
        WL_TRY(type_insert_axis(c, &s, 0, trip));
        type_set(c->g, wl_node_output(c->node, o), &s);
    }
    return WL_OK;
}

static wl_status carried_init(struct wl_op_ctx *c, struct carried *k, int32_t first_node_input)
{
    k->state = WL_ARRAY(c->g->arena, struct type_state, k->count);
    WL_TRY_PTR(k->state, c->err);
    for (int32_t i = 0; i < k->count; i++) {
        k->state[i] = type_get(c->g, wl_node_input(c->node, first_node_input + i));
    }
    return WL_OK;
}

/* Infers the body for a trip count; *next gets what is known of the condition afterwards. */
static wl_status loop_run(struct wl_op_ctx *c, struct carried *k, struct wl_dim trip, int32_t *next)
{
    const struct wl_block *b = &c->g->blocks[k->block];
    k->single = wl_dim_is(trip, 1);
    WL_TRY(carried_init(c, k, 2));
    loop_scalars(c, b, k->single);
    WL_TRY(carried_fix(c, k));
    b = &c->g->blocks[k->block];
    *next = truth_of(c->g, b->outputs[0]);
    return WL_OK;
}

wl_status wl_infer_loop(struct wl_op_ctx *c)
{
    struct carried k = {.block = body_get(c, "body"), .first_in = 2, .first_out = 1};
    k.count = c->node->input_count < 2 ? 0 : c->node->input_count - 2;
    if (k.block < 0 || c->g->blocks[k.block].input_count < k.count + 2 ||
        c->g->blocks[k.block].output_count < k.count + 1) {
        wl_op_conflict(c, "the body's inputs and outputs do not fit the loop's");
        return WL_OK;
    }
    struct wl_dim m = loop_limit(c);
    int32_t first = wl_op_has_in(c, 1) ? truth_of(c->g, wl_node_input(c->node, 1)) : 1;
    int32_t next = 1;
    bool own;
    struct wl_dim guess = loop_trip(c, m, first, next, &own);
    WL_TRY(loop_run(c, &k, guess, &next));
    struct wl_dim trip = loop_trip(c, m, first, next, &own);
    if (wl_dim_is(trip, 1) != wl_dim_is(guess, 1)) {
        WL_TRY(loop_run(c, &k, trip, &next)); /* one iteration only, or not only one */
    }
    bool some = wl_dim_is_known(trip) ? trip.value > 0 : !own && wl_dim_gt(wl_op_pool(c), trip, 0);
    if (wl_dim_is(trip, 0)) {
        WL_TRY(carried_init(c, &k, 2));
    }
    carried_out(c, &k, !some);
    return loop_scans(c, &k, trip);
}

/* ---- Scan --------------------------------------------------------------------------------- */

/* How a Scan's inputs and outputs lie. Opset 8 had a batch axis and sequence lengths as input 0. */
struct scan_layout {
    int32_t skip; /* node inputs before the states */
    int32_t states;
    int32_t scans;
    bool batched;
};

static int64_t list_axis(const struct wl_op_ctx *c, const char *name, int32_t i,
                         const struct scan_layout *l)
{
    const struct wl_attr *a = wl_node_attr(c->node, name);
    if (l->batched) {
        return 1;
    }
    return a != NULL && a->type == WL_ATTR_INTS && i < a->count ? a->u.ints[i] : 0;
}

/* Types of the scanned inputs without their scan axis (and batch); *trip, *batch from their
 * extents. */
static wl_status scan_inputs(struct wl_op_ctx *c, const struct carried *k,
                             const struct scan_layout *l, struct wl_dim *trip, struct wl_dim *batch)
{
    const struct wl_block *b = &c->g->blocks[k->block];
    for (int32_t i = 0; i < l->scans; i++) {
        struct wl_dim extent;
        struct type_state s = type_get(c->g, wl_node_input(c->node, l->skip + l->states + i));
        WL_TRY(type_remove_axis(c, &s, list_axis(c, "scan_input_axes", i, l), &extent));
        *trip = wl_op_merge_dim(*trip, extent);
        if (l->batched) {
            WL_TRY(type_remove_axis(c, &s, 0, &extent));
            *batch = wl_op_merge_dim(*batch, extent);
        }
        type_set(c->g, b->inputs[l->states + i], &s);
    }
    return WL_OK;
}

static wl_status scan_outputs(struct wl_op_ctx *c, const struct carried *k,
                              const struct scan_layout *l, struct wl_dim trip, struct wl_dim batch)
{
    const struct wl_block *b = &c->g->blocks[k->block];
    for (int32_t o = 0; o < c->node->output_count; o++) {
        struct type_state s = type_get(c->g, o < b->output_count ? b->outputs[o] : WL_NONE);
        s.value = o < l->states ? s.value : NULL;
        if (o >= l->states) {
            int64_t axis = l->batched ? 0 : list_axis(c, "scan_output_axes", o - l->states, l);
            WL_TRY(type_insert_axis(c, &s, axis, trip));
        }
        if (l->batched) {
            WL_TRY(type_insert_axis(c, &s, 0, batch));
        }
        type_set(c->g, wl_node_output(c->node, o), &s);
    }
    return WL_OK;
}

static bool scan_layout_get(const struct wl_op_ctx *c, const struct carried *k,
                            struct scan_layout *l)
{
    l->batched = c->node->version > 0 && c->node->version < 9;
    l->skip = l->batched ? 1 : 0;
    int64_t scans = wl_node_attr_int(c->node, "num_scan_inputs", 0);
    if (k->block < 0 || scans < 1 || scans > c->node->input_count - l->skip) {
        return false;
    }
    l->scans = (int32_t)scans;
    l->states = c->node->input_count - l->skip - l->scans;
    return c->g->blocks[k->block].input_count >= l->states + l->scans &&
           c->g->blocks[k->block].output_count >= l->states;
}

wl_status wl_infer_scan(struct wl_op_ctx *c)
{
    struct carried k = {.block = body_get(c, "body")};
    struct scan_layout l;
    if (!scan_layout_get(c, &k, &l)) {
        wl_op_conflict(c, "the body's inputs and outputs do not fit the scan's");
        return WL_OK;
    }
    k.count = l.states;
    WL_TRY(carried_init(c, &k, l.skip));
    struct wl_dim trip = wl_dim_unknown();
    struct wl_dim batch = l.batched ? wl_dim_unknown() : wl_dim_known(1);
    WL_TRY(scan_inputs(c, &k, &l, &trip, &batch));
    for (int32_t i = 0; i < l.states && l.batched; i++) {
        struct wl_dim extent;
        WL_TRY(type_remove_axis(c, &k.state[i], 0, &extent));
        batch = wl_op_merge_dim(batch, extent);
    }
    trip = wl_dim_is_unknown(trip) ? trip_symbol(c, wl_dim_unknown()) : trip;
    k.single = wl_dim_is(trip, 1);
    WL_TRY(carried_fix(c, &k));
    return scan_outputs(c, &k, &l, trip, batch);
}

/* ---- SequenceMap -------------------------------------------------------------------------- */

wl_status wl_infer_sequence_map(struct wl_op_ctx *c)
{
    int32_t block = body_get(c, "body");
    if (block < 0 || c->g->blocks[block].input_count < c->node->input_count) {
        return WL_OK;
    }
    const struct wl_block *b = &c->g->blocks[block];
    struct type_state first = type_get(c->g, wl_node_input(c->node, 0));
    struct wl_dim trip = first.kind == WL_TYPE_SEQUENCE ? first.length : wl_dim_unknown();
    trip = wl_dim_is_unknown(trip) ? trip_symbol(c, wl_dim_unknown()) : trip;
    for (int32_t i = 0; i < c->node->input_count; i++) {
        struct type_state s = type_get(c->g, wl_node_input(c->node, i));
        if (s.kind == WL_TYPE_SEQUENCE) {
            s.kind = WL_TYPE_TENSOR;
            s.value = NULL;
        }
        type_set(c->g, b->inputs[i], &s);
    }
    WL_TRY(infer_body(c, block));
    b = &c->g->blocks[block];
    for (int32_t o = 0; o < c->node->output_count; o++) {
        struct type_state s = type_get(c->g, o < b->output_count ? b->outputs[o] : WL_NONE);
        s.kind = WL_TYPE_SEQUENCE;
        s.value = NULL;
        s.length = trip;
        type_set(c->g, wl_node_output(c->node, o), &s);
    }
    return WL_OK;
}

/* ---- operators whose bodies are not modelled (generation loops) --------------------------- */

wl_status wl_infer_generation(struct wl_op_ctx *c)
{
    wl_op_diag(c, WL_SEV_WARNING, "not-modelled",
               "%.*s runs its decoder once per generated token; the model of one step would be "
               "right to analyse; its own search is not counted",
               WL_STR_ARG(c->node->op_type));
    wl_op_set_dtype(c, 0, WL_DT_INT32);
    return WL_OK;
}
