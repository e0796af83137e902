/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host detection: topology from made-up /proc and /sys trees, what is read off a sweep, and the
 * spec.json that made-up measurements give. Nothing is timed here.
 */
#include "wl_test_sysfs.h"

#include "calibrate.h"

/* ---- topology -------------------------------------------------------------------------------- */

static void put_cpu(const struct tree *t, int cpu, int core_first, int core_last, int package)
{
    char name[128], value[64];
    (void)snprintf(name, sizeof(name), "sys/devices/system/cpu/cpu%d/topology/core_cpus_list", cpu);
    (void)snprintf(value, sizeof(value), core_first == core_last ? "%d\n" : "%d,%d\n", core_first,
                   core_last);
    tree_put(t, name, value);
    (void)snprintf(name, sizeof(name), "sys/devices/system/cpu/cpu%d/topology/physical_package_id",
                   cpu);
    (void)snprintf(value, sizeof(value), "%d\n", package);
    tree_put(t, name, value);
}

static void put_cache(const struct tree *t, int cpu, int index, int level, const char *type,
                      const char *size, const char *shared)
{
    static const char *const keys[] = {"level", "type", "size", "shared_cpu_list"};
    char level_text[8];
    (void)snprintf(level_text, sizeof(level_text), "%d", level);
    const char *values[] = {level_text, type, size, shared};
    for (size_t i = 0; i < WL_ARRAY_LEN(keys); i++) {
        char name[128];
        (void)snprintf(name, sizeof(name), "sys/devices/system/cpu/cpu%d/cache/index%d/%s", cpu,
                       index, keys[i]);
        tree_put(t, name, values[i]);
    }
}

static void put_proc(const struct tree *t, const char *cpuinfo)
{
    tree_put(t, "proc/cpuinfo", cpuinfo);
    tree_put(t, "proc/meminfo",
             "MemTotal:       33554432 kB\nMemFree: 1 kB\nMemAvailable:   16777216 kB\n");
}

static const char intel[] = "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\n"
                            "model\t\t: 151\nmodel name\t: Some Core\nflags\t\t: fpu sse2\n";

/* Two fast cores of two threads, one slow pair that shares its L2. */
static void hybrid(void **state)
{
    struct tree t;
    struct wl_host h;
    struct wl_error err;
    (void)state;
    tree_make(&t);
    put_proc(&t, intel);
    tree_put(&t, "sys/devices/system/cpu/online", "0-5\n");
    tree_put(&t, "sys/devices/cpu_atom/cpus", "4-5\n");
    for (int cpu = 0; cpu < 6; cpu++) {
        bool slow = cpu >= 4;
        int first = slow ? cpu : cpu / 2 * 2;
        char own[32];
        (void)snprintf(own, sizeof(own), slow ? "%d" : "%d-%d", first, first + 1);
        put_cpu(&t, cpu, first, slow ? first : first + 1, 0);
        put_cache(&t, cpu, 0, 1, "Data", slow ? "32K" : "48K", own);
        put_cache(&t, cpu, 1, 1, "Instruction", "64K", own);
        put_cache(&t, cpu, 2, 2, "Unified", slow ? "2048K" : "1280K", slow ? "4-5" : own);
        put_cache(&t, cpu, 3, 3, "Unified", "12M", "0-5");
    }
    assert_int_equal(wl_detect_topology(t.root, &h, &err), WL_OK);
    assert_int_equal(h.logical, 6);
    assert_int_equal(h.cores, 4);
    assert_int_equal(h.packages, 1);
    assert_int_equal(h.kind_count, 2);
    assert_string_equal(h.kinds[0].name, "p_core");
    assert_int_equal(h.kinds[0].cores, 2);
    assert_int_equal(h.kinds[0].cpus[1], 2);
    assert_int_equal(h.kinds[0].caches[0].bytes, 49152);
    assert_int_equal(h.kinds[0].caches[1].cores, 1);
    assert_string_equal(h.kinds[1].name, "e_core");
    assert_int_equal(h.kinds[1].cores, 2);
    assert_int_equal(h.kinds[1].caches[1].bytes, 2097152);
    assert_int_equal(h.kinds[1].caches[1].cores, 2);
    assert_int_equal(h.kinds[1].caches[2].cores, 4);
    assert_string_equal(h.vendor, "GenuineIntel");
    assert_string_equal(h.model_name, "Some Core");
    assert_int_equal(h.model, 151);
    assert_false(h.virtual_machine);
    assert_true(h.memory_bytes == (int64_t)32 << 30);
    assert_string_equal(h.source, "/sys");
    tree_remove(&t);
}

/* Two packages, Arm identity, no caches told, limits of a container. */
static void bare(void **state)
{
    struct tree t;
    struct wl_host h;
    struct wl_error err;
    (void)state;
    tree_make(&t);
    put_proc(&t, "processor : 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n");
    tree_put(&t, "proc/device-tree/model", "Some Board 5");
    tree_put(&t, "sys/devices/system/cpu/online", "0,2\n");
    tree_put(&t, "sys/devices/system/node/online", "0-1\n");
    tree_put(&t, "sys/fs/cgroup/cpu.max", "150000 100000\n");
    tree_put(&t, "sys/fs/cgroup/memory.max", "1073741824\n");
    tree_put(&t, "sys/fs/cgroup/memory.current", "73741824\n");
    put_cpu(&t, 0, 0, 0, 0);
    put_cpu(&t, 2, 2, 2, 1);
    assert_int_equal(wl_detect_topology(t.root, &h, &err), WL_OK);
    assert_int_equal(h.cores, 2);
    assert_int_equal(h.packages, 2);
    assert_int_equal(h.numa_nodes, 2);
    assert_int_equal(h.kind_count, 1);
    assert_string_equal(h.kinds[0].name, "core");
    assert_int_equal(h.kinds[0].caches[0].bytes, 0);
    assert_string_equal(h.vendor, "0x41");
    assert_int_equal(h.model, 0xd0c);
    assert_string_equal(h.model_name, "Some Board 5");
    assert_near(h.quota_cores, 1.5, 1e-9);
    assert_true(h.memory_bytes == 1073741824);
    assert_true(h.memory_available_bytes == 1000000000);
    tree_remove(&t);
}

static void nothing_to_read(void **state)
{
    struct tree t;
    struct wl_host h;
    struct wl_error err;
    (void)state;
    tree_make(&t);
    assert_int_equal(wl_detect_topology(t.root, &h, &err), WL_ERR_IO);
    put_proc(&t, intel);
    assert_int_equal(wl_detect_topology(t.root, &h, &err), WL_ERR_IO);
    tree_remove(&t);
}

/* ---- measurements that somebody made up ------------------------------------------------------ */

static struct wl_host host;
static struct wl_host_measures measures;

static void add_rate(const char *pipe, enum wl_pipe_kind kind, enum wl_precision prec, int32_t bits,
                     double per_cycle, double clock_hz)
{
    struct wl_host_kind_rates *k = &measures.kinds[0];
    k->rates[k->rate_count++] = (struct wl_host_rate){.pipe = pipe,
                                                      .kind = kind,
                                                      .precision = prec,
                                                      .simd_bits = bits,
                                                      .rows = kind == WL_PIPE_MATRIX ? 16 : 0,
                                                      .cols = kind == WL_PIPE_MATRIX ? 16 : 0,
                                                      .depth = kind == WL_PIPE_MATRIX ? 4 : 0,
                                                      .supported = per_cycle > 0,
                                                      .ops_per_s = per_cycle * clock_hz,
                                                      .clock_hz = clock_hz,
                                                      .ops_per_cycle = per_cycle};
}

static void point(int64_t mib, double all_gbps, double one_gbps)
{
    measures.sweep[measures.sweep_count++] = (struct wl_host_point){
        .bytes = mib << 20, .all_bps = all_gbps * 1e9, .one_bps = one_gbps * 1e9};
}

/* Four cores that look like a slice of a big server part: 3 GHz, 2 x 512 bits, tiles. */
static void make_up(void)
{
    host = (struct wl_host){.vendor = "GenuineIntel",
                            .model_name = "A \"Processor\"",
                            .family = 6,
                            .virtual_machine = true,
                            .logical = 4,
                            .allowed = 4,
                            .cores = 4,
                            .packages = 1,
                            .numa_nodes = 1,
                            .memory_bytes = (int64_t)16 << 30,
                            .memory_available_bytes = (int64_t)15 << 30,
                            .kind_count = 1,
                            .source = "/sys"};
    host.kinds[0] = (struct wl_host_kind){
        .name = "core", .cores = 4, .caches = {{49152, 1}, {2097152, 1}, {(int64_t)480 << 20, 4}}};
    measures = (struct wl_host_measures){.sweep_limit_bytes = (int64_t)1920 << 20,
                                         .sweep_reason = "four times the last cache"};
    struct wl_host_kind_rates *k = &measures.kinds[0];
    k->boost_clock_hz = 4e9;
    k->clock_hz = 3e9;
    k->matrix_clock_hz = 2.5e9;
    k->shared = 1;
    k->level_bps[0] = 360e9;
    k->level_bps[1] = 150e9;
    add_rate("avx2", WL_PIPE_VECTOR, WL_PREC_FP32, 256, 32, 4e9);
    add_rate("avx512", WL_PIPE_VECTOR, WL_PREC_FP64, 512, 31.2, 3e9);
    add_rate("avx512", WL_PIPE_VECTOR, WL_PREC_FP32, 512, 64.9, 3e9);
    add_rate("avx512", WL_PIPE_VECTOR, WL_PREC_FP16, 512, 0, 3e9);
    add_rate("avx512", WL_PIPE_VECTOR, WL_PREC_INT8, 512, 111.12, 3e9);
    add_rate("amx", WL_PIPE_MATRIX, WL_PREC_INT8, 0, 2000, 2.5e9);
    point(30, 100, 25);
    point(60, 98, 25);
    point(120, 90, 20);
    point(240, 52, 12);
    point(480, 41, 11);
    point(960, 40, 10);
    point(1920, 40, 10);
}

static void read_off_the_sweep(void **state)
{
    (void)state;
    make_up();
    struct wl_host_memory m = wl_detect_memory(&host, &measures);
    /* halfway (geometric) between 100 and 40 is 63.2 GB/s */
    assert_true(m.usable_bytes == (int64_t)120 << 20);
    assert_near(m.cache_all_bps, 100e9, 1);
    assert_near(m.cache_one_bps, 25e9, 1);
    assert_near(m.dram_all_bps, 40e9, 1);
    for (int32_t i = 0; i < measures.sweep_count; i++) {
        measures.sweep[i].all_bps = 40e9 + i; /* a cache that does nothing */
    }
    assert_true(wl_detect_memory(&host, &measures).usable_bytes == 0);
    measures.sweep_count = 0;
    assert_true(wl_detect_memory(&host, &measures).usable_bytes == 0);
}

/* ---- the spec -------------------------------------------------------------------------------- */

/* Writes the spec into a host directory of `t` and opens both registries. */
static void open_with_host(const struct tree *t, struct wl_registry *r, const char **relative)
{
    const char *roots[] = {WL_SOURCE_DIR "/registry", t->root};
    struct wl_error err;
    struct wl_buf text;
    wl_buf_init(&text);
    assert_int_equal(wl_registry_open(r, roots, 2, &err), WL_OK);
    assert_int_equal(wl_detect_spec(r, &host, &measures, "2026-01-31", &text, relative, &err),
                     WL_OK);
    tree_bytes(t, "cpu/host/spec.json", text.data, text.len);
    wl_buf_done(&text);
}

static void check_clean(struct wl_registry *r, const struct tree *t)
{
    struct wl_hw_problem *problems = NULL;
    int32_t count = 0;
    struct wl_error err;
    const char *kind = NULL;
    char path[128];
    tree_path(t, "cpu/host/spec.json", path, sizeof(path));
    if (wl_hw_check(r, path, &kind, &problems, &count, &err) != WL_OK) {
        fail_msg("%s: %s", err.where, err.message);
    }
    for (int32_t i = 0; i < count; i++) {
        print_error("%s: %s\n", problems[i].path, problems[i].message);
    }
    assert_int_equal(count, 0);
}

static void load_host(struct wl_registry *r, struct wl_device *d)
{
    const struct wl_spec *spec = NULL;
    struct wl_error err;
    assert_int_equal(wl_registry_load(r, WL_HOST_ID, &spec, &err), WL_OK);
    assert_int_equal(wl_spec_device(spec, NULL, d, &err), WL_OK);
}

static void spec_says_what_was_measured(void **state)
{
    struct tree t;
    struct wl_registry r;
    struct wl_device d;
    const char *relative = NULL;
    (void)state;
    tree_make(&t);
    make_up();
    open_with_host(&t, &r, &relative);
    check_clean(&r, &t);
    load_host(&r, &d);
    assert_string_equal(d.name, "A \"Processor\" (this host, 4 cores)");
    assert_int_equal(wl_device_units(&d), 4);
    assert_near(wl_device_peak(&d, WL_PREC_FP32, NULL), 4 * 64 * 3e9, 1);
    assert_near(wl_device_peak(&d, WL_PREC_FP64, NULL), 4 * 32 * 3e9, 1);
    assert_near(wl_device_peak(&d, WL_PREC_INT8, NULL), 4 * 2048 * 2.5e9, 1);
    assert_false(wl_device_supports(&d, WL_PREC_FP16));
    assert_near(d.pipes[0].ops_per_cycle[WL_PREC_INT8], 111.1, 1e-9); /* no whole width near */
    assert_int_equal(d.level_count, 4);
    assert_near(d.levels[0].bandwidth_bps, 4 * 360e9, 1);
    assert_near(d.levels[1].unit_bandwidth_bps, 150e9, 1);
    assert_true(d.levels[2].capacity_bytes == (int64_t)120 << 20);
    assert_near(d.levels[2].bandwidth_bps, 100e9, 1);
    assert_near(d.levels[2].unit_bandwidth_bps, 25e9, 1);
    assert_near(d.levels[3].bandwidth_bps * d.levels[3].efficiency, 40e9, 1);
    assert_true(d.levels[3].capacity_bytes == (int64_t)16 << 30);
    assert_true(d.basis <= WL_BASIS_DERIVED);
    assert_int_equal(d.power_basis, WL_BASIS_ASSUMED);
    assert_string_equal(relative, "intel_xeon_6980p"); /* by its caches: 504 MB */
    assert_near(d.tdp_w, 500.0 * 4 / 128, 0.01);
    assert_near(d.idle_w, 130.0 * 4 / 128, 0.01);
    wl_registry_close(&r);
    tree_remove(&t);
}

static void spec_follows_the_name(void **state)
{
    struct tree t;
    struct wl_registry r;
    const char *relative = NULL;
    (void)state;
    tree_make(&t);
    make_up();
    (void)snprintf(host.model_name, sizeof(host.model_name),
                   "Intel(R) Xeon(R) Platinum 8490H CPU @ 1.90GHz");
    open_with_host(&t, &r, &relative);
    assert_string_equal(relative, "intel_xeon_8490h");
    check_clean(&r, &t);
    wl_registry_close(&r);
    (void)snprintf(host.model_name, sizeof(host.model_name), "Raspberry Pi 5 Model B Rev 1.0");
    open_with_host(&t, &r, &relative);
    assert_string_equal(relative, "raspberry_pi_5");
    wl_registry_close(&r);
    tree_remove(&t);
}

/* Two processors of a virtual machine that are threads of one core do half each. */
static void threads_that_share(void **state)
{
    struct tree t;
    struct wl_registry r;
    struct wl_device d;
    const char *relative = NULL;
    (void)state;
    tree_make(&t);
    make_up();
    measures.kinds[0].shared = 0.5;
    open_with_host(&t, &r, &relative);
    check_clean(&r, &t);
    load_host(&r, &d);
    assert_near(wl_device_peak(&d, WL_PREC_FP32, NULL), 4 * 32 * 3e9, 1);
    wl_registry_close(&r);
    tree_remove(&t);
}

static void hybrid_spec(void **state)
{
    struct tree t;
    struct wl_registry r;
    struct wl_device d;
    const char *relative = NULL;
    (void)state;
    tree_make(&t);
    make_up();
    host.kind_count = 2;
    host.cores = 6;
    host.kinds[0].caches[2] = (struct wl_host_cache){(int64_t)24 << 20, 6};
    host.kinds[1] = (struct wl_host_kind){
        .name = "e_core", .cores = 2, .caches = {{32768, 1}, {2097152, 2}, {(int64_t)24 << 20, 6}}};
    (void)snprintf(host.kinds[0].name, sizeof(host.kinds[0].name), "p_core");
    measures.kinds[1] = measures.kinds[0];
    measures.kinds[1].clock_hz = 2e9;
    measures.kinds[1].level_bps[1] = 64e9;
    measures.kinds[1].rate_count = 1; /* no more than 256 bits */
    open_with_host(&t, &r, &relative);
    check_clean(&r, &t);
    load_host(&r, &d);
    assert_int_equal(d.group_count, 2);
    assert_near(d.groups[1].clock_hz, 2e9, 1);
    assert_near(d.levels[1].bandwidth_bps, 4 * 150e9 + 2 * 64e9, 1);
    assert_int_equal(d.levels[1].instances, 5);
    wl_registry_close(&r);
    tree_remove(&t);
}

/* Saved idle watts stand in for the assumed ones: packages and memory, not the graphics board. */
static void saved_idle_watts(void **state)
{
    static const char idle[] =
        "{\"schema_version\": 1, \"kind\": \"idle\", \"date\": \"2026-02-03T04:05:06Z\", "
        "\"idle_w\": 41.5,"
        " \"sources\": ["
        "{\"kind\": \"rapl\", \"name\": \"package-0\", \"scope\": \"package\", \"counted\": true,"
        " \"idle_power_w\": 9.25},"
        "{\"kind\": \"rapl\", \"name\": \"core\", \"scope\": \"core\", \"counted\": false,"
        " \"idle_power_w\": 4},"
        "{\"kind\": \"rapl\", \"name\": \"dram\", \"scope\": \"dram\", \"counted\": true,"
        " \"idle_power_w\": 2.25},"
        "{\"kind\": \"nvml\", \"name\": \"GPU 0\", \"scope\": \"gpu\", \"counted\": true,"
        " \"idle_power_w\": 30}]}";
    struct tree t;
    struct wl_registry r;
    struct wl_device d;
    const char *relative = NULL;
    (void)state;
    tree_make(&t);
    make_up();
    tree_bytes(&t, "idle.json", idle, sizeof(idle) - 1);
    open_with_host(&t, &r, &relative);
    check_clean(&r, &t);
    load_host(&r, &d);
    assert_near(d.idle_w, 9.25 + 2.25, 1e-12);
    assert_int_equal(d.idle_basis, WL_BASIS_MEASURED);
    assert_int_equal(d.power_scope, WL_POWER_DEVICE);
    const struct wl_spec *other = NULL; /* no other device is touched */
    struct wl_error err;
    assert_int_equal(wl_registry_load(&r, "intel_xeon_6980p", &other, &err), WL_OK);
    assert_int_equal(wl_spec_device(other, NULL, &d, &err), WL_OK);
    assert_near(d.idle_w, 130, 1e-12);
    wl_registry_close(&r);
    tree_remove(&t);
}

static void idle_file_of(const char *text, struct wl_device *d, struct wl_error *err,
                         wl_status expected)
{
    struct tree t;
    struct wl_registry r;
    const char *relative = NULL;
    const struct wl_spec *spec = NULL;
    tree_make(&t);
    make_up();
    tree_bytes(&t, "idle.json", text, strlen(text));
    open_with_host(&t, &r, &relative);
    assert_int_equal(wl_registry_load(&r, WL_HOST_ID, &spec, err), expected);
    if (expected == WL_OK) {
        assert_int_equal(wl_spec_device(spec, NULL, d, err), WL_OK);
    }
    wl_registry_close(&r);
    tree_remove(&t);
}

static void idle_files_of_other_kinds(void **state)
{
    struct wl_device d;
    struct wl_error err;
    (void)state;
    idle_file_of(
        "{\"kind\": \"idle\", \"sources\": [{\"kind\": \"nvml\", \"name\": \"GPU 0\", \"scope\": "
        "\"gpu\", \"counted\": true, \"idle_power_w\": 30}]}",
        &d, &err, WL_OK); /* no meter of the processor: stays assumed */
    assert_int_equal(d.idle_basis, WL_BASIS_ASSUMED);
    idle_file_of(
        "{\"kind\": \"idle\", \"sources\": [{\"kind\": \"battery\", \"name\": \"BAT0\", \"scope\": "
        "\"machine\", \"counted\": true, \"idle_power_w\": 6}]}",
        &d, &err, WL_OK);
    assert_near(d.idle_w, 6, 1e-12);
    assert_int_equal(d.power_scope, WL_POWER_BOARD);
    idle_file_of(
        "{\"kind\": \"idle\", \"sources\": [{\"kind\": \"rapl\", \"name\": \"p\", \"scope\": "
        "\"package\", \"counted\": true, \"idle_power_w\": 900}]}",
        &d, &err, WL_ERR_INVALID);
    assert_non_null(strstr(err.message, "not below the limit"));
    idle_file_of("{\"kind\": \"other\"}", &d, &err, WL_ERR_PARSE);
    assert_non_null(strstr(err.message, "save it again"));
    idle_file_of("{", &d, &err, WL_ERR_PARSE);
}

static void registry_without_processors(void **state)
{
    struct tree t;
    struct wl_registry r;
    struct wl_error err;
    struct wl_buf text;
    const char *relative = NULL;
    (void)state;
    tree_make(&t);
    make_up();
    wl_buf_init(&text);
    const char *roots[] = {t.root};
    assert_int_equal(wl_registry_open(&r, roots, 1, &err), WL_OK);
    assert_int_equal(wl_detect_spec(&r, &host, &measures, "2026-01-31", &text, &relative, &err),
                     WL_ERR_UNSUPPORTED);
    const struct wl_spec *spec = NULL;
    assert_int_equal(wl_registry_load(&r, WL_HOST_ID, &spec, &err), WL_ERR_USAGE);
    assert_non_null(strstr(err.message, "wattline hw detect"));
    wl_buf_done(&text);
    wl_registry_close(&r);
    tree_remove(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hybrid),
        cmocka_unit_test(bare),
        cmocka_unit_test(nothing_to_read),
        cmocka_unit_test(read_off_the_sweep),
        cmocka_unit_test(spec_says_what_was_measured),
        cmocka_unit_test(spec_follows_the_name),
        cmocka_unit_test(threads_that_share),
        cmocka_unit_test(hybrid_spec),
        cmocka_unit_test(saved_idle_watts),
        cmocka_unit_test(idle_files_of_other_kinds),
        cmocka_unit_test(registry_without_processors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
