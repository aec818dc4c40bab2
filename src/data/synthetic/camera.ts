import { createRandom, normalQuantiles } from './random.js';

/**
 * Light and camera: a gradient that leans a little otherwise in each image, fall-off towards the corners, gain of the lamp
 * and of each colour, then noise that grows with the light as that of a sensor. In place on RGB, three bytes a pixel.
 *
 * The noise of a pixel depends on its place alone, so a defect changes nothing outside itself.
 */
export function expose(data: Uint8Array, height: number, width: number, seed: number, index: number): void {
  const random = createRandom(seed, index, 4);
  const gain = 1.04 + random.normal() * 0.012;
  const slopeX = 0.05 + random.normal() * 0.012;
  const slopeY = -0.07 + random.normal() * 0.012;
  const fallOff = 0.1;
  const gains = [0, 1, 2].map(() => gain * (1 + random.normal() * 0.004));
  const [red = 1, green = 1, blue = 1] = gains;
  // Standard deviation in levels: read noise of 1.1 and shot noise that reaches about 2.2 at full light.
  const deviation = Float32Array.from({ length: 256 }, (_, level) => Math.sqrt(1.2 + level * 0.015));
  for (let row = 0, at = 0; row < height; row += 1) {
    const y = ((row + 0.5) / height) * 2 - 1;
    for (let column = 0; column < width; column += 1, at += 3) {
      const x = ((column + 0.5) / width) * 2 - 1;
      const light = 1 + slopeX * x + slopeY * y - fallOff * 0.5 * (x * x + y * y);
      const bits = random.bits();
      const r = (data[at] ?? 0) * light * red;
      const g = (data[at + 1] ?? 0) * light * green;
      const b = (data[at + 2] ?? 0) * light * blue;
      data[at] = level(r + (normalQuantiles[bits >>> 22] ?? 0) * (deviation[r & 255] ?? 1));
      data[at + 1] = level(g + (normalQuantiles[(bits >>> 12) & 1023] ?? 0) * (deviation[g & 255] ?? 1));
      data[at + 2] = level(b + (normalQuantiles[(bits >>> 2) & 1023] ?? 0) * (deviation[b & 255] ?? 1));
    }
  }
}

/** Rounded and cut to a byte. */
function level(value: number): number {
  return value <= 0 ? 0 : value >= 254.5 ? 255 : value + 0.5;
}
