/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calibrate: what the machine at hand can do, by measurement. `wl_detect_*` describe the host's
 * processor: topology from hwloc or /sys, rates, clocks and bandwidths from short runs, and all of
 * it as a spec.json like those of the registry. SI units: hertz, seconds, bytes.
 */
#ifndef WL_CALIBRATE_H
#define WL_CALIBRATE_H

#include "hardware.h"

/* ---- what the machine is made of ------------------------------------------------------------- */

#define WL_HOST_KINDS_MAX 3 /* of cores */
#define WL_HOST_LEVELS_MAX 4
#define WL_HOST_CPUS_MAX 1024

/* A data or unified cache of one level, as the cores of one kind see it. */
struct wl_host_cache {
    int64_t bytes; /* of one instance; 0: no such level */
    int32_t cores; /* that share an instance; >= 1 */
};

/* Identical cores. Only cores that this process may run on are counted. */
struct wl_host_kind {
    char name[16]; /* "core"; of hybrid parts "p_core", "e_core" */
    int32_t cores;
    int32_t cpus[WL_HOST_CPUS_MAX];                  /* one logical processor of each core */
    struct wl_host_cache caches[WL_HOST_LEVELS_MAX]; /* [0] is L1 */
};

struct wl_host {
    char vendor[32];       /* "GenuineIntel", "AuthenticAMD", "0x41" (an Arm implementer) */
    char model_name[96];   /* as the processor calls itself; may be empty */
    int32_t family, model; /* of cpuid; Arm: 0 and the part number */
    bool virtual_machine;
    int32_t logical; /* processors online */
    int32_t allowed; /* of them for this process */
    int32_t cores;   /* physical ones behind those allowed */
    int32_t packages, numa_nodes;
    double quota_cores;   /* a container's share of processor time; 0: unlimited */
    int64_t memory_bytes; /* of the machine, or the container's limit */
    int64_t memory_available_bytes;
    int32_t kind_count;
    struct wl_host_kind kinds[WL_HOST_KINDS_MAX]; /* fastest first */
    char source[16];                              /* "hwloc", "/sys" */
};

/*
 * `root` is put before /proc and /sys ("" for this machine; a recorded tree in tests, where hwloc
 * is not asked). IO when there is nothing to read.
 */
wl_status wl_detect_topology(const char *root, struct wl_host *out,
                             struct wl_error *err) WL_MUST_CHECK;

/* ---- what it does ---------------------------------------------------------------------------- */

#define WL_HOST_RATES_MAX 32
#define WL_HOST_SWEEP_MAX 32

/* One instruction set at one precision on one core. */
struct wl_host_rate {
    const char *pipe; /* "avx512", "amx" */
    enum wl_pipe_kind kind;
    enum wl_precision precision;
    int32_t simd_bits;         /* vector pipes */
    int32_t rows, cols, depth; /* matrix pipes */
    bool supported;            /* by processor and system; the rest is 0 where it is not */
    double ops_per_s;          /* of one core alone; a MAC is 2 */
    double clock_hz;           /* meanwhile */
    double ops_per_cycle;      /* as measured */
};

/* Reads by all cores together and by one, at a working set. */
struct wl_host_point {
    int64_t bytes;  /* of all cores together, and of the one */
    double all_bps; /* 0: not measured */
    double one_bps;
};

struct wl_host_kind_rates {
    double boost_clock_hz;  /* one core, scalar work */
    double clock_hz;        /* all cores of the machine, widest vector work */
    double matrix_clock_hz; /* all cores, matrix unit; 0: none */
    double shared; /* rate of a core with all busy / alone (1: cores share no arithmetic) */
    struct wl_host_rate rates[WL_HOST_RATES_MAX];
    int32_t rate_count;
    double level_bps[WL_HOST_LEVELS_MAX]; /* read by one core from caches below the last; 0: none */
};

struct wl_host_measures {
    struct wl_host_kind_rates kinds[WL_HOST_KINDS_MAX];
    /* Working-set sweep beyond the private caches, small first. */
    struct wl_host_point sweep[WL_HOST_SWEEP_MAX];
    int32_t sweep_count;
    int64_t sweep_limit_bytes; /* largest set, and why not larger */
    const char *sweep_reason;
    double seconds; /* that it all took */
    double others;  /* processors that were busy with something else meanwhile, or taken away */
};

struct wl_detect_options {
    bool quick;
    /* Called with the share done in [0, 1]; NULL: no progress. */
    void (*progress)(void *user, double share, const char *what);
    void *user;
};

/* Runs the measurements: some seconds on all cores. */
wl_status wl_detect_measure(const struct wl_host *host, const struct wl_detect_options *options,
                            struct wl_host_measures *out, struct wl_error *err) WL_MUST_CHECK;

/* The vector instruction set that gives most fp32 operations per second; NULL: none ran. */
const struct wl_host_rate *wl_detect_best_vector(const struct wl_host_kind_rates *k);
/*
 * What the last cache and main memory give, read off the sweep. `usable_bytes` is the largest
 * working set that still runs at the cache's speed rather than memory's; 0: no cache is visible.
 */
struct wl_host_memory {
    int64_t usable_bytes;
    double cache_all_bps, cache_one_bps;
    double dram_all_bps, dram_one_bps;
};
struct wl_host_memory wl_detect_memory(const struct wl_host *host,
                                       const struct wl_host_measures *m);

/* ---- as a device ----------------------------------------------------------------------------- */

/*
 * The spec.json of the host. What cannot be measured (process node, watts, kind of memory) is taken
 * from the registry's processor that is most like it and marked as assumed; *relative names it.
 * UNSUPPORTED when the registry has no processor at all.
 */
wl_status wl_detect_spec(struct wl_registry *registry, const struct wl_host *host,
                         const struct wl_host_measures *measures, const char *date,
                         struct wl_buf *out, const char **relative,
                         struct wl_error *err) WL_MUST_CHECK;

#endif
