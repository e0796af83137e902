#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# bench/run.sh BUILD_DIR: whole processes by GNU time, then parts by their own programs.
# Each row: median of 21 runs after 3 warm-ups; peak memory is the process's own.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
build=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
wattline=$build/wattline
cmake --build "$build" --target bench_unpack bench_frontend bench_analyze bench_sweep >/dev/null

# process LABEL COMMAND...: median milliseconds and kilobytes of a whole process. GNU time forks and
# execs in a small process of its own, so the memory is the program's and not a parent's.
process() {
    local label=$1 i
    shift
    for i in 1 2 3; do "$@" >/dev/null; done
    : >"$work/times"
    for i in $(seq 21); do
        local start end
        start=$(date +%s%N)
        "$@" >/dev/null
        end=$(date +%s%N)
        echo $(((end - start) / 1000)) >>"$work/times"
    done
    local us kb
    us=$(sort -n "$work/times" | sed -n 11p)
    kb=$(/usr/bin/time -f %M "$@" 2>&1 >/dev/null | tail -n 1)
    printf '%-58s %9.2f ms %9.2f MB\n' "$label" "$(echo "$us" | awk '{print $1/1000}')" "$(echo "$kb" | awk '{print $1/1000}')"
}

echo "== whole process (milliseconds include starting it: see the row of true)"
process "true" /bin/true
for name in resnet18 vgg16; do
    "$wattline" models materialize $name --output "$work/$name.onnx" >/dev/null
    process "analyze $name, graph only" "$wattline" analyze "$here/models/$name.onnx" --hw intel_xeon_8490h
    process "analyze $name, full file ($(stat -c %s "$work/$name.onnx" | awk '{printf "%.0f MB", $1/1e6}'))" \
        "$wattline" analyze "$work/$name.onnx" --hw intel_xeon_8490h
    process "  peer: protobuf-c unpacks the same full file" "$build/bench/bench_unpack" "$work/$name.onnx"
done
process "analyze swin_t, graph only" "$wattline" analyze "$here/models/swin_t.onnx" --hw intel_xeon_8490h

echo "== front end"
for name in resnet18 swin_t; do
    printf '%-12s ' $name
    "$build/bench/bench_frontend" "$here/models/$name.onnx"
done

echo "== one analysis of a prepared model (bar: the energy ledger adds less than 20 %)"
for name in resnet18 swin_t; do
    for hw in intel_xeon_8490h nvidia_a100_sxm_80gb google_tpu_v4 kpu_t256; do
        printf '%-12s ' $name
        "$build/bench/bench_analyze" "$here/registry" "$here/models/$name.onnx" $hw 500
    done
done

echo "== sweep: points of a grid, no output (bar: 10,000 a second and core, 1.8 times on 2 cores)"
for hw in intel_xeon_8490h nvidia_a100_sxm_80gb; do
    for jobs in 1 2; do
        "$build/bench/bench_sweep" "$here/registry" "$here/models/resnet18.onnx" $hw 100000 $jobs
    done
done
"$build/bench/bench_sweep" "$here/registry" "$here/models/resnet18.onnx" nvidia_a100_sxm_80gb 1000000 2
