import { readFileSync } from 'node:fs';

/** Version of the package: `package.json` lies one folder above the built files, two above the sources. */
export function version(): string {
  for (const path of ['../package.json', '../../package.json']) {
    try {
      const value = JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')) as {
        name?: string;
        version?: string;
      };
      if (value.name === 'tilesight' && value.version) return value.version;
    } catch {
      // Not this folder.
    }
  }
  return 'unknown';
}
