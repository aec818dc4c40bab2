import type { Gpu } from '../src/engine/gpu.js';
import { convolution, product } from './cases/arithmetic.js';
import type { KernelCase } from './cases/case.js';
import { blur, elementwise, gaussians, moments, normalize, pool, resize, shrink } from './cases/memory.js';
import { coreset, kCentrePicks, kCentreRounds, neighbours } from './cases/search.js';

/** What fills a large device and its caches: layers of a batch of tiles, large maps. On small ones the launch is what counts. */
function largeCases(): (() => KernelCase)[] {
  return [
    () => convolution('conv 3×3 s1', 64, 64, 64, 3, {}, 16),
    () => convolution('conv 3×3 s1', 32, 128, 128, 3, {}, 16),
    () => convolution('conv 3×3 s1', 16, 256, 256, 3, {}, 16),
    () => convolution('conv 3×3 s2', 64, 64, 128, 3, { stride: 2 }, 16),
    () => convolution('conv 7×7 s2', 256, 3, 64, 7, { stride: 2 }, 16),
    () => convolution('conv 1×1', 64, 24, 144, 1, {}, 16),
    () => convolution('conv 1×1', 16, 576, 96, 1, {}, 16),
    () => product(4096, 1024, 1024),
    () => convolution('conv 3×3 s1 depthwise', 64, 144, 144, 3, { groups: 144 }, 32),
    () => convolution('conv 3×3 s1 depthwise', 16, 576, 576, 3, { groups: 576 }, 32),
    () => convolution('conv 3×3 s2 depthwise', 64, 144, 144, 3, { groups: 144, stride: 2 }, 32),
    () => gaussians(16, 4096, 100),
    () => blur(4096, 4),
    () => resize(1024, 4096, 1),
    () => resize(16, 64, 256, 32),
    () => shrink(512, 256, 3, 64),
    () => pool({ mode: 'max', kernel: 3, stride: 2, padding: 1 }, 128, 64, 32),
    () => pool({ mode: 'average', kernel: 3, stride: 1, padding: 1 }, 64, 64, 128),
    () => normalize(256, 256),
    () => elementwise('add', 2 ** 26),
    () => elementwise('relu', 2 ** 26),
  ];
}

/** What is measured: the shapes of the real backbones at 256² and of the models' own operators, or tiny ones. */
export function kernelCases(gpu: Gpu, tiny: boolean): (() => KernelCase)[] {
  if (tiny) {
    return [
      () => convolution('conv 3×3 s1', 8, 8, 8, 3),
      () => convolution('conv 3×3 s1 depthwise', 8, 8, 8, 3, { groups: 8 }),
      () => product(16, 32, 24),
      () => product(8, 16, 64),
      () => neighbours(8, 64, 16),
      () => coreset(gpu, 256, 16, 8),
      () => kCentrePicks(gpu, 256, 16, 4),
      () => kCentreRounds(gpu, 256, 16, 8),
      () => gaussians(1, 16, 8),
      () => moments(2, 16, 8),
      () => blur(32, 4),
      () => resize(8, 32, 1),
      () => shrink(32, 8, 3),
      () => pool({ mode: 'max', kernel: 3, stride: 2, padding: 1 }, 8, 8),
      () => normalize(8, 2),
      () => elementwise('add', 1024),
    ];
  }
  const hardware = gpu.profile.class === 'hardware';
  return [
    () => convolution('conv 3×3 s1', 64, 64, 64, 3),
    () => convolution('conv 3×3 s1', 32, 128, 128, 3),
    () => convolution('conv 3×3 s1', 16, 256, 256, 3),
    () => convolution('conv 3×3 s2', 64, 64, 128, 3, { stride: 2 }),
    () => convolution('conv 1×1 s2', 64, 64, 128, 1, { stride: 2 }),
    () => convolution('conv 1×1', 64, 24, 144, 1),
    () => convolution('conv 1×1', 64, 256, 64, 1),
    () => convolution('conv 1×1', 16, 576, 96, 1),
    () => convolution('conv 7×7 s2', 256, 3, 64, 7, { stride: 2 }),
    () => convolution('conv 3×3 s1 depthwise', 64, 144, 144, 3, { groups: 144 }),
    () => convolution('conv 3×3 s1 depthwise', 16, 576, 576, 3, { groups: 576 }),
    () => convolution('conv 3×3 s2 depthwise', 64, 144, 144, 3, { groups: 144, stride: 2 }),
    () => product(512, 1024, 576),
    ...(hardware ? largeCases() : []),
    () => product(784, 384, 2048),
    () => neighbours(784, 2048, 384),
    () => product(784, 1536, 2048),
    () => neighbours(784, 2048, 1536),
    () => coreset(gpu, 16_384, 128, 256),
    () => kCentrePicks(gpu, 163_840, 128, 16),
    () => (hardware ? kCentreRounds(gpu, 163_840, 128, 1638) : kCentreRounds(gpu, 16_384, 128, 819)),
    () => gaussians(1, 4096, 100),
    () => gaussians(8, 4096, 100),
    () => moments(8, 4096, 100),
    () => blur(256, 4),
    () => blur(1024, 4),
    () => resize(64, 256, 1),
    // A map of a tile takes as long as the start of its launch: several tell more.
    () => resize(64, 256, 1, 8),
    () => resize(256, 1024, 1),
    () => resize(16, 64, 256),
    () => shrink(512, 256, 3),
    () => pool({ mode: 'max', kernel: 3, stride: 2, padding: 1 }, 128, 64),
    () => pool({ mode: 'average', kernel: 3, stride: 1, padding: 1 }, 64, 64),
    () => normalize(256, 8),
    () => elementwise('add', 2 ** 22),
    () => elementwise('relu', 2 ** 22),
  ];
}
