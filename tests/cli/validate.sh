# SPDX-License-Identifier: Apache-2.0
# `wattline calibrate` and `validate` from the outside. A stand-in for Node.js answers in place of ONNX
# Runtime, so that no figure depends on this machine; what is missing is said, with what would help.
here=$(dirname "$0")
# shellcheck source=tests/cli/lib.sh.inc
. "$here/lib.sh.inc"
export WATTLINE_HOST_DIR="$work/host" WATTLINE_TOOLS="$WL_SOURCE_DIR/tools"

# ---- without a host, without Node.js, with wrong options ----
expect 2 '*run wattline hw detect first*' calibrate
expect 2 '*"numpy" is not one*' calibrate --framework numpy
expect 2 '*is no ascending list*' calibrate --threads 2,1
expect 2 '*"tvm" cannot be run from here*' validate resnet18 --runtime tvm
expect 2 '*is no number of seconds*' validate resnet18 --seconds x
mkdir -p "$work/empty"
for tool in timeout wc head; do ln -s "$(command -v "$tool")" "$work/empty/$tool"; done
PATH="$work/empty" expect 3 '*node: is not on this machine; on Debian: apt-get install nodejs npm*' \
    validate resnet18 --hw raspberry_pi_4
WATTLINE_TOOLS="$work/empty" expect 3 '*WATTLINE_TOOLS=DIR names the folder*' \
    validate resnet18 --hw raspberry_pi_4
mkdir -p "$WATTLINE_HOST_DIR/cpu/host"
sed 's/"id": "raspberry_pi_4"/"id": "host"/; s/"aliases": \[[^]]*\]/"aliases": []/' \
    "$WL_SOURCE_DIR/registry/cpu/raspberry_pi_4/spec.json" >"$WATTLINE_HOST_DIR/cpu/host/spec.json"
expect 0 - calibrate --list
PATH="$work/empty" expect 3 '*apt-get install nodejs npm*' calibrate

# ---- a stand-in that knows one kernel ----
mkdir -p "$work/bin"
cat >"$work/bin/node" <<'EOF'
#!/bin/sh
echo '{"version": "0.0"}'
while read -r line; do
    echo '{"version": "0.0", "wall_s": [0.2, 0.3, 0.1], "nodes": [{"name": "x", "op": "Conv", "node": "/conv1/Conv", "runs": 3, "time_s": 0.05, "min_s": 0.04, "max_s": 0.06, "input": [[1]]}]}'
done
EOF
chmod +x "$work/bin/node"
PATH="$work/bin:$PATH"
expect 0 - validate resnet18 --hw raspberry_pi_4 --threads 1,2 --format json --output "$work/v.json"
/usr/bin/python3 - "$work/v.json" <<'EOF' || failures=$((failures + 1))
import json, sys
v = json.load(open(sys.argv[1]))
assert v["schema_version"] == 1 and v["runtime"] == "onnxruntime" and len(v["models"]) == 2
for m in v["models"]:
    assert m["measured_s"] == 0.2, m
    assert abs(m["error"] - (m["predicted_s"] / 0.2 - 1)) < 1e-9
assert [k["subgraph"] for k in v["kernels"]] == ["/conv1/Conv"] * 2
errors = sorted(abs(m["error"]) for m in v["models"])
assert abs(v["mape"] - sum(errors) / 2) < 1e-9 and abs(v["median_error"] - sum(errors) / 2) < 1e-9
EOF
expect 0 - validate resnet18 --hw raspberry_pi_4 --view layers

# ---- a profile from elsewhere ----
cat >"$work/p.json" <<'EOF'
[{"cat": "Session", "name": "model_run", "dur": 50000},
 {"cat": "Node", "name": "/conv1/Conv_nchwc_kernel_time", "dur": 900, "args": {"op_name": "Conv"}}]
EOF
expect 0 - validate resnet18 --hw raspberry_pi_4 --threads 1 --import "$work/p.json"
grep -q '50.0 ms' "$work/out" || { echo "FAIL the profile's time is not shown"; exit 1; }
expect 2 '*one model at one batch*' validate resnet18 vgg16 --hw raspberry_pi_4 --import "$work/p.json"
echo '{}' >"$work/p.json"
expect 1 '*is no profile of ONNX Runtime*' validate resnet18 --hw raspberry_pi_4 --import "$work/p.json"
finish
