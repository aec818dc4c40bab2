import { parseHTML } from 'linkedom';
import { describe, expect, it } from 'vitest';
import type { Mask } from '../../src/data/image.js';
import type { ReportInput } from '../../src/report/input.js';
import { renderReport } from '../../src/report/report.js';
import {
  createNoise,
  flatImage,
  madeUpLosses,
  madeUpMap,
  madeUpPrediction,
  madeUpReport,
  type MadeUpImage,
} from './made-up.js';

const side = 32;
/** No pixels matter here: the smallest picture there is. */
const encodeImage = (): Promise<string> => Promise.resolve('data:image/webp;base64,UklGRg==');

function madeUpImages(labels: readonly (0 | 1 | undefined)[], name = (index: number) => `${index}.png`): MadeUpImage[] {
  const noise = createNoise(3);
  return labels.map((label, index) => {
    const mask: Mask = { height: side, width: side, data: new Uint8Array(side * side) };
    if (label === 1) mask.data.fill(255, 10 * side + 10, 10 * side + 14);
    const map = madeUpMap(mask, label === 1 ? 1 + 6 * noise() : 0, index + 1);
    const kind = label === 1 ? 'scratch' : 'good';
    return madeUpPrediction(
      index,
      name(index),
      kind,
      label,
      flatImage(side, side),
      map,
      label === 1 ? mask : undefined,
    );
  });
}

async function render(images: readonly MadeUpImage[], changes: Partial<ReportInput> = {}) {
  const page = await renderReport(madeUpReport(images, encodeImage, changes));
  const { document } = parseHTML(page);
  const texts = (selector: string): string[] =>
    [...document.querySelectorAll(selector)].map((element) => element.textContent.replace(/\s+/g, ' ').trim());
  return { page, document, texts };
}

const both = [0, 0, 0, 0, 1, 1, 1, 1] as const;

describe('renderReport', () => {
  it('is self-contained: nothing is loaded and no script runs', async () => {
    const { page, document } = await render(madeUpImages(both), { losses: madeUpLosses(3, 30) });
    expect(document.querySelectorAll('script, link, iframe, object, embed, base')).toHaveLength(0);
    for (const element of document.querySelectorAll('[src]')) expect(element.getAttribute('src')).toMatch(/^data:/);
    for (const element of document.querySelectorAll('[href]')) expect(element.getAttribute('href')).toMatch(/^#/);
    expect(page).not.toMatch(/https?:|@import|url\(/);
    expect(document.querySelector('meta[http-equiv]')?.getAttribute('content')).toContain("default-src 'none'");
  });

  it('holds every part of a complete run', async () => {
    const { document, texts } = await render(madeUpImages(both), {
      losses: madeUpLosses(3, 30),
      notes: ['note: the parts are not aligned'],
      spans: [
        { name: 'conv2d', track: 'device', start: 0, duration: 2000 },
        { name: 'decode', track: 'host', start: 0, duration: 1000 },
      ],
    });
    expect(texts('main h2')).toEqual([
      'Notes',
      'Metrics',
      'Curves',
      'Scores',
      'Gallery',
      'Device memory',
      'Time',
      'Training loss',
      'Thresholds',
      'Configuration',
    ]);
    expect(texts('#curves h3')).toEqual(['ROC', 'Precision and recall', 'Per-region overlap']);
    for (const figure of document.querySelectorAll('#curves figure')) {
      expect(figure.querySelectorAll('svg g[stroke-linecap] path').length).toBeGreaterThan(0);
    }
    expect(texts('#time h3')).toEqual(['Stages', 'Host', 'Device']);
    expect(texts('.note li')).toEqual(['the parts are not aligned']);
    expect(texts('.note li')).toHaveLength(1);
    expect(document.querySelectorAll('#gallery article').length).toBe(8);
    expect(texts('#thresholds td.text')).toEqual([
      'above 98 % of 12 good validation items',
      `above 99.99 % of ${12 * side * side} good validation items`,
    ]);
    expect(texts('#memory svg')[0]).toContain('planned for one tile: 76.3 MiB');
  });

  it('says where a threshold that the user gave comes from', async () => {
    const { texts } = await render(madeUpImages(both), { thresholds: { image: 7.5, pixel: 5 } });
    expect(texts('#thresholds td.text')[0]).toBe('given by the user');
  });

  it('escapes names, kinds, notes and settings', async () => {
    const evil = `<img src=x onerror=alert(1)>"'&.png`;
    const images = madeUpImages(both, (index) => `${evil}${index}`);
    const { page, document, texts } = await render(images, {
      title: '</title><script>alert(1)</script>',
      notes: ['<b>bold</b>'],
      driver: '"><script>',
      losses: new Map([['<i>', [1, 2]]]),
      spans: [{ name: '<script>', track: 'device', start: 0, duration: 2000 }],
    });
    expect(page).not.toMatch(/<script|<img src=x|<b>bold/);
    expect(texts('article h4')).toContain(`${evil}4`);
    expect(texts('.note li')).toEqual(['<b>bold</b>']);
    expect(document.querySelector('article img')?.getAttribute('alt')).toContain(evil);
    expect(document.querySelectorAll('[onerror]')).toHaveLength(0);
  });

  it('draws no curve for one class and says what is missing', async () => {
    const good = await render(madeUpImages([0, 0, 0]));
    expect(good.document.querySelector('#curves')).toBeNull();
    expect(good.texts('#metrics p').join(' ')).toContain('need defective ones');
    expect(good.texts('nav a')).not.toContain('Curves');
    expect(good.texts('#scores svg').join(' ')).toContain('good');
    const defective = await render(madeUpImages([1, 1]));
    expect(defective.texts('#metrics p').join(' ')).toContain('need good ones');
    expect(defective.document.querySelectorAll('article')).toHaveLength(2);
  });

  it('shows unlabelled images without an evaluation', async () => {
    const { document, texts } = await render(madeUpImages([undefined, undefined]), { evaluation: undefined });
    expect(texts('#metrics p')[0]).toContain('No test image was labelled');
    expect(texts('#gallery h3')).toEqual(['Unlabelled images with the highest scores']);
    expect(document.querySelector('#show-truth')).toBeNull();
    expect(texts('#scores svg').join(' ')).toContain('unlabelled');
  });

  it('leaves out what there is nothing of', async () => {
    const { document, texts } = await render([], {
      evaluation: undefined,
      memory: { peakBytes: 0, plannedBytes: 0, budgetBytes: null, samples: [], peakByOwner: new Map() },
    });
    expect(texts('main h2')).toEqual(['Metrics', 'Device memory', 'Time', 'Thresholds', 'Configuration']);
    expect(document.querySelectorAll('#memory svg')).toHaveLength(0);
    expect(document.querySelector('.gallery')).toBeNull();
  });

  it('stays small for many images, positions and steps', async () => {
    const images = madeUpImages(Array.from({ length: 120 }, (_, index) => (index % 2 === 0 ? 0 : 1)));
    const { page, document } = await render(images, { losses: madeUpLosses(225, 2000) });
    expect(document.querySelectorAll('article').length).toBeLessThanOrEqual(18);
    expect(page.length).toBeLessThan(400_000);
  });

  it('can be read without seeing or a mouse', async () => {
    const { document } = await render(madeUpImages(both), { losses: madeUpLosses(3, 30) });
    expect(document.documentElement.getAttribute('lang')).toBe('en');
    for (const svg of document.querySelectorAll('svg.plot')) {
      expect(svg.getAttribute('role')).toBe('img');
      expect(svg.getAttribute('aria-label')?.length).toBeGreaterThan(20);
    }
    for (const svg of document.querySelectorAll('svg:not(.plot)')) {
      expect(svg.closest('[aria-hidden="true"]')).not.toBeNull();
    }
    for (const image of document.querySelectorAll('img')) expect(image.getAttribute('alt')).not.toBe('');
    for (const input of document.querySelectorAll('input')) {
      expect(document.querySelector(`label[for="${input.id}"]`)).not.toBeNull();
    }
    for (const table of document.querySelectorAll('table')) {
      expect(table.querySelectorAll('thead th[scope="col"]').length).toBeGreaterThan(1);
    }
    const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const link of document.querySelectorAll('[href^="#"]')) {
      expect(ids).toContain(link.getAttribute('href')?.slice(1));
    }
    // Levels of headings follow each other without a gap.
    const levels = [...document.querySelectorAll('h1, h2, h3, h4')].map(({ localName }) => Number(localName[1]));
    levels.forEach((level, index) => expect(level - (levels[index - 1] ?? 0)).toBeLessThanOrEqual(1));
  });
});
