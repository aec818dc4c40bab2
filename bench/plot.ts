// Draws the plots of docs/performance.md from the results that are kept in bench/results:
//   node --import ./scripts/register.mjs bench/plot.ts
// A result is kept as BENCH-ADAPTER.json, its plot as docs/images/bench-BENCH-ADAPTER.svg.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import type { BenchReport } from '../src/cli/bench.js';
import type { Row } from './report.js';
import type { Spread } from './timing.js';

const { document } = parseHTML('<html></html>');
const results = fileURLToPath(new URL('results/', import.meta.url));
const images = fileURLToPath(new URL('../docs/images/', import.meta.url));

/** White behind everything, so that a plot reads the same on a light and on a dark page. */
const style = { background: 'white', color: '#222', fontSize: '12px' };
const blue = '#2b6cb0';
const grey = '#a0aec0';

/** Rows of a kept result; none where it has not been measured. */
function rows(name: string): readonly Row[] {
  const path = `${results}${name}.json`;
  if (!existsSync(path)) return [];
  return (JSON.parse(readFileSync(path, 'utf8')) as BenchReport).rows as readonly Row[];
}

/** A row's entry that is not a spread, as text. */
const word = (value: Row[string] | undefined): string =>
  value === null || value === undefined || typeof value === 'object' ? '' : String(value);

const median = (value: Row[string] | undefined): number => (value as Spread).median;

function save(name: string, options: Plot.PlotOptions): void {
  const drawn = Plot.plot({ document, style, ...options });
  const svg = drawn.tagName.toLowerCase() === 'svg' ? drawn : drawn.querySelector('svg');
  if (!svg) throw new Error(`${name}: nothing was drawn`);
  svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  mkdirSync(images, { recursive: true });
  writeFileSync(`${images}${name}.svg`, `${svg.outerHTML}\n`);
}

/** Milliseconds of each runtime, by network and batch. */
function plotBackbone(adapter: string): void {
  const measured = rows(`backbone-${adapter}`).filter((row) => row['milliseconds'] !== undefined);
  if (measured.length === 0) return;
  const bars = measured.map((row) => ({
    network: `${word(row['network'])}, batch ${word(row['batch'])}`,
    engine: word(row['engine']),
    milliseconds: median(row['milliseconds']) / Number(row['batch']),
  }));
  save(`bench-backbone-${adapter}`, {
    width: 760,
    height: 70 + 95 * new Set(bars.map((bar) => bar.network)).size,
    marginLeft: 180,
    marginRight: 160,
    marginTop: 10,
    marginBottom: 40,
    x: { label: 'milliseconds an image, with read-back of three layers', type: 'log', grid: true },
    y: { label: null },
    fy: { label: null },
    marks: [
      Plot.barX(bars, {
        x1: 1,
        x2: 'milliseconds',
        y: 'engine',
        fy: 'network',
        fill: (bar: { engine: string }) => (bar.engine === 'tilesight' ? blue : grey),
        sort: { y: 'x2' },
      }),
      Plot.text(bars, {
        x: 'milliseconds',
        y: 'engine',
        fy: 'network',
        text: (bar: { milliseconds: number }) => bar.milliseconds.toFixed(bar.milliseconds < 10 ? 1 : 0),
        textAnchor: 'start',
        dx: 4,
      }),
    ],
  });
}

/** Share of the multiply-add roof of every variant at every shape. */
function plotKernels(adapter: string): void {
  const all = rows(`kernels-${adapter}`).filter(
    (row) => row['kernel'] !== undefined && row['shareOfFma'] !== undefined,
  );
  const arithmetic = all.filter((row) => /^(conv|GEMM|k-NN|coreset)/.test(word(row['kernel'])));
  const dots = arithmetic
    .filter((row) => !/depthwise/.test(word(row['kernel'])))
    .map((row) => ({
      where: `${word(row['kernel'])} ${word(row['shape'])}`,
      share: 100 * Number(row['shareOfFma']),
      variant: word(row['variant']).startsWith('brute force') ? 'processor, plain JavaScript' : word(row['variant']),
    }));
  if (dots.length === 0) return;
  save(`bench-kernels-${adapter}`, {
    width: 760,
    height: 70 + 24 * new Set(dots.map((dot) => dot.where)).size,
    marginLeft: 260,
    marginRight: 110,
    x: {
      label: 'share of the multiply-add roof, %',
      grid: true,
      domain: [0, Math.max(...dots.map((dot) => dot.share)) * 1.05],
    },
    y: { label: null },
    color: { scheme: 'tableau10' },
    marks: [
      Plot.dot(dots, { x: 'share', y: 'where', fill: 'variant', r: 5 }),
      // The best of each line by name, so that no legend is needed.
      Plot.text(
        dots,
        Plot.selectMaxX({ x: 'share', y: 'where', z: 'where', text: 'variant', textAnchor: 'start', dx: 8 }),
      ),
    ],
  });
}

/** Peak device bytes by image size. */
function plotMemory(adapter: string): void {
  const mebibytes = 2 ** 20;
  const planned = rows(`memory-${adapter}`).filter((row) => row['plannedBytes'] !== null);
  // Overlapping or not, the line is the same: one name serves both.
  const points = planned.map((row) => ({
    image: Number(row['image']),
    bytes: Number(row['peakBytes'] ?? row['plannedBytes']) / mebibytes,
    kind: row['tile'] === row['image'] ? 'single model' : 'ensemble of tiles',
    planned: row['peakBytes'] === null,
  }));
  if (points.length === 0) return;
  save(`bench-memory-${adapter}`, {
    width: 640,
    height: 360,
    marginLeft: 60,
    marginRight: 150,
    x: {
      label: 'image side, pixels',
      type: 'log',
      base: 2,
      tickFormat: (value: number) => String(value),
      ticks: [...new Set(points.map((point) => point.image))],
    },
    y: { label: 'peak device memory, MiB', type: 'log', grid: true, tickFormat: (value: number) => String(value) },
    marks: [
      Plot.line(points, {
        x: 'image',
        y: 'bytes',
        z: 'kind',
        stroke: (point: { kind: string }) => (point.kind === 'single model' ? grey : blue),
        sort: 'image',
      }),
      Plot.dot(points, {
        x: 'image',
        y: 'bytes',
        r: 4,
        stroke: blue,
        fill: (point: { planned: boolean }) => (point.planned ? 'white' : blue),
      }),
      Plot.text(
        points,
        Plot.selectLast({ x: 'image', y: 'bytes', z: 'kind', text: 'kind', textAnchor: 'start', dx: 8, sort: 'image' }),
      ),
    ],
  });
}

/** Time of a tile within grids of several sizes. */
function plotEnsemble(adapter: string): void {
  const bars = rows(`ensemble-${adapter}`)
    .filter((row) => row['secondsPerImage'] !== undefined)
    .map((row) => ({
      grid: `${word(row['grid'])} tiles`,
      buffering: `${word(row['buffering'])}, ${word(row['parameters'])}`,
      milliseconds: (1000 * median(row['secondsPerImage'])) / Number(row['tiles']),
    }));
  if (bars.length === 0) return;
  save(`bench-ensemble-${adapter}`, {
    width: 640,
    height: 60 + 20 * bars.length,
    marginLeft: 200,
    marginRight: 60,
    x: { label: 'milliseconds a tile', grid: true },
    y: { label: null },
    fy: { label: null, domain: [...new Set(bars.map((bar) => bar.grid))] },
    marks: [
      Plot.barX(bars, {
        x: 'milliseconds',
        y: 'buffering',
        fy: 'grid',
        fill: (bar: { buffering: string }) => (bar.buffering.startsWith('double buffered') ? blue : grey),
      }),
      Plot.text(bars, {
        x: 'milliseconds',
        y: 'buffering',
        fy: 'grid',
        text: (bar: { milliseconds: number }) => bar.milliseconds.toFixed(bar.milliseconds < 10 ? 1 : 0),
        textAnchor: 'start',
        dx: 4,
      }),
    ],
  });
}

const adapters = new Set(readdirSync(results).map((file) => file.replace(/^[a-z]+-|\.json$/g, '')));
for (const adapter of adapters) {
  for (const plot of [plotBackbone, plotKernels, plotMemory, plotEnsemble]) plot(adapter);
}
