import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

import { adapterFromEnvironment, dawnFlagList, vulkanObstacle } from '../../src/node/adapter.js';
import { cacheRoot } from '../../src/node/cache.js';
import { withoutKnownWarnings } from '../../src/node/native-warnings.js';
import { testGpu } from '../gpu.js';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

function openInChild(environment: Record<string, string>): { status: number | null; stdout: string; stderr: string } {
  const child = spawnSync(process.execPath, ['--import', './scripts/register.mjs', 'test/open-adapter.ts'], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, ...environment },
  });
  return { status: child.status, stdout: child.stdout, stderr: withoutKnownWarnings(child.stderr) };
}

describe('openGpu', () => {
  it('opens a device that computes, once a process', async () => {
    const gpu = await testGpu();
    expect(await testGpu({})).toBe(gpu);
    expect(gpu.profile.limits.maxStorageBufferBindingSize).toBeGreaterThanOrEqual(2 ** 27);
    const source = gpu.allocate(16, 'test', 'source', 0x80 | 0x08 | 0x04);
    await gpu.upload(source.buffer, 0, new Uint32Array([1, 2, 3, 4]));
    const back = new Uint32Array(4);
    await gpu.download(source.buffer, 0, back);
    source.destroy();
    expect([...back]).toEqual([1, 2, 3, 4]);
  });

  it('leaves the environment as it was', () => {
    expect(process.env['XDG_RUNTIME_DIR'] ?? '').not.toMatch(/tilesight/);
  });
});

describe('adapter choice', () => {
  it('reads TILESIGHT_ADAPTER and refuses other words', () => {
    expect(adapterFromEnvironment('')).toBe('auto');
    expect(adapterFromEnvironment('embedded')).toBe('embedded');
    expect(() => adapterFromEnvironment('gpu')).toThrow(/TILESIGHT_ADAPTER is "gpu": use auto, system or embedded/);
  });

  it('merges switched-off Dawn features into one list', () => {
    expect(dawnFlagList()).toEqual(['disable-dawn-features=timestamp_quantization']);
    expect(dawnFlagList(['backend=vulkan', 'disable-dawn-features=a,timestamp_quantization'])).toEqual([
      'disable-dawn-features=timestamp_quantization,a',
      'backend=vulkan',
    ]);
  });

  it.runIf(process.platform === 'linux')('sees that a system has no driver before Dawn is asked', () => {
    expect(vulkanObstacle({ VK_DRIVER_FILES: '/nowhere/icd.json' })).toBe('no Vulkan driver is installed');
    const empty = mkdtempSync(join(tmpdir(), 'tilesight-icd-'));
    expect(vulkanObstacle({ VK_ICD_FILENAMES: empty })).toBe('no Vulkan driver is installed');
    writeFileSync(join(empty, 'some.json'), '{}');
    expect(vulkanObstacle({ VK_ICD_FILENAMES: empty })).not.toBe('no Vulkan driver is installed');
  });

  it.runIf(process.platform === 'linux')('ends in one line with a remedy when the system has no driver', () => {
    const result = openInChild({ TILESIGHT_ADAPTER: 'system', VK_DRIVER_FILES: '/nowhere/icd.json' });
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch(
      /^no WebGPU adapter: no Vulkan driver is installed; install .*mesa-vulkan-drivers.*\n$/,
    );
  });

  it.runIf(process.platform === 'linux')('says in one line why the embedded adapter cannot be had', () => {
    const cache = mkdtempSync(join(tmpdir(), 'tilesight-cache-'));
    const result = openInChild({
      TILESIGHT_ADAPTER: 'auto',
      VK_DRIVER_FILES: '/nowhere/icd.json',
      TILESIGHT_CACHE: cache,
      TILESIGHT_OFFLINE: '1',
    });
    expect(result.status).toBe(1);
    expect(result.stderr.trim().split('\n')).toHaveLength(1);
    expect(result.stderr).toMatch(/no Vulkan driver is installed, and .*(TILESIGHT_OFFLINE=1|there is none for)/);
  });
});

describe('embedded adapter', () => {
  const cached = existsSync(join(cacheRoot(), 'embedded-adapter'));

  // Where it was never needed it is not in the cache, and a test run does not fetch 70 MB for one test.
  it.skipIf(!cached)('takes the place of a system without a driver (skipped where it was never fetched)', () => {
    const result = openInChild({ TILESIGHT_ADAPTER: 'auto', VK_DRIVER_FILES: '/nowhere/icd.json' });
    expect(result.stderr).toMatch(
      /^computing on the CPU with the embedded software adapter .*: no Vulkan driver .*\n$/,
    );
    expect(JSON.parse(result.stdout)).toMatchObject({
      source: 'embedded',
      name: expect.stringMatching(/swiftshader/i) as string,
    });
  });
});

describe('withoutKnownWarnings', () => {
  it('drops exactly the known lines', () => {
    const known =
      'Warning: maxDynamicUniformBuffersPerPipelineLayout artificially reduced from 1000000 to 16 to fit dynamic offset allocation limit.';
    const xdg = 'error: XDG_RUNTIME_DIR is invalid or not set in the environment.';
    const real = `Warning: maxBufferSize artificially reduced from 5 to 4 to fit dynamic offset allocation limit.`;
    expect(withoutKnownWarnings(`${known}\n${real}\n${xdg}\n${known} and more\n`)).toBe(`${real}\n${known} and more\n`);
  });
});
