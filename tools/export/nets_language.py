# SPDX-License-Identifier: Apache-2.0
"""Language networks, written for the zoo after their papers; sizes are the published ones.

BERT: Devlin et al. 2018. DistilBERT: Sanh et al. 2019. GPT-2: Radford et al. 2019. Llama: Touvron
et al. 2023 (grouped queries: Ainslie et al. 2023; rotary embedding: Su et al. 2021). T5: Raffel et
al. 2019. LSTM language model: Zaremba et al. 2014.
"""
import math

import torch
from torch import nn

from layers import (Embedding, Linear, Mlp, RMSNorm, SelfAttention, as_type, attend, causal_bias,
                    gelu_tanh, merge_heads, split_heads)
from network import Entry, Network
from quantize import to_4_bit

SOURCE = "PyTorch module of this project"


def tokens(*shape):
    return torch.ones(*shape, dtype=torch.int64)


# ---- BERT -------------------------------------------------------------------------------------


class BertLayer(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.attention = SelfAttention(width, heads)
        self.attention_norm = nn.LayerNorm(width, eps=1e-12)
        self.mlp = Mlp(width, 4 * width, nn.functional.gelu)
        self.norm = nn.LayerNorm(width, eps=1e-12)

    def forward(self, x, bias):
        x = self.attention_norm(x + self.attention(x, bias))
        return self.norm(x + self.mlp(x))


class Bert(nn.Module):
    """Returns the last hidden state and, with types, the pooled first position."""

    def __init__(self, width=768, depth=12, heads=12, types=True):
        super().__init__()
        self.word, self.position = Embedding(30522, width), Embedding(512, width)
        self.segment = Embedding(2, width) if types else None
        self.norm = nn.LayerNorm(width, eps=1e-12)
        self.layers = nn.ModuleList(BertLayer(width, heads) for _ in range(depth))
        self.pooler = Linear(width, width) if types else None

    def forward(self, input_ids, attention_mask, token_type_ids=None):
        positions = torch.arange(input_ids.shape[1], device=input_ids.device).unsqueeze(0)
        x = self.word(input_ids) + self.position(positions)
        if self.segment is not None:
            x = x + self.segment(token_type_ids)
        x = self.norm(x)
        mask = attention_mask.unsqueeze(1).unsqueeze(2).to(x.dtype)
        bias = (1.0 - mask) * -10000.0
        for layer in self.layers:
            x = layer(x, bias)
        if self.pooler is None:
            return x
        return x, torch.tanh(self.pooler(x[:, 0]))


def bert(opset, **arguments):
    module = Bert(**arguments)
    names = ["input_ids", "attention_mask"] + (["token_type_ids"] if module.segment else [])
    outputs = ["last_hidden_state"] + (["pooler_output"] if module.segment else [])
    return Network(module, [tokens(2, 5) for _ in names], names, outputs,
                   {n: {0: "B", 1: "T"} for n in names}, opset, lean=True)


# ---- decoders with a key-value cache ----------------------------------------------------------


def cache_names(prefix, depth):
    return [f"{prefix}.{i}.{part}" for i in range(depth) for part in ("key", "value")]


def with_past(key, value, past):
    if past is None:
        return key, value
    return torch.cat((past[0], key), dim=2), torch.cat((past[1], value), dim=2)


def decoder_network(module, depth, kv_heads, head_width, past, opset=17):
    """Decoder over `input_ids` [B, T]; with `past`, P cached positions per layer."""
    names, inputs, axes = ["input_ids"], [tokens(2, 3)], {"input_ids": {0: "B", 1: "T"}}
    if past:
        cache = cache_names("past_key_values", depth)
        names += cache
        inputs += [torch.zeros(2, kv_heads, 4, head_width) for _ in cache]
        axes.update({n: {0: "B", 2: "P"} for n in cache})
    outputs = ["logits"] + cache_names("present", depth)
    return Network(module, inputs, names, outputs, axes, opset, lean=True)


class GptLayer(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.projection = Linear(width, 3 * width), Linear(width, width)
        self.mlp = Mlp(width, 4 * width, gelu_tanh)

    def forward(self, x, past, bias):
        query, key, value = (split_heads(part, self.heads)
                             for part in self.qkv(self.ln_1(x)).chunk(3, dim=-1))
        key, value = with_past(key, value, past)
        mixed = attend(query, key, value, bias)
        x = x + self.projection(merge_heads(mixed))
        return x + self.mlp(self.ln_2(x)), key, value


class Gpt(nn.Module):
    """The output projection shares the embedding's weight."""

    def __init__(self, width=768, depth=12, heads=12, vocabulary=50257, positions=1024):
        super().__init__()
        self.wte, self.wpe = Embedding(vocabulary, width), Embedding(positions, width)
        self.layers = nn.ModuleList(GptLayer(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width)

    def forward(self, input_ids, *past):
        start = past[0].shape[2] if past else 0
        positions = torch.arange(input_ids.shape[1], device=input_ids.device).unsqueeze(0) + start
        x = self.wte(input_ids) + self.wpe(positions)
        bias = causal_bias(x, input_ids.shape[1], start)
        present = []
        for i, layer in enumerate(self.layers):
            x, key, value = layer(x, past[2 * i:2 * i + 2] if past else None, bias)
            present += [key, value]
        logits = nn.functional.linear(self.norm(x), self.wte.weight)
        return (logits, *present)


def gpt2(past):
    return decoder_network(Gpt(), 12, 12, 64, past)


def rotary(x, cosine, sine):
    """Rotates pairs (d, d + D/2) of the last dimension."""
    half = x.shape[-1] // 2
    turned = torch.cat((-x[..., half:], x[..., :half]), dim=-1)
    return x * cosine + turned * sine


def repeat_heads(x, times):
    """[B, kv, T, D] -> [B, kv * times, T, D]: each key-value head serves `times` query heads."""
    batch, heads, length, depth = x.shape
    x = x.unsqueeze(2).expand(batch, heads, times, length, depth)
    return x.reshape(batch, heads * times, length, depth)


class LlamaLayer(nn.Module):
    def __init__(self, width, heads, kv_heads, hidden):
        super().__init__()
        self.heads, self.kv_heads = heads, kv_heads
        kv_width = width // heads * kv_heads
        self.input_norm, self.mlp_norm = RMSNorm(width, 1e-5), RMSNorm(width, 1e-5)
        self.q, self.k = Linear(width, width, False), Linear(width, kv_width, False)
        self.v, self.o = Linear(width, kv_width, False), Linear(width, width, False)
        self.gate, self.up = Linear(width, hidden, False), Linear(width, hidden, False)
        self.down = Linear(hidden, width, False)

    def forward(self, x, turn, past, bias):
        y = self.input_norm(x)
        query = rotary(split_heads(self.q(y), self.heads), *turn)
        key = rotary(split_heads(self.k(y), self.kv_heads), *turn)
        key, value = with_past(key, split_heads(self.v(y), self.kv_heads), past)
        times = self.heads // self.kv_heads
        mixed = attend(query, repeat_heads(key, times), repeat_heads(value, times), bias)
        x = x + self.o(merge_heads(mixed))
        y = self.mlp_norm(x)
        x = x + self.down(nn.functional.silu(self.gate(y)) * self.up(y))
        return x, key, value


class Llama(nn.Module):
    def __init__(self, width, depth, heads, kv_heads, hidden, tied, vocabulary=128256):
        super().__init__()
        self.embedding = Embedding(vocabulary, width)
        self.layers = nn.ModuleList(LlamaLayer(width, heads, kv_heads, hidden)
                                    for _ in range(depth))
        self.norm = RMSNorm(width, 1e-5)
        self.head = None if tied else Linear(width, vocabulary, False)
        depth = width // heads
        self.register_buffer("frequency",
                             500000.0 ** (-torch.arange(0, depth, 2).float() / depth))

    def turn(self, length, start):
        positions = (torch.arange(length, device=self.frequency.device) + start).to(torch.float32)
        angle = positions.unsqueeze(1) * self.frequency.unsqueeze(0)
        angle = torch.cat((angle, angle), dim=-1)
        return torch.cos(angle), torch.sin(angle)

    def forward(self, input_ids, *past):
        length, start = input_ids.shape[1], past[0].shape[2] if past else 0
        like = self.embedding.weight
        turn = tuple(as_type(part, like) for part in self.turn(length, start))
        bias = causal_bias(like, length, start)
        x = self.embedding(input_ids)
        present = []
        for i, layer in enumerate(self.layers):
            x, key, value = layer(x, turn, past[2 * i:2 * i + 2] if past else None, bias)
            present += [key, value]
        x = self.norm(x)
        if self.head is None:
            logits = nn.functional.linear(x, self.embedding.weight)
        else:
            logits = self.head(x)
        return (logits, *present)


def llama(past, width, depth, heads, kv_heads, hidden, tied):
    module = Llama(width, depth, heads, kv_heads, hidden, tied)
    return decoder_network(module, depth, kv_heads, width // heads, past)


def llama_1b(past):
    return llama(past, 2048, 16, 32, 8, 8192, True)


def llama_8b(past):
    return llama(past, 4096, 32, 32, 8, 14336, False)


def llama_1b_4_bit():
    net = llama_1b(True)
    net.rewrite = to_4_bit
    return net


# ---- T5 ---------------------------------------------------------------------------------------


class RelativeBias(nn.Module):
    """Learned bias per head and logarithmic bucket of the distance between two positions."""

    def __init__(self, heads, both_ways, buckets=32, furthest=128):
        super().__init__()
        self.table = Embedding(buckets, heads)
        self.both_ways, self.furthest = both_ways, furthest
        self.buckets = buckets // 2 if both_ways else buckets

    def bucket(self, distance):
        exact = self.buckets // 2
        base = 0
        if self.both_ways:
            base = (distance > 0).to(torch.int64) * self.buckets
            distance = torch.abs(distance)
        else:
            distance = -torch.clamp(distance, max=0)
        step = math.log(self.furthest / exact) / (self.buckets - exact)
        far = exact + (torch.log(distance.to(torch.float32) / exact) / step).to(torch.int64)
        far = torch.clamp(far, max=self.buckets - 1)
        return base + torch.where(distance < exact, distance, far)

    def forward(self, length, total):
        device = self.table.weight.device
        query = torch.arange(length, device=device).unsqueeze(1) + (total - length)
        key = torch.arange(total, device=device).unsqueeze(0)
        return self.table(self.bucket(key - query)).permute(2, 0, 1).unsqueeze(0)


class T5Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.q, self.k = Linear(width, width, False), Linear(width, width, False)
        self.v, self.o = Linear(width, width, False), Linear(width, width, False)

    def project(self, source):
        return split_heads(self.k(source), self.heads), split_heads(self.v(source), self.heads)

    def forward(self, x, key, value, bias=None):
        query = split_heads(self.q(x), self.heads)
        return self.o(merge_heads(attend(query, key, value, bias, scale=1.0)))


class T5Layer(nn.Module):
    def __init__(self, width, heads, hidden, decoder):
        super().__init__()
        self.norm, self.attention = RMSNorm(width), T5Attention(width, heads)
        if decoder:
            self.cross_norm, self.cross = RMSNorm(width), T5Attention(width, heads)
        self.mlp_norm = RMSNorm(width)
        self.mlp = nn.Sequential(Linear(width, hidden, False), nn.ReLU(),
                                 Linear(hidden, width, False))

    def forward(self, x, bias, past=None, memory=None):
        y = self.norm(x)
        key, value = with_past(*self.attention.project(y), past)
        x = x + self.attention(y, key, value, bias)
        if memory is not None:
            x = x + self.cross(self.cross_norm(x), *memory)
        return x + self.mlp(self.mlp_norm(x)), key, value


class T5Encoder(nn.Module):
    def __init__(self, width=512, depth=6, heads=8, hidden=2048):
        super().__init__()
        self.embedding = Embedding(32128, width)
        self.bias = RelativeBias(heads, True)
        self.layers = nn.ModuleList(T5Layer(width, heads, hidden, False) for _ in range(depth))
        self.norm = RMSNorm(width)

    def forward(self, input_ids, attention_mask):
        x = self.embedding(input_ids)
        mask = attention_mask.unsqueeze(1).unsqueeze(2).to(x.dtype)
        bias = self.bias(input_ids.shape[1], input_ids.shape[1]) + (1.0 - mask) * -10000.0
        for layer in self.layers:
            x, _, _ = layer(x, bias)
        return self.norm(x)


class T5Decoder(nn.Module):
    """One decoding step: T new positions, P cached ones, keys and values of S encoder positions."""

    def __init__(self, width=512, depth=6, heads=8, hidden=2048):
        super().__init__()
        self.embedding, self.width = Embedding(32128, width), width
        self.bias = RelativeBias(heads, False)
        self.layers = nn.ModuleList(T5Layer(width, heads, hidden, True) for _ in range(depth))
        self.norm = RMSNorm(width)

    def forward(self, input_ids, *cache):
        length, start = input_ids.shape[1], cache[0].shape[2]
        x = self.embedding(input_ids)
        bias = self.bias(length, length + start) + causal_bias(x, length, start)
        present = []
        for i, layer in enumerate(self.layers):
            past, memory = cache[4 * i:4 * i + 2], cache[4 * i + 2:4 * i + 4]
            x, key, value = layer(x, bias, past, memory)
            present += [key, value]
        x = self.norm(x) * self.width ** -0.5
        return (nn.functional.linear(x, self.embedding.weight), *present)


def t5_encoder():
    return Network(T5Encoder(), [tokens(2, 5), tokens(2, 5)], ["input_ids", "attention_mask"],
                   ["last_hidden_state"],
                   {n: {0: "B", 1: "T"} for n in ("input_ids", "attention_mask")}, lean=True)


def t5_decoder(depth=6, heads=8):
    names, inputs, axes = ["input_ids"], [tokens(2, 3)], {"input_ids": {0: "B", 1: "T"}}
    for i in range(depth):
        for side, length, symbol in (("decoder", 4, "P"), ("encoder", 5, "S")):
            for part in ("key", "value"):
                name = f"past_key_values.{i}.{side}.{part}"
                names.append(name)
                inputs.append(torch.zeros(2, heads, length, 64))
                axes[name] = {0: "B", 2: symbol}
    outputs = ["logits"] + [f"present.{i}.decoder.{part}" for i in range(depth)
                            for part in ("key", "value")]
    return Network(T5Decoder(), inputs, names, outputs, axes, lean=True)


# ---- recurrent --------------------------------------------------------------------------------


class LstmLanguageModel(nn.Module):
    def __init__(self, vocabulary=10000, width=650, layers=2):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.lstm = nn.LSTM(width, width, layers, batch_first=True)
        self.head = nn.Linear(width, vocabulary)

    def forward(self, input_ids, hidden, cell):
        x, (hidden, cell) = self.lstm(self.embedding(input_ids), (hidden, cell))
        return self.head(x), hidden, cell


def lstm_lm():
    state = torch.zeros(2, 2, 650)
    return Network(LstmLanguageModel(), [tokens(2, 5), state, state.clone()],
                   ["input_ids", "hidden", "cell"], ["logits", "hidden_out", "cell_out"],
                   {"input_ids": {0: "B", 1: "T"}, "hidden": {1: "B"}, "cell": {1: "B"}}, opset=14)


class GreedyDecoder(nn.Module):
    """A recurrent cell that feeds its own best token back, `steps` times; exported with the Loop
    and the If of its Python form."""

    def __init__(self, vocabulary=1000, width=256):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.cell = nn.Linear(2 * width, width)
        self.head = nn.Linear(width, vocabulary)

    def forward(self, hidden: torch.Tensor, token: torch.Tensor, steps: int, sharpen: bool):
        scores = torch.zeros(hidden.shape[0], 1000)
        for _ in range(steps):
            mixed = torch.cat((self.embedding(token), hidden), dim=1)
            hidden = torch.tanh(self.cell(mixed))
            if sharpen:
                scores = self.head(hidden) * 2.0
            else:
                scores = self.head(hidden)
            token = torch.argmax(scores, dim=1)
        return scores, token


def greedy_decoder():
    module = torch.jit.script(GreedyDecoder().eval())
    return Network(module, [torch.zeros(2, 256), tokens(2), 4, True],
                   ["hidden", "token", "steps", "sharpen"], ["scores", "last_token"],
                   {"hidden": {0: "B"}, "token": {0: "B"}}, opset=14, randomize=False)


IDS = "B x T token ids"
ENTRIES = [
    Entry("bert_base", "text-encoding", "BERT base, uncased; LayerNormalization and GELU as their "
          "elementary operators (opset 14)", SOURCE, {"B": 1, "T": 128},
          IDS + ", mask and segment ids", lambda: bert(14)),
    Entry("distilbert", "text-encoding", "DistilBERT: six layers of BERT's size", SOURCE,
          {"B": 1, "T": 128}, IDS + " and mask", lambda: bert(17, depth=6, types=False)),
    Entry("gpt2", "text-generation", "GPT-2 small (124 M), prefill: T positions at once", SOURCE,
          {"B": 1, "T": 128}, IDS, lambda: gpt2(False)),
    Entry("gpt2_decode", "text-generation", "GPT-2 small (124 M), decode: T new positions after P "
          "cached ones", SOURCE, {"B": 1, "T": 1, "P": 1000}, IDS + " and a key-value cache",
          lambda: gpt2(True)),
    Entry("llama_1b", "text-generation", "Llama-style decoder of Llama 3.2 1B's size (grouped "
          "queries, rotary embedding, RMS norm, SwiGLU), prefill", SOURCE, {"B": 1, "T": 128}, IDS,
          lambda: llama_1b(False)),
    Entry("llama_1b_decode", "text-generation", "Llama-style decoder of Llama 3.2 1B's size, "
          "decode: T new positions after P cached ones", SOURCE, {"B": 1, "T": 1, "P": 1024}, IDS + " and a key-value cache",
          lambda: llama_1b(True)),
    Entry("llama_1b_decode_w4", "text-generation", "Llama-style decoder of Llama 3.2 1B's size, "
          "decode, 4-bit weights in blocks of 32 (com.microsoft MatMulNBits)", SOURCE, {"B": 1, "T": 1, "P": 1024},
          IDS + " and a key-value cache", llama_1b_4_bit),
    Entry("llama_8b_decode", "text-generation", "Llama-style decoder of Llama 3 8B's size, decode",
          SOURCE, {"B": 1, "T": 1, "P": 1024}, IDS + " and a key-value cache",
          lambda: llama_8b(True)),
    Entry("t5_small_encoder", "text-to-text", "T5 small, encoder", SOURCE, {"B": 1, "T": 128},
          IDS + " and mask", t5_encoder),
    Entry("t5_small_decoder", "text-to-text", "T5 small, decoder step: T new positions, P cached, "
          "S encoded", SOURCE, {"B": 1, "T": 1, "P": 64, "S": 128},
          IDS + ", self and cross key-value caches", t5_decoder),
    Entry("lstm_lm", "text-generation", "Two-layer LSTM language model, 650 units", SOURCE,
          {"B": 1, "T": 35}, IDS + " and state", lstm_lm),
    Entry("greedy_decoder", "text-generation", "Recurrent greedy decoder: a Loop with an If inside",
          SOURCE, {"B": 1, "loop:/Loop": 32}, "B x 256 state, first token, number of steps, flag",
          greedy_decoder),
]
