# SPDX-License-Identifier: Apache-2.0
"""torch.cuda, made up on PyTorch's CPU build: a GPU whose work the CPU does. What the real one refuses is refused: a look at the clock inside a capture, half
types that differ in fused attention, events without timing."""
import functools
import sys
import time

import torch
import torch.nn.functional as F

state = {"capturing": False}


def on_cpu(value):
    is_cuda = str(value).startswith("cuda") if isinstance(value, (str, torch.device)) else False
    return "cpu" if is_cuda else value


def redirected(function):
    @functools.wraps(function)
    def call(*arguments, **named):
        return function(*(on_cpu(a) for a in arguments), **{k: on_cpu(v) for k, v in named.items()})
    return call


for name in ("randn", "empty", "zeros", "ones", "full", "randint", "arange", "tensor", "eye"):
    setattr(torch, name, redirected(getattr(torch, name)))
torch.Tensor.to = redirected(torch.Tensor.to)


class Event:
    def __init__(self, enable_timing=False):
        self.timed, self.at = enable_timing, None

    def record(self):
        self.at = time.perf_counter()

    def synchronize(self):
        synchronize()

    def elapsed_time(self, other):
        if not (self.timed and other.timed):
            raise RuntimeError("both events must be created with enable_timing=True")
        return (other.at - self.at) * 1e3


class Stream:
    def wait_stream(self, other):
        assert isinstance(other, Stream)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        return False


def synchronize(device=None):
    if state["capturing"]:
        raise RuntimeError("CUDA error: operation not permitted when stream is capturing")


class CUDAGraph:
    def replay(self):
        self.function()


class graph:
    """Knows what to play again from the caller's `function`."""

    def __init__(self, made):
        self.made = made

    def __enter__(self):
        self.made.function = sys._getframe(1).f_locals["function"]
        state["capturing"] = True

    def __exit__(self, *exception):
        state["capturing"] = False
        return False


def attention(query, key, value, attn_mask=None, scale=None):
    kinds = {t.dtype for t in (query, key, value, attn_mask) if t is not None}
    if len(kinds) != 1:
        raise RuntimeError(f"Expected query, key, value and mask of one dtype, got {kinds}")
    scores = query @ key.transpose(-1, -2) * (query.shape[-1] ** -0.5 if scale is None else scale)
    return torch.softmax(scores if attn_mask is None else scores + attn_mask, -1) @ value


F.scaled_dot_product_attention = attention
for name, value in {"is_available": lambda: True, "set_device": lambda index: None,
                    "synchronize": synchronize, "Event": Event, "Stream": Stream,
                    "current_stream": Stream, "stream": lambda s: s, "CUDAGraph": CUDAGraph,
                    "graph": graph, "empty_cache": synchronize}.items():
    setattr(torch.cuda, name, value)
