import { TilesightError } from '../../engine/errors.js';
import type { HostTensor, NamedTensors } from '../../engine/tensor.js';
import { recogniseNetwork } from './check-weights.js';
import { describeForeign, encodeBackboneWeights, readBackboneWeights } from './network-weights.js';
import type { BackboneWeights, WeightsDescription } from './network-weights.js';
import { assertFinite } from './nonfinite.js';
import { decodeNpy, isNpy } from './npy.js';
import { decodeOnnx, type OnnxWeights } from './onnx.js';
import { torchvisionNames } from './tensor-names.js';

/** A file to import: its name (with folders, if any) and its bytes. */
export interface WeightFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

export interface ImportRequest {
  /** One `.safetensors`, one `.onnx`, or the `.npy` files of a folder, each called as its tensor. */
  readonly files: readonly WeightFile[];
  /** What the files do not say, or say wrongly: it takes the place of what was read or guessed. */
  readonly description?: Partial<WeightsDescription>;
}

export interface ImportedWeights {
  readonly weights: BackboneWeights;
  /** A safetensors file with canonical names and the description inside, which `readBackboneWeights` reads. */
  readonly bytes: Uint8Array;
  /** ONNX initialisers that are not floating point and were left out. */
  readonly skipped: readonly string[];
}

/**
 * Converts weights to Tilesight's own safetensors. Names become torchvision's; the network is recognised, but whether the tensors are
 * complete for a graph is for `checkWeights`. Throws `TilesightError('input')` for files that cannot be read, for NaN and infinity.
 */
export function importWeights({ files, description = {} }: ImportRequest): ImportedWeights {
  const [first] = files;
  if (!first)
    throw new TilesightError('input', 'no weights to import: give a .safetensors, a .onnx or a folder of .npy files');
  let skipped: readonly string[] = [];
  let read: BackboneWeights;
  if (files.every(({ bytes }) => isNpy(bytes))) {
    read = foreign(npyTensors(files), files.length === 1 ? first.name : `${files.length} .npy files`);
  } else if (files.length > 1) {
    const odd = files.find(({ bytes }) => !isNpy(bytes));
    throw new TilesightError(
      'input',
      `${odd?.name ?? first.name}: not a .npy file among several files; give one file, or .npy files only`,
    );
  } else if (isZip(first.bytes)) {
    const advice = 'save its state_dict with safetensors.torch.save_file and import that';
    throw new TilesightError('input', `${first.name}: a zip archive (a PyTorch checkpoint?) is not read; ${advice}`);
  } else if (/\.onnx$/i.test(first.name)) {
    const model = decodeOnnx(first.bytes, first.name);
    skipped = model.skipped;
    read = foreign(onnxTensors(model), first.name);
  } else {
    read = readBackboneWeights(first.bytes, first.name);
  }
  const weights: BackboneWeights = {
    ...read,
    preprocessing: description.preprocessing ?? read.preprocessing,
    variant: description.variant ?? read.variant,
    provenance: description.provenance ?? read.provenance,
    licence: description.licence ?? read.licence,
  };
  return { weights, bytes: encodeBackboneWeights(weights), skipped };
}

function foreign(named: NamedTensors, where: string): BackboneWeights {
  const tensors = torchvisionNames(named);
  assertFinite(tensors, where);
  const network = recogniseNetwork(tensors);
  return { network, tensors, ...describeForeign({}, network, where) };
}

/** Tensors called as their files; names that use `_` throughout get the dots of a parameter path. */
function npyTensors(files: readonly WeightFile[]): Map<string, HostTensor> {
  const tensors = new Map<string, HostTensor>();
  for (const { name, bytes } of files) {
    const base = name.replace(/^.*[\\/]/, '').replace(/\.npy$/i, '');
    const dotted = base.includes('.') ? base : base.replace(/_(?!(mean|var)$)/g, '.');
    if (tensors.has(dotted))
      throw new TilesightError('input', `${name}: a second file for the tensor ${dotted}; keep one of them`);
    tensors.set(dotted, decodeNpy(bytes, name));
  }
  return tensors;
}

/**
 * PyTorch's exporter folds batch norms and then numbers the weights (`onnx::Conv_193`); the convolution's node keeps the path of its
 * module (`/layer1/layer1.0/conv1/Conv`), which gives both tensors their names back.
 */
function onnxTensors({ tensors, nodes }: OnnxWeights): Map<string, HostTensor> {
  const renamed = new Map(tensors);
  for (const { name, operator, inputs } of nodes) {
    if (operator !== 'Conv') continue;
    const [, weight, bias] = inputs;
    const path = weight?.endsWith('.weight') ? weight.slice(0, -'.weight'.length) : modulePath(name);
    if (path === undefined) continue;
    rename(renamed, tensors, weight, `${path}.weight`);
    rename(renamed, tensors, bias, `${path}.bias`);
  }
  return renamed;
}

/** `/layer1/layer1.0/conv1/Conv` → `layer1.0.conv1`: a part that repeats the one before it with more behind it takes its place. */
function modulePath(node: string): string | undefined {
  if (!node.startsWith('/')) return undefined;
  const path: string[] = [];
  for (const part of node.split('/').slice(1, -1)) {
    const last = path.at(-1);
    if (last !== undefined && part.startsWith(`${last}.`)) path.pop();
    path.push(part);
  }
  return path.length > 0 ? path.join('.') : undefined;
}

function rename(renamed: Map<string, HostTensor>, tensors: NamedTensors, from: string | undefined, to: string): void {
  const tensor = from === undefined ? undefined : tensors.get(from);
  if (from === undefined || from === to || !tensor || renamed.has(to)) return;
  renamed.delete(from);
  renamed.set(to, tensor);
}

function isZip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x50 && bytes[1] === 0x4b && bytes[2] === 3 && bytes[3] === 4;
}
