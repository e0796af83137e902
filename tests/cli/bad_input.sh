#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Bad input of every kind: one line on stderr, the right exit code, in bounded time.
. "$WL_SOURCE_DIR/tests/cli/lib.sh.inc"
hw=(--hw intel_xeon_8490h)
model="$WL_SOURCE_DIR/models/resnet18.onnx"

# files
expect 1 'wattline: */absent.onnx: *No such file*' analyze "$work/absent.onnx" "${hw[@]}"
expect 1 "wattline: $work: *directory*" analyze "$work" "${hw[@]}"
: >"$work/empty.onnx"
expect 1 'wattline: */empty.onnx*: *' analyze "$work/empty.onnx" "${hw[@]}"
echo 'this is not a model, only a line of text' >"$work/text.onnx"
expect 1 'wattline: */text.onnx*: *' analyze "$work/text.onnx" "${hw[@]}"
size=$(stat -c %s "$model")
for i in $(seq 1 20); do
    head -c $((size * i / 21)) "$model" >"$work/cut.onnx"
    expect 1 'wattline: */cut.onnx*: *' analyze "$work/cut.onnx" "${hw[@]}"
done
# the length of the graph field points past the end
printf '\x08\x08\x3a\xff\xff\xff\xff\x0f' >"$work/long.onnx"
expect 1 'wattline: */long.onnx*: *' analyze "$work/long.onnx" "${hw[@]}"

# names
expect 2 'wattline: no_such_device: *' analyze resnet18 --hw no_such_device
expect 2 'wattline: *intel_xeon_8490*: *intel_xeon_8490h*' analyze resnet18 --hw intel_xeon_8490
expect 2 'wattline: --hw: *' analyze resnet18
expect 1 'wattline: resnet19: *resnet18*' analyze resnet19 "${hw[@]}"

# options
expect 2 'wattline: --batch: *' analyze resnet18 "${hw[@]}" --batch 0
expect 2 'wattline: --batch: *' analyze resnet18 "${hw[@]}" --batch x
expect 2 'wattline: --batch: *' analyze resnet18 "${hw[@]}" --batch 1x
expect 2 'wattline: --batch: *' analyze resnet18 "${hw[@]}" --batch 99999999999999999999
expect 2 'wattline: *nosuch*' analyze resnet18 "${hw[@]}" --dim nosuch=3
expect 2 'wattline: --dim: *' analyze resnet18 "${hw[@]}" --dim N
expect 2 'wattline: --precision: *' analyze resnet18 "${hw[@]}" --precision fp17
expect 3 'wattline: *int4*' analyze resnet18 "${hw[@]}" --precision int4
expect 2 'wattline: *turbo*' analyze resnet18 "${hw[@]}" --power-mode turbo
expect 2 'wattline: --threads: *' analyze resnet18 "${hw[@]}" --threads 61
expect 2 'wattline: --fusion: *' analyze resnet18 "${hw[@]}" --fusion bsic
expect 2 'wattline: *nonesuch*' analyze resnet18 "${hw[@]}" --runtime nonesuch
expect 2 'wattline: --format: *' analyze resnet18 "${hw[@]}" --format yaml
expect 2 'wattline: --view: *' analyze resnet18 "${hw[@]}" --view everything
expect 2 'wattline: analyze: *--bacth*batch*' analyze resnet18 "${hw[@]}" --bacth 3
expect 2 'wattline: analyze: *' analyze resnet18 "${hw[@]}" --batch
expect 2 'wattline: analyze: *' analyze
expect 2 'wattline: analyze: *' analyze resnet18 resnet50 "${hw[@]}"
expect 2 'wattline: command: *analyze*' analyse resnet18
expect 2 'wattline: --registry: *' analyze resnet18 "${hw[@]}" --registry "$work/absent"

# output that cannot be written
expect 1 'wattline: */no/such/dir/f.json: *' analyze resnet18 "${hw[@]}" --output "$work/no/such/dir/f.json"
expect 1 'wattline: *: *directory*' analyze resnet18 "${hw[@]}" --output "$work"
expect 1 'wattline: /dev/full: *' analyze resnet18 "${hw[@]}" --output /dev/full

# a spec.json that is wrong
printf '{"schema_version": 1, "id": "broken", ' >"$work/spec.json"
expect 1 'wattline: */spec.json*: *' analyze resnet18 --hw "$work/spec.json"
sed 's/"class": *"cpu"/"class": 7/' "$WL_SOURCE_DIR/registry/cpu/intel_xeon_8490h/spec.json" >"$work/spec.json"
expect 1 'wattline: *class*: *' analyze resnet18 --hw "$work/spec.json"

# a spec.json of one's own, which the registry does not know
sed 's/"id": *"intel_xeon_8490h"/"id": "own_part"/' "$WL_SOURCE_DIR/registry/cpu/intel_xeon_8490h/spec.json" >"$work/spec.json"
expect 0 - analyze resnet18 --hw "$work/spec.json"

# and what is right stays quiet
expect 0 - analyze resnet18 "${hw[@]}"
expect 0 - analyze resnet18 "${hw[@]}" --format json
expect 0 - analyze "$model" "${hw[@]}" --batch 1 --quiet
expect 0 - graph resnet18
expect 0 - --version
expect 0 - analyze --help
finish
