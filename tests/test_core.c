/* SPDX-License-Identifier: Apache-2.0 */
/* core: arenas, strings, interning, diagnostics, files. */
#include "wl_test.h"

#include <unistd.h>

#include "core.h"

static void arena_gives_aligned_memory_and_resets(void **state)
{
    (void)state;
    struct wl_arena a;
    wl_arena_init(&a, 0);
    char *first = wl_arena_alloc(&a, 3);
    assert_non_null(first);
    struct wl_arena_mark mark = wl_arena_mark(&a);
    for (int i = 0; i < 10000; i++) {
        void *p = wl_arena_zalloc(&a, 100);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 16, 0);
    }
    assert_int_equal(a.used_bytes, 16 + 10000 * 112);
    wl_arena_reset(&a, mark);
    assert_int_equal(a.used_bytes, 16);
    assert_non_null(wl_arena_alloc(&a, 5));
    wl_arena_done(&a);
}

static void arena_keeps_its_limit(void **state)
{
    (void)state;
    struct wl_arena a;
    wl_arena_init(&a, 1000);
    assert_non_null(wl_arena_alloc(&a, 900));
    assert_null(wl_arena_alloc(&a, 200));
    assert_non_null(wl_arena_alloc(&a, 80));
    assert_null(wl_arena_alloc(&a, SIZE_MAX));
    assert_null(wl_arena_array(&a, SIZE_MAX / 2, 16));
    wl_arena_done(&a);
}

static void arena_reports_a_failed_allocation(void **state)
{
    (void)state;
    struct wl_arena a;
    wl_arena_init(&a, 0);
    wl_arena_fail_after(1);
    assert_null(wl_arena_alloc(&a, 10));
    wl_arena_fail_after(0);
    assert_non_null(wl_arena_alloc(&a, 10));
    wl_arena_done(&a);
}

static void strmap_gives_each_string_one_id(void **state)
{
    (void)state;
    struct wl_arena a;
    struct wl_strmap m;
    char name[32];
    wl_arena_init(&a, 0);
    assert_int_equal(wl_strmap_init(&m, &a), WL_OK);
    for (int i = 0; i < 5000; i++) {
        (void)snprintf(name, sizeof(name), "tensor_%d", i);
        assert_int_equal(wl_strmap_add(&m, wl_str(name)), i);
    }
    assert_int_equal(wl_strmap_find(&m, WL_STR("tensor_4321")), 4321);
    assert_int_equal(wl_strmap_add(&m, WL_STR("tensor_17")), 17);
    assert_int_equal(wl_strmap_find(&m, WL_STR("none")), WL_NONE);
    assert_int_equal(wl_strmap_add(&m, WL_STR("")), 5000);
    assert_string_equal(m.names[77].data, "tensor_77");
    wl_arena_done(&a);
}

static void utf8_is_checked(void **state)
{
    (void)state;
    assert_true(wl_utf8_valid("plain", 5));
    assert_true(wl_utf8_valid("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", 9));
    assert_false(wl_utf8_valid("\xC3", 1));
    assert_false(wl_utf8_valid("\xC0\x80", 2));
    assert_false(wl_utf8_valid("\xED\xA0\x80", 3)); /* a surrogate */
    assert_false(wl_utf8_valid("\xF4\x90\x80\x80", 4));
}

static void nearest_names_are_offered(void **state)
{
    (void)state;
    static const char *const names[] = {"amd_epyc_9654", "intel_xeon_8490h", "nvidia_h100_sxm",
                                        "nvidia_h100_pcie"};
    char out[128];
    wl_nearest_names("h100", names, 4, 3, out, sizeof(out));
    assert_string_equal(out, "nvidia_h100_sxm, nvidia_h100_pcie");
    wl_nearest_names("intel_xeon_8490", names, 4, 1, out, sizeof(out));
    assert_string_equal(out, "intel_xeon_8490h");
    wl_nearest_names("zzzzzzzzzzzzzzzz", names, 4, 3, out, sizeof(out));
    assert_string_equal(out, "");
    assert_int_equal(wl_edit_distance("kitten", "sitting"), 3);
}

static void errors_are_one_line(void **state)
{
    (void)state;
    struct wl_error err;
    assert_int_equal(wl_fail(&err, WL_ERR_INVALID, "node \"a\nb\"", "bad\nname %d", 3),
                     WL_ERR_INVALID);
    assert_string_equal(err.where, "node \"a b\"");
    assert_string_equal(err.message, "bad name 3");
    assert_int_equal(wl_fail(NULL, WL_ERR_IO, "x", "y"), WL_ERR_IO);
}

static void diagnostics_are_kept_once_and_bounded(void **state)
{
    (void)state;
    struct wl_arena a;
    struct wl_diag_list l;
    char where[32];
    wl_arena_init(&a, 0);
    wl_diag_init(&l, &a);
    wl_diag_add(&l, WL_SEV_INFO, "code", "here", "first");
    wl_diag_add(&l, WL_SEV_INFO, "code", "here", "again");
    assert_int_equal(l.count, 1);
    assert_false(wl_diag_has(&l, WL_SEV_WARNING));
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(where, sizeof(where), "node %d", i);
        wl_diag_add(&l, WL_SEV_WARNING, "code", where, "n %d", i);
    }
    assert_int_equal(l.count, WL_DIAG_MAX);
    assert_int_equal(l.dropped, 1001 - WL_DIAG_MAX);
    assert_true(wl_diag_has(&l, WL_SEV_WARNING));
    wl_arena_done(&a);
}

static void files_open_and_are_written_whole(void **state)
{
    (void)state;
    char dir[] = "wl_core_XXXXXX";
    char path[64];
    struct wl_file f;
    struct wl_error err;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/file", dir);
    assert_int_equal(wl_file_open(path, &f, &err), WL_ERR_IO);
    assert_int_equal(wl_file_open(dir, &f, &err), WL_ERR_IO);
    assert_non_null(strstr(err.message, "directory"));
    assert_int_equal(wl_file_write(path, "hello", 5, &err), WL_OK);
    assert_int_equal(wl_file_open(path, &f, &err), WL_OK);
    assert_int_equal(f.bytes, 5);
    assert_memory_equal(f.data, "hello", 5);
    wl_file_close(&f);
    assert_int_equal(wl_file_write(path, "", 0, &err), WL_OK);
    assert_int_equal(wl_file_open(path, &f, &err), WL_OK);
    assert_int_equal(f.bytes, 0);
    wl_file_close(&f);
    assert_int_equal(wl_file_write(dir, "x", 1, &err), WL_ERR_IO);
    assert_int_equal(wl_file_write("no/such/folder/f", "x", 1, &err), WL_ERR_IO);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0);
}

static void precisions_are_in_canonical_order(void **state)
{
    (void)state;
    static const char *const order[WL_PREC_COUNT] = {"fp64",  "fp32",  "tf32", "fp16",
                                                     "bf16",  "fp8",   "fp4",  "int64",
                                                     "int32", "int16", "int8", "int4"};
    for (int p = 0; p < WL_PREC_COUNT; p++) {
        assert_string_equal(wl_precision_name((enum wl_precision)p), order[p]);
        assert_int_equal(wl_precision_find(order[p]), p);
    }
    assert_int_equal(wl_precision_find("FP16"), WL_PREC_FP16);
    assert_int_equal(wl_precision_find("fp17"), WL_PREC_COUNT);
    assert_int_equal(wl_precision_bits(WL_PREC_TF32), 32);
    assert_true(wl_precision_is_float(WL_PREC_FP4));
    assert_false(wl_precision_is_float(WL_PREC_INT64));
}

static void buffers_grow_and_stay_terminated(void **state)
{
    (void)state;
    struct wl_buf b;
    wl_buf_init(&b);
    for (int i = 0; i < 1000; i++) {
        wl_buf_printf(&b, "%d,", i % 10);
    }
    assert_int_equal(b.len, 2000);
    assert_int_equal(b.data[2000], '\0');
    wl_buf_printf(&b, "%600d", 1);
    assert_int_equal(b.len, 2600);
    wl_buf_done(&b);
    wl_arena_fail_after(1);
    wl_buf_puts(&b, "x");
    wl_arena_fail_after(0);
    assert_true(b.failed);
    wl_buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_gives_aligned_memory_and_resets),
        cmocka_unit_test(arena_keeps_its_limit),
        cmocka_unit_test(arena_reports_a_failed_allocation),
        cmocka_unit_test(strmap_gives_each_string_one_id),
        cmocka_unit_test(utf8_is_checked),
        cmocka_unit_test(nearest_names_are_offered),
        cmocka_unit_test(errors_are_one_line),
        cmocka_unit_test(diagnostics_are_kept_once_and_bounded),
        cmocka_unit_test(files_open_and_are_written_whole),
        cmocka_unit_test(precisions_are_in_canonical_order),
        cmocka_unit_test(buffers_grow_and_stay_terminated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
