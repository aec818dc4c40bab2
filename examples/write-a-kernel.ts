/**
 * An operator of one's own: WGSL, a record that launches it, a place in a graph beside the operators that Tilesight has,
 * and a comparison with plain loops.
 *
 *   node --import ./scripts/register.mjs examples/write-a-kernel.ts
 *
 * In a project of your own, write `from 'tilesight/node'` and `from 'tilesight/operators'` for the two relative imports.
 */
import { readFileSync } from 'node:fs';
import { compile, Graph, openGpu, Program, type Operator, type Tensor } from '../src/node.js';
import { affine } from '../src/operators.js';

// Any way of reading the text will do; a bundler can import it.
const source = readFileSync(new URL('./dilate.wgsl', import.meta.url), 'utf8');

/** How the operator is lowered: one launch, specialised on the radius. Bindings and parameters are read from the WGSL. */
const dilateOperator: Operator<{ radius: number }> = {
  name: 'dilate',
  lower({ inputs: [map], outputs: [result], attributes: { radius } }, lowering) {
    if (!map || !result) throw new Error('dilate wants one input');
    const [height = 1, width = 1] = map.shape;
    lowering.dispatch({
      kernel: { name: `dilate/${radius}`, source, constants: { RADIUS: radius } },
      bindings: [map, result],
      parameters: { height, width },
      workgroups: [Math.ceil(width / 8), Math.ceil(height / 8), 1],
    });
  },
};

/** Largest value within `radius` pixels: `[height, width]` to the same. */
function dilate(graph: Graph, map: Tensor, radius: number): Tensor {
  if (map.shape.length !== 2) throw new Error(`dilate wants [height, width], got [${map.shape.join(', ')}]`);
  return graph.apply(dilateOperator, [map], { radius }, map.shape);
}

const [height, width, radius] = [37, 53, 2];
const graph = new Graph('example');
const map = graph.input('map', [height, width]);
const result = graph.output(dilate(graph, affine(graph, map, 2, 1), radius));

const gpu = await openGpu();
const plan = compile(graph, { adapter: gpu.profile });
console.log(`${plan.steps.map(({ kernel }) => kernel.name).join(', ')}: ${plan.bytes.total} bytes on the device`);
const program = await Program.create(gpu, plan);
const values = Float32Array.from({ length: height * width }, (_, index) => (index * 7919) % 1009);
const found = (await program.execute(new Map([[map, values]]))).get(result) ?? new Float32Array();

let wrong = 0;
for (let y = 0; y < height; y++) {
  for (let x = 0; x < width; x++) {
    let best = -Infinity;
    for (let row = Math.max(0, y - radius); row <= Math.min(height - 1, y + radius); row++) {
      const from = Math.max(0, x - radius);
      best = Math.max(best, ...values.subarray(row * width + from, row * width + Math.min(width, x + radius + 1)));
    }
    if (found[y * width + x] !== 2 * best + 1) wrong += 1;
  }
}
console.log(`${found.length} pixels, ${wrong} differ from plain loops`);
program.destroy();
gpu.destroy();
// Dawn keeps handles open after the device is gone.
process.exit(wrong === 0 ? 0 : 1);
