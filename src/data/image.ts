/** An 8-bit RGB image, row-major, three bytes a pixel: `data.length = height · width · 3`. */
export interface RgbImage {
  readonly height: number;
  readonly width: number;
  readonly data: Uint8Array;
}

/** A defect mask: one byte a pixel, 0 good, anything else defective. */
export interface Mask {
  readonly height: number;
  readonly width: number;
  readonly data: Uint8Array;
}

/** A map of anomaly scores: one float a pixel, row-major, higher is more anomalous. */
export interface ScoreMap {
  readonly height: number;
  readonly width: number;
  readonly data: Float32Array;
}

/** One image of a data set, not yet decoded. `path` is its name in messages and outputs. */
export interface Sample {
  /** Path relative to the data set's root, with forward slashes. */
  readonly name: string;
  /** Where to read the image: an absolute path in Node, a URL in the browser. */
  readonly path: string;
  /** 0 good, 1 anomalous, undefined unlabelled. */
  readonly label: 0 | 1 | undefined;
  /** Kind of defect by the data set's own name (`good`, `scratch`, …). */
  readonly kind: string;
  /** Where to read the ground-truth mask; undefined for good images and where there is none. */
  readonly maskPath: string | undefined;
}

/** A data set split into training, validation and test images, each list sorted by name (code points). */
export interface Dataset {
  readonly name: string;
  readonly root: string;
  readonly train: readonly Sample[];
  /** Held-out images that a layout names itself; empty where it names none. */
  readonly validation: readonly Sample[];
  readonly test: readonly Sample[];
}

/** Target size of a decoded image, in pixels; undefined keeps the image's own. */
export interface ImageSize {
  readonly height: number;
  readonly width: number;
}

/** A size as it is typed on the command line, height first: `480x640`. */
export function formatImageSize({ height, width }: ImageSize): string {
  return `${height}x${width}`;
}

/** Reads images and masks; implemented by `node/` (sharp) and by the browser (canvas). */
export interface ImageReader {
  /** Decodes, applies EXIF orientation, converts to 8-bit RGB and resizes (bilinear with antialias). */
  readImage(path: string, size?: ImageSize): Promise<RgbImage>;
  /** Decodes a mask (grey > 0 is a defect) and resizes it by nearest neighbour. */
  readMask(path: string, size?: ImageSize): Promise<Mask>;
  /** Height and width as displayed (after EXIF orientation), without decoding the pixels. */
  readSize(path: string): Promise<ImageSize>;
}

/** Writes an RGB image as PNG; implemented by `node/`. */
export interface ImageWriter {
  /** Writes a file whole or not at all. */
  writePng(path: string, image: RgbImage): Promise<void>;
}
