/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report/sweep_sink.c: files of a sweep. Text files grow as FILE.partial and are renamed when
 * complete, so that a killed sweep or a full disk never leaves half a table under the final name. A
 * database is written in transactions of at most COMMIT_POINTS points or COMMIT_SECONDS under WAL:
 * killed at any moment it holds whole points only, and loses little work.
 */
#include "sweep.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sqlite3.h>

#define COMMIT_POINTS 2000
#define COMMIT_SECONDS 0.5

enum kind { KIND_CSV, KIND_JSONL, KIND_SQLITE };

struct wl_sweep_sink {
    enum kind kind;
    char *path;
    char *partial;
    FILE *file;
    struct wl_buf line;
    sqlite3 *db;
    sqlite3_stmt *insert;
    sqlite3_stmt *find;
    int32_t pending;  /* points in the open transaction */
    double started_s; /* of the open transaction */
};

/* ---- SQLite ---------------------------------------------------------------------------------- */

static wl_status fail_db(struct wl_sweep_sink *s, const char *what, struct wl_error *err)
{
    return wl_fail(err, WL_ERR_IO, s->path, "%s: %s", what,
                   s->db == NULL ? "out of memory" : sqlite3_errmsg(s->db));
}

static wl_status execute(struct wl_sweep_sink *s, const char *sql, struct wl_error *err)
{
    return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK
               ? WL_OK
               : fail_db(s, "cannot be written", err);
}

static const char *sql_type(char kind)
{
    return kind == 's' ? "TEXT" : kind == 'i' ? "INTEGER" : "REAL";
}

/* CREATE TABLE, INSERT and SELECT from the one list of columns. */
static void table_sql(struct wl_buf *create, struct wl_buf *insert, struct wl_buf *find)
{
    int32_t count;
    const struct wl_point_column *columns = wl_point_columns(&count);
    wl_buf_puts(create, "CREATE TABLE IF NOT EXISTS points (");
    wl_buf_puts(insert, "INSERT OR REPLACE INTO points VALUES (");
    wl_buf_puts(find, "SELECT 1 FROM points WHERE ");
    for (int32_t c = 0; c < count; c++) {
        wl_buf_printf(create, "%s %s%s, ", columns[c].name, sql_type(columns[c].kind),
                      columns[c].key ? " NOT NULL" : "");
        wl_buf_puts(insert, c > 0 ? ", ?" : "?");
        if (columns[c].key) {
            wl_buf_printf(find, "%s%s = ?", c > 0 ? " AND " : "", columns[c].name);
        }
    }
    wl_buf_puts(create, "PRIMARY KEY (");
    for (int32_t c = 0; c < count && columns[c].key; c++) {
        wl_buf_printf(create, "%s%s", c > 0 ? ", " : "", columns[c].name);
    }
    wl_buf_puts(create, ")) WITHOUT ROWID");
    wl_buf_puts(insert, ")");
}

static wl_status prepare(struct wl_sweep_sink *s, const char *sql, sqlite3_stmt **out,
                         struct wl_error *err)
{
    if (sqlite3_prepare_v2(s->db, sql, -1, out, NULL) == SQLITE_OK) {
        return WL_OK;
    }
    return wl_fail(err, WL_ERR_IO, s->path,
                   "is not a database of this kind of sweep (%s); name another file",
                   sqlite3_errmsg(s->db));
}

static wl_status open_tables(struct wl_sweep_sink *s, struct wl_error *err)
{
    struct wl_buf create;
    struct wl_buf insert;
    struct wl_buf find;
    wl_buf_init(&create);
    wl_buf_init(&insert);
    wl_buf_init(&find);
    table_sql(&create, &insert, &find);
    wl_status status = create.failed || insert.failed || find.failed
                           ? wl_fail_nomem(err)
                           : execute(s, "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;", err);
    status = status == WL_OK ? execute(s, create.data, err) : status;
    status = status == WL_OK ? prepare(s, insert.data, &s->insert, err) : status;
    status = status == WL_OK ? prepare(s, find.data, &s->find, err) : status;
    wl_buf_done(&create);
    wl_buf_done(&insert);
    wl_buf_done(&find);
    return status;
}

static wl_status open_database(struct wl_sweep_sink *s, struct wl_error *err)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    if (sqlite3_open_v2(s->path, &s->db, flags, NULL) != SQLITE_OK) {
        return fail_db(s, "cannot be opened as a database", err);
    }
    (void)sqlite3_busy_timeout(s->db, 5000);
    return open_tables(s, err);
}

static void bind(sqlite3_stmt *stmt, int at, char kind, struct wl_point_value v)
{
    if (v.null) {
        (void)sqlite3_bind_null(stmt, at);
    } else if (kind == 's') {
        (void)sqlite3_bind_text(stmt, at, v.s, -1, SQLITE_TRANSIENT);
    } else if (kind == 'i') {
        (void)sqlite3_bind_int64(stmt, at, v.i);
    } else {
        (void)sqlite3_bind_double(stmt, at, v.n);
    }
}

bool wl_sweep_has(struct wl_sweep_sink *s, const struct wl_grid_row *row)
{
    int32_t count;
    const struct wl_point_column *columns = wl_point_columns(&count);
    if (s->find == NULL) {
        return false;
    }
    for (int32_t c = 0; c < count && columns[c].key; c++) {
        bind(s->find, c + 1, columns[c].kind, wl_point_value(row, c));
    }
    bool found = sqlite3_step(s->find) == SQLITE_ROW;
    (void)sqlite3_reset(s->find);
    return found;
}

static double now_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static wl_status add_to_database(struct wl_sweep_sink *s, const struct wl_grid_row *row,
                                 struct wl_error *err)
{
    int32_t count;
    const struct wl_point_column *columns = wl_point_columns(&count);
    if (s->pending == 0) {
        WL_TRY(execute(s, "BEGIN", err));
        s->started_s = now_s();
    }
    for (int32_t c = 0; c < count; c++) {
        bind(s->insert, c + 1, columns[c].kind, wl_point_value(row, c));
    }
    int result = sqlite3_step(s->insert);
    (void)sqlite3_reset(s->insert);
    if (result != SQLITE_DONE) {
        return fail_db(s, "cannot be written", err);
    }
    if (++s->pending >= COMMIT_POINTS || now_s() - s->started_s >= COMMIT_SECONDS) {
        s->pending = 0;
        return execute(s, "COMMIT", err);
    }
    return WL_OK;
}

static void close_database(struct wl_sweep_sink *s)
{
    (void)sqlite3_finalize(s->insert);
    (void)sqlite3_finalize(s->find);
    (void)sqlite3_close(s->db);
}

/* ---- text files --------------------------------------------------------------------------------
 */

static wl_status fail_file(const struct wl_sweep_sink *s, struct wl_error *err)
{
    return wl_fail(err, WL_ERR_IO, s->path, "cannot be written: %s", strerror(errno));
}

static wl_status open_text(struct wl_sweep_sink *s, struct wl_error *err)
{
    if (wl_path_is_dir(s->path)) {
        return wl_fail(err, WL_ERR_IO, s->path, "is a directory; the name of a file is needed");
    }
    s->file = fopen(s->partial, "we");
    if (s->file == NULL) {
        return fail_file(s, err);
    }
    if (s->kind == KIND_CSV) {
        wl_point_csv_header(&s->line);
        if (s->line.failed || fwrite(s->line.data, 1, s->line.len, s->file) != s->line.len) {
            return fail_file(s, err);
        }
    }
    return WL_OK;
}

static wl_status add_to_text(struct wl_sweep_sink *s, const struct wl_grid_row *row,
                             struct wl_error *err)
{
    s->line.len = 0;
    if (s->kind == KIND_CSV) {
        wl_point_csv(row, &s->line);
    } else {
        wl_point_json(row, &s->line);
    }
    if (s->line.failed) {
        return wl_fail_nomem(err);
    }
    return fwrite(s->line.data, 1, s->line.len, s->file) == s->line.len ? WL_OK : fail_file(s, err);
}

/* ---- any kind
 * ------------------------------------------------------------------------------------ */

static bool ends_with(const char *path, const char *ending)
{
    size_t len = strlen(path);
    size_t tail = strlen(ending);
    return len > tail && strcmp(path + len - tail, ending) == 0;
}

static wl_status kind_of(const char *path, enum kind *out, struct wl_error *err)
{
    static const struct {
        const char *ending;
        enum kind kind;
    } endings[] = {
        {".csv", KIND_CSV}, {".jsonl", KIND_JSONL}, {".sqlite", KIND_SQLITE}, {".db", KIND_SQLITE}};
    for (size_t i = 0; i < WL_ARRAY_LEN(endings); i++) {
        if (ends_with(path, endings[i].ending)) {
            *out = endings[i].kind;
            return WL_OK;
        }
    }
    return wl_fail(err, WL_ERR_USAGE, "--output",
                   "\"%.200s\" ends in none of .csv, .jsonl, .sqlite; the ending chooses the "
                   "format",
                   path);
}

static char *join(const char *a, const char *b)
{
    size_t la = strlen(a);
    size_t lb = strlen(b);
    char *s = wl_malloc(la + lb + 1);
    if (s != NULL) {
        memcpy(s, a, la);
        memcpy(s + la, b, lb + 1);
    }
    return s;
}

static void sink_free(struct wl_sweep_sink *s)
{
    wl_buf_done(&s->line);
    wl_free(s->path);
    wl_free(s->partial);
    wl_free(s);
}

void wl_sweep_abandon(struct wl_sweep_sink *s)
{
    if (s->kind == KIND_SQLITE) {
        close_database(s);
    } else if (s->file != NULL) {
        (void)fclose(s->file);
        (void)unlink(s->partial);
    }
    sink_free(s);
}

wl_status wl_sweep_open(const char *path, struct wl_sweep_sink **out, struct wl_error *err)
{
    enum kind kind;
    WL_TRY(kind_of(path, &kind, err));
    struct wl_sweep_sink *s = wl_malloc(sizeof(*s));
    WL_TRY_PTR(s, err);
    *s = (struct wl_sweep_sink){
        .kind = kind, .path = join(path, ""), .partial = join(path, ".partial")};
    wl_status status = s->path == NULL || s->partial == NULL ? wl_fail_nomem(err)
                       : kind == KIND_SQLITE                 ? open_database(s, err)
                                                             : open_text(s, err);
    if (status != WL_OK) {
        wl_sweep_abandon(s);
        return status;
    }
    *out = s;
    return WL_OK;
}

wl_status wl_sweep_add(struct wl_sweep_sink *s, const struct wl_grid_row *row, struct wl_error *err)
{
    return s->kind == KIND_SQLITE ? add_to_database(s, row, err) : add_to_text(s, row, err);
}

static wl_status finish_text(struct wl_sweep_sink *s, struct wl_error *err)
{
    FILE *file = s->file;
    s->file = NULL;
    if (fclose(file) != 0 || rename(s->partial, s->path) != 0) {
        wl_status status = fail_file(s, err);
        (void)unlink(s->partial);
        return status;
    }
    return WL_OK;
}

wl_status wl_sweep_finish(struct wl_sweep_sink *s, struct wl_error *err)
{
    wl_status status = WL_OK;
    if (s->kind == KIND_SQLITE) {
        if (s->pending > 0) {
            status = execute(s, "COMMIT", err);
        }
        if (status == WL_OK) {
            status = execute(s, "PRAGMA wal_checkpoint(TRUNCATE)", err);
        }
        close_database(s);
    } else {
        status = finish_text(s, err);
    }
    sink_free(s);
    return status;
}

/* ---- merging shards
 * ------------------------------------------------------------------------------- */

static wl_status merge_one(struct wl_sweep_sink *s, const char *from, struct wl_error *err)
{
    if (!wl_path_exists(from)) {
        return wl_fail(err, WL_ERR_IO, from, "does not exist; name the databases of the shards");
    }
    char *attach = sqlite3_mprintf("ATTACH %Q AS shard", from);
    if (attach == NULL) {
        return wl_fail_nomem(err);
    }
    wl_status status = WL_OK;
    if (sqlite3_exec(s->db, attach, NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(s->db, "INSERT OR REPLACE INTO points SELECT * FROM shard.points", NULL, NULL,
                     NULL) != SQLITE_OK) {
        status = wl_fail(err, WL_ERR_IO, from, "cannot be merged: %s", sqlite3_errmsg(s->db));
    }
    (void)sqlite3_exec(s->db, "DETACH shard", NULL, NULL, NULL);
    sqlite3_free(attach);
    return status;
}

wl_status wl_sweep_merge(const char *path, const char *const *from, int32_t count,
                         struct wl_error *err)
{
    struct wl_sweep_sink *s = NULL;
    enum kind kind;
    WL_TRY(kind_of(path, &kind, err));
    if (kind != KIND_SQLITE) {
        return wl_fail(err, WL_ERR_USAGE, "sweep merge",
                       "merges databases; write --output ALL.sqlite");
    }
    WL_TRY(wl_sweep_open(path, &s, err));
    for (int32_t i = 0; i < count; i++) {
        wl_status status = merge_one(s, from[i], err);
        if (status != WL_OK) {
            wl_sweep_abandon(s);
            return status;
        }
    }
    return wl_sweep_finish(s, err);
}
