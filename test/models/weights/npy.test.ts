import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decodeNpy, isNpy } from '../../../src/models/weights/npy.js';
import { foreignFile } from './foreign-files.js';
import { absent, sharedFile } from './shared-files.js';

function npy(header: string, elements: number, version = 1): Uint8Array {
  const text = new TextEncoder().encode(header);
  const file = new Uint8Array(10 + text.length + elements);
  file.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, version, 0, text.length & 0xff, text.length >> 8]);
  file.set(text, 10);
  return file;
}

describe('decodeNpy', () => {
  it.each(['npyFloat', 'npyFortran', 'npyBigEndian', 'npyHalf2', 'npyDouble3'] as const)(
    'reads %s as written by numpy',
    (name) => {
      const { shape, data } = decodeNpy(foreignFile(name), name);
      expect(shape).toEqual([2, 3, 4]);
      expect([...data]).toEqual(Array.from({ length: 24 }, (_, index) => index * 0.5 - 3));
    },
  );

  it('reads integers and scalars', () => {
    expect([...decodeNpy(foreignFile('npyInt64'), 'file').data]).toEqual([1, -2, 3]);
    expect(decodeNpy(foreignFile('npyScalar'), 'file')).toEqual({ shape: [], data: Float32Array.of(4.5) });
  });

  it.each([
    ['another file', new TextEncoder().encode('PK..'), /not a \.npy file/],
    [
      'an unknown version',
      npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", 4, 9),
      /format version 9 is unknown/,
    ],
    ['a structured array', foreignFile('npyStructured'), /no plain numbers/],
    ['texts', foreignFile('npyText'), /element type "<U2" is not supported/],
    [
      'too few elements',
      npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", 7),
      /truncated: 7 bytes of elements instead of 8/,
    ],
    [
      'too many elements',
      npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", 8),
      /longer than its header says/,
    ],
    [
      'an absurd shape',
      npy("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999, 99999999999)}", 8),
      /more elements than can be counted/,
    ],
    ['rank 9', npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1)}", 4), /has 9 dimensions/],
    ['a missing shape', npy("{'descr': '<f4', 'fortran_order': False}", 4), /its header cannot be read/],
    [
      'a shape with a hole',
      npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,,1)}", 4),
      /its shape \(1,,1\) cannot be read/,
    ],
    [
      'complex numbers',
      npy("{'descr': '<c8', 'fortran_order': False, 'shape': (1,)}", 8),
      /element type "<c8" is not supported/,
    ],
  ])('refuses %s in one line that names the file', (_, bytes, message) => {
    expect(() => decodeNpy(bytes, 'w.npy')).toThrow(
      expect.objectContaining({
        name: 'TilesightError',
        kind: 'input',
        message: expect.stringMatching(message) as string,
      }) as Error,
    );
    expect(() => decodeNpy(bytes, 'w.npy')).toThrow(/^w\.npy: .+; .+$/);
  });

  it('refuses every truncation', () => {
    const file = foreignFile('npyHalf2');
    for (let length = 0; length < file.length; length++) {
      expect(() => decodeNpy(file.subarray(0, length), 'file')).toThrow(/^file: .*\.npy/);
    }
  });
});

describe('a published file', () => {
  const path = sharedFile('weights/squeezenet1.1/weights/squeezenet0_conv0_weight.npy');
  it('is a kernel of the shape its network has', ({ skip }) => {
    skip(...absent(path));
    const bytes = new Uint8Array(readFileSync(path));
    expect(isNpy(bytes)).toBe(true);
    const { shape, data } = decodeNpy(bytes, path);
    expect(shape).toEqual([64, 3, 3, 3]);
    expect(data.every((value) => Math.abs(value) < 3)).toBe(true);
  });
});
