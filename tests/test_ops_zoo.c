/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every model of the zoo at its default dims and at eight times the batch: it loads, every tensor
 * of a model without data-dependent sizes has a known shape, every operator is known, all work is a
 * number that grows with the batch. MACs equal the reference's exactly (networks with attention
 * within 0.5 %) where ../shared has one.
 */
#include <inttypes.h>

#include <cjson/cJSON.h>

#include "frontend.h"
#include "wl_test.h"

#define MODELS WL_SOURCE_DIR "/models"
#define REFERENCE WL_SHARED_DIR "/reference/torchvision-macs.json"
#define DIMS_MAX 16

static cJSON *read_json(const char *path)
{
    struct wl_file f;
    if (wl_file_open(path, &f, NULL) != WL_OK) {
        return NULL;
    }
    cJSON *json = cJSON_ParseWithLength((const char *)f.data, f.bytes);
    wl_file_close(&f);
    return json;
}

static bool data_dependent(const struct wl_graph *g)
{
    for (int32_t i = 0; i < g->dims.symbol_count; i++) {
        if (g->dims.symbols[i].data_dependent) {
            return true;
        }
    }
    return false;
}

/* Tensors whose shape has an unknown; sequences and the like have none to know. */
static int32_t unknown_shapes(const struct wl_graph *g, const char *name, bool tell)
{
    int32_t count = 0;
    for (int32_t i = 0; i < g->tensor_count; i++) {
        int64_t elems;
        const struct wl_tensor *t = &g->tensors[i];
        if (t->type_kind != WL_TYPE_TENSOR || wl_tensor_elems_known(g, i, &elems)) {
            continue;
        }
        if (t->producer != WL_NONE && wl_dim_is(g->nodes[t->producer].repeat, 0)) {
            continue; /* a branch that is never taken */
        }
        if (tell && count < 3) {
            struct wl_str s = wl_tensor_name(g, i);
            printf("  %s: shape of %.*s is unknown (rank %d)\n", name, WL_STR_ARG(s), t->rank);
        }
        count++;
    }
    return count;
}

static int32_t ignored_nodes(const struct wl_graph *g)
{
    int32_t count = 0;
    for (int32_t i = 0; i < g->node_count; i++) {
        count += g->nodes[i].status == WL_NODE_IGNORED ? 1 : 0;
    }
    return count;
}

static struct wl_dim total_macs(struct wl_graph *g)
{
    struct wl_dim sum = wl_dim_known(0);
    for (int32_t i = 0; i < g->node_count; i++) {
        struct wl_dim macs = wl_dim_mul(&g->dims, g->work[i].macs, g->nodes[i].repeat);
        sum = wl_dim_add(&g->dims, sum, macs);
    }
    return sum;
}

/* MACs at this batch (0: the default); -1 when unknown. Counts complaints. */
static int64_t check_model(const cJSON *entry, int64_t batch, int *complaints)
{
    struct wl_model m;
    struct wl_error err = {0};
    char path[512];
    struct wl_dim_binding dims[DIMS_MAX];
    struct wl_frontend_options opt = {.batch = batch, .default_dims = dims};
    const char *name = cJSON_GetObjectItem(entry, "name")->valuestring;
    const cJSON *dim;
    cJSON_ArrayForEach(dim, cJSON_GetObjectItem(entry, "dims"))
    {
        assert_true(opt.default_dim_count < DIMS_MAX);
        dims[opt.default_dim_count++] =
            (struct wl_dim_binding){dim->string, (int64_t)dim->valuedouble};
    }
    (void)snprintf(path, sizeof(path), "%s/%s", MODELS,
                   cJSON_GetObjectItem(entry, "file")->valuestring);
    if (wl_model_load(path, &opt, &m, &err) != WL_OK) {
        printf("%s batch %" PRId64 ": %s: %s\n", name, batch, err.where, err.message);
        (*complaints)++;
        return -1;
    }
    if (wl_ops_count(&m.graph, &err) != WL_OK) {
        printf("%s: %s: %s\n", name, err.where, err.message);
        (*complaints)++;
    }
    bool dependent = data_dependent(&m.graph);
    int32_t unknown = unknown_shapes(&m.graph, name, !dependent);
    int32_t ignored = ignored_nodes(&m.graph);
    struct wl_dim macs = total_macs(&m.graph);
    bool bad = ignored > 0 || (!dependent && (unknown > 0 || !wl_dim_is_known(macs)));
    for (int32_t i = 0; i < m.diags.count; i++) {
        bool conflict = strcmp(m.diags.items[i].code, "shape-conflict") == 0 ||
                        strcmp(m.diags.items[i].code, "shape-mismatch") == 0;
        bad = bad || conflict;
        if (conflict) {
            printf("  %s: %s: %s\n", name, m.diags.items[i].where, m.diags.items[i].message);
        }
    }
    if (bad) {
        printf("%s batch %" PRId64 ": %d unknown shapes, %d operators ignored\n", name, batch,
               unknown, ignored);
        (*complaints)++;
    }
    wl_model_done(&m);
    return wl_dim_is_known(macs) ? macs.value : -1;
}

static void check_reference(const cJSON *reference, const char *name, int64_t macs, int *complaints)
{
    const cJSON *entry = cJSON_GetObjectItem(reference, name);
    if (entry == NULL) {
        return;
    }
    int64_t want = (int64_t)cJSON_GetObjectItem(entry, "macs")->valuedouble;
    bool attention = strncmp(name, "vit", 3) == 0 || strncmp(name, "swin", 4) == 0;
    double error = (double)(macs > want ? macs - want : want - macs) / (double)want;
    if (attention ? error > 0.005 : macs != want) {
        printf("%s: %" PRId64 " MACs, reference %" PRId64 " (%+.4f %%)\n", name, macs, want,
               100.0 * (double)(macs - want) / (double)want);
        (*complaints)++;
    }
}

static void test_zoo(void **state)
{
    int complaints = 0;
    int models = 0;
    cJSON *zoo = read_json(MODELS "/models.json");
    cJSON *reference = read_json(REFERENCE);
    const cJSON *entry;
    (void)state;
    assert_non_null(zoo);
    cJSON_ArrayForEach(entry, cJSON_GetObjectItem(zoo, "models"))
    {
        const char *name = cJSON_GetObjectItem(entry, "name")->valuestring;
        int64_t macs = check_model(entry, 0, &complaints);
        models++;
        if (cJSON_GetObjectItem(cJSON_GetObjectItem(entry, "dims"), "N") != NULL) {
            int64_t eight = check_model(entry, 8, &complaints);
            if (macs > 0 && eight <= macs) {
                printf("%s: %" PRId64 " MACs at batch 8, %" PRId64 " at 1\n", name, eight, macs);
                complaints++;
            }
        }
        if (reference != NULL) {
            check_reference(reference, name, macs, &complaints);
        }
    }
    printf("zoo: %d models, %d complaints\n", models, complaints);
    cJSON_Delete(zoo);
    cJSON_Delete(reference);
    assert_int_equal(complaints, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_zoo)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
