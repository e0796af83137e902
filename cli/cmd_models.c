/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/cmd_models.c: the model zoo: what is in it, where a file lies, a runnable copy. Parameters
 * and MACs are counted from each file when listed (at the default dims), never stored.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "report.h"
#include "zoo.h"

struct models {
    struct wl_arena arena;
    struct wl_zoo zoo;
    const char *dir;
    const char *output;
    enum wl_format format;
    int64_t seed;
};

/* What the front end finds in one file. `error` is NULL unless the file does not load. */
struct facts {
    int64_t parameters;
    struct wl_dim macs;
    const char *error;
};

/* ---- options --------------------------------------------------------------------------------- */

static wl_status set_format(void *target, const char *value, struct wl_error *err)
{
    struct models *m = target;
    m->format = wl_format_find(value);
    if (m->format != WL_FORMAT_TEXT && m->format != WL_FORMAT_JSON) {
        return wl_fail(err, WL_ERR_USAGE, "--format", "\"%.40s\" is not one; text, json are",
                       value);
    }
    return WL_OK;
}

static wl_status set_output(void *target, const char *value, struct wl_error *err)
{
    struct models *m = target;
    (void)err;
    m->output = value;
    return WL_OK;
}

static wl_status set_models(void *target, const char *value, struct wl_error *err)
{
    struct models *m = target;
    if (!wl_path_is_dir(value)) {
        return wl_fail(err, WL_ERR_USAGE, "--models",
                       "%.200s is not a directory; name a folder of models", value);
    }
    m->dir = value;
    return WL_OK;
}

static wl_status set_seed(void *target, const char *value, struct wl_error *err)
{
    struct models *m = target;
    return wl_cli_parse_int("--seed", value, 0, INT64_MAX, &m->seed, err);
}

static const struct wl_option options[] = {
    {"format", "F", "list: text or json", set_format},
    {"output", "FILE", "materialize: the file to write; list: instead of standard output",
     set_output},
    {"seed", "S", "materialize: of the random weights (default 0)", set_seed},
    {"models", "DIR", "model zoo instead of the one beside the program", set_models},
    {NULL, NULL, NULL, NULL}};

/* ---- list ------------------------------------------------------------------------------------ */

static wl_status load(const struct wl_zoo_entry *e, bool symbolic, struct wl_model *m,
                      struct wl_error *err)
{
    struct wl_frontend_options opt = {.default_dims = e->dims,
                                      .default_dim_count = symbolic ? 0 : e->dim_count,
                                      .keep_symbolic = symbolic};
    return wl_model_load(e->path, &opt, m, err);
}

static struct wl_dim total_macs(struct wl_graph *g)
{
    struct wl_dim total = wl_dim_known(0);
    for (int32_t i = 0; i < g->schedule_count; i++) {
        int32_t n = g->schedule[i];
        struct wl_dim macs = wl_dim_mul(&g->dims, g->work[n].macs, g->nodes[n].repeat);
        total = wl_dim_add(&g->dims, total, macs);
    }
    return total;
}

/* Counts one model at its default dims. A file that does not load is a fact too. */
static wl_status count_model(struct models *s, const struct wl_zoo_entry *e, struct facts *out)
{
    struct wl_model m;
    struct wl_error err;
    *out = (struct facts){.macs = wl_dim_unknown()};
    wl_status status = load(e, false, &m, &err);
    if (status == WL_OK) {
        status = wl_ops_count(&m.graph, &err);
        out->parameters = m.parameters;
        out->macs = status == WL_OK ? total_macs(&m.graph) : wl_dim_unknown();
        wl_model_done(&m);
    }
    if (status != WL_OK) {
        out->error = wl_arena_printf(&s->arena, "%s: %s", err.where, err.message);
    }
    return status == WL_ERR_NOMEM ? status : WL_OK;
}

/* "N=1 T=128" */
static const char *dims_text(struct models *s, const struct wl_zoo_entry *e)
{
    const char *text = "";
    for (int32_t i = 0; i < e->dim_count && text != NULL; i++) {
        text = wl_arena_printf(&s->arena, "%s%s%s=%" PRId64, text, i > 0 ? " " : "",
                               e->dims[i].name, e->dims[i].value);
    }
    return text == NULL ? "" : text;
}

static wl_status list_text(struct models *s, struct wl_buf *out, struct wl_error *err)
{
    static const char *const headings[] = {"model", "task", "parameters", "MACs", "default dims"};
    struct wl_table table;
    int32_t broken = 0;
    WL_TRY(wl_table_init(&table, 5, headings, "llrrl"));
    for (int32_t i = 0; i < s->zoo.count; i++) {
        const struct wl_zoo_entry *e = &s->zoo.entries[i];
        struct facts f;
        char parameters[32] = "-";
        char macs[32] = "-";
        if (count_model(s, e, &f) != WL_OK) {
            wl_table_done(&table);
            return wl_fail_nomem(err);
        }
        if (f.error == NULL) {
            (void)wl_format_si((double)f.parameters, "", parameters, sizeof(parameters));
        }
        if (wl_dim_is_known(f.macs)) {
            (void)wl_format_si((double)f.macs.value, "", macs, sizeof(macs));
        }
        broken += f.error != NULL ? 1 : 0;
        const char *cells[] = {e->name, e->task, parameters, macs, dims_text(s, e)};
        wl_table_row(&table, cells);
    }
    wl_table_print(&table, 100, 4, "", out);
    wl_table_done(&table);
    wl_buf_printf(out,
                  "\n%d models. MACs are of one inference at the default dims; --dim NAME=N and "
                  "--batch N change them.\n",
                  (int)s->zoo.count);
    if (broken > 0) {
        wl_buf_printf(out, "%d of them cannot be read; --format json tells why.\n", (int)broken);
    }
    return WL_OK;
}

static void put_inputs(struct wl_emitter *e, const struct wl_graph *g)
{
    for (int32_t i = 0; i < g->blocks[0].input_count; i++) {
        int32_t id = g->blocks[0].inputs[i];
        const struct wl_tensor *t = id == WL_NONE ? NULL : &g->tensors[id];
        if (t == NULL || t->kind == WL_TENSOR_INITIALIZER) {
            continue;
        }
        wl_json_object(e, NULL);
        wl_json_strn(e, "name", wl_tensor_name(g, id));
        wl_json_str(e, "dtype", wl_dtype_name(t->dtype));
        if (t->rank == WL_NONE) {
            wl_json_null(e, "shape");
        } else {
            wl_json_array(e, "shape");
            for (int32_t d = 0; d < t->rank; d++) {
                wl_json_dim(e, NULL, &g->dims, t->dims[d]);
            }
            wl_json_close(e, ']');
        }
        wl_json_close(e, '}');
    }
}

static void put_entry(struct wl_emitter *e, const struct wl_zoo_entry *entry, const struct facts *f)
{
    struct wl_model m;
    wl_json_object(e, NULL);
    wl_json_str(e, "name", entry->name);
    wl_json_str(e, "task", entry->task);
    if (f->error == NULL) {
        wl_json_int(e, "parameters", f->parameters);
    } else {
        wl_json_null(e, "parameters");
    }
    if (wl_dim_is_known(f->macs)) {
        wl_json_int(e, "macs", f->macs.value);
    } else {
        wl_json_null(e, "macs");
    }
    wl_json_object(e, "dims");
    for (int32_t i = 0; i < entry->dim_count; i++) {
        wl_json_int(e, entry->dims[i].name, entry->dims[i].value);
    }
    wl_json_close(e, '}');
    wl_json_array(e, "inputs");
    if (f->error == NULL && load(entry, true, &m, NULL) == WL_OK) {
        put_inputs(e, &m.graph);
        wl_model_done(&m);
    }
    wl_json_close(e, ']');
    wl_json_str(e, "description", entry->description);
    wl_json_str(e, "source", entry->source);
    wl_json_str(e, "input", entry->input);
    wl_json_str(e, "path", entry->path);
    wl_json_str(e, "error", f->error);
    wl_json_close(e, '}');
}

static wl_status list_json(struct models *s, struct wl_buf *out, struct wl_error *err)
{
    struct wl_emitter e;
    wl_json_begin(&e, out);
    wl_json_int(&e, "schema_version", 1);
    wl_json_array(&e, "models");
    for (int32_t i = 0; i < s->zoo.count; i++) {
        struct facts f;
        if (count_model(s, &s->zoo.entries[i], &f) != WL_OK) {
            return wl_fail_nomem(err);
        }
        put_entry(&e, &s->zoo.entries[i], &f);
    }
    wl_json_close(&e, ']');
    wl_json_end(&e);
    return WL_OK;
}

static wl_status list(struct models *s, struct wl_error *err)
{
    struct wl_buf text;
    wl_buf_init(&text);
    wl_status status =
        s->format == WL_FORMAT_JSON ? list_json(s, &text, err) : list_text(s, &text, err);
    if (status == WL_OK) {
        status = wl_cli_output(s->output, &text, err);
    }
    wl_buf_done(&text);
    return status;
}

/* ---- path, materialize ----------------------------------------------------------------------- */

static wl_status find(const struct models *s, const char *name, const struct wl_zoo_entry **out,
                      struct wl_error *err)
{
    char near[160];
    *out = wl_zoo_find(&s->zoo, name);
    if (*out != NULL) {
        return WL_OK;
    }
    wl_zoo_nearest(&s->zoo, name, near, sizeof(near));
    return wl_fail(err, WL_ERR_IO, name, "is not in the zoo; %s%s",
                   near[0] != '\0' ? "near: " : "wattline models list shows it", near);
}

static wl_status print_path(const struct models *s, const char *name, struct wl_error *err)
{
    const struct wl_zoo_entry *e = NULL;
    struct wl_buf text;
    WL_TRY(find(s, name, &e, err));
    wl_buf_init(&text);
    wl_buf_printf(&text, "%s\n", e->path);
    wl_status status = wl_cli_output(s->output, &text, err);
    wl_buf_done(&text);
    return status;
}

static wl_status materialize(const struct models *s, const char *name, struct wl_error *err)
{
    const struct wl_zoo_entry *e = NULL;
    struct wl_materialized made;
    char bytes[32];
    WL_TRY(find(s, name, &e, err));
    if (s->output == NULL) {
        return wl_fail(err, WL_ERR_USAGE, "--output",
                       "is missing; write wattline models materialize %.60s --output %.60s.onnx",
                       name, name);
    }
    WL_TRY(wl_materialize(e->path, s->output, (uint64_t)s->seed, &made, err));
    printf("%s: %" PRId64 " tensors of random weights, %s%s%s%s\n", s->output, made.tensors,
           wl_format_si((double)made.payload_bytes, "B", bytes, sizeof(bytes)),
           made.external ? ", in " : "", made.external ? s->output : "",
           made.external ? ".data" : "");
    return WL_OK;
}

static wl_status run(struct models *s, char **argv, int32_t count, struct wl_error *err)
{
    const char *action = argv[1];
    const char *dir = wl_cli_models_dir(&s->arena, s->dir);
    bool is_list = strcmp(action, "list") == 0;
    bool is_path = strcmp(action, "path") == 0;
    if (!is_list && !is_path && strcmp(action, "materialize") != 0) {
        return wl_fail(err, WL_ERR_USAGE, "models",
                       "\"%.40s\" is not an action; list, path, materialize are", action);
    }
    if (count != (is_list ? 1 : 2)) {
        return wl_fail(err, WL_ERR_USAGE, "models",
                       is_list ? "list takes no name; write wattline models list"
                               : "one name of the zoo is needed; wattline models list shows them");
    }
    if (dir == NULL) {
        return wl_fail(err, WL_ERR_USAGE, "models",
                       "no model zoo was found beside the program; name one with --models DIR or "
                       "WATTLINE_MODELS");
    }
    WL_TRY(wl_zoo_load(&s->arena, dir, &s->zoo, err));
    return is_list   ? list(s, err)
           : is_path ? print_path(s, argv[2], err)
                     : materialize(s, argv[2], err);
}

int wl_cmd_models(int argc, char **argv)
{
    static const struct wl_option *const tables[] = {options, NULL};
    struct models s = {.format = WL_FORMAT_TEXT};
    struct wl_error err;
    int32_t count = 0;
    int code = WL_EXIT_OK;
    struct wl_cli_parse parse = {
        .command = "models",
        .synopsis = "list | path NAME | materialize NAME --output F.onnx",
        .summary = "The model zoo: graph-only ONNX files whose names work wherever MODEL is asked "
                   "for.\nmaterialize writes a copy with random weights that runtimes can run. For "
                   "example:\n"
                   "  wattline models list\n"
                   "  wattline models path resnet18\n"
                   "  wattline models materialize resnet18 --output resnet18.onnx --seed 7",
        .tables = tables,
        .target = &s,
        .positional_min = 1,
        .positional_max = 2};
    wl_arena_init(&s.arena, 0);
    if (wl_cli_parse_options(&parse, argc, argv, &count, &code) == WL_OK &&
        run(&s, argv, count, &err) != WL_OK) {
        code = wl_cli_error(&err);
    }
    wl_arena_done(&s.arena);
    return code;
}
