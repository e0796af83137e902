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

/* ---- ms_attention.c */
wl_status wl_infer_ms_attention(struct wl_op_ctx *c);
void wl_cost_ms_attention(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_qattention(struct wl_op_ctx *c);
void wl_cost_qattention(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_packed_attention(struct wl_op_ctx *c);
void wl_cost_packed_attention(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_packed_mha(struct wl_op_ctx *c);
void wl_cost_packed_mha(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_qordered_attention(struct wl_op_ctx *c);
void wl_cost_qordered_attention(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_mha(struct wl_op_ctx *c);
void wl_cost_mha(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_decoder_mha(struct wl_op_ctx *c);
void wl_cost_decoder_mha(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_gqa(struct wl_op_ctx *c);
void wl_cost_gqa(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_sparse_attention(struct wl_op_ctx *c);
void wl_cost_sparse_attention(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_paged_attention(struct wl_op_ctx *c);
void wl_cost_paged_attention(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_longformer(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_decoder_attention(struct wl_op_ctx *c);
void wl_cost_decoder_attention(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_gemma_rotary(struct wl_op_ctx *c);
void wl_cost_gemma_rotary(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_relative_bias(struct wl_op_ctx *c);
void wl_cost_relative_bias(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_gated_relative_bias(struct wl_op_ctx *c);
void wl_cost_gated_relative_bias(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_remove_padding(struct wl_op_ctx *c);
wl_status wl_infer_restore_padding(struct wl_op_ctx *c);

/* ---- ms_gemm.c */
wl_status wl_infer_fused_matmul(struct wl_op_ctx *c);
void wl_cost_fused_matmul(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_fused_gemm(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_gemm_float8(struct wl_op_ctx *c);
void wl_cost_gemm_fast_gelu(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_qgemm(struct wl_op_ctx *c);
void wl_cost_qgemm(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_matmul_integer_to_float(struct wl_op_ctx *c);
void wl_cost_matmul_integer_to_float(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_dynamic_quantize_matmul(struct wl_op_ctx *c);
void wl_cost_dynamic_quantize_matmul(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_matmul_integer16(struct wl_op_ctx *c);
wl_status wl_infer_qordered_matmul(struct wl_op_ctx *c);
void wl_cost_qordered_matmul(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_dynamic_quantize_lstm(struct wl_op_ctx *c);
void wl_cost_dynamic_quantize_lstm(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_matmul_nbits(struct wl_op_ctx *c);
void wl_cost_matmul_nbits(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_matmul_bnb4(struct wl_op_ctx *c);
void wl_cost_matmul_bnb4(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_matmul_fpq4(struct wl_op_ctx *c);
void wl_cost_matmul_fpq4(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_matmul_fp8(struct wl_op_ctx *c);
void wl_cost_matmul_fp8(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_matmul_fp4(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_nbits_mlp(struct wl_op_ctx *c);
void wl_cost_nbits_mlp(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_nbits_qkv(struct wl_op_ctx *c);
void wl_cost_nbits_qkv(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_moe(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_qmoe(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_sparse_matmul(struct wl_op_ctx *c);
void wl_cost_sparse_matmul(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_inverse(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_cdist(struct wl_op_ctx *c);
void wl_cost_cdist(struct wl_op_ctx *c, struct wl_work *w);
/* Work of an activation named as ONNX Runtime's attribute does, on n elements; none by an unknown
 * name. */
void wl_work_fused_activation(const struct wl_op_ctx *c, struct wl_work *w, struct wl_str name,
                              struct wl_dim n);

/* ---- ms_map.c */
void wl_cost_bias_gelu(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_fast_gelu(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_quick_gelu(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_bias_split_gelu(struct wl_op_ctx *c);
void wl_cost_bias_split_gelu(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_two_adds(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_complex_mul(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_attention_gate(struct wl_op_ctx *c);
void wl_cost_attention_gate(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_bias_dropout(struct wl_op_ctx *c);
wl_status wl_infer_bitmask_dropout(struct wl_op_ctx *c);
void wl_cost_bias_dropout(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_bias_softmax(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_skip_norm(struct wl_op_ctx *c);
void wl_cost_skip_layer_norm(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_skip_rms_norm(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_embed_layer_norm(struct wl_op_ctx *c);
void wl_cost_embed_layer_norm(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_ms_group_norm(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_skip_group_norm(struct wl_op_ctx *c);
void wl_cost_skip_group_norm(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_gated_rms_norm(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_qlinear_binary(struct wl_op_ctx *c);
void wl_cost_qlinear_binary(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_qlinear_where(struct wl_op_ctx *c);
void wl_cost_qlinear_where(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_mul_integer(struct wl_op_ctx *c);
void wl_cost_mul_integer(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_qlinear_sigmoid(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_qlinear_leaky_relu(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_qordered_gelu(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_qlinear_softmax(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_qordered_layer_norm(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_qlinear_concat(struct wl_op_ctx *c);
void wl_cost_qlinear_concat(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_qlinear_reduce_mean(struct wl_op_ctx *c);
void wl_cost_qlinear_reduce_mean(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_reduce_sum_integer(struct wl_op_ctx *c);
wl_status wl_infer_quantize_with_order(struct wl_op_ctx *c);
wl_status wl_infer_dequantize_with_order(struct wl_op_ctx *c);
wl_status wl_infer_gather_block_quantized(struct wl_op_ctx *c);
void wl_cost_gather_block_quantized(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_torch_embedding(struct wl_op_ctx *c);
wl_status wl_infer_unfold(struct wl_op_ctx *c);
wl_status wl_infer_murmur(struct wl_op_ctx *c);
wl_status wl_infer_ngram_repeat(struct wl_op_ctx *c);
void wl_cost_ngram_repeat(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_all_finite(struct wl_op_ctx *c);
void wl_cost_all_finite(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_time_warping(struct wl_op_ctx *c);
void wl_cost_time_warping(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_ms_causal_conv(struct wl_op_ctx *c);
void wl_cost_ms_causal_conv(struct wl_op_ctx *c, struct wl_work *w);

/* ---- ms_conv.c */
void wl_cost_fused_conv(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_nhwc_conv(struct wl_op_ctx *c);
void wl_cost_nhwc_conv(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_ms_qlinear_conv(struct wl_op_ctx *c);
void wl_cost_ms_qlinear_conv(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_nhwc_qlinear_conv(struct wl_op_ctx *c);
void wl_cost_nhwc_qlinear_conv(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_conv_transpose_pads(struct wl_op_ctx *c);
void wl_cost_conv_transpose_pads(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_nhwc_conv_transpose(struct wl_op_ctx *c);
void wl_cost_nhwc_conv_transpose(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_nhwc_pool(struct wl_op_ctx *c);
void wl_cost_nhwc_max_pool(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_nhwc_average_pool(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_qlinear_pool(struct wl_op_ctx *c);
void wl_cost_qlinear_pool(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_nhwc_global_pool(struct wl_op_ctx *c);
void wl_cost_nhwc_global_average(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_nhwc_global_max(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_qlinear_global_pool(struct wl_op_ctx *c);
void wl_cost_qlinear_global_pool(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_reorder_input(struct wl_op_ctx *c);
wl_status wl_infer_reorder_output(struct wl_op_ctx *c);
wl_status wl_infer_nchwc_upsample(struct wl_op_ctx *c);
wl_status wl_infer_nhwc_depth_to_space(struct wl_op_ctx *c);
wl_status wl_infer_nhwc_space_to_depth(struct wl_op_ctx *c);
wl_status wl_infer_nhwc_grid_sample(struct wl_op_ctx *c);

/* ---- ml.c */
wl_status wl_infer_ml_float_same(struct wl_op_ctx *c);
wl_status wl_infer_category_mapper(struct wl_op_ctx *c);
wl_status wl_infer_label_encoder(struct wl_op_ctx *c);
void wl_cost_ml_table(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_scaler(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_normalizer(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_array_feature(struct wl_op_ctx *c);
wl_status wl_infer_ml_one_hot(struct wl_op_ctx *c);
void wl_cost_ml_one_hot(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_feature_vectorizer(struct wl_op_ctx *c);
wl_status wl_infer_cast_map(struct wl_op_ctx *c);
wl_status wl_infer_dict_vectorizer(struct wl_op_ctx *c);
wl_status wl_infer_zip_map(struct wl_op_ctx *c);
wl_status wl_infer_linear_classifier(struct wl_op_ctx *c);
wl_status wl_infer_linear_regressor(struct wl_op_ctx *c);
void wl_cost_linear_model(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_svm_classifier(struct wl_op_ctx *c);
wl_status wl_infer_svm_regressor(struct wl_op_ctx *c);
void wl_cost_svm(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_tree_classifier(struct wl_op_ctx *c);
wl_status wl_infer_tree_regressor(struct wl_op_ctx *c);
wl_status wl_infer_tree_ensemble(struct wl_op_ctx *c);
void wl_cost_trees(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_momentum(struct wl_op_ctx *c);
wl_status wl_infer_adam(struct wl_op_ctx *c);
void wl_cost_momentum(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_adagrad(struct wl_op_ctx *c, struct wl_work *w);
void wl_cost_adam(struct wl_op_ctx *c, struct wl_work *w);
wl_status wl_infer_gradient(struct wl_op_ctx *c);

#endif
