/* SPDX-License-Identifier: Apache-2.0 */
/* wl_test.h: what every test includes: cmocka with its prerequisites. */
#ifndef WL_TEST_H
#define WL_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WL_TEST_SKIPPED 77

#endif
