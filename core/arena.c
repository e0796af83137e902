/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/arena.c: chunked bump allocation. Chunks grow from 16 KiB to 1 MiB, doubling; a request
 * larger than a chunk gets one of its own. Under AddressSanitizer the unused tail of a chunk is
 * poisoned.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core.h"

#if defined(__SANITIZE_ADDRESS__)
#define WL_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WL_ASAN 1
#endif
#endif
#ifdef WL_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(p, n) ASAN_POISON_MEMORY_REGION((p), (n))
#define UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION((p), (n))
#else
#define POISON(p, n) ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
#endif

#define FIRST_CHUNK_BYTES ((size_t)16 * 1024)
#define LARGEST_CHUNK_BYTES ((size_t)1024 * 1024)
#define ALIGNMENT ((size_t)16)

struct wl_arena_chunk {
    struct wl_arena_chunk *older;
    size_t capacity; /* of bytes[] */
    size_t used;
    size_t padding; /* keeps bytes[] 16-byte aligned */
    _Alignas(16) unsigned char bytes[];
};

static _Thread_local int fail_countdown;

void wl_arena_fail_after(int n)
{
    fail_countdown = n;
}

static bool failure_injected(void)
{
    if (fail_countdown == 0) {
        return false;
    }
    fail_countdown--;
    return fail_countdown == 0;
}

void *wl_malloc(size_t bytes)
{
    return failure_injected() ? NULL : malloc(bytes);
}

void *wl_realloc(void *p, size_t bytes)
{
    return failure_injected() ? NULL : realloc(p, bytes);
}

void wl_free(void *p)
{
    free(p);
}

#define KEEP_BYTES (64 * 1024 * 1024)

void wl_malloc_keep(void)
{
#ifdef M_MMAP_THRESHOLD
    (void)mallopt(M_MMAP_THRESHOLD, KEEP_BYTES);
    (void)mallopt(M_TRIM_THRESHOLD, 2 * KEEP_BYTES);
#endif
}

void wl_arena_init(struct wl_arena *a, size_t limit_bytes)
{
    *a = (struct wl_arena){.chunk_bytes = FIRST_CHUNK_BYTES, .limit_bytes = limit_bytes};
}

static void chunk_free(struct wl_arena_chunk *c)
{
    if (c != NULL) {
        UNPOISON(c->bytes, c->capacity);
        wl_free(c);
    }
}

void wl_arena_done(struct wl_arena *a)
{
    struct wl_arena_chunk *c = a->head;
    while (c != NULL) {
        struct wl_arena_chunk *older = c->older;
        chunk_free(c);
        c = older;
    }
    chunk_free(a->spare);
    *a = (struct wl_arena){.chunk_bytes = FIRST_CHUNK_BYTES, .limit_bytes = a->limit_bytes};
}

static struct wl_arena_chunk *chunk_new(struct wl_arena *a, size_t need)
{
    if (a->spare != NULL && a->spare->capacity >= need) {
        struct wl_arena_chunk *c = a->spare;
        a->spare = NULL;
        return c;
    }
    size_t capacity = a->chunk_bytes > need ? a->chunk_bytes : need;
    struct wl_arena_chunk *c = wl_malloc(sizeof(*c) + capacity);
    if (c == NULL) {
        return NULL;
    }
    c->capacity = capacity;
    c->used = 0;
    POISON(c->bytes, capacity);
    if (a->chunk_bytes < LARGEST_CHUNK_BYTES) {
        a->chunk_bytes *= 2;
    }
    return c;
}

void *wl_arena_alloc(struct wl_arena *a, size_t bytes)
{
    if (bytes > SIZE_MAX / 2) {
        return NULL;
    }
    size_t need = (bytes + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
    if (a->limit_bytes != 0 && (need > a->limit_bytes || a->used_bytes > a->limit_bytes - need)) {
        return NULL;
    }
    struct wl_arena_chunk *c = a->head;
    if (c == NULL || c->capacity - c->used < need) {
        c = chunk_new(a, need);
        if (c == NULL) {
            return NULL;
        }
        c->older = a->head;
        a->head = c;
    }
    void *p = c->bytes + c->used;
    c->used += need;
    a->used_bytes += need;
    UNPOISON(p, bytes);
    return p;
}

void *wl_arena_zalloc(struct wl_arena *a, size_t bytes)
{
    void *p = wl_arena_alloc(a, bytes);
    if (p != NULL) {
        memset(p, 0, bytes);
    }
    return p;
}

void *wl_arena_array(struct wl_arena *a, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        return NULL;
    }
    return wl_arena_zalloc(a, bytes);
}

void *wl_arena_copy(struct wl_arena *a, const void *bytes, size_t count)
{
    void *p = wl_arena_alloc(a, count);
    if (p != NULL && count > 0) {
        memcpy(p, bytes, count);
    }
    return p;
}

char *wl_arena_strndup(struct wl_arena *a, const char *s, size_t len)
{
    char *p = wl_arena_alloc(a, len + 1);
    if (p != NULL) {
        if (len > 0) {
            memcpy(p, s, len);
        }
        p[len] = '\0';
    }
    return p;
}

char *wl_arena_printf(struct wl_arena *a, const char *fmt, ...)
{
    char small[256];
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(small, sizeof(small), fmt, args);
    va_end(args);
    if (len < 0) {
        return NULL;
    }
    if ((size_t)len < sizeof(small)) {
        return wl_arena_strndup(a, small, (size_t)len);
    }
    char *p = wl_arena_alloc(a, (size_t)len + 1);
    if (p != NULL) {
        va_start(args, fmt);
        (void)vsnprintf(p, (size_t)len + 1, fmt, args);
        va_end(args);
    }
    return p;
}

struct wl_arena_mark wl_arena_mark(const struct wl_arena *a)
{
    return (struct wl_arena_mark){a->head, a->head == NULL ? 0 : a->head->used, a->used_bytes};
}

void wl_arena_reset(struct wl_arena *a, struct wl_arena_mark mark)
{
    while (a->head != mark.head) {
        struct wl_arena_chunk *c = a->head;
        a->head = c->older;
        if (a->spare == NULL || a->spare->capacity < c->capacity) {
            chunk_free(a->spare);
            c->used = 0;
            POISON(c->bytes, c->capacity);
            a->spare = c;
        } else {
            chunk_free(c);
        }
    }
    if (a->head != NULL) {
        a->head->used = mark.offset;
        POISON(a->head->bytes + mark.offset, a->head->capacity - mark.offset);
    }
    a->used_bytes = mark.used_bytes;
}

wl_status wl_arena_reserve(struct wl_arena *a, void **items, int32_t *capacity, int32_t need,
                           size_t item_bytes)
{
    if (need <= *capacity) {
        return WL_OK;
    }
    int32_t grown = *capacity < 8 ? 8 : *capacity;
    while (grown < need) {
        if (grown > INT32_MAX / 2) {
            return WL_ERR_NOMEM;
        }
        grown *= 2;
    }
    void *p = wl_arena_array(a, (size_t)grown, item_bytes);
    if (p == NULL) {
        return WL_ERR_NOMEM;
    }
    if (*capacity > 0) {
        memcpy(p, *items, (size_t)*capacity * item_bytes);
    }
    *items = p;
    *capacity = grown;
    return WL_OK;
}
