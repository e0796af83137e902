# SPDX-License-Identifier: Apache-2.0
"""Timing and energy of a callable on a GPU (or, to try the scripts out, on the host's CPU).

Latency: warm-up until `warmup_s` have passed and at least five runs were made, then single runs between two
CUDA events, at least `runs` of them and at least `seconds`; the launch on the host is part of it. Steady: many
runs between two events, so that launches of the host overlap with the work before, as between the kernels of a
network. Energy: runs back to back in a window of at least `window_s` that begins and ends at a step of the
driver's energy counter; without a counter the sampled power is integrated.
"""
import statistics
import time
import warnings

import torch

from nvml import Gpu, NvmlError, Watch, cuda_bus_id

PRECISIONS = {"fp64": torch.float64, "fp32": torch.float32, "tf32": torch.float32,
              "fp16": torch.float16, "bf16": torch.bfloat16}
QUEUE_S = 0.05   # of work queued at a time while energy is measured
GROUP_S = 0.002  # of work between two events, and between two looks at the energy counter
SETTLE_S = 0.3   # until power and clock are those of the work


def set_precision(precision):
    """fp32 means fp32: TF32 is used only where it is asked for. The switches that all versions of
    PyTorch have; never mixed with those that 2.9 added, which would be an error."""
    allow = precision == "tf32"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 2.9 and newer announce their end
        try:
            torch.backends.cuda.matmul.allow_tf32 = allow
            torch.backends.cudnn.allow_tf32 = allow
        except (AttributeError, RuntimeError):
            mode = "tf32" if allow else "ieee"
            torch.backends.cuda.matmul.fp32_precision = mode
            torch.backends.cudnn.conv.fp32_precision = mode
            torch.backends.cudnn.rnn.fp32_precision = mode
    torch.backends.cudnn.benchmark = True


def first_line(error):
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


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
                raise DeviceError(f"PyTorch {torch.__version__} finds no CUDA device")
            index = self.device.index or 0
            torch.cuda.set_device(index)  # events, streams and graphs are those of the current one
            self.device = torch.device("cuda", index)
            bus = cuda_bus_id(index)
            try:
                self.gpu = Gpu(index) if bus is None else Gpu(bus_id=bus)
            except NvmlError as e:
                raise DeviceError(f"the GPU runs, but NVML does not: {e}") from None

    def synchronize(self):
        if self.cuda:
            torch.cuda.synchronize()

    def is_usable(self):
        """False after an error that only a new process gets over."""
        try:
            self.synchronize()
            torch.zeros(1, device=self.device)
            return True
        except RuntimeError:
            return False

    def graph(self, function):
        """The callable as a CUDA graph: one launch for all its kernels. Holds its memory as long as
        the result lives."""
        current, side = torch.cuda.current_stream(), torch.cuda.Stream()
        with torch.cuda.stream(current):  # a capture that fails must not leave its stream behind
            side.wait_stream(current)
            with torch.cuda.stream(side):
                for _ in range(3):
                    function()
            current.wait_stream(side)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                function()
        graph.replay()
        self.synchronize()
        return graph.replay

    def _between_events(self, function, count=1):
        """Seconds of `count` runs."""
        if not self.cuda:
            start = time.perf_counter()
            for _ in range(count):
                function()
            return time.perf_counter() - start
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        for _ in range(count):
            function()
        end.record()
        end.synchronize()
        return begin.elapsed_time(end) * 1e-3

    def _warm_up(self, function):
        start, count = time.perf_counter(), 0
        while count < 5 or time.perf_counter() - start < self.warmup_s:
            function()
            count += 1
            if count % 5 == 0:
                self.synchronize()
        self.synchronize()
        return count

    def _repeat(self, one, runs):
        times, start = [], time.perf_counter()
        while len(times) < runs or time.perf_counter() - start < self.seconds:
            times.append(one())
            if time.perf_counter() - start > 10 * self.seconds and len(times) >= 3:
                break
        return {"time_s": statistics.median(times), "min_s": min(times), "max_s": max(times),
                "std_s": statistics.pstdev(times)}, len(times)

    def latency(self, function):
        """{time_s (median), min_s, max_s, std_s, warmup_runs, runs} of single runs"""
        warmup = self._warm_up(function)
        result, count = self._repeat(lambda: self._between_events(function), self.runs)
        return {**result, "warmup_runs": warmup, "runs": count}

    def steady(self, function):
        """{time_s (median), min_s, max_s, std_s, runs} of a run among others; groups of runs"""
        self._warm_up(function)
        group = group_of(self._between_events(function, 5) / 5, GROUP_S)
        result, count = self._repeat(lambda: self._between_events(function, group) / group, 5)
        return {**result, "runs": count * group}

    def energy(self, function, time_s):
        """{energy_j per run, average_power_w, clock_hz, temperature_c, window_s, basis,
        sampled_ratio}; {} without a meter."""
        if self.gpu is None or self.gpu.energy_j() is None and self.gpu.power_w() is None:
            return {}
        queue = group_of(time_s, QUEUE_S)
        self._run_for(function, queue, min(SETTLE_S, self.window_s))
        with Watch(self.gpu) as watch:
            _, start, first = self._until_step(function, time_s)
            done = self._run_for(function, queue, self.window_s)
            more, end, last = self._until_step(function, time_s)
        done += more
        sampled_w = watch.watts(start, end)
        counted = first is not None and last > first
        if not counted and sampled_w is None:
            return {}
        joules = last - first if counted else sampled_w * (end - start)
        result = {"energy_j": joules / done, "average_power_w": joules / (end - start),
                  "clock_hz": watch.median(1), "temperature_c": watch.median(3),
                  "window_s": end - start,
                  "basis": "energy counter" if counted else "sampled power"}
        if counted and sampled_w is not None:
            result["sampled_ratio"] = sampled_w * (end - start) / joules
        return result

    def _run_for(self, function, queue, seconds):
        """Runs of the stretch."""
        done, start = 0, time.perf_counter()
        while time.perf_counter() - start < seconds:
            for _ in range(queue):
                function()
            self.synchronize()
            done += queue
        return done

    def _until_step(self, function, time_s, timeout_s=1.0):
        """Runs until the counter moves: (runs, time, joules)."""
        few, done = group_of(time_s, GROUP_S), 0
        before, start = self.gpu.energy_j(), time.perf_counter()
        while True:
            for _ in range(few):
                function()
            self.synchronize()
            done += few
            now, joules = time.perf_counter(), self.gpu.energy_j()
            if joules is None or joules != before or now - start > timeout_s:
                return done, now, joules


def group_of(time_s, seconds):
    """Runs that take so long together."""
    return min(max(1, int(seconds / max(time_s, 1e-6))), 10000)


__all__ = ["Bench", "DeviceError", "Gpu", "NvmlError", "PRECISIONS", "Watch", "first_line",
           "set_precision"]
