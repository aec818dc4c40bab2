import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { AxeResults } from 'axe-core';
import { chromium, type Browser, type Page } from 'playwright-core';

/** One way to look at a page. */
export interface View {
  readonly width: number;
  readonly scheme: 'light' | 'dark';
}

/** The ways that a report must look right in. */
export const views: readonly View[] = [1280, 400].flatMap((width) =>
  (['light', 'dark'] as const).map((scheme) => ({ width, scheme })),
);

/** Opens headless Chromium: that of the environment variable `CHROMIUM`, or the system's. */
export function openChromium(): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'],
  });
}

/**
 * Opens a page from the disk in one view, takes a picture of the whole of it and looks for faults.
 *
 * @returns the faults that were found, a line each
 */
export async function inspectPage(browser: Browser, file: string, view: View, picture: string): Promise<string[]> {
  const context = await browser.newContext({
    viewport: { width: view.width, height: 900 },
    colorScheme: view.scheme,
    reducedMotion: 'reduce',
  });
  try {
    // The TypeScript loader wraps functions in a helper that the page does not have.
    await context.addInitScript('globalThis.__name = (callee) => callee');
    const page = await context.newPage();
    const faults: string[] = [];
    const address = pathToFileURL(file).href;
    page.on('request', (request) => {
      if (request.url() !== address && !request.url().startsWith('data:')) faults.push(`asks for ${request.url()}`);
    });
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') faults.push(`console: ${message.text()}`);
    });
    await page.goto(address);
    // Everything folded away is looked at too.
    await page.evaluate(() => {
      document.querySelectorAll('details').forEach((details) => (details.open = true));
    });
    await page.screenshot({ path: picture, fullPage: true });
    faults.push(...(await page.evaluate(layoutFaults)));
    faults.push(...(await keyboardFaults(page)));
    faults.push(...(await accessibilityFaults(page)));
    return faults.map((fault) => `${view.width} wide, ${view.scheme}: ${fault}`);
  } finally {
    await context.close();
  }
}

/** All views of one page; pictures go to `folder` as `<name>-<width>-<scheme>.png`. */
export async function inspectViews(browser: Browser, file: string, folder: string, name: string): Promise<string[]> {
  const faults: string[] = [];
  for (const view of views) {
    const picture = join(folder, `${name}-${view.width}-${view.scheme}.png`);
    faults.push(...(await inspectPage(browser, file, view, picture)));
  }
  return faults;
}

/** Runs in the page: what sticks out, is cut off, lies on something else, or is empty. */
function layoutFaults(): string[] {
  const faults: string[] = [];
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width) {
    faults.push(`is ${document.documentElement.scrollWidth} pixels wide`);
  }
  const name = (element: Element): string =>
    `<${element.localName} class="${element.getAttribute('class') ?? ''}"> ${element.textContent.trim().replace(/\s+/g, ' ').slice(0, 40)}`;
  const visible = (element: Element): boolean => element.checkVisibility({ visibilityProperty: true });
  const boxOf = (element: Element): DOMRect => element.getBoundingClientRect();

  for (const element of document.querySelectorAll('body *')) {
    if (element.closest('svg, .skip, .scroll') !== null || !visible(element)) continue;
    const box = boxOf(element);
    if (box.width > 0 && (box.right > width + 1 || box.left < -1)) faults.push(`sticks out: ${name(element)}`);
    const style = getComputedStyle(element);
    if (style.overflowX === 'hidden' && element.scrollWidth > element.clientWidth + 1) {
      faults.push(`is cut off: ${name(element)}`);
    }
  }

  const overlap = (a: DOMRect, b: DOMRect): boolean =>
    Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 &&
    Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1;
  for (const list of document.querySelectorAll(
    'main, .cards, .columns, .panels, nav ul, .tools, .tools fieldset, .card > header',
  )) {
    const children = [...list.children].filter(visible).map((child) => [child, boxOf(child)] as const);
    children.forEach(([child, box], index) => {
      const under = children.slice(index + 1).find(([, other]) => overlap(box, other));
      if (under) faults.push(`overlap: ${name(child)} and ${name(under[0])}`);
    });
  }

  for (const plot of document.querySelectorAll('svg.plot')) {
    if (!visible(plot)) continue;
    const frame = boxOf(plot);
    const title = plot.getAttribute('aria-label')?.slice(0, 50) ?? 'a plot';
    const texts = [...plot.querySelectorAll('text')].map((text) => [text, boxOf(text)] as const);
    for (const [text, box] of texts) {
      const inside =
        box.left >= frame.left - 1 &&
        box.right <= frame.right + 1 &&
        box.top >= frame.top - 1 &&
        box.bottom <= frame.bottom + 1;
      if (!inside) faults.push(`cut off in "${title}": ${text.textContent}`);
      if (box.height < 9)
        faults.push(`too small in "${title}": ${text.textContent} is ${box.height.toFixed(1)} pixels high`);
    }
    texts.forEach(([text, box], index) => {
      const under = texts.slice(index + 1).find(([, other]) => overlap(box, other));
      if (under) faults.push(`overlap in "${title}": ${text.textContent} and ${under[0].textContent}`);
    });
    // A plot's own marks are what is coloured by the page.
    const marks = [...plot.querySelectorAll('[fill^="var("], [stroke^="var("]')].map(boxOf);
    if (!marks.some((box) => box.width > 1 || box.height > 1)) faults.push(`is empty: "${title}"`);
  }

  for (const image of document.querySelectorAll('img')) {
    if (visible(image) && (!image.complete || image.naturalWidth === 0)) faults.push(`is not shown: ${image.alt}`);
    if (boxOf(image).width < 100) faults.push(`is too small: ${image.alt}`);
  }
  return faults;
}

/** Walks through the page with the Tab key and works the switch of the tile grid with the space bar. */
async function keyboardFaults(page: Page): Promise<string[]> {
  const faults: string[] = [];
  const wanted = await page.locator('a[href], input, summary').count();
  const reached = new Set<string>();
  await page.evaluate(() => {
    document.querySelectorAll('a[href], input, summary').forEach((element, index) => {
      element.setAttribute('data-stop', String(index));
    });
  });
  for (let press = 0; press < wanted + 2; press++) {
    await page.keyboard.press('Tab');
    const { stop, outlined } = await page.evaluate(() => {
      const active = document.activeElement;
      const style = active && getComputedStyle(active);
      return {
        stop: active?.getAttribute('data-stop') ?? '',
        outlined: style?.outlineStyle !== 'none' && style?.outlineWidth !== '0px',
      };
    });
    if (stop !== '') {
      reached.add(stop);
      if (!outlined) faults.push(`stop ${stop} of the Tab key does not show the focus`);
    }
  }
  if (reached.size < wanted)
    faults.push(`the Tab key reaches ${reached.size} of ${wanted} links, switches and summaries`);
  const grid = page.locator('#show-tiles');
  if ((await grid.count()) > 0) {
    const shown = (): Promise<boolean> =>
      page.evaluate(() =>
        [...document.querySelectorAll('.layer-tiles')].every(
          (layer) => getComputedStyle(layer).visibility === 'visible',
        ),
      );
    await grid.focus();
    const before = await shown();
    await page.keyboard.press('Space');
    if (before || !(await shown())) faults.push('the space bar does not show the tile grid');
    await page.keyboard.press('Space');
  }
  return faults;
}

/** What axe-core finds against WCAG 2.2 AA, contrast included. */
async function accessibilityFaults(page: Page): Promise<string[]> {
  const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  await page.evaluate(axe);
  const results = await page.evaluate(() => {
    const { axe: engine } = globalThis as unknown as { axe: { run: (options: object) => Promise<AxeResults> } };
    return engine.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] });
  });
  return results.violations.map(
    ({ id, help, nodes }) => `${id}: ${help}, ${nodes.length} times, first ${nodes[0]?.html.slice(0, 120) ?? ''}`,
  );
}
