import { Command } from 'commander';
import { benchCommand } from './bench.js';
import { exitCode, reportError, writeUsageError } from './command.js';
import { expandConfig } from './config-file.js';
import { demoCommand } from './demo.js';
import { doctorCommand } from './doctor.js';
import { evalCommand } from './eval.js';
import { planCommand } from './plan.js';
import { predictCommand } from './predict.js';
import { synthCommand } from './synth.js';
import { trainCommand } from './train.js';
import { version } from './version.js';
import { weightsCommand } from './weights.js';

/** The whole command line. Errors are thrown instead of ending the process, so that every exit goes through one place. */
function createProgram(): Command {
  const program = new Command('tilesight')
    .description(
      'Finds and outlines small defects in high-resolution images of manufactured parts, learning from good images alone.',
    )
    .version(version())
    .configureOutput({ outputError: writeUsageError })
    .addHelpText('after', '\nStart with `tilesight demo`, or `tilesight train --normal photos/good --out run`.');
  for (const command of [
    demoCommand(),
    trainCommand(),
    evalCommand(),
    predictCommand(),
    planCommand(),
    synthCommand(),
    weightsCommand(),
    benchCommand(),
    doctorCommand(),
  ]) {
    program.addCommand(command);
  }
  const everyCommand = (command: Command): Command[] => [
    command,
    ...command.commands.flatMap((child) => everyCommand(child)),
  ];
  for (const command of everyCommand(program)) command.exitOverride();
  return program;
}

/** Runs a command line (without the program's name) and gives the exit code. */
export async function runCommandLine(words: readonly string[]): Promise<number> {
  // Commands that find something wrong without failing (the doctor) set the process's exit code.
  process.exitCode = undefined;
  try {
    await createProgram().parseAsync(expandConfig(words), { from: 'user' });
    return commandExitCode();
  } catch (error) {
    reportError(error, words.includes('--debug'));
    return exitCode(error);
  }
}

function commandExitCode(): number {
  return Number(process.exitCode ?? 0);
}
