// A module loader hook: `import source from './kernel.wgsl'` yields the file's text.
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

export async function load(url, context, nextLoad) {
  const path = url.split('?')[0];
  if (!path.endsWith('.wgsl')) return nextLoad(url, context);
  const text = await readFile(fileURLToPath(path), 'utf8');
  return { format: 'module', source: `export default ${JSON.stringify(text)};`, shortCircuit: true };
}
