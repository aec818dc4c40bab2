import { gallerySection } from './gallery-section.js';
import { html, raw, type Markup } from './html.js';
import type { ReportInput } from './input.js';
import { formatImageSize } from '../data/image.js';
import { configurationSection, notes, overview, thresholdSection } from './overview.js';
import { lossSection, memorySection, timeSection } from './resources.js';
import { curvesSection, metricsSection, scoresSection } from './results.js';
import { styles } from './styles.js';

/** Nothing may be loaded and nothing may run: the page is a document. */
const policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/**
 * Renders the report of a run as one HTML page that needs no other file, no network and no script. What a run has no data for
 * (curves without labels, losses of a model without steps) is left out or said in a sentence.
 *
 * @returns the text of `index.html`
 */
export async function renderReport(input: ReportInput): Promise<string> {
  const { title, configuration, grid, version } = input;
  const sections: (readonly [string, string, Markup | undefined])[] = [
    ['metrics', 'Metrics', metricsSection(input)],
    ['curves', 'Curves', curvesSection(input)],
    ['scores', 'Scores', scoresSection(input)],
    ['gallery', 'Gallery', await gallerySection(input)],
    ['memory', 'Memory', memorySection(input)],
    ['time', 'Time', timeSection(input)],
    ['loss', 'Loss', lossSection(input)],
    ['thresholds', 'Thresholds', thresholdSection(input)],
    ['configuration', 'Configuration', configurationSection(input)],
  ];
  const present = sections.filter(([, , section]) => section !== undefined);
  const date = input.date.toISOString();
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta http-equiv="Content-Security-Policy" content="${policy}" />
        <meta name="generator" content="Tilesight ${version}" />
        <title>${title} – Tilesight report</title>
        <style>
          ${raw(styles)}
        </style>
      </head>
      <body>
        <a class="skip" href="#content">Skip to the results</a>
        <header class="wrap">
          <div class="brand">Tilesight report</div>
          <h1>${title}</h1>
          <p>
            ${configuration.model} on ${configuration.backbone}, ${grid.rows}x${grid.columns} tiles of
            ${formatImageSize(grid.tile)} pixels in images of ${formatImageSize(grid.image)}
          </p>
          <p class="small"><time datetime="${date}">${date.slice(0, 16).replace('T', ' ')} UTC</time></p>
          <nav aria-label="Sections">
            <ul>
              ${present.map(([id, name]) => html`<li><a href="#${id}">${name}</a></li>`)}
            </ul>
          </nav>
        </header>
        <main class="wrap" id="content" tabindex="-1">
          ${overview(input)} ${notes(input)} ${present.map(([, , section]) => section)}
        </main>
        <footer class="wrap">Made by Tilesight ${version}. This page needs no network and no other file.</footer>
      </body>
    </html> `;
  return page.markup;
}
