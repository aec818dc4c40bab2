import { readFileSync } from 'node:fs';
import { parse, YAMLParseError } from 'yaml';
import { TilesightError } from '../engine/errors.js';
import { fileProblem } from '../node/files.js';

/**
 * Replaces `--config FILE` by the options that the YAML file holds, in front of those on the command line, which
 * therefore win. Keys are the options' names; `true` and `false` switch flags, lists are joined with commas, and a
 * mapping holds a model's own options (`padim: { dimensions: 50 }` is `--padim.dimensions 50`).
 */
export function expandConfig(argv: readonly string[]): string[] {
  const rest: string[] = [];
  let file: string | undefined;
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i] ?? '';
    if (word === '--') {
      rest.push(...argv.slice(i));
      break;
    }
    if (word === '--config') {
      file = argv[++i];
      if (file === undefined) throw new TilesightError('usage', '--config needs the name of a YAML file');
    } else if (word.startsWith('--config=')) file = word.slice('--config='.length);
    else rest.push(word);
  }
  if (file === undefined) return rest;
  const [command, ...others] = rest;
  return [...(command === undefined ? [] : [command]), ...optionsOf(file), ...others];
}

function optionsOf(file: string): string[] {
  let value: unknown;
  try {
    value = parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    const reason = cause instanceof YAMLParseError ? (cause.message.split('\n')[0] ?? '') : fileProblem(cause);
    throw new TilesightError('usage', `the configuration ${file} cannot be read: ${reason}; check the file`, { cause });
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    throw new TilesightError('usage', `the configuration ${file} must be a mapping of option names to values`);
  }
  return Object.entries(value).flatMap(([key, entry]: [string, unknown]) => optionWords(file, key, entry));
}

function optionWords(file: string, key: string, value: unknown): string[] {
  if (value === null || value === undefined) return [];
  if (value === true) return [`--${key}`];
  if (value === false) return [`--no-${key}`];
  if (Array.isArray(value)) return [`--${key}`, value.map(String).join(',')];
  if (typeof value === 'object') {
    return Object.entries(value).flatMap(([name, entry]: [string, unknown]) =>
      typeof entry === 'boolean' ? [`--${key}.${name}`, String(entry)] : optionWords(file, `${key}.${name}`, entry),
    );
  }
  if (typeof value === 'string' || typeof value === 'number') return [`--${key}`, String(value)];
  throw new TilesightError('usage', `the configuration ${file} holds a value for ${key} that is no option`);
}
