/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hardware/spec_fields.c: the field tables of every kind of registry file: one row per key with
 * type, unit, range and meaning. The loader, `hw check --describe` and the test of the JSON Schemas
 * all read them. Ranges are wide enough for any machine and narrow enough to catch a wrong unit.
 */
#include "hardware_priv.h"

/* clang-format off */

#define AT(type, member) offsetof(struct type, member)
#define TABLE(var, text, rows, type, is_described, about) \
    const struct wl_field_table var = {text, rows, (int32_t)WL_ARRAY_LEN(rows), sizeof(struct type), is_described, about}

static const char *const pipe_kinds[] = {"vector", "matrix", "special", NULL};
static const char *const scopes[] = {"unit", "cluster", "device", NULL};
static const char *const power_scopes[] = {"device", "module", "board", "package", NULL};
static const char *const classes[] = {"cpu", "gpu", "tpu", "kpu", NULL};
static const char *const scalings[] = {"logic", "none", NULL};

#define T WL_ARRAY_LEN
#define REQ true
#define OPT false

/*   key                    type            need unit            min     max      place  table  names  meaning */
static const struct wl_field unit_fields[] = {
    {"name",                WL_F_STRING,    REQ, NULL,           1,      32,      AT(wl_spec_unit, name), NULL, NULL, "name of the group of identical compute units: core, p_core, sm, tile_int8"},
    {"count",               WL_F_INT,       REQ, "units",        1,      100000,  AT(wl_spec_unit, count), NULL, NULL, "units on the device, all power modes allowing"},
    {"clock_hz",            WL_F_NUM,       REQ, "Hz",           1e6,    1e10,    AT(wl_spec_unit, clock_hz), NULL, NULL, "clock of all units together under load: the one that the datasheet's peak holds at"},
    {"base_clock_hz",       WL_F_NUM,       OPT, "Hz",           1e6,    1e10,    AT(wl_spec_unit, base_clock_hz), NULL, NULL, "guaranteed clock"},
    {"boost_clock_hz",      WL_F_NUM,       OPT, "Hz",           1e6,    1e10,    AT(wl_spec_unit, boost_clock_hz), NULL, NULL, "highest clock of one unit"},
    {"threads_per_unit",    WL_F_INT,       OPT, "threads",      1,      65536,   AT(wl_spec_unit, threads_per_unit), NULL, NULL, "resident hardware threads of one unit (default 1)"},
    {"decode_per_cycle",    WL_F_INT,       OPT, "instructions", 1,      32,      AT(wl_spec_unit, decode_per_cycle), NULL, NULL, "instructions that one core decodes per cycle (default 4): what a runtime's dispatch_slots take"},
    {"register_bytes",      WL_F_INT,       OPT, "bytes",        1,      1e9,     AT(wl_spec_unit, register_bytes), NULL, NULL, "register file of one unit"},
};
static TABLE(unit_table, "units", unit_fields, wl_spec_unit, true, "a group of identical compute units");

static const struct wl_field pipe_fields[] = {
    {"name",                WL_F_STRING,    REQ, NULL,           1,      32,      AT(wl_spec_pipe, name), NULL, NULL, "name of the kind of arithmetic unit: avx512, amx, tensor_core, mxu; the same name in several groups adds up"},
    {"kind",                WL_F_ENUM,      REQ, NULL,           0,      0,       AT(wl_spec_pipe, kind), NULL, pipe_kinds, "vector: SIMD or CUDA cores; matrix: systolic and tensor units; special: transcendental units"},
    {"units",               WL_F_STRING,    REQ, NULL,           1,      32,      AT(wl_spec_pipe, units), NULL, NULL, "the group of \"units\" that has it"},
    {"ops_per_cycle",       WL_F_PRECISIONS,REQ, "ops/cycle",    0.001,  1e9,     AT(wl_spec_pipe, ops_per_cycle), NULL, NULL, "dense operations per cycle of one unit (of one array, where \"arrays\" is given); a MAC is 2"},
    {"clock_hz",            WL_F_NUM,       OPT, "Hz",           1e6,    1e10,    AT(wl_spec_pipe, clock_hz), NULL, NULL, "where the pipe runs at another clock than its units"},
    {"rows",                WL_F_INT,       OPT, "cells",        1,      65536,   AT(wl_spec_pipe, rows), NULL, NULL, "rows of the array"},
    {"cols",                WL_F_INT,       OPT, "cells",        1,      65536,   AT(wl_spec_pipe, cols), NULL, NULL, "columns of the array"},
    {"depth",               WL_F_INT,       OPT, "MACs",         1,      65536,   AT(wl_spec_pipe, depth), NULL, NULL, "length of the dot product of one cell and step"},
    {"arrays",              WL_F_INT,       OPT, "arrays",       1,      65536,   AT(wl_spec_pipe, arrays), NULL, NULL, "such arrays in one unit (default 1)"},
    {"simd_bits",           WL_F_INT,       OPT, "bits",         8,      65536,   AT(wl_spec_pipe, simd_bits), NULL, NULL, "width of a vector register"},
};
static TABLE(pipe_table, "pipes", pipe_fields, wl_spec_pipe, true, "arithmetic that every unit of a group has");

static const struct wl_field level_fields[] = {
    {"name",                WL_F_STRING,    REQ, NULL,           1,      16,      AT(wl_spec_level, name), NULL, NULL, "l1, l2, l3, smem, vmem, dram ...; neighbours of one name (one per unit group) form one level"},
    {"scope",               WL_F_ENUM,      REQ, NULL,           0,      0,       AT(wl_spec_level, scope), NULL, scopes, "unit: one in each unit; cluster: one for some units; device: one for all"},
    {"units",               WL_F_STRING,    OPT, NULL,           1,      32,      AT(wl_spec_level, units), NULL, NULL, "the group it serves, and whose clock it runs at (default: the first group)"},
    {"units_per_instance",  WL_F_INT,       OPT, "units",        1,      65536,   AT(wl_spec_level, units_per_instance), NULL, NULL, "scope cluster: units that share one"},
    {"instances",           WL_F_INT,       OPT, "memories",     1,      65536,   AT(wl_spec_level, instances), NULL, NULL, "scope unit: such memories in one unit (default 1)"},
    {"capacity_bytes",      WL_F_INT,       OPT, "bytes",        0,      1e15,    AT(wl_spec_level, capacity_bytes), NULL, NULL, "of one memory; 0 or absent: as large as needed"},
    {"bytes_per_cycle",     WL_F_NUM,       OPT, "B/cycle",      0.001,  1e7,     AT(wl_spec_level, bytes_per_cycle), NULL, NULL, "what one memory delivers, at the units' clock"},
    {"unit_bytes_per_cycle",WL_F_NUM,       OPT, "B/cycle",      0.001,  1e6,     AT(wl_spec_level, unit_bytes_per_cycle), NULL, NULL, "most that one unit draws; alone: the level delivers that to all units at once"},
    {"bandwidth_bps",       WL_F_NUM,       OPT, "B/s",          1e6,    1e15,    AT(wl_spec_level, bandwidth_bps), NULL, NULL, "of all such memories together, at any clock of the units"},
    {"unit_bandwidth_bps",  WL_F_NUM,       OPT, "B/s",          1e5,    1e14,    AT(wl_spec_level, unit_bandwidth_bps), NULL, NULL, "most that one unit draws, at any clock"},
    {"efficiency",          WL_F_NUM,       OPT, "share",        0.01,   1,       AT(wl_spec_level, efficiency), NULL, NULL, "sustained share of the bandwidth (default: the technology's)"},
    {"latency_s",           WL_F_NUM,       OPT, "s",            1e-11,  1e-3,    AT(wl_spec_level, latency_s), NULL, NULL, "load to use (default: the technology's)"},
    {"technology",          WL_F_STRING,    REQ, NULL,           1,      32,      AT(wl_spec_level, technology), NULL, NULL, "sram, or a file of registry/memory: ddr5, lpddr5, gddr6, hbm2e ..."},
    {"read_pj_per_byte",    WL_F_NUM,       OPT, "pJ/B",         0,      10000,   AT(wl_spec_level, read_pj_per_byte), NULL, NULL, "energy of a read (default: the technology's; sram: by capacity and process)"},
    {"write_pj_per_byte",   WL_F_NUM,       OPT, "pJ/B",         0,      10000,   AT(wl_spec_level, write_pj_per_byte), NULL, NULL, "energy of a write"},
    {"bus_bits",            WL_F_INT,       OPT, "bits",         8,      65536,   AT(wl_spec_level, bus_bits), NULL, NULL, "width of the memory interface; with data_rate_bps checked against bandwidth_bps"},
    {"data_rate_bps",       WL_F_NUM,       OPT, "bit/s",        1e6,    1e12,    AT(wl_spec_level, data_rate_bps), NULL, NULL, "transfers per second of one data pin"},
    {"managed",             WL_F_BOOL,      OPT, NULL,           0,      0,       AT(wl_spec_level, managed), NULL, NULL, "true: a scratchpad that software fills"},
    {"read_bandwidth",      WL_F_BOOL,      OPT, NULL,           0,      0,       AT(wl_spec_level, read_bandwidth), NULL, NULL, "true: the bandwidth was measured by reading alone, so that what is written counts twice (a cache reads a line before it writes there; a sustained share of STREAM's kind has that inside)"},
    {"weight_bytes",        WL_F_INT,       OPT, "bytes",        1,      1e15,    AT(wl_spec_level, weight_bytes), NULL, NULL, "of a scratchpad: set aside for weights on their way; the rest holds inputs and results (default: half of the capacity holds what stays)"},
    {"activation_compression",WL_F_NUM,     OPT, "ratio",        1,      64,      AT(wl_spec_level, activation_compression), NULL, NULL, "bytes of the activations between operators over the bytes in which they cross to and from this level (default 1: none)"},
};
static TABLE(level_table, "memory", level_fields, wl_spec_level, true, "a memory level; the first is nearest to the units, the last is main memory");

static const struct wl_field power_fields[] = {
    {"tdp_w",               WL_F_NUM,       REQ, "W",            0.001,  100000,  AT(wl_spec_power, tdp_w), NULL, NULL, "thermal design power as the vendor states it"},
    {"power_limit_w",       WL_F_NUM,       OPT, "W",            0.001,  100000,  AT(wl_spec_power, power_limit_w), NULL, NULL, "sustained limit where the vendor allows more than TDP (default: tdp_w)"},
    {"idle_w",              WL_F_NUM,       REQ, "W",            0,      100000,  AT(wl_spec_power, idle_w), NULL, NULL, "drawn while waiting with clocks running"},
    {"gated_idle_w",        WL_F_NUM,       OPT, "W",            0,      100000,  AT(wl_spec_power, gated_idle_w), NULL, NULL, "idle with unused units switched off (default: idle_w)"},
    {"scope",               WL_F_ENUM,      OPT, NULL,           0,      0,       AT(wl_spec_power, scope), NULL, power_scopes, "what the watts are of: device (chip and what is on its package or card; the default), module (with memory and other processors), board, package (shared with other processors)"},
    {"board_rest_w",        WL_F_NUM,       OPT, "W",            0,      1000,    AT(wl_spec_power, board_rest_w), NULL, NULL, "what the rest of the board draws besides \"scope\" (carrier, storage, network, idle processors): seen by a meter at the wall"},
    {"supply_efficiency",   WL_F_NUM,       OPT, "share",        0.3,    1,       AT(wl_spec_power, supply_efficiency), NULL, NULL, "of the board's power supply: watts delivered over watts at the wall (default 1)"},
    {"default_mode",        WL_F_STRING,    OPT, NULL,           1,      64,      AT(wl_spec_power, default_mode), NULL, NULL, "power mode used when none is asked for (default: the first)"},
};
static TABLE(power_table, "power", power_fields, wl_spec_power, true, "watts of the default operating point");

static const struct wl_field mode_fields[] = {
    {"name",                WL_F_STRING,    REQ, NULL,           1,      64,      AT(wl_spec_mode, name), NULL, NULL, "as the vendor writes it; compared without case and without what stands in parentheses"},
    {"tdp_w",               WL_F_NUM,       OPT, "W",            0.001,  100000,  AT(wl_spec_mode, tdp_w), NULL, NULL, "watts of the mode; absent: estimated from the nearest mode by clock"},
    {"power_limit_w",       WL_F_NUM,       OPT, "W",            0.001,  100000,  AT(wl_spec_mode, power_limit_w), NULL, NULL, "sustained limit (default: tdp_w of the mode)"},
    {"idle_w",              WL_F_NUM,       OPT, "W",            0,      100000,  AT(wl_spec_mode, idle_w), NULL, NULL, "idle watts in this mode (default: the device's, never above the limit)"},
    {"gated_idle_w",        WL_F_NUM,       OPT, "W",            0,      100000,  AT(wl_spec_mode, gated_idle_w), NULL, NULL, "idle with unused units switched off"},
    {"clock_hz",            WL_F_NUMBERS,   OPT, "Hz",           1e6,    1e10,    AT(wl_spec_mode, clock_hz), NULL, NULL, "clock by unit group (default: the group's)"},
    {"active_units",        WL_F_NUMBERS,   OPT, "units",        1,      100000,  AT(wl_spec_mode, active_units), NULL, NULL, "units that run, by unit group (default: all)"},
    {"memory_bandwidth_bps",WL_F_NUM,       OPT, "B/s",          1e6,    1e15,    AT(wl_spec_mode, memory_bandwidth_bps), NULL, NULL, "main memory's bandwidth in this mode (default: the level's)"},
};
static TABLE(mode_table, "power_modes", mode_fields, wl_spec_mode, true, "an operating point that the vendor offers");

static const struct wl_field dispatch_fields[] = {
    {"dispatch_s",          WL_F_NUM,       OPT, "s",            0,      1,       AT(wl_spec_dispatch, dispatch_s), NULL, NULL, "to launch one operator from a generic runtime (default: the class's)"},
    {"barrier_s",           WL_F_NUM,       OPT, "s",            0,      1,       AT(wl_spec_dispatch, barrier_s), NULL, NULL, "to start and join all units once (default: the class's)"},
};
static TABLE(dispatch_table, "dispatch", dispatch_fields, wl_spec_dispatch, true, "time that is neither arithmetic nor memory");

static const struct wl_field gpu_fields[] = {
    {"warp_size",           WL_F_INT,       REQ, "threads",      1,      1024,    AT(wl_spec_gpu, warp_size), NULL, NULL, "threads that run in lock step"},
    {"max_blocks_per_unit", WL_F_INT,       REQ, "blocks",       1,      1024,    AT(wl_spec_gpu, max_blocks_per_unit), NULL, NULL, "thread blocks resident on one unit"},
    {"shared_bytes_per_unit",WL_F_INT,      REQ, "bytes",        1,      1e8,     AT(wl_spec_gpu, shared_bytes_per_unit), NULL, NULL, "largest shared-memory carve-out of one unit"},
    {"load_stages",         WL_F_INT,       OPT, "stages",       1,      8,       AT(wl_spec_gpu, load_stages), NULL, NULL, "steps of a product whose operands are under way at once (default: 3; 2 where loads to shared memory pass registers)"},
};
static TABLE(gpu_table, "gpu", gpu_fields, wl_spec_gpu, true, "what only GPUs have");

static const struct wl_field tpu_fields[] = {
    {"double_buffered_weights",WL_F_BOOL,   REQ, NULL,           0,      0,       AT(wl_spec_tpu, double_buffered_weights), NULL, NULL, "the next tile of weights loads while the array works"},
    {"keeps_weights",       WL_F_BOOL,      OPT, NULL,           0,      0,       AT(wl_spec_tpu, keeps_weights), NULL, NULL, "weights that fit stay in the first memory from one inference to the next (default: false)"},
};
static TABLE(tpu_table, "tpu", tpu_fields, wl_spec_tpu, true, "what only TPUs have");

static const struct wl_field kpu_fields[] = {
    {"mesh_rows",           WL_F_INT,       REQ, "tiles",        1,      4096,    AT(wl_spec_kpu, mesh_rows), NULL, NULL, "rows of the mesh of tiles"},
    {"mesh_cols",           WL_F_INT,       REQ, "tiles",        1,      4096,    AT(wl_spec_kpu, mesh_cols), NULL, NULL, "columns of the mesh of tiles"},
    {"program_bytes",       WL_F_INT,       REQ, "bytes",        0,      1e9,     AT(wl_spec_kpu, program_bytes), NULL, NULL, "a domain-flow program as loaded into one tile"},
    {"program_load_s",      WL_F_NUM,       REQ, "s",            0,      1,       AT(wl_spec_kpu, program_load_s), NULL, NULL, "to change the program of all tiles"},
    {"noc_bytes_per_cycle", WL_F_NUM,       REQ, "B/cycle",      0.001,  1e6,     AT(wl_spec_kpu, noc_bytes_per_cycle), NULL, NULL, "of one link of the mesh"},
};
static TABLE(kpu_table, "kpu", kpu_fields, wl_spec_kpu, true, "what only KPUs have");

static const struct wl_field energy_fields[] = {
    {"core_scale",          WL_F_NUM,       OPT, "ratio",        0.01,   100,     AT(wl_spec_energy, core_scale), NULL, NULL, "this device's arithmetic and control energy over its class's at the same node (voltage, circuit style)"},
    {"events_pj",           WL_F_EVENTS,    OPT, "pJ",           0,      1e9,     AT(wl_spec_energy, events_pj), NULL, NULL, "coefficients of single events that replace the class's"},
};
static TABLE(energy_table, "energy", energy_fields, wl_spec_energy, true, "energy coefficients that differ from the class's");

static const struct wl_field datasheet_fields[] = {
    {"vector_ops_per_s",    WL_F_PRECISIONS,OPT, "ops/s",        1e6,    1e19,    AT(wl_spec_datasheet, vector_ops_per_s), NULL, NULL, "dense peak of the vector pipes as the vendor states it; derived peaks must be within 1 %"},
    {"matrix_ops_per_s",    WL_F_PRECISIONS,OPT, "ops/s",        1e6,    1e19,    AT(wl_spec_datasheet, matrix_ops_per_s), NULL, NULL, "dense peak of the matrix pipes as the vendor states it"},
    {"power_mode",          WL_F_STRING,    OPT, NULL,           1,      64,      AT(wl_spec_datasheet, power_mode), NULL, NULL, "power mode the peaks hold in (default: the default mode)"},
    {"explanation",         WL_F_STRING,    OPT, NULL,           1,      600,     AT(wl_spec_datasheet, note), NULL, NULL, "why a derived peak differs from the stated one by more than 1 %"},
};
static TABLE(datasheet_table, "datasheet", datasheet_fields, wl_spec_datasheet, true, "stated peaks, used to check the derived ones, never to compute");

static const struct wl_field spec_fields[] = {
    {"schema_version",      WL_F_PLAIN,     REQ, NULL,           1,      1,       AT(wl_spec_file, schema_version), NULL, NULL, "1"},
    {"id",                  WL_F_STRING,    REQ, NULL,           1,      64,      AT(wl_spec_file, id), NULL, NULL, "name of the device's folder: lower case, digits, '_'"},
    {"name",                WL_F_STRING,    REQ, NULL,           1,      120,     AT(wl_spec_file, name), NULL, NULL, "as people write it"},
    {"vendor",              WL_F_STRING,    REQ, NULL,           1,      60,      AT(wl_spec_file, vendor), NULL, NULL, "who makes it"},
    {"class",               WL_F_ENUM,      REQ, NULL,           0,      0,       AT(wl_spec_file, class), NULL, classes, "how it executes; also the name of the registry's folder"},
    {"segment",             WL_F_STRING,    OPT, NULL,           1,      32,      AT(wl_spec_file, segment), NULL, NULL, "datacenter, server, desktop, mobile, embedded, research ..."},
    {"aliases",             WL_F_STRINGS,   OPT, NULL,           0,      32,      AT(wl_spec_file, aliases), NULL, NULL, "other names that find it"},
    {"launch_year",         WL_F_PLAIN,     OPT, NULL,           1970,   2100,    AT(wl_spec_file, launch_year), NULL, NULL, "year of first delivery"},
    {"process",             WL_F_STRING,    REQ, NULL,           1,      64,      AT(wl_spec_file, process), NULL, NULL, "a file of registry/processes (without .json)"},
    {"extends",             WL_F_STRING,    OPT, NULL,           1,      64,      AT(wl_spec_file, extends), NULL, NULL, "id of a device of the same class whose keys hold where this file has none (one level)"},
    {"notes",               WL_F_STRING,    OPT, NULL,           1,      2000,    AT(wl_spec_file, notes), NULL, NULL, "what a reader should know"},
    {"sources",             WL_F_SOURCES,   REQ, NULL,           0,      0,       0, NULL, NULL, "where the figures come from, by the short names that \"source\" uses"},
    {"units",               WL_F_LIST,      REQ, NULL,           1,      WL_GROUPS_MAX, AT(wl_spec_file, units), &unit_table, NULL, "groups of identical compute units"},
    {"pipes",               WL_F_LIST,      REQ, NULL,           1,      WL_PIPES_MAX, AT(wl_spec_file, pipes), &pipe_table, NULL, "arithmetic units"},
    {"memory",              WL_F_LIST,      REQ, NULL,           1,      16,      AT(wl_spec_file, memory), &level_table, NULL, "memory levels, inside out"},
    {"power",               WL_F_OBJECT,    REQ, NULL,           0,      0,       AT(wl_spec_file, power), &power_table, NULL, "watts"},
    {"power_modes",         WL_F_LIST,      OPT, NULL,           0,      32,      AT(wl_spec_file, power_modes), &mode_table, NULL, "operating points"},
    {"dispatch",            WL_F_OBJECT,    OPT, NULL,           0,      0,       AT(wl_spec_file, dispatch), &dispatch_table, NULL, "launch and barrier times"},
    {"gpu",                 WL_F_OBJECT,    OPT, NULL,           0,      0,       AT(wl_spec_file, gpu), &gpu_table, NULL, "class gpu only"},
    {"tpu",                 WL_F_OBJECT,    OPT, NULL,           0,      0,       AT(wl_spec_file, tpu), &tpu_table, NULL, "class tpu only"},
    {"kpu",                 WL_F_OBJECT,    OPT, NULL,           0,      0,       AT(wl_spec_file, kpu), &kpu_table, NULL, "class kpu only"},
    {"energy",              WL_F_OBJECT,    OPT, NULL,           0,      0,       AT(wl_spec_file, energy), &energy_table, NULL, "energy coefficients of this device"},
    {"datasheet",           WL_F_OBJECT,    OPT, NULL,           0,      0,       AT(wl_spec_file, datasheet), &datasheet_table, NULL, "stated peaks to check against"},
};
TABLE(wl_spec_table, "spec.json", spec_fields, wl_spec_file, false, "a device: registry/<class>/<id>/spec.json");

static const struct wl_field process_fields[] = {
    {"schema_version",      WL_F_PLAIN,     REQ, NULL,           1,      1,       AT(wl_process, schema_version), NULL, NULL, "1"},
    {"name",                WL_F_STRING,    REQ, NULL,           1,      120,     AT(wl_process, name), NULL, NULL, "as people write it"},
    {"nm",                  WL_F_NUM,       REQ, "nm",           1,      1000,    AT(wl_process, nm), NULL, NULL, "nominal feature size"},
    {"operations_pj",       WL_F_NUMBERS,   OPT, "pJ",           1e-6,   1e6,     AT(wl_process, operations_pj), NULL, NULL, "anchors only: measured or published energy of single operations"},
    {"sources",             WL_F_SOURCES,   REQ, NULL,           0,      0,       0, NULL, NULL, "where the figures come from"},
};
TABLE(wl_process_table, "process", process_fields, wl_process, true, "a process node: registry/processes/<name>.json");

static const struct wl_field memory_fields[] = {
    {"schema_version",      WL_F_PLAIN,     REQ, NULL,           1,      1,       AT(wl_memory_tech, schema_version), NULL, NULL, "1"},
    {"name",                WL_F_STRING,    REQ, NULL,           1,      120,     AT(wl_memory_tech, name), NULL, NULL, "as people write it"},
    {"read_pj_per_byte",    WL_F_NUM,       OPT, "pJ/B",         0,      10000,   AT(wl_memory_tech, read_pj_per_byte), NULL, NULL, "device, interface and controller together"},
    {"write_pj_per_byte",   WL_F_NUM,       OPT, "pJ/B",         0,      10000,   AT(wl_memory_tech, write_pj_per_byte), NULL, NULL, "the same for a write (default: as a read)"},
    {"efficiency",          WL_F_NUM,       REQ, "share",        0.01,   1,       AT(wl_memory_tech, efficiency), NULL, NULL, "sustained share of the pin bandwidth"},
    {"latency_s",           WL_F_NUM,       OPT, "s",            1e-11,  1e-3,    AT(wl_memory_tech, latency_s), NULL, NULL, "load to use"},
    {"max_rate_bps_per_pin",WL_F_NUM,       OPT, "bit/s",        1e6,    1e12,    AT(wl_memory_tech, max_rate_bps_per_pin), NULL, NULL, "fastest grade of one data pin; a faster spec is an error"},
    {"sources",             WL_F_SOURCES,   REQ, NULL,           0,      0,       0, NULL, NULL, "where the figures come from"},
};
TABLE(wl_memory_table, "memory technology", memory_fields, wl_memory_tech, true, "a memory technology: registry/memory/<name>.json");

static const struct wl_field class_event_fields[] = {
    {"event",               WL_F_STRING,    REQ, NULL,           1,      64,      AT(wl_class_event, event), NULL, NULL, "an event of hardware/events.def, lower case"},
    {"pj",                  WL_F_NUM,       REQ, "pJ",           0,      1e9,     AT(wl_class_event, pj), NULL, NULL, "at 7 nm"},
    {"scales",              WL_F_ENUM,      REQ, NULL,           0,      0,       AT(wl_class_event, scales), NULL, scalings, "logic: with the energy of an fp16 MAC at the device's node; none: the same at every node"},
};
static TABLE(class_event_table, "events", class_event_fields, wl_class_event, true, "an energy event of the class");

static const struct wl_field class_fields[] = {
    {"schema_version",      WL_F_PLAIN,     REQ, NULL,           1,      1,       AT(wl_class_file, schema_version), NULL, NULL, "1"},
    {"class",               WL_F_ENUM,      REQ, NULL,           0,      0,       AT(wl_class_file, class), NULL, classes, "cpu, gpu, tpu or kpu"},
    {"dispatch_s",          WL_F_NUM,       REQ, "s",            0,      1,       AT(wl_class_file, dispatch_s), NULL, NULL, "to launch one operator, where the spec says nothing"},
    {"barrier_s",           WL_F_NUM,       REQ, "s",            0,      1,       AT(wl_class_file, barrier_s), NULL, NULL, "to start and join all units, where the spec says nothing"},
    {"barrier_cycles",      WL_F_NUM,       OPT, "cycles",       0,      1e6,     AT(wl_class_file, barrier_cycles), NULL, NULL, "of the unit's clock, added to barrier_s where the spec says nothing"},
    {"matrix_arithmetic_factor",WL_F_NUM,   REQ, "ratio",        0,      1000,    AT(wl_class_file, matrix_arithmetic_factor), NULL, NULL, "energy of a MAC in a matrix unit over the bare multiply and add (clocks, latches, idle toggling)"},
    {"matrix_operand_pj_per_byte",WL_F_NUM, REQ, "pJ/B",         0,      1000,    AT(wl_class_file, matrix_operand_pj_per_byte), NULL, NULL, "wires and latches that bring an operand of a MAC to a matrix unit, at 7 nm, per byte of the type"},
    {"vector_arithmetic_factor",WL_F_NUM,   REQ, "ratio",        0,      1000,    AT(wl_class_file, vector_arithmetic_factor), NULL, NULL, "the same for a vector lane"},
    {"vector_operand_pj_per_byte",WL_F_NUM, REQ, "pJ/B",         0,      1000,    AT(wl_class_file, vector_operand_pj_per_byte), NULL, NULL, "the same for a vector lane"},
    {"special_op_factor",   WL_F_NUM,       REQ, "ratio",        0,      1000,    AT(wl_class_file, special_op_factor), NULL, NULL, "energy of a special function over another operation of the lane"},
    {"events",              WL_F_LIST,      REQ, NULL,           1,      64,      AT(wl_class_file, events), &class_event_table, NULL, "the other events"},
    {"sources",             WL_F_SOURCES,   REQ, NULL,           0,      0,       0, NULL, NULL, "where the figures come from"},
};
TABLE(wl_class_table, "class", class_fields, wl_class_file, true, "what a whole class shares: registry/classes/<class>.json");

/* clang-format on */
