import { describe, expect, it } from 'vitest';
import { decodeOnnx } from '../../../src/models/weights/onnx.js';
import { foreignFile } from './foreign-files.js';
import { dataOf } from './handmade.js';

/** One field of a protobuf message: a varint below 128, or bytes. */
function field(number: number, content: number | Uint8Array | string): number[] {
  if (typeof content === 'number') return [number * 8, content];
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
  return [number * 8 + 2, bytes.length, ...bytes];
}

/** A model with one initialiser made of the given fields. */
function model(...tensorFields: number[][]): Uint8Array {
  return Uint8Array.from(field(7, Uint8Array.from(field(5, Uint8Array.from(tensorFields.flat())))));
}

const oneFloat = Uint8Array.of(0, 0, 0x80, 0x3f);

describe('decodeOnnx', () => {
  it('reads raw and typed values as written by the onnx package', () => {
    const { tensors, skipped, nodes } = decodeOnnx(foreignFile('onnx'), 'file');
    expect(tensors.get('onnx::Conv_193')?.shape).toEqual([2, 3, 1, 1]);
    expect([...dataOf(tensors, 'onnx::Conv_193')]).toEqual([0, 1, 2, 3, 4, 5]);
    expect([...dataOf(tensors, 'halves')]).toEqual([1, -2.5, 65504]);
    expect([...dataOf(tensors, 'brains')]).toEqual([1.5, -3]);
    expect(tensors.get('floats')?.shape).toEqual([2, 2]);
    expect([...dataOf(tensors, 'floats')]).toEqual([1.25, 2.5, -3.75, 4]);
    expect([...dataOf(tensors, 'doubles')]).toEqual([Math.fround(0.1)]);
    expect(skipped).toEqual(['ends (int64)']);
    expect(nodes.map(({ operator }) => operator)).toEqual(['Conv', 'Conv', 'Relu']);
    expect(nodes[0]).toEqual({
      name: '/layer1/layer1.0/conv1/Conv',
      operator: 'Conv',
      inputs: ['x', 'onnx::Conv_193', 'onnx::Conv_194'],
    });
  });

  it('reads unpacked values and dimensions', () => {
    const file = model([1 * 8, 1], [2 * 8, 1], [4 * 8 + 5, ...oneFloat], field(8, 'w'));
    expect(decodeOnnx(file, 'file').tensors.get('w')).toEqual({ shape: [1], data: Float32Array.of(1) });
  });

  it('says that values in another file are not read', () => {
    expect(() => decodeOnnx(foreignFile('onnxExternal'), 'net.onnx')).toThrow(
      /^net\.onnx: initialiser "weight": its values are in another file; .+$/,
    );
  });

  it.each([
    ['an empty file', new Uint8Array(), /holds no weights/],
    ['text', new TextEncoder().encode('hello'), /not an ONNX file/],
    ['a length behind the end', Uint8Array.of(7 * 8 + 2, 100, 0), /not an ONNX file, or a damaged one/],
    ['a varint without an end', new Uint8Array(20).fill(0xff), /not an ONNX file, or a damaged one/],
    [
      'too few values',
      model(field(1, 2), field(2, 1), field(8, 'w'), field(9, oneFloat)),
      /it has 4 bytes, its shape needs 8/,
    ],
    [
      'a negative dimension',
      model([8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], field(2, 1), field(8, 'w')),
      /a dimension that is no size/,
    ],
    [
      'nine dimensions',
      model(field(1, Uint8Array.of(1, 1, 1, 1, 1, 1, 1, 1, 1)), field(2, 1), field(8, 'w')),
      /more than 8 dimensions/,
    ],
    ['a tensor without a name', model(field(2, 1), field(9, oneFloat)), /an initialiser has no name/],
    [
      'integers alone',
      model(field(1, 1), field(2, 3), field(8, 'q'), field(9, Uint8Array.of(1))),
      /no weights in floating point, only q \(int8\)/,
    ],
    [
      'a half that is none',
      model(field(1, 1), field(2, 10), [5 * 8, 0x80, 0x80, 4], field(8, 'h')),
      /no 16-bit floats/,
    ],
  ])('refuses %s in one line that names the file', (_, bytes, message) => {
    expect(() => decodeOnnx(bytes, 'net.onnx')).toThrow(
      expect.objectContaining({
        name: 'TilesightError',
        kind: 'input',
        message: expect.stringMatching(message) as string,
      }) as Error,
    );
    expect(() => decodeOnnx(bytes, 'net.onnx')).toThrow(/^net\.onnx: .+; .+$/);
  });

  it('never fails otherwise, wherever a file is cut', () => {
    const file = foreignFile('onnx');
    const refused = Array.from({ length: file.length }, (_, length) => {
      try {
        decodeOnnx(file.subarray(0, length), 'file');
        return false;
      } catch (error) {
        expect(error).toMatchObject({ name: 'TilesightError', kind: 'input' });
        return true;
      }
    });
    // A message may end between two of its fields: behind the graph only the version fields follow.
    expect(refused.filter(Boolean).length).toBeGreaterThan(file.length - 10);
  });
});
