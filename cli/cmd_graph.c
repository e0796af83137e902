/* SPDX-License-Identifier: Apache-2.0 */
/* cli/cmd_graph.c: what is in a file: nodes, shapes, work, and how it is partitioned. */
#include "analysis_options.h"

static wl_status run_graph(struct wl_cli_analysis *a, struct wl_model *m, struct wl_buf *text,
                           struct wl_error *err)
{
    struct wl_partition partition;
    struct wl_partition_options options = {.fusion = a->request.fusion};
    bool partitioned = a->request.fusion != NULL;
    WL_TRY(wl_ops_count(&m->graph, err));
    if (partitioned) {
        WL_TRY(wl_partition_run(&m->graph, &options, &m->arena, &partition, err));
    }
    WL_TRY(wl_cli_check_strict(a, &m->diags, err));
    WL_TRY(wl_report_graph(m, a->request.model_name, partitioned ? &partition : NULL, &a->report,
                           text, err));
    if (a->quiet && a->output == NULL) {
        return WL_OK;
    }
    return wl_cli_output(a->output, text, err);
}

static wl_status graph(struct wl_cli_analysis *a, const char *model, struct wl_error *err)
{
    struct wl_model m;
    struct wl_buf text;
    WL_TRY(wl_cli_resolve_model(a, model, err));
    /* Symbols stay symbolic, but a partition needs numbers: then a zoo model's defaults apply. */
    bool numbers = a->request.fusion != NULL;
    struct wl_frontend_options front = {.batch = a->request.batch,
                                        .dims = a->request.dims,
                                        .dim_count = a->request.dim_count,
                                        .default_dims = a->request.default_dims,
                                        .default_dim_count =
                                            numbers ? a->request.default_dim_count : 0,
                                        .keep_symbolic = !numbers};
    WL_TRY(wl_model_load(a->request.model, &front, &m, err));
    wl_buf_init(&text);
    wl_status status = run_graph(a, &m, &text, err);
    wl_buf_done(&text);
    wl_model_done(&m);
    return status;
}

int wl_cmd_graph(int argc, char **argv)
{
    static const struct wl_option *const tables[] = {wl_model_options, NULL};
    struct wl_cli_analysis a;
    struct wl_error err;
    int32_t count = 0;
    int code = WL_EXIT_OK;
    wl_cli_analysis_init(&a);
    struct wl_cli_parse parse = {
        .command = "graph",
        .synopsis = "MODEL [options]",
        .summary = "Lists nodes, shapes and work of a model, no device needed. Sizes that are not "
                   "bound stay symbolic.\nWith --fusion PROFILE also the subgraphs. For example:\n"
                   "  wattline graph resnet18 --fusion basic\n"
                   "  wattline graph model.onnx --dim T=128 --format json",
        .tables = tables,
        .target = &a,
        .positional_min = 1,
        .positional_max = 1};
    if (wl_cli_parse_options(&parse, argc, argv, &count, &code) == WL_OK &&
        graph(&a, argv[1], &err) != WL_OK) {
        code = wl_cli_error(&err);
    }
    wl_cli_analysis_done(&a);
    return code;
}
