import { Worker } from 'node:worker_threads';
import { cpus } from 'node:os';

/** What a worker computes: squared distances of its share of the queries to all rows, and the smallest of each. */
const source = `
const { parentPort, workerData } = require('node:worker_threads');
const { queries, bank, elements, result, first, last } = workerData;
parentPort.on('message', () => {
  const rows = bank.length / elements;
  for (let query = first; query < last; query++) {
    const at = query * elements;
    let best = Infinity;
    for (let row = 0; row < rows; row++) {
      const from = row * elements;
      // Four sums, so that additions need not wait for each other.
      let a = 0, b = 0, c = 0, d = 0;
      for (let k = 0; k < elements; k += 4) {
        const p = queries[at + k] - bank[from + k], q = queries[at + k + 1] - bank[from + k + 1];
        const r = queries[at + k + 2] - bank[from + k + 2], s = queries[at + k + 3] - bank[from + k + 3];
        a += p * p; b += q * q; c += r * r; d += s * s;
      }
      const sum = a + b + c + d;
      if (sum < best) best = sum;
    }
    result[query] = best;
  }
  parentPort.postMessage(0);
});
`;

/** Nearest distances by brute force on all processors, in plain JavaScript: what one would write without a GPU. */
export interface BruteForce {
  /** Searches once; gives the milliseconds. */
  run(): Promise<number>;
  readonly squares: Float32Array;
  readonly threads: number;
  close(): Promise<void>;
}

/** Starts the workers. `elements` must be a multiple of 4. */
export function startBruteForce(queries: Float32Array, bank: Float32Array, elements: number): BruteForce {
  const count = queries.length / elements;
  const threads = Math.min(count, cpus().length);
  const share = (data: Float32Array): Float32Array => {
    const shared = new Float32Array(new SharedArrayBuffer(data.byteLength));
    shared.set(data);
    return shared;
  };
  const shared = { queries: share(queries), bank: share(bank), elements, result: share(new Float32Array(count)) };
  const workers = Array.from({ length: threads }, (_, index) => {
    const first = Math.floor((count * index) / threads);
    const last = Math.floor((count * (index + 1)) / threads);
    return new Worker(source, { eval: true, execArgv: [], workerData: { ...shared, first, last } });
  });
  return {
    squares: shared.result,
    threads,
    async run() {
      const started = performance.now();
      await Promise.all(
        workers.map(
          (worker) =>
            new Promise<void>((resolve, reject) => {
              worker.once('error', reject);
              worker.once('message', () => {
                worker.off('error', reject);
                resolve();
              });
              worker.postMessage(0);
            }),
        ),
      );
      return performance.now() - started;
    },
    async close() {
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
}
