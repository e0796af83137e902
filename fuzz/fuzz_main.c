/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_main: runs a libFuzzer entry point over files, so that the corpora are part of the ordinary
 * tests. Arguments: files, or directories whose files are all run (not recursively).
 */
#include <stdint.h>
#include <stdio.h>

#include "core.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *path)
{
    struct wl_file file;
    struct wl_error err;
    if (wl_file_open(path, &file, &err) != WL_OK) {
        (void)fprintf(stderr, "%s: %s\n", err.where, err.message);
        return 1;
    }
    (void)LLVMFuzzerTestOneInput(file.data, file.bytes);
    wl_file_close(&file);
    return 0;
}

static int run_directory(struct wl_arena *arena, const char *path, int32_t *files)
{
    char **names;
    int32_t count;
    struct wl_error err;
    if (wl_dir_list(arena, path, &names, &count, &err) != WL_OK) {
        (void)fprintf(stderr, "%s: %s\n", err.where, err.message);
        return 1;
    }
    int failed = 0;
    for (int32_t i = 0; i < count; i++) {
        const char *full = wl_arena_printf(arena, "%s/%s", path, names[i]);
        if (full == NULL) {
            return 1;
        }
        if (!wl_path_is_dir(full)) {
            failed |= run_file(full);
            (*files)++;
        }
    }
    return failed;
}

int main(int argc, char **argv)
{
    struct wl_arena arena;
    int failed = 0;
    int32_t files = 0;
    wl_arena_init(&arena, 0);
    for (int i = 1; i < argc; i++) {
        if (wl_path_is_dir(argv[i])) {
            failed |= run_directory(&arena, argv[i], &files);
        } else {
            failed |= run_file(argv[i]);
            files++;
        }
    }
    wl_arena_done(&arena);
    (void)printf("%d files run\n", (int)files);
    return failed;
}
