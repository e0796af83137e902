/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hardware/check.c: the linter behind `hw check`. Beyond what loading demands it holds a spec
 * against itself: derived peaks against the datasheet's dense ones (1 %), bandwidths that should
 * not grow outwards, watts of a saturating GEMM against the power limit (35 to 130 %, where the
 * limit is a datasheet figure of the device alone).
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "registry_priv.h"

#define PEAK_TOLERANCE 0.01
#define GEMM_POWER_LOW 0.35
#define GEMM_POWER_HIGH 1.30

/* Peak of one kind of pipe for a precision: the best pipe name, all groups added. */
static double kind_peak(const struct wl_device *d, enum wl_pipe_kind kind, enum wl_precision prec)
{
    double most = 0;
    for (int32_t i = 0; i < d->pipe_count; i++) {
        double sum = 0;
        for (int32_t j = 0; j < d->pipe_count; j++) {
            bool same = d->pipes[j].kind == kind && strcmp(d->pipes[j].name, d->pipes[i].name) == 0;
            sum += same ? wl_pipe_peak(d, &d->pipes[j], prec) : 0;
        }
        most = fmax(most, sum);
    }
    return most;
}

static void check_peaks(struct wl_problems *p, const struct wl_spec *s, const struct wl_device *d,
                        enum wl_pipe_kind kind)
{
    const struct wl_spec_datasheet *sheet = &s->file.datasheet;
    const struct wl_num *stated =
        kind == WL_PIPE_VECTOR ? sheet->vector_ops_per_s : sheet->matrix_ops_per_s;
    for (int i = 0; i < WL_PREC_COUNT; i++) {
        enum wl_precision prec = (enum wl_precision)i;
        double derived = kind_peak(d, kind, prec);
        if (!stated[i].given) {
            continue;
        }
        double off = derived / stated[i].value - 1;
        if (fabs(off) > PEAK_TOLERANCE) {
            char path[96];
            (void)snprintf(path, sizeof(path), "/datasheet/%s_ops_per_s/%s",
                           wl_pipe_kind_name(kind), wl_precision_name(prec));
            bool explained = sheet->note != NULL;
            wl_problem_add(
                p, explained, path,
                "derived %.5g ops/s (units x operations per cycle x clock) is %+.1f %% off "
                "the stated %.5g%s%s",
                derived, 100 * off, stated[i].value,
                explained ? "; explained: "
                          : "; correct ops_per_cycle, count or clock_hz, state the dense "
                            "figure, or say why in /datasheet/explanation",
                explained ? sheet->note : "");
        }
    }
}

static void check_levels(struct wl_problems *p, const struct wl_device *d)
{
    for (int32_t i = 1; i < d->level_count; i++) {
        const struct wl_level *inner = &d->levels[i - 1], *outer = &d->levels[i];
        char path[64];
        (void)snprintf(path, sizeof(path), "/memory (%s)", outer->name);
        if (outer->bandwidth_bps > inner->bandwidth_bps * 1.001) {
            wl_problem_add(p, true, path, "%.4g B/s is more than %s inside it has (%.4g B/s)",
                           outer->bandwidth_bps, inner->name, inner->bandwidth_bps);
        }
        int64_t inside = inner->capacity_bytes * inner->instances;
        if (outer->capacity_bytes > 0 && outer->capacity_bytes * outer->instances < inside &&
            outer->is_main) {
            wl_problem_add(p, true, path, "is smaller than %s inside it", inner->name);
        }
    }
}

bool wl_device_power_checkable(const struct wl_device *d)
{
    return d->power_scope == WL_POWER_DEVICE && d->power_basis == WL_BASIS_DATASHEET;
}

/*
 * The main precisions: what a user buys the device for. Of each width the type that the fastest
 * pipe has: 16 bit and int8 where a matrix pipe serves them; fp32, and int8 on vectors, where none
 * does.
 */
bool wl_device_main_precision(const struct wl_device *d, enum wl_precision prec)
{
    const struct wl_pipe *p = NULL;
    if (wl_device_peak(d, prec, &p) <= 0) {
        return false;
    }
    bool matrix = p->kind == WL_PIPE_MATRIX;
    bool matrix16 = false;
    const enum wl_precision halves[] = {WL_PREC_FP16, WL_PREC_BF16};
    for (size_t i = 0; i < WL_ARRAY_LEN(halves); i++) {
        const struct wl_pipe *h = NULL;
        matrix16 = matrix16 || (wl_device_peak(d, halves[i], &h) > 0 && h->kind == WL_PIPE_MATRIX);
    }
    if (prec == WL_PREC_FP32) {
        return d->class == WL_HW_CPU || !matrix16;
    }
    return (prec == WL_PREC_FP16 || prec == WL_PREC_BF16 || prec == WL_PREC_INT8) && matrix;
}

static void check_gemm_power(struct wl_problems *p, const struct wl_device *d)
{
    if (!wl_device_power_checkable(d)) {
        return;
    }
    for (int i = 0; i < WL_PREC_COUNT; i++) {
        enum wl_precision prec = (enum wl_precision)i;
        if (!wl_device_main_precision(d, prec)) {
            continue;
        }
        double share = wl_device_gemm_power_w(d, prec) / d->power_limit_w;
        if (share < GEMM_POWER_LOW || share > GEMM_POWER_HIGH) {
            wl_problem_add(
                p, false, "/energy/core_scale",
                "a saturating %s GEMM would draw %.0f %% of the %g W limit before it binds; "
                "35 to 130 %% is plausible: set core_scale near %.2g",
                wl_precision_name(prec), 100 * share, d->power_limit_w, 0.8 / share);
        }
    }
}

wl_status wl_spec_check(struct wl_registry *r, const char *path, struct wl_hw_problem **problems,
                        int32_t *count, struct wl_error *err)
{
    struct wl_problems p;
    wl_problems_init(&p, &r->arena, path);
    struct wl_spec *s = NULL;
    WL_TRY(wl_spec_read(r, path, &p, &s, err));
    if (wl_problems_status(&p, NULL) == WL_OK) {
        for (int32_t i = 0; i < wl_spec_mode_count(s); i++) {
            struct wl_device d;
            const char *mode = s->file.power_modes.count > 0 ? wl_spec_mode_name(s, i) : NULL;
            WL_TRY(wl_spec_device(s, mode, &d, err));
            bool sheet = s->file.datasheet.power_mode == NULL ||
                         (mode != NULL && wl_mode_names_match(mode, s->file.datasheet.power_mode));
            if (sheet && (i == 0 || s->file.datasheet.power_mode != NULL)) {
                check_peaks(&p, s, &d, WL_PIPE_VECTOR);
                check_peaks(&p, s, &d, WL_PIPE_MATRIX);
            }
            if (i == 0) {
                check_levels(&p, &d);
                check_gemm_power(&p, &d);
            }
        }
    }
    if (p.nomem) {
        return wl_fail_nomem(err);
    }
    *problems = p.items;
    *count = p.count;
    return WL_OK;
}

/* ---- files of any kind
 * --------------------------------------------------------------------------- */

static wl_status check_table(struct wl_registry *r, const char *path,
                             const struct wl_field_table *table, struct wl_hw_problem **problems,
                             int32_t *count, struct wl_error *err)
{
    cJSON *json = NULL;
    WL_TRY(wl_json_read(path, &json, err));
    struct wl_problems p;
    wl_problems_init(&p, &r->arena, path);
    void *unused = wl_arena_zalloc(&r->arena, table->bytes);
    if (unused != NULL) {
        wl_decode(&r->arena, &p, json, table, (struct wl_provenance){WL_BASIS_DATASHEET, NULL},
                  unused);
    }
    cJSON_Delete(json);
    if (unused == NULL || p.nomem) {
        return wl_fail_nomem(err);
    }
    *problems = p.items;
    *count = p.count;
    return WL_OK;
}

/* A key that only one kind of file has; a spec is what is left. */
static const struct {
    const char *key, *kind;
} kinds[] = {{"entries", "calibration"}, {"fusion", "runtime"},          {"events", "class"},
             {"nm", "process"},          {"read_pj_per_byte", "memory"}, {"efficiency", "memory"}};

static wl_status kind_of(const char *path, const char **kind, struct wl_error *err)
{
    cJSON *json = NULL;
    WL_TRY(wl_json_read(path, &json, err));
    *kind = "spec";
    for (size_t i = 0; i < WL_ARRAY_LEN(kinds); i++) {
        if (cJSON_GetObjectItemCaseSensitive(json, kinds[i].key) != NULL) {
            *kind = kinds[i].kind;
            break;
        }
    }
    cJSON_Delete(json);
    return WL_OK;
}

wl_status wl_hw_check(struct wl_registry *r, const char *path, const char **kind,
                      struct wl_hw_problem **problems, int32_t *count, struct wl_error *err)
{
    WL_TRY(kind_of(path, kind, err));
    if (strcmp(*kind, "calibration") == 0) {
        return wl_calibration_check(r, path, problems, count, err);
    }
    if (strcmp(*kind, "runtime") == 0) {
        return wl_runtime_check(r, path, problems, count, err);
    }
    if (strcmp(*kind, "class") == 0) {
        return check_table(r, path, &wl_class_table, problems, count, err);
    }
    if (strcmp(*kind, "process") == 0) {
        return check_table(r, path, &wl_process_table, problems, count, err);
    }
    if (strcmp(*kind, "memory") == 0) {
        return check_table(r, path, &wl_memory_table, problems, count, err);
    }
    return wl_spec_check(r, path, problems, count, err);
}
