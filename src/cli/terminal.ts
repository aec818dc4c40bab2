import { MultiBar, Presets, type SingleBar } from 'cli-progress';
import { TilesightError } from '../engine/errors.js';
import type { Hooks } from '../node/setup.js';

/** Prints data on stdout; nothing else does. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Prints a remark on stderr, whatever stdout is used for. */
export function remark(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** A progress display with rate and time left: bars on a terminal, nothing elsewhere. */
export interface Progress {
  /** Shows that `done` of `total` is finished; `detail` is a few words. */
  update(stage: string, done: number, total: number, detail?: string): void;
  stop(): void;
}

/** Progress on stderr, and only when that is a terminal. */
export function createProgress(): Progress {
  if (!process.stderr.isTTY) return { update: () => undefined, stop: () => undefined };
  const bars = new MultiBar(
    {
      stream: process.stderr,
      format: '{stage} {bar} {value}/{total}  {rate}/s  {eta_formatted} left  {detail}',
      hideCursor: true,
      clearOnComplete: false,
      etaBuffer: 50,
      linewrap: false,
      gracefulExit: false,
    },
    Presets.shades_classic,
  );
  const known = new Map<string, { bar: SingleBar; started: number }>();
  return {
    update(stage, done, total, detail = '') {
      let entry = known.get(stage);
      if (!entry) {
        const bar = bars.create(total, done, { stage: stage.padEnd(12), rate: '–', detail });
        entry = { bar, started: performance.now() };
        known.set(stage, entry);
      }
      entry.bar.setTotal(total);
      const seconds = (performance.now() - entry.started) / 1000;
      const rate = seconds > 0 ? (done / seconds).toPrecision(3) : '–';
      entry.bar.update(done, { stage: stage.padEnd(12), rate, detail });
    },
    stop: () => bars.stop(),
  };
}

let interruption: AbortSignal | undefined;

/** An abort signal that Ctrl-C sets; a second Ctrl-C ends the process at once. The same for the whole process. */
export function cancelOnInterrupt(): AbortSignal {
  if (interruption) return interruption;
  const controller = new AbortController();
  interruption = controller.signal;
  const interrupt = (): void => {
    if (controller.signal.aborted) process.exit(130);
    remark('stopping; what is finished is kept, the same command goes on from there (Ctrl-C again to stop at once)');
    controller.abort(new TilesightError('cancelled', 'stopped by Ctrl-C: run the same command again to go on'));
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  return controller.signal;
}

/** The command line's hooks for long work: bars on a terminal, notes on stderr, Ctrl-C. `stop` ends the bars. */
export function createHooks(): Hooks & { readonly signal: AbortSignal; readonly stop: () => void } {
  const progress = createProgress();
  return {
    onProgress: (stage, done, total, detail) => progress.update(stage, done, total, detail),
    onNote: (line) => remark(/^(fault|warning): /.test(line) ? line : `note: ${line}`),
    signal: cancelOnInterrupt(),
    stop: () => progress.stop(),
  };
}
