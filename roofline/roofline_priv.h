/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WL_ROOFLINE_PRIV_H
#define WL_ROOFLINE_PRIV_H

#include "roofline.h"

/* Stretches latencies of `r` so that the inference stays within the power limit (power.c). */
void wl_roofline_bound_power(const struct wl_mappings *m, const struct wl_energy *e,
                             struct wl_roofline *r);

#endif
