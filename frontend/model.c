/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frontend/model.c: the front end from bytes to an inferred graph, one step after another. Memory
 * is limited in proportion to the graph part of the file, so that a small hostile file cannot ask
 * for much: FREE_BYTES, and GRAPH_FACTOR bytes for each byte that the scan kept.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "frontend_priv.h"

#define FREE_BYTES ((size_t)80 << 20)
#define GRAPH_FACTOR 48
#define NODES_FREE 200000 /* nodes after inlining, beyond 64 for each node in the file */

#define NODE_BYTES 512 /* of the ir for a node and its tensor, at least */
#define POPULATE_BYTES ((size_t)256 << 10)
#define PAGE_BYTES ((size_t)4096)

/*
 * Has the kernel provide the memory that the ir will certainly need at once: a page fault for each
 * 4 KiB costs as much as importing two nodes. The arena keeps the chunk for its next allocations.
 */
static void populate(struct wl_arena *arena, size_t bytes)
{
#ifdef MADV_POPULATE_WRITE
    if (bytes < POPULATE_BYTES) {
        return;
    }
    struct wl_arena_mark mark = wl_arena_mark(arena);
    uintptr_t at = (uintptr_t)wl_arena_alloc(arena, bytes);
    if (at != 0) {
        uintptr_t first = (at + PAGE_BYTES - 1) & ~(uintptr_t)(PAGE_BYTES - 1);
        (void)madvise((void *)first, (at + bytes - first) & ~(PAGE_BYTES - 1), MADV_POPULATE_WRITE);
        wl_arena_reset(arena, mark);
    }
#else
    (void)arena;
    (void)bytes;
#endif
}

static void *unpack_alloc(void *data, size_t size)
{
    return wl_arena_alloc(data, size);
}

static void unpack_free(void *data, void *pointer)
{
    (void)data;
    (void)pointer;
}

static wl_status unpack_shell(struct wl_fe *fe)
{
    ProtobufCAllocator allocator = {unpack_alloc, unpack_free, &fe->shell};
    fe->model = onnx__model_proto__unpack(&allocator, fe->scan.shell.bytes, fe->scan.shell.data);
    if (fe->model == NULL || fe->model->graph == NULL) {
        return wl_fail(fe->err, WL_ERR_PARSE, fe->path,
                       "not an ONNX model, or a damaged one: its messages do not decode; expected "
                       "a file written by an ONNX exporter");
    }
    return WL_OK;
}

/* Room for what the scan has counted: growing by doubling would touch twice the pages. */
static wl_status tables_reserve(struct wl_fe *fe)
{
    struct wl_graph *g = fe->g;
    const Onnx__GraphProto *gp = fe->model->graph;
    int64_t tensors = (int64_t)gp->n_initializer + (int64_t)gp->n_input + fe->scan.node_count;
    int32_t room = (int32_t)wl_min_i64(tensors + tensors / 16 + 16, 1 << 26);
    g->nodes = WL_ARRAY(g->arena, struct wl_node, fe->scan.node_count);
    g->tensors = WL_ARRAY(g->arena, struct wl_tensor, room);
    fe->type_of_tensor = WL_ARRAY(&fe->work, const Onnx__TypeProto *, room);
    if (g->nodes == NULL || g->tensors == NULL || fe->type_of_tensor == NULL) {
        return wl_fail_nomem(fe->err);
    }
    g->node_capacity = fe->scan.node_count;
    g->tensor_capacity = fe->type_capacity = room;
    return wl_fe_names_reserve(fe, room);
}

static wl_status tables_init(struct wl_fe *fe)
{
    populate(&fe->m->arena, (size_t)fe->scan.node_count * NODE_BYTES);
    if (wl_graph_init(fe->g, &fe->m->arena, &fe->m->diags, fe->err) != WL_OK ||
        wl_strmap_init(&fe->op_names, &fe->work) != WL_OK ||
        wl_strmap_init(&fe->functions, &fe->work) != WL_OK ||
        wl_strmap_init(&fe->symbols, &fe->work) != WL_OK) {
        return wl_fail_nomem(fe->err);
    }
    WL_TRY(tables_reserve(fe));
    int64_t nodes = fe->scan.node_count + (int64_t)(fe->scan.shell.bytes / 8);
    fe->node_limit = (int32_t)wl_min_i64(NODES_FREE + 64 * nodes, 1 << 26);
    return WL_OK;
}

static void note_absent(struct wl_fe *fe)
{
    if (fe->scan.absent_payloads > 0) {
        wl_diag_add(fe->g->diags, WL_SEV_INFO, "absent-weights", fe->path,
                    "%d tensors have no stored elements; shapes and work do not depend on them",
                    (int)fe->scan.absent_payloads);
    }
}

/* The chain. */
static wl_status load(struct wl_fe *fe)
{
    WL_TRY(unpack_shell(fe));
    WL_TRY(tables_init(fe));
    note_absent(fe);
    WL_TRY(wl_fe_bind(fe));
    WL_TRY(wl_fe_import(fe));
    WL_TRY(wl_fe_sort(fe));
    WL_TRY(wl_fe_infer(fe));
    WL_TRY(wl_graph_index(fe->g, fe->err));
    WL_TRY(wl_fe_repeat(fe));
    WL_TRY(wl_fe_bind_check(fe));
    wl_fe_count_parameters(fe);
    return WL_OK;
}

/* Exhaustion of a limit that model.c set is the file's fault. */
static wl_status name_limit(const struct wl_fe *fe, wl_status status, size_t limit)
{
    if (status == WL_ERR_NOMEM && fe->g->dims.nomem && fe->m->arena.used_bytes < limit / 4) {
        return wl_fail(fe->err, WL_ERR_LIMIT, fe->path,
                       "its dimensions are too many different expressions; models have a few");
    }
    if (status != WL_ERR_NOMEM ||
        (fe->m->arena.used_bytes < limit / 4 && fe->shell.used_bytes < limit / 4 &&
         fe->work.used_bytes < limit / 4)) {
        return status;
    }
    return wl_fail(fe->err, WL_ERR_LIMIT, fe->path,
                   "its graph needs more than %zu MiB, out of proportion to its size", limit >> 20);
}

static wl_status load_file(const struct wl_file *file, struct wl_fe *fe)
{
    struct wl_model *m = fe->m;
    WL_TRY(wl_scan_file(file, fe->path, &fe->scan, fe->err));
    size_t graph_bytes = fe->scan.shell.bytes;
    for (int32_t i = 0; i < fe->scan.node_count; i++) {
        graph_bytes += fe->scan.spans[i].bytes;
    }
    size_t limit = FREE_BYTES + GRAPH_FACTOR * graph_bytes;
    wl_arena_init(&m->arena, limit);
    wl_arena_init(&fe->shell, limit);
    wl_arena_init(&fe->work, limit);
    wl_arena_init(&fe->key, limit);
    wl_diag_init(&m->diags, &m->arena);
    m->file_bytes = (int64_t)file->bytes;
    m->path = wl_arena_strndup(&m->arena, fe->path, strlen(fe->path));
    wl_status status = m->path == NULL ? wl_fail_nomem(fe->err) : load(fe);
    status = name_limit(fe, status, limit);
    wl_arena_done(&fe->shell);
    wl_arena_done(&fe->work);
    wl_arena_done(&fe->key);
    wl_scan_done(&fe->scan);
    if (status != WL_OK) {
        wl_arena_done(&m->arena);
    }
    return status;
}

static wl_status load_model(const struct wl_file *file, const char *path,
                            const struct wl_frontend_options *opt, struct wl_model *out,
                            struct wl_error *err)
{
    static const struct wl_frontend_options none = {.batch = 0};
    struct wl_error unheard;
    struct wl_fe fe = {.m = out,
                       .g = &out->graph,
                       .opt = opt == NULL ? &none : opt,
                       .path = path == NULL ? "model" : path,
                       .err = err == NULL ? &unheard : err};
    *out = (struct wl_model){.path = NULL};
    wl_status status = load_file(file, &fe);
    if (status != WL_OK) {
        *out = (struct wl_model){.path = NULL};
    }
    return status;
}

wl_status wl_model_load_bytes(const uint8_t *bytes, size_t count, const char *path,
                              const struct wl_frontend_options *opt, struct wl_model *out,
                              struct wl_error *err)
{
    struct wl_file memory = {.data = bytes, .bytes = count, .mapped = false};
    return load_model(&memory, path, opt, out, err);
}

wl_status wl_model_load(const char *path, const struct wl_frontend_options *opt,
                        struct wl_model *out, struct wl_error *err)
{
    struct wl_file file;
    *out = (struct wl_model){.path = NULL};
    WL_TRY(wl_file_open(path, &file, err));
    wl_status status = load_model(&file, path, opt, out, err);
    wl_file_close(&file);
    return status;
}

void wl_model_done(struct wl_model *m)
{
    if (m != NULL) {
        wl_arena_done(&m->arena);
        *m = (struct wl_model){.path = NULL};
    }
}
