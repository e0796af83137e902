/* SPDX-License-Identifier: Apache-2.0 */
/*
 * op_table: every operator, one row each, in order of (domain, name), so that a binary search finds
 * it. The rows of a domain lie in rows_<domain>.def. `since` is the opset version that brought the
 * newest form, the only one that infer and cost functions see (frontend/opset.c raises older
 * forms). Names, versions and arities of the default domain are those of ONNX 1.23's operator list
 * (203 operators, opset 28); deprecated ones that files still carry (Scatter, Upsample) keep their
 * rows.
 *
 * `ops_per_elem` and `work` drive wl_cost_map and wl_cost_reduce. Where a function has a formula of
 * its own, the columns name the leading kind for readers; for recurrent rows ops_per_elem is the
 * number of gates.
 */
#include "ops_priv.h"
#include "ops_priv_b.h"

/* clang-format off */
static const struct wl_op rows[] = {
#include "rows_default.def"
#include "rows_ml.def"
#include "rows_preview.def"
#include "rows_training.def"
#include "rows_ms.def"
#include "rows_nchwc.def"
#include "rows_nhwc.def"
};
/* clang-format on */

const struct wl_op *wl_op_table(int32_t *count)
{
    *count = (int32_t)WL_ARRAY_LEN(rows);
    return rows;
}
