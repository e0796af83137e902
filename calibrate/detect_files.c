/* SPDX-License-Identifier: Apache-2.0 */
/* calibrate/detect_files.c: the small text files of /proc and /sys, below a root. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "detect_priv.h"

#define TEXT_BYTES_MAX (4 << 20) /* /proc/cpuinfo of a thousand processors */

/* Kernel files tell no size: read until the end. */
static int64_t read_all(const char *root, const char *path, char *out, size_t size)
{
    char full[512];
    (void)snprintf(full, sizeof(full), "%s%s", root, path);
    int fd = open(full, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    size_t got = 0;
    while (got + 1 < size) {
        ssize_t n = read(fd, out + got, size - 1 - got);
        if (n <= 0) {
            break;
        }
        got += (size_t)n;
    }
    (void)close(fd);
    out[got] = '\0';
    return (int64_t)got;
}

void wl_detect_line(const char *root, const char *path, char *out, size_t size)
{
    if (read_all(root, path, out, size) < 0) {
        out[0] = '\0';
    }
    out[strcspn(out, "\n")] = '\0';
}

int64_t wl_detect_int(const char *root, const char *path, int64_t otherwise)
{
    char line[64];
    char *end = NULL;
    wl_detect_line(root, path, line, sizeof(line));
    int64_t value = strtoll(line, &end, 10);
    return end == line ? otherwise : value;
}

char *wl_detect_text(struct wl_arena *a, const char *root, const char *path)
{
    char *buffer = wl_malloc(TEXT_BYTES_MAX);
    char *text = NULL;
    int64_t got = buffer == NULL ? -1 : read_all(root, path, buffer, TEXT_BYTES_MAX);
    if (got >= 0) {
        text = wl_arena_strndup(a, buffer, (size_t)got);
    }
    wl_free(buffer);
    return text;
}

/* One "a" or "a-b" of a list; moves *at behind it. */
static bool next_range(const char **at, int64_t *first, int64_t *last)
{
    char *end = NULL;
    *first = strtoll(*at, &end, 10);
    if (end == *at) {
        return false;
    }
    *last = *first;
    if (*end == '-') {
        *last = strtoll(end + 1, &end, 10);
    }
    *at = *end == ',' ? end + 1 : end;
    return *last >= *first;
}

bool wl_detect_list_has(const char *list, int32_t cpu)
{
    int64_t first, last;
    while (next_range(&list, &first, &last)) {
        if (cpu >= first && cpu <= last) {
            return true;
        }
    }
    return false;
}

int32_t wl_detect_list_count(const char *list)
{
    int64_t first, last, count = 0;
    while (next_range(&list, &first, &last)) {
        count += last - first + 1;
    }
    return (int32_t)wl_min_i64(count, INT32_MAX);
}
