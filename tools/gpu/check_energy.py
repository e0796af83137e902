#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the driver's energy counter against its own power readings, integrated over steady products.

    python3 check_energy.py --seconds 30

exits with 1 when they differ by more than 5 %. The same region measured by wattline:

    wattline measure --only nvml --interval 50ms -- python3 check_energy.py --seconds 30
"""
import argparse
import sys
import time

import torch

from timing import Bench, DeviceError, NvmlError, Watch

TOLERANCE = 0.05


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--size", type=int, default=8192)
    parser.add_argument("--device", default="cuda")
    options = parser.parse_args()
    bench = Bench(options.device)
    a = torch.randn(options.size, options.size, device=bench.device, dtype=torch.bfloat16)
    out = torch.empty_like(a)
    deadline = time.perf_counter() + 3.0
    while time.perf_counter() < deadline:  # clock and temperature settle
        torch.matmul(a, a, out=out)
        torch.cuda.synchronize()
    runs = 0
    with Watch(bench.gpu, 0.02) as watch:
        start, first = time.perf_counter(), bench.gpu.energy_j()
        while time.perf_counter() - start < options.seconds:
            for _ in range(10):
                torch.matmul(a, a, out=out)
            runs += 10
            torch.cuda.synchronize()
        end, last = time.perf_counter(), bench.gpu.energy_j()
    counter, integral = last - first, watch.joules()
    flops = 2.0 * options.size ** 3 * runs
    print(f"{bench.gpu.name()}: {end - start:.2f} s, counter {counter:.1f} J "
          f"({counter / (end - start):.1f} W), power integrated {integral:.1f} J, "
          f"ratio {integral / counter:.4f}; {flops / (end - start) * 1e-12:.1f} TFLOP/s, "
          f"{flops / counter * 1e-12:.3f} TFLOPS/W, clock {watch.median(1) * 1e-6:.0f} MHz")
    sys.exit(0 if abs(integral / counter - 1.0) <= TOLERANCE else 1)


if __name__ == "__main__":
    try:
        main()
    except (NvmlError, DeviceError) as e:
        sys.exit(f"check_energy: {e}")
