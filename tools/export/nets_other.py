# SPDX-License-Identifier: Apache-2.0
"""Speech and recommendation networks, written for the zoo after their papers.

Whisper: Radford et al. 2022. Deep Speech 2: Amodei et al. 2015. WaveNet: van den Oord et al. 2016.
DLRM: Naumov et al. 2019.
"""
import torch
from torch import nn

from layers import Embedding, Linear, Mlp, SelfAttention, causal_bias
from network import Entry, Network

SOURCE = "PyTorch module of this project"


# ---- Whisper ----------------------------------------------------------------------------------


class WhisperLayer(nn.Module):
    def __init__(self, width, heads, cross):
        super().__init__()
        self.norm, self.attention = nn.LayerNorm(width), SelfAttention(width, heads)
        if cross:
            self.cross_norm, self.cross = nn.LayerNorm(width), SelfAttention(width, heads)
        self.mlp_norm, self.mlp = nn.LayerNorm(width), Mlp(width, 4 * width, nn.functional.gelu)

    def forward(self, x, bias=None, context=None):
        x = x + self.attention(self.norm(x), bias)
        if context is not None:
            x = x + self.cross(self.cross_norm(x), context=context)
        return x + self.mlp(self.mlp_norm(x))


class WhisperEncoder(nn.Module):
    """30 s of sound as 80 x 3000 log-mel frames to 1500 states."""

    def __init__(self, width=512, depth=6, heads=8, mels=80):
        super().__init__()
        self.conv_1 = nn.Conv1d(mels, width, 3, padding=1)
        self.conv_2 = nn.Conv1d(width, width, 3, stride=2, padding=1)
        self.positions = Embedding(1500, width)
        self.layers = nn.ModuleList(WhisperLayer(width, heads, False) for _ in range(depth))
        self.norm = nn.LayerNorm(width)

    def forward(self, features):
        x = nn.functional.gelu(self.conv_1(features))
        x = nn.functional.gelu(self.conv_2(x)).transpose(1, 2) + self.positions.weight
        for layer in self.layers:
            x = layer(x)
        return self.norm(x)


class WhisperDecoder(nn.Module):
    def __init__(self, width=512, depth=6, heads=8, vocabulary=51865):
        super().__init__()
        self.embedding, self.positions = Embedding(vocabulary, width), Embedding(448, width)
        self.layers = nn.ModuleList(WhisperLayer(width, heads, True) for _ in range(depth))
        self.norm = nn.LayerNorm(width)

    def forward(self, input_ids, encoder_hidden_states):
        x = self.embedding(input_ids) + self.positions(
            torch.arange(input_ids.shape[1], device=input_ids.device))
        bias = causal_bias(x, input_ids.shape[1])
        for layer in self.layers:
            x = layer(x, bias, encoder_hidden_states)
        return nn.functional.linear(self.norm(x), self.embedding.weight)


def whisper_encoder():
    return Network(WhisperEncoder(), [torch.randn(2, 80, 3000)], ["input_features"],
                   ["last_hidden_state"], {"input_features": {0: "B"}}, lean=True)


def whisper_decoder():
    inputs = [torch.ones(2, 5, dtype=torch.int64), torch.randn(2, 7, 512)]
    return Network(WhisperDecoder(), inputs, ["input_ids", "encoder_hidden_states"], ["logits"],
                   {"input_ids": {0: "B", 1: "T"}, "encoder_hidden_states": {0: "B", 1: "S"}},
                   lean=True)


# ---- other speech -----------------------------------------------------------------------------


class SpeechRecognizer(nn.Module):
    """Spectrogram, two strided convolutions, bidirectional GRUs, scores per frame."""

    def __init__(self, bins=161, width=800, depth=5, letters=29):
        super().__init__()
        self.convs = nn.Sequential(
            nn.Conv2d(1, 32, (41, 11), (2, 2), (20, 5)), nn.BatchNorm2d(32), nn.Hardtanh(0, 20),
            nn.Conv2d(32, 32, (21, 11), (2, 1), (10, 5)), nn.BatchNorm2d(32), nn.Hardtanh(0, 20))
        features = 32 * ((bins - 1) // 4 + 1)
        self.layers = nn.ModuleList(
            nn.GRU(features if i == 0 else width, width, bidirectional=True) for i in range(depth))
        self.width, self.head = width, nn.Linear(width, letters)

    def forward(self, spectrogram):
        x = self.convs(spectrogram)
        batch, channels, bins, frames = x.shape
        x = x.view(batch, channels * bins, frames).permute(2, 0, 1)
        for layer in self.layers:
            x, _ = layer(x)
            x = x.view(x.shape[0], x.shape[1], 2, self.width).sum(dim=2)
        return torch.log_softmax(self.head(x), dim=-1).transpose(0, 1)


class WaveNet(nn.Module):
    """Gated dilated convolutions over samples; padding on the left keeps it causal."""

    def __init__(self, residual=64, skip=256, levels=256, cycles=3, depth=10):
        super().__init__()
        self.dilations = [2 ** i for _ in range(cycles) for i in range(depth)]
        self.embedding = nn.Embedding(levels, residual)
        self.gates = nn.ModuleList(nn.Conv1d(residual, 2 * residual, 2, dilation=d)
                                   for d in self.dilations)
        self.residuals = nn.ModuleList(nn.Conv1d(residual, residual, 1) for _ in self.dilations)
        self.skips = nn.ModuleList(nn.Conv1d(residual, skip, 1) for _ in self.dilations)
        self.head = nn.Sequential(nn.ReLU(), nn.Conv1d(skip, skip, 1), nn.ReLU(),
                                  nn.Conv1d(skip, levels, 1))

    def forward(self, samples):
        x = self.embedding(samples).transpose(1, 2)
        total = 0.0
        for dilation, gate, residual, skip in zip(self.dilations, self.gates, self.residuals,
                                                  self.skips):
            y = gate(nn.functional.pad(x, (dilation, 0)))
            value, control = y.chunk(2, dim=1)
            y = torch.tanh(value) * torch.sigmoid(control)
            total = total + skip(y)
            x = x + residual(y)
        return self.head(total)


def speech():
    return Network(SpeechRecognizer(), [torch.randn(2, 1, 161, 50)], ["spectrogram"],
                   ["log_probabilities"], {"spectrogram": {0: "B", 3: "T"}}, opset=14)


def wave():
    return Network(WaveNet(), [torch.ones(2, 64, dtype=torch.int64)], ["samples"], ["scores"],
                   {"samples": {0: "B", 1: "T"}}, opset=13)


# ---- recommendation ---------------------------------------------------------------------------

# Rows of the 26 categorical features of the Criteo Kaggle data set, as in DLRM's paper code.
CRITEO_ROWS = (1460, 583, 10131227, 2202608, 305, 24, 12517, 633, 3, 93145, 5683, 8351593, 3194,
               27, 14992, 5461306, 10, 5652, 2173, 4, 7046547, 18, 15, 286181, 105, 142572)


def tower(widths, last):
    layers = [layer for i, o in zip(widths, widths[1:]) for layer in (Linear(i, o), nn.ReLU())]
    return nn.Sequential(*layers[:-1], *last)


class Dlrm(nn.Module):
    """Dense features and one index per table; all pairs of vectors interact by dot product."""

    def __init__(self, width=16, dense=13):
        super().__init__()
        self.tables = nn.ModuleList(Embedding(rows, width) for rows in CRITEO_ROWS)
        self.bottom = tower((dense, 512, 256, 64, width), [nn.ReLU()])
        vectors = len(CRITEO_ROWS) + 1
        self.pairs = [i * vectors + j for i in range(vectors) for j in range(i)]
        self.top = tower((width + len(self.pairs), 512, 256, 1), [nn.Sigmoid()])

    def forward(self, dense, indices):
        x = self.bottom(dense)
        vectors = [x] + [table(indices[:, i]) for i, table in enumerate(self.tables)]
        stacked = torch.stack(vectors, dim=1)
        products = torch.bmm(stacked, stacked.transpose(1, 2)).flatten(1)
        chosen = products.index_select(1, torch.tensor(self.pairs, device=dense.device))
        return self.top(torch.cat((x, chosen), dim=1))


def dlrm():
    return Network(Dlrm(), [torch.randn(2, 13), torch.zeros(2, 26, dtype=torch.int64)],
                   ["dense", "indices"], ["click_probability"],
                   {"dense": {0: "B"}, "indices": {0: "B"}}, opset=13, lean=True)


ENTRIES = [
    Entry("whisper_base_encoder", "speech-recognition", "Whisper base, encoder", SOURCE, {"B": 1},
          "B x 80 x 3000 log-mel frames (30 s)", whisper_encoder),
    Entry("whisper_base_decoder", "speech-recognition", "Whisper base, decoder without cache",
          SOURCE, {"B": 1, "T": 32, "S": 1500}, "B x T token ids, B x S x 512 encoder states",
          whisper_decoder),
    Entry("speech_gru", "speech-recognition", "Convolutions and five bidirectional GRUs (Deep "
          "Speech 2's shape)", SOURCE, {"B": 1, "T": 200}, "B x 1 x 161 x T spectrogram", speech),
    Entry("wavenet", "speech-synthesis", "WaveNet: 30 gated dilated convolutions", SOURCE,
          {"B": 1, "T": 4096}, "B x T quantised samples", wave),
    Entry("dlrm", "recommendation", "DLRM with the tables of the Criteo Kaggle data set", SOURCE,
          {"B": 128}, "B x 13 numbers, B x 26 table indices", dlrm),
]
