/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calibrate/stream.c: framework stream, bandwidth of each memory level with plain loops. Kernels
 * and bytes counted as in STREAM (McCalpin, 1995): copy c = a (16 bytes an element in fp64), scale
 * b = s a (16), add c = a + b (24), triad a = b + s c (24); a read alone (8), AXPY y += a x (24)
 * and DOT (16) beside them. What a store fetches before it overwrites is not counted. Stores are
 * ordinary ones except where the name ends in _nt.
 *
 * Working sets: half of each private cache per thread, half of a shared one, and four times the
 * last level for main memory. Every thread has arrays of its own, first touched by itself.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#ifdef __x86_64__
#include <emmintrin.h>
#endif

#include "frameworks.h"
#include "native.h"

#define THREADS_MAX 256
#define ARRAYS_MAX 3
#define LEVELS_MAX 5
#define DRAM_FACTOR 4
#define SAMPLE_BYTES                                                                               \
    4e8 /* moved by one sample at least: the barriers around it cost microseconds */
#define SCALE 0.4

/* ---- kernels -----------------------------------------------------------------------------------
 */

/* One thread's slice. */
struct slice {
    double *a, *b, *c;
    size_t count; /* of doubles; a multiple of LANES */
    double sum;
};

#define LANES 8
#define GAP ((size_t)LANES * 9) /* arrays start at different sets of a cache */
typedef double lanes __attribute__((vector_size(LANES * sizeof(double))));

/* The bodies are compiled for each vector width; the compiler keeps loops as they stand. */
#define BODIES(suffix, attributes)                                                                 \
    attributes static void copy_##suffix(struct slice *s)                                          \
    {                                                                                              \
        const lanes *a = (const lanes *)(const void *)s->a;                                        \
        lanes *c = (lanes *)(void *)s->c;                                                          \
        for (size_t i = 0; i < s->count / LANES; i++) {                                            \
            c[i] = a[i];                                                                           \
        }                                                                                          \
    }                                                                                              \
    attributes static void scale_##suffix(struct slice *s)                                         \
    {                                                                                              \
        const lanes *a = (const lanes *)(const void *)s->a;                                        \
        lanes *b = (lanes *)(void *)s->b;                                                          \
        for (size_t i = 0; i < s->count / LANES; i++) {                                            \
            b[i] = SCALE * a[i];                                                                   \
        }                                                                                          \
    }                                                                                              \
    attributes static void add_##suffix(struct slice *s)                                           \
    {                                                                                              \
        const lanes *a = (const lanes *)(const void *)s->a;                                        \
        const lanes *b = (const lanes *)(const void *)s->b;                                        \
        lanes *c = (lanes *)(void *)s->c;                                                          \
        for (size_t i = 0; i < s->count / LANES; i++) {                                            \
            c[i] = a[i] + b[i];                                                                    \
        }                                                                                          \
    }                                                                                              \
    attributes static void triad_##suffix(struct slice *s)                                         \
    {                                                                                              \
        lanes *a = (lanes *)(void *)s->a;                                                          \
        const lanes *b = (const lanes *)(const void *)s->b;                                        \
        const lanes *c = (const lanes *)(const void *)s->c;                                        \
        for (size_t i = 0; i < s->count / LANES; i++) {                                            \
            a[i] = b[i] + SCALE * c[i];                                                            \
        }                                                                                          \
    }                                                                                              \
    attributes static void axpy_##suffix(struct slice *s)                                          \
    {                                                                                              \
        const lanes *a = (const lanes *)(const void *)s->a;                                        \
        lanes *b = (lanes *)(void *)s->b;                                                          \
        for (size_t i = 0; i < s->count / LANES; i++) {                                            \
            b[i] += SCALE * a[i];                                                                  \
        }                                                                                          \
    }                                                                                              \
    attributes static void read_##suffix(struct slice *s)                                          \
    {                                                                                              \
        const lanes *a = (const lanes *)(const void *)s->a;                                        \
        lanes x = {0}, y = {0}, z = {0}, w = {0};                                                  \
        for (size_t i = 0; i + 4 <= s->count / LANES; i += 4) {                                    \
            x += a[i];                                                                             \
            y += a[i + 1];                                                                         \
            z += a[i + 2];                                                                         \
            w += a[i + 3];                                                                         \
        }                                                                                          \
        x += y + z + w;                                                                            \
        s->sum += x[0] + x[LANES - 1];                                                             \
    }                                                                                              \
    attributes static void dot_##suffix(struct slice *s)                                           \
    {                                                                                              \
        const lanes *a = (const lanes *)(const void *)s->a;                                        \
        const lanes *b = (const lanes *)(const void *)s->b;                                        \
        lanes x = {0}, y = {0};                                                                    \
        for (size_t i = 0; i + 2 <= s->count / LANES; i += 2) {                                    \
            x += a[i] * b[i];                                                                      \
            y += a[i + 1] * b[i + 1];                                                              \
        }                                                                                          \
        x += y;                                                                                    \
        s->sum += x[0] + x[LANES - 1];                                                             \
    }

#ifdef __clang__
#define NO_MEMCPY __attribute__((no_builtin("memcpy", "memset")))
#else
#define NO_MEMCPY __attribute__((optimize("no-tree-loop-distribute-patterns")))
#endif
BODIES(plain, NO_MEMCPY)
#ifdef __x86_64__
BODIES(avx2, NO_MEMCPY __attribute__((target("avx2,fma"))))
BODIES(avx512, NO_MEMCPY __attribute__((target("avx512f"))))

static void copy_nt(struct slice *s)
{
    for (size_t i = 0; i < s->count; i += 2) {
        _mm_stream_pd(s->c + i, _mm_load_pd(s->a + i));
    }
    _mm_sfence();
}

static void triad_nt(struct slice *s)
{
    const __m128d scale = _mm_set1_pd(SCALE);
    for (size_t i = 0; i < s->count; i += 2) {
        _mm_stream_pd(s->a + i,
                      _mm_add_pd(_mm_load_pd(s->b + i), _mm_mul_pd(scale, _mm_load_pd(s->c + i))));
    }
    _mm_sfence();
}
#define WIDE(name)                                                                                 \
    {                                                                                              \
        name##_plain, name##_avx2, name##_avx512                                                   \
    }
#define NON_TEMPORAL(name)                                                                         \
    {                                                                                              \
        name, name, name                                                                           \
    }
#else
#define WIDE(name)                                                                                 \
    {                                                                                              \
        name##_plain, name##_plain, name##_plain                                                   \
    }
#endif

struct kernel {
    const char *operation;
    void (*run[3])(struct slice *); /* by vector width: baseline, AVX2, AVX-512 */
    int32_t arrays;                 /* in the working set */
    int32_t moved;                  /* arrays read or written, as STREAM counts */
    int32_t operands;
    bool main_memory_only;
};

static const struct kernel kernels[] = {
    {"stream_read", WIDE(read), 1, 1, 0, false},
    {"stream_copy", WIDE(copy), 2, 2, 0, false},
    {"stream_scale", WIDE(scale), 2, 2, 0, false},
    {"stream_add", WIDE(add), 3, 3, 1, false},
    {"stream_triad", WIDE(triad), 3, 3, 1, false},
    {"axpy", WIDE(axpy), 2, 3, 1, false},
    {"dot", WIDE(dot), 2, 2, 1, false},
#ifdef __x86_64__
    {"stream_copy_nt", NON_TEMPORAL(copy_nt), 2, 2, 0, true},
    {"stream_triad_nt", NON_TEMPORAL(triad_nt), 3, 3, 1, true},
#endif
};

static int width_index(void)
{
#ifdef __x86_64__
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f")                                 ? 2
           : __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? 1
                                                                             : 0;
#else
    return 0;
#endif
}

static const char *const width_names[] = {"baseline vectors", "AVX2", "AVX-512"};

/* ---- a team of threads, each with its slice ----------------------------------------------------
 */

struct team {
    pthread_barrier_t start, end;
    pthread_t ids[THREADS_MAX];
    struct slice slices[THREADS_MAX];
    double *memory[THREADS_MAX];
    int32_t threads, member;
    pthread_mutex_t lock; /* of member */
    size_t capacity;      /* doubles of a thread's arrays together */
    void (*run)(struct slice *);
    int32_t repeats;
    bool stop;
};

static void work_of(struct team *t, int32_t own)
{
    for (int32_t i = 0; i < t->repeats; i++) {
        t->run(&t->slices[own]);
    }
}

/* Memory is touched first by the thread that uses it. */
static void allocate(struct team *t, int32_t own)
{
    t->memory[own] =
        wl_native_buffer((t->capacity + ARRAYS_MAX * GAP) * sizeof(double), WL_PREC_FP64);
}

/* Cuts each thread's memory into `arrays` arrays; of two the second is both b and c. */
static void divide(struct team *t, int32_t arrays, size_t count)
{
    for (int32_t i = 0; i < t->threads; i++) {
        double *second = t->memory[i] + (arrays > 1 ? count + GAP : 0);
        t->slices[i] = (struct slice){.a = t->memory[i],
                                      .b = second,
                                      .c = arrays > 2 ? second + count + GAP : second,
                                      .count = count};
    }
}

static void *member(void *user)
{
    struct team *t = user;
    (void)pthread_mutex_lock(&t->lock);
    int32_t own = ++t->member;
    (void)pthread_mutex_unlock(&t->lock);
    allocate(t, own);
    (void)pthread_barrier_wait(&t->end);
    for (;;) {
        (void)pthread_barrier_wait(&t->start);
        if (t->stop) {
            return NULL;
        }
        work_of(t, own);
        (void)pthread_barrier_wait(&t->end);
    }
}

static void team_close(struct team *t)
{
    t->stop = true;
    (void)pthread_barrier_wait(&t->start);
    for (int32_t i = 1; i < t->threads; i++) {
        (void)pthread_join(t->ids[i], NULL);
    }
    for (int32_t i = 0; i < t->threads; i++) {
        free(t->memory[i]);
    }
    (void)pthread_barrier_destroy(&t->start);
    (void)pthread_barrier_destroy(&t->end);
    (void)pthread_mutex_destroy(&t->lock);
}

/* `capacity`: doubles that the arrays of a thread take together. */
static wl_status team_open(struct team *t, int32_t threads, size_t capacity, struct wl_error *err)
{
    *t = (struct team){.threads = threads, .capacity = capacity};
    (void)pthread_barrier_init(&t->start, NULL, (unsigned)threads);
    (void)pthread_barrier_init(&t->end, NULL, (unsigned)threads);
    (void)pthread_mutex_init(&t->lock, NULL);
    for (int32_t i = 1; i < threads; i++) {
        if (pthread_create(&t->ids[i], NULL, member, t) != 0) {
            /* Those that wait for the others cannot be called back; the process is about to end. */
            return wl_fail(err, WL_ERR_IO, "calibrate", "%d threads cannot be started",
                           (int)threads);
        }
    }
    allocate(t, 0);
    (void)pthread_barrier_wait(&t->end);
    for (int32_t i = 0; i < threads; i++) {
        if (t->memory[i] == NULL) {
            team_close(t);
            return wl_fail_nomem(err);
        }
    }
    return WL_OK;
}

static void team_run(void *user)
{
    struct team *t = user;
    (void)pthread_barrier_wait(&t->start);
    work_of(t, 0);
    (void)pthread_barrier_wait(&t->end);
}

/* ---- rows --------------------------------------------------------------------------------------
 */

struct level {
    int64_t bytes; /* working set of all threads together */
    bool main_memory;
    char note[WL_NATIVE_REASON]; /* where it had to be smaller than it should */
};

static int32_t levels_of(int32_t threads, struct level out[LEVELS_MAX])
{
    int64_t last = wl_native_last_cache_bytes();
    int64_t room = wl_native_memory_free() / 2;
    int32_t n = 0;
    for (int32_t i = 1; i <= 4; i++) {
        int64_t bytes = wl_native_cache_bytes(i) / 2 * (i <= 2 ? threads : 1);
        if (bytes > 0 && (n == 0 || bytes > 2 * out[n - 1].bytes)) {
            out[n++] = (struct level){.bytes = bytes};
        }
    }
    int64_t wanted = wl_max_i64(DRAM_FACTOR * last, (int64_t)64 << 20);
    struct level *main_memory = &out[n++];
    *main_memory = (struct level){.bytes = wanted, .main_memory = true};
    if (room > 0 && wanted > room) {
        main_memory->bytes = room;
        (void)snprintf(main_memory->note, sizeof(main_memory->note),
                       "working set %lld MiB instead of %d x the last cache: half of free memory",
                       (long long)(room >> 20), DRAM_FACTOR);
    }
    return n;
}

static wl_status add_row(struct wl_bench *b, struct team *t, const struct kernel *k,
                         const struct level *level, struct wl_error *err)
{
    char reason[WL_NATIVE_REASON];
    int width = width_index();
    size_t per_array = (size_t)level->bytes / sizeof(double) / (size_t)(k->arrays * t->threads);
    per_array = per_array / (4 * LANES) * (4 * LANES);
    double n = (double)per_array * t->threads;
    struct wl_bench_row row = {.operation = k->operation,
                               .precision = WL_PREC_FP64,
                               .threads = t->threads,
                               .sizes = {.groups = 1,
                                         .m = 1,
                                         .n = n,
                                         .k = 1,
                                         .window = 1,
                                         .stride = 1,
                                         .width = n,
                                         .operands = k->operands,
                                         .bytes = n * k->moved * (double)sizeof(double)}};
    if (per_array == 0 || wl_bench_has(b, row.operation, row.precision, row.threads, &row.sizes)) {
        return WL_OK;
    }
    divide(t, k->arrays, per_array);
    t->run = k->run[width];
    t->repeats = (int32_t)(SAMPLE_BYTES / row.sizes.bytes) + 1;
    struct wl_native_work work = {team_run, t, n};
    wl_native_time(b, &work, reason, &row);
    row.time_s /= t->repeats;
    row.min_s /= t->repeats;
    row.max_s /= t->repeats;
    if (row.reason == NULL && level->note[0] != '\0') {
        row.reason = level->note;
    }
    return wl_bench_add(b, &row, err);
}

static wl_status run_threads(struct wl_bench *b, int32_t threads, double done, double share,
                             struct wl_error *err)
{
    struct level levels[LEVELS_MAX];
    int32_t n = levels_of(threads, levels);
    struct team *t = WL_NEW(&b->arena, struct team);
    WL_TRY_PTR(t, err);
    size_t capacity = (size_t)levels[n - 1].bytes / sizeof(double) / (size_t)threads;
    WL_TRY(team_open(t, threads, capacity, err));
    wl_status status = WL_OK;
    for (int32_t i = 0; i < n && status == WL_OK; i++) {
        for (size_t k = 0; k < WL_ARRAY_LEN(kernels) && status == WL_OK; k++) {
            double part = (i + (double)k / WL_ARRAY_LEN(kernels)) / n;
            wl_bench_progress(b, done + share * part, kernels[k].operation);
            if (!kernels[k].main_memory_only || levels[i].main_memory) {
                status = add_row(b, t, &kernels[k], &levels[i], err);
            }
        }
    }
    team_close(t);
    return status;
}

static wl_status probe(struct wl_bench *b, struct wl_error *err)
{
    (void)err;
    (void)snprintf(b->version, sizeof(b->version), "%s, %s", WATTLINE_VERSION,
                   width_names[width_index()]);
    return WL_OK;
}

static wl_status run(struct wl_bench *b, struct wl_error *err)
{
    int32_t n = b->options.thread_count;
    for (int32_t i = 0; i < n; i++) {
        int32_t threads = (int32_t)wl_min_i64(b->options.threads[i], THREADS_MAX);
        WL_TRY(run_threads(b, threads, (double)i / n, 1.0 / n, err));
    }
    wl_bench_progress(b, 1, "done");
    return WL_OK;
}

const struct wl_bench_framework wl_bench_stream = {
    .name = "stream",
    .what = "bandwidth of every memory level, AXPY and DOT, with plain loops; needs nothing",
    .probe = probe,
    .run = run};
