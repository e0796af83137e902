/* SPDX-License-Identifier: Apache-2.0 */
/* detect_priv.h: what the parts of host detection share. */
#ifndef WL_DETECT_PRIV_H
#define WL_DETECT_PRIV_H

#include "calibrate.h"

/* ---- topology -------------------------------------------------------------------------------- */

/* A physical core as a source of topology reports it. */
struct wl_host_core {
    int32_t cpu; /* one logical processor of it */
    int32_t package;
    int32_t strength; /* orders kinds: higher is faster; equal for all where unknown */
    struct {
        int64_t bytes;
        int32_t id; /* equal for cores that share it */
    } cache[WL_HOST_LEVELS_MAX];
};

struct wl_host_cores {
    struct wl_host_core *items;
    int32_t count, capacity;
};

/* The cores behind the processors that this process may use. UNSUPPORTED: hwloc is not there. */
wl_status wl_detect_cores_hwloc(struct wl_arena *a, struct wl_host_cores *out, char *source,
                                size_t source_size, struct wl_error *err) WL_MUST_CHECK;
/* `cpus` in the kernel's list form ("0-3,8") are those to look at. */
wl_status wl_detect_cores_sysfs(struct wl_arena *a, const char *root, const char *cpus,
                                struct wl_host_cores *out, struct wl_error *err) WL_MUST_CHECK;
/* Kinds, packages and caches of a list of cores. */
void wl_detect_summarise(const struct wl_host_cores *cores, struct wl_host *out);

/* ---- small files of the kernel (detect_files.c) ---------------------------------------------- */

/* First line of root/path without its end; "" when it cannot be read. */
void wl_detect_line(const char *root, const char *path, char *out, size_t size);
int64_t wl_detect_int(const char *root, const char *path, int64_t otherwise);
/* All of a file, in the arena, terminated; NULL when it cannot be read. */
char *wl_detect_text(struct wl_arena *a, const char *root, const char *path);
/* Whether `cpu` is in "0-3,8"; how many are. */
bool wl_detect_list_has(const char *list, int32_t cpu);
int32_t wl_detect_list_count(const char *list);

/* ---- timing ---------------------------------------------------------------------------------- */

/*
 * The clock is not read from a register (a virtual machine shows none, and a nominal one says
 * little): additions of which each needs the last one's result take one cycle each on every
 * processor that we know of, so their rate is the clock. Two registers, not a constant: some cores
 * fold additions of constants into renaming. Four of them, so that loops around them cost nothing.
 */
#if defined(__x86_64__)
#define WL_DETECT_ADD "add %1, %0\n\t"
#elif defined(__aarch64__)
#define WL_DETECT_ADD "add %0, %0, %1\n\t"
#else
#define WL_DETECT_ADD "" /* no clock: rates per cycle are not known */
#endif
#define WL_DETECT_QUADS_BEGIN uint64_t chain_ = 1, chain_by_ = 3;
#define WL_DETECT_QUADS(count)                                                                     \
    for (int32_t quad_ = 0; quad_ < (count); quad_++) {                                            \
        __asm__ volatile(WL_DETECT_ADD WL_DETECT_ADD WL_DETECT_ADD WL_DETECT_ADD                   \
                         : "+r"(chain_)                                                            \
                         : "r"(chain_by_)                                                          \
                         : "cc");                                                                  \
    }
#define WL_DETECT_QUAD_CYCLES 4

double wl_detect_now_s(void);
/* Clock of the core that it runs on: a chain of dependent additions, one cycle each. */
double wl_detect_clock_hz(double seconds);

/* Threads pinned to `cpus`, started together; each calls run(user, index). */
wl_status wl_detect_team(const int32_t *cpus, int32_t count, void (*run)(void *user, int32_t index),
                         void *user, struct wl_error *err) WL_MUST_CHECK;

/* ---- arithmetic ------------------------------------------------------------------------------ */

struct wl_detect_kernel {
    const char *pipe;
    enum wl_pipe_kind kind;
    enum wl_precision precision;
    int32_t simd_bits, rows, cols, depth;
    uint32_t needs;                            /* bits of wl_detect_features */
    double ops_per_step;                       /* a MAC is 2 */
    void (*run)(int64_t steps, int32_t quads); /* quads: WL_DETECT_QUADS in each step */
    bool (*prepare)(void); /* per thread, before run; NULL: nothing to prepare */
    void (*finish)(void);
};

/* What processor and system allow together. */
uint32_t wl_detect_features(void);
const struct wl_detect_kernel *wl_detect_kernels(int32_t *count);
/* Reads `bytes` (a multiple of 4096) once, at the widest load there is. */
void wl_detect_read(const void *data, int64_t bytes, uint32_t features);

struct wl_detect_sample {
    double ops_per_s, clock_hz;
};
/*
 * Runs a kernel on the calling thread for about `seconds`; the best of its parts. `most_hz` is a
 * clock that the core does not exceed.
 */
struct wl_detect_sample wl_detect_run_kernel(const struct wl_detect_kernel *k, double most_hz,
                                             double seconds);

/* ---- memory ---------------------------------------------------------------------------------- */

/* What one core (the calling thread) reads per second from a set of `bytes`. */
wl_status wl_detect_private_level(int64_t bytes, double seconds, double *bps,
                                  struct wl_error *err) WL_MUST_CHECK;
/* Index of the shared cache that the sweep is to find (0 is L1); -1: all caches are private. */
int wl_detect_swept_level(const struct wl_host *host);
wl_status wl_detect_sweep(const struct wl_host *host, const struct wl_detect_options *options,
                          struct wl_host_measures *out, struct wl_error *err) WL_MUST_CHECK;

/* ---- the processor of the registry that is most like the host ---------------------------------
 */

struct wl_relative {
    const struct wl_spec *spec;
    struct wl_device device; /* at its default mode */
    bool named;              /* the host calls itself by this name */
    const char *process;     /* a file of registry/processes */
    double core_scale;       /* 0: not given */
};
/* UNSUPPORTED when the registry has no processor. */
wl_status wl_detect_relative(struct wl_registry *registry, const struct wl_host *host,
                             const struct wl_host_measures *m, struct wl_relative *out,
                             struct wl_error *err) WL_MUST_CHECK;
/* Bytes of a cache level of all cores together. */
int64_t wl_detect_level_total(const struct wl_host *host, int level);

#endif
