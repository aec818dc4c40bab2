import { openApi } from '../../src/node/adapter.js';

/** A runtime under measurement, with one network loaded at a time. */
export interface Engine {
  /** Loads a prepared network; what was loaded before is freed. */
  load(job: NetworkJob): Promise<void>;
  /** One inference: upload of the image, all layers, read-back of all taps. */
  run(): Promise<void>;
  /** The taps of the last run, NHWC, one after the other. */
  outputs(): Promise<Float32Array[]>;
}

/** A network prepared in a folder; see `prepare.ts`. */
export interface NetworkJob {
  readonly folder: string;
  /** Variants to force in our own engine. */
  readonly kernels: Readonly<Record<string, string>>;
}

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
