# SPDX-License-Identifier: Apache-2.0
"""Networks taken from torchvision, untouched."""
import torch
import torchvision

from network import Entry, Network

SOURCE = "torchvision 0.14"


def image_network(build, size, opset, **arguments):
    """One image input, one score output, dynamic batch."""
    return Network(module=build(weights=None, **arguments),
                   inputs=[torch.randn(2, 3, size, size)], input_names=["input"],
                   output_names=["output"], dynamic_axes={"input": {0: "N"}, "output": {0: "N"}},
                   opset=opset)


def classifier(name, description, size=224, opset=13, **arguments):
    build = getattr(torchvision.models, name)
    return Entry(name, "image-classification", description, SOURCE, {"N": 1},
                 f"N x 3 x {size} x {size} image, normalised",
                 lambda: image_network(build, size, opset, **arguments))


CLASSIFIERS = [
    classifier("alexnet", "AlexNet"),
    classifier("convnext_tiny", "ConvNeXt, tiny", opset=17),
    classifier("densenet121", "DenseNet-121"),
    classifier("efficientnet_b0", "EfficientNet-B0"),
    classifier("efficientnet_b4", "EfficientNet-B4 at 224 x 224"),
    classifier("efficientnet_v2_s", "EfficientNetV2, small, at 224 x 224"),
    classifier("googlenet", "GoogLeNet (Inception v1), without auxiliary heads",
               init_weights=False, aux_logits=True),
    classifier("inception_v3", "Inception v3, without auxiliary head", 299,
               init_weights=False, aux_logits=True),
    classifier("maxvit_t", "MaxViT, tiny: convolution, block and grid attention", opset=17),
    classifier("mnasnet1_0", "MNASNet, width 1.0"),
    classifier("mobilenet_v2", "MobileNetV2"),
    classifier("mobilenet_v3_large", "MobileNetV3, large", opset=14),
    classifier("mobilenet_v3_small", "MobileNetV3, small", opset=14),
    classifier("regnet_x_400mf", "RegNetX, 400 MF"),
    classifier("regnet_y_8gf", "RegNetY, 8 GF, with squeeze and excitation"),
    classifier("resnet18", "ResNet-18"),
    classifier("resnet34", "ResNet-34"),
    classifier("resnet50", "ResNet-50 v1.5 (stride in the 3 x 3 convolution)"),
    classifier("resnet101", "ResNet-101"),
    classifier("resnet152", "ResNet-152"),
    classifier("resnext50_32x4d", "ResNeXt-50, 32 groups of 4"),
    classifier("shufflenet_v2_x1_0", "ShuffleNetV2, width 1.0"),
    classifier("squeezenet1_0", "SqueezeNet 1.0"),
    classifier("squeezenet1_1", "SqueezeNet 1.1"),
    classifier("swin_t", "Swin Transformer, tiny", opset=17),
    classifier("swin_v2_t", "Swin Transformer V2, tiny", 256, opset=17),
    classifier("vgg11", "VGG-11"),
    classifier("vgg16", "VGG-16"),
    classifier("vgg19", "VGG-19"),
    classifier("vit_b_16", "Vision Transformer, base, patches of 16", opset=17),
    classifier("vit_b_32", "Vision Transformer, base, patches of 32", opset=17),
    classifier("vit_l_16", "Vision Transformer, large, patches of 16", opset=17),
    classifier("wide_resnet50_2", "Wide ResNet-50, twice the width"),
]

ENTRIES = CLASSIFIERS
