/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The other end of the pipe: a shell script answers in place of ONNX Runtime. Results, refusals, an
 * end in the middle, absent programs; profiles from files.
 */
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "onnxruntime.h"
#include "ort.h"
#include "wl_test.h"

static char folder[64];

static void write_file(const char *name, const char *text)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static wl_status open_script(struct wl_ort *o, const char *text, struct wl_error *err)
{
    char version[32];
    write_file("script", text);
    wl_status status = wl_ort_open(o, "sh", folder, "script", NULL, version, sizeof(version), err);
    if (status == WL_OK) {
        assert_string_equal(version, "7.1");
    }
    return status;
}

/* Whatever their number, each file has its turn. */
static void test_stride(void **state)
{
    (void)state;
    for (int32_t count = 1; count < 400; count++) {
        bool seen[400] = {false};
        int32_t step = wl_ort_stride(count);
        for (int32_t i = 0; i < count; i++) {
            int32_t at = (int32_t)(((int64_t)i * step) % count);
            assert_false(seen[at]);
            seen[at] = true;
        }
    }
}

/* What is left of a profiled time: at least an eighth. */
static void test_without_profile(void **state)
{
    (void)state;
    assert_true(wl_ort_without_profile(8e-6, 1e-6) == 8e-6 - 1e-6);
    assert_true(wl_ort_without_profile(8e-7, 1e-6) == 1e-7);
}

static void test_result(void **state)
{
    (void)state;
    struct wl_ort o;
    struct wl_error err = {0};
    struct wl_arena arena;
    struct wl_ort_result r;
    const struct wl_ort_dim dims[] = {{"N", 8}};
    struct wl_ort_job job = {.model = "m.onnx", .threads = 2, .dims = dims, .dim_count = 1};
    wl_arena_init(&arena, 0);
    /* The answer holds what was asked: the script finds the batch in the line it reads. */
    assert_int_equal(
        open_script(&o,
                    "echo '{\"version\": \"7.1\"}'\nread line\n"
                    "case $line in *'\"N\":8'*) t=0.25;; *) t=9;; esac\n"
                    "echo '{\"version\": \"7.1\", \"wall_s\": ['$t', 0.5], \"nodes\": [{\"name\": "
                    "\"a_nchwc\", \"op\": \"Conv\", \"node\": \"a\", \"runs\": 3, \"time_s\": "
                    "0.125, \"min_s\": 0.1, \"max_s\": 0.2, \"input\": [[1, 3, 4], [9]]}]}'\n",
                    &err),
        WL_OK);
    assert_int_equal(wl_ort_run(&o, &job, &arena, &r, &err), WL_OK);
    assert_int_equal(r.wall_count, 2);
    assert_true(r.wall_s[0] == 0.25 && r.wall_s[1] == 0.5);
    assert_int_equal(r.kernel_count, 1);
    assert_string_equal(r.kernels[0].node, "a");
    assert_true(r.kernels[0].elements == 12 && r.kernels[0].columns == 4);
    assert_true(r.kernels[0].time_s == 0.125 && r.kernels[0].runs == 3);
    /* The script has ended: the next run says so. */
    assert_int_equal(wl_ort_run(&o, &job, &arena, &r, &err), WL_ERR_IO);
    assert_non_null(strstr(err.message, "ended while it ran this"));
    wl_ort_close(&o);
    wl_arena_done(&arena);
}

static void test_refusals(void **state)
{
    (void)state;
    struct wl_ort o;
    struct wl_error err = {0};
    struct wl_arena arena;
    struct wl_ort_result r;
    struct wl_ort_job job = {.model = "m.onnx", .threads = 1};
    wl_arena_init(&arena, 0);
    assert_int_equal(open_script(&o, "echo '{\"error\": \"npm install it\"}'\n", &err),
                     WL_ERR_UNSUPPORTED);
    assert_string_equal(err.message, "npm install it");
    assert_int_equal(open_script(&o, "exit 3\n", &err), WL_ERR_UNSUPPORTED);
    assert_int_equal(open_script(&o, "echo nonsense\n", &err), WL_ERR_UNSUPPORTED);
    assert_int_equal(wl_ort_open(&o, "no-such-interpreter", folder, "script", NULL, NULL, 0, &err),
                     WL_ERR_UNSUPPORTED);
    assert_int_equal(wl_ort_open(&o, "sh", folder, "none", NULL, NULL, 0, &err),
                     WL_ERR_UNSUPPORTED);
    assert_int_equal(open_script(&o,
                                 "echo '{\"version\": \"7.1\"}'\nread line\n"
                                 "echo '{\"error\": \"no such operator\"}'\nread line\n",
                                 &err),
                     WL_OK);
    assert_int_equal(wl_ort_run(&o, &job, &arena, &r, &err), WL_ERR_UNSUPPORTED);
    assert_string_equal(err.message, "no such operator");
    wl_ort_close(&o);
    wl_arena_done(&arena);
}

/* Four runs of one kernel: 10, 30, 20 and 200 microseconds; the middle half is 20 and 30. */
static void test_profile(void **state)
{
    (void)state;
    char path[128];
    struct wl_error err = {0};
    struct wl_arena arena;
    struct wl_ort_result r;
    wl_arena_init(&arena, 0);
    (void)snprintf(path, sizeof(path), "%s/profile.json", folder);
    write_file("profile.json",
               "[{\"cat\": \"Session\", \"name\": \"model_run\", \"dur\": 400},"
               "{\"cat\": \"Node\", \"name\": \"c_kernel_time\", \"dur\": 10, \"args\": "
               "{\"op_name\": \"Conv\"}},"
               "{\"cat\": \"Node\", \"name\": \"c_kernel_time\", \"dur\": 30},"
               "{\"cat\": \"Node\", \"name\": \"c_fence_before\", \"dur\": 5},"
               "{\"cat\": \"Node\", \"name\": \"c_kernel_time\", \"dur\": 20},"
               "{\"cat\": \"Node\", \"name\": \"c_kernel_time\", \"dur\": 200}]");
    assert_int_equal(wl_ort_profile_read(path, &arena, &r, &err), WL_OK);
    assert_int_equal(r.kernel_count, 1);
    assert_string_equal(r.kernels[0].op, "Conv");
    assert_true(fabs(r.kernels[0].time_s - 25e-6) < 1e-12 && r.kernels[0].runs == 4);
    assert_true(r.wall_count == 1 && fabs(r.wall_s[0] - 400e-6) < 1e-12);
    write_file("profile.json", "[]");
    assert_int_equal(wl_ort_profile_read(path, &arena, &r, &err), WL_ERR_INVALID);
    write_file("profile.json", "{\"a\": [1, ");
    assert_int_equal(wl_ort_profile_read(path, &arena, &r, &err), WL_ERR_PARSE);
    (void)unlink(path);
    assert_int_equal(wl_ort_profile_read(path, &arena, &r, &err), WL_ERR_IO);
    wl_arena_done(&arena);
}

static bool known(void *user, const char *name)
{
    return strcmp(user, name) == 0;
}

static void test_trace(void **state)
{
    (void)state;
    struct wl_arena arena;
    char node[] = "/layer1/conv";
    wl_arena_init(&arena, 0);
    assert_string_equal(wl_ort_trace_name("/layer1/conv", known, node, &arena), node);
    assert_string_equal(wl_ort_trace_name("/layer1/conv_nchwc", known, node, &arena), node);
    assert_string_equal(wl_ort_trace_name("/layer1/conv_bn_nchwc_token_12", known, node, &arena),
                        node);
    assert_null(wl_ort_trace_name("ReorderInput_token_3", known, node, &arena));
    wl_arena_done(&arena);
}

static int make_folder(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof(folder), "/tmp/wattline-ort-XXXXXX");
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int drop_folder(void **state)
{
    char path[128];
    (void)state;
    (void)snprintf(path, sizeof(path), "%s/script", folder);
    (void)unlink(path);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stride),  cmocka_unit_test(test_without_profile),
        cmocka_unit_test(test_result),  cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_profile), cmocka_unit_test(test_trace),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
