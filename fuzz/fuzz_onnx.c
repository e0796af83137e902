/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_onnx: any bytes through the whole front end, and the count of work, with dimensions bound,
 * kept symbolic, and re-batched. A failure must come with a message; a success must hold the
 * invariants of the ir.
 */
#include <stdlib.h>
#include <string.h>

#include "frontend.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void run(const uint8_t *data, size_t size, const struct wl_frontend_options *opt)
{
    struct wl_model model;
    struct wl_error err = {.code = WL_OK};
    wl_status status = wl_model_load_bytes(data, size, "fuzz", opt, &model, &err);
    if (status != WL_OK) {
        if (err.code != status || err.message[0] == '\0' || strchr(err.message, '\n') != NULL ||
            status == WL_ERR_BUG) {
            abort();
        }
        return;
    }
    if (wl_graph_verify(&model.graph, &err) != WL_OK) {
        abort();
    }
    (void)!wl_ops_count(&model.graph, &err);
    wl_model_done(&model);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct wl_dim_binding dims[] = {{"T", 5}, {"loop:Loop_0", 3}};
    const struct wl_frontend_options bound = {.default_dims = dims,
                                              .default_dim_count = (int32_t)WL_ARRAY_LEN(dims)};
    const struct wl_frontend_options symbolic = {.keep_symbolic = true};
    const struct wl_frontend_options batched = {.batch = 3, .keep_symbolic = true};
    run(data, size, &bound);
    run(data, size, &symbolic);
    run(data, size, &batched);
    return 0;
}
