/* SPDX-License-Identifier: Apache-2.0 */
/*
 * measure/sysfs.c: small kernel files. A file that is read at every sample stays open (pread at 0
 * makes the kernel produce it anew); one that was deleted is opened again by its name, so that a
 * device which goes and comes back is found, and one which is gone is noticed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "measure_priv.h"

#define TEXT_MAX 64

static bool is_gone(int fd)
{
    struct stat st;
    return fstat(fd, &st) != 0 || st.st_nlink == 0;
}

static int read_at_start(const struct wl_sysfs *f, char *out, size_t out_size)
{
    ssize_t n = pread(f->fd, out, out_size - 1, 0);
    if (n < 0) {
        return errno;
    }
    out[n] = '\0';
    return n == 0 ? ENODATA : 0;
}

static int open_path(struct wl_sysfs *f)
{
    f->fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    return f->fd < 0 ? errno : 0;
}

static bool read_again(struct wl_sysfs *f, char *out, size_t out_size)
{
    if (f->fd >= 0 && is_gone(f->fd)) {
        wl_sysfs_close(f);
    }
    if (f->fd < 0 && open_path(f) != 0) {
        return false;
    }
    return read_at_start(f, out, out_size) == 0;
}

int wl_sysfs_open(struct wl_meter *m, struct wl_sysfs *f, const char *dir, const char *name)
{
    char text[TEXT_MAX];
    f->fd = -1;
    f->path = wl_arena_printf(&m->arena, "%s/%s", dir, name);
    if (f->path == NULL) {
        return ENOMEM;
    }
    int error = open_path(f);
    if (error == 0) {
        error = read_at_start(f, text, sizeof(text));
    }
    if (error != 0) {
        wl_sysfs_close(f);
    }
    return error;
}

void wl_sysfs_close(struct wl_sysfs *f)
{
    if (f->fd >= 0) {
        (void)close(f->fd);
    }
    f->fd = -1;
}

static bool at_end(const char *s)
{
    while (*s == ' ' || *s == '\n' || *s == '\t') {
        s++;
    }
    return *s == '\0';
}

bool wl_sysfs_u64(struct wl_sysfs *f, uint64_t *out)
{
    char text[TEXT_MAX];
    char *end = NULL;
    if (!read_again(f, text, sizeof(text)) || text[0] < '0' || text[0] > '9') {
        return false;
    }
    errno = 0;
    *out = strtoull(text, &end, 10);
    return errno == 0 && at_end(end);
}

static bool parse_i64(const char *text, int64_t *out)
{
    char *end = NULL;
    bool number = (text[0] >= '0' && text[0] <= '9') || text[0] == '-';
    errno = 0;
    *out = number ? strtoll(text, &end, 10) : 0;
    return number && end != text && errno == 0 && at_end(end);
}

bool wl_sysfs_i64(struct wl_sysfs *f, int64_t *out)
{
    char text[TEXT_MAX];
    return read_again(f, text, sizeof(text)) && parse_i64(text, out);
}

int wl_sysfs_text(const char *dir, const char *name, char *out, size_t out_size)
{
    char path[4096];
    int len = snprintf(path, sizeof(path), "%s/%s", dir, name);
    out[0] = '\0';
    if (len < 0 || (size_t)len >= sizeof(path)) {
        return ENAMETOOLONG;
    }
    struct wl_sysfs f = {.path = path, .fd = -1};
    int error = open_path(&f);
    if (error == 0) {
        error = read_at_start(&f, out, out_size);
    }
    wl_sysfs_close(&f);
    if (error != 0) {
        out[0] = '\0';
    }
    out[strcspn(out, "\n")] = '\0';
    return error;
}

int wl_sysfs_number(const char *dir, const char *name, int64_t *out)
{
    char text[TEXT_MAX];
    int error = wl_sysfs_text(dir, name, text, sizeof(text));
    if (error != 0) {
        return error;
    }
    return parse_i64(text, out) ? 0 : EINVAL;
}

int32_t wl_sysfs_index(const char *name, const char *prefix)
{
    size_t len = strlen(prefix);
    int64_t value;
    if (strncmp(name, prefix, len) != 0 || name[len] < '0' || name[len] > '9' ||
        strlen(name + len) > 7 || !parse_i64(name + len, &value)) {
        return -1;
    }
    return (int32_t)value;
}
