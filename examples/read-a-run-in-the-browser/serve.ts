/**
 * Bundles the page and serves it with a run and the weights of its backbone.
 *
 *   node --import ./scripts/register.mjs examples/read-a-run-in-the-browser/serve.ts RUN [PORT]
 *
 * Any static server will do in production: the bundle, `index.html`, the run folder as `run/`, and one file of weights.
 */
import { build } from 'esbuild';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { folderStorage, loadBackbone, Run, TilesightError } from '../../src/node.js';

const [folder, port = '8080'] = process.argv.slice(2);
if (folder === undefined) {
  console.error('usage: serve.ts RUN [PORT]');
  process.exit(2);
}
const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const bundle = await build({
  entryPoints: [here('page.ts')],
  bundle: true,
  format: 'esm',
  target: 'es2022',
  loader: { '.wgsl': 'text' },
  write: false,
});
const storage = folderStorage(folder);
const { configuration } = await Run.open(storage);
const weights = await loadBackbone(configuration.backbone, undefined);
if (weights.sha256 !== configuration.weights) {
  throw new TilesightError('input', `${folder} was trained with other weights than ${weights.file}`);
}

const types: Record<string, string> = { html: 'text/html', js: 'text/javascript', json: 'application/json' };
async function find(path: string): Promise<Uint8Array | undefined> {
  if (path === '/' || path === '/index.html') return readFile(here('index.html'));
  if (path === '/page.js') return bundle.outputFiles[0]?.contents;
  if (path === '/weights.safetensors') return readFile(weights.file);
  return path.startsWith('/run/') ? storage.read(path.slice('/run/'.length)) : undefined;
}

const server = createServer((request, response) => {
  const { pathname } = new URL(request.url ?? '/', 'http://localhost');
  const type = types[pathname === '/' ? 'html' : pathname.slice(pathname.lastIndexOf('.') + 1)];
  find(pathname).then(
    (body) => {
      response.writeHead(body ? 200 : 404, { 'content-type': type ?? 'application/octet-stream' });
      response.end(body ?? 'not here');
    },
    (error: unknown) => {
      response.writeHead(error instanceof TilesightError ? 404 : 500).end('not here');
    },
  );
});
server.listen(Number(port), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
});
