import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { HostTensor } from '../../../src/engine/tensor.js';
import {
  decodeSafetensors,
  decodeSafetensorsEntry,
  encodeSafetensors,
  safetensorsHeaderBytes,
  safetensorsLayout,
  safetensorsParts,
} from '../../../src/models/weights/safetensors.js';
import { foreignFile } from './foreign-files.js';
import { dataOf, safetensorsFile, tensor } from './handmade.js';
import { absent, sharedFile } from './shared-files.js';

const f32 = (shape: number[], begin: number, end: number): unknown => ({
  dtype: 'F32',
  shape,
  data_offsets: [begin, end],
});

describe('decodeSafetensors', () => {
  it('reads what the reference implementation writes, all element types as 32-bit floats', () => {
    const { tensors, metadata } = decodeSafetensors(foreignFile('safetensors'), 'file');
    expect(metadata).toEqual({ format: 'np', note: 'é' });
    expect(Object.fromEntries([...tensors].map(([name, { shape }]) => [name, shape]))).toEqual({
      'b.weight': [2, 3],
      'a.half': [2, 3],
      'c.double': [1],
      'd.count': [2],
      'e.mask': [2],
      'f.scalar': [],
      'g.empty': [0, 3],
    });
    expect([...dataOf(tensors, 'b.weight')]).toEqual([1.5, -2, 3.25, 0, Math.fround(1e-8), -65504]);
    expect([...dataOf(tensors, 'a.half')]).toEqual([1.5, -2, 3.25, 0, 0, -65504]);
    expect([...dataOf(tensors, 'c.double')]).toEqual([Math.fround(Math.PI)]);
    expect([...dataOf(tensors, 'd.count')]).toEqual([7, -3]);
    expect([...dataOf(tensors, 'e.mask')]).toEqual([1, 0]);
    expect([...dataOf(tensors, 'f.scalar')]).toEqual([2.5]);
  });

  it('gives views of an aligned file and copies from one that is not', () => {
    const file = encodeSafetensors(new Map([['w', tensor([2], [1, 2])]]));
    const view = dataOf(decodeSafetensors(file, 'file').tensors, 'w');
    expect(view.buffer).toBe(file.buffer);
    const shifted = new Uint8Array(file.length + 1);
    shifted.set(file, 1);
    const copy = dataOf(decodeSafetensors(shifted.subarray(1), 'file').tensors, 'w');
    expect(copy.buffer).not.toBe(shifted.buffer);
    expect([...copy]).toEqual([1, 2]);
  });

  it.each([
    ['an empty file', new Uint8Array(), /not a safetensors file \(it has 0 bytes\)/],
    [
      'text',
      new TextEncoder().encode('this is not a model'),
      /not a safetensors file \(its header would have \d+ bytes\)/,
    ],
    ['a header behind the end', safetensorsFile('{}', 0).subarray(0, 9), /header should end at byte 10, the file at 9/],
    ['a header that is no JSON', safetensorsFile('{"a":', 0), /its header is not JSON/],
    ['a header that is an array', safetensorsFile('[1]', 0), /its header is not JSON/],
    [
      'an unknown type',
      safetensorsFile({ a: { dtype: 'F8_E4M3', shape: [1], data_offsets: [0, 1] } }, 1),
      /tensor "a": element type "F8_E4M3" is not supported/,
    ],
    ['rank 9', safetensorsFile({ a: f32([1, 1, 1, 1, 1, 1, 1, 1, 1], 0, 4) }, 4), /has 9 dimensions, more than 8/],
    ['a fraction as size', safetensorsFile({ a: f32([1.5], 0, 6) }, 6), /a dimension that is no size \(1.5\)/],
    ['a negative size', safetensorsFile({ a: f32([-1, -1], 0, 4) }, 4), /a dimension that is no size \(-1\)/],
    [
      'a product that overflows',
      safetensorsFile({ a: f32([2 ** 40, 2 ** 40], 0, 4) }, 4),
      /more elements than can be counted/,
    ],
    [
      'a size that does not fit',
      safetensorsFile({ a: f32([2 ** 40], 0, 4) }, 4),
      /takes 4 bytes, its shape and element type need/,
    ],
    ['offsets that end first', safetensorsFile({ a: f32([0], 4, 0) }, 4), /its offsets \[4,0\] are wrong/],
    [
      'an overlap',
      safetensorsFile({ a: f32([2], 0, 8), b: f32([1], 4, 8) }, 8),
      /tensor "b" overlaps the tensor before it/,
    ],
    ['a gap', safetensorsFile({ a: f32([1], 0, 4), b: f32([1], 8, 12) }, 12), /tensor "b" leaves a gap before it/],
    ['missing elements', safetensorsFile({ a: f32([3], 0, 12) }, 11), /it is truncated: \d+ bytes instead of \d+/],
    ['bytes behind the end', safetensorsFile({ a: f32([1], 0, 4) }, 5), /longer than its header says/],
    [
      'metadata that are no texts',
      safetensorsFile({ __metadata__: { a: 1 } }, 0),
      /__metadata__ entry "a" is not a text/,
    ],
    [
      'an integer that floats cannot hold',
      safetensorsFile({ a: { dtype: 'I64', shape: [1], data_offsets: [0, 8] } }, Uint8Array.of(1, 0, 0, 1, 0, 0, 0, 0)),
      /integer 16777217 at element 0 is not exact/,
    ],
  ])('refuses %s in one line that names the file', (_, bytes, message) => {
    expect(() => decodeSafetensors(bytes, 'net.safetensors')).toThrow(
      expect.objectContaining({
        name: 'TilesightError',
        kind: 'input',
        message: expect.stringMatching(message) as string,
      }) as Error,
    );
    expect(() => decodeSafetensors(bytes, 'net.safetensors')).toThrow(/^net\.safetensors: .+; .+$/);
  });

  it('refuses every truncation', () => {
    const file = foreignFile('safetensors');
    for (let length = 0; length < file.length; length++) {
      expect(() => decodeSafetensors(file.subarray(0, length), 'file')).toThrow(/^file: .*safetensors/);
    }
  });
});

describe('encodeSafetensors', () => {
  const names = fc.string({ maxLength: 12, unit: 'grapheme' }).filter((name) => name !== '__metadata__');
  const values: fc.Arbitrary<HostTensor> = fc
    .array(fc.nat(3), { maxLength: 4 })
    .chain((shape) =>
      fc
        .array(fc.float(), { minLength: shape.reduce((a, b) => a * b, 1), maxLength: shape.reduce((a, b) => a * b, 1) })
        .map((data) => tensor(shape, data)),
    );
  const files = fc.tuple(
    fc.dictionary(names, values, { maxKeys: 5 }),
    fc.dictionary(fc.string({ maxLength: 8 }), fc.string({ maxLength: 8 }), { maxKeys: 3 }),
  );

  it('comes back unchanged, from a header of a multiple of eight bytes', () => {
    fc.assert(
      fc.property(files, ([tensors, metadata]) => {
        const file = encodeSafetensors(new Map(Object.entries(tensors)), metadata);
        const back = decodeSafetensors(file, 'file');
        expect(new Map(Object.entries(back.metadata))).toEqual(new Map(Object.entries(metadata)));
        expect(new Map(back.tensors)).toEqual(new Map(Object.entries(tensors)));
        expect(safetensorsHeaderBytes(file, 'file', file.length) % 8).toBe(0);
      }),
    );
  });

  it('gives the same bytes whatever order the tensors come in', () => {
    const one: [string, HostTensor] = ['10', tensor([1], [1])];
    const two: [string, HostTensor] = ['9', tensor([2], [2, 3])];
    const three: [string, HostTensor] = ['B', tensor([], [4])];
    const file = encodeSafetensors(new Map([one, two, three]), { b: '1', a: '2' });
    expect(encodeSafetensors(new Map([three, two, one]), { a: '2', b: '1' })).toEqual(file);
    expect(safetensorsLayout(file, 'file').entries.map(({ name }) => name)).toEqual(['10', '9', 'B']);
    expect(new TextDecoder().decode(file.subarray(8, 61))).toBe(
      '{"__metadata__":{"a":"2","b":"1"},"10":{"dtype":"F32"',
    );
  });

  it('refuses data that do not fill the shape', () => {
    expect(() => encodeSafetensors(new Map([['w', tensor([2, 2], [1])]]))).toThrow(/tensor w has 1 elements/);
  });

  it('has parts that do not copy the tensors', () => {
    const weights = tensor([3], [1, 2, 3]);
    const [, part] = safetensorsParts(new Map([['w', weights]]));
    expect(part?.buffer).toBe(weights.data.buffer);
  });
});

describe('reading by range', () => {
  it('needs the header and one tensor only', () => {
    const file = encodeSafetensors(
      new Map([
        ['a', tensor([2], [1, 2])],
        ['b', tensor([2, 1], [3, 4])],
      ]),
    );
    const headerBytes = safetensorsHeaderBytes(file.subarray(0, 8), 'file', file.length);
    const { entries } = safetensorsLayout(file.slice(0, headerBytes), 'file', file.length);
    const entry = entries.find(({ name }) => name === 'b');
    expect(entry).toEqual({ name: 'b', type: 'f32', shape: [2, 1], begin: headerBytes + 8, end: headerBytes + 16 });
    if (!entry) return;
    expect(decodeSafetensorsEntry(entry, file.slice(entry.begin, entry.end), 'file')).toEqual(tensor([2, 1], [3, 4]));
    expect(() => decodeSafetensorsEntry(entry, file.slice(entry.begin, entry.end - 1), 'file')).toThrow(
      /7 bytes of it/,
    );
  });
});

describe('a published file', () => {
  const path = sharedFile('weights/resnet18.safetensors');
  it('is read whole and written back byte for byte in its elements', ({ skip }) => {
    skip(...absent(path));
    const file = new Uint8Array(readFileSync(path));
    const { tensors } = decodeSafetensors(file, path);
    expect(tensors.size).toBe(30);
    expect(tensors.get('layer2.0.downsample.0.weight')?.shape).toEqual([128, 64, 1, 1]);
    const again = decodeSafetensors(encodeSafetensors(tensors), 'again').tensors;
    for (const [name, { data }] of tensors)
      expect(Buffer.compare(Buffer.from(dataOf(again, name)), Buffer.from(data))).toBe(0);
  });
});
