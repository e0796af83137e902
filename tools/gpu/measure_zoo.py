#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Latency and energy of zoo models on a GPU with PyTorch: models x precision x batch, eager and CUDA graph.

    python3 measure_zoo.py --device-id nvidia_h100_sxm --models resnet50,bert_base \\
        --precisions fp32,tf32,fp16,bf16 --batches 1,8,32 --output ground-truth.json

writes records of the schema ground-truth/1 (one per model, precision, batch and way of launching), anew after
each point; what the file already has is not measured again. The networks are those of tools/export, from which
the zoo's files were made, at the sizes of the zoo (positions, cached positions). Weights and inputs are random.
"""
import argparse
import datetime
import gc
import importlib
import json
import os
import sys
import time

import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "export"))

from timing import (Bench, DeviceError, NvmlError, PRECISIONS, first_line,  # noqa: E402
                    set_precision)

NETWORKS = ["nets_torchvision", "nets_language", "nets_vision", "nets_other", "nets_caffe"]
# Integer inputs that are indices into a table of at least so many rows; others keep their values.
INDEX_ROWS = {"input_ids": 1000, "samples": 256}
POINT_S = 12.0  # no point begins with less left
LOST = 3        # exit code: a new process is needed, and may go on


def zoo_entries():
    """Entries whose networks are PyTorch modules as they are: nothing quantised afterwards, nothing
    written node by node. A file that does not load with this PyTorch is left out."""
    entries = []
    for name in NETWORKS:
        try:
            entries += importlib.import_module(name).ENTRIES
        except (ImportError, AttributeError) as e:
            print(f"measure_zoo: {name} does not load: {e}", file=sys.stderr)
    return {e.name: e for e in entries}


def batch_symbol(network):
    """The symbolic first dimension of the first input, as wattline defines it."""
    return network.dynamic_axes.get(network.input_names[0], {}).get(0)


def shape_of(network, name, tensor, sizes):
    axes = network.dynamic_axes.get(name, {})
    return [sizes.get(axes.get(i), old) for i, old in enumerate(tensor.shape)]


def filled(name, tensor, shape, device, dtype):
    """An input of this shape with random values."""
    if tensor.is_floating_point():
        return torch.randn(shape, device=device, dtype=torch.float32).to(dtype)
    if name in INDEX_ROWS:
        return torch.randint(0, INDEX_ROWS[name], shape, device=device, dtype=tensor.dtype)
    value = int(tensor.flatten()[0])
    return torch.full(shape, value, device=device, dtype=tensor.dtype)


def other_dims(network, dims):
    """What is bound beside the batch."""
    used = {label for axes in network.dynamic_axes.values() for label in axes.values()}
    return {k: v for k, v in dims.items() if k in used and k != batch_symbol(network)}


def inputs_at(network, dims, batch, device, dtype):
    """`batch` None: as in the example."""
    symbol = batch_symbol(network)
    if symbol is None and batch not in (1, None):
        raise ValueError("has no batch dimension")
    if dims.get(symbol, 1) != 1:
        raise ValueError(f"counts {symbol}, not samples, in its first dimension")
    sizes = {k: v for k, v in dims.items() if k != symbol}
    if batch is not None:
        sizes[symbol] = batch
    sizes.pop(None, None)
    return [filled(name, t, shape_of(network, name, t, sizes), device, dtype)
            if torch.is_tensor(t) else t for name, t in zip(network.input_names, network.inputs)]


def build(entry, bench):
    """The network on the device; weights that share their storage (layers.py) get their own."""
    with torch.no_grad():
        network = entry.build()
        if network.module is None or network.rewrite is not None:
            raise ValueError("is no PyTorch module as it stands in the zoo")
        if isinstance(network.module, torch.jit.ScriptModule):
            raise ValueError("is a script")
        network.module.eval()
        if network.lean:
            for p in network.module.parameters():
                p.data = torch.empty(p.shape, device=bench.device, dtype=p.dtype).normal_(0, 0.02)
        network.module.to(bench.device)
        settle_norms(network, inputs_at(network, entry.dims, None, bench.device, torch.float32))
    return network


def settle_norms(network, inputs):
    """Batch normalisation that fits the random weights: without it activations of deep networks
    leave the range of fp16."""
    norms = [m for m in network.module.modules()
             if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
    for m in norms:
        m.momentum = 1.0
        m.train()
    if norms:
        network.module(*inputs)
    for m in norms:
        m.eval()


def is_finite(value):
    """Of the first result."""
    while not torch.is_tensor(value):
        value = next(iter(value.values() if isinstance(value, dict) else value))
    return bool(torch.isfinite(value).all())


def keep_type(network, dtype, channels_last):
    with torch.no_grad():
        network.module.to(dtype)
        if channels_last:
            network.module.to(memory_format=torch.channels_last)


def ways_of(bench, name, function):
    """(name of the runtime, callable): eager, and as a graph where it can be captured."""
    yield "PyTorch eager", function
    if not bench.cuda:
        return
    try:
        graph = bench.graph(function)
    except RuntimeError as e:
        print(f"  {name}: no graph: {first_line(e)}", file=sys.stderr)
        return
    yield "PyTorch CUDA graph", graph


def record_of(bench, runtime, function, batch):
    t = bench.latency(function)
    record = {"runtime": f"{runtime} {torch.__version__}", "latency_ms": t["time_s"] * 1e3,
              "latency_stat": "median", "min_latency_ms": t["min_s"] * 1e3,
              "max_latency_ms": t["max_s"] * 1e3, "std_latency_ms": t["std_s"] * 1e3,
              "throughput_per_s": batch / t["time_s"], "throughput_per_device": batch / t["time_s"],
              "throughput_unit": "samples/s", "runs": t["runs"], "warmup_runs": t["warmup_runs"]}
    e = bench.energy(function, t["time_s"])
    if e:
        record.update({"energy_mj_per_inference": e["energy_j"] / batch * 1e3,
                       "power_w": e["average_power_w"], "power_scope": "GPU board",
                       "clock_hz": e["clock_hz"], "temperature_c": e["temperature_c"],
                       "energy_window_s": e["window_s"], "energy_basis": e["basis"],
                       "sampled_over_counter": e.get("sampled_ratio")})
    return record


def measure(bench, network, entry, point, options):
    """Records of one point."""
    precision, batch = point
    dtype = PRECISIONS[precision]
    set_precision(precision)
    keep_type(network, dtype, options.channels_last)
    with torch.inference_mode():
        inputs = inputs_at(network, entry.dims, batch, bench.device, dtype)
        if options.channels_last:
            inputs = [t.contiguous(memory_format=torch.channels_last)
                      if torch.is_tensor(t) and t.dim() == 4 else t for t in inputs]
        finite = is_finite(network.module(*inputs))
        for runtime, function in ways_of(bench, entry.name, lambda: network.module(*inputs)):
            runtime += " channels_last" if options.channels_last else ""
            yield {"model": entry.name, "task": entry.task, "precision": precision, "batch": batch,
                   "dims": other_dims(network, entry.dims), "finite": finite,
                   **record_of(bench, runtime, function, batch),
                   "input": ", ".join(str(list(t.shape)) for t in inputs[:3] if torch.is_tensor(t)),
                   "conditions": "random weights and inputs resident on the device; batch "
                                 "normalisation not folded; images in "
                                 + ("channels_last" if options.channels_last else "NCHW"),
                   "precision_basis": "measured: set by the script"}


class Output:
    """The file: what it had, and what comes; written as a whole after each point."""

    def __init__(self, bench, options):
        self.path, self.options = options.output, options
        self.records, self.failed = [], []
        if os.path.exists(self.path):
            with open(self.path, encoding="utf-8") as f:
                old = json.load(f)
            self.records, self.failed = old["records"], old["meta"]["failed"]
        self.facts = {} if bench.gpu is None else bench.gpu.facts()

    def has(self, name, precision, batch):
        key, layout = (name, precision, batch), self.options.channels_last
        done = {(r["model"], r["precision"], r["batch"]) for r in self.records
                if ("channels_last" in r["runtime"]) == layout}
        done |= {(f["model"], f["precision"], f["batch"]) for f in self.failed
                 if f["channels_last"] == layout}
        return key in done

    def fail(self, name, precision, batch, reason):
        self.failed.append({"model": name, "precision": precision, "batch": batch,
                            "channels_last": self.options.channels_last, "reason": reason})
        print(f"{name} {precision} {batch}: {reason}", file=sys.stderr, flush=True)

    def add(self, record):
        self.records.append({"id": f"m{len(self.records) + 1:05}",
                             "device": self.options.device_id, "device_count": 1,
                             "device_name": self.facts.get("gpu", "CPU"), **record,
                             "scenario": "fixed-batch", "family": "pytorch", "core": True,
                             "source": {"kind": "measured", "ref": "tools/gpu/measure_zoo.py"}})
        joules = record.get("energy_mj_per_inference")
        print(f"{record['model']} {record['precision']} {record['batch']} {record['runtime']}: "
              f"{record['latency_ms']:.3f} ms" + (f", {joules:.2f} mJ" if joules else ""),
              file=sys.stderr, flush=True)

    def save(self):
        meta = {"schema": "ground-truth/1", "count": len(self.records), "torch": torch.__version__,
                "cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version(),
                "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
                **self.facts, "failed": self.failed}
        with open(self.path + ".part", "w", encoding="utf-8") as f:
            json.dump({"meta": meta, "records": self.records}, f, indent=1)
            f.write("\n")
        os.replace(self.path + ".part", self.path)


def release(bench):
    gc.collect()
    if bench.cuda:
        torch.cuda.empty_cache()


def measure_model(bench, entry, points, output, options):
    """All points of one model, wide types first: narrowed weights do not come back."""
    try:
        network = build(entry, bench)
    except Exception as e:  # the next model may work
        if not bench.is_usable():
            raise DeviceError(f"{entry.name}: {first_line(e)}") from None
        for precision, batch in points:
            output.fail(entry.name, precision, batch, first_line(e))
        return
    for precision, batch in sorted(points, key=lambda p: list(PRECISIONS).index(p[0])):
        if time.monotonic() + POINT_S > options.deadline:
            break
        try:
            for record in measure(bench, network, entry, (precision, batch), options):
                output.add(record)
        except Exception as e:
            if not bench.is_usable():
                output.fail(entry.name, precision, batch, "lost the device: " + first_line(e))
                raise DeviceError(first_line(e)) from None
            output.fail(entry.name, precision, batch, f"{type(e).__name__}: {first_line(e)}")
        output.save()
        release(bench)


def read_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device-id", required=True, help="id of the device in the registry")
    parser.add_argument("--models", default="", help="names, comma-separated; default all")
    parser.add_argument("--precisions", default="fp32,tf32,fp16,bf16")
    parser.add_argument("--batches", default="1,8,32")
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1; cpu only tries the script")
    parser.add_argument("--channels-last", action="store_true", help="images as NHWC")
    parser.add_argument("--window", type=float, default=2.0, help="seconds of an energy window")
    parser.add_argument("--seconds", type=float, default=0.4, help="at least, of latencies")
    parser.add_argument("--warmup", type=float, default=0.3, help="seconds before them")
    parser.add_argument("--budget", type=float, default=1e9, help="stop after so many seconds")
    parser.add_argument("--output", required=True, help="file of records; continued if there")
    options = parser.parse_args()
    options.deadline = time.monotonic() + options.budget
    options.points = [(p, int(b)) for p in options.precisions.split(",")
                      for b in options.batches.split(",")]
    unknown = {p for p, _ in options.points} - set(PRECISIONS)
    if unknown:
        parser.error(f"precisions {sorted(unknown)}: {', '.join(PRECISIONS)} are known")
    return parser, options


def main():
    parser, options = read_options()
    zoo = zoo_entries()
    names = [n for n in options.models.split(",") if n] or sorted(zoo)
    missing = set(names) - set(zoo)
    if missing:
        parser.error(f"models {sorted(missing)} are not among the zoo's PyTorch modules")
    bench = Bench(options.device, window_s=options.window, seconds=options.seconds,
                  warmup_s=options.warmup)
    output = Output(bench, options)
    try:
        for name in names:
            points = [p for p in options.points if not output.has(name, *p)]
            if points and time.monotonic() + POINT_S <= options.deadline:
                measure_model(bench, zoo[name], points, output, options)
                release(bench)
    except DeviceError as e:
        print(f"measure_zoo: the device is lost: {e}", file=sys.stderr)
        sys.exit(LOST)
    finally:
        output.save()


if __name__ == "__main__":
    try:
        main()
    except (NvmlError, DeviceError) as e:
        sys.exit(f"measure_zoo: {e}")
