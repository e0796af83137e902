# SPDX-License-Identifier: Apache-2.0
# `wattline hw` and `wattline power` from the outside: every action, exit codes, one-line errors.
set -u
w=${WATTLINE:?}
export WATTLINE_REGISTRY=${WL_SOURCE_DIR:?}/registry
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export WATTLINE_HOST_DIR="$dir/none"
failures=0

fail() {
    echo "FAIL: $*"
    failures=$((failures + 1))
}

# expect CODE TEXT ARGUMENTS...: the exit code, and a piece of what is printed
expect() {
    local code=$1 text=$2
    shift 2
    local out
    out=$("$w" "$@" 2>&1)
    local got=$?
    [ "$got" -eq "$code" ] || fail "$* ended with $got, not $code: $(echo "$out" | head -n 2)"
    case $out in
        *"$text"*) ;;
        *) fail "$* does not say \"$text\": $(echo "$out" | head -n 3)" ;;
    esac
}

one_line() {
    local lines
    lines=$("$w" "$@" 2>&1 >/dev/null | wc -l)
    [ "$lines" -eq 1 ] || fail "$* prints $lines lines of error"
}

expect 0 nvidia_h100_sxm hw list --class gpu
expect 0 '"devices"' hw list --format json
expect 0 'id,name,vendor' hw list --format csv
expect 0 'raspberry_pi_4' hw list --max-tdp 10 --precision fp32
expect 0 'amx' hw show intel_xeon_8490h
expect 0 '"derived"' hw show h100 --format json
expect 0 'units 4 at 408' hw show jetson_orin_nano_gpu --power-mode 7w
expect 2 'nearest' hw show intel_xeon_8490
expect 2 'MAXN_SUPER' hw show jetson_orin_nano_gpu --power-mode 99W
expect 2 'not one' hw list --class npu
expect 2 'near' hw list --clas gpu
expect 2 'not an action' hw lst
expect 0 'spec.json' hw check --describe
expect 0 '2020-12' hw check --schema spec
expect 2 'no file' hw check
expect 0 'ok (spec' hw check tpu_v4
expect 0 '7W_306MHz_pytorch' hw calibrations jetson_orin_nano_gpu --detail --power-mode 7W
expect 0 'nvidia_jetson_agx_orin_64gb' hw calibrations --summary
expect 0 'bandwidth_includes_cache' hw calibrations i7_12700k --format json
expect 0 '[BF16]' power jetson_orin_nano_gpu
expect 0 '273.0' power jetson_orin_nano_gpu --framework pytorch
expect 0 '"scaling"' power jetson_orin_nano_gpu --format json
expect 0 'jetson_orin_nano_cpu' power --list
expect 2 'missing' power
expect 2 '--model' power h100
expect 2 'numpy' power jetson_orin_nano_gpu --framework numpy

# every file of the registry passes
find "$WATTLINE_REGISTRY" -name '*.json' -not -path '*/schema/*' -print0 |
    xargs -0 "$w" hw check >"$dir/check" || fail "hw check: $(grep -m 3 error "$dir/check")"

# a broken spec: every problem has its path, exit code 1; loading it says the first in one line
sed 's/"count": 60/"count": "many"/; s/"vendor"/"vendro"/' \
    "$WATTLINE_REGISTRY/cpu/intel_xeon_8490h/spec.json" >"$dir/bad.json"
expect 1 '/units/0/count' hw check "$dir/bad.json"
expect 1 '/vendro' hw check "$dir/bad.json"
expect 1 'more; ' hw show "$dir/bad.json"
one_line hw show "$dir/bad.json"
one_line hw show nosuch
expect 1 'opened' hw check "$dir/absent.json"

# import keeps the name, and what it writes passes
cat >"$dir/old.json" <<'OLD'
{"metadata": {"calibration_date": "2025-11-27T14:11:26", "framework": "pytorch",
  "gpu_clock": {"sm_clock_mhz": 918, "max_sm_clock_mhz": 918, "power_mode_name": "25W"}},
 "operation_profiles": {"g": {"operation_type": "blas3_gemm", "extra_params": {"size": 32},
  "precision_results": {"fp32": {"supported": true, "measured_gops": 0.0655, "mean_latency_ms": 1.0}}}}}
OLD
expect 0 25W_918MHz_pytorch.json hw import-calibration "$dir/old.json" --device h100 --output "$dir"
expect 2 '--device' hw import-calibration "$dir/old.json"

# 100 columns
"$w" power jetson_orin_nano_gpu | awk 'length > 100 {bad = 1} END {exit bad}' ||
    fail "power prints lines of more than 100 columns"
"$w" hw show a100 | awk 'length > 100 {bad = 1} END {exit bad}' ||
    fail "hw show prints lines of more than 100 columns"
"$w" power jetson_orin_nano_gpu --csv "$dir/p.csv" >/dev/null && grep -q '^nvidia_jetson.*,bf16,"7W",306000000,' "$dir/p.csv" ||
    fail "power --csv"

[ "$failures" -eq 0 ]
