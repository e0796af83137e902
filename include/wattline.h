/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wattline.h: the public interface of libwattline.
 *
 * Status codes, errors, and (below) the calls that analyse a model on a device. All functions are
 * re-entrant; no function prints or exits. Strings are UTF-8.
 */
#ifndef WATTLINE_H
#define WATTLINE_H

#include <stddef.h>
#include <stdint.h>

#define WATTLINE_VERSION "0.1.0"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define WL_MUST_CHECK __attribute__((warn_unused_result))
#else
#define WL_MUST_CHECK
#endif

/* INVALID: the input is wrong. UNSUPPORTED: valid, but the device or wattline cannot. BUG: ours. */
typedef enum {
    WL_OK = 0,
    WL_ERR_NOMEM = -1,
    WL_ERR_IO = -2,
    WL_ERR_PARSE = -3,
    WL_ERR_INVALID = -4,
    WL_ERR_UNSUPPORTED = -5,
    WL_ERR_LIMIT = -6,
    WL_ERR_BUG = -7,
    WL_ERR_USAGE = -8 /* the request is wrong: an option, a name, an unbound dimension */
} wl_status;

struct wl_error {
    wl_status code;
    char where[192];    /* in the user's terms: a path, a node, a JSON path */
    char message[1024]; /* what is wrong; what would be right */
};

#ifdef __cplusplus
}
#endif

#endif
