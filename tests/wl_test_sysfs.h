/* SPDX-License-Identifier: Apache-2.0 */
/* wl_test_sysfs.h: made-up /sys trees in a temporary folder. */
#ifndef WL_TEST_SYSFS_H
#define WL_TEST_SYSFS_H

#include <ftw.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "measure.h"
#include "wl_test.h"

#include <math.h>

/* cmocka's own compares floats. */
#define assert_near(actual, expected, tolerance)                                                   \
    do {                                                                                           \
        double actual_ = (actual);                                                                 \
        double expected_ = (expected);                                                             \
        if (!(fabs(actual_ - expected_) <= (tolerance))) {                                         \
            fail_msg("%.17g is not %.17g (line %d)", actual_, expected_, __LINE__);                \
        }                                                                                          \
    } while (0)

struct tree {
    char root[64];
};

static inline void tree_make(struct tree *t)
{
    (void)snprintf(t->root, sizeof(t->root), "/tmp/wl_sysfs_XXXXXX");
    assert_non_null(mkdtemp(t->root));
    assert_int_equal(chmod(t->root, 0755), 0);
}

static inline int tree_remove_one(const char *path, const struct stat *st, int flag,
                                  struct FTW *walk)
{
    (void)st;
    (void)flag;
    (void)walk;
    return remove(path);
}

static inline void tree_remove(const struct tree *t)
{
    (void)nftw(t->root, tree_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void tree_path(const struct tree *t, const char *name, char *out, size_t size)
{
    (void)snprintf(out, size, "%s/%s", t->root, name);
}

/* Writes a file in place (the same inode, as a kernel file keeps it), making its folders. */
static inline void tree_bytes(const struct tree *t, const char *name, const void *bytes,
                              size_t count)
{
    char path[512];
    tree_path(t, name, path, sizeof(path));
    for (char *at = path + strlen(t->root) + 1; *at != '\0'; at++) {
        if (*at == '/') {
            *at = '\0';
            (void)mkdir(path, 0755);
            *at = '/';
        }
    }
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, count, f), count);
    assert_int_equal(fclose(f), 0);
}

static inline void tree_put(const struct tree *t, const char *name, const char *text)
{
    char line[256];
    (void)snprintf(line, sizeof(line), "%s\n", text);
    tree_bytes(t, name, line, strlen(line));
}

static inline void tree_number(const struct tree *t, const char *name, long long value)
{
    char text[32];
    (void)snprintf(text, sizeof(text), "%lld", value);
    tree_put(t, name, text);
}

static inline void tree_delete(const struct tree *t, const char *name)
{
    char path[512];
    tree_path(t, name, path, sizeof(path));
    assert_int_equal(remove(path), 0);
}

static inline void wait_ms(long ms)
{
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    while (nanosleep(&left, &left) != 0) {
    }
}

static inline struct wl_meter *open_only(const struct tree *t, const char *only)
{
    struct wl_meter_options o = {.sysfs_root = t->root, .only = only, .interval_s = 0.01};
    struct wl_meter *m = NULL;
    struct wl_error err = {0};
    if (wl_meter_open(&o, &m, &err) != WL_OK) {
        fail_msg("%s: %s", err.where, err.message);
    }
    return m;
}

static inline struct wl_meter_channel channel_named(struct wl_meter *m, const char *name)
{
    struct wl_meter_channel c = {0};
    for (int32_t i = 0; i < wl_meter_channel_count(m); i++) {
        assert_int_equal(wl_meter_channel_read(m, i, &c, NULL), WL_OK);
        if (strcmp(c.name, name) == 0) {
            return c;
        }
    }
    fail_msg("no channel %s", name);
    return c;
}

static inline bool absent_says(struct wl_meter *m, const char *source, const char *words)
{
    for (int32_t i = 0; i < wl_meter_absent_count(m); i++) {
        struct wl_meter_absent a;
        assert_int_equal(wl_meter_absent_get(m, i, &a, NULL), WL_OK);
        if (strcmp(a.source, source) == 0 &&
            (strstr(a.reason, words) != NULL || strstr(a.fix, words) != NULL)) {
            return true;
        }
    }
    return false;
}

static inline void start(struct wl_meter *m)
{
    assert_int_equal(wl_meter_start(m, NULL), WL_OK);
}

static inline struct wl_meter_total stop(struct wl_meter *m)
{
    struct wl_meter_total t;
    assert_int_equal(wl_meter_stop(m, NULL), WL_OK);
    assert_int_equal(wl_meter_read(m, &t, NULL), WL_OK);
    return t;
}

#endif
