#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// Compares wattline's fusion profile `onnxruntime` with the kernels that ONNX Runtime executes.
//
//   WATTLINE=build/wattline WATTLINE_NODE_MODULES=DIR node tools/ort/compare.mjs \
//       [--work DIR] [--verbose] [MODEL ...]
//
// For each zoo model: writes a runnable file (`wattline models materialize`), runs it in
// onnxruntime-node with all graph optimizations and profiling, and maps every executed kernel back
// to the nodes of the original file. A kernel covers the nodes between its result and the results
// of other kernels. Then the same sets of nodes are asked of `wattline graph --fusion onnxruntime`.
// Two kernels agree when they cover the same arithmetic nodes. Nodes without arithmetic (views,
// transposes, casts, shape arithmetic) are left out of the sets.
//
// onnxruntime-node comes from WATTLINE_NODE_MODULES (a node_modules folder), else from Node's own
// resolution. A user of wattline needs none of this.
import {spawnSync} from 'node:child_process';
import {existsSync, mkdirSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {readModel} from './onnx.mjs';
import {Original, resultOf, tensorsOf} from './trace.mjs';

const here = dirname(fileURLToPath(import.meta.url));

// A mix of networks: plain, residual, depthwise, branched, attention, language, recurrent.
const DEFAULT_MODELS = [
  'alexnet', 'vgg11', 'resnet18', 'resnet50', 'resnet18_bn', 'wide_resnet50_2', 'resnext50_32x4d',
  'mobilenet_v2', 'mobilenet_v2_bn', 'mobilenet_v3_small', 'mobilenet_v3_large', 'mnasnet1_0',
  'squeezenet1_1', 'shufflenet_v2_x1_0', 'efficientnet_b0', 'efficientnet_v2_s', 'regnet_x_400mf',
  'regnet_y_8gf', 'densenet121', 'googlenet', 'inception_v3', 'convnext_tiny', 'vit_b_32',
  'swin_t', 'maxvit_t', 'mixer_b16', 'bert_base', 'distilbert', 'gpt2', 't5_small_encoder',
  'whisper_base_encoder', 'detector_s', 'unet_segmentation', 'deeplabv3_resnet50', 'dcgan',
  'lstm_lm', 'speech_gru',
];

// Operators without arithmetic of their own, in original files.
const SILENT = new Set(`Transpose Reshape Flatten Squeeze Unsqueeze Identity Dropout Constant Shape
  Size Cast Gather GatherElements GatherND Concat Slice Split Expand Pad ConstantOfShape Range Tile
  DepthToSpace SpaceToDepth ScatterND`.split(/\s+/));

// Operators whose kernels count as compute kernels.
const COMPUTE = new Set(`Conv ConvTranspose Gemm MatMul Einsum MaxPool AveragePool GlobalAveragePool
  GlobalMaxPool LayerNormalization RMSNormalization SimplifiedLayerNormalization
  SkipLayerNormalization BatchNormalization InstanceNormalization GroupNormalization Softmax
  LogSoftmax Attention MultiHeadAttention LSTM GRU RNN ReduceMean ReduceSum ReduceMax`
  .split(/\s+/));

function fail(message) {
  process.stderr.write(`ort: ${message}\n`);
  process.exit(1);
}

function run(command, args, options = {}) {
  const done = spawnSync(command, args, {encoding: 'utf8', maxBuffer: 1 << 28, ...options});
  if (done.status !== 0) {
    throw new Error(`${command} ${args.join(' ')}: ${done.error ?? done.stderr.slice(-600)}`);
  }
  return done.stdout;
}

// Nodes between `tensor` and the results of other kernels.
function covered(original, tensor, results) {
  const nodes = new Set();
  const stack = [original.producer.get(tensor)];
  while (stack.length > 0) {
    const n = stack.pop();
    if (nodes.has(n)) continue;
    nodes.add(n);
    for (const input of n.inputs) {
      const producer = original.producer.get(input);
      if (producer && !results.has(input) && !producer.outputs.some((t) => results.has(t))) {
        stack.push(producer);
      }
    }
  }
  return nodes;
}

const signature = (nodes) => [...nodes].filter((n) => !SILENT.has(n.op)).map((n) => n.name).sort();

// Weights stored in integers are dequantised by kernels of their own, or not at all.
const storesWeights = (original, n) => n.op === 'DequantizeLinear' &&
                                       n.inputs.every((t) => original.constants.has(t));

function ortKernels(original, optimized, executed) {
  const ran = new Set(executed.map((e) => e.name));
  const nodes = optimized.nodes.filter((n) => ran.has(n.name) && !/^Reorder/.test(n.op));
  const tensors = tensorsOf(original, optimized);
  const made = nodes.map((n) => ({node: n,
                                  tensor: resultOf(original, n) ?? tensors.get(n.outputs[0])}));
  const results = new Set(made.map((m) => m.tensor).filter(Boolean));
  for (const n of optimized.nodes) for (const t of n.outputs) {
    if (original.producer.has(t)) results.add(t);
  }
  return made.map(({node, tensor}) => ({
    name: node.name, op: node.op, tensor,
    nodes: tensor ? signature([...covered(original, tensor, results)]
                                  .filter((n) => !storesWeights(original, n))) : [],
  }));
}

function ourKernels(original, graph) {
  return graph.subgraphs.map((s) => ({
    name: s.name, op: s.pattern,
    nodes: signature(s.nodes.map((name) => original.byName.get(name)).filter(Boolean)),
  }));
}

function isCompute(original, kernel) {
  return COMPUTE.has(kernel.op) || /^Fused|Norm/.test(kernel.op) ||
         kernel.nodes.some((name) => COMPUTE.has(original.byName.get(name).op));
}

function compare(original, theirs, ours) {
  const keyed = (list) => new Map(list.filter((k) => k.nodes.length > 0 || !k.tensor)
                                      .map((k) => [k.nodes.join('\n') || `? ${k.name}`, k]));
  const score = (a, b) => {
    const mine = keyed(b);
    const same = [...keyed(a).keys()].filter((key) => mine.has(key)).length;
    return {ort: keyed(a).size, ours: mine.size, same,
            onlyOrt: [...keyed(a)].filter(([key]) => !mine.has(key)).map(([, k]) => k),
            onlyOurs: [...mine].filter(([key]) => !keyed(a).has(key)).map(([, k]) => k)};
  };
  const compute = (list) => list.filter((k) => isCompute(original, k));
  // Arithmetic on shapes, which no subgraph of ours holds, is left out of the second figure.
  const placed = new Set(ours.flatMap((k) => k.nodes));
  const onData = (list) => list.map((k) => ({...k, nodes: k.nodes.filter((n) => placed.has(n))}))
                               .filter((k) => k.nodes.length > 0);
  return {compute: score(compute(theirs), compute(ours)), all: score(onData(theirs), onData(ours))};
}

const share = (s) => s.same / Math.max(1, s.ort + s.ours - s.same);
const percent = (x) => `${(100 * x).toFixed(1)} %`;

function compareModel(name, options, zoo) {
  const prefix = join(options.work, name);
  const file = `${prefix}.onnx`;
  if (!existsSync(file)) run(options.wattline, ['models', 'materialize', name, '--output', file]);
  const dims = zoo.get(name)?.dims ?? {};
  const profile = JSON.parse(run(process.execPath,
                                 [join(here, 'run.mjs'), file, prefix, JSON.stringify(dims)]));
  const graph = JSON.parse(run(options.wattline, ['graph', name, '--fusion', 'onnxruntime',
                                                  '--format', 'json',
                                                  ...Object.entries(dims)
                                                           .flatMap(([k, v]) => ['--dim', `${k}=${v}`])]));
  const original = new Original(readModel(file));
  const theirs = ortKernels(original, readModel(`${prefix}.opt.onnx`), profile.executed);
  const result = compare(original, theirs, ourKernels(original, graph));
  rmSync(`${prefix}.opt.onnx`);
  if (!options.keep) for (const end of ['.onnx', '.onnx.data', '.opt.onnx.data']) {
    rmSync(`${prefix}${end}`, {force: true});
  }
  return {...result, version: profile.version};
}

function show(list, title) {
  for (const k of list.slice(0, 12)) {
    process.stderr.write(`    ${title} ${k.op} ${k.name}: ${k.nodes.join(' ')}\n`);
  }
}

function main() {
  const options = {work: join(tmpdir(), 'ort'), wattline: process.env.WATTLINE ?? 'wattline',
                   verbose: false, keep: false};
  const names = [];
  const args = process.argv.slice(2);
  while (args.length > 0) {
    const arg = args.shift();
    if (arg === '--work') options.work = args.shift();
    else if (arg === '--verbose') options.verbose = true;
    else if (arg === '--keep') options.keep = true;
    else if (arg.startsWith('-')) fail(`unknown option ${arg}`);
    else names.push(arg);
  }
  mkdirSync(options.work, {recursive: true});
  const list = JSON.parse(run(options.wattline, ['models', 'list', '--format', 'json']));
  const zoo = new Map(list.models.map((m) => [m.name, m]));
  const total = {compute: {ort: 0, ours: 0, same: 0}, all: {ort: 0, ours: 0, same: 0}};
  const rows = [];
  for (const name of names.length > 0 ? names : DEFAULT_MODELS) {
    let r;
    try {
      r = compareModel(name, options, zoo);
    } catch (error) {
      process.stderr.write(`${name}: ${error.message}\n`);
      process.exitCode = 1;
      continue;
    }
    for (const part of ['compute', 'all']) {
      for (const key of ['ort', 'ours', 'same']) total[part][key] += r[part][key];
    }
    rows.push([name, r]);
    process.stderr.write(`${name}: ${percent(share(r.compute))} of compute kernels, ` +
                         `${percent(share(r.all))} of all\n`);
    if (options.verbose) {
      show(r.compute.onlyOrt, 'ort ');
      show(r.compute.onlyOurs, 'ours');
    }
  }
  const line = (name, r) => `| ${name} | ${r.compute.ort} | ${r.compute.ours} | ${r.compute.same} | ` +
                            `${percent(share(r.compute))} | ${percent(share(r.all))} |`;
  console.log(`onnxruntime-node ${rows[0]?.[1].version ?? ''}, ${process.arch}\n`);
  console.log('| model | ORT compute kernels | ours | same | agreement | all arithmetic kernels |');
  console.log('| --- | ---: | ---: | ---: | ---: | ---: |');
  for (const [name, r] of rows) console.log(line(name, r));
  console.log(line('**all**', total));
  if (share(total.compute) < 0.95) process.exitCode = 1;
}

main();
