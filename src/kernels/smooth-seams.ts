import type { Graph, Operator, Tensor } from '../engine/graph.js';
import { sameSize, table, wrong } from './shapes.js';
import source from './smooth-seams.wgsl';

/** Half-open ranges `[start, end)` of rows or columns; parts outside the map count for nothing. */
export type Strips = readonly (readonly [start: number, end: number])[];

const smoothSeamsOperator: Operator<undefined> = {
  name: 'smooth-seams',
  lower(node, lowering) {
    const [map, blurred, rows, columns] = node.inputs;
    const [result] = node.outputs;
    if (!map || !blurred || !rows || !columns || !result) throw new Error('smooth-seams wants four inputs');
    const [batch = 1, height = 1, width = 1, channels = 1] = map.shape;
    lowering.dispatch({
      kernel: { name: 'smooth-seams', source },
      bindings: [map, blurred, rows, columns, result],
      parameters: { width, channels },
      workgroups: [Math.ceil((width * channels) / 64), height, batch],
    });
  },
};

function marks(strips: Strips, size: number): Float32Array {
  const marked = new Float32Array(size);
  // fill() would count a negative start from the end.
  for (const [start, end] of strips) if (end > 0) marked.fill(1, Math.max(0, start), end);
  return marked;
}

/**
 * Seam smoothing of the tiled ensemble: blurred values inside full-width strips of rows and full-height strips of
 * columns around the seams, the map's own elsewhere.
 *
 * @param map `[batch, height, width]` or `[batch, height, width, channels]`; `blurred` of the same shape.
 */
export function smoothSeams(
  graph: Graph,
  map: Tensor,
  blurred: Tensor,
  strips: { readonly rows: Strips; readonly columns: Strips },
): Tensor {
  sameSize('smooth-seams', map, blurred);
  const [, height, width] = map.shape;
  if (!height || !width) throw wrong('smooth-seams', `wants maps, ${map.name} is [${map.shape.join(', ')}]`);
  const rows = table(graph, 'seams', marks(strips.rows, height), 'u32');
  const columns = table(graph, 'seams', marks(strips.columns, width), 'u32');
  return graph.apply(smoothSeamsOperator, [map, blurred, rows, columns], undefined, map.shape);
}
