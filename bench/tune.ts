import type { BenchOptions } from '../src/cli/bench.js';
import { saveTuning } from '../src/node/tuning.js';
import { fuseNodes } from '../src/engine/fusion.js';
import type { Gpu } from '../src/engine/gpu.js';
import { Graph, type Node } from '../src/engine/graph.js';
import { compile } from '../src/engine/plan.js';
import { elementCount } from '../src/engine/tensor.js';
import { createBackbone } from '../src/models/backbones/index.js';
import { measureProgram } from './programs.js';
import { tapNames } from './prepare.js';
import { randomNumbers } from './random.js';
import type { Row } from './report.js';
import { benchWeights, randomWeights } from './weights.js';

/** Most times as long as the best so far that a variant may take in its first run before it is given up. */
const hopeless = 3;

/** Share of the preferred variant's time that another must stay within to win: less of a gain is noise. */
const leastGain = 0.9;

/** Variants that compute with 16 bits change results, so they are only taken where the user asks for them. */
const changesResults = (variant: string): boolean => /f16|matrix/.test(variant);

/**
 * Measures, for every choice that the plans of the backbones leave, all variants that apply, and keeps the winners for
 * this adapter. Each choice is measured as the fused node that it stands in, alone.
 */
export async function tuneBackbones(gpu: Gpu, options: BenchOptions): Promise<Row[]> {
  const size = options.tiny ? 32 : 256;
  // Winners are remembered whatever the batch: on a GPU a full one counts, on a processor one tile fills it.
  const batch = gpu.profile.class === 'hardware' && !options.tiny ? 8 : 1;
  const iterations = options.samples ?? (options.tiny ? 1 : 5);
  const winners = new Map<string, string>();
  const rows: Row[] = [];
  for (const network of ['resnet18', 'mobilenet-v2'] as const) {
    const weights = options.tiny ? randomWeights(network) : await benchWeights(network, { file: options.weights });
    const backbone = createBackbone(network, weights);
    const graph = new Graph(network);
    const image = graph.input('image', [batch, size, size, 3]);
    for (const tap of backbone.build(graph, image, tapNames)) graph.output(tap);
    for (const node of fuseNodes(graph)) {
      const alone = nodeAlone(node);
      const plain = compile(alone, { adapter: gpu.profile });
      for (const [key, variants] of plain.alternatives) {
        if (winners.has(key) || variants.length < 2) continue;
        if (options.tiny && winners.size >= 3) continue;
        options.signal.throwIfAborted();
        options.onNote(`tuning ${key}`);
        const [operator = '', shape = ''] = key.split('|');
        // What the adapter's rules prefer goes first, so that the slow ones are given up early.
        const preferred = plain.choices.get(key) ?? '';
        const order = [preferred, ...variants.filter((name) => name !== preferred && !changesResults(name))];
        let best = { variant: '', median: Infinity };
        const own: { variant: string; row: Row }[] = [];
        for (const variant of order) {
          const plan = compile(alone, { adapter: gpu.profile, kernels: { [operator]: variant } });
          const first = await measureProgram(gpu, plan, { iterations: 1, time: 0 });
          const { milliseconds } =
            first.milliseconds.median > hopeless * best.median
              ? first
              : await measureProgram(gpu, plan, { iterations, time: 0 });
          own.push({ variant, row: { tuned: operator, key: shape, batch, variant, milliseconds } });
          const wanted =
            variant === preferred ? Infinity : best.variant === preferred ? leastGain * best.median : best.median;
          if (milliseconds.median < wanted) best = { variant, median: milliseconds.median };
        }
        winners.set(key, best.variant);
        rows.push(...own.map(({ variant, row }) => ({ ...row, winner: variant === best.variant })));
      }
    }
  }
  // Winners at tiny sizes would push the real ones out.
  if (!options.tiny) options.onNote(`${winners.size} winners kept in ${await saveTuning(gpu, winners)}`);
  return rows;
}

/** A graph of one fused node, its inputs as parameters: weights with their contents, values with random ones. */
function nodeAlone(node: Node): Graph {
  const graph = new Graph(node.operator.name);
  let seed = 1;
  const inputs = node.inputs.map((input, index) => {
    const data = (): Float32Array => randomNumbers(elementCount(input.shape), seed++);
    const contents = input.contents ?? (() => ({ shape: input.shape, data: data() }));
    return graph.parameter(`${index}:${input.name}`, input.shape, { contents, dtype: input.dtype });
  });
  const outputs = graph.add(
    node.operator,
    inputs,
    node.attributes,
    node.outputs.map(({ shape, dtype }) => ({ shape, dtype })),
  );
  for (const output of outputs) graph.output(output);
  return graph;
}
