#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sweeps the batch size of a model on some devices and draws throughput and energy from the CSV: with
matplotlib where it is installed (PNG), else as text.

    batch_sweep.py [MODEL] [DEVICE,DEVICE...] [PRECISION] [OUTPUT_PREFIX]
"""
import csv
import os
import subprocess
import sys

WATTLINE = os.environ.get("WATTLINE", "wattline")
BATCHES = "1,2,4,8,16,32,64,128,256"


def sweep(model, devices, precision, path):
    subprocess.run([WATTLINE, "sweep", model, "--hw", devices, "--batch", BATCHES,
                    "--precision", precision, "--output", path, "--quiet"], check=True)
    series, failed = {}, {}
    with open(path, newline="") as f:
        for row in csv.DictReader(f):
            if row["error"]:
                failed[row["hardware"]] = row["error"]
                continue
            series.setdefault(row["hardware"], []).append(
                (int(row["batch"]), float(row["throughput_per_s"]),
                 float(row["energy_per_inference_j"]), row["fits_memory"] == "1"))
    return series, failed


def draw_text(series, column, title, scale):
    """One bar per batch, on a scale that all devices share."""
    most = max(point[column] for points in series.values() for point in points)
    print(f"\n{title}")
    for device, points in series.items():
        print(f"  {device}")
        for point in points:
            bar = "#" * max(1, round(50 * point[column] / most))
            note = "" if point[3] else "  does not fit into memory"
            print(f"  {point[0]:6d}  {point[column] * scale:10.4g}  {bar}{note}")


def draw_picture(plt, series, model, path):
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4))
    for device, points in series.items():
        batches = [p[0] for p in points]
        left.plot(batches, [p[1] for p in points], marker="o", label=device)
        right.plot(batches, [1e3 * p[2] for p in points], marker="o", label=device)
    for axes, title in ((left, "inferences per second"), (right, "mJ per inference")):
        axes.set(xscale="log", yscale="log", xlabel="batch", title=title)
        axes.set_xscale("log", base=2)
        axes.grid(True, which="both", alpha=0.3)
    left.legend()
    figure.suptitle(model)
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    print(f"wrote {path}")


def main(model="resnet50", devices="a100,orin_agx,8490h", precision="native", prefix="batch-sweep"):
    series, failed = sweep(model, devices, precision, prefix + ".csv")
    for device, reason in failed.items():
        print(f"{device} is left out: {reason}")
    if not series:
        return 1
    try:
        import matplotlib
        matplotlib.use("Agg")
        import matplotlib.pyplot as plt
    except ImportError:
        draw_text(series, 1, f"{model}: inferences per second", 1)
        draw_text(series, 2, f"{model}: mJ per inference", 1e3)
        return 0
    draw_picture(plt, series, model, prefix + ".png")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:5]))
