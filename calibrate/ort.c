/* SPDX-License-Identifier: Apache-2.0 */
/* calibrate/ort.c: the script behind two pipes, one JSON line each way per model. */
#include "ort.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "json_read.h"

extern char **environ;

/* ---- the process -------------------------------------------------------------------------------
 */

static wl_status spawn(struct wl_ort *o, const char *interpreter, int child_in, int child_out,
                       int own_in, int own_out)
{
    posix_spawn_file_actions_t actions;
    char name[64];
    (void)snprintf(name, sizeof(name), "%s", interpreter);
    char *argv[] = {name, o->script, NULL};
    if (posix_spawn_file_actions_init(&actions) != 0) {
        return WL_ERR_NOMEM;
    }
    (void)posix_spawn_file_actions_adddup2(&actions, child_in, STDIN_FILENO);
    (void)posix_spawn_file_actions_adddup2(&actions, child_out, STDOUT_FILENO);
    (void)posix_spawn_file_actions_addclose(&actions, own_in);
    (void)posix_spawn_file_actions_addclose(&actions, own_out);
    int failed = posix_spawnp(&o->pid, interpreter, &actions, NULL, argv, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    return failed != 0 ? WL_ERR_UNSUPPORTED : WL_OK;
}

static wl_status start(struct wl_ort *o, const char *interpreter, struct wl_error *err)
{
    int to[2], from[2];
    if (pipe(to) != 0) {
        return wl_fail(err, WL_ERR_IO, "pipe", "%s", strerror(errno));
    }
    if (pipe(from) != 0) {
        (void)close(to[0]);
        (void)close(to[1]);
        return wl_fail(err, WL_ERR_IO, "pipe", "%s", strerror(errno));
    }
    wl_status status = spawn(o, interpreter, to[0], from[1], to[1], from[0]);
    (void)close(to[0]);
    (void)close(from[1]);
    o->to = fdopen(to[1], "w");
    o->from = fdopen(from[0], "r");
    if (status != WL_OK || o->to == NULL || o->from == NULL) {
        o->pid = status != WL_OK ? 0 : o->pid;
        wl_ort_close(o);
        return wl_fail(err, WL_ERR_UNSUPPORTED, interpreter,
                       "is not on this machine; on Debian: apt-get install %s",
                       strcmp(interpreter, "node") == 0 ? "nodejs npm" : interpreter);
    }
    return WL_OK;
}

void wl_ort_close(struct wl_ort *o)
{
    if (o->to != NULL) {
        (void)fclose(o->to);
    }
    if (o->from != NULL) {
        (void)fclose(o->from);
    }
    if (o->pid > 0) {
        (void)waitpid(o->pid, NULL, 0);
    }
    *o = (struct wl_ort){0};
}

/* The next line as JSON; NULL at the end or where it is none. */
static cJSON *read_line(struct wl_ort *o)
{
    char *line = NULL;
    size_t capacity = 0;
    cJSON *json = NULL;
    if (getline(&line, &capacity, o->from) > 0) {
        json = cJSON_Parse(line);
    }
    free(line);
    return json;
}

wl_status wl_ort_open(struct wl_ort *o, const char *interpreter, const char *tools,
                      const char *script, const char *node_modules, char *version,
                      size_t version_size, struct wl_error *err)
{
    *o = (struct wl_ort){0};
    (void)snprintf(o->script, sizeof(o->script), "%s/%s", tools, script);
    if (access(o->script, R_OK) != 0) {
        return wl_fail(err, WL_ERR_UNSUPPORTED, o->script,
                       "is not there; WATTLINE_TOOLS=DIR names the folder tools/ of a checkout");
    }
    if (node_modules != NULL && setenv("WATTLINE_NODE_MODULES", node_modules, 1) != 0) {
        return wl_fail_nomem(err);
    }
    (void)signal(SIGPIPE, SIG_IGN); /* an end of the script is an error of the next run */
    WL_TRY(start(o, interpreter, err));
    cJSON *hello = read_line(o);
    const char *found = wl_json_read_text(hello, "version");
    const char *problem = wl_json_read_text(hello, "error");
    wl_status status = WL_OK;
    if (found == NULL) {
        status = wl_fail(err, WL_ERR_UNSUPPORTED, o->script, "%s",
                         problem != NULL ? problem : "ended before it answered");
    } else {
        (void)snprintf(version, version_size, "%s", found);
    }
    cJSON_Delete(hello);
    if (status != WL_OK) {
        wl_ort_close(o);
    }
    return status;
}

/* ---- one model ---------------------------------------------------------------------------------
 */

static bool send_job(struct wl_ort *o, const struct wl_ort_job *job)
{
    cJSON *j = cJSON_CreateObject();
    cJSON *dims = cJSON_AddObjectToObject(j, "dims");
    (void)cJSON_AddStringToObject(j, "model", job->model);
    (void)cJSON_AddNumberToObject(j, "threads", job->threads);
    (void)cJSON_AddNumberToObject(j, "seconds", job->seconds);
    (void)cJSON_AddNumberToObject(j, "min_runs", job->min_runs);
    (void)cJSON_AddBoolToObject(j, "wall", job->wall);
    (void)cJSON_AddBoolToObject(j, "profile", job->profile);
    for (int32_t i = 0; i < job->dim_count; i++) {
        (void)cJSON_AddNumberToObject(dims, job->dims[i].name, (double)job->dims[i].value);
    }
    char *line = cJSON_PrintUnformatted(j);
    bool sent = line != NULL && fprintf(o->to, "%s\n", line) > 0 && fflush(o->to) == 0;
    cJSON_free(line);
    cJSON_Delete(j);
    return sent;
}

static const char *keep(struct wl_arena *arena, const char *s)
{
    return s == NULL ? NULL : wl_arena_strndup(arena, s, strlen(s));
}

static void read_shape(const cJSON *node, struct wl_ort_kernel *k)
{
    const cJSON *first = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(node, "input"), 0);
    const cJSON *dim = NULL;
    k->elements = 1;
    k->columns = 1;
    cJSON_ArrayForEach(dim, first)
    {
        k->elements *= dim->valuedouble;
        k->columns = dim->valuedouble;
    }
}

static wl_status read_kernels(const cJSON *nodes, struct wl_arena *arena, struct wl_ort_result *out,
                              struct wl_error *err)
{
    out->kernels = WL_ARRAY(arena, struct wl_ort_kernel, cJSON_GetArraySize(nodes));
    WL_TRY_PTR(out->kernels, err);
    const cJSON *node = NULL;
    cJSON_ArrayForEach(node, nodes)
    {
        struct wl_ort_kernel *k = &out->kernels[out->kernel_count++];
        *k = (struct wl_ort_kernel){.name = keep(arena, wl_json_read_text(node, "name")),
                                    .op = keep(arena, wl_json_read_text(node, "op")),
                                    .node = keep(arena, wl_json_read_text(node, "node")),
                                    .time_s = wl_json_read_number(node, "time_s", 0),
                                    .min_s = wl_json_read_number(node, "min_s", 0),
                                    .max_s = wl_json_read_number(node, "max_s", 0),
                                    .runs = (int32_t)wl_json_read_number(node, "runs", 0)};
        WL_TRY_PTR(k->name, err);
        WL_TRY_PTR(k->op, err);
        read_shape(node, k);
    }
    return WL_OK;
}

static wl_status read_result(const cJSON *r, const char *model, struct wl_arena *arena,
                             struct wl_ort_result *out, struct wl_error *err)
{
    const cJSON *walls = cJSON_GetObjectItemCaseSensitive(r, "wall_s");
    const char *problem = wl_json_read_text(r, "error");
    *out = (struct wl_ort_result){.version = keep(arena, wl_json_read_text(r, "version"))};
    if (problem != NULL) {
        return wl_fail(err, WL_ERR_UNSUPPORTED, model, "%s", problem);
    }
    out->wall_s = WL_ARRAY(arena, double, cJSON_GetArraySize(walls));
    WL_TRY_PTR(out->wall_s, err);
    const cJSON *wall = NULL;
    cJSON_ArrayForEach(wall, walls)
    {
        out->wall_s[out->wall_count++] = wall->valuedouble;
    }
    return read_kernels(cJSON_GetObjectItemCaseSensitive(r, "nodes"), arena, out, err);
}

wl_status wl_ort_run(struct wl_ort *o, const struct wl_ort_job *job, struct wl_arena *arena,
                     struct wl_ort_result *out, struct wl_error *err)
{
    cJSON *r = send_job(o, job) ? read_line(o) : NULL;
    if (r == NULL) {
        return wl_fail(err, WL_ERR_IO, job->model, "%s ended while it ran this", o->script);
    }
    wl_status status = read_result(r, job->model, arena, out, err);
    cJSON_Delete(r);
    return status;
}
