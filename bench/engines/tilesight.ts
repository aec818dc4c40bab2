import { Graph, type Tensor } from '../../src/engine/graph.js';
import { compile } from '../../src/engine/plan.js';
import { Program } from '../../src/engine/program.js';
import { elementCount } from '../../src/engine/tensor.js';
import { loadTuning } from '../../src/node/tuning.js';
import { openGpu } from '../../src/node/gpu.js';
import { readBackbone, readPrepared, tapNames } from '../prepare.js';
import { stackRate, type Engine } from './engine.js';
import { appendStack, stackInput } from './stack.js';

/** Our own engine, as `predict` uses it: variants by the adapter's tuning table where there is one. */
export async function createTilesight(): Promise<Engine> {
  const gpu = await openGpu({ onNotice: () => undefined });
  const tuning = await loadTuning(gpu);
  let program: Program | undefined;
  let image: { tensor: Tensor; data: Float32Array } | undefined;
  let rate: Tensor | undefined;
  let taps: { tensor: Tensor; data: Float32Array<ArrayBuffer> }[] = [];
  return {
    async load(job) {
      program?.destroy();
      if ('stack' in job) {
        const stack = appendStack(job);
        const plan = compile(stack.step.graph, { adapter: gpu.profile, tuning });
        program = await Program.create(gpu, plan);
        for (const { tensor, host } of stack.weights) await program.pool.write(tensor.name, host);
        image = { tensor: stack.input, data: stackInput(job) };
        rate = stack.step.rate;
        taps = [{ tensor: stack.step.loss, data: new Float32Array(1) }];
        return;
      }
      const { folder, kernels } = job;
      rate = undefined;
      const { prepared, image: data } = await readPrepared(folder);
      const backbone = await readBackbone(folder, prepared.network);
      const graph = new Graph(prepared.network);
      const input = graph.input('image', prepared.inputShape);
      taps = backbone.build(graph, input, tapNames).map((tensor) => ({
        tensor: graph.output(tensor),
        data: new Float32Array(elementCount(tensor.shape)),
      }));
      image = { tensor: input, data };
      const plan = compile(graph, { adapter: gpu.profile, kernels, tuning });
      program = await Program.create(gpu, plan);
    },
    async run() {
      if (!program || !image) throw new Error('no network is loaded');
      await program.write(0, image.tensor, image.data);
      if (rate) await program.write(0, rate, Float32Array.of(stackRate));
      program.run(0);
      const running = program;
      await Promise.all(taps.map((tap) => running.read(0, tap.tensor, tap.data)));
    },
    outputs: () => Promise.resolve(taps.map((tap) => tap.data)),
  };
}
