/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evaluate: how far predictions from specification are from published measurements.
 *   evaluate kernels FILE --registry DIR
 *   evaluate models  FILE --registry DIR --models DIR
 * WL_EVALUATE_VERBOSE=1 prints every record.
 */
#include <string.h>

#include "evaluate.h"

static int usage(void)
{
    (void)fprintf(stderr, "usage: evaluate kernels|models FILE REGISTRY [MODELS]\n");
    return 2;
}

int main(int argc, char **argv)
{
    if (argc < 4 || (strcmp(argv[1], "models") == 0 && argc < 5)) {
        return usage();
    }
    struct wl_error err = {.code = WL_OK};
    struct wl_registry reg;
    const char *roots[] = {argv[3]};
    struct tally tally = {0};
    const struct wl_runtime *rt = NULL;
    if (wl_registry_open(&reg, roots, 1, &err) != WL_OK) {
        (void)fprintf(stderr, "evaluate: %s: %s\n", err.where, err.message);
        return 1;
    }
    wl_status status = WL_ERR_USAGE;
    if (strcmp(argv[1], "kernels") == 0) {
        status = wl_runtime_load(&reg, "generic", &rt, &err);
        status = status == WL_OK ? wl_evaluate_kernels(&reg, argv[2], rt, &tally, &err) : status;
    } else if (strcmp(argv[1], "models") == 0) {
        status = wl_evaluate_models(&reg, argv[2], argv[4], &tally, &err);
    }
    if (status == WL_OK) {
        static const char *const kinds[] = {"both ",    "model ",  "op ", "precision ",
                                            "runtime ", "device ", "all"};
        for (size_t i = 0; i < WL_ARRAY_LEN(kinds); i++) {
            wl_tally_print(&tally, kinds[i], stdout);
        }
    } else {
        (void)fprintf(stderr, "evaluate: %s: %s\n", err.where, err.message);
    }
    wl_tally_done(&tally);
    wl_registry_close(&reg);
    return status == WL_OK ? 0 : 1;
}
