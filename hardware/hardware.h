/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hardware: devices as data. Loads registry/<class>/<id>/spec.json (with process and memory
 * technology tables, calibrations and runtime profiles), checks every key against one field table,
 * and resolves a spec plus a power mode into the flat `wl_device` that the mappers read.
 * SI units throughout: hertz, seconds, watts, bytes; picojoules where the name says _pj.
 */
#ifndef WL_HARDWARE_H
#define WL_HARDWARE_H

#include "core.h"

enum wl_hw_class { WL_HW_CPU, WL_HW_GPU, WL_HW_TPU, WL_HW_KPU, WL_HW_CLASS_COUNT };
const char *wl_hw_class_name(enum wl_hw_class c);

/* Where a figure comes from, strongest first. A result inherits the weakest of what it used. */
enum wl_basis {
    WL_BASIS_MEASURED,
    WL_BASIS_DATASHEET,
    WL_BASIS_DERIVED,
    WL_BASIS_ASSUMED,
    WL_BASIS_COUNT
};
const char *wl_basis_name(enum wl_basis b);

#define WL_EV_CPU 1u
#define WL_EV_GPU 2u
#define WL_EV_TPU 4u
#define WL_EV_KPU 8u

enum wl_category { WL_CAT_COMPUTE, WL_CAT_MEMORY, WL_CAT_CONTROL, WL_CAT_COUNT };
const char *wl_category_name(enum wl_category c);

/* Energy events: hardware/events.def holds one line each. */
enum wl_event {
#define WL_EVENT(id, name, classes, group, category, by_precision, counted) WL_EV_##id,
#include "events.def"
#undef WL_EVENT
    WL_EVENT_COUNT
};

struct wl_event_info {
    const char *name; /* "fma": printed with its precision appended where by_precision */
    uint32_t classes;
    const char *group;
    enum wl_category category;
    bool by_precision;
    const char *counted; /* what one count is, in words */
};
const struct wl_event_info *wl_event_info(enum wl_event e);

/* ---- a device at one operating point --------------------------------------------------------- */

enum wl_pipe_kind { WL_PIPE_VECTOR, WL_PIPE_MATRIX, WL_PIPE_SPECIAL, WL_PIPE_KIND_COUNT };
const char *wl_pipe_kind_name(enum wl_pipe_kind k);

/* A kind of arithmetic unit that every unit (core, SM, tile) of a group has. */
struct wl_pipe {
    const char *name; /* "avx512", "amx", "tensor_core", "mxu" */
    enum wl_pipe_kind kind;
    int32_t group;                       /* index into wl_device.groups */
    double ops_per_cycle[WL_PREC_COUNT]; /* per unit; a MAC is 2; 0: this precision not here */
    double clock_hz;                     /* sustained at this operating point */
    int32_t rows, cols, depth;           /* array geometry, 0 where it has none */
    int32_t arrays;                      /* such arrays per unit (MXUs per core ...), else 1 */
    int32_t simd_bits;                   /* vector register width, 0 where not a SIMD pipe */
};

/* Identical compute units: cores, SMs, TensorCores, tiles. Hybrid CPUs and KPUs have several. */
struct wl_unit_group {
    const char *name; /* "p_core", "sm", "tile_int8" */
    int32_t count;    /* active at this operating point */
    double clock_hz;
    int32_t threads_per_unit; /* resident hardware threads; GPUs: threads per SM */
    int64_t register_bytes;   /* per unit, 0: not described */
    double decode_per_cycle;  /* instructions of a core */
};

enum wl_level_scope { WL_SCOPE_UNIT, WL_SCOPE_CLUSTER, WL_SCOPE_DEVICE };

/* One memory level; levels[0] is nearest to the units, the last is main memory. */
struct wl_level {
    const char *name; /* "l1", "l2", "l3", "smem", "vmem", "dram" */
    enum wl_level_scope scope;
    int32_t instances;         /* device-wide count of such memories (1 for scope device) */
    int64_t capacity_bytes;    /* of one instance; 0: unlimited (host memory) */
    double bandwidth_bps;      /* all instances together, at this operating point */
    double unit_bandwidth_bps; /* most that one unit can draw; 0: an equal share of the whole */
    double efficiency;         /* sustained share of the bandwidth (0..1] */
    double latency_s;          /* load to use; 0: not described */
    double read_pj_per_byte, write_pj_per_byte;
    const char *technology; /* "sram", "ddr5", "hbm2e" */
    bool managed;           /* scratchpad: software decides what lies there */
    bool read_bandwidth;    /* the bandwidth is that of reads: what is written counts twice */
    int64_t weight_bytes;   /* of a scratchpad, set aside for weights on their way; 0: none */
    double activation_compression; /* of activations that cross to and from it; 1: none */
    bool is_main;                  /* device memory */
};

#define WL_GROUPS_MAX 4
#define WL_PIPES_MAX 12
#define WL_LEVELS_MAX 8

/* Parameters of a class that are not pipes or levels; zero where they do not apply. */
struct wl_class_params {
    double dispatch_s; /* per launched subgraph by the generic runtime */
    double barrier_s;  /* per parallel region over all units */
    /* GPU */
    int32_t warp_size;
    int32_t max_blocks_per_unit;
    int64_t shared_bytes_per_unit;
    int32_t load_stages; /* steps of a product whose operands are under way at once */
    /* TPU: systolic arrays */
    bool double_buffered_weights;
    bool keeps_weights; /* from one inference to the next, in the first memory */
    /* KPU: mesh of tiles */
    int32_t mesh_rows, mesh_cols;
    int64_t program_bytes;
    double program_load_s;
    double noc_bytes_per_cycle; /* per link */
};

/* What tdp_w and idle_w are of. Only DEVICE figures can be held against the device's own energy. */
enum wl_power_scope { WL_POWER_DEVICE, WL_POWER_MODULE, WL_POWER_BOARD, WL_POWER_PACKAGE };

struct wl_device {
    const char *id;
    const char *name;
    const char *vendor;
    enum wl_hw_class class;
    double process_nm;
    const char *power_mode; /* as in the spec; "default" where it has one only */
    double clock_hz;        /* of the first unit group */
    double tdp_w, power_limit_w, idle_w;
    double gated_idle_w; /* idle with unused units switched off; = idle_w where it cannot */
    double board_rest_w, supply_efficiency; /* 0 and 1 where the board is not described */
    enum wl_basis power_basis, idle_basis;
    bool power_estimated; /* the mode has no watts of its own: nearest mode x ratio of clocks */
    enum wl_power_scope power_scope;
    int32_t group_count, pipe_count, level_count;
    struct wl_unit_group groups[WL_GROUPS_MAX];
    struct wl_pipe pipes[WL_PIPES_MAX];
    struct wl_level levels[WL_LEVELS_MAX];
    struct wl_class_params params;
    double event_pj[WL_EVENT_COUNT]
                   [WL_PREC_COUNT]; /* the same in all columns unless by_precision */
    const char *event_source[WL_EVENT_COUNT];
    enum wl_basis event_basis[WL_EVENT_COUNT];
    enum wl_basis basis; /* weakest basis of the figures that latency uses */
};

/* Units of all groups. */
int32_t wl_device_units(const struct wl_device *d);
/* Peak ops/s of a pipe for a precision: units x arrays x ops per cycle x clock (a MAC is 2 ops). */
double wl_pipe_peak(const struct wl_device *d, const struct wl_pipe *p, enum wl_precision prec);
/* The best pipe for MACs (all groups added where they share a pipe name); 0 when unsupported. */
double wl_device_peak(const struct wl_device *d, enum wl_precision prec,
                      const struct wl_pipe **best);
bool wl_device_supports(const struct wl_device *d, enum wl_precision prec);
/*
 * Where the device lacks `prec`: the nearest narrower type of the same family that it has, then the
 * nearest wider one. WL_PREC_COUNT when it has none at all.
 */
enum wl_precision wl_device_nearest(const struct wl_device *d, enum wl_precision prec);
/* Joules at the wall of the board for `energy_j` of the device in `seconds`: with the rest of the
   board, through its supply. The same where the board is not described. */
double wl_device_wall_j(const struct wl_device *d, double energy_j, double seconds);
/*
 * MACs of one instruction of a CPU or GPU (a warp's): lanes x what the type packs over fp32; of a
 * matrix pipe rows x cols x depth at 16 bit, in proportion for other widths.
 */
double wl_pipe_macs_per_instruction(const struct wl_device *d, const struct wl_pipe *p,
                                    enum wl_precision prec);
/*
 * Watts of a saturating GEMM in `prec`, before the power bound: dynamic energy per MAC, with the
 * reuse that registers and caches give a large product, x the peak MAC rate, plus idle. 0:
 * unsupported.
 */
double wl_device_gemm_power_w(const struct wl_device *d, enum wl_precision prec);
/* Whether its watts are a datasheet figure of the device alone, so that its GEMM can be held
 * against them. */
bool wl_device_power_checkable(const struct wl_device *d);
/* The precisions the device is bought for: those the check of GEMM power looks at. */
bool wl_device_main_precision(const struct wl_device *d, enum wl_precision prec);
/* Main memory: the last level. */
const struct wl_level *wl_device_dram(const struct wl_device *d);

/* Id of the machine at hand, as `hw detect` describes it in the host directory. */
#define WL_HOST_ID "host"

/* ---- specs and the registry --------------------------------------------------------------------
 */

/* Something wrong with a registry file. A warning is worth a look but does not stop anything. */
struct wl_hw_problem {
    const char *path; /* JSON path: "/memory/2/bandwidth_bps" */
    const char *message;
    bool warning;
};

struct wl_spec; /* a checked spec.json with its tables resolved; private to hardware/ */

/* A registry: one or more directories searched in order. Files are read when first asked for. */
struct wl_registry {
    struct wl_arena arena;
    const char **roots;
    int32_t root_count;
    struct wl_registry_cache *cache; /* files already read; private to hardware/ */
};

wl_status wl_registry_open(struct wl_registry *r, const char *const *roots, int32_t root_count,
                           struct wl_error *err) WL_MUST_CHECK;
void wl_registry_close(struct wl_registry *r);

/*
 * `id` is an id, an alias (without regard to case) or a path to a spec.json. USAGE when unknown:
 * the message offers the nearest names. PARSE or INVALID (with the JSON path) when the file is
 * wrong.
 */
wl_status wl_registry_load(struct wl_registry *r, const char *id, const struct wl_spec **out,
                           struct wl_error *err) WL_MUST_CHECK;

/* As load, but `path` is a spec.json wherever it lies; every problem is listed, not only the first.
 */
wl_status wl_spec_check(struct wl_registry *r, const char *path, struct wl_hw_problem **problems,
                        int32_t *count, struct wl_error *err) WL_MUST_CHECK;

/*
 * As wl_spec_check for a registry file of any kind, told by its keys; `*kind` names it ("spec",
 * "calibration", "runtime", "class", "process", "memory").
 */
wl_status wl_hw_check(struct wl_registry *r, const char *path, const char **kind,
                      struct wl_hw_problem **problems, int32_t *count,
                      struct wl_error *err) WL_MUST_CHECK;
/* The documentation of all registry files, from the loader's field tables. */
void wl_hw_describe(struct wl_buf *out);

/* The JSON Schema of a kind of file (as wl_hw_check names them): what registry/schema holds. */
wl_status wl_hw_schema(const char *kind, struct wl_buf *out, struct wl_error *err) WL_MUST_CHECK;
/* "level_read_0": the key of an event in JSON, unlike its printed name unique. */
void wl_event_key_lower(enum wl_event e, char *out, size_t size);

/*
 * Resolves a spec at a power mode (NULL: the default mode; names compared without case and without
 * what stands in parentheses). USAGE lists the modes when `mode` is none.
 */
wl_status wl_spec_device(const struct wl_spec *s, const char *mode, struct wl_device *out,
                         struct wl_error *err) WL_MUST_CHECK;
/* Names alike without case, parenthesised parts, spaces, '_' and '-'. */
bool wl_mode_names_match(const char *a, const char *b);
int32_t wl_spec_mode_count(const struct wl_spec *s);
const char *wl_spec_mode_name(const struct wl_spec *s, int32_t i);
const char *wl_spec_id(const struct wl_spec *s);
const char *wl_spec_path(const struct wl_spec *s);
/* The checked file as parsed, for `hw show` (a cJSON tree owned by the spec). */
const struct cJSON *wl_spec_json(const struct wl_spec *s);

/* One line of `hw list`. */
struct wl_registry_entry {
    const char *id, *name, *vendor, *path;
    enum wl_hw_class class;
    double process_nm, tdp_w;
    const char **aliases;
    const char **power_modes;
    int32_t alias_count, power_mode_count, calibration_count;
    bool precisions[WL_PREC_COUNT];
};
/* All devices, by class then id. A file that fails its check is an entry of `broken` (messages). */
wl_status wl_registry_list(struct wl_registry *r, struct wl_registry_entry **entries,
                           int32_t *count, struct wl_error **broken, int32_t *broken_count,
                           struct wl_error *err) WL_MUST_CHECK;

/* ---- calibrations: measured overlays ------------------------------------------------------------
 */

enum wl_statistic { WL_STAT_MEDIAN, WL_STAT_MEAN, WL_STAT_MIN };

/* Touched since, up to which bytes are near: a private cache has them. */
#define WL_WARM_BYTES 1e6

/*
 * What decides how long a kernel takes, beside what it does. A size that a kernel does not have is
 * 1
 * (`operands` and the bytes: 0). Products: `groups` of m x n x k; a convolution's are m output
 * pixels of the whole batch, n output channels and k = input channels x taps of one group.
 * Everything else: n results, each made of k elements.
 */
struct wl_kernel_sizes {
    double groups, m, n, k;
    double window; /* taps of a convolution's or pooling's window; of a transposition, elements of
                      cache that a column of the source occupies */
    double stride; /* of the window, all axes multiplied */
    double width;  /* columns of the output image; else neighbours in memory that are treated alike:
                      the row of a softmax, the run that a copy keeps; of a recurrence, weights
                      read at each step over WL_WARM_BYTES */
    double
        operands; /* further activations that it reads: a residual, the other side of an addition */
    double edge;  /* share of the output columns whose window reaches into the padding */
    double passes;   /* walks over the inputs, each making as many results as registers hold; 0:
                        not known */
    double epilogue; /* operations on each result of a product beyond a bias, operands, a maximum */
    double bytes;    /* that it reads and writes, each operand once */
    double cold_bytes;  /* of these: further away than WL_WARM_BYTES */
    double near_bytes;  /* moved beside these near the core: columns of an image, weights that a
                           recurrence reads again at each step */
    double reuse_bytes; /* touched since those were last used, geometric mean */
};

/* One measured operation at one size and precision, or the reason why it did not run. */
struct wl_calibration_entry {
    const char *operation; /* "gemm", "conv_blocked", "softmax", "axpy" ...: kernels/ names them */
    enum wl_precision precision;
    int32_t threads; /* 0: not recorded */
    struct wl_kernel_sizes sizes;
    double time_s;       /* by the file's statistic */
    double min_s, max_s; /* 0: not recorded */
    double ops_per_s, bytes_per_s;
    bool supported;
    const char *reason; /* why not supported, or why measuring ended early; else NULL */
};

/* What validation showed of an operation's kernels: median absolute error, as a share. */
struct wl_error_band {
    const char *operation;
    double error;
    int32_t kernels; /* that it rests on */
};

/* A file of registry/<class>/<id>/calibrations/. */
struct wl_calibration {
    const char *path;
    const char *name; /* file name without .json */
    const char *device, *power_mode, *framework, *framework_version;
    const char *date; /* ISO 8601, to the second */
    const char *tool, *tool_version, *host, *notes;
    double clock_hz; /* under load, unless clock_read_idle */
    double power_w;  /* measured; 0: not measured */
    int32_t threads; /* 0: not recorded */
    enum wl_statistic statistic;
    bool clock_read_idle;          /* the clock was read while idle: do not scale peaks by it */
    bool bandwidth_includes_cache; /* stream figures come partly from a cache */
    struct wl_calibration_entry *entries;
    int32_t entry_count;
    struct wl_kernel_model *model; /* the entries ready for look-up; private to hardware/ */
    double error_band; /* median absolute error of whole models in validation; 0: not validated */
    const struct wl_error_band *bands; /* by operation */
    int32_t band_count;
    bool supported[WL_PREC_COUNT];   /* some entry ran */
    bool unsupported[WL_PREC_COUNT]; /* tried, and none ran: disjoint from supported */
};

/* All calibrations of a device (id or alias), newest first by the date inside the file. */
wl_status wl_calibration_list(struct wl_registry *r, const char *device,
                              const struct wl_calibration *const **out, int32_t *count,
                              struct wl_error *err) WL_MUST_CHECK;
/*
 * The newest calibration of `device` that fits `filter`: "key=value[,key=value...]" with keys
 * power_mode, framework, clock_mhz, date, host; NULL: any; "none": *out is NULL. `power_mode`
 * (NULL: any) restricts further. Without a filter *out is NULL when there is none; with a filter
 * that nothing fits it is USAGE and the message lists what there is.
 */
wl_status wl_calibration_select(struct wl_registry *r, const char *device, const char *filter,
                                const char *power_mode, const struct wl_calibration **out,
                                struct wl_error *err) WL_MUST_CHECK;
/* Best entry by ops/s (by bytes/s where it counts no operations); NULL when none ran. */
const struct wl_calibration_entry *
wl_calibration_best(const struct wl_calibration *c, const char *operation, enum wl_precision prec);
/*
 * Seconds of a kernel by interpolation over the entries of its operation at its precision, between
 * the thread counts measured; `*distance` (may be NULL) gets how far the nearest entry is, in
 * doublings of a size. 0 where the calibration has no entry of the kind. (kernel_model.c)
 */
double wl_calibration_seconds(const struct wl_calibration *c, const char *operation,
                              enum wl_precision precision, int32_t threads,
                              const struct wl_kernel_sizes *sizes, double *distance);
/* Everything wrong with a calibration file. */
wl_status wl_calibration_check(struct wl_registry *r, const char *path,
                               struct wl_hw_problem **problems, int32_t *count,
                               struct wl_error *err) WL_MUST_CHECK;
/*
 * Converts a file of the older format (operation_profiles with precision_results) and appends our
 * JSON to `out`. `device` is an id or alias of the registry (NULL: guessed from the path). `*name`
 * gets the file name that the result should have, in the registry's arena.
 */
wl_status wl_calibration_import(struct wl_registry *r, const char *path, const char *device,
                                struct wl_buf *out, const char **name,
                                struct wl_error *err) WL_MUST_CHECK;

/* ---- power profiles: modes side by side
 * ------------------------------------------------------------ */

struct wl_power_measure {
    double ops_per_s, bytes_per_s; /* best over sizes; 0: not measured */
};

struct wl_power_row {
    const char *power_mode;
    const char *framework;
    double clock_hz;
    double peak_ops_per_s, bandwidth_bytes_per_s; /* of the mode's units, at clock_hz */
    struct wl_power_measure axpy, gemv, gemm;
    double power_w;
    bool power_estimated;
    double gemm_ops_per_j; /* 0: not measured */
};

struct wl_power_table {
    enum wl_precision precision;
    struct wl_power_row *rows; /* by watts, low first */
    int32_t row_count;
};

/* A mode against the lowest one, by the best GEMM of any precision. */
struct wl_power_scaling {
    const char *from, *to;
    double power_ratio, performance_ratio, efficiency_change;
};

struct wl_power_profile {
    const char *device;
    struct wl_power_table *tables; /* in the canonical order of precisions */
    int32_t table_count;
    struct wl_power_scaling *scaling;
    int32_t scaling_count;
    const struct wl_calibration **calibrations; /* one per mode, by watts */
    int32_t calibration_count;
};

/*
 * From the newest calibration of each power mode (`framework` NULL: any). Counts are 0
 * where the device has none; USAGE where it has but none fits. Lies in the registry's arena.
 */
wl_status wl_power_profile(struct wl_registry *r, const char *device, const char *framework,
                           struct wl_power_profile *out, struct wl_error *err) WL_MUST_CHECK;
/* The tables and the scaling analysis as text. */
void wl_power_text(const struct wl_power_profile *p, struct wl_buf *out);

/* ---- runtime profiles
 * ----------------------------------------------------------------------------- */

/* How a runtime executes graphs: registry/runtimes/<name>.json. */
struct wl_named_cycles {
    const char *kernel; /* as calibrations name it */
    double cycles;
};

struct wl_runtime {
    const char *name;
    const char *fusion;                       /* fusion profile (partition/) */
    double dispatch_s[WL_HW_CLASS_COUNT];     /* per launched subgraph; < 0: the device's own */
    double dispatch_slots[WL_HW_CLASS_COUNT]; /* beside it: decode slots of a core */
    bool winograd;               /* 3x3 stride-1 convolutions run F(2x2,3x3) or F(4x4) */
    int32_t winograd_tile;       /* output tile: 2, 4 or 6; 0 without */
    int32_t channel_block;       /* convolutions on CPUs block images by so many channels; 0: not */
    int32_t blocks_per_pass;     /* of results in one walk over the inputs; 0: not known */
    const char *blocked_kernels; /* patterns that keep blocks; NULL: as ONNX Runtime does */
    bool entry_copy;             /* images are copied before they are brought into blocks */
    const char *own_kernels;     /* patterns that run outside the library below; NULL: none */
    const char *serial_kernels;  /* kernels that run on one thread of a CPU; NULL: none */
    const struct wl_named_cycles *element_cycles; /* per element, of kernels that CPUs run one
                                                     element at a time */
    int32_t element_cycles_count;
    bool flash_attention;
    bool im2col;              /* convolutions materialise the patch matrix */
    bool spins;               /* waiting threads of CPUs spin while an operator is launched */
    const char *equal_shares; /* vector pipes, separated by blanks, on whose cores every thread gets
                                 an equal part of a product; NULL: none */
    bool graph_launch;        /* launches are batched (CUDA graphs, engines) */
    double
        gemm_efficiency[WL_HW_CLASS_COUNT]; /* achieved share of the pipe peak on large products */
    double vector_efficiency[WL_HW_CLASS_COUNT];      /* the same for element-wise work */
    double integer_efficiency[WL_HW_CLASS_COUNT];     /* gemm_efficiency of integers; 0: as that */
    double convolution_efficiency[WL_HW_CLASS_COUNT]; /* floats, kernels larger than one
                                                         element; 0: as gemm_efficiency */
    double matrix_efficiency[WL_HW_CLASS_COUNT]; /* on the matrix units of a CPU; 0: as elsewhere */
    double depthwise_efficiency[WL_HW_CLASS_COUNT]; /* 0: as vector_efficiency */
    double unit_loss[WL_HW_CLASS_COUNT]; /* extra work per further unit: t(n) = t(1)/n (1 + loss
                                            (n-1)) */
    double
        memory_efficiency[WL_HW_CLASS_COUNT]; /* share of main memory's sustained bandwidth; 0: 1 */
    double row_efficiency[WL_HW_CLASS_COUNT]; /* memory_efficiency of fully connected layers on one
                                                 row per sample; 0: as that */
    double cache_efficiency[WL_HW_CLASS_COUNT]; /* share of a shared cache's bandwidth that products
                                                   draw; 0: 1 */
    double result_bps[WL_HW_CLASS_COUNT];       /* handing results over to the caller; 0: free */
    double worker_s[WL_HW_CLASS_COUNT]; /* of fork and join, per operator and further thread */
    double call_s[WL_HW_CLASS_COUNT];   /* once per inference */
    const char *source;
};
wl_status wl_runtime_load(struct wl_registry *r, const char *name, const struct wl_runtime **out,
                          struct wl_error *err) WL_MUST_CHECK;
/* Cycles of one core per element of a kernel that runs element by element; 0: it does not. */
double wl_runtime_element_cycles(const struct wl_runtime *rt, const char *kernel);
/* Everything wrong with a profile's file. */
wl_status wl_runtime_check(struct wl_registry *r, const char *path, struct wl_hw_problem **problems,
                           int32_t *count, struct wl_error *err) WL_MUST_CHECK;
/* Names of all profiles, sorted. */
wl_status wl_runtime_list(struct wl_registry *r, const char *const **names, int32_t *count,
                          struct wl_error *err) WL_MUST_CHECK;

#endif
