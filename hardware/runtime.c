/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hardware/runtime.c: runtime profiles, registry/runtimes/<name>.json: how a runtime executes
 * graphs. What a profile does not say of a class holds as in the device: dispatch_s below zero
 * means "the device's own"; efficiencies default to 1, so a file that leaves one out claims
 * perfection and the tests refuse that in the registry.
 */
#include <stdio.h>
#include <string.h>

#include "registry_priv.h"

struct runtime_file {
    struct wl_provenance prov;
    struct wl_num schema_version, winograd_tile, channel_block, blocks_per_pass;
    const char *name, *title, *fusion, *notes, *blocked_kernels, *own_kernels, *equal_shares;
    const char *serial_kernels;
    bool flash_attention, im2col, graph_launch, spins, entry_copy;
    struct wl_list dispatch_s, gemm_efficiency, vector_efficiency, integer_efficiency, unit_loss;
    struct wl_list matrix_efficiency, convolution_efficiency, depthwise_efficiency, row_efficiency;
    struct wl_list memory_efficiency, worker_s, call_s, dispatch_slots, element_cycles;
    struct wl_list cache_efficiency, result_bps;
};

/* clang-format off */
#define AT(member) offsetof(struct runtime_file, member)
static const struct wl_field runtime_fields[] = {
    {"schema_version",   WL_F_PLAIN,   true,  NULL,    1, 1,    AT(schema_version), NULL, NULL, "1"},
    {"name",             WL_F_STRING,  true,  NULL,    1, 64,   AT(name), NULL, NULL, "as --runtime takes it; the file's name"},
    {"title",            WL_F_STRING,  true,  NULL,    1, 120,  AT(title), NULL, NULL, "as people write it"},
    {"fusion",           WL_F_STRING,  true,  NULL,    1, 64,   AT(fusion), NULL, NULL, "fusion profile: none, basic, or one named like a runtime"},
    {"dispatch_s",       WL_F_NUMBERS, false, "s",     0, 1,    AT(dispatch_s), NULL, NULL, "to launch one operator, by device class (absent: the device's own)"},
    {"dispatch_slots",   WL_F_NUMBERS, false, "instructions", 0, 1e8, AT(dispatch_slots), NULL, NULL, "decode slots of one core to launch one operator, beside dispatch_s (CPUs): seconds are slots / (decode_per_cycle x clock)"},
    {"winograd_tile",    WL_F_INT,     false, "outputs", 0, 6,  AT(winograd_tile), NULL, NULL, "3x3 stride-1 convolutions run as F(t x t, 3 x 3): 2, 4 or 6; 0: never"},
    {"channel_block",    WL_F_INT,     false, "channels", 0, 64, AT(channel_block), NULL, NULL, "convolutions on CPUs keep images in blocks of so many channels (NCHWc) and reorder them where other kernels read them; 0: never"},
    {"blocks_per_pass",  WL_F_INT,     false, NULL,    0, 64, AT(blocks_per_pass), NULL, NULL, "with channel_block: blocks of results that a kernel makes in one walk over its inputs; 0: not known"},
    {"blocked_kernels",  WL_F_STRING,  false, NULL,    1, 400,  AT(blocked_kernels), NULL, NULL, "with channel_block: patterns, separated by blanks, that keep such blocks beside all convolutions (absent: as ONNX Runtime does)"},
    {"entry_copy",       WL_F_BOOL,    false, NULL,    0, 0,    AT(entry_copy), NULL, NULL, "with channel_block: what goes into blocks is copied as it is first, an operator and a pass of its own"},
    {"own_kernels",      WL_F_STRING,  false, NULL,    1, 400,  AT(own_kernels), NULL, NULL, "patterns, separated by blanks, that the runtime runs outside the library of kernels below it, unless they keep blocks: calibrations of such a library name them with _own behind"},
    {"flash_attention",  WL_F_BOOL,    true,  NULL,    0, 0,    AT(flash_attention), NULL, NULL, "attention without writing the score matrix"},
    {"im2col",           WL_F_BOOL,    true,  NULL,    0, 0,    AT(im2col), NULL, NULL, "convolutions write out the patch matrix"},
    {"serial_kernels",   WL_F_STRING,  false, NULL,    1, 400,  AT(serial_kernels), NULL, NULL, "kernels, separated by blanks, that the runtime runs on one thread on CPUs, by the names of calibrations"},
    {"element_cycles",   WL_F_NUMBERS, false, "cycles", 0, 1e4, AT(element_cycles), NULL, NULL, "cycles of one core per element of the largest operand, of kernels that the runtime runs element by element on CPUs, whatever its vectors; by the names of calibrations. 'patch': per element of the patch matrix of a convolution whose image is not in blocks of channels"},
    {"spins",            WL_F_BOOL,    false, NULL,    0, 0,    AT(spins), NULL, NULL, "threads without work spin while one core launches an operator (dispatch_slots): energy, not time"},
    {"equal_shares",     WL_F_STRING,  false, NULL,    1, 100,  AT(equal_shares), NULL, NULL, "vector pipes, separated by blanks, on whose cores the runtime gives every thread one equal part of a product: on parts with two kinds of cores the slower kind ends last"},
    {"graph_launch",     WL_F_BOOL,    true,  NULL,    0, 0,    AT(graph_launch), NULL, NULL, "launches are recorded and replayed together"},
    {"gemm_efficiency",  WL_F_NUMBERS, true,  "share", 0.01, 1, AT(gemm_efficiency), NULL, NULL, "share of the pipe's peak on large products, by device class"},
    {"vector_efficiency",WL_F_NUMBERS, true,  "share", 0.01, 1, AT(vector_efficiency), NULL, NULL, "share of the vector pipe's peak on element-wise work, by device class"},
    {"integer_efficiency",WL_F_NUMBERS,false, "share", 0.01, 1, AT(integer_efficiency), NULL, NULL, "gemm_efficiency of integer products where it differs"},
    {"convolution_efficiency",WL_F_NUMBERS,false, "share", 0.01, 1, AT(convolution_efficiency), NULL, NULL, "gemm_efficiency of convolutions in floating point whose kernel is larger than one element, where it differs"},
    {"matrix_efficiency",WL_F_NUMBERS,false, "share", 0.01, 1, AT(matrix_efficiency), NULL, NULL, "share of the peak of matrix units beside vector pipes (CPUs), where it differs from the shares of all products"},
    {"depthwise_efficiency",WL_F_NUMBERS,false, "share", 0.01, 1, AT(depthwise_efficiency), NULL, NULL, "vector_efficiency of depthwise convolutions where it differs"},
    {"unit_loss",        WL_F_NUMBERS, false, "share", 0, 1,    AT(unit_loss), NULL, NULL, "work that each further unit adds: waiting, sharing of caches and buses; t(n) = t(1) / n x (1 + unit_loss x (n - 1))"},
    {"memory_efficiency",WL_F_NUMBERS, false, "share", 0.01, 1, AT(memory_efficiency), NULL, NULL, "share of main memory's sustained bandwidth that the runtime's kernels draw, by device class (absent: 1)"},
    {"row_efficiency",   WL_F_NUMBERS, false, "share", 0.01, 1, AT(row_efficiency), NULL, NULL, "memory_efficiency of fully connected layers that read one row per sample, where it differs: dot products on few cores"},
    {"cache_efficiency", WL_F_NUMBERS, false, "share", 0.01, 1, AT(cache_efficiency), NULL, NULL, "share of the sustained bandwidth of caches shared by all units that products draw, by device class (absent: 1)"},
    {"result_bps",       WL_F_NUMBERS, false, "B/s",   1e6, 1e14, AT(result_bps), NULL, NULL, "what goes back to the caller: copied to memory that is new in every inference; charged to the first subgraph (absent: free)"},
    {"worker_s",         WL_F_NUMBERS, false, "s",     0, 1,    AT(worker_s), NULL, NULL, "what each further thread adds to the fork and join around one operator"},
    {"call_s",           WL_F_NUMBERS, false, "s",     0, 1,    AT(call_s), NULL, NULL, "once per inference: the call, binding of inputs and outputs; charged to the first subgraph"},
    {"notes",            WL_F_STRING,  false, NULL,    1, 1000, AT(notes), NULL, NULL, "what a reader should know"},
    {"sources",          WL_F_SOURCES, true,  NULL,    0, 0,    0, NULL, NULL, "where the figures come from"},
};
/* clang-format on */
const struct wl_field_table wl_runtime_table = {
    "runtime",
    runtime_fields,
    (int32_t)WL_ARRAY_LEN(runtime_fields),
    sizeof(struct runtime_file),
    true,
    "a runtime profile: registry/runtimes/<name>.json",
};

static void by_class(struct wl_problems *p, const char *key, const struct wl_list *list,
                     double otherwise, double out[WL_HW_CLASS_COUNT])
{
    const struct wl_named_num *items = list->items;
    for (int c = 0; c < WL_HW_CLASS_COUNT; c++) {
        out[c] = otherwise;
    }
    for (int32_t i = 0; i < list->count; i++) {
        int found = -1;
        for (int c = 0; c < WL_HW_CLASS_COUNT; c++) {
            found = strcmp(items[i].name, wl_hw_class_name((enum wl_hw_class)c)) == 0 ? c : found;
        }
        if (found >= 0) {
            out[found] = items[i].num.value;
        } else {
            char path[96];
            (void)snprintf(path, sizeof(path), "/%s/%.32s", key, items[i].name);
            wl_problem_add(p, false, path, "is not a device class; cpu, gpu, tpu or kpu");
        }
    }
}

static wl_status take_cycles(struct wl_registry *r, const struct wl_list *list,
                             struct wl_runtime *out, struct wl_error *err)
{
    const struct wl_named_num *items = list->items;
    struct wl_named_cycles *cycles = WL_ARRAY(&r->arena, struct wl_named_cycles, list->count + 1);
    WL_TRY_PTR(cycles, err);
    for (int32_t i = 0; i < list->count; i++) {
        cycles[i] = (struct wl_named_cycles){items[i].name, items[i].num.value};
    }
    out->element_cycles = cycles;
    out->element_cycles_count = list->count;
    return WL_OK;
}

double wl_runtime_element_cycles(const struct wl_runtime *rt, const char *kernel)
{
    for (int32_t i = 0; i < rt->element_cycles_count; i++) {
        if (strcmp(rt->element_cycles[i].kernel, kernel) == 0) {
            return rt->element_cycles[i].cycles;
        }
    }
    return 0;
}

static void check_file(struct wl_problems *p, const struct runtime_file *f, const char *name)
{
    double tile = f->winograd_tile.value;
    if (tile != 0 && tile != 2 && tile != 4 && tile != 6) {
        wl_problem_add(p, false, "/winograd_tile", "%g is no tile; 0, 2, 4 or 6", tile);
    }
    if (f->name != NULL && name != NULL && strcmp(f->name, name) != 0) {
        wl_problem_add(p, false, "/name", "\"%.64s\" differs from the file's name \"%.64s\"",
                       f->name, name);
    }
}

static wl_status read_runtime(struct wl_registry *r, const char *path, const char *name,
                              struct wl_problems *problems, struct wl_runtime *out,
                              struct wl_error *err)
{
    cJSON *json = NULL;
    WL_TRY(wl_json_read(path, &json, err));
    struct runtime_file f = {0};
    wl_decode(&r->arena, problems, json, &wl_runtime_table,
              (struct wl_provenance){WL_BASIS_DATASHEET, NULL}, &f);
    cJSON_Delete(json);
    check_file(problems, &f, name);
    *out = (struct wl_runtime){.name = f.name,
                               .fusion = f.fusion,
                               .winograd = f.winograd_tile.value > 0,
                               .winograd_tile = (int32_t)f.winograd_tile.value,
                               .channel_block = (int32_t)f.channel_block.value,
                               .blocks_per_pass = (int32_t)f.blocks_per_pass.value,
                               .blocked_kernels = f.blocked_kernels,
                               .own_kernels = f.own_kernels,
                               .entry_copy = f.entry_copy,
                               .serial_kernels = f.serial_kernels,
                               .flash_attention = f.flash_attention,
                               .im2col = f.im2col,
                               .spins = f.spins,
                               .equal_shares = f.equal_shares,
                               .graph_launch = f.graph_launch,
                               .source = f.prov.source == NULL ? "" : f.prov.source};
    by_class(problems, "dispatch_s", &f.dispatch_s, -1, out->dispatch_s);
    by_class(problems, "gemm_efficiency", &f.gemm_efficiency, 1, out->gemm_efficiency);
    by_class(problems, "vector_efficiency", &f.vector_efficiency, 1, out->vector_efficiency);
    by_class(problems, "integer_efficiency", &f.integer_efficiency, 0, out->integer_efficiency);
    by_class(problems, "convolution_efficiency", &f.convolution_efficiency, 0,
             out->convolution_efficiency);
    by_class(problems, "matrix_efficiency", &f.matrix_efficiency, 0, out->matrix_efficiency);
    by_class(problems, "depthwise_efficiency", &f.depthwise_efficiency, 0,
             out->depthwise_efficiency);
    by_class(problems, "row_efficiency", &f.row_efficiency, 0, out->row_efficiency);
    by_class(problems, "unit_loss", &f.unit_loss, 0, out->unit_loss);
    by_class(problems, "memory_efficiency", &f.memory_efficiency, 1, out->memory_efficiency);
    by_class(problems, "cache_efficiency", &f.cache_efficiency, 0, out->cache_efficiency);
    by_class(problems, "result_bps", &f.result_bps, 0, out->result_bps);
    by_class(problems, "worker_s", &f.worker_s, 0, out->worker_s);
    by_class(problems, "call_s", &f.call_s, 0, out->call_s);
    WL_TRY(take_cycles(r, &f.element_cycles, out, err));
    by_class(problems, "dispatch_slots", &f.dispatch_slots, 0, out->dispatch_slots);
    return WL_OK;
}

wl_status wl_runtime_check(struct wl_registry *r, const char *path, struct wl_hw_problem **problems,
                           int32_t *count, struct wl_error *err)
{
    struct wl_problems p;
    struct wl_runtime unused;
    wl_problems_init(&p, &r->arena, path);
    WL_TRY(read_runtime(r, path, NULL, &p, &unused, err));
    if (p.nomem) {
        return wl_fail_nomem(err);
    }
    *problems = p.items;
    *count = p.count;
    return WL_OK;
}

wl_status wl_runtime_load(struct wl_registry *r, const char *name, const struct wl_runtime **out,
                          struct wl_error *err)
{
    for (const struct wl_runtime_node *n = r->cache->runtimes; n != NULL; n = n->next) {
        if (strcmp(n->runtime.name, name) == 0) {
            *out = &n->runtime;
            return WL_OK;
        }
    }
    char relative[128];
    (void)snprintf(relative, sizeof(relative), "runtimes/%.64s.json", name);
    const char *path = wl_plain_name(name) ? wl_registry_path(r, relative) : NULL;
    if (path == NULL) {
        const char *const *names = NULL;
        int32_t count = 0;
        char list[400] = "";
        size_t used = 0;
        WL_TRY(wl_runtime_list(r, &names, &count, err));
        for (int32_t i = 0; i < count; i++) {
            int n =
                snprintf(list + used, sizeof(list) - used, "%s%s", i == 0 ? "" : ", ", names[i]);
            used = (size_t)wl_min_i64((int64_t)used + (n > 0 ? n : 0), (int64_t)sizeof(list) - 1);
        }
        return wl_fail(err, WL_ERR_USAGE, "--runtime", "\"%.64s\" is unknown; one of %s", name,
                       list);
    }
    struct wl_runtime_node *node = WL_NEW(&r->arena, struct wl_runtime_node);
    WL_TRY_PTR(node, err);
    struct wl_problems problems;
    wl_problems_init(&problems, &r->arena, path);
    WL_TRY(read_runtime(r, path, name, &problems, &node->runtime, err));
    WL_TRY(wl_problems_status(&problems, err));
    node->next = r->cache->runtimes;
    r->cache->runtimes = node;
    *out = &node->runtime;
    return WL_OK;
}

static bool listed(const char *const *names, int32_t count, const char *name)
{
    for (int32_t i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

wl_status wl_runtime_list(struct wl_registry *r, const char *const **names, int32_t *count,
                          struct wl_error *err)
{
    const char **out = NULL;
    int32_t used = 0, capacity = 0;
    for (int32_t i = 0; i < r->root_count; i++) {
        char **files = NULL;
        int32_t file_count = 0;
        char *folder = wl_arena_printf(&r->arena, "%s/runtimes", r->roots[i]);
        WL_TRY_PTR(folder, err);
        if (wl_dir_list(&r->arena, folder, &files, &file_count, NULL) != WL_OK) {
            continue;
        }
        for (int32_t f = 0; f < file_count; f++) {
            size_t len = strlen(files[f]);
            if (len <= 5 || strcmp(files[f] + len - 5, ".json") != 0) {
                continue;
            }
            char *name = wl_arena_strndup(&r->arena, files[f], len - 5);
            WL_TRY_PTR(name, err);
            void *items = out;
            if (listed(out, used, name)) {
                continue;
            }
            WL_TRY(wl_arena_reserve(&r->arena, &items, &capacity, used + 1, sizeof(*out)));
            out = items;
            int32_t at = used++;
            for (; at > 0 && strcmp(out[at - 1], name) > 0; at--) {
                out[at] = out[at - 1];
            }
            out[at] = name;
        }
    }
    *names = out;
    *count = used;
    return WL_OK;
}
