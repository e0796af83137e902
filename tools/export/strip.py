# SPDX-License-Identifier: Apache-2.0
"""Turns a full ONNX export into a graph-only file.

Large initializers become external data whose file is absent; what shape inference reads (integers,
small floats) stays inline. Documentation strings, value_info and names of symbolic output
dimensions that no input has are dropped. Names are those of the exporter with two repetitions taken
out ("/layer1/layer1.0/conv1/Conv_output_0" becomes "/layer1.0/conv1/Conv"), which is a sixth of all
bytes; initializers that it numbered ("onnx::Conv_193") are named after the module that reads them.
"""
import onnx
from onnx import AttributeProto, TensorProto, numpy_helper

INLINE_BYTES = 256
ALIGNMENT = 64
WEIGHT_TYPES = {
    TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16,
    TensorProto.INT8, TensorProto.UINT8, TensorProto.INT32,
}
ELEMENT_BYTES = {
    TensorProto.FLOAT: 4, TensorProto.FLOAT16: 2, TensorProto.DOUBLE: 8, TensorProto.BFLOAT16: 2,
    TensorProto.INT8: 1, TensorProto.UINT8: 1, TensorProto.INT32: 4,
}


def subgraphs(graph):
    """The graph and every body in it."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == AttributeProto.GRAPH:
                yield from subgraphs(attribute.g)
            for body in attribute.graphs:
                yield from subgraphs(body)


def element_count(tensor):
    count = 1
    for dim in tensor.dims:
        count *= dim
    return count


def constants_to_initializers(graph):
    """Large tensors of Constant nodes become initializers, the only ones that may be external."""
    kept = []
    for node in graph.node:
        value = next((a.t for a in node.attribute if a.name == "value"), None)
        if node.op_type == "Constant" and value is not None and is_large(value):
            tensor = graph.initializer.add()
            tensor.CopyFrom(value)
            tensor.name = node.output[0]
        else:
            kept.append(node)
    if len(kept) != len(graph.node):
        kept = [copy_of(node) for node in kept]
        del graph.node[:]
        graph.node.extend(kept)


def copy_of(message):
    clone = type(message)()
    clone.CopyFrom(message)
    return clone


def is_large(tensor):
    if tensor.data_type not in WEIGHT_TYPES:
        return False
    return element_count(tensor) * ELEMENT_BYTES[tensor.data_type] > INLINE_BYTES


def scopes(name):
    """"/layer1/layer1.0/conv1/Conv" -> ["layer1.0", "conv1", "Conv"]."""
    parts = [p for p in name.split("/") if p]
    return [p for i, p in enumerate(parts)
            if i + 1 == len(parts) or not parts[i + 1].startswith(p + ".")]


def module_path(node_name):
    """"/layer1/layer1.0/conv1/Conv" -> "layer1.0.conv1"."""
    return ".".join(scopes(node_name)[:-1])


def shorten_names(model):
    """Takes repeated scopes and the suffix of first outputs out of the exporter's names."""
    fixed = {v.name for v in list(model.graph.input) + list(model.graph.output)}
    fixed.update(t.name for t in model.graph.initializer)
    short = {}

    def rename(name):
        if not name.startswith("/") or name in fixed:
            return name
        if name not in short:
            short[name] = "/" + "/".join(scopes(name.removesuffix("_output_0")))
        return short[name]

    for graph in subgraphs(model.graph):
        for node in graph.node:
            node.name = "/" + "/".join(scopes(node.name)) if node.name else ""
            node.input[:] = [rename(name) for name in node.input]
            node.output[:] = [rename(name) for name in node.output]
        for value in list(graph.input) + list(graph.output):
            value.name = rename(value.name)
    if len(set(short.values()) | fixed) != len(short) + len(fixed):
        raise ValueError("shortened names collide")


ROLES = {
    "Conv": ("input", "weight", "bias"), "ConvTranspose": ("input", "weight", "bias"),
    "Gemm": ("input", "weight", "bias"), "MatMul": ("weight", "weight"),
    "LSTM": ("input", "weight_ih", "weight_hh", "bias"),
    "GRU": ("input", "weight_ih", "weight_hh", "bias"),
    "Gather": ("table", "index"),
}


def rename_initializers(graph):
    """Gives numbered initializers the name of the module that reads them."""
    taken = {t.name for t in graph.initializer}
    taken.update(o for n in graph.node for o in n.output)
    taken.update(i.name for i in graph.input)
    consumer = {}
    for node in graph.node:
        for slot, name in enumerate(node.input):
            consumer.setdefault(name, (node, slot))
    renamed = {}
    for tensor in graph.initializer:
        if not tensor.name.startswith("onnx::") or tensor.name not in consumer:
            continue
        node, slot = consumer[tensor.name]
        roles = ROLES.get(node.op_type, ())
        role = roles[slot] if slot < len(roles) else "constant"
        base = ".".join(p for p in (module_path(node.name), role) if p)
        name, suffix = base, 1
        while name in taken:
            suffix += 1
            name = f"{base}_{suffix}"
        taken.add(name)
        renamed[tensor.name] = name
        tensor.name = name
    for body in subgraphs(graph):
        for node in body.node:
            for slot, name in enumerate(node.input):
                if name in renamed:
                    node.input[slot] = renamed[name]
        for output in body.output:
            output.name = renamed.get(output.name, output.name)


def externalize(model, location):
    """Replaces payloads of large initializers by references into `location`. Those of bodies of
    control flow stay inline."""
    offset = 0
    for graph in subgraphs(model.graph):
        for tensor in graph.initializer:
            tensor.doc_string = ""
            if graph is not model.graph or not is_large(tensor):
                if tensor.data_location != TensorProto.EXTERNAL and not tensor.raw_data:
                    tensor.CopyFrom(numpy_helper.from_array(
                        numpy_helper.to_array(tensor), tensor.name))
                continue
            length = element_count(tensor) * ELEMENT_BYTES[tensor.data_type]
            reference = TensorProto(name=tensor.name, data_type=tensor.data_type,
                                    dims=tensor.dims, data_location=TensorProto.EXTERNAL)
            for key, value in (("location", location), ("offset", offset), ("length", length)):
                entry = reference.external_data.add()
                entry.key, entry.value = key, str(value)
            tensor.CopyFrom(reference)
            offset += (length + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT


def clean(model):
    """Drops what an analysis never reads and what tells where the export ran."""
    symbols = {d.dim_param for i in model.graph.input for d in i.type.tensor_type.shape.dim}
    model.doc_string = ""
    for graph in subgraphs(model.graph):
        graph.doc_string = ""
        del graph.value_info[:]
        for node in graph.node:
            node.doc_string = ""
            for attribute in node.attribute:
                attribute.doc_string = ""
        for output in graph.output:
            for dim in output.type.tensor_type.shape.dim:
                if dim.dim_param and dim.dim_param not in symbols:
                    dim.ClearField("dim_param")


def parameters_to_initializers(model, module):
    """Undoes an export without parameters: the inputs that are the module's become initializers,
    large ones without their values. A transposed weight with one reader is stored transposed, as
    the exporter's constant folding does."""
    graph = model.graph
    tensors = dict(module.named_parameters())
    tensors.update(module.named_buffers())
    inputs = [i for i in graph.input if i.name not in tensors]
    found = {i.name for i in graph.input if i.name in tensors}
    del graph.input[:]
    graph.input.extend(inputs)
    readers = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    dropped, renamed, shapes = set(), {}, {n: list(tensors[n].shape) for n in found}
    for name in found:
        node = readers[name][0]
        if len(readers[name]) == 1 and node.op_type == "Transpose" and len(shapes[name]) == 2:
            shapes[name].reverse()
            dropped.add(node.name)
            renamed[node.output[0]] = name
    kept = [copy_of(n) for n in graph.node if n.name not in dropped]
    del graph.node[:]
    graph.node.extend(kept)
    for node in graph.node:
        for slot, name in enumerate(node.input):
            node.input[slot] = renamed.get(name, name)
    for name in sorted(found):
        values = tensors[name].detach()
        values = values.t() if shapes[name] != list(values.shape) else values
        stored = graph.initializer.add()
        stored.name, stored.data_type = name, TensorProto.FLOAT
        stored.dims.extend(shapes[name])
        if not is_large(stored):
            stored.CopyFrom(numpy_helper.from_array(values.contiguous().numpy(), name))


def strip(model, name):
    """Makes `model` graph-only, in place; its weights would lie in "<name>.weights.bin"."""
    model.graph.name = name
    for graph in subgraphs(model.graph):
        constants_to_initializers(graph)
    rename_initializers(model.graph)
    shorten_names(model)
    clean(model)
    externalize(model, name + ".weights.bin")
    return model
