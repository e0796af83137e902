/* SPDX-License-Identifier: Apache-2.0 */
/*
 * partition/profiles.c: what each fusion profile can do. A profile is a set of features; the rows
 * of the fusion table (fuse.c) and of the idiom table (idioms.c) each need one. What is known of
 * each runtime, and where from, stands in docs/fusion.md.
 */
#include <string.h>

#include "partition_priv.h"

#define IDIOMS (F(IDIOM_ACT) | F(IDIOM_NORM) | F(IDIOM_SOFTMAX))
#define FUSED_ATTENTION (F(ATTENTION) | F(ATTENTION_LAYOUT))
#define CONV_ADDS (F(CONV_ADD) | F(CONV_ADD_ACT))
#define CONV_USUAL                                                                                 \
    (F(DECONV) | F(CONV_BN) | F(CONV_AFFINE) | F(CONV_ACT) | F(CONV_ACTX) | CONV_ADDS |            \
     F(CONV_ACT_ADD))
#define GEMM_USUAL                                                                                 \
    (F(GEMM_OPERANDS) | F(GEMM_BIAS) | F(GEMM_SCALE) | F(GEMM_ACT) | F(GEMM_ACTX) | F(GEMM_ADD))

#define BASIC (IDIOMS | F(QDQ) | F(VIEWS) | CONV_USUAL | GEMM_USUAL | F(GATE) | F(MAP_CHAIN))

/* Element-wise regions around norms, reductions and copies become one generated kernel. */
#define LOOPS                                                                                      \
    (F(MAP_CHAIN) | F(MAP_BRANCH) | F(NORM_CHAIN) | F(POOL_CHAIN) | F(SKIP_NORM) | F(MAP_NORM) |   \
     F(MAP_REDUCE) | F(MOVE_CHAIN))

/* Compilers that generate loops around library products. */
#define LOOP_COMPILER (IDIOMS | F(IDIOM_ROPE) | F(VIEWS) | F(QDQ) | F(GEMM_OPERANDS) | LOOPS)

#define AGGRESSIVE                                                                                 \
    (BASIC | F(IDIOM_ROPE) | FUSED_ATTENTION | F(CONV_CHAIN) | F(GEMM_CHAIN) | LOOPS | F(PAD) |    \
     F(PROLOGUE) | F(MLP))
#define NCNN                                                                                       \
    (F(DECONV) | F(IDIOM_ACT) | F(IDIOM_NORM) | F(QDQ) | F(VIEWS) | F(CONV_BN) | F(CONV_AFFINE) |  \
     F(CONV_ACT) | F(GEMM_OPERANDS) | F(GEMM_BIAS) | F(GEMM_ACT) | FUSED_ATTENTION | F(PAD))
#define ONNXRUNTIME                                                                                \
    (F(IDIOM_ACT) | F(IDIOM_NORM) | F(CONV_BN) | F(CONV_AFFINE) | F(CONV_ACT) | CONV_ADDS |        \
     F(FIRST_OPERAND) | F(BN_ACT) | F(GEMM_MATRIX_BIAS) | F(GEMM_MATRIX_ACT) | F(GEMM_ALPHA) |     \
     F(GEMM_OPERANDS) | F(BIAS_GELU) | F(PAD) | F(QDQ_UNITS))
#define OPENVINO                                                                                   \
    (BASIC | F(IDIOM_ROPE) | F(CONV_CHAIN) | F(GEMM_CHAIN) | F(POOL_CHAIN) | F(NORM_CHAIN) | F(PAD))
#define PYTORCH_COMPILE (LOOP_COMPILER | FUSED_ATTENTION | F(GEMM_BIAS))
#define PYTORCH_EAGER (IDIOMS | FUSED_ATTENTION | F(GEMM_OPERANDS) | F(GEMM_BIAS) | F(VIEWS))
#define TENSORRT                                                                                   \
    (BASIC | F(IDIOM_ROPE) | FUSED_ATTENTION | F(CONV_CHAIN) | F(GEMM_CHAIN) | F(MAP_BRANCH) |     \
     F(NORM_CHAIN) | F(SKIP_NORM) | F(MAP_NORM) | F(MAP_REDUCE) | F(PAD))
#define TFLITE                                                                                     \
    (F(IDIOM_ACT) | F(QDQ) | F(VIEWS) | F(CONV_BN) | F(CONV_AFFINE) | F(CONV_ACT) |                \
     F(GEMM_OPERANDS) | F(GEMM_BIAS) | F(GEMM_ACT) | F(PAD))
#define XLA                                                                                        \
    (LOOP_COMPILER | F(CONV_BN) | F(CONV_AFFINE) | F(CONV_ACT) | CONV_ADDS | F(GEMM_BIAS) |        \
     F(GEMM_ACT))

static const struct profile profiles[] = {
    {"aggressive", AGGRESSIVE},
    {"basic", BASIC},
    {"ncnn", NCNN},
    {"none", 0},
    {"onnxruntime", ONNXRUNTIME},
    {"openvino", OPENVINO},
    {"pytorch-compile", PYTORCH_COMPILE},
    {"pytorch-eager", PYTORCH_EAGER},
    {"tensorrt", TENSORRT},
    {"tflite", TFLITE},
    {"xla", XLA},
};

/* In the order of the table. */
static const char *const profile_names[] = {
    "aggressive",      "basic",         "ncnn",     "none",   "onnxruntime", "openvino",
    "pytorch-compile", "pytorch-eager", "tensorrt", "tflite", "xla"};
_Static_assert(WL_ARRAY_LEN(profile_names) == WL_ARRAY_LEN(profiles), "one name per profile");

const struct profile *wl_partition_profile(const char *name)
{
    for (size_t i = 0; i < WL_ARRAY_LEN(profiles); i++) {
        if (strcmp(profiles[i].name, name) == 0) {
            return &profiles[i];
        }
    }
    return NULL;
}

bool wl_partition_profile_known(const char *name)
{
    return wl_partition_profile(name) != NULL;
}

const char *const *wl_partition_profiles(int32_t *count)
{
    *count = (int32_t)WL_ARRAY_LEN(profile_names);
    return profile_names;
}
