/**
 * A new anomaly model, from its network to a trained run: an autoencoder squeezes a layer of the backbone through a few
 * channels and learns to make good features again; where it fails, something is wrong.
 *
 *   node --import ./scripts/register.mjs examples/write-a-model.ts DATA RUN [STEPS] [WEIGHTS]
 */
import type { ModelDefinition, Network } from '../src/node.js';
import { convolutionLayer, defaultTraining, readTrainingOptions, registerModel, train } from '../src/node.js';
import { trainedModel, trainingOptions } from '../src/node.js';
import { gaussianBlur, mapPeak, reduce, relu, resize2d, rowDot, square, subtract } from '../src/operators.js';
import type { Tensor } from '../src/operators.js';

/** What the autoencoder gets wrong, `[B, h, w, c]`. */
function mistakes(network: Network, layer: Tensor): Tensor {
  const channels = layer.shape[3] ?? 0;
  const squeezed = relu(network.graph, convolutionLayer(network, layer, 'squeeze', channels / 8, { kernel: 3 }));
  return subtract(network.graph, layer, convolutionLayer(network, squeezed, 'expand', channels, { kernel: 3 }));
}

const autoencoder: ModelDefinition = {
  name: 'autoencoder',
  summary: "squeezes the backbone's features through few channels and looks at what is lost",
  options: trainingOptions({ steps: 100, learningRate: 2e-3 }),
  create: (options) =>
    trainedModel({
      name: 'autoencoder',
      layers: ['layer2'],
      optimizer: { kind: 'adam', betas: [0.9, 0.999], epsilon: 1e-8, weightDecay: 1e-5 },
      training: readTrainingOptions(options),
      loss: (network, layers) =>
        reduce(network.graph, square(network.graph, mistakes(network, only(layers))), {
          operation: 'mean',
          over: 'all',
        }),
      head(network, layers, { tile }) {
        const { graph } = network;
        const wrong = mistakes(network, only(layers));
        const [, height = 1, width = 1] = wrong.shape;
        const small = graph.reshape(rowDot(graph, wrong, wrong), [1, height, width, 1]);
        const large = gaussianBlur(graph, resize2d(graph, small, { mode: 'bilinear', ...tile }), { sigma: 4 });
        const map = graph.reshape(large, [1, tile.height, tile.width]);
        return { map, score: mapPeak(graph, map) };
      },
    }),
};

function only(layers: readonly Tensor[]): Tensor {
  const [layer] = layers;
  if (!layer) throw new Error('the backbone gave no layer');
  return layer;
}

const [data, out, steps, weights] = process.argv.slice(2);
if (data === undefined || out === undefined) {
  console.error('usage: write-a-model.ts DATA RUN [STEPS] [WEIGHTS]');
  process.exit(2);
}
registerModel(autoencoder);
const size = { height: 128, width: 128 };
const { summary, ensemble, gpu } = await train(
  {
    ...defaultTraining,
    ...{ model: 'autoencoder', data, out, imageSize: size, tileSize: size, batch: 8 },
    ...(steps !== undefined && { modelOptions: { steps } }),
    ...(weights !== undefined && { weights }),
  },
  { onProgress: (stage, done, total, detail) => console.error(`${stage} ${done}/${total} ${detail ?? ''}`) },
);
console.log(`image AUROC ${summary.metrics['imageAUROC']}, pixel AUROC ${summary.metrics['pixelAUROC']}`);
ensemble.destroy();
gpu.destroy();
