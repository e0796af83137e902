/* SPDX-License-Identifier: Apache-2.0 */
/* materialize_priv: which random values an initializer gets, for materialize.c alone. */
#ifndef WL_MATERIALIZE_PRIV_H
#define WL_MATERIALIZE_PRIV_H

#include "core.h"
#include "onnx.pb-c.h"

/* Values of one tensor: uniform in center - spread ... center + spread. */
struct wl_mat_draw {
    double center;
    double spread;
};

/* Bytes of one stored element; 0 for a type that has no rule. */
int64_t wl_mat_value_bytes(int32_t type);
/* How to draw the values of `t`, which `n` (NULL: nobody) reads as its input number `input`. */
struct wl_mat_draw wl_mat_draw_for(const Onnx__GraphProto *g, const Onnx__NodeProto *n,
                                   size_t input, const Onnx__TensorProto *t);
/* Writes `count` values of the type to `out` and advances the generator. */
void wl_mat_fill(int32_t type, struct wl_mat_draw draw, uint64_t *state, uint8_t *out,
                 size_t count);

#endif
