/* SPDX-License-Identifier: Apache-2.0 */
/* evaluate: published measurements against wattline's predictions. */
#ifndef WL_EVALUATE_H
#define WL_EVALUATE_H

#include <stdio.h>

#include "pipeline.h"

struct cJSON;

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

/* A measurement of a whole model; strings belong to `records.root`. */
struct record {
    const char *device, *model, *runtime, *precision, *power_mode;
    const char *profile; /* that `runtime` names, or NULL */
    double measured;     /* seconds, samples per second, or joules per sample */
    int64_t batch, tokens;
    int32_t threads;
    enum sample_kind kind;
};

enum record_choice {
    RECORDS_CORE,  /* those marked core */
    RECORDS_ALL,   /* all with a latency or a throughput */
    RECORDS_ENERGY /* all with an energy */
};

struct records {
    struct cJSON *root;
    struct record *items;
    int32_t count, capacity;
};

/* Records of ground-truth.json whose model is in the zoo and whose runtime has a profile. Call
   wl_records_done whatever comes back. */
wl_status wl_records_load(const char *path, const char *models, enum record_choice choice,
                          struct records *out, struct wl_error *err);
void wl_records_done(struct records *r);
/* The prediction of a record with `runtime`, NULL: its profile's. False when there is none. */
bool wl_record_predict(struct wl_registry *reg, const struct record *rec, const char *models,
                       const struct wl_runtime *runtime, double *predicted);

/* Latencies and throughputs (or energies) of whole models of the zoo. */
wl_status wl_evaluate_models(struct wl_registry *reg, const char *path, const char *models,
                             enum record_choice choice, struct samples *out, struct wl_error *err);

/* Fits the efficiencies of the runtimes' files to the records of fitted devices and prints them;
   `only`: of one runtime, else NULL; `leave_out`: and what each device's error is when it is left
   out of the fit. */
wl_status wl_evaluate_fit(struct wl_registry *reg, const char *path, const char *models,
                          const char *only, bool leave_out, struct wl_error *err);

/* Convolutions of AlexNet and VGG-16 on Eyeriss: latency and chip power. */
wl_status wl_evaluate_eyeriss(struct wl_registry *reg, const char *path, struct samples *out,
                              struct wl_error *err);

#endif
