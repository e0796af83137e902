/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calibrate/detect_hwloc.c: cores, caches and kinds from hwloc, which knows the quirks of systems
 * that /sys alone does not tell. Its header is needed to build, its library only when it is asked:
 * linked in, it would slow the start of every other command.
 */
#include "detect_priv.h"

#ifndef WL_HAVE_HWLOC

wl_status wl_detect_cores_hwloc(struct wl_arena *a, struct wl_host_cores *out, char *source,
                                size_t source_size, struct wl_error *err)
{
    (void)a;
    (void)out;
    (void)source;
    (void)source_size;
    return wl_fail(err, WL_ERR_UNSUPPORTED, "hwloc",
                   "this build has none; install libhwloc-dev and build again");
}

#else

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include <hwloc.h>

/* What is used of it. */
struct library {
    void *handle;
    int (*init)(hwloc_topology_t *);
    int (*set_flags)(hwloc_topology_t, unsigned long);
    int (*load)(hwloc_topology_t);
    void (*destroy)(hwloc_topology_t);
    int (*type_depth)(hwloc_topology_t, hwloc_obj_type_t);
    unsigned (*count_at)(hwloc_topology_t, int);
    hwloc_obj_t (*object_at)(hwloc_topology_t, int, unsigned);
    int (*kind_of)(hwloc_topology_t, hwloc_const_bitmap_t, unsigned long);
    int (*first)(hwloc_const_bitmap_t);
};

/* POSIX lets dlsym's object pointer stand for a function; ISO C needs the detour. */
static bool find(void *library, const char *name, void *function)
{
    void *symbol = dlsym(library, name);
    memcpy(function, &symbol, sizeof(symbol));
    return symbol != NULL;
}

static bool open_library(struct library *l)
{
    l->handle = dlopen("libhwloc.so.15", RTLD_NOW | RTLD_LOCAL);
    return l->handle != NULL && find(l->handle, "hwloc_topology_init", &l->init) &&
           find(l->handle, "hwloc_topology_set_flags", &l->set_flags) &&
           find(l->handle, "hwloc_topology_load", &l->load) &&
           find(l->handle, "hwloc_topology_destroy", &l->destroy) &&
           find(l->handle, "hwloc_get_type_depth", &l->type_depth) &&
           find(l->handle, "hwloc_get_nbobjs_by_depth", &l->count_at) &&
           find(l->handle, "hwloc_get_obj_by_depth", &l->object_at) &&
           find(l->handle, "hwloc_cpukinds_get_by_cpuset", &l->kind_of) &&
           find(l->handle, "hwloc_bitmap_first", &l->first);
}

static int level_of(hwloc_obj_type_t type)
{
    return type == HWLOC_OBJ_L1CACHE   ? 1
           : type == HWLOC_OBJ_L2CACHE ? 2
           : type == HWLOC_OBJ_L3CACHE ? 3
           : type == HWLOC_OBJ_L4CACHE ? 4
                                       : 0;
}

static struct wl_host_core core_of(const struct library *l, hwloc_topology_t t, hwloc_obj_t core)
{
    int kind = l->kind_of(t, core->cpuset, 0);
    struct wl_host_core out = {.cpu = l->first(core->cpuset), .strength = kind < 0 ? 0 : kind};
    for (hwloc_obj_t o = core->parent; o != NULL; o = o->parent) {
        int level = level_of(o->type);
        if (level > 0) {
            out.cache[level - 1].bytes = (int64_t)o->attr->cache.size;
            out.cache[level - 1].id = (int32_t)o->logical_index;
        } else if (o->type == HWLOC_OBJ_PACKAGE) {
            out.package = (int32_t)o->logical_index;
        }
    }
    return out;
}

static wl_status collect(const struct library *l, hwloc_topology_t t, struct wl_arena *a,
                         struct wl_host_cores *out, struct wl_error *err)
{
    if (l->set_flags(t, HWLOC_TOPOLOGY_FLAG_IS_THISSYSTEM |
                            HWLOC_TOPOLOGY_FLAG_RESTRICT_TO_CPUBINDING) != 0 ||
        l->load(t) != 0) {
        return wl_fail(err, WL_ERR_UNSUPPORTED, "hwloc", "cannot read this machine's topology");
    }
    int depth = l->type_depth(t, HWLOC_OBJ_CORE);
    if (depth < 0) {
        depth = l->type_depth(t, HWLOC_OBJ_PU);
    }
    unsigned count = l->count_at(t, depth);
    if (count == 0 || count > WL_HOST_CPUS_MAX) {
        return wl_fail(err, WL_ERR_UNSUPPORTED, "hwloc", "names %u cores", count);
    }
    out->items = WL_ARRAY(a, struct wl_host_core, count);
    WL_TRY_PTR(out->items, err);
    for (unsigned i = 0; i < count; i++) {
        out->items[out->count++] = core_of(l, t, l->object_at(t, depth, i));
    }
    return WL_OK;
}

wl_status wl_detect_cores_hwloc(struct wl_arena *a, struct wl_host_cores *out, char *source,
                                size_t source_size, struct wl_error *err)
{
    struct library l = {0};
    hwloc_topology_t topology;
    if (!open_library(&l) || l.init(&topology) != 0) {
        if (l.handle != NULL) {
            (void)dlclose(l.handle);
        }
        return wl_fail(err, WL_ERR_UNSUPPORTED, "hwloc",
                       "libhwloc.so.15 is not there; install libhwloc15");
    }
    wl_status status = collect(&l, topology, a, out, err);
    l.destroy(topology);
    (void)dlclose(l.handle);
    (void)snprintf(source, source_size, "hwloc");
    return status;
}

#endif
