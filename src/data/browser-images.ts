import { TilesightError } from '../engine/errors.js';
import type { ImageReader, ImageSize, Mask, RgbImage } from './image.js';
import { resizeBilinear, resizeNearest } from './resize.js';

/** Rows that are drawn and read back at once: bounds the memory beside the decoded image, and keeps canvases small. */
const bandRows = 256;

/** Formats whose compression smears a mask's edge. */
const lossyTypes: ReadonlySet<string> = new Set(['image/jpeg', 'image/webp', 'image/avif']);

/** Options of {@link createBrowserImages}. */
export interface BrowserImagesOptions {
  /** Replaces the global `fetch`: for headers, caches and tests. */
  readonly fetch?: (url: string) => Promise<Response>;
}

/** Reads images in a page or a worker: by URL as any `ImageReader`, and files that the user picked. */
export interface BrowserImages extends ImageReader {
  /** Decodes a picked file or a fetched body; `name` is for messages. */
  decodeImage(blob: Blob, size?: ImageSize, name?: string): Promise<RgbImage>;
}

/**
 * Reads images with the browser's own decoders by the rules of Node's reader: EXIF orientation applied, colours in sRGB,
 * alpha on black, resized by the same code. Two things are the browser's: values of more than 8 bits are rounded by it,
 * masks' included, and JPEG may differ from Node's decoder by a grey level or two.
 *
 * @throws TilesightError `input` for what cannot be fetched or decoded.
 */
export function createBrowserImages(options: BrowserImagesOptions = {}): BrowserImages {
  const load = options.fetch ?? ((url: string) => fetch(url));

  const fetchBlob = async (url: string): Promise<Blob> => {
    let response: Response;
    try {
      response = await load(url);
    } catch (cause) {
      throw new TilesightError('input', `cannot fetch image ${url}: ${String(cause)}; check the address and CORS`, {
        cause,
      });
    }
    if (!response.ok) {
      throw new TilesightError('input', `cannot fetch image ${url}: status ${response.status}; check the address`);
    }
    return response.blob();
  };
  const decodeImage = async (blob: Blob, size?: ImageSize, name = 'image'): Promise<RgbImage> => {
    const { height, width, data } = await withBitmap(blob, name, 'default', (bitmap) => readPixels(bitmap, name));
    return size
      ? { ...size, data: resizeBilinear(data, height, width, 3, size.height, size.width) }
      : { height, width, data };
  };

  return {
    decodeImage,
    readImage: async (url, size) => decodeImage(await fetchBlob(url), size, url),

    async readMask(url, size): Promise<Mask> {
      const blob = await fetchBlob(url);
      const image = await withBitmap(blob, url, 'none', (bitmap) => readPixels(bitmap, url));
      const { height, width, data } = image;
      const least = lossyTypes.has(blob.type) ? 128 : 1;
      const mask = new Uint8Array(height * width);
      for (let i = 0; i < data.length; i++) {
        if ((data[i] ?? 0) >= least) mask[Math.floor(i / 3)] = 255;
      }
      return size
        ? { ...size, data: resizeNearest(mask, height, width, size.height, size.width) }
        : { height, width, data: mask };
    },

    readSize: async (url) =>
      withBitmap(await fetchBlob(url), url, 'default', ({ height, width }) => ({ height, width })),
  };
}

/** Decodes a blob, hands the bitmap to `use` and frees it. */
async function withBitmap<T>(
  blob: Blob,
  name: string,
  colorSpaceConversion: ColorSpaceConversion,
  use: (bitmap: ImageBitmap) => T,
): Promise<T> {
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(blob, { imageOrientation: 'from-image', colorSpaceConversion });
  } catch (cause) {
    const what = blob.size === 0 ? 'it is empty' : `the browser cannot read it (${blob.type || 'unknown type'})`;
    throw new TilesightError('input', `cannot decode image ${name}: ${what}; replace it, PNG and JPEG are safe`, {
      cause,
    });
  }
  try {
    return use(bitmap);
  } finally {
    bitmap.close();
  }
}

/** Red, green and blue of each pixel, band after band through one opaque canvas, which composites on black. */
function readPixels(bitmap: ImageBitmap, name: string): RgbImage {
  const { height, width } = bitmap;
  const canvas = new OffscreenCanvas(width, Math.min(height, bandRows));
  const context = canvas.getContext('2d', { alpha: false, willReadFrequently: true, colorSpace: 'srgb' });
  if (!context) throw new TilesightError('input', `cannot decode image ${name}: no canvas of ${width} pixels a row`);
  const data = new Uint8Array(height * width * 3);
  for (let top = 0; top < height; top += bandRows) {
    const rows = Math.min(bandRows, height - top);
    context.fillRect(0, 0, width, rows);
    context.drawImage(bitmap, 0, -top);
    const pixels = context.getImageData(0, 0, width, rows).data;
    let at = top * width * 3;
    for (let i = 0; i < pixels.length; i += 4, at += 3) {
      data[at] = pixels[i] ?? 0;
      data[at + 1] = pixels[i + 1] ?? 0;
      data[at + 2] = pixels[i + 2] ?? 0;
    }
  }
  return { height, width, data };
}
