# SPDX-License-Identifier: Apache-2.0
"""Building blocks of the networks written for the zoo.

`Linear` and `Embedding` take their weights from one shared buffer: an export needs shapes, not
values, and a decoder of eight billion parameters must not need 32 GB to be written down.
"""
import math

import torch
from torch import nn
from torch.nn import functional as F

_pool = torch.zeros(1)


def pooled(*shape):
    """A parameter whose storage is shared with all others."""
    global _pool
    count = math.prod(shape)
    if _pool.numel() < count:
        _pool = torch.full((count,), 1e-3)
    return nn.Parameter(_pool[:count].view(*shape), requires_grad=False)


class Linear(nn.Module):
    def __init__(self, inputs, outputs, bias=True):
        super().__init__()
        self.weight = pooled(outputs, inputs)
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None

    def forward(self, x):
        return F.linear(x, self.weight, self.bias)


class Embedding(nn.Module):
    def __init__(self, rows, width):
        super().__init__()
        self.weight = pooled(rows, width)

    def forward(self, index):
        return F.embedding(index, self.weight)


class RMSNorm(nn.Module):
    """x / sqrt(mean(x^2) + eps) * weight."""

    def __init__(self, width, eps=1e-6):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x):
        variance = x.pow(2).mean(-1, keepdim=True)
        return x * torch.rsqrt(variance + self.eps) * self.weight


class Mlp(nn.Module):
    def __init__(self, width, hidden, activation):
        super().__init__()
        self.up, self.down = Linear(width, hidden), Linear(hidden, width)
        self.activation = activation

    def forward(self, x):
        return self.down(self.activation(self.up(x)))


def gelu_tanh(x):
    """The tanh form of GELU, written out as GPT-2 has it."""
    return 0.5 * x * (1.0 + torch.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x.pow(3.0))))


def quick_gelu(x):
    return x * torch.sigmoid(1.702 * x)


def split_heads(x, heads):
    """[B, T, heads * D] -> [B, heads, T, D]."""
    batch, length, width = x.shape
    return x.view(batch, length, heads, width // heads).transpose(1, 2)


def merge_heads(x):
    """[B, heads, T, D] -> [B, T, heads * D]."""
    batch, heads, length, depth = x.shape
    return x.transpose(1, 2).reshape(batch, length, heads * depth)


def as_type(x, like):
    """In the type of `like`; an export in fp32 gets no node for it."""
    return x if x.dtype == like.dtype else x.to(like.dtype)


def attend(query, key, value, bias=None, scale=None):
    """softmax(Q K^T * scale + bias) V over [B, heads, T, D]; in one kernel where PyTorch has it,
    except in files, which keep the operators."""
    scale = 1.0 / math.sqrt(query.shape[-1]) if scale is None else scale
    if hasattr(F, "scaled_dot_product_attention") and not torch.onnx.is_in_onnx_export():
        return F.scaled_dot_product_attention(query, key, value, attn_mask=bias, scale=scale)
    scores = torch.matmul(query, key.transpose(-1, -2)) * scale
    if bias is not None:
        scores = scores + bias
    return torch.matmul(torch.softmax(scores, dim=-1), value)


def causal_bias(x, length, start=0):
    """[1, 1, T, P + T]: 0 where position P + t may look, a large negative number elsewhere; on the
    device and in the type of `x`."""
    row = torch.arange(length, device=x.device).unsqueeze(1) + start
    column = torch.arange(start + length, device=x.device).unsqueeze(0)
    blocked = (column > row).to(torch.float32)
    return as_type(blocked * -3.0e38, x).unsqueeze(0).unsqueeze(0)


class SelfAttention(nn.Module):
    """Multi-head attention with separate projections; `context` makes it cross attention."""

    def __init__(self, width, heads, bias=True, context_width=None):
        super().__init__()
        self.heads = heads
        source = context_width or width
        self.query, self.key = Linear(width, width, bias), Linear(source, width, bias)
        self.value, self.output = Linear(source, width, bias), Linear(width, width)

    def forward(self, x, bias=None, context=None):
        source = x if context is None else context
        query = split_heads(self.query(x), self.heads)
        key = split_heads(self.key(source), self.heads)
        value = split_heads(self.value(source), self.heads)
        return self.output(merge_heads(attend(query, key, value, bias)))
