import type { Conv2dShape } from '../shape.js';

/**
 * One phase of the gradient with respect to a convolution's input along one axis: the positions whose sum with the
 * padding has one remainder by the stride. Only every stride-th tap reaches them, so that their gradient is a
 * convolution of stride 1 of the output's gradient with those taps, turned round.
 */
export interface AxisPhase {
  /** First position of the phase; the others follow at the stride. */
  readonly first: number;
  /** Positions it has. */
  readonly count: number;
  /** First tap that reaches them; the others follow at the stride. */
  readonly firstTap: number;
  /** Taps that reach them; 0 where the gradient is zero. */
  readonly taps: number;
  /** Padding of the convolution; negative where it would have to leave out pixels. */
  readonly before: number;
  readonly after: number;
}

function axisPhases(input: number, output: number, kernel: number, stride: number, padding: number): AxisPhase[] {
  const phases: AxisPhase[] = [];
  for (let first = 0; first < Math.min(stride, input); first++) {
    const firstTap = (first + padding) % stride;
    const taps = Math.max(0, Math.ceil((kernel - firstTap) / stride));
    const count = Math.ceil((input - first) / stride);
    const before = taps - 1 - (first + padding - firstTap) / stride;
    phases.push({ first, count, firstTap, taps, before, after: count - output - before + taps - 1 });
  }
  return phases;
}

/**
 * The phases of both axes, or undefined where a convolution cannot compute one of them (groups, dilation, padding wider
 * than the kernel).
 */
export function inputGradientPhases(
  shape: Conv2dShape,
): { readonly vertical: AxisPhase; readonly horizontal: AxisPhase }[] | undefined {
  if (shape.groups !== 1 || shape.dilationX !== 1 || shape.dilationY !== 1) return undefined;
  const rows = axisPhases(shape.inHeight, shape.outHeight, shape.kernelHeight, shape.strideY, shape.padding.top);
  const columns = axisPhases(shape.inWidth, shape.outWidth, shape.kernelWidth, shape.strideX, shape.padding.left);
  if ([...rows, ...columns].some((phase) => phase.taps > 0 && (phase.before < 0 || phase.after < 0))) return undefined;
  return rows.flatMap((vertical) => columns.map((horizontal) => ({ vertical, horizontal })));
}
