import { readdirSync } from 'node:fs';
import { basename } from 'node:path';
import { shared } from './support.js';

/**
 * Runs the measured lines: `npm run acceptance` lists them, `npm run acceptance -- NAME…` runs some, `-- all` every one.
 * Each prints its figures and whether they hold; the exit code is 1 if one does not.
 */
const folder = new URL('.', import.meta.url);
const helpers = new Set(['main', 'support']);
const names = readdirSync(folder)
  .filter((file) => file.endsWith('.ts'))
  .map((file) => basename(file, '.ts'))
  .filter((name) => !helpers.has(name))
  .sort();

const asked = process.argv.slice(2);
const chosen = asked.includes('all') ? names : asked;
const unknown = chosen.find((name) => !names.includes(name));
if (chosen.length === 0 || unknown !== undefined) {
  console.error(`${unknown === undefined ? 'give one or more' : `unknown ${unknown}`}: all, ${names.join(', ')}`);
  process.exit(2);
}
if (!shared())
  console.log('skipped in part: no ../shared (or TILESIGHT_SHARED), which holds the real category and the weights');

let failed = 0;
for (const name of chosen) {
  console.log(`# ${name}`);
  const { run } = (await import(new URL(`${name}.ts`, folder).href)) as { run: () => Promise<boolean> };
  if (!(await run())) failed += 1;
}
console.log(failed === 0 ? 'all hold' : `${failed} do not hold`);
process.exit(failed === 0 ? 0 : 1);
