import sharp from 'sharp';
import type { RgbImage } from '../data/image.js';

/** Encodes an image as a WebP `data:` URL for a page; near enough to the pixels that small defects stay what they are. */
export async function encodeImage({ data, width, height }: RgbImage): Promise<string> {
  const bytes = await sharp(data, { raw: { width, height, channels: 3 } })
    .webp({ quality: 84, smartSubsample: true })
    .toBuffer();
  return `data:image/webp;base64,${bytes.toString('base64')}`;
}
