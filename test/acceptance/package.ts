import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import sharp from 'sharp';
import { generateSample } from '../../src/data/synthetic.js';
import { all, holds, installPackage, packPackage, report, runProgram, type Packed } from './support.js';

/** Packages that no user's install may bring. */
const unwanted = /tensorflow|playwright|puppeteer|chromium|vitest|^esbuild$|^tsx$|^typescript$|eslint|typedoc|linkedom/;

/**
 * The package as a new user meets it: packed, checked, installed into an empty folder, and taken from a folder of photographs
 * without labels to a report and heat maps of new ones.
 */
export async function run(): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), 'tilesight-package-'));
  try {
    const packed = await packPackage(folder);
    const user = join(folder, 'user');
    return all([
      report('megabytes unpacked', packed.unpackedBytes / 1e6, 3, '≤'),
      holds('only built files and documents inside', packed.paths.every(isPublished), packed.paths.join(' ')),
      await checkManifest(packed),
      await checkTypeResolution(packed),
      await installs(user, packed),
      await typeChecks(user, 'NodeNext'),
      await typeChecks(user, 'bundler'),
      await worksForUser(user),
    ]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function isPublished(path: string): boolean {
  return /^(dist\/.+\.(js|d\.ts|txt)|package\.json|README\.md|CHANGELOG\.md|LICENSE)$/.test(path);
}

async function checkManifest({ file }: Packed): Promise<boolean> {
  const bytes = readFileSync(file);
  const tarball = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  const { messages, pkg } = await publint({ pack: { tarball }, strict: true });
  const lines = messages.map((message) => `${message.type} ${formatMessage(message, pkg) ?? message.code}`);
  return holds('publint finds nothing', lines.length === 0, lines.join('; '));
}

async function checkTypeResolution({ file }: Packed): Promise<boolean> {
  const result = await checkPackage(createPackageFromTarballData(new Uint8Array(readFileSync(file))));
  if (!result.types) return holds('types resolve', false, 'there are none');
  // ES modules only: what resolves for `require` and for Node 10 is not promised.
  const promised = new Set(['node16-esm', 'bundler']);
  const problems = result.problems.filter(
    (problem) => !('resolutionKind' in problem) || promised.has(problem.resolutionKind),
  );
  return holds('types resolve in Node and bundlers', problems.length === 0, JSON.stringify(problems).slice(0, 600));
}

async function installs(user: string, packed: Packed): Promise<boolean> {
  await installPackage(user, packed);
  const lock = JSON.parse(readFileSync(join(user, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { optional?: boolean }>;
  };
  const names = Object.keys(lock.packages)
    .filter(Boolean)
    .map((path) => path.replace(/^.*node_modules\//, ''));
  const found = names.filter((name) => unwanted.test(name));
  // The lock file lists sharp's binaries for every platform; the folder has those of this one.
  const installed = readdirSync(join(user, 'node_modules')).filter((name) => !name.startsWith('.'));
  return all([
    holds('an install brings no browser, no TensorFlow.js and no tool', found.length === 0, found.join(' ')),
    report('entries in node_modules', installed.length, 30, '≤'),
  ]);
}

/** Compiles a program against the installed package, the declarations of all libraries included. */
async function typeChecks(user: string, resolution: 'NodeNext' | 'bundler'): Promise<boolean> {
  const project = join(user, resolution);
  mkdirSync(project, { recursive: true });
  const module = resolution === 'bundler' ? 'ESNext' : resolution;
  writeFileSync(
    join(project, 'tsconfig.json'),
    JSON.stringify({
      compilerOptions: {
        target: 'ES2022',
        lib: ['ES2023', 'DOM', 'DOM.Iterable'],
        module,
        moduleResolution: resolution,
        strict: true,
        noEmit: true,
        skipLibCheck: false,
        types: ['node'],
        typeRoots: [dirname(dirname(createRequire(import.meta.url).resolve('@types/node/package.json')))],
      },
      files: ['program.ts'],
    }),
  );
  writeFileSync(
    join(project, 'program.ts'),
    `import { createBrowserImages, fetchStorage, openEnsemble, type Prediction } from 'tilesight';
import { compile, defaultTraining, Graph, openGpu, openRun, Program, train } from 'tilesight/node';
import { relu } from 'tilesight/operators';

export async function use(weights: Uint8Array): Promise<Prediction> {
  const { summary, gpu } = await train({ ...defaultTraining, normal: 'photos', out: 'run' });
  const auroc: number | null | undefined = summary.metrics['imageAUROC'];
  const ensemble = await openEnsemble({ gpu, storage: fetchStorage('run'), weights });
  const limit: number = gpu.device.limits.maxBufferSize + (auroc ?? 0);
  const graph = new Graph('typed');
  const y = graph.output(relu(graph, graph.input('x', [4])));
  const program = await Program.create(await openGpu(), compile(graph, { adapter: gpu.profile }));
  const values: Float32Array | undefined = (await program.execute(new Map())).get(y);
  const opened = await openRun({ run: 'run', memory: limit + (values?.length ?? 0) });
  // @ts-expect-error: the types are more than \`any\`.
  const wrong: string = opened.ensemble.plannedBytes;
  return ensemble.predict(await createBrowserImages().decodeImage(new Blob([wrong])));
}
`,
  );
  const compiler = createRequire(import.meta.url).resolve('typescript/bin/tsc');
  const { code, stdout } = await runProgram(process.execPath, [compiler, '-p', project], user);
  return holds(`a strict program compiles with ${resolution} resolution`, code === 0, stdout.slice(0, 1200));
}

/** From photographs without labels to a report, with the commands of the README. */
async function worksForUser(user: string): Promise<boolean> {
  const size = { height: 192, width: 256 };
  const photograph = async (path: string, index: number, defect?: 'blob'): Promise<void> => {
    const { image } = generateSample({ seed: 3, index, size, ...(defect && { defect, maxDefectPixels: 40 }) });
    const raw = { width: size.width, height: size.height, channels: 3 as const };
    await sharp(image.data, { raw }).jpeg({ quality: 92 }).toFile(join(user, path));
  };
  mkdirSync(join(user, 'photos', 'good'), { recursive: true });
  mkdirSync(join(user, 'photos', 'new'), { recursive: true });
  for (let index = 0; index < 12; index++) await photograph(`photos/good/part-${index}.jpg`, index);
  await photograph('photos/new/a.jpg', 20);
  await photograph('photos/new/b.jpg', 21, 'blob');

  const npx = async (...words: string[]): Promise<string | undefined> => {
    const { code, stdout, stderr, seconds } = await runProgram('npx', ['tilesight', ...words], user);
    holds(`npx tilesight ${words.join(' ')} (${seconds.toFixed(1)} s)`, code === 0, `${code}: ${stderr.slice(-800)}`);
    return code === 0 ? stdout : undefined;
  };
  const version = await npx('--version');
  const doctor = await npx('doctor');
  const trained = await npx('train', '--normal', 'photos/good', '--out', 'run');
  const predicted = await npx('predict', '--run', 'run', 'photos/new', '--out', 'heat-maps');
  if (version === undefined || doctor === undefined || trained === undefined || predicted === undefined) return false;

  const page = readFileSync(join(user, 'run', 'report', 'index.html'), 'utf8');
  const external = [...page.matchAll(/(?:src|href)\s*=\s*["']?((?!data:|#)[^"'\s>]+)/g)].map(([, target]) => target);
  return all([
    holds(
      'two predictions, the defect anomalous',
      /a\.jpg \S+ good[\s\S]*b\.jpg \S+ anomalous/.test(predicted),
      predicted,
    ),
    holds('a heat map each', readdirSync(join(user, 'heat-maps')).length === 2),
    holds('the report loads nothing', page.length > 10_000 && external.length === 0, external.join(' ')),
  ]);
}
