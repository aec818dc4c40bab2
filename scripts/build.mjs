// Builds the package: bundles (the browser's library, its operators, Node's library, the command line), the types, and the
// licences of what is bundled.
import { build, transform } from 'esbuild';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
rmSync(join(root, 'dist'), { recursive: true, force: true });

// The entries share chunks, so that nothing is in the package twice; what the browser's entry reaches is free of Node.
const { metafile } = await build({
  absWorkingDir: root,
  bundle: true,
  format: 'esm',
  target: 'es2022',
  loader: { '.wgsl': 'text' },
  // Names, comments and indentation stay: stack traces and compile errors of kernels need them.
  minifySyntax: true,
  legalComments: 'none',
  logLevel: 'warning',
  entryPoints: {
    index: 'src/index.ts',
    operators: 'src/operators.ts',
    node: 'src/node.ts',
    cli: 'src/cli/main.ts',
  },
  outdir: 'dist',
  splitting: true,
  chunkNames: 'chunks/[name]-[hash]',
  platform: 'neutral',
  mainFields: ['module', 'main'],
  external: [...Object.keys(dependencies), 'node:*'],
  metafile: true,
});
chmodSync(join(root, 'dist/cli.js'), 0o755);

const bundled = new Set();
for (const [path, { inputs }] of Object.entries(metafile.outputs)) {
  const packages = Object.keys(inputs).map(packageOf).filter(Boolean);
  packages.forEach((name) => bundled.add(name));
  // The report's chunk: the plotting library is larger than all the rest, and nobody debugs it here.
  if (packages.length > 0) {
    const file = join(root, path);
    const { code } = await transform(readFileSync(file, 'utf8'), { minify: true, format: 'esm', target: 'es2022' });
    writeFileSync(file, code);
  }
}
writeFileSync(join(root, 'dist/THIRD-PARTY-LICENSES.txt'), [...bundled].sort().map(licenceOf).join('\n'));

const types = spawnSync(
  process.execPath,
  [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json'],
  {
    cwd: root,
    stdio: 'inherit',
  },
);
process.exit(types.status ?? 1);

/** The folder of the package that a bundled file belongs to; undefined for our own files. */
function packageOf(file) {
  return /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(file)?.[0];
}

/** Name, version and licence text of a bundled package. */
function licenceOf(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
  const file = readdirSync(join(root, folder)).find((entry) => /^(licen[cs]e|copying)/i.test(entry));
  const path = file === undefined ? '' : join(root, folder, file);
  const text = existsSync(path) ? readFileSync(path, 'utf8').trim() : `Licence: ${license}`;
  return `${'='.repeat(100)}\n${name} ${version} (${license})\n\n${text}\n`;
}
