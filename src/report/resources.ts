import { formatBytes } from '../engine/memory.js';
import { summarise } from '../engine/profiler.js';
import { html, type Markup } from './html.js';
import type { ReportInput } from './input.js';
import { figure } from './overview.js';
import { formatSeconds, lossPlot, memoryPlot, timePlot, type StageTime } from './plots.js';

/** Kernels shown of a profile. */
const mostKernels = 12;

/** Device bytes over time against what was planned. */
export function memorySection({ memory, seconds, grid }: ReportInput): Markup {
  const { samples, plannedBytes, peakBytes, budgetBytes } = memory;
  const share = plannedBytes > 0 ? peakBytes / plannedBytes : 0;
  const text =
    `Peak ${formatBytes(peakBytes)}, planned ${formatBytes(plannedBytes)} for one tile at a time ` +
    `(${(share * 100).toFixed(1)} %)${budgetBytes === null ? '' : `, budget ${formatBytes(budgetBytes)}`}.`;
  const owners = [...memory.peakByOwner].sort(([, a], [, b]) => b - a).filter(([, bytes]) => bytes > 0);
  return html`<section class="block" id="memory" aria-labelledby="memory-title">
    <h2 id="memory-title">Device memory</h2>
    <p>
      ${text}
      ${grid.positions > 1 && `The ${grid.rows}x${grid.columns} tiles pass through it one after the other, so a larger grid takes no more.`}
    </p>
    ${
      samples.length > 0 &&
      html`<figure class="plot-figure">
        ${memoryPlot(`Device bytes over time. ${text}`, samples, plannedBytes, budgetBytes, seconds.total)}
        <figcaption>Device bytes allocated at each moment since the device was opened.</figcaption>
      </figure>`
    }
    ${
      owners.length > 0 &&
      html`<details>
        <summary>By owner</summary>
        <div class="scroll">
          <table>
            <thead>
              <tr>
                <th scope="col">Owner</th>
                <th scope="col">Highest</th>
              </tr>
            </thead>
            <tbody>
              ${owners.map(
                ([owner, bytes]) =>
                  html`<tr>
                    <th scope="row">${owner}</th>
                    <td>${formatBytes(bytes)}</td>
                  </tr>`,
              )}
            </tbody>
          </table>
        </div>
      </details>`
    }
  </section>`;
}

/** Where the time went: by stage, and by kernel and stage of the host where the run was profiled. */
export function timeSection({ seconds, spans }: ReportInput): Markup {
  const rest = seconds.total - seconds.decode - seconds.train - seconds.predict;
  const stages = [
    { name: 'decode', seconds: seconds.decode },
    { name: 'train', seconds: seconds.train },
    { name: 'predict', seconds: seconds.predict },
    { name: 'other', seconds: Math.max(0, rest) },
  ].filter((stage) => stage.seconds > 0);
  const track = (name: 'device' | 'host'): StageTime[] =>
    summarise(spans, name)
      .slice(0, mostKernels)
      .map((span) => ({ name: span.name, seconds: span.milliseconds / 1000 }));
  const figures = [
    timeFigure('Stages', stages, 'Wall-clock time of the run.'),
    timeFigure('Host', track('host'), 'Summed over threads and images; stages overlap each other and the device.'),
    timeFigure('Device', track('device'), `Kernels by timestamps, the ${mostKernels} longest.`),
  ];
  return html`<section class="block" id="time" aria-labelledby="time-title">
    <h2 id="time-title">Time</h2>
    <p>
      ${formatSeconds(seconds.total)} in
      all.${spans.length === 0 && ' Kernels and stages of the host come with --profile.'}
    </p>
    <div class="columns">${figures}</div>
  </section>`;
}

function timeFigure(title: string, stages: readonly StageTime[], caption: string): Markup | undefined {
  if (stages.length === 0) return undefined;
  const description = `${title}: ${stages.map(({ name, seconds }) => `${name} ${formatSeconds(seconds)}`).join(', ')}.`;
  return html`<figure class="plot-figure">
    <h3>${title}</h3>
    ${timePlot(description, stages)}
    <figcaption>${caption}</figcaption>
  </figure>`;
}

/** Loss curves; undefined for models that are fitted without steps. */
export function lossSection({ losses }: ReportInput): Markup | undefined {
  const lines = [...losses.values()].filter((values) => values.some(Number.isFinite));
  if (lines.length === 0) return undefined;
  const steps = Math.max(...lines.map((values) => values.length));
  const last = lines.flatMap((values) => values.at(-1) ?? []);
  const text =
    `${steps} steps${lines.length > 1 ? ` at most, ${lines.length} positions` : ''}; ` +
    `the last loss is ${last.length > 1 ? `between ${figure(Math.min(...last))} and ${figure(Math.max(...last))}` : figure(last[0])}.`;
  return html`<section class="block" id="loss" aria-labelledby="loss-title">
    <h2 id="loss-title">Training loss</h2>
    <figure class="plot-figure">
      ${lossPlot(`Training loss by step. ${text}`, losses)}
      <figcaption>
        ${text}
        ${lines.length > 16 ? 'The line is the median of the positions, the band holds four fifths of them.' : lines.length > 1 && 'One line for each tile position.'}
      </figcaption>
    </figure>
  </section>`;
}
