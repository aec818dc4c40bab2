import { existsSync } from 'node:fs';
import { mkdtemp, readFile, readdir, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { downloadFile, type DownloadOptions } from '../../src/node/download.js';
import { sha256 } from '../../src/node/files.js';
import { proxyFor } from '../../src/node/http.js';
import {
  findWeights,
  getWeights,
  listWeights,
  publishedWeights,
  storeWeights,
  weightsUrl,
} from '../../src/node/weights-cache.js';

/** 200,003 bytes that do not repeat in step with any block size. */
const content = Buffer.from(Uint8Array.from({ length: 200_003 }, (_, i) => (i * i + (i >> 7)) & 255));
const digest = sha256(content);
const quick: DownloadOptions = { retries: 3, retryMilliseconds: 1, stallMilliseconds: 1500 };

type Handler = (request: IncomingMessage, response: ServerResponse, count: number) => void;
let server: Server;
let root = '';
let folder = '';
let target = '';
let handler: Handler = () => undefined;
let requests: { url: string; range: string | undefined; ifRange: string | undefined }[] = [];
const sockets = new Set<Socket>();

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tilesight-download-'));
  target = join(folder, 'weights', 'model.bin');
  requests = [];
  server = createServer((request, response) => {
    const ifRange = request.headers['if-range']?.toString();
    requests.push({ url: request.url ?? '', range: request.headers.range, ifRange });
    handler(request, response, requests.length);
  });
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  root = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  for (const name of ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY'])
    vi.stubEnv(name, '');
  vi.stubEnv('TILESIGHT_OFFLINE', '');
  vi.stubEnv('TILESIGHT_MIRROR', '');
});

afterEach(async () => {
  vi.unstubAllEnvs();
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

/** A sound file server: whole files and ranges, with an ETag. */
const sound: Handler = (request, response) => {
  const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  const asked = request.headers.range !== undefined && (request.headers['if-range'] ?? '"v1"') === '"v1"';
  if (!asked) {
    response.writeHead(200, { 'content-length': content.length, etag: '"v1"' });
    response.end(content);
    return;
  }
  response.writeHead(206, {
    'content-length': content.length - start,
    'content-range': `bytes ${start}-${content.length - 1}/${content.length}`,
    etag: '"v1"',
  });
  response.end(content.subarray(start));
};

/** Promises the whole file, sends `bytes` of what was asked and breaks the connection. */
function breakAfter(bytes: number): Handler {
  return (request, response) => {
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    const head = { 'content-length': content.length - start, etag: '"v1"' };
    if (start > 0) {
      response.writeHead(206, { ...head, 'content-range': `bytes ${start}-${content.length - 1}/${content.length}` });
    } else {
      response.writeHead(200, head);
    }
    // Node drops what it has received but not yet handed on when a connection breaks: so the piece gets time to be read.
    response.write(content.subarray(start, start + bytes), () => setTimeout(() => response.destroy(), 300));
  };
}

describe('downloadFile', () => {
  it('stores the file, reports progress and leaves nothing else', async () => {
    handler = sound;
    const seen: [number, number | undefined][] = [];
    const result = await downloadFile(`${root}/model.bin`, target, {
      ...quick,
      sha256: digest,
      onProgress: (received, total) => seen.push([received, total]),
    });
    expect(result).toEqual({ path: target, bytes: content.length, sha256: digest, trust: 'pinned' });
    expect(await readFile(target)).toEqual(content);
    expect(seen[0]).toEqual([0, content.length]);
    expect(seen.at(-1)).toEqual([content.length, content.length]);
    expect(await readdir(join(folder, 'weights'))).toEqual(['model.bin']);
  });

  it('goes on where a truncating server stopped, in the same run', async () => {
    handler = (request, response, count) =>
      count < 4 ? breakAfter(50_000)(request, response, count) : sound(request, response, count);
    const result = await downloadFile(`${root}/a`, target, quick);
    expect(result).toMatchObject({ sha256: digest, trust: 'none' });
    expect(requests.map((request) => request.range)).toEqual([
      undefined,
      'bytes=50000-',
      'bytes=100000-',
      'bytes=150000-',
    ]);
    expect(requests[1]?.ifRange).toBe('"v1"');
  });

  it('gives up after the last retry, keeps the piece, and goes on in the next run', async () => {
    handler = breakAfter(30_000);
    await expect(downloadFile(`${root}/a`, target, { ...quick, retries: 1 })).rejects.toThrow(
      /^cannot download http:.*: the connection broke off; run the same command again, it goes on where it stopped$/,
    );
    expect(existsSync(target)).toBe(false);
    handler = sound;
    expect(await downloadFile(`${root}/a`, target, quick)).toMatchObject({ sha256: digest });
    expect(requests.at(-1)?.range).toBe('bytes=60000-');
  });

  it('starts anew when the server has another file by now', async () => {
    handler = breakAfter(30_000);
    await expect(downloadFile(`${root}/a`, target, { ...quick, retries: 0 })).rejects.toThrow();
    const other = Buffer.from('a new version');
    handler = (_, response) => {
      response.writeHead(200, { 'content-length': other.length, etag: '"v2"' });
      response.end(other);
    };
    await downloadFile(`${root}/a`, target, quick);
    expect(await readFile(target)).toEqual(other);
  });

  it('starts anew when the server continues at the wrong place, or has no such range', async () => {
    for (const status of [206, 416]) {
      handler = breakAfter(30_000);
      await expect(downloadFile(`${root}/${status}`, target, { ...quick, retries: 0 })).rejects.toThrow();
      handler = (request, response, count) => {
        if (request.headers.range === undefined) {
          sound(request, response, count);
          return;
        }
        response.writeHead(status, { 'content-range': `bytes 5-${content.length - 1}/${content.length}` });
        response.end(content.subarray(5));
      };
      expect(await downloadFile(`${root}/${status}`, target, quick)).toMatchObject({ sha256: digest });
    }
  });

  it('refuses a file that is shorter than announced, whatever the server claims', async () => {
    // Says 100 bytes more than there are, and keeps saying so.
    handler = (request, response) => {
      const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
      response.writeHead(start ? 206 : 200, {
        'content-length': content.length - start + 100,
        etag: '"v1"',
        ...(start ? { 'content-range': `bytes ${start}-${content.length + 99}/${content.length + 100}` } : {}),
      });
      response.write(content.subarray(start), () => setTimeout(() => response.destroy(), 20));
    };
    await expect(downloadFile(`${root}/a`, target, { ...quick, retries: 1 })).rejects.toThrow(
      /the connection broke off/,
    );
    expect(existsSync(target)).toBe(false);
  });

  it('refuses a file that is longer or larger than allowed', async () => {
    handler = sound;
    await expect(downloadFile(`${root}/a`, target, { ...quick, maximumBytes: 1000 })).rejects.toThrow(
      /it has 200003 bytes and at most 1000 are accepted/,
    );
    // Chunked, without a length: stopped when the limit is passed.
    handler = (_, response) => {
      response.writeHead(200);
      for (let i = 0; i < 10; i++) response.write(content);
      response.end();
    };
    await expect(downloadFile(`${root}/b`, target, { ...quick, maximumBytes: 300_000 })).rejects.toThrow(
      /at most 300000/,
    );
  });

  it('refuses and removes bytes with another digest, and tries a pieced-together file once more', async () => {
    handler = sound;
    await expect(downloadFile(`${root}/a`, target, { ...quick, sha256: '0'.repeat(64) })).rejects.toThrow(
      /does not have the expected SHA-256: it was changed or damaged on the way/,
    );
    expect(requests).toHaveLength(1);
    expect(existsSync(target)).toBe(false);
    // The first piece is wrong; only the whole, fetched again, can be right.
    handler = (request, response, count) => {
      if (count > 2) {
        sound(request, response, count);
        return;
      }
      response.writeHead(200, { 'content-length': content.length, etag: '"v1"' });
      response.write(Buffer.alloc(10_000, 7), () => setTimeout(() => response.destroy(), 20));
    };
    expect(await downloadFile(`${root}/a`, target, { ...quick, sha256: digest })).toMatchObject({ trust: 'pinned' });
  });

  it('breaks a stalled connection and goes on', async () => {
    handler = (request, response, count) => {
      if (count > 1) {
        sound(request, response, count);
        return;
      }
      response.writeHead(200, { 'content-length': content.length, etag: '"v1"' });
      response.write(content.subarray(0, 70_000));
    };
    expect(await downloadFile(`${root}/a`, target, quick)).toMatchObject({ sha256: digest });
    expect(requests[1]?.range).toBe('bytes=70000-');
    handler = () => undefined;
    await expect(downloadFile(`${root}/b`, target, { ...quick, stallMilliseconds: 50, retries: 1 })).rejects.toThrow(
      /nothing arrived for 0\.05 s; run the same command again/,
    );
  });

  it('follows redirects and takes the digest that the hub states, but never ends in a loop or off http', async () => {
    handler = (request, response, count) => {
      if (request.url === '/start') {
        response.writeHead(302, { location: '/real', 'x-linked-etag': `"${digest}"` });
        response.end();
      } else sound(request, response, count);
    };
    expect(await downloadFile(`${root}/start`, target, quick)).toMatchObject({ trust: 'stated', sha256: digest });
    handler = (_, response) => {
      response.writeHead(302, { location: '/again' });
      response.end();
    };
    await expect(downloadFile(`${root}/a`, target, quick)).rejects.toThrow(/redirects without end/);
    handler = (_, response) => {
      response.writeHead(302, { location: 'file:///etc/passwd' });
      response.end();
    };
    await expect(downloadFile(`${root}/a`, target, quick)).rejects.toThrow(/redirects to file:/);
  });

  it('refuses a file whose stated digest does not hold', async () => {
    handler = (request, response, count) => {
      if (request.url !== '/start') {
        sound(request, response, count);
        return;
      }
      response.writeHead(302, { location: '/real', 'x-linked-etag': `"${'1'.repeat(64)}"` });
      response.end();
    };
    await expect(downloadFile(`${root}/start`, target, quick)).rejects.toThrow(/does not have the expected SHA-256/);
  });

  it('retries what passes by itself, and says at once what does not', async () => {
    handler = (request, response, count) => {
      if (count > 2) {
        sound(request, response, count);
        return;
      }
      response.writeHead(503);
      response.end();
    };
    await downloadFile(`${root}/a`, target, quick);
    expect(requests).toHaveLength(3);
    requests = [];
    handler = (_, response) => {
      response.writeHead(404);
      response.end();
    };
    await expect(downloadFile(`${root}/b`, target, quick)).rejects.toThrow(
      /the server answered 404 Not Found; check the address/,
    );
    expect(requests).toHaveLength(1);
  });

  it('stops when cancelled, and can be continued', async () => {
    const controller = new AbortController();
    handler = (_, response) => {
      response.writeHead(200, { 'content-length': content.length, etag: '"v1"' });
      response.write(content.subarray(0, 40_000));
    };
    const attempt = downloadFile(`${root}/a`, target, {
      ...quick,
      stallMilliseconds: 5000,
      signal: controller.signal,
      onProgress: (received) => {
        if (received >= 40_000) controller.abort();
      },
    });
    await expect(attempt).rejects.toMatchObject({ kind: 'cancelled' });
    handler = sound;
    expect(await downloadFile(`${root}/a`, target, quick)).toMatchObject({ sha256: digest });
    expect(requests.at(-1)?.range).toBe('bytes=40000-');
  });

  it('does nothing when offline is asked for, and says when the host is not there', async () => {
    vi.stubEnv('TILESIGHT_OFFLINE', '1');
    await expect(downloadFile(`${root}/a`, target, quick)).rejects.toThrow(/TILESIGHT_OFFLINE=1 forbids downloading/);
    expect(requests).toHaveLength(0);
    vi.stubEnv('TILESIGHT_OFFLINE', '');
    await expect(downloadFile('http://127.0.0.1:9/a', target, { ...quick, retries: 0 })).rejects.toThrow(
      /the connection was refused/,
    );
  });
});

describe('proxies', () => {
  it('are read from the environment with their exceptions', () => {
    const https = new URL('https://huggingface.co/x');
    const plain = new URL('http://example.org:8080/x');
    expect(proxyFor(https, { HTTPS_PROXY: 'http://proxy:3128' })?.href).toBe('http://proxy:3128/');
    expect(proxyFor(https, { https_proxy: 'proxy:3128' })?.host).toBe('proxy:3128');
    expect(proxyFor(https, { http_proxy: 'http://proxy' })).toBeUndefined();
    expect(proxyFor(plain, { ALL_PROXY: 'http://proxy' })?.host).toBe('proxy');
    const proxied = { all_proxy: 'http://proxy' };
    for (const exception of ['*', 'example.org', '.example.org', 'x.com, example.org:8080', '*.example.org']) {
      expect(proxyFor(plain, { ...proxied, no_proxy: exception }), exception).toBeUndefined();
    }
    expect(proxyFor(new URL('http://a.example.org'), { ...proxied, NO_PROXY: 'example.org' })).toBeUndefined();
    expect(proxyFor(new URL('http://badexample.org'), { ...proxied, NO_PROXY: 'example.org' })).toBeDefined();
    expect(proxyFor(plain, { ...proxied, NO_PROXY: 'example.org:80' })).toBeDefined();
    expect(() => proxyFor(https, { HTTPS_PROXY: 'socks5://proxy' })).toThrow(/no http or https address/);
  });

  it('carry plain requests, with credentials', async () => {
    handler = (request, response, count) => {
      if (
        request.url === 'http://weights.invalid/a' &&
        request.headers['proxy-authorization'] === `Basic ${btoa('me:p@ss')}`
      ) {
        sound(request, response, count);
      } else {
        response.writeHead(407);
        response.end();
      }
    };
    vi.stubEnv('http_proxy', root.replace('http://', 'http://me:p%40ss@'));
    vi.stubEnv('no_proxy', '');
    expect(await downloadFile('http://weights.invalid/a', target, quick)).toMatchObject({ sha256: digest });
  });

  it('are asked to connect for https, and their refusal is told', async () => {
    const asked: string[] = [];
    server.on('connect', (request: IncomingMessage, socket: Socket) => {
      asked.push(request.url ?? '');
      socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
    });
    vi.stubEnv('https_proxy', root);
    vi.stubEnv('no_proxy', '');
    await expect(downloadFile('https://weights.invalid/a', target, { ...quick, retries: 0 })).rejects.toThrow(
      /the proxy 127\.0\.0\.1:\d+ answered 403 to CONNECT weights\.invalid:443/,
    );
    expect(asked).toEqual(['weights.invalid:443']);
  });
});

describe('weights cache', () => {
  const entry = {
    name: 'net',
    description: 'a net',
    licence: 'MIT',
    path: 'a/net.safetensors',
    sha256: digest,
    megabytes: 1,
  };

  beforeEach(() => {
    vi.stubEnv('TILESIGHT_CACHE', folder);
    vi.stubEnv('TILESIGHT_MIRROR', `${root}/mirror/`);
    handler = sound;
  });

  it('downloads from the mirror once, then finds, lists and guards the file', async () => {
    expect(await findWeights('net')).toBeUndefined();
    const got = await getWeights('net', { ...quick, published: [entry] });
    expect(got).toMatchObject({ trust: 'pinned', sha256: digest, source: `${root}/mirror/a/net.safetensors` });
    await getWeights('net', { ...quick, published: [entry] });
    expect(requests).toHaveLength(1);
    expect(await findWeights('net')).toEqual(got);
    expect(await listWeights([entry])).toEqual([{ name: 'net', published: entry, cached: got }]);
    await writeFile(got.path, 'changed');
    await expect(findWeights('net')).rejects.toThrow(
      /were changed or damaged since they were stored: run `tilesight weights get net`/,
    );
    await getWeights('net', { ...quick, published: [entry] });
    expect(await findWeights('net')).toEqual(got);
  });

  it('records and prints the digest on first use when none is known, and keeps to it', async () => {
    const lines: string[] = [];
    const unknown = { ...entry, sha256: undefined };
    const got = await getWeights('net', { ...quick, published: [unknown], onNotice: (line) => lines.push(line) });
    expect(got.trust).toBe('first-use');
    expect(lines.at(-1)).toMatch(new RegExp(`trusting this first download.*SHA-256 ${digest}`));
    expect((await getWeights('net', { ...quick, published: [unknown] })).sha256).toBe(digest);
    expect(requests).toHaveLength(1);
  });

  it('keeps imported weights, and refuses unknown and unsafe names', async () => {
    const stored = await storeWeights('net', new Uint8Array([1, 2, 3]), '/somewhere/net.onnx');
    expect(await getWeights('net', { ...quick, published: [entry] })).toEqual(stored);
    expect(requests).toHaveLength(0);
    await expect(getWeights('other', { published: [entry] })).rejects.toThrow(
      /no weights are published under the name "other": known are net/,
    );
    await expect(findWeights('../net')).rejects.toThrow(/is no name for weights/);
    expect(() => weightsUrl(entry, 'ftp://x')).toThrow(/TILESIGHT_MIRROR is "ftp:\/\/x"/);
  });

  it('publishes sound entries', () => {
    expect(publishedWeights.map((weights) => weights.name)).toEqual(['resnet18', 'resnet50', 'wide-resnet50-2']);
    for (const weights of publishedWeights) {
      expect(weights.sha256).toMatch(/^[0-9a-f]{64}$/);
      expect(weightsUrl(weights, '')).toMatch(
        /^https:\/\/huggingface\.co\/timm\/[a-z0-9_]+\.tv_in1k\/resolve\/main\/model\.safetensors$/,
      );
    }
  });
});
