import type { Command } from 'commander';
import { TilesightError } from '../engine/errors.js';
import { formatBytes } from '../engine/memory.js';
import { nodeImages } from '../node/images.js';
import { command } from './command.js';
import { addDataOptions, addEnsembleOptions, addStageOptions, ownModelOptions } from './ensemble-options.js';
import {
  chooseModel,
  loadData,
  makePlan,
  ownImageSize,
  splitData,
  type DataOptions,
  type EnsembleOptions,
  type StageOptions,
} from '../node/setup.js';
import { print, remark } from './terminal.js';
import { describePlan } from '../node/training.js';
import { wholeNumber } from './values.js';

interface PlanOptions extends EnsembleOptions, StageOptions, DataOptions {
  images: number;
  json?: boolean;
}

/** `tilesight plan`: bytes, tiles and arithmetic of a configuration, without touching a GPU. */
export function planCommand(): Command {
  const made = command(
    'plan',
    'Say what a configuration will take (device bytes, tiles, arithmetic, disk) without touching a GPU.',
    [
      'tilesight plan --image-size 4000 --tile-size 256 --stride 128',
      'tilesight plan --image-size 4000 --model patchcore --images 200 --memory 2GiB',
      'tilesight plan --data mvtec/bottle --backbone resnet18 --json',
    ],
  );
  addEnsembleOptions(made);
  addDataOptions(made);
  addStageOptions(made);
  return made
    .optionsGroup('Images:')
    .option('--images <n>', 'number of training images, without --data', wholeNumber(1), 200)
    .action(async (options: PlanOptions) => {
      const fromData = options.data !== undefined || options.normal !== undefined;
      const splits = fromData ? splitData(await loadData(options, { onNote: remark }), options) : undefined;
      const imageSize = options.imageSize ?? (splits && (await ownImageSize(splits, nodeImages)));
      if (!imageSize) throw new TilesightError('usage', 'give --image-size, or --data to take it from the images');
      const chosen = await chooseModel({ ...options, modelOptions: ownModelOptions(options) }, { planning: true });
      const images = splits?.train.length ?? options.images;
      const plan = makePlan(options, chosen, imageSize, images);
      const { grid, setting, fit, predictor } = plan;
      const pair = ({ height, width }: { height: number; width: number }): [number, number] => [height, width];
      if (options.json) {
        print(
          JSON.stringify({
            model: options.model,
            backbone: chosen.loaded.backbone.name,
            imageSize: pair(grid.image),
            tileSize: pair(grid.tile),
            stride: pair(grid.stride),
            grid: [grid.rows, grid.columns],
            batch: setting.batch,
            images: { train: images },
            memory: {
              plannedBytes: plan.plannedBytes,
              budgetBytes: options.memory ?? null,
              fitBytes: plan.fitBytes,
              predictBytes: plan.predictBytes,
              byOwner: { fit: fit.byOwner, predict: { ...predictor.byOwner, position: predictor.positionBytes } },
            },
            residentPositions: plan.residentPositions,
            flops: { perTile: predictor.flopsPerTile, perImage: plan.flopsPerImage },
            runBytes: plan.runBytes,
            notes: plan.notes,
          }),
        );
        return;
      }
      const owners = (of: Readonly<Record<string, number>>): string =>
        Object.entries(of)
          .map(([owner, bytes]) => `${owner} ${formatBytes(bytes)}`)
          .join(', ');
      print(
        [
          ...describePlan(plan, options.memory),
          `fitting: ${formatBytes(plan.fitBytes)} (${owners(fit.byOwner)})`,
          `prediction: ${formatBytes(plan.predictBytes)} (${owners({ ...predictor.byOwner, 'a position': predictor.positionBytes })}; ${plan.residentPositions} of ${options.shared ? 1 : grid.positions} positions on the device)`,
          `arithmetic: ${(predictor.flopsPerTile / 1e9).toFixed(2)} GFLOP a tile, ${(plan.flopsPerImage / 1e9).toFixed(1)} GFLOP an image`,
        ].join('\n'),
      );
    });
}
