#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tools/gpu from end to end on a made-up GPU (fake/): what the scripts write loads in wattline."""
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

WATTLINE = os.environ["WATTLINE"]
SOURCE = os.environ["WL_SOURCE_DIR"]
BUILD = os.environ["WL_BUILD_DIR"]
GPU = os.path.join(SOURCE, "tools", "gpu")
LIBRARY = os.path.join(BUILD, "tests", "fake", "libnvidia-ml.so.1")
ID = "nvidia_h100_sxm"
failures = []


def check(condition, message):
    if not condition:
        failures.append(message)


def run(*command, fake="gpus=2,watts=200,step=0.01", want=0, **more):
    environment = {**os.environ, **more, "WL_FAKE_NVML": fake, "OMP_NUM_THREADS": "1"}
    r = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    check(r.returncode == want, f"{command}: exit {r.returncode}: {r.stdout[-800:]}{r.stderr[-800:]}")
    return r.stdout + r.stderr


def run_gpu(folder, script, *arguments, **more):
    return run(sys.executable, script if os.path.isabs(script) else os.path.join(GPU, script),
               *arguments, LD_LIBRARY_PATH=folder,
               PYTHONPATH=os.path.join(SOURCE, "tests", "fake", "cuda"), **more)


def check_all(folder, out):
    arguments = ["--device-id", ID, "--output", out, "--quick", "--energy-seconds", "0.7",
                 "--wattline", WATTLINE, "--budget", "100"]
    text = run_gpu(folder, "run_all.py", *arguments)
    check("check_energy: exit 0" in text, text)
    ratios = re.findall(r"over the Python counter ([\d.]+)", text)
    check(len(ratios) == 2 and all(0.95 < float(r) < 1.05 for r in ratios), text)
    check("operator grid: exit 0" in text and "finished" in text, text)
    with open(os.path.join(out, "ground-truth.json"), encoding="utf-8") as f:
        records = json.load(f)
    check(len(records["records"]) == 4 and all(r["finite"] for r in records["records"]), str(records))
    check(not records["meta"]["failed"], str(records["meta"]))
    for r in records["records"]:
        watts = r["energy_mj_per_inference"] * r["throughput_per_s"] * 1e-3
        check(150 < r["power_w"] < 250 and watts < 400, f"{r['model']}: {r['power_w']} W, {watts}")
    again = run_gpu(folder, "run_all.py", *arguments)
    check("tier 0" not in again and "operator grid" not in again, f"not resumed: {again}")


def check_calibration(out, work):
    """The grid lies where it belongs, is as the registry wants it, and predicts with it."""
    files = glob.glob(os.path.join(out, "default_*MHz_pytorch.json"))
    check(len(files) == 1 and "1980MHz" in files[0], str(files))
    registry = shutil.copytree(os.path.join(SOURCE, "registry"), os.path.join(work, "registry"))
    os.makedirs(os.path.join(registry, "gpu", ID, "calibrations"))
    shutil.copy(files[0], os.path.join(registry, "gpu", ID, "calibrations"))
    run(WATTLINE, "hw", "check", files[0], WATTLINE_REGISTRY=registry)
    text = run(WATTLINE, "analyze", "resnet50", "--hw", ID, "--calibration", "framework=pytorch",
               "--precision", "bf16", "--format", "json", WATTLINE_REGISTRY=registry)
    result = json.loads(text)
    covered = sum(s.get("calibrated_as") is not None for s in result["subgraphs"])
    check(result["basis"]["latency"]["kind"] == "calibrated" or covered, str(result["basis"]))
    check(covered == len(result["subgraphs"]), f"{covered} of {len(result['subgraphs'])} covered")


def check_records(out):
    """tools/evaluate reads every record, where it was built."""
    program = os.path.join(BUILD, "tools", "evaluate", "wattline_evaluate")
    if os.path.exists(program):
        text = run(program, "models", "--data", out, "--format", "csv", "--registry",
                   os.path.join(SOURCE, "registry"), "--models", os.path.join(SOURCE, "models"))
        for word in ("squeezenet1_1,bf16", "t5_small_decoder,bf16", "pytorch-eager",
                     "pytorch-cudagraph"):
            check(text.count(word) == 2, f"{word}: {text}")


def check_meters(folder):
    """GPUs by their place, counters that are missing, captures that fail."""
    program = os.path.join(folder, "meters.py")
    with open(program, "w", encoding="utf-8") as f:
        f.write("import sys\nsys.path.insert(0, %r)\nfrom timing import *\n"
                "from timing import cuda_bus_id\nprint(cuda_bus_id(0))\n"
                "b = Bench(window_s=0.1)\nprint(b.energy(lambda: None, 1e-4).get('basis'))\n"
                "try:\n    b.graph(b.synchronize)\nexcept RuntimeError as e:\n    print(e)\n"
                "print(b.is_usable())\n" % GPU)
    text = run_gpu(folder, program, fake="gpus=2,visible=1,counter=0")
    for word in ("0000:01:00.0", "sampled power", "capturing", "True"):
        check(word in text, f"{word}: {text}")
    check("None" in run_gpu(folder, program, fake="counter=0,power=0"), "no meter, no energy")
    text = run_gpu(folder, "check_energy.py", "--seconds", "0.2", "--settle", "0.1", "--size", "128",
                   fake="counter=0", want=1)
    check("nothing to compare" in text, text)


def main():
    try:
        import torch  # noqa: F401
        import torchvision  # noqa: F401
        import onnx  # noqa: F401
    except ImportError as e:
        print(f"skipped: {e}")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as work:
        for name in ("libnvidia-ml.so.1", "libcuda.so.1"):
            os.symlink(LIBRARY, os.path.join(work, name))
        out = os.path.join(work, "out")
        check_all(work, out)
        check_meters(work)
        check_calibration(out, work)
        check_records(out)
    for failure in failures:
        print("FAIL", failure)
    if not failures:
        print("all as expected")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
