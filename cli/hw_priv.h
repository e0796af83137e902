/* SPDX-License-Identifier: Apache-2.0 */
/* hw_priv.h: what the parts of `wattline hw` share. */
#ifndef WL_HW_PRIV_H
#define WL_HW_PRIV_H

#include "cli.h"
#include "hardware.h"
#include "report.h"

struct wl_cli_hw {
    struct wl_arena arena;
    struct wl_registry registry;
    enum wl_format format;
    const char *registry_dir, *output;
    const char *device, *framework, *power_mode;
    int class; /* enum wl_hw_class; -1: all */
    const char *vendor;
    const char *schema;          /* check: print this schema instead */
    enum wl_precision precision; /* WL_PREC_COUNT: any */
    double min_tdp_w, max_tdp_w;
    bool detail, summary, describe, strict, quick;
    bool problems; /* something was reported: exit code 1 */
};

typedef wl_status wl_cli_hw_run(struct wl_cli_hw *h, int argc, char **argv, struct wl_buf *out,
                                struct wl_error *err);

wl_cli_hw_run wl_cli_hw_list, wl_cli_hw_show, wl_cli_hw_check, wl_cli_hw_calibrations,
    wl_cli_hw_import, wl_cli_hw_detect;

/* RFC 4180: quoted where it has a comma, a quote or a line end. */
void wl_cli_csv_cell(struct wl_buf *out, bool first, const char *text);
/* "a, b, c" in the arena. */
const char *wl_cli_join(struct wl_arena *a, const char *const *items, int32_t count,
                        const char *separator);

#endif
