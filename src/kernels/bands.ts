/**
 * Linear maps along one axis in which output i is a weighted sum of `taps` neighbouring inputs from `starts[i]` on:
 * interpolation, antialiased interpolation and their transposes (gradients).
 */
export interface Bands {
  /** Length of the axis before. */
  readonly inputs: number;
  /** Length of the axis after. */
  readonly outputs: number;
  /** Inputs an output looks at; weights of those it does not need are zero. */
  readonly taps: number;
  /** First input of each output; `starts[i] + taps ≤ inputs`. */
  readonly starts: Int32Array;
  /** Weight of input `starts[i] + j` for output i at `i · taps + j`. */
  readonly weights: Float32Array;
}

/** Packs rows of (first input, weights) into bands of equal width that stay inside the input. */
function pack(inputs: number, rows: readonly { start: number; weights: readonly number[] }[]): Bands {
  const taps = Math.max(1, ...rows.map((row) => row.weights.length));
  const starts = new Int32Array(rows.length);
  const weights = new Float32Array(rows.length * taps);
  rows.forEach((row, index) => {
    const start = Math.max(0, Math.min(row.start, inputs - taps));
    starts[index] = start;
    row.weights.forEach((weight, tap) => (weights[index * taps + row.start - start + tap] = weight));
  });
  return { inputs, outputs: rows.length, taps, starts, weights };
}

/** Output i is input `floor(i · inputs/outputs)`, with the product rounded to f32 as PyTorch's `nearest` does. */
export function nearestBands(inputs: number, outputs: number): Bands {
  const scale = nearestScale(inputs, outputs);
  return pack(
    inputs,
    Array.from({ length: outputs }, (_, index) => ({
      start: Math.min(Math.floor(Math.fround(index * scale)), inputs - 1),
      weights: [1],
    })),
  );
}

/** Step of nearest sampling, rounded to f32 like PyTorch's. */
export function nearestScale(inputs: number, outputs: number): number {
  return Math.fround(inputs / outputs);
}

/** Step of linear interpolation, and where output 0 falls. */
export function linearScale(inputs: number, outputs: number, alignCorners: boolean): { scale: number; origin: number } {
  if (alignCorners) return { scale: outputs > 1 ? (inputs - 1) / (outputs - 1) : 0, origin: 0 };
  const scale = inputs / outputs;
  return { scale, origin: 0.5 * scale - 0.5 };
}

/** Linear interpolation as PyTorch's `bilinear` along one axis; positions before the first pixel's centre give that pixel. */
export function linearBands(inputs: number, outputs: number, alignCorners: boolean): Bands {
  const { scale, origin } = linearScale(inputs, outputs, alignCorners);
  return pack(
    inputs,
    Array.from({ length: outputs }, (_, index) => {
      const position = Math.min(Math.max(0, index * scale + origin), inputs - 1);
      const start = Math.min(Math.floor(position), Math.max(0, inputs - 2));
      const weight = position - start;
      return { start, weights: inputs === 1 ? [1] : [1 - weight, weight] };
    }),
  );
}

/**
 * Linear interpolation with antialiasing, as PyTorch's `interpolate(…, mode='bilinear', antialias=True)` and
 * torchvision's resize: a triangle filter stretched by the reduction, cut at the border and renormalised.
 */
export function antialiasBands(inputs: number, outputs: number): Bands {
  const scale = inputs / outputs;
  const support = Math.max(1, scale);
  return pack(
    inputs,
    Array.from({ length: outputs }, (_, index) => {
      const centre = scale * (index + 0.5);
      const start = Math.max(Math.trunc(centre - support + 0.5), 0);
      const end = Math.min(Math.trunc(centre + support + 0.5), inputs);
      const weights = Array.from({ length: end - start }, (_unused, tap) =>
        Math.max(0, 1 - Math.abs((tap + start - centre + 0.5) / support)),
      );
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      return { start, weights: weights.map((weight) => weight / total) };
    }),
  );
}

/** The transposed map: how gradients flow back. */
export function transposeBands(bands: Bands): Bands {
  const rows = Array.from({ length: bands.inputs }, () => new Map<number, number>());
  for (let output = 0; output < bands.outputs; output++) {
    for (let tap = 0; tap < bands.taps; tap++) {
      const weight = bands.weights[output * bands.taps + tap] ?? 0;
      if (weight !== 0) rows[(bands.starts[output] ?? 0) + tap]?.set(output, weight);
    }
  }
  return pack(
    bands.outputs,
    rows.map((row) => {
      const outputs = [...row.keys()];
      const start = outputs.length > 0 ? Math.min(...outputs) : 0;
      const end = outputs.length > 0 ? Math.max(...outputs) : 0;
      return { start, weights: Array.from({ length: end - start + 1 }, (_, tap) => row.get(start + tap) ?? 0) };
    }),
  );
}
