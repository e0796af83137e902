/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docs/adding.md shows how an operator is added by showing what adds one: the row and the fixture
 * that it quotes must be those of the tree, and the two must be all there is to it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ops.h"

/* The file without white space. */
static char *squeezed(const char *path)
{
    struct wl_file f;
    assert_int_equal(wl_file_open(path, &f, NULL), WL_OK);
    char *out = malloc(f.bytes + 1);
    assert_non_null(out);
    size_t n = 0;
    for (size_t i = 0; i < f.bytes; i++) {
        if (strchr(" \t\r\n", f.data[i]) == NULL) {
            out[n++] = (char)f.data[i];
        }
    }
    out[n] = '\0';
    wl_file_close(&f);
    return out;
}

/* What stands in the i-th pair of fences, cut out of `text`. */
static char *fenced(const char *text, int index)
{
    const char *at = text;
    for (int i = 0; i < 2 * index + 1; i++) {
        at = strstr(at, "```");
        assert_non_null(at);
        at += 3;
    }
    const char *end = strstr(at, "```");
    assert_non_null(end);
    return strndup(at, (size_t)(end - at));
}

static void test_quoted_as_it_is(void **state)
{
    (void)state;
    char *doc = squeezed(WL_SOURCE_DIR "/docs/adding.md");
    char *rows = squeezed(WL_SOURCE_DIR "/ops/rows_ms.def");
    char *fixtures = squeezed(WL_SOURCE_DIR "/tests/data/op_fixtures.txt");
    char *row = fenced(doc, 0);
    char *fixture = fenced(doc, 1);
    assert_non_null(strstr(row, "{\"QuickGelu\""));
    assert_non_null(strstr(rows, row));
    assert_non_null(strstr(fixture, "com.microsoft::QuickGelu"));
    assert_non_null(strstr(fixtures, fixture));
    free(doc);
    free(rows);
    free(fixtures);
    free(row);
    free(fixture);
}

/* The operator of the walk is found by its name and no folder but ops/ knows that name. */
static void test_row_is_enough(void **state)
{
    (void)state;
    const struct wl_op *op = wl_op_find(WL_STR("com.microsoft"), WL_STR("QuickGelu"));
    assert_non_null(op);
    assert_int_equal(op->kind, WL_OPK_MAP);
    static const char *const folders[] = {"frontend", "partition", "mappers", "pipeline", "report",
                                          "energy",   "roofline",  "memory",  "cli"};
    for (size_t i = 0; i < WL_ARRAY_LEN(folders); i++) {
        struct wl_arena arena;
        char **names;
        int32_t count;
        char folder[512];
        wl_arena_init(&arena, 0);
        (void)snprintf(folder, sizeof(folder), "%s/%s", WL_SOURCE_DIR, folders[i]);
        assert_int_equal(wl_dir_list(&arena, folder, &names, &count, NULL), WL_OK);
        for (int32_t k = 0; k < count; k++) {
            size_t len = strlen(names[k]);
            if (len < 3 || strcmp(names[k] + len - 2, ".c") != 0) {
                continue;
            }
            char *text = squeezed(wl_arena_printf(&arena, "%s/%s", folder, names[k]));
            if (strstr(text, "\"QuickGelu\"") != NULL) {
                fail_msg("%s/%s names the operator", folders[i], names[k]);
            }
            free(text);
        }
        wl_arena_done(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quoted_as_it_is),
        cmocka_unit_test(test_row_is_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
