import type { DefectBox } from '../ensemble/boxes.js';
import { tileOrigin, type TileGrid } from '../ensemble/tiling.js';
import type { Region } from './downscale.js';
import type { GalleryEntry, GalleryGroup } from './gallery.js';
import { heatColor, heatOverlay, type HeatScale } from './heat-map.js';
import { html, type Markup } from './html.js';
import type { ReportInput } from './input.js';
import { formatImageSize } from '../data/image.js';
import { figure } from './overview.js';

/** What is shown of a run without test images. */
const heldOutText =
  'There were no test images to predict: these are good images that were held out of training. They set the thresholds.';

/** Colour stops of the legend. */
const stops = 16;

/** The gallery: cards of images with heat map, outlines, boxes and tiles; undefined when no image was predicted. */
export async function gallerySection(input: ReportInput): Promise<Markup | undefined> {
  const { gallery, grid, heatScale } = input;
  const { groups, images } = gallery;
  if (Object.values(groups).every((entries) => entries.length === 0)) return undefined;
  const wrong = (label: 0 | 1): number =>
    images.filter((image) => image.label === label && image.anomalous !== (label === 1)).length;
  const [missed, alarms] = [wrong(1), wrong(0)];
  const counted = (label: 0 | 1): number => images.filter((image) => image.label === label).length;
  const sections: { group: GalleryGroup; title: string; text: string; folded?: boolean }[] = [
    {
      group: 'lowest-defective',
      title: missed > 0 ? 'Missed defects' : 'Defective images with the lowest scores',
      text: `${missed} of ${counted(1)} defective images ${missed === 1 ? 'was' : 'were'} missed. The lowest scores first.`,
    },
    {
      group: 'highest-good',
      title: alarms > 0 ? 'False alarms' : 'Good images with the highest scores',
      text: `${alarms} of ${counted(0)} good images ${alarms === 1 ? 'was' : 'were'} called defective. The highest scores first.`,
    },
    { group: 'unlabelled', title: 'Unlabelled images with the highest scores', text: 'The highest scores first.' },
    { group: 'typical-defective', title: 'Other defective images', text: 'Taken at random.', folded: true },
    { group: 'typical-good', title: 'Other good images', text: 'Taken at random.', folded: true },
  ];
  let number = 0;
  const parts: Markup[] = [];
  for (const { group, title, text, folded } of sections) {
    const entries = groups[group];
    if (entries.length === 0) continue;
    const cards: Markup[] = [];
    for (const entry of entries) cards.push(await card(entry, number++, input));
    parts.push(
      folded
        ? html`<details class="group">
            <summary>${title} (${entries.length})</summary>
            <p class="muted">${text}</p>
            ${cards}
          </details>`
        : html`<div class="group">
            <h3>${title}</h3>
            <p class="muted">${text}</p>
            ${cards}
          </div>`,
    );
  }
  const hasTruth = Object.values(groups).some((entries) => entries.some(({ truth }) => truth !== undefined));
  return html`<section class="block gallery" id="gallery" aria-labelledby="gallery-title">
    <h2 id="gallery-title">Gallery</h2>
    ${input.predicted === 'held-out' && html`<p>${heldOutText}</p>`} ${tileShapes(grid)}
    <div class="tools">
      ${legend(heatScale)}
      <fieldset>
        <legend>Show</legend>
        ${toggle('predicted', 'predicted outline', true)} ${hasTruth && toggle('truth', 'ground truth', true)}
        ${toggle('boxes', 'boxes', false)} ${toggle('tiles', `tile grid, ${grid.rows}x${grid.columns}`, false)}
      </fieldset>
    </div>
    ${parts}
  </section>`;
}

function toggle(name: string, label: string, checked: boolean): Markup {
  const shape = name === 'tiles' ? 'M8,0V16M16,0V16M0,8H24' : 'M4,3H20V13H4Z';
  const style = name === 'boxes' ? 'box' : name;
  return html`<label for="show-${name}">
    <input type="checkbox" id="show-${name}" ${checked && 'checked'} />
    <span class="swatch" aria-hidden="true"
      ><svg viewBox="0 0 24 16" preserveAspectRatio="none"><path class="${style}" d="${shape}" /></svg
    ></span>
    ${label}
  </label>`;
}

/** The colours of all heat maps with what they stand for. */
function legend(scale: HeatScale): Markup {
  const colors = Array.from({ length: stops + 1 }, (_, index) => {
    const value = scale.low + ((scale.high - scale.low) * index) / stops;
    return `rgb(${heatColor(value, scale).join(' ')})`;
  });
  const middle = (scale.low + scale.high) / 2;
  return html`<div class="scale">
    <div class="bar" style="background: linear-gradient(to right, ${colors.join(', ')})" aria-hidden="true">
      <i></i>
    </div>
    <div class="ends">
      <span>≤ ${figure(scale.low, 3)}</span>
      <span>pixel threshold ${figure(middle, 3)}</span>
      <span>≥ ${figure(scale.high, 3)}</span>
    </div>
  </div>`;
}

/** The outlines of all tiles, drawn once for the whole page. */
function tileShapes(grid: TileGrid): Markup {
  const rows = new Set<number>();
  const columns = new Set<number>();
  for (let position = 0; position < grid.positions; position++) {
    const { top, left } = tileOrigin(grid, position);
    rows.add(top).add(top + grid.tile.height);
    columns.add(left).add(left + grid.tile.width);
  }
  const { height, width } = grid.image;
  const inside = (values: Set<number>, end: number): number[] => [...values].filter((at) => at > 0 && at < end);
  const path = [
    `M0,0H${width}V${height}H0Z`,
    ...inside(rows, height).map((y) => `M0,${y}H${width}`),
    ...inside(columns, width).map((x) => `M${x},0V${height}`),
  ].join('');
  return html`<svg class="shapes" aria-hidden="true">
    <defs><path id="tile-grid" class="tiles" d="${path}" /></defs>
  </svg>`;
}

async function card(entry: GalleryEntry, number: number, input: ReportInput): Promise<Markup> {
  const { encodeImage, heatScale, grid } = input;
  const { original, size, closeUp, name } = entry;
  const id = `image-${number}`;
  const frame: Region = { top: 0, left: 0, ...size };
  const heat = heatOverlay(original, entry.map, heatScale);
  const [plainUrl, heatUrl, closeUrl] = await Promise.all([original, heat, closeUp.image].map(encodeImage));
  const sameGrid = size.height === grid.image.height && size.width === grid.image.width;
  const layers = (region: Region, first: boolean, where = false): Markup =>
    html`<svg
      class="marks"
      viewBox="${region.left} ${region.top} ${region.width} ${region.height}"
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      ${sameGrid && html`<use class="layer-tiles" href="#tile-grid" />`}
      <g class="layer-boxes">
        ${first ? html`<g id="${id}-boxes">${entry.boxes.map(boxShape)}</g>` : html`<use href="#${id}-boxes" />`}
      </g>
      ${shape(entry.predicted, 'predicted', id, first)} ${shape(entry.truth, 'truth', id, first)}
      ${where && html`<rect class="where" x="${closeUp.region.left}" y="${closeUp.region.top}" width="${closeUp.region.width}" height="${closeUp.region.height}" />`}
    </svg>`;
  const verdict = verdictOf(entry);
  return html`<article class="card" aria-labelledby="${id}">
    <header>
      <h4 id="${id}">${name}</h4>
      ${entry.label !== undefined && html`<span class="badge">${entry.kind}</span>`}
      <span class="badge ${verdict.right ? 'good' : 'bad'}">${verdict.text}</span>
      <span class="score">score <b>${figure(entry.score)}</b>, threshold ${figure(entry.threshold)}</span>
    </header>
    <div class="panels">
      ${panel(plainUrl, original, layers(frame, true, true), `${name}: the image`, 'Image')}
      ${panel(heatUrl, heat, layers(frame, false), `${name}: heat map over the image, ${hotSpots(entry)}`, 'Heat map')}
      ${panel(closeUrl, closeUp.image, layers(closeUp.region, false), `${name}: close-up`, closeUpCaption(closeUp.region, closeUp.image.width))}
    </div>
    ${details(entry)}
  </article>`;
}

function verdictOf({ label, anomalous }: GalleryEntry): { text: string; right: boolean } {
  if (label === undefined) return { text: anomalous ? 'called defective' : 'called good', right: !anomalous };
  if (label === 1) return anomalous ? { text: 'found', right: true } : { text: 'missed', right: false };
  return anomalous ? { text: 'false alarm', right: false } : { text: 'rightly good', right: true };
}

function hotSpots({ boxCount }: GalleryEntry): string {
  if (boxCount === 0) return 'no region at or above the pixel threshold';
  return `${boxCount} ${boxCount === 1 ? 'region' : 'regions'} at or above the pixel threshold`;
}

function closeUpCaption({ top, left, height, width }: Region, shown: number): string {
  const scale = shown < width ? `, shrunk ${figure(width / shown, 2)} times` : '';
  return `Close-up, ${formatImageSize({ height, width })} pixels at row ${top}, column ${left}${scale}`;
}

function panel(
  url: string | undefined,
  { width, height }: { readonly width: number; readonly height: number },
  layers: Markup,
  alternative: string,
  caption: string,
): Markup {
  return html`<figure>
    <div class="frame">
      <img src="${url}" width="${width}" height="${height}" alt="${alternative}" decoding="async" />${layers}
    </div>
    <figcaption>${caption}</figcaption>
  </figure>`;
}

/** A path that the first panel defines and the others use. */
function shape(path: string | undefined, name: string, id: string, first: boolean): Markup | undefined {
  if (!path) return undefined;
  return html`<g class="layer-${name}"
    >${first ? html`<path id="${id}-${name}" class="${name}" d="${path}" />` : html`<use href="#${id}-${name}" />`}</g
  >`;
}

function boxShape({ left, top, width, height }: DefectBox): Markup {
  return html`<rect class="box" x="${left}" y="${top}" width="${width}" height="${height}" />`;
}

/** Raw scores and boxes, folded away. */
function details({ rawScores, boxes, boxCount }: GalleryEntry): Markup {
  return html`<details>
    <summary>Scores${boxCount > 0 && ` and ${boxCount === 1 ? 'one box' : `${boxCount} boxes`}`}</summary>
    <p>Raw scores: maximum of the map ${figure(rawScores.maximum)}, mean of the tiles ${figure(rawScores.mean)}.</p>
    ${
      boxes.length > 0 &&
      html`<div class="scroll">
        <table>
          <thead>
            <tr>
              ${['Box', 'Row', 'Column', 'Size', 'Area', 'Score'].map((name) => html`<th scope="col">${name}</th>`)}
            </tr>
          </thead>
          <tbody>
            ${boxes.map(
              (box, index) =>
                html`<tr>
                  <th scope="row">${index + 1}</th>
                  <td>${box.top}</td>
                  <td>${box.left}</td>
                  <td>${formatImageSize(box)}</td>
                  <td>${Math.round(box.area)}</td>
                  <td>${figure(box.score)}</td>
                </tr>`,
            )}
          </tbody>
        </table>
      </div>`
    }
    ${boxCount > boxes.length && html`<p>The ${boxes.length} highest of ${boxCount}.</p>`}
  </details>`;
}
