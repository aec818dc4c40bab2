import type { ImageSize, Mask, ScoreMap } from '../data/image.js';
import { connectedComponents, RUN_FIELDS } from '../metrics/components.js';
import { maskAtThreshold } from './thresholds.js';

/** A defect that was found: a connected region (8-connectivity) of a merged map at or above the threshold. */
export interface DefectBox {
  /** Box around the region, in whole pixels of the original image; every pixel of the region lies inside. */
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  /** Area of the region in pixels of the original image; not whole where the map was smaller. */
  readonly area: number;
  /** Largest value of the map in the region. */
  readonly score: number;
}

/** Options of `defectBoxes`. */
export interface DefectBoxOptions {
  /** Pixels of the map at or above it are defective. */
  readonly threshold: number;
  /** Size of the original image; the size of the map when left out. */
  readonly original?: ImageSize | undefined;
  /** The pixels at or above the threshold, where they are known. */
  readonly mask?: Mask | undefined;
  /** Regions with a smaller area, in pixels of the original image, are left out. */
  readonly minimumArea?: number | undefined;
}

/**
 * The boxes of the defects in a merged map, the highest score first (on ties the upper, then the left one). They come from the
 * merged map and not from the tiles, so that a defect across a seam or in an overlap gives one box.
 */
export function defectBoxes(map: ScoreMap, options: DefectBoxOptions): DefectBox[] {
  const original = options.original ?? map;
  const scaleY = original.height / map.height;
  const scaleX = original.width / map.width;
  const { runs, runCount, areas } = connectedComponents(options.mask ?? maskAtThreshold(map, options.threshold));
  const extents = Array.from(areas, () => ({ top: Infinity, bottom: 0, left: Infinity, right: 0, score: -Infinity }));
  for (let run = 0; run < runCount; run++) {
    const at = run * RUN_FIELDS;
    const row = runs[at] ?? 0;
    const first = runs[at + 1] ?? 0;
    const end = runs[at + 2] ?? 0;
    const extent = extents[runs[at + 3] ?? 0];
    if (extent === undefined) continue;
    extent.top = Math.min(extent.top, row);
    extent.bottom = Math.max(extent.bottom, row + 1);
    extent.left = Math.min(extent.left, first);
    extent.right = Math.max(extent.right, end);
    for (let column = first; column < end; column++) {
      extent.score = Math.max(extent.score, map.data[row * map.width + column] ?? 0);
    }
  }
  return extents
    .map((extent, region): DefectBox => {
      const left = Math.floor(extent.left * scaleX);
      const top = Math.floor(extent.top * scaleY);
      return {
        left,
        top,
        width: Math.min(original.width, Math.ceil(extent.right * scaleX)) - left,
        height: Math.min(original.height, Math.ceil(extent.bottom * scaleY)) - top,
        area: (areas[region] ?? 0) * scaleX * scaleY,
        score: extent.score,
      };
    })
    .filter((box) => box.area >= (options.minimumArea ?? 0))
    .sort((a, b) => b.score - a.score || a.top - b.top || a.left - b.left);
}
