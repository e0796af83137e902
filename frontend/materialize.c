/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frontend/materialize.c: a runnable file from a graph-only one. Every initializer whose data lies
 * in another file gets random values, made while they are written, so that memory is that of the
 * graph.
 *
 * In one file: the message is packed without those initializers; they follow one by one, each with
 * its payload behind its own fields (protobuf takes fields in any order and merges the two parts of
 * a repeated field). A message cannot exceed 2 GB: past that the values go to a second file, as
 * ONNX's external data.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "materialize_priv.h"
#include "zoo.h"

/* One message, less room for the fields around the payloads. */
#define INLINE_BYTES_MAX ((int64_t)INT32_MAX - (1 << 20))
#define CHUNK_BYTES 65536
#define DATA_ALIGNMENT 64

/* Field numbers of the three messages that are written by hand, and the wire type of bytes. */
#define MODEL_GRAPH 7u
#define GRAPH_INITIALIZER 5u
#define TENSOR_RAW_DATA 9u
#define WIRE_BYTES 2u

/* One initializer to fill. */
struct slot {
    Onnx__TensorProto *tensor;
    struct wl_mat_draw draw;
    int64_t payload_bytes;
    int64_t header_bytes; /* packed fields other than the payload */
    int64_t offset;       /* in the data file, where there is one */
};

struct job {
    struct wl_arena arena;
    const char *path;
    Onnx__ModelProto *model;
    struct slot *slots;
    int32_t slot_count;
    int64_t payload_bytes;
    uint64_t seed;
    struct wl_error *err;
};

/* ---- reading --------------------------------------------------------------------------------- */

static void *arena_new(void *arena, size_t bytes)
{
    return wl_arena_alloc(arena, bytes);
}

static void arena_drop(void *arena, void *p)
{
    (void)arena;
    (void)p;
}

/* Loading proves depth and lengths before protobuf-c, which has no limit, unpacks every byte. */
static wl_status check_bytes(const struct job *j, const struct wl_file *file)
{
    const struct wl_frontend_options opt = {.keep_symbolic = true};
    struct wl_model loaded;
    WL_TRY(wl_model_load_bytes(file->data, file->bytes, j->path, &opt, &loaded, j->err));
    wl_model_done(&loaded);
    return WL_OK;
}

static wl_status read_model(struct job *j)
{
    struct wl_file file;
    ProtobufCAllocator allocator = {arena_new, arena_drop, &j->arena};
    WL_TRY(wl_file_open(j->path, &file, j->err));
    wl_status status = check_bytes(j, &file);
    if (status == WL_OK) {
        j->model = onnx__model_proto__unpack(&allocator, file.bytes, file.data);
    }
    wl_file_close(&file);
    if (status == WL_OK && (j->model == NULL || j->model->graph == NULL)) {
        status = wl_fail(j->err, WL_ERR_PARSE, j->path, "is not an ONNX model");
    }
    return status;
}

static bool is_external(const Onnx__TensorProto *t)
{
    return t->has_data_location && t->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
}

static wl_status payload_of(const struct job *j, const Onnx__TensorProto *t, int64_t *out)
{
    const char *name = t->name == NULL || *t->name == '\0' ? "(unnamed)" : t->name;
    int64_t bytes = t->has_data_type ? wl_mat_value_bytes(t->data_type) : 0;
    if (bytes == 0) {
        return wl_fail(j->err, WL_ERR_UNSUPPORTED, j->path,
                       "initializer \"%.100s\" has element type %d; random values exist for float, "
                       "double, float16, bfloat16 and 8-, 32- and 64-bit integers",
                       name, (int)t->data_type);
    }
    for (size_t i = 0; i < t->n_dims; i++) {
        if (t->dims[i] < 0 || !wl_mul_i64(bytes, t->dims[i], &bytes)) {
            return wl_fail(j->err, WL_ERR_INVALID, j->path,
                           "initializer \"%.100s\" has impossible dims", name);
        }
    }
    *out = bytes;
    return WL_OK;
}

/* First use of every name in the main graph: node index and input, by id in `names`. */
struct use {
    const Onnx__NodeProto *node;
    size_t input;
};

static void find_uses(const struct job *j, const struct wl_strmap *names, struct use *uses)
{
    const Onnx__GraphProto *g = j->model->graph;
    for (size_t i = 0; i < g->n_node; i++) {
        const Onnx__NodeProto *n = g->node[i];
        for (size_t k = 0; n->op_type != NULL && k < n->n_input; k++) {
            int32_t id = wl_strmap_find(names, wl_str(n->input[k]));
            if (id != WL_NONE && uses[id].node == NULL) {
                uses[id] = (struct use){n, k};
            }
        }
    }
}

/* Collects the initializers to fill, and how. */
static wl_status plan_slots(struct job *j)
{
    const Onnx__GraphProto *g = j->model->graph;
    struct wl_strmap names;
    WL_TRY(wl_strmap_init(&names, &j->arena));
    j->slots = WL_ARRAY(&j->arena, struct slot, g->n_initializer);
    struct use *uses = WL_ARRAY(&j->arena, struct use, g->n_initializer + 1);
    WL_TRY_PTR(j->slots, j->err);
    WL_TRY_PTR(uses, j->err);
    for (size_t i = 0; i < g->n_initializer; i++) {
        Onnx__TensorProto *t = g->initializer[i];
        if (is_external(t)) {
            struct slot *s = &j->slots[j->slot_count++];
            s->tensor = t;
            WL_TRY(payload_of(j, t, &s->payload_bytes));
            if (wl_strmap_add_static(&names, wl_str(t->name == NULL ? "" : t->name)) == WL_NONE) {
                return wl_fail_nomem(j->err);
            }
        }
    }
    find_uses(j, &names, uses);
    for (int32_t i = 0; i < j->slot_count; i++) {
        struct slot *s = &j->slots[i];
        const char *name = s->tensor->name == NULL ? "" : s->tensor->name;
        const struct use *u = &uses[wl_strmap_find(&names, wl_str(name))];
        s->draw = wl_mat_draw_for(g, u->node, u->input, s->tensor);
        if (!wl_add_i64(j->payload_bytes, s->payload_bytes, &j->payload_bytes)) {
            return wl_fail(j->err, WL_ERR_INVALID, j->path, "has more weights than a file holds");
        }
    }
    return WL_OK;
}

/* ---- writing --------------------------------------------------------------------------------- */

struct sink {
    FILE *file;
    bool failed;
};

static void put_bytes(struct sink *s, const void *bytes, size_t count)
{
    if (!s->failed && count > 0 && fwrite(bytes, 1, count, s->file) != count) {
        s->failed = true;
    }
}

static size_t varint(uint64_t v, uint8_t out[10])
{
    size_t n = 0;
    while (v >= 0x80) {
        out[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    out[n++] = (uint8_t)v;
    return n;
}

static void put_tag(struct sink *s, uint32_t field, int64_t length)
{
    uint8_t bytes[10];
    put_bytes(s, bytes, varint((uint64_t)field << 3 | WIRE_BYTES, bytes));
    put_bytes(s, bytes, varint((uint64_t)length, bytes));
}

/* Bytes of tag and length in front of a field. */
static int64_t tag_bytes(uint32_t field, int64_t length)
{
    uint8_t bytes[10];
    return (int64_t)(varint((uint64_t)field << 3 | WIRE_BYTES, bytes) +
                     varint((uint64_t)length, bytes));
}

static void put_message(struct sink *s, const ProtobufCMessage *m, struct wl_arena *arena)
{
    struct wl_arena_mark mark = wl_arena_mark(arena);
    size_t count = protobuf_c_message_get_packed_size(m);
    uint8_t *bytes = wl_arena_alloc(arena, count);
    if (bytes == NULL) {
        s->failed = true;
        return;
    }
    put_bytes(s, bytes, protobuf_c_message_pack(m, bytes));
    wl_arena_reset(arena, mark);
}

static void put_payload(struct sink *s, const struct job *j, int32_t index)
{
    uint8_t chunk[CHUNK_BYTES];
    const struct slot *slot = &j->slots[index];
    size_t step = (size_t)wl_mat_value_bytes(slot->tensor->data_type);
    uint64_t state = (j->seed ^ (uint64_t)index << 32) * UINT64_C(0xD1342543DE82EF95);
    int64_t left = slot->payload_bytes / (int64_t)step;
    while (left > 0 && !s->failed) {
        size_t count = (size_t)wl_min_i64(left, (int64_t)(CHUNK_BYTES / step));
        wl_mat_fill(slot->tensor->data_type, slot->draw, &state, chunk, count);
        put_bytes(s, chunk, count * step);
        left -= (int64_t)count;
    }
}

/* The tensor's own fields, without any reference to another file. */
static void forget_reference(Onnx__TensorProto *t)
{
    t->has_data_location = false;
    t->n_external_data = 0;
    t->has_raw_data = false;
}

/* Length of one initializer's message with its payload. */
static int64_t slot_bytes(const struct slot *s)
{
    return s->header_bytes + tag_bytes(TENSOR_RAW_DATA, s->payload_bytes) + s->payload_bytes;
}

static void write_inline(struct sink *s, struct job *j)
{
    Onnx__GraphProto *g = j->model->graph;
    size_t kept = 0;
    for (size_t i = 0; i < g->n_initializer; i++) {
        if (!is_external(g->initializer[i])) {
            g->initializer[kept++] = g->initializer[i];
        }
    }
    g->n_initializer = kept;
    int64_t total = (int64_t)protobuf_c_message_get_packed_size(&g->base);
    for (int32_t i = 0; i < j->slot_count; i++) {
        struct slot *slot = &j->slots[i];
        forget_reference(slot->tensor);
        slot->header_bytes = (int64_t)protobuf_c_message_get_packed_size(&slot->tensor->base);
        total += tag_bytes(GRAPH_INITIALIZER, slot_bytes(slot)) + slot_bytes(slot);
    }
    j->model->graph = NULL;
    put_message(s, &j->model->base, &j->arena);
    put_tag(s, MODEL_GRAPH, total);
    put_message(s, &g->base, &j->arena);
    for (int32_t i = 0; i < j->slot_count; i++) {
        put_tag(s, GRAPH_INITIALIZER, slot_bytes(&j->slots[i]));
        put_message(s, &j->slots[i].tensor->base, &j->arena);
        put_tag(s, TENSOR_RAW_DATA, j->slots[i].payload_bytes);
        put_payload(s, j, i);
    }
}

/* ---- external data --------------------------------------------------------------------------- */

static Onnx__StringStringEntryProto *entry(struct wl_arena *arena, const char *key,
                                           const char *value)
{
    Onnx__StringStringEntryProto *e = WL_NEW(arena, Onnx__StringStringEntryProto);
    if (e == NULL || value == NULL) {
        return NULL;
    }
    onnx__string_string_entry_proto__init(e);
    e->key = wl_arena_strndup(arena, key, strlen(key));
    e->value = wl_arena_strndup(arena, value, strlen(value));
    return e->key == NULL || e->value == NULL ? NULL : e;
}

/* Points a tensor at its place in the file `location`. */
static wl_status set_reference(struct job *j, struct slot *s, const char *location)
{
    struct wl_arena *a = &j->arena;
    Onnx__StringStringEntryProto **list = WL_ARRAY(a, Onnx__StringStringEntryProto *, 3);
    WL_TRY_PTR(list, j->err);
    list[0] = entry(a, "location", location);
    list[1] = entry(a, "offset", wl_arena_printf(a, "%" PRId64, s->offset));
    list[2] = entry(a, "length", wl_arena_printf(a, "%" PRId64, s->payload_bytes));
    for (int i = 0; i < 3; i++) {
        WL_TRY_PTR(list[i], j->err);
    }
    s->tensor->external_data = list;
    s->tensor->n_external_data = 3;
    return WL_OK;
}

static wl_status place_external(struct job *j, const char *location)
{
    int64_t offset = 0;
    for (int32_t i = 0; i < j->slot_count; i++) {
        j->slots[i].offset = offset;
        WL_TRY(set_reference(j, &j->slots[i], location));
        offset =
            wl_ceil_div_i64(offset + j->slots[i].payload_bytes, DATA_ALIGNMENT) * DATA_ALIGNMENT;
    }
    return WL_OK;
}

static void write_data(struct sink *s, struct job *j)
{
    static const uint8_t zeros[DATA_ALIGNMENT] = {0};
    int64_t at = 0;
    for (int32_t i = 0; i < j->slot_count; i++) {
        put_bytes(s, zeros, (size_t)(j->slots[i].offset - at));
        put_payload(s, j, i);
        at = j->slots[i].offset + j->slots[i].payload_bytes;
    }
}

static void write_whole(struct sink *s, struct job *j)
{
    put_message(s, &j->model->base, &j->arena);
}

/* ---- files ----------------------------------------------------------------------------------- */

/* Runs `write` on a temporary file beside `path`, then renames it: never half a file. */
static wl_status write_file(struct job *j, const char *path,
                            void (*write)(struct sink *s, struct job *j))
{
    struct sink s = {0};
    const char *part = wl_arena_printf(&j->arena, "%s.part", path);
    WL_TRY_PTR(part, j->err);
    s.file = fopen(part, "wb");
    if (s.file == NULL) {
        return wl_fail(j->err, WL_ERR_IO, path, "cannot be written: %s", strerror(errno));
    }
    write(&s, j);
    errno = s.failed && errno == 0 ? EIO : errno;
    bool closed = fclose(s.file) == 0;
    if (s.failed || !closed || rename(part, path) != 0) {
        wl_status status =
            wl_fail(j->err, WL_ERR_IO, path, "cannot be written: %s", strerror(errno));
        (void)unlink(part);
        return status;
    }
    return WL_OK;
}

static wl_status write_output(struct job *j, const char *output, bool external)
{
    if (!external) {
        return write_file(j, output, write_inline);
    }
    const char *data = wl_arena_printf(&j->arena, "%s.data", output);
    WL_TRY_PTR(data, j->err);
    const char *slash = strrchr(data, '/');
    WL_TRY(place_external(j, slash == NULL ? data : slash + 1));
    WL_TRY(write_file(j, data, write_data));
    return write_file(j, output, write_whole);
}

wl_status wl_materialize(const char *path, const char *output, uint64_t seed,
                         struct wl_materialized *out, struct wl_error *err)
{
    struct job j = {.path = path, .seed = seed, .err = err};
    wl_arena_init(&j.arena, 0);
    wl_status status = read_model(&j);
    if (status == WL_OK) {
        status = plan_slots(&j);
    }
    bool external = j.payload_bytes > INLINE_BYTES_MAX;
    if (status == WL_OK) {
        status = write_output(&j, output, external);
    }
    if (status == WL_OK) {
        *out = (struct wl_materialized){j.slot_count, j.payload_bytes, external};
    }
    wl_arena_done(&j.arena);
    return status;
}
