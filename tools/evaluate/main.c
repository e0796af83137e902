/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evaluate: how far predictions from specification are from published measurements.
 *   wattline_evaluate models|kernels|host|energy|eyeriss|fit|leave-out [--data DIR] [--registry
 * DIR]
 *                     [--models DIR] [--format text|csv|json] [--records core|all] [--runtime NAME]
 *                     [--host DIR]
 */
#include <string.h>

#include "evaluate.h"

struct options {
    const char *what, *data, *registry, *models, *format, *records, *runtime, *host;
};

static int usage(void)
{
    (void)fprintf(
        stderr,
        "usage: wattline_evaluate models|kernels|host|energy|eyeriss|fit|leave-out [--data DIR] "
        "[--registry DIR] [--models DIR] [--format text|csv|json] [--records core|all] "
        "[--runtime NAME] [--host DIR]\n");
    return 2;
}

static bool read_options(int argc, char **argv, struct options *o)
{
    const char *const names[] = {"--data",    "--registry", "--models", "--format",
                                 "--records", "--runtime",  "--host"};
    const char **values[] = {&o->data,    &o->registry, &o->models, &o->format,
                             &o->records, &o->runtime,  &o->host};
    *o = (struct options){.data = "../shared/reference",
                          .registry = "registry",
                          .models = "models",
                          .format = "text",
                          .records = "core"};
    o->what = argc > 1 ? argv[1] : "";
    for (int i = 2; i < argc; i += 2) {
        bool known = false;
        for (size_t k = 0; k < WL_ARRAY_LEN(names) && i + 1 < argc; k++) {
            if (strcmp(argv[i], names[k]) == 0) {
                *values[k] = argv[i + 1];
                known = true;
            }
        }
        if (!known) {
            return false;
        }
    }
    bool format = strcmp(o->format, "text") == 0 || strcmp(o->format, "csv") == 0 ||
                  strcmp(o->format, "json") == 0;
    static const char *const all[] = {"models",  "kernels", "host",     "energy",
                                      "eyeriss", "fit",     "leave-out"};
    bool known = false;
    for (size_t i = 0; i < WL_ARRAY_LEN(all); i++) {
        known = known || strcmp(o->what, all[i]) == 0;
    }
    return format && known;
}

static wl_status evaluate(struct wl_registry *reg, const struct options *o, struct samples *out,
                          struct wl_error *err)
{
    char path[1024];
    bool kernels = strcmp(o->what, "kernels") == 0;
    (void)snprintf(path, sizeof(path), "%s/%s", o->data,
                   kernels ? "ground-truth-kernels.json" : "ground-truth.json");
    if (kernels) {
        const struct wl_runtime *rt = NULL;
        WL_TRY(wl_runtime_load(reg, "generic", &rt, err));
        return wl_evaluate_kernels(reg, path, rt, out, err);
    }
    if (strcmp(o->what, "host") == 0) {
        return wl_evaluate_host(reg, out, err);
    }
    if (strcmp(o->what, "eyeriss") == 0) {
        return wl_evaluate_eyeriss(reg, path, out, err);
    }
    if (strcmp(o->what, "energy") == 0) {
        return wl_evaluate_energy(reg, path, o->models, out, err);
    }
    if (strcmp(o->what, "fit") == 0 || strcmp(o->what, "leave-out") == 0) {
        return wl_evaluate_fit(reg, path, o->models, o->runtime, o->what[0] == 'l', err);
    }
    enum record_choice choice = strcmp(o->records, "all") == 0 ? RECORDS_ALL : RECORDS_CORE;
    return wl_evaluate_models(reg, path, o->models, choice, out, err);
}

int main(int argc, char **argv)
{
    struct options o;
    if (!read_options(argc, argv, &o)) {
        return usage();
    }
    struct wl_error err = {.code = WL_OK};
    struct wl_registry reg;
    struct samples samples = {0};
    const char *const roots[] = {o.registry, o.host};
    wl_status status = wl_registry_open(&reg, roots, o.host != NULL ? 2 : 1, &err);
    if (status == WL_OK) {
        status = evaluate(&reg, &o, &samples, &err);
        wl_registry_close(&reg);
    }
    if (status != WL_OK) {
        (void)fprintf(stderr, "evaluate: %s: %s\n", err.where, err.message);
    } else {
        wl_samples_split(&samples, strcmp(o.what, "kernels") == 0);
        if (samples.count == 0) {
            /* A fit prints by itself. */
        } else if (strcmp(o.format, "csv") == 0) {
            wl_samples_csv(&samples, stdout);
        } else if (strcmp(o.format, "json") == 0) {
            wl_samples_json(&samples, stdout);
        } else {
            wl_samples_text(&samples, stdout);
        }
    }
    wl_samples_done(&samples);
    return status == WL_OK ? 0 : 1;
}
