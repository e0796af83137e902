# SPDX-License-Identifier: Apache-2.0
"""Networks as the Caffe model zoo has them, where torchvision's of the same name differ. Benchmarks
of mobile runtimes run these: AlexNet with grouped convolutions and local response normalisation
(Krizhevsky et al., 2012), GoogLeNet with 5 x 5 convolutions (Szegedy et al., 2014), ResNet-50 with
the stride in the first convolution of a block (He et al., 2015)."""
import torch
import torchvision
from torch import nn

from network import Entry, Network

SOURCE = "PyTorch module of this project"


def network(module, size):
    return Network(module=module, inputs=[torch.randn(2, 3, size, size)], input_names=["input"],
                   output_names=["output"], dynamic_axes={"input": {0: "N"}, "output": {0: "N"}},
                   opset=13)


class LrnFunction(torch.autograd.Function):
    """Exported as the one operator that it is."""

    @staticmethod
    def forward(ctx, x):
        return nn.functional.local_response_norm(x, 5, 1e-4, 0.75, 1.0)

    @staticmethod
    def symbolic(g, x):
        return g.op("LRN", x, size_i=5, alpha_f=1e-4, beta_f=0.75, bias_f=1.0).setType(x.type())


class Lrn(nn.Module):
    def forward(self, x):
        return LrnFunction.apply(x)


def conv(inputs, outputs, kernel, stride=1, padding=0, groups=1):
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups),
                         nn.ReLU())


def pool():
    return nn.MaxPool2d(3, 2, ceil_mode=True)


def alexnet():
    return nn.Sequential(
        conv(3, 96, 11, 4), Lrn(), pool(),
        conv(96, 256, 5, 1, 2, 2), Lrn(), pool(),
        conv(256, 384, 3, 1, 1), conv(384, 384, 3, 1, 1, 2), conv(384, 256, 3, 1, 1, 2), pool(),
        nn.Flatten(), nn.Linear(9216, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU(),
        nn.Linear(4096, 1000), nn.Softmax(1))


class Inception(nn.Module):
    """Four branches of 1 x 1, 3 x 3, 5 x 5 convolutions and a pooled one."""

    def __init__(self, inputs, one, reduce3, three, reduce5, five, pooled):
        super().__init__()
        self.one = conv(inputs, one, 1)
        self.three = nn.Sequential(conv(inputs, reduce3, 1), conv(reduce3, three, 3, 1, 1))
        self.five = nn.Sequential(conv(inputs, reduce5, 1), conv(reduce5, five, 5, 1, 2))
        self.pooled = nn.Sequential(nn.MaxPool2d(3, 1, 1), conv(inputs, pooled, 1))

    def forward(self, x):
        return torch.cat([self.one(x), self.three(x), self.five(x), self.pooled(x)], 1)


def googlenet():
    return nn.Sequential(
        conv(3, 64, 7, 2, 3), pool(), Lrn(),
        conv(64, 64, 1), conv(64, 192, 3, 1, 1), Lrn(), pool(),
        Inception(192, 64, 96, 128, 16, 32, 32), Inception(256, 128, 128, 192, 32, 96, 64), pool(),
        Inception(480, 192, 96, 208, 16, 48, 64), Inception(512, 160, 112, 224, 24, 64, 64),
        Inception(512, 128, 128, 256, 24, 64, 64), Inception(512, 112, 144, 288, 32, 64, 64),
        Inception(528, 256, 160, 320, 32, 128, 128), pool(),
        Inception(832, 256, 160, 320, 32, 128, 128), Inception(832, 384, 192, 384, 48, 128, 128),
        nn.AvgPool2d(7), nn.Flatten(), nn.Linear(1024, 1000), nn.Softmax(1))


def resnet50_v1():
    model = torchvision.models.resnet50(weights=None)
    for block in (model.layer2[0], model.layer3[0], model.layer4[0]):
        block.conv1.stride, block.conv2.stride = block.conv2.stride, block.conv1.stride
    return model


def classifier(name, description, build, size=224):
    return Entry(name, "image-classification", description, SOURCE, {"N": 1},
                 f"N x 3 x {size} x {size} image", lambda: network(build(), size))


ENTRIES = [
    classifier("alexnet_caffe", "AlexNet as published: two groups, local response normalisation",
               alexnet, 227),
    classifier("googlenet_caffe", "GoogLeNet as published: 5 x 5 convolutions, local response "
               "normalisation, without auxiliary heads", googlenet),
    classifier("resnet50_v1", "ResNet-50 as published (stride in the first convolution of a block)",
               resnet50_v1),
]
