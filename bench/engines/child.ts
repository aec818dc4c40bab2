import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bytesOf } from '../prepare.js';
import type { Engine, EngineName, NetworkJob, StackJob } from './engine.js';

/** What the parent asks for. */
export type Request =
  | { readonly type: 'load'; readonly job: NetworkJob | StackJob }
  | { readonly type: 'run' }
  | { readonly type: 'outputs'; readonly folder: string };

/** The answer to each request, in order. */
export type Answer = { readonly milliseconds: number } | { readonly error: string };

async function open(name: EngineName): Promise<Engine> {
  switch (name) {
    case 'tilesight':
      return (await import('./tilesight.js')).createTilesight();
    case 'onnxruntime-web WebGPU':
      return (await import('./onnxruntime.js')).createOnnxRuntime('webgpu');
    case 'onnxruntime-web WASM':
      return (await import('./onnxruntime.js')).createOnnxRuntime('wasm');
    case 'tfjs WebGPU':
      return (await import('./tfjs.js')).createTensorflow('webgpu');
    case 'tfjs WASM':
      return (await import('./tfjs.js')).createTensorflow('wasm');
  }
}

const name = process.argv[2] as EngineName;
let engine: Promise<Engine> | undefined;

async function answer(request: Request): Promise<void> {
  engine ??= open(name);
  const opened = await engine;
  switch (request.type) {
    case 'load':
      return opened.load(request.job);
    case 'run':
      return opened.run();
    case 'outputs': {
      const taps = await opened.outputs();
      await Promise.all(taps.map((tap, index) => writeFile(join(request.folder, `tap${index}.bin`), bytesOf(tap))));
    }
  }
}

// A measured engine lives in a process of its own, because each holds an instance of Dawn and the runtimes' globals
// would meet; the parent lets one of them run at a time.
process.on('message', (request: Request) => {
  const started = performance.now();
  const send = (message: Answer): void => void process.send?.(message);
  answer(request).then(
    () => send({ milliseconds: performance.now() - started }),
    (error: unknown) => send({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  );
});

// Without the parent there is nothing to do.
process.on('disconnect', () => process.exit());
