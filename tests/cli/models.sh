#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# wattline models: list, path, materialize, and their errors.
. "$WL_SOURCE_DIR/tests/cli/lib.sh.inc"
export WATTLINE_MODELS="$WL_SOURCE_DIR/models"

check() {
    if ! "$@"; then
        echo "FAIL $*"
        failures=$((failures + 1))
    fi
}

expect 0 - models list
check grep -Eq '^resnet18 +image-classification +11\.7 M +1\.81 G +N=1$' "$work/out"
check test "$(awk '{ if (length($0) > 100) n++ } END { print n + 0 }' "$work/out")" -eq 0
expect 0 - models list --format json --output "$work/list.json"
if command -v python3 >/dev/null; then
    check python3 - "$work/list.json" <<'PY'
import json, sys
models = {m["name"]: m for m in json.load(open(sys.argv[1]))["models"]}
assert len(models) >= 45
m = models["resnet18"]
assert m["macs"] == 1814073344 and m["parameters"] == 11684712 and m["dims"] == {"N": 1}
assert m["inputs"] == [{"name": "input", "dtype": "FLOAT", "shape": ["N", 3, 224, 224]}]
assert all(m["error"] is None for m in models.values())
PY
fi

expect 0 - models path resnet18
check test -f "$(cat "$work/out")"
expect 0 - models materialize espcn_x3 --output "$work/a.onnx" --seed 4
expect 0 - models materialize espcn_x3 --output "$work/b.onnx" --seed 4
check cmp "$work/a.onnx" "$work/b.onnx"
check test "$(stat -c %s "$work/a.onnx")" -gt 90496
expect 0 - graph "$work/a.onnx"

expect 1 'wattline: resnet19: *resnet18*' models path resnet19
expect 2 'wattline: --output: *' models materialize resnet18
expect 1 "wattline: $work/no/a.onnx: *" models materialize resnet18 --output "$work/no/a.onnx"
expect 2 'wattline: --seed: *' models materialize resnet18 --output "$work/c.onnx" --seed -1
expect 2 'wattline: models: *' models erase resnet18
expect 2 'wattline: models: *' models path
expect 2 'wattline: --models: *' models list --models "$work/absent"
expect 2 'wattline: --format: *' models list --format pdf
mkdir "$work/zoo"
echo '{"models": 3}' >"$work/zoo/models.json"
expect 1 'wattline: */models.json: *' models list --models "$work/zoo"
cp "$WL_SOURCE_DIR/models/espcn_x3.onnx" "$work/zoo/mine.onnx"
echo '{"models": [{"name": "mine", "file": "mine.onnx", "dims": {"N": 1, "H": 8, "W": 8}}]}' \
    >"$work/zoo/models.json"
expect 0 - models list --models "$work/zoo"
check grep -q '^mine ' "$work/out"
finish
