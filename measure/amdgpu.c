/* SPDX-License-Identifier: Apache-2.0 */
/*
 * measure/amdgpu.c: AMD graphics through the amdgpu driver's sysfs files, which are also what ROCm
 * SMI reads: class/drm/cardN/device with gpu_metrics (binary), hwmon/hwmonM/power1_average or
 * power1_input (microwatts), gpu_busy_percent, freq1_input, temp1_input.
 *
 * Energy: gpu_metrics of revisions 1.4 and 1.5 (Instinct MI300) carries an accumulator in units of
 * 2^-16 J at byte 24 and 88 (kernel header kgd_pp_interface.h). Older revisions have one too, but
 * its unit is not stated for all boards, so their sampled power is integrated instead. Revisions 2
 * and 3 are of APUs, whose power reading is that of the whole package.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "measure_priv.h"

#define METRICS_MAX 4096
#define ACCUMULATOR_UJ (1e6 / 65536.0)

struct state {
    struct wl_sysfs metrics, power, busy, clock, temperature;
    size_t accumulator_at; /* byte offset in gpu_metrics; 0: none */
};

/* ---- gpu_metrics ----------------------------------------------------------------------------- */

struct metrics_header {
    uint32_t bytes;
    uint8_t format, content;
};

static ssize_t read_metrics(const struct wl_sysfs *f, uint8_t buffer[METRICS_MAX])
{
    return f->fd < 0 ? -1 : pread(f->fd, buffer, METRICS_MAX, 0);
}

static bool read_header(const struct wl_sysfs *f, struct metrics_header *out)
{
    uint8_t b[METRICS_MAX];
    ssize_t n = read_metrics(f, b);
    if (n < 4) {
        return false;
    }
    *out = (struct metrics_header){
        .bytes = (uint32_t)b[0] | (uint32_t)b[1] << 8, .format = b[2], .content = b[3]};
    return true;
}

/* The accumulator is little-endian; all ones mean "not supported by this board". */
static bool read_accumulator(const struct state *s, uint64_t *out)
{
    uint8_t b[METRICS_MAX];
    ssize_t n = read_metrics(&s->metrics, b);
    uint64_t value = 0;
    if (n < 0 || (size_t)n < s->accumulator_at + 8) {
        return false;
    }
    for (size_t i = 0; i < 8; i++) {
        value |= (uint64_t)b[s->accumulator_at + i] << (8 * i);
    }
    *out = value;
    return value != UINT64_MAX;
}

static size_t accumulator_offset(const struct metrics_header *h)
{
    if (h->format != 1) {
        return 0;
    }
    return h->content == 4 ? 24 : h->content == 5 ? 88 : 0;
}

/* ---- readings -------------------------------------------------------------------------------- */

static bool read_amdgpu(struct wl_channel *c, struct wl_reading *out)
{
    struct state *s = c->state;
    uint64_t value;
    if (out->look[WL_LOOK_COUNTER]) {
        if (!read_accumulator(s, &value)) {
            return false;
        }
        out->counter_uj = (uint64_t)((double)value * ACCUMULATOR_UJ);
    }
    if (out->look[WL_LOOK_POWER]) {
        if (!wl_sysfs_u64(&s->power, &value)) {
            return false;
        }
        out->power_w = (double)value * 1e-6;
    }
    return true;
}

static void gauges_amdgpu(struct wl_channel *c, struct wl_gauges *out)
{
    struct state *s = c->state;
    uint64_t value;
    if (s->busy.fd >= 0 && wl_sysfs_u64(&s->busy, &value)) {
        out->utilization = (double)value * 0.01;
    }
    if (s->clock.fd >= 0 && wl_sysfs_u64(&s->clock, &value)) {
        out->clock_hz = (double)value;
    }
    if (s->temperature.fd >= 0 && wl_sysfs_u64(&s->temperature, &value)) {
        out->temperature_c = (double)value * 1e-3;
    }
}

static void close_state(struct state *s)
{
    wl_sysfs_close(&s->metrics);
    wl_sysfs_close(&s->power);
    wl_sysfs_close(&s->busy);
    wl_sysfs_close(&s->clock);
    wl_sysfs_close(&s->temperature);
}

static void close_amdgpu(struct wl_channel *c)
{
    close_state(c->state);
}

/* ---- cards ----------------------------------------------------------------------------------- */

/* The hwmon directory of a card, or NULL. */
static const char *hwmon_dir(struct wl_meter *m, const char *device)
{
    char **names = NULL;
    int32_t count = 0;
    const char *tree = wl_arena_printf(&m->arena, "%s/hwmon", device);
    if (tree == NULL || wl_dir_list(&m->arena, tree, &names, &count, NULL) != WL_OK) {
        return NULL;
    }
    for (int32_t i = 0; i < count; i++) {
        if (wl_sysfs_index(names[i], "hwmon") >= 0) {
            return wl_arena_printf(&m->arena, "%s/%s", tree, names[i]);
        }
    }
    return NULL;
}

static bool is_amdgpu(const char *device, const char *hwmon)
{
    char text[32];
    if (hwmon != NULL && wl_sysfs_text(hwmon, "name", text, sizeof(text)) == 0 &&
        strcmp(text, "amdgpu") == 0) {
        return true;
    }
    return wl_sysfs_text(device, "vendor", text, sizeof(text)) == 0 && strcmp(text, "0x1002") == 0;
}

static int open_power(struct wl_meter *m, struct state *s, const char *hwmon)
{
    if (hwmon == NULL) {
        return ENOENT;
    }
    int error = wl_sysfs_open(m, &s->power, hwmon, "power1_average");
    return error == 0 ? 0 : wl_sysfs_open(m, &s->power, hwmon, "power1_input");
}

static void open_files(struct wl_meter *m, struct state *s, const char *device, const char *hwmon,
                       struct metrics_header *header)
{
    *s = (struct state){.metrics = {.fd = -1},
                        .power = {.fd = -1},
                        .busy = {.fd = -1},
                        .clock = {.fd = -1},
                        .temperature = {.fd = -1}};
    uint64_t value;
    if (wl_sysfs_open(m, &s->metrics, device, "gpu_metrics") == 0 &&
        read_header(&s->metrics, header)) {
        s->accumulator_at = accumulator_offset(header);
        if (s->accumulator_at != 0 && !read_accumulator(s, &value)) {
            s->accumulator_at = 0;
        }
    }
    (void)wl_sysfs_open(m, &s->busy, device, "gpu_busy_percent");
    if (hwmon != NULL) {
        (void)wl_sysfs_open(m, &s->clock, hwmon, "freq1_input");
        (void)wl_sysfs_open(m, &s->temperature, hwmon, "temp1_input");
    }
}

static void describe(struct wl_channel *c, const struct metrics_header *header, int32_t card)
{
    const struct state *s = c->state;
    (void)snprintf(c->name, sizeof(c->name), "card%d", (int)card);
    (void)snprintf(c->device, sizeof(c->device), "AMD GPU");
    c->has[WL_LOOK_COUNTER] = s->accumulator_at != 0;
    c->has[WL_LOOK_POWER] = s->power.fd >= 0;
    wl_channel_note(c, "%s",
                    s->accumulator_at != 0 ? "energy accumulator of the firmware"
                                           : "sampled power, integrated");
    if (header->format == 2 || header->format == 3) {
        c->scope = WL_METER_APU;
    }
}

static wl_status add_card(struct wl_meter *m, const char *tree, const char *name, int32_t card,
                          struct wl_error *err)
{
    struct state s;
    struct metrics_header header = {0};
    const char *device = wl_arena_printf(&m->arena, "%s/%s/device", tree, name);
    WL_TRY_PTR(device, err);
    const char *hwmon = hwmon_dir(m, device);
    if (!is_amdgpu(device, hwmon)) {
        return WL_OK;
    }
    open_files(m, &s, device, hwmon, &header);
    int error = open_power(m, &s, hwmon);
    if (error != 0 && s.accumulator_at == 0) {
        close_state(&s);
        return wl_meter_lacks(m, "amdgpu", NULL, err, "%s tells neither energy nor power: %s", name,
                              strerror(error));
    }
    struct wl_channel *c = wl_meter_add(m, &wl_source_amdgpu, WL_METER_GPU, sizeof(s));
    if (c == NULL) {
        close_state(&s);
        return wl_fail_nomem(err);
    }
    memcpy(c->state, &s, sizeof(s));
    describe(c, &header, card);
    return WL_OK;
}

static wl_status probe_amdgpu(struct wl_meter *m, struct wl_error *err)
{
    char **names = NULL;
    int32_t count = 0;
    int32_t before = m->count + m->absent_count;
    const char *tree = wl_arena_printf(&m->arena, "%s/class/drm", m->root);
    WL_TRY_PTR(tree, err);
    if (wl_dir_list(&m->arena, tree, &names, &count, NULL) == WL_OK) {
        for (int32_t i = 0; i < count; i++) {
            int32_t card = wl_sysfs_index(names[i], "card");
            if (card >= 0) {
                WL_TRY(add_card(m, tree, names[i], card, err));
            }
        }
    }
    if (m->count + m->absent_count == before) {
        return wl_meter_lacks(m, "amdgpu", NULL, err, "no AMD GPU in %s", tree);
    }
    return WL_OK;
}

const struct wl_source wl_source_amdgpu = {.name = "amdgpu",
                                           .probe = probe_amdgpu,
                                           .read = read_amdgpu,
                                           .gauges = gauges_amdgpu,
                                           .close = close_amdgpu};
