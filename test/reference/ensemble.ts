/** The ensemble's pure stages pixel by pixel in 64-bit floats, independent of `src/ensemble`. */

export interface Size {
  readonly height: number;
  readonly width: number;
}

/** A tile with its map; `top` and `left` in pixels of the image. */
export interface PlacedTile {
  readonly top: number;
  readonly left: number;
  readonly map: ArrayLike<number>;
}

/** Mean over all tiles that cover a pixel, optionally weighted by a function of the place in the tile. */
export function naiveMerge(
  image: Size,
  tile: Size,
  tiles: readonly PlacedTile[],
  weight: (y: number, x: number) => number = () => 1,
): number[] {
  return Array.from({ length: image.height * image.width }, (_, pixel) => {
    const y = Math.floor(pixel / image.width);
    const x = pixel % image.width;
    let sum = 0;
    let weights = 0;
    for (const { top, left, map } of tiles) {
      const v = y - top;
      const u = x - left;
      if (v < 0 || u < 0 || v >= tile.height || u >= tile.width) continue;
      const w = weight(v, u);
      sum += w * (map[v * tile.width + u] ?? NaN);
      weights += w;
    }
    return sum / weights;
  });
}

/** Non-separable Gaussian blur with a (2r + 1)² kernel, r = ⌊4σ + ½⌋, mirrored at the edges without repeating them. */
export function naiveBlur(map: ArrayLike<number>, size: Size, sigma: number): number[] {
  const radius = Math.floor(4 * sigma + 0.5);
  const mirror = (index: number, length: number): number => {
    let at = index;
    while (at < 0 || at >= length) {
      if (length === 1) return 0;
      at = at < 0 ? -at : 2 * (length - 1) - at;
    }
    return at;
  };
  return Array.from({ length: size.height * size.width }, (_, pixel) => {
    const y = Math.floor(pixel / size.width);
    const x = pixel % size.width;
    let sum = 0;
    let weights = 0;
    for (let dy = -radius; dy <= radius; dy++) {
      for (let dx = -radius; dx <= radius; dx++) {
        const weight = Math.exp(-(dy * dy + dx * dx) / (2 * sigma * sigma));
        sum += weight * (map[mirror(y + dy, size.height) * size.width + mirror(x + dx, size.width)] ?? NaN);
        weights += weight;
      }
    }
    return sum / weights;
  });
}

/** A map with the strips along its seams blurred, 64-bit floats. The strips are those of the grid's tile starts and ends. */
export function smoothedSeams(
  map: { readonly height: number; readonly width: number; readonly data: ArrayLike<number> },
  grid: { readonly tile: Size; readonly stride: Size; readonly rows: number; readonly columns: number },
  { sigma, width }: { readonly sigma: number; readonly width: number },
): number[] {
  const marked = (length: number, tile: number, stride: number, count: number): boolean[] => {
    const reach = Math.floor(tile * width);
    const seams = Array.from({ length: count }, (_, index) => [index * stride, index * stride + tile])
      .flat()
      .filter((seam) => seam > 0 && seam < length);
    return Array.from({ length }, (_, at) => seams.some((seam) => at >= seam - reach && at < seam + reach));
  };
  const rows = marked(map.height, grid.tile.height, grid.stride.height, grid.rows);
  const columns = marked(map.width, grid.tile.width, grid.stride.width, grid.columns);
  const blurred = naiveBlur(map.data, map, sigma);
  return Array.from({ length: map.height * map.width }, (_, pixel) => {
    const inside = rows[Math.floor(pixel / map.width)] === true || columns[pixel % map.width] === true;
    return (inside ? blurred[pixel] : map.data[pixel]) ?? NaN;
  });
}
