# SPDX-License-Identifier: Apache-2.0
"""Networks taken from torchvision, untouched."""
import torch
import torchvision

from network import Entry, Network
from quantize import to_qdq

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
    classifier("vgg11", "VGG-11"),
    classifier("vgg16", "VGG-16"),
    classifier("vgg19", "VGG-19"),
    classifier("vit_b_16", "Vision Transformer, base, patches of 16", opset=17),
    classifier("vit_b_32", "Vision Transformer, base, patches of 32", opset=17),
    classifier("vit_l_16", "Vision Transformer, large, patches of 16", opset=17),
    classifier("wide_resnet50_2", "Wide ResNet-50, twice the width"),
]


# ---- segmentation, detection, video -----------------------------------------------------------


class Dense(torch.nn.Module):
    """A segmentation network that returns its main output alone."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, image):
        return self.network(image)["out"]


def segmentation(name, description):
    build = getattr(torchvision.models.segmentation, name)

    def network():
        return Network(Dense(build(weights=None, weights_backbone=None)),
                       [torch.randn(2, 3, 224, 224)], ["input"], ["output"], {"input": {0: "N"}},
                       opset=13)
    return Entry(name, "segmentation", description, SOURCE, {"N": 1},
                 "N x 3 x 224 x 224 image, normalised", network)


class RawDetector(torch.nn.Module):
    """Backbone, pyramid and heads of a one-stage detector, without boxes' selection."""

    def __init__(self, detector):
        super().__init__()
        self.backbone, self.head = detector.backbone, detector.head

    def forward(self, image):
        heads = self.head(list(self.backbone(image).values()))
        return heads["cls_logits"], heads["bbox_regression"]


class FullDetector(torch.nn.Module):
    """One image in; boxes, labels, scores out, selection by non-maximum suppression included."""

    def __init__(self, detector):
        super().__init__()
        self.detector = detector

    def forward(self, image):
        found = self.detector([image[0]])[0]
        return found["boxes"], found["labels"], found["scores"]


def raw_detector(name, build, description, size):
    def network():
        detector = build(weights=None, weights_backbone=None)
        return Network(RawDetector(detector), [torch.randn(2, 3, size, size)], ["input"],
                       ["class_logits", "box_regression"], {"input": {0: "N"}}, opset=13)
    return Entry(name, "object-detection", description, SOURCE, {"N": 1},
                 f"N x 3 x {size} x {size} image, normalised", network)


def full_detector(name, build, description, size, **arguments):
    def network():
        detector = build(weights=None, weights_backbone=None, **arguments)
        return Network(FullDetector(detector), [torch.rand(1, 3, size, size)], ["input"],
                       ["boxes", "labels", "scores"], opset=13, randomize=False)
    return Entry(name, "object-detection", description, SOURCE, {},
                 f"one 3 x {size} x {size} image, values 0 to 1; number of boxes depends on data",
                 network)


def video(name, description):
    build = getattr(torchvision.models.video, name)

    def network():
        return Network(build(weights=None), [torch.randn(2, 3, 16, 112, 112)], ["input"],
                       ["output"], {"input": {0: "N"}}, opset=13)
    return Entry(name, "video-classification", description, SOURCE, {"N": 1},
                 "N x 3 x 16 x 112 x 112 clip, normalised", network)


def batch_norm(name):
    """The same network with its BatchNormalization kept, as eager runtimes execute it."""
    build = getattr(torchvision.models, name)

    def network():
        net = image_network(build, 224, 13)
        net.keep_batch_norm = True
        return net
    return Entry(name + "_bn", "image-classification", f"{name} with BatchNormalization not folded "
                 "into the convolutions", SOURCE, {"N": 1}, "N x 3 x 224 x 224 image, normalised",
                 network)


def quantized(name):
    """int8 through QuantizeLinear and DequantizeLinear."""
    build = getattr(torchvision.models, name)

    def network():
        net = image_network(build, 224, 13)
        net.rewrite = to_qdq
        return net
    return Entry(name + "_int8", "image-classification", f"{name}, int8: QuantizeLinear and "
                 "DequantizeLinear around every operator", SOURCE, {"N": 1},
                 "N x 3 x 224 x 224 image, normalised", network)


_detection = torchvision.models.detection

ENTRIES = CLASSIFIERS + [
    batch_norm("resnet18"),
    batch_norm("mobilenet_v2"),
    quantized("resnet18"),
    quantized("resnet50"),
    quantized("mobilenet_v2"),
    segmentation("deeplabv3_resnet50", "DeepLabV3 with ResNet-50: dilated convolutions"),
    segmentation("fcn_resnet50", "Fully convolutional network with ResNet-50"),
    segmentation("lraspp_mobilenet_v3_large", "Lite R-ASPP with MobileNetV3"),
    raw_detector("retinanet_resnet50_fpn", _detection.retinanet_resnet50_fpn,
                 "RetinaNet with ResNet-50 and feature pyramid, raw heads", 640),
    full_detector("ssdlite320_mobilenet_v3_large", _detection.ssdlite320_mobilenet_v3_large,
                  "SSDLite with MobileNetV3, boxes selected in the graph", 320),
    full_detector("fasterrcnn_mobilenet_v3_large_320",
                  _detection.fasterrcnn_mobilenet_v3_large_320_fpn,
                  "Faster R-CNN with MobileNetV3 and feature pyramid, boxes selected in the graph",
                  320),
    video("r3d_18", "ResNet-18 with 3-D convolutions"),
    video("mc3_18", "ResNet-18, 3-D then 2-D convolutions"),
    video("r2plus1d_18", "ResNet-18 with (2+1)-D convolutions"),
]
