// SPDX-License-Identifier: Apache-2.0
// Loads onnxruntime-node and makes inputs for a session. The module comes from WATTLINE_NODE_MODULES
// (a node_modules folder), else from Node's own resolution.
import {createRequire} from 'node:module';
import {join} from 'node:path';

const folder = process.env.WATTLINE_NODE_MODULES;
const require = createRequire(import.meta.url);
const at = (name) => (folder ? join(folder, name) : name);

function load(name) {
  try {
    return require(at(name));
  } catch (error) {
    if (error.code !== 'MODULE_NOT_FOUND') throw error;
    throw new Error(`onnxruntime-node is not found${folder ? ` in ${folder}` : ''}; ` +
                    'npm install --ignore-scripts onnxruntime-node, and name the node_modules folder ' +
                    'by --node-modules DIR or WATTLINE_NODE_MODULES');
  }
}

export const ort = load('onnxruntime-node');
export const version = load('onnxruntime-node/package.json').version;

const ARRAYS = {
  float32: Float32Array, float64: Float64Array, int64: BigInt64Array, int32: Int32Array,
  uint8: Uint8Array, int8: Int8Array, bool: Uint8Array, float16: Uint16Array,
};

// A thousand values of small noise, over and over: copied, as large inputs take longer to make than to
// run through a kernel.
const NOISE = Float64Array.from({length: 1000}, (_, i) => ((i * 7919) % 1000) / 1000);

function fillWithNoise(data) {
  data.set(NOISE.subarray(0, Math.min(NOISE.length, data.length)));
  for (let made = NOISE.length; made < data.length; made *= 2) {
    data.copyWithin(made, 0, Math.min(made, data.length - made));
  }
}

// Token ids, masks and positions of 1 are valid for every network of the zoo; images of small noise.
function tensor(meta, dims) {
  const shape = meta.shape.map((d) => (typeof d === 'number' ? d : dims[d] ?? 1));
  const data = new ARRAYS[meta.type](shape.reduce((a, b) => a * b, 1));
  if (meta.type === 'int64') data.fill(1n);
  else if (meta.type === 'float32' || meta.type === 'float64') {
    fillWithNoise(data);
  } else data.fill(1);
  return new ort.Tensor(meta.type, data, shape);
}

// Inputs of a session; `dims` gives symbolic dimensions by name, the others are 1.
export function feeds(session, dims = {}) {
  return Object.fromEntries(session.inputMetadata.map((meta) => [meta.name, tensor(meta, dims)]));
}
