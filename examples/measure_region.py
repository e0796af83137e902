#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Energy of a region of a Python program, through libwattline and ctypes.

Needs the shared library: cmake -DWL_SHARED=ON ... builds libwattline.so. Its path is the
argument or $WATTLINE_LIBRARY, else the loader's search path is asked:

    python3 measure_region.py build/release/libwattline.so
"""
import ctypes
import os
import sys


class Error(ctypes.Structure):
    _fields_ = [("code", ctypes.c_int), ("where", ctypes.c_char * 192),
                ("message", ctypes.c_char * 1024)]


class Options(ctypes.Structure):
    _fields_ = [("interval_s", ctypes.c_double), ("only", ctypes.c_char_p),
                ("sysfs_root", ctypes.c_char_p), ("nvml_library", ctypes.c_char_p),
                ("keep_series", ctypes.c_int32)]


class Total(ctypes.Structure):
    _fields_ = [("wall_s", ctypes.c_double), ("energy_j", ctypes.c_double),
                ("average_power_w", ctypes.c_double), ("peak_power_w", ctypes.c_double),
                ("counted", ctypes.c_int32), ("incomplete", ctypes.c_int32)]


class Channel(ctypes.Structure):
    _fields_ = [("source", ctypes.c_char_p), ("name", ctypes.c_char_p),
                ("device", ctypes.c_char_p), ("scope", ctypes.c_char_p),
                ("note", ctypes.c_char_p), ("counted", ctypes.c_int32),
                ("incomplete", ctypes.c_int32), ("energy_j", ctypes.c_double),
                ("average_power_w", ctypes.c_double), ("peak_power_w", ctypes.c_double),
                ("update_s", ctypes.c_double), ("utilization", ctypes.c_double),
                ("clock_hz", ctypes.c_double), ("temperature_c", ctypes.c_double)]


def load(path=None):
    library = ctypes.CDLL(path or os.environ.get("WATTLINE_LIBRARY", "libwattline.so"))
    pointer, error = ctypes.c_void_p, ctypes.POINTER(Error)
    library.wl_meter_open.argtypes = [ctypes.POINTER(Options), ctypes.POINTER(pointer), error]
    library.wl_meter_close.argtypes = [pointer]
    library.wl_meter_close.restype = None
    library.wl_meter_start.argtypes = [pointer, error]
    library.wl_meter_stop.argtypes = [pointer, error]
    library.wl_meter_read.argtypes = [pointer, ctypes.POINTER(Total), error]
    library.wl_meter_channel_count.argtypes = [pointer]
    library.wl_meter_channel_read.argtypes = [pointer, ctypes.c_int32, ctypes.POINTER(Channel),
                                              error]
    return library


class Meter:
    """with Meter(library) as m: ...; then m.total and m.channels hold the figures (NaN: unknown)."""

    def __init__(self, library, **options):
        self._library, self._error = library, Error()
        self._handle = ctypes.c_void_p()
        encoded = {k: v.encode() if isinstance(v, str) else v for k, v in options.items()}
        self._call(library.wl_meter_open, ctypes.byref(Options(**encoded)),
                   ctypes.byref(self._handle))
        self.total, self.channels = Total(), []

    def _call(self, function, *arguments):
        if function(*arguments, ctypes.byref(self._error)) != 0:
            raise RuntimeError(f"{self._error.where.decode()}: {self._error.message.decode()}")

    def __enter__(self):
        self._call(self._library.wl_meter_start, self._handle)
        return self

    def __exit__(self, *exception):
        self._call(self._library.wl_meter_stop, self._handle)
        self._call(self._library.wl_meter_read, self._handle, ctypes.byref(self.total))
        self.channels = []
        for i in range(self._library.wl_meter_channel_count(self._handle)):
            channel = Channel()
            self._call(self._library.wl_meter_channel_read, self._handle, i,
                       ctypes.byref(channel))
            self.channels.append(channel)

    def close(self):
        self._library.wl_meter_close(self._handle)
        self._handle = ctypes.c_void_p()


def main():
    library = load(sys.argv[1] if len(sys.argv) > 1 else None)
    options = {}
    if os.environ.get("WATTLINE_SYSFS_ROOT"):
        options["sysfs_root"] = os.environ["WATTLINE_SYSFS_ROOT"]
    meter = Meter(library, **options)
    with meter as m:
        total = sum(i * i for i in range(3_000_000))
    print(f"result {total} after {m.total.wall_s:.3f} s")
    if m.total.counted == 0:
        print("no meter on this machine: wattline measure --sources tells why")
    else:
        print(f"{m.total.energy_j:.3f} J, {m.total.average_power_w:.1f} W on average")
        for channel in m.channels:
            print(f"  {channel.source.decode()} {channel.name.decode()}: {channel.energy_j:.3f} J")
    meter.close()


if __name__ == "__main__":
    main()
