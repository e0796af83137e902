#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Operator calibration of a GPU with PyTorch, in wattline's calibration schema.

    python3 calibrate_gpu.py --device-id nvidia_h100_sxm5_80gb --output DIR

writes DIR/{power_mode}_{MHz}MHz_pytorch.json, ready for registry/gpu/ID/calibrations/. The same operations as
the CPU calibration: streams, AXPY, DOT, GEMV, GEMM, convolutions, softmax, normalisation, element-wise,
attention and the cost of a launch. For convolutions m, n, k are the view as a product: positions, output
channels, reduction. Bytes are what an operation must move, each operand once.
"""
import argparse
import datetime
import json
import os
import platform
import sys

import torch
import torch.nn.functional as F

from timing import Bench, DeviceError, NvmlError, PRECISIONS, set_precision

GEMM = [256, 512, 1024, 2048, 4096, 8192]
GEMM_SKINNY = [(1, 4096, 4096), (8, 4096, 4096), (32, 4096, 4096), (128, 4096, 4096),
               (128, 11008, 4096), (512, 3072, 768), (512, 768, 3072), (2048, 4096, 1024)]
GEMV = [1024, 4096, 8192, 16384]
VECTOR = [1 << 16, 1 << 20, 1 << 24, 1 << 26]
ROWS = [(64, 1024), (1024, 1024), (8192, 1024), (8192, 4096)]
# batch, channels in, size, channels out, kernel, stride, groups
CONV = [(1, 64, 56, 64, 3, 1, 1), (8, 64, 56, 64, 3, 1, 1), (32, 64, 56, 64, 3, 1, 1),
        (32, 128, 28, 128, 3, 1, 1), (32, 256, 14, 256, 3, 1, 1), (32, 512, 7, 512, 3, 1, 1),
        (32, 256, 56, 64, 1, 1, 1), (32, 64, 56, 256, 1, 1, 1), (32, 1024, 14, 256, 1, 1, 1),
        (32, 3, 224, 64, 7, 2, 1), (32, 128, 56, 128, 3, 2, 1)]
DEPTHWISE = [(32, 96, 112, 96, 3, 1, 96), (32, 144, 56, 144, 3, 1, 144),
             (32, 384, 14, 384, 3, 1, 384), (32, 96, 56, 96, 7, 1, 96)]
ATTENTION = [(1, 12, 128, 64), (8, 12, 512, 64), (1, 32, 2048, 128), (8, 16, 1024, 64)]


def tensors(bench, dtype, *shapes):
    return [torch.randn(*s, device=bench.device, dtype=torch.float32).to(dtype) for s in shapes]


def size_of(dtype):
    return torch.empty((), dtype=dtype).element_size()


# Each generator yields (operation, {m, n, k}, operations, bytes, callable).


def streams(bench, dtype):
    for n in VECTOR:
        a, b, c = tensors(bench, dtype, (n,), (n,), (n,))
        w = size_of(dtype)
        yield "stream_copy", {"n": n}, 0, 2 * n * w, lambda a=a, c=c: c.copy_(a)
        yield "stream_add", {"n": n}, n, 3 * n * w, lambda a=a, b=b, c=c: torch.add(a, b, out=c)
        yield "axpy", {"n": n}, 2 * n, 3 * n * w, lambda a=a, b=b: b.add_(a, alpha=1.0001)
        yield "dot", {"n": n}, 2 * n, 2 * n * w, lambda a=a, b=b: torch.dot(a, b)


def products(bench, dtype):
    w = size_of(dtype)
    for n in GEMV:
        a, x = tensors(bench, dtype, (n, n), (n,))
        yield "gemv", {"m": n, "n": n}, 2 * n * n, (n * n + 2 * n) * w, lambda a=a, x=x: a @ x
    for m, n, k in [(s, s, s) for s in GEMM] + GEMM_SKINNY:
        a, b = tensors(bench, dtype, (m, k), (n, k))
        yield ("gemm", {"m": m, "n": n, "k": k}, 2 * m * n * k, (m * k + n * k + m * n) * w,
               lambda a=a, b=b: F.linear(a, b))


def convolutions(bench, dtype):
    w = size_of(dtype)
    for batch, cin, size, cout, kernel, stride, groups in CONV + DEPTHWISE:
        x, f = tensors(bench, dtype, (batch, cin, size, size), (cout, cin // groups, kernel, kernel))
        x, f = (t.contiguous(memory_format=torch.channels_last) for t in (x, f))
        out = (size + 2 * (kernel // 2) - kernel) // stride + 1
        m, k = batch * out * out, cin // groups * kernel * kernel
        name = "depthwise_conv" if groups > 1 else "conv"
        yield (name, {"m": m, "n": cout, "k": k}, 2 * m * cout * k,
               (x.numel() + f.numel() + m * cout) * w,
               lambda x=x, f=f, s=stride, p=kernel // 2, g=groups: F.conv2d(x, f, None, s, p, 1, g))


def rows(bench, dtype):
    w = size_of(dtype)
    for m, n in ROWS:
        x, gain, shift = tensors(bench, dtype, (m, n), (n,), (n,))
        shape = {"m": m, "n": n}
        yield "softmax", shape, 5 * m * n, 2 * m * n * w, lambda x=x: F.softmax(x, -1)
        yield ("layernorm", shape, 8 * m * n, (2 * m * n + 2 * n) * w,
               lambda x=x, n=n, g=gain, s=shift: F.layer_norm(x, (n,), g, s))
        yield "elementwise", shape, m * n, 2 * m * n * w, lambda x=x: F.gelu(x)


def attention(bench, dtype):
    if not hasattr(F, "scaled_dot_product_attention"):
        return
    for batch, heads, length, width in ATTENTION:
        q, k, v = tensors(bench, dtype, *([(batch, heads, length, width)] * 3))
        work = 4 * batch * heads * length * length * width
        yield ("attention", {"m": batch * heads * length, "n": length, "k": width}, work,
               4 * q.numel() * size_of(dtype),
               lambda q=q, k=k, v=v: F.scaled_dot_product_attention(q, k, v))


def launch(bench, dtype):
    (x,) = tensors(bench, dtype, (1,))
    yield "launch", {"n": 1}, 1, 2 * size_of(dtype), lambda x=x: x.add_(1.0)


# What a family is called when not even its operands can be made.
FAMILIES = [("launch", launch), ("stream_copy", streams), ("gemm", products),
            ("conv", convolutions), ("softmax", rows), ("attention", attention)]
QUICK_OPERATIONS = 1 << 28


def unsupported(operation, precision, error, shape=None):
    reason = (str(error).splitlines() or ["no message"])[0][:200]
    return {"operation": operation, "precision": precision, **(shape or {}), "unsupported": True,
            "reason": reason}


def measure_case(bench, precision, case, load):
    """One entry. `load` collects clock and watts under a large product."""
    operation, shape, ops, moved, function = case
    entry = {"operation": operation, "precision": precision, **shape}
    try:
        t = bench.latency(function)
    except RuntimeError as e:  # no kernel for this type, out of memory
        return unsupported(operation, precision, e, shape)
    if moved:
        entry["bytes"] = moved
    entry.update({k: t[k] for k in ("time_s", "min_s", "max_s", "std_s")})
    if ops:
        entry["ops_per_s"] = ops / t["time_s"]
    if moved:
        entry["bytes_per_s"] = moved / t["time_s"]
    if operation == "gemm" and shape["m"] == shape["n"] == 4096:
        e = bench.energy(function, t["time_s"])
        if e:
            load.append((e["clock_hz"], e["average_power_w"]))
    print(f"  {operation:15} {precision} {shape} {t['time_s'] * 1e6:10.1f} us", file=sys.stderr)
    return entry


def measure(bench, precision, quick, load):
    """Entries of one precision. What does not run is an entry too, with the reason."""
    entries = []
    set_precision(precision)
    for name, family in FAMILIES:
        try:
            for case in family(bench, PRECISIONS[precision]):
                if not quick or case[2] <= QUICK_OPERATIONS:
                    entries.append(measure_case(bench, precision, case, load))
        except RuntimeError as e:  # operands that do not fit into memory
            entries.append(unsupported(name, precision, e))
        if bench.cuda:
            torch.cuda.empty_cache()
    return entries


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device-id", required=True, help="id of the device in the registry")
    parser.add_argument("--power-mode", default="default")
    parser.add_argument("--precisions", default="fp32,tf32,fp16,bf16")
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1; cpu only tries the script")
    parser.add_argument("--clock-mhz", type=float, help="under load, where the driver tells none")
    parser.add_argument("--quick", action="store_true", help="small sizes only")
    parser.add_argument("--output", required=True, help="folder for the file")
    options = parser.parse_args()
    unknown = set(options.precisions.split(",")) - set(PRECISIONS)
    if unknown:
        parser.error(f"precisions {sorted(unknown)}: {', '.join(PRECISIONS)} are known")
    quick = {"runs": 10, "seconds": 0.05, "warmup_s": 0.1} if options.quick else {}
    bench = Bench(options.device, **quick)
    entries, load = [], []
    with torch.inference_mode():
        for precision in options.precisions.split(","):
            entries += measure(bench, precision, options.quick, load)
    clocks, watts = sorted(c for c, _ in load), [w for _, w in load]
    clock = clocks[len(clocks) // 2] if clocks else (options.clock_mhz or 0) * 1e6
    if not clock:
        sys.exit("calibrate_gpu: no clock was read under load; say it with --clock-mhz")
    result = {"schema_version": 1, "device": options.device_id, "power_mode": options.power_mode,
              "clock_hz": clock, "framework": "pytorch", "framework_version": torch.__version__,
              "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S"),
              "tool": "wattline tools/gpu/calibrate_gpu.py", "tool_version": "1",
              "host": platform.processor() or platform.machine(),
              "host_cores": os.cpu_count(), "statistic": "median"}
    if watts:
        result["power_w"] = max(watts)
    if bench.gpu is not None:
        result["notes"] = f"{bench.gpu.name()}, driver {bench.gpu.driver()}; clock under a 4096 GEMM"
    result["entries"] = entries
    os.makedirs(options.output, exist_ok=True)
    path = os.path.join(options.output,
                        f"{options.power_mode}_{round(clock / 1e6)}MHz_pytorch.json")
    with open(path, "w", encoding="utf-8") as f:
        json.dump(result, f, indent=1)
        f.write("\n")
    print(path)


if __name__ == "__main__":
    try:
        main()
    except (NvmlError, DeviceError) as e:
        sys.exit(f"calibrate_gpu: {e}")
