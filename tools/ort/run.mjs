// SPDX-License-Identifier: Apache-2.0
// Runs one model in ONNX Runtime with graph optimizations on and profiling, as a process of its own:
// node run.mjs MODEL.onnx WORK_PREFIX DIMS_JSON
// Leaves WORK_PREFIX.opt.onnx (the optimized graph) and prints the names of the executed nodes.
import {createRequire} from 'node:module';
import {basename, dirname, join} from 'node:path';
import {readdirSync, readFileSync, rmSync} from 'node:fs';

const folder = process.env.WATTLINE_NODE_MODULES;
const require = createRequire(import.meta.url);
const ort = require(folder ? join(folder, 'onnxruntime-node') : 'onnxruntime-node');

const [model, prefix, dimsText] = process.argv.slice(2);
const dims = JSON.parse(dimsText);

// Token ids, masks and positions of 1 are valid for every network here; images of small noise.
function feed(meta) {
  const shape = meta.shape.map((d) => (typeof d === 'number' ? d : dims[d] ?? 1));
  const size = shape.reduce((a, b) => a * b, 1);
  const arrays = {
    float32: Float32Array, float64: Float64Array, int64: BigInt64Array, int32: Int32Array,
    uint8: Uint8Array, int8: Int8Array, bool: Uint8Array, float16: Uint16Array,
  };
  const data = new arrays[meta.type](size);
  const float = meta.type.startsWith('float');
  for (let i = 0; i < size; i++) {
    if (meta.type === 'int64') data[i] = 1n;
    else data[i] = float && meta.type !== 'float16' ? ((i * 7919) % 1000) / 1000 : 1;
  }
  return new ort.Tensor(meta.type, data, shape);
}

const session = await ort.InferenceSession.create(model, {
  graphOptimizationLevel: process.env.ORT_LEVEL ?? 'all',
  optimizedModelFilePath: `${prefix}.opt.onnx`,
  enableProfiling: true,
  profileFilePrefix: `${prefix}.profile`,
  logSeverityLevel: 3,
  intraOpNumThreads: 2,
});
const feeds = {};
for (const meta of session.inputMetadata) feeds[meta.name] = feed(meta);
await session.run(feeds);
session.endProfiling();
const executed = [];
for (const name of readdirSync(dirname(prefix))) {
  if (!name.startsWith(`${basename(prefix)}.profile`)) continue;
  const path = join(dirname(prefix), name);
  for (const event of JSON.parse(readFileSync(path, 'utf8'))) {
    if (event.cat === 'Node' && event.name.endsWith('_kernel_time')) {
      executed.push({name: event.name.slice(0, -'_kernel_time'.length), op: event.args.op_name});
    }
  }
  rmSync(path);
}
process.stdout.write(JSON.stringify({version: ort.env?.versions?.node ?? '', executed}));
