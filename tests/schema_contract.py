#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Real JSON outputs against docs/schemas, with a validator of the keywords that those use; and that
the schemas refuse outputs with a key removed or of another type."""
import copy
import glob
import json
import os
import subprocess
import sys
import tempfile

WATTLINE = os.environ["WATTLINE"]
SCHEMAS = os.path.join(os.environ["WL_SOURCE_DIR"], "docs", "schemas")
KEYWORDS = {"$schema", "title", "description", "type", "properties", "required", "items",
            "additionalProperties", "enum", "const", "minimum", "maximum"}
CHECKS = {
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str),
    "boolean": lambda v: isinstance(v, bool),
    "null": lambda v: v is None,
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "number": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
}


def problems(schema, value, where=""):
    """Every violation, as text."""
    assert set(schema) <= KEYWORDS, (where, set(schema) - KEYWORDS)
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    if types and not any(CHECKS[t](value) for t in types):
        return [f"{where}: {value!r:.60} is not {types}"]
    found = []
    if "const" in schema and value != schema["const"]:
        found.append(f"{where}: {value!r} is not {schema['const']!r}")
    if "enum" in schema and value is not None and value not in schema["enum"]:
        found.append(f"{where}: {value!r} is none of {schema['enum']}")
    if "minimum" in schema and value < schema["minimum"] or \
            "maximum" in schema and value > schema["maximum"]:
        found.append(f"{where}: {value!r} is out of range")
    if isinstance(value, dict):
        for key in schema.get("required", []):
            if key not in value:
                found.append(f"{where}/{key}: missing")
        for key, inner in value.items():
            sub = schema.get("properties", {}).get(key, schema.get("additionalProperties", {}))
            found += problems(sub, inner, f"{where}/{key}")
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            found += problems(schema.get("items", {}), inner, f"{where}/{i}")
    return found


def mutants(schema, value):
    """Copies of an output that the schema must refuse: each required key of the top two levels
    missing, and each of a type that it does not have."""
    for path in [()] + [(k,) for k in schema.get("properties", {})]:
        inner, part = schema, value
        for key in path:
            inner, part = inner["properties"][key], part.get(key)
        if not isinstance(part, dict):
            continue
        for key in inner.get("required", []):
            for change in ("remove", "retype"):
                copied = copy.deepcopy(value)
                target = copied
                for step in path:
                    target = target[step]
                if change == "remove":
                    del target[key]
                elif inner["properties"][key]:
                    target[key] = ["wrong"] if not isinstance(target[key], list) else {"wrong": 1}
                else:
                    continue
                yield f"{'/'.join(path + (key,))} {change}", copied


# A profile as ONNX Runtime writes it: one inference, one kernel.
PROFILE = tempfile.NamedTemporaryFile("w", suffix=".json")
json.dump([{"cat": "Session", "name": "model_run", "dur": 50000},
           {"cat": "Node", "name": "/conv1/Conv_nchwc_kernel_time", "dur": 900,
            "args": {"op_name": "Conv"}}], PROFILE)
PROFILE.flush()

OUTPUTS = {
    "analyze": [["analyze", "resnet18", "--hw", "a100"],
                ["analyze", "gpt2_decode", "--hw", "tpu_v4", "--precision", "bf16"],
                ["analyze", "mobilenet_v2_int8", "--hw", "kpu_t256", "--precision", "int8"],
                ["analyze", "fasterrcnn_mobilenet_v3_large_320", "--hw", "8490h"]],
    "generation": [["analyze", "gpt2_decode", "--hw", "a100", "--prefill", "16", "--decode", "3"],
                   ["analyze", "gpt2", "--decode-model", "gpt2_decode", "--hw", "orin_nano",
                    "--prefill", "16", "--decode", "1"]],
    "graph": [["graph", "resnet18"], ["graph", "gpt2_decode", "--fusion", "basic"],
              ["graph", "fasterrcnn_mobilenet_v3_large_320"], ["graph", "greedy_decoder"]],
    "compare": [["compare", "resnet18", "--hw", "a100,tpu_v4", "--precision", "fp16",
                 "--view", "layers,energy"],
                ["compare", "resnet18,gpt2", "--hw", "a100,kpu_t256"]],
    "diff": [["diff", "resnet18", "--hw", "a100", "--precision", "fp32,fp16"],
             ["diff", "resnet18", "resnet34", "--hw", "a100", "--fusion", "none,basic"]],
    "hw-list": [["hw", "list"]],
    "hw-show": [["hw", "show", d] for d in ("a100", "8490h", "tpu_v4", "kpu_t256", "orin_nano")],
    "calibrations": [["hw", "calibrations"]],
    "power": [["power", "orin_agx"], ["power", "8490h", "--model", "resnet18"]],
    "power-list": [["power", "--list"]],
    "models-list": [["models", "list"]],
    "measure": [["measure", "--quiet", "--repeat", "2", "--work", "samples=3"]],
    "validate": [["validate", "resnet18", "--hw", "raspberry_pi_4", "--threads", "1",
                  "--import", PROFILE.name]],
}


def output_of(arguments):
    command = ["true"] if arguments[0] == "measure" else []
    extra = ["--format", "json", "--output", "-"] + (["--", *command] if command else [])
    done = subprocess.run([WATTLINE, *arguments, *extra], capture_output=True, timeout=120)
    assert done.returncode == 0, (arguments, done.stderr)
    return json.loads(done.stdout)


failures = []
refused = 0
names = {os.path.basename(f).removesuffix(".schema.json")
         for f in glob.glob(os.path.join(SCHEMAS, "*.schema.json"))}
if names != set(OUTPUTS):
    failures.append(f"schemas and outputs differ: {names ^ set(OUTPUTS)}")
for name, calls in OUTPUTS.items():
    with open(os.path.join(SCHEMAS, name + ".schema.json")) as f:
        schema = json.load(f)
    for arguments in calls:
        value = output_of(arguments)
        failures += [f"{' '.join(arguments)}: {p}" for p in problems(schema, value)[:5]]
    for what, mutant in mutants(schema, value):
        refused += 1
        if not problems(schema, mutant):
            failures.append(f"{name}: accepts {what}")
for f in failures[:20]:
    print("FAIL", f)
print(f"{len(failures)} failures, {refused} damaged outputs tried")
sys.exit(1 if failures else 0)
