import { describe, expect, it } from 'vitest';
import { parseModuleExport } from '../../../src/models/weights/javascript-literal.js';
import { convolutionShapes, mobilenetV2Units } from '../../../src/models/weights/mobilenet-v2-layout.js';
import { convertNsfwjsMobilenet } from '../../../src/models/weights/nsfwjs-mobilenet.js';
import { decodeTfjsWeights } from '../../../src/models/weights/tfjs-layers.js';
import { base64, browserified, dataOf, kerasMobilenetShapes } from './handmade.js';

describe('parseModuleExport', () => {
  it('reads what minifiers write', () => {
    const literal = `{a:.5,"b c":[-1e-3,!0,!1,null,12],$d:{},'e':"text",f:[]}`;
    expect(parseModuleExport(browserified(literal), 'file')).toEqual({
      a: 0.5,
      'b c': [-0.001, true, false, null, 12],
      $d: {},
      e: 'text',
      f: [],
    });
  });

  it.each(['{a:1', '[1 2]', 'process.exit()', '"open', '"a\\n"', '['.repeat(100), '{a}', '!2', ''])(
    'refuses %s without running it',
    (literal) => {
      expect(() => parseModuleExport(browserified(literal), 'm.js')).toThrow(/^m\.js: damaged JavaScript module at/);
    },
  );

  it('refuses other scripts', () => {
    expect(() => parseModuleExport('alert(1)', 'm.js')).toThrow(/^m\.js: is no JavaScript module that holds data/);
  });

  it('cannot reach the prototype of objects', () => {
    const value = parseModuleExport(browserified('{"__proto__":{polluted:1}}'), 'file');
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
  });
});

describe('decodeTfjsWeights', () => {
  const model = (...weights: object[]): unknown => ({ weightsManifest: [{ weights }] });

  it('reads quantised and plain weights one behind the other', () => {
    const bytes = new Uint8Array(3 + 4 + 4);
    bytes.set([0, 2, 255]);
    const view = new DataView(bytes.buffer);
    view.setFloat32(3, -1.5, true);
    view.setUint16(7, 40_000, true);
    view.setUint16(9, 1, true);
    const tensors = decodeTfjsWeights(
      model(
        { name: 'a', shape: [3], dtype: 'float32', quantization: { dtype: 'uint8', min: -1, scale: 0.25 } },
        { name: 'b', shape: [], dtype: 'float32' },
        { name: 'c', shape: [2, 1], dtype: 'float32', quantization: { dtype: 'uint16', min: 1, scale: 2 } },
      ),
      bytes,
      'file',
    );
    expect([...dataOf(tensors, 'a')]).toEqual([-1, -0.5, 62.75]);
    expect([...dataOf(tensors, 'b')]).toEqual([-1.5]);
    expect([...dataOf(tensors, 'c')]).toEqual([80_001, 3]);
  });

  it('refuses what does not fit together', () => {
    const one = { name: 'a', shape: [2], dtype: 'float32' };
    expect(() => decodeTfjsWeights(model(one), new Uint8Array(7), 'f')).toThrow(
      /^f: weight "a": ends at byte 8 of 7; /,
    );
    expect(() => decodeTfjsWeights(model(one), new Uint8Array(9), 'f')).toThrow(/^f: needs 8 bytes of 9; /);
    expect(() => decodeTfjsWeights(model({ ...one, dtype: 'int32' }), new Uint8Array(8), 'f')).toThrow(/not supported/);
    expect(() => decodeTfjsWeights({}, new Uint8Array(), 'f')).toThrow(
      /^f: no TensorFlow\.js model \(wrong at weightsManifest\)/,
    );
  });
});

describe('convertNsfwjsMobilenet', () => {
  /** A model of random bytes, with a tensor more and the scale 1/256, so that values tell their byte. */
  function handmade(): { model: string; weights: string; bytes: Map<string, Uint8Array> } {
    const shapes = [...kerasMobilenetShapes(), ['dense_1/kernel', [3, 2]] as const].reverse();
    const bytes = new Map<string, Uint8Array>();
    let state = 1;
    for (const [name, shape] of shapes) {
      const part = new Uint8Array(shape.reduce((product, size) => product * size, 1));
      for (let i = 0; i < part.length; i++) part[i] = (state = (state * 48_271) % 0x7fffffff) & 0xff;
      bytes.set(name, part);
    }
    const weights = shapes.map(([name, shape]) => {
      const min = name.endsWith('moving_variance') ? -0.25 : 0;
      return { name, shape, dtype: 'float32', quantization: { min, scale: 1 / 256, dtype: 'uint8' } };
    });
    const literal = JSON.stringify({ modelTopology: {}, weightsManifest: [{ paths: ['x'], weights }] });
    return {
      model: browserified(literal.replace(/"(\w+)":/g, '$1:')),
      weights: browserified(`"${base64(Buffer.concat([...bytes.values()]))}"`),
      bytes,
    };
  }

  const { model, weights: weightsModule, bytes } = handmade();
  const converted = convertNsfwjsMobilenet(model, weightsModule, 'nsfwjs');
  const stored = (name: string, index: number): number => (bytes.get(name)?.[index] ?? NaN) / 256;

  it('has every tensor of the layout and none besides', () => {
    const shapes = convolutionShapes(mobilenetV2Units(), 'apart');
    expect(new Map([...converted.tensors].map(([name, { shape }]) => [name, shape]))).toEqual(shapes);
  });

  it('turns kernels to OIHW', () => {
    const stem = dataOf(converted.tensors, 'features.0.0.weight');
    // Output 5, input 2, row 1, column 0 out of [3, 3, 3, 32].
    expect(stem[((5 * 3 + 2) * 3 + 1) * 3]).toBe(stored('Conv1/kernel', (1 * 3 * 3 + 2) * 32 + 5));
    const depthwise = dataOf(converted.tensors, 'features.7.conv.1.0.weight');
    // Channel 100, row 2, column 1 out of [3, 3, 192, 1].
    expect(depthwise[100 * 9 + 2 * 3 + 1]).toBe(stored('block_6_depthwise/depthwise_kernel', (2 * 3 + 1) * 192 + 100));
    const project = dataOf(converted.tensors, 'features.1.conv.1.weight');
    expect(project[15 * 32 + 31]).toBe(stored('expanded_conv_project/kernel', 31 * 16 + 15));
    const head = dataOf(converted.tensors, 'features.18.0.weight');
    expect(head[1279 * 320 + 7]).toBe(stored('Conv_1/kernel', 7 * 1280 + 1279));
  });

  it('keeps batch norms apart and their variances at zero or above', () => {
    expect(dataOf(converted.tensors, 'features.2.conv.0.1.weight')[3]).toBe(stored('block_1_expand_BN/gamma', 3));
    expect(dataOf(converted.tensors, 'features.0.1.bias')[31]).toBe(stored('bn_Conv1/beta', 31));
    expect(dataOf(converted.tensors, 'features.17.conv.3.running_mean')[9]).toBe(
      stored('block_16_project_BN/moving_mean', 9),
    );
    const variance = dataOf(converted.tensors, 'features.18.1.running_var');
    expect(Math.min(...variance)).toBe(0);
    expect(variance[5]).toBe(Math.max(0, stored('Conv_1_bn/moving_variance', 5) - 0.25));
  });

  it("says how the network was trained and in what it differs from torchvision's", () => {
    expect(converted).toMatchObject({
      network: 'mobilenet-v2',
      preprocessing: { mean: [0, 0, 0], std: [1, 1, 1], channelOrder: 'rgb', scale: 1 / 255 },
      variant: { padding: 'keras-same', batchNormEpsilon: 1e-3 },
      licence: 'MIT',
    });
    expect(converted.provenance).toMatch(/ImageNet .* fine-tuned for another image task .* quantised to 8 bits/);
  });

  it('refuses modules of another package', () => {
    expect(() => convertNsfwjsMobilenet(weightsModule, weightsModule, 'nsfwjs')).toThrow(
      /^nsfwjs: no TensorFlow\.js model/,
    );
    expect(() => convertNsfwjsMobilenet(model, model, 'nsfwjs')).toThrow(/is not base64/);
    const renamed = model.replace('block_3_expand/kernel', 'block_3_other/kernel');
    expect(() => convertNsfwjsMobilenet(renamed, weightsModule, 'nsfwjs')).toThrow(
      /has no tensor block_3_expand\/kernel/,
    );
  });
});
