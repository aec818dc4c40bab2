import { loadavg, cpus } from 'node:os';

import type { BenchReport } from '../src/cli/bench.js';
import { version } from '../src/cli/version.js';
import type { Gpu } from '../src/engine/gpu.js';
import type { Spread } from './timing.js';

/** A row of a report: what was measured, then figures and spreads. */
export type Row = Readonly<Record<string, string | number | boolean | null | Spread>>;

/** Puts a report together; the summary's names are part of the command's contract. */
export function makeReport(gpu: Gpu, rows: readonly Row[], summary: object): BenchReport {
  const processors = cpus();
  return {
    adapter: {
      name: gpu.profile.name,
      type: gpu.profile.class,
      driver: gpu.driver,
      features: [...gpu.profile.features],
      subgroupSize: gpu.profile.subgroupSize ?? null,
      // On a software adapter the processor is the adapter, so what else it did belongs to the figures.
      host: {
        processor: processors[0]?.model.trim() ?? 'unknown',
        threads: processors.length,
        load: loadavg().map((load) => Math.round(load * 100) / 100),
        node: process.version,
      },
    },
    date: new Date().toISOString(),
    version: version(),
    rows,
    summary,
  };
}

/** A report as text: one line a row with aligned columns, then the summary. */
export function benchTable({ adapter, date, version, rows, summary }: BenchReport): string {
  const { name, driver, host } = adapter as { name: string; driver: string; host: { load: number[] } };
  const tables: string[] = [];
  // Rows with the same columns make one table.
  const groups = new Map<string, Row[]>();
  for (const row of rows as Row[]) {
    const columns = Object.keys(row).join('\t');
    groups.set(columns, [...(groups.get(columns) ?? []), row]);
  }
  for (const [columns, members] of groups) {
    const names = columns.split('\t');
    const lines = [names, ...members.map((row) => names.map((column) => cell(row[column])))];
    const widths = names.map((_, index) => Math.max(...lines.map((line) => line[index]?.length ?? 0)));
    tables.push(
      lines
        .map((line) =>
          line
            .map((text, i) => text.padEnd(widths[i] ?? 0))
            .join('  ')
            .trimEnd(),
        )
        .join('\n'),
    );
  }
  return [
    `${name} (${driver}); ${date}; version ${version}; load ${host.load.join(' ')}`,
    ...tables,
    `summary: ${JSON.stringify(summary)}`,
  ].join('\n\n');
}

function cell(value: Row[string] | undefined): string {
  if (value === null || value === undefined) return '–';
  if (typeof value === 'number') return figure(value);
  if (typeof value !== 'object') return String(value);
  return `${figure(value.median)} (${figure(value.p25)}–${figure(value.p75)}, n ${value.n})`;
}

/** Three figures, without an exponent where that is readable. */
export function figure(value: number): string {
  if (Number.isInteger(value)) return String(value);
  const size = Math.abs(value);
  return size >= 1000
    ? value.toFixed(0)
    : size >= 0.001
      ? String(Number(value.toPrecision(3)))
      : value.toExponential(1);
}
