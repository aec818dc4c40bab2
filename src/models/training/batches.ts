import { permutation } from './random.js';

/**
 * The images of a step. Every epoch goes through all images in a seeded order of its own; batches follow each other
 * without regard to where an epoch ends, so that all are full. Depends on nothing but its arguments: a training run can
 * be taken up at any step.
 */
export function batchImages(step: number, batch: number, images: number, seed: number): number[] {
  const orders = new Map<number, readonly number[]>();
  return Array.from({ length: batch }, (_, index) => {
    const place = step * batch + index;
    const epoch = Math.floor(place / images);
    let order = orders.get(epoch);
    if (!order) {
      order = permutation(images, seed, `epoch ${epoch}`);
      orders.set(epoch, order);
    }
    return order[place % images] ?? 0;
  });
}
