# SPDX-License-Identifier: Apache-2.0
"""Vision and image-generation networks, written for the zoo after their papers.

MLP-Mixer: Tolstikhin et al. 2021. CLIP: Radford et al. 2021. Denoising UNet: Rombach et al. 2022
(sizes reduced). U-Net: Ronneberger et al. 2015. One-stage anchor-free detector: the family of
Redmon et al. 2016 with decoupled heads. DCGAN: Radford et al. 2015. ESPCN: Shi et al. 2016. Style
transfer: Johnson et al. 2016. MobileNetV1: Howard et al. 2017. EfficientNet-Lite: Tan and Le 2019,
Google 2020. NeRF: Mildenhall et al. 2020. PointNet: Qi et al. 2016.
"""
import math

import torch
from torch import nn

from layers import Embedding, Linear, Mlp, SelfAttention, as_type, causal_bias, quick_gelu
from network import Entry, Network

SOURCE = "PyTorch module of this project"


# ---- MLP-Mixer --------------------------------------------------------------------------------


class MixerLayer(nn.Module):
    def __init__(self, patches, width, token_hidden, hidden):
        super().__init__()
        self.token_norm, self.norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.tokens = Mlp(patches, token_hidden, nn.functional.gelu)
        self.channels = Mlp(width, hidden, nn.functional.gelu)

    def forward(self, x):
        x = x + self.tokens(self.token_norm(x).transpose(1, 2)).transpose(1, 2)
        return x + self.channels(self.norm(x))


class Mixer(nn.Module):
    def __init__(self, width=768, depth=12, patch=16, size=224, classes=1000):
        super().__init__()
        patches = (size // patch) ** 2
        self.stem = nn.Conv2d(3, width, patch, patch)
        self.layers = nn.Sequential(*(MixerLayer(patches, width, width // 2, 4 * width)
                                      for _ in range(depth)))
        self.norm, self.head = nn.LayerNorm(width), Linear(width, classes)

    def forward(self, image):
        x = self.stem(image).flatten(2).transpose(1, 2)
        return self.head(self.norm(self.layers(x)).mean(dim=1))


# ---- CLIP -------------------------------------------------------------------------------------


class ClipLayer(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = SelfAttention(width, heads)
        self.mlp = Mlp(width, 4 * width, quick_gelu)

    def forward(self, x, bias=None):
        x = x + self.attention(self.norm_1(x), bias)
        return x + self.mlp(self.norm_2(x))


class Clip(nn.Module):
    """Similarity of images and texts; a text's last token is the one with the highest id."""

    def __init__(self, joint=512):
        super().__init__()
        self.patches = nn.Conv2d(3, 768, 32, 32, bias=False)
        self.class_token = nn.Parameter(torch.zeros(768))
        self.image_positions = Embedding(50, 768)
        self.image_norm_1, self.image_norm_2 = nn.LayerNorm(768), nn.LayerNorm(768)
        self.image_layers = nn.ModuleList(ClipLayer(768, 12) for _ in range(12))
        self.image_head = Linear(768, joint, False)
        self.words, self.positions = Embedding(49408, 512), Embedding(77, 512)
        self.text_layers = nn.ModuleList(ClipLayer(512, 8) for _ in range(12))
        self.text_norm, self.text_head = nn.LayerNorm(512), Linear(512, joint, False)

    def image(self, pixels):
        x = self.patches(pixels).flatten(2).transpose(1, 2)
        first = self.class_token.expand(x.shape[0], 1, 768)
        x = torch.cat((first, x), dim=1) + self.image_positions.weight
        x = self.image_norm_1(x)
        for layer in self.image_layers:
            x = layer(x)
        return self.image_head(self.image_norm_2(x[:, 0]))

    def text(self, ids):
        x = self.words(ids) + self.positions(torch.arange(ids.shape[1], device=ids.device))
        bias = causal_bias(x, ids.shape[1])
        for layer in self.text_layers:
            x = layer(x, bias)
        last = torch.argmax(ids, dim=-1).view(-1, 1, 1).expand(ids.shape[0], 1, 512)
        return self.text_head(torch.gather(self.text_norm(x), 1, last).squeeze(1))

    def forward(self, pixels, ids):
        image, text = self.image(pixels), self.text(ids)
        image = image / image.norm(dim=-1, keepdim=True)
        text = text / text.norm(dim=-1, keepdim=True)
        return 100.0 * torch.matmul(image, text.t())


def clip():
    return Network(Clip(), [torch.randn(2, 3, 224, 224), torch.ones(3, 7, dtype=torch.int64)],
                   ["pixels", "input_ids"], ["logits_per_image"],
                   {"pixels": {0: "N"}, "input_ids": {0: "B", 1: "T"}}, lean=True)


# ---- denoising UNet ---------------------------------------------------------------------------


class ResidualBlock(nn.Module):
    def __init__(self, inputs, outputs, time):
        super().__init__()
        self.norm_1, self.norm_2 = nn.GroupNorm(32, inputs), nn.GroupNorm(32, outputs)
        self.conv_1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.conv_2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.time = nn.Linear(time, outputs)
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x, time):
        y = self.conv_1(nn.functional.silu(self.norm_1(x)))
        y = y + self.time(nn.functional.silu(time)).unsqueeze(-1).unsqueeze(-1)
        y = self.conv_2(nn.functional.silu(self.norm_2(y)))
        return self.skip(x) + y


class GatedMlp(nn.Module):
    """GEGLU: half of the projection gates the other half."""

    def __init__(self, width):
        super().__init__()
        self.up, self.down = nn.Linear(width, 8 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        value, gate = self.up(x).chunk(2, dim=-1)
        return self.down(value * nn.functional.gelu(gate))


class SpatialTransformer(nn.Module):
    """Self attention over pixels, cross attention to the prompt, gated MLP."""

    def __init__(self, width, heads, context):
        super().__init__()
        self.norm = nn.GroupNorm(32, width)
        self.enter, self.leave = nn.Conv2d(width, width, 1), nn.Conv2d(width, width, 1)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.own = SelfAttention(width, heads, bias=False)
        self.cross = SelfAttention(width, heads, bias=False, context_width=context)
        self.mlp = GatedMlp(width)

    def forward(self, x, context):
        batch, width, height, breadth = x.shape
        y = self.enter(self.norm(x)).flatten(2).transpose(1, 2)
        y = y + self.own(self.norms[0](y))
        y = y + self.cross(self.norms[1](y), context=context)
        y = y + self.mlp(self.norms[2](y))
        return x + self.leave(y.transpose(1, 2).reshape(batch, width, height, breadth))


class Stage(nn.Module):
    """One residual block, with attention where `heads` is not 0."""

    def __init__(self, inputs, outputs, time, heads, context):
        super().__init__()
        self.block = ResidualBlock(inputs, outputs, time)
        self.attention = SpatialTransformer(outputs, heads, context) if heads else None

    def forward(self, x, time, context):
        x = self.block(x, time)
        return x if self.attention is None else self.attention(x, context)


class DenoisingUNet(nn.Module):
    """Latent diffusion's network: predicts the noise in a latent image at a time step."""

    def __init__(self, base=160, multiples=(1, 2, 4, 4), context=768, channels=4):
        super().__init__()
        self.base, time = base, 4 * base
        self.time = nn.Sequential(nn.Linear(base, time), nn.SiLU(), nn.Linear(time, time))
        self.enter = nn.Conv2d(channels, base, 3, padding=1)
        widths = [base * m for m in multiples]
        self.down, self.shrink, self.up = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        self.grow = nn.ModuleList()
        at, skips = base, [base]
        for level, width in enumerate(widths):
            heads = 8 if level < len(widths) - 1 else 0
            for _ in range(2):
                self.down.append(Stage(at, width, time, heads, context))
                at = width
                skips.append(at)
            if level < len(widths) - 1:
                self.shrink.append(nn.Conv2d(at, at, 3, 2, 1))
                skips.append(at)
        self.middle = nn.ModuleList((Stage(at, at, time, 8, context),
                                     Stage(at, at, time, 0, context)))
        for level, width in reversed(list(enumerate(widths))):
            heads = 8 if level < len(widths) - 1 else 0
            for _ in range(3):
                self.up.append(Stage(at + skips.pop(), width, time, heads, context))
                at = width
            if level:
                self.grow.append(nn.Conv2d(at, at, 3, padding=1))
        self.norm, self.leave = nn.GroupNorm(32, at), nn.Conv2d(at, channels, 3, padding=1)

    def embed(self, timestep):
        half = self.base // 2
        rate = torch.exp(torch.arange(half, device=timestep.device) * (-math.log(10000.0) / half))
        angle = timestep.to(torch.float32).unsqueeze(1) * rate.unsqueeze(0)
        return torch.cat((torch.cos(angle), torch.sin(angle)), dim=-1)

    def forward(self, sample, timestep, context):
        time = self.time(as_type(self.embed(timestep), sample))
        x = self.enter(sample)
        skips = [x]
        for i, stage in enumerate(self.down):
            x = stage(x, time, context)
            skips.append(x)
            if i % 2 == 1 and i // 2 < len(self.shrink):
                x = self.shrink[i // 2](x)
                skips.append(x)
        for stage in self.middle:
            x = stage(x, time, context)
        for i, stage in enumerate(self.up):
            x = stage(torch.cat((x, skips.pop()), dim=1), time, context)
            if i % 3 == 2 and i // 3 < len(self.grow):
                x = self.grow[i // 3](nn.functional.interpolate(x, scale_factor=2.0))
        return self.leave(nn.functional.silu(self.norm(x)))


def denoising_unet():
    inputs = [torch.randn(2, 4, 16, 24), torch.ones(2, dtype=torch.int64), torch.randn(2, 5, 768)]
    return Network(DenoisingUNet(), inputs, ["sample", "timestep", "encoder_hidden_states"],
                   ["noise"],
                   {"sample": {0: "N", 2: "H", 3: "W"}, "timestep": {0: "N"},
                    "encoder_hidden_states": {0: "N", 1: "S"}})


# ---- smaller ones -----------------------------------------------------------------------------


def double_conv(inputs, outputs):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs),
                         nn.ReLU(), nn.Conv2d(outputs, outputs, 3, padding=1),
                         nn.BatchNorm2d(outputs), nn.ReLU())


class UNet(nn.Module):
    """Encoder and decoder with skip connections; padded, so that sizes stay."""

    def __init__(self, base=64, classes=2):
        super().__init__()
        widths = [base * 2 ** i for i in range(5)]
        self.down = nn.ModuleList(double_conv(i, o) for i, o in zip([3] + widths, widths))
        self.grow = nn.ModuleList(nn.ConvTranspose2d(i, o, 2, 2)
                                  for i, o in zip(widths[:0:-1], widths[-2::-1]))
        self.up = nn.ModuleList(double_conv(2 * w, w) for w in widths[-2::-1])
        self.head = nn.Conv2d(base, classes, 1)

    def forward(self, x):
        skips = []
        for i, block in enumerate(self.down):
            x = block(x if i == 0 else nn.functional.max_pool2d(x, 2))
            skips.append(x)
        for grow, block, skip in zip(self.grow, self.up, skips[-2::-1]):
            x = block(torch.cat((skip, grow(x)), dim=1))
        return self.head(x)


def unit(inputs, outputs, kernel=3, stride=1):
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
                         nn.BatchNorm2d(outputs), nn.SiLU())


class CrossStage(nn.Module):
    """Half of the channels pass through bottlenecks, and every intermediate result is kept."""

    def __init__(self, inputs, outputs, depth, residual):
        super().__init__()
        self.half, self.residual = outputs // 2, residual
        self.enter = unit(inputs, outputs, 1)
        self.blocks = nn.ModuleList(nn.Sequential(unit(self.half, self.half),
                                                  unit(self.half, self.half))
                                    for _ in range(depth))
        self.leave = unit((2 + depth) * self.half, outputs, 1)

    def forward(self, x):
        parts = list(torch.split(self.enter(x), self.half, dim=1))
        for block in self.blocks:
            y = block(parts[-1])
            parts.append(parts[-1] + y if self.residual else y)
        return self.leave(torch.cat(parts, dim=1))


class PyramidPool(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.enter, self.leave = unit(width, width // 2, 1), unit(2 * width, width, 1)
        self.pool = nn.MaxPool2d(5, 1, 2)

    def forward(self, x):
        parts = [self.enter(x)]
        for _ in range(3):
            parts.append(self.pool(parts[-1]))
        return self.leave(torch.cat(parts, dim=1))


class Detector(nn.Module):
    """Anchor-free one-stage detector on three scales, small size; box sides as distributions."""

    def __init__(self, classes=80, bins=16, widths=(32, 64, 128, 256, 512)):
        super().__init__()
        self.bins, w = bins, widths
        self.stem = nn.Sequential(unit(3, w[0], 3, 2), unit(w[0], w[1], 3, 2),
                                  CrossStage(w[1], w[1], 1, True))
        self.p3 = nn.Sequential(unit(w[1], w[2], 3, 2), CrossStage(w[2], w[2], 2, True))
        self.p4 = nn.Sequential(unit(w[2], w[3], 3, 2), CrossStage(w[3], w[3], 2, True))
        self.p5 = nn.Sequential(unit(w[3], w[4], 3, 2), CrossStage(w[4], w[4], 1, True),
                                PyramidPool(w[4]))
        self.up4 = CrossStage(w[4] + w[3], w[3], 1, False)
        self.up3 = CrossStage(w[3] + w[2], w[2], 1, False)
        self.shrink3, self.down4 = unit(w[2], w[2], 3, 2), CrossStage(w[2] + w[3], w[3], 1, False)
        self.shrink4, self.down5 = unit(w[3], w[3], 3, 2), CrossStage(w[3] + w[4], w[4], 1, False)
        self.boxes = nn.ModuleList(nn.Sequential(unit(c, 64), unit(64, 64),
                                                 nn.Conv2d(64, 4 * bins, 1)) for c in w[2:])
        self.scores = nn.ModuleList(nn.Sequential(unit(c, 128), unit(128, 128),
                                                  nn.Conv2d(128, classes, 1)) for c in w[2:])

    def pyramid(self, image):
        p3 = self.p3(self.stem(image))
        p4 = self.p4(p3)
        p5 = self.p5(p4)
        grow = nn.functional.interpolate
        n4 = self.up4(torch.cat((grow(p5, scale_factor=2.0), p4), dim=1))
        n3 = self.up3(torch.cat((grow(n4, scale_factor=2.0), p3), dim=1))
        n4 = self.down4(torch.cat((self.shrink3(n3), n4), dim=1))
        return n3, n4, self.down5(torch.cat((self.shrink4(n4), p5), dim=1))

    def forward(self, image):
        levels = self.pyramid(image)
        boxes = torch.cat([b(x).flatten(2) for b, x in zip(self.boxes, levels)], dim=2)
        scores = torch.cat([s(x).flatten(2) for s, x in zip(self.scores, levels)], dim=2)
        batch, _, places = boxes.shape
        sides = torch.softmax(boxes.view(batch, 4, self.bins, places), dim=2)
        distance = (sides * torch.arange(self.bins, device=image.device).view(1, 1, -1, 1)).sum(dim=2)
        return distance, torch.sigmoid(scores)


class Generator(nn.Module):
    """DCGAN's generator: 100 numbers to a 64 x 64 image."""

    def __init__(self, width=64):
        super().__init__()
        layers, at = [], 100
        for i, outputs in enumerate((8 * width, 4 * width, 2 * width, width)):
            layers += [nn.ConvTranspose2d(at, outputs, 4, 2 if i else 1, 1 if i else 0, bias=False),
                       nn.BatchNorm2d(outputs), nn.ReLU()]
            at = outputs
        self.layers = nn.Sequential(*layers, nn.ConvTranspose2d(at, 3, 4, 2, 1), nn.Tanh())

    def forward(self, noise):
        return self.layers(noise.unsqueeze(-1).unsqueeze(-1))


class SuperResolution(nn.Module):
    """ESPCN: three convolutions on the small image, then pixel shuffle."""

    def __init__(self, factor=3):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(1, 64, 5, padding=2), nn.Tanh(),
                                    nn.Conv2d(64, 32, 3, padding=1), nn.Tanh(),
                                    nn.Conv2d(32, factor ** 2, 3, padding=1),
                                    nn.PixelShuffle(factor), nn.Sigmoid())

    def forward(self, image):
        return self.layers(image)


class StyleConv(nn.Module):
    def __init__(self, inputs, outputs, kernel, stride=1):
        super().__init__()
        self.pad = nn.ReflectionPad2d(kernel // 2)
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride)
        self.norm = nn.InstanceNorm2d(outputs, affine=True)

    def forward(self, x):
        return self.norm(self.conv(self.pad(x)))


class StyleTransfer(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.ModuleList((StyleConv(3, 32, 9), StyleConv(32, 64, 3, 2),
                                   StyleConv(64, 128, 3, 2)))
        self.blocks = nn.ModuleList(nn.Sequential(StyleConv(128, 128, 3), nn.ReLU(),
                                                  StyleConv(128, 128, 3)) for _ in range(5))
        self.up = nn.ModuleList((StyleConv(128, 64, 3), StyleConv(64, 32, 3)))
        self.leave = nn.Sequential(nn.ReflectionPad2d(4), nn.Conv2d(32, 3, 9))

    def forward(self, image):
        x = image
        for conv in self.down:
            x = torch.relu(conv(x))
        for block in self.blocks:
            x = x + block(x)
        for conv in self.up:
            x = torch.relu(conv(nn.functional.interpolate(x, scale_factor=2.0)))
        return self.leave(x)


class Nerf(nn.Module):
    """Colour and density of points seen from directions, with positional encoding in the graph."""

    def __init__(self, width=256, octaves=10, view_octaves=4):
        super().__init__()
        self.octaves, self.view_octaves = octaves, view_octaves
        point, view = 3 + 6 * octaves, 3 + 6 * view_octaves
        self.first = nn.ModuleList(nn.Linear(point if i == 0 else width, width) for i in range(5))
        self.second = nn.ModuleList(nn.Linear(width + point if i == 0 else width, width)
                                    for i in range(3))
        self.density, self.feature = nn.Linear(width, 1), nn.Linear(width, width)
        self.view, self.colour = nn.Linear(width + view, width // 2), nn.Linear(width // 2, 3)

    @staticmethod
    def encode(x, octaves):
        parts = [x]
        for i in range(octaves):
            parts += [torch.sin(x * 2.0 ** i), torch.cos(x * 2.0 ** i)]
        return torch.cat(parts, dim=-1)

    def forward(self, points, directions):
        start = self.encode(points, self.octaves)
        x = start
        for layer in self.first:
            x = torch.relu(layer(x))
        x = torch.cat((x, start), dim=-1)
        for layer in self.second:
            x = torch.relu(layer(x))
        view = self.encode(directions, self.view_octaves)
        y = torch.relu(self.view(torch.cat((self.feature(x), view), dim=-1)))
        return torch.sigmoid(self.colour(y)), torch.relu(self.density(x))


class PointNet(nn.Module):
    """Classification of a cloud of points, with the learned 3 x 3 alignment."""

    def __init__(self, classes=40):
        super().__init__()
        self.align = self.tower((3, 64, 128, 1024))
        self.align_head = self.head((1024, 512, 256, 9))
        self.tower_1, self.tower_2 = self.tower((3, 64, 64)), self.tower((64, 64, 128, 1024))
        self.scores = self.head((1024, 512, 256, classes))

    @staticmethod
    def tower(widths):
        return nn.Sequential(*(layer for i, o in zip(widths, widths[1:])
                               for layer in (nn.Conv1d(i, o, 1), nn.BatchNorm1d(o), nn.ReLU())))

    @staticmethod
    def head(widths):
        layers = [layer for i, o in zip(widths, widths[1:]) for layer in (nn.Linear(i, o),
                                                                          nn.ReLU())]
        return nn.Sequential(*layers[:-1])

    def forward(self, points):
        turn = self.align_head(self.align(points).max(dim=2)[0]).view(-1, 3, 3)
        turn = turn + torch.eye(3, device=turn.device, dtype=turn.dtype)
        x = torch.bmm(turn, points)
        x = self.tower_2(self.tower_1(x)).max(dim=2)[0]
        return torch.log_softmax(self.scores(x), dim=1)


class MobileNetV1(nn.Module):
    """Depthwise and pointwise convolutions; ReLU6."""

    def __init__(self, factor=1.0, classes=1000):
        super().__init__()
        plan = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1), (512, 1),
                (512, 1), (512, 1), (512, 1), (1024, 2), (1024, 1))
        at = int(32 * factor)
        layers = [small_unit(3, at, 3, 2)]
        for outputs, stride in plan:
            layers += [small_unit(at, at, 3, stride, at), small_unit(at, int(outputs * factor), 1)]
            at = int(outputs * factor)
        self.layers, self.head = nn.Sequential(*layers), nn.Linear(at, classes)

    def forward(self, x):
        return self.head(self.layers(x).mean(dim=(2, 3)))


def small_unit(inputs, outputs, kernel=3, stride=1, groups=1, active=True):
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups,
                                   bias=False), nn.BatchNorm2d(outputs),
                         nn.ReLU6() if active else nn.Identity())


class InvertedResidual(nn.Module):
    def __init__(self, inputs, outputs, kernel, stride, expand):
        super().__init__()
        hidden = inputs * expand
        self.residual = stride == 1 and inputs == outputs
        self.layers = nn.Sequential(
            *([small_unit(inputs, hidden, 1)] if expand > 1 else []),
            small_unit(hidden, hidden, kernel, stride, hidden),
            small_unit(hidden, outputs, 1, active=False))

    def forward(self, x):
        return x + self.layers(x) if self.residual else self.layers(x)


class EfficientNetLite(nn.Module):
    """EfficientNet without squeeze and excitation, ReLU6; stem, head and the depths of the first
    and the last stage are not scaled."""

    def __init__(self, wide=1.0, deep=1.0, classes=1000):
        super().__init__()
        stages = ((16, 3, 1, 1, 1), (24, 3, 2, 6, 2), (40, 5, 2, 6, 2), (80, 3, 2, 6, 3),
                  (112, 5, 1, 6, 3), (192, 5, 2, 6, 4), (320, 3, 1, 6, 1))
        layers, at = [small_unit(3, 32, 3, 2)], 32
        for i, (outputs, kernel, stride, expand, depth) in enumerate(stages):
            outputs = self.rounded(outputs * wide)
            depth = depth if i in (0, len(stages) - 1) else math.ceil(depth * deep)
            for k in range(depth):
                layers.append(InvertedResidual(at, outputs, kernel, stride if k == 0 else 1,
                                               expand))
                at = outputs
        self.layers = nn.Sequential(*layers, small_unit(at, 1280, 1))
        self.head = nn.Linear(1280, classes)

    @staticmethod
    def rounded(channels):
        """To a multiple of 8, at least nine tenths."""
        near = max(8, int(channels + 4) // 8 * 8)
        return near + 8 if near < 0.9 * channels else near

    def forward(self, x):
        return self.head(self.layers(x).mean(dim=(2, 3)))


def image(module, height, width, channels=3, moving=False, opset=17, **arguments):
    axes = {0: "N", 2: "H", 3: "W"} if moving else {0: "N"}
    return Network(module(**arguments), [torch.randn(2, channels, height, width)], ["input"],
                   None, {"input": axes}, opset)


def points():
    return Network(Nerf(), [torch.randn(6, 3), torch.randn(6, 3)], ["points", "directions"],
                   ["colour", "density"], {"points": {0: "R"}, "directions": {0: "R"}}, opset=14)


def cloud():
    return Network(PointNet(), [torch.randn(2, 3, 32)], ["points"], ["log_probabilities"],
                   {"points": {0: "N", 2: "P"}}, opset=13)


def noise():
    return Network(Generator(), [torch.randn(2, 100)], ["noise"], ["image"], {"noise": {0: "N"}},
                   opset=13)


def lite(name, wide, deep, size):
    return Entry(f"efficientnet_lite{name}", "image-classification", f"EfficientNet-Lite{name} at "
                 f"{size} x {size}", SOURCE, {"N": 1}, f"N x 3 x {size} x {size} image",
                 lambda: image(EfficientNetLite, size, size, wide=wide, deep=deep))


def mobilenet_v1(name, factor):
    return Entry(f"mobilenet_v1_{name}", "image-classification", f"MobileNetV1, width {factor}",
                 SOURCE, {"N": 1}, "N x 3 x 224 x 224 image",
                 lambda: image(MobileNetV1, 224, 224, factor=factor))


ENTRIES = [
    lite(0, 1.0, 1.0, 224), lite(1, 1.0, 1.1, 240), lite(2, 1.1, 1.2, 260),
    lite(3, 1.2, 1.4, 280), lite(4, 1.4, 1.8, 300),
    mobilenet_v1("0_5", 0.5), mobilenet_v1("1_0", 1.0),
    Entry("mixer_b16", "image-classification", "MLP-Mixer, base, patches of 16", SOURCE, {"N": 1},
          "N x 3 x 224 x 224 image", lambda: image(Mixer, 224, 224)),
    Entry("clip_vit_b_32", "image-text", "CLIP with a ViT-B/32 image tower and its text tower",
          SOURCE, {"N": 1, "B": 2, "T": 77}, "N images of 224 x 224, B texts of T token ids", clip),
    Entry("unet_diffusion", "image-generation", "Denoising UNet of latent diffusion: time "
          "embedding, self and cross attention", SOURCE, {"N": 1, "H": 64, "W": 64, "S": 77},
          "N x 4 x H x W latents (H, W multiples of 8), time steps, N x S x 768 prompt states",
          denoising_unet),
    Entry("unet_segmentation", "segmentation", "U-Net with transposed convolutions", SOURCE,
          {"N": 1, "H": 256, "W": 256}, "N x 3 x H x W image, H and W multiples of 16",
          lambda: image(UNet, 64, 96, moving=True, opset=13)),
    Entry("detector_s", "object-detection", "Anchor-free one-stage detector, small, three scales, "
          "raw outputs", SOURCE, {"N": 1, "H": 640, "W": 640},
          "N x 3 x H x W image, H and W multiples of 32",
          lambda: image(Detector, 64, 96, moving=True, opset=13)),
    Entry("dcgan", "image-generation", "DCGAN generator", SOURCE, {"N": 1}, "N x 100 noise", noise),
    Entry("espcn_x3", "super-resolution", "ESPCN, three-fold", SOURCE,
          {"N": 1, "H": 224, "W": 224}, "N x 1 x H x W luminance",
          lambda: image(SuperResolution, 32, 48, channels=1, moving=True, opset=13)),
    Entry("style_transfer", "style-transfer", "Fast style transfer with instance normalisation",
          SOURCE, {"N": 1}, "N x 3 x 256 x 256 image",
          lambda: image(StyleTransfer, 256, 256, opset=13)),
    Entry("nerf", "rendering", "NeRF's network with positional encoding", SOURCE, {"R": 4096},
          "R points and directions", points),
    Entry("pointnet", "point-cloud", "PointNet classification", SOURCE, {"N": 1, "P": 1024},
          "N x 3 x P points", cloud),
]
