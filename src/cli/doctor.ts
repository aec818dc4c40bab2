import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { TilesightError } from '../engine/errors.js';
import { createGpu, type Gpu } from '../engine/gpu.js';
import { Graph } from '../engine/graph.js';
import { formatBytes } from '../engine/memory.js';
import { compile } from '../engine/plan.js';
import { Program } from '../engine/program.js';
import { affine } from '../kernels/elementwise.js';
import { backboneNames } from '../models/backbones/index.js';
import type { NetworkName } from '../models/weights/network-weights.js';
import { openApi } from '../node/adapter.js';
import { defaultBackbone } from '../node/backbone.js';
import { cacheRoot } from '../node/cache.js';
import { embeddedMobilenetV2Path } from '../node/embedded-weights.js';
import { shippedTable } from '../kernels/tuned.js';
import { tuningPath } from '../node/tuning.js';
import { findWeights } from '../node/weights-cache.js';
import { command } from './command.js';
import { print } from './terminal.js';
import { version } from './version.js';

/** `note`: it works, and could be better. */
type State = 'ok' | 'note' | 'FAIL';

interface Finding {
  readonly name: string;
  readonly state: State;
  readonly value: string;
  /** What to do; absent where all is well. */
  readonly remedy?: string;
}

/** A finding that is well, or else has a remedy. */
function finding(name: string, value: string, well = true, state: State = 'FAIL', remedy = ''): Finding {
  return well ? { name, state: 'ok', value } : { name, state, value, remedy };
}

/** `tilesight doctor`: adapter, features, limits, versions, and the remedy for what is missing. */
export function doctorCommand(): Command {
  return command(
    'doctor',
    'Check this machine: adapter, features, limits, versions, and the remedy for what is missing.',
    ['tilesight doctor', 'tilesight doctor --json', 'TILESIGHT_ADAPTER=embedded tilesight doctor'],
  ).action(async (options: { json?: boolean }) => {
    const node = `${process.version} on ${process.platform}-${process.arch}`;
    const recent = Number(process.versions.node.split('.')[0]) >= 20;
    const findings = [
      finding('tilesight', version()),
      finding('node', node, recent, 'FAIL', 'install Node 20 or newer'),
      ...(await examineDevice()),
      finding('cache', cacheRoot()),
      ...(await Promise.all(backboneNames.map(examineWeights))),
    ];
    const ok = findings.every(({ state }) => state !== 'FAIL');
    if (options.json) print(JSON.stringify({ ok, findings }));
    else {
      for (const { name, state, value, remedy } of findings) {
        print(`${state.padEnd(4)} ${name.padEnd(24)} ${value}${remedy === undefined ? '' : ` → ${remedy}`}`);
      }
    }
    if (!ok) process.exitCode = 1;
  });
}

/** Opens the adapter and looks at it; without one, the finding says why and what to do. */
async function examineDevice(): Promise<Finding[]> {
  let gpu: Gpu | undefined;
  try {
    const { api, advice } = await openApi();
    gpu = await createGpu(api);
    return await examine(gpu, advice);
  } catch (error) {
    if (!(error instanceof TilesightError)) throw error;
    return [finding('adapter', gpu ? gpu.profile.name : 'none', false, 'FAIL', error.message)];
  } finally {
    gpu?.destroy();
  }
}

/** Where a backbone's weights are, or how to get them. */
async function examineWeights(name: NetworkName): Promise<Finding> {
  const title = `weights ${name}`;
  try {
    const cached = await findWeights(name);
    if (cached) return finding(title, cached.path);
  } catch (error) {
    if (!(error instanceof TilesightError)) throw error;
    return finding(title, 'damaged', false, 'FAIL', error.message);
  }
  if (name !== defaultBackbone)
    return finding(title, `not in the cache (\`tilesight weights get ${name}\` fetches them)`);
  return finding(title, existsSync(embeddedMobilenetV2Path()) ? embeddedMobilenetV2Path() : 'fetched on first need');
}

async function examine(gpu: Gpu, advice: string | undefined): Promise<Finding[]> {
  const { limits, features, name, subgroupSize } = gpu.profile;
  return [
    finding('adapter', name, advice === undefined, 'note', advice),
    finding('driver', gpu.driver),
    finding('computes', 'a small program', await computes(gpu), 'FAIL', 'the driver computes wrongly: update it'),
    finding(
      'subgroups',
      features.has('subgroups') ? `size ${subgroupSize ?? 'varies'}` : 'missing: slower kernels are used',
    ),
    finding('16-bit floats', features.has('shader-f16') ? 'available' : 'missing: 32-bit storage is used'),
    finding('timestamps', features.has('timestamp-query') ? 'available' : 'missing: --profile shows host times only'),
    finding('largest buffer', formatBytes(limits.maxBufferSize)),
    finding('largest binding', formatBytes(limits.maxStorageBufferBindingSize)),
    finding(
      'tuning table',
      existsSync(tuningPath(gpu))
        ? tuningPath(gpu)
        : `${shippedTable(gpu.profile).size} choices that ship for it (\`tilesight bench kernels --tune\` in a checkout measures more)`,
    ),
  ];
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
