import type { HostTensor, Shape } from '../../../src/engine/tensor.js';
import {
  imagenetPreprocessing,
  torchvisionVariant,
  type BackboneWeights,
  type NetworkName,
  type NetworkVariant,
} from '../../../src/models/weights/network-weights.js';
import { randomTensor } from '../../kernels/harness.js';

/** Weights with which activations neither vanish nor grow, for tests of graphs. */
export function randomWeights(
  network: NetworkName,
  shapes: ReadonlyMap<string, Shape>,
  variant: Partial<NetworkVariant> = {},
): BackboneWeights {
  const tensors = new Map<string, HostTensor>();
  let seed = 1;
  for (const [name, shape] of shapes) {
    seed += 1;
    const [, inputs = 1, height = 1, width = 1] = shape;
    const uniform = randomTensor(shape, seed);
    const transform = (f: (value: number) => number): HostTensor => ({ shape, data: uniform.data.map(f) });
    if (shape.length === 4) {
      // Uniform in ±√(6/fan-in) has the variance 2/fan-in that a ReLU halves.
      tensors.set(
        name,
        transform((value) => value * Math.sqrt(6 / (inputs * height * width))),
      );
    } else if (name.endsWith('.running_var')) {
      tensors.set(
        name,
        transform((value) => 1 + value * 0.5),
      );
    } else if (/(bn\d|\.1|\.3|\.2)\.weight$/.test(name)) {
      tensors.set(
        name,
        transform((value) => 0.8 + value * 0.2),
      );
    } else {
      tensors.set(
        name,
        transform((value) => value * 0.1),
      );
    }
  }
  return {
    network,
    tensors,
    preprocessing: imagenetPreprocessing,
    variant: { ...torchvisionVariant, ...variant },
    provenance: 'random',
    licence: 'none',
  };
}

/** The same network with its batch norms folded into weights and biases, in f64. */
export function foldWeights(weights: BackboneWeights, norms: ReadonlyMap<string, string>): BackboneWeights {
  const tensors = new Map<string, HostTensor>();
  for (const [conv, norm] of norms) {
    const kernel = weights.tensors.get(`${conv}.weight`);
    const part = (name: string): Float32Array => weights.tensors.get(`${norm}.${name}`)?.data ?? new Float32Array();
    if (!kernel) continue;
    const [outChannels = 0] = kernel.shape;
    const perChannel = kernel.data.length / outChannels;
    const factor = Array.from(
      { length: outChannels },
      (_, o) => (part('weight')[o] ?? 0) / Math.sqrt((part('running_var')[o] ?? 0) + weights.variant.batchNormEpsilon),
    );
    tensors.set(`${conv}.weight`, {
      shape: kernel.shape,
      data: kernel.data.map((value, index) => value * (factor[Math.floor(index / perChannel)] ?? 0)),
    });
    tensors.set(`${conv}.bias`, {
      shape: [outChannels],
      data: Float32Array.from(factor, (scale, o) => (part('bias')[o] ?? 0) - (part('running_mean')[o] ?? 0) * scale),
    });
  }
  return { ...weights, tensors };
}
