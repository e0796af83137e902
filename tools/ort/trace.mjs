// SPDX-License-Identifier: Apache-2.0
// Which node of the original file each kernel of the optimized graph computes.
import {readModel} from './onnx.mjs';

const ACTIVATIONS = new Set(['Relu', 'Clip', 'Sigmoid', 'Tanh', 'LeakyRelu', 'HardSigmoid',
                             'HardSwish']);

export class Original {
  constructor(model) {
    this.nodes = model.nodes;
    this.constants = model.initializers;
    this.byName = new Map(model.nodes.map((n) => [n.name, n]));
    this.producer = new Map();
    this.readers = new Map();
    for (const n of model.nodes) {
      for (const t of n.outputs) this.producer.set(t, n);
      for (const t of n.inputs) this.readers.set(t, [...(this.readers.get(t) ?? []), n]);
    }
  }

  // A tensor of the original file from a name that the optimizer made of it, or undefined.
  find(name) {
    for (const candidate of [name, name.replace(/_token_\d+$/, ''),
                             name.replace(/(_token_\d+)?(_bn)?_nchwc(_token_\d+)?$/, '')]) {
      if (this.producer.has(candidate)) return candidate;
      const node = this.byName.get(candidate);
      if (node) return node.outputs[0];
    }
    return undefined;
  }

  // The reader of `tensor` whose operator is in `ops`.
  next(tensor, ops) {
    const found = (this.readers.get(tensor) ?? []).find((n) => ops.has(n.op));
    return found?.outputs[0];
  }
}

// The quantised form of `tensor`, which a kernel in integers computes; itself where there is none.
function quantized(original, tensor) {
  const bounded = original.next(tensor, new Set(['Relu', 'Clip'])) ?? tensor;
  return original.next(bounded, new Set(['QuantizeLinear'])) ?? tensor;
}

// The original tensor that an optimized node computes.
export function resultOf(original, n) {
  const known = n.outputs.map((t) => (original.producer.has(t) ? t : undefined)).find(Boolean);
  if (known) return known;
  let tensor = original.find(n.name) ?? original.find(n.outputs[0]);
  if (!tensor || n.domain !== 'com.microsoft.nchwc') {
    return tensor && /^Q(Linear|Gemm)/.test(n.op) ? quantized(original, tensor) : tensor;
  }
  if (n.op === 'Conv' && n.inputs.length > 3 && n.inputs[3]) {
    tensor = original.next(tensor, new Set(['Add', 'Sum'])) ?? tensor;
  }
  if (n.attributes.activation && !ACTIVATIONS.has(original.producer.get(tensor).op)) {
    tensor = original.next(tensor, new Set([n.attributes.activation])) ?? tensor;
  }
  return tensor;
}

// The convolution, pooling or normalisation that an NCHWc node began as.
function anchorOf(original, n) {
  const tensor = original.find(n.name);
  const node = tensor && original.producer.get(tensor);
  return node && ACTIVATIONS.has(node.op) ? original.producer.get(node.inputs[0]) : node;
}

// Tensors of the optimized graph that hold an original tensor, by name. Blocked tensors have lost
// their names; the node that reads one tells what it was.
export function tensorsOf(original, optimized) {
  const map = new Map();
  for (const n of optimized.nodes) {
    if (n.domain === 'com.microsoft.nchwc' && !/^Reorder/.test(n.op)) {
      const anchor = anchorOf(original, n);
      if (anchor) map.set(n.inputs[0], anchor.inputs[0]);
    }
  }
  for (const n of optimized.nodes) {
    const tensor = /^Reorder/.test(n.op) ? undefined : resultOf(original, n);
    if (tensor) map.set(n.outputs[0], tensor);
  }
  for (let changed = true; changed;) {
    changed = false;
    for (const n of optimized.nodes.filter((x) => /^Reorder/.test(x.op))) {
      const [from, to] = [n.inputs[0], n.outputs[0]];
      const known = map.get(from) ?? map.get(to) ?? original.find(to);
      if (known && (!map.has(from) || !map.has(to))) {
        map.set(from, map.get(from) ?? known);
        map.set(to, map.get(to) ?? known);
        changed = true;
      }
    }
  }
  return map;
}

const isReorder = (op) => op === 'ReorderInput' || op === 'ReorderOutput';

// By name of an executed kernel: the node of the original file whose result it computes; of a
// reorder: the node that made what is reordered, or that reads it where it is an input of the model.
export function traceKernels(originalPath, optimizedPath) {
  const original = new Original(readModel(originalPath));
  const optimized = readModel(optimizedPath);
  const tensors = tensorsOf(original, optimized);
  const traced = new Map();
  for (const n of optimized.nodes) {
    const tensor = isReorder(n.op) ? tensors.get(n.inputs[0]) ?? tensors.get(n.outputs[0])
                                   : resultOf(original, n) ?? tensors.get(n.outputs[0]);
    const node = tensor && (original.producer.get(tensor) ?? original.readers.get(tensor)?.[0]);
    if (node) traced.set(n.name, node.name);
  }
  return traced;
}
