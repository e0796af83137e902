# SPDX-License-Identifier: Apache-2.0
"""The few calls of NVIDIA's management library that these scripts need, by ctypes."""
import ctypes
import threading
import time

CLOCK_SM, CLOCK_MEMORY, TEMPERATURE_GPU = 1, 2, 0
FIELD_POWER_INSTANT = 186


class _Field(ctypes.Structure):
    class _Value(ctypes.Union):
        _fields_ = [("d", ctypes.c_double), ("u", ctypes.c_uint), ("ul", ctypes.c_ulong),
                    ("ull", ctypes.c_ulonglong), ("sll", ctypes.c_longlong), ("i", ctypes.c_int)]

    _fields_ = [("id", ctypes.c_uint), ("scope", ctypes.c_uint), ("timestamp", ctypes.c_longlong),
                ("latency", ctypes.c_longlong), ("kind", ctypes.c_uint), ("status", ctypes.c_int),
                ("value", _Value)]


class NvmlError(RuntimeError):
    pass


class Gpu:
    """One GPU, found by its PCI bus id or its index."""

    def __init__(self, index=0, bus_id=None):
        try:
            self._lib = ctypes.CDLL("libnvidia-ml.so.1")
        except OSError as e:
            raise NvmlError(f"no NVIDIA driver: {e}") from None
        self._lib.nvmlErrorString.restype = ctypes.c_char_p
        self._check(self._lib.nvmlInit_v2())
        self._device = ctypes.c_void_p()
        if bus_id is None:
            self._check(self._lib.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(self._device)))
        else:
            self._check(self._lib.nvmlDeviceGetHandleByPciBusId_v2(bus_id.encode(),
                                                                   ctypes.byref(self._device)))

    def _check(self, code):
        if code != 0:
            raise NvmlError(self._lib.nvmlErrorString(code).decode())

    def _text(self, function, *arguments):
        out = ctypes.create_string_buffer(128)
        self._check(function(*arguments, out, 128))
        return out.value.decode()

    def _number(self, function, *arguments, kind=ctypes.c_uint):
        out = kind()
        self._check(function(self._device, *arguments, ctypes.byref(out)))
        return out.value

    def name(self):
        return self._text(self._lib.nvmlDeviceGetName, self._device)

    def driver(self):
        return self._text(self._lib.nvmlSystemGetDriverVersion)

    def energy_j(self):
        return self._number(self._lib.nvmlDeviceGetTotalEnergyConsumption,
                            kind=ctypes.c_ulonglong) * 1e-3

    def power_w(self):
        """The moment's power where the driver tells it, else what nvidia-smi shows."""
        field = _Field(id=FIELD_POWER_INSTANT)
        code = self._lib.nvmlDeviceGetFieldValues(self._device, 1, ctypes.byref(field))
        if code == 0 and field.status == 0:
            return field.value.u * 1e-3
        return self._number(self._lib.nvmlDeviceGetPowerUsage) * 1e-3

    def power_limit_w(self):
        return self._number(self._lib.nvmlDeviceGetEnforcedPowerLimit) * 1e-3

    def clock_hz(self, which=CLOCK_SM):
        return self._number(self._lib.nvmlDeviceGetClockInfo, which) * 1e6

    def temperature_c(self):
        return self._number(self._lib.nvmlDeviceGetTemperature, TEMPERATURE_GPU)

    def next_energy_step(self, timeout_s=1.0):
        """Waits for the counter to move, so that a window begins at one of its steps: (time, joules)."""
        before, deadline = self.energy_j(), time.perf_counter() + timeout_s
        while True:
            now, joules = time.perf_counter(), self.energy_j()
            if joules != before or now > deadline:
                return now, joules


class Watch:
    """Reads clock, power and temperature every `interval_s` in a thread, while its block runs."""

    def __init__(self, gpu, interval_s=0.05):
        self._gpu, self._interval_s = gpu, interval_s
        self._stop = threading.Event()
        self.rows = []  # (time, sm clock, watts, celsius)

    def _run(self):
        due = time.perf_counter()
        while not self._stop.is_set():
            self.rows.append((time.perf_counter(), self._gpu.clock_hz(), self._gpu.power_w(),
                              self._gpu.temperature_c()))
            due += self._interval_s
            self._stop.wait(max(0.0, due - time.perf_counter()))

    def __enter__(self):
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exception):
        self._stop.set()
        self._thread.join()

    def median(self, column):
        values = sorted(row[column] for row in self.rows)
        return values[len(values) // 2] if values else None

    def joules(self):
        """The trapezoid over the sampled power."""
        return sum((b[0] - a[0]) * (a[2] + b[2]) / 2 for a, b in zip(self.rows, self.rows[1:]))
