/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hardware/list.c: all devices of a registry by skimming their files. The first root that has an id
 * wins. A device that extends another takes from it what its own file does not say.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "registry_priv.h"

struct found {
    struct wl_registry_entry entry;
    const char *extends, *process;
};

struct lister {
    struct wl_registry *r;
    bool count_calibrations;
    struct found *items;
    int32_t count, capacity;
    struct wl_error *broken;
    int32_t broken_count, broken_capacity;
    char *buffer; /* the file being skimmed */
    size_t buffer_bytes;
};

static wl_status add_broken(struct lister *l, const struct wl_error *e, struct wl_error *err)
{
    void *items = l->broken;
    if (wl_arena_reserve(&l->r->arena, &items, &l->broken_capacity, l->broken_count + 1,
                         sizeof(*l->broken)) != WL_OK) {
        return wl_fail_nomem(err);
    }
    l->broken = items;
    l->broken[l->broken_count++] = *e;
    return WL_OK;
}

/* Reads a small file into the lister's buffer; far cheaper than mapping each. */
static wl_status slurp(struct lister *l, int dir, const char *relative, const char *path,
                       size_t *bytes, struct wl_error *err)
{
    int fd = openat(dir, relative, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > WL_JSON_BYTES_MAX) {
        if (fd >= 0) {
            (void)close(fd);
        }
        return wl_fail(err, WL_ERR_IO, path,
                       "cannot be read; a regular file of up to %d bytes "
                       "is needed",
                       WL_JSON_BYTES_MAX);
    }
    size_t need = (size_t)st.st_size, got = 0;
    if (need > l->buffer_bytes) {
        char *grown = wl_realloc(l->buffer, need + 65536);
        if (grown == NULL) {
            (void)close(fd);
            return wl_fail_nomem(err);
        }
        l->buffer = grown;
        l->buffer_bytes = need + 65536;
    }
    while (got < need) {
        ssize_t n = read(fd, l->buffer + got, need - got);
        if (n <= 0) {
            break;
        }
        got += (size_t)n;
    }
    (void)close(fd);
    *bytes = got;
    return WL_OK;
}

static int32_t count_json(int dir, const char *relative)
{
    int fd = openat(dir, relative, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (d == NULL) {
        if (fd >= 0) {
            (void)close(fd);
        }
        return 0;
    }
    int32_t count = 0;
    for (const struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        size_t len = strlen(e->d_name);
        count += len > 5 && strcmp(e->d_name + len - 5, ".json") == 0 ? 1 : 0;
    }
    (void)closedir(d);
    return count;
}

static bool already(const struct lister *l, const char *id, int32_t before)
{
    for (int32_t i = 0; i < before; i++) {
        if (strcmp(l->items[i].entry.id, id) == 0) {
            return true;
        }
    }
    return false;
}

/* One device folder; `before` entries came from earlier roots and win over it. */
static wl_status add_device(struct lister *l, int dir, const char *class_path, const char *id,
                            int32_t before, struct wl_error *err)
{
    char relative[320];
    (void)snprintf(relative, sizeof(relative), "%.255s/spec.json", id);
    char *path = wl_arena_printf(&l->r->arena, "%s/%s", class_path, relative);
    WL_TRY_PTR(path, err);
    if (already(l, id, before)) {
        return WL_OK;
    }
    struct wl_skim skim;
    struct wl_error inner = {0};
    size_t bytes = 0;
    wl_status status = slurp(l, dir, relative, path, &bytes, &inner);
    if (status == WL_ERR_IO && !wl_path_exists(path)) {
        return WL_OK; /* a folder that holds calibrations only belongs to a device elsewhere */
    }
    if (status == WL_OK) {
        status = wl_skim_spec(&l->r->arena, path, l->buffer, bytes, &skim, &inner);
    }
    if (status == WL_OK &&
        (skim.id == NULL || skim.name == NULL || (skim.class < 0 && skim.extends == NULL))) {
        status = wl_fail(&inner, WL_ERR_INVALID, path,
                         "lacks id, name or class; `hw check` says what is wrong");
    }
    if (status != WL_OK) {
        return status == WL_ERR_NOMEM ? wl_fail_nomem(err) : add_broken(l, &inner, err);
    }
    void *items = l->items;
    if (wl_arena_reserve(&l->r->arena, &items, &l->capacity, l->count + 1, sizeof(*l->items)) !=
        WL_OK) {
        return wl_fail_nomem(err);
    }
    l->items = items;
    struct found *f = &l->items[l->count++];
    *f = (struct found){.extends = skim.extends, .process = skim.process};
    f->entry =
        (struct wl_registry_entry){.id = skim.id,
                                   .name = skim.name,
                                   .vendor = skim.vendor,
                                   .path = path,
                                   .class = (enum wl_hw_class)(skim.class < 0 ? 0 : skim.class),
                                   .tdp_w = skim.tdp_w,
                                   .aliases = skim.aliases,
                                   .power_modes = skim.modes,
                                   .alias_count = skim.alias_count,
                                   .power_mode_count = skim.mode_count};
    memcpy(f->entry.precisions, skim.precisions, sizeof(skim.precisions));
    if (l->count_calibrations) {
        (void)snprintf(relative, sizeof(relative), "%.255s/calibrations", id);
        f->entry.calibration_count = count_json(dir, relative);
    }
    return WL_OK;
}

static wl_status walk_class(struct lister *l, const char *root, enum wl_hw_class class,
                            int32_t before, struct wl_error *err)
{
    char *path = wl_arena_printf(&l->r->arena, "%s/%s", root, wl_hw_class_name(class));
    WL_TRY_PTR(path, err);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (d == NULL) {
        if (fd >= 0) {
            (void)close(fd);
        }
        return WL_OK; /* a registry need not have every class */
    }
    wl_status status = WL_OK;
    for (const struct dirent *e = readdir(d); e != NULL && status == WL_OK; e = readdir(d)) {
        if (e->d_name[0] != '.') {
            status = add_device(l, fd, path, e->d_name, before, err);
        }
    }
    (void)closedir(d);
    return status;
}

static int by_class_and_id(const void *a, const void *b)
{
    const struct wl_registry_entry *x = &((const struct found *)a)->entry;
    const struct wl_registry_entry *y = &((const struct found *)b)->entry;
    return x->class != y->class ? (int)x->class - (int)y->class : strcmp(x->id, y->id);
}

static const struct found *find(const struct lister *l, const char *id)
{
    for (int32_t i = 0; i < l->count; i++) {
        if (strcmp(l->items[i].entry.id, id) == 0) {
            return &l->items[i];
        }
    }
    return NULL;
}

static void inherit(struct wl_registry_entry *e, struct found *f, const struct found *base)
{
    const struct wl_registry_entry *b = &base->entry;
    bool any = false;
    for (int p = 0; p < WL_PREC_COUNT; p++) {
        any = any || e->precisions[p];
    }
    if (!any) {
        memcpy(e->precisions, b->precisions, sizeof(e->precisions));
    }
    e->vendor = e->vendor == NULL ? b->vendor : e->vendor;
    e->class = b->class;
    e->tdp_w = e->tdp_w > 0 ? e->tdp_w : b->tdp_w;
    if (e->power_mode_count == 0) {
        e->power_modes = b->power_modes;
        e->power_mode_count = b->power_mode_count;
    }
    f->process = f->process == NULL ? base->process : f->process;
}

static wl_status finish(struct lister *l, struct wl_error *err)
{
    for (int32_t i = 0; i < l->count; i++) {
        struct found *f = &l->items[i];
        const struct found *base = f->extends == NULL ? NULL : find(l, f->extends);
        if (base != NULL) {
            inherit(&f->entry, f, base);
        }
        const struct wl_process *process = NULL;
        struct wl_error inner = {0};
        if (f->process != NULL && wl_process_load(l->r, f->process, &process, &inner) == WL_OK) {
            f->entry.process_nm = process->nm.value;
        }
        f->entry.vendor = f->entry.vendor == NULL ? "" : f->entry.vendor;
    }
    (void)err;
    if (l->count > 1) {
        qsort(l->items, (size_t)l->count, sizeof(l->items[0]), by_class_and_id);
    }
    return WL_OK;
}

static wl_status run(struct lister *l, struct wl_registry_entry **entries, int32_t *count,
                     struct wl_error *err)
{
    for (int32_t i = 0; i < l->r->root_count; i++) {
        int32_t before = l->count;
        for (int c = 0; c < WL_HW_CLASS_COUNT; c++) {
            WL_TRY(walk_class(l, l->r->roots[i], (enum wl_hw_class)c, before, err));
        }
    }
    WL_TRY(finish(l, err));
    struct wl_registry_entry *out = WL_ARRAY(&l->r->arena, struct wl_registry_entry, l->count);
    WL_TRY_PTR(out, err);
    for (int32_t i = 0; i < l->count; i++) {
        out[i] = l->items[i].entry;
    }
    *entries = out;
    *count = l->count;
    return WL_OK;
}

wl_status wl_registry_list(struct wl_registry *r, struct wl_registry_entry **entries,
                           int32_t *count, struct wl_error **broken, int32_t *broken_count,
                           struct wl_error *err)
{
    struct lister l = {.r = r, .count_calibrations = true};
    wl_status status = run(&l, entries, count, err);
    wl_free(l.buffer);
    if (status == WL_OK && broken != NULL) {
        *broken = l.broken;
        *broken_count = l.broken_count;
    }
    return status;
}

wl_status wl_registry_names(struct wl_registry *r, struct wl_registry_entry **entries,
                            int32_t *count, struct wl_error *err)
{
    struct lister l = {.r = r};
    wl_status status = run(&l, entries, count, err);
    wl_free(l.buffer);
    return status;
}
