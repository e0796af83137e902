/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calibrate/detect_x86.c: one kernel per instruction set and precision on x86-64: twelve
 * independent accumulators, so that an instruction of latency 4 (and a mul followed by an add)
 * keeps two pipes busy. Values stay near 2, far from denormals. Which of them the processor and the
 * system allow is asked at run time.
 */
#if defined(__x86_64__)

#include <cpuid.h>
#include <immintrin.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "detect_priv.h"

enum feature {
    F_BASE = 0,
    F_FMA = 1, /* AVX2 and FMA */
    F_AVX512 = 2,
    F_AVX_VNNI = 4,
    F_AVX512_VNNI = 8,
    F_AVX512_BF16 = 16,
    F_AVX512_FP16 = 32,
    F_AMX_INT8 = 64,
    F_AMX_BF16 = 128
};

/* ---- what there is --------------------------------------------------------------------------- */

/* State that the system saves: bits of XCR0. */
#define XCR0_AVX 0x6u
#define XCR0_AVX512 0xe6u
#define XCR0_TILES 0x60000u

#define ARCH_REQ_XCOMP_PERM 0x1023
#define XFEATURE_TILE_DATA 18

static uint64_t xcr0(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static uint32_t when(bool condition, uint32_t feature)
{
    return condition ? feature : 0;
}

static bool tiles_allowed(uint64_t state)
{
    return (state & XCR0_TILES) == XCR0_TILES &&
           syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_TILE_DATA) == 0;
}

uint32_t wl_detect_features(void)
{
    unsigned a, b, c, d, b7 = 0, c7 = 0, d7 = 0, a71 = 0;
    if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & bit_OSXSAVE) == 0) {
        return F_BASE;
    }
    uint64_t state = xcr0();
    bool fma = (c & bit_FMA) != 0;
    if (__get_cpuid_count(7, 0, &a, &b7, &c7, &d7) == 0 || (state & XCR0_AVX) != XCR0_AVX) {
        return F_BASE;
    }
    unsigned subleaves = a;
    if (subleaves >= 1) {
        (void)__get_cpuid_count(7, 1, &a71, &b, &c, &d);
    }
    bool avx512 = (state & XCR0_AVX512) == XCR0_AVX512 && (b7 & (1u << 16)) != 0 &&
                  (b7 & (1u << 30)) != 0; /* F and BW */
    bool tiles = (d7 & (1u << 24)) != 0 && tiles_allowed(state);
    return when(fma && (b7 & (1u << 5)) != 0, F_FMA) | when(avx512, F_AVX512) |
           when((a71 & (1u << 4)) != 0, F_AVX_VNNI) |
           when(avx512 && (c7 & (1u << 11)) != 0, F_AVX512_VNNI) |
           when(avx512 && (a71 & (1u << 5)) != 0, F_AVX512_BF16) |
           when(avx512 && (d7 & (1u << 23)) != 0, F_AVX512_FP16) |
           when(tiles && (d7 & (1u << 25)) != 0, F_AMX_INT8) |
           when(tiles && (d7 & (1u << 22)) != 0, F_AMX_BF16);
}

/* ---- vector kernels -------------------------------------------------------------------------- */

#define TWELVE(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)
/* The empty statements keep the compiler from seeing that all chains compute the same. */
#define DECLARE(i)                                                                                 \
    V a##i = start;                                                                                \
    __asm__ volatile("" : "+v"(a##i));
#define STEP(i) a##i = OP(a##i);
#define USE(i) __asm__ volatile("" : : "v"(a##i));
#define KERNEL_BODY                                                                                \
    WL_DETECT_QUADS_BEGIN                                                                          \
    __asm__ volatile("" : "+v"(b), "+v"(c));                                                       \
    TWELVE(DECLARE)                                                                                \
    for (int64_t n = 0; n < steps; n++) {                                                          \
        TWELVE(STEP)                                                                               \
        WL_DETECT_QUADS(quads)                                                                     \
    }                                                                                              \
    TWELVE(USE)
#define TARGET(t) __attribute__((target(t), noinline))
#define ACCUMULATORS 12

#define V __m128
#define OP(x) _mm_add_ss(_mm_mul_ss(x, b), c)
static TARGET("sse2") void scalar_fp32(int64_t steps, int32_t quads)
{
    V start = _mm_set_ss(1), b = _mm_set_ss(0.5F), c = start;
    KERNEL_BODY
}
#undef OP
#define OP(x) _mm_add_ps(_mm_mul_ps(x, b), c)
static TARGET("sse2") void sse_fp32(int64_t steps, int32_t quads)
{
    V start = _mm_set1_ps(1), b = _mm_set1_ps(0.5F), c = start;
    KERNEL_BODY
}
#undef OP
#undef V

#define V __m128d
#define OP(x) _mm_add_pd(_mm_mul_pd(x, b), c)
static TARGET("sse2") void sse_fp64(int64_t steps, int32_t quads)
{
    V start = _mm_set1_pd(1), b = _mm_set1_pd(0.5), c = start;
    KERNEL_BODY
}
#undef OP
#undef V

/* Without dot-product instructions int8 goes through 16-bit pairs: multiply, widen, add. */
#define V __m128i
#define OP(x) _mm_add_epi32(x, _mm_madd_epi16(_mm_maddubs_epi16(_mm_xor_si128(x, b), c), c))
static TARGET("ssse3") void sse_int8(int64_t steps, int32_t quads)
{
    V start = _mm_set1_epi8(1), b = start, c = start;
    KERNEL_BODY
}
#undef OP
#undef V

#define V __m256
#define OP(x) _mm256_fmadd_ps(x, b, c)
static TARGET("avx2,fma") void avx2_fp32(int64_t steps, int32_t quads)
{
    V start = _mm256_set1_ps(1), b = _mm256_set1_ps(0.5F), c = start;
    KERNEL_BODY
}
#undef OP
#undef V

#define V __m256d
#define OP(x) _mm256_fmadd_pd(x, b, c)
static TARGET("avx2,fma") void avx2_fp64(int64_t steps, int32_t quads)
{
    V start = _mm256_set1_pd(1), b = _mm256_set1_pd(0.5), c = start;
    KERNEL_BODY
}
#undef OP
#undef V

#define V __m256i
#define OP(x)                                                                                      \
    _mm256_add_epi32(x, _mm256_madd_epi16(_mm256_maddubs_epi16(_mm256_xor_si256(x, b), c), c))
static TARGET("avx2") void avx2_int8(int64_t steps, int32_t quads)
{
    V start = _mm256_set1_epi8(1), b = start, c = start;
    KERNEL_BODY
}
#undef OP
#define OP(x) _mm256_dpbusd_avx_epi32(x, b, c)
static TARGET("avx2,avxvnni") void avx_vnni_int8(int64_t steps, int32_t quads)
{
    V start = _mm256_set1_epi8(1), b = start, c = start;
    KERNEL_BODY
}
#undef OP
#undef V

#define V __m512
#define OP(x) _mm512_fmadd_ps(x, b, c)
static TARGET("avx512f") void avx512_fp32(int64_t steps, int32_t quads)
{
    V start = _mm512_set1_ps(1), b = _mm512_set1_ps(0.5F), c = start;
    KERNEL_BODY
}
#undef OP
#undef V

#define V __m512d
#define OP(x) _mm512_fmadd_pd(x, b, c)
static TARGET("avx512f") void avx512_fp64(int64_t steps, int32_t quads)
{
    V start = _mm512_set1_pd(1), b = _mm512_set1_pd(0.5), c = start;
    KERNEL_BODY
}
#undef OP
#undef V

#define V __m512i
#define OP(x)                                                                                      \
    _mm512_add_epi32(x, _mm512_madd_epi16(_mm512_maddubs_epi16(_mm512_xor_si512(x, b), c), c))
static TARGET("avx512f,avx512bw") void avx512_int8(int64_t steps, int32_t quads)
{
    V start = _mm512_set1_epi8(1), b = start, c = start;
    KERNEL_BODY
}
#undef OP
#define OP(x) _mm512_dpbusd_epi32(x, b, c)
static TARGET("avx512f,avx512vnni") void avx512_vnni_int8(int64_t steps, int32_t quads)
{
    V start = _mm512_set1_epi32(0x01010101), b = start, c = start;
    KERNEL_BODY
}
#undef OP
#undef V

#define V __m512
#define OP(x) _mm512_dpbf16_ps(x, bh, ch)
static TARGET("avx512f,avx512bf16") void avx512_bf16(int64_t steps, int32_t quads)
{
    V start = _mm512_set1_ps(1), b = start, c = start;
    __m512bh bh, ch;
    memcpy(&bh, &b, sizeof(bh));
    memcpy(&ch, &c, sizeof(ch));
    KERNEL_BODY
}
#undef OP
#undef V

/* Compilers that have no half precision leave it unmeasured; clang 14 has it only as a build
 * option. */
#if (defined(__clang__) && __clang_major__ >= 15) || (!defined(__clang__) && __GNUC__ >= 12)
#define HALF_PRECISION 1
#define V __m512h
#define OP(x) _mm512_fmadd_ph(x, b, c)
static TARGET("avx512f,avx512fp16") void avx512_fp16(int64_t steps, int32_t quads)
{
    __m512i one = _mm512_set1_epi16(0x3c00), half = _mm512_set1_epi16(0x3800);
    V start = _mm512_castsi512_ph(one), b = _mm512_castsi512_ph(half), c = start;
    KERNEL_BODY
}
#undef OP
#undef V
#endif

/* ---- tiles ----------------------------------------------------------------------------------- */

#define TILE_ROWS 16
#define TILE_ROW_BYTES 64

struct tile_config {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
};

static TARGET("amx-tile") bool tiles_prepare(void)
{
    struct tile_config config = {.palette = 1};
    for (int i = 0; i < 8; i++) {
        config.row_bytes[i] = TILE_ROW_BYTES;
        config.rows[i] = TILE_ROWS;
    }
    /* gcc 12 says that the intrinsic reads 8 bytes and drops the stores of the other 56. */
    __asm__ volatile("" : : "r"(&config) : "memory");
    _tile_loadconfig(&config);
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    _tile_zero(4);
    _tile_zero(5);
    _tile_zero(6);
    _tile_zero(7);
    return true;
}

static TARGET("amx-tile") void tiles_finish(void)
{
    _tile_release();
}

/* Four sums, two tiles on each side: what a product has. */
static TARGET("amx-tile,amx-bf16") void amx_bf16(int64_t steps, int32_t quads)
{
    WL_DETECT_QUADS_BEGIN
    for (int64_t n = 0; n < steps; n++) {
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
        WL_DETECT_QUADS(quads)
    }
}

static TARGET("amx-tile,amx-int8") void amx_int8(int64_t steps, int32_t quads)
{
    WL_DETECT_QUADS_BEGIN
    for (int64_t n = 0; n < steps; n++) {
        _tile_dpbssd(0, 4, 6);
        _tile_dpbssd(1, 4, 7);
        _tile_dpbssd(2, 5, 6);
        _tile_dpbssd(3, 5, 7);
        WL_DETECT_QUADS(quads)
    }
}

/* ---- table ----------------------------------------------------------------------------------- */

#define VECTOR(name, prec, bits, needs, ops, run)                                                  \
    {                                                                                              \
        name, WL_PIPE_VECTOR, prec, bits, 0, 0, 0, needs, ops, run, NULL, NULL                     \
    }
/* Of one instruction: 16 x 16 sums over 64 bytes of K. */
#define TILE(prec, needs, k, run)                                                                  \
    {                                                                                              \
        "amx", WL_PIPE_MATRIX, prec, 0, TILE_ROWS, 16, 4, needs, 4.0 * 2 * TILE_ROWS * 16 * (k),   \
            run, tiles_prepare, tiles_finish                                                       \
    }

/* clang-format off */
static const struct wl_detect_kernel kernels[] = {
    /*     pipe      precision     bits needs          operations of a step   kernel */
    VECTOR("scalar", WL_PREC_FP32, 32,  F_BASE,        2.0 * ACCUMULATORS,       scalar_fp32),
    VECTOR("sse",    WL_PREC_FP64, 128, F_BASE,        2.0 * 2 * ACCUMULATORS,   sse_fp64),
    VECTOR("sse",    WL_PREC_FP32, 128, F_BASE,        2.0 * 4 * ACCUMULATORS,   sse_fp32),
    VECTOR("sse",    WL_PREC_INT8, 128, F_FMA,         2.0 * 16 * ACCUMULATORS,  sse_int8),
    VECTOR("avx2",   WL_PREC_FP64, 256, F_FMA,         2.0 * 4 * ACCUMULATORS,   avx2_fp64),
    VECTOR("avx2",   WL_PREC_FP32, 256, F_FMA,         2.0 * 8 * ACCUMULATORS,   avx2_fp32),
    VECTOR("avx2",   WL_PREC_INT8, 256, F_FMA,         2.0 * 32 * ACCUMULATORS,  avx2_int8),
    VECTOR("avx2",   WL_PREC_INT8, 256, F_AVX_VNNI,    2.0 * 32 * ACCUMULATORS,  avx_vnni_int8),
    VECTOR("avx512", WL_PREC_FP64, 512, F_AVX512,      2.0 * 8 * ACCUMULATORS,   avx512_fp64),
    VECTOR("avx512", WL_PREC_FP32, 512, F_AVX512,      2.0 * 16 * ACCUMULATORS,  avx512_fp32),
#ifdef HALF_PRECISION
    VECTOR("avx512", WL_PREC_FP16, 512, F_AVX512_FP16, 2.0 * 32 * ACCUMULATORS,  avx512_fp16),
#endif
    VECTOR("avx512", WL_PREC_BF16, 512, F_AVX512_BF16, 2.0 * 32 * ACCUMULATORS,  avx512_bf16),
    VECTOR("avx512", WL_PREC_INT8, 512, F_AVX512,      2.0 * 64 * ACCUMULATORS,  avx512_int8),
    VECTOR("avx512", WL_PREC_INT8, 512, F_AVX512_VNNI, 2.0 * 64 * ACCUMULATORS,  avx512_vnni_int8),
    TILE(WL_PREC_BF16, F_AMX_BF16, 32, amx_bf16),
    TILE(WL_PREC_INT8, F_AMX_INT8, 64, amx_int8),
};
/* clang-format on */

const struct wl_detect_kernel *wl_detect_kernels(int32_t *count)
{
    *count = (int32_t)WL_ARRAY_LEN(kernels);
    return kernels;
}

/* ---- reading memory -------------------------------------------------------------------------- */

/* An empty statement that wants the value in a register: the load stays, nothing else is done. */
#define LOAD(i) __asm__ volatile("" : : "v"(load(p + (i))));
#define READ_LOOP(type)                                                                            \
    const type *p = data;                                                                          \
    for (const type *end = p + bytes / (int64_t)sizeof(type); p < end; p += 8) {                   \
        LOAD(0) LOAD(1) LOAD(2) LOAD(3) LOAD(4) LOAD(5) LOAD(6) LOAD(7)                            \
    }

#define load _mm512_load_si512
static TARGET("avx512f") void read_avx512(const void *data, int64_t bytes)
{
    READ_LOOP(__m512i)
}

#undef load
#define load _mm256_load_si256
static TARGET("avx2") void read_avx2(const void *data, int64_t bytes)
{
    READ_LOOP(__m256i)
}

#undef load
#define load _mm_load_si128
static TARGET("sse2") void read_sse2(const void *data, int64_t bytes)
{
    READ_LOOP(__m128i)
}

#undef load

void wl_detect_read(const void *data, int64_t bytes, uint32_t features)
{
    if ((features & F_AVX512) != 0) {
        read_avx512(data, bytes);
    } else if ((features & F_FMA) != 0) {
        read_avx2(data, bytes);
    } else {
        read_sse2(data, bytes);
    }
}

#else
typedef int wl_detect_x86_unused;
#endif
