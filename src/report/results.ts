import type { EvaluatedImage, Evaluation } from '../ensemble/evaluate.js';
import type { ScoredImage } from './gallery.js';
import { html, type Markup } from './html.js';
import type { ReportInput } from './input.js';
import { figure } from './overview.js';
import { curvePlot, histogramPlot, type NamedCurve } from './plots.js';

/** False positive rate up to which AUPRO integrates. */
const proLimit = 0.3;

/** Metrics and what the threshold makes of the test images. */
export function metricsSection({ evaluation }: ReportInput): Markup {
  if (!evaluation) {
    return html`<section class="block" id="metrics" aria-labelledby="metrics-title">
      <h2 id="metrics-title">Metrics</h2>
      <p>
        No test image was labelled, so there is nothing to measure against. Scores and maps of new images:
        <code>tilesight predict</code>.
      </p>
    </section>`;
  }
  const { metrics } = evaluation;
  const rows: [string, number | undefined, number | undefined][] = [
    ['AUROC', metrics.imageAUROC, metrics.pixelAUROC],
    ['Area under precision-recall', metrics.imageAUPR, metrics.pixelAUPR],
    [`AUPRO (false positive rate ≤ ${proLimit})`, undefined, metrics.pixelAUPRO],
    ['F1 at the threshold', metrics.imageF1, metrics.pixelF1],
    ['Best F1 of any threshold', metrics.imageF1Max, metrics.pixelF1Max],
    ['Per-region overlap at the threshold', undefined, metrics.pixelPRO],
    ['AUROC by the maximum of the map', evaluation.imageAUROC.maximum, undefined],
    ['AUROC by the mean of the tiles', evaluation.imageAUROC.mean, undefined],
  ];
  const remarks = [
    oneClassRemark(evaluation),
    evaluation.withoutMask > 0 &&
      `${evaluation.withoutMask} defective ${evaluation.withoutMask === 1 ? 'image has' : 'images have'} no ground truth; their pixels do not count.`,
    metrics.errorBound > 0 &&
      `AUROC and AUPRO of the pixels are exact to ${metrics.errorBound.toExponential(1)}: there were too many distinct scores to keep all.`,
  ].filter((remark): remark is string => typeof remark === 'string');
  return html`<section class="block" id="metrics" aria-labelledby="metrics-title">
    <h2 id="metrics-title">Metrics</h2>
    <p>On ${evaluation.good} good and ${evaluation.anomalous} defective test images, from raw scores.</p>
    ${remarks.map((remark) => html`<p>${remark}</p>`)}
    <div class="columns">
      <div class="scroll">
        <table>
          <caption>
            How well scores separate
          </caption>
          <thead>
            <tr>
              <th scope="col">Metric</th>
              <th scope="col">Images</th>
              <th scope="col">Pixels</th>
            </tr>
          </thead>
          <tbody>
            ${rows
              .filter(([, image, pixel]) => image !== undefined || pixel !== undefined)
              .map(
                ([name, image, pixel]) =>
                  html`<tr>
                    <th scope="row">${name}</th>
                    <td>${figure(image)}</td>
                    <td>${figure(pixel)}</td>
                  </tr>`,
              )}
          </tbody>
        </table>
      </div>
      ${kindTable(evaluation.images, evaluation.thresholds.image)}
    </div>
  </section>`;
}

function oneClassRemark({ good, anomalous }: Evaluation): string | undefined {
  if (good > 0 && anomalous > 0) return undefined;
  const only = good > 0 ? 'good' : 'defective';
  const missing = good > 0 ? 'defective' : 'good';
  return `The test split holds ${only} images only. Metrics and curves that compare need ${missing} ones too.`;
}

/** One row a kind of defect: how many were called defective, and where their scores lie. */
function kindTable(images: readonly EvaluatedImage[], threshold: number): Markup {
  const kinds = new Map<string, EvaluatedImage[]>();
  for (const image of [...images].sort((a, b) => a.label - b.label)) {
    const own = kinds.get(image.kind) ?? [];
    own.push(image);
    kinds.set(image.kind, own);
  }
  return html`<div class="scroll">
    <table>
      <caption>
        At the image threshold ${figure(threshold)}
      </caption>
      <thead>
        <tr>
          <th scope="col">Kind</th>
          <th scope="col">Images</th>
          <th scope="col">Called defective</th>
          <th scope="col">Wrong</th>
        </tr>
      </thead>
      <tbody>
        ${[...kinds].map(([kind, own]) => {
          const called = own.filter((image) => image.anomalous).length;
          const wrong = own.filter((image) => image.anomalous !== (image.label === 1)).length;
          return html`<tr>
            <th scope="row">${kind}</th>
            <td>${own.length}</td>
            <td>${called}</td>
            <td>${wrong}</td>
          </tr>`;
        })}
      </tbody>
    </table>
  </div>`;
}

/** ROC, precision-recall and PRO curves; undefined where the test split defines none. */
export function curvesSection({ evaluation, configuration }: ReportInput): Markup | undefined {
  if (!evaluation) return undefined;
  const { curves, metrics, images } = evaluation;
  const called = (label: 0 | 1): number => images.filter((image) => image.label === label && image.anomalous).length;
  // With thresholds of each tile the label of an image is no cut through its score, so it has no point on the curve.
  const cut = configuration.threshold === 'image';
  const recall = called(1) / evaluation.anomalous;
  const falseAlarms = called(0) / evaluation.good;
  const precision = called(1) / (called(0) + called(1));
  const named = (...all: { name: string; curve: NamedCurve['curve'] | undefined; point?: NamedCurve['point'] }[]) =>
    all.flatMap(({ curve, ...rest }): NamedCurve[] => (curve ? [{ ...rest, curve }] : []));
  const roc = named(
    {
      name: `images, area ${figure(metrics.imageAUROC)}`,
      curve: curves.roc,
      point: cut ? { x: falseAlarms, y: recall } : undefined,
    },
    { name: `pixels, area ${figure(metrics.pixelAUROC)}`, curve: curves.pixelRoc },
  );
  const precisionRecall = named(
    {
      name: `images, area ${figure(metrics.imageAUPR)}`,
      curve: curves.precisionRecall,
      point: cut && Number.isFinite(precision) ? { x: recall, y: precision } : undefined,
    },
    { name: `pixels, area ${figure(metrics.pixelAUPR)}`, curve: curves.pixelPrecisionRecall },
  );
  const pro = named({ name: `area up to ${proLimit}: ${figure(metrics.pixelAUPRO)}`, curve: curves.pro });
  const figures = [
    curveFigure('ROC', { x: 'false positive rate', y: 'true positive rate', diagonal: true }, roc),
    curveFigure('Precision and recall', { x: 'recall', y: 'precision' }, precisionRecall),
    curveFigure(
      'Per-region overlap',
      { x: 'false positive rate of pixels', y: 'mean overlap of regions', limit: proLimit },
      pro,
    ),
  ].filter((markup) => markup !== undefined);
  if (figures.length === 0) return undefined;
  return html`<section class="block" id="curves" aria-labelledby="curves-title">
    <h2 id="curves-title">Curves</h2>
    ${cut && html`<p>The dot is the image threshold of this run.</p>`}
    <div class="columns">${figures}</div>
  </section>`;
}

function curveFigure(
  title: string,
  axes: Parameters<typeof curvePlot>[1],
  curves: readonly NamedCurve[],
): Markup | undefined {
  if (curves.length === 0) return undefined;
  const description = `${title} curve. ${curves.map(({ name, point }) => `${name}${point ? `; at the threshold ${axes.x} ${figure(point.x, 3)}, ${axes.y} ${figure(point.y, 3)}` : ''}`).join('. ')}.`;
  return html`<figure class="plot-figure">
    <h3>${title}</h3>
    <ul class="key">
      ${curves.map(({ name }, index) => html`<li><span class="line${index > 0 && ' second'}" aria-hidden="true"></span>${name}</li>`)}
    </ul>
    ${curvePlot(description, axes, curves)}
    ${axes.limit !== undefined && html`<figcaption>The area counts up to a false positive rate of ${axes.limit}.</figcaption>`}
  </figure>`;
}

/** Histograms of the image scores with the threshold; undefined without any image. */
export function scoresSection(input: ReportInput): Markup | undefined {
  const { evaluation, gallery, thresholds, configuration } = input;
  const images: readonly ScoredImage[] = evaluation
    ? evaluation.images.map((image) => ({ ...image, score: image[configuration.score] }))
    : gallery.images;
  if (!images.some(({ score }) => Number.isFinite(score))) return undefined;
  const description = `Histograms of image scores with the threshold at ${figure(thresholds.image)}. ${describeScores(images)}`;
  return html`<section class="block" id="scores" aria-labelledby="scores-title">
    <h2 id="scores-title">Scores</h2>
    <figure class="plot-figure">
      ${histogramPlot(description, images, thresholds.image)}
      <figcaption>
        Raw image scores (${configuration.score}). The dashed line is the threshold, ${figure(thresholds.image)}: from
        there on an image is called defective. ${describeScores(images)}
      </figcaption>
    </figure>
  </section>`;
}

function describeScores(images: readonly ScoredImage[]): string {
  const groups = [
    ['Good images', images.filter(({ label }) => label === 0)],
    ['Defective images', images.filter(({ label }) => label === 1)],
    ['Unlabelled images', images.filter(({ label }) => label === undefined)],
  ] as const;
  return groups
    .flatMap(([name, own]) => {
      const scores = own.map(({ score }) => score).filter(Number.isFinite);
      if (scores.length === 0) return [];
      return [`${name} score from ${figure(Math.min(...scores))} to ${figure(Math.max(...scores))}.`];
    })
    .join(' ');
}
