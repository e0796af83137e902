#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the driver's energy counter against its own power readings, integrated over steady products.

    python3 check_energy.py --seconds 30

exits with 1 when they differ by more than 5 %. --json FILE keeps the figures and all samples. The same region
measured by wattline, beside it:

    wattline measure --only nvml --interval 50ms --seconds 30
"""
import argparse
import json
import sys
import time

import torch

from timing import Bench, DeviceError, NvmlError, Watch, set_precision

TOLERANCE = 0.05


def load(bench, a, out, seconds):
    """Products until the time is over; how many."""
    runs, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        for _ in range(10):
            torch.matmul(a, a, out=out)
        runs += 10
        bench.synchronize()
    return runs


def measure(bench, options):
    a = torch.randn(options.size, options.size, device=bench.device).to(torch.bfloat16)
    out = torch.empty_like(a)
    load(bench, a, out, options.settle)  # clock and temperature
    with Watch(bench.gpu, 0.02) as watch:
        print(f"load begins at {time.time():.3f}", file=sys.stderr, flush=True)
        start, first = time.perf_counter(), bench.gpu.energy_j()
        runs = load(bench, a, out, options.seconds)
        end, last = time.perf_counter(), bench.gpu.energy_j()
    seconds, watts = end - start, watch.watts(start, end)
    counter = None if first is None or last is None else last - first
    flops = 2.0 * options.size ** 3 * runs
    return {**bench.gpu.facts(), "seconds": seconds, "counter_j": counter,
            "sampled_j": None if watts is None else watts * seconds,
            "clock_hz": watch.median(1), "tflops": flops / seconds * 1e-12,
            "throttle_reasons": bench.gpu.throttle_reasons(), "flops": flops,
            "samples": [[round(r[0] - start, 4), *r[1:]] for r in watch.rows]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--settle", type=float, default=3.0, help="seconds of load before")
    parser.add_argument("--size", type=int, default=8192)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--json", help="file for the figures")
    options = parser.parse_args()
    bench = Bench(options.device)
    if bench.gpu is None:
        parser.error("only a GPU has an energy counter")
    set_precision("fp32")
    with torch.inference_mode():
        r = measure(bench, options)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as f:
            json.dump(r, f)
            f.write("\n")
    counter, sampled = r["counter_j"], r["sampled_j"]
    head = f"{r['gpu']}: {r['seconds']:.2f} s at {r['tflops']:.1f} TFLOP/s, "
    if not counter or sampled is None:
        sys.exit(f"check_energy: {head}nothing to compare: counter {counter} J, sampled {sampled} J")
    print(f"{head}counter {counter:.1f} J ({counter / r['seconds']:.1f} W), power integrated "
          f"{sampled:.1f} J, ratio {sampled / counter:.4f}; {r['flops'] / counter * 1e-12:.3f} "
          f"TFLOPS/W, clock {(r['clock_hz'] or 0) * 1e-6:.0f} MHz, {r['temperature_c']} C")
    sys.exit(0 if abs(sampled / counter - 1.0) <= TOLERANCE else 1)


if __name__ == "__main__":
    try:
        main()
    except (NvmlError, DeviceError) as e:
        sys.exit(f"check_energy: {e}")
