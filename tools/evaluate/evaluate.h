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
/* Whether the runtimes' efficiencies were fitted on latencies of the device. */
bool wl_is_fitted_device(const char *device);
/* Marks the samples of devices that efficiencies were fitted on, by models or by kernels. */
void wl_samples_split(struct samples *s, bool kernels);
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

/* A record of ground-truth.json: one measurement of a whole model. Strings belong to the records'
   `root`; those that a record lacks are NULL. */
#define RECORD_DIMS 8

struct record {
    const char *device, *model, *runtime, *precision, *scenario, *power_mode;
    const char *input, *conditions, *power_scope;
    const char *zoo;        /* the model's name in the zoo */
    const char *profile;    /* that `runtime` names, or NULL */
    double measured;        /* seconds, samples per second, or joules per sample */
    double latency_s, rate; /* as recorded, 0: not; samples per second of one device */
    int64_t batch, tokens;
    int64_t cached;                          /* tokens in the key-value cache of a decoder */
    struct wl_dim_binding dims[RECORD_DIMS]; /* further symbolic dimensions, as recorded */
    int32_t dim_count;
    int32_t threads;
    enum sample_kind kind;
};

enum record_choice {
    RECORDS_CORE,  /* those marked core with a latency or a throughput */
    RECORDS_ALL,   /* all with a latency or a throughput */
    RECORDS_ENERGY /* all with joules; batch as recorded, 0: not */
};

struct records {
    cJSON *root;
    struct record *items;
    int32_t count, capacity;
};

/* `models`, unless NULL: only the predictable ones. Call wl_records_done whatever comes back. */
wl_status wl_records_load(const char *path, const char *models, enum record_choice choice,
                          struct records *out, struct wl_error *err);
void wl_records_done(struct records *r);
/* Whether the zoo in the folder `models` has its model, and its runtime a profile. */
bool wl_record_is_predictable(const struct record *rec, const char *models);
/*
 * Analyses the record's model in its power mode, batch, precision and threads, with `runtime`
 * (NULL: its profile's). `device`, which may be NULL: what it ran on.
 */
wl_status wl_record_run(struct wl_registry *reg, const struct record *rec, const char *models,
                        const struct wl_runtime *runtime, struct wl_device *device,
                        struct wl_totals *totals, struct wl_error *err) WL_MUST_CHECK;
/* Its latency or throughput; false, and said to stderr, when there is none. */
bool wl_record_predict(struct wl_registry *reg, const struct record *rec, const char *models,
                       const struct wl_runtime *runtime, double *predicted);
struct sample wl_record_sample(const struct record *rec, double predicted);

/* Latencies and throughputs of whole models of the zoo. */
wl_status wl_evaluate_models(struct wl_registry *reg, const char *path, const char *models,
                             enum record_choice choice, struct samples *out, struct wl_error *err);

/* Kernels of the calibration's grid on this host, from its specification (WATTLINE_HOST_DIR). */
wl_status wl_evaluate_host(struct wl_registry *reg, struct samples *out, struct wl_error *err);

/* Joules per sample of whole models. */
wl_status wl_evaluate_energy(struct wl_registry *reg, const char *path, const char *models,
                             struct samples *out, struct wl_error *err);

/* Fits the efficiencies of the runtimes' files to the records of fitted devices and prints them;
   `only`: of one runtime, else NULL; `leave_out`: and what each device's error is when it is left
   out of the fit. */
wl_status wl_evaluate_fit(struct wl_registry *reg, const char *path, const char *models,
                          const char *only, bool leave_out, struct wl_error *err);

/* Convolutions of AlexNet and VGG-16 on Eyeriss: latency and chip power. */
wl_status wl_evaluate_eyeriss(struct wl_registry *reg, const char *path, struct samples *out,
                              struct wl_error *err);

#endif
