#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Operator calibration of a GPU with PyTorch, in wattline's calibration schema.

    python3 calibrate_gpu.py --device-id nvidia_h100_sxm --output DIR

writes DIR/{power_mode}_{MHz}MHz_pytorch.json, ready for registry/gpu/ID/calibrations/, anew after each
precision. Names and sizes are those of the kernels that wattline predicts (docs/calibrate.md): a convolution is
`groups` products of positions x output channels x taps, other operations have results `n` and their row
`width`. Bytes are what an operation must move, each operand once. Times are those of a run among others
(`Bench.steady`). Weights come from the next place in a pool at each run, as in a network; other operands stay,
and `cold_bytes`, `reuse_bytes` tell how far away both are.
"""
import argparse
import datetime
import json
import math
import os
import platform
import sys
import time

import torch
import torch.nn.functional as F

from timing import Bench, DeviceError, NvmlError, PRECISIONS, first_line, set_precision

GEMM = [256, 512, 1024, 2048, 4096, 8192]
GEMM_SKINNY = [(8, 4096, 4096), (32, 4096, 4096), (128, 4096, 4096), (128, 768, 768),
               (128, 11008, 4096), (512, 3072, 768), (512, 768, 3072), (2048, 4096, 1024),
               (32, 1000, 2048), (6304, 768, 768)]
GEMV = [(768, 768), (1000, 2048), (2048, 8192), (4096, 4096), (14336, 4096), (16384, 16384)]
# groups, m, n, k: products of two activations
MATMUL = [(12, 128, 128, 64), (96, 512, 512, 64), (96, 512, 64, 512), (32, 1, 1024, 128)]
VECTOR = [1 << 16, 1 << 20, 1 << 24, 1 << 26]
ELEMENTS = [1 << 14, 1 << 18, 1 << 22, 1 << 26]
ROWS = [(64, 1024), (1024, 768), (8192, 1024), (8192, 4096)]
# batch, channels in, size, channels out, kernel, stride, groups
CONV = [(1, 64, 56, 64, 3, 1, 1), (8, 64, 56, 64, 3, 1, 1), (32, 64, 56, 64, 3, 1, 1),
        (1, 256, 14, 256, 3, 1, 1), (1, 512, 7, 512, 3, 1, 1), (1, 256, 56, 64, 1, 1, 1),
        (1, 1024, 14, 256, 1, 1, 1), (1, 512, 7, 2048, 1, 1, 1), (1, 3, 224, 64, 7, 2, 1),
        (32, 128, 28, 128, 3, 1, 1), (32, 256, 14, 256, 3, 1, 1), (32, 512, 7, 512, 3, 1, 1),
        (32, 256, 56, 64, 1, 1, 1), (32, 64, 56, 256, 1, 1, 1), (32, 1024, 14, 256, 1, 1, 1),
        (32, 512, 7, 2048, 1, 1, 1), (32, 3, 224, 64, 7, 2, 1), (32, 128, 56, 128, 3, 2, 1),
        (32, 128, 56, 128, 3, 1, 32)]
DEPTHWISE = [(1, 96, 112, 96, 3, 2, 96), (1, 384, 14, 384, 3, 1, 384), (32, 96, 112, 96, 3, 1, 96),
             (32, 144, 56, 144, 3, 1, 144), (32, 384, 14, 384, 3, 1, 384),
             (32, 96, 56, 96, 7, 1, 96)]
# batch x heads, positions, cached and new positions, width of a head
ATTENTION = [(12, 128, 128, 64), (96, 512, 512, 64), (32, 2048, 2048, 128), (128, 1024, 1024, 64),
             (32, 1, 1024, 128)]
IMAGES = [(1, 64, 112), (32, 64, 112), (1, 2048, 7), (32, 2048, 7)]  # batch, channels, size
LOAD, QUICK_LOAD = 4096, 512  # the product that clock and watts are read under
POOL_BYTES = 256 << 20  # weights: several times the largest cache
WARM_BYTES = 1e6        # WL_WARM_BYTES of hardware.h


class Case:
    """One operation at one size. `operands`: (bytes, bytes touched since their last use)."""

    def __init__(self, operation, sizes, function, operands, ops=0):
        self.operation, self.function, self.ops = operation, function, ops
        moved = sum(o[0] for o in operands)
        far = [(b, since or moved) for b, since in operands if (since or moved) > WARM_BYTES]
        cold = sum(b for b, _ in far)
        self.entry = {**sizes, "bytes": round(moved)}
        if cold:
            mean = sum(b * math.log(since) for b, since in far) / cold
            self.entry.update({"cold_bytes": round(cold), "reuse_bytes": round(math.exp(mean))})


class Maker:
    """Operands of one precision."""

    def __init__(self, bench, precision, quick, channels_last):
        self.bench, self.dtype = bench, PRECISIONS[precision]
        self.quick, self.channels_last = quick, channels_last
        self.width = torch.empty((), dtype=self.dtype).element_size()
        self._pool = self.tensor((POOL_BYTES >> 6 if quick else POOL_BYTES) // self.width)

    def tensor(self, *shape):
        return torch.randn(*shape, device=self.bench.device, dtype=torch.float32).to(self.dtype)

    def image(self, *shape):
        x = self.tensor(*shape)
        return x.contiguous(memory_format=torch.channels_last) if self.channels_last else x

    def weights(self, *shape):
        """(function that gives the next of them, bytes of one, bytes of all)"""
        count = math.prod(shape)
        if count > self._pool.numel():
            only = self.tensor(*shape)
            return lambda: only, count * self.width, count * self.width
        views = [self._pool[i * count:(i + 1) * count].view(*shape)
                 for i in range(self._pool.numel() // count)]
        turn = [0]

        def following():
            turn[0] = turn[0] + 1 if turn[0] + 1 < len(views) else 0
            return views[turn[0]]
        return following, count * self.width, len(views) * count * self.width

    def wants(self, ops, elements):
        return not self.quick or (ops <= 1 << 28 and elements <= 1 << 21)


# Each generator yields cases.


def streams(make):
    w = make.width
    for n in VECTOR:
        if not make.wants(0, n):
            continue
        a, b, c = (make.tensor(n) for _ in range(3))
        one, sizes = (n * w, 0), {"n": n}
        yield Case("stream_copy", sizes, lambda a=a, c=c: c.copy_(a), [one] * 2)
        yield Case("stream_add", sizes, lambda a=a, b=b, c=c: torch.add(a, b, out=c), [one] * 3, n)
        yield Case("axpy", sizes, lambda a=a, b=b: b.add_(a, alpha=1e-4), [one] * 3, 2 * n)
        yield Case("dot", sizes, lambda a=a, b=b: torch.dot(a, b), [one] * 2, 2 * n)


def product(make, operation, m, n, k):
    a = make.tensor(m, k)
    following, bytes_, since = make.weights(n, k)
    return Case(operation, {"m": m, "n": n, "k": k}, lambda: F.linear(a, following()),
                [(a.numel() * make.width, 0), (bytes_, since), (m * n * make.width, 0)],
                2 * m * n * k)


def products(make):
    for m, n, k in [(s, s, s) for s in GEMM] + GEMM_SKINNY:
        if make.wants(2 * m * n * k, n * k):
            yield product(make, "gemm", m, n, k)
    for n, k in GEMV:
        if make.wants(2 * n * k, n * k):
            yield product(make, "gemv", 1, n, k)
    for groups, m, n, k in MATMUL:
        if make.wants(2 * groups * m * n * k, groups * m * n):
            a, b = make.tensor(groups, m, k), make.tensor(groups, k, n)
            yield Case("matmul", {"groups": groups, "m": m, "n": n, "k": k},
                       lambda a=a, b=b: torch.bmm(a, b),
                       [(e * make.width, 0) for e in (a.numel(), b.numel(), groups * m * n)],
                       2 * groups * m * n * k)


def taps_inside(size, kernel, stride):
    """Mean number of taps of an axis that meet the image, as kernels/sizes.c counts them."""
    pad, out = kernel // 2, (size + 2 * (kernel // 2) - kernel) // stride + 1
    inside = sum(0 <= o * stride + t - pad < size for o in range(out) for t in range(kernel))
    return inside / out, out


def convolution(make, batch, cin, size, cout, kernel, stride, groups):
    taps, out = taps_inside(size, kernel, stride)
    x, f = make.image(batch, cin, size, size), make.image(cout, cin // groups, kernel, kernel)
    m, n, k = batch * out * out, cout // groups, cin // groups * taps * taps
    operation = ("conv" if groups == 1 else
                 "conv_depthwise" if groups == cin == cout else "conv_grouped")
    sizes = {"groups": groups, "m": m, "n": n, "k": k, "window": kernel * kernel,
             "stride": stride * stride, "width": out}
    return Case(operation, sizes,
                lambda: F.conv2d(x, f, None, stride, kernel // 2, 1, groups),
                [(e * make.width, 0) for e in (x.numel(), f.numel(), m * cout)],
                2 * groups * m * n * k)


def convolutions(make):
    for shape in CONV + DEPTHWISE:
        batch, cin, size, cout, kernel, stride, groups = shape
        work = 2 * batch * (size // stride) ** 2 * cout * cin // groups * kernel * kernel
        if make.wants(work, batch * cin * size * size):
            yield convolution(make, *shape)


def elementwise(make):
    w = make.width
    functions = [("relu", F.relu), ("clip", F.relu6), ("gelu", F.gelu), ("silu", F.silu),
                 ("elementwise", torch.neg)]
    for n in ELEMENTS:
        if not make.wants(0, n):
            continue
        x, y, sizes = make.tensor(n), make.tensor(n), {"n": n, "width": n}
        for name, f in functions:
            yield Case(name, sizes, lambda f=f, x=x: f(x), [(n * w, 0)] * 2, n)
        for name, f in (("add", torch.add), ("mul", torch.mul)):
            yield Case(name, {**sizes, "operands": 1}, lambda f=f, x=x, y=y: f(x, y),
                       [(n * w, 0)] * 3, n)


def rows(make):
    w = make.width
    for m, n in ROWS:
        if not make.wants(0, m * n):
            continue
        x, gain, shift = make.tensor(m, n), make.tensor(n), make.tensor(n)
        sizes, operands = {"n": m * n, "width": n}, [(m * n * w, 0)] * 2
        yield Case("softmax", sizes, lambda x=x: F.softmax(x, -1), operands, 5 * m * n)
        yield Case("layernorm", sizes,
                   lambda x=x, n=n, g=gain, s=shift: F.layer_norm(x, (n,), g, s),
                   operands + [(2 * n * w, 0)], 8 * m * n)


def pools(make):
    w = make.width
    for batch, channels, size in IMAGES:
        n = batch * channels
        if not make.wants(0, n * size * size):
            continue
        x, read = make.image(batch, channels, size, size), (n * size * size * w, 0)
        out = (size + 2 - 3) // 2 + 1
        results = n * out * out
        if size >= 64:
            yield Case("maxpool", {"n": results, "k": size * size / out ** 2, "window": 9,
                                   "stride": 4, "width": out},
                       lambda x=x: F.max_pool2d(x, 3, 2, 1), [read, (results * w, 0)])
        yield Case("global_avgpool", {"n": n, "k": size * size, "width": size},
                   lambda x=x: F.adaptive_avg_pool2d(x, 1), [read, (n * w, 0)])


def attention(make):
    if not hasattr(F, "scaled_dot_product_attention"):
        return
    for groups, m, n, k in ATTENTION:
        if not make.wants(4 * groups * m * n * k, groups * n * k):
            continue
        q, key, v = (make.tensor(1, groups, length, k) for length in (m, n, n))
        yield Case("attention", {"groups": groups, "m": m, "n": n, "k": k},
                   lambda q=q, key=key, v=v: F.scaled_dot_product_attention(q, key, v),
                   [(t.numel() * make.width, 0) for t in (q, key, v, q)], 4 * groups * m * n * k)


def launch(make):
    x = make.tensor(1)
    yield Case("launch", {"n": 1}, lambda: x.add_(1.0), [(2 * make.width, 0)], 1)


# What a family is called when not even its operands can be made; most telling first.
FAMILIES = [("launch", launch), ("gemm", products), ("conv", convolutions), ("stream_copy", streams),
            ("relu", elementwise), ("softmax", rows), ("attention", attention), ("maxpool", pools)]


def unsupported(operation, precision, error, sizes=None):
    return {"operation": operation, "precision": precision, **(sizes or {}), "unsupported": True,
            "reason": first_line(error)}


def is_load(case, quick):
    size = QUICK_LOAD if quick else LOAD
    return case.operation == "gemm" and case.entry["m"] == case.entry["n"] == size


def measure_case(bench, precision, case, quick, load):
    """One entry. `load` collects clock and watts under a large product."""
    head = {"operation": case.operation, "precision": precision}
    try:
        t = bench.steady(case.function)
    except RuntimeError as e:  # no kernel for this type, out of memory
        if not bench.is_usable():
            raise DeviceError(f"{case.operation} {precision}: {first_line(e)}") from None
        return unsupported(case.operation, precision, e, case.entry)
    entry = {**head, **case.entry, **t, "bytes_per_s": case.entry["bytes"] / t["time_s"]}
    if case.ops:
        entry["ops_per_s"] = case.ops / t["time_s"]
    if is_load(case, quick):
        e = bench.energy(case.function, t["time_s"])
        if e.get("clock_hz"):
            load.append((e["clock_hz"], e["average_power_w"]))
    print(f"  {case.operation:15} {precision} {case.entry} {t['time_s'] * 1e6:.2f} us",
          file=sys.stderr, flush=True)
    return entry


def measure(bench, precision, options, load, deadline):
    """Entries of one precision. What does not run is an entry too, with the reason."""
    set_precision(precision)
    make = Maker(bench, precision, options.quick, options.channels_last)
    for name, family in FAMILIES:
        try:
            for case in family(make):
                if time.monotonic() > deadline:
                    return
                yield measure_case(bench, precision, case, options.quick, load)
        except RuntimeError as e:  # operands that do not fit into memory
            if isinstance(e, DeviceError):
                raise
            yield unsupported(name, precision, e)
        if bench.cuda:
            torch.cuda.empty_cache()


class Output:
    """The file, whose name tells the clock; written anew as entries come."""

    def __init__(self, bench, options):
        self.bench, self.options, self.path = bench, options, None

    def save(self, entries, load):
        o = self.options
        clocks, watts = sorted(c for c, _ in load), [w for _, w in load]
        clock = clocks[len(clocks) // 2] if clocks else (o.clock_mhz or 0) * 1e6
        if not clock or not entries:
            return
        now = datetime.datetime.now(datetime.timezone.utc)
        result = {"schema_version": 1, "device": o.device_id, "power_mode": o.power_mode,
                  "clock_hz": clock, "framework": "pytorch", "framework_version": torch.__version__,
                  "date": now.strftime("%Y-%m-%dT%H:%M:%S"),
                  "tool": "wattline tools/gpu/calibrate_gpu.py", "tool_version": "2",
                  "host": platform.processor() or platform.machine(),
                  "host_cores": os.cpu_count(), "statistic": "median"}
        if watts:
            result["power_w"] = max(watts)
        if self.bench.gpu is not None:
            result["notes"] = (f"{self.bench.gpu.name()}, driver {self.bench.gpu.driver()}; clock "
                               "and watts under a large product; images in "
                               f"{'channels_last' if o.channels_last else 'NCHW'}")
        result["entries"] = entries
        os.makedirs(o.output, exist_ok=True)
        path = os.path.join(o.output, f"{o.power_mode}_{round(clock / 1e6)}MHz_pytorch.json")
        with open(path + ".part", "w", encoding="utf-8") as f:
            json.dump(result, f, indent=1)
            f.write("\n")
        os.replace(path + ".part", path)
        if self.path not in (None, path):
            os.remove(self.path)
        self.path = path


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device-id", required=True, help="id of the device in the registry")
    parser.add_argument("--power-mode", default="default")
    parser.add_argument("--precisions", default="bf16,fp32,fp16,tf32")
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1; cpu only tries the script")
    parser.add_argument("--clock-mhz", type=float, help="under load, where the driver tells none")
    parser.add_argument("--channels-last", action="store_true", help="images as NHWC")
    parser.add_argument("--quick", action="store_true", help="small sizes only, less time each")
    parser.add_argument("--budget", type=float, default=1e9, help="stop after so many seconds")
    parser.add_argument("--output", required=True, help="folder for the file")
    options = parser.parse_args()
    unknown = set(options.precisions.split(",")) - set(PRECISIONS)
    if unknown:
        parser.error(f"precisions {sorted(unknown)}: {', '.join(PRECISIONS)} are known")
    deadline = time.monotonic() + options.budget
    speed = ({"seconds": 0.01, "warmup_s": 0.01, "window_s": 0.1} if options.quick else
             {"seconds": 0.06, "warmup_s": 0.03})
    bench = Bench(options.device, **speed)
    output, entries, load = Output(bench, options), [], []
    try:
        with torch.inference_mode():
            for precision in options.precisions.split(","):
                for entry in measure(bench, precision, options, load, deadline):
                    entries.append(entry)
                output.save(entries, load)
    finally:
        output.save(entries, load)
    if output.path is None:
        sys.exit("calibrate_gpu: no clock was read under load; say it with --clock-mhz")
    print(output.path)


if __name__ == "__main__":
    try:
        main()
    except (NvmlError, DeviceError) as e:
        sys.exit(f"calibrate_gpu: {e}")
