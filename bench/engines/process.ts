import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { TilesightError } from '../../src/engine/errors.js';
import type { TimedTask } from '../timing.js';
import type { Answer, Request } from './child.js';
import type { EngineName } from './engine.js';

/** An engine in a process of its own. */
export interface EngineProcess {
  readonly name: EngineName;
  /** Sends a request; gives the milliseconds that the engine itself took. */
  ask(request: Request): Promise<number>;
  close(): void;
}

const loader = new URL('../../scripts/register.mjs', import.meta.url).href;

/** Starts an engine. `environment` is added to this process's own. */
export function startEngine(name: EngineName, environment: NodeJS.ProcessEnv = {}): EngineProcess {
  const child: ChildProcess = fork(fileURLToPath(new URL('child.ts', import.meta.url)), [name], {
    execArgv: ['--import', loader],
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let notes = '';
  child.stderr?.on('data', (chunk: Buffer) => (notes = (notes + chunk.toString()).slice(-2000)));
  return {
    name,
    ask: (request) =>
      new Promise((resolve, reject) => {
        const failed = (why: string): void => reject(new TilesightError('device', `${name}: ${why}`));
        const exited = (code: number | null, signal: string | null): void =>
          failed(`its process ended (${signal ?? code}) ${notes}`);
        child.once('exit', exited);
        child.once('message', (message) => {
          child.off('exit', exited);
          const answer = message as Answer;
          if ('error' in answer) failed(answer.error);
          else resolve(answer.milliseconds);
        });
        child.send(request);
      }),
    close: () => void child.kill(),
  };
}

/**
 * A task that runs an engine twice and takes the second run: turn by turn, several seconds of the others' work lie between
 * two runs of one engine, in which caches and clocks fall. So each is measured as in a line that works without pause.
 */
export function warmRun(engine: EngineProcess, signal: AbortSignal): TimedTask {
  return async () => {
    signal.throwIfAborted();
    await engine.ask({ type: 'run' });
    return engine.ask({ type: 'run' });
  };
}
