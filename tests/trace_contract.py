#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`analyze --format trace`: the structure that Chrome's trace event format asks for, strictly, and that
the tracks say what the JSON of the same analysis says."""
import json
import os
import subprocess
import sys

WATTLINE = os.environ["WATTLINE"]
NUMBER = (int, float)


def run(*arguments):
    return json.loads(subprocess.run([WATTLINE, *arguments], capture_output=True, check=True,
                                     timeout=60).stdout)


def close(a, b):
    return abs(a - b) <= 1e-9 * max(abs(a), abs(b), 1e-9)


# phase -> exactly these keys
KEYS = {"M": {"ph", "name", "pid", "tid", "args"},
        "X": {"ph", "name", "pid", "tid", "ts", "dur"},
        "C": {"ph", "name", "pid", "tid", "ts", "args"}}


def structure(trace):
    assert set(trace) == {"displayTimeUnit", "otherData", "traceEvents"}
    assert trace["displayTimeUnit"] in ("ms", "ns")
    last = {}
    for e in trace["traceEvents"]:
        assert set(e) - {"cat", "args"} == KEYS[e["ph"]] - {"args"}, e
        assert isinstance(e["name"], str) and e["name"]
        assert type(e["pid"]) is int and type(e["tid"]) is int
        if e["ph"] == "M":
            assert e["name"] in ("process_name", "thread_name")
            assert list(e["args"]) == ["name"] and isinstance(e["args"]["name"], str)
            continue
        assert isinstance(e["ts"], NUMBER) and e["ts"] >= 0
        track = (e["ph"], e["tid"], e["name"] if e["ph"] == "C" else "")
        assert e["ts"] >= last.get(track, 0) * (1 - 1e-12), e  # in order, spans do not overlap
        last[track] = e["ts"]
        if e["ph"] == "X":
            assert isinstance(e["dur"], NUMBER) and e["dur"] >= 0
            last[track] = e["ts"] + e["dur"]
        else:
            assert len(e["args"]) == 1
            assert all(isinstance(v, NUMBER) and v >= 0 for v in e["args"].values())
    named = {e["tid"] for e in trace["traceEvents"] if e["name"] == "thread_name"}
    assert named >= {e["tid"] for e in trace["traceEvents"] if e["ph"] == "X"}


def content(trace, result):
    events = trace["traceEvents"]
    spans = [e for e in events if e["ph"] == "X" and e["tid"] == 1]
    assert [e["name"] for e in spans] == [s["name"] for s in result["subgraphs"]]
    at = 0
    energy = 0
    for e, s in zip(spans, result["subgraphs"]):
        assert close(e["ts"], at * 1e6) and close(e["dur"], s["latency_s"] * 1e6)
        assert e["args"]["bottleneck"] == s["bottleneck"]
        at += s["latency_s"]
    assert close(at, result["totals"]["latency_s"])
    power = [e for e in events if e["ph"] == "C" and e["name"] == "power"]
    for e, after in zip(power, power[1:]):
        energy += e["args"]["watts"] * (after["ts"] - e["ts"]) * 1e-6
    assert abs(energy / result["totals"]["energy_j"] - 1) < 1e-6
    memory = [e["args"]["bytes"] for e in events if e["ph"] == "C" and e["name"] == "live memory"]
    assert max(memory) == result["memory"]["peak_bytes"]
    assert len(memory) == len(result["memory"]["timeline"]) + 1


for arguments in (["resnet18", "--hw", "a100"], ["gpt2_decode", "--hw", "8490h"],
                  ["mobilenet_v2", "--hw", "kpu_t256", "--precision", "int8"]):
    t = run("analyze", *arguments, "--format", "trace")
    structure(t)
    content(t, run("analyze", *arguments, "--format", "json"))
for command in ("graph", "compare"):
    hw = [] if command == "graph" else ["--hw", "a100"]
    done = subprocess.run([WATTLINE, command, "resnet18", *hw, "--format", "trace"],
                          capture_output=True, timeout=60)
    assert done.returncode == 2 and done.stderr.startswith(b"wattline: --format: "), done
print("all as expected")
