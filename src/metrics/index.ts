export {
  areaUnderPrecisionRecall,
  areaUnderPro,
  areaUnderRoc,
  DEFAULT_FALSE_POSITIVE_LIMIT,
  tieBounds,
  type TieBounds,
} from './areas.js';
export { connectedComponents, RUN_FIELDS, type Components } from './components.js';
export { precisionRecallCurve, proCurve, rocCurve, type Curve } from './curves.js';
export { bestF1, confusionAt, f1At, perRegionOverlapAt, type BestF1, type Confusion } from './f1.js';
export { PixelScores, type PixelScoresOptions } from './pixel-scores.js';
export { condensed, quantileOfGood, rankScores, type Ranking } from './ranking.js';
export { imageMetrics, pixelMetrics, type ImageMetrics, type PixelMetrics } from './summary.js';
