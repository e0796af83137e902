/* SPDX-License-Identifier: Apache-2.0 */
/* evaluate/tally.c: errors by key. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "evaluate.h"

static bool grow(void **items, int32_t *capacity, int32_t need, size_t size)
{
    if (need <= *capacity) {
        return true;
    }
    int32_t more = *capacity > 0 ? *capacity * 2 : 16;
    void *p = wl_realloc(*items, (size_t)more * size);
    if (p == NULL) {
        return false;
    }
    *items = p;
    *capacity = more;
    return true;
}

static struct tally_group *group_of(struct tally *t, const char *key)
{
    for (int32_t i = 0; i < t->count; i++) {
        if (strcmp(t->groups[i].key, key) == 0) {
            return &t->groups[i];
        }
    }
    if (!grow((void **)&t->groups, &t->capacity, t->count + 1, sizeof(*t->groups))) {
        return NULL;
    }
    struct tally_group *g = &t->groups[t->count++];
    *g = (struct tally_group){.count = 0};
    (void)snprintf(g->key, sizeof(g->key), "%s", key);
    return g;
}

void wl_tally_add(struct tally *t, const char *key, double ratio)
{
    struct tally_group *g = group_of(t, key);
    if (g != NULL && isfinite(ratio) &&
        grow((void **)&g->ratios, &g->capacity, g->count + 1, sizeof(double))) {
        g->ratios[g->count++] = ratio;
    }
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return x < y ? -1 : (x > y ? 1 : 0);
}

static double percentile(double *values, int32_t count, double share)
{
    qsort(values, (size_t)count, sizeof(double), compare);
    return values[(int32_t)(share * (count - 1) + 0.5)];
}

static void print_group(struct tally_group *g, FILE *out)
{
    double *errors = wl_malloc((size_t)g->count * sizeof(double));
    if (errors == NULL || g->count == 0) {
        wl_free(errors);
        return;
    }
    double mean = 0;
    for (int32_t i = 0; i < g->count; i++) {
        errors[i] = fabs(g->ratios[i] - 1);
        mean += errors[i] / g->count;
    }
    double median = percentile(errors, g->count, 0.5);
    double p90 = percentile(errors, g->count, 0.9);
    double middle = percentile(g->ratios, g->count, 0.5);
    (void)fprintf(out, "%-52s %5d  median %5.1f %%  mean %5.1f %%  p90 %6.1f %%  ratio %.3f\n",
                  g->key, g->count, median * 100, mean * 100, p90 * 100, middle);
    wl_free(errors);
}

void wl_tally_print(struct tally *t, const char *prefix, FILE *out)
{
    for (int32_t i = 0; i < t->count; i++) {
        if (strncmp(t->groups[i].key, prefix, strlen(prefix)) == 0) {
            print_group(&t->groups[i], out);
        }
    }
}

void wl_tally_done(struct tally *t)
{
    for (int32_t i = 0; i < t->count; i++) {
        wl_free(t->groups[i].ratios);
    }
    wl_free(t->groups);
    *t = (struct tally){0};
}
