/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Damaged files: random mutations and truncations of the fuzzing seeds and of zoo models, and
 * failing allocations. Every load ends in a result that holds the invariants, or in a one-line
 * error; within a second and 256 MB. The generator is fixed, so a failure can be repeated.
 */
#include <sys/resource.h>
#include <time.h>

#include "frontend_check.h"

#define MUTATIONS 2000
#define SECONDS_MAX 1.0
#define FILES_MAX 128
#define FILE_BYTES_MAX 1100000

struct corpus {
    struct wl_arena arena;
    struct wl_file files[FILES_MAX];
    int32_t count;
};

static void corpus_add_dir(struct corpus *c, const char *dir)
{
    char **names;
    int32_t count;
    struct wl_error err;
    if (wl_dir_list(&c->arena, dir, &names, &count, &err) != WL_OK) {
        return;
    }
    for (int32_t i = 0; i < count && c->count < FILES_MAX; i++) {
        size_t len = strlen(names[i]);
        const char *path = wl_arena_printf(&c->arena, "%s/%s", dir, names[i]);
        if (len > 5 && strcmp(names[i] + len - 5, ".onnx") == 0 &&
            wl_file_open(path, &c->files[c->count], &err) == WL_OK) {
            if (c->files[c->count].bytes < FILE_BYTES_MAX) {
                c->count++;
            } else {
                wl_file_close(&c->files[c->count]);
            }
        }
    }
}

static int setup(void **state)
{
    struct corpus *c = calloc(1, sizeof(*c));
    wl_arena_init(&c->arena, 0);
    corpus_add_dir(c, WL_SOURCE_DIR "/fuzz/corpus/onnx");
    corpus_add_dir(c, WL_SOURCE_DIR "/models");
    *state = c;
    return c->count > 0 ? 0 : -1;
}

static int teardown(void **state)
{
    struct corpus *c = *state;
    for (int32_t i = 0; i < c->count; i++) {
        wl_file_close(&c->files[i]);
    }
    wl_arena_done(&c->arena);
    free(c);
    return 0;
}

/* xorshift64. */
static uint64_t next_random(uint64_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return *s;
}

static double seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void try_bytes(const uint8_t *bytes, size_t count)
{
    struct loaded l = {.status = WL_OK};
    struct wire w = {0};
    double start = seconds();
    wire_raw(&w, bytes, count);
    load_wire(&l, &w, &(struct wl_frontend_options){.keep_symbolic = true});
    assert_true(seconds() - start < SECONDS_MAX);
    if (l.status == WL_OK) {
        expect_ok(&l);
        wl_model_done(&l.model);
    } else {
        expect_fail(&l, l.status, "");
        assert_int_not_equal(l.status, WL_ERR_BUG);
    }
}

static void mutate(uint8_t *bytes, size_t *count, uint64_t *seed)
{
    uint64_t edits = 1 + next_random(seed) % 8;
    for (uint64_t i = 0; i<edits && * count> 8; i++) {
        size_t at = (size_t)(next_random(seed) % *count);
        switch (next_random(seed) % 5) {
        case 0:
            bytes[at] ^= (uint8_t)(1u << (next_random(seed) % 8));
            break;
        case 1:
            bytes[at] = (uint8_t)next_random(seed);
            break;
        case 2: /* a length or number made huge */
            memset(bytes + at, 0xff, *count - at < 4 ? *count - at : 4);
            break;
        case 3: { /* a piece of the file elsewhere */
            size_t from = (size_t)(next_random(seed) % *count);
            size_t n = (size_t)(next_random(seed) % 64);
            n = n < *count - at ? n : *count - at;
            n = n < *count - from ? n : *count - from;
            memmove(bytes + at, bytes + from, n);
            break;
        }
        default: /* bytes left out */
            memmove(bytes + at, bytes + at + 1, *count - at - 1);
            --*count;
            break;
        }
    }
}

static void test_mutations(void **state)
{
    struct corpus *c = *state;
    uint64_t seed = 0x9E3779B97F4A7C15u;
    for (int i = 0; i < MUTATIONS; i++) {
        const struct wl_file *f = &c->files[i % c->count];
        uint8_t *copy = malloc(f->bytes + 1);
        size_t count = f->bytes;
        assert_non_null(copy);
        memcpy(copy, f->data, count);
        mutate(copy, &count, &seed);
        try_bytes(copy, count);
        free(copy);
    }
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
#if !defined(__SANITIZE_ADDRESS__)
    assert_true(usage.ru_maxrss < 256 * 1024); /* kilobytes; sanitizers keep freed memory */
#endif
}

static void test_truncations(void **state)
{
    struct corpus *c = *state;
    for (int32_t i = 0; i < c->count; i++) {
        for (size_t k = 0; k < 20; k++) {
            try_bytes(c->files[i].data, c->files[i].bytes * k / 20);
        }
    }
}

/* The n-th allocation fails, for every n until none does: an error each time, and no leak. */
static void test_failing_allocations(void **state)
{
    struct corpus *c = *state;
    for (int32_t i = 0; i < c->count && i < 13; i++) {
        for (int n = 1; n < 400; n++) {
            struct wl_model m;
            struct wl_error err;
            wl_arena_fail_after(n);
            wl_status status =
                wl_model_load_bytes(c->files[i].data, c->files[i].bytes, "m",
                                    &(struct wl_frontend_options){.keep_symbolic = true}, &m, &err);
            wl_arena_fail_after(0);
            if (status == WL_OK) {
                wl_model_done(&m);
                break;
            }
            assert_true(status == WL_ERR_NOMEM || status == WL_ERR_LIMIT ||
                        status == WL_ERR_PARSE || status == WL_ERR_INVALID);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mutations),
        cmocka_unit_test(test_truncations),
        cmocka_unit_test(test_failing_allocations),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
