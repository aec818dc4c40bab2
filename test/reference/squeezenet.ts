import { Graph, type Tensor } from '../../src/engine/graph.js';
import type { HostTensor } from '../../src/engine/tensor.js';
import { concat } from '../../src/kernels/concat.js';
import { conv2d } from '../../src/kernels/conv2d/conv2d.js';
import { relu } from '../../src/kernels/elementwise.js';
import { addBias } from '../../src/kernels/epilogue.js';
import { pool2d } from '../../src/kernels/pool2d.js';
import { hwioWeights } from '../../src/models/backbones/convolution-unit.js';

/**
 * SqueezeNet 1.1 (Iandola et al. 2016) with the names of Gluon's weights: a whole network of other operators than the
 * backbones', to check the engine against vectors that an independent implementation made.
 *
 * @param tensor the weights and bias of a convolution by name, kernels OIHW.
 */
export function squeezenet(tensor: (name: string) => HostTensor): { graph: Graph; image: Tensor; logits: Tensor } {
  const graph = new Graph('squeezenet');
  const image = graph.input('image', [1, 224, 224, 3]);
  let next = 0;
  const convolution = (x: Tensor, stride: number, padding: number): Tensor => {
    const name = `squeezenet0_conv${next++}`;
    const kernel = tensor(`${name}_weight`);
    const bias = tensor(`${name}_bias`);
    const [out = 0, inputs = 0, height = 0, width = 0] = kernel.shape;
    const weights = graph.parameter(name, [height, width, inputs, out], { contents: () => hwioWeights(kernel) });
    const shift = graph.parameter(`${name}_bias`, [out], { contents: () => bias });
    return relu(graph, addBias(graph, conv2d(graph, x, weights, { stride, padding }), shift));
  };
  const fire = (x: Tensor): Tensor => {
    const squeezed = convolution(x, 1, 0);
    const narrow = convolution(squeezed, 1, 0);
    return concat(graph, [narrow, convolution(squeezed, 1, 1)]);
  };
  const pool = (x: Tensor): Tensor => pool2d(graph, x, { mode: 'max', kernel: 3, stride: 2, ceil: true });
  let x = pool(convolution(image, 2, 0));
  x = pool(fire(fire(x)));
  x = pool(fire(fire(x)));
  x = fire(fire(fire(fire(x))));
  x = pool2d(graph, convolution(x, 1, 0), { mode: 'average', kernel: 13, stride: 13 });
  return { graph, image, logits: graph.output(graph.reshape(x, [1000])) };
}
