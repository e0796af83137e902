#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Exports the model zoo: graph-only ONNX files with random weights from a fixed seed.

    tools/export/export.py --output models             every network
    tools/export/export.py --output models resnet18    some
    tools/export/export.py --full OUT_DIR resnet18   with weights too, for comparisons

Written for PyTorch 1.13, torchvision 0.14 and onnx 1.12 (Debian 12: python3-torch,
python3-torchvision, python3-onnx). Newer versions may name tensors differently.
"""
import argparse
import contextlib
import io
import json
import os
import sys
import time
import warnings

import onnx
import torch

import zoo
from strip import parameters_to_initializers, strip

SEED = 20260101


def randomize(module):
    """Different values everywhere, so that the exporter does not merge equal tensors (as it does
    with the zero biases of an untrained network); normalisation stays well conditioned."""
    generator = torch.Generator().manual_seed(SEED)
    for name, tensor in list(module.named_parameters()) + list(module.named_buffers()):
        if not tensor.is_floating_point():
            continue
        with torch.no_grad():
            tensor.data = tensor.data.clone()  # ends the sharing of layers.py
            if name.endswith("running_var"):
                tensor.uniform_(0.5, 1.5, generator=generator)
            elif tensor.dim() > 1:
                tensor.normal_(0, 0.02, generator=generator)
            else:
                tensor.add_(torch.empty_like(tensor).normal_(0, 0.02, generator=generator))


@contextlib.contextmanager
def lean_export(wanted):
    """Keeps the exporter from copying and from merging parameters that share storage: it clones
    every argument of a trace, hands all parameters to each step of its shape inference, and takes
    equal ones for one."""
    def replacement(name, original):
        if name == "_jit_pass_onnx_deduplicate_initializers":
            return lambda graph, parameters, training: parameters
        return lambda graph, parameters, opset: original(graph, {}, opset)

    saved = {name: getattr(torch._C, name) for name in (
        "_jit_pass_onnx_graph_shape_type_inference", "_jit_pass_onnx_node_shape_type_inference",
        "_jit_pass_onnx_deduplicate_initializers")}
    clone = torch.Tensor.clone
    if wanted:
        for name, original in saved.items():
            setattr(torch._C, name, replacement(name, original))
        torch.Tensor.clone = lambda self, **arguments: (
            self if self.numel() > 65536 else clone(self, **arguments))
    try:
        yield
    finally:
        torch.Tensor.clone = clone
        for name, original in saved.items():
            setattr(torch._C, name, original)


def export_bytes(entry):
    """The full export of one entry as bytes."""
    torch.manual_seed(SEED)
    net = entry.build()
    if net.model is not None:
        return net, net.model.SerializeToString()
    module = net.module
    if net.randomize and not net.lean:
        randomize(module)
    if net.keep_batch_norm:
        training, folding = torch.onnx.TrainingMode.PRESERVE, False
    else:
        training, folding = torch.onnx.TrainingMode.EVAL, not net.lean
    if not isinstance(module, torch.jit.ScriptModule):
        module.eval()
    stream = io.BytesIO()
    with warnings.catch_warnings(), lean_export(net.lean):
        warnings.simplefilter("ignore")
        torch.onnx.export(module, tuple(net.inputs), stream, opset_version=net.opset,
                          training=training, do_constant_folding=folding,
                          export_params=not net.lean,
                          input_names=net.input_names, output_names=net.output_names,
                          dynamic_axes=net.dynamic_axes)
    return net, stream.getvalue()


def export_one(entry, output, full):
    start = time.monotonic()
    net, data = export_bytes(entry)
    model = onnx.load_from_string(data)
    if net.lean:
        parameters_to_initializers(model, net.module)
    if net.rewrite:
        model = net.rewrite(model)
    if full:
        onnx.save(model, os.path.join(full, entry.name + ".onnx"))
    nodes = len(model.graph.node)
    data = strip(model, entry.name).SerializeToString(deterministic=True)
    if output:
        with open(os.path.join(output, entry.name + ".onnx"), "wb") as file:
            file.write(data)
    print(f"{entry.name:32} {nodes:6} nodes {len(data):9} bytes "
          f"{time.monotonic() - start:6.1f} s", flush=True)


def index(entries):
    """The content of models.json: the networks whose file is there."""
    rows = [{"name": e.name, "file": e.name + ".onnx", "task": e.task,
             "description": e.description, "source": e.source, "dims": e.dims, "input": e.note}
            for e in entries]
    lines = ",\n".join("  " + json.dumps(row) for row in rows)
    return f'{{"schema_version": 1, "models": [\n{lines}\n]}}\n'


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", help="folder for graph-only files and models.json")
    parser.add_argument("--full", help="folder for complete files")
    parser.add_argument("--index", action="store_true", help="write models.json only")
    parser.add_argument("names", nargs="*", help="default: all")
    arguments = parser.parse_args()
    entries = {e.name: e for e in zoo.ENTRIES}
    unknown = [n for n in arguments.names if n not in entries]
    if unknown or not (arguments.output or arguments.full):
        parser.error(f"no such network: {', '.join(unknown)}" if unknown else
                     "--output or --full is needed")
    failed = []
    for name in [] if arguments.index else arguments.names or entries:
        try:
            export_one(entries[name], arguments.output, arguments.full)
        except Exception as error:  # one failing network must not lose the others
            failed.append(name)
            print(f"{name}: {type(error).__name__}: {error}"[:2000], file=sys.stderr)
    if arguments.output:
        with open(os.path.join(arguments.output, "models.json"), "w") as file:
            file.write(index([e for e in zoo.ENTRIES if os.path.exists(
                os.path.join(arguments.output, e.name + ".onnx"))]))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
