import { gaussianBlur } from '../kernels/gaussian-blur.js';
import { mahalanobis } from '../kernels/mahalanobis/mahalanobis.js';
import { mapPeak } from '../kernels/reduce.js';
import { resize2d } from '../kernels/resize2d.js';
import type { AnomalyModel } from './anomaly-model.js';
import type { ModelDefinition } from './definition.js';
import { appendEmbedding, embeddingLayers, embeddingOf } from './padim/embedding.js';
import { createPadimFitter, planPadimFit, positionShapes } from './padim/fitting.js';

/** Options of PaDiM. */
export interface PadimOptions {
  /** Channels of the embedding, a seeded choice of those of three layers. Default (0): the backbone's usual number. */
  readonly dimensions?: number;
  /** Standard deviation of the blur of the anomaly map, in pixels. Default 4. */
  readonly sigma?: number;
}

/**
 * PaDiM (Defard et al. 2020, arXiv 2011.08785): a Gaussian for each position of the first layer over a seeded choice of the
 * channels of three layers; the anomaly map is the Mahalanobis distance to it, resized bilinearly and blurred, and the
 * score its maximum. Fitting streams means and covariances on the device: nothing grows with the number of images.
 *
 * Parameters of a position: `mean [P, d]` and `factor [P, d(d+1)/2]`, the packed inverse of the Cholesky factor of the
 * covariance + 0.01·I.
 */
export function createPadim({ dimensions = 0, sigma = 4 }: PadimOptions = {}): AnomalyModel {
  return {
    name: 'padim',
    layers: embeddingLayers,
    positionBound: true,
    parameterShapes: (setting) => positionShapes(embeddingOf(setting, dimensions)),
    features: (graph, taps, setting) => [appendEmbedding(graph, taps, embeddingOf(setting, dimensions))],
    head(graph, [features], parameter, setting) {
      if (!features) throw new Error('PaDiM wants its embedding');
      const { height, width } = setting.tile;
      const embedding = embeddingOf(setting, dimensions);
      const distances = mahalanobis(graph, features, parameter('mean'), parameter('factor'));
      const grid = graph.reshape(distances, [1, embedding.height, embedding.width, 1]);
      const resized = resize2d(graph, grid, { mode: 'bilinear', height, width });
      const blurred = sigma > 0 ? gaussianBlur(graph, resized, { sigma }) : resized;
      const map = graph.reshape(blurred, [1, height, width]);
      return { map, score: mapPeak(graph, map) };
    },
    planFit: (setting) => planPadimFit(setting, embeddingOf(setting, dimensions)),
    createFitter: (setting, context) => createPadimFitter(setting, embeddingOf(setting, dimensions), context),
  };
}

/** PaDiM as the command line and the run folder know it. */
export const padim: ModelDefinition = {
  name: 'padim',
  summary: 'a Gaussian for each place of the tile (Defard et al. 2020): fast to fit, for parts with a fixed pose',
  options: [
    {
      name: 'dimensions',
      help: 'channels of the embedding; 0 takes the usual number: 100, or 550 for the ResNet-50 family',
      default: 0,
      minimum: 0,
      integer: true,
    },
    { name: 'sigma', help: 'blur of the anomaly map in pixels; 0 for none', default: 4, minimum: 0, maximum: 64 },
  ],
  create: ({ dimensions, sigma }) => createPadim({ dimensions: Number(dimensions), sigma: Number(sigma) }),
};
