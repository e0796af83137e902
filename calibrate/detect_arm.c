/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calibrate/detect_arm.c: the kernels of detect_x86.c for 64-bit Arm: NEON, half precision,
 * dot products, bfloat16 and the 8-bit matrix instructions, asked of the kernel by hardware bits.
 * On other machines there are none, and detection says so.
 */
#include "detect_priv.h"

#if defined(__aarch64__)

#include <arm_neon.h>
#include <string.h>
#include <sys/auxv.h>

#ifndef HWCAP_ASIMDHP
#define HWCAP_ASIMDHP (1UL << 10)
#endif
#ifndef HWCAP_ASIMDDP
#define HWCAP_ASIMDDP (1UL << 20)
#endif
#ifndef HWCAP2_I8MM
#define HWCAP2_I8MM (1UL << 13)
#endif
#ifndef HWCAP2_BF16
#define HWCAP2_BF16 (1UL << 14)
#endif

enum feature { F_BASE = 0, F_FP16 = 1, F_DOT = 2, F_I8MM = 4, F_BF16 = 8 };

uint32_t wl_detect_features(void)
{
    unsigned long one = getauxval(AT_HWCAP), two = getauxval(AT_HWCAP2);
    return ((one & HWCAP_ASIMDHP) != 0 ? (uint32_t)F_FP16 : 0U) |
           ((one & HWCAP_ASIMDDP) != 0 ? (uint32_t)F_DOT : 0U) |
           ((two & HWCAP2_I8MM) != 0 ? (uint32_t)F_I8MM : 0U) |
           ((two & HWCAP2_BF16) != 0 ? (uint32_t)F_BF16 : 0U);
}

/* Sixteen chains: four pipes of latency 4. */
#define SIXTEEN(X)                                                                                 \
    X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)
#define DECLARE(i)                                                                                 \
    V a##i = start;                                                                                \
    __asm__ volatile("" : "+w"(a##i));
#define STEP(i) a##i = OP(a##i);
#define USE(i) __asm__ volatile("" : : "w"(a##i));
#define KERNEL_BODY                                                                                \
    WL_DETECT_QUADS_BEGIN                                                                          \
    __asm__ volatile("" : "+w"(b), "+w"(c));                                                       \
    SIXTEEN(DECLARE)                                                                               \
    for (int64_t n = 0; n < steps; n++) {                                                          \
        SIXTEEN(STEP)                                                                              \
        WL_DETECT_QUADS(quads)                                                                     \
    }                                                                                              \
    SIXTEEN(USE)
#define TARGET(t) __attribute__((target(t), noinline))
#define ACCUMULATORS 16

#define V float32x4_t
#define OP(x) vfmaq_f32(c, x, b)
static __attribute__((noinline)) void neon_fp32(int64_t steps, int32_t quads)
{
    V start = vdupq_n_f32(1), b = vdupq_n_f32(0.5F), c = start;
    KERNEL_BODY
}
#undef OP
#undef V

#define V float64x2_t
#define OP(x) vfmaq_f64(c, x, b)
static __attribute__((noinline)) void neon_fp64(int64_t steps, int32_t quads)
{
    V start = vdupq_n_f64(1), b = vdupq_n_f64(0.5), c = start;
    KERNEL_BODY
}
#undef OP
#undef V

#define V float16x8_t
#define OP(x) vfmaq_f16(c, x, b)
static TARGET("arch=armv8.2-a+fp16") void neon_fp16(int64_t steps, int32_t quads)
{
    V start = vdupq_n_f16(1), b = vdupq_n_f16((float16_t)0.5F), c = start;
    KERNEL_BODY
}
#undef OP
#undef V

#define V int32x4_t
#define OP(x) vdotq_s32(x, b8, c8)
static TARGET("arch=armv8.2-a+dotprod") void neon_dot_int8(int64_t steps, int32_t quads)
{
    V start = vdupq_n_s32(0), b = start, c = start;
    int8x16_t b8 = vdupq_n_s8(1), c8 = b8;
    KERNEL_BODY
}
#undef OP
#define OP(x) vmmlaq_s32(x, b8, c8)
static TARGET("arch=armv8.2-a+i8mm") void neon_mmla_int8(int64_t steps, int32_t quads)
{
    V start = vdupq_n_s32(0), b = start, c = start;
    int8x16_t b8 = vdupq_n_s8(1), c8 = b8;
    KERNEL_BODY
}
#undef OP
/* Without dot products: widen to 16 bits, add pairs. */
#define OP(x) vpadalq_s16(x, vmull_s8(vget_low_s8(b8), vget_high_s8(vreinterpretq_s8_s32(x))))
static __attribute__((noinline)) void neon_int8(int64_t steps, int32_t quads)
{
    V start = vdupq_n_s32(0), b = start, c = start;
    int8x16_t b8 = vdupq_n_s8(1);
    KERNEL_BODY
}
#undef OP
#undef V

#define V float32x4_t
#define OP(x) vbfmmlaq_f32(x, b16, c16)
static TARGET("arch=armv8.2-a+bf16") void neon_bf16(int64_t steps, int32_t quads)
{
    V start = vdupq_n_f32(0), b = start, c = start;
    bfloat16x8_t b16, c16;
    memset(&b16, 0, sizeof(b16));
    memset(&c16, 0, sizeof(c16));
    KERNEL_BODY
}
#undef OP
#undef V

#define VECTOR(prec, needs, macs, run)                                                             \
    {                                                                                              \
        "neon", WL_PIPE_VECTOR, prec, 128, 0, 0, 0, needs, 2.0 * (macs)*ACCUMULATORS, run, NULL,   \
            NULL                                                                                   \
    }

/* clang-format off */
static const struct wl_detect_kernel kernels[] = {
    /*     precision     needs   MACs of an instruction */
    VECTOR(WL_PREC_FP64, F_BASE, 2,  neon_fp64),
    VECTOR(WL_PREC_FP32, F_BASE, 4,  neon_fp32),
    VECTOR(WL_PREC_FP16, F_FP16, 8,  neon_fp16),
    VECTOR(WL_PREC_BF16, F_BF16, 16, neon_bf16),
    VECTOR(WL_PREC_INT8, F_BASE, 8,  neon_int8),
    VECTOR(WL_PREC_INT8, F_DOT,  16, neon_dot_int8),
    VECTOR(WL_PREC_INT8, F_I8MM, 32, neon_mmla_int8),
};
/* clang-format on */

const struct wl_detect_kernel *wl_detect_kernels(int32_t *count)
{
    *count = (int32_t)WL_ARRAY_LEN(kernels);
    return kernels;
}

void wl_detect_read(const void *data, int64_t bytes, uint32_t features)
{
    (void)features;
#define LOAD(i) __asm__ volatile("" : : "w"(vld1q_u8(p + 16 * (i))));
    const uint8_t *p = data;
    for (const uint8_t *end = p + bytes; p < end; p += 128) {
        LOAD(0) LOAD(1) LOAD(2) LOAD(3) LOAD(4) LOAD(5) LOAD(6) LOAD(7)
    }
}

#elif !defined(__x86_64__)

uint32_t wl_detect_features(void)
{
    return 0;
}

const struct wl_detect_kernel *wl_detect_kernels(int32_t *count)
{
    *count = 0;
    return NULL;
}

void wl_detect_read(const void *data, int64_t bytes, uint32_t features)
{
    const uint64_t *p = data;
    (void)features;
    for (const uint64_t *end = p + bytes / 8; p < end; p++) {
        __asm__ volatile("" : : "r"(*p));
    }
}

#endif
