// SPDX-License-Identifier: Apache-2.0
// A reader of the few fields of an ONNX file that the comparison needs: nodes with their names,
// operators, inputs, outputs and string attributes, names of initializers, inputs and outputs.
// Fields are those of onnx.proto: ModelProto.graph = 7; GraphProto node 1, initializer 5, input 11,
// output 12; NodeProto input 1, output 2, name 3, op_type 4, attribute 5, domain 7.
import {openSync, readSync, closeSync, fstatSync} from 'node:fs';

function varint(bytes, at) {
  let value = 0n, shift = 0n;
  for (;;) {
    const byte = bytes[at++];
    value |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) return [Number(BigInt.asIntN(64, value)), at];
    shift += 7n;
  }
}

// [field number, value or bytes] pairs of one message.
function* fields(bytes) {
  for (let at = 0; at < bytes.length;) {
    let key, value;
    [key, at] = varint(bytes, at);
    const wire = key & 7;
    if (wire === 0) {
      [value, at] = varint(bytes, at);
    } else if (wire === 2) {
      let length;
      [length, at] = varint(bytes, at);
      value = bytes.subarray(at, at + length);
      at += length;
    } else {
      const size = wire === 1 ? 8 : 4;
      value = bytes.subarray(at, at + size);
      at += size;
    }
    yield [key >>> 3, value];
  }
}

const text = (bytes) => Buffer.from(bytes).toString('utf8');

function first(bytes, field) {
  for (const [number, value] of fields(bytes)) {
    if (number === field) return value;
  }
  return undefined;
}

function attribute(bytes) {
  const found = {};
  for (const [number, value] of fields(bytes)) {
    if (number === 1) found.name = text(value);
    if (number === 4) found.text = text(value);
    if (number === 3) found.int = value;
  }
  return found;
}

function node(bytes) {
  const n = {inputs: [], outputs: [], name: '', op: '', domain: '', attributes: {}};
  for (const [number, value] of fields(bytes)) {
    if (number === 1) n.inputs.push(text(value));
    if (number === 2) n.outputs.push(text(value));
    if (number === 3) n.name = text(value);
    if (number === 4) n.op = text(value);
    if (number === 5) {
      const a = attribute(value);
      n.attributes[a.name] = a.text ?? a.int;
    }
    if (number === 7) n.domain = text(value);
  }
  return n;
}

function readFile(path) {
  const file = openSync(path, 'r');
  const bytes = Buffer.alloc(fstatSync(file).size);
  for (let at = 0; at < bytes.length;) {
    at += readSync(file, bytes, at, Math.min(bytes.length - at, 1 << 28), at);
  }
  closeSync(file);
  return bytes;
}

export function readModel(path) {
  const graph = {nodes: [], initializers: new Set(), inputs: [], outputs: []};
  for (const [number, value] of fields(first(readFile(path), 7))) {
    if (number === 1) graph.nodes.push(node(value));
    if (number === 5) graph.initializers.add(text(first(value, 8)));
    if (number === 11) graph.inputs.push(text(first(value, 1)));
    if (number === 12) graph.outputs.push(text(first(value, 1)));
  }
  graph.inputs = graph.inputs.filter((name) => !graph.initializers.has(name));
  return graph;
}
