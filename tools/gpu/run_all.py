#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""All GPU measurements in one command, in order of value, within a budget of seconds:

    python3 tools/gpu/run_all.py --device-id nvidia_h100_sxm --budget 540 --output DIR

facts of the machine; the energy counter against integrated power, beside it `wattline measure`; the operator
grid; zoo models, eager and as CUDA graphs, with energy. Files are written as they come; started again on the
same folder, it goes on where it was. Settings of the GPU are read, never changed. Without PyTorch it does what
NVML alone allows, and says so.
"""
import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import threading
import time

from nvml import LIBRARIES, Gpu, NvmlError, Watch

HERE = os.path.dirname(os.path.abspath(__file__))
LOST = 3  # measure_zoo: a new process may go on
# Models, precisions, batches, more options; each row is one process.
CORE = "resnet50,bert_base,llama_1b_decode,vit_b_16,mobilenet_v2,gpt2"
WIDE = ("resnet18,vgg16,efficientnet_b0,densenet121,convnext_tiny,swin_t,unet_diffusion,"
        "whisper_base_encoder,gpt2_decode,t5_small_encoder,resnext50_32x4d,regnet_x_400mf")
TIERS = [(CORE, "fp16,fp32", "1,32"),
         ("llama_8b_decode", "bf16", "1,32"),
         (WIDE, "fp16", "1,32"),
         (CORE, "tf32,bf16", "1,32"),
         ("resnet50,mobilenet_v2", "fp16", "1,32", "--channels-last"),
         (CORE, "fp32,tf32,fp16,bf16", "8,128"),
         (WIDE, "fp32,bf16", "1,32"),
         ("lstm_lm,clip_vit_b_32,detector_s,vgg11,resnet101,vit_l_16", "fp16", "1,32")]
QUICK_TIERS = [("squeezenet1_1,t5_small_decoder", "bf16", "2")]


class Run:
    def __init__(self, options):
        self.o, self.start = options, time.monotonic()
        self.done_path = self.file("done.json")
        self.done = json.load(open(self.done_path)) if os.path.exists(self.done_path) else []

    def file(self, name):
        return os.path.join(self.o.output, name)

    def left(self):
        return self.o.budget - (time.monotonic() - self.start)

    def say(self, text):
        print(f"[{time.monotonic() - self.start:5.0f} s] {text}", flush=True)

    def finish(self, step):
        self.done.append(step)
        with open(self.done_path, "w", encoding="utf-8") as f:
            json.dump(self.done, f)

    def save(self, name, value):
        with open(self.file(name), "w", encoding="utf-8") as f:
            json.dump(value, f, indent=1)
            f.write("\n")

    def script(self, name, *arguments):
        return [sys.executable, os.path.join(HERE, name), *arguments]

    def call(self, command, limit_s):
        """Exit code; what is still running when the time is over is ended."""
        try:
            return subprocess.run(command, timeout=max(limit_s, 1)).returncode
        except subprocess.TimeoutExpired:
            self.say(f"{os.path.basename(command[1])}: out of time, ended")
            return 124


# ---- the program beside the scripts -------------------------------------------------------------


def wattline(run, *arguments):
    """The command and its environment: libraries that lie beside the program in lib/ are found."""
    beside = os.path.join(os.path.dirname(os.path.abspath(run.o.wattline)), "lib")
    paths = [beside, os.environ.get("LD_LIBRARY_PATH", ""), *(os.path.dirname(p) for p in LIBRARIES)]
    environment = {**os.environ, "LD_LIBRARY_PATH": ":".join(p for p in paths if p)}
    return [run.o.wattline, *arguments], environment


def wattline_works(run):
    command, environment = wattline(run, "measure", "--sources", "--only", "nvml")
    try:
        r = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired) as e:
        run.say(f"wattline does not run here: {e}")
        return False
    if r.returncode != 0 or "gpu-0" not in r.stdout:
        lines = (r.stderr + r.stdout).strip().splitlines() or ["no output"]
        run.say(f"wattline measures no GPU here: {lines[0]}")
        return False
    return True


def start_wattline(run, seconds):
    command, environment = wattline(run, "measure", "--only", "nvml", "--interval", "50ms",
                                    "--seconds", f"{seconds:g}", "--format", "json", "--output",
                                    run.file("energy_wattline.json"))
    return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL)


def compare(run, beside, counter_w):
    """Watts of `wattline measure` against those of the counter read in Python."""
    if beside is None:
        return
    try:
        beside.wait(timeout=20)
        with open(run.file("energy_wattline.json"), encoding="utf-8") as f:
            sources = json.load(f)["sources"]
    except (OSError, ValueError, KeyError, subprocess.TimeoutExpired) as e:
        beside.kill()
        run.say(f"wattline measure left no report: {e}")
        return
    for s in sources:
        watts = s["average_power_w"] or 0
        run.say(f"wattline {s['name']}: {watts:.2f} W, {s['energy_j']} J, {s['note']}; over the "
                f"Python counter {watts / counter_w if counter_w else 0:.4f}")


# ---- steps --------------------------------------------------------------------------------------


def host_facts():
    model = ""
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as f:
            model = next((line.split(":")[1].strip() for line in f if "model name" in line), "")
    return {"host": model or platform.machine(), "host_cores": os.cpu_count(),
            "kernel": platform.release(), "python": platform.python_version()}


TORCH_FACTS = """
import json, sys, torch
sys.path.insert(0, sys.argv[1])
from timing import set_precision
r = {"torch": torch.__version__, "cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version(),
     "cuda_available": torch.cuda.is_available()}
if r["cuda_available"]:
    a = torch.randn(1024, 1024, device=sys.argv[2])
    exact = a.double() @ a.double()
    for p in ("fp32", "tf32"):  # 1e-6 and 3e-4 where the switches work
        set_precision(p)
        r["error_" + p] = float(((a @ a).double() - exact).norm() / exact.norm())
print(json.dumps(r))
"""


def torch_facts(run):
    command = [sys.executable, "-c", TORCH_FACTS, HERE, run.o.device]
    r = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if r.returncode != 0:
        return {"torch_error": (r.stderr.strip().splitlines() or ["no message"])[-1][:300]}
    return json.loads(r.stdout.strip().splitlines()[-1])


def facts(run):
    """Whether PyTorch can use the GPU."""
    try:
        gpu = Gpu().facts()
    except NvmlError as e:
        gpu = {"nvml_error": str(e)}
    found = {**host_facts(), **gpu, **torch_facts(run)}
    run.save("facts.json", found)
    for key, value in found.items():
        print(f"    {key:22} {value}", flush=True)
    if found.get("cuda_available"):
        return True
    reason = found.get("torch_error") or "it finds no CUDA device"
    run.say(f"no PyTorch for {sys.executable} that can use the GPU ({reason}): no load, no operator "
            "grid, no models; NVML alone follows")
    return False


def energy(run, works):
    seconds = run.o.energy_seconds
    command = run.script("check_energy.py", "--device", run.o.device, "--seconds", str(seconds),
                         "--json", run.file("energy.json"), *(["--size", "256", "--settle", "0.1"]
                                                              if run.o.quick else []))
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    timer = threading.Timer(seconds + 90, process.kill)
    timer.start()
    beside = None
    for line in process.stderr:
        sys.stderr.write(line)
        if works and line.startswith("load begins"):
            beside = start_wattline(run, max(seconds - 0.5, 0.5))
    code = process.wait()
    timer.cancel()
    run.say(f"check_energy: exit {code} (0: counter and integrated power agree within 5 %)")
    if os.path.exists(run.file("energy.json")):
        with open(run.file("energy.json"), encoding="utf-8") as f:
            r = json.load(f)
        compare(run, beside, (r["counter_j"] or 0) / r["seconds"])


def nvml_alone(run, works):
    """The idle machine: the counter against integrated power, and `wattline measure` beside it."""
    seconds = run.o.energy_seconds
    try:
        gpu = Gpu()
    except NvmlError as e:
        run.say(f"no NVML either: {e}; nothing can be measured")
        return
    beside = start_wattline(run, seconds) if works else None
    with Watch(gpu, 0.02) as watch:
        start, first = time.perf_counter(), gpu.energy_j()
        time.sleep(seconds)
        end, last = time.perf_counter(), gpu.energy_j()
    counted = None if first is None or last is None else (last - first) / (end - start)
    result = {"seconds": end - start, "counter_w": counted, "sampled_w": watch.watts(start, end)}
    run.save("energy_idle.json", result)
    run.say(f"idle: {result}")
    compare(run, beside, counted)
    run.say("missing: a load on the GPU; any CUDA or OpenCL program beside `wattline measure "
            "--only nvml` would be one")


def calibrate(run):
    limit = min(run.o.grid_seconds, run.left() - 20)
    quick = ["--quick", "--precisions", "bf16"] if run.o.quick else []
    code = run.call(run.script("calibrate_gpu.py", "--device-id", run.o.device_id, "--device",
                               run.o.device, "--budget", f"{limit:.0f}", "--output", run.o.output,
                               *quick), limit + 60)
    run.say(f"operator grid: exit {code}")
    return code == 0


def models(run):
    quick = ["--window", "0.1", "--seconds", "0.02", "--warmup", "0.02"] if run.o.quick else []
    for number, (names, precisions, batches, *more) in enumerate(QUICK_TIERS if run.o.quick
                                                                 else TIERS):
        step = f"tier {number}"
        for _ in range(4):
            if step in run.done or run.left() < 25:
                break
            run.say(f"{step}: {precisions} x {batches} of {names} {' '.join(more)}")
            code = run.call(run.script(
                "measure_zoo.py", "--device-id", run.o.device_id, "--device", run.o.device,
                "--models", names, "--precisions", precisions, "--batches", batches, "--budget",
                f"{run.left() - 10:.0f}", "--output", run.file("ground-truth.json"), *quick, *more),
                run.left())
            if code == 0 and run.left() > 25:
                run.finish(step)
            elif code != LOST:
                run.say(f"{step}: exit {code}")
                break


def attempt(run, name, step, *arguments):
    """What fails must not cost the steps after it."""
    run.say(name)
    try:
        return step(run, *arguments)
    except Exception as e:
        run.say(f"{name}: {type(e).__name__}: {e}")
        return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device-id", required=True, help="id of the device in the registry")
    parser.add_argument("--output", required=True, help="folder for the files")
    parser.add_argument("--budget", type=float, default=540, help="seconds for everything")
    parser.add_argument("--grid-seconds", type=float, default=150, help="for the operator grid")
    parser.add_argument("--energy-seconds", type=float, default=30)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--wattline", default=shutil.which("wattline") or os.path.join(
        HERE, "..", "..", "build", "release", "wattline"))
    parser.add_argument("--quick", action="store_true", help="tries itself out on small sizes")
    options = parser.parse_args()
    os.makedirs(options.output, exist_ok=True)
    run = Run(options)
    usable = attempt(run, "facts", facts)
    works = attempt(run, "wattline and NVML", wattline_works)
    if not usable:
        attempt(run, "the idle GPU", nvml_alone, works)
        sys.exit(2)
    if "energy" not in run.done:
        attempt(run, "energy counter against integrated power", energy, works)
        run.finish("energy")
    if "grid" not in run.done and attempt(run, "operators", calibrate):
        run.finish("grid")
    attempt(run, "models", models)
    run.say(f"finished; files in {run.o.output}: {', '.join(sorted(os.listdir(run.o.output)))}")


if __name__ == "__main__":
    main()
