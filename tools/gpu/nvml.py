# SPDX-License-Identifier: Apache-2.0
"""The few calls of NVIDIA's management library that these scripts need, by ctypes: readings only, nothing
is ever set. What a GPU or a driver does not tell is None."""
import ctypes
import threading
import time

CLOCK_SM, CLOCK_MEMORY, TEMPERATURE_GPU = 1, 2, 0
FIELD_POWER_INSTANT = 186
# The second is where container images keep the driver's libraries.
LIBRARIES = ["libnvidia-ml.so.1", "/usr/local/nvidia/lib64/libnvidia-ml.so.1"]
VALUE_KINDS = "d", "u", "ul", "ull", "sll", "i"  # nvmlValueType_t


class _Field(ctypes.Structure):
    """nvmlFieldValue_t"""
    class _Value(ctypes.Union):
        _fields_ = [("d", ctypes.c_double), ("u", ctypes.c_uint), ("ul", ctypes.c_ulong),
                    ("ull", ctypes.c_ulonglong), ("sll", ctypes.c_longlong), ("i", ctypes.c_int)]

    _fields_ = [("id", ctypes.c_uint), ("scope", ctypes.c_uint), ("timestamp", ctypes.c_longlong),
                ("latency", ctypes.c_longlong), ("kind", ctypes.c_uint), ("status", ctypes.c_int),
                ("value", _Value)]


class NvmlError(RuntimeError):
    pass


def load(names):
    for name in names:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    return None


def cuda_bus_id(ordinal):
    """PCI bus id of a CUDA device: CUDA and NVML may count differently (CUDA_VISIBLE_DEVICES,
    CUDA_DEVICE_ORDER). None where the driver does not tell."""
    cuda = load(["libcuda.so.1"])
    if cuda is None:
        return None
    device, text = ctypes.c_int(), ctypes.create_string_buffer(32)
    if (cuda.cuInit(0) != 0 or cuda.cuDeviceGet(ctypes.byref(device), ordinal) != 0 or
            cuda.cuDeviceGetPCIBusId(text, len(text), device) != 0):
        return None
    return text.value.decode()


class Gpu:
    """One GPU, found by its PCI bus id or its index."""

    def __init__(self, index=0, bus_id=None):
        self._lib = load(LIBRARIES)
        if self._lib is None:
            raise NvmlError("no NVIDIA driver: libnvidia-ml.so.1 does not load")
        self._lib.nvmlErrorString.restype = ctypes.c_char_p
        self._check(self._lib.nvmlInit_v2())
        self._device = ctypes.c_void_p()
        found = ctypes.byref(self._device)
        if bus_id is None:
            self._check(self._lib.nvmlDeviceGetHandleByIndex_v2(ctypes.c_uint(index), found))
        else:
            self._check(self._lib.nvmlDeviceGetHandleByPciBusId_v2(bus_id.encode(), found))

    def _check(self, code):
        if code != 0:
            raise NvmlError((self._lib.nvmlErrorString(code) or b"no message").decode())

    def _call(self, name, *arguments):
        """Whether the function is there and succeeds."""
        function = getattr(self._lib, name, None)
        return function is not None and function(*arguments) == 0

    def _text(self, name, *arguments):
        out = ctypes.create_string_buffer(128)
        done = self._call(name, *arguments, out, ctypes.c_uint(len(out)))
        return out.value.decode(errors="replace") if done else None

    def _number(self, name, *arguments, kind=ctypes.c_uint, scale=1):
        out = kind()
        done = self._call(name, self._device, *arguments, ctypes.byref(out))
        return out.value * scale if done else None

    def name(self):
        return self._text("nvmlDeviceGetName", self._device) or "NVIDIA GPU"

    def driver(self):
        return self._text("nvmlSystemGetDriverVersion")

    def energy_j(self):
        """Since the driver was loaded (Volta and newer)."""
        return self._number("nvmlDeviceGetTotalEnergyConsumption", kind=ctypes.c_ulonglong,
                            scale=1e-3)

    def power_w(self):
        """The moment's power where the driver tells it, else what nvidia-smi shows."""
        field = _Field(id=FIELD_POWER_INSTANT)
        done = self._call("nvmlDeviceGetFieldValues", self._device, 1, ctypes.byref(field))
        if done and field.status == 0 and field.kind < len(VALUE_KINDS):
            return getattr(field.value, VALUE_KINDS[field.kind]) * 1e-3
        return self.power_usage_w()

    def power_usage_w(self):
        """The moment's value or the mean of a second, depending on the GPU."""
        return self._number("nvmlDeviceGetPowerUsage", scale=1e-3)

    def power_limit_w(self):
        return self._number("nvmlDeviceGetEnforcedPowerLimit", scale=1e-3)

    def clock_hz(self, which=CLOCK_SM):
        return self._number("nvmlDeviceGetClockInfo", which, scale=1e6)

    def clock_max_hz(self, which=CLOCK_SM):
        return self._number("nvmlDeviceGetMaxClockInfo", which, scale=1e6)

    def throttle_reasons(self):
        """Bits of nvmlClocksEventReasons; 4 is the power limit."""
        return self._number("nvmlDeviceGetCurrentClocksThrottleReasons", kind=ctypes.c_ulonglong)

    def temperature_c(self):
        return self._number("nvmlDeviceGetTemperature", TEMPERATURE_GPU)

    def mig(self):
        now, pending = ctypes.c_uint(), ctypes.c_uint()
        done = self._call("nvmlDeviceGetMigMode", self._device, ctypes.byref(now),
                          ctypes.byref(pending))
        return bool(now.value) if done else None

    def facts(self):
        """What stands beside measurements."""
        return {"gpu": self.name(), "driver": self.driver(), "power_limit_w": self.power_limit_w(),
                "clock_max_hz": self.clock_max_hz(), "clock_now_hz": self.clock_hz(),
                "memory_clock_hz": self.clock_hz(CLOCK_MEMORY), "power_now_w": self.power_w(),
                "power_usage_now_w": self.power_usage_w(), "temperature_c": self.temperature_c(),
                "mig": self.mig(), "has_energy_counter": self.energy_j() is not None}


class Watch:
    """Reads clock, power and temperature every `interval_s` in a thread, while its block runs."""

    def __init__(self, gpu, interval_s=0.05):
        self._gpu, self._interval_s = gpu, interval_s
        self._stop = threading.Event()
        self.rows = []  # (time, sm clock, watts, celsius); None: not told

    def _run(self):
        due = time.perf_counter()
        while not self._stop.is_set():
            watts = self._gpu.power_w()
            self.rows.append((time.perf_counter(), self._gpu.clock_hz(), watts,
                              self._gpu.temperature_c()))
            due = max(due + self._interval_s, time.perf_counter())
            self._stop.wait(due - time.perf_counter())

    def __enter__(self):
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exception):
        self._stop.set()
        self._thread.join()

    def median(self, column):
        values = sorted(row[column] for row in self.rows if row[column] is not None)
        return values[len(values) // 2] if values else None

    def watts(self, start, end):
        """Mean of the sampled power over a stretch of time, by trapezoids; None without samples."""
        rows = [r for r in self.rows if r[2] is not None and start <= r[0] <= end]
        if len(rows) < 2:
            return None
        joules = sum((b[0] - a[0]) * (a[2] + b[2]) / 2 for a, b in zip(rows, rows[1:]))
        return joules / (rows[-1][0] - rows[0][0])
