/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire_priv: protobuf's encoding, one field at a time, for what must not unpack a whole file: the
 * scan that leaves payloads out, and the walk back to one of them. In a header because the scan
 * spends its time here.
 */
#ifndef WL_WIRE_PRIV_H
#define WL_WIRE_PRIV_H

#include <stddef.h>
#include <stdint.h>

/* Wire types. WIRE_LIST is for tables: packed or not, both are legal. */
enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5, WIRE_LIST = 15 };

struct wl_wire_field {
    const uint8_t *start;   /* of the key */
    const uint8_t *content; /* of a length-delimited field, else the value */
    const uint8_t *end;
    uint32_t number;
    uint32_t wire;
    uint64_t value; /* varint, or the length */
};

/* Bytes used by the varint at p, 0 when it does not end in time. */
static inline size_t wl_wire_varint(const uint8_t *p, const uint8_t *end, uint64_t *out)
{
    if (p < end && *p < 0x80) {
        *out = *p;
        return 1;
    }
    uint64_t value = 0;
    size_t n = 0;
    while (n < 10 && p + n < end) {
        value |= (uint64_t)(p[n] & 0x7f) << (7 * n);
        if ((p[n++] & 0x80) == 0) {
            *out = value;
            return n;
        }
    }
    return 0;
}

/* The field at p, whose extent lies within [p, end). NULL, or what is wrong with it. */
static inline const char *wl_wire_read(const uint8_t *p, const uint8_t *end,
                                       struct wl_wire_field *f)
{
    uint64_t key;
    size_t n = wl_wire_varint(p, end, &key);
    if (n == 0 || key >> 3 == 0 || key >> 3 > (1u << 29)) {
        return "a bad field key";
    }
    f->start = p;
    f->number = (uint32_t)(key >> 3);
    f->wire = (uint32_t)(key & 7);
    f->content = p + n;
    size_t left = (size_t)(end - f->content);
    switch (f->wire) {
    case WIRE_VARINT:
        n = wl_wire_varint(f->content, end, &f->value);
        f->end = f->content + n;
        return n > 0 ? NULL : "a number that does not end";
    case WIRE_64:
    case WIRE_32:
        n = f->wire == WIRE_64 ? 8 : 4;
        f->end = f->content + (n <= left ? n : 0);
        return n <= left ? NULL : "a number past the end";
    case WIRE_BYTES:
        n = wl_wire_varint(f->content, end, &f->value);
        if (n == 0 || f->value > left - n) {
            return "a length past the end (truncated?)";
        }
        f->content += n;
        f->end = f->content + f->value;
        return NULL;
    default:
        return "an unknown wire type";
    }
}

#endif
