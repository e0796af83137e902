/* SPDX-License-Identifier: Apache-2.0 */
/* measure/stats.c: order statistics of repeats. */
#include <stdlib.h>
#include <string.h>

#include "measure_priv.h"

/* The values that are numbers, sorted; NULL when there is none (or no memory). */
static double *sorted(const double *values, int32_t count, int32_t *kept)
{
    double *copy = count > 0 ? wl_malloc((size_t)count * sizeof(double)) : NULL;
    *kept = 0;
    for (int32_t i = 0; copy != NULL && i < count; i++) {
        if (!isnan(values[i])) {
            copy[(*kept)++] = values[i];
        }
    }
    if (*kept > 0) {
        qsort(copy, (size_t)*kept, sizeof(double), wl_compare_doubles);
    }
    return copy;
}

double wl_median(const double *values, int32_t count)
{
    int32_t n;
    double *s = sorted(values, count, &n);
    double median = (double)NAN;
    if (n > 0) {
        median = n % 2 == 1 ? s[n / 2] : 0.5 * (s[n / 2 - 1] + s[n / 2]);
    }
    wl_free(s);
    return median;
}

double wl_spread(const double *values, int32_t count)
{
    int32_t n;
    double *s = sorted(values, count, &n);
    double spread = (double)NAN;
    if (n >= 2) {
        double median = n % 2 == 1 ? s[n / 2] : 0.5 * (s[n / 2 - 1] + s[n / 2]);
        spread = median > 0.0 ? (s[n - 1] - s[0]) / median : (double)NAN;
    }
    wl_free(s);
    return spread;
}
