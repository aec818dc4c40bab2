import { TilesightError } from '../../engine/errors.js';
import type { NamedTensors, Shape } from '../../engine/tensor.js';
import type { NetworkName } from './network-weights.js';

/** Names listed in an error before the rest is only counted. */
const listed = 5;

/** Which network the tensors look like, by torchvision's names and the sizes that tell networks apart; undefined if none that is known. */
export function recogniseNetwork(tensors: NamedTensors): NetworkName | undefined {
  const description = describeNetwork(tensors);
  return description === 'mobilenet-v2' ||
    description === 'resnet18' ||
    description === 'resnet50' ||
    description === 'wide-resnet50-2'
    ? description
    : undefined;
}

/** The same in words, also for relatives of the known networks; undefined if the tensors look like nothing known. */
export function describeNetwork(tensors: NamedTensors): string | undefined {
  const shape = (name: string): Shape => tensors.get(name)?.shape ?? [];
  if (tensors.has('features.0.0.weight') && tensors.has('features.2.conv.2.weight')) {
    return shape('features.0.0.weight')[0] === 32 ? 'mobilenet-v2' : 'a MobileNetV2 of another width';
  }
  if (!tensors.has('layer1.0.conv1.weight')) {
    return [...tensors.keys()].some((name) => /squeeze|fire/i.test(name)) ? 'SqueezeNet' : undefined;
  }
  if (tensors.has('conv1.0.weight')) return 'a ResNet with a deep stem';
  const [channels] = shape('layer1.0.conv1.weight');
  const [, groupChannels] = shape('layer1.0.conv2.weight');
  if (!tensors.has('layer1.0.conv3.weight')) return tensors.has('layer1.2.conv1.weight') ? 'resnet34' : 'resnet18';
  if (channels !== groupChannels) return 'a ResNeXt';
  const deep = tensors.has('layer3.6.conv1.weight');
  if (channels === 64) return deep ? 'resnet101 or deeper' : 'resnet50';
  if (channels === 128) return deep ? 'wide-resnet101-2' : 'wide-resnet50-2';
  return 'a ResNet of another width';
}

/** Whether the batch norms are tensors of their own or folded into the convolutions' weights and biases. */
export function batchNormPlacement(tensors: NamedTensors): 'apart' | 'folded' {
  for (const name of tensors.keys()) if (name.endsWith('.running_mean')) return 'apart';
  return 'folded';
}

/**
 * Compares weights with what a graph needs; more tensors than needed are fine. Throws `TilesightError('input')` that lists the missing
 * and the mis-shaped tensors (how many, and the first five names) and says which network the weights look like.
 */
export function checkWeights(
  weights: { readonly tensors: NamedTensors },
  expected: ReadonlyMap<string, Shape>,
  network: NetworkName | (string & {}),
  where: string,
): void {
  const missing: string[] = [];
  const misshaped: string[] = [];
  for (const [name, shape] of expected) {
    const found = weights.tensors.get(name);
    if (!found) missing.push(name);
    else if (found.shape.length !== shape.length || found.shape.some((size, axis) => size !== shape[axis])) {
      misshaped.push(`${name} [${found.shape.join(', ')}] instead of [${shape.join(', ')}]`);
    }
  }
  if (missing.length === 0 && misshaped.length === 0) return;
  const faults: string[] = [];
  if (missing.length > 0) faults.push(`${count(missing.length, 'tensor')} missing (${firstOf(missing)})`);
  if (misshaped.length > 0)
    faults.push(`${count(misshaped.length, 'tensor')} of the wrong shape (${firstOf(misshaped)})`);
  const looks = describeNetwork(weights.tensors);
  const hint =
    looks !== undefined && looks !== network
      ? `these look like weights of ${looks}; give weights of ${network}`
      : `give complete weights of ${network} under torchvision's or timm's names`;
  throw new TilesightError('input', `${where}: not the weights of ${network}, ${faults.join(' and ')}; ${hint}`);
}

function firstOf(names: readonly string[]): string {
  const rest = names.length - listed;
  return names.slice(0, listed).join(', ') + (rest > 0 ? ` and ${rest} more` : '');
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}
