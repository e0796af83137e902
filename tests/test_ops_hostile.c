/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every row with inputs, values and attributes drawn at random (always the same ones), extreme
 * numbers among them: inference and counting may leave things unknown or report an overflow, but
 * never fail otherwise, never make a negative dimension, and never trip a sanitizer.
 */
#include "wl_test_graph.h"

#define ROUNDS 60000

static uint64_t seed = UINT64_C(88172645463325252);

static uint32_t draw(uint32_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 32) % below;
}

static int64_t draw_number(void)
{
    static const int64_t numbers[] = {
        0,  1,         -1,        2,         3,         4,    -2,   -3,      7,          8,
        16, INT64_MAX, INT64_MIN, INT32_MAX, INT32_MIN, 4096, 4097, 1 << 20, -1000000007};
    return numbers[draw(draw(3) ? 11 : (uint32_t)WL_ARRAY_LEN(numbers))];
}

static const char *const names[] = {
    "axis",        "axes",
    "perm",        "keepdims",
    "blocksize",   "batch_dims",
    "num_outputs", "mode",
    "reduction",   "kernel_shape",
    "pads",        "strides",
    "dilations",   "group",
    "auto_pad",    "ceil_mode",
    "num_heads",   "kv_num_heads",
    "hidden_size", "k",
    "dtype",       "to",
    "upper",       "start",
    "end",         "shape",
    "sample_size", "onesided",
    "inverse",     "direction",
    "equation",    "output_shape",
    "N",           "K",
    "bits",        "transA",
    "transB",      "transBatchA",
    "activation",  "channels_last",
    "channels",    "size",
    "step",        "dim",
    "n_targets",   "pooled_shape",
    "allowzero",   "new_axis",
    "window",      "output_height",
    "q_num_heads", "layout",
    "scales",      "signal_ndim",
    "num_groups",  "p",
    "ngram_size",  "gather_axis",
    "largest",     "block_size",
};

static void draw_attribute(struct tg *t, int32_t node)
{
    static const char *const words[] = {"SAME_UPPER", "VALID",   "linear",        "cubic",
                                        "add",        "Relu",    "bidirectional", "not_larger",
                                        "ij,jk->ik",  "...i,i->"};
    const char *name = names[draw((uint32_t)WL_ARRAY_LEN(names))];
    int64_t list[8];
    switch (draw(4)) {
    case 0:
        tg_float(t, node, name, (double)draw_number());
        break;
    case 1:
        tg_str(t, node, name, words[draw((uint32_t)WL_ARRAY_LEN(words))]);
        break;
    case 2:
        for (int i = 0; i < 8; i++) {
            list[i] = draw_number();
        }
        tg_ints(t, node, name, (int32_t)draw(9), list);
        break;
    default:
        tg_int(t, node, name, draw_number());
    }
}

static void draw_value(struct tg *t, int32_t id, int64_t count)
{
    bool is_float = wl_dtype_is_float(t->g.tensors[id].dtype);
    struct wl_value *v = tg_value(t, id, count, is_float);
    for (int64_t i = 0; i < count; i++) {
        if (is_float) {
            v->floats[i] = (double)draw_number() / 3.0;
        } else {
            v->ints[i] = draw(9) == 0    ? wl_dim_symbol(&t->g.dims, "N")
                         : draw(15) == 0 ? wl_dim_unknown()
                                         : wl_dim_known(draw_number());
        }
    }
}

static int32_t draw_input(struct tg *t)
{
    static const enum wl_dtype types[] = {WL_DT_FLOAT,  WL_DT_INT64,   WL_DT_INT64, WL_DT_UINT8,
                                          WL_DT_STRING, WL_DT_FLOAT16, WL_DT_BOOL,  WL_DT_UINT4};
    static const int64_t odd[] = {-1, -2, -9, 1000000};
    int64_t dims[WL_RANK_MAX];
    int64_t count = 1;
    int32_t rank = draw(40) == 0 ? WL_RANK_MAX : (int32_t)draw(6);
    for (int32_t i = 0; i < rank; i++) {
        dims[i] = draw(4) == 0 ? odd[draw(4)] : (int64_t)draw(5);
        count = dims[i] < 0 || count < 0 || count > WL_VALUE_MAX ? -1 : count * dims[i];
    }
    int32_t id = tg_tensor(t, types[draw(8)], rank, dims);
    if (draw(20) == 0) {
        t->g.tensors[id].rank = WL_NONE;
    } else if (count >= 0 && count <= WL_VALUE_MAX && draw(2) == 0) {
        draw_value(t, id, count);
    }
    if (draw(30) == 0) {
        t->g.tensors[id].type_kind = WL_TYPE_SEQUENCE;
    }
    return id;
}

static void run_row(const struct wl_op *op)
{
    struct tg t;
    int32_t inputs[32];
    tg_init(&t);
    int32_t spread = op->in.max < 0 ? 6 : op->in.max - op->in.min;
    int32_t count = op->in.min + (int32_t)draw((uint32_t)spread + 1);
    for (int32_t i = 0; i < count; i++) {
        inputs[i] = draw(8) == 0 ? WL_NONE : draw_input(&t);
    }
    int32_t outputs = op->out.max < 0 ? 1 + (int32_t)draw(4) : op->out.max;
    int32_t node = tg_node_in(&t, op->domain, op->name, count, inputs, outputs);
    t.g.nodes[node].version = 1 + (int32_t)draw(25);
    for (uint32_t i = draw(8); i > 0; i--) {
        draw_attribute(&t, node);
    }
    (void)tg_run(&t, node);
    for (int32_t o = 0; o < outputs; o++) {
        const struct wl_tensor *y = &t.g.tensors[t.g.nodes[node].outputs[o]];
        for (int32_t i = 0; i < y->rank; i++) {
            assert_false(wl_dim_is_known(y->dims[i]) && y->dims[i].value < 0);
        }
    }
    t.g.dims.overflow = false;
    wl_status status = wl_ops_count(&t.g, NULL);
    assert_true(status == WL_OK || status == WL_ERR_LIMIT);
    tg_done(&t);
}

static void test_random_nodes(void **state)
{
    int32_t count;
    const struct wl_op *rows = wl_op_table(&count);
    (void)state;
    for (int32_t i = 0; i < ROUNDS; i++) {
        const struct wl_op *op = &rows[i % count];
        if ((op->flags & WL_OPF_BLOCKS) == 0) {
            run_row(op);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_nodes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
