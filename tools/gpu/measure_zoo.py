#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Latency and energy of zoo models on a GPU with PyTorch: models x precision x batch, eager and CUDA graph.

    python3 measure_zoo.py --device-id nvidia_h100_sxm5_80gb --models resnet50,bert_base \\
        --precisions fp32,tf32,fp16,bf16 --batches 1,8,32 --output measured.json

writes records of the schema ground-truth/1 (one per model, precision, batch and way of launching). The
networks are those of tools/export, from which the zoo's files were made.
"""
import argparse
import datetime
import json
import os
import sys

import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "export"))

from timing import Bench, DeviceError, NvmlError, PRECISIONS, set_precision  # noqa: E402


def batch_symbol(network):
    """The symbolic first dimension of the first input, as wattline defines it."""
    return network.dynamic_axes.get(network.input_names[0], {}).get(0)


def at_batch(network, batch):
    """Example inputs with the batch dimension repeated."""
    symbol, out = batch_symbol(network), []
    if symbol is None and batch != 1:
        raise ValueError("has no batch dimension")
    for name, tensor in zip(network.input_names, network.inputs):
        for axis, label in network.dynamic_axes.get(name, {}).items():
            if symbol is not None and label == symbol and torch.is_tensor(tensor):
                first = tensor.narrow(axis, 0, 1)
                tensor = first.expand(*(batch if i == axis else s
                                        for i, s in enumerate(first.shape))).contiguous()
        out.append(tensor)
    return out


def moved(value, device, dtype):
    if not torch.is_tensor(value):
        return value
    value = value.to(device)
    return value.to(dtype) if value.is_floating_point() else value


def measure(bench, entry, precision, batch, device_id):
    """Records of one point: eager, and as a graph where it can be captured."""
    network = entry.build()
    dtype = PRECISIONS[precision]
    set_precision(precision)
    module = network.module.eval().to(bench.device).to(dtype)
    inputs = [moved(t, bench.device, dtype) for t in at_batch(network, batch)]
    ways = [("pytorch-eager", lambda: module(*inputs))]
    if bench.cuda:
        try:
            ways.append(("pytorch-cudagraph", bench.graph(ways[0][1])))
        except RuntimeError as e:
            print(f"  {entry.name}: no graph: {str(e).splitlines()[0]}", file=sys.stderr)
    for runtime, function in ways:
        t = bench.latency(function)
        record = {"device": device_id, "device_count": 1, "model": entry.name, "task": entry.task,
                  "precision": precision, "batch": batch, "scenario": "fixed-batch",
                  "runtime": f"{runtime} {torch.__version__}", "latency_ms": t["time_s"] * 1e3,
                  "latency_stat": "median", "min_latency_ms": t["min_s"] * 1e3,
                  "throughput_per_s": batch / t["time_s"], "throughput_unit": "samples/s",
                  "precision_basis": "measured: set by the script"}
        e = bench.energy(function, t["time_s"])
        if e:
            record.update({"energy_mj_per_inference": e["energy_j"] / batch * 1e3,
                           "average_power_w": e["average_power_w"], "power_scope": "GPU board",
                           "clock_hz": e["clock_hz"], "temperature_c": e["temperature_c"],
                           "energy_window_s": e["window_s"]})
        record["conditions"] = (f"{t['runs']} runs after {t['warmup_runs']} warm-up runs, random "
                                "weights and inputs resident on the device")
        yield record


def main():
    import zoo
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device-id", required=True, help="id of the device in the registry")
    parser.add_argument("--models", default="", help="names, comma-separated; default all")
    parser.add_argument("--precisions", default="fp32,tf32,fp16,bf16")
    parser.add_argument("--batches", default="1,8,32")
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1; cpu only tries the script")
    parser.add_argument("--window", type=float, default=2.0, help="seconds of an energy window")
    parser.add_argument("--output", required=True)
    options = parser.parse_args()
    names = [n for n in options.models.split(",") if n]
    entries = [e for e in zoo.ENTRIES if not names or e.name in names]
    missing = set(names) - {e.name for e in entries}
    if missing:
        parser.error(f"models {sorted(missing)} are not in the zoo")
    bench = Bench(options.device, window_s=options.window)
    records, failed = [], []
    for entry in entries:
        for precision in options.precisions.split(","):
            for batch in (int(b) for b in options.batches.split(",")):
                try:
                    with torch.inference_mode():
                        records += list(measure(bench, entry, precision, batch, options.device_id))
                    print(f"{entry.name} {precision} {batch}: {records[-1]['latency_ms']:.3f} ms",
                          file=sys.stderr)
                except (RuntimeError, ValueError, TypeError, NotImplementedError) as e:
                    failed.append({"model": entry.name, "precision": precision, "batch": batch,
                                   "reason": str(e).splitlines()[0][:200]})
                    if bench.cuda:
                        torch.cuda.empty_cache()
    for i, record in enumerate(records):
        record["id"] = f"m{i + 1:05}"
        record["source"] = {"kind": "measured", "ref": "tools/gpu/measure_zoo.py"}
    meta = {"schema": "ground-truth/1", "count": len(records),
            "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "torch": torch.__version__, "failed": failed}
    if bench.gpu is not None:
        meta["gpu"], meta["driver"] = bench.gpu.name(), bench.gpu.driver()
        meta["power_limit_w"] = bench.gpu.power_limit_w()
    with open(options.output, "w", encoding="utf-8") as f:
        json.dump({"meta": meta, "records": records}, f, indent=1)
        f.write("\n")


if __name__ == "__main__":
    try:
        main()
    except (NvmlError, DeviceError) as e:
        sys.exit(f"measure_zoo: {e}")
