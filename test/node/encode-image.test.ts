import sharp from 'sharp';
import { expect, it } from 'vitest';
import { generateSample } from '../../src/data/synthetic.js';
import { encodeImage } from '../../src/node/encode-image.js';

it('encodes an image as a data URL that decodes to nearly the same pixels', async () => {
  const { image } = generateSample({ seed: 1, index: 0, size: { height: 96, width: 128 } });
  const url = await encodeImage(image);
  const prefix = 'data:image/webp;base64,';
  expect(url.startsWith(prefix)).toBe(true);
  const decoded = await sharp(Buffer.from(url.slice(prefix.length), 'base64'))
    .raw()
    .toBuffer({ resolveWithObject: true });
  expect(decoded.info).toMatchObject({ width: 128, height: 96, channels: 3 });
  const error = image.data.reduce((sum, value, at) => sum + Math.abs(value - (decoded.data[at] ?? 0)), 0);
  expect(error / image.data.length).toBeLessThan(8);
  expect(url.length).toBeLessThan(image.data.length / 2);
});
