/**
 * Antialiased bilinear resizing by its definition, in f64 and without separating the axes: each output is the average of
 * the input pixels under a two-dimensional triangle around its centre, as wide as the larger of the scale and 1.
 * Returns unrounded values.
 */
export function resizeBilinearReference(
  source: ArrayLike<number>,
  height: number,
  width: number,
  channels: number,
  targetHeight: number,
  targetWidth: number,
): Float64Array {
  const triangle = (pixel: number, index: number, scale: number): number =>
    Math.max(0, 1 - Math.abs(pixel + 0.5 - (index + 0.5) * scale) / Math.max(1, scale));
  const result = new Float64Array(targetHeight * targetWidth * channels);
  for (let y = 0; y < targetHeight; y++) {
    for (let x = 0; x < targetWidth; x++) {
      for (let channel = 0; channel < channels; channel++) {
        let sum = 0;
        let total = 0;
        for (let sourceY = 0; sourceY < height; sourceY++) {
          const weightY = triangle(sourceY, y, height / targetHeight);
          for (let sourceX = 0; weightY > 0 && sourceX < width; sourceX++) {
            const weight = weightY * triangle(sourceX, x, width / targetWidth);
            total += weight;
            sum += weight * (source[(sourceY * width + sourceX) * channels + channel] ?? 0);
          }
        }
        result[(y * targetWidth + x) * channels + channel] = sum / total;
      }
    }
  }
  return result;
}
