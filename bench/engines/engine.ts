import { openApi } from '../../src/node/adapter.js';

/** A runtime under measurement, with one network loaded at a time. */
export interface Engine {
  /** Loads a prepared network, or a stack to train; what was loaded before is freed. */
  load(job: NetworkJob | StackJob): Promise<void>;
  /**
   * One inference: upload of the image, all layers, read-back of all taps. Of a stack one training step: upload of a
   * batch, forward, backward, optimiser, read-back of the loss.
   */
  run(): Promise<void>;
  /** The taps of the last run, NHWC, one after the other; of a stack its loss. */
  outputs(): Promise<Float32Array[]>;
}

/** A network prepared in a folder; see `prepare.ts`. */
export interface NetworkJob {
  readonly folder: string;
  /** Variants to force in our own engine. */
  readonly kernels: Readonly<Record<string, string>>;
}

/**
 * A stack of 3×3 convolutions with ReLU, the same number of channels throughout, trained with Adam towards outputs of
 * zero: what the training step of a model is compared with in runtimes that do not have the model.
 */
export interface StackJob {
  readonly stack: true;
  readonly batch: number;
  /** Side of the square maps. */
  readonly size: number;
  readonly channels: number;
  readonly depth: number;
}

/** Learning rate with which stacks are trained. */
export const stackRate = 1e-3;

/** Names of the runtimes. */
export const engineNames = [
  'tilesight',
  'onnxruntime-web WebGPU',
  'tfjs WebGPU',
  'onnxruntime-web WASM',
  'tfjs WASM',
] as const;

/** Name of a runtime. */
export type EngineName = (typeof engineNames)[number];

/** Runtimes on the same adapter as ours, which the ratio is to; the others stand beside for orientation. */
export const adapterPeers: readonly EngineName[] = ['onnxruntime-web WebGPU', 'tfjs WebGPU'];

/** Defines `navigator.gpu` and the enumerations of WebGPU, which browsers have and the peers expect. */
export async function defineNavigator(): Promise<void> {
  const { api } = await openApi({ onNotice: () => undefined });
  const { globals } = await import('webgpu');
  Object.assign(globalThis, globals);
  Object.defineProperty(globalThis, 'navigator', {
    value: { gpu: api, userAgent: 'node', hardwareConcurrency: 2 },
    configurable: true,
  });
}
