/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wl_test_partition: small graphs from text, and questions about their partitions. One statement
 * per line:
 *
 *   input x 1,64,56,56         fed by the caller
 *   weight w 64,64,3,3         stored, without values; "weight:i8" for another type
 *   scalar half                a stored float of one element
 *   number:u8 z 128            the same with a value; without a type it is a float
 *   shape s 2,-1               stored integers, with values
 *   y = Relu(x)                a node named after its first output; inferred at once
 *   a,b = Split(x) axis=1      several outputs; attributes: integers, [lists]
 *   output y                   read by the caller
 */
#ifndef WL_TEST_PARTITION_H
#define WL_TEST_PARTITION_H

#include "partition.h"
#include "wl_test_graph.h"

#define PT_LINE 256

struct pt {
    struct tg tg;
    struct wl_partition p;
    int32_t outputs[16];
    int32_t output_count;
};

static inline int32_t pt_id(struct pt *t, const char *name)
{
    int32_t text = wl_strmap_find(&t->tg.g.names, wl_str(name));
    for (int32_t i = 0; text != WL_NONE && i < t->tg.g.tensor_count; i++) {
        if (t->tg.g.tensors[i].name == text) {
            return i;
        }
    }
    return WL_NONE;
}

/* The tensor of this name; an empty name is an omitted one. */
static inline int32_t pt_need(struct pt *t, const char *name)
{
    int32_t id = pt_id(t, name);
    if (id == WL_NONE && *name != '\0') {
        fail_msg("no tensor %s", name);
    }
    return id;
}

static inline int32_t pt_list(const char *text, int64_t *out, int32_t limit)
{
    int32_t count = 0;
    for (const char *c = text; *c != '\0' && count < limit;) {
        char *end;
        out[count++] = strtoll(c, &end, 10);
        c = *end == ',' ? end + 1 : end;
        if (*end != ',') {
            break;
        }
    }
    return count;
}

static inline void pt_rename(struct pt *t, int32_t id, const char *name)
{
    t->tg.g.tensors[id].name = wl_strmap_add(&t->tg.g.names, wl_str(name));
}

static inline enum wl_dtype pt_dtype(const char *word)
{
    const char *colon = strchr(word, ':');
    if (colon == NULL) {
        return WL_DT_FLOAT;
    }
    return strcmp(colon, ":i8") == 0    ? WL_DT_INT8
           : strcmp(colon, ":u8") == 0  ? WL_DT_UINT8
           : strcmp(colon, ":i64") == 0 ? WL_DT_INT64
                                        : WL_DT_FLOAT16;
}

static inline void pt_tensor(struct pt *t, const char *word, const char *name, const char *rest)
{
    int64_t dims[16] = {0};
    int32_t rank = *rest == '\0' ? 0 : pt_list(rest, dims, 16);
    int32_t id;
    if (strcmp(word, "shape") == 0) {
        id = tg_const(&t->tg, rank, dims);
    } else if (strncmp(word, "number", 6) == 0 && pt_dtype(word) == WL_DT_FLOAT) {
        id = tg_scalar_tensor(&t->tg, WL_DT_FLOAT);
        tg_value(&t->tg, id, 1, true)->floats[0] = strtod(rest, NULL);
    } else if (strncmp(word, "number", 6) == 0) {
        id = tg_const_scalar(&t->tg, pt_dtype(word), strtoll(rest, NULL, 10));
    } else if (strcmp(word, "scalar") == 0) {
        id = tg_scalar_tensor(&t->tg, WL_DT_FLOAT);
    } else {
        id = tg_tensor(&t->tg, pt_dtype(word), rank, dims);
    }
    bool stored = strncmp(word, "input", 5) != 0;
    t->tg.g.tensors[id].kind = stored ? WL_TENSOR_INITIALIZER : WL_TENSOR_INPUT;
    pt_rename(t, id, name);
}

static inline void pt_attrs(struct pt *t, int32_t node, char *text)
{
    char *save = NULL;
    for (char *w = strtok_r(text, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save)) {
        int64_t values[16];
        char *equals = strchr(w, '=');
        assert_non_null(equals);
        *equals = '\0';
        const char *name = wl_arena_strndup(&t->tg.arena, w, strlen(w));
        if (equals[1] == '[') {
            tg_ints(&t->tg, node, name, pt_list(equals + 2, values, 16), values);
        } else {
            tg_int(&t->tg, node, name, strtoll(equals + 1, NULL, 10));
        }
    }
}

static inline int32_t pt_split(char *text, char **words, int32_t limit)
{
    int32_t count = 0;
    while (text != NULL && count < limit) {
        char *comma = strchr(text, ',');
        if (comma != NULL) {
            *comma = '\0';
        }
        words[count++] = text;
        text = comma == NULL ? NULL : comma + 1;
    }
    return count;
}

static inline void pt_node(struct pt *t, char *line, char *equals)
{
    char *open = strchr(equals, '(');
    char *close = open == NULL ? NULL : strchr(open, ')');
    char *outs[16];
    char *ins[16];
    int32_t ids[16];
    assert_non_null(close);
    *equals = *open = *close = '\0';
    equals[-1] = '\0'; /* "y = " */
    int32_t out_count = pt_split(line, outs, 16);
    int32_t in_count = open[1] == '\0' ? 0 : pt_split(open + 1, ins, 16);
    for (int32_t i = 0; i < in_count; i++) {
        ids[i] = pt_need(t, ins[i]);
    }
    char *op = wl_arena_strndup(&t->tg.arena, equals + 2, strlen(equals + 2));
    int32_t node = tg_node_in(&t->tg, "", op, in_count, ids, out_count);
    pt_attrs(t, node, close + 1);
    char *name = wl_arena_strndup(&t->tg.arena, outs[0], strlen(outs[0]));
    t->tg.g.nodes[node].name = wl_str(name);
    (void)tg_run(&t->tg, node);
    for (int32_t i = 0; i < out_count; i++) {
        pt_rename(t, t->tg.g.nodes[node].outputs[i], outs[i]);
    }
}

static inline void pt_line(struct pt *t, char *line)
{
    char *equals = strstr(line, "= ");
    if (equals != NULL && strchr(line, '(') != NULL) {
        pt_node(t, line, equals);
        return;
    }
    char word[16] = "";
    char name[64] = "";
    char rest[PT_LINE] = "";
    (void)sscanf(line, "%15s %63s %255s", word, name, rest);
    if (strcmp(word, "output") == 0) {
        t->outputs[t->output_count++] = pt_need(t, name);
    } else if (*word != '\0') {
        pt_tensor(t, word, name, rest);
    }
}

/* Builds and counts the graph; every node is in the main block, in the order of the text. */
static inline void pt_graph(struct pt *t, const char *text)
{
    memset(t, 0, sizeof(*t));
    tg_init(&t->tg);
    while (*text != '\0') {
        char line[PT_LINE] = "";
        size_t len = strcspn(text, "\n");
        assert_true(len < PT_LINE);
        memcpy(line, text, len);
        pt_line(t, line);
        text += len + (text[len] == '\n');
    }
    struct wl_graph *g = &t->tg.g;
    struct wl_block *b = &g->blocks[0];
    b->parent_node = WL_NONE;
    b->nodes = WL_ARRAY(&t->tg.arena, int32_t, g->node_count);
    b->node_count = g->node_count;
    for (int32_t i = 0; i < g->node_count; i++) {
        b->nodes[i] = i;
    }
    b->outputs = t->outputs;
    b->output_count = t->output_count;
    assert_int_equal(wl_graph_index(g, NULL), WL_OK);
    assert_int_equal(wl_ops_count(g, NULL), WL_OK);
}

static inline void pt_partition_budget(struct pt *t, const char *fusion, int64_t on_chip_bytes)
{
    struct wl_error err = {0};
    struct wl_partition_options o = {.fusion = fusion, .on_chip_bytes = on_chip_bytes};
    wl_status status = wl_partition_run(&t->tg.g, &o, &t->tg.arena, &t->p, &err);
    if (status == WL_OK) {
        status = wl_partition_verify(&t->p, &err);
    }
    if (status != WL_OK) {
        fail_msg("%s: %s: %s", fusion, err.where, err.message);
    }
}

static inline void pt_partition(struct pt *t, const char *fusion)
{
    pt_partition_budget(t, fusion, 0);
}

static inline void pt_done(struct pt *t)
{
    tg_done(&t->tg);
}

/* The subgraph that writes or keeps a tensor. */
static inline const struct wl_subgraph *pt_of(struct pt *t, const char *tensor)
{
    int32_t producer = t->tg.g.tensors[pt_need(t, tensor)].producer;
    assert_true(producer != WL_NONE);
    int32_t s = t->p.subgraph_of[producer];
    return s == WL_NONE ? NULL : &t->p.subgraphs[s];
}

/* "conv+relu | maxpool": the patterns in execution order. */
static inline void pt_expect(struct pt *t, const char *patterns)
{
    char got[1024] = "";
    for (int32_t i = 0; i < t->p.count; i++) {
        size_t at = strlen(got);
        (void)snprintf(got + at, sizeof(got) - at, "%s%s", i > 0 ? " | " : "",
                       t->p.subgraphs[i].pattern);
    }
    assert_string_equal(got, patterns);
}

static inline bool pt_has(struct pt *t, const struct wl_operand *list, int32_t count,
                          const char *tensor, int64_t elems)
{
    int32_t id = pt_need(t, tensor);
    for (int32_t i = 0; i < count; i++) {
        if (list[i].tensor == id) {
            return list[i].elems == elems;
        }
    }
    return false;
}

#endif
