#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// Runs ONNX models and says how long they took: what `wattline calibrate` and `wattline validate`
// call. The first line of standard output is {"version"} or {"error"}; then jobs come as JSON lines on
// standard input, and each is answered by a line.
//
//   job     {"model", "threads", "dims": {}, "seconds", "min_runs", "wall": true, "profile": true}
//   result  {"version", "wall_s": [...],
//            "nodes": [{"name", "op", "node", "runs", "time_s", "min_s", "max_s", "input", "output"}]}
//           or {"error"}
//
// wall_s are runs without profiling, in order, after the warm-up. nodes come from a second session
// with profiling: per executed kernel the mean of the middle half of its runs (the profile counts
// whole microseconds, so that a median would be one too). `node` is the node of the file whose
// result the kernel computes, where that can be told.
import {mkdtempSync, readdirSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import {traceKernels} from './trace.mjs';

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

let feeds, ort, version;
try {
  ({feeds, ort, version} = await import('./runtime.mjs'));
} catch (error) {
  say({error: error.message});
  process.exit(1);
}
say({version});

const seconds = () => Number(process.hrtime.bigint()) * 1e-9;

async function open(job, extra = {}) {
  return ort.InferenceSession.create(job.model, {
    graphOptimizationLevel: 'all', executionMode: 'sequential', interOpNumThreads: 1,
    intraOpNumThreads: job.threads, logSeverityLevel: 3, ...extra,
  });
}

// Runs until `limit` seconds and the least number of runs are over; the seconds of each run.
async function runs(session, inputs, limit, least) {
  const out = [];
  const start = seconds();
  while (out.length < least || seconds() - start < limit) {
    const before = seconds();
    const results = await session.run(inputs);
    out.push(seconds() - before);
    for (const value of Object.values(results)) value.dispose?.();
  }
  return out;
}

// Warm-up: at least two runs, then until a run is no longer much slower than the fastest.
async function warm(session, inputs) {
  let fastest = Infinity;
  for (let i = 0; i < 10; i++) {
    const [took] = await runs(session, inputs, 0, 1);
    if (i >= 1 && took < 1.05 * fastest) break;
    fastest = Math.min(fastest, took);
  }
}

function middle(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const cut = Math.floor(sorted.length / 4);
  const kept = sorted.slice(cut, sorted.length - cut);
  return kept.reduce((a, b) => a + b, 0) / kept.length;
}

// A transpose that the optimizer put before or behind a kernel in integers is a layout change, as
// its Reorder kernels are for floats, and is named like them.
function operator(event, traced) {
  const type = Object.keys(event.args.input_type_shape?.[0] ?? {})[0];
  const inserted = event.args.op_name === 'Transpose' && !traced && /^u?int8$/.test(type);
  return inserted ? 'ReorderIntegers' : event.args.op_name;
}

const shape = (list) => (list ?? []).map((t) => Object.values(t)[0]);

function readProfile(path, skipped, traced) {
  const nodes = new Map();
  for (const event of JSON.parse(readFileSync(path, 'utf8'))) {
    if (event.cat !== 'Node' || !event.name.endsWith('_kernel_time')) continue;
    const name = event.name.slice(0, -'_kernel_time'.length);
    if (!nodes.has(name)) {
      nodes.set(name, {name, op: operator(event, traced.get(name)), node: traced.get(name),
                       input: shape(event.args.input_type_shape), output: shape(event.args.output_type_shape), times: []});
    }
    nodes.get(name).times.push(event.dur * 1e-6);
  }
  return [...nodes.values()].map(({times, ...node}) => {
    const kept = times.slice(Math.floor(times.length * skipped));
    return {...node, runs: kept.length, time_s: middle(kept), min_s: Math.min(...kept),
            max_s: Math.max(...kept)};
  });
}

async function profile(job) {
  const folder = mkdtempSync(join(tmpdir(), 'wattline-ort-'));
  try {
    const optimized = join(folder, 'optimized.onnx');
    const session = await open(job, {enableProfiling: true, profileFilePrefix: join(folder, 'p'),
                                     optimizedModelFilePath: optimized});
    const traced = traceKernels(job.model, optimized);
    rmSync(optimized);
    const inputs = feeds(session, job.dims);
    const warmups = 2;
    await runs(session, inputs, 0, warmups);
    const timed = await runs(session, inputs, job.seconds, job.min_runs);
    session.endProfiling();
    await session.release();
    const file = readdirSync(folder).find((name) => name.startsWith('p'));
    return readProfile(join(folder, file), warmups / (warmups + timed.length), traced);
  } finally {
    rmSync(folder, {recursive: true, force: true});
  }
}

async function wall(job) {
  const session = await open(job);
  const inputs = feeds(session, job.dims);
  await warm(session, inputs);
  const timed = await runs(session, inputs, job.seconds, job.min_runs);
  await session.release();
  return timed;
}

async function execute(job) {
  const result = {version};
  if (job.wall !== false) result.wall_s = await wall(job);
  if (job.profile) result.nodes = await profile(job);
  return result;
}

for await (const line of createInterface({input: process.stdin})) {
  if (line.trim() === '') continue;
  const job = JSON.parse(line);
  let result;
  try {
    result = await execute(job);
  } catch (error) {
    result = {error: String(error.message ?? error).split('\n')[0]};
  }
  say(result);
}
