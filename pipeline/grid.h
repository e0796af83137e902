/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grid: many points at once: models x dims x batches x fusion profiles x devices x power modes x
 * precisions, for compare and sweep. A model is parsed and inferred once per set of dims,
 * partitioned once per profile and on-chip budget; points run side by side and come out in index
 * order, the same whatever the number of threads.
 */
#ifndef WL_GRID_H
#define WL_GRID_H

#include "pipeline.h"

struct wl_grid_model {
    const char *name; /* as the user wrote it */
    const char *path;
    const struct wl_dim_binding *default_dims;
    int32_t default_dim_count;
};

struct wl_grid_dim {
    const char *name;
    const int64_t *values;
    int32_t count;
};

/* Axes. An empty one stands for "the default, once". */
struct wl_grid {
    const struct wl_request *base; /* what all points share: threads, runtime, cold ... */
    const struct wl_grid_model *models;
    const struct wl_grid_dim *dims;
    const int64_t *batches;
    const char *const *fusions;
    const char *const *devices;
    const char *const *modes;
    const enum wl_precision *precisions;
    int32_t model_count, dim_count, batch_count, fusion_count, device_count, mode_count;
    int32_t precision_count;
    bool all_modes; /* every mode of each device, instead of `modes` */
};

/* One point's outcome. A point that cannot run carries the reason instead of totals. */
struct wl_grid_row {
    int64_t index; /* in the whole grid */
    const char *model;
    const char *device;
    const char *device_name;
    const char *power_mode; /* as resolved; as asked where that failed */
    const char *fusion;
    const char *runtime;
    const char *dims;        /* "P=0;T=128", sorted as given; "" without */
    const char *options;     /* what else was asked: "weight=int4;threads=8"; "" without */
    const char *calibration; /* name of the one in use; "" without */
    bool calibrated;         /* latency rests on it */
    int64_t batch;
    enum wl_precision precision;       /* as asked */
    struct wl_precision_policy policy; /* as resolved */
    bool ok;
    wl_status status;
    char error[256];
    struct wl_totals totals;
    struct wl_energy_parts energy;
    char bottleneck[24];
    bool fits; /* into the device's main memory */
    enum wl_basis latency_basis, energy_basis;
    double power_limit_w, idle_w;
};

/* A device at a power mode, or why it cannot be had. */
struct wl_grid_target {
    const char *device;
    const char *mode;
    struct wl_device resolved;
    const struct wl_runtime *runtime;
    const struct wl_calibration *calibration; /* NULL: specification alone */
    bool ok;
    struct wl_error err;
};

/* The grid with its devices resolved; owns an arena. */
struct wl_grid_plan {
    struct wl_arena arena;
    const struct wl_grid *grid;
    struct wl_registry *registry;
    const struct wl_runtime *runtime;
    struct wl_grid_target *targets;
    int32_t target_count;
    const char *options;      /* of the base request, as in the rows */
    int64_t *default_batches; /* by model: what the file has where no batch is asked; 0: unknown */
    int64_t group_count;      /* models x dims x batches */
    int64_t group_points;     /* fusions x targets x precisions */
    int64_t point_count;
};

/*
 * Resolves devices and modes and tries each model once. Fails where a device or runtime is unknown,
 * or no model can be loaded; what fails later is a row with its reason.
 */
wl_status wl_grid_plan(const struct wl_grid *grid, struct wl_registry *registry,
                       struct wl_grid_plan *out, struct wl_error *err) WL_MUST_CHECK;
void wl_grid_plan_done(struct wl_grid_plan *p);

/*
 * The parameters of a point without running it: model, device, power_mode, fusion, runtime, dims
 * (into `dims_out`), batch (0 where neither the grid nor the model tells it) and precision. For
 * resuming a sweep.
 */
void wl_grid_describe(const struct wl_grid_plan *p, int64_t index, char *dims_out, size_t dims_size,
                      struct wl_grid_row *out);

/* Called in index order from one thread. A status other than WL_OK ends the run with it. */
typedef wl_status (*wl_grid_sink)(void *user, const struct wl_grid_row *row, struct wl_error *err);
/* True: this point is not wanted (done already, another shard's). May be NULL. */
typedef bool (*wl_grid_skip)(void *user, int64_t index);

/* Runs all wanted points. `jobs` 0: as many threads as OpenMP gives. */
wl_status wl_grid_run(const struct wl_grid_plan *p, int32_t jobs, wl_grid_skip skip,
                      wl_grid_sink sink, void *user, struct wl_error *err) WL_MUST_CHECK;

/* Marks the rows that no other row beats in all of latency, energy per inference and power. */
void wl_grid_pareto(const struct wl_grid_row *rows, int32_t count, bool *pareto);

#endif
