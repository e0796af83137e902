/* SPDX-License-Identifier: Apache-2.0 */
/* hw_test.h: a registry for a test: the repository's, and a temporary one on request. */
#ifndef WL_HW_TEST_H
#define WL_HW_TEST_H

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "hardware.h"

static const char *const hw_root = WL_SOURCE_DIR "/registry";

static inline void hw_open(struct wl_registry *r)
{
    struct wl_error err;
    if (wl_registry_open(r, &hw_root, 1, &err) != WL_OK) {
        fail_msg("%s: %s", err.where, err.message);
    }
}

static inline void hw_open_two(struct wl_registry *r, const char *other)
{
    const char *roots[2] = {hw_root, other};
    struct wl_error err;
    if (wl_registry_open(r, roots, 2, &err) != WL_OK) {
        fail_msg("%s: %s", err.where, err.message);
    }
}

static inline const struct wl_spec *hw_load(struct wl_registry *r, const char *id)
{
    const struct wl_spec *s = NULL;
    struct wl_error err;
    if (wl_registry_load(r, id, &s, &err) != WL_OK) {
        fail_msg("%s: %s", err.where, err.message);
    }
    return s;
}

static inline struct wl_device hw_device(struct wl_registry *r, const char *id, const char *mode)
{
    struct wl_device d;
    struct wl_error err;
    if (wl_spec_device(hw_load(r, id), mode, &d, &err) != WL_OK) {
        fail_msg("%s: %s", err.where, err.message);
    }
    return d;
}

static inline void hw_near(double value, double expected, double relative)
{
    double off = expected != 0 ? value / expected - 1 : value;
    if (!(off <= relative && off >= -relative)) {
        fail_msg("%.12g, expected %.12g", value, expected);
    }
}

/* A fresh directory; hw_remove deletes it with all in it. */
static inline void hw_temp(char *out, size_t size)
{
    const char *base = getenv("TMPDIR");
    (void)snprintf(out, size, "%s/wl-hw-XXXXXX", base != NULL ? base : "/tmp");
    assert_non_null(mkdtemp(out));
}

static inline int hw_remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

static inline void hw_remove(const char *path)
{
    (void)nftw(path, hw_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Writes `text` to `path`, making the folders on the way. */
static inline void hw_write(const char *path, const char *text)
{
    char part[512];
    (void)snprintf(part, sizeof(part), "%s", path);
    for (char *s = strchr(part + 1, '/'); s != NULL; s = strchr(s + 1, '/')) {
        *s = '\0';
        (void)mkdir(part, 0755);
        *s = '/';
    }
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
}

/* A file as a string; the caller frees it. */
static inline char *hw_read(const char *path)
{
    FILE *f = fopen(path, "r");
    if (f == NULL) {
        return NULL;
    }
    struct stat st;
    assert_int_equal(fstat(fileno(f), &st), 0);
    char *text = calloc(1, (size_t)st.st_size + 1);
    assert_non_null(text);
    assert_int_equal(fread(text, 1, (size_t)st.st_size, f), (size_t)st.st_size);
    (void)fclose(f);
    return text;
}

#endif
