/**
 * From a folder of good photographs to a trained run, and from there to heat maps of new ones.
 *
 *   node --import ./scripts/register.mjs examples/train-on-a-folder.ts GOOD RUN NEW_IMAGE…
 *
 * In a project of your own, write `from 'tilesight/node'` in place of `from '../src/node.js'`.
 */
import { join, parse } from 'node:path';
import { defaultTraining, heatOverlay, heatScale, nodeImages, train } from '../src/node.js';

const [good, run, ...fresh] = process.argv.slice(2);
if (good === undefined || run === undefined) {
  console.error('usage: train-on-a-folder.ts GOOD RUN NEW_IMAGE…');
  process.exit(2);
}

// 128 pixels a tile, half overlapping. A tenth of the good images is held out and sets the thresholds.
const { summary, ensemble, gpu } = await train(
  { ...defaultTraining, normal: good, out: run, tileSize: { height: 128, width: 128 } },
  { onNote: (line) => console.error(line) },
);
console.error(`${summary.grid.join('×')} tiles, ${summary.seconds.total.toFixed(1)} s, on ${summary.adapter.name}`);

// Images are read only as fast as they are predicted, so a thousand of them take no more memory than two.
const { imageSize } = ensemble.run.configuration;
const inputs = fresh.map((path) => ({ name: path, read: () => nodeImages.readImage(path, imageSize) }));
const scale = heatScale(ensemble);
for await (const { name, index, score, anomalous, boxes, image, map } of ensemble.predictMany(inputs)) {
  const regions = boxes.length === 1 ? '1 region' : `${boxes.length} regions`;
  console.log(`${name} ${score.toFixed(3)} ${anomalous ? `anomalous, ${regions}` : 'good'}`);
  await nodeImages.writePng(join(run, `heat-${index}-${parse(name).name}.png`), heatOverlay(image, map, scale));
}

ensemble.destroy();
gpu.destroy();
// Dawn keeps handles open after the device is gone.
process.exit(0);
