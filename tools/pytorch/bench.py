#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs torchvision networks in PyTorch on the CPU and says how long they took.

The first line of standard output is {"version"} or {"error"}; then jobs come as JSON lines on standard
input, and each is answered by a line, as with tools/ort/bench.mjs:

  job     {"model": torchvision name, "threads", "dims": {"N": batch}, "seconds", "min_runs", "mode"}
  result  {"version", "wall_s": [...]} or {"error"}

mode "frozen" (the default) traces, freezes and optimises for inference: batch normalisation is folded
into convolutions, as in ONNX files, and oneDNN keeps blocks of channels between the operators that it
has. "eager" is the plain module. Weights are random: times do not depend on them.
"""
import json
import os
import sys
import time
import warnings

warnings.filterwarnings("ignore")
# PyTorch's thread count does not reach OpenBLAS, whose threads of its own then wait for the cores on
# which OpenMP's spin: times jump between two figures. One thread, unless the caller says otherwise.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
try:
    import torch
    import torchvision
except ImportError as error:
    print(json.dumps({"error": f"{error}; apt-get install python3-torch python3-torchvision, and "
                               "WATTLINE_PYTHON=/usr/bin/python3 where another Python comes first"}))
    sys.exit(1)

WARMUPS_MAX = 10
RESOLUTION = {"inception_v3": 299}


def image_size(name):
    return RESOLUTION.get(name, 224)


def build(name):
    extra = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    constructor = getattr(torchvision.models, name, None)
    if constructor is None:
        raise ValueError(f"torchvision has no model {name}")
    return constructor(weights=None, **extra).eval()


def prepare(model, image, mode):
    if mode == "eager":
        return model
    frozen = torch.jit.freeze(torch.jit.trace(model, image, strict=False))
    return torch.jit.optimize_for_inference(frozen)


def timed(model, image):
    start = time.perf_counter()
    model(image)
    return time.perf_counter() - start


def warm(model, image):
    """At least two runs, then until a run is no longer much slower than the fastest."""
    fastest = timed(model, image)
    for _ in range(WARMUPS_MAX):
        took = timed(model, image)
        if took < 1.05 * fastest:
            return
        fastest = min(fastest, took)


def execute(job):
    torch.set_num_threads(job.get("threads", 1))
    size = image_size(job["model"])
    image = torch.rand(job.get("dims", {}).get("N", 1), 3, size, size)
    with torch.no_grad():
        model = prepare(build(job["model"]), image, job.get("mode", "frozen"))
        warm(model, image)
        wall_s, start = [], time.perf_counter()
        while len(wall_s) < job.get("min_runs", 5) or time.perf_counter() - start < job["seconds"]:
            wall_s.append(timed(model, image))
    return {"version": torch.__version__, "wall_s": wall_s}


def main():
    print(json.dumps({"version": torch.__version__}), flush=True)
    for line in sys.stdin:
        if not line.strip():
            continue
        job = json.loads(line)
        try:
            result = execute(job)
        except Exception as error:  # the next job may work
            result = {"error": str(error).split("\n")[0]}
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
