/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Energy of a region of a C program. With an installed library:
 *     cc measure_region.c -lwattline -o measure_region && ./measure_region
 */
#include <math.h>
#include <stdio.h>

#include "wattline.h"

/* Something to measure: about a second of multiplications. */
static double work(void)
{
    volatile double x = 1.0;
    for (long i = 0; i < 200000000L; i++) {
        x = x * 1.0000000001;
    }
    return x;
}

static void print_channels(struct wl_meter *m)
{
    for (int32_t i = 0; i < wl_meter_channel_count(m); i++) {
        struct wl_meter_channel c;
        if (wl_meter_channel_read(m, i, &c, NULL) == WL_OK) {
            printf("  %s %s: %.3f J%s%s\n", c.source, c.name, c.energy_j,
                   c.counted != 0 ? "" : ", not in the total: ", c.counted != 0 ? "" : c.note);
        }
    }
}

int main(void)
{
    struct wl_error err;
    struct wl_meter *m = NULL;
    struct wl_meter_total total;
    if (wl_meter_open(NULL, &m, &err) != WL_OK || wl_meter_start(m, &err) != WL_OK) {
        (void)fprintf(stderr, "%s: %s\n", err.where, err.message);
        wl_meter_close(m);
        return 1;
    }
    double result = work();
    if (wl_meter_stop(m, &err) != WL_OK || wl_meter_read(m, &total, &err) != WL_OK) {
        (void)fprintf(stderr, "%s: %s\n", err.where, err.message);
        wl_meter_close(m);
        return 1;
    }
    printf("result %g after %.3f s\n", result, total.wall_s);
    if (isnan(total.energy_j)) {
        printf("no meter on this machine: wattline measure --sources tells why\n");
    } else {
        printf("%.3f J, %.1f W on average, peak %.1f W\n", total.energy_j, total.average_power_w,
               total.peak_power_w);
        print_channels(m);
    }
    wl_meter_close(m);
    return 0;
}
