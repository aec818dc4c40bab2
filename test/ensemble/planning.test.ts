import { describe, expect, it } from 'vitest';
import { assumedAdapter } from '../../src/engine/adapter.js';
import { planEnsemble, type PlanRequest } from '../../src/ensemble/planning.js';
import { createBackbone } from '../../src/models/backbones/index.js';
import { createPadim } from '../../src/models/padim.js';

const request: PlanRequest = {
  model: createPadim(),
  backbone: createBackbone('resnet18', undefined),
  imageSize: { height: 2048, width: 2048 },
  shared: false,
  seed: 42,
  trainingImages: 200,
  adapter: assumedAdapter,
  budgetBytes: Infinity,
};

describe('planning', () => {
  it('needs no device and takes the same for any grid', () => {
    const sizes = [512, 1792, 3840].map((side) => {
      const plan = planEnsemble({
        ...request,
        imageSize: { height: side, width: side },
        tileSize: { height: 256, width: 256 },
      });
      expect(plan.grid.rows).toBe(side / 256);
      return plan.plannedBytes;
    });
    expect(new Set(sizes).size).toBe(1);
  });

  it('costs an ensemble at most 15 % over the single tile without double buffering', () => {
    const plan = planEnsemble({ ...request, tileSize: { height: 256, width: 256 }, batch: 1 });
    const { slots } = plan.predictor.byOwner;
    expect(plan.plannedBytes / (plan.plannedBytes - slots / 2)).toBeLessThan(1.15);
  });

  it('chooses batch and tile within a budget', () => {
    const free = planEnsemble(request);
    expect(free.grid.tile).toEqual({ height: 256, width: 256 });
    const tight = planEnsemble({ ...request, budgetBytes: free.plannedBytes * 0.6 });
    expect(tight.plannedBytes).toBeLessThanOrEqual(free.plannedBytes * 0.6);
    expect(tight.setting.batch * tight.grid.tile.height).toBeLessThan(free.setting.batch * 256);
  });

  it('keeps what the user gave, and refuses in a line that names what would fit', () => {
    const given = { ...request, tileSize: { height: 256, width: 256 }, batch: 8, budgetBytes: 60 * 2 ** 20 };
    expect(() => planEnsemble(given)).toThrow(
      /tile 256x256 with batch 8 needs .* the budget is 60.0 MiB: --tile-size \d+ --batch \d+ would fit/,
    );
    expect(() => planEnsemble({ ...given, budgetBytes: 1000 })).toThrow(
      /nothing smaller fits either, give at least --memory/,
    );
  });

  it('keeps as many positions on the device as the budget holds', () => {
    const tileSize = { height: 256, width: 256 };
    const streamed = planEnsemble({ ...request, tileSize });
    expect(streamed.residentPositions).toBe(1);
    const budgetBytes = streamed.predictBytes + 3.5 * streamed.predictor.positionBytes;
    const some = planEnsemble({ ...request, tileSize, budgetBytes });
    expect(some.residentPositions).toBe(4);
    expect(some.plannedBytes).toBeLessThanOrEqual(budgetBytes);
  });
});
