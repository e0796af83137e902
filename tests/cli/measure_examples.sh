#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The examples run; the Python one where the shared library was built (WL_SHARED).
. "${WL_SOURCE_DIR:?is set by ctest}/tests/cli/lib.sh.inc" || exit 1
"$WL_BUILD_DIR/examples/measure_region" >"$work/c" || { echo "FAIL the C example: $(cat "$work/c")"; failures=1; }
grep -q '^result .* after ' "$work/c" || { echo "FAIL the C example prints: $(cat "$work/c")"; failures=1; }
library="$WL_BUILD_DIR/libwattline.so"
if [ -e "$library" ] && ! nm -D "$library" 2>/dev/null | grep -q __asan_init; then
    rails="$work/sys/class/hwmon/hwmon1"
    mkdir -p "$rails"
    echo ina3221 >"$rails/name"; echo VDD_IN >"$rails/in1_label"; echo 5000 >"$rails/in1_input"; echo 2000 >"$rails/curr1_input"
    WATTLINE_SYSFS_ROOT="$work/sys" /usr/bin/python3 "$WL_SOURCE_DIR/examples/measure_region.py" "$library" >"$work/py" ||
        { echo "FAIL the Python example"; failures=1; }
    grep -q ' 10.0 W on average' "$work/py" || { echo "FAIL the Python example prints: $(cat "$work/py")"; failures=1; }
fi
finish
