/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hardware/peaks.c: what follows from a resolved device: peaks (units x arrays x operations per
 * cycle x clock), the type that stands in for one that a device lacks, the watts of a saturating
 * GEMM.
 */
#include <math.h>
#include <string.h>

#include "hardware_priv.h"

int32_t wl_device_units(const struct wl_device *d)
{
    int32_t units = 0;
    for (int32_t i = 0; i < d->group_count; i++) {
        units += d->groups[i].count;
    }
    return units;
}

double wl_pipe_peak(const struct wl_device *d, const struct wl_pipe *p, enum wl_precision prec)
{
    if (prec >= WL_PREC_COUNT) {
        return 0;
    }
    return (double)d->groups[p->group].count * p->arrays * p->ops_per_cycle[prec] * p->clock_hz;
}

double wl_device_peak(const struct wl_device *d, enum wl_precision prec,
                      const struct wl_pipe **best)
{
    double most = 0;
    const struct wl_pipe *winner = NULL;
    for (int32_t i = 0; i < d->pipe_count; i++) {
        if (d->pipes[i].kind == WL_PIPE_SPECIAL) {
            continue;
        }
        double sum = 0, largest = 0;
        const struct wl_pipe *lead = NULL;
        for (int32_t j = 0; j < d->pipe_count; j++) {
            const struct wl_pipe *p = &d->pipes[j];
            if (p->kind != d->pipes[i].kind || strcmp(p->name, d->pipes[i].name) != 0) {
                continue;
            }
            double peak = wl_pipe_peak(d, p, prec);
            sum += peak;
            if (peak > largest) {
                largest = peak;
                lead = p;
            }
        }
        if (sum > most) {
            most = sum;
            winner = lead;
        }
    }
    if (best != NULL) {
        *best = winner;
    }
    return most;
}

bool wl_device_supports(const struct wl_device *d, enum wl_precision prec)
{
    return prec < WL_PREC_COUNT && wl_device_peak(d, prec, NULL) > 0;
}

/* Significant bits for ordering: tf32 is stored in 32 but computes with 19. */
static int width(enum wl_precision p)
{
    return p == WL_PREC_TF32 ? 19 : wl_precision_bits(p);
}

/* The supported type of a family that is nearest: at most (narrower) or at least as wide as `prec`.
 */
static enum wl_precision nearest_in(const struct wl_device *d, enum wl_precision prec,
                                    bool is_float, bool narrower)
{
    enum wl_precision found = WL_PREC_COUNT;
    int best = 1000;
    for (int p = 0; p < WL_PREC_COUNT; p++) {
        enum wl_precision candidate = (enum wl_precision)p;
        int distance = narrower ? width(prec) - width(candidate) : width(candidate) - width(prec);
        if (candidate != prec && wl_precision_is_float(candidate) == is_float && distance >= 0 &&
            distance < best && wl_device_supports(d, candidate)) {
            best = distance;
            found = candidate;
        }
    }
    return found;
}

enum wl_precision wl_device_nearest(const struct wl_device *d, enum wl_precision prec)
{
    if (prec >= WL_PREC_COUNT || wl_device_supports(d, prec)) {
        return prec;
    }
    bool is_float = wl_precision_is_float(prec);
    const bool families[] = {is_float, is_float, !is_float, !is_float};
    /* an integer goes into a wider float without loss, a float into a narrower integer as quantised
     */
    const bool narrower[] = {true, false, is_float, !is_float};
    for (size_t i = 0; i < WL_ARRAY_LEN(families); i++) {
        enum wl_precision found = nearest_in(d, prec, families[i], narrower[i]);
        if (found != WL_PREC_COUNT) {
            return found;
        }
    }
    return WL_PREC_COUNT;
}

const struct wl_level *wl_device_dram(const struct wl_device *d)
{
    return &d->levels[d->level_count - 1];
}

/* ---- watts of a saturating GEMM
 * -------------------------------------------------------------------- */

double wl_pipe_macs_per_instruction(const struct wl_device *d, const struct wl_pipe *p,
                                    enum wl_precision prec)
{
    if (p->kind == WL_PIPE_MATRIX) {
        double macs = (double)p->rows * p->cols * p->depth;
        return macs > 0 ? macs * 16 / wl_precision_bits(prec) : 256;
    }
    double lanes = d->class == WL_HW_GPU ? fmax(d->params.warp_size, 1) : p->simd_bits / 32.0;
    double fp32 = p->ops_per_cycle[WL_PREC_FP32];
    double packing = fp32 > 0 ? p->ops_per_cycle[prec] / fp32 : 32.0 / wl_precision_bits(prec);
    return fmax(lanes * packing, 1);
}

/* Per MAC: bytes between registers and lanes, bytes per level, instructions. */
struct gemm_cost {
    double register_read, register_write, instructions, forward, accumulate;
    double level[WL_LEVELS_MAX];
};

/*
 * A square product with the reuse of a good kernel. A register tile of t x t outputs reads 2
 * operands per t MACs; a cache tile of b x b reads 2 per b from the level outside. Tiles: 8 (vector
 * registers), 64 (fragments of a matrix unit), the array itself (TPU, KPU); then 128, 512, and 2048
 * at main memory. A vector instruction reads three registers and writes one.
 */
static struct gemm_cost gemm_cost(const struct wl_device *d, const struct wl_pipe *p,
                                  enum wl_precision prec)
{
    double bytes = wl_precision_bits(prec) / 8.0;
    struct gemm_cost c = {0};
    double tile[WL_LEVELS_MAX] = {64, 128, 512, 2048, 2048, 2048, 2048, 2048};
    if (d->class == WL_HW_TPU || d->class == WL_HW_KPU) {
        tile[0] = fmax(p->rows, 8);
        tile[1] = 2 * tile[0];
        c.forward = d->class == WL_HW_TPU ? bytes + 4 : 2 * bytes; /* operand and partial sum */
        c.accumulate = 4 / tile[0];
        c.instructions = 1 / (tile[0] * tile[0]);
    } else if (p->kind == WL_PIPE_MATRIX) {
        c.register_read = 4 * bytes / 16 + 4.0 / 16; /* 16-wide fragments; 4-byte sums */
        c.register_write = 4.0 / 16;
        c.instructions = 1 / wl_pipe_macs_per_instruction(d, p, prec);
    } else {
        double macs = wl_pipe_macs_per_instruction(d, p, prec);
        double register_bytes =
            d->class == WL_HW_GPU ? d->params.warp_size * 4.0 : p->simd_bits / 8.0;
        c.register_read = 3 * register_bytes / macs;
        c.register_write = register_bytes / macs;
        c.instructions = 1.4 / macs; /* loads, broadcasts and loop control beside the FMA */
        tile[0] = 8;
    }
    for (int32_t i = 0; i < d->level_count; i++) {
        bool last = i == d->level_count - 1;
        c.level[i] = 2 * bytes / (last ? tile[3] : tile[i]);
    }
    return c;
}

double wl_device_wall_j(const struct wl_device *d, double energy_j, double seconds)
{
    double supply = d->supply_efficiency > 0 ? d->supply_efficiency : 1;
    return (energy_j + d->board_rest_w * seconds) / supply;
}

double wl_device_gemm_power_w(const struct wl_device *d, enum wl_precision prec)
{
    const struct wl_pipe *p = NULL;
    double peak = wl_device_peak(d, prec, &p);
    if (peak <= 0) {
        return 0;
    }
    struct gemm_cost c = gemm_cost(d, p, prec);
    enum wl_event mac = p->kind == WL_PIPE_MATRIX ? WL_EV_MATRIX_MAC : WL_EV_VECTOR_MAC;
    enum wl_event forward = d->class == WL_HW_TPU ? WL_EV_OPERAND_FORWARD : WL_EV_PE_STREAM;
    double pj = d->event_pj[mac][prec];
    pj += c.register_read * d->event_pj[WL_EV_REGISTER_READ][prec];
    pj += c.register_write * d->event_pj[WL_EV_REGISTER_WRITE][prec];
    pj += c.forward * d->event_pj[forward][prec];
    pj += c.accumulate *
          (d->event_pj[WL_EV_ACCUMULATOR_READ][prec] + d->event_pj[WL_EV_ACCUMULATOR_WRITE][prec]);
    pj += c.instructions * (d->event_pj[WL_EV_INSTRUCTION_FETCH][prec] +
                            d->event_pj[WL_EV_INSTRUCTION_DECODE][prec] +
                            d->event_pj[WL_EV_INSTRUCTION_DISPATCH][prec]);
    for (int32_t i = 0; i < d->level_count; i++) {
        pj += c.level[i] * d->levels[i].read_pj_per_byte;
    }
    return pj * 1e-12 * peak / 2 + d->idle_w;
}
