// SPDX-License-Identifier: Apache-2.0
// Runs one model in ONNX Runtime with graph optimizations on and profiling, as a process of its own:
// node run.mjs MODEL.onnx WORK_PREFIX DIMS_JSON
// Leaves WORK_PREFIX.opt.onnx (the optimized graph) and prints the names of the executed nodes.
import {basename, dirname, join} from 'node:path';
import {readdirSync, readFileSync, rmSync} from 'node:fs';
import {feeds, ort, version} from './runtime.mjs';

const [model, prefix, dimsText] = process.argv.slice(2);

const session = await ort.InferenceSession.create(model, {
  graphOptimizationLevel: process.env.ORT_LEVEL ?? 'all',
  optimizedModelFilePath: `${prefix}.opt.onnx`,
  enableProfiling: true,
  profileFilePrefix: `${prefix}.profile`,
  logSeverityLevel: 3,
  intraOpNumThreads: 2,
});
await session.run(feeds(session, JSON.parse(dimsText)));
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
process.stdout.write(JSON.stringify({version, executed}));
