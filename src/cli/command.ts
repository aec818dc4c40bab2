import { Command, CommanderError } from 'commander';
import { TilesightError } from '../engine/errors.js';
import { remark } from './terminal.js';

/** Exit codes: 0 done, 1 failure, 2 usage, 130 stopped by Ctrl-C. */
export function exitCode(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof TilesightError) return error.kind === 'usage' ? 2 : error.kind === 'cancelled' ? 130 : 1;
  return 1;
}

/** Prints an error as one line on stderr; with `debug` the stack and its causes too. */
export function reportError(error: unknown, debug: boolean): void {
  if (error instanceof CommanderError) return;
  const known = error instanceof TilesightError;
  const message = error instanceof Error ? error.message : String(error);
  const line = message.replace(/\s*\n\s*/g, ' ').trim();
  remark(known ? `error: ${line}` : `error: ${line} (a defect of Tilesight: run again with --debug and report it)`);
  if (debug && error instanceof Error) remark(error.stack ?? '');
  for (let cause: unknown = error; debug && cause instanceof Error; cause = cause.cause) {
    if (cause !== error) remark(`caused by: ${cause.stack ?? cause.message}`);
  }
}

/** Prints commander's complaint about the words of a command line as one line that says where to look. */
export function writeUsageError(text: string, write: (text: string) => void): void {
  write(
    `${text
      .trim()
      .replace(/\s*\n\s*/g, ' ')
      .replace(/\.$/, '')} (see --help)\n`,
  );
}

/** A subcommand with the options that every command has. */
export function command(name: string, summary: string, examples: readonly string[]): Command {
  const made = new Command(name);
  made
    .description(summary)
    .option('--json', 'print one JSON object on stdout and nothing else')
    .option('--debug', 'print stack traces with errors')
    .configureOutput({ outputError: writeUsageError })
    .addHelpText('after', `\nExamples:\n${examples.map((example) => `  $ ${example}`).join('\n')}`);
  return made;
}
