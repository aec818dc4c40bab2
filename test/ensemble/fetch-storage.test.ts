import { describe, expect, it } from 'vitest';
import { TilesightError } from '../../src/engine/errors.js';
import { fetchStorage } from '../../src/ensemble/fetch-storage.js';
import { openEnsemble } from '../../src/ensemble/open-ensemble.js';
import { testGpu } from '../gpu.js';
import { configurationOf, memoryStorage, trainTiny } from './support.js';

/** A storage whose server answers by a table of paths; what was asked for is in `asked`. */
function server(answers: Readonly<Record<string, Response>>, address = 'https://example.org/runs/7') {
  const asked: string[] = [];
  const storage = fetchStorage(address, {
    fetch: (url) => {
      asked.push(url);
      return Promise.resolve(answers[new URL(url).pathname] ?? new Response('', { status: 404 }));
    },
  });
  return { storage, asked };
}

describe('a run behind a server', () => {
  it.each(['https://example.org/runs/7', 'https://example.org/runs/7/'])('reads files below %s', async (address) => {
    const { storage, asked } = server(
      { '/runs/7/tiles/0-0.safetensors': new Response(new Uint8Array([1, 2])) },
      address,
    );
    expect(storage.location).toBe('https://example.org/runs/7');
    expect(await storage.read('tiles/0-0.safetensors')).toEqual(new Uint8Array([1, 2]));
    expect(await storage.read('stats.json')).toBeUndefined();
    expect(asked).toEqual([`${storage.location}/tiles/0-0.safetensors`, `${storage.location}/stats.json`]);
  });

  it.each(['../8/run.json', '/etc/passwd', 'https://elsewhere.org/x', '//elsewhere.org/x', '..%2f8', '%2e%2e/8/x'])(
    'never leaves its folder for %s',
    async (name) => {
      const { storage, asked } = server({});
      await storage.read(name).catch((error: unknown) => expect(error).toBeInstanceOf(TilesightError));
      for (const url of asked) expect(url.startsWith('https://example.org/runs/7/')).toBe(true);
    },
  );

  it('says in one line what the server or the network refused', async () => {
    const { storage } = server({ '/runs/7/run.json': new Response('', { status: 403 }) });
    await expect(storage.read('run.json')).rejects.toThrow(/cannot fetch .*run\.json: status 403/);
    const broken = fetchStorage('https://example.org/run', { fetch: () => Promise.reject(new TypeError('offline')) });
    await expect(broken.read('run.json')).rejects.toThrow(/offline; check the address/);
  });

  it('is only read', async () => {
    const { storage } = server({});
    await expect(storage.write('run.json', new Uint8Array())).rejects.toThrow(/only read/);
    await expect(storage.remove('run.json')).rejects.toThrow(/only read/);
  });
});

describe('opening an ensemble from a storage', () => {
  it('refuses weights that the run was not trained with, and a folder without a run', async () => {
    const gpu = await testGpu();
    const storage = memoryStorage();
    const { ensemble } = await trainTiny(gpu, storage, configurationOf({ height: 96, width: 80 }));
    ensemble.destroy();
    const weights = new Uint8Array([1, 2, 3]);
    await expect(openEnsemble({ gpu, storage, weights })).rejects.toThrow(/trained with other weights of resnet18/);
    await expect(openEnsemble({ gpu, storage: server({}).storage, weights })).rejects.toThrow(/no run folder/);
  });
});
