import { vi } from 'vitest';
import { runCommandLine } from '../../src/cli/program.js';

/** Exit code and output of a command line that ran in this process. */
export interface CommandOutcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `tilesight` in this process. */
export async function runCli(...words: string[]): Promise<CommandOutcome> {
  let stdout = '';
  let stderr = '';
  const out = vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    stdout += String(chunk);
    return true;
  });
  const error = vi.spyOn(process.stderr, 'write').mockImplementation((chunk) => {
    stderr += String(chunk);
    return true;
  });
  try {
    return { code: await runCommandLine(words), stdout, stderr };
  } finally {
    out.mockRestore();
    error.mockRestore();
    process.exitCode = undefined;
    // The test runner ends its workers with this signal, which the command line would take for Ctrl-C.
    process.removeAllListeners('SIGTERM');
  }
}

/** The error line of an outcome: exactly one, without a stack. */
export function errorLine({ stderr }: CommandOutcome): string {
  const lines = stderr.split('\n').filter((line) => line.startsWith('error: '));
  if (lines.length !== 1 || /^\s+at /m.test(stderr)) throw new Error(`not one error line:\n${stderr}`);
  return lines[0] ?? '';
}
