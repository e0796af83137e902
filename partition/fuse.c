/* SPDX-License-Identifier: Apache-2.0 */
/*
 * partition/fuse.c: units -> groups. Walks the units in execution order; each one either joins the
 * group that computes one of its operands or starts a group. Which parts may follow each other is
 * the table below; whether they may in this graph is one function, `legality`.
 *
 * Where several groups could take a unit (a residual addition of two convolutions), the one with
 * the longest chain behind it does: the other operand is then ready whatever the order.
 *
 * Why no join makes a cycle. A closed group is read outside through its tail only; a unit that
 * joins takes the tail over as its sole reader, so nothing outside can depend on the group and be
 * needed by the unit. A group that is read elsewhere too (open) accepts units with further operands
 * only as long as no outside unit has read from it, so nothing outside depends on it yet.
 */
#include "partition_priv.h"

enum state {
    S_FRESH = 1, /* no activation yet */
    S_ACT = 2,
    S_ADD = 4, /* residual added */
    S_END = 8, /* nothing joins */
    S_OPEN = S_FRESH | S_ACT | S_ADD
};

#define ROW_ANCHOR 1u    /* the joining unit names the group from now on */
#define ROW_RESIZE 2u    /* needs no common iteration space */
#define ROW_SHARED 4u    /* others may read the operand too: it becomes a further output */
#define ROW_MEMBER 8u    /* the operand may come from any unit of the group, not only the tail */
#define ROW_HOLDS 16u    /* the operand stays on chip: budget */
#define ROW_POINT 32u    /* a convolution joins only with a 1 x 1 kernel */
#define ROW_ALONE 64u    /* the unit's only operand that is not constant */
#define ROW_MATRIX 128u  /* the operand is a matrix, not a batch of them */
#define ROW_SCALAR 256u  /* the unit's constant is a scalar */
#define ROW_INTEGER 512u /* the unit belongs to an operator in integers */

struct fuse_row {
    uint32_t anchors; /* of the group */
    uint8_t from;
    uint32_t parts; /* of the unit */
    uint8_t to;     /* 0: state stays */
    uint64_t feature;
    uint32_t flags;
};

#define P(id) PART_BIT(PART_##id)
#define CONVS P(CONV)
#define GEMMS (P(GEMM) | P(ATTENTION))
#define POINTWISE PARTS_POINTWISE
#define NORMS (P(NORM) | P(SOFTMAX))
#define POOLS (P(POOL) | P(REDUCE))
#define ACTXS (P(ACTX) | P(GELU))

/* clang-format off */
static const struct fuse_row rows[] = {
    /* group anchor     state            joining part          new state  feature              flags */
    {CONVS,             S_FRESH,         P(BATCH_NORM),        S_FRESH,   F(CONV_BN),          0},
    {CONVS,             S_FRESH,         P(BIAS) | P(SCALE),   S_FRESH,   F(CONV_AFFINE),      0},
    {CONVS,             S_FRESH,         P(ACT),               S_ACT,     F(CONV_ACT),         0},
    {CONVS,             S_FRESH,         ACTXS,                S_ACT,     F(CONV_ACTX),        0},
    {CONVS,             S_FRESH,         P(ADD),               S_ADD,     F(CONV_ADD),         0},
    {CONVS,             S_ACT,           P(ADD),               S_ADD,     F(CONV_ACT_ADD),     0},
    {CONVS,             S_ADD,           P(ACT),               S_END,     F(CONV_ADD_ACT),     0},
    {CONVS,             S_ADD,           ACTXS,                S_END,     F(CONV_ACTX),        0},
    {CONVS,             S_FRESH | S_ACT, P(GATE),              S_ACT,     F(GATE),             0},
    {CONVS,             S_OPEN,          POINTWISE,            0,         F(CONV_CHAIN),       0},
    {GEMMS,             S_FRESH,         P(BIAS),              S_FRESH,   F(GEMM_BIAS),        0},
    {GEMMS,             S_FRESH,         P(BIAS),              S_FRESH,   F(GEMM_MATRIX_BIAS), ROW_MATRIX},
    {GEMMS,             S_FRESH,         P(SCALE),             S_FRESH,   F(GEMM_SCALE),       0},
    {GEMMS,             S_FRESH,         P(SCALE),             S_FRESH,   F(GEMM_ALPHA),       ROW_SCALAR},
    {GEMMS,             S_FRESH,         P(ACT),               S_ACT,     F(GEMM_ACT),         0},
    {GEMMS,             S_FRESH,         P(ACT),               S_ACT,     F(GEMM_MATRIX_ACT),  ROW_MATRIX},
    {GEMMS,             S_FRESH,         ACTXS,                S_ACT,     F(GEMM_ACTX),        0},
    {GEMMS,             S_FRESH | S_ACT, P(ADD),               S_ADD,     F(GEMM_ADD),         0},
    {GEMMS,             S_ADD,           P(ACT) | ACTXS,       S_END,     F(GEMM_ADD),         0},
    {GEMMS,             S_FRESH | S_ACT, P(GATE),              S_ACT,     F(GATE),             0},
    {GEMMS,             S_OPEN,          POINTWISE,            0,         F(GEMM_CHAIN),       0},
    {P(BATCH_NORM),     S_FRESH,         P(ACT),               S_END,     F(BN_ACT),           0},
    {P(BIAS),           S_FRESH,         P(GELU),              S_END,     F(BIAS_GELU),        0},
    {POINTWISE,         S_OPEN,          POINTWISE,            0,         F(MAP_CHAIN),        0},
    {POINTWISE,         S_OPEN,          POINTWISE,            0,         F(MAP_BRANCH),       ROW_SHARED | ROW_MEMBER},
    {NORMS,             S_OPEN,          POINTWISE,            0,         F(NORM_CHAIN),       0},
    {POOLS,             S_OPEN,          POINTWISE,            0,         F(POOL_CHAIN),       0},
    {P(ADD) | P(BIAS),  S_OPEN,          P(NORM),              S_FRESH,   F(SKIP_NORM),        ROW_ANCHOR | ROW_SHARED | ROW_ALONE},
    {POINTWISE,         S_OPEN,          NORMS,                S_FRESH,   F(MAP_NORM),         ROW_ANCHOR},
    {POINTWISE,         S_OPEN,          P(REDUCE),            S_FRESH,   F(MAP_REDUCE),       ROW_ANCHOR | ROW_RESIZE},
    {P(MOVE) | P(PAD),  S_OPEN,          POINTWISE | P(MOVE),  0,         F(MOVE_CHAIN),       ROW_RESIZE},
    {POINTWISE,         S_OPEN,          P(MOVE),              0,         F(MOVE_CHAIN),       ROW_RESIZE},
    {P(PAD),            S_OPEN,          P(CONV) | P(POOL),    S_FRESH,   F(PAD),              ROW_ANCHOR | ROW_RESIZE},
    {P(GATE) | P(SCALE) | P(BATCH_NORM), S_OPEN, P(CONV) | P(GEMM), S_FRESH, F(PROLOGUE),      ROW_ANCHOR | ROW_RESIZE | ROW_POINT},
    {P(GEMM),           S_OPEN,          P(GEMM),              S_FRESH,   F(MLP),              ROW_RESIZE | ROW_HOLDS},
    {~0u,               S_OPEN,          P(QUANTIZE),          S_END,     F(QDQ),              0},
    {~0u,               S_OPEN,          P(ACT),               0,         F(QDQ_UNITS),        ROW_INTEGER},
    {~0u,               S_OPEN,          P(QUANTIZE),          S_END,     F(QDQ_UNITS),        ROW_INTEGER},
};
/* clang-format on */

/* ---- legality -------------------------------------------------------------------------------- */

/* Operands of one unit that are looked at: operators that fuse have few. */
#define OPERANDS_MAX 64

/* Rows of an intermediate result that a fused pair of products keeps on chip. */
#define HELD_ROWS 64

static bool same_loop(const struct run *r, int32_t a, int32_t b)
{
    const struct wl_node *x = &r->g->nodes[a];
    const struct wl_node *y = &r->g->nodes[b];
    return x->block == y->block && wl_dim_eq(x->repeat, y->repeat);
}

static bool other_outputs_read(const struct run *r, int32_t unit, int32_t root)
{
    const struct wl_node *n = &r->g->nodes[unit];
    for (int32_t i = 0; i < n->output_count; i++) {
        int32_t t = n->outputs[i];
        if (t == WL_NONE || r->root[t] == root) {
            continue;
        }
        if (r->sole[r->root[t]] != SOLE_NONE || r->escapes[r->root[t]] != 0) {
            return true;
        }
    }
    return false;
}

/* Element-wise or whole: the unit walks over the same elements as its operand. */
static bool same_space(struct run *r, int32_t unit, int32_t root)
{
    int32_t out = wl_node_output(&r->g->nodes[unit], 0);
    int64_t elems = out == WL_NONE ? -1 : wl_partition_elems(r, out);
    return elems >= 0 && elems == wl_partition_elems(r, root);
}

static bool fits_on_chip(struct run *r, int32_t root)
{
    const struct wl_tensor *t = &r->g->tensors[root];
    int64_t width =
        t->rank > 0 && wl_dim_is_known(t->dims[t->rank - 1]) ? t->dims[t->rank - 1].value : -1;
    int64_t bytes;
    if (r->options->on_chip_bytes == 0) {
        return true;
    }
    return width >= 0 &&
           wl_mul_i64(width, (int64_t)HELD_ROWS * wl_dtype_bits(t->dtype) / 8, &bytes) &&
           bytes <= r->options->on_chip_bytes;
}

static bool is_point_kernel(const struct run *r, int32_t unit)
{
    const struct wl_window *w = r->g->work == NULL ? NULL : r->g->work[unit].window;
    for (int32_t i = 0; w != NULL && i < w->spatial_rank; i++) {
        if (w->kernel[i] != 1) {
            return false;
        }
    }
    return true;
}

/* Operands of `unit` that are activations from outside group `g`. */
static int32_t foreign_operands(const struct run *r, int32_t unit, int32_t g)
{
    const struct wl_node *n = &r->g->nodes[unit];
    int32_t count = 0;
    if (r->input[unit] != WL_NONE) {
        return 0; /* an idiom of one input */
    }
    for (int32_t i = 0; i < n->input_count; i++) {
        int32_t t = n->inputs[i];
        if (t == WL_NONE || wl_partition_is_constant(r, t)) {
            continue;
        }
        int32_t p = wl_partition_producer(r, t);
        count += p == WL_NONE || r->group[p] != g;
    }
    return count;
}

/* The constant operand of an element-wise unit has one element. */
static bool has_scalar(struct run *r, int32_t unit)
{
    const struct wl_node *n = &r->g->nodes[unit];
    for (int32_t i = 0; i < n->input_count; i++) {
        int32_t t = n->inputs[i];
        if (t != WL_NONE && wl_partition_is_constant(r, t)) {
            return wl_partition_elems(r, t) == 1;
        }
    }
    return false;
}

static enum end_reason view_between(const struct run *r, int32_t tensor)
{
    bool direct = r->root[tensor] == tensor || (r->features & F(VIEWS)) != 0;
    return direct ? END_NONE : END_VIEW;
}

/*
 * The one place that decides whether `unit` may join the group that computes its operand `tensor`,
 * given a row of the table that names the pair. END_NONE: it may.
 */
static enum end_reason legality(struct run *r, const struct fuse_row *row, int32_t unit,
                                int32_t tensor)
{
    int32_t root = r->root[tensor];
    int32_t producer = wl_partition_producer(r, root);
    int32_t g = r->group[producer];
    const struct group *grp = &r->groups[g];
    bool shared = (row->flags & ROW_SHARED) != 0;
    bool several = r->sole[root] != unit;
    if (!same_loop(r, unit, producer)) {
        return END_LOOP;
    }
    if ((r->escapes[root] & ESCAPE_BODY) != 0) {
        return END_BODY_OUTPUT;
    }
    if (!shared && r->escapes[root] != 0) {
        return END_GRAPH_OUTPUT;
    }
    if (!shared && several) {
        return END_SEVERAL_READERS;
    }
    if (producer != grp->tail && (row->flags & ROW_MEMBER) == 0) {
        return END_OTHER_BRANCH;
    }
    int32_t foreign = foreign_operands(r, unit, g);
    if (foreign > 0 && (row->flags & ROW_ALONE) != 0) {
        return END_SEVERAL_READERS;
    }
    bool opens = grp->open || several || r->escapes[root] != 0 || producer != grp->tail;
    if (opens && grp->read_outside && foreign > 0) {
        return END_SEVERAL_READERS;
    }
    if (other_outputs_read(r, producer, root)) {
        return END_OUTPUTS;
    }
    if ((row->flags & ROW_RESIZE) == 0 && !same_space(r, unit, root)) {
        return END_SHAPE;
    }
    if ((row->flags & ROW_HOLDS) != 0 && !fits_on_chip(r, root)) {
        return END_BUDGET;
    }
    bool unfit = ((row->flags & ROW_POINT) != 0 && !is_point_kernel(r, unit)) ||
                 ((row->flags & ROW_MATRIX) != 0 && r->g->tensors[root].rank > 2) ||
                 ((row->flags & ROW_SCALAR) != 0 && !has_scalar(r, unit)) ||
                 ((row->flags & ROW_INTEGER) != 0 && !r->integer[unit]);
    if (unfit) {
        return END_NO_RULE;
    }
    return view_between(r, tensor);
}

/* ---- groups ---------------------------------------------------------------------------------- */

struct choice {
    const struct fuse_row *row;
    int32_t group;
    int32_t root;
    int32_t depth;
};

static bool row_names(const struct fuse_row *row, const struct group *grp, uint32_t part,
                      uint64_t features)
{
    return (row->feature & features) != 0 && (row->anchors & grp->anchor_bit) != 0 &&
           (row->from & grp->state) != 0 && (row->parts & part) != 0;
}

/* Best row for joining through one operand; remembers why not in the group. */
static void consider(struct run *r, int32_t unit, int32_t tensor, struct choice *best)
{
    if (wl_partition_is_constant(r, tensor)) {
        return;
    }
    int32_t producer = wl_partition_producer(r, tensor);
    if (producer == WL_NONE || producer == unit) {
        return;
    }
    int32_t g = r->group[producer];
    struct group *grp = &r->groups[g];
    uint32_t part = PART_BIT(r->part[unit]);
    enum end_reason why = END_NO_RULE;
    for (size_t i = 0; i < WL_ARRAY_LEN(rows); i++) {
        const struct fuse_row *row = &rows[i];
        if (!row_names(row, grp, part, r->features)) {
            continue;
        }
        why = legality(r, row, unit, tensor);
        if (why == END_NONE) {
            bool deeper = (r->features & F(FIRST_OPERAND)) == 0 && best->row != NULL &&
                          r->depth[producer] > best->depth;
            if (best->row == NULL || deeper) {
                *best = (struct choice){row, g, r->root[tensor], r->depth[producer]};
            }
            why = END_OTHER_BRANCH; /* holds unless it is the best */
            break;
        }
    }
    grp->reason = (uint8_t)why;
    grp->stopped_at = unit;
}

static void add_label(struct run *r, struct group *grp, int32_t unit)
{
    if (grp->label_count < GROUP_LABELS_MAX) {
        const char *label = wl_partition_label(r, unit);
        r->nomem = r->nomem || label == NULL;
        grp->labels[grp->label_count++] = label == NULL ? "" : label;
    } else {
        grp->label_count = GROUP_LABELS_MAX + 1;
    }
}

static void start_group(struct run *r, int32_t unit)
{
    struct group *grp = &r->groups[r->group_count];
    *grp = (struct group){.anchor = unit,
                          .tail = unit,
                          .stopped_at = WL_NONE,
                          .anchor_bit = PART_BIT(r->part[unit]),
                          .state = S_FRESH};
    add_label(r, grp, unit);
    r->group[unit] = r->group_count++;
}

static void join_group(struct run *r, int32_t unit, const struct choice *c)
{
    struct group *grp = &r->groups[c->group];
    bool several = r->sole[c->root] != unit || r->escapes[c->root] != 0;
    bool inner = wl_partition_producer(r, c->root) != grp->tail;
    grp->open = grp->open || several || inner;
    grp->tail = unit;
    grp->stopped_at = WL_NONE;
    grp->reason = END_NONE;
    if (c->row->to != 0) {
        grp->state = c->row->to;
    }
    if ((c->row->flags & ROW_ANCHOR) != 0) {
        grp->anchor = unit;
        grp->anchor_bit = PART_BIT(r->part[unit]);
    }
    add_label(r, grp, unit);
    r->group[unit] = c->group;
}

/*
 * Groups that the node reads from the outside lose some freedom. Nodes inside an idiom are visited
 * before their unit has a group, and count as outside.
 */
static void mark_reads(struct run *r, int32_t node)
{
    const struct wl_node *n = &r->g->nodes[node];
    int32_t unit = r->unit[node];
    for (int32_t i = 0; i < n->input_count; i++) {
        int32_t p = n->inputs[i] == WL_NONE ? WL_NONE : wl_partition_producer(r, n->inputs[i]);
        if (p != WL_NONE && p != unit && r->group[p] != r->group[unit]) {
            r->groups[r->group[p]].read_outside = true;
        }
    }
}

static void place_unit(struct run *r, int32_t unit)
{
    const struct wl_node *n = &r->g->nodes[unit];
    struct choice best = {.row = NULL};
    if (r->features != 0 && r->input[unit] != WL_NONE) {
        consider(r, unit, r->input[unit], &best);
    } else if (r->features != 0 && r->label[unit] == NULL) {
        for (int32_t i = 0; i < n->input_count && i < OPERANDS_MAX; i++) {
            if (n->inputs[i] != WL_NONE) {
                consider(r, unit, n->inputs[i], &best);
            }
        }
    }
    if (best.row == NULL) {
        start_group(r, unit);
    } else {
        join_group(r, unit, &best);
    }
}

/* Length of the longest chain of units that ends with each one. */
static void deepen(struct run *r, int32_t node)
{
    const struct wl_node *n = &r->g->nodes[node];
    int32_t unit = r->unit[node];
    for (int32_t i = 0; i < n->input_count; i++) {
        int32_t p = n->inputs[i] == WL_NONE ? WL_NONE : wl_partition_producer(r, n->inputs[i]);
        if (p != WL_NONE && p != unit && r->depth[p] + 1 > r->depth[unit]) {
            r->depth[unit] = r->depth[p] + 1;
        }
    }
}

/* The group of all executed readers of a tensor; of the first one where `first` will do. */
static int32_t common_reader(const struct run *r, const struct wl_tensor *t, bool first)
{
    int32_t common = WL_NONE;
    for (int32_t i = 0; i < t->consumer_count; i++) {
        int32_t n = r->g->consumers[t->first_consumer + i];
        if (r->exec[n] == EXEC_SKIP) {
            continue;
        }
        if (common == WL_NONE) {
            common = r->group[n];
        }
        if (common == WL_NONE && !first) {
            return WL_NONE;
        }
        if (first ? common != WL_NONE : r->group[n] != common) {
            return first ? common : WL_NONE;
        }
    }
    return common;
}

static void finish_nodes(struct run *r)
{
    const struct wl_graph *g = r->g;
    for (int32_t n = 0; n < g->node_count; n++) {
        if (r->exec[n] == EXEC_RUN) {
            r->group[n] = r->group[r->unit[n]];
        }
    }
    /* Views and dequantisers between units of one group, backwards: readers come first. */
    for (int32_t s = g->schedule_count - 1; s >= 0; s--) {
        int32_t n = g->schedule[s];
        bool transparent = r->exec[n] == EXEC_FREE || r->exec[n] == EXEC_DEQUANT;
        const struct wl_node *node = &g->nodes[n];
        if (!transparent || node->output_count < 1 || node->outputs[0] == WL_NONE ||
            r->root[node->outputs[0]] == node->outputs[0]) {
            continue;
        }
        const struct wl_tensor *t = &g->tensors[node->outputs[0]];
        int32_t reader = common_reader(r, t, r->exec[n] == EXEC_DEQUANT);
        int32_t p = wl_partition_producer(r, node->inputs[0]);
        bool inside = p != WL_NONE && reader != WL_NONE && r->group[p] == reader;
        r->group[n] = inside || r->exec[n] == EXEC_DEQUANT ? reader : WL_NONE;
    }
}

wl_status wl_partition_fuse(struct run *r)
{
    const struct wl_graph *g = r->g;
    r->groups = WL_ARRAY(r->scratch, struct group, g->schedule_count);
    WL_TRY_PTR(r->groups, r->err);
    for (int32_t s = 0; s < g->schedule_count; s++) {
        int32_t n = g->schedule[s];
        if (r->exec[n] != EXEC_RUN) {
            continue;
        }
        deepen(r, n);
        if (r->unit[n] == n) {
            place_unit(r, n);
        }
        mark_reads(r, n);
    }
    finish_nodes(r);
    return r->nomem ? wl_fail_nomem(r->err) : WL_OK;
}

/* ---- why groups ended ------------------------------------------------------------------------ */

static const char *describe_stop(struct run *r, const struct group *grp)
{
    static const char *const text[] = {
        [END_NONE] = "its reader starts a kernel of its own",
        [END_GRAPH_OUTPUT] = "its result is an output of the model",
        [END_BODY_OUTPUT] = "its result leaves a body of control flow",
        [END_SEVERAL_READERS] = "its result is read by several subgraphs",
        [END_NO_READER] = "nothing reads its result",
        [END_NO_RULE] = "the profile fuses nothing of that kind behind it",
        [END_SHAPE] = "the next operator runs over other elements",
        [END_OTHER_BRANCH] = "the next operator joined its other operand",
        [END_VIEW] = "a view lies before the next operator",
        [END_LOOP] = "the next operator runs in another body of control flow",
        [END_BUDGET] = "the intermediate result does not fit on chip",
        [END_OUTPUTS] = "it has several results",
    };
    const char *why = text[grp->reason];
    if (grp->stopped_at == WL_NONE) {
        return why;
    }
    struct wl_str op = r->g->nodes[grp->stopped_at].op_type;
    char line[128];
    size_t at = 0;
    for (size_t i = 0; i < op.len && at < 48; i++) {
        line[at++] = op.data[i];
    }
    line[at++] = ':';
    line[at++] = ' ';
    while (*why != '\0' && at + 1 < sizeof(line)) {
        line[at++] = *why++;
    }
    return wl_arena_strndup(r->arena, line, at);
}

const char *wl_partition_reason(struct run *r, const struct group *grp)
{
    const struct wl_node *tail = &r->g->nodes[grp->tail];
    struct group shown = *grp;
    int32_t out = wl_node_output(tail, 0);
    int32_t root = out == WL_NONE ? WL_NONE : r->root[out];
    if (root == WL_NONE) {
        shown.reason = END_NO_READER;
    } else if ((r->escapes[root] & ESCAPE_OUTPUT) != 0) {
        shown.reason = END_GRAPH_OUTPUT;
    } else if ((r->escapes[root] & ESCAPE_BODY) != 0) {
        shown.reason = END_BODY_OUTPUT;
    } else if (r->sole[root] == SOLE_NONE) {
        shown.reason = END_NO_READER;
    } else if (r->sole[root] == SOLE_MANY) {
        shown.reason = END_SEVERAL_READERS;
    } else {
        shown.stopped_at = r->sole[root];
        return describe_stop(r, &shown);
    }
    shown.stopped_at = WL_NONE;
    return describe_stop(r, &shown);
}
