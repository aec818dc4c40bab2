import fc from 'fast-check';
import { TilesightError } from '../../../src/engine/errors.js';
import type { NamedTensors } from '../../../src/engine/tensor.js';
import { parseModuleExport } from '../../../src/models/weights/javascript-literal.js';
import { readBackboneWeights } from '../../../src/models/weights/network-weights.js';
import { decodeNpy } from '../../../src/models/weights/npy.js';
import { decodeOnnx } from '../../../src/models/weights/onnx.js';
import { decodeSafetensors } from '../../../src/models/weights/safetensors.js';
import { decodeTfjsWeights } from '../../../src/models/weights/tfjs-layers.js';
import { foreignFile } from './foreign-files.js';
import { base64, browserified, safetensorsFile } from './handmade.js';

/** A parser and correct small files to damage. */
export interface FuzzTarget {
  readonly name: string;
  readonly seeds: readonly Uint8Array[];
  /** Parses; gives the number of elements it made, so that the caller can bound the memory. */
  parse(bytes: Uint8Array): number;
}

const tfjsModel = {
  weightsManifest: [
    {
      weights: [{ name: 'a', shape: [2, 3], dtype: 'float32', quantization: { dtype: 'uint8', min: -1, scale: 0.5 } }],
    },
  ],
};

export const fuzzTargets: readonly FuzzTarget[] = [
  {
    name: 'safetensors',
    seeds: [
      foreignFile('safetensors'),
      safetensorsFile({ w: { dtype: 'F32', shape: [2, 1], data_offsets: [0, 8] } }, 8),
      safetensorsFile({ __metadata__: { 'tilesight.weights': '{}' } }, 0),
    ],
    parse: (bytes) => elements(decodeSafetensors(bytes, 'file').tensors) + safelyReadBackbone(bytes),
  },
  {
    name: 'npy',
    seeds: (['npyFloat', 'npyFortran', 'npyBigEndian', 'npyHalf2', 'npyDouble3', 'npyInt64', 'npyScalar'] as const).map(
      foreignFile,
    ),
    parse: (bytes) => decodeNpy(bytes, 'file').data.length,
  },
  {
    name: 'onnx',
    seeds: [foreignFile('onnx'), foreignFile('onnxExternal')],
    parse: (bytes) => elements(decodeOnnx(bytes, 'file').tensors),
  },
  {
    name: 'nsfwjs module',
    seeds: [
      new TextEncoder().encode(browserified(tfjsLiteral())),
      new TextEncoder().encode(browserified(`"${base64(new Uint8Array(6))}"`)),
    ],
    parse: (bytes) => {
      const value = parseModuleExport(new TextDecoder().decode(bytes), 'file');
      return elements(decodeTfjsWeights(value, new Uint8Array(6), 'file'));
    },
  },
];

/**
 * Damages a file: bytes flipped, cut off, inserted, doubled, or a run of them replaced by what makes lengths absurd. Without damage in one
 * of many cases, so that parsing goes through.
 */
export function damagedFile(target: FuzzTarget): fc.Arbitrary<Uint8Array> {
  const place = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  const absurd = fc.constantFrom(
    [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
    [0, 0, 0, 0, 0, 0, 0, 0x80],
    [0xff, 0xff, 0xff, 0x7f],
    [...new TextEncoder().encode('99999999999999999999')],
    [...new TextEncoder().encode('9007199254740993')],
    [...new TextEncoder().encode('-1')],
    [...new TextEncoder().encode('[[[[[[[[')],
    [...new TextEncoder().encode('"__proto__"')],
    [0x00],
  );
  const change = fc.oneof(
    fc.record({ kind: fc.constant('flip' as const), place, bit: fc.nat(7) }),
    fc.record({ kind: fc.constant('byte' as const), place, value: fc.nat(255) }),
    fc.record({ kind: fc.constant('cut' as const), place }),
    fc.record({
      kind: fc.constant('insert' as const),
      place,
      bytes: fc.oneof(absurd, fc.array(fc.nat(255), { maxLength: 12 })),
    }),
    fc.record({ kind: fc.constant('replace' as const), place, bytes: absurd }),
    fc.record({ kind: fc.constant('remove' as const), place, count: fc.integer({ min: 1, max: 16 }) }),
    fc.record({ kind: fc.constant('double' as const), place }),
  );
  type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;
  const apply = (bytes: Uint8Array, step: Change): Uint8Array => {
    const at = Math.floor(step.place * bytes.length);
    const list = [...bytes];
    if (step.kind === 'flip') list[at] = (list[at] ?? 0) ^ (1 << step.bit);
    else if (step.kind === 'byte') list[at] = step.value;
    else if (step.kind === 'cut') list.length = at;
    else if (step.kind === 'insert') list.splice(at, 0, ...step.bytes);
    else if (step.kind === 'replace') list.splice(at, step.bytes.length, ...step.bytes);
    else if (step.kind === 'remove') list.splice(at, step.count);
    else list.push(...list.slice(at));
    return Uint8Array.from(list);
  };
  const damaged = fc
    .tuple(fc.constantFrom(...target.seeds), fc.array(change, { maxLength: 4 }))
    .map(([seed, changes]) => changes.reduce(apply, seed));
  return fc.oneof({ arbitrary: damaged, weight: 9 }, { arbitrary: fc.uint8Array({ maxLength: 200 }), weight: 1 });
}

/** Parses a damaged file: true if it went through, false for a typed error with one line. Anything else is thrown on. */
export function parsesOrRefuses(target: FuzzTarget, bytes: Uint8Array): boolean {
  let made: number;
  try {
    made = target.parse(bytes);
  } catch (error) {
    if (!(error instanceof TilesightError)) throw error;
    if (error.kind !== 'input' || /[\n\r]/.test(error.message) || error.message.length > 2000) {
      throw new Error(`not one line of a user's input error: ${error.message}`, { cause: error });
    }
    return false;
  }
  // No element takes less than a byte of the file, and each file is read by at most two parsers.
  if (made > 2 * bytes.length) throw new Error(`${made} elements out of ${bytes.length} bytes`);
  return true;
}

function elements(tensors: NamedTensors): number {
  let sum = 0;
  for (const { data } of tensors.values()) sum += data.length;
  return sum;
}

function safelyReadBackbone(bytes: Uint8Array): number {
  return elements(readBackboneWeights(bytes, 'file').tensors);
}

function tfjsLiteral(): string {
  return JSON.stringify(tfjsModel).replace(/"(\w+)":/g, '$1:');
}
