import { describe, expect, it } from 'vitest';
import { foldWorkgroups, kernelInterface, kernelText, packParameters, type Kernel } from '../../src/engine/kernel.js';

const kernel: Kernel = {
  name: 'test/scale',
  source: `struct Params {
  count: u32,
  offset: i32, // may be negative
  factor: f32,
}
alias Scalar = f32;
const TILE: u32 = 4u;
const FAST: bool = false;
@group(0) @binding(0) var<storage, read> x: array<Scalar>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;
`,
  constants: { TILE: 8, FAST: true },
  aliases: { Scalar: 'f16' },
  enables: ['f16'],
};

describe('kernel records', () => {
  it('reads bindings and parameters out of the text', () => {
    expect(kernelInterface(kernel)).toEqual({
      bindings: [
        { name: 'x', access: 'read' },
        { name: 'y', access: 'read_write' },
      ],
      parameters: [
        { name: 'count', type: 'u32' },
        { name: 'offset', type: 'i32' },
        { name: 'factor', type: 'f32' },
      ],
      parameterBinding: 2,
    });
  });

  it('specialises constants, aliases and extensions', () => {
    const text = kernelText(kernel);
    expect(text.startsWith('enable f16;\n')).toBe(true);
    expect(text).toContain('const TILE: u32 = 8u;');
    expect(text).toContain('const FAST: bool = true;');
    expect(text).toContain('alias Scalar = f16;');
    expect(() => kernelText({ ...kernel, constants: { NONE: 1 } })).toThrow(/no constant NONE/);
  });

  it('packs parameters in the order of the struct', () => {
    const words = packParameters(kernel, { factor: 0.5, count: 7, offset: -2 });
    expect([...words]).toEqual([7, 0xfffffffe, 0x3f000000]);
    expect(() => packParameters(kernel, { count: 1 })).toThrow(/wants the parameter offset/);
  });

  it('folds workgroups over two dimensions', () => {
    expect(foldWorkgroups(10, 65_535)).toEqual([10, 1, 1]);
    const [x, y] = foldWorkgroups(100_000, 65_535);
    expect(x * y).toBeGreaterThanOrEqual(100_000);
    expect(x).toBeLessThanOrEqual(65_535);
  });
});
