/* SPDX-License-Identifier: Apache-2.0 */
/*
 * onnx_wire.h: ONNX files written by hand in tests, byte by byte, so that wrong ones can be written
 * too. A `struct wire` is a message being built; wire_msg puts one into another and empties it.
 */
#ifndef ONNX_WIRE_H
#define ONNX_WIRE_H

#include "wl_test.h"

struct wire {
    uint8_t *data;
    size_t len;
    size_t capacity;
};

__attribute__((unused)) static void wire_raw(struct wire *w, const void *bytes, size_t count)
{
    if (w->len + count > w->capacity) {
        w->capacity = 2 * (w->len + count) + 64;
        w->data = realloc(w->data, w->capacity);
        assert_non_null(w->data);
    }
    if (count > 0) {
        memcpy(w->data + w->len, bytes, count);
    }
    w->len += count;
}

__attribute__((unused)) static void wire_varint(struct wire *w, uint64_t v)
{
    do {
        uint8_t byte = (uint8_t)((v & 0x7f) | (v > 0x7f ? 0x80 : 0));
        wire_raw(w, &byte, 1);
        v >>= 7;
    } while (v > 0);
}

__attribute__((unused)) static void wire_int(struct wire *w, unsigned field, int64_t v)
{
    wire_varint(w, (uint64_t)field << 3);
    wire_varint(w, (uint64_t)v);
}

__attribute__((unused)) static void wire_bytes(struct wire *w, unsigned field, const void *bytes,
                                               size_t count)
{
    wire_varint(w, ((uint64_t)field << 3) | 2);
    wire_varint(w, count);
    wire_raw(w, bytes, count);
}

__attribute__((unused)) static void wire_str(struct wire *w, unsigned field, const char *z)
{
    wire_bytes(w, field, z, strlen(z));
}

__attribute__((unused)) static void wire_float(struct wire *w, unsigned field, float v)
{
    wire_varint(w, ((uint64_t)field << 3) | 5);
    wire_raw(w, &v, sizeof(v));
}

__attribute__((unused)) static void wire_done(struct wire *w)
{
    free(w->data);
    *w = (struct wire){0};
}

/* `inner` becomes field `field` of `w` and is emptied. */
__attribute__((unused)) static void wire_msg(struct wire *w, unsigned field, struct wire *inner)
{
    wire_bytes(w, field, inner->data, inner->len);
    wire_done(inner);
}

/* ---- types and tensors: shape is "2,N,224", "" for a scalar, NULL for none --------------------
 */

__attribute__((unused)) static struct wire wire_shape(const char *shape)
{
    struct wire out = {0};
    while (*shape != '\0') {
        char word[32] = {0};
        size_t n = strcspn(shape, ",");
        memcpy(word, shape, n < sizeof(word) ? n : sizeof(word) - 1);
        struct wire dim = {0};
        if (word[0] == '-' || (word[0] >= '0' && word[0] <= '9')) {
            wire_int(&dim, 1, strtoll(word, NULL, 10));
        } else if (word[0] != '?') {
            wire_str(&dim, 2, word);
        }
        wire_msg(&out, 1, &dim);
        shape += n + (shape[n] == ',' ? 1 : 0);
    }
    return out;
}

/* ValueInfoProto into field `field` of a graph: 11 input, 12 output, 13 value_info. */
__attribute__((unused)) static void wire_value(struct wire *graph, unsigned field, const char *name,
                                               int dtype, const char *shape)
{
    struct wire tensor = {0};
    struct wire type = {0};
    struct wire info = {0};
    wire_int(&tensor, 1, dtype);
    if (shape != NULL) {
        struct wire s = wire_shape(shape);
        wire_msg(&tensor, 2, &s);
    }
    wire_msg(&type, 1, &tensor);
    wire_str(&info, 1, name);
    wire_msg(&info, 2, &type);
    wire_msg(graph, field, &info);
}

/* TensorProto with raw data. */
__attribute__((unused)) static struct wire wire_tensor(const char *name, int dtype,
                                                       const int64_t *dims, int rank,
                                                       const void *raw, size_t raw_bytes)
{
    struct wire t = {0};
    for (int i = 0; i < rank; i++) {
        wire_int(&t, 1, dims[i]);
    }
    wire_int(&t, 2, dtype);
    wire_str(&t, 8, name);
    wire_bytes(&t, 9, raw, raw_bytes);
    return t;
}

/* A FLOAT initializer of zeros. */
__attribute__((unused)) static void wire_weight(struct wire *graph, const char *name,
                                                const int64_t *dims, int rank)
{
    size_t bytes = 4;
    for (int i = 0; i < rank; i++) {
        bytes *= (size_t)dims[i];
    }
    void *zeros = calloc(1, bytes + 1);
    assert_non_null(zeros);
    struct wire t = wire_tensor(name, 1, dims, rank, zeros, bytes);
    wire_msg(graph, 5, &t);
    free(zeros);
}

/* An INT64 initializer of rank 1. */
__attribute__((unused)) static void wire_ints(struct wire *graph, const char *name,
                                              const int64_t *values, int count)
{
    int64_t dims[1] = {count};
    struct wire t = wire_tensor(name, 7, dims, 1, values, (size_t)count * 8);
    wire_msg(graph, 5, &t);
}

/* ---- nodes: inputs and outputs separated by blanks, "-" for an omitted one ----------------------
 */

__attribute__((unused)) static void wire_words(struct wire *node, unsigned field, const char *words)
{
    while (*words != '\0') {
        size_t n = strcspn(words, " ");
        wire_bytes(node, field, words, n == 1 && words[0] == '-' ? 0 : n);
        words += n + (words[n] == ' ' ? 1 : 0);
    }
}

__attribute__((unused)) static struct wire wire_node(const char *op, const char *in,
                                                     const char *out)
{
    struct wire n = {0};
    wire_words(&n, 1, in);
    wire_words(&n, 2, out);
    wire_str(&n, 4, op);
    return n;
}

__attribute__((unused)) static void wire_simple(struct wire *graph, const char *op, const char *in,
                                                const char *out)
{
    struct wire n = wire_node(op, in, out);
    wire_msg(graph, 1, &n);
}

__attribute__((unused)) static void attr_int(struct wire *node, const char *name, int64_t v)
{
    struct wire a = {0};
    wire_str(&a, 1, name);
    wire_int(&a, 3, v);
    wire_int(&a, 20, 2);
    wire_msg(node, 5, &a);
}

__attribute__((unused)) static void attr_ints(struct wire *node, const char *name, const int64_t *v,
                                              int count)
{
    struct wire a = {0};
    wire_str(&a, 1, name);
    for (int i = 0; i < count; i++) {
        wire_int(&a, 8, v[i]);
    }
    wire_int(&a, 20, 7);
    wire_msg(node, 5, &a);
}

__attribute__((unused)) static void attr_float(struct wire *node, const char *name, float v)
{
    struct wire a = {0};
    wire_str(&a, 1, name);
    wire_float(&a, 2, v);
    wire_int(&a, 20, 1);
    wire_msg(node, 5, &a);
}

__attribute__((unused)) static void attr_str(struct wire *node, const char *name, const char *v)
{
    struct wire a = {0};
    wire_str(&a, 1, name);
    wire_str(&a, 4, v);
    wire_int(&a, 20, 3);
    wire_msg(node, 5, &a);
}

/* `graph` becomes the attribute and is emptied. */
__attribute__((unused)) static void attr_graph(struct wire *node, const char *name,
                                               struct wire *graph)
{
    struct wire a = {0};
    wire_str(&a, 1, name);
    wire_msg(&a, 6, graph);
    wire_int(&a, 20, 5);
    wire_msg(node, 5, &a);
}

__attribute__((unused)) static void attr_tensor(struct wire *node, const char *name,
                                                struct wire *tensor)
{
    struct wire a = {0};
    wire_str(&a, 1, name);
    wire_msg(&a, 5, tensor);
    wire_int(&a, 20, 4);
    wire_msg(node, 5, &a);
}

__attribute__((unused)) static void wire_opset(struct wire *model, unsigned field,
                                               const char *domain, int64_t version)
{
    struct wire o = {0};
    wire_str(&o, 1, domain);
    wire_int(&o, 2, version);
    wire_msg(model, field, &o);
}

/* A whole model around `graph`, which is emptied. */
__attribute__((unused)) static struct wire wire_model(struct wire *graph, int64_t opset)
{
    struct wire m = {0};
    wire_int(&m, 1, 8);
    wire_str(&m, 2, "test");
    wire_opset(&m, 8, "", opset);
    wire_msg(&m, 7, graph);
    return m;
}

#endif
