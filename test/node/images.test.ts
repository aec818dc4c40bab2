import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import sharp, { type Sharp } from 'sharp';
import { beforeAll, describe, expect, it, vi } from 'vitest';

import { resizeBilinear } from '../../src/data/resize.js';
import { createNodeImages, nodeImages } from '../../src/node/images.js';

let folder = '';
const at = (name: string): string => join(folder, name);
const bytes = (data: Uint8Array): number[] => [...data];

/** A 3×2 picture whose six pixels all differ. */
const pixels = Buffer.from([255, 0, 0, 0, 255, 0, 0, 0, 255, 10, 20, 30, 40, 50, 60, 250, 240, 230]);
const picture = (): Sharp => sharp(pixels, { raw: { width: 3, height: 2, channels: 3 } });

/** A PNG by hand, for what sharp cannot write: header fields and one raw image with filter bytes. */
function rawPng(
  width: number,
  height: number,
  depth: number,
  colour: number,
  data: Buffer,
  extra: Buffer[] = [],
): Buffer {
  const table = Array.from({ length: 256 }, (_, n) => {
    let c = n;
    for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
    return c >>> 0;
  });
  const chunk = (type: string, body: Buffer): Buffer => {
    const inner = Buffer.concat([Buffer.from(type, 'latin1'), body]);
    let crc = 0xffffffff;
    for (const byte of inner) crc = (table[(crc ^ byte) & 255] ?? 0) ^ (crc >>> 8);
    const frame = Buffer.alloc(8);
    frame.writeUInt32BE(body.length, 0);
    frame.writeUInt32BE((crc ^ 0xffffffff) >>> 0, 4);
    return Buffer.concat([frame.subarray(0, 4), inner, frame.subarray(4)]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([depth, colour, 0, 0, 0], 8);
  const signature = Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]);
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    ...extra,
    chunk('IDAT', deflateSync(data)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tilesight-images-'));
});

describe('readImage', () => {
  it('decodes RGB exactly and reads the size without decoding', async () => {
    await picture().png().toFile(at('rgb.png'));
    const image = await nodeImages.readImage(at('rgb.png'));
    expect(image).toMatchObject({ height: 2, width: 3 });
    expect(bytes(image.data)).toEqual([...pixels]);
    expect(await nodeImages.readSize(at('rgb.png'))).toEqual({ height: 2, width: 3 });
  });

  it('applies EXIF orientation to images, masks and sizes alike', async () => {
    // 6: the stored picture is turned a quarter clockwise for display.
    await picture().png().withMetadata({ orientation: 6 }).toFile(at('turned.png'));
    const image = await nodeImages.readImage(at('turned.png'));
    expect(image).toMatchObject({ height: 3, width: 2 });
    expect(bytes(image.data)).toEqual([10, 20, 30, 255, 0, 0, 40, 50, 60, 0, 255, 0, 250, 240, 230, 0, 0, 255]);
    expect(await nodeImages.readSize(at('turned.png'))).toEqual({ height: 3, width: 2 });
    await sharp(Buffer.from([0, 0, 9, 0, 0, 0]), { raw: { width: 3, height: 2, channels: 1 } })
      .png()
      .withMetadata({ orientation: 6 })
      .toFile(at('turned-mask.png'));
    const mask = await nodeImages.readMask(at('turned-mask.png'));
    expect(mask).toMatchObject({ height: 3, width: 2 });
    expect(bytes(mask.data)).toEqual([0, 0, 0, 0, 0, 255]);
  });

  it('turns grey into three equal channels', async () => {
    await writeFile(at('grey.png'), rawPng(2, 1, 8, 0, Buffer.from([0, 7, 200])));
    expect(bytes((await nodeImages.readImage(at('grey.png'))).data)).toEqual([7, 7, 7, 200, 200, 200]);
  });

  it('keeps the high byte of 16-bit values, grey and RGB', async () => {
    const grey = Buffer.from([0, 0x12, 0x34, 0xff, 0xff, 0x00, 0xff]);
    await writeFile(at('grey16.png'), rawPng(3, 1, 16, 0, grey));
    expect(bytes((await nodeImages.readImage(at('grey16.png'))).data)).toEqual([18, 18, 18, 255, 255, 255, 0, 0, 0]);
    const rgb = Buffer.from([0, 0x12, 0x80, 0x34, 0x7f, 0xfe, 0xff]);
    await writeFile(at('rgb16.png'), rawPng(1, 1, 16, 2, rgb));
    expect(bytes((await nodeImages.readImage(at('rgb16.png'))).data)).toEqual([0x12, 0x34, 0xfe]);
  });

  it('composites alpha on black', async () => {
    const rgba = Buffer.from([0, 200, 100, 50, 255, 200, 100, 50, 0, 200, 100, 50, 128]);
    await writeFile(at('rgba.png'), rawPng(3, 1, 8, 6, rgba));
    const { data } = await nodeImages.readImage(at('rgba.png'));
    expect(bytes(data.subarray(0, 6))).toEqual([200, 100, 50, 0, 0, 0]);
    const half = bytes(data.subarray(6));
    for (const [i, value] of [100, 50, 25].entries()) expect(Math.abs((half[i] ?? 0) - value)).toBeLessThanOrEqual(1);
    const greyAlpha = Buffer.from([0, 80, 255, 80, 0]);
    await writeFile(at('grey-alpha.png'), rawPng(2, 1, 8, 4, greyAlpha));
    expect(bytes((await nodeImages.readImage(at('grey-alpha.png'))).data)).toEqual([80, 80, 80, 0, 0, 0]);
  });

  it('resizes as resizeBilinear does', async () => {
    const data = Buffer.from(Array.from({ length: 40 * 30 * 3 }, (_, i) => (i * 37) % 256));
    await sharp(data, { raw: { width: 40, height: 30, channels: 3 } })
      .png()
      .toFile(at('noise.png'));
    const image = await nodeImages.readImage(at('noise.png'), { height: 16, width: 12 });
    expect(image).toMatchObject({ height: 16, width: 12 });
    expect(bytes(image.data)).toEqual(bytes(resizeBilinear(data, 30, 40, 3, 16, 12)));
  });
});

describe('readMask', () => {
  it('counts every value above 0 as a defect, at full depth', async () => {
    await writeFile(at('mask.png'), rawPng(4, 1, 8, 0, Buffer.from([0, 0, 1, 128, 255])));
    expect(bytes((await nodeImages.readMask(at('mask.png'))).data)).toEqual([0, 255, 255, 255]);
    await writeFile(at('mask16.png'), rawPng(3, 1, 16, 0, Buffer.from([0, 0, 0, 0, 1, 1, 0])));
    expect(bytes((await nodeImages.readMask(at('mask16.png'))).data)).toEqual([0, 255, 255]);
    await writeFile(at('mask16rgb.png'), rawPng(2, 1, 16, 2, Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0])));
    expect(bytes((await nodeImages.readMask(at('mask16rgb.png'))).data)).toEqual([0, 255]);
    await writeFile(at('mask1.png'), rawPng(8, 1, 1, 0, Buffer.from([0, 0b01100001])));
    expect(bytes((await nodeImages.readMask(at('mask1.png'))).data)).toEqual([0, 255, 255, 0, 0, 0, 0, 255]);
  });

  it('ignores what full transparency hides', async () => {
    await writeFile(at('mask-alpha.png'), rawPng(2, 1, 8, 6, Buffer.from([0, 255, 0, 0, 0, 255, 0, 0, 255])));
    expect(bytes((await nodeImages.readMask(at('mask-alpha.png'))).data)).toEqual([0, 255]);
  });

  it('puts a lossily compressed mask at half', async () => {
    const half = Buffer.from(Array.from({ length: 32 * 32 }, (_, i) => (i % 32 < 13 ? 255 : 0)));
    await sharp(half, { raw: { width: 32, height: 32, channels: 1 } })
      .jpeg({ quality: 60 })
      .toFile(at('mask.jpg'));
    const { data } = await nodeImages.readMask(at('mask.jpg'));
    expect(bytes(data)).toEqual([...half]);
  });

  it('resizes by nearest neighbour only', async () => {
    const data = Buffer.from(Array.from({ length: 20 * 20 }, (_, i) => (i % 20 > 7 && i > 150 ? 255 : 0)));
    await sharp(data, { raw: { width: 20, height: 20, channels: 1 } })
      .png()
      .toFile(at('big-mask.png'));
    const mask = await nodeImages.readMask(at('big-mask.png'), { height: 5, width: 10 });
    expect(mask.data.length).toBe(50);
    expect([...new Set(mask.data)].sort()).toEqual([0, 255]);
  });
});

describe('writePng', () => {
  it('round-trips and makes the folder', async () => {
    const image = { height: 2, width: 3, data: new Uint8Array(pixels) };
    await nodeImages.writePng(at('out/heat/map.png'), image);
    expect(bytes((await nodeImages.readImage(at('out/heat/map.png'))).data)).toEqual([...pixels]);
  });
});

describe('bad files end in one line that names them', () => {
  const expectInput = async (attempt: Promise<unknown>, pattern: RegExp): Promise<void> => {
    const error: unknown = await attempt.then(
      () => new Error('it was accepted'),
      (cause: unknown) => cause,
    );
    expect(error).toMatchObject({ name: 'TilesightError', kind: 'input' });
    const { message } = error as Error;
    expect(message).toMatch(pattern);
    expect(message).not.toContain('\n');
  };

  it('missing, folder, empty', async () => {
    await expectInput(
      nodeImages.readImage(at('none.png')),
      /cannot read image .*none\.png: it does not exist; check the path/,
    );
    await mkdir(at('folder.png'));
    await expectInput(nodeImages.readImage(at('folder.png')), /folder\.png is a folder/);
    await writeFile(at('empty.png'), '');
    await expectInput(nodeImages.readMask(at('empty.png')), /empty\.png is empty \(0 bytes\): copy it again/);
  });

  it('text, SVG and BMP under an image name', async () => {
    await writeFile(at('text.png'), 'this is not an image\n');
    await expectInput(
      nodeImages.readImage(at('text.png')),
      /cannot decode image .*text\.png: it holds text; replace or remove it/,
    );
    await writeFile(at('svg.png'), '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>');
    await expectInput(nodeImages.readImage(at('svg.png')), /svg\.png: it is SVG/);
    await writeFile(at('a.bmp'), Buffer.concat([Buffer.from('BM'), Buffer.alloc(60)]));
    await expectInput(nodeImages.readImage(at('a.bmp')), /BMP is not supported, convert it to PNG/);
    await expectInput(nodeImages.readSize(at('text.png')), /it holds text/);
  });

  it('truncated PNG and JPEG', async () => {
    const data = Buffer.from(Array.from({ length: 64 * 64 * 3 }, (_, i) => (i * i) % 251));
    for (const format of ['png', 'jpeg'] as const) {
      const path = at(`whole.${format}`);
      await sharp(data, { raw: { width: 64, height: 64, channels: 3 } })
        .toFormat(format)
        .toFile(path);
      const whole = await readFile(path);
      for (const share of [0.9, 0.5, 0.1]) {
        await writeFile(at(`cut.${format}`), whole.subarray(0, Math.floor(whole.length * share)));
        await expectInput(nodeImages.readImage(at(`cut.${format}`)), /cannot decode image .*cut\.(png|jpeg): /);
      }
    }
  });

  it('an image over the pixel limit, without decoding it', async () => {
    // A header alone is enough: 30,000 × 30,000 pixels are refused before anything else is read.
    await writeFile(at('huge.png'), rawPng(30_000, 30_000, 8, 2, Buffer.alloc(10)));
    await expectInput(
      nodeImages.readImage(at('huge.png')),
      /huge\.png is 30000x30000, 900 million pixels, and the limit is 268 million: cut or shrink it, or raise TILESIGHT_MAX_PIXELS/,
    );
    // Also where only its size is asked for: a run of that size must not be planned.
    await expectInput(nodeImages.readSize(at('huge.png')), /900 million pixels/);
    const strict = createNodeImages({ maximumPixels: 5 });
    await picture().png().toFile(at('six.png'));
    await expectInput(strict.readImage(at('six.png')), /six\.png is 2x3, 1 million pixels/);
  });

  it('reads the limit from the environment', () => {
    try {
      vi.stubEnv('TILESIGHT_MAX_PIXELS', 'many');
      expect(() => createNodeImages()).toThrow(/TILESIGHT_MAX_PIXELS is "many"/);
    } finally {
      vi.unstubAllEnvs();
    }
  });
});
