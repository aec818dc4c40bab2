import { describe, expect, it } from 'vitest';
import {
  areaUnderRoc,
  precisionRecallCurve,
  proCurve,
  PixelScores,
  rankScores,
  rocCurve,
  type Curve,
} from '../../src/metrics/index.js';

function trapezoid(curve: Curve): number {
  let area = 0;
  for (let point = 1; point < curve.x.length; point++) {
    const step = (curve.x[point] ?? 0) - (curve.x[point - 1] ?? 0);
    area += (step * ((curve.y[point] ?? 0) + (curve.y[point - 1] ?? 0))) / 2;
  }
  return area;
}

describe('curves', () => {
  it('of few scores keep every point', () => {
    const ranking = rankScores([1, 2, 3, 4], [0, 1, 0, 1]);
    expect(rocCurve(ranking)).toEqual({
      x: [0, 0, 0.5, 0.5, 1],
      y: [0, 0.5, 0.5, 1, 1],
      threshold: [Infinity, 4, 3, 2, 1],
    });
    expect(precisionRecallCurve(ranking)).toEqual({
      x: [0, 0.5, 0.5, 1, 1],
      y: [1, 1, 0.5, 2 / 3, 0.5],
      threshold: [Infinity, 4, 3, 2, 1],
    });
  });

  it('of many scores are thinned and keep area and ends', () => {
    const count = 20_000;
    const labels = Array.from({ length: count }, (_, item) =>
      (Math.sin(item * 12.9898) * 43758.5453 + item / 9000) % 1 > 0.5 ? 1 : 0,
    );
    const scores = labels.map((label, item) => Math.cos(item) + label);
    const ranking = rankScores(scores, labels);
    const curve = rocCurve(ranking, 100);
    expect(curve?.x.length).toBeLessThan(500);
    expect([curve?.x[0], curve?.y[0], curve?.x.at(-1), curve?.y.at(-1)]).toEqual([0, 0, 1, 1]);
    expect(curve === undefined ? NaN : trapezoid(curve)).toBeCloseTo(areaUnderRoc(ranking) ?? NaN, 2);

    const perfect = rocCurve(
      rankScores(
        scores.map((_, item) => item),
        scores.map((_, item) => (item >= count / 2 ? 1 : 0)),
      ),
      10,
    );
    expect(perfect?.x.length).toBeLessThan(50);
    expect(perfect?.x.some((x, point) => x < 0.1 && (perfect.y[point] ?? 0) > 0.9)).toBe(true);
    expect(perfect === undefined ? NaN : trapezoid(perfect)).toBeCloseTo(1, 2);
  });

  it('of regions rise from (0, 0) to (1, 1)', () => {
    const scores = new PixelScores();
    scores.add(
      { height: 1, width: 4, data: Float32Array.of(4, 1, 3, 2) },
      { height: 1, width: 4, data: Uint8Array.of(1, 0, 0, 1) },
    );
    expect(proCurve(scores)).toEqual({
      x: [0, 0, 0.5, 0.5, 1],
      y: [0, 0.5, 0.5, 1, 1],
      threshold: [Infinity, 4, 3, 2, 1],
    });
  });

  it('are undefined where the metric is', () => {
    const oneClass = rankScores([1, 2], [0, 0]);
    expect([rocCurve(oneClass), precisionRecallCurve(oneClass), proCurve(oneClass)]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(proCurve(rankScores([1, 2], [0, 1]))).toBeUndefined();
  });
});
