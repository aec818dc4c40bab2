import { gaussianBlur } from '../kernels/gaussian-blur.js';
import { imageScore } from '../kernels/nearest/image-score.js';
import { maximumNeighbours, nearest } from '../kernels/nearest/nearest.js';
import { mapPeak } from '../kernels/reduce.js';
import { resize2d } from '../kernels/resize2d.js';
import type { AnomalyModel } from './anomaly-model.js';
import type { ModelDefinition } from './definition.js';
import { appendPatches, patchGrid, patchLayers } from './patchcore/features.js';
import { bankRows, createPatchcoreFitter, patchcorePlan, planPatchcoreFit } from './patchcore/fitting.js';

/** Options of PatchCore. */
export interface PatchcoreOptions {
  /** Share of all training patches that the memory bank keeps. Default 0.1. */
  readonly coresetRatio?: number;
  /** Bank rows that weight the image score; 1 takes the plain maximum. Default 9. */
  readonly neighbours?: number;
  /** Keeps the bank as 16-bit floats on the device. Default false. */
  readonly f16?: boolean;
  /** Standard deviation of the blur of the anomaly map, in pixels. Default 4. */
  readonly sigma?: number;
}

/**
 * PatchCore (Roth et al. 2021, arXiv 2106.08265): a memory bank of patch features of good tiles, thinned by a greedy
 * k-centre coreset; a patch's score is the distance to the nearest bank row, resized to the tile and blurred for the map;
 * the image's score is its farthest patch's, weighted by the neighbourhood of what it is nearest to.
 *
 * Parameter of a position: `bank [N, d]`, in the order in which the coreset took its rows.
 */
export function createPatchcore(options: PatchcoreOptions = {}): AnomalyModel {
  const { coresetRatio = 0.1, neighbours = 9, f16 = false, sigma = 4 } = options;
  return {
    name: 'patchcore',
    layers: patchLayers,
    parameterShapes(setting) {
      const { height, width, elements } = patchGrid(setting);
      const rows = Number.isFinite(setting.budgetBytes)
        ? patchcorePlan(setting, coresetRatio).coreset.wanted
        : bankRows(Math.max(1, setting.trainingImages) * height * width, coresetRatio);
      return new Map([['bank', [rows, elements]]]);
    },
    features: (graph, taps) => [appendPatches(graph, taps)],
    head(graph, [features], parameter, setting) {
      if (!features) throw new Error('PatchCore wants its patches');
      const { height, width } = setting.tile;
      const [, rows = 1, columns = 1, elements = 1] = features.shape;
      const patches = graph.reshape(features, [rows * columns, elements]);
      const bank = parameter('bank', f16 ? 'f16' : 'f32');
      const found = nearest(graph, patches, bank, { k: 1 });
      const grid = graph.reshape(found.distances, [1, rows, columns, 1]);
      const resized = resize2d(graph, grid, { mode: 'nearest', height, width });
      const blurred = sigma > 0 ? gaussianBlur(graph, resized, { sigma }) : resized;
      const map = graph.reshape(blurred, [1, height, width]);
      const support = Math.min(neighbours, maximumNeighbours, bank.shape[0] ?? 1);
      const score =
        support > 1
          ? imageScore(graph, patches, found, bank, support)
          : mapPeak(graph, graph.reshape(found.distances, [1, rows * columns]));
      return { map, score };
    },
    planFit: (setting) => planPatchcoreFit(setting, coresetRatio, f16),
    createFitter: (setting, context) => createPatchcoreFitter(setting, coresetRatio, context),
  };
}

/** PatchCore as the command line and the run folder know it. */
export const patchcore: ModelDefinition = {
  name: 'patchcore',
  summary: 'a memory bank of patch features (Roth et al. 2021): accurate on any pose, memory grows with the images',
  options: [
    {
      name: 'coreset',
      help: 'share of the training patches that the memory bank keeps',
      default: 0.1,
      minimum: 1e-6,
      maximum: 1,
    },
    {
      name: 'neighbours',
      help: 'bank rows that weight the image score; 1 takes the plain maximum',
      default: 9,
      minimum: 1,
      maximum: maximumNeighbours,
      integer: true,
    },
    { name: 'f16', help: 'keeps the bank as 16-bit floats on the device', default: false },
    { name: 'sigma', help: 'blur of the anomaly map in pixels; 0 for none', default: 4, minimum: 0, maximum: 64 },
  ],
  create: ({ coreset, neighbours, f16, sigma }) =>
    createPatchcore({
      coresetRatio: Number(coreset),
      neighbours: Number(neighbours),
      f16: f16 === true,
      sigma: Number(sigma),
    }),
};
