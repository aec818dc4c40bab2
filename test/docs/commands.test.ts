import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../cli/run-cli.js';

/** The commands in blocks marked `sh run` of a document, in order. */
function commands(text: string): string[] {
  return [...text.matchAll(/^```sh run\n([\s\S]*?)^```/gm)]
    .flatMap(([, block]) => (block ?? '').split('\n'))
    .map((line) => line.replace(/#.*$/, '').trim())
    .filter(Boolean);
}

const root = process.cwd();
const documents = [
  'README.md',
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
]
  .map((name) => ({ name, lines: commands(readFileSync(join(root, name), 'utf8')) }))
  .filter(({ lines }) => lines.length > 0);

describe.each(documents)('$name', ({ lines }) => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'tilesight-docs-'));
    process.chdir(folder);
  });
  afterAll(() => {
    process.chdir(root);
    rmSync(folder, { recursive: true, force: true });
  });

  // In one test, because each command builds on those before it.
  it('gives commands that run', async () => {
    for (const line of lines) {
      const [program, ...words] = line.split(/\s+/);
      expect(program, line).toBe('tilesight');
      const { code, stderr } = await runCli(...words);
      expect(code, `${line}\n${stderr}`).toBe(0);
    }
  });
});
