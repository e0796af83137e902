#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# wattline compare: rows are analyses; order, filters, ratios, Pareto marks, views, formats, errors.
. "$WL_SOURCE_DIR/tests/cli/lib.sh.inc"

check() {
    if ! "$@"; then
        echo "FAIL $*"
        failures=$((failures + 1))
    fi
}

list=(resnet18 --hw a100,8490h,orin_agx,tpu_v4,kpu_t256)
expect 0 - compare "${list[@]}" --format json --output "$work/c1.json" --jobs 1
expect 0 - compare "${list[@]}" --format json --output "$work/c2.json" --jobs 2
check cmp "$work/c1.json" "$work/c2.json"
expect 0 - compare "${list[@]}" --baseline intel_xeon_8490h --sort energy --format json --output "$work/base.json"
expect 0 - compare "${list[@]}" --precision fp16 --format json --output "$work/fp16.json"
expect 0 - compare "${list[@]}" --view layers,energy --format json --output "$work/views.json"
expect 0 - compare "${list[@]}" --format csv --output "$work/c.csv"
expect 0 - sweep "${list[@]}" --output "$work/s.csv" --quiet
check cmp "$work/c.csv" "$work/s.csv"
expect 0 - analyze resnet18 --hw tpu_v4 --format json --output "$work/a.json"
cat >"$work/check.py" <<'PY'
import json, sys
read = lambda n: json.load(open(f"{sys.argv[1]}/{n}.json"))
c, base, fp16, views, a = map(read, ("c1", "base", "fp16", "views", "a"))
ids = [r["hardware"]["id"] for r in c["rows"]]
assert ids == ["nvidia_a100_sxm_80gb", "intel_xeon_8490h", "nvidia_jetson_agx_orin_64gb",
               "google_tpu_v4", "kpu_t256"]
assert c["model"] == a["model"] and c["why"]
tpu = c["rows"][3]
for k, v in tpu["totals"].items():
    if k in a["totals"]:
        assert v == a["totals"][k], k
# ratios: to the best of each quantity, above 1 is worse
for key in ("latency_s", "energy_per_inference_j", "average_power_w"):
    best = min(r["totals"][key] for r in c["rows"])
    for r in c["rows"]:
        assert abs(r["ratio"][key] - r["totals"][key] / best) < 1e-12
most = max(r["totals"]["throughput_per_s"] for r in c["rows"])
assert min(r["ratio"]["throughput_per_s"] for r in c["rows"]) == 1
# Pareto by its definition
point = lambda r: [r["totals"][k] for k in ("latency_s", "energy_per_inference_j", "average_power_w")]
for r in c["rows"]:
    beaten = any(all(x <= y for x, y in zip(point(o), point(r))) and point(o) != point(r) for o in c["rows"])
    assert r["pareto"] == (not beaten), r["hardware"]["id"]
energies = [r["totals"]["energy_per_inference_j"] for r in base["rows"]]
assert energies == sorted(energies)
xeon = [r for r in base["rows"] if r["hardware"]["id"] == "intel_xeon_8490h"][0]
assert all(v == 1 for v in xeon["ratio"].values())
# a device that lacks the precision is a row with its reason
lacking = [r for r in fp16["rows"] if r["error"]]
assert len(lacking) == 2 and all(r["totals"] is None and "fp16" in r["error"] for r in lacking)
# views: layers sum to the latency, groups to the energy
for k, r in enumerate(c["rows"]):
    cells = [l["rows"][k] for l in views["layers"] if l["rows"][k] is not None]
    assert {x["hardware"] for x in cells} == {ids[k]}
    assert abs(sum(x["latency_s"] for x in cells) / r["totals"]["latency_s"] - 1) < 1e-9
    groups = views["energy"][k]["groups"]
    assert abs(sum(g["energy_j"] for g in groups) / r["totals"]["energy_j"] - 1) < 1e-9
    for g in groups:
        assert abs(g["pj_per_mac"] - g["energy_j"] * 1e12 / r["totals"]["macs"]) < 1e-9 * (1 + g["pj_per_mac"])
PY
check python3 "$work/check.py" "$work"

expect 0 - compare "${list[@]}" --view layers,energy
check python3 -c "import sys; sys.exit(any(len(l) > 101 for l in open('$work/out')))"
expect 0 - compare "${list[@]}" --view layers --format csv
check test "$(wc -l <"$work/out")" -gt 100
expect 0 - compare "${list[@]}" --view energy --format csv
expect 0 - compare "${list[@]}" --format md
check grep -q '^| intel_xeon_8490h' "$work/out"
expect 0 - compare resnet18,mobilenet_v2 --hw a100,8490h
check grep -q 'mobilenet_v2 in' "$work/out"
expect 0 - compare resnet18 --class kpu --format csv
check test "$(grep -c '^resnet18,' "$work/out")" -eq "$(find "$WATTLINE_REGISTRY/kpu" -name spec.json | wc -l)"
expect 0 - compare mobilenet_v2 --all --max-power 15 --sort energy --format json --output "$work/all.json"
check python3 -c "
import json; r = json.load(open('$work/all.json'))['rows']
assert r and all(x['error'] is None and x['totals']['average_power_w'] <= 15 for x in r)"
expect 0 - compare resnet18 --all --min-throughput 5000 --max-latency 0.1 --format csv --output "$work/f.csv"
check python3 -c "
import csv; r = list(csv.DictReader(open('$work/f.csv', newline='')))
assert r and all(float(x['throughput_per_s']) >= 5000 and float(x['latency_s']) <= 1e-4 for x in r)"

expect 2 'wattline: compare: *--hw*' compare resnet18
expect 2 'wattline: *a101*' compare resnet18 --hw a101
expect 2 'wattline: --sort: *' compare resnet18 --hw a100 --sort speed
expect 2 'wattline: --baseline: *' compare resnet18 --hw a100,8490h --baseline h100
expect 2 'wattline: --max-power: *' compare resnet18 --hw a100 --max-power -1
expect 2 'wattline: --class: *' compare resnet18 --class npu
expect 2 'wattline: --hw: *' compare resnet18 --hw a100,,8490h
expect 2 'wattline: *X*' compare resnet18 --hw a100 --dim X=2
expect 1 'wattline: *absent.onnx*' compare "$work/absent.onnx" --hw a100
finish
