/* SPDX-License-Identifier: Apache-2.0 */
/* core/str.c: string views, edit distance, interning, growing text buffers. */
#include <stdio.h>
#include <string.h>

#include "core.h"

struct wl_str wl_str(const char *z)
{
    return (struct wl_str){z, z == NULL ? 0 : strlen(z)};
}

bool wl_str_eq(struct wl_str a, struct wl_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool wl_str_is(struct wl_str a, const char *z)
{
    return wl_str_eq(a, wl_str(z));
}

int wl_str_cmp(struct wl_str a, struct wl_str b)
{
    size_t shared = a.len < b.len ? a.len : b.len;
    int order = shared == 0 ? 0 : memcmp(a.data, b.data, shared);
    if (order != 0) {
        return order;
    }
    return a.len < b.len ? -1 : a.len > b.len;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

bool wl_str_eq_nocase(struct wl_str a, struct wl_str b)
{
    if (a.len != b.len) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        if (lower(a.data[i]) != lower(b.data[i])) {
            return false;
        }
    }
    return true;
}

/* Bytes that follow a lead byte, or -1 when it cannot lead. */
static int utf8_tail(unsigned char lead)
{
    if (lead < 0x80) {
        return 0;
    }
    if (lead >= 0xC2 && lead <= 0xDF) {
        return 1;
    }
    if (lead >= 0xE0 && lead <= 0xEF) {
        return 2;
    }
    return lead >= 0xF0 && lead <= 0xF4 ? 3 : -1;
}

/* Ranges of the second byte that RFC 3629 excludes: overlong forms, surrogates, past U+10FFFF. */
static bool utf8_second_ok(unsigned char lead, unsigned char second)
{
    return !((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) ||
             (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F));
}

bool wl_utf8_valid(const char *s, size_t len)
{
    const unsigned char *p = (const unsigned char *)s;
    for (size_t i = 0; i < len;) {
        int tail = utf8_tail(p[i]);
        if (tail < 0 || (size_t)tail > len - i - 1) {
            return false;
        }
        if (tail > 0 && !utf8_second_ok(p[i], p[i + 1])) {
            return false;
        }
        for (int k = 1; k <= tail; k++) {
            if ((p[i + (size_t)k] & 0xC0) != 0x80) {
                return false;
            }
        }
        i += (size_t)tail + 1;
    }
    return true;
}

#define EDIT_MAX 64

int wl_edit_distance(const char *a, const char *b)
{
    size_t la = strnlen(a, EDIT_MAX);
    size_t lb = strnlen(b, EDIT_MAX);
    int row[EDIT_MAX + 1];
    for (size_t j = 0; j <= lb; j++) {
        row[j] = (int)j;
    }
    for (size_t i = 1; i <= la; i++) {
        int diagonal = row[0];
        row[0] = (int)i;
        for (size_t j = 1; j <= lb; j++) {
            int substitute = diagonal + (lower(a[i - 1]) == lower(b[j - 1]) ? 0 : 1);
            int shorter = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = substitute < shorter ? substitute : shorter;
        }
    }
    return row[lb];
}

/* Smaller is nearer; INT32_MAX means "not near". */
static int nearness(const char *name, const char *candidate)
{
    size_t len = strlen(name);
    if (len >= 3 && strcasestr(candidate, name) != NULL) {
        return (int)(strlen(candidate) - len) / 8;
    }
    int distance = wl_edit_distance(name, candidate);
    size_t longest = strlen(candidate) > len ? strlen(candidate) : len;
    return (size_t)distance * 2 <= longest ? 8 + distance : INT32_MAX;
}

void wl_nearest_names(const char *name, const char *const *candidates, int32_t count, int32_t max,
                      char *out, size_t out_size)
{
    size_t at = 0;
    int last_rank = -1;
    int32_t last_index = -1;
    out[0] = '\0';
    for (int32_t found = 0; found < max; found++) {
        int best_rank = INT32_MAX;
        int32_t best = -1;
        for (int32_t i = 0; i < count; i++) {
            int rank = nearness(name, candidates[i]);
            bool after_last = rank > last_rank || (rank == last_rank && i > last_index);
            if (after_last && rank < best_rank) {
                best_rank = rank;
                best = i;
            }
        }
        if (best < 0) {
            return;
        }
        int n = snprintf(out + at, out_size - at, "%s%s", found > 0 ? ", " : "", candidates[best]);
        if (n < 0 || (size_t)n >= out_size - at) {
            out[at] = '\0';
            return;
        }
        at += (size_t)n;
        last_rank = best_rank;
        last_index = best;
    }
}

/* ---- interning ---------------------------------------------------------------------------- */

struct wl_strmap_slot {
    uint32_t hash;
    int32_t id; /* WL_NONE: free */
};

#define FIRST_SLOTS 64u

/* FNV-1a over 8 bytes a step, finished by a multiply-shift: names are short, tables small. */
static uint32_t hash_bytes(const char *s, size_t len)
{
    uint64_t h = 0xcbf29ce484222325u ^ len;
    while (len >= 8) {
        uint64_t word;
        memcpy(&word, s, 8);
        h = (h ^ word) * 0x9E3779B97F4A7C15u;
        h ^= h >> 29;
        s += 8;
        len -= 8;
    }
    uint64_t word = 0;
    if (len > 0) {
        memcpy(&word, s, len);
    }
    h = (h ^ word) * 0x9E3779B97F4A7C15u;
    return (uint32_t)(h >> 32);
}

static struct wl_strmap_slot *slots_new(struct wl_arena *arena, uint32_t count)
{
    struct wl_strmap_slot *slots = wl_arena_alloc(arena, count * sizeof(*slots));
    if (slots != NULL) {
        memset(slots, 0xff, count * sizeof(*slots));
    }
    return slots;
}

wl_status wl_strmap_init(struct wl_strmap *m, struct wl_arena *arena)
{
    *m = (struct wl_strmap){.arena = arena, .slot_mask = FIRST_SLOTS - 1};
    m->slots = slots_new(arena, FIRST_SLOTS);
    return m->slots == NULL ? WL_ERR_NOMEM : WL_OK;
}

/* The slot that holds `s`, or the free one where it would go. */
static struct wl_strmap_slot *slot_of(const struct wl_strmap *m, struct wl_str s, uint32_t hash)
{
    for (uint32_t i = hash & m->slot_mask;; i = (i + 1) & m->slot_mask) {
        struct wl_strmap_slot *slot = &m->slots[i];
        if (slot->id == WL_NONE || (slot->hash == hash && wl_str_eq(m->names[slot->id], s))) {
            return slot;
        }
    }
}

static bool slots_grow(struct wl_strmap *m)
{
    uint32_t count = (m->slot_mask + 1) * 4;
    struct wl_strmap_slot *slots = slots_new(m->arena, count);
    if (slots == NULL) {
        return false;
    }
    for (uint32_t i = 0; i <= m->slot_mask; i++) {
        if (m->slots[i].id == WL_NONE) {
            continue;
        }
        uint32_t at = m->slots[i].hash & (count - 1);
        while (slots[at].id != WL_NONE) {
            at = (at + 1) & (count - 1);
        }
        slots[at] = m->slots[i];
    }
    m->slots = slots;
    m->slot_mask = count - 1;
    return true;
}

static int32_t strmap_insert(struct wl_strmap *m, struct wl_str s, bool copy)
{
    uint32_t hash = hash_bytes(s.data, s.len);
    struct wl_strmap_slot *slot = slot_of(m, s, hash);
    if (slot->id != WL_NONE) {
        return slot->id;
    }
    if ((uint32_t)m->count * 2 >= m->slot_mask) {
        if (!slots_grow(m)) {
            return WL_NONE;
        }
        slot = slot_of(m, s, hash);
    }
    if (wl_arena_reserve(m->arena, (void **)&m->names, &m->capacity, m->count + 1,
                         sizeof(*m->names)) != WL_OK) {
        return WL_NONE;
    }
    if (copy) {
        s.data = wl_arena_strndup(m->arena, s.data, s.len);
        if (s.data == NULL) {
            return WL_NONE;
        }
    }
    m->names[m->count] = s;
    *slot = (struct wl_strmap_slot){hash, m->count};
    return m->count++;
}

int32_t wl_strmap_add(struct wl_strmap *m, struct wl_str s)
{
    return strmap_insert(m, s, true);
}

int32_t wl_strmap_add_static(struct wl_strmap *m, struct wl_str s)
{
    return strmap_insert(m, s, false);
}

int32_t wl_strmap_find(const struct wl_strmap *m, struct wl_str s)
{
    return slot_of(m, s, hash_bytes(s.data, s.len))->id;
}

/* ---- text being built --------------------------------------------------------------------- */

void wl_buf_init(struct wl_buf *b)
{
    *b = (struct wl_buf){0};
}

void wl_buf_done(struct wl_buf *b)
{
    wl_free(b->data);
    *b = (struct wl_buf){0};
}

static bool buf_reserve(struct wl_buf *b, size_t more)
{
    if (b->failed) {
        return false;
    }
    if (more < b->capacity - b->len) { /* room for the terminator as well */
        return true;
    }
    size_t capacity = b->capacity == 0 ? 256 : b->capacity;
    while (capacity - b->len <= more) {
        if (capacity > SIZE_MAX / 4) {
            b->failed = true;
            return false;
        }
        capacity *= 2;
    }
    char *data = wl_realloc(b->data, capacity);
    if (data == NULL) {
        b->failed = true;
        return false;
    }
    b->data = data;
    b->capacity = capacity;
    return true;
}

void wl_buf_add(struct wl_buf *b, const char *bytes, size_t len)
{
    if (!buf_reserve(b, len)) {
        return;
    }
    if (len > 0) {
        memcpy(b->data + b->len, bytes, len);
    }
    b->len += len;
    b->data[b->len] = '\0';
}

void wl_buf_puts(struct wl_buf *b, const char *z)
{
    wl_buf_add(b, z, strlen(z));
}

void wl_buf_printf(struct wl_buf *b, const char *fmt, ...)
{
    char small[512];
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(small, sizeof(small), fmt, args);
    va_end(args);
    if (len < 0) {
        b->failed = true;
        return;
    }
    if ((size_t)len < sizeof(small)) {
        wl_buf_add(b, small, (size_t)len);
        return;
    }
    if (!buf_reserve(b, (size_t)len)) {
        return;
    }
    va_start(args, fmt);
    (void)vsnprintf(b->data + b->len, (size_t)len + 1, fmt, args);
    va_end(args);
    b->len += (size_t)len;
}

bool wl_words_have(const char *words, const char *word, size_t len)
{
    for (const char *at = words; *at != '\0'; at += strspn(at, " ")) {
        size_t n = strcspn(at, " ");
        if (n == len && strncmp(at, word, n) == 0) {
            return true;
        }
        at += n;
    }
    return false;
}
