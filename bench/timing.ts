import { Bench } from 'tinybench';

/** Median, quartiles and number of samples of a measured quantity. */
export interface Spread {
  readonly median: number;
  readonly p25: number;
  readonly p75: number;
  readonly n: number;
}

/** Quartiles with linear interpolation between samples. */
export function spread(samples: readonly number[]): Spread {
  if (samples.length === 0) throw new Error('nothing was measured');
  const sorted = [...samples].sort((a, b) => a - b);
  const quantile = (share: number): number => {
    const at = share * (sorted.length - 1);
    const below = sorted[Math.floor(at)] ?? 0;
    const above = sorted[Math.ceil(at)] ?? 0;
    return below + (above - below) * (at - Math.floor(at));
  };
  return { median: quantile(0.5), p25: quantile(0.25), p75: quantile(0.75), n: sorted.length };
}

/** The same spread in another unit: each figure times `factor`. */
export function scaled(values: Spread, factor: number): Spread {
  const { median, p25, p75, n } = values;
  return { median: median * factor, p25: p25 * factor, p75: p75 * factor, n };
}

/** A measured task gives the milliseconds that it took by its own clock (a timestamp, another process). */
export type TimedTask = () => Promise<number>;

/** How long to measure. */
export interface Effort {
  /** Least number of samples a task. */
  readonly iterations: number;
  /** Milliseconds to go on sampling after that. */
  readonly time: number;
  /** Milliseconds after which three samples are enough. */
  readonly longest?: number;
}

/**
 * Samples several tasks turn by turn, so that what slows the machine for a while slows all of them: each round is one
 * sample of every task. Gives the samples in milliseconds, by the task's name.
 */
export async function interleave(
  tasks: ReadonlyMap<string, TimedTask>,
  effort: Effort,
): Promise<Map<string, number[]>> {
  const samples = new Map<string, number[]>([...tasks.keys()].map((name) => [name, []]));
  const { iterations, time, longest = Infinity } = effort;
  const started = performance.now();
  const taken = (): number => performance.now() - started;
  for (let round = 0; (round < iterations && (round < 3 || taken() < longest)) || taken() < time; round++) {
    const bench = new Bench({ iterations: 1, time: 0, warmup: false, retainSamples: true, throws: true });
    for (const [name, task] of tasks) {
      bench.add(name, async () => ({ overriddenDuration: await task() }), { async: true });
    }
    for (const { name, result } of await bench.run()) {
      if ('latency' in result) samples.get(name)?.push(...(result.latency.samples ?? []));
    }
  }
  return samples;
}

/** Samples one task; see {@link interleave}. */
export async function measure(task: TimedTask, effort: Effort): Promise<Spread> {
  const samples = await interleave(new Map([['task', task]]), effort);
  return spread(samples.get('task') ?? []);
}

/** A task that is timed from its start to its end by the wall clock. */
export function wallClock(body: () => Promise<unknown>): TimedTask {
  return async () => {
    const started = performance.now();
    await body();
    return performance.now() - started;
  };
}
