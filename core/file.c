/* SPDX-License-Identifier: Apache-2.0 */
/* core/file.c: files as bytes: mapping, atomic writing, listing directories. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core.h"

static wl_status fail_errno(struct wl_error *err, const char *path, const char *what)
{
    return wl_fail(err, WL_ERR_IO, path, "%s: %s", what, strerror(errno));
}

static wl_status map_fd(int fd, const char *path, struct wl_file *out, struct wl_error *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return fail_errno(err, path, "cannot be examined");
    }
    if (S_ISDIR(st.st_mode)) {
        return wl_fail(err, WL_ERR_IO, path, "is a directory; a file is needed");
    }
    if (!S_ISREG(st.st_mode)) {
        return wl_fail(err, WL_ERR_IO, path, "is not a regular file; a regular file is needed");
    }
    *out = (struct wl_file){0};
    if (st.st_size == 0) {
        return WL_OK;
    }
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED) {
        return fail_errno(err, path, "cannot be mapped");
    }
    *out = (struct wl_file){.data = p, .bytes = (size_t)st.st_size, .mapped = true};
    return WL_OK;
}

wl_status wl_file_open(const char *path, struct wl_file *out, struct wl_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return fail_errno(err, path, "cannot be opened");
    }
    wl_status status = map_fd(fd, path, out, err);
    (void)close(fd);
    return status;
}

void wl_file_close(struct wl_file *f)
{
    if (f->mapped) {
        /* munmap takes the address without const; the bytes are only unmapped. */
        union {
            const uint8_t *data;
            void *address;
        } map = {.data = f->data};
        (void)munmap(map.address, f->bytes);
    }
    *f = (struct wl_file){0};
}

bool wl_path_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

bool wl_path_is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static wl_status write_all(int fd, const char *path, const void *bytes, size_t count,
                           struct wl_error *err)
{
    const char *p = bytes;
    while (count > 0) {
        ssize_t n = write(fd, p, count);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return fail_errno(err, path, "cannot be written");
        }
        p += n;
        count -= (size_t)n;
    }
    return WL_OK;
}

/* Devices and pipes cannot be replaced by rename: written in place. */
static bool is_special(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && !S_ISREG(st.st_mode);
}

static wl_status write_in_place(const char *path, const void *bytes, size_t count,
                                struct wl_error *err)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        return fail_errno(err, path, "cannot be opened for writing");
    }
    wl_status status = write_all(fd, path, bytes, count, err);
    if (close(fd) != 0 && status == WL_OK) {
        status = fail_errno(err, path, "cannot be written");
    }
    return status;
}

static wl_status write_and_rename(const char *path, char *temporary, const void *bytes,
                                  size_t count, struct wl_error *err)
{
    int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0) {
        return fail_errno(err, path, "cannot be created");
    }
    wl_status status = write_all(fd, path, bytes, count, err);
    mode_t mask = umask(0);
    (void)umask(mask);
    if (status == WL_OK && fchmod(fd, 0666 & ~mask) != 0) {
        status = fail_errno(err, path, "cannot be given its permissions");
    }
    if (close(fd) != 0 && status == WL_OK) {
        status = fail_errno(err, path, "cannot be written");
    }
    if (status == WL_OK && rename(temporary, path) != 0) {
        status = fail_errno(err, path, "cannot be put in place");
    }
    if (status != WL_OK) {
        (void)unlink(temporary);
    }
    return status;
}

wl_status wl_file_write(const char *path, const void *bytes, size_t count, struct wl_error *err)
{
    if (wl_path_is_dir(path)) {
        return wl_fail(err, WL_ERR_IO, path, "is a directory; the name of a file is needed");
    }
    if (is_special(path)) {
        return write_in_place(path, bytes, count, err);
    }
    size_t len = strlen(path);
    char *temporary = wl_malloc(len + sizeof(".XXXXXX"));
    if (temporary == NULL) {
        return wl_fail_nomem(err);
    }
    (void)snprintf(temporary, len + sizeof(".XXXXXX"), "%s.XXXXXX", path);
    wl_status status = write_and_rename(path, temporary, bytes, count, err);
    wl_free(temporary);
    return status;
}

static int compare_names(const void *a, const void *b)
{
    const char *const *x = a;
    const char *const *y = b;
    return strcmp(*x, *y);
}

static wl_status read_names(struct wl_arena *arena, DIR *dir, char ***names, int32_t *count,
                            struct wl_error *err)
{
    char **items = NULL;
    int32_t n = 0;
    int32_t capacity = 0;
    for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) {
            continue;
        }
        if (wl_arena_reserve(arena, (void **)&items, &capacity, n + 1, sizeof(*items)) != WL_OK) {
            return wl_fail_nomem(err);
        }
        items[n] = wl_arena_strndup(arena, e->d_name, strlen(e->d_name));
        WL_TRY_PTR(items[n], err);
        n++;
    }
    if (n > 0) {
        qsort(items, (size_t)n, sizeof(*items), compare_names);
    }
    *names = items;
    *count = n;
    return WL_OK;
}

wl_status wl_dir_list(struct wl_arena *arena, const char *path, char ***names, int32_t *count,
                      struct wl_error *err)
{
    DIR *dir = opendir(path);
    if (dir == NULL) {
        return fail_errno(err, path, "cannot be listed");
    }
    wl_status status = read_names(arena, dir, names, count, err);
    (void)closedir(dir);
    return status;
}
