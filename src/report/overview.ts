import { formatBytes } from '../engine/memory.js';
import { describeThreshold, givenThreshold, type Threshold } from '../ensemble/thresholds.js';
import { formatImageSize } from '../data/image.js';
import { html, type Markup } from './html.js';
import type { ReportInput } from './input.js';
import { formatSeconds } from './plots.js';

/** A score, a metric or a share with as many digits as help; a dash where there is none. */
export function figure(value: number | null | undefined, digits = 4): string {
  if (value === null || value === undefined || Number.isNaN(value)) return '–';
  if (!Number.isFinite(value)) return value > 0 ? '∞' : '−∞';
  return Math.abs(value) <= 1 ? value.toFixed(digits) : String(Number(value.toPrecision(digits + 1)));
}

/** The first thing on the page: what was run and how well, in figures. */
export function overview(input: ReportInput): Markup {
  const { evaluation, memory, seconds, configuration, thresholds } = input;
  const cards: { name: string; value: string; detail: string }[] = [];
  if (evaluation) {
    const { metrics } = evaluation;
    const called = (label: 0 | 1): number =>
      evaluation.images.filter((image) => image.label === label && image.anomalous).length;
    if (metrics.imageAUROC !== undefined) {
      cards.push({
        name: 'Image AUROC',
        value: figure(metrics.imageAUROC),
        detail: `score: ${configuration.score} of the image`,
      });
    }
    if (metrics.pixelAUROC !== undefined) {
      cards.push({
        name: 'Pixel AUROC',
        value: figure(metrics.pixelAUROC),
        detail: `AUPRO ${figure(metrics.pixelAUPRO)}`,
      });
    }
    if (evaluation.anomalous > 0) {
      cards.push({
        name: 'Defects found',
        value: `${called(1)} of ${evaluation.anomalous}`,
        detail: `defective images; ${evaluation.anomalous - called(1)} missed`,
      });
    }
    if (evaluation.good > 0) {
      cards.push({ name: 'False alarms', value: `${called(0)} of ${evaluation.good}`, detail: 'good test images' });
    }
  } else {
    cards.push(
      { name: 'Training images', value: String(configuration.trainingImages.length), detail: 'good images' },
      { name: 'Image threshold', value: figure(thresholds.image), detail: 'raw score' },
    );
  }
  cards.push(
    {
      name: 'Device memory',
      value: formatBytes(memory.peakBytes),
      detail: `peak; planned ${formatBytes(memory.plannedBytes)}`,
    },
    { name: 'Time', value: formatSeconds(seconds.total), detail: `training ${formatSeconds(seconds.train)}` },
  );
  return html`<section aria-label="Summary">
    <dl class="cards">
      ${cards.map(
        ({ name, value, detail }) =>
          html`<div>
            <dt>${name}</dt>
            <dd class="value">${value}</dd>
            <dd class="detail">${detail}</dd>
          </div>`,
      )}
    </dl>
  </section>`;
}

/** What the user should know, above all results. */
export function notes(input: ReportInput): Markup | undefined {
  if (input.notes.length === 0) return undefined;
  return html`<section class="note" aria-labelledby="notes-title">
    <h2 id="notes-title">Notes</h2>
    <ul>
      ${input.notes.map((note) => html`<li>${note.replace(/^note: /, '')}</li>`)}
    </ul>
  </section>`;
}

/** Thresholds with their origin. */
export function thresholdSection(input: ReportInput): Markup {
  const { statistics, thresholds, configuration } = input;
  const row = (name: string, value: number, fitted: Threshold): Markup => {
    const inForce = value === fitted.value ? fitted : givenThreshold(value);
    return html`<tr>
      <th scope="row">${name}</th>
      <td>${figure(value)}</td>
      <td class="text">${describeThreshold(inForce)}</td>
    </tr>`;
  };
  return html`<section class="block" id="thresholds" aria-labelledby="thresholds-title">
    <h2 id="thresholds-title">Thresholds</h2>
    <p>
      Scores at or above a threshold are called defective. Set by: ${statistics.source}.
      ${
        configuration.threshold === 'tile' &&
        'Each tile position has thresholds of its own in this run; those below apply to the merged map.'
      }
    </p>
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th scope="col">Of</th>
            <th scope="col">Raw score</th>
            <th scope="col" class="text">Origin</th>
          </tr>
        </thead>
        <tbody>
          ${row(`image score (${configuration.score})`, thresholds.image, statistics[configuration.score].threshold)}
          ${row('pixel score', thresholds.pixel, statistics.pixel.threshold)}
        </tbody>
      </table>
    </div>
  </section>`;
}

/** All settings of the run, and the machine. */
export function configurationSection(input: ReportInput): Markup {
  const { configuration: own, grid, adapter, memory } = input;
  const { split, ratio } = own.validation;
  const settings: (readonly [string, string])[] = [
    ['Model', own.model],
    ...Object.entries(own.modelOptions).map(([name, value]) => [`${own.model}.${name}`, String(value)] as const),
    ['Backbone', own.backbone],
    ['Weights (SHA-256)', `${own.weights.slice(0, 16)}…`],
    ['Training images', String(own.trainingImages.length)],
    ['Image size', formatImageSize(own.imageSize)],
    ['Tile size', formatImageSize(own.tileSize)],
    ['Stride', formatImageSize(own.stride)],
    ['Tiles', `${grid.rows}x${grid.columns}`],
    ['Models', own.shared ? 'one for all positions' : 'one for each position'],
    ['Batch', String(own.batch)],
    ['Seed', String(own.seed)],
    ['Merging', own.window === 'mean' ? 'mean over overlaps' : 'smooth window'],
    ['Seam smoothing', own.seams.apply ? `sigma ${own.seams.sigma}, width ${own.seams.width}` : 'off'],
    ['Normalisation', own.normalization],
    ['Threshold', own.threshold],
    ['Image score', own.score],
    ['Validation', split === 'same-as-test' ? split : `${split}, ratio ${ratio}`],
    ['Adapter', `${adapter.name} (${adapter.type})`],
    ['Driver', input.driver],
    ['Features', adapter.features.join(', ') || 'none'],
    ['Memory budget', memory.budgetBytes === null ? 'none' : formatBytes(memory.budgetBytes)],
  ];
  return html`<section class="block" id="configuration" aria-labelledby="configuration-title">
    <h2 id="configuration-title">Configuration</h2>
    <dl class="settings">
      ${settings.map(
        ([name, value]) =>
          html`<div>
            <dt>${name}</dt>
            <dd>${value}</dd>
          </div>`,
      )}
    </dl>
  </section>`;
}
