import { formatImageSize, type ImageSize, type RgbImage } from '../data/image.js';
import { TilesightError } from '../engine/errors.js';

/**
 * How an image is cut into tiles. Positions are numbered row by row: `row · columns + column`. The tile at (row, column) starts at
 * (row · stride.height, column · stride.width); the last ones may reach over the right and the bottom edge into zero padding.
 */
export interface TileGrid {
  readonly image: ImageSize;
  readonly tile: ImageSize;
  readonly stride: ImageSize;
  /** Size that the tiles cover: the image with its padding right and bottom. */
  readonly padded: ImageSize;
  readonly rows: number;
  readonly columns: number;
  /** `rows · columns`. */
  readonly positions: number;
}

/** Where a tile starts, in pixels of its image. */
export interface TileOrigin {
  readonly top: number;
  readonly left: number;
}

/** What `tileGrid` is made of, in pixels. Tile size = image size gives a single tile. */
export interface TileGridOptions {
  readonly image: ImageSize;
  readonly tile: ImageSize;
  /** Distance between the starts of neighbouring tiles; the tile size (no overlap) when left out. */
  readonly stride?: ImageSize | undefined;
}

/**
 * Lays a grid of tiles over an image. On each axis of length L, with tile t and stride s, the padded length is ⌈(L − t) / s⌉ · s + t
 * and the number of tiles (padded − t) / s + 1, as in the reference implementation of the paper.
 *
 * @throws TilesightError (usage) if a size is not a positive whole number, a tile is larger than the image, or a stride is larger
 *   than the tile (which would leave pixels that no tile covers)
 */
export function tileGrid(options: TileGridOptions): TileGrid {
  const { image, tile } = options;
  const stride = options.stride ?? tile;
  for (const [name, size] of [
    ['image size', image],
    ['tile size', tile],
    ['stride', stride],
  ] as const) {
    if (!isPositive(size.height) || !isPositive(size.width)) {
      throw new TilesightError(
        'usage',
        `The ${name} ${formatImageSize(size)} is not valid: give whole numbers of pixels from 1 up.`,
      );
    }
  }
  if (tile.height > image.height || tile.width > image.width) {
    throw new TilesightError(
      'usage',
      `The tile size ${formatImageSize(tile)} is larger than the image size ${formatImageSize(image)}: choose a tile of at most ${formatImageSize(image)}.`,
    );
  }
  if (stride.height > tile.height || stride.width > tile.width) {
    throw new TilesightError(
      'usage',
      `The stride ${formatImageSize(stride)} is larger than the tile size ${formatImageSize(tile)} and would leave gaps: choose a stride of at most ${formatImageSize(tile)}.`,
    );
  }
  const rows = Math.ceil((image.height - tile.height) / stride.height) + 1;
  const columns = Math.ceil((image.width - tile.width) / stride.width) + 1;
  return {
    image,
    tile,
    stride,
    padded: {
      height: (rows - 1) * stride.height + tile.height,
      width: (columns - 1) * stride.width + tile.width,
    },
    rows,
    columns,
    positions: rows * columns,
  };
}

/** Row and column of a position. */
export function rowAndColumn(grid: TileGrid, position: number): { readonly row: number; readonly column: number } {
  if (!Number.isInteger(position) || position < 0 || position >= grid.positions) {
    throw new RangeError(`There is no tile position ${position} in a grid of ${grid.rows}×${grid.columns}.`);
  }
  return { row: Math.floor(position / grid.columns), column: position % grid.columns };
}

/** Where the tile of a position starts. */
export function tileOrigin(grid: TileGrid, position: number): TileOrigin {
  const { row, column } = rowAndColumn(grid, position);
  return { top: row * grid.stride.height, left: column * grid.stride.width };
}

/**
 * Cuts the tile of a position out of an image; pixels beyond the image are black.
 *
 * @param image 8-bit RGB of the grid's image size
 * @param target receives the tile, `tile.height · tile.width · 3` bytes, row-major; made when left out
 * @returns `target`
 * @throws TilesightError (input) if the image has another size than the grid was made for
 */
export function cutTile(
  image: RgbImage,
  grid: TileGrid,
  position: number,
  target: Uint8Array = new Uint8Array(grid.tile.height * grid.tile.width * 3),
): Uint8Array {
  if (image.height !== grid.image.height || image.width !== grid.image.width) {
    throw new TilesightError(
      'input',
      `An image of ${formatImageSize(image)} pixels does not fit a grid for ${formatImageSize(grid.image)}: resize it first.`,
    );
  }
  const { top, left } = tileOrigin(grid, position);
  const rowBytes = grid.tile.width * 3;
  const rows = Math.min(grid.tile.height, image.height - top);
  const bytes = Math.min(grid.tile.width, image.width - left) * 3;
  if (rows < grid.tile.height || bytes < rowBytes) target.fill(0, 0, grid.tile.height * rowBytes);
  for (let row = 0; row < rows; row++) {
    const start = ((top + row) * image.width + left) * 3;
    target.set(image.data.subarray(start, start + bytes), row * rowBytes);
  }
  return target;
}

function isPositive(value: number): boolean {
  return Number.isInteger(value) && value > 0;
}
