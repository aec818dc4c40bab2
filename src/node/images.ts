import { open, stat } from 'node:fs/promises';
import sharp, { type Metadata, type Sharp } from 'sharp';

import { formatImageSize, type ImageReader, type ImageSize, type ImageWriter, type Mask } from '../data/image.js';
import { resizeBilinear, resizeNearest } from '../data/resize.js';
import { TilesightError } from '../engine/errors.js';
import { fileProblem, writeFileAtomic } from './files.js';

/** File endings that the reader decodes. */
export const imageExtensions: readonly string[] = ['.png', '.jpg', '.jpeg', '.tif', '.tiff', '.webp', '.gif', '.avif'];

/** The largest image that is decoded unless told otherwise: 16,384², 0.8 GB as 8-bit RGB. */
export const defaultMaximumPixels = 2 ** 28;

/** Formats that a photograph comes in; libvips would also render SVG and PDF. */
const rasterFormats: ReadonlySet<string> = new Set(['png', 'jpeg', 'tiff', 'webp', 'gif', 'heif', 'jp2', 'jxl']);
/** Formats whose compression smears a mask's edge. */
const lossyFormats: ReadonlySet<string> = new Set(['jpeg', 'webp', 'heif', 'jp2', 'jxl']);

/** Options of {@link createNodeImages}. */
export interface NodeImagesOptions {
  /** Refuse images with more pixels; default `TILESIGHT_MAX_PIXELS`, else 2²⁸. */
  readonly maximumPixels?: number;
}

// A cache of decoded images would make resident memory grow with the number of images.
sharp.cache(false);

/**
 * Reads and writes images in Node with libvips. One rule for each oddity:
 * - EXIF orientation is applied, to images and masks alike.
 * - Grey becomes three equal channels; palettes and CMYK become RGB; an embedded colour profile is converted to sRGB.
 * - 16-bit values keep their high byte (`value >> 8`).
 * - Alpha is composited on black, as a canvas shows it: fully transparent pixels are black whatever colour they hide.
 * - Of animations and multi-page files the first page is read.
 * - Resizing is bilinear with antialias, equal to torchvision's within one grey level.
 * - A mask pixel is a defect when any channel, at full bit depth and composited on black, is above 0; in a lossily
 *   compressed mask, when it is at least half. Masks are resized by nearest neighbour only.
 */
export function createNodeImages(options: NodeImagesOptions = {}): ImageReader & ImageWriter {
  const maximumPixels = options.maximumPixels ?? pixelsFromEnvironment();
  return {
    async readImage(path, size) {
      const { image, metadata } = await openImage(path, maximumPixels, {});
      if (metadata.hasAlpha) image.flatten({ background: '#000' });
      const decoded = await decode(path, image.toColourspace('srgb').raw({ depth: 'uchar' }));
      const { height, width, channels } = decoded;
      if (channels !== 3) throw undecodable(path, `it decodes to ${channels} channels`);
      const bytes = new Uint8Array(decoded.data.buffer, decoded.data.byteOffset, decoded.data.byteLength);
      return size
        ? { ...size, data: resizeBilinear(bytes, height, width, 3, size.height, size.width) }
        : { height, width, data: bytes };
    },

    async readMask(path, size) {
      const mask = await readMask(path, maximumPixels);
      if (!size) return mask;
      return { ...size, data: resizeNearest(mask.data, mask.height, mask.width, size.height, size.width) };
    },

    async readSize(path) {
      return (await openImage(path, maximumPixels, {})).size;
    },

    async writePng(path, image) {
      const { height, width, data } = image;
      if (data.length !== height * width * 3)
        throw new Error(`${path}: ${data.length} bytes for ${formatImageSize({ height, width })} RGB`);
      const png = await sharp(data, { raw: { width, height, channels: 3 } })
        .png({ compressionLevel: 6 })
        .toBuffer();
      await writeFileAtomic(path, png);
    },
  };
}

/** The reader and writer with the default limit. */
export const nodeImages: ImageReader & ImageWriter = createNodeImages();

function pixelsFromEnvironment(): number {
  const text = process.env['TILESIGHT_MAX_PIXELS'];
  if (!text) return defaultMaximumPixels;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new TilesightError('usage', `TILESIGHT_MAX_PIXELS is ${JSON.stringify(text)}: give a whole number of pixels`);
  }
  return value;
}

async function openImage(
  path: string,
  maximumPixels: number,
  options: { ignoreIcc?: boolean },
): Promise<{ image: Sharp; metadata: Metadata; size: ImageSize }> {
  await checkFile(path);
  const image = sharp(path, { limitInputPixels: false, autoOrient: true, failOn: 'warning', ...options });
  let metadata: Metadata;
  try {
    metadata = await image.metadata();
  } catch (cause) {
    throw undecodable(path, await whatItIs(path), cause);
  }
  if (!rasterFormats.has(metadata.format)) throw undecodable(path, `it is ${metadata.format.toUpperCase()}`);
  const { height, width } = metadata.autoOrient;
  if (height * width > maximumPixels) {
    throw new TilesightError(
      'input',
      `image ${path} is ${formatImageSize({ height, width })}, ${Math.ceil((height * width) / 1e6)} million pixels, and the limit is ` +
        `${Math.floor(maximumPixels / 1e6)} million: cut or shrink it, or raise TILESIGHT_MAX_PIXELS (3 bytes of memory a pixel)`,
    );
  }
  return { image, metadata, size: { height, width } };
}

async function checkFile(path: string): Promise<void> {
  try {
    const stats = await stat(path);
    if (stats.isDirectory()) throw new TilesightError('input', `image ${path} is a folder: name a file in it`);
    if (stats.size === 0)
      throw new TilesightError('input', `image ${path} is empty (0 bytes): copy it again or remove it`);
  } catch (cause) {
    if (cause instanceof TilesightError) throw cause;
    throw new TilesightError('input', `cannot read image ${path}: ${fileProblem(cause)}; check the path`, { cause });
  }
}

/** Why a file is no image, by its first bytes. */
async function whatItIs(path: string): Promise<string> {
  const handle = await open(path);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(64), 0, 64, 0);
    const head = buffer.subarray(0, bytesRead);
    if (head.subarray(0, 2).toString('latin1') === 'BM') return 'BMP is not supported, convert it to PNG';
    const isText = head.every((byte) => byte === 9 || byte === 10 || byte === 13 || byte >= 32);
    return isText ? 'it holds text' : 'it is damaged or of an unknown format';
  } finally {
    await handle.close();
  }
}

function undecodable(path: string, why: string, cause?: unknown): TilesightError {
  return new TilesightError(
    'input',
    `cannot decode image ${path}: ${why}; replace or remove it (PNG, JPEG, TIFF, WebP, GIF and AVIF are read)`,
    { cause },
  );
}

/** Raw samples of one image. */
interface Decoded {
  readonly data: Buffer;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

async function decode(path: string, image: Sharp): Promise<Decoded> {
  try {
    const { data, info } = await image.toBuffer({ resolveWithObject: true });
    return { data, height: info.height, width: info.width, channels: info.channels };
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    const reason = message
      .split('\n')
      .map((line) => line.trim())
      .filter(Boolean)
      .slice(0, 2)
      .join(', ');
    throw undecodable(path, `it is damaged or cut off (${reason})`, cause);
  }
}

async function readMask(path: string, maximumPixels: number): Promise<Mask> {
  // Colour profiles are for pictures: converting labels could lift a 0.
  const { image, metadata } = await openImage(path, maximumPixels, { ignoreIcc: true });
  const wide = metadata.depth !== 'uchar' && metadata.depth !== 'char';
  if (metadata.hasAlpha) image.flatten({ background: '#000' });
  if (wide) image.toColourspace(metadata.channels < 3 ? 'grey16' : 'rgb16');
  const decoded = await decode(path, image.raw({ depth: wide ? 'ushort' : 'uchar' }));
  const { data, height, width, channels } = decoded;
  const samples = wide
    ? new Uint16Array(data.buffer, data.byteOffset, data.byteLength / 2)
    : new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const least = lossyFormats.has(metadata.format) ? (wide ? 32_768 : 128) : 1;
  const mask = new Uint8Array(height * width);
  for (let pixel = 0; pixel < mask.length; pixel++) {
    for (let channel = 0; channel < channels; channel++) {
      if ((samples[pixel * channels + channel] ?? 0) >= least) mask[pixel] = 255;
    }
  }
  return { height, width, data: mask };
}
