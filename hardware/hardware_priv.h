/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hardware_priv.h: what the files of hardware/ share and nobody else sees. JSON reading, the
 * decoder that is driven by field tables, the decoded forms of spec, process, memory and class
 * files.
 */
#ifndef WL_HARDWARE_PRIV_H
#define WL_HARDWARE_PRIV_H

#include <cjson/cJSON.h>

#include "hardware.h"

/* ---- problems: everything wrong with a file, each with its JSON path ---------------------------
 */

#define WL_PROBLEMS_MAX 64

struct wl_problems {
    struct wl_arena *arena;
    const char *file;
    struct wl_hw_problem *items;
    int32_t count, capacity;
    int32_t dropped;
    bool nomem;
};

void wl_problems_init(struct wl_problems *p, struct wl_arena *arena, const char *file);
void wl_problem_add(struct wl_problems *p, bool warning, const char *path, const char *fmt, ...)
    WL_PRINTF(4, 5);
/* OK when no problem but warnings; else the first one as an error (and how many more there are). */
wl_status wl_problems_status(const struct wl_problems *p, struct wl_error *err);

/* ---- JSON --------------------------------------------------------------------------------------
 */

#define WL_JSON_BYTES_MAX (8 << 20)
#define WL_JSON_MEMBERS_MAX 256

/*
 * Reads and parses a file; the tree is the caller's (cJSON_Delete). PARSE with line and column,
 * also for a duplicate key, text that is not UTF-8, nesting, a file of more than WL_JSON_BYTES_MAX
 * bytes.
 */
wl_status wl_json_read(const char *path, cJSON **out, struct wl_error *err) WL_MUST_CHECK;
wl_status wl_json_parse(const char *name, const char *text, size_t bytes, cJSON **out,
                        struct wl_error *err) WL_MUST_CHECK;

/* ---- values with provenance
 * ---------------------------------------------------------------------- */

/* A number of a file, with its basis and the text of its source. */
struct wl_num {
    double value;
    enum wl_basis basis;
    const char *source;
    bool given;
};

/* What a described object says of all its plain numbers. First member of each described struct. */
struct wl_provenance {
    enum wl_basis basis;
    const char *source; /* text of the source or the reason; NULL: none given */
};

struct wl_named_num {
    const char *name;
    struct wl_num num;
};

/* An array in the arena: of structs (LIST), of strings, or of wl_named_num. */
struct wl_list {
    void *items;
    int32_t count;
};

struct wl_event_nums {
    enum wl_event event;
    struct wl_num by_precision[WL_PREC_COUNT];
};

/* ---- field tables ------------------------------------------------------------------------------
 */

enum wl_field_type {
    WL_F_STRING,     /* const char * */
    WL_F_ENUM,       /* int: index into names */
    WL_F_BOOL,       /* bool */
    WL_F_PLAIN,      /* struct wl_num: a whole number that needs no source (versions, years) */
    WL_F_INT,        /* struct wl_num, whole */
    WL_F_NUM,        /* struct wl_num */
    WL_F_STRINGS,    /* struct wl_list of const char * */
    WL_F_OBJECT,     /* the struct of `table`, in place */
    WL_F_LIST,       /* struct wl_list of the struct of `table` */
    WL_F_PRECISIONS, /* struct wl_num [WL_PREC_COUNT] */
    WL_F_EVENTS,     /* struct wl_list of wl_event_nums */
    WL_F_NUMBERS,    /* struct wl_list of wl_named_num: free names */
    WL_F_SOURCES     /* the sources themselves: read by the decoder */
};

struct wl_field {
    const char *key;
    enum wl_field_type type;
    bool required;
    const char *unit;
    double min, max; /* of a number (inclusive); of a list: how many items */
    size_t offset;
    const struct wl_field_table *table;
    const char *const *names; /* ENUM: NULL-terminated */
    const char *doc;
};

struct wl_field_table {
    const char *name;
    const struct wl_field *fields;
    int32_t count;
    size_t bytes;   /* of the struct */
    bool described; /* takes source, basis, reason; the struct starts with wl_provenance */
    const char *doc;
};

struct wl_decoder {
    struct wl_arena *arena;
    struct wl_problems *problems;
    const cJSON *sources; /* the file's "sources" object, may be NULL */
    char path[512];
    size_t path_len;
};

/*
 * Decodes a whole file; everything wrong is added to `problems`. `outer` holds for numbers whose
 * objects say nothing (source NULL: each needs one).
 */
void wl_decode(struct wl_arena *arena, struct wl_problems *problems, const cJSON *root,
               const struct wl_field_table *table, struct wl_provenance outer, void *out);
const char *const *wl_basis_names(void);
const char *const *wl_class_names(void);
/* Name of a field type in words, for messages and documentation. */
const char *wl_field_type_text(const struct wl_field *f);

#define WL_SPEC_LEVELS_MAX 5 /* as many as events.def has levels */

/* ---- decoded files
 * --------------------------------------------------------------------------------- */

struct wl_spec_unit {
    struct wl_provenance prov;
    const char *name;
    struct wl_num count, clock_hz, base_clock_hz, boost_clock_hz, threads_per_unit, register_bytes;
    struct wl_num decode_per_cycle;
};

struct wl_spec_pipe {
    struct wl_provenance prov;
    const char *name, *units;
    int kind;
    struct wl_num ops_per_cycle[WL_PREC_COUNT];
    struct wl_num clock_hz, rows, cols, depth, arrays, simd_bits;
};

struct wl_spec_level {
    struct wl_provenance prov;
    const char *name, *units, *technology;
    int scope;
    struct wl_num units_per_instance, instances, capacity_bytes, bytes_per_cycle,
        unit_bytes_per_cycle, bandwidth_bps, unit_bandwidth_bps, efficiency, latency_s,
        read_pj_per_byte, write_pj_per_byte, bus_bits, data_rate_bps, weight_bytes,
        activation_compression;
    bool managed, read_bandwidth;
};

struct wl_spec_power {
    struct wl_provenance prov;
    struct wl_num tdp_w, power_limit_w, idle_w, gated_idle_w, board_rest_w, supply_efficiency;
    int scope;
    const char *default_mode;
};

struct wl_spec_mode {
    struct wl_provenance prov;
    const char *name;
    struct wl_num tdp_w, power_limit_w, idle_w, gated_idle_w, memory_bandwidth_bps;
    struct wl_list clock_hz, active_units; /* wl_named_num by unit group */
};

struct wl_spec_dispatch {
    struct wl_provenance prov;
    struct wl_num dispatch_s, barrier_s;
};

struct wl_spec_gpu {
    struct wl_provenance prov;
    struct wl_num warp_size, max_blocks_per_unit, shared_bytes_per_unit, load_stages;
};

struct wl_spec_tpu {
    struct wl_provenance prov;
    bool double_buffered_weights;
    bool keeps_weights;
};

struct wl_spec_kpu {
    struct wl_provenance prov;
    struct wl_num mesh_rows, mesh_cols, program_bytes, program_load_s, noc_bytes_per_cycle;
};

struct wl_spec_energy {
    struct wl_provenance prov;
    struct wl_num core_scale;
    struct wl_list events_pj; /* wl_event_nums */
};

struct wl_spec_datasheet {
    struct wl_provenance prov;
    struct wl_num vector_ops_per_s[WL_PREC_COUNT], matrix_ops_per_s[WL_PREC_COUNT];
    const char *note;
    const char *power_mode;
};

struct wl_spec_file {
    struct wl_num schema_version, launch_year;
    const char *id, *name, *vendor, *process, *segment, *extends, *notes;
    int class;
    struct wl_list aliases;
    struct wl_list units, pipes, memory, power_modes;
    struct wl_spec_power power;
    struct wl_spec_dispatch dispatch;
    struct wl_spec_gpu gpu;
    struct wl_spec_tpu tpu;
    struct wl_spec_kpu kpu;
    struct wl_spec_energy energy;
    struct wl_spec_datasheet datasheet;
};

/* registry/processes/<name>.json */
struct wl_process {
    struct wl_provenance prov;
    const char *key, *name;
    struct wl_num schema_version, nm;
    struct wl_list operations_pj; /* anchors only: wl_named_num */
    struct wl_process *next;
};

/* registry/memory/<name>.json */
struct wl_memory_tech {
    struct wl_provenance prov;
    const char *key, *name;
    struct wl_num schema_version, read_pj_per_byte, write_pj_per_byte, efficiency, latency_s,
        max_rate_bps_per_pin;
    bool sram;
    struct wl_memory_tech *next;
};

struct wl_class_event {
    struct wl_provenance prov;
    const char *event;
    struct wl_num pj;
    int scales;
};

/* registry/classes/<class>.json: what a whole class shares. */
struct wl_class_file {
    struct wl_provenance prov;
    struct wl_num schema_version, dispatch_s, barrier_s, barrier_cycles;
    struct wl_num matrix_arithmetic_factor, matrix_operand_pj_per_byte, vector_arithmetic_factor,
        vector_operand_pj_per_byte, special_op_factor;
    int class;
    struct wl_list events;
    struct wl_class_file *next;
};

extern const struct wl_field_table wl_spec_table;
extern const struct wl_field_table wl_process_table;
extern const struct wl_field_table wl_memory_table;
extern const struct wl_field_table wl_class_table;
extern const struct wl_field_table wl_runtime_table;
extern const struct wl_field_table wl_calibration_table;

struct wl_spec {
    struct wl_spec_file file;
    const char *path;
    cJSON *json; /* merged with its base */
    const struct wl_process *process;
    const struct wl_class_file *class_file;
    const struct wl_memory_tech **memory_tech; /* by file.memory item; NULL: sram */
    const char *energy_source; /* what the class's coefficients are called in reports */
    bool checked;              /* without a problem: may be handed out */
    struct wl_registry *registry;
    struct wl_spec *next;
};

/* ---- tables
 * ---------------------------------------------------------------------------------------- */

/* First root that has `relative`; the path lies in `arena`; NULL when none has it. */
const char *wl_registry_path(struct wl_registry *r, const char *relative);
wl_status wl_process_load(struct wl_registry *r, const char *key, const struct wl_process **out,
                          struct wl_error *err) WL_MUST_CHECK;
wl_status wl_memory_load(struct wl_registry *r, const char *key, const struct wl_memory_tech **out,
                         struct wl_error *err) WL_MUST_CHECK;
wl_status wl_class_load(struct wl_registry *r, enum wl_hw_class class,
                        const struct wl_class_file **out, struct wl_error *err) WL_MUST_CHECK;

/* ---- energy (coefficients.c)
 * ------------------------------------------------------------------------ */

/* A named operation ("fp32_mul", "sram_32KB_64b") in pJ at a feature size, from the two anchors. */
wl_status wl_process_op_pj(struct wl_registry *r, const char *name, double nm, double *out,
                           struct wl_error *err) WL_MUST_CHECK;
/* On-chip memory of a capacity at a feature size, pJ per byte. */
wl_status wl_sram_pj_per_byte(struct wl_registry *r, double nm, double capacity_bytes, double *out,
                              struct wl_error *err) WL_MUST_CHECK;
/* prepare reads the anchors; after it the functions here only read, so threads may share a
 * registry. */
/* Fills event_pj, event_source and event_basis of a device whose levels are resolved. */
wl_status wl_coefficients_prepare(struct wl_registry *r, struct wl_error *err) WL_MUST_CHECK;
wl_status wl_device_coefficients(const struct wl_spec *s, struct wl_device *d,
                                 struct wl_error *err) WL_MUST_CHECK;

/* Event by name ("l-read-0" forms are events.def's ids in lower case); WL_EVENT_COUNT: none. */
enum wl_event wl_event_find(const char *name);
/* Name that is unique among events (LEVEL_READ_0 and LEVEL_READ_1 print alike): lower-case id. */
const char *wl_event_key(enum wl_event e);

#endif
