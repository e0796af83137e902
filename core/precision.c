/* SPDX-License-Identifier: Apache-2.0 */
/* core/precision.c: names and widths of numeric precisions, from the one list in core.h. */
#include <strings.h>

#include "core.h"

struct precision_info {
    const char *name;
    int bits;
};

static const struct precision_info table[WL_PREC_COUNT + 1] = {
#define WL_X(id, name, bits) [WL_PREC_##id] = {name, bits},
    WL_PRECISIONS(WL_X)
#undef WL_X
        [WL_PREC_NATIVE] = {"native", 0},
};

const char *wl_precision_name(enum wl_precision p)
{
    return table[p].name;
}

int wl_precision_bits(enum wl_precision p)
{
    return table[p].bits;
}

bool wl_precision_is_float(enum wl_precision p)
{
    return p <= WL_PREC_FP4;
}

enum wl_precision wl_precision_find(const char *name)
{
    for (int p = 0; p < WL_PREC_COUNT; p++) {
        if (strcasecmp(name, table[p].name) == 0) {
            return (enum wl_precision)p;
        }
    }
    return WL_PREC_COUNT;
}
