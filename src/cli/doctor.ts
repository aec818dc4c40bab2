import type { Command } from 'commander';
import { TilesightError } from '../engine/errors.js';
import { formatBytes } from '../engine/memory.js';
import type { Gpu } from '../engine/gpu.js';
import { cacheRoot } from '../node/cache.js';
import { openGpu } from '../node/gpu.js';
import { embeddedMobilenetV2Path } from '../node/embedded-weights.js';
import { findWeights } from '../node/weights-cache.js';
import { backboneNames } from '../models/backbones/index.js';
import { stat } from 'node:fs/promises';
import { Graph } from '../engine/graph.js';
import { compile } from '../engine/plan.js';
import { Program } from '../engine/program.js';
import { affine } from '../kernels/elementwise.js';
import { command } from './command.js';
import { print } from './terminal.js';
import { tuningPath } from '../node/tuning.js';
import { version } from './version.js';

interface Finding {
  readonly name: string;
  readonly ok: boolean;
  readonly value: string;
  /** What to do when it is not well. */
  readonly remedy?: string;
}

/** `tilesight doctor`: adapter, features, limits, versions, and the remedy for what is missing. */
export function doctorCommand(): Command {
  return command(
    'doctor',
    'Check this machine: adapter, features, limits, versions, and the remedy for what is missing.',
    ['tilesight doctor', 'tilesight doctor --json', 'TILESIGHT_ADAPTER=embedded tilesight doctor'],
  ).action(async (options: { json?: boolean }) => {
    const findings: Finding[] = [
      { name: 'tilesight', ok: true, value: version() },
      {
        name: 'node',
        ok: Number(process.versions.node.split('.')[0]) >= 20,
        value: `${process.version} on ${process.platform}-${process.arch}`,
        remedy: 'install Node 20 or newer',
      },
    ];
    let gpu: Gpu | undefined;
    try {
      gpu = await openGpu();
      findings.push(...(await examine(gpu)));
    } catch (error) {
      if (!(error instanceof TilesightError)) throw error;
      findings.push({ name: 'adapter', ok: false, value: 'none', remedy: error.message });
    }
    findings.push({ name: 'cache', ok: true, value: cacheRoot() });
    for (const name of backboneNames) {
      const cached = await findWeights(name).catch(() => undefined);
      const embedded =
        name === 'mobilenet-v2' &&
        (await stat(embeddedMobilenetV2Path()).then(
          () => true,
          () => false,
        ));
      findings.push({
        name: `weights ${name}`,
        ok: true,
        value: cached
          ? cached.path
          : embedded
            ? 'embedded, in the cache'
            : name === 'mobilenet-v2'
              ? 'embedded, fetched on first need'
              : 'not in the cache',
        ...(!cached && name !== 'mobilenet-v2' && { remedy: `tilesight weights get ${name}` }),
      });
    }
    if (options.json) print(JSON.stringify({ ok: findings.every((finding) => finding.ok), findings }));
    else {
      for (const { name, ok, value, remedy } of findings) {
        print(`${ok ? 'ok  ' : 'FAIL'} ${name.padEnd(26)} ${value}${remedy ? ` → ${remedy}` : ''}`);
      }
    }
    gpu?.destroy();
    if (findings.some((finding) => !finding.ok)) process.exitCode = 1;
  });
}

async function examine(gpu: Gpu): Promise<Finding[]> {
  const { profile } = gpu;
  const { limits, features } = profile;
  const software = profile.class !== 'hardware';
  const findings: Finding[] = [
    {
      name: 'adapter',
      ok: true,
      value: profile.name,
      ...(software && { remedy: "it computes on the CPU; a GPU with its maker's Vulkan driver is many times faster" }),
    },
    { name: 'driver', ok: true, value: gpu.driver },
    {
      name: 'computes',
      ok: await computes(gpu),
      value: 'a small program gives the right result',
      remedy: 'the driver computes wrongly: update it',
    },
    {
      name: 'subgroups',
      ok: true,
      value: features.has('subgroups')
        ? `size ${profile.subgroupSize ?? 'varies'}`
        : 'missing: slower kernels are used',
    },
    {
      name: '16-bit floats',
      ok: true,
      value: features.has('shader-f16') ? 'available' : 'missing: 32-bit storage is used',
    },
    {
      name: 'timestamps',
      ok: true,
      value: features.has('timestamp-query') ? 'available' : 'missing: --profile shows host times only',
    },
    { name: 'largest buffer', ok: true, value: formatBytes(limits.maxBufferSize) },
    {
      name: 'largest binding',
      ok: true,
      value: formatBytes(limits.maxStorageBufferBindingSize),
    },
    { name: 'tuning table', ok: true, value: tuningPath(gpu) },
  ];
  return findings;
}

/** Runs one kernel for real: an adapter that opens may still not compute. */
async function computes(gpu: Gpu): Promise<boolean> {
  const graph = new Graph('doctor');
  const x = graph.input('x', [4]);
  const y = graph.output(affine(graph, x, 2, 1));
  const program = await Program.create(gpu, compile(graph, { adapter: gpu.profile }));
  try {
    const result = (await program.execute(new Map([[x, Float32Array.of(1, 2, 3, 4)]]))).get(y);
    return result?.join() === '3,5,7,9';
  } finally {
    program.destroy();
  }
}
