/** For each output position: where its inputs start, and the weight of each; rows of `width` weights. */
interface ResizeWeights {
  readonly starts: Int32Array;
  readonly counts: Int32Array;
  readonly weights: Float64Array;
  /** Weights a row, the most that any output has. */
  readonly width: number;
}

/**
 * Weights of bilinear resizing along one axis with half-pixel centres. When shrinking, the triangle is widened by the
 * scale (antialias); when enlarging it is plain bilinear. The formula is that of PyTorch's `interpolate(mode='bilinear',
 * antialias=True)`, which torchvision v2 and PIL share.
 */
export function bilinearWeights(input: number, output: number): ResizeWeights {
  const scale = input / output;
  const support = Math.max(scale, 1);
  const width = Math.ceil(support) * 2 + 1;
  const starts = new Int32Array(output);
  const counts = new Int32Array(output);
  const weights = new Float64Array(output * width);
  for (let i = 0; i < output; i++) {
    const centre = scale * (i + 0.5);
    const start = Math.max(Math.trunc(centre - support + 0.5), 0);
    const count = Math.min(Math.trunc(centre + support + 0.5), input) - start;
    let sum = 0;
    for (let j = 0; j < count; j++) {
      const weight = Math.max(0, 1 - Math.abs((j + start - centre + 0.5) / support));
      weights[i * width + j] = weight;
      sum += weight;
    }
    for (let j = 0; j < count; j++) weights[i * width + j] = (weights[i * width + j] ?? 0) / sum;
    starts[i] = start;
    counts[i] = count;
  }
  return { starts, counts, weights, width };
}

/**
 * Resizes an 8-bit image (interleaved channels, row-major) by the bilinear filter with antialias, rounding once at the
 * end, half up. Rows are resized along x once each and kept only as long as the filter reaches, so the memory beyond input
 * and output is a few rows.
 *
 * @param source `height · width · channels` bytes
 * @returns `targetHeight · targetWidth · channels` bytes; the source itself when the size stays
 */
export function resizeBilinear(
  source: Uint8Array,
  height: number,
  width: number,
  channels: number,
  targetHeight: number,
  targetWidth: number,
): Uint8Array {
  if (height === targetHeight && width === targetWidth) return source;
  const horizontal = bilinearWeights(width, targetWidth);
  const vertical = bilinearWeights(height, targetHeight);
  const rowLength = targetWidth * channels;
  const rows = Array.from({ length: Math.min(vertical.width, height) }, () => new Float32Array(rowLength));
  const result = new Uint8Array(targetHeight * rowLength);
  const sums = new Float32Array(rowLength);
  let resized = 0;
  for (let y = 0; y < targetHeight; y++) {
    const start = vertical.starts[y] ?? 0;
    const count = vertical.counts[y] ?? 0;
    resized = Math.max(resized, start);
    for (; resized < start + count; resized++) {
      const row = rows[resized % rows.length];
      if (row) resizeRow(source, resized * width * channels, channels, horizontal, row);
    }
    sums.fill(0.5);
    for (let j = 0; j < count; j++) {
      const weight = vertical.weights[y * vertical.width + j] ?? 0;
      const row = rows[(start + j) % rows.length];
      if (!row || weight === 0) continue;
      for (let i = 0; i < rowLength; i++) sums[i] = (sums[i] ?? 0) + weight * (row[i] ?? 0);
    }
    const offset = y * rowLength;
    // The weights are positive and sum to 1, so the value is in range up to rounding; storing truncates.
    for (let i = 0; i < rowLength; i++) result[offset + i] = Math.min(255, sums[i] ?? 0);
  }
  return result;
}

function resizeRow(
  source: Uint8Array,
  offset: number,
  channels: number,
  { starts, counts, weights, width }: ResizeWeights,
  target: Float32Array,
): void {
  const outputs = starts.length;
  if (channels === 3) {
    for (let x = 0; x < outputs; x++) {
      let position = offset + (starts[x] ?? 0) * 3;
      const count = counts[x] ?? 0;
      let red = 0;
      let green = 0;
      let blue = 0;
      for (let j = 0; j < count; j++, position += 3) {
        const weight = weights[x * width + j] ?? 0;
        red += weight * (source[position] ?? 0);
        green += weight * (source[position + 1] ?? 0);
        blue += weight * (source[position + 2] ?? 0);
      }
      target[x * 3] = red;
      target[x * 3 + 1] = green;
      target[x * 3 + 2] = blue;
    }
    return;
  }
  for (let x = 0; x < outputs; x++) {
    for (let channel = 0; channel < channels; channel++) {
      let position = offset + (starts[x] ?? 0) * channels + channel;
      const count = counts[x] ?? 0;
      let sum = 0;
      for (let j = 0; j < count; j++, position += channels)
        sum += (weights[x * width + j] ?? 0) * (source[position] ?? 0);
      target[x * channels + channel] = sum;
    }
  }
}

/**
 * Resizes one-channel labels by nearest neighbour, each output taking the input pixel under its centre: no value is
 * made up, and the result is aligned with {@link resizeBilinear}.
 *
 * @param source `height · width` bytes
 * @returns `targetHeight · targetWidth` bytes; the source itself when the size stays
 */
export function resizeNearest(
  source: Uint8Array,
  height: number,
  width: number,
  targetHeight: number,
  targetWidth: number,
): Uint8Array {
  if (height === targetHeight && width === targetWidth) return source;
  const columns = Int32Array.from({ length: targetWidth }, (_, x) => Math.floor(((x + 0.5) * width) / targetWidth));
  const result = new Uint8Array(targetHeight * targetWidth);
  for (let y = 0; y < targetHeight; y++) {
    const row = Math.floor(((y + 0.5) * height) / targetHeight) * width;
    for (let x = 0; x < targetWidth; x++) result[y * targetWidth + x] = source[row + (columns[x] ?? 0)] ?? 0;
  }
  return result;
}
