/* SPDX-License-Identifier: Apache-2.0 */
/*
 * onnx_build: small ONNX graphs in memory and as files. Names carry a prefix, so that many kernels
 * can live in one file and each executed node tells which it belongs to. Failures stick: every call
 * returns something usable, and writing reports them.
 */
#ifndef WL_ONNX_BUILD_H
#define WL_ONNX_BUILD_H

#include "core.h"

/* As TensorProto numbers them. */
enum wl_onnx_type { WL_ONNX_FLOAT = 1, WL_ONNX_UINT8 = 2, WL_ONNX_INT8 = 3, WL_ONNX_INT64 = 7 };

struct wl_onnx; /* one graph under construction */
struct wl_onnx_node;

/* Lives in `arena`; NULL when out of memory. */
struct wl_onnx *wl_onnx_new(struct wl_arena *arena);
/* All names made from now on begin with `prefix`, and are numbered from 0. */
void wl_onnx_prefix(struct wl_onnx *b, const char *prefix);
/* Names made while it is on begin with WL_ONNX_AID: what only prepares data for a kernel. */
#define WL_ONNX_AID "aid_"
void wl_onnx_aid(struct wl_onnx *b, bool on);

/* Each returns the tensor's name. Dims are copied. */
const char *wl_onnx_input(struct wl_onnx *b, enum wl_onnx_type type, const int64_t *dims,
                          int32_t rank);
/* Values come later, at random (wl_materialize). */
const char *wl_onnx_weight(struct wl_onnx *b, const int64_t *dims, int32_t rank);
const char *wl_onnx_weight_of(struct wl_onnx *b, enum wl_onnx_type type, const int64_t *dims,
                              int32_t rank);
const char *wl_onnx_ints(struct wl_onnx *b, const int64_t *values, int32_t count);
const char *wl_onnx_scalar(struct wl_onnx *b, float value);
const char *wl_onnx_byte(struct wl_onnx *b, uint8_t value);
/* A result of the model; of peeked graphs only its first element is (wl_onnx_peek). */
void wl_onnx_output(struct wl_onnx *b, const char *tensor);
/*
 * From now on results stay inside and only their first elements leave: the memory of what leaves is
 * new in every inference, and the kernel that writes it pays for its pages; what stays inside uses
 * memory again, as between the kernels of a network.
 */
void wl_onnx_peek(struct wl_onnx *b);

/* A node with one output; inputs that are NULL end the list. */
struct wl_onnx_node *wl_onnx_add(struct wl_onnx *b, const char *op, const char *const inputs[8]);
const char *wl_onnx_result(const struct wl_onnx_node *n);
/* One more output, four at most; NULL past them. */
const char *wl_onnx_another(struct wl_onnx *b, struct wl_onnx_node *n);
void wl_onnx_attr_int(struct wl_onnx *b, struct wl_onnx_node *n, const char *name, int64_t value);
void wl_onnx_attr_ints(struct wl_onnx *b, struct wl_onnx_node *n, const char *name,
                       const int64_t *values, int32_t count);

void wl_onnx_attr_text(struct wl_onnx *b, struct wl_onnx_node *n, const char *name,
                       const char *value);

/* Writes the graph-only file: opset 17, IR version 8. */
wl_status wl_onnx_write(struct wl_onnx *b, const char *path, struct wl_error *err) WL_MUST_CHECK;

#endif
