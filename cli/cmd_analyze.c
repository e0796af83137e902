/* SPDX-License-Identifier: Apache-2.0 */
/* cli/cmd_analyze.c: one model on one device. */
#include <stdlib.h>
#include <string.h>

#include "advice.h"
#include "analysis_options.h"
#include "analysis_run.h"
#include "llm.h"

/* What has to be closed again, in order of opening. */
struct session {
    struct wl_registry registry;
    bool registry_open;
    struct wl_model model;
    struct wl_prepared prepared;
    bool model_open;
    struct wl_result result;
    bool result_open;
    struct wl_advice advice;
    struct wl_buf text;
};

static void session_done(struct session *s)
{
    wl_buf_done(&s->text);
    if (s->result_open) {
        wl_result_done(&s->result);
    }
    if (s->model_open) {
        wl_model_done(&s->model);
    }
    if (s->registry_open) {
        wl_registry_close(&s->registry);
    }
}

static wl_status open_target(struct wl_cli_analysis *a, struct session *s, struct wl_target *target,
                             struct wl_error *err)
{
    if (a->hw == NULL) {
        return wl_fail(err, WL_ERR_USAGE, "--hw",
                       "names the device and is missing; for example --hw intel_xeon_8490h "
                       "(wattline hw list shows all)");
    }
    WL_TRY(wl_cli_open_registry(a, &s->registry, err));
    s->registry_open = true;
    WL_TRY(wl_target_resolve(&s->registry, a->hw, &a->request, target, err));
    a->request.measured = target->calibration;
    return WL_OK;
}

/* The subgraph that --explain names, by id or by name. */
static wl_status find_subgraph(const struct wl_result *r, const char *asked, int32_t *out,
                               struct wl_error *err)
{
    char *end = NULL;
    long id = strtol(asked, &end, 10);
    if (*asked != '\0' && *end == '\0' && id >= 0 && id < r->partition->count) {
        *out = (int32_t)id;
        return WL_OK;
    }
    for (int32_t i = 0; i < r->partition->count; i++) {
        if (strcmp(r->partition->subgraphs[i].name, asked) == 0) {
            *out = i;
            return WL_OK;
        }
    }
    return wl_fail(err, WL_ERR_USAGE, "--explain",
                   "\"%.80s\" is no subgraph; 0 to %d and the names of --view layers are", asked,
                   (int)r->partition->count - 1);
}

static wl_status report(const struct wl_cli_analysis *a, struct session *s, struct wl_error *err)
{
    if (a->explain != NULL) {
        int32_t subgraph;
        WL_TRY(find_subgraph(&s->result, a->explain, &subgraph, err));
        return wl_report_explain(&s->result, subgraph, &s->text, err);
    }
    return wl_report_analysis(&s->result, a->request.model_name, &a->report, &s->text, err);
}

static wl_status analyze(struct wl_cli_analysis *a, const char *model, struct session *s,
                         struct wl_error *err)
{
    struct wl_target target;
    WL_TRY(open_target(a, s, &target, err));
    if (wl_cli_wants_llm(a)) {
        WL_TRY(wl_cli_llm(a, model, &target.device, target.runtime, &s->text, err));
        return a->quiet && a->output == NULL ? WL_OK : wl_cli_output(a->output, &s->text, err);
    }
    WL_TRY(wl_cli_resolve_model(a, model, err));
    WL_TRY(wl_prepare(&a->request, target.runtime, wl_device_on_chip_bytes(&target.device),
                      &s->model, &s->prepared, err));
    s->model_open = true;
    WL_TRY(wl_analyze(&s->prepared, &target.device, target.runtime, &a->request, &s->result, err));
    s->result_open = true;
    WL_TRY(wl_cli_check_strict(a, &s->result.diags, err));
    if ((a->report.views & WL_VIEW_ADVICE) != 0) {
        WL_TRY(wl_advice_run(&a->request, &s->registry, a->hw, &a->arena, &s->advice, err));
        a->report.advice = &s->advice;
    }
    WL_TRY(report(a, s, err));
    if (a->quiet && a->output == NULL) {
        return WL_OK;
    }
    return wl_cli_output(a->output, &s->text, err);
}

int wl_cmd_analyze(int argc, char **argv)
{
    static const struct wl_option *const tables[] = {wl_device_options, wl_model_options,
                                                     wl_llm_options, NULL};
    struct wl_cli_analysis a;
    struct session s = {0};
    struct wl_error err;
    int32_t count = 0;
    int code = WL_EXIT_OK;
    wl_cli_analysis_init(&a);
    struct wl_cli_parse parse = {
        .command = "analyze",
        .synopsis = "MODEL --hw ID [options]",
        .summary = "Predicts latency, energy and what limits them, per subgraph. MODEL is an ONNX "
                   "file or a zoo\nname (wattline models list). For example:\n"
                   "  wattline analyze resnet18 --hw intel_xeon_8490h\n"
                   "  wattline analyze resnet50 --hw jetson_orin_agx_cpu --batch 8 --format json",
        .tables = tables,
        .target = &a,
        .positional_min = 1,
        .positional_max = 1};
    if (wl_cli_parse_options(&parse, argc, argv, &count, &code) == WL_OK &&
        analyze(&a, argv[1], &s, &err) != WL_OK) {
        code = wl_cli_error(&err);
    }
    session_done(&s);
    wl_cli_analysis_done(&a);
    return code;
}
