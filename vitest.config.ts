import { readFileSync } from 'node:fs';
import { defineConfig, type Plugin } from 'vitest/config';
import type { Reporter } from 'vitest/node';

/** Imports `.wgsl` files as text. */
const wgsl: Plugin = {
  name: 'wgsl',
  enforce: 'pre',
  load(id) {
    if (!id.endsWith('.wgsl')) return null;
    return `export default ${JSON.stringify(readFileSync(id, 'utf8'))};`;
  },
};

/** Says of each skipped test why, in one line. */
const skipped: Reporter = {
  onTestRunEnd(modules) {
    for (const module of modules) {
      for (const test of module.children.allTests('skipped')) {
        const { note } = test.result() as { note?: string };
        if (note) console.log(` skipped: ${module.relativeModuleId}: ${test.fullName}: ${note}`);
      }
    }
  },
};

export default defineConfig({
  plugins: [wgsl],
  test: {
    include: ['test/**/*.test.ts'],
    reporters: ['default', skipped],
    // One process a file: a driver crash kills one file, not the run.
    pool: 'forks',
    maxWorkers: 2,
    globalSetup: ['test/global-setup.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
