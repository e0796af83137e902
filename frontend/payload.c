/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frontend/payload.c: floats that the graph does not carry, read from the file when somebody asks.
 * The scan cuts payloads of large tensors out; this walks the same file again to one initializer of
 * the main graph. A walk touches a page per initializer, so it is for the few tensors whose values
 * matter. Data in another file is not followed.
 */
#include <string.h>

#include "frontend.h"

/* Field numbers and wire types of onnx.proto. */
enum { MODEL_GRAPH = 7, GRAPH_INITIALIZER = 5 };
enum { TENSOR_TYPE = 2, TENSOR_FLOATS = 4, TENSOR_NAME = 8, TENSOR_RAW = 9 };
enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };
#define TYPE_FLOAT 1

struct span {
    const uint8_t *at, *end;
};

struct field {
    uint64_t number, wire;
    uint64_t value;   /* of a varint */
    struct span body; /* of bytes */
};

static bool read_varint(struct span *s, uint64_t *out)
{
    *out = 0;
    for (int shift = 0; s->at < s->end && shift < 64; shift += 7) {
        uint8_t byte = *s->at++;
        *out |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            return true;
        }
    }
    return false;
}

/* The next field; false at the end, and where the bytes are no message. */
static bool read_field(struct span *s, struct field *f)
{
    uint64_t key, length = 0;
    if (!read_varint(s, &key)) {
        return false;
    }
    *f = (struct field){.number = key >> 3, .wire = key & 7};
    if (f->wire == WIRE_VARINT) {
        return read_varint(s, &f->value);
    }
    if (f->wire == WIRE_BYTES && !read_varint(s, &length)) {
        return false;
    }
    length = f->wire == WIRE_64 ? 8 : f->wire == WIRE_32 ? 4 : length;
    if ((f->wire != WIRE_BYTES && length == 0) || length > (uint64_t)(s->end - s->at)) {
        return false;
    }
    f->body = (struct span){s->at, s->at + length};
    s->at += length;
    return true;
}

/* The values of a tensor of this name, in either form that floats are stored in one piece. */
static bool read_tensor(struct span tensor, struct wl_str name, struct span *out)
{
    struct field f;
    bool named = false, floats = false;
    *out = (struct span){NULL, NULL};
    while (read_field(&tensor, &f)) {
        if (f.number == TENSOR_TYPE && f.wire == WIRE_VARINT) {
            floats = f.value == TYPE_FLOAT;
        } else if (f.number == TENSOR_NAME && f.wire == WIRE_BYTES) {
            size_t len = (size_t)(f.body.end - f.body.at);
            named = len == name.len && memcmp(f.body.at, name.data, len) == 0;
        } else if ((f.number == TENSOR_RAW || f.number == TENSOR_FLOATS) && f.wire == WIRE_BYTES) {
            *out = f.body;
        }
    }
    return named && floats && out->at != NULL;
}

static bool find_floats(struct span model, struct wl_str name, struct span *out)
{
    struct field graph, part;
    while (read_field(&model, &graph)) {
        bool inside = graph.number == MODEL_GRAPH && graph.wire == WIRE_BYTES;
        while (inside && read_field(&graph.body, &part)) {
            if (part.number == GRAPH_INITIALIZER && part.wire == WIRE_BYTES &&
                read_tensor(part.body, name, out)) {
                return true;
            }
        }
    }
    return false;
}

bool wl_model_has_floats_between(const struct wl_model *m, int32_t tensor, double low, double high)
{
    struct wl_str name = wl_tensor_name(&m->graph, tensor);
    struct wl_file file;
    struct span values;
    bool found = false;
    if (m->path == NULL || name.len == 0 || wl_file_open(m->path, &file, NULL) != WL_OK) {
        return false;
    }
    if (find_floats((struct span){file.data, file.data + file.bytes}, name, &values)) {
        for (; !found && values.end - values.at >= (ptrdiff_t)sizeof(float);
             values.at += sizeof(float)) {
            float v;
            memcpy(&v, values.at, sizeof(v));
            found = (double)v > low && (double)v < high;
        }
    }
    wl_file_close(&file);
    return found;
}
