#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A gate for continuous integration: does this change make the model slower, hungrier or larger?
#
#   check-model.sh MODEL.onnx BASELINE.json DEVICE [SUMMARY.md]
#
# BASELINE.json is the result of the last accepted model. Where it is absent it is written, and the
# run passes: commit it. Exit code 0: within the limits; 5: a limit is exceeded; others: an error.
# SUMMARY.md gets a table for the pull request ($GITHUB_STEP_SUMMARY, for example).
set -euo pipefail
model=$1 baseline=$2 device=$3 summary=${4:-/dev/null}
wattline=${WATTLINE:-wattline}

if [ ! -e "$baseline" ]; then
    "$wattline" analyze "$model" --hw "$device" --format json --output "$baseline"
    echo "no baseline yet: wrote $baseline"
    exit 0
fi
result=$(mktemp --suffix=.json)
table=$(mktemp)
trap 'rm -f "$result" "$table"' EXIT
"$wattline" analyze "$model" --hw "$device" --format json --output "$result"
code=0
"$wattline" diff "$baseline" "$result" --format md --output "$table" \
    --fail-if 'latency_s>+5%' \
    --fail-if 'energy_per_inference_j>+5%' \
    --fail-if 'peak_memory_bytes>+10%' || code=$?
cat "$table" >>"$summary"
exit $code
