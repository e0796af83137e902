/* SPDX-License-Identifier: Apache-2.0 */
/* The operator table as data: sorted, unique, complete, sane. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "frontend.h"

#define NAMES WL_SOURCE_DIR "/tests/data/onnx_operators.txt"

static void test_sorted_and_unique(void **state)
{
    int32_t count;
    const struct wl_op *rows = wl_op_table(&count);
    (void)state;
    for (int32_t i = 1; i < count; i++) {
        int order = strcmp(rows[i - 1].domain, rows[i].domain);
        if (order == 0) {
            order = strcmp(rows[i - 1].name, rows[i].name);
        }
        if (order >= 0) {
            fail_msg("%s.%s after %s.%s", rows[i].domain, rows[i].name, rows[i - 1].domain,
                     rows[i - 1].name);
        }
    }
}

static void test_rows_are_sane(void **state)
{
    int32_t count;
    const struct wl_op *rows = wl_op_table(&count);
    (void)state;
    for (int32_t i = 0; i < count; i++) {
        const struct wl_op *r = &rows[i];
        bool sane = r->infer != NULL && r->cost != NULL && r->in.min >= 0 && r->out.min >= 0 &&
                    (r->in.max == -1 || r->in.max >= r->in.min) &&
                    (r->out.max == -1 || r->out.max >= r->out.min) && r->out.max != 0 &&
                    r->since >= 1 && r->ops_per_elem >= 0 && (unsigned)r->kind < WL_OPK_COUNT &&
                    (unsigned)r->work < WL_WORK_COUNT;
        if (!sane) {
            fail_msg("row of %s.%s", r->domain, r->name);
        }
    }
}

static void test_views_cost_nothing(void **state)
{
    int32_t count;
    const struct wl_op *rows = wl_op_table(&count);
    (void)state;
    for (int32_t i = 0; i < count; i++) {
        bool view = rows[i].kind == WL_OPK_VIEW;
        bool meta = rows[i].kind == WL_OPK_META;
        if ((view || meta) && rows[i].ops_per_elem != 0) {
            fail_msg("%s works", rows[i].name);
        }
        if (view != ((rows[i].flags & WL_OPF_VIEW) != 0)) {
            fail_msg("%s: kind view without the flag, or the flag without the kind", rows[i].name);
        }
    }
}

static void test_lookup(void **state)
{
    int32_t count;
    const struct wl_op *rows = wl_op_table(&count);
    (void)state;
    for (int32_t i = 0; i < count; i++) {
        assert_ptr_equal(wl_op_find(wl_str(rows[i].domain), wl_str(rows[i].name)), &rows[i]);
    }
    assert_ptr_equal(wl_op_find(WL_STR("ai.onnx"), WL_STR("Conv")),
                     wl_op_find(WL_STR(""), WL_STR("Conv")));
    /* ONNX Runtime writes some of its operators into the default domain. */
    assert_ptr_equal(wl_op_find(WL_STR(""), WL_STR("SimplifiedLayerNormalization")),
                     wl_op_find(WL_STR("com.microsoft"), WL_STR("SimplifiedLayerNormalization")));
    assert_non_null(wl_op_find(WL_STR(""), WL_STR("SimplifiedLayerNormalization")));
    assert_null(wl_op_find(WL_STR(""), WL_STR("NoSuchOperator")));
    assert_null(wl_op_find(WL_STR("no.such.domain"), WL_STR("Conv")));
    assert_null(wl_op_find(WL_STR(""), WL_STR("")));
}

/* The default domain's names are exactly those of the list, in its order. */
static void test_names_match_the_list(void **state)
{
    struct wl_file f;
    int32_t count;
    int32_t row = 0;
    const struct wl_op *rows = wl_op_table(&count);
    (void)state;
    assert_int_equal(wl_file_open(NAMES, &f, NULL), WL_OK);
    const char *at = (const char *)f.data;
    const char *end = at + f.bytes;
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        stop = stop == NULL ? end : stop;
        struct wl_str name = {at, (size_t)(stop - at)};
        at = stop + 1;
        if (name.len == 0 || name.data[0] == '#') {
            continue;
        }
        if (row >= count || rows[row].domain[0] != '\0' || !wl_str_is(name, rows[row].name)) {
            fail_msg("the list has %.*s where the table has %s", WL_STR_ARG(name),
                     row < count ? rows[row].name : "nothing");
        }
        row++;
    }
    wl_file_close(&f);
    assert_int_equal(row, 203);
    assert_true(row == count || rows[row].domain[0] != '\0');
}

static void test_names_of_enums(void **state)
{
    (void)state;
    for (int k = 0; k < WL_OPK_COUNT; k++) {
        assert_non_null(wl_op_kind_name((enum wl_op_kind)k));
        assert_string_not_equal(wl_op_kind_name((enum wl_op_kind)k), "?");
    }
    for (int k = 0; k < WL_WORK_COUNT; k++) {
        assert_string_not_equal(wl_work_kind_name((enum wl_work_kind)k), "?");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sorted_and_unique),    cmocka_unit_test(test_rows_are_sane),
        cmocka_unit_test(test_views_cost_nothing),   cmocka_unit_test(test_lookup),
        cmocka_unit_test(test_names_match_the_list), cmocka_unit_test(test_names_of_enums),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
