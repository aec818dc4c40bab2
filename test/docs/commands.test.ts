import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../cli/run-cli.js';

interface Block {
  /** Run here, each line after the other; the others name what is the reader's, or take long, and are looked at. */
  readonly run: boolean;
  readonly lines: readonly string[];
}

/** The blocks of shell commands of a document, in order. */
function blocks(text: string): Block[] {
  return [...text.matchAll(/^```sh( run)?\n([\s\S]*?)^```/gm)].map(([, run, block]) => ({
    run: run !== undefined,
    lines: (block ?? '')
      .split('\n')
      .map((line) => line.replace(/#.*$/, '').trim())
      .filter(Boolean),
  }));
}

const root = process.cwd();
const documents = [
  'README.md',
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
]
  .map((name) => ({ name, found: blocks(readFileSync(join(root, name), 'utf8')) }))
  .filter(({ found }) => found.length > 0);

/** The words of a `tilesight` command, however it is started; undefined for another program. */
function ownWords(line: string): string[] | undefined {
  return /^(?:npx |npm run --silent )?tilesight (?:-- )?(.*)$/.exec(line)?.[1]?.split(/\s+/);
}

describe.each(documents)('$name', ({ found }) => {
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'tilesight-docs-'));
    process.chdir(folder);
    // The photographs that the README speaks of.
    await runCli('synth', '--out', 'drawn', '--size', '96', '--train', '8', '--good', '2', '--per-kind', '1');
    cpSync(join('drawn', 'train', 'good'), join('photos', 'good'), { recursive: true });
    cpSync(join('drawn', 'test', 'blob'), join('photos', 'new'), { recursive: true });
  });
  afterAll(() => {
    process.chdir(root);
    rmSync(folder, { recursive: true, force: true });
  });

  // In one test, because each command builds on those before it.
  it('gives commands that run', async () => {
    for (const line of found.filter(({ run }) => run).flatMap(({ lines }) => lines)) {
      // The acceptance of the package installs it.
      if (line === 'npm install tilesight') continue;
      const words = ownWords(line);
      if (!words) throw new Error(`${line}: not a command of Tilesight`);
      const { code, stderr } = await runCli(...words);
      expect(code, `${line}\n${stderr}`).toBe(0);
    }
  });

  it('names commands, options, scripts and files that exist', async () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: object };
    for (const line of found.filter(({ run }) => !run).flatMap(({ lines }) => lines)) {
      const words = ownWords(line);
      if (words) {
        const command = words.slice(0, words[0] === 'weights' ? 2 : 1);
        const { stdout, code } = await runCli(...command, '--help');
        expect(code, line).toBe(0);
        for (const option of words.filter((word) => word.startsWith('--')))
          expect(stdout, line).toContain(`${option} `);
        continue;
      }
      const [program, ...rest] = line.split(/\s+/);
      const [, file] = /^(?:npx vitest run|node --import \.\/scripts\/register\.mjs) (\S+)/.exec(line) ?? [];
      if (file !== undefined) expect(existsSync(join(root, file)), line).toBe(true);
      else {
        expect(program, line).toBe('npm');
        const script = rest[0] === 'run' ? rest.find((word, index) => index > 0 && !word.startsWith('--')) : rest[0];
        expect(Object.keys(scripts), line).toContain(script);
      }
    }
  });
});
