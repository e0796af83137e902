/* SPDX-License-Identifier: Apache-2.0 */
/* evaluate: published measurements against wattline's predictions. */
#ifndef WL_EVALUATE_H
#define WL_EVALUATE_H

#include <cjson/cJSON.h>
#include <stdio.h>

#include "pipeline.h"

enum sample_kind {
    SAMPLE_LATENCY,     /* seconds per batch */
    SAMPLE_THROUGHPUT,  /* samples per second */
    SAMPLE_ENERGY,      /* joules per sample, chip or board */
    SAMPLE_WALL_ENERGY, /* joules per sample of a whole server: an upper bound */
    SAMPLE_POWER,       /* watts of the chip */
    SAMPLE_KIND_COUNT
};

/* A measurement and its prediction. */
struct sample {
    char device[48], model[64], precision[16], runtime[24], class[24], note[64];
    double measured, predicted;
    double latency_ratio; /* energies: predicted / measured latency; 0: not measured */
    int64_t batch;
    int32_t threads;
    enum sample_kind kind;
    bool fitted; /* of a device that efficiencies were fitted on */
};

struct samples {
    struct sample *items;
    int32_t count, capacity;
};

void wl_samples_add(struct samples *s, const struct sample *sample);
/*
 * Marks the devices that efficiencies are fitted on. Kernels (`by` NULL): V100 PCIe and A100 PCIe
 * 40 GB. Models: of the devices in the samples `by`, sorted by id, every other one beginning with
 * the first.
 */
void wl_samples_split(struct samples *s, const struct samples *by);
/* Count, median, mean and 90th percentile of the absolute relative error and the median ratio
   predicted / measured: of all, by fitted or not, and by class, runtime, device, precision, model.
 */
void wl_samples_text(const struct samples *s, FILE *out);
/* One line per sample. */
void wl_samples_csv(const struct samples *s, FILE *out);
void wl_samples_json(const struct samples *s, FILE *out);
void wl_samples_done(struct samples *s);

/* ground-truth-kernels.json. */
wl_status wl_evaluate_kernels(struct wl_registry *reg, const char *path,
                              const struct wl_runtime *runtime, struct samples *out,
                              struct wl_error *err);

/* One record of ground-truth.json. */
struct record {
    const char *device, *model, *runtime, *precision, *power_mode;
    double measured; /* seconds, samples per second, or joules per sample */
    int64_t batch, tokens;
    int64_t cached; /* tokens in the key-value cache of a decoder */
    int32_t threads;
    enum sample_kind kind;
};

/* What all evaluations of a record need; false where something is missing. */
bool wl_record_read(const cJSON *r, struct record *out);
/* Runtime of a record -> profile (NULL: none); model of a record -> name in the zoo. */
const char *wl_record_profile(const char *runtime);
const char *wl_record_zoo(const char *model);
void wl_record_label(const struct record *rec, const char *profile, struct sample *s);
/* Analyses the file at `path` in the record's power mode, batch, precision and threads. */
wl_status wl_record_run(struct wl_registry *reg, const struct record *rec, const char *path,
                        const char *profile, struct wl_device *device, struct wl_totals *totals,
                        struct wl_error *err) WL_MUST_CHECK;

/* ground-truth.json: whole models of the zoo, records marked core: latency and throughput. */
wl_status wl_evaluate_models(struct wl_registry *reg, const char *path, const char *models,
                             struct samples *out, struct wl_error *err);

/* ground-truth.json: joules per sample of all records that have them, core or not. */
wl_status wl_evaluate_energy(struct wl_registry *reg, const char *path, const char *models,
                             struct samples *out, struct wl_error *err);

/* Convolutions of AlexNet and VGG-16 on Eyeriss: latency and chip power. */
wl_status wl_evaluate_eyeriss(struct wl_registry *reg, const char *path, struct samples *out,
                              struct wl_error *err);

#endif
