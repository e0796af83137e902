# SPDX-License-Identifier: Apache-2.0
"""Quantised forms of an exported graph, as ONNX Runtime's tools write them.

`to_qdq`: int8 activations and per-channel int8 weights through QuantizeLinear/DequantizeLinear
pairs around convolutions, matrix products, additions and poolings; biases are int32 with scale
input x weight. `to_4_bit`: weights of MatMul in blocks of 32 (com.microsoft MatMulNBits). Scales
are plausible constants, not calibrated: the zoo describes work, not accuracy.
"""
import numpy
from onnx import TensorProto, helper, numpy_helper

ACTIVATION_SCALE = numpy.float32(0.02)
QUANTIZED = {"Conv", "Gemm", "Add", "GlobalAveragePool", "MaxPool"}


class _Quantizer:
    def __init__(self, model):
        self.graph = model.graph
        self.weights = {t.name: t for t in self.graph.initializer}
        self.nodes, self.added, self.replaced, self.done = [], [], set(), {}

    def constant(self, array, name):
        self.added.append(numpy_helper.from_array(array, name))
        return name

    def pair(self, name):
        """Quantise and dequantise an activation, once per tensor."""
        if name not in self.done:
            scale = self.constant(numpy.array(ACTIVATION_SCALE), name + "_scale")
            zero = self.constant(numpy.array(0, numpy.int8), name + "_zero_point")
            self.nodes.append(helper.make_node("QuantizeLinear", [name, scale, zero],
                                               [name + "_q"], name + "_QuantizeLinear"))
            self.nodes.append(helper.make_node("DequantizeLinear", [name + "_q", scale, zero],
                                               [name + "_dq"], name + "_DequantizeLinear"))
            self.done[name] = name + "_dq"
        return self.done[name]

    def dequantized(self, name, scales):
        """Stores an initializer as integers: weights int8, biases int32, by output channel."""
        values = numpy_helper.to_array(self.weights[name])
        shape = [-1] + [1] * (values.ndim - 1)
        kind, limit = (numpy.int32, 2 ** 31 - 1) if values.ndim == 1 else (numpy.int8, 127)
        levels = numpy.clip(numpy.rint(values / scales.reshape(shape)), -limit, limit)
        stored = self.constant(levels.astype(kind), name + "_quantized")
        scale = self.constant(scales, name + "_scale")
        self.nodes.append(helper.make_node("DequantizeLinear", [stored, scale], [name + "_dq"],
                                           name + "_DequantizeLinear", axis=0))
        self.replaced.add(name)
        return name + "_dq"

    def rewrite(self, node):
        if node.op_type in ("Conv", "Gemm"):
            weight = numpy_helper.to_array(self.weights[node.input[1]])
            peak = numpy.abs(weight.reshape(weight.shape[0], -1)).max(axis=1)
            scales = (peak / 127).astype(numpy.float32)
            node.input[0] = self.pair(node.input[0])
            if len(node.input) > 2:
                node.input[2] = self.dequantized(node.input[2], scales * ACTIVATION_SCALE)
            node.input[1] = self.dequantized(node.input[1], scales)
        elif node.op_type in QUANTIZED:
            for slot, name in enumerate(node.input):
                node.input[slot] = self.pair(name)
        self.nodes.append(node)

    def run(self):
        for node in list(self.graph.node):
            clone = type(node)()
            clone.CopyFrom(node)
            self.rewrite(clone)
        kept = [t for t in self.graph.initializer if t.name not in self.replaced]
        del self.graph.node[:]
        self.graph.node.extend(self.nodes)
        kept = [numpy_helper.from_array(numpy_helper.to_array(t), t.name) for t in kept]
        del self.graph.initializer[:]
        self.graph.initializer.extend(kept + self.added)


def to_qdq(model):
    _Quantizer(model).run()
    return model


def to_4_bit(model, block=32):
    """Shapes only: the weights of the result have no values."""
    graph = model.graph
    weights = {t.name: t for t in graph.initializer}
    for node in graph.node:
        weight = weights.get(node.input[1]) if node.op_type == "MatMul" else None
        if weight is None:
            continue
        inner, outer = weight.dims
        blocks = (inner + block - 1) // block
        scales = graph.initializer.add()
        scales.name, scales.data_type = weight.name + "_scales", TensorProto.FLOAT
        scales.dims.extend([outer * blocks])
        weight.data_type = TensorProto.UINT8
        del weight.dims[:]
        weight.dims.extend([outer, blocks, block // 2])
        node.op_type, node.domain = "MatMulNBits", "com.microsoft"
        node.input.append(scales.name)
        node.attribute.extend(helper.make_attribute(key, value) for key, value in
                              (("K", inner), ("N", outer), ("bits", 4), ("block_size", block)))
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return model
