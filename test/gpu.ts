import { afterAll } from 'vitest';

import type { Gpu } from '../src/engine/gpu.js';
import { type OpenGpuOptions, openGpu } from '../src/node/gpu.js';

const opened = new Map<string, Promise<Gpu>>();

/**
 * The device for tests: one for each set of options in a process (a file), opened on first need and destroyed when the
 * file's tests are done. Tests must leave nothing allocated on it.
 */
export function testGpu(options: OpenGpuOptions = {}): Promise<Gpu> {
  const key = JSON.stringify(options, Object.keys(options).sort());
  let gpu = opened.get(key);
  if (!gpu) {
    // The global set-up has already said which adapter it is.
    gpu = openGpu({ onNotice: () => undefined, ...options });
    opened.set(key, gpu);
  }
  return gpu;
}

afterAll(async () => {
  for (const gpu of opened.values()) {
    try {
      (await gpu).destroy();
    } catch {
      // It could not be opened: the test that asked for it has failed with the reason.
    }
  }
  opened.clear();
});
