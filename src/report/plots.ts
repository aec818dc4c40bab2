import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import { formatBytes, type MemorySample } from '../engine/memory.js';
import type { Curve } from '../metrics/curves.js';
import { html, raw, type Markup } from './html.js';
import type { ScoredImage } from './gallery.js';

// Observable Plot was chosen for these reasons: it takes CSS variables for colours, so that one static SVG serves light
// and dark; it needs no canvas and no script in the page; and with linkedom as its document it runs anywhere. Both are
// bundled into the package, so that a user installs neither.

/** Size of a plot in its own units; the page scales it to its column, so that letters keep nearly their size. */
const size = { width: 440, height: 320, marginTop: 30, marginBottom: 48, marginLeft: 54, marginRight: 24 };
/** Width of a plot that spans the page. */
const wide = 1080;

const { document } = parseHTML('<html></html>');

/** Colours of the page; a class and not a colour alone tells lines apart (`dashed`). */
const colors = {
  good: 'var(--good)',
  defective: 'var(--defective)',
  threshold: 'var(--text)',
  accent: 'var(--accent)',
  second: 'var(--second)',
};

/** A point on a curve that belongs to a threshold. */
export interface OperatingPoint {
  readonly x: number;
  readonly y: number;
}

/** A curve with its name in the legend. */
export interface NamedCurve {
  readonly name: string;
  readonly curve: Curve;
  /** Where the run's threshold puts it. */
  readonly point?: OperatingPoint | undefined;
}

/** Up to two curves over the unit square, the second dashed. `limit` shades what lies right of it. */
export function curvePlot(
  description: string,
  axes: { readonly x: string; readonly y: string; readonly limit?: number; readonly diagonal?: boolean },
  curves: readonly NamedCurve[],
): Markup {
  const stroke = [colors.accent, colors.second];
  const marks: Plot.Markish[] = [];
  if (axes.limit !== undefined) {
    marks.push(Plot.rect([0], { x1: axes.limit, x2: 1, y1: 0, y2: 1, fill: colors.threshold, fillOpacity: 0.07 }));
  }
  if (axes.diagonal) {
    marks.push(
      Plot.line(
        [
          [0, 0],
          [1, 1],
        ],
        { stroke: colors.threshold, strokeOpacity: 0.35, strokeDasharray: '2,4' },
      ),
    );
  }
  curves.forEach(({ curve, point }, index) => {
    const points = curve.x.map((x, at) => ({ x, y: curve.y[at] ?? 0 }));
    marks.push(
      Plot.line(points, {
        x: 'x',
        y: 'y',
        stroke: stroke[index] ?? colors.accent,
        strokeWidth: 2.25,
        ...(index > 0 && { strokeDasharray: '6,3' }),
      }),
    );
    if (point) {
      marks.push(
        Plot.dot([point], { x: 'x', y: 'y', r: 5, fill: stroke[index], stroke: 'var(--surface)', strokeWidth: 1.5 }),
      );
    }
  });
  return draw(description, {
    height: 380,
    x: { domain: [0, 1], label: axes.x, grid: true, ticks: 5, tickPadding: 7 },
    y: { domain: [0, 1], label: axes.y, grid: true, ticks: 5, tickPadding: 6 },
    marks,
  });
}

/** Scores of good and defective images as two histograms over the same bins, mirrored, with the threshold. */
export function histogramPlot(description: string, images: readonly ScoredImage[], threshold: number): Markup {
  const scores = images.map(({ score }) => score).filter(Number.isFinite);
  const low = Math.min(threshold, ...scores);
  const high = Math.max(threshold, ...scores);
  const spread = high - low || Math.abs(high) || 1;
  const count = Math.min(40, Math.max(12, Math.ceil(Math.sqrt(images.length) * 2)));
  const width = (spread * 1.04) / count;
  // The threshold is an edge between bins, so that no bar stands on both of its sides.
  const domain: [number, number] = [
    threshold - Math.ceil((threshold - low) / width + 0.5) * width,
    threshold + Math.ceil((high - threshold) / width + 0.5) * width,
  ];
  const bins = Math.round((domain[1] - domain[0]) / width);
  const counted = histogram(images, domain[0], width, bins);
  const most = Math.max(1, ...counted.map(({ count }) => count));
  const facets = [...new Set(counted.map(({ label }) => label))];
  return drawWide(description, {
    height: 90 + 110 * facets.length,
    fy: { domain: facets, label: null, axis: null, padding: 0.3 },
    x: { domain, label: 'score' },
    y: { domain: [0, most], label: 'images', grid: true, ticks: Math.min(4, most), tickFormat: 'd' },
    marks: [
      Plot.rect(counted, {
        fy: 'label',
        x1: ({ bin }: HistogramBin) => domain[0] + bin * width,
        x2: ({ bin }: HistogramBin) => domain[0] + (bin + 1) * width,
        y1: 0,
        y2: 'count',
        insetLeft: 0.5,
        insetRight: 0.5,
        fill: ({ label }: HistogramBin) => (label === 'defective' ? colors.defective : colors.good),
      }),
      Plot.ruleY([0]),
      Plot.ruleX([threshold], { stroke: colors.threshold, strokeWidth: 2, strokeDasharray: '5,4' }),
      Plot.text(facets, { fy: (label: string) => label, text: (label: string) => label, ...aboveRight }),
    ],
  });
}

/** Above the right end of a facet. */
const aboveRight = { frameAnchor: 'top-right', lineAnchor: 'bottom', fontWeight: 600, dy: -4 } as const;

interface HistogramBin {
  readonly label: string;
  readonly bin: number;
  readonly count: number;
}

function histogram(images: readonly ScoredImage[], low: number, width: number, bins: number): HistogramBin[] {
  const counts = new Map<string, number[]>();
  for (const { label, score } of images) {
    if (!Number.isFinite(score)) continue;
    const name = label === undefined ? 'unlabelled' : label === 1 ? 'defective' : 'good';
    const own = counts.get(name) ?? new Array<number>(bins).fill(0);
    counts.set(name, own);
    const bin = Math.min(bins - 1, Math.max(0, Math.floor((score - low) / width)));
    own[bin] = (own[bin] ?? 0) + 1;
  }
  return ['good', 'defective', 'unlabelled'].flatMap((label) =>
    (counts.get(label) ?? []).flatMap((count, bin) => (count > 0 ? [{ label, bin, count }] : [])),
  );
}

/** Device bytes over time as steps, with the line that planning drew for one tile, and the budget where it is near. */
export function memoryPlot(
  description: string,
  samples: readonly MemorySample[],
  plannedBytes: number,
  budgetBytes: number | null,
  endSeconds: number,
): Markup {
  const unit = Math.max(plannedBytes, ...samples.map(({ bytes }) => bytes)) >= 2 ** 30 ? 2 ** 30 : 2 ** 20;
  const points = samples.map(({ time, bytes }) => ({ seconds: time / 1000, bytes: bytes / unit }));
  const last = points.at(-1);
  if (last && last.seconds < endSeconds) points.push({ seconds: endSeconds, bytes: last.bytes });
  const highest = Math.max(plannedBytes / unit, ...points.map(({ bytes }) => bytes));
  const budget = budgetBytes !== null && budgetBytes / unit < highest * 4 ? budgetBytes / unit : undefined;
  const lines = [
    {
      bytes: plannedBytes / unit,
      text: `planned for one tile: ${formatBytes(plannedBytes)}`,
      stroke: colors.defective,
    },
    ...(budget === undefined
      ? []
      : [{ bytes: budget, text: `budget: ${formatBytes(budgetBytes ?? 0)}`, stroke: colors.threshold }]),
  ];
  return drawWide(description, {
    x: { label: 'seconds', grid: false, domain: [0, Math.max(last?.seconds ?? 0, endSeconds)] },
    y: { label: unit === 2 ** 30 ? 'GiB' : 'MiB', grid: true, domain: [0, Math.max(highest, budget ?? 0) * 1.12] },
    marks: [
      Plot.areaY(points, { x: 'seconds', y: 'bytes', curve: 'step-after', fill: colors.accent, fillOpacity: 0.22 }),
      Plot.lineY(points, { x: 'seconds', y: 'bytes', curve: 'step-after', stroke: colors.accent, strokeWidth: 2 }),
      Plot.ruleY([0]),
      Plot.ruleY(lines, { y: 'bytes', stroke: 'stroke', strokeWidth: 2, strokeDasharray: '7,4' }),
      Plot.text(lines, { y: 'bytes', text: 'text', frameAnchor: 'right', textAnchor: 'end', dy: -9, fontWeight: 600 }),
    ],
  });
}

/** A stage with the time that it took. */
export interface StageTime {
  readonly name: string;
  readonly seconds: number;
}

/** Letters of a stage's name that fit across a plot. */
const mostLetters = 50;

/** Horizontal bars in the order given, each under its name and with its time at the end. */
export function timePlot(description: string, stages: readonly StageTime[]): Markup {
  const bars = stages.map(({ name, seconds }, row) => ({
    row,
    name: name.length > mostLetters ? `${name.slice(0, mostLetters - 1)}…` : name,
    seconds,
    time: formatSeconds(seconds),
  }));
  const longest = Math.max(...bars.map(({ seconds }) => seconds), 1e-9);
  return draw(description, {
    height: 54 + 42 * bars.length,
    marginTop: 4,
    marginLeft: 16,
    marginRight: 68,
    x: { label: 'seconds', grid: true, ticks: 4, domain: [0, longest] },
    y: { axis: null, domain: bars.map(({ row }) => row), padding: 0 },
    marks: [
      Plot.barX(bars, { x: 'seconds', y: 'row', fill: colors.accent, insetTop: 22, insetBottom: 5 }),
      Plot.text(bars, { x: 0, y: 'row', text: 'name', textAnchor: 'start', dx: 4, dy: -10 }),
      Plot.text(bars, { x: 'seconds', y: 'row', text: 'time', textAnchor: 'start', dx: 6, dy: 9 }),
      Plot.ruleX([0]),
    ],
  });
}

/** Seconds as people read them. */
export function formatSeconds(seconds: number): string {
  if (seconds >= 120) {
    const minutes = Math.floor(seconds / 60);
    if (minutes >= 120) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
    return `${minutes} min ${Math.floor(seconds % 60)} s`;
  }
  if (seconds >= 0.1 || seconds === 0) return `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`;
  return `${(seconds * 1000).toPrecision(2)} ms`;
}

/** Positions up to which each has a line of its own in the loss plot. */
const mostLossLines = 16;
/** Points of a loss line; more cannot be told apart. */
const lossPoints = 240;

/** Loss over training steps: a line a position, or, for many, their median and the span from the 10th to the 90th percentile. */
export function lossPlot(description: string, losses: ReadonlyMap<string, readonly number[]>): Markup {
  const lines = [...losses].filter(([, values]) => values.length > 0);
  const longest = Math.max(...lines.map(([, values]) => values.length));
  const at = Array.from({ length: Math.min(lossPoints, longest) }, (_, index) =>
    longest <= lossPoints ? index : Math.round((index * (longest - 1)) / (lossPoints - 1)),
  );
  const marks: Plot.Markish[] = [];
  if (lines.length <= mostLossLines) {
    const points = lines.flatMap(([name, values]) =>
      at.flatMap((step) => {
        const loss = values[step];
        return loss === undefined || !Number.isFinite(loss) ? [] : [{ name, step: step + 1, loss }];
      }),
    );
    marks.push(
      Plot.line(points, {
        x: 'step',
        y: 'loss',
        z: 'name',
        stroke: colors.accent,
        strokeOpacity: lines.length > 1 ? 0.6 : 1,
        strokeWidth: 1.75,
      }),
    );
  } else {
    const points = at.flatMap((step) => {
      const values = lines
        .map(([, own]) => own[step])
        .filter((value): value is number => value !== undefined && Number.isFinite(value))
        .sort((a, b) => a - b);
      const quantile = (share: number): number => values[Math.round(share * (values.length - 1))] ?? 0;
      if (values.length === 0) return [];
      return [{ step: step + 1, low: quantile(0.1), median: quantile(0.5), high: quantile(0.9) }];
    });
    marks.push(
      Plot.areaY(points, { x: 'step', y1: 'low', y2: 'high', fill: colors.accent, fillOpacity: 0.22 }),
      Plot.lineY(points, { x: 'step', y: 'median', stroke: colors.accent, strokeWidth: 2 }),
    );
  }
  return drawWide(description, {
    x: { label: 'step', domain: [1, Math.max(2, longest)] },
    y: { label: 'loss', grid: true, nice: true },
    marks,
  });
}

/** A plot that spans a wide page, and the same again for a narrow one; the page shows one of them. */
function drawWide(description: string, options: Plot.PlotOptions): Markup {
  return html`<div class="for-wide">${draw(description, { ...options, width: wide })}</div>
    <div class="for-narrow">${draw(description, options)}</div>`;
}

/** Draws a plot as one static picture with a description for screen readers. */
function draw(description: string, options: Plot.PlotOptions): Markup {
  const element = Plot.plot({
    ...size,
    className: 'plot',
    document,
    ...options,
    style: { fontSize: '14px' },
  });
  // The page styles all plots at once, and the picture is described as a whole.
  element.querySelector('style')?.remove();
  for (const group of element.querySelectorAll('g[aria-label]')) group.removeAttribute('aria-label');
  // The document's own serialiser leaves `<` in attributes as it is.
  return html`<svg role="img" aria-label="${description}" ${raw(rounded(element.outerHTML.slice('<svg '.length)))}`;
}

/** Coordinates with two digits: a third of the bytes. */
function rounded(markup: string): string {
  return markup.replace(/ (?:d|[xy][12]?|c[xy]|width|height|transform)="[^"]*"/g, (attribute) =>
    attribute.replace(/\d+\.\d{3,}/g, (number) => String(Math.round(Number(number) * 100) / 100)),
  );
}
