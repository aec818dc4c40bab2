import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readPrepared } from '../prepare.js';
import { nchwToNhwc, nhwcToNchw } from '../layout.js';
import { peerFile } from '../peers.js';
import { defineNavigator, type Engine } from './engine.js';

/** As much of onnxruntime-web's interface as is used here. */
interface OrtTensor {
  readonly data: Float32Array;
  dispose(): void;
}
interface OrtSession {
  run(feeds: Record<string, OrtTensor>): Promise<Record<string, OrtTensor>>;
  release(): Promise<void>;
}
interface Ort {
  readonly env: { logLevel: string; wasm: { numThreads: number; wasmPaths?: string } };
  readonly Tensor: new (type: 'float32', data: Float32Array, dims: readonly number[]) => OrtTensor;
  readonly InferenceSession: {
    create(model: Uint8Array, options: Record<string, unknown>): Promise<OrtSession>;
  };
}

/** ONNX Runtime for the web, on the adapter (`webgpu`) or on the CPU (`wasm`). */
export async function createOnnxRuntime(provider: 'webgpu' | 'wasm'): Promise<Engine> {
  if (provider === 'webgpu') await defineNavigator();
  const ort = (await import(peerFile('onnxruntime-web/dist/ort.all.min.mjs').href)) as Ort;
  ort.env.logLevel = 'error';
  ort.env.wasm.numThreads = 1;
  if (provider === 'webgpu') acceptForeignWrites();
  let session: OrtSession | undefined;
  let feeds: { shape: readonly number[]; data: Float32Array } | undefined;
  let taps: readonly { readonly shape: readonly number[]; readonly onnx: string }[] = [];
  let last: Float32Array[] = [];
  return {
    async load(job) {
      if ('stack' in job) throw new Error('onnxruntime-web does not train');
      const { folder } = job;
      await session?.release();
      const { prepared, image } = await readPrepared(folder);
      const [batch, height, width, channels] = prepared.inputShape;
      taps = prepared.taps;
      feeds = { shape: [batch, channels, height, width], data: nhwcToNchw(image, prepared.inputShape) };
      session = await ort.InferenceSession.create(await readFile(join(folder, 'network.onnx')), {
        executionProviders: [provider],
        graphOptimizationLevel: 'all',
      });
    },
    async run() {
      if (!session || !feeds) throw new Error('no network is loaded');
      const results = await session.run({ value0: new ort.Tensor('float32', feeds.data, feeds.shape) });
      last = taps.map(({ onnx }) => results[onnx]?.data ?? new Float32Array());
    },
    outputs: () =>
      Promise.resolve(taps.map(({ shape }, index) => nchwToNhwc(last[index] ?? new Float32Array(), shape))),
  };
}

/**
 * ONNX Runtime hands `writeBuffer` what browsers accept and Dawn in Node does not: offsets as BigInt, and memory that is
 * shared between threads.
 */
function acceptForeignWrites(): void {
  type Write = (
    this: GPUQueue,
    buffer: GPUBuffer,
    offset: number | bigint,
    data: ArrayBufferView | ArrayBufferLike,
    from?: number | bigint,
    size?: number | bigint,
  ) => undefined;
  const { prototype } = (globalThis as unknown as { GPUQueue: { prototype: { writeBuffer: Write } } }).GPUQueue;
  const native = prototype.writeBuffer;
  prototype.writeBuffer = function (buffer, offset, data, from = 0, size) {
    const view = ArrayBuffer.isView(data) ? data : new Uint8Array(data);
    // Offset and size count elements of a typed array, and bytes of everything else.
    const unit = 'BYTES_PER_ELEMENT' in view ? (view as Uint8Array).BYTES_PER_ELEMENT : 1;
    const start = Number(from) * unit;
    const bytes = size === undefined ? view.byteLength - start : Number(size) * unit;
    const part = new Uint8Array(view.buffer, view.byteOffset + start, bytes);
    native.call(this, buffer, Number(offset), view.buffer instanceof SharedArrayBuffer ? part.slice() : part);
  };
}
