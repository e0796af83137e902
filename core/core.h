/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core: what every other folder stands on. Status codes and messages, arenas, string views and
 * interning, checked 64-bit arithmetic, diagnostics, file bytes. Knows nothing of graphs or
 * devices.
 */
#ifndef WL_CORE_H
#define WL_CORE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wattline.h"

#define WL_NONE (-1)
#define WL_PRINTF(fmt_index, first_arg) __attribute__((format(printf, fmt_index, first_arg)))
#define WL_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Returns early with the status of `expr` when it failed. */
#define WL_TRY(expr)                                                                               \
    do {                                                                                           \
        wl_status wl_try_status_ = (expr);                                                         \
        if (wl_try_status_ != WL_OK) {                                                             \
            return wl_try_status_;                                                                 \
        }                                                                                          \
    } while (0)

/* Returns WL_ERR_NOMEM when `ptr` is NULL: for results of the arena. */
#define WL_TRY_PTR(ptr, err)                                                                       \
    do {                                                                                           \
        if ((ptr) == NULL) {                                                                       \
            return wl_fail_nomem(err);                                                             \
        }                                                                                          \
    } while (0)

/* ---- errors ------------------------------------------------------------------------------- */

/*
 * Fills `err` (NULL allowed) and returns `code`. `where` locates in the user's terms (a path, a
 * node, a JSON path); the message says what is wrong and, after a semicolon, what would be right.
 */
wl_status wl_fail(struct wl_error *err, wl_status code, const char *where, const char *fmt, ...)
    WL_PRINTF(4, 5);
wl_status wl_fail_nomem(struct wl_error *err);
const char *wl_status_name(wl_status code);

/* For qsort: doubles, ascending. */
static inline int wl_compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* ---- checked arithmetic ------------------------------------------------------------------- */

static inline bool wl_add_i64(int64_t a, int64_t b, int64_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

static inline bool wl_mul_i64(int64_t a, int64_t b, int64_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

static inline int64_t wl_min_i64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t wl_max_i64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Rounds towards +infinity; b > 0. */
static inline int64_t wl_ceil_div_i64(int64_t a, int64_t b)
{
    return a / b + (a % b > 0 ? 1 : 0);
}

/* Rounds towards -infinity; b > 0. */
static inline int64_t wl_floor_div_i64(int64_t a, int64_t b)
{
    return a / b - (a % b < 0 ? 1 : 0);
}

/* ---- arena -------------------------------------------------------------------------------- */

/* Chunked bump allocator. Memory is given back all at once, or down to a mark. Not thread-safe. */
struct wl_arena {
    struct wl_arena_chunk *head;  /* chunk in use; older ones behind it */
    struct wl_arena_chunk *spare; /* one chunk kept by a reset, so that loops do not call malloc */
    size_t chunk_bytes;           /* size of the next ordinary chunk */
    size_t used_bytes;            /* handed out, padding included */
    size_t limit_bytes;           /* 0: none */
};

struct wl_arena_mark {
    struct wl_arena_chunk *head;
    size_t offset;
    size_t used_bytes;
};

void wl_arena_init(struct wl_arena *a, size_t limit_bytes);
void wl_arena_done(struct wl_arena *a);
/* NULL when memory or the limit is exhausted. 16-byte aligned. alloc leaves bytes undefined. */
void *wl_arena_alloc(struct wl_arena *a, size_t bytes);
void *wl_arena_zalloc(struct wl_arena *a, size_t bytes);
/* count * size is checked; the array is zeroed. A count of 0 gives a valid pointer. */
void *wl_arena_array(struct wl_arena *a, size_t count, size_t size);
void *wl_arena_copy(struct wl_arena *a, const void *bytes, size_t count);
char *wl_arena_printf(struct wl_arena *a, const char *fmt, ...) WL_PRINTF(2, 3);
char *wl_arena_strndup(struct wl_arena *a, const char *s, size_t len);
struct wl_arena_mark wl_arena_mark(const struct wl_arena *a);
void wl_arena_reset(struct wl_arena *a, struct wl_arena_mark mark);
/* Grows *items (of *capacity elements) so that at least `need` fit; keeps contents, doubles. */
wl_status wl_arena_reserve(struct wl_arena *a, void **items, int32_t *capacity, int32_t need,
                           size_t item_bytes);
/* Test hook: the n-th allocation of a chunk from now fails (0: off). Per thread. */
void wl_arena_fail_after(int n);

#define WL_NEW(arena, type) ((type *)wl_arena_zalloc((arena), sizeof(type)))
#define WL_ARRAY(arena, type, count)                                                               \
    ((type *)wl_arena_array((arena), (size_t)(count), sizeof(type)))

/* Allocation outside arenas, for the few things that live on their own (the only door to malloc).
 */
void *wl_malloc(size_t bytes);
void *wl_realloc(void *p, size_t bytes);
void wl_free(void *p);
/*
 * For programs that analyse many models or points, called once at start: freed memory stays with
 * the process for the next arena, instead of being returned to the kernel and faulted in again page
 * by page.
 */
void wl_malloc_keep(void);

/* ---- strings ------------------------------------------------------------------------------ */

/* A view: never owns, not terminated. */
struct wl_str {
    const char *data;
    size_t len;
};

#define WL_STR(literal) ((struct wl_str){(literal), sizeof(literal) - 1})
#define WL_STR_ARG(s) ((int)(s).len), ((s).data) /* for %.*s */

struct wl_str wl_str(const char *z);
bool wl_str_eq(struct wl_str a, struct wl_str b);
bool wl_str_is(struct wl_str a, const char *z);
int wl_str_cmp(struct wl_str a, struct wl_str b);
/* ASCII, without regard to case. */
bool wl_str_eq_nocase(struct wl_str a, struct wl_str b);
/* Whether `words`, separated by blanks, have the `len` bytes at `word` as one of them. */
bool wl_words_have(const char *words, const char *word, size_t len);
bool wl_utf8_valid(const char *s, size_t len);
/* Levenshtein distance, capped at 64 characters a side: for "did you mean". */
int wl_edit_distance(const char *a, const char *b);
/*
 * The up to `max` candidates nearest to `name` (containment first, then edit distance), written as
 * "a, b, c" into `out`; empty when nothing is near.
 */
void wl_nearest_names(const char *name, const char *const *candidates, int32_t count, int32_t max,
                      char *out, size_t out_size);

/*
 * Interning: each distinct string gets one id, 0, 1, 2 ... in order of first appearance. Strings
 * are copied into the arena and NUL-terminated.
 */
struct wl_strmap {
    struct wl_arena *arena;
    struct wl_strmap_slot *slots;
    uint32_t slot_mask;
    struct wl_str *names; /* by id */
    int32_t count;
    int32_t capacity;
};

wl_status wl_strmap_init(struct wl_strmap *m, struct wl_arena *arena);
/* The id of `s`, new if need be; WL_NONE when memory is exhausted. */
int32_t wl_strmap_add(struct wl_strmap *m, struct wl_str s);
/* As add, but the bytes are not copied: they must outlive the map. */
int32_t wl_strmap_add_static(struct wl_strmap *m, struct wl_str s);
int32_t wl_strmap_find(const struct wl_strmap *m, struct wl_str s);

/* ---- text being built --------------------------------------------------------------------- */

/* A growing, always NUL-terminated buffer on the heap. After a failed grow, `failed` stays set. */
struct wl_buf {
    char *data;
    size_t len;
    size_t capacity;
    bool failed;
};

void wl_buf_init(struct wl_buf *b);
void wl_buf_done(struct wl_buf *b);
void wl_buf_add(struct wl_buf *b, const char *bytes, size_t len);
void wl_buf_puts(struct wl_buf *b, const char *z);
void wl_buf_printf(struct wl_buf *b, const char *fmt, ...) WL_PRINTF(2, 3);

/* ---- diagnostics -------------------------------------------------------------------------- */

enum wl_severity { WL_SEV_INFO, WL_SEV_WARNING, WL_SEV_ERROR, WL_SEV_COUNT };
const char *wl_severity_name(enum wl_severity s);

/* Something the user should know about a result: what was left out, assumed or approximated. */
struct wl_diag {
    enum wl_severity severity;
    const char *code; /* stable, kebab-case: "unknown-operator" */
    const char *where;
    const char *message;
};

/* Owns nothing; strings lie in `arena`. Past WL_DIAG_MAX entries only the count grows. */
#define WL_DIAG_MAX 256
struct wl_diag_list {
    struct wl_arena *arena;
    struct wl_diag *items;
    int32_t count;
    int32_t capacity;
    int32_t dropped;
};

void wl_diag_init(struct wl_diag_list *l, struct wl_arena *arena);
/* The same (code, where) is recorded once. Never fails: on exhaustion it counts as dropped. */
void wl_diag_add(struct wl_diag_list *l, enum wl_severity severity, const char *code,
                 const char *where, const char *fmt, ...) WL_PRINTF(5, 6);
bool wl_diag_has(const struct wl_diag_list *l, enum wl_severity at_least);

/* ---- files -------------------------------------------------------------------------------- */

/* A whole file, mapped read-only (or empty). */
struct wl_file {
    const uint8_t *data;
    size_t bytes;
    bool mapped;
};

/* WL_ERR_IO for absent, unreadable, directory, or not a regular file. */
wl_status wl_file_open(const char *path, struct wl_file *out, struct wl_error *err);
void wl_file_close(struct wl_file *f);
bool wl_path_exists(const char *path);
bool wl_path_is_dir(const char *path);
/* Writes atomically (temporary file in the same folder, then rename). */
wl_status wl_file_write(const char *path, const void *bytes, size_t count, struct wl_error *err);
/* Names in a directory, sorted, without "." and "..". WL_ERR_IO when it cannot be read. */
wl_status wl_dir_list(struct wl_arena *arena, const char *path, char ***names, int32_t *count,
                      struct wl_error *err);

/* ---- numeric precisions ------------------------------------------------------------------- */

/* Canonical order (DESIGN, section 5): every list shown to a user follows it. name, bits. */
#define WL_PRECISIONS(X)                                                                           \
    X(FP64, "fp64", 64)                                                                            \
    X(FP32, "fp32", 32)                                                                            \
    X(TF32, "tf32", 32)                                                                            \
    X(FP16, "fp16", 16)                                                                            \
    X(BF16, "bf16", 16)                                                                            \
    X(FP8, "fp8", 8)                                                                               \
    X(FP4, "fp4", 4)                                                                               \
    X(INT64, "int64", 64)                                                                          \
    X(INT32, "int32", 32)                                                                          \
    X(INT16, "int16", 16)                                                                          \
    X(INT8, "int8", 8)                                                                             \
    X(INT4, "int4", 4)

enum wl_precision {
#define WL_X(id, name, bits) WL_PREC_##id,
    WL_PRECISIONS(WL_X)
#undef WL_X
        WL_PREC_COUNT,
    WL_PREC_NATIVE = WL_PREC_COUNT /* only in a request: "the model's own" */
};

const char *wl_precision_name(enum wl_precision p);
int wl_precision_bits(enum wl_precision p); /* bits in memory; tf32 is stored in 32 */
bool wl_precision_is_float(enum wl_precision p);
/* WL_PREC_COUNT when the name is none (also "native": test that before). */
enum wl_precision wl_precision_find(const char *name);

#endif
