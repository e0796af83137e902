/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops_priv_b: functions that the rows of the domains other than ai.onnx name, where a family of the
 * default domain does not serve them.
 */
#ifndef WL_OPS_PRIV_B_H
#define WL_OPS_PRIV_B_H

#include "ops_priv.h"

wl_status wl_infer_unique_flat(struct wl_op_ctx *c);
wl_status wl_infer_expand_dims(struct wl_op_ctx *c);
wl_status wl_infer_crop_and_resize(struct wl_op_ctx *c);
void wl_cost_crop_and_resize(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_rfft(struct wl_op_ctx *c);
wl_status wl_infer_irfft(struct wl_op_ctx *c);
void wl_cost_rfft(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_irfft(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_generation(struct wl_op_ctx *c);
wl_status wl_infer_tokenizer(struct wl_op_ctx *c);

#endif
