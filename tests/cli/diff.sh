#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# wattline diff: totals, subgraphs by name, conditions, formats, errors; the example for CI.
. "$WL_SOURCE_DIR/tests/cli/lib.sh.inc"

check() {
    if ! "$@"; then
        echo "FAIL $*"
        failures=$((failures + 1))
    fi
}

json() { expect 0 - analyze "$1" --hw a100 --format json --output "$work/$2.json" "${@:3}"; }
json resnet18 a --precision fp32
json resnet18 b --precision fp16
json resnet18 none --precision fp32 --fusion none

# ---- equal results
expect 0 - diff "$work/a.json" "$work/a.json" --format json --output "$work/same.json" \
    --fail-if 'latency_s>+0%' --fail-if 'latency_s!=+0%'
check python3 - "$work" <<'PY'
import json, sys
d = json.load(open(sys.argv[1] + "/same.json"))
assert d["schema_version"] == 1
assert all(t["a"] == t["b"] and t["change"] in (0, None) for t in d["totals"])
assert {s["status"] for s in d["subgraphs"]} == {"same"}
PY

# ---- different results: every figure is that of the two files
expect 0 - diff "$work/a.json" "$work/b.json" --format json --output "$work/ab.json"
expect 0 - diff "$work/a.json" "$work/none.json" --format json --output "$work/an.json"
check python3 - "$work" <<'PY'
import json, sys
read = lambda n: json.load(open(f"{sys.argv[1]}/{n}.json"))
a, b, n, ab, an = map(read, ("a", "b", "none", "ab", "an"))
for t in ab["totals"]:
    where = "totals" if t["key"] in a["totals"] else "energy"
    assert t["a"] == a[where][t["key"]] and t["b"] == b[where][t["key"]], t
    if isinstance(t["a"], (int, float)) and t["a"]:
        assert abs(t["change"] - (t["b"] / t["a"] - 1)) < 1e-12
assert ab["totals"][0]["key"] == "latency_s" and ab["totals"][0]["change"] < 0
names = [s["name"] for s in a["subgraphs"]]
assert [s["name"] for s in ab["subgraphs"]] == names
for s, x, y in zip(ab["subgraphs"], a["subgraphs"], b["subgraphs"]):
    assert s["status"] == "changed"
    assert s["latency_s"]["a"] == x["latency_s"] and s["latency_s"]["b"] == y["latency_s"]
    assert s["energy_j"]["a"] == x["energy"]["total_j"]
# without fusion there are more subgraphs; what only one side has comes after, in its order
more = [s["name"] for s in n["subgraphs"] if s["name"] not in names]
assert more and [s["name"] for s in an["subgraphs"]] == names + more
assert all(s["status"] == "added" and s["latency_s"]["a"] is None for s in an["subgraphs"][len(names):])
assert an["counts"]["added"] == len(more) and an["counts"]["removed"] == 0
PY

# ---- on the spot is the same as from files
expect 0 - diff resnet18 --hw a100 --precision fp32,fp16 --format json --output "$work/spot.json"
check cmp "$work/ab.json" "$work/spot.json"
expect 0 - diff "$work/a.json" resnet18 --hw a100 --precision fp16 --format json --output "$work/mix.json"
check cmp "$work/ab.json" "$work/mix.json"
expect 0 - diff resnet18 resnet50 --hw a100,8490h --batch 1,8

# ---- one screen of at most 100 columns
for list in "--precision fp32,fp16" "--batch 1,8"; do
    # shellcheck disable=SC2086
    expect 0 - diff resnet50 --hw a100 $list
    check test "$(wc -l <"$work/out")" -le 50
    check test "$(awk '{ if (length($0) > 104) n++ } END { print n + 0 }' "$work/out")" -eq 0
done
expect 0 - diff resnet50 --hw a100 --batch 1,8 --full
check test "$(grep -c ' changed ' "$work/out")" -gt 50
expect 0 - diff resnet50 --hw a100 --batch 1,8 --format csv --output "$work/d.csv"
check python3 - "$work/d.csv" <<'PY'
import csv, sys
rows = list(csv.DictReader(open(sys.argv[1], newline="")))
assert {r["kind"] for r in rows} == {"total", "subgraph"}
macs = [r for r in rows if r["kind"] == "total" and r["key"] == "macs"][0]
assert float(macs["b"]) == 8 * float(macs["a"]) and float(macs["change"]) == 7
PY
expect 0 - diff resnet50 --hw a100 --batch 1,8 --format md
check test "$(grep -c '^| latency_s |' "$work/out")" -eq 1

# ---- conditions: exit code 5 and one line that says which held
expect 5 'wattline: --fail-if: latency_s>+5%: *' diff resnet18 --hw a100 --batch 1,8 --quiet \
    --fail-if 'latency_s>+5%' --fail-if 'macs<+10%'
expect 5 'wattline: --fail-if: macs == +700%: *; latency_s>1e-6: *' diff resnet18 --hw a100 \
    --batch 1,8 --quiet --fail-if 'macs == +700%,latency_s>1e-6,energy_j<0'
expect 5 'wattline: --fail-if: subgraphs>=+0: *' diff resnet18 --hw a100 --batch 1,8 --quiet \
    --fail-if 'subgraphs>=+0'
expect 0 - diff resnet18 --hw a100 --batch 8,1 --quiet --fail-if 'latency_s>+5%' \
    --fail-if 'peak_power_w>+0'
expect 2 'wattline: --fail-if: "latncy_s"*latency_s*' diff "$work/a.json" "$work/b.json" --quiet \
    --fail-if 'latncy_s>+5%'
for bad in 'latency_s' 'latency_s>' '>5' 'latency_s>>5' 'latency_s=5' 'latency_s>5x' 'latency_s>nan' ''; do
    expect 2 'wattline: --fail-if: *' diff "$work/a.json" "$work/b.json" --quiet --fail-if "$bad"
done

# ---- what is no result
echo '{"schema_version": 1}' >"$work/empty.json"
head -c 2000 "$work/a.json" >"$work/cut.json"
printf '%0100000d' 0 | tr 0 '[' >"$work/deep.json"
: >"$work/nothing.json"
for bad in empty cut deep nothing; do
    expect 1 "wattline: $work/$bad.json: *" diff "$work/a.json" "$work/$bad.json"
    expect 1 "wattline: $work/$bad.json: *" diff "$work/$bad.json" "$work/a.json"
done
expect 1 "wattline: $work/absent.json: *" diff "$work/a.json" "$work/absent.json"
expect 2 'wattline: diff: *' diff "$work/a.json"
expect 2 'wattline: diff: *' diff resnet18 --hw a100
expect 2 'wattline: --hw: *' diff resnet18 --precision fp32,fp16
expect 2 'wattline: --hw: *' diff resnet18 --hw a100,h100,8490h
expect 2 'wattline: --precision: *' diff resnet18 --hw a100 --precision fp32,fp17
expect 3 'wattline: google_tpu_v4: *' diff resnet18 --hw tpu_v4 --precision bf16,fp16

# ---- the example for continuous integration
ci="$WL_SOURCE_DIR/examples/ci/check-model.sh"
espcn="$WL_SOURCE_DIR/models/resnet18.onnx"
check bash "$ci" "$espcn" "$work/baseline.json" a100 >/dev/null
check test -s "$work/baseline.json"
check bash "$ci" "$espcn" "$work/baseline.json" a100 "$work/summary.md" >/dev/null
check grep -q '^| latency_s | .* = |$' "$work/summary.md"
bash "$ci" "$WL_SOURCE_DIR/models/resnet50.onnx" "$work/baseline.json" a100 "$work/summary.md" 2>"$work/err"
check test $? -eq 5
check grep -q '^wattline: --fail-if: latency_s>+5%: .*; energy_per_inference_j' "$work/err"
bash "$ci" "$work/absent.onnx" "$work/baseline.json" a100 2>"$work/err"
check test $? -eq 1
finish
