import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

import { adapterFromEnvironment, dawnFlagList } from '../../src/node/adapter.js';
import { cacheRoot } from '../../src/node/cache.js';
import { withoutKnownWarnings } from '../../src/node/native-warnings.js';
import { examineVulkan } from '../../src/node/vulkan.js';
import { testGpu } from '../gpu.js';

const linux = process.platform === 'linux';
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

  it.runIf(linux)('sees that a system has no driver before Dawn is asked', async () => {
    const none = { usable: false, fault: { what: 'no Vulkan driver is installed' } };
    expect(await examineVulkan({ VK_DRIVER_FILES: '/nowhere/icd.json' })).toEqual(none);
    const folder = mkdtempSync(join(tmpdir(), 'tilesight-icd-'));
    expect(await examineVulkan({ VK_ICD_FILENAMES: folder })).toEqual(none);
    writeFileSync(join(folder, 'some.json'), '{}');
    expect((await examineVulkan({ VK_ICD_FILENAMES: folder })).fault?.what).not.toBe(none.fault.what);
  });

  it.runIf(linux && !existsSync('/dev/nvidiactl'))(
    'tries an NVIDIA driver that cannot start where nobody sees its lines, and leaves it out',
    async ({ skip }) => {
      const folder = mkdtempSync(join(tmpdir(), 'tilesight-icd-'));
      const nvidia = join(folder, 'nvidia_icd.json');
      writeFileSync(
        nvidia,
        JSON.stringify({ file_format_version: '1.0.0', ICD: { library_path: 'libm.so.6', api_version: '1.3.0' } }),
      );
      const other = join(folder, 'other_icd.json');
      writeFileSync(other, '{}');
      const loader = await examineVulkan({ VK_DRIVER_FILES: other });
      skip(!loader.usable, loader.fault?.what);
      const environment = { ...process.env, VK_DRIVER_FILES: `${nvidia}:${other}` };
      expect(await examineVulkan(environment)).toMatchObject({
        usable: true,
        fault: { what: expect.stringMatching(/NVIDIA's Vulkan driver is installed/) as string },
      });
      expect(environment.VK_DRIVER_FILES).toBe(other);

      // Not a line of Dawn's or the loader's beside ours.
      const result = openInChild({ TILESIGHT_ADAPTER: 'system', VK_DRIVER_FILES: nvidia });
      expect(result.status).toBe(1);
      expect(result.stderr).toMatch(/^no WebGPU adapter: NVIDIA's .*; load the kernel module .*\n$/);
    },
  );

  it.runIf(linux)('ends in one line with a remedy when the system has no driver', () => {
    const result = openInChild({ TILESIGHT_ADAPTER: 'system', VK_DRIVER_FILES: '/nowhere/icd.json' });
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch(
      /^no WebGPU adapter: no Vulkan driver is installed; install .*mesa-vulkan-drivers.*\n$/,
    );
  });

  it.runIf(linux)('says in one line why the embedded adapter cannot be had', () => {
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

  it('takes the place of a system without a driver', ({ skip }) => {
    skip(!cached, 'the embedded adapter was never needed here, and 70 MB are not fetched for one test');
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
