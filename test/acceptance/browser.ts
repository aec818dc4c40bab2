import { build } from 'esbuild';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium, type Browser, type Page } from 'playwright-core';
import sharp, { type Sharp } from 'sharp';
import { generateSample } from '../../src/data/synthetic.js';
import { loadBackbone, nodeImages, openRun } from '../../src/node.js';
import { folderStorage } from '../../src/node/run-storage.js';
import { all, holds, installPackage, packPackage, report, tilesight } from './support.js';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const example = join(root, 'examples', 'read-a-run-in-the-browser');

const wait = { timeout: 120_000 };

/** What the page of the example says of a photograph, before normalisation. */
interface PagePrediction {
  readonly score: number;
  readonly map: readonly number[];
}

/**
 * The packed library in headless Chromium on WebGPU: the example's page, bundled with what a user installs, opens a run over
 * HTTP and predicts two photographs. Their maps must equal Node's within the bound that another adapter's rounding allows.
 */
export async function run(): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), 'tilesight-browser-'));
  let server: Server | undefined;
  let browser: Browser | undefined;
  try {
    const user = join(folder, 'user');
    await installPackage(user, await packPackage(folder));
    const { bundle, inputs } = await bundlePage(user);
    const foreign = inputs.filter((path) => /node_modules\/(sharp|webgpu|commander|cli-progress|yaml)\//.test(path));
    const clean = holds('the browser bundle has nothing of Node', foreign.length === 0, foreign.join(' '));

    const photographs = await drawPhotographs(folder);
    const trained = join(folder, 'run');
    const words = ['--normal', join(folder, 'good'), '--out', trained, '--tile-size', '128x128', '--stride', '96x64'];
    const { code, stderr } = await tilesight(['train', ...words]);
    if (code !== 0) throw new Error(`training ended with ${code}: ${stderr.slice(-600)}`);

    server = await serve(trained, bundle, folder);
    browser = await chromium.launch({
      executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
      args: [
        '--headless=new',
        '--no-sandbox',
        '--enable-unsafe-webgpu',
        '--use-webgpu-adapter=swiftshader',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-quic',
        '--disable-component-update',
        '--disable-sync',
      ],
    });
    await drawOddities(folder);
    const page = await openPage(browser, server);
    const seen = await predictInPage(page, photographs);
    return all([
      clean,
      ...(await compareWithNode(trained, photographs, seen)),
      ...(await compareReaders(page, folder)),
    ]);
  } finally {
    await browser?.close();
    server?.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The example's page with the installed package in place of the sources. */
async function bundlePage(user: string): Promise<{ bundle: Uint8Array; inputs: string[] }> {
  const page = readFileSync(join(example, 'page.ts'), 'utf8').replaceAll("'../../src/index.js'", "'tilesight'");
  // The reader of images is handed out, so that it can be tried on more than the page does.
  writeFileSync(join(user, 'page.ts'), `${page}\nObject.assign(globalThis, { images });\n`);
  // No loader for WGSL and no shim for Node: the package must need neither.
  const { outputFiles, metafile } = await build({
    absWorkingDir: user,
    entryPoints: ['page.ts'],
    bundle: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    metafile: true,
    write: false,
  });
  const [output] = outputFiles;
  if (!output) throw new Error('esbuild wrote nothing');
  return { bundle: output.contents, inputs: Object.keys(metafile.inputs) };
}

async function drawPhotographs(folder: string): Promise<string[]> {
  mkdirSync(join(folder, 'good'));
  const size = { height: 192, width: 256 };
  for (let index = 0; index < 10; index++) {
    await nodeImages.writePng(join(folder, 'good', `${index}.png`), generateSample({ seed: 5, index, size }).image);
  }
  // The second is larger than the ensemble's images, so that it is resized on both sides.
  const good = generateSample({ seed: 5, index: 20, size });
  const large = { height: 288, width: 384 };
  const bad = generateSample({ seed: 5, index: 21, size: large, defect: 'blob', maxDefectPixels: 60 });
  const paths = ['new-good.png', 'new-bad.png'].map((name) => join(folder, name));
  for (const [index, { image }] of [good, bad].entries()) await nodeImages.writePng(paths[index] ?? '', image);
  return paths;
}

async function serve(trained: string, bundle: Uint8Array, folder: string): Promise<Server> {
  const storage = folderStorage(trained);
  const run = JSON.parse(readFileSync(join(trained, 'run.json'), 'utf8')) as { configuration: { backbone: string } };
  const weights = (await loadBackbone(run.configuration.backbone, undefined)).file;
  const types: Readonly<Record<string, string>> = { '.html': 'text/html', '.js': 'text/javascript' };
  const find = (path: string): Promise<Uint8Array | undefined> | Uint8Array => {
    if (path === '/index.html') return readFileSync(join(example, 'index.html'));
    if (path === '/page.js') return bundle;
    if (path === '/weights.safetensors') return readFileSync(weights);
    if (path.startsWith('/odd/')) return readFileSync(join(folder, path));
    return path.startsWith('/run/') ? storage.read(path.slice('/run/'.length)) : Promise.resolve(undefined);
  };
  const server = createServer((request, response) => {
    const path = request.url ?? '/';
    void Promise.resolve(find(path)).then((body) => {
      const type = types[extname(path)] ?? 'application/octet-stream';
      response.writeHead(body ? 200 : 404, { 'content-type': type }).end(body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

/** Opens the example's page and waits for the run to be loaded. */
async function openPage(browser: Browser, server: Server): Promise<Page> {
  const page = await browser.newPage();
  page.on('pageerror', (error) => console.log(`page: ${error.message}`));
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/index.html`);
  const adapter = await page.evaluate(
    'navigator.gpu?.requestAdapter().then((found) => `${found?.info.vendor} ${found?.info.architecture}`)',
  );
  console.log(`page: adapter ${String(adapter)}`);
  await page.waitForFunction("!document.querySelector('#status').textContent.startsWith('Loading')", undefined, wait);
  return page;
}

/** Picks one photograph after the other in the page's file field, as its user would. */
async function predictInPage(page: Page, paths: readonly string[]): Promise<PagePrediction[]> {
  const picker = page.locator('#file');
  const status = page.locator('#status');
  if (await picker.isDisabled()) throw new Error(`the page says: ${await status.innerText()}`);
  await page.evaluate(
    "globalThis.seen = []; document.addEventListener('predicted', (event) => seen.push(event.detail))",
  );
  for (const [index, path] of paths.entries()) {
    await picker.setInputFiles(path);
    await page.waitForFunction("!document.querySelector('#file').disabled", undefined, wait);
    console.log(`page: ${await status.innerText()}`);
    if ((await page.evaluate('seen.length')) !== index + 1) throw new Error('the page predicted nothing');
  }
  return page.evaluate('seen');
}

/** Largest difference of the maps as a share of their range. SwiftShader and lavapipe sum in other orders. */
const bound = 1e-4;

async function compareWithNode(
  trained: string,
  photographs: readonly string[],
  seen: readonly PagePrediction[],
): Promise<boolean[]> {
  const { ensemble, gpu } = await openRun({ run: trained });
  const results: boolean[] = [];
  try {
    for (const [index, path] of photographs.entries()) {
      const image = await nodeImages.readImage(path, ensemble.run.configuration.imageSize);
      // Before normalisation, which would clip differences away.
      const { rawMap: map, rawScores } = await ensemble.predict(image);
      const other = seen[index];
      if (other?.map.length !== map.data.length) throw new Error('the page gave a map of another size');
      let largest = 0;
      let low = Infinity;
      let high = -Infinity;
      for (let i = 0; i < map.data.length; i++) {
        const value = map.data[i] ?? NaN;
        largest = Math.max(largest, Math.abs(value - (other.map[i] ?? NaN)));
        low = Math.min(low, value);
        high = Math.max(high, value);
      }
      console.log(`map ${index + 1}: ${low} to ${high}, scores ${rawScores.maximum} and ${other.score}`);
      results.push(
        report(`largest difference of map ${index + 1} by its range`, largest / (high - low), bound, '≤'),
        report(
          `difference of score ${index + 1} by the range of the map`,
          Math.abs(rawScores.maximum - other.score) / (high - low),
          bound,
          '≤',
        ),
      );
    }
  } finally {
    ensemble.destroy();
    gpu.destroy();
  }
  return results;
}

/** Images that readers treat by a rule, with the grey levels that the browser's may differ by. */
const oddities: Readonly<Record<string, number>> = {
  'turned.jpg': 3,
  'alpha.png': 1,
  'grey.png': 0,
  'deep.png': 1,
};

async function drawOddities(folder: string): Promise<void> {
  const odd = join(folder, 'odd');
  mkdirSync(odd);
  const [height, width] = [301, 223];
  const shade = (count: number, step: number): Uint8Array =>
    Uint8Array.from({ length: count }, (_, i) => (Math.floor(i / step) * 5) % 256);
  const draw = (channels: 1 | 3 | 4, step: number): Sharp =>
    sharp(shade(height * width * channels, step), { raw: { height, width, channels } });
  // Smooth, because JPEG decoders agree on what is smooth only.
  await draw(3, 600).withMetadata({ orientation: 6 }).jpeg({ quality: 95 }).toFile(join(odd, 'turned.jpg'));
  await draw(4, 1).png().toFile(join(odd, 'alpha.png'));
  await draw(1, 1).toColourspace('b-w').png().toFile(join(odd, 'grey.png'));
  const deep = Uint16Array.from({ length: height * width * 3 }, (_, i) => (i * 257) % 65_536);
  await sharp(deep, { raw: { height, width, channels: 3 } })
    .toColourspace('rgb16')
    .png()
    .toFile(join(odd, 'deep.png'));
  const labels = Uint8Array.from({ length: height * width }, (_, i) => [0, 0, 1, 255][Math.floor(i / 9) % 4] ?? 0);
  await sharp(labels, { raw: { height, width, channels: 1 } })
    .toColourspace('b-w')
    .png()
    .toFile(join(odd, 'mask.png'));
  writeFileSync(join(odd, 'text.png'), 'no image');
}

/** The browser's reader beside Node's, at the image's own size and resized. */
async function compareReaders(page: Page, folder: string): Promise<boolean[]> {
  const results: boolean[] = [];
  const call = (expression: string): Promise<{ height: number; width: number; data: number[] }> =>
    page.evaluate(`images.${expression}.then((read) => ({ ...read, data: Array.from(read.data) }))`);
  for (const [name, levels] of Object.entries(oddities)) {
    for (const size of [undefined, { height: 120, width: 97 }]) {
      const own = await nodeImages.readImage(join(folder, 'odd', name), size);
      const other = await call(`readImage('/odd/${name}', ${JSON.stringify(size)})`);
      const same = own.height === other.height && own.width === other.width;
      const largest = own.data.reduce((most, value, i) => Math.max(most, Math.abs(value - (other.data[i] ?? NaN))), 0);
      const what = `grey levels between readers, ${name}, ${size ? 'resized' : 'own size'}`;
      results.push(report(what, same ? largest : Infinity, levels, '≤'));
    }
  }
  const size = { height: 64, width: 80 };
  const own = await nodeImages.readMask(join(folder, 'odd', 'mask.png'), size);
  const other = await call(`readMask('/odd/mask.png', ${JSON.stringify(size)})`);
  results.push(
    holds(
      'masks are the same',
      own.data.length === other.data.length && own.data.every((value, i) => value === other.data[i]),
    ),
  );
  const refused = await page.evaluate("images.readImage('/odd/text.png').then(String, ({ message }) => message)");
  results.push(
    holds(
      'no image is refused in one line',
      /^cannot decode image \/odd\/text\.png: .+$/.test(String(refused)),
      String(refused),
    ),
  );
  return results;
}
