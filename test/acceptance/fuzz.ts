import fc from 'fast-check';
import { damagedFile, fuzzTargets, parsesOrRefuses } from '../models/weights/fuzz-targets.js';

/** Damaged files for each parser. */
const cases = 10_000;

/** No file, a few hundred bytes each, may take longer; generous for a busy machine. */
const longestMilliseconds = 1000;

/** Memory that stays behind all cases of a parser. */
const mostBytesKept = 64 * 2 ** 20;

/**
 * Feeds each parser of weight files 10,000 damaged files. Holds if every one is parsed or refused with a typed error of one line, within
 * bounded time and memory. Prints a line for each parser; true if all hold.
 */
export function run(): Promise<boolean> {
  let holds = true;
  for (const target of fuzzTargets) {
    let parsed = 0;
    let slowest = 0;
    const before = process.memoryUsage().rss;
    const result = fc.check(
      fc.property(damagedFile(target), (bytes) => {
        const start = performance.now();
        if (parsesOrRefuses(target, bytes)) parsed++;
        slowest = Math.max(slowest, performance.now() - start);
      }),
      { numRuns: cases, seed: 1 },
    );
    const kept = Math.max(0, process.memoryUsage().rss - before);
    const fine = !result.failed && slowest < longestMilliseconds && kept < mostBytesKept;
    holds &&= fine;
    const figures = `${parsed} parsed, ${result.numRuns - parsed} refused, slowest ${slowest.toFixed(1)} ms, ${(kept / 2 ** 20).toFixed(0)} MB kept`;
    console.log(
      `fuzz ${target.name}: ${result.numRuns} damaged files, ${figures}: ${fine ? 'holds' : 'does not hold'}`,
    );
    if (result.failed) console.log(fc.defaultReportMessage(result));
  }
  return Promise.resolve(holds);
}
