import type { Lowering, Tensor } from '../engine/graph.js';
import { foldWorkgroups } from '../engine/kernel.js';
import { elementCount } from '../engine/tensor.js';
import source from './reduce-slices.wgsl';
import { packing } from './shapes.js';

/**
 * Adds up partial results in a fixed order, as a part of another operator's lowering.
 *
 * @param partials `[slices, …]`, as many elements a slice as `result` has.
 */
export function reduceSlices(lowering: Lowering, partials: Tensor, result: Tensor): void {
  const count = elementCount(result.shape);
  const slices = elementCount(partials.shape) / count;
  const packed = packing(count);
  const values = count / packed.width;
  lowering.dispatch({
    kernel: { name: `reduce-slices/${packed.suffix}`, source, aliases: packed.aliases },
    bindings: [partials, result],
    parameters: { values, slices },
    workgroups: foldWorkgroups(Math.ceil(values / 64), lowering.adapter.limits.maxComputeWorkgroupsPerDimension),
    flops: count * slices,
  });
}

/** Rows of a slice and slices, so that a matrix is summed in at most 256 partial sums of at least 64 rows. */
export function rowSlices(rows: number): { readonly sliceRows: number; readonly slices: number } {
  const sliceRows = Math.max(64, Math.ceil(rows / 256));
  return { sliceRows, slices: Math.ceil(rows / sliceRows) };
}
