/* SPDX-License-Identifier: Apache-2.0 */
/*
 * partition/profiles.c: what each fusion profile can do. A profile is a set of features; the rows
 * of the fusion table (fuse.c) and of the idiom table (idioms.c) each need one. What is known of
 * each runtime, and where from, stands in docs/fusion.md.
 */
#include <string.h>

#include "partition_priv.h"

#define IDIOMS (F(IDIOM_ACT) | F(IDIOM_NORM) | F(IDIOM_SOFTMAX))
#define CONV_USUAL                                                                                 \
    (F(CONV_BN) | F(CONV_AFFINE) | F(CONV_ACT) | F(CONV_ACTX) | F(CONV_ADD) | F(CONV_ADD_ACT) |    \
     F(CONV_ACT_ADD))
#define GEMM_USUAL (F(GEMM_BIAS) | F(GEMM_SCALE) | F(GEMM_ACT) | F(GEMM_ACTX) | F(GEMM_ADD))

#define BASIC (IDIOMS | F(QDQ) | F(VIEWS) | CONV_USUAL | GEMM_USUAL | F(GATE) | F(MAP_CHAIN))

/* Compilers that generate code for element-wise regions around library kernels. */
#define LOOP_COMPILER                                                                              \
    (IDIOMS | F(IDIOM_ROPE) | F(VIEWS) | F(QDQ) | F(MAP_CHAIN) | F(MAP_BRANCH) | F(NORM_CHAIN) |   \
     F(POOL_CHAIN) | F(SKIP_NORM) | F(MAP_NORM) | F(MAP_REDUCE) | F(MOVE_CHAIN))

static const struct profile profiles[] = {
    {"aggressive", BASIC | F(IDIOM_ROPE) | F(ATTENTION) | F(ATTENTION_LAYOUT) | F(CONV_CHAIN) |
                       F(GEMM_CHAIN) | F(MAP_BRANCH) | F(NORM_CHAIN) | F(POOL_CHAIN) |
                       F(SKIP_NORM) | F(MAP_NORM) | F(MAP_REDUCE) | F(MOVE_CHAIN) | F(PAD) |
                       F(PROLOGUE) | F(MLP)},
    {"basic", BASIC},
    {"ncnn", F(IDIOM_ACT) | F(IDIOM_NORM) | F(VIEWS) | F(CONV_BN) | F(CONV_AFFINE) | F(CONV_ACT) |
                 F(GEMM_BIAS) | F(GEMM_ACT) | F(ATTENTION) | F(ATTENTION_LAYOUT) | F(QDQ)},
    {"none", 0},
    {"onnxruntime", F(IDIOM_ACT) | F(IDIOM_NORM) | F(QDQ) | F(CONV_BN) | F(CONV_AFFINE) |
                        F(CONV_ACT) | F(CONV_ADD) | F(CONV_ADD_ACT) | F(GEMM_BIAS) | F(GEMM_SCALE) |
                        F(GEMM_ACT) | F(BIAS_ACT) | F(SKIP_NORM) | F(PAD)},
    {"openvino", BASIC | F(ATTENTION) | F(ATTENTION_LAYOUT) | F(IDIOM_ROPE) | F(CONV_CHAIN) |
                     F(GEMM_CHAIN) | F(POOL_CHAIN) | F(NORM_CHAIN) | F(PAD)},
    {"pytorch-compile", LOOP_COMPILER | F(ATTENTION) | F(ATTENTION_LAYOUT) | F(GEMM_BIAS)},
    {"pytorch-eager", IDIOMS | F(ATTENTION) | F(ATTENTION_LAYOUT) | F(GEMM_BIAS) | F(VIEWS)},
    {"tensorrt", BASIC | F(IDIOM_ROPE) | F(ATTENTION) | F(ATTENTION_LAYOUT) | F(CONV_CHAIN) |
                     F(GEMM_CHAIN) | F(MAP_BRANCH) | F(NORM_CHAIN) | F(SKIP_NORM) | F(MAP_NORM) |
                     F(MAP_REDUCE) | F(PAD)},
    {"tflite", F(QDQ) | F(CONV_BN) | F(CONV_AFFINE) | F(CONV_ACT) | F(GEMM_BIAS) | F(GEMM_ACT) |
                   F(IDIOM_ACT) | F(PAD) | F(VIEWS)},
    {"xla", LOOP_COMPILER | F(CONV_AFFINE) | F(CONV_BN) | F(CONV_ACT) | F(CONV_ADD) |
                F(CONV_ADD_ACT) | F(GEMM_BIAS) | F(GEMM_ACT)},
};

#define PROFILE_COUNT ((int32_t)WL_ARRAY_LEN(profiles))

static const char *const profile_names[] = {
    "aggressive",      "basic",         "ncnn",     "none",   "onnxruntime", "openvino",
    "pytorch-compile", "pytorch-eager", "tensorrt", "tflite", "xla"};
_Static_assert(WL_ARRAY_LEN(profile_names) == WL_ARRAY_LEN(profiles), "one name per profile");

const struct profile *wl_partition_profile(const char *name)
{
    for (int32_t i = 0; i < PROFILE_COUNT; i++) {
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
    *count = PROFILE_COUNT;
    return profile_names;
}
