/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frontend/scan.c: one walk over the wire format of a file before protobuf-c sees any of it.
 *
 * Decides what the analysis needs of a file and refuses what no model contains: messages nested
 * deeper than WL_SCAN_DEPTH_MAX, lengths past the end, wrong wire types, tensors whose payload
 * contradicts their dims and type. protobuf-c has no nesting limit and copies every payload; after
 * this walk it sees small, bounded input.
 *
 * Cost: one header per field. A payload is skipped by its length, so the pages of weights are never
 * touched. Kept bytes are copied once; the length prefix of a message that shrinks is rewritten in
 * as many bytes as it had (a padded varint, which protobuf allows).
 *
 * Sources: the protobuf encoding (varint, wire types 0, 1, 2, 5); ONNX's TensorProto for which
 * *_data field holds which element type. 2- and 4-bit elements in int32_data are accepted packed or
 * one per entry, both occur.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "frontend_priv.h"
#include "wire_priv.h"

#define KEPT_BYTES_MAX ((size_t)512 << 20)
#define NODES_MAX (1 << 24)
#define FORGET_BYTES ((size_t)1 << 20)
#define PAGE_BYTES ((size_t)4096)
#define STRING_BYTES_MAX 65536 /* a longer string attribute is an embedded blob: dropped */

/* ---- what is kept of each message ----------------------------------------------------------- */

enum message {
    MSG_MODEL,
    MSG_GRAPH,
    MSG_NODE,
    MSG_ATTR,
    MSG_TENSOR,
    MSG_SPARSE_PART, /* a tensor inside a sparse one: payload always cut */
    MSG_SPARSE,
    MSG_VALUE_INFO,
    MSG_TYPE,
    MSG_TYPE_ELEM, /* sequence, optional: one nested type */
    MSG_TYPE_MAP,
    MSG_FUNCTION,
    MSG_COUNT
};

enum action {
    DROP, /* also every field not listed */
    KEEP,
    KEEP_SHORT, /* unless longer than STRING_BYTES_MAX */
    WALK        /* a message */
};

struct rule {
    uint8_t action;
    uint8_t wire; /* WIRE_LIST: packed or not, both are legal */
    uint8_t child;
};

#define FIELDS_MAX 32

static const struct rule rules[MSG_COUNT][FIELDS_MAX] =
    {
        [MSG_MODEL] =
            {
                [1] = {KEEP, WIRE_VARINT, 0},           /* ir_version */
                [2] = {KEEP, WIRE_BYTES, 0},            /* producer_name */
                [3] = {KEEP, WIRE_BYTES, 0},            /* producer_version */
                [7] = {WALK, WIRE_BYTES, MSG_GRAPH},    /* graph */
                [8] = {KEEP, WIRE_BYTES, 0},            /* opset_import */
                [25] = {WALK, WIRE_BYTES, MSG_FUNCTION} /* functions */
            },
        [MSG_GRAPH] =
            {
                [1] = {WALK, WIRE_BYTES, MSG_NODE},        /* node */
                [2] = {KEEP, WIRE_BYTES, 0},               /* name */
                [5] = {WALK, WIRE_BYTES, MSG_TENSOR},      /* initializer */
                [11] = {WALK, WIRE_BYTES, MSG_VALUE_INFO}, /* input */
                [12] = {WALK, WIRE_BYTES, MSG_VALUE_INFO}, /* output */
                [13] = {WALK, WIRE_BYTES, MSG_VALUE_INFO}, /* value_info */
                [15] = {WALK, WIRE_BYTES, MSG_SPARSE}      /* sparse_initializer */
            },
        [MSG_NODE] =
            {
                [1] = {KEEP, WIRE_BYTES, 0},        /* input */
                [2] = {KEEP, WIRE_BYTES, 0},        /* output */
                [3] = {KEEP, WIRE_BYTES, 0},        /* name */
                [4] = {KEEP, WIRE_BYTES, 0},        /* op_type */
                [5] = {WALK, WIRE_BYTES, MSG_ATTR}, /* attribute */
                [7] = {KEEP, WIRE_BYTES, 0},        /* domain */
                [8] = {KEEP, WIRE_BYTES, 0}         /* overload */
            },
        [MSG_ATTR] =
            {
                [1] = {KEEP, WIRE_BYTES, 0},           /* name */
                [2] = {KEEP, WIRE_32, 0},              /* f */
                [3] = {KEEP, WIRE_VARINT, 0},          /* i */
                [4] = {KEEP_SHORT, WIRE_BYTES, 0},     /* s */
                [5] = {WALK, WIRE_BYTES, MSG_TENSOR},  /* t */
                [6] = {WALK, WIRE_BYTES, MSG_GRAPH},   /* g */
                [7] = {KEEP, WIRE_LIST, 0},            /* floats */
                [8] = {KEEP, WIRE_LIST, 0},            /* ints */
                [9] = {KEEP_SHORT, WIRE_BYTES, 0},     /* strings */
                [10] = {WALK, WIRE_BYTES, MSG_TENSOR}, /* tensors */
                [11] = {WALK, WIRE_BYTES, MSG_GRAPH},  /* graphs */
                [14] = {WALK, WIRE_BYTES, MSG_TYPE},   /* tp */
                [20] = {KEEP, WIRE_VARINT, 0},         /* type */
                [21] = {KEEP, WIRE_BYTES, 0},          /* ref_attr_name */
                [22] = {WALK, WIRE_BYTES, MSG_SPARSE}  /* sparse_tensor */
            },
        [MSG_SPARSE] =
            {
                [1] = {WALK, WIRE_BYTES, MSG_SPARSE_PART}, /* values */
                [2] = {WALK, WIRE_BYTES, MSG_SPARSE_PART}, /* indices */
                [3] = {KEEP, WIRE_LIST, 0}                 /* dims */
            },
        [MSG_VALUE_INFO] =
            {
                [1] = {KEEP, WIRE_BYTES, 0},       /* name */
                [2] = {WALK, WIRE_BYTES, MSG_TYPE} /* type */
            },
        [MSG_TYPE] =
            {
                [1] = {KEEP, WIRE_BYTES, 0},             /* tensor_type */
                [4] = {WALK, WIRE_BYTES, MSG_TYPE_ELEM}, /* sequence_type */
                [5] = {WALK, WIRE_BYTES, MSG_TYPE_MAP},  /* map_type */
                [7] = {KEEP, WIRE_BYTES, 0},             /* opaque_type */
                [8] = {KEEP, WIRE_BYTES, 0},             /* sparse_tensor_type */
                [9] = {WALK, WIRE_BYTES, MSG_TYPE_ELEM}  /* optional_type */
            },
        [MSG_TYPE_ELEM] =
            {
                [1] = {WALK, WIRE_BYTES, MSG_TYPE} /* elem_type */
            },
        [MSG_TYPE_MAP] =
            {
                [1] = {KEEP, WIRE_VARINT, 0},      /* key_type */
                [2] = {WALK, WIRE_BYTES, MSG_TYPE} /* value_type */
            },
        [MSG_FUNCTION] =
            {
                [1] = {KEEP, WIRE_BYTES, 0},               /* name */
                [4] = {KEEP, WIRE_BYTES, 0},               /* input */
                [5] = {KEEP, WIRE_BYTES, 0},               /* output */
                [6] = {KEEP, WIRE_BYTES, 0},               /* attribute */
                [7] = {WALK, WIRE_BYTES, MSG_NODE},        /* node */
                [9] = {KEEP, WIRE_BYTES, 0},               /* opset_import */
                [10] = {KEEP, WIRE_BYTES, 0},              /* domain */
                [11] = {WALK, WIRE_BYTES, MSG_ATTR},       /* attribute_proto */
                [12] = {WALK, WIRE_BYTES, MSG_VALUE_INFO}, /* value_info */
                [13] = {KEEP, WIRE_BYTES, 0}               /* overload */
            },
};

/* ---- state ---------------------------------------------------------------------------------- */

struct scanner {
    struct wl_scan *scan;
    struct wl_scan_buf *out;
    const uint8_t *file;
    const char *path;
    struct wl_error *err;
    int graphs;
    bool mapped;
    const uint8_t *forgotten; /* of a mapped file: pages before this are given back */
};

static wl_status damaged(const struct scanner *s, const uint8_t *at, const char *what)
{
    return wl_fail(s->err, WL_ERR_PARSE, s->path,
                   "not an ONNX model, or a damaged one: %s at byte %zu; expected a file written "
                   "by an ONNX exporter",
                   what, (size_t)(at - s->file));
}

/* Room for `count` more bytes; the buffer exists afterwards. */
static wl_status buf_reserve(const struct scanner *s, struct wl_scan_buf *b, size_t count)
{
    if (b->data != NULL && count <= b->capacity - b->bytes) {
        return WL_OK;
    }
    size_t capacity = b->capacity == 0 ? 16384 : b->capacity;
    while (capacity - b->bytes < count && capacity <= KEPT_BYTES_MAX) {
        capacity *= 2;
    }
    if (count > KEPT_BYTES_MAX || capacity > KEPT_BYTES_MAX) {
        return wl_fail(s->err, WL_ERR_LIMIT, s->path,
                       "the graph without its weights exceeds %zu MiB; wattline analyses smaller "
                       "graphs",
                       KEPT_BYTES_MAX >> 20);
    }
    uint8_t *data = wl_realloc(b->data, capacity);
    if (data == NULL) {
        return wl_fail_nomem(s->err);
    }
    b->data = data;
    b->capacity = capacity;
    return WL_OK;
}

static inline wl_status buf_add(const struct scanner *s, struct wl_scan_buf *b,
                                const uint8_t *bytes, size_t count)
{
    if (count > b->capacity - b->bytes) {
        WL_TRY(buf_reserve(s, b, count));
    }
    if (count > 0) {
        memcpy(b->data + b->bytes, bytes, count);
        b->bytes += count;
    }
    return WL_OK;
}

/* ---- wire ----------------------------------------------------------------------------------- */

/* The field at p: its extent lies within [p, end). */
static wl_status field_read(const struct scanner *s, const uint8_t *p, const uint8_t *end,
                            struct wl_wire_field *f)
{
    const char *what = wl_wire_read(p, end, f);
    return what == NULL ? WL_OK : damaged(s, p, what);
}

/*
 * Gives back the pages of a mapped file before `at`. The kernel maps whole folios (2 MiB) around
 * each byte that is looked at, so that a walk over the headers alone would map most of a large
 * file. The pages stay in the page cache.
 */
static void forget(struct scanner *s, const uint8_t *at)
{
    if (!s->mapped || (size_t)(at - s->forgotten) < FORGET_BYTES) {
        return;
    }
    size_t bytes = (size_t)(at - s->forgotten) & ~(PAGE_BYTES - 1);
    (void)madvise((void *)(uintptr_t)s->forgotten, bytes, MADV_DONTNEED);
    s->forgotten += bytes;
}

/* ---- tensors -------------------------------------------------------------------------------- */

enum {
    FLOAT_DATA = 4,
    INT32_DATA = 5,
    STRING_DATA = 6,
    INT64_DATA = 7,
    RAW_DATA = 9,
    DOUBLE_DATA = 10,
    UINT64_DATA = 11
};

struct tensor_facts {
    int64_t dims[WL_RANK_MAX];
    int32_t rank;
    uint64_t dtype;
    const uint8_t *name;
    size_t name_len;
    uint32_t payload; /* field number of the payload, 0: none */
    uint64_t payload_bytes;
    int64_t entries; /* of the payload, where they can be counted without reading it; else -1 */
    bool external;
    int64_t external_bytes; /* -1: not given */
    int64_t elems;
};

static wl_status tensor_bad(const struct scanner *s, const struct tensor_facts *t, const char *fmt,
                            ...) WL_PRINTF(3, 4);

static wl_status tensor_bad(const struct scanner *s, const struct tensor_facts *t, const char *fmt,
                            ...)
{
    char what[256];
    char where[160];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(what, sizeof(what), fmt, args);
    va_end(args);
    int len = t->name_len > 120 ? 120 : (int)t->name_len;
    (void)snprintf(where, sizeof(where), "tensor \"%.*s\"", len,
                   t->name == NULL ? "" : (const char *)t->name);
    return wl_fail(s->err, WL_ERR_INVALID, where, "%s", what);
}

static wl_status dims_add(const struct scanner *s, struct tensor_facts *t,
                          const struct wl_wire_field *f)
{
    const uint8_t *p = f->content;
    while (p < f->end) {
        uint64_t value;
        size_t n = wl_wire_varint(p, f->end, &value);
        if (n == 0) {
            return damaged(s, p, "a dimension that does not end");
        }
        if (t->rank == WL_RANK_MAX) {
            return tensor_bad(s, t, "has more than %d dimensions; ONNX models have a few",
                              WL_RANK_MAX);
        }
        t->dims[t->rank++] = (int64_t)value;
        p += n;
    }
    return WL_OK;
}

/* The `length` of external data; other keys do not matter. */
static wl_status external_add(const struct scanner *s, struct tensor_facts *t,
                              const struct wl_wire_field *entry)
{
    bool is_length = false;
    const uint8_t *value = NULL;
    size_t value_len = 0;
    struct wl_wire_field f;
    for (const uint8_t *p = entry->content; p < entry->end; p = f.end) {
        WL_TRY(field_read(s, p, entry->end, &f));
        if (f.number == 1 && f.wire == WIRE_BYTES) {
            is_length = f.value == 6 && memcmp(f.content, "length", 6) == 0;
        } else if (f.number == 2 && f.wire == WIRE_BYTES) {
            value = f.content;
            value_len = (size_t)f.value;
        }
    }
    t->external = true;
    if (!is_length || value == NULL) {
        return WL_OK;
    }
    int64_t bytes = 0;
    for (size_t i = 0; i < value_len; i++) {
        if (value[i] < '0' || value[i] > '9' || !wl_mul_i64(bytes, 10, &bytes) ||
            !wl_add_i64(bytes, value[i] - '0', &bytes)) {
            return tensor_bad(s, t, "the length of its external data is not a number of bytes");
        }
    }
    t->external_bytes = value_len == 0 ? -1 : bytes;
    return WL_OK;
}

/* Entries of a payload field that can be told from its length; -1: only between bounds. */
static wl_status payload_add(const struct scanner *s, struct tensor_facts *t,
                             const struct wl_wire_field *f)
{
    if (t->payload != 0 && t->payload != f->number) {
        return tensor_bad(s, t, "stores its elements twice, in fields %u and %u",
                          (unsigned)t->payload, (unsigned)f->number);
    }
    t->payload = f->number;
    uint64_t size = (uint64_t)(f->end - f->content);
    t->payload_bytes += size;
    if (f->wire != WIRE_BYTES || f->number == STRING_DATA) {
        t->entries += t->entries < 0 ? 0 : 1;
        return WL_OK;
    }
    uint64_t width = f->number == FLOAT_DATA ? 4 : f->number == DOUBLE_DATA ? 8 : 0;
    if (f->number == RAW_DATA) {
        return WL_OK;
    }
    if (width == 0) {
        t->entries = -1;
    } else if (size % width != 0) {
        return tensor_bad(s, t, "holds a part of an element");
    } else if (t->entries >= 0) {
        t->entries += (int64_t)(size / width);
    }
    return WL_OK;
}

static bool payload_wire_ok(const struct wl_wire_field *f)
{
    switch (f->number) {
    case FLOAT_DATA:
        return f->wire == WIRE_BYTES || f->wire == WIRE_32;
    case DOUBLE_DATA:
        return f->wire == WIRE_BYTES || f->wire == WIRE_64;
    case INT32_DATA:
    case INT64_DATA:
    case UINT64_DATA:
        return f->wire == WIRE_BYTES || f->wire == WIRE_VARINT;
    default:
        return f->wire == WIRE_BYTES;
    }
}

static wl_status tensor_field(const struct scanner *s, struct tensor_facts *t,
                              const struct wl_wire_field *f)
{
    switch (f->number) {
    case 1:
        if (f->wire != WIRE_BYTES && f->wire != WIRE_VARINT) {
            return damaged(s, f->start, "a wrong wire type");
        }
        return dims_add(s, t, f);
    case 2:
        if (f->wire != WIRE_VARINT) {
            return damaged(s, f->start, "a wrong wire type");
        }
        t->dtype = f->value;
        return WL_OK;
    case 8:
        if (f->wire != WIRE_BYTES) {
            return damaged(s, f->start, "a wrong wire type");
        }
        t->name = f->content;
        t->name_len = (size_t)f->value;
        return WL_OK;
    case 13:
        return f->wire == WIRE_BYTES ? external_add(s, t, f)
                                     : damaged(s, f->start, "a wrong wire type");
    case 14:
        t->external = t->external || (f->wire == WIRE_VARINT && f->value == 1);
        return WL_OK;
    case FLOAT_DATA:
    case INT32_DATA:
    case STRING_DATA:
    case INT64_DATA:
    case RAW_DATA:
    case DOUBLE_DATA:
    case UINT64_DATA:
        if (!payload_wire_ok(f)) {
            return damaged(s, f->start, "a wrong wire type");
        }
        return payload_add(s, t, f);
    default:
        return WL_OK;
    }
}

/* The field that holds elements of a type when raw_data does not. */
static uint32_t data_field(enum wl_dtype t)
{
    switch (t) {
    case WL_DT_FLOAT:
    case WL_DT_COMPLEX64:
        return FLOAT_DATA;
    case WL_DT_DOUBLE:
    case WL_DT_COMPLEX128:
        return DOUBLE_DATA;
    case WL_DT_INT64:
        return INT64_DATA;
    case WL_DT_UINT32:
    case WL_DT_UINT64:
        return UINT64_DATA;
    case WL_DT_STRING:
        return STRING_DATA;
    default:
        return INT32_DATA;
    }
}

/* Does the payload hold as many elements as the dims say? */
static wl_status payload_check(const struct scanner *s, const struct tensor_facts *t)
{
    enum wl_dtype dtype = (enum wl_dtype)t->dtype;
    int64_t bits = wl_dtype_bits(dtype);
    int64_t total_bits;
    if (!wl_mul_i64(t->elems, bits, &total_bits) || !wl_add_i64(total_bits, 7, &total_bits)) {
        return tensor_bad(s, t, "its dims overflow; a tensor holds fewer than 2^63 bits");
    }
    int64_t need_bytes = total_bits / 8;
    if (t->external && t->external_bytes >= 0 && bits != 0 && t->external_bytes != need_bytes) {
        return tensor_bad(s, t, "its external data has %lld bytes; dims and type %s need %lld",
                          (long long)t->external_bytes, wl_dtype_name(dtype),
                          (long long)need_bytes);
    }
    if (t->payload == 0 || t->external) {
        return WL_OK;
    }
    if (t->payload == RAW_DATA) {
        if (bits == 0 || t->payload_bytes != (uint64_t)need_bytes) {
            return tensor_bad(s, t, "holds %llu bytes of raw data; dims and type %s need %lld",
                              (unsigned long long)t->payload_bytes, wl_dtype_name(dtype),
                              (long long)need_bytes);
        }
        return WL_OK;
    }
    if (t->payload != data_field(dtype)) {
        return tensor_bad(s, t, "stores %s elements in the field of another type",
                          wl_dtype_name(dtype));
    }
    int64_t entries =
        dtype == WL_DT_COMPLEX64 || dtype == WL_DT_COMPLEX128 ? 2 * t->elems : t->elems;
    int64_t packed = bits == 4 || bits == 2 ? need_bytes : entries;
    bool fits = t->entries >= 0 ? t->entries == entries || t->entries == packed
                                : t->payload_bytes >= (uint64_t)packed &&
                                      t->payload_bytes / 10 <= (uint64_t)entries;
    if (!fits) {
        return tensor_bad(s, t, "holds %lld elements of data; its dims need %lld",
                          (long long)(t->entries >= 0 ? t->entries : (int64_t)t->payload_bytes),
                          (long long)entries);
    }
    return WL_OK;
}

static wl_status tensor_check(const struct scanner *s, struct tensor_facts *t)
{
    if (t->dtype == 0 || t->dtype >= WL_DT_COUNT) {
        return tensor_bad(s, t, "has unknown element type %llu; ONNX 1.23 knows 1 to %d",
                          (unsigned long long)t->dtype, WL_DT_COUNT - 1);
    }
    t->elems = 1;
    bool overflow = false;
    for (int32_t i = 0; i < t->rank; i++) {
        if (t->dims[i] < 0) {
            return tensor_bad(s, t, "has dimension %lld; dimensions are zero or more",
                              (long long)t->dims[i]);
        }
        overflow = overflow || !wl_mul_i64(t->elems, t->dims[i], &t->elems);
    }
    for (int32_t i = 0; i < t->rank; i++) {
        if (t->dims[i] == 0) {
            t->elems = 0;
            overflow = false;
        }
    }
    if (overflow || t->elems > INT64_MAX / 4) {
        return tensor_bad(s, t, "its dims overflow; a tensor holds fewer than 2^61 elements");
    }
    return payload_check(s, t);
}

static bool tensor_keeps_payload(const struct tensor_facts *t)
{
    if (t->payload == 0 || t->external || t->payload_bytes > WL_SCAN_KEEP_BYTES) {
        return false;
    }
    switch ((enum wl_dtype)t->dtype) {
    case WL_DT_INT32:
    case WL_DT_INT64:
    case WL_DT_BOOL:
        return t->elems <= WL_SCAN_KEEP_INTS;
    case WL_DT_FLOAT:
    case WL_DT_DOUBLE:
    case WL_DT_FLOAT16:
    case WL_DT_BFLOAT16:
    case WL_DT_UINT8:
    case WL_DT_INT8:
    case WL_DT_UINT16:
    case WL_DT_INT16:
    case WL_DT_UINT32:
    case WL_DT_UINT64:
        return t->elems <= WL_SCAN_KEEP_OTHERS;
    case WL_DT_STRING:
        return t->elems <= WL_SCAN_KEEP_STRINGS;
    default:
        return false;
    }
}

static bool is_payload(uint32_t number)
{
    return number == FLOAT_DATA || number == INT32_DATA || number == STRING_DATA ||
           number == INT64_DATA || number == RAW_DATA || number == DOUBLE_DATA ||
           number == UINT64_DATA;
}

static wl_status walk_tensor(struct scanner *s, const uint8_t *begin, const uint8_t *end, bool part)
{
    struct tensor_facts t = {.external_bytes = -1};
    struct wl_wire_field f;
    for (const uint8_t *p = begin; p < end; p = f.end) {
        WL_TRY(field_read(s, p, end, &f));
        WL_TRY(tensor_field(s, &t, &f));
    }
    WL_TRY(tensor_check(s, &t));
    bool keep = !part && tensor_keeps_payload(&t);
    if (t.payload == 0 && !t.external && t.elems > 0) {
        s->scan->absent_payloads++;
    }
    for (const uint8_t *p = begin; p < end; p = f.end) {
        WL_TRY(field_read(s, p, end, &f));
        if (f.number == 1 || f.number == 2 || f.number == 8 || (keep && is_payload(f.number))) {
            WL_TRY(buf_add(s, s->out, f.start, (size_t)(f.end - f.start)));
        }
    }
    forget(s, end);
    return WL_OK;
}

/* ---- the walk ------------------------------------------------------------------------------- */

static wl_status walk(struct scanner *s, const uint8_t *begin, const uint8_t *end,
                      enum message message, int depth);

static wl_status walk_content(struct scanner *s, const struct wl_wire_field *f,
                              enum message message, int depth)
{
    if (depth >= WL_SCAN_DEPTH_MAX) {
        return wl_fail(s->err, WL_ERR_LIMIT, s->path,
                       "messages are nested deeper than %d; graphs inside graphs are a few levels "
                       "deep in models",
                       WL_SCAN_DEPTH_MAX);
    }
    if (message == MSG_TENSOR || message == MSG_SPARSE_PART) {
        return walk_tensor(s, f->content, f->end, message == MSG_SPARSE_PART);
    }
    return walk(s, f->content, f->end, message, depth + 1);
}

/* Key, length and content of a message; the length is rewritten once the content is known. */
static wl_status walk_child(struct scanner *s, const struct wl_wire_field *f, enum message message,
                            int depth)
{
    struct wl_scan_buf *out = s->out;
    uint64_t key;
    size_t key_bytes = wl_wire_varint(f->start, f->end, &key);
    size_t length_bytes = (size_t)(f->content - f->start) - key_bytes;
    WL_TRY(buf_add(s, out, f->start, key_bytes + length_bytes));
    size_t at = out->bytes;
    WL_TRY(walk_content(s, f, message, depth));
    size_t length = out->bytes - at;
    for (size_t i = 0; i < length_bytes; i++) {
        uint8_t more = i + 1 < length_bytes ? 0x80 : 0;
        out->data[at - length_bytes + i] = (uint8_t)((length & 0x7f) | more);
        length >>= 7;
    }
    return WL_OK;
}

/* A node of the main graph goes to the list of nodes, without key and length of the field. */
static wl_status walk_main_node(struct scanner *s, const struct wl_wire_field *f, int depth)
{
    struct wl_scan *scan = s->scan;
    if (scan->node_count == NODES_MAX) {
        return wl_fail(s->err, WL_ERR_LIMIT, s->path, "more than %d nodes", NODES_MAX);
    }
    if (scan->node_count == scan->node_capacity) {
        int32_t capacity = scan->node_capacity == 0 ? 256 : 2 * scan->node_capacity;
        struct wl_scan_span *spans =
            wl_realloc(scan->spans, (size_t)capacity * sizeof(*scan->spans));
        if (spans == NULL) {
            return wl_fail_nomem(s->err);
        }
        scan->spans = spans;
        scan->node_capacity = capacity;
    }
    struct wl_scan_buf *shell = s->out;
    s->out = &scan->nodes;
    size_t at = scan->nodes.bytes;
    wl_status status = walk_content(s, f, MSG_NODE, depth);
    s->out = shell;
    size_t bytes = scan->nodes.bytes - at;
    struct wl_scan_span span = {at, bytes, false};
    if (status == WL_OK && bytes == (size_t)(f->end - f->content)) {
        /* The walk only leaves out: equal length is equal content, and the file's will do. */
        scan->nodes.bytes = at;
        span = (struct wl_scan_span){(size_t)(f->content - s->file), bytes, true};
    }
    scan->spans[scan->node_count++] = span;
    return status;
}

const uint8_t *wl_scan_node(const struct wl_scan *s, int32_t i)
{
    return (s->spans[i].in_file ? s->file : s->nodes.data) + s->spans[i].offset;
}

static bool wire_ok(const struct rule *r, uint32_t wire)
{
    if (r->wire == WIRE_LIST) {
        return wire == WIRE_VARINT || wire == WIRE_BYTES || wire == WIRE_32;
    }
    return wire == r->wire;
}

static wl_status walk(struct scanner *s, const uint8_t *begin, const uint8_t *end,
                      enum message message, int depth)
{
    bool main_graph = message == MSG_GRAPH && depth == 1;
    const uint8_t *run = begin; /* kept, not copied yet */
    struct wl_wire_field f;
    for (const uint8_t *p = begin; p < end; p = f.end) {
        WL_TRY(field_read(s, p, end, &f));
        const struct rule *r = f.number < FIELDS_MAX ? &rules[message][f.number] : &rules[0][0];
        if (r->action != DROP && !wire_ok(r, f.wire)) {
            return damaged(s, p, "a wrong wire type");
        }
        if (r->action == KEEP || (r->action == KEEP_SHORT && f.value <= STRING_BYTES_MAX)) {
            continue;
        }
        WL_TRY(buf_add(s, s->out, run, (size_t)(f.start - run)));
        run = f.end;
        if (r->action != WALK) {
            continue;
        }
        if (message == MSG_MODEL && r->child == MSG_GRAPH && s->graphs++ > 0) {
            return damaged(s, p, "a second main graph");
        }
        WL_TRY(main_graph && r->child == MSG_NODE
                   ? walk_main_node(s, &f, depth)
                   : walk_child(s, &f, (enum message)r->child, depth));
    }
    return buf_add(s, s->out, run, (size_t)(end - run));
}

wl_status wl_scan_file(const struct wl_file *file, const char *path, struct wl_scan *out,
                       struct wl_error *err)
{
    const uint8_t *bytes = file->data;
    size_t count = file->bytes;
    *out = (struct wl_scan){.file = bytes};
    struct scanner s = {out, &out->shell, bytes, path, err, 0, file->mapped, bytes};
    if (count == 0) {
        return wl_fail(err, WL_ERR_PARSE, path, "the file is empty; expected an ONNX model");
    }
    WL_TRY(buf_reserve(&s, &out->nodes, 0)); /* never NULL: nodes may all be empty */
    wl_status status = walk(&s, bytes, bytes + count, MSG_MODEL, 0);
    if (status == WL_OK && s.graphs == 0) {
        status = wl_fail(err, WL_ERR_PARSE, path,
                         "not an ONNX model: it holds no graph; expected a file written by an "
                         "ONNX exporter (truncated?)");
    }
    if (status != WL_OK) {
        wl_scan_done(out);
    }
    return status;
}

wl_status wl_scan_run(const uint8_t *bytes, size_t count, const char *path, struct wl_scan *out,
                      struct wl_error *err)
{
    struct wl_file memory = {.data = bytes, .bytes = count, .mapped = false};
    return wl_scan_file(&memory, path, out, err);
}

void wl_scan_done(struct wl_scan *s)
{
    wl_free(s->shell.data);
    wl_free(s->nodes.data);
    wl_free(s->spans);
    *s = (struct wl_scan){0};
}
