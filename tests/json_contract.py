#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Keys, types, laws of `analyze` and `graph --format json`; the same bytes from the graph-only and the
full file, from one and two threads."""
import json
import os
import subprocess
import sys
import tempfile

WATTLINE = os.environ["WATTLINE"]
SOURCE = os.environ["WL_SOURCE_DIR"]
failures = []


def check(condition, message):
    if not condition:
        failures.append(message)


def run(*arguments):
    done = subprocess.run([WATTLINE, *arguments], capture_output=True, timeout=60)
    check(done.returncode == 0, f"{arguments}: exit {done.returncode}: {done.stderr.decode()}")
    return done.stdout


NUMBER = (int, float)
# key -> type, or a list (of objects of that form), or a nested object.
ANALYZE = {
    "schema_version": int,
    "tool": {"name": str, "version": str},
    "model": {"name": str, "path": str, "ir_version": int, "opset": int, "producer": str,
              "nodes": int, "parameters": int, "parameter_bytes": int,
              "inputs": [{"name": str, "dtype": str, "shape": list}],
              "outputs": [{"name": str, "dtype": str, "shape": list}]},
    "hardware": {"id": str, "name": str, "class": str, "power_mode": str, "clock_hz": NUMBER,
                 "tdp_w": NUMBER, "power_limit_w": NUMBER, "idle_w": NUMBER,
                 "peak_ops_per_s": dict, "memory_bandwidth_bytes_per_s": NUMBER},
    "config": {"batch": int, "precision": str, "weight_precision": str, "kv_precision": str,
               "runtime": str, "fusion": str, "threads": int, "dims": dict},
    "basis": {"latency": {"kind": str, "source": str}, "energy": {"kind": str, "source": str}},
    "totals": {"macs": int, "flops": int, "latency_s": NUMBER, "throughput_per_s": NUMBER,
               "energy_j": NUMBER, "energy_per_inference_j": NUMBER, "average_power_w": NUMBER,
               "unthrottled_power_w": NUMBER, "peak_power_w": NUMBER, "dram_bytes": NUMBER,
               "weight_bytes": NUMBER, "activation_bytes": NUMBER, "peak_memory_bytes": NUMBER,
               "utilization": NUMBER, "efficiency": NUMBER, "intensity_flops_per_byte": NUMBER,
               "bottleneck": str, "subgraphs": int},
    "energy": {"compute_j": NUMBER, "memory_j": NUMBER, "control_j": NUMBER, "static_j": NUMBER,
               "wasted_j": NUMBER,
               "events": [{"name": str, "group": str, "category": str, "count": NUMBER,
                           "unit_pj": NUMBER, "energy_j": NUMBER, "source": str}]},
    "subgraphs": [{"id": int, "name": str, "pattern": str, "nodes": list, "ops": list,
                   "depends_on": list, "macs": int, "flops": int, "executed_ops": NUMBER,
                   "input_bytes": NUMBER, "output_bytes": NUMBER, "weight_bytes": NUMBER,
                   "internal_bytes": NUMBER, "intensity_flops_per_byte": NUMBER,
                   "units_used": NUMBER, "utilization": NUMBER, "latency_s": NUMBER,
                   "compute_s": NUMBER, "memory_s": NUMBER, "overhead_s": NUMBER,
                   "bottleneck": str, "bytes_by_level": dict,
                   "energy": {"compute_j": NUMBER, "memory_j": NUMBER, "control_j": NUMBER,
                              "static_j": NUMBER, "total_j": NUMBER},
                   "ended_because": str}],
    "roofline": {"peaks": [{"precision": str, "unit": str, "ops_per_s": NUMBER}],
                 "levels": [{"name": str, "bytes_per_s": NUMBER}],
                 "points": [{"subgraph": int, "intensity": NUMBER, "achieved_ops_per_s": NUMBER,
                             "attainable_ops_per_s": NUMBER}]},
    "memory": {"weight_bytes": NUMBER, "peak_bytes": NUMBER, "peak_at": int,
               "timeline": [{"subgraph": int, "live_bytes": NUMBER}], "fits": dict},
    "concurrency": {"levels": int, "max_width": int, "critical_path_s": NUMBER,
                    "critical_path": list, "speedup_bound": NUMBER},
    "coverage": {"modelled": int, "approximated": int, "ignored": int,
                 "operators": [{"op": str, "domain": str, "count": int, "status": str}]},
    "diagnostics": list,
}
GRAPH = {
    "schema_version": int,
    "model": ANALYZE["model"],
    "tensors": [{"name": str, "dtype": str, "kind": str}],
    "nodes": [{"name": str, "op": str, "domain": str, "inputs": list, "outputs": list,
               "status": str}],
    "totals": {"parameters": int, "parameter_bytes": int},
    "diagnostics": list,
}


def fits(form, value, where):
    if isinstance(form, dict):
        check(isinstance(value, dict), f"{where}: not an object")
        for key, inner in form.items():
            check(key in value, f"{where}/{key}: missing")
            if key in value:
                fits(inner, value[key], f"{where}/{key}")
    elif isinstance(form, list):
        check(isinstance(value, list) and value, f"{where}: not a filled array")
        for i, item in enumerate(value):
            fits(form[0], item, f"{where}/{i}")
    else:
        ok = isinstance(value, form) and not (form is not bool and isinstance(value, bool))
        check(ok, f"{where}: {value!r} is not {form}")


def close(a, b):
    return abs(a - b) <= 1e-9 * max(abs(a), abs(b))


def laws(r, where):
    t, e = r["totals"], r["energy"]
    check(close(t["latency_s"], sum(s["latency_s"] for s in r["subgraphs"])), f"{where}: latency")
    check(t["latency_s"] >= r["concurrency"]["critical_path_s"], f"{where}: critical path")
    for category in ("compute", "memory", "control"):
        total = sum(x["energy_j"] for x in e["events"] if x["category"] == category)
        check(close(total, e[category + "_j"]), f"{where}: {category}_j")
    parts = e["compute_j"] + e["memory_j"] + e["control_j"] + e["static_j"]
    check(close(parts, t["energy_j"]), f"{where}: energy parts")
    check(close(sum(s["energy"]["total_j"] for s in r["subgraphs"]), t["energy_j"]),
          f"{where}: energy of subgraphs")
    check(0 <= e["wasted_j"] <= e["static_j"] * (1 + 1e-9), f"{where}: wasted")
    check(0 <= t["utilization"] <= 1, f"{where}: utilization")
    check(t["average_power_w"] <= r["hardware"]["power_limit_w"] * (1 + 1e-9), f"{where}: power")
    for p in r["roofline"]["points"]:
        check(p["achieved_ops_per_s"] <= p["attainable_ops_per_s"] * (1 + 1e-9), f"{where}: roof")
    check([s["id"] for s in r["subgraphs"]] == list(range(t["subgraphs"])), f"{where}: ids")
    check(sum(s["macs"] for s in r["subgraphs"]) == t["macs"], f"{where}: macs")


for device in ("intel_xeon_8490h", "amd_epyc_9654", "jetson_orin_agx_cpu"):
    for model in ("resnet18", "mobilenet_v2"):
        text = run("analyze", model, "--hw", device, "--format", "json")
        result = json.loads(text)
        fits(ANALYZE, result, f"{model} on {device}")
        laws(result, f"{model} on {device}")
        again = run("analyze", model, "--hw", device, "--format", "json", "--jobs", "2")
        check(text == again, f"{model} on {device}: two runs differ")

fits(GRAPH, json.loads(run("graph", "resnet18", "--format", "json")), "graph")
fixed = json.loads(run("graph", "resnet18", "--format", "json", "--batch", "4"))
check(fixed["totals"]["macs"] == 4 * 1814073344, "graph: macs at batch 4")
free = json.loads(run("graph", "resnet18", "--format", "json"))
check(free["totals"]["macs"] is None, "graph: macs of an unbound batch must be null")
check(free["totals"].get("macs_expression", "").startswith("1814073344*"), "graph: expression")

with tempfile.TemporaryDirectory() as folder:
    full = os.path.join(folder, "resnet18.onnx")
    run("models", "materialize", "resnet18", "--output", full)
    check(os.path.getsize(full) > 40e6, "materialize: the file holds no weights")
    small = os.path.join(SOURCE, "models", "resnet18.onnx")
    pair = []
    for path in (small, full):
        r = json.loads(run("analyze", path, "--hw", "intel_xeon_8490h", "--format", "json"))
        check(r["model"].pop("path") == path, "path")
        check(r["model"]["name"] == "resnet18", "name is that of the file")
        pair.append(r)
    check(pair[0] == pair[1], "the graph-only and the full file give different results")

for f in failures[:20]:
    print("FAIL", f)
print(f"{len(failures)} failures")
sys.exit(1 if failures else 0)
