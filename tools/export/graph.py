# SPDX-License-Identifier: Apache-2.0
"""Graphs written node by node, in the form that ONNX Runtime's own exporters give large
transformers: fused attention and normalisation (domain com.microsoft), fp16 weights. A layer is a
dozen nodes instead of a hundred, so a network of ten billion parameters is a small file.
"""
from onnx import TensorProto, helper

from network import Network

HALF = TensorProto.FLOAT16


def size_of(shape):
    count = 1
    for dim in shape:
        count *= dim
    return count


class Graph:
    """Nodes in order. Every method returns the name of its result."""

    def __init__(self):
        self.nodes, self.initializers, self.inputs, self.outputs = [], [], [], []

    def input(self, name, shape, kind=HALF):
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def output(self, name, shape, kind=HALF):
        self.outputs.append(helper.make_tensor_value_info(name, kind, shape))

    def weight(self, name, *shape):
        tensor = TensorProto(name=name, data_type=HALF, dims=shape)
        if 2 * size_of(shape) <= 256:  # small ones stay in the file (strip.py)
            tensor.raw_data = b"\0\x3c" * size_of(shape)
        self.initializers.append(tensor)
        return name

    def ints(self, name, values):
        self.initializers.append(helper.make_tensor(name, TensorProto.INT64, [len(values)], values))
        return name

    def node(self, op, name, inputs, outputs=None, fused=False, **attributes):
        names = outputs or [name]
        self.nodes.append(helper.make_node(op, inputs, names, name,
                                           domain="com.microsoft" if fused else "", **attributes))
        return names[0]

    # ---- what networks are made of ----

    def linear(self, name, x, inputs, outputs, bias=True):
        weight = self.weight(name + ".weight", inputs, outputs)
        x = self.node("MatMul", name + "/MatMul", [x, weight])
        return self.node("Add", name + "/Add",
                         [x, self.weight(name + ".bias", outputs)]) if bias else x

    def rms_norm(self, name, x, width):
        return self.node("SimplifiedLayerNormalization", name,
                         [x, self.weight(name + ".weight", width)], axis=-1, epsilon=1e-6)

    def add_rms_norm(self, name, x, skip, width):
        """(normalised sum, sum)."""
        self.node("SkipSimplifiedLayerNormalization", name,
                  [x, skip, self.weight(name + ".weight", width)],
                  [name, "", "", name + "_sum"], fused=True, epsilon=1e-6)
        return name, name + "_sum"

    def eager_head_norm(self, name, x, heads, head_width):
        """As head_norm, operator by operator, as PyTorch runs it."""
        x = self.node("Reshape", name + "/split",
                      [x, self.ints(name + ".split", [0, 0, heads, head_width])])
        y = self.node("ReduceMean", name + "/mean", [self.node("Mul", name + "/square", [x, x])],
                      axes=[-1], keepdims=1)
        y = self.node("Sqrt", name + "/root", [self.node("Add", name + "/eps", [y, "eps"])])
        y = self.node("Div", name + "/Div", [x, y])
        y = self.node("Mul", name + "/weight", [y, self.weight(name + ".weight", head_width)])
        return self.node("Reshape", name + "/join",
                         [y, self.ints(name + ".join", [0, 0, heads * head_width])])

    def eager_rotary(self, name, x, width):
        """x cos + (second half, first half) sin; the tables are inputs of the network."""
        first, second = self.split(name + "/halves", x, [width // 2] * 2, -1)
        second = self.node("Neg", name + "/Neg", [second])
        turned = self.concat(name + "/turned", [second, first], -1)
        return self.node("Add", name, [self.node("Mul", name + "/cos", [x, "cos"]),
                                       self.node("Mul", name + "/sin", [turned, "sin"])])

    def head_norm(self, name, x, heads, head_width):
        """Normalises every head by itself."""
        shape = self.ints(name + ".split", [0, 0, heads, head_width])
        x = self.rms_norm(name, self.node("Reshape", name + "/split", [x, shape]), head_width)
        shape = self.ints(name + ".join", [0, 0, heads * head_width])
        return self.node("Reshape", name + "/join", [x, shape])

    def layer_norm(self, name, x, width):
        weights = [self.weight(name + ".weight", width), self.weight(name + ".bias", width)]
        return self.node("LayerNormalization", name, [x] + weights)

    def binary(self, op, name, a, b):
        return self.node(op, name, [a, b])

    def silu(self, name, x):
        return self.binary("Mul", name, x, self.node("Sigmoid", name + "/Sigmoid", [x]))

    def attention(self, name, query, key, value, heads):
        return self.node("MultiHeadAttention", name, [query, key, value], fused=True,
                         num_heads=heads)

    def dim(self, name, x, axis):
        """One dimension of `x` as a number."""
        index = name + ".axis"
        self.initializers.append(helper.make_tensor(index, TensorProto.INT64, [], [axis]))
        return self.node("Gather", name, [self.node("Shape", name + "/Shape", [x]), index])

    def split(self, name, x, parts, axis):
        names = [f"{name}.{i}" for i in range(len(parts))]
        self.node("Split", name, [x, self.ints(name + ".sizes", parts)], names, axis=axis)
        return names

    def concat(self, name, parts, axis):
        return self.node("Concat", name, parts, axis=axis)

    def network(self):
        graph = helper.make_graph(self.nodes, "network", self.inputs, self.outputs,
                                  self.initializers)
        model = helper.make_model(graph, producer_name="wattline tools/export", ir_version=8,
                                  opset_imports=[helper.make_opsetid("", 17),
                                                 helper.make_opsetid("com.microsoft", 1)])
        return Network(None, [], [], model=model)
