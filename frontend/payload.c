/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frontend/payload.c: floats that the graph does not carry, read from the file when somebody asks.
 * The scan cuts payloads of large tensors out; this walks the same file again to one initializer of
 * the main graph. A walk touches a page per initializer, so it is for the few tensors whose values
 * matter. Data in another file is not followed.
 */
#include <string.h>

#include "frontend.h"
#include "wire_priv.h"

/* Field numbers of onnx.proto. */
enum { MODEL_GRAPH = 7, GRAPH_INITIALIZER = 5 };
enum { TENSOR_TYPE = 2, TENSOR_FLOATS = 4, TENSOR_NAME = 8, TENSOR_RAW = 9 };
#define TYPE_FLOAT 1

struct span {
    const uint8_t *at, *end;
};

/* The next field; false at the end, and where the bytes are no message. */
static bool read_field(struct span *s, struct wl_wire_field *f)
{
    if (s->at == s->end || wl_wire_read(s->at, s->end, f) != NULL) {
        return false;
    }
    s->at = f->end;
    return true;
}

static struct span body(const struct wl_wire_field *f)
{
    return (struct span){f->content, f->end};
}

/* The values of a tensor of this name, in either form that floats are stored in one piece. */
static bool read_tensor(struct span tensor, struct wl_str name, struct span *out)
{
    struct wl_wire_field f;
    bool named = false, floats = false;
    *out = (struct span){NULL, NULL};
    while (read_field(&tensor, &f)) {
        if (f.number == TENSOR_TYPE && f.wire == WIRE_VARINT) {
            floats = f.value == TYPE_FLOAT;
        } else if (f.number == TENSOR_NAME && f.wire == WIRE_BYTES) {
            size_t len = (size_t)f.value;
            named = len == name.len && memcmp(f.content, name.data, len) == 0;
        } else if ((f.number == TENSOR_RAW || f.number == TENSOR_FLOATS) && f.wire == WIRE_BYTES) {
            *out = body(&f);
        }
    }
    return named && floats && out->at != NULL;
}

static bool find_floats(struct span model, struct wl_str name, struct span *out)
{
    struct wl_wire_field field, part;
    while (read_field(&model, &field)) {
        bool inside = field.number == MODEL_GRAPH && field.wire == WIRE_BYTES;
        struct span graph = body(&field);
        while (inside && read_field(&graph, &part)) {
            if (part.number == GRAPH_INITIALIZER && part.wire == WIRE_BYTES &&
                read_tensor(body(&part), name, out)) {
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
