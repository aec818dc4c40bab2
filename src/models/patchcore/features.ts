import { Graph, type Tensor } from '../../engine/graph.js';
import { concat } from '../../kernels/concat.js';
import { pool2d } from '../../kernels/pool2d.js';
import { resize2d } from '../../kernels/resize2d.js';
import type { ModelSetting } from '../anomaly-model.js';
import { backboneFeatures } from '../backbones/backbone.js';

/** Layers of a patch's features, shallowest first. */
export const patchLayers = ['layer2', 'layer3'] as const;

/** The patches of a tile. */
export interface PatchGrid {
  readonly height: number;
  readonly width: number;
  /** Numbers of a patch. */
  readonly elements: number;
}

/**
 * Appends the patch features `[B, h, w, d]`: each layer averaged over 3 × 3 (padding counts as zeros), the deeper ones
 * resized bilinearly to the first's size, all joined.
 */
export function appendPatches(graph: Graph, taps: readonly Tensor[]): Tensor {
  const [, height = 1, width = 1] = taps[0]?.shape ?? [];
  const pooled = taps.map((tap) => pool2d(graph, tap, { mode: 'average', kernel: 3, stride: 1, padding: 1 }));
  const resized = pooled.map((map, index) =>
    index === 0 ? map : resize2d(graph, map, { mode: 'bilinear', height, width }),
  );
  return concat(graph, resized, 3);
}

const grids = new WeakMap<ModelSetting, PatchGrid>();

/** The patches that a setting's tiles have, asked of the graph itself: rounding differs between networks. */
export function patchGrid(setting: ModelSetting): PatchGrid {
  let grid = grids.get(setting);
  if (!grid) {
    const graph = new Graph('shapes');
    const { tile, backbone } = setting;
    const pixels = graph.input('pixels', [1, tile.height, tile.width, 3], 'u8x4');
    const [, height = 1, width = 1, elements = 1] = appendPatches(
      graph,
      backboneFeatures(graph, backbone, pixels, patchLayers),
    ).shape;
    grid = { height, width, elements };
    grids.set(setting, grid);
  }
  return grid;
}
