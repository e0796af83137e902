/* SPDX-License-Identifier: Apache-2.0 */
/* ir/dtype.c: element types: names, widths, and the precision that computes each. */
#include "ir.h"

struct dtype_info {
    const char *name;
    int bits;
};

static const struct dtype_info table[WL_DT_COUNT] = {
#define WL_X(id, number, name, bits) [number] = {name, bits},
    WL_DTYPES(WL_X)
#undef WL_X
};

const char *wl_dtype_name(enum wl_dtype t)
{
    return table[t].name;
}

int wl_dtype_bits(enum wl_dtype t)
{
    return table[t].bits;
}

bool wl_dtype_is_float(enum wl_dtype t)
{
    switch (t) {
    case WL_DT_FLOAT:
    case WL_DT_FLOAT16:
    case WL_DT_DOUBLE:
    case WL_DT_BFLOAT16:
    case WL_DT_FLOAT8E4M3FN:
    case WL_DT_FLOAT8E4M3FNUZ:
    case WL_DT_FLOAT8E5M2:
    case WL_DT_FLOAT8E5M2FNUZ:
    case WL_DT_FLOAT4E2M1:
    case WL_DT_FLOAT8E8M0:
        return true;
    default:
        return false;
    }
}

bool wl_dtype_is_int(enum wl_dtype t)
{
    switch (t) {
    case WL_DT_UINT8:
    case WL_DT_INT8:
    case WL_DT_UINT16:
    case WL_DT_INT16:
    case WL_DT_INT32:
    case WL_DT_INT64:
    case WL_DT_UINT32:
    case WL_DT_UINT64:
    case WL_DT_UINT4:
    case WL_DT_INT4:
    case WL_DT_UINT2:
    case WL_DT_INT2:
        return true;
    default:
        return false;
    }
}

enum wl_precision wl_dtype_precision(enum wl_dtype t)
{
    switch (wl_dtype_bits(t)) {
    case 128:
        return WL_PREC_FP64;
    case 64:
        return t == WL_DT_DOUBLE      ? WL_PREC_FP64
               : t == WL_DT_COMPLEX64 ? WL_PREC_FP32
                                      : WL_PREC_INT64;
    case 32:
        return t == WL_DT_FLOAT ? WL_PREC_FP32 : WL_PREC_INT32;
    case 16:
        return t == WL_DT_FLOAT16    ? WL_PREC_FP16
               : t == WL_DT_BFLOAT16 ? WL_PREC_BF16
                                     : WL_PREC_INT16;
    case 8:
        return wl_dtype_is_float(t) ? WL_PREC_FP8 : WL_PREC_INT8;
    case 4:
        return t == WL_DT_FLOAT4E2M1 ? WL_PREC_FP4 : WL_PREC_INT4;
    case 2:
        return WL_PREC_INT4;
    default: /* strings and undefined types are moved, not computed */
        return WL_PREC_INT8;
    }
}
