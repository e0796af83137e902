# SPDX-License-Identifier: Apache-2.0
"""Timing and energy of a callable on a GPU (or, to try the scripts out, on the host's CPU).

Latency: warm-up until a second has passed and at least five runs were made, then single runs between two
CUDA events, at least `runs` of them and at least `seconds`. Energy: runs back to back in a window of at
least `window_s` that begins and ends at a step of the driver's energy counter.
"""
import statistics
import time

import torch

from nvml import Gpu, NvmlError, Watch

PRECISIONS = {"fp64": torch.float64, "fp32": torch.float32, "tf32": torch.float32,
              "fp16": torch.float16, "bf16": torch.bfloat16}


def set_precision(precision):
    """fp32 means fp32: TF32 is used only where it is asked for."""
    allow = precision == "tf32"
    torch.backends.cuda.matmul.allow_tf32 = allow
    torch.backends.cudnn.allow_tf32 = allow
    torch.backends.cudnn.benchmark = True


class DeviceError(RuntimeError):
    pass


class Bench:
    def __init__(self, device="cuda", runs=30, seconds=0.5, warmup_s=1.0, window_s=2.0):
        self.device = torch.device(device)
        self.cuda = self.device.type == "cuda"
        self.runs, self.seconds, self.warmup_s, self.window_s = runs, seconds, warmup_s, window_s
        self.gpu = None
        if self.cuda:
            if not torch.cuda.is_available():
                raise DeviceError("this PyTorch finds no CUDA device")
            index = self.device.index or 0
            properties = torch.cuda.get_device_properties(index)
            bus = getattr(properties, "pci_bus_id", None)
            # The order of CUDA and of NVML may differ: by bus where PyTorch tells it.
            self.gpu = (Gpu(index) if bus is None else
                        Gpu(bus_id=f"{getattr(properties, 'pci_domain_id', 0):08x}:{bus:02x}:"
                                   f"{properties.pci_device_id:02x}.0"))

    def synchronize(self):
        if self.cuda:
            torch.cuda.synchronize(self.device)

    def graph(self, function):
        """The callable as a CUDA graph: one launch for all its kernels."""
        side = torch.cuda.Stream(self.device)
        side.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(side):
            for _ in range(3):
                function()
        torch.cuda.current_stream(self.device).wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            function()
        return graph.replay

    def _one(self, function):
        if not self.cuda:
            start = time.perf_counter()
            function()
            return time.perf_counter() - start
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        function()
        end.record()
        end.synchronize()
        return begin.elapsed_time(end) * 1e-3

    def latency(self, function):
        """{time_s (median), min_s, max_s, std_s, warmup_runs, runs}"""
        start, warmup = time.perf_counter(), 0
        while warmup < 5 or time.perf_counter() - start < self.warmup_s:
            function()
            warmup += 1
            if warmup % 5 == 0:
                self.synchronize()
        self.synchronize()
        times, start = [], time.perf_counter()
        while len(times) < self.runs or time.perf_counter() - start < self.seconds:
            times.append(self._one(function))
        return {"time_s": statistics.median(times), "min_s": min(times), "max_s": max(times),
                "std_s": statistics.pstdev(times), "warmup_runs": warmup, "runs": len(times)}

    def energy(self, function, time_s):
        """{energy_j per run, average_power_w, clock_hz, temperature_c, window_s}, {} without a meter."""
        if self.gpu is None:
            return {}
        batch = max(1, int(0.05 / max(time_s, 1e-6)))  # some 50 ms of work queued at a time
        done, deadline = 0, time.perf_counter() + 0.5
        while time.perf_counter() < deadline:  # power settles
            function()
            self.synchronize()
        with Watch(self.gpu) as watch:
            start, joules = self._step(function)
            while time.perf_counter() - start < self.window_s:
                for _ in range(batch):
                    function()
                done += batch
                self.synchronize()
            end, last, extra = self._step_counting(function)
        seconds, energy = end - start, last - joules
        return {"energy_j": energy / (done + extra), "average_power_w": energy / seconds,
                "clock_hz": watch.median(1), "temperature_c": watch.median(3),
                "window_s": seconds, "sampled_energy_j": watch.joules()}

    def _step(self, function):
        """A step of the counter, with the GPU kept busy until then."""
        when, joules, _ = self._step_counting(function)
        return when, joules

    def _step_counting(self, function, timeout_s=1.0):
        before, count, deadline = self.gpu.energy_j(), 0, time.perf_counter() + timeout_s
        while True:
            function()
            self.synchronize()
            count += 1
            now, joules = time.perf_counter(), self.gpu.energy_j()
            if joules != before or now > deadline:
                return now, joules, count


__all__ = ["Bench", "DeviceError", "Gpu", "NvmlError", "PRECISIONS", "Watch", "set_precision"]
